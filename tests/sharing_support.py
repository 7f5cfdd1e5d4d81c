"""Clones with a store each and a remote between them, for the tests of sharing ledgers.

shop = Shop(tmp_path)
ada = shop.clone("ada")
ada.enroll()
ada.sync().outcome
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from handrail.config import parse_config
from handrail.core.events import CommitUnattributed
from handrail.core.lease import Actor
from handrail.core.ledger import Head
from handrail.facts.keys import check
from handrail.facts.published import open_published
from handrail.service.claims import Asked
from handrail.service.enrolment import Enrolled
from handrail.service.published import Published, read_published
from handrail.service.sessions import Sessions
from handrail.service.setup import apply_config, initialise
from handrail.service.syncing import Synced
from handrail.wiring import Application
from handrail.wiring.sharing import enrolment, syncing
from tests.support import SOURCE, Repo

LEDGERS = "refs/handrail/ledger/"
BRANCHES = "refs/heads/handrail/ledger/"


class Shop:
    """A bare repository that everybody pushes to, and the clones of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bare = folder / "remote.git"
        first = Repo.create(folder / "first")
        first.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        first.git("remote", "add", "origin", str(self.bare))
        with _opened(first.path, terminal=False) as application:
            initialise(application.ground, "minimal")
        first.git("config", "core.hooksPath", os.devnull)  # its store is nobody's: nothing to say
        first.commit("handrail")
        first.git("push", "--quiet", "origin", "main")
        shutil.rmtree(first.path)

    def clone(self, name: str) -> Clone:
        """Clone it and set the clone up: a store of its own."""
        path = self.folder / name
        subprocess.run(["git", "clone", "--quiet", str(self.bare), str(path)], check=True)
        clone = Clone(Repo(path))
        with clone.open() as application:
            initialise(application.ground, "minimal")
        return clone

    def refs(self) -> dict[str, str]:
        """Return what the ledger refs of the remote hold."""
        return refs_of(self.bare)

    def git(self, *words: str, input: str | None = None) -> str:
        """Run git in the bare repository."""
        return Repo(self.bare).git(*words, input=input)

    def hook(self, name: str, script: str) -> None:
        """Put a hook into the bare repository."""
        path = self.bare / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def believed(self, *clones: Clone, folder: Path | None = None) -> list[Published]:
        """Read the ledgers of the remote as who enrols these clones does."""
        text = clones[0].repo.path.joinpath("handrail.toml").read_bytes()
        with open_published(str(folder or self.bare)) as source:
            return read_published(source, parse_config(text).epochs, check)


class Clone:
    """One clone, and the store in it."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.path = repo.path

    @contextmanager
    def open(self, *, terminal: bool = False, **env: str) -> Iterator[Application]:
        """Open the application in this process."""
        with _opened(self.path, terminal=terminal, **env) as application:
            yield application

    @property
    def epoch(self) -> str:
        """The epoch of its store."""
        with self.open() as application, application.store.read() as reader:
            return reader.epoch

    @property
    def head(self) -> Head:
        """The newest entry of its store."""
        with self.open() as application, application.store.read() as reader:
            return Head(*reader.head)

    @property
    def ref(self) -> str:
        """Where its ledger lies."""
        return LEDGERS + self.epoch

    def refs(self) -> dict[str, str]:
        """Return what the ledger refs here hold."""
        return refs_of(self.path)

    def enroll(self, holder: str | None = None) -> Enrolled:
        """Enrol its store and put that into force, as a person does."""
        with self.open(terminal=True) as application:
            done = enrolment(application).enroll(holder=holder)
            apply_config(application.context)
            return done

    def knows(self, *others: Clone) -> None:
        """Enrol the stores of others here too, as a pull of their commits does."""
        path = self.path / "handrail.toml"
        for other in others:
            epochs = parse_config((other.path / "handrail.toml").read_bytes()).epochs
            (row,) = [epoch for epoch in epochs if epoch.id == other.epoch]
            block = "".join(f'{name} = "{text}"\n' for name, text in row._asdict().items())
            path.write_text(f"{path.read_text()}\n[[epoch]]\n{block}")
        with self.open(terminal=True) as application:
            apply_config(application.context)

    def sync(self, remote: str | None = None, *, dry_run: bool = False, **env: str) -> Synced:
        """Share its ledger."""
        with self.open(terminal=False, **env) as application:
            return syncing(application).sync(remote, dry_run=dry_run)

    def add(self, number: int = 1) -> None:
        """Let its ledger grow by entries that mean nothing."""
        with self.open() as application, application.store.transaction() as tx:
            event = CommitUnattributed((("refs/heads/x", "", "1" * 40),), ("1" * 40,), "x" * 20)
            tx.commit([event] * number, Actor())

    def claim(self, session: str, *scope: str) -> None:
        """Let a session of this clone hold a scope."""
        with self.open() as application:
            Sessions(application.context).start(id=session, agent=f"{session}-agent")
        with self.open(HANDRAIL_SESSION=session) as application:
            application.leases.claim(Asked(tuple(scope)))

    def copied(self, name: str) -> Clone:
        """Copy the whole clone, its store included."""
        target = self.path.parent / name
        shutil.copytree(self.path, target, symlinks=True)
        return Clone(Repo(target))

    def write_ledger(self, files: dict[str, str], message: str, parent: str | None = None) -> str:
        """Write a commit of any files by hand; a path with a slash lies in a folder."""
        index = self.path / ".git" / "by-hand.index"
        env = {"GIT_INDEX_FILE": str(index)}
        for path, text in files.items():
            blob = self.repo.git("hash-object", "-w", "--stdin", input=text)
            row = f"100644,{blob},{path}"
            self.repo.git("update-index", "--add", "--cacheinfo", row, env=env)
        tree = self.repo.git("write-tree", env=env)
        index.unlink()
        words = ["commit-tree", tree, "-m", message, *(["-p", parent] if parent else [])]
        return self.repo.git(*words)


@contextmanager
def _opened(path: Path, *, terminal: bool, **env: str) -> Iterator[Application]:
    application = Application.open(str(path), env, terminal=terminal)
    try:
        yield application
    finally:
        application.close()


def refs_of(folder: Path) -> dict[str, str]:
    """Return what the ledger refs of a repository hold."""
    words = ["for-each-ref", "--format=%(refname) %(objectname)", f"{LEDGERS}*", f"{BRANCHES}*"]
    rows = Repo(folder).git(*words).splitlines()
    return dict(row.split(" ") for row in rows)


def started(script: str, *words: str, cwd: Path) -> subprocess.Popen[str]:
    """Start a Python process that has this project and these tests at hand."""
    env = {**os.environ, "PYTHONPATH": f"{SOURCE.parent}{os.pathsep}{SOURCE.parent.parent}"}
    return subprocess.Popen(
        [sys.executable, "-c", script, *words],
        cwd=cwd,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def entries_of(clone: Clone) -> Sequence[tuple[bytes, bytes | None]]:
    """Return all entries of a clone's store."""
    with clone.open() as application, application.store.read() as reader:
        return [(entry.header, entry.payload) for entry in reader.entries()]
