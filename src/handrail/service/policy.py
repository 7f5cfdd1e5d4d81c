"""The configuration in force as the rules want it: settings, lanes parsed, contended paths."""

from __future__ import annotations

from handrail.config import CONFIG_FILE, Settings, load_compiled
from handrail.core.decide import Policy
from handrail.core.record import Record
from handrail.core.role import READ_ONLY
from handrail.core.scope import Pattern, normalise_path, parse_pattern
from handrail.core.scope.match import tree_root
from handrail.core.state import InForce
from handrail.errors import MalformedConfig, NewerFormat, NotInitialised, StoreCorrupt
from handrail.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.config.records import ProjectionFile
    from handrail.core.duty import Duty, Step
    from handrail.core.landing import Charter
    from handrail.core.lease import Session
    from handrail.store.port import Reader, Store
    from handrail.typed import Protocol

    class Configured(Protocol):
        """Whatever has a configuration in force: a store's reader, a ledger."""

        def config(self) -> InForce | None:
            """Return the configuration in force."""


class Rules(Record):
    """Settings and what was parsed out of them."""

    settings: Settings
    policy: Policy
    in_force: InForce
    in_trees: bool
    """Whether lanes and contended paths are all whole trees: a file there is like a folder."""

    def pattern(self, text: str) -> Pattern:
        """Parse a pattern by this workspace's reading of case."""
        return parse_pattern(text, fold_case=self.settings.workspace.fold_case)


_latest: Rules | None = None
"""What was in force when this process last asked: it changes seldom and is asked for each time."""


def rules_in_force(reader: Configured) -> Rules:
    """Return the rules that were last applied to the store; raises NotInitialised."""
    global _latest
    in_force = reader.config()
    if in_force is None:
        raise NotInitialised
    if _latest is None or (_latest.in_force is not in_force and _latest.in_force != in_force):
        settings = _settings(in_force)
        policy = policy_of(settings)
        areas = (*policy.lanes.values(), policy.contended, *(p.may_write for p in policy.phases))
        in_trees = all(tree_root(pattern) is not None for area in areas for pattern in area)
        _latest = Rules(settings, policy, in_force, in_trees)
    return _latest


def projections_in_force(store: Store) -> tuple[ProjectionFile, ...]:
    """Return the projections that the configuration in force asks for; raises NotInitialised."""
    with store.read() as reader:
        return rules_in_force(reader).settings.projections


def triggers_fire(store: Store) -> bool:
    """Tell whether the configuration in force has triggers."""
    with store.read() as reader:
        return rules_in_force(reader).policy.fires


def shows_state(store: Store) -> bool:
    """Tell whether the configuration in force asks for files that show the state."""
    with store.read() as reader:
        settings = rules_in_force(reader).settings
        return bool(settings.projections or settings.folders)


def duty_in(reader: Reader, rules: Rules, session: Session, *, reading: bool = True) -> Duty | None:
    """Return what a session's task and its reading let it do; where neither matters, None.

    Then nothing is asked or imported.
    """
    policy = rules.policy
    if not (policy.binds or policy.fires or (reading and reader.unread(session.id))):
        return None
    from handrail.service.duties import duty_here

    return duty_here(reader, rules, session, reading=reading)


def rules_read_last() -> Rules | None:
    """Return the rules that were in force when this process last asked, if it did."""
    return _latest


def _settings(in_force: InForce) -> Settings:
    """Read the compiled form; where it is missing or of another version, the text itself."""
    newer: NewerFormat | None = None
    if in_force.compiled is not None:
        try:
            return load_compiled(in_force.compiled)
        except NewerFormat as error:
            newer = error
        except StoreCorrupt:
            pass
    from handrail.config import parse_config

    try:
        return parse_config(in_force.text.encode("utf-8", "surrogateescape"))
    except MalformedConfig as broken:
        # It was valid when it came into force, so this is no matter of the working tree's file.
        reason = f"the configuration in force cannot be read ({broken.values['reason']})"
        raise newer or StoreCorrupt(path="here", reason=reason) from broken


def _and_below(text: str) -> str:
    """Return what lies below a contended path: whoever claims ``a.lock`` means ``a.lock/x`` too."""
    return text if text.endswith("**") else f"{text}/**"


def policy_of(settings: Settings) -> Policy:
    """Parse lanes, phases, contended and exempt paths.

    A read-only role owns only its ``may_write``; what phases leave as evidence is everybody's.
    """
    fold = settings.workspace.fold_case

    def parsed(texts: tuple[str, ...]) -> tuple[Pattern, ...]:
        return tuple(parse_pattern(text, fold_case=fold) for text in texts)

    lanes = {
        role.name: parsed((() if role.sandbox == READ_ONLY else role.lane) + role.may_write)
        for role in settings.roles
    }
    return Policy(
        roles={role.name: role for role in settings.roles},
        lanes=lanes,
        contended=parsed(tuple(map(_and_below, settings.contended))) + parsed(settings.contended),
        exempt=parsed(settings.workspace.exempt),
        many_roles=settings.workspace.roles_per_session == "many",
        commons=parsed(
            (f"{settings.workspace.evidence}/**",)
        ),  # in everybody's lane, and not guarded
        phases=_steps(settings) if settings.phases else (),
        required=settings.handoff.required,
        narrow=settings.handoff.widen == "handoff",
        halt_after=settings.handoff.halt_after,
        protected=parsed(tuple(text for gate in settings.gates for text in gate.protects)),
        fires=bool(settings.triggers),
        evidence=normalise_path(settings.workspace.evidence, fold_case=fold),
    )


def _steps(settings: Settings) -> tuple[Step, ...]:
    from handrail.core.duty import Step

    fold = settings.workspace.fold_case
    return tuple(
        Step(
            name=phase.name,
            role=phase.role,
            read_only=phase.sandbox == READ_ONLY,
            may_write=tuple(parse_pattern(text, fold_case=fold) for text in phase.may_write),
        )
        for phase in settings.phases
    )


def charter_of(settings: Settings) -> Charter:
    """Return what only a coordinator or a person may change: the file, and what gates protect."""
    from handrail.core.landing import Charter

    fold = settings.workspace.fold_case
    held = (CONFIG_FILE, *(text for gate in settings.gates for text in gate.protects))
    return Charter(
        patterns=tuple(parse_pattern(text, fold_case=fold) for text in held),
        coordinators=frozenset(role.name for role in settings.roles if role.coordinates),
        signed=any(person.signing_keys for person in settings.persons),
        fold_case=fold,
    )
