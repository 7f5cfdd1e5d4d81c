"""``backtest``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE, Settings, parse_config
from handrail.core.backtest import SCOPE_HELD, Findings, Refusal
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import say
from handrail.edge.render import count, table
from handrail.edge.reply import Data, Reply
from handrail.service.backtest import BRANCH, UNITS, Asked, Replayed, replay_past, settings_here
from handrail.text import visible
from handrail.wiring import read_file

TOP: Final = 10
ROWS_MAX: Final = 1_000
QUIET_S: Final = 1.0


def backtest(invocation: Invocation) -> Reply:
    """Replay the past against a policy."""
    since = invocation.text("since")
    if not since:
        reason = "Say from where on: --since REF, a commit, a tag or a branch."
        raise errors.Usage(reason=reason, next="handrail backtest --since HEAD~100")
    by = invocation.text("by") or BRANCH
    if by not in UNITS:
        reason = f"{visible(by)!r} is no unit; there are {', '.join(UNITS)}."
        raise errors.Usage(reason=reason, next="handrail backtest --help")
    settings, policy = _policy(invocation)
    asked = Asked(since, invocation.text("until") or "HEAD", by)
    tell = _silent if invocation.flag("quiet") else _teller()
    done = replay_past(invocation.application.ground, asked, settings, tell)
    notes = [] if settings is not None else ["note: there is no policy, so no lanes to judge by"]
    return Reply(_data(done, asked, policy), _text(done, asked, policy), tuple(notes))


def _policy(invocation: Invocation) -> tuple[Settings | None, str | None]:
    """Return the policy that was named, or the one of this place; and what to call it."""
    name, path = invocation.text("policy"), invocation.file("policy")
    if name is not None and path is not None:
        raw = read_file(path, pipe=True)
        if raw is None:
            step = "handrail backtest --help"
            raise errors.FactsUnavailable(what=name, reason="there is no such file", next=step)
        return parse_config(raw, file=name), name
    application = invocation.application
    store = application.store if application.ground.store_exists() else None
    found = settings_here(application.ground, store)
    return (None, None) if found is None else (found[0], f"{CONFIG_FILE} {found[1]}")


def _silent(_: str) -> None:
    """Say nothing."""


def _teller() -> Callable[[str], None]:
    """Return what says how far it is, at most once a second and not in the first one."""
    last = [time.monotonic()]

    def tell(text: str) -> None:
        if time.monotonic() - last[0] >= QUIET_S:
            last[0] = time.monotonic()
            say(text)

    return tell


def _data(done: Replayed, asked: Asked, policy: str | None) -> Data:
    found = done.findings
    return {
        "since": asked.since,
        "until": asked.until,
        "tip": done.tip,
        "by": asked.by,
        "policy": policy,
        "commits": done.commits,
        "merges": done.merges,
        "branches": found.branches,
        "direct": found.direct,
        "sharing": found.sharing,
        "units": found.units,
        "without_role": found.without_role,
        "paths": found.paths,
        "uncovered_paths": found.uncovered_paths,
        "refused": _by_code(found),
        "refusals": _rows(found.refusals),
        "lanes_meet": _rows(found.lanes_meet),
        "uncovered": _rows(found.uncovered),
        "contended": _rows(found.contended),
        "rows_max": ROWS_MAX,
    }


def _rows(rows: Sequence[object]) -> list[object]:
    return [row._asdict() for row in rows[:ROWS_MAX]]  # type: ignore[attr-defined]


def _by_code(found: Findings) -> dict[str, int]:
    return dict(sorted(Counter(row.code for row in found.refusals).items()))


def _text(done: Replayed, asked: Asked, policy: str | None) -> str:
    found = done.findings
    share = f" ({100 * found.sharing // found.branches} %)" if found.branches else ""
    merged = "merged branch" if found.branches == 1 else "merged branches"
    units = count(found.units, "branch" if asked.by == BRANCH else asked.by)
    if asked.by == BRANCH:
        units = f"{found.branches} {merged} and {count(found.direct, 'commit')} beside them"
    numbers = f"{count(done.commits, 'commit')} since {visible(asked.since)}"
    shared = f"{found.sharing} of them{share} share a path with another that was open then"
    lines = [
        f"{numbers}, {count(done.merges, 'merge')}; policy: {visible(policy or 'none')}",
        f"{found.branches} {merged}; {shared}",
        f"judged: {units}",
    ]
    if found.without_role and policy is not None:
        lines.append(
            f"not judged by lanes: {found.without_role}, for want of an [[agent]] that fits and of"
            " default_role"
        )
    lines += _refused(found)
    lines += _lanes(found)
    lines += _uncovered(found)
    if found.contended:
        rows = [(str(row.branches), row.path) for row in found.contended[:TOP]]
        lines += ["", "worth calling [[contended]]: many branches met another there"]
        lines += [table(("BRANCHES", "PATH"), rows), *_more(len(found.contended))]
    return "\n".join(lines)


def _refused(found: Findings) -> list[str]:
    if not found.refusals:
        return ["nothing would have been refused"]
    numbers = ", ".join(f"{number} {code}" for code, number in _by_code(found).items())
    rows = [_refusal(row) for code in _by_code(found) for row in _first(found, code)]
    head = ("CODE", "WHAT", "AGENT", "ROLE", "PATHS", "FOR EXAMPLE")
    lines = ["", f"would have been refused: {numbers}", table(head, rows)]
    more = len(found.refusals) - len(rows)
    return [*lines, *([f"and {more} more; --json has them"] if more else [])]


def _first(found: Findings, code: str) -> list[Refusal]:
    return [row for row in found.refusals if row.code == code][:TOP]


def _refusal(row: Refusal) -> tuple[str, ...]:
    example = row.path if row.code != SCOPE_HELD else f"{row.path}, held by {row.holder}"
    return (row.code, row.unit, row.agent, row.role or "-", str(row.paths), example)


def _lanes(found: Findings) -> list[str]:
    if not found.lanes_meet:
        return []
    rows = [
        (row.role, row.pattern, row.other_role, row.other_pattern, row.witness)
        for row in found.lanes_meet[:TOP]
    ]
    head = ("ROLE", "LANE", "ROLE", "LANE", "FOR EXAMPLE")
    return ["", "lanes that overlap", table(head, rows), *_more(len(found.lanes_meet))]


def _uncovered(found: Findings) -> list[str]:
    if not found.uncovered:
        return []
    rows = [
        (str(row.changes), str(row.paths), row.folder or ".", row.witness)
        for row in found.uncovered[:TOP]
    ]
    head = ("CHANGES", "PATHS", "FOLDER", "FOR EXAMPLE")
    told = f"in no lane: {found.uncovered_paths} of {count(found.paths, 'path')}"
    return ["", told, table(head, rows), *_more(len(found.uncovered))]


def _more(number: int) -> list[str]:
    return [f"and {number - TOP} more; --json has them"] if number > TOP else []
