"""How many bytes an entry of the ledger has, by kind, and what a store's file takes for each.

The entries are those that the service writes: claims and releases, an attested range, packets that
are offered and accepted. The floor is what an entry says, its payload; what stands beside it is the
header that chains it, and in the file the index and the tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from bench.ground import PROGRAM, environment, found, git, scratch, session
from bench.measure import Result, median
from bench.process import run
from bench.rows.handing import handing
from bench.seed import seed_leases
from handrail.core.ledger import read_header
from handrail.service.leases import Asked

TIMES, TIMES_QUICK = 200, 20
HANDED, HANDED_QUICK = 12, 2
SEEDED, SEEDED_QUICK = 10_000, 1_000
FILES: Final = 500
KINDS: Final = (
    *("lease.granted", "lease.released", "commit.attested", "packet.offered", "packet.accepted"),
    "session.started",
)


def entry_bytes(quick: bool) -> Sequence[Result]:
    """Let sessions work, then weigh what they left."""
    times, handed = (TIMES_QUICK, HANDED_QUICK) if quick else (TIMES, HANDED)
    sizes: dict[str, list[tuple[int, int]]] = defaultdict(list)
    with handing(FILES, handed) as (folder, offers, accepts):
        for _ in range(handed):
            run(next(offers), folder, environment("giver"))
            run(next(accepts), folder, environment("receiver"))
        before, without = _stored(folder)
        _work(folder, times)
        application = session(folder, "reader")
        with application.store.read() as reader:
            for entry in reader.entries():
                pair = len(entry.header) + len(entry.payload or b""), len(entry.payload or b"")
                sizes[read_header(entry.header).kind].append(pair)
        application.close()
        count, whole = _stored(folder)
    lines = [_line(kind, sizes[kind]) for kind in KINDS]
    every = [both for pairs in sizes.values() for both, _ in pairs]
    lines.append(
        Result(
            "entry-bytes",
            "a store's file, for each entry of leases that come and go",
            (whole - without) / (count - before),
            "B",
            sum(every) / len(every),
            "an entry's header and payload",
            None,
            {"entries": count - before, "bytes": whole - without},
        )
    )
    return [*lines, _live_leases(SEEDED_QUICK if quick else SEEDED)]


def _live_leases(size: int) -> Result:
    """Weigh many live leases: their rows, their anchors, what the guard looks up, all indexes."""
    with scratch() as folder:
        found(folder)
        application = session(folder, "bench")
        _, without = _stored(folder)
        seed_leases(application, size)
        _, whole = _stored(folder)
        with application.store.read() as reader:
            pattern = reader.leases("holder-1")[0].patterns[0].text
        application.close()
    return Result(
        "entry-bytes",
        "a live lease, in all tables",
        (whole - without) / size,
        "B",
        len(pattern),
        "its pattern",
        None,
        {"leases": size, "bytes": whole - without},
    )


def _line(kind: str, pairs: Sequence[tuple[int, int]]) -> Result:
    return Result(
        "entry-bytes",
        f"an entry `{kind}`",
        median([both for both, _ in pairs]),
        "B",
        median([said for _, said in pairs]),
        "its payload",
        None,
        {"entries": len(pairs), "least": min(pairs)[0], "most": max(pairs)[0]},
    )


def _work(folder: Path, times: int) -> None:
    """Claim and release files as edits do, and commit under a lease, each many times."""
    application = session(folder, "worker")
    leases = application.leases
    for turn in range(times):
        name = f"lib/area-{turn % 7}/part-{turn}.py"
        leases.claim(Asked((name,)))
        leases.release([name])
    leases.claim(Asked(("lib",)))
    application.close()
    git(folder, "reset", "--quiet", "--hard")
    old = git(folder, "rev-parse", "main").strip()
    (folder / "lib").mkdir()
    for turn in range(times // 10):
        (folder / "lib" / f"part-{turn}.py").write_text(f"{turn}\n")
        git(folder, "add", "lib")
        git(folder, "commit", "--quiet", "--message", f"work {turn}")
    run([str(PROGRAM), "attest", f"{old}..main", "--quiet"], folder, environment("worker"))


def _stored(folder: Path) -> tuple[int, int]:
    """Return how many entries a store has, and the bytes that its file uses."""
    connection = apsw.Connection(str(folder / ".git" / "handrail" / "state.db"))
    connection.pragma("wal_checkpoint(TRUNCATE)")
    used = connection.pragma("page_count") - connection.pragma("freelist_count")
    found = (
        connection.execute("SELECT max(seq) FROM entry").get,
        used * connection.pragma("page_size"),
    )
    connection.close()
    return found
