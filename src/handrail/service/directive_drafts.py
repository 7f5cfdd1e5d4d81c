r"""Handoffs of directives that other tools or people wrote, as drafts of packets.

Promise: a handoff that contradicts itself, names what is no path, or stands beside another one is
refused with its place; what no field of a packet has stays in the draft.

    draft_of(b"=== AUTO HANDOFF ===\nto_role: architect\n")    # {"to_role": "architect"}
    draft_of(b'{"message": "done"}')                           # None: a packet's own draft
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from handrail.errors.handoff import MalformedPacket
from handrail.projections.directive import read_handoff
from handrail.projections.directive_carriers import PHASE, read_carrier
from handrail.projections.directive_handoff import as_draft
from handrail.projections.port import Told

BINDING: Final = frozenset(
    (
        *("no_path", "wrong_type", "same_role", "no_paths", "paths_beside_clean", "field_twice"),
        *("role_unknown", "worktree_mode_unknown", "directive_trigger_unknown", "duplicate_field"),
        *("unreadable_front_matter", "unreadable_handoff", "not_utf8", "too_long"),
    )
)
"""What of a handoff that somebody wrote lets nobody offer it."""


def draft_of(raw: bytes) -> dict[str, Any] | None:
    """Return the draft of a packet that a handoff of another tool gives; None for a packet's own.

    It is a file ``<slug>.handoff.json``, a document with a head, or the lines of a chat. Raises
    MalformedPacket for one that contradicts itself, and for several at once.
    """
    begins = raw[:4_096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if begins.startswith(b"{") and b'"handoff"' not in raw:
        return None
    try:
        carried = read_carrier(raw, "")
    except ValueError as error:
        if begins.startswith(b"{"):
            return None  # whoever reads packets says what is wrong with it
        raise MalformedPacket(field="the file", reason=str(error)) from error
    told = list(carried.told)
    if len(carried.found) != 1:
        why = f"it carries {len(carried.found)} handoffs"
        _check(told, why)
        raise MalformedPacket(field="the file", reason=why)
    (one,) = carried.found
    if one.carrier == PHASE:
        raise MalformedPacket(field="handoff", reason="it leads from phase to phase, to no role")
    handoff, odd = read_handoff(one.value, "handoff")
    absolute = handoff.task_file is not None and handoff.task_file.startswith("/")
    _check([*told, *(row for row in odd if not (absolute and "task_file" in row.place))], "")
    made = as_draft(handoff)
    if handoff.from_role is not None:
        made["from_role"] = handoff.from_role
    if handoff.more:
        made["directive"] = {**made.get("directive", {}), "more": dict(handoff.more)}
    return made


def _check(told: Sequence[Told], why: str) -> None:
    """Raise MalformedPacket for the first thing told that lets nobody offer a handoff."""
    for one in told:
        if one.code in BINDING:
            reason = f"{one.sentence} {why}".strip()
            raise MalformedPacket(field=one.place, reason=reason)
