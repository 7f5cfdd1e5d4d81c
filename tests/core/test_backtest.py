"""The shape of a past, and what a policy would have said of it; overlaps against brute force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.backtest import CONTENDED_LEAST, Findings, Unit, key_of, replay
from handrail.core.decide import Policy
from handrail.core.history import Branch, PastCommit, branch_name, lines_of
from handrail.core.role import READ_ONLY, WORKSPACE_WRITE, Role
from handrail.core.scope import parse_pattern


def made(
    name: str, *parents: str, paths: Sequence[str] = (), at: int = 0, subject: str = ""
) -> Any:
    return PastCommit(name, parents, "ada", "ada@example.org", at, subject, tuple(paths))


def role(name: str, *lane: str, sandbox: str = WORKSPACE_WRITE) -> Role:
    return Role(name, name, lane, None, (), sandbox, (), coordinates=False)


def policy(*roles: Role, contended: Sequence[str] = (), exempt: Sequence[str] = ()) -> Policy:
    lanes = {
        one.name: tuple(map(parse_pattern, () if one.sandbox == READ_ONLY else one.lane))
        for one in roles
    }
    named = {one.name: one for one in roles}
    return Policy(
        named, lanes, tuple(map(parse_pattern, contended)), tuple(map(parse_pattern, exempt))
    )


def judged(
    past: Sequence[PastCommit],
    rules: Policy = Policy({}, {}),  # noqa: B008 - it is frozen
    acting: str | None = None,
    *,
    fold_case: bool = False,
) -> Findings:
    branches, direct = lines_of(past, past[-1].commit)
    names = {
        key_of(one): Unit(one.name or one.merge, one.merge, "ada", acting, one.paths)
        for one in branches
    }
    beside = [Unit(one.commit, one.commit, "ada", acting, one.paths) for one in direct]
    units = [*names.values(), *beside]
    return replay(branches, direct, units, rules, names=names, fold_case=fold_case)


# ------------------------------------------------------------------------------------- the shape

# Two branches, x and y, that leave at 1 and land at 2 and 4; a third, z, of one that began anew.
PAST: Final = (
    made("1", paths=["a"]),
    made("x1", "1", paths=["a", "b"], at=5),
    made("y1", "1", paths=["b"], at=3),
    made("2", "1", "x1", subject="Merge branch 'x'"),
    made("3", "2", paths=["c"]),
    made("y2", "y1", "2"),
    made("y3", "y2", paths=["b", "d"]),
    made("4", "3", "y3", subject="Merge pull request #7 from acme/y/z"),
    made("z1", paths=["e"]),
    made("5", "4", "z1", subject="anything"),
)


def test_a_branch_is_what_a_merge_brought_and_open_since_it_left() -> None:
    branches, direct = lines_of(PAST, "5")
    assert [one.commit for one in direct] == ["1", "3"]
    told = [
        (one.name, one.merge, [c.commit for c in one.commits], one.opened, one.landed)
        for one in branches
    ]
    assert told == [
        ("x", "2", ["x1"], 1, 2),
        ("y/z", "4", ["y1", "y2", "y3"], 1, 4),
        (None, "5", ["z1"], 0, 5),
    ]
    assert branches[1].paths == ("b", "d")


def test_an_octopus_brings_a_branch_by_each_parent_and_a_merge_of_the_landed_none() -> None:
    past = [
        made("1"),
        made("x", "1"),
        made("y", "1"),
        made("2", "1", "x", "y"),
        made("3", "2", "x"),
    ]
    branches, direct = lines_of(past, "3")
    assert [(one.merge, one.commits[0].commit) for one in branches] == [("2", "x"), ("2", "y")]
    assert [one.commit for one in direct] == ["1"]
    assert len({key_of(one) for one in branches}) == 2


def test_what_lies_before_the_past_is_place_none() -> None:
    branches, direct = lines_of([made("x", "before"), made("2", "also-before", "x")], "2")
    assert [(one.opened, one.landed) for one in branches] == [(0, 1)]
    assert direct == []
    assert lines_of([], "gone") == ([], [])


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("Merge branch 'fix/a'", "fix/a"),
        ("Merge branch 'a' into b", "a"),
        ("Merge branch 'a' of https://example.org/x.git", "a"),
        ("Merge branches 'a' and 'b'", "a"),
        ("Merge remote-tracking branch 'origin/fix/a'", "fix/a"),
        ("Merge remote-tracking branch 'a'", "a"),
        ("Merge pull request #12 from acme/fix/a", "fix/a"),
        ("Merge pull request #12 from a more", "a"),
        ("Merge pull request #x from acme/a", None),
        ("Merge pull request #12", None),
        ("Merge branch ''", None),
        ("merge branch 'a'", None),
        ("", None),
        ("Merge branch '" + "a" * 500 + "'", "a" * 200),
    ],
)
def test_a_merge_says_which_branch_it_brought(subject: str, name: str | None) -> None:
    assert branch_name(subject) == name


# ---------------------------------------------------------------------------------- what is found


def test_who_comes_second_at_a_path_is_refused_and_told_who_was_first() -> None:
    found = judged(PAST)
    (refusal,) = found.refusals
    # y began to work before x, from the same place.
    assert (refusal.code, refusal.unit, refusal.path, refusal.paths) == ("scope_held", "x", "b", 1)
    assert (refusal.holder, refusal.holder_commit) == ("y/z", "4")
    assert (found.sharing, found.branches, found.direct) == (2, 3, 2)


def test_a_branch_that_left_after_another_landed_meets_nobody() -> None:
    past = [
        made("1"),
        made("x", "1", paths=["a"]),
        made("2", "1", "x"),
        made("y", "2", paths=["a"]),
        made("3", "2", "y"),
    ]
    found = judged(past)
    assert (found.sharing, found.refusals) == (0, ())


@pytest.mark.parametrize("setting", ["contended", "exempt"])
def test_what_is_contended_or_exempt_is_held_by_nobody(setting: str) -> None:
    found = judged(PAST, policy(**{setting: ["b"]}))
    assert found.refusals == ()
    assert found.sharing == 2


def test_a_path_outside_the_lane_is_refused_once_for_each_unit_with_the_first() -> None:
    rules = policy(role("web", "a", "c"), exempt=["d"])
    refusals = [row for row in judged(PAST, rules, "web").refusals if row.code != "scope_held"]
    assert [(row.code, row.unit, row.path, row.paths) for row in refusals] == [
        ("outside_lane", "x", "b", 1),
        ("outside_lane", "y/z", "b", 1),
        ("outside_lane", "5", "e", 1),
    ]


def test_a_role_that_only_reads_is_refused_as_such() -> None:
    rules = policy(role("reader", "**", sandbox=READ_ONLY))
    codes = {row.code for row in judged(PAST, rules, "reader").refusals}
    assert codes == {"sandbox_read_only", "scope_held"}


def test_who_has_no_role_is_counted_and_not_judged_by_lanes() -> None:
    found = judged(PAST, policy(role("web", "a")), None)
    assert found.without_role == found.units == 5
    assert {row.code for row in found.refusals} == {"scope_held"}


def test_lanes_that_meet_are_told_with_a_path() -> None:
    rules = policy(
        role("one", "src", "*.md"), role("two", "lib", "src/**/x.py"), role("three", "t")
    )
    (row,) = judged(PAST, rules).lanes_meet
    assert row == ("one", "src", "two", "src/**/x.py", "src/x.py")


def test_what_is_in_no_lane_is_counted_by_folder() -> None:
    past = [
        made("1", paths=["a", "src/web/x/y", "src/web/z", "src/q", "lib/a"]),
        made("2", "1", paths=["src/web/z", "lib/a", "gen/b"]),
    ]
    found = judged(past, policy(role("lib", "lib"), exempt=["gen"]))
    assert [tuple(row) for row in found.uncovered] == [
        ("src/web", 2, 3, "src/web/x/y"),
        ("", 1, 1, "a"),
        ("src", 1, 1, "src/q"),
    ]
    assert (found.uncovered_paths, found.paths) == (4, 6)


def test_a_lane_without_regard_to_case_covers_what_differs_by_case_alone() -> None:
    past = [made("1", paths=["Lib/A"])]
    assert judged(past, policy(role("lib", "lib"))).uncovered
    assert not judged(past, policy(role("lib", "lib")), fold_case=True).uncovered


def test_a_path_at_which_many_branches_meet_is_worth_calling_contended() -> None:
    many = CONTENDED_LEAST + 1
    past = [made("m0")]
    past += [made(f"b{n}", "m0", paths=["log", f"f{n}"], at=n) for n in range(many)]
    past += [made(f"m{n + 1}", f"m{n}", f"b{n}") for n in range(many)]
    found = judged(past)
    assert [tuple(row) for row in found.contended] == [("log", many - 1)]
    assert not judged(past[:-1], policy()).contended
    assert not judged(past, policy(contended=["log"])).contended


# ------------------------------------------------------------------------------------ by property


@st.composite
def pasts(draw: st.DrawFn) -> list[PastCommit]:
    """Draw a main line with branches that leave and land anywhere, some of them with merges."""
    past = [made("m0")]
    main = ["m0"]
    waiting: list[str] = []
    for number in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from(("leave", "go on", "land", "land", "direct", "update")))
        name, paths = f"c{number}", draw(st.lists(st.sampled_from("abc"), unique=True, max_size=2))
        at = draw(st.integers(0, 5))
        if kind == "leave":
            past.append(made(name, draw(st.sampled_from(main)), paths=paths, at=at))
            waiting.append(name)
        elif kind in ("go on", "update") and waiting:
            tip = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
            parents = (tip, main[-1]) if kind == "update" else (tip,)
            past.append(made(name, *parents, paths=() if kind == "update" else paths, at=at))
            waiting.append(name)
        elif kind == "land" and waiting:
            tip = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
            past.append(made(name, main[-1], tip))
            main.append(name)
        else:
            past.append(made(name, main[-1], paths=paths, at=at))
            main.append(name)
    past.append(made("tip", main[-1]))
    return past


def ancestors(past: Sequence[PastCommit], name: str) -> set[str]:
    parents = {one.commit: one.parents for one in past}
    found, ahead = set(), [name]
    while ahead:
        one = ahead.pop()
        if one in parents and one not in found:
            found.add(one)
            ahead += parents[one]
    return found


@given(pasts())
def test_every_commit_is_in_one_branch_or_landed_directly_or_is_the_merge(
    past: list[PastCommit],
) -> None:
    branches, direct = lines_of(past, "tip")
    within = [one.commit for branch in branches for one in branch.commits]
    merges = {branch.merge for branch in branches}
    beside = {one.commit for one in direct}
    assert len(within) == len(set(within))
    assert not set(within) & (merges | beside)
    empty = {one.commit for one in past if len(one.parents) > 1}
    assert set(within) | merges | beside | empty >= ancestors(past, "tip")
    for branch in branches:
        first, second = next(one.parents for one in past if one.commit == branch.merge)
        brought = ancestors(past, second) - ancestors(past, first)
        assert {one.commit for one in branch.commits} == brought


def open_together(past: Sequence[PastCommit], one: Branch, other: Branch) -> bool:
    """Say so by ancestry: each left from a place where the other had not landed."""

    def left_before(branch: Branch, landing: str) -> bool:
        inside = {commit.commit for commit in branch.commits}
        outside = [p for c in branch.commits for p in c.parents if p not in inside]
        return not outside or any(landing not in ancestors(past, start) for start in outside)

    return left_before(one, other.merge) and left_before(other, one.merge)


@given(pasts())
def test_branches_share_as_a_comparison_of_all_with_all_says(past: list[PastCommit]) -> None:
    branches, _ = lines_of(past, "tip")
    sharing, second = set(), 0
    for one in branches:
        met = [
            other
            for other in branches
            if other is not one
            and set(one.paths) & set(other.paths)
            and open_together(past, one, other)
        ]
        sharing |= {one.merge} if met else set()

        def rank(branch: Branch) -> tuple[int, int, int]:
            return branch.opened, branch.commits[0].at, branch.landed

        second += any(rank(other) < rank(one) for other in met)
    found = judged(past)
    assert found.sharing == len(sharing)
    assert len(found.refusals) == second
