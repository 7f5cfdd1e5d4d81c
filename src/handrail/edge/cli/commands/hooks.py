"""``hook``: what the launch line starts, for trying a hook by hand."""

from __future__ import annotations

from handrail.edge.cli.invocation import Invocation
from handrail.edge.guard.entry import read_all
from handrail.edge.reply import Reply


def hook(invocation: Invocation) -> Reply:
    """Answer a hook, its payload on stdin, in the terms of whoever would have called it."""
    words = invocation.words("words")
    if words[:2] == ("git", "pre-receive"):
        from handrail.edge.guard.receiving import run as receive
        from handrail.service.install.scripts import LANDS

        return Reply({}, "", (), 0 if receive(read_all()) == LANDS else 1)
    if words[:1] == ("git",):
        from handrail.edge.guard.commits import run

        return Reply({}, "", (), run(words[1] if len(words) > 1 else "", words[2:], read_all()))
    from handrail.edge.guard.tools import run as answer

    return Reply({}, "", (), answer(read_all()))
