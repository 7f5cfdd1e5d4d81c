"""A repository whose people follow the directives' documents, and what they type.

A line is typed into a shell of its own, with nothing in the environment but what a shell needs;
what needs no process of its own is asked in this one.

    ground.hands("--to-role", "executor", role="architect").code
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from handrail.core.reading import READ
from handrail.edge.compat import run
from handrail.service.claims import Asked, Granted
from handrail.service.handoffs import Accepted, Offered, Offering
from handrail.service.judged import JudgedHandoffs
from handrail.service.projecting import Projecting
from handrail.service.readings import Readings
from handrail.service.sessions import Sessions
from handrail.service.setup import apply_config
from handrail.wiring import Application
from handrail.wiring.gates import Gates
from tests.support import ROOT, RUN_TIMEOUT_S, Handrail, Repo, Result

STORE: Final = ".directive-cli/directives"
NAME: Final = "26-02-11_nav"
FOLDER: Final = f"{STORE}/{NAME}"
HANDOFF: Final = f"{FOLDER}/nav.handoff.json"
META: Final = f"{FOLDER}/nav.meta.json"
TASK: Final = f"{FOLDER}/02-nav.task.json"
RULES: Final = ".directive-cli/docs/agent-rules/shared/role-handoff-automation.md"
BRANCH: Final = "feat/nav"
ID: Final = "0f6c1a1e-7d0a-4a57-9a39-2f0f6d3b2c11"
ROLES: Final = ("architect", "executor", "auditor", "pair")
KEPT: Final = ("PATH", "HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")
PERSON: Final = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
ALLOWED: Final = (("src/nav.ts", "write"), ("src/menu.ts", "read"))


def meta_of(**changes: Any) -> dict[str, Any]:
    """Return a directive's metadata."""
    meta = {
        "id": ID,
        "directive_slug": "nav",
        "title": "Navigation",
        "summary": "The navigation has two levels.",
        "status": "in_progress",
        "priority": "high",
        "session_priority": "high",
        "directive_branch": BRANCH,
        "directive_base_branch": "dev",
        "directive_merge_status": "open",
        "commit_policy": "end_of_directive",
    }
    return {"kind": "directive_session_meta", "schema_version": "1.0", "meta": {**meta, **changes}}


def task_of(*allowed: tuple[str, str], **changes: Any) -> dict[str, Any]:
    """Return a task that allows paths, each with an access."""
    meta = {
        "id": "02-nav",
        "title": "Second level",
        "status": "todo",
        "priority": "high",
        "session_priority": "high",
        "summary": "The second level opens.",
        "execution_model": "any",
        "thinking_level": "high",
    }
    task = {
        "objective": "The second level opens.",
        "constraints": ["no new dependency"],
        "allowed_files": [{"path": path, "access": access} for path, access in allowed],
        "steps": [{"id": "1", "instruction": "open it", "files": [], "artifact": ""}],
        "validation": {"commands": ["true"]},
        "expected_output": ["it opens"],
        "stop_conditions": ["a route changes"],
        "notes": [],
    }
    return {"kind": "directive_task", "meta": {**meta, **changes}, "task": task}


def document() -> str | None:
    """Return the document that this preset is made for, where it lies beside this checkout."""
    for folder in ROOT.parents:
        for found in sorted(folder.glob("shared/seeds/003_*.txt")):
            return found.read_text(encoding="utf-8")
    return None


class Ground:
    """A working tree under the preset: a session of each role, and shells."""

    def __init__(self, path: Path) -> None:
        self.repo = Repo(path)
        self.path = path

    # --- files -----------------------------------------------------------------------------------

    def writes(self, path: str, value: Any) -> None:
        """Write a document of JSON."""
        self.repo.write(path, json.dumps(value, indent=2) + "\n")

    def reads(self, path: str = HANDOFF) -> dict[str, Any]:
        """Return a document of JSON."""
        found: dict[str, Any] = json.loads((self.path / path).read_text())
        return found

    def handoff(self) -> dict[str, Any]:
        """Return what the handoff file says."""
        found: dict[str, Any] = self.reads()["handoff"]
        return found

    def saves(self, message: str = "change") -> str:
        """Commit everything, without a hook."""
        self.repo.git("add", "--all")
        words = ("-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--allow-empty")
        self.repo.git(*words, "-m", message)
        return self.repo.git("rev-parse", "HEAD")

    def configure(self, old: str, new: str) -> None:
        """Change the configuration and put it into force, as a person would; then save all."""
        file = self.path / "handrail.toml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        application = Application.open(str(self.path), {}, terminal=True)
        try:
            apply_config(application.context)
        finally:
            application.close()
        self.saves("configuration")

    # --- acting in this process ------------------------------------------------------------------

    @contextmanager
    def acting(self, role: str | None) -> Iterator[Application]:
        """Open the repository in the name of the session of a role."""
        told = {} if role is None else {"HANDRAIL_SESSION": f"s-{role}"}
        application = Application.open(str(self.path), told, terminal=False)
        try:
            yield application
        finally:
            application.close()

    def judged(self, application: Application) -> JudgedHandoffs:
        """Return the use cases of handing over, with their gates."""
        gates = Gates(application, str(self.path), reruns=True).around()
        return JudgedHandoffs(application.context, application.packet_files, gates)

    def offers(self, role: str, *, dry_run: bool = False, **asked: Any) -> Offered:
        """Offer a packet, and let the handoff file show it."""
        with self.acting(role) as application:
            done = self.judged(application).offer(Offering(**asked), dry_run=dry_run)
            Projecting(application.context, application.projection_files).lead_on()
        return done

    def accepts(self, role: str, task: str | None = None) -> Accepted:
        """Accept the packet that waits."""
        with self.acting(role) as application:
            return self.judged(application).accept(task)

    def claims(self, role: str, *scope: str) -> Granted:
        """Claim paths."""
        with self.acting(role) as application:
            return application.leases.claim(Asked(scope))

    def exports(self) -> dict[str, str]:
        """Write all projections anew; returns what became of each."""
        with self.acting(None) as application:
            shown = Projecting(application.context, application.projection_files).export()
        return {one.path: one.outcome for one in shown}

    def asks(self, name: str, *words: str, env: Mapping[str, str] | None = None) -> Result:
        """Ask what a script would ask, in this process."""
        out, err = StringIO(), StringIO()
        with patch.dict(os.environ, env or {}), redirect_stdout(out), redirect_stderr(err):
            code = run(["-C", str(self.path), "directive", name, *words])
        assert "handrail: bug" not in err.getvalue(), err.getvalue()
        return Result(words, code, out.getvalue(), err.getvalue())

    def hands(self, *words: str, role: str | None = None, name: str = "newhandoff") -> Result:
        """Ask what ``newhandoff`` would, in the name of the session of a role."""
        env = {} if role is None else {"HANDRAIL_SESSION": f"s-{role}"}
        return self.asks(name, *words, env=env)

    # --- shells ----------------------------------------------------------------------------------

    def types(self, line: str, env: Mapping[str, str] | None = None) -> Result:
        """Type a line into a fresh shell and wait for it."""
        named = {name: os.environ[name] for name in (*KEPT, *PERSON) if name in os.environ}
        done = subprocess.run(
            ("bash", "-c", line),
            cwd=self.path,
            env={**named, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Result((line,), done.returncode, done.stdout, done.stderr)


def make_template(path: Path) -> None:
    """Set a repository up once: a directive, the preset, a session of each role."""
    repo = Repo.create(path)
    ground = Ground(path)
    ground.writes(META, meta_of())
    ground.writes(TASK, task_of(*ALLOWED))
    for name in ("src/nav.ts", "src/menu.ts", "apps/web/page.ts"):
        repo.write(name, "export {}\n")
    repo.commit("the original")
    done = Handrail(path)("init", "--preset", "directive")
    assert done.code == 0, done.err
    repo.git("switch", "--quiet", "-c", BRANCH)
    ground.saves("handrail")
    with ground.acting(None) as application:
        for role in ROLES:
            Sessions(application.context).start(id=f"s-{role}", agent=f"bot-{role}", role=role)
    for role in ROLES:
        with ground.acting(role) as application:
            reads_all(application)


def reads_all(application: Application) -> None:
    """Let a session have read what its role asks for."""
    readings = Readings(application.context)
    readings.saw([row.path for row in readings.standing().rows], READ)


_templates: dict[str, Path] = {}


def make_ground(folder: Path, templates: Path) -> Ground:
    """Copy what was set up once; ``templates`` lives as long as this process."""
    if "directive" not in _templates:
        make_template(templates / "repo")
        _templates["directive"] = templates / "repo"
    target = folder / "repo"
    shutil.copytree(_templates["directive"], target, symlinks=True)
    return Ground(target)
