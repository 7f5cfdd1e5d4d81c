"""``LATEST_HANDOFF.md`` of mosaic: a link to the dated file of the newest handoff.

Handrail's part stands between two marks; what people write around it stays. ``behind`` names the
dated file that the link leads to, ``render`` and ``read`` are about that file's bytes. The files of
other days are never touched, nor is one whose name Handrail does not make.

Promises: a day's file has a section for each packet of that day, the newest first, so that none is
lost to the next one; what a packet says cannot end Handrail's part or begin a heading in it; the
same packets give the same bytes.

    behind(known)                   # 'SESSION_HANDOFF_2026-01-07.md'
    render(known, bytes_of_that_file)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from handrail.core.projected import RECORD_CHARS_MAX
from handrail.core.task import Packet, file_name
from handrail.projections.json_text import MARK, compact
from handrail.projections.port import Known, Projection, Read, Row, Told
from handrail.text import rfc3339, visible

BEGIN: Final = "<!-- begin: handrail -->"
END: Final = "<!-- end: handrail -->"
TEXT: Final = "text/"
IMPORTED: Final = "imported"
TEXT_BYTES_MAX: Final = 1 << 20
ITEMS_SHOWN_MAX: Final = 100
PREFIX: Final = "SESSION_HANDOFF_"
_PART: Final = re.compile(rf"^{re.escape(BEGIN)}\r?\n.*?^{re.escape(END)}(?:\r?\n|$)", re.M | re.S)
Said = tuple[Packet, Mapping[str, Any]]


def dated(at_ms: int) -> str:
    """Return the name of a day's file, the day in UTC."""
    return f"{PREFIX}{rfc3339(at_ms)[:10]}.md"


def behind(known: Known) -> str:
    """Return the name of the file that the link leads to: of the newest packet's day."""
    given = _given(known)
    return dated(given[-1][0].offered_at if given else known.now)


def _given(known: Known) -> list[Said]:
    """Return the packets that somebody gave, oldest first; a task's opening is no handoff."""
    found = [one for one in known.packets if one[0].session]
    return sorted(found, key=lambda one: (one[0].offered_at, one[0].seq))


# --- rendering -----------------------------------------------------------------------------------


def render(known: Known, before: bytes | None) -> bytes | None:
    """Return the bytes of the dated file; None before the first handoff."""
    given = _given(known)
    if not given:
        return None
    day = dated(given[-1][0].offered_at)
    sections = [_section(*one) for one in reversed(given) if dated(one[0].offered_at) == day]
    block = "\n".join([BEGIN, *sections, END, ""])
    text = _kept(known) if before is None else before.decode("utf-8", "surrogateescape")
    if "\r\n" in text and text.count("\r\n") == text.count("\n"):
        block = block.replace("\n", "\r\n")
    above, below = _parts(text)
    return f"{above}{block}{below}".encode("utf-8", "surrogateescape")


def _kept(known: Known) -> str:
    """Return what people wrote in the day's file, if it was read."""
    record = known.rows.get(_key(known))
    return "" if record is None else str(json.loads(record))


def _key(known: Known) -> str:
    """Return the row of what stands in the file; one that Handrail did not make is history."""
    return TEXT + (behind(known) if _given(known) else IMPORTED)


def _parts(text: str) -> tuple[str, str]:
    """Return what stands above and below Handrail's part; in a file without, all is below.

    Where a merge left several parts, the first one's place counts, and the others go.
    """
    found = _PART.search(text)
    if found is None:
        return "", text
    return text[: found.start()], _PART.sub("", text[found.end() :])


def _section(packet: Packet, content: Mapping[str, Any]) -> str:
    context, made = _part(content, "context"), _part(content, "artifacts")
    metadata = _part(content, "metadata")
    name = file_name(packet.task, packet.number).removesuffix(".json")
    rows = [
        f"# Session handoff {name}",
        "",
        f"- When: {rfc3339(packet.offered_at)}",
        f"- Kind: {packet.kind}",
        f"- From: {_word(packet.agent)} ({_word(packet.from_role or 'no role')})",
        f"- To: {_word(packet.to_role or 'whoever accepts it')}",
        f"- Commit: {_word(metadata.get('head') or 'none')}",
        f"- Branch: {_word(metadata.get('branch') or 'none')}",
    ]
    rows += _quoted("Message", content.get("message"))
    rows += _quoted("Objective", context.get("objective"))
    rows += _listed("Requirements", context.get("requirements"))
    rows += _listed("Constraints", context.get("constraints"))
    rows += _listed("Required reading", context.get("required_reading"))
    rows += _listed("Made", [_path_of(one) for one in _items(made.get("produced"))])
    rows += _listed("Not committed", metadata.get("worktree_allowlist_paths"))
    rows += _listed("Findings", [_finding(one) for one in _items(metadata.get("findings"))])
    rows += _listed("Claims", content.get("claims"))
    rows += _listed("Evidence", content.get("evidence"))
    return "\n".join([*rows, ""])


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _path_of(value: Any) -> Any:
    return value.get("path") if isinstance(value, dict) else value


def _finding(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return f"{value.get('gate')}: {value.get('message')}"


def _quoted(title: str, value: Any) -> list[str]:
    """Return a text as a quotation, so that nothing in it is a heading of this file."""
    if not isinstance(value, str) or not value.strip():
        return []
    return ["", f"## {title}", "", *(f"> {_word(line)}".rstrip() for line in value.splitlines())]


def _listed(title: str, values: Any) -> list[str]:
    entries = _items(values)
    if not entries:
        return []
    rows = [f"- {_word(one)}" for one in entries[:ITEMS_SHOWN_MAX]]
    more = len(entries) - len(rows)
    return ["", f"## {title}", "", *rows, *([f"- and {more} more"] if more > 0 else [])]


def _word(value: Any) -> str:
    """Write a value on one line, and so that it is no mark and no HTML."""
    text = value if isinstance(value, str) else compact(value)
    return visible(text).replace("<", "&lt;")


# --- reading -------------------------------------------------------------------------------------


def read(known: Known, content: bytes, *, importing: bool) -> Read:
    """Return what people wrote around Handrail's part; raises ValueError for what is too long."""
    if len(content) > TEXT_BYTES_MAX:
        raise ValueError(f"it has more than {TEXT_BYTES_MAX} bytes")
    told = []
    if content.startswith(MARK):
        told.append(Told("line 1", "byte_order_mark", "it begins with a byte order mark"))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        text = content.decode("utf-8", "surrogateescape")
        told.append(Told(f"byte {error.start}", "not_utf8", "it is not UTF-8; it is kept"))
    if not text.strip():
        told.append(Told("the file", "blank_file", "it says nothing"))
    told += [
        Told(f"line {number}", "merge_conflict", "the mark of a merge conflict; it is kept")
        for number, line in enumerate(text.split("\n"), 1)
        if line.startswith(("<<<<<<< ", ">>>>>>> "))
    ]
    if is_link_text(text):
        sentence = "the link is a file here that holds the name it should lead to"
        told.append(Told("line 1", "link_as_text", sentence, text.strip()))
    above, below = _parts(text)
    around = above + below
    if BEGIN in around or END in around:
        told.append(Told(BEGIN, "broken_part", "only one of Handrail's two marks is there"))
    elif around != text and not importing and render(known, content) != content:
        sentence = "the part between the marks is Handrail's, and is written anew"
        told.append(Told(BEGIN, "tool_part", sentence))
    record, key = compact(around), _key(known)
    if len(record) > RECORD_CHARS_MAX:
        raise ValueError(f"its text has more than {RECORD_CHARS_MAX} characters")
    kept = [Row(name, known.rows[name]) for name in known.rows if name != key]
    return Read(tuple(sorted([*kept, Row(key, record if around else "")])), tuple(told))


def is_link_text(text: str) -> bool:
    """Tell whether a text is nothing but the name of a dated file: a link checked out as a file."""
    name = text.strip()
    return name.startswith(PREFIX) and name.endswith(".md") and "\n" not in name and "/" not in name


PROJECTION: Final = Projection("mosaic-handoff", render, read, behind, by_lines=True, steady=True)
