"""Whatever goes wrong: a stable code, one sentence, the next command, the right exit status.

And no harm: the ledger before is a prefix of the ledger after, and it verifies; no traceback
reaches anybody. Each row is typed twice, once for people and once for programs.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import apsw
import pytest

from handrail.core.scope import SCOPE_PATTERNS_MAX
from tests.cli.world import (
    PATIENCE_S,
    Person,
    Refusal,
    World,
    check_chain,
    entries_of,
    eventually,
    refusal,
    refusal_in_json,
    unharmed,
)
from tests.support import Repo, Result

LONG: Final = "x" * 4_000
HOSTILE: Final = {
    "newline": "a\nb",
    "quotes": "a\"b'c",
    "bytes": "a\udcff\udcfeb",
    "long": LONG,
    "escape": "\x1b[31mred",
    "dollar": "$(touch pwned) `touch pwned`",
}


def said_no(person: Person, *argv: str, code: str, status: int) -> Refusal:
    """Run a command for people and for programs; both must be refused alike."""
    text = refusal(person.handrail(*argv))
    end = argv.index("--") if "--" in argv else len(argv)
    json = refusal_in_json(person.handrail(*argv[:end], "--json", *argv[end:]))
    assert (text.code, text.status) == (code, status), text
    assert (json.code, json.status, json.next) == (code, status, text.next)
    return text


# -------------------------------------------------------------------- questions that make no sense


class Row(NamedTuple):
    """What is typed, and what is answered; ``{epoch}`` and ``{token}`` are those of the store."""

    argv: tuple[str, ...]
    code: str
    status: int = 2


MALFORMED: Final = (
    *(
        Row(("claim", scope), "malformed_scope")
        for scope in (
            *(
                "",
                "/abs",
                "../up",
                "a/../b",
                "a//b",
                ".",
                "a\\b",
                "a\nb",
                "a\udcff",
                "\x1b[31m",
                LONG,
            ),
            *(
                ".git",
                ".git/config",
                "a/.GIT/b",
                "!a",
                "a**",
                "?" * 33,
                "a/" + "y" * 256,
                "*\u0301",
            ),
        )
    ),
    Row(("claim", *(f"s{number}" for number in range(SCOPE_PATTERNS_MAX + 1))), "malformed_scope"),
    *(
        Row(("claim", "src", "--ttl", ttl), "malformed_ttl")
        for ttl in (
            *("0s", "999ms", "24h1ms", "25h", "1d1s", "-1s", "", "abc", "90", "1.5h", "1h 2m x"),
            *("9" * 30 + "s", "٣s", "1\n", "a\udcff"),
        )
    ),
    Row(("claim", "src", "--wait", "5q"), "malformed_ttl"),
    Row(("claim", "src", "--wait=soon"), "malformed_ttl"),
    Row(("claim", "src", "--wait", "10"), "malformed_ttl"),
    Row(("renew", "--ttl", "0s"), "malformed_ttl"),
    *(
        Row(("claim", "src", "--role", role), "unknown_role")
        for role in (*("nobody", "Worker", "", "a\nb", "a\udcff", LONG),)
    ),
    Row(("session", "start", "--role", "nobody"), "unknown_role"),
    Row(("session", "role", "nobody"), "unknown_role"),
    *(
        Row(("renew", token), "malformed_token")
        for token in (
            *("nonsense", "", ":", ":1", "{epoch}:", "{epoch}:0", "{epoch}:-1", "{epoch}:1x"),
            *("{epoch}:" + "9" * 30, "UPPER:1", "{epoch}:٣", "a\nb:1", "a\udcff:1", LONG),
        )
    ),
    Row(("renew", "otherone:4"), "foreign_epoch"),
    Row(("release", "otherone:4"), "foreign_epoch"),
    Row(("renew", "{epoch}:1"), "unknown_token"),
    Row(("renew", "{epoch}:999999"), "unknown_token"),
    Row(("release", "{epoch}:999999"), "unknown_token"),
    Row(("renew",), "usage"),
    *(Row(("attest", "--", text), "malformed_range") for text in ("--all", "-n1", "^HEAD")),
    Row(("renew", "{token}"), "not_holder", 1),
    Row(("release", "{token}"), "not_holder", 1),
    Row(("release", "src"), "not_holder", 1),
    *(
        Row(("attest", text), "malformed_range")
        for text in (
            *(
                "",
                "nonsense",
                "HEAD..HEAD",
                "HEAD~99..HEAD",
                "HEAD\n",
                "a\udcff",
                LONG,
            ),
            *("HEAD:README.md", "main^{tree}"),
        )
    ),
    *(Row(("ledger", "redact", seq), "usage") for seq in ("x", "0", "-1", "1e3", "9" * 30)),
    *(
        Row(("ledger", "verify", "--head", head), "malformed_token")
        for head in (*("x", "{epoch}:1", "{epoch}:1:zz", ":1:" + "0" * 64),)
    ),
    Row(("ledger", "verify", "--head", "otherone:1:" + "0" * 64), "foreign_epoch"),
    Row(("ledger", "verify", "--head", "{epoch}:1:" + "0" * 64), "ledger_broken", 3),
    Row(("ledger", "verify", "--head", "{epoch}:999:" + "0" * 64), "ledger_broken", 3),
    *(
        Row(("session", "start", "--id", name), "malformed_name")
        for name in (*("a b", "../up", "-x", ".x", "a\nb", "a\udcff", LONG, "é"),)
    ),
    Row(("session", "start", "--agent", "a b"), "malformed_name"),
    Row(("session", "show", "a b"), "malformed_name"),
    Row(("session", "end", "a\udcff"), "malformed_name"),
    Row(("session", "show", "nobody"), "unknown_session", 1),
    Row(("session", "end", "nobody"), "unknown_session", 1),
    Row(("claim", "src", "--request-id", "a\udcff"), "malformed_name"),
)
USAGE: Final = (
    *(
        "nonsense",
        "--nonsense",
        "claim",
        "claim --nonsense",
        "claim src --ttl",
        "claim src --json=1",
    ),
    *("why", "why a b", "why .", "status extra", "status --watch", "session nonsense", "-C"),
    *(
        "session start extra",
        "session role",
        "log -n",
        "log -n x",
        "log -n 0",
        "log -n -1",
        "log x",
    ),
    *("run --claim x", "run --claim x --", "run -- true", "run --claim x -- /nonexistent/program"),
    *("run --claim x -- /etc/passwd", "completion", "completion tcsh", "attest", "attest a b"),
    *("init --preset nonsense", "ledger nonsense", "ledger import", "ledger redact"),
    *("config nonsense", "store nonsense", "-C /nonexistent status", "-C README.md status"),
    *("status -C /nonexistent", "release"),
)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("row", MALFORMED, ids=lambda row: " ".join(row.argv)[:40])
def test_a_question_that_makes_no_sense_is_answered_and_changes_nothing(
    world: World, row: Row
) -> None:
    holder, person = world.session(), world.person()
    token = world.claim(holder, "held").token
    epoch = token.partition(":")[0]
    argv = [word.replace("{epoch}", epoch).replace("{token}", token) for word in row.argv]
    before = entries_of(world.store)
    said_no(person, *argv, code=row.code, status=row.status)
    assert entries_of(world.store) == before


@pytest.mark.sampled(4)
@pytest.mark.parametrize("line", USAGE)
def test_wrong_arguments_are_answered_with_usage(world: World, line: str) -> None:
    person = world.person()
    with unharmed(world.store):
        text = refusal(person.types(f"handrail {line}".replace("run ", "run --quiet ")))
    assert (text.code, text.status) == ("usage", 2)
    assert text.next != ""


def test_a_command_alone_shows_its_help(world: World) -> None:
    for argv in ((), ("session",), ("ledger",), ("config",), ("store",), ("lease",)):
        done = world.shell().handrail(*argv)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("Usage: handrail")


@pytest.mark.parametrize("name", HOSTILE)
def test_why_takes_any_path(world: World, name: str) -> None:
    person, path = world.person(), HOSTILE[name]
    with unharmed(world.store):
        done = person.handrail("why", path)
        assert (done.code, done.err) == (0, "")
        assert all(line.isprintable() for line in done.out.splitlines())
        told = person.handrail("why", path, "--json")
    assert told.out.isascii()
    assert told.json()["path"] == path
    granted = person.types(told.json()["next"])
    assert granted.code == 0, granted.err
    assert person.handrail("why", path, "--json").json()["verdict"] == "yes"
    assert not (world.path / "pwned").exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_files_of_any_name_can_be_attested(world: World, name: str) -> None:
    person, path = world.person(), f"src/{HOSTILE[name]}"
    _commit_path(world.repo, path)
    text = said_no(person, "attest", "HEAD", code="not_holder", status=1)
    assert person.types(text.next).code == 0, text.next
    with unharmed(world.store):
        done = person.handrail("attest", "HEAD", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json()["attested"] == [world.repo.git("rev-parse", "HEAD")]


def _commit_path(repo: Repo, path: str) -> None:
    """Commit a path that need not fit into the file system."""
    parts = "/".join(path[at : at + 200] for at in range(0, len(path), 200))
    blob = repo.git("hash-object", "-w", "--stdin", input="x")
    entry = f"100644 {blob}\t{parts}\0"
    repo.git("update-index", "-z", "--add", "--index-info", input=entry)
    tree = repo.git("write-tree")
    commit = repo.git("commit-tree", tree, "-p", "HEAD", "-m", "odd")
    repo.git("update-ref", "HEAD", commit)


# ------------------------------------------------------------------------------- the environment

NONSENSE: Final = {
    "HANDRAIL_SESSION": ("a b", "../../etc/passwd", "a\nb", "\udcff", LONG, "-x"),
    "AGENT_SESSION_ID": ("a b", LONG),
    "HANDRAIL_AGENT": ("a b", "\udcff", LONG),
    "AGENT_ID": ("a b",),
    "HANDRAIL_ROLE": ("a b", "\udcff", LONG),
    "HANDRAIL_STATE_DIR": ("relative", "~", LONG, "/" + LONG, "/x" * 2_000, "\udcff"),
    "HANDRAIL_STORE_URL": ("nonsense", "postgresql://ada:geheim@host/db", "\udcff", LONG),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param(name, value, id=f"{name}-{number}")
        for name, values in NONSENSE.items()
        for number, value in enumerate(values)
    ],
)
def test_a_variable_set_to_nonsense_is_named(world: World, variable: str, value: str) -> None:
    person = world.person()
    if variable.startswith("AGENT_"):
        del person.env["HANDRAIL_SESSION"]
    person.env[variable] = value
    with unharmed(world.store):
        text = said_no(person, "claim", "src", code="malformed_environment", status=2)
    assert variable in text.sentence
    assert "geheim" not in text.sentence
    assert text.next == f"unset {variable}"


@pytest.mark.parametrize(
    ("variable", "value", "code", "status"),
    [
        ("HANDRAIL_SECRET", "nonsense", "wrong_secret", 1),
        ("HANDRAIL_SECRET", "\udcff\n", "wrong_secret", 1),
        ("HANDRAIL_SECRET", LONG, "wrong_secret", 1),
        ("HANDRAIL_SESSION", "nobody", "unknown_session", 1),
        ("HANDRAIL_STATE_DIR", "/proc/nonexistent", "not_initialised", 3),
        ("HANDRAIL_STATE_DIR", "/etc/passwd", "not_initialised", 3),
        ("GIT_DIR", "/nonexistent", "facts_unavailable", 3),
    ],
)
def test_a_variable_that_could_be_right_is_refused_for_what_it_names(
    world: World, variable: str, value: str, code: str, status: int
) -> None:
    person = world.person()
    person.env[variable] = value
    with unharmed(world.store):
        said_no(person, "claim", "src", code=code, status=status)


def test_a_role_in_the_environment_that_is_none_is_refused_at_the_start(world: World) -> None:
    text = said_no(
        world.shell(HANDRAIL_ROLE="nobody"), "session", "start", code="unknown_role", status=2
    )
    assert text.next == 'eval "$(handrail session start --role worker)"'


@pytest.mark.parametrize(
    "variable", ["HANDRAIL_LOG", "NO_COLOR", "COLUMNS", "TERM", "LC_ALL", "TZ"]
)
@pytest.mark.sampled(4)
@pytest.mark.parametrize("value", ["nonsense", "", "-1", "\udcff"])
def test_other_variables_are_taken_as_they_come(world: World, variable: str, value: str) -> None:
    person = world.person()
    person.env[variable] = value
    done = person.handrail("claim", "src")
    assert (done.code, done.err) == (0, ""), done.err
    assert person.handrail("status").code == 0


@pytest.mark.parametrize("folder", ["/proc/nonexistent", "/etc/passwd", "/dev/null"])
def test_init_says_why_there_can_be_no_store(world: World, folder: str) -> None:
    person = world.shell(HANDRAIL_STATE_DIR=folder)
    with unharmed(world.store):
        said_no(person, "init", code="store_read_only", status=3)


@pytest.mark.parametrize("language", ["C", "POSIX", "C.UTF-8", "tr_TR.UTF-8", "nonsense"])
def test_any_locale_will_do(world: World, language: str) -> None:
    person = world.person()
    person.env.update(LC_ALL=language, LANG=language)
    done = person.handrail("claim", "stra\u00dfe/\u0130", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json()["scope"] == ["stra\u00dfe/\u0130"]
    assert person.handrail("status").code == 0
    assert refusal(world.person().handrail("claim", "stra\u00dfe")).code == "scope_held"


# ------------------------------------------------------------------------------ where there is none


def test_no_repository_is_said(tmp_path: Path, world: World) -> None:
    person = world.shell(tmp_path)
    for argv in (
        ("status",),
        ("claim", "x"),
        ("init",),
        ("doctor",),
        ("run", "--claim", "x", "--", "true"),
    ):
        said_no(person, *argv, code="no_repository", status=3)


def test_a_bare_repository_is_said(tmp_path: Path, world: World) -> None:
    bare = tmp_path / "bare.git"
    world.repo.git("init", "--quiet", "--bare", str(bare))
    for folder in (bare, bare / "refs"):
        person = world.shell(folder)
        for command in ("init", "status"):
            said_no(person, command, code="bare_repository", status=3)
    assert not (bare / "handrail").exists()
    inside = refusal(world.shell(world.path / ".git").handrail("status"))
    assert (inside.code, inside.next) == ("bare_repository", f"cd {shlex.quote(str(world.path))}")


def test_a_repository_without_commits_works(tmp_path: Path, world: World) -> None:
    empty = tmp_path / "empty"
    world.repo.git("init", "--quiet", str(empty))
    person = world.shell(empty)
    said_no(person, "claim", "src", code="not_initialised", status=3)
    assert person.types("handrail init").code == 0
    assert person.types('eval "$(handrail session start)"').code == 0
    assert person.types("handrail claim src").code == 0
    assert person.types("handrail status").code == 0
    assert person.types("handrail doctor").code == 0
    assert person.types("handrail run --claim lib -- true").code == 0
    said_no(person, "attest", "HEAD", code="malformed_range", status=2)
    (empty / "src").mkdir()
    (empty / "src" / "a.py").write_text("a")
    assert person.types("git add src && git commit --quiet -m first").code == 0
    assert person.types("handrail attest HEAD").code == 0


def test_a_repository_with_a_hostile_name_works(tmp_path: Path, world: World) -> None:
    folder = tmp_path / 'it\'s "here"\n\udcff $HOME'
    world.repo.git("init", "--quiet", str(folder))
    person = world.shell(folder)
    for line in ("handrail init", 'eval "$(handrail session start)"', "handrail claim src"):
        done = person.types(line)
        assert done.code == 0, done.err
    done = person.types("handrail doctor && handrail status")
    assert done.code == 0
    beside = world.shell(folder)
    assert refusal(beside.handrail("claim", "src")).code == "unknown_session"


# --------------------------------------------------------------------------------- handrail.toml

BROKEN: Final = {
    "no TOML": b"[[[",
    "an unknown key": b'[workspace]\nid = "w"\nmod = "warn"\n',
    "a wrong type": b"[workspace]\nid = 3\n",
    "not UTF-8": b'[workspace]\nid = "\xff"\n',
    "a NUL": b'[workspace]\nid = "w\0"\n',
    "empty": b"",
    "deep": b"a = " + b"[" * 100_000,
    "large": b"#" * (1 << 21),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_is_named_with_its_line_and_does_not_count(
    world: World, name: str
) -> None:
    person = world.person()
    (world.path / "handrail.toml").write_bytes(BROKEN[name])
    with unharmed(world.store):
        assert person.handrail("claim", "src").code == 0, "what is in force counts, not the file"
        assert "handrail.toml differs" in person.handrail("status").out
        checked = person.handrail("config", "validate")
        assert checked.code == 2
        assert checked.out.startswith("handrail.toml:")
        assert person.handrail("config", "validate", "--json").json()["problems"] != []
        said_no(world.shell(), "config", "apply", code="malformed_config", status=2)
        said_no(world.shell(), "init", code="malformed_config", status=2)


def test_a_folder_in_the_place_of_the_configuration_is_said(world: World) -> None:
    (world.path / "handrail.toml").unlink()
    (world.path / "handrail.toml").mkdir()
    with unharmed(world.store):
        said_no(world.shell(), "config", "apply", code="facts_unavailable", status=3)


def test_a_missing_configuration_is_said(world: World) -> None:
    person = world.person()
    (world.path / "handrail.toml").unlink()
    with unharmed(world.store):
        assert person.handrail("claim", "src").code == 0
        assert "is missing here" in person.handrail("status").out
        said_no(person, "config", "apply", code="facts_unavailable", status=3)
        said_no(person, "config", "validate", code="facts_unavailable", status=3)


# -------------------------------------------------------------------------------------- the store

READING: Final = ("status", "log", "why src", "session list", "ledger verify", "store verify")
WRITING: Final = ("claim src", "renew", "release --all", "session start", "attest HEAD")


def in_namespace(world: World, script: str, person: Person) -> Result:
    """Run a script where it may mount file systems: as root of a namespace of its own."""
    argv = (
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "--net",
        "bash",
        "--norc",
        "-ec",
        script,
    )
    done = subprocess.run(
        argv,
        cwd=person.cwd,
        env={**person.env, "WORLD": str(world.path), "OUT": str(world.scratch)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(argv, done.returncode, done.stdout, done.stderr)


def transcript(world: World, script: str, person: Person, *lines: str) -> list[Result]:
    """Type lines into a namespace that a script prepared; returns how each of them ended."""
    parts = [script]
    for number, line in enumerate(lines):
        where = f'"$OUT"/line-{number}'
        parts.append(f"({line}) >{where}.out 2>{where}.err && s=0 || s=$?; echo $s >{where}.code")
    done = in_namespace(world, "\n".join(parts), person)
    assert done.code == 0, done.err
    found = []
    for number, line in enumerate(lines):
        out, err, code = (
            (world.scratch / f"line-{number}.{kind}").read_text() for kind in ("out", "err", "code")
        )
        found.append(Result((line,), int(code), out, err))
    return found


def test_a_store_that_is_read_only_can_be_read_and_says_why_it_cannot_be_written(
    world: World,
) -> None:
    person = world.person()
    assert person.session is not None
    world.claim(person.session, "held")
    script = 'mount --bind "$WORLD/.git" "$WORLD/.git"; mount -o remount,bind,ro "$WORLD/.git"'
    before = entries_of(world.store)
    reading = transcript(world, script, person, *(f"handrail {line}" for line in READING))
    assert [done.code for done in reading] == [0] * len(READING), reading
    lines = [*WRITING, "init", "run --claim x -- true", "store rebuild"]
    text = transcript(world, script, person, *(f"handrail {line}" for line in lines))
    for done in text:
        said = refusal(done)
        assert (said.code, said.status) == ("store_read_only", 3), done
    json = transcript(world, script, person, *(f"handrail --json {line}" for line in lines))
    assert {refusal_in_json(done).code for done in json} == {"store_read_only"}
    assert entries_of(world.store) == before


FULL: Final = """
mkdir -p "$OUT/disk"; mount -t tmpfs -o size=700k none "$OUT/disk"
export HANDRAIL_STATE_DIR="$OUT/disk/state"
handrail init >/dev/null 2>&1; eval "$(handrail session start 2>/dev/null)"
handrail claim before >/dev/null
cp -r "$OUT/disk/state" "$OUT/before"
dd if=/dev/zero of="$OUT/disk/fill" bs=1k 2>/dev/null || true
"""
ROOM_AGAIN: Final = """
rm "$OUT/disk/fill"; handrail claim after && cp -r "$OUT/disk/state" "$OUT/after"
"""


def test_a_full_disk_refuses_and_harms_nothing(world: World) -> None:
    person = world.shell()
    fill = " ".join(f"x{number}" for number in range(200))
    lines = (
        f"handrail claim {fill}",
        f"handrail --json claim {fill}",
        "handrail session start",
        "handrail --json session start",
        "handrail status",
        "handrail ledger verify",
        ROOM_AGAIN,
    )
    done = transcript(world, FULL, person, *lines)
    for text in (done[0], done[2]):
        said = refusal(text)
        assert (said.code, said.status) == ("disk_full", 3)
        assert said.next.startswith("df -h ")
    for json in (done[1], done[3]):
        assert refusal_in_json(json).code == "disk_full"
    assert [each.code for each in done[4:]] == [0, 0, 0], done[4:]
    before = entries_of(world.scratch / "before" / "state.db")
    after = entries_of(world.scratch / "after" / "state.db")
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1
    check_chain(after)


def test_a_disk_that_is_full_from_the_start_leaves_a_repository_that_can_be_set_up(
    world: World,
) -> None:
    script = FULL.split("handrail init")[0] + 'dd if=/dev/zero of="$OUT/disk/fill" bs=1k || true'
    lines = ("handrail init", 'rm "$OUT/disk/fill"; handrail init && handrail doctor')
    first, second = transcript(world, script, world.shell(), *lines)
    assert (refusal(first).code, first.code) == ("disk_full", 3)
    assert second.code == 0, second.out + second.err


HOLDER: Final = """
import sys, time
from handrail.facts.clock import BootClock
from handrail.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1], BootClock(), lambda: "")
with store.transaction() as tx:
    print("held", flush=True)
    sys.stdin.read()
"""
INTRUDER: Final = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_by_another_process(world: World, program: str) -> Iterator[int]:
    """Let another process sit in the store's transaction; gives its number."""
    import sys

    with subprocess.Popen(
        (sys.executable, "-c", program, str(world.store)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2] / "src",
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield holder.pid
        finally:
            assert holder.stdin is not None
            holder.stdin.close()


@pytest.mark.parametrize("program", [HOLDER, INTRUDER], ids=["in its turn", "past the queue"])
def test_a_busy_store_says_so_in_bounded_time_and_can_be_read_meanwhile(
    world: World, program: str
) -> None:
    person = world.person()
    with unharmed(world.store), held_by_another_process(world, program) as pid:
        started = time.monotonic()
        text = person.handrail_starts("claim", "src")
        json = person.handrail_starts("claim", "src", "--json")
        for line in READING:
            assert person.handrail(*line.split()).code == 0
        ended = [_ended(text), _ended(json)]
        assert time.monotonic() - started < 20
    said = refusal(ended[0])
    assert (said.code, said.status) == ("store_busy", 3)
    assert refusal_in_json(ended[1]).code == "store_busy"
    assert program is not HOLDER or str(pid) in said.sentence
    assert person.handrail("claim", "src").code == 0


def _ended(started: subprocess.Popen[str]) -> Result:
    out, err = started.communicate(timeout=60)
    return Result(tuple(map(str, started.args)), started.returncode, out, err)  # type: ignore[arg-type]


def sql(*statements: str) -> Callable[[Path], None]:
    """Damage a store with statements that nobody should run."""

    def damage(store: Path) -> None:
        connection = apsw.Connection(str(store))
        for statement in statements:
            connection.execute(statement)
        connection.close()

    return damage


def overwritten(store: Path) -> None:
    with store.open("r+b") as file:
        file.write(b"no database at all" * 20)


def in_the_middle(store: Path) -> None:
    with store.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xa5" * (store.stat().st_size - 8_192))


def cut_off(store: Path) -> None:
    os.truncate(store, 5_000)


def a_folder(store: Path) -> None:
    store.unlink()
    store.mkdir()


def emptied(store: Path) -> None:
    os.truncate(store, 0)


DAMAGES: Final[dict[str, tuple[Callable[[Path], None], str]]] = {
    "its beginning overwritten": (overwritten, "store_corrupt"),
    "its middle overwritten": (in_the_middle, "store_corrupt"),
    "cut off": (cut_off, "store_corrupt"),
    "a table gone": (sql("DROP TABLE lease"), "store_corrupt"),
    "a column gone": (sql("ALTER TABLE lease RENAME COLUMN kind TO sort"), "store_corrupt"),
    "its state gone": (sql("DELETE FROM state"), "store_corrupt"),
    "half migrated": (sql("PRAGMA user_version=0"), "store_corrupt"),
    "of another program": (sql("PRAGMA application_id=7"), "store_corrupt"),
    "its configuration garbled": (
        sql("UPDATE config SET text = '[[[', compiled = NULL"),
        "store_corrupt",
    ),
    "of a newer format": (sql("PRAGMA user_version=99"), "newer_format"),
    "a folder": (a_folder, "store_read_only"),
    "empty": (emptied, "not_initialised"),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_store_is_named_and_left_as_it_is(world: World, name: str) -> None:
    damage, code = DAMAGES[name]
    person = world.person()
    assert person.session is not None
    world.claim(person.session, "held")
    sql("PRAGMA wal_checkpoint(TRUNCATE)")(world.store)
    for beside in ("state.db-wal", "state.db-shm"):
        (world.folder / beside).unlink(missing_ok=True)
    damage(world.store)
    before = None if world.store.is_dir() else world.store.read_bytes()
    for line in ("status", "claim src", "why src"):
        text = said_no(person, *line.split(), code=code, status=3)
        assert "Traceback" not in text.sentence
    found = person.handrail("doctor")
    assert (found.code, found.err) == (1, "")
    assert code in found.out
    sql_left = [] if before is None else [world.store.read_bytes()]
    assert sql_left in ([], [before]), "a command wrote into a store that it could not read"


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "name", [name for name, (_, code) in DAMAGES.items() if code == "store_corrupt"]
)
def test_a_damaged_store_has_a_way_out_that_loses_nothing(world: World, name: str) -> None:
    damage, _ = DAMAGES[name]
    person = world.person()
    sql("PRAGMA wal_checkpoint(TRUNCATE)")(world.store)
    for beside in ("state.db-wal", "state.db-shm"):
        (world.folder / beside).unlink(missing_ok=True)
    damage(world.store)
    bytes_before = world.store.read_bytes()
    text = refusal(person.types("handrail claim src"))
    assert text.next == "handrail store rebuild"
    asked = person.types(text.next)
    if asked.code == 0:  # the ledger was whole: the tables were made anew
        assert person.types("handrail claim src").code == 0
        return
    assert asked.err.splitlines()[-2].startswith("handrail: needs_person: "), asked.err
    done = person.types(asked.err.splitlines()[-1].strip().removeprefix("next: "), terminal=True)
    assert done.code == 0, done.out + done.err
    assert bytes_before in [kept.read_bytes() for kept in world.folder.glob("state.db.damaged-*")]
    again = refusal(person.types("handrail claim src"))
    assert again.code == "unknown_session"
    person.types(again.next)
    assert person.types("handrail claim src").code == 0
    check_chain(entries_of(world.store))


def test_a_store_whose_making_was_interrupted_is_made(world: World) -> None:
    for path in world.folder.glob("state.db*"):
        path.unlink()
    sql("PRAGMA journal_mode=WAL")(world.store)
    assert world.store.stat().st_size > 0
    person = world.shell()
    assert refusal(person.handrail("claim", "src")).next == "handrail init"
    assert person.types("handrail init").code == 0
    assert person.types('eval "$(handrail session start)"').code == 0
    assert person.types("handrail claim src").code == 0


# ------------------------------------------------------------------------------ when nobody listens

CLOSED: Final = {
    ">&-": 3,
    ">/dev/full": 3,
    "| head -c 0": 3,
}
TALKING: Final = (
    *("status", "log", "claim src", "session list", "why x", "ledger verify", "ledger export"),
    *("--help", "claim --help", "--version", "config schema", "completion bash", "doctor", "init"),
)


@pytest.mark.parametrize("how", CLOSED)
def test_an_answer_that_cannot_be_written_is_said_on_stderr(world: World, how: str) -> None:
    person = world.person()
    with unharmed(world.store):
        for json in ("", "--json "):
            for line in TALKING:
                if json and ("-" in line[:2] or line in ("claim --help", "ledger export")):
                    continue
                done = person.types(f"set -o pipefail; handrail {json}{line} {how}")
                told = refusal(done)
                assert (told.code, told.status) == ("output_closed", 3), (line, done)
            assert person.handrail("release", "--all").code == 0


def test_a_refusal_that_nobody_can_read_keeps_its_exit_status(world: World) -> None:
    person = world.person()
    for how in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full", ">/dev/full 2>/dev/full"):
        for json in ("", " --json"):
            done = person.types(f"handrail claim ../x{json} {how}")
            assert done.code == 2, (how, done)
            assert "Traceback" not in done.out + done.err
            assert "Exception" not in done.out + done.err


def test_closed_streams_do_not_reach_the_files_of_the_store(world: World) -> None:
    person = world.person()
    with unharmed(world.store):
        for how in ("<&-", "2>&-", "<&- 2>&-"):
            done = person.types(f"handrail claim src {how}")
            assert done.code == 0, (how, done)
        done = person.types("handrail run --claim src -- sh -c 'echo to you' <&- >&- 2>&-; true")
        assert done.code == 0
    assert (world.folder / "state.turn").stat().st_size <= 10
    assert (world.folder / "state.queue").stat().st_size == 0


# ------------------------------------------------------------------------------------ odd folders


def test_a_folder_that_cannot_be_written_is_no_hindrance(world: World) -> None:
    inside = world.path / "read" / "only"
    inside.mkdir(parents=True)
    inside.chmod(0o555)
    person = world.person(cwd=inside)
    try:
        assert person.handrail("claim", "src").code == 0
        assert person.handrail("status").code == 0
    finally:
        inside.chmod(0o755)


def test_a_folder_that_is_gone_is_said(world: World) -> None:
    person = world.person()
    gone = "mkdir -p gone/deep && cd gone/deep && rm -r ../../gone && handrail"
    with unharmed(world.store):
        for line in ("status", "claim src", "init", "why x", "config validate", "ledger verify x"):
            text = refusal(person.types(f"({gone} {line})"))
            assert (text.code, text.status) == ("usage", 2), line
            json = refusal_in_json(person.types(f"({gone} {line} --json)"))
            assert json.code == "usage"
        done = person.types(f"({gone} -C {shlex.quote(str(world.path))} claim src)")
        assert done.code == 0, done.err


@pytest.mark.parametrize("name", ["a\nb", "\udcff", LONG, "/nonexistent", "README.md"])
def test_a_directory_that_is_none_is_said(world: World, name: str) -> None:
    said_no(world.person(), "status", "-C", name, code="usage", status=2)


# --------------------------------------------------------------------------------- an expired token


def test_an_expired_token_is_good_for_nothing(world: World) -> None:
    person = world.person()
    token = person.handrail("claim", "src", "--ttl", "1s", "--json").json()["token"]
    world.repo.write("src/a.py", "a")
    world.repo.commit("a", "src")
    assert eventually(lambda: not world.holds(person.session, "src"))
    with unharmed(world.store):
        said_no(person, "renew", token, code="lease_expired", status=1)
        said_no(person, "attest", "HEAD", code="lease_expired", status=1)
        done = person.handrail("release", token, "--json")
        assert (done.code, done.json()["ended_before"]) == (0, [token])


# ----------------------------------------------------------------------------------------- Ctrl-C

INTERRUPTED: Final = {
    "claim": "claim src",
    "wait": "claim held --wait",
    "run": "run --claim lib -- sleep 0.3",
    "status": "status --json",
    "verify": "ledger verify",
    "session": "session start",
    "help": "ledger --help",
}
ENDED_BY_CTRL_C: Final = (130, -signal.SIGINT)


@pytest.mark.parametrize("name", INTERRUPTED)
@pytest.mark.parametrize(
    "rounds", [8, pytest.param(150, marks=pytest.mark.nightly)], ids=["some", "many"]
)
def test_ctrl_c_at_any_moment_ends_quietly_and_harms_nothing(
    world: World, name: str, rounds: int, request: pytest.FixtureRequest
) -> None:
    holder, person = world.session(), world.person()
    world.claim(holder, "held")
    argv = INTERRUPTED[name].split()
    chance = random.Random(zlib.crc32(request.node.nodeid.encode()))
    span_s = _span_s(person, argv)
    before_us = 0
    with unharmed(world.store):
        for _ in range(rounds):
            started = person.handrail_starts(*argv)
            done = _interrupted(started, chance.uniform(0, span_s), signal.SIGINT)
            if _before_us(done):
                before_us += 1
                continue
            _check_quiet(done)
        assert eventually(lambda: world.waiters() == 0), "somebody still waits who is gone"
    assert before_us < rounds
    assert person.handrail("claim", "after").code == 0


def _span_s(person: Person, argv: list[str]) -> float:
    started = time.monotonic()
    if "--wait" in argv:
        argv = [*argv, "200ms"]
    person.handrail(*argv)
    return time.monotonic() - started


def _interrupted(started: subprocess.Popen[str], after_s: float, number: int) -> Result:
    """Send a signal after a while; the process must end by itself within bounded time."""
    try:
        out, err = started.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        started.send_signal(number)
        try:
            out, err = started.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            started.kill()
            raise
    return Result(("handrail",), started.returncode, out, err)


def _before_us(done: Result) -> bool:
    """Tell whether the interpreter was interrupted before the first line of ours."""
    ours = r'edge/cli/main\.py", line \d+, in (entry|main|_run)$'
    return "KeyboardInterrupt" in done.err and not re.search(ours, done.err, re.MULTILINE)


def _check_quiet(done: Result) -> None:
    assert "Traceback" not in done.err, done.err
    assert "Exception ignored" not in done.err, done.err
    assert done.code in (0, *ENDED_BY_CTRL_C), done
    if done.code == 130 and "interrupted" in done.err:
        said = done.err.splitlines()
        assert said[-2].startswith("handrail: interrupted: ")
        assert said[-1] == "  next: handrail status"


def test_ctrl_c_in_the_queue_gives_the_place_up_at_once(world: World) -> None:
    holder, person = world.session(), world.person()
    world.claim(holder, "held")
    started = person.handrail_starts("claim", "held", "--wait")
    assert eventually(lambda: world.waiters() == 1)
    done = _interrupted(started, 0, signal.SIGINT)
    assert done.code == 130
    assert world.waiters() == 0
    _check_quiet(done)


def test_the_term_signal_in_the_queue_gives_the_place_up_too(world: World) -> None:
    holder, person = world.session(), world.person()
    world.claim(holder, "held")
    started = person.handrail_starts("claim", "held", "--wait", "--json")
    assert eventually(lambda: world.waiters() == 1)
    done = _interrupted(started, 0, signal.SIGTERM)
    assert done.code == 130
    assert done.json()["error"]["code"] == "interrupted"
    assert world.waiters() == 0
