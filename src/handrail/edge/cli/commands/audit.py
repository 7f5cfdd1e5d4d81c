"""``audit``."""

from __future__ import annotations

import os
import time
from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE
from handrail.edge.audited import FORMATS, reply
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import dump
from handrail.edge.findings import chosen_format
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.audit import Gathered, gather, report_on, standing_of
from handrail.service.audit_fix import Fixed, add_triggers
from handrail.service.backtest import settings_here
from handrail.service.enforcement import paused_until
from handrail.text import shell_quote, visible

_HELP: Final = "handrail audit --help"
_APPLY: Final = "handrail config apply"


def audit(invocation: Invocation) -> Reply:
    """Audit rule files."""
    form, fixes = chosen_format(invocation, FORMATS), invocation.flag("fix")
    if invocation.flag("dry_run") and not fixes:
        reason = "An audit writes nothing unless --fix is given; --dry-run goes with it."
        raise errors.Usage(reason=reason, next="handrail audit --fix --dry-run")
    application = invocation.application
    paths = tuple(_inside(invocation, word) for word in invocation.words("path"))
    there = application.ground.store_exists()
    found = settings_here(
        application.ground, application.store if there else None, in_force_first=True
    )
    settings, where = (None, None) if found is None else found
    gathered = gather(application.audited, paths, settings)
    if paths and not gathered.files and gathered.unread:
        path, why = gathered.unread[0]
        raise errors.FactsUnavailable(what=path, reason=why, next=_HELP)
    if fixes:
        return _fixed(invocation, gathered, form)
    now, paused = time.time_ns() // 1_000_000, False
    if there:
        with application.store.read() as reader:
            now, paused = reader.now, paused_until(reader) is not None
    standing = None
    if settings is not None:
        standing = standing_of(application.audited, application.site, settings, paused=paused)
    configured = None if where is None else f"{CONFIG_FILE} {where}"
    report = report_on(gathered, settings, configured, now, standing)
    return reply(report, form, strict=invocation.flag("strict"))


def _inside(invocation: Invocation, word: str) -> str:
    """Return a path from the top of the working tree; raises Usage for one that is not in it."""
    toplevel = os.path.realpath(invocation.application.place.toplevel)
    full = os.path.join(os.path.realpath(invocation.directory), word)
    try:
        folder, name = os.path.split(os.path.normpath(full))
        place = os.path.relpath(os.path.join(os.path.realpath(folder), name), toplevel)
    except ValueError as error:  # a NUL byte
        raise errors.Usage(reason=f"{visible(word)} is no path.", next=_HELP) from error
    if place.split(os.sep)[0] in (os.pardir, ".git"):
        reason = f"{visible(word)} is not in this working tree."
        raise errors.Usage(reason=reason, next=_HELP)
    return place


def _fixed(invocation: Invocation, gathered: Gathered, form: str) -> Reply:
    application, dry_run = invocation.application, invocation.flag("dry_run")
    if form not in ("text", "json"):
        reason = f"--fix tells what it adds as text or json, not as {form}."
        raise errors.Usage(reason=reason, next="handrail audit --fix --dry-run")
    there = application.ground.store_exists()
    caller = application.context.caller if there else application.caller
    command = ("audit", "--fix", *invocation.words("path"))
    done = add_triggers(application.site, gathered, caller, command, dry_run=dry_run)
    step = " ".join(map(shell_quote, ("handrail", *command))) if dry_run else _APPLY
    data: Data = {
        "file": CONFIG_FILE,
        "dry_run": dry_run,
        "changed": bool(done.rows) and not dry_run,
        "triggers": [row.id for row in done.rows],
        "toml": done.text,
        "unwritten": [{"finding": one.finding, "reason": one.reason} for one in done.unwritten],
        "next": step if done.rows else None,
    }
    notes = [f"note: {one.finding}: no trigger: {one.reason}" for one in done.unwritten]
    if done.rows:
        notes.append(f"next: {errors.AS_PERSON}{step}")
    text = dump(data) if form == "json" else _told(done, dry_run=dry_run)
    return Reply(data, text, tuple(notes) if form == "text" else ())


def _told(done: Fixed, *, dry_run: bool) -> str:
    """Tell what was added; before, as the lines of a diff."""
    if not done.rows:
        nothing = "nothing would be added" if dry_run else "nothing was added"
        return f"{nothing}: {CONFIG_FILE} has a trigger for each gap that can have one"
    if dry_run:
        lines = done.text.replace("\r\n", "\n").removesuffix("\n").split("\n")
        head = [f"--- {CONFIG_FILE}", f"+++ {CONFIG_FILE} (as it would be)"]
        head.append(f"@@ -{done.line},0 +{done.line + 1},{len(lines)} @@")
        return "\n".join([*head, *(f"+{line}" for line in lines)])
    names = ", ".join(row.id for row in done.rows)
    return f"added {count(len(done.rows), 'trigger')} to {CONFIG_FILE}: {names}"
