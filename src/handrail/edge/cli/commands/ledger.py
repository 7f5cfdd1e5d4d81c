"""``log`` and the ``ledger`` commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from handrail import errors
from handrail.core.ledger import Entry, Report, format_head, import_lines, parse_head, verify
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import say, write_bytes
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.records import Line, Records, broken_export
from handrail.text import rfc3339, visible

NO_HEAD = "no head was given, so a tail that was cut off would not be seen"


def log(invocation: Invocation) -> Reply:
    """Read the newest entries."""
    limit = invocation.number("number", 20, low=1, high=1_000_000)
    lines = Records(invocation.application.context).log(limit)
    return Reply(
        {"entries": [_line_data(line) for line in lines]},
        "\n".join(_line_text(line) for line in lines),
    )


def _line_data(line: Line) -> Data:
    header = line.header._asdict()
    return {**header, "at": rfc3339(line.header.at), "hash": line.hash, "payload": line.fields}


def _line_text(line: Line) -> str:
    header = line.header
    who = header.session or "unattributed"
    if line.fields is None:
        what = "(redacted)"
    else:
        shown = [_field(name, value) for name, value in line.fields.items()]
        what = " ".join(text for text in shown if text)
    return f"{header.seq:>6}  {rfc3339(header.at)}  {header.kind:<16}  {who:<14}  {what}"


def _field(name: str, value: object) -> str:
    if value in (None, [], "") or name in ("secret_hash", "text", "record", "session"):
        return ""
    if isinstance(value, list):
        value = ",".join(str(item) for item in value)
    text = rfc3339(value) if name.endswith("_at") and isinstance(value, int) else str(value)
    return f"{name}={visible(text)[:120]}"


def verify_(invocation: Invocation) -> Reply:
    """Verify this store's ledger, or an export alone."""
    file, heads = invocation.file("file"), invocation.words("head")

    def tick(number: int) -> None:
        if number % 100_000 == 0 and not invocation.flag("quiet"):
            say(f"{number} entries so far")

    if file is None:
        report = Records(invocation.application.context).verify(heads, tick)
    else:
        parsed = [parse_head(text) for text in heads]
        entries = read_export(file)
        report = verify(entries, [head for _, head in parsed])
        for epoch, _ in parsed:
            if report.epoch not in (None, epoch):
                raise errors.ForeignEpoch(token=f"{epoch}:…", epoch=report.epoch)
    if report.problem is not None:
        if file is not None:
            raise broken_export(report.problem)
        raise errors.LedgerBroken(seq=report.problem.seq, reason=report.problem.reason)
    return _verified(report)


def _verified(report: Report) -> Reply:
    head = format_head(report.epoch or "-", report.head)
    text = f"the ledger verifies: {count(report.entries, 'entry')}"
    if report.redacted:
        text += f", {report.redacted} of them redacted"
    text += f"\nhead {head}"
    data: Data = {
        "entries": report.entries,
        "redacted": report.redacted,
        "head": head,
        "heads_checked": report.heads_checked,
    }
    notes = () if report.heads_checked else (f"note: {NO_HEAD}",)
    return Reply(data, text, notes)


def export(invocation: Invocation) -> Reply:
    """Write the ledger."""
    records = Records(invocation.application.context)
    target = invocation.file("output")
    if target is None:
        if invocation.flag("json"):
            raise errors.Usage(
                reason="An export is bytes: give --json a file to write them to.",
                next="handrail ledger export --json -o ledger.txt",
            )
        write_bytes(records.export())
        return Reply({})
    entries = -1
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(target, flags, 0o644), "wb") as file, _whole(target):
            for line in records.export():
                file.write(line)
                entries += 1
            file.flush()
    except FileExistsError as error:
        reason = f"{visible(target)} is there already, and an export replaces nothing."
        raise errors.Usage(reason=reason, next="handrail ledger export --help") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise errors.OutputClosed(reason=f"{target}: {reason}") from error
    return Reply(
        {"file": target, "entries": entries}, f"wrote {entries} entries to {visible(target)}"
    )


@contextmanager
def _whole(target: str) -> Iterator[None]:
    """Take a file away again that could not be written to its end."""
    try:
        yield
    except BaseException:
        os.unlink(target)
        raise


def import_(invocation: Invocation) -> Reply:
    """Enter another ledger as history."""
    file = invocation.file("file") or ""
    entries = read_export(file)
    if invocation.flag("dry_run"):
        report = verify(entries)
        if report.problem is not None:
            raise broken_export(report.problem)
        return Reply({"entries": report.entries, "dry_run": True}, f"would enter {report.entries}")
    done = Records(invocation.application.context).import_history(entries, file)
    text = f"entered {done} of {len(entries)} as history; they give no token"
    return Reply({"entered": done, "entries": len(entries)}, text)


def redact(invocation: Invocation) -> Reply:
    """Remove a payload for good."""
    seq = invocation.number("seq", 0, low=1, high=1 << 53)
    application = invocation.application
    try:
        entry = Records(application.context).redact(seq, invocation.text("reason") or "not given")
    except errors.Usage:
        application.store.scrub()  # redacted before, when a reader may have kept its bytes alive
        raise
    try:
        application.store.scrub()
    except errors.StoreBusy as busy:
        again = f"handrail ledger redact {seq}"
        raise errors.StoreBusy(**busy.values, next=again) from busy
    return Reply(
        {"redacted": seq, "entry": entry.seq},
        f"redacted entry {seq}; entry {entry.seq} says so",
        ("note: copies elsewhere (exports, backups, clones) still hold it",),
    )


def read_export(path: str) -> list[Entry]:
    """Read an export from a file; raises MalformedLedger, FactsUnavailable."""
    try:
        with open(path, "rb") as file:
            return list(import_lines(file, path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise errors.FactsUnavailable(what=path, reason=reason) from error
