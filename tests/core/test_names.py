"""Names of sessions and agents: safe as a file name, as a shell word and in a log."""

from __future__ import annotations

import doctest
import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.core.names
from handrail.core.names import NAME_CHARS_MAX, check_name, plain_name
from handrail.errors import MalformedName
from handrail.text import shell_quote, visible

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@pytest.mark.parametrize(
    "name",
    [
        *("a", "s-3fk2ap7q41xy", "claude@web-2", "01J9Z_x", "A.b+c:d@e-f_g", "_x", "@x", "+x"),
        *(":x", "x-", "x.", "x..y", "7"),
    ],
)
def test_a_name_is_taken_as_it_is(name: str) -> None:
    assert check_name("session", name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "-rf", "--all", "a b", "a/b", "a\\b", "a\nb", "a\tb", "a\x00b"),
        *("é", "名", "a'b", 'a"b', "$x", "a;b", "a|b", "a*", "a?", "~", "#a", "a=b", "\udcff", "٣"),
    ],
)
def test_what_could_hurt_is_no_name(name: str) -> None:
    with pytest.raises(MalformedName) as caught:
        check_name("agent", name)
    assert caught.value.values["what"] == "agent"
    assert caught.value.values["value"] == name


@pytest.mark.parametrize(("chars", "fits"), [(1, True), (128, True), (129, False), (4_000, False)])
def test_a_name_has_1_to_128_characters(chars: int, fits: bool) -> None:
    name = "n" * chars
    if fits:
        assert check_name("session", name) == name
    else:
        with pytest.raises(MalformedName) as caught:
            check_name("session", name)
        assert len(str(caught.value.values["value"])) <= 200


def test_the_bound_is_128() -> None:
    assert NAME_CHARS_MAX == 128


@given(st.text(st.sampled_from(LETTERS + "._@-+:/ \n'é\0"), max_size=8))
def test_whatever_is_taken_is_safe_as_file_name_shell_word_and_in_a_log(text: str) -> None:
    try:
        name = check_name("session", text)
    except MalformedName:
        return
    assert shell_quote(name) == name
    assert visible(name) == name
    assert os.path.basename(name) == name
    assert name not in (".", "..")
    assert not name.startswith(("-", "."))


@given(st.text(st.characters(), max_size=300))
def test_any_text_can_become_part_of_a_name(text: str) -> None:
    part = plain_name(text)
    assert check_name("agent", f"agent@{part}") == f"agent@{part}"
    assert len(part) == min(len(text), NAME_CHARS_MAX // 2)


@given(st.text(LETTERS + "._@-+:", max_size=64))
def test_what_is_plain_already_stays_as_it_is(text: str) -> None:
    assert plain_name(text) == text


def test_the_example_in_the_documentation_holds() -> None:
    done = doctest.testmod(handrail.core.names)
    assert (done.attempted > 0, done.failed) == (True, 0)
