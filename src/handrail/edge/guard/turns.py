"""The end of a turn, a task that is called completed, a thread that is shortened.

Promises: a session that acts for no task is never held up; one that does is held up at most
``REFUSALS_MAX`` times in a row, which is less than what any harness endures, and not again while
its tree stays as it was; no word of the agent is written down. What was judged is kept beside the
store: lost, it costs one more message.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from threading import Timer
from typing import Final

from handrail import errors
from handrail.edge.guard.firing import due, finished, passed_on
from handrail.edge.guard.places import Places
from handrail.edge.guard.tools import ALLOW, DENY, ENFORCE, Answer
from handrail.edge.harness import claude
from handrail.edge.harness.claude import Call
from handrail.service.guarding import SHADOW, Guarding
from handrail.service.identity import session_here
from handrail.service.policy import triggers_fire
from handrail.service.turns import OFF, Due, Turns
from handrail.wiring import Application, read_file

BLOCK: Final = "block"
STAGE: Final = "pre-handoff"
REFUSALS_MAX: Final = 4
"""Claude Code lets a session end after eight refusals in a row, whosever they are."""
COMMANDS_S: Final = 540.0
"""For the commands of gates: a minute less than the harness waits for the hook."""
TEXT_CHARS_MAX: Final = 8_000
"""Claude Code moves what is longer than 10 000 characters into a file."""


def end_of_turn(places: Places, call: Call) -> Answer:
    """Say, or by ``on_stop`` insist, that what was begun is handed over."""
    for application in places.around(call.cwd):
        if not _is_live(application, call):
            continue
        lines = _triggered(application, due)
        answer = Answer(ALLOW, claude.warned("\n".join(lines))) if lines else None
        answer = answer or _judged(application, call)
        if answer is not None:
            return answer
    return Answer()


def _triggered(application: Application, ask: Callable[[Application], list[str]]) -> list[str]:
    """Return what triggers make of a turn; nothing is asked where there are none."""
    return ask(application) if triggers_fire(application.store) else []


def _judged(application: Application, call: Call) -> Answer | None:
    turns = Turns(application.context)
    how = turns.on_stop()
    if how == OFF or call.asks:
        return None
    standing = application.bench(application.place.toplevel).standing(())
    now = f"{standing.commit} {standing.fingerprint}"
    before, times = application.traces.judged(call.session)
    due = turns.due(standing.dirty, lambda path: _is_there(application, path))
    if due is None or now == before:
        return None
    times = times if call.goes_on else 0
    refused = how == BLOCK and times < REFUSALS_MAX
    application.traces.keep_judged(call.session, now, times + refused)
    mode = Guarding(application.context).mode(STAGE)
    if mode == SHADOW:
        application.hook_log.write("stop", "unfinished", f"{mode}: {due.sentence}")
        return None
    if refused and mode == ENFORCE:
        return Answer(DENY, "", _sentence(due))
    return Answer(ALLOW, claude.warned(_sentence(due).strip()))


def _sentence(due: Due) -> str:
    return (
        f"handrail: unfinished: {due.sentence}\n"
        "  A question to the person at the end of what you say ends the turn, too.\n"
        f"  next: {due.next}\n"
    )


def _is_there(application: Application, path: str) -> bool:
    try:
        return read_file(os.path.join(application.place.toplevel, path), 1) is not None
    except errors.HandrailError:
        return False


def _is_live(application: Application, call: Call) -> bool:
    """Act as the harness's session; one that did nothing here yet is not begun for this."""
    with application.store.read() as reader:
        name = session_here(reader, call.session, application.caller.worktree)
        known = reader.session(name)
    application.act_as(name)
    return known is not None and known.live


# --- a task that is called completed -------------------------------------------------------------


def completed(places: Places, call: Call) -> Answer:
    """Let a session that acts for a task call something completed if the gates agree."""
    for application in places.around(call.cwd):
        if not _is_live(application, call) or not Turns(application.context).acting():
            continue
        failed, told = _objections(application)
        if told is None:
            lines = _triggered(application, finished)
            if lines:
                return Answer(ALLOW, claude.warned("\n".join(lines)))
            continue
        mode = Guarding(application.context).mode(STAGE)
        if mode == ENFORCE:
            lines = _triggered(application, partial(passed_on, failed=failed))
            return Answer(DENY, "", "\n".join([told, *lines]))
        application.hook_log.write("completed", "gate_failed", f"{mode}: a gate does not pass")
        if mode != SHADOW:
            return Answer(ALLOW, claude.warned(told.strip()))
    return Answer()


def _objections(application: Application) -> tuple[list[tuple[str, str]], str | None]:
    """Run the gates before a handoff, commands too.

    Returns those that fail, each with what it minds, and what all of them say, None if they pass.
    """
    from handrail.edge.checked import as_text
    from handrail.gates.gate import FAIL, PASS
    from handrail.service.handoff_gates import told
    from handrail.service.verdicts import enter
    from handrail.wiring.gates import Gates

    gates = Gates(application, application.place.toplevel)
    timer = Timer(COMMANDS_S, gates.bench.stop)
    timer.daemon = True
    timer.start()
    try:
        handed = gates.around().to_check(STAGE, None)
        checked = gates.gating.check(STAGE, handed=handed)
    finally:
        timer.cancel()
    enter(application.context, checked, handed.task or None)
    if checked.verdict == PASS:
        return [], None
    head = "handrail: not completed: the gates before a handoff do not all pass\n"
    failed = [one for one in checked.outcomes if one.binds and one.verdict == FAIL]
    return [(one.gate, "; ".join(told([one]))) for one in failed], (
        head + as_text(checked)[-TEXT_CHARS_MAX:]
    )


# --- a thread that is shortened ------------------------------------------------------------------


def before_compact(places: Places, call: Call) -> Answer:
    """Record what the session stands at, so that it finds it afterwards."""
    for application in places.around(call.cwd):
        if _is_live(application, call):
            paths = [row.path for row in application.ground.dirty((".",))]
            Turns(application.context).compacted(call.trigger or "unknown", sorted(paths))
    return Answer()
