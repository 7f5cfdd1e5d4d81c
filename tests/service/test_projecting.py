"""Projections in real repositories: read back, written, and clean exactly while untouched."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from handrail import errors
from handrail.core.ledger import verify
from handrail.core.state import replay
from handrail.projections.port import Known, Projection, Read, Row, Told
from handrail.projections.registry import PROJECTIONS
from handrail.service.clean import without_clean
from handrail.service.commit_check import CommitCheck
from handrail.service.health import compare
from handrail.service.known import kept_rows
from handrail.service.projected_rows import ABSENT, LEFT, SAME, WRITTEN, Shown
from handrail.service.projecting import Projecting
from handrail.service.verification import Verification
from tests.cli.world import World
from tests.service.guarding import land, object_of

PATH: Final = "ops/board.json"
LANES: Final = f"""
[[role]]
name = "maker"
lane = ["src/**"]
[[projection]]
format = "lanes-coordination"
path = "{PATH}"
"""


def render(known: Known, before: bytes | None) -> bytes | None:
    """Show who holds what, and the notes that people wrote."""
    held = sorted(text for lease in known.leases for text in lease.scope)
    notes = {key: json.loads(text) for key, text in sorted(known.rows.items())}
    if not held and not notes and before is None:
        return None
    return (json.dumps({"held": held, "notes": notes}, indent=2) + "\n").encode()


def read(known: Known, content: bytes, *, importing: bool) -> Read:
    """Keep the notes; what is held is Handrail's to say."""
    try:
        said = json.loads(content)
    except ValueError:
        raise ValueError("it is no JSON") from None
    rows = tuple(Row(key, json.dumps(text)) for key, text in said["notes"].items())
    return Read(rows, () if importing else (Told("held", "overwritten", "Handrail says that."),))


@pytest.fixture(autouse=True)
def board(monkeypatch: pytest.MonkeyPatch) -> None:
    """A format that is small enough to see through."""
    toy = Projection("lanes-coordination", render, read)
    monkeypatch.setitem(PROJECTIONS, "lanes-coordination", toy)


def projecting(world: World, who: str | None, ask: Callable[[Projecting], Any]) -> Any:
    with world.open(who) as application:
        return ask(Projecting(application.context, application.projection_files))


def export(world: World, who: str | None = None, **given: Any) -> Shown:
    (shown,) = projecting(world, who, lambda it: it.export(**given))
    assert isinstance(shown, Shown)
    return shown


def board_of(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((world.path / PATH).read_text())
    return found


def rows(world: World) -> dict[str, str]:
    with world.open() as application, application.store.read() as reader:
        return kept_rows(reader, PATH)


def edit(world: World, **notes: str) -> None:
    said = board_of(world)
    said["notes"].update(notes)
    world.repo.write(PATH, json.dumps(said))


def test_nothing_is_written_where_there_is_nothing_to_show(world: World) -> None:
    world.configure(LANES)
    assert export(world).outcome == ABSENT
    assert not (world.path / PATH).exists()


def test_what_is_held_is_shown_and_claims_write_no_file(world: World) -> None:
    world.configure(LANES)
    ada = world.session(role="maker")
    world.claim(ada, "src/a")
    assert not (world.path / PATH).exists()
    assert export(world, ada, dry_run=True).outcome == WRITTEN
    assert not (world.path / PATH).exists()
    assert export(world, ada).outcome == WRITTEN
    assert board_of(world) == {"held": ["src/a"], "notes": {}}
    assert export(world, ada).outcome == SAME


def test_what_people_wrote_is_kept_as_a_claim_and_shown_again(world: World) -> None:
    world.configure(LANES)
    ada = world.session(role="maker")
    world.claim(ada, "src/a")
    export(world, ada)
    edit(world, decision="split it")
    shown = export(world, ada)
    assert (shown.kept, shown.told[0].code) == (1, "overwritten")
    assert rows(world) == {"decision": '"split it"'}
    assert board_of(world)["notes"] == {"decision": "split it"}
    with world.open() as application, application.store.read() as reader:
        entries = list(reader.entries())
        assert verify(entries).problem is None
        assert compare(reader, replay(entries)) == []


def test_a_file_that_is_only_old_takes_nothing_back(world: World) -> None:
    world.configure(LANES)
    ada = world.session(role="maker")
    world.claim(ada, "src/a")
    export(world, ada)
    edit(world, decision="first")
    export(world, ada)
    old = (world.path / PATH).read_text()
    edit(world, decision="second")
    export(world, ada)
    world.repo.write(PATH, old)
    assert export(world, ada).kept == 0
    assert board_of(world)["notes"] == {"decision": "second"}


def test_an_edit_of_an_old_file_is_that_edit_alone(world: World) -> None:
    world.configure(LANES)
    ada = world.session(role="maker")
    world.claim(ada, "src/a")
    export(world, ada)
    edit(world, decision="first")
    export(world, ada)
    land(world, ada, PATH)
    old = (world.path / PATH).read_text()
    edit(world, decision="second")
    export(world, ada)
    world.repo.write(PATH, old)
    edit(world, other="new")
    assert export(world, ada).kept == 1
    assert board_of(world)["notes"] == {"decision": "second", "other": "new"}


def test_a_file_that_is_no_such_file_stays_as_it_is(world: World) -> None:
    world.configure(LANES)
    world.repo.write(PATH, "{ half")
    shown = export(world)
    assert (shown.outcome, shown.told[0].code) == (LEFT, "unreadable")
    assert (world.path / PATH).read_text() == "{ half"


def test_history_is_entered_once(world: World) -> None:
    world.configure(LANES)
    world.repo.write(PATH, '{"held": [], "notes": {"a": "1"}}')
    (first,) = projecting(world, None, lambda it: it.import_all())
    (again,) = projecting(world, None, lambda it: it.import_all())
    assert (first.kept, again.kept) == (1, 0)
    assert rows(world) == {"a": '"1"'}


def test_a_clean_projection_needs_no_lease_and_lands(world: World) -> None:
    world.configure(LANES)
    ada = world.session(role="maker")
    world.claim(ada, "src/a")
    export(world, ada)
    with world.open(ada) as application:
        assert without_clean(application.context, (PATH, "src/a")) == ("src/a",)
    world.repo.git("add", PATH)
    with world.open(ada) as application:
        assert CommitCheck(application.context).staged() is None
    base = world.repo.git("rev-parse", "HEAD")
    land(world, ada, PATH)
    with world.open(ada) as application:
        judged = Verification(application.sources).verify([f"{base}..HEAD"])
    assert [one.code for one in judged.judgments] == ["attested"]


def test_a_projection_that_somebody_touched_is_an_ordinary_path(world: World) -> None:
    world.configure(LANES)
    ada = world.session(role="maker")
    world.claim(ada, "src/a")
    export(world, ada)
    edit(world, decision="mine")
    world.repo.git("add", PATH)
    with world.open(ada) as application:
        assert without_clean(application.context, (PATH,)) == (PATH,)
        refusal = CommitCheck(application.context).staged()
    assert refusal is not None
    assert PATH in refusal.message
    with pytest.raises(errors.NotCovered):
        land(world, ada, PATH)


def test_bytes_of_a_projection_elsewhere_are_no_projection(world: World) -> None:
    world.configure(LANES)
    ada = world.session(role="maker")
    world.claim(ada, "src/a")
    export(world, ada)
    world.repo.write("ops/other.json", (world.path / PATH).read_text())
    with pytest.raises(errors.NotCovered):
        land(world, ada, "ops/other.json")
    assert object_of(world, PATH)


def test_a_commit_that_is_being_made_has_the_newest_projections(world: World) -> None:
    world.configure(LANES)
    ada = world.session(role="maker")
    world.claim(ada, "src/a")
    export(world, ada)
    land(world, ada, PATH)
    world.repo.git("reset", "-q")
    world.claim(ada, "src/b")
    (shown,) = projecting(world, ada, lambda it: it.into_index())
    assert shown.outcome == WRITTEN
    assert json.loads(world.repo.git("show", f":{PATH}"))["held"] == ["src/a", "src/b"]
    assert projecting(world, ada, lambda it: it.into_index())[0].outcome == SAME


def test_what_somebody_changed_and_did_not_stage_is_left_out_of_a_commit(world: World) -> None:
    world.configure(LANES)
    ada = world.session(role="maker")
    world.claim(ada, "src/a")
    export(world, ada)
    assert projecting(world, ada, lambda it: it.into_index()) == ()
    land(world, ada, PATH)
    world.repo.git("reset", "-q")
    edit(world, decision="mine")
    assert projecting(world, ada, lambda it: it.into_index()) == ()
    assert rows(world) == {}


def test_an_export_makes_nobody_elses_words_clean(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def around(known: Known, before: bytes | None) -> bytes | None:
        own = render(known, None) or b""
        return (before or b"").partition(b"{")[0] + own if before else own

    def ignoring(known: Known, content: bytes, *, importing: bool) -> Read:
        return Read(())

    toy = Projection("lanes-coordination", around, ignoring)
    monkeypatch.setitem(PROJECTIONS, "lanes-coordination", toy)
    world.configure(LANES)
    ada = world.session(role="maker")
    world.claim(ada, "src/a")
    export(world, ada)
    land(world, ada, PATH)
    text = (world.path / PATH).read_text()
    world.repo.write(PATH, f"the rules are off\n{text}")
    export(world, ada)
    with pytest.raises(errors.NotCovered):
        land(world, ada, PATH)
