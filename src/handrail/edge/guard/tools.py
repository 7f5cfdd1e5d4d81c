"""The events of a harness, decided with all of Handrail at hand.

Promises: exit 2, an empty stdout and the reason on stderr stop a tool, which every harness honours;
0 lets it go on, what stdout says is for the agent or the person. How strict it is stands in
``[workspace] mode`` (stage ``edit``): ``shadow`` writes down what would be refused, ``warn`` says
it, ``enforce`` refuses. On Handrail's own failure ``enforce`` refuses an edit, everything else is
let through with a notice, and ``hook.log`` has the line. No payload is ever written down.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from handrail import errors
from handrail.core.decide.edit import SETTINGS
from handrail.core.record import Record
from handrail.edge.guard.places import Places, Target
from handrail.edge.guard.quick import LOADED, PATH_OF, READS_ONLY
from handrail.edge.harness import claude
from handrail.edge.harness.claude import Call
from handrail.service.context import DirtyRow
from handrail.service.guarding import SHADOW, Guarding, Unheld
from handrail.service.identity import session_here
from handrail.service.policy import triggers_fire
from handrail.wiring import Application

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.service.harness_sessions import HarnessSessions
    from handrail.service.notices import Told

ALLOW = 0
DENY = 2
NAMED_MAX = 20
ENFORCE = "enforce"
COMPACTED = "compact"
LATER = ("Stop", "SubagentStop", "TaskCompleted", "PreCompact", LOADED)
"""Where exit 2 would hold up what writes nothing."""


class Answer(Record):
    """Exit status and what both streams say."""

    status: int = ALLOW
    stdout: str = ""
    stderr: str = ""


def run(payload: bytes) -> int:
    """Answer a payload on the standard streams; returns the exit status."""
    answer = answered(payload, os.environ)
    if answer.stdout:
        sys.stdout.write(answer.stdout)
    if answer.stderr:
        sys.stderr.write(answer.stderr)
    return answer.status


def answered(payload: bytes, environment: Mapping[str, str]) -> Answer:
    """Answer a payload; never raises."""
    places = Places(environment)
    call: Call | None = None
    try:
        call = claude.read(payload)
        handler = _HANDLERS.get(call.event)
        return Answer() if handler is None else handler(places, call)
    except Exception as error:  # noqa: BLE001 - the last door of a hook
        return _failed(places, call, error, payload)
    finally:
        places.close()


def _failed(places: Places, call: Call | None, error: Exception, payload: bytes) -> Answer:
    """Answer for Handrail's own failure, or for a payload that is none."""
    told = error if isinstance(error, errors.HandrailError) else errors.Bug(detail=_plain(error))
    if call is not None and call.event == "PreToolUse" and "handrail.wiring.remote" in sys.modules:
        from handrail.edge.guard.lost import answered_without

        answer = answered_without(places, call, told)
        if answer is not None:
            return answer
    mode = places.mode_of(call.cwd if call else os.getcwd())
    places.log("edit", told.code, told.message)
    event = claude.event_of(payload) if call is None else call.event
    about_an_edit = event == "PreToolUse" or (call is None and event not in LATER)
    if about_an_edit and mode == ENFORCE:
        return Answer(DENY, "", sentence_of(told))
    if about_an_edit:
        return Answer(ALLOW, claude.warned(f"{sentence_of(told).strip()} The edit is not checked."))
    return Answer(ALLOW, "", sentence_of(told))


def _plain(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def sentence_of(error: errors.HandrailError) -> str:
    """Write an error for the agent, with the command that leads on."""
    lines = [f"handrail: {error.code}: {error.message}"]
    if error.next:
        lines.append(f"  next: {error.next}")
    return "\n".join(lines) + "\n"


# --- before a tool -------------------------------------------------------------------------------


def _before_tool(places: Places, call: Call) -> Answer:
    """Let a tool write what its session holds or can be granted."""
    targets = places.targets(call.paths, call.cwd)
    if call.command is not None:
        targets = places.written_by(call.command, call.cwd)
    for application, paths in places.by_workspace(targets):
        _join(application, call)
        guarding = Guarding(application.context)
        try:
            _edit(guarding, application, call, paths)
        except errors.Refused as refusal:
            answer = _refused(application, guarding.mode("edit"), refusal)
            if answer is not None:
                return answer
    return Answer()


def _edit(guarding: Guarding, application: Application, call: Call, targets: list[Target]) -> None:
    paths = [path for target in targets if not target.below for path in target.paths]
    for target in targets:
        if target.below:
            # Git writes only what differs there; whatever else names a folder, all of it.
            dirty_only = "git" in (call.command or "").split()
            guarding.sweep(target.paths[0], dirty_only=dirty_only)
    keeps = call.change is not None and _keeps_our_entries(application, paths, call.change)
    guarding.edit(list(dict.fromkeys(paths)), own_settings=keeps)
    if call.command is None:
        for path in paths:
            application.traces.edit_begins(call.session, path)


def _keeps_our_entries(
    application: Application, paths: list[str], change: tuple[str | None, str]
) -> bool:
    """Tell whether harness settings still have all of Handrail's entries after an edit."""
    if paths != [SETTINGS[0]]:
        return False
    from handrail.service.install.settings import is_whole

    old, new = change
    if old is None:
        return is_whole(new)
    before = application.settings_text()
    return before is not None and is_whole(before.replace(old, new, 1))


def _refused(application: Application, mode: str, refusal: errors.Refused) -> Answer | None:
    """Turn a refusal into an answer by the mode; None where the tool goes on."""
    if mode == ENFORCE:
        return Answer(DENY, "", sentence_of(_escalated(application, refusal)))
    application.hook_log.write("edit", refusal.code, f"{mode}: {refusal.message}")
    if mode == SHADOW:
        return None
    return Answer(ALLOW, claude.warned(sentence_of(refusal).strip()))


def _escalated(application: Application, refusal: errors.Refused, path: str = "") -> errors.Refused:
    """Return what a trigger makes of a refusal; as it was where none is configured."""
    if not triggers_fire(application.store):
        return refusal
    from handrail.edge.guard.firing import escalated

    return escalated(application, refusal, path)


def _triggered(application: Application, edited: Sequence[str] | None = None) -> list[str]:
    """Let triggers fire that wait for no refusal, and say what is stuck."""
    if not triggers_fire(application.store):
        return []
    from handrail.edge.guard.firing import due, stuck

    return [*due(application, edited), *stuck(application)]


def _begun(application: Application) -> list[str]:
    """Let triggers fire that a session meets as it begins, and deliver what they offered to it."""
    if not triggers_fire(application.store):
        return []
    from handrail.edge.guard.firing import begun

    return begun(application)


def _join(application: Application, call: Call) -> None:
    """Act as the harness's session, beginning it where this is its first event."""
    with application.store.read() as reader:
        name = session_here(reader, call.session, application.caller.worktree)
        known = reader.session(name)
    if known is None or not known.live:
        process, sessions = application.harness_process(), _sessions(application)
        other = sessions.stands_in(name, process)
        if other is None:
            sessions.started(name, harness=claude.HARNESS, process=process)
        name = other or name
    application.act_as(name)


def _sessions(application: Application) -> HarnessSessions:
    """Return the use cases around sessions, which an edit in the middle of one never needs."""
    from handrail.service.harness_sessions import HarnessSessions

    return HarnessSessions(application.context)


def _notices(application: Application, *, briefed: bool = False) -> list[str]:
    """Take what there is to tell; nothing is told twice. ``briefed``: packets were told of."""
    from handrail.service.notices import Notices

    return [
        line
        for told in Notices(application.context).take()
        if told.packet is None or not briefed
        for line in _notice(application, told)
    ]


# --- after a tool --------------------------------------------------------------------------------


def _after_tool(places: Places, call: Call) -> Answer:
    """Look what a shell line or a foreign tool left, and pass on what there is to tell."""
    lines: list[str] = []
    for application, targets in places.by_workspace(places.targets(call.paths, call.cwd)):
        paths = [path for target in targets for path in target.paths]
        for path in paths:
            _edited(application, call, path)
        if triggers_fire(application.store):
            _join(application, call)
            lines += _triggered(application, paths)
    _shown(places, call)
    for application in places.around(call.cwd):
        _join(application, call)
        if call.tool not in PATH_OF and call.tool not in READS_ONLY:
            lines += _unheld(application, _look_again(application, call))
        lines += _notices(application)
    return Answer(ALLOW, claude.told_before(call.event, "\n".join(lines))) if lines else Answer()


def _shown(places: Places, call: Call) -> None:
    """Enter what the harness says that the agent was shown, if it has that to read."""
    if call.shown:
        from handrail.edge.guard.required import shown

        shown(places, call)


def _instructions(places: Places, call: Call) -> Answer:
    """Enter what was loaded as instructions; it may be the first that is heard of a session."""
    from handrail.edge.guard.required import somebody_reads

    for application in places.around(call.cwd):
        if somebody_reads(application):
            _join(application, call)
    _shown(places, call)
    return Answer()


def _edited(application: Application, call: Call, path: str) -> None:
    """Remember what an edit tool left, so that no shell line is taken for it."""
    rows = application.ground.dirty((path,))
    version = next((_version(row) for row in rows if row.path == path), None)
    application.traces.keep_one(path, version)
    application.traces.edit_ends(call.session, path)


def _look_again(application: Application, call: Call) -> Unheld:
    traces = application.traces
    after = _dirty(application)
    before, known = traces.seen(), traces.open_edits(but=call.session)
    traces.keep(after)
    if before is None:
        return ()
    return Guarding(application.context).wrote(before, after, known)


def _dirty(application: Application) -> dict[str, str]:
    return {row.path: _version(row) for row in application.ground.dirty((".",))}


def _version(row: DirtyRow) -> str:
    return f"{row.blob} {row.staged}"


def _unheld(application: Application, found: Unheld) -> list[str]:
    if not found:
        return []
    lines = ["Handrail: the last tool changed paths that you may not write:"]
    lines += [f"- {path}: {refusal.message}" for path, refusal in found[:NAMED_MAX]]
    if len(found) > NAMED_MAX:
        lines.append(f"- and {len(found) - NAMED_MAX} more")
    lines.append("A commit over them will be refused; `handrail why PATH` says how to go on.")
    return [*lines, *_sent_off(application, found[:NAMED_MAX])]


def _sent_off(application: Application, found: Unheld) -> list[str]:
    """Say what a trigger makes of paths that were written although they may not be."""
    if Guarding(application.context).mode("edit") != ENFORCE:
        return []
    for path, refusal in found:
        if isinstance(refusal, errors.Refused):
            told = _escalated(application, refusal, path)
            if told is not refusal:
                return [f"Handrail: {told.code}: {told.message}", f"- next: `{told.next}`"]
    return []


def _notice(application: Application, told: Told) -> list[str]:
    if told.packet is not None:
        from handrail.edge.guard.briefing import came_back, waits
        from handrail.service.notices import WAITS

        said = waits if told.kind == WAITS else came_back
        return list(said(application, told.packet))
    who = f"{told.agent} (session {told.session})" if told.agent else f"session {told.session}"
    paths = ", ".join(told.paths[:NAMED_MAX])
    if told.kind == "parallel_edit":
        return [f"Handrail: {who} edits {paths} in another working tree too; git will merge."]
    release = "`handrail release` gives it back when you are done."
    return [f"Handrail: {who} waits for {paths}; {release}"]


# --- sessions ------------------------------------------------------------------------------------


def _session_start(places: Places, call: Call) -> Answer:
    """Begin or resume the session, repair what was lost, and say what is held and by whom."""
    lines: list[str] = []
    for application in places.around(call.cwd):
        sessions = _sessions(application)
        name, process = sessions.name_here(call.session), application.harness_process()
        if call.source == COMPACTED:  # it goes on, so whoever took its place keeps it
            name = sessions.stands_in(name, process) or name
        begun = sessions.started(name, harness=claude.HARNESS, process=process)
        application.act_as(name)
        application.traces.edit_ends(call.session)
        application.traces.keep(_dirty(application))
        from handrail.edge.guard.greeting import greeting

        lines += greeting(application, begun)
        lines += _begun(application)
        lines += _briefing(application, call.source, new=not begun.started.resumed)
        lines += _notices(application, briefed=True)
        lines += _required(application, lines)
    return Answer(ALLOW, claude.told_before(call.event, "\n".join(lines))) if lines else Answer()


def _briefing(application: Application, source: str, *, new: bool) -> list[str]:
    """Say what waits and what is acted for; what fails there keeps no session from beginning."""
    from handrail.edge.guard.briefing import briefing

    try:
        return list(briefing(application, source, new=new))
    except errors.HandrailError as error:
        application.hook_log.write("session", error.code, error.message)
        return [f"- What waits for you cannot be told: {error.message}"]


def _required(application: Application, told: list[str]) -> list[str]:
    """Give what is to be read, as far as it fits beside what is told already; name the rest."""
    from handrail.edge.guard.required import required

    try:
        return required(application, told)
    except errors.HandrailError as error:
        application.hook_log.write("session", error.code, error.message)
        return [f"- What you have to read cannot be told: {error.message}"]


def _session_end(places: Places, call: Call) -> Answer:
    """End the session; what is clean is free again, what is not stays its agent's."""
    for application in places.around(call.cwd):
        sessions = _sessions(application)
        application.traces.edit_ends(call.session)
        name = sessions.name_here(call.session)
        name = sessions.stands_in(name, application.harness_process()) or name
        sessions.ended(name, call.reason or "ended")
    return Answer()


def _prompt(places: Places, call: Call) -> Answer:
    """Pass on what there is to tell."""
    lines: list[str] = []
    for application in places.around(call.cwd):
        _join(application, call)
        lines += [*_triggered(application), *_notices(application)]
    return Answer(ALLOW, claude.told_before(call.event, "\n".join(lines))) if lines else Answer()


def _stop(places: Places, call: Call) -> Answer:
    from handrail.edge.guard.turns import end_of_turn

    return end_of_turn(places, call)


def _completed(places: Places, call: Call) -> Answer:
    from handrail.edge.guard.turns import completed

    return completed(places, call)


def _compact(places: Places, call: Call) -> Answer:
    from handrail.edge.guard.turns import before_compact

    return before_compact(places, call)


_HANDLERS: Mapping[str, Callable[[Places, Call], Answer]] = {
    "PreToolUse": _before_tool,
    "PostToolUse": _after_tool,
    "PostToolUseFailure": _after_tool,
    "SessionStart": _session_start,
    "SessionEnd": _session_end,
    "UserPromptSubmit": _prompt,
    "Stop": _stop,
    "SubagentStop": _stop,
    "TaskCompleted": _completed,
    "PreCompact": _compact,
    LOADED: _instructions,
}
