"""What a run leaves behind: a report in JSON, and out of reports the one that is published.

Promise: nothing in it names the machine but its system, how many processors it has, and the
versions of Python, SQLite and git. Later reports replace the rows of earlier ones, so that one row
can be measured again; each row says in which run it was measured.

    published([yesterday, today])["rows"]   # today's, and of yesterday's what today has not
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from typing import Any, Final, NotRequired, TypedDict

import apsw

from bench.measure import Profile, Result

DIGITS: Final = 4
"""So many digits of a number are published: more would be noise, and noise in every difference."""


class Machine(TypedDict):
    """What may be known of where it was measured."""

    system: str
    processors: int | None
    load_before: float
    load_after: float
    python: str
    sqlite: str
    git: str


class Row(TypedDict):
    """One line of the table, and what explains it; ``run`` counts the runs of what is published."""

    row: str
    what: str
    value: float
    unit: str
    floor: float
    floor_is: str
    ratio: float
    target: dict[str, object] | None
    met: bool | None
    detail: dict[str, object]
    profile: dict[str, object] | None
    run: NotRequired[int]


class Run(TypedDict):
    """When, how long and where; ``quick`` runs are sketches."""

    at: str
    quick: bool
    machine: Machine


class Report(Run):
    """What one run writes."""

    rows: list[Row]


class Published(TypedDict):
    """What is committed: rows, and the runs that they are from."""

    runs: list[Run]
    rows: list[Row]


def reported(
    results: Sequence[Result], profiles: Sequence[Profile | None], *, quick: bool, load: float
) -> Report:
    """Return the report of a run whose load was ``load`` when it began."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": quick,
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
            "load_before": load,
            "load_after": os.getloadavg()[0],
            "python": platform.python_version(),
            "sqlite": apsw.sqlite_lib_version(),
            "git": _git_version(),
        },
        "rows": [_row(*pair) for pair in zip(results, profiles, strict=True)],
    }


def _row(result: Result, profile: Profile | None) -> Row:
    return {
        "row": result.row,
        "what": result.what,
        "value": result.value,
        "unit": result.unit,
        "floor": result.floor,
        "floor_is": result.floor_is,
        "ratio": result.ratio,
        "target": None if result.target is None else result.target._asdict(),
        "met": result.met,
        "detail": result.detail,
        "profile": None if profile is None else profile._asdict(),
    }


def _git_version() -> str:
    told = subprocess.run(["git", "version"], stdout=subprocess.PIPE, text=True, check=True)
    return told.stdout.split()[2]


def published(reports: Sequence[Report]) -> Published:
    """Join reports, oldest first: each row as the last run that measured it found it.

    Of a row all lines are taken from that run or none. Runs of which nothing is left are not named.
    """
    taken = {row["row"]: number for number, one in enumerate(reports) for row in one["rows"]}
    kept = sorted(set(taken.values()))
    runs: list[Run] = [
        {"at": one["at"], "quick": one["quick"], "machine": one["machine"]}
        for one in (reports[number] for number in kept)
    ]
    rows: list[Row] = [
        {**row, "run": kept.index(number)}
        for name, number in taken.items()
        for row in reports[number]["rows"]
        if row["row"] == name
    ]
    return {"runs": runs, "rows": [_rounded(row) for row in rows]}


def written(document: Report | Published) -> str:
    """Write a document the one way."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
