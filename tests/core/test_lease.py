"""Leases: the table of conflicts, and every bound of time from both of its sides."""

from __future__ import annotations

import doctest
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.core.lease
from handrail.core import lease as rules
from handrail.core.lease import (
    AGE_MAX_MS,
    CONFLICTS,
    EXCLUSIVE,
    LOCAL,
    MARGIN_MAX_MS,
    TTL_DEFAULT_MS,
    TTL_MAX_MS,
    TTL_MIN_MS,
    Answer,
    Hold,
    Kind,
    answer,
    check_ttl,
    conflict,
    margin_ms,
    renewed_expiry,
    trusted_until,
)
from handrail.core.scope import Overlap, matches
from handrail.errors import MalformedTtl
from tests.core import scope_bruteforce as plain
from tests.core.makers import HOUR, MINUTE, NOW, SECOND, a_lease, patterns

REFUSE: Final = "refuse"
TELL: Final = "grant_and_tell"

# DESIGN, section 5, word for word:
#
# | held by another session                       | exclusive | local, same tree | local, other |
# | exclusive, or reserved by a task or offer     | refuse    | refuse           | refuse       |
# | local                                         | refuse    | refuse           | grant, tell  |
TABLE: Final = {
    ("exclusive", "exclusive", "same tree"): REFUSE,
    ("exclusive", "exclusive", "other tree"): REFUSE,
    ("exclusive", "local", "same tree"): REFUSE,
    ("exclusive", "local", "other tree"): REFUSE,
    ("local", "exclusive", "same tree"): REFUSE,
    ("local", "exclusive", "other tree"): REFUSE,
    ("local", "local", "same tree"): REFUSE,
    ("local", "local", "other tree"): TELL,
}
each_pair = pytest.mark.parametrize(
    ("held", "asked", "where"), sorted(TABLE), ids=lambda word: word.replace(" ", "-")
)
KINDS: Final[tuple[Kind, ...]] = (EXCLUSIVE, LOCAL)
ANSWERS: Final[frozenset[Answer]] = frozenset(("refuse", "grant", "grant_and_tell"))
kinds: st.SearchStrategy[Kind] = st.sampled_from(KINDS)
ttls = st.integers(min_value=TTL_MIN_MS, max_value=TTL_MAX_MS)
instants = st.integers(min_value=0, max_value=2 * NOW)


# --- the table of conflicts ----------------------------------------------------------------------


@each_pair
def test_the_answer_is_that_of_the_design(held: Kind, asked: Kind, where: str) -> None:
    same = where == "same tree"
    assert answer(held=held, asked=asked, same_worktree=same) == TABLE[held, asked, where]


def test_the_table_has_every_pair_and_nothing_else() -> None:
    assert set(CONFLICTS) == {
        (held, asked, same) for held in KINDS for asked in KINDS for same in (True, False)
    }
    assert set(CONFLICTS.values()) <= ANSWERS


@pytest.mark.parametrize("missing", sorted(CONFLICTS, key=repr))
def test_a_missing_key_is_the_refusal(
    missing: tuple[Kind, Kind, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = {key: value for key, value in CONFLICTS.items() if key != missing}
    monkeypatch.setattr(rules, "CONFLICTS", rest)
    held, asked, same = missing
    assert answer(held=held, asked=asked, same_worktree=same) == REFUSE


def test_a_kind_that_nobody_knows_is_refused() -> None:
    kind: Kind = "reserved"  # type: ignore[assignment]
    assert answer(held=kind, asked=LOCAL, same_worktree=False) == REFUSE
    assert answer(held=LOCAL, asked=kind, same_worktree=False) == REFUSE


@given(kinds, kinds, st.booleans())
def test_who_came_first_makes_no_difference(one: Kind, other: Kind, same: bool) -> None:
    there = answer(held=one, asked=other, same_worktree=same)
    assert there == answer(held=other, asked=one, same_worktree=same)


@each_pair
def test_two_scopes_conflict_as_the_table_says_where_they_meet(
    held: Kind, asked: Kind, where: str
) -> None:
    holding = a_lease(1, "theirs", "docs", "lib/*/x.py", kind=held, worktree="tree-1")
    mine = "tree-1" if where == "same tree" else "tree-2"
    found = conflict(holding, patterns("src", "lib/core/*.py"), asked, mine)
    assert found is not None
    assert found[0] == TABLE[held, asked, where]
    assert found[1].witness == "lib/core/x.py"
    assert (found[1].left.text, found[1].right.text) == ("lib/*/x.py", "lib/core/*.py")


@each_pair
def test_scopes_that_share_no_path_never_conflict(held: Kind, asked: Kind, where: str) -> None:
    mine = "tree-1" if where == "same tree" else "tree-2"
    assert (
        conflict(Hold(patterns("src/a"), held, "tree-1"), patterns("src/ab"), asked, mine) is None
    )


# --- contended paths -----------------------------------------------------------------------------
#
# `[[contended]] paths` are always local: a path in them counts as local on both sides, whatever the
# two leases are elsewhere; every other path of the same scopes still conflicts as it would. A
# literal scope means what lies below it too: `yarn.lock` is not all inside `*.lock`.

LOCKS: Final = patterns("**/*.lock", "CHANGELOG.md")


def meet(
    held: tuple[str, ...],
    asked: tuple[str, ...],
    *,
    kinds: tuple[Kind, Kind] = (EXCLUSIVE, EXCLUSIVE),
    same: bool = False,
) -> tuple[Answer, Overlap] | None:
    mine = "tree-1" if same else "tree-2"
    return conflict(
        Hold(patterns(*held), kinds[0], "tree-1"), patterns(*asked), kinds[1], mine, LOCKS
    )


@pytest.mark.parametrize("kinds", [(one, two) for one in KINDS for two in KINDS])
@pytest.mark.parametrize(
    ("held", "asked"),
    [
        (("web/*.lock",), ("web/yarn*.lock", "docs")),
        (("**",), ("web/y*.lock",)),
        (("web/*.lock",), ("**",)),
        (("CHANGELOG.md/2.md",), ("CHANGELOG.md",)),
        (("src", "CHANGELOG.md"), ("docs", "CHANGELOG.md")),
        (("web/**/*.lock",), ("web/*/*.lock",)),
    ],
)
def test_where_only_contended_paths_are_shared_both_sides_count_as_local(
    held: tuple[str, ...], asked: tuple[str, ...], kinds: tuple[Kind, Kind]
) -> None:
    elsewhere = meet(held, asked, kinds=kinds)
    assert elsewhere is not None
    assert elsewhere[0] == TELL
    beside = meet(held, asked, kinds=kinds, same=True)
    assert beside is not None
    assert beside[0] == REFUSE


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        (("**",), ("**",)),
        (("web",), ("web/**",)),
        (("yarn.lock", "src/api"), ("yarn.lock", "src/*")),
        (("CHANGELOG.md", "src"), ("**",)),
        (("CHANGELOG*",), ("CHANGELOG*",)),
        (("web/yarn.lock",), ("web/yarn.lock",)),
        (("web/*",), ("web/yarn.*",)),
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_every_other_path_of_the_same_scopes_still_conflicts(
    held: tuple[str, ...], asked: tuple[str, ...], same: bool
) -> None:
    found = meet(held, asked, same=same)
    assert found is not None
    assert found[0] == REFUSE
    witness = found[1].witness
    if not same:  # the reason for the refusal is a path that is not contended
        assert not any(matches(pattern, witness) for pattern in LOCKS)
    assert any(matches(pattern, witness) for pattern in patterns(*held))
    assert any(matches(pattern, witness) for pattern in patterns(*asked))


@pytest.mark.parametrize(
    ("held", "asked"), [((LOCAL), (EXCLUSIVE)), ((EXCLUSIVE), (LOCAL)), ((EXCLUSIVE), (EXCLUSIVE))]
)
def test_beyond_contended_paths_the_kinds_are_what_was_asked(held: Kind, asked: Kind) -> None:
    found = meet(("web",), ("web",), kinds=(held, asked))
    assert found is not None
    assert found[0] == REFUSE


def test_two_local_scopes_stay_local_within_and_beyond_contended_paths() -> None:
    found = meet(("web",), ("web",), kinds=(LOCAL, LOCAL))
    assert found is not None
    assert found[0] == TELL


def test_contended_paths_that_are_not_shared_change_nothing() -> None:
    assert meet(("web/yarn.lock",), ("api/yarn.lock",)) is None
    assert meet(("web",), ("api",)) is None


segment = st.sampled_from(["a", "b", "*", "a*", "?", "**"])
texts = st.lists(segment, min_size=1, max_size=3).map("/".join).filter(lambda t: "**/**" not in t)
scopes = st.lists(texts, min_size=1, max_size=2)
UNIVERSE: Final = plain.names("ab", 3)


@given(scopes, scopes, scopes, kinds, kinds, st.booleans())
def test_contended_paths_count_as_local_exactly(
    held: list[str], asked: list[str], contended: list[str], one: Kind, other: Kind, same: bool
) -> None:
    def shared(*, without: list[str]) -> bool:
        pairs = ((left, right) for left in held for right in asked)
        return any(plain.find([left, right], without, UNIVERSE) for left, right in pairs)

    where = "same tree" if same else "other tree"
    found = conflict(
        Hold(patterns(*held), one, "tree-1"),
        patterns(*asked),
        other,
        "tree-1" if same else "tree-2",
        patterns(*contended),
    )
    expected = None
    if shared(without=contended):
        expected = TABLE[one, other, where]
    elif shared(without=[]):
        expected = TABLE["local", "local", where]
    assert (found and found[0]) == expected
    if found is not None:
        assert any(plain.means(pattern, found[1].witness) for pattern in held)
        assert any(plain.means(pattern, found[1].witness) for pattern in asked)


# --- time ----------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_design() -> None:
    assert (TTL_MIN_MS, TTL_MAX_MS, TTL_DEFAULT_MS) == (SECOND, 24 * HOUR, 90 * MINUTE)
    assert (AGE_MAX_MS, MARGIN_MAX_MS) == (72 * HOUR, 30 * SECOND)


@pytest.mark.parametrize("ttl_ms", [SECOND, SECOND + 1, 90 * MINUTE, 24 * HOUR - 1, 24 * HOUR])
def test_a_time_to_live_within_the_bounds_is_taken(ttl_ms: int) -> None:
    assert check_ttl(ttl_ms) == ttl_ms


@pytest.mark.parametrize("ttl_ms", [SECOND - 1, 24 * HOUR + 1, 0, -1, -HOUR, 10**18])
def test_a_time_to_live_beyond_the_bounds_is_malformed(ttl_ms: int) -> None:
    with pytest.raises(MalformedTtl) as caught:
        check_ttl(ttl_ms)
    assert caught.value.values["reason"] == "it must be 1s to 24h"


@pytest.mark.parametrize(("now", "live"), [(-1, True), (0, False), (1, False), (-HOUR, True)])
def test_a_lease_binds_until_its_expiry_and_not_at_it(now: int, live: bool) -> None:
    assert a_lease(1, "s", "src", expires_at=NOW).live(NOW + now) is live


@pytest.mark.parametrize(
    ("ttl_ms", "margin"),
    [
        (SECOND, 333),
        (3 * SECOND, SECOND),
        (90 * SECOND - 1, 29_999),
        (90 * SECOND, 30 * SECOND),
        (90 * SECOND + 1, 30 * SECOND),
        (90 * MINUTE, 30 * SECOND),
        (24 * HOUR, 30 * SECOND),
    ],
)
def test_the_margin_is_30_seconds_and_at_most_a_third(ttl_ms: int, margin: int) -> None:
    assert margin_ms(ttl_ms) == margin


@given(ttls)
def test_a_margin_leaves_at_least_two_thirds_of_the_time(ttl_ms: int) -> None:
    assert 0 < margin_ms(ttl_ms) <= 30 * SECOND
    assert 3 * margin_ms(ttl_ms) <= ttl_ms


@pytest.mark.parametrize(
    ("asked_ago", "trusted_for"),
    [(0, HOUR - 30 * SECOND), (2 * SECOND, HOUR - 32 * SECOND), (HOUR, -30 * SECOND)],
)
def test_a_holder_counts_from_before_it_asked(asked_ago: int, trusted_for: int) -> None:
    assert trusted_until(NOW - asked_ago, HOUR, NOW + HOUR) == NOW + trusted_for


@given(instants, st.integers(0, HOUR), ttls, ttls)
def test_a_holder_stops_a_margin_before_the_store_does(
    asked_at: int, delay: int, ttl_ms: int, left: int
) -> None:
    expires_at = asked_at + delay + left
    trusted = trusted_until(asked_at, ttl_ms, expires_at)
    assert trusted <= expires_at - margin_ms(ttl_ms)
    assert trusted <= asked_at + ttl_ms - margin_ms(ttl_ms)
    assert trusted + margin_ms(ttl_ms) in (expires_at, asked_at + ttl_ms)


@pytest.mark.parametrize(
    ("granted_ago", "left", "ttl_ms", "left_after"),
    [
        (10 * MINUTE, 50 * MINUTE, HOUR, HOUR),
        (10 * MINUTE, 50 * MINUTE, SECOND, 50 * MINUTE),
        (10 * MINUTE, 50 * MINUTE, 50 * MINUTE, 50 * MINUTE),
        (10 * MINUTE, 50 * MINUTE, 50 * MINUTE + 1, 50 * MINUTE + 1),
        (48 * HOUR, HOUR, 24 * HOUR, 24 * HOUR),
        (48 * HOUR + 1, HOUR, 24 * HOUR, 24 * HOUR - 1),
        (71 * HOUR, MINUTE, 24 * HOUR, HOUR),
        (72 * HOUR - 1, 1, 24 * HOUR, 1),
    ],
)
def test_a_renewal_never_shortens_and_never_passes_the_age_cap(
    granted_ago: int, left: int, ttl_ms: int, left_after: int
) -> None:
    lease = a_lease(1, "s", "src", granted_at=NOW - granted_ago, expires_at=NOW + left)
    assert renewed_expiry(lease, ttl_ms, NOW) == NOW + left_after


@given(ttls, st.lists(st.tuples(st.integers(0, 2**32), ttls), max_size=12))
def test_however_often_it_is_renewed_a_lease_ends_at_its_age_cap(
    ttl_ms: int, renewals: list[tuple[int, int]]
) -> None:
    lease = a_lease(1, "s", "src", granted_at=NOW, ttl_ms=ttl_ms)
    for chance, asked in renewals:
        now = lease.granted_at + chance % (lease.expires_at - lease.granted_at)
        expires_at = renewed_expiry(lease, asked, now)
        assert expires_at >= lease.expires_at
        assert expires_at <= lease.granted_at + 72 * HOUR
        assert expires_at == lease.expires_at or expires_at <= now + asked
        lease = lease._replace(expires_at=expires_at)


def test_the_scope_of_a_lease_is_its_patterns_as_text() -> None:
    assert a_lease(1, "s", "./src/", "*.md").scope == ("src", "*.md")


def test_the_example_in_the_documentation_holds() -> None:
    done = doctest.testmod(handrail.core.lease)
    assert (done.attempted > 0, done.failed) == (True, 0)
