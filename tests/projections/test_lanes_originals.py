"""A hundred repositories of the original's shapes: none crashes, nothing is dropped in silence."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.projections.contracts import read_contracts
from handrail.projections.port import Known, Read
from handrail.projections.registry import PROJECTIONS
from tests.projections.lanes_arrange import NOTE, kept, known, lease, session
from tests.projections.lanes_originals import (
    CONTRACTS,
    CONTRACTS_ODDITIES,
    COORDINATION,
    COORDINATION_ODDITIES,
    NOTE_ODDITIES,
    TRACKER,
    TRACKER_ODDITIES,
    Repository,
    repository,
)

COUNT: Final = 100
cached: Final = cache(repository)
FORMATS: Final = {
    COORDINATION: "lanes-coordination",
    TRACKER: "lanes-tracker",
    NOTE: "lanes-note",
}
REFUSED: Final = frozenset({"an array", "empty", "binary"})
"""What is no coordination.json at all."""
NOT_JSON: Final = frozenset(
    {
        *("half written", "half a row", "twice written", "merge conflict", "conflict in a row"),
        *("no number", "not UTF-8", "very long"),
    }
)
SILENT: Final = frozenset(
    {
        *("plain", "no leases", "no version", "nothing", "another order", "alphabetical"),
        *("Windows", "no last line end", "other indent", "one line", "other zone"),
    }
)
"""Odd to look at, and nothing that people must know of."""
SILENT_TRACKERS: Final = frozenset(
    {
        *("plain", "escaped bar", "aligned", "Windows", "old Mac", "byte order mark", "5 000 rows"),
        *("no last line end", "not UTF-8", "header twice"),
    }
)


@pytest.fixture(scope="module")
def repositories() -> list[Repository]:
    return [cached(number) for number in range(COUNT)]


def imported(made: Repository, path: str) -> tuple[Read, Known]:
    at = known(path=path)
    found = PROJECTIONS[FORMATS[path]].read(at, made.files[path], importing=True)
    return found, at._replace(rows=kept(found.rows))


def loads(raw: bytes) -> Any:
    return json.loads(raw.decode("utf-8-sig"))


def test_the_same_number_is_the_same_repository_and_no_oddity_is_left_out() -> None:
    assert repository(17) == repository(17)
    for oddities in (COORDINATION_ODDITIES, CONTRACTS_ODDITIES, TRACKER_ODDITIES, NOTE_ODDITIES):
        assert len(oddities) * 2 <= COUNT


def test_every_row_of_a_coordination_file_is_kept_or_told(repositories: list[Repository]) -> None:
    for made in repositories:
        if made.odd[COORDINATION] in REFUSED:
            with pytest.raises(ValueError, match=r"\.$"):
                imported(made, COORDINATION)
            continue
        found, _ = imported(made, COORDINATION)
        records = "".join(row.record for row in found.rows)
        told = "".join(told.sentence for told in found.told)
        lost = [x for x in made.marks[COORDINATION] if x not in records and x not in told]
        assert lost == [], made.odd
        assert (found.told == ()) == (made.odd[COORDINATION] in SILENT), (made.odd, found.told)
        for told_ in found.told:
            assert told_.place
            assert told_.sentence.endswith((".", '"', "…")), told_
            assert told_.code.isidentifier()


def test_rendering_after_an_import_reproduces_what_was_imported(
    repositories: list[Repository],
) -> None:
    exact = 0
    for made in repositories:
        if made.odd[COORDINATION] in REFUSED | NOT_JSON:
            continue
        raw = made.files[COORDINATION]
        _, at = imported(made, COORDINATION)
        again = PROJECTIONS["lanes-coordination"].render(at, raw)
        assert again is not None
        assert loads(again) == loads(raw), made.odd
        plain = (json.dumps(loads(raw), indent=2) + "\n").encode()
        letters = (json.dumps(loads(raw), indent=2, ensure_ascii=False) + "\n").encode(
            "utf-8", "replace"
        )
        if raw in (plain, letters):
            assert again == raw, made.odd
            exact += 1
        assert PROJECTIONS["lanes-coordination"].render(at, again) == again
    assert exact > COUNT // 2


def test_what_was_imported_and_rendered_is_imported_without_any_new_row(
    repositories: list[Repository],
) -> None:
    for made in repositories:
        if made.odd[COORDINATION] in REFUSED:
            continue
        _, at = imported(made, COORDINATION)
        again = PROJECTIONS["lanes-coordination"].render(at, made.files[COORDINATION]) or b""
        for importing in (True, False):
            found = PROJECTIONS["lanes-coordination"].read(at, again, importing=importing)
            assert [row for row in found.rows if row.key != "layout"] == [], made.odd


def test_a_lease_of_handrail_s_takes_the_place_of_imported_ones(
    repositories: list[Repository],
) -> None:
    for made in repositories:
        if made.odd[COORDINATION] in REFUSED:
            continue
        _, at = imported(made, COORDINATION)
        held = at._replace(leases=(lease(1, "site/src"),))
        after = PROJECTIONS["lanes-coordination"].render(held, made.files[COORDINATION]) or b""
        assert [row["agent_id"] for row in loads(after)["leases"]] == ["bot-1"], made.odd


def test_a_tracker_and_a_note_stay_as_they_are_and_what_is_odd_in_them_is_told(
    repositories: list[Repository],
) -> None:
    for made in repositories:
        for path, silent in ((TRACKER, SILENT_TRACKERS), (NOTE, frozenset[str]())):
            found, at = imported(made, path)
            again = PROJECTIONS[FORMATS[path]].render(at, made.files[path])
            conflict = made.odd[path] == "merge conflict"
            assert again == (None if conflict else made.files[path]), made.odd
            assert (found.told == ()) == (made.odd[path] in silent), (path, made.odd, found.told)
            assert path == NOTE or found.rows == ()


def test_rows_of_a_tracker_are_read_as_claims_when_their_session_is_known(
    repositories: list[Repository],
) -> None:
    for made in repositories:
        marks = made.marks[TRACKER]
        at = known(path=TRACKER, sessions=tuple(session(mark) for mark in marks[-3:]))
        found = PROJECTIONS["lanes-tracker"].read(at, made.files[TRACKER], importing=False)
        gone = {"no section 2", "no tables", "empty", "merge conflict", "in code", "open comment"}
        if made.odd[TRACKER] not in gone | {"short row", "manual session"}:
            assert f"activity/{marks[-1]}" in {row.key.rpartition("/")[0] for row in found.rows}, (
                made.odd
            )


NUMBERS: Final = st.integers(0, COUNT - 1)


@given(NUMBERS, NUMBERS, st.floats(0, 1), st.floats(0, 1))
def test_whatever_two_files_are_glued_together_each_format_reads_and_writes_or_says_why(
    one: int, other: int, until: float, since: float
) -> None:
    for path, name in FORMATS.items():
        begin, end = cached(one).files[path], cached(other).files[path]
        content = begin[: int(len(begin) * until)][:5_000] + end[int(len(end) * since) :][:5_000]
        at = known(path=path, sessions=(session("2026-02-15-t0001x"),), leases=(lease(1, "site"),))
        projection = PROJECTIONS[name]
        try:
            for importing in (True, False):
                found = projection.read(at, content, importing=importing)
                assert len({row.key for row in found.rows}) == len(found.rows)
                at = at._replace(rows=kept(found.rows, at.rows))
        except ValueError as error:
            assert str(error).endswith(".")
            continue
        again = projection.render(at, content)
        if again is not None:
            assert projection.render(at, again) == again
            assert projection.read(at, again, importing=False).rows == ()


def test_a_contracts_file_gives_roles_whatever_stands_in_it(repositories: list[Repository]) -> None:
    for made in repositories:
        found = read_contracts(made.files[CONTRACTS])
        assert "website" in found.roles
        assert (found.told == ()) == (made.odd[CONTRACTS] in ("plain", "null")), made.odd
