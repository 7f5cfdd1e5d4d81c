"""kill -9 at every statement and every write: of what changes leases, of init, of a migration.

Every change goes through all the places of a claim, a renewal and a release once, and through some
of an offer and an acceptance; a night goes through all of them again and again.
Each round starts a child that runs one operation and kills itself in the middle: before the n-th
statement that SQLite is given, or before or after the n-th write or sync of a file. What the child
had acknowledged must be there afterwards, nothing may be there by half, the ledger may only have
grown, and repeating the request must give the first outcome.
"""

from __future__ import annotations

import itertools
import signal
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
import pytest

from handrail import errors
from handrail.core.ledger import Entry, Head, format_token, read_header, verify
from handrail.service.health import verify_store
from handrail.service.leases import Asked
from handrail.service.sessions import Sessions
from handrail.service.setup import initialise
from handrail.service.tasks import Tasks
from handrail.store.sqlite.connection import FORMAT
from handrail.wiring import Application
from tests.races.handing import Quick
from tests.races.killing import OPERATIONS, PLACES, STATEMENT, Ground, accept, claim, offer, operate
from tests.races.processes import CONTEXT, JOIN_S, begin
from tests.races.workers import opened
from tests.support import Repo

ROUNDS: Final = 500
ROUNDS_PER_OPERATION: Final = ROUNDS // 3 + 1
PLACES_MIN: Final = 8
STEP_BY_DAY: Final = {"offer": 5, "accept": 5}
ENTRIES: Final[dict[str, tuple[str, ...]]] = {
    "claim": ("lease.granted",),
    "renew": (),
    "release": ("lease.released",),
    "offer": ("lease.released", "lease.granted", "packet.offered"),
    "accept": ("lease.released", "lease.granted", "packet.accepted"),
}
NIGHTLY: Final = pytest.mark.nightly


class Outcome(NamedTuple):
    """How a child ended: killed or not, and what it had acknowledged."""

    killed: bool
    acknowledged: str


def run_and_kill(
    root: Path,
    environment: dict[str, str],
    name: str,
    place: str,
    at: int,
    ground: Ground,
) -> Outcome:
    """Run an operation with a fuse in a process of its own; returns how that ended."""
    mine, theirs = CONTEXT.Pipe(duplex=False)
    child = begin(operate, root, environment, name, place, at, ground, theirs)
    theirs.close()
    try:
        acknowledged = mine.recv_bytes().decode()
    except EOFError:
        acknowledged = ""
    finally:
        mine.close()
    child.join(JOIN_S)
    assert child.exitcode in (0, -signal.SIGKILL), "the operation itself failed"
    return Outcome(child.exitcode != 0, acknowledged)


class Victim:
    """A repository with one session, and what its ledger was before and after each round."""

    def __init__(self, root: Path, session: str) -> None:
        self.root, self.session = root, session
        self.environment = {"HANDRAIL_SESSION": session}
        self.entries: list[Entry] = []
        self.head = Head(0, "")

    def app(self) -> Application:
        return opened(self.root, self.session)

    def look(self, app: Application) -> list[Entry]:
        """Return the entries since the last look, after checking that the rest did not change."""
        with app.store.read() as reader:
            whole = list(reader.entries())
            assert whole[: len(self.entries)] == self.entries, "the ledger only grows"
            report = verify(whole, [self.head] if self.entries else [])
            assert report.problem is None
            assert report.head == reader.head
        grown = whole[len(self.entries) :]
        self.entries, self.head = whole, report.head
        return grown


@pytest.fixture
def victim(repo: Repo) -> Victim:
    app = opened(repo.path)
    initialise(app.ground, "minimal")
    session = Sessions(app.context).start(agent="victim").session.id
    app.close()
    return Victim(repo.path, session)


def good(app: Application) -> None:
    found = verify_store(app.store, app.store.integrity())
    assert found.good, found


@pytest.mark.parametrize("rounds", [1, pytest.param(ROUNDS_PER_OPERATION, marks=NIGHTLY)])
@pytest.mark.parametrize("name", ENTRIES)
def test_kill_9_anywhere_loses_nothing_acknowledged_and_leaves_nothing_by_half(
    victim: Victim, name: str, rounds: int
) -> None:
    """The places are gone through again and again until the rounds are done, at least once."""
    step = STEP_BY_DAY.get(name, 1) if rounds == 1 else 1
    numbers = itertools.count(1)
    killed: Counter[str] = Counter()
    unheard = 0
    done = 0
    while done < rounds:
        for place in PLACES:
            survived = False
            for at in itertools.count(1, step):
                if survived:
                    break
                done += 1
                ground = prepare(victim, name, next(numbers))
                outcome = run_and_kill(victim.root, victim.environment, name, place, at, ground)
                survived = not outcome.killed
                killed[place] += outcome.killed
                unheard += check(victim, name, ground, outcome)
                assert at < 200, "the fuse never stopped burning"
    assert done >= rounds
    passes = 1 if rounds == 1 else 2
    assert min(killed[place] for place in PLACES) >= (PLACES_MIN if rounds > 1 else 1), killed
    assert unheard >= passes or step > 1, "some were killed after the commit and before the answer"


def prepare(victim: Victim, name: str, number: int) -> Ground:
    """Claim what a round is going to renew or release; leave nothing of earlier rounds."""
    app = victim.app()
    try:
        if number % 10 == 0:
            app.leases.release([], everything=True)
            good(app)
        if name == "claim":
            token = ""
        else:
            token = claim(app, Ground(-number))
        if name in ("offer", "accept"):
            task = Tasks(app.context).open(f"task-{number}").task.id
            Quick(app.context, app.packet_files).accept(task)
            app.leases.claim(Asked((f"area/{number}/api",)))
        if name == "accept":
            offer(app, Ground(number))
        victim.look(app)
        return Ground(number, token)
    finally:
        app.close()


def check(victim: Victim, name: str, ground: Ground, outcome: Outcome) -> bool:
    """Look at what the kill left; tell whether it had happened and nobody had been told."""
    app = victim.app()
    try:
        grown = victim.look(app)
        kinds = tuple(read_header(entry.header).kind for entry in grown)
        assert kinds in ((), ENTRIES[name]), "all of it or nothing"
        good(app)
        looked = {"claim": _claimed, "renew": _renewed, "release": _released}.get(name, _handed)
        done = looked(victim, app, ground, grown)
        assert done or not outcome.acknowledged, "what was acknowledged is there"
        if name in ("offer", "accept"):
            assert outcome.acknowledged in ("", OPERATIONS[name](app, ground))
        else:
            assert outcome.acknowledged in ("", ground.token or token_of(app, grown))
        return done and not outcome.acknowledged
    finally:
        app.close()


def token_of(app: Application, grown: list[Entry]) -> str:
    with app.store.read() as reader:
        return format_token(reader.epoch, grown[-1].seq) if grown else "none"


def _claimed(victim: Victim, app: Application, ground: Ground, grown: list[Entry]) -> bool:
    first = token_of(app, grown)
    again = claim(app, ground)
    if grown:
        assert again == first, "the same request, the same token"
        assert victim.look(app) == [], "one grant, however often it is asked for"
    else:
        assert len(victim.look(app)) == 1
    assert claim(app, ground) == again
    return bool(grown)


def _renewed(victim: Victim, app: Application, ground: Ground, grown: list[Entry]) -> bool:
    assert grown == [], "renewals are no entries"
    with app.store.read() as reader:
        lease = reader.lease(int(ground.token.partition(":")[2]))
        assert lease is not None, "a lease is not lost by renewing it"
        rows = [row for row in reader.guard_rows() if row[3] == lease.token]
        assert {row[4] for row in rows} == {lease.expires_at}
        assert len(rows) == 2
    assert app.leases.renew([ground.token], 7_200_000)[0].token == ground.token
    return lease.expires_at - lease.granted_at > lease.ttl_ms


def _released(victim: Victim, app: Application, ground: Ground, grown: list[Entry]) -> bool:
    token = int(ground.token.partition(":")[2])
    with app.store.read() as reader:
        lease = reader.lease(token)
        rows = [row for row in reader.guard_rows() if row[3] == token]
    assert (lease is None) == bool(grown), "gone from the table and in the ledger, or neither"
    assert len(rows) == (0 if grown else 2)
    if lease is None:
        with pytest.raises(errors.NotHolder):
            app.leases.renew([ground.token])
    else:
        app.leases.release([ground.token])
        assert len(victim.look(app)) == 1
    return bool(grown)


def _handed(victim: Victim, app: Application, ground: Ground, grown: list[Entry]) -> bool:
    """Look for an offer or acceptance: number, scope and entries together, and once."""
    name = f"task-{ground.number}"
    with app.store.read() as reader:
        task = reader.task(name)
        waiting = reader.packets(name, settled=False)
        reserved = reader.leases(f"task:{name}")
        accepting = any(read_header(entry.header).kind == ENTRIES["accept"][-1] for entry in grown)
        assert [lease.token for lease in reserved] == [packet.token for packet in waiting]
        assert task is not None
        assert task.number == len(reader.packets(name))
        assert (task.taken == 2) == accepting
    operation = accept if accepting or (waiting and not grown) else offer
    first = operation(app, ground)
    again = victim.look(app)
    assert (again == []) == bool(grown), "the same request, the first outcome"
    assert operation(app, ground) == first
    assert victim.look(app) == []
    return bool(grown)


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=NIGHTLY)])
def test_kill_9_anywhere_in_init_leaves_what_init_can_finish(
    repo: Repo, tmp_path: Path, step: int
) -> None:
    """By day at every third moment, and at each of the night."""
    app = opened(repo.path)
    initialise(app.ground, "minimal")
    app.close()
    killed: Counter[str] = Counter()
    for place in PLACES:
        for at in itertools.count(1, step):
            environment = {"HANDRAIL_STATE_DIR": str(tmp_path / f"{PLACES.index(place)}-{at}")}
            outcome = run_and_kill(repo.path, environment, "found", place, at, Ground(at))
            app = Application.open(str(repo.path), environment, terminal=False)
            initialised = initialise(app.ground, "minimal")
            assert outcome.acknowledged in ("", initialised.epoch)
            good(app)
            with app.store.read() as reader:
                in_force = reader.config()
                assert in_force is not None
                assert [entry.seq for entry in reader.entries()] == [1, 2]
                assert in_force.seq == 2
            app.close()
            if not outcome.killed:
                break
            killed[place] += 1
    assert min(killed[place] for place in PLACES) >= PLACES_MIN // step, killed


@pytest.mark.nightly
def test_kill_9_anywhere_in_a_migration_leaves_the_old_format_or_the_new(
    victim: Victim, tmp_path: Path
) -> None:
    app = victim.app()
    tokens = [int(claim(app, Ground(number)).partition(":")[2]) for number in (1, 2)]
    victim.look(app)
    app.close()
    source = Path(app.ground.store_path())
    settle(source)
    seen: Counter[int] = Counter()
    copies = 0
    for place in PLACES:
        for at in itertools.count(1):
            folder = tmp_path / f"{PLACES.index(place)}-{at}"
            folder.mkdir()
            (folder / "state.db").write_bytes(source.read_bytes())
            environment = {"HANDRAIL_STATE_DIR": str(folder)}
            outcome = run_and_kill(victim.root, environment, "migrate", place, at, Ground(at))
            found = format_and_extra(folder / "state.db")
            assert found in ((FORMAT, None), (FORMAT + 1, tokens)), found
            assert found[0] > FORMAT or not outcome.acknowledged
            assert stored(folder / "state.db") == victim.entries
            copy = folder / f"state.db.v{FORMAT}"
            assert copy.exists() or found[0] == FORMAT, "the copy comes first"
            if copy.exists():
                copies += 1
                assert format_and_extra(copy) == (FORMAT, None)
                assert stored(copy) == victim.entries
            again = run_and_kill(victim.root, environment, "migrate", STATEMENT, 0, Ground(at))
            assert not again.killed
            assert format_and_extra(folder / "state.db") == (FORMAT + 1, tokens)
            seen[found[0]] += 1
            if not outcome.killed:
                break
    assert seen[FORMAT] >= PLACES_MIN
    assert seen[FORMAT + 1] >= 2
    assert copies > seen[FORMAT + 1], "some were killed between the copy and the migration"


def settle(path: Path) -> None:
    """Bring a store into its one file."""
    raw = apsw.Connection(str(path))
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    raw.close()


def format_and_extra(path: Path) -> tuple[int, list[int] | None]:
    raw = apsw.Connection(str(path))
    try:
        version = int(raw.pragma("user_version"))
        extra = (
            raw.execute("SELECT x FROM extra ORDER BY x").fetchall() if version > FORMAT else None
        )
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_schema")}
        assert ("extra" in tables) == (version > FORMAT)
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return version, None if extra is None else [int(str(row[0])) for row in extra]
    finally:
        raw.close()


def stored(path: Path) -> list[Entry]:
    raw = apsw.Connection(str(path))
    try:
        rows: Any = raw.execute("SELECT seq, header, payload FROM entry ORDER BY seq").fetchall()
        return [Entry(*row) for row in rows]
    finally:
        raw.close()
