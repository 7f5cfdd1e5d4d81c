"""What only PostgreSQL can do wrong: the way there, who may, what was lost half way, the clock."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import psycopg
import pytest

from handrail import errors
from handrail.core.events import LeaseReleased, PayloadRedacted, WaitBegan, WaitEnded
from handrail.core.lease import LOCAL, Actor
from handrail.core.ledger import verify
from handrail.errors.server import (
    DriverMissing,
    MalformedStoreUrl,
    ServerUnsuitable,
    StoreDenied,
    StoreMoved,
    StoresDiffer,
    StoreUnreachable,
)
from handrail.store.port import Request
from handrail.store.postgres import PostgresStore, connection, odd, schema
from handrail.store.postgres import store as module
from handrail.store.postgres.connection import Address, translated
from tests.postgres import DATABASE, OWNER, connected, make_cluster, server, start
from tests.store.grounds import (
    ADA,
    BOB,
    EPOCH,
    WORKSPACE,
    FakeClock,
    PostgresGround,
    commit,
    counting_salt,
    grant,
    ledger,
    now_of,
    patterns,
    started,
)
from tests.support import ROOT

PASSWORD: Final = "s3cret-and-long"


@pytest.fixture
def ground() -> Iterator[PostgresGround]:
    ground = PostgresGround()
    yield ground
    ground.close()


@pytest.fixture
def store(ground: PostgresGround) -> PostgresStore:
    return ground.create(FakeClock())


def opened(url: str, name: str, **more: str) -> PostgresStore:
    address = Address(url)
    return PostgresStore(address, {**address.parameters, **more}, name, counting_salt())


def admin(sql: str) -> list[Any]:
    with connected(server()) as line:
        cursor = line.execute(sql)
        return cursor.fetchall() if cursor.description else []


def role(name: str) -> None:
    """Make a role that logs in with the password, if it is not there."""
    with connected(server()) as line, line.transaction():
        line.execute("SELECT pg_advisory_xact_lock(1)")  # workers share the server
        if line.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'").fetchone() is None:
            line.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")


# -------------------------------------------------------------------------------------- the address


@pytest.mark.parametrize(
    "url",
    [
        *("", "postgres://h/d", "postgresql://[/d", "postgresql:///d", "postgresql://h"),
        *(f"postgresql://a:{PASSWORD}@h/d", f"postgresql://h/d?password={PASSWORD}"),
        *(f"postgresql://h/d?p%61ssword={PASSWORD}", f"postgresql://h/d?x={PASSWORD}%zz"),
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(MalformedStoreUrl) as refused:
        Address(url)
    assert PASSWORD not in str(refused.value)


def test_credentials_are_added_and_no_other_store_is_chosen() -> None:
    address = Address("postgresql://h/d?sslmode=verify-full")
    found = address.with_credentials(f"postgresql://a:{PASSWORD}@h:5432/d")
    assert found["password"] == PASSWORD
    assert found["sslmode"] == "verify-full"
    assert address.shown == "postgresql://h:5432/d"
    for other in ("postgresql://a@i/d", "postgresql://h:1/d", "postgresql://h/e"):
        with pytest.raises(StoresDiffer):
            address.with_credentials(other)


def test_the_environment_chooses_no_other_server(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGHOST": "203.0.113.1",
        "PGHOSTADDR": "203.0.113.1",
        "PGPORT": "1",
        "PGDATABASE": "postgres",
        "PGOPTIONS": "-c search_path=pg_temp -c TimeZone=Asia/Kolkata -c DateStyle=German",
    }.items():
        monkeypatch.setenv(name, value)
    again = opened(server().url(), store.schema)
    assert ledger(again) == ledger(store)
    again.close()


# ----------------------------------------------------------------------- who is not let in, and why


def test_without_the_driver_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("handrail.store.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DriverMissing) as refused:
        importlib.import_module("handrail.store.postgres")
    assert refused.value.next == "pip install 'handrail[postgres]'"


def test_a_server_that_is_not_there_cannot_be_reached(store: PostgresStore) -> None:
    with pytest.raises(StoreUnreachable) as refused:
        opened("postgresql://127.0.0.1:1/d", store.schema)
    assert refused.value.next == "pg_isready -h 127.0.0.1 -p 1 -d d"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "password"),
        ({"password": "wrong-" + PASSWORD}, "authentication failed"),
        ({"password": PASSWORD, "dbname": "no_such_database"}, "does not exist"),
        ({"user": "no_such_role", "password": PASSWORD}, "authentication failed"),
    ],
)
def test_whom_the_server_does_not_let_in_is_denied_and_no_password_is_shown(
    store: PostgresStore, more: dict[str, str], said: str
) -> None:
    role("tester")
    with pytest.raises(StoreDenied) as refused:
        opened(server().tcp(), store.schema, **{"user": "tester", **more})
    assert said in refused.value.message
    assert PASSWORD not in f"{refused.value.message}{refused.value.next}"
    assert str(refused.value.next).startswith("psql -h 127.0.0.1 -p ")


# Says of everybody what the name of the user says: code and sentence, parted by a bar.
SAYING: Final = """
import socket
with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    while True:
        guest, _ = listening.accept()
        with guest:
            asked = guest.recv(4_096)
            if len(asked) == 8:  # whether TLS is spoken here
                guest.sendall(b"S")
                continue
            name = asked[8:].split(b"\\0")[1]
            state, _, said = name.partition(b"|")
            told = b"SFATAL\\0VFATAL\\0C" + state + b"\\0M" + said + b"\\0\\0"
            guest.sendall(b"E" + (4 + len(told)).to_bytes(4, "big") + told)
"""


def test_what_a_server_says_in_whatever_language_is_understood() -> None:
    told: dict[str, str] = {}
    expected = {
        "28000|kein pg_hba.conf-Eintrag für Host »10.0.0.9«": "store_denied",
        "3D000|Datenbank »d« existiert nicht": "store_denied",
        "42501|keine Berechtigung für Datenbank »d«": "store_denied",
        "57P03|das Datenbanksystem startet": "store_unreachable",
        "57P03|the database system is starting up": "store_unreachable",
        "53300|sorry, too many clients already": "store_unreachable",
        "08P01|server login has been failing, try again later": "store_unreachable",
        "08P01|no such database: d": "store_denied",
    }
    saying = [sys.executable, "-c", SAYING]
    with subprocess.Popen(saying, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        url = f"postgresql://127.0.0.1:{port}/d?sslmode=disable&gssencmode=disable"
        for name in expected:
            with pytest.raises(errors.Unavailable) as refused:
                opened(url, "handrail_w", user=name)
            told[name] = refused.value.code
            assert name.partition("|")[2] in refused.value.message
        with pytest.raises(StoreUnreachable, match="root certificate file"):
            opened(url.replace("disable", "verify-full", 1) + "&sslrootcert=/none", "handrail_w")
        process.kill()
    assert told == expected


def test_tls_that_the_server_does_not_speak_is_a_refusal_to_connect(store: PostgresStore) -> None:
    role("tester")
    with pytest.raises(StoreUnreachable, match="SSL"):
        opened(server().tcp() + "?sslmode=require", store.schema, user="tester", password=PASSWORD)


def test_who_has_no_rights_is_denied_before_anything_is_written(store: PostgresStore) -> None:
    role("tester")
    known = {"user": "tester", "password": PASSWORD}
    with pytest.raises(StoreDenied):
        opened(server().tcp(), store.schema, **known)
    admin(f'GRANT USAGE ON SCHEMA "{store.schema}" TO tester')
    admin(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{store.schema}" TO tester')
    reading = opened(server().tcp(), store.schema, **known)
    assert ledger(reading) == ledger(store)
    with pytest.raises(StoreDenied), reading.transaction():
        pass
    reading.close()
    address = Address(server().tcp())
    with pytest.raises(StoreDenied):
        PostgresStore.create(
            *(address, {**address.parameters, **known}, "handrail_not_yours", counting_salt()),
            workspace=WORKSPACE,
            epoch=EPOCH,
        )
    admin(f'REVOKE ALL ON SCHEMA "{store.schema}" FROM tester')


def test_with_the_rights_of_the_guide_one_can_work_and_cannot_change_history(
    ground: PostgresGround,
) -> None:
    store = ground.create(FakeClock())
    grant(store, ADA, "src")
    guide = (ROOT / "docs/guides/postgresql.md").read_text()
    rights = guide.partition("<!-- rights -->")[2].split("```")[1].removeprefix("sql")
    agents = f"agents_{store.schema}"
    sql = rights.replace("handrail_WORKSPACE", store.schema).replace("handrail_agents", agents)
    role("tester")
    with connected(server()) as line:
        line.execute(sql)
        line.execute(f"GRANT {agents} TO tester")
        try:
            agent = opened(server().url(user="tester"), store.schema)
            token = grant(agent, BOB, "docs")
            with agent.transaction() as tx:
                tx.redact(2)
                tx.commit([PayloadRedacted(2, "why")], ADA)
            assert verify(ledger(agent)).problem is None
            commit(agent, LeaseReleased(token, "released"))
            entry = f'"{store.schema}".entry'
            for words in (
                f"DELETE FROM {entry}",
                f"UPDATE {entry} SET header = ''",
                f"TRUNCATE {entry}",
                f'DELETE FROM "{store.schema}".state',
                f'UPDATE "{store.schema}".format SET number = 9',
                f'DROP SCHEMA "{store.schema}" CASCADE',
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    agent.link.connected().execute(words)
            agent.close()
        finally:
            line.execute(f"DROP OWNED BY {agents}; DROP ROLE {agents}")


def test_a_schema_is_set_aside_whole_and_what_it_held_can_still_be_read() -> None:
    address, name = Address(server().url()), f"handrail_aside_{os.getpid()}"
    make = partial(
        PostgresStore.create, address, address.parameters, name, counting_salt(), workspace="w"
    )
    first = make(epoch=EPOCH)
    grant(first, ADA, "src")
    before = ledger(first)
    first.close()
    assert schema.salvage(address, address.parameters, name) == before
    aside = schema.set_aside(address, address.parameters, name)
    assert schema.salvage(address, address.parameters, aside) == before
    with pytest.raises(errors.NotInitialised):
        opened(server().url(), name)
    heir = make(epoch="9" * 8, predecessor=f"{EPOCH}:2:{before[-1].hash}")
    with heir.read() as reader:
        assert (reader.epoch, reader.head.seq) == ("9" * 8, 1)
    heir.close()
    admin(f'DROP SCHEMA "{aside}" CASCADE; DROP SCHEMA "{name}" CASCADE')


def test_a_schema_that_is_not_there_is_not_initialised() -> None:
    with pytest.raises(errors.NotInitialised):
        opened(server().url(), "handrail_nowhere")


def test_a_later_format_is_refused_and_an_earlier_one_is_brought_up(
    store: PostgresStore, ground: PostgresGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = f'"{store.schema}".format'
    admin(f"UPDATE {table} SET number = {schema.FORMAT + 1}")
    for act in (store.read, store.transaction):
        with pytest.raises(errors.NewerFormat), act():
            pass
    admin(f"UPDATE {table} SET number = {schema.FORMAT}")
    newer = schema.FORMAT + 1
    scripts = {**schema.migrations(), newer: "ALTER TABLE state ADD COLUMN extra integer"}
    monkeypatch.setattr(schema, "migrations", lambda: scripts)
    for where in (schema, module):
        monkeypatch.setattr(where, "FORMAT", newer)
    for look in (lambda: now_of(store), lambda: commit(ground.another(store), started(ADA))):
        look()
        assert admin(f"SELECT number FROM {table}") == [(newer,)]
        admin(f'ALTER TABLE "{store.schema}".state DROP COLUMN extra')
        admin(f"UPDATE {table} SET number = {newer - 1}")


@pytest.mark.parametrize("look", ["read", "transaction", "attempt", "integrity"])
def test_a_schema_of_the_first_format_is_brought_up_by_whoever_comes_first(
    look: str, store: PostgresStore, ground: PostgresGround
) -> None:
    commit(store, started(ADA))
    name = schema.quoted(store.schema)
    admin(f"DROP PROCEDURE {name}.grant_lease")
    admin(f"ALTER TABLE {name}.state DROP COLUMN grants, DROP COLUMN watched")
    admin(f"UPDATE {name}.format SET number = 1")
    came = ground.another(store)
    acts: dict[str, Callable[[], object]] = {
        "read": lambda: now_of(came),
        "transaction": lambda: commit(came, started(BOB)),
        "attempt": lambda: came.attempt(
            lambda tx: tx.commit([started(BOB)], BOB), ("s-bob", patterns("a"))
        ),
        "integrity": came.integrity,
    }
    acts[look]()
    assert admin(f"SELECT number FROM {name}.format") == [(schema.FORMAT,)]
    assert came.integrity() == []
    assert came.listen() is not None
    assert verify(ledger(came)).problem is None


def test_a_store_of_the_first_format_that_has_moved_says_where_to(
    store: PostgresStore, ground: PostgresGround
) -> None:
    name = schema.quoted(store.schema)
    with store.transaction() as tx:
        tx.retire("elsewhere")
        tx.commit([], ADA)
    admin(f"ALTER TABLE {name}.state DROP COLUMN grants, DROP COLUMN watched")
    try:
        for look in (store.read, store.transaction):
            with pytest.raises(StoreMoved, match="elsewhere"), look():
                pass
    finally:
        for column in ("grants", "watched"):
            admin(f"ALTER TABLE {name}.state ADD COLUMN {column} bigint NOT NULL DEFAULT 0")


def test_a_server_that_only_reads_says_so(store: PostgresStore) -> None:
    role("only_reads")
    admin("ALTER ROLE only_reads SET default_transaction_read_only = on")
    with pytest.raises(errors.StoreReadOnly) as refused:
        opened(server().url(user="only_reads"), store.schema)
    assert str(refused.value.next).startswith("psql -h ")


def test_an_old_server_and_another_encoding_are_refused(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(connection, "SERVER_VERSION_MIN", 990_000)
        with pytest.raises(ServerUnsuitable, match="older than") as refused:
            opened(server().url(), store.schema)
        assert str(refused.value.next).endswith(" -d handrail -c 'SELECT version()'")
    with connected(server()) as line:
        line.execute("DROP DATABASE IF EXISTS latin")
        line.execute(
            "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 OWNER handrail_owner"
        )
    with pytest.raises(ServerUnsuitable, match="LATIN1") as refused:
        opened(server().url("latin"), store.schema)
    making = f"createdb -h {server().folder} -p {server().port} -E UTF8 -T template0 handrail_utf8"
    assert refused.value.next == making


# ---------------------------------------------------------------------------- cut off in the middle


class CutOff:
    """Lets the server end our connection just before the statement of a number is sent."""

    def __init__(self, store: PostgresStore, number: int) -> None:
        self._link = store.link
        self._send = store.link.send
        self._number = number
        self.sent = 0

    def __call__(self, sql: str, values: tuple[object, ...] = ()) -> Any:
        self.sent += 1
        if self.sent == self._number:
            hang_up(self._link.connected())
        return self._send(sql, values)


def hang_up(line: Any) -> None:
    with connected(server()) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (line.info.backend_pid,))


def seen(store: PostgresStore) -> tuple[int, int]:
    """Return how many entries there are, and how many wait: both change with one commit."""
    with store.read() as reader:
        return reader.head.seq, len(reader.waiters())


def claim_of(store: PostgresStore, id: str = "r-1") -> tuple[Any, ...]:
    """Claim by a request, as a command that is told to repeat itself does."""
    request = Request(id, "d")
    with store.transaction() as tx:
        known = tx.outcome(request)
        if known is None:
            waits = WaitBegan("s-bob", LOCAL, ".", ("a",), tx.now + 9)
            known = tx.commit([started(ADA), started(BOB), waits], ADA, request)
    return known


def test_a_connection_that_is_lost_at_any_statement_leaves_all_or_nothing(
    ground: PostgresGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, outcomes = ground.create(FakeClock()), []
    other = ground.another(store)
    for number in range(1, 40):
        before, cut = seen(other), CutOff(store, number)
        with monkeypatch.context() as patch:
            patch.setattr(store.link, "send", cut)
            try:
                claim_of(store, f"r-{number}")
            except StoreUnreachable as lost:
                outcomes.append("lost")
                assert lost.values["host"] == str(server().folder)
                # All, where the answer was lost, or nothing.
                assert seen(other) in (before, (before[0] + 2, before[1] + 1))
            else:
                outcomes.append("done")
        again = claim_of(store, f"r-{number}")
        assert [entry.seq for entry in again] == [before[0] + 1, before[0] + 2], "it goes on"
        assert seen(other) == (before[0] + 2, before[1] + 1)
        if cut.sent < number:
            break
    assert verify(ledger(store)).problem is None
    assert outcomes.count("lost") > 5, outcomes
    assert outcomes[0] == outcomes[-1] == "done", "a connection that was lost before is made anew"


def test_where_the_answer_to_the_commit_is_lost_the_same_request_gives_the_first_outcome(
    ground: PostgresGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ground.create(FakeClock())
    finish = store._commit

    def lost(tell: bool) -> None:
        finish(tell)
        line = store.link.connected()
        hang_up(line)
        line.execute("SELECT 1")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_commit", lost)
        with pytest.raises(StoreUnreachable):
            claim_of(store)
    assert [entry.seq for entry in claim_of(store)] == [2, 3]
    assert len(ledger(store)) == 3


def test_what_the_server_says_when_it_falls_is_not_taken_for_a_refusal() -> None:
    full, field = psycopg.errors.DiskFull, psycopg.pq.DiagnosticField.SEVERITY_NONLOCALIZED
    for severity, code in ((b"ERROR", "store_read_only"), (b"PANIC", "store_unreachable")):
        said = connection.translate(
            full("no room", info={field: severity}), Address("postgresql://h/d")
        )
        assert (said.code, said.exit_status) == (code, 3)


def test_what_was_sent_after_a_failure_does_not_hide_it() -> None:
    def fail() -> None:
        try:
            raise psycopg.errors.DiskFull("no room")
        finally:
            raise psycopg.errors.PipelineAborted("pipeline aborted")

    with (
        pytest.raises(errors.StoreReadOnly, match="no room"),
        translated(Address("postgresql://h/d")),
    ):
        fail()
    with pytest.raises(StoreUnreachable), translated(Address("postgresql://h/d")):
        raise psycopg.errors.PipelineAborted("pipeline aborted")


def test_who_stops_in_the_middle_loses_the_turn_and_is_told(
    ground: PostgresGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_MS", 200)
    store = ground.create(FakeClock())
    other = ground.another(store)

    def sleepy() -> None:
        with store.transaction() as tx:
            tx.leases()
            commit(other, started(BOB))  # waits until the server has hung up on who stands still
            tx.commit([started(ADA)], ADA)

    with pytest.raises(StoreUnreachable):
        sleepy()
    assert [entry.seq for entry in ledger(other)] == [1, 2]


def test_statements_are_prepared_only_where_nobody_stands_between(store: PostgresStore) -> None:
    store.link.own_session(store.link.connected().info.backend_pid + 1)
    assert store.link.connected().prepare_threshold is None, "a proxy named somebody else"
    for _ in range(4):
        commit(store, started(ADA))
    prepared = (
        store.link.connected().execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    )
    assert prepared is not None
    assert prepared[0] > 3


def test_what_a_deadlock_undid_before_the_turn_is_tried_again(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, failures = store._begin, [psycopg.errors.DeadlockDetected(), None]

    def again(line: Any) -> Any:
        failure = failures.pop(0)
        if failure is not None:
            raise failure
        return begin(line)

    monkeypatch.setattr(store, "_begin", again)
    commit(store, started(ADA))
    assert failures == []


@pytest.mark.serial
def test_who_waits_hears_of_a_commit_and_looks_again_in_any_case(
    store: PostgresStore, ground: PostgresGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARD_S", 30.0)
    waiting = ground.another(store)
    commit(store, WaitBegan("s-bob", LOCAL, ".", ("a",), now_of(store) + 9))
    version = waiting.version()
    waiting.wait(0.01)  # from now on it listens
    act = threading.Timer(0.1, lambda: commit(store, started(ADA)))
    act.start()
    began = time.monotonic()
    waiting.wait(30)
    act.join()
    assert time.monotonic() - began < 10
    assert waiting.version() != version
    monkeypatch.setattr(module, "HEARD_S", 0.05)
    version = waiting.version()
    commit(store, WaitEnded(1))
    hang_up(waiting.link.connected())
    waiting.wait(30)
    assert waiting.version() != version, "what was told is lost, what is asked is not"
    began = time.monotonic()
    waiting.wait(30)
    assert time.monotonic() - began < 10


@pytest.mark.serial
def test_postgres_that_is_killed_and_comes_back_has_lost_nothing_that_was_acknowledged() -> None:
    folder = make_cluster()
    running = start(folder)  # with fsync, unlike the shared one
    address = Address(running.url())
    try:
        store = PostgresStore.create(
            *(address, address.parameters, "handrail_w", counting_salt()),
            workspace=WORKSPACE,
            epoch=EPOCH,
        )
        for round_number in range(2):
            tokens = [grant(store, ADA, f"p{round_number}-{number}") for number in range(5)]
            running.end(signal.SIGKILL)
            running = start(folder, port=running.port)
            with store.read() as reader:
                held = {lease.token for lease in reader.leases()}
            assert held >= set(tokens)
        assert verify(ledger(store)).problem is None
        store.close()
    finally:
        running.end()


# --------------------------------------------------------------------------------------- the schema


MENDED: Final = (
    ('DROP INDEX "{0}".entry_subject', "there is no index entry_subject: "),
    ('ALTER TABLE "{0}".request DROP CONSTRAINT request_pkey', "there is no constraint request_"),
)
LOST: Final = (
    ('ALTER TABLE "{0}".lease DROP COLUMN role', "there is no column lease.role"),
    ('DROP TABLE "{0}".waiver', "there is no table waiver"),
    ('ALTER TABLE "{0}".task ALTER title TYPE varchar(9)', "the column task.title is character v"),
    ('ALTER TABLE "{0}".task ALTER role SET NOT NULL', "the column task.role is text NOT NULL C"),
    ('ALTER TABLE "{0}".landing SET UNLOGGED', "the table landing is UNLOGGED: a crash"),
    ('ALTER TABLE "{0}".notice ENABLE ROW LEVEL SECURITY', "row security hides rows of the tab"),
    ('UPDATE "{0}".state SET head_seq = 7', "the head is entry 7, and the newest entry is 1"),
)


@pytest.mark.parametrize(("done", "said"), [*MENDED, *LOST])
def test_what_is_gone_or_altered_in_the_schema_is_named(done: str, said: str) -> None:
    store, name = found_apart()
    try:
        assert store.integrity() == []
        admin(done.format(name))
        (told,) = store.integrity()
        assert told.startswith(said)
        if (done, said) in MENDED:
            admin(told.partition(": ")[2])
            assert store.integrity() == []
    finally:
        store.close()
        admin(f'DROP SCHEMA "{name}" CASCADE')


def found_apart(database: str = DATABASE) -> tuple[PostgresStore, str]:
    """Found a store in a schema that no other test uses again."""
    address, name = Address(server().url(database)), f"handrail_apart_{os.getpid()}"
    store = PostgresStore.create(
        *(address, address.parameters, name, counting_salt()), workspace=WORKSPACE, epoch=EPOCH
    )
    return store, name


def test_an_index_that_is_not_valid_is_named_and_what_somebody_added_is_not() -> None:
    store, name = found_apart()
    try:
        admin(f'CREATE INDEX mine ON "{name}".entry (kind); CREATE TABLE "{name}".m (x integer)')
        admin(f'ALTER TABLE "{name}".lease ADD COLUMN mine integer')
        assert store.integrity() == []
        index = f"'\"{name}\".lease_session'::regclass"
        admin(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {index}")
        assert [told.partition(" is ")[0] for told in store.integrity()] == [
            "the index lease_session"
        ]
    finally:
        store.close()
        admin(f'DROP SCHEMA "{name}" CASCADE')


def test_a_routine_that_is_gone_or_another_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    made = "CREATE FUNCTION one() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;"
    scripts = schema.migrations()
    first = {**scripts, 1: scripts[1] + made}
    monkeypatch.setattr(schema, "migrations", lambda: first)
    store, name = found_apart()
    try:
        assert store.integrity() == []
        with connected(server()) as line:
            other = made.replace("CREATE", "CREATE OR REPLACE").replace("1;", "2;")
            line.execute(f'SET search_path = "{name}"; {other}')
            assert store.integrity() == ["the routine one is another one"]
            line.execute("DROP FUNCTION one()")
            assert store.integrity() == ["there is no routine one"]
    finally:
        store.close()
        admin(f'DROP SCHEMA "{name}" CASCADE')


def test_to_whom_temporary_tables_are_forbidden_the_rest_is_told() -> None:
    database = f"bare_{os.getpid()}"
    admin(f"CREATE DATABASE {database} OWNER {OWNER}")
    store, name = found_apart(database)
    role("only_looks")
    with psycopg.connect(server().url(database, "postgres"), autocommit=True) as line:
        line.execute(f'GRANT USAGE ON SCHEMA "{name}" TO only_looks')
        line.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{name}" TO only_looks')
        line.execute(f'DROP TABLE "{name}".waiver; ALTER TABLE "{name}".landing SET UNLOGGED')
        looking = opened(server().url(database, "only_looks"), name)
        assert len(looking.integrity()) == 2
        line.execute(f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")
        told = [sentence.partition(":")[0] for sentence in looking.integrity()]
        assert told == ["the table landing is UNLOGGED"]
        looking.close()
    store.close()
    admin(f"DROP DATABASE {database} WITH (FORCE)")


# ---------------------------------------------------------------------------------------- the clock


def test_without_a_clock_of_ones_own_time_is_the_servers_read_after_the_turn(
    ground: PostgresGround,
) -> None:
    made = ground.create(FakeClock())
    mine, other = (opened(server().url(), made.schema) for _ in range(2))
    (wall,) = admin("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    seen: list[int] = []

    def second() -> None:
        with other.transaction() as tx:
            seen.append(tx.now)

    thread = threading.Thread(target=second)
    with mine.transaction() as tx:
        assert 0 <= tx.now - int(wall[0]) < 60_000
        thread.start()
        thread.join(0.2)
        assert seen == []
        (left,) = admin("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    thread.join(10)
    assert seen[0] >= int(left[0]), "the time of who waited is after the wait"
    ahead = seen[0] + 3_600_000
    admin(f'UPDATE "{made.schema}".state SET last_now = {ahead}')
    assert now_of(mine) == ahead, "where the clock went back, time stands"
    mine.close()
    other.close()


# ----------------------------------------------------------------------------------------- odd text


ODD: Final = ("a\x00b", "\x00", "\udcff", "\ufdd0", "\ufdd00000", "\ud800x\x00")


@pytest.mark.parametrize("text", ODD)
def test_any_text_comes_back_as_it_was(store: PostgresStore, text: str) -> None:
    assert odd.read(odd.written(text)) == text
    actor = Actor(f"s{text}", f"a{text}", text)
    commit(store, started(actor, worktree=text).__class__(f"s{text}", f"a{text}", text, text, "0"))
    with store.read() as reader:
        found = reader.session(f"s{text}")
        assert found is not None
        assert (found.id, found.agent, found.role, found.worktree) == (
            *(f"s{text}", f"a{text}", text, text),
        )


def test_the_name_of_a_schema_is_never_cut_off() -> None:
    short, long = schema.schema_of("w" * 54), schema.schema_of("w" * 64)
    assert (short, len(long)) == ("handrail_" + "w" * 54, 63)
    assert long != schema.schema_of("w" * 63)
