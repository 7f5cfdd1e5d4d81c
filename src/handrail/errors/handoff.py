"""Errors around tasks, packets and handoffs.

Apart from the others, so that an edit and a claim need not import them.
"""

from __future__ import annotations

from handrail.errors import AS_PERSON, Malformed, Refused

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


class ReviseLimit(Refused):
    """Checkpoint {checkpoint} of task {task} was revised as often as it may be, so a person has to say how it goes on."""  # noqa: E501

    code = "revise_limit"
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


# --- malformed -----------------------------------------------------------------------------------


class MalformedPacket(Malformed):
    """The packet makes no sense: {field}: {reason}."""

    code = "malformed_packet"
    NEXT = "handrail handoff offer --help"


class UnknownTask(Malformed):
    """There is no task {task} here."""

    code = "unknown_task"
    NEXT = "handrail task list"
