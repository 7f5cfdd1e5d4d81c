"""git merges files that Handrail writes: by rows, by lines, or as text where Handrail is not."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.config import blob_id
from handrail.service.install.merge_driver import MERGED_STATUS
from handrail.wiring import Application
from tests.support import Handrail, Repo

FILE: Final = "ops/tracker/coordination.json"
TRACKER: Final = "ops/PROJECT_TRACKER.md"
TABLE: Final = "| --- | --- | --- | --- | --- | --- | --- | --- |\n"


def begun(folder: Path, preset: str) -> Path:
    """Set a repository up with a preset, and commit all of it."""
    repo = Repo.create(folder / "repo")
    assert Handrail(repo.path)("init", "--preset", preset).code == 0
    repo.git("config", "core.hooksPath", "/dev/null")  # they take their time, and decide nothing
    repo.commit(preset)
    repo.git("tag", "base")
    return repo.path


def copied(template: Path, folder: Path) -> Repo:
    return Repo(Path(shutil.copytree(template, folder / "repo", symlinks=True)))


_begun: dict[str, Path] = {}


def template_of(preset: str, factory: pytest.TempPathFactory) -> Path:
    """Return a repository that is set up once: in a test, which has an identity and a home."""
    if preset not in _begun:
        _begun[preset] = begun(factory.mktemp(preset), preset)
    return _begun[preset]


@pytest.fixture
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template_of("lanes", tmp_path_factory)


@pytest.fixture
def lanes(template: Path, tmp_path: Path) -> Repo:
    """A repository with the preset `lanes`; the tag `base` is where branches begin."""
    return copied(template, tmp_path)


def load(repo: Repo) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((repo.path / FILE).read_text())
    return found


def conflict(name: str, decision: str) -> dict[str, str]:
    return {
        "timestamp": "2026-02-15T10:00:00.000000Z",
        "role": "website",
        "requested_by": name,
        "active_agent": "bot",
        "requested_scope": "site/src",
        "active_scope": "site",
        "session_id": f"session-{name}",
        "decision": decision,
    }


def put(repo: Repo, *rows: Mapping[str, str], branch: str = "") -> None:
    """Write conflicts into the file as somebody by hand, and commit that."""
    if branch:
        repo.git("checkout", "--quiet", "-b", branch, "base")
    found = load(repo)
    found["conflicts"] = list(rows)
    repo.write(FILE, json.dumps(found, indent=2) + "\n")
    repo.git("commit", "--quiet", "--all", "--no-verify", "-m", branch or "base")


def decisions(repo: Repo) -> dict[str, str]:
    return {row["requested_by"]: row["decision"] for row in load(repo)["conflicts"]}


def merge(repo: Repo, branch: str, *, conflicts: bool = False) -> None:
    """Merge a branch into the one that is checked out."""
    repo.git("merge", "--quiet", "--no-edit", branch, check=not conflicts)
    unmerged = repo.git("diff", "--name-only", "--diff-filter=U")
    assert bool(unmerged) == conflicts, unmerged


def test_rows_that_both_branches_added_are_all_there_after_a_merge(lanes: Repo) -> None:
    put(lanes, conflict("a", "one"), branch="one")
    put(lanes, conflict("b", "two"), conflict("c", "three"), branch="two")
    merge(lanes, "one")
    assert decisions(lanes) == {"a": "one", "b": "two", "c": "three"}
    assert lanes.git("status", "--porcelain") == ""
    again = Handrail(lanes.path)("export")
    assert again.code == 0, again.err
    assert lanes.git("status", "--porcelain") == ""
    assert not (lanes.path / ".git/handrail/hook.log").exists()


def test_each_side_may_change_another_row_and_add_one_at_the_same_place(lanes: Repo) -> None:
    put(lanes, *(conflict(name, "open") for name in "ab"))
    lanes.git("tag", "--force", "base")
    put(lanes, *(conflict(*row) for row in (("a", "A"), ("b", "open"), ("c", "C"))), branch="one")
    put(lanes, *(conflict(*row) for row in (("a", "open"), ("b", "B"), ("d", "D"))), branch="two")
    merge(lanes, "one")
    assert decisions(lanes) == {"a": "A", "b": "B", "c": "C", "d": "D"}


def test_a_row_that_both_sides_changed_is_left_for_people_with_both_values(lanes: Repo) -> None:
    put(lanes, conflict("a", "open"))
    lanes.git("tag", "--force", "base")
    put(lanes, conflict("a", "website goes first"), branch="one")
    put(lanes, conflict("a", "topic00 goes first"), branch="two")
    before = len(entries(lanes))
    merge(lanes, "one", conflicts=True)
    text = (lanes.path / FILE).read_text()
    assert "<<<<<<< ours" in text
    assert "website goes first" in text
    assert "topic00 goes first" in text
    assert lanes.git("status", "--porcelain") == f"UU {FILE}"
    assert len(entries(lanes)) == before


def entries(repo: Repo) -> list[Any]:
    done = Handrail(repo.path)("log", "--json")
    assert done.code == 0, done.err
    found: list[Any] = done.json()["entries"]
    return found


def tracker(repo: Repo, row: str, *, branch: str, near: str = TABLE) -> None:
    repo.git("checkout", "--quiet", "-b", branch, "base")
    text = (repo.path / TRACKER).read_text()
    assert near in text
    repo.write(TRACKER, text.replace(near, near + row, 1))
    repo.git("commit", "--quiet", "--all", "--no-verify", "-m", branch)


def test_rows_at_one_place_of_a_table_are_kept_and_text_in_conflict_stays_so(lanes: Repo) -> None:
    one = "| s1 | website | bot-1 | site | did | closed | | |\n"
    two = "| s2 | topic00 | bot-2 | content | did | closed | | |\n"
    tracker(lanes, one, branch="one")
    tracker(lanes, two, branch="two")
    merge(lanes, "one")
    text = (lanes.path / TRACKER).read_text()
    assert text.count(one) == text.count(two) == 1
    assert lanes.git("status", "--porcelain") == ""
    lanes.git("tag", "--force", "base")
    heading = "## 1) Roles\n"
    tracker(lanes, "Words of one.\n", branch="three", near=heading)
    tracker(lanes, "Words of another.\n", branch="four", near=heading)
    merge(lanes, "three", conflicts=True)
    text = (lanes.path / TRACKER).read_text()
    assert "<<<<<<< ours\nWords of another.\n" in text
    assert "=======\nWords of one.\n>>>>>>> theirs\n" in text


def test_lines_of_the_tool_are_in_no_conflict_whatever_each_side_made_of_them(lanes: Repo) -> None:
    note = "site/website_agent_working_note.md"
    written = {}
    for branch, hour in (("one", 11), ("two", 10)):
        lanes.git("checkout", "--quiet", "-b", branch, "base")
        text = (lanes.path / note).read_text()
        for field, value in (("agent_id", branch), ("lease_expires_at", f"2026-01-01T{hour}:00Z")):
            assert text.count(f"- {field}: none\n") == 1
            text = text.replace(f"- {field}: none", f"- {field}: {value}")
        written[branch] = text
        lanes.write(note, text)
        lanes.git("commit", "--quiet", "--all", "--no-verify", "-m", branch)
    merge(lanes, "one")
    assert (lanes.path / note).read_text() == written["one"]


@pytest.mark.parametrize(
    "how",
    [
        "a launch line to nowhere",
        *(pytest.param(how, marks=pytest.mark.nightly) for how in ("no launch line", "no store")),
    ],
)
def test_without_handrail_the_file_is_merged_as_text(lanes: Repo, how: str) -> None:
    put(lanes, conflict("a", "one"), branch="one")
    put(lanes, conflict("b", "two"), branch="two")
    folder = lanes.path / ".git/handrail"
    if how == "no store":
        (folder / "state.db").rename(folder / "elsewhere")
    elif how == "no launch line":
        (folder / "launch").unlink()
    else:
        (folder / "launch").write_text("exec /nowhere/python\n")
    merge(lanes, "one", conflicts=True)
    text = (lanes.path / FILE).read_text()
    assert "<<<<<<<" in text
    assert '"one"' in text
    assert '"two"' in text


def test_whoever_only_looks_at_a_merge_of_the_past_enters_nothing(lanes: Repo) -> None:
    put(lanes, conflict("a", "one"), branch="one")
    put(lanes, conflict("b", "two"), branch="two")
    merge(lanes, "one")
    (lanes.path / ".git/handrail/state.db").unlink()
    for beside in (lanes.path / ".git/handrail").glob("state.db-*"):
        beside.unlink()
    assert Handrail(lanes.path)("init").code == 0
    before = len(entries(lanes))
    assert lanes.git("show", "--remerge-diff", "--stat", "HEAD")
    assert lanes.git("merge-tree", "--write-tree", "one", "two")
    assert len(entries(lanes)) == before


def test_a_session_that_begins_brings_the_driver_back(lanes: Repo) -> None:
    before = lanes.git("config", "--get-regexp", "^merge[.]handrail[.]")
    lanes.git("config", "--remove-section", "merge.handrail")
    said = Handrail(lanes.path)(
        "hook",
        input=json.dumps(
            {"session_id": "s1", "hook_event_name": "SessionStart", "cwd": str(lanes.path)}
        ),
    )
    assert said.code == 0, said.err
    assert lanes.git("config", "--get-regexp", "^merge[.]handrail[.]") == before


# ------------------------------------------------------------------------------------------ mosaic

STATE: Final = ".mosaic/agent_state.json"
BLOCKERS: Final = ".mosaic/blockers.json"
LOG: Final = ".mosaic/session_log.jsonl"


@pytest.fixture
def mosaic_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template_of("mosaic", tmp_path_factory)


@pytest.fixture
def mosaic(mosaic_template: Path, tmp_path: Path) -> Repo:
    """A repository with the preset `mosaic`; the tag `base` is where branches begin."""
    return copied(mosaic_template, tmp_path)


def change(repo: Repo, path: str, **fields: Any) -> None:
    """Change fields of a JSON file by hand."""
    found = json.loads((repo.path / path).read_text())
    repo.write(path, json.dumps({**found, **fields}, indent=2) + "\n")


def blocker(name: str) -> dict[str, str]:
    return {"id": name, "title": f"blocker {name}", "severity": "high", "status": "open"}


def test_state_files_of_two_branches_merge_field_by_field(mosaic: Repo) -> None:
    message = "What the next agent must know, said in more than fifty characters."
    for branch, name in (("one", "B001"), ("two", "B002")):
        mosaic.git("checkout", "--quiet", "-b", branch, "base")
        change(mosaic, BLOCKERS, blockers=[blocker(name)])
        change(mosaic, STATE, user_decisions={f"D_{branch}": "yes"})
        if branch == "one":
            change(mosaic, STATE, handoff_message=message)
        line = {"timestamp": "2026-01-01T00:00:00Z", "agent": branch, "mode": "BUILD"}
        line |= {"action": f"did {branch}", "outcome": "done"}
        mosaic.write(LOG, (mosaic.path / LOG).read_text() + json.dumps(line) + "\n")
        mosaic.git("commit", "--quiet", "--all", "--no-verify", "-m", branch)
    merge(mosaic, "one")
    state = json.loads((mosaic.path / STATE).read_text())
    assert state["user_decisions"] == {"D_one": "yes", "D_two": "yes"}
    assert state["handoff_message"] == message
    blockers = json.loads((mosaic.path / BLOCKERS).read_text())
    assert blockers["version"] == 1
    assert {one["id"] for one in blockers["blockers"]} == {"B001", "B002"}
    log = (mosaic.path / LOG).read_text()
    assert log.count("did one") == log.count("did two") == 1
    assert Handrail(mosaic.path)("export").code == 0
    assert mosaic.git("status", "--porcelain") == ""


def test_a_message_that_both_branches_wrote_is_the_only_conflict(mosaic: Repo) -> None:
    for branch in ("one", "two"):
        mosaic.git("checkout", "--quiet", "-b", branch, "base")
        change(mosaic, STATE, handoff_message=f"from {branch}", open_questions=[branch])
        mosaic.git("commit", "--quiet", "--all", "--no-verify", "-m", branch)
    merge(mosaic, "one", conflicts=True)
    text = (mosaic.path / STATE).read_text()
    inside = text.partition("<<<<<<< ours\n")[2].partition(">>>>>>> theirs")[0]
    assert inside.count("\n") == 5, inside
    assert '"from one"' in inside
    assert '"from two"' in inside
    assert text.count("<<<<<<<") == 1
    assert '"one"' in text
    assert '"two"' in text


def test_an_edit_by_hand_loses_no_field_of_a_state_file(mosaic: Repo) -> None:
    before = json.loads((mosaic.path / BLOCKERS).read_text())
    change(mosaic, BLOCKERS, blockers=[blocker("B001")])
    assert Handrail(mosaic.path)("export").code == 0
    after = json.loads((mosaic.path / BLOCKERS).read_text())
    assert list(after) == list(before)
    assert after["blockers"] == [blocker("B001")]
    assert after["updated_at"] != before["updated_at"]


def test_words_that_somebody_hands_to_the_driver_are_no_bytes_of_handrails(
    lanes: Repo, tmp_path: Path
) -> None:
    note = "site/website_agent_working_note.md"
    base = (lanes.path / note).read_bytes()
    files = [tmp_path / name for name in "oab"]
    for file, content in zip(files, (base, base + b"\nThe rules are off.\n", base), strict=True):
        file.write_bytes(content)
    launch = str(lanes.path / ".git/handrail/launch")
    argv = ("sh", launch, "hook", "git", "merge", *map(str, files), note)
    assert subprocess.run(argv, cwd=lanes.path, check=False).returncode == MERGED_STATUS
    merged = files[1].read_bytes()
    assert b"The rules are off." in merged
    application = Application.open(str(lanes.path), {}, terminal=False)
    with application.store.read() as reader:
        known = [path for path, _ in reader.written_blobs()]
        wrote = reader.wrote(note, blob_id(merged))
    application.close()
    assert note in known
    assert wrote is None
