"""What a session's task lets it do, over a store in memory: tables, and what no history breaks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail import errors
from handrail.config import parse_config
from handrail.core.decide import (
    Attest,
    Changes,
    Claim,
    Commit,
    CommitFacts,
    Edit,
    Looked,
    NeedsFacts,
    NotCovered,
    View,
    decide,
)
from handrail.core.decide.desk import Accept, Offer, Settle
from handrail.core.decide.handoff import (
    decide_accept,
    decide_close,
    decide_decline,
    decide_lapse,
    decide_offer,
    decide_open,
    decide_withdraw,
)
from handrail.core.decide.leaving import leaving
from handrail.core.events import ConfigApplied, LeaseOrphaned, SessionRoleChanged, SessionStarted
from handrail.core.handed import CheckpointDecided, PhaseEntered, ReadingAsked, ReadingDone
from handrail.core.lease import EXCLUSIVE, Actor, Session
from handrail.core.scope import parse_pattern
from handrail.core.task import Task
from handrail.errors import handoff as refusals
from handrail.service.duties import duty_here, not_held_any_more, not_held_as
from handrail.service.edits import view_for
from handrail.service.lapses import desk_of
from handrail.service.policy import Rules, policy_of, rules_in_force
from handrail.store.port import Tx
from tests.core.makers import NOW, a_lease
from tests.store.grounds import FakeClock, MemoryGround

HOUR: Final = 3_600_000
ROLES: Final = """
[workspace]
id = "w-test"
[[role]]
name = "architect"
lane = ["src/**", "plans/**"]
[[role]]
name = "maker"
lane = ["src/**", "tests/**"]
[[role]]
name = "critic"
lane = ["**"]
sandbox = "read-only"
may_write = ["notes/**"]
"""
PHASES: Final = """
[[phase]]
name = "plan"
role = "architect"
sandbox = "read-only"
may_write = ["docs/plans/**"]
[[phase]]
name = "build"
role = "maker"
[[phase]]
name = "test"
role = "maker"
sandbox = "read-only"
may_write = ["tests/**"]
"""
REQUIRED: Final = "[handoff]\nrequired = true\nhalt_after = 2\n"
NARROW: Final = '[handoff]\nwiden = "handoff"\n'
FIX: Final = ".handrail/evidence/fix/plan.md"
WORKS_IN: Final = {"architect": "plan", "maker": "build"}
PEOPLE: Final = {"ada": "architect", "bob": "maker", "eve": "critic", "mia": "maker"}


def _just(event: SessionStarted, tx: Tx, rules: Rules) -> Changes:
    return [event]


class Senseless(Exception):
    """A step that makes no sense here."""


def the_task(tx: Tx, task: str) -> Task:
    found = tx.task(task)
    if found is None or found.state != "open":
        raise Senseless
    return found


class Office:
    """A store in memory, a configuration in force and four sessions in one working tree."""

    def __init__(self, config: str) -> None:
        self.clock = FakeClock()
        self.version = 1
        self.ground = MemoryGround()
        self.store = self.ground.create(self.clock)
        self.configure(config)
        for name, role in PEOPLE.items():
            event = SessionStarted(name, f"agent-{name}", role, ".", "0" * 64)
            self.commit(partial(_just, event))

    def commit(self, decide_: Callable[[Tx, Rules], Changes], who: str = "") -> Changes:
        self.clock.let_pass(10)
        with self.store.transaction() as tx:
            changes = decide_(tx, rules_in_force(tx))
            tx.commit(changes, Actor(who or None, f"agent-{who}" if who else None, PEOPLE.get(who)))
        return changes

    def configure(self, config: str) -> None:
        text = ROLES + config
        policy = policy_of(parse_config(text.encode()))
        with self.store.transaction() as tx:
            ends = not_held_any_more(tx, policy)
            tx.commit([ConfigApplied(f"b{tx.head.seq}", text, "test"), *ends], Actor())

    def session(self, tx: Tx, who: str) -> Session:
        found = tx.session(who)
        assert found is not None
        return found

    def open(self, task: str, to_role: str | None) -> None:
        def ask(tx: Tx, rules: Rules) -> Changes:
            if tx.task(task) is not None:
                raise Senseless
            return decide_open(task, task, to_role, tx.now, HOUR)

        self.commit(ask)

    def claim(self, who: str, *scope: str) -> Changes:
        patterns = tuple(map(parse_pattern, scope))

        def ask(tx: Tx, rules: Rules) -> Changes:
            session = self.session(tx, who)
            claim = Claim(session, patterns, EXCLUSIVE, HOUR, looked=Looked(patterns, 10**6))
            return decide(view_for(tx, rules, session, patterns), claim, tx.now)

        return self.commit(ask, who)

    def edit(self, who: str, *paths: str) -> Changes:
        patterns = tuple(map(parse_pattern, paths))

        def ask(tx: Tx, rules: Rules) -> Changes:
            session = self.session(tx, who)
            edit = Edit(session, paths, HOUR, looked=Looked(patterns, 10**6))
            return decide(view_for(tx, rules, session, patterns), edit, tx.now)

        return self.commit(ask, who)

    def attest(self, who: str, *paths: str) -> Changes:
        def ask(tx: Tx, rules: Rules) -> Changes:
            session = self.session(tx, who)
            facts = CommitFacts("c1", "t1", ("p1",), paths, "h1")
            duty = duty_here(tx, rules, session)
            view = View(tx.epoch, tx.leases(who), policy=rules.policy, duty=duty)
            return decide(view, Attest(session, (facts,)), tx.now)

        return self.commit(ask, who)

    def offer(
        self, who: str, task: str, to: str | None, *scope: str, kind: str = "complete"
    ) -> Any:
        patterns = tuple(map(parse_pattern, scope))

        def ask(tx: Tx, rules: Rules) -> Changes:
            session = self.session(tx, who)
            found = the_task(tx, task)
            desk = desk_of(tx, rules, found, session, patterns)
            leads_to = {"next_phase": WORKS_IN.get(to or "")}
            offer = Offer(session, patterns, {"to_role": to, "metadata": leads_to}, HOUR)
            return decide_offer(desk, offer, tx.now)

        return self.commit(ask, who)

    def accept(self, who: str, task: str, phase: str | None = None) -> Changes:
        """Accept; ``phase`` is what the packet leads into, as the caller of the rule knows it."""

        def ask(tx: Tx, rules: Rules) -> Changes:
            session, found = self.session(tx, who), the_task(tx, task)
            desk = desk_of(tx, rules, found, session)
            if phase is not None:
                desk = desk._replace(entering=phase)
            near = tuple(p for lease in desk.view.leases for p in lease.patterns)
            accept = Accept(session, HOUR, HOUR, looked=Looked(near, 10**6))
            return decide_accept(desk, accept, tx.now)

        return self.commit(ask, who)

    def ask(self, who: str, path: str, source: str = "packet fix-002") -> None:
        """Let something ask a session to read a file, as it is now."""
        document = (path, f"{self.version:064x}", "", "")
        self.commit(lambda tx, rules: [ReadingAsked(who, source, True, (document,))])

    def read(self, who: str, path: str) -> None:
        """Let a session be shown a file as it is now."""
        receipt = (path, f"{self.version:064x}", "")
        self.commit(lambda tx, rules: [ReadingDone(who, "read", (receipt,))])

    def change(self) -> None:
        """Let the files have other bytes from here on."""
        self.version += 1

    def settle(self, how: Callable[..., Changes], who: str | None, task: str) -> Changes:
        def ask(tx: Tx, rules: Rules) -> Changes:
            found = the_task(tx, task)
            session = None if who is None else self.session(tx, who)
            settle = Settle(session, "why", HOUR, HOUR, entitled=session is None)
            return how(desk_of(tx, rules, found, session), settle, tx.now)

        return self.commit(ask, who or "")

    def act_as(self, who: str, role: str) -> Changes:
        def ask(tx: Tx, rules: Rules) -> Changes:
            session = self.session(tx, who)._replace(role=role)
            event = SessionRoleChanged(who, role, "why", "test")
            return [event, *not_held_as(tx, rules.policy, session)]

        return self.commit(ask)

    def enter(self, task: str, phase: str) -> Changes:
        def ask(tx: Tx, rules: Rules) -> Changes:
            found = the_task(tx, task)
            return leaving(desk_of(tx, rules, found, None), [PhaseEntered(task, phase, 0)])

        return self.commit(ask)

    def wait_at(self, task: str) -> Changes:
        """Let a checkpoint reach its limit."""

        def ask(tx: Tx, rules: Rules) -> Changes:
            found = the_task(tx, task)
            times = dict(found.revises).get("check", 0) + 1
            event = CheckpointDecided(
                task, "check", "plan", "revise", "plan", times + 1, "", "test"
            )
            return leaving(desk_of(tx, rules, found, None), [event])

        return self.commit(ask)

    def holds(self, who: str, path: str) -> bool:
        with self.store.read() as reader:
            return reader.may_write(".", who, path)


def refused(ask: Callable[[], object]) -> errors.HandrailError:
    with pytest.raises(errors.Refused) as found:
        ask()
    assert found.value.message.endswith(".")
    assert "{" not in found.value.message + (found.value.next or "")
    return found.value


# --- sandboxes -----------------------------------------------------------------------------------


@pytest.fixture
def plan() -> Office:
    """Ada plans ``fix``: she only reads, but for plans and evidence."""
    office = Office(PHASES)
    office.open("fix", "architect")
    office.accept("ada", "fix", "plan")
    return office


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (FIX, True),
        (".handrail/evidence/fix/deep/x.md", True),
        (".handrail/evidence/fix", True),
        ("docs/plans/a.md", True),
        ("docs/other.md", False),
        ("src/a.py", False),
        ("plans/a.md", False),  # in her lane, and not under may_write
        (".handrail/evidence/other/plan.md", False),
        (".handrail/evidence/fix.md", False),
    ],
)
def test_in_a_read_only_phase_only_may_write_and_the_evidence_of_the_task_are_given(
    plan: Office, path: str, allowed: bool
) -> None:
    for ask in (plan.edit, plan.claim):
        if allowed:
            ask("ada", path)
            plan.attest("ada", path)
        else:
            said = refused(partial(ask, "ada", path))
            assert said.code == "sandbox_read_only"
            assert (said.values["task"], said.values["phase"]) == ("fix", "plan")
            assert said.next == "handrail task show fix"
            assert FIX.rpartition("/")[0] in said.message
            assert refused(lambda: plan.attest("ada", path)).code == "sandbox_read_only"
    assert plan.holds("ada", path) is allowed


def test_a_read_only_phase_binds_its_own_session_and_ends_with_it(plan: Office) -> None:
    plan.edit("bob", "src/a.py")
    plan.offer("ada", "fix", "maker", "src/new")
    assert refused(lambda: plan.edit("ada", "src/b.py")).code == "sandbox_read_only"
    plan.accept("bob", "fix", "build")
    plan.edit("bob", "src/new/b.py")
    plan.edit("ada", "src/c.py")


def test_what_is_held_outside_the_sandbox_ends_as_the_phase_begins_and_stays_its_agents(
    plan: Office,
) -> None:
    plan.offer("ada", "fix", "maker")
    plan.claim("bob", "src/a")
    plan.claim("bob", "tests/unit")
    changes = plan.accept("bob", "fix", "test")
    ended = [change for change in changes if isinstance(change, LeaseOrphaned)]
    assert [(one.blobs, one.reason) for one in ended] == [(None, "sandbox")]
    assert [plan.holds("bob", path) for path in ("src/a/x", "tests/unit/x")] == [False, True]
    with plan.store.read() as reader:
        assert [(one.agent, one.patterns[0].text) for one in reader.orphans()] == [
            ("agent-bob", "src/a")
        ]


def test_what_a_reader_is_handed_stays_reserved_but_for_what_its_phase_lets_it_write(
    plan: Office,
) -> None:
    plan.offer("ada", "fix", "maker", "src/new", "tests/new")
    plan.accept("bob", "fix", "test")
    assert [plan.holds("bob", path) for path in ("src/new/x", "tests/new/x")] == [False, True]
    assert refused(lambda: plan.claim("mia", "src/new/x")).code == "scope_held"


def test_a_pattern_that_a_reader_may_hold_only_in_part_stays_reserved_as_a_whole() -> None:
    office = Office(PHASES)
    office.open("fix", "maker")
    office.accept("bob", "fix", "build")
    office.offer("bob", "fix", "architect", "docs")  # the phase names docs/plans/**
    office.accept("ada", "fix", "plan")
    for path in ("docs/plans/x", "docs/x"):
        assert not office.holds("ada", path)
        with office.store.read() as reader:
            assert reader.may_write("", "task:fix", path)


def test_another_task_in_a_read_only_phase_takes_nothing_of_what_the_first_lets_one_write(
    plan: Office,
) -> None:
    plan.claim("ada", FIX)
    plan.open("more", "architect")
    plan.accept("ada", "more", "plan")
    assert plan.holds("ada", FIX)
    plan.edit("ada", FIX.replace("/fix/", "/more/"))


def test_what_one_task_lets_one_write_stays_reserved_while_another_only_reads(
    plan: Office,
) -> None:
    plan.open("more", "maker")
    plan.accept("bob", "more", "build")
    plan.claim("bob", "src/new")
    plan.offer("bob", "more", "architect", "src/new")
    plan.accept("ada", "more", "build")
    assert not plan.holds("ada", "src/new/x")
    assert refused(lambda: plan.claim("mia", "src/new/x")).code == "scope_held"


def test_what_comes_back_to_a_reader_is_only_what_it_may_hold(plan: Office) -> None:
    plan.offer("ada", "fix", "maker", "src/new", "docs/plans/new")
    plan.settle(decide_decline, "bob", "fix")
    assert [plan.holds("ada", path) for path in ("src/new/x", "docs/plans/new/x")] == [False, True]
    assert refused(lambda: plan.claim("mia", "src/new/x")).code == "scope_held"


def test_a_configuration_that_makes_a_phase_read_only_ends_what_it_no_longer_lets_hold(
    plan: Office,
) -> None:
    plan.offer("ada", "fix", "maker")
    plan.accept("bob", "fix", "build")
    plan.claim("bob", "src/a")
    plan.configure(PHASES.replace('name = "build"', 'name = "build"\nsandbox = "read-only"'))
    assert not plan.holds("bob", "src/a/x")
    assert refused(lambda: plan.edit("bob", "src/a/x")).code == "sandbox_read_only"


def test_without_phases_evidence_is_in_every_lane_and_all_else_is_as_before() -> None:
    office = Office("")
    for who in PEOPLE:
        office.edit(who, f".handrail/evidence/fix/{who}.md")
        office.attest(who, f".handrail/evidence/fix/{who}.md")
    office.open("fix", "architect")
    office.accept("ada", "fix")
    office.edit("ada", "src/a.py")
    assert refused(lambda: office.edit("ada", ".handrail/hook")).code == "guarded_path"
    assert refused(lambda: office.edit("ada", ".Handrail/evidence/x")).code == "guarded_path"
    assert refused(lambda: office.edit("ada", ".handrail/evidence")).code == "guarded_path"


def test_a_lease_that_should_have_ended_helps_nobody(plan: Office) -> None:
    """Were there ever one, the rules would still refuse what it covers."""
    with plan.store.transaction() as tx:
        rules, ada = rules_in_force(tx), plan.session(tx, "ada")
        view = view_for(tx, rules, ada, ())._replace(
            leases=(a_lease(9, "ada", "src", worktree="."),)
        )
        facts = CommitFacts("c", "t", ("p",), ("src/a.py", FIX), "h")
        edit = Edit(ada, facts.paths, HOUR, looked=Looked((), 10**6))
        attest = Attest(ada, (facts,))
        commit = Commit(edit, attest)
        for command in (edit, attest, commit):
            with pytest.raises(errors.Refused) as found:
                decide(view, command, NOW)
            told = (found.value.code, found.value.values.get("paths"))
            one = ("sandbox_read_only", None)
            assert told == (("not_covered", ("src/a.py",)) if command is commit else one)


def test_another_role_ends_what_it_lets_nobody_hold_in_this_phase(plan: Office) -> None:
    plan.act_as("ada", "critic")
    plan.claim("ada", "notes/n")
    plan.claim("ada", "docs/plans/a")
    plan.act_as("ada", "architect")
    assert [plan.holds("ada", path) for path in ("notes/n", "docs/plans/a")] == [False, True]


# --- required ------------------------------------------------------------------------------------


def test_where_a_packet_is_required_nothing_is_written_without_one() -> None:
    office = Office(REQUIRED)
    said = refused(lambda: office.edit("ada", "src/a.py"))
    assert said.code == "no_handoff"
    assert said.next == (
        "handrail task new task-1 --to architect && handrail handoff accept task-1"
    )
    office.open("fix", "architect")
    for ask in (office.edit, office.claim, office.attest):
        said = refused(partial(ask, "ada", "src/a.py"))
        assert (said.code, said.next) == ("no_handoff", "handrail handoff accept fix")
    said = refused(lambda: office.edit("bob", "src/a.py"))
    assert (said.code, said.values["number"]) == ("not_your_handoff", 1)
    assert said.next == (
        'eval "$(handrail session start --role architect)" && handrail handoff accept fix'
    )
    office.accept("ada", "fix")
    office.edit("ada", "src/a.py")
    office.attest("ada", "src/a.py")


def test_from_the_offer_on_the_giver_holds_nothing_and_is_told_where_its_task_is() -> None:
    office = Office(REQUIRED)
    office.open("fix", "architect")
    office.accept("ada", "fix")
    office.claim("ada", "src/a", "plans/a")
    office.edit("ada", "src/b.py")
    changes = office.offer("ada", "fix", "maker", "src/a")
    ended = {change.reason for change in changes if isinstance(change, LeaseOrphaned)}
    assert ended == {"handed_off"}
    for path in ("src/a/x", "src/b.py", "plans/a/x"):
        assert not office.holds("ada", path)
        said = refused(partial(office.edit, "ada", path))
        assert (said.code, said.next) == ("handed_off", "handrail handoff withdraw fix")
    office.accept("bob", "fix")
    said = refused(lambda: office.edit("ada", "src/b.py"))
    assert said.code == "handed_off"
    assert "session bob (role maker)" in said.message
    assert said.next == "handrail task new task-1 --to architect && handrail handoff accept task-1"
    office.edit("bob", "src/a/x")


def test_a_withdrawn_packet_lets_its_giver_go_on() -> None:
    office = Office(REQUIRED)
    office.open("fix", "architect")
    office.accept("ada", "fix")
    office.claim("ada", "src/a")
    office.offer("ada", "fix", "maker", "src/a")
    office.settle(decide_withdraw, "ada", "fix")
    assert office.holds("ada", "src/a/x")
    office.edit("ada", "src/b.py")


@pytest.mark.parametrize("how", ["halted", "revise_limit"])
def test_a_task_that_waits_for_a_person_lets_nobody_write_and_leaves_nobody_anything(
    how: str,
) -> None:
    office = Office(REQUIRED + PHASES)
    office.open("fix", "maker")
    office.accept("bob", "fix", "build")
    office.claim("bob", "src/a")
    if how == "halted":
        for _ in range(2):
            office.offer("bob", "fix", "architect", "src/a")
            office.settle(decide_decline, "ada", "fix")
    else:
        office.wait_at("fix")
    assert not office.holds("bob", "src/a/x")
    assert refused(lambda: office.edit("bob", "src/a/x")).code == how


def test_a_closed_task_leaves_nobody_anything() -> None:
    office = Office(REQUIRED)
    office.open("fix", "maker")
    office.accept("bob", "fix")
    office.claim("bob", "src/a")
    office.settle(decide_close, "bob", "fix")
    assert not office.holds("bob", "src/a/x")
    assert refused(lambda: office.edit("bob", "src/a/x")).code == "no_handoff"


def test_a_configuration_that_requires_packets_ends_what_is_held_without() -> None:
    office = Office("")
    office.open("fix", "maker")
    office.accept("bob", "fix")
    office.claim("bob", "src/a")
    office.claim("mia", "tests/a")
    office.configure(REQUIRED)
    assert [office.holds("bob", "src/a/x"), office.holds("mia", "tests/a/x")] == [True, False]


# --- the scope of a packet -----------------------------------------------------------------------


def test_beyond_the_scope_of_its_packet_a_session_may_not_claim_where_that_takes_a_handoff() -> (
    None
):
    office = Office(NARROW)
    office.open("fix", "architect")
    office.accept("ada", "fix")
    office.edit("ada", "src/any.py")  # the first packet names no scope, and so sets no bounds
    office.offer("ada", "fix", "maker", "src/new")
    office.accept("bob", "fix")
    office.edit("bob", "src/new/a.py")
    office.edit("bob", ".handrail/evidence/fix/x.md")
    for ask in (office.edit, office.claim):
        said = refused(partial(ask, "bob", "src/other.py"))
        assert isinstance(said, refusals.ScopeNeedsHandoff)
        assert said.next == (
            "handrail handoff offer --task fix --kind block --to architect -m "
            "'this work needs src/other.py, which its packet did not hand over'"
        )
    office.edit("mia", "src/other.py")


def test_a_task_of_its_own_is_no_way_around_the_scope_that_a_session_was_handed() -> None:
    office = Office(NARROW)
    office.open("own", "maker")
    office.accept("bob", "own")
    office.open("fix", "architect")
    office.accept("ada", "fix")
    office.offer("ada", "fix", "maker", "src/new")
    office.accept("bob", "fix")
    office.edit("bob", "src/new/a.py")
    said = refused(partial(office.claim, "bob", "src/other.py"))
    assert isinstance(said, refusals.ScopeNeedsHandoff)


def test_the_packet_that_bounds_a_session_is_named_with_its_own_task() -> None:
    office = Office(PHASES + NARROW)
    office.open("fix", "architect")
    office.accept("ada", "fix", "plan")
    office.open("more", "maker")
    office.accept("bob", "more", "build")
    office.offer("bob", "more", "architect", "src/new")
    office.accept("ada", "more", "build")
    said = refused(partial(office.claim, "ada", "docs/plans/a.md"))
    assert isinstance(said, refusals.ScopeNeedsHandoff)
    assert (said.values["task"], said.values["number"]) == ("more", 2)
    assert "--task more" in str(said.next)


PROTECTED: Final = """
[[role]]
name = "wide"
lane = ["**"]
[[role]]
name = "boss"
lane = ["**"]
coordinates = true
[[gate]]
id = "tests"
stages = ["pre-handoff"]
run = ["make", "test"]
protects = ["Makefile", "ci/**"]
"""


@pytest.mark.parametrize("path", ["Makefile", "ci/deep/run.sh", "handrail.toml"])
def test_however_wide_its_lease_only_who_coordinates_commits_what_decides_how_work_is_judged(
    path: str,
) -> None:
    office = Office(PROTECTED)
    for role, fine in (("wide", False), ("boss", True)):
        with office.store.transaction() as tx:
            rules, bob = rules_in_force(tx), office.session(tx, "bob")._replace(role=role)
            lease = a_lease(9, "bob", "**", worktree=".", role=role)
            view = view_for(tx, rules, bob, ())._replace(leases=(lease,))
        facts = CommitFacts("c", "t", ("p",), (path, "src/a.py"), "h")
        edit = Edit(bob, facts.paths, HOUR, looked=Looked((), 10**6))
        if fine:
            decide(view, edit, NOW)
            decide(view, Commit(edit, Attest(bob, (facts,))), NOW)
            continue
        assert refused(partial(decide, view, edit, NOW)).code == "guarded_path"
        said = refused(partial(decide, view, Commit(edit, Attest(bob, (facts,))), NOW))
        assert said.values["paths"] == (path,)


# --- whatever happens ----------------------------------------------------------------------------

PATHS: Final = (
    *("src/a.py", "src/b/x", "tests/a", "docs/plans/a", "notes/n", "plans/p", "ops/x"),
    *(FIX, ".handrail/evidence/more/plan.md"),
)
SCOPES: Final = ("src/b", "src/a.py", "tests", "docs/plans", "notes", "plans")
CONFIGS: Final = ("", PHASES, REQUIRED, REQUIRED + PHASES, NARROW + PHASES)
WHO: Final = st.sampled_from(list(PEOPLE))
TASKS: Final = st.sampled_from(["fix", "more"])
ROLE: Final = st.sampled_from(["architect", "maker", "critic", None])
PHASE: Final = st.sampled_from(["plan", "build", "test"])
STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("open"), TASKS, ROLE),
        st.tuples(st.just("claim"), WHO, st.sampled_from(SCOPES)),
        st.tuples(st.just("edit"), WHO, st.sampled_from(PATHS)),
        st.tuples(st.just("offer"), WHO, TASKS, ROLE, st.sampled_from(SCOPES)),
        st.tuples(st.just("accept"), WHO, TASKS, st.none() | PHASE),
        st.tuples(st.just("decline"), WHO, TASKS),
        st.tuples(st.just("withdraw"), WHO, TASKS),
        st.tuples(st.just("close"), st.none() | WHO, TASKS),
        st.tuples(st.just("enter"), TASKS, PHASE),
        st.tuples(st.just("wait_at"), TASKS),
        st.tuples(st.just("act_as"), WHO, st.sampled_from(["architect", "maker", "critic"])),
        st.tuples(st.just("lapse"), TASKS),
        st.tuples(st.just("configure"), st.sampled_from(CONFIGS)),
        st.tuples(st.sampled_from(["ask", "read"]), WHO, st.sampled_from(["a.md", "b.md"])),
        st.tuples(st.just("change")),
    ),
    min_size=1,
    max_size=14,
)


def take(office: Office, step: tuple[Any, ...]) -> None:
    """Take a step, unless the rules refuse it or it makes no sense here."""
    what, *words = step
    rules = {"decline": decide_decline, "withdraw": decide_withdraw, "close": decide_close}
    if what in rules:
        office.settle(rules[what], *words)
    elif what == "lapse":
        office.clock.let_pass(HOUR)
        office.settle(decide_lapse, None, *words)
    else:
        getattr(office, what)(*words)


def check_that_what_is_held_may_be_written(office: Office) -> None:
    with office.store.transaction() as tx:
        rules = rules_in_force(tx)
        for who in PEOPLE:
            session = office.session(tx, who)
            for path in PATHS:
                if tx.unread(who):
                    check_that_nothing_is_written(tx, rules, session, path)
                if not tx.may_write(".", who, path):
                    continue
                view = view_for(tx, rules, session, (parse_pattern(path),))
                decide(view, Edit(session, (path,), HOUR, "off"), tx.now)
                facts = CommitFacts("c", "t", ("p",), (path,), "h")
                held = view._replace(leases=tx.leases(who))
                if view.duty is not None:
                    decide(held, Attest(session, (facts,)), tx.now)


WRITES_NOTHING: Final = (
    *("reading_required", "no_handoff", "handed_off", "not_your_handoff"),
    *("halted", "revise_limit"),
)


def check_that_nothing_is_written(tx: Tx, rules: Rules, session: Session, path: str) -> None:
    view = view_for(tx, rules, session, (parse_pattern(path),))
    assert not tx.may_write(".", session.id, path)
    for asked in (Edit(session, (path,), HOUR, "off"), Edit(session, (path,), HOUR)):
        said = refused(lambda asked=asked: decide(view, asked, tx.now))  # type: ignore[misc]
        assert said.code in WRITES_NOTHING
    facts = CommitFacts("c", "t", ("p",), (path,), "h")
    held = view._replace(leases=tx.leases(session.id))
    refused(lambda: decide(held, Attest(session, (facts,)), tx.now))


def run(config: str, steps: list[tuple[Any, ...]]) -> None:
    office = Office(config)
    office.open("fix", "architect")
    office.accept("ada", "fix", "plan" if "phase" in config else None)
    for step in steps:
        try:
            take(office, step)
        except (errors.HandrailError, NeedsFacts, NotCovered, Senseless):
            continue
        check_that_what_is_held_may_be_written(office)


@given(config=st.sampled_from(CONFIGS), steps=STEPS)
@settings(max_examples=60)
def test_whatever_is_held_may_be_written_so_the_guard_need_look_up_no_more(
    config: str, steps: list[tuple[Any, ...]]
) -> None:
    run(config, steps)


@pytest.mark.nightly
@given(config=st.sampled_from(CONFIGS), steps=STEPS)
@settings(max_examples=3_000)
def test_whatever_is_held_may_be_written_in_many_histories(
    config: str, steps: list[tuple[Any, ...]]
) -> None:
    run(config, steps)
