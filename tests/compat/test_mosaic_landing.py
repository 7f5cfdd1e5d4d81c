"""Who skips the suite cannot push to the protected branch: the remote asks for its receipt."""

from __future__ import annotations

import os
import re
from typing import Final

from handrail.wiring import Application
from handrail.wiring.sharing import enrolment
from tests.compat.mosaic_ground import NO_HOOKS, Ground
from tests.support import ROOT, Handrail, Result

GUIDE: Final = (ROOT / "docs" / "guides" / "mosaic.md").read_text(encoding="utf-8")
SUITE: Final = "python3 .mosaic/enforcement/handoff_validation_tests.py --pre-handoff"
AGENT: Final = {"HANDRAIL_SESSION": "s-1"}


def the_gate() -> str:
    """Return what the guide says to write into ``handrail.toml``."""
    found = re.search(r"^```toml\n(\[\[gate\]\]\n.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return "\n" + found[1]


def protect(ground: Ground) -> None:
    """Let the remote judge what comes to its protected branch, as the guide says."""
    file = ground.path / "handrail.toml"
    application = Application.open(str(ground.path), {}, terminal=True)
    try:
        enrolment(application).enroll(holder="ada")
    finally:
        application.close()
    assert "[[epoch]]" in file.read_text()
    ground.configure(the_gate())
    assert Handrail(ground.folder / "origin.git")("init", "--bare").code == 0


def pushes(ground: Ground, *words: str) -> Result:
    """Push past this clone's own hook, the ledger first: only the remote judges."""
    Handrail(ground.path)("ledger", "sync", "origin")
    line = " ".join(("git push --quiet --no-verify origin", *words))
    return ground.types(line)


def landed(ground: Ground) -> str:
    return ground.repo.git("rev-parse", "main", cwd=ground.folder / "origin.git")


def works(ground: Ground, message: str) -> None:
    """Let an agent claim, change and commit, with a message to whoever comes next."""
    handrail = Handrail(ground.path)
    assert handrail("session", "start", "--id", "s-1").code == 0
    assert handrail("claim", "src", env=AGENT).code == 0
    ground.repo.write("src/search.py", "def search(): ...\n")
    ground.state(handoff_message=message)
    ground.repo.git("add", "--all")
    ground.repo.git("commit", "--quiet", "-m", "search", env=AGENT)


def test_a_push_to_the_protected_branch_that_skipped_the_suite_is_refused(ground: Ground) -> None:
    protect(ground)
    handrail, before = Handrail(ground.path), landed(ground)
    works(ground, "The search finds names now; next is to rank what it finds.")
    assert handrail("export", env=AGENT).code == 0
    if ground.repo.git("status", "--porcelain"):
        ground.repo.git("add", "--all")
        ground.repo.git("commit", "--quiet", "-m", "state", env=AGENT)
    shared = pushes(ground, "HEAD:refs/heads/work")
    assert shared.code == 0, "a branch that is not protected takes it"
    refused = pushes(ground, "HEAD:refs/heads/main")
    assert refused.code != 0
    assert "gate handoff-suite of the base has not passed here" in refused.err, refused
    assert landed(ground) == before
    seen = ground.types(SUITE)
    assert (seen.code, "6/6 tests passed" in seen.out) == (0, True), seen.out
    assert pushes(ground, "HEAD:refs/heads/main").code != 0, "who ran it elsewhere has no receipt"
    step = refused.err.partition("next: ")[2].splitlines()[0].partition(" && ")[0]
    assert step == "handrail check land"
    judged = handrail(*step.split()[1:], env=AGENT)
    assert judged.code == 0, judged
    done = pushes(ground, "HEAD:refs/heads/main")
    assert done.code == 0, done
    assert landed(ground) == ground.repo.git("rev-parse", "HEAD") != before


def test_a_suite_that_fails_or_was_cut_out_gives_no_receipt(ground: Ground) -> None:
    protect(ground)
    handrail, before = Handrail(ground.path), landed(ground)
    works(ground, "short")
    assert pushes(ground, "HEAD:refs/heads/work").code == 0
    judged = handrail("check", "land", env=AGENT)
    assert judged.code == 1, judged
    assert pushes(ground, "HEAD:refs/heads/main").code != 0
    script = ground.path / ".mosaic/enforcement/handoff_validation_tests.py"
    script.write_text("raise SystemExit(0)\n")
    ground.repo.git("add", "--all")
    ground.repo.git(*NO_HOOKS, "commit", "--quiet", "-m", "cut", env=AGENT)
    cut = handrail("check", "land", env=AGENT)
    assert cut.code == 1, "the commit that cuts it out is not attested, and nobody may"
    assert pushes(ground, "HEAD:refs/heads/main").code != 0
    assert landed(ground) == before
    assert os.path.exists(script)
