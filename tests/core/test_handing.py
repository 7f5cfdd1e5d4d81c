"""What the events of tasks and packets do to the tables."""

from __future__ import annotations

import doctest
from typing import Any, Final

import handrail.core.handed
from handrail.core import handed
from handrail.core.events import Event
from handrail.core.handed import (
    CheckpointDecided,
    PacketAccepted,
    PacketDeclined,
    PacketLapsed,
    PacketOffered,
    PacketReturned,
    PacketWithdrawn,
    PhaseEntered,
    TaskClosed,
    TaskOpened,
    TaskResumed,
    TaskTaken,
    WaiverAdded,
    WaiverRevoked,
    WaiverUsed,
)
from handrail.core.lease import Actor
from handrail.core.state import State, apply
from handrail.core.task import Packet, Task, Waiver
from tests.core.makers import NOW

TESTED: Final = (
    *(TaskOpened, TaskTaken, TaskClosed, PacketOffered, PacketAccepted, PacketDeclined),
    *(PacketWithdrawn, PacketLapsed, PacketReturned, TaskResumed, PhaseEntered),
    *(CheckpointDecided, WaiverAdded, WaiverUsed, WaiverRevoked),
)


def offered(number: int, kind: str = "complete", session: str = "ada") -> PacketOffered:
    return PacketOffered(
        *("fix", number, kind, session, session, "maker", "maker", ("src",), ("src",)),
        *(9, NOW + 1_000, "00", "{}"),
    )


def taken(number: int, session: str) -> PacketAccepted:
    return PacketAccepted("fix", number, session, "maker", (), 0)


def after(*changes: Event) -> State:
    state = State()
    for seq, change in enumerate((TaskOpened("fix", "Fix it"), *changes), 1):
        apply(state, seq, NOW + seq, Actor(), change)
    return state


def the_task(*changes: Event) -> Task:
    return after(*changes).tasks["fix"]


def the_packet(*changes: Event) -> Packet:
    return after(offered(1), *changes).packets["fix", 1]


def test_a_task_begins_with_nothing() -> None:
    assert the_task() == Task("fix", "Fix it", "open", NOW + 1, 0, None, None, 0, 0)


def test_an_offer_is_the_newest_packet_and_its_giver_acts_for_the_task() -> None:
    state = after(offered(1))
    assert state.tasks["fix"][4:9] == (1, "ada", "maker", 0, 0)
    packet = state.packets["fix", 1]
    assert (packet.state, packet.seq, packet.offered_at, packet.hash) == ("open", 2, NOW + 2, "00")
    assert (packet.by, packet.settled_at, packet.note) == (None, None, None)
    assert the_task(offered(1, session="")).holder is None


def test_a_packet_ends_as_it_is_said_and_who_accepts_acts_for_the_task() -> None:
    ends: dict[str, Any] = {
        "accepted": (taken(1, "bob"), "bob", None),
        "declined": (PacketDeclined("fix", 1, "bob", "red"), "bob", "red"),
        "withdrawn": (PacketWithdrawn("fix", 1, "ada", "mistake"), "ada", "mistake"),
        "lapsed": (PacketLapsed("fix", 1, NOW), None, None),
    }
    for state, (event, by, note) in ends.items():
        packet = the_packet(event)
        assert (packet.state, packet.by, packet.settled_at, packet.note) == (
            state,
            by,
            NOW + 3,
            note,
        )
        holder = the_task(offered(1), event).holder
        assert holder == ("bob" if state == "accepted" else "ada")
    assert the_task(offered(1), taken(1, "bob")).taken == 1


def test_a_task_is_taken_up_and_closed() -> None:
    task = the_task(offered(1), TaskTaken("fix", "eve", "reader"), TaskClosed("fix", "done"))
    assert (task.holder, task.role, task.state) == ("eve", "reader", "closed")


def test_refusals_and_returns_in_a_row_are_counted_and_going_on_ends_the_row() -> None:
    declined = PacketDeclined("fix", 2, "bob", "")
    row: tuple[Event, ...] = (offered(1), taken(1, "ada"), offered(2), declined)
    assert the_task(*row).failed == 1
    assert the_task(*row, offered(3)).failed == 1
    row = (offered(1), taken(1, "bob"), offered(2, "return", "bob"), taken(2, "ada"), offered(3))
    assert the_task(*row).failed == 1
    row = (*row, taken(3, "bob"), offered(4, "return", "bob"), taken(4, "ada"), offered(5))
    assert the_task(*row).failed == 2
    assert the_task(*row, taken(5, "bob"), offered(6, "block", "bob")).failed == 2
    assert the_task(*row, taken(5, "bob"), offered(6, session="bob")).failed == 0


def decided(decision: str, times: int, leads_to: str = "plan") -> CheckpointDecided:
    return CheckpointDecided(
        "fix", "plan_check", "plan", decision, leads_to, times, "why", "terminal"
    )


def test_what_the_gates_returned_counts_like_a_refusal() -> None:
    returned = PacketReturned("fix", 1, "bob", "other tests passed", ("evidence",))
    packet = the_packet(returned)
    assert (packet.state, packet.by, packet.note) == ("returned", "bob", "other tests passed")
    assert the_task(offered(1), returned).failed == 1
    assert the_task(offered(1), returned, TaskResumed("fix", "seen", "terminal")).failed == 0


def test_a_decision_leads_somewhere_and_the_phase_is_entered_by_what_follows_it() -> None:
    entered = PhaseEntered("fix", "plan", 1)
    assert the_task(entered).phase == "plan"
    task = the_task(entered, decided("approve", 0, "review"))
    assert (task.phase, task.next_phase) == ("plan", "review")
    task = the_task(entered, decided("approve", 0, "review"), PhaseEntered("fix", "review", 2))
    assert (task.phase, task.next_phase) == ("review", None)


def test_the_second_revision_waits_for_a_person_and_any_answer_lets_it_go_on() -> None:
    twice = (decided("revise", 1), decided("revise", 2))
    assert the_task(*twice[:1]).waits_at is None
    assert the_task(*twice).waits_at == "plan_check"
    assert the_task(*twice).revises == (("plan_check", 2),)
    assert the_task(*twice, decided("revise", 2)).waits_at is None
    assert the_task(*twice, decided("revise", 2), decided("revise", 3)).waits_at == "plan_check"
    assert the_task(*twice, decided("approve", 2, "review")).waits_at is None
    assert the_task(*twice, TaskResumed("fix", "seen", "terminal")).waits_at is None


def test_a_waiver_counts_until_it_is_used_up_over_or_taken_back() -> None:
    added = WaiverAdded("pushed", "fix", "no remote yet", "Ada", "terminal", NOW + 100, 2)

    def waiver(*changes: Event) -> Waiver:
        return after(added, *changes).waivers[2]

    assert waiver()[:5] == (2, "pushed", "fix", "no remote yet", "Ada")
    assert waiver().counts(NOW + 99)
    assert not waiver().counts(NOW + 100)
    used = WaiverUsed(2, "pushed", "pre-handoff", "fix")
    assert waiver(used).counts(NOW)
    assert not waiver(used, used).counts(NOW)
    assert not waiver(WaiverRevoked(2, "pushed by now", "terminal")).counts(NOW)


def test_what_is_not_there_is_no_error() -> None:
    state = State()
    for event in (
        *(TaskTaken("fix", "s", None), TaskClosed("fix", ""), taken(1, "bob")),
        *(decided("revise", 2), PhaseEntered("fix", "plan", 0), WaiverRevoked(7, "", "")),
    ):
        apply(state, 1, NOW, Actor(), event)
    apply(state, 2, NOW, Actor(), PacketDeclined("fix", 1, "bob", ""))
    assert vars(state) == vars(State())


def test_the_example_in_the_documentation_holds() -> None:
    assert handed is handrail.core.handed
    done = doctest.testmod(handed)
    assert (done.attempted > 0, done.failed) == (True, 0)
