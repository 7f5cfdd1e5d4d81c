"""Errors around tasks, packets and handoffs.

Apart from the others, so that an edit and a claim need not import them.
"""

from __future__ import annotations

from handrail.errors import AS_PERSON, Malformed, Refused, Unavailable
from handrail.text import Sentence

# --- refused: tasks ------------------------------------------------------------------------------


class TaskExists(Refused):
    """There is a task {task} already ({state})."""

    code = "task_exists"
    NEXT = "handrail task show {task}"


class TaskOver(Refused):
    """Task {task} was closed."""

    code = "task_over"
    NEXT = "handrail task list"


class HandedOff(Refused):
    """Task {task} is with {holder}, not with session {session}."""

    code = "handed_off"
    NEXT = "handrail task show {task}"


class Halted(Refused):
    """Task {task} is halted: {failed} handoffs in a row were declined or returned, so a person has to look."""  # noqa: E501

    code = "halted"
    NEXT = AS_PERSON + "handrail task resume {task}"


class TriggerLoop(Refused):
    """Trigger {trigger} has sent task {task} round {rounds} times, so a person has to say how it goes on."""  # noqa: E501

    code = "trigger_loop"
    NEXT = AS_PERSON + "handrail task resume {task}"


class NotHalted(Refused):
    """Task {task} is not halted: it can go on as it is."""

    code = "not_halted"
    NEXT = "handrail task show {task}"


# --- refused: phases -----------------------------------------------------------------------------


class CheckpointPending(Refused):
    """Phase {phase} of task {task} ends with the checkpoint {checkpoint}, which nobody has decided."""  # noqa: E501

    code = "checkpoint_pending"
    NEXT = AS_PERSON + "handrail checkpoint approve {checkpoint} --task {task}"


class NoCheckpoint(Refused):
    """There is nothing to decide: {reason}."""

    code = "no_checkpoint"
    NEXT = "handrail checkpoint list"


class WrongCheckpoint(Refused):
    """Task {task} is in phase {phase}, whose checkpoint is {expected} and not {checkpoint}."""

    code = "wrong_checkpoint"
    NEXT = AS_PERSON + "handrail checkpoint {decision} {expected} --task {task}"


class ArtifactMissing(Refused):
    """Phase {phase} of task {task} has to leave {path}, and that is no ordinary file here."""

    code = "artifact_missing"
    NEXT = "git add --force -- {path} && git commit -m {path}"


class ReviseLimit(Refused):
    """Checkpoint {checkpoint} of task {task} was revised {times} times, so a person has to say whether the work goes on."""  # noqa: E501

    code = "revise_limit"
    NEXT = AS_PERSON + "handrail task resume {task}"


class WrongPhase(Refused):
    """A packet of kind {kind} for {to_role} does not lead task {task} from phase {phase} to {next_phase}: {reason}."""  # noqa: E501

    code = "wrong_phase"
    NEXT = "handrail handoff offer --task {task} --next-phase {expected}"


class NoNextPhase(Refused):
    """The packet does not say in which phase task {task} goes on after {phase}."""

    code = "no_next_phase"
    NEXT = "handrail task show {task}"


# --- refused: packets ----------------------------------------------------------------------------


class PacketOpen(Refused):
    """Packet {number} of task {task} is offered to {to_role} already and was not answered yet."""

    code = "packet_open"
    NEXT = "handrail handoff withdraw {task}"


class NoHandoff(Refused):
    """There is no handoff to go by: {reason}."""

    code = "no_handoff"
    NEXT = "handrail handoff list"


class NotYourHandoff(Refused):
    """Packet {number} of task {task} is {whose}, and session {session} acts as {role}."""

    code = "not_your_handoff"
    NEXT = "handrail handoff list"


class ScopeCut(Refused):
    """{scope} takes only a part of {whole}, which token {token} holds, and what is left of that no pattern says."""  # noqa: E501

    code = "scope_cut"
    NEXT = "handrail release {token} && handrail claim {asked}"


class ScopeNeedsHandoff(Refused):
    """{scope} lies beyond what packet {number} of task {task} hands over ({given}), for example at {witness}."""  # noqa: E501

    code = "scope_needs_handoff"
    NEXT = "handrail task show {task}"


class ReadingRequired(Refused):
    """Session {session} has not read what it must before it writes, each as a whole ({sources}): {paths}."""  # noqa: E501

    code = "reading_required"
    NEXT = "handrail reading list"

    @property
    def message(self) -> str:
        """The sentence with every document: whoever is refused has to know all of them."""
        words, paths = Sentence(self.values), self.values.get("paths")
        every = paths if isinstance(paths, list | tuple) else (paths,)
        named = ", ".join(Sentence({"path": path})["path"] for path in every)
        told = {name: words[name] for name in ("session", "sources")}
        return (self.__doc__ or "").format(**told, paths=named)


# --- refused and unavailable: gates and waivers --------------------------------------------------


class GateFailed(Refused):
    """{failed} in the way of {what}: {findings}."""

    code = "gate_failed"
    NEXT = "handrail check {stage}"


class GateUnsure(Unavailable):
    """Nobody can tell whether {what} may go on: {findings}."""

    code = "gate_unsure"
    NEXT = "handrail check {stage}"


class HandoffReturned(Refused):
    """Packet {number} of task {task} is not as it says and went back to {giver}: {findings}."""

    code = "handoff_returned"
    NEXT = "handrail task show {task}"


class FactsChanged(Refused):
    """While the gates ran, {what} changed: what they saw may not be so any more."""

    code = "facts_changed"
    NEXT = "handrail check {stage}"


class NotWaivable(Refused):
    """Gate {gate} cannot be waived: hooks and the landing judge it, whatever is said here."""

    code = "not_waivable"
    NEXT = "handrail waiver list"


class WaiverSpent(Refused):
    """Waiver {waiver} of gate {gate} counts no longer: {reason}."""

    code = "waiver_spent"
    NEXT = "handrail waiver list --all"


# --- malformed -----------------------------------------------------------------------------------


class MalformedPacket(Malformed):
    """The packet makes no sense: {field}: {reason}."""

    code = "malformed_packet"
    NEXT = "handrail handoff offer --help"


class UnknownCheckpoint(Malformed):
    """No phase has the checkpoint {checkpoint}; the nearest is {nearest}."""

    code = "unknown_checkpoint"
    NEXT = "handrail checkpoint list"


class UnknownPhase(Malformed):
    """There is no phase {phase}; the nearest is {nearest}."""

    code = "unknown_phase"
    NEXT = "handrail handoff offer --task {task} --next-phase {nearest}"


class UnknownTask(Malformed):
    """There is no task {task} here."""

    code = "unknown_task"
    NEXT = "handrail task list"


class ReadingNotAsked(Malformed):
    """Nobody asks session {session} to read {path}."""

    code = "reading_not_asked"
    NEXT = "handrail reading list"


class UnknownGate(Malformed):
    """There is no gate {gate}; did you mean {nearest}?"""

    code = "unknown_gate"
    NEXT = "handrail waiver add --help"


class UnknownWaiver(Malformed):
    """There is no waiver {waiver}."""

    code = "unknown_waiver"
    NEXT = "handrail waiver list --all"
