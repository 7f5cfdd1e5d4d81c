"""The files of a preset: scripts that stand in for the original's, and documents they lean on.

Promises: as in ``handrail.service.install``. A script that stood in the place of one of ours is
kept beside it, its bytes and permissions as they were, and gets its name back; what somebody
changed in one of ours is kept, too. A document that is there is never written, but for a block
between marks. Which presets count is read off the formats of the configuration's projections;
what is to be taken out, off the files themselves.

A script is told by the mark in its second line and the digest behind it, so that one that nobody
changed is known whichever release wrote it.

    install_presets(site, ("lanes",), dry_run=False)
    lost_presets(site, ("lanes",))      # ()
    uninstall_presets(site, dry_run=False)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from handrail import errors
from handrail.core.digest import sha256
from handrail.service.install.blocks import Unfit, fit, install_block, uninstall_block
from handrail.service.install.marked import Marked
from handrail.service.install.preset_table import PRESET_FILES, Block, Document, Script
from handrail.service.install.scripts import BEFORE
from handrail.service.install.site import (
    CREATED,
    FILE,
    KEPT,
    LEFT,
    NOTHING,
    REMOVED,
    REPLACED,
    RESTORED,
    UPDATED,
    Lost,
    Seen,
    Site,
    Step,
    reason_of,
)

SHIM: Final = b"# handrail:shim"
"""How the second line of each script begins that was written; behind it stands a digest."""
CHANGED: Final = ".changed"
"""What is appended to the name of a script of ours that somebody changed."""
_DIGEST_CHARS: Final = 16
_PLAIN: Final = 0o666
_EXECUTABLE: Final = 0o777
_ANY_EXECUTE: Final = 0o111
_ANY_WRITE: Final = 0o222


def presets_of(formats: Sequence[str]) -> tuple[str, ...]:
    """Return the presets that have files, by the formats of projections such as `lanes-note`."""
    known = {name.partition("-")[0] for name in formats}
    return tuple(preset for preset in PRESET_FILES if preset in known)


def files_of(presets: Sequence[str]) -> frozenset[str]:
    """Return the paths that files of these presets may have."""
    scripts = {file.path for _, file in _files(presets)}
    others = {file.or_at for _, file in _files(presets) if not isinstance(file, Script)}
    return frozenset(scripts | others)


def _files(presets: Sequence[str]) -> Iterator[tuple[str, Script | Document | Block]]:
    for preset in presets:
        for file in PRESET_FILES.get(preset, ()):
            yield preset, file


def _place(site: Site, file: Script | Document | Block) -> str:
    """Say where a file is, or is to be."""
    if isinstance(file, Script) or not file.or_at or site.exists(f"{site.toplevel}/{file.path}"):
        return file.path
    return file.or_at if site.exists(f"{site.toplevel}/{file.or_at}") else file.path


def _text(preset: str, resource: str) -> bytes:
    from importlib.resources import files

    return (files("handrail.presets") / preset / resource).read_bytes()


# --- writing -------------------------------------------------------------------------------------


def install_presets(site: Site, presets: Sequence[str], *, dry_run: bool) -> tuple[Step, ...]:
    """Write what is missing of these presets; a block that is there or not wanted is no step."""
    steps = []
    for preset, file in _files(presets):
        place = _place(site, file)
        path = f"{site.toplevel}/{place}"
        text = _text(preset, file.resource)
        try:
            seen = fit(site, place)
            if isinstance(file, Script) and file.open and is_extended(seen, stamped(text)):
                steps.append(Step(path, KEPT, "somebody added to it"))
            elif isinstance(file, Script):
                wanted = stamped(text)
                steps.append(_install_script(site, path, seen, wanted, file, dry_run=dry_run))
            elif isinstance(file, Document):
                mode = _EXECUTABLE if file.runnable else _PLAIN
                steps.append(_install_document(site, path, seen, text, mode, dry_run=dry_run))
            elif seen.kind == FILE and file.unless not in seen.content:
                steps.append(install_block(site, path, seen, _marked(file, text), dry_run=dry_run))
        except errors.Unavailable as error:
            steps.append(Step(path, LEFT, reason_of(error)))
        except Unfit as unfit:
            steps.append(Step(path, LEFT, str(unfit)))
    return tuple(steps)


def _install_script(
    site: Site, path: str, seen: Seen, wanted: bytes, script: Script, *, dry_run: bool
) -> Step:
    if seen.content == wanted and seen.kind == FILE:
        if seen.mode & _ANY_EXECUTE or not script.runs:
            return Step(path, KEPT)
        if not dry_run:
            site.permit(path, _runnable(seen.mode))
        return Step(path, UPDATED, "it was not executable")
    outcome, aside, note = _in_its_place(path, seen)
    if seen.kind == FILE and not seen.mode & _ANY_WRITE:
        raise Unfit("it is read-only")
    if not dry_run:
        _put_script(site, path, wanted, aside, runs=script.runs)
    return Step(path, outcome, note)


def _put_script(site: Site, path: str, wanted: bytes, aside: str, *, runs: bool) -> None:
    """Write a script, keeping what stands there ``aside``, if that is named."""
    is_first = bool(aside) and site.look(aside).kind == NOTHING
    if aside:
        site.keep(path, aside)
    try:
        site.write(path, wanted, site.look(path), _EXECUTABLE if runs else _PLAIN)
    except errors.Unavailable:
        if is_first:  # a second name of what stands there, or its only one
            site.rename(aside, path)
            site.remove(aside)
        raise
    if runs:
        site.permit(path, _runnable(site.look(path).mode))


def _in_its_place(path: str, seen: Seen) -> tuple[str, str, str]:
    """Return what becomes of a path, where what stands there is kept, and what to say of that."""
    if seen.kind == NOTHING:
        return CREATED, "", ""
    name = path.rpartition("/")[2]
    if not is_shim(seen.content):
        return REPLACED, path + BEFORE, f"what was there is {name}{BEFORE}"
    if is_unchanged(seen.content):
        return UPDATED, "", ""
    return UPDATED, path + CHANGED, f"somebody had changed it; that is {name}{CHANGED}"


def _runnable(mode: int) -> int:
    """Let whoever may read a file run it."""
    return mode | (mode & 0o444) >> 2


def _install_document(
    site: Site, path: str, seen: Seen, text: bytes, mode: int, *, dry_run: bool
) -> Step:
    if seen.kind == FILE:
        return Step(path, KEPT)
    if not dry_run:
        site.write(path, text, seen, mode)
    return Step(path, CREATED)


def _marked(block: Block, text: bytes) -> Marked:
    begin = f"<!-- handrail:begin {block.name} -->".encode("ascii")
    end = f"<!-- handrail:end {block.name} -->".encode("ascii")
    return Marked(begin, end, begin + b"\n" + text.rstrip(b"\n") + b"\n" + end + b"\n")


# --- the mark of a script ------------------------------------------------------------------------


def stamped(text: bytes) -> bytes:
    """Return a script with the mark as its second line, and behind it the digest of the others."""
    first, rest = text.split(b"\n", 1)
    rest = rest.removeprefix(SHIM + b"\n")
    return b"\n".join((first, SHIM + b" " + _digest(first, rest), rest))


def _digest(first: bytes, rest: bytes) -> bytes:
    return sha256(first + b"\n" + rest).hexdigest()[:_DIGEST_CHARS].encode("ascii")


def is_shim(script: bytes) -> bool:
    """Tell whether a script was written by Handrail, changed by somebody or not."""
    lines = script.split(b"\n", 2)
    return len(lines) == 3 and lines[1].startswith(SHIM)


def is_unchanged(script: bytes) -> bool:
    """Tell whether a script is as Handrail wrote it, this release or another."""
    first, mark, rest = script.split(b"\n", 2)
    return mark == SHIM + b" " + _digest(first, rest)


def is_extended(seen: Seen, wanted: bytes) -> bool:
    """Tell whether a file has all lines of a script as it is written now, in order, and more."""
    if seen.kind != FILE or not seen.whole or len(seen.content) <= len(wanted):
        return False
    lines = iter(seen.content.split(b"\n"))
    return all(line in lines for line in wanted.split(b"\n"))


# --- taking out ----------------------------------------------------------------------------------


def uninstall_presets(site: Site, *, dry_run: bool) -> tuple[Step, ...]:
    """Take the files of every preset out that are ours, and give back names to what was there."""
    steps: list[Step] = []
    for preset, file in reversed(tuple(_files(tuple(PRESET_FILES)))):
        other = "" if isinstance(file, Script) else file.or_at
        for place in filter(None, (file.path, other)):
            steps += _uninstall(site, preset, file, place, dry_run=dry_run)
    if not dry_run:
        _remove_folders(site, [step.what for step in steps if step.outcome == REMOVED])
    return tuple(reversed(steps))


def uninstall_files(site: Site, files: Sequence[str], *, dry_run: bool) -> tuple[Step, ...]:
    """Remove files that Handrail wrote, by their paths from the top, and folders left empty."""
    steps = []
    for file in files:
        path = f"{site.toplevel}/{file}"
        try:
            if not dry_run:
                site.remove(path)
            steps.append(Step(path, REMOVED))
        except errors.Unavailable as error:
            steps.append(Step(path, LEFT, reason_of(error)))
    if not dry_run:
        _remove_folders(site, [step.what for step in steps])
    return tuple(steps)


def _uninstall(
    site: Site, preset: str, file: Script | Document | Block, place: str, *, dry_run: bool
) -> list[Step]:
    path, text = f"{site.toplevel}/{place}", _text(preset, file.resource)
    try:
        seen = fit(site, place)
        if isinstance(file, Script):
            return _uninstall_script(site, path, seen, dry_run=dry_run)
        if isinstance(file, Document):
            return _uninstall_document(site, path, seen, text, dry_run=dry_run)
        return uninstall_block(site, path, seen, _marked(file, text), dry_run=dry_run)
    except errors.Unavailable as error:
        return [Step(path, LEFT, reason_of(error))]
    except Unfit:
        return []  # we wrote nothing there


def _uninstall_script(site: Site, path: str, seen: Seen, *, dry_run: bool) -> list[Step]:
    before = site.look(path + BEFORE)
    ours = seen.kind == FILE and is_shim(seen.content)
    if not ours and seen.kind != NOTHING:
        if before.kind == NOTHING:
            return []
        return [Step(path + BEFORE, LEFT, "another script has come into its place")]
    if not ours and before.kind == NOTHING:
        return []
    note = ""
    if ours and not is_unchanged(seen.content):
        note = f"somebody had changed it; that is {path.rpartition('/')[2]}{CHANGED}"
        if not dry_run:
            site.keep(path, path + CHANGED)
    if before.kind == NOTHING:
        if not dry_run:
            site.remove(path)
        return [Step(path, REMOVED, note)]
    if not dry_run:
        site.rename(path + BEFORE, path)
    return [Step(path, RESTORED, note)]


def _uninstall_document(
    site: Site, path: str, seen: Seen, text: bytes, *, dry_run: bool
) -> list[Step]:
    """Remove a document that nobody wrote into since."""
    if seen.kind != FILE or seen.content != text:
        return []
    if not dry_run:
        site.remove(path)
    return [Step(path, REMOVED)]


def _remove_folders(site: Site, paths: Sequence[str]) -> None:
    """Remove the folders that are empty now, deepest first."""
    folders = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder != site.toplevel:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    for folder in sorted(folders, key=len, reverse=True):
        site.remove_folder(folder)


# --- what was lost -------------------------------------------------------------------------------


def lost_presets(site: Site, presets: Sequence[str]) -> tuple[Lost, ...]:
    """Find scripts that are gone, changed, of another release, or not executable."""
    lost = []
    for preset, file in _files(presets):
        if not isinstance(file, Script):
            continue
        path = f"{site.toplevel}/{file.path}"
        try:
            seen = fit(site, file.path)
        except Unfit as unfit:
            lost.append(Lost(path, str(unfit)))
            continue
        wanted = stamped(_text(preset, file.resource))
        reason = _why_lost(seen, wanted, runs=file.runs)
        if reason and not (file.open and is_extended(seen, wanted)):
            lost.append(Lost(path, reason, gone=seen.kind == NOTHING))
    return tuple(lost)


def _why_lost(seen: Seen, wanted: bytes, *, runs: bool) -> str:
    if seen.kind == NOTHING:
        return "it is gone"
    if not is_shim(seen.content):
        return "another script stands in its place"
    if not is_unchanged(seen.content):
        return "somebody changed it"
    if seen.content != wanted:
        return "it is another release's"
    return "" if seen.mode & _ANY_EXECUTE or not runs else "it is not executable"
