"""Every command of Handrail on disks of three kinds: one with room, a full one, a read-only one.

``python -m tests.faults.disks POINT WORDS KIND...`` mounts what it likes at POINT, so it runs in
namespaces of its own, as ``tests.store.confined`` does. The repository that TEMPLATE names is
copied there; one JSON value says how each command ended on which disk, and what became of the
ledger. WORDS has the numbers that some lines name.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import apsw

from tests.cli.world import _at_terminal, entries_of
from tests.store.confined import fill, mount
from tests.support import launcher, run

ROOM: Final = "room"
FULL: Final = "full"
READ_ONLY: Final = "read-only"
TIMEOUT_S: Final = 10
SHOWN_CHARS: Final = 2_000
Lines = dict[str, tuple[str, ...]]

# What is typed of each command. ``!``: by a person at a terminal.
LINES: Final[dict[str, tuple[str, ...]]] = {
    "init": ("init",),
    "status": ("status",),
    "why": ("why", "src/api/x.py"),
    "claim": ("claim", "lib"),
    "release": ("release", "docs"),
    "run": ("run", "--claim", "lib", "--", "true"),
    "check": ("check", "commit"),
    "verify": ("verify", "HEAD~1..HEAD"),
    "log": ("log", "-n", "3"),
    "doctor": ("doctor",),
    "session start": ("session", "start", "--agent", "new"),
    "session end": ("session", "end"),
    "session list": ("session", "list"),
    "session show": ("session", "show"),
    "session role": ("!", "session", "role", "worker", "--session", "ada-1", "--reason", "why not"),
    "lease renew": ("lease", "renew"),
    "task new": ("task", "new", "later"),
    "task list": ("task", "list"),
    "task show": ("task", "show", "fix"),
    "task block": ("task", "block", "fix", "--rule", "stuck", "-m", "Nothing goes on here."),
    "task close": ("task", "close", "fix"),
    "task resume": ("!", "task", "resume", "halted", "--reason", "we talked"),
    "checkpoint approve": ("!", "checkpoint", "approve", "plan_check", "--task", "fix"),
    "checkpoint revise": ("!", "checkpoint", "revise", "plan_check", "--task", "fix"),
    "checkpoint stop": ("!", "checkpoint", "stop", "plan_check", "--task", "fix"),
    "checkpoint list": ("checkpoint", "list"),
    "trigger list": ("trigger", "list"),
    "handoff offer": ("handoff", "offer", "--task", "fix", "-m", "done", "--scope", "src/api"),
    "handoff accept": ("handoff", "accept", "port"),
    "handoff decline": ("handoff", "decline", "port", "--reason", "no time"),
    "handoff withdraw": ("handoff", "withdraw", "given", "--reason", "not yet"),
    "handoff list": ("handoff", "list"),
    "handoff show": ("handoff", "show", "port"),
    "handoff briefing": ("handoff", "briefing", "fix"),
    "export": ("export",),
    "reading list": ("reading", "list"),
    "reading done": ("reading", "done", "README.md"),
    "waiver add": ("!", "waiver", "add", "pushed", "--reason", "no remote"),
    "waiver list": ("waiver", "list"),
    "waiver revoke": ("!", "waiver", "revoke", "WAIVER", "--reason", "there is one"),
    "attest": ("attest", "HEAD"),
    "ledger verify": ("ledger", "verify"),
    "ledger export": ("ledger", "export", "-o", "ledger.txt"),
    "ledger import": ("ledger", "import", "other.txt"),
    "ledger sync": ("ledger", "sync", "origin"),
    "ledger redact": ("!", "ledger", "redact", "TASK", "--reason", "a name"),
    "config validate": ("config", "validate"),
    "config schema": ("config", "schema"),
    "config apply": ("!", "config", "apply"),
    "enroll": ("!", "enroll"),
    "lanes import": ("lanes", "import", "--dry-run"),
    "lanes export": ("lanes", "export", "-o", "OWNERS"),
    "backtest": ("backtest", "--since", "HEAD~1"),
    "audit": ("audit",),
    "ci": ("ci", "event.json", "--event", "pull_request"),
    "evidence run": ("evidence", "run", "--", "true"),
    "evidence list": ("evidence", "list"),
    "metrics": ("metrics",),
    "store verify": ("store", "verify"),
    "store rebuild": ("store", "rebuild"),
    "store migrate": ("!", "store", "migrate"),
    "store copy": ("store", "copy", "../copy.db"),
    "completion": ("completion", "bash"),
    "off": ("!", "off", "30m"),
    "uninstall": ("!", "uninstall", "--dry-run"),
    "renew": ("renew",),
    "heartbeat": ("heartbeat",),
    "whoami": ("whoami",),
    "offer": ("offer", "--task", "fix", "-m", "done", "--scope", "src/api"),
    "accept": ("accept", "port"),
    "inbox": ("inbox",),
    "resume": ("resume", "fix"),
}
# What renews changes rows and enters nothing.
RENEWING: Final = frozenset({"lease renew", "renew", "heartbeat"})
WRITING: Final = RENEWING | {
    *("claim", "release", "run", "session start", "session end", "task new", "task block"),
    *("task close", "task resume", "handoff offer", "handoff accept", "handoff decline"),
    *("handoff withdraw", "waiver add", "waiver revoke", "attest", "evidence run", "off"),
    *("offer", "accept"),
}
# The demo makes a repository of its own elsewhere; the hook answers in its harness's terms.
ELSEWHERE: Final = frozenset({"demo", "hook"})


def main(mount_point: Path, words: dict[str, str], kinds: list[str]) -> dict[str, Any]:
    mount("-t", "tmpfs", "-o", "size=400m", "none", str(mount_point))
    template = mount_point / "template"
    shutil.copytree(os.environ["TEMPLATE"], template, symlinks=True)
    settle(template / ".git" / "handrail" / "state.db")
    repo = mount_point / "repo"
    lines = {name: tuple(words.get(word, word) for word in line) for name, line in LINES.items()}
    return {kind: GROUNDS[kind](repo, template, lines) for kind in kinds}


def settle(store: Path) -> None:
    """Empty the log: what it has room for is room, however full the disk is."""
    connection = apsw.Connection(str(store))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def copied(template: Path, repo: Path) -> Path:
    """Copy the template to a small disk of its own; returns the store's file."""
    repo.mkdir()
    mount("-t", "tmpfs", "-o", "size=12m", "none", str(repo))
    shutil.copytree(template, repo, symlinks=True, dirs_exist_ok=True)
    subprocess.run(("git", "update-index", "-q", "--refresh"), cwd=repo, check=True)
    return repo / ".git" / "handrail" / "state.db"


def gone(repo: Path) -> None:
    subprocess.run(("umount", "-l", str(repo)), check=True)
    repo.rmdir()


def with_room(repo: Path, template: Path, lines: Lines) -> dict[str, Any]:
    """Give each command a copy of its own and all the room it wants."""
    told: dict[str, Any] = {}
    for name, argv in lines.items():
        store = copied(template, repo)
        before = entries_of(store)
        told[name] = start(repo, argv)
        told[name]["grown"] = len(entries_of(store)) - len(before)
        gone(repo)
    return {"lines": told}


def without_room(repo: Path, template: Path, lines: Lines) -> dict[str, Any]:
    """Fill the disk to its last byte: what cannot be written needs no new copy."""
    store = copied(template, repo)
    start(repo, ("status",))  # whoever reads needs shared memory, of which there is none yet
    fill(repo / ".git", leave=0)  # nothing that a working tree would show
    told = {"lines": {name: start(repo, argv) for name, argv in lines.items()}}
    (repo / ".git" / "filler").unlink()
    return {**told, **afterwards(repo, template, store)}


def read_only(repo: Path, template: Path, lines: Lines) -> dict[str, Any]:
    """Let nothing be written, for those commands that would write."""
    store = copied(template, repo)
    start(repo, ("status",))
    mount("-o", "remount,ro", str(repo))
    told = {"lines": {name: start(repo, argv) for name, argv in lines.items() if name in WRITING}}
    mount("-o", "remount,rw", str(repo))
    return {**told, **afterwards(repo, template, store)}


def afterwards(repo: Path, template: Path, store: Path) -> dict[str, Any]:
    """Say what became of the ledger, and whether things go on."""
    before = entries_of(template / ".git" / "handrail" / "state.db")
    row = {"same": entries_of(store) == before}
    row["verifies"] = start(repo, ("store", "verify"))["code"] == 0
    row["goes on"] = start(repo, ("claim", "later"))["code"] == 0
    gone(repo)
    return row


def start(repo: Path, argv: tuple[str, ...]) -> dict[str, Any]:
    if argv[0] == "!":
        env = {k: v for k, v in os.environ.items() if k != "HANDRAIL_SESSION"}
        done = _at_terminal((*launcher(), "--json", *argv[1:]), repo, env, TIMEOUT_S)
    else:
        done = run((*launcher(), "--json", *argv), repo, os.environ, None, TIMEOUT_S)
    return {"code": done.code, "out": done.out[:SHOWN_CHARS], "err": done.err[:SHOWN_CHARS]}


GROUNDS: Final[dict[str, Callable[[Path, Path, Lines], dict[str, Any]]]] = {
    ROOM: with_room,
    FULL: without_room,
    READ_ONLY: read_only,
}


if __name__ == "__main__":
    point, words, *kinds = sys.argv[1:]
    print(json.dumps(main(Path(point), json.loads(words), kinds)))
