"""Ready configurations: list them, and make the text that `init` writes.

Promise: what ``render_preset`` gives is a valid configuration of the workspace that was asked for.

    >>> "minimal" in preset_names()
    True
    >>> text = render_preset("lanes,mosaic", "acme-web-3fk2ap")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from handrail.core.nearest import nearest
from handrail.errors import Usage

if TYPE_CHECKING:
    from handrail.config.adapting import Original

WORKSPACE_ID_PLACE: Final = "<workspace-id>"
MODE_PLACE: Final = 'mode = "enforce"'
NAME_SHOWN_MAX: Final = 60
_SUFFIX: Final = ".toml"


def preset_names() -> tuple[str, ...]:
    """List the presets in alphabetical order."""
    from importlib.resources import files

    names = [entry.name for entry in files("handrail.presets").iterdir()]
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def split_presets(asked: str) -> tuple[str, ...]:
    """Return the presets that are asked for as `a,b`, each once; raises Usage for what is none."""
    known = preset_names()
    names = tuple(dict.fromkeys(name.strip() for name in asked.split(",")))
    for name in names:
        if name not in known:
            reason = f"There is no preset {_shown(name)}; known: {', '.join(known)}."
            near = nearest(name, known)
            raise Usage(reason=reason, next=f"handrail init --preset {near}")
    return names


def _shown(name: str) -> str:
    from handrail.text import visible

    return f'"{visible(name[:NAME_SHOWN_MAX])}"'


def render_preset(
    asked: str,
    workspace_id: str,
    *,
    mode: str = "enforce",
    found: Mapping[str, Original] | None = None,
) -> str:
    """Write the `handrail.toml` of a preset, or of several joined by commas.

    ``found`` is what runs here already, by preset. Raises MalformedConfig if id or mode are no such
    thing, Usage if there is no such preset or if two of them contradict each other.
    """
    import json

    from handrail.config.joining import joined
    from handrail.config.parse import parse_config

    texts = [(name, _text(name, (found or {}).get(name))) for name in split_presets(asked)]
    text = joined(texts)
    text = text.replace(f'"{WORKSPACE_ID_PLACE}"', json.dumps(workspace_id), 1)
    text = text.replace(MODE_PLACE, f"mode = {json.dumps(mode)}", 1)
    parse_config(text.encode())
    return text


def _text(name: str, found: Original | None) -> str:
    from importlib.resources import files

    text = (files("handrail.presets") / f"{name}{_SUFFIX}").read_text("utf-8")
    if found is None:
        return text
    from handrail.config.adapting import adapted

    return adapted(text, found)
