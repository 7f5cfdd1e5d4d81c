"""The evidence bundle of an ended cooperation: what it touched, what was run, what came of it.

Promises: everything in it comes from the ledger and from git; what an agent typed is in none of it.
A file that lies in the place of one of these, with other bytes, is kept beside it. Written when a
person approves at the end, and when somebody stops the work, to preserve what there is.

    Bundles(context, files).write("coop-20260601-090000-nav", ())
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from handrail.core.events import KIND_OF, CommitAttested
from handrail.core.handed import PacketAccepted, PacketOffered, TaskTaken
from handrail.core.ledger import read_event, read_header
from handrail.core.receipts import EvidenceRecorded
from handrail.core.record import Record
from handrail.projections.json_text import write_json
from handrail.service.clean import without_clean
from handrail.service.context import Context
from handrail.service.known import here
from handrail.service.policy import rules_in_force
from handrail.store.port import Reader
from handrail.text import shell_quote
from handrail.typed import Any, Final, Protocol

SOURCES: Final = "sources.json"
HEALTH: Final = "health.json"
OUTPUTS: Final = "outputs"
GREEN, RED, CLEAN, DIRTY = "green", "red", "clean", "dirty"
WORKING_TREE: Final = "working tree"
CHECKS_MAX: Final = 200
NAME_CHARS_MAX: Final = 60
TOUCHED: Final = (("specs/", "specs_touched"), ("src/", "src_touched"), ("tests/", "tests_touched"))
OTHERS: Final = "other_touched"
_KINDS: Final = {
    KIND_OF[kind]
    for kind in (CommitAttested, PacketAccepted, PacketOffered, TaskTaken, EvidenceRecorded)
}


class BundleFiles(Protocol):
    """The files of a working tree."""

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes; None if there is none."""

    def write(self, path: str, content: bytes) -> None:
        """Write a file whole."""


class Work(Record):
    """What was done in the name of a cooperation: attested commits, the receipts of its runs."""

    commits: tuple[str, ...]
    receipts: tuple[EvidenceRecorded, ...]


class Bundles:
    """The use case of bundling."""

    def __init__(self, context: Context, files: BundleFiles) -> None:
        self._context = context
        self._store = context.store
        self._files = files

    def write(self, task: str, dirty: Sequence[str]) -> tuple[str, ...]:
        """Write the bundle of a task; returns the paths of its files.

        ``dirty`` are the paths that differ from HEAD. Raises FactsUnavailable, StoreReadOnly and
        the like.
        """
        with self._store.read() as reader:
            work = work_of(reader, task)
            folder = f"{rules_in_force(reader).settings.workspace.evidence}/{task}"
        files = {
            SOURCES: write_json(self._sources(task, work)),
            HEALTH: write_json(self._health(work, dirty)),
            **{f"{OUTPUTS}/{name}.txt": text for name, text in _outputs(work)},
        }
        for name, content in files.items():
            path = f"{folder}/{name}"
            before = self._files.read(path)
            if before == content:
                continue
            if before is not None:
                self._files.write(self._aside(path), before)
            self._files.write(path, content)
        return tuple(f"{folder}/{name}" for name in files)

    def _aside(self, path: str) -> str:
        number = 1
        while self._files.read(f"{path}.before-{number}") is not None:
            number += 1
        return f"{path}.before-{number}"

    def _sources(self, task: str, work: Work) -> dict[str, Any]:
        """Say which commits belong to it, as far as HEAD has them, and what they touched."""
        head = here(self._context.outside).commit
        gone = self._context.outside.not_in(head, work.commits) if head else frozenset()
        kept = [commit for commit in work.commits if commit not in gone]
        with self._context.outside.history() as history:
            changes = history.changes(kept) if kept else {}
        touched: dict[str, set[str]] = {name: set() for _, name in TOUCHED}
        for change in changes.values():
            for row in change.paths or ():
                touched.setdefault(_kind_of(row.path), set()).add(row.path)
        return {
            "task_id": task,
            **{name: sorted(paths) for name, paths in touched.items()},
            "commits": [
                {"sha": commit, "subject": changes[commit].subject}
                for commit in kept
                if commit in changes
            ],
        }

    def _health(self, work: Work, dirty: Sequence[str]) -> dict[str, str]:
        """Say how each check ended that Handrail ran; the newest run of each counts."""
        found = {name: GREEN if one.succeeded else RED for name, one in newest(work.receipts)}
        left = without_clean(self._context, tuple(dirty))
        return {**found, WORKING_TREE: DIRTY if left else CLEAN}


def _kind_of(path: str) -> str:
    return next((name for begin, name in TOUCHED if path.startswith(begin)), OTHERS)


def work_of(reader: Reader, task: str) -> Work:
    """Return what was committed and run by whoever acted for a task, while it did."""
    first = reader.packet(task, 1)
    commits: dict[str, None] = {}
    receipts: list[EvidenceRecorded] = []
    holder: str | None = None
    for entry in reader.entries(0 if first is None else first.seq - 1):
        header = read_header(entry.header)
        event = read_event(entry) if header.kind in _KINDS else None
        match event:
            case PacketAccepted() | TaskTaken() if event.task == task:
                holder = event.session
            case PacketOffered() if event.task == task:
                holder = None
            case CommitAttested() if header.session == holder is not None:
                commits[event.commit] = None
            case EvidenceRecorded() if header.session == holder is not None:
                receipts.append(event)
            case _:
                pass
    return Work(tuple(commits), tuple(receipts))


def newest(receipts: Iterable[EvidenceRecorded]) -> list[tuple[str, EvidenceRecorded]]:
    """Return the newest receipt of each check: of a gate by its id, else by the command's words."""
    found: dict[str, EvidenceRecorded] = {}
    for one in receipts:
        name = one.gate or " ".join(map(shell_quote, one.argv))[:NAME_CHARS_MAX]
        found.pop(name, None)
        found[name] = one
    return list(found.items())[-CHECKS_MAX:]


def _outputs(work: Work) -> Iterator[tuple[str, bytes]]:
    """Yield a name and the end of the output of each check, after a line that says what ran."""
    taken: set[str] = set()
    for name, one in newest(work.receipts):
        plain = _plain(name)
        while plain in taken:
            plain += "-"
        taken.add(plain)
        yield plain, _text_of(one)


def _plain(name: str) -> str:
    plain = "".join(char if char.isascii() and char.isalnum() else "-" for char in name)
    return "-".join(filter(None, plain.split("-"))) or "check"


def _text_of(one: EvidenceRecorded) -> bytes:
    argv: Sequence[str] = one.argv
    lines = (
        f"$ {' '.join(map(shell_quote, argv))}",
        f"# {one.ended} {one.exit_status}, {one.duration_ms} ms, at commit {one.commit or 'none'}",
        f"# output: {one.output_bytes} bytes, sha256 {one.output_hash}; its end:",
        one.output_tail,
    )
    return ("\n".join(lines).rstrip("\n") + "\n").encode("utf-8", "surrogateescape")
