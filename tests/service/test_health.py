"""Damage is named, and mended from the ledger: nobody who holds a lease loses it to the mending."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Final, NamedTuple

import apsw
import pytest

from handrail import errors
from handrail.core.ledger import read_event
from handrail.service.health import rebuild, verify_store
from handrail.service.leases import Asked
from tests.cli.world import World, check_chain, entries_of, refusal, unharmed


class Held(NamedTuple):
    """A workspace with two at work: each has a lease; one commit is attested, one role changed."""

    world: World
    first: str
    second: str
    tokens: tuple[str, str]


@pytest.fixture
def held(world: World) -> Held:
    """Two sessions with leases, an ended one, an attested commit."""
    first, second, third = world.session(), world.session(), world.session()
    tokens = world.claim(first, "src", "docs/*.md").token, world.claim(second, "lib").token
    world.repo.write("src/a", "a")
    world.repo.commit("a", "src")
    assert world.shell(HANDRAIL_SESSION=first).handrail("attest", "HEAD").code == 0
    assert world.shell(HANDRAIL_SESSION=third).handrail("session", "end").code == 0
    return Held(world, first, second, tokens)


def sql(world: World, *statements: str) -> None:
    """Do damage past everything of Handrail."""
    connection = apsw.Connection(str(world.store))
    try:
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        assert connection.total_changes() > 0, "the damage hit nothing"
        connection.execute("COMMIT")
    finally:
        connection.close()


HELD: Final = "(SELECT min(token) FROM lease)"
# Damage to a table beside the ledger, and words of the sentence that names it.
TABLES: Final = {
    "state: head seq": ("UPDATE state SET head_seq = head_seq - 1", "the head beside"),
    "state: head hash": (f"UPDATE state SET head_hash = '{'f' * 64}'", "the head beside"),
    "state: epoch": ("UPDATE state SET epoch = 'another'", "the epoch beside"),
    "state: workspace": ("UPDATE state SET workspace = 'another'", "the workspace beside"),
    "lease: gone": (f"DELETE FROM lease WHERE token = {HELD}", "is missing"),
    "lease: invented": (
        (
            "INSERT INTO lease SELECT 1, session, agent, role, kind, worktree, 'x', granted_at,"
            f" ttl_ms, expires_at, lasting FROM lease WHERE token = {HELD}"
        ),
        "lease 1 is invented",
    ),
    "lease: another's": ("UPDATE lease SET session = 's-thief'", "is not what was granted"),
    "lease: wider": ("UPDATE lease SET patterns = '**'", "is not what was granted"),
    "lease: local": ("UPDATE lease SET kind = 'local'", "is not what was granted"),
    "lease: not lasting": ("UPDATE lease SET lasting = 1 - lasting", "is not what was granted"),
    "lease: elsewhere": ("UPDATE lease SET worktree = 'beside'", "is not what was granted"),
    "lease: for ever": ("UPDATE lease SET expires_at = 1 << 50", "ends when no renewal could"),
    "lease: too early": ("UPDATE lease SET expires_at = 1", "ends when no renewal could"),
    "anchor: gone": ("DELETE FROM may_write WHERE anchor = 'docs'", "the index of anchors"),
    "anchor: all gone": ("DELETE FROM may_write", "the index of anchors"),
    "guard: gone": ("DELETE FROM may_write WHERE pattern = 'lib'", "what the guard looks up"),
    "guard: invented": (
        "INSERT INTO may_write VALUES ('x', 77, 'x', '.', 's-thief', 1 << 50, 'lease', 0)",
        "what the guard looks up",
    ),
    "guard: longer": ("UPDATE may_write SET until = until + 1", "what the guard looks up"),
    "guard: elsewhere": ("UPDATE may_write SET anchor = 'z' WHERE anchor = 'lib'", "of anchors"),
    "session: gone": (
        "DELETE FROM session WHERE ended_at IS NOT NULL",
        "is not what the ledger says",
    ),
    "session: invented": (
        "INSERT INTO session VALUES ('s-thief', 'a', NULL, '.', 1, NULL, 'x')",
        "session s-thief is not what the ledger says",
    ),
    "session: secret": ("UPDATE session SET secret_hash = 'x'", "is not what the ledger says"),
    "session: revived": ("UPDATE session SET ended_at = NULL", "is not what the ledger says"),
    "session: role": ("UPDATE session SET role = 'lead'", "is not what the ledger says"),
    "attestation: gone": ("DELETE FROM attestation", "the attestations are not"),
    "attestation: invented": ("INSERT INTO attestation VALUES ('c0ffee', 3)", "the attestations"),
    "attestation: moved": ("UPDATE attestation SET seq = 3", "the attestations are not"),
    "config: text": (
        "UPDATE config SET text = replace(text, 'enforce', 'shadow')",
        "the configuration in force",
    ),
    "config: gone": ("DELETE FROM config", "the configuration in force"),
    "config: compiled": (
        (
            "UPDATE config SET compiled = CAST(replace(CAST(compiled AS TEXT), '\"enforce\"',"
            " '\"shadow\"') AS BLOB)"
        ),
        "the compiled configuration",
    ),
    "config: compiled is nonsense": ("UPDATE config SET compiled = x'00'", "the compiled"),
    "waiter: of nobody": (
        "INSERT INTO waiter VALUES (1, 's-thief', 'exclusive', '.', 'free', 1, 1 << 50)",
        "waiter 1 is not one that could be waiting",
    ),
    "waiter: for ever": (
        (
            "INSERT INTO waiter SELECT 1, session, 'exclusive', '.', 'free', 1, 1 << 50 FROM lease"
            " LIMIT 1"
        ),
        "waiter 1 is not one that could be waiting",
    ),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("damage", TABLES)
def test_damage_beside_the_ledger_is_named_and_mended(held: Held, damage: str) -> None:
    world, (statement, words) = held.world, TABLES[damage]
    before = entries_of(world.store)
    sql(world, statement)
    with world.open() as application:
        found = verify_store(application.store, application.store.integrity())
        assert found.report.problem is None
        assert any(words in line for line in found.differences), found.differences
        mended = rebuild(application.store)
        assert any(words in line for line in mended.mended), mended.mended
        assert verify_store(application.store, application.store.integrity()).good
        assert rebuild(application.store).mended == ()
    assert entries_of(world.store) == before, "mending is no history"
    still_held(held)


def still_held(held: Held) -> None:
    """Check that the same tokens are live, each for whom it was, against everybody else."""
    world = held.world
    for session, token, path in zip(
        (held.first, held.second), held.tokens, ("src/a", "lib/x"), strict=True
    ):
        assert world.holds(session, path)
        with world.open(session) as application:
            assert application.leases.renew([token])[0].token == token
    third = world.session()
    for scope in ("src/b", "docs/x.md", "lib"):
        with pytest.raises(errors.ScopeHeld):
            world.claim(third, scope)
    world.claim(third, "free")
    check_chain(entries_of(world.store))
    with world.open() as application:
        assert verify_store(application.store, ()).good


@pytest.mark.parametrize("damage", ["lease: wider", "guard: gone", "config: text"])
def test_the_commands_name_damage_and_lead_to_its_mending(held: Held, damage: str) -> None:
    person, (statement, words) = held.world.shell(), TABLES[damage]
    assert person.handrail("store", "verify").code == 0
    assert person.handrail("doctor", "--replay").code == 0
    sql(held.world, statement)
    doctor = person.handrail("doctor", "--replay")
    assert (doctor.code, words in doctor.out) == (1, True), doctor.out
    assert "next: handrail store rebuild" in doctor.out
    findings = person.handrail("doctor", "--replay", "--json").json()
    assert findings["problems"] >= 1
    verified = person.handrail("store", "verify")
    assert (verified.code, words in verified.out) == (3, True), verified.out
    planned = person.handrail("store", "rebuild", "--dry-run")
    assert (planned.code, words in planned.out) == (0, True)
    assert person.handrail("store", "verify").code == 3
    with unharmed(held.world.store):
        done = person.handrail("store", "rebuild")
    assert (done.code, "mended: " in done.out) == (0, True)
    assert person.handrail("doctor", "--replay").code == 0
    assert person.handrail("store", "verify").code == 0
    still_held(held)


def test_a_lease_whose_row_is_gone_gets_its_time_from_now(held: Held) -> None:
    world = held.world
    with world.open(held.first) as application:
        granted = application.leases.claim(Asked(("brief",), ttl_ms=1_000))
        application.leases.renew([granted.token], 3_600_000)
    sql(world, "DELETE FROM lease WHERE patterns = 'brief'")
    with world.open() as application:
        rebuild(application.store)
        with application.store.read() as reader:
            lease = reader.lease(int(granted.token.partition(":")[2]))
            assert lease is not None
            assert lease.live(reader.now), "it may just have been renewed"


# ------------------------------------------------------------------------------ the ledger itself

LEDGER: Final = {
    "header": (
        (
            "UPDATE entry SET header = CAST(replace(CAST(header AS TEXT), '\"at\":', '\"at\":1')"
            " AS BLOB) WHERE seq = 4"
        ),
        4,
    ),
    "payload": ("UPDATE entry SET payload = x'7b7d' WHERE seq = 4", 4),
    "redacted by nobody": ("UPDATE entry SET payload = NULL WHERE seq = 4", 4),
    "removed": ("DELETE FROM entry WHERE seq = 4", 4),
    "swapped": ("UPDATE entry SET seq = CASE seq WHEN 4 THEN -5 WHEN 5 THEN -4 ELSE seq END", 4),
    "all gone": ("DELETE FROM entry", 1),
}


@pytest.mark.parametrize("damage", LEDGER)
def test_damage_to_the_ledger_is_named_by_its_entry(held: Held, damage: str) -> None:
    statement, seq = LEDGER[damage]
    more = ("UPDATE entry SET seq = -seq WHERE seq < 0",) if damage == "swapped" else ()
    sql(held.world, statement, *more)
    with held.world.open() as application:
        found = verify_store(application.store, ())
        assert not found.good
        if damage == "all gone":
            assert "the head beside the ledger" in found.differences[0]
            return
        assert found.report.problem is not None
        assert found.report.problem.seq == seq
        before = entries_of(held.world.store)
        with pytest.raises(errors.LedgerBroken):
            rebuild(application.store)
    assert entries_of(held.world.store) == before
    said = held.world.shell().handrail("doctor", "--replay")
    assert (said.code, f"entry {seq}" in said.out) == (1, True), said.out


def test_a_tail_that_was_cut_off_is_found_by_the_head_beside_it(held: Held) -> None:
    sql(held.world, "DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)")
    with held.world.open() as application:
        found = verify_store(application.store, ())
    assert "the head beside the ledger is not the ledger's head" in found.differences
    assert refusal(held.world.shell().handrail("ledger", "verify")).code == "ledger_broken"


def test_a_missing_state_row_is_damage_and_the_ledger_leads_on(held: Held) -> None:
    sql(held.world, "DELETE FROM state")
    person = held.world.shell()
    assert refusal(person.handrail("status")).code == "store_corrupt"
    doctor = person.handrail("doctor")
    assert (doctor.code, "BAD   store_corrupt" in doctor.out) == (1, True)
    step = person.types("handrail store rebuild")
    assert (step.code, "needs_person" in step.err) == (1, True)
    assert person.types("handrail store rebuild", terminal=True).code == 0
    assert person.handrail("doctor", "--replay").code == 0


# ------------------------------------------------------------------------- a store after a lost one


def lose(world: World) -> None:
    shutil.rmtree(world.folder)


def damage(world: World) -> None:
    world.store.write_bytes(b"nothing of this can be read" * 100)
    for suffix in ("-wal", "-shm"):
        world.store.with_name(f"state.db{suffix}").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "how", [lose, damage, lambda world: None], ids=["lost", "damaged", "there"]
)
def test_a_lost_store_is_followed_by_one_of_a_new_epoch(
    held: Held, how: Callable[[World], None]
) -> None:
    world, person = held.world, held.world.shell()
    assert person.handrail("ledger", "export", "-o", "../export").code == 0
    head = person.handrail("ledger", "verify", "--json").json()["head"]
    entries = entries_of(world.store)
    how(world)
    refused = person.types("handrail store rebuild --from ../export")
    assert (refused.code, "needs_person" in refused.err) == (1, True), refused.err
    in_session = world.shell(HANDRAIL_SESSION=held.first)
    line = "handrail store rebuild --from ../export"
    assert in_session.types(line, terminal=True).code == 1
    planned = person.types(f"{line} --dry-run", terminal=True)
    assert (planned.code, head in planned.out) == (0, True), planned.err
    done = person.types(line, terminal=True)
    assert done.code == 0, done.err
    assert f"which follows {head}" in done.out

    with world.open() as application, application.store.read() as reader:
        assert reader.epoch != head.partition(":")[0]
        assert f"founded epoch {reader.epoch}" in done.out
        first = read_event(next(reader.entries()))
        assert getattr(first, "predecessor", None) == head
        assert reader.config() is not None
        assert reader.leases() == []
        assert reader.sessions() == []
        assert sum(b'"history.imported"' in entry.header for entry in reader.entries()) == len(
            entries
        )
        workspace = reader.workspace
    assert f'id = "{workspace}"' in (world.path / "handrail.toml").read_text()
    assert person.handrail("store", "verify").code == 0
    person.types('eval "$(handrail session start)"')
    for token in held.tokens:
        assert refusal(person.handrail("renew", token)).code == "foreign_epoch"
    assert refusal(in_session.handrail("renew", held.tokens[0])).code == "unknown_session"
    assert person.handrail("claim", "src").code == 0
    aside = sorted(path.name for path in world.folder.glob("state.db.damaged-*"))
    assert ("state.db.damaged-1" in aside) == (how is not lose)


@pytest.mark.parametrize("broken", ["changed", "no export", "empty", "not there"])
def test_from_an_export_that_is_none_no_store_is_founded(held: Held, broken: str) -> None:
    world, person = held.world, held.world.shell()
    export = world.path.parent / "export"
    assert person.handrail("ledger", "export", "-o", str(export)).code == 0
    if broken == "changed":
        export.write_bytes(export.read_bytes().replace(b'"src"', b'"lib"'))
    elif broken == "no export":
        export.write_text("nonsense\n")
    elif broken == "empty":
        export.write_bytes(export.read_bytes().splitlines(keepends=True)[0])
    else:
        export.unlink()
    before = entries_of(world.store)
    done = person.types("handrail store rebuild --from ../export", terminal=True)
    assert done.code in (2, 3), done.err
    assert "Traceback" not in done.err
    assert entries_of(world.store) == before
    still_held(held)


# ------------------------------------------------------------------------------------- the doctor


def test_the_doctor_looks_at_configuration_session_and_expired_leases(world: World) -> None:
    person = world.person()
    assert person.session is not None
    assert person.handrail("doctor").code == 0
    path = world.path / "handrail.toml"
    text = path.read_text()
    path.write_text(text + "\n")
    assert "handrail.toml differs from what is in force" in person.handrail("doctor").out
    path.unlink()
    assert "this working tree has no handrail.toml" in person.handrail("doctor").out
    path.write_text(text)
    person.env["HANDRAIL_SECRET"] = "wrong"
    told = person.handrail("doctor")
    assert (told.code, "BAD   session" in told.out) == (1, True)
    assert person.types("unset HANDRAIL_SECRET && handrail doctor").code == 0


def test_the_doctor_says_where_there_is_no_store(world: World) -> None:
    lose(world)
    done = world.shell().handrail("doctor")
    assert (done.code, "handrail init" in done.out) == (1, True)
