"""What gates look at of the files that show the state: projections as they lie in the working tree.

Promises: nothing is written and no claim is entered; what somebody wrote and nobody has read back
yet counts as it stands there. Where no projection is configured nothing is read.

    states_of(context, grounds, reader, rules, base).files
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from handrail.gates.facts import Facts, Resolved, StateFile, States
from handrail.projections import agent_state, blockers
from handrail.projections.json_text import read_json
from handrail.projections.port import Known, Told
from handrail.projections.registry import PROJECTIONS
from handrail.service.clean import may_be_projections
from handrail.service.context import Context
from handrail.service.packet_facts import Grounds, receipts_of
from handrail.service.policy import Rules
from handrail.service.projecting import beside, has_written, known_of
from handrail.store.port import Reader

if TYPE_CHECKING:
    from handrail.config.records import ProjectionFile

BLOCKERS: Final = blockers.PROJECTION.format
LACKS: Final[dict[str, Callable[[Mapping[str, Any]], tuple[Told, ...]]]] = {
    agent_state.PROJECTION.format: agent_state.lacks
}
"""Formats that say what a receiver cannot do without."""
STEADY: Final = frozenset(name for name in PROJECTIONS if name.startswith("mosaic-"))
"""Formats that change with events alone; others show leases, whose ends move with each renewal."""


def collected(context: Context, grounds: Grounds, rules: Rules, facts: Facts, need: str) -> Facts:
    """Return the facts with those that show the state, or with what blockers are resolved by."""
    base = facts.handed.base if facts.handed is not None else None
    with context.store.read() as reader:
        if need == "resolved":
            return facts._replace(resolved=resolved_of(context, grounds, reader, rules))
        return facts._replace(states=states_of(context, grounds, reader, rules, base))


def states_of(
    context: Context, grounds: Grounds, reader: Reader, rules: Rules, base: str | None
) -> States:
    """Return the files that show the state, and what else the commits since ``base`` changed."""
    rows = rules.settings.projections
    if not rows:
        return States(())
    changed = frozenset() if base is None else grounds.changed_since(base)
    files = []
    for one in rows:
        known, content = _lying(context, grounds, reader, rules, one)
        files.append(_file(reader, grounds, one, known, content, changed))
    ours = {*may_be_projections(rules, changed)}
    return States(
        files=tuple(one for one in files if one is not None),
        code=next((path for path in sorted(changed) if path not in ours), None),
    )


def nothing_yet(context: Context, grounds: Grounds, rules: Rules) -> frozenset[str]:
    """Return the projections that are not there because there is nothing to show yet.

    Handrail writes each of them with the first event that it shows, as a pointer to a handoff.
    """
    found = set()
    with context.store.read() as reader:
        for one in rules.settings.projections:
            known, content = _lying(context, grounds, reader, rules, one)
            if content is None and PROJECTIONS[one.format].render(known, None) is None:
                found.add(one.path)
    return frozenset(found)


def resolved_of(
    context: Context, grounds: Grounds, reader: Reader, rules: Rules
) -> tuple[Resolved, ...]:
    """Return the blockers that were called resolved under Handrail, and what shows it."""
    found = []
    for one in rules.settings.projections:
        if one.format != BLOCKERS:
            continue
        known, content = _lying(context, grounds, reader, rules, one)
        for row in blockers.resolved(_rows(one, known, content)):
            cited = dict(receipts_of(reader, {"evidence": [row.receipt]} if row.receipt else {}))
            found.append(
                Resolved(
                    path=one.path,
                    blocker=row.blocker,
                    resolution=row.resolution,
                    commits=tuple((name, grounds.has_commit(name)) for name in row.commits),
                    receipt=row.receipt,
                    cited=next(iter(cited.values()), None),
                )
            )
    return tuple(found)


def _lying(
    context: Context, grounds: Grounds, reader: Reader, rules: Rules, one: ProjectionFile
) -> tuple[Known, bytes | None]:
    """Return what is known of a projection, and its bytes in the working tree."""
    commit, branch = context.outside.at_head()[0], context.outside.branch()
    return known_of(reader, rules, one.path, commit, branch), grounds.projection(one.path)


def _file(
    reader: Reader,
    grounds: Grounds,
    one: ProjectionFile,
    known: Known,
    content: bytes | None,
    changed: Collection[str],
) -> StateFile | None:
    """Return a file as it lies there; None where it is not there and nothing is to be shown."""
    projection = PROJECTIONS[one.format]
    before = content
    if projection.behind is not None:
        before = grounds.projection(beside(one.path, projection.behind(known)))
    made = projection.render(known, before)
    if content is None:
        return None if made is None else StateFile(one.path, present=False)
    problem: str | None = None
    lacks: tuple[tuple[str, str, str], ...] = ()
    try:
        projection.read(known, content, importing=False)
        lacks = _lacks(one.format, content)
    except ValueError as error:
        problem = str(error)
    clean = one.format not in STEADY and has_written(reader, one.path, content)
    return StateFile(
        path=one.path,
        problem=problem,
        lacks=lacks,
        exported=clean or made is None or made == content,
        changed=one.path in changed,
    )


def _lacks(format: str, content: bytes) -> tuple[tuple[str, str, str], ...]:
    if format not in LACKS:
        return ()
    value = read_json(content)[0]
    told = LACKS[format](value if isinstance(value, dict) else {})
    return tuple((one.place, one.code, one.sentence) for one in told)


def _rows(one: ProjectionFile, known: Known, content: bytes | None) -> Mapping[str, str]:
    """Return the rows that a file gives as it lies there; those that are kept if it gives none."""
    if content is None:
        return known.rows
    try:
        read = PROJECTIONS[one.format].read(known, content, importing=False)
    except ValueError:
        return known.rows
    rows = {**known.rows, **{row.key: row.record for row in read.rows}}
    return {key: text for key, text in rows.items() if text}  # what somebody took away is gone
