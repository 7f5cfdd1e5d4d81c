"""The files that make Handrail bind in a clone: written, looked after, taken out again.

Promise: a module of the package is imported when one of the names here is first asked for. A hook
that only asks what harness settings must hold pays for nothing else.

    steps = install(site, mode="enforce")       # ``whole`` says what is promised
"""

from __future__ import annotations

from handrail.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from handrail.service.install.launch import LAUNCH
    from handrail.service.install.site import (
        CREATED,
        KEPT,
        LEFT,
        MERGED,
        REPLACED,
        UPDATED,
        Lost,
        Site,
        Step,
    )
    from handrail.service.install.whole import (
        Projections,
        install,
        is_installed,
        lost_hooks,
        repair,
        uninstall,
    )

__all__ = [
    "CREATED",
    "KEPT",
    "LAUNCH",
    "LEFT",
    "MERGED",
    "REPLACED",
    "UPDATED",
    "Lost",
    "Projections",
    "Site",
    "Step",
    "install",
    "is_installed",
    "lost_hooks",
    "repair",
    "uninstall",
]

_WHERE: Final = {
    "LAUNCH": "launch",
    **dict.fromkeys(("CREATED", "KEPT", "LEFT", "MERGED", "REPLACED", "UPDATED"), "site"),
    **dict.fromkeys(("Lost", "Site", "Step"), "site"),
    **dict.fromkeys(("Projections", "install", "is_installed", "lost_hooks"), "whole"),
    **dict.fromkeys(("repair", "uninstall"), "whole"),
}


def __getattr__(name: str) -> Any:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{module}"), name)
