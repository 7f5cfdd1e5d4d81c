"""Replaying the past of a repository against a policy, before anybody is bound by it.

Promises: writes nothing anywhere and needs no store; who worked is told by ``[[agent]] match``,
each row that fits in the order of the file, else by the author under ``default_role``. In
``match`` a star stands for anything, ``?`` for one character and all else for itself; ``author`` is
compared with ``Name <mail>``, with the name and with the mail address. A branch is its oldest
commit's author's. Not promised: that a role which coordinates was really there; the names of
authors and branches were typed by whoever worked.

    replay_past(ground, Asked("v1.0", "HEAD", BRANCH), settings, print)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handrail.config import CONFIG_FILE, Settings, parse_config
from handrail.config.records import Agent
from handrail.core.backtest import Findings, Unit, key_of, replay
from handrail.core.decide import Policy
from handrail.core.history import Branch, PastCommit, lines_of
from handrail.core.record import Record
from handrail.service.agents import means_author, means_branch
from handrail.service.policy import policy_of, rules_in_force
from handrail.store.port import Store
from handrail.typed import Final, Protocol

BRANCH: Final = "branch"
COMMIT: Final = "commit"
UNITS: Final = (BRANCH, COMMIT)
SHORT: Final = 12
WORKING_TREE: Final = "of this working tree"
IN_FORCE: Final = "in force"


class Past(Protocol):
    """Where a past is read."""

    def past(
        self, since: str, until: str, tell: Callable[[int], None]
    ) -> tuple[str, list[PastCommit]]:
        """Return what a name means, and the commits up to it, parents before children."""


class Configured(Protocol):
    """Where a configuration may be."""

    def config_file(self) -> bytes | None:
        """Return ``handrail.toml``, None if there is none."""


class Asked(Record):
    """What to replay; ``by`` says what one session would have done: a branch or a commit."""

    since: str
    until: str
    by: str


class Replayed(Record):
    """What was replayed and what was found."""

    tip: str
    commits: int
    merges: int
    findings: Findings


def settings_here(
    ground: Configured, store: Store | None, *, in_force_first: bool = False
) -> tuple[Settings, str] | None:
    """Return the configuration of this place and where it is from; None if there is none."""
    found = [_in_force, _of_working_tree] if in_force_first else [_of_working_tree, _in_force]
    for read in found:
        settings = read(ground, store)
        if settings is not None:
            return settings, IN_FORCE if read is _in_force else WORKING_TREE
    return None


def _of_working_tree(ground: Configured, _: Store | None) -> Settings | None:
    text = ground.config_file()
    return None if text is None else parse_config(text, file=CONFIG_FILE)


def _in_force(_: Configured, store: Store | None) -> Settings | None:
    if store is None:
        return None
    with store.read() as reader:
        return rules_in_force(reader).settings


def replay_past(
    ground: Past, asked: Asked, settings: Settings | None, tell: Callable[[str], None]
) -> Replayed:
    """Read the past and judge it; raises MalformedRange, FactsUnavailable."""
    tip, past = ground.past(asked.since, asked.until, lambda count: tell(f"{count} commits read"))
    tell(f"{len(past)} commits read; judging")
    branches, direct = lines_of(past, tip)
    names = {key_of(branch): _branch_unit(branch, settings) for branch in branches}
    if asked.by == BRANCH:
        units = [*names.values(), *(_commit_unit(one, None, settings) for one in direct)]
    else:
        units = [_commit_unit(one, None, settings) for one in direct]
        for branch in branches:
            made = [one for one in branch.commits if len(one.parents) < 2]
            units += [_commit_unit(one, branch.name, settings) for one in made]
    policy = Policy({}, {}) if settings is None else policy_of(settings)
    fold_case = settings is not None and settings.workspace.fold_case
    findings = replay(branches, direct, units, policy, names=names, fold_case=fold_case)
    merges = sum(len(one.parents) > 1 for one in past)
    return Replayed(tip, len(past), merges, findings)


def _branch_unit(branch: Branch, settings: Settings | None) -> Unit:
    agent, role = _who(branch.commits[0], branch.name, settings)
    return Unit(branch.name or branch.merge[:SHORT], branch.merge, agent, role, branch.paths)


def _commit_unit(one: PastCommit, branch: str | None, settings: Settings | None) -> Unit:
    agent, role = _who(one, branch, settings)
    return Unit(one.commit[:SHORT], one.commit, agent, role, one.paths)


def _who(one: PastCommit, branch: str | None, settings: Settings | None) -> tuple[str, str | None]:
    """Return agent and role of a commit, or of the branch that it began."""
    agents: Sequence[Agent] = () if settings is None else settings.agents
    for agent in agents:
        if _fits(agent, one, branch):
            return agent.name, agent.role
    return one.author, None if settings is None else settings.workspace.default_role


def _fits(agent: Agent, one: PastCommit, branch: str | None) -> bool:
    """Tell whether all that a row names fits."""
    author = agent.match_author
    if author is not None and not means_author(author, f"{one.author} <{one.mail}>"):
        return False
    if agent.match_branch is None:
        return True
    return branch is not None and means_branch(agent.match_branch, branch)
