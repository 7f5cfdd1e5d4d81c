"""The keys that sign ledgers: Ed25519, made, read, asked to sign, and checked against.

Promises: a private key lies in a file of mode 0600 that is never overwritten and is there whole or
not at all; nothing of it stands in an error, a log or a ledger; what cannot be used is
MalformedKey, which says what to do. A check that cannot be made is a check that fails. The only
door to ``cryptography``, which is imported when a key is first at work.

    make_key("/repo/.git/handrail/epoch.key")
    signer = signer_from_file("/repo/.git/handrail/epoch.key")
    check(signer.public_key, b"text", signer.sign(b"text"))   # True
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress

from handrail.errors import FactsUnavailable
from handrail.errors.landing import MalformedKey
from handrail.facts.files import grown, read_bounded
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OWN: Final = "epoch.key"
CHOICE: Final = "epoch.key-path"
VARIABLE: Final = "HANDRAIL_LEDGER_KEY"
PATH_BYTES_MAX: Final = 8_192
KEY_BYTES_MAX: Final = 16_384
PUBLIC_CHARS_MAX: Final = 4_096
SIGNATURE_BYTES: Final = 64
KIND: Final = "ssh-ed25519"
_OPENSSH: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_PKCS8: Final = b"-----BEGIN PRIVATE KEY-----"
_PKCS8_LOCKED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_ARMOUR: Final = b"-----BEGIN "
_OTHERS: Final = 0o077


class Signer:
    """Signs with a private key, which it shows to nobody."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public_key(self) -> str:
        """The public half, as a line of an SSH public key file without a comment."""
        from cryptography.hazmat.primitives import serialization

        form = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        return self._key.public_key().public_bytes(*form).decode("ascii")

    def sign(self, text: bytes) -> bytes:
        """Return the signature over a text, 64 bytes; the same text has the same signature."""
        return self._key.sign(text)


def make_key(path: str) -> None:
    """Make a private key where there is none; raises StoreReadOnly, DiskFull.

    What stands there already stays, so of several who make it at once all go on with one key.
    """
    if os.path.lexists(path):
        return
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH)
    text = Ed25519PrivateKey.generate().private_bytes(*form, serialization.NoEncryption())
    _put(path, text, os.link)


def _put(path: str, content: bytes, name: Callable[[str, str], None]) -> None:
    """Write a file whole or not at all, and let ``name`` give it its name."""
    half = f"{path}.{os.getpid()}.part"
    with grown(half, content, path, mode=0o600):
        with suppress(FileExistsError):
            name(half, path)
        _remember(os.path.dirname(path) or ".")


def _remember(folder: str) -> None:
    """Let a folder keep its names also where the power fails: a key that is enrolled is needed."""
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def signer_from_file(path: str) -> Signer:
    """Return what signs with the key of a file; raises MalformedKey."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        text = read_bounded(path, KEY_BYTES_MAX)
    except FileNotFoundError:
        raise MalformedKey(file=path, reason="there is no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise MalformedKey(file=path, reason=reason) from None
    except FactsUnavailable as error:
        raise MalformedKey(file=path, reason=error.values["reason"]) from None
    if mode & _OTHERS:
        raise MalformedKey(
            file=path,
            reason=f"others may read or write it (mode {mode:04o}); a private key is its owner's",
            next=_command("chmod", "600", path),
        )
    return _signer(text or b"", path)


def signer_from_text(text: str, source: str) -> Signer:
    """Return what signs with the key in a text; ``source`` names where it stood.

    Ends of lines may have been lost on the way, as they are in settings of a forge; raises
    MalformedKey.
    """
    return _signer(text.strip().encode("utf-8", "surrogateescape") + b"\n", source)


def _signer(text: bytes, source: str) -> Signer:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = text.strip() + b"\n"
    reason = _unusable(text)
    if reason is not None:
        raise MalformedKey(file=source, reason=reason)
    openssh = text.startswith(_OPENSSH)
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key: object = load(text, None)
    except TypeError:
        raise MalformedKey(file=source, reason=_LOCKED) from None
    except UnsupportedAlgorithm:
        raise MalformedKey(file=source, reason=_OTHER_KIND) from None
    except ValueError:
        # What the library says could quote what it read.
        raise MalformedKey(file=source, reason="the key in it is damaged") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise MalformedKey(file=source, reason=_OTHER_KIND)
    return Signer(key)


_LOCKED: Final = "it has a passphrase, and nobody can type it at a push"
_OTHER_KIND: Final = "its key is of another kind than Ed25519"


def _unusable(text: bytes) -> str | None:
    """Say why a text can be no private key of ours, by its first line."""
    if len(text) > KEY_BYTES_MAX:
        return f"it is larger than {KEY_BYTES_MAX} bytes"
    if text.startswith((_OPENSSH, _PKCS8)):
        return None
    if text.startswith(_PKCS8_LOCKED):
        return _LOCKED
    if text.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        return "it is a public key, and the private one beside it is needed"
    if text.startswith(_ARMOUR):
        return _OTHER_KIND
    return "it is neither an OpenSSH private key nor one in PEM"


def _command(*words: str) -> str:
    from handrail.text import shell_quote

    return " ".join(shell_quote(word) for word in words)


def check(public_key: str, text: bytes, signature: bytes) -> bool:
    """Tell whether a signature over a text was made with the other half of a public key.

    ``public_key`` is a line of an SSH public key file; whatever is no Ed25519 key checks nothing.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    words = public_key.split()[:2]
    if len(signature) != SIGNATURE_BYTES or len(public_key) > PUBLIC_CHARS_MAX:
        return False
    if len(words) != 2 or words[0] != KIND or not public_key.isascii():
        return False
    try:
        key = serialization.load_ssh_public_key(" ".join(words).encode("ascii"))
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(signature, text)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


class KeyFiles:
    """Which key is a store's: one in its state folder, or one that somebody chose.

    A key that the environment holds (for machines that keep no files) goes before both.
    """

    def __init__(self, folder: str, given: str | None) -> None:
        self.own = os.path.join(folder, OWN)
        self._choice = os.path.join(folder, CHOICE)
        self._given = given or None

    @property
    def place(self) -> str:
        """Where the key is, or would be; raises FactsUnavailable."""
        return VARIABLE if self._given is not None else self.file

    @property
    def file(self) -> str:
        """The file that was chosen, else the store's own; raises FactsUnavailable."""
        chosen = read_bounded(self._choice, PATH_BYTES_MAX)
        return os.fsdecode(chosen.removesuffix(b"\n")) if chosen else self.own

    def signer(self) -> Signer | None:
        """Return what signs; None if the store has no key yet. Raises MalformedKey."""
        if self._given is not None:
            return signer_from_text(self._given, VARIABLE)
        file = self.file
        if file == self.own and not os.path.lexists(file):
            return None
        return signer_from_file(file)

    def read(self, file: str) -> Signer:
        """Return what signs with the key of a file; raises MalformedKey."""
        return signer_from_file(file)

    def make(self) -> None:
        """Make the store's own key if there is none."""
        make_key(self.own)

    def choose(self, file: str) -> None:
        """Remember the file whose key signs; raises StoreReadOnly, DiskFull."""
        if file == self.file:
            return
        if file == self.own:
            with suppress(FileNotFoundError):
                os.unlink(self._choice)
            return
        _put(self._choice, os.fsencode(file) + b"\n", os.replace)
