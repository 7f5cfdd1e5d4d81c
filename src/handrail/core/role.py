"""What a session acts as: a role, the lane it owns and how far its sandbox lets it write.

Promise: a record and two words, nothing else; pure. Whether a path lies in a lane is decided in
``core.scope``, whether a role may hold it in ``core.decide``.

    >>> Role("website", "implementer", ("site/**",), None, (), WORKSPACE_WRITE, (), False).lane
    ('site/**',)
"""

from handrail.core.record import Record
from handrail.typed import Final

READ_ONLY: Final = "read-only"
ANY_ROLE: Final = "any"
"""Stands for every role, and for who has none, where a trigger says in whose session it fires."""
WORKSPACE_WRITE: Final = "workspace-write"
SANDBOXES: Final = (READ_ONLY, WORKSPACE_WRITE)


class Role(Record):
    """One role: lane and ``may_write`` are texts of scope patterns, the rest paths and words.

    A role in the ``read-only`` sandbox may write nothing but ``may_write``; one in
    ``workspace-write`` its lane and ``may_write``. A change in the lane must update ``note``, where
    there is one; ``reading`` comes before the first edit.
    """

    name: str
    family: str
    lane: tuple[str, ...]
    note: str | None
    reading: tuple[str, ...]
    sandbox: str
    may_write: tuple[str, ...]
    coordinates: bool
