"""What makes Handrail judge what is pushed to a bare repository: launch line and ``pre-receive``.

Promises: as in ``handrail.service.install``: each step is whole or not there and may be repeated;
a hook that was there keeps its bytes and runs first; nothing else of the repository is changed, and
no store is made.

    install_receiving(site)
    lost_receiving(site)        # ()
    uninstall_receiving(site)
"""

from __future__ import annotations

from typing import Final

from handrail.service.install.git_hooks import install_hooks, lost_git_hooks, uninstall_hooks
from handrail.service.install.launch import LAUNCH, install_launch, lost_launch, uninstall_launch
from handrail.service.install.scripts import HOOKS, PRE_RECEIVE
from handrail.service.install.site import KEPT, Lost, Site, Step

_NAMES: Final = (PRE_RECEIVE,)
_READABLE: Final = 0o644
"""Of the launch line: whoever pushes may be another account than the one that set this up."""


def install_receiving(site: Site, *, dry_run: bool = False) -> tuple[Step, ...]:
    """Write the launch line, and then the hook that needs it."""
    with site.alone():
        return (
            install_launch(site, dry_run=dry_run, mode=_READABLE),
            *install_hooks(site, dry_run=dry_run, names=_NAMES),
        )


def uninstall_receiving(site: Site, *, dry_run: bool = False) -> tuple[Step, ...]:
    """Take the hook out; the launch line too, unless hooks of working trees here lead there."""
    with site.alone():
        steps = uninstall_hooks(site, dry_run=dry_run, names=_NAMES)
        lost = {each.what.rpartition("/")[2] for each in lost_git_hooks(site)}
        if set(HOOKS) <= lost:
            return (*steps, *uninstall_launch(site, dry_run=dry_run))
        return (*steps, Step(f"{site.common_dir}/{LAUNCH}", KEPT, "working trees here use it"))


def lost_receiving(site: Site) -> tuple[Lost, ...]:
    """Find what is not as it was written, or never was."""
    return (*lost_launch(site), *lost_git_hooks(site, _NAMES))
