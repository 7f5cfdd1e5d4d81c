"""From checked values to settings: the few rows whose absent keys take their value from elsewhere.

Promise: pure; called by ``tables.Table.check`` with one argument per key of its row of the table,
each already checked, None where it is absent and has no default.

    >>> build_role(name="docs", family=None, **rest).family
    'docs'
"""

from __future__ import annotations

from collections.abc import Callable

from handrail.config.records import Agent, Checkpoint, CommandGate, GateLevel, Phase, Trigger, When
from handrail.config.settings import Modes, Settings, Workspace
from handrail.config.vocabulary import FOLDERS
from handrail.core.role import Role
from handrail.typed import Any

FOR_AN_AGE = "age"


def build_role(*, name: str, family: str | None, **rest: Any) -> Role:
    """Make a role; its family is its name unless it says otherwise."""
    return Role(name=name, family=family or name, **rest)


def build_agent(*, name: str, role: str, match: tuple[str | None, str | None]) -> Agent:
    """Make an agent."""
    author, branch = match
    return Agent(name=name, role=role, match_author=author, match_branch=branch)


def build_when(event: str) -> Callable[..., When]:
    """Give what makes an event of this name."""

    def build(**rest: Any) -> When:
        return When(event=event, **rest)

    return build


def build_trigger(**rest: Any) -> Trigger:
    """Make a trigger."""
    return Trigger(**rest)


def build_phase(*, name: str, checkpoint: dict[str, Any] | None, **rest: Any) -> Phase:
    """Make a phase; to revise leads back to itself unless it says otherwise."""
    decision = None
    if checkpoint is not None:
        decision = Checkpoint(**checkpoint | {"revise": checkpoint["revise"] or name})
    return Phase(name=name, checkpoint=decision, **rest)


def build_gate(*, fresh_for: str | int, **rest: Any) -> CommandGate:
    """Make a command gate; a duration in `fresh_for` becomes the word age and milliseconds."""
    if isinstance(fresh_for, str):
        return CommandGate(fresh_for=fresh_for, fresh_for_ms=None, **rest)
    return CommandGate(fresh_for=FOR_AN_AGE, fresh_for_ms=fresh_for, **rest)


def build_gate_levels(**levels: str | None) -> tuple[GateLevel, ...]:
    """Keep the levels that are written down, in the order of the vocabulary."""
    return tuple(GateLevel(gate, level) for gate, level in levels.items() if level is not None)


def build_settings(
    *,
    workspace: Workspace,
    mode: Modes,
    role: tuple[Role, ...],
    person: Any,
    agent: Any,
    trigger: Any,
    phase: Any,
    gate: Any,
    gates: Any,
    contended: tuple[tuple[str, ...], ...],
    epoch: Any,
    projection: Any,
    **rest: Any,
) -> Settings:
    """Make the settings: modes per stage and the default role take their values from elsewhere.

    A projection that is a folder of files stands apart from those that are one file.
    """
    default_role = workspace.default_role
    if default_role is None and len(role) == 1:
        default_role = role[0].name
    return Settings(
        workspace=workspace._replace(default_role=default_role),
        modes=Modes(*[at_stage or workspace.mode for at_stage in mode]),
        roles=role,
        persons=person,
        agents=agent,
        triggers=trigger,
        phases=phase,
        gates=gate,
        builtin_gates=gates,
        contended=tuple(path for paths in contended for path in paths),
        epochs=epoch,
        projections=tuple(one for one in projection if one.format not in FOLDERS),
        folders=tuple(one for one in projection if one.format in FOLDERS),
        **rest,
    )
