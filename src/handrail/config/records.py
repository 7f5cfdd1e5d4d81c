"""The rows that most configurations do not have: phases, triggers, gates, persons.

Promise: as ``config.settings``, whose tuples hold them. They stand apart because to define one
costs an eighth of a millisecond, which a claim under a configuration without them need not pay.
For the same reason annotations are evaluated here: as text each would be compiled once more.

    >>> GateLevel("pushed", "advise").level
    'advise'
"""

from typing import NamedTuple


class Person(NamedTuple):
    """A human being whose signature decides."""

    name: str
    signing_keys: tuple[str, ...]


class Agent(NamedTuple):
    """An agent known by its commits or branches: globs, at least one of them given."""

    name: str
    role: str
    match_author: str | None
    match_branch: str | None


class Unless(NamedTuple):
    """The exception of a document trigger: another field that equals something."""

    field: str
    equals: str | int | bool


class When(NamedTuple):
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


class Trigger(NamedTuple):
    """A row of the matrix: from a role or family (or any), on an event, to a role or family."""

    id: str
    from_role: str
    to_role: str
    when: When


class Checkpoint(NamedTuple):
    """A person's decision at the end of a phase, and the phase that each answer leads to."""

    name: str
    approve: str
    revise: str
    stop: str


class Phase(NamedTuple):
    """A step of the workflow; phases come in the order of the file."""

    name: str
    role: str
    sandbox: str
    may_write: tuple[str, ...]
    artifact: str | None
    checkpoint: Checkpoint | None


class CommandGate(NamedTuple):
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


class GateLevel(NamedTuple):
    """How much a built-in gate binds: block, advise or off."""

    id: str
    level: str


class Epoch(NamedTuple):
    """A store whose attestations count: its epoch, the key that signs its heads, who holds it."""

    id: str
    key: str
    holder: str
