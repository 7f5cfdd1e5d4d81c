"""The routine of work by lanes: claim, keep alive, hand over, release, with documented identities.

Promises: who acts is a session of this working tree whose secret is readable here, as everywhere;
where a command names role and agent alone, the session is the one that is named by the environment,
else the only live one of that role and agent, else nobody's. Nothing here writes a tracked file.

    Routine(context).begin("2026-03-01-nav", "bot-2", "website")
    Routine(context).claim("website", "site/src", 5_400_000)
"""

from __future__ import annotations

from collections.abc import Sequence
from json import loads
from typing import Final

from handrail import errors
from handrail.core.lease import Lease
from handrail.core.ledger import format_token
from handrail.core.names import check_name
from handrail.core.scope import overlap, stored_pattern
from handrail.core.task import OPEN, SYSTEM, task_of
from handrail.service.claims import Asked, Claims, Granted
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session
from handrail.service.lane_conflicts import kept
from handrail.service.lane_map import COORDINATION, COORDINATION_FORMAT, file_of
from handrail.service.leases import Leases
from handrail.service.policy import Rules, rules_in_force
from handrail.service.sessions import Sessions
from handrail.store.port import Reader
from handrail.text import shell_quote

MINUTE_MS: Final = 60_000
TTL_MAX_MIN: Final = 24 * 60
SHOWN_MAX: Final = 200
_HANDOFF: Final = ("timestamp", "session_id", "from_role", "to_role", "scope")


class Routine:
    """The use cases of the documented routine."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def roles(self) -> tuple[str, ...]:
        """Return the names of the roles in force, in their order."""
        with self._store.read() as reader:
            return tuple(role.name for role in rules_in_force(reader).settings.roles)

    # --- who acts --------------------------------------------------------------------------------

    def begin(self, session: str, agent: str, role: str) -> None:
        """Begin a session, or go on with the live one; its agent may be nobody else."""
        with self._store.read() as reader:
            known = reader.session(check_name("session", session))
        live = known is not None and known.live
        Sessions(self._context).start(id=session, agent=agent, role=None if live else role)

    def act_as(self, role: str) -> None:
        """Let the session act in a role from here on."""
        Sessions(self._context).change_role(role, "lanes")

    def meant(self, role: str, agent: str, named: str) -> str:
        """Return the session that a command means which names role and agent; '' if there is none.

        ``named`` is the one that the environment names. Raises Usage where several are meant.
        """
        with self._store.read() as reader:
            if named:
                known = reader.session(check_name("session", named))
                fits = known is not None and known.live and known.agent == agent
                return named if fits else ""
            holding = {lease.session for lease in reader.leases() if lease.role == role}
            fitting = [
                session.id
                for session in reader.sessions()
                if session.id in holding
                and session.agent == agent
                and session.worktree == self._context.caller.worktree
            ]
        if len(fitting) > 1:
            which = ", ".join(fitting)
            reason = f"Several live sessions of agent {agent} hold leases as {role}: {which}."
            step = f"export AGENT_SESSION_ID={shell_quote(fitting[0])}"
            raise errors.Usage(reason=reason, next=step)
        return fitting[0] if fitting else ""

    def agent_of(self, session: str, told: str) -> str:
        """Return who a session is: what the environment says, else who began it; '' if nobody."""
        if told:
            return told
        with self._store.read() as reader:
            known = reader.session(check_name("session", session))
        return known.agent if known is not None and known.live else ""

    # --- leases ----------------------------------------------------------------------------------

    def offered_to(self, role: str, scope: str) -> list[str]:
        """Return the tasks whose open packet offers some of a scope to a role."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            family = rules.settings.role(role).family
            waiting = [
                packet
                for packet in reader.packets(settled=False)
                if packet.state == OPEN and packet.to_role in (role, family)
            ]
            if not waiting:
                return []
            asked = Claims(self._context).scope(rules, (plain_scope(scope),))
        return [
            packet.task
            for packet in waiting
            if overlap(tuple(map(stored_pattern, packet.patterns)), asked) is not None
        ]

    def claim(self, role: str, scope: str, ttl_ms: int) -> Granted:
        """Claim a scope in a role, or renew what gives it already; raises what a claim raises."""
        minutes = ttl_ms // MINUTE_MS
        if not 1 <= minutes <= TTL_MAX_MIN:
            reason = f"it must be 1 to {TTL_MAX_MIN} minutes"
            raise errors.MalformedTtl(ttl=f"{minutes} min", reason=reason)
        asked = Asked((plain_scope(scope),), ttl_ms=ttl_ms, role=role)
        return Leases(self._context).claim(asked)

    def renew(self, role: str, ttl_ms: int) -> int:
        """Renew what the session holds in a role; returns how many leases that are."""
        tokens = self._held(role, live=True)
        return len(Leases(self._context).renew(tokens, ttl_ms)) if tokens else 0

    def release(self, role: str) -> int:
        """Release what the session holds in a role; returns how many leases ended by it."""
        tokens = self._held(role, live=False)
        return self.release_these(tokens) if tokens else 0

    def release_these(self, tokens: Sequence[str]) -> int:
        """Release leases by their tokens; returns how many ended by it."""
        return len(Leases(self._context).release(tokens).released)

    def _held(self, role: str, *, live: bool) -> list[str]:
        with self._store.read() as reader:
            session = require_session(reader, self._context)
            return [
                format_token(reader.epoch, lease.token)
                for lease in reader.leases(session.id)
                if lease.role == role and (lease.live(reader.now) or not live)
            ]

    # --- handing over ----------------------------------------------------------------------------

    def task_to_go_on_with(self) -> str | None:
        """Return the one task that the session acts for and has no packet open; None if not one."""
        with self._store.read() as reader:
            session = require_session(reader, self._context)
            waiting = {packet.task for packet in reader.packets(settled=False)}
            own = [task.id for task in reader.tasks() if task.holder == session.id]
        free = [task for task in own if task not in waiting]
        return free[0] if len(free) == 1 else None

    # --- conflicts -------------------------------------------------------------------------------

    def keep_conflict(self, role: str, scope: str, held: errors.ScopeHeld) -> None:
        """Keep a refused claim as a row of the lanes' file, where the configuration has that."""
        with self._store.transaction() as tx:
            session = require_session(tx, self._context)
            tx.commit(kept(tx, session, role=role, scope=scope, held=held), actor_of(session))

    # --- looking ---------------------------------------------------------------------------------

    def board(self) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """Return the live leases and the newest handoffs, as the lanes' file writes them."""
        from handrail.projections.coordination import lease_rows, packet_rows
        from handrail.service.known import kept_rows
        from handrail.service.packet_text import packet_text

        with self._store.read() as reader:
            leases = [row for lease in _live(reader) for row in lease_rows(lease)]
            kept = kept_rows(reader, _coordination(rules_in_force(reader)))
            imported = [
                loads(kept[key])
                for key in sorted(kept)
                if key.startswith("handoffs/") and _is_handoff(loads(kept[key]))
            ]
            offered = [packet for packet in reader.packets() if packet.session != SYSTEM]
            offered.sort(key=lambda packet: packet.offered_at)
            handoffs = [
                row
                for packet in offered[-SHOWN_MAX:]
                if packet.patterns
                for row in packet_rows(packet, loads(packet_text(reader, packet)))
            ]
        return leases, [*imported, *handoffs]


def _coordination(rules: Rules) -> str:
    return file_of(rules.settings, COORDINATION_FORMAT) or COORDINATION


def _is_handoff(row: object) -> bool:
    """Tell whether an imported row has what a line about a handoff says."""
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in _HANDOFF)


def plain_scope(scope: str) -> str:
    """Return a path as it was typed without what says nothing: ``./`` before, ``/`` behind."""
    while scope.startswith("./"):
        scope = scope[2:]
    return scope.rstrip("/") or scope


def _live(reader: Reader) -> list[Lease]:
    return [
        lease
        for lease in reader.leases()
        if lease.live(reader.now) and task_of(lease.session) is None
    ]
