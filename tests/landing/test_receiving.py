"""Real pushes from real clones to a real bare repository, judged by the hook that `init` wrote.

Each test pushes with git itself. The store of attested commits is the bare repository's own, which
one of its working trees made, or comes along as a ledger ref.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from handrail.core.ledger import Entry
from handrail.edge.guard.receiving import run as receive
from handrail.facts.receiving import counting
from handrail.service.install.scripts import STAYS_OUT, git_hook
from handrail.service.receiving import OBJECTIONS
from handrail.service.setup import apply_config, initialise
from tests.cli.world import World, refusal
from tests.published_support import Key, Shelf
from tests.support import ROOT, Handrail, Repo, Result

CONFIG: Final = """[workspace]
id = "acme-3fk2ap"
protected_refs = ["main", "release/*"]

[[role]]
name = "worker"
lane = ["**"]

"""
REFUSED: Final = "handrail: the push was refused"
CANNOT_TELL: Final = f"{REFUSED}, because it cannot be told"
KEY: Final = Key("ada")


class Server:
    """A bare repository, and a clone to push from."""

    def __init__(self, folder: Path) -> None:
        self.bare = folder / "srv.git"
        self.desk = Repo(folder / "desk")
        self.handrail = Handrail(self.bare)

    def push(
        self, *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Result:
        """Push from the clone, as somebody would type it."""
        argv = ("git", "push", "origin", *words)
        return run(argv, cwd or self.desk.path, {**os.environ, **(env or {})})

    def uninstalls(self, *words: str, cwd: Path | None = None) -> Result:
        """Take Handrail out, as a person at a terminal does."""
        scratch = self.bare.parent / "scratch"
        scratch.mkdir(exist_ok=True)
        seat = scratch / f"seat-{len(list(scratch.iterdir()))}"
        person = World(self.desk, seat).shell(cwd or self.bare)
        return person.types(" ".join(("handrail uninstall", *words)), terminal=True)

    def ref(self, name: str) -> str:
        """Return what a ref of the bare repository holds; '' if it is not there."""
        words = ("rev-parse", "--verify", "--quiet", name)
        return self.desk.git(*words, cwd=self.bare, check=False)

    def configure(self, *lines: str) -> str:
        """Put a configuration onto ``main``, past the hook."""
        self.desk.write("handrail.toml", CONFIG + "\n".join(lines) + "\n")
        commit = self.desk.commit("configure", "handrail.toml")
        return self.put("refs/heads/main", commit)

    def put(self, ref: str, commit: str) -> str:
        """Set a ref of the bare repository, past the hook."""
        self.desk.git("push", "--quiet", str(self.bare), f"{commit}:refs/tags/carrier", check=False)
        self.desk.git("fetch", "--quiet", str(self.desk.path), commit, cwd=self.bare)
        self.desk.git("update-ref", ref, commit, cwd=self.bare)
        self.desk.git("update-ref", "-d", "refs/tags/carrier", cwd=self.bare)
        return commit

    def works(self, tmp_path: Path) -> World:
        """Give the bare repository a working tree with a store, which so is its own."""
        work = tmp_path / "work"
        self.desk.git("worktree", "add", "--quiet", "-b", "work", str(work), "main", cwd=self.bare)
        world = World(Repo(work), tmp_path / "scratch")
        with world.open() as application:
            initialise(application.ground, "minimal")
        return world


def run(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Result:
    done = subprocess.run(
        argv, cwd=cwd, env=env, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    told = (done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
    return Result(tuple(argv), done.returncode, *told)


def said(done: Result) -> str:
    """Return what the hook said at the other end, without what git puts around it."""
    lines = [line for line in done.err.splitlines() if line.startswith("remote: ")]
    return "\n".join(line.removeprefix("remote: ").rstrip() for line in lines)


def refused(done: Result, *signs: str) -> str:
    """Check that a push was refused, with these signs of why and a next command."""
    told = said(done)
    assert done.code != 0, done.err
    assert REFUSED in told, done.err
    assert "  next" in told, done.err
    assert "Traceback" not in done.err, done.err
    for sign in signs:
        assert sign in told, done.err
    return told


def taken(done: Result) -> str:
    assert done.code == 0, done.err
    assert REFUSED not in done.err, done.err
    return said(done)


_templates: dict[str, Path] = {}


@pytest.fixture
def server(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A bare repository that judges, its ``main`` protected, and a clone of it."""
    if "server" not in _templates:
        template = tmp_path_factory.mktemp("server")
        made = Server(template)
        desk = Repo.create(made.desk.path)
        desk.git("init", "--quiet", "--bare", "--initial-branch=main", str(made.bare))
        desk.git("config", "gc.auto", "0", cwd=made.bare)
        desk.write("handrail.toml", CONFIG)
        desk.write("src/a.py", "a = 1\n")
        desk.commit("adopt")
        desk.git("push", "--quiet", str(made.bare), "main")
        assert made.handrail("init", "--bare").code == 0
        _templates["server"] = template
    shutil.copytree(_templates["server"], tmp_path, dirs_exist_ok=True, symlinks=True)
    made = Server(tmp_path)
    made.desk.git("remote", "add", "origin", str(made.bare))
    made.desk.git("fetch", "--quiet", "origin")
    return made


def change(
    repo: Repo, path: str = "src/a.py", text: str = "more\n", message: str = "change"
) -> str:
    """Commit a change of one path."""
    target = repo.path / path
    repo.write(path, f"{target.read_text() if target.exists() else ''}{text}")
    return repo.commit(message, f":(literal){path}")


def chain(repo: Repo, number: int, onto: str) -> list[str]:
    """Make commits of one file each, quickly; returns them, oldest first."""
    lines = []
    for one in range(1, number + 1):
        at = f"Ada <ada@example.org> {1_800_000_000 + one} +0000"
        lines += [
            f"commit refs/heads/chain\nmark :{one}\ncommitter {at}\ndata 2\nc\n",
            f"from {onto}\n" if one == 1 else "",
            f"M 100644 inline src/n{one}\ndata 2\nx\n\n",
        ]
    repo.git("fast-import", "--quiet", "--force", input="".join(lines))
    return repo.git("rev-list", "--reverse", f"{onto}..refs/heads/chain").split()


def attest(world: World, session: str, text: str) -> None:
    done = world.shell(HANDRAIL_SESSION=session).handrail("attest", text)
    assert done.code == 0, done


def worked(world: World, *paths: str) -> str:
    """Commit these paths under a lease and attest that; returns the commit."""
    session = world.session()
    world.claim(session, *paths)
    commit = ""
    for path in paths:
        commit = change(world.repo, path)
        attest(world, session, commit)
    world.release(session)
    return commit


# ---------------------------------------------------------------------------------- what may land


@pytest.mark.parametrize("number", [1, 20, 200])
def test_attested_commits_land_and_one_that_is_not_keeps_all_out(
    server: Server, tmp_path: Path, number: int
) -> None:
    world = server.works(tmp_path)
    base = server.ref("main")
    session = world.session()
    world.claim(session, "src")
    made = chain(world.repo, number, base)
    assert len(made) == number
    attest(world, session, f"{base}..chain")
    server.desk.git("fetch", "--quiet", "origin")
    server.desk.git("checkout", "--quiet", "-b", "bad", "origin/chain")
    bad = change(server.desk)
    told = refused(server.push("HEAD:main"), "unseen: src/a.py", bad[:12])
    assert f"1 of {number + 1} commit" in told
    assert told.splitlines()[-1] == f"  next: handrail attest {bad[:12]} && git push"
    assert server.ref("main") == base
    assert taken(server.push("origin/chain:main")) == ""
    assert server.ref("main") == made[-1]


def test_a_push_is_taken_as_a_whole_or_not_at_all(server: Server) -> None:
    server.desk.git("branch", "good")
    bad = change(server.desk)
    refused(server.push("good", f"{bad}:refs/tags/v1", "HEAD:main"), "no_ledger: src/a.py")
    assert (server.ref("refs/heads/good"), server.ref("refs/tags/v1")) == ("", "")


def test_other_branches_and_tags_go_in_unjudged_and_named(server: Server) -> None:
    change(server.desk)
    server.desk.git("tag", "-a", "-m", "v1", "v1")
    told = taken(server.push("HEAD:topic", "v1", "HEAD:refs/notes/x"))
    assert told.startswith("handrail: not protected, so not judged: refs/")
    assert all(ref in told for ref in ("refs/heads/topic", "refs/tags/v1", "refs/notes/x"))
    change(server.desk)
    taken(server.push("--force", "HEAD~2:topic"))
    taken(server.push("--delete", "topic", "v1"))
    many = [f"HEAD:refs/heads/t{number}" for number in range(30)]
    assert "and 25 more" in taken(server.push(*many))


def test_a_new_protected_branch_is_judged_as_a_whole(server: Server, tmp_path: Path) -> None:
    taken(server.push("main:refs/heads/release/1"))
    bad = change(server.desk)
    refused(server.push("HEAD:refs/heads/release/2"), bad[:12])
    world = server.works(tmp_path)
    good = worked(world, "src/b.py")
    server.desk.git("fetch", "--quiet", "origin")
    taken(server.push("origin/work:refs/heads/release/2"))
    assert server.ref("release/2") == good


def test_a_protected_branch_is_not_deleted(server: Server) -> None:
    taken(server.push("main:refs/heads/release/1"))
    told = refused(server.push("--delete", "release/1"), "protected_deleted")
    server.desk.git(*told.splitlines()[-1].removeprefix("  next: git ").split())
    assert server.ref("release/1") != ""


def test_a_protected_branch_only_goes_forward(server: Server, tmp_path: Path) -> None:
    server.desk.git("config", "receive.denyNonFastForwards", "false", cwd=server.bare)
    world = server.works(tmp_path)
    worked(world, "src/b.py")
    server.desk.git("fetch", "--quiet", "origin")
    taken(server.push("origin/work:main"))
    landed = server.ref("main")
    refused(server.push("--force", "main:main"), "protected_forced", landed[:12])
    assert server.ref("main") == landed


@pytest.mark.parametrize("mode", ["shadow", "warn"])
def test_where_landing_only_warns_commits_go_in_and_structure_stays(
    server: Server, mode: str
) -> None:
    base = server.configure("[mode]", f'land = "{mode}"')
    bad = change(server.desk)
    told = said(server.push("HEAD:main"))
    if "no_ledger" in told:  # where no ledger is at all, nobody can tell, whatever the mode
        assert told.startswith(REFUSED)
        server.works(server.desk.path.parent)
        told = taken(server.push("HEAD:main"))
    assert f"the base says {mode}, so they do" in told
    assert (bad[:12] in told, server.ref("main")) == (True, bad)
    refused(server.push("--force", f"{base}:main"), "protected_forced")
    refused(server.push("--delete", "main"), "protected_deleted")
    refused(server.push("HEAD:refs/replace/" + "1" * 40), "replace_ref")


def test_the_first_configuration_is_adopted_and_binds_from_then_on(
    server: Server, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.git"
    server.desk.git("init", "--quiet", "--bare", "--initial-branch=main", str(empty))
    assert Handrail(empty)("init", "--bare").code == 0
    server.desk.git("remote", "set-url", "origin", str(empty))
    taken(server.push("HEAD~1:refs/heads/main"))
    server.desk.git("commit", "--quiet", "--amend", "--message=adopted")
    assert taken(server.push("HEAD~1:refs/heads/topic")) != ""
    told = taken(server.push("HEAD:main"))
    assert "refs/heads/main brings the first handrail.toml" in told
    assert "not judged" not in told
    assert "enrols no store and names no key" in told
    change(server.desk)
    refused(server.push("HEAD:main"))


# ----------------------------------------------------------------------------- refs that would lie


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        ("refs/replace/{head}", "replace_ref"),
        ("refs/REPLACE/{head}", "replace_ref"),
        ("refs/handrail/other", "reserved_ref"),
        ("refs/handrail/ledger/UPPER", "reserved_ref"),
        ("refs/handrail/ledger/a/b", "reserved_ref"),
        ("refs/Handrail/ledger/3fk2", "reserved_ref"),
        ("refs/heads/handrail/ledger", "reserved_ref"),
        ("refs/heads/handrail/ledger/no-epoch", "reserved_ref"),
        ("refs/remotes/origin/main", "reserved_ref"),
        ("refs/heads/refs/remotes/origin/main", "reserved_ref"),
        ("refs/refs/heads/main", "reserved_ref"),
        ("refs/tags/HEAD", "reserved_ref"),
        ("refs/heads/HEAD", "reserved_ref"),
    ],
)
def test_a_ref_that_could_be_taken_for_another_is_refused(
    server: Server, ref: str, code: str
) -> None:
    name = ref.format(head=server.ref("main"))
    refused(server.push(f"HEAD:{name}"), code, name)
    assert server.ref(name) == ""


def test_replace_refs_that_are_there_change_no_verdict(server: Server) -> None:
    base = server.ref("main")
    bad = change(server.desk)
    refused(server.push("HEAD:main"))
    taken(server.push("HEAD:topic"))
    server.desk.git("replace", bad, base, cwd=server.bare)
    refused(server.push("HEAD:main"), bad[:12])


def test_a_ref_that_leads_to_a_protected_one_is_that_one(server: Server) -> None:
    for name, led in (("master", "main"), ("trunk", "master"), ("next", "release/9")):
        words = ("symbolic-ref", f"refs/heads/{name}", f"refs/heads/{led}")
        server.desk.git(*words, cwd=server.bare)
    (server.bare / "refs" / "heads" / "old").symlink_to("refs/heads/main")  # as git once did it
    base = server.ref("main")
    bad = change(server.desk)
    for name in ("master", "trunk", "next"):
        refused(server.push(f"HEAD:{name}"), bad[:12])
    refused(server.push("HEAD:old"), "refs/heads/main")
    refused(server.push("--force", "HEAD~2:trunk"), "refs/heads/main", "protected_forced")
    assert (server.ref("main"), server.ref("release/9")) == (base, "")
    server.desk.git("symbolic-ref", "refs/heads/x", "refs/heads/y", cwd=server.bare)
    server.desk.git("symbolic-ref", "refs/heads/y", "refs/heads/x", cwd=server.bare)
    assert server.push("HEAD:x").code != 0


# ------------------------------------------------------------------------------------ ledger refs


EPOCH: Final = "3fk2ap7q"
REF: Final = f"refs/handrail/ledger/{EPOCH}"
BRANCH: Final = f"refs/heads/handrail/ledger/{EPOCH}"


class Elsewhere:
    """A clone with a store of its own, whose epoch the base enrols."""

    def __init__(self, server: Server, tmp_path: Path) -> None:
        self.server = server
        self.world = World(server.desk, tmp_path / "scratch")
        with self.world.open() as application:
            store = application.ground.create_store("acme-3fk2ap", EPOCH)
            store.close()
        with self.world.open(terminal=True) as application:
            initialise(application.ground, "minimal")
        lines = f'[[epoch]]\nid = "{EPOCH}"\nkey = "{KEY.public}"\nholder = "ada"'
        server.configure(lines)
        with self.world.open(terminal=True) as application:
            apply_config(application.context)
        self.shelf = Shelf(server.desk, KEY, EPOCH)

    def entries(self) -> list[Entry]:
        with self.world.open() as application, application.store.read() as reader:
            return list(reader.entries())

    def publish(self, ref: str = REF) -> Result:
        """Put the ledger as it is onto a ref and push it."""
        self.shelf.put(ref, self.entries())
        return self.server.push(ref)


@pytest.fixture
def elsewhere(server: Server, tmp_path: Path) -> Elsewhere:
    return Elsewhere(server, tmp_path)


@pytest.mark.parametrize("ref", [REF, BRANCH])
def test_commits_land_by_a_ledger_that_was_pushed_before_them(
    server: Server, elsewhere: Elsewhere, ref: str
) -> None:
    good = worked(elsewhere.world, "src/b.py")
    told = refused(server.push("HEAD:main"), "no_ledger", good[:12])
    assert told.endswith("  next: handrail ledger sync && git push")
    assert taken(elsewhere.publish(ref)) == ""
    taken(server.push("HEAD:main"))
    assert server.ref("main") == good
    bad = change(server.desk)
    refused(server.push("HEAD:main"), "unseen", bad[:12])


def test_commits_land_by_a_ledger_that_comes_in_the_same_push(
    server: Server, elsewhere: Elsewhere
) -> None:
    good = worked(elsewhere.world, "src/b.py")
    elsewhere.shelf.put(REF, elsewhere.entries())
    taken(server.push("HEAD:main", REF))
    assert server.ref("main") == good


def test_a_ledger_is_never_deleted_and_only_grows(server: Server, elsewhere: Elsewhere) -> None:
    taken(elsewhere.publish())
    first = server.ref(REF)
    worked(elsewhere.world, "src/b.py")
    taken(elsewhere.publish())
    last = server.ref(REF)
    refused(server.push("--force", f"{first}:{REF}"), "ledger_moved_back")
    refused(server.push("--delete", REF), "ledger_deleted")
    other = elsewhere.shelf.put("refs/handrail/ledger/scratch", elsewhere.entries())
    refused(server.push("--force", f"{other}:{REF}"), "ledger_moved_back")
    assert server.ref(REF) == last


def test_a_ledger_that_is_none_is_refused_by_its_fault(
    server: Server, elsewhere: Elsewhere
) -> None:
    refused(server.push(f"HEAD:{REF}"), "ledger_unsound: this ledger is not taken: malformed")
    blob = elsewhere.shelf.blob(b"garbage")
    refused(server.push(f"{blob}:{REF}"), "malformed")
    entries = elsewhere.entries()
    unsigned = Shelf(server.desk, None, EPOCH).put("refs/x/unsigned", entries)
    refused(server.push(f"{unsigned}:{REF}"), "unsigned")
    foreign = Shelf(server.desk, Key("eve"), EPOCH).put("refs/x/foreign", entries)
    refused(server.push(f"{foreign}:{REF}"), "unsigned")
    changed = [*entries[:1], entries[1]._replace(payload=b"{}"), *entries[2:]]
    rewritten = elsewhere.shelf.put("refs/x/rewritten", changed)
    refused(server.push(f"{rewritten}:{REF}"), "rewritten")
    assert server.ref(REF) == ""


def test_a_ledger_that_nobody_enrolled_is_taken_if_it_is_one(
    server: Server, tmp_path: Path
) -> None:
    elsewhere = Elsewhere(server, tmp_path)
    server.configure()
    told = taken(elsewhere.publish())
    assert f"no branch here enrols epoch {EPOCH}" in told
    refused(server.push("HEAD~1:refs/handrail/ledger/other"), "malformed")


# -------------------------------------------------------------------------------- shapes of history


def test_merges_of_two_land_by_what_they_change_and_of_three_never(
    server: Server, tmp_path: Path
) -> None:
    world = server.works(tmp_path)
    repo = world.repo
    base = server.ref("main")
    sides = []
    for name in ("one", "two", "three"):
        repo.git("checkout", "--quiet", "-b", name, base)
        sides.append(worked(world, f"src/{name}.py"))
    repo.git("checkout", "--quiet", "-B", "criss", sides[0])
    repo.git("merge", "--quiet", "--no-edit", sides[1])
    repo.git("checkout", "--quiet", "-B", "cross", sides[1])
    repo.git("merge", "--quiet", "--no-edit", sides[0])
    repo.git("merge", "--quiet", "--no-edit", "criss")
    server.desk.git("fetch", "--quiet", "origin")
    taken(server.push("origin/cross:main"))
    repo.git("checkout", "--quiet", "-B", "octopus", sides[0])
    repo.git("merge", "--quiet", "--no-edit", sides[1], sides[2])
    server.desk.git("fetch", "--quiet", "origin")
    told = refused(server.push("origin/octopus:refs/heads/release/1"), "octopus")
    assert "git rebase" in told


def test_grafts_make_no_way_forward(server: Server) -> None:
    server.desk.git("config", "receive.denyNonFastForwards", "false", cwd=server.bare)
    server.desk.git("checkout", "--quiet", "--orphan", "alone")
    alone = server.desk.commit("alone")
    taken(server.push("HEAD:topic"))
    (server.bare / "info").mkdir(exist_ok=True)
    (server.bare / "info" / "grafts").write_text(f"{alone} {server.ref('main')}\n")
    refused(server.push("--force", "HEAD:main"), "protected_forced")


def test_a_push_from_a_shallow_clone_is_judged_as_far_as_it_reaches(
    server: Server, tmp_path: Path
) -> None:
    world = server.works(tmp_path)
    worked(world, "src/b.py")
    worked(world, "src/c.py")
    shallow = tmp_path / "shallow"
    url = f"file://{server.bare}"
    server.desk.git("clone", "--quiet", "--depth=1", "--branch=work", url, str(shallow))
    taken(server.push("--force", "HEAD:main", cwd=shallow))
    assert server.ref("main") == world.repo.git("rev-parse", "HEAD")
    other = tmp_path / "other.git"
    server.desk.git("init", "--quiet", "--bare", "--initial-branch=main", str(other))
    server.desk.git("config", "receive.shallowUpdate", "true", cwd=other)
    assert Handrail(other)("init", "--bare").code == 0
    server.desk.git("push", "--quiet", str(other), "main")
    lone = run(("git", "push", "--force", str(other), "HEAD:main"), shallow, os.environ)
    assert lone.code != 0
    assert "[remote rejected]" in lone.err


@pytest.mark.parametrize("name", ["main:handrail.toml", "main^{tree}"])
def test_missing_objects_are_no_pass(server: Server, name: str) -> None:
    lost = server.ref(name)
    server.desk.git("rm", "--quiet", "-r", "src")
    server.desk.commit("nothing that is there is needed for this")
    (server.bare / "objects" / lost[:2] / lost[2:]).unlink()
    refused(server.push("--no-thin", "HEAD:main"), CANNOT_TELL, "facts_unavailable")
    refused(server.push("--no-thin", "HEAD:topic"), CANNOT_TELL)


@pytest.mark.parametrize("text", ["[workspace", '[workspace]\nid = "x"\nwrong = 1\n', "\0\xff"])
def test_a_base_that_cannot_be_read_lets_nothing_in(server: Server, text: str) -> None:
    server.desk.write("handrail.toml", text)
    commit = server.desk.commit("broken")
    refused(server.push("HEAD:main"), "config_broken", "handrail config validate")
    taken(server.push("HEAD:topic"))
    server.put("refs/heads/main", commit)
    server.desk.write("handrail.toml", CONFIG)
    server.desk.commit("mended")
    refused(server.push("HEAD:main"), CANNOT_TELL, "handrail.toml of refs/heads/main")
    refused(server.push("HEAD:refs/heads/release/1"), CANNOT_TELL)
    taken(server.push("HEAD:topic"))


def test_nobody_unprotects_a_branch_by_what_another_one_holds(server: Server) -> None:
    server.desk.write("handrail.toml", CONFIG.replace('"main", "release/*"', '"nothing"'))
    server.desk.commit("weaker")
    taken(server.push("HEAD:develop"))
    server.desk.git("symbolic-ref", "HEAD", "refs/heads/develop", cwd=server.bare)
    refused(server.push("HEAD:main"))
    refused(server.push("--force", "HEAD~2:main"), "protected_forced")
    refused(server.push("--delete", "main"), "protected_deleted")
    refused(server.push("HEAD:refs/heads/release/1"))


def test_the_law_of_a_push_is_that_from_before_it(server: Server, tmp_path: Path) -> None:
    server.works(tmp_path)
    server.desk.write("handrail.toml", CONFIG + '[mode]\nland = "shadow"\n')
    weaker = server.desk.commit("weaker")
    change(server.desk)
    refused(server.push("HEAD:main"), "handrail.toml", weaker[:12])
    server.desk.git("rm", "--quiet", "handrail.toml")
    server.desk.commit("without")
    refused(server.push("HEAD:main"), weaker[:12])


def test_more_configurations_than_can_be_read_hide_none(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.desk.write("handrail.toml", CONFIG.replace('"main"', '"trunk"'))
    trunk = server.put("refs/heads/trunk", server.desk.commit("trunk"))
    lines = []
    for number in range(70):
        server.desk.write("handrail.toml", f"# {number}\n{CONFIG}")
        server.desk.commit(f"{number}")
        lines.append(f"HEAD~{number}:refs/heads/t{number}")
    refused(server.push("--force", "HEAD:trunk", *lines), CANNOT_TELL, "more than 64")
    for start in range(0, 70, 35):
        taken(server.push(*lines[start : start + 35]))
    refused(server.push("--force", "HEAD~60:trunk"))
    refused(server.push("--delete", "trunk"), "protected_deleted")
    assert server.ref("trunk") == trunk


# ------------------------------------------------------------------------- what the pusher may say


HOSTILE: Final = "\x1b[2J\x1b]0;evil\x07\u202e\x9b31m"


def test_nothing_hostile_reaches_the_terminal(server: Server) -> None:
    server.desk.write(f"src/{HOSTILE}\nremote: taken.py", "x")
    server.desk.commit(f"subject {HOSTILE}" + "x" * 300)
    done = server.push("HEAD:main")
    told = refused(done, "subject \\x1b[2J", "src/\\x1b[2J")
    assert not set("\x1b\x07\x9b\u202e") & set(told)
    assert not [line for line in told.splitlines() if line.startswith("taken")]
    server.desk.git("update-ref", f"refs/heads/caf\u00e9-{chr(0x202E)}", "HEAD")
    done = server.push(f"refs/heads/caf\u00e9-{chr(0x202E)}", "HEAD:main")
    assert chr(0x202E) not in refused(done)


def test_every_line_fits_beside_what_git_puts_before_it(server: Server) -> None:
    for _ in range(15):
        change(server.desk)
    told = refused(server.push("HEAD:main"), "15 of 15 commits", "and 5 more")
    assert [line for line in told.splitlines()[:-1] if len(line) > 110] == []
    assert len(told.splitlines()) < 50


SET: Final = (
    {"HANDRAIL_STORE_URL": "postgresql://evil/x"},
    {"HANDRAIL_SESSION": "not a name", "HANDRAIL_SECRET": "x", "HANDRAIL_AGENT": "../.."},
    {"HANDRAIL_STATE_DIR": "relative"},
    {"AGENT_SESSION_ID": "\x1b[2J", "AGENT_ID": "a b", "CLAUDECODE": "1"},
    {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": "/x"},
    {"GIT_CONFIG_PARAMETERS": "'core.hookspath=/dev/null' 'core.bare=false'"},
    {"GIT_GRAFT_FILE": "/dev/null", "GIT_REPLACE_REF_BASE": "refs/heads/", "GIT_SHALLOW_FILE": "x"},
    {"GIT_ATTR_SOURCE": "HEAD", "GIT_EXTERNAL_DIFF": "/bin/false", "GIT_TRACE": "/dev/stderr"},
    {"GIT_DEFAULT_HASH": "sha256", "GIT_LITERAL_PATHSPECS": "1", "GIT_ICASE_PATHSPECS": "1"},
    {"PYTHONPATH": "/nowhere", "PYTHONSTARTUP": "/x", "PYTHONHOME": "/x", "BASH_ENV": "/x"},
    {"HOME": "/nowhere", "XDG_CONFIG_HOME": "/nowhere", "LC_ALL": "tr_TR.UTF-8", "TZ": "x"},
)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("given", SET, ids=lambda given: next(iter(given)))
def test_what_a_pusher_sets_counts_for_nothing(
    server: Server, tmp_path: Path, given: dict[str, str]
) -> None:
    world = server.works(tmp_path)
    good = worked(world, "src/b.py")
    server.desk.git("fetch", "--quiet", "origin")
    bad = change(server.desk)
    refused(server.push("HEAD:main", env=given), "unseen", bad[:12])
    taken(server.push("origin/work:main", env=given))
    assert server.ref("main") == good


def test_a_store_that_the_pusher_names_vouches_for_nothing(server: Server, tmp_path: Path) -> None:
    server.works(tmp_path)
    mine = World(server.desk, tmp_path / "mine")
    with mine.open() as application:
        initialise(application.ground, "minimal")
    bad = worked(mine, "src/a.py")
    given = {"HANDRAIL_STATE_DIR": str(server.desk.path / ".git" / "handrail")}
    refused(server.push("HEAD:main", env=given), "unseen", bad[:12])


def test_another_namespace_and_push_options_change_nothing(server: Server) -> None:
    server.desk.git("config", "receive.advertisePushOptions", "true", cwd=server.bare)
    base, bad = server.ref("main"), change(server.desk)
    refused(server.push("-o", "skip", "-o", "handrail=off", "HEAD:main"), bad[:12])
    assert server.push("HEAD:refs/heads/main", env={"GIT_NAMESPACE": "evil"}).code != 0
    assert server.ref("main") == base


def test_only_gits_own_word_on_what_waits_is_kept(server: Server, tmp_path: Path) -> None:
    objects = server.bare / "objects"
    waiting = objects / "tmp_objdir-incoming-1"
    waiting.mkdir()
    given = {
        "PATH": "/bin",
        "GIT_DIR": ".",
        "GIT_QUARANTINE_PATH": str(waiting),
        "GIT_OBJECT_DIRECTORY": str(tmp_path),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(tmp_path),
        "HANDRAIL_SESSION": "s",
        "GIT_EXEC_PATH": str(tmp_path),
    }
    plain = {
        "PATH": "/bin",
        "GIT_DIR": str(server.bare),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    assert counting(given, str(server.bare)) == {
        **plain,
        "GIT_QUARANTINE_PATH": str(waiting),
        "GIT_OBJECT_DIRECTORY": str(waiting),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{objects}"',
    }
    for elsewhere in (str(tmp_path), str(objects), f"{objects}-evil", ""):
        told = counting({**given, "GIT_QUARANTINE_PATH": elsewhere}, str(server.bare))
        assert told == plain


# ---------------------------------------------------------------------------------- the hook itself


def by_hand(server: Server, lines: str, shell: str = "sh") -> Result:
    """Run the hook as git would, with any lines."""
    done = subprocess.run(
        (shell, "hooks/pre-receive"),
        cwd=server.bare,
        env={**os.environ, "GIT_DIR": "."},
        input=lines.encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
    )
    return Result((), done.returncode, done.stdout.decode(), done.stderr.decode())


ZERO: Final = "0" * 40


def test_lies_about_what_a_ref_holds_are_found(server: Server) -> None:
    main = server.ref("main")
    bad = change(server.desk)
    taken(server.push("HEAD:topic"))
    for old in (ZERO, bad, "1" * 40):
        done = by_hand(server, f"{old} {bad} refs/heads/main\n")
        assert (done.code, "moved_ref" in done.err) == (1, True), done.err
        done = by_hand(server, f"{old} {ZERO} refs/heads/main\n")
        assert (done.code, "protected_deleted" in done.err) == (1, True), done.err
    done = by_hand(server, f"{main} {main} refs/heads/main\n{main} {bad} refs/heads/main\n")
    assert (done.code, "twice" in done.err) == (1, True), done.err
    done = by_hand(server, f"{main} {bad} refs/heads/new\n")
    assert (done.code, "moved_ref" in done.err) == (1, True), done.err
    assert by_hand(server, f"{main} {main} refs/heads/main\n").code == 0


@pytest.mark.parametrize(
    ("lines", "sign"),
    [
        ("", "does not end"),
        ("nonsense\n", "malformed_range"),
        ("{zero} {main} refs/heads/x", "does not end"),
        ("{main} {main} refs/heads/main {zero}\n", "malformed_range"),
        ("refs/heads/x {main} refs/heads/main {zero}\n", "malformed_range"),
        ("{main} {main}\n", "malformed_range"),
        ("\n", "malformed_range"),
        ("{zero} {main} ../../../x\n", "reserved_ref"),
        ("{zero} {main} refs/heads/../../../x\n", "reserved_ref"),
        ("{zero} {main} refs/heads/\x1b[2J\n", "reserved_ref"),
        ("{zero} {main} refs/heads/a?b\n", "reserved_ref"),
        ("{zero} {main} HEAD\n", "reserved_ref"),
        ("{zero} 1234 refs/heads/x\n", "malformed_range"),
        ("{zero} {missing} refs/heads/x\n", "is missing"),
        ("{zero} {tree} refs/heads/release/2\n", "no commit"),
        ("{many}", "more than 10000 refs"),
    ],
)
def test_lines_that_make_no_sense_are_refused(server: Server, lines: str, sign: str) -> None:
    main = server.ref("main")
    many = (f"{ZERO} {main} refs/tags/t{number}\n" for number in range(10_001))
    text = lines.format(
        zero=ZERO,
        main=main,
        missing="1" * 40,
        tree=server.ref("main^{tree}"),
        many="".join(many) if lines == "{many}" else "",
    )
    done = by_hand(server, text)
    assert done.code == 1, done
    assert done.err.startswith(REFUSED), done.err
    assert sign in " ".join(done.err.split()), done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize(
    "launch",
    [
        None,
        "",
        "true\n",
        "exit 0\n",
        "exit 1\n",
        "[ -x /nowhere/python ] && exec /nowhere/python\n",
        "exec /nowhere/python\n",
        "exec {python} -c 'import nothing_of_that_name'\n",
        "exec {python} -c 'import os; os.kill(os.getpid(), 9)'\n",
        "syntax ( error\n",
    ],
)
def test_whatever_does_not_start_refuses(server: Server, shell: str, launch: str | None) -> None:
    main = server.ref("main")
    path = server.bare / "handrail" / "launch"
    path.unlink()
    if launch is not None:
        path.write_text(launch.replace("{python}", sys.executable))
    done = by_hand(server, f"{main} {main} refs/heads/main\n", shell)
    assert done.code == 1
    assert "handrail: the push was refused: what judges pushes here does not start\n" in done.err
    assert "  next, where the repository is kept: handrail init --bare\n" in done.err
    if launch is None:
        assert Handrail(server.bare)("init", "--bare").code == 0
        assert by_hand(server, f"{main} {main} refs/heads/main\n", shell).code == 0


def test_names_are_read_as_they_are_whatever_the_locale(server: Server) -> None:
    server.configure()
    text = CONFIG.replace('"main"', '"caf\u00e9"')
    server.desk.write("handrail.toml", text)
    held = server.put("refs/heads/caf\u00e9", server.desk.commit("caf\u00e9"))
    refused(server.push("--delete", "caf\u00e9", env={"LC_ALL": "C"}), "protected_deleted")
    assert server.ref("refs/heads/caf\u00e9") == held
    (server.bare / "handrail" / "launch").write_text('echo "locale=$LC_ALL" >&2\n')
    assert "locale=C\n" in by_hand(server, "\n").err


def test_a_failure_of_ours_refuses_and_is_written_down(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*given: object) -> None:
        raise ZeroDivisionError(HOSTILE)

    monkeypatch.setattr("handrail.edge.guard.receiving.Receiving", fail)
    monkeypatch.setattr(os, "environ", {**os.environ, "GIT_DIR": str(server.bare)})
    main = server.ref("main")
    assert receive(f"{main} {main} refs/heads/main\n".encode()) == STAYS_OUT
    told = capfd.readouterr().err
    assert told.startswith(CANNOT_TELL)
    assert "bug: Handrail itself failed: ZeroDivisionError" in told
    assert "\x1b" not in told
    assert "bug" in (server.bare / "handrail" / "hook.log").read_text()


def test_a_hook_that_was_there_runs_first_and_may_refuse(server: Server) -> None:
    assert server.uninstalls().code == 0
    before = server.bare / "hooks" / "pre-receive"
    text = '#!/bin/sh\nread -r old new ref\necho "seen $ref" >&2\n[ ! -f no ] || exit 3\n'
    before.write_text(text)
    before.chmod(0o755)
    told = server.handrail("init", "--bare").out
    assert "chained  hooks/pre-receive: what was there is pre-receive.before-handrail" in told
    bad = change(server.desk)
    done = server.push("HEAD:topic")
    assert "seen refs/heads/topic" in taken(done)
    refused(server.push("HEAD:main"), "seen refs/heads/main", bad[:12])
    (server.bare / "no").touch()
    done = server.push("HEAD:topic2")
    assert (done.code != 0, "seen refs/heads/topic2" in done.err, REFUSED in done.err) == (
        True,
        True,
        False,
    )
    assert server.handrail("init", "--bare").out.startswith("kept")
    assert "restored  hooks/pre-receive" in server.uninstalls().out
    assert before.read_text() == text
    assert not (server.bare / "hooks" / "pre-receive.before-handrail").exists()


def test_what_is_pushed_is_never_executed(server: Server, tmp_path: Path) -> None:
    sign = tmp_path / "ran"
    server.works(tmp_path)
    server.desk.write(".gitattributes", "* diff=evil filter=evil merge=evil\n")
    server.desk.write("hooks/pre-receive", f"#!/bin/sh\ntouch {sign}\n")
    server.desk.write("config", f"[core]\n\tfsmonitor = touch {sign}\n")
    server.desk.write("handrail.py", f"open({str(sign)!r}, 'w')\n")
    server.desk.commit("evil")
    for key in ("diff.evil.textconv", "diff.evil.command", "filter.evil.clean", "diff.external"):
        server.desk.git("config", key, f"touch {sign}", cwd=server.bare)
    server.desk.git("config", "core.fsmonitor", f"touch {sign}", cwd=server.bare)
    refused(server.push("HEAD:main"), "unseen")
    assert not sign.exists()


def test_a_repository_of_the_other_kind_of_ids_is_judged_too(
    server: Server, tmp_path: Path
) -> None:
    bare, desk = tmp_path / "long.git", Repo(tmp_path / "long")
    new = ("init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    server.desk.git(*new, "--bare", str(bare))
    server.desk.git(*new, str(desk.path))
    assert Handrail(bare)("init", "--bare").code == 0
    desk.write("handrail.toml", CONFIG)
    first = desk.commit("adopt")
    desk.git("remote", "add", "origin", str(bare))
    assert "brings the first" in taken(server.push("HEAD:refs/heads/main", cwd=desk.path))
    bad = change(desk)
    refused(server.push("HEAD:main", cwd=desk.path), bad[:12])
    desk.git("commit", "--quiet", "--amend", "--message=empty", "--allow-empty")
    refused(server.push("--delete", "main", cwd=desk.path), "protected_deleted")
    assert desk.git("rev-parse", "main", cwd=bare) == first


# ------------------------------------------------------------------------------------- init --bare


def test_setting_up_makes_a_hook_and_a_launch_line_and_nothing_else(
    server: Server, tmp_path: Path
) -> None:
    bare = tmp_path / "fresh.git"
    server.desk.git("init", "--quiet", "--bare", str(bare))
    before = {path: path.read_bytes() for path in bare.rglob("*") if path.is_file()}
    handrail = Handrail(bare)
    assert "would be created  hooks/pre-receive" in handrail("init", "--bare", "--dry-run").out
    assert {path for path in bare.rglob("*") if path.is_file()} == set(before)
    told = handrail("init", "--bare", "--json").json()
    assert [row["outcome"] for row in told["files"]] == ["created", "created"]
    again = handrail("init", "--bare", "--json", cwd=bare / "refs").json()
    assert [row["outcome"] for row in again["files"]] == ["kept", "kept"]
    made = {path for path in bare.rglob("*") if path.is_file()} - set(before)
    assert {str(path.relative_to(bare)) for path in made} == {
        "handrail/launch",
        "hooks/pre-receive",
    }
    assert refusal(handrail("uninstall")).code == "needs_person"
    assert "would be removed" in server.uninstalls("--dry-run", cwd=bare).out
    assert server.uninstalls(cwd=bare).code == 0
    assert {path: path.read_bytes() for path in bare.rglob("*") if path.is_file()} == before
    assert server.uninstalls(cwd=bare).out == "nothing is set up here\n"


def test_each_kind_of_repository_says_how_it_is_set_up(server: Server, tmp_path: Path) -> None:
    said_no = refusal(server.handrail("init"))
    assert (said_no.code, said_no.next) == ("bare_repository", "handrail init --bare")
    desk = Handrail(server.desk.path)
    said_no = refusal(desk("init", "--bare"))
    assert (said_no.code, said_no.next, said_no.status) == ("not_bare", "handrail init", 2)
    inside = refusal(desk("init", "--bare", cwd=server.desk.path / ".git"))
    assert (inside.code, inside.next) == ("not_bare", f"cd {server.desk.path} && handrail init")
    for words in (("init",), ("doctor",), ("uninstall",)):
        assert refusal(desk(*words, cwd=server.desk.path / ".git")).code == "bare_repository"
    assert refusal(desk("init", "--bare", cwd=tmp_path / "..")).code == "no_repository"
    assert refusal(server.handrail("init", "--bare", "--preset", "minimal")).code == "usage"


def test_doctor_says_whether_pushes_are_judged(server: Server) -> None:
    done = server.handrail("doctor", env={"HANDRAIL_STATE_DIR": "relative"})
    assert done.code == 0
    assert "ok    pre-receive: what is pushed here is judged" in done.out
    assert "ok    protected: refs/heads/main, by its own handrail.toml" in done.out
    refused(server.push("HEAD~1:refs/replace/x"))
    assert "hook.log: newest line" in server.handrail("doctor").out
    (server.bare / "hooks" / "pre-receive").unlink()
    done = server.handrail("doctor")
    assert (done.code, "hooks/pre-receive: it is gone" in done.out) == (1, True)
    assert server.handrail("doctor", "--repair").code == 0
    server.desk.write("handrail.toml", "[")
    server.put("refs/heads/main", server.desk.commit("broken"))
    done = server.handrail("doctor")
    assert (done.code, "BAD   protected: refs/heads/main: handrail.toml" in done.out) == (1, True)
    server.desk.git("rm", "--quiet", "handrail.toml")
    server.put("refs/heads/main", server.desk.commit("none"))
    done = server.handrail("doctor")
    step = f"next: git clone {server.bare} ../work && handrail -C ../work init"
    assert (done.code, step in done.out) == (0, True), done.out


def test_a_folder_of_hooks_that_others_use_judges_only_where_it_was_set_up(
    server: Server, tmp_path: Path
) -> None:
    hooks = tmp_path / "hooks for all"
    for bare in (server.bare, other := tmp_path / "other.git"):
        server.desk.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
        server.desk.git("config", "core.hooksPath", str(hooks), cwd=bare)
    done = server.handrail("init", "--bare")
    assert "other repositories may use it" in done.out
    bad = change(server.desk)
    refused(server.push("HEAD:main"), bad[:12])
    assert run(("git", "push", str(other), "HEAD:main"), server.desk.path, os.environ).code == 0
    (server.bare / "handrail" / "launch").unlink()
    refused(server.push("HEAD:main"), "does not start")
    assert server.handrail("doctor").code == 1
    assert server.desk.git("config", "core.hooksPath", cwd=server.bare) == str(hooks)


def test_the_hooks_of_working_trees_outlive_that_of_pushes(server: Server, tmp_path: Path) -> None:
    work = tmp_path / "work"
    server.desk.git("worktree", "add", "--quiet", "-b", "work", str(work), "main", cwd=server.bare)
    assert Handrail(work)("init").code == 0
    done = server.uninstalls()
    assert "kept  handrail/launch: working trees here use it" in done.out
    assert (server.bare / "handrail" / "state.db").exists()
    assert server.handrail("init", "--bare").code == 0
    assert "of working trees here" in server.handrail("doctor").out
    assert server.uninstalls(cwd=work).code == 0
    assert not (server.bare / "hooks" / "pre-receive").exists()
    taken(server.push("HEAD:main"))


def test_the_hook_can_be_tried_by_hand(server: Server) -> None:
    main, bad = server.ref("main"), change(server.desk)
    taken(server.push("HEAD:topic"))
    good = server.handrail("hook", "git", "pre-receive", input=f"{main} {main} refs/heads/main\n")
    assert (good.code, good.err) == (0, "")
    done = server.handrail("hook", "git", "pre-receive", input=f"{main} {bad} refs/heads/main\n")
    assert (done.code, done.err.startswith(REFUSED)) == (1, True)


def test_the_hook_is_plain_sh() -> None:
    for text in (git_hook("pre-receive"), git_hook("pre-receive", shared=True)):
        assert b"@" not in text.replace(b'"$@"', b"")
        assert text.isascii()


def test_every_objection_is_on_its_page_and_leads_on() -> None:
    page = (ROOT / "docs" / "receiving.md").read_text(encoding="utf-8")
    assert [code for code in OBJECTIONS if f"| `{code}` |" not in page] == []
    assert [code for code, (_, step) in OBJECTIONS.items() if not step] == []
