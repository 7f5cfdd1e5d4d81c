"""Measure, print the table, write the numbers."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.ground import PROGRAM, RESULTS
from bench.measure import Profile, Result
from bench.profiles import PROFILES
from bench.report import reported, written
from bench.rows import ROWS

HEADINGS = ("row", "what", "value", "floor", "ratio", "target", "")


def main(argv: Sequence[str]) -> int:
    """Run the rows asked for; returns 1 with ``--check`` where a target was missed, else 0."""
    asked = _parser().parse_args(argv)
    if not PROGRAM.exists():
        print(f"bench: {PROGRAM} is not there; make bench installs it", file=sys.stderr)
        return 2
    names = {*(asked.only or ()), *(asked.profile or ())}
    results: list[Result] = []
    profiles: list[Profile | None] = []
    load = os.getloadavg()[0]
    for row in ROWS:
        if names and row.name not in names:
            continue
        print(f"measuring {row.name}: {row.what} ...", file=sys.stderr, flush=True)
        found = row.measure(asked.quick)
        results += found
        profiles += _profiled(found, quick=asked.quick, always=row.name in (asked.profile or ()))
    print(_table(results))
    for profile in filter(None, profiles):
        print(_shown(profile))
    out = Path(asked.out) if asked.out else RESULTS / f"{time.strftime('%Y%m%dT%H%M%S')}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    report = reported(results, profiles, quick=asked.quick, load=load)
    out.write_text(written(report), encoding="utf-8")
    print(f"\nwritten to {out}", file=sys.stderr)
    return 1 if asked.check and any(result.met is False for result in results) else 0


def _profiled(found: Sequence[Result], *, quick: bool, always: bool) -> list[Profile | None]:
    """Say where the time goes of each line that asks for it: one that misses, in a full run."""
    profiles: list[Profile | None] = []
    for result in found:
        profile = None
        if always or (result.met is False and not quick):
            for begins, measure in PROFILES.get(result.row, {}).items():
                if profile is None and result.what.startswith(begins):
                    print(f"profiling {result.what} ...", file=sys.stderr, flush=True)
                    profile = measure(result, quick)
        profiles.append(profile)
    return profiles


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Numbers beside their floors.")
    names = [row.name for row in ROWS]
    parser.add_argument(
        "--only", action="append", choices=names, metavar="ROW", help=f"one of {', '.join(names)}"
    )
    parser.add_argument(
        "--profile",
        action="append",
        choices=sorted(PROFILES),
        metavar="ROW",
        help=f"measure it and say where its time goes: one of {', '.join(sorted(PROFILES))};"
        " a full run says so by itself of a row that misses",
    )
    parser.add_argument("--quick", action="store_true", help="a sketch, in seconds")
    parser.add_argument("--out", metavar="FILE", help="where the JSON goes")
    parser.add_argument("--check", action="store_true", help="exit with 1 on a missed target")
    return parser


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


def _shown(profile: Profile) -> str:
    lines = [f"\n{profile.what}: {_figure(profile.total)} {profile.unit}"]
    for name, value in profile.parts:
        lines.append(f"  {_figure(value):>8} {profile.unit}  {name}")
    for name, value in profile.beside:
        lines.append(f"  ({_figure(value)} {profile.unit}: {name})")
    return "\n".join([*lines, f"  {profile.how}"])


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
