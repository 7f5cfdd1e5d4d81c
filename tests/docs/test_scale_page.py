"""The model of many agents adds up, and says which of its figures are assumed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tools import scale

COST = scale.Costs(
    sqlite_per_second=1_000.0,
    postgres_per_second=2_000.0,
    postgres_measured=True,
    seconds={"first edit": 0.05, "offer": 0.2},
    bytes_of={kind: 500.0 for habit in scale.HABITS for kind in habit.entries},
    bytes_kept=1.2,
    bytes_a_lease=200.0,
    verify_s=1e-5,
)


def test_what_a_thousand_agents_do_follows_from_what_one_does() -> None:
    load = scale.loaded(1_000, COST)
    an_hour = 12 + 12 + 8 + 4 + 0.5 + 0.5 + 1 + 4
    entries = 12 + 12 + 4 + 2 * 0.5 + 2 * 0.5 + 1 + 4
    assert math.isclose(load.per_second, an_hour / 3.6)
    assert math.isclose(load.peak_per_second, 3 * an_hour / 3.6)
    assert math.isclose(load.claims_per_second, 12 / 3.6)
    assert math.isclose(load.sqlite_share, load.peak_per_second / 1_000)
    assert math.isclose(load.postgres_share, load.peak_per_second / 2_000)
    assert math.isclose(load.entries_a_day, entries * 10_000)
    assert math.isclose(load.bytes_a_year, entries * 10_000 * 500 * 1.2 * 365)
    assert math.isclose(load.verify_year_s, entries * 10_000 * 365e-5)
    assert (load.leases, load.table_bytes) == (6_000, 1_200_000)
    # Little's law: as many are open as begin in a second, times how long each lasts.
    busy = ((an_hour - 1) * 0.05 + 0.2) / 3.6
    assert math.isclose(load.connections, 3 * busy + 10)


def test_a_hundred_times_the_agents_are_a_hundred_times_the_load_but_for_what_all_are_told() -> (
    None
):
    few, many = scale.loaded(10, COST), scale.loaded(1_000, COST)
    for name, one, other in zip(few._fields, few, many, strict=True):
        factor = 10_000 if name == "notices_per_second" else 100
        assert math.isclose(other, factor * one), name


def test_the_agents_at_which_a_bound_is_met_are_those_that_meet_it() -> None:
    one = scale.loaded(1, COST)
    agents = scale.agents_at(scale.SHARE_MAX, one.postgres_share)
    assert scale.loaded(agents, COST).postgres_share <= scale.SHARE_MAX
    assert scale.loaded(agents + 1, COST).postgres_share > scale.SHARE_MAX


def measured(*more: dict[str, Any]) -> dict[str, Any]:
    """Return the least measurement that the model can count with."""
    lines = [
        ("eight-processes", "8 processes: claims per second, sum", 1_000.0, "/s"),
        ("guard", "guard: first edit, claimed by the way", 50.0, "ms"),
        ("handoff", "offer, 50 000 files", 200.0, "ms"),
        ("ledger", "ledger verify, 1 000 000 entries", 10.0, "s"),
        ("entry-bytes", "a store's file, for each entry of leases that come and go", 600.0, "B"),
        ("entry-bytes", "a live lease, in all tables", 200.0, "B"),
        *(("entry-bytes", f"an entry `{kind}`", 500.0, "B") for kind in COST.bytes_of),
    ]
    keys = ("row", "what", "value", "unit")
    rows = [{**dict(zip(keys, one, strict=True)), "ratio": 1.2} for one in lines]
    return {"runs": [], "rows": [*rows, *more]}


def test_costs_are_taken_from_the_measurement_and_what_is_assumed_is_called_so() -> None:
    found = scale.costs(measured())
    assert found == COST._replace(postgres_per_second=2_345.0, postgres_measured=False)
    assert "PostgreSQL, 32 clients (assumed" in scale.costs_table(measured())
    row = {"row": scale.SHARED, "what": "32 clients", "value": 2_000.0, "unit": "/s", "ratio": 0.7}
    assert scale.costs(measured(row)) == COST
    assert "PostgreSQL, 32 clients (measured)" in scale.costs_table(measured(row))
    with pytest.raises(KeyError, match="first edit"):
        scale.costs({"rows": [one for one in measured()["rows"] if one["row"] != "guard"]})


def test_the_tables_show_each_load_in_a_column_of_its_own() -> None:
    load = scale.load_table(measured())
    assert load.startswith("| agents at work at once | 10 | 1 000 | 100 000 |")
    assert "| claims a second | 0.0333 | 3.33 | 333 |" in load
    assert "| 3.5 × over |" in load
    assert "| ledger a year | " in load
    ends = scale.ends_table(measured())
    assert "| one SQLite file | half of its transactions, at the peak (3 ×) | some 14 000 |" in ends
    assert len(scale.habits_table({}).splitlines()) == 3 + len(scale.HABITS)
