"""``evidence``: run a command and keep a receipt of how it ended; read the receipts."""

from __future__ import annotations

import sys

from handrail import errors
from handrail.core.receipts import EXITED
from handrail.edge.cli.invocation import Invocation
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.evidence_runs import EvidenceRuns, Receipt
from handrail.service.shown_evidence import is_rerun
from handrail.text import format_duration, rfc3339, shell_quote, visible

SHORT = 12
LISTED_MAX = 1_000


def run(invocation: Invocation) -> Reply:
    """Run a command, or a gate's, and record how it ended."""
    words, gate = invocation.words("command"), invocation.text("gate")
    if not words and gate is None:
        reason = "Name the command to run after --, or a gate with --gate."
        raise errors.Usage(reason=reason, next="handrail evidence run --help")
    timeout_ms = invocation.duration_ms("timeout")
    show = None if invocation.flag("quiet") else _show
    receipt = _runs(invocation).run(words, gate, timeout_ms, show)
    data = receipt_data(receipt)
    return Reply(data, receipt_line(receipt), _notes(receipt), _status(receipt))


def listed(invocation: Invocation) -> Reply:
    """Read the newest receipts."""
    limit = invocation.number("number", 20, low=1, high=LISTED_MAX)
    receipts = _runs(invocation).listed(limit, invocation.text("gate"))
    text = "\n".join(map(receipt_line, receipts)) or "no receipts"
    return Reply({"receipts": [receipt_data(one) for one in receipts]}, text)


def _runs(invocation: Invocation) -> EvidenceRuns:
    application = invocation.application
    return EvidenceRuns(application.context, application.bench(invocation.directory))


def _show(piece: bytes) -> None:
    """Pass on what the command prints; that nobody listens is no reason to stop it."""
    try:
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()
    except (AttributeError, OSError, ValueError):
        pass


def _status(receipt: Receipt) -> int:
    event = receipt.event
    if event.ended == EXITED:
        return event.exit_status or 0
    if event.ended == "signalled":
        return 128 + (event.exit_status or 0)
    return errors.EXIT_UNAVAILABLE


def _notes(receipt: Receipt) -> tuple[str, ...]:
    event = receipt.event
    notes = []
    if event.disturbed:
        notes.append("note: the working tree changed meanwhile, so this passes no gate")
    if event.ended not in (EXITED, "signalled"):
        notes.append(f"note: it was ended after {format_duration(event.duration_ms)}")
    return tuple(notes)


def receipt_data(receipt: Receipt) -> Data:
    """Return a receipt as data."""
    fields = {name: value for name, value in receipt.event._asdict().items() if name != "about"}
    fields["argv"] = list(receipt.event.argv)
    who = {"receipt": receipt.seq, "recorded_at": rfc3339(receipt.at), "session": receipt.session}
    return {**who, **fields, "rerun": is_rerun(receipt.event)}


def receipt_line(receipt: Receipt) -> str:
    """Write a receipt in one line."""
    event = receipt.event
    if event.ended == EXITED:
        how = f"exit {event.exit_status}"
    else:
        how = event.ended.replace("-", " ")
    where = f"commit {event.commit[:SHORT]}" if event.commit else "no commit"
    state = "with unfinished work" if event.dirt else "clean"
    again = " again" if is_rerun(event) else ""
    gate = "" if event.gate is None else f" {event.gate}{again}:"
    passed = event.tests_passed
    tests = "" if passed is None else f", {count(passed, 'test')} passed"
    words = visible(" ".join(map(shell_quote, event.argv)))
    spent = format_duration(event.duration_ms)
    return f"receipt {receipt.seq}:{gate} {words}: {how} in {spent}{tests}, {where}, {state}"
