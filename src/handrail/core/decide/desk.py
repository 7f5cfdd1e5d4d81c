"""What a decision about a task looks at, and what can be asked of it.

Promise: records only. A view must hold at least the leases near the scopes in question, those of
the asking session and those of the task itself; more is allowed, less is not.
"""

from __future__ import annotations

from collections.abc import Mapping

from handrail.core.decide.view import Looked, View
from handrail.core.lease import Session
from handrail.core.record import Record
from handrail.core.scope import Pattern
from handrail.core.task import Packet, Task
from handrail.core.workflow import Workflow
from handrail.typed import Any


class Desk(Record):
    """The slice of the state that a decision about one task looks at.

    The view's leases are all near the scopes in question, those of the asker and those of the task.
    ``packet`` is the task's newest; ``giver`` and ``holder`` are sessions that are live, or None.
    ``others`` are the other open tasks, ``waiting`` the open packets of those;
    ``entering`` is the phase into which the open packet leads, ``artifact`` the digest of what the
    task's phase has to leave, as it lies in the working tree now; both None where there is none.
    """

    view: View
    task: Task
    packet: Packet | None = None
    giver: Session | None = None
    holder: Session | None = None
    halt_after: int = 0
    workflow: Workflow = Workflow()
    entering: str | None = None
    artifact: str | None = None
    others: tuple[Task, ...] = ()
    waiting: tuple[Packet, ...] = ()


class Offer(Record):
    """Offer a packet: ``draft`` is what its giver wrote; ``single`` as in ``Claim``.

    ``stops``: a trigger offers it, so that its giver holds nothing from here on, and where a
    checkpoint was revised too often it is told all the same.
    """

    session: Session
    patterns: tuple[Pattern, ...]
    draft: Mapping[str, Any]
    ttl_ms: int
    single: frozenset[str] = frozenset()
    stops: bool = False


class Accept(Record):
    """Accept the open packet, or take up what is reserved where its holder is gone.

    ``narrow`` is the part that is wanted, None for all that one's lane lets one hold. ``role`` is
    what the session acts as from here on, by the packet; None: as it did.
    """

    session: Session
    ttl_ms: int
    lapse_ms: int
    narrow: tuple[Pattern, ...] | None = None
    single: frozenset[str] = frozenset()
    looked: Looked | None = None
    role: str | None = None


class Decision(Record):
    """Decide at a checkpoint, as a person: approve, revise or stop."""

    checkpoint: str
    decision: str
    reason: str
    proof: str


class Settle(Record):
    """Decline or withdraw the open packet, or close the task, for a reason.

    ``session`` is None, and ``entitled`` says so, where a person or a coordinator decides.
    ``stopped``: a trigger offered the packet, and stopped the session.
    """

    session: Session | None
    reason: str
    ttl_ms: int
    lapse_ms: int
    entitled: bool = False
    stopped: bool = False
    single: frozenset[str] = frozenset()
