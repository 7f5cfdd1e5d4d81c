"""Tasks and packets as rows: a unit of work, and what was handed over in it.

Promises: a task's packets are numbered 1..n, each number once, whatever files are deleted; of one
task at most one packet is open; a packet is settled once. What may happen to them is decided in
``core.decide.handoff``, what a packet says stands in the ledger.

A scope that waits for its receiver is held by the task itself: a lease whose session is the task's
own name, which no session can have.

    >>> reserved_for("fix-login"), task_of("task:fix-login"), task_of("s-1")
    ('task:fix-login', 'fix-login', None)
    >>> file_name("fix-login", 7)
    'fix-login-007.json'
"""

from __future__ import annotations

from handrail.core.record import Record
from handrail.errors import TASK_PREFIX, MalformedName
from handrail.typed import Final

LOOP: Final = "trigger:"
"""How ``Task.waits_at`` begins where a trigger went round too often; no checkpoint is called so."""
TASK_CHARS_MAX: Final = 60
TITLE_CHARS_MAX: Final = 200

EVIDENCE: Final = ".handrail/evidence"
"""Where the phases of tasks leave what they produce, by default: a folder for each task."""

OPEN: Final = "open"
CLOSED: Final = "closed"
ACCEPTED: Final = "accepted"
DECLINED: Final = "declined"
WITHDRAWN: Final = "withdrawn"
LAPSED: Final = "lapsed"
RETURNED: Final = "returned"

DONE: Final = "done"
HALT: Final = "halt"
"""Where a decision may lead besides to a phase: the task is finished, or stopped."""

COMPLETE: Final = "complete"
RETURN: Final = "return"
BLOCK: Final = "block"
KINDS: Final = (COMPLETE, RETURN, BLOCK)

SYSTEM: Final = ""
"""Who gives the first packet of a task: nobody's session."""
_TASK: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")


class Task(Record):
    """A unit of work; ``number`` is its newest packet's, ``holder`` the session that acts for it.

    ``role`` is what that session acted as. ``failed`` counts the handoffs in a row that were
    declined or returned, ``taken`` is the number of the packet that was accepted last, or 0.
    ``phase`` is where it is in its workflow, ``next_phase`` where a decision led that no packet has
    followed yet. ``revises`` counts the revisions of each checkpoint; ``waits_at`` is the one that
    was revised so often that a person has to say whether the work goes on, or ``trigger:`` with the
    id of the one that sent it round too often.
    """

    id: str
    title: str
    state: str
    opened_at: int
    number: int
    holder: str | None
    role: str | None
    failed: int
    taken: int
    phase: str | None = None
    next_phase: str | None = None
    revises: tuple[tuple[str, int], ...] = ()
    waits_at: str | None = None

    def halted(self, halt_after: int) -> bool:
        """Tell whether so many handoffs in a row went wrong that it waits; 0: it never does."""
        return 0 < halt_after <= self.failed

    @property
    def loops(self) -> str | None:
        """The trigger that sent it round too often, until a person lets it go on."""
        waits_at = self.waits_at or ""
        return waits_at.removeprefix(LOOP) if waits_at.startswith(LOOP) else None

    def stopped(self, halt_after: int) -> bool:
        """Tell whether it waits for a person: halted, or at a checkpoint revised too often."""
        return self.waits_at is not None or self.halted(halt_after)


class Packet(Record):
    """One handoff; ``session`` is the giver's, '' for the system.

    ``patterns`` are the scope that was offered, ``returns`` that part of it which the giver held;
    ``token`` is that of the reservation, 0 where there is none. ``seq`` is the entry that holds the
    packet's bytes. ``by`` and ``settled_at`` say who answered it when, ``note`` with what words.
    """

    task: str
    number: int
    kind: str
    state: str
    session: str
    agent: str
    from_role: str | None
    to_role: str | None
    patterns: tuple[str, ...]
    returns: tuple[str, ...]
    token: int
    offered_at: int
    lapses_at: int
    seq: int
    hash: str
    by: str | None
    settled_at: int | None
    note: str | None


class Waiver(Record):
    """An exception: what a gate minds does not count, for one task or for all.

    ``seq`` is the entry that added it, and its name; ``ends_at`` (store time, ms) and ``uses`` are
    None where there is no such bound; ``used`` counts.
    """

    seq: int
    gate: str
    for_task: str | None
    reason: str
    by: str
    added_at: int
    ends_at: int | None
    uses: int | None
    used: int
    revoked: bool

    def counts(self, now: int) -> bool:
        """Tell whether it may be used at store time ``now``."""
        spent = self.uses is not None and self.used >= self.uses
        return not (self.revoked or spent or (self.ends_at is not None and self.ends_at <= now))


def check_task(text: str) -> str:
    """Return ``text`` if it can name a task and its files, else raise MalformedName."""
    reason = None
    if not 0 < len(text) <= TASK_CHARS_MAX:
        reason = f"it must have 1 to {TASK_CHARS_MAX} characters"
    elif not _TASK.issuperset(text) or text[0] in ".-_":
        reason = "use lower-case letters, digits and . _ - and begin with a letter or digit"
    elif text.isdigit():
        reason = "it must not be a number: that is a packet's"
    if reason is not None:
        raise MalformedName(
            what="task", value=text[:200], reason=reason, next="handrail task new --help"
        )
    return text


def reserved_for(task: str) -> str:
    """Return the name under which a task holds what is reserved for it."""
    return TASK_PREFIX + task


def task_of(session: str) -> str | None:
    """Return the task that a lease's session stands for; None for a session of somebody."""
    return session.removeprefix(TASK_PREFIX) if session.startswith(TASK_PREFIX) else None


def file_name(task: str, number: int) -> str:
    """Return the name of a packet's file: three digits, four past 999."""
    return f"{task}-{number:03d}.json"
