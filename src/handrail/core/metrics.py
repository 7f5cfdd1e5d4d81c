"""Whether handoffs work: what was counted in a ledger, beside the targets.

Promises: pure. Of fewer than ``ENOUGH`` it is not said whether a target is met, and of nothing
there is no number. ``core.tally`` counts.

    [(goal.name, goal.value, goal.n, goal.met) for goal in goals(measure(entries))]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from handrail.core.record import Record

ENOUGH: Final = 20
"""Of fewer it is not said whether a target is met."""
FAILURE_MAX: Final = 0.05
RESUME_MS_MAX: Final = 300_000


class Share(Record):
    """So many of so many."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share, None of nothing."""
        return self.hits / self.n if self.n else None


class Spans(Record):
    """How long something took: half of ``n`` no longer than the median, nine of ten than p90."""

    n: int
    median_ms: int | None
    p90_ms: int | None


class Suite(Record):
    """The verdicts on one stage; ``binding`` and ``advisory`` count gates that minded something."""

    stage: str
    passed: int
    failed: int
    unsure: int
    binding: int
    advisory: int

    @property
    def rate(self) -> Share:
        """The verdicts that passed, of all."""
        return Share(self.passed, self.passed + self.failed + self.unsure)


class Figures(Record):
    """What was counted.

    ``failure`` are the new sessions whose first verdict after a handoff was a failure, of those
    that could be told; of ``unsure`` ones nobody could. ``compliance`` are the completions that
    had a verdict before them. ``resumed`` is how long a new session took to its first work,
    ``accepted`` the part of that from the acceptance of a packet. ``rediscovered`` counts what
    receivers found that was so at the offer and that the packet did not say, in ``packets``.
    """

    sessions: int
    failure: Share
    unsure: int
    compliance: Share
    resumed: Spans
    accepted: Spans
    rediscovered: int
    packets: int
    suites: tuple[Suite, ...]


class Goal(Record):
    """A number beside its target; ``met`` is None where there are too few to say."""

    name: str
    value: float | None
    target: float
    n: int
    met: bool | None


def goals(figures: Figures) -> tuple[Goal, ...]:
    """Return the four numbers by which the handoffs of a place are judged."""
    failure, compliance, median = figures.failure, figures.compliance, figures.resumed.median_ms
    rows: list[tuple[str, float | None, float, int, bool]] = [
        (
            "handoff_failure",
            failure.value,
            FAILURE_MAX,
            failure.n,
            failure.hits < FAILURE_MAX * failure.n,
        ),
        (
            "pre_handoff_compliance",
            compliance.value,
            1.0,
            compliance.n,
            compliance.hits == compliance.n,
        ),
        (
            "time_to_resume",
            median,
            RESUME_MS_MAX,
            figures.resumed.n,
            median is not None and median < RESUME_MS_MAX,
        ),
        (
            "context_rediscovery",
            figures.rediscovered if figures.packets else None,
            0,
            figures.packets,
            not figures.rediscovered,
        ),
    ]
    return tuple(
        Goal(name, value, target, n, met if n >= ENOUGH else None)
        for name, value, target, n, met in rows
    )


def spans(lasted: Sequence[int]) -> Spans:
    """Return the nearest ranks of what was measured, in ms."""
    ordered = sorted(lasted)
    return Spans(len(ordered), _rank(ordered, 50), _rank(ordered, 90))


def _rank(ordered: Sequence[int], percent: int) -> int | None:
    """Return the smallest value that ``percent`` of a sorted list do not exceed."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
