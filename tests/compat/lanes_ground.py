"""A repository whose people follow the lanes' documents, and what they type.

Every line is typed into a shell of its own, with the documented environment and nothing else.

    ground.types(CLAIM, ME).code
    ground.asks("check-tracking", "--check")     # in this process
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Final
from unittest.mock import patch

from handrail.edge.compat import run
from handrail.service.setup import apply_config
from handrail.wiring import Application
from tests.support import ROOT, RUN_TIMEOUT_S, Handrail, Repo, Result

TRACKER: Final = "ops/PROJECT_TRACKER.md"
NOTES: Final = {
    "topic01": "content/topics/topic01_agent_working_note.md",
    "website": "site/website_agent_working_note.md",
    "ops-tooling": "ops/ops_tooling_agent_working_note.md",
}
HEAD_2: Final = (
    "| session_id | role | agent_id | scope | activity | status | evidence | follow_up |"
)
HEAD_3: Final = (
    "| date_time | session_id | roles_involved | coordination_event | decision | status |"
)
TRACKER_TEXT: Final = f"""\
# Project tracker

## 2) Role Activity Ledger

{HEAD_2}
|---|---|---|---|---|---|---|---|
| 2026-02-01-first | website | old-bot | site | begun | closed | none | none |

## 3) Integrator Coordination Log

{HEAD_3}
|---|---|---|---|---|---|

## 4) Decision Changelog
"""
EMPTY_STATE: Final = '{"schema_version": 1, "leases": [], "handoffs": [], "conflicts": []}\n'
KEPT: Final = ("PATH", "HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")
PERSON: Final = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
SESSION: Final = "2026-03-01-nav"
ME: Final = {"AGENT_ID": "bot-2", "AGENT_SESSION_ID": SESSION}
CLAIM: Final = (
    'python3 scripts/agent_coord.py --claim --role website --agent-id "$AGENT_ID"'
    ' --scope site/src --session-id "$AGENT_SESSION_ID"'
)
CHECK: Final = "python3 scripts/check_tracking_contracts.py --check"


def document() -> str | None:
    """Return the document that this preset is made for, where it lies beside this checkout."""
    for folder in ROOT.parents:
        for found in sorted(folder.glob("shared/seeds/000_*.txt")):
            return found.read_text(encoding="utf-8")
    return None


class Ground:
    """A working tree under the preset, and shells in it."""

    def __init__(self, path: Path) -> None:
        self.repo = Repo(path)
        self.path = path

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return what a shell needs, and what is named."""
        named = {name: os.environ[name] for name in (*KEPT, *PERSON) if name in os.environ}
        return {**named, **(env or {})}

    def starts(self, line: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Type a line into a fresh shell and go on; the caller waits for it."""
        return subprocess.Popen(
            ("bash", "-c", line),
            cwd=self.path,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def types(self, line: str, env: Mapping[str, str] | None = None) -> Result:
        """Type a line into a fresh shell and wait for it."""
        started = self.starts(line, env)
        out, err = started.communicate(timeout=RUN_TIMEOUT_S)
        assert "Traceback" not in err, err
        assert "handrail: bug" not in err, err
        return Result((line,), started.returncode, out, err)

    def asks(self, *words: str, env: Mapping[str, str] | None = None) -> Result:
        """Ask what a script would ask, in this process."""
        out, err = StringIO(), StringIO()
        with (
            patch.dict(os.environ, env or {}),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = run(["-C", str(self.path), "lanes", *words])
        assert "handrail: bug" not in err.getvalue(), err.getvalue()
        return Result(words, code, out.getvalue(), err.getvalue())

    def claims(
        self, role: str, scope: str, agent: str = "bot-2", session: str = SESSION, *more: str
    ) -> Result:
        """Claim a scope, in this process."""
        named = ("--role", role, "--agent-id", agent, "--scope", scope, "--session-id", session)
        return self.asks("agent-coord", "--claim", *named, *more)

    def checks(self, *more: str, env: Mapping[str, str] | None = None) -> list[str]:
        """Ask the tracking check in this process; returns what it minds."""
        done = self.asks("check-tracking", "--check", *more, env=env)
        lines = done.out.splitlines()
        if done.code == 0:
            assert lines[-1] == "[tracking] tracking contracts OK", done
            return []
        assert lines[0].startswith("[tracking][fail] tracking contract violations"), done
        return [line.removeprefix("- ") for line in lines[1:]]

    def works(
        self, role: str, path: str, agent: str = "bot-2", session: str = SESSION, text: str = "work"
    ) -> None:
        """Change a file of a lane with all that the document asks for: note and row."""
        self.repo.write(path, f"{text}\n")
        note = self.path / NOTES[role]
        note.write_text(note.read_text() + f"{text}\n")
        self.adds_row(session, role, agent, text)

    def adds_row(self, session: str, role: str, agent: str, activity: str = "work") -> None:
        """Add a row to section 2."""
        row = f"| {session} | {role} | {agent} | x | {activity} | open | none | none |\n"
        self.inserts("\n## 3)", row)

    def adds_coordination(self, session: str, roles: str) -> None:
        """Add a row to section 3."""
        self.inserts("\n## 4)", f"| 2026-03-01 | {session} | {roles} | both | go on | closed |\n")

    def inserts(self, before: str, row: str) -> None:
        """Insert rows in the tracker before what begins with a text."""
        file = self.path / TRACKER
        head, mark, tail = file.read_text().partition(before)
        assert mark
        file.write_text(f"{head}{row}{mark}{tail}")

    def leases(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Return the live leases: session, role, scope."""
        application = Application.open(str(self.path), {}, terminal=False)
        try:
            with application.store.read() as reader:
                return [
                    (lease.session, lease.role or "", lease.scope)
                    for lease in reader.leases()
                    if lease.live(reader.now)
                ]
        finally:
            application.close()

    def configure(self, more: str) -> None:
        """Add to the configuration and put it into force, as a person would; then save all."""
        file = self.path / "handrail.toml"
        file.write_text(file.read_text() + more)
        application = Application.open(str(self.path), {}, terminal=True)
        try:
            apply_config(application.context)
        finally:
            application.close()
        self.repo.commit("configuration")


def make_template(path: Path) -> None:
    """Set a repository up once, as `handrail init` does where the original's files are."""
    repo = Repo.create(path)
    repo.write("content/topics/topic01_intro/a.md", "a\n")
    repo.write("site/src/a.qmd", "a\n")
    repo.write("tools/a.py", "a = 1\n")
    for note in NOTES.values():
        repo.write(note, "# Note\n")
    repo.write(TRACKER, TRACKER_TEXT)
    repo.write("ops/tracker/coordination.json", EMPTY_STATE)
    repo.commit("the original")
    done = Handrail(path)("init", "--preset", "lanes")
    assert done.code == 0, done.err
    repo.commit("handrail")


_templates: dict[str, Path] = {}


def make_ground(folder: Path, templates: Path) -> Ground:
    """Copy what was set up once; ``templates`` lives as long as this process."""
    if "lanes" not in _templates:
        make_template(templates / "repo")
        _templates["lanes"] = templates / "repo"
    target = folder / "repo"
    shutil.copytree(_templates["lanes"], target, symlinks=True)
    return Ground(target)
