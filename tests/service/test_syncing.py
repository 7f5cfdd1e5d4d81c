"""Sharing ledgers through real remotes: what is shared, taken, and never overwritten."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from handrail import errors
from handrail.core.ledger import format_head
from handrail.core.published import SEGMENT_ENTRIES, parse_checkpoint
from handrail.errors.landing import (
    LedgerForked,
    LedgerNotTaken,
    MalformedKey,
    RemoteUnavailable,
    SyncContended,
    UnknownRemote,
)
from handrail.facts import remotes as facts
from handrail.facts.published import open_published
from handrail.service import syncing as module
from handrail.service.records import Records
from handrail.service.syncing import NO_STORE, PUSHED, SAME
from tests.cli.world import World
from tests.sharing_support import BRANCHES, LEDGERS, Clone, Shop, entries_of, started
from tests.support import Handrail, Repo

WORKING: Final = """
import sys
from pathlib import Path
from tests.sharing_support import Clone
from tests.support import Repo
clone = Clone(Repo(Path(sys.argv[1])))
for _ in range(int(sys.argv[2])):
    clone.add()
    clone.sync()
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def ada(shop: Shop) -> Clone:
    """A clone whose store is enrolled."""
    clone = shop.clone("ada")
    clone.enroll()
    return clone


def whole(shop: Shop, *clones: Clone, folder: Path | None = None) -> None:
    """Check that whoever reads the remote believes exactly what the stores say."""
    rows = {row.epoch: row for row in shop.believed(*clones, folder=folder)}
    for clone in clones:
        row = rows[clone.epoch]
        assert (row.fault, row.reason) == (None, ""), row
        assert row.ledger is not None
        told = [(entry.header, entry.payload) for entry in row.ledger.entries()]
        assert told == entries_of(clone)


# --- one store -----------------------------------------------------------------------------------


def test_what_is_shared_is_believed_and_is_the_ledger_to_the_byte(shop: Shop, ada: Clone) -> None:
    done = ada.sync()
    assert (done.outcome, done.remote, done.ref) == (PUSHED, "origin", ada.ref)
    assert (done.signed, done.enrolled, done.branch) == (True, True, False)
    assert done.entries == ada.head.seq
    assert done.head == format_head(ada.epoch, ada.head)
    assert shop.refs() == ada.refs()
    whole(shop, ada)


def test_where_there_is_nothing_to_do_it_is_said_and_costs_one_look(
    ada: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada.sync()
    talked: list[str] = []
    talk = facts.Remotes._talk

    def counted(self: facts.Remotes, words: list[str], *rest: object) -> facts.Answer:
        talked.append(words[0])
        return talk(self, words, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(facts.Remotes, "_talk", counted)
    before = ada.refs()
    done = ada.sync()
    assert (done.outcome, done.entries) == (SAME, 0)
    assert talked == ["ls-remote"]
    assert ada.refs() == before


def test_each_sync_adds_one_commit_to_those_before(shop: Shop, ada: Clone) -> None:
    ada.sync()
    first = shop.refs()[ada.ref]
    ada.add(3)
    assert ada.sync().entries == 3
    assert shop.git("rev-list", "--parents", ada.ref).splitlines()[0].endswith(first)
    subjects = shop.git("log", "--format=%s", ada.ref).splitlines()
    assert subjects[0] == f"ledger {format_head(ada.epoch, ada.head)}"
    assert len(subjects) == 2
    whole(shop, ada)


def test_full_segments_are_written_once_and_the_checkpoint_says_who_held_what(
    shop: Shop, ada: Clone
) -> None:
    ada.claim("s-1", "src")
    ada.add(SEGMENT_ENTRIES)
    ada.sync()
    first = shop.git("ls-tree", "-r", ada.ref)
    ada.add(SEGMENT_ENTRIES)
    ada.claim("s-2", "docs")
    ada.sync()
    second = shop.git("ls-tree", "-r", ada.ref)
    rows = [
        [line for line in text.splitlines() if "segments/00000001" in line]
        for text in (first, second)
    ]
    assert rows[0] == rows[1]
    whole(shop, ada)
    at, state = parse_checkpoint(
        (shop.git("cat-file", "blob", f"{ada.ref}:checkpoint") + "\n").encode(), ada.epoch
    )
    assert at.seq == 2 * SEGMENT_ENTRIES
    assert [lease.session for lease in state.leases.values()] == ["s-1"]
    # Written in one go by somebody who has nothing to build on, it is the same tree.
    alone = ada.copied("alone")
    alone.repo.git("update-ref", "-d", ada.ref)
    shop.git("update-ref", "-d", ada.ref)
    alone.sync()
    assert shop.git("ls-tree", "-r", ada.ref) == second


def test_what_is_redacted_is_in_no_later_commit(shop: Shop, ada: Clone) -> None:
    ada.claim("s-1", "src")
    with ada.open(HANDRAIL_SESSION="s-1") as application:
        application.leases.release((), everything=True)
    ada.add(SEGMENT_ENTRIES)
    ada.sync()
    seq = next(n for n, (header, _) in enumerate(entries_of(ada), 1) if b"lease.granted" in header)
    with ada.open(terminal=True) as application:
        Records(application.context).redact(seq, "a name")
    payload = f"{ada.ref}:segments/00000001"
    assert '"src"' in shop.git("cat-file", "blob", payload)
    ada.sync()
    assert '"src"' not in shop.git("cat-file", "blob", payload)
    whole(shop, ada)


def test_without_a_key_the_ledger_is_shared_unsigned_and_signed_once_there_is_one(
    shop: Shop,
) -> None:
    clone = shop.clone("ada")
    done = clone.sync()
    assert (done.outcome, done.signed, done.enrolled) == (PUSHED, False, False)
    clone.enroll()
    assert clone.sync().signed
    whole(shop, clone)


def test_a_key_that_comes_without_a_new_entry_signs_the_same_head_again(shop: Shop) -> None:
    clone = shop.clone("ada")
    clone.sync()
    with clone.open() as application:
        application.keys.make()
    done = clone.sync()
    assert (done.outcome, done.entries, done.signed) == (PUSHED, 0, True)
    assert clone.sync().outcome == SAME


def test_an_enrolled_store_shares_nothing_that_would_not_be_believed(
    shop: Shop, ada: Clone, tmp_path: Path
) -> None:
    ada.sync()
    before = shop.refs()
    ada.add()
    key = ada.path / ".git" / "handrail" / "epoch.key"
    key.rename(tmp_path / "aside")
    with pytest.raises(MalformedKey, match="not here"):
        ada.sync()
    with ada.open() as application:
        application.keys.make()
    with pytest.raises(MalformedKey, match="enrols another key"):
        ada.sync()
    assert shop.refs() == before
    text = (tmp_path / "aside").read_text()
    assert ada.sync(HANDRAIL_LEDGER_KEY=text).outcome == PUSHED, "a key may come by the environment"
    whole(shop, ada)


def test_a_dry_run_says_what_would_be_done_and_moves_no_ref(shop: Shop, ada: Clone) -> None:
    bob = shop.clone("bob")
    bob.sync()
    for ready in (False, True):
        before = (ada.refs(), shop.refs())
        done = ada.sync(dry_run=True)
        assert (done.outcome, done.entries) == (PUSHED, 1 if ready else ada.head.seq)
        assert done.taken == (() if ready else (bob.epoch,))
        assert (ada.refs(), shop.refs()) == before
        ada.sync()
        ada.add()


def test_working_trees_of_one_clone_share_one_ledger(shop: Shop, ada: Clone) -> None:
    ada.sync()
    other = Clone(Repo(ada.repo.worktree("linked")))
    ada.add()
    assert other.sync("origin").entries == 1
    assert ada.sync().outcome == SAME
    whole(shop, ada)


def test_a_local_ref_that_was_lost_or_spoiled_is_made_anew_from_the_store(
    shop: Shop, ada: Clone
) -> None:
    ada.add(SEGMENT_ENTRIES)
    ada.sync()
    for words in (("-d", ada.ref), (ada.ref, "HEAD"), (ada.ref, f"{ada.ref}^")):
        ada.repo.git("update-ref", *words)
        ada.add()
        assert ada.sync().entries == 1
        whole(shop, ada)


def test_another_remote_gets_the_same_line(shop: Shop, ada: Clone, tmp_path: Path) -> None:
    second = tmp_path / "second.git"
    ada.repo.git("init", "--quiet", "--bare", str(second))
    ada.repo.git("remote", "add", "second", str(second))
    ada.sync()
    ada.sync("second")
    ada.add()
    ada.sync("second")
    ada.add()
    assert ada.sync("origin").entries == 2
    assert ada.sync("second").entries == 1
    whole(shop, ada)
    whole(shop, ada, folder=second)


# --- where the host forbids the namespace --------------------------------------------------------


@pytest.mark.parametrize("how", ["hook", "receive.hideRefs", "transfer.hideRefs"])
def test_where_the_host_takes_no_such_refs_the_ledger_is_a_branch(shop: Shop, how: str) -> None:
    if how == "hook":
        shop.hook("update", "case $1 in refs/handrail/*) echo forbidden >&2; exit 1;; esac")
    else:
        shop.git("config", how, "refs/handrail")
    ada, bob = shop.clone("ada"), shop.clone("bob")
    ada.enroll()
    done = ada.sync()
    assert (done.outcome, done.branch, done.ref) == (PUSHED, True, BRANCHES + ada.epoch)
    assert list(shop.refs()) == [BRANCHES + ada.epoch]
    ada.add()
    again = ada.sync()
    assert (again.outcome, again.branch, again.entries) == (PUSHED, True, 1)
    assert ada.sync().outcome == SAME
    assert list(ada.refs()) == [LEDGERS + ada.epoch], "here it is a branch for nobody"
    assert bob.sync().taken == (ada.epoch,)
    assert bob.refs()[LEDGERS + ada.epoch] == shop.refs()[BRANCHES + ada.epoch]
    whole(shop, ada)


def test_a_branch_that_is_there_is_used_without_asking_for_more(
    shop: Shop, ada: Clone, tmp_path: Path
) -> None:
    shop.git("config", "receive.hideRefs", "refs/handrail")
    ada.sync()
    shop.git("config", "--unset", "receive.hideRefs")
    ada.add()
    assert ada.sync().branch
    assert list(shop.refs()) == [BRANCHES + ada.epoch]


def test_a_host_that_takes_neither_is_said_with_its_reason(shop: Shop, ada: Clone) -> None:
    shop.hook("pre-receive", "echo 'pushes are closed' >&2; exit 1")
    with pytest.raises(LedgerNotTaken, match="pushes are closed") as caught:
        ada.sync()
    assert shop.refs() == {}
    assert ada.refs() != {}, "the ledger is written here, and the next sync pushes it"
    (shop.bare / "hooks" / "pre-receive").unlink()
    ran = ada.repo.git(*(caught.value.next or "").split()[1:], check=False)
    assert ran is not None
    assert ada.sync().outcome == SAME
    whole(shop, ada)


# --- what is not our past ------------------------------------------------------------------------


def test_a_store_that_was_copied_and_went_its_own_way_shares_nothing(
    shop: Shop, ada: Clone
) -> None:
    ada.sync()
    twin = ada.copied("twin")
    assert twin.sync().outcome == SAME, "until it does, both are one"
    twin.add()
    ada.add()
    ada.sync()
    before = shop.refs()
    for _ in range(2):
        with pytest.raises(LedgerForked) as caught:
            twin.sync()
        assert caught.value.values["where"] == "origin"
        assert shop.refs() == before
    assert ada.sync().outcome == SAME
    whole(shop, ada)


def test_a_forked_store_founds_an_epoch_of_its_own_by_the_next_command(
    shop: Shop, ada: Clone, tmp_path: Path
) -> None:
    ada.sync()
    twin = ada.copied("twin")
    twin.add()
    ada.add()
    ada.sync()
    old = ada.epoch
    done = Handrail(twin.path)("ledger", "sync")
    assert done.code == 1
    step = done.err.splitlines()[1].removeprefix("  next: ")
    person = World(twin.repo, tmp_path / "scratch").shell()
    assert person.types(step, terminal=True).code == 0
    assert twin.epoch != old
    twin.enroll()
    done_twin = twin.sync()
    assert done_twin.outcome == PUSHED
    assert ada.sync().taken == (twin.epoch,)


def test_a_store_that_was_set_back_shares_nothing(shop: Shop, ada: Clone, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    shutil.copytree(ada.path / ".git" / "handrail", backup)
    ada.add()
    ada.sync()
    before = shop.refs()
    shutil.rmtree(ada.path / ".git" / "handrail")
    shutil.copytree(backup, ada.path / ".git" / "handrail")
    with pytest.raises(LedgerForked):
        ada.sync()
    ada.repo.git("update-ref", "-d", ada.ref)
    with pytest.raises(LedgerForked):
        ada.sync()
    assert shop.refs() == before


@pytest.mark.parametrize("on_top", [False, True], ids=["alone", "on top of the ledger"])
def test_garbage_under_our_ref_stops_the_sync_and_a_person_takes_it_away(
    shop: Shop, ada: Clone, tmp_path: Path, *, on_top: bool
) -> None:
    ada.sync()
    tip = ada.refs()[ada.ref] if on_top else None
    garbage = ada.write_ledger({"head": "garbage\n"}, "ledger garbage", tip)
    ada.repo.git("push", "--quiet", "--no-verify", "--force", "origin", f"{garbage}:{ada.ref}")
    ada.add()
    with pytest.raises(LedgerForked) as caught:
        ada.sync()
    assert shop.refs()[ada.ref] == garbage
    person = World(ada.repo, tmp_path / "scratch").shell()
    done = person.types(caught.value.next or "")
    assert done.code == 0, done
    whole(shop, ada)


def test_a_history_that_names_what_never_was_is_not_built_on(shop: Shop, ada: Clone) -> None:
    ada.sync()
    tree = shop.git("rev-parse", f"{ada.ref}^{{tree}}")
    tip = shop.refs()[ada.ref]
    false = f"ledger {ada.epoch}:1:{'0' * 64}"
    middle = shop.git("commit-tree", tree, "-p", tip, "-m", false)
    subject = shop.git("log", "-1", "--format=%s", tip)
    last = shop.git("commit-tree", tree, "-p", middle, "-m", subject)
    shop.git("update-ref", ada.ref, last)
    ada.add()
    with pytest.raises(LedgerForked):
        ada.sync()
    assert shop.refs()[ada.ref] == last


def test_a_head_that_never_was_is_not_built_on_whatever_its_commit_says(
    shop: Shop, ada: Clone
) -> None:
    ada.sync()
    head = shop.git("show", f"{ada.ref}:head").splitlines()
    false = f"handrail-head 1 {ada.epoch}:1:{'0' * 64}"
    files = {
        "format": f"handrail-ledger-ref 1 {ada.epoch}\n",
        "head": f"{false}\n{head[1]}\n",
        "checkpoint": "",
        "segments/00000001": shop.git("show", f"{ada.ref}:segments/00000001") + "\n",
    }
    subject = shop.git("log", "-1", "--format=%s", ada.ref)
    tip = ada.write_ledger(files, subject, ada.refs()[ada.ref])
    ada.repo.git("push", "--quiet", "--no-verify", "origin", f"{tip}:{ada.ref}")
    ada.add()
    with pytest.raises(LedgerForked, match="entry 1"):
        ada.sync()
    assert shop.refs()[ada.ref] == tip


def test_files_that_did_not_come_from_here_are_not_used_again(shop: Shop, ada: Clone) -> None:
    ada.add(SEGMENT_ENTRIES)
    ada.sync()
    names = ("format", "head", "checkpoint", "segments/00000001", "segments/00000002")
    files = {name: shop.git("show", f"{ada.ref}:{name}") + "\n" for name in names}
    files["segments/00000001"] = "garbage\n"
    subject = shop.git("log", "-1", "--format=%s", ada.ref)
    tip = ada.write_ledger(files, subject, ada.refs()[ada.ref])
    ada.repo.git("push", "--quiet", "--no-verify", "origin", f"{tip}:{ada.ref}")
    assert [row.fault for row in shop.believed(ada)] == ["malformed"]
    ada.add()
    assert ada.sync().entries == 1
    whole(shop, ada)


# --- other stores --------------------------------------------------------------------------------


def test_two_stores_take_each_others_ledgers(shop: Shop, ada: Clone) -> None:
    bob = shop.clone("bob")
    bob.enroll()
    ada.knows(bob)
    bob.sync()
    assert ada.sync().taken == (bob.epoch,)
    assert bob.sync().taken == (ada.epoch,)
    bob.add()
    bob.sync()
    assert ada.sync().taken == (bob.epoch,)
    assert ada.sync().taken == ()
    assert ada.refs() == bob.refs() == shop.refs()
    whole(shop, ada, folder=ada.path)


def test_a_ledger_that_does_not_lead_on_is_named_and_not_taken(shop: Shop, ada: Clone) -> None:
    bob = shop.clone("bob")
    bob.enroll()
    ada.knows(bob)
    bob.sync()
    bob.add()
    bob.sync()
    ada.sync()
    before = ada.refs()
    first = shop.git("rev-parse", f"{bob.ref}^")
    shop.git("update-ref", bob.ref, first)
    assert ada.sync().left == (), "a remote that is behind is no fault"
    bob.repo.git("update-ref", bob.ref, first)
    bob.add()
    bob.sync()
    (left,) = ada.sync().left
    assert (left.epoch, left.fault) == (bob.epoch, "rewritten")
    assert ada.refs() == before


@pytest.mark.parametrize("what", ["garbage", "another epoch's", "unsigned", "a blob"])
def test_what_is_no_ledger_of_its_epoch_is_named_and_not_taken(
    shop: Shop, ada: Clone, what: str
) -> None:
    bob = shop.clone("bob")
    bob.enroll()
    ada.knows(bob)
    fault = "malformed"
    if what == "garbage":
        tip = ada.write_ledger({"x": "y"}, "ledger x")
    elif what == "a blob":
        tip = ada.repo.git("hash-object", "-w", "--stdin", input="x")
    elif what == "another epoch's":
        ada.sync()
        tip = ada.refs()[ada.ref]
    else:
        fault = "unsigned"
        bob.sync()
        shape = shop.git("show", f"{bob.ref}:head").splitlines()[:2]
        files = {
            "format": f"handrail-ledger-ref 1 {bob.epoch}\n",
            "head": "".join(f"{line}\n" for line in shape),
            "checkpoint": "",
            "segments/00000001": shop.git("show", f"{bob.ref}:segments/00000001") + "\n",
        }
        tip = ada.write_ledger(files, shop.git("log", "-1", "--format=%s", bob.ref))
    ada.repo.git("push", "--quiet", "--no-verify", "--force", "origin", f"{tip}:{bob.ref}")
    (left,) = ada.sync().left
    assert (left.epoch, left.fault) == (bob.epoch, fault), left
    assert bob.ref not in ada.refs()
    assert ada.sync().outcome == SAME, "one's own is shared all the same"


def test_names_that_are_no_epochs_and_more_than_enough_of_them_are_left(
    shop: Shop, ada: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EPOCHS_MAX", 2)
    main = shop.git("rev-parse", "main")
    for name in ("UPPER", "a" * 33, "a-b", "deep/er", "aaaa", "bbbb", "cccc"):
        shop.git("update-ref", LEDGERS + name, main)
    done = ada.sync()
    assert done.outcome == PUSHED
    assert len(done.left) <= 2
    assert {row.epoch for row in done.left} <= {"aaaa", "bbbb", "cccc"}


def test_without_a_store_ledgers_are_taken_and_none_is_shared(shop: Shop, ada: Clone) -> None:
    ada.repo.commit("enrolled")
    ada.repo.git("push", "--quiet", "--no-verify", "origin", "HEAD:main")
    ada.sync()
    fresh = shop.folder / "fresh"
    subprocess.run(["git", "clone", "--quiet", str(shop.bare), str(fresh)], check=True)
    clone = Clone(Repo(fresh))
    done = clone.sync()
    assert (done.outcome, done.taken) == (NO_STORE, (ada.epoch,))
    assert clone.refs() == shop.refs()
    assert not (fresh / ".git" / "handrail").exists()


def test_work_on_the_same_paths_is_told_with_its_witness(shop: Shop, ada: Clone) -> None:
    bob = shop.clone("bob")
    bob.enroll(holder="bob's laptop")
    ada.knows(bob)
    bob.claim("s-bob", "src/api", "docs")
    bob.sync()
    assert ada.sync().parallel == ()
    ada.claim("s-ada", "src/api/users.py")
    (found,) = ada.sync().parallel
    assert found.epoch == bob.epoch
    assert (found.holder, found.session, found.agent) == ("bob's laptop", "s-bob", "s-bob-agent")
    assert (found.own_session, found.witness) == ("s-ada", "src/api/users.py")
    with bob.open(HANDRAIL_SESSION="s-bob") as application:
        application.leases.release((), everything=True)
    bob.sync()
    assert ada.sync().parallel == ()


# --- races, interruptions, remotes that fail -----------------------------------------------------


def test_eight_that_sync_at_once_lose_nothing(shop: Shop, ada: Clone) -> None:
    bob = shop.clone("bob")
    bob.enroll()
    ada.knows(bob)
    tree = ada.repo.worktree("linked")
    places = [ada.path, tree, ada.path, tree, *([bob.path] * 4)]
    workers = [started(WORKING, str(place), "5", cwd=place) for place in places]
    told = [(*worker.communicate(timeout=300), worker.returncode) for worker in workers]
    assert [code for _, _, code in told] == [0] * 8, told
    whole(shop, ada)
    bob.knows(ada)
    bob.sync()
    for clone in (ada, bob):
        line = shop.git("log", "--format=%P", clone.ref).splitlines()
        assert all(len(parents.split()) <= 1 for parents in line)
        kinds = [header for header, _ in entries_of(clone) if b"commit.unattributed" in header]
        assert len(kinds) == 20
    rows = {row.epoch: row for row in shop.believed(ada)}
    assert rows[bob.epoch].ledger is not None


KILLER: Final = """#!/bin/sh
# Stands before git in PATH: at its N-th start by the one that is tested, it kills that one.
PATH={path}
export PATH
[ -z "$GIT_KILLER" ] || exec git "$@"
GIT_KILLER=1
export GIT_KILLER
echo x >>"{count}"
if [ "$(wc -l <"{count}")" -eq {number} ]; then
  [ {after} = 0 ] || git "$@" >/dev/null
  kill -9 $PPID
  exit 1
fi
exec git "$@"
"""


@pytest.mark.parametrize(
    "after",
    [pytest.param(0, marks=pytest.mark.nightly), 1],
    ids=["before git ran", "after git ran"],
)
@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.nightly)])
def test_whoever_is_killed_half_way_leaves_nothing_that_the_next_sync_does_not_mend(
    shop: Shop, ada: Clone, tmp_path: Path, after: int, step: int
) -> None:
    ada.add(10)
    ada.sync()
    bob = shop.clone("bob")
    bob.sync()
    folder = tmp_path / "bin"
    folder.mkdir()
    count = tmp_path / "count"
    for number in range(1, 100, step):
        ada.add()
        count.write_text("")
        values = {"path": os.environ["PATH"], "count": count, "number": number, "after": after}
        (folder / "git").write_text(KILLER.format(**values))
        (folder / "git").chmod(0o755)
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        done = Handrail(ada.path)("ledger", "sync", env={"PATH": path})
        if done.code == 0:
            break
        assert done.code == -9, done
        assert ada.sync().outcome in (PUSHED, SAME)
        assert not list((ada.path / ".git").rglob("*.lock"))
    assert number > 8, "there is more than this to interrupt"
    whole(shop, ada)


def test_a_remote_that_is_gone_is_said_and_the_next_sync_makes_up_for_it(
    shop: Shop, ada: Clone
) -> None:
    ada.sync()
    ada.add()
    away = shop.bare.with_name("away.git")
    shop.bare.rename(away)
    with pytest.raises(RemoteUnavailable):
        ada.sync()
    away.rename(shop.bare)
    assert ada.sync().entries == 1
    whole(shop, ada)


def test_a_remote_that_is_none_is_refused(ada: Clone) -> None:
    with pytest.raises(UnknownRemote):
        ada.sync("nothing")
    with pytest.raises(UnknownRemote):
        ada.sync("--upload-pack=touch pwned")


def test_who_comes_too_late_again_and_again_gives_up(
    ada: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 3)
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    lost = facts.Pushed(facts.RACED, "fetch first")
    monkeypatch.setattr(facts.Remotes, "push", lambda *words: lost)
    with pytest.raises(SyncContended, match="3 attempts"):
        ada.sync()


def test_who_never_gets_to_move_the_local_ref_pushes_nothing(
    shop: Shop, ada: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    monkeypatch.setattr(facts.Remotes, "move", lambda *words: False)
    with pytest.raises(SyncContended, match="moved here"):
        ada.sync()
    assert shop.refs() == {}


def test_a_ledger_that_does_not_hang_together_is_not_shared(shop: Shop, ada: Clone) -> None:
    import apsw

    ada.add(3)
    path = ada.path / ".git" / "handrail" / "state.db"
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE entry SET payload = ? WHERE seq = 3", (b'{"x":1}',))
    connection.close()
    with pytest.raises(errors.LedgerBroken):
        ada.sync()
    assert shop.refs() == {}


# --- the command ---------------------------------------------------------------------------------


def test_the_command_says_what_it_did_in_text_and_in_json(shop: Shop, ada: Clone) -> None:
    handrail = Handrail(ada.path)
    planned = handrail("ledger", "sync", "--dry-run")
    assert planned.out.startswith("would be shared with origin: ")
    done = handrail("ledger", "sync", "--json")
    assert done.json()["outcome"] == "pushed"
    assert done.json()["ref"] == ada.ref
    assert "origin has it all" in handrail("ledger", "sync").out
    refused = handrail("ledger", "sync", "--json", "nothing")
    assert refused.json()["error"]["code"] == "unknown_remote"
    assert refused.code == 2


def test_a_store_that_is_not_enrolled_is_told_how(shop: Shop) -> None:
    clone = shop.clone("ada")
    done = Handrail(clone.path)("ledger", "sync")
    assert "handrail enroll" in done.err


def test_a_shared_ledger_is_read_offline(shop: Shop, ada: Clone) -> None:
    ada.sync()
    fresh = shop.folder / "fresh"
    subprocess.run(["git", "clone", "--quiet", str(shop.bare), str(fresh)], check=True)
    Clone(Repo(fresh)).sync()
    shutil.rmtree(shop.bare)
    with open_published(str(fresh)) as source:
        assert len(source.refs()) == 1
