"""Required reading: what a session has to have read before it writes, and how it came to be read.

Promises: a document is bound to the bytes that it had when it was asked for (as the session began,
took a role or accepted a packet); looking at files happens outside the transaction that asks;
receipts of hooks and claims are entered as what they are, and count the same; a receipt is for the
bytes that lie there now, so one for other bytes than were asked for is not entered.

    Readings(context).saw(("AGENTS.md",), READ)    # a hook saw it: ReadingDone, if it is asked for
    Readings(context).claim(("AGENTS.md",))        # somebody says so
    Readings(context).standing().left              # what is still to read
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from handrail import errors
from handrail.core.decide.handoff import fits
from handrail.core.handed import ReadingAsked, ReadingDone
from handrail.core.lease import Session
from handrail.core.reading import (
    CLAIMED,
    DOCUMENTS_MAX,
    Document,
    ToRead,
    awaited,
    source_of_packet,
    source_of_role,
    unread,
)
from handrail.core.reading import done as with_receipts
from handrail.core.record import Record
from handrail.core.task import Packet
from handrail.errors.handoff import ReadingNotAsked
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session
from handrail.service.packet_text import packet_text
from handrail.service.policy import rules_in_force
from handrail.store.port import Reader

Looked = Mapping[str, Document]
"""Documents that were looked at, by the path under which they are asked for."""


class Standing(Record):
    """What a session has to read or has read, in the order in which it was asked for."""

    session: Session
    rows: tuple[ToRead, ...]

    @property
    def left(self) -> tuple[ToRead, ...]:
        """What stands between the session and its first edit."""
        return unread(self.rows)


class Claimed(Record):
    """What a claim led to: the rows that it is about, and those whose files changed meanwhile."""

    standing: Standing
    rows: tuple[ToRead, ...]
    before: tuple[str, ...]
    changed: tuple[str, ...]


# --- asking --------------------------------------------------------------------------------------


def look(context: Context, paths: Sequence[str]) -> Looked:
    """Look at documents, outside all transactions; of very many only the first are opened."""
    names = list(dict.fromkeys(paths))
    found = context.outside.documents(names[:DOCUMENTS_MAX])
    fault = f"more than {DOCUMENTS_MAX} documents are asked for at once"
    more = [Document(path, fault=fault) for path in names[DOCUMENTS_MAX:]]
    return {one.path: one for one in (*found, *more)}


def asked_by_role(
    session: str, role: str, paths: Sequence[str], looked: Looked
) -> tuple[ReadingAsked, ...]:
    """Return what a role asks a session to read; empty even so, where it had another role."""
    return (_asked(session, source_of_role(role), paths, looked, binds=True),)


def asked_by_packet(
    session: str, packet: Packet, paths: Sequence[str], looked: Looked, *, binds: bool
) -> tuple[ReadingAsked, ...]:
    """Return what a packet asks a session to read; nothing if that is nothing."""
    source = source_of_packet(packet.task, packet.number)
    return (_asked(session, source, paths, looked, binds=binds),) if paths else ()


def _asked(
    session: str, source: str, paths: Sequence[str], looked: Looked, *, binds: bool
) -> ReadingAsked:
    found = [looked[path] for path in dict.fromkeys(paths)]
    documents = tuple((one.path, one.digest, one.commit, one.fault) for one in found)
    return ReadingAsked(session, source, binds, documents)


def named_by(reader: Reader, packet: Packet | None) -> tuple[str, ...]:
    """Return the required reading that a packet names."""
    if packet is None:
        return ()
    context = json.loads(packet_text(reader, packet)).get("context", {})
    return tuple(context.get("required_reading", ()))


# --- the use cases -------------------------------------------------------------------------------


class Readings:
    """The use cases of required reading."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def standing(self) -> Standing:
        """Return what the asking session has to read or has read."""
        with self._store.read() as reader:
            session = require_session(reader, self._context)
            return Standing(session, reader.reading(session.id))

    def expect(self) -> None:
        """Ask for the reading of the packets that wait for the asking session, if it accepts them.

        It does not bind before that; what is read by then is read.
        """
        with self._store.read() as reader:
            session = require_session(reader, self._context)
            policy = rules_in_force(reader).policy
            waiting = [p for p in reader.packets(settled=False) if fits(policy, session, p)]
            named = [(packet, named_by(reader, packet)) for packet in waiting]
            known = {row.path for row in reader.reading(session.id)}
        news = [(packet, paths) for packet, paths in named if not known.issuperset(paths)]
        if not news:
            return
        looked = look(self._context, [path for _, paths in news for path in paths])
        asked = [
            event
            for packet, paths in news
            for event in asked_by_packet(session.id, packet, paths, looked, binds=False)
        ]
        with self._store.transaction() as tx:
            session = require_session(tx, self._context)
            tx.commit(asked, actor_of(session))

    def saw(self, paths: Sequence[str], how: str) -> Standing:
        """Enter that the asking session was shown these files whole, as they lie there now.

        ``paths`` are free of links, or a link and its end. What nobody asked for, and other bytes
        than were asked for, are no receipt.
        """
        before = self.standing()
        meant = [row for row in awaited(before.rows) if self._names(row.path) & set(paths)]
        looked = look(self._context, [row.path for row in meant]) if meant else {}
        return self.received([looked[row.path] for row in meant], how)

    def received(self, documents: Iterable[Document], how: str) -> Standing:
        """Enter receipts for the bytes of these documents, as far as those are asked for."""
        seen = {(one.path, one.digest) for one in documents if not one.commit}
        with self._store.transaction() as tx:
            session = require_session(tx, self._context)
            rows = [
                row for row in awaited(tx.reading(session.id)) if (row.path, row.digest) in seen
            ]
            if rows:
                receipts = tuple((row.path, row.digest, "") for row in rows)
                tx.commit([ReadingDone(session.id, how, receipts)], actor_of(session))
            return Standing(session, tx.reading(session.id))

    def claim(self, paths: Sequence[str], *, dry_run: bool = False) -> Claimed:
        """Enter that somebody says the asking session read these, as they were asked for.

        The entry is a claim: it names the bytes that lie there now where those are others. Raises
        ReadingNotAsked.
        """
        standing = self.standing()
        rows = tuple(dict.fromkeys(self._meant(standing, path) for path in paths))
        open_ = awaited(rows)
        now = look(self._context, [row.path for row in open_]) if open_ else {}
        receipts = tuple((row.path, row.digest, _other(row, now[row.path])) for row in open_)
        done = ReadingDone(standing.session.id, CLAIMED, receipts)
        if receipts and not dry_run:
            with self._store.transaction() as tx:
                session = require_session(tx, self._context)
                rows_now = tx.reading(session.id)
                if with_receipts(rows_now, done) != rows_now:
                    tx.commit([done], actor_of(session))
                standing = Standing(session, tx.reading(session.id))
        changed = tuple(row.path for row in open_ if now[row.path].digest != row.digest)
        before = tuple(row.path for row in rows if row not in open_)
        return Claimed(standing, rows, before, changed)

    def _meant(self, standing: Standing, path: str) -> ToRead:
        """Return the row that somebody means by a path, through links too."""
        named = [row for row in standing.rows if row.path == path]
        named += [row for row in standing.rows if self._names(row.path) & self._names(path)]
        if not named:
            raise ReadingNotAsked(session=standing.session.id, path=path)
        return named[0]

    def _names(self, path: str) -> set[str]:
        """Return a path and where it leads; itself alone where that is out of the tree."""
        names = {path}
        with suppress(errors.MalformedScope, OSError, ValueError):
            names.update(self._context.outside.resolved(path))
        return names


def _other(row: ToRead, now: Document) -> str:
    return "" if now.digest == row.digest else now.digest
