"""``shared/role-handoff-automation.md``: the rules of handing over, drawn from what is in force.

Handrail's part stands between two marks; what people write around it stays. The matrix is that of
the configuration, the fields are those that ``<slug>.handoff.json`` has.

Promises: the same configuration gives the same bytes; nothing that a configuration says can end the
part, or be more than a word in it.

    render(Known(0, triggers=settings.triggers), None)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from handrail.core.packet import CLEAN_REQUIRED, KNOWN_DIRTY
from handrail.core.projected import RECORD_CHARS_MAX
from handrail.core.role import ANY_ROLE
from handrail.projections.directive import FIELDS
from handrail.projections.json_text import compact
from handrail.projections.port import Known, Projection, Read, Row, Told, Trigger
from handrail.text import visible

BEGIN: Final = "<!-- handrail:begin role-handoff-automation -->"
END: Final = "<!-- handrail:end role-handoff-automation -->"
TITLE: Final = "# Role handoff automation\n"
TEXT: Final = "text"
TEXT_BYTES_MAX: Final = 1 << 20
_ABOUT: Final = ("rule", "gate", "checkpoint", "phase")
_PART: Final = re.compile(rf"^{re.escape(BEGIN)}\r?\n.*?^{re.escape(END)}(?:\r?\n|$)", re.M | re.S)

ABOUT: Final = {
    "from_role": "what the sender acts as",
    "to_role": "who goes on; for the receiver it is an explicit assignment of that role",
    "trigger": "the row of the matrix, or the name of an ordinary handoff",
    "session_id": "the id in the directive's metadata",
    "task_file": "the task that the receiver works on; the executor always gets one",
    "directive_branch": "the branch of the directive; the receiver's working tree is on it",
    "required_reading": "what to read before the first edit",
    "objective": "what the receiver is to reach, in one line",
    "blocking_rule": "the rule that stops the sender",
    "worktree_mode": f"`{CLEAN_REQUIRED}`, or `{KNOWN_DIRTY}`",
    "worktree_allowlist_paths": "every path that is unfinished, exactly; none with the first mode",
}
"""The fields of a packet as its file has them."""

_HEAD: Final = """\
Handrail makes these packets, keeps all of them in its ledger and enforces what they say. This part
is written by `handrail export`: change `handrail.toml`, not this text.

## Packet

One file for each directive, `<directive_slug>.handoff.json`, with one object `handoff`:

| field | meaning |
|---|---|
"""
_BEHAVIOUR: Final = f"""\

## Sender

A sender that reaches a trigger stops at once. Handrail writes the packet and the sender writes
nothing more until it is answered. `handrail task block --rule <trigger>` says so by hand.

## Receiver

1. The packet's `to_role` is an explicit assignment: nobody is asked for a role again.
2. Required reading is done before the first edit; Handrail refuses the edit until then.
3. The packet's directive and task file are used as they are named.
4. The current branch is the packet's `directive_branch`, and the working tree is as declared: with
   `{CLEAN_REQUIRED}` nothing is unfinished, with `{KNOWN_DIRTY}` each unfinished path is
   named.
5. The receiver continues immediately. No confirmation is asked: the packet resolves the target.
6. An incomplete packet is declined: `handrail handoff decline --reason <what is missing>`.

A person may interrupt at any time; `handrail session role <role> --reason <why>` is a person's
reset. There is no other way in which a role changes in a thread.

## Trigger matrix

| trigger | from | to | when |
|---|---|---|---|
"""


def render(known: Known, before: bytes | None) -> bytes | None:
    """Return the bytes of the file."""
    rows = [f"| `{name}` | {ABOUT[name]} |\n" for name in FIELDS]
    matrix = [_row(one) for one in known.triggers]
    if not matrix:
        matrix = ["| none | | | |\n"]
    block = "".join([f"{BEGIN}\n", _HEAD, *rows, _BEHAVIOUR, *matrix, f"{END}\n"])
    text = _kept(known) if before is None else before.decode("utf-8", "surrogateescape")
    if "\r\n" in text and text.count("\r\n") == text.count("\n"):
        block = block.replace("\n", "\r\n")
    above, below = _parts(text)
    return f"{above}{block}{below}".encode("utf-8", "surrogateescape")


def _row(trigger: Trigger) -> str:
    cells = (trigger.id, trigger.from_role, trigger.to_role)
    named = [_code(one) for one in cells]
    if trigger.from_role == ANY_ROLE:
        named[1] = "any"
    return f"| {' | '.join(named)} | {condition(trigger.when)} |\n"


def condition(when: Mapping[str, Any]) -> str:
    """Say when a trigger fires, in words."""
    event = str(when["event"])
    if event == "document":
        unless = when.get("unless")
        other = f", unless {_code(unless[0])} is {_code(unless[1])}" if unless else ""
        said = f"{_code(when['field'])} is {_code(when['equals'])}{other}"
        return f"in a document {_code(when['glob'])} {said}"
    if event == "edit_refused":
        codes = ", ".join(map(_code, when.get("codes", ()))) or "any code"
        times = "" if when.get("times", 1) == 1 else f", {when['times']} times in a session"
        return f"an edit is refused with {codes}{times}"
    words = {
        "blocked": "the work is blocked by",
        "gate_failed": "a gate fails:",
        "revise_limit": "revised as often as may be:",
        "phase_done": "a phase is done:",
    }
    about = next((when[name] for name in _ABOUT if when.get(name)), "")
    return f"{words.get(event, event)} {_code(about)}".rstrip()


def _code(value: object) -> str:
    """Write a value as a word that cannot end its cell, its line or Handrail's part."""
    text = value if isinstance(value, str) else compact(value)
    plain = visible(text).replace("`", "'").replace("|", "\\|").replace("<", "&lt;")
    return f"`{plain}`"


# --- what stands around it -----------------------------------------------------------------------


def _kept(known: Known) -> str:
    """Return what people wrote, if it was read; a new file begins with its title."""
    record = known.rows.get(TEXT)
    return f"{TITLE}\n" if record is None else str(json.loads(record))


def _parts(text: str) -> tuple[str, str]:
    """Return what stands above and below Handrail's part; in a file without, all is above."""
    found = _PART.search(text)
    if found is None:
        return (text if not text or text.endswith("\n") else f"{text}\n"), ""
    return text[: found.start()], _PART.sub("", text[found.end() :])


def read(known: Known, content: bytes, *, importing: bool) -> Read:
    """Return what people wrote around Handrail's part; raises ValueError for what is too long."""
    if len(content) > TEXT_BYTES_MAX:
        raise ValueError(f"it has more than {TEXT_BYTES_MAX} bytes")
    told: list[Told] = []
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        text = content.decode("utf-8", "surrogateescape")
        told.append(Told(f"byte {error.start}", "not_utf8", "it is not UTF-8; it is kept"))
    above, below = _parts(text)
    around = above + below
    if BEGIN in around or END in around:
        told.append(Told(BEGIN, "broken_part", "only one of Handrail's two marks is there"))
    elif _PART.search(text) is not None and not importing and render(known, content) != content:
        sentence = "the part between the marks is Handrail's, and is written anew"
        told.append(Told(BEGIN, "tool_part", sentence))
    record = compact(around)
    if len(record) > RECORD_CHARS_MAX:
        raise ValueError(f"its text has more than {RECORD_CHARS_MAX} characters")
    rows: Sequence[Row] = (Row(TEXT, record if around else ""),)
    return Read(tuple(rows), tuple(told))


PROJECTION: Final = Projection("directive-rules", render, read, by_lines=True)
