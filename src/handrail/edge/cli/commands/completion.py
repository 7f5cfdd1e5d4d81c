"""``completion``."""

from __future__ import annotations

from handrail.edge.cli.invocation import Invocation
from handrail.edge.reply import Reply


def completion(invocation: Invocation) -> Reply:
    """Print a shell's completion script."""
    from handrail.edge.cli.click_app import completion_script

    script = completion_script(invocation.text("shell") or "")
    return Reply({"script": script}, script)
