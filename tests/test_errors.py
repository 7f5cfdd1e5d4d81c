"""The error tree: stable codes, exit statuses by kind, sentences and next commands that hold.

The codes and their exit statuses are the interface of Handrail for programs; those written down
here were given out and never change. New ones are added at the end of their kind.
"""

from __future__ import annotations

import ast
import os
import re
import string
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handrail import errors
from handrail.errors import HandrailError
from handrail.errors import cooperation as _cooperation  # noqa: F401 - so that its classes are found
from handrail.errors import handoff as _handoff  # noqa: F401 - so that its classes are found
from handrail.errors import landing as _landing  # noqa: F401 - so that its classes are found
from handrail.errors import server as _server  # noqa: F401 - so that its classes are found
from handrail.text import WORD_CHARS_MAX, WORDS_MAX
from tests.support import SOURCE

REFUSED, MALFORMED, UNAVAILABLE, BUG, INTERRUPTED = 1, 2, 3, 70, 130

GIVEN_OUT: Final[dict[int, tuple[str, ...]]] = {
    REFUSED: (
        *("refused", "scope_held", "scope_awaited", "would_deadlock", "stale_token"),
        *("lease_expired", "not_holder", "unanchored_limit", "outside_lane", "sandbox_read_only"),
        *("unknown_session", "wrong_worktree", "wrong_secret", "session_exists", "role_fixed"),
        *("needs_person", "still_live", "unsupported_commit", "orphaned", "stale_bytes"),
        *("guarded_path", "not_covered"),
        "ledger_forked",
        *("task_exists", "task_over", "handed_off", "halted", "packet_open", "no_handoff"),
        "reading_required",
        *("not_your_handoff", "scope_cut", "not_waivable", "waiver_spent"),
        *("gate_failed", "handoff_returned", "facts_changed", "scope_needs_handoff"),
        *("not_halted", "checkpoint_pending", "no_checkpoint", "wrong_checkpoint"),
        *("artifact_missing", "revise_limit", "wrong_phase", "no_next_phase", "trigger_loop"),
        *("cooperation_active", "cooperations_unsettled", "no_cooperation"),
    ),
    MALFORMED: (
        *("malformed", "malformed_scope", "malformed_ttl", "malformed_token", "foreign_epoch"),
        *("unknown_token", "unknown_role", "unknown_entry", "malformed_config"),
        *("malformed_environment", "malformed_range", "malformed_ledger", "malformed_name"),
        "malformed_payload",
        "malformed_event",
        "not_bare",
        "malformed_owners",
        *("malformed_key", "unknown_remote"),
        *("malformed_packet", "unknown_task", "unknown_gate", "unknown_waiver"),
        "reading_not_asked",
        *("unknown_checkpoint", "unknown_phase"),
        *("malformed_store_url", "stores_differ"),
        "prose_in_path",
        "usage",
    ),
    UNAVAILABLE: (
        *("unavailable", "no_repository", "bare_repository", "not_initialised"),
        *("facts_unavailable", "store_busy", "store_read_only", "store_corrupt", "disk_full"),
        *("newer_format", "network_file_system", "unsupported_platform", "ledger_broken"),
        "output_closed",
        *("remote_unavailable", "ledger_not_taken", "sync_contended"),
        "gate_unsure",
        *(
            "store_moved",
            "store_not_enrolled",
            "store_unreachable",
            "store_denied",
            "server_unsuitable",
            "driver_missing",
        ),
    ),
    BUG: ("error", "bug"),
    INTERRUPTED: ("interrupted",),
}
STATUS_OF: Final = {code: status for status, codes in GIVEN_OUT.items() for code in codes}


def every_class(root: type[HandrailError] = HandrailError) -> Iterator[type[HandrailError]]:
    yield root
    for below in root.__subclasses__():
        yield from every_class(below)


CLASSES: Final = sorted(
    {one for one in every_class() if one.__module__.startswith("handrail.errors")},
    key=lambda one: one.__name__,
)
SPOKEN: Final = [one for one in CLASSES if one.__bases__[0] is not Exception]
each_class = pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.__name__)


def fields_of(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


def values_for(one: type[HandrailError], value: object = "x") -> dict[str, Any]:
    """Give every value that the class's sentence and next command speak of."""
    names = fields_of(one.__doc__ or "") | fields_of(one.NEXT)
    return {name: 0 if name.endswith("_at") else value for name in names}


# --- codes and exit statuses ---------------------------------------------------------------------


def test_no_two_classes_share_a_code() -> None:
    codes = [one.code for one in CLASSES]
    assert sorted(set(codes)) == sorted(codes)


@each_class
def test_a_code_is_the_name_of_its_class_in_lower_case(one: type[HandrailError]) -> None:
    words = re.findall("[A-Z][a-z]+", one.__name__.removeprefix("Handrail"))
    assert one.code == "_".join(words).lower()


def test_codes_that_were_given_out_keep_their_exit_status() -> None:
    statuses = {one.code: one.exit_status for one in CLASSES}
    assert {code: statuses.get(code) for code in STATUS_OF} == STATUS_OF


def test_every_code_is_written_down_here() -> None:
    assert [one.code for one in CLASSES if one.code not in STATUS_OF] == []


@each_class
def test_the_exit_status_is_that_of_the_kind(one: type[HandrailError]) -> None:
    kinds: list[tuple[type[HandrailError], int]] = [
        (errors.Interrupted, INTERRUPTED),
        (errors.Refused, REFUSED),
        (errors.Malformed, MALFORMED),
        (errors.Unavailable, UNAVAILABLE),
        (HandrailError, BUG),
    ]
    assert one.exit_status == next(status for kind, status in kinds if issubclass(one, kind))


def test_no_exit_status_means_two_things() -> None:
    names = [name for name in vars(errors) if name.startswith("EXIT_")]
    statuses = {name: vars(errors)[name] for name in names}
    assert statuses == {
        "EXIT_DONE": 0,
        "EXIT_REFUSED": 1,
        "EXIT_MALFORMED": 2,
        "EXIT_UNAVAILABLE": 3,
        "EXIT_BUG": 70,
        "EXIT_LEASE_LOST": 75,
        "EXIT_INTERRUPTED": 130,
    }


# --- sentences -----------------------------------------------------------------------------------


@each_class
def test_the_sentence_is_one_line_that_ends_and_has_no_hole(one: type[HandrailError]) -> None:
    message = one(**values_for(one)).message
    assert message
    assert "\n" not in message
    assert not set("{}") & set(message)
    if one is not errors.Usage:  # its sentence is its one value
        assert message[0].isupper() or message.startswith("x")
        assert message[-1] in ".?"


@each_class
def test_every_value_of_a_sentence_is_told(one: type[HandrailError]) -> None:
    names = fields_of(one.__doc__ or "")
    values: dict[str, Any] = {name: 0 if name.endswith("_at") else f"<{name}>" for name in names}
    told = one(**values).message
    for name in names:
        assert ("1970-01-01T00:00:00.000Z" if name.endswith("_at") else f"<{name}>") in told


@each_class
def test_an_error_that_lacks_its_values_can_still_be_told(one: type[HandrailError]) -> None:
    empty = one()
    assert "{" not in f"{empty}{empty.next}"


def test_an_error_as_text_begins_with_its_code() -> None:
    refusal = errors.NotHolder(session="s-1", scope=("src", "docs"))
    assert str(refusal) == "not_holder: Session s-1 does not hold src, docs."


def test_values_stay_raw_and_only_the_sentence_dresses_them() -> None:
    refusal = errors.LeaseExpired(token="e:1", scope=("a\nb",), expires_at=1_000, asked=("a\nb",))
    assert refusal.values == {
        "token": "e:1",
        "scope": ("a\nb",),
        "expires_at": 1_000,
        "asked": ("a\nb",),
    }
    expected = (
        "Token e:1 over a\\nb expired at 1970-01-01T00:00:01.000Z; "
        "an expired lease is never revived."
    )
    assert refusal.message == expected


def test_what_is_none_is_told_as_a_dash() -> None:
    assert "(role -," in errors.ScopeHeld(role=None, expires_at=0).message


@pytest.mark.parametrize(
    ("count", "more"), [(WORDS_MAX, ""), (WORDS_MAX + 1, ", and 1 more"), (256, ", and 248 more")]
)
def test_a_sentence_names_a_few_of_many_values(count: int, more: str) -> None:
    scope = tuple(f"p{number}" for number in range(count))
    told = errors.NotHolder(session="s", scope=scope).message
    assert told == f"Session s does not hold {', '.join(scope[:WORDS_MAX])}{more}."


@pytest.mark.parametrize("chars", [WORD_CHARS_MAX, WORD_CHARS_MAX + 1, 4_000])
def test_a_long_value_is_told_by_its_two_ends(chars: int) -> None:
    text = "a" * (chars - 3) + "end"
    told = errors.NoRepository(path=text).message
    assert (text in told) == (chars <= WORD_CHARS_MAX)
    assert told.startswith("aaa")
    assert told.endswith("end is in no git repository.")
    assert len(told) < WORD_CHARS_MAX + 60


hostile = st.text(st.characters(), max_size=30)


@each_class
@given(value=hostile | st.lists(hostile, max_size=3).map(tuple) | st.none() | st.integers())
@example(value="\x1b[2J\r\n\u202e\udcff")
@settings(max_examples=10)
def test_whatever_the_values_are_message_and_next_are_printable_lines(
    one: type[HandrailError], value: object
) -> None:
    error = one(**values_for(one, value))
    assert error.message.isprintable()
    assert (error.next or "").isprintable()


# --- the next command ----------------------------------------------------------------------------


def test_without_a_next_command_there_is_none() -> None:
    assert errors.Refused().next is None
    assert HandrailError().next is None


def test_a_next_command_that_is_given_takes_the_place_of_the_usual_one() -> None:
    assert errors.NoRepository(path="/").next == "git init && handrail init"
    assert errors.NoRepository(path="/", next="cd /repo").next == "cd /repo"


def test_every_error_that_is_raised_says_how_to_go_on() -> None:
    roots = {errors.Refused, errors.Malformed, errors.Unavailable}
    assert [one.__name__ for one in SPOKEN if one not in roots and not one.NEXT] == []


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        (("src/api",), "handrail claim src/api"),
        (("src/*.py", "it's"), "handrail claim 'src/*.py' 'it'\"'\"'s'"),
        (("a\nb",), "handrail claim $'a\\x0ab'"),
        (("-rf", "--wait"), "handrail claim ./-rf ./--wait"),
        (("",), "handrail claim ''"),
    ],
)
def test_values_stand_quoted_in_the_next_command(asked: tuple[str, ...], command: str) -> None:
    assert errors.NotHolder(session="s", scope=asked, asked=asked).next == command


shell_words = st.text(
    st.one_of(
        st.sampled_from("'\"\\$`!*? \t\n\x1b-"),
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]),
    ),
    max_size=20,
)


@given(st.lists(shell_words, min_size=1, max_size=4))
@example(["; rm -rf ~", "$(id)", "`id`", "a\nb", "\udcff", "", "-x"])
@settings(max_examples=40)
def test_a_shell_gives_the_command_exactly_the_scopes_that_were_asked(asked: list[str]) -> None:
    command = errors.ScopeHeld(asked=tuple(asked)).next
    printer = "handrail() { printf '%s\\0' \"$@\"; }"
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{printer}\n{command}"], capture_output=True, check=True
    )
    scopes = [f"./{word}" if word.startswith("-") else word for word in asked]
    expected = ["claim", *scopes, "--wait"]
    assert done.stdout == b"".join(os.fsencode(word) + b"\0" for word in expected)


@each_class
def test_bash_can_read_every_next_command(one: type[HandrailError]) -> None:
    command = one(**values_for(one, "a 'b'\n$(c)")).next
    if command is not None:
        subprocess.run(["bash", "-n", "-c", command], check=True, capture_output=True)


# --- where errors are raised ---------------------------------------------------------------------


@cache
def raised() -> tuple[tuple[str, type[HandrailError], set[str]], ...]:
    """Return each place that makes an error with plain keywords, its class and its keywords."""
    by_name = {one.__name__: one for one in CLASSES}
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or node.args:
                continue  # with positions: an event of the same name
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            keywords = {keyword.arg for keyword in node.keywords}
            if name in by_name and None not in keywords:
                place = f"{path.relative_to(SOURCE)}:{node.lineno} {name}"
                found.append((place, by_name[name], {word for word in keywords if word}))
    return tuple(found)


def test_every_place_that_raises_gives_what_the_sentence_speaks_of() -> None:
    holes = {
        place: missing
        for place, one, given_values in raised()
        if (missing := fields_of(one.__doc__ or "") - given_values)
    }
    assert holes == {}


def test_every_place_that_raises_gives_what_the_next_command_needs() -> None:
    holes = {
        place: missing
        for place, one, given_values in raised()
        if "next" not in given_values and (missing := fields_of(one.NEXT) - given_values)
    }
    assert holes == {}


def test_every_class_is_raised_somewhere() -> None:
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in SOURCE.rglob("*.py")
        if path.parent.name != "errors"
    )
    roots = {"Refused", "Malformed", "Unavailable"}
    used = set(re.findall(r"\w+", text))
    assert {one.__name__ for one in SPOKEN} - used - roots == set()
