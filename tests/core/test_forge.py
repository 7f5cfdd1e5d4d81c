"""Event files, read strictly: each field that counts is what it should be, or it is named."""

from __future__ import annotations

import copy
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.forge import (
    EVENT_BYTES_MAX,
    TEXT_CHARS_MAX,
    MergeGroup,
    Other,
    PullRequest,
    Push,
    gitlab_event,
    read_github,
    read_gitlab,
)
from handrail.errors.landing import MalformedEvent

ONE, TWO, ZERO = "1" * 40, "2" * 40, "0" * 40
HOME: Final = {"id": 1, "full_name": "acme/web", "default_branch": "main"}
PULL: Final[dict[str, Any]] = {
    "action": "closed",
    "number": 7,
    "pull_request": {
        "title": "Work",
        "state": "closed",
        "user": {"login": "ada"},
        "merged": True,
        "merge_commit_sha": TWO,
        "base": {"ref": "main", "sha": ONE, "repo": HOME},
        "head": {"ref": "ada/work", "sha": TWO, "repo": {**HOME, "full_name": "Acme/Web"}},
    },
}
PUSH: Final[dict[str, Any]] = {
    "ref": "refs/heads/main",
    "before": ONE,
    "after": TWO,
    "created": False,
    "deleted": False,
    "forced": False,
}
GROUP: Final[dict[str, Any]] = {
    "action": "checks_requested",
    "merge_group": {"head_sha": TWO, "head_ref": "refs/heads/q", "base_sha": ONE},
}
NEEDED: Final = [
    *[("pull_request", PULL, path) for path in (
        "action", "number", "pull_request", "pull_request.title",
        "pull_request.user", "pull_request.user.login", "pull_request.merged",
        "pull_request.merge_commit_sha", "pull_request.base", "pull_request.base.ref",
        "pull_request.base.sha", "pull_request.base.repo", "pull_request.base.repo.full_name",
        "pull_request.head", "pull_request.head.ref", "pull_request.head.sha",
        "pull_request.head.repo", "pull_request.head.repo.full_name",
    )],
    *[("push", PUSH, path) for path in PUSH],
    *[("merge_group", GROUP, path) for path in (
        "action", "merge_group", "merge_group.head_sha", "merge_group.base_sha"
    )],
]  # fmt: skip
MERGE_REQUEST: Final = {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_IID": "12",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA": ONE,
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "ada/work",
    "CI_MERGE_REQUEST_PROJECT_PATH": "acme/web",
    "CI_COMMIT_SHA": TWO,
}


def read(name: str, event: object, commit: str | None = None) -> Any:
    return read_github(name, json.dumps(event).encode(), commit)


def changed(event: dict[str, Any], path: str, *value: object) -> dict[str, Any]:
    """Return a copy without a field, or with another value in it."""
    fresh = copy.deepcopy(event)
    *above, last = path.split(".")
    inner = fresh
    for name in above:
        inner = inner[name]
    if value:
        inner[last] = value[0]
    else:
        del inner[last]
    return fresh


def test_a_pull_request_that_was_merged() -> None:
    assert read("pull_request", PULL) == PullRequest(
        number=7,
        action="closed",
        title="Work",
        author="ada",
        proven=True,
        base_ref="main",
        base=ONE,
        head_ref="ada/work",
        head=TWO,
        head_repository="Acme/Web",
        is_fork=False,
        is_open=False,
        merged=True,
        merge_commit=TWO,
        default_branch="main",
    )


@pytest.mark.parametrize(
    "action", ["opened", "synchronize", "reopened", "edited", "ready_for_review", "labeled"]
)
@pytest.mark.parametrize("name", ["pull_request", "pull_request_target"])
def test_an_open_pull_request_is_merged_as_nothing(name: str, action: str) -> None:
    event = changed(changed(PULL, "action", action), "pull_request.state", "open")
    pull = read(name, event)
    assert (pull.action, pull.is_open, pull.merged, pull.merge_commit) == (
        action,
        True,
        False,
        None,
    )


def test_where_a_head_comes_from_tells_a_fork() -> None:
    other = changed(PULL, "pull_request.head.repo.full_name", "eve/web")
    assert read("pull_request", other).is_fork
    gone = read("pull_request", changed(PULL, "pull_request.head.repo", None))
    assert (gone.is_fork, gone.head_repository) == (True, None)
    ghost = read("pull_request", changed(PULL, "pull_request.user", None))
    assert (ghost.author, ghost.proven) == ("ghost", False)


def test_pushes_and_groups() -> None:
    assert read("push", PUSH) == Push("refs/heads/main", ONE, TWO, forced=False)
    made = changed(changed(PUSH, "before", ZERO), "created", True)
    assert read("push", made).before is None
    gone = changed(changed(PUSH, "after", ZERO), "deleted", True)
    assert read("push", gone).after is None
    assert read("push", changed(PUSH, "after", ZERO)).after is None
    assert read("merge_group", GROUP) == MergeGroup(TWO, ONE)


def test_other_kinds_are_no_error_and_keep_only_their_commit() -> None:
    assert read("schedule", {"schedule": "0 * * * *"}) == Other("schedule", None)
    assert read("workflow_dispatch", {"inputs": None}, ONE) == Other("workflow_dispatch", ONE)
    destroyed = changed(GROUP, "action", "destroyed")
    assert read("merge_group", destroyed, ONE) == Other("merge_group", ONE)
    with pytest.raises(MalformedEvent, match="GITHUB_SHA"):
        read("schedule", {}, "main")


@pytest.mark.parametrize(("name", "event", "path"), NEEDED)
def test_a_field_that_is_missing_or_of_another_type_is_named(
    name: str, event: dict[str, Any], path: str
) -> None:
    wrong: tuple[object, ...] = ([], 1.5, {"a": 1})
    for bad in (changed(event, path), *(changed(event, path, value) for value in wrong)):
        with pytest.raises(MalformedEvent) as caught:
            read(name, bad)
        assert str(caught.value.values["field"]).startswith(path)


@pytest.mark.parametrize("number", [0, -1, 10**30, 1.0, True, "7", None])
def test_a_number_has_bounds(number: object) -> None:
    with pytest.raises(MalformedEvent, match="number"):
        read("pull_request", changed(PULL, "number", number))


@pytest.mark.parametrize(
    "ref",
    ["", "a\nb", "a b", "-x", "a..b", "/a", "a/", "a//b", "a.lock", ".a", "a/.b", "a^", "a:b",
     "a\\b", "a*", "a[b", "a@{1}", "a\x00b", "a\u202eb", "x" * 2_000, "a."],
)  # fmt: skip
def test_a_ref_is_a_ref(ref: str) -> None:
    for path in ("pull_request.base.ref", "pull_request.head.ref"):
        with pytest.raises(MalformedEvent, match=path):
            read("pull_request", changed(PULL, path, ref))


@pytest.mark.parametrize("commit", ["main", "1" * 39, "1" * 41, "A" * 40, "--all", "1" * 40 + "\n"])
def test_an_id_is_a_full_id(commit: str) -> None:
    for path in ("pull_request.base.sha", "pull_request.head.sha"):
        with pytest.raises(MalformedEvent, match=path):
            read("pull_request", changed(PULL, path, commit))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"a":' * 50_000, b"\xff{}", b"9" * 10_000,
     b" " * (EVENT_BYTES_MAX + 1)],
)  # fmt: skip
def test_what_is_no_object_within_the_bound_is_no_event(raw: bytes) -> None:
    with pytest.raises(MalformedEvent):
        read_github("push", raw)
    with pytest.raises(MalformedEvent):
        read_gitlab(raw)


def test_a_text_is_cut_off() -> None:
    pull = read("pull_request", changed(PULL, "pull_request.title", "x" * 100_000))
    assert len(pull.title) == TEXT_CHARS_MAX


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@given(st.sampled_from(["pull_request", "push", "merge_group", "x"]), JSON, st.data())
def test_nothing_but_its_own_error_is_raised(name: str, value: Any, data: st.DataObject) -> None:
    event = {"pull_request": PULL, "push": PUSH, "merge_group": GROUP, "x": {}}[name]
    paths = [path for other, _, path in NEEDED if other == name]
    path = data.draw(st.sampled_from(paths)) if paths else "x"
    try:
        found = read(name, changed(event, path, value))
    except MalformedEvent as error:
        assert error.message
    else:
        assert isinstance(found, PullRequest | Push | MergeGroup | Other)


# ------------------------------------------------------------------------------------------- GitLab


def test_a_merge_request_by_its_variables() -> None:
    pull = gitlab_event({**MERGE_REQUEST, "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "acme/web"})
    assert isinstance(pull, PullRequest)
    assert (pull.number, pull.action, pull.base, pull.head) == (12, "synchronize", ONE, TWO)
    assert (pull.is_fork, pull.proven, pull.is_open) == (False, False, True)
    raw = json.dumps({**MERGE_REQUEST, "action": "merged", "merge_commit": ONE}).encode()
    merged = read_gitlab(raw)
    assert isinstance(merged, PullRequest)
    assert (merged.is_fork, merged.merged, merged.merge_commit) == (True, True, ONE)
    train = gitlab_event({**MERGE_REQUEST, "CI_MERGE_REQUEST_EVENT_TYPE": "merge_train"})
    assert train == MergeGroup(TWO, ONE, "main")


def test_other_pipelines_by_their_variables() -> None:
    push = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": TWO}
    assert gitlab_event({**push, "CI_COMMIT_BEFORE_SHA": ONE}) == Push(
        "refs/heads/main", ONE, TWO, forced=False
    )
    new = gitlab_event({**push, "CI_COMMIT_BEFORE_SHA": ZERO})
    assert isinstance(new, Push)
    assert new.before is None
    tag = gitlab_event({"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_SHA": TWO})
    assert tag == Other("push", TWO)


@pytest.mark.parametrize("name", MERGE_REQUEST)
def test_a_variable_that_is_missing_or_empty_is_named(name: str) -> None:
    for variables in (
        {key: value for key, value in MERGE_REQUEST.items() if key != name},
        {**MERGE_REQUEST, name: ""},
    ):
        with pytest.raises(MalformedEvent) as caught:
            gitlab_event(variables)
        assert caught.value.values["field"] == name
    with pytest.raises(MalformedEvent, match="no text"):
        read_gitlab(json.dumps({**MERGE_REQUEST, name: 1}).encode())
