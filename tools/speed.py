"""The tables of ``docs/speed.md`` and what ``docs/scale.md`` counts with, out of one measurement.

Promise: every figure on these pages stands in ``docs/speed.json`` or follows from it, and
``python -m bench.publish`` writes that; what was asked for and not measured is named; a line that
misses stands there with the reason, in words, and where its time goes. A test compares pages and
numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tools.markdown import table

NUMBERS: Final = Path(__file__).resolve().parent.parent / "docs" / "speed.json"
VERDICTS: Final = {True: "met", False: "**missed**", None: "for information"}


class Asked(NamedTuple):
    """A number to reach: what it is called, the row and part of a line's name that measure it."""

    what: str
    row: str
    contains: str
    why: str = ""

    def fits(self, line: Mapping[str, Any]) -> bool:
        """Tell whether a line of the measurement is about this."""
        return bool(line["row"].startswith(self.row)) and self.contains in line["what"]


_CLAIM: Final = """\
A claim decides: it reads the session, the rules in force and the leases near by, checks them,
numbers and chains an entry, and writes four tables, most of it in Python. The insert of the floor
does nothing of that. Both then wait for the same sync of the log. So the ratio is a matter of the
disk: where a sync takes long, both take as long; where it is quick, as with a disk whose host keeps
a cache, Python's part shows. Seen on one machine: 0.38 to 0.6 × from one hour to the next. What is
left is spread over all layers, with no part that could go; a way out is another language, not
another order of the same steps."""
_START: Final = """\
Most of it is Python reading modules, all of which the case needs; a test holds what may not be
among them. What is left beyond imports is small. The ratio is to an interpreter that imports
nothing, and grows where files are slow to open and processors are shared."""
_BESIDE_GIT: Final = """\
It asks git the question of `git status` once, and cannot be quicker than that; beside it run one
start of Python with its imports, the rules, and one or two durable transactions. What exceeds the
target is imports and waiting on a machine where everything else takes turns."""

NUMBERS_TO_REACH: Final = (
    Asked("guard, held path, few and many leases", "guard", "held path, ", _START),
    Asked("guard, denial", "guard", "denied", _START),
    Asked("guard, first edit with its claim", "guard", "first edit", _START),
    Asked("guard, Bash without a word that writes", "guard", "no word that writes", _START),
    Asked("guard, Bash by the grammar", "guard", "by the grammar", _START),
    Asked("`handrail claim`, the whole process", "claim-command", "", _START),
    Asked("claims per second, one process", "claims-per-second", "", _CLAIM),
    Asked(
        "eight processes that claim without pause: sum",
        "eight-processes",
        "sum",
        """\
The same claim as in the row above, and with eight processes the sync of one is waited for while
others decide; so the sum is nearer to what the processors allow than to what the disk does. Python
decides in one process at a time, because the turn is held from reading to commit: that is what
makes a claim exclusive. Handing the turn on costs a switch of processes each few milliseconds.""",
    ),
    Asked(
        "eight processes: worst wait of any claim",
        "eight-processes",
        "worst wait",
        """\
Claims wait in a queue, so the worst wait is a round of eight turns of four milliseconds and the
syncs between; more means that the machine itself was away, as a shared one is.""",
    ),
    Asked(
        "eight processes: slowest against fastest",
        "eight-processes",
        "slowest",
        "The queue hands out turns evenly; what is uneven is how much a process does in its turn.",
    ),
    Asked(
        "a claim beside 10, 1 000, 100 000 live leases",
        "live-leases",
        "",
        "Candidates are found by index; beside 100 000 leases more of its pages are not in memory.",
    ),
    Asked(
        "PostgreSQL, 32 clients",
        "shared-store",
        "",
        """\
The floor is one statement. A claim is two: one that asks for all it depends on, and one call of a
procedure that takes the workspace's turn, looks again, numbers, chains and writes three rows, and
waits for the disk when it has given the turn back (ADR 0035). So the disk does not bound it, nor a
turn that is held over round trips: what bounds it here is the processors, which 32 clients and the
server share. The rules are Python, and each of the clients has to be woken twice.""",
    ),
    Asked(
        "a ledger of a million entries: the latest of a task",
        "ledger",
        "newest",
        "One row by an index; more means that its pages were not in memory.",
    ),
    Asked(
        "a ledger of a million entries: verify",
        "ledger",
        "verify",
        "Each entry is read, parsed and checked against the one before, not only hashed.",
    ),
    Asked("offer, 50 000 files", "handoff", "offer", _BESIDE_GIT),
    Asked("accept, 50 000 files", "handoff", "accept", _BESIDE_GIT),
    Asked(
        "`check commit`, 50 000 files",
        "check-commit",
        "",
        """\
It asks git for nothing but what is staged, so its own time is a start of Python with its imports
and the rules, however many files there are; the floor grows with them. Where git is quick, or files
are few, Python's start is more than that.""",
    ),
    Asked(
        "rebase of 200 commits, no start of Python for each",
        "git-in-bulk",
        "rebase",
        """\
Git starts a hook some ten times for each commit that it replays, and our part in each is a shell
that reads one line and ends. Starting these shells is most of the time: hooks that hold nothing but
`exit 0` take more than three seconds on such a machine as well, without any hook the rebase takes
about one. So the target cannot be had there with hooks written in sh; what Handrail adds on top is
the last part below. Python starts once, at the very end, however many commits there are.""",
    ),
    Asked(
        "fetch of 300 refs, no start of Python",
        "git-in-bulk",
        "fetch",
        "Git starts a hook twice for each ref, and our part in each is a shell that ends at once.",
    ),
    Asked(
        "a push judged, 20 and 1 000 commits",
        "push",
        "",
        """\
Beyond git's own time there is one start of Python with what judging imports, and git asked for the
differences of all commits at once; a long push is the same for each commit.""",
    ),
)
"""In the order of the table; the last one was asked for with landing, the others from the start."""


def numbers() -> dict[str, Any]:
    """Read what was published."""
    found: dict[str, Any] = json.loads(NUMBERS.read_text(encoding="utf-8"))
    return found


def runs_list(found: Mapping[str, Any]) -> str:
    """Write when, where and how thoroughly it was measured."""
    lines = []
    for number, run in enumerate(found["runs"], start=1):
        machine = run["machine"]
        sketch = " A sketch (`--quick`): few samples, small grounds." if run["quick"] else ""
        load = f"load {machine['load_before']:.1f} before, {machine['load_after']:.1f} after"
        versions = ", ".join(f"{name} {machine[name.lower()]}" for name in ("Python", "SQLite"))
        lines.append(
            f"{number}. {run['at']}: {machine['system']}, {machine['processors']} processors,"
            f" {versions}, git {machine['git']}; {load}.{sketch}\n"
        )
    return "".join(lines)


def rows_table(found: Mapping[str, Any]) -> str:
    """Write every line that was measured, and after them what was not."""
    several = len(found["runs"]) > 1
    head = ("what", "value", "floor", "of", "ratio", "target", "", *(("run",) if several else ()))
    rows = [
        (
            line["what"],
            with_unit(line["value"], line["unit"]),
            with_unit(line["floor"], line["unit"]),
            line["floor_is"],
            f"{line['ratio']:.2f} ×",
            target(line),
            VERDICTS[line["met"]],
            *((str(line["run"] + 1),) if several else ()),
        )
        for line in found["rows"]
    ]
    absent = [asked.what for asked in NUMBERS_TO_REACH if not any(map(asked.fits, found["rows"]))]
    told = f"Not measured: {'; '.join(absent)}." if absent else "Every number was measured."
    return f"{table(head, rows)}\n{told}\n"


def target(line: Mapping[str, Any]) -> str:
    """Write what a line has to reach; a dash where it is for information."""
    bound = line["target"]
    if bound is None:
        return "–"
    sign = "≤" if bound["bound"] == "<=" else "≥"
    if bound["over"]:
        return f"{sign} floor + {bound['limit']:g} {line['unit']}"
    return f"{sign} {bound['limit']:g} {line['unit'] if bound['absolute'] else '×'}"


def spreads_table(found: Mapping[str, Any]) -> str:
    """Write how far the samples of each line lie apart."""
    rows = []
    for line in found["rows"]:
        for name, spread in _spreads(line["detail"]):
            unit = name.rpartition("_")[2].replace("us", "µs")
            figures = [with_unit(spread[key], "") for key in _QUARTILES]
            label = name.rpartition("_")[0].replace("_", " ")
            rows.append((line["what"], label or name, unit, str(spread["samples"]), *figures))
    heads = (key.replace("_", " ") for key in _QUARTILES)
    return table(("what", "of", "unit", "samples", *heads), rows)


_QUARTILES: Final = ("least", "lower_quartile", "median", "upper_quartile", "most")


def _spreads(detail: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in detail.items():
        if isinstance(value, dict) and "upper_quartile" in value:
            yield (name if "_" in name else f"{name}_/s"), value


def misses(found: Mapping[str, Any]) -> str:
    """Write of each line that misses why it does, and where its time goes."""
    parts = [_miss(line) for line in found["rows"] if line["met"] is False]
    return "\n".join(parts) or "None.\n"


def _miss(line: Mapping[str, Any]) -> str:
    figures = (
        f"{with_unit(line['value'], line['unit'])}, {line['ratio']:.2f} × the floor"
        f" ({target(line)} was asked for).\n"
    )
    parts = [f"### {line['what']}\n", figures, f"{reason(line) or 'Not explained yet.'}\n"]
    if line["profile"] is not None:
        parts.append(profile_table(line["profile"]))
    return "\n".join(parts)


def reason(line: Mapping[str, Any]) -> str:
    """Return the words for a line that misses; empty where there are none."""
    return next((asked.why for asked in NUMBERS_TO_REACH if asked.fits(line)), "")


def profile_table(profile: Mapping[str, Any]) -> str:
    """Write where the time goes, and what it is held to."""
    unit, total = profile["unit"], profile["total"]
    rows = [
        (name, with_unit(value, unit), f"{100 * value / total:.0f} %")
        for name, value in profile["parts"]
    ]
    rows.append((f"{profile['what']}, in all", with_unit(total, unit), "100 %"))
    rows += [
        (f"beside it: {name}", with_unit(value, unit), "") for name, value in profile["beside"]
    ]
    return f"{table(('part', 'takes', ''), rows)}\n{profile['how']}\n"


def with_unit(number: float, unit: str) -> str:
    """Write a number with three digits that count, thousands apart."""
    text = f"{number:,.0f}".replace(",", " ") if abs(number) >= 100 else f"{number:.3g}"
    return f"{text} {unit}".rstrip()


def unexplained(found: Mapping[str, Any]) -> Sequence[str]:
    """List the lines of a full run that miss without a word why."""
    return [
        line["what"]
        for line in found["rows"]
        if line["met"] is False and not found["runs"][line["run"]]["quick"] and not reason(line)
    ]
