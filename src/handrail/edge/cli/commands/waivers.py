"""``waiver add``, ``list``, ``revoke``: recorded exceptions from gates."""

from __future__ import annotations

from datetime import UTC, datetime

from handrail import errors
from handrail.core.task import Waiver
from handrail.edge.cli.invocation import Invocation
from handrail.edge.render import count, table
from handrail.edge.reply import Data, Reply
from handrail.service.waivers import USES_MAX, Waivers, WaiverShown, Waiving
from handrail.text import parse_duration_ms, rfc3339, visible


def add(invocation: Invocation) -> Reply:
    """Let a gate not count."""
    lasts_ms, ends_at = _until(invocation)
    asked = Waiving(
        gate=invocation.text("gate") or "",
        reason=invocation.text("reason") or "",
        task=invocation.text("task"),
        lasts_ms=lasts_ms,
        ends_at=ends_at,
        uses=_uses(invocation),
    )
    shown = _waivers(invocation).add(asked)
    waiver = shown.waiver
    notes = []
    if waiver.ends_at is None and waiver.uses is None:
        step = f"handrail waiver revoke {waiver.seq} --reason …"
        notes.append(f"note: it counts until somebody takes it back: {step}")
    text = f"waiver {waiver.seq}: gate {waiver.gate} does not count {_bounds(waiver)}"
    return Reply(_data(shown), text, tuple(notes))


def listed(invocation: Invocation) -> Reply:
    """List the waivers."""
    found = _waivers(invocation).listed(everything=invocation.flag("everything"))
    rows = [
        (
            str(one.waiver.seq),
            one.waiver.gate,
            one.waiver.for_task or "any",
            _state(one),
            _bounds(one.waiver),
            one.waiver.by,
            visible(one.waiver.reason),
        )
        for one in found
    ]
    text = table(("WAIVER", "GATE", "TASK", "STATE", "HOW LONG", "BY", "REASON"), rows)
    return Reply({"waivers": [_data(one) for one in found]}, text if rows else "nothing is waived")


def revoke(invocation: Invocation) -> Reply:
    """Take a waiver back."""
    text = invocation.text("number") or ""
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        reason = f"{visible(text)!r} is no number of a waiver."
        raise errors.Usage(reason=reason, next="handrail waiver list")
    shown = _waivers(invocation).revoke(int(text), invocation.text("reason") or "")
    was = "took back" if shown.changed else "was taken back already:"
    return Reply(_data(shown), f"{was} waiver {shown.waiver.seq} of gate {shown.waiver.gate}")


def _waivers(invocation: Invocation) -> Waivers:
    return Waivers(invocation.application.context)


def _uses(invocation: Invocation) -> int | None:
    if invocation.text("uses") is None:
        return None
    return invocation.number("uses", 1, low=1, high=USES_MAX)


def _until(invocation: Invocation) -> tuple[int | None, int | None]:
    """Read a duration or an instant; raises Usage."""
    text = invocation.text("until")
    if text is None:
        return None, None
    lasts_ms = parse_duration_ms(text)
    if lasts_ms is not None:
        return lasts_ms, None
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None or "T" not in text:
            raise ValueError(text)
        return None, round(when.astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        reason = f"{visible(text)!r} is no time: write 2h, or 2026-01-31T18:00:00Z."
        raise errors.Usage(reason=reason, next="handrail waiver add --help") from error


def _bounds(waiver: Waiver) -> str:
    told = [] if waiver.for_task is None else [f"for task {waiver.for_task}"]
    if waiver.ends_at is not None:
        told.append(f"until {rfc3339(waiver.ends_at)}")
    if waiver.uses is not None:
        told.append(f"for {count(waiver.uses, 'verdict')} ({waiver.used} used)")
    return ", ".join(told) or "until it is taken back"


def _state(shown: WaiverShown) -> str:
    if shown.waiver.revoked:
        return "revoked"
    return "counts" if shown.counts else "over"


def _data(shown: WaiverShown) -> Data:
    waiver = shown.waiver
    return {
        "waiver": waiver.seq,
        "gate": waiver.gate,
        "task": waiver.for_task,
        "reason": waiver.reason,
        "by": waiver.by,
        "added_at": rfc3339(waiver.added_at),
        "ends_at": None if waiver.ends_at is None else rfc3339(waiver.ends_at),
        "uses": waiver.uses,
        "used": waiver.used,
        "state": _state(shown),
    }
