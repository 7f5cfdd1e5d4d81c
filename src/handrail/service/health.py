"""Is everything as it should be? The doctor, the store's own check, and its rebuilding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from handrail import errors
from handrail.config import load_compiled, parse_config
from handrail.core.decide import WAIT_KEPT_MS
from handrail.core.events import ConfigApplied
from handrail.core.lease import AGE_MAX_MS, Lease, renew_at
from handrail.core.ledger import Entry, Report, format_head, read_event, verify
from handrail.core.reading import unread
from handrail.core.record import Record
from handrail.core.state import InForce, State, replay
from handrail.service.context import Context
from handrail.service.identity import UNATTRIBUTED
from handrail.service.policy import rules_in_force
from handrail.service.records import broken_export
from handrail.store.port import Reader, Store

GOOD: Final = "good"
NOTE: Final = "note"
BAD: Final = "bad"
DAMAGE_SHOWN_MAX: Final = 20
DRIFT_MAX_MS: Final = 60_000


class Finding(Record):
    """One thing that was looked at."""

    name: str
    level: str
    sentence: str
    next: str | None = None


class Verified(Record):
    """What checking a store found."""

    report: Report
    integrity: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Tell whether nothing is wrong."""
        return not (self.report.problem or self.integrity or self.differences)


class Rebuilt(Record):
    """What rebuilding did: how many rows there are now, and the differences that it mended."""

    leases: int
    sessions: int
    mended: tuple[str, ...]
    epoch: str


def verify_store(
    store: Store, integrity: Sequence[str], tick: Callable[[int], None] | None = None
) -> Verified:
    """Verify the ledger, and compare the tables beside it with what it adds up to."""
    with store.read() as reader:
        entries = list(_ticked(reader.entries(), tick))
        report = verify(entries)
        differences: list[str] = []
        if report.problem is None:
            expected = replay(entries)
            differences = _beside(reader, report, entries, expected) + compare(reader, expected)
        return Verified(report, tuple(integrity), tuple(differences))


def _beside(reader: Reader, report: Report, entries: Sequence[Entry], expected: State) -> list[str]:
    """Name what stands beside the ledger and cannot be: its names and head, who waits."""
    created = read_event(entries[0]) if entries else None
    workspace = getattr(created, "workspace", reader.workspace)
    kept = {"head": reader.head, "epoch": reader.epoch, "workspace": reader.workspace}
    own = {"head": report.head, "epoch": report.epoch, "workspace": workspace}
    live = {name for name, session in expected.sessions.items() if session.live}
    latest = reader.now + WAIT_KEPT_MS
    return [
        f"the {name} beside the ledger is not the ledger's {name}"
        for name in kept
        if kept[name] != own[name]
    ] + [
        f"waiter {waiter.ticket} is not one that could be waiting"
        for waiter in reader.waiters()
        if waiter.session not in live or waiter.until > latest
    ]


def compare(reader: Reader, expected: State) -> list[str]:
    """Name every table that is not what the ledger adds up to.

    Expiries may be later than the grant said, by renewals, which are no history; the guard's table
    must agree with the leases to the row.
    """
    differences = []
    leases = {lease.token: lease for lease in reader.leases()}
    for token in sorted(leases.keys() | expected.leases.keys()):
        found, wanted = leases.get(token), expected.leases.get(token)
        if found is None or wanted is None:
            differences.append(f"lease {token} is {'missing' if found is None else 'invented'}")
        elif found._replace(expires_at=0) != wanted._replace(expires_at=0):
            differences.append(f"lease {token} is not what was granted")
        elif not wanted.expires_at <= found.expires_at <= wanted.granted_at + AGE_MAX_MS:
            differences.append(f"lease {token} ends when no renewal could let it end")
    sessions = {session.id: session for session in reader.sessions(ended=True)}
    differences += [
        f"session {name} is not what the ledger says"
        for name in sorted(sessions.keys() | expected.sessions.keys())
        if sessions.get(name) != expected.sessions.get(name)
    ]
    if reader.attestations() != expected.attestations:
        differences.append("the attestations are not those of the ledger")
    in_force = reader.config()
    plain = None if in_force is None else in_force._replace(compiled=None)
    if plain != expected.config:
        differences.append("the configuration in force is not the last one applied")
    elif in_force is not None and not _compiled_from_its_text(in_force):
        differences.append("the compiled configuration is not that of its text")
    differences += _left_and_landed(reader, expected)
    differences += _handed(reader, expected)
    guard = sorted(
        (
            *(lease.worktree, lease.session, pattern.text, lease.token),
            *(lease.expires_at, renew_at(lease)),
        )
        for lease in leases.values()
        for pattern in lease.patterns
        if not unread(expected.readings.get(lease.session, ()))
    )
    if sorted(reader.guard_rows()) != guard:
        differences.append("what the guard looks up is not what is held")
    index = {
        (pattern.anchor, lease.token) for lease in leases.values() for pattern in lease.patterns
    }
    if reader.index_rows() != sorted(index):
        differences.append("the index of anchors is not that of what is held")
    return differences


def _handed(reader: Reader, expected: State) -> list[str]:
    """Name what differs of tasks, packets, waivers and projections."""
    differences = []
    if {task.id: task for task in reader.tasks(closed=True)} != expected.tasks:
        differences.append("the tasks are not those of the ledger")
    packets = {(packet.task, packet.number): packet for packet in reader.packets()}
    if packets != expected.packets:
        differences.append("the packets are not those of the ledger")
    if {waiver.seq: waiver for waiver in reader.waivers(revoked=True)} != expected.waivers:
        differences.append("the waivers are not those of the ledger")
    if {(row.projection, row.key): row for row in reader.rows()} != expected.rows:
        differences.append("the rows of projections are not those of the ledger")
    if reader.readings() != expected.readings:
        differences.append("what sessions have to read is not what the ledger says")
    if reader.written_blobs() != expected.written:
        differences.append("what was written of projections is not what the ledger says")
    return differences


def _left_and_landed(reader: Reader, expected: State) -> list[str]:
    """Name what differs of what leases left and landed.

    Of what ran out, the ledger does not say whether it was settled since: less may be left.
    """
    differences = [
        f"what lease {orphan.token} left is not what the ledger says"
        for orphan in reader.orphans()
        if expected.orphans.get(orphan.token) != orphan
    ]
    left = {orphan.token for orphan in reader.orphans()}
    differences += [
        f"what lease {orphan.token} left unfinished is missing"
        for orphan in expected.orphans.values()
        if orphan.blobs is not None and orphan.token not in left
    ]
    if reader.landings() != sorted(expected.landings.values()):
        differences.append("the landings are not those of the ledger")
    return differences


def _compiled_from_its_text(in_force: InForce) -> bool:
    """Tell whether the compiled form, if there is one, says what the text says."""
    if in_force.compiled is None:
        return True
    try:
        return load_compiled(in_force.compiled) == parse_config(in_force.text.encode("utf-8"))
    except errors.NewerFormat:
        return True  # a later Handrail's, which also read the text
    except errors.HandrailError:
        return False


def rebuild(store: Store, tick: Callable[[int], None] | None = None) -> Rebuilt:
    """Make the tables anew from the store's own ledger, which must verify.

    A lease keeps its expiry where its row is still there; else it gets its whole TTL from now,
    since it may just have been renewed: nobody who holds it may lose it to the rebuilding.
    """
    with store.transaction() as tx:
        entries = list(_ticked(tx.entries(), tick))
        report = verify(entries)
        if report.problem is not None:
            raise errors.LedgerBroken(seq=report.problem.seq, reason=report.problem.reason)
        state = replay(entries)
        mended = _beside(tx, report, entries, state) + compare(tx, state)
        keep_expiries(state, tx)
        tx.replace(state)
        tx.commit([], UNATTRIBUTED)
        return Rebuilt(len(state.leases), len(state.sessions), tuple(mended), tx.epoch)


def keep_expiries(state: State, beside: Reader) -> None:
    """Let the leases of a replayed ledger end when they do: renewals say that, and no entry."""
    kept = {lease.token: lease for lease in beside.leases()}
    for token, lease in state.leases.items():
        state.leases[token] = _with_expiry(lease, kept.get(token), beside.now)


def _with_expiry(lease: Lease, kept: Lease | None, now: int) -> Lease:
    latest = lease.granted_at + AGE_MAX_MS
    if kept is not None and lease.expires_at <= kept.expires_at <= latest:
        return lease._replace(expires_at=kept.expires_at)
    return lease._replace(expires_at=max(lease.expires_at, min(now + lease.ttl_ms, latest)))


def sound_prefix(entries: Sequence[Entry]) -> list[Entry]:
    """Return the longest beginning of a ledger that verifies by itself."""
    sound = list(entries)
    while sound:
        problem = verify(sound).problem
        if problem is None:
            break
        del sound[max(problem.seq - 1, 0) :]
    return sound


class Inheritance(Record):
    """What a lost store leaves to the one that follows it."""

    workspace: str
    predecessor: str
    config: str | None


def inheritance(entries: Sequence[Entry], file: str) -> Inheritance:
    """Read a lost store's export for its successor; raises LedgerBroken, MalformedLedger."""
    report = verify(entries)
    if report.problem is not None:
        raise broken_export(report.problem)
    if not entries or report.epoch is None:
        raise errors.MalformedLedger(file=file, reason="it holds no entry")
    first = read_event(entries[0])
    workspace = getattr(first, "workspace", None)
    if not isinstance(workspace, str):
        raise errors.MalformedLedger(file=file, reason="its first entry does not begin a store")
    config = None
    for entry in entries:
        event = read_event(entry)
        if isinstance(event, ConfigApplied):
            config = event.text
    return Inheritance(workspace, format_head(report.epoch, report.head), config)


def examine(
    context: Context, *, integrity: Sequence[str], database: str, git: str, wall_ms: int
) -> list[Finding]:
    """Look at everything that can be looked at quickly."""
    found = [
        Finding("git", GOOD, git),
        Finding(database.partition(" ")[0].lower(), GOOD, database),
    ]
    found += damage(integrity)
    with context.store.read() as reader:
        sentence = f"epoch {reader.epoch}, {reader.head.seq} entries, workspace {reader.workspace}"
        found.append(Finding("store", GOOD, sentence))
        drift = abs(reader.now - wall_ms)
        if drift > DRIFT_MAX_MS:
            sentence = (
                f"store time and wall clock differ by {drift // 1000} s; leases follow the store"
            )
            found.append(Finding("clock", NOTE, sentence))
        rules = rules_in_force(reader)
        found.append(_config_finding(context.outside.config_file(), rules.in_force.text))
        dead = sum(not lease.live(reader.now) for lease in reader.leases())
        if dead:
            sentence = f"{dead} expired leases wait to be recorded; the next claim near them does"
            found.append(Finding("leases", NOTE, sentence))
        found.append(_session_finding(context, reader))
    return found


def damage(integrity: Sequence[str]) -> list[Finding]:
    """Say what is wrong with the file or the schema itself, one finding for each thing."""
    return [
        Finding("store", BAD, f"it is damaged: {sentence}", "handrail store rebuild")
        for sentence in integrity[:DAMAGE_SHOWN_MAX]
    ]


def _config_finding(text: bytes | None, in_force: str) -> Finding:
    if text is None:
        sentence = "this working tree has no handrail.toml; the one in force counts"
        return Finding("configuration", NOTE, sentence)
    if text.decode("utf-8", "surrogateescape") != in_force:
        sentence = "handrail.toml differs from what is in force"
        return Finding("configuration", NOTE, sentence, "handrail config apply")
    return Finding("configuration", GOOD, "handrail.toml is in force")


def _session_finding(context: Context, reader: Reader) -> Finding:
    from handrail.service.identity import require_session

    if context.caller.session is None:
        return Finding("session", GOOD, "none in this environment")
    try:
        session = require_session(reader, context)
    except errors.Refused as refusal:
        return Finding("session", BAD, refusal.message, refusal.next)
    return Finding("session", GOOD, f"{session.id}, agent {session.agent}, role {session.role}")


def _ticked(entries: Iterable[Entry], tick: Callable[[int], None] | None) -> Iterable[Entry]:
    for number, entry in enumerate(entries, 1):
        if tick is not None and number % 10_000 == 0:
            tick(number)
        yield entry
