"""The gates around an offer and an acceptance, in real repositories: what refuses, what returns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.core.packet import ITEMS_MAX, pretty
from handrail.core.task import Packet, file_name
from handrail.errors import handoff as refusals
from handrail.gates.gate import BLOCK, CANNOT_TELL, FAIL, PASS, Objection, Outcome
from handrail.service.evidence_runs import EvidenceRuns
from handrail.service.gating import Gating, Tell
from handrail.service.handoff_gates import HandoffGates
from handrail.service.handoffs import Accepted, Handoffs, Offered, Offering
from handrail.service.judged import JudgedHandoffs
from handrail.service.packets import Packets
from handrail.service.tasks import Tasks
from handrail.wiring import Application
from tests.cli.world import World

ROLES: Final = """
[[role]]
name = "maker"
lane = ["src/**", "docs/**"]
[[role]]
name = "tester"
lane = ["**"]
"""
TOLD: Final = "The parser reads nested lists now; nothing is left, and the tests cover it."
EXPORTED: Final = ".handrail/handoffs/fix-001.json"
PLAN: Final = ".handrail/evidence/fix/plan.md"


class Told:
    """A rerun whose answer is fixed."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = outcomes
        self.asked: list[tuple[int, str]] = []

    def compare(self, packet: Packet, content: dict[str, Any], tell: Tell) -> Sequence[Outcome]:
        self.asked.append((packet.number, content["message"]))
        return self.outcomes


class Work:
    """Ada, a maker, acts for task ``fix`` and holds ``src``; Bob is a tester in the same tree."""

    def __init__(self, world: World) -> None:
        self.world, self.repo = world, world.repo
        self.more = ""
        self.configure()
        self.repo.write("src/a.py", "x = 1\n")
        self.repo.commit("begin", "handrail.toml", "src")
        world.session(id="ada", agent="agent-ada", role="maker")
        world.session(id="bob", agent="agent-bob", role="tester")
        with world.open("ada") as application:
            Tasks(application.context).open("fix", "Fix it")
            Handoffs(application.context, application.packet_files).accept("fix")
        world.claim("ada", "src")
        self.meanwhile: Callable[[], object] = lambda: None
        self.rerun: Told | None = None

    def configure(self, more: str = "") -> None:
        self.world.configure(ROLES + more)

    def gates(self, application: Application) -> HandoffGates:
        bench = application.bench(str(self.world.path))
        gating = Gating(application.context, bench, lambda: application.sources, self.rerun)
        check = gating.check

        def slow(*args: Any, **given: Any) -> Any:
            found = check(*args, **given)
            self.meanwhile()
            return found

        gating.check = slow  # type: ignore[method-assign]
        return HandoffGates(application.context, bench, gating, lambda line: None, "again")

    def _judged(self, application: Application) -> JudgedHandoffs:
        gates = self.gates(application)
        return JudgedHandoffs(application.context, application.packet_files, gates)

    def offer(self, packet: dict[str, Any] | None = None, **asked: Any) -> Offered:
        raw = json.dumps({"message": TOLD, **(packet or {})}).encode()
        asked = {"scope": ("src",), "to_role": "tester", "packet": raw, **asked}
        with self.world.open("ada") as application:
            return self._judged(application).offer(Offering(**asked))

    def accept(self, who: str = "bob", **given: Any) -> Accepted:
        with self.world.open(who) as application:
            return self._judged(application).accept("fix", **given)

    def state(self) -> tuple[int, str]:
        with self.world.open() as application, application.store.read() as reader:
            packet = reader.packets("fix")[-1]
            return packet.number, packet.state

    def export(self) -> Path:
        return self.world.path / ".handrail" / "handoffs" / file_name("fix", self.state()[0])

    def sound(self) -> None:
        self.world.sound()


@pytest.fixture
def work(world: World) -> Work:
    return Work(world)


def gates_of(error: errors.HandrailError) -> list[str]:
    gates: Any = error.values["gates"]
    return [one["gate"] for one in gates]


# --- offering ------------------------------------------------------------------------------------


def test_an_offer_fills_in_what_the_tool_knows(work: Work) -> None:
    base = work.repo.git("rev-parse", "HEAD")
    work.repo.write("src/a.py", "x = 2\n")
    work.repo.commit("two", "src")
    head = work.repo.git("rev-parse", "HEAD")
    done = work.offer(
        {"artifacts": {"produced": ["src/a.py", "src"]}, "metadata": {"findings": ["x"]}}
    )
    packet = json.loads(done.text)
    first, folder = packet["artifacts"]["produced"]
    assert (first["path"], first["commit"], len(first["sha256"])) == ("src/a.py", head, 64)
    assert folder == {"path": "src", "commit": head}
    metadata = packet["metadata"]
    assert (metadata["base"], metadata["head"]) == (base, head)
    assert "findings" not in metadata
    assert done.checked is not None
    assert done.checked.verdict == PASS
    work.sound()


def test_a_repeated_request_gives_the_first_outcome_whatever_the_gates_would_say(
    work: Work,
) -> None:
    first = work.offer(request_id="one")
    work.repo.write("src/left.py", "x\n")
    assert work.offer(request_id="one").packet == first.packet
    accepted = work.accept
    (work.world.path / "src/left.py").unlink()
    first_lease = accepted(request_id="two").lease
    work.repo.write("other.py", "x\n")
    assert accepted(request_id="two").lease == first_lease


@pytest.mark.parametrize(
    ("mode", "refused"), [("enforce", True), ("warn", False), ("shadow", False)]
)
def test_where_the_stage_refuses_nothing_the_packet_carries_what_was_found(
    work: Work, mode: str, *, refused: bool
) -> None:
    work.configure(f'[mode]\npre-handoff = "{mode}"\n')
    work.repo.commit("mode", "handrail.toml")
    work.repo.write("src/left.py", "x\n")
    if refused:
        with pytest.raises(refusals.GateFailed):
            work.offer()
        return
    metadata = json.loads(work.offer().text)["metadata"]
    assert [one["gate"] for one in metadata["findings"]] == ["committed"]


def _commit(work: Work) -> None:
    work.repo.git("commit", "--quiet", "--allow-empty", "-m", "meanwhile")


def _claim(work: Work) -> None:
    work.world.claim("ada", "docs")
    work.world.claim("bob", "other")


def _configure(work: Work) -> None:
    work.configure("[limits]\nttl = '2h'\n")
    work.repo.git("checkout", "--quiet", "handrail.toml")


def _leave(work: Work) -> None:
    work.repo.write("src/meanwhile.py", "x\n")


@pytest.mark.parametrize(
    ("meanwhile", "what"),
    [
        (_commit, "HEAD"),
        (_claim, "what this session holds"),
        (_configure, "the configuration"),
        (_leave, "the working tree"),
    ],
)
def test_what_changed_since_the_gates_looked_is_refused(
    work: Work, meanwhile: Callable[[Work], None], what: str
) -> None:
    gate = '[[gate]]\nid = "t"\nrun = ["true"]\nstages = ["pre-handoff", "post-handoff"]\n'
    work.configure(f'{gate}fresh_for = "never"\n')
    work.repo.commit("gate", "handrail.toml")
    work.meanwhile = lambda: meanwhile(work)
    with pytest.raises(refusals.FactsChanged) as refused:
        work.offer()
    assert (refused.value.values["what"], refused.value.next) == (what, "again")
    assert work.state() == (1, "accepted")
    work.meanwhile = lambda: None
    if meanwhile is _configure:
        work.configure(f'{gate}fresh_for = "never"\n')
    (work.world.path / "src/meanwhile.py").unlink(missing_ok=True)
    work.offer()
    if meanwhile is _claim:
        work.meanwhile = lambda: work.world.claim("bob", "third")
    else:
        work.meanwhile = lambda: meanwhile(work)
    with pytest.raises(refusals.FactsChanged) as refused:
        work.accept()
    assert refused.value.values["what"] == what
    assert work.state() == (2, "open")


def test_what_a_run_without_a_receipt_left_time_for_is_looked_at_again(work: Work) -> None:
    work.configure('[mode]\npost-handoff = "warn"\n')
    work.repo.commit("warn", "handrail.toml")
    work.offer()
    unsure = Outcome("evidence", CANNOT_TELL, BLOCK, reason="prepare ended with status 1")
    work.rerun = Told(unsure)
    work.meanwhile = lambda: _leave(work)
    with pytest.raises(refusals.FactsChanged) as refused:
        work.accept()
    assert refused.value.values["what"] == "the working tree"
    assert work.state() == (2, "open")


@pytest.mark.parametrize(
    ("arrange", "gate", "repair"),
    [
        (("remote add origin HUB", "push -q -u origin main", "remote remove origin"), "", ""),
        (("checkout --quiet --detach",), "", ""),
        (("remote add origin HUB",), "pushed", "git push -u origin main"),
        (("remote add origin HUB", "checkout -q -b topic"), "pushed", "git push -u origin topic"),
        (
            ("remote add origin HUB", "checkout -q --detach"),
            "pushed",
            "git switch -c NAME && git push -u origin NAME",
        ),
        (("update-ref MERGE_HEAD HEAD",), "committed", "git merge --continue"),
        (("update-ref CHERRY_PICK_HEAD HEAD",), "committed", "git cherry-pick --continue"),
    ],
)
def test_git_in_any_state_is_told_apart(
    work: Work, arrange: tuple[str, ...], gate: str, repair: str, tmp_path: Path
) -> None:
    hub = tmp_path / "hub"
    work.repo.git("init", "--quiet", "--bare", str(hub))
    for line in arrange:
        work.repo.git(*line.replace("HUB", str(hub)).split())
    if not gate:
        work.offer()
        return
    with pytest.raises(refusals.GateFailed) as refused:
        work.offer()
    assert (gates_of(refused.value), refused.value.next) == ([gate], repair)
    assert work.state() == (1, "accepted")


def test_a_shallow_clone_cannot_tell_what_was_pushed(work: Work, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    work.repo.git("init", "--quiet", "--bare", str(hub))
    work.repo.git("remote", "add", "origin", str(hub))
    head = work.repo.git("rev-parse", "HEAD")
    (work.world.path / ".git" / "shallow").write_text(f"{head}\n")
    with pytest.raises(refusals.GateUnsure) as refused:
        work.offer()
    assert gates_of(refused.value) == ["pushed"]
    assert refused.value.exit_status == errors.EXIT_UNAVAILABLE
    assert refused.value.next == "git fetch --unshallow"


def test_a_task_is_closed_on_what_the_gates_saw(work: Work) -> None:
    def close() -> str:
        with work.world.open("ada") as application:
            return Tasks(application.context, work.gates(application)).close("fix").task.state

    work.repo.write("src/left.py", "x\n")
    with pytest.raises(refusals.GateFailed):
        close()
    (work.world.path / "src/left.py").unlink()
    work.meanwhile = lambda: _commit(work)
    with pytest.raises(refusals.FactsChanged):
        close()
    work.meanwhile = lambda: None
    assert close() == "closed"


# --- accepting -----------------------------------------------------------------------------------


def test_a_file_that_is_lost_is_no_matter_and_an_edited_one_is(work: Work) -> None:
    work.offer()
    path = work.export()
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"nested", b"broken"))
    with pytest.raises(refusals.GateFailed) as refused:
        work.accept()
    assert (gates_of(refused.value), refused.value.next) == (["packet-intact"], "handrail export")
    path.unlink()
    done = work.accept()
    assert done.checked is not None
    told = {one.gate: one for one in done.checked.outcomes}["packet-intact"]
    assert (told.verdict, told.objections[0].code) == (PASS, "export_missing")


def test_a_tree_without_the_packets_commit_is_refused_and_can_be_brought_there(work: Work) -> None:
    work.repo.write("src/a.py", "x = 2\n")
    work.repo.commit("two", "src")
    work.offer()
    work.repo.git("reset", "--quiet", "--hard", "HEAD~1")
    with pytest.raises(refusals.GateFailed) as refused:
        work.accept()
    assert gates_of(refused.value) == ["tree-as-declared"]
    step = refused.value.next or ""
    assert step.startswith("git merge --ff-only ")
    work.repo.git(*step.split()[1:])
    assert work.accept().lease is not None


def test_a_commit_that_is_not_here_is_nobodys_failure(work: Work) -> None:
    work.repo.write("src/a.py", "x = 2\n")
    work.repo.commit("two", "src")
    head = work.repo.git("rev-parse", "HEAD")
    work.offer({"artifacts": {"produced": ["src/a.py"]}})
    work.repo.git("reset", "--quiet", "--hard", "HEAD~1")
    (work.world.path / ".git" / "objects" / head[:2] / head[2:]).unlink()
    with pytest.raises(refusals.GateUnsure) as refused:
        work.accept()
    assert refused.value.next == "git fetch --all"
    assert "commit-present" in gates_of(refused.value)
    assert work.state() == (2, "open")


def test_unfinished_work_must_be_declared_or_ones_own(work: Work) -> None:
    work.repo.write("src/left.py", "x\n")
    work.offer(kind="return")
    work.repo.write("other.py", "x\n")
    with pytest.raises(refusals.GateFailed) as refused:
        work.accept()
    assert "other.py" in refused.value.message
    assert "src/left.py" not in refused.value.message
    work.world.claim("bob", "other.py")
    work.accept()


def test_an_artifact_that_is_changed_after_the_offer_is_refused(work: Work) -> None:
    work.configure("[gates]\ncommitted = 'off'\ntree-as-declared = 'off'\n")
    work.repo.commit("gates", "handrail.toml")
    work.repo.write(PLAN, "the plan\n")
    work.offer({"artifacts": {"produced": [PLAN]}})
    work.repo.write(PLAN, "another plan\n")
    with pytest.raises(refusals.GateFailed) as refused:
        work.accept()
    assert gates_of(refused.value) == ["artifacts"]
    (work.world.path / PLAN).unlink()
    with pytest.raises(refusals.GateFailed) as refused:
        work.accept()
    assert "does not hold it" in refused.value.message
    work.repo.write(PLAN, "the plan\n")
    work.accept()


def test_a_link_is_no_file_of_the_evidence_folder(work: Work, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("secret")
    (work.world.path / PLAN).parent.mkdir(parents=True)
    (work.world.path / PLAN).symlink_to(tmp_path / "out")
    with pytest.raises(refusals.GateFailed) as refused:
        work.offer({"artifacts": {"produced": [PLAN]}}, kind="return")
    assert gates_of(refused.value) == ["references"]


def test_evidence_must_be_of_this_tree_where_work_is_complete(work: Work) -> None:
    with work.world.open("ada") as application:
        runs = EvidenceRuns(application.context, application.bench(str(work.world.path)))
        receipt = runs.run(("true",)).seq
        with application.store.read() as reader:
            epoch = reader.epoch
    packet = {"evidence": [{"receipt": receipt}, str(receipt), f"{epoch}:{receipt}"]}
    work.repo.write("src/a.py", "x = 2\n")
    work.repo.commit("two", "src")
    with pytest.raises(refusals.GateFailed) as refused:
        work.offer(packet)
    assert gates_of(refused.value) == ["evidence"]
    assert refused.value.next == "handrail evidence run -- true"
    work.offer(packet, kind="return")


def test_a_receipt_of_another_store_is_none_here(work: Work) -> None:
    with work.world.open("ada") as application:
        runs = EvidenceRuns(application.context, application.bench(str(work.world.path)))
        receipt = runs.run(("true",)).seq
    with pytest.raises(refusals.GateFailed) as refused:
        work.offer({"evidence": [f"receipt zzzzzzzz:{receipt}"]})
    assert gates_of(refused.value) == ["evidence"]


def test_no_list_of_evidence_pushes_out_what_the_gates_saw(work: Work) -> None:
    work.configure('[[gate]]\nid = "tests"\nstages = ["pre-handoff"]\nrun = ["true"]\n')
    work.repo.commit("a gate", "handrail.toml")
    with work.world.open("ada") as application:
        runs = EvidenceRuns(application.context, application.bench(str(work.world.path)))
        receipt = runs.run(("true",)).seq
    said = json.loads(work.offer({"evidence": [str(receipt)] * ITEMS_MAX}).text)["evidence"]
    assert len(said) == ITEMS_MAX
    assert [one["gate"] for one in said if isinstance(one, dict)] == ["tests"]


# --- evidence that is run again ------------------------------------------------------------------


def test_a_packet_whose_evidence_is_untrue_goes_back(work: Work) -> None:
    why = Objection("mismatch", "2 tests passed at the offer, and 1 passes here")
    work.rerun = Told(Outcome("evidence:tests", FAIL, BLOCK, (why,)))
    work.offer()
    with pytest.raises(refusals.HandoffReturned) as returned:
        work.accept()
    assert work.rerun.asked == [(2, TOLD)]
    assert "1 passes here" in returned.value.message
    assert work.state() == (2, "returned")
    assert work.world.holds("ada", "src/x")
    assert not work.world.holds("bob", "src/x")
    with work.world.open() as application, application.store.read() as reader:
        task = reader.task("fix")
        assert task is not None
        assert task.failed == 1
    work.sound()


@pytest.mark.parametrize("verdict", [FAIL, CANNOT_TELL])
def test_evidence_that_only_advises_is_told_and_holds_nobody_up(work: Work, verdict: str) -> None:
    work.configure('[gates]\nevidence = "advise"\n')
    work.repo.commit("advise", "handrail.toml")
    why = Objection("mismatch", "2 tests passed at the offer, and 1 passes here")
    work.rerun = Told(Outcome("evidence", verdict, BLOCK, (why,), reason="the disk is full"))
    work.offer()
    done = work.accept()
    assert done.lease is not None
    assert done.checked is not None
    assert [one.level for one in done.checked.outcomes if one.gate == "evidence"] == ["advise"]
    assert work.state() == (2, "accepted")


def test_evidence_of_which_nobody_can_tell_waits_for_the_receiver(work: Work) -> None:
    unsure = Outcome("evidence", CANNOT_TELL, BLOCK, reason="prepare ended with status 1")
    work.rerun = Told(unsure)
    work.offer()
    with pytest.raises(refusals.GateUnsure):
        work.accept()
    assert work.state() == (2, "open")
    work.rerun = Told(unsure._replace(waiver=9))
    assert work.accept().lease is not None


# --- packets that make no sense ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packet", "error", "value"),
    [
        ({"trigger": "nope"}, refusals.MalformedPacket, "nope"),
        ({"trigger": "spoken"}, None, ""),
        ({"trigger": ["spoken"]}, refusals.MalformedPacket, "spoken"),
        ({"to_role": "teste"}, errors.UnknownRole, "tester"),
        ({"context": {"files_in_scope": ["/etc"]}}, refusals.MalformedPacket, "/etc"),
        ({"artifacts": {"produced": ["../../x"]}}, refusals.MalformedPacket, "../../x"),
        ({"artifacts": {"produced": [{"path": "src/gone"}]}}, refusals.GateFailed, "src/gone"),
        ({"evidence": ["it works"]}, refusals.GateFailed, "no receipt is named"),
        ({"evidence": [{"receipt": 10**12}]}, refusals.GateFailed, "1000000000000"),
        ({"evidence": [{"receipt": True}]}, refusals.GateFailed, "no receipt is named"),
    ],
)
def test_a_packet_that_makes_no_sense_is_refused_by_its_value(
    work: Work, packet: dict[str, Any], error: type[errors.HandrailError] | None, value: str
) -> None:
    event = '{ event = "blocked", rule = "words" }'
    trigger = f'[[trigger]]\nid = "spoken"\nfrom = "maker"\nto = "tester"\nwhen = {event}\n'
    work.configure(trigger)
    work.repo.commit("trigger", "handrail.toml")
    asked = {"scope": (), "to_role": None} if "to_role" in packet or "context" in packet else {}
    if error is None:
        assert json.loads(work.offer(packet, **asked).text)["trigger"] == "spoken"
        return
    with pytest.raises(error) as refused:
        work.offer(packet, **asked)
    assert value in refused.value.message
    assert refused.value.next
    assert work.state() == (1, "accepted")
    work.sound()


# --- hostile words -------------------------------------------------------------------------------


def test_hostile_words_in_a_packet_stay_words(work: Work) -> None:
    evil = "\x1b[2J\u202e`rm -rf $HOME/x/y.z` [a](../../../../etc/passwd) \n" + "x" * 60
    reading = "docs/$(touch owned) 'x'\".md"
    with pytest.raises(refusals.GateFailed) as refused:
        work.offer({"message": evil, "context": {"required_reading": [reading]}})
    assert refused.value.message.isprintable()
    assert refused.value.next is not None
    assert "'\"'\"'" in refused.value.next
    work.repo.write(reading, "x\n")
    work.repo.commit("reading", "docs")
    work.offer({"message": evil, "context": {"required_reading": [reading]}})
    work.accept()


def test_what_is_shown_is_the_ledgers(work: Work) -> None:
    done = work.offer()
    assert work.export().read_bytes() == pretty(done.text)
    with work.world.open() as application:
        assert Packets(application.context, application.packet_files).export() == (2, (EXPORTED,))
