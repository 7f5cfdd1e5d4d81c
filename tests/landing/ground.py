r"""Where code lands: a bare repository that judges pushes, and a clone whose store it has enrolled.

A ground is made once and copied for each test: setting up takes longer than most attacks.

    ground = Ground.copied(template, tmp_path)
    ground.commit("s-1", {"src/a.py": "pass\n"})
    assert ground.push().code == 0
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from handrail.service.claims import Asked
from handrail.service.sessions import Sessions
from handrail.service.setup import apply_config
from handrail.wiring import Application
from handrail.wiring.sharing import enrolment
from tests.support import Handrail, Repo, Result

CONFIG: Final = """
[workspace]
id = "acme-3fk2ap"
mode = "{mode}"
default_role = "dev"
protected_refs = ["main"]
exempt = ["docs/generated/**"]
unattributed = "refuse"

[[role]]
name = "dev"
lane = ["src/**", "docs/**", "vendor/**"]

[[role]]
name = "lead"
lane = ["**"]
coordinates = true

[[person]]
name = "Ada"
signing_keys = ["{key}"]

[[gate]]
id = "style"
stages = ["pre-handoff"]
run = ["true"]
protects = ["docs/style/**"]
"""
FILES: Final = {
    "src/a.py": "def a():\n    return 1\n",
    "src/b.py": "def b():\n    return 2\n",
    "src/run.sh": "#!/bin/sh\necho run\n",
    "docs/guide.md": "# Guide\n",
    "docs/generated/api.md": "# Made by a tool\n",
    "ops/deploy.sh": "#!/bin/sh\necho deploy\n",
}


class Ground:
    """A remote that judges, and a clone with a store, sessions and hooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bare = folder / "origin.git"
        self.repo = Repo(folder / "ada")
        self.path = self.repo.path
        self.key = folder / "person"

    @classmethod
    def make(cls, folder: Path, workspace: str = "", store: str = "sqlite") -> Ground:
        """Set everything up as the documents say: adopted, enrolled, pushed."""
        folder.mkdir(parents=True, exist_ok=True)
        ground = cls(folder)
        cls.keygen(ground.key, "ada")
        words = ("git", "init", "--quiet", "--bare", "--initial-branch=main", str(ground.bare))
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        assert Handrail(ground.bare)("init", "--bare").code == 0
        ground.repo = Repo.create(ground.path)
        for path, text in FILES.items():
            ground.repo.write(path, text)
        key = " ".join(ground.key.with_suffix(".pub").read_text().split()[:2])
        text = CONFIG.format(key=key, mode="enforce") + f'\n[store]\nurl = "{store}"\n'
        ground.repo.write("handrail.toml", text.replace("acme-3fk2ap", workspace or "acme-3fk2ap"))
        done = Handrail(ground.path)("init")
        assert done.code == 0, done
        ground.enrol()
        ground.configure()
        ground.repo.commit("adopt Handrail")
        ground.repo.git("remote", "add", "origin", str(ground.bare))
        done = ground.push()
        assert done.code == 0, done
        return ground

    @staticmethod
    def keygen(path: Path, comment: str) -> None:
        """Make an SSH key without a passphrase."""
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)

    @classmethod
    def copied(cls, template: Path, folder: Path) -> Ground:
        """Copy a ground; nothing in it names where it lies but the remote's address."""
        shutil.copytree(template, folder, symlinks=True)
        ground = cls(folder)
        ground.repo.git("remote", "set-url", "origin", str(ground.bare))
        return ground

    @contextmanager
    def open(
        self, session: str | None = None, *, terminal: bool = False, cwd: Path | None = None
    ) -> Iterator[Application]:
        """Open the application in this process, in the name of a session."""
        named = {} if session is None else {"HANDRAIL_SESSION": session}
        application = Application.open(str(cwd or self.path), named, terminal=terminal)
        try:
            yield application
        finally:
            application.close()

    def enrol(self, folder: Path | None = None) -> None:
        """Enrol the store of a clone in its own ``handrail.toml``, as a person."""
        with self.open(terminal=True, cwd=folder) as application:
            enrolment(application).enroll(holder="ada")

    def configure(self) -> None:
        """Put the working tree's configuration into force, as a person."""
        with self.open(terminal=True) as application:
            apply_config(application.context)

    def session(self, name: str, role: str = "dev", cwd: Path | None = None) -> str:
        """Start a session; returns its id."""
        with self.open(cwd=cwd) as application:
            return Sessions(application.context).start(id=name, agent=name, role=role).session.id

    def claim(self, session: str, *scope: str, cwd: Path | None = None) -> None:
        """Claim in the name of a session."""
        with self.open(session, cwd=cwd) as application:
            application.leases.claim(Asked(tuple(scope)))

    def release(self, session: str, cwd: Path | None = None) -> None:
        """Release all that a session holds."""
        with self.open(session, cwd=cwd) as application:
            application.leases.release((), everything=True)

    def write(self, files: Mapping[str, str]) -> None:
        """Write and stage files of the clone."""
        for path, text in files.items():
            self.repo.write(path, text)
        self.repo.git("add", "--all", "--", *files)

    def commit(
        self, session: str | None, files: Mapping[str, str], *words: str, **env: str
    ) -> Result:
        """Commit files by ``git commit``, hooks and all, in the name of a session."""
        self.write(files)
        named = {} if session is None else {"HANDRAIL_SESSION": session}
        return self.git("commit", "--quiet", "-m", "change", *words, **named, **env)

    def sneak(self, files: Mapping[str, str], *words: str, **env: str) -> Result:
        """Commit files with no hook at all."""
        self.write(files)
        quiet = ("-c", f"core.hooksPath={os.devnull}")
        return self.git(*quiet, "commit", "--quiet", "--no-verify", "-m", "change", *words, **env)

    def git(self, *words: str, cwd: Path | str | None = None, **env: str) -> Result:
        """Run git in the clone, whatever it says."""
        done = subprocess.run(
            ("git", *words),
            cwd=cwd or self.path,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=60,
            check=False,
        )
        return Result(("git", *words), done.returncode, done.stdout, done.stderr)

    def push(self, *words: str, **env: str) -> Result:
        """Push main, or what the words say, with all hooks."""
        return self.git("push", "--quiet", "origin", *(words or ("main",)), **env)

    def force(self, *words: str, **env: str) -> Result:
        """Push past the clone's own hook, the ledger first: only the remote judges."""
        Handrail(self.path)("ledger", "sync", "origin")
        return self.git("push", "--quiet", "--no-verify", "origin", *(words or ("main",)), **env)

    def landed(self, ref: str = "refs/heads/main") -> str:
        """Return what a ref of the remote holds; '' if it is not there."""
        return self.git("rev-parse", "--verify", "--quiet", ref, cwd=self.bare).out.strip()

    @property
    def head(self) -> str:
        """What the clone has."""
        return self.repo.git("rev-parse", "HEAD")
