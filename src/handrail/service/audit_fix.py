"""Writing the triggers that an audit proposes at the end of ``handrail.toml``: a person's to do.

Promises: rows are only added, at the end; all else stays byte for byte; what would be written is a
valid configuration that says of everything else what it said before, or nothing is written. It is
written whole or not at all, and not over what somebody changed meanwhile. Gaps are those of the
file, so that repeating it adds nothing. Nothing comes into force by it: that is ``config apply``.

    add_triggers(site, gathered, caller, dry_run=True).text
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from handrail import errors
from handrail.config import CONFIG_FILE, Settings, parse_config
from handrail.core.audit.matrix import compare
from handrail.core.audit.rows import Row, Unwritten, propose, toml_of
from handrail.core.record import Record
from handrail.service.audit import Gathered, matrix_of
from handrail.service.context import Caller
from handrail.service.install.site import Site
from handrail.service.own_config import own_config
from handrail.service.sessions import person_proof


class Fixed(Record):
    """What was added or would be: the rows, their text, the line that it begins after."""

    rows: tuple[Row, ...]
    unwritten: tuple[Unwritten, ...]
    text: str
    line: int


def add_triggers(
    site: Site, gathered: Gathered, caller: Caller, command: Sequence[str], *, dry_run: bool
) -> Fixed:
    """Add a trigger for each gap that the file leaves open.

    ``command`` is what a person would type. Raises NeedsPerson, MalformedConfig, FactsUnavailable.
    """
    if not dry_run:
        person_proof(caller, "adding triggers", command)
    path = os.path.join(site.toplevel, CONFIG_FILE)
    with site.alone():
        seen, before = own_config(site)
        matrix = matrix_of(before)
        found = compare(gathered.statements, matrix, gathered.names)
        proposed = propose(found.findings, matrix)
        content = _with_rows(seen.content, proposed.rows)
        if proposed.rows:
            _check(content, before, proposed.rows)
            if not dry_run:
                site.write(path, content, seen, seen.mode)
        text = content[len(seen.content) :].decode("utf-8")
        return Fixed(proposed.rows, proposed.unwritten, text, seen.content.count(b"\n"))


def _with_rows(content: bytes, rows: Sequence[Row]) -> bytes:
    """Return the file with the rows at its end, in its own line ends."""
    if not rows:
        return content
    eol = b"\r\n" if b"\r\n" in content else b"\n"
    end = b"" if content.endswith(b"\n") or not content else eol
    return content + end + eol + toml_of(rows).encode("ascii").replace(b"\n", eol)


def _check(content: bytes, before: Settings, rows: Sequence[Row]) -> None:
    """Refuse what would be no configuration, or say anything else than before."""
    try:
        after = parse_config(content, file=CONFIG_FILE)
    except errors.MalformedConfig as broken:
        reason = f"no trigger can be added at its end ({broken.values['reason']})"
        raise errors.MalformedConfig(
            file=CONFIG_FILE, line=broken.values["line"], reason=reason
        ) from broken
    number = len(before.triggers)
    same = after._replace(triggers=after.triggers[:number]) == before
    if not same or [one.id for one in after.triggers[number:]] != [row.id for row in rows]:
        reason = "triggers added at its end would change something else"
        raise errors.MalformedConfig(file=CONFIG_FILE, line=1, reason=reason)
