"""The built-in gates of this release: the only list.

>>> [gate.id for gate in GATES if "push" in gate.stages]
['attested', 'sandbox', 'packet-current']
"""

from __future__ import annotations

from typing import Final

from handrail.gates.gate import Gate
from handrail.gates.references import references
from handrail.gates.rules import (
    attested,
    lease_live,
    packet_judged,
    packet_staged,
    policy_change,
    sandbox_judged,
    sandbox_staged,
)
from handrail.gates.tree import committed, pushed

GATES: Final[tuple[Gate, ...]] = (
    Gate(
        "lease-live",
        ("commit",),
        ("covered",),
        lease_live,
        "Every staged path is covered by a live lease of the session, or free for it to take.",
        switchable=False,
    ),
    Gate(
        "sandbox",
        ("commit",),
        ("covered",),
        sandbox_staged,
        "No staged path lies outside what a read-only phase or role lets the session write.",
        switchable=False,
    ),
    Gate(
        "packet-current",
        ("commit",),
        ("covered",),
        packet_staged,
        "Where a packet is required, the session acts by one; no staged path is beyond its scope.",
        switchable=False,
    ),
    Gate(
        "policy-change",
        ("commit",),
        ("policy",),
        policy_change,
        "What a gate protects is changed by a coordinator or a person.",
    ),
    Gate(
        "attested",
        ("push", "land"),
        ("judged",),
        attested,
        "Every commit that HEAD has and the protected ref has not may land, by rule V.",
        switchable=False,
    ),
    Gate(
        "sandbox",
        ("push", "land"),
        ("judged",),
        sandbox_judged,
        "No commit was attested against a read-only phase, by rule V.",
        switchable=False,
    ),
    Gate(
        "packet-current",
        ("push", "land"),
        ("judged",),
        packet_judged,
        "No commit was attested without the packet that it took, by rule V.",
        switchable=False,
    ),
    Gate(
        "committed",
        ("pre-handoff",),
        ("standing",),
        committed,
        "Nothing differs from HEAD, untracked files included, and no rebase or merge is open.",
    ),
    Gate(
        "pushed",
        ("pre-handoff",),
        ("pushed",),
        pushed,
        "A remote-tracking ref contains HEAD; without a remote there is nothing to judge.",
    ),
    Gate(
        "references",
        ("pre-handoff",),
        ("tree",),
        references,
        "Every path named in `[references] docs`, required reading and symbolic links is in the "
        "commit.",
    ),
)
"""In the order in which they are judged and shown.

A gate that looks at other facts at another stage stands here once for each.
"""
