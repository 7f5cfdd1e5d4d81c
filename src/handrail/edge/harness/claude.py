r"""Claude Code: its hook payloads, and the answers that it understands.

Promises: a payload is data, whatever it holds; what is no payload is MalformedPayload, with the
reason; a tool that is not known writes what its input names if its name has a word for writing.
Source: the hook contract as documented for versions 2.1.240 to 2.1.303.

    read(b'{"hook_event_name": "PreToolUse", "session_id": "0f3c", "tool_name": "Bash", …}')
    # Call(event='PreToolUse', session='0f3c', tool='Bash', …)
"""

from __future__ import annotations

import os

from handrail.core.names import NAME_CHARS_MAX, check_name
from handrail.core.record import Record
from handrail.edge.guard.quick import LOADED, PATH_OF, READS_ONLY
from handrail.errors import MalformedName, MalformedPayload
from handrail.jsontext import read as read_json
from handrail.jsontext import write_spaced as write_json
from handrail.typed import Final

HARNESS: Final = "claude"
PATHS_MAX: Final = 1_000
_WRITING: Final = (
    *("write", "edit", "create", "delete", "remove", "move", "rename", "append", "patch"),
    *("replace", "insert", "update", "save", "copy", "modify", "overwrite", "truncate"),
)
_PATH_FIELDS: Final = (
    *("file_path", "filepath", "filePath", "notebook_path", "path", "paths", "file", "files"),
    *("filename", "relative_path", "source", "destination", "from", "to", "old_path"),
    *("new_path", "target", "target_file", "target_path", "uri"),
)
_CHARS_MAX: Final = 8_192
_LINES: Final = ("startLine", "numLines", "totalLines")
SOURCES: Final = ("startup", "resume", "clear", "compact")
TRIGGERS: Final = ("manual", "auto")
_WRAPPING: Final = " \t\r\n*_`\"')]>"
_QUESTION_MARKS: Final = ("?", "\N{FULLWIDTH QUESTION MARK}", "\N{ARABIC QUESTION MARK}")


class Call(Record):
    """One hook event; ``paths`` are those that a tool is about to write, as the payload has them.

    ``reason`` says how a session ended, ``source`` how it began, ``trigger`` what has its thread
    shortened. ``goes_on``: an earlier refusal keeps it at work. ``asks``: the last it said was a
    question. ``change`` is how an edit tool makes the new text out of the old: (None, all of it),
    or what is replaced by what. ``shown`` is a file of which the agent was shown the whole.
    """

    event: str
    session: str
    cwd: str
    tool: str = ""
    paths: tuple[str, ...] = ()
    command: str | None = None
    reason: str = ""
    change: tuple[str | None, str] | None = None
    source: str = ""
    trigger: str = ""
    goes_on: bool = False
    asks: bool = False
    shown: str = ""


def read(payload: bytes) -> Call:
    """Read a payload; raises MalformedPayload."""
    try:
        told = _loaded(payload)
    except (ValueError, RecursionError) as error:
        reason = "it is empty" if not payload.strip() else f"it is no JSON ({type(error).__name__})"
        raise MalformedPayload(reason=reason) from error
    if not isinstance(told, dict):
        raise MalformedPayload(reason="it is no JSON object")
    given = told.get("tool_input")
    tool = _text(told, "tool_name")
    inputs: dict[str, object] = given if isinstance(given, dict) else {}
    command = inputs.get("command")
    return Call(
        event=_text(told, "hook_event_name"),
        session=_session(told),
        cwd=_text(told, "cwd") or os.getcwd(),
        tool=tool,
        paths=_paths(tool, inputs),
        command=command if tool in ("Bash", "PowerShell") and isinstance(command, str) else None,
        reason=_text(told, "reason"),
        change=_change(tool, inputs),
        source=_one_of(told, "source", SOURCES),
        trigger=_one_of(told, "trigger", TRIGGERS),
        goes_on=told.get("stop_hook_active") is True,
        asks=_asks(told.get("last_assistant_message")),
        shown=_shown(told, inputs),
    )


def _loaded(payload: bytes) -> object:
    return read_json(payload.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape"))


def event_of(payload: bytes) -> str:
    """Return which event a payload is about, '' where it does not say."""
    try:
        told = _loaded(payload)
    except (ValueError, RecursionError):
        return ""
    event = told.get("hook_event_name") if isinstance(told, dict) else None
    return event if isinstance(event, str) else ""


def _one_of(told: dict[str, object], field: str, known: tuple[str, ...]) -> str:
    """Return a word that is known; anything else is no reason to refuse, and is not kept."""
    value = told.get(field, "")
    return value if isinstance(value, str) and value in known else ""


def _asks(said: object) -> bool:
    """Tell whether a text ends with a question, whatever it is wrapped in."""
    return isinstance(said, str) and said.rstrip(_WRAPPING)[-1:] in _QUESTION_MARKS


def _change(tool: str, inputs: dict[str, object]) -> tuple[str | None, str] | None:
    """Return what Write or Edit would do to the text; None for anything else."""
    content, old, new = (inputs.get(name) for name in ("content", "old_string", "new_string"))
    if tool == "Write" and isinstance(content, str):
        return None, content
    once = not inputs.get("replace_all")
    if tool == "Edit" and once and isinstance(old, str) and isinstance(new, str):
        return old, new
    return None


def _shown(told: dict[str, object], inputs: dict[str, object]) -> str:
    """Return the file that an event says was shown whole, '' for none: a part is no reading.

    Where the answer of Read does not count lines, a file that was asked for without bounds counts;
    of a longer one than the tool shows at once, only the answer can tell.
    """
    event, path = told.get("hook_event_name"), inputs.get("file_path")
    if event == LOADED:
        path = told.get("file_path")
    elif event != "PostToolUse" or told.get("tool_name") != "Read" or not _is_whole(told, inputs):
        return ""
    return path if isinstance(path, str) and len(path) <= _CHARS_MAX else ""


def _is_whole(told: dict[str, object], inputs: dict[str, object]) -> bool:
    answer = told.get("tool_response")
    file = answer.get("file") if isinstance(answer, dict) else None
    counted = [file.get(name) for name in _LINES] if isinstance(file, dict) else []
    if all(type(one) is int for one in counted) and counted:
        start, shown, total = counted
        return start in (0, 1) and shown >= total  # type: ignore[operator]
    return not any(inputs.get(name) for name in ("offset", "limit", "pages"))


def _text(told: dict[str, object], field: str) -> str:
    value = told.get(field, "")
    if not isinstance(value, str):
        raise MalformedPayload(reason=f"its {field} is no text")
    return value[:_CHARS_MAX]


def _session(told: dict[str, object]) -> str:
    name = _text(told, "session_id")[: NAME_CHARS_MAX + 1]
    try:
        return check_name("session", name)
    except MalformedName as error:
        reason = f"its session_id is no name: {error.values['reason']}"
        raise MalformedPayload(reason=reason) from error


def _paths(tool: str, inputs: dict[str, object]) -> tuple[str, ...]:
    if tool in PATH_OF:
        path = inputs.get(PATH_OF[tool])
        if not isinstance(path, str) or not path:
            raise MalformedPayload(reason=f"{tool} names no file")
        return (path,)
    plain = tool.lower()
    if tool in READS_ONLY or tool == "Bash" or not any(word in plain for word in _WRITING):
        return ()
    found: list[str] = []
    for field in _PATH_FIELDS:
        found += _texts(inputs.get(field))
    edits = inputs.get("edits")
    for edit in edits if isinstance(edits, list) else ():
        if isinstance(edit, dict):
            found += [text for field in _PATH_FIELDS for text in _texts(edit.get(field))]
    return tuple(text.removeprefix("file://") for text in dict.fromkeys(found))[:PATHS_MAX]


def _texts(value: object) -> list[str]:
    """Return the texts of a field: itself, those of a list, or the paths of its objects."""
    if isinstance(value, str):
        return [value] if value else []
    found: list[str] = []
    for item in value if isinstance(value, list) else ():
        if isinstance(item, str) and item:
            found.append(item)
        elif isinstance(item, dict) and isinstance(item.get("path"), str):
            found.append(item["path"])
    return found


def told_before(event: str, text: str) -> str:
    """Return what stdout has to say so that the agent reads ``text`` and goes on."""
    if event in ("SessionStart", "UserPromptSubmit"):
        return text + "\n"
    extra = {"hookEventName": event, "additionalContext": text}
    return write_json({"hookSpecificOutput": extra}) + "\n"


def warned(text: str) -> str:
    """Return what stdout has to say so that the person reads ``text`` and nothing is stopped."""
    return write_json({"systemMessage": text}) + "\n"
