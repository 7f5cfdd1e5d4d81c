"""Records: named tuples whose class costs next to nothing until the first of them is made.

``typing.NamedTuple`` writes and compiles a constructor for every class, and under postponed
annotations compiles every field besides: up to a fifth of a millisecond, as much as importing a
module. A claim imports dozens of such classes and makes values of half of them, so here the
constructor comes with the first value. To a type checker a ``Record`` is a ``typing.NamedTuple``,
and it behaves like one; of ``typing`` nothing is imported.

    >>> class Head(Record):
    ...     seq: int
    ...     hash: str = ""
    >>> Head(seq=3)._replace(hash="ab")
    Head(seq=3, hash='ab')
"""

from __future__ import annotations

__all__ = ["Record"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as Record
else:
    from collections import _tuplegetter, namedtuple

    class _Base(tuple):
        """What all records can do."""

        __slots__ = ()
        _fields = ()
        _field_defaults = {}  # noqa: RUF012 - each class has its own

        def __new__(cls, *values, **named):
            """Take the constructor of a plain named tuple of these fields, then use it."""
            defaults = tuple(cls._field_defaults.values())
            cls.__new__ = namedtuple(cls.__name__, cls._fields, defaults=defaults).__new__
            return cls(*values, **named)

        @classmethod
        def _make(cls, values):
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
            return made

        def _replace(self, **named):
            made = self._make(map(named.pop, self._fields, self))
            if named:
                raise ValueError(f"Got unexpected field names: {list(named)!r}")
            return made

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            told = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({', '.join(told)})"

        def __getnewargs__(self):
            return tuple(self)

    class _Defining(type):
        """Turns the body of a class into fields; what it returns is an ordinary class."""

        def __new__(meta, name, bases, body):
            if not bases:
                return type.__new__(meta, name, (), body)
            fields = tuple(body.get("__annotations__", ()))
            body["_field_defaults"] = {field: body.pop(field) for field in fields if field in body}
            for index, field in enumerate(fields):
                body[field] = _tuplegetter(index, f"Alias for field number {index}")
            body["_fields"] = body["__match_args__"] = fields
            body["__slots__"] = ()
            return type(name, (_Base,), body)

    class Record(metaclass=_Defining):
        """The base of every record."""
