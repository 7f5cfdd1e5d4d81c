"""Handoffs of directives: every shape that carried them, read, entered and written again."""

from __future__ import annotations

import doctest
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import handrail.projections.directive
import handrail.projections.directive_carriers
import handrail.projections.directive_files
from handrail.core.task import BLOCK, OPEN, Packet
from handrail.projections.directive import (
    FIELDS,
    REQUIRED,
    ROLES,
    TRIGGERS,
    Handoff,
    path_fault,
    read_handoff,
    trigger_of,
    value_of,
)
from handrail.projections.directive_carriers import FOUND_MAX, read_carrier
from handrail.projections.directive_files import read_meta, read_task
from handrail.projections.directive_handoff import PROJECTION, as_draft, file_of
from handrail.projections.directive_rules import BEGIN, END, condition
from handrail.projections.directive_rules import PROJECTION as RULES
from handrail.projections.kept import rows_of
from handrail.projections.port import Known, Trigger

ROOT: Final = ".directive-cli/directives"
WORDS: Final = ("nav", "menu", "login", "search", "cache", "route", "form", "list")
MODULES: Final = (
    handrail.projections.directive,
    handrail.projections.directive_carriers,
    handrail.projections.directive_files,
)


@pytest.mark.parametrize("module", MODULES, ids=lambda one: one.__name__.rpartition(".")[2])
def test_the_examples_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


# --- a hundred of each shape ---------------------------------------------------------------------


def generated(seed: int) -> Handoff:
    """Return a handoff as somebody may have written it."""
    chance = random.Random(seed)
    giver, receiver = chance.sample(ROLES, 2)
    slug = "-".join(chance.sample(WORDS, 2))
    paths = [f"src/{word}.ts" for word in chance.sample(WORDS, chance.randint(0, 3))]
    ordinary = f"{giver}_to_{receiver}_handoff"
    return Handoff(
        from_role=giver,
        to_role=receiver,
        trigger=chance.choice((*TRIGGERS, ordinary, "role_switch_handoff")),
        session_id=f"{chance.getrandbits(32):08x}-7d0a-4a57-9a39-{chance.getrandbits(48):012x}",
        task_file=f"{seed % 20:02d}-{slug}.task.json" if receiver == "executor" else None,
        directive_branch=f"feat/{slug}",
        required_reading=chance.choice((None, "docs/guide.md", "a.md, b/c.md")),
        objective=chance.choice(("Open it", "Décide: may menu.ts be edited?", "a # b", "x: y")),
        blocking_rule=f"allowed_files excludes src/{slug}.ts",
        worktree_mode="known_dirty_allowlist" if paths else "clean_required",
        worktree_allowlist_paths=tuple(paths),
    )


def lines_of(one: Handoff, names: tuple[str, ...], absent: str) -> list[str]:
    """Write fields as lines."""
    value = {**value_of(one), "required_reading": one.required_reading}
    value["worktree_allowlist_paths"] = ", ".join(one.worktree_allowlist_paths) or None
    return [f"{name}: {value[name] if value[name] is not None else absent}" for name in names]


FIRST: Final = tuple(name for name in FIELDS if name[:9] not in ("directive", "worktree_"))
SECOND: Final = tuple(name for name in FIELDS if not name.startswith("worktree_"))


def chat(names: tuple[str, ...]) -> Callable[[Handoff], bytes]:
    """Return what writes a handoff into a chat with these fields."""

    def write(one: Handoff) -> bytes:
        lines = ["I stop.", "", "=== AUTO HANDOFF ===", *lines_of(one, names, "n/a"), "", "Bye."]
        return "\n".join(lines).encode()

    return write


def head(one: Handoff) -> bytes:
    """Write a handoff as the head of a document, as the usual writer of YAML does."""
    said = yaml.safe_dump(
        {"handoff": value_of(one)}, sort_keys=False, allow_unicode=True, width=9999
    )
    return f"---\n{said}---\n# Handoff\n".encode()


def fourth(one: Handoff) -> bytes:
    """Write a handoff as a file of the fourth era."""
    return (json.dumps({"handoff": value_of(one)}, indent=2) + "\n").encode()


def fifth(one: Handoff) -> bytes:
    """Write a handoff as a file of the fifth era: fewer fields, and a text for nothing."""
    value = value_of(one)
    kept = ("from_role", "to_role", "session_id", "directive_branch", "objective")
    return json.dumps(
        {"handoff": {name: value[name] for name in kept} | {"task_file": one.task_file or "null"}}
    ).encode()


SHAPES: Final[Mapping[str, tuple[Callable[[Handoff], bytes], str, tuple[str, ...]]]] = {
    "era 1": (chat(FIRST), "chat.txt", FIRST),
    "era 2": (chat(SECOND), "chat.txt", SECOND),
    "era 3": (chat(FIELDS), "chat.txt", FIELDS),
    "front matter": (head, "HANDOFF.md", FIELDS),
    "era 4": (fourth, "nav.handoff.json", FIELDS),
    "era 5": (
        fifth,
        "nav.handoff.json",
        ("from_role", "to_role", "session_id", "directive_branch", "objective", "task_file"),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hundred_of_each_shape_are_entered_and_come_out_as_they_were(shape: str) -> None:
    write, name, names = SHAPES[shape]
    for seed in range(100):
        wanted = generated(seed)
        content = write(wanted)
        (found,) = read_carrier(content, name).found
        handoff, told = read_handoff(found.value, "handoff")
        for field in names:
            assert getattr(handoff, field) == getattr(wanted, field), (shape, seed, field)
        missing = {one.place for one in told if one.code == "missing_field"}
        assert missing == {f"handoff.{field}" for field in REQUIRED if field not in names}
        path = f"{ROOT}/26-02-11_nav/{name}"
        read = PROJECTION.read(Known(5, path=path), content, importing=True)
        (row,) = read.rows
        assert json.loads(row.record)["handoff"] == value_of(handoff)
        again = read_handoff(json.loads(row.record)["handoff"], "handoff")[0]
        assert again == handoff
        if name.endswith(".json"):
            known = Known(5, path=path, rows=rows_of(read.rows))
            assert PROJECTION.render(known, None) == content


def test_a_hundred_packets_are_shown_as_the_handoffs_that_they_are() -> None:
    for seed in range(100):
        wanted = generated(seed)
        draft = as_draft(wanted)
        folder = f"{ROOT}/26-02-11_{seed}"
        said = {**draft["directive"], "folder": folder, "slug": "nav"}
        if wanted.task_file:
            said["task_file"] = f"{folder}/{wanted.task_file}"
        content = {**draft, "directive": said}
        packet = Packet(
            *("t", 1, BLOCK, OPEN, "s", "a", wanted.from_role, wanted.to_role, (), (), 0, 0, 0, 7),
            *("", None, None, None),
        )
        path = "/".join(file_of(content) or ())
        known = Known(9, path=path, packets=((packet, content),))
        shown = PROJECTION.render(known, None)
        assert shown is not None
        assert read_handoff(json.loads(shown)["handoff"], "handoff")[0] == wanted, seed
        folder_of = PROJECTION.spread
        assert folder_of is not None
        assert folder_of.written(known._replace(path=ROOT)) == (
            f"26-02-11_{seed}/nav.handoff.json",
        )


def test_a_handoff_between_phases_is_history_and_nothing_else() -> None:
    inner = {"from_phase": "architect-discovery", "to_phase": "architect-authoring"}
    value = {"kind": "runbook_architect_handoff", "handoff": {**inner, "objective": "Write"}}
    content = json.dumps(value).encode()
    path = f"{ROOT}/a/nav.architect.handoff.json"
    read = PROJECTION.read(Known(5, path=path), content, importing=True)
    assert read.told == ()
    assert PROJECTION.render(Known(5, path=path, rows=rows_of(read.rows)), None) == content
    other = PROJECTION.read(Known(5, path=f"{ROOT}/a/nav.handoff.json"), content, importing=True)
    assert [one.code for one in other.told] == ["file_name"]


# --- bad input -----------------------------------------------------------------------------------

GOOD: Final = generated(3)


def told_of(**changes: Any) -> set[tuple[str, str]]:
    """Return what is told of a handoff with some fields otherwise: place and code."""
    value = {**value_of(GOOD), "required_reading": "a.md", **changes}
    gone = [name for name, one in changes.items() if one is ...]
    for name in gone:
        del value[name]
    return {(one.place.removeprefix("h."), one.code) for one in read_handoff(value, "h")[1]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, set()),
        ({"objective": ...}, {("objective", "missing_field")}),
        ({"objective": None}, {("objective", "missing_field")}),
        ({"objective": 7}, {("objective", "wrong_type")}),
        ({"mood": "good"}, {("mood", "unknown_field")}),
        ({"task_file": "null"}, {("task_file", "absent")}),
        ({"task_file": "N/A"}, {("task_file", "absent")}),
        ({"task_file": "/home/a/02.task.json"}, {("task_file", "no_path")}),
        ({"task_file": "../02.task.json"}, {("task_file", "no_path")}),
        ({"from_role": "test-runner"}, {("from_role", "role_unknown")}),
        ({"from_role": "Auditor"}, {("from_role", "role_alias")}),
        ({"trigger": "pair_out"}, {("trigger", "directive_trigger_unknown")}),
        ({"trigger": "architect_scope_approved"}, set()),
        ({"worktree_mode": "dirty"}, {("worktree_mode", "worktree_mode_unknown")}),
        ({"worktree_allowlist_paths": 7}, {("worktree_allowlist_paths", "wrong_type")}),
        (
            {
                "worktree_mode": "known_dirty_allowlist",
                "worktree_allowlist_paths": ["src/a.mjs (allow pre-existing dirty context)"],
            },
            {("worktree_allowlist_paths[0]", "no_path"), ("worktree_allowlist_paths", "no_paths")},
        ),
        (
            {"worktree_mode": "clean_required", "worktree_allowlist_paths": ["a"]},
            {("worktree_allowlist_paths", "paths_beside_clean")},
        ),
        (
            {"from_role": "pair", "to_role": "pair", "trigger": "pair_out_of_scope"},
            {("to_role", "same_role")},
        ),
        (
            {"from_role": "architect", "to_role": "executor", "task_file": None},
            {("task_file", "missing_field")},
        ),
    ],
)
def test_what_is_odd_is_told_with_its_place(
    changes: dict[str, Any], told: set[tuple[str, str]]
) -> None:
    changes = {"from_role": "pair", "to_role": "architect", "task_file": None, **changes}
    paths = {"worktree_mode": "clean_required", "worktree_allowlist_paths": []}
    assert told_of(**{**paths, **changes}) == told


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("src/a.ts", ""),
        ("src/(group)/page.ts", ""),
        ("a b.txt", ""),
        ("/etc/passwd", "it is absolute"),
        ("~/a", "it is absolute"),
        ("C:/a", "it is absolute"),
        ("a/../b", "it leads out, or has a part that names nothing"),
        ("a\\b", "it leads out, or has a part that names nothing"),
        ("a//b", "it leads out, or has a part that names nothing"),
        ("a.mjs (allowed)", "there is prose in it"),
        (" a", "it is empty, too long, or has blanks around it"),
        ("a\nb", "it is empty, too long, or has blanks around it"),
        ("a" * 1_001, "it is empty, too long, or has blanks around it"),
    ],
)
def test_a_path_is_a_path_and_nothing_else(path: str, fault: str) -> None:
    assert path_fault(path) == fault


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("---\nhandoff:\n  a: b\n", "unreadable_front_matter"),
        ("---\nhandoff: {a: b}\n---\n", "unreadable_front_matter"),
        ("---\nhandoff: text\n---\n", "unreadable_front_matter"),
        ("---\nhandoff:\n\ta: b\n---\n", "unreadable_front_matter"),
        ("---\nhandoff:\n  a: 'b\n---\n", "unreadable_front_matter"),
        ("---\nhandoff:\n  a: *other\n---\n", "unreadable_front_matter"),
        ("---\nhandoff:\n  a: b\n  a: c\n---\n", "unreadable_front_matter"),
        ("---\nhandoff:\n  a: b\n   c: d\n---\n", "unreadable_front_matter"),
        ("=== AUTO HANDOFF ===\n\nnothing\n", "unreadable_handoff"),
        ("=== AUTO HANDOFF ===\na: b\na: c\n", "field_twice"),
        (f"=== AUTO HANDOFF ===\na: {'b' * 9_000}\n", "too_long"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_rest_is_read_on(text: str, code: str) -> None:
    more = "\n\n=== AUTO HANDOFF ===\nto_role: pair\n"
    carried = read_carrier((text + more).encode(), "HANDOFF.md")
    assert code in {one.code for one in carried.told}
    assert carried.found[-1].value == {"to_role": "pair"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"handoff": []}',
        b'{"handoff": ' + b"[" * 100_000,
        b'{"handoff": {"a": 1e999}}',
        b"\xff\xfe",
        b'{"handoff": {"a": "' + b"x" * (5 << 20) + b'"}}',
    ],
)
def test_hostile_json_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_carrier(content, "a.handoff.json")
    for read in (read_meta, read_task):
        with pytest.raises(ValueError, match=r"."):
            read("a", content)


def test_a_name_that_stands_twice_and_too_much_of_it_are_told() -> None:
    carried = read_carrier(b'{"handoff": {"a": "b", "a": "c"}}', "a.handoff.json")
    assert [one.code for one in carried.told] == ["duplicate_field"]
    many = b"=== AUTO HANDOFF ===\na: b\n\n" * (FOUND_MAX + 1)
    with pytest.raises(ValueError, match="more than"):
        read_carrier(many, "chat.txt")
    with pytest.raises(ValueError, match="more than"):
        read_carrier(b"x" * ((2 << 20) + 1), "chat.txt")


@given(st.binary(max_size=300), st.sampled_from(("HANDOFF.md", "a.json", "chat.txt")))
def test_whatever_stands_in_a_file_is_read_or_refused(content: bytes, name: str) -> None:
    try:
        carried = read_carrier(content, name)
    except ValueError as error:
        assert str(error)
        return
    for one in carried.found:
        if isinstance(one.value, dict):
            read_handoff(one.value, one.place)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from((*FIELDS, "else")), values))
def test_a_handoff_of_any_values_is_read_without_losing_one(value: dict[str, Any]) -> None:
    found, told = read_handoff(value, "handoff")
    places = {one.place for one in told}
    for name, one in value.items():
        if name == "else":
            assert found.more == {"else": one}
        elif isinstance(one, dict | int | bool):
            assert any(place.startswith(f"handoff.{name}") for place in places)


def test_an_unknown_trigger_is_none_of_the_matrix_and_no_ordinary_one() -> None:
    assert [trigger_of(name) for name in TRIGGERS] == list(TRIGGERS)
    for name in ("x_to_y_handoff", "architect_to_executor", "_to__handoff", "handoff", ""):
        assert trigger_of(name) is None, name


# --- metadata and tasks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "allowed", "code"),
    [
        ({"path": "src/a.ts", "access": "write"}, ("src/a.ts",), None),
        ({"path": "src/a.ts", "access": "edit"}, ("src/a.ts",), None),
        ({"path": "src/**/*.ts", "access": "write"}, ("src/**/*.ts",), None),
        ({"path": "src/a.ts", "access": "read"}, (), None),
        ({"path": "src/a.ts", "access": "readonly"}, (), None),
        ({"path": "src/a.ts"}, (), "access_unknown"),
        ({"path": "src/a.ts", "access": "all"}, (), "access_unknown"),
        ({"path": "src/a.ts", "access": ["write"]}, (), "access_unknown"),
        ({"path": "src/", "access": "write"}, (), "is_folder"),
        ({"path": "a.mjs (dirty)", "access": "write"}, (), "no_path"),
        ({"path": "/etc", "access": "write"}, (), "no_path"),
        ({"path": "../a", "access": "write"}, (), "no_path"),
        ({"path": ".git/config", "access": "write"}, (), "no_path"),
        ({"path": "", "access": "write"}, (), "no_path"),
        ({"access": "write"}, (), "wrong_type"),
        ("src/a.ts", (), "wrong_type"),
        (None, (), "wrong_type"),
    ],
)
def test_a_task_allows_what_says_write_and_is_a_path(
    entry: Any, allowed: tuple[str, ...], code: str | None
) -> None:
    content = json.dumps({"meta": {}, "task": {"allowed_files": [entry]}}).encode()
    task, told = read_task("a.task.json", content)
    assert task.allowed == allowed
    assert [one.code for one in told] == ([] if code is None else [code])


def test_a_task_that_allows_too_much_allows_the_first_of_it() -> None:
    entries = [{"path": f"src/{n}.ts", "access": "write"} for n in range(300)]
    content = json.dumps({"task": {"allowed_files": entries}}).encode()
    task, told = read_task("a.task.json", content)
    assert (len(task.allowed), [one.code for one in told]) == (256, ["too_many"])


@pytest.mark.parametrize(
    ("priority", "status", "ultra"),
    [
        ("ultra", "in_progress", True),
        ("ultra", "done", True),
        ("ULTRA", "todo", True),
        ("ultra", "archived", False),
        ("high", "todo", False),
        ("ultra!", "todo", False),
    ],
)
def test_ultra_counts_unless_it_is_archived(priority: str, status: str, ultra: bool) -> None:
    content = json.dumps({"meta": {"session_priority": priority, "status": status}}).encode()
    assert read_meta("a.meta.json", content)[0].ultra is ultra


# --- the rules -----------------------------------------------------------------------------------


def test_nothing_in_a_configuration_can_end_the_part_of_the_rules() -> None:
    evil = f"a`|{END}\n# x"
    rows = (Trigger(evil, evil, evil, {"event": "blocked", "rule": evil}),)
    text = RULES.render(Known(0, triggers=rows), None)
    assert text is not None
    lines = text.decode().splitlines()
    assert [line for line in lines if line.startswith("<!--")] == [BEGIN, END]
    assert RULES.render(Known(0, triggers=rows), text) == text
    assert [line for line in lines if line.startswith("# ")] == ["# Role handoff automation"]


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ({"event": "edit_refused", "codes": ()}, "an edit is refused with any code"),
        ({"event": "edit_refused", "codes": ("a",), "times": 3}, "an edit is refused with `a`, 3"),
        ({"event": "gate_failed", "gate": "pushed"}, "a gate fails: `pushed`"),
        ({"event": "phase_done", "phase": "plan"}, "a phase is done: `plan`"),
        ({"event": "revise_limit", "checkpoint": "c"}, "revised as often as may be: `c`"),
        (
            {"event": "document", "glob": "*.json", "field": "a.b", "equals": True},
            "in a document `*.json` `a.b` is `true`",
        ),
    ],
)
def test_each_event_is_said_in_words(when: dict[str, Any], words: str) -> None:
    assert condition(when).startswith(words)


def test_what_people_write_around_the_rules_is_kept(tmp_path: Path) -> None:
    text = RULES.render(Known(0), b"# Ours\r\n\r\nFirst.\r\n")
    assert text is not None
    assert text.startswith(b"# Ours\r\n\r\nFirst.\r\n" + BEGIN.encode() + b"\r\n")
    read = RULES.read(Known(0), text, importing=False)
    assert read.told == ()
    again = RULES.render(Known(0, rows=rows_of(read.rows)), None)
    assert again is not None
    assert b"First." in again
    changed = text.replace(b"## Sender", b"## Nobody")
    assert [one.code for one in RULES.read(Known(0), changed, importing=False).told] == [
        "tool_part"
    ]
    broken = text.replace(END.encode(), b"")
    assert [one.code for one in RULES.read(Known(0), broken, importing=False).told] == [
        "broken_part"
    ]
