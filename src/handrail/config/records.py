"""The rows that most configurations do not have: phases, triggers, gates, persons.

Promise: as ``config.settings``, whose tuples hold them. They stand apart so that a claim under a
configuration without them need not import them.

    >>> GateLevel("pushed", "advise").level
    'advise'
"""

from __future__ import annotations

from handrail.core.record import Record


class Person(Record):
    """A human being whose signature decides."""

    name: str
    signing_keys: tuple[str, ...]


class Agent(Record):
    """An agent known by its commits or branches: globs, at least one of them given."""

    name: str
    role: str
    match_author: str | None
    match_branch: str | None


class Unless(Record):
    """The exception of a document trigger: another field that equals something."""

    field: str
    equals: str | int | bool


class When(Record):
    """The event of a trigger; only the fields of its own event are set (see ``config.schema``)."""

    event: str
    codes: tuple[str, ...] = ()
    times: int = 1
    gate: str | None = None
    checkpoint: str | None = None
    rule: str | None = None
    phase: str | None = None
    glob: str | None = None
    field: str | None = None
    equals: str | int | bool | None = None
    unless: Unless | None = None


class Trigger(Record):
    """A row of the matrix: from a role or family (or any), on an event, to a role or family."""

    id: str
    from_role: str
    to_role: str
    when: When


class Checkpoint(Record):
    """A person's decision at the end of a phase, and the phase that each answer leads to."""

    name: str
    approve: str
    revise: str
    stop: str


class Phase(Record):
    """A step of the workflow; phases come in the order of the file."""

    name: str
    role: str
    sandbox: str
    may_write: tuple[str, ...]
    artifact: str | None
    checkpoint: Checkpoint | None


class CommandGate(Record):
    """A gate that runs a command; ``fresh_for`` is tree, commit, never or age (then in ms)."""

    id: str
    stages: tuple[str, ...]
    run: tuple[str, ...]
    prepare: tuple[tuple[str, ...], ...]
    link: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    report: str | None
    protects: tuple[str, ...]
    timeout_ms: int
    fresh_for: str
    fresh_for_ms: int | None
    exclusive: bool


class GateLevel(Record):
    """How much a built-in gate binds: block, advise or off."""

    id: str
    level: str


class ProjectionFile(Record):
    """A file that shows the state in some system's own format."""

    format: str
    path: str


class Epoch(Record):
    """A store whose attestations count: its epoch, the key that signs its heads, who holds it."""

    id: str
    key: str
    holder: str
