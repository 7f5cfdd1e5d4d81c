"""What rule V asks of git: answered from the objects alone, and never with a guess."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.landing import Change
from handrail.errors import FactsUnavailable
from handrail.facts import neutral
from handrail.facts.commits import _digests
from handrail.facts.git import read_range
from handrail.facts.history import History, open_history
from tests.support import Repo

TEXT: Final = "".join(f"def f{number}():\n    return {number}\n\n" for number in range(20))


@pytest.fixture
def history(repo: Repo) -> Iterator[History]:
    with open_history(str(repo.path)) as opened:
        yield opened


def changed(history: History, commit: str) -> Change:
    return history.changes([commit])[commit]


def names(change: Change) -> list[str]:
    assert change.paths is not None
    return [row.path for row in change.paths]


def merge(repo: Repo, *words: str) -> str:
    repo.git("merge", "--quiet", "--no-edit", "--no-ff", *words)
    return repo.git("rev-parse", "HEAD")


def fork(repo: Repo) -> tuple[str, str]:
    """Make ``main`` and ``side`` differ in two lines of one file that merge, and a file each."""
    repo.write("file", "".join(f"line {number}\n" for number in range(20)))
    repo.commit("base")
    repo.git("switch", "--quiet", "-c", "side")
    repo.write("file", (repo.path / "file").read_text().replace("line 18", "eighteen"))
    repo.write("side", "s")
    side = repo.commit("side")
    repo.git("switch", "--quiet", "main")
    repo.write("file", (repo.path / "file").read_text().replace("line 1\n", "one\n"))
    repo.write("main", "m")
    return repo.commit("main"), side


# ------------------------------------------------------------------------------ what a commit is


def test_a_commit_is_told_as_attesting_tells_it(repo: Repo, history: History) -> None:
    repo.write("kept", "k")
    repo.write("gone", "g")
    repo.write("before", "the same text, long enough to be found again\n" * 5)
    repo.write("script", "s")
    repo.write("file", "f")
    repo.commit("base")
    repo.git("rm", "--quiet", "gone")
    repo.git("mv", "before", "after")
    repo.git("update-index", "--chmod=+x", "script")
    (repo.path / "file").unlink()
    (repo.path / "file").symlink_to("kept")
    for name in ("a\nb", 'quo"te', "bytes-\udcff\udcfe", ":colon", "-x", "a" * 40):
        repo.write(f"odd/{name}", "x")
    repo.git("add", "file", "odd")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'HEAD')},sub")
    repo.git("commit", "--quiet", "-m", "all\nof it")
    commit = repo.git("rev-parse", "HEAD")
    attested = read_range(str(repo.path), "HEAD")[0]
    found = changed(history, commit)
    assert (found.tree, found.parents, found.paths_hash) == (
        attested.tree,
        attested.parents,
        attested.paths_hash,
    )
    assert tuple(names(found)) == attested.paths
    assert found.subject == "all"
    modes = {row.path: (row.old_mode, row.new_mode) for row in found.paths or ()}
    assert modes["gone"] == modes["before"] == ("100644", "000000")
    assert modes["after"] == ("000000", "100644")
    assert modes["script"] == ("100644", "100755")
    assert modes["file"] == ("100644", "120000")
    assert modes["sub"] == ("000000", "160000")


def test_the_first_commit_and_an_empty_one_are_told(repo: Repo, history: History) -> None:
    root = repo.git("rev-parse", "HEAD")
    empty = repo.commit("nothing")
    assert names(changed(history, root)) == ["README.md"]
    assert changed(history, root).parents == ()
    assert changed(history, empty).paths == ()
    assert changed(history, empty).paths_hash == sha256(b"").hexdigest()


def test_very_many_commits_are_told_at_once(repo: Repo, history: History) -> None:
    commits = []
    for number in range(40):
        repo.write(f"f{number}", "x")
        commits.append(repo.commit(str(number)))
    found = history.changes(commits)
    assert [names(found[commit]) for commit in commits] == [[f"f{n}"] for n in range(40)]
    assert history.walk([commits[-1]], [commits[0]], 1_000) == commits[:0:-1]
    assert len(history.walk([commits[-1]], [], 5)) == 6


# ------------------------------------------------------------------------------------------ merges


def test_a_clean_merge_changes_nothing(repo: Repo, history: History) -> None:
    fork(repo)
    assert changed(history, merge(repo, "side")).paths == ()


def test_a_merge_that_drops_the_other_side_changes_what_it_drops(
    repo: Repo, history: History
) -> None:
    fork(repo)
    assert names(changed(history, merge(repo, "-s", "ours", "side"))) == ["file", "side"]


def test_a_merge_with_something_slipped_in_changes_it(repo: Repo, history: History) -> None:
    fork(repo)
    merge(repo, "side")
    repo.write("evil", "e")
    repo.git("add", "evil")
    repo.git("commit", "--quiet", "--amend", "--no-edit")
    assert names(changed(history, repo.git("rev-parse", "HEAD"))) == ["evil"]


def test_a_conflict_is_a_change_however_it_was_resolved(repo: Repo, history: History) -> None:
    repo.git("switch", "--quiet", "-c", "side")
    repo.write("README.md", "theirs\n")
    repo.commit("theirs")
    repo.git("switch", "--quiet", "main")
    repo.write("README.md", "ours\n")
    repo.commit("ours")
    for text in ("ours\n", "theirs\n", "both\n"):
        repo.git("reset", "--quiet", "--hard", "main")
        repo.git("merge", "side", check=False)
        repo.write("README.md", text)
        repo.git("commit", "--quiet", "--all", "--no-edit")
        assert names(changed(history, repo.git("rev-parse", "HEAD"))) == ["README.md"]
        repo.git("reset", "--quiet", "--hard", "HEAD^")


def test_what_a_working_tree_says_of_merging_changes_no_answer(
    repo: Repo, history: History
) -> None:
    repo.git("config", "merge.mine.driver", "touch %A; touch ../ran; false")
    repo.git("config", "merge.renames", "false")
    fork(repo)
    commit = merge(repo, "side")
    repo.write(".gitattributes", "* merge=mine\n")
    (repo.path / ".git" / "info").mkdir(exist_ok=True)
    (repo.path / ".git" / "info" / "attributes").write_text("* merge=mine -diff\n")
    assert changed(history, commit).paths == ()
    assert not (repo.path.parent / "ran").exists()


def test_what_a_user_prefers_changes_no_answer(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key(tmp_path, "ada")
    fork(repo)
    by = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={tmp_path / 'ada'}")
    repo.git(*by, "merge", "--quiet", "--no-edit", "--no-ff", "-S", "side")
    commit = repo.git("rev-parse", "HEAD")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[log]\n\tshowSignature = true\n")
    monkeypatch.setenv("HOME", str(home))
    with open_history(str(repo.path)) as history:
        assert changed(history, commit).paths == ()
        assert changed(history, commit).ssh_signed


def test_of_more_than_two_parents_no_paths_are_told(repo: Repo, history: History) -> None:
    for name in ("a", "b"):
        repo.git("switch", "--quiet", "-c", name, "main")
        repo.write(name, name)
        repo.commit(name)
    repo.git("switch", "--quiet", "main")
    commit = merge(repo, "a", "b")
    assert changed(history, commit).paths is None
    assert len(changed(history, commit).parents) == 3


def test_merging_is_tried_without_leaving_anything_behind(repo: Repo, history: History) -> None:
    main, side = fork(repo)
    repo.write("file", "quite different\n")
    clash = repo.commit("clash")
    before = sorted(str(path) for path in (repo.path / ".git").rglob("*"))
    clean, none = history.merged_trees([(main, side), (clash, side)])
    assert none is None
    assert sorted(str(path) for path in (repo.path / ".git").rglob("*")) == before
    repo.git("reset", "--quiet", "--hard", main)
    assert repo.git("rev-parse", f"{merge(repo, 'side')}^{{tree}}") == clean
    assert history.merged_trees([]) == []


def test_tips_and_bases(repo: Repo, history: History) -> None:
    main, side = fork(repo)
    base = repo.git("merge-base", "main", "side")
    assert history.merge_bases(main, side) == [base]
    assert history.tips([base, main, side]) == [main, side]
    assert history.tips([base]) == [base]
    orphan = repo.git("commit-tree", "HEAD^{tree}", "-m", "no parent")
    assert history.merge_bases(main, orphan) == []


# ---------------------------------------------------------------------------------- objects alone


@pytest.mark.parametrize("told", ["by the repository", "by the environment"])
def test_replaced_objects_and_grafts_have_no_effect(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    base = repo.git("rev-parse", "HEAD")
    repo.write("secret", "s")
    hidden = repo.commit("hidden")
    repo.write("open", "o")
    tip = repo.commit("tip")
    innocent = repo.git("commit-tree", f"{hidden}^^{{tree}}", "-p", base, "-m", "innocent")
    repo.git("replace", hidden, innocent)
    grafts = repo.path / ".git" / "info" / "grafts"
    if told == "by the environment":
        grafts = tmp_path / "grafts"
        monkeypatch.setenv("GIT_GRAFT_FILE", str(grafts))
    grafts.parent.mkdir(exist_ok=True)
    grafts.write_text(f"{tip} {base}\n")
    assert repo.git("rev-list", f"{base}..{tip}").split() == [tip], "the lie works on plain git"
    with open_history(str(repo.path)) as history:
        assert history.walk([tip], [base], 10) == [tip, hidden]
        assert changed(history, tip).parents == (hidden,)
        assert names(changed(history, hidden)) == ["secret"]


def test_a_shallow_clone_cannot_tell_what_its_oldest_commit_changes(
    tmp_path: Path, repo: Repo
) -> None:
    repo.write("second", "s")
    commit = repo.commit()
    repo.git("clone", "--quiet", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    with open_history(str(tmp_path / "shallow")) as history:
        assert history.resolve(["HEAD"]) == [commit]
        with pytest.raises(FactsUnavailable):
            history.changes([commit])


def test_in_a_partial_clone_names_are_told_and_contents_are_not_fetched(
    tmp_path: Path, repo: Repo
) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.write("second", "s")
    commit = repo.commit()
    words = ("--quiet", "--no-checkout", "--filter=blob:none", f"file://{repo.path}")
    repo.git("clone", *words, str(tmp_path / "partial"))
    with open_history(str(tmp_path / "partial")) as history:
        assert names(changed(history, commit)) == ["second"]
        with pytest.raises(FactsUnavailable):
            history.patches([commit])


def test_a_repository_of_sha256_a_worktree_and_borrowed_objects_work(
    tmp_path: Path, repo: Repo
) -> None:
    other = Repo(tmp_path / "sha256")
    other.path.mkdir()
    other.git("init", "--quiet", "--object-format=sha256")
    other.write("a", "a")
    other.commit()
    linked = repo.worktree("linked")
    repo.git("clone", "--quiet", "--shared", str(repo.path), str(tmp_path / 'bo:r"row\ned'))
    for folder in (other.path, linked, tmp_path / 'bo:r"row\ned'):
        with open_history(str(folder)) as history:
            head = history.resolve(["HEAD"])[0]
            assert head is not None
            assert len(names(changed(history, head))) == 1


def test_objects_in_quarantine_are_seen_as_a_hook_of_a_push_sees_them(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = repo.path / ".git" / "objects"
    held = tmp_path / "quarantine"
    held.mkdir()
    tree = repo.git("rev-parse", "HEAD^{tree}")
    fresh = {
        "GIT_OBJECT_DIRECTORY": str(held),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
    }
    commit = repo.git("commit-tree", tree, "-p", "HEAD", "-m", "new", env=fresh)
    with open_history(str(repo.path)) as history:
        assert history.present([commit]) == []
    for name, value in fresh.items():
        monkeypatch.setenv(name, value)
    with open_history(str(repo.path)) as history:
        assert history.present([commit]) == [commit]
        assert changed(history, commit).paths == ()


def test_only_ids_of_commits_are_looked_for(repo: Repo, history: History) -> None:
    head, tree = repo.git("rev-parse", "HEAD", "HEAD^{tree}").split()
    asked = ["HEAD", "", "\n", "é" * 40, head, tree, "f" * 40, head[:10], f"{head}\n{head}"]
    assert history.present(asked) == [head]


def test_what_is_missing_or_damaged_is_said(repo: Repo, history: History) -> None:
    with pytest.raises(FactsUnavailable):
        history.changes(["0" * 40])
    repo.write("a", "a")
    commit = repo.commit()
    tree = repo.git("rev-parse", "HEAD^{tree}")
    (repo.path / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(FactsUnavailable):
        history.changes([commit])
    with pytest.raises(FactsUnavailable):
        history.walk(["0" * 40], [], 10)


def test_git_that_hangs_or_talks_without_end_is_given_up(
    repo: Repo, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repo.git("rev-parse", "HEAD")
    monkeypatch.setattr(neutral, "OUTPUT_BYTES_MAX", 10)
    with pytest.raises(FactsUnavailable, match="says more"):
        history.changes([commit])
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "git"
    program.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(neutral, "TIMEOUT_S", 0.2)
    quick = neutral.Neutral(history._git.folder, b"")
    with pytest.raises(FactsUnavailable, match="took more"):
        quick.ask(["status"])
    program.unlink()
    with pytest.raises(FactsUnavailable, match="not installed"):
        quick.ask(["status"])


def test_nothing_of_it_is_left_in_the_temporary_folder(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    main, side = fork(repo)
    before = set(os.listdir(tmp_path))
    with open_history(str(repo.path)) as history:
        history.merged_trees([(main, side)])
        assert set(os.listdir(tmp_path)) - before
    assert set(os.listdir(tmp_path)) == before


# ------------------------------------------------------------------------------------ names, refs


@pytest.mark.parametrize(
    "name",
    [
        *("", "nonsense", "HEAD~99", "--all", "-n1", "--output=x", "HEAD:README.md", "HEAD^{tree}"),
        *("HEAD\n", "HEAD\nHEAD", "HEAD HEAD", "@{u}", "a\udcff", "x" * 4_000, "a\0b", "x commit"),
    ],
)
def test_what_names_no_commit_resolves_to_nothing(repo: Repo, history: History, name: str) -> None:
    head = repo.git("rev-parse", "HEAD")
    assert history.resolve(["HEAD", name, "main"]) == [head, None, head]
    assert not (repo.path / "x").exists()


def test_refs_are_told_with_the_commits_that_they_mean(repo: Repo, history: History) -> None:
    first = repo.git("rev-parse", "HEAD")
    repo.git("tag", "-m", "one", "v1")
    second = repo.commit("second")
    repo.git("branch", "other", first)
    assert history.refs("refs/heads") == [("refs/heads/main", second), ("refs/heads/other", first)]
    assert history.refs("refs/tags") == [("refs/tags/v1", first)]
    assert history.refs("refs/nothing") == []


def test_a_file_of_a_commit_is_read_whatever_is_in_the_working_tree(
    repo: Repo, history: History
) -> None:
    commit = repo.git("rev-parse", "HEAD")
    repo.write("README.md", "changed")
    assert history.file_at(commit, "README.md") == b"# A repository\n"
    assert history.file_at(commit, "nothing") is None
    assert history.file_at(commit, "README.md/nothing") is None
    repo.write("folder/x", "x")
    with pytest.raises(FactsUnavailable):
        history.file_at(repo.commit(), "folder")


# ------------------------------------------------------------------------------------------- diffs


def patch_id(repo: Repo, commit: str) -> str:
    shown = repo.git("diff-tree", "-p", "--full-index", "--no-renames", commit)
    return repo.git("patch-id", "--verbatim", input=shown + "\n").split()[0]


def same(repo: Repo, one: str, two: str) -> bool:
    """Compare the digests of two commits; git's own id must agree where it can tell."""
    with open_history(str(repo.path)) as history:
        found = history.patches([one, two])
    equal = found[one] == found[two]
    assert equal == (patch_id(repo, one) == patch_id(repo, two))
    return equal


def edit(repo: Repo, old: str, new: str) -> str:
    text = (repo.path / "code.py").read_text()
    assert old in text
    repo.write("code.py", text.replace(old, new))
    return repo.commit(new)


def test_the_same_change_elsewhere_has_the_same_digest(repo: Repo) -> None:
    repo.write("code.py", TEXT)
    repo.commit("base")
    one = edit(repo, "return 17\n", "return -17\n")
    repo.git("switch", "--quiet", "-c", "other", "HEAD^")
    edit(repo, "return 1\n", "return 1\n    pass\n")
    repo.git("cherry-pick", one)
    moved = repo.git("rev-parse", "HEAD")
    repo.git("commit", "--quiet", "--amend", "-m", "other words")
    assert same(repo, one, moved)
    assert same(repo, one, repo.git("rev-parse", "HEAD"))


@pytest.mark.parametrize(
    "new", ["return  -17\n", "\treturn -17\n", "return -17 \n", "return -18\n", "return -17\n\n"]
)
def test_a_blank_more_is_another_change(repo: Repo, new: str) -> None:
    repo.write("code.py", TEXT)
    repo.commit("base")
    one = edit(repo, "return 17\n", "return -17\n")
    repo.git("switch", "--quiet", "-c", "other", "HEAD^")
    assert not same(repo, one, edit(repo, "return 17\n", new))


def test_what_git_shows_no_lines_of_is_compared_by_its_ids(repo: Repo) -> None:
    repo.write("picture", b"\0\1\2")
    repo.commit("base")
    repo.write("picture", b"\0\1\3")
    one = repo.commit("one")
    repo.git("switch", "--quiet", "-c", "other", "HEAD^")
    repo.write("elsewhere", "x")
    repo.commit("between")
    repo.git("cherry-pick", one)
    assert same(repo, one, repo.git("rev-parse", "HEAD"))
    repo.git("switch", "--quiet", "-c", "third", "HEAD^")
    repo.write("picture", b"\0\1\4")
    assert not same(repo, one, repo.commit("evil"))


def test_a_picture_counts_beside_other_files_too(repo: Repo) -> None:
    repo.write("picture", b"\0\1\2")
    repo.write("z", "z\n")
    base = repo.commit("base")
    made = []
    for last in (b"\3", b"\4"):
        repo.git("switch", "--quiet", "--detach", base)
        repo.write("picture", b"\0\1" + last)
        repo.write("z", "changed\n")
        made.append(repo.commit("both"))
    assert not same(repo, *made)


def test_lines_with_a_nul_are_compared_to_their_end(repo: Repo, history: History) -> None:
    text = b"line\n" * 3_000
    repo.write("large", text)
    repo.commit("base")
    repo.write("large", text + b"end \0 good\n")
    one = repo.commit("one")
    repo.git("switch", "--quiet", "-c", "other", "HEAD^")
    repo.write("large", text + b"end \0 evil\n")
    two = repo.commit("two")
    assert patch_id(repo, one) == patch_id(repo, two), "git's own id cannot tell them apart"
    found = history.patches([one, two])
    assert found[one] != found[two]


def test_the_mode_a_link_and_a_submodule_are_part_of_the_change(repo: Repo) -> None:
    repo.write("code.py", TEXT)
    base = repo.commit("base")
    head = repo.git("rev-parse", "HEAD")
    made = []
    for number, words in enumerate(
        (
            ("--chmod=+x", "code.py"),
            ("--add", "--cacheinfo", f"120000,{repo.git('hash-object', '-w', 'code.py')},code.py"),
            ("--add", "--cacheinfo", f"160000,{head},code.py"),
            ("--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'HEAD^')},code.py"),
        )
    ):
        repo.git("switch", "--quiet", "-c", f"b{number}", base)
        repo.git("update-index", *words)
        repo.git("commit", "--quiet", "-m", "c")
        made.append(repo.git("rev-parse", "HEAD"))
        repo.git("reset", "--quiet", "--hard")
    with open_history(str(repo.path)) as history:
        assert len(set(history.patches(made).values())) == 4


@given(
    st.lists(st.sampled_from([" a\n", "+a\n", "-@@ -1 +1 @@\n", "+diff --git\n"])), st.booleans()
)
def test_no_line_of_content_is_taken_for_a_header(lines: list[str], last: bool) -> None:
    commit = "c" * 40
    head = [f"{commit}\n", "diff --git a/x b/x\n", "index 1..2 100644\n", "@@ -1 +1 @@\n"]
    body = [*lines, f"+{commit}\n" if last else " z\n"]
    stream = [line.encode() for line in (*head, *body)]
    known = {f"{commit}\n".encode(): commit}
    ((found, digest),) = _digests(stream, known)
    expected = sha256(b"diff --git a/x b/x\n@@\n" + "".join(body).encode())
    assert (found, digest) == (commit, expected.hexdigest())


# -------------------------------------------------------------------------------------- signatures


def make_key(folder: Path, name: str) -> str:
    assert shutil.which("ssh-keygen"), "tests need ssh-keygen: apt-get install openssh-client"
    import subprocess

    path = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(command, check=True)
    return path.with_suffix(".pub").read_text().strip()


def signed(repo: Repo, key: Path) -> str:
    repo.git(
        *("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}"),
        *("commit", "--quiet", "--allow-empty", "-S", "-m", "signed"),
    )
    return repo.git("rev-parse", "HEAD")


def test_a_signature_by_a_given_key_has_a_name_and_any_other_has_none(
    repo: Repo, history: History, tmp_path: Path
) -> None:
    ada, eve = make_key(tmp_path, "ada"), make_key(tmp_path, "eve")
    good, bad = signed(repo, tmp_path / "ada"), signed(repo, tmp_path / "eve")
    plain = repo.commit("plain")
    (tmp_path / "allowed").write_text(f"* {eve}\n")
    repo.git("config", "gpg.ssh.allowedSignersFile", str(tmp_path / "allowed"))
    repo.git("config", "gpg.ssh.program", "true")
    found = history.changes([good, bad, plain])
    assert [found[one].ssh_signed for one in (good, bad, plain)] == [True, True, False]
    keys = {ada: "Ada, 0 *\n* namespaces"}
    assert history.signers([good, bad, plain], keys) == {good: "Ada, 0 *\n* namespaces"}
    assert history.signers([good], {eve: "Eve", ada: "Ada"}) == {good: "Ada"}
    assert history.signers([good], {}) == {}


def test_a_signature_that_was_moved_to_another_commit_is_nobodys(
    repo: Repo, history: History, tmp_path: Path
) -> None:
    ada = make_key(tmp_path, "ada")
    good = signed(repo, tmp_path / "ada")
    text = repo.git("cat-file", "commit", good)
    forged = text.replace("\n\nsigned", "\n\nforged") + "\n"
    made = repo.git("hash-object", "-t", "commit", "-w", "--stdin", input=forged)
    assert changed(history, made).ssh_signed
    assert history.signers([made], {ada: "Ada"}) == {}


def test_without_ssh_keygen_a_signature_cannot_be_told(
    repo: Repo, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = make_key(tmp_path, "ada")
    good = signed(repo, tmp_path / "ada")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(FactsUnavailable, match="ssh-keygen"):
        history.signers([good], {ada: "Ada"})
