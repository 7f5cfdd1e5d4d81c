"""Ledgers of other stores, as a remote shows them: which are taken into this repository.

Promises: a local ref moves only to what has it in its history; what is taken is a ledger of its
epoch by its small files, and signed by the key that is enrolled, where one is. What is not taken is
named with its fault, and the ref stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handrail.config.records import Epoch
from handrail.core.published import LEDGERS, Garbled
from handrail.core.record import Record
from handrail.service.published import MALFORMED, REWRITTEN, UNSIGNED, Check, Source
from handrail.service.publishing import opened
from handrail.service.remotes import Remotes


class Left(Record):
    """A ledger that was not taken, and what is wrong with it."""

    epoch: str
    fault: str
    reason: str


def key_of(epochs: Sequence[Epoch], epoch: str) -> str | None:
    """Return the key that is enrolled for an epoch."""
    return next((row.key for row in epochs if row.id == epoch), None)


class Taking:
    """The taking of what a remote has."""

    def __init__(
        self, source: Source, remotes: Remotes, epochs: Sequence[Epoch], check: Check
    ) -> None:
        self._source = source
        self._remotes = remotes
        self._epochs = epochs
        self._check = check

    def take(
        self,
        there: Mapping[str, Mapping[str, str]],
        here: Mapping[str, str],
        *,
        dry_run: bool,
    ) -> tuple[tuple[str, ...], tuple[Left, ...]]:
        """Let local refs follow the remote's; returns the epochs that moved, and what was left.

        ``there`` holds the remote's refs of each epoch, ``here`` the commit of each local one; all
        of those commits are here.
        """
        taken: dict[str, None] = {}
        left: list[Left] = []
        for epoch, refs in there.items():
            at = here.get(epoch)
            for tip in dict.fromkeys(refs.values()):
                if tip == at:
                    continue
                fault = self._fault(epoch, tip, at)
                if fault is not None:
                    left.append(fault)
                elif at is None or not self._remotes.contains(at, tip):
                    if not dry_run:
                        # Where another process was quicker, it took the same or what came after.
                        self._remotes.move(LEDGERS + epoch, tip, at)
                    taken[epoch], at = None, tip
        return tuple(taken), tuple(left)

    def _fault(self, epoch: str, tip: str, at: str | None) -> Left | None:
        """Say why a ledger cannot be taken as it is."""
        try:
            file = opened(self._source, tip, epoch).file
        except Garbled as error:
            return Left(epoch, MALFORMED, str(error))
        key = key_of(self._epochs, epoch)
        if key is not None:
            named = file.key is not None and file.key.split() == key.split()[:2]
            signature = file.signature if named else None
            if signature is None or not self._check(key, file.signed, signature):
                return Left(epoch, UNSIGNED, "its head is not signed by the key that is enrolled")
        if at is None or self._remotes.contains(tip, at) or self._remotes.contains(at, tip):
            return None
        return Left(epoch, REWRITTEN, "it does not lead on from what was here before")
