"""What is wrong in a file of the lanes' that somebody wrote, by the documents' ids.

Promise: every value of every type is looked at; nothing raises. A file that is as Handrail wrote it
need not be asked about.

    >>> state_faults(b"[]", 0)
    ['invalid_coord_state:not-an-object']
"""

from __future__ import annotations

import json
from typing import Any, Final

from handrail.projections.coordination_check import FORBIDDEN_SESSION
from handrail.projections.instants import instant_ms


def state_faults(content: bytes, now: int) -> list[str]:
    """Name what is wrong in a ``coordination.json`` that is not as Handrail wrote it."""
    try:
        file = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        file = None
    if not isinstance(file, dict):
        return ["invalid_coord_state:not-an-object"]
    found = [
        f"invalid_coord_state:missing-or-invalid-{name}"
        for name in ("leases", "handoffs", "conflicts")
        if not isinstance(file.get(name), list)
    ]
    leases = file.get("leases")
    active: list[str] = []
    for row in leases if isinstance(leases, list) else ():
        found += _lease_faults(row, now, active)
    twice = [role for role in dict.fromkeys(active) if active.count(role) > 1]
    return [*found, *(f"multi_active_lease_conflict:{role}" for role in twice)]


_LEASE_FIELDS: Final = ("role", "agent_id", "scope", "session_id", "expires_at")


def _lease_faults(row: Any, now: int, active: list[str]) -> list[str]:
    fields = row if isinstance(row, dict) else {}
    values = [fields.get(name) for name in _LEASE_FIELDS]
    if not all(isinstance(value, str) and value for value in values):
        return ["invalid_lease_record:missing-required-fields"]
    role, agent = fields["role"], fields["agent_id"]
    ends = instant_ms(fields["expires_at"])
    found = []
    if ends is None:
        found.append(f"invalid_lease_record:bad-expires-at:{role}:{agent}")
    elif ends > now:
        active.append(role)
    if fields["session_id"] == FORBIDDEN_SESSION:
        found.append(f"invalid_lease_session:{role}:{agent}:{FORBIDDEN_SESSION}")
    return found


def contract_fault(content: bytes) -> str:
    """Say why a ``contracts.json`` cannot be read; '' where it can."""
    try:
        file = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return "" if isinstance(file, dict) else "it is no object"
