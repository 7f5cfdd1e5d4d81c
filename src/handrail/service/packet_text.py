"""A packet's own bytes, as the ledger keeps them.

packet_text(reader, packet)   # '{"artifacts":…'
"""

from __future__ import annotations

from handrail import errors
from handrail.core.handed import PacketOffered
from handrail.core.ledger import read_event
from handrail.core.task import Packet
from handrail.store.port import Reader


def packet_text(reader: Reader, packet: Packet) -> str:
    """Return a packet's canonical text, as its entry holds it."""
    entry = next(reader.entries(packet.seq - 1, packet.seq), None)
    event = None if entry is None else read_event(entry)
    if not isinstance(event, PacketOffered):
        raise errors.StoreCorrupt(path="state.db", reason=f"entry {packet.seq} holds no packet")
    return event.packet
