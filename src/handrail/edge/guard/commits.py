"""The hooks of git, decided with all of Handrail at hand.

Promises: of the hooks of a commit, a veto comes only from ``pre-commit`` and from
``reference-transaction``, and from that only where one new commit is put on top of a branch by
``git commit`` or ``git update-ref``, nothing else being in progress: git has changed no file then.
Everything else is let through and recorded, and judged at the landing; ``pre-push`` judges by the
same rule (see ``pushing``). Whatever fails here lets git go on; ``hook.log`` has the line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from handrail import errors
from handrail.core.record import Record
from handrail.edge.cli.commands.check import reasons_of, whole_list
from handrail.service.commit_check import CommitCheck
from handrail.service.committing import Committing
from handrail.service.guarding import Guarding
from handrail.service.policy import shows_state, triggers_fire
from handrail.wiring import Application

GO_ON = 0
VETO = 1
_ZEROS = frozenset("0")
_IN_PROGRESS = (
    *("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply"),
    "sequencer",
)
_VETOABLE = ("commit", "update-ref")


class Hook(Record):
    """A hook as git started it."""

    application: Application
    words: tuple[str, ...]
    stdin: bytes


def run(name: str, words: Sequence[str], stdin: bytes) -> int:
    """Answer a hook of git; returns the exit status."""
    handler = _HANDLERS.get(name)
    if handler is None:
        return GO_ON
    application: Application | None = None
    try:
        application = Application.open(os.getcwd(), os.environ, terminal=False)
        if not application.ground.store_exists():
            return GO_ON
        return handler(Hook(application, tuple(words), stdin))
    except Exception as error:  # noqa: BLE001 - a failure of ours is no veto
        told = (
            error if isinstance(error, errors.HandrailError) else errors.Bug(detail=_plain(error))
        )
        if application is not None:
            application.hook_log.write(name, told.code, told.message)
        return GO_ON
    finally:
        if application is not None:
            application.close()


def _plain(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


# --- pre-commit ----------------------------------------------------------------------------------


def _pre_commit(hook: Hook) -> int:
    """Name every staged path that stands in the way, at once.

    Whoever commits, the commit has the projections as they are now.
    """
    application = hook.application
    if _in_progress(application):
        return GO_ON
    _show(application)
    if not CommitCheck(application.context).is_known():
        return GO_ON
    mode = Guarding(application.context).mode("commit")
    refusal = CommitCheck(application.context).staged(seen=application.traces.seen())
    if refusal is None:
        return GO_ON
    text = whole_list(refusal)
    application.hook_log.write("commit", refusal.code, f"{mode}: {refusal.message}")
    if mode == "shadow":
        return GO_ON
    sys.stderr.write(text)
    if mode != "enforce":
        return GO_ON
    if triggers_fire(application.store):
        from handrail.edge.guard.firing import refused_at_commit

        told = refused_at_commit(application, reasons_of(refusal))
        sys.stderr.writelines(f"{line}\n" for line in told)
    return VETO


def _show(application: Application) -> None:
    """Let the commit have the projections as they are now; of a part of the index nobody can."""
    if "next-index" in os.environ.get("GIT_INDEX_FILE", ""):
        return
    if not shows_state(application.context.store):
        return
    from handrail.service.projecting import Projecting

    Projecting(application.context, application.projection_files).into_index()


def _told(refusal: errors.HandrailError) -> str:
    if isinstance(refusal, errors.NotCovered) and refusal.values.get("reasons"):
        return whole_list(refusal)
    step = f"  next: {refusal.next}\n" if refusal.next else ""
    return f"handrail: {refusal.code}: {refusal.message}\n{step}"


# --- prepare-commit-msg --------------------------------------------------------------------------


def _prepare_commit_msg(hook: Hook) -> int:
    """Write the trailers, once, for a session that is known."""
    application = hook.application
    if not hook.words or not CommitCheck(application.context).is_known():
        return GO_ON
    check = CommitCheck(application.context)
    application.ground.add_trailers(hook.words[0], check.trailers())
    return GO_ON


# --- reference-transaction -----------------------------------------------------------------------


def _reference_transaction(hook: Hook) -> int:
    """Attest the one commit that is put on top of a branch, or veto it; record everything else."""
    application = hook.application
    if hook.words[:1] != ("prepared",):
        return GO_ON
    updates = [
        (ref, application.ground.ref(ref), new)
        for _, new, ref in _lines(hook.stdin)
        if ref.startswith("refs/heads/") and not _ZEROS.issuperset(new)
    ]
    in_no_ref, fresh = application.ground.fresh_commits([new for _, _, new in updates])
    if not in_no_ref:
        return GO_ON
    committing = Committing(application.context)
    if not CommitCheck(application.context).is_known():
        _record_unknown(application, updates, in_no_ref)
        return GO_ON
    if len(updates) != 1 or fresh != [updates[0][2]] or in_no_ref != fresh:
        committing.unattested(updates, in_no_ref, "not one new commit")
        return GO_ON
    try:
        committing.commit(fresh[0], seen=application.traces.seen())
    except errors.HandrailError as refusal:
        return _refused(application, committing, updates, fresh, refusal)
    return GO_ON


def _refused(
    application: Application,
    committing: Committing,
    updates: Sequence[tuple[str, str, str]],
    fresh: Sequence[str],
    refusal: errors.HandrailError,
) -> int:
    """Veto where nothing has changed yet, else let through what the landing will judge."""
    mode = Guarding(application.context).mode("commit")
    _, old, new = updates[0]
    on_top = application.ground.parents(new) == ([old] if old else [])
    veto = (
        isinstance(refusal, errors.Refused)
        and mode == "enforce"
        and on_top
        and not _in_progress(application)
        and application.ground.calling_git() in _VETOABLE
    )
    application.hook_log.write("commit", refusal.code, f"{mode}: {refusal.message}")
    if mode != "shadow":
        sys.stderr.write(_told(refusal))
    if veto:
        return VETO
    committing.unattested(updates, fresh, refusal.code)
    return GO_ON


def _record_unknown(
    application: Application, updates: Sequence[tuple[str, str, str]], commits: Sequence[str]
) -> None:
    """Record commits of nobody known: by an agent where a harness shows, else unattributed."""
    caller = application.context.caller
    application.act_as_nobody()
    committing = Committing(application.context)
    if caller.session is not None:
        committing.unattested(updates, commits, "unknown session")
    elif caller.harness is not None:
        committing.unattested(updates, commits, "no session")
    else:
        committing.unattributed(updates, commits, "no session")


# --- pre-push ------------------------------------------------------------------------------------


def _pre_push(hook: Hook) -> int:
    """Share the ledger first, then judge what is pushed to protected refs."""
    from handrail.edge.guard.pushing import pre_push

    return VETO if pre_push(hook.application, hook.words, hook.stdin) else GO_ON


def _lines(stdin: bytes) -> list[tuple[str, str, str]]:
    rows = [line.split(" ", 2) for line in os.fsdecode(stdin).splitlines()]
    return [(row[0], row[1], row[2]) for row in rows if len(row) == 3]


def _in_progress(application: Application) -> bool:
    """Tell whether git is in the middle of something that a veto would leave half way."""
    folder = application.place.git_dir
    return any(os.path.lexists(f"{folder}/{name}") for name in _IN_PROGRESS)


_HANDLERS: Mapping[str, Callable[[Hook], int]] = {
    "pre-commit": _pre_commit,
    "prepare-commit-msg": _prepare_commit_msg,
    "reference-transaction": _reference_transaction,
    "pre-push": _pre_push,
}
