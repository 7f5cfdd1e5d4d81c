"""What a packet may say: bounds, wrong shapes, fields that nobody knows, one way of writing."""

from __future__ import annotations

import doctest
import json
from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.core.packet
import handrail.core.task
from handrail.core import packet
from handrail.core.decide.handoff import decide_open
from handrail.core.handed import PacketOffered
from handrail.core.names import check_name
from handrail.core.packet import canonical, check_packet, draft, pretty, read_packet
from handrail.core.task import check_task, file_name
from handrail.errors import MalformedName
from handrail.errors.handoff import MalformedPacket
from tests.core.makers import NOW

WRONG: dict[str, bytes] = {
    "not JSON": b"{",
    "empty": b"",
    "not UTF-8": b'{"message": "\xff"}',
    "a list": b"[]",
    "a field twice": b'{"message": "a", "message": "b"}',
    "not a number": b'{"x": NaN}',
    "a number of too many digits": b'{"x": ' + b"1" * 5_000 + b"}",
    "kind": b'{"kind": "finished"}',
    "kind of a wrong type": b'{"kind": ["complete"]}',
    "message": b'{"message": 7}',
    "to_role": b'{"to_role": []}',
    "context": b'{"context": "all"}',
    "requirements": b'{"context": {"requirements": "all"}}',
    "scope": b'{"context": {"files_in_scope": ["../x"]}}',
    "absolute scope": b'{"context": {"files_in_scope": ["/etc"]}}',
    "reading": b'{"context": {"required_reading": ["a/../../b"]}}',
    "reading in git": b'{"context": {"required_reading": [".git/config"]}}',
    "artifact": b'{"artifacts": {"produced": [{"path": "/etc/passwd"}]}}',
    "artifact without a path": b'{"artifacts": {"produced": [{"sha256": "00"}]}}',
    "artifact with a control character": b'{"artifacts": {"produced": ["a\\u001bb"]}}',
    "claims": b'{"claims": [7]}',
    "too deep": b'{"x":' * 2_000 + b"1" + b"}" * 2_000,
    "deep": b'{"x":' * 20 + b"1" + b"}" * 20,
    "too long a text": json.dumps({"message": "x" * 40_000}).encode(),
    "too many items": json.dumps({"claims": ["x"] * 300}).encode(),
    "too large a whole": json.dumps({"x": "y" * 300_000}).encode(),
    "too large a file": b" " * 600_000,
}
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("raw", WRONG.values(), ids=WRONG.keys())
def test_what_makes_no_sense_is_refused_by_its_field(raw: bytes) -> None:
    with pytest.raises(MalformedPacket) as refused:
        read_packet(raw)
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 500


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_nothing_else_is_ever_raised(raw: bytes) -> None:
    with suppress(MalformedPacket):
        read_packet(raw)


@given(st.dictionaries(st.text(max_size=6), json_values, max_size=4))
def test_equal_packets_have_equal_bytes_and_nobody_s_fields_survive(more: dict[str, Any]) -> None:
    known = {field.name for field in packet.FIELDS}
    given_fields = {f"x-{name}": value for name, value in more.items()} | {"message": "é\n\u202e"}
    read = read_packet(json.dumps(given_fields).encode())
    assert read == given_fields
    assert not known & {name for name in read if name != "message"}
    text = canonical(dict(reversed(list(read.items()))))
    assert text == canonical(read)
    assert text.isascii()
    assert canonical(json.loads(pretty(text))) == text
    assert pretty(text).isascii()


def test_the_first_packet_of_a_task_fits_the_schema_and_so_does_one_with_every_field() -> None:
    schema = packet.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    offered = decide_open("fix", "Repair", "worker", NOW, 1_000)[-1]
    assert isinstance(offered, PacketOffered)
    first = json.loads(offered.packet)
    validator.validate(first)
    full = draft(
        first,
        {
            "context": {"requirements": ["a"], "required_reading": ["docs/x.md"]},
            "artifacts": {"produced": ["a.py", {"path": "b.py", "sha256": "00"}], "consumed": []},
            "claims": ["it works", {"by": "me"}],
            "evidence": [{"receipt": 7}],
            "x-unknown": {"kept": True},
        },
    )
    check_packet(full)
    validator.validate(full)
    for name, value in (("kind", "done"), ("seq", 0), ("message", None), ("claims", [1])):
        assert not validator.is_valid({**full, name: value})
        with pytest.raises(MalformedPacket):
            check_packet({**full, name: value})


@pytest.mark.parametrize("name", ["", "a" * 61, "Fix", "a b", "../x", "a/b", "-x", ".x", "12", "é"])
def test_a_task_s_name_is_safe_as_a_file_and_a_word(name: str) -> None:
    with pytest.raises(MalformedName):
        check_task(name)


def test_files_are_named_with_three_digits_and_four_past_999() -> None:
    assert [file_name("a", number) for number in (1, 999, 1_000)] == [
        *("a-001.json", "a-999.json", "a-1000.json"),
    ]


def test_no_session_is_called_like_a_task() -> None:
    with pytest.raises(MalformedName):
        check_name("session", "task:fix")
    assert check_name("session", "task") == "task"


@pytest.mark.parametrize("module", [handrail.core.packet, handrail.core.task])
def test_the_examples_in_the_documentation_hold(module: Any) -> None:
    done = doctest.testmod(module)
    assert (done.attempted > 0, done.failed) == (True, 0)
