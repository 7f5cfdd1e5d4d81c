"""The table of attacks on the landing: each is stopped, by what its row says."""

from __future__ import annotations

import pytest

from tests.landing.attacks import ATTACKS, OUTSIDE, Attack
from tests.landing.ground import Ground

LEAST = 30


def test_there_are_enough_attacks_and_no_two_of_a_name() -> None:
    names = [one.name for one in ATTACKS]
    assert len(names) >= LEAST
    assert len(set(names)) == len(names)
    assert not {name for name, _ in OUTSIDE} & set(names)


def test_ordinary_work_lands(ground: Ground) -> None:
    ground.session("good")
    ground.claim("good", "src/a.py")
    assert ground.commit("good", {"src/a.py": "fine = True\n"}).code == 0
    done = ground.push()
    assert done.code == 0, done
    assert ground.landed() == ground.head


@pytest.mark.sampled(3)
@pytest.mark.parametrize("attack", ATTACKS, ids=[one.name for one in ATTACKS])
def test_an_attack_is_stopped_by_what_the_table_says(attack: Attack, ground: Ground) -> None:
    done = attack.run(ground)
    refs = ground.git("for-each-ref", "--format=%(refname)", cwd=ground.bare).out.split()
    main = ground.landed()
    assert done.code != 0, "the push went through"
    assert f"{attack.stopped_by}:" in done.err, done.err
    assert main, "the branch is gone"
    assert not [ref for ref in refs if ref.startswith("refs/replace/")]
    evil = ground.git("grep", "-q", "evil", main, "--", "src", "ops", cwd=ground.bare)
    assert evil.code != 0, "it landed all the same"
