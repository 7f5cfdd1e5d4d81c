"""CODEOWNERS from and to lanes: what the documentation says, and by property what no table has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handrail.config.kinds import NAME_PATTERN
from handrail.config.vocabulary import RESERVED_ROLES
from handrail.core.codeowners import lanes as making
from handrail.core.codeowners.lanes import lanes_of, role_names
from handrail.core.codeowners.read import OWNERS_MAX, RULES_MAX, read_codeowners
from handrail.core.codeowners.write import PATTERNS_MAX, Written, write_lines
from handrail.core.scope import matches, parse_pattern
from handrail.errors.landing import MalformedOwners
from tests.core.codeowners_matcher import expression, owners_of

# Pattern, paths that it means, paths that it does not: the examples of the documentation first.
DOCUMENTED: Final = (
    ("*", "a", "a/b.c", None),
    ("*.js", "a.js", "src/b.js", "a.jsx"),
    ("/build/logs/", "build/logs/a", "build/logs/a/b", "src/build/logs/a"),
    ("docs/*", "docs/getting-started.md", None, "docs/build-app/troubleshooting.md"),
    ("apps/", "apps/a", "src/apps/a/b", "myapps/a"),
    ("/docs/", "docs/a", "docs/a/b", "src/docs/a"),
    ("**/logs", "logs/a", "deeply/nested/logs/a", "logsx/a"),
    ("/apps/github", "apps/github", "apps/github/a", "apps/githubx"),
    ("/scripts/*.sh", "scripts/a.sh", None, "scripts/b/a.sh"),
    ("/src/**/test.py", "src/test.py", "src/a/b/test.py", "test.py"),
    ("src/**", "src/a", "src/a/b", "lib/src/a"),
    ("/file\\ name.txt", "file name.txt", None, "file"),
    ("lib/**.c", "lib/a.c", None, "lib/a/b.c"),
    ("x?/", "xy/a", "a/xy/b/c", "xyz/a"),
    ("/*", "a", None, "a/b"),
    ("/*/", "a/b", "a/b/c", "a"),
)


@pytest.mark.parametrize(("pattern", "one", "other", "not_meant"), DOCUMENTED)
def test_a_pattern_means_what_the_documentation_says(
    pattern: str, one: str, other: str | None, not_meant: str | None
) -> None:
    (rule,) = read_codeowners(f"{pattern} @x\n").rules
    lane = [parse_pattern(text) for text in rule.patterns]
    for path in filter(None, (one, other)):
        assert any(matches(part, path) for part in lane), path
        assert expression(pattern.replace("**.c", "*.c")).fullmatch(path), path
    if not_meant is not None:
        assert not any(matches(part, not_meant) for part in lane)
        assert not expression(pattern.replace("**.c", "*.c")).fullmatch(not_meant)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("!docs/a @x", "lanes know no negation"),
        ("[ab].c @x", "a host skips the line"),
        ("\\#a @x", "GitHub knows no '#'"),
        ("a\\*b @x", "backslash"),
        ("/ @x", "no path"),
        ("//a @x", "no path"),
        ("a/**/ @x", "folders only"),
        ("../a @x", "'..'"),
        (".git/ @x", "git"),
        ("a someone", "someone is no owner"),
        ("a @x @", "@ is no owner"),
        ("a " + "@x" * 3, "is no owner"),
        ("a " + " ".join(f"@x{n}" for n in range(OWNERS_MAX + 1)), "owners"),
        ("a" * 300 + " @x", "255"),
    ],
)
def test_a_line_that_cannot_be_translated_is_named_with_its_reason(line: str, reason: str) -> None:
    read = read_codeowners(f"# first\n\n{line}\n/b @y\n")
    (fault,) = read.untranslated
    assert (fault.line, fault.text) == (3, line.strip())
    assert reason in fault.reason
    assert [rule.line for rule in read.rules] == [4]


def test_comments_blanks_and_line_ends_are_none_of_the_rules() -> None:
    text = "\ufeff# a\r\n \t\r\n/a\\ b\t@x  @y # @z\r\n/c#d @x\r\n/e\r\n"
    rules = read_codeowners(text.removeprefix("\ufeff")).rules
    assert [(rule.patterns, rule.owners) for rule in rules] == [
        (("a b",), ("@x", "@y")),
        (("c#d",), ("@x",)),
        (("e",), ()),
    ]


def test_sections_have_default_owners_and_a_last_line_of_their_own() -> None:
    text = """* @all
[Docs][2] @writers @acme/a/editors
docs/
docs/api/ @api not-an-owner
^[Optional]
\\#odd @x
docs/sub @x
[docs]
README.md"""
    read = read_codeowners(text)
    assert read.gitlab
    assert not read.untranslated
    assert read.notes == ((5, "is optional there; a lane binds like any other"),)
    told = [(rule.patterns, rule.owners, rule.section) for rule in read.rules]
    assert told == [
        (("**",), ("@all",), ""),
        (("**/docs",), ("@writers", "@acme/a/editors"), "docs"),
        (("**/docs/api",), ("@api",), "docs"),
        (("**/#odd",), ("@x",), "optional"),
        (("**/docs/sub",), ("@x",), "optional"),
        (("**/README.md",), (), "docs"),
    ]
    imported = lanes_of(read.rules)
    # Within a section the later line takes away, over sections nothing does.
    assert [(row.line, row.by) for row in imported.differences] == [(3, 4), (4, 9)]


def test_a_file_of_too_many_rules_is_refused() -> None:
    lines = [f"/f{number} @x" for number in range(RULES_MAX)]
    assert len(read_codeowners("\n".join(lines)).rules) == RULES_MAX
    with pytest.raises(MalformedOwners, match="more than"):
        read_codeowners("\n".join([*lines, "/g @x"]), file="X")


def test_what_later_lines_take_away_is_named_and_what_they_take_whole_is_left_out() -> None:
    text = "/a/ @one\n/b/ @two\n/a/ @three\n/b/x @three\n/b/y\n"
    imported = lanes_of(read_codeowners(text).rules)
    assert imported.dead == (1,)
    assert [(lane.role, lane.patterns, lane.lines) for lane in imported.lanes] == [
        ("two", ("b",), (2,)),
        ("three", ("a", "b/x"), (3, 4)),
    ]
    (difference,) = imported.differences
    assert difference == making.Difference(2, ("two",), 4, ("three",), 2, "b/x")


def test_a_lane_that_would_be_too_large_names_its_lines() -> None:
    text = "".join(f"*.e{number} @x\n" for number in range(40)) + "/a @y\n"
    imported = lanes_of(read_codeowners(text).rules)
    assert [lane.role for lane in imported.lanes] == ["y"]
    assert [row.line for row in imported.untranslated] == list(range(1, 41))
    assert "too large" in imported.untranslated[0].reason


def test_too_many_lines_to_compare_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = read_codeowners("/a @x\n/a/b @y\n").rules
    assert lanes_of(rules).compared
    monkeypatch.setattr(making, "PAIRS_MAX", 1)
    assert not lanes_of(rules).compared
    assert [lane.patterns for lane in lanes_of(rules).lanes] == [("a",), ("a/b",)]


def test_no_two_owners_share_a_role_and_every_other_name_is_told() -> None:
    owners = ["@acme/docs", "@docs", "docs@example.org", "@other/docs", "@any", "@@maintainer"]
    names, renamed = role_names(owners)
    assert list(names.values()) == [
        *("docs", "docs-2", "docs-example.org", "other-docs"),
        *("any-2", "maintainer"),
    ]
    assert [row.owner for row in renamed] == owners[1:5]


@given(st.lists(st.from_regex(r"@[\w.-]{1,80}(/[\w.-]{1,80})?", fullmatch=True), unique=True))
def test_every_owner_gets_a_name_that_a_configuration_takes(owners: list[str]) -> None:
    import re

    names, _ = role_names(owners)
    assert list(names) == owners
    assert len(set(names.values())) == len(owners)
    assert all(re.fullmatch(NAME_PATTERN, name) for name in names.values())
    assert not set(names.values()) & set(RESERVED_ROLES)


# ------------------------------------------------------------------------------- by property

FOLDERS: Final = ("a", "b", "ab")
FILES: Final = ("x", "y.js", "b.js")
PATHS: Final = tuple(
    "/".join(parts)
    for parts in (
        *((file,) for file in FILES),
        *((one, file) for one in FOLDERS for file in FILES),
        *((one, two, file) for one in FOLDERS for two in FOLDERS for file in FILES),
    )
)
MIDDLE: Final = st.sampled_from((*FOLDERS, *FOLDERS, "*", "a*", "?", "**"))
LAST: Final = st.sampled_from((*FOLDERS, *FILES, "*", "*.js", "?", "**"))
ROLES: Final = ("one", "two", "three")


@st.composite
def owner_patterns(draw: st.DrawFn) -> str:
    parts = [*draw(st.lists(MIDDLE, max_size=2)), draw(LAST)]
    text = ("/" if draw(st.booleans()) else "") + "/".join(parts)
    # A slash behind the name of a file means a folder of that name, and there is none.
    ends = parts[-1] not in (*FILES, "**") and draw(st.booleans())
    return text + ("/" if ends else "")


OWNER_LINES: Final = st.lists(
    st.tuples(owner_patterns(), st.lists(st.sampled_from(ROLES), unique=True, max_size=2)),
    min_size=1,
    max_size=6,
)


def roles_by_lanes(lanes: Sequence[tuple[str, Sequence[str]]], path: str) -> set[str]:
    return {
        role for role, lane in lanes if any(matches(parse_pattern(text), path) for text in lane)
    }


@given(OWNER_LINES)
@example([("x", ["one"]), ("?/**/**", [])])
@example([("x", []), ("*/**/**", ["one"])])
def test_an_import_gives_everybody_what_is_theirs_and_names_what_else_it_gives(
    rows: list[tuple[str, list[str]]],
) -> None:
    lines = [" ".join([pattern, *("@" + role for role in roles)]) for pattern, roles in rows]
    read = read_codeowners("\n".join(lines))
    assert not read.untranslated
    imported = lanes_of(read.rules)
    lanes = [(lane.role, lane.patterns) for lane in imported.lanes]
    kept = {(row.line, role) for row in imported.differences for role in row.roles}
    for path in PATHS:
        owners = {owner.removeprefix("@") for owner in owners_of(lines, path) or ()}
        have = roles_by_lanes(lanes, path)
        assert owners <= have, path
        for role in have - owners:
            assert any(role == other for _, other in kept), (path, role)
    for row in imported.differences:
        if row.witness.split("/")[-1] in FOLDERS:
            continue  # as a file, which no pattern that ends in a slash means
        assert set(row.to) == {owner[1:] for owner in owners_of(lines[: row.by], row.witness) or ()}


@st.composite
def lane_patterns(draw: st.DrawFn) -> str:
    parts = [*draw(st.lists(MIDDLE, max_size=2)), draw(LAST)]
    return parse_pattern("/".join(parts)).text


LANES: Final = st.lists(
    st.tuples(st.sampled_from(ROLES), st.lists(lane_patterns(), max_size=4)),
    unique_by=lambda pair: pair[0],
    min_size=1,
)


def written(lanes: Sequence[tuple[str, Sequence[str]]]) -> Written:
    return write_lines(lanes, {}, lambda path: path.split("/")[-1] in FOLDERS)


@given(LANES)
def test_an_export_names_for_each_path_the_roles_whose_lane_has_it(
    lanes: list[tuple[str, list[str]]],
) -> None:
    file = written(lanes)
    assert not file.unwritten
    left_out = {role for row in file.shared for role in row.missing}
    for path in PATHS:
        owners = {owner.removeprefix("@") for owner in owners_of(file.lines, path) or ()}
        have = roles_by_lanes(lanes, path)
        assert owners <= have, path
        assert have - owners <= left_out, path


@given(LANES)
def test_where_an_export_names_too_few_it_says_so_by_a_path_of_which_that_is_true(
    lanes: list[tuple[str, list[str]]],
) -> None:
    for row in written(lanes).shared:
        have = roles_by_lanes(lanes, row.witness)
        assert set(row.missing) <= have
        assert set(row.named) <= have
        assert not set(row.named) & set(row.missing)


@given(LANES)
def test_lanes_that_do_not_meet_come_back_as_they_were(
    lanes: list[tuple[str, list[str]]],
) -> None:
    file = written(lanes)
    if file.shared:
        return
    again = lanes_of(read_codeowners("\n".join(file.lines)).rules)
    back = [(lane.role, lane.patterns) for lane in again.lanes]
    for path in PATHS:
        assert roles_by_lanes(lanes, path) <= roles_by_lanes(back, path)
        owners = {owner.removeprefix("@") for owner in owners_of(file.lines, path) or ()}
        assert owners == roles_by_lanes(lanes, path)


def test_lines_are_spelled_as_a_forge_reads_them() -> None:
    lanes = [("docs", ["docs", "a b/c.md", "*.md", "**"]), ("web", ["src/*/**", "**/x", "#1"])]
    file = write_lines(lanes, {"web": "@acme/web"}, lambda path: path == "docs")
    assert file.lines == (
        "* @docs",
        "/docs/ @docs",
        "/a\\ b/c.md @docs",
        "/*.md @docs",
        "/src/* @docs @acme/web",
        "/src/*/ @docs @acme/web",
        "/**/x @docs @acme/web",
        "/#1 @docs @acme/web",
        "/docs/**/x @docs @acme/web",
        "/a\\ b/c.md/**/x @docs @acme/web",
    )


def test_what_no_line_can_say_is_named_and_not_approximated() -> None:
    file = written([("one", ["a[1].c", "a #b", "c"])])
    assert [(row.pattern, row.reason) for row in file.unwritten] == [
        ("a[1].c", "CODEOWNERS has no way to write it"),
        ("a #b", "CODEOWNERS has no way to write it"),
    ]
    assert file.lines == ("/c @one",)


def test_a_file_has_a_bound() -> None:
    lanes = [(f"r{half}", [f"{half}/f{number}" for number in range(501)]) for half in "ab"]
    file = write_lines(lanes, {}, lambda path: False)
    assert len(file.lines) == PATTERNS_MAX
    assert len(file.unwritten) == 2


def test_a_line_that_decides_nothing_takes_nothing_away() -> None:
    rules = read_codeowners("/a/ @one\n/a/b @two\n/a/b @three\n").rules
    (difference,) = lanes_of(rules).differences
    assert (difference.line, difference.by, difference.lines) == (1, 3, 1)
