"""The table ``[gates]``: a row for each built-in gate, and one for each plugin that is to run.

Promise: as ``config.tables.Table``, and besides a key ``"plugin:NAME"`` is known; nothing is loaded
to check it.
"""

from __future__ import annotations

import re

from handrail.config.kinds import INVALID, NAME_PATTERN, Enum, JsonSchema
from handrail.config.lines import Path
from handrail.config.records import GateLevel
from handrail.config.report import Report
from handrail.config.tables import Key, Table
from handrail.config.vocabulary import LEVELS, PLUGIN, plugin_of
from handrail.typed import Any, Final

PLUGINS_MAX: Final = 32
LEVEL: Final = Enum(LEVELS)


class GateLevels(Table):
    """A table with known keys and those of plugins."""

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) is not dict:
            return super().check(value, at, report)
        plugins = {name: level for name, level in value.items() if _is_plugin(name)}
        if len(plugins) > PLUGINS_MAX:
            report.add(at, f"names more than {PLUGINS_MAX} plugins")
            return INVALID
        rest = {name: level for name, level in value.items() if name not in plugins}
        known = super().check(rest, at, report)
        levels = [(name, LEVEL.check(plugins[name], (*at, name), report)) for name in plugins]
        if known is INVALID or any(level is INVALID for _, level in levels):
            return INVALID
        return (*known, *(GateLevel(name, level) for name, level in sorted(levels)))

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        about = "How much the gate of a plugin binds; it runs if it is named here."
        level = {"description": about, **LEVEL.schema()}
        return super().schema() | {"patternProperties": {f"^{PLUGIN}{NAME_PATTERN}$": level}}


def plugin_key() -> Key:
    """Give the row of the documentation about plugins."""
    about = "A gate that an installed distribution brings; it runs if it is named here."
    return Key(f'"{PLUGIN}NAME"', LEVEL, about, None, "does not run")


def _is_plugin(name: object) -> bool:
    if not isinstance(name, str):
        return False
    plugin = plugin_of(name)
    return plugin is not None and re.fullmatch(NAME_PATTERN, plugin) is not None
