"""What gates look at around a packet: what it names, its file, the receipts, where HEAD stands.

Promise: the ledger's word counts, never a file's; paths are looked at in the packet's own commit,
or in HEAD where it is not offered yet. Nothing is written.

    to_offer(reader, grounds, rules, task, content).named
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from handrail.core.digest import sha256
from handrail.core.events import KIND_OF
from handrail.core.ledger import read_event, read_header
from handrail.core.packet import pretty
from handrail.core.reading import unread
from handrail.core.receipts import EvidenceRecorded
from handrail.core.scope import matches, normalise_path
from handrail.core.task import ACCEPTED, COMPLETE, OPEN, Packet, Task, file_name
from handrail.gates.facts import Cited, Handed, Named, Noted
from handrail.gates.gate import Gate
from handrail.gates.packet import EDITED, MISSING, receipt_number
from handrail.gates.references import ALLOWED
from handrail.gates.states import problem_of
from handrail.service.evidence_runs import Bench, contradicted, receipt_of
from handrail.service.packet_text import packet_text
from handrail.service.policy import Rules
from handrail.store.port import Reader
from handrail.typed import Any, Final, Protocol

COPIES_MAX: Final = 100


class Grounds(Bench, Protocol):
    """Where gates look. What cannot be read is FactsUnavailable."""

    def head(self) -> str:
        """Return the commit of HEAD; '' where there is none yet."""

    def held(self, commit: str, paths: list[str]) -> dict[str, bytes | None]:
        """Return the files that a commit holds at these paths; None for a folder."""

    def here(self, path: str) -> bytes | None:
        """Return the bytes of a file of the working tree; None if there is none."""

    def projection(self, path: str) -> bytes | None:
        """Return the bytes of a projection of the working tree; None if there is none."""

    def has_commit(self, name: str) -> bool:
        """Tell whether HEAD has the commit of this id, or of an id that begins so."""

    def exported(self, name: str) -> bytes | None:
        """Return the file of a packet; None if there is none."""

    def relation(self, commit: str) -> tuple[bool, bool, bool]:
        """Tell whether a commit is here, whether HEAD has it, and whether HEAD is behind it."""

    def changed_since(self, base: str) -> frozenset[str]:
        """Return the paths that the own commits since ``base`` changed."""

    def compared(self, ref: str) -> tuple[str, dict[str, str]]:
        """Return where HEAD left a ref, and what it changed since: path to blob, '' if removed."""

    def plugin(self, name: str) -> Gate:
        """Load the gate of a plugin."""

    def rehearse(
        self, path: str, script: bytes, words: tuple[str, ...], launch: str
    ) -> tuple[int, str]:
        """Run a script with a launch line of one's own: its exit status, what it printed."""

    def health(self, address: str) -> int:
        """Return the HTTP status that a service answers with."""


def to_offer(
    reader: Reader,
    grounds: Grounds,
    rules: Rules,
    task: Task,
    content: Mapping[str, Any] | None,
    again: str = "",
    at: str = "",
) -> Handed:
    """Return a packet that is not offered yet; ``content`` is None where nobody wrote one.

    ``at`` is the commit that it is to be offered at, '' where there is none.
    """
    said = dict(content or {})
    named = _named(grounds, at, said, rules.settings.workspace.evidence)
    return Handed(
        task=task.id,
        kind=said.get("kind", COMPLETE),
        written=content is not None,
        content=said,
        again=again,
        base=base_of(reader, task, said),
        phases=tuple(phase.name for phase in rules.settings.phases),
        named=named,
        copies=_copies(reader, grounds, task),
        receipts=receipts_of(reader, said),
    )


def received(
    reader: Reader,
    grounds: Grounds,
    rules: Rules,
    packet: Packet,
    at: str,
    own: Collection[str] = (),
    session: str | None = None,
) -> Handed:
    """Return a packet that was offered, as its receiver finds it ``at`` a commit, that of HEAD."""
    evidence = rules.settings.workspace.evidence
    stored = packet_text(reader, packet)
    content = json.loads(stored)
    head = str(content.get("metadata", {}).get("head") or "")
    present = contained = behind = bool(head)
    if head and head != at:
        present, contained, behind = grounds.relation(head)
    name = file_name(packet.task, packet.number)
    there = grounds.exported(name)
    copies = () if there == pretty(stored) else ((name, MISSING if there is None else EDITED),)
    return Handed(
        task=packet.task,
        kind=packet.kind,
        packet=packet,
        content=content,
        stored=stored,
        named=_named(grounds, head if present else "", content, evidence),
        copies=copies,
        receipts=receipts_of(reader, content),
        present=present,
        contained=contained,
        behind=behind,
        own=frozenset(own),
        unread=_unread(reader, packet, content, session),
        accepted=packet.state == ACCEPTED and packet.by == session,
    )


def _unread(
    reader: Reader, packet: Packet, content: Mapping[str, Any], session: str | None
) -> tuple[str, ...]:
    """Return what a session has to read by now, or will have to by a packet that waits."""
    if session is None:
        return ()
    rows = reader.reading(session)
    if packet.state != OPEN:
        return tuple(row.path for row in unread(rows))
    known = {row.path for row in rows if row.how or row.fault}
    named = content.get("context", {}).get("required_reading", ())
    return tuple(path for path in named if path not in known)


def _named(
    grounds: Grounds, commit: str, content: Mapping[str, Any], evidence: str
) -> tuple[Named, ...]:
    rows = _rows(content)
    held = grounds.held(commit, list(dict.fromkeys(path for _, path, _ in rows))) if rows else {}
    found = []
    for field, path, digest in rows:
        here = grounds.here(path) if path.startswith(f"{evidence}/") else None
        there = held.get(path)
        content_of = there if there is not None else here
        found.append(
            Named(
                field=field,
                path=path,
                digest=digest,
                held=None if path not in held else _digest(there) or "",
                here=_digest(here),
                problem=None if content_of is None else problem_of(path, content_of),
            )
        )
    return tuple(found)


def _rows(content: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
    """Return (field, path, digest) of the paths that a packet names."""
    context, made = content.get("context", {}), content.get("artifacts", {})
    rows: list[tuple[str, str, str | None]] = [
        ("context.required_reading", path, None) for path in context.get("required_reading", ())
    ]
    for name in ("produced", "consumed"):
        for one in made.get(name, ()):
            path, digest = (
                (one["path"], one.get("sha256")) if isinstance(one, dict) else (one, None)
            )
            rows.append((f"artifacts.{name}", path, digest))
    allowed = content.get("metadata", {}).get("worktree_allowlist_paths", ())
    return [*rows, *((ALLOWED, path, None) for path in allowed)]


def _digest(content: bytes | None) -> str | None:
    return None if content is None else sha256(content).hexdigest()


def with_digests(content: Mapping[str, Any], handed: Handed, commit: str) -> dict[str, Any]:
    """Return the artifacts of a packet with the SHA-256 and the commit of what they are now."""
    known = {(one.field, one.path): one for one in handed.named}
    made: dict[str, Any] = dict(content.get("artifacts", {}))
    for name in ("produced", "consumed"):
        if name not in made:
            continue
        rows = []
        for one in made[name]:
            row = dict(one) if isinstance(one, dict) else {"path": one}
            found = known.get((f"artifacts.{name}", row["path"]))
            digest = None if found is None else found.held or found.here
            if digest and "sha256" not in row:
                row["sha256"] = digest
            if found is not None and found.held is not None:
                row.setdefault("commit", commit)
            rows.append(row)
        made[name] = rows
    return made


def _copies(reader: Reader, grounds: Grounds, task: Task) -> tuple[tuple[str, str], ...]:
    found = []
    for packet in reader.packets(task.id)[-COPIES_MAX:]:
        name = file_name(packet.task, packet.number)
        there = grounds.exported(name)
        # A file that is lost, or was never in this working tree, is no matter of the giver's.
        if there is not None and there != pretty(packet_text(reader, packet)):
            found.append((name, EDITED))
    return tuple(found)


def receipts_of(reader: Reader, content: Mapping[str, Any]) -> tuple[tuple[int, Cited], ...]:
    """Return the receipts of this ledger that evidence and claims name, by their numbers."""
    entries = [*content.get("evidence", ()), *content.get("claims", ())]
    numbers = {receipt_number(entry, reader.epoch) for entry in entries}
    found = []
    for number in sorted(one for one in numbers if one is not None and one <= reader.head.seq):
        entry = next(reader.entries(number - 1, number), None)
        if entry is None or read_header(entry.header).kind != KIND_OF[EvidenceRecorded]:
            continue
        event = read_event(entry)
        if isinstance(event, EvidenceRecorded):
            otherwise = contradicted(reader, receipt_of(entry, event)) or 0
            row = Cited(event.argv, event.succeeded, event.tree, event.dirt, otherwise)
            found.append((number, row))
    return tuple(found)


def base_of(reader: Reader, task: Task, content: Mapping[str, Any]) -> str | None:
    """Return the commit that a task began from, by its packets, else by what somebody says."""
    for packet in reader.packets(task.id):
        said = json.loads(packet_text(reader, packet)).get("metadata", {})
        if said.get("base") or said.get("head"):
            return str(said.get("base") or said.get("head"))
    base = content.get("metadata", {}).get("base")
    return None if base is None else str(base)


def notes_of(grounds: Grounds, rules: Rules, base: str | None) -> tuple[Noted, ...]:
    """Return what the commits since ``base`` changed in lanes whose roles keep a note."""
    roles = [role for role in rules.settings.roles if role.note is not None]
    if not roles or base is None:
        return ()
    fold = rules.settings.workspace.fold_case
    changed = grounds.changed_since(base)
    paths = {path: normalise_path(path, fold_case=fold) for path in sorted(changed)}
    found = []
    for role in roles:
        lane = [rules.pattern(text) for text in role.lane]
        hit = next(
            (
                path
                for path, normal in paths.items()
                if path != role.note and any(matches(pattern, normal) for pattern in lane)
            ),
            None,
        )
        found.append(Noted(role.name, role.note or "", hit, role.note in changed))
    return tuple(found)


def open_task(reader: Reader, name: str) -> Task:
    """Return a task that is open; raises UnknownTask and TaskOver."""
    from handrail.core.task import CLOSED
    from handrail.errors.handoff import TaskOver
    from handrail.service.lapses import task_named

    found = task_named(reader, name)
    if found.state == CLOSED:
        raise TaskOver(task=name)
    return found
