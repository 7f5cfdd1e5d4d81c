"""Secrets taken out of what is kept: command lines and output, before they are hashed or stored.

Promise: whatever one of ``PATTERNS`` finds becomes ``[redacted]``; what they do not find stays as
it was, byte for byte; so does a value that somebody names as secret (``secret_values``). Output may
come in pieces of any size: a secret is found across two of them as long as its line is no longer
than ``LINE_BYTES_MAX``. Not promised: a secret that looks like nothing in particular.

    >>> redacted_words(("curl", "-u", "ada:hunter2", "https://x:y@host/"))
    ('curl', '-u', '[redacted]', 'https://x:[redacted]@host/')
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from handrail.core.record import Record

LINE_BYTES_MAX: Final = 1 << 16
MARK: Final = b"[redacted]"
VALUE_BYTES_MIN: Final = 8
"""A shorter value of a variable is not looked for: `true` or `1` stands everywhere."""
VALUES_MAX: Final = 64

_NAMES: Final = (
    rb"(?:password|passwd|passphrase|[_-]pass|secret|token|api[_-]?key|access[_-]?key"
    rb"|private[_-]?key)"
)
_AUTHORISES: Final = rb"(?i)(?P<keep>authorization[ \t]{0,8}[:=][ \t]{0,8}(?:[a-z]{1,20} )?)"
_KEYS: Final = tuple(
    f"{what}{sign}key".encode() for what in ("api", "access", "private") for sign in ("", "_", "-")
)
_GITLAB: Final = (b"glpat-", b"gldt-", b"glrt-", b"glcbt-", b"glptt-", b"glft-", b"glsoat-")


class Known(Record):
    """A kind of secret: what it is, a mark without which there is none (in lower case), its form.

    What stands before the secret and is kept is the group `keep`.
    """

    what: str
    marks: tuple[bytes, ...]
    form: re.Pattern[bytes]


# No form goes beyond its line, so it does not matter how the output was cut into pieces.
PATTERNS: Final = (
    Known(
        "the password of a URL",
        (b"://",),
        re.compile(rb"(?P<keep>://[^\s/:@]{0,256}:)[^\s/@]+(?=@)"),
    ),
    Known(
        "a header that authorises",
        (b"authorization",),
        re.compile(_AUTHORISES + rb"[^\s\"']+"),
    ),
    Known("a bearer", (b"bearer",), re.compile(rb"(?i)(?P<keep>bearer )[a-z0-9._~+/-]{8,}=*")),
    Known(
        "a token of GitHub",
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        re.compile(rb"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ),
    Known(
        "a token of GitLab",
        _GITLAB,
        re.compile(rb"(?:" + b"|".join(_GITLAB) + rb")[A-Za-z0-9_-]{20,}"),
    ),
    Known("a token of Slack", (b"xox",), re.compile(rb"xox[a-z]-[A-Za-z0-9-]{10,}")),
    Known("a key of AWS", (b"akia", b"asia"), re.compile(rb"(?:AKIA|ASIA)[A-Z0-9]{16}")),
    Known("a key of Google", (b"aiza",), re.compile(rb"AIza[A-Za-z0-9_-]{35}")),
    Known("a key of a model's API", (b"sk-",), re.compile(rb"\bsk-[A-Za-z0-9_-]{20,}")),
    Known(
        "a token of npm or PyPI",
        (b"npm_", b"pypi-"),
        re.compile(rb"(?:npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,})"),
    ),
    Known(
        "a JSON web token",
        (b"eyj",),
        re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    ),
    Known(
        "a setting named like a secret",
        (b"passw", b"passphrase", b"_pass", b"-pass", b"secret", b"token", *_KEYS),
        re.compile(
            rb"(?i)(?P<keep>"
            + _NAMES
            + rb"[a-z0-9_-]{0,20}[\"']?[ \t]{0,4}[=:][ \t]{0,4}[\"']?)[^\s\"',;&]{4,}"
        ),
    ),
)
_KEY_BEGINS: Final = re.compile(rb"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS: Final = re.compile(rb"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_OPTION: Final = re.compile(
    rb"(?i)--?[a-z0-9_-]{0,64}(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key)"
)
_LOGIN_OPTIONS: Final = ("-u", "--user", "--proxy-user")
_VARIABLE: Final = re.compile(_NAMES, re.IGNORECASE)


def secret_values(variables: Iterable[tuple[str, str]]) -> tuple[bytes, ...]:
    """Return what variables hold that are named like a secret, line by line, the longest first."""
    found: set[bytes] = set()
    for name, value in variables:
        if _VARIABLE.search(name.encode("utf-8", "surrogateescape")) is not None:
            found.update(value.encode("utf-8", "surrogateescape").splitlines())
    told = [line for line in found if len(line) >= VALUE_BYTES_MIN]
    return tuple(sorted(told, key=lambda line: (-len(line), line))[:VALUES_MAX])


def redacted(text: bytes, values: Sequence[bytes] = ()) -> bytes:
    """Return whole lines without the secrets in them; keys over several lines: see ``Redactor``."""
    for value in values:
        text = text.replace(value, MARK)
    lower = text.lower()
    for known in PATTERNS:
        if any(mark in lower for mark in known.marks):
            text = known.form.sub(_marked, text)
    return text


def _marked(found: re.Match[bytes]) -> bytes:
    kept = found.groupdict().get("keep")
    return MARK if kept is None else kept + MARK


def redacted_words(words: Sequence[str], values: Sequence[bytes] = ()) -> tuple[str, ...]:
    """Return the words of a command without secrets, those that follow an option, too."""
    told: list[str] = []
    before = ""
    for word in words:
        raw = word.encode("utf-8", "surrogateescape")
        named = _OPTION.fullmatch(before.encode("utf-8", "surrogateescape")) is not None
        login = before in _LOGIN_OPTIONS and ":" in word
        if (named and not word.startswith("-")) or login:
            told.append(MARK.decode("ascii"))
        else:
            told.append(redacted(raw, values).decode("utf-8", "surrogateescape"))
        before = word
    return tuple(told)


class Redactor:
    """Output that comes in pieces: give each to ``feed``, and say when it was the last."""

    def __init__(self, values: Sequence[bytes] = ()) -> None:
        self._values = tuple(values)
        self._rest = b""
        self._in_key = False

    def feed(self, piece: bytes) -> bytes:
        """Return what can be judged by now, redacted."""
        text = self._rest + piece
        end = text.rfind(b"\n") + 1
        if not end and len(text) > LINE_BYTES_MAX:
            # A line without an end: cut between words, where there are any.
            end = max(text.rfind(b" "), text.rfind(b"\t")) + 1 or len(text)
        self._rest = text[end:]
        if len(self._rest) > LINE_BYTES_MAX:
            end, self._rest = len(text), b""
        return self._told(text[:end])

    def end(self) -> bytes:
        """Return what was still waiting for the end of its line."""
        rest, self._rest = self._rest, b""
        return self._told(rest)

    def _told(self, text: bytes) -> bytes:
        told: list[bytes] = []
        while text:
            if self._in_key:
                found = _KEY_ENDS.search(text)
                if found is None:
                    break
                self._in_key, text = False, text[found.end() :]
                continue
            found = _KEY_BEGINS.search(text) if b"PRIVATE KEY" in text else None
            if found is None:
                told.append(redacted(text, self._values))
                break
            told += [redacted(text[: found.start()], self._values), MARK]
            self._in_key, text = True, text[found.end() :]
        return b"".join(told)
