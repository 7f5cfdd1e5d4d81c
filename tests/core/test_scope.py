"""What a scope means, when two of them meet, when one holds another; see the package's promises.

The properties compare with ``scope_bruteforce``, which shares no code with the core. Costs are
bounded in lines executed, not in time, so that a slow machine cannot turn them red.
"""

from __future__ import annotations

import doctest
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import handrail.core.scope
from handrail.core.scope import (
    COVER_WORK_MAX,
    PATTERN_CHARS_MAX,
    SCOPE_PATTERNS_MAX,
    SCOPE_WILD_MAX,
    SEGMENT_CHARS_MAX,
    UNANCHORED_LIVE_MAX,
    WILDCARDS_MAX,
    Overlap,
    Pattern,
    ancestors,
    cover,
    match,
    matches,
    meet,
    normalise_path,
    overlap,
    parse_pattern,
    parse_scope,
    pattern,
    stored_pattern,
    uncovered,
    witness,
)
from handrail.errors import EXIT_MALFORMED, MalformedScope
from tests.core import scope_bruteforce as plain

thorough = settings(max_examples=200, deadline=None, database=None)

NAMES = plain.names("ab.z", 6)
"""Long enough for segments of up to three items: two of them meet in at most six characters."""

segments = st.one_of(
    st.just("**"),
    st.just("**"),
    st.just("*"),
    st.text("ab.*?", min_size=1, max_size=3),
).filter(lambda text: text not in (".", "..") and (text == "**" or "**" not in text))
texts = st.lists(segments, min_size=1, max_size=4).map("/".join)
patterns = texts.map(parse_pattern)
paths = st.lists(
    st.text("ab.z", min_size=1, max_size=4).filter(plain.is_valid), min_size=1, max_size=5
).map("/".join)


def parsed(*texts: str) -> list[Pattern]:
    return [parse_pattern(text) for text in texts]


def reason_of(text: str, *, fold_case: bool = False) -> str:
    with pytest.raises(MalformedScope) as caught:
        parse_pattern(text, fold_case=fold_case)
    assert caught.value.values["scope"] == text
    return str(caught.value.values["reason"])


def lines_run(call: Callable[[], object]) -> int:
    """Count the lines of Python that a call executes."""
    count = 0

    def trace(_frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


# --- matching ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["src/api", "src/api/x.py", "src/api/v1/x.py"])
def test_a_literal_pattern_means_itself_and_all_below(path: str) -> None:
    assert matches(parse_pattern("src/api"), path)
    assert matches(parse_pattern("src/*/api"), path.replace("src", "src/x", 1))
    assert matches(parse_pattern("**/api"), path)


@pytest.mark.parametrize("path", ["src", "src/apis", "src/ap", "lib/src/api", "src.api", "s"])
def test_a_literal_pattern_means_nothing_beside_or_above_it(path: str) -> None:
    assert not matches(parse_pattern("src/api"), path)


@pytest.mark.parametrize(
    ("text", "means", "not_means"),
    [
        ("*", ["x", ".x"], ["x/y"]),
        ("*.md", ["README.md", ".md"], ["docs/README.md", "README.md/x", "README.mdx"]),
        ("src/*", ["src/x"], ["src", "src/x/y", "lib/x", "srcx/y"]),
        ("src/**", ["src", "src/x", "src/x/y"], ["srcs", "lib", "lib/src"]),
        ("**", ["x", "x/y/z"], []),
        ("**/*.py", ["x.py", "a/b/x.py"], ["x.py/a", "x.pyc"]),
        ("src/**/x", ["src/x", "src/a/x", "src/a/b/x/y"], ["src", "src/a", "x"]),
        ("a/**/b/**/c*", ["a/b/c", "a/x/b/y/z/c1"], ["a/c", "b/c", "a/b/x"]),
        ("t?st", ["test", "tést", "t\nst"], ["tst", "teest", "t/st"]),
        ("*a*b", ["ab", "xaxb", "aab", "abab"], ["ba", "aba", "b"]),
        ("?*a?", ["xab", "xxaab"], ["ab", "xa", "xba"]),
        ("a*a", ["aa", "aba"], ["a"]),
        ("*a*a*", ["aa", "xaxax"], ["a", "xax"]),
        ("*ab*ba*", ["abba", "abxba"], ["aba"]),
        ("*/x", ["a/x", "a/x/y"], ["x", "a/b/x"]),
    ],
)
def test_wildcards_stay_within_a_segment_and_two_stars_do_not(
    text: str, means: list[str], not_means: list[str]
) -> None:
    assert [path for path in means if not matches(parse_pattern(text), path)] == []
    assert [path for path in not_means if matches(parse_pattern(text), path)] == []


@pytest.mark.parametrize("text", ["a[bc]", "a{b,c}", "a!b", "a b", "a$b", "a.b", "a^b", "a(b|c)"])
def test_brackets_braces_and_all_else_stand_for_themselves(text: str) -> None:
    assert matches(parse_pattern(text), text)
    assert matches(parse_pattern(f"*{text}?"), f"x{text}y")
    assert not matches(parse_pattern(text), "ab")
    assert not matches(parse_pattern("a[bc]*"), "abx")


@given(patterns, paths)
@thorough
def test_matching_agrees_with_the_definition(one: Pattern, path: str) -> None:
    assert matches(one, path) == plain.means(one.text, path)


@given(patterns, st.data())
@thorough
def test_matching_agrees_with_the_definition_near_the_pattern(
    one: Pattern, data: st.DataObject
) -> None:
    names = []
    for segment in one.segments:
        if segment == "**":
            names += data.draw(st.lists(st.sampled_from(["a", "b", ".a"]), max_size=2))
        else:
            filled = "".join(
                data.draw(st.sampled_from(["", "a", "b", "ab"])) if char in "*?" else char
                for char in segment
            )
            names.append(filled or "a")
    path = "/".join(names) or "a"
    assert matches(one, path) == plain.means(one.text, path)


@pytest.mark.parametrize("path", ["a\nb", "a\udcffb", "a\x7fb", "aéb", "a\u202eb"])
def test_a_hostile_path_is_matched_like_any_other(path: str) -> None:
    assert matches(parse_pattern("a?b"), normalise_path(path))
    assert matches(parse_pattern("*b"), normalise_path(path))
    assert not matches(parse_pattern("a??b"), normalise_path(path))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("*a" * 15 + "?*b", "a" * 4096),
        ("*a" * 16 + "*b", "a" * 4096),
        ("**/" + "a/" * 15 + "**/b", "a/" * 2047 + "a"),
        ("**/a/" * 15 + "**/b", "a/" * 2047 + "a"),
        ("/".join(["**", *["*a"] * 30, "b"]), "a/" * 2047 + "a"),
    ],
)
def test_no_pattern_and_no_path_make_matching_backtrack(text: str, path: str) -> None:
    one = parse_pattern(text)
    assert not matches(one, path)
    assert lines_run(lambda: matches(one, path)) < 1_500_000


# --- reading a pattern ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("/", "absolute"),
        ("/src", "absolute"),
        ("//src", "absolute"),
        ("src\\api", "backslash"),
        ("\\", "backslash"),
        ("src\n", "control character"),
        ("a\0b", "control character"),
        ("a\x1bb", "control character"),
        ("a\x7fb", "control character"),
        ("a\x85b", "control character"),
        ("a\udc80b", "not UTF-8"),
        ("a\ud800", "not UTF-8"),
        ("..", "segment '..'"),
        ("../x", "segment '..'"),
        ("src/..", "segment '..'"),
        ("src/./x", "segment '.'"),
        ("src/.", "segment '.'"),
        ("././x", "segment '.'"),
        ("a//b", "empty segment"),
        ("a//", "empty segment"),
        (".//", "absolute"),
        ("a**b", "'**' stands only alone"),
        ("src/**.py", "'**' stands only alone"),
        ("***", "'**' stands only alone"),
        ("!src", "no negation"),
        ("./!src", "no negation"),
        (".git", "'.git' belongs to git"),
        (".GIT/config", "'.git' belongs to git"),
        ("vendor/.Git", "'.git' belongs to git"),
        ("*\u0301", "combining mark after a wildcard"),
        ("a/b?\u0327c", "combining mark after a wildcard"),
        ("*\u1161", "combining mark after a wildcard"),
        ("?\u09be", "combining mark after a wildcard"),
    ],
)
def test_what_is_no_pattern_is_refused_with_its_reason(text: str, reason: str) -> None:
    assert reason in reason_of(text)


@pytest.mark.parametrize("text", [".", "./"])
def test_the_bare_dot_is_refused_with_the_command_that_claims_everything(text: str) -> None:
    with pytest.raises(MalformedScope) as caught:
        parse_pattern(text)
    assert caught.value.next == "handrail claim '**'"
    assert matches(parse_pattern("**"), "any/path")


def test_a_refusal_says_malformed_and_shows_hostile_text_escaped() -> None:
    with pytest.raises(MalformedScope) as caught:
        parse_pattern("a\nb")
    assert caught.value.exit_status == EXIT_MALFORMED
    assert caught.value.message == "a\\nb is no scope: it has a control character."


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("src", "src"),
        ("src/", "src"),
        ("./src", "src"),
        ("./src/", "src"),
        ("src/*/", "src/*"),
        ("**/", "**"),
        ("**/**", "**"),
        ("a/**/**/**/b", "a/**/b"),
        ("a/**/*/**", "a/**/*/**"),
        ("...", "..."),
        (".gitignore", ".gitignore"),
        (".git*", ".git*"),
        ("a.git", "a.git"),
        ("~/x", "~/x"),
        ("a!", "a!"),
        ("-rf", "-rf"),
        ("a\u200bb", "a\u200bb"),
        ("e\u0301", "é"),
        ("\u0301a", "\u0301a"),
    ],
)
def test_what_means_the_same_is_written_in_one_way(text: str, canonical: str) -> None:
    assert parse_pattern(text).text == canonical


@pytest.mark.parametrize(
    ("text", "anchor", "is_literal"),
    [
        ("src", "src", True),
        ("src/api/x.py", "src/api/x.py", True),
        ("src/*.py", "src", False),
        ("src/api/**", "src/api", False),
        ("src/api*", "src", False),
        ("src/a?/*/b", "src", False),
        ("src/a?/*b", "src", False),
        ("src/a*/?b", "src", False),
        ("*", "", False),
        ("?x/y", "", False),
        ("**/api", "", False),
    ],
)
def test_the_anchor_is_what_stands_before_the_first_segment_with_a_wildcard(
    text: str, anchor: str, is_literal: bool
) -> None:
    assert parse_pattern(text) == Pattern(text, tuple(text.split("/")), anchor, is_literal)


def test_each_bound_of_a_pattern_is_accepted_and_one_more_refused() -> None:
    longest = "a/" * (PATTERN_CHARS_MAX // 2 - 1) + "aa"
    assert len(parse_pattern(longest).text) == PATTERN_CHARS_MAX
    assert f"more than {PATTERN_CHARS_MAX} characters" in reason_of(longest + "a")
    name = "a" * SEGMENT_CHARS_MAX
    assert parse_pattern(f"{name}/{name}").is_literal
    assert f"more than {SEGMENT_CHARS_MAX} characters" in reason_of(f"x/{name}a")
    wild = "**/" + "*?" * (WILDCARDS_MAX // 2 - 1) + "*"
    assert parse_pattern(wild).text == wild
    assert f"more than {WILDCARDS_MAX} wildcards" in reason_of(wild + "?")
    assert (PATTERN_CHARS_MAX, WILDCARDS_MAX, SCOPE_PATTERNS_MAX) == (1024, 32, 256)
    assert UNANCHORED_LIVE_MAX == 64


def test_a_pattern_that_outgrows_its_bound_by_normalisation_is_refused() -> None:
    grows = "\ufb2c" * 200
    assert len(normalise_path(grows)) == 600
    assert "characters" in reason_of(f"{grows}/{grows}")
    short = "/".join(["\ufb2c" * 80] * 5)
    assert f"more than {PATTERN_CHARS_MAX} characters" in reason_of(short)


any_texts = st.one_of(
    texts,
    st.text(max_size=12),
    st.text("ab*?/.\\!git\u0301é", max_size=10),
    st.text(st.characters(), max_size=6),
)


@given(any_texts, st.booleans())
@example("./!x", False)
@example("ǰ*/ŉ", True)
@settings(max_examples=200, deadline=None, database=None)
def test_any_text_is_refused_or_read_as_a_canonical_pattern(text: str, fold_case: bool) -> None:
    try:
        one = parse_pattern(text, fold_case=fold_case)
    except MalformedScope:
        assert reason_of(text, fold_case=fold_case)
        return
    assert parse_pattern(one.text, fold_case=fold_case) == one
    assert stored_pattern(one.text) == one
    assert "/".join(one.segments) == one.text
    assert one.is_literal == (one.anchor == one.text)
    assert one.text.startswith(one.anchor)
    assert not set("*?") & set(one.anchor)
    path = witness(one, one)
    assert path is not None
    assert plain.is_valid(path)
    assert plain.means(one.text, path)


@pytest.mark.parametrize(
    ("anchor", "all_above"),
    [("", [""]), ("a", ["", "a"]), ("a/b/c", ["", "a", "a/b", "a/b/c"])],
)
def test_the_ancestors_of_an_anchor_are_listed_from_the_root(
    anchor: str, all_above: list[str]
) -> None:
    assert ancestors(anchor) == all_above


@given(patterns, patterns)
@thorough
def test_patterns_meet_only_where_one_anchor_is_an_ancestor_of_the_other(
    a: Pattern, b: Pattern
) -> None:
    if witness(a, b) is not None:
        assert a.anchor in ancestors(b.anchor) or b.anchor in ancestors(a.anchor)


# --- Unicode -------------------------------------------------------------------------------------

COMPOSED, DECOMPOSED = "caf\u00e9/x", "cafe\u0301/x"


def test_composed_and_decomposed_spellings_are_the_same() -> None:
    assert parse_pattern(COMPOSED) == parse_pattern(DECOMPOSED)
    for spelling in (COMPOSED, DECOMPOSED):
        assert matches(parse_pattern("caf?"), normalise_path(spelling)) is False
        assert matches(parse_pattern("caf?/*"), normalise_path(spelling))
        assert matches(parse_pattern("caf\u00e9"), normalise_path(spelling))
    assert witness(*parsed(DECOMPOSED, COMPOSED)) == COMPOSED


def test_case_counts_unless_it_is_folded() -> None:
    upper, lower = "SRC/\u00c9T\u00c9", "src/e\u0301te\u0301"
    assert parse_pattern(upper) != parse_pattern(lower)
    assert not matches(parse_pattern(upper), normalise_path(lower))
    folded = parse_pattern(upper, fold_case=True)
    assert folded == parse_pattern(lower, fold_case=True)
    assert matches(folded, normalise_path("Src/\u00c9t\u00e9/X", fold_case=True))
    assert parse_scope(["Straße", "STRASSE"], fold_case=True) == (stored_pattern("strasse"),)
    assert len(parse_scope(["a", "A"])) == 2


def test_git_directory_is_refused_in_any_case_and_spelling() -> None:
    assert "'.git'" in reason_of(".gIt", fold_case=True)
    assert "'.git'" in reason_of("a/.GIT/b")


UNICODE = (
    "aeEs*?/\u0301\u0327\u0345\u00e9\u0130\u01f0\u03b1\u03c3\u03a3\u1100\u1161\u11a8\uac00\u00df"
)


@given(st.text(UNICODE, max_size=5), st.text(UNICODE, max_size=5), st.booleans(), st.data())
@settings(max_examples=300, deadline=None, database=None)
def test_patterns_meet_exactly_if_they_mean_a_common_path_in_normal_form(
    left: str, right: str, fold_case: bool, data: st.DataObject
) -> None:
    try:
        a, b = (parse_pattern(text, fold_case=fold_case) for text in (left, right))
    except MalformedScope:
        assume(False)
    path = witness(a, b)
    if path is not None:
        assert normalise_path(path, fold_case=fold_case) == path
        assert matches(a, path)
        assert matches(b, path)
    else:
        chars = sorted({*a.text, *b.text} - {*"*?/"})
        name = st.text([*chars, "e"], min_size=1, max_size=4)
        for candidate in data.draw(st.lists(st.lists(name, min_size=1, max_size=3), max_size=8)):
            other = normalise_path("/".join(candidate), fold_case=fold_case)
            assert not (matches(a, other) and matches(b, other))


def test_no_character_that_composes_with_the_one_before_may_follow_a_wildcard() -> None:
    second = set()
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            second.add(chr(int(parts[1], 16)))
    jamo = {chr(code) for code in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    reordered = {chr(code) for code in range(0x110000) if unicodedata.combining(chr(code))}
    assert len(second) > 60
    for char in second | jamo | reordered:
        assert "combining mark" in reason_of(f"a?{char}")


@given(st.text(max_size=20), st.booleans())
@example("\u01f0", True)
@thorough
def test_the_normal_form_of_a_path_is_stable(path: str, fold_case: bool) -> None:
    once = normalise_path(path, fold_case=fold_case)
    assert normalise_path(once, fold_case=fold_case) == once
    assert unicodedata.is_normalized("NFC", once)
    decomposed = unicodedata.normalize("NFD", path)
    assert normalise_path(decomposed, fold_case=fold_case) == once


# --- overlap -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "path"),
    [
        ("src", "src", "src"),
        ("src/api", "src/api/x.py", "src/api/x.py"),
        ("src/**", "src/api/x.py", "src/api/x.py"),
        ("**", "src/api/x.py", "src/api/x.py"),
        ("src/**", "src", "src"),
        ("**", "**", "x"),
        ("*", "*", "x"),
        ("**", "*.md", "x.md"),
        ("*", "*.md", "x.md"),
        ("*.md", "README*", "README.md"),
        ("lib/*/x.py", "lib/core/*.py", "lib/core/x.py"),
        ("*/y", "x/*", "x/y"),
        ("**/*.md", "docs/**/a*", "docs/a.md"),
        ("src/**/test_*.py", "src/*/api/*_unit.py", "src/x/api/test_unit.py"),
        ("src/api", "src/*/models", "src/api/models"),
        ("src/api", "**/models/*.py", "src/api/models/x.py"),
        ("a/b/c", "a/*", None),
        ("a/b/c", "a/*/c/d", "a/b/c/d"),
        ("src/*", "src/**/x", "src/x"),
        (".git*", ".gi?", None),
        (".git*", ".git?", ".gitx"),
    ],
)
def test_the_witness_is_a_path_that_a_person_would_write(
    left: str, right: str, path: str | None
) -> None:
    assert witness(*parsed(left, right)) == path
    assert witness(*parsed(right, left)) == path


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("src/ab", "src/a"),
        ("src/a", "src/b"),
        ("src", "srcs"),
        ("src/*.py", "src/*.md"),
        ("src/*.py", "src/api/x.py"),
        ("src/*", "src/*/*"),
        ("a/**/b?", "a/**/c?"),
        ("?", "??"),
        ("*.md", "docs"),
        ("src/x*", "src/y"),
        ("src/**", "lib/**"),
        ("**/a/*", "*/b/?"),
        (".?", "?."),
        ("?.", ".*"),
        ("*.", ".?"),
        (".gi?", "?git"),
        (".?it", "*g*t"),
        ("x/?.", "*/.?"),
        (".G?t", "?Gi?"),
        (".?", "*."),
        (".[gG]it*", ".?it"),
    ],
)
def test_patterns_without_a_common_valid_path_are_disjoint(left: str, right: str) -> None:
    assert witness(*parsed(left, right)) is None
    assert witness(*parsed(right, left)) is None


@given(patterns, patterns)
@thorough
@example(parse_pattern("**"), parse_pattern("**"))
@example(parse_pattern("**/a/**/b"), parse_pattern("b/**/a/*"))
def test_a_witness_is_found_exactly_if_there_is_a_common_path(a: Pattern, b: Pattern) -> None:
    path = witness(a, b)
    if path is None:
        assert plain.find([a.text, b.text], [], NAMES) is None
    else:
        assert plain.is_valid(path)
        assert plain.means(a.text, path)
        assert plain.means(b.text, path)
    assert (witness(b, a) is None) == (path is None)


refused_like = st.lists(
    st.sampled_from([".", "g", "i", "t", "?", "?", "*", "G"]), min_size=1, max_size=5
).map("".join)
near_git = st.lists(st.sampled_from(["", "?", "*"]), min_size=4, max_size=4).map(
    lambda holes: "".join(hole or char for hole, char in zip(holes, ".git", strict=True))
)
NEAR_GIT = plain.names(".gitGx", 5)


@given(refused_like | near_git, refused_like | near_git)
@thorough
def test_a_witness_avoids_the_names_that_git_refuses_and_only_those(left: str, right: str) -> None:
    try:
        a, b = parsed(left, right)
    except MalformedScope:
        assume(False)
    path = witness(a, b)
    if path is None:
        assert plain.find([a.text, b.text], [], NEAR_GIT) is None
    else:
        assert plain.is_valid(path)
        assert plain.means(a.text, path)
        assert plain.means(b.text, path)


@given(st.lists(patterns, max_size=3), st.lists(patterns, max_size=3))
@thorough
def test_overlap_is_the_first_pair_that_meets(left: list[Pattern], right: list[Pattern]) -> None:
    pairs = [(a, b, witness(a, b)) for a in left for b in right]
    meeting = [Overlap(a, b, path) for a, b, path in pairs if path is not None]
    assert overlap(left, right) == (meeting[0] if meeting else None)


def many(count: int, form: str) -> str:
    """Distinct segments, so that nothing remembered about one helps with another."""
    return "/".join(
        form.replace("#", "a" * (26 - at // 16)).replace("$", chr(98 + at % 16))
        for at in range(count)
    )


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("**/" + "a/" * 480 + "*", "**/" + "a/" * 479 + "b/*"),
        ("**/" + many(30, "*#$") + "/*", "**/" + many(30, "#*$") + "/*"),
        (
            f"**/{many(14, '*#$')}/**/{many(14, '*#$')}/*",
            f"**/{many(14, '#*$')}/**/{many(14, '#*$')}/*",
        ),
        (
            "/".join(["*" + "ab" * 120 + "?*b"] * 4),
            "/".join(["*a" + "?b" * 5 + "a" * 220 + "*"] * 4),
        ),
        ("**/a/" * 31 + "b", "**/" + "a/" * 500 + "c"),
        ("*a" * 15 + "?*b", "a*" * 15 + "?a"),
    ],
)
def test_the_worst_pairs_within_the_bounds_take_bounded_work(left: str, right: str) -> None:
    a, b = parsed(left, right)
    assert lines_run(lambda: witness(a, b)) < 600_000
    assert lines_run(lambda: witness(b, a)) < 600_000


# --- containment ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lanes"),
    [
        ("src", ["src"]),
        ("src/api", ["docs", "src"]),
        ("src/*.py", ["src/**"]),
        ("src", ["src/**"]),
        ("src/**", ["src"]),
        ("**/x", ["**"]),
        ("src/api/*.py", ["src/**/*.py"]),
        ("**", ["*", "*/**/*"]),
        ("**", ["*/**"]),
        ("a*", ["a?*", "a"]),
        ("*", ["?", "??*"]),
        ("src", ["src/**/*", "src*"]),
        ("a/*/c", ["a/?/c", "a/??*/**"]),
        (".?", [".a", ".?"]),
        (".gi?", [".gi?"]),
        ("?*", ["*"]),
        (".*", [".?*"]),
        ("*.", ["?*."]),
        (".*.", [".?*."]),
        (".Git*", [".Git?*"]),
        ("x/.gi*", ["x/.gi", "x/.gi?*/**"]),
        ("**/a/**/b", ["**/a/**/b/**"]),
    ],
)
def test_what_the_lanes_contain_together_is_covered(text: str, lanes: list[str]) -> None:
    assert uncovered(parse_pattern(text), parsed(*lanes)) is None


@pytest.mark.parametrize(
    ("text", "lanes", "path"),
    [
        ("src", [], "src"),
        ("**", [], "x"),
        ("src", ["docs"], "src"),
        ("src", ["src/**/x"], "src"),
        ("src", ["src/*"], "src"),
        ("src", ["src/*", "src*"], "src/x/x"),
        ("src/*.py", ["src/*_test.py", "src/x.py"], "src/a.py"),
        ("*", ["x", "a", "?"], "bb"),
        ("**/*.py", ["src/**", "*.py"], "x/x.py"),
        ("src/**", ["src/**/*.py"], "src"),
        ("*", ["*x*"], "a"),
    ],
)
def test_a_path_outside_the_lanes_is_named(text: str, lanes: list[str], path: str) -> None:
    assert uncovered(parse_pattern(text), parsed(*lanes)) == path


@given(patterns, st.lists(patterns, max_size=4))
@thorough
@example(parse_pattern("**"), parsed("*", "*/*", "*/*/*/**"))
@example(parse_pattern("**"), parsed("a*/**", "?"))
def test_a_path_outside_the_lanes_is_found_exactly_if_there_is_one(
    one: Pattern, lanes: list[Pattern]
) -> None:
    path = uncovered(one, lanes)
    if path is None:
        assert plain.find([one.text], [lane.text for lane in lanes], NAMES) is None
    else:
        assert plain.is_valid(path)
        assert plain.means(one.text, path)
        assert not any(plain.means(lane.text, path) for lane in lanes)


@given(patterns, st.data())
@thorough
def test_splitting_a_pattern_into_parts_covers_it_unless_a_part_is_missing(
    one: Pattern, data: st.DataObject
) -> None:
    """Random lanes seldom contain anything, so here they are made to: '*' is '' or '?*'."""
    at = data.draw(st.integers(0, len(one.segments) - 1))
    segment = one.segments[at]
    if segment == "**":
        parts = [[], ["*"], ["*", "*", "**"]]
    elif "*" in segment:
        parts = [[segment.replace("*", part, 1)] for part in ("", "?", "??*")]
    else:
        assume(False)
    before, after = [*one.segments[:at]], [*one.segments[at + 1 :]]
    lanes = []
    for part in parts:
        try:
            lanes.append(parse_pattern("/".join([*before, *part, *after])))
        except MalformedScope:
            # The empty pattern, '.' or '..': no valid path lies there.
            continue
    assert uncovered(one, [*lanes, one]) is None
    leave_one_out: bool = data.draw(st.booleans())
    if lanes and leave_one_out:
        lanes.remove(data.draw(st.sampled_from(lanes)))
    path = uncovered(one, lanes)
    if path is None:
        assert plain.find([one.text], [lane.text for lane in lanes], NAMES) is None
    else:
        assert plain.means(one.text, path)
        assert not any(plain.means(lane.text, path) for lane in lanes)


@given(refused_like | near_git, st.lists(refused_like | near_git, max_size=4))
@thorough
@example("?.", [".?", "a."])
@example("*", ["?*x", "?", "??*"])
@example(".?", [".g", ".?"])
def test_names_that_git_refuses_are_not_missing_from_the_lanes(text: str, lanes: list[str]) -> None:
    try:
        one, others = parse_pattern(text), parsed(*lanes)
    except MalformedScope:
        assume(False)
    path = uncovered(one, others)
    if path is None:
        assert plain.find([one.text], [other.text for other in others], NEAR_GIT) is None
    else:
        assert plain.is_valid(path)
        assert plain.means(one.text, path)
        assert not any(plain.means(other.text, path) for other in others)


def test_a_path_outside_the_lanes_is_found_when_they_name_every_ordinary_letter() -> None:
    letters = "xabcdefghijklmnopqrstuvwyz0123456789_-"
    path = uncovered(parse_pattern("?"), parsed("[?]", *letters))
    assert path is not None
    assert not path.isascii()
    assert normalise_path(path, fold_case=True) == path


def too_intricate(one: Pattern, lanes: list[Pattern]) -> None:
    with pytest.raises(MalformedScope) as caught:
        uncovered(one, lanes)
    assert caught.value.values["scope"] == one.text
    assert caught.value.values["reason"] == "too intricate to compare with its lane"


def depth_classes(count: int) -> list[Pattern]:
    """Lanes that together remember of each of the last segments whether it is one character."""
    rest = "/".join(["*"] * count)
    shallow = ["/".join(["*"] * depth) for depth in range(1, count + 1)]
    return parsed(f"**/?/{rest}", f"**/??*/{rest}", *shallow)


def test_containment_is_refused_rather_than_guessed_when_it_takes_too_much_work() -> None:
    assert uncovered(parse_pattern("**"), depth_classes(3)) is None
    too_intricate(parse_pattern("**"), depth_classes(20))
    work = lines_run(lambda: too_intricate(parse_pattern("**"), depth_classes(20)))
    assert work < 20 * COVER_WORK_MAX
    assert uncovered(parse_pattern("**"), depth_classes(20)[1:]) is not None


def test_lanes_too_large_to_lay_out_are_refused_before_any_work() -> None:
    near = [f"**/{number:03}*" for number in range(250)]
    assert uncovered(parse_pattern("**/x*y"), parsed("**/x*", *near)) is None
    large = parsed("**/x*", *("/".join([one, "a" * 250, "b" * 250, "c" * 250]) for one in near))
    too_intricate(parse_pattern("**/x*y"), large)
    assert lines_run(lambda: too_intricate(parse_pattern("**/x*y"), large)) < 50_000


def test_lanes_that_name_every_character_are_refused_rather_than_guessed() -> None:
    every = [chr(code) for code in (*range(0x4E00, 0xA000), *range(0x30, 0x7B)) if code != 0x3F]
    every += ["-"]
    lanes = [
        stored_pattern("/".join("".join(every[at + i : at + i + 200]) for i in range(0, 1000, 200)))
        for at in range(0, len(every), 1000)
    ]
    too_intricate(parse_pattern("?"), [*lanes, *parsed("x", "**/x*")])


def test_many_lanes_are_compared_at_once() -> None:
    lanes = parsed(*(f"src/**/{number:03}*.py" for number in range(255)))
    assert uncovered(parse_pattern("src/**/000x*.py"), lanes) is None
    assert uncovered(parse_pattern("src/**/*.py"), [*lanes, *parsed("src/**/*.p*")]) is None
    assert uncovered(parse_pattern("src/**/0*.py"), lanes) == "src/0x.py"


# --- scopes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_texts", "kept"),
    [
        (["src"], ["src"]),
        (["src", "src/", "./src"], ["src"]),
        (["b", "a", "b"], ["b", "a"]),
        (["src/api", "docs", "src"], ["docs", "src"]),
        (["src", "docs", "src/api"], ["src", "docs"]),
        (["src", "src/**"], ["src"]),
        (["src/**", "src"], ["src/**"]),
        (["**", "a", "*"], ["**"]),
        (["a", "*", "**"], ["**"]),
        (["docs/*.md", "docs/**/*.md", "docs/a.md"], ["docs/**/*.md", "docs/a.md"]),
        (["src/*", "src/**/*"], ["src/**/*"]),
        (["a*", "*a", "a*a"], ["a*", "*a"]),
        (["src/a", "src/ab"], ["src/a", "src/ab"]),
        (["a?*", "a", "a*"], ["a", "a*"]),
    ],
)
def test_a_scope_keeps_its_order_and_drops_what_lies_inside_another_pattern(
    given_texts: list[str], kept: list[str]
) -> None:
    assert [one.text for one in parse_scope(given_texts)] == kept


@given(st.lists(texts, min_size=1, max_size=5))
@thorough
def test_a_scope_means_what_its_patterns_meant_and_none_twice(given_texts: list[str]) -> None:
    scope = parse_scope(given_texts)
    all_read = parsed(*given_texts)
    assert list(scope) == [one for one in dict.fromkeys(all_read) if one in scope]
    for one in all_read:
        assert any(uncovered(one, [other]) is None for other in scope)
    for one in scope:
        assert all(uncovered(one, [other]) is not None for other in scope if other != one)


def test_a_scope_of_no_pattern_and_of_too_many_is_refused() -> None:
    with pytest.raises(MalformedScope) as caught:
        parse_scope([])
    assert caught.value.values["reason"] == "it names no path"
    full = [f"src/{number}" for number in range(SCOPE_PATTERNS_MAX)]
    assert len(parse_scope(full)) == SCOPE_PATTERNS_MAX
    with pytest.raises(MalformedScope) as caught:
        parse_scope([*full, "src/x"])
    assert caught.value.values["scope"] == "257 patterns"
    assert caught.value.values["reason"] == "at most 256 make one scope"
    wild = [f"src/{number:02}*" for number in range(SCOPE_WILD_MAX)]
    assert len(parse_scope([*wild, "docs"])) == SCOPE_WILD_MAX + 1
    with pytest.raises(MalformedScope) as caught:
        parse_scope([*wild, "src/x*"])
    assert caught.value.values["reason"] == "at most 32 of a scope may have wildcards"


def test_one_malformed_pattern_refuses_its_scope() -> None:
    with pytest.raises(MalformedScope) as caught:
        parse_scope(["src", "../x"])
    assert caught.value.values["scope"] == "../x"


def test_a_text_is_not_taken_for_a_scope_of_its_characters() -> None:
    with pytest.raises(AssertionError):
        parse_scope("src")


def test_a_scope_that_is_too_intricate_to_reduce_is_kept_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(parse_scope(["**/a*", "**/*"])) == 1
    monkeypatch.setattr(cover, "COVER_WORK_MAX", 3)
    assert len(parse_scope(["**/a*", "**/*"])) == 2
    assert len(parse_scope(["src", "src/api", "src/*", "src"])) == 1


def test_a_full_scope_takes_bounded_work_even_if_nothing_is_literal() -> None:
    hostile = [f"**/*x{'x' * (number % 16)}*y/**/{'*z' * (number // 16)}?" for number in range(256)]
    assert lines_run(lambda: parse_scope(hostile)) < 20 * COVER_WORK_MAX


# --- the module itself ---------------------------------------------------------------------------


@pytest.mark.parametrize("module", [handrail.core.scope, pattern, match, meet, cover])
def test_the_examples_in_the_documentation_hold(module: object) -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = {name: getattr(handrail.core.scope, name) for name in handrail.core.scope.__all__}
    for found in finder.find(module, globs=vars(module) | names):
        assert doctest.DocTestRunner().run(found).failed == 0


def test_every_name_that_is_promised_is_there_and_no_other() -> None:
    for name in handrail.core.scope.__all__:
        assert getattr(handrail.core.scope, name) is not None
    with pytest.raises(AttributeError):
        handrail.core.scope.nothing  # noqa: B018


def test_matching_a_path_loads_nothing_heavy() -> None:
    source = Path(handrail.core.scope.__file__).parents[3]
    heavy = [
        *("typing", "re", "functools", "enum", "dataclasses", "inspect", "unicodedata"),
        *("handrail.errors", "handrail.core.scope.meet", "handrail.core.scope.cover"),
    ]
    program = (
        f"import sys; sys.path.insert(0, {str(source)!r}); import handrail.core; "
        "before = set(sys.modules); from handrail.core.scope import matches, stored_pattern; "
        "assert matches(stored_pattern('src/*.py'), 'src/x.py'); "
        f"print(sorted(set({heavy!r}) & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
