"""``contracts.json``: defaults where it is silent, and nothing of a wrong type is used."""

from __future__ import annotations

import doctest
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.projections.contracts
from handrail.projections.contracts import KEYS, NOTES, ROLES, read_contracts


def told(file: Any) -> list[tuple[str, str, str | None]]:
    found = read_contracts(json.dumps(file).encode())
    return [(one.place, one.code, one.suggestion) for one in found.told]


@pytest.mark.parametrize("content", [None, b"{}", json.dumps(dict.fromkeys(KEYS)).encode()])
def test_a_missing_file_a_missing_key_and_null_mean_the_defaults(content: bytes | None) -> None:
    found = read_contracts(content)
    assert found.roles == ROLES
    assert found.owned == ROLES[:-1]
    assert found.notes == NOTES
    assert (found.ignored_prefixes, found.ignored_files, found.told) == ((), (), ())


def test_keys_override_the_defaults_and_notes_are_merged() -> None:
    found = read_contracts(
        json.dumps(
            {
                "role_order": ["integrator", "website", "docs"],
                "owned_lane_roles": ["docs"],
                "lane_note_by_role": {"docs": "docs/note.md", "website": None},
                "ignored_prefixes": ["_site/", "tmp/"],
                "ignored_site_output_prefixes": ["site/_book/"],
                "ignored_site_output_files": ["site/index.html"],
                "legacy_website_source_files": ["index.qmd"],
                "legacy_website_source_prefixes": ["pages/"],
            }
        ).encode()
    )
    assert found.roles == ("integrator", "website", "docs")
    assert found.owned == ("docs",)
    assert found.notes == {"website": NOTES["website"], "docs": "docs/note.md"}
    assert found.ignored_prefixes == ("_site/", "tmp/", "site/_book/")
    assert found.ignored_files == ("site/index.html",)
    assert (found.website_prefixes, found.website_files) == (("pages/",), ("index.qmd",))
    assert found.told == ()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ({"role_orders": []}, [("role_orders", "key_unknown", "role_order")]),
        ({"role_order": "website"}, [("role_order", "key_type", None)]),
        ({"role_order": ["a", 1, "a b"]}, [("role_order[1]", "value_malformed", None)] * 2),
        ({"role_order": ["a", "a"]}, [("role_order[1]", "value_malformed", None)]),
        ({"owned_lane_roles": ["webiste"]}, [("owned_lane_roles[0]", "role_unknown", "website")]),
        (
            {"owned_lane_roles": ["ops_tooling"]},
            [("owned_lane_roles[0]", "role_alias", "ops-tooling")],
        ),
        (
            {"lane_note_by_role": {"topic1": "x.md"}},
            [("lane_note_by_role.topic1", "role_unknown", "topic01")],
        ),
        (
            {"lane_note_by_role": {"website": "../x.md"}},
            [("lane_note_by_role.website", "value_malformed", None)],
        ),
        (
            {"lane_note_by_role": {"website": ["x"]}},
            [("lane_note_by_role.website", "value_malformed", None)],
        ),
        ({"lane_note_by_role": []}, [("lane_note_by_role", "key_type", None)]),
        ({"ignored_prefixes": ["/etc"]}, [("ignored_prefixes[0]", "value_malformed", None)]),
        ({"ignored_prefixes": ["**"]}, [("ignored_prefixes[0]", "value_malformed", None)]),
    ],
)
def test_what_is_odd_is_told_and_not_used(file: Any, expected: list[Any]) -> None:
    found = told(file)
    assert [one[1:] for one in found] == [one[1:] for one in expected]
    assert found[0][0] == expected[0][0]
    plain = read_contracts(json.dumps(file).encode())
    assert plain.notes == NOTES or "role_order" in file
    assert plain.ignored_prefixes == ()


@pytest.mark.parametrize("content", [b"[]", b"", b"{}\n<<<<<<< a\n{\n=======\n}\n>>>>>>> b\n"])
def test_what_is_no_such_file_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        read_contracts(content)


VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from([*ROLES, "x/y", "../z", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*ROLES[-3:], "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*KEYS, "x"]), VALUES))
def test_whatever_stands_in_it_the_answer_has_the_right_types(file: dict[str, Any]) -> None:
    found = read_contracts(json.dumps(file).encode())
    assert set(found.owned) <= set(found.roles)
    assert set(found.notes) <= set(found.roles)
    texts = [*found.roles, *found.notes.values(), *found.ignored_prefixes, *found.website_files]
    assert {type(text) for text in texts} == {str}
    assert all(texts)


def test_the_example_in_the_documentation_of_the_code_holds() -> None:
    result = doctest.testmod(handrail.projections.contracts)
    assert (result.failed, result.attempted) == (0, 1)
