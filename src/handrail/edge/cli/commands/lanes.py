"""``lanes import`` and ``lanes export``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE
from handrail.core.codeowners.lanes import Difference
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import say
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.backtest import WORKING_TREE, settings_here
from handrail.service.lanes import (
    OWNERS_BYTES_MAX,
    LanesExported,
    LanesImported,
    export_lanes,
    find_owners,
    import_lanes,
)
from handrail.text import shell_quote, visible
from handrail.wiring import read_file

TOLD_MAX: Final = 20
ROWS_MAX: Final = 1_000
SLOW_FROM: Final = 400
FIRST_LINE: Final = (
    "# Written by `handrail lanes export`; of several lines, the last that fits counts."
)


def import_(invocation: Invocation) -> Reply:
    """Turn a CODEOWNERS file into roles."""
    application, dry_run = invocation.application, invocation.flag("dry_run")
    name, path = invocation.text("file"), invocation.file("file")
    if name is None or path is None:
        name, raw = find_owners(
            lambda place: read_file(
                os.path.join(application.place.toplevel, place), OWNERS_BYTES_MAX
            )
        )
    else:
        given = read_file(path, OWNERS_BYTES_MAX, pipe=True)
        if given is None:
            step = "handrail lanes import --help"
            raise errors.FactsUnavailable(what=name, reason="there is no such file", next=step)
        raw = given

    def tell(rules: int) -> None:
        if rules >= SLOW_FROM and not invocation.flag("quiet"):
            say(f"comparing {rules} rules")

    done = import_lanes(application.site, name, raw, tell, dry_run=dry_run)
    text = _told(done, name, dry_run=dry_run)
    return Reply(_import_data(done, name, dry_run=dry_run), text, _import_notes(done, name))


def _told(done: LanesImported, name: str, *, dry_run: bool) -> str:
    if not done.added:
        nothing = "nothing was" if not dry_run else "nothing would be"
        return f"{nothing} added: {CONFIG_FILE} has every role of {visible(name)} that can be made"
    if dry_run:
        return f"# would be added to {CONFIG_FILE}\n{done.text}"
    roles = ", ".join(lane.role for lane in done.added)
    return f"added {count(len(done.added), 'role')} to {CONFIG_FILE}: {roles}"


def _import_data(done: LanesImported, name: str, *, dry_run: bool) -> Data:
    imported = done.imported
    return {
        "file": name,
        "dry_run": dry_run,
        "changed": bool(done.added) and not dry_run,
        "roles": [lane._asdict() for lane in done.added],
        "there": list(done.there),
        "differing": _rows(done.differing),
        "default_role": done.default_role,
        "default_lost": done.default_lost,
        "untranslated": _rows(done.untranslated),
        "differences": _rows(imported.differences),
        "compared": imported.compared,
        "dead_lines": list(imported.dead),
        "renamed": _rows(imported.renamed),
        "lanes_meet": _rows(done.lanes_meet),
        "notes": [{"line": line, "text": text} for line, text in done.notes],
        "next": "handrail config apply" if done.added else None,
    }


def _rows(rows: Sequence[object]) -> list[object]:
    return [row._asdict() for row in rows[:ROWS_MAX]]  # type: ignore[attr-defined]


def _import_notes(done: LanesImported, name: str) -> tuple[str, ...]:
    """Tell, line by line of the file, what does not say the same as a lane."""
    file, imported = visible(name), done.imported
    notes = [
        f"{file}:{row.line}: not translated: {visible(row.reason)}: {visible(row.text)}"
        for row in done.untranslated
    ]
    notes += [f"{file}:{row.line}: {_difference(row)}" for row in imported.differences]
    notes += [f"{file}:{line}: left out, as later lines decide all of it" for line in imported.dead]
    notes += [f"{file}:{line}: {text}" for line, text in done.notes]
    more = len(notes) - TOLD_MAX
    notes = notes[:TOLD_MAX] + ([f"and {more} more; --json has them all"] if more > 0 else [])
    if not imported.compared:
        notes.append("the file has too many lines to say where they overlap")
    notes += [
        f"{visible(row.owner)} became the role {row.role}" for row in imported.renamed[:TOLD_MAX]
    ]
    notes += [
        f"role {row.role} is there with the lane {visible(', '.join(row.has))} and stays so;"
        f" {file} says {visible(', '.join(row.would))}"
        for row in done.differing[:TOLD_MAX]
    ]
    notes += [
        f"the lanes of {row.role} and {row.other_role} meet, for example at {visible(row.witness)}"
        for row in done.lanes_meet[:TOLD_MAX]
    ]
    if done.default_role is not None:
        role = done.default_role
        notes.append(f'{role} was the only role; default_role = "{role}" keeps it the usual one')
    if done.default_lost is not None:
        notes.append(
            f"{done.default_lost} was the only role, and is not the usual one any more:"
            " set default_role in [workspace]"
        )
    told = [f"note: {note}" for note in notes]
    if done.added:
        told.append(f"next: {errors.AS_PERSON}handrail config apply")
    return tuple(told)


def _difference(row: Difference) -> str:
    owner = f"{', '.join(row.to)}'s" if row.to else "nobody's"
    lines = f"line {row.by}" if row.lines == 1 else f"line {row.by} (and {row.lines - 1} more)"
    stays = f"in the lane of {', '.join(row.roles)} it stays"
    return f"{lines} makes {visible(row.witness)} {owner}; {stays}"


def export(invocation: Invocation) -> Reply:
    """Write the lanes as CODEOWNERS."""
    application = invocation.application
    store = application.store if application.ground.store_exists() else None
    found = settings_here(application.ground, store, in_force_first=True)
    if found is None:
        raise errors.NotInitialised
    settings, where = found
    owners = invocation.words("owner")
    done = export_lanes(settings, owners, application.ground.is_folder)
    text = "\n".join([FIRST_LINE, *done.written.lines])
    notes = _export_notes(done)
    if where == WORKING_TREE:
        notes = (*notes, f"note: there is no store, so this is {CONFIG_FILE} {WORKING_TREE}")
    data: Data = {
        "lines": list(done.written.lines),
        "from": where,
        "left_out": list(done.left_out),
        "untranslated": _rows(done.written.unwritten),
        "shared": _rows(done.written.shared),
    }
    target = invocation.file("output")
    if target is None:
        return Reply(data, text, notes)
    _put(target, text + "\n")
    lines = count(len(done.written.lines), "line")
    return Reply({**data, "file": target}, f"wrote {lines} to {visible(target)}", notes)


def _put(target: str, text: str) -> None:
    """Write a new file whole or not at all."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(target, flags, 0o644), "wb") as file:
            try:
                file.write(text.encode("utf-8"))
                file.flush()
            except BaseException:
                os.unlink(target)
                raise
    except FileExistsError as error:
        reason = f"{visible(target)} is there already, and an export replaces nothing."
        step = f"handrail lanes export > {shell_quote(target)}"
        raise errors.Usage(reason=reason, next=step) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise errors.OutputClosed(reason=f"{target}: {reason}") from error


def _export_notes(done: LanesExported) -> tuple[str, ...]:
    notes = [
        f"{row.role}: {visible(row.pattern)} is not in it: {row.reason}"
        for row in done.written.unwritten
    ]
    notes += [
        f"{visible(row.witness)} lies in the lane of {', '.join(row.missing)} too"
        f" ({visible(row.pattern)}), and the file names {', '.join(row.named)} alone there"
        for row in done.written.shared
    ]
    more = len(notes) - TOLD_MAX
    notes = notes[:TOLD_MAX] + ([f"and {more} more; --json has them all"] if more > 0 else [])
    notes += [f"role {role} owns no path that it may write" for role in done.left_out]
    if done.fold_case:
        notes.append("lanes here do not tell large letters from small ones, and CODEOWNERS does")
    return tuple(f"note: {note}" for note in notes)
