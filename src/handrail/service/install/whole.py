"""All the files of Handrail in a clone: written, looked after, taken out again.

Promises: each step is whole or not there and may be repeated; what is not ours keeps its bytes, and
a hook that was there before runs on; what cannot be done without harm is left, with a sentence that
says what to do by hand. A dry run tells the same steps and writes nothing.

    steps = install(site, mode="enforce")
    lost_hooks(site, mode="enforce")      # ()
    uninstall(site)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from handrail.config.vocabulary import SPREAD
from handrail.service.install.git_hooks import install_hooks, lost_git_hooks, uninstall_hooks
from handrail.service.install.launch import LAUNCH, install_launch, lost_launch, uninstall_launch
from handrail.service.install.merge_driver import (
    install_attributes,
    install_driver,
    install_settings,
    lost_driver,
    uninstall_driver,
)
from handrail.service.install.preset_files import (
    install_presets,
    lost_presets,
    presets_of,
    uninstall_files,
    uninstall_presets,
)
from handrail.service.install.scripts import HOOKS
from handrail.service.install.site import (
    KEPT,
    Lost,
    Site,
    Step,
)
from handrail.service.install.tracked import install_tracked, lost_tracked, uninstall_tracked

if TYPE_CHECKING:
    from handrail.config.records import ProjectionFile

Projections: TypeAlias = "Sequence[ProjectionFile]"
"""What the configuration says of files in some system's own format."""

_ALL: Final = 3 + len(HOOKS)
"""Launch line, harness hook and settings, and the hooks of git."""


def install(
    site: Site, mode: str, projections: Projections = (), *, dry_run: bool = False
) -> tuple[Step, ...]:
    """Write all that binds, and the files of the presets that the projections are of.

    ``mode`` is that of the stage ``edit``.
    """
    with site.alone():
        return (
            install_launch(site, dry_run=dry_run),
            *install_tracked(site, mode, dry_run=dry_run),
            *install_presets(site, _presets(projections), dry_run=dry_run),
            *install_driver(site, _paths(projections), dry_run=dry_run),
            *install_hooks(site, dry_run=dry_run),
        )


def uninstall(site: Site, files: Sequence[str] = (), *, dry_run: bool = False) -> tuple[Step, ...]:
    """Take all of it out again; what is in a working tree, out of this one only.

    ``files`` are those that Handrail wrote to show its state.
    """
    with site.alone():
        return (
            *uninstall_files(site, files, dry_run=dry_run),
            *uninstall_tracked(site, dry_run=dry_run),
            *uninstall_presets(site, dry_run=dry_run),
            *uninstall_driver(site, dry_run=dry_run),
            *uninstall_hooks(site, dry_run=dry_run),
            *uninstall_launch(site, dry_run=dry_run),
        )


def lost_hooks(site: Site, mode: str, projections: Projections = ()) -> tuple[Lost, ...]:
    """Find what `init` wrote and what is not there any more; empty too where it never was there.

    Reads a dozen small files and asks git once, where it looks for hooks.
    """
    lost = (*lost_launch(site), *lost_tracked(site, mode), *lost_git_hooks(site))
    never = len(lost) == _ALL and all(each.gone for each in lost)
    if never:
        return ()
    of_presets = lost_presets(site, _presets(projections))
    return (*lost, *of_presets, *lost_driver(site, _paths(projections)))


def is_installed(site: Site) -> bool:
    """Tell whether this clone has a launch line, so that its hooks lead anywhere."""
    return site.exists(f"{site.common_dir}/{LAUNCH}")


def repair(
    site: Site,
    mode: str,
    projections: Projections = (),
    *,
    tracked: bool,
    dry_run: bool = False,
) -> tuple[Step, ...]:
    """Bring back what was lost; returns what was changed, or could not be.

    Without ``tracked`` only what belongs to this clone: the launch line, the hooks of git, its
    settings for merging. So a session that starts on an old branch finds its working tree as it
    left it.
    """
    paths = _paths(projections)
    with site.alone():
        steps = []
        if lost_launch(site):
            steps.append(install_launch(site, dry_run=dry_run))
        if tracked:
            steps += install_tracked(site, mode, guidance=False, dry_run=dry_run)
            steps += install_presets(site, _presets(projections), dry_run=dry_run)
            steps += install_attributes(site, paths, dry_run=dry_run)
        steps += install_settings(site, paths, dry_run=dry_run)
        steps += install_hooks(site, tracked=tracked, dry_run=dry_run)
    return tuple(step for step in steps if step.outcome != KEPT)


def _presets(projections: Projections) -> tuple[str, ...]:
    return presets_of([one.format for one in projections])


def _paths(projections: Projections) -> tuple[str, ...]:
    """Return the paths that git merges by Handrail; files of a folder by a pattern."""
    return tuple(
        f"{one.path}/{SPREAD[one.format]}" if one.format in SPREAD else one.path
        for one in projections
    )
