"""A scope for any path: it can be claimed, and it means the path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.scope import matches, normalise_path, parse_pattern
from handrail.core.scope.naming import scope_for

LONG = "x" * 4_000
SPELLED = {
    "src/a.py": "src/a.py",
    "-x": "-x",
    "a b": "a b",
    "a*b?": "a*b?",
    "src/a\nb": "src/a?b",
    "src/a\\b": "src/a?b",
    "!a": "?a",
    "a\udcff\udcfe": "a??",
    f"src/{LONG}": "src",
    f"src/{LONG}/a": "src",
    LONG: "**",
    "src/" + "\n" * 40: "src",
    "a/" * 600 + "a": ("a/" * 511 + "a"),
}


@pytest.mark.parametrize("path", SPELLED, ids=lambda path: ascii(path)[:30])
def test_the_narrowest_scope_that_can_be_spelled_is_found(path: str) -> None:
    found = scope_for(path)
    assert found is not None
    expected = SPELLED[path]
    assert found == expected or (len(path) > 1_024 and path.startswith(found))


@pytest.mark.parametrize("path", [".git", ".git/config", "a/.GIT/b"])
def test_what_is_gits_own_has_no_scope(path: str) -> None:
    assert scope_for(path) is None


NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and name.lower() != ".git"
)


@given(st.lists(NAMES, min_size=1, max_size=6).map("/".join))
def test_any_path_of_git_has_a_scope_that_means_it(path: str) -> None:
    found = scope_for(path)
    assert found is not None
    assert matches(parse_pattern(found), normalise_path(path))
