"""The words that `handrail.toml` may use: stages, modes, built-in gates, events, refusal codes.

Promise: each list stands here and nowhere else in the configuration; the schema, the checks and
the documentation are drawn from it.

    >>> "pre-handoff" in STAGES
    True
"""

from __future__ import annotations

from handrail.core.role import ANY_ROLE
from handrail.core.task import DONE, HALT
from handrail.typed import Final

STAGES: Final = ("edit", "commit", "push", "pre-handoff", "post-handoff", "land", "publish")
MODES: Final = ("shadow", "warn", "enforce")
LEVELS: Final = ("block", "advise", "off")
PLUGIN: Final = "plugin:"
"""Before the name of a plugin stands this, where gates are named by their ids."""

PRE_HANDOFF_GATES: Final = (
    "state-readable",
    "committed",
    "pushed",
    "deployment",
    "references",
    "message",
    "next-phase",
    "blockers",
    "state-fresh",
    "lane-note",
    "activity-row",
    "coordinator-row",
    "evidence",
    "directive",
)
POST_HANDOFF_GATES: Final = (
    "packet-intact",
    "commit-present",
    "artifacts",
    "tree-as-declared",
    "evidence",
    "reading",
    "directive",
    "state-readable",
    "message",
)
PUBLISH_GATES: Final = ("publisher",)
COMMIT_GATES: Final = ("attested", "lease-live", "packet-current", "sandbox", "policy-change")
_GATES_BY_STAGE: Final = {
    "pre-handoff": PRE_HANDOFF_GATES,
    "post-handoff": POST_HANDOFF_GATES,
    "commit": COMMIT_GATES,
    "push": COMMIT_GATES,
    "land": COMMIT_GATES,
    "publish": PUBLISH_GATES,
}
BUILTIN_GATES: Final = {
    gate: tuple(stage for stage, gates in _GATES_BY_STAGE.items() if gate in gates)
    for gate in dict.fromkeys(PRE_HANDOFF_GATES + POST_HANDOFF_GATES + COMMIT_GATES + PUBLISH_GATES)
}
"""Built-in gates by id, each with the stages at which it runs."""
UNASKED_OFF: Final = ("deployment",)
"""Those of them that run only where ``[gates]`` names them: they ask the network."""

PROJECTIONS: Final = (
    "lanes-coordination",
    "lanes-tracker",
    "lanes-note",
    "mosaic-state",
    "mosaic-blockers",
    "mosaic-task",
    "mosaic-log",
    "mosaic-handoff",
    "directive-handoff",
    "directive-rules",
    "cooperation-tasks",
)
"""The formats of files that show the state as some other system writes it."""
SPREAD: Final = {"directive-handoff": "*/*.handoff.json"}
"""Those whose path is a folder, each with the glob of the files in it that Handrail may write."""
FOLDERS: Final = ("cooperation-handoffs",)
"""The formats of folders that hold a file for each packet."""

EDIT_REFUSALS: Final = (
    "outside_lane",
    "sandbox_read_only",
    "scope_needs_handoff",
    "no_handoff",
    "not_your_handoff",
    "handed_off",
    "stale_token",
    "stale_bytes",
    "lease_expired",
    "not_holder",
    "revise_limit",
    "halted",
    "role_fixed",
    "unknown_session",
)
"""What an edit can be refused with and may fire a trigger; ``scope_held`` never does."""

RESERVED_ROLES: Final = (ANY_ROLE,)
RESERVED_PHASES: Final = (DONE, HALT)

SSH_KEY_TYPES: Final = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


def plugin_of(gate: str) -> str | None:
    """Return the name of the plugin that a gate's id stands for; None for a gate of one's own.

    >>> plugin_of("plugin:licence"), plugin_of("pushed")
    ('licence', None)
    """
    return gate.removeprefix(PLUGIN) if gate.startswith(PLUGIN) else None
