"""Who holds what: the board, and why a path may or may not be written."""

from __future__ import annotations

from handrail import errors
from handrail.core.decide.edit import is_exempt
from handrail.core.lease import Lease, Session, Waiter
from handrail.core.ledger import Head
from handrail.core.record import Record
from handrail.core.scope import matches, normalise_path, parse_pattern
from handrail.core.task import Task, task_of
from handrail.service.context import Context
from handrail.service.enforcement import paused_until
from handrail.service.identity import require_session
from handrail.service.policy import Rules, duty_in, rules_in_force
from handrail.store.port import Reader


class Status(Record):
    """What stands in the store; times in ms since 1970 on its clock.

    ``tasks`` are the open ones, each with the checkpoint at which a person has to decide, or None;
    ``unread`` is what the asking session has to read before it writes.
    """

    workspace: str
    epoch: str
    head: Head
    now: int
    mode: str
    config: str
    leases: tuple[Lease, ...]
    waiters: tuple[Waiter, ...]
    sessions: tuple[Session, ...]
    mine: str | None
    paused_until: int | None
    tasks: tuple[tuple[Task, str | None], ...]
    unread: tuple[str, ...] = ()


class Why(Record):
    """What Handrail knows of one path."""

    path: str
    verdict: str
    reason: str
    roles: tuple[str, ...]
    leases: tuple[Lease, ...]
    session: str | None
    epoch: str
    next: str | None


class Board:
    """The use cases that only look."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def status(self) -> Status:
        """Return who holds what, who waits, and whether the file's configuration is in force."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            now = reader.now
            return Status(
                workspace=reader.workspace,
                epoch=reader.epoch,
                head=reader.head,
                now=now,
                mode=rules.settings.workspace.mode,
                config=self._config_state(rules),
                leases=tuple(lease for lease in reader.leases() if lease.live(now)),
                waiters=tuple(waiter for waiter in reader.waiters() if waiter.until > now),
                sessions=tuple(reader.sessions()),
                mine=self._mine(reader),
                paused_until=paused_until(reader),
                tasks=_tasks(reader, rules),
                unread=tuple(row.path for row in reader.unread(self._mine(reader) or "")),
            )

    def _mine(self, reader: Reader) -> str | None:
        named = self._context.caller.session
        session = None if named is None else reader.session(named)
        return None if session is None or not session.live else session.id

    def _config_state(self, rules: Rules) -> str:
        """Compare the working tree's file with what is in force: same, differs, missing."""
        text = self._context.outside.config_file()
        if text is None:
            return "missing"
        in_force = rules.in_force.text.encode("utf-8", "surrogateescape")
        return "same" if text == in_force else "differs"

    def why(self, path: str) -> Why:
        """Say who holds a path, whose lane it lies in, and whether the asker may write it."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            settings, now = rules.settings, reader.now
            plain = normalise_path(path, fold_case=settings.workspace.fold_case)
            session: Session | None = None
            problem: errors.Refused | None = None
            try:
                session = require_session(reader, self._context)
            except errors.Refused as refusal:
                problem = refusal
            holders = tuple(
                lease
                for lease in self._near(reader, plain)
                if lease.live(now) and any(matches(pattern, plain) for pattern in lease.patterns)
            )
            roles = tuple(
                name
                for name, lane in rules.policy.lanes.items()
                if any(matches(pattern, plain) for pattern in (*lane, *rules.policy.commons))
            )
            verdict, reason, step = _judge(rules, plain, session, problem, holders, roles)
            if session is not None and not is_exempt(rules.policy, plain):
                said = (verdict, reason, step)
                verdict, reason, step = _bound(reader, rules, session, plain) or said
            mine = None if session is None else session.id
            return Why(plain, verdict, reason, roles, holders, mine, reader.epoch, step)

    def _near(self, reader: Reader, path: str) -> list[Lease]:
        """Return the leases near a path, which need not be one that a pattern can name."""
        try:
            return list(reader.near((parse_pattern(path),)))
        except errors.MalformedScope:
            return reader.leases()


def _bound(
    reader: Reader, rules: Rules, session: Session, path: str
) -> tuple[str, str, str | None] | None:
    """Say why the session's task does not let it write a path; None if it does."""
    duty = duty_in(reader, rules, session)
    if duty is None:
        return None
    from handrail.core.duty import check_write

    try:
        check_write(duty, path)
    except errors.Refused as refusal:
        return "no", refusal.message.rstrip("."), refusal.next
    return None


def _tasks(reader: Reader, rules: Rules) -> tuple[tuple[Task, str | None], ...]:
    found = reader.tasks()
    if not rules.settings.phases:
        return tuple((task, None) for task in found)
    from handrail.service.phases import pending, workflow_of

    return tuple((task, pending(workflow_of(rules), task)) for task in found)


def _judge(
    rules: Rules,
    path: str,
    session: Session | None,
    problem: errors.Refused | None,
    holders: tuple[Lease, ...],
    roles: tuple[str, ...],
) -> tuple[str, str, str | None]:
    from handrail.core.scope.naming import scope_for
    from handrail.text import scope_word, visible

    shown, scope = visible(path), scope_for(path)
    if scope is None:
        return "no", f"{shown} belongs to git", None
    claim = f"handrail claim {scope_word(scope)}"
    if any(matches(pattern, path) for pattern in rules.policy.exempt):
        return "yes", f"{shown} is exempt: it needs no lease", None
    if session is not None and any(lease.session == session.id for lease in holders):
        return "yes", f"session {session.id} holds {shown}", None
    others = [lease for lease in holders if session is None or lease.session != session.id]
    if others:
        first = others[0]
        task = task_of(first.session)
        if task is not None:
            reason = f"{shown} is reserved for task {task}, until its packet is answered"
            return "no", reason, f"handrail task show {task}"
        reason = f"{shown} is held by session {first.session} (role {first.role or '-'})"
        return "no", reason, f"{claim} --wait"
    if session is None:
        step = None if problem is None else problem.next
        return "no", f"{shown} is free, and you have no session", step
    if (
        session.role is not None
        and session.role in rules.policy.lanes
        and session.role not in roles
    ):
        return "no", f"{shown} lies outside the lane of role {session.role}", claim
    return "no", f"{shown} is free; nobody holds it", claim
