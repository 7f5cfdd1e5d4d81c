"""Frozen settings: what `handrail.toml` says, checked and with every default filled in.

Promise: plain values only (text, whole numbers, booleans, tuples of them), durations in
milliseconds, nothing read at import time. Only ``config.parse`` and ``config.compiled`` make them,
so whoever holds a ``Settings`` need not check it again. Rare rows are in ``config.records``, which
`handrail claim` imports only where there are some.

A field that is added later gets a default here, namely what an older compiled form meant without
it: a configuration in force never changes its meaning because the program was updated.

    >>> settings.role("website").lane
    ('site/**',)
    >>> settings.mode("edit")
    'enforce'
"""

from __future__ import annotations

from handrail.core.record import Record
from handrail.core.role import Role
from handrail.core.task import EVIDENCE
from handrail.errors import UnknownRole
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handrail.config.records import (
        Agent,
        CommandGate,
        Epoch,
        GateLevel,
        Person,
        Phase,
        ProjectionFile,
        Trigger,
    )

CONFIG_FILE: Final = "handrail.toml"
BLOCK: Final = "block"


class Workspace(Record):
    """The coordination domain; ``default_role`` is the only role where none is named.

    ``evidence`` is the folder in which phases leave what they produce.
    """

    id: str
    mode: str
    default_role: str | None
    auto_claim: str
    roles_per_session: str
    protected_refs: tuple[str, ...]
    exempt: tuple[str, ...]
    fold_case: bool
    uninstalled: str
    unattributed: str
    evidence: str = EVIDENCE


class Modes(Record):
    """How strictly Handrail acts, for each stage: shadow, warn or enforce."""

    edit: str
    commit: str
    push: str
    pre_handoff: str
    post_handoff: str
    land: str
    publish: str


class Limits(Record):
    """Times that a claim or an offer gets when nobody asks for another."""

    ttl_ms: int
    lapse_after_ms: int


class References(Record):
    """Documents in which every path that is named must exist."""

    docs: tuple[str, ...]


class Handoff(Record):
    """How handoffs behave."""

    required: bool
    on_stop: str
    in_thread: bool
    widen: str
    halt_after: int
    stuck_after_ms: int
    waivers: str


class StoreSettings(Record):
    """Where the live state is: ``sqlite`` or a ``postgresql://`` address without secrets."""

    url: str


class Settings(Record):
    """All of a `handrail.toml`."""

    workspace: Workspace
    modes: Modes
    limits: Limits
    roles: tuple[Role, ...]
    persons: tuple[Person, ...]
    agents: tuple[Agent, ...]
    triggers: tuple[Trigger, ...]
    phases: tuple[Phase, ...]
    gates: tuple[CommandGate, ...]
    builtin_gates: tuple[GateLevel, ...]
    contended: tuple[str, ...]
    references: References
    handoff: Handoff
    store: StoreSettings
    epochs: tuple[Epoch, ...]
    projections: tuple[ProjectionFile, ...] = ()
    folders: tuple[ProjectionFile, ...] = ()

    def role(self, name: str) -> Role:
        """Give the role of this name, or raise UnknownRole with the nearest name there is."""
        for role in self.roles:
            if role.name == name:
                return role
        from handrail.core.nearest import nearest

        known = [role.name for role in self.roles]
        step = None if known else "handrail config validate"
        raise UnknownRole(role=name, nearest=nearest(name, known), next=step)

    def mode(self, stage: str) -> str:
        """Give the mode of a stage: shadow, warn or enforce."""
        mode: str = getattr(self.modes, stage.replace("-", "_"))
        return mode

    def gate_level(self, gate: str, unasked: str = BLOCK) -> str:
        """Give how much a built-in gate binds; ``unasked`` is for one that is not named."""
        for level in self.builtin_gates:
            if level.id == gate:
                return level.level
        return unasked
