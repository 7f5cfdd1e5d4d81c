"""The files of a preset in a real repository: written, kept, replaced, taken out, found lost."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from handrail.service.install import preset_files
from handrail.service.install.preset_files import (
    install_presets,
    is_shim,
    is_unchanged,
    lost_presets,
    presets_of,
    stamped,
    uninstall_presets,
)
from handrail.service.install.preset_table import Block, Document, Script
from handrail.service.install.site import Site
from handrail.wiring import Application
from tests.support import Repo

SCRIPT: Final = "scripts/agent coord.py"
DOCUMENT: Final = "ops/GUIDE.md"
PROMPT: Final = "PROMPT.md"
TEXTS: Final = {
    "coord": b"#!/usr/bin/env python3\nprint('ours')\n",
    "guide": b"# Guide\n",
    "prompt": b"# Prompt\nrun it\n",
    "step": b"## Step 2\nrun it\n",
}
TABLE: Final = {
    "lanes": (
        Script(SCRIPT, "coord"),
        Document(DOCUMENT, "guide"),
        Document(PROMPT, "prompt"),
        Block(PROMPT, "step", "step", b"run it"),
    ),
    "mosaic": (Document("tools/verify.sh", "coord", runnable=True),),
}
BOTH: Final = ("lanes", "mosaic")
THEIRS: Final = "#!/bin/sh\necho theirs\n"
OURS: Final = stamped(TEXTS["coord"])


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let presets have these files."""
    monkeypatch.setattr(preset_files, "PRESET_FILES", TABLE)
    monkeypatch.setattr(preset_files, "_text", lambda preset, resource: TEXTS[resource])


@pytest.fixture
def site(repo: Repo) -> Iterator[Site]:
    application = Application.open(str(repo.path), {}, terminal=False)
    yield application.site
    application.close()


def tree(root: Path) -> dict[str, tuple[bytes | str, int]]:
    """Return what stands in a working tree, with permissions."""
    return {
        str(path.relative_to(root)): (
            os.readlink(path) if path.is_symlink() else path.read_bytes(),
            stat.S_IMODE(path.lstat().st_mode),
        )
        for path in sorted(root.rglob("*"))
        if (path.is_symlink() or path.is_file()) and ".git" not in path.relative_to(root).parts
    }


def install(site: Site, *, dry_run: bool = False) -> dict[str, str]:
    """Install both presets; return what became of each file."""
    return {
        step.what.removeprefix(f"{site.toplevel}/"): f"{step.outcome}: {step.note}".rstrip(": ")
        for step in install_presets(site, BOTH, dry_run=dry_run)
    }


def uninstall(site: Site, *, dry_run: bool = False) -> dict[str, str]:
    return {
        step.what.removeprefix(f"{site.toplevel}/"): f"{step.outcome}: {step.note}".rstrip(": ")
        for step in uninstall_presets(site, dry_run=dry_run)
    }


def lost(site: Site) -> dict[str, str]:
    found = lost_presets(site, BOTH)
    return {each.what.removeprefix(f"{site.toplevel}/"): each.reason for each in found}


def test_missing_files_are_created_and_nothing_stays_of_them(repo: Repo, site: Site) -> None:
    before = tree(repo.path)
    planned = install(site, dry_run=True)
    assert tree(repo.path) == before
    assert planned == dict.fromkeys((SCRIPT, DOCUMENT, PROMPT, "tools/verify.sh"), "created")
    assert install(site) == planned
    after = tree(repo.path)
    assert after[SCRIPT][0] == OURS
    assert after[SCRIPT][1] & 0o111 == after["tools/verify.sh"][1] & 0o111 == 0o111
    assert not after[DOCUMENT][1] & 0o111
    assert lost(site) == {}
    assert install(site) == dict.fromkeys(planned, "kept")
    assert tree(repo.path) == after
    would = uninstall(site, dry_run=True)
    assert tree(repo.path) == after
    assert uninstall(site) == would == dict.fromkeys(planned, "removed")
    assert tree(repo.path) == before
    assert not (repo.path / "ops").exists()
    assert uninstall(site) == {}


def test_a_script_that_was_there_is_kept_beside_ours_and_comes_back(repo: Repo, site: Site) -> None:
    repo.write(SCRIPT, THEIRS).chmod(0o640)
    repo.write(DOCUMENT, "# Their guide\n")
    before = tree(repo.path)
    note = "what was there is agent coord.py.before-handrail"
    assert install(site, dry_run=True)[SCRIPT] == f"replaced: {note}"
    assert tree(repo.path) == before
    assert install(site)[SCRIPT] == f"replaced: {note}"
    after = tree(repo.path)
    assert after[f"{SCRIPT}.before-handrail"] == before[SCRIPT]
    assert after[SCRIPT] == (OURS, 0o750)
    assert after[DOCUMENT] == before[DOCUMENT]
    assert set(install(site).values()) == {"kept"}
    assert tree(repo.path) == after
    assert uninstall(site)[SCRIPT] == "restored"
    assert tree(repo.path) == before


def test_a_document_that_is_there_gets_a_block_unless_it_says_it_already(
    repo: Repo, site: Site
) -> None:
    repo.write(PROMPT, b"# Theirs\r\nno end")
    before = tree(repo.path)
    assert install(site)[PROMPT] == "merged"
    text = (repo.path / PROMPT).read_bytes()
    assert text.startswith(b"# Theirs\r\nno end\r\n<!-- handrail:begin step -->\r\n## Step 2\r\n")
    assert install(site)[PROMPT] == "kept"
    assert uninstall(site)[PROMPT] == "restored"
    assert tree(repo.path) == before
    repo.write(PROMPT, "Step 2: run it\n")
    assert install(site)[PROMPT] == "kept"
    assert (repo.path / PROMPT).read_text() == "Step 2: run it\n"


def test_what_somebody_wrote_into_a_document_or_script_of_ours_stays(
    repo: Repo, site: Site
) -> None:
    repo.write(SCRIPT, THEIRS)
    install(site)
    changed = OURS + b"print('and mine')\n"
    repo.write(SCRIPT, changed)
    repo.write(DOCUMENT, "# Guide\nand mine\n")
    assert lost(site) == {SCRIPT: "somebody changed it"}
    note = "somebody had changed it; that is agent coord.py.changed"
    assert install(site)[SCRIPT] == f"updated: {note}"
    aside = repo.path / f"{SCRIPT}.changed"
    assert aside.read_bytes() == changed
    assert lost(site) == {}
    repo.write(SCRIPT, OURS + b"again\n")
    gone = uninstall(site)
    assert gone[SCRIPT] == f"restored: {note}"
    assert DOCUMENT not in gone
    assert (repo.path / SCRIPT).read_text() == THEIRS
    assert aside.read_bytes() == OURS + b"again\n"
    assert (repo.path / f"{SCRIPT}.changed.1").read_bytes() == changed
    assert (repo.path / DOCUMENT).read_text() == "# Guide\nand mine\n"


def test_scripts_that_are_lost_are_found_with_the_reason(repo: Repo, site: Site) -> None:
    install(site)
    script = repo.path / SCRIPT
    script.chmod(0o644)
    assert lost(site) == {SCRIPT: "it is not executable"}
    assert install(site)[SCRIPT] == "updated: it was not executable"
    script.unlink()
    assert lost(site) == {SCRIPT: "it is gone"}
    repo.write(SCRIPT, THEIRS)
    assert lost(site) == {SCRIPT: "another script stands in its place"}
    script.write_bytes(stamped(b"#!/bin/sh\nolder\n"))
    assert lost(site) == {SCRIPT: "it is another release's"}
    assert install(site)[SCRIPT] == "updated"
    assert lost(site) == {}
    script.unlink()
    script.symlink_to("elsewhere")
    assert lost(site) == {SCRIPT: "it is a symbolic link"}


def test_links_folders_and_read_only_files_are_left_with_a_note(repo: Repo, site: Site) -> None:
    outside = repo.path.parent / "outside"
    outside.mkdir()
    (repo.path / "scripts").symlink_to(outside)
    (repo.path / DOCUMENT).mkdir(parents=True)
    repo.write("tools", "a file\n")
    (repo.path / PROMPT).symlink_to("nowhere.md")
    before = tree(repo.path)
    for dry_run in (True, False):
        assert install(site, dry_run=dry_run) == {
            SCRIPT: "left: scripts is a symbolic link",
            DOCUMENT: "left: it is no ordinary file",
            PROMPT: "left: it is a symbolic link",
            "tools/verify.sh": "left: tools is no folder",
        }
    assert uninstall(site) == {}
    assert tree(repo.path) == before
    assert not list(outside.iterdir())


def test_a_read_only_script_is_left_and_so_is_one_that_cannot_be_written(
    repo: Repo, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = repo.write(SCRIPT, THEIRS)
    script.chmod(0o555)
    assert install(site)[SCRIPT] == "left: it is read-only"
    script.chmod(0o755)

    before, replace = tree(repo.path), os.replace

    def refused(old: str, new: str) -> None:
        if old.endswith(".part") and new == str(script):
            raise PermissionError(13, "Permission denied")
        replace(old, new)

    monkeypatch.setattr(os, "replace", refused)
    assert install(site)[SCRIPT] == "left: Permission denied"
    assert {name: seen for name, seen in tree(repo.path).items() if name in before} == before
    assert not (repo.path / f"{SCRIPT}.before-handrail").exists()


def test_another_script_in_the_place_of_ours_is_not_removed(repo: Repo, site: Site) -> None:
    repo.write(SCRIPT, THEIRS)
    install(site)
    repo.write(SCRIPT, "#!/bin/sh\nnew\n")
    left = "left: another script has come into its place"
    assert uninstall(site)[f"{SCRIPT}.before-handrail"] == left
    assert (repo.path / SCRIPT).read_text() == "#!/bin/sh\nnew\n"


def test_a_stamp_tells_who_wrote_a_script_and_whether_anybody_changed_it() -> None:
    assert is_shim(OURS)
    assert is_unchanged(OURS)
    assert stamped(b"#!/bin/sh\n# handrail:shim\nx\n") == stamped(b"#!/bin/sh\nx\n")
    for changed in (OURS + b"\n", OURS.replace(b"ours", b"mine"), b" " + OURS):
        assert is_shim(changed)
        assert not is_unchanged(changed)
    for other in (b"", b"\n", b"#!/bin/sh\n", THEIRS.encode(), b"x\n\n# handrail:shim\n"):
        assert not is_shim(other)


def test_the_formats_of_projections_say_whose_files_belong_here() -> None:
    assert presets_of(["mosaic-log", "lanes-note", "lanes-tracker"]) == ("lanes", "mosaic")
    assert presets_of(["lanes-note"]) == ("lanes",)
    assert presets_of([]) == presets_of(["other-note"]) == ()
