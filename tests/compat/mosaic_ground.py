"""A repository whose people follow the handoff documents, with a remote; and what they type.

Every line is typed into a shell of its own, with nothing in the environment but what a shell needs.

    ground.types("python3 .mosaic/enforcement/handoff_validation_tests.py --pre-handoff").code
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handrail.edge.compat.mosaic import STAGES, suite_of
from handrail.service.setup import apply_config
from handrail.service.suite import Row
from handrail.wiring import Application
from tests.support import ROOT, RUN_TIMEOUT_S, Handrail, Repo, Result

VALIDATOR: Final = ".mosaic/enforcement/handoff_validation_tests.py"
GATE: Final = ".mosaic/enforcement/session-gate.sh"
PRE: Final = f"python3 {VALIDATOR} --pre-handoff"
POST: Final = f"python3 {VALIDATOR} --post-handoff"
FEATURES: Final = "scripts/verify_critical_features.sh"
STATE: Final = ".mosaic/agent_state.json"
HANDOFF: Final = ".mosaic/LATEST_HANDOFF.md"
DATED: Final = ".mosaic/SESSION_HANDOFF_2026-01-07.md"
MESSAGE: Final = "The search works and is tested; the next step is the page that shows it."
STATE_SAYS: Final[dict[str, Any]] = {
    "version": 1,
    "last_agent": "claude_code_terminal",
    "last_mode": "HANDOFF",
    "last_session_start": "2026-01-07T09:00:00Z",
    "last_commit": "a54f56a",
    "current_agent": "claude_code_terminal",
    "current_task": "Build the search",
    "handoff_message": MESSAGE,
    "user_decisions": {"D4_deployment_strategy": "one service"},
    "implementation_progress": {"render_service_url": "http://127.0.0.1:9"},
}
NO_HOOKS: Final = ("-c", "core.hooksPath=/dev/null")
KEPT: Final = ("PATH", "HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")
PERSON: Final = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")


def document() -> str | None:
    """Return the documents that this preset is made for, where they lie beside this checkout."""
    for folder in ROOT.parents:
        for found in sorted(folder.glob("shared/seeds/004_*.txt")):
            return found.read_text(encoding="utf-8")
    return None


def mended(text: str) -> str:
    """Return a document with its signs as they were before somebody read them as Mac Roman."""
    return text.encode("mac_roman", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True)
class Judged:
    """What the tests of a stage say, by their ids."""

    passed: bool
    rows: dict[str, Row]

    @property
    def failures(self) -> list[str]:
        """All that stands in the way."""
        return [failure for row in self.rows.values() for failure in row.failures]

    @property
    def warnings(self) -> list[str]:
        """All that is only said."""
        return [warning for row in self.rows.values() for warning in row.warnings]


class Ground:
    """A working tree, its remote ``origin``, and shells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repo = Repo(folder / "repo")
        self.path = self.repo.path

    def types(
        self, line: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Result:
        """Type a line into a fresh shell."""
        named = {name: os.environ[name] for name in (*KEPT, *PERSON) if name in os.environ}
        done = subprocess.run(
            ("bash", "-c", line),
            cwd=cwd or self.path,
            env={**named, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
        out, err = (text.decode("utf-8") for text in (done.stdout, done.stderr))
        assert "Traceback" not in err, err
        return Result((line,), done.returncode, out, err)

    def judges(self, stage: str) -> Judged:
        """Ask for the tests of a stage in this process: what the validator is told."""
        application = Application.open(str(self.path), {}, terminal=False)
        try:
            told = STAGES[stage](suite_of(application, str(self.path)))
        finally:
            application.close()
        return Judged(told.passed, {row.test: row for row in told.rows})

    def gate(self) -> tuple[bool, str]:
        """Ask for the session gate in this process: whether it passed, what it prints."""
        application = Application.open(str(self.path), {}, terminal=False)
        try:
            passed, lines = suite_of(application, str(self.path)).session_gate()
        finally:
            application.close()
        return passed, "\n".join(lines)

    def state(self, **changes: Any) -> None:
        """Write the state file."""
        self.repo.write(STATE, json.dumps({**STATE_SAYS, **changes}, indent=2) + "\n")

    def commits(self, message: str = "change") -> str:
        """Commit everything without a hook, long ago; returns the commit."""
        at = "2026-01-07T12:00:00 +0000"
        dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
        self.repo.git("add", "--all")
        self.repo.git(*NO_HOOKS, "commit", "--quiet", "--allow-empty", "-m", message, env=dates)
        return self.repo.git("rev-parse", "HEAD")

    def saves(self, message: str = "change", *, hooks: bool = False) -> None:
        """Commit everything and push it; with ``hooks`` as people do."""
        if hooks:
            self.repo.commit(message)
        else:
            self.commits(message)
        self.repo.git(*NO_HOOKS, "push", "--quiet", "origin", "HEAD")

    def configure(self, more: str = "", old: str = "", new: str = "") -> None:
        """Change the configuration and put it into force, as a person would; then save all."""
        file = self.path / "handrail.toml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1) + more)
        application = Application.open(str(self.path), {}, terminal=True)
        try:
            apply_config(application.context)
        finally:
            application.close()
        self.saves("configuration")

    def set_gates(self, *lines: str) -> None:
        """Set gates in `[gates]`, in place of what stands there."""
        file = self.path / "handrail.toml"
        names = {line.partition(" ")[0] for line in lines}
        kept = [one for one in file.read_text().splitlines() if one.partition(" ")[0] not in names]
        file.write_text("\n".join(kept) + "\n")
        self.configure(old="[gates]\n", new="\n".join(("[gates]", *lines, "")))


def make_template(folder: Path) -> None:
    """Set a repository up once."""
    repo = Repo.create(folder / "repo")
    repo.git("init", "--quiet", "--bare", "--initial-branch=main", str(folder / "origin.git"))
    ground = Ground(folder)
    ground.state()
    repo.write(".mosaic/blockers.json", '{"version": 1, "blockers": []}\n')
    repo.write(".mosaic/current_task.json", '{"version": 1, "status": "active"}\n')
    repo.write(".mosaic/session_log.jsonl", '{"timestamp": "2026-01-07T09:00:00Z"}\n')
    repo.write(DATED, "# Handoff\n\nThe search works.\n")
    (repo.path / HANDOFF).symlink_to(Path(DATED).name)
    repo.commit("state")
    done = Handrail(repo.path)("init", "--preset", "mosaic")
    assert done.code == 0, done.err
    repo.git("remote", "add", "origin", str(folder / "origin.git"))
    repo.commit("handrail")
    repo.git("push", "--quiet", "--set-upstream", "origin", "main")


_templates: dict[str, Path] = {}


def make_ground(folder: Path, templates: Path) -> Ground:
    """Copy what was set up once; ``templates`` lives as long as this process."""
    if "mosaic" not in _templates:
        make_template(templates)
        _templates["mosaic"] = templates
    target = folder / "mosaic"
    shutil.copytree(_templates["mosaic"], target, symlinks=True)
    ground = Ground(target)
    ground.repo.git("remote", "set-url", "origin", str(target / "origin.git"))
    return ground
