"""What many agents would need of a store: a model on paper, out of what was measured and assumed.

Promise: pure arithmetic, each step a field with a name; what is measured comes from
``docs/speed.json``, what is assumed stands in ``HABITS`` and the constants below it with its
reason, and both are printed. Not promised: that agents behave so. Who knows better figures changes
a line and draws the page anew.

    load = loaded(1_000, costs(numbers()))
    load.peak_per_second       # transactions, when all are busy at once
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tools.markdown import table
from tools.speed import with_unit

AGENTS: Final = (10, 1_000, 100_000)
BUSY_HOURS: Final = 10
PEAK: Final = 3
SHARE_MAX: Final = 0.5
SECONDS_AN_HOUR: Final = 3_600
DAYS_A_YEAR: Final = 365


class Habit(NamedTuple):
    """What an agent at work does an hour: transactions, and the entries that they leave.

    ``bytes_of`` are the kinds of these entries, ``takes`` the row of the command that does it.
    """

    what: str
    an_hour: float
    entries: tuple[str, ...]
    takes: str
    why: str


CLAIMS: Final = Habit(
    "claims, mostly at the first edit of a file",
    12,
    ("lease.granted",),
    "first edit",
    "three files for each commit: in three real histories of 8 271 commits the means are 2.5,"
    " 3.1 and 3.3",
)
RENEWALS: Final = Habit(
    "renewals",
    8,
    (),
    "first edit",
    "six leases held at once, each renewed past half of its 90 minutes; no entry is written",
)
OFFERS: Final = Habit(
    "packets offered",
    0.5,
    ("packet.offered", "lease.released"),
    "offer",
    "one every two hours; the scope leaves with it",
)
HABITS: Final = (
    CLAIMS,
    Habit(
        "leases that end",
        12,
        ("lease.released",),
        "first edit",
        "each that was claimed; most end with a commit, here each in a transaction of its own",
    ),
    RENEWALS,
    Habit(
        "commits attested",
        4,
        ("commit.attested",),
        "first edit",
        "one every quarter of an hour: an agent that commits each step",
    ),
    OFFERS,
    Habit(
        "packets accepted",
        0.5,
        ("packet.accepted", "lease.granted"),
        "offer",
        "each that was offered; the scope comes with it",
    ),
    Habit(
        "sessions begun and ended",
        1,
        ("session.started",),
        "first edit",
        "a session of two hours; its end is weighed as its beginning",
    ),
    Habit(
        "receipts and verdicts",
        4,
        ("commit.attested",),
        "first edit",
        "a test run and a gate each half hour; weighed as attestations",
    ),
)
HELD_AT_ONCE: Final = 6
WAITERS_SHARE: Final = 0.01
"""Of agents, those that wait for a scope or watch the status at one moment."""
CONNECTIONS_MAX: Final = 100
"""What a PostgreSQL server allows unless it is told otherwise."""
SHARED: Final = "shared-store"
"""The row that measures PostgreSQL under 32 clients."""
ASSUMED_POSTGRES: Final = 2_345.0
"""Claims per second by one function under one lock, as measured before there was a store for it."""
LEDGER_BYTES_MAX: Final = 100e9
"""A ledger that is still copied, verified and restored within hours."""


class Costs(NamedTuple):
    """What was measured: claims per second, seconds of a command, bytes of entries."""

    sqlite_per_second: float
    postgres_per_second: float
    postgres_measured: bool
    seconds: Mapping[str, float]
    bytes_of: Mapping[str, float]
    bytes_kept: float
    """What a file takes for each byte of its entries."""
    bytes_a_lease: float
    """What a live lease takes in all tables."""
    verify_s: float
    """Seconds for each entry that is verified."""


class Load(NamedTuple):
    """What so many agents do to one store."""

    agents: int
    claims_per_second: float
    renewals_per_second: float
    handoffs_per_second: float
    per_second: float
    peak_per_second: float
    sqlite_share: float
    postgres_share: float
    connections: float
    notices_per_second: float
    entries_a_day: float
    bytes_a_day: float
    bytes_a_year: float
    verify_year_s: float
    leases: int
    table_bytes: float


def costs(numbers: Mapping[str, Any]) -> Costs:
    """Take out of a measurement what the model counts with; raises KeyError for what is missing."""
    rows = numbers["rows"]

    def value(row: str, contains: str) -> float:
        for line in rows:
            if line["row"].startswith(row) and contains in line["what"]:
                return float(line["value"])
        raise KeyError(f"{row}: {contains}")

    kinds = {kind for habit in HABITS for kind in habit.entries}
    postgres = [row for row in rows if row["row"] == SHARED and row["unit"] == "/s"]
    file = next(row for row in rows if "a store's file" in row["what"])
    verified = next(row for row in rows if row["what"].startswith("ledger verify"))
    entries = int("".join(filter(str.isdigit, verified["what"])))
    return Costs(
        sqlite_per_second=value("eight-processes", "sum"),
        postgres_per_second=postgres[0]["value"] if postgres else ASSUMED_POSTGRES,
        postgres_measured=bool(postgres),
        seconds={
            "first edit": value("guard", "first edit") / 1000,
            "offer": value("handoff", "offer") / 1000,
        },
        bytes_of={kind: value("entry-bytes", f"`{kind}`") for kind in kinds},
        bytes_kept=file["ratio"],
        bytes_a_lease=value("entry-bytes", "a live lease"),
        verify_s=verified["value"] / entries,
    )


def loaded(agents: int, cost: Costs) -> Load:
    """Count what so many agents at work at once do to one store."""
    each = agents / SECONDS_AN_HOUR
    per_second = sum(habit.an_hour for habit in HABITS) * each
    busy_s = sum(habit.an_hour * cost.seconds[habit.takes] for habit in HABITS) * each
    entries = sum(habit.an_hour * len(habit.entries) for habit in HABITS)
    size = sum(h.an_hour * sum(cost.bytes_of[kind] for kind in h.entries) for h in HABITS)
    a_day = agents * BUSY_HOURS
    peak = per_second * PEAK
    return Load(
        agents=agents,
        claims_per_second=CLAIMS.an_hour * each,
        renewals_per_second=RENEWALS.an_hour * each,
        handoffs_per_second=OFFERS.an_hour * each,
        per_second=per_second,
        peak_per_second=peak,
        sqlite_share=peak / cost.sqlite_per_second,
        postgres_share=peak / cost.postgres_per_second,
        connections=busy_s * PEAK + agents * WAITERS_SHARE,
        notices_per_second=peak * agents * WAITERS_SHARE,
        entries_a_day=entries * a_day,
        bytes_a_day=size * cost.bytes_kept * a_day,
        bytes_a_year=size * cost.bytes_kept * a_day * DAYS_A_YEAR,
        verify_year_s=entries * a_day * DAYS_A_YEAR * cost.verify_s,
        leases=agents * HELD_AT_ONCE,
        table_bytes=float(agents * HELD_AT_ONCE * cost.bytes_a_lease),
    )


def agents_at(limit: float, of_one: float) -> int:
    """Return how many agents use up a limit of which one uses so much."""
    return int(limit / of_one)


# --- the page ------------------------------------------------------------------------------------


def habits_table(numbers: Mapping[str, Any]) -> str:
    """Write what is assumed of an agent."""
    rows = [
        (habit.what, f"{habit.an_hour:g}", str(len(habit.entries)), habit.why) for habit in HABITS
    ]
    whole = sum(habit.an_hour for habit in HABITS)
    entries = sum(habit.an_hour * len(habit.entries) for habit in HABITS)
    rows.append(("in all", f"{whole:g}", f"{entries:g} an hour", ""))
    return table(("an agent at work, an hour", "times", "entries each", "because"), rows)


def costs_table(numbers: Mapping[str, Any]) -> str:
    """Write what the model takes from the measurement."""
    cost = costs(numbers)
    where = "measured" if cost.postgres_measured else "assumed: this run has no such row"
    rows = [
        ("durable claims a second, SQLite, eight processes", f"{cost.sqlite_per_second:,.0f}"),
        (
            f"durable claims a second, PostgreSQL, 32 clients ({where})",
            f"{cost.postgres_per_second:,.0f}",
        ),
        *((f"a whole process: {n}", with_unit(s * 1000, "ms")) for n, s in cost.seconds.items()),
        *((f"`{kind}`", with_unit(size, "B")) for kind, size in sorted(cost.bytes_of.items())),
        ("bytes of the file for each byte of entries", f"{cost.bytes_kept:.2f}"),
        ("a live lease, in all tables", with_unit(cost.bytes_a_lease, "B")),
        ("verifying an entry", with_unit(cost.verify_s * 1e6, "µs")),
    ]
    return table(("measured", "figure"), [(what, text.replace(",", " ")) for what, text in rows])


def load_table(numbers: Mapping[str, Any]) -> str:
    """Write what ten, a thousand and a hundred thousand agents do to a store."""
    found = [loaded(agents, costs(numbers)) for agents in AGENTS]
    lines = (
        ("claims a second", lambda load: with_unit(load.claims_per_second, "")),
        ("renewals a second", lambda load: with_unit(load.renewals_per_second, "")),
        ("handoffs a second", lambda load: with_unit(load.handoffs_per_second, "")),
        ("transactions a second, mean", lambda load: with_unit(load.per_second, "")),
        (
            f"transactions a second, peak ({PEAK} ×)",
            lambda load: with_unit(load.peak_per_second, ""),
        ),
        ("peak, of what one SQLite file takes", lambda load: _share(load.sqlite_share)),
        ("peak, of what one PostgreSQL workspace takes", lambda load: _share(load.postgres_share)),
        ("connections at the peak", lambda load: with_unit(load.connections, "")),
        (
            "notifications delivered a second, peak",
            lambda load: with_unit(load.notices_per_second, ""),
        ),
        ("entries a day", lambda load: with_unit(load.entries_a_day, "")),
        ("ledger a day", lambda load: _bytes(load.bytes_a_day)),
        ("ledger a year", lambda load: _bytes(load.bytes_a_year)),
        ("verifying a year of it", lambda load: _time(load.verify_year_s)),
        ("live leases", lambda load: with_unit(load.leases, "")),
        ("tables of live state", lambda load: _bytes(load.table_bytes)),
    )
    head = ("agents at work at once", *(f"{agents:,}".replace(",", " ") for agents in AGENTS))
    return table(head, [(what, *map(show, found)) for what, show in lines])


def ends_table(numbers: Mapping[str, Any]) -> str:
    """Write where each bound is met, in agents."""
    cost = costs(numbers)
    one = loaded(1, cost)
    half = f"half of its transactions, at the peak ({PEAK} ×)"
    rows = [
        ("one SQLite file", half, agents_at(SHARE_MAX, one.sqlite_share)),
        ("one workspace on PostgreSQL", half, agents_at(SHARE_MAX, one.postgres_share)),
        (
            "one PostgreSQL server without a pool",
            f"{CONNECTIONS_MAX} connections, its default",
            agents_at(CONNECTIONS_MAX, one.connections),
        ),
        (
            "one ledger, kept whole",
            f"{_bytes(LEDGER_BYTES_MAX)} after a year",
            agents_at(LEDGER_BYTES_MAX, one.bytes_a_year),
        ),
    ]
    return table(
        ("what ends", "where it is taken to end", "agents at work at once"),
        [(what, where, f"some {_two_digits(number)}") for what, where, number in rows],
    )


def _two_digits(number: int) -> str:
    return f"{int(float(f'{number:.2g}')):,}".replace(",", " ")


def _share(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 1 else f"{share:.1f} × over"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1_000:
            return f"{size:.3g} {unit}"
        size /= 1_000
    return f"{size:,.3g} TB"


def _time(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
