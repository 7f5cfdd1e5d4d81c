"""Repositories as the original lanes tool leaves them, made up from a seed, the odd ones included.

A repository is a number; the same number is the same repository. ``ODDITIES`` are applied in turn,
so that a hundred repositories have each of them several times. Every row that is made carries a
mark of its own, by which a test finds it again wherever it went.

    repository(17).files["ops/tracker/coordination.json"]
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.projections.lanes_arrange import NOTE, NOW, ROLES

COORDINATION: Final = "ops/tracker/coordination.json"
CONTRACTS: Final = "ops/tracker/contracts.json"
TRACKER: Final = "ops/PROJECT_TRACKER.md"
DAYS_MS: Final = 86_400_000

State = dict[str, Any]


@dataclass
class Repository:
    """Files of a repository; what is odd about each; the marks of the rows in each."""

    number: int
    odd: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    marks: dict[str, list[str]] = field(default_factory=dict)
    state: State = field(default_factory=dict)


def instant(at_ms: int) -> str:
    from handrail.projections.instants import micros

    return micros(at_ms)


def repository(number: int) -> Repository:
    """Make a repository up."""
    random = Random(f"lanes {number}")
    made = Repository(number)
    for path, oddities, write in (
        (COORDINATION, COORDINATION_ODDITIES, _coordination),
        (CONTRACTS, CONTRACTS_ODDITIES, _contracts),
        (TRACKER, TRACKER_ODDITIES, _tracker),
        (NOTE, NOTE_ODDITIES, _note),
    ):
        names = list(oddities)
        made.odd[path] = names[number % len(names)]
        made.files[path] = write(made, random)
    return made


# --- coordination.json ---------------------------------------------------------------------------


def _coordination(made: Repository, random: Random) -> bytes:
    state, marks = _state(random)
    made.state = state
    raw = (json.dumps(state, indent=2) + "\n").encode()
    oddity = COORDINATION_ODDITIES[made.odd[COORDINATION]]
    raw = oddity(state, raw, random)
    made.marks[COORDINATION] = [mark for mark in marks if mark.encode() in raw]
    return raw


def _state(random: Random) -> tuple[State, list[str]]:
    state: State = {"schema_version": 1, "leases": [], "handoffs": [], "conflicts": []}
    marks: list[str] = []
    names = [role.name for role in ROLES]

    def mark() -> str:
        marks.append(f"2026-02-{random.randint(10, 28)}-m{len(marks):03d}x")
        return marks[-1]

    def at() -> str:
        return instant(NOW - random.randint(1, 20 * DAYS_MS))

    scopes = ("site/src", "site", "scripts", "content/topics/topic00_intro", "ops")
    for name in random.sample(names, random.randint(1, 3)):
        state["leases"].append(
            {
                "role": name,
                "agent_id": random.choice(["codex", "bot-2"]),
                "scope": random.choice(scopes),
                "session_id": mark(),
                "acquired_at": at(),
                "expires_at": instant(NOW + random.randint(1, DAYS_MS)),
            }
        )
    for _ in range(random.randint(1, 6)):
        giver, receiver = random.sample(names, 2)
        state["handoffs"].append(
            {
                "timestamp": at(),
                "session_id": mark(),
                "from_role": giver,
                "to_role": receiver,
                "scope": random.choice(scopes),
                "note": random.choice(["", "navigation is done", 'say "hello"', "a | b"]),
            }
        )
    for _ in range(random.randint(0, 3)):
        state["conflicts"].append(
            {
                "timestamp": at(),
                "role": random.choice(names),
                "requested_by": "bot-3",
                "active_agent": "codex",
                "requested_scope": random.choice(scopes),
                "active_scope": random.choice(scopes),
                "session_id": mark(),
                "decision": "rejected-active-lease",
            }
        )
    return state, marks


def _dump(state: State, **options: Any) -> bytes:
    return (json.dumps(state, **{"indent": 2, **options}) + "\n").encode()


Oddity = Callable[[State, bytes, Random], bytes]


def _lease(**fields: Any) -> Oddity:
    """Change fields of a lease; a value may be a function of the old one."""

    def change(state: State, raw: bytes, random: Random) -> bytes:
        lease = random.choice(state["leases"])
        for name, value in fields.items():
            lease[name] = value(lease[name]) if callable(value) else value
        return _dump(state)

    return change


def _file(**fields: Any) -> Oddity:
    return lambda state, raw, random: _dump({**state, **fields})


def _drop(*names: str) -> Oddity:
    return lambda state, raw, random: _dump({k: v for k, v in state.items() if k not in names})


def _twice(state: State, raw: bytes, random: Random) -> bytes:
    state["leases"].append(dict(state["leases"][0]))
    return _dump(state)


def _conflicted(state: State, raw: bytes, random: Random) -> bytes:
    other = {**state, "handoffs": [*state["handoffs"], {"note": "theirs", "session_id": "x"}]}
    return b"<<<<<<< HEAD\n" + raw + b"=======\n" + _dump(other) + b">>>>>>> other\n"


def _inside_conflict(state: State, raw: bytes, random: Random) -> bytes:
    lines = raw.splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"agent_id"' in line)
    marks = [b"<<<<<<< HEAD\n", lines[at], b"=======\n", b'"agent_id": "bot-9",\n', b">>>>>>> x\n"]
    return b"".join([*lines[:at], *marks, *lines[at + 1 :]])


def _repeated(state: State, raw: bytes, random: Random) -> bytes:
    return raw.replace(b'"note":', b'"note": "first", "note":', 1)


COORDINATION_ODDITIES: Final[dict[str, Oddity]] = {
    "plain": lambda state, raw, random: raw,
    "half written": lambda state, raw, random: raw[: random.randint(30, len(raw) - 3)],
    "half a row": lambda state, raw, random: raw[: raw.rindex(b'"note"') + 4],
    "twice written": lambda state, raw, random: raw + raw[len(raw) // 2 :],
    "expired": _lease(expires_at=instant(NOW - 1)),
    "duplicate": _twice,
    "negative ttl": _lease(expires_at="2026-01-01T00:00:00.000000Z"),
    "manual session": _lease(agent_id=lambda old: f"{old}", session_id="manual-session"),
    "scope above": _lease(scope="../../etc"),
    "absolute scope": _lease(scope="/etc/passwd"),
    "backslash": _lease(scope="site\\src"),
    "git's own": _lease(scope=".git/hooks"),
    "dot": _lease(scope="./"),
    "control": _lease(scope="site/\x1b[2J"),
    "number": _lease(role=7, scope=["site"], expires_at=1_772_355_600),
    "null": _lease(agent_id=None, expires_at=None),
    "no time": _lease(expires_at="in an hour"),
    "other zone": _lease(expires_at="2026-03-02T00:00:00+05:30"),
    "unknown role": _lease(role="webiste"),
    "aliased role": _lease(role="ops_tooling"),
    "unknown field": _lease(branch="main", host={"name": "b", "a": [1, 2.5, None]}),
    "row of a wrong type": lambda state, raw, random: _dump(
        {**state, "leases": [*state["leases"], "a text", 7, None, ["x"]]}
    ),
    "null section": _file(conflicts=None),
    "object section": _file(leases={"website": {"agent_id": "codex"}}),
    "text section": _file(handoffs="none"),
    "no leases": _drop("leases"),
    "no version": _drop("schema_version"),
    "nothing": lambda state, raw, random: b"{}\n",
    "version 2": _file(schema_version=2),
    "unknown keys": _file(generated_by="ci", notes=["ä", {"z": 1, "a": 2}]),
    "another order": lambda state, raw, random: _dump(dict(reversed(state.items()))),
    "alphabetical": lambda state, raw, random: _dump(state, sort_keys=True),
    "letters": lambda state, raw, random: _dump(
        {**state, "by": "Zoë – 日本 \U0001f6b2"}, ensure_ascii=False
    ),
    "escapes": lambda state, raw, random: _dump({**state, "by": "Zoë – 日本 \U0001f6b2 \ud800"}),
    "byte order mark": lambda state, raw, random: b"\xef\xbb\xbf" + raw,
    "Windows": lambda state, raw, random: raw.replace(b"\n", b"\r\n"),
    "no last line end": lambda state, raw, random: raw.rstrip(),
    "other indent": lambda state, raw, random: _dump(state, indent=4),
    "one line": lambda state, raw, random: _dump(state, indent=None),
    "not UTF-8": lambda state, raw, random: raw.replace(b'"agent_id": "', b'"agent_id": "\xf6'),
    "merge conflict": _conflicted,
    "conflict in a row": _inside_conflict,
    "a field twice": _repeated,
    "no number": lambda state, raw, random: raw.replace(b": 1,", b": NaN,", 1),
    "decision": lambda state, raw, random: raw.replace(b"rejected-active-lease", b"rejected"),
    "to itself": lambda state, raw, random: _dump(
        {**state, "handoffs": [{**row, "to_role": row["from_role"]} for row in state["handoffs"]]}
    ),
    "very long": lambda state, raw, random: _dump(
        {**state, "handoffs": [*state["handoffs"], {"note": "n" * 70_000}]}
    ),
    "an array": lambda state, raw, random: _dump([state]),  # type: ignore[arg-type]
    "empty": lambda state, raw, random: b"",
    "binary": lambda state, raw, random: bytes(range(256)),
}


# --- contracts.json ------------------------------------------------------------------------------


def _contracts(made: Repository, random: Random) -> bytes:
    file = {
        "role_order": [role.name for role in ROLES],
        "owned_lane_roles": [role.name for role in ROLES[:-1]],
        "lane_note_by_role": {"website": NOTE},
        "ignored_prefixes": ["_site/", "tmp/"],
        "ignored_site_output_files": ["site/index.html"],
    }
    change = CONTRACTS_ODDITIES[made.odd[CONTRACTS]]
    return (json.dumps({**file, **change}, indent=2) + "\n").encode()


CONTRACTS_ODDITIES: Final[dict[str, State]] = {
    "plain": {},
    "null": {"role_order": None, "lane_note_by_role": None},
    "wrong type": {"role_order": "website", "ignored_prefixes": {"a": 1}},
    "wrong items": {"owned_lane_roles": ["webiste", 7, None], "role_order": ["website", 1]},
    "unknown key": {"role_orders": []},
    "unknown note": {"lane_note_by_role": {"topic09": "x.md", "website": 3}},
    "paths": {"ignored_prefixes": ["../up", "/etc", "a\\b", "ok/"]},
}


# --- PROJECT_TRACKER.md --------------------------------------------------------------------------

LEDGER: Final = (
    "| session_id | role | agent_id | scope | activity | status | evidence | follow_up |"
)
LINE: Final = "|---|---|---|---|---|---|---|---|"
LOG: Final = "| date_time | session_id | roles_involved | coordination_event | decision | status |"


def _tracker(made: Repository, random: Random) -> bytes:
    oddity = TRACKER_ODDITIES[made.odd[TRACKER]]
    rows = 5_000 if made.odd[TRACKER] == "5 000 rows" else random.randint(1, 8)
    marks = [f"2026-02-15-t{number:04d}x" for number in range(rows)]
    ledger = [
        f"| {mark} | {random.choice(ROLES).name} | codex | site/src | {_words(random)} "
        f"| {random.choice(['closed', 'open'])} | check_fast | none |"
        for mark in marks
    ]
    made.marks[TRACKER] = marks
    log = [f"| 2026-02-15 10:0{i} | {mark} | website,integrator | overlap | wait | closed |"
           for i, mark in enumerate(marks[:2])]  # fmt: skip
    page = "\n".join(
        [
            *("# Project Tracker", "", "## 1) Status", "", "Fine.", ""),
            *("## 2) Role Activity Ledger", "", LEDGER, LINE),
            *(*ledger, "", "## 3) Integrator Coordination Log", ""),
            *(LOG, "|---|---|---|---|---|---|", *log, ""),
            *("## 4) Decision Changelog", "", "| decision_id | date |", "|---|---|", "| D-1 | x |"),
            *("", "## 5) Open Issues and Risk Register", "", "## 6) Topic Verification Snapshot"),
            "",
        ]
    )
    return oddity(page, ledger).encode("utf-8", "surrogateescape")


def _words(random: Random) -> str:
    return " ".join(random.sample(["Navigation", "menu", "fixes", "`code`", "é", "**x**"], 2))


TRACKER_ODDITIES: Final[dict[str, Callable[[str, list[str]], str]]] = {
    "plain": lambda page, rows: page,
    "bar in a cell": lambda page, rows: page.replace("site/src", "site/a|b", 1),
    "escaped bar": lambda page, rows: page.replace("site/src", "site/a\\|b", 1),
    "aligned": lambda page, rows: page.replace(LINE, "|:---" * 8 + "|"),
    "short row": lambda page, rows: page.replace(rows[0], "| s-9 | website |"),
    "row elsewhere": lambda page, rows: page.replace(rows[-1], f"{rows[-1]}\n\n{rows[-1]}"),
    "rows without a table": lambda page, rows: page.replace(f"{LEDGER}\n", ""),
    "no section 2": lambda page, rows: page.replace("## 2) Role", "## 2) Our"),
    "no section 3": lambda page, rows: page[: page.index("## 3)")],
    "no tables": lambda page, rows: "\n".join(x for x in page.splitlines() if x[:1] != "|"),
    "empty": lambda page, rows: "",
    "Windows": lambda page, rows: page.replace("\n", "\r\n"),
    "old Mac": lambda page, rows: page.replace("\n", "\r"),
    "byte order mark": lambda page, rows: "\ufeff" + page,
    "no last line end": lambda page, rows: page.rstrip(),
    "not UTF-8": lambda page, rows: page.replace("codex", "c\udcf6dex\0"),
    "merge conflict": lambda page, rows: page.replace(
        rows[0], f"<<<<<<< HEAD\n{rows[0]}\n=======\n{rows[0]} mine\n>>>>>>> other"
    ),
    "header twice": lambda page, rows: page.replace(rows[-1], f"{LEDGER}\n|:-|\n{rows[-1]}"),
    "in code": lambda page, rows: page.replace("## 2)", "```\n## 2)").replace("## 3)", "```\n#"),
    "open comment": lambda page, rows: page.replace("## 2)", "<!--\n## 2)"),
    "unknown words": lambda page, rows: page.replace("closed", "done").replace("codex", ""),
    "manual session": lambda page, rows: page.replace("2026-02-15-t0000x", "manual-session"),
    "5 000 rows": lambda page, rows: page,
}  # fmt: skip


# --- a lane's note -------------------------------------------------------------------------------


def _note(made: Repository, random: Random) -> bytes:
    page = "\n".join(
        [
            *("# Website", "", "## Agent Identity", "- Agent: codex", "- Role: website", ""),
            *("## Current Lease and Session", "- lease_role: website", "- agent_id: codex"),
            *("- session_id: 2026-02-15-a", "- scope_claim: site/src"),
            *("- lease_expires_at: 2026-02-15T10:00:00.000000Z", "", "## Next Handoff Action"),
            *("- to_role: integrator", "- reason: done", "- expected_artifact: menu", ""),
        ]
    )
    return NOTE_ODDITIES[made.odd[NOTE]](page).encode("utf-8", "surrogateescape")


NOTE_ODDITIES: Final[dict[str, Callable[[str], str]]] = {
    "plain": lambda page: page,
    "Windows": lambda page: page.replace("\n", "\r\n"),
    "byte order mark": lambda page: "\ufeff" + page,
    "no sections": lambda page: page.replace("## ", "### About "),
    "no fields": lambda page: page.replace(":", " is"),
    "manual session": lambda page: page.replace("2026-02-15-a", "manual-session"),
    "scope above": lambda page: page.replace("site/src", "../../etc"),
    "merge conflict": lambda page: f"<<<<<<< HEAD\n{page}=======\n>>>>>>> other\n",
    "in code": lambda page: page.replace("- lease_role", "```\n- lease_role"),
    "not UTF-8": lambda page: page.replace("codex", "c\udcf6dex"),
    "empty": lambda page: "",
}
