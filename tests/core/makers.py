"""Short ways to write sessions, leases, waiters and policies down, and events by Hypothesis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from handrail.core.decide import Changes, Claim, Policy, View, decide
from handrail.core.events import KINDS, Event
from handrail.core.lease import EXCLUSIVE, Actor, Kind, Lease, Session, Waiter
from handrail.core.ledger import GENESIS, Entry, Head, seal
from handrail.core.role import WORKSPACE_WRITE, Role
from handrail.core.scope import Pattern, parse_pattern

EPOCH: Final = "3fk2ap7q"
NOW: Final = 1_767_225_600_000
SECOND: Final = 1_000
MINUTE: Final = 60_000
HOUR: Final = 3_600_000
ANYBODY: Final = Policy({}, {})


def patterns(*texts: str) -> tuple[Pattern, ...]:
    return tuple(parse_pattern(text) for text in texts)


def a_session(
    id: str = "mine", *, agent: str | None = None, role: str | None = None, worktree: str = "tree-1"
) -> Session:
    return Session(id, agent or f"agent-{id}", role, worktree, NOW - HOUR, None, "0" * 64)


def a_lease(
    token: int,
    session: str,
    *texts: str,
    kind: Kind = EXCLUSIVE,
    worktree: str = "tree-1",
    role: str | None = None,
    granted_at: int = NOW - MINUTE,
    ttl_ms: int = HOUR,
    expires_at: int | None = None,
    lasting: bool = True,
) -> Lease:
    return Lease(
        token=token,
        session=session,
        agent=f"agent-{session}",
        role=role,
        kind=kind,
        worktree=worktree,
        patterns=patterns(*texts),
        granted_at=granted_at,
        ttl_ms=ttl_ms,
        expires_at=granted_at + ttl_ms if expires_at is None else expires_at,
        lasting=lasting,
    )


def a_waiter(
    ticket: int,
    session: str,
    *texts: str,
    kind: Kind = EXCLUSIVE,
    worktree: str = "tree-1",
    until: int = NOW + 10 * SECOND,
) -> Waiter:
    return Waiter(ticket, session, kind, worktree, patterns(*texts), NOW - SECOND, until)


def a_claim(
    session: Session | str,
    *texts: str,
    kind: Kind = EXCLUSIVE,
    ttl_ms: int = HOUR,
    role: str | None = None,
    ticket: int | None = None,
    lasting: bool = True,
) -> Claim:
    who = a_session(session) if isinstance(session, str) else session
    return Claim(who, patterns(*texts), kind, ttl_ms, role, ticket, lasting)


def a_role(
    name: str,
    *lane: str,
    sandbox: str = WORKSPACE_WRITE,
    may_write: Sequence[str] = (),
) -> Role:
    return Role(name, name, lane, None, (), sandbox, tuple(may_write), False)


def a_policy(
    *roles: Role,
    contended: Iterable[str] = (),
    exempt: Iterable[str] = (),
    many_roles: bool = False,
) -> Policy:
    """Give the policy that a configuration with these roles compiles to."""
    lanes = {
        role.name: patterns(*(() if role.sandbox == "read-only" else role.lane), *role.may_write)
        for role in roles
    }
    return Policy(
        {role.name: role for role in roles},
        lanes,
        patterns(*contended),
        patterns(*exempt),
        many_roles,
    )


def ask(
    claim: Claim,
    *leases: Lease,
    waiters: Sequence[Waiter] = (),
    policy: Policy = ANYBODY,
    now: int = NOW,
) -> Changes:
    """Decide a claim beside these leases and waiters."""
    return decide(View(EPOCH, leases, waiters, policy), claim, now)


# --- events --------------------------------------------------------------------------------------

numbers = st.integers(min_value=0, max_value=2**53)
words = st.text(max_size=12)
scope_texts = st.lists(
    st.sampled_from(["src/api", "src/*.py", "**/*.lock", "docs", "*", "é/x y"]),
    min_size=1,
    max_size=3,
    unique=True,
)

# What a field may hold, by its name; written down apart from the core's own table on purpose.
FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    **dict.fromkeys(("workspace", "blob", "text", "proof", "session", "agent", "worktree"), words),
    **dict.fromkeys(("secret_hash", "reason", "commit", "tree", "paths_hash", "source"), words),
    **dict.fromkeys(("record", "task", "title", "packet", "packet_kind", "packet_hash"), words),
    **dict.fromkeys(("predecessor", "role", "change", "holder"), st.none() | words),
    **dict.fromkeys(("from_role", "to_role"), st.none() | words),
    **dict.fromkeys(("ttl_ms", "expires_at", "expired_at", "claimed_at", "token"), numbers),
    **dict.fromkeys(("seq", "paths", "until", "number", "lapses_at"), numbers),
    "kind": st.sampled_from(["exclusive", "local"]),
    **dict.fromkeys(("about", "ended", "output_hash", "output_tail", "dirt", "folder"), words),
    **dict.fromkeys(("gate", "tests_hash"), st.none() | words),
    **dict.fromkeys(("output_bytes", "duration_ms"), numbers),
    **dict.fromkeys(("exit_status", "tests_passed"), st.none() | numbers),
    **dict.fromkeys(("phase", "checkpoint", "decision", "leads_to", "by", "stage"), words),
    **dict.fromkeys(("trigger", "note", "process", "projection", "key", "verdict", "how"), words),
    "for_task": st.none() | words,
    **dict.fromkeys(("times", "waiver", "receipt", "rerun", "advised", "judged"), numbers),
    **dict.fromkeys(("ends_at", "uses"), st.none() | numbers),
    "gates": st.lists(words, max_size=3).map(tuple),
    "argv": st.lists(words, max_size=3).map(tuple),
    "disturbed": st.booleans(),
    "lasting": st.booleans(),
    "patterns": scope_texts.map(tuple),
    "returns": scope_texts.map(tuple),
    "parents": st.lists(words, max_size=2).map(tuple),
    **dict.fromkeys(("beside", "written"), st.lists(numbers, max_size=3).map(tuple)),
    **dict.fromkeys(("code", "path", "event"), words),
    "rounds": numbers,
    "counts": st.lists(st.tuples(words, numbers), max_size=3).map(tuple),
    "cover": st.lists(st.tuples(numbers, numbers), max_size=3).map(tuple),
    "blobs": st.none() | st.lists(st.tuples(words, words), max_size=3).map(tuple),
    "found": st.lists(st.tuples(words, words), max_size=3).map(tuple),
    **dict.fromkeys(
        ("updates", "receipts"), st.lists(st.tuples(words, words, words), max_size=3).map(tuple)
    ),
    "documents": st.lists(st.tuples(words, words, words, words), max_size=3).map(tuple),
    "binds": st.booleans(),
    "commits": st.lists(words, max_size=3).map(tuple),
}


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Give any event of one kind."""
    return st.builds(kind, **{field: FIELDS[field] for field in kind._fields})


events = st.one_of([events_of(kind) for kind in KINDS.values()])
actors = st.builds(Actor, *[st.none() | st.text(max_size=12)] * 3)


def a_ledger(
    history: Iterable[tuple[Actor, Event]], *, epoch: str = EPOCH, start_ms: int = NOW
) -> list[Entry]:
    """Seal a history into entries, a second apart."""
    head, entries = GENESIS, []
    for number, (actor, event) in enumerate(history):
        entry = seal(head, epoch, start_ms + number * SECOND, actor, event, f"{number:016x}")
        entries.append(entry)
        head = Head(entry.seq, entry.hash)
    return entries
