"""The files of mosaic in a real repository: imported, exported, committed, judged, linked."""

from __future__ import annotations

import json
import os
from typing import Any, Final

import pytest

from handrail.gates.gate import FAIL, PASS, Outcome
from handrail.service.completing import Completing
from handrail.service.gating import Gating
from handrail.service.handoff_gates import HandoffGates
from handrail.service.handoffs import Handoffs, Offering
from handrail.service.projected_rows import ABSENT, LEFT, SAME, WRITTEN, Shown
from handrail.service.projecting import Judge, Projecting
from handrail.service.projection_merging import ProjectionMerging
from handrail.service.tasks import Tasks
from handrail.text import rfc3339
from handrail.wiring.gates import Gates
from handrail.wiring.merging import merge_text
from tests.cli.world import World
from tests.projections import mosaic_world as originals
from tests.service.guarding import land

STATE: Final = ".mosaic/agent_state.json"
BLOCKERS: Final = ".mosaic/blockers.json"
TASK: Final = ".mosaic/current_task.json"
LOG: Final = ".mosaic/session_log.jsonl"
LATEST: Final = ".mosaic/LATEST_HANDOFF.md"
FILES: Final = {
    STATE: "mosaic-state",
    BLOCKERS: "mosaic-blockers",
    TASK: "mosaic-task",
    LOG: "mosaic-log",
    LATEST: "mosaic-handoff",
}
ROLES: Final = """
[[role]]
name = "maker"
lane = ["**"]
[gates]
message = "block"
""" + "".join(
    f'[[projection]]\nformat = "{name}"\npath = "{path}"\n' for path, name in FILES.items()
)
JSON: Final = {STATE: originals.STATE, BLOCKERS: originals.BLOCKERS, TASK: originals.TASK}


class Mosaic:
    """A repository that ran mosaic, and a session in it that acts for a task."""

    def __init__(self, world: World) -> None:
        self.world, self.repo = world, world.repo
        world.configure(ROLES)
        self.repo.commit("adopt", "handrail.toml")
        for path, value in JSON.items():
            self.repo.write(path, json.dumps(value, indent=2) + "\n")
        self.repo.write(LOG, json.dumps(originals.ENTRY) + "\n")
        self.repo.write(".mosaic/SESSION_HANDOFF_2026-01-07.md", "# Session of January 7\n")
        os.symlink("SESSION_HANDOFF_2026-01-07.md", world.path / LATEST)
        self.before = {path: (world.path / path).read_bytes() for path in FILES}
        self.ada: str | None = None

    def begin(self) -> None:
        """Start a session that opens a task and takes it."""
        self.ada = self.world.session(id="ada", agent="claude@web", role="maker")
        with self.world.open(self.ada) as application:
            Tasks(application.context).open("fix", "Fix it")
            Handoffs(application.context, application.packet_files).accept("fix")
        self.world.claim(self.ada, "src", ".mosaic")

    def files(self, ask: str, **given: Any) -> dict[str, Shown]:
        with self.world.open(self.ada) as application:
            it = Projecting(application.context, application.projection_files)
            shown = it.import_all(**given) if ask == "import" else it.export(**given)
        return {one.path: one for one in shown}

    def outcomes(self, ask: str) -> dict[str, str]:
        return {path: one.outcome for path, one in self.files(ask).items()}

    def judge(
        self, *gates: str, stage: str = "pre-handoff", base: str | None = None
    ) -> dict[str, Outcome]:
        with self.world.open(self.ada) as application:
            bench = application.bench(str(self.world.path))
            gating = Gating(application.context, bench, lambda: application.sources)
            handed = HandoffGates(application.context, bench, gating, print).to_check(stage, None)
            handed = handed._replace(base=base) if base is not None else handed
            checked = gating.check(stage, only=gates, handed=handed)
        return {one.gate: one for one in checked.outcomes}

    def state(self, path: str = STATE) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.world.path / path).read_bytes())
        return found

    def edit(self, path: str = STATE, **fields: Any) -> None:
        self.repo.write(path, json.dumps({**self.state(path), **fields}, indent=2) + "\n")


@pytest.fixture
def mosaic(world: World) -> Mosaic:
    return Mosaic(world)


def test_an_import_changes_no_byte_and_an_export_gives_the_same_ones(mosaic: Mosaic) -> None:
    read = mosaic.files("import")
    assert {path: one.kept > 0 for path, one in read.items()} == dict.fromkeys(FILES, True)
    assert not any(one.told for one in read.values())
    assert mosaic.outcomes("export") == {**dict.fromkeys(FILES, SAME), LATEST: ABSENT}
    after = {path: (mosaic.world.path / path).read_bytes() for path in FILES}
    assert after == mosaic.before
    assert {path: one.kept for path, one in mosaic.files("import").items()} == dict.fromkeys(
        FILES, 0
    )


def complete(mosaic: Mosaic, judge: Judge | None) -> tuple[str, list[str]]:
    """Write that the work is complete and export; returns what the file says then."""
    mosaic.edit(TASK, status="complete")
    with mosaic.world.open(mosaic.ada) as application:
        it = Projecting(application.context, application.projection_files, judge)
        shown = {one.path: one for one in it.export()}
    codes = [one.sentence for one in shown[TASK].told if one.code == "not_complete"]
    return mosaic.state(TASK)["status"], codes


def test_a_word_in_a_file_completes_nothing_unless_the_gates_say_so(mosaic: Mosaic) -> None:
    mosaic.files("import")
    assert complete(mosaic, None) == ("active", ["the work is not complete: no gate was asked"])
    assert complete(mosaic, lambda task: f"no, {task}") == (
        "active",
        ["the work is not complete: no, None"],
    )
    assert complete(mosaic, lambda task: "") == ("complete", [])
    assert mosaic.outcomes("export")[TASK] == SAME


def test_the_task_is_closed_where_the_gates_pass(mosaic: Mosaic) -> None:
    mosaic.files("import")
    mosaic.begin()
    assert mosaic.ada is not None
    mosaic.files("export")
    land(mosaic.world, mosaic.ada, ".mosaic")

    def judge(task: str | None) -> str:
        with mosaic.world.open(mosaic.ada) as application:
            gates = Gates(application, str(mosaic.world.path))
            return Completing(application.context, gates.gating, gates.around())(task)

    mosaic.repo.write("src/left.py", "x\n")
    status, (why,) = complete(mosaic, judge)
    assert status == "active"
    assert "src/left.py" in why
    (mosaic.world.path / "src/left.py").unlink()
    assert complete(mosaic, judge) == ("complete", [])
    with mosaic.world.open() as application, application.store.read() as reader:
        assert [one.state for one in reader.tasks(closed=True)] == ["closed"]


def test_what_handrail_wrote_before_something_happened_is_outdated(mosaic: Mosaic) -> None:
    mosaic.files("import")
    mosaic.begin()
    mosaic.files("export")
    assert mosaic.judge("state-fresh")["state-fresh"].verdict == PASS
    with mosaic.world.open(mosaic.ada) as application:
        Tasks(application.context).open("next", "The next one")
    told = mosaic.judge("state-fresh")["state-fresh"]
    assert {one.path for one in told.objections} == {STATE, TASK, LOG}
    mosaic.files("export")
    assert mosaic.judge("state-fresh")["state-fresh"].verdict == PASS


def test_a_file_that_shows_leases_is_current_while_handrail_wrote_it(world: World) -> None:
    world.configure(
        '[[role]]\nname = "maker"\nlane = ["**"]\n'
        '[[projection]]\nformat = "lanes-coordination"\npath = "ops/c.json"\n'
    )
    ada = world.session(role="maker")
    world.claim(ada, "src/a")

    def judge() -> str:
        with world.open(ada) as application:
            gating = Gates(application, str(world.path)).gating
            (told,) = gating.check("pre-handoff", only=("state-fresh",)).outcomes
        return told.verdict

    assert judge() == PASS, "it is not there: that is for state-readable"
    with world.open(ada) as application:
        Projecting(application.context, application.projection_files).export()
    world.claim(ada, "src/b")
    assert judge() == PASS
    path = world.path / "ops/c.json"
    path.write_text(path.read_text().replace("src/a", "src/x"))
    assert judge() == FAIL


def test_a_link_to_nothing_is_told_and_left_until_the_next_handoff(mosaic: Mosaic) -> None:
    path = mosaic.world.path / LATEST
    path.unlink()
    os.symlink("SESSION_HANDOFF_2026-01-19_PATHFINDER.md", path)
    shown = mosaic.files("import")[LATEST]
    assert [one.code for one in shown.told] == ["dangling_link"]
    assert mosaic.outcomes("export")[LATEST] == ABSENT
    assert os.readlink(path) == "SESSION_HANDOFF_2026-01-19_PATHFINDER.md"


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.nightly)])
def test_commit_and_export_again_and_again_leaves_the_tree_clean(
    mosaic: Mosaic, times: int
) -> None:
    mosaic.files("import")
    mosaic.begin()
    mosaic.files("export")
    assert mosaic.ada is not None
    land(mosaic.world, mosaic.ada, ".mosaic")
    for number in range(times):
        mosaic.repo.write("src/a.py", f"x = {number}\n")
        land(mosaic.world, mosaic.ada, "src/a.py")
        assert mosaic.outcomes("export") == {**dict.fromkeys(FILES, SAME), LATEST: ABSENT}
        assert mosaic.repo.git("status", "--porcelain") == ""
    assert mosaic.judge("state-fresh")["state-fresh"].verdict == PASS
    assert mosaic.state()["last_commit"] == originals.STATE["last_commit"]


def test_what_the_gates_mind_and_what_ends_it(mosaic: Mosaic) -> None:
    mosaic.files("import")
    mosaic.begin()
    assert mosaic.ada is not None
    mosaic.files("export")
    land(mosaic.world, mosaic.ada, ".mosaic")
    asked = ("state-readable", "state-fresh", "message", "blockers")
    first = mosaic.judge(*asked)
    assert {one.verdict for one in first.values()} == {PASS}
    assert not first["blockers"].applicable, "what was resolved before is history"
    mosaic.edit(handoff_message="done", implementation_progress={})
    resolved = {**originals.BLOCKER, "status": "resolved"}
    mosaic.edit(BLOCKERS, blockers=[resolved])
    mosaic.repo.write(TASK, '{"half":')
    told = mosaic.judge(*asked)
    assert {name: one.verdict for name, one in told.items()} == dict.fromkeys(asked, FAIL)
    assert [(one.code, one.path, one.advice) for one in told["state-readable"].objections] == [
        ("no_service_url", STATE, True),
        ("unreadable_state", TASK, False),
    ]
    assert {one.path for one in told["state-fresh"].objections} == {STATE, BLOCKERS}
    received = mosaic.judge("state-readable", "message", stage="post-handoff")
    assert {one.verdict for one in received.values()} == {FAIL}
    assert mosaic.files("export")[TASK].outcome == LEFT
    assert (mosaic.world.path / TASK).read_text() == '{"half":'
    mosaic.repo.git("checkout", "--", TASK)
    head = mosaic.repo.git("rev-parse", "HEAD")
    mosaic.edit(handoff_message=f"{originals.MESSAGE} Ask Ada.")
    proven = {**resolved, "resolution": f"The cache, see {head[:9]}."}
    mosaic.edit(BLOCKERS, blockers=[proven])
    mosaic.files("export")
    after = mosaic.judge(*asked)
    assert {name: one.verdict for name, one in after.items()} == dict.fromkeys(asked, PASS)
    assert after["blockers"].applicable
    mosaic.edit(BLOCKERS, blockers=[{**proven, "resolution": f"See {'ab' * 20}."}])
    assert mosaic.judge("blockers")["blockers"].verdict == FAIL


def test_work_without_a_word_in_the_state_is_minded(mosaic: Mosaic) -> None:
    mosaic.files("import")
    mosaic.begin()
    assert mosaic.ada is not None
    mosaic.files("export")
    land(mosaic.world, mosaic.ada, ".mosaic")
    base = mosaic.repo.git("rev-parse", "HEAD")
    mosaic.repo.write("src/a.py", "x = 1\n")
    land(mosaic.world, mosaic.ada, "src/a.py")
    told = mosaic.judge("state-fresh", base=base)["state-fresh"]
    assert [one.code for one in told.objections] == ["state_not_updated"]
    assert "src/a.py" in told.objections[0].message
    mosaic.edit(open_questions=["None."])
    mosaic.files("export")
    land(mosaic.world, mosaic.ada, ".mosaic")
    assert mosaic.judge("state-fresh", base=base)["state-fresh"].verdict == PASS


def test_the_link_leads_to_the_newest_days_file_and_older_ones_stay(mosaic: Mosaic) -> None:
    mosaic.files("import")
    mosaic.begin()
    with mosaic.world.open(mosaic.ada) as application:
        handoffs = Handoffs(application.context, application.packet_files)
        handoffs.offer(Offering(message="m" * 60, to_role="maker"))
        with application.store.read() as reader:
            name = f"SESSION_HANDOFF_{rfc3339(reader.now)[:10]}.md"
    assert mosaic.files("export")[LATEST].outcome == WRITTEN
    path = mosaic.world.path / LATEST
    assert os.readlink(path) == name
    assert "# Session handoff fix-002" in path.read_text()
    assert "January" not in path.read_text()
    old = mosaic.world.path / ".mosaic/SESSION_HANDOFF_2026-01-07.md"
    assert old.read_text() == "# Session of January 7\n"
    path.write_text(path.read_text() + "Not committed: src/new.py\n")
    assert mosaic.files("export")[LATEST].kept == 1
    assert path.read_text().endswith("Not committed: src/new.py\n")
    os.unlink(path)
    os.symlink("SESSION_HANDOFF_2026-01-19_PATHFINDER.md", path)
    assert mosaic.files("export")[LATEST].outcome == WRITTEN
    assert os.readlink(path) == name


def text_of(value: Any, **fields: Any) -> bytes:
    return (json.dumps({**value, **fields}, indent=2) + "\n").encode("utf-8")


def test_two_branches_that_both_changed_the_files_merge_without_a_conflict(mosaic: Mosaic) -> None:
    mosaic.files("import")
    mosaic.begin()
    mosaic.files("export")
    state, blockers = mosaic.state(), mosaic.state(BLOCKERS)
    other = {**originals.BLOCKER, "id": "B003"}
    log = (mosaic.world.path / LOG).read_bytes()
    mine, theirs = b'{"timestamp": "1"}\n', b'{"timestamp": "2"}\n'
    versions = {
        STATE: (
            text_of(state),
            text_of(state, open_questions=["Mine?"], last_commit="a" * 40),
            text_of(state, user_decisions={"D1": "yes"}, last_commit="b" * 40, next_agent="x"),
        ),
        BLOCKERS: (
            text_of(blockers),
            text_of(blockers, blockers=[*blockers["blockers"], other], updated_at="2026-01-08"),
            text_of(
                blockers,
                blockers=[{**originals.BLOCKER, "owner": "Bob"}, blockers["blockers"][1]],
                updated_at="2026-01-09",
            ),
        ),
        LOG: (log, log + mine, log + theirs),
    }
    found = {}
    for path, (base, ours, others) in versions.items():
        with mosaic.world.open(mosaic.ada) as application:
            merging = ProjectionMerging(application.context, merge_text)
            merged = merging.merge(path, base, ours, others)
        assert merged is not None
        assert merged.clean, merged.content
        found[path] = merged.content
        mosaic.repo.write(path, merged.content.decode("utf-8"))
    told = json.loads(found[STATE])
    assert (told["open_questions"], told["user_decisions"]) == (["Mine?"], {"D1": "yes"})
    assert told["last_commit"] == mosaic.repo.git("rev-parse", "HEAD")
    rows = json.loads(found[BLOCKERS])["blockers"]
    assert [(one["id"], one["owner"]) for one in rows] == [
        ("B001", "Bob"),
        ("B002", "user"),
        ("B003", "user"),
    ]
    assert found[LOG] == log + mine + theirs
    assert {mosaic.outcomes("export")[path] for path in versions} == {SAME}
