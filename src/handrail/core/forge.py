"""What a forge says has happened: event files, read strictly, into a few typed records.

Promises: whatever is not as the forge documents it is MalformedEvent, which names the field; ids
are full object ids, refs are refs, numbers are bounded; nothing that is not asked for is kept, and
texts that somebody typed are bounded. An event of a kind that brings nothing to be claimed is
``Other``, never an error.

Not promised: that an event is true or new. Who hands the file over is believed.

    read_github("push", b'{"ref": "refs/heads/main", …}')   # Push("refs/heads/main", …)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from handrail.core.record import Record
from handrail.errors.landing import MalformedEvent

EVENT_BYTES_MAX: Final = 8 << 20
NUMBER_MAX: Final = 1_000_000_000
TEXT_CHARS_MAX: Final = 4_096
REF_CHARS_MAX: Final = 1_024
CLOSED: Final = "closed"
REOPENED: Final = "reopened"
HEADS: Final = "refs/heads/"
PULL_REQUESTS: Final = ("pull_request", "pull_request_target")
GITLAB: Final = "gitlab"
_HEX: Final = frozenset("0123456789abcdef")
_NO_REF: Final = frozenset(" ~^:?*[\\\x7f")


class PullRequest(Record):
    """A pull or merge request at one moment; branches by their short names.

    ``head_repository`` is None where it is gone. ``proven`` says that the forge itself vouches for
    ``author``. ``merge_commit`` is what the forge made of it, where it is merged.
    """

    number: int
    action: str
    title: str
    author: str
    proven: bool
    base_ref: str
    base: str
    head_ref: str
    head: str
    head_repository: str | None
    is_fork: bool
    is_open: bool
    merged: bool
    merge_commit: str | None
    default_branch: str | None


class MergeGroup(Record):
    """What a merge queue wants to land: the commit, the one it stands on, for which branch."""

    head: str
    base: str
    base_ref: str | None = None


class Push(Record):
    """A ref that moved; None where it is not there before or afterwards."""

    ref: str
    before: str | None
    after: str | None
    forced: bool
    default_branch: str | None = None


class Other(Record):
    """An event that brings nothing to be claimed; ``commit`` is what its status is shown at."""

    name: str
    commit: str | None
    default_branch: str | None = None


Event = PullRequest | MergeGroup | Push | Other


def read_github(name: str, raw: bytes, commit: str | None = None) -> Event:
    """Read an event file of GitHub; ``commit`` is what the run is about (``GITHUB_SHA``).

    Raises MalformedEvent.
    """
    top = _Fields(_object(raw), "")
    if name in PULL_REQUESTS:
        return _pull_request(top)
    if name == "push":
        return _push(top)
    if name == "merge_group" and top.text("action") == "checks_requested":
        group = top.fields("merge_group")
        into = group.ref("base_ref").removeprefix(HEADS) if "base_ref" in group else None
        return MergeGroup(group.commit("head_sha"), group.commit("base_sha"), into)
    found = None if commit is None else _commit("GITHUB_SHA", commit)
    return Other(name, found, _default_branch(top))


def _pull_request(top: _Fields) -> PullRequest:
    pull, action = top.fields("pull_request"), top.text("action")
    base, head = pull.fields("base"), pull.fields("head")
    into, source = base.fields("repo"), head.fields_or_none("repo")
    home = into.text("full_name")
    name = None if source is None else source.text("full_name")
    user = pull.fields_or_none("user")
    merged = action == CLOSED and pull.flag("merged")
    return PullRequest(
        number=top.number("number"),
        action=action,
        title=pull.text("title"),
        author="ghost" if user is None else user.text("login"),
        proven=user is not None,
        base_ref=base.ref("ref"),
        base=base.commit("sha"),
        head_ref=head.ref("ref"),
        head=head.commit("sha"),
        head_repository=name,
        is_fork=name is None or name.lower() != home.lower(),
        is_open=action != CLOSED and pull.text("state") == "open",
        merged=merged,
        merge_commit=pull.commit("merge_commit_sha") if merged else None,
        default_branch=into.ref("default_branch") if "default_branch" in into else None,
    )


def _push(top: _Fields) -> Push:
    before, after = top.commit("before"), top.commit("after")
    return Push(
        ref=top.ref("ref"),
        before=None if top.flag("created") or _is_zero(before) else before,
        after=None if top.flag("deleted") or _is_zero(after) else after,
        forced=top.flag("forced"),
        default_branch=_default_branch(top),
    )


def _default_branch(top: _Fields) -> str | None:
    home = top.fields("repository") if "repository" in top else None
    return home.ref("default_branch") if home is not None and "default_branch" in home else None


def read_gitlab(raw: bytes) -> Event:
    """Read GitLab's predefined variables, written as one JSON object of texts.

    Raises MalformedEvent.
    """
    variables = _object(raw)
    for name, value in variables.items():
        if not isinstance(value, str):
            raise MalformedEvent(field=name, reason="it is no text")
    return gitlab_event(variables)


def gitlab_event(variables: Mapping[str, str]) -> Event:
    """Read GitLab's predefined variables; those that are empty count as not set.

    ``action`` (closed or merged) and ``merge_commit`` are nothing that GitLab sets: it starts no
    pipeline when a merge request ends, and whoever tells us has to say so. Raises MalformedEvent.
    """
    top = _Fields({name: value for name, value in variables.items() if value}, "")
    source = top.text("CI_PIPELINE_SOURCE")
    if source == "merge_request_event":
        return _merge_request(top)
    default = top.ref("CI_DEFAULT_BRANCH") if "CI_DEFAULT_BRANCH" in top else None
    if source == "push" and "CI_COMMIT_BRANCH" in top:
        before, after = top.commit("CI_COMMIT_BEFORE_SHA"), top.commit("CI_COMMIT_SHA")
        ref = HEADS + top.ref("CI_COMMIT_BRANCH")
        return Push(ref, None if _is_zero(before) else before, after, False, default)
    return Other(source, top.commit("CI_COMMIT_SHA"), default)


def _merge_request(top: _Fields) -> PullRequest | MergeGroup:
    base = "CI_MERGE_REQUEST_TARGET_BRANCH_SHA"
    base = base if base in top else "CI_MERGE_REQUEST_DIFF_BASE_SHA"
    kind = "CI_MERGE_REQUEST_EVENT_TYPE"
    if kind in top and top.text(kind) == "merge_train":
        into = top.ref("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
        return MergeGroup(top.commit("CI_COMMIT_SHA"), top.commit(base), into)
    head = "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"
    action = top.text("action") if "action" in top else "synchronize"
    source = "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH"
    name = top.text(source) if source in top else None
    home, default = top.text("CI_MERGE_REQUEST_PROJECT_PATH"), "CI_DEFAULT_BRANCH"
    return PullRequest(
        number=top.digits("CI_MERGE_REQUEST_IID"),
        action=CLOSED if action == "merged" else action,
        title=top.text("CI_MERGE_REQUEST_TITLE") if "CI_MERGE_REQUEST_TITLE" in top else "",
        author=top.text("GITLAB_USER_LOGIN") if "GITLAB_USER_LOGIN" in top else "ghost",
        proven=False,  # it is whoever started the pipeline
        base_ref=top.ref("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
        base=top.commit(base),
        head_ref=top.ref("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
        head=top.commit(head if head in top else "CI_COMMIT_SHA"),
        head_repository=name,
        is_fork=name is None or name.lower() != home.lower(),
        is_open=action not in (CLOSED, "merged"),
        merged=action == "merged",
        merge_commit=top.commit("merge_commit") if action == "merged" else None,
        default_branch=top.ref(default) if default in top else None,
    )


# --- fields --------------------------------------------------------------------------------------


def _object(raw: bytes) -> dict[str, Any]:
    """Read a JSON object within the bound."""
    if len(raw) > EVENT_BYTES_MAX:
        raise MalformedEvent(field="it", reason=f"it is longer than {EVENT_BYTES_MAX} bytes")
    try:
        found = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        reason = "it is nested too deeply" if deep else "it is no JSON"
        raise MalformedEvent(field="it", reason=reason) from error
    if not isinstance(found, dict):
        raise MalformedEvent(field="it", reason="it is no JSON object")
    return found


class _Fields:
    """The fields of one object of an event, and where it stands."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = values
        self._where = where

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def fields(self, name: str) -> _Fields:
        """Return an object."""
        found = self.fields_or_none(name)
        if found is None:
            raise self._no(name, "it is null")
        return found

    def fields_or_none(self, name: str) -> _Fields | None:
        """Return an object; None for null."""
        value = self._value(name)
        if value is not None and not isinstance(value, dict):
            raise self._no(name, "it is no object")
        return None if value is None else _Fields(value, f"{self._where}{name}.")

    def text(self, name: str) -> str:
        """Return a text, cut off where it is long beyond reason."""
        value = self._value(name)
        if not isinstance(value, str):
            raise self._no(name, "it is no text")
        return value[:TEXT_CHARS_MAX]

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self._value(name)
        if not isinstance(value, bool):
            raise self._no(name, "it is neither true nor false")
        return value

    def number(self, name: str) -> int:
        """Return the number of a pull request."""
        value = self._value(name)
        if type(value) is not int or not 0 < value <= NUMBER_MAX:
            raise self._no(name, f"it is no number between 1 and {NUMBER_MAX}")
        return value

    def digits(self, name: str) -> int:
        """Return a number that is written as text."""
        value = self.text(name)
        if not (value.isascii() and value.isdigit() and len(value) < 11):
            raise self._no(name, f"it is no number between 1 and {NUMBER_MAX}")
        return _Fields({name: int(value)}, self._where).number(name)

    def commit(self, name: str) -> str:
        """Return a full id."""
        return _commit(f"{self._where}{name}", self._value(name))

    def ref(self, name: str) -> str:
        """Return the name of a branch or a ref, such as git takes it."""
        value = self._value(name)
        if not isinstance(value, str) or not _is_ref(value):
            raise self._no(name, "it is no name of a ref")
        return value

    def _value(self, name: str) -> Any:
        if name not in self._values:
            raise self._no(name, "it is missing")
        return self._values[name]

    def _no(self, name: str, reason: str) -> MalformedEvent:
        return MalformedEvent(field=f"{self._where}{name}", reason=reason)


def _commit(field: str, value: object) -> str:
    if not isinstance(value, str) or len(value) not in (40, 64) or not _HEX.issuperset(value):
        raise MalformedEvent(field=field, reason="it is no full id of a commit")
    return value


def _is_zero(commit: str) -> bool:
    return set(commit) == {"0"}


def _is_ref(name: str) -> bool:
    """Tell whether git would take this as the name of a branch or a ref."""
    parts = name.split("/")
    return (
        0 < len(name) <= REF_CHARS_MAX
        and name.isprintable()
        and not _NO_REF.intersection(name)
        and ".." not in name
        and "@{" not in name
        and not name.startswith("-")
        and all(part and part[0] != "." and not part.endswith((".lock", ".")) for part in parts)
    )
