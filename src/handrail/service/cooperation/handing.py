"""Handing a cooperation to the next role, and delivering what waits for one.

Promises: as ``service.judged``. A handoff to the role that the open one is for delivers that one;
any other is offered first. It is delivered in the same thread where the configuration lets one
session play several roles and nobody else is there for the role; else it waits for them. Where who
acted for the task is gone, another session goes on in its role first. Out of a phase whose
checkpoint nobody decided nothing leads but a call for help.

    Handing(context, handoffs).hand("deployment-reviewer", Wanted())
"""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps, loads

from handrail import errors
from handrail.core.decide.phases import meets
from handrail.core.lease import Session
from handrail.core.packet import draft, read_packet
from handrail.core.record import Record
from handrail.core.task import BLOCK, COMPLETE, OPEN, RETURN, Packet, Task
from handrail.core.workflow import Phase
from handrail.errors.cooperation import ProseInPath
from handrail.errors.handoff import CheckpointPending, PacketOpen, TaskOver
from handrail.projections.cooperation import HUMAN, SYSTEM, UNDECIDED, without_prose
from handrail.service.answering import Accepted
from handrail.service.context import Context
from handrail.service.cooperation.opening import meant
from handrail.service.identity import require_session
from handrail.service.lapses import record_due
from handrail.service.offering import Offered, Offering
from handrail.service.packet_text import packet_text
from handrail.service.phases import workflow_of
from handrail.service.policy import Rules, rules_in_force
from handrail.service.sessions import Sessions
from handrail.service.tasks import check_receiver
from handrail.store.port import Reader
from handrail.text import shell_quote, visible
from handrail.typed import Any, Final, Protocol

IMPLEMENTER: Final = "implementer"
CARRIED: Final = ("task_description", "requirements", "constraints", "planned_implementer")
"""What a handoff says as the one before did, unless its giver says otherwise."""
TOOLS: Final = ("task_id", "timestamp", "from_role", "to_role", "seq", "schema", "from", "kind")
"""What a draft may hold because the documents' shape has it, and what Handrail writes itself."""
HANDOFF: Final = "python3 .cooperations/cooperate handoff"
NOTHING: Final = ("", "null", "n/a", None)


class JudgedHandoffs(Protocol):
    """The use cases of handing over, behind their gates."""

    def offer(self, asked: Offering, *, dry_run: bool = False) -> Offered:
        """Offer a packet."""

    def accept(self, target: str | None = None) -> Accepted:
        """Accept a packet."""


class Wanted(Record):
    """What a giver says besides the role: a draft's bytes, a scope, a task, a message."""

    packet: bytes | None = None
    scope: tuple[str, ...] = ()
    task: str | None = None
    message: str | None = None


class Handed(Record):
    """A handoff, the phase that it leads to, and what became of its delivery.

    ``taken`` says that it was accepted here; if not, ``held`` is why, None where somebody else is
    there for it.
    """

    packet: Packet
    sender: str
    receiver: str
    phase: str | None
    sandbox: str | None
    taken: bool
    held: errors.HandrailError | None = None


class Handing:
    """The use case of handing over."""

    def __init__(self, context: Context, handoffs: JudgedHandoffs) -> None:
        self._context = context
        self._store = context.store
        self._handoffs = handoffs

    def hand(self, word: str, wanted: Wanted) -> Handed:
        """Hand the cooperation to a role, or deliver what waits for it.

        Raises UnknownRole, NoCooperation, CheckpointPending and what offering raises.
        """
        record_due(self._context)
        with self._store.read() as reader:
            rules, session = rules_in_force(reader), require_session(reader, self._context)
            task = meant(reader, self._context, wanted.task, f"handoff {word}")
            newest = reader.packet(task.id, task.number)
            first = {} if newest is None else _content(reader, reader.packet(task.id, 1) or newest)
            role = role_of(rules, word, first.get("context", {}).get("planned_implementer"))
            before = {} if newest is None else _content(reader, newest)
            holder = reader.session(task.holder or "")
        if task.state != OPEN:
            raise TaskOver(task=task.id)
        if newest is not None and newest.state == OPEN:
            family = rules.policy.roles[role].family
            if newest.to_role not in (role, family):
                raise PacketOpen(
                    task=task.id, number=newest.number, to_role=newest.to_role or "anybody"
                )
            return self._delivered(rules, session, newest, role)
        gone = task.holder not in (None, session.id) and not (holder is not None and holder.live)
        if gone and task.role is not None and plays_many(rules):
            # Another session goes on where the one before it ended, in the same role.
            if session.role != task.role:
                Sessions(self._context).change_role(task.role, f"going on with task {task.id}")
            self._handoffs.accept(task.id)
            taken = self._taken(task)
            if role == task.role and taken is not None:
                return _handed(rules, *taken)._replace(taken=True)
        offering = _offering(rules, task, newest, role, wanted, before)
        offered = self._handoffs.offer(offering)
        return self._delivered(rules, session, offered.packet, role)

    def _delivered(self, rules: Rules, session: Session, packet: Packet, role: str) -> Handed:
        """Accept a packet in this thread, if it is for nobody else who is there."""
        with self._store.read() as reader:
            said = _content(reader, packet)
            elsewhere = [
                one.id for one in reader.sessions() if one.role == role and one.id != session.id
            ]
        handed = _handed(rules, packet, said)
        if session.role != role and (elsewhere or not plays_many(rules)):
            return handed
        try:
            if session.role != role:
                Sessions(self._context).change_role(role, f"handoff of task {packet.task}")
            self._handoffs.accept(packet.task)
        except errors.HandrailError as error:
            error.lead_on(error.next or f"{HANDOFF} {role}")
            return handed._replace(held=error)
        return handed._replace(taken=True)

    def _taken(self, task: Task) -> tuple[Packet, dict[str, Any]] | None:
        """Return the packet by which a task was taken last, and what it says."""
        with self._store.read() as reader:
            packet = reader.packet(task.id, task.taken)
            return None if packet is None else (packet, _content(reader, packet))


def _handed(rules: Rules, packet: Packet, said: Mapping[str, Any]) -> Handed:
    return Handed(
        packet=packet,
        sender=family_of(rules, packet.from_role) if packet.session else SYSTEM,
        receiver=family_of(rules, packet.to_role),
        phase=said.get("metadata", {}).get("next_phase"),
        sandbox=said.get("context", {}).get("sandbox"),
        taken=False,
    )


def plays_many(rules: Rules) -> bool:
    """Tell whether one session may hand over to itself in another role."""
    return rules.policy.many_roles and rules.settings.handoff.in_thread


def family_of(rules: Rules, role: str | None) -> str:
    """Return the family of a role; a word that is none stands for itself."""
    known = rules.policy.roles.get(role or "")
    return known.family if known is not None else role or "anybody"


def role_of(rules: Rules, word: str, planned: object = None) -> str:
    """Return the role that a word after ``/handoff`` means; raises UnknownRole, Usage."""
    plain = word.strip().casefold()
    roles = rules.settings.roles
    open_ = [one for one in roles if one.family != SYSTEM]
    named = plain.removeprefix(f"{IMPLEMENTER}:")
    for one in open_:
        if one.name == named and (named == plain or one.family == IMPLEMENTER):
            return one.name
    fitting = [one.name for one in open_ if one.family == plain]
    if plain == IMPLEMENTER and planned in fitting:
        return str(planned)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        reason = f"Which {plain}: {', '.join(fitting)}?"
        raise errors.Usage(reason=reason, next=f"{HANDOFF} {plain}:{fitting[0]}")
    if plain == HUMAN:
        reason = "A person takes over no handoff: people decide at checkpoints."
        raise errors.Usage(reason=reason, next="handrail checkpoint list")
    known = rules.settings._replace(roles=tuple(open_))
    check_receiver(known, visible(word)[:200] or "-", HANDOFF)
    raise errors.UnknownRole(role=word[:200], nearest=open_[0].name, next=HANDOFF)


def _content(reader: Reader, packet: Packet) -> dict[str, Any]:
    content: dict[str, Any] = loads(packet_text(reader, packet))
    return content


def _offering(
    rules: Rules,
    task: Task,
    newest: Packet | None,
    role: str,
    wanted: Wanted,
    before: Mapping[str, Any],
) -> Offering:
    kind, phase = _way(rules, task, role)
    given = {} if wanted.packet is None else _draft(wanted.packet, role)
    kept = {name: one for name, one in before.get("context", {}).items() if name in CARRIED}
    if role in _implementers(rules) and kept.get("planned_implementer") == UNDECIDED:
        kept["planned_implementer"] = role
    written = draft({"context": {}}, given)
    written["context"] = {**kept, **written["context"]}
    scope = wanted.scope or tuple(written["context"].pop("files_in_scope", None) or ())
    if not scope and newest is not None:
        scope = newest.patterns
    check_paths(scope, role)
    return Offering(
        packet=dumps(written).encode(),
        message=wanted.message,
        task=task.id,
        to_role=role,
        kind=kind,
        scope=scope,
        next_phase=None if phase is None else phase.name,
    )


def _implementers(rules: Rules) -> list[str]:
    return [one.name for one in rules.settings.roles if one.family == IMPLEMENTER]


def _way(rules: Rules, task: Task, role: str) -> tuple[str, Phase | None]:
    """Return what kind of handoff leads to a role from here, and the phase where it leads.

    On is finished work, back is work that is sent back; where the role has no phase there, or works
    in this very one, it is asked for help. Raises CheckpointPending.
    """
    flow = workflow_of(rules)
    here, decided = flow.phase(task.phase), flow.phase(task.next_phase)
    if decided is not None:
        return COMPLETE, decided
    if here is not None and _helps(rules, task, here) and meets(rules.policy, role, here.role):
        return BLOCK, here  # whoever was asked for help gives it back
    on = flow.follows(task.phase, lambda phase: meets(rules.policy, role, phase.role))
    back = flow.precedes(task.phase, lambda phase: meets(rules.policy, role, phase.role))
    if on is None and (back is None or back == here):
        return BLOCK, here
    if here is not None and here.checkpoint is not None:
        raise CheckpointPending(phase=here.name, task=task.id, checkpoint=here.checkpoint.name)
    if on is not None:
        return COMPLETE, on
    return RETURN, back


def _helps(rules: Rules, task: Task, here: Phase) -> bool:
    """Tell whether who acts for a task was asked for help, and does not work in its phase."""
    return task.role is not None and not meets(rules.policy, task.role, here.role)


def _draft(raw: bytes, role: str) -> dict[str, Any]:
    """Read what a giver wrote, in Handrail's shape or the documents'; raises MalformedPacket."""
    shape = read_packet(_without_nothing(raw, role))
    return {name: one for name, one in shape.items() if name not in TOOLS}


def _without_nothing(raw: bytes, role: str) -> bytes:
    """Take out of a draft what the tool writes, and fields that say nothing; others are checked."""
    try:
        shape = loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return raw  # whoever reads it says why not
    if not isinstance(shape, dict):
        return raw
    shape = {name: one for name, one in shape.items() if name not in TOOLS}
    context = shape.get("context")
    if isinstance(context, dict):
        check_paths(context.get("files_in_scope"), role)
        shape["context"] = {name: one for name, one in context.items() if one not in NOTHING}
    metadata = shape.get("metadata")
    if isinstance(metadata, dict):
        steps = ("phase", "next_phase", "next_checkpoint")
        shape["metadata"] = {name: one for name, one in metadata.items() if name not in steps}
    made = shape.get("artifacts")
    if isinstance(made, dict):
        for name in ("produced", "consumed"):
            check_paths(made.get(name), role, f"artifacts.{name}")
    return dumps(shape).encode()


def check_paths(rows: object, role: str, field: str = "context.files_in_scope") -> None:
    """Refuse an entry that holds words behind a path; raises ProseInPath."""
    for at, one in enumerate(rows if isinstance(rows, list | tuple) else ()):
        path, prose = without_prose(one) if isinstance(one, str) else ("", "")
        if prose:
            step = f"{HANDOFF} {role} --scope {shell_quote(path)}"
            raise ProseInPath(field=f"{field}[{at}]", value=one[:200], path=path, next=step)
