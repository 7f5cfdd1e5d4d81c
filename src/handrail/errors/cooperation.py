"""Errors around cooperations. Apart from the others, so that nobody else need import them."""

from __future__ import annotations

from handrail.errors.tree import Malformed, Refused

_RUN = "python3 .cooperations/cooperate"


class CooperationActive(Refused):
    """Cooperation {task} is in progress, and another one beside it has to be asked for."""

    code = "cooperation_active"
    NEXT = f"{_RUN} status {{task}}"


class CooperationsUnsettled(Refused):
    """Several cooperations are in progress ({tasks}): one of them has to end before another begins."""  # noqa: E501

    code = "cooperations_unsettled"
    NEXT = f"{_RUN} status"


class NoCooperation(Refused):
    """No cooperation is in progress."""

    code = "no_cooperation"
    NEXT = f"{_RUN} cooperate DESCRIPTION"


class ProseInPath(Malformed):
    """{field} holds {value}, which has more than a path in it."""

    code = "prose_in_path"
    NEXT = f"{_RUN} handoff --help"
