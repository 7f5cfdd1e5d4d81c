"""Which files are clean projections: their bytes are such as Handrail wrote there.

Promise: asked only where projections are configured, and git only for paths where one may be.

    written_in(context, rules, commit, ("ops/tracker/coordination.json", "src/a.py"))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from handrail.core.scope import normalise_path
from handrail.service.context import Context
from handrail.service.policy import Rules, rules_in_force
from handrail.store.port import Reader
from handrail.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.gates.facts import Standing

Written = tuple[tuple[str, int], ...]


def written_in(context: Context, rules: Rules, commit: str, paths: Sequence[str]) -> Written:
    """Return the clean projections among a commit's paths, each with the entry that says so.

    Paths come back normalised.
    """
    wanted = may_be_projections(rules, paths)
    if not wanted:
        return ()
    from handrail.config import blob_id

    with context.outside.history() as history:
        held = {path: history.file_at(commit, path) for path in wanted}
    known = {path: blob_id(content) for path, content in held.items() if content is not None}
    return _known(context, rules, known)


def written_of(context: Context, rules: Rules, paths: Sequence[str]) -> Written:
    """Return the clean projections among staged paths, as ``written_in`` does."""
    wanted = may_be_projections(rules, paths)
    if not wanted:
        return ()
    rows = context.outside.dirty(wanted)
    return _known(context, rules, {row.path: row.staged for row in rows if row.staged})


def without_clean(context: Context, paths: Sequence[str]) -> tuple[str, ...]:
    """Return those of these dirty paths that are no clean projections in the working tree."""
    if not paths:
        return ()
    with context.store.read() as reader:
        rules = rules_in_force(reader)
    wanted = may_be_projections(rules, paths)
    if not wanted:
        return tuple(paths)
    rows = context.outside.dirty(wanted)
    return _but_clean(context, rules, paths, {row.path: row.blob for row in rows})


def but_clean(context: Context, blobs: Mapping[str, str]) -> tuple[str, ...]:
    """Return those of these paths that are no clean projections; blobs are ids of their bytes."""
    with context.store.read() as reader:
        rules = rules_in_force(reader)
    wanted = may_be_projections(rules, blobs)
    if not wanted:
        return tuple(blobs)
    return _but_clean(context, rules, blobs, {path: blobs[path] for path in wanted})


def _but_clean(
    context: Context, rules: Rules, paths: Iterable[str], blobs: Mapping[str, str]
) -> tuple[str, ...]:
    clean = dict(_known(context, rules, {path: blob for path, blob in blobs.items() if blob}))
    fold = rules.settings.workspace.fold_case
    return tuple(path for path in paths if normalise_path(path, fold_case=fold) not in clean)


def standing_here(context: Context, standing: Standing) -> Standing:
    """Return how a working tree stands, where a clean projection is no unfinished work."""
    return standing._replace(dirty=without_clean(context, standing.dirty))


def clean_among(reader: Reader, blobs: Mapping[str, str]) -> dict[str, int]:
    """Return which of these paths are clean projections, each with the entry that says so.

    ``blobs`` are git's ids of their bytes.
    """
    found = {}
    for path, blob in blobs.items():
        seq = reader.wrote(path, blob)
        if seq is not None:
            found[path] = seq
    return found


def may_be_projections(rules: Rules, paths: Iterable[str]) -> list[str]:
    """Return those of these paths where a projection is, or a file behind one."""
    rows = rules.settings.projections
    if not (rows or rules.settings.folders):
        return []
    from handrail.projections.registry import PROJECTIONS
    from handrail.service.known import is_one_of

    fold = rules.settings.workspace.fold_case
    places = {one.path for one in rows}
    linked = [one.path for one in rows if PROJECTIONS[one.format].behind is not None]
    folders = {path.rpartition("/")[0] for path in linked}
    folders |= {one.path for one in rules.settings.folders}
    plain = {path: normalise_path(path, fold_case=fold) for path in paths}
    many = [one for one in rows if PROJECTIONS[one.format].spread is not None]
    return [
        path
        for path, name in plain.items()
        if name in places
        or name.rpartition("/")[0] in folders
        or any(is_one_of(one, name) for one in many)
    ]


def _known(context: Context, rules: Rules, blobs: Mapping[str, str]) -> Written:
    fold = rules.settings.workspace.fold_case
    with context.store.read() as reader:
        found = clean_among(reader, blobs)
    return tuple((normalise_path(path, fold_case=fold), seq) for path, seq in found.items())
