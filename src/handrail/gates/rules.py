"""Gates about who may: leases, sandboxes and packets, attestations, and policies.

They only pass on what the rules of the core say; hooks and the landing ask the same rules.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from handrail.gates.facts import Facts
from handrail.gates.gate import CannotTell, Objection
from handrail.typed import Final

SANDBOX: Final = frozenset({"sandbox_read_only"})
PACKETS: Final = frozenset(
    (
        *("no_handoff", "not_your_handoff", "handed_off", "scope_needs_handoff"),
        *("halted", "revise_limit", "no_packet"),
    )
)
"""What the gates ``sandbox`` and ``packet-current`` mind; all else is for the others."""


def lease_live(facts: Facts) -> Sequence[Objection] | None:
    """Object to each staged path that the session does not hold and cannot take."""
    return [one for one in _staged(facts) if one.code not in SANDBOX | PACKETS]


def sandbox_staged(facts: Facts) -> Sequence[Objection] | None:
    """Object to each staged path that a read-only sandbox does not let the session write."""
    return [one for one in _staged(facts) if one.code in SANDBOX]


def packet_staged(facts: Facts) -> Sequence[Objection] | None:
    """Object to each staged path that takes a packet which the session has not got."""
    return [one for one in _staged(facts) if one.code in PACKETS]


def _staged(facts: Facts) -> Sequence[Objection]:
    covered = facts.covered
    if covered is None:
        raise CannotTell("nobody looked at the leases")
    found = [Objection(code, text, path) for path, code, text in covered.reasons]
    return [found[0]._replace(next=covered.next), *found[1:]] if found else []


def sandbox_judged(facts: Facts) -> Sequence[Objection] | None:
    """Object to each commit that was attested against a read-only sandbox."""
    return _refused(facts, SANDBOX)


def packet_judged(facts: Facts) -> Sequence[Objection] | None:
    """Object to each commit that was attested by a session without the packet that it takes."""
    return _refused(facts, PACKETS)


def _refused(facts: Facts, codes: Container[str]) -> Sequence[Objection] | None:
    known = facts.judged
    if known is None:
        raise CannotTell("nobody judged the commits")
    found = [row for row in known.refused if row[1] in codes]
    return [_objection(*row) for row in found] if known.commits else None


def _objection(commit: str, code: str, text: str) -> Objection:
    return Objection(code, f"{commit[:12]}: {text}", None, f"handrail verify {commit}")


def attested(facts: Facts) -> Sequence[Objection] | None:
    """Object to each commit that may not land."""
    known = facts.judged
    if known is None:
        raise CannotTell("nobody judged the commits")
    refused = [row for row in known.refused if row[1] not in SANDBOX | PACKETS]
    if refused:
        return [_objection(*row) for row in refused]
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
