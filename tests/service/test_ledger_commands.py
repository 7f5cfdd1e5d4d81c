"""The ledger outside of its store: exported, verified, imported; and made to forget, for good."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import apsw
import pytest

from handrail import errors
from handrail.service.health import verify_store
from handrail.service.records import Records
from tests.cli.world import Person, World, check_chain, entries_of, refusal, unharmed

NEEDLE: Final = "geheim-needle-4711"


def exported(person: Person, name: str = "export") -> Path:
    """Write an export beside the repository."""
    file = person.scratch / name
    done = person.handrail("ledger", "export", "-o", str(file))
    assert done.code == 0, done.err
    return file


@pytest.fixture
def ada(world: World) -> Person:
    """Somebody without a session, in a workspace where something has happened."""
    session = world.session()
    for scope in ("src", "docs", "lib"):
        world.claim(session, scope)
    world.release(session)
    return world.shell()


# --------------------------------------------------------------------------------------- export


def test_an_export_is_the_ledger_byte_for_byte(world: World, ada: Person) -> None:
    lines = exported(ada).read_bytes().splitlines()
    assert lines[0].startswith(b"handrail-ledger 1 ")
    told = [tuple(line.split(b"\t")) for line in lines[1:]]
    assert told == entries_of(world.store)
    assert ada.handrail("ledger", "export").out.encode() == b"\n".join(lines) + b"\n"


def test_an_export_replaces_no_file(world: World, ada: Person) -> None:
    file = exported(ada)
    file.write_text("precious")
    said = refusal(ada.handrail("ledger", "export", "-o", str(file)))
    assert said.status in (2, 3)
    assert file.read_text() == "precious"
    assert refusal(ada.handrail("ledger", "export", "-o", "/nonexistent/x")).status == 3


def test_an_export_verifies_without_any_store_or_repository(world: World, ada: Person) -> None:
    head = ada.handrail("ledger", "verify", "--json").json()["head"]
    exported(ada)
    ada.cwd = ada.scratch
    alone = ada.handrail("ledger", "verify", "export", "--json")
    assert alone.code == 0, alone.err
    assert (alone.json()["head"], alone.json()["heads_checked"]) == (head, 0)
    assert (
        "a tail that was cut off would not be seen"
        in ada.handrail("ledger", "verify", "export").err
    )
    given = ada.handrail("ledger", "verify", "export", "--head", head, "--json")
    assert (given.code, given.json()["heads_checked"]) == (0, 1)


def _edited(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b'"docs"', b'"dogs"') for line in lines]


CHANGES: Final[dict[str, Callable[[list[bytes]], list[bytes]]]] = {
    "edited": _edited,
    "removed": lambda lines: lines[:3] + lines[4:],
    "swapped": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "twice": lambda lines: [*lines[:4], lines[3], *lines[4:]],
    "cut off": lambda lines: lines[:-1],
    "payload taken": lambda lines: [*lines[:4], lines[4].partition(b"\t")[0] + b"\t", *lines[5:]],
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_export_that_was_changed_is_found_and_its_first_bad_entry_named(
    world: World, ada: Person, change: str
) -> None:
    head = ada.handrail("ledger", "verify", "--json").json()["head"]
    file = exported(ada)
    before = file.read_bytes().splitlines()
    after = CHANGES[change](before)
    bad = next(
        (at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new),
        len(after),
    )
    file.write_bytes(b"\n".join(after) + b"\n")
    done = ada.handrail("ledger", "verify", str(file), "--head", head)
    said = refusal(done)
    assert (said.code, said.status) == ("ledger_broken", 3)
    assert f"entry {bad} " in said.sentence, said


def test_a_head_must_be_of_this_ledger(world: World, ada: Person) -> None:
    head = ada.handrail("ledger", "verify", "--json").json()["head"]
    epoch, seq, digest = head.split(":")
    file = str(exported(ada))
    for where in ((), (file,)):
        older = ada.handrail("ledger", "verify", *where, "--head", head, "--head", head)
        assert older.code == 0
        for wrong, code in (
            (f"{epoch}:{seq}:{'0' * 64}", "ledger_broken"),
            (f"{epoch}:{int(seq) + 1}:{digest}", "ledger_broken"),
            (f"{epoch}:{int(seq) - 1}:{digest}", "ledger_broken"),
            (f"otherone:{seq}:{digest}", "foreign_epoch"),
            ("nonsense", "malformed_token"),
        ):
            assert refusal(ada.handrail("ledger", "verify", *where, "--head", wrong)).code == code


def test_a_head_kept_from_earlier_still_proves_what_came_before(world: World, ada: Person) -> None:
    head = ada.handrail("ledger", "verify", "--json").json()["head"]
    world.session()
    done = ada.handrail("ledger", "verify", "--head", head, "--json").json()
    assert done["heads_checked"] == 1


# --------------------------------------------------------------------------------------- import


@pytest.fixture
def bob(world: World, tmp_path: Path) -> Person:
    """Somebody in another workspace."""
    person = world.shell(HANDRAIL_STATE_DIR=str(tmp_path / "elsewhere"))
    assert person.handrail("init").code == 0
    return person


def test_an_imported_ledger_is_history_and_gives_no_token(
    world: World, ada: Person, bob: Person
) -> None:
    file, theirs = exported(ada), entries_of(world.store)
    store = Path(bob.env["HANDRAIL_STATE_DIR"]) / "state.db"
    with unharmed(store):
        planned = bob.handrail("ledger", "import", str(file), "--dry-run", "--json")
        assert planned.json() == {"entries": len(theirs), "dry_run": True}
        assert len(entries_of(store)) == 2
        done = bob.handrail("ledger", "import", str(file), "--json")
        assert done.json() == {"entered": len(theirs), "entries": len(theirs)}
        again = bob.handrail("ledger", "import", str(file), "--json")
        assert again.json()["entered"] == 0, "what was entered before is not entered again"
    ours = entries_of(store)
    records = [json.loads(payload or b"{}") for _, payload in ours[2:]]
    assert [json.loads(record["record"])["header"].encode() for record in records] == [
        header for header, _ in theirs
    ]
    assert [record["claimed_at"] for record in records] == [
        json.loads(header)["at"] for header, _ in theirs
    ]
    bob.types('eval "$(handrail session start)"')
    assert bob.handrail("status", "--json").json()["leases"] == []
    assert refusal(bob.handrail("renew", records[4]["source"])).code == "foreign_epoch"
    assert bob.handrail("doctor", "--replay").code == 0
    world.claim(world.session(), "more")
    grown = bob.handrail("ledger", "import", str(exported(ada, "grown")), "--json")
    assert grown.json()["entered"] == 2


def test_what_does_not_verify_is_not_imported(world: World, ada: Person, bob: Person) -> None:
    store = Path(bob.env["HANDRAIL_STATE_DIR"]) / "state.db"
    before = entries_of(store)
    for change in ("edited", "removed", "swapped"):
        file = exported(ada, change)
        lines = CHANGES[change](file.read_bytes().splitlines())
        file.write_bytes(b"\n".join(lines) + b"\n")
        for extra in ((), ("--dry-run",)):
            said = refusal(bob.handrail("ledger", "import", str(file), *extra))
            assert said.code == "ledger_broken"
    (ada.scratch / "none").write_text("nonsense")
    assert refusal(bob.handrail("ledger", "import", str(ada.scratch / "none"))).code == (
        "malformed_ledger"
    )
    assert entries_of(store) == before


def test_ones_own_ledger_is_not_imported(world: World, ada: Person) -> None:
    with unharmed(world.store):
        assert refusal(ada.handrail("ledger", "import", str(exported(ada)))).code == (
            "malformed_ledger"
        )


def test_history_is_entered_in_the_name_of_who_asks(world: World, ada: Person, bob: Person) -> None:
    bob.types('eval "$(handrail session start)"')
    assert bob.handrail("ledger", "import", str(exported(ada))).code == 0
    last = bob.handrail("log", "-n", "1", "--json").json()["entries"][0]
    assert (last["kind"], last["session"]) == ("history.imported", bob.session)
    bob.env["HANDRAIL_SECRET"] = "wrong"
    assert refusal(bob.handrail("ledger", "import", str(exported(ada, "b")))).code == "wrong_secret"


# --------------------------------------------------------------------------------------- redact


@pytest.fixture
def spilled(world: World) -> int:
    """Write something into the ledger that should not be there, with much before and after."""
    session = world.session()
    for number in range(30):
        world.claim(session, f"before/{number}")
    granted = world.claim(session, f"src/{NEEDLE}", f"docs/{NEEDLE}/*.md")
    world.release(session)
    for number in range(30):
        world.claim(session, f"after/{number}")
    return int(granted.token.partition(":")[2])


def holding(folder: Path) -> list[str]:
    """Name the files below a folder that hold the needle."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and NEEDLE.encode() in path.read_bytes()
    )


def redact(world: World, seq: int) -> Person:
    person = world.shell()
    done = person.types(f"handrail ledger redact {seq} --reason spilled", terminal=True)
    assert done.code == 0, done.err
    return person


def test_a_redacted_payload_is_gone_from_every_byte_of_the_state_folder(
    world: World, spilled: int
) -> None:
    assert holding(world.folder) != []
    before = entries_of(world.store)
    with unharmed(world.store):
        person = redact(world, spilled)
        assert holding(world.folder) == []
    after = entries_of(world.store)
    assert after[spilled - 1] == (before[spilled - 1][0], None)
    assert len(after) == len(before) + 1
    last = json.loads(after[-1][1] or b"{}")
    assert (last["seq"], last["reason"]) == (spilled, "spilled")
    verified = person.handrail("ledger", "verify", "--json").json()
    assert (verified["redacted"], verified["entries"]) == (1, len(after))
    assert person.handrail("store", "verify").code == 0
    assert "(redacted)" in person.handrail("log", "-n", "200").out
    assert NEEDLE not in exported(person).read_text()
    assert person.handrail("ledger", "verify", str(person.scratch / "export")).code == 0
    check_chain(after)


def test_a_ledger_with_a_redaction_can_be_rebuilt_and_imported(
    world: World, spilled: int, bob: Person
) -> None:
    person = redact(world, spilled)
    assert person.handrail("store", "rebuild").code == 0
    assert person.handrail("doctor", "--replay").code == 0
    assert bob.handrail("ledger", "import", str(exported(person))).code == 0
    assert bob.handrail("doctor", "--replay").code == 0


def test_somebody_who_reads_meanwhile_keeps_it_and_that_is_said(world: World, spilled: int) -> None:
    reader = apsw.Connection(str(world.store))
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM entry").fetchall()
    person, line = world.shell(), f"handrail ledger redact {spilled}"
    first = person.types(line, terminal=True)
    assert (first.code, "store_busy" in first.err) == (3, True), first.err
    assert f"next: {line}" in first.err
    assert holding(world.folder) != []
    reader.close()
    again = person.types(line, terminal=True)
    assert (again.code, "was redacted already" in again.err) == (2, True)
    assert holding(world.folder) == []
    assert person.handrail("ledger", "verify").code == 0


def test_only_a_person_or_a_coordinator_redacts(world: World, spilled: int) -> None:
    roles = '[[role]]\nname = "worker"\nlane = ["**"]\n[[role]]\nname = "lead"\nlane = ["**"]\n'
    world.configure(f'default_role = "worker"\n{roles}coordinates = true\n')
    worker, lead = world.session(role="worker"), world.session(role="lead")
    env: Any
    with unharmed(world.store):
        for session, terminal, env in (
            (None, False, {}),
            (worker, False, {}),
            (worker, True, {}),
            (None, True, {"CLAUDECODE": "1"}),
        ):
            with (
                world.open(session, terminal=terminal, **env) as application,
                pytest.raises(errors.NeedsPerson),
            ):
                Records(application.context).redact(spilled, "because")
        assert entries_of(world.store)[spilled - 1][1] is not None
        with world.open(lead) as application:
            Records(application.context).redact(spilled, "because")
    assert entries_of(world.store)[spilled - 1][1] is None
    assert json.loads(entries_of(world.store)[-1][0])["role"] == "lead"


def test_what_is_live_or_in_force_is_not_redacted(world: World) -> None:
    session, other = world.session(), world.session()
    token = int(world.claim(session, "src").token.partition(":")[2])
    seqs = {
        json.loads(header)["kind"]: json.loads(header)["seq"]
        for header, _ in entries_of(world.store)
    }
    assert seqs["lease.granted"] == token
    with unharmed(world.store), world.open(terminal=True) as application:
        for kind in ("store.created", "config.applied", "session.started", "lease.granted"):
            with pytest.raises(errors.StillLive):
                Records(application.context).redact(seqs[kind], "because")
        assert all(payload is not None for _, payload in entries_of(world.store))
    world.release(session)
    with world.open(terminal=True) as application:
        Records(application.context).redact(token, "because")
        assert verify_store(application.store, ()).good
    assert other


@pytest.mark.parametrize("seq", ["0", "-1", "999", "x", "9" * 30])
def test_what_is_no_entry_is_not_redacted(world: World, seq: str) -> None:
    with unharmed(world.store):
        done = world.shell().types(f"handrail ledger redact -- {seq}", terminal=True)
    assert (done.code, "Traceback" in done.err) == (2, False), done.err
