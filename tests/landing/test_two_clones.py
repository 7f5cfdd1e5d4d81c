"""Two developers with a clone and a store each, and a bot: ordinary work lands, and stays good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.core.landing import PASS
from handrail.facts.keys import make_key, signer_from_file
from handrail.service.setup import apply_config
from handrail.service.verification import Verification, Verified
from tests.landing.ground import Ground
from tests.service.forge import HOME, Pull, payload
from tests.support import Handrail, Result


class Developer:
    """Somebody with a clone, a store and a session in it."""

    def __init__(self, ground: Ground, name: str, path: Path) -> None:
        self.ground = ground
        self.name = name
        self.path = path

    def git(self, *words: str) -> Result:
        done = self.ground.git(*words, cwd=self.path, HANDRAIL_SESSION=self.name)
        assert done.code == 0, done
        return done

    def joins(self) -> None:
        self.ground.session(self.name, cwd=self.path)

    def works(self, path: str, text: str) -> str:
        """Claim, write, commit with all hooks, release; returns the commit."""
        self.ground.claim(self.name, path, cwd=self.path)
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        self.git("add", path)
        self.git("commit", "--quiet", "-m", f"{self.name} writes {path}")
        self.ground.release(self.name, cwd=self.path)
        return self.git("rev-parse", "HEAD").out.strip()

    def pulls(self, *words: str) -> None:
        self.git("pull", "--quiet", *words, "origin", "main")

    def pushes(self) -> None:
        self.git("push", "--quiet", "origin", "HEAD:main")
        assert self.ground.landed() == self.git("rev-parse", "HEAD").out.strip()


def bob_joins(ground: Ground) -> Developer:
    """Clone, set up, enrol; Ada signs the commit that says so."""
    bob = Developer(ground, "bob", ground.folder / "bob")
    ground.git("clone", "--quiet", str(ground.bare), str(bob.path), cwd=ground.folder)
    assert Handrail(bob.path)("init").code == 0
    ground.enrol(bob.path)
    ground.git("add", "handrail.toml", cwd=bob.path)
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={ground.key}")
    done = ground.git(*signing, "commit", "--quiet", "-S", "-m", "Bob joins", cwd=bob.path)
    assert done.code == 0, done
    with ground.open(terminal=True, cwd=bob.path) as application:
        apply_config(application.context)
    done = ground.git("push", "--quiet", "origin", "main", cwd=bob.path)
    assert done.code == 0, done
    bob.joins()
    return bob


def judged_anew(ground: Ground, name: str) -> Verified:
    """Judge all that landed since the adoption, in a clone with nothing but the remote."""
    fresh = ground.folder / name
    ground.git("clone", "--quiet", str(ground.bare), str(fresh), cwd=ground.folder)
    done = Handrail(fresh)("ledger", "sync")
    assert done.code == 0, done
    first = ground.git("rev-list", "--max-parents=0", "main", cwd=fresh).out.strip()
    with ground.open(cwd=fresh) as application:
        return Verification(application.sources).verify([f"{first}..main"])


CI_EPOCH: Final = "c1c1c1c1"


class Bot:
    """An agent with nothing installed, and the CI that knows it by its login."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.key = ground.folder / "ci.key"
        self.path = ground.folder / "bot"

    def is_known(self) -> None:
        """Enrol the store of CI and name the bot; Ada signs the commit that says so."""
        ground = self.ground
        make_key(str(self.key))
        public = signer_from_file(str(self.key)).public_key
        epoch = f'\n[[epoch]]\nid = "{CI_EPOCH}"\nkey = "{public}"\nholder = "ci"\n'
        agent = '\n[[agent]]\nname = "bot"\nrole = "dev"\nmatch = { author = "*[bot]" }\n'
        text = (ground.path / "handrail.toml").read_text()
        ground.write({"handrail.toml": text + epoch + agent})
        signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={ground.key}")
        done = ground.git(*signing, "commit", "--quiet", "-S", "-m", "CI joins")
        assert done.code == 0, done
        ground.configure()
        assert ground.push().code == 0

    def opens(self, path: str, text: str) -> Pull:
        """Push a branch and open a pull request."""
        ground = self.ground
        ground.git("clone", "--quiet", str(ground.bare), str(self.path), cwd=ground.folder)
        base = ground.git("rev-parse", "HEAD", cwd=self.path).out.strip()
        ground.git("checkout", "--quiet", "-b", "bot/update", cwd=self.path)
        (self.path / path).write_text(text)
        done = ground.git("commit", "--quiet", "--all", "-m", "update", cwd=self.path)
        assert done.code == 0, done
        head = ground.git("rev-parse", "HEAD", cwd=self.path).out.strip()
        refs = ("HEAD:refs/heads/bot/update", "HEAD:refs/pull/7/head")
        done = ground.git("push", "--quiet", "origin", *refs, cwd=self.path)
        assert done.code == 0, done
        return Pull(7, "bot/update", head, base, login="dependabot[bot]", repository=HOME)

    def is_judged(self, pull: Pull, action: str, **more: Any) -> Result:
        """Run CI for an event, in a clone of its own."""
        clone = self.ground.folder / f"ci-{action}"
        self.ground.git("clone", "--quiet", str(self.ground.bare), str(clone))
        file = clone.with_suffix(".json")
        file.write_text(json.dumps(payload(pull, action, **more)))
        env = {"HANDRAIL_LEDGER_KEY": self.key.read_text()}
        words = ("ci", str(file), "--event", "pull_request", "--json")
        return Handrail(clone)(*words, env=env)

    def is_squashed(self, pull: Pull) -> str:
        """Land it as a forge does: one commit of the same tree, by nobody who has Handrail."""
        ground = self.ground
        ground.git("fetch", "--quiet", "origin", cwd=self.path)
        ground.git("checkout", "--quiet", "--detach", "origin/main", cwd=self.path)
        ground.git("merge", "--quiet", "--squash", pull.head, cwd=self.path)
        ground.git("commit", "--quiet", "-m", "update (#7)", cwd=self.path)
        done = ground.git("push", "--quiet", "origin", "HEAD:main", cwd=self.path)
        assert done.code == 0, done
        return ground.landed()


def test_a_bot_with_nothing_installed_lands_beside_developers(ground: Ground) -> None:
    ada = Developer(ground, "ada", ground.path)
    ada.joins()
    bot = Bot(ground)
    bot.is_known()
    pull = bot.opens("src/b.py", "updated = True\n")
    done = bot.is_judged(pull, "opened")
    assert (done.code, done.json()["verdict"]) == (0, PASS), done
    ada.works("src/a.py", "ada = 1\n")
    ada.pushes()
    landed = bot.is_squashed(pull)
    done = bot.is_judged(pull, "closed", merged=True, merge_commit_sha=landed)
    assert (done.code, done.json()["verdict"]) == (0, PASS), done
    ground.git("update-ref", "-d", "refs/heads/bot/update", cwd=ground.bare)
    ground.git("update-ref", "-d", "refs/pull/7/head", cwd=ground.bare)
    ada.pulls("--ff-only")
    ada.works("src/b.py", "ada = 'after the bot'\n")
    ada.pushes()
    verified = judged_anew(ground, "fresh")
    told = {one.subject: one.code for one in verified.judgments}
    assert verified.verdict == PASS, told
    assert told["update (#7)"] == "attested"


def test_ordinary_work_of_two_lands_and_stays_good(ground: Ground) -> None:
    ada = Developer(ground, "ada", ground.path)
    ada.joins()
    bob = bob_joins(ground)
    bob.works("src/b.py", "bob = 1\n")
    bob.pushes()

    ada.pulls("--ff-only")
    ada.works("src/a.py", "ada = 1\n")
    ada.pushes()

    bob.works("src/b.py", "bob = 2\n")
    bob.pulls("--no-rebase", "--no-edit")  # a merge that nothing is in conflict in
    bob.pushes()

    ada.works("src/a.py", "ada = 2\n")
    ada.works("src/new.py", "ada = 3\n")
    ada.pulls("--rebase")  # other commits, the same changes
    ada.pushes()

    ada.git("checkout", "--quiet", "-b", "topic")
    ada.works("docs/guide.md", "# A better guide\n")
    ada.git("checkout", "--quiet", "main")
    ada.git("merge", "--quiet", "--no-ff", "-m", "topic", "topic")
    ada.pushes()

    verified = judged_anew(ground, "first")
    assert verified.verdict == PASS, [one for one in verified.judgments if one.verdict != PASS]
    assert verified.doubts == ()
    codes = {one.code for one in verified.judgments}
    assert {"attested", "inherited", "clean_merge", "signed"} <= codes, codes

    # Whatever is recorded later takes nothing away.
    bob.pulls("--ff-only")
    bob.works("src/a.py", "bob = 'in what was hers'\n")
    bob.pushes()
    again = judged_anew(ground, "second")
    assert again.verdict == PASS
    assert again.judgments[: len(verified.judgments)] == verified.judgments


@pytest.mark.nightly
def test_who_is_not_enrolled_is_told_how_the_enrolment_lands(ground: Ground) -> None:
    bob = Developer(ground, "bob", ground.folder / "bob")
    ground.git("clone", "--quiet", str(ground.bare), str(bob.path), cwd=ground.folder)
    assert Handrail(bob.path)("init").code == 0
    bob.joins()
    ground.enrol(bob.path)
    ground.git("commit", "--quiet", "--all", "--no-verify", "-m", "Bob joins", cwd=bob.path)
    assert Handrail(bob.path)("ledger", "sync").code == 0
    refused = ground.git("push", "--quiet", "--no-verify", "origin", "main", cwd=bob.path)
    assert refused.code != 0
    said = [line.rstrip() for line in refused.err.splitlines()]
    assert any("signed by a person whom the base names" in line for line in said), refused.err
    (step,) = [line.split("next: ")[1] for line in said if line.startswith("remote:   next: ")]
    assert step.startswith("git push origin HEAD:refs/heads/enroll-")
    done = ground.git(*step.split()[1:], cwd=bob.path)
    assert done.code == 0, done

    # Ada takes it from there.
    branch = step.rsplit("/", 1)[1]
    ground.repo.git("fetch", "--quiet", "origin")
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={ground.key}")
    picked = ground.git(*signing, "cherry-pick", "-S", f"origin/{branch}")
    assert picked.code == 0, picked
    assert ground.push().code == 0
    bob.git("fetch", "--quiet", "origin")
    bob.git("reset", "--quiet", "--hard", "origin/main")
    done = Handrail(bob.path)("ledger", "sync")
    assert done.code == 0
    assert "is in force here now" in done.err
    assert "not enrolled" not in done.err, "it is, by what has just come into force"
    bob.works("src/b.py", "bob = 1\n")
    bob.pushes()


def test_what_another_store_holds_is_told_at_the_sync(ground: Ground) -> None:
    ada = Developer(ground, "ada", ground.path)
    ada.joins()
    bob = bob_joins(ground)
    ground.claim("bob", "src/**", cwd=bob.path)
    assert Handrail(bob.path)("ledger", "sync").code == 0
    ada.pulls("--ff-only")
    ground.configure()
    ground.claim("ada", "src/a.py")
    done = Handrail(ground.path)("ledger", "sync", "--json")
    assert done.code == 0, done
    (told,) = done.json()["parallel_edit"]
    assert (told["witness"], told["session"], told["own_session"]) == ("src/a.py", "bob", "ada")
