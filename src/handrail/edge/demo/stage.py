"""The stage: a scratch repository, working trees, and the agents in them.

Whatever anybody does is a process of its own, with an environment made from nothing: no setting,
harness or hook of the caller plays along. The hooks are those that ``handrail init`` wrote.

    stage.agent("ann").handrail("claim", "src/api").token
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import Final

from handrail.core.record import Record
from handrail.edge.demo.agent import Agent, person
from handrail.edge.demo.interrupts import Interrupts
from handrail.edge.demo.narrator import Narrator
from handrail.edge.demo.process import Answer, Broken, Running, expect
from handrail.errors import FactsUnavailable

CAST: Final = ("ann", "ben", "cleo", "dora", "emil", "finn", "gina", "hugo")
GUESTS: Final = {"finn": "emil", "hugo": "gina"}
"""Who works in whose working tree."""
_INHERITED: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


class Entry(Record):
    """One entry of the ledger, as ``handrail log --json`` tells it."""

    seq: int
    at: str
    kind: str
    session: str | None
    fields: Mapping[str, object]


class Stage:
    """The scratch repository and the agents in it; ``close`` ends and removes all of it."""

    def __init__(
        self, program: Sequence[str], narrator: Narrator, interrupts: Interrupts, *, keep: bool
    ) -> None:
        self.tell = narrator
        self._program = tuple(program)
        self._interrupts = interrupts
        self._keep = keep
        self._running: list[Running] = []
        self._agents: dict[str, Agent] = {}
        self.folder = self.main = ""
        self.environment: dict[str, str] = {}

    def prepare(self) -> None:
        """Make the repository, set Handrail up in it, start everybody's session."""
        with self._interrupts.held():
            self.folder = os.path.realpath(tempfile.mkdtemp(prefix="handrail-demo-"))
        self.main = os.path.join(self.folder, "repo")
        self.environment = _environment(os.path.join(self.folder, "home"))
        for folder in (self.main, self.environment["HOME"]):
            os.mkdir(folder)
        self.git("init", "--quiet")
        self.git("symbolic-ref", "HEAD", "refs/heads/main")
        _must(self.handrail("init"), "handrail init")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Set Handrail up")
        for name in CAST:
            folder = os.path.join(self.folder, GUESTS.get(name, name))
            if name not in GUESTS:
                self.git("worktree", "add", "--quiet", "-b", name, folder)
            self._agents[name] = Agent(self, name, folder)
        for agent in self.agents:
            agent.send_hook("SessionStart", source="startup")
        for agent in self.agents:
            started = agent.hear()
            if started.status != 0:
                raise FactsUnavailable(what="the hook of SessionStart", reason=started.err.strip())

    def close(self) -> str | None:
        """Kill what still runs and remove the folder; returns it if it is still there."""
        for running in self._running:
            running.kill()
        self._running.clear()
        if not self.folder:
            return None
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return self.folder if os.path.exists(self.folder) else None

    def agent(self, name: str) -> Agent:
        """Return one of the cast."""
        return self._agents[name]

    @property
    def agents(self) -> list[Agent]:
        """The whole cast."""
        return list(self._agents.values())

    def handrail(self, *words: str, folder: str | None = None) -> Answer:
        """Run ``handrail WORDS --json`` as somebody without a session."""
        return self.start(self.command(words), folder or self.main, self.environment).answer()

    def decides(self, *words: str) -> Answer:
        """Run ``handrail WORDS --json`` as a person at a terminal: agents may not decide so."""
        with self._interrupts.held():
            command = self.command(words)
            running = Running(command, self.main, self.environment, terminal=True)
            self._running.append(running)
        return running.answer()

    def shown(self, *words: str) -> str:
        """Return what ``handrail WORDS`` prints for people."""
        shown = self.start([*self._program, *words], self.main, self.environment).printed()
        expect(shown.status == 0, f"handrail {words[0]} ended with {shown.status}: {shown.talk}")
        return shown.out

    def ledger(self) -> list[Entry]:
        """Return all entries, oldest first."""
        rows = self.handrail("log", "-n", "1000000").data.get("entries")
        if not isinstance(rows, list):
            raise Broken("handrail log gave no entries")
        return [
            Entry(row["seq"], row["at"], row["kind"], row["session"], row["payload"] or {})
            for row in rows
        ]

    def git(self, *words: str, folder: str | None = None) -> str:
        """Run git as nobody's agent; returns what it printed; raises FactsUnavailable."""
        environment = {**self.environment, **person("demo")}
        ended = self.start(["git", *words], folder or self.main, environment).printed()
        if ended.status != 0:
            reason = (ended.talk.strip().splitlines() or ["it gave no reason"])[-1]
            raise FactsUnavailable(what=f"git {words[0]}", reason=reason)
        return ended.out.strip()

    def command(self, words: Sequence[str]) -> list[str]:
        """Write the command line for a JSON answer; behind ``--`` stand another program's words."""
        split = words.index("--") if "--" in words else len(words)
        return [*self._program, *words[:split], "--json", *words[split:]]

    def start(
        self,
        words: Sequence[str],
        folder: str,
        environment: Mapping[str, str],
        *,
        listens: bool = False,
    ) -> Running:
        """Start a process that ends with the stage at the latest."""
        with self._interrupts.held():
            running = Running(words, folder, environment, listens=listens)
            self._running.append(running)
        return running


def _must(answer: Answer, what: str) -> None:
    if answer.status != 0:
        reason = answer.of_error("message") or (answer.talk.strip().splitlines() or ["silence"])[-1]
        raise FactsUnavailable(what=what, reason=reason)


def _environment(home: str) -> dict[str, str]:
    """Make an environment that holds nothing of the caller's but where programs are found."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {
        **inherited,
        "HOME": home,
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
