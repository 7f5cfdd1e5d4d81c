"""What came back: packets that were declined, returned or lapsed, and whose turn it is again.

Promise: a packet is back as long as it is the newest of an open task; it is for its giver, and for
its giver's role where that session has ended.

    came_back(reader, policy, session)[0].next     # "handrail handoff offer --task fix -m MESSAGE"
"""

from __future__ import annotations

from handrail.config import Settings
from handrail.core.decide.handoff import fits
from handrail.core.lease import Session
from handrail.core.record import Record
from handrail.core.task import COMPLETE, DECLINED, LAPSED, RETURNED, Packet, Task
from handrail.service.policy import Rules
from handrail.store.port import Reader
from handrail.text import scope_word, shell_quote, visible
from handrail.typed import Final

CAME_BACK: Final = (DECLINED, RETURNED, LAPSED)
NOTE_CHARS_MAX: Final = 1_000
SCOPE_SHOWN_MAX: Final = 20
NOT_SAID: Final = "not given"


class Back(Record):
    """A packet that came back to a session, what was minded, and the command that leads on."""

    packet: Packet
    title: str
    sentence: str
    next: str


def came_back(reader: Reader, rules: Rules, session: Session) -> list[Back]:
    """Return what came back to a session, or to its role where the giver is gone."""
    found = []
    for task in reader.tasks():
        packet = reader.packet(task.id, task.number)
        if packet is None or packet.state not in CAME_BACK:
            continue
        mine = packet.session == session.id == task.holder
        if mine or _is_left(reader, rules, session, task, packet):
            found.append(back_of(rules.settings, task, packet, mine=mine))
    return found


def _is_left(reader: Reader, rules: Rules, session: Session, task: Task, packet: Packet) -> bool:
    """Tell whether a giver has ended, and the session is of its role."""
    holder = None if task.holder is None else reader.session(task.holder)
    if packet.from_role is None or holder is None or holder.live:
        return False
    return fits(rules.policy, session, packet._replace(to_role=packet.from_role))


def back_of(settings: Settings, task: Task, packet: Packet, *, mine: bool = True) -> Back:
    """Say of a packet that came back what was minded, and what leads on."""
    name = shell_quote(task.id)
    step = _offer(settings, packet)
    if task.halted(settings.handoff.halt_after):
        step = f"handrail task show {name}"
    elif not mine:
        step = f"handrail handoff accept {name}"
    return Back(packet, task.title, minded(packet), step)


def _offer(settings: Settings, packet: Packet) -> str:
    """Write the command that offers the same once more: of its scope nothing gets lost."""
    words = ["handrail", "handoff", "offer", "--task", shell_quote(packet.task)]
    words += [] if packet.kind == COMPLETE else ["--kind", packet.kind]
    if packet.to_role is not None and not settings.phases:
        words += ["--to", shell_quote(packet.to_role)]
    for text in packet.patterns[:SCOPE_SHOWN_MAX]:
        words += ["--scope", scope_word(text)]
    return " ".join([*words, "-m", "MESSAGE"])


def minded(packet: Packet) -> str:
    """Say how a packet ended, and with what words."""
    by = f" by session {packet.by}" if packet.by else ""
    if packet.state == LAPSED:
        return (
            f"packet {packet.number:03d} of task {packet.task} lapsed: nobody answered it in time"
        )
    said = visible((packet.note or "").strip())
    if len(said) > NOTE_CHARS_MAX:
        said = f"{said[:NOTE_CHARS_MAX]}…"
    why = f": {said}" if said and said != NOT_SAID else ""
    return f"packet {packet.number:03d} of task {packet.task} was {packet.state}{by}{why}"
