"""What a trigger offered, delivered: to the first session of the receiver that begins.

Promises: only what a trigger offered in a session of this store is delivered, to who is free for
it; the built-in gates of an acceptance judge it as they judge any other. Where an acceptance takes
more than these, commands, plugins or evidence that is run again, nothing is accepted in passing.

    packet = to_deliver(context)       # None: nothing waits for the asking session
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from handrail.config.vocabulary import plugin_of
from handrail.core.decide.handoff import fits
from handrail.core.duty import held_by
from handrail.core.handed import TriggerFired
from handrail.core.task import Packet
from handrail.gates.gate import OFF
from handrail.service.context import Context
from handrail.service.gating import POST_HANDOFF
from handrail.service.identity import require_session
from handrail.service.packet_text import packet_text
from handrail.service.policy import rules_in_force
from handrail.service.stops import latest_of, stop_of
from handrail.store.port import Reader

if TYPE_CHECKING:
    from handrail.config import Settings


def to_deliver(context: Context) -> Packet | None:
    """Return the packet that waits longest for the asking session, if it is free to take it."""
    with context.store.read() as reader:
        rules = rules_in_force(reader)
        if not rules.policy.fires or _takes_long(rules.settings):
            return None
        session = require_session(reader, context)
        if held_by(session.id, reader.tasks()) or stop_of(reader, rules.policy, session):
            return None
        waiting = [
            packet
            for packet in reader.packets(settled=False)
            if packet.session not in ("", session.id)
            and reader.now < packet.lapses_at
            and fits(rules.policy, session, packet)
            and _was_fired(reader, packet)
        ]
    return min(waiting, key=lambda packet: packet.offered_at, default=None)


def _takes_long(settings: Settings) -> bool:
    """Tell whether accepting runs commands, or what others wrote."""
    commands = any(POST_HANDOFF in gate.stages for gate in settings.gates)
    plugins = (row.level != OFF for row in settings.builtin_gates if plugin_of(row.id) is not None)
    return commands or any(plugins)


def _was_fired(reader: Reader, packet: Packet) -> bool:
    """Tell whether a trigger offered a packet, and names no evidence with it."""
    found = latest_of(reader, TriggerFired, packet.session)
    if found is None or (found[1].task, found[1].number) != (packet.task, packet.number):
        return False
    return not json.loads(packet_text(reader, packet)).get("evidence")
