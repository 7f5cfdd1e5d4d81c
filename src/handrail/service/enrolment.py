"""Enrolling a store: its epoch and its public key into ``handrail.toml``, by a person.

Promises: the file is changed by text, so that all else in it stays to the byte; what comes out is a
valid configuration that differs in this one ``[[epoch]]`` and in nothing else, or nothing is
written; the file is replaced whole, and only if nobody changed it meanwhile. Safe to repeat. The
private key is made beside the store, or stays where it is; only its public half is written down.

    Enrolment(context, site, keys, "web-2").enroll()
"""

from __future__ import annotations

import re

from handrail import errors
from handrail.config import CONFIG_FILE, Settings, parse_config
from handrail.config.lines import locate
from handrail.config.records import Epoch
from handrail.core.names import plain_name
from handrail.core.record import Record
from handrail.errors.landing import MalformedKey
from handrail.service.context import Context
from handrail.service.install.site import FILE, NOTHING, Seen, Site
from handrail.service.publishing import Signer
from handrail.service.sessions import person_proof
from handrail.text import shell_quote
from handrail.typed import Final, Protocol

ADDED: Final = "added"
REPLACED: Final = "replaced"
SAME: Final = "same"

_TO_COME: Final = "ssh-ed25519 (made by handrail enroll)"
_KEY_LINE: Final = re.compile(r"""(\s*key\s*=\s*)("[^"\\]*"|'[^']*')(\s*(?:#.*)?)""")


class StoreKeys(Protocol):
    """Where the key of this store is kept."""

    own: str

    @property
    def file(self) -> str:
        """The file that was chosen, else the store's own."""

    def read(self, file: str) -> Signer:
        """Return what signs with the key of a file; raises MalformedKey."""

    def make(self) -> None:
        """Make the store's own key if there is none."""

    def choose(self, file: str) -> None:
        """Remember the file whose key signs."""


class Enrolled(Record):
    """What enrolling did: ``added``, ``replaced`` or ``same``; ``key`` is None where none is yet.

    ``block`` is what stands in the file, or would; ``before`` is the key that was replaced.
    """

    outcome: str
    epoch: str
    key: str | None
    holder: str
    block: str
    key_file: str
    before: str | None = None
    in_force: bool = False


class Enrolment:
    """The use case of enrolling the store of this clone."""

    def __init__(self, context: Context, site: Site, keys: StoreKeys, machine: str) -> None:
        self._context = context
        self._site = site
        self._keys = keys
        self._machine = machine

    def enroll(
        self, *, file: str | None = None, holder: str | None = None, dry_run: bool = False
    ) -> Enrolled:
        """Write this store's epoch and key into the working tree's configuration.

        ``file`` is the absolute path of a key to sign with instead of the store's own. Raises
        NeedsPerson, MalformedKey, MalformedConfig, FactsUnavailable.
        """
        if holder is not None and not (holder.isprintable() and holder.strip() == holder != ""):
            reason = "A holder is a name of one line, without blanks around it."
            raise errors.Usage(reason=reason, next="handrail enroll --help")
        words = [*(["--key", file] if file else []), *(["--holder", holder] if holder else [])]
        person_proof(self._context.caller, "enrolling a store", ("enroll", *words))
        path = f"{self._site.toplevel}/{CONFIG_FILE}"
        seen = self._site.look(path)
        text, settings = _configuration(seen)
        with self._context.store.read() as reader:
            epoch = reader.epoch
            config = reader.config()
        key_file = file or self._keys.file
        key = self._key(key_file, dry_run=dry_run)
        known = next((row for row in settings.epochs if row.id == epoch), None)
        wanted = Epoch(
            epoch, key or _TO_COME, holder or (known.holder if known else self._holder())
        )
        if known is not None:
            wanted = wanted._replace(holder=known.holder)
        done = Enrolled(SAME, *_plain(wanted, key), _block(wanted), key_file)
        if known is None:
            changed, done = _appended(text, wanted), done._replace(outcome=ADDED)
        elif key is None or known.key.split()[:2] != key.split()[:2]:
            changed = _replaced(text, settings.epochs.index(known), wanted)
            done = done._replace(outcome=REPLACED, before=known.key)
        else:
            changed = text
            in_force = config is not None and config.text == text
            done = done._replace(in_force=in_force, block=_block(known))
        if key is not None:
            _check(changed, settings, wanted, known)
        if not dry_run:
            self._keys.choose(key_file)
            if changed != text:
                self._site.write(path, changed.encode("utf-8"), seen, 0o666)
        return done

    def _holder(self) -> str:
        """Name who holds the store where nobody says it: this folder on this machine."""
        return plain_name(f"{self._context.caller.folder}@{self._machine}") or "store"

    def _key(self, file: str, *, dry_run: bool) -> str | None:
        """Return the public key, of one that is made now if need be; None in a dry run."""
        if file != self._keys.own:
            return self._chosen(file)
        if not self._site.exists(file):
            if dry_run:
                return None
            self._keys.make()
        try:
            return self._keys.read(file).public_key
        except MalformedKey as error:
            if error.next and error.next.startswith("chmod"):
                raise
            aside = shell_quote(f"{file}.damaged")
            step = f"mv {shell_quote(file)} {aside} && {errors.AS_PERSON}handrail enroll"
            raise MalformedKey(**error.values, next=step) from error

    def _chosen(self, file: str) -> str:
        """Return the public key of a file that somebody chose."""
        try:
            return self._keys.read(file).public_key
        except MalformedKey as error:
            if error.next and error.next.startswith("chmod"):
                raise
            step = f"{errors.AS_PERSON}handrail enroll --key {shell_quote(self._keys.own)}"
            raise MalformedKey(**error.values, next=step) from error


def _plain(epoch: Epoch, key: str | None) -> tuple[str, str | None, str]:
    return epoch.id, key, epoch.holder


def _configuration(seen: Seen) -> tuple[str, Settings]:
    """Read the working tree's configuration; raises FactsUnavailable, MalformedConfig."""
    if seen.kind == NOTHING:
        raise errors.FactsUnavailable(
            what=CONFIG_FILE, reason="it is not in this working tree", next="handrail init"
        )
    if seen.kind != FILE:
        reason = f"it is a {seen.kind}, and nothing is written through one"
        raise errors.FactsUnavailable(what=CONFIG_FILE, reason=reason, next=f"ls -l {CONFIG_FILE}")
    settings = parse_config(seen.content)
    return seen.content.decode("utf-8"), settings


def _quoted(text: str) -> str:
    """Write a text without control characters as TOML."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _block(epoch: Epoch) -> str:
    return (
        f"[[epoch]]\nid = {_quoted(epoch.id)}\nkey = {_quoted(epoch.key)}\n"
        f"holder = {_quoted(epoch.holder)}\n"
    )


def _appended(text: str, epoch: Epoch) -> str:
    """Return the text with a block at its end, in the text's own ends of lines."""
    end = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text or text.endswith("\n") else end
    return text + gap + end + _block(epoch).replace("\n", end)


def _replaced(text: str, number: int, epoch: Epoch) -> str:
    """Return the text with another key in its ``number``-th block; raises MalformedConfig."""
    line = locate(text).line(("epoch", number, "key"))
    lines = text.split("\n")
    found = _KEY_LINE.fullmatch(lines[line - 1])
    if found is None:
        reason = f"the key of epoch {epoch.id} is not on a line of its own: write it by hand"
        raise errors.MalformedConfig(file=CONFIG_FILE, line=line, reason=reason)
    lines[line - 1] = found[1] + _quoted(epoch.key) + found[3]
    return "\n".join(lines)


def _check(text: str, before: Settings, wanted: Epoch, known: Epoch | None) -> None:
    """Raise MalformedConfig unless the text says what it said, and this one epoch."""
    rows = tuple(wanted if row == known else row for row in before.epochs)
    if known is None:
        rows = (*rows, wanted)
    elif known.key.split()[:2] == wanted.key.split()[:2]:
        rows = before.epochs
    after = parse_config(text.encode("utf-8"))
    if after != before._replace(epochs=rows):
        reason = "an [[epoch]] cannot be written into it without changing more: do it by hand"
        raise errors.MalformedConfig(file=CONFIG_FILE, line=1, reason=reason)
