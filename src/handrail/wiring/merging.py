"""What merging needs of git and of the files that git hands over."""

from __future__ import annotations

from handrail.facts.text_merge import merge_text, replace_ours

__all__ = ["merge_text", "replace_ours"]
