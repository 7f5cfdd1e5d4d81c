"""The rules: may this be, given what stands near it? Events if yes, a refusal if no.

Promises: every rule is a function of (view, command, now) and nothing else; a grant never stands
beside a live lease that conflicts with it (P1); nothing here revives an expired lease; a claim
that is refused changes nothing.

    events = decide(View(tx.epoch, tx.near(patterns)), Claim(...), tx.now)
"""

from __future__ import annotations

from collections.abc import Callable

from handrail.core.decide.attest import PARENTS_MAX, decide_attest, decide_commit, writable
from handrail.core.decide.claim import check_role, decide_claim
from handrail.core.decide.edit import PARALLEL, decide_edit, decide_keep, guarded, notices
from handrail.core.decide.holding import Past, dead_token, decide_release, decide_renew
from handrail.core.decide.session import decide_adopt, decide_end, decide_role, decide_start
from handrail.core.decide.view import (
    Adopt,
    Attest,
    ChangeRole,
    Changes,
    Claim,
    Command,
    Commit,
    CommitFacts,
    Dirty,
    Edit,
    EndSession,
    Keep,
    Landed,
    Looked,
    NeedsFacts,
    NotCovered,
    Overtaken,
    Policy,
    Release,
    Renew,
    StartSession,
    Uncovered,
    View,
    Wait,
)
from handrail.core.decide.wait import WAIT_KEPT_MS, decide_wait
from handrail.typed import Any, Final

__all__ = [
    "PARALLEL",
    "PARENTS_MAX",
    "WAIT_KEPT_MS",
    "Adopt",
    "Attest",
    "ChangeRole",
    "Changes",
    "Claim",
    "Command",
    "Commit",
    "CommitFacts",
    "Dirty",
    "Edit",
    "EndSession",
    "Keep",
    "Landed",
    "Looked",
    "NeedsFacts",
    "NotCovered",
    "Overtaken",
    "Past",
    "Policy",
    "Release",
    "Renew",
    "StartSession",
    "Uncovered",
    "View",
    "Wait",
    "check_role",
    "dead_token",
    "decide",
    "guarded",
    "notices",
    "writable",
]

_RULES: Final[dict[type[Any], Callable[[View, Any, int], Changes]]] = {
    Claim: decide_claim,
    Wait: decide_wait,
    Edit: decide_edit,
    Keep: decide_keep,
    Renew: decide_renew,
    Release: decide_release,
    StartSession: decide_start,
    EndSession: decide_end,
    ChangeRole: decide_role,
    Adopt: decide_adopt,
    Attest: decide_attest,
    Commit: decide_commit,
}


def decide(view: View, command: Command, now: int) -> Changes:
    """Apply the rule for ``command``; returns what happens, raises what forbids it.

    ``now`` is store time in milliseconds. Raises the refusals of ``handrail.errors``,
    NotCovered for an attestation, and NeedsFacts where somebody must look at the working tree.
    """
    return _RULES[type(command)](view, command, now)
