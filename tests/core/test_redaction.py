"""Secrets are taken out of command lines and output, however the output comes."""

from __future__ import annotations

import doctest
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core import redaction
from handrail.core.redaction import (
    LINE_BYTES_MAX,
    PATTERNS,
    VALUES_MAX,
    Redactor,
    redacted,
    redacted_words,
    secret_values,
)

LONG: Final = "Zq8" * 14
# One secret for each known kind, with what is around it and stays.
SECRETS: Final[dict[str, tuple[str, str, str]]] = {
    "the password of a URL": ("git clone https://ada:", "hunter2", "@host.test/x"),
    "a header that authorises": ("Authorization: Basic ", "YWRhOmh1bnRlcjI=", ""),
    "a bearer": ("curl -H 'x: Bearer ", LONG, "'"),
    "a token of GitHub": ("got ", f"ghp_{LONG}", " here"),
    "a token of GitLab": ("got ", f"glpat-{LONG}", " here"),
    "a token of Slack": ("got ", "xoxb-1234567890-abcdef", " here"),
    "a key of AWS": ("got ", "AKIA" + "ABCD" * 4, " here"),
    "a key of Google": ("got ", "AIza" + "Zq8_x" * 7, " here"),
    "a key of a model's API": ("got ", f"sk-{LONG}", " here"),
    "a token of npm or PyPI": ("got ", f"npm_{LONG}", " here"),
    "a JSON web token": ("got ", f"eyJ{LONG}.eyJ{LONG}.{LONG}", " here"),
    "a setting named like a secret": ("DB_PASSWORD=", "hunter2!", " make"),
}


def test_every_known_kind_has_a_secret_here() -> None:
    assert list(SECRETS) == [known.what for known in PATTERNS]


@pytest.mark.parametrize("what", list(SECRETS))
def test_a_secret_goes_and_what_is_around_it_stays(what: str) -> None:
    before, secret, after = SECRETS[what]
    told = redacted(f"{before}{secret}{after}\n".encode())
    assert told == f"{before}[redacted]{after}\n".encode()


@pytest.mark.parametrize(
    "plain",
    [
        *("PASSED tests/test_a.py::test_token_is_kept", "tests pass: 15 of 15", "12 passed"),
        *("https://host.test/a:b@c", "a.b.c", "pass", "eyJ", "task-list-of-many-words-in-a-row"),
    ],
)
def test_what_only_looks_a_little_like_a_secret_stays(plain: str) -> None:
    assert redacted(plain.encode()) == plain.encode()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("curl", "--password", "x", "y"), ("curl", "--password", "[redacted]", "y")),
        (("curl", "-u", "ada:x"), ("curl", "-u", "[redacted]")),
        (("sort", "-u", "file"), ("sort", "-u", "file")),
        (("a", "--api-key=abcdef"), ("a", "--api-key=[redacted]")),
        (("a", "--token", "--quiet"), ("a", "--token", "--quiet")),
    ],
)
def test_the_words_of_a_command_are_redacted(words: tuple[str, ...], told: tuple[str, ...]) -> None:
    assert redacted_words(words) == told


PRINTED: Final = (
    "".join(f"line\n{a}{secret}{b}\n" for a, secret, b in SECRETS.values())
    + "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----\nend"
).encode()


@given(st.lists(st.integers(0, len(PRINTED)), max_size=8))
def test_it_does_not_matter_how_output_is_cut(cuts: list[int]) -> None:
    redactor = Redactor()
    ends = sorted({*cuts, len(PRINTED)})
    pieces = [PRINTED[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    told = b"".join([*map(redactor.feed, pieces), redactor.end()])
    whole = Redactor()
    assert told == whole.feed(PRINTED) + whole.end()
    assert all(secret.encode() not in told for _, secret, _ in SECRETS.values())
    assert b"MIIE" not in told
    assert told.endswith(b"\nend")


VARIABLES: Final = (
    ("DEPLOY_TOKEN", "plain words"),
    ("db_password", "plain"),
    ("KEY_SECRET", "first line of it\nsecond line of it\nend"),
    ("HOME", "/home/somebody"),
    ("MY_API_KEY", "plain words and more"),
)


def test_values_of_variables_that_are_named_like_a_secret_are_taken_out() -> None:
    values = secret_values(VARIABLES)
    assert values == (
        b"plain words and more",
        b"second line of it",
        b"first line of it",
        b"plain words",
    )
    redactor = Redactor(values)
    told = redactor.feed(b"a plain wo") + redactor.feed(b"rds and more\nplain words, plain")
    assert told + redactor.end() == b"a [redacted]\n[redacted], plain"
    assert redacted_words(("x", "is plain words"), values) == ("x", "is [redacted]")
    many = [(f"TOKEN_{number}", f"value-{number:04}") for number in range(VALUES_MAX + 5)]
    assert len(secret_values(many)) == VALUES_MAX


def test_a_line_without_end_is_not_kept_waiting() -> None:
    redactor = Redactor()
    told = b"".join(redactor.feed(b"x" * 10_000) for _ in range(100))
    assert len(told) >= 1_000_000 - LINE_BYTES_MAX
    assert told + redactor.end() == b"x" * 1_000_000


def test_the_example_in_the_documentation_holds() -> None:
    done = doctest.testmod(redaction)
    assert (done.attempted > 0, done.failed) == (True, 0)
