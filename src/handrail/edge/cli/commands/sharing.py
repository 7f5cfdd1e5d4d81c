"""``enroll`` and ``ledger sync``."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import say
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.enrolment import ADDED, REPLACED, SAME, Enrolled
from handrail.service.following import Followed
from handrail.service.policy import rules_in_force
from handrail.service.syncing import NO_STORE, PUSHED, Synced
from handrail.text import visible
from handrail.wiring import Application
from handrail.wiring.sharing import enrolment, follow, syncing

PATIENCE_S: Final = 1.0
SHORT: Final = 12
APPLY: Final = f"{errors.AS_PERSON}handrail config apply"


def enroll(invocation: Invocation) -> Reply:
    """Write this store's epoch and public key into the configuration."""
    dry_run = invocation.flag("dry_run")
    file = invocation.file("key")
    done = enrolment(invocation.application).enroll(
        file=None if file is None else os.path.abspath(file),
        holder=invocation.text("holder"),
        dry_run=dry_run,
    )
    data: Data = {**done._asdict()}
    if dry_run:
        data["dry_run"] = True
    return Reply(data, _enrolled_text(done, dry_run=dry_run), _enrolled_notes(done))


def _enrolled_text(done: Enrolled, *, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    what = {
        ADDED: f"epoch {done.epoch} {would}enrolled in {CONFIG_FILE}:",
        REPLACED: f"epoch {done.epoch}: its key {would}replaced in {CONFIG_FILE}:",
        SAME: f"epoch {done.epoch} is enrolled with this key already:",
    }
    rows = [f"    {visible(line)}" for line in done.block.splitlines()]
    return "\n".join([what[done.outcome], *rows, f"the private key: {visible(done.key_file)}"])


def _enrolled_notes(done: Enrolled) -> tuple[str, ...]:
    notes = []
    if done.before is not None:
        notes.append(f"note: the key before was {visible(done.before)}")
    if done.in_force:
        return (*notes, "next: handrail ledger sync")
    notes.append(
        f"note: it counts once {CONFIG_FILE} has landed: as the first one there is, signed by a"
        " person whom the one before names, or through a clone that is enrolled already"
    )
    return (*notes, f"next: {APPLY} && handrail ledger sync")


def sync(invocation: Invocation) -> Reply:
    """Share the ledger with a remote."""
    dry_run = invocation.flag("dry_run")
    progress = _Progress()
    with progress.shown(quiet=invocation.flag("quiet")):
        use_case = syncing(invocation.application, progress.tell)
        done = use_case.sync(invocation.text("remote"), dry_run=dry_run)
        landed = None
        if not dry_run and done.outcome != NO_STORE:
            progress.tell(f"looking at what landed on {done.remote}")
            landed = follow(invocation.application, done.remote)
            if landed is not None and landed.seq is not None and done.signed:
                done = done._replace(enrolled=_is_enrolled(invocation.application, done.epoch))
    data: Data = {
        **done._asdict(),
        "config": None if landed is None else landed._asdict(),
        "left": [row._asdict() for row in done.left],
        "parallel_edit": [row._asdict() for row in done.parallel],
    }
    del data["parallel"]
    if dry_run:
        data["dry_run"] = True
    notes = (*_synced_notes(done), *followed_notes(landed))
    return Reply(data, _synced_text(done, dry_run=dry_run), notes)


def _is_enrolled(application: Application, epoch: str | None) -> bool:
    """Tell whether what has just come into force enrols this store."""
    with application.store.read() as reader:
        return any(row.id == epoch for row in rules_in_force(reader).settings.epochs)


def _synced_text(done: Synced, *, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    lines = []
    remote = visible(done.remote)
    if done.outcome == NO_STORE:
        lines.append("there is no store here, so nothing of our own is shared")
    elif done.outcome == PUSHED:
        new = count(done.entries, "new entry")
        lines.append(f"{would}shared with {remote}: {done.head} ({new}) as {done.ref}")
    else:
        lines.append(f"{remote} has it all: {done.head} as {done.ref}")
    lines += [f"{would}taken: the ledger of {epoch}" for epoch in done.taken]
    return "\n".join(lines)


def _synced_notes(done: Synced) -> tuple[str, ...]:
    """Return what else somebody should know."""
    notes = []
    if done.branch:
        notes.append(f"note: {visible(done.remote)} takes no such ref, so the ledger is a branch")
    if done.epoch is not None and not done.enrolled:
        signed = "" if done.signed else "not signed, and "
        notes.append(
            f"note: the ledger is {signed}believed by nobody: this store is not enrolled;"
            f" next: {errors.AS_PERSON}handrail enroll"
        )
    return (*notes, *news(done))


def followed_notes(landed: Followed | None) -> tuple[str, ...]:
    """Return what became of a configuration that landed on the remote."""
    if landed is None:
        return ()
    what = f"the {CONFIG_FILE} that landed in {landed.commit[:SHORT]}"
    if landed.seq is not None:
        return (f"note: {what} is in force here now (entry {landed.seq})",)
    step = f"{errors.AS_PERSON}handrail config apply"
    return (f"note: {what} is not in force here: {visible(landed.reason)}; next: {step}",)


def news(done: Synced) -> tuple[str, ...]:
    """Return what may be new at each sync: ledgers that were left, work on the same paths."""
    notes = [
        f"note: {row.fault}: the ledger of {row.epoch} was not taken: {visible(row.reason)}"
        for row in done.left
    ]
    for row in done.parallel:
        where = f"{visible(row.holder)}, session {row.session}, {' '.join(row.scope)}"
        notes.append(
            f"note: parallel_edit: {visible(row.witness)} is held here by {row.own_session}"
            f" and elsewhere ({visible(where)})"
        )
    return tuple(notes)


class _Progress:
    """How far it is, said to who has waited for a second."""

    def __init__(self) -> None:
        self._latest = ""
        self._waited = False

    def tell(self, text: str) -> None:
        """Hear how far it is."""
        self._latest = text
        if self._waited:
            say(visible(text))

    def _say(self) -> None:
        self._waited = True
        if self._latest:
            say(visible(self._latest))

    @contextmanager
    def shown(self, *, quiet: bool) -> Iterator[None]:
        """Say it to stderr from the first second on."""
        timer = threading.Timer(PATIENCE_S, self._say)
        if not quiet:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()
