r"""Text that PostgreSQL does not take, written so that it does: NUL, and what is no character.

A sign that Unicode keeps free stands before the number of what could not be written; before itself,
too, so that whatever was put in comes out.

    >>> written("a\x00b") == f"a{SIGN}0000b"
    True
"""

from __future__ import annotations

import re

from handrail.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from psycopg.adapt import AdaptersMap

SIGN: Final = "\ufdd0"
_ODD: Final = re.compile(f"[\x00{SIGN}\ud800-\udfff]")
_WRITTEN: Final = re.compile(f"{SIGN}([0-9a-f]{{4}})")


def written(text: str) -> str:
    """Return a text that can be stored."""
    return _ODD.sub(lambda found: f"{SIGN}{ord(found[0]):04x}", text)


def read(text: str) -> str:
    """Return what was written."""
    return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), text)


class OddText(str):
    """A text that has to be looked at before it is sent; the driver sends all others by itself."""

    __slots__ = ()


def marked(values: tuple[object, ...]) -> tuple[object, ...]:
    """Mark the texts among values that may be odd."""
    return tuple(
        [
            OddText(value)
            if type(value) is str and ("\x00" in value or not value.isascii())
            else value
            for value in values
        ]
    )


def register(adapters: AdaptersMap) -> None:
    """Let a connection write texts that are marked, and read any."""
    from psycopg.adapt import Buffer
    from psycopg.pq import Format
    from psycopg.types.string import StrDumper, TextLoader

    class AnyTextDumper(StrDumper):
        def dump(self, obj: str) -> Buffer | None:
            return written(obj).encode()

    class AnyTextLoader(TextLoader):
        def load(self, data: Buffer) -> Any:
            text = str(data, "utf-8")
            return text if text.isascii() or SIGN not in text else read(text)

    class AnyBinaryTextLoader(AnyTextLoader):
        format = Format.BINARY

    adapters.register_dumper(OddText, AnyTextDumper)
    for loader in (AnyTextLoader, AnyBinaryTextLoader):
        adapters.register_loader("text", loader)
