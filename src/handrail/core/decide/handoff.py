"""The rules for tasks and packets: opening, offering, and the four ends of an offer.

Promises: a packet's number is the one after its task's newest; an offer is refused while another of
its task is open; one that is open ends once, by an acceptance, a refusal, its giver or time; from
the offer on its scope is the task's own, under a lease: the giver's token is dead for it, and
nobody else is granted it (P1 and P2 hold by the rules for leases alone). What goes back to a giver
never goes over the head of somebody who holds it by then.

    events = decide_offer(desk, Offer(session, patterns, draft, 86_400_000), now)
"""

from __future__ import annotations

from collections.abc import Mapping

from handrail.core.decide.claim import texts
from handrail.core.decide.desk import Accept, Desk, Offer, Settle
from handrail.core.decide.leaving import confined, leaving
from handrail.core.decide.parts import common, leftover
from handrail.core.decide.phases import (
    arrives_in,
    check_close,
    entered,
    next_phase,
    written_over,
)
from handrail.core.decide.reserved import again, back, own, received, reserve, reserved, tokens
from handrail.core.decide.view import Changes, Policy, View
from handrail.core.duty import acts_as, is_for, not_yours, why_stopped
from handrail.core.events import LeaseReleased, LeaseRenewed, NoticeLeft, SessionRoleChanged
from handrail.core.handed import (
    PacketAccepted,
    PacketDeclined,
    PacketLapsed,
    PacketOffered,
    PacketReturned,
    PacketWithdrawn,
    TaskClosed,
    TaskOpened,
    TaskTaken,
)
from handrail.core.lease import Lease, Session
from handrail.core.ledger import format_token
from handrail.core.packet import SCHEMA, canonical, check_packet, draft, packet_hash
from handrail.core.role import WORKSPACE_WRITE
from handrail.core.scope import Pattern, overlap, stored_pattern
from handrail.core.task import (
    CLOSED,
    COMPLETE,
    DECLINED,
    LAPSED,
    OPEN,
    RETURNED,
    SYSTEM,
    Packet,
    Task,
)
from handrail.core.workflow import Phase
from handrail.errors import handoff as refusals
from handrail.text import rfc3339
from handrail.typed import Any

BY_PACKET = "packet"
"""What shows that a session acts as another role: that it accepted a packet for that one."""


def decide_open(
    task: str,
    title: str,
    to_role: str | None,
    now: int,
    lapse_ms: int,
    phase: Phase | None = None,
    base: str = "",
    given: Mapping[str, Any] | None = None,
) -> Changes:
    """Open a task with its first packet, which the system gives; it leads to the first phase.

    ``base`` is HEAD, if known; ``given`` what the packet is to say.
    """
    first = PacketOffered(
        *(task, 1, COMPLETE, SYSTEM, "", "system", to_role, (), (), 0, now + lapse_ms, "", "")
    )
    desk = Desk(View(""), Task(task, title, OPEN, now, 0, None, None, 0, 0))
    over = {**(given or {}), "to_role": to_role}
    written = draft({"context": {"task_description": title}}, over)
    if base:
        written = draft({"metadata": {}, **written}, {"metadata": {"base": base}})
    written = written_over(desk, phase, written)
    return [TaskOpened(task, title), _written(first, written, None, now)]


def decide_offer(desk: Desk, offer: Offer, now: int) -> Changes:
    """Give the packet its number and reserve its scope.

    Raises TaskOver, Halted, PacketOpen, HandedOff, ScopeCut, MalformedPacket, what ``next_phase``
    refuses and what a claim of the scope would raise.
    """
    task, session, view = desk.task, offer.session, desk.view
    _check_live(desk, told=offer.stops)
    if desk.packet is not None and desk.packet.state == OPEN:
        raise refusals.PacketOpen(
            task=task.id, number=desk.packet.number, to_role=desk.packet.to_role or "anybody"
        )
    _check_acts(desk, session)
    written = written_over(desk, next_phase(desk, offer), offer.draft)
    changes: Changes = [
        LeaseReleased(lease.token, "lapsed")
        for lease in reserved(view, task)
        if not lease.live(now)
    ]
    given: list[Lease] = []
    rests: Changes = []
    for lease in own(view, session, task, now):
        if overlap(lease.patterns, offer.patterns) is None:
            continue
        rest = leftover(view.epoch, lease, offer.patterns, offer.single)
        given.append(lease)
        changes.append(LeaseReleased(lease.token, "offered"))
        if rest:
            rests.append(again(lease, rest))
    gone = {change.token for change in changes if isinstance(change, LeaseReleased)}
    left = tuple(lease for lease in view.leases if lease.token not in gone)
    changes += [*rests, *reserve(view._replace(leases=left), session.agent, task, offer, now)]
    held = tuple(pattern for lease in given for pattern in lease.patterns)
    token = max(tokens(changes, view.head), default=0) if offer.patterns else 0
    event = PacketOffered(
        task=task.id,
        number=task.number + 1,
        packet_kind=offer.draft.get("kind", COMPLETE),
        session=session.id,
        agent=session.agent,
        from_role=session.role,
        to_role=offer.draft.get("to_role"),
        patterns=texts(offer.patterns),
        returns=texts(common(offer.patterns, held, offer.single)),
        token=token,
        lapses_at=now + offer.ttl_ms,
        packet_hash="",
        packet="",
    )
    newest = max((lease.token for lease in given if lease.session == session.id), default=None)
    named = None if newest is None else format_token(view.epoch, newest)
    changes.append(_written(event, written, named, now))
    return leaving(desk, changes, session, stops=offer.stops)


def decide_accept(desk: Desk, accept: Accept, now: int) -> Changes:
    """Give the receiver what it may hold of the scope, under a new token, and enter the phase.

    Raises TaskOver, Halted, NoHandoff, NotYourHandoff, HandedOff and what a claim would raise, also
    NeedsFacts.
    """
    task, packet, session = desk.task, desk.packet, accept.session
    _check_live(desk)
    if packet is None or packet.state != OPEN:
        return _take_up(desk, accept, now)
    _check_open(desk, now)
    taking: Changes = []
    if accept.role is not None:
        said = f"packet {packet.number} of task {task.id}"
        taking.append(SessionRoleChanged(session.id, accept.role, said, BY_PACKET))
        session = session._replace(role=accept.role)
        accept = accept._replace(session=session)
    _check_receiver(desk, packet, session)
    offered = tuple(stored_pattern(text) for text in packet.patterns)
    held = [lease for lease in reserved(desk.view, task) if lease.token == packet.token]
    phase = arrives_in(desk)
    changes, granted = _arrive(desk, accept, phase, held, offered, "accepted", now)
    fresh = tokens(changes, desk.view.head).items()
    token = next((token for token, grant in fresh if grant.session == session.id), 0)
    token = next((one.token for one in changes if isinstance(one, LeaseRenewed)), token)
    event = PacketAccepted(task.id, packet.number, session.id, session.role, texts(granted), token)
    # After the grants, whose tokens were counted without it.
    done = [*changes, *taking, event, *entered(desk, phase, packet.number)]
    return leaving(desk, done, session)


def _take_up(desk: Desk, accept: Accept, now: int) -> Changes:
    """Let a session of the holder's role go on where the holder is gone.

    The holder itself takes up so what waited for a phase in which it may write.
    """
    task, session = desk.task, accept.session
    live = [lease for lease in reserved(desk.view, task) if lease.live(now)]
    phase = desk.workflow.phase(task.phase)
    writes = phase is not None and phase.sandbox == WORKSPACE_WRITE
    gone = task.holder is not None and task.holder != session.id and desk.holder is None
    if not gone and not (writes and live and task.holder == session.id):
        raise _nothing(desk)
    _check_acts(desk, session)
    offered = tuple(pattern for lease in live for pattern in lease.patterns)
    changes, _ = _arrive(desk, accept, phase, live, offered, "taken_up", now)
    return leaving(desk, [*changes, TaskTaken(task.id, session.id, session.role)], session)


def _arrive(
    desk: Desk,
    accept: Accept,
    phase: Phase | None,
    held: list[Lease],
    offered: tuple[Pattern, ...],
    reason: str,
    now: int,
) -> tuple[Changes, tuple[Pattern, ...]]:
    """Give a session its part of a scope, and take from it what it may not hold in a phase."""
    name = desk.task.phase if phase is None else phase.name
    ended, left, bounds = confined(desk, accept.session, name, now)
    changes, granted = received(left, accept, held, offered, reason, now, bounds)
    return [*ended, *changes], granted


def decide_decline(desk: Desk, settle: Settle, now: int) -> Changes:
    """Let the receiver refuse the packet; its scope goes back."""
    session, packet = settle.session, _open_packet(desk, now)
    assert session is not None
    _check_receiver(desk, packet, session)
    event = PacketDeclined(desk.task.id, packet.number, session.id, settle.reason)
    told = _tell_giver(desk, packet, DECLINED, session)
    changes = back(desk, packet, settle, packet.patterns, "declined", now)
    return leaving(desk, [*changes, *told, event])


def decide_return(desk: Desk, settle: Settle, gates: tuple[str, ...], now: int) -> Changes:
    """Give a packet back that the gates of its receiver found untrue; its scope goes with it."""
    session, packet = settle.session, _open_packet(desk, now)
    assert session is not None
    _check_receiver(desk, packet, session)
    event = PacketReturned(desk.task.id, packet.number, session.id, settle.reason, gates)
    told = _tell_giver(desk, packet, RETURNED, session)
    changes = back(desk, packet, settle, packet.patterns, "returned", now)
    return leaving(desk, [*changes, *told, event])


def decide_withdraw(desk: Desk, settle: Settle, now: int) -> Changes:
    """Let the giver take the packet back, or who acts for its role where the giver is gone."""
    session, packet = settle.session, _open_packet(desk, now)
    assert session is not None
    if settle.stopped:
        whose = "on its way by a trigger, which its giver does not take back"
        raise not_yours(packet, session, whose, f"handrail task show {desk.task.id}")
    gone = desk.giver is None and acts_as(desk.view.policy, session.role, packet.from_role)
    if packet.session != session.id and not gone:
        whose = f"of session {packet.session}" if packet.session else "the system's"
        raise not_yours(packet, session, whose)
    event = PacketWithdrawn(desk.task.id, packet.number, session.id, settle.reason)
    return [*back(desk, packet, settle, packet.patterns, "withdrawn", now), event]


def decide_lapse(desk: Desk, settle: Settle, now: int) -> Changes:
    """Record what ran out for a task: its packet, or what was reserved; nothing if nothing did.

    What the giver held goes back, the rest is free.
    """
    packet = desk.packet
    if packet is not None and packet.state == OPEN and packet.lapses_at <= now:
        event = PacketLapsed(desk.task.id, packet.number, packet.lapses_at)
        told = _tell_giver(desk, packet, LAPSED, None)
        return [*back(desk, packet, settle, packet.returns, "lapsed", now), *told, event]
    return [
        LeaseReleased(lease.token, "lapsed")
        for lease in reserved(desk.view, desk.task)
        if not lease.live(now)
    ]


def _tell_giver(desk: Desk, packet: Packet, how: str, by: Session | None) -> Changes:
    """Leave a word for whoever gave a packet that came back, unless it did that itself."""
    if desk.giver is None or (by is not None and by.id == desk.giver.id):
        return []
    key = f"{packet.task} {packet.number}"
    return [NoticeLeft(desk.giver.id, how, key, "" if by is None else by.id, packet.patterns)]


def decide_close(desk: Desk, settle: Settle, now: int) -> Changes:
    """End a task; an open packet is withdrawn, and what was reserved is free.

    Raises TaskOver, and for whoever acts for the task HandedOff and CheckpointPending.
    """
    if desk.task.state == CLOSED:
        raise refusals.TaskOver(task=desk.task.id)
    if not settle.entitled:
        assert settle.session is not None
        _check_acts(desk, settle.session)
        check_close(desk)
    changes: Changes = [
        LeaseReleased(lease.token, "task_closed") for lease in reserved(desk.view, desk.task)
    ]
    packet, by = desk.packet, settle.session.id if settle.session is not None else ""
    if packet is not None and packet.state == OPEN:
        changes.append(PacketWithdrawn(desk.task.id, packet.number, by, "task_closed"))
    return leaving(desk, [*changes, TaskClosed(desk.task.id, settle.reason)])


# --- who may -------------------------------------------------------------------------------------


def fits(policy: Policy, session: Session, packet: Packet) -> bool:
    """Tell whether a packet is for a session: for its role, for its family, or for anybody."""
    return is_for(policy, session, packet.to_role)


def _check_live(desk: Desk, *, told: bool = False) -> None:
    """Refuse what waits for a person; of a checkpoint revised too often one may be ``told``."""
    task = desk.task
    if task.state == CLOSED:
        raise refusals.TaskOver(task=task.id)
    limit = task.waits_at is not None and task.loops is None
    if task.stopped(desk.halt_after) and not (told and limit):
        raise why_stopped(task, desk.halt_after)


def _check_acts(desk: Desk, session: Session) -> None:
    """Refuse who does not act for the task: its holder does, or its role where that is gone."""
    task = desk.task
    if task.holder in (None, session.id):
        return
    if desk.holder is None and acts_as(desk.view.policy, session.role, task.role):
        return
    gone = f"role {task.role or '-'}, whose session {task.holder} has ended"
    live = f"session {task.holder} (role {task.role or '-'})"
    raise refusals.HandedOff(
        task=task.id, session=session.id, holder=gone if desk.holder is None else live
    )


def _check_receiver(desk: Desk, packet: Packet, session: Session) -> None:
    if not fits(desk.view.policy, session, packet):
        raise not_yours(packet, session, f"for {packet.to_role}")


def _open_packet(desk: Desk, now: int) -> Packet:
    packet = desk.packet
    if desk.task.state == CLOSED:
        raise refusals.TaskOver(task=desk.task.id)
    if packet is None or packet.state != OPEN:
        raise _nothing(desk)
    _check_open(desk, now)
    return packet


def _check_open(desk: Desk, now: int) -> None:
    packet = desk.packet
    if packet is not None and packet.lapses_at <= now:
        when = rfc3339(packet.lapses_at)
        reason = f"packet {packet.number} of task {packet.task} lapsed at {when}"
        raise refusals.NoHandoff(reason=reason, task=packet.task)


def _nothing(desk: Desk) -> refusals.NoHandoff:
    packet = desk.packet
    reason = f"task {desk.task.id} has no packet"
    if packet is not None:
        by = f" by session {packet.by}" if packet.by else ""
        reason = f"packet {packet.number} of task {packet.task} was {packet.state}{by}"
        if packet.state == "lapsed":
            reason = f"packet {packet.number} of task {packet.task} lapsed"
    return refusals.NoHandoff(reason=reason, task=desk.task.id)


# --- what is written -----------------------------------------------------------------------------


def _written(
    event: PacketOffered, given: Mapping[str, Any], token: str | None, now: int
) -> PacketOffered:
    """Write the fields of the tool over a draft; returns the event with the packet's bytes."""
    system = event.session == SYSTEM
    packet = draft(
        {"message": "", "context": {}, "metadata": {}, **given},
        {
            "schema": SCHEMA,
            "kind": event.packet_kind,
            "task_id": event.task,
            "seq": event.number,
            "timestamp": rfc3339(now),
            "from_role": event.from_role,
            "to_role": event.to_role,
            "context": {"files_in_scope": list(event.patterns)},
        },
    )
    # Not laid over field by field: nobody else says who gives it.
    packet["from"] = {
        "agent": None if system else event.agent,
        "session": None if system else event.session,
        "token": token,
    }
    check_packet(packet)
    text = canonical(packet)
    return event._replace(packet=text, packet_hash=packet_hash(text))
