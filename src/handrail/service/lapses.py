"""Offers that nobody answered in time: recorded when somebody next comes near them.

Promise: no job runs for this. A packet past its time counts as lapsed at once; that it did is
recorded, in a transaction of its own, before anybody is granted what it kept reserved and before
anything else happens to its task.

    record_lapse(context, "fix-login")   # True if there was something to record
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail import errors
from handrail.core.decide.desk import Desk, Settle
from handrail.core.decide.handoff import decide_lapse
from handrail.core.decide.view import View
from handrail.core.lease import TTL_MAX_MS, Session
from handrail.core.scope import Pattern, stored_pattern
from handrail.core.task import Task, reserved_for
from handrail.errors.handoff import UnknownTask
from handrail.service.context import Context
from handrail.service.edits import view_of
from handrail.service.identity import UNATTRIBUTED
from handrail.service.phases import entering, workflow_of
from handrail.service.policy import Rules, rules_in_force
from handrail.store.port import Reader, Tx

BLOCK_LAPSE_MS = 2 * 3_600_000
"""How long a packet of kind ``block`` waits at most: somebody cannot go on."""


def lapse_ms(rules: Rules, kind: str = "") -> int:
    """Return how long an offer of a kind waits for its answer; no lease lives longer."""
    wait = rules.settings.limits.lapse_after_ms
    wait = min(wait, BLOCK_LAPSE_MS) if kind == "block" else wait
    return max(1_000, min(wait, TTL_MAX_MS))


def task_named(reader: Reader, task: str) -> Task:
    """Return a task; raises UnknownTask."""
    found = reader.task(task) if task.isascii() else None  # no store asks for half a character
    if found is None:
        raise UnknownTask(task=task)
    return found


def desk_of(
    tx: Tx, rules: Rules, task: Task, session: Session | None, patterns: Sequence[Pattern] = ()
) -> Desk:
    """Return what a decision about a task has to see."""
    packet = tx.packet(task.id, task.number)
    held = tx.leases(reserved_for(task.id))
    near = [*patterns, *(pattern for lease in held for pattern in lease.patterns)]
    if packet is not None:
        near += [stored_pattern(text) for text in packet.patterns]
    view = View(tx.epoch, (), (), rules.policy, (), (), tx.head.seq)
    if near and session is not None:
        view = view_of(tx, rules, session, near)
    elif near:
        view = view._replace(leases=tuple(tx.near(near)))
    own = [] if session is None else tx.leases(session.id)
    others: list[Task] = []
    if rules.policy.phases or rules.policy.required:
        others = [other for other in tx.tasks() if other.id != task.id]
        own += [] if task.holder is None else tx.leases(task.holder)
    leases = {lease.token: lease for lease in (*view.leases, *own, *held)}
    return Desk(
        view=view._replace(leases=tuple(leases[token] for token in sorted(leases))),
        task=task,
        packet=packet,
        giver=None if packet is None else _live(tx, packet.session),
        holder=_live(tx, task.holder or ""),
        halt_after=rules.settings.handoff.halt_after,
        others=tuple(others),
        waiting=tuple(
            p for p in (tx.packets(settled=False) if others else ()) if p.task != task.id
        ),
        workflow=workflow_of(rules),
        entering=entering(tx, rules, packet),
    )


def _live(tx: Reader, name: str) -> Session | None:
    session = tx.session(name)
    return session if session is not None and session.live else None


def singles(context: Context, desk: Desk, patterns: Sequence[Pattern] = ()) -> frozenset[str]:
    """Return the literal patterns in question that are no folder now: they mean one path."""
    known = [pattern for lease in desk.view.leases for pattern in lease.patterns]
    offered = [] if desk.packet is None else map(stored_pattern, desk.packet.patterns)
    texts = {p.text for p in (*known, *patterns, *offered) if p.is_literal}
    return frozenset(text for text in texts if not context.outside.is_folder(text))


def settle_of(
    context: Context, rules: Rules, desk: Desk, session: Session | None, reason: str
) -> Settle:
    """Return the question of ending a task's packet or the task itself, for a reason.

    Without a session a person decides, or time.
    """
    return Settle(
        session=session,
        reason=reason,
        ttl_ms=rules.settings.limits.ttl_ms,
        lapse_ms=lapse_ms(rules),
        single=singles(context, desk),
    )


def record_lapse(context: Context, task: str) -> bool:
    """Record what ran out for a task; tells whether anything had."""
    with context.store.transaction() as tx:
        rules, found = rules_in_force(tx), tx.task(task)
        if found is None:
            return False
        desk = desk_of(tx, rules, found, None)
        settle = settle_of(context, rules, desk, None, "lapsed")
        changes = decide_lapse(desk, settle, tx.now)
        tx.commit(changes, UNATTRIBUTED)
    return bool(changes)


def record_due(context: Context) -> None:
    """Record every packet that has lapsed by now."""
    try:
        with context.store.read() as reader:
            due = [p.task for p in reader.packets(settled=False) if p.lapses_at <= reader.now]
    except errors.NotInitialised:
        return
    for task in due:
        record_lapse(context, task)
