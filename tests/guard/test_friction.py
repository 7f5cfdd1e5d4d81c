"""Friction: real histories, replayed as well-behaved agents side by side, meet no refusal.

Nobody claims by hand, so nothing may stand in anybody's way, whatever ran out or landed meanwhile.
How often two were told of each other is printed at the end of the run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from handrail.core import lease
from handrail.facts import dirt
from handrail.facts.git import ask
from tests.guard.histories import NAMES, Made, blob_of, read_history, text_of
from tests.guard.replay import DATED, PULLED, Outcome, Rebuilt, Tree, replay, windows
from tests.store.grounds import Ground, MemoryGround, SqliteGround

Record = Callable[[str, object], None]
WINDOW: Final = 300
"""Commits that share a store: the memory store searches all that landed in it each time."""
SEED: Final = 20_260_101
LOOKED_AT: Final = 6


@pytest.fixture(
    params=[
        pytest.param(name, marks=() if name == "three" else pytest.mark.nightly) for name in NAMES
    ]
)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def added(outcomes: Sequence[Outcome]) -> Outcome:
    """Add outcomes up; an author who is in several windows counts in each."""
    return Outcome(
        commits=sum(one.commits for one in outcomes),
        authors=sum(one.authors for one in outcomes),
        edits=sum(one.edits for one in outcomes),
        attested=sum(one.attested for one in outcomes),
        told=sum(one.told for one in outcomes),
        beside=sum(one.beside for one in outcomes),
        refused=tuple(refusal for one in outcomes for refusal in one.refused),
    )


def check(record: Record, what: str, outcome: Outcome) -> None:
    """Hold the promise, and tell the count."""
    told = (
        f"{what}: {outcome.commits} commits, {outcome.authors} agents, {outcome.edits} edits, "
        f"{len(outcome.refused)} refused, {outcome.told} parallel_edit notices"
    )
    record("Friction", told)
    print(told)
    assert outcome.refused == (), f"{len(outcome.refused)}: {outcome.refused[:10]}"
    assert outcome.attested == outcome.commits
    assert outcome.edits >= outcome.commits > 0


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "three" else pytest.mark.nightly) for name in NAMES],
)
def test_a_real_history_replayed_by_well_behaved_agents_meets_no_refusal(
    name: str, tmp_path: Path, record_property: Record
) -> None:
    rebuilt = Rebuilt(read_history(name), tmp_path / "repo")
    parts = windows(rebuilt.model.history, WINDOW)
    outcomes = [replay(rebuilt, MemoryGround().create, DATED, part) for part in parts]
    check(record_property, f"{name}, {DATED}, {len(parts)} stores", added(outcomes))


def test_a_history_beginning_on_disk_meets_no_refusal_either(
    name: str, tmp_path: Path, record_property: Record
) -> None:
    rebuilt = Rebuilt(read_history(name, first=150), tmp_path / "repo")
    ground = SqliteGround(tmp_path)
    try:
        outcome = replay(rebuilt, ground.create, DATED)
    finally:
        ground.close()
    check(record_property, f"{name}, {DATED}, on disk", outcome)


@pytest.mark.nightly
@pytest.mark.parametrize("mode", [PULLED, DATED])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_whole_history_in_one_store_meets_no_refusal(
    name: str, mode: str, kind: str, tmp_path: Path, record_property: Record
) -> None:
    rebuilt = Rebuilt(read_history(name), tmp_path / "repo")
    ground: Ground = MemoryGround() if kind == "memory" else SqliteGround(tmp_path)
    try:
        outcome = replay(rebuilt, ground.create, mode)
    finally:
        ground.close()
    check(record_property, f"{name}, {mode}, {kind}", outcome)


def test_a_rule_that_let_working_trees_exclude_each_other_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuilt = Rebuilt(read_history("three", first=150), tmp_path / "repo")
    monkeypatch.setitem(lease.CONFLICTS, (lease.LOCAL, lease.LOCAL, False), "refuse")
    outcome = replay(rebuilt, MemoryGround().create, DATED)
    assert {refusal.code for refusal in outcome.refused} == {"scope_held", "not_covered"}
    assert outcome.attested < outcome.commits


def test_the_model_of_a_history_says_what_git_says(name: str, tmp_path: Path) -> None:
    rebuilt = Rebuilt(read_history(name), tmp_path / "repo")
    chance = random.Random(SEED)
    history = rebuilt.model.history
    changes = [made for made in history if rebuilt.model.changed(made.number)]
    for made in chance.sample(changes[len(changes) // 4 :], LOOKED_AT):
        later = chance.choice(history[made.number :])
        compare(rebuilt, made, later, chance.choice(changes))


def compare(rebuilt: Rebuilt, made: Made, head: Made, other: Made) -> None:
    """Put HEAD on a commit, and ask git and the model about a path that an older one changed."""
    where, ids, model = rebuilt.place.toplevel, rebuilt.ids, rebuilt.model
    Path(where, ".git", "HEAD").write_text(f"{ids[head.number]}\n")
    ask(where, ["read-tree", "HEAD"])
    path = sorted(model.changed(made.number))[0]
    tree = Tree(rebuilt)
    tree.head = head.number
    asked = [ids[made.number], ids[other.number]]
    assert tree.touching([path]) == dirt.touching(where, [path])
    assert tree.changed_by(asked) == {one: frozenset() for one in asked} | dirt.changed_by(
        where, asked
    )
    for tip in ("HEAD", *asked):
        assert tree.not_in(tip, asked) == dirt.not_in(where, tip, asked)
    # Somebody else's version, the old one, and HEAD's own.
    for number in {other.number, made.number, model.version(head.number, path)} - {None}:
        tree.files = {path: number}
        compare_file(rebuilt, tree, made, path)


def compare_file(rebuilt: Rebuilt, tree: Tree, made: Made, path: str) -> None:
    """Ask git and the model about a file that lies in the working tree."""
    where, commit = rebuilt.place.toplevel, rebuilt.ids[made.number]
    target = Path(where, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text_of(tree.files[path] or 0))
    rows = [(row.path, row.blob, row.head) for row in dirt.dirty(where, [path])]
    assert [(row.path, row.blob, row.head) for row in tree.dirty([path])] == rows
    before = f"{commit}^" if made.parents else commit
    for base in (before, commit):
        assert tree.merged(path, base, "HEAD") == dirt.merged(where, path, base, "HEAD")
    for blobs in ({path: None, "none": ""}, {path: blob_of(made.number)}):
        assert tree.unlike(commit, blobs) == dirt.unlike(where, commit, blobs)
    target.unlink()
