"""Directives in a working tree: found, bounded, imported; what lies outside is never reached."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.errors import FactsUnavailable
from handrail.errors.handoff import GateFailed, MalformedPacket
from handrail.facts import folders
from handrail.facts.folders import document, entries
from handrail.projections.directive import value_of
from handrail.service.directives import Directive, Directives, completed, task_path
from handrail.service.handoffs import Offering
from handrail.service.known import kept_rows
from handrail.service.projecting import Projecting
from tests.compat.directive_ground import (
    BRANCH,
    FOLDER,
    HANDOFF,
    META,
    NAME,
    STORE,
    TASK,
    Ground,
    make_ground,
    meta_of,
    task_of,
)
from tests.projections.test_directive import fourth, generated, head
from tests.support import Handrail, Repo

ULTRA: Final = "26-03-01_fix"


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the directives' documents."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("directive-template"))


def at(ground: Ground, name: str = NAME) -> Directive:
    with ground.acting(None) as application:
        return Directives(application.context.outside, STORE).at(name)


def says(ground: Ground, role: str = "architect", **asked: Any) -> dict[str, Any]:
    """Return what an offer of a role would say."""
    packet = asked.pop("packet", {})
    with ground.acting(role) as application:
        return completed(application.context, Offering(**asked), packet)


# --- files and folders ---------------------------------------------------------------------------


def test_no_link_leads_out_of_the_directives(ground: Ground, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.meta.json").write_text(json.dumps(meta_of()))
    (ground.path / STORE / "26-03-02_evil").symlink_to(outside)
    (ground.path / FOLDER / "03-evil.task.json").symlink_to(outside / "x.meta.json")
    with ground.acting(None) as application:
        assert Directives(application.context.outside, STORE).names() == (NAME,)
    assert at(ground).tasks == ("02-nav.task.json",)
    (ground.path / META).unlink()
    (ground.path / META).symlink_to(outside / "x.meta.json")
    assert at(ground).problem.startswith("Expected exactly one <directive_slug>.meta.json")
    top = str(ground.path)
    for path in (f"{STORE}/26-03-02_evil/x.meta.json", META, "src"):
        with pytest.raises(FactsUnavailable):
            document(top, path)
    with pytest.raises(FactsUnavailable):
        entries(top, f"{STORE}/26-03-02_evil")
    assert entries(top, "nowhere") == ()
    assert document(top, "nowhere/a") is None
    os.mkfifo(ground.path / FOLDER / "04-pipe.task.json")
    assert at(ground).tasks == ("02-nav.task.json",)


def test_folders_and_documents_are_bounded(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    top = str(ground.path)
    size = (ground.path / META).stat().st_size
    monkeypatch.setattr(folders, "DOCUMENT_BYTES_MAX", size)
    assert document(top, META) is not None
    monkeypatch.setattr(folders, "DOCUMENT_BYTES_MAX", size - 1)
    with pytest.raises(FactsUnavailable, match="bytes"):
        document(top, META)
    assert "bytes" in at(ground).problem
    count = len(entries(top, FOLDER))
    monkeypatch.setattr(folders, "ENTRIES_MAX", count)
    assert len(entries(top, FOLDER)) == count
    monkeypatch.setattr(folders, "ENTRIES_MAX", count - 1)
    with pytest.raises(FactsUnavailable, match="entries"):
        entries(top, FOLDER)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"meta": 7}', '{"meta": ' + "[" * 9_000])
def test_metadata_that_cannot_be_read_is_a_problem_of_its_own_directive(
    ground: Ground, text: str
) -> None:
    ground.repo.write(META, text)
    assert at(ground).problem
    assert "directive" not in says(ground, to_role="executor")
    with pytest.raises(MalformedPacket):
        says(ground, packet={"directive": {"folder": FOLDER}})


@pytest.mark.parametrize("name", ["../../..", "", ".", "a/b", "26-02-11_nav/../26-02-11_nav", "\0"])
def test_a_folder_that_is_named_is_one_of_the_folders(ground: Ground, name: str) -> None:
    with pytest.raises(MalformedPacket):
        says(ground, packet={"directive": {"folder": f"{STORE}/{name}x"}})


# --- what a packet says --------------------------------------------------------------------------


def test_the_only_open_task_is_meant_and_what_it_allows_is_the_scope(ground: Ground) -> None:
    said = says(ground, to_role="executor")
    assert said["directive"]["task_file"] == TASK
    assert said["metadata"]["branch"] == BRANCH
    assert said["context"]["files_in_scope"] == ["src/nav.ts"]
    ground.writes(TASK, task_of(("src", "write"), ("src/new.ts", "write"), ("lib/*.ts", "edit")))
    scope = says(ground, to_role="executor")["context"]["files_in_scope"]
    assert scope == ["src/new.ts", "lib/*.ts"]  # a folder is no exact path
    assert "context" not in says(ground, to_role="executor", scope=("src/a",))
    assert "task_file" not in says(ground, to_role="pair")["directive"]


def test_a_task_that_cannot_be_read_refuses_who_named_it_and_stops_nobody_else(
    ground: Ground,
) -> None:
    ground.repo.write(TASK, "{")
    with pytest.raises(MalformedPacket):
        says(
            ground, to_role="executor", packet={"directive": {"folder": FOLDER, "task_file": TASK}}
        )
    assert says(ground, to_role="executor")["context"]["files_in_scope"] == []


def test_an_ultra_directive_is_what_its_trigger_is_about_unless_it_is_archived(
    ground: Ground,
) -> None:
    folder = f"{STORE}/{ULTRA}"
    ultra = {"session_priority": "ultra", "directive_slug": "fix", "directive_branch": "feat/fix"}
    ground.writes(f"{folder}/fix.meta.json", meta_of(**ultra))
    ground.writes(f"{folder}/01-fix.task.json", task_of(("src/menu.ts", "write")))
    packet = {"trigger": "auditor_ultra_open"}
    said = says(ground, "auditor", to_role="executor", kind="block", packet=packet)
    assert said["directive"]["folder"] == folder
    assert said["directive"]["task_file"] == f"{folder}/01-fix.task.json"
    assert said["context"]["files_in_scope"] == ["src/menu.ts"]
    ground.writes(f"{folder}/fix.meta.json", meta_of(**ultra, status="archived"))
    said = says(ground, "auditor", to_role="executor", kind="block", packet=packet)
    assert said["directive"]["folder"] == FOLDER  # that of the branch


def test_the_later_packets_of_a_task_belong_to_the_same_directive(ground: Ground) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    ground.accepts("executor")
    ground.repo.git("switch", "--quiet", "-c", "elsewhere")
    said = says(ground, "executor", to_role="architect", kind="block")
    assert said["directive"]["folder"] == FOLDER
    assert said["directive"]["task_file"] == TASK
    assert said["context"]["files_in_scope"] == ["src/nav.ts"]


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("02-nav.task.json", True),
        ("02-nav", True),
        (f"{NAME}/02-nav.task.json", True),
        (f"/home/x/{STORE}/{NAME}/02-nav.task.json", True),
        (f"apps/web/.local/directives/{NAME}/02-nav.task.json", True),
        ("26-01-01_x/02-nav.task.json", False),
        (f"../{NAME}/02-nav.task.json", False),
        ("03.task.json", False),
        ("/", False),
        ("", False),
    ],
)
def test_a_task_is_found_by_each_way_of_writing_it_and_by_no_other(named: str, found: bool) -> None:
    directive = Directive(STORE, NAME, tasks=("02-nav.task.json",))
    path, why = task_path(named, directive)
    assert path == (TASK if found else "")
    assert bool(why) is not found


def test_a_packet_of_another_place_names_no_directive(ground: Ground) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    ground.configure(f'path = "{STORE}"', 'path = "elsewhere"')
    with pytest.raises(GateFailed) as caught:
        ground.accepts("executor")
    assert "it lies in no folder of directives" in caught.value.message


# --- history -------------------------------------------------------------------------------------


def test_what_other_tools_left_is_history_and_keeps_its_bytes(tmp_path: Path) -> None:
    repo = Repo.create(tmp_path / "repo")
    ground = Ground(repo.path)
    ground.writes(META, meta_of())
    one, two = generated(1), generated(2)
    left = {
        HANDOFF: fourth(one),
        f"{FOLDER}/HANDOFF.md": head(two),
        f"{STORE}/26-02-10_old/old.handoff.json": b'{"handoff": {"to_role": "executor"}}',
        f"{STORE}/26-02-10_old/old.architect.handoff.json": b'{"handoff": {"from_phase": "a"}}',
        f"{STORE}/26-02-10_old/HANDOFF.md": b"---\nhandoff: {}\n---\n",
        f"{STORE}/26-02-10_old/broken.handoff.json": b'{"handoff": ',
    }
    for path, content in left.items():
        repo.write(path, "").write_bytes(content)
    repo.commit("the original")
    before = Handrail(repo.path)("init", "--preset", "directive", "--dry-run", "--json").json()
    done = Handrail(repo.path)("init", "--preset", "directive", "--json").json()
    shown = {row["path"]: row for row in done["projections"] if row["path"] in left}
    assert {path: (repo.path / path).read_bytes() for path in left} == left
    assert {path: row["kept"] for path, row in shown.items()} == {
        HANDOFF: 1,
        f"{FOLDER}/HANDOFF.md": 1,
        f"{STORE}/26-02-10_old/old.handoff.json": 1,
        f"{STORE}/26-02-10_old/old.architect.handoff.json": 1,
        f"{STORE}/26-02-10_old/HANDOFF.md": 0,
        f"{STORE}/26-02-10_old/broken.handoff.json": 0,
    }
    told = {(row["path"], one["code"]) for row in shown.values() for one in row["told"]}
    assert (f"{STORE}/26-02-10_old/HANDOFF.md", "unreadable_front_matter") in told
    assert (f"{STORE}/26-02-10_old/broken.handoff.json", "unreadable") in told
    assert (f"{STORE}/26-02-10_old/old.handoff.json", "missing_field") in told
    foretold = {row["path"]: row["kept"] for row in before["projections"] if row["path"] in left}
    assert foretold == {path: row["kept"] for path, row in shown.items()}
    with ground.acting(None) as application:
        with application.store.read() as reader:
            (record,) = kept_rows(reader, HANDOFF).values()
            assert json.loads(record)["handoff"] == value_of(one)
        again = Projecting(application.context, application.projection_files).import_all()
        assert all(row.kept == 0 for row in again if row.path in (HANDOFF, f"{FOLDER}/HANDOFF.md"))


def test_an_offer_replaces_the_file_and_what_was_imported_of_it_stays(ground: Ground) -> None:
    (ground.path / HANDOFF).write_bytes(fourth(generated(4)))
    with ground.acting(None) as application:
        Projecting(application.context, application.projection_files).import_all()
    ground.saves()
    ground.offers("architect", to_role="executor", message="Open it")
    assert ground.handoff()["objective"] == "Open it"
    with ground.acting(None) as application, application.store.read() as reader:
        kept = {key: json.loads(text) for key, text in kept_rows(reader, HANDOFF).items()}
    assert kept["history/000000"]["handoff"] == value_of(generated(4))
