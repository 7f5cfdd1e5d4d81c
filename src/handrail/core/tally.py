"""Counting in a ledger whether handoffs work: a sum over its entries and nothing else.

Promises: pure; one pass, oldest entry first; memory for the sessions and tasks that are not over,
and eight bytes or so for each session that worked. What is counted began among the entries given.
An entry of a kind that is not counted changes nothing, whatever it holds; nor does one that was
redacted or comes from another ledger. What nobody could tell is neither a success nor a failure.

Not promised: what the ledger does not see. It sees leases, commits, commands and verdicts; typing
it does not see, so a session is at work with the first of those.

    measure(entries).failure.value      # how many of the new sessions began with a failure
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Final

from handrail.core.events import Event, LeaseGranted, LeaseReleased, SessionEnded
from handrail.core.handed import (
    PacketAccepted,
    PacketDeclined,
    PacketOffered,
    PacketReturned,
    StageJudged,
    TaskClosed,
    TaskTaken,
)
from handrail.core.ledger import Entry, Header, read_event, read_header
from handrail.core.metrics import Figures, Share, Suite, spans
from handrail.core.receipts import EvidenceRecorded
from handrail.core.task import COMPLETE, SYSTEM

PRE: Final = "pre-handoff"
POST: Final = "post-handoff"
PASS: Final = "pass"
FAIL: Final = "fail"
GONE: Final = "process_gone"
"""Why a session ends whose process vanished: it called nothing complete."""
ADOPTED: Final = "adopted"
OF_THE_OFFER: Final = ("commit-present", "artifacts", "evidence")
"""Gates after a handoff that judge what does not change any more once it is offered."""
NOT_OF_THE_COMMIT: Final = frozenset({"committed", "pushed", "message", "next-phase"})
"""Gates before a handoff that judge something else than what the packet's commit holds."""
_HEADER: Final = re.compile(
    rb'\{"v":1,"epoch":"[0-9a-z]{1,32}","seq":[1-9][0-9]{0,17},"at":(0|[1-9][0-9]{0,17}),'
    rb'"kind":"([a-z_.]{1,40})","session":(?:null|"([^"\\]*)"),'
)
_HEAD: Final = Header(1, "", 1, 0, "", None, None, None, "", "")
_Said = tuple[str, str, str]
"""A finding: gate, code, path."""


def measure(entries: Iterable[Entry]) -> Figures:
    """Count; raises ValueError, KeyError or TypeError on an entry that is none."""
    tally = Tally()
    for entry in entries:
        tally.take(entry)
    return tally.figures()


class _Run:
    """A session between its start and its end, as far as it matters here."""

    __slots__ = (
        *("accepted_at", "attested", "began_at", "by_grant", "given_at", "verdict", "vouched"),
        "worked_at",
    )

    def __init__(self, began_at: int | None) -> None:
        self.began_at = began_at  # None: it began before the entries that are counted
        self.verdict = ""
        self.worked_at: int | None = None
        self.by_grant = False
        self.given_at: int | None = None  # when it was given leases that are no work of its own
        self.accepted_at: int | None = None
        self.attested = False  # there are commits that it neither handed over nor closed a task on
        self.vouched = False  # and gates judged them


class _Handed:
    """The newest packet of a task that somebody gave."""

    def __init__(self, offer: PacketOffered, *, vouched: bool) -> None:
        self.number, self.giver, self.kind = offer.number, offer.session, offer.packet_kind
        self.head, self.findings = _says(offer.packet)
        self.vouched = vouched
        self.taker: str | None = None
        self.settled_at: int | None = None
        self.counted = False
        self.raised: set[str] = set()

    def open_at(self, at: int) -> bool:
        """Tell whether nobody had answered before the transaction of ``at``."""
        return self.settled_at is None or self.settled_at == at


def _says(packet: str) -> tuple[str | None, set[_Said]]:
    """Return the commit of a packet and what it says itself that gates mind."""
    try:
        content = json.loads(packet)
        metadata = content["metadata"]
        head = metadata.get("head")
        rows = metadata.get("findings", [])
        found = {(row["gate"], row["code"], row.get("path", "")) for row in rows}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, set()
    return head if isinstance(head, str) and head else None, found


class Tally:
    """A sum in the making: ``take`` every entry once, oldest first."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._handed: dict[str, _Handed] = {}
        self._vouched: set[tuple[str, str]] = set()  # task, session: what is next was judged
        self._holders: dict[str, str] = {}
        self._closings: list[tuple[int, str, bool]] = []
        self._suites: dict[str, Suite] = {}
        self._kind = ""
        self._sessions = self._failed = self._told = self._unsure = 0
        self._complete = self._compliant = self._rediscovered = self._packets = 0
        self._resumed: list[int] = []
        self._accepted: list[int] = []
        self._counted: Final[dict[str, Callable[[int, str | None, Entry], None]]] = {
            "session.started": self._started,
            "session.ended": self._ended,
            "lease.granted": self._granted,
            "lease.released": self._released,
            "commit.attested": self._attested,
            "evidence.recorded": self._ran,
            "stage.judged": self._judged,
            "packet.offered": self._offered,
            "packet.accepted": self._accepting,
            "task.taken": self._accepting,
            "packet.declined": self._refused,
            "packet.returned": self._refused,
            "task.closed": self._closed,
        }

    def take(self, entry: Entry) -> None:
        """Count an entry; raises ValueError, KeyError or TypeError if it is none."""
        at, kind, session = _peek(entry.header)
        self._kind = kind
        count = self._counted.get(kind)
        if count is not None:
            if self._closings and self._closings[0][0] != at:
                self._settle_closings()
            count(at, session, entry)

    def _read(self, entry: Entry) -> Event | None:
        """Decode the entry that is taken; its header is read already."""
        return read_event(entry, _HEAD._replace(kind=self._kind))

    def figures(self) -> Figures:
        """Return what was counted; nothing is taken afterwards."""
        self._settle_closings()
        for run in self._runs.values():
            self._over(run)
        self._runs.clear()
        return Figures(
            sessions=self._sessions,
            failure=Share(self._failed, self._told),
            unsure=self._unsure,
            compliance=Share(self._compliant, self._complete),
            resumed=spans(self._resumed),
            accepted=spans(self._accepted),
            rediscovered=self._rediscovered,
            packets=self._packets,
            suites=tuple(suite for _, suite in sorted(self._suites.items())),
        )

    # --- sessions ---------------------------------------------------------------------------------

    def _run(self, session: str | None) -> _Run | None:
        return None if session is None else self._runs.setdefault(session, _Run(None))

    def _started(self, at: int, session: str | None, entry: Entry) -> None:
        if session is not None:
            before = self._runs.pop(session, None)
            if before is not None:
                self._over(before)
            self._runs[session] = _Run(at)
            self._sessions += 1

    def _ended(self, at: int, session: str | None, entry: Entry) -> None:
        event = self._read(entry)
        name, reason = session, ""
        if isinstance(event, SessionEnded):
            name, reason = event.session, event.reason
        run = None if name is None else self._runs.pop(name, None)
        if run is not None:
            self._over(run)
            if run.attested and reason != GONE:
                self._completed(vouched=run.vouched)

    def _over(self, run: _Run) -> None:
        """Add what is known of a session that began here."""
        if run.began_at is None:
            return
        self._told += run.verdict in (PASS, FAIL)
        self._failed += run.verdict == FAIL
        self._unsure += run.verdict not in (PASS, FAIL, "")
        if run.worked_at is not None:
            self._resumed.append(run.worked_at - run.began_at)
            if run.accepted_at is not None:
                self._accepted.append(run.worked_at - run.accepted_at)

    def _works(self, at: int, session: str | None, *, by_grant: bool = False) -> _Run | None:
        """Remember the first work of a session."""
        run = self._run(session)
        if run is not None and run.worked_at is None:
            run.worked_at, run.by_grant = at, by_grant
        return run

    def _given(self, at: int, run: _Run) -> None:
        """Take back that a grant was work: it came with what a session was given."""
        run.given_at = at
        if run.by_grant and run.worked_at == at:
            run.worked_at = None

    def _granted(self, at: int, session: str | None, entry: Entry) -> None:
        run = self._runs.get(session or "")
        if run is None or run.worked_at is not None or run.given_at == at:
            return
        event = self._read(entry)
        if isinstance(event, LeaseGranted) and event.session == session:
            self._works(at, session, by_grant=True)

    def _released(self, at: int, session: str | None, entry: Entry) -> None:
        run = self._runs.get(session or "")
        if run is None or run.worked_at not in (None, at):
            return
        event = self._read(entry)
        if isinstance(event, LeaseReleased) and event.reason == ADOPTED:
            self._given(at, run)

    def _attested(self, at: int, session: str | None, entry: Entry) -> None:
        run = self._works(at, session)
        if run is not None:
            run.attested, run.vouched = True, False

    def _ran(self, at: int, session: str | None, entry: Entry) -> None:
        run = self._runs.get(session or "")
        if run is not None and run.worked_at is None:
            event = self._read(entry)
            # What somebody else's evidence was compared with is no work of its own.
            if isinstance(event, EvidenceRecorded) and event.about.startswith(("run:", "gate:")):
                self._works(at, session)

    # --- verdicts ---------------------------------------------------------------------------------

    def _judged(self, at: int, session: str | None, entry: Entry) -> None:
        event = self._read(entry)
        if not isinstance(event, StageJudged):
            return
        self._add(event)
        run = self._run(event.session)
        handed = self._handed.get(event.for_task or "")
        if event.stage == POST:
            if run is not None and run.verdict not in (PASS, FAIL):
                run.verdict = event.verdict
            if handed is not None and event.verdict == FAIL and event.session != handed.giver:
                self._raise(at, handed, event.gates)
        elif event.stage == PRE:
            if run is not None:
                run.vouched = True
            if event.for_task is not None:
                self._vouch(at, event.for_task, event.session)

    def _add(self, event: StageJudged) -> None:
        suite = self._suites.get(event.stage, Suite(event.stage, 0, 0, 0, 0, 0))
        self._suites[event.stage] = suite._replace(
            passed=suite.passed + (event.verdict == PASS),
            failed=suite.failed + (event.verdict == FAIL),
            unsure=suite.unsure + (event.verdict not in (PASS, FAIL)),
            binding=suite.binding + len(event.gates),
            advisory=suite.advisory + event.advised,
        )

    def _vouch(self, at: int, task: str, session: str) -> None:
        """Let a verdict count for what it is about: it stands behind it, or comes before."""
        handed = self._handed.get(task)
        if self._closings and self._closings[-1][1] == task:
            self._closings[-1] = (at, task, True)
        elif handed is not None and handed.giver == session and handed.open_at(at):
            handed.vouched = True
        else:
            self._vouched.add((task, session))

    # --- handoffs ---------------------------------------------------------------------------------

    def _offered(self, at: int, session: str | None, entry: Entry) -> None:
        event = self._read(entry)
        if not isinstance(event, PacketOffered) or event.session == SYSTEM:
            return
        run = self._works(at, session)
        if run is not None:
            run.attested = False
        before = self._handed.get(event.task)
        mine = (event.task, event.session)
        handed = _Handed(event, vouched=mine in self._vouched)
        self._vouched.discard(mine)
        self._handed[event.task] = handed
        if before is not None and before.taker == event.session and event.packet_kind != COMPLETE:
            self._sent_back(before, handed)

    def _sent_back(self, before: _Handed, answer: _Handed) -> None:
        """Count what work that was sent back says of a commit that nobody changed since."""
        if before.head is not None and before.head == answer.head:
            new = answer.findings - before.findings
            self._rediscovered += sum(gate not in NOT_OF_THE_COMMIT for gate, _, _ in new)

    def _raise(self, at: int, handed: _Handed, gates: Iterable[str]) -> None:
        """Count what a receiver's gates mind about what was offered, each gate once a packet."""
        if not handed.open_at(at):
            return
        known = {gate for gate, _, _ in handed.findings} | handed.raised
        new = {
            gate for gate in gates if gate.partition(":")[0] in OF_THE_OFFER and gate not in known
        }
        handed.raised |= new
        self._rediscovered += len(new)
        self._count(handed)

    def _count(self, handed: _Handed) -> None:
        self._packets += not handed.counted
        handed.counted = True

    def _accepting(self, at: int, session: str | None, entry: Entry) -> None:
        run = self._runs.get(session or "")
        if run is not None:
            self._given(at, run)
            if run.accepted_at is None and run.worked_at is None:
                run.accepted_at = at
        event = self._read(entry)
        if isinstance(event, TaskTaken):
            self._holders[event.task] = event.session
        elif isinstance(event, PacketAccepted):
            self._holders[event.task] = event.session
            handed = self._answered(at, event)
            if handed is not None:
                handed.taker = event.session
                if handed.kind == COMPLETE:
                    self._completed(vouched=handed.vouched)

    def _refused(self, at: int, session: str | None, entry: Entry) -> None:
        event = self._read(entry)
        if isinstance(event, PacketDeclined | PacketReturned):
            handed = self._answered(at, event)
            if handed is not None and isinstance(event, PacketReturned):
                self._raise(at, handed, event.gates)

    def _answered(
        self, at: int, event: PacketAccepted | PacketDeclined | PacketReturned
    ) -> _Handed | None:
        handed = self._handed.get(event.task)
        if handed is None or handed.number != event.number:
            return None
        handed.settled_at = at
        self._count(handed)
        return handed

    def _closed(self, at: int, session: str | None, entry: Entry) -> None:
        event = self._read(entry)
        if not isinstance(event, TaskClosed):
            return
        mine = (event.task, session or "")
        vouched = mine in self._vouched
        self._vouched.discard(mine)
        self._handed.pop(event.task, None)
        holder = self._holders.pop(event.task, None)
        if session is not None and session == holder:
            # Its verdict may stand behind it, in the same transaction.
            self._closings.append((at, event.task, vouched))
            run = self._run(session)
            if run is not None:
                run.attested = False

    def _settle_closings(self) -> None:
        for _, _, vouched in self._closings:
            self._completed(vouched=vouched)
        self._closings.clear()

    def _completed(self, *, vouched: bool) -> None:
        self._complete += 1
        self._compliant += vouched


def _peek(header: bytes) -> tuple[int, str, str | None]:
    """Return when, what kind and whose an entry is, as fast as a large ledger wants it."""
    found = _HEADER.match(header)
    if found is None:
        decoded = read_header(header)
        return decoded.at, decoded.kind, decoded.session
    at, kind, session = found.groups()
    name = None if session is None else session.decode("ascii")
    return int(at), kind.decode("ascii"), name
