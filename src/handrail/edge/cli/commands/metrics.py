"""``metrics``: whether handoffs work here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from handrail.core.metrics import ENOUGH, Figures, Goal, Share, Spans, goals
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import dump, say
from handrail.edge.render import count, span, table
from handrail.edge.reply import Data, Reply
from handrail.errors import Usage
from handrail.service.metrics import Measured, Metrics, Tell, since
from handrail.text import rfc3339, visible

FORMATS: Final = ("table", "json", "openmetrics")
QUIET_S: Final = 1.0
_NAMES: Final = {
    "handoff_failure": ("handoff failure rate", "<"),
    "pre_handoff_compliance": ("pre-handoff compliance", "="),
    "time_to_resume": ("time to resume (median)", "<"),
    "context_rediscovery": ("context rediscovery", "="),
}
"""What a metric is called, and how it compares with its target."""


def metrics(invocation: Invocation) -> Reply:
    """Measure the ledger."""
    form = _format(invocation)
    application = invocation.application
    begins = since(invocation.text("since"), application.committed_at)
    tell: Tell = _silent if invocation.flag("quiet") else _teller()
    measured = Metrics(application.context).measure(begins, tell)
    data = _data(measured)
    if form == "json":
        return Reply(data, dump(data))
    if form == "openmetrics":
        from handrail.edge.openmetrics import exposition

        return Reply(data, exposition(measured))
    return Reply(data, _text(measured))


def _format(invocation: Invocation) -> str:
    """Return the format that was asked for, ``json`` by either option; raises Usage."""
    form, step = invocation.text("format"), "handrail metrics --help"
    if form is not None and form not in FORMATS:
        reason = f"{visible(form)!r} is no format; there are {', '.join(FORMATS)}."
        raise Usage(reason=reason, next=step)
    if not invocation.flag("json"):
        return form or "table"
    if form not in (None, "table", "json"):
        raise Usage(reason=f"Give either --json or --format {form}.", next=step)
    return "json"


def _silent(done: int, number: int) -> None:
    """Say nothing."""


def _teller() -> Tell:
    """Return what says how far it is, at most once a second and not in the first one."""
    last = [time.monotonic()]

    def tell(done: int, number: int) -> None:
        if time.monotonic() - last[0] >= QUIET_S:
            last[0] = time.monotonic()
            say(f"{done} of {number} entries so far")

    return tell


# --- as data --------------------------------------------------------------------------------------


def _data(measured: Measured) -> Data:
    figures = measured.figures
    return {
        "since": rfc3339(measured.since_at),
        "until": rfc3339(measured.until_at),
        "epoch": measured.epoch,
        "entries": measured.entries,
        "sessions": figures.sessions,
        "goals": [_goal_data(goal) for goal in goals(figures)],
        "handoff_failure": {**_share_data(figures.failure, "failed"), "unsure": figures.unsure},
        "pre_handoff_compliance": _share_data(figures.compliance, "judged"),
        "time_to_resume": figures.resumed._asdict(),
        "time_from_acceptance": figures.accepted._asdict(),
        "context_rediscovery": {"findings": figures.rediscovered, "packets": figures.packets},
        "suites": [
            {**suite._asdict(), "n": suite.rate.n, "pass_rate": suite.rate.value}
            for suite in figures.suites
        ],
    }


def _goal_data(goal: Goal) -> Data:
    return {
        "metric": goal.name,
        "value": goal.value,
        "target": goal.target,
        "compares": _NAMES[goal.name][1],
        "n": goal.n,
        "too_few": goal.n < ENOUGH,
        "met": goal.met,
    }


def _share_data(share: Share, hits: str) -> Data:
    return {hits: share.hits, "n": share.n, "share": share.value}


# --- as text --------------------------------------------------------------------------------------


def _text(measured: Measured) -> str:
    figures = measured.figures
    entries = count(measured.entries, "entry")
    sessions = count(figures.sessions, "new session")
    lines = [
        f"since {rfc3339(measured.since_at)}: {entries} of the ledger, {sessions}",
        "",
        table(("METRIC", "VALUE", "TARGET", "MET", "OF"), _goal_rows(figures)),
        "",
        *_details(figures),
    ]
    if figures.suites:
        head = ("SUITE", "PASS", "FAIL", "CANNOT TELL", "PASS RATE", "BINDING", "ADVISORY")
        rows = [
            (
                suite.stage,
                *(str(number) for number in (suite.passed, suite.failed, suite.unsure)),
                _percent(suite.rate.value),
                *(str(number) for number in (suite.binding, suite.advisory)),
            )
            for suite in figures.suites
        ]
        lines += ["", table(head, rows)]
    return "\n".join(lines)


def _goal_rows(figures: Figures) -> Sequence[tuple[str, ...]]:
    units = ("new session", "completion", "new session", "packet")
    rows = []
    for goal, unit in zip(goals(figures), units, strict=True):
        name, sign = _NAMES[goal.name]
        said = "too few" if goal.n < ENOUGH else "yes" if goal.met else "no"
        target = f"{sign} {_written(goal.name, goal.target)}".removeprefix("= ")
        rows.append((name, _written(goal.name, goal.value), target, said, count(goal.n, unit)))
    return rows


def _written(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name == "time_to_resume":
        return span(int(value))
    return str(int(value)) if name == "context_rediscovery" else _percent(value)


def _percent(value: float | None) -> str:
    """Write a share; what is not all is not shown as all, and what is not nothing not as that."""
    if value is None:
        return "-"
    shown = min(max(round(1000 * value), 1 if value > 0 else 0), 999 if value < 1 else 1000)
    return f"{shown / 10:g} %"


def _details(figures: Figures) -> list[str]:
    return [
        f"time to resume: {_spans(figures.resumed)}",
        f"of it from the acceptance of a packet: {_spans(figures.accepted)}",
        f"after a handoff nobody could tell of {count(figures.unsure, 'new session')}",
    ]


def _spans(spans: Spans) -> str:
    if spans.median_ms is None or spans.p90_ms is None:
        return "-"
    whom = count(spans.n, "session")
    return f"half within {span(spans.median_ms)}, 9 of 10 within {span(spans.p90_ms)} ({whom})"
