"""The page about speed says what was measured, what was not, and why what misses does."""

from __future__ import annotations

import platform
import re
from typing import Any

import pytest

from bench.profiles import PROFILES
from bench.report import Report, published, written
from tools import speed


def line(**fields: Any) -> dict[str, Any]:
    """Return a line of a measurement, that of a claim unless said otherwise."""
    bound = {"bound": ">=", "limit": 0.6, "absolute": False, "over": False}
    usual = {
        "row": "claims-per-second",
        "what": "claims per second, one process",
        "value": 400.0,
        "unit": "/s",
        "floor": 1000.0,
        "floor_is": "insert-only, FULL",
        "ratio": 0.4,
        "target": bound,
        "met": False,
        "detail": {},
        "profile": None,
    }
    return {**usual, **fields}


def report(at: str, *rows: dict[str, Any], quick: bool = False) -> Any:
    machine = {"system": "Linux", "processors": 2, "load_before": 1.0, "load_after": 1.25}
    versions = {"python": "3.11.7", "sqlite": "3.54.1", "git": "2.39.5"}
    return {"at": at, "quick": quick, "machine": {**machine, **versions}, "rows": list(rows)}


def test_of_several_runs_each_row_is_taken_as_the_last_one_found_it() -> None:
    claim, again = line(), line(value=700.0, ratio=0.7, met=True)
    push = line(row="push", what="20 commits")
    reports: list[Report] = [report("1", line(row="ledger")), report("2", claim, push)]
    found = published([*reports, report("3", again), report("4", line(row="ledger"))])
    assert [run["at"] for run in found["runs"]] == ["2", "3", "4"], "of the first nothing is left"
    taken = {(row["row"], row["value"], row["run"]) for row in found["rows"]}
    assert taken == {("ledger", 400.0, 2), ("claims-per-second", 700.0, 1), ("push", 400.0, 0)}


def test_numbers_are_published_with_the_digits_that_mean_something() -> None:
    detail = {"claims": {"samples": 40, "median": 1234.5678}, "all": [0.00012345678], "n": 123456}
    found = published([report("1", line(value=2 / 3, detail=detail))])["rows"][0]
    assert (found["value"], found["met"]) == (0.6667, False)
    rounded = {"claims": {"samples": 40, "median": 1235.0}, "all": [0.0001235], "n": 123456}
    assert found["detail"] == rounded


def test_a_line_says_how_it_stands_to_its_target_and_the_page_what_is_missing() -> None:
    over = {"bound": "<=", "limit": 120, "absolute": False, "over": True}
    at_most = {"bound": "<=", "limit": 50, "absolute": True, "over": False}
    rows = [
        line(),
        line(row="handoff", what="offer", unit="ms", target=over, met=True),
        line(row="ledger", what="newest entry", unit="µs", target=at_most, met=True),
        line(row="may-write", what="a look", target=None, met=None),
    ]
    told = speed.rows_table({"runs": [{}], "rows": rows})
    for cells in (
        "| 0.40 × | ≥ 0.6 × | **missed** |",
        "| ≤ floor + 120 ms | met |",
        "| ≤ 50 µs | met |",
        "| – | for information |",
    ):
        assert cells in told
    absent = told.partition("Not measured: ")[2]
    assert "PostgreSQL, 32 clients" in absent
    assert "accept, 50 000 files" in absent
    assert "claims per second, one process" not in absent
    assert "offer" not in absent


def test_what_misses_is_told_with_the_reason_and_where_its_time_goes() -> None:
    profile = {
        "what": "one claim",
        "unit": "µs",
        "total": 500.0,
        "parts": [["waiting", 300.0], ["Python", 200.0]],
        "beside": [["one insert", 310.0]],
        "how": "By two clocks.",
    }
    told = speed.misses({"rows": [line(profile=profile), line(row="push", met=True)]})
    assert told.count("###") == 1
    for words in (
        "400 /s, 0.40 × the floor (≥ 0.6 × was asked for)",
        "A claim decides: it reads the session",
        "| waiting | 300 µs | 60 % |",
        "| one claim, in all | 500 µs | 100 % |",
        "| beside it: one insert | 310 µs |  |",
        "By two clocks.",
    ):
        assert words in told
    assert speed.misses({"rows": [line(met=True)]}) == "None.\n"


def test_each_line_of_a_full_run_that_misses_is_explained_in_words_and_by_a_profile() -> None:
    found = speed.numbers()
    assert list(speed.unexplained(found)) == []
    without = [
        row["what"]
        for row in found["rows"]
        if row["met"] is False
        and not found["runs"][row["run"]]["quick"]
        and any(row["what"].startswith(begins) for begins in PROFILES.get(row["row"], ()))
        and row["profile"] is None
    ]
    assert without == []
    strange = line(row="strange", run=0)
    assert speed.unexplained({"runs": [{"quick": False}], "rows": [strange]}) == [strange["what"]]


def test_what_is_published_names_no_machine() -> None:
    text = speed.NUMBERS.read_text(encoding="utf-8")
    found = speed.numbers()
    assert text == written(found), "python -m bench.publish writes it"  # type: ignore[arg-type]
    assert not re.search(r"/\w+/", text), "a path"
    assert not platform.node() or f'"{platform.node()}"' not in text
    known = {"system", "processors", "load_before", "load_after", "python", "sqlite", "git"}
    for run in found["runs"]:
        assert set(run) == {"at", "quick", "machine"}
        assert set(run["machine"]) == known
        assert re.fullmatch(r"\w+ \w+", run["machine"]["system"])


@pytest.mark.parametrize("asked", speed.NUMBERS_TO_REACH, ids=lambda asked: asked.what)
def test_every_number_to_reach_has_words_for_the_day_that_it_is_missed(asked: speed.Asked) -> None:
    assert len(asked.why.split()) > 8
