"""Handing over in real repositories: where the scope goes, who is refused, what lands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.core.landing import PASS, REFUSED
from handrail.core.ledger import verify
from handrail.errors import handoff as refusals
from handrail.service.handoffs import Accepted, Handoffs, Offered, Offering
from handrail.service.health import verify_store
from handrail.service.packets import Packets
from handrail.service.sessions import Sessions
from handrail.service.tasks import Tasks
from handrail.service.verification import Verification
from tests.cli.world import World
from tests.service.guarding import land, run_out

ROLES: Final = """
[limits]
lapse_after = "1h"
[handoff]
halt_after = 2
[[role]]
name = "maker"
lane = ["src/**", "docs"]
[[role]]
name = "tester"
family = "reviewer"
lane = ["tests", "docs"]
[[role]]
name = "auditor"
family = "reviewer"
lane = ["**"]
sandbox = "read-only"
"""


class Work:
    """A task, a giver that holds ``src/api`` and ``src/web``, a receiver."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ada = world.session(id="ada", agent="agent-ada")
        self.bob = world.session(id="bob", agent="agent-bob")
        self.tasks(None, lambda tasks: tasks.open("fix", "Fix it"))
        self.accept(self.ada)
        self.token = world.claim(self.ada, "src/api", "src/web").token

    def tasks(self, who: str | None, ask: Callable[[Tasks], Any], *, terminal: bool = False) -> Any:
        with self.world.open(who, terminal=terminal) as application:
            return ask(Tasks(application.context))

    def handoffs(self, who: str, ask: Callable[[Handoffs], Any]) -> Any:
        with self.world.open(who) as application:
            return ask(Handoffs(application.context, application.packet_files))

    def offer(self, who: str, *scope: str, **asked: Any) -> Offered:
        done = self.handoffs(who, lambda it: it.offer(Offering(scope=scope, **asked)))
        assert isinstance(done, Offered)
        return done

    def accept(self, who: str, target: str | None = None, **given: Any) -> Accepted:
        done = self.handoffs(who, lambda it: it.accept(target, **given))
        assert isinstance(done, Accepted)
        return done

    def decline(self, who: str, **given: Any) -> Any:
        return self.handoffs(who, lambda it: it.decline(**given))

    def withdraw(self, who: str, target: str | None = None) -> Any:
        return self.handoffs(who, lambda it: it.withdraw(target))

    def end(self, who: str) -> None:
        with self.world.open(who) as application:
            Sessions(application.context).end()

    def packets(self) -> Packets:
        with self.world.open() as application:
            return Packets(application.context, application.packet_files)

    def lapse(self) -> None:
        """Let the reservation and the packet reach their end."""
        run_out(self.world, "task:fix")
        with self.world.open() as application, application.store.transaction() as tx:
            packet = tx.packets("fix")[-1]
            tx._tables.put_packet(packet._replace(lapses_at=tx.now))
            tx._touched = True
            tx.commit([], _nobody())

    def state(self) -> str:
        with self.world.open() as application, application.store.read() as reader:
            return reader.packets("fix")[-1].state

    def sound(self) -> None:
        """Check the ledger, and the tables against it."""
        with self.world.open() as application:
            store = application.store
            assert verify_store(store, store.integrity()).differences == ()
            with store.read() as reader:
                assert verify(reader.entries()).problem is None


def _nobody() -> Any:
    from handrail.core.lease import Actor

    return Actor()


@pytest.fixture
def work(world: World) -> Work:
    return Work(world)


def holds(work: Work, who: str, *paths: str) -> list[bool]:
    return [work.world.holds(who, path) for path in paths]


# --- where the scope goes ------------------------------------------------------------------------


def test_from_the_offer_on_nobody_may_write_and_after_the_acceptance_the_receiver(
    work: Work,
) -> None:
    done = work.offer("ada", "src/api", message="done")
    assert (done.packet.number, done.packet.returns) == (2, ("src/api",))
    assert holds(work, "ada", "src/api/x", "src/web/x") == [False, True]
    for who in ("ada", "bob"):
        with pytest.raises(errors.ScopeHeld, match="reserved for task:fix") as refused:
            work.world.claim(who, "src/api/x")
        assert refused.value.next == "handrail task show fix"
    accepted = work.accept("bob")
    assert accepted.lease is not None
    assert accepted.lease.agent == "agent-bob"
    assert holds(work, "bob", "src/api/x", "src/web/x") == [True, False]
    assert holds(work, "ada", "src/api/x", "src/web/x") == [False, True]
    work.sound()


@pytest.mark.parametrize("how", ["decline", "withdraw", "lapse"])
def test_what_nobody_took_goes_back_to_the_giver_under_a_new_token(work: Work, how: str) -> None:
    work.offer("ada", "src/api", "docs")
    if how == "decline":
        work.decline("bob", reason="red")
    elif how == "withdraw":
        work.withdraw("ada")
    else:
        work.lapse()
        with pytest.raises(errors.ScopeHeld) as refused:
            work.world.claim("bob", "src/api/x")
        assert refused.value.values["holder"] == "agent-ada"
        assert work.state() == "lapsed"
    # What the giver had not held before is free after a lapse.
    assert holds(work, "ada", "src/api/x", "docs/x") == [True, how != "lapse"]
    with work.world.open("ada") as application, application.store.read() as reader:
        leases = [lease for lease in reader.leases("ada") if "src/api" in lease.scope]
        assert [lease.agent for lease in leases] == ["agent-ada"]
        assert leases[0].token > int(work.token.partition(":")[2])
    with pytest.raises(refusals.NoHandoff):
        work.accept("bob", "fix")
    if how != "lapse":
        work.sound()


def test_where_the_giver_is_gone_its_role_takes_the_task_up(work: Work) -> None:
    work.offer("ada", "src/api")
    work.end("ada")
    work.decline("bob")
    with pytest.raises(errors.ScopeHeld):
        work.world.claim("bob", "src/api")
    with pytest.raises(refusals.NoHandoff):
        work.decline("bob")
    eve = work.world.session(id="eve", agent="agent-eve")
    done = work.accept(eve, "fix")
    assert done.packet is None
    assert done.lease is not None
    assert (done.lease.scope, done.task.holder) == (("src/api",), "eve")
    work.sound()


def test_only_a_part_of_a_pattern_cannot_be_given_away(work: Work) -> None:
    with pytest.raises(refusals.ScopeCut) as refused:
        work.offer("ada", "src/api/deep")
    assert refused.value.values["token"] == work.token
    assert holds(work, "ada", "src/api/x") == [True]
    work.world.claim("bob", "docs")
    with pytest.raises(errors.ScopeHeld):
        work.offer("ada", "src/api", "docs/x.md")
    assert work.world.holds("ada", "src/api/x")


def test_a_part_can_be_taken_and_no_more(work: Work) -> None:
    work.offer("ada", "src/api", "src/web")
    with pytest.raises(errors.MalformedScope):
        work.accept("bob", narrow=("docs",))
    done = work.accept("bob", narrow=("src/api/x.py",))
    assert done.lease is not None
    assert done.lease.scope == ("src/api/x.py",)
    assert done.free == ("src/api", "src/web")
    work.world.claim("ada", "src/web")


def test_closing_a_task_frees_what_it_holds(work: Work) -> None:
    work.offer("ada", "src/api")
    work.tasks("ada", lambda tasks: tasks.close())
    assert work.state() == "withdrawn"
    work.world.claim("bob", "src/api")
    for ask in (lambda: work.offer("ada", task="fix"), lambda: work.accept("bob", "fix")):
        with pytest.raises(refusals.TaskOver):
            ask()
    with pytest.raises(refusals.TaskExists):
        work.tasks(None, lambda tasks: tasks.open("fix"))
    work.sound()


# --- roles ---------------------------------------------------------------------------------------


def test_a_packet_is_for_a_role_or_family_and_its_scope_stays_in_lanes(world: World) -> None:
    world.configure(ROLES)
    ada = world.session(id="ada", role="maker")
    bob = world.session(id="bob", role="tester")
    eve = world.session(id="eve", role="auditor")
    work = Work.__new__(Work)
    work.world = world
    work.tasks(None, lambda tasks: tasks.open("fix"))
    work.accept(ada)
    world.claim(ada, "src/api", "docs")
    with pytest.raises(errors.Usage):
        work.offer(ada, "src/api")
    with pytest.raises(errors.UnknownRole):
        work.offer(ada, "src/api", to_role="reviwer")
    work.offer(ada, "src/api", "docs", to_role="tester")
    with pytest.raises(refusals.NotYourHandoff):
        work.accept(eve, "fix")
    done = work.accept(bob)
    assert done.lease is not None
    assert (done.lease.scope, done.free) == (("docs",), ("src/api",))
    assert world.claim(ada, "src/api").scope == ("src/api",)
    with pytest.raises(refusals.HandedOff):
        work.offer(ada, task="fix", to_role="reviewer")
    work.offer(bob, "docs", to_role="reviewer")
    read = work.accept(eve)
    assert read.lease is None
    for who in (ada, bob):
        with pytest.raises(errors.ScopeHeld):
            world.claim(who, "docs")
    # What a reader was handed goes on with the packet that it offers.
    returned = work.offer(eve, "docs", kind="return")
    assert (returned.packet.to_role, returned.packet.returns) == ("tester", ("docs",))
    assert work.accept(bob).lease is not None
    work.offer(bob, "docs", to_role="auditor")
    work.decline(eve)
    with pytest.raises(refusals.Halted):
        work.offer(bob, to_role="auditor")
    work.tasks(None, lambda tasks: tasks.close("fix"), terminal=True)
    work.sound()


# --- numbers, retries, files ---------------------------------------------------------------------


def test_numbers_go_on_whatever_files_are_deleted_and_files_are_rebuilt_byte_for_byte(
    work: Work,
) -> None:
    folder: Path = work.world.path / ".handrail" / "handoffs"
    for number in (2, 3, 4):
        assert work.offer("ada", "src/api", message="é \x1b[2J").packet.number == number
        work.withdraw("ada")
        (folder / f"fix-{number:03d}.json").rename(folder / f"kept-{number}")
    assert work.offer("ada").packet.number == 5
    with work.world.open() as application:
        packets = Packets(application.context, application.packet_files)
        assert packets.export()[0] == 5
        assert packets.export() == (5, ())
    for number in (2, 3, 4):
        again = (folder / f"fix-{number:03d}.json").read_bytes()
        assert again == (folder / f"kept-{number}").read_bytes()
        assert json.loads(again)["message"] == "é \x1b[2J"
    assert work.world.repo.git("status", "--short") == ""


def test_repeating_a_request_gives_the_first_outcome(work: Work) -> None:
    first = work.offer("ada", "src/api", message="m", request_id="o-1")
    assert work.offer("ada", "src/api", message="m", request_id="o-1")[:3] == first[:3]
    with pytest.raises(errors.Usage):
        work.offer("ada", "src/web", message="m", request_id="o-1")
    accepted = work.accept("bob", request_id="a-1")
    assert work.accept("bob", request_id="a-1") == accepted
    assert work.offer("ada", "src/api", message="m", request_id="o-1").packet.number == 2


def test_whoever_accepted_and_accepts_again_is_led_to_the_packet(work: Work) -> None:
    with pytest.raises(refusals.NoHandoff, match="ada acts for task fix already") as refused:
        work.handoffs("ada", lambda handoffs: handoffs.accept())
    assert refused.value.next == "handrail handoff briefing fix"


def test_a_task_begins_at_the_commit_at_which_a_shallow_clone_ends(work: Work) -> None:
    repo = work.world.repo
    repo.write("note", "1")
    repo.commit("Another", "note")
    head, parent = (repo.git("rev-parse", name).strip() for name in ("HEAD", "HEAD~1"))
    (repo.path / ".git/shallow").write_text(f"{head}\n", encoding="ascii")
    (repo.path / ".git/objects" / parent[:2] / parent[2:]).unlink()
    assert work.tasks("bob", lambda tasks: tasks.open("next")).task.id == "next"


def test_a_dry_run_changes_nothing(work: Work) -> None:
    with work.world.open("ada") as application:
        before = application.now(), application.store.version()
        asked = Offering(scope=("src/api",))
        done = Handoffs(application.context, application.packet_files).offer(asked, dry_run=True)
        assert (done.packet.number, done.packet.seq, done.file) == (2, 0, None)
        assert application.store.version() == before[1]
    assert work.world.holds("ada", "src/api/x")


def test_a_file_that_cannot_be_written_ends_no_offer(work: Work) -> None:
    folder = work.world.path / ".handrail" / "handoffs"
    folder.parent.mkdir(exist_ok=True)
    folder.symlink_to(work.world.path)
    done = work.offer("ada", "src/api")
    assert (done.file, done.packet.number) == (None, 2)
    assert not (work.world.path / "fix-002.json").exists()


def test_a_packet_s_own_words_give_nobody_a_right(work: Work) -> None:
    forged = {
        "seq": 99,
        "from": {"agent": "root"},
        "to_role": None,
        "from_role": "admin",
        "x-lease": "all",
        "context": {"files_in_scope": ["src/api"]},
    }
    done = work.offer("ada", packet=json.dumps(forged).encode())
    told = json.loads(done.text)
    assert (told["seq"], told["from"]["agent"], told["x-lease"]) == (2, "agent-ada", "all")
    assert set(done.overwritten) == {"seq", "from", "from_role"}
    assert done.packet.patterns == ("src/api",)


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"context": {"files_in_scope": ["../x"]}}'])
def test_a_packet_that_makes_no_sense_changes_nothing(work: Work, raw: bytes) -> None:
    with pytest.raises(refusals.MalformedPacket):
        work.offer("ada", packet=raw)
    assert work.world.holds("ada", "src/api/x")


# --- the landing ---------------------------------------------------------------------------------


def judged(world: World, commit: str) -> str:
    with world.open() as application:
        return Verification(application.context).verify([f"{commit}^..{commit}"]).verdict


def test_a_giver_s_commit_after_the_offer_is_refused_at_the_landing_and_the_receiver_s_passes(
    work: Work,
) -> None:
    world = work.world
    base = world.repo.git("rev-parse", "HEAD")
    world.repo.git("update-ref", "refs/remotes/origin/main", base)
    world.repo.write("src/api/x.py", "before\n")
    before = land(world, "ada", "src/api/x.py")
    work.offer("ada", "src/api")
    world.repo.write("src/api/x.py", "too late\n")
    late = world.repo.commit("late", "src/api/x.py")
    with pytest.raises(errors.StaleToken, match="granted to session task:fix"):
        land_again(world, "ada", late)
    world.repo.git("reset", "--hard", "--quiet", before)
    work.accept("bob")
    world.repo.write("src/api/x.py", "after\n")
    after = land(world, "bob", "src/api/x.py")
    assert judged(world, before) == PASS
    assert judged(world, after) == PASS
    assert judged(world, late) == REFUSED


def land_again(world: World, session: str, commit: str) -> None:
    from handrail.service.attestation import Attestation

    with world.open(session) as application:
        Attestation(application.context).attest(commit)


# --- in one thread -------------------------------------------------------------------------------

ANYBODY: Final = '[[role]]\nname = "worker"\nlane = ["**"]\n'


def test_one_harness_session_receives_what_it_offered_only_where_that_is_allowed(
    work: Work,
) -> None:
    work.world.configure(f"[handoff]\nin_thread = false\n{ANYBODY}")
    work.offer("ada", "src/api")
    with pytest.raises(refusals.NotYourHandoff) as refused:
        work.accept("ada", "fix")
    assert "in_thread" in refused.value.message
    assert work.state() == "open"
    beside = work.world.repo.worktree("beside")
    elsewhere = work.world.session(id="ada+beside", cwd=beside)
    with work.world.open(elsewhere, cwd=beside) as application:
        handoffs = Handoffs(application.context, application.packet_files)
        with pytest.raises(refusals.NotYourHandoff):
            handoffs.accept("fix")
    work.world.configure(ANYBODY)
    assert work.accept("ada", "fix").packet is not None


def test_somebody_else_receives_it_all_the_same(work: Work) -> None:
    work.world.configure(f"[handoff]\nin_thread = false\n{ANYBODY}")
    work.offer("ada", "src/api")
    assert work.accept("bob", "fix").packet is not None
