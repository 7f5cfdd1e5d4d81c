"""Records: named tuples in all that can be seen, but for what it costs to define one."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from handrail.core.record import Record
from tests.support import SOURCE


class Point(Record):
    """A place."""

    x: int
    y: int = 7
    name: str = "here"

    @property
    def sum(self) -> int:
        return self.x + self.y


class Plain(NamedTuple):
    """A place."""

    x: int
    y: int = 7
    name: str = "here"

    @property
    def sum(self) -> int:
        return self.x + self.y


class Other(Record):
    x: int
    y: int = 7
    name: str = "here"


class Empty(Record):
    """Nothing."""


def told(kind: Any, *values: Any, **named: Any) -> str:
    """Say what making one leads to: the value, or why there is none."""
    try:
        made = kind(*values, **named)
    except TypeError as error:
        return str(error).replace(kind.__name__, "Kind")
    return repr(made).replace(kind.__name__, "Kind")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((1,), {}),
        ((1, 2, "there"), {}),
        ((), {"x": 1}),
        ((1,), {"name": "there"}),
        ((), {}),
        ((1, 2, 3, 4), {}),
        ((1,), {"x": 2}),
        ((1,), {"z": 2}),
    ],
)
def test_a_record_is_made_or_refused_like_a_named_tuple(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    assert told(Point, *values, **named) == told(Plain, *values, **named)


def test_a_record_does_what_a_named_tuple_does() -> None:
    record, plain = Point(1), Plain(1)
    assert tuple(record) == tuple(plain) == (1, 7, "here")
    assert hash(record) == hash(plain)
    assert record == (1, 7, "here")
    assert record < Point(2)
    assert Point._fields == Plain._fields
    assert Point._field_defaults == Plain._field_defaults
    assert Point.__match_args__ == ("x", "y", "name")
    assert Point.__doc__ == Plain.__doc__
    assert record._asdict() == plain._asdict()
    assert tuple(record._replace(y=0)) == tuple(plain._replace(y=0))
    assert tuple(Point._make([1, 2, "c"])) == tuple(Plain._make([1, 2, "c"]))
    assert (record.x, record.y, record.sum) == (1, 7, 8)
    assert type(record) is Point
    assert type(record._replace(y=0)) is Point
    assert Empty() == ()


def test_a_record_is_matched_by_position_and_by_name() -> None:
    match Point(1):
        case Point(x, y, name="here"):
            assert (x, y) == (1, 7)
        case _:
            pytest.fail("it was not matched")


def test_records_of_two_kinds_share_nothing() -> None:
    assert isinstance(Point(1), Point)
    assert not isinstance(Point(1), Other)
    assert repr(Other(3)) == "Other(x=3, y=7, name='here')"
    assert repr(Point(3)) == "Point(x=3, y=7, name='here')"


def test_a_record_cannot_be_changed_and_takes_nothing_more() -> None:
    record: Any = Point(1)
    with pytest.raises(AttributeError):
        record.x = 2
    with pytest.raises(AttributeError):
        record.more = 2
    assert not hasattr(record, "__dict__")


def test_a_field_that_is_not_there_cannot_be_replaced_and_none_may_be_missing() -> None:
    record: Any = Point
    with pytest.raises(ValueError, match="unexpected field names"):
        record(1)._replace(z=2)
    for values in ([1], [1, 2, "c", 4]):
        with pytest.raises(TypeError, match="Expected 3 arguments"):
            record._make(values)


def test_a_record_is_copied_and_pickled() -> None:
    record = Point(1)
    assert copy.copy(record) == record
    assert copy.deepcopy(record) == record
    again = pickle.loads(pickle.dumps(record))  # noqa: S301 - our own bytes
    assert again == record
    assert type(again) is Point


def test_defining_a_record_loads_no_typing() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r})\n"
        "from handrail.core.record import Record\n"
        "Record.__class__('A', (Record,), {'__annotations__': {'x': int}})(1)\n"
        "sys.exit('typing' in sys.modules or 're' in sys.modules)"
    )
    done = subprocess.run((sys.executable, "-I", "-S", "-c", code), check=False)
    assert done.returncode == 0
