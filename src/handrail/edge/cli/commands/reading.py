"""``reading list`` and ``done``: what one has to read before one writes."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.core.reading import HOW, ToRead
from handrail.edge.cli.commands.board import relative_path
from handrail.edge.cli.invocation import Invocation
from handrail.edge.render import count, table
from handrail.edge.reply import Data, Reply
from handrail.errors.handoff import ReadingNotAsked
from handrail.service.readings import Readings, Standing
from handrail.text import visible


def listed(invocation: Invocation) -> Reply:
    """List what the session has to read or has read."""
    standing = Readings(invocation.application.context).standing()
    rows = [(visible(row.path), state_of(row), row.source) for row in standing.rows]
    text = table(("FILE", "STATE", "ASKED BY"), rows) if rows else "nothing has to be read"
    return Reply(_data(standing), text, tuple(_notes(standing)))


def done(invocation: Invocation) -> Reply:
    """Claim that documents were read."""
    readings, dry_run = Readings(invocation.application.context), invocation.flag("dry_run")
    paths = [_meant(invocation, readings, word) for word in invocation.words("files")]
    claimed = readings.claim(paths, dry_run=dry_run)
    fresh = [row.path for row in claimed.rows if row.path not in claimed.before]
    verb = "would record" if dry_run else "recorded"
    text = f"{verb} the claim that {count(len(fresh), 'document')} were read"
    if len(fresh) < 2:
        text = f"{verb} the claim that {visible(fresh[0])} was read" if fresh else "nothing is new"
    notes = [f"note: {visible(path)} needed no claim" for path in claimed.before]
    notes += [
        f"note: {visible(path)} is not what it was when it was asked for"
        for path in claimed.changed
    ]
    data: Data = {
        **_data(claimed.standing),
        "claimed": list(fresh),
        "changed": list(claimed.changed),
        "dry_run": dry_run,
    }
    return Reply(data, text, (*notes, *([] if dry_run else _notes(claimed.standing))))


def _meant(invocation: Invocation, readings: Readings, word: str) -> str:
    """Return the path that a word means: from the folder one is in, else from the root."""
    place = invocation.application.place.toplevel
    seen = relative_path(place, invocation.directory, word)
    known = {row.path for row in readings.standing().rows}
    plain = word.removeprefix("./")
    if seen in known or plain not in known:
        if seen is None:
            session = invocation.application.context.caller.session
            raise ReadingNotAsked(session=session, path=word)
        return seen
    return plain


def state_of(row: ToRead) -> str:
    """Say in a few words how it stands with a document."""
    if row.fault:
        return f"binds nobody: {row.fault}"
    if row.how:
        return HOW[row.how]
    return "to read" if row.binds else "to read if you accept"


def _notes(standing: Standing) -> list[str]:
    if standing.rows and not standing.left:
        return ["note: all is read that has to be"]
    return [left_note([row.path for row in standing.left])] if standing.left else []


def left_note(paths: Sequence[str]) -> str:
    """Say what is left to read."""
    named = ", ".join(visible(path) for path in paths)
    return f"note: before your first edit, read each as a whole: {named}"


def reading_data(row: ToRead) -> Data:
    """Return a document as data."""
    return {
        "path": row.path,
        "sha256": row.digest or None,
        "commit": row.commit or None,
        "source": row.source,
        "binds": row.binds and not row.fault,
        "read": row.how or None,
        "fault": row.fault or None,
    }


def _data(standing: Standing) -> Data:
    return {
        "session": standing.session.id,
        "documents": [reading_data(row) for row in standing.rows],
        "unread": [row.path for row in standing.left],
    }
