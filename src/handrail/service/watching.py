"""Triggers on documents: a field of a JSON file that says something fires them.

Promises: documents are looked at when a session begins, when it accepts a packet and after it
edited one; what is not JSON, is too large or has no such field fires nothing and, if it cannot be
read, is told; while the packet of a document is on its way or in work, no second one is made: who
comes by waits for the first, and who works on it is left alone.

    Watching(context, firing, watched).all()         # (HandedOff | None, ("plans/a.json: …",))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from handrail import errors
from handrail.core.decide.leaving import handed_off
from handrail.core.handed import TriggerFired
from handrail.core.record import Record
from handrail.core.scope import Pattern, matches, normalise_path
from handrail.core.task import ACCEPTED, BLOCK, OPEN, Packet, Task
from handrail.core.trigger import DOCUMENT, Row, is_from
from handrail.service.context import Context
from handrail.service.firing import Firing, Tried
from handrail.service.identity import actor_of, require_session
from handrail.service.packet_text import packet_text
from handrail.service.policy import Rules, rules_in_force
from handrail.service.stops import stop_of
from handrail.service.triggers import as_what, rows_of
from handrail.store.port import Reader
from handrail.text import visible
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handrail.config.records import When

Search = Callable[[Pattern], tuple[list[tuple[str, bytes | str]], bool]]
"""Finds the documents under a glob with their bytes, or why one cannot be read; and if all."""

TOLD_MAX: Final = 5


class Seen(Record):
    """What looking at documents led to: a refusal if a trigger fired; what could not be read."""

    fired: errors.Refused | None = None
    told: tuple[str, ...] = ()


class Watching:
    """The use case of looking at documents."""

    def __init__(self, context: Context, firing: Firing, search: Search) -> None:
        self._context = context
        self._store = context.store
        self._firing = firing
        self._search = search

    def all(self, edited: Sequence[str] | None = None) -> Seen:
        """Look at all documents, or at those ``edited``, and let the first trigger fire."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            watched = [
                (row, one.when)
                for row, one in zip(rows_of(rules), rules.settings.triggers, strict=True)
                if row.event == DOCUMENT
            ]
            if not watched:
                return Seen()
            session = require_session(reader, self._context)
            if stop_of(reader, rules.policy, session) is not None:
                return Seen()
            acts = as_what(rules, session)
        told: list[str] = []
        for row, when in watched:
            pattern = rules.pattern(when.glob or "")
            if not is_from(row, acts):
                continue
            if edited is not None and not _any(rules, pattern, edited):
                continue
            found, whole = self._search(pattern)
            if not whole:
                told.append(f"more lies under {visible(pattern.text)} than is looked at")
            for path, content in found:
                hit = _says(content, when)
                if isinstance(hit, str):
                    told.append(f"{visible(path)} cannot be read: {hit}")
                elif hit:
                    said = f"{visible(path)} says {when.field} = {json.dumps(when.equals)}."
                    finding = {"gate": DOCUMENT, "code": row.id, "message": said, "path": path}
                    fired = self._fire(row, path, Tried(said, (finding,)))
                    if fired is not None:
                        return Seen(fired, tuple(told[:TOLD_MAX]))
        return Seen(None, tuple(told[:TOLD_MAX]))

    def _fire(self, row: Row, path: str, tried: Tried) -> errors.Refused | None:
        """Offer a packet, or stop the session behind one that is about the same document."""
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            session = require_session(tx, self._context)
            there = list(_about(tx, row.id, path))
            if any(task.holder == session.id for task, _ in there):
                return None
            if there:
                packet = there[0][1]
                fired = TriggerFired(
                    *(session.id, row.id, DOCUMENT, path),
                    *(packet.task, packet.number, packet.to_role),
                )
                tx.commit([*handed_off(tx.leases(session.id)), fired], actor_of(session))
        if not there:
            return self._firing.row(row, path, tried)
        with self._store.read() as reader:
            return stop_of(reader, rules.policy, session)


def _about(reader: Reader, trigger: str, path: str) -> Iterator[tuple[Task, Packet]]:
    """Yield the packets of a trigger about a document that wait or are worked on."""
    for task in reader.tasks():
        for packet in reader.packets(task.id):
            if packet.kind != BLOCK or packet.state not in (OPEN, ACCEPTED):
                continue
            content = json.loads(packet_text(reader, packet))
            findings = content.get("metadata", {}).get("findings", ())
            about = {one.get("path") for one in findings if isinstance(one, dict)}
            if content.get("trigger") == trigger and visible(path) in about:
                yield task, packet


def _any(rules: Rules, pattern: Pattern, paths: Iterable[str]) -> bool:
    fold = rules.settings.workspace.fold_case
    return any(matches(pattern, normalise_path(path, fold_case=fold)) for path in paths)


def _says(content: bytes | str, when: When) -> bool | str:
    """Tell whether a document says what a trigger waits for, or why nobody can tell."""
    if isinstance(content, str):
        return content
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return "it is no JSON"
    if not _is(value, when.field or "", when.equals):
        return False
    return when.unless is None or not _is(value, when.unless.field, when.unless.equals)


def _is(value: object, field: str, wanted: object) -> bool:
    for name in field.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    return type(value) is type(wanted) and value == wanted
