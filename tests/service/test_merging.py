"""What is merged into files of others: settings of Claude Code, the block of AGENTS.md."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.service.install import guidance, settings

OTHERS: Final = [
    '{"a": 1}\n',
    '{\n  "permissions": {"deny": ["Edit(x)"]},\n  "model": "m"\n}\n',
    '{\n\t"hooks": {\n\t\t"PreToolUse": [\n\t\t\t{"hooks": [{"command": "lint"}]}\n\t\t]\n\t}\n}',
    '{\r\n    "hooks": {\r\n        "Stop": [{"hooks": []}]\r\n    },\r\n    "z": "é"\r\n}\r\n',
    '{"hooks":{"PreToolUse":[{"hooks":[{"type":"command","command":"x"}]}],"Other":[]},"x":[{},[]]}',
    '  {\n\n  "a":{},"b" :\n[ ] , "\\u0061b": "}{]["\n}\n\n\n',
    '{"PreToolUse": 1, "hooks": {"Custom": [{"matcher": "*"}]}}',
]
WRONG: Final = [
    '{ // why\n "a": 1}',
    '{"a": 1,}',
    "[]",
    '"x"',
    "nonsense",
    "\ufeff{}",
    '{"hooks": []}',
    '{"hooks": {"PreToolUse": {}}}',
    '{"hooks": "x"}',
    "[" * 100_000,
    '{"a": ' * 2_000 + "1" + "}" * 2_000,
    "{}{}",
]


def ours(text: str) -> dict[str, list[Any]]:
    """Return our handlers by event, with the matcher of their group."""
    found: dict[str, list[Any]] = {}
    for event, groups in json.loads(text).get("hooks", {}).items():
        for group in groups:
            for handler in group.get("hooks", []):
                if handler["command"] == settings.COMMAND:
                    found.setdefault(event, []).append((group.get("matcher"), handler))
    return found


def others(value: Any) -> Any:
    """Return settings without what is ours and what is empty without it."""
    hooks: dict[str, list[Any]] = {}
    for event, groups in value.get("hooks", {}).items():
        for group in groups:
            left = [each for each in group.get("hooks", []) if not is_ours(each)]
            if left:
                hooks.setdefault(event, []).append({**group, "hooks": left})
    return {**{key: each for key, each in value.items() if key != "hooks"}, "hooks": hooks}


def is_ours(handler: Any) -> bool:
    return bool(handler.get("command") == settings.COMMAND)


SECONDS: Final = {
    "SessionStart": 60,
    **dict.fromkeys(("Stop", "SubagentStop", "PreCompact"), 30),
    "TaskCompleted": 600,
}


@pytest.mark.parametrize("text", ["", " \n", "{}", "{ }\n", *OTHERS])
@pytest.mark.parametrize("mode", ["shadow", "warn", "enforce"])
def test_every_event_has_our_entry_once_for_all_tools(text: str, mode: str) -> None:
    merged = settings.merged(text, mode)
    assert set(ours(merged)) == {event for event, _, _ in settings.EVENTS}
    for event, entries in ours(merged).items():
        [(matcher, handler)] = entries
        assert matcher == ("*" if "ToolUse" in event else None)
        assert handler["type"] == "command"
        assert handler["timeout"] == SECONDS.get(event, 10)
        blocks = event == "PreToolUse" and mode == "enforce"
        assert handler.get("onFailure") == ("block" if blocks else None)
    assert settings.merged(merged, mode) == merged


@pytest.mark.parametrize("text", OTHERS)
def test_merging_and_taking_out_leaves_the_bytes_of_others(text: str) -> None:
    merged = settings.merged(text, "enforce")
    assert settings.without(merged) == text
    assert others(json.loads(merged)) == others(json.loads(text))
    assert settings.without(text) == text


@pytest.mark.parametrize("text", ["", "\n", "{}", "{}\n"])
def test_what_was_only_ours_is_nothing_in_the_end(text: str) -> None:
    assert settings.without(settings.merged(text, "warn")) == ""
    assert settings.without(text) == text


def test_another_mode_changes_only_our_entry() -> None:
    for text in OTHERS:
        warning = settings.merged(text, "warn")
        enforcing = settings.merged(warning, "enforce")
        assert ours(enforcing)["PreToolUse"][0][1]["onFailure"] == "block"
        assert settings.merged(enforcing, "warn").count("onFailure") == 0
        assert settings.without(enforcing) == text


def test_our_entry_in_another_shape_is_brought_into_this_one() -> None:
    entry = {"type": "command", "command": settings.COMMAND, "timeout": 3}
    beside = {"type": "command", "command": "lint"}
    group = {"matcher": "Edit", "hooks": [beside, entry]}
    text = json.dumps({"hooks": {"PreToolUse": [group, {"hooks": [entry, entry]}]}}, indent=3)
    merged = settings.merged(text, "warn")
    [(matcher, handler)] = ours(merged)["PreToolUse"]
    assert (matcher, handler["timeout"]) == ("*", 10)
    assert json.loads(merged)["hooks"]["PreToolUse"][0] == {"matcher": "Edit", "hooks": [beside]}
    assert json.loads(settings.without(merged)) == {
        "hooks": {"PreToolUse": [{"matcher": "Edit", "hooks": [beside]}]}
    }


def test_an_entry_that_somebody_put_beside_ours_stays() -> None:
    merged = json.loads(settings.merged("", "warn"))
    merged["hooks"]["PreToolUse"][0]["hooks"].append({"type": "command", "command": "lint"})
    text = json.dumps(merged, indent=2)
    assert settings.merged(text, "warn") == text
    assert json.loads(settings.without(text))["hooks"] == {
        "PreToolUse": [{"matcher": "*", "hooks": [{"type": "command", "command": "lint"}]}]
    }


def test_the_indentation_of_the_file_is_taken_up() -> None:
    for indent in ("\t", "    ", " "):
        text = json.dumps({"a": {"b": 1}}, indent=indent)
        merged = settings.merged(text, "warn")
        assert merged == json.dumps(json.loads(merged), indent=indent)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_plain_settings_file_is_not_merged(text: str) -> None:
    with pytest.raises(settings.NotMergeable) as told:
        settings.merged(text, "warn")
    assert str(told.value).startswith("it")


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
COMMANDS: Final = st.sampled_from(["lint", "x", settings.COMMAND])
HANDLERS: Final = st.fixed_dictionaries({"type": st.just("command"), "command": COMMANDS})
GROUPS: Final = st.fixed_dictionaries(
    {"hooks": st.lists(HANDLERS, max_size=3)},
    optional={"matcher": st.sampled_from(["*", "", "Edit"]), "extra": JSON},
)
EVENTS: Final = st.sampled_from(["PreToolUse", "SessionStart", "Other"])
SETTINGS: Final = st.fixed_dictionaries(
    {},
    optional={
        "hooks": st.dictionaries(EVENTS, st.lists(GROUPS, min_size=1, max_size=3), max_size=3),
        "model": JSON,
        "env": JSON,
    },
)
INDENTS: Final = st.sampled_from([None, 1, 2, 4, "\t"])


@given(SETTINGS, INDENTS, st.booleans(), st.sampled_from(["warn", "enforce"]))
def test_whatever_the_settings_are_others_keep_theirs(
    value: Any, indent: Any, crlf: bool, mode: str
) -> None:
    text = json.dumps(value, indent=indent)
    text = text.replace("\n", "\r\n") if crlf else text
    merged = settings.merged(text, mode)
    assert set(ours(merged)) >= {event for event, _, _ in settings.EVENTS}
    assert all(len(found) == 1 for event, found in ours(merged).items() if event != "Other")
    assert settings.merged(merged, mode) == merged
    assert others(json.loads(merged)) == others(value)
    cleaned = settings.without(merged)
    assert others(json.loads(cleaned or "{}")) == others(value)
    assert not cleaned or ours(cleaned) == {}


# ---------------------------------------------------------------------------------- the guidance


@pytest.mark.parametrize(
    "text",
    [b"", b"# Rules", b"# Rules\n", b"a\r\nb\r\n", b"a\r\nb", b"\n\n", b"\xff\xfe\0", b"a\n\n\n"],
)
def test_the_block_comes_and_goes_and_leaves_the_bytes_around_it(text: bytes) -> None:
    merged = guidance.with_block(text)
    assert merged.startswith(text)
    assert guidance.with_block(merged) == merged
    assert guidance.without(merged) == text
    if b"\r\n" in text:
        assert merged.count(b"\n") == merged.count(b"\r\n")


def test_what_is_written_behind_the_block_stays_behind_it() -> None:
    merged = guidance.with_block(b"before\n") + b"\nafter\n"
    assert guidance.with_block(merged) == merged
    assert guidance.without(merged) == b"before\n\nafter\n"


def test_a_block_of_another_release_is_replaced_in_its_place() -> None:
    old = b"before\n\n" + guidance.BEGIN + b"\nold words\n" + guidance.END + b"\n\nafter\n"
    merged = guidance.with_block(old)
    assert b"old words" not in merged
    assert merged.startswith(b"before\n\n" + guidance.BEGIN)
    assert merged.endswith(guidance.END + b"\n\nafter\n")


@pytest.mark.parametrize(
    "text",
    [
        guidance.BEGIN,
        guidance.END,
        guidance.END + guidance.BEGIN,
        (guidance.BEGIN + guidance.END) * 2,
    ],
)
def test_marks_that_are_no_pair_are_not_touched(text: bytes) -> None:
    for change in (guidance.with_block, guidance.without):
        with pytest.raises(guidance.Unpaired):
            change(text)


def test_the_block_is_short_and_names_commands_that_there_are() -> None:
    from tests.cli.world import KNOWN_COMMANDS, commands_in

    block = guidance.with_block(b"").decode()
    assert 10 <= len(block.splitlines()) <= 20
    assert commands_in(block.replace("`", "$(").replace("$(handrail", " handrail")) <= {
        *KNOWN_COMMANDS
    }
    assert len([line for line in block.splitlines() if line.startswith("- `handrail ")]) == 4
