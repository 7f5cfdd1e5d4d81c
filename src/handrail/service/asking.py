"""What offering and answering share: how they are asked, and what looks again.

request = as_request("offer", "r-1", asked)     # None where nobody gave it an id
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handrail.core.digest import sha256
from handrail.core.events import Event
from handrail.core.lease import Session
from handrail.core.names import check_name
from handrail.core.task import Task
from handrail.service.policy import Rules
from handrail.store.port import Reader, Request
from handrail.typed import Protocol

Check = Callable[[Reader, Rules, Session], Sequence[Event]]
"""What looks again within the transaction; returns what belongs to the verdict, to be entered."""


class Files(Protocol):
    """Where packets are exported to."""

    def write(self, name: str, content: bytes) -> str | None:
        """Write a packet's file; returns its path, None if it was there like that."""


def as_request(what: str, id: str | None, question: object) -> Request | None:
    """Return the name of an attempt and a digest of what it asks; None where it has no name."""
    if id is None:
        return None
    text = repr((what, question))
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return Request(check_name("request", id), digest)


def decision(
    reader: Reader, rules: Rules, session: Session, task: Task, answer: str
) -> Sequence[Event]:
    """Return the rows of projections that an answer to a task's newest packet leads to."""
    if not rules.settings.projections:
        return ()
    from handrail.service.lane_conflicts import decided

    return decided(reader, rules, session, task, answer)
