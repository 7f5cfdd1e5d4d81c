"""The commands of the preset ``lanes`` under the names that its documents print.

Promises: options, lines and exit statuses are those of ``scripts/agent_coord.py`` and the scripts
beside it; each call is one process with nothing but the documented environment (``AGENT_ID``,
``AGENT_SESSION_ID``). What they do is what Handrail does: ``--claim`` starts the session, a handoff
is an offer whose scope moves, and the receiving role's ``--claim`` accepts it. Whatever is refused
ends with 1 and says why on stderr. ``docs/guides/lanes.md`` lists where the originals differ.

    main(["agent-coord", "--status"], "/repo")   # 0
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from handrail import errors
from handrail.edge.compat.surroundings import Lanes, fail, opened, refused, tell
from handrail.projections.coordination_check import FORBIDDEN_SESSION as FORBIDDEN
from handrail.projections.instants import micros
from handrail.projections.scopes import plain_path
from handrail.service.claims import Granted
from handrail.service.lane_conflicts import TO_DECIDE
from handrail.text import shell_quote

NAME: Final = "agent-coord"
TTL_MIN_DEFAULT: Final = 90
HANDOFFS_SHOWN: Final = 10
HANDOFFS_IN_JSON: Final = 20
ACTIONS: Final = ("claim", "heartbeat", "release", "handoff", "status")
REQUIRED: Final = {
    "claim": ("role", "agent_id", "scope", "session_id"),
    "heartbeat": ("role", "agent_id"),
    "release": ("role", "agent_id"),
    "handoff": ("from_role", "to_role", "scope", "session_id"),
    "status": (),
}
COMMANDS: Final = ("agent-coord", "check-tracking", "agent-run", "check-fast", "check-all")


def main(words: Sequence[str], folder: str) -> int:
    """Run one of the documented scripts; returns its exit status."""
    name, rest = (words[0], list(words[1:])) if words else ("", [])
    if name == "agent-coord":
        return agent_coord(rest, folder)
    if name == "check-tracking":
        from handrail.edge.compat.tracking import check_tracking

        return check_tracking(rest, folder)
    if name == "agent-run":
        from handrail.edge.compat.agent_run import agent_run

        return agent_run(rest, folder)
    if name in ("check-fast", "check-all"):
        from handrail.edge.compat.publish import check_publish

        return check_publish(name, folder)
    sys.stderr.write(f"usage: handrail compat lanes {{{','.join(COMMANDS)}}} ...\n")
    return 2


def agent_coord(words: Sequence[str], folder: str) -> int:
    """Answer ``agent_coord.py`` with these words."""
    try:
        with opened(folder) as lanes:
            asked = _parser(lanes.roles).parse_args(words)
    except errors.HandrailError as error:
        return refused(NAME, error)
    action = next(one for one in ACTIONS if getattr(asked, one))
    missing = [name for name in REQUIRED[action] if not getattr(asked, name)]
    if missing:
        return fail(NAME, f"missing required arguments: {', '.join(missing)}")
    if asked.session_id == FORBIDDEN and action in ("claim", "handoff"):
        return fail(NAME, f"session_id '{FORBIDDEN}' is not allowed")
    try:
        return _ACTIONS[action](asked, folder)
    except errors.HandrailError as error:
        return refused(NAME, error)


def _parser(roles: Sequence[str]) -> ArgumentParser:
    parser = ArgumentParser(prog="agent_coord.py")
    action = parser.add_mutually_exclusive_group(required=True)
    for name in ACTIONS:
        action.add_argument(f"--{name}", action="store_true")
    for name in ("--role", "--from-role", "--to-role"):
        parser.add_argument(name, choices=list(roles))
    parser.add_argument("--agent-id", default="")
    parser.add_argument("--scope", default="")
    parser.add_argument("--ttl-min", type=int, default=TTL_MIN_DEFAULT)
    parser.add_argument("--session-id", default=os.environ.get("AGENT_SESSION_ID", ""))
    parser.add_argument("--note", default="")
    parser.add_argument("--json", action="store_true")
    return parser


# --- actions -------------------------------------------------------------------------------------


def _claim(asked: Namespace, folder: str) -> int:
    with opened(folder, asked.session_id, asked.agent_id) as lanes:
        return claimed(lanes, asked.role, asked.scope, asked.ttl_min)[0]


def claimed(lanes: Lanes, role: str, scope: str, ttl_min: int) -> tuple[int, Granted | None]:
    """Claim a scope in a role, or say who holds it; returns the exit status and the lease."""
    routine = lanes.routine
    lanes.begin(role)
    for task in routine.offered_to(role, scope):
        routine.act_as(role)
        lanes.judged().accept(task)
    try:
        granted = routine.claim(role, scope, ttl_min * 60_000)
    except errors.ScopeHeld as held:
        routine.keep_conflict(role, scope, held)
        told = conflict_of(role, held)
        status = fail(NAME, told)
        step = f"HANDRAIL_SESSION={shell_quote(lanes.session)} {TO_DECIDE}"
        sys.stderr.write(f"[{NAME}][hint] {held.message}\n[{NAME}][hint] next: {step}\n")
        return status, None
    tell(
        f"[{NAME}] lease claimed role={role} agent={lanes.agent} scope={scope}"
        f" session={lanes.session} expires_at={micros(granted.expires_at)}"
    )
    return 0, granted


def conflict_of(role: str, held: errors.ScopeHeld) -> str:
    """Say who holds what a claim in a role asked for, as the documents print it."""
    scope, expires_at = held.values.get("scope"), held.values.get("expires_at")
    first = plain_path(scope[0]) if isinstance(scope, tuple) and scope else ""
    until = micros(expires_at) if isinstance(expires_at, int) else ""
    by = held.values.get("holder")
    return f"active lease conflict role={role} scope={first} held_by={by} until={until}"


def _heartbeat(asked: Namespace, folder: str) -> int:
    with _holder(asked, folder) as lanes:
        if not lanes.session or not lanes.routine.renew(asked.role, asked.ttl_min * 60_000):
            told = f"no active lease for role={asked.role} agent={asked.agent_id}"
            return fail(NAME, told)
    tell(f"[{NAME}] heartbeat role={asked.role} agent={asked.agent_id}")
    return 0


def _release(asked: Namespace, folder: str) -> int:
    with _holder(asked, folder) as lanes:
        count = lanes.routine.release(asked.role) if lanes.session else 0
    tell(f"[{NAME}] released={count} role={asked.role} agent={asked.agent_id}")
    return 0


def _holder(asked: Namespace, folder: str) -> AbstractContextManager[Lanes]:
    """Open in the name of the session that is meant: the one that is named, or the only one."""
    with opened(folder) as lanes:
        session = lanes.routine.meant(asked.role, asked.agent_id, asked.session_id)
    return opened(folder, session, asked.agent_id)


def _handoff(asked: Namespace, folder: str) -> int:
    agent = os.environ.get("AGENT_ID", "")
    with opened(folder) as lanes:
        agent = lanes.routine.agent_of(asked.session_id, agent)
    if not agent:
        told = f"session {asked.session_id} is not live, and AGENT_ID does not say who it is"
        return fail(NAME, f"{told}; export AGENT_ID=<agent-id>")
    with opened(folder, asked.session_id, agent) as lanes:
        lanes.begin(asked.from_role)
        lanes.routine.act_as(asked.from_role)
        lanes.export()  # the gates of a handoff look at these files
        lanes.judged().offer(lanes.offering(asked.scope, asked.to_role, asked.note))
        lanes.export()
    tell(
        f"[{NAME}] handoff session={asked.session_id} {asked.from_role} -> {asked.to_role}"
        f" scope={asked.scope}"
    )
    return 0


def _status(asked: Namespace, folder: str) -> int:
    with opened(folder) as lanes:
        leases, handoffs = lanes.routine.board()
    if asked.json:
        from json import dumps

        shown = {"active_leases": leases, "handoffs": handoffs[-HANDOFFS_IN_JSON:]}
        sys.stdout.write(dumps(shown, indent=2) + "\n")
        return 0
    tell(f"[{NAME}] active leases")
    for row in leases:
        tell(
            f"- role={row['role']} agent={row['agent_id']} scope={row['scope']}"
            f" session={row['session_id']} expires_at={row['expires_at']}"
        )
    if not leases:
        tell("- none")
    tell(f"[{NAME}] recent handoffs")
    for row in handoffs[-HANDOFFS_SHOWN:]:
        note = f" note={row['note']}" if row.get("note") else ""
        tell(
            f"- {row['timestamp']} session={row['session_id']} {row['from_role']} ->"
            f" {row['to_role']} scope={row['scope']}{note}"
        )
    if not handoffs:
        tell("- none")
    return 0


_ACTIONS: Final[dict[str, Callable[[Namespace, str], int]]] = {
    "claim": _claim,
    "heartbeat": _heartbeat,
    "release": _release,
    "handoff": _handoff,
    "status": _status,
}
