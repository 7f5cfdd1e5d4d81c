"""Who works on a pull request: the rows ``[[agent]] match`` of the base, or the forge's login.

Promise: the first row that fits says agent and role; where none does, the agent is the login and
the role ``default_role``. A role that coordinates is given by a login that the forge vouches for
and by nothing else: authors of commits and names of branches are typed by whoever works there.

    agent_of(settings, pull_request, ("Bot <bot@example.org>",))   # ("copilot", "website")
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.config import Settings
from handrail.config.records import Agent
from handrail.core.forge import PullRequest
from handrail.core.names import NAME_CHARS_MAX, plain_name
from handrail.service.agents import means_author, means_branch


def agent_of(
    settings: Settings, pull: PullRequest, authors: Sequence[str]
) -> tuple[str, str | None]:
    """Return agent and role; ``authors`` are ``name <mail>`` of the commits it brings."""
    for row in settings.agents:
        if _fits(settings, row, pull, authors):
            return _name(row.name), row.role
    return _name(pull.author), settings.workspace.default_role


def _fits(settings: Settings, row: Agent, pull: PullRequest, authors: Sequence[str]) -> bool:
    """Tell whether a row means this pull request: all that it names must fit."""
    login = row.match_author is not None and means_author(row.match_author, pull.author)
    if settings.role(row.role).coordinates and not (login and pull.proven):
        return False
    if row.match_author is not None and not login:
        glob = row.match_author
        if not authors or not all(means_author(glob, author) for author in authors):
            return False
    return row.match_branch is None or means_branch(row.match_branch, pull.head_ref)


def _name(text: str) -> str:
    """Make a name for the ledger out of what a forge calls somebody: ``bot[bot]``, ``-x``."""
    plain = plain_name(text)[:NAME_CHARS_MAX]
    return plain if plain and plain[0] not in ".-" else f"agent{plain}"
