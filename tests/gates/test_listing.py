"""Looking paths up in what git lists agrees with taking all of it apart."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from handrail.gates.listing import Listing
from tests.support import Repo

NAMES = st.text("ab.-/\t\n\udcffé", min_size=1, max_size=5)
BLOB = "1" * 40


def plain(text: str) -> bool:
    return all(part not in ("", ".", "..") for part in text.split("/"))


def folders(paths: frozenset[str]) -> set[str]:
    return {path[:at] for path in paths for at, sign in enumerate(path) if sign == "/"}


def listed(paths: frozenset[str], mode: str = "100644") -> bytes:
    rows = sorted(os.fsencode(path) for path in paths)
    return b"".join(b"%s blob %s\t%s\0" % (mode.encode(), BLOB.encode(), row) for row in rows)


PATHS = st.frozensets(NAMES.filter(plain), max_size=12)


@given(PATHS, PATHS, PATHS)
def test_a_path_is_found_exactly_if_it_is_there(
    paths: frozenset[str], more: frozenset[str], others: frozenset[str]
) -> None:
    listing = Listing(listed(paths)).with_paths(more)
    assert {*listing} == paths | more
    assert len(list(listing)) == len(paths | more)
    for path in paths | more | others:
        assert (path in listing) == (path in paths | more)
        assert listing.has_folder(path) == (path in folders(paths | more))
        assert listing.blob(path) == (BLOB if path in paths else None)
        assert list(listing.links()) == []
    assert {*Listing(listed(paths, "120000")).links()} == {(path, BLOB) for path in paths}


def test_it_is_in_the_order_in_which_git_lists(repo: Repo, tmp_path: Path) -> None:
    names = ["a/b", "a-b", "a.b", "a0", "ab/c", "é", "a\tb", "a\nb", "z/" + "x" * 200, "sub-x"]
    for name in names:
        repo.write(name, "x")
    os.symlink("a-b", repo.path / "a+b")
    repo.commit("all", *names, "a+b")
    subprocess.run(["git", "init", "-q", repo.path / "sub"], check=True)
    words = ["git", "-C", str(repo.path / "sub"), "commit", "-q", "--allow-empty", "-m", "x"]
    subprocess.run(words, check=True)
    repo.commit("a submodule", "sub")
    words = ["git", "ls-tree", "-r", "-z", "--full-tree", "HEAD"]
    said = subprocess.run(words, cwd=repo.path, check=True, capture_output=True).stdout
    listing = Listing(said)
    assert all(path in listing for path in listing), "each that is listed is found"
    assert {*names, "a+b", "sub"} <= {*listing}
    assert listing.blob("a/b") is not None
    assert listing.blob("sub") is None
    assert listing.blob("a+b") is None
    assert [path for path, _ in listing.links()] == ["a+b"]
    assert listing.has_folder("a")
    assert not listing.has_folder("a-b")
    assert "a" not in listing
