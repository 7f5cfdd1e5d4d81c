"""Ledger refs as git gives them: bounded, by the objects alone, and whatever is odd is refused."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.core.events import StoreCreated
from handrail.core.lease import Actor
from handrail.core.published import Blob, Garbled
from handrail.errors import FactsUnavailable
from handrail.facts import neutral, published
from handrail.facts.published import PublishedRefs, open_published
from tests.core.makers import EPOCH, a_ledger
from tests.published_support import BRANCH, REF, TRACKING, Key, Shelf, files, head_name, plumb
from tests.support import SOURCE, Repo

ENTRIES: Final = a_ledger([(Actor(), StoreCreated(f"w{number}", None)) for number in range(9)])
KEY: Final = Key("ada")
NOTHING: Final = "1234567890" * 4


@pytest.fixture
def shelf(repo: Repo) -> Shelf:
    return Shelf(repo, KEY)


@pytest.fixture
def source(repo: Repo) -> Iterator[PublishedRefs]:
    with open_published(str(repo.path)) as opened:
        yield opened


def read(source: PublishedRefs, tip: str) -> dict[str, bytes]:
    """Give all files of a ledger by their names."""
    shape = source.shape(tip)
    contents = list(source.contents([shape.checkpoint, *shape.segments]))
    assert [len(content) for content in contents] == [
        blob.bytes for blob in (shape.checkpoint, *shape.segments)
    ]
    numbered = {f"segments/{n:08d}": content for n, content in enumerate(contents[1:], 1)}
    return {
        "format": shape.format,
        "head": shape.head,
        "checkpoint": contents[0],
        **numbered,
    }


# --------------------------------------------------------------------------------------------- refs


def test_refs_that_may_hold_a_ledger_are_listed(
    repo: Repo, shelf: Shelf, source: PublishedRefs
) -> None:
    tip = shelf.put(REF, ENTRIES)
    for ref in (BRANCH, TRACKING, "refs/tags/handrail/ledger/x", "refs/handrail/other/x"):
        repo.git("update-ref", ref, tip)
    assert sorted(source.refs()) == [(REF, tip), (BRANCH, tip), (TRACKING, tip)]
    repo.git("pack-refs", "--all")
    assert sorted(source.refs()) == [(REF, tip), (BRANCH, tip), (TRACKING, tip)]


def test_where_no_ledger_lies_there_are_no_refs(source: PublishedRefs) -> None:
    assert source.refs() == []


def test_refs_that_git_calls_broken_are_none_and_hide_no_other(
    repo: Repo, shelf: Shelf, source: PublishedRefs
) -> None:
    tip = shelf.put(REF, ENTRIES)
    folder = repo.path / ".git" / "refs" / "handrail" / "ledger"
    (folder / "cycle").write_text("ref: refs/handrail/ledger/cycle\n")
    (folder / "one").write_text("ref: refs/handrail/ledger/two\n")
    (folder / "two").write_text("ref: refs/handrail/ledger/one\n")
    (folder / "dangling").write_text("ref: refs/heads/none\n")
    (folder / "rubbish").write_bytes(b"\0\xff rubbish")
    (folder / "empty").write_bytes(b"")
    (folder / "alias").write_text(f"ref: {REF}\n")
    assert sorted(source.refs()) == [(REF, tip), ("refs/handrail/ledger/alias", tip)]


def test_more_refs_than_anybody_has_are_not_listed(
    shelf: Shelf, source: PublishedRefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put(REF, ENTRIES)
    shelf.put(BRANCH, ENTRIES)
    monkeypatch.setattr(published, "REFS_MAX", 2)
    assert len(source.refs()) == 2
    monkeypatch.setattr(published, "REFS_MAX", 1)
    with pytest.raises(FactsUnavailable, match="more than 1"):
        source.refs()


# ------------------------------------------------------------------------------------- what is read


def test_a_ledger_is_read_as_it_was_written(shelf: Shelf, source: PublishedRefs) -> None:
    tip = shelf.put(REF, ENTRIES)
    assert read(source, tip) == files(ENTRIES, KEY)
    assert source.history(tip) == [f"ledger {head_name(ENTRIES)}"]


def test_the_segments_after_a_checkpoint_are_read_alone(
    shelf: Shelf, source: PublishedRefs
) -> None:
    content = {f"segments/{n:08d}": f"row {n}\n".encode() for n in range(1, 4)}
    tip = shelf.put(REF, ENTRIES, change=lambda told: told.update(content))
    shape = source.shape(tip)
    assert list(source.contents(shape.segments[2:])) == [b"row 3\n"]
    assert list(source.contents(shape.segments[3:])) == []


def test_the_history_of_a_ref_is_told_newest_first(shelf: Shelf, source: PublishedRefs) -> None:
    tip = [shelf.put(REF, ENTRIES[:count]) for count in range(1, 10)][-1]
    named = [f"ledger {head_name(ENTRIES[:count])}" for count in range(9, 0, -1)]
    assert source.history(tip) == named


def test_a_linked_worktree_a_bare_clone_and_sha256_read_the_same(
    repo: Repo, shelf: Shelf, tmp_path: Path
) -> None:
    tip = shelf.put(REF, ENTRIES)
    repo.git("clone", "--quiet", "--mirror", str(repo.path), str(tmp_path / "bare.git"))
    for folder in (repo.worktree("linked"), tmp_path / "bare.git"):
        with open_published(str(folder)) as source:
            assert source.refs() == [(REF, tip)]
            assert read(source, tip) == files(ENTRIES, KEY)
    other = Repo(tmp_path / "sha256")
    other.path.mkdir()
    other.git("init", "--quiet", "--object-format=sha256")
    tip = Shelf(other, KEY).put(REF, ENTRIES)
    with open_published(str(other.path)) as source:
        assert len(tip) == 64
        assert source.refs() == [(REF, tip)]
        assert read(source, tip) == files(ENTRIES, KEY)


def test_in_quarantine_what_is_pushed_is_read_before_any_ref_names_it(
    repo: Repo, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shelf.put(REF, ENTRIES[:3])
    held = tmp_path / "quarantine"
    held.mkdir()
    fresh = {
        "GIT_OBJECT_DIRECTORY": str(held),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(repo.path / ".git" / "objects"),
        "GIT_QUARANTINE_PATH": str(held),
    }
    with monkeypatch.context() as patch:
        for name, value in fresh.items():
            patch.setenv(name, value)
        new = shelf.commit(shelf.tree_of(files(ENTRIES, KEY)), f"ledger {head_name(ENTRIES)}", old)
        with open_published(str(repo.path)) as source:
            assert source.refs() == [(REF, old)]
            assert read(source, new) == files(ENTRIES, KEY)
            assert len(source.history(new)) == 2
    with (
        open_published(str(repo.path)) as source,
        pytest.raises(Garbled, match="the commit that it names is missing"),
    ):
        source.shape(new)


HOOK: Final = """\
import os, sys
from handrail.facts.published import open_published

with open_published(os.getcwd()) as source, open("told", "w") as told:
    for line in sys.stdin:
        old, new, ref = line.split()
        shape = source.shape(new)
        (segment,) = source.contents(shape.segments)
        print(ref, len(source.refs()), len(segment), len(source.history(new)), file=told)
"""


def test_the_hook_of_a_real_push_reads_what_is_pushed(
    repo: Repo, shelf: Shelf, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.git"
    repo.git("init", "--quiet", "--bare", str(bare))
    (tmp_path / "hook.py").write_text(HOOK)
    hook = bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    path, python = shlex.quote(str(SOURCE.parent)), shlex.quote(sys.executable)
    script = shlex.quote(str(tmp_path / "hook.py"))
    hook.write_text(f"#!/bin/sh\nPYTHONPATH={path} exec {python} -P {script}\n")
    hook.chmod(0o755)
    size = len(files(ENTRIES, KEY)["segments/00000001"])
    shelf.put(REF, ENTRIES[:3])
    repo.git("push", "--quiet", str(bare), REF)
    shelf.put(REF, ENTRIES)
    repo.git("push", "--quiet", str(bare), REF)
    assert (bare / "told").read_text() == f"{REF} 1 {size} 2\n"


def test_replaced_objects_and_grafts_have_no_say(
    repo: Repo, shelf: Shelf, source: PublishedRefs
) -> None:
    first = shelf.put(REF, ENTRIES[:3])
    tip = shelf.put(REF, ENTRIES)
    fake = shelf.commit(shelf.tree_of(files(ENTRIES[:1], KEY)), "fake")
    repo.git("replace", tip, fake)
    (repo.path / ".git" / "info").mkdir(exist_ok=True)
    (repo.path / ".git" / "info" / "grafts").write_text(f"{first} {tip}\n")
    assert read(source, tip) == files(ENTRIES, KEY)
    assert len(source.history(tip)) == 2


@pytest.mark.parametrize("size", [0, 1, 100, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_contents_are_read_whatever_they_are(
    shelf: Shelf, source: PublishedRefs, size: int
) -> None:
    lines = (b"\0\r\xff" + b"x" * 100 + b"\n") * (size // 104 + 1)
    for content in (b"x" * size, lines[:size], b"\n" * min(size, 1_000)):
        blob = Blob(shelf.blob(content), len(content))
        assert list(source.contents([blob, blob])) == [content, content]


def test_a_file_of_nothing_but_lines_is_not_read_to_its_end(
    shelf: Shelf, source: PublishedRefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = Blob(shelf.blob(b"\n" * 1_000), 1_000)
    monkeypatch.setattr(published, "LINES_MAX", 1_000)
    assert list(source.contents([blob])) == [b"\n" * 1_000]
    monkeypatch.setattr(published, "LINES_MAX", 999)
    with pytest.raises(Garbled, match="cannot be read"):
        list(source.contents([blob]))


@settings(max_examples=20)
@given(contents=st.lists(st.binary(max_size=40), max_size=8), batch=st.integers(0, 100))
def test_contents_are_read_in_their_order_by_however_many_processes(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], batch: int
) -> None:
    repo = Repo.create(tmp_path_factory.mktemp("contents") / "repo")
    shelf = Shelf(repo, KEY)
    blobs = [Blob(shelf.blob(content), len(content)) for content in contents]
    with pytest.MonkeyPatch.context() as patch, open_published(str(repo.path)) as source:
        patch.setattr(published, "BATCH_BYTES_MAX", batch)
        assert list(source.contents(blobs)) == contents


# ------------------------------------------------------------------------------------- what is not


def test_what_is_no_commit_is_refused(repo: Repo, shelf: Shelf, source: PublishedRefs) -> None:
    tip = shelf.put(REF, ENTRIES)
    repo.git("tag", "-a", "-m", "tag", "annotated", tip)
    tag = repo.git("rev-parse", "annotated")
    tree = repo.git("rev-parse", f"{tip}^{{tree}}")
    for other in (shelf.blob(b"blob"), tree, tag):
        with pytest.raises(Garbled, match="it holds no commit"):
            source.shape(other)
    with pytest.raises(Garbled, match="the commit that it names is missing"):
        source.shape(NOTHING)
    for name in ("HEAD", "", "--help", f"{tip}^", tip[:10], tip.upper(), f"{tip}\n{tip}", "é" * 40):
        with pytest.raises(Garbled, match="it names no object"):
            source.shape(name)


Row = tuple[str, str, bytes]
Rows = Callable[[Shelf], Sequence[Row]]


def a_file(shelf: Shelf, name: bytes, mode: str = "100644", content: bytes = b"x") -> Row:
    return mode, shelf.blob(content), name


def segments_of(*names: bytes, mode: str = "100644") -> Rows:
    """Give the rows of a ledger whose segments have these names."""

    def rows(shelf: Shelf) -> Sequence[Row]:
        inner = shelf.tree([a_file(shelf, name, mode) for name in names])
        return [*small(shelf), ("040000", inner, b"segments")]

    return rows


def small(shelf: Shelf, *but: bytes) -> list[Row]:
    names = (b"checkpoint", b"format", b"head")
    return [a_file(shelf, name) for name in names if name not in but]


def folder(shelf: Shelf, name: bytes) -> Row:
    return "040000", shelf.tree([a_file(shelf, b"00000001")]), name


def a_bomb(shelf: Shelf) -> Sequence[Row]:
    """Give a tree of few objects in which git could walk for years."""
    inner = shelf.tree([])
    for _ in range(30):
        inner = shelf.tree([("040000", inner, f"{number:08d}".encode()) for number in range(1, 10)])
    return [*small(shelf), ("040000", inner, b"segments")]


TREES: Final[dict[str, tuple[Rows, str]]] = {
    "nothing": (lambda shelf: [], "not those of a ledger"),
    "no checkpoint": (
        lambda shelf: [*small(shelf, b"checkpoint"), folder(shelf, b"segments")],
        "not those of a ledger",
    ),
    "no segments": (small, "not those of a ledger"),
    "one more file": (
        lambda shelf: [*small(shelf), a_file(shelf, b"more"), folder(shelf, b"segments")],
        "more than a ledger does",
    ),
    "another file instead": (
        lambda shelf: [
            *small(shelf, b"head"),
            a_file(shelf, b"head\n"),
            folder(shelf, b"segments"),
        ],
        "not those of a ledger",
    ),
    "names of other alphabets": (
        lambda shelf: [a_file(shelf, b"\xff\xfe\n\t\x1b[2J"), *small(shelf)],
        "not those of a ledger",
    ),
    "a very long name": (lambda shelf: [a_file(shelf, b"n" * 9_000)], "not those|more than"),
    "a program": (
        lambda shelf: [
            *small(shelf, b"head"),
            a_file(shelf, b"head", "100755"),
            folder(shelf, b"segments"),
        ],
        "its head is no plain file",
    ),
    "a symbolic link": (
        lambda shelf: [
            *small(shelf, b"checkpoint"),
            a_file(shelf, b"checkpoint", "120000", b"/etc/passwd"),
            folder(shelf, b"segments"),
        ],
        "its checkpoint is no plain file",
    ),
    "a submodule": (
        lambda shelf: [
            *small(shelf, b"format"),
            ("160000", NOTHING, b"format"),
            folder(shelf, b"segments"),
        ],
        "its format is no plain file",
    ),
    "a folder": (
        lambda shelf: [*small(shelf, b"head"), folder(shelf, b"head"), folder(shelf, b"segments")],
        "its head is no plain file",
    ),
    "segments that are a file": (
        lambda shelf: [*small(shelf), a_file(shelf, b"segments")],
        "its segments are no folder",
    ),
    "segments that are missing": (
        lambda shelf: [*small(shelf), ("040000", NOTHING, b"segments")],
        "cannot be read",
    ),
    "a missing file": (
        lambda shelf: [
            *small(shelf, b"head"),
            ("100644", NOTHING, b"head"),
            folder(shelf, b"segments"),
        ],
        "its head is missing",
    ),
    "a large small file": (
        lambda shelf: [
            *small(shelf, b"head"),
            a_file(shelf, b"head", content=b"x" * 16_385),
            folder(shelf, b"segments"),
        ],
        "its head has more than 16384 bytes",
    ),
    "segments from nought": (segments_of(b"00000000", b"00000001"), "its segments is none"),
    "a segment left out": (segments_of(b"00000001", b"00000003"), "one before it is missing"),
    "a segment with few digits": (segments_of(b"1"), "its segments is none"),
    "something beside the segments": (segments_of(b"00000001", b"index"), "its segments is none"),
    "a segment that is a link": (segments_of(b"00000001", mode="120000"), "is no plain file"),
    "a segment that is a submodule": (
        lambda shelf: [
            *small(shelf),
            ("040000", shelf.tree([("160000", NOTHING, b"00000001")]), b"segments"),
        ],
        "is no plain file",
    ),
    "a bomb": (a_bomb, "its 00000001 is no plain file"),
}


@pytest.mark.parametrize("name", TREES)
def test_a_tree_that_is_none_of_a_ledger_is_refused(
    shelf: Shelf, source: PublishedRefs, name: str
) -> None:
    make, reason = TREES[name]
    tip = shelf.commit(shelf.tree(make(shelf)), "ledger")
    with pytest.raises(Garbled, match=reason):
        source.shape(tip)


def test_trees_that_git_would_not_write_are_refused(shelf: Shelf, source: PublishedRefs) -> None:
    segments = folder(shelf, b"segments")
    wrong = ("100644", shelf.tree([]), b"head")
    tip = shelf.commit(
        shelf.tree([*small(shelf, b"head"), wrong, segments], any_form=True), "ledger"
    )
    with pytest.raises(Garbled, match="cannot be read"):
        source.shape(tip)
    twice = [*small(shelf, b"format"), a_file(shelf, b"head"), segments]
    above = [a_file(shelf, b"../../x"), *small(shelf, b"format"), segments]
    for rows in (twice, above):
        tip = shelf.commit(shelf.tree(rows, any_form=True), "ledger")
        with pytest.raises(Garbled, match="not those of a ledger"):
            source.shape(tip)
    words = ("hash-object", "-t", "tree", "-w", "--literally", "--stdin")
    for raw in (b"rubbish", b"100644 format\0short", b"\0" * 50):
        tip = shelf.commit(plumb(shelf.repo, *words, input=raw), "ledger")
        with pytest.raises(Garbled, match=r"cannot be read|not those"):
            source.shape(tip)


def test_a_tree_of_very_many_files_is_not_read_to_its_end(
    shelf: Shelf, source: PublishedRefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shelf.blob(b"x")
    many: list[Row] = [("100644", found, f"{n:08d}".encode()) for n in range(1, 30_001)]
    inner = shelf.tree(many)
    monkeypatch.setattr(neutral, "OUTPUT_BYTES_MAX", 2 << 20)  # less than what git would say
    for tip in (
        shelf.commit(inner, "ledger"),
        shelf.commit(shelf.tree([*small(shelf), ("040000", inner, b"segments")]), "ledger"),
    ):
        with pytest.raises(Garbled, match="it holds more than a ledger does"):
            source.shape(tip)


@pytest.mark.parametrize(
    ("bound", "most", "reason"),
    [
        ("SEGMENT_BYTES_MAX", 10, "its 00000001 has more than 10 bytes"),
        ("SEGMENTS_MAX", 2, "it holds more than a ledger does"),
        ("LEDGER_BYTES_MAX", 32, "its files have more than 32 bytes"),
        ("CHECKPOINT_BYTES_MAX", 10, "its checkpoint has more than 10 bytes"),
    ],
)
def test_sizes_and_counts_have_bounds_that_are_looked_at_before_reading(
    shelf: Shelf,
    source: PublishedRefs,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    most: int,
    reason: str,
) -> None:
    content = {f"segments/{n:08d}": b"0123456789\n" for n in range(1, 3)}
    content["checkpoint"] = b"0123456789\n"
    tip = shelf.put(REF, ENTRIES, change=lambda told: told.update(content))
    # One of each bound's own size is taken, one more is not.
    monkeypatch.setattr(published, bound, {32: 33, 2: 2, 10: 11}[most])
    source.shape(tip)
    monkeypatch.setattr(published, bound, {32: 32, 2: 1, 10: 10}[most])
    monkeypatch.setattr(PublishedRefs, "contents", lambda *asked: pytest.fail("it was read"))
    with pytest.raises(Garbled, match=reason):
        source.shape(tip)


def test_what_is_damaged_or_another_thing_than_listed_is_refused(
    repo: Repo, shelf: Shelf, source: PublishedRefs
) -> None:
    blob = shelf.blob(b"0123456789")
    tree = shelf.tree([])
    for asked in (Blob(blob, 9), Blob(blob, 11), Blob(tree, 0), Blob(NOTHING, 1), Blob("x", 1)):
        with pytest.raises(Garbled, match="cannot be read"):
            list(source.contents([asked]))
    file = repo.path / ".git" / "objects" / blob[:2] / blob[2:]
    whole = file.read_bytes()
    file.chmod(0o644)
    for damaged in (b"", b"rubbish", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(Garbled, match="cannot be read"):
            list(source.contents([Blob(blob, 10)]))


def test_a_damaged_commit_or_tree_is_refused(
    repo: Repo, shelf: Shelf, source: PublishedRefs
) -> None:
    tip = shelf.put(REF, ENTRIES)
    tree = repo.git("rev-parse", f"{tip}^{{tree}}")
    for found in (tree, tip):
        file = repo.path / ".git" / "objects" / found[:2] / found[2:]
        file.chmod(0o644)
        file.write_bytes(b"rubbish")
        with pytest.raises(Garbled):
            source.shape(tip)
    with pytest.raises(Garbled, match="its history is not all here"):
        source.history(tip)


def test_a_git_that_hangs_is_given_up_and_its_ref_is_refused(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tip = shelf.put(REF, ENTRIES)
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "git"
    program.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    program.chmod(0o755)
    monkeypatch.setattr(neutral, "TIMEOUT_S", 0.2)
    monkeypatch.setenv("PATH", str(folder))
    quick = PublishedRefs(str(shelf.repo.path), neutral.Neutral(str(tmp_path), b""))
    with pytest.raises(Garbled, match="took more than"):
        quick.shape(tip)
    with pytest.raises(Garbled, match="took more than"):
        quick.history(tip)


# ----------------------------------------------------------------------------------------- history


def test_a_history_in_which_two_lines_meet_is_none_of_a_ledger(
    shelf: Shelf, source: PublishedRefs
) -> None:
    tree = shelf.tree_of(files(ENTRIES, KEY))
    one, two = shelf.commit(tree, "one"), shelf.commit(tree, "two")
    merge = shelf.commit(tree, "merge", one, two)
    for tip in (merge, shelf.commit(tree, "above", merge)):
        with pytest.raises(Garbled, match="has two parents"):
            source.history(tip)


def test_a_history_that_is_not_all_here_is_refused(
    repo: Repo, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.put(BRANCH, ENTRIES[:3])
    tip = shelf.put(BRANCH, ENTRIES)
    words = ("--quiet", "--depth=1", f"--branch=handrail/ledger/{EPOCH}", "--no-checkout")
    repo.git("clone", *words, f"file://{repo.path}", str(tmp_path / "shallow"))
    with open_published(str(tmp_path / "shallow")) as source:
        assert (TRACKING, tip) in source.refs()
        assert read(source, tip) == files(ENTRIES, KEY)
        with pytest.raises(Garbled, match="its history is not all here"):
            source.history(tip)


def test_a_very_long_history_is_not_read_to_its_end(
    shelf: Shelf, source: PublishedRefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    tip = [shelf.put(REF, ENTRIES[:count]) for count in range(1, 5)][-1]
    monkeypatch.setattr(published, "COMMITS_MAX", 4)
    assert len(source.history(tip)) == 4
    monkeypatch.setattr(published, "COMMITS_MAX", 3)
    with pytest.raises(Garbled, match="more than 3 commits"):
        source.history(tip)


@pytest.mark.parametrize(
    ("message", "subjects"),
    [
        (b"", [""]),
        (b"\n\n\n", [""]),
        (b"one\ntwo\n\nthree\n", ["one two"]),
        (b"\xff\xfe\x1b[2J\n", ["\ufffd\ufffd\x1b[2J"]),
        (b"x" * 4_096, ["x" * 4_096]),
        (b"x" * 4_097, None),
        (b"x" * (3 << 20), None),
        (b"a\0b\n", ["a"]),
    ],
)
def test_messages_are_told_by_their_first_paragraph(
    shelf: Shelf, source: PublishedRefs, message: bytes, subjects: list[str] | None
) -> None:
    tree = shelf.tree([])
    about = f"tree {tree}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\n".encode()
    words = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    tip = plumb(shelf.repo, *words, input=about + message)
    if subjects is not None:
        assert source.history(tip) == subjects
    else:
        with pytest.raises(Garbled, match="not one of a ledger"):
            source.history(tip)
