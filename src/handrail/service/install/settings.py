"""Handrail's entries in the settings of Claude Code: merged into the text, taken out of it again.

Promise: what is not ours keeps its bytes: other hooks, unknown keys, order, indentation, the end of
the file. Text that is no plain JSON is left alone, with the reason: Claude Code itself discards a
file with comments or trailing commas, so nothing would be gained by writing into one.

    >>> text = merged("", "enforce")
    >>> merged(text, "enforce") == text, without(text)
    (True, '')
"""

from __future__ import annotations

import json

from handrail.core.record import Record
from handrail.typed import Final

FILE: Final = ".claude/settings.json"
LOCAL_FILE: Final = ".claude/settings.local.json"
COMMAND: Final = '"$CLAUDE_PROJECT_DIR"/.handrail/hook'
_OURS: Final = "/.handrail/hook"
_SPACE: Final = " \t\r\n"
_ALL_TOOLS: Final = ("*", "", None)

# Event, whether it is about a tool, seconds. A failing command of a shell may have written, too.
# Whoever calls a task completed waits for the commands of its gates.
EVENTS: Final = (
    ("PreToolUse", True, 10),
    ("PostToolUse", True, 10),
    ("PostToolUseFailure", True, 10),
    ("UserPromptSubmit", False, 10),
    ("SessionStart", False, 60),
    ("InstructionsLoaded", False, 10),
    ("SessionEnd", False, 10),
    ("Stop", False, 30),
    ("SubagentStop", False, 30),
    ("PreCompact", False, 30),
    ("TaskCompleted", False, 600),
)


class NotMergeable(Exception):
    """The text is of another kind than settings; the words say which."""


class _Part(Record):
    """A member of an object or an item of a list: its key, and where it and its value stand."""

    key: str | int
    start: int
    value: int
    end: int


def merged(text: str, mode: str) -> str:
    """Return settings with Handrail's entries; raises NotMergeable.

    ``mode`` is that of the stage ``edit``: where it is ``enforce``, a hook that fails blocks.
    """
    if not text.strip(_SPACE):
        text = "{}\n"
    for event, tool, seconds in EVENTS:
        wanted: dict[str, object] = {"type": "command", "command": COMMAND, "timeout": seconds}
        if event == "PreToolUse" and mode == "enforce":
            wanted["onFailure"] = "block"
        group: dict[str, object] = {"matcher": "*"} if tool else {}
        text = _with_event(text, event, {**group, "hooks": [wanted]})
    return text


def without(text: str) -> str:
    """Return settings without Handrail's entries, empty if nothing else was in them.

    Raises NotMergeable.
    """
    if not text.strip(_SPACE):
        return text
    ours = False
    for event in list(_events(_loaded(text))):
        cleaned = _without_event(text, event)
        ours, text = ours or cleaned != text, cleaned
    return "" if ours and _loaded(text) == {} else text


def is_whole(text: str) -> bool:
    """Tell whether settings have each of Handrail's entries, for whichever mode."""
    try:
        return any(merged(text, mode) == text for mode in ("enforce", "warn"))
    except NotMergeable:
        return False


def events_in(text: str) -> frozenset[str]:
    """Return the events of which settings have Handrail's entry, for all tools.

    None of them where settings switch all hooks off.
    """
    try:
        groups = {} if switches_off(text) else _events(_loaded(text or "{}"))
    except NotMergeable:
        return frozenset()
    return frozenset(
        event
        for event, listed in groups.items()
        for group in listed
        if any(map(_is_ours, _handlers(group))) and group.get("matcher") in _ALL_TOOLS
    )


def switches_off(text: str) -> bool:
    """Tell whether settings let no hook of theirs run; raises NotMergeable."""
    return _loaded(text or "{}").get("disableAllHooks") is True


def by_hand() -> str:
    """Say in one line what to add where it cannot be merged."""
    events = ", ".join(event for event, _, _ in EVENTS)
    return f"let the hooks {events} run the command {COMMAND}"


def _with_event(text: str, event: str, wanted: dict[str, object]) -> str:
    """Return settings in which one event has our entry once, for all tools."""
    groups = _events(_loaded(text)).get(event, [])
    found = [group for group in groups if any(map(_is_ours, _handlers(group)))]
    if len(found) == 1 and _fits(found[0], wanted):
        return text
    text = _without_event(text, event, keep_event=True)
    events = _events(_loaded(text))
    if event in events:
        return _inserted(text, ("hooks", event), None, wanted)
    if "hooks" in _loaded(text):
        return _inserted(text, ("hooks",), event, [wanted])
    return _inserted(text, (), "hooks", {event: [wanted]})


def _fits(group: dict[str, object], wanted: dict[str, object]) -> bool:
    ours = [handler for handler in _handlers(group) if _is_ours(handler)]
    matches = "matcher" not in wanted or group.get("matcher") in _ALL_TOOLS
    return matches and ours == wanted["hooks"]


def _without_event(text: str, event: str, *, keep_event: bool = False) -> str:
    """Take our entries out of one event, and with them whatever is empty then."""
    removed = False
    while (path := _first_of_ours(text, event)) is not None:
        removed = True
        group = _at(_loaded(text), path[:-2])
        alone = len(_handlers(group)) == 1 and set(group) <= {"matcher", "hooks"}
        text = _taken_out(text, path[:-2] if alone else path)
    if removed and not keep_event:
        for path in (("hooks", event), ("hooks",)):
            if not _at(_loaded(text), path):
                text = _taken_out(text, path)
    return text


def _first_of_ours(text: str, event: str) -> tuple[str | int, ...] | None:
    for number, group in enumerate(_events(_loaded(text)).get(event, [])):
        for place, handler in enumerate(_handlers(group)):
            if _is_ours(handler):
                return ("hooks", event, number, "hooks", place)
    return None


def _is_ours(handler: object) -> bool:
    command = handler.get("command") if isinstance(handler, dict) else None
    return isinstance(command, str) and command.strip().strip("\"'").endswith(_OURS)


def _handlers(group: object) -> list[object]:
    handlers = group.get("hooks") if isinstance(group, dict) else None
    return handlers if isinstance(handlers, list) else []


def _loaded(text: str) -> dict[str, object]:
    """Read settings; raises NotMergeable."""
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise NotMergeable(f"it is no JSON{where}, so Claude Code does not read it") from error
    if not isinstance(loaded, dict):
        raise NotMergeable("it holds no object")
    return loaded


def _events(loaded: dict[str, object]) -> dict[str, list[dict[str, object]]]:
    """Return the hooks of settings by event; raises NotMergeable."""
    hooks = loaded.get("hooks", {})
    if not isinstance(hooks, dict):
        raise NotMergeable("its hooks are no object")
    for event, groups in hooks.items():
        if not isinstance(groups, list):
            raise NotMergeable(f"its hooks for {event} are no list")
    return hooks


def _at(value: object, path: tuple[str | int, ...]) -> dict[str, object]:
    for step in path:
        value = value[step]  # type: ignore[index]
    assert isinstance(value, dict | list)
    return value  # type: ignore[return-value]


# --- the text ------------------------------------------------------------------------------------


def _inserted(text: str, path: tuple[str | int, ...], key: str | None, value: object) -> str:
    """Return the text with a new last part in the object or list at ``path``."""
    start = _start(text, path)
    parts = _parts(text, start)
    eol = "\r\n" if "\r\n" in text else "\n"
    unit = _indent(text)
    name = "" if key is None else json.dumps(key) + ": "
    lead = _lead(text, parts[0].start) if parts else unit * (len(path) + 1)
    if lead is None:  # all on one line: so are we
        return f"{text[: parts[-1].end]}, {name}{json.dumps(value)}{text[parts[-1].end :]}"
    lines = json.dumps(value, indent=unit).split("\n")
    new = f"{eol}{lead}{name}" + f"{eol}{lead}".join(lines)
    if parts:
        return f"{text[: parts[-1].end]},{new}{text[parts[-1].end :]}"
    end = _skip(text, start + 1)
    return f"{text[: start + 1]}{new}{eol}{unit * len(path)}{text[end:]}"


def _taken_out(text: str, path: tuple[str | int, ...]) -> str:
    """Return the text without the part at ``path``, its comma and the space around it."""
    start = _start(text, path[:-1])
    parts = _parts(text, start)
    index = max(at for at, part in enumerate(parts) if part.key == path[-1])
    if len(parts) == 1:
        return text[: start + 1] + text[_skip(text, parts[0].end) :]
    if index:
        return text[: parts[index - 1].end] + text[parts[index].end :]
    return text[: parts[0].start] + text[parts[1].start :]


def _start(text: str, path: tuple[str | int, ...]) -> int:
    """Return where the value at ``path`` begins; of keys that are there twice the last counts."""
    start = _skip(text, 0)
    for step in path:
        start = [part.value for part in _parts(text, start) if part.key == step][-1]
    return start


def _parts(text: str, start: int) -> list[_Part]:
    """Find the members or items of the object or list at ``start``, in text that is valid JSON."""
    decoder = json.JSONDecoder()
    named = text[start] == "{"
    parts: list[_Part] = []
    at = _skip(text, start + 1)
    while text[at] not in "}]":
        began, key = at, len(parts)
        found: str | int = key
        if named:
            found, at = decoder.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        _, end = decoder.raw_decode(text, at)
        parts.append(_Part(found, began, at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return parts


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _lead(text: str, at: int) -> str | None:
    """Return the white space before a part that begins its line; None if it does not."""
    line = text.rfind("\n", 0, at) + 1
    lead = text[line:at]
    return lead if line and not lead.strip(_SPACE) else None


def _indent(text: str) -> str:
    """Return one step of indentation as the text has it."""
    parts = _parts(text, _skip(text, 0))
    return (_lead(text, parts[0].start) if parts else None) or "  "
