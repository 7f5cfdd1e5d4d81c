"""A configuration that landed on a protected ref comes into force in the stores of other clones.

Promises: only a text that never was in force here is taken, and only from a history that holds what
is in force here, so nobody's newer one is undone; and only if the commit that wrote it passes rule
V by what is in force here: attested by a session that may, signed by a person, or made from such a
commit. Whoever points a remote elsewhere, or to an older commit, gains nothing by it.

    Following(context).follow(tip, "main")
"""

from __future__ import annotations

from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE, Settings, blob_id, parse_config
from handrail.core.record import Record
from handrail.service.context import Context, History
from handrail.service.court import Court
from handrail.service.evidence import Evidence, Testimony
from handrail.service.identity import UNATTRIBUTED
from handrail.service.policy import charter_of, rules_in_force
from handrail.service.ranges import Base
from handrail.service.setup import keep_compiled, put_config
from handrail.store.port import Reader

VOUCHED: Final = frozenset({"attested", "inherited", "forge_merge", "signed"})
"""Passes that somebody stands for; a commit of nobody known changes no law."""


class Followed(Record):
    """A configuration that landed elsewhere: its blob, the entry, or why it was not taken."""

    blob: str
    commit: str
    seq: int | None
    reason: str = ""


class Following:
    """The use case of taking over what landed."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def follow(self, tip: str, ref: str) -> Followed | None:
        """Take over the configuration at the tip of a protected ref; None: there is nothing new.

        Raises FactsUnavailable, LedgerBroken.
        """
        store = self._context.store
        with store.read() as reader, self._context.outside.history() as history:
            text = history.file_at(tip, CONFIG_FILE)
            if text is None or not _is_new(reader, text):
                return None
            blob, commit = blob_id(text), history.last_change(tip, CONFIG_FILE) or tip
            settings, reason = _read(text, reader.workspace)
            reason = reason or self._objection(reader, history, commit)
        if settings is None or reason:
            return Followed(blob, commit, None, reason)
        with store.transaction() as tx:
            if not _is_new(tx, text):
                return None
            proof = f"landed on {ref} in {commit}"
            put_config(tx, text, proof, UNATTRIBUTED)
            seq = tx.head.seq
        keep_compiled(store, settings, text)
        return Followed(blob, commit, seq)

    def _objection(self, reader: Reader, history: History, commit: str) -> str:
        """Say why the commit that wrote it does not count; '' if it does."""
        rules = rules_in_force(reader)
        if not history.held(commit, CONFIG_FILE, rules.in_force.text.encode("utf-8")):
            return f"{commit[:12]} does not come after {CONFIG_FILE} as it is in force here"
        shared = self._context.shared

        def testimony(settings: Settings) -> Testimony:
            rows = () if shared is None else shared.read(settings, {}, reader.epoch)
            enrolled = [epoch.id for epoch in settings.epochs]
            return Testimony(Evidence(reader), rows, enrolled, charter_of(settings))

        changes = history.changes([commit])
        before = next(iter(changes[commit].parents), None)
        court = Court(testimony, history, Base(before, rules.settings))
        (judgment,) = court.judge([commit], changes)
        return "" if judgment.code in VOUCHED else f"{commit[:12]}: {judgment.sentence}"


def _is_new(reader: Reader, text: bytes) -> bool:
    return reader.latest("config.applied", blob_id(text)) is None


def _read(text: bytes, workspace: str) -> tuple[Settings | None, str]:
    try:
        settings = parse_config(text, file=CONFIG_FILE)
    except errors.MalformedConfig as error:
        return None, error.message
    if settings.workspace.id != workspace:
        return None, f"its workspace.id is {settings.workspace.id}, not {workspace}"
    return settings, ""
