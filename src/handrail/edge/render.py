"""Shapes shared by answers: leases, sessions and tables, as data and as text."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.core.lease import Lease, Session
from handrail.core.ledger import format_token
from handrail.edge.reply import Data
from handrail.service.leases import Granted
from handrail.text import rfc3339, shell_quote, visible
from handrail.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.core.task import Packet

_SPAN_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def granted_data(granted: Granted) -> Data:
    """Return what ``claim --json`` prints."""
    data: Data = {
        "token": granted.token,
        "scope": list(granted.scope),
        "kind": granted.kind,
        "role": granted.role,
        "session": granted.session,
        "expires_at": rfc3339(granted.expires_at),
        "trusted_until": rfc3339(granted.trusted_until),
    }
    if granted.renewed:
        data["renewed"] = True
    if granted.beside:
        data["parallel_edit"] = list(granted.beside)
    return data


def lease_data(lease: Lease, epoch: str) -> Data:
    """Return a lease as data."""
    return {
        "token": format_token(epoch, lease.token),
        "scope": list(lease.scope),
        "kind": lease.kind,
        "role": lease.role,
        "session": lease.session,
        "holder": lease.agent,
        "worktree": lease.worktree,
        "granted_at": rfc3339(lease.granted_at),
        "expires_at": rfc3339(lease.expires_at),
    }


def session_data(session: Session) -> Data:
    """Return a session as data; its secret's hash is nobody's business."""
    return {
        "session": session.id,
        "agent": session.agent,
        "role": session.role,
        "worktree": session.worktree,
        "started_at": rfc3339(session.started_at),
        "ended_at": None if session.ended_at is None else rfc3339(session.ended_at),
    }


def span(ms: int) -> str:
    """Write a span for reading, two units at the most: ``1h 29m``."""
    if ms < 1_000:
        return "<1s"
    parts: list[str] = []
    for unit, size in _SPAN_UNITS:
        count, ms = divmod(ms, size)
        if count or parts:
            parts.append(f"{count}{unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0"))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a plain table; the last column is not padded."""
    cells = [tuple(head), *(tuple(visible(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = []
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        lines.append("  ".join([*padded, row[-1]]).rstrip())
    return "\n".join(lines)


def count(number: int, noun: str) -> str:
    """Write a number with its noun."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"


def stuck_line(packet: Packet) -> str:
    """Say of a packet that a trigger offered that nobody accepts it."""
    return (
        f"packet {packet.number:03d} of task {packet.task} waits for role {packet.to_role} since"
        f" {rfc3339(packet.offered_at)}, and nobody has accepted it:"
        f" handrail handoff show {shell_quote(packet.task)}"
    )
