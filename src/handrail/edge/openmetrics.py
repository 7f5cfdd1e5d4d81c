r"""What was measured, in the text format of OpenMetrics 1.0.

Promises: each family is described before its samples, once, with its unit at the end of its name;
a number that there is none of is no sample; the last line says that it is the last. All are gauges,
because a window moves: what they count may become fewer.

    exposition(measured).endswith("# EOF\n")
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from handrail.core.metrics import Figures, Goal, Spans, Suite, goals
from handrail.core.record import Record
from handrail.service.metrics import Measured

PREFIX: Final = "handrail"
Labels = tuple[tuple[str, str], ...]


class Family(Record):
    """Samples of one name; ``unit`` is how the name ends, '' for plain numbers."""

    name: str
    unit: str
    help: str
    samples: tuple[tuple[Labels, float | None], ...]


def exposition(measured: Measured) -> str:
    """Write all families, and that it was all."""
    lines = [line for family in families(measured) for line in _lines(family)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def families(measured: Measured) -> Sequence[Family]:
    """Return what is exposed."""
    figures = measured.figures
    span = (measured.until_at - measured.since_at) / 1000
    return (
        _one("window", "seconds", "The span of store time that is looked at.", span),
        _one("ledger_entries", "", "Entries of the ledger in the window.", measured.entries),
        _one("new_sessions", "", "Sessions that began in the window.", figures.sessions),
        _one(
            "handoff_failure",
            "ratio",
            "New sessions that failed validation after a handoff, of those that could be told.",
            figures.failure.value,
        ),
        _one(
            "unsure_sessions",
            "",
            "New sessions of which no validation could tell.",
            figures.unsure,
        ),
        _one(
            "pre_handoff_compliance",
            "ratio",
            "Completions that gates had judged before, of all.",
            figures.compliance.value,
        ),
        _spans("time_to_resume", "From the start of a session to its first work.", figures.resumed),
        _spans(
            "time_from_acceptance",
            "From the acceptance of a packet to the first work.",
            figures.accepted,
        ),
        _one(
            "rediscovered_findings",
            "",
            "What receivers found that was so at the offer and that the packet did not say.",
            figures.rediscovered,
        ),
        *_goals(goals(figures)),
        *_suites(figures),
    )


def _one(name: str, unit: str, help: str, value: float | None) -> Family:
    return Family(name, unit, help, (((), value),))


def _spans(name: str, help: str, spans: Spans) -> Family:
    rows = (("0.5", spans.median_ms), ("0.9", spans.p90_ms))
    samples = tuple(
        ((("quantile", at),), None if value is None else value / 1000) for at, value in rows
    )
    return Family(name, "seconds", help, samples)


def _goals(rows: Sequence[Goal]) -> Iterator[Family]:
    def by(name: str, help: str, values: Sequence[float | None]) -> Family:
        pairs = zip(rows, values, strict=True)
        samples = tuple(((("metric", row.name),), value) for row, value in pairs)
        return Family(name, "", help, samples)

    yield by("metric_samples", "How many a metric rests on.", [row.n for row in rows])
    targets = [row.target / 1000 if row.name == "time_to_resume" else row.target for row in rows]
    yield by("metric_target", "The target of a metric, in its own unit.", targets)
    met = [None if row.met is None else int(row.met) for row in rows]
    yield by("metric_target_met", "1 where a target is met; nothing where there are too few.", met)


def _suites(figures: Figures) -> Iterator[Family]:
    suites = figures.suites

    def verdicts(suite: Suite) -> Sequence[tuple[str, int]]:
        return ("pass", suite.passed), ("fail", suite.failed), ("cannot-tell", suite.unsure)

    yield Family(
        "suite_verdicts",
        "",
        "Verdicts of the gates of a stage.",
        tuple(
            ((("stage", suite.stage), ("verdict", verdict)), number)
            for suite in suites
            for verdict, number in verdicts(suite)
        ),
    )
    yield Family(
        "suite_pass",
        "ratio",
        "Verdicts of a stage that passed, of all.",
        tuple(((("stage", suite.stage),), suite.rate.value) for suite in suites),
    )
    yield Family(
        "suite_objections",
        "",
        "Gates that objected, by whether they bound.",
        tuple(
            ((("stage", suite.stage), ("level", level)), number)
            for suite in suites
            for level, number in (("binding", suite.binding), ("advisory", suite.advisory))
        ),
    )


# --- the text -------------------------------------------------------------------------------------


def _lines(family: Family) -> Iterator[str]:
    samples = [(labels, value) for labels, value in family.samples if value is not None]
    name = "_".join(filter(None, (PREFIX, family.name, family.unit)))
    yield f"# TYPE {name} gauge"
    if family.unit:
        yield f"# UNIT {name} {family.unit}"
    yield f"# HELP {name} {_escaped(family.help)}"
    for labels, value in samples:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
        yield f"{name}{'{' + inner + '}' if inner else ''} {_number(value)}"


def _escaped(text: str) -> str:
    """Write a text as help and labels want it."""
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    """Write a number so that reading it gives the same one."""
    return str(value) if isinstance(value, int) else repr(float(value))
