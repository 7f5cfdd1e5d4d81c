"""Tasks and packets a second time: numbers, who may answer, where the scope of an offer goes.

As in ``books``: entries are judged as they come, refusals when they are given, and what an offer,
an acceptance or the end of an offer does to leases is predicted, as sets of paths, and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.sim.books import TASK, Asked, Books, Held
from tests.sim.chain import Seen, Violation
from tests.sim.universe import NAMED, mask, mask_of

BLOCK_LAPSE_MS: Final = 2 * 3_600_000
ENDS: Final = {
    "packet.accepted": "accepted",
    "packet.declined": "declined",
    "packet.withdrawn": "withdrawn",
    "packet.lapsed": "lapsed",
}


@dataclass
class Packet:
    """An offer as the ledger described it; ``returns`` is what goes back to its giver by lapse."""

    number: int
    kind: str
    giver: str
    from_role: str | None
    to_role: str | None
    scope: tuple[str, ...]
    returns: tuple[str, ...]
    token: int
    lapses: int
    state: str = "open"


@dataclass
class Task:
    """A task as the ledger described it."""

    name: str
    closed: bool
    holder: str | None
    role: str | None
    failed: int
    taken: int
    packets: list[Packet]

    @property
    def newest(self) -> Packet:
        """Its newest packet."""
        return self.packets[-1]


Scope = tuple[str, ...]
Moved = list[tuple[str, str, int]]
"""Grants that a change must lead to: session, working tree, paths."""


class Handoffs(Books):
    """The books with tasks and packets in them."""

    tasks: dict[str, Task]

    # --- entries ---------------------------------------------------------------------------------

    def enter(self, seen: Seen) -> None:
        """Judge one entry and enter it."""
        payload = seen.payload
        if seen.kind == "task.opened":
            name = payload["task"]
            if not (name not in self.tasks):
                raise Violation(f"task {name} was opened twice")
            self.tasks[name] = Task(name, False, None, None, 0, 0, [])
        elif seen.kind == "task.closed":
            task = self.tasks[payload["task"]]
            if task.closed:
                raise Violation(f"{task} was closed twice")
            task.closed = True
        elif seen.kind == "task.taken":
            task = self.tasks[payload["task"]]
            task.holder, task.role = payload["session"], payload["role"]
        elif seen.kind == "packet.offered":
            self._offered(payload)
        elif seen.kind in ENDS:
            self._answered(ENDS[seen.kind], payload)
        else:
            super().enter(seen)

    def _offered(self, payload: dict[str, Any]) -> None:
        task = self.tasks[payload["task"]]
        number, scope = payload["number"], tuple(payload["patterns"])
        if task.closed:
            raise Violation(f"{task} is closed and was offered")
        if not (number == len(task.packets) + 1):
            raise Violation(f"P3: packet {number} of {task}")
        is_open = bool(task.packets) and task.newest.state == "open"
        if is_open:
            raise Violation(f"P3: a second packet of {task} is open")
        if scope:
            held = self.open.get(payload["token"])
            good = held is not None and held.session == TASK + task.name
            if not good:
                raise Violation(f"P3: {scope} of {task} was offered and is not reserved: {held}")
            assert held is not None
            if not (held.mask == mask(scope)):
                raise Violation(f"P3: {held} does not reserve {scope}")
            if not (held.expires == payload["lapses_at"]):
                raise Violation(f"P3: {held} and its packet differ")
        if payload["packet_kind"] == "return":
            task.failed += 1
        elif payload["packet_kind"] == "complete" and task.taken:
            taken = task.packets[task.taken - 1]
            if taken.kind == "complete" and len(task.packets) == task.taken:
                task.failed = 0
        if payload["session"]:
            task.holder, task.role = payload["session"], payload["from_role"]
        task.packets.append(
            Packet(
                number,
                payload["packet_kind"],
                payload["session"],
                payload["from_role"],
                payload["to_role"],
                scope,
                tuple(payload["returns"]),
                payload["token"],
                payload["lapses_at"],
            )
        )

    def _answered(self, how: str, payload: dict[str, Any]) -> None:
        task = self.tasks[payload["task"]]
        packet = task.newest
        one = payload["number"] == packet.number and packet.state == "open"
        if not one:
            raise Violation(f"P3: packet {payload['number']} of {task} was {how} and is not open")
        if not ((how == "lapsed") == (packet.lapses <= self.now) or how == "withdrawn"):
            raise Violation(f"{packet} of {task.name} was {how} at {self.now}")
        packet.state = how
        if how == "accepted":
            fits = self.fits(payload["session"], packet.to_role)
            if not fits:
                raise Violation(f"P3: {payload['session']} accepted {packet}")
            task.holder, task.role, task.taken = payload["session"], payload["role"], packet.number
        if how == "declined":
            task.failed += 1
        left = [held for held in self.open.values() if held.token == packet.token]
        if left:
            raise Violation(f"P3: {packet} was {how} and its scope is reserved still")

    # --- what the books say ----------------------------------------------------------------------

    def role_of(self, session: str | None) -> str | None:
        """Return the role of a session."""
        return self.sessions[session][1] if session in self.sessions else None

    def acts_as(self, role: str | None, wanted: str | None) -> bool:
        """Tell whether a role has a name, or is of a family of that name."""
        return wanted == role or self.charter.families.get(role or "") == wanted

    def fits(self, session: str, to_role: str | None) -> bool:
        """Tell whether a packet to a role is for a session."""
        return to_role is None or self.acts_as(self.role_of(session), to_role)

    def may_act(self, task: Task, session: str) -> bool:
        """Tell whether a session acts for a task: its holder, or its role once that is gone."""
        if task.holder in (None, session):
            return True
        return not self.is_live(task.holder) and self.acts_as(self.role_of(session), task.role)

    def reserved(self, task: Task) -> list[Held]:
        """List what a task holds, dead ones too."""
        return [held for held in self.open.values() if held.session == TASK + task.name]

    def stopped(self, task: Task) -> bool:
        """Tell whether so many handoffs in a row went wrong that a task waits for a person."""
        return task.failed >= self.charter.halt_after

    def in_lane(self, scope: Scope, role: str | None) -> Scope:
        """Return what of a scope a role may hold, as far as patterns can say it."""
        lane = self.charter.lanes[role or ""]
        found = [text for text in scope if not mask_of(text) & NAMED & ~mask(lane)]
        for text in lane:
            named = mask_of(text) & NAMED
            if not named & ~mask(scope) and named & ~mask(tuple(found)):
                found.append(text)
        return tuple(found)

    # --- what the rules answer -------------------------------------------------------------------

    def expected_open(self, session: str, name: str) -> str:
        """Say what opening a task leads to."""
        if not self.is_live(session):
            return "unknown_session"
        return "task_exists" if name in self.tasks else "opened"

    def expected_offer(self, session: str, name: str, scope: Scope) -> str:
        """Say what an offer leads to."""
        if not self.is_live(session):
            return "unknown_session"
        if name not in self.tasks:
            return "unknown_task"
        task = self.tasks[name]
        if task.closed:
            return "task_over"
        if self.stopped(task):
            return "halted"
        if task.newest.state == "open":
            return "packet_open"
        if not self.may_act(task, session):
            return "handed_off"
        if self._is_cut(task, session, scope):
            return "scope_cut"
        return "scope_held" if self.holders(self.as_reserved(task, session, scope)) else "offered"

    def given(self, task: Task, session: str, scope: Scope) -> list[Held]:
        """List the live leases that an offer takes its scope from."""
        names = (session, TASK + task.name)
        return [h for h in self.live() if h.session in names and h.mask & mask(scope)]

    def _is_cut(self, task: Task, session: str, scope: Scope) -> bool:
        """Tell whether an offer takes a part of a pattern of which patterns cannot say the rest."""
        paths = mask(scope)
        return any(
            mask_of(text) & paths and mask_of(text) & ~paths
            for held in self.given(task, session, scope)
            for text in held.scope
        )

    def as_reserved(self, task: Task, session: str, scope: Scope) -> Asked:
        """Return the claim of a task; what the giver gives stands in nobody's way."""
        return Asked(TASK + task.name, "", None, scope, "exclusive", 0, giver=session)

    def holders(self, asked: Asked) -> list[Held]:
        """List who stands in the way; a giver not to its own task."""
        found = super().holders(asked)
        if asked.giver:
            return [held for held in found if held.session != asked.giver]
        return found

    def expected_accept(self, session: str, name: str) -> str:
        """Say what an acceptance leads to."""
        refusal = self._expected_answer(session, name)
        task = self.tasks.get(name)
        if refusal or task is None:
            return refusal or "unknown_task"
        if self.stopped(task):
            return "halted"
        if task.newest.state != "open":
            gone = task.holder not in (None, session) and not self.is_live(task.holder)
            if not gone:
                return "no_handoff"
            if not self.may_act(task, session):
                return "handed_off"
            return "scope_held" if self.in_the_way(task, session) else "taken"
        if task.newest.lapses <= self.now:
            return "no_handoff"
        if not self.fits(session, task.newest.to_role):
            return "not_your_handoff"
        return "scope_held" if self.in_the_way(task, session) else "accepted"

    def in_the_way(self, task: Task, session: str) -> list[Held]:
        """List who stands in the way of an acceptance.

        On a contended path others may hold beside the reservation, which is in no working tree.
        """
        tree, role, _ = self.sessions[session]
        given, scope = self._handed(task)
        asked = Asked(session, tree, role, self.in_lane(scope, role), "exclusive", 0)
        return [held for held in self.holders(asked) if held not in given]

    def _handed(self, task: Task) -> tuple[list[Held], Scope]:
        """Return what an acceptance takes from a task: by its open packet, or all that is held."""
        if task.newest.state == "open":
            held = [one for one in self.reserved(task) if one.token == task.newest.token]
            return held, task.newest.scope
        held = [one for one in self.reserved(task) if self.now < one.expires]
        return held, tuple(text for one in held for text in one.scope)

    def expected_settle(self, session: str, name: str, how: str) -> str:
        """Say what declining or withdrawing leads to."""
        refusal = self._expected_answer(session, name)
        task = self.tasks.get(name)
        if refusal or task is None:
            return refusal or "unknown_task"
        packet = task.newest
        if packet.state != "open" or packet.lapses <= self.now:
            return "no_handoff"
        if how == "declined":
            return "declined" if self.fits(session, packet.to_role) else "not_your_handoff"
        gone = not self.is_live(packet.giver)
        mine = gone and self.acts_as(self.role_of(session), packet.from_role)
        return "withdrawn" if packet.giver == session or mine else "not_your_handoff"

    def expected_close(self, session: str, name: str) -> str:
        """Say what closing a task leads to."""
        refusal = self._expected_answer(session, name)
        if refusal:
            return refusal
        return "closed" if self.may_act(self.tasks[name], session) else "handed_off"

    def _expected_answer(self, session: str, name: str) -> str | None:
        if not self.is_live(session):
            return "unknown_session"
        if name not in self.tasks:
            return "unknown_task"
        return "task_over" if self.tasks[name].closed else None

    # --- where the scope goes --------------------------------------------------------------------

    def moved_by_offer(self, task: Task, session: str, scope: Scope) -> tuple[list[int], Moved]:
        """Predict which leases an offer ends and what it grants."""
        paths, moved = mask(scope), []
        given = self.given(task, session, scope)
        for held in given:
            rest = held.mask & ~paths
            if rest:
                moved.append((held.session, held.tree, rest))
        dead = [held.token for held in self.reserved(task) if held.expires <= self.now]
        if scope:
            moved.append((TASK + task.name, "", paths))
        return [*dead, *(held.token for held in given)], moved

    def moved_by_accept(self, task: Task, session: str) -> tuple[list[int], Moved]:
        """Predict which leases an acceptance ends and what it grants."""
        held, scope = self._handed(task)
        tree, role, _ = self.sessions[session]
        mine = self.in_lane(scope, role)
        moved: Moved = []
        if mine and not self._has(session, mine, [one.token for one in held]):
            moved.append((session, tree, mask(mine)))
        if role in self.charter.read_only:
            # Nobody may write what a reader was handed: it goes on with the task.
            rest = tuple(text for text in scope if not mask_of(text) & mask(mine))
            if rest:
                moved.append((TASK + task.name, "", mask(rest)))
        return [one.token for one in held], moved

    def _has(self, session: str, scope: Scope, without: Sequence[int]) -> bool:
        paths = mask(scope)
        strong = self.kind_of(paths, "exclusive") == "local"
        return any(
            not paths & ~held.mask and (held.kind == "exclusive" or strong)
            for held in self.live(session)
            if held.token not in without
        )

    def moved_back(self, task: Task, scope: Scope) -> tuple[list[int], Moved]:
        """Predict where the scope of an offer goes that was not accepted."""
        packet = task.newest
        held = [one for one in self.reserved(task) if one.token == packet.token]
        if not held:
            return [], []
        alive = self.is_live(packet.giver)
        tree = self.sessions[packet.giver][0] if alive else ""
        others = [one for one in self.live() if one not in held and one.session != packet.giver]
        free = tuple(
            text
            for text in scope
            if not any(
                self.meet(one, mask_of(text), "exclusive", tree) == "exclude" for one in others
            )
        )
        mine = self.in_lane(free, self.role_of(packet.giver)) if alive else ()
        moved: Moved = []
        if mine:
            moved.append((packet.giver, tree, mask(mine)))
        rest = tuple(text for text in free if not mask_of(text) & mask(mine))
        if rest:
            moved.append((TASK + task.name, "", mask(rest)))
        return [one.token for one in held], moved

    def judge_moves(
        self, predicted: tuple[Iterable[int], Moved], fresh: Sequence[Seen], but: Iterable[int] = ()
    ) -> None:
        """Judge the leases that a handoff ended and granted against what was predicted.

        Leases ``but`` these that had run out may be recorded by the way.
        """
        ended = sorted(s.payload["token"] for s in fresh if s.kind == "lease.released")
        grants = [s.payload for s in fresh if s.kind == "lease.granted"]
        # What everybody may hold, the folder of evidence, is not predicted.
        found = ((g["session"], g["worktree"], mask(tuple(g["patterns"])) & NAMED) for g in grants)
        moved = sorted(one for one in found if one[2])
        expected = ((who, tree, what & NAMED) for who, tree, what in predicted[1])
        wanted = (sorted(predicted[0]), sorted(one for one in expected if one[2]))
        if not ((ended, moved) == wanted):
            raise Violation(f"scope went {(ended, moved)}, not {wanted}")
