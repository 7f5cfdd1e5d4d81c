"""Processes that claim, offer and accept without pause and write down what they were told.

Imported by the server of the races: nothing of pytest here. What cannot be told because the server
is away is asked again, under the same request, until it is told.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from handrail import errors
from handrail.errors.handoff import TaskExists
from handrail.service.handoffs import Offering
from handrail.service.leases import Asked
from handrail.service.tasks import Tasks
from handrail.wiring import Application
from tests.linear.sites import Site
from tests.races.handing import Quick

Told = TypeVar("Told")


class Diary:
    """Lines in a file: what was acknowledged, and how long somebody waited for a refusal."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, *words: object) -> None:
        os.write(self._file, (json.dumps(words) + "\n").encode())


def work(site: Site, session: str, diary: Path, stop: Path) -> None:
    """Claim, offer and accept until a file tells to stop; every answer goes into the diary."""
    notes, number = Diary(diary), 0
    app = persistent(notes, lambda: site.open(session))
    while not stop.exists():
        number += 1
        _once(app, notes, session, number)
    app.close()


def _once(app: Application, notes: Diary, session: str, number: int) -> None:
    handoffs = Quick(app.context, app.packet_files)
    scope, task = f"load/{session}/{number}", f"{session}-{number}"
    asked = Asked((scope,), request_id=f"claim-{session}-{number}")
    token = persistent(notes, lambda: app.leases.claim(asked)).token
    notes.note("claim", scope, int(token.partition(":")[2]))
    if number % 3:
        return

    def open_task() -> None:
        with suppress(TaskExists):  # it was opened before, and nobody could tell us
            Tasks(app.context).open(task)

    persistent(notes, open_task)
    done = persistent(notes, lambda: handoffs.accept(task, request_id=f"accept-{task}"))
    notes.note("accept", task, done.packet.number if done.packet else 0)
    offering = Offering(task=task, scope=(scope,), request_id=f"offer-{task}")
    packet = persistent(notes, lambda: handoffs.offer(offering)).packet
    notes.note("offer", task, packet.number)


def persistent(notes: Diary, act: Callable[[], Told]) -> Told:
    """Ask until there is an answer; note each time how long it took to learn that there is none."""
    while True:
        began = time.monotonic()
        try:
            return act()
        except errors.Unavailable as error:
            notes.note("unavailable", error.code, error.exit_status, time.monotonic() - began)
            time.sleep(0.02)


def wait(site: Site, session: str, diary: Path, stop: Path) -> None:
    """Wait in line for what somebody holds; note when the server let us down."""
    notes = Diary(diary)
    while not stop.exists():
        with suppress(errors.Refused):
            try:
                app = site.open(session)
                notes.note("waiting", time.monotonic())
                app.leases.claim_waiting(Asked(("held",)), wait_ms=60_000)
            except errors.Unavailable as error:
                notes.note("let down", error.exit_status, time.monotonic())
                time.sleep(0.02)
