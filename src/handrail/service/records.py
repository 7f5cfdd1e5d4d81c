"""Reading, proving, exporting, importing and redacting the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from handrail import errors
from handrail.core.events import HistoryImported, PayloadRedacted
from handrail.core.lease import Actor
from handrail.core.ledger import (
    Entry,
    Head,
    Header,
    Problem,
    Report,
    export_lines,
    format_head,
    format_token,
    parse_head,
    read_header,
    verify,
)
from handrail.core.record import Record
from handrail.core.state import replay
from handrail.service.context import Context
from handrail.service.identity import acting
from handrail.service.policy import rules_in_force
from handrail.service.sessions import OR_COORDINATOR, person_proof
from handrail.store.port import Store, Tx

BATCH = 1_000


class Line(Record):
    """An entry, decoded for reading; ``fields`` is None where the payload was redacted."""

    header: Header
    hash: str
    fields: dict[str, object] | None


class Records:
    """The use cases around the ledger."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def log(self, limit: int) -> list[Line]:
        """Return the last ``limit`` entries, oldest first."""
        with self._store.read() as reader:
            return [_checked_line(entry) for entry in reader.newest(limit)]

    def verify(
        self, heads: Sequence[str] = (), tick: Callable[[int], None] | None = None
    ) -> Report:
        """Verify this store's ledger against itself and the given heads; ``tick`` sees progress.

        Raises ForeignEpoch for a head of another store.
        """
        with self._store.read() as reader:
            own = [_own_head(reader.epoch, text) for text in heads]
            kept = Head(*reader.head)
            report = verify(_ticking(reader.entries(), tick), own)
            if report.problem is None and report.head != kept:
                problem = errors.LedgerBroken(seq=kept.seq, reason="the store's head differs")
                raise problem
            return report

    def head(self) -> str:
        """Return this ledger's head as text, to be kept elsewhere."""
        with self._store.read() as reader:
            return format_head(reader.epoch, reader.head)

    def export(self) -> Iterator[bytes]:
        """Yield the ledger as lines, byte for byte as it was hashed."""
        with self._store.read() as reader:
            yield from export_lines(reader.entries(), reader.epoch)

    def import_history(self, entries: Sequence[Entry], source: str) -> int:
        """Enter another ledger's entries as history; returns how many. They give no token.

        The entries must verify. What was imported before is not entered again.
        """
        report = verify(entries)
        if report.problem is not None:
            raise broken_export(report.problem)
        with self._store.read() as reader:
            if report.epoch == reader.epoch:
                raise errors.MalformedLedger(file=source, reason="it is this store's own ledger")
            actor = acting(reader, self._context)
        return enter_history(self._store, entries, actor)

    def redact(self, seq: int, reason: str) -> Entry:
        """Remove the payload of an entry for good; the chain keeps its hash.

        Needs a person or a coordinator. What is live or in force cannot be redacted.
        """
        with self._store.transaction() as tx:
            actor = acting(tx, self._context)
            rules = rules_in_force(tx)
            role = rules.policy.roles.get(actor.role or "")
            if role is None or not role.coordinates:
                command = ("ledger", "redact", str(seq), "--reason", reason)
                person_proof(self._context.caller, "redacting the ledger", command, OR_COORDINATOR)
            entry = next(tx.entries(seq - 1, seq), None) if seq > 0 else None
            if entry is None:
                raise errors.UnknownEntry(seq=seq, head=tx.head.seq)
            _check_redactable(tx, entry, actor, in_force=rules.in_force.seq == seq)
            tx.redact(seq)
            entries = tx.commit([PayloadRedacted(seq, reason)], actor)
        return entries[0]


def broken_export(problem: Problem) -> errors.LedgerBroken:
    """Say that an export does not verify; the store here may still give a whole one."""
    step = "handrail ledger verify"
    return errors.LedgerBroken(seq=problem.seq, reason=problem.reason, next=step)


def enter_history(store: Store, entries: Sequence[Entry], actor: Actor) -> int:
    """Enter verified entries as history, in batches; those entered before are passed over."""
    done = 0
    for start in range(0, len(entries), BATCH):
        with store.transaction() as tx:
            events = []
            for entry in entries[start : start + BATCH]:
                header = read_header(entry.header)
                source = format_token(header.epoch, entry.seq)
                if tx.latest("history.imported", source) is None:
                    events.append(HistoryImported(source, header.at, _record(entry)))
            tx.commit(events, actor)
        done += len(events)
    return done


def _record(entry: Entry) -> str:
    record = {
        "header": entry.header.decode("ascii"),
        "payload": None if entry.payload is None else entry.payload.decode("ascii"),
    }
    return json.dumps(record, separators=(",", ":"), ensure_ascii=True)


def _check_redactable(tx: Tx, entry: Entry, actor: Actor, *, in_force: bool) -> None:
    """Refuse to redact what the tables rest on: without it they could not be made anew."""
    seq = entry.seq
    if entry.payload is None:
        raise errors.Usage(reason=f"Entry {seq} was redacted already.", next="handrail log")
    if in_force:
        what, step = "the configuration in force", "handrail config apply"
        raise errors.StillLive(seq=seq, what=what, next=step)
    lease = tx.lease(seq)
    if lease is not None:
        token = format_token(tx.epoch, seq)
        raise errors.StillLive(
            seq=seq,
            what=f"the grant of a live lease (token {token})",
            token=token,
            session=lease.session,
            next=f"handrail release {token}" if actor.session == lease.session else None,
        )
    entries = list(tx.entries())
    without = [other if other.seq != seq else entry._replace(payload=None) for other in entries]
    kind = read_header(entry.header).kind
    if kind == "store.created" or vars(replay(entries)) != vars(replay(without)):
        what = f"a {kind} that the tables rest on"
        raise errors.StillLive(seq=seq, what=what, next="handrail log")


def _checked_line(entry: Entry) -> Line:
    try:
        return read_line(entry)
    except ValueError as error:
        reason = f"it cannot be read ({error})"
        raise errors.LedgerBroken(seq=entry.seq, reason=reason) from error


def read_line(entry: Entry) -> Line:
    """Decode an entry for reading; the salt says nothing to anybody and is left out."""
    header = read_header(entry.header)
    fields = None if entry.payload is None else json.loads(entry.payload)
    if isinstance(fields, dict):
        fields.pop("salt", None)
    return Line(header, entry.hash, fields)


def _own_head(epoch: str, text: str) -> Head:
    found, head = parse_head(text)
    if found != epoch:
        raise errors.ForeignEpoch(token=text, epoch=epoch)
    return head


def _ticking(entries: Iterable[Entry], tick: Callable[[int], None] | None) -> Iterable[Entry]:
    if tick is None:
        return entries
    return _counted(entries, tick)


def _counted(entries: Iterable[Entry], tick: Callable[[int], None]) -> Iterator[Entry]:
    for number, entry in enumerate(entries, 1):
        if number % 10_000 == 0:
            tick(number)
        yield entry
