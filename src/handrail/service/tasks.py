"""Opening, looking at and closing tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from handrail import errors
from handrail.config import Settings
from handrail.core.decide.checkpoint import decide_resume
from handrail.core.decide.handoff import decide_close, decide_open
from handrail.core.events import Event
from handrail.core.lease import Lease, Session
from handrail.core.record import Record
from handrail.core.task import (
    OPEN,
    TASK_CHARS_MAX,
    TITLE_CHARS_MAX,
    Packet,
    Task,
    check_task,
    reserved_for,
)
from handrail.errors.handoff import TaskExists
from handrail.service.context import Context
from handrail.service.identity import UNATTRIBUTED, acting, actor_of, require_session
from handrail.service.lapses import desk_of, lapse_ms, record_due, settle_of, task_named
from handrail.service.phases import artifact_of, check_first, pending, workflow_of
from handrail.service.policy import Rules, rules_in_force
from handrail.service.sessions import OR_COORDINATOR, person_proof
from handrail.store.port import Reader
from handrail.text import visible
from handrail.typed import Any, Final, Protocol

FAMILY_MAX: Final = 1_000
"""So many tasks of one name and different numbers there are at most."""


class TaskShown(Record):
    """A task with its packets, what it holds reserved, and who is at it.

    ``pending`` is the checkpoint at which a person has to decide, None where none waits;
    ``artifact`` is the file that its phase leaves.
    """

    task: Task
    packets: tuple[Packet, ...]
    reserved: tuple[Lease, ...]
    epoch: str
    now: int
    halted: bool
    pending: str | None
    artifact: str | None


class ClosingGates(Protocol):
    """The gates that stand before the end of a task."""

    def close(self, task: str | None) -> Callable[[Reader, Rules, Session], Sequence[Event]] | None:
        """Judge the task that the asking session works on; returns what looks again at the end."""


class Tasks:
    """The use cases around tasks."""

    def __init__(self, context: Context, gates: ClosingGates | None = None) -> None:
        self._context = context
        self._store = context.store
        self._gates = gates

    def open(
        self,
        task: str,
        title: str | None = None,
        to_role: str | None = None,
        given: Mapping[str, Any] | None = None,
        check: Callable[[Reader, Rules], None] = lambda reader, rules: None,
    ) -> TaskShown:
        """Open a task with packet 1 to a role, the first one of the configuration by default.

        ``given`` is what else the packet says; ``check`` looks first, within the transaction, and
        raises what it minds. Raises MalformedName, UnknownRole, TaskExists,
        MalformedPacket.
        """
        name, title = check_task(task), title or task
        if len(title) > TITLE_CHARS_MAX or not title.isprintable():
            reason = f"A title is one printable line of at most {TITLE_CHARS_MAX} characters."
            raise errors.Usage(reason=reason, next="handrail task new --help")
        base, _ = self._context.outside.at_head()  # what the work begins from
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            actor = acting(tx, self._context)
            check(tx, rules)
            known = tx.task(name)
            if known is not None:
                raise TaskExists(task=name, state=known.state)
            names = [role.name for role in rules.settings.roles]
            check_receiver(rules.settings, to_role, f"handrail task new {name} --to")
            wanted, first = check_first(rules, name, to_role), workflow_of(rules).first
            wanted = wanted if wanted is not None else next(iter(names), None)
            lapse = lapse_ms(rules)
            changes = decide_open(name, title, wanted, tx.now, lapse, first, base, given)
            tx.commit(changes, actor)
            return shown_task(tx, task_named(tx, name), rules)

    def all(self, *, closed: bool = False) -> list[TaskShown]:
        """Return the tasks that are open, or all of them."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            return [shown_task(reader, task, rules) for task in reader.tasks(closed=closed)]

    def show(self, task: str | None = None) -> TaskShown:
        """Return a task; the one that the asking session acts for if none is named."""
        with self._store.read() as reader:
            rules, name = rules_in_force(reader), task
            if name is None:
                name = own_task(reader, require_session(reader, self._context), "task show").id
            return shown_task(reader, task_named(reader, name), rules)

    def close(self, task: str | None = None, reason: str = "closed") -> TaskShown:
        """Close a task; what it holds reserved is free.

        Who acts for the task may, a coordinator, and a person at a terminal. Whoever closes what
        it worked on itself passes the gates of a complete handoff first; a person decides.
        """
        record_due(self._context)
        check = None if self._gates is None else self._gates.close(task)
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            session: Session | None = None
            if self._context.caller.session is None:
                words = ("task", "close", *((task,) if task is not None else ()))
                person_proof(self._context.caller, "closing a task", words, OR_COORDINATOR)
            else:
                session = require_session(tx, self._context)
            name = task
            if name is None:
                if session is None:
                    raise errors.Usage(reason="Which task?", next="handrail task list")
                name = own_task(tx, session, "task close").id
            found = task_named(tx, name)
            role = None if session is None else rules.policy.roles.get(session.role or "")
            entitled = session is None or (role is not None and role.coordinates)
            counted: Sequence[Event] = ()
            if check is not None and session is not None:
                counted = check(tx, rules, session)
            desk = desk_of(tx, rules, found, session)
            settle = settle_of(self._context, rules, desk, session, reason)
            changes = decide_close(desk, settle._replace(entitled=entitled), tx.now)
            actor = UNATTRIBUTED if session is None else actor_of(session)
            tx.commit([*changes, *counted], actor)
            return shown_task(tx, task_named(tx, name), rules)

    def resume(self, task: str | None = None, reason: str = "resumed") -> TaskShown:
        """Let a task go on that was halted or waits at a checkpoint, as a person at a terminal.

        Raises NeedsPerson, UnknownTask, TaskOver, NotHalted.
        """
        words = ("task", "resume", *((task,) if task is not None else ()))
        proof = person_proof(self._context.caller, "resuming a task", words)
        record_due(self._context)
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            if task is None:
                shown = [shown_task(tx, one, rules) for one in tx.tasks()]
                stuck = [one.task for one in shown if one.halted or one.task.waits_at is not None]
                task = the_one(stuck, "Here halts or waits", "task resume").id
            desk = desk_of(tx, rules, task_named(tx, task), None)
            tx.commit(decide_resume(desk, reason, proof), UNATTRIBUTED)
            return shown_task(tx, task_named(tx, task), rules)


def shown_task(reader: Reader, task: Task, rules: Rules) -> TaskShown:
    """Return a task with what belongs to it."""
    held = [lease for lease in reader.leases(reserved_for(task.id)) if lease.live(reader.now)]
    return TaskShown(
        task=task,
        packets=tuple(reader.packets(task.id)),
        reserved=tuple(held),
        epoch=reader.epoch,
        now=reader.now,
        halted=task.halted(rules.settings.handoff.halt_after),
        pending=pending(workflow_of(rules), task),
        artifact=artifact_of(workflow_of(rules), task),
    )


def acts_for_any(reader: Reader, session: Session) -> bool:
    """Tell whether a session acts for any open task."""
    return any(task.holder == session.id for task in reader.tasks())


def task_for(reader: Reader, session: Session, branch: str | None) -> Task:
    """Return a task that is to be opened for what a session hands over: branch, session, new."""
    words = "-".join(filter(None, (branch, session.id))).lower()
    plain = "".join(char if char.isascii() and char.isalnum() else "-" for char in words)
    slug = "-".join(filter(None, plain.split("-"))) or "task"
    slug = f"task-{slug}" if slug.isdigit() else slug
    for number in range(1, FAMILY_MAX):
        tail = "" if number == 1 else f"-{number}"
        name = slug[: TASK_CHARS_MAX - len(tail)].rstrip("-") + tail
        if reader.task(name) is None:
            title = f"work of session {session.id}" + (f" on {visible(branch)}" if branch else "")
            return Task(name, title[:TITLE_CHARS_MAX], OPEN, reader.now, 0, None, None, 0, 0)
    raise TaskExists(task=slug, state=OPEN)


def own_task(reader: Reader, session: Session, command: str) -> Task:
    """Return the one open task that a session acts for; raises Usage where it is not one."""
    return the_one(
        [task for task in reader.tasks() if task.holder == session.id],
        f"Session {session.id} acts for",
        command,
    )


def the_one(tasks: Sequence[Task], whose: str, command: str) -> Task:
    """Return the only task there is to mean; raises Usage."""
    if len(tasks) == 1:
        return tasks[0]
    if not tasks:
        reason, step = f"{whose} no task: name one.", "handrail task list"
    else:
        names = ", ".join(task.id for task in tasks)
        reason, step = f"{whose} several tasks ({names}): name one.", f"handrail {command} "
        step += tasks[0].id
    raise errors.Usage(reason=reason, next=step)


def check_receiver(settings: Settings, wanted: str | None, command: str) -> None:
    """Refuse a receiver that no session can be: no role and no family has that name."""
    names = [*(role.name for role in settings.roles), *(role.family for role in settings.roles)]
    if wanted is None or wanted in names:
        return
    from handrail.core.nearest import nearest

    close = nearest(wanted, names)
    raise errors.UnknownRole(
        role=wanted, nearest=close, next=f"{command} {close}" if names else "handrail task list"
    )
