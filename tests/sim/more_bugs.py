"""Bugs to plant into handoffs, requests, the ledger and the stores; as in ``bugs``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

from handrail import errors
from handrail.core.decide import Changes, handoff, reserved, writable
from handrail.core.decide.desk import Desk
from handrail.core.events import LeaseGranted, LeaseReleased, WaitEnded
from handrail.core.handed import PacketOffered
from handrail.core.lease import Lease
from handrail.core.ledger import GENESIS, Entry, Head, read_event
from handrail.core.task import ACCEPTED, OPEN, WITHDRAWN, Task
from handrail.errors import TASK_PREFIX
from handrail.service import answering, claims, health, lapses, offering, readings
from handrail.store import memory
from handrail.store.memory import MemoryReader, MemoryStore, MemoryTx
from handrail.store.postgres import dialect
from handrail.store.postgres.link import Link
from handrail.store.postgres.writer import PostgresTables, PostgresTx
from handrail.store.sql import writer
from handrail.store.sql.handoffs import MAY
from handrail.store.sql.writer import SqlTables
from handrail.store.sqlite.reader import SqliteReader
from tests.sim import stores
from tests.sim.bugs import Patch, nothing, planted, wrap

# --- handoffs ------------------------------------------------------------------------------------


@planted
def a_number_is_used_again_after_a_withdrawal(patch: Patch) -> None:
    def again(original: Any, desk: Desk, *rest: Any) -> Changes:
        changes = list(original(desk, *rest))
        if desk.packet is not None and desk.packet.state == WITHDRAWN:
            offered = changes[-1]
            assert isinstance(offered, PacketOffered)
            changes[-1] = offered._replace(number=desk.packet.number)
        return changes

    wrap(patch, offering, "decide_offer", again)


@planted
def a_packet_is_accepted_twice(patch: Patch) -> None:
    def twice(original: Any, desk: Desk, *rest: Any) -> Changes:
        packet = desk.packet
        if packet is not None and packet.state == ACCEPTED:
            desk = desk._replace(packet=packet._replace(state=OPEN))
        return list(original(desk, *rest))

    wrap(patch, answering, "decide_accept", twice)


@planted
def a_packet_is_accepted_by_whoever_asks(patch: Patch) -> None:
    patch.setattr(handoff, "_check_receiver", nothing)


@planted
def the_giver_is_not_fenced(patch: Patch) -> None:
    def lax(original: Any, *given: Any) -> Changes:
        gone = ("offered",)
        changes = original(*given)
        return [c for c in changes if not (isinstance(c, LeaseReleased) and c.reason in gone)]

    wrap(patch, offering, "decide_offer", lax)


@planted
def an_offer_reserves_nothing(patch: Patch) -> None:
    def lax(original: Any, *given: Any) -> Changes:
        return [
            change
            for change in original(*given)
            if not (isinstance(change, LeaseGranted) and change.session.startswith(TASK_PREFIX))
        ]

    wrap(patch, offering, "decide_offer", lax)


@planted
def two_packets_of_a_task_are_open(patch: Patch) -> None:
    wrap(
        patch,
        offering,
        "decide_offer",
        lambda original, desk, *rest: original(desk._replace(packet=None), *rest),
    )


@planted
def whoever_gave_a_task_away_goes_on_with_it(patch: Patch) -> None:
    patch.setattr(handoff, "_check_acts", nothing)


@planted
def a_declined_scope_stays_reserved(patch: Patch) -> None:
    def lax(original: Any, *given: Any) -> Changes:
        return [c for c in original(*given) if not isinstance(c, LeaseReleased | LeaseGranted)]

    wrap(patch, answering, "decide_decline", lax)


@planted
def a_declined_scope_is_lost_to_its_giver(patch: Patch) -> None:
    def lax(original: Any, *given: Any) -> Changes:
        return [c for c in original(*given) if not isinstance(c, LeaseGranted)]

    wrap(patch, answering, "decide_decline", lax)


@planted
def anybody_withdraws_a_packet(patch: Patch) -> None:
    def lax(original: Any, desk: Desk, settle: Any, now: int) -> Changes:
        if desk.packet is not None:
            mine = desk.packet._replace(session=settle.session.id)
            desk = desk._replace(packet=mine)
        return list(original(desk, settle, now))

    wrap(patch, answering, "decide_withdraw", lax)


@planted
def an_offer_never_lapses(patch: Patch) -> None:
    patch.setattr(lapses, "decide_lapse", lambda *given: [])
    patch.setattr(handoff, "_check_open", nothing)


@planted
def a_receiver_gets_more_than_its_lane(patch: Patch) -> None:
    patch.setattr(reserved, "common", lambda scope, lane, single: tuple(scope))
    patch.setattr("handrail.core.decide.claim.check_role", nothing)


@planted
def a_halted_task_goes_on(patch: Patch) -> None:
    patch.setattr(Task, "stopped", lambda self, halt_after: False)


@planted
def a_closed_task_keeps_its_scope(patch: Patch) -> None:
    from handrail.service import tasks

    def lax(original: Any, *given: Any) -> Changes:
        return [c for c in original(*given) if not isinstance(c, LeaseReleased)]

    wrap(patch, tasks, "decide_close", lax)


# --- requests ------------------------------------------------------------------------------------


@planted
def a_request_is_done_twice(patch: Patch) -> None:
    patch.setattr(MemoryTx, "outcome", nothing)


@planted
def a_request_id_gives_the_outcome_of_another_question(patch: Patch) -> None:
    def lax(original: Any, self: MemoryTx, request: Any) -> Any:
        known = self.data.requests.get(request.id)
        return original(self, request if known is None else request._replace(digest=known[0]))

    wrap(patch, MemoryTx, "outcome", lax)


@planted
def an_outcome_is_one_entry_early(patch: Patch) -> None:
    def early(original: Any, self: MemoryTx, request: Any) -> Any:
        found = original(self, request)
        return found and tuple(self.entries(found[0].seq - 2, found[-1].seq - 1))

    wrap(patch, MemoryTx, "outcome", early)


@planted
def a_lease_that_ended_is_given_again_as_one_to_trust(patch: Patch) -> None:
    def trusting(original: Any, self: Any, tx: Any, entries: Any) -> Any:
        done = original(self, tx, entries)
        grants = [s for s in entries if b'"lease.granted"' in s.header]
        event = read_event(grants[0])
        assert isinstance(event, LeaseGranted)
        return done._replace(trusted_until=event.expires_at - event.ttl_ms // 3)

    wrap(patch, claims.Claims, "_repeated", trusting)


# --- the ledger and its transactions -------------------------------------------------------------


@planted
def an_entry_names_no_predecessor(patch: Patch) -> None:
    def loose(original: Any, before: Head, *rest: Any) -> Entry:
        kept = before if before.seq % 7 else Head(before.seq, GENESIS.hash)
        found: Entry = original(kept, *rest)
        return found

    wrap(patch, memory, "seal", loose)


@planted
def an_entry_holds_the_hash_of_another_payload(patch: Patch) -> None:
    def wrong(original: Any, before: Head, *rest: Any) -> Entry:
        entry: Entry = original(before, *rest)
        return entry if entry.seq % 7 else entry._replace(payload=(entry.payload or b"") + b" ")

    wrap(patch, memory, "seal", wrong)


@planted
def what_was_rolled_back_is_in_the_ledger(patch: Patch) -> None:
    def leaking(tx: Any) -> None:
        commit = tx.commit

        def fail(*given: Any) -> Any:
            commit(*given)
            raise errors.StoreBusy(path="simulated", waited_ms=1, pid="unknown")

        tx.commit = fail

    patch.setattr(stores, "_break", leaking)


@planted
def a_request_is_remembered_after_its_commit(patch: Patch) -> None:
    late: dict[MemoryTx, tuple[Any, Any]] = {}

    def forgetful(
        original: Any, self: MemoryTx, changes: Any, actor: Any, request: Any = None
    ) -> Any:
        entries = original(self, changes, actor)
        if entries and request is not None:
            late[self] = request, entries[0].seq
        return entries

    def ended(original: Any, turn: Any, *failed: Any) -> None:
        for tx, asked in late.items():
            if failed[0] is None:
                tx._remember(*asked)
        late.clear()
        original(turn, *failed)

    wrap(patch, MemoryTx, "commit", forgetful)
    wrap(patch, memory._Turn, "__exit__", ended)


@planted
def half_of_a_transaction_is_committed(patch: Patch) -> None:
    def half(original: Any, self: MemoryTx, changes: Any, *rest: Any) -> Any:
        kept = list(changes)
        return original(self, kept[:-1] if len(kept) > 1 else kept, *rest)

    wrap(patch, MemoryTx, "commit", half)


@planted
def a_release_is_not_written_into_the_ledger(patch: Patch) -> None:
    def forgetful(original: Any, self: MemoryTx, changes: Any, *rest: Any) -> Any:
        changes = list(changes)
        kept = [change for change in changes if not isinstance(change, LeaseReleased)]
        self._make_own()
        for change in changes:
            if isinstance(change, LeaseReleased):
                self.data.state.drop_lease(change.token)
        return original(self, kept or [WaitEnded(0)], *rest)

    wrap(patch, MemoryTx, "commit", forgetful)


@planted
def the_clock_is_read_before_the_store_is_had(patch: Patch) -> None:
    original = MemoryStore.transaction
    last: dict[int, Any] = {}

    @contextmanager
    def early(self: MemoryStore) -> Any:
        clock = self._clock
        now = clock.read()
        before = last.get(id(clock), now)
        last[id(clock)] = now
        stale = before if before[0] == now[0] else now

        class Stopped:
            def read(self) -> Any:
                return stale

        self._clock = Stopped()
        try:
            with original(self) as tx:
                yield tx
        finally:
            self._clock = clock

    patch.setattr(MemoryStore, "transaction", early)


@planted
def a_restart_uses_a_token_again(patch: Patch) -> None:
    def shorter(original: Any, self: MemoryTx, state: Any) -> None:
        original(self, state)
        self.data.ledger.pop()
        self.data.subjects.pop()

    wrap(patch, MemoryTx, "replace", shorter)


@planted
def a_restart_takes_renewals_back(patch: Patch) -> None:
    patch.setattr(health, "_with_expiry", lambda lease, kept, now: lease)


@planted
def a_restart_loses_a_lease(patch: Patch) -> None:
    def losing(original: Any, self: MemoryTx, state: Any) -> None:
        for token in sorted(state.leases)[:1]:
            del state.leases[token]
        original(self, state)

    wrap(patch, MemoryTx, "replace", losing)


# --- the guard -----------------------------------------------------------------------------------


@planted
def the_guard_lets_a_session_write_what_others_hold(patch: Patch) -> None:
    def lax(original: Any, self: MemoryReader, worktree: str, session: str, path: str) -> bool:
        every = {lease.session for lease in self.leases()}
        return any(original(self, worktree, name, path) for name in every)

    wrap(patch, MemoryReader, "may_write", lax)


@planted
def the_guard_does_not_mind_the_working_tree(patch: Patch) -> None:
    def lax(_: Any, leases: Any, session: str, worktree: str, path: str, now: int) -> bool:
        own: list[Lease] = [one._replace(worktree=worktree) for one in leases]
        return bool(rule(own, session, worktree, path, now))

    rule = writable
    wrap(patch, memory, "writable", lax)


@planted
def sqlite_keeps_for_the_guard_what_was_released(patch: Patch) -> None:
    def lax(tables: SqlTables, token: int) -> bool:
        found = tables._run("DELETE FROM lease WHERE token = ? RETURNING token", (token,))
        return found.fetchone() is not None

    patch.setattr(SqlTables, "drop_lease", lax)


@planted
def sqlite_lets_the_guard_see_what_ran_out(patch: Patch) -> None:
    def lax(original: Any, self: SqliteReader, *given: Any) -> Any:
        now, self.now = self.now, 0
        try:
            return original(self, *given)
        finally:
            self.now = now

    wrap(patch, SqliteReader, "may_write", lax)


@planted
def sqlite_does_not_tell_the_guard_of_a_renewal(patch: Patch) -> None:
    def lax(tables: SqlTables, token: int, expires_at: int) -> None:
        tables._run("UPDATE lease SET expires_at = ? WHERE token = ?", (expires_at, token))

    patch.setattr(SqlTables, "move_expiry", lax)


@planted
def sqlite_forgets_a_place_in_the_queue(patch: Patch) -> None:
    patch.setattr(SqlTables, "keep_waiter", nothing)


@planted
def sqlite_finds_nothing_below(patch: Patch) -> None:
    from handrail.store.sql import reader

    def short(original: Any, patterns: Any) -> Any:
        return [step._replace(below=step.below + "/-") for step in original(patterns)]

    wrap(patch, reader, "plan", short)


@planted
def postgres_does_not_come_back_after_the_server_hung_up(patch: Patch) -> None:
    patch.setattr(Link, "opened", lambda self, begin: begin(self.line))


@planted
def postgres_commits_nothing_and_says_it_did(patch: Patch) -> None:
    def lax(original: Any, self: PostgresTx) -> None:
        if self.head.seq % 5:
            original(self)

    wrap(patch, PostgresTx, "_finish", lax)


@planted
def postgres_finds_nothing_below(patch: Patch) -> None:
    patch.setattr(dialect, "_between", lambda below: (below + "/", below + "/") if below else ())


@planted
def postgres_puts_nothing_in_the_place_of_a_row(patch: Patch) -> None:
    def keeping(original: Any, table: str) -> str:
        return str(original(table).partition("DO UPDATE")[0]) + "DO NOTHING"

    wrap(patch, dialect, "_replacing", keeping)


@planted
def postgres_gives_a_ticket_again(patch: Patch) -> None:
    def again(original: Any, self: PostgresTables, *given: Any) -> None:
        original(self, *given)
        self._run("UPDATE state SET tickets = tickets - 1 WHERE tickets > 1")

    wrap(patch, PostgresTables, "put_waiter", again)


# --- reading -------------------------------------------------------------------------------------


@planted
def whoever_has_not_read_claims(patch: Patch) -> None:
    patch.setattr(claims, "duty_in", nothing)


@planted
def the_guard_lets_those_write_who_have_not_read(patch: Patch) -> None:
    def lax(original: Any, self: MemoryReader, worktree: str, session: str, path: str) -> bool:
        return writable(self.data.state.leases.values(), session, worktree, path, self.now)

    wrap(patch, MemoryReader, "may_write", lax)


@planted
def a_receipt_for_other_bytes_counts(patch: Patch) -> None:
    def lax(original: Any, self: readings.Readings, documents: Any, how: str) -> Any:
        rows = {row.path: row for row in self.standing().rows}
        return original(self, [rows[one.path] for one in documents], how)

    wrap(patch, readings.Readings, "received", lax)


@planted
def a_role_asks_for_its_first_document_alone(patch: Patch) -> None:
    def short(original: Any, session: str, role: str, paths: Any, looked: Any) -> Any:
        return original(session, role, paths[:1], looked)

    wrap(patch, readings, "asked_by_role", short)


@planted
def sqlite_tells_the_guard_of_those_who_have_not_read(patch: Patch) -> None:
    patch.setattr(writer, "_SHOWN", writer._SHOWN.replace(MAY.format("?5"), "TRUE"))
