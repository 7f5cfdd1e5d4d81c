"""``pre-push``: the ledger goes before the branch, and what is pushed is judged as at the landing.

Promises: a sync that fails is said and stops nothing; commits that may not land stop a push to a
protected ref only where the stage ``push`` is enforced; whatever fails here lets the push go on
with a notice, for the landing judges again. A push of nothing but ledgers is let through at once,
so sharing a ledger never waits for itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from handrail import errors
from handrail.config import Settings
from handrail.core.landing import PASS
from handrail.core.published import epoch_of
from handrail.edge.cli.commands.sharing import followed_notes, news
from handrail.edge.cli.commands.verify import text_of as judged_text
from handrail.service.guarding import SHADOW, Guarding
from handrail.service.policy import rules_in_force
from handrail.service.ranges import is_protected
from handrail.service.verification import REPLACE, Verification
from handrail.wiring import Application
from handrail.wiring.sharing import follow, syncing

STAGE: Final = "push"
ENFORCE: Final = "enforce"
SHORT: Final = 12
NOT_ENROLLED: Final = (
    "note: this store is not enrolled, so what is attested here counts nowhere else;"
    f" next: {errors.AS_PERSON}handrail enroll"
)


def pre_push(application: Application, words: Sequence[str], stdin: bytes) -> bool:
    """Answer the hook: ``words`` are the remote's name and address; True stops the push."""
    lines = [line for line in os.fsdecode(stdin).split("\n") if len(line.split(" ")) == 4]
    refs = [line.split(" ")[2] for line in lines]
    if all(epoch_of(ref) is not None for ref in refs):
        return False
    with application.store.read() as reader:
        settings, epoch = rules_in_force(reader).settings, reader.epoch
    if words and any(row.id == epoch for row in settings.epochs):
        _share(application, words[0])
    elif settings.epochs and any(is_protected(r, settings.workspace.protected_refs) for r in refs):
        sys.stderr.write(f"handrail: {NOT_ENROLLED}\n")
    return _stopped(application, settings, refs, lines)


def _share(application: Application, remote: str) -> None:
    """Share the ledger, so that whoever judges the push knows what it says."""
    try:
        notes = news(syncing(application).sync(remote))
        for note in (*notes, *followed_notes(follow(application, remote))):
            sys.stderr.write(f"handrail: {note}\n")
    except Exception as error:  # noqa: BLE001 - a ledger that stays here stops no push
        _say(application, error, "the ledger was not shared, and the push goes on")


def _stopped(
    application: Application, settings: Settings, refs: Sequence[str], lines: Sequence[str]
) -> bool:
    """Judge what is pushed to protected refs; tells whether the push is to be stopped."""
    protected = settings.workspace.protected_refs
    if not any(is_protected(ref, protected) or ref.startswith(REPLACE) for ref in refs):
        return False
    try:
        mode = Guarding(application.context).mode(STAGE)
        verified = Verification(application.sources).verify_updates(lines)
        bad = [judgment for judgment in verified.judgments if judgment.verdict != PASS]
        if not bad:
            return False
        told = f"{mode}: {bad[0].commit[:SHORT]}: {bad[0].sentence}"
        application.hook_log.write(STAGE, bad[0].code, told)
        if mode != SHADOW:
            sys.stderr.write(judged_text(verified) + "\n")
        return mode == ENFORCE
    except Exception as error:  # noqa: BLE001 - the landing judges again
        _say(application, error, "the push was not judged here, and goes on")
        return False


def _say(application: Application, error: Exception, so: str) -> None:
    """Say what went wrong, and what becomes of the push."""
    told = (
        error
        if isinstance(error, errors.HandrailError)
        else errors.Bug(detail=f"{type(error).__name__}: {error}")
    )
    application.hook_log.write(STAGE, told.code, told.message)
    step = f"  next: {told.next}\n" if told.next else ""
    sys.stderr.write(f"handrail: {told.code}: {told.message}\n  {so}\n{step}")
