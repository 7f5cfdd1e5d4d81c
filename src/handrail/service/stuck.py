"""Packets of triggers that nobody accepts: told by whatever command or hook comes by next, once.

Promise: where no trigger is configured, nothing is asked.

    for packet in Stuck(context).take(): ...
"""

from __future__ import annotations

from handrail.core.handed import PacketStuck
from handrail.core.task import BLOCK, Packet
from handrail.service.context import Context
from handrail.service.fired import trigger_of
from handrail.service.identity import UNATTRIBUTED
from handrail.service.policy import rules_in_force
from handrail.service.stops import latest_of
from handrail.store.port import Reader


class Stuck:
    """The use case of telling what is stuck."""

    def __init__(self, context: Context) -> None:
        self._store = context.store

    def take(self) -> tuple[Packet, ...]:
        """Return the packets that wait for longer than ``stuck_after``, each of them once."""
        with self._store.read() as reader:
            if not _waiting(reader):
                return ()
        with self._store.transaction() as tx:
            found = _waiting(tx)
            tx.commit([PacketStuck(one.task, one.number) for one in found], UNATTRIBUTED)
        return found


def _waiting(reader: Reader) -> tuple[Packet, ...]:
    rules = rules_in_force(reader)
    if not rules.policy.fires:
        return ()
    return tuple(
        p for p in stuck(reader, rules.settings.handoff.stuck_after_ms) if not _told(reader, p)
    )


def stuck(reader: Reader, after_ms: int) -> list[Packet]:
    """Return the packets of triggers that nobody answered for so long, and that have not lapsed."""
    return [
        packet
        for packet in reader.packets(settled=False)
        if packet.kind == BLOCK
        and packet.session
        and packet.offered_at + after_ms <= reader.now < packet.lapses_at
        and trigger_of(reader, packet) is not None
    ]


def _told(reader: Reader, packet: Packet) -> bool:
    found = latest_of(reader, PacketStuck, packet.task)
    return found is not None and found[1].number == packet.number
