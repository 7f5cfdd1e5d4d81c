"""What a projection is: bytes from what is known, and what people wrote read back out of bytes.

Promises: pure; ``render`` gives the same bytes for the same knowledge, and leaves what people wrote
in the file as it was; ``read`` drops nothing in silence: what it cannot keep as a row it tells of.

    content = PROJECTIONS["lanes-coordination"].render(known, before)
    rows, told = PROJECTIONS["lanes-coordination"].read(known, content, importing=False)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from handrail.core.lease import Lease, Session
from handrail.core.record import Record
from handrail.core.role import Role
from handrail.core.task import Packet, Task


class Row(Record):
    """Something that only people know, or history: its name in the projection, its JSON text.

    Rows are in the file in the order of their names. A ``record`` of '' says that somebody took the
    row away. ``claimed_at`` is what it says of its own time, in ms since 1970; 0: nothing.
    """

    key: str
    record: str
    claimed_at: int = 0


class Told(Record):
    """A problem or a difference, for people: where in the file, a stable code, a sentence.

    ``suggestion`` is the value that was meant, or what to do.
    """

    place: str
    code: str
    sentence: str
    suggestion: str | None = None


class Read(Record):
    """What was read out of a file."""

    rows: tuple[Row, ...]
    told: tuple[Told, ...] = ()


class Known(Record):
    """What a projection may show; times in ms since 1970.

    ``leases`` are live, also those that tasks hold; ``sessions`` are live or hold or handed over
    something; ``packets`` are the newest, oldest first, each with what it says. ``rows`` are those
    that are kept of this projection, by name; ``commit`` is HEAD, '' where there is none.
    """

    now: int
    workspace: str = ""
    epoch: str = ""
    roles: tuple[Role, ...] = ()
    sessions: tuple[Session, ...] = ()
    leases: tuple[Lease, ...] = ()
    tasks: tuple[Task, ...] = ()
    packets: tuple[tuple[Packet, Mapping[str, Any]], ...] = ()
    rows: Mapping[str, str] = {}
    path: str = ""
    commit: str = ""
    branch: str | None = None
    fold_case: bool = False


class Render(Protocol):
    """Gives a file's bytes."""

    def __call__(self, known: Known, before: bytes | None) -> bytes | None:
        """Return the bytes for what is known; ``before`` is the file now. None: write nothing."""


class ReadBack(Protocol):
    """Reads a file."""

    def __call__(self, known: Known, content: bytes, *, importing: bool) -> Read:
        """Return what people wrote; when importing, the other system's own records as history.

        Raises ValueError, with a sentence, for what is no such file at all.
        """


class Behind(Protocol):
    """Names the file behind a projection that is a link."""

    def __call__(self, known: Known) -> str:
        """Return the name of the file beside it."""


class Projection(Record):
    """A format.

    ``behind`` is there where its file is a link to another one beside it, by that one's name;
    ``whole`` where the rows are all of the file, so that none of them can be left out.
    """

    format: str
    render: Render
    read: ReadBack
    behind: Behind | None = None
    whole: bool = False
