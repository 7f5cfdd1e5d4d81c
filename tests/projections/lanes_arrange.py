"""What the tests of the lanes files know: three roles, a session or two, leases, packets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from handrail.core.lease import EXCLUSIVE, Lease, Session
from handrail.core.role import WORKSPACE_WRITE, Role
from handrail.core.scope import stored_pattern
from handrail.core.task import OPEN, Packet
from handrail.projections.port import Known, Row

NOW: Final = 1_772_355_600_000
"""2026-03-01T09:00:00Z."""
HOUR: Final = 3_600_000
NOTE: Final = "site/website_agent_working_note.md"


def role(name: str, *lane: str, note: str | None = None) -> Role:
    return Role(name, name, lane, note, (), WORKSPACE_WRITE, (), name == "integrator")


ROLES: Final = (
    role("topic00", "content/topics/topic00_*/**"),
    role("website", "site/**", note=NOTE),
    role("ops-tooling", "scripts/**", "tools/**"),
    role("integrator", "ops/**"),
)


def session(id: str, agent: str = "bot-1", ended_at: int | None = None) -> Session:
    return Session(id, agent, "website", "w", NOW - HOUR, ended_at, "")


def lease(token: int, *scope: str, session: str = "s-1", **fields: Any) -> Lease:
    plain = {
        "agent": "bot-1",
        "role": "website",
        "granted_at": NOW - HOUR,
        "expires_at": NOW + HOUR,
        **fields,
    }
    return Lease(
        token=token,
        session=session,
        kind=EXCLUSIVE,
        worktree="w",
        patterns=tuple(map(stored_pattern, scope)),
        ttl_ms=2 * HOUR,
        lasting=False,
        **plain,
    )


def packet(number: int, *scope: str, message: str = "", **fields: Any) -> tuple[Packet, Any]:
    plain: dict[str, Any] = {
        "state": OPEN,
        "session": "s-1",
        "from_role": "website",
        "to_role": "integrator",
        "offered_at": NOW,
        **fields,
    }
    content = plain.pop("content", {"message": message})
    made = Packet(
        task="t",
        number=number,
        kind="complete",
        agent="bot-1",
        patterns=scope,
        returns=(),
        token=0,
        lapses_at=NOW + HOUR,
        seq=number,
        hash="",
        by=None,
        settled_at=None,
        note=None,
        **plain,
    )
    return made, content


def known(**fields: Any) -> Known:
    return Known(**{"now": NOW, "roles": ROLES, **fields})


def kept(rows: Iterable[Row], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """Keep rows as the service does: the newest of a name counts, one without a record is gone."""
    found = dict(before or {})
    for row in rows:
        found[row.key] = row.record
    return {key: record for key, record in sorted(found.items()) if record}
