"""The launch line: how this machine starts Handrail, in the folder that all working trees share."""

from __future__ import annotations

from typing import Final

from handrail import errors
from handrail.service.install.scripts import launch_line, launch_targets
from handrail.service.install.site import (
    CREATED,
    FILE,
    KEPT,
    LEFT,
    NOTHING,
    REMOVED,
    UPDATED,
    Lost,
    Site,
    Step,
    reason_of,
)

LAUNCH: Final = "handrail/launch"
_MODE: Final = 0o600


def _path(site: Site) -> str:
    return f"{site.common_dir}/{LAUNCH}"


def install_launch(site: Site, *, dry_run: bool, mode: int = _MODE) -> Step:
    """Write the line that starts the Handrail which is running now."""
    path, wanted = _path(site), launch_line(*site.launch)
    try:
        seen = site.look(path)
        if seen.kind == FILE and seen.content == wanted:
            return Step(path, KEPT)
        if seen.kind not in (FILE, NOTHING):
            return Step(path, LEFT, f"a {seen.kind} stands there; remove it and try again")
        if not dry_run:
            site.write(path, wanted, seen, mode)
        return Step(path, CREATED if seen.kind == NOTHING else UPDATED)
    except errors.Unavailable as error:
        return Step(path, LEFT, reason_of(error))


def uninstall_launch(site: Site, *, dry_run: bool) -> tuple[Step, ...]:
    """Remove the line, and its folder if nothing else is in it."""
    path = _path(site)
    try:
        if site.look(path).kind != FILE:
            return ()
        if not dry_run:
            site.remove(path)
            site.remove_folder(path.rpartition("/")[0])
        return (Step(path, REMOVED),)
    except errors.Unavailable as error:
        return (Step(path, LEFT, reason_of(error)),)


def lost_launch(site: Site) -> tuple[Lost, ...]:
    """Tell whether the line is gone, or what it names."""
    path = _path(site)
    seen = site.look(path)
    if seen.kind == NOTHING:
        return (Lost(path, "it is gone", gone=True),)
    targets = launch_targets(seen.content) if seen.kind == FILE else ()
    if not targets:
        return (Lost(path, "it is not what was written"),)
    gone = [target for target in targets if not site.exists(target)]
    return tuple(Lost(path, f"it names {target}, which is gone") for target in gone[:1])
