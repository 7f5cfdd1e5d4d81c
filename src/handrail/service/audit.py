"""Auditing rule files: what they say of roles and handoffs, beside what is configured.

Promises: writes nothing; needs no store: without one the file ``handrail.toml`` counts, and without
that the words of the rule files. Roles that rule files name and nobody configured are looked for,
too. The store says what day it is. Each file is told of: with a finding, without one, not read, or
in a language that no rule is for.

    report = examine(tree, ("AGENTS.md",), settings, now)
    report.compared.percent
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handrail.config import Settings
from handrail.core.audit.ladder import Harness, Rung, Standing, residual
from handrail.core.audit.matrix import Compared, Matrix, RoleSeen, TriggerSeen, compare
from handrail.core.audit.names import Names, folders_of_roles, role_like
from handrail.core.audit.page import page_of_json, read_page
from handrail.core.audit.rows import Proposed, propose
from handrail.core.audit.statements import About, Statement, read_statements, values_of
from handrail.core.record import Record
from handrail.service.install import settings as harness_settings
from handrail.service.install.git_hooks import lost_git_hooks
from handrail.service.install.launch import lost_launch
from handrail.service.install.site import FILE, Site
from handrail.service.install.tracked import HOOK
from handrail.typed import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from handrail.config.records import Trigger, When

USUAL: Final = ("AGENTS.md", "CLAUDE.md", ".directive-cli/docs/agent-rules/**", ".claude/**")
OBJECTIVE: Final = (
    "Identify where instructions require, imply or forbid a role switch or a handoff, and what"
    " leads on from there by itself."
)
_COMMIT_HOOKS: Final = ("reference-transaction",)
"""The hook that decides about a commit; ``pre-commit`` only explains."""


class UnreadRow(Protocol):
    """A path that was not read, and why."""

    @property
    def path(self) -> str:
        """The path from the top of the working tree."""

    @property
    def reason(self) -> str:
        """Why it was not read."""


class RuleTexts(Protocol):
    """Rule files as they were read."""

    @property
    def texts(self) -> Mapping[str, str]:
        """The texts by path."""

    @property
    def unread(self) -> Sequence[UnreadRow]:
        """What was not read."""


class Tree(Protocol):
    """A working tree whose rule files are audited."""

    def rules(self, paths: Sequence[str]) -> RuleTexts:
        """Read the rule files at these paths, at the usual places for none."""

    def harnesses(self) -> tuple[str, ...]:
        """Return the harnesses that have files here."""

    def checks(self) -> tuple[str, ...]:
        """Return the files by which a forge is told to run Handrail."""


class Gathered(Record):
    """What rule files say, before it is compared with anything; ``names`` are all roles.

    ``without`` are files that were read and say nothing about handoffs; ``foreign`` those of them
    in a language that no rule is for.
    """

    scope: tuple[str, ...]
    statements: tuple[Statement, ...]
    names: tuple[str, ...]
    files: tuple[str, ...]
    unread: tuple[tuple[str, str], ...]
    foreign: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]


class Report(Record):
    """An audit: ``configured`` says which configuration counted, None for none."""

    at: int
    scope: tuple[str, ...]
    configured: str | None
    roles: tuple[str, ...]
    compared: Compared
    proposed: Proposed
    without: tuple[str, ...]
    unread: tuple[tuple[str, str], ...]
    foreign: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]
    standing: Standing | None
    rungs: tuple[Rung, ...]

    @property
    def has_gap(self) -> bool:
        """Tell whether a finding is open, wholly or in part."""
        return self.compared.covered < len(self.compared.findings)


def gather(tree: Tree, paths: Sequence[str], settings: Settings | None) -> Gathered:
    """Read the rule files and what they say; roles are those of the configuration and their own."""
    read = tree.rules(paths)
    pages = {
        path: page_of_json(text) if path.lower().endswith(".json") else read_page(text)
        for path, text in sorted(read.texts.items())
    }
    found = (
        [name for role in settings.roles for name in (role.name, role.family)] if settings else []
    )
    for path, page in pages.items():
        found += sorted(role_like(path, page))
    names = Names(found)
    folders = folders_of_roles(tuple(pages), names.all)
    values = values_of(pages.values())
    statements: list[Statement] = []
    foreign, problems = [], []
    for path, page in pages.items():
        said = read_statements(About(path, page, names, folders, values))
        statements += said.statements
        if page.problem:
            problems.append((path, page.problem))
        if said.more:
            problems.append((path, "it says more than is looked at; the first statements count"))
        if not page.english:
            foreign.append(path)
    return Gathered(
        scope=tuple(paths) or USUAL,
        statements=tuple(statements),
        names=names.all,
        files=tuple(pages),
        unread=tuple((one.path, one.reason) for one in read.unread),
        foreign=tuple(foreign),
        problems=tuple(problems),
    )


def report_on(
    gathered: Gathered,
    settings: Settings | None,
    configured: str | None,
    now: int,
    standing: Standing | None = None,
) -> Report:
    """Compare what was gathered with a configuration; ``now`` is store time in ms."""
    matrix = matrix_of(settings)
    compared = compare(gathered.statements, matrix, gathered.names)
    told = {source.path for one in compared.findings for source in one.sources}
    return Report(
        at=now,
        scope=gathered.scope,
        configured=configured,
        roles=gathered.names,
        compared=compared,
        proposed=propose(compared.findings, matrix),
        without=tuple(path for path in gathered.files if path not in told),
        unread=gathered.unread,
        foreign=gathered.foreign,
        problems=gathered.problems,
        standing=standing,
        rungs=() if standing is None else residual(matrix.triggers, standing),
    )


def matrix_of(settings: Settings | None) -> Matrix:
    """Return what of a configuration an audit compares with."""
    if settings is None:
        return Matrix()
    checkpoints = [one.checkpoint.name for one in settings.phases if one.checkpoint is not None]
    return Matrix(
        roles=tuple(RoleSeen(one.name, one.family, one.coordinates) for one in settings.roles),
        triggers=tuple(_seen(one) for one in settings.triggers),
        gates=tuple(one.id for one in settings.gates),
        checkpoints=tuple(checkpoints),
        phases=tuple(one.name for one in settings.phases),
        in_thread=settings.handoff.in_thread,
    )


def _seen(trigger: Trigger) -> TriggerSeen:
    when: When = trigger.when
    value = "" if when.equals is None else str(when.equals)
    about = when.rule or when.gate or when.checkpoint or when.phase or value
    return TriggerSeen(
        trigger.id,
        trigger.from_role,
        trigger.to_role,
        when.event,
        about,
        when.codes,
        when.field or "",
    )


def standing_of(tree: Tree, site: Site, settings: Settings, *, paused: bool) -> Standing:
    """Look at what is installed here; hooks that lead nowhere do not count."""
    leads = not lost_launch(site) and site.exists(f"{site.toplevel}/{HOOK}")
    events = _events(site) if leads else frozenset()
    there = dict.fromkeys(tree.harnesses())
    hooked = {"claude": Harness("claude", "PreToolUse" in events, "PostToolUse" in events)}
    modes = settings.modes
    return Standing(
        harnesses=tuple(hooked.get(name) or Harness(name) for name in there),
        commit=leads and not lost_git_hooks(site, _COMMIT_HOOKS),
        checks=tree.checks(),
        protected=bool(settings.workspace.protected_refs),
        modes={"edit": modes.edit, "commit": modes.commit, "land": modes.land},
        agents=bool(settings.agents),
        paused=paused,
    )


def _events(site: Site) -> frozenset[str]:
    """Return the events at which Claude Code starts Handrail here."""
    told = []
    for name in (harness_settings.FILE, harness_settings.LOCAL_FILE):
        seen = site.look(f"{site.toplevel}/{name}")
        told.append(seen.content.decode("utf-8", "replace") if seen.kind == FILE else "")
    try:
        off = harness_settings.switches_off(told[1])
    except harness_settings.NotMergeable:
        off = False  # which Claude Code does not read either
    return frozenset() if off else harness_settings.events_in(told[0])
