"""Residual risk: which rung of the ladder enforces a trigger for whom, and what only advises.

Promises: pure; drawn from what is installed, from the mode of each stage and from where each event
is noticed, and from nothing that somebody wrote about it. A rung that is there in mode ``warn`` or
``shadow`` advises. Not promised: that a hook which is installed is not switched off, nor that a
check on a forge is required there.

    >>> rung_of(trigger, "claude", standing).enforced
    'before the edit'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from handrail.core.audit.matrix import TriggerSeen
from handrail.core.record import Record

BEFORE: Final = "before the edit"
AFTER: Final = "after the tool"
COMMIT: Final = "commit"
LANDING: Final = "landing"
CI_ALONE: Final = "CI alone"
COMMAND: Final = "its own command"
NOTHING: Final = "nothing"
ENFORCE: Final = "enforce"
PLAIN: Final = "no harness"
"""Whoever works with an editor, a shell and git alone."""

STAGES: Final = {BEFORE: "edit", AFTER: "edit", COMMIT: "commit", LANDING: "land", CI_ALONE: "land"}
WATCHED_AT: Final = {
    "edit_refused": (BEFORE, AFTER, COMMIT, LANDING, CI_ALONE),
    "document": (BEFORE, AFTER, COMMAND),
    "gate_failed": (AFTER, LANDING, CI_ALONE, COMMAND),
    "revise_limit": (AFTER, COMMAND),
    "phase_done": (AFTER, COMMAND),
    "blocked": (COMMAND,),
}
"""The rungs at which each event can be noticed, in the order of the ladder.

A document is read when a harness's session begins, which is before its first edit; that a task is
called completed, and what a person decided, is noticed by the hooks that come after a tool.

Of its own command: the store decides for whoever runs it, and nobody makes them run it.
"""


class Harness(Record):
    """A harness in use here, and which of its hooks lead to Handrail."""

    name: str
    before: bool = False
    after: bool = False


class Standing(Record):
    """What is installed around a repository.

    ``commit`` tells whether git's hooks are there, ``checks`` are the files by which a forge judges
    what lands, ``modes`` those of the stages, ``agents`` whether a pull request's agent can be
    known without anything installed.
    """

    harnesses: tuple[Harness, ...]
    commit: bool
    checks: tuple[str, ...]
    protected: bool
    modes: Mapping[str, str]
    agents: bool = False
    paused: bool = False


class Rung(Record):
    """Where a trigger is enforced for a harness, where else it is, and what only advises."""

    trigger: str
    event: str
    harness: str
    enforced: str
    later: tuple[str, ...]
    advises: tuple[str, ...]
    reason: str


def residual(triggers: Sequence[TriggerSeen], standing: Standing) -> tuple[Rung, ...]:
    """Return a rung for each trigger and each harness, and for whoever has none."""
    harnesses = (*standing.harnesses, Harness(PLAIN))
    return tuple(rung_of(row, each, standing) for row in triggers for each in harnesses)


def rung_of(trigger: TriggerSeen, harness: Harness, standing: Standing) -> Rung:
    """Return the first rung that enforces a trigger for a harness."""
    rungs = WATCHED_AT.get(trigger.event, ())
    there = [rung for rung in rungs if _is_there(rung, harness, standing)]
    binding = [rung for rung in there if _binds(rung, standing)]
    enforced = [rung for rung in binding if rung != COMMAND]
    advises = [rung for rung in there if rung not in enforced]
    first = enforced[0] if enforced else NOTHING
    reason = _reason(rungs, there, enforced, standing)
    names = (trigger.id, trigger.event, harness.name)
    return Rung(*names, first, tuple(enforced[1:]), tuple(advises), reason)


def _is_there(rung: str, harness: Harness, standing: Standing) -> bool:
    bare = not (harness.before or harness.after or standing.commit)
    landing = bool(standing.checks) and standing.protected
    return {
        BEFORE: harness.before,
        AFTER: harness.after,
        COMMIT: standing.commit,
        LANDING: landing and not bare,
        CI_ALONE: landing and bare and standing.agents,
        COMMAND: True,
    }[rung]


def _binds(rung: str, standing: Standing) -> bool:
    """Tell whether a rung that is there refuses, and does not only say."""
    local = rung in (BEFORE, AFTER, COMMIT)
    mode = standing.modes.get(STAGES.get(rung, ""), ENFORCE)
    return mode == ENFORCE and not (local and standing.paused)


def _reason(
    rungs: Sequence[str], there: Sequence[str], enforced: Sequence[str], standing: Standing
) -> str:
    """Say why nothing enforces it, or what is missing before the first rung that does."""
    if enforced:
        return ""
    if standing.paused and any(rung in (BEFORE, AFTER, COMMIT) for rung in there):
        return "enforcement is switched off for a while"
    if there == [COMMAND]:
        return "nobody has to run the command that it waits for"
    if there:
        stages = dict.fromkeys(STAGES[rung] for rung in there if rung in STAGES)
        modes = (f"{stage}: {standing.modes.get(stage, ENFORCE)}" for stage in stages)
        return f"the mode only advises ({', '.join(modes)})"
    return f"nothing is installed for it at: {', '.join(rungs)}"
