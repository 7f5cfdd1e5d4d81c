"""Two clones of one repository, in two folders, with one store on a real PostgreSQL server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from handrail.config import render_preset
from tests.postgres import server
from tests.support import Handrail, Repo, Result


class Clones(NamedTuple):
    """The same workspace twice, as two hosts have it."""

    first: Repo
    second: Path
    run: Handrail

    def at(self, where: Path, *args: str, **env: str) -> Result:
        return self.run(*args, cwd=where, env=env)


@pytest.fixture
def clones(repo: Repo, tmp_path: Path) -> Clones:
    workspace = f"two-{tmp_path.parent.name}-{tmp_path.name}"[-60:].lstrip("-._")
    text = render_preset("minimal", workspace)
    repo.write("handrail.toml", f'{text}\n[store]\nurl = "{server().url()}"\n')
    run = Handrail(repo.path)
    assert run("status").err.count("not_initialised") == 1
    done = run("init", "--harness", "claude")
    assert done.code == 0, done
    assert "created  postgresql://" in done.out
    repo.commit("adopt")
    second = tmp_path / "second"
    repo.git("clone", "--quiet", str(repo.path), str(second))
    done = run("init", "--harness", "claude", cwd=second)
    assert done.code == 0, done
    assert "kept  postgresql://" in done.out
    return Clones(repo, second, run)


def test_postgres_serves_two_clones_from_claim_to_commit_and_back(clones: Clones) -> None:
    first, second = clones.first.path, clones.second
    ada, bob = {"HANDRAIL_SESSION": "s-ada"}, {"HANDRAIL_SESSION": "s-bob"}
    assert clones.at(first, "session", "start", "--id", "s-ada").code == 0
    assert clones.at(second, "session", "start", "--id", "s-bob").code == 0
    assert clones.at(first, "claim", "src", **ada).code == 0
    refused = clones.at(second, "claim", "src/f", "--json", **bob)
    assert refused.code == 1
    assert json.loads(refused.out)["error"]["code"] == "scope_held"
    other = clones.at(second, "release", "--all", **ada)
    assert (other.code, "wrong_worktree" in other.err) == (1, True), "it is a session over there"
    assert clones.at(first, "release", "--all", **ada).code == 0
    assert clones.at(second, "claim", "src", **bob).code == 0
    (second / "src").mkdir(exist_ok=True)
    (second / "src" / "f").write_text("1\n")
    again = Repo(second)
    again.git("add", "src/f")
    again.git("commit", "--quiet", "--message=change", env=bob)
    assert "1 attested" in clones.at(second, "verify", "HEAD~1..HEAD", **bob).out
    for where, words in ((first, ("ledger", "verify")), (second, ("doctor", "--replay"))):
        assert clones.at(where, *words).code == 0
    kinds = [row["kind"] for row in json.loads(clones.at(first, "log", "--json").out)["entries"]]
    assert kinds.count("lease.granted") == 2
    assert kinds.count("store.created") == 1
    race(clones, ((first, "s-ada"), (second, "s-bob")) * 3)


def race(clones: Clones, sessions: Sequence[tuple[Path, str]]) -> None:
    """Let processes of both clones claim one scope at once: one session wins."""
    racing = [
        clones.run.start("claim", "src/x", "--json", cwd=where, env={"HANDRAIL_SESSION": name})
        for where, name in sessions
    ]
    told: list[Any] = []
    for process in racing:
        out, err = process.communicate(timeout=60)
        told.append((process.returncode, json.loads(out), err))
    winners = {answer["session"] for code, answer, _ in told if code == 0}
    assert len(winners) == 1, told
    for code, answer, _ in told:
        assert code == 0 or {answer["error"]["session"]} == winners
    assert sorted(code for code, _, _ in told) == [0, 0, 0, 1, 1, 1], "one's own is renewed"


def test_a_clone_that_names_another_postgres_store_or_finds_none_is_told_so(clones: Clones) -> None:
    first = clones.first.path
    text = (first / "handrail.toml").read_text()
    url = server().url()
    for value in (f"{url}&password=geheim", url):
        assert clones.at(first, "status", HANDRAIL_STORE_URL=value).code == 0
    for value in (server().tcp(), server().url("postgres"), "postgresql://a:geheim@[", "sqlite"):
        said = clones.at(first, "status", HANDRAIL_STORE_URL=value)
        assert (said.code, "geheim" in said.out + said.err) == (2, False), (value, said)
        assert "malformed_environment" in said.err
    (first / "handrail.toml").write_text(text.replace(url, server().url("postgres")))
    said = clones.at(first, "init")
    assert (said.code, "stores_differ" in said.err) == (2, True), said
    said = clones.at(first, "config", "apply")
    assert (said.code, "stores_differ" in said.err) == (2, True), said
    (first / "handrail.toml").write_text(text)
    away(clones)


def away(clones: Clones) -> None:
    """Let the server be gone: nobody can tell, and nothing is changed."""
    first = clones.first.path
    note = first / ".git" / "handrail" / "store.json"
    found = json.loads(note.read_text())
    before = clones.at(first, "log", "--json").out
    gone = {**found, "url": found["url"].replace(f"port={server().port}", "port=1")}
    note.write_text(json.dumps(gone))
    for words in (("status",), ("claim", "src"), ("ledger", "verify")):
        said = clones.at(first, *words, HANDRAIL_SESSION="s-ada")
        assert (said.code, "store_unreachable" in said.err) == (3, True), said
        assert "next: pg_isready -h" in said.err
    note.write_text(json.dumps(found))
    assert clones.at(first, "log", "--json").out == before


def test_a_clone_joins_no_postgres_store_that_its_handrail_toml_does_not_enroll(
    clones: Clones, tmp_path: Path
) -> None:
    first, third = clones.first.path, tmp_path / "third"
    clones.first.git("clone", "--quiet", str(first), str(third))
    text = (third / "handrail.toml").read_text()
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUCo0Lkx5sQoUjCkzRZcWqUGbM0pQvYtVh4kPq1pT3a"
    other = f'\n[[epoch]]\nid = "zzzz2222"\nkey = "{key}"\nholder = "ada"\n'
    (third / "handrail.toml").write_text(text + other)
    said = clones.at(third, "init")
    assert (said.code, "store_not_enrolled" in said.err) == (3, True), said
    assert not (third / ".git" / "handrail" / "store.json").exists()
    before = json.loads(clones.at(first, "log", "--json").out)["entries"]
    (third / "handrail.toml").write_text(text)
    assert clones.at(third, "init").code == 0
    assert json.loads(clones.at(first, "log", "--json").out)["entries"] == before
