"""Errors around tasks, packets and handoffs.

Apart from the others, so that an edit and a claim need not import them.
"""

from __future__ import annotations

from handrail.errors import AS_PERSON, Malformed, Refused, Unavailable

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
    NEXT = AS_PERSON + "handrail task close {task}"


# --- refused: packets ----------------------------------------------------------------------------


class PacketOpen(Refused):
    """Packet {number} of task {task} is offered to {to_role} already and was not answered yet."""

    code = "packet_open"
    NEXT = "handrail handoff withdraw {task}"


class NoHandoff(Refused):
    """Nothing is offered: {reason}."""

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
    NEXT = "handrail handoff list"


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


class UnknownTask(Malformed):
    """There is no task {task} here."""

    code = "unknown_task"
    NEXT = "handrail task list"


class UnknownGate(Malformed):
    """There is no gate {gate}; did you mean {nearest}?"""

    code = "unknown_gate"
    NEXT = "handrail waiver add --help"


class UnknownWaiver(Malformed):
    """There is no waiver {waiver}."""

    code = "unknown_waiver"
    NEXT = "handrail waiver list --all"
