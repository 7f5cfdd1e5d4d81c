"""The end of a turn: what a session still has to hand over, and what it stood at.

Promises: a turn that ends is something to say of only where ``[handoff] on_stop`` asks for it and
the session accepted or opened a task, wrote under it, and neither offered it nor waits for a
person. Nothing here reads what an agent said. What a session stood at when its harness shortened
its thread is one entry, bounded, of what Handrail itself knows.

    due = Turns(context).due(standing.dirty, there=lambda path: False)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from handrail import errors
from handrail.config import Settings
from handrail.core.decide.handoff import fits
from handrail.core.events import KIND_OF
from handrail.core.handed import PacketAccepted, SessionCompacted, TaskTaken
from handrail.core.lease import Lease, Session
from handrail.core.ledger import read_event, read_header
from handrail.core.record import Record
from handrail.core.scope import matches, normalise_path
from handrail.core.task import OPEN, Task
from handrail.core.workflow import artifact_path
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session
from handrail.service.policy import Rules, rules_in_force
from handrail.store.port import Reader
from handrail.text import shell_quote, visible
from handrail.typed import Final

OFF: Final = "off"
NOTE_BYTES_MAX: Final = 4_096
NAMED_MAX: Final = 40
PATH_CHARS_MAX: Final = 200
ATTESTED_MAX: Final = 200


class Due(Record):
    """A task that a session leaves lying: what happened to it, and the command that leads on."""

    task: str
    sentence: str
    next: str


class Turns:
    """The use cases around the end of a turn."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def on_stop(self) -> str:
        """Return what the end of a turn asks for: off, remind or block."""
        with self._store.read() as reader:
            return rules_in_force(reader).settings.handoff.on_stop

    def acting(self) -> tuple[str, ...]:
        """Return the open tasks that the asking session holds; none where it is not live."""
        with self._store.read() as reader:
            try:
                session = require_session(reader, self._context)
            except errors.UnknownSession:
                return ()
            return tuple(task.id for task in reader.tasks() if task.holder == session.id)

    def due(self, dirty: Sequence[str], there: Callable[[str], bool]) -> Due | None:
        """Return the first task that the asking session wrote under and left lying.

        ``dirty`` are the paths that differ from HEAD; ``there`` tells whether a file is there.
        """
        with self._store.read() as reader:
            try:
                session = require_session(reader, self._context)
            except errors.UnknownSession:
                return None
            rules = rules_in_force(reader)
            for task in reader.tasks():
                began = _began(reader, rules, session, task)
                if began is None or not _wrote(reader, rules, session, began, dirty):
                    continue
                due = _due(rules.settings, task, there)
                if due is not None:
                    return due
        return None

    def compacted(self, trigger: str, dirty: Sequence[str]) -> bool:
        """Record what the asking session stands at; returns False if that is nothing."""
        with self._store.transaction() as tx:
            session = require_session(tx, self._context)
            held = [lease for lease in tx.leases(session.id) if lease.live(tx.now)]
            tasks = [task for task in tx.tasks() if task.holder == session.id]
            if not (held or tasks or dirty):
                return False
            note = _bounded(_note(tx, session, held, tasks, dirty))
            tx.commit([SessionCompacted(session.id, trigger, note)], actor_of(session))
            return True

    def note_of(self, session: str | None) -> str | None:
        """Return what a session stood at when its thread was shortened last."""
        if session is None:
            return None
        with self._store.read() as reader:
            entry = reader.latest(KIND_OF[SessionCompacted], session)
            event = None if entry is None else read_event(entry)
            return event.note if isinstance(event, SessionCompacted) else None


def _began(reader: Reader, rules: Rules, session: Session, task: Task) -> int | None:
    """Return the entry by which a session took a task up; None where it is not its to hand over."""
    packet = reader.packet(task.id, task.number)
    waits = packet is not None and packet.state == OPEN
    if task.holder == session.id:
        return None if waits else _taken(reader, session, task)
    if task.holder is not None or packet is None or not waits or packet.number != 1:
        return None
    # Who opened a task for itself acts for it, whether it accepted the first packet or not.
    entry = next(reader.entries(packet.seq - 1, packet.seq), None)
    opener = None if entry is None else read_header(entry.header).session
    return packet.seq if opener == session.id and fits(rules.policy, session, packet) else None


def _taken(reader: Reader, session: Session, task: Task) -> int:
    seqs = [0]
    for kind in (PacketAccepted, TaskTaken):
        entry = reader.latest(KIND_OF[kind], task.id)
        event = None if entry is None else read_event(entry)
        if entry is not None and isinstance(event, kind) and event.session == session.id:
            seqs.append(entry.seq)
    return max(seqs)


def _wrote(
    reader: Reader, rules: Rules, session: Session, began: int, dirty: Sequence[str]
) -> bool:
    """Tell whether a session left unfinished work that it holds, or a commit, since an entry."""
    fold = rules.settings.workspace.fold_case
    patterns = [
        pattern
        for lease in reader.leases(session.id)
        if lease.live(reader.now)
        for pattern in lease.patterns
    ]
    for raw in dirty if patterns else ():
        path = normalise_path(raw, fold_case=fold)
        if any(matches(pattern, path) for pattern in patterns):
            return True
    attested = sorted(reader.attestations(began).values())[-ATTESTED_MAX:]
    return any(
        read_header(entry.header).session == session.id
        for seq in attested
        for entry in reader.entries(seq - 1, seq)
    )


def _due(settings: Settings, task: Task, there: Callable[[str], bool]) -> Due | None:
    """Say what is left to do for a task; None where a person has the next word."""
    if task.stopped(settings.handoff.halt_after):
        return None
    name = shell_quote(task.id)
    if task.holder is None:
        sentence = f"you opened task {task.id} and wrote, and have not accepted its packet"
        return Due(task.id, sentence, f"handrail handoff accept {name}")
    phase = next((one for one in settings.phases if one.name == task.phase), None)
    if phase is not None and phase.checkpoint is not None and task.next_phase is None:
        folder, artifact = settings.workspace.evidence, phase.artifact
        path = None if artifact is None else artifact_path(task.id, artifact, folder)
        if path is None or there(path):
            return None
        sentence = f"phase {phase.name} of task {task.id} ends with {path}, which is not there"
        return Due(task.id, sentence, f"handrail task show {name}")
    sentence = f"you act for task {task.id} and wrote, and have neither offered nor blocked it"
    return Due(task.id, sentence, f"handrail handoff offer --task {name} -m MESSAGE")


def _note(
    reader: Reader,
    session: Session,
    held: Sequence[Lease],
    tasks: Sequence[Task],
    dirty: Sequence[str],
) -> Iterator[str]:
    role = f", role {session.role}" if session.role else ""
    yield f"session {session.id} of {session.agent}{role}"
    for task in tasks:
        phase = f", phase {task.phase}" if task.phase else ""
        yield f"task {task.id}{phase}, packet {task.number:03d}: {visible(task.title)}"
    yield from _paths("holds", [text for lease in held for text in lease.scope])
    waiting = [packet for packet in reader.packets(settled=False) if packet.session == session.id]
    for packet in waiting[:NAMED_MAX]:
        receiver = packet.to_role or "anybody"
        yield f"offered packet {packet.number:03d} of task {packet.task} to {receiver}"
    yield from _paths("unfinished", dirty)


def _paths(title: str, paths: Sequence[str]) -> Iterator[str]:
    if paths:
        yield f"{title}:"
        yield from (f"  {visible(path[:PATH_CHARS_MAX])}" for path in paths[:NAMED_MAX])
        if len(paths) > NAMED_MAX:
            yield f"  and {len(paths) - NAMED_MAX} more"


def _bounded(lines: Iterator[str]) -> str:
    """Join whole lines, as many as fit."""
    kept: list[str] = []
    left = NOTE_BYTES_MAX
    for line in lines:
        left -= len(line.encode("utf-8", "replace")) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join(kept)
