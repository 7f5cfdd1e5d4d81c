r"""JSON as text and back, as ``json`` does it, by the same parts of the interpreter.

``json`` imports ``re``, to skip blanks and for interpreters without ``_json``: together they take
two thirds of the time that a bare interpreter takes to start, and every hook that decides something
reads and writes JSON. What is read and written here is the same to the last byte (a property test
says so); only to say what is wrong with a text, ``json`` is imported.

    >>> write({"a": [1, "ü"]})
    '{"a":[1,"\\u00fc"]}'
    >>> read('{"a": 1}')
    {'a': 1}
"""

from __future__ import annotations

from handrail.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    _make_encoder: Any
    _make_scanner: Any

    def quoted(text: str) -> str:
        """Write a text as JSON in ASCII."""
        return text
else:
    # Every CPython has these, and nothing else runs the driver of the store.
    from _json import encode_basestring_ascii as quoted
    from _json import make_encoder as _make_encoder
    from _json import make_scanner as _make_scanner

_BLANKS: Final = " \t\n\r"


class _Reading:
    """How ``json.loads`` reads without further words."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {
        "-Infinity": float("-inf"),
        "Infinity": float("inf"),
        "NaN": float("nan"),
    }.__getitem__


_scan: Final[Any] = _make_scanner(_Reading)


def read(text: str) -> Any:
    """Read one value; raises ``json.JSONDecodeError``, a ValueError, and RecursionError."""
    begin = len(text) - len(text.lstrip(_BLANKS))
    try:
        value, end = _scan(text, begin)
    except (StopIteration, ValueError, SystemError):
        # The last: CPython 3.11 takes its error from ``json.decoder``, and has none to raise where
        # nobody has imported that yet.
        pass
    else:
        if not text[end:].strip(_BLANKS):
            return value
    import json  # which says best what is wrong with a text

    return json.loads(text)


def _writer(item: str, key: str, *, sort_keys: bool = False) -> Callable[[object], str]:
    """Return what writes values in ASCII, with these marks after an item and after a key."""

    def write(value: object) -> str:
        # The first is where it remembers what it is about to write, to find circles.
        parts = _make_encoder({}, _no_json, quoted, None, key, item, sort_keys, False, True)
        return "".join(parts(value, 0))

    return write


def _no_json(value: object) -> str:
    raise TypeError(f"Object of type {value.__class__.__name__} is not JSON serializable")


write: Final = _writer(",", ":")
"""Write a value without a blank."""
write_sorted: Final = _writer(",", ":", sort_keys=True)
"""Write a value without a blank, keys in order."""
write_spaced: Final = _writer(", ", ": ")
"""Write a value as ``json.dumps`` does without further words."""
