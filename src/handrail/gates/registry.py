"""The built-in gates of this release: the only list.

>>> [gate.id for gate in GATES if "push" in gate.stages]
['attested', 'sandbox', 'packet-current']
"""

from __future__ import annotations

from handrail.gates.deployment import deployment
from handrail.gates.directive import directive
from handrail.gates.gate import OFF, Gate
from handrail.gates.packet import (
    blockers,
    evidence,
    lane_note,
    message,
    next_phase,
    state_readable,
)
from handrail.gates.received import (
    artifacts,
    commit_present,
    packet_intact,
    reading,
    tree_as_declared,
)
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
from handrail.gates.state import message_received, state_fresh, state_received
from handrail.gates.tracking import activity_row, coordinator_row, publisher
from handrail.gates.tree import committed, pushed
from handrail.typed import Final

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
        "state-readable",
        ("pre-handoff",),
        ("handed", "states"),
        state_readable,
        "The task's packet files are as exported; JSON and TOML files among the artifacts parse; "
        "files that show the state are there, can be read and say what a receiver needs.",
    ),
    Gate(
        "committed",
        ("pre-handoff",),
        ("standing", "handed"),
        committed,
        "Nothing differs from HEAD but what the packet declares, untracked files included, and no "
        "rebase or merge is open.",
        complete_only=True,
    ),
    Gate(
        "pushed",
        ("pre-handoff",),
        ("pushed",),
        pushed,
        "A remote-tracking ref contains HEAD; without a remote there is nothing to judge.",
        complete_only=True,
    ),
    Gate(
        "deployment",
        ("pre-handoff",),
        ("deployment",),
        deployment,
        "A deployment that the state file calls live answers a request for its health.",
        complete_only=True,
        unasked=OFF,
    ),
    Gate(
        "references",
        ("pre-handoff",),
        ("tree", "standing", "handed"),
        references,
        "Every path named in the packet, `[references] docs`, required reading and symbolic links "
        "is in the commit.",
    ),
    Gate(
        "message",
        ("pre-handoff",),
        ("handed", "states"),
        message,
        "The packet's message has at least 50 characters; without a packet, that of the state.",
    ),
    Gate(
        "next-phase",
        ("pre-handoff",),
        ("handed",),
        next_phase,
        "Where there are phases, the packet names the one that comes next.",
    ),
    Gate(
        "blockers",
        ("pre-handoff",),
        ("handed", "resolved"),
        blockers,
        "A blocker that the packet's claims call resolved names a receipt of a command that "
        "succeeded; one in a blockers file says what resolved it, and names a receipt or a commit "
        "that HEAD has.",
        complete_only=True,
    ),
    Gate(
        "state-fresh",
        ("pre-handoff",),
        ("states",),
        state_fresh,
        "Files that show the state are what `handrail export` writes, and one of them was updated "
        "with the work.",
    ),
    Gate(
        "lane-note",
        ("pre-handoff",),
        ("notes",),
        lane_note,
        "Where the task's commits change a lane whose role has a `note`, they change the note.",
    ),
    Gate(
        "activity-row",
        ("pre-handoff",),
        ("tracked",),
        activity_row,
        "Where there is a tracker, the task's commits add or change a row of its section 2 for "
        "each lane that they change.",
    ),
    Gate(
        "coordinator-row",
        ("pre-handoff",),
        ("tracked",),
        coordinator_row,
        "Where the task's commits change several lanes, they add or change a row of the tracker's "
        "section 3.",
    ),
    Gate(
        "evidence",
        ("pre-handoff",),
        ("handed", "standing"),
        evidence,
        "Each entry of the packet's evidence is a receipt of this ledger; where work is complete, "
        "of a command that succeeded on this tree.",
    ),
    Gate(
        "directive",
        ("pre-handoff",),
        ("handed", "directive"),
        directive,
        "Where the packet belongs to a directive, its id, branch and task file are that one's.",
    ),
    Gate(
        "packet-intact",
        ("post-handoff",),
        ("handed",),
        packet_intact,
        "The packet's bytes are those that were offered, and so are those of its file.",
    ),
    Gate(
        "commit-present",
        ("post-handoff",),
        ("handed",),
        commit_present,
        "The packet's commit is here.",
    ),
    Gate(
        "artifacts",
        ("post-handoff",),
        ("handed",),
        artifacts,
        "Each artifact is there, with the SHA-256 that the packet gives.",
    ),
    Gate(
        "tree-as-declared",
        ("post-handoff",),
        ("handed", "standing"),
        tree_as_declared,
        "HEAD has the packet's commit, and nothing is unfinished but what the packet declares or "
        "you hold.",
    ),
    Gate(
        "reading",
        ("post-handoff",),
        ("handed",),
        reading,
        "Required reading is in the packet's commit, and who accepted it has read it.",
    ),
    Gate(
        "directive",
        ("post-handoff",),
        ("handed", "directive"),
        directive,
        "Where the packet belongs to a directive, its id, branch and task file are still that "
        "one's, and the branch is checked out.",
    ),
    Gate(
        "state-readable",
        ("post-handoff",),
        ("states",),
        state_received,
        "Files that show the state are there, can be read and say what a receiver needs.",
    ),
    Gate(
        "message",
        ("post-handoff",),
        ("states",),
        message_received,
        "The message of a state file has at least 50 characters.",
    ),
    Gate(
        "publisher",
        ("publish",),
        ("publisher",),
        publisher,
        "Where a role coordinates, whoever runs stage publish acts as one that does, or is a "
        "person at a terminal.",
    ),
)
"""In the order in which they are judged and shown.

A gate that looks at other facts at another stage stands here once for each.
"""
