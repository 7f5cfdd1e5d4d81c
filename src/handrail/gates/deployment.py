"""The gate ``deployment``: a service that is said to be live answers that it is healthy.

What says so is the state file of the preset ``mosaic``: ``deployment_status`` and
``render_service_url`` under ``implementation_progress``. A status that is not ``live`` claims
nothing. The gate runs only where ``[gates]`` names it, because it asks the network.

    >>> claim_of(b'{"implementation_progress": {"deployment_status": "live"}}').problem
    'it calls the deployment live and names no address'
    >>> claim_of(b"{}") is None
    True
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from handrail.core.record import Record
from handrail.gates.facts import Facts
from handrail.gates.gate import CannotTell, Objection
from handrail.gates.states import problem_of
from handrail.typed import Any, Final

LIVE: Final = "live"
HEALTH: Final = "/health"
HEALTHY: Final = 200
STATE_FILE: Final = ".mosaic/agent_state.json"


class Claim(Record):
    """What a state file says of a deployment: where it answers, or why that cannot be told."""

    address: str = ""
    problem: str = ""


def claim_of(content: bytes | None) -> Claim | None:
    """Return the claim of a state file that a deployment is live; None if it claims none."""
    if content is None:
        return None
    problem = problem_of("state.json", content)
    if problem is not None:
        return Claim(problem=problem)
    state: Any = json.loads(content)
    progress = state.get("implementation_progress") if isinstance(state, dict) else None
    if not isinstance(progress, dict) or progress.get("deployment_status") != LIVE:
        return None
    address = progress.get("render_service_url")
    if not isinstance(address, str) or not address.strip():
        return Claim(problem="it calls the deployment live and names no address")
    return Claim(address=address.strip().rstrip("/") + HEALTH)


def deployment(facts: Facts) -> Sequence[Objection] | None:
    """Object to a deployment that is called live and does not answer that it is healthy."""
    known = facts.deployment
    if known is None:
        raise CannotTell("nobody looked at the deployment")
    if not known.claimed:
        return None
    if known.problem:
        raise CannotTell(known.problem)
    if known.status == HEALTHY:
        return ()
    sentence = f"service returns {known.status}, not healthy"
    return (Objection("unhealthy", sentence, known.path),)
