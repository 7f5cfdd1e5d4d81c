"""``python -m bench``: it runs from end to end, and each row stands beside its floor."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from bench.ground import environment
from bench.measure import Result, Target, in_turn, spread
from bench.process import run
from bench.profiles import PROFILES, claims
from bench.profiles.programs import joined
from bench.rows import ROWS
from bench.rows.handing import handing
from bench.rows.history import ALLOWED, git_in_bulk
from tests.support import ROOT, Handrail, Repo

TIMEOUT_S: Final = 300
FILES_HANDED: Final = 50


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    # The floor of the numbers is the file system of the checkout: nothing else may be left there.
    return subprocess.run(
        (sys.executable, "-m", "bench", *words),
        cwd=ROOT,
        env=os.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )


def left() -> set[Path]:
    return set((ROOT / "bench" / "results").glob("scratch-*"))


@pytest.mark.serial
@pytest.mark.nightly
def test_a_quick_run_measures_every_row_beside_its_floor(tmp_path: Path) -> None:
    out, before = tmp_path / "new" / "numbers.json", left()
    done = bench("--quick", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert left() == before
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["quick"] is True
    assert report["machine"]["processors"] == os.cpu_count()
    rows: list[dict[str, Any]] = report["rows"]
    assert list(dict.fromkeys(row["row"] for row in rows)) == [row.name for row in ROWS]
    for row in rows:
        assert all(number_of(row[name]) > 0 for name in ("value", "floor", "ratio")), row
        assert math.isclose(row["ratio"], row["value"] / row["floor"])
        assert row["unit"]
        assert row["floor_is"]
        if row["target"] is None:
            assert row["met"] is None
        else:
            assert set(row["target"]) == {"bound", "limit", "absolute", "over"}
            assert row["met"] is Target(**row["target"]).met(row["value"], row["ratio"])
    table = done.stdout.splitlines()
    assert table[0].split() == ["row", "what", "value", "floor", "ratio", "target"]
    assert len(table) == 1 + len(rows)
    for line, row in zip(table[1:], rows, strict=True):
        assert line.startswith(row["row"])
        assert line.endswith({True: "ok", False: "MISS", None: "info"}[row["met"]])


def number_of(value: object) -> float:
    assert isinstance(value, int | float)
    return value


def test_one_row_can_be_asked_for_alone(tmp_path: Path) -> None:
    out = tmp_path / "numbers.json"
    done = bench("--quick", "--only", "may-write", "--out", str(out))
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert {row["row"] for row in rows} == {"may-write"}


@pytest.mark.nightly
def test_the_guard_is_measured_through_the_hook_that_init_wrote(tmp_path: Path) -> None:
    out, before = tmp_path / "numbers.json", left()
    names = ("guard", "check-commit", "handoff")
    asked = [word for name in names for word in ("--only", name)]
    done = bench("--quick", *asked, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert left() == before
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    limits = [row["target"]["limit"] for row in rows]
    assert limits == [2.25, 2.25, 6, 6, 2.25, 7, 120, 120, 1]
    assert [row["target"]["over"] for row in rows] == [False] * 6 + [True, True, False]
    assert {row["floor_is"] for row in rows[:-3]} == {"python3 -I -S -c pass"}
    assert {row["floor_is"] for row in rows[-3:]} == {"git status"}


def test_a_hook_that_answers_otherwise_than_expected_ends_the_benchmark(tmp_path: Path) -> None:
    shell = ("/bin/sh", "-c", 'read -r line; [ "$line" = asked ] && exit 2')
    run(shell, tmp_path, {}, stdin=b"asked\n", status=2)
    for stdin, status in ((b"asked\n", 0), (b"other\n", 2)):
        with pytest.raises(SystemExit, match=f"did not end with {status}"):
            run(shell, tmp_path, {}, stdin=stdin, status=status)


@pytest.mark.nightly
def test_interpreters_that_git_starts_are_counted_and_not_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, before = tmp_path / "numbers.json", left()
    done = bench("--quick", "--only", "git-in-bulk", "--out", str(out))
    assert done.returncode == 0, done.stderr
    rebase, fetch = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert set(rebase["detail"]["interpreters_started"]) == {1}
    assert set(fetch["detail"]["interpreters_started"]) == {0}
    monkeypatch.setitem(ALLOWED, "rebase", 0)
    with pytest.raises(SystemExit, match="started 1 interpreters"):
        git_in_bulk(quick=True)
    assert left() == before


def test_a_profile_says_where_the_time_of_its_row_goes_and_its_parts_add_up(tmp_path: Path) -> None:
    out = tmp_path / "numbers.json"
    done = bench("--quick", "--profile", "claims-per-second", "--out", str(out))
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(out.read_text(encoding="utf-8"))["rows"]
    check_profile(row)
    assert "Python: core" in done.stdout
    parts = dict(row["profile"]["parts"])
    assert {"Python: core", "Python: service", "Python: store", claims.SQLITE} <= set(parts)


def check_profile(row: dict[str, Any]) -> None:
    profile = row["profile"]
    assert profile["row"] == row["row"]
    assert len(profile["parts"]) > 1
    assert math.isclose(sum(value for _, value in profile["parts"]), profile["total"])


@pytest.mark.serial
@pytest.mark.nightly
def test_every_row_that_has_a_profile_can_be_asked_for_it(tmp_path: Path) -> None:
    out, before = tmp_path / "numbers.json", left()
    asked = [word for name in PROFILES for word in ("--profile", name)]
    done = bench("--quick", *asked, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert left() == before
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert {row["row"] for row in rows} == set(PROFILES)
    for row in rows:
        begins = PROFILES[row["row"]]
        if any(row["what"].startswith(one) for one in begins):
            check_profile(row)
        else:
            assert row["profile"] is None


@pytest.mark.parametrize(
    ("spans", "lasts"),
    [
        ([], 0),
        ([(1, 3)], 2),
        ([(1, 3), (2, 5)], 4),
        ([(4, 5), (1, 9)], 8),
        ([(1, 2), (4, 5)], 2),
    ],
)
def test_what_runs_at_the_same_time_is_counted_once(
    spans: list[tuple[float, float]], lasts: float
) -> None:
    assert joined(spans) == lasts


def test_a_row_that_is_not_there_is_refused_with_those_that_are() -> None:
    done = bench("--only", "nonsense")
    assert done.returncode == 2
    assert "claims-per-second" in done.stderr


@pytest.mark.parametrize(
    ("target", "value", "floor", "met"),
    [
        (Target("<=", 2), 10.0, 5.0, True),
        (Target("<=", 2), 10.1, 5.0, False),
        (Target(">=", 2), 10.0, 5.0, True),
        (Target(">=", 2), 9.9, 5.0, False),
        (Target("<=", 50, absolute=True), 50.0, 1.0, True),
        (Target("<=", 50, absolute=True), 50.1, 1.0, False),
        (Target("<=", 120, over=True), 160.0, 40.0, True),
        (Target("<=", 120, over=True), 160.1, 40.0, False),
        (None, 1.0, 1.0, None),
    ],
)
def test_a_target_is_met_at_its_bound_and_missed_beyond(
    target: Target | None, value: float, floor: float, met: bool | None
) -> None:
    assert Result("row", "what", value, "ms", floor, "nothing", target).met is met


def test_subjects_take_turns_and_change_the_order() -> None:
    order: list[str] = []

    def subject(name: str, sample: float) -> float:
        order.append(name)
        return sample

    samples = in_turn(2, lambda: subject("a", 1.0), lambda: subject("b", 2.0))
    assert order == ["a", "b", "b", "a"]
    assert samples == [[1.0, 1.0], [2.0, 2.0]]


def test_a_spread_of_one_sample_is_that_sample() -> None:
    assert spread([0.5], 1_000) == {
        "samples": 1,
        "least": 500.0,
        "lower_quartile": 500.0,
        "median": 500.0,
        "upper_quartile": 500.0,
        "most": 500.0,
    }


# What a claim can do without, and what each of them costs: a tenth of the whole command, or more.
NEEDLESS: Final = frozenset(
    {
        *("asyncio", "click", "dataclasses", "hashlib", "importlib.metadata", "inspect", "json"),
        "logging",
        *(
            "pathlib",
            "rich",
            "shutil",
            "subprocess",
            "tempfile",
            "threading",
            "tomllib",
            "typing",
            "unittest",
        ),
    }
)


LOADED: Final = "MODULES "
ASKED: Final = f"""
import os, sys
end = os._exit
def told(status):
    sys.stdout.write("\\n{LOADED}" + " ".join(sys.modules) + "\\n")
    sys.stdout.flush()
    end(status)
os._exit = told
from handrail.edge.cli.main import entry
entry()
"""


def loaded_by(folder: Path, session: str, words: Sequence[str]) -> set[str]:
    """Run a command in a process of its own; returns what it has imported when it ends."""
    done = subprocess.run(
        (sys.executable, "-I", "-c", ASKED, *words),
        cwd=folder,
        env=environment(session),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return set(done.stdout.rpartition(LOADED)[2].split())


def test_commands_of_every_day_import_nothing_for_annotations_alone() -> None:
    """``typing`` takes as long as most of what such a command decides."""
    with handing(FILES_HANDED, 1) as (folder, offers, accepts):
        commands = {
            "handrail.service.offering": ("giver", next(offers)[1:]),
            "handrail.service.answering": ("receiver", next(accepts)[1:]),
            "handrail.service.board": ("giver", ["status"]),
            "handrail.service.commit_check": ("giver", ["check", "commit"]),
            "handrail.service.verification": ("giver", ["verify", "HEAD..HEAD"]),
        }
        loaded = {does: loaded_by(folder, *asked) for does, asked in commands.items()}
    assert [does for does, names in loaded.items() if does not in names] == []
    ours = [does for does in loaded if not does.endswith("verification")]  # ``tempfile`` brings it
    assert [does for does in ours if "typing" in loaded[does]] == []
    assert [does for does, names in loaded.items() if {"click", "rich"} & names] == []


def test_a_claim_imports_nothing_that_it_does_not_need(repo: Repo, handrail: Handrail) -> None:
    assert handrail("init").code == 0
    assert handrail("session", "start", "--id", "s-1").code == 0
    done = subprocess.run(
        (sys.executable, "-I", "-X", "importtime", "-m", "handrail", "claim", "src/api"),
        cwd=repo.path,
        env={**os.environ, "HANDRAIL_SESSION": "s-1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "handrail.service.claims" in loaded
    assert sorted(loaded & NEEDLESS) == []
