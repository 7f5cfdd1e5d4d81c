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
from hashlib import sha256
from typing import Final

from handrail import errors
from handrail.core.record import Record
from handrail.service.install import marked
from handrail.service.install.marked import Marked
from handrail.service.install.scripts import BEFORE
from handrail.service.install.site import (
    CREATED,
    FILE,
    KEPT,
    LEFT,
    LINK,
    MERGED,
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
"""The second line of a script of a preset; what is written has a digest behind it."""
CHANGED: Final = ".changed"
"""What is appended to the name of a script of ours that somebody changed."""
_DIGEST_CHARS: Final = 16
_PLAIN: Final = 0o666
_EXECUTABLE: Final = 0o777
_ANY_EXECUTE: Final = 0o111
_ANY_WRITE: Final = 0o222


class Script(Record):
    """A script that takes the place of the original's; its second line is the mark alone."""

    path: str
    resource: str


class Document(Record):
    """A document that the original names; written only where nothing is."""

    path: str
    resource: str


class Block(Record):
    """A part of a document that is there, between marks with a name.

    It is not written where the document has the bytes ``unless`` in it already.
    """

    path: str
    resource: str
    name: str
    unless: bytes


PRESET_FILES: Final[dict[str, tuple[Script | Document | Block, ...]]] = {
    "lanes": (
        Script("scripts/agent_coord.py", "agent_coord.py"),
        Script("scripts/check_tracking_contracts.py", "check_tracking_contracts.py"),
        Script("scripts/agent_run.sh", "agent_run.sh"),
        Script("scripts/check_fast.sh", "check_fast.sh"),
        Script("scripts/check_all.sh", "check_all.sh"),
        Document("ops/HUMAN_QUICKSTART.md", "human_quickstart.md"),
        Document("ops/SESSION_HANDOFF_AGENT.md", "session_handoff_agent.md"),
    ),
    "mosaic": (),
}
"""In the order in which they are written; ``resource`` is seen from ``presets/<preset>/``."""


class _Unfit(Exception):
    """What stands there cannot be changed without harm; the words say why."""


def presets_of(formats: Sequence[str]) -> tuple[str, ...]:
    """Return the presets that have files, by the formats of projections such as `lanes-note`."""
    known = {name.partition("-")[0] for name in formats}
    return tuple(preset for preset in PRESET_FILES if preset in known)


def files_of(presets: Sequence[str]) -> tuple[str, ...]:
    """Return the paths that the files of these presets have, from the top of the working tree."""
    return tuple(dict.fromkeys(file.path for _, file in _files(presets)))


def _files(presets: Sequence[str]) -> Iterator[tuple[str, Script | Document | Block]]:
    for preset in presets:
        for file in PRESET_FILES.get(preset, ()):
            yield preset, file


def _text(preset: str, resource: str) -> bytes:
    from importlib.resources import files

    return (files("handrail.presets") / preset / resource).read_bytes()


# --- writing -------------------------------------------------------------------------------------


def install_presets(site: Site, presets: Sequence[str], *, dry_run: bool) -> tuple[Step, ...]:
    """Write what is missing of these presets; a block that is there or not wanted is no step."""
    steps = []
    for preset, file in _files(presets):
        path = f"{site.toplevel}/{file.path}"
        text = _text(preset, file.resource)
        try:
            seen = _fit(site, file.path)
            if isinstance(file, Script):
                steps.append(_install_script(site, path, seen, stamped(text), dry_run=dry_run))
            elif isinstance(file, Document):
                steps.append(_install_document(site, path, seen, text, dry_run=dry_run))
            elif seen.kind == FILE and file.unless not in seen.content:
                steps.append(_install_block(site, path, seen, _marked(file, text), dry_run))
        except errors.Unavailable as error:
            steps.append(Step(path, LEFT, reason_of(error)))
        except _Unfit as unfit:
            steps.append(Step(path, LEFT, str(unfit)))
    return tuple(steps)


def _fit(site: Site, file: str) -> Seen:
    """Look at a file of this working tree's own; raises _Unfit where it can be none."""
    parts = file.split("/")
    for count in range(1, len(parts)):
        folder = "/".join(parts[:count])
        above = site.look(f"{site.toplevel}/{folder}")
        if above.kind == LINK:
            raise _Unfit(f"{folder} is a symbolic link")
        if above.kind not in ("folder", NOTHING):
            raise _Unfit(f"{folder} is no folder")
    seen = site.look(f"{site.toplevel}/{file}")
    if seen.kind == LINK:
        raise _Unfit("it is a symbolic link")
    if seen.kind not in (FILE, NOTHING):
        raise _Unfit("it is no ordinary file")
    return seen


def _install_script(site: Site, path: str, seen: Seen, wanted: bytes, *, dry_run: bool) -> Step:
    if seen.content == wanted and seen.kind == FILE:
        if seen.mode & _ANY_EXECUTE:
            return Step(path, KEPT)
        if not dry_run:
            site.permit(path, _runnable(seen.mode))
        return Step(path, UPDATED, "it was not executable")
    outcome, aside, note = _in_its_place(path, seen)
    if seen.kind == FILE and not seen.mode & _ANY_WRITE:
        raise _Unfit("it is read-only")
    if not dry_run:
        if aside:
            site.keep(path, aside)
        site.write(path, wanted, site.look(path), _EXECUTABLE)
        site.permit(path, _runnable(site.look(path).mode))
    return Step(path, outcome, note)


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


def _install_document(site: Site, path: str, seen: Seen, text: bytes, *, dry_run: bool) -> Step:
    if seen.kind == FILE:
        return Step(path, KEPT)
    if not dry_run:
        site.write(path, text, seen, _PLAIN)
    return Step(path, CREATED)


def _install_block(site: Site, path: str, seen: Seen, block: Marked, dry_run: bool) -> Step:
    if not seen.whole:
        raise _Unfit("it is larger than 1 MiB")
    try:
        wanted = marked.with_block(seen.content, block)
    except marked.Unpaired as error:
        raise _Unfit("the marks of Handrail's block are not a pair") from error
    if wanted == seen.content:
        return Step(path, KEPT)
    if not seen.mode & _ANY_WRITE:
        raise _Unfit("it is read-only")
    if not dry_run:
        site.write(path, wanted, seen, _PLAIN)
    return Step(path, MERGED)


def _marked(block: Block, text: bytes) -> Marked:
    begin = f"<!-- handrail:begin {block.name} -->".encode("ascii")
    end = f"<!-- handrail:end {block.name} -->".encode("ascii")
    return Marked(begin, end, begin + b"\n" + text.rstrip(b"\n") + b"\n" + end + b"\n")


# --- the mark of a script ------------------------------------------------------------------------


def stamped(text: bytes) -> bytes:
    """Return a script with the digest of the rest of it behind the mark in its second line."""
    first, mark, rest = text.split(b"\n", 2)
    assert mark == SHIM, "a script of a preset has the mark as its second line"
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


# --- taking out ----------------------------------------------------------------------------------


def uninstall_presets(site: Site, *, dry_run: bool) -> tuple[Step, ...]:
    """Take the files of every preset out that are ours, and give back names to what was there."""
    steps: list[Step] = []
    for preset, file in reversed(tuple(_files(tuple(PRESET_FILES)))):
        path = f"{site.toplevel}/{file.path}"
        text = _text(preset, file.resource)
        try:
            seen = _fit(site, file.path)
            if isinstance(file, Script):
                steps += _uninstall_script(site, path, seen, dry_run=dry_run)
            elif isinstance(file, Document):
                steps += _uninstall_document(site, path, seen, text, dry_run=dry_run)
            else:
                steps += _uninstall_block(site, path, seen, _marked(file, text), dry_run=dry_run)
        except errors.Unavailable as error:
            steps.append(Step(path, LEFT, reason_of(error)))
        except _Unfit:
            continue  # we wrote nothing there
    if not dry_run:
        _remove_folders(site, [step.what for step in steps if step.outcome == REMOVED])
    return tuple(reversed(steps))


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


def _uninstall_block(
    site: Site, path: str, seen: Seen, block: Marked, *, dry_run: bool
) -> list[Step]:
    try:
        text = marked.without(seen.content, block)
    except marked.Unpaired:
        note = "the marks of Handrail's block are not a pair; take it out by hand"
        return [Step(path, LEFT, note)]
    if seen.kind != FILE or text == seen.content:
        return []
    if not seen.mode & _ANY_WRITE:
        return [Step(path, LEFT, "it is read-only; take Handrail's block out by hand")]
    if not dry_run:
        site.write(path, text, seen, _PLAIN)
    return [Step(path, RESTORED)]


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
            seen = _fit(site, file.path)
        except _Unfit as unfit:
            lost.append(Lost(path, str(unfit)))
            continue
        reason = _why_lost(seen, stamped(_text(preset, file.resource)))
        if reason:
            lost.append(Lost(path, reason, gone=seen.kind == NOTHING))
    return tuple(lost)


def _why_lost(seen: Seen, wanted: bytes) -> str:
    if seen.kind == NOTHING:
        return "it is gone"
    if not is_shim(seen.content):
        return "another script stands in its place"
    if not is_unchanged(seen.content):
        return "somebody changed it"
    if seen.content != wanted:
        return "it is another release's"
    return "" if seen.mode & _ANY_EXECUTE else "it is not executable"
