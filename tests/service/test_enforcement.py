"""Switching local enforcement off for a while, and on again."""

from __future__ import annotations

from typing import Any

import pytest

from handrail import errors
from handrail.service.enforcement import PAUSE_DEFAULT_MS, PAUSE_MAX_MS, pause, paused_until
from handrail.service.health import verify_store
from handrail.wiring import HARNESS_MARKERS
from tests.cli.world import World, eventually, refusal, unharmed

MINUTE = 60_000


def until(world: World) -> int | None:
    """Return for how long hooks refuse nothing from now on, as a hook would find it."""
    with world.open() as application, application.store.read() as reader:
        found = paused_until(reader)
        return None if found is None else found - reader.now


def test_a_person_switches_enforcement_off_and_on_again(world: World) -> None:
    person = world.shell()
    assert until(world) is None
    with unharmed(world.store):
        done = person.types("handrail off", terminal=True)
        assert (done.code, "enforcement is off until" in done.out) == (0, True)
        assert PAUSE_DEFAULT_MS - MINUTE < (until(world) or 0) <= PAUSE_DEFAULT_MS
        assert person.types("handrail off 2h", terminal=True).code == 0
        assert 119 * MINUTE < (until(world) or 0) <= 120 * MINUTE
        done = person.types("handrail off 0", terminal=True)
        assert (done.code, done.out) == (0, "enforcement is on again\n")
        assert until(world) is None
    last = person.handrail("log", "-n", "3", "--json").json()["entries"]
    assert [entry["kind"] for entry in last] == ["enforcement.paused"] * 3
    assert {entry["payload"]["proof"] for entry in last} == {"terminal"}
    assert {entry["session"] for entry in last} == {None}


def test_switching_on_what_is_on_enters_nothing(world: World) -> None:
    person = world.shell()
    before = person.handrail("status", "--json").json()["head"]
    done = person.types("handrail off 0", terminal=True)
    assert (done.code, done.out) == (0, "enforcement is on\n")
    assert person.handrail("status", "--json").json()["head"] == before


def test_status_shows_that_enforcement_is_off(world: World) -> None:
    person = world.shell()
    assert person.handrail("status", "--json").json()["paused_until"] is None
    assert "off for another" not in person.handrail("status").out
    off = person.types("handrail off 90m --json", terminal=True).json()
    assert off["changed"] is True
    assert person.handrail("status", "--json").json()["paused_until"] == off["paused_until"]
    assert "mode enforce, off for another 1h" in person.handrail("status").out


def test_only_a_person_switches_enforcement_off_or_on(world: World) -> None:
    session = world.session()
    env: Any
    with unharmed(world.store):
        for who, terminal, env in (
            (None, False, {}),
            (session, True, {}),
            *((None, True, {marker: "1"}) for marker in HARNESS_MARKERS),
        ):
            for ms in (MINUTE, 0):
                with world.open(who, terminal=terminal, **env) as application:
                    with pytest.raises(errors.NeedsPerson):
                        pause(application.context, ms)
    assert until(world) is None


def test_what_is_said_to_who_may_not_leads_a_person_on(world: World) -> None:
    person = world.person()
    step = refusal(person.types("handrail off 45m", terminal=True)).next
    assert "handrail off 45m" in step
    assert person.types(step, terminal=True).code == 0
    assert until(world) is not None


@pytest.mark.parametrize("text", ["25h", "24h1ms", "9999d", "-5m", "soon", "", "30"])
def test_a_duration_that_is_none_or_too_long_is_malformed(world: World, text: str) -> None:
    said = refusal(world.shell().types(f"handrail off -- '{text}'", terminal=True))
    assert said.status == 2
    assert until(world) is None


def test_a_pause_ends_by_itself(world: World) -> None:
    with world.open(terminal=True) as application:
        pause(application.context, PAUSE_MAX_MS)
        assert (until(world) or 0) <= PAUSE_MAX_MS
        pause(application.context, 1)
    assert eventually(lambda: until(world) is None)


def test_a_pause_is_part_of_the_ledger_and_survives_a_rebuild(world: World) -> None:
    with world.open(terminal=True) as application:
        pause(application.context, 60 * MINUTE)
        assert verify_store(application.store, ()).good
    assert world.shell().handrail("store", "rebuild").code == 0
    assert until(world) is not None


def test_a_pause_whose_payload_was_redacted_is_none(world: World) -> None:
    person = world.shell()
    assert person.types("handrail off 1h", terminal=True).code == 0
    seq = person.handrail("log", "-n", "1", "--json").json()["entries"][0]["seq"]
    assert person.types(f"handrail ledger redact {seq} --reason x", terminal=True).code == 0
    assert until(world) is None
