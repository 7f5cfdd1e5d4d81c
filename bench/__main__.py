"""Measure, print the table, write the numbers."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import apsw

from bench.ground import PROGRAM, RESULTS
from bench.measure import Result
from bench.rows import ROWS

HEADINGS = ("row", "what", "value", "floor", "ratio", "target", "")


def main(argv: Sequence[str]) -> int:
    """Run the rows asked for; returns 1 with ``--check`` where a target was missed, else 0."""
    asked = _parser().parse_args(argv)
    if not PROGRAM.exists():
        print(f"bench: {PROGRAM} is not there; make bench installs it", file=sys.stderr)
        return 2
    chosen = [row for row in ROWS if not asked.only or row.name in asked.only]
    results: list[Result] = []
    load = os.getloadavg()[0]
    for row in chosen:
        print(f"measuring {row.name}: {row.what} ...", file=sys.stderr, flush=True)
        results += row.measure(asked.quick)
    print(_table(results))
    out = Path(asked.out) if asked.out else RESULTS / f"{time.strftime('%Y%m%dT%H%M%S')}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(_report(results, quick=asked.quick, load=load), indent=1) + "\n")
    print(f"\nwritten to {out}", file=sys.stderr)
    return 1 if asked.check and any(result.met is False for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Numbers beside their floors.")
    names = [row.name for row in ROWS]
    parser.add_argument(
        "--only", action="append", choices=names, metavar="ROW", help=f"one of {', '.join(names)}"
    )
    parser.add_argument("--quick", action="store_true", help="a sketch, in seconds")
    parser.add_argument("--out", metavar="FILE", help="where the JSON goes")
    parser.add_argument("--check", action="store_true", help="exit with 1 on a missed target")
    return parser


def _report(results: Sequence[Result], *, quick: bool, load: float) -> dict[str, object]:
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": quick,
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "load_before": load,
            "load_after": os.getloadavg()[0],
            "python": platform.python_version(),
            "sqlite": apsw.sqlite_lib_version(),
        },
        "rows": [
            {
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
            }
            for result in results
        ],
    }


def _table(results: Sequence[Result]) -> str:
    rows = [HEADINGS, *map(_cells, results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _cells(result: Result) -> tuple[str, ...]:
    target = ""
    if result.target is not None:
        sign = "≤" if result.target.bound == "<=" else "≥"
        plain = result.target.absolute or result.target.over
        unit = f" {result.unit}" if plain else " ×"
        above = "floor + " if result.target.over else ""
        target = f"{sign} {above}{result.target.limit:g}{unit}"
    return (
        result.row,
        result.what,
        f"{_figure(result.value)} {result.unit}",
        f"{_figure(result.floor)} {result.unit}",
        f"{result.ratio:.2f} ×",
        target,
        {True: "ok", False: "MISS", None: "info"}[result.met],
    )


def _figure(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ") if number >= 100 else f"{number:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
