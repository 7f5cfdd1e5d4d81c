"""Ready configurations: list them, and make the text that `init` writes.

Promise: what ``render_preset`` gives is a valid configuration of the workspace that was asked for.

    >>> "minimal" in preset_names()
    True
    >>> text = render_preset("minimal", "acme-web-3fk2ap")
"""

from __future__ import annotations

from typing import Final

from handrail.core.nearest import nearest
from handrail.errors import Usage

WORKSPACE_ID_PLACE: Final = "<workspace-id>"
MODE_PLACE: Final = 'mode = "enforce"'
_SUFFIX: Final = ".toml"


def preset_names() -> tuple[str, ...]:
    """List the presets in alphabetical order."""
    from importlib.resources import files

    names = [entry.name for entry in files("handrail.presets").iterdir()]
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def render_preset(name: str, workspace_id: str, *, mode: str = "enforce") -> str:
    """Write the `handrail.toml` of a preset; MalformedConfig if id or mode are no such thing."""
    import json
    from importlib.resources import files

    from handrail.config.parse import parse_config

    known = preset_names()
    if name not in known:
        raise Usage(reason=f'There is no preset "{name}"; the nearest is "{nearest(name, known)}".')
    text = (files("handrail.presets") / f"{name}{_SUFFIX}").read_text("utf-8")
    text = text.replace(f'"{WORKSPACE_ID_PLACE}"', json.dumps(workspace_id), 1)
    text = text.replace(MODE_PLACE, f"mode = {json.dumps(mode)}", 1)
    parse_config(text.encode())
    return text
