"""``off``: let local hooks refuse nothing for a while."""

from __future__ import annotations

from handrail.edge.cli.invocation import Invocation
from handrail.edge.render import span
from handrail.edge.reply import Data, Reply
from handrail.service.enforcement import PAUSE_DEFAULT_MS, pause
from handrail.text import rfc3339


def off(invocation: Invocation) -> Reply:
    """Switch enforcement off, or with ``0`` on again."""
    ms = PAUSE_DEFAULT_MS
    if invocation.text("duration") is not None:
        ms = 0 if invocation.text("duration") == "0" else invocation.duration_ms("duration") or 0
    done = pause(invocation.application.context, ms)
    data: Data = {
        "paused_until": None if done.until is None else rfc3339(done.until),
        "changed": done.changed,
    }
    if done.until is None:
        text = "enforcement is on again" if done.changed else "enforcement is on"
        return Reply(data, text)
    left = span(done.until - done.now)
    text = f"enforcement is off until {rfc3339(done.until)} ({left}); next: handrail off 0"
    note = "note: what is committed meanwhile is judged at the landing all the same"
    return Reply(data, text, (note,))
