"""What triggers make of what a hook sees; whoever calls has asked whether there are any.

Promises: whatever fails here leaves the answer of the hook as it was, and ``hook.log`` has the
line; what a trigger leads to is said with the one next command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from handrail import errors
from handrail.edge.render import stuck_line
from handrail.service.delivery import to_deliver
from handrail.service.identity import require_session
from handrail.service.policy import rules_in_force
from handrail.service.stops import stop_of
from handrail.service.stuck import Stuck
from handrail.typed import TypeVar
from handrail.wiring import Application

Answer = TypeVar("Answer")


def escalated(application: Application, refusal: errors.Refused, path: str = "") -> errors.Refused:
    """Return what an edit is refused with: what a trigger makes of it, or as it was."""
    from handrail.wiring.firing import firing_of

    where = path or str(refusal.values.get("witness") or refusal.values.get("scope") or "")
    found = _tried(
        application,
        lambda: firing_of(application).edit_refused(refusal.code, refusal.message, where),
    )
    return found or refusal


def refused_at_commit(
    application: Application, reasons: Sequence[tuple[str, str, str]]
) -> list[str]:
    """Return what there is to say of a commit that was refused; ``reasons``: path, code, sentence.

    It counts once, by the first of its paths that a trigger is about.
    """
    from handrail.wiring.firing import firing_of

    firing = firing_of(application)
    for path, code, said in {code: (path, code, said) for path, code, said in reasons}.values():
        found = _tried(application, partial(firing.edit_refused, code, said, path))
        if found is not None:
            return _lines(found)
    return []


def passed_on(application: Application, failed: Sequence[tuple[str, str]]) -> list[str]:
    """Return what there is to say of gates that failed, each with what it minds."""
    from handrail.wiring.firing import firing_of

    return _lines(_tried(application, lambda: firing_of(application).gates_failed(failed)))


def finished(application: Application) -> list[str]:
    """Return what there is to say where the phase of a session's task is done."""
    from handrail.wiring.firing import firing_of

    return _lines(_tried(application, lambda: firing_of(application).phase_done()))


def due(application: Application, edited: Sequence[str] | None = None) -> list[str]:
    """Return what there is to say of what fires by the state of tasks and documents.

    ``edited``: only these documents have changed, and no task.
    """
    from handrail.wiring.firing import firing_of, watching_of

    lines: list[str] = []
    if edited is None:
        lines += _lines(_tried(application, lambda: firing_of(application).due()))
    seen = _tried(application, lambda: watching_of(application).all(edited))
    if seen is not None:
        lines += [f"Handrail: {line}" for line in seen.told]
        lines += _lines(seen.fired)
    return lines


def begun(application: Application) -> list[str]:
    """Return what there is to say to a session that begins, of triggers."""
    was = _stopped(application)
    if was:
        return [*was, *stuck(application)]
    lines, taken = due(application), _delivered(application)
    return [*lines, *taken, *(due(application) if taken else ()), *stuck(application)]


def _stopped(application: Application) -> list[str]:
    """Return what a session is told that a trigger stopped before."""
    with application.store.read() as reader:
        rules = rules_in_force(reader)
        session = require_session(reader, application.context)
        refusal = stop_of(reader, rules.policy, session)
    if refusal is None:
        return []
    wait = "You may write nothing until it is back, or you accept another packet."
    return [f"Handrail: {refusal.code}: {refusal.message} {wait}", f"- next: `{refusal.next}`"]


def _delivered(application: Application) -> list[str]:
    """Accept what a trigger offered to the role of the session that begins; returns what to say."""
    packet = _tried(application, lambda: to_deliver(application.context))
    if packet is None:
        return []
    from handrail.wiring.firing import judged_of

    named = f"packet {packet.number:03d} of task {packet.task}"
    try:
        judged_of(application).accept(packet.task)
    except errors.HandrailError as error:
        application.hook_log.write("trigger", error.code, error.message)
        return [
            f"Handrail: {named} is for you and cannot be taken yet: {error.code}: {error.message}",
            f"- next: `{error.next}`",
        ]
    return [f"Handrail: {named}, which a trigger offered to your role, is accepted for you."]


def stuck(application: Application) -> Iterator[str]:
    """Yield what is to be said, once, of packets that nobody accepts."""
    for packet in _tried(application, lambda: Stuck(application.context).take()) or ():
        yield f"Handrail: {stuck_line(packet)}"


def _lines(fired: errors.Refused | None) -> list[str]:
    if fired is None:
        return []
    return [f"Handrail: {fired.code}: {fired.message}", f"- next: `{fired.next}`"]


def _tried(application: Application, ask: Callable[[], Answer]) -> Answer | None:
    """Ask, and where that fails, write down why."""
    try:
        return ask()
    except errors.HandrailError as error:
        application.hook_log.write("trigger", error.code, error.message)
        return None
