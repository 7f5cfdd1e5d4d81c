"""The fact that the gate ``deployment`` judges: what a state file claims, and what answers there.

Promise: nobody is asked where nothing is claimed, and of what cannot be read nobody can tell.

    look_at_deployment(grounds, settings).status     # 200
"""

from __future__ import annotations

from handrail.config import Settings
from handrail.gates.deployment import STATE_FILE, claim_of
from handrail.gates.facts import Deployment
from handrail.service.packet_facts import Grounds
from handrail.typed import Final

STATE_FORMAT: Final = "mosaic-state"


def state_file(settings: Settings) -> str:
    """Return where the state file lies that tells of the deployment."""
    shown = (one.path for one in settings.projections if one.format == STATE_FORMAT)
    return next(shown, STATE_FILE)


def look_at_deployment(grounds: Grounds, settings: Settings) -> Deployment:
    """Return what is claimed and how the service answers; raises FactsUnavailable."""
    path = state_file(settings)
    claim = claim_of(grounds.here(path))
    if claim is None:
        return Deployment(path, claimed=False)
    if claim.problem:
        return Deployment(path, claimed=True, problem=f"{path}: {claim.problem}")
    return Deployment(path, claimed=True, status=grounds.health(claim.address))
