"""Whatever bytes a configuration is made of, the answer is settings or MalformedConfig."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handrail.config import compile_settings, load_compiled, parse_config, validate_config
from handrail.config.parse import BYTES_MAX
from handrail.config.report import PROBLEMS_MAX
from handrail.errors import MalformedConfig
from tests.config.samples import FULL, SMALL
from tests.config.toml_writer import Document, documents

VALID = FULL.encode()
PIECES = (
    *(b"[[", b"]]", b"[", b"]", b"{", b"}", b"=", b'"', b"'", b'"""', b"'''", b"#", b"\n", b"\r"),
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\\u0000", b"\\ud800", b"\\", b".", b",", b"1979-05-27"),
    *(b"0x" + b"f" * 300, b"9" * 5000, b"1e999", b"nan", b"-", b"+", b"true", b"\xe2\x80\xae"),
    *(b"[" * 500, b"{a=" * 500, b"a." * 500, b"role", b"name", b"lane", b"'..'", b"' '", b'""'),
)


def told(text: bytes) -> list[tuple[int, str]]:
    """Parse; give the problems told by the error, having checked that the error is whole."""
    problems = validate_config(text)
    lines = text.count(b"\n") + 1
    assert all(1 <= problem.line <= lines for problem in problems)
    assert problems == sorted(problems, key=lambda problem: problem.line)
    try:
        settings = parse_config(text)
    except MalformedConfig as malformed:
        assert malformed.values["problems"] == [(line, reason) for line, _, reason, _ in problems]
        assert malformed.message.isprintable()
        return [(line, reason) for line, _, reason, _ in problems]
    assert problems == []
    assert load_compiled(compile_settings(settings)) == settings
    return []


@given(st.binary())
@example(b"")
@example(b"\xef\xbb\xbf")
def test_random_bytes_are_settings_or_malformed(text: bytes) -> None:
    told(text)


@given(st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_random_text_is_settings_or_malformed(text: bytes) -> None:
    told(text)


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(VALID)), st.integers(0, 30), st.sampled_from(PIECES) | st.binary()
        ),
        min_size=1,
        max_size=4,
    )
)
@example([(0, 0, b"[["), (998, 29, b"{")])
def test_a_spoilt_configuration_is_settings_or_malformed(
    changes: list[tuple[int, int, bytes]],
) -> None:
    text = VALID
    for at, length, piece in changes:
        text = text[:at] + piece + text[at + length :]
    told(text)


@given(st.sampled_from(VALID.split(b"\n")), st.sampled_from(PIECES))
def test_any_value_may_be_replaced_by_anything(line: bytes, piece: bytes) -> None:
    key = line.partition(b"=")[0]
    told(VALID.replace(line, key + b"= " + piece, 1))


@given(documents())
def test_any_other_toml_is_malformed(document: Document) -> None:
    assert told(document.text.encode())


@given(documents())
def test_any_other_toml_in_a_known_section_is_malformed_or_changes_nothing(
    document: Document,
) -> None:
    told(SMALL.encode() + document.text.encode())


MIB = BYTES_MAX


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"#" * (MIB + 1), 1, "is larger than 1048576 bytes"),
        (b"a = 1\nb = '\xff'", 2, "is not UTF-8"),
        ("a = 'ä'\n".encode("utf-16"), 1, "is not UTF-8"),
        (b"a = 1\n\n# \0", 3, "holds a NUL character"),
        (b"\xef\xbb\xbf" + SMALL.encode(), 1, "begins with a byte order mark"),
        (b"a = " + b"[" * (MIB - 4), 1, "more than 32 levels of brackets"),
        (b"\na = " + b"{b=" * 300_000, 2, "more than 32 levels of brackets"),
        (b"a" + b".a" * 500_000 + b" = 1", 1, "a key of more than 32 parts"),
        (b"\n[a" + b".a" * 500_000 + b"]", 2, "a key of more than 32 parts"),
        (b"a = " + b"9" * 1_000_000, 1, "a word or number of more than 256 characters"),
        (b"a = [\n0x" + b"f" * 1_000_000 + b"]", 2, "a word or number of more than 256 characters"),
        (b"'" * (MIB - 1), 1, "is no TOML"),
        (b'a = "' + b'\\"' * 500_000, 1, "is no TOML: Unterminated string"),
        (b"a = 1\rb = 2", 1, "is no TOML"),
        (b"a = 1979-99-99", 1, "is no TOML"),
        (b'\na = "\\ud800"', 2, "is no TOML"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_what_is_not_even_toml_is_told_with_its_line(text: bytes, line: int, reason: str) -> None:
    ((at, said),) = told(text)
    assert at == line
    assert reason in said


def test_a_file_of_the_largest_size_is_read() -> None:
    text = SMALL.encode()
    assert told(text + b"#" * (MIB - len(text))) == []
    assert told(text + b"#" * (MIB - len(text) + 1)) == [(1, "is larger than 1048576 bytes")]


def repeat(head: str, piece: str, count: int) -> bytes:
    """Write `piece` some times, with the number of each in it."""
    return (head + "".join(piece.replace("{}", str(number)) for number in range(count))).encode()


@pytest.mark.parametrize(
    "text",
    [
        repeat("", "k{} = 1\n", 10_000),
        repeat(SMALL, "[[role]]\nname = 'r'\nlane = []\n", 3_000),
        repeat(SMALL, "[[role]]\nname = 'r{}'\nlane = ['a{}']\n", 3_000),
        repeat(SMALL, "[[agent]]\nname = '{}'\nrole = 'r{}'\nmatch.author = 'a'\n", 3_000),
        repeat(SMALL + "may_write = [", "1,", 30_000) + b"]",
        repeat("[workspace]\nid = '", "aaaaaaaaaa", 100_000) + b"'",
        repeat("[store]\nurl = 'postgresql://", "::::::::::", 100_000) + b"'",
        repeat("[[gate]]\nstages = [", "'land',", 10_000) + b"]",
    ],
    ids=["keys", "twins", "roles", "references", "elements", "name", "url", "stages"],
)
def test_many_mistakes_take_no_more_than_a_hundred_sentences(text: bytes) -> None:
    assert len(told(text)) <= PROBLEMS_MAX


@pytest.mark.parametrize("error", [RecursionError("too deep"), ValueError("too many digits")])
def test_what_tomllib_raises_beside_its_own_error_is_malformed_too(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With other limits of the interpreter than ours, it may."""

    def loads(_text: str) -> object:
        raise error

    monkeypatch.setattr(tomllib, "loads", loads)
    assert told(SMALL.encode()) == [(1, f"is no TOML: {error}")]
