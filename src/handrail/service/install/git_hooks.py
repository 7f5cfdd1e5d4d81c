"""The hooks of git: written where git looks for them, in front of nobody, behind what is there.

A hook that was there is kept beside ours as ``NAME.before-handrail`` and runs first. It never
loses its name before it has the other one, so no moment is without it.
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail import errors
from handrail.service.install.scripts import (
    BEFORE,
    HOOKS,
    LEGACY,
    PRE_RECEIVE,
    git_hook,
    is_ours,
)
from handrail.service.install.site import (
    CHAINED,
    CREATED,
    FILE,
    KEPT,
    LEFT,
    LINK,
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

_EXECUTABLE = 0o777
_ANY_EXECUTE = 0o111


def install_hooks(
    site: Site, *, dry_run: bool, tracked: bool = True, names: Sequence[str] = HOOKS
) -> tuple[Step, ...]:
    """Write each hook; without ``tracked`` only where that changes no file git would show."""
    try:
        folder = site.hooks_folder()
        kind = site.look(site.real(folder)).kind
    except errors.Unavailable as error:
        return (Step(f"{site.common_dir}/hooks", LEFT, reason_of(error)),)
    if kind not in ("folder", NOTHING):
        note = "core.hooksPath names no folder, so git runs no hooks here"
        return (Step(folder, LEFT, note),)
    note = _whose(site, folder)
    if note.startswith("in the working tree") and not tracked:
        return ()
    return tuple(_install(site, folder, name, note, dry_run=dry_run) for name in names)


def _install(site: Site, folder: str, name: str, note: str, *, dry_run: bool) -> Step:
    path = f"{folder}/{name}"
    try:
        seen, before = site.look(path), site.look(path + BEFORE)
        if seen.kind not in (FILE, LINK, NOTHING):
            return Step(path, LEFT, f"a {seen.kind} stands there; git runs no such hook")
        if _runs_ours(site, path, seen):
            return Step(path, KEPT, "the pre-commit framework runs ours")
        foreign = seen.kind != NOTHING and not is_ours(seen.content)
        first = (path, seen) if foreign else (path + BEFORE, before)
        wanted = git_hook(name, _text(site, *first), shared=bool(note))
        if seen.kind == FILE and seen.content == wanted and seen.mode & _ANY_EXECUTE:
            return Step(path, KEPT)
        if not dry_run:
            if foreign:
                site.keep(path, path + BEFORE)
            site.write(path, wanted, site.look(path), _EXECUTABLE)
            site.permit(path, site.look(path).mode | _executable_like(site.look(path)))
        if foreign:
            runs = f"what was there is {name}{BEFORE} and runs first"
            return Step(path, CHAINED, f"{runs}; {note}" if note else runs)
        return Step(path, CREATED if seen.kind == NOTHING else UPDATED, note)
    except errors.Unavailable as error:
        return Step(path, LEFT, reason_of(error))


def _executable_like(seen: Seen) -> int:
    """Return the bits that let whoever reads a file run it."""
    return (seen.mode & 0o444) >> 2


def _text(site: Site, path: str, seen: Seen) -> bytes | None:
    """Return the script that runs first; that at the end of a link, if it is one.

    A link to a hook that is ours by now means the one that stood there.
    """
    if seen.kind == LINK:
        target = site.real(path)
        seen = site.look(target)
        if is_ours(seen.content):
            seen = site.look(target + BEFORE)
    return seen.content if seen.kind == FILE else None


def _runs_ours(site: Site, path: str, seen: Seen) -> bool:
    """Tell whether the pre-commit framework put itself in front of ours, which it runs then."""
    if seen.kind != FILE or is_ours(seen.content) or b"pre-commit" not in seen.content:
        return False
    return is_ours(site.look(path + LEGACY).content)


def _whose(site: Site, folder: str) -> str:
    """Say who else sees a folder of hooks that is not git's own; empty if nobody does."""
    real = site.real(folder)
    if f"{real}/".startswith(f"{site.real(site.common_dir)}/"):
        return ""
    if not f"{real}/".startswith(f"{site.real(site.toplevel)}/"):
        return f"in {real}, by core.hooksPath: other repositories may use it, where ours do nothing"
    if site.ignored(f"{folder}/pre-commit"):
        return ""
    return "in the working tree, by core.hooksPath: others see it once it is committed"


def _folders(site: Site) -> list[str]:
    """Return where git looks for hooks now, and where it does without configuration."""
    own = f"{site.common_dir}/hooks"
    try:
        folder = site.hooks_folder()
    except errors.Unavailable:
        return [own]
    return [folder] if site.real(folder) == site.real(own) else [folder, own]


def uninstall_hooks(
    site: Site, *, dry_run: bool, names: Sequence[str] = (*HOOKS, PRE_RECEIVE)
) -> tuple[Step, ...]:
    """Remove ours, and give back its name to what stood there before."""
    steps: list[Step] = []
    for folder in _folders(site):
        for name in names:
            steps += _uninstall(site, f"{folder}/{name}", dry_run=dry_run)
    return tuple(steps)


def _uninstall(site: Site, path: str, *, dry_run: bool) -> list[Step]:
    try:
        seen, before = site.look(path), site.look(path + BEFORE)
        ours = seen.kind == FILE and is_ours(seen.content)
        if ours or (seen.kind == NOTHING and before.kind != NOTHING):
            return [_give_back(site, path, path + BEFORE, before, dry_run=dry_run)]
        if is_ours(site.look(path + LEGACY).content):
            return [_give_back(site, path + LEGACY, path + BEFORE, before, dry_run=dry_run)]
        if before.kind == NOTHING:
            return []
        return [Step(path + BEFORE, LEFT, "another hook has come into its place")]
    except errors.Unavailable as error:
        return [Step(path, LEFT, reason_of(error))]


def _give_back(site: Site, path: str, aside: str, before: Seen, *, dry_run: bool) -> Step:
    """Put what was kept aside into the place of ours; where nothing was, nothing stays."""
    if before.kind == NOTHING:
        if not dry_run:
            site.remove(path)
        return Step(path, REMOVED)
    if not dry_run:
        site.rename(aside, path)
    return Step(path, RESTORED)


def lost_git_hooks(site: Site, names: Sequence[str] = HOOKS) -> tuple[Lost, ...]:
    """Find hooks that git does not run any more, or never did where it looks now."""
    folder = site.hooks_folder()
    elsewhere = any(
        is_ours(site.look(f"{other}/{name}").content)
        for other in _folders(site)[1:]
        for name in names
    )
    lost = []
    for name in names:
        path = f"{folder}/{name}"
        seen = site.look(path)
        if is_ours(seen.content) and seen.kind == FILE:
            if not seen.mode & _ANY_EXECUTE:
                lost.append(Lost(path, "it is not executable, so git does not run it"))
        elif not _runs_ours(site, path, seen):
            reason = "it is gone" if seen.kind == NOTHING else "another hook stands in its place"
            if elsewhere:
                reason = "git looks for hooks there now (core.hooksPath)"
            lost.append(Lost(path, reason, gone=not elsewhere))
    return tuple(lost)
