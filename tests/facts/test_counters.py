"""Counters of hooks: an append each, bounded, and nobody's trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from handrail.facts import counters
from handrail.facts.counters import Counters


def test_counts_add_up_over_processes_and_names(tmp_path: Path) -> None:
    Counters(str(tmp_path)).add("one")
    Counters(str(tmp_path)).add("two", 3)
    Counters(str(tmp_path)).add("two")
    assert Counters(str(tmp_path)).all() == {"one": 1, "two": 4}
    (tmp_path / "state.db").write_bytes(b"x")
    assert list(Counters(str(tmp_path)).all()) == ["one", "two"]


def test_a_counter_stops_at_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "COUNT_MAX", 5)
    for _ in range(3):
        Counters(str(tmp_path)).add("one", 2)
    assert Counters(str(tmp_path)).all() == {"one": 5}


def test_a_counter_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    Counters(str(tmp_path / "nowhere")).add("one")
    assert Counters(str(tmp_path / "nowhere")).all() == {}
    (tmp_path / "count.two").symlink_to(tmp_path / "elsewhere")
    Counters(str(tmp_path)).add("two")
    assert not (tmp_path / "elsewhere").exists()
