r"""`handrail.toml`: settings from a file, settings from the store, and what is known about both.

Promise: importing this package costs the records and ``json``; whatever reads TOML, checks,
documents or lists presets is imported when one of its names is first asked for. `handrail claim`
needs ``load_compiled`` alone.

    from handrail.config import compile_settings, load_compiled, parse_config

    settings = parse_config(b'[workspace]\nid = "w"\n[[role]]\nname = "worker"\nlane = ["**"]')
    assert load_compiled(compile_settings(settings)) == settings
"""

from __future__ import annotations

from handrail.config.compiled import compile_settings, load_compiled
from handrail.config.settings import CONFIG_FILE, Settings
from handrail.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from handrail.config.parse import blob_id, parse_config, validate_config
    from handrail.config.preset import preset_names, render_preset, split_presets
    from handrail.config.reference import documentation, json_schema
    from handrail.config.report import Problem

__all__ = [
    "CONFIG_FILE",
    "Problem",
    "Settings",
    "blob_id",
    "compile_settings",
    "documentation",
    "json_schema",
    "load_compiled",
    "parse_config",
    "preset_names",
    "render_preset",
    "split_presets",
    "validate_config",
]

_LAZY: Final = {
    "Problem": "report",
    "blob_id": "parse",
    "documentation": "reference",
    "json_schema": "reference",
    "parse_config": "parse",
    "preset_names": "preset",
    "render_preset": "preset",
    "split_presets": "preset",
    "validate_config": "parse",
}


def __getattr__(name: str) -> Any:
    """Import the module of a name when it is first asked for."""
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value
