"""The words of ``typing`` that annotations and aliases here use, without importing it.

With ``re`` and ``enum``, which it brings along, ``typing`` takes about as long to import as a bare
interpreter takes to start, and a hook that runs before every edit is such a start. No annotation of
Handrail is ever evaluated, so to a running program these are empty stand-ins; a type checker reads
the real ones.

Promise: a program behaves alike with either. So nothing here may be asked what it was given:
what needs ``get_args`` or ``runtime_checkable`` imports ``typing`` itself.

    >>> Kind = Literal["exclusive", "local"]      # to a type checker; else a word without meaning
    >>> cast("int", 3)
    3
"""

from __future__ import annotations

__all__ = ["TYPE_CHECKING", "Any", "ClassVar", "Final", "Literal", "Protocol", "TypeVar", "cast"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Final, Literal, Protocol, TypeVar, cast
else:

    class _Word:
        """Stands in an alias; ``_Word[…]`` and ``_Word | None`` may be written."""

        def __class_getitem__(cls, _given):
            return cls

    Any = ClassVar = Final = Literal = _Word
    Protocol = object

    def TypeVar(_name, **_bounds):  # noqa: N802 - its name in ``typing``
        """Return what stands for any type."""
        return _Word

    def cast(_type, value):
        """Return the value as it is."""
        return value
