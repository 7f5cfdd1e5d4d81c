"""What an offer of a trigger does besides: it counts rounds, stops the giver, tells the receivers.

Promises: in a session that was stopped already nothing fires; a task that one trigger has sent on
from the same role ``ROUNDS_MAX`` times waits for a person instead; who is live and may take the
packet is told at its next hook.

    check_fires(tx, rules, session, task, fire)     # raises HandedOff, TriggerLoop
"""

from __future__ import annotations

import json

from handrail.core.decide import Changes
from handrail.core.decide.handoff import fits
from handrail.core.decide.leaving import handed_off
from handrail.core.events import NoticeLeft
from handrail.core.handed import TaskResumed, TriggerFired, TriggerLooped
from handrail.core.lease import Session
from handrail.core.record import Record
from handrail.core.task import Packet, Task
from handrail.core.trigger import ROUNDS_MAX
from handrail.errors.handoff import TriggerLoop
from handrail.service.identity import actor_of
from handrail.service.notices import WAITS
from handrail.service.packet_text import packet_text
from handrail.service.policy import Rules
from handrail.service.stops import latest_of, stop_of
from handrail.store.port import Reader, Tx
from handrail.typed import Any, Final

TOLD_MAX: Final = 20


class Fire(Record):
    """A trigger that fires: its id, what happened, what was tried as findings.

    ``gated``: what is offered is finished work, which its gates may refuse.
    """

    trigger: str
    event: str
    about: str
    findings: tuple[tuple[tuple[str, str], ...], ...] = ()
    gated: bool = False


def check_fires(tx: Tx, rules: Rules, session: Session, task: Task, fire: Fire) -> None:
    """Refuse to fire in a session that is stopped, or once more; raises HandedOff, TriggerLoop."""
    stop = stop_of(tx, rules.policy, session)
    if stop is not None:
        raise stop
    rounds = _rounds(tx, task, session, fire.trigger)
    if rounds >= ROUNDS_MAX:
        looped = TriggerLooped(session.id, fire.trigger, task.id, rounds)
        tx.commit([*handed_off(tx.leases(session.id)), looped], actor_of(session))
        raise TriggerLoop(trigger=fire.trigger, task=task.id, rounds=rounds)


def entered_besides(
    reader: Reader, rules: Rules, session: Session, packet: Packet, fire: Fire
) -> Changes:
    """Return what is to be entered with the packet that a trigger offers."""
    fired = TriggerFired(
        session=session.id,
        trigger=fire.trigger,
        event=fire.event,
        about=fire.about,
        task=packet.task,
        number=packet.number,
        to_role=packet.to_role,
    )
    key = f"{packet.task} {packet.number}"
    receivers = [
        one for one in reader.sessions() if one.id != session.id and fits(rules.policy, one, packet)
    ]
    told = [NoticeLeft(one.id, WAITS, key, session.id, ()) for one in receivers[:TOLD_MAX]]
    return [fired, *told]


def with_findings(content: dict[str, Any], fire: Fire) -> dict[str, Any]:
    """Return what a packet says with what was tried before what its gates mind."""
    metadata = dict(content.get("metadata", {}))
    tried = [dict(one) for one in fire.findings]
    metadata["findings"] = [*tried, *metadata.get("findings", [])]
    return {**content, "metadata": metadata}


def trigger_of(reader: Reader, packet: Packet) -> str | None:
    """Return the trigger that a packet names."""
    named = json.loads(packet_text(reader, packet)).get("trigger")
    return named if isinstance(named, str) else None


def _rounds(reader: Reader, task: Task, session: Session, trigger: str) -> int:
    """Count how often a trigger sent a task on from a role, since a person last looked."""
    resumed = latest_of(reader, TaskResumed, task.id)
    since = 0 if resumed is None else resumed[0]
    return sum(
        packet.seq > since
        and packet.from_role == session.role
        and bool(packet.session)
        and trigger_of(reader, packet) == trigger
        for packet in reader.packets(task.id)
    )
