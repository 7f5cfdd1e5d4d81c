"""What gates look at of the files that show the state: projections as they lie in the working tree.

Promises: nothing is written and no claim is entered; what somebody wrote and nobody has read back
yet counts as it stands there. Where no projection is configured nothing is read.

    states_of(context, grounds, reader, rules, base).files
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from handrail.config.vocabulary import SPREAD
from handrail.gates.facts import Facts, Resolved, StateFile, States
from handrail.projections import blockers
from handrail.projections.port import Known
from handrail.projections.registry import PROJECTIONS
from handrail.service.clean import may_be_projections
from handrail.service.context import Context
from handrail.service.known import at_path, files_of, has_written, here, known_of
from handrail.service.packet_facts import Grounds, receipts_of
from handrail.service.policy import Rules
from handrail.service.projecting import beside, with_rows
from handrail.store.port import Reader

if TYPE_CHECKING:
    from handrail.config.records import ProjectionFile

BLOCKERS: Final = blockers.PROJECTION.format


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
    known = known_of(reader, rules, here(context.outside))
    files = [
        _file(reader, grounds, one, at_path(reader, known, one.path), changed)
        for one in files_of(known, rows, context.outside.is_folder)
    ]
    ours = {*may_be_projections(rules, changed)}
    return States(
        files=tuple(one for one in files if one is not None),
        code=next((path for path in sorted(changed) if path not in ours), None),
    )


def nothing_yet(context: Context, grounds: Grounds, rules: Rules) -> frozenset[str]:
    """Return the projections that are not there because there is nothing to show yet.

    Handrail writes each of them with the first event that it shows, as a pointer to a handoff.
    """
    rows = [one for one in rules.settings.projections if one.format not in SPREAD]
    missing = [one for one in rows if grounds.projection(one.path) is None]
    if not missing:
        return frozenset()
    with context.store.read() as reader:
        known = known_of(reader, rules, here(context.outside))
        made = {
            one.path: PROJECTIONS[one.format].render(at_path(reader, known, one.path), None)
            for one in missing
        }
    return frozenset(path for path, content in made.items() if content is None)


def resolved_of(
    context: Context, grounds: Grounds, reader: Reader, rules: Rules
) -> tuple[Resolved, ...]:
    """Return the blockers that were called resolved under Handrail, and what shows it."""
    lists = [one for one in rules.settings.projections if one.format == BLOCKERS]
    if not lists:
        return ()
    found, known = [], known_of(reader, rules, here(context.outside))
    for one in lists:
        shown = _as_lying(one, at_path(reader, known, one.path), grounds.projection(one.path))
        for row in blockers.resolved(shown.rows):
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


def _file(
    reader: Reader,
    grounds: Grounds,
    one: ProjectionFile,
    known: Known,
    changed: Collection[str],
) -> StateFile | None:
    """Return a file as it lies there; None where it is not there and nothing is to be shown."""
    projection = PROJECTIONS[one.format]
    before = content = grounds.projection(one.path)
    if projection.behind is not None:
        before = grounds.projection(beside(one.path, projection.behind(known)))
    made = projection.render(known, before)
    if content is None:  # one of many is a copy of its packet, and made anew with the next
        nothing = made is None or projection.spread is not None
        return None if nothing else StateFile(one.path, present=False)
    problem: str | None = None
    lacks: tuple[tuple[str, str, str], ...] = ()
    try:
        projection.read(known, content, importing=False)
        told = () if projection.lacks is None else projection.lacks(content)
        lacks = tuple((row.place, row.code, row.sentence) for row in told)
    except ValueError as error:
        problem = str(error)
    clean = not projection.steady and has_written(reader, one.path, content)
    return StateFile(
        path=one.path,
        problem=problem,
        lacks=lacks,
        exported=clean or made is None or made == content,
        changed=one.path in changed,
    )


def _as_lying(one: ProjectionFile, known: Known, content: bytes | None) -> Known:
    """Return what is known with the rows that a file gives as it lies there, if it gives any."""
    if content is None:
        return known
    try:
        read = PROJECTIONS[one.format].read(known, content, importing=False)
    except ValueError:
        return known
    return with_rows(known, read.rows)
