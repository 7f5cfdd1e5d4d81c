"""Gates about who may: ``lease-live``, ``attested`` and ``policy-change``.

They only pass on what the rules of the core say; hooks and the landing ask the same rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.gates.facts import Facts
from handrail.gates.gate import CannotTell, Objection


def lease_live(facts: Facts) -> Sequence[Objection] | None:
    """Object to each staged path that the session may not commit."""
    covered = facts.covered
    if covered is None:
        raise CannotTell("nobody looked at the leases")
    found = [Objection(code, text, path) for path, code, text in covered.reasons]
    return [found[0]._replace(next=covered.next), *found[1:]] if found else []


def attested(facts: Facts) -> Sequence[Objection] | None:
    """Object to each commit that may not land."""
    known = facts.judged
    if known is None:
        raise CannotTell("nobody judged the commits")
    if known.refused:
        return [
            Objection(code, f"{commit[:12]}: {text}", None, f"handrail verify {commit}")
            for commit, code, text in known.refused
        ]
    if known.unsure:
        commit, code, text = known.unsure[0]
        raise CannotTell(f"{code} at {commit[:12]}: {text}")
    return () if known.commits else None


def policy_change(facts: Facts) -> Sequence[Objection] | None:
    """Object to a change of what judges by somebody who is judged."""
    known = facts.policy
    if known is None:
        raise CannotTell("nobody looked at what is staged")
    if not known.paths:
        return None
    if known.may_change:
        return ()
    sentence = "{}: a coordinator or a person changes it"
    return [Objection("policy_change", sentence.format(why), path) for path, why in known.paths]
