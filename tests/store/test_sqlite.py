"""What only a file can do: be newer, foreign, damaged, read-only, on a full or a network disk."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import apsw
import pytest

import handrail.store.filesystem
from handrail import errors
from handrail.core.events import PayloadRedacted
from handrail.core.ledger import Entry, verify
from handrail.service.health import verify_store
from handrail.store.filesystem import kind_of, refuse_network
from handrail.store.port import RARE
from handrail.store.sqlite import SqliteStore, connection
from handrail.store.sqlite import store as store_module
from tests.store.confined import NOBODY, as_nobody, inside_own_mounts
from tests.store.grounds import (
    ADA,
    EPOCH,
    WORKSPACE,
    FakeClock,
    SqliteGround,
    commit,
    counting_salt,
    grant,
    ledger,
    started,
)

APPLICATION_ID: Final = 0x48524C31


def create(path: Path) -> SqliteStore:
    return SqliteStore.create(
        str(path), FakeClock(), counting_salt(), workspace=WORKSPACE, epoch=EPOCH
    )


def reopen(path: Path | str) -> SqliteStore:
    return SqliteStore(str(path), FakeClock(), counting_salt())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = create(path)
    yield store
    store.close()


def execute(path: Path, *statements: str) -> None:
    """Do something to the file behind Handrail's back."""
    raw = apsw.Connection(str(path))
    for statement in statements:
        raw.execute(statement).fetchall()
    raw.close()


def rows(path: Path, question: str) -> list[Any]:
    raw = apsw.Connection(str(path))
    found = raw.execute(question).fetchall()
    raw.close()
    return found


def settled(path: Path) -> bytes:
    """Bring all of the store into the one file; returns its bytes."""
    execute(path, "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode=DELETE")
    return path.read_bytes()


def files_of(folder: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in sorted(folder.iterdir())}


# ------------------------------------------------------------------------------- files of all sorts


def test_no_file_is_no_store(tmp_path: Path) -> None:
    for missing in (tmp_path / "state.db", tmp_path / "no" / "folder" / "state.db"):
        with pytest.raises(errors.NotInitialised):
            reopen(missing)
        assert not missing.exists()


def test_an_empty_file_is_no_store_and_becomes_one(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(errors.NotInitialised):
        reopen(path)
    create(path).close()
    assert len(ledger(reopen(path))) == 1


def test_a_file_whose_founding_was_cut_short_is_no_store_and_becomes_one(path: Path) -> None:
    path.parent.mkdir()
    execute(path, "PRAGMA journal_mode=WAL")
    assert path.stat().st_size > 0
    with pytest.raises(errors.NotInitialised):
        reopen(path)
    create(path).close()
    assert len(ledger(reopen(path))) == 1


def test_a_store_that_exists_stays_as_it_is(store: SqliteStore, path: Path) -> None:
    grant(store, ADA, "a")
    before = ledger(store)
    again = SqliteStore.create(
        str(path), FakeClock(), counting_salt(), workspace="other", epoch="other"
    )
    assert ledger(again) == before
    with again.read() as reader:
        assert (reader.workspace, reader.epoch) == (WORKSPACE, EPOCH)


def test_a_newer_format_is_refused_and_left_as_it_is(store: SqliteStore, path: Path) -> None:
    store.close()
    execute(path, "PRAGMA user_version=999", "DROP TABLE lease")
    before = settled(path)
    for attempt in (reopen, create):
        with pytest.raises(errors.NewerFormat) as caught:
            attempt(path)
        assert (caught.value.values["found"], caught.value.values["known"]) == (
            999,
            connection.FORMAT,
        )
    assert path.read_bytes() == before


def test_a_store_that_became_newer_while_it_was_open_is_not_written_any_more(
    store: SqliteStore, path: Path
) -> None:
    grant(store, ADA, "a")
    execute(path, f"PRAGMA user_version={NEXT}")
    with pytest.raises(errors.NewerFormat):
        grant(store, ADA, "b")
    execute(path, f"PRAGMA user_version={NEXT - 1}")
    assert len(ledger(store)) == 2


@pytest.mark.parametrize("version", [0, 1, 7, -1])
def test_a_database_of_another_program_is_refused_and_left_as_it_is(
    path: Path, version: int
) -> None:
    path.parent.mkdir()
    execute(
        path,
        f"PRAGMA user_version={version}",
        "PRAGMA application_id=252006674",
        "CREATE TABLE t(x)",
    )
    before = path.read_bytes()
    for attempt in (reopen, create):
        with pytest.raises(errors.StoreCorrupt, match="another program"):
            attempt(path)
    assert path.read_bytes() == before


def test_a_format_below_nought_is_damage(store: SqliteStore, path: Path) -> None:
    store.close()
    execute(path, "PRAGMA user_version=-3")
    with pytest.raises(errors.StoreCorrupt):
        reopen(path)


TABLES: Final = (
    *("state", "entry", "lease", "may_write", "session"),
    *("waiter", "attestation", "config", "request"),
)


@pytest.mark.parametrize("table", TABLES)
def test_a_half_migrated_file_is_damage_whichever_table_is_missing(path: Path, table: str) -> None:
    create(path).close()
    execute(path, f"DROP TABLE {table}")
    store = reopen(path)
    with pytest.raises(errors.StoreCorrupt, match=table):
        touch_everything(store)


def touch_everything(store: SqliteStore) -> None:
    """Read and write each table; errors come out."""
    with store.read() as reader:
        list(reader.entries())
        reader.leases()
        reader.sessions()
        reader.waiters()
        reader.config()
        reader.attestations()
        reader.guard_rows()
    grant(store, ADA, "a", request=None)
    with store.transaction() as tx:
        from handrail.store.port import Request

        tx.outcome(Request("r", "d"))
        list(tx.near(()))
        list(tx.near(tx.leases()[0].patterns))


def test_a_store_without_its_state_row_is_damage(store: SqliteStore, path: Path) -> None:
    execute(path, "DELETE FROM state")
    with pytest.raises(errors.StoreCorrupt):
        ledger(store)
    with pytest.raises(errors.StoreCorrupt):
        grant(store, ADA, "a")


@pytest.mark.parametrize("size", [2, 15, 16, 100, 4_096, 20_000])
def test_a_file_of_garbage_is_damage_and_left_as_it_is(path: Path, size: int) -> None:
    path.parent.mkdir()
    garbage = (bytes(range(7, 250)) * 100)[:size]
    path.write_bytes(garbage)
    for attempt in (reopen, create):
        with pytest.raises(errors.StoreCorrupt):
            attempt(path)
    assert path.read_bytes() == garbage


def test_a_truncated_file_is_damage_or_found_and_never_a_shorter_history(path: Path) -> None:
    store = create(path)
    for number in range(40):
        grant(store, ADA, f"src/{number}", f"lib/{number}/*")
    entries = ledger(store)
    store.close()
    whole = settled(path)
    said = set()
    for size in (*range(0, len(whole), 4_096), *range(0, len(whole), 3_001), 100, 99, 30):
        path.write_bytes(whole[:size])
        said.add(judge(path, entries))
    assert "damage" in said
    path.write_bytes(whole)
    assert judge(path, entries) == "harmless"


def test_a_flipped_byte_is_damage_or_found_by_the_verification_or_harmless(path: Path) -> None:
    store = create(path)
    for number in range(20):
        grant(store, ADA, f"src/{number}")
    entries = ledger(store)
    store.close()
    whole = settled(path)
    found = {"damage": 0, "found": 0, "harmless": 0}
    for place in range(20, len(whole), 509):
        broken = bytearray(whole)
        broken[place] ^= 0x55
        path.write_bytes(broken)
        found[judge(path, entries)] += 1
    assert found["damage"] > 0
    assert found["found"] > 0


def judge(path: Path, entries: list[Entry]) -> str:
    """Say what becomes of a broken file; what passes for good must be the whole history."""
    try:
        store = reopen(path)
    except errors.HandrailError as error:
        assert error.exit_status == errors.EXIT_UNAVAILABLE
        return "damage"
    try:
        seen = ledger(store)
        verified = verify_store(store, store.integrity())
    except errors.HandrailError as error:
        assert error.exit_status == errors.EXIT_UNAVAILABLE, error.code
        return "damage"
    except (ValueError, KeyError, TypeError) as error:
        pytest.fail(f"{type(error).__name__} came out: {error}")
    finally:
        store.close()
    if seen != entries:
        assert not verified.good
    return "harmless" if verified.good else "found"


def test_a_folder_in_the_files_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    for attempt in (reopen, create):
        with pytest.raises(errors.StoreReadOnly):
            attempt(path)


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(errors.NotInitialised):
        reopen(tmp_path / "state" / "state.db")
    with pytest.raises(errors.StoreReadOnly):
        create(tmp_path / "state" / "state.db")


@pytest.mark.parametrize(
    "name", ["with space", "quo'te", 'dou"ble', "semi;colon", "per%20cent", "é", "ques?mark", "#"]
)
def test_a_store_can_lie_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    store = create(tmp_path / name / "state.db")
    grant(store, ADA, "a")
    assert (tmp_path / name / "state.db").exists()
    assert len(ledger(reopen(store.path))) == 2


def test_a_store_can_lie_in_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    store = create(Path(folder) / "state.db")
    grant(store, ADA, "a")
    assert len(ledger(reopen(store.path))) == 2


# ------------------------------------------------------------------------------------- read-only


READS: Final = {"read": "done", "write": "store_read_only", "create": "store_read_only"}
NOTHING: Final = dict.fromkeys(READS, "store_read_only")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a store in a folder that every user can reach."""
    import shutil
    import tempfile

    top = Path(tempfile.mkdtemp(prefix="handrail-", dir="/tmp"))
    top.chmod(0o755)
    folder = top / "state"
    store = create(folder / "state.db")
    grant(store, ADA, "a")
    store.close()
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(top)


def test_a_folder_mounted_read_only_can_be_read_and_not_written(open_folder: Path) -> None:
    found = inside_own_mounts("read_only_folder", open_folder)
    assert found["old"] == READS
    assert found["new"] == {
        "read": "not_initialised",
        "write": "not_initialised",
        "create": "store_read_only",
    }


def test_a_file_mounted_read_only_can_be_read_and_not_written(open_folder: Path) -> None:
    assert inside_own_mounts("read_only_file", open_folder) == READS


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "wanted"),
    [
        (0o755, 0o644, dict.fromkeys(READS, "done")),
        (0o555, 0o644, dict.fromkeys(READS, "done")),  # all the files are there already
        (0o755, 0o444, READS),
        (0o555, 0o444, READS),
        (0o755, 0o000, NOTHING),
        (0o000, 0o644, NOTHING),
    ],
)
def test_rights_of_folder_and_files_decide_what_can_be_done(
    open_folder: Path, folder_mode: int, file_mode: int, wanted: dict[str, str]
) -> None:
    for found in open_folder.iterdir():
        found.chmod(file_mode)
        _give_away(found)
    open_folder.chmod(folder_mode)
    _give_away(open_folder)
    assert as_nobody("without_rights", open_folder) == wanted


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def test_a_store_of_another_user_is_out_of_reach(open_folder: Path) -> None:
    """As an ordinary user we cannot make one, so there we take our own rights away."""
    if os.geteuid() != 0:
        open_folder.chmod(0)
    assert as_nobody("without_rights", open_folder) == NOTHING


def test_store_and_folder_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = create(tmp_path / "state" / "state.db")
        grant(store, ADA, "a")
        connection.keep_copy(store._connection, store.path, 1)
    finally:
        os.umask(before)
    modes = {
        found.name: oct(stat.S_IMODE(found.stat().st_mode))
        for found in (tmp_path / "state", *(tmp_path / "state").iterdir())
    }
    assert modes == {
        "state": "0o700",
        **dict.fromkeys(("state.db", "state.db-wal", "state.db-shm", "state.db.v1"), "0o600"),
        **dict.fromkeys(("state.queue", "state.turn"), "0o600"),
    }


# ------------------------------------------------------------------------------------- a full disk


def test_a_full_disk_refuses_and_changes_nothing_and_all_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    told = inside_own_mounts("full_disk", tmp_path)
    assert len(told) == 14
    for disk in told:
        assert disk["codes"][-1] == "disk_full"
        assert set(disk["codes"]) <= {"done", "disk_full"}
        assert disk["granted"] == disk["codes"].count("done")
        assert disk["prefix"] is disk["verifies"] is disk["reopened"] is True
        assert disk["integrity"] == []
        assert disk["after"] == "done"
    assert {disk["granted"] for disk in told} >= {0, 1}, "both sides of the boundary"


def test_a_disk_that_is_full_from_the_start_is_named_so(tmp_path: Path) -> None:
    told = inside_own_mounts("full_from_the_start", tmp_path)
    assert told.pop("same") is True
    assert {told.pop("after"), told.pop("create after")} == {"done"}
    assert set(told.values()) == {"disk_full"}


def test_a_disk_without_inodes_is_a_full_disk(tmp_path: Path) -> None:
    assert inside_own_mounts("no_inodes", tmp_path) == {"create": "disk_full"}


# ------------------------------------------------------------------------------------ a busy file


@pytest.mark.serial
def test_a_program_that_does_not_queue_is_waited_for_and_then_reported(path: Path) -> None:
    create(path).close()
    store = SqliteStore(str(path), FakeClock(), counting_salt(), busy_ms=150)
    raw = apsw.Connection(str(path))
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.StoreBusy):
        grant(store, ADA, "a")
    raw.execute("ROLLBACK")
    grant(store, ADA, "a")
    raw.close()


def test_a_transaction_has_the_file_to_itself_from_its_first_moment(
    store: SqliteStore, path: Path
) -> None:
    raw = apsw.Connection(str(path))
    with store.transaction():
        with pytest.raises(apsw.BusyError):
            raw.execute("BEGIN IMMEDIATE")
        assert raw.execute("SELECT count(*) FROM lease").get == 0, "reading goes on"
    raw.execute("BEGIN IMMEDIATE")
    raw.close()


def test_the_refusal_names_the_process_that_holds_the_store(path: Path) -> None:
    create(path).close()
    first = reopen(path)
    second = SqliteStore(str(path), FakeClock(), counting_salt(), busy_ms=50)
    caught: list[errors.StoreBusy] = []

    def wait() -> None:
        try:
            grant(second, ADA, "a")
        except errors.StoreBusy as busy:
            caught.append(busy)

    with first.transaction():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(10)
    assert [busy.values["pid"] for busy in caught] == [str(os.getpid())]
    assert caught[0].values["path"] == str(path)


def test_what_verify_asks_is_answered_from_an_index(path: Path) -> None:
    """Attestations can be many; none of these questions may read them all."""
    store = create(path)
    asked: list[str] = []
    with store.read() as reader:
        run = reader._run

        def listening(sql: str, values: tuple[object, ...] = ()) -> object:
            asked.extend(str(row[-1]) for row in run(f"EXPLAIN QUERY PLAN {sql}", values))
            return run(sql, values)

        reader._run = listening  # type: ignore[assignment]
        reader.attestations_of("c")
        reader.attested_alike("h", 9)
        for kind in RARE:
            reader.recorded(kind, 9)
    assert len(asked) == 2 + len(RARE)
    assert all("SEARCH entry USING INDEX" in plan for plan in asked), asked


# ------------------------------------------------------------------------------------- migrations

NEXT: Final = connection.FORMAT + 1
COPY: Final = f"state.db.v{NEXT - 1}"
NEXT_SCRIPT: Final = """
CREATE TABLE extra (x INTEGER NOT NULL) STRICT;
SELECT count(*) FROM lease;
INSERT INTO extra SELECT token FROM lease;
ALTER TABLE session ADD COLUMN more TEXT;
"""


@pytest.fixture
def next_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this program be one that knows the next format."""
    know_the_next_format(monkeypatch)


def know_the_next_format(monkeypatch: pytest.MonkeyPatch, script: str = NEXT_SCRIPT) -> None:
    scripts = {**connection.migrations(), NEXT: script}
    monkeypatch.setattr(connection, "FORMAT", NEXT)
    monkeypatch.setattr(store_module, "FORMAT", NEXT)
    monkeypatch.setattr(store_module, "migrations", lambda: scripts)


def old_store(path: Path) -> list[Entry]:
    store = create(path)
    grant(store, ADA, "a")
    grant(store, ADA, "b", "c/*")
    entries = ledger(store)
    store.close()
    return entries


def format_and_extra(path: Path) -> tuple[int, list[int] | None]:
    ((version,),) = rows(path, "PRAGMA user_version")
    try:
        return version, [x for (x,) in rows(path, "SELECT x FROM extra ORDER BY x")]
    except apsw.SQLError:
        return version, None


def test_an_older_format_is_brought_up_by_the_next_write_and_a_copy_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = old_store(path)
    know_the_next_format(monkeypatch)
    store = reopen(path)
    assert ledger(store) == entries, "reading needs no migration"
    assert format_and_extra(path) == (NEXT - 1, None)
    grant(store, ADA, "d")
    assert format_and_extra(path) == (NEXT, [2, 3])
    assert ledger(store)[:3] == entries
    assert verify_store(store, store.integrity()).good
    copy = path.with_name(COPY)
    assert format_and_extra(copy) == (NEXT - 1, None)
    monkeypatch.undo()
    assert ledger(reopen(copy)) == entries
    assert not list(path.parent.glob("*.part*"))


def test_a_transaction_that_commits_nothing_brings_an_older_format_up_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_store(path)
    know_the_next_format(monkeypatch)
    with reopen(path).transaction():
        pass
    assert format_and_extra(path) == (NEXT, [2, 3])


@pytest.mark.usefixtures("next_format")
def test_a_new_store_is_made_in_the_newest_format_without_a_copy(path: Path) -> None:
    create(path).close()
    assert format_and_extra(path) == (NEXT, [])
    assert not path.with_name(COPY).exists()


def test_two_programs_that_both_found_an_older_format_bring_it_up_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_store(path)
    know_the_next_format(monkeypatch)
    first, second = reopen(path), reopen(path)
    grant(first, ADA, "d")
    grant(second, ADA, "e")
    assert format_and_extra(path) == (NEXT, [2, 3])
    assert format_and_extra(path.with_name(COPY)) == (NEXT - 1, None)


def test_a_migration_that_fails_leaves_the_old_format_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = old_store(path)
    know_the_next_format(monkeypatch, NEXT_SCRIPT + "INSERT INTO nowhere VALUES (1);")
    store = reopen(path)
    with pytest.raises(errors.StoreCorrupt):
        grant(store, ADA, "d")
    assert format_and_extra(path) == (NEXT - 1, None)
    monkeypatch.undo()
    assert ledger(store) == entries
    grant(reopen(path), ADA, "d")


def test_leftovers_of_an_interrupted_copy_are_in_nobodys_way(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = old_store(path)
    for suffix in (".part", ".part-wal", ".part-shm", ".part-journal"):
        path.with_name(f"{COPY}{suffix}").write_bytes(b"half")
    path.with_name(COPY).write_bytes(b"an older copy")
    know_the_next_format(monkeypatch)
    grant(reopen(path), ADA, "d")
    monkeypatch.undo()
    assert ledger(reopen(path.with_name(COPY))) == entries
    assert not list(path.parent.glob("*.part*"))


def test_the_scripts_are_numbered_without_a_gap_up_to_the_format() -> None:
    assert sorted(connection.migrations()) == list(range(1, connection.FORMAT + 1))


def test_the_first_format_is_the_one_that_every_store_out_there_has(tmp_path: Path) -> None:
    """Frozen: a change of these tables is a migration, not an edit."""
    import hashlib

    text = re.sub(r"\s*--[^\n]*", "", connection.migrations()[1])
    digest = hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
    assert digest[:16] == FIRST_FORMAT


FIRST_FORMAT: Final = "6b3f4a2dfaa66072"


# -------------------------------------------------------------------------------------- durability


def test_a_commit_waits_for_the_disk_and_nobody_else_waits_for_that(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def sync(descriptor: int) -> None:
        log = os.stat(f"{path}-wal")
        assert os.path.samestat(os.fstat(descriptor), log)
        with reopen(path).transaction() as tx:
            seen.append((tx.head.seq, log.st_size))

    monkeypatch.setattr(os, "fdatasync", sync)
    token = grant(store, ADA, "a")
    assert [seq for seq, _ in seen] == [token]
    with store.transaction():
        pass
    with store.read():
        pass
    assert len(seen) == 1, "where nothing was written there is nothing to wait for"
    assert store._connection.pragma("journal_mode") == "wal"
    assert store._connection.pragma("synchronous") == 1, "checkpoints sync on their own"


def test_a_disk_that_cannot_sync_is_no_acknowledgement(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(errors.DiskFull):
        grant(store, ADA, "a")
    monkeypatch.undo()
    grant(store, ADA, "b")


def test_the_sqlite_that_apsw_brings_has_no_wal_reset_bug() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    assert version >= (3, 51, 3)
    assert connection.sqlite_version() == f"SQLite {apsw.sqlite_lib_version()}"


def test_what_was_redacted_is_in_no_file_after_scrubbing(store: SqliteStore, path: Path) -> None:
    secret = b"src/very-secret-name"
    token = grant(store, ADA, secret.decode())
    for number in range(30):
        grant(store, ADA, f"lib/{number}")
    commit_release(store, token)
    with store.transaction() as tx:
        tx.redact(token)
        tx.commit([PayloadRedacted(token, "why")], ADA)
    store.scrub()
    assert not [name for name, content in files_of(path.parent).items() if secret in content]
    assert verify(ledger(store)).problem is None


def commit_release(store: SqliteStore, token: int) -> None:
    from handrail.core.events import LeaseReleased

    commit(store, LeaseReleased(token, "released"))


@pytest.mark.serial
def test_scrubbing_says_so_if_a_reader_keeps_the_log(path: Path) -> None:
    create(path).close()
    store = SqliteStore(str(path), FakeClock(), counting_salt(), busy_ms=100)
    with reopen(path).read() as reader:
        assert reader.head.seq == 1
        commit(store, started(ADA))
        with pytest.raises(errors.StoreBusy):
            store.scrub()
    store.scrub()


def test_integrity_is_what_sqlite_says(store: SqliteStore, path: Path) -> None:
    for number in range(50):
        grant(store, ADA, f"src/{number}")
    assert store.integrity() == []
    store.close()
    whole = bytearray(settled(path))
    ((root,),) = rows(path, "SELECT rootpage FROM sqlite_schema WHERE name='may_write'")
    start = (root - 1) * 4_096
    whole[start + 8 : start + 40] = b"\0" * 32
    path.write_bytes(whole)
    again = reopen(path)
    assert again.integrity() != []


# -------------------------------------------------------------------------------- errors of drivers


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (apsw.FullError("disk"), "disk_full"),
        (apsw.BusyError("busy"), "store_busy"),
        (apsw.LockedError("locked"), "store_busy"),
        (apsw.ReadOnlyError("x"), "store_read_only"),
        (apsw.CantOpenError("x"), "store_read_only"),
        (apsw.PermissionsError("x"), "store_read_only"),
        (apsw.CorruptError("x"), "store_corrupt"),
        (apsw.NotADBError("x"), "store_corrupt"),
        (apsw.FormatError("x"), "store_corrupt"),
        (apsw.SQLError("no such table: lease"), "store_corrupt"),
        (apsw.IOError("x"), "facts_unavailable"),
        (apsw.MisuseError("x"), "bug"),
    ],
)
def test_every_error_of_the_driver_leaves_as_one_of_ours(error: apsw.Error, code: str) -> None:
    assert connection.translate(error, "/x/state.db").code == code


# ------------------------------------------------------------------------ network file systems

MOUNTS: Final = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 0:26 / /tmp rw,nosuid,nodev shared:11 - tmpfs tmpfs rw,size=4096k
31 27 8:3 / /home rw,relatime shared:29 - xfs /dev/sda3 rw,attr2
32 27 0:44 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw,lowerdir=/a
33 27 0:50 / /btrfs rw - btrfs /dev/sdb rw
34 27 0:51 / /zfs rw - zfs tank/data rw
36 27 0:33 / /mnt/nfs4 rw,relatime shared:1 - nfs4 server:/export rw,vers=4.2
37 27 0:34 / /mnt/nfs rw - nfs server:/export rw,vers=3
38 27 0:35 / /mnt/cifs rw - cifs //server/share rw
39 27 0:36 / /mnt/smb3 rw - smb3 //server/share rw
40 27 0:37 / /mnt/9p rw - 9p drvfs rw
41 27 0:38 / /mnt/sshfs rw,nosuid - fuse.sshfs me@host: rw
42 27 0:39 / /mnt/ntfs rw - fuseblk /dev/sdc1 rw
43 27 0:40 / /mnt/fuse rw - fuse something rw
44 27 0:41 / /mnt/ceph rw - ceph 10.0.0.1:/ rw
45 27 0:42 / /mnt/gfs2 rw - gfs2 /dev/gfs rw
46 27 0:43 / /mnt/lustre rw - lustre mgs:/fs rw
47 27 0:45 / /mnt/gluster rw - fuse.glusterfs host:/vol rw
48 27 0:46 / /mnt/afs rw - afs #root.cell rw
49 36 0:47 / /mnt/nfs4/local rw - ext4 /dev/loop0 rw
50 31 0:48 / /home/ada/my\040net\011work\134disk rw master:1 - nfs4 server:/x rw
51 27 0:49 / /twice rw - nfs4 server:/below rw
52 51 0:52 / /twice rw - ext4 /dev/above rw
53 27 0:53 / /automount rw - autofs systemd-1 rw
a line that is none
54 27 0:54
""".strip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/projects/x", "ext4"),
        ("/tmp/a/b", "tmpfs"),
        ("/tmp", "tmpfs"),
        ("/tmpx", "ext4"),
        ("/home/ada/repo/.git/handrail", "xfs"),
        ("/var/lib/docker/overlay2/x/merged/y", "overlay"),
        ("/btrfs/x", "btrfs"),
        ("/zfs/x", "zfs"),
        ("/mnt/nfs4/local/x", "ext4"),
        ("/mnt/nfs4x", "ext4"),
        ("/twice/x", "ext4"),
        ("/automount/x", "autofs"),
    ],
)
def test_a_local_file_system_is_told_by_the_innermost_mount_and_accepted(
    path: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kind_of(path, MOUNTS) == kind
    with_mounts(monkeypatch, tmp_path, MOUNTS)
    refuse_network(path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mnt/nfs4/repo/.git/handrail/state.db", "nfs4"),
        ("/mnt/nfs4", "nfs4"),
        ("/mnt/nfs4/locally", "nfs4"),
        ("/mnt/nfs/x", "nfs"),
        ("/mnt/cifs/x", "cifs"),
        ("/mnt/smb3/x", "smb3"),
        ("/mnt/9p/x", "9p"),
        ("/mnt/sshfs/x", "fuse.sshfs"),
        ("/mnt/ntfs/x", "fuseblk"),
        ("/mnt/fuse/x", "fuse"),
        ("/mnt/ceph/x", "ceph"),
        ("/mnt/gfs2/x", "gfs2"),
        ("/mnt/lustre/x", "lustre"),
        ("/mnt/gluster/x", "fuse.glusterfs"),
        ("/mnt/afs/x", "afs"),
        ("/home/ada/my net\twork\\disk/repo", "nfs4"),
    ],
)
def test_a_network_file_system_is_refused_by_name(
    path: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kind_of(path, MOUNTS) == kind
    with_mounts(monkeypatch, tmp_path, MOUNTS)
    with pytest.raises(errors.NetworkFileSystem) as caught:
        refuse_network(path)
    assert caught.value.values == {"path": path, "filesystem": kind}


def with_mounts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    recorded = tmp_path / "mountinfo"
    recorded.write_bytes(text.encode() + b"\n60 27 0:60 / /by\xfftes rw - nfs4 s:/ rw\n")
    monkeypatch.setattr(handrail.store.filesystem, "_MOUNTS", str(recorded))


def test_a_mount_point_that_is_no_text_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_mounts(monkeypatch, tmp_path, MOUNTS)
    with pytest.raises(errors.NetworkFileSystem):
        refuse_network(os.fsdecode(b"/by\xfftes/x"))


def test_a_machine_that_does_not_tell_its_mounts_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handrail.store.filesystem, "_MOUNTS", str(tmp_path / "none"))
    refuse_network("/mnt/nfs4/x")


def test_opening_and_creating_ask_where_the_file_really_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "net"
    create(real / "state" / "state.db").close()
    (tmp_path / "link").symlink_to(real)
    before = sorted(real.rglob("*"))
    with_mounts(monkeypatch, tmp_path, f"{MOUNTS}\n61 27 0:61 / {real} rw - nfs4 s:/ rw")
    for path in (real / "state" / "state.db", tmp_path / "link" / "state" / "state.db"):
        with pytest.raises(errors.NetworkFileSystem):
            reopen(path)
        with pytest.raises(errors.NetworkFileSystem):
            create(path)
        with pytest.raises(errors.NetworkFileSystem):
            create(path.parent / "deeper" / "state.db")
    assert sorted(real.rglob("*")) == before
    create(tmp_path / "here" / "state.db").close()


# ------------------------------------------------------------------------------------- many stores


def test_the_ledger_of_a_store_does_not_depend_on_who_opened_it(tmp_path: Path) -> None:
    """Entries are bytes as stored: nothing is written anew when a file is opened or closed."""
    ground = SqliteGround(tmp_path)
    store = ground.create(FakeClock())
    grant(store, ADA, "é", "\U0001f600/*")
    stored = rows(Path(store.path), "SELECT header, payload FROM entry")
    again = ground.another(store)
    assert [(entry.header, entry.payload) for entry in ledger(again)] == stored
    ground.close()
