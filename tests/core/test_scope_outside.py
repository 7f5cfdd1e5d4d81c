"""``overlap_outside``, against brute force: a path that two patterns share and others do not."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handrail.core.scope import Pattern, overlap, overlap_outside, parse_pattern
from handrail.errors import MalformedScope
from tests.core import scope_bruteforce as plain

NAMES = plain.names("ab.z", 6)
segments = st.one_of(
    st.just("**"),
    st.text("ab.*?", min_size=1, max_size=3).filter(lambda text: "**" not in text),
)


def _readable(parts: list[str]) -> bool:
    try:
        parse_pattern("/".join(parts))
    except MalformedScope:
        return False
    return True


patterns = (
    st.lists(segments, min_size=1, max_size=3)
    .filter(_readable)
    .map(lambda parts: parse_pattern("/".join(parts)))
)


def parsed(*texts: str) -> list[Pattern]:
    return [parse_pattern(text) for text in texts]


@given(patterns, patterns, st.lists(patterns, max_size=3))
@settings(max_examples=500)
@example(parse_pattern("**"), parse_pattern("**"), parsed("*"))
@example(parse_pattern("a*"), parse_pattern("*b"), parsed("ab", "a?b"))
@example(parse_pattern("*/a"), parse_pattern("a/*"), parsed("a/a"))
@example(parse_pattern("?*"), parse_pattern("*a"), parsed("a", "?a"))
def test_a_shared_path_outside_the_others_is_found_exactly_if_there_is_one(
    left: Pattern, right: Pattern, others: list[Pattern]
) -> None:
    found = overlap_outside([left], [right], others)
    texts = [other.text for other in others]
    if found is None:
        assert plain.find([left.text, right.text], texts, NAMES) is None
        return
    assert plain.is_valid(found.witness)
    assert plain.means(left.text, found.witness)
    assert plain.means(right.text, found.witness)
    assert not any(plain.means(text, found.witness) for text in texts)


@given(patterns, patterns)
def test_outside_of_nothing_is_the_plain_overlap(left: Pattern, right: Pattern) -> None:
    assert overlap_outside([left], [right], []) == overlap([left], [right])


def test_two_scopes_that_share_only_lock_files_share_nothing_else() -> None:
    held, asked = parsed("web", "package-lock.json"), parsed("api", "*.json")
    assert overlap_outside(held, asked, parsed("package-lock.json")) is None
    found = overlap_outside(held, asked, parsed("yarn.lock"))
    assert found is not None
    assert found.witness == "package-lock.json"


def test_a_path_beside_the_lock_files_is_found_though_the_first_guess_is_one() -> None:
    found = overlap_outside(parsed("**"), parsed("**/*.lock"), parsed("**/?*.lock"))
    assert found is not None
    assert found.witness.endswith(".lock")
    assert not plain.means("**/?*.lock", found.witness)


def test_what_cannot_be_decided_in_time_is_refused() -> None:
    rest = "/".join(["*"] * 20)
    shallow = ["/".join(["*"] * depth) for depth in range(1, 21)]
    others = parsed(f"**/?/{rest}", f"**/??*/{rest}", *shallow)
    with pytest.raises(MalformedScope) as refusal:
        overlap_outside(parsed("**"), parsed("**"), others)
    assert "too intricate" in refusal.value.message
