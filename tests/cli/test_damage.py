"""Whatever lies around a store is broken: files, rights, limits, git; and Ctrl-C at more moments.

``test_bad_input.py`` has the questions and the store's own file; here is what surrounds it. Nothing
here may end in a traceback, hang, or cost an entry of the ledger.
"""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time
import zlib
from typing import Final, NamedTuple

import apsw
import pytest

from tests.cli.world import (
    PATIENCE_S,
    Person,
    World,
    check_chain,
    entries_of,
    eventually,
    refusal,
    refusal_in_json,
    unharmed,
)
from tests.support import Result

STATUS_OF: Final = {
    "disk_full": 3,
    "facts_unavailable": 3,
    "malformed_range": 2,
    "store_corrupt": 3,
    "store_read_only": 3,
    "wrong_secret": 1,
}
# Root reads and writes whatever the rights say; without its capabilities it is as anybody else.
# Within a user namespace an ordinary user may type the same.
WITHOUT_PRIVILEGES: Final = (
    "unshare --user --map-root-user"
    " setpriv --securebits +noroot,+noroot_locked --inh-caps=-all --bounding-set=-all"
)
TRACES: Final = ("Traceback", "Exception ignored", "Error:")


def assert_refused(done: Result, code: str, status: int) -> None:
    """Check code, exit status, one sentence, ``next:``, no traceback; in text or in JSON."""
    said = (refusal_in_json if done.out else refusal)(done)
    assert (said.code, said.status) == (code, status), done
    assert not any(trace in done.out + done.err for trace in TRACES), done


def assert_ended(person: Person, line: str, code: str) -> None:
    """Type a line for people and for programs: refused with ``code``, done if there is none."""
    for words in (line, f"{line} --json"):
        done = person.types(words, timeout_s=30)
        if code:
            assert_refused(done, code, STATUS_OF[code])
        else:
            assert done.code == 0, done
            assert not any(trace in done.err for trace in TRACES), done


# --------------------------------------------------------------------- what lies around the store


class Harm(NamedTuple):
    """What is broken in the state folder, how it is mended, what three commands say meanwhile."""

    harm: str
    mend: str
    claim: str = ""
    status: str = ""
    start: str = ""


UNWRITABLE: Final = "store_read_only"
UNREADABLE: Final = "facts_unavailable"
HARMS: Final = {
    "the queue is a folder": Harm(
        "rm state.queue; mkdir state.queue", "rmdir state.queue", UNWRITABLE, "", UNWRITABLE
    ),
    "the turn is a loop": Harm(
        "rm state.turn; ln -s state.turn state.turn", "rm state.turn", UNWRITABLE, "", UNWRITABLE
    ),
    "the turn is a pipe": Harm("rm state.turn; mkfifo state.turn", "rm state.turn"),
    "the turn cannot be written": Harm(
        "chmod 444 state.turn", "chmod 600 state.turn", UNWRITABLE, "", UNWRITABLE
    ),
    "the shared memory is a folder": Harm(
        "rm state.db-shm; mkdir state.db-shm", "rmdir state.db-shm", UNWRITABLE, "", UNWRITABLE
    ),
    "the shared memory is garbage": Harm("head -c 32768 /dev/urandom >state.db-shm", ":"),
    "the store cannot be written": Harm(
        "chmod 444 state.db", "chmod 600 state.db", UNWRITABLE, "", UNWRITABLE
    ),
    "the store cannot be read": Harm(
        "chmod 000 state.db", "chmod 600 state.db", UNWRITABLE, UNWRITABLE, UNWRITABLE
    ),
    "the folder cannot be entered": Harm(
        "chmod 600 .", "chmod 700 .", UNWRITABLE, UNWRITABLE, UNWRITABLE
    ),
    "the secrets are a file": Harm(
        "mv secrets aside; touch secrets",
        "rm secrets; mv aside secrets",
        "wrong_secret",
        "",
        UNWRITABLE,
    ),
    "the secrets cannot be read": Harm(
        "chmod 000 secrets", "chmod 700 secrets", "wrong_secret", "", UNWRITABLE
    ),
    "the secret is a pipe": Harm(
        "mv secrets/$HANDRAIL_SESSION aside; mkfifo secrets/$HANDRAIL_SESSION",
        "mv aside secrets/$HANDRAIL_SESSION",
        "wrong_secret",
    ),
    "the secret is garbage": Harm(
        "mv secrets/$HANDRAIL_SESSION aside; head -c 99 /dev/urandom >secrets/$HANDRAIL_SESSION",
        "mv aside secrets/$HANDRAIL_SESSION",
        "wrong_secret",
    ),
    "the configuration is a pipe": Harm(
        "rm $TOML; mkfifo $TOML", "rm $TOML; git checkout $TOML", "", UNREADABLE
    ),
    "the configuration is a loop": Harm(
        "rm $TOML; ln -s handrail.toml $TOML", "rm $TOML; git checkout $TOML", "", UNREADABLE
    ),
    "the configuration never ends": Harm(
        "rm $TOML; ln -s /dev/zero $TOML", "rm $TOML; git checkout $TOML", "", UNREADABLE
    ),
    "the configuration cannot be read": Harm("chmod 000 $TOML", "chmod 644 $TOML", "", UNREADABLE),
}


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", HARMS)
def test_what_is_broken_around_a_store_is_said_and_costs_nothing(world: World, name: str) -> None:
    person, harm = world.person(), HARMS[name]
    person.env["TOML"] = str(world.path / "handrail.toml")
    assert person.session is not None
    world.claim(person.session, "held")
    folder = world.shell(world.folder, TOML=person.env["TOML"], HANDRAIL_SESSION=person.session)
    before = entries_of(world.store)
    assert folder.types(f"{{ {harm.harm}; }}").code == 0
    try:
        lines = {"claim src": harm.claim, "status": harm.status, "session start": harm.start}
        for line, code in lines.items():
            assert_ended(person, f"{WITHOUT_PRIVILEGES} handrail {line}", code)
        told = person.types(f"{WITHOUT_PRIVILEGES} handrail doctor")
        assert told.code == (1 if any(lines.values()) else 0), told
    finally:
        undone = person.types("chmod 700 .git/handrail")
        assert undone.code == 0, undone
        assert folder.types(harm.mend.replace("git checkout", "git -C ../.. checkout")).code == 0
    after = entries_of(world.store)
    assert after[: len(before)] == before
    check_chain(after)
    assert person.types("handrail claim src").code == 0
    assert person.types("handrail ledger verify").code == 0


# ------------------------------------------------------------------------------ inside of the store


def tables_of(world: World) -> list[str]:
    """List the tables of a store."""
    connection = apsw.Connection(str(world.store))
    try:
        query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        return [str(row[0]) for row in connection.execute(query)]
    finally:
        connection.close()


@pytest.mark.nightly
def test_any_table_may_be_gone(world: World) -> None:
    person = world.person()
    assert person.session is not None
    world.claim(person.session, "held")
    lines = ("claim src", "status")
    for table in tables_of(world):
        connection = apsw.Connection(str(world.store))
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute(f'ALTER TABLE "{table}" RENAME TO "{table}_gone"')
        try:
            refused = 0
            for line in lines:
                done = person.types(f"handrail {line} --json")
                if done.code != 0:
                    assert_refused(done, "store_corrupt", 3)
                    refused += 1
            found = person.types("handrail doctor")
            assert (found.code, found.err) == (1, ""), (table, found)
            assert refused > 0 or "BAD" in found.out, table
        finally:
            connection.execute(f'ALTER TABLE "{table}_gone" RENAME TO "{table}"')
            connection.close()
    check_chain(entries_of(world.store))


FULL: Final = """
set -e; mkdir "$OUT/disk"; mount -t tmpfs -o size=900k none "$OUT/disk"
export HANDRAIL_STATE_DIR="$OUT/disk/state"
handrail init >/dev/null 2>&1; eval "$(handrail session start 2>/dev/null)"
handrail claim before >/dev/null; echo x >before; git add before
git -c core.hooksPath=/dev/null commit -qm before
mkdir "$OUT/first"; cp "$OUT/disk/state/"state.db* "$OUT/first"
dd if=/dev/zero of="$OUT/disk/fill" bs=1k 2>/dev/null || true
set +e
"""
WRITING: Final = (
    "claim src",
    "renew",
    "release --all",
    "attest HEAD",
    "session end",
    "session start",
    "run --claim lib -q -- true",
)


def test_on_a_full_disk_nothing_that_writes_does_so_by_half(world: World) -> None:
    person = world.shell(OUT=str(world.scratch))
    script = [FULL]
    for number, line in enumerate(WRITING):
        for kind, flag in (("text", ""), ("json", "--json ")):
            to = f'"$OUT/{number}-{kind}'
            script.append(f'handrail {flag}{line} >{to}.out" 2>{to}.err"; echo $? >{to}.code"')
    script += [
        'rm "$OUT/disk/fill"; handrail claim after >/dev/null || exit 9',
        "handrail ledger verify >/dev/null || exit 8",
        'mkdir "$OUT/last"; cp "$OUT/disk/state/"state.db* "$OUT/last"',
    ]
    (world.scratch / "full.sh").write_text("\n".join(script))
    ran = person.types(f"unshare --user --map-root-user --mount bash {world.scratch}/full.sh")
    assert ran.code == 0, ran
    for number, line in enumerate(WRITING):
        for kind in ("text", "json"):
            stem = world.scratch / f"{number}-{kind}"
            out, err, code = (
                stem.with_suffix(f".{end}").read_text() for end in ("out", "err", "code")
            )
            assert_refused(Result((line,), int(code), out, err), "disk_full", 3)
    before = entries_of(world.scratch / "first" / "state.db")
    after = entries_of(world.scratch / "last" / "state.db")
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1
    check_chain(after)


# --------------------------------------------------------------------------------- limits and git


@pytest.mark.parametrize("limit", ["-n 7", "-n 8", "-n 9", "-n 12", "-f 8"])
def test_a_limit_of_the_shell_is_no_bug(world: World, limit: str) -> None:
    person = world.person()
    with unharmed(world.store):
        for line in ("claim src", "status", "attest HEAD", "run --claim lib -q -- true"):
            done = person.types(f"(ulimit -S {limit}; exec handrail {line})")
            if done.code != 0:
                # What was taken may not be given back by a process that can open no file.
                *told, sentence, step = done.err.splitlines() or [""] * 2
                assert not told or line.startswith("run "), done
                said = refusal(Result(done.argv, done.code, done.out, f"{sentence}\n{step}\n"))
                assert said.code in {*STATUS_OF, "not_holder", "usage"}, done
    assert person.types("handrail claim src").code == 0


GITS: Final = {
    "missing": None,
    "failing": "echo boo >&2; exit 9",
    "silent": "exit 0",
    "killed": "kill -9 $$",
    "talking nonsense": "printf 'a\\033[31m\\377\\n\\000b\\n%s' \"$*\"",
}


@pytest.mark.parametrize("name", GITS)
def test_a_git_that_is_out_of_order_is_no_bug(world: World, name: str) -> None:
    person, script = world.person(), GITS[name]
    world.repo.write("src/a.py", "a")
    world.repo.commit("a")
    folder = world.scratch / "odd"
    folder.mkdir()
    program = person.types("type -p handrail").out.strip()
    if script is not None:
        (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "git").chmod(0o755)
    odd = world.shell(HANDRAIL_SESSION=person.session or "")
    with unharmed(world.store):
        assert odd.types(f"PATH={folder} {program} claim src").code == 0
        assert odd.types(f"PATH={folder} {program} status").code == 0
        for flag in ("", " --json"):
            done = odd.types(f"PATH={folder} {program} attest HEAD{flag}")
            said = (refusal_in_json if flag else refusal)(done)
            assert said.code in {"facts_unavailable", "malformed_range"}, done
        told = odd.types(f"PATH={folder} {program} doctor")
    assert told.code in (0, 1), told
    assert told.err == ""
    assert all(line.isprintable() for line in told.out.splitlines()), told.out


# ------------------------------------------------------------------------------------------ Ctrl-C

STOPPED: Final = (
    *("claim src", "claim src --json", "claim held --wait", "claim held --wait --json"),
    *("run --claim lib -- sleep 0.2", "status", "log", "log --json", "ledger verify", "renew"),
)
MOMENTS: Final = 3
OURS: Final = re.compile(r"src/handrail.*, in (?!<module>)")


def interrupted(started: subprocess.Popen[str], after_s: float) -> tuple[str, str]:
    """Press Ctrl-C after a while; and once more, because a starting interpreter may swallow it."""
    for wait_s in (after_s, 5.0):
        try:
            return started.communicate(timeout=wait_s)
        except subprocess.TimeoutExpired:
            started.send_signal(signal.SIGINT)
    return started.communicate(timeout=PATIENCE_S)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("line", STOPPED)
def test_ctrl_c_spread_over_a_whole_command_harms_nothing(
    world: World, line: str, request: pytest.FixtureRequest
) -> None:
    holder, person = world.session(), world.person()
    world.claim(holder, "held")
    assert person.session is not None
    world.claim(person.session, "own")
    argv = line.split()
    chance = random.Random(zlib.crc32(request.node.nodeid.encode()))
    began = time.monotonic()
    person.handrail(*("--wait=200ms" if word == "--wait" else word for word in argv))
    span_s = time.monotonic() - began
    with unharmed(world.store):
        for moment in range(MOMENTS):
            started = person.handrail_starts(*argv)
            out, err = interrupted(started, (moment + chance.random()) / MOMENTS * span_s)
            done = Result(tuple(argv), started.returncode, out, err)
            if "KeyboardInterrupt" in err and not OURS.search(err):
                continue  # the interpreter's own words, before the first function of ours
            assert done.code in (0, 130, -signal.SIGINT), done
            assert not any(trace in out + err for trace in TRACES), done
            if done.code == 130 and "--json" in argv and out:
                assert done.json()["error"]["code"] == "interrupted"
        assert eventually(lambda: world.waiters() == 0), "somebody still waits who is gone"
    assert person.handrail("claim", "after").code == 0
