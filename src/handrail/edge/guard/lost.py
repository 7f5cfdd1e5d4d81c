"""Edits while the server that has the store does not answer.

Promise: what the copy of this clone still trusts may be written, and nothing else; how strict that
is says the mode that was in force when the store was last read.
"""

from __future__ import annotations

from handrail import errors
from handrail.core.allowed import Allowed
from handrail.core.record import Record
from handrail.edge.guard.places import Places, Target
from handrail.edge.guard.tools import ALLOW, DENY, ENFORCE, Answer, sentence_of
from handrail.edge.harness import claude
from handrail.edge.harness.claude import Call
from handrail.edge.without_store import LOST, relied_on
from handrail.service.guarding import SHADOW
from handrail.service.identity import names_anywhere
from handrail.wiring import Application

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Verdict(Record):
    """How edits are enforced there, and the first path that nothing known here allows, if any."""

    mode: str
    path: str | None
    held: tuple[Allowed, ...]


def answered_without(places: Places, call: Call, lost: errors.HandrailError) -> Answer | None:
    """Answer by what is known here; None where there is no copy, or the store is not missing."""
    if not isinstance(lost, LOST):
        return None
    try:
        targets = places.targets(call.paths, call.cwd)
        if call.command is not None:
            targets = places.written_by(call.command, call.cwd)
        verdict = _judged(call.session, places.by_workspace(targets))
    except errors.HandrailError:
        return None
    if verdict is None or verdict.path is None:
        return None if verdict is None else Answer()
    known = relied_on(verdict.held) if verdict.held else "this session is known to hold nothing"
    sentence = f"{verdict.path} is not known to be held; {known}"
    places.log("edit", lost.code, f"{verdict.mode}: {sentence}")
    lost.values["trusted"] = f"; {sentence}"
    if verdict.mode == ENFORCE:
        return Answer(DENY, "", sentence_of(lost))
    if verdict.mode == SHADOW:
        return Answer()
    return Answer(ALLOW, claude.warned(sentence_of(lost).strip()))


def _judged(
    session: str, targets: Iterable[tuple[Application, Sequence[Target]]]
) -> Verdict | None:
    """Judge by the copy; what git ignores is never guarded."""
    mode, held = "", []
    for application, written in targets:
        seen = application.copied
        if seen is None:
            return None
        mode, tree = seen.mode, application.place.worktree
        names = names_anywhere(session, application.caller.worktree)
        held += [row for name in names for row in seen.of(tree, name)]
        ignored = application.ground.ignored([path for one in written for path in one.paths])
        for target in written:
            for path in target.paths:
                if path in ignored and not target.below:
                    continue
                known = not target.below and any(seen.trusted(tree, one, path) for one in names)
                if not known:
                    return Verdict(mode, path or ".", tuple(held))
    return Verdict(mode, None, tuple(held)) if mode else None
