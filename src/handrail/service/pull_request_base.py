"""Where a pull request is judged from: the commit whose configuration counts.

Promise: nothing that a pull request brings, and no branch that whoever opened it may write, says
who judges. What is not in this clone is FactsUnavailable, never "nothing".

    base_of(history, pull)
"""

from __future__ import annotations

from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE, Settings, parse_config
from handrail.core.forge import PullRequest
from handrail.service.context import History
from handrail.service.pull_request_checks import Objection
from handrail.service.ranges import base_at, is_protected

BRANCHES: Final = "refs/heads/"


def require(history: History, commit: str, what: str) -> None:
    """Make sure that a commit is here; raises FactsUnavailable."""
    if not history.present([commit]):
        reason = "it is not in this clone: fetch the whole history"
        raise errors.FactsUnavailable(what=f"{what} ({commit[:12]})", reason=reason)


def base_of(history: History, pull: PullRequest) -> str:
    """Return the commit whose configuration judges: the tip of a protected branch.

    That of the branch which the pull request goes into, if the default branch says that it is
    protected; else that of the default branch itself. The same head may be proposed for another
    branch later, and a status stands at the head: so whoever names a branch of their own as base
    is judged by nothing that they wrote there.
    """
    require(history, pull.base, "the base of the pull request")
    if lands(history, pull):
        return _newer(history, tip_of(history, pull.base_ref) or pull.base, pull.base)
    return _home(history, pull)


def lands(history: History, pull: PullRequest) -> bool:
    """Tell whether a pull request goes into a protected branch, as the default branch says.

    Into the default branch it does, whatever that says. Raises FactsUnavailable.
    """
    if pull.default_branch is None or pull.base_ref == pull.default_branch:
        return True
    settings = base_at(history, _home(history, pull)).settings
    known = () if settings is None else settings.workspace.protected_refs
    return is_protected(BRANCHES + pull.base_ref, known)


def _home(history: History, pull: PullRequest) -> str:
    branch = pull.default_branch or pull.base_ref
    tip = tip_of(history, branch)
    if tip is None:
        reason = "it is not in this clone: fetch the whole history"
        raise errors.FactsUnavailable(what=f"the default branch {branch}", reason=reason)
    return tip


def tip_of(history: History, branch: str) -> str | None:
    """Return where the remote has a branch."""
    name = f"refs/remotes/origin/{branch}"
    return next((commit for ref, commit in history.refs(name) if ref == name), None)


def _newer(history: History, tip: str, told: str) -> str:
    """Return the tip if it contains what the event tells, else what the event tells."""
    return told if history.walk([told], [tip], 1) else tip


def head_configuration(history: History, pull: PullRequest, settings: Settings) -> Objection | None:
    """Object to a configuration that would be broken, or of another workspace, once it lands."""
    text = history.file_at(pull.head, CONFIG_FILE)
    if text is None:
        return None
    try:
        found = parse_config(text).workspace.id
    except errors.MalformedConfig as broken:
        values = tuple(broken.values.items())
        sentence = f"line {broken.values['line']}: {broken.values['reason']}"
        return Objection(broken.code, CONFIG_FILE, sentence, values)
    known = settings.workspace.id
    if found == known:
        return None
    sentence = f"workspace.id is {found}, and the workspace is {known}"
    return Objection("malformed_config", CONFIG_FILE, sentence)
