"""Two hosts, one store on a PostgreSQL server: who overslept on one lands nothing on the other."""

from __future__ import annotations

import os
import time
from pathlib import Path

from handrail.service.claims import Asked
from tests.landing.ground import Ground
from tests.postgres import server
from tests.support import Handrail, Repo

TTL_MS = 1_000


def test_who_overslept_on_one_host_commits_nothing_there_and_lands_nothing_with_postgres(
    tmp_path: Path,
) -> None:
    ground = Ground.make(tmp_path / "ground", f"sleeps-{os.getpid()}", server().url())
    other = tmp_path / "other"
    ground.git("clone", "--quiet", str(ground.bare), str(other), cwd=tmp_path)
    assert Handrail(other)("init").code == 0
    ground.session("ada")
    with ground.open("ada") as application:
        application.leases.claim(Asked(("src/a.py",), ttl_ms=TTL_MS))
    before = ground.head
    time.sleep(TTL_MS / 1000 + 0.1)  # as one who was stopped
    ground.session("bob", cwd=other)
    ground.claim("bob", "src/a.py", cwd=other)
    late = ground.commit("ada", {"src/a.py": "evil = True\n"}, "--no-verify")
    assert (late.code != 0, ground.head) == (True, before), "refused by its own commit"
    assert "bob" in late.err
    assert ground.sneak({"src/a.py": "evil = True\n"}).code == 0
    landed = ground.landed()
    pushed = ground.force(HANDRAIL_SESSION="ada")
    assert pushed.code != 0, "and by the repository that all push to"
    assert "unseen" in pushed.err, pushed
    assert ground.landed() == landed
    repo = Repo(other)
    repo.write("src/a.py", "fine = True\n")
    repo.git("add", "src/a.py")
    repo.git("commit", "--quiet", "-m", "change", env={"HANDRAIL_SESSION": "bob"})
    assert Handrail(other)("verify", "HEAD~1..HEAD").code == 0, "who holds it goes on"
