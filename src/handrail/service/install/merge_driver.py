"""What lets git merge projections: lines of `.gitattributes`, and a driver in the clone's settings.

Promises: as in ``handrail.service.install``; lines and settings of others stay. A clone without the
settings, or one whose launch line leads nowhere, merges such files as text, as it does without us.

The driver is no script, for git reads its setting wherever it merges, whatever is checked out.

    install_driver(site, ("ops/tracker/coordination.json",), dry_run=False)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from handrail import errors
from handrail.service.install.blocks import Unfit, fit, install_block, uninstall_block
from handrail.service.install.marked import Marked, Unpaired, with_block
from handrail.service.install.site import (
    KEPT,
    LEFT,
    MERGED,
    REMOVED,
    UPDATED,
    Lost,
    Site,
    Step,
    reason_of,
)

FILE: Final = ".gitattributes"
MERGED_STATUS: Final = 40
CONFLICT_STATUS: Final = 41
"""How the driver's program says that it left a whole file, or one with conflicts, in place of ours.

No interpreter and no shell ends so by itself: after anything else the text is merged.
"""
_NAME: Final = "merge.handrail.name"
_DRIVER: Final = "merge.handrail.driver"
_SECTION: Final = "merge.handrail"
_BEGIN: Final = b"# handrail:begin"
_END: Final = b"# handrail:end"
_ABOUT: Final = "files that Handrail writes"
_COMMAND: Final = (
    'launch="$(git rev-parse --git-common-dir)/handrail/launch"; '
    '( [ -r "$launch" ] && set -- hook git merge %O %A %B %P && . "$launch" ) </dev/null; '
    f"case $? in {MERGED_STATUS}) exit 0 ;; {CONFLICT_STATUS}) exit 1 ;; esac; "
    "git merge-file --marker-size=%L -L ours -L base -L theirs %A %O %B || exit 1"
)


def install_driver(site: Site, paths: Sequence[str], *, dry_run: bool) -> tuple[Step, ...]:
    """Let git merge the files at these paths by Handrail; none without paths."""
    return (
        *install_attributes(site, paths, dry_run=dry_run),
        *install_settings(site, paths, dry_run=dry_run),
    )


def install_attributes(site: Site, paths: Sequence[str], *, dry_run: bool) -> tuple[Step, ...]:
    """Write the lines that every clone has."""
    if not paths:
        return ()
    path = f"{site.toplevel}/{FILE}"
    try:
        return (install_block(site, path, fit(site, FILE), _block(paths), dry_run=dry_run),)
    except errors.Unavailable as error:
        return (Step(path, LEFT, reason_of(error)),)
    except Unfit as unfit:
        return (Step(path, LEFT, str(unfit)),)


def install_settings(site: Site, paths: Sequence[str], *, dry_run: bool) -> tuple[Step, ...]:
    """Write the settings of this clone."""
    if not paths:
        return ()
    what = f"{site.common_dir}/config"
    try:
        before = site.setting(_DRIVER)
        if before == _COMMAND and site.setting(_NAME) == _ABOUT:
            return (Step(what, KEPT, _SECTION),)
        if not dry_run:
            site.set_setting(_NAME, _ABOUT)
            site.set_setting(_DRIVER, _COMMAND)
    except errors.Unavailable as error:
        return (Step(what, LEFT, reason_of(error)),)
    return (Step(what, UPDATED if before else MERGED, _SECTION),)


def uninstall_driver(site: Site, *, dry_run: bool) -> tuple[Step, ...]:
    """Take lines and settings out again."""
    steps: list[Step] = []
    path, what = f"{site.toplevel}/{FILE}", f"{site.common_dir}/config"
    try:
        steps += uninstall_block(site, path, fit(site, FILE), _block(()), dry_run=dry_run)
    except errors.Unavailable as error:
        steps.append(Step(path, LEFT, reason_of(error)))
    except Unfit:
        pass  # we wrote nothing there
    try:
        if site.setting(_DRIVER) is not None:
            if not dry_run:
                site.forget_settings(_SECTION)
            steps.append(Step(what, REMOVED, _SECTION))
    except errors.Unavailable as error:
        steps.append(Step(what, LEFT, reason_of(error)))
    return tuple(steps)


def lost_driver(site: Site, paths: Sequence[str]) -> tuple[Lost, ...]:
    """Find lines that are not there, and settings of this clone that are not ours any more."""
    if not paths:
        return ()
    lost = []
    path = f"{site.toplevel}/{FILE}"
    try:
        seen = fit(site, FILE)
        if with_block(seen.content, _block(paths)) != seen.content:
            lost.append(Lost(path, "the lines for merging are not as written"))
    except Unfit as unfit:
        lost.append(Lost(path, str(unfit)))
    except Unpaired:
        lost.append(Lost(path, "the marks of Handrail's block are not a pair"))
    return (*lost, *lost_settings(site, paths))


def lost_settings(site: Site, paths: Sequence[str]) -> tuple[Lost, ...]:
    """Find settings of this clone that are not ours any more."""
    if not paths or (site.setting(_DRIVER), site.setting(_NAME)) == (_COMMAND, _ABOUT):
        return ()
    return (Lost(f"{site.common_dir}/config", f"{_SECTION} is not as written"),)


def _block(paths: Sequence[str]) -> Marked:
    lines = (_BEGIN, *map(_line, paths), _END)
    return Marked(_BEGIN, _END, b"\n".join(lines) + b"\n")


def _line(path: str) -> bytes:
    """Write a line of `.gitattributes` that means this path and no other."""
    pattern = "/" + path.replace("\\", "\\\\").replace("[", "\\[")
    if " " in pattern or '"' in pattern or not pattern.isprintable():
        escaped = pattern.replace("\\", "\\\\").replace('"', '\\"')
        pattern = f'"{escaped}"'
    return f"{pattern} merge=handrail".encode("utf-8", "surrogateescape")
