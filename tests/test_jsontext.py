"""JSON as text: the same as ``json``, to the last byte and the last error."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handrail.jsontext import quoted, read, write, write_sorted, write_spaced
from tests.support import SOURCE

NUMBERS: Final = st.integers() | st.floats()
VALUES: Final = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner).map(tuple)
    ),
    max_leaves=12,
)
NOISE: Final = st.text(alphabet=' \t\n\r{}[]",:\\/0123456789.eE+-truefalsnINfity\ufeff\u00a0üx')


@given(VALUES)
@example("\ud800")
@example({"b": 1, "a": [{}, []]})
@example([-0.0, 1e300, math.inf, -math.inf, math.nan])
def test_what_is_written_is_what_json_writes(value: object) -> None:
    assert write(value) == json.dumps(value, separators=(",", ":"))
    assert write_spaced(value) == json.dumps(value)
    assert write_sorted(value) == json.dumps(value, separators=(",", ":"), sort_keys=True)


@given(st.text())
def test_a_text_is_quoted_as_json_quotes_it(text: str) -> None:
    assert quoted(text) == json.dumps(text)


def outcome(text: str, *, by_json: bool) -> str:
    """Write down what is read, or what is said of it and where."""
    try:
        return repr(json.loads(text) if by_json else read(text))
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


@given(st.builds("{}{}{}".format, NOISE, VALUES.map(json.dumps), NOISE) | NOISE)
@example("")
@example("\ufeff{}")
@example(' {"a": 1} ')
@example('{"a": 1} x')
@example('{"a": 1}\u00a0')
@example('{"a": 1, "a": 2}')
@example('{"a"')
@example('"\t"')
@example("[1e400, -1e400, NaN, Infinity]")
@example("9" * 5_000)
def test_what_is_read_is_what_json_reads(text: str) -> None:
    assert outcome(text, by_json=False) == outcome(text, by_json=True)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a"', '{"a" 1}', "[1,", '["', '"\\x"', "nul", "1 2", "\t"]
)
def test_an_interpreter_that_has_not_imported_json_says_the_same_of_what_is_none(text: str) -> None:
    """Its scanner cannot even raise the error by itself."""
    program = (
        f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r})\n"
        "from handrail.jsontext import read\n"
        "assert read('{}') == {} and 'json' not in sys.modules\n"
        "try: read(sys.argv[1])\n"
        "except ValueError as error: print(f'{type(error).__name__}: {error}')"
    )
    done = subprocess.run(
        (sys.executable, "-I", "-S", "-c", program, text),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.strip() == outcome(text, by_json=True)


def test_what_is_nested_too_deeply_says_so() -> None:
    with pytest.raises(RecursionError):
        read("[" * 100_000)


def test_what_json_cannot_say_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        write(circle)
    with pytest.raises(TypeError, match="Object of type object is not JSON serializable"):
        write({"a": object()})
