"""Ways to land what may not land, one entry each: what is done, and what stops it.

An attack prepares and pushes; the push must fail, say the code that stops it, and leave the remote
as it was. ``OUTSIDE`` lists what is not stopped, and why; nobody counts it as stopped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handrail.core.events import CommitAttested, LeaseGranted
from handrail.core.handed import PhaseEntered
from handrail.core.lease import EXCLUSIVE, Actor
from handrail.service.attestation import facts_of
from handrail.service.handoffs import Handoffs, Offering
from handrail.service.policy import rules_in_force
from handrail.service.tasks import Tasks
from tests.landing.ground import Ground
from tests.support import Handrail, Result

EVIL: Final = "evil = True\n"
HOUR_MS: Final = 3_600_000
PLAN: Final = """
[[phase]]
name = "plan"
role = "dev"
sandbox = "read-only"
[[phase]]
name = "build"
role = "dev"
"""
REQUIRED: Final = "[handoff]\nrequired = true\n"


@dataclass(frozen=True)
class Attack:
    """One way: what it is called, who does it, the code in the remote's answer."""

    name: str
    run: Callable[[Ground], Result]
    stopped_by: str


ATTACKS: list[Attack] = []


def attack(name: str, stopped_by: str) -> Callable[[Callable[[Ground], Result]], None]:
    """Enter an attack into the table."""

    def enter(run: Callable[[Ground], Result]) -> None:
        ATTACKS.append(Attack(name, run, stopped_by))

    return enter


def _work(ground: Ground, path: str = "src/a.py", text: str = "fine = True\n") -> str:
    """Make a commit that may land; returns it."""
    ground.session("good")
    ground.claim("good", path)
    done = ground.commit("good", {path: text})
    assert done.code == 0, done
    ground.release("good")
    return ground.head


# --- commits that no ledger vouches for ----------------------------------------------------------


@attack("a commit with --no-verify and every hook switched off", "unseen")
def _(ground: Ground) -> Result:
    ground.sneak({"src/a.py": EVIL})
    return ground.force()


@attack(
    "an agent's commit over a path that another session holds, let through as a rebase",
    "unattested",
)
def _(ground: Ground) -> Result:
    ground.session("holder")
    ground.claim("holder", "src/a.py")
    ground.session("thief")
    ground.sneak({"src/a.py": EVIL})
    evil = ground.head
    ground.repo.git("update-ref", "refs/heads/side", evil)
    ground.repo.git("reset", "--quiet", "--hard", "HEAD~1")
    ground.commit("good-for-nothing", {"docs/x.md": "x\n"})
    ground.git("cherry-pick", evil, HANDRAIL_SESSION="thief")
    return ground.force()


@attack("a commit by nobody known, where the base refuses these", "unattributed_refused")
def _(ground: Ground) -> Result:
    done = ground.commit(None, {"src/a.py": EVIL})
    assert done.code == 0, done
    return ground.force()


@attack("a commit from a clone that has no Handrail", "unseen")
def _(ground: Ground) -> Result:
    other = ground.folder / "other"
    ground.git("clone", "--quiet", str(ground.bare), str(other), cwd=ground.folder)
    (other / "src/a.py").write_text(EVIL)
    ground.git("commit", "--quiet", "--all", "-m", "evil", cwd=other)
    return ground.git("push", "--quiet", "origin", "main", cwd=other)


@attack("a stale token: the lease went to somebody else before the commit", "unattested")
def _(ground: Ground) -> Result:
    ground.session("slow")
    ground.claim("slow", "src/a.py")
    ground.release("slow")
    ground.session("next")
    ground.claim("next", "src/a.py")
    ground.write({"src/a.py": EVIL})
    tree = ground.repo.git("write-tree")
    evil = ground.repo.git("commit-tree", tree, "-p", "HEAD", "-m", "late")
    ground.git("merge", "--quiet", "--ff-only", evil, HANDRAIL_SESSION="slow")
    ground.repo.git("reset", "--quiet", "--hard", evil)
    return ground.force()


@attack("attest by a session that holds nothing", "unseen")
def _(ground: Ground) -> Result:
    ground.session("thief")
    ground.sneak({"src/a.py": EVIL})
    said = Handrail(ground.path)("attest", "HEAD", env={"HANDRAIL_SESSION": "thief"})
    assert said.code == 1, said
    return ground.force()


@attack("a borrowed session id, from another working tree", "unattested")
def _(ground: Ground) -> Result:
    ground.session("holder")
    ground.claim("holder", "src/a.py")
    tree = ground.repo.worktree("elsewhere")
    (tree / "src/a.py").write_text(EVIL)
    env = {"HANDRAIL_SESSION": "holder"}
    ground.git("commit", "--quiet", "--all", "--no-verify", "-m", "evil", cwd=tree, **env)
    return ground.force("elsewhere:main")


@attack("trailers that name a session and a head of the ledger", "unseen")
def _(ground: Ground) -> Result:
    _work(ground)
    message = ground.repo.git("log", "-1", "--format=%(trailers)")
    assert "Handrail-Ledger" in message
    ground.sneak({"src/b.py": EVIL}, "-m", message)
    return ground.force()


@attack("a commit that was amended after it was attested", "unseen")
def _(ground: Ground) -> Result:
    _work(ground)
    ground.sneak({"src/a.py": EVIL}, "--amend")
    return ground.force()


@attack("a cherry-pick of attested work with one blank more", "unseen")
def _(ground: Ground) -> Result:
    _work(ground, text="if True:\n    fine = True\n")
    ground.repo.git("reset", "--quiet", "--hard", "origin/main")
    ground.sneak({"src/a.py": "if True:\n     fine = True\n"})
    return ground.force()


@attack("attested work replayed under another path", "unseen")
def _(ground: Ground) -> Result:
    _work(ground, "src/new.py")
    ground.repo.git("reset", "--quiet", "--hard", "origin/main")
    ground.sneak({"src/newer.py": "fine = True\n"})
    return ground.force()


@attack("a commit signed with a key of one's own in a person's name", "unseen")
def _(ground: Ground) -> Result:
    key = ground.folder / "mine"
    _keygen(key, "Ada")
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}")
    ground.write({"src/a.py": EVIL})
    quiet = ("-c", f"core.hooksPath={os.devnull}")
    done = ground.git(*signing, *quiet, "commit", "--quiet", "-S", "-m", "by Ada, says Ada")
    assert done.code == 0, done
    return ground.force()


@attack("a person's signature, taken from another commit of theirs", "unseen")
def _(ground: Ground) -> Result:
    signed = _signed_by_ada(ground, "docs/x.md", "fine\n")
    ground.repo.git("reset", "--quiet", "--hard", "origin/main")
    ground.sneak({"src/a.py": EVIL})
    return _with_signature(ground, _signature(ground, signed))


@attack("a person's signature over the right bytes, made for another purpose", "unseen")
def _(ground: Ground) -> Result:
    ground.sneak({"src/a.py": EVIL})
    text = ground.folder / "payload"
    text.write_text(ground.git("cat-file", "commit", "HEAD").out)
    words = ("ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", str(ground.key), str(text))
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return _with_signature(ground, text.with_name("payload.sig").read_text())


def _signed_by_ada(ground: Ground, path: str, text: str) -> str:
    """Make a commit that a person signs; returns it."""
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={ground.key}")
    ground.write({path: text})
    quiet = ("-c", f"core.hooksPath={os.devnull}")
    done = ground.git(*signing, *quiet, "commit", "--quiet", "-S", "-m", "by Ada")
    assert done.code == 0, done
    return ground.head


def _signature(ground: Ground, commit: str) -> str:
    """Return the signature of a commit."""
    top = ground.git("cat-file", "commit", commit).out.partition("\n\n")[0]
    lines = top.partition("\ngpgsig ")[2].split("\n")
    return "\n".join(line.removeprefix(" ") for line in lines)


def _with_signature(ground: Ground, signature: str) -> Result:
    """Put a signature into the newest commit, and push that."""
    top, _, message = ground.git("cat-file", "commit", "HEAD").out.partition("\n\n")
    folded = signature.strip().replace("\n", "\n ")
    text = ground.folder / "forged"
    text.write_text(f"{top}\ngpgsig {folded}\n\n{message}")
    forged = ground.repo.git("hash-object", "-t", "commit", "-w", str(text))
    return ground.force(f"{forged}:main")


# --- ways around the hooks -----------------------------------------------------------------------


@attack("update-ref instead of commit, hooks off", "unseen")
def _(ground: Ground) -> Result:
    ground.write({"src/a.py": EVIL})
    tree = ground.repo.git("write-tree")
    evil = ground.repo.git("commit-tree", tree, "-p", "HEAD", "-m", "evil")
    ground.git("-c", f"core.hooksPath={os.devnull}", "update-ref", "refs/heads/main", evil)
    return ground.force()


@attack("a ref that was written by hand", "unseen")
def _(ground: Ground) -> Result:
    ground.write({"src/a.py": EVIL})
    tree = ground.repo.git("write-tree")
    evil = ground.repo.git("commit-tree", tree, "-p", "HEAD", "-m", "evil")
    (ground.path / ".git/refs/heads/main").write_text(f"{evil}\n")
    return ground.force()


@attack("configuration by GIT_CONFIG_COUNT", "unseen")
def _(ground: Ground) -> Result:
    env = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": os.devnull,
    }
    done = ground.commit("ghost", {"src/a.py": EVIL}, **env)
    assert done.code == 0, done
    return ground.git("push", "--quiet", "origin", "main", **env)


@attack("core.hooksPath set in the clone", "unseen")
def _(ground: Ground) -> Result:
    ground.repo.git("config", "core.hooksPath", os.devnull)
    ground.commit("ghost", {"src/a.py": EVIL})
    return ground.force()


@attack("deleted hooks", "unseen")
def _(ground: Ground) -> Result:
    for hook in (ground.path / ".git/hooks").iterdir():
        hook.unlink()
    ground.commit("ghost", {"src/a.py": EVIL})
    return ground.force()


@attack("a clock wound back: commit dates from when the lease was held", "unseen")
def _(ground: Ground) -> Result:
    ground.session("slow")
    ground.claim("slow", "src/a.py")
    ground.release("slow")
    past = {"GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"}
    ground.sneak({"src/a.py": EVIL}, **past)
    return ground.force()


@attack("another store by HANDRAIL_STATE_DIR", "unseen")
def _(ground: Ground) -> Result:
    env = {"HANDRAIL_STATE_DIR": str(ground.folder / "mine")}
    assert Handrail(ground.path)("init", env=env).code == 0
    run = Handrail(ground.path)
    assert run("session", "start", "--id", "king", env=env).code == 0
    env["HANDRAIL_SESSION"] = "king"
    assert run("claim", "src/a.py", env=env).code == 0
    done = ground.commit(None, {"src/a.py": EVIL}, **env)
    assert done.code == 0, done
    run("ledger", "sync", "origin", env=env)
    return ground.force()


@attack("another store by HANDRAIL_STORE_URL", "unseen")
def _(ground: Ground) -> Result:
    env = {"HANDRAIL_STORE_URL": "postgresql://evil.example/store"}
    ground.commit("ghost", {"src/a.py": EVIL}, "--no-verify", **env)
    if ground.head == ground.landed():
        ground.sneak({"src/a.py": EVIL})
    return ground.push("--no-verify", "main", **env)


# --- merges and squashes -------------------------------------------------------------------------


def _side(ground: Ground, path: str, text: str) -> str:
    """Make attested work on a branch, and go back to main."""
    ground.repo.git("checkout", "--quiet", "-b", "side")
    made = _work(ground, path, text)
    ground.repo.git("checkout", "--quiet", "main")
    return made


@attack("a merge that adds what neither side has", "unseen")
def _(ground: Ground) -> Result:
    _side(ground, "src/new.py", "fine = True\n")
    quiet = ("-c", f"core.hooksPath={os.devnull}")
    ground.git(*quiet, "merge", "--quiet", "--no-ff", "--no-commit", "side")
    ground.write({"src/a.py": EVIL})
    ground.git(*quiet, "commit", "--quiet", "--no-verify", "-m", "merge")
    return ground.force()


@attack("-s ours, which drops what the other side landed", "unseen")
def _(ground: Ground) -> Result:
    _work(ground, "src/b.py", "landed = True\n")
    assert ground.push().code == 0
    old = ground.repo.git("rev-parse", "HEAD~1")
    ground.repo.git("checkout", "--quiet", "-b", "mine", old)
    quiet = ("-c", f"core.hooksPath={os.devnull}")
    ground.git(*quiet, "merge", "--quiet", "-s", "ours", "-m", "merge", "main")
    return ground.force("mine:main")


@attack("a squash with something more in it", "unseen")
def _(ground: Ground) -> Result:
    _side(ground, "src/new.py", "fine = True\n")
    ground.repo.git("push", "--quiet", "--no-verify", "origin", "side")
    quiet = ("-c", f"core.hooksPath={os.devnull}")
    ground.git(*quiet, "merge", "--quiet", "--squash", "side")
    ground.write({"src/a.py": EVIL})
    ground.git(*quiet, "commit", "--quiet", "--no-verify", "-m", "squash")
    return ground.force()


@attack("an octopus", "octopus")
def _(ground: Ground) -> Result:
    quiet = ("-c", f"core.hooksPath={os.devnull}")
    main = ground.head
    for name in ("one", "two", "three"):
        ground.repo.git("checkout", "--quiet", "-b", name, main)
        ground.sneak({f"src/{name}.py": EVIL})
    done = ground.git(*quiet, "merge", "--quiet", "-m", "octopus", "one", "two")
    assert done.code == 0, done
    return ground.force("three:main")


@attack("a history from elsewhere, merged in without a conflict", "unseen")
def _(ground: Ground) -> Result:
    quiet = ("-c", f"core.hooksPath={os.devnull}")
    ground.repo.git("checkout", "--quiet", "--orphan", "elsewhere")
    ground.repo.git("rm", "--quiet", "-r", "--cached", ".")
    ground.sneak({"src/new.py": EVIL})
    ground.repo.git("checkout", "--quiet", "--force", "main")
    words = ("merge", "--quiet", "--allow-unrelated-histories", "-m", "merge", "elsewhere")
    done = ground.git(*quiet, *words)
    assert done.code == 0, done
    return ground.force()


@attack("a clean merge with a parent more, which git does not read", "unseen")
def _(ground: Ground) -> Result:
    ground.sneak({"src/a.py": EVIL})
    text = ground.folder / "forged"
    told = ground.git("cat-file", "commit", "HEAD").out
    author = told.index("\ncommitter ")
    text.write_text(f"{told[:author]}\nparent {ground.landed()}{told[author:]}")
    forged = ground.repo.git("hash-object", "--literally", "-t", "commit", "-w", str(text))
    return ground.force(f"{forged}:main")


# --- what changes without a line of code ---------------------------------------------------------


@attack("only a mode is changed", "unseen")
def _(ground: Ground) -> Result:
    (ground.path / "src/a.py").chmod(0o755)
    ground.sneak({}, "--all")
    return ground.force()


@attack("a symbolic link in the place of an exempt file", "not_covered")
def _(ground: Ground) -> Result:
    target = ground.path / "docs/generated/api.md"
    target.unlink()
    target.symlink_to("../../ops/deploy.sh")
    return _attested_without_lease(ground, "docs/generated/api.md")


@attack("a submodule's pointer in the place of an exempt file", "not_covered")
def _(ground: Ground) -> Result:
    ground.repo.git("rm", "--quiet", "--cached", "docs/generated/api.md")
    pointer = f"160000,{ground.head},docs/generated/api.md"
    ground.repo.git("update-index", "--add", "--cacheinfo", pointer)
    return _attested_without_lease(ground)


def _attested_without_lease(ground: Ground, *paths: str) -> Result:
    """Commit something exempt as a session, which holds nothing."""
    ground.session("tool")
    ground.repo.git("add", "--all", *paths) if paths else None
    ground.git("commit", "--quiet", "--no-verify", "-m", "made", HANDRAIL_SESSION="tool")
    if ground.head == ground.landed():
        quiet = ("-c", f"core.hooksPath={os.devnull}")
        ground.git(*quiet, "commit", "--quiet", "-m", "made")
    return ground.force()


@attack("a rename that differs in case alone", "unseen")
def _(ground: Ground) -> Result:
    ground.repo.git("mv", "src/a.py", "src/A.py")
    ground.sneak({}, "--all")
    return ground.force()


@attack("a path outside the lane, by a session that wants it", "unattested")
def _(ground: Ground) -> Result:
    ground.session("dev")
    ground.write({"ops/deploy.sh": EVIL})
    tree = ground.repo.git("write-tree")
    evil = ground.repo.git("commit-tree", tree, "-p", "HEAD", "-m", "evil")
    ground.git("merge", "--quiet", "--ff-only", evil, HANDRAIL_SESSION="dev")
    return ground.force()


# --- tasks: by a tampered client, so that only the remote judges ----------------------------------


def _put_into_force(ground: Ground, more: str) -> None:
    """Put phases or requirements into force in the clone's store, as a person."""
    config = ground.path / "handrail.toml"
    before = config.read_text()
    config.write_text(before + more)
    ground.configure()
    config.write_text(before)


def _takes_task(ground: Ground, session: str) -> None:
    """Let a session accept the first packet of a task."""
    ground.session(session)
    with ground.open() as application:
        Tasks(application.context).open("fix", "Fix it", "dev")
    with ground.open(session) as application:
        Handoffs(application.context, application.packet_files).accept("fix")


def _enters(ground: Ground, phase: str) -> None:
    with ground.open() as application, application.store.transaction() as tx:
        tx.commit([PhaseEntered("fix", phase, 0)], Actor())


def _attests_itself(ground: Ground, session: str, path: str = "src/a.py") -> None:
    """Commit without hooks, and write grant and attestation straight into the ledger."""
    ground.sneak({path: EVIL})
    with ground.open(session) as application:
        (row,) = application.context.outside.commits(ground.head)
        with application.store.transaction() as tx:
            facts = facts_of(row, rules_in_force(tx))
            until, token = tx.now + HOUR_MS, tx.head.seq + 1
            grant = LeaseGranted(
                *(session, "dev", EXCLUSIVE, ".", (path,), HOUR_MS, until, True, ())
            )
            named = (facts.commit, facts.tree, facts.parents, len(facts.paths), facts.paths_hash)
            attested = CommitAttested(*named, ((token, until),), facts.change)
            tx.commit([grant, attested], Actor(session, session, "dev"))


def _plans_and_writes(ground: Ground) -> None:
    """Let a session in a read-only phase attest a commit by itself."""
    _put_into_force(ground, PLAN)
    _takes_task(ground, "planner")
    _enters(ground, "plan")
    _attests_itself(ground, "planner")


@attack("a commit in a read-only phase, attested by a tampered client", "sandbox_read_only")
def _(ground: Ground) -> Result:
    _plans_and_writes(ground)
    return ground.force()


@attack("a read-only phase that is left once the commit is attested", "sandbox_read_only")
def _(ground: Ground) -> Result:
    _plans_and_writes(ground)
    _enters(ground, "build")
    return ground.force()


@attack("a commit without the packet that it takes, attested by a tampered client", "no_packet")
def _(ground: Ground) -> Result:
    _put_into_force(ground, REQUIRED)
    ground.session("loner")
    _attests_itself(ground, "loner")
    _takes_task(ground, "late")
    return ground.force()


@attack("a commit after the work was handed on, attested by a tampered client", "no_packet")
def _(ground: Ground) -> Result:
    _put_into_force(ground, REQUIRED)
    _takes_task(ground, "giver")
    with ground.open("giver") as application:
        asked = Offering(message="It is all done now; go on.", task="fix", to_role="lead")
        Handoffs(application.context, application.packet_files).offer(asked)
    _attests_itself(ground, "giver")
    return ground.force()


# --- the law itself ------------------------------------------------------------------------------


@attack("what a gate protects, in the lane of an agent that does not coordinate", "policy_change")
def _(ground: Ground) -> Result:
    ground.session("stylist")
    _attests_itself(ground, "stylist", "docs/style/rules.md")
    return ground.force()


def _policy(ground: Ground, old: str, new: str) -> Result:
    """Change the configuration and use what it gives, in one push."""
    text = (ground.path / "handrail.toml").read_text()
    assert old in text
    ground.sneak({"handrail.toml": text.replace(old, new)})
    ground.sneak({"src/a.py": EVIL})
    return ground.force()


@attack("everything exempt, in the same push", "unseen")
def _(ground: Ground) -> Result:
    return _policy(ground, '"docs/generated/**"', '"**"')


@attack("unattributed commits reported only, in the same push", "unseen")
def _(ground: Ground) -> Result:
    return _policy(ground, 'unattributed = "refuse"', 'unattributed = "report"')


@attack("landing in shadow mode, in the same push", "unseen")
def _(ground: Ground) -> Result:
    return _policy(ground, 'mode = "enforce"', 'mode = "shadow"')


@attack("another branch protected instead, in the same push", "unseen")
def _(ground: Ground) -> Result:
    return _policy(ground, 'protected_refs = ["main"]', 'protected_refs = ["other"]')


@attack("a key of one's own under a person's name, in the same push", "unseen")
def _(ground: Ground) -> Result:
    key = ground.folder / "mine"
    _keygen(key, "me")
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    person = f'[[person]]\nname = "Me"\nsigning_keys = ["{public}"]\n\n[[person]]\nname = "Ada"'
    text = (ground.path / "handrail.toml").read_text()
    ground.write({"handrail.toml": text.replace('[[person]]\nname = "Ada"', person)})
    quiet = ("-c", f"core.hooksPath={os.devnull}", "-c", "gpg.format=ssh")
    done = ground.git(
        *quiet, "-c", f"user.signingKey={key}", "commit", "--quiet", "-S", "-m", "a person"
    )
    assert done.code == 0, done
    return ground.force()


@attack("a deleted handrail.toml", "unseen")
def _(ground: Ground) -> Result:
    ground.repo.git("rm", "--quiet", "handrail.toml")
    ground.sneak({}, "--all")
    return ground.force()


@attack("a broken handrail.toml", "config_broken")
def _(ground: Ground) -> Result:
    ground.sneak({"handrail.toml": "[[[\n"})
    return ground.force()


# --- refs ----------------------------------------------------------------------------------------


@attack("a replace ref that shows something innocent", "replace_ref")
def _(ground: Ground) -> Result:
    ground.sneak({"src/a.py": EVIL})
    ground.repo.git("replace", "HEAD", "HEAD~1")
    return ground.force("main", "refs/replace/*:refs/replace/*")


@attack("a replace ref that is kept at home", "unseen")
def _(ground: Ground) -> Result:
    good = _work(ground)
    ground.repo.git("reset", "--quiet", "--hard", "origin/main")
    ground.sneak({"src/a.py": EVIL})
    ground.repo.git("replace", ground.head, good)
    return ground.force()


@attack("a graft that hides the bad commit", "facts_unavailable")
def _(ground: Ground) -> Result:
    ground.sneak({"src/a.py": EVIL})
    evil, before = ground.head, ground.repo.git("rev-parse", "HEAD~1")
    _work(ground, "src/b.py")
    ground.repo.write(".git/info/grafts", f"{ground.head} {before}\n")
    ground.repo.git("cat-file", "-e", evil)
    return ground.force()


@attack("a forced push that rewinds the protected branch", "protected_forced")
def _(ground: Ground) -> Result:
    _work(ground)
    assert ground.push().code == 0
    return ground.force("+main~1:main")


@attack("the protected branch deleted", "protected_deleted")
def _(ground: Ground) -> Result:
    return ground.force(":main")


@attack("a branch that is the protected one where upper case is lower case", "reserved_ref")
def _(ground: Ground) -> Result:
    ground.sneak({"src/a.py": EVIL})
    return ground.force("main:refs/heads/MAIN")


# --- ledgers -------------------------------------------------------------------------------------


def _ledger(ground: Ground) -> str:
    """Return the name of the enrolled ledger's ref on the remote."""
    done = ground.git("for-each-ref", "--format=%(refname)", "refs/handrail", cwd=ground.bare)
    (name,) = done.out.split()
    return name


@attack("the ledger's ref deleted", "ledger_deleted")
def _(ground: Ground) -> Result:
    _work(ground)
    assert ground.push().code == 0
    return ground.force(f":{_ledger(ground)}")


@attack("the ledger's ref wound back", "ledger_moved_back")
def _(ground: Ground) -> Result:
    _work(ground)
    assert ground.push().code == 0
    name = _ledger(ground)
    return ground.force(f"+{ground.landed(name)}~1:{name}")


@attack("a ledger of one's own under the enrolled epoch", "ledger_unsound")
def _(ground: Ground) -> Result:
    _work(ground)
    assert ground.push().code == 0
    name = _ledger(ground)
    empty = ground.repo.git("hash-object", "-t", "tree", "-w", os.devnull)
    evil = ground.repo.git("commit-tree", empty, "-p", ground.landed(name), "-m", "mine")
    return ground.force(f"{evil}:{name}")


@attack("garbage under the other name that a ledger may have", "ledger_unsound")
def _(ground: Ground) -> Result:
    _work(ground)
    assert ground.push().code == 0
    empty = ground.repo.git("hash-object", "-t", "tree", "-w", os.devnull)
    evil = ground.repo.git("commit-tree", empty, "-m", "mine")
    return ground.force(f"{evil}:{_ledger(ground).replace('refs/', 'refs/heads/')}")


@attack("a foreign ledger that nobody enrolled", "unseen")
def _(ground: Ground) -> Result:
    other = _second_clone(ground)
    (other / "src/a.py").write_text(EVIL)
    ground.git("commit", "--quiet", "--all", "-m", "evil", cwd=other, HANDRAIL_SESSION="king")
    Handrail(other)("ledger", "sync", "origin")
    return ground.git("push", "--quiet", "--no-verify", "origin", "main", cwd=other)


@attack("a ledger that enrols itself in the same push", "unseen")
def _(ground: Ground) -> Result:
    other = _second_clone(ground)
    ground.enrol(other)
    (other / "src/a.py").write_text(EVIL)
    ground.git("commit", "--quiet", "--all", "-m", "evil", cwd=other, HANDRAIL_SESSION="king")
    Handrail(other)("ledger", "sync", "origin")
    return ground.git("push", "--quiet", "--no-verify", "origin", "main", cwd=other)


# --- gates of what lands -------------------------------------------------------------------------


GATE: Final = """
[[gate]]
id = "tests"
stages = ["land"]
run = ["sh", "-c", "! grep -rq evil src"]
"""


def gated(ground: Ground) -> None:
    """Let the base ask for a gate, as whoever coordinates lands it; done once, then copied."""
    kept = ground.folder.parent.parent / "gated-ground"
    if not kept.exists():
        _configured(ground, GATE)
        done = ground.push()
        assert done.code == 0, done
        shutil.copytree(ground.folder, kept, symlinks=True)
    else:
        shutil.rmtree(ground.folder)
        Ground.copied(kept, ground.folder)


def _configured(ground: Ground, text: str, old: str = "") -> None:
    ground.session("boss", "lead")
    ground.claim("boss", "handrail.toml")
    config = ground.path / "handrail.toml"
    before = config.read_text()
    config.write_text(before.replace(old, text) if old else before + text)
    ground.configure()
    done = ground.commit("boss", {"handrail.toml": config.read_text()})
    assert done.code == 0, done
    ground.release("boss")


def _evil_work(ground: Ground) -> None:
    """Commit what may land as far as lanes go, and what the gate would not let pass."""
    _work(ground, text=EVIL)


@attack("a gate weakened in the same push", "no_receipt")
def _(ground: Ground) -> Result:
    gated(ground)
    _evil_work(ground)
    _configured(ground, '["true"]', '["sh", "-c", "! grep -rq evil src"]')
    ran = Handrail(ground.path)("evidence", "run", "--gate", "tests")
    assert ran.code == 0, ran
    return ground.force()


@attack("a receipt of the tree before", "no_receipt")
def _(ground: Ground) -> Result:
    gated(ground)
    ran = Handrail(ground.path)("evidence", "run", "--gate", "tests")
    assert ran.code == 0, ran
    _evil_work(ground)
    return ground.force()


@attack("a receipt that was made while the working tree held something better", "no_receipt")
def _(ground: Ground) -> Result:
    gated(ground)
    _evil_work(ground)
    (ground.path / "src/a.py").write_text("fine = True\n")
    ran = Handrail(ground.path)("evidence", "run", "--gate", "tests")
    assert ran.code == 0, ran
    ground.repo.git("checkout", "--quiet", "--", "src/a.py")
    return ground.force()


@attack("a receipt that a store forged which nobody enrolled", "no_receipt")
def _(ground: Ground) -> Result:
    gated(ground)
    _evil_work(ground)
    other = ground.folder / "other"
    ground.git("clone", "--quiet", str(ground.path), str(other), cwd=ground.folder)
    assert Handrail(other)("init").code == 0
    ground.git("checkout", "--quiet", "--force", "main", cwd=other)
    ground.git("clean", "--quiet", "--force", "-d", cwd=other)
    liar = ground.folder / "bin" / "grep"
    liar.parent.mkdir()
    liar.write_text("#!/bin/sh\nexit 1\n")
    liar.chmod(0o755)
    path = f"{liar.parent}{os.pathsep}{os.environ['PATH']}"
    ran = Handrail(other)("evidence", "run", "--gate", "tests", env={"PATH": path})
    assert ran.code == 0, ran
    ground.git("remote", "set-url", "origin", str(ground.bare), cwd=other)
    Handrail(other)("ledger", "sync", "origin")
    return ground.force()


def _second_clone(ground: Ground) -> Path:
    """Make a clone with a store of its own, and a session that holds everything there."""
    other = ground.folder / "other"
    ground.git("clone", "--quiet", str(ground.bare), str(other), cwd=ground.folder)
    assert Handrail(other)("init").code == 0
    ground.session("king", "lead", cwd=other)
    ground.claim("king", "**", cwd=other)
    return other


def _keygen(path: Path, comment: str) -> None:
    Ground.keygen(path, comment)


OUTSIDE: Final[Sequence[tuple[str, str]]] = (
    (
        "a process with the user id of the store's holder, which writes into state.db and syncs",
        "the key lies beside the store: whoever can write the one can use the other",
    ),
    (
        "the key of an enrolled epoch or of a person, stolen",
        "a signature says which key signed, not whose hand; take the key out of handrail.toml",
    ),
    (
        "an agent that opens a terminal of its own and decides as a person",
        "a terminal without session and harness is the proof; keys of persons are the stronger one",
    ),
    (
        "a claim and an honest attestation of harmful code",
        "Handrail says who was allowed to write where, not whether it is good; gates and review do",
    ),
    (
        "whoever administers the remote: hooks removed, refs written in place",
        "the fence stands where the agent has no say, and an administrator has",
    ),
    (
        "a change that landed before and was taken back, made again to the letter",
        "the same change inherits (a configuration does not); who takes it back again may do so",
    ),
    (
        "a receipt of a run in an enrolled store whose environment was prepared to let it pass",
        "a receipt says what was run on which tree, not where; CI has a place of its own",
    ),
    (
        "a branch that is not protected",
        "it is named and not judged; what lands is judged when it is merged",
    ),
)
