"""Ways past the landing that take several pushes, another repository or another configuration.

Each was open once, or stood close to one that was. What fits into one push is in ``attacks.py``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from handrail import errors
from handrail.core.landing import PASS, REFUSED
from handrail.store.memory import MemoryStore
from handrail.wiring.sharing import follow
from tests.landing.ground import Ground
from tests.service.forge import CONFIG, Forge, Pull, codes
from tests.store.grounds import EPOCH, WORKSPACE, FakeClock, counting_salt
from tests.support import ROOT, Handrail, Repo, Result

EVIL = "evil = True\n"


def law(ground: Ground, old: str, new: str) -> str:
    """Land another configuration, as a coordinator does; returns the commit."""
    text = (ground.path / "handrail.toml").read_text()
    assert old in text
    ground.session("lead", "lead")
    ground.claim("lead", "handrail.toml")
    done = ground.commit("lead", {"handrail.toml": text.replace(old, new)})
    assert done.code == 0, done
    ground.configure()
    ground.release("lead")
    done = ground.push()
    assert done.code == 0, done
    return ground.head


def refused(done: Result, code: str) -> None:
    """Expect that the remote said no, and why."""
    assert done.code != 0, "the push went through"
    assert f"{code}:" in done.err, done.err


def work(ground: Ground, path: str = "src/b.py") -> str:
    """Make a commit that may land; returns it."""
    ground.session("good")
    ground.claim("good", path)
    done = ground.commit("good", {path: "fine = True\n"})
    assert done.code == 0, done
    ground.release("good")
    return ground.head


# --- which configuration judges ------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    ['"main", "release/*"', pytest.param('"release/*", "main"', marks=pytest.mark.nightly)],
)
def test_a_protected_branch_made_at_an_old_commit_brings_no_old_law_back(
    ground: Ground, names: str
) -> None:
    weak = law(ground, 'mode = "enforce"', 'mode = "shadow"')
    law(ground, 'mode = "shadow"\n', 'mode = "enforce"\n')
    law(ground, 'protected_refs = ["main"]', f"protected_refs = [{names}]")
    done = ground.push(f"{weak}:refs/heads/release/old")
    assert done.code == 0, done
    ground.repo.git("checkout", "--quiet", "-b", "old", weak)
    work(ground)  # a commit that passes, so that the branch is the newest there is
    assert ground.force("old:release/old").code == 0
    ground.sneak({"src/a.py": EVIL})
    refused(ground.force("old:release/old"), "unseen")
    refused(ground.force("main:release/new", "old:release/old"), "unseen")


def test_a_protected_branch_made_before_the_adoption_adopts_nothing(ground: Ground) -> None:
    law(ground, 'protected_refs = ["main"]', 'protected_refs = ["main", "release/*"]')
    empty = ground.repo.git("hash-object", "-t", "tree", "-w", "/dev/null")
    before = ground.repo.git("commit-tree", empty, "-m", "nothing")
    assert ground.force(f"{before}:refs/heads/release/old").code == 0
    ground.repo.git("checkout", "--quiet", "-b", "old", before)
    ground.sneak({"src/a.py": EVIL})
    refused(ground.force("old:release/old"), "unseen")


def test_a_protected_branch_with_a_weaker_law_judges_no_other(ground: Ground) -> None:
    law(ground, 'protected_refs = ["main"]', 'protected_refs = ["main", "a"]')
    weak = law(ground, 'mode = "enforce"', 'mode = "shadow"')
    assert ground.push(f"{weak}:refs/heads/a").code == 0
    law(ground, 'mode = "shadow"', 'mode = "enforce"')
    main = work(ground)
    ground.repo.git("checkout", "--quiet", "-b", "a", weak)
    work(ground, "docs/x.md")
    ground.repo.git("checkout", "--quiet", "-b", "bad", main)
    ground.sneak({"src/a.py": EVIL})
    refused(ground.force("a:a", "bad:main"), "unseen")
    assert ground.git("log", "--format=%H", "main", cwd=ground.bare).out.split()[0] != ground.head


def test_what_an_unprotected_head_says_does_not_choose_who_judges(ground: Ground) -> None:
    law(ground, 'protected_refs = ["main"]', 'protected_refs = ["main", "release/*"]')
    ground.git("symbolic-ref", "HEAD", "refs/heads/dev", cwd=ground.bare)
    text = (ground.path / "handrail.toml").read_text()
    mine = text.replace('["main", "release/*"]', '["mine", "main", "release/*"]')
    ground.repo.git("checkout", "--quiet", "-b", "mine")
    ground.sneak({"handrail.toml": mine.replace('mode = "enforce"', 'mode = "shadow"')})
    assert ground.force("mine:dev").code == 0
    assert ground.force("mine:mine").code == 0
    ground.repo.git("checkout", "--quiet", "main")
    ground.sneak({"src/a.py": EVIL})
    refused(ground.force("main:main"), "unseen")
    refused(ground.force("main:release/new"), "facts_unavailable")


# --- what landed before --------------------------------------------------------------------------


def test_a_law_that_was_taken_back_is_not_brought_back_by_its_old_commit(ground: Ground) -> None:
    weak = law(ground, 'mode = "enforce"', 'mode = "shadow"')
    law(ground, 'mode = "shadow"', 'mode = "enforce"')
    done = ground.git("-c", f"core.hooksPath={os.devnull}", "cherry-pick", weak)
    assert done.code == 0, done
    assert 'mode = "shadow"' in (ground.path / "handrail.toml").read_text()
    refused(ground.force(), "unseen")


def test_a_law_that_has_not_landed_yet_may_be_rebased(ground: Ground) -> None:
    base = ground.head
    text = (ground.path / "handrail.toml").read_text()
    ground.session("lead", "lead")
    ground.claim("lead", "handrail.toml")
    changed = {"handrail.toml": text.replace('mode = "enforce"', 'mode = "shadow"')}
    assert ground.commit("lead", changed).code == 0
    ground.release("lead")
    lead = ground.head
    ground.repo.git("checkout", "--quiet", "-b", "other", base)
    work(ground)
    assert ground.push("other:main").code == 0
    ground.git("-c", f"core.hooksPath={os.devnull}", "cherry-pick", lead)
    done = ground.force("other:main")
    assert done.code == 0, done
    assert ground.landed() == ground.head


def test_an_older_law_comes_into_force_nowhere(ground: Ground) -> None:
    weak = law(ground, 'exempt = ["docs/generated/**"]', 'exempt = ["**"]')
    law(ground, 'exempt = ["**"]', 'exempt = ["docs/generated/**"]\n')
    assert Handrail(ground.path)("ledger", "sync", "origin").code == 0
    other = ground.folder / "other"
    ground.git("clone", "--quiet", str(ground.bare), str(other), cwd=ground.folder)
    assert Handrail(other)("init").code == 0
    assert Handrail(other)("ledger", "sync", "origin").code == 0
    mine = ground.folder / "mine.git"
    ground.git("clone", "--quiet", "--mirror", str(ground.bare), str(mine), cwd=ground.folder)
    ground.git("update-ref", "refs/heads/main", weak, cwd=mine)
    ground.git("remote", "set-url", "origin", str(mine), cwd=other)
    with ground.open(cwd=other) as application:
        followed = follow(application, "origin")
        assert followed is not None
        assert followed.seq is None, "an older law came into force"
        assert "does not come after" in followed.reason


# --- pull requests -------------------------------------------------------------------------------


@pytest.fixture
def forge(repo: Repo) -> Forge:
    """A forge, its repository and the store of its CI."""
    store = MemoryStore(FakeClock(), counting_salt(), workspace=WORKSPACE, epoch=EPOCH)
    return Forge(repo, store)


def branch_of_ones_own(forge: Forge) -> str:
    """Make an unprotected branch on the remote that allows everything; returns its tip."""
    weak = CONFIG.replace('protected_refs = ["main", "release/*"]', 'protected_refs = ["mine"]')
    weak = weak.replace('exempt = ["generated/**"]', 'exempt = ["**"]')
    forge.repo.git("switch", "--quiet", "-c", "mine", "main")
    forge.repo.write("handrail.toml", weak)
    tip = forge.repo.commit("a law of my own")
    forge.repo.git("update-ref", "refs/remotes/origin/mine", tip)
    return tip


def merged_into_mine(forge: Forge, how: str) -> tuple[Pull, str]:
    """Merge a pull request that may not land into a branch of one's own."""
    branch_of_ones_own(forge)
    pull = forge.opened("ada/work", "site/a.css", base_ref="mine")
    assert forge.tells(pull).verdict == REFUSED
    made: str = getattr(forge, how)(pull)
    return pull, made


@pytest.mark.parametrize("how", ["squash", "merge", "rebase"])
def test_merging_into_a_branch_of_ones_own_attests_nothing(forge: Forge, how: str) -> None:
    pull, made = merged_into_mine(forge, how)
    before = forge.entries()
    answer = forge.is_merged(pull, made)
    assert answer.verdict == REFUSED
    assert forge.entries() == before, "a law of one's own came into force"
    main = forge.head("refs/remotes/origin/main")
    assert forge.verify(f"{main}..{made}", base=main).verdict == REFUSED


def test_what_a_pull_request_held_is_free_when_it_is_merged_elsewhere(forge: Forge) -> None:
    forge.repo.git("update-ref", "refs/remotes/origin/topic", "main")
    pull = forge.opened("ada/work", "src/a.py", base_ref="topic")
    assert forge.tells(pull).verdict == PASS
    assert forge.holders() == {"pr-1": ("src/a.py",)}
    forge.is_merged(pull, forge.merge(pull))
    assert forge.holders() == {}


def test_the_default_branch_must_be_here_to_say_who_judges(forge: Forge) -> None:
    branch_of_ones_own(forge)
    pull = forge.opened("ada/work", "site/a.css", base_ref="mine")
    forge.repo.git("update-ref", "-d", "refs/remotes/origin/main")
    with pytest.raises(errors.FactsUnavailable, match="main"):
        forge.tells(pull)


def test_a_push_to_a_branch_of_ones_own_is_no_pass_for_its_commit(forge: Forge) -> None:
    before = branch_of_ones_own(forge)
    pull = forge.opened("mine", "site/a.css", base_ref="mine")
    home = {"default_branch": "main"}
    event = {"ref": "refs/heads/mine", "before": before, "after": pull.head, "forced": False}
    told = {**event, "created": False, "deleted": False, "repository": home}
    main = forge.head("refs/remotes/origin/main")
    for one in (told, {**told, "repository": {}}):
        answer = forge.event("push", one)
        assert (answer.verdict != PASS, answer.base) == (True, main)


def test_a_branch_named_main_beside_the_default_branch_does_not_say_who_judges(
    forge: Forge,
) -> None:
    forge.repo.write("handrail.toml", CONFIG.replace('["main", "release/*"]', '["trunk"]'))
    trunk = forge.repo.commit("the default branch is trunk")
    forge.repo.git("update-ref", "refs/remotes/origin/trunk", trunk)
    forge.repo.git("update-ref", "refs/remotes/origin/main", branch_of_ones_own(forge))
    pull = forge.opened("ada/work", "site/a.css", base_ref="trunk")
    home = {"default_branch": "trunk"}
    group = {"base_ref": "refs/heads/trunk", "base_sha": trunk, "head_sha": pull.head}
    told = {"action": "checks_requested", "merge_group": group, "repository": home}
    answer = forge.event("merge_group", told)
    assert (answer.verdict != PASS, answer.base) == (True, trunk)
    event = {"ref": "refs/heads/x", "before": trunk, "after": pull.head, "forced": False}
    answer = forge.event("push", {**event, "created": False, "deleted": False, "repository": home})
    assert (answer.verdict != PASS, answer.base) == (True, trunk)


def test_a_new_law_on_the_default_branch_does_not_judge_its_own_push(forge: Forge) -> None:
    assert forge.tells(forge.opened("ada/work", "src/a.py")).verdict == PASS
    before = forge.head("refs/remotes/origin/main")
    forge.repo.git("checkout", "--quiet", "main")
    forge.repo.write("handrail.toml", CONFIG.replace('["main", "release/*"]', '["nothing"]'))
    after = forge.lands(forge.repo.commit("nothing is protected"))
    event = {"ref": "refs/heads/main", "before": before, "after": after, "forced": False}
    home = {"default_branch": "main"}
    answer = forge.event("push", {**event, "created": False, "deleted": False, "repository": home})
    assert (answer.verdict, codes(answer)) == (REFUSED, ["unseen"])


# --- what runs in CI -----------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["action.yml", "docs/ci.md"])
def test_what_ci_installs_with_looks_for_no_module_where_a_pull_request_lies(
    file: str, tmp_path: Path
) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    calls = re.findall(r"python[^\s=]*\"?((?: -[A-Za-z]\b)*) -m (\w+)", text, re.IGNORECASE)
    assert calls
    for options, module in calls:
        (tmp_path / f"{module}.py").write_text("print('evil')\n")
        words = (sys.executable, *options.split(), "-m", module, "--help")
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "evil" not in done.stdout, f"python{options} -m {module} runs {module}.py from there"
