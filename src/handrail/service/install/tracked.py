"""What `init` writes into the working tree: the harness hook, settings, the block of guidance.

It is meant to be committed, so that every clone and every working tree has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from handrail import errors
from handrail.service.install import guidance, settings
from handrail.service.install.blocks import Unfit, fit
from handrail.service.install.scripts import harness_hook, is_ours
from handrail.service.install.site import (
    CREATED,
    FILE,
    KEPT,
    LEFT,
    MERGED,
    NOTHING,
    REMOVED,
    RESTORED,
    UPDATED,
    Lost,
    Seen,
    Site,
    Step,
    reason_of,
)

HOOK: Final = ".handrail/hook"
IGNORED: Final = "git ignores it, so other clones will not have it"
_PLAIN: Final = 0o666
_EXECUTABLE: Final = 0o777
_ANY_EXECUTE: Final = 0o111
_ANY_WRITE: Final = 0o222


def install_tracked(
    site: Site, mode: str, *, dry_run: bool, guidance: bool = True
) -> tuple[Step, ...]:
    """Write the hook, merge the settings, and put the block into the guidance if it is wanted."""
    steps = [
        _changed(site, HOOK, _with_hook, _EXECUTABLE, dry_run=dry_run),
        _changed(site, settings.FILE, lambda seen: _merged(seen, mode), _PLAIN, dry_run=dry_run),
    ]
    if guidance:
        steps.append(_changed(site, _GUIDANCE, _with_block, _PLAIN, dry_run=dry_run))
    return tuple(_with_warning(site, step) for step in steps)


def _with_warning(site: Site, step: Step) -> Step:
    """Say of a file that was written if it cannot reach other clones."""
    if step.outcome in (KEPT, LEFT) or not site.ignored(step.what):
        return step
    return step._replace(note=IGNORED)


def uninstall_tracked(site: Site, *, dry_run: bool) -> tuple[Step, ...]:
    """Take out what is ours; a file in which nothing else is goes, and its folder if empty."""
    changes = ((HOOK, _no_hook), (settings.FILE, _unmerged), (_GUIDANCE, _without_block))
    steps = []
    for file, change in changes:
        step = _changed(site, file, change, _PLAIN, dry_run=dry_run)
        if step.outcome == LEFT:
            step = _still_there(site, step, change)
        steps.append(step._replace(outcome=RESTORED) if step.outcome == MERGED else step)
    if not dry_run:
        for folder in {
            f"{site.toplevel}/{file.partition('/')[0]}" for file in (HOOK, settings.FILE)
        }:
            site.remove_folder(folder)
    return tuple(step for step in steps if step.outcome != KEPT)


def _still_there(site: Site, step: Step, change: Callable[[Seen], bytes | None]) -> Step:
    """Say what is left to do by hand; nothing where nothing of ours can be."""
    seen = site.look(step.what)
    if seen.kind != FILE or change(seen) == seen.content:
        return step._replace(outcome=KEPT)
    reason = step.note.partition("; by hand")[0]
    return step._replace(note=f"{reason}; take Handrail's part out by hand")


def lost_tracked(site: Site, mode: str) -> tuple[Lost, ...]:
    """Find a hook that is gone, changed or not executable, and settings without our entries."""
    lost = []
    for file, change in ((HOOK, _with_hook), (settings.FILE, lambda seen: _merged(seen, mode))):
        path = f"{site.toplevel}/{file}"
        seen = site.look(path)
        try:
            wanted = change(seen)
        except Unfit as unfit:
            lost.append(Lost(path, str(unfit)))
            continue
        if seen.kind == NOTHING:
            lost.append(Lost(path, "it is gone", gone=True))
        elif wanted != seen.content:
            nothing = file == settings.FILE and _unmerged(seen) == seen.content
            reason = "Handrail's entries are not in it" if nothing else "it is not what was written"
            lost.append(Lost(path, reason, gone=nothing))
        elif file == HOOK and not seen.mode & _ANY_EXECUTE:
            lost.append(Lost(path, "it is not executable"))
    return tuple(lost)


def _changed(
    site: Site,
    file: str,
    change: Callable[[Seen], bytes | None],
    mode: int,
    *,
    dry_run: bool,
) -> Step:
    """Let ``change`` say what the file should be, None for none, and make it so."""
    path = f"{site.toplevel}/{file}"
    try:
        seen = _whole(site, file)
        wanted = change(seen)
        if wanted is None or (wanted == seen.content and seen.kind == FILE):
            return _settled(site, path, seen, wanted, mode, dry_run=dry_run)
        if not seen.mode & _ANY_WRITE and seen.kind == FILE:
            raise Unfit("it is read-only")
        if not dry_run:
            site.write(path, wanted, seen, mode)
            if mode == _EXECUTABLE and seen.kind == FILE:
                site.permit(path, seen.mode | _ANY_EXECUTE)
    except errors.Unavailable as error:
        return Step(path, LEFT, _advice(reason_of(error), file))
    except Unfit as unfit:
        return Step(path, LEFT, _advice(str(unfit), file))
    if seen.kind == NOTHING:
        return Step(path, CREATED)
    return Step(path, UPDATED if file == HOOK else MERGED)


def _settled(
    site: Site, path: str, seen: Seen, wanted: bytes | None, mode: int, *, dry_run: bool
) -> Step:
    """Do what is to do where the bytes are not to change: remove the file, or let it be run."""
    if wanted is None:
        if seen.kind == NOTHING:
            return Step(path, KEPT)
        if not dry_run:
            site.remove(path)
        return Step(path, REMOVED)
    if mode != _EXECUTABLE or seen.mode & _ANY_EXECUTE:
        return Step(path, KEPT)
    if not dry_run:
        site.permit(path, seen.mode | _ANY_EXECUTE)
    return Step(path, UPDATED, "it was not executable")


def _whole(site: Site, file: str) -> Seen:
    """Look at a file that is to be changed; raises Unfit where it is none of this tree's own."""
    seen = fit(site, file)
    if not seen.whole:
        raise Unfit("it is larger than 1 MiB")
    return seen


def _advice(reason: str, file: str) -> str:
    if file == settings.FILE:
        return f"{reason}; by hand: {settings.by_hand()}"
    return reason


# --- what each file should be --------------------------------------------------------------------

_GUIDANCE: Final = guidance.FILE


def _with_hook(seen: Seen) -> bytes:
    if seen.kind == FILE and not is_ours(seen.content):
        raise Unfit("something else stands there; move it away and try again")
    return harness_hook()


def _no_hook(seen: Seen) -> bytes | None:
    return None if seen.kind == NOTHING or is_ours(seen.content) else seen.content


def _merged(seen: Seen, mode: str) -> bytes:
    try:
        return settings.merged(seen.content.decode("utf-8"), mode).encode("utf-8")
    except settings.NotMergeable as error:
        raise Unfit(str(error)) from error
    except UnicodeDecodeError as error:
        raise Unfit("it is not UTF-8") from error


def _unmerged(seen: Seen) -> bytes | None:
    if seen.kind == NOTHING:
        return None
    try:
        text = settings.without(seen.content.decode("utf-8"))
    except (settings.NotMergeable, UnicodeDecodeError):
        return seen.content  # nothing of ours was merged into that
    return text.encode("utf-8") if text or not seen.content else None


def _with_block(seen: Seen) -> bytes:
    try:
        return guidance.with_block(seen.content)
    except guidance.Unpaired as error:
        raise Unfit("the marks of Handrail's block are not a pair") from error


def _without_block(seen: Seen) -> bytes | None:
    if seen.kind == NOTHING:
        return None
    try:
        text = guidance.without(seen.content)
    except guidance.Unpaired:
        return seen.content
    return text if text or not seen.content else None
