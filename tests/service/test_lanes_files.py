"""The lanes tool's files as projections in a real repository: imported, written, read back."""

from __future__ import annotations

import json
from typing import Any, Final

from handrail.core.lease import Actor
from handrail.core.projected import MADE, RowKept
from handrail.projections.tracker import made_activity
from handrail.service.projected_rows import ABSENT, SAME, WRITTEN, Shown
from handrail.service.projecting import Projecting
from tests.cli.world import World
from tests.projections.test_coordination import CONFLICT, HANDOFF, LEASE, full, text
from tests.projections.test_tracker import NEW, NEW_LINE, PAGE, ROW

COORDINATION: Final = "ops/tracker/coordination.json"
TRACKER: Final = "ops/PROJECT_TRACKER.md"
NOTE: Final = "site/website_agent_working_note.md"
CONFIG: Final = f"""
[[role]]
name = "website"
lane = ["site/**"]
note = "{NOTE}"
[[projection]]
format = "lanes-coordination"
path = "{COORDINATION}"
[[projection]]
format = "lanes-tracker"
path = "{TRACKER}"
[[projection]]
format = "lanes-note"
path = "{NOTE}"
"""


def export(world: World, who: str | None = None) -> dict[str, Shown]:
    with world.open(who) as application:
        shown = Projecting(application.context, application.projection_files).export()
    return {one.path: one for one in shown}


def imported(world: World) -> dict[str, Shown]:
    with world.open() as application:
        shown = Projecting(application.context, application.projection_files).import_all()
    return {one.path: one for one in shown}


def coordination(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((world.path / COORDINATION).read_text())
    return found


def test_what_the_original_left_is_imported_and_exported_as_it_was(world: World) -> None:
    world.configure(CONFIG)
    raw = text(
        full(leases=[LEASE], handoffs=[HANDOFF], conflicts=[CONFLICT], extra={"b": 1, "a": 2})
    )
    world.repo.write(COORDINATION, raw)
    world.repo.write(TRACKER, PAGE.replace("\n", "\r\n").encode())
    shown = imported(world)
    assert (shown[COORDINATION].kept, shown[TRACKER].kept, shown[NOTE].outcome) == (4, 0, ABSENT)
    done = export(world)
    assert (done[COORDINATION].outcome, done[TRACKER].outcome) == (SAME, SAME)
    assert (world.path / COORDINATION).read_bytes() == raw
    assert (world.path / TRACKER).read_bytes() == PAGE.replace("\n", "\r\n").encode()
    assert [one.kept for one in imported(world).values()] == [0, 0, 0]


def test_a_claim_changes_no_file_and_shows_in_the_next_export(world: World) -> None:
    world.configure(CONFIG)
    world.repo.write(COORDINATION, text(full(leases=[LEASE], handoffs=[HANDOFF])))
    imported(world)
    export(world)
    before = (world.path / COORDINATION).read_bytes()
    bot = world.session(role="website")
    world.claim(bot, "site/src/**")
    assert (world.path / COORDINATION).read_bytes() == before
    done = export(world, bot)
    assert {one.outcome for one in done.values()} == {WRITTEN, ABSENT}
    assert done[TRACKER].outcome == ABSENT
    assert [(row["scope"], row["session_id"]) for row in coordination(world)["leases"]] == [
        ("site/src", bot)
    ]
    assert f"- session_id: {bot}\n" in (world.path / NOTE).read_text()
    assert {one.told for one in done.values()} == {()}
    world.release(bot)
    export(world)
    assert coordination(world) == full(handoffs=[HANDOFF])


def test_what_people_write_is_kept_and_outlives_the_file(world: World) -> None:
    world.configure(CONFIG)
    bot = world.session(role="website")
    world.repo.write(COORDINATION, text(full(conflicts=[CONFLICT])))
    imported(world)
    export(world, bot)
    decided = {**CONFLICT, "decision": "website goes first"}
    lie = {**LEASE, "agent_id": "nobody"}
    world.repo.write(COORDINATION, text(full(leases=[lie], conflicts=[decided])))
    done = export(world, bot)[COORDINATION]
    assert (done.kept, [told.code for told in done.told]) == (1, ["overwritten"])
    assert coordination(world) == full(conflicts=[decided])
    (world.path / COORDINATION).unlink()
    export(world, bot)
    assert coordination(world) == full(conflicts=[decided])


def test_rows_that_handrail_makes_go_into_the_tracker_once(world: World) -> None:
    world.configure(CONFIG)
    bot = world.session(role="website")
    world.repo.write(TRACKER, PAGE)
    row = made_activity(bot, "website", NEW)
    with world.open(bot) as application, application.store.transaction() as tx:
        tx.commit([RowKept(TRACKER, row.key, row.record, MADE, 0)], Actor())
    line = NEW_LINE.replace("s-1", bot)
    for _ in range(2):
        export(world, bot)
        assert (world.path / TRACKER).read_text() == PAGE.replace(ROW, f"{ROW}\n{line}")
