"""A fresh clone with nothing but the remote gives the same verdict as the store."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from handrail.core.landing import PASS, REFUSED
from handrail.service.attestation import Attestation
from handrail.service.committing import Committing
from handrail.service.verification import Found, Verification, Verified
from handrail.wiring import Application
from tests.landing.ground import Ground

PUSHES: Final = 100
PUSHES_BY_DAY: Final = 25
SEED: Final = 20_261_121
QUIET: Final = ("-c", f"core.hooksPath={os.devnull}")
STANDS_STILL: Final = "2026-01-01T00:00:00Z"


class Generator:
    """Makes branches: good and bad, by what agents do in a day."""

    def __init__(self, ground: Ground, chance: random.Random) -> None:
        self.ground = ground
        self.chance = chance
        self.number = 0
        self.good: list[str] = []

    def branch(self) -> str:
        """Make a branch with one to three changes; returns its name."""
        name = f"work-{self.number:03}"
        self.number += 1
        self._git("checkout", "--quiet", "-b", name, "main")
        for _ in range(self.chance.choice((1, 1, 2, 3))):
            self.chance.choice(STEPS)(self)
        return name

    def attested(self) -> None:
        path = self._write()
        with self.ground.open("worker") as application:
            self._claim(application, path)
            commit = self._commit()
            Attestation(application.context).attest(commit)
            application.leases.release((), everything=True)
        self.good.append(commit)

    def unseen(self) -> None:
        self._write()
        self._commit()

    def unattributed(self) -> None:
        self._write()
        self._record(self._commit(), Committing.unattributed)

    def unattested(self) -> None:
        self._write()
        self._record(self._commit(), Committing.unattested)

    def picked(self) -> None:
        if self.good:
            done = self.ground.git(*QUIET, "cherry-pick", self.chance.choice(self.good))
            if done.code != 0:
                self._git("cherry-pick", "--abort")

    def reworded(self) -> None:
        self.attested()
        self._git("commit", "--quiet", "--amend", "-m", f"another word {self.number}")

    def amended(self) -> None:
        self.attested()
        self._write()
        self._git("add", "--all")
        self._git("commit", "--quiet", "--amend", "--no-edit")

    def merged(self) -> None:
        self._merge("--no-ff", "-m", "merge")

    def squashed(self) -> None:
        self._merge("--squash") and self._commit()

    def merged_with_more(self) -> None:
        if self._merge("--no-ff", "--no-commit"):
            self._write()
            self._commit()

    def empty(self) -> None:
        self._git("commit", "--quiet", "--allow-empty", "-m", "nothing")

    def _merge(self, *words: str) -> bool:
        if not self.good:
            return False
        done = self.ground.git(*QUIET, "merge", "--quiet", *words, self.chance.choice(self.good))
        if done.code != 0:
            self._git("reset", "--quiet", "--hard")
        return done.code == 0

    def _write(self) -> str:
        path = f"src/part-{self.chance.randrange(6)}.py"
        self.ground.repo.write(path, f"value = {self.chance.randrange(10**9)}\n")
        return path

    def _commit(self) -> str:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "-m", f"change {self.number}")
        return self.ground.head

    def _git(self, *words: str) -> None:
        done = self.ground.git(*QUIET, *words)
        assert done.code == 0, done

    def _claim(self, application: Application, path: str) -> None:
        from handrail.service.claims import Asked

        application.leases.claim(Asked((path,)))

    def _record(self, commit: str, how: Callable[..., None]) -> None:
        with self.ground.open() as application:
            before = self.ground.repo.git("rev-parse", f"{commit}~1")
            updates = [("refs/heads/work", before, commit)]
            how(Committing(application.context), updates, [commit], "generated")


STEPS: Final = (
    *(Generator.attested,) * 6,
    *(Generator.unseen, Generator.unattributed, Generator.unattested, Generator.picked),
    *(Generator.reworded, Generator.amended, Generator.merged, Generator.squashed),
    *(Generator.merged_with_more, Generator.empty),
)


@pytest.mark.parametrize("pushes", [PUSHES_BY_DAY, pytest.param(PUSHES, marks=pytest.mark.nightly)])
def test_a_fresh_clone_judges_as_the_store_does(ground: Ground, pushes: int) -> None:
    ground.session("worker")
    maker = Generator(ground, random.Random(SEED))
    names = [maker.branch() for _ in range(pushes)]
    done = ground.force(*names)
    assert done.code == 0, done
    fresh = ground.folder / "fresh"
    ground.git("clone", "--quiet", str(ground.bare), str(fresh), cwd=ground.folder)
    ground.git("fetch", "--quiet", "origin", "refs/handrail/*:refs/handrail/*", cwd=fresh)
    verdicts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    with ground.open() as with_store, ground.open(cwd=fresh) as without:
        assert not without.ground.store_exists()
        by_store = Found(with_store.store, with_store.ground, None)
        for name in names:
            pushed = [f"origin/main..origin/{name}"]
            one = Verification(by_store).verify(pushed)
            other = Verification(without.sources).verify(pushed)
            assert _told(one) == _told(other), name
            verdicts[one.verdict] += 1
            codes.update(judgment.code for judgment in one.judgments)
    assert verdicts[PASS] >= pushes // 5, verdicts
    assert verdicts[REFUSED] >= pushes // 5, verdicts
    wanted = {"attested", "inherited", "unseen", "unattested", "unattributed_refused", "empty"}
    assert wanted <= set(codes), codes


def _told(verified: Verified) -> list[tuple[str, str, str | None, str]]:
    assert verified.doubts == (), verified.doubts
    return [(one.commit, one.code, one.path, one.sentence) for one in verified.judgments]
