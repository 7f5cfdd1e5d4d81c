"""Ledgers in git: commits written into this repository, fetched from remotes, pushed to them.

Promises: nothing is ever forced. A push is a plain one: git itself refuses what does not
fast-forward, and the receiving side moves the ref only from the value that it named before; a
lease (``--force-with-lease``) would let a push overwrite, so none is used. A local ref moves by
compare-and-swap. No hook of this repository runs on the way, no tag, submodule or other ref goes
along, and time and output have bounds. Git runs with an argument vector, never through a shell; the
key that signs ledgers is not in its environment. What a remote says is shown, never believed.

    remotes = Remotes("/repo")
    remotes.listed("origin", ["refs/handrail/ledger/*"])
    remotes.push("origin", commit, "refs/handrail/ledger/3fk2ap7q").outcome
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Final

from handrail.core.record import Record
from handrail.errors import FactsUnavailable
from handrail.errors.landing import RemoteUnavailable, UnknownRemote
from handrail.facts.git import HEX, git_beside

KEY_VARIABLE: Final = "HANDRAIL_LEDGER_KEY"
ASK_TIMEOUT_S: Final = 60
MOVE_TIMEOUT_S: Final = 600
"""For objects on their way: the first push of a large ledger is one of hundreds of megabytes."""
OUTPUT_BYTES_MAX: Final = 1 << 26
COMPLAINT_BYTES_MAX: Final = 16_384
REASON_CHARS_MAX: Final = 300
REASON_LINES_MAX: Final = 3
REMOTE_CHARS_MAX: Final = 4_096
ID_CHARS: Final = (40, 64)
AUTHOR: Final = ("Handrail", "handrail@invalid")

DONE: Final = "done"
RACED: Final = "raced"
"""Somebody else moved the ref meanwhile."""
FORBIDDEN: Final = "forbidden"
"""The remote takes no such ref, or not from us."""

_BY_OTHERS: Final = (
    *("non-fast-forward", "fetch first", "stale info", "failed to update ref", "cannot lock ref"),
    *("incorrect old value", "reference already exists", "transaction failed to start"),
)
_QUIET: Final = ("-c", f"core.hooksPath={os.devnull}", "-c", "i18n.commitEncoding=UTF-8")
_FETCH: Final = (
    *("fetch", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-prune"),
    *("--no-auto-maintenance", "--no-progress", "--no-filter", "--refmap=", "--"),
)
_PUSH: Final = (
    *("push", "--no-verify", "--porcelain", "--no-signed", "--no-follow-tags", "--no-progress"),
    *("--recurse-submodules=no", "--"),
)


class Pushed(Record):
    """How a push ended: ``done``, ``raced`` or ``forbidden``, and why, in the remote's words."""

    outcome: str
    reason: str = ""


class Answer(Record):
    """What a git said, and how it ended."""

    status: int
    out: bytes
    complaint: str


class Remotes:
    """The repository around a folder, and the remotes that it knows."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._addresses: dict[str, str] = {}

    # --- which remote ----------------------------------------------------------------------------

    def chosen(self, asked: str | None) -> str:
        """Return the remote to talk to: the one asked for, else the branch's, origin, the only one.

        Raises UnknownRemote.
        """
        known = self._here(["remote"]).out.decode("utf-8", "surrogateescape").split("\n")[:-1]
        if asked is not None:
            return _checked(asked, known)
        branch = self._here(["symbolic-ref", "--quiet", "--short", "HEAD"], fine=(0, 1)).out
        if branch:
            key = b"branch.%b.remote" % branch.removesuffix(b"\n")
            told = self._here(["config", "--get", os.fsdecode(key)], fine=(0, 1)).out
            own = os.fsdecode(told.removesuffix(b"\n"))
            if own in known:
                return _checked(own, known)
        if "origin" in known or len(known) == 1:
            return _checked("origin" if "origin" in known else known[0], known)
        if not known:
            raise UnknownRemote(remote="origin", reason="this repository has no remote")
        reason = f"the branch has none, and there are {', '.join(known)}: name one"
        raise UnknownRemote(remote="origin", reason=reason)

    def _address(self, remote: str) -> str:
        """Return what to give to git: the URL that is pushed to, if it is another than the usual.

        Else one repository would be asked and another one written.
        """
        if remote not in self._addresses:
            usual = self._here(["remote", "get-url", remote], fine=(0, 2, 128))
            pushed = self._here(["remote", "get-url", "--push", remote], fine=(0, 2, 128))
            same = usual.status or pushed.status or usual.out == pushed.out
            address = remote if same else os.fsdecode(pushed.out.split(b"\n")[0])
            self._addresses[remote] = address
        return self._addresses[remote]

    # --- talking to it ---------------------------------------------------------------------------

    def listed(self, remote: str, patterns: Sequence[str]) -> dict[str, str]:
        """Return what the remote's refs under these prefixes hold; raises RemoteUnavailable."""
        globs = [f"{prefix}*" for prefix in patterns]
        words = ["ls-remote", "--refs", "--", self._address(remote), *globs]
        told = self._talk(words, remote, ASK_TIMEOUT_S)
        if told.status != 0:
            raise RemoteUnavailable(remote=remote, reason=told.complaint)
        rows = [line.split("\t") for line in told.out.decode("utf-8", "replace").splitlines()]
        refs = {row[1]: row[0] for row in rows if len(row) == 2 and _is_id(row[0])}
        return {ref: one for ref, one in refs.items() if ref.startswith(tuple(patterns))}

    def fetch(self, remote: str, refs: Sequence[str]) -> bool:
        """Fetch what these refs hold, and move no ref; False if one of them is gone meanwhile."""
        told = self._talk([*_FETCH, self._address(remote), *refs], remote, MOVE_TIMEOUT_S)
        if told.status == 0:
            return True
        if "couldn't find remote ref" in told.complaint:
            return False
        raise RemoteUnavailable(remote=remote, reason=told.complaint)

    def push(self, remote: str, commit: str, ref: str) -> Pushed:
        """Let a ref of the remote move on to a commit; raises RemoteUnavailable."""
        words = [*_PUSH, self._address(remote), f"{commit}:{ref}"]
        told = self._talk(words, remote, MOVE_TIMEOUT_S)
        for line in told.out.decode("utf-8", "replace").splitlines():
            flag, _, rest = line.partition("\t")
            update, _, summary = rest.partition("\t")
            if update.rpartition(":")[2] != ref:
                continue
            if flag != "!":
                return Pushed(DONE)
            lost = any(sign in summary + told.complaint for sign in _BY_OTHERS)
            return Pushed(RACED if lost else FORBIDDEN, _why(summary, told.complaint))
        if told.status == 0:
            return Pushed(DONE)
        raise RemoteUnavailable(remote=remote, reason=told.complaint)

    # --- local refs and objects ------------------------------------------------------------------

    def refs(self, prefix: str) -> dict[str, str]:
        """Return what the refs of this repository under a prefix hold."""
        told = self._here(["for-each-ref", "--format=%(objectname) %(refname)", prefix])
        rows = [line.split(" ", 1) for line in told.out.decode("utf-8", "replace").splitlines()]
        return {row[1]: row[0] for row in rows if len(row) == 2}

    def move(self, ref: str, new: str, old: str | None) -> bool:
        """Let a local ref move from ``old`` (None: from not being there); False if it was moved."""
        words = ["update-ref", "-m", "handrail: sync", "--no-deref", ref, new]
        told = self._here([*words, old or "0" * len(new)], fine=(0, 1, 128))
        if told.status == 0:
            return True
        if self.refs(ref).get(ref) != old or "lock" in told.complaint:
            return False
        raise FactsUnavailable(what=ref, reason=told.complaint)

    def commits_among(self, ids: Sequence[str]) -> set[str]:
        """Return those of these ids that are commits and here."""
        asked = "".join(f"{one}\n" for one in ids).encode("ascii")
        lines = self._here(["cat-file", "--batch-check"], asked).out.decode("ascii", "replace")
        words = [line.split() for line in lines.splitlines()]
        return {row[0] for row in words if row[1:2] == ["commit"]}

    def contains(self, newer: str, older: str) -> bool:
        """Tell whether a commit is, or has in its history, another one."""
        return self._here(["merge-base", "--is-ancestor", older, newer], fine=(0, 1)).status == 0

    def write_file(self, content: bytes) -> str:
        """Write a blob; returns its id."""
        return self._written(["hash-object", "-w", "--stdin"], content)

    def write_tree(self, files: Mapping[str, str], folders: Mapping[str, str]) -> str:
        """Write a tree of plain files and folders, each a name and an id; returns its id."""
        rows = [f"100644 blob {one}\t{name}\0" for name, one in files.items()]
        rows += [f"040000 tree {one}\t{name}\0" for name, one in folders.items()]
        return self._written(["mktree", "-z"], "".join(rows).encode("utf-8"))

    def write_commit(self, tree: str, parent: str | None, message: str, at_s: int) -> str:
        """Write a commit in Handrail's name; returns its id. The same words give the same one."""
        name, address = AUTHOR
        about = {"NAME": name, "EMAIL": address, "DATE": f"@{at_s} +0000"}
        extra = {
            f"GIT_{who}_{key}": text
            for who in ("AUTHOR", "COMMITTER")
            for key, text in about.items()
        }
        words = ["commit-tree", tree, *(["-p", parent] if parent else [])]
        return self._written(words, message.encode("utf-8"), extra)

    def _written(
        self, words: Sequence[str], content: bytes, extra: Mapping[str, str] | None = None
    ) -> str:
        said = self._here(words, content, extra=extra).out.decode("ascii", "replace").strip()
        if not _is_id(said):
            raise FactsUnavailable(what=f"git {words[0]}", reason="its answer makes no sense")
        return said

    # --- processes -------------------------------------------------------------------------------

    def _here(
        self,
        words: Sequence[str],
        stdin: bytes = b"",
        *,
        fine: Sequence[int] = (0,),
        extra: Mapping[str, str] | None = None,
    ) -> Answer:
        """Run git on this repository alone; raises FactsUnavailable."""
        what = f"git {words[0]}"
        told = self._run(words, stdin, ASK_TIMEOUT_S, extra or {})
        if told is None:
            raise FactsUnavailable(what=what, reason=f"it took more than {ASK_TIMEOUT_S} s")
        if told.status not in fine:
            raise FactsUnavailable(what=what, reason=told.complaint)
        return told

    def _talk(self, words: Sequence[str], remote: str, seconds: int) -> Answer:
        """Run git with a remote at its other end; raises RemoteUnavailable."""
        told = self._run(words, b"", seconds, {})
        if told is None:
            raise RemoteUnavailable(remote=remote, reason=f"it took more than {seconds} s")
        return told

    def _run(
        self, words: Sequence[str], stdin: bytes, seconds: int, extra: Mapping[str, str]
    ) -> Answer | None:
        """Run git; None if it was not done in time."""
        environment = {
            **os.environ,
            "GIT_GRAFT_FILE": os.devnull,
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
            **extra,
        }
        environment.pop(KEY_VARIABLE, None)
        what = f"git {words[0]}"
        started = git_beside(what, [*_QUIET, *words], self._folder, environment, stdin, alone=True)
        with started as (process, complaints):
            with _ended(process, seconds) as late:
                out = process.stdout.read(OUTPUT_BYTES_MAX + 1) if process.stdout else b""
                if len(out) > OUTPUT_BYTES_MAX:
                    reason = f"it says more than {OUTPUT_BYTES_MAX} bytes"
                    raise FactsUnavailable(what=what, reason=reason)
                process.wait()
            if late.is_set():
                return None
            return Answer(process.returncode, out, _complaint(complaints))


@contextmanager
def _ended(process: subprocess.Popen[bytes], seconds: int) -> Iterator[threading.Event]:
    """See to the end of a process, and of whatever it started if it is late or unwanted."""
    late = threading.Event()

    def end() -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    def give_up() -> None:
        late.set()
        end()

    timer = threading.Timer(seconds, give_up)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        if process.poll() is None:
            end()
        if process.stdout is not None:
            process.stdout.close()
        process.wait()


def _complaint(complaints: IO[bytes]) -> str:
    """Return what git complained of: the lines that say why, the remote's own included."""
    complaints.seek(0)
    text = complaints.read(COMPLAINT_BYTES_MAX).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines()]
    own = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    theirs = [line for line in lines if line.startswith("remote: ") and len(line) > len("remote: ")]
    told = [*theirs[:REASON_LINES_MAX], *own] or [line for line in lines if line] or ["no reason"]
    plain = [line.removeprefix("fatal: ").removeprefix("error: ").rstrip(".") for line in told]
    return "; ".join(plain[: REASON_LINES_MAX + 1])[:REASON_CHARS_MAX]


def _why(summary: str, complaint: str) -> str:
    """Return why a push was not taken: git's word in brackets, and what the remote said."""
    word = summary.rpartition("(")[2].removesuffix(")")
    said = [part for part in complaint.split("; ") if part.startswith("remote: ")]
    return "; ".join([word, *said])[:REASON_CHARS_MAX]


def _is_id(text: str) -> bool:
    return len(text) in ID_CHARS and HEX.issuperset(text)


def _checked(remote: str, known: Sequence[str]) -> str:
    """Return a remote that git will take for one; raises UnknownRemote."""
    plain = remote.isprintable() and len(remote) <= REMOTE_CHARS_MAX and remote == remote.strip()
    if not remote or remote.startswith("-") or not plain:
        reason = "a remote is a name or an address of one line, and begins with no dash"
        raise UnknownRemote(remote=remote, reason=reason)
    if remote not in known and "/" not in remote and ":" not in remote:
        named = f"those here are {', '.join(known)}" if known else "this repository has none"
        raise UnknownRemote(remote=remote, reason=named)
    return remote
