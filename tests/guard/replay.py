"""A history replayed under Handrail: one well-behaved agent an author, each in its own worktree.

An agent works on one commit at a time: it pulls the commit's parent, asks before it edits, writes,
and commits what it wrote. Nobody claims by hand. Store, rules and use cases are the real ones, the
clock is told the history's times; what lies in the working trees is answered by the ``Model``.

    outcome = replay(Rebuilt(read_history("one"), folder), MemoryGround().create, PULLED)
    outcome.refused, outcome.told    # (), 44
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from handrail import errors
from handrail.config import compile_settings, parse_config, render_preset
from handrail.core.events import ConfigApplied, LeaseGranted
from handrail.core.lease import Actor
from handrail.core.ledger import read_event
from handrail.core.record import Record
from handrail.facts.dirt import RawDirty
from handrail.facts.git import RawCommit, read_range
from handrail.facts.repository import locate
from handrail.service.committing import Committing
from handrail.service.context import Caller, CommitRow, Context
from handrail.service.edits import Edits
from handrail.service.notices import Notices
from handrail.service.sessions import Sessions
from handrail.store.port import Store
from handrail.wiring.surroundings import Surroundings
from tests.guard.histories import Made, Model, blob_of, rebuild
from tests.store.grounds import WORKSPACE, FakeClock
from tests.support import Repo

WORK_MS: Final = 45 * 60_000
"""How long a change is worked on where the history says only when it was committed."""
PULLED: Final = "pulled"
"""Edits begin so long before the commit, once its parent is there: no lease runs out."""
DATED: Final = "dated"
"""Edits begin at the author's time, too, if that is earlier: months later the commit claims anew.

But never before the parent is there: where the history was rebased, that is when.
"""


class Refusal(Record):
    """Who was refused what, and why."""

    number: int
    act: str
    code: str
    reason: str


class Outcome(Record):
    """What a replay led to; ``told`` counts notices, ``beside`` grants beside somebody else's."""

    commits: int
    authors: int
    edits: int
    attested: int
    told: int
    beside: int
    refused: tuple[Refusal, ...]


class StoreMaker(Protocol):
    """Makes an empty store on a clock: ``create`` of ``tests.store.grounds``."""

    def __call__(self, clock: FakeClock) -> Store:
        """Make it."""


class MemorySecrets:
    """Session secrets in this process."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}
        self._secrets: dict[str, str] = {}

    def keep(self, session: str, secret: str) -> None:
        self._secrets[session] = secret

    def read(self, session: str) -> str | None:
        return self._secrets.get(session)

    def forget(self, session: str) -> None:
        self._secrets.pop(session, None)


class Rebuilt:
    """A history, its repository, and what git says of all its commits."""

    def __init__(self, history: Sequence[Made], folder: Path) -> None:
        self.model = Model(history)
        repo = Repo.create(folder)
        self.place = locate(str(folder), {})
        self.ids = rebuild(self.model, folder)
        self.numbers = {commit: number for number, commit in enumerate(self.ids)}
        rows = read_range(str(folder), f"{repo.git('rev-parse', 'HEAD')}..all")
        self.rows: dict[str, RawCommit] = {row.commit: row for row in rows}


class Tree(Surroundings):
    """An author's working tree: what HEAD is, and which files differ from it."""

    def __init__(self, rebuilt: Rebuilt) -> None:
        super().__init__(rebuilt.place)
        self._rebuilt = rebuilt
        self._model = rebuilt.model
        self.head: int | None = None
        self.files: dict[str, int | None] = {}
        """The commit whose text lies in each file that was written; None where it was deleted."""

    def commits(self, text: str) -> list[CommitRow]:
        return [self._rebuilt.rows[text]]

    def dirty(self, roots: Sequence[str]) -> list[RawDirty]:
        rows = []
        for path, number in self.files.items():
            before = blob_of(self._model.version(self.head, path))
            if before != blob_of(number) and any(_below(path, root) for root in roots):
                rows.append(RawDirty(path, blob_of(number), before, before))
        return rows

    def touching(self, paths: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
        assert self.head is not None
        found: dict[int, list[str]] = {}
        for path in paths:
            for number in self._model.chain(self.head, path):
                found.setdefault(number, []).append(path)
        return [(self._rebuilt.ids[n], tuple(found[n])) for n in sorted(found, reverse=True)]

    def changed_by(self, commits: Sequence[str]) -> dict[str, frozenset[str]]:
        return {commit: frozenset(self._rebuilt.rows[commit].paths) for commit in commits}

    def not_in(self, tip: str, commits: Sequence[str]) -> frozenset[str]:
        number = self.head if tip == "HEAD" else self._number(tip)
        return frozenset(
            commit
            for commit in commits
            if number is None or not self._model.contains(number, self._rebuilt.numbers[commit])
        )

    def merged(self, path: str, base: str, head: str) -> str | None:
        """Merge files of one line: where both sides changed it differently, they conflict."""
        before, after = (self._model.version(self._number(one), path) for one in (base, head))
        mine = self.files.get(path, after)
        if mine is None or after is None:
            return None
        if mine in (before, after):
            return blob_of(after)
        return blob_of(mine) if before == after else None

    def unlike(self, commit: str, blobs: Mapping[str, str | None]) -> list[str]:
        number = self._number(commit)
        return [
            path
            for path, blob in blobs.items()
            if blob_of(self._model.version(number, path))
            != (self._blob_here(path) if blob is None else blob)
        ]

    def _blob_here(self, path: str) -> str:
        if path in self.files:
            return blob_of(self.files[path])
        return blob_of(self._model.version(self.head, path))

    def _number(self, name: str) -> int | None:
        """Return the number of a commit, of HEAD, or of the first parent (``^``) of either."""
        plain = name.removesuffix("^")
        number = self.head if plain == "HEAD" else self._rebuilt.numbers[plain]
        if plain == name or number is None:
            return number
        parents = self._model.history[number].parents
        return parents[0] if parents else None


def _below(path: str, root: str) -> bool:
    return root in ("", ".", path) or path.startswith(f"{root}/")


class Agent:
    """An author at work."""

    def __init__(self, author: int, rebuilt: Rebuilt, store: Store, secrets: MemorySecrets) -> None:
        self._rebuilt = rebuilt
        self.tree = Tree(rebuilt)
        worktree = f"tree-{author}"
        caller = Caller(worktree=worktree, folder=worktree, session=f"author-{author}")
        self.context = Context(store, caller, secrets, self.tree)
        Sessions(self.context).start(id=caller.session, agent=f"agent-{author}")

    def edit(self, made: Made) -> None:
        """Pull the commit's parent, ask for its paths."""
        self.tree.head = made.parents[0] if made.parents else None
        Edits(self.context).edit(sorted(self._rebuilt.model.changed(made.number)))

    def write(self, made: Made) -> None:
        """Change the files."""
        for path in self._rebuilt.model.changed(made.number):
            gone = self._rebuilt.model.version(made.number, path) is None
            self.tree.files[path] = None if gone else made.number

    def commit(self, made: Made) -> None:
        """Ask what the hook asks."""
        Committing(self.context).commit(self._rebuilt.ids[made.number])

    def moved(self, made: Made) -> None:
        """Let HEAD be the new commit; what it holds is clean."""
        self.tree.head = made.number
        self.tree.files.clear()

    def told(self) -> int:
        """Count what the agent is told at its next event of edits beside its own."""
        return sum(told.kind == "parallel_edit" for told in Notices(self.context).take())


def windows(history: Sequence[Made], size: int) -> list[range]:
    """Cut the numbers of a history into runs of at most ``size``."""
    return [range(at, min(at + size, len(history))) for at in range(0, len(history), size)]


def steps(history: Sequence[Made], mode: str, window: range) -> list[tuple[int, int, str]]:
    """Return (time, number, act) of all that is done, in order."""
    free_at: dict[int, int] = {}
    found = []
    chosen = [history[n] for n in window if history[n].modes and len(history[n].parents) < 2]
    for made in sorted(chosen, key=lambda made: (made.made_at, made.number)):
        wanted = made.made_at - WORK_MS
        if mode == DATED:
            wanted = min(wanted, made.written_at)
        ready = [free_at.get(made.author, 0), *(history[one].made_at for one in made.parents)]
        found.append((max(wanted, *ready), made.number, "edit"))
        found.append((made.made_at, made.number, "the commit"))
        free_at[made.author] = made.made_at
    return sorted(found, key=lambda step: (step[0], step[1], step[2] != "edit"))


def replay(rebuilt: Rebuilt, make: StoreMaker, mode: str, window: range | None = None) -> Outcome:
    """Replay a history, or what of it was committed in a window, in a store of its own."""
    history = rebuilt.model.history
    planned = steps(history, mode, window or range(len(history)))
    clock = FakeClock()
    clock.wall_ms = planned[0][0]
    store = make(clock)
    _configure(store)
    secrets = MemorySecrets()
    agents: dict[int, Agent] = {}
    refused: list[Refusal] = []
    count: Counter[str] = Counter()
    for at, number, act in planned:
        clock.let_pass(at - clock.wall_ms)
        made = history[number]
        agent = agents.get(made.author) or Agent(made.author, rebuilt, store, secrets)
        agents[made.author] = agent
        refused += _acted(agent, made, act)
        count["told"] += agent.told()
        if act == "edit":
            count["edits"] += len(rebuilt.model.changed(number))
    count["told"] += sum(agent.told() for agent in agents.values())
    with store.read() as reader:
        events = (read_event(entry) for entry in reader.entries())
        beside = sum(len(one.beside) for one in events if isinstance(one, LeaseGranted))
        attested = len(reader.attestations())
    return Outcome(
        commits=len(planned) // 2,
        authors=len(agents),
        edits=count["edits"],
        attested=attested,
        told=count["told"],
        beside=beside,
        refused=tuple(refused),
    )


def _acted(agent: Agent, made: Made, act: str) -> Iterator[Refusal]:
    """Do one step, refused or not: the history went on."""
    try:
        (agent.edit if act == "edit" else agent.commit)(made)
    except errors.HandrailError as refusal:
        reason = repr(refusal.values.get("reasons") or refusal.message)
        yield Refusal(made.number, act, refusal.code, reason)
    (agent.write if act == "edit" else agent.moved)(made)


def _configure(store: Store) -> None:
    text = render_preset("minimal", WORKSPACE)
    with store.transaction() as tx:
        tx.commit([ConfigApplied("0" * 40, text, "init")], Actor())
    with store.transaction() as tx:
        tx.keep_compiled(compile_settings(parse_config(text.encode())))
        tx.commit([], Actor())
