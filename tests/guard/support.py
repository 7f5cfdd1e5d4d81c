"""Agents for the tests of the guard: each a process of its own, with the hooks that `init` wrote.

An agent works as a harness lets it: the hook line is taken from the written settings and fed the
payload of each event; a tool that was refused does nothing.

    ada = agents("ada")
    ada.edit("src/a.py", "x").refused
    ada.bash("git commit -qam 'a'").code
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import launcher

AGENT = Path(__file__).with_name("agent.py")


class Hooked(NamedTuple):
    """How a hook or a tool ended."""

    code: int
    out: str
    err: str

    @property
    def refused(self) -> bool:
        """Tell whether a harness would stop the tool: exit 2, empty stdout, a reason."""
        stopped = self.code == 2
        assert not stopped or (self.out == "" and self.err.strip()), self
        return stopped

    @property
    def context(self) -> str:
        """What the agent is told."""
        if not self.out.startswith("{"):
            return self.out
        told = json.loads(self.out)
        return str(told.get("hookSpecificOutput", told).get("additionalContext", ""))


class Agent:
    """One run of an agent in one working tree."""

    def __init__(self, session: str, root: Path, *, name: str | None = None) -> None:
        self.session, self.root, self.cwd = session, root, root
        self.project = root
        self._env = {"CLAUDECODE": "1", **({"HANDRAIL_AGENT": name} if name else {})}
        self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
            [sys.executable, str(AGENT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.calls: list[tuple[str, Hooked]] = []
        self.told = Hooked(0, "", "")
        """What it was told when it began, where a test keeps that."""

    def run(
        self,
        argv: list[str],
        stdin: bytes = b"",
        *,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> Hooked:
        """Let the agent's process run something."""
        assert self._process is not None, "the agent is gone"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {
            "argv": argv,
            "stdin": stdin.hex(),
            "cwd": str(cwd or self.cwd),
            "env": {**self._env, "CLAUDE_PROJECT_DIR": str(self.project), **(env or {})},
        }
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        return Hooked(
            told["code"],
            bytes.fromhex(told["out"]).decode("utf-8", "replace"),
            bytes.fromhex(told["err"]).decode("utf-8", "replace"),
        )

    def hook(self, event: str, **fields: object) -> Hooked:
        """Fire an event at the command that the settings name for it."""
        payload = {
            "session_id": self.session,
            "transcript_path": "/nowhere/transcript.jsonl",
            "cwd": str(self.cwd),
            "permission_mode": "default",
            "hook_event_name": event,
            **fields,
        }
        return self.raw_hook(json.dumps(payload).encode(), event)

    def raw_hook(self, payload: bytes, event: str = "PreToolUse") -> Hooked:
        """Feed any bytes to the hook of an event."""
        settings = json.loads((self.project / ".claude" / "settings.json").read_text())
        (group,) = settings["hooks"][event]
        (handler,) = group["hooks"]
        done = self.run(["/bin/sh", "-c", handler["command"]], payload)
        self.calls.append((event, done))
        return done

    def begins(self, source: str = "startup", session: str | None = None) -> Hooked:
        """Begin the session, or another one in the same process."""
        self.session = session or self.session
        return self.hook("SessionStart", source=source)

    def ends(self, reason: str = "prompt_input_exit") -> Hooked:
        """End the session as a harness does."""
        return self.hook("SessionEnd", reason=reason)

    def tool(self, tool: str, work: Callable[[], object], **inputs: object) -> Hooked:
        """Use a tool between its two hooks; returns the first that has something to say."""
        before = self.hook("PreToolUse", tool_name=tool, tool_input=inputs, tool_use_id="t1")
        if before.refused:
            return before
        assert before.code == 0, before
        work()
        after = self.hook(
            "PostToolUse", tool_name=tool, tool_input=inputs, tool_response={}, tool_use_id="t1"
        )
        assert after.code == 0, after
        return after if after.out or after.err else before

    def edit(self, path: str, text: str) -> Hooked:
        """Write a file with the Edit tool."""
        target = self.root / path

        def write() -> None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

        return self.tool("Edit", write, file_path=str(target), old_string="", new_string=text)

    def bash(self, command: str) -> Hooked:
        """Run a shell line with the Bash tool; returns how the line ended, or the refusal."""
        done: list[Hooked] = []
        told = self.tool(
            "Bash", lambda: done.append(self.run(["/bin/bash", "-c", command])), command=command
        )
        return told if told.refused else done[0]

    def shell(self, command: str, **env: str) -> Hooked:
        """Run a shell line without asking any hook: what no harness saw."""
        return self.run(["/bin/bash", "-c", command], env=env)

    def git(self, *words: str) -> Hooked:
        """Run git, as the agent's own command."""
        return self.run(["git", *words])

    def commits(self, message: str, *words: str) -> Hooked:
        """Stage everything and commit it."""
        self.git("add", "--all")
        return self.git("commit", "--quiet", "--message", message, *words)

    def dies(self) -> None:
        """End the process without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None


def ledger(root: Path, handrail: Any) -> list[dict[str, Any]]:
    """Return the ledger's newest entries as `log --json` tells them."""
    told = handrail("log", "--json", "-n", "500", cwd=root).json()
    entries: list[dict[str, Any]] = told["entries"]
    return entries


def at_a_terminal(root: Path, *words: str) -> int:
    """Run a command as a person at a terminal would; returns its exit status."""
    master, slave = pty.openpty()
    try:
        return subprocess.run(
            [*launcher(), *words], cwd=root, check=False, stdin=slave, stdout=slave, stderr=slave
        ).returncode
    finally:
        os.close(master)
        os.close(slave)
