"""The power fails: what was written and not synced is lost, in any part, at any moment.

A file system of SQLite's own kind notes every write and every sync of a history of claims,
renewals, releases, offers and acceptances, with checkpoints among them. Then, for each moment,
disks are made as they could be found afterwards: all that was synced, and of the rest nothing,
everything, or any mixture in pieces of a sector: a later write may be there and an earlier one not,
which is all that a disk can make of it by writing in another order. On every one of them all that
had been acknowledged must stand.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import apsw
import pytest

from handrail.core.events import LeaseGranted, LeaseReleased, LeaseRenewed
from handrail.core.handed import PacketAccepted, PacketOffered, TaskOpened
from handrail.core.lease import EXCLUSIVE
from handrail.core.ledger import Entry, verify
from handrail.core.task import ACCEPTED, COMPLETE, OPEN, reserved_for
from handrail.service.health import verify_store
from handrail.store.sqlite import SqliteStore
from tests.store.grounds import (
    ADA,
    BOB,
    EPOCH,
    FIRST_WALL_MS,
    TTL_MS,
    WORKSPACE,
    FakeClock,
    commit,
    counting_salt,
    grant,
    ledger,
)

SECTOR_BYTES: Final = 512
SEED: Final = 20_260_101


class Write(NamedTuple):
    """Bytes that went to a file; a write of None cuts or stretches it to ``offset``."""

    file: str
    offset: int
    data: bytes | None


class Sync(NamedTuple):
    """A file was synced: what was written to it before is safe."""

    file: str


class Deleted(NamedTuple):
    """A file was deleted, and its folder synced."""

    file: str


class Acknowledged(NamedTuple):
    """Somebody was told that this much of the ledger, these expiries and packets are there."""

    entries: tuple[Entry, ...]
    expiries: dict[int, int]
    packets: dict[tuple[str, int], str]


Note = Write | Sync | Deleted | Acknowledged


class Recorder(apsw.VFS):
    """Passes everything on and notes what would matter if the power failed."""

    def __init__(self) -> None:
        super().__init__("recording", "unix", makedefault=True)
        self.notes: list[Note] = []

    def xOpen(  # noqa: N802 - SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        return RecordedFile(self.notes, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        super().xDelete(filename, syncdir)
        self.notes.append(Deleted(Path(filename).name))


class RecordedFile(apsw.VFSFile):
    def __init__(
        self, notes: list[Note], name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        plain = name.filename() if isinstance(name, apsw.URIFilename) else name or "temporary"
        self._notes, self._name = notes, Path(plain).name
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._notes.append(Write(self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802 - SQLite's name
        self._notes.append(Write(self._name, size, None))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        super().xSync(flags)
        self._notes.append(Sync(self._name))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Note what SQLite does to its files, and when the store itself syncs the log."""
    recorder = Recorder()
    sync = os.fdatasync

    def noted(descriptor: int) -> None:
        sync(descriptor)
        recorder.notes.append(Sync("state.db-wal"))

    monkeypatch.setattr(os, "fdatasync", noted)
    yield recorder
    apsw.set_default_vfs("unix")
    recorder.unregister()


def history(path: Path, notes: list[Note]) -> None:
    """Live through some claims, renewals and releases, with small logs, so with checkpoints."""
    clock = FakeClock()
    SqliteStore.create(str(path), clock, counting_salt(), workspace=WORKSPACE, epoch=EPOCH).close()
    store = SqliteStore(str(path), clock, counting_salt())
    store._connection.wal_autocheckpoint(12)
    notes.append(acknowledged(store))
    for number in range(6):
        token = grant(store, ADA, f"src/{number}", f"lib/{number}/*", f"**/{number}.py")
        notes.append(acknowledged(store))
        clock.let_pass(10)
        commit(store, LeaseRenewed(token, clock.wall_ms + 500_000))
        notes.append(acknowledged(store))
        if number % 2:
            commit(store, LeaseReleased(token, "released"))
            notes.append(acknowledged(store))
        elif number:
            reserved = hand_over(store, f"t-{number}", token, f"src/{number}")
            notes.append(acknowledged(store))
            take_over(store, f"t-{number}", reserved, f"src/{number}")
            notes.append(acknowledged(store))
    store.close()


def hand_over(store: SqliteStore, task: str, token: int, scope: str) -> int:
    """Offer what is held under a token, in one commit; returns the token of the reservation."""
    reserved = store_head(store) + 3
    _, _, granted, _ = commit(
        store,
        TaskOpened(task, task),
        LeaseReleased(token, "offered"),
        leased(reserved_for(task), scope),
        PacketOffered(
            *(task, 1, COMPLETE, "s-ada", "ada", None, None, (scope,), (scope,), reserved),
            *(FIRST_WALL_MS + 900_000, "0" * 64, "{}"),
        ),
    )
    assert granted.seq == reserved
    return reserved


def take_over(store: SqliteStore, task: str, reserved: int, scope: str) -> None:
    """Accept what is reserved, in one commit."""
    token = store_head(store) + 2
    changes = (
        LeaseReleased(reserved, "accepted"),
        leased("s-bob", scope),
        PacketAccepted(task, 1, "s-bob", None, (scope,), token),
    )
    commit(store, *changes, actor=BOB)


def leased(session: str, scope: str) -> LeaseGranted:
    ends_at = FIRST_WALL_MS + 900_000
    return LeaseGranted(
        session, None, EXCLUSIVE, ".", (scope,), TTL_MS, ends_at, lasting=True, beside=()
    )


def store_head(store: SqliteStore) -> int:
    with store.read() as reader:
        return reader.head.seq


def acknowledged(store: SqliteStore) -> Acknowledged:
    with store.read() as reader:
        expiries = {lease.token: lease.expires_at for lease in reader.leases()}
        packets = {(one.task, one.number): one.state for one in reader.packets()}
        return Acknowledged(tuple(reader.entries()), expiries, packets)


class Disk:
    """What is safe on a disk, and what was written to it since, in order."""

    def __init__(self) -> None:
        self.safe: dict[str, bytearray] = {}
        self.loose: list[Write] = []

    def note(self, note: Write | Sync | Deleted) -> None:
        if isinstance(note, Write):
            self.loose.append(note)
            return
        for write in self.loose:
            if write.file == note.file:
                put(self.safe, write)
        if isinstance(note, Deleted):
            self.safe.pop(note.file, None)
        self.loose = [write for write in self.loose if write.file != note.file]

    def found(self, keep: Callable[[], bool]) -> dict[str, bytearray]:
        """Return a disk as it could be found: of what was loose, what ``keep`` keeps."""
        files = {name: bytearray(content) for name, content in self.safe.items()}
        for write in self.loose:
            for piece in sectors(write):
                if keep():
                    put(files, piece)
        return files


def put(files: dict[str, bytearray], write: Write) -> None:
    content = files.setdefault(write.file, bytearray())
    if write.data is None:
        del content[write.offset :]
        return
    end = write.offset + len(write.data)
    content.extend(bytes(max(end - len(content), 0)))
    content[write.offset : end] = write.data


def sectors(write: Write) -> Iterator[Write]:
    if write.data is None:
        yield write
        return
    at = 0
    while at < len(write.data):
        size = SECTOR_BYTES - (write.offset + at) % SECTOR_BYTES
        yield Write(write.file, write.offset + at, write.data[at : at + size])
        at += size


def judge(folder: Path, files: dict[str, bytearray], told: Acknowledged, later: list[Entry]) -> int:
    """Open a disk; all that was acknowledged is there, and nothing that never happened."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    store = SqliteStore(str(folder / "state.db"), FakeClock(), counting_salt())
    entries = ledger(store)
    assert tuple(entries[: len(told.entries)]) == told.entries
    assert entries == later[: len(entries)]
    assert verify(entries).problem is None
    with store.read() as reader:
        for lease in reader.leases():
            assert lease.expires_at >= told.expiries.get(lease.token, 0)
        packets = {(one.task, one.number): one.state for one in reader.packets()}
        for packet, was in told.packets.items():
            assert packets[packet] == was or (was == OPEN and packets[packet] == ACCEPTED)
    assert verify_store(store, store.integrity()).good
    store.close()
    return len(entries)


def test_nothing_acknowledged_is_lost_with_the_unsynced_writes_at_any_moment(
    tmp_path: Path, recorder: Recorder
) -> None:
    history(tmp_path / "live" / "state.db", recorder.notes)
    notes = list(recorder.notes)
    whole = [note for note in notes if isinstance(note, Acknowledged)][-1].entries
    chance = random.Random(SEED)
    disk, told, disks, ahead = Disk(), None, itertools.count(), 0
    for note in notes:
        if isinstance(note, Acknowledged):
            told = note
        else:
            disk.note(note)
        if told is None:
            continue  # before the store's founding was acknowledged nobody counts on anything
        for share in (0.0, 1.0, 0.7):
            files = disk.found(lambda share=share: chance.random() < share)  # type: ignore[misc]
            found = judge(tmp_path / str(next(disks)), files, told, list(whole))
            ahead += found > len(told.entries)
            if not disk.loose:
                break
    assert next(disks) > 150
    assert ahead > 0, "some disks hold a commit that nobody had been told of yet"
    assert sum(isinstance(note, Sync) and note.file == "state.db" for note in notes) >= 2


def test_the_recorder_sees_the_syncs_that_make_a_commit_durable(
    tmp_path: Path, recorder: Recorder
) -> None:
    """Between two acknowledgements of new entries the log was synced: else the test is blind."""
    history(tmp_path / "state.db", recorder.notes)
    synced, entries, commits = False, 0, 0
    for note in recorder.notes:
        if isinstance(note, Sync):
            synced = True
        elif isinstance(note, Acknowledged) and len(note.entries) > entries:
            assert synced
            synced, entries, commits = False, len(note.entries), commits + 1
    assert commits == 14
