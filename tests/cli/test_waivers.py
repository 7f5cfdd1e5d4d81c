"""Waivers: who may, what they reach, how long and how often; and that every answer shows them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from typing import Any, Final

import pytest

from handrail import errors
from handrail.core.handed import WaiverAdded, WaiverUsed
from handrail.core.lease import Actor
from handrail.core.ledger import read_event
from handrail.edge.cli.commands import waivers
from handrail.edge.cli.invocation import Invocation
from handrail.errors.handoff import (
    GateUnsure,
    NotWaivable,
    UnknownGate,
    UnknownTask,
    UnknownWaiver,
    WaiverSpent,
)
from handrail.facts import clock
from handrail.gates.gate import BLOCK, CANNOT_TELL, FAIL, PASS, Outcome, verdict_of
from handrail.service.evidence_runs import EvidenceRuns
from handrail.service.handoffs import Handoffs, Offering
from handrail.service.tasks import Tasks
from handrail.service.waivers import Waivers, Waiving, counted, waived
from tests.cli.world import World, handing_over, refusal, unharmed
from tests.races.processes import CONTEXT, begin, finish
from tests.races.waiving import use_once

ROLES: Final = """
[[role]]
name = "worker"
lane = ["**"]

[[role]]
name = "lead"
lane = ["**"]
coordinates = true
"""
GATE: Final = '\n[[gate]]\nid = "tests"\nstages = ["pre-handoff"]\nrun = ["{run}"]\n'
RED: Final = (Outcome("tests", FAIL, BLOCK), Outcome("pushed", CANNOT_TELL, BLOCK))


def waive(world: World, gate: str = "tests", **given: Any) -> int:
    """Waive as a person."""
    with world.open(terminal=True) as app:
        return Waivers(app.context).add(Waiving(gate, "it is late", **given)).waiver.seq


def judged(world: World, task: str | None = None) -> tuple[int | None, ...]:
    with world.open() as app, app.store.read() as reader:
        outcomes, used = waived(reader, "pre-handoff", task, RED)
    assert [one.waiver for one in used] == [one.waiver for one in outcomes if one.waiver]
    return tuple(one.waiver for one in outcomes)


def use(world: World, task: str | None = None) -> None:
    with world.open() as app, app.store.transaction() as tx:
        _, used = waived(tx, "pre-handoff", task, RED)
        tx.commit(counted(tx, used), Actor())


# --- who may, and what ---------------------------------------------------------------------------


def test_a_person_waives_at_a_terminal_and_a_session_does_not(world: World) -> None:
    world.configure(ROLES + GATE.format(run="false"))
    line = "handrail waiver add tests --reason 'it is late' --until 2h --uses 1"
    with unharmed(world.store):
        agent = world.person(role="lead")
        found = refusal(agent.types(line, terminal=True))
        assert (found.code, "coordinator" in found.sentence) == ("needs_person", False)
        assert refusal(world.shell().types(line)).code == "needs_person"
        assert (
            refusal(world.shell(CLAUDECODE="1").types(line, terminal=True)).code == "needs_person"
        )
        # Whoever follows that text gets there.
        done = agent.types(found.next, terminal=True)
    assert (done.code, done.out.startswith("waiver ")) == (0, True), done
    with world.open() as app, app.store.read() as reader:
        entry = reader.newest(1)[0]
    event = read_event(entry)
    assert isinstance(event, WaiverAdded)
    assert (event.by, event.proof, event.uses) == ("person", "terminal", 1)
    listed = json.loads(world.shell().handrail("waiver", "list", "--json").out)["waivers"]
    assert [(one["waiver"], one["gate"], one["state"]) for one in listed] == [
        (entry.seq, "tests", "counts")
    ]
    again = f"handrail waiver revoke {entry.seq} --reason 'no longer'"
    assert refusal(world.shell().types(again)).code == "needs_person"
    assert world.shell().types(again, terminal=True).out.startswith("took back waiver")
    assert world.shell().types(again, terminal=True).out.startswith("was taken back already")
    assert world.shell().handrail("waiver", "list").out == "nothing is waived\n"
    assert "revoked" in world.shell().handrail("waiver", "list", "--all").out


def test_a_coordinator_waives_where_the_configuration_says_so(world: World) -> None:
    world.configure(ROLES + GATE.format(run="false") + '\n[handoff]\nwaivers = "coordinator"\n')
    for role, may in (("worker", False), ("lead", True)):
        with world.open(session := world.session(role=role)) as app:
            try:
                Waivers(app.context).add(Waiving("tests", "it is late"))
            except errors.NeedsPerson as error:
                assert (may, error.values["or_else"]) == (False, ", or a session of a coordinator")
            else:
                assert may
                with app.store.read() as reader:
                    header = json.loads(reader.newest(1)[0].header)
                    event = read_event(reader.newest(1)[0])
                assert isinstance(event, WaiverAdded)
                assert (header["session"], event.proof) == (session, "coordinator")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (Waiving("test", "x"), UnknownGate),
        (Waiving("lease-live", "x"), NotWaivable),
        (Waiving("attested", "x"), NotWaivable),
        (Waiving("tests", "x", task="none"), UnknownTask),
        (Waiving("tests", " "), errors.Usage),
        (Waiving("tests", "two\nlines"), errors.Usage),
        (Waiving("tests", "x" * 1_001), errors.Usage),
        (Waiving("tests", "x", lasts_ms=0), errors.Usage),
        (Waiving("tests", "x", lasts_ms=367 * 86_400_000), errors.Usage),
        (Waiving("tests", "x", ends_at=1), errors.Usage),
    ],
)
def test_what_cannot_be_waived_says_why(
    world: World, given: Waiving, error: type[errors.HandrailError]
) -> None:
    world.configure(ROLES + GATE.format(run="false"))
    with unharmed(world.store), world.open(terminal=True) as app:
        with pytest.raises(error) as found:
            Waivers(app.context).add(given)
        if error is UnknownGate:
            assert found.value.next == "handrail waiver add tests --reason x"
        with pytest.raises(UnknownWaiver):
            Waivers(app.context).revoke(1, "x")
        assert Waivers(app.context).listed(everything=True) == []


@pytest.mark.parametrize(
    "words",
    [
        ("--until", "soon"),
        ("--until", "2026-01-31"),
        ("--until", "2026-01-31T18:00:00"),
        ("--until", "9999-12-31T23:59:59-23:59"),
        ("--until", "1970-01-01T00:00:00Z"),
        ("--uses", "0"),
        ("--uses", "x"),
        ("--uses", "1001"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(world: World, words: tuple[str, ...]) -> None:
    name, value = words
    values = {"gate": "pushed", "reason": "x", name.removeprefix("--"): value}
    invocation = Invocation("waiver add", {**values, "directory": str(world.path)})
    with pytest.raises(errors.HandrailError) as found:
        waivers.add(invocation)
    invocation.close()
    assert found.value.code in ("usage", "needs_person")
    with world.open(terminal=True) as app:
        assert Waivers(app.context).listed(everything=True) == []


# --- how far, how long, how often ----------------------------------------------------------------


def test_it_reaches_its_gate_and_its_task_alone(world: World) -> None:
    world.configure(ROLES + GATE.format(run="false"))
    with world.open() as app:
        Tasks(app.context).open("t", to_role="worker")
    assert judged(world) == (None, None)
    anywhere = waive(world)
    assert judged(world) == judged(world, "other") == (anywhere, None)
    here = waive(world, task="t", uses=1)
    assert (judged(world, "t"), judged(world)) == ((here, None), (anywhere, None))
    with world.open(terminal=True) as app:
        Waivers(app.context).revoke(anywhere, "enough")
    assert judged(world) == (None, None)


def test_it_ends_by_the_clock_of_the_store(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.configure(ROLES + GATE.format(run="false"))
    seq = waive(world, lasts_ms=3_600_000)
    assert judged(world) == (seq, None)
    with world.open() as app, app.store.read() as reader:
        waiver = reader.waivers()[0]
        assert waiver.ends_at is not None
        assert (waiver.counts(waiver.ends_at - 1), waiver.counts(waiver.ends_at)) == (True, False)
    real = clock.BootClock.read

    def later(self: Any) -> tuple[str, int, int]:
        boot, since, wall = real(self)
        return boot, since + 3_600_001, wall + 3_600_001

    monkeypatch.setattr(clock.BootClock, "read", later)
    assert judged(world) == (None, None)


def test_a_verdict_counts_a_use_and_the_last_one_is_the_last(world: World) -> None:
    world.configure(ROLES + GATE.format(run="false"))
    seq = waive(world, uses=2)
    with world.open() as app, app.store.read() as reader:
        _, used = waived(reader, "pre-handoff", None, RED)
    for _ in range(2):
        use(world)
    assert judged(world) == (None, None)
    with world.open() as app, app.store.transaction() as tx:
        with pytest.raises(WaiverSpent) as found:
            counted(tx, used)
    assert found.value.values["waiver"] == seq


def test_of_eight_that_race_for_three_uses_three_get_one(world: World) -> None:
    world.configure(ROLES + GATE.format(run="false"))
    waive(world, uses=3)
    start = CONTEXT.Barrier(8)
    finish(*[begin(use_once, world.path, start) for _ in range(8)])
    with world.open() as app, app.store.read() as reader:
        events = [read_event(entry) for entry in reader.entries()]
        assert [waiver.used for waiver in reader.waivers()] == [3]
    assert sum(isinstance(one, WaiverUsed) for one in events) == 3


# --- what it changes -----------------------------------------------------------------------------


def test_what_is_waived_does_not_count_and_nothing_else_is_helped() -> None:
    waived_one = RED[0]._replace(waiver=7)
    assert verdict_of([waived_one]) == PASS
    assert verdict_of([waived_one, RED[1]]) == CANNOT_TELL
    assert verdict_of([waived_one, RED[0]]) == FAIL


def test_check_shows_a_waiver_in_every_format_and_uses_none(world: World) -> None:
    world.configure(ROLES + GATE.format(run="false"))
    world.repo.commit("configuration")
    person = world.shell()
    words = ("check", "pre-handoff", "-q", "--only", "tests")
    seq = waive(world, uses=1)
    text = person.handrail(*words)
    assert text.code == 0
    first, _, last = text.out.splitlines()
    assert first.endswith(f", waived by {seq}")
    assert last == "pre-handoff: 1 gate waived"
    data = json.loads(person.handrail(*words, "--format", "json").out)
    assert (data["verdict"], data["next"], data["gates"][0]["waiver"]) == ("pass", None, seq)
    assert data["findings"][0]["binding"] is False
    suite = ElementTree.fromstring(person.handrail(*words, "--format", "junit").out)
    skipped = suite.find("testsuite/testcase/skipped")
    assert skipped is not None
    assert skipped.attrib["message"].startswith(f"waived by {seq}")
    run = json.loads(person.handrail(*words, "--format", "sarif").out)["runs"][0]
    (suppression,) = run["results"][0]["suppressions"]
    assert suppression["kind"] == "external"
    assert suppression["justification"].startswith(f"waived by {seq}")
    told = person.handrail(*words, "--format", "github").out
    assert told.startswith("::warning ")
    assert f"::waived by {seq}" in told
    with world.open() as app, app.store.read() as reader:
        assert reader.waivers()[0].used == 0


def test_an_acceptance_that_rests_on_a_waiver_counts_it_once(world: World) -> None:
    world.configure(ROLES + GATE.format(run="./made"))
    world.repo.write(".gitignore", "/made\n")
    world.repo.commit("begun")
    world.repo.write("made", "#!/bin/sh\n").chmod(0o755)
    worker, lead = world.session(role="worker"), world.session(role="lead")
    with world.open(worker) as app:
        Tasks(app.context).open("t", to_role="worker")
        handoffs = Handoffs(app.context, app.packet_files)
        handoffs.accept("t")
        EvidenceRuns(app.context, app.bench(str(world.path))).run((), "tests")
        handoffs.offer(Offering(task="t", to_role="lead", message="done"))
    with world.open(lead) as app:
        handoffs = handing_over(app, world.path)
        with pytest.raises(GateUnsure, match="could not be started"):
            handoffs.accept("t")
        seq = waive(world, "evidence", task="t", uses=1)
        assert handoffs.accept("t", request_id="once").packet is not None
        assert handoffs.accept("t", request_id="once").packet is not None
        with app.store.read() as reader:
            events = [read_event(entry) for entry in reader.entries()]
            assert reader.waivers()[0].used == 1
    used = [one for one in events if isinstance(one, WaiverUsed)]
    assert used == [WaiverUsed(seq, "evidence", "post-handoff", "t")]
