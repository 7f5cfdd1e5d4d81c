"""The rows, in the order of the design's table; a row is one line here and one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from bench.measure import Result
from bench.rows.check import check_commit
from bench.rows.command import claim_command
from bench.rows.guard import may_write
from bench.rows.handing import hand_over
from bench.rows.history import git_in_bulk
from bench.rows.hooks import guard
from bench.rows.landing import pushes
from bench.rows.ledger import million_entries
from bench.rows.many import eight_processes
from bench.rows.rate import claims_per_second
from bench.rows.scale import live_leases
from bench.rows.shared import shared_store


class Row(NamedTuple):
    """A row's name, what it shows, and what measures it; ``quick`` asks for a sketch."""

    name: str
    what: str
    measure: Callable[[bool], Sequence[Result]]


ROWS: Final = (
    Row("guard", "the guard, as a harness starts it", guard),
    Row("claim-command", "`handrail claim`, the whole process", claim_command),
    Row("claims-per-second", "claims of one process, durable", claims_per_second),
    Row("eight-processes", "eight processes claiming without pause", eight_processes),
    Row("live-leases", "a claim beside 10, 1 000 and 100 000 live leases", live_leases),
    Row("shared-store", "PostgreSQL under 32 clients", shared_store),
    Row("ledger", "a ledger of a million entries: look up, verify", million_entries),
    Row("handoff", "`handrail handoff offer`, `accept` beside 50 000 files", hand_over),
    Row("check-commit", "`handrail check commit` beside 50 000 files", check_commit),
    Row("git-in-bulk", "a rebase of 200 commits, a fetch of 300 refs", git_in_bulk),
    Row("push", "judging a push of 20 and of 1 000 commits", pushes),
    Row("may-write", "what the guard looks up, in one process", may_write),
)
