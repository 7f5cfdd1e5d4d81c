"""Scopes as the lanes tool writes them: a path, and with it everything below.

>>> plain_path("site/src/**"), plain_path("site/src"), plain_path("**/*.md")
('site/src', 'site/src', '**/*.md')
"""

from __future__ import annotations


def plain_path(pattern: str) -> str:
    """Return a pattern as the original writes it; one that no path can stand for stays as it is."""
    return pattern.removesuffix("/**")
