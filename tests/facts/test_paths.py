"""Which paths a scope really means, by the links of a real working tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from handrail.errors import MalformedScope
from handrail.facts.paths import resolve


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A working tree with a folder, a file and links of each kind."""
    root = tmp_path / "tree"
    (root / "real" / "deep").mkdir(parents=True)
    (root / "real" / "a.py").write_text("a")
    for name, target in {
        "link": "real",
        "abs": str(root / "real"),
        "twice": "link",
        "file.py": "real/a.py",
        "real/up": "..",
        "dangling": "nowhere/at/all",
        "out": "../outside",
        "top": ".",
        "root": "/",
    }.items():
        (root / name).symlink_to(target)
    (tmp_path / "outside").mkdir()
    return root


@pytest.mark.parametrize(
    ("anchor", "meant"),
    [
        ("real/a.py", ["real/a.py"]),
        ("not/there/yet", ["not/there/yet"]),
        ("real/new", ["real/new"]),
        ("real/a.py/below/a/file", ["real/a.py/below/a/file"]),
        ("link/a.py", ["real/a.py"]),
        ("link/deep/new/file", ["real/deep/new/file"]),
        ("abs/a.py", ["real/a.py"]),
        ("twice/a.py", ["real/a.py"]),
        ("link", ["link", "real"]),
        ("twice", ["twice", "real"]),
        ("abs", ["abs", "real"]),
        ("file.py", ["file.py", "real/a.py"]),
        ("real/up/real/a.py", ["real/a.py"]),
        ("link/up/link/a.py", ["real/a.py"]),
        ("dangling", ["dangling", "nowhere/at/all"]),
        ("dangling/x", ["nowhere/at/all/x"]),
        ("top/real/a.py", ["real/a.py"]),
        ("top", ["top"]),
        ("a\udcff", ["a\udcff"]),
        ("nul\0byte", ["nul\0byte"]),
        ("x" * 4_000, ["x" * 4_000]),
    ],
)
def test_links_are_followed_to_what_they_mean(tree: Path, anchor: str, meant: list[str]) -> None:
    assert resolve(str(tree), anchor) == meant


@pytest.mark.parametrize("anchor", ["out", "out/x", "root", "root/etc/passwd", "real/up/out/x"])
def test_what_leads_out_is_refused(tree: Path, anchor: str) -> None:
    with pytest.raises(MalformedScope):
        resolve(str(tree), anchor)


def test_a_name_that_only_begins_alike_is_outside(tree: Path) -> None:
    (tree.parent / "tree-2").mkdir()
    (tree / "near").symlink_to("../tree-2")
    with pytest.raises(MalformedScope):
        resolve(str(tree), "near/x")


def test_a_working_tree_reached_by_a_link_is_the_same(tree: Path) -> None:
    door = tree.parent / "door"
    door.symlink_to(tree)
    assert resolve(str(door), "abs/a.py") == ["real/a.py"]
    assert resolve(str(door), "link") == ["link", "real"]
