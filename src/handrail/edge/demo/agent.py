"""An agent: a name, a session, a working tree, and a harness that asks hooks before and after.

Promise: an agent acts as under a real harness. Before and after each tool the hook line of the
written settings gets the payload of the event, through ``/bin/sh``, and a tool that was refused
does nothing. All its processes have its harness above them.

    gina.edit("src/a.py", "text").refused_with     # None, or the code of the refusal
    gina.git("commit", "-qam", "work").status
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from handrail.core.record import Record
from handrail.edge.demo.process import Answer, Broken, Running, expect

if TYPE_CHECKING:
    from handrail.edge.demo.stage import Stage

HARNESS: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "harness.py")
SETTINGS: Final = os.path.join(".claude", "settings.json")
_DENIED: Final = 2


class Ran(Record):
    """How something ended that ran below the harness."""

    status: int
    out: str
    err: str

    @property
    def code(self) -> str:
        """The code of Handrail's refusal on stderr, '' if there is none."""
        told = [line for line in self.err.splitlines() if line.startswith("handrail: ")]
        return told[0].split(": ")[1] if told else ""


class Used(Record):
    """What came of a tool: refused before it ran, or how it ran, and what the agent was told."""

    refused_with: str | None
    told: str = ""


class Agent:
    """One agent of the cast."""

    def __init__(self, stage: Stage, name: str, folder: str) -> None:
        """Start its harness; the session begins with the first hook."""
        self._stage = stage
        self.name = self.session = name
        self.folder = folder
        environment = {
            **stage.environment,
            **person(name),
            "CLAUDECODE": "1",
            "CLAUDE_PROJECT_DIR": folder,
            "HANDRAIL_AGENT": name,
        }
        words = [sys.executable, "-I", "-S", HARNESS]
        self._harness = stage.start(words, folder, environment, listens=True)

    # --- commands --------------------------------------------------------------------------------

    def start(self, *words: str) -> Running:
        """Start ``handrail WORDS --json`` and return at once."""
        environment = {**self._stage.environment, "HANDRAIL_SESSION": self.session}
        return self._stage.start(self._stage.command(words), self.folder, environment)

    def handrail(self, *words: str) -> Answer:
        """Run ``handrail WORDS --json`` to its end."""
        return self.start(*words).answer()

    def git(self, *words: str) -> Ran:
        """Run git below the harness, with every hook there is."""
        return self._run("git", *words)

    def commit(self, path: str, *options: str) -> Ran:
        """Stage a file and commit it; ``options`` stand before git's own subcommand's or behind."""
        before = options[:2] if options[:1] == ("-c",) else ()
        expect(self.git("add", "--", path).status == 0, f"git could not stage {path}")
        words = ("commit", "--quiet", "--message", path, *options[len(before) :])
        return self.git(*before, *words)

    def head(self) -> str:
        """Return the newest commit of the working tree."""
        return self.git("rev-parse", "HEAD").out.strip()

    # --- tools -----------------------------------------------------------------------------------

    def edit(self, path: str, text: str) -> Used:
        """Write a file with a harness's tool for editing."""
        whole = os.path.join(self.folder, path)
        inputs = {"file_path": whole, "old_string": "", "new_string": text}
        return self._use("Edit", inputs, lambda: self.write(path, text))

    def bash(self, line: str) -> Used:
        """Run a shell line with a harness's tool for that."""
        return self._use("Bash", {"command": line}, lambda: self._run("/bin/sh", "-c", line))

    def write(self, path: str, text: str) -> None:
        """Write a file without asking anybody."""
        whole = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, path: str) -> str:
        """Return what a file of the working tree holds."""
        with open(os.path.join(self.folder, path), encoding="utf-8") as file:
            return file.read()

    def clear(self) -> str:
        """Begin anew as ``/clear`` does: another session in the same harness; what it is told."""
        self.hook("SessionEnd", reason="clear")
        self.session = f"{self.name}-2"
        return self.hook("SessionStart", source="clear").out

    def _use(self, tool: str, inputs: Mapping[str, str], work: Callable[[], object]) -> Used:
        fields = {"tool_name": tool, "tool_input": inputs, "tool_use_id": "t"}
        before = self.hook("PreToolUse", **fields)
        if before.status == _DENIED:
            expect(not before.out, "a refusal has to leave stdout empty")
            return Used(before.code)
        work()
        after = self.hook("PostToolUse", **fields, tool_response={})
        return Used(None, _context(before.out) + _context(after.out))

    # --- hooks -----------------------------------------------------------------------------------

    def hook(self, event: str, **fields: object) -> Ran:
        """Feed the payload of an event to its hook."""
        self.send_hook(event, **fields)
        ran = self.hear()
        expect(ran.status in (0, _DENIED), f"the hook of {event} ended with {ran.status}")
        return ran

    def send_hook(self, event: str, **fields: object) -> None:
        """Start the hook of an event; ``hear`` says how it ended."""
        payload = {
            "session_id": self.session,
            "transcript_path": os.path.join(self._stage.folder, "transcript.jsonl"),
            "cwd": self.folder,
            "permission_mode": "default",
            "hook_event_name": event,
            **fields,
        }
        self._send("/bin/sh", "-c", self._hook_line(event), stdin=json.dumps(payload))

    def _hook_line(self, event: str) -> str:
        try:
            settings = json.loads(self.read(SETTINGS))
            return str(settings["hooks"][event][0]["hooks"][0]["command"])
        except (OSError, ValueError, LookupError) as error:
            raise Broken(f"handrail init wrote no hook for {event}") from error

    def _run(self, *words: str) -> Ran:
        self._send(*words)
        return self.hear()

    def _send(self, *words: str, stdin: str = "") -> None:
        asked = {"argv": words, "cwd": self.folder, "stdin": stdin}
        self._harness.send(json.dumps(asked).encode("ascii"))

    def hear(self) -> Ran:
        """Wait for the end of what was started."""
        told = json.loads(self._harness.line())
        return Ran(told["status"], told["out"], told["err"])


def person(name: str) -> dict[str, str]:
    """Say to git who writes."""
    return {
        f"GIT_{part}_{what}": value
        for part in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", name), ("EMAIL", f"{name}@example.org"))
    }


def _context(stdout: str) -> str:
    """Return what a hook told the agent."""
    if not stdout.startswith("{"):
        return stdout
    told = json.loads(stdout).get("hookSpecificOutput", {})
    return str(told.get("additionalContext", ""))
