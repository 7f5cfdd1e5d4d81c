"""A repository whose people work by the cooperation documents, and what they type.

Commands of agents run in this process, in the name of a session; decisions of people are typed at a
real terminal, or taken by the use case with one.

    ground.asks("handoff", "reviewer").out
    ground.decides("plan_check", "approve")
"""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from handrail.edge.compat import run
from handrail.edge.decided import follow_up
from handrail.service.checkpoints import Checkpoints, Decided
from handrail.service.projected_rows import Shown
from handrail.service.projecting import Projecting
from tests.cli.world import World
from tests.support import ROOT, Handrail, Repo, Result

COMMAND: Final = "python3 .cooperations/cooperate"
TASKS: Final = ".cooperations/tasks.json"
HANDOFFS: Final = ".cooperations/handoffs"
EVIDENCE: Final = ".cooperations/evidence"
MOB: Final = "mob"
DESCRIPTION: Final = "Tidy the menu component"


def document() -> str | None:
    """Return the document that this preset is made for, where it lies beside this checkout."""
    for folder in ROOT.parents:
        for found in sorted(folder.glob("shared/seeds/002_*.txt")):
            return found.read_text(encoding="utf-8")
    return None


class Ground(World):
    """A working tree under the preset, and whoever works there."""

    def asks(self, *words: str, session: str | None = MOB) -> Result:
        """Ask what the script would ask, in this process, for a session or for nobody."""
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
        named = {} if session is None else {"HANDRAIL_SESSION": session}
        with patch.dict(os.environ, named), redirect_stdout(out), redirect_stderr(err):
            code = run(["-C", str(self.path), "cooperation", *words])
        out.seek(0)
        assert "handrail: bug" not in err.getvalue(), err.getvalue()
        return Result(words, code, out.read(), err.getvalue())

    def does(self, *words: str, session: str | None = MOB) -> str:
        """Ask for what must be done; returns what was printed."""
        done = self.asks(*words, session=session)
        assert done.code == 0, (words, done.out, done.err)
        return done.out

    def begins(self, description: str = DESCRIPTION, *, to: str = "plan") -> str:
        """Open a cooperation and lead it to a phase; returns its id."""
        task = self.does("cooperate", "--interleave", description).split("task=")[1].split()[0]
        for word, phase, gate, artifact in (
            ("architect", "plan", "plan_check", "plan.md"),
            ("reviewer", "claude_review", "review_check", "claude-review.md"),
            ("frontend-ux", "implement", None, "implementation-result.md"),
            ("test-runner", "test", None, "test-report.md"),
            ("reviewer", "claude_final", "final_check", "claude-final-critique.md"),
        ):
            scope = ("--scope", "src/menu.ts", "--scope", "tests") if phase == "implement" else ()
            self.does("handoff", word, "--task", task, *scope)
            if phase == to:
                return task
            self.leaves(task, artifact)
            if gate is not None:
                self.decides(gate, "approve", task)
        return task

    def commits(self, message: str, *paths: str, session: str = MOB) -> str:
        """Commit paths in the name of a session, through the hooks; returns the commit."""
        env = {"HANDRAIL_SESSION": session}
        self.repo.git("add", "--", *paths, env=env)
        self.repo.git("commit", "--quiet", "-m", message, env=env)
        return self.repo.git("rev-parse", "HEAD")

    def leaves(self, task: str, artifact: str, text: str = "done\n") -> None:
        """Leave an artifact, as an agent's tool would."""
        self.repo.write(f"{EVIDENCE}/{task}/{artifact}", text)

    def decides(self, gate: str, decision: str, task: str | None = None) -> Decided:
        """Decide, as a person at a terminal."""
        with self.open(terminal=True) as application:
            done = Checkpoints(application.context).decide(gate, decision, task, "read it")
            follow_up(application, done)
            return done

    def exports(self) -> list[Shown]:
        """Write all files anew."""
        with self.open() as application:
            files = application.projection_files
            return list(Projecting(application.context, files).export())

    def imports(self) -> list[Shown]:
        """Enter the history in the files."""
        with self.open() as application:
            files = application.projection_files
            return list(Projecting(application.context, files).import_all())

    def tasks(self) -> list[dict[str, Any]]:
        """Return the tasks of the ledger's file."""
        found: list[dict[str, Any]] = json.loads((self.path / TASKS).read_text())["tasks"]
        return found

    def handoff(self, task: str, number: int) -> dict[str, Any]:
        """Return a handoff's file."""
        text = (self.path / HANDOFFS / f"{task}-{number:03d}.json").read_text()
        found: dict[str, Any] = json.loads(text)
        return found

    def edits(self, *paths: str, session: str = MOB) -> None:
        """Ask as the guard does whether paths may be written; raises what it is refused with."""
        from handrail.service.edits import Edits

        with self.open(session) as application:
            Edits(application.context).edit(list(paths))


def make_template(folder: Path) -> None:
    """Set a repository up once."""
    repo = Repo.create(folder / "repo")
    repo.write("src/menu.ts", "export const menu = 1;\n")
    repo.write("tests/menu.test.ts", "test\n")
    repo.write("specs/product.md", "# Product\n")
    repo.commit("begin")
    done = Handrail(repo.path)("init", "--preset", "cooperation")
    assert done.code == 0, done.err
    repo.commit("handrail")


_templates: dict[str, Path] = {}


def make_ground(folder: Path, templates: Path) -> Ground:
    """Copy what was set up once; ``templates`` lives as long as this process."""
    if "cooperation" not in _templates:
        make_template(templates)
        _templates["cooperation"] = templates
    target = folder / "cooperation"
    shutil.copytree(_templates["cooperation"], target, symlinks=True)
    ground = Ground(Repo(target / "repo"), target / "scratch")
    ground.session(id=MOB, agent="bot")
    return ground
