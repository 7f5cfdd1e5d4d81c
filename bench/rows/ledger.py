"""A ledger of a million entries: the newest entry of a subject, and verifying all of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256

from bench.ground import found, scratch, session
from bench.measure import Result, Target, each, in_turn, median, seconds, spread
from bench.seed import TASKS, seed_ledger, task
from handrail.service.records import Records
from handrail.store.port import Reader
from handrail.wiring import Application

ENTRIES = 1_000_000
ENTRIES_QUICK = 5_000
CHUNK = 20_000


def million_entries(quick: bool) -> Sequence[Result]:
    """Fill a ledger through the store, then look up and verify as the commands do."""
    size = ENTRIES_QUICK if quick else ENTRIES
    with scratch() as folder:
        found(folder)
        application = session(folder, "bench")
        seed_ledger(application, size)
        with application.store.read() as reader:
            assert reader.latest("history.imported", task(1)) is not None
            looks, rows = in_turn(
                50 if quick else 5_000,
                each(_newest_of_a_task(reader, size)),
                each(_by_number(reader, size)),
            )
        verifies, hashes = in_turn(
            1 if quick else 3, lambda: _verify(application), lambda: _hash(application)
        )
        application.close()
    entries = f"{size:,}".replace(",", " ")
    return [
        Result(
            "ledger",
            f"newest entry of a task, of {entries}",
            median(looks) * 1e6,
            "µs",
            median(rows) * 1e6,
            "one entry by its number",
            Target("<=", 50, absolute=True),
            {"latest_us": spread(looks, 1e6)},
        ),
        Result(
            "ledger",
            f"ledger verify, {entries} entries",
            median(verifies),
            "s",
            median(hashes),
            "SHA-256 of the same bytes",
            Target("<=", 7),
            {"verify_s": spread(verifies), "hash_s": spread(hashes)},
        ),
    ]


def _newest_of_a_task(reader: Reader, size: int) -> Iterator[Callable[[], object]]:
    chance, tasks = random.Random(7), min(TASKS, size // 10)
    while True:
        yield partial(reader.latest, "history.imported", task(chance.randrange(1, tasks)))


def _by_number(reader: Reader, size: int) -> Iterator[Callable[[], object]]:
    chance = random.Random(11)
    while True:
        number = chance.randint(1, size)
        yield partial(list, reader.entries(number - 1, number))


def _verify(application: Application) -> float:
    """Verify as ``handrail ledger verify`` does."""
    records = Records(application.context)
    return seconds(lambda: records.verify((), lambda number: None))


def _hash(application: Application) -> float:
    """Hash header and payload of every entry; reading them is not counted."""
    total = 0.0
    with application.store.read() as reader:
        for chunk in _chunks(reader):
            total += seconds(partial(_hash_all, chunk))
    return total


def _hash_all(chunk: Sequence[tuple[bytes, bytes]]) -> None:
    for header, payload in chunk:
        sha256(header).hexdigest()
        sha256(payload).hexdigest()


def _chunks(reader: Reader) -> Iterator[list[tuple[bytes, bytes]]]:
    chunk = []
    for entry in reader.entries():
        chunk.append((entry.header, entry.payload or b""))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk
