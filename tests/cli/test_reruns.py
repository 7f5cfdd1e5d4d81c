"""Evidence run again at ``handoff accept``: equal, different, and what nobody can tell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.core.events import KIND_OF
from handrail.core.handed import PacketReturned, StageJudged
from handrail.core.ledger import read_event
from handrail.core.receipts import EvidenceContradicted, EvidenceRecorded
from handrail.errors.handoff import FactsChanged, GateFailed, GateUnsure, HandoffReturned
from handrail.facts import reruns
from handrail.service.evidence_runs import EvidenceRuns, Receipt
from handrail.service.handoffs import Accepted, Handoffs, Offered, Offering
from handrail.service.tasks import Tasks
from tests.cli.world import World, eventually, handing_over, refusal

ROLES: Final = (
    '\n[[role]]\nname = "worker"\nlane = ["**"]\n\n[[role]]\nname = "checker"\nlane = ["**"]\n'
)
# What the trees look like is another gate's.
GATE: Final = (
    '\n[gates]\ntree-as-declared = "off"\n'
    '\n[[gate]]\nid = "tests"\nstages = ["pre-handoff"]\nrun = {run}\n{more}\n'
)
TAP: Final = """import sys, pathlib
sys.path.insert(0, "src")
import calc
tests = {"adds": calc.add(1, 2) == 3, "is exact": calc.add(0, 0) == 0}
lines = [f"{'ok' if good else 'not ok'} - {name}" for name, good in tests.items()]
pathlib.Path("report.tap").write_text("\\n".join(["TAP version 13", "1..2", *lines, ""]))
print("\\n".join(lines))
sys.exit(not all(tests.values()))
"""


@pytest.fixture(autouse=True)
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let the trees lie where the test can look; in the end none is there."""
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


class Scene:
    """A task that a worker has and hands to a checker."""

    def __init__(self, world: World, *run: str, more: str = "") -> None:
        self.world = world
        world.configure(ROLES + GATE.format(run=json.dumps(run), more=more))
        world.repo.write(".gitignore", "/.venv\n/deps/\n/report.*\n__pycache__/\n")
        world.repo.commit("begun")
        self.worker, self.checker = world.session(role="worker"), world.session(role="checker")
        with world.open(self.worker) as app:
            Tasks(app.context).open("t", to_role="worker")
            Handoffs(app.context, app.packet_files).accept("t")

    def shows(self) -> Receipt:
        """Run the gate as the giver."""
        with self.world.open(self.worker) as app:
            return EvidenceRuns(app.context, app.bench(str(self.world.path))).run((), "tests")

    def offers(self, evidence: tuple[object, ...] = (), scope: tuple[str, ...] = ()) -> None:
        packet = json.dumps({"evidence": list(evidence), "message": "done"}).encode()
        with self.world.open(self.worker) as app:
            asked = Offering(packet=packet, task="t", to_role="checker", scope=scope)
            Handoffs(app.context, app.packet_files).offer(asked)

    def accepts(self, told: list[str] | None = None) -> Accepted:
        lines = [] if told is None else told
        with self.world.open(self.checker) as app:
            return handing_over(app, self.world.path, lines.append).accept("t")

    def unsure(self) -> str:
        """Accept where nobody can tell; returns why. The packet still waits."""
        with pytest.raises(GateUnsure) as found:
            self.accepts()
        assert self.packet().state == "open"
        return str(found.value.values["findings"]).removeprefix("evidence: ")

    def returned(self) -> str:
        """Accept where a difference is found; returns it. The packet went back."""
        with pytest.raises(HandoffReturned) as found:
            self.accepts()
        assert found.value.values["gates"] == ["evidence"]
        event = self.events(PacketReturned)[-1]
        assert (event.gates, event.session) == (("evidence",), self.checker)
        assert (self.packet().state, self.packet().note) == ("returned", event.reason)
        with self.world.open() as app, app.store.read() as reader:
            task = reader.task("t")
            assert task is not None
            assert (task.holder, task.failed) == (self.worker, 1)
        assert event.reason == found.value.values["findings"]
        return str(event.reason).removeprefix("evidence: ")

    def offers_judged(self, evidence: tuple[object, ...] = ()) -> Offered:
        """Offer behind all gates, as the command does."""
        packet = json.dumps({"evidence": list(evidence), "message": "done"}).encode()
        with self.world.open(self.worker) as app:
            asked = Offering(packet=packet, task="t", to_role="checker")
            return handing_over(app, self.world.path).offer(asked)

    def packet(self, number: int = 2) -> Any:
        with self.world.open() as app, app.store.read() as reader:
            return reader.packet("t", number)

    def events(self, kind: type) -> list[Any]:
        with self.world.open() as app, app.store.read() as reader:
            return [e for e in map(read_event, reader.entries()) if isinstance(e, kind)]

    def reruns(self) -> list[EvidenceRecorded]:
        found = self.events(EvidenceRecorded)
        return [one for one in found if one.about.startswith("rerun:")]


def commits(world: World, **files: str) -> str:
    for name, text in files.items():
        world.repo.write(name.replace("__", "/"), text)
    return world.repo.commit("work")


# --- a project with a .venv ----------------------------------------------------------------------


@pytest.fixture
def project(world: World) -> Scene:
    """A project whose tests need its own environment, with an editable install in it."""
    run = (".venv/bin/python", "tests.py")
    more = 'link = [".venv"]\nreport = "report.tap"\nprepare = [["true"]]'
    scene = Scene(world, *run, more=more)
    venv = world.path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    commits(world, **{"tests.py": TAP, "src__calc.py": "def add(a, b):\n    return a + b\n"})
    return scene


def test_a_fix_that_breaks_nothing_is_accepted_in_a_project_with_its_own_environment(
    project: Scene,
) -> None:
    commit = commits(project.world, **{"src__calc.py": "def add(a, b):\n    return b + a\n"})
    project.shows()
    project.offers()
    # The receiver's own tree stands elsewhere by then.
    commits(project.world, **{"src__calc.py": "def add(a, b):\n    return 7\n"})
    told: list[str] = []
    assert project.accepts(told).task.holder == project.checker
    (again,) = project.reruns()
    assert (again.exit_status, again.tests_passed, again.commit) == (0, 2, commit)
    assert told[0].startswith(f"evidence: tests again at {commit[:12]}: .venv/bin/python")
    assert told[-1] == "evidence: tests: pass"
    assert (project.world.path / ".venv/bin/python").exists()


def test_a_false_success_goes_back_with_the_difference(project: Scene) -> None:
    # What made it pass is in the giver's working tree and in no commit.
    broken = "import os\ndef add(a, b):\n    return a + b + (not os.path.exists('deps'))\n"
    commits(project.world, **{"src__calc.py": broken})
    project.world.repo.write("deps/local", "x\n")
    assert project.shows().event.exit_status == 0
    project.offers()
    reason = project.returned()
    assert "says exit 0, the re-run" in reason
    assert "with 2 and 0 tests passed; not passed: adds, is exact" in reason
    assert "it printed: not ok - adds / not ok - is exact" in reason


def test_code_from_another_state_of_the_working_tree_is_no_answer(project: Scene) -> None:
    told = {"url": (project.world.path / "src").as_uri(), "dir_info": {"editable": True}}
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = f".venv/lib/{version}/site-packages/calc-1.dist-info"
    project.world.repo.write(f"{packages}/direct_url.json", json.dumps(told))
    project.shows()
    project.offers()
    project.world.repo.write("src/calc.py", "def add(a, b):\n    return 7\n")
    for _ in range(2):  # what nobody could tell is no answer the next time either
        assert "a shared input takes code from" in project.unsure()
    project.world.repo.git("checkout", "-q", "src/calc.py")
    assert project.accepts().packet is not None


# --- what is compared ----------------------------------------------------------------------------


def script(world: World, *lines: str) -> str:
    return commits(world, **{"t.sh": "\n".join((*lines, ""))})


def tap(*names: str) -> str:
    lines = "\\n".join(["TAP version 13", *(f"ok - {name}" for name in names)])
    return f"printf '{lines}\\n' > report.tap"


def test_the_same_number_of_other_tests_is_a_difference(world: World) -> None:
    scene = Scene(world, "sh", "t.sh", more='report = "report.tap"')
    script(world, f"if test -e deps; then {tap('a', 'b')}; else {tap('a', 'c')}; fi")
    world.repo.write("deps/x", "")
    scene.shows()
    scene.offers()
    assert "says 2 tests passed, the re-run" in (reason := scene.returned())
    assert reason.endswith("says 2, and they are not the same ones")


def test_the_same_failure_is_equal_and_other_output_is(world: World) -> None:
    scene = Scene(world, "sh", "t.sh")
    script(world, "date +%N; echo $$; exit 3")
    assert scene.shows().event.exit_status == 3
    scene.offers()
    assert scene.accepts().packet is not None
    assert [one.exit_status for one in scene.reruns()] == [3]


def test_nothing_is_run_where_nothing_was_shown(world: World) -> None:
    scene = Scene(world, "sh", "t.sh")
    script(world, "exit 1")
    scene.offers()
    assert scene.accepts().packet is not None
    assert scene.reruns() == []


def test_what_the_receiver_tried_meanwhile_is_not_what_the_giver_showed(world: World) -> None:
    scene = Scene(world, "sh", "t.sh")
    script(world, "test -e deps")
    world.repo.write("deps/x", "")
    scene.shows()
    scene.offers()
    (world.path / "deps/x").unlink()
    (world.path / "deps").rmdir()
    assert scene.shows().event.exit_status == 1  # as the re-run will end, too
    assert "says exit 0" in scene.returned()


@pytest.mark.parametrize("form", ["{}", "receipt {}", {"receipt": "{}"}])
def test_evidence_of_another_commit_is_untrue(world: World, form: Any) -> None:
    scene = Scene(world, "sh", "t.sh")
    old = script(world, "exit 0")
    seq = scene.shows().seq
    new = script(world, "exit 0 # other")
    named = {"receipt": seq} if isinstance(form, dict) else form.format(seq)
    scene.offers((named, "looks good to me", {"x": 1}))
    said = f"receipt {seq} of tests is of commit {old[:12]}, not of the packet's {new[:12]}"
    assert scene.returned() == said
    assert scene.reruns() == []


def test_a_receipt_that_a_re_run_contradicted_answers_for_nothing_until_it_is_made_anew(
    world: World,
) -> None:
    scene = Scene(world, "sh", "t.sh")
    script(world, "test -e deps")
    world.repo.write("deps/x", "")
    seq = scene.shows().seq
    scene.offers()
    scene.returned()
    (said,) = scene.events(EvidenceContradicted)
    assert (said.gate, said.receipt, said.rerun) == ("tests", seq, seq + 2)
    (world.path / "deps/x").unlink()
    (world.path / "deps").rmdir()
    with pytest.raises(GateFailed, match="tests: sh ended with status 1"):
        scene.offers_judged()
    world.repo.write("deps/x", "")
    with pytest.raises(GateFailed, match=f"receipt {seq} came out otherwise when it was run again"):
        scene.offers_judged((str(seq),))
    assert scene.packet(3) is None
    anew = scene.shows().seq
    done = scene.offers_judged().checked
    assert done is not None
    told = {one.gate: (one.receipt, one.reused) for one in done.outcomes}["tests"]
    assert told == (anew, True), "it was run anew since, so it answers again"


# --- what nobody can tell ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "more", "reason"),
    [
        (["exit 0"], 'link = ["deps"]', "deps could not be read: it is not in this working tree"),
        (["exit 0"], 'prepare = [["true"], ["false"]]', "false ended with status 1"),
        (["exit 0"], 'prepare = [["./nothing"]]', "./nothing No such file or directory"),
        (["test -e deps || exec sleep 60"], 'timeout = "1s"', "sh t.sh timed out"),
        (["test -e deps || kill -9 $$"], "", "sh t.sh was ended by signal 9"),
        (["test -e deps || nothing-here"], "", "a command was not found (exit 127)"),
        (["test -e deps || touch dirt"], "", "the command changed the working tree"),
        (["ls deps >&2 || exit 2"], "", "deps is not in the commit and not shared (link)"),
        ([f"test -e deps && {tap('a')}; true"], 'report = "report.tap"', "was not written"),
    ],
)
def test_what_cannot_be_told_waits_for_the_receiver(
    world: World, lines: list[str], more: str, reason: str
) -> None:
    scene = Scene(world, "sh", "t.sh", more=more)
    script(world, *lines)
    world.repo.write("deps/x", "")
    assert scene.shows().event.exit_status == 0
    scene.offers()
    (world.path / "deps/x").unlink()
    (world.path / "deps").rmdir()
    if "ls deps" in lines[0]:
        world.repo.write("deps/x", "")
    assert reason in scene.unsure()


def test_a_program_that_is_not_shared_cannot_be_told(world: World) -> None:
    scene = Scene(world, "deps/run")
    world.repo.write("deps/run", "#!/bin/sh\n").chmod(0o755)
    scene.shows()
    scene.offers()
    reason = scene.unsure()
    assert "deps/run could not be started: No such file" in reason
    assert reason.endswith("; deps is not in the commit and not shared (link)")


def test_a_gate_that_was_changed_since_is_another_question(world: World) -> None:
    scene = Scene(world, "sh", "t.sh")
    script(world, "exit 0")
    seq = scene.shows().seq
    world.configure(ROLES + GATE.format(run='["true"]', more=""))
    scene.offers((str(seq),))
    assert scene.unsure() == f"gate tests was changed after receipt {seq}"


# --- as it is typed ------------------------------------------------------------------------------


def test_an_equal_re_run_is_not_repeated_and_says_so(world: World) -> None:
    scene = Scene(world, "sh", "t.sh")
    script(world, "exit 0")
    scene.shows()
    scene.offers()
    scene.accepts()
    with world.open(scene.checker) as app:
        back = Offering(task="t", to_role="worker", message="yours again")
        Handoffs(app.context, app.packet_files).offer(back)
    with world.open(scene.worker) as app:
        handing_over(app, world.path).accept("t")
    scene.offers()
    told: list[str] = []
    scene.accepts(told)
    assert told == ["evidence: tests: pass (run before)"]
    assert len(scene.reruns()) == 1


def test_a_secret_of_the_environment_reaches_no_receipt_and_no_refusal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "quite-plain-words")
    more = 'env = { API_KEY = "other-plain-words" }\n'
    more += 'prepare = [["sh", "-c", "echo $DEPLOY_TOKEN $API_KEY; exit 1"]]'
    scene = Scene(world, "sh", "-c", "echo $API_KEY; echo $0", "quite-plain-words", more=more)
    scene.shows()
    scene.offers()
    assert "[redacted]" in (reason := scene.unsure())
    receipts = scene.events(EvidenceRecorded)
    assert receipts[0].argv[-1] == "[redacted]"
    assert receipts[0].output_tail == "[redacted]\n[redacted]\n"
    for secret in ("quite-plain-words", "other-plain-words"):
        assert secret not in repr(receipts) + reason


def test_accept_says_at_once_what_runs_and_refuses_with_the_gate(world: World) -> None:
    scene = Scene(world, "sh", "t.sh")
    script(world, "test -e deps")
    world.repo.write("deps/x", "")
    scene.shows()
    world.claim(scene.worker, "src")
    scene.offers(scope=("src",))
    assert not world.holds(scene.worker, "src/a")
    person = world.shell(HANDRAIL_SESSION=scene.checker)
    done = person.handrail("handoff", "accept", "-q")
    found = refusal(done)
    assert (found.code, found.next, found.status) == (
        "handoff_returned",
        "handrail task show t",
        1,
    )
    assert scene.packet().state == "returned"
    assert world.holds(scene.worker, "src/a")
    with world.open() as app, app.store.read() as reader:
        last, verdict = reader.newest(2)
    assert json.loads(last.header)["kind"] == KIND_OF[PacketReturned]
    judged = read_event(verdict)
    assert isinstance(judged, StageJudged)
    assert (judged.stage, judged.verdict, judged.for_task) == ("post-handoff", "fail", "t")
    assert [gate.partition(":")[0] for gate in judged.gates] == ["evidence"]


@pytest.mark.parametrize("differs", [False, True])
def test_what_was_tried_is_the_packet_that_is_answered(world: World, *, differs: bool) -> None:
    scene = Scene(world, "sh", "t.sh")
    script(world, "test -e deps" if differs else "exit 0")
    world.repo.write("deps/x", "")
    scene.shows()
    scene.offers()

    class Meanwhile(list[str]):
        """Whoever hears that something runs: another packet takes the place of the first."""

        def append(self, line: str) -> None:
            if not self:
                with world.open(scene.worker) as app:
                    Handoffs(app.context, app.packet_files).withdraw("t")
                scene.offers()
            super().append(line)

    with pytest.raises(FactsChanged, match="the packet that waits changed"):
        scene.accepts(Meanwhile())
    with world.open() as app, app.store.read() as reader:
        assert [packet.state for packet in reader.packets("t")] == ["accepted", "withdrawn", "open"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_accept_that_is_stopped_leaves_nothing_after_the_next_one(
    world: World, private: Path, number: int
) -> None:
    scene = Scene(world, "sh", "t.sh")
    script(world, "test -e go || { touch report.x; while test -e t.sh; do sleep 0.05; done; }")
    world.repo.write("go", "")
    world.repo.commit("go", "go")
    commit = world.repo.git("rev-parse", "HEAD^")
    world.repo.git("checkout", "-q", commit)
    world.repo.write(".git/info/exclude", "go\n")
    world.repo.write("go", "")
    scene.shows()
    scene.offers()
    world.repo.write("mine", "my work\n")
    before = {
        name: os.stat(world.path / name).st_mtime_ns for name in ("mine", "t.sh", ".git/index")
    }
    person = world.shell(HANDRAIL_SESSION=scene.checker)
    with person.handrail_starts("handoff", "accept") as process:
        assert process.stderr is not None
        assert "evidence: tests again at" in process.stderr.readline()
        assert eventually(lambda: list(private.glob("handrail-rerun-*/handrail-rerun-*/report.x")))
        process.send_signal(number)
        process.communicate(timeout=30)
    assert (process.returncode == 130) == (number == signal.SIGINT)
    assert scene.packet().state == "open"
    left = list(private.iterdir())
    assert (left == []) == (number == signal.SIGINT)
    with reruns.temporary_tree(app_place(world), commit):
        assert all(not path.exists() for path in left)
    assert {name: os.stat(world.path / name).st_mtime_ns for name in before} == before
    assert world.repo.git("worktree", "list", "--porcelain").count("worktree ") == 1


def app_place(world: World) -> Any:
    with world.open() as app:
        return app.place
