"""The working tree's own configuration, for whoever is about to add to it.

content, settings = own_config(site)     # within ``site.alone()``
"""

from __future__ import annotations

import os

from handrail import errors
from handrail.config import CONFIG_FILE, Settings, parse_config
from handrail.service.install.site import FILE, NOTHING, Seen, Site


def own_config(site: Site) -> tuple[Seen, Settings]:
    """Return the file as it lies there, and what it says.

    Raises FactsUnavailable where it is none, MalformedConfig.
    """
    seen = site.look(os.path.join(site.toplevel, CONFIG_FILE))
    if seen.kind == NOTHING:
        reason = "it is not in this working tree"
        raise errors.FactsUnavailable(what=CONFIG_FILE, reason=reason, next="handrail init")
    if seen.kind != FILE:
        raise errors.FactsUnavailable(what=CONFIG_FILE, reason="it is no ordinary file")
    return seen, parse_config(seen.content, file=CONFIG_FILE)
