"""A harness session whose events are answered in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from handrail.edge.guard.tools import Answer, answered
from handrail.service.handoffs import Handoffs, Offering
from tests.cli.world import World


class Thread:
    """A harness session: its events are answered in this process."""

    def __init__(self, world: World, session: str = "s-ada", role: str | None = None) -> None:
        self.world, self.session = world, session
        self.environment = {**os.environ, **({"HANDRAIL_ROLE": role} if role else {})}

    def payload(self, event: str, **fields: object) -> bytes:
        told = {
            "session_id": self.session,
            "transcript_path": "/nowhere/transcript.jsonl",
            "cwd": str(self.world.path),
            "permission_mode": "default",
            "hook_event_name": event,
            **fields,
        }
        return json.dumps(told).encode()

    def hook(self, event: str, **fields: object) -> Answer:
        return answered(self.payload(event, **fields), self.environment)

    def begins(self, source: str = "startup") -> str:
        done = self.hook("SessionStart", source=source)
        assert (done.status, done.stderr) == (0, "")
        return done.stdout

    def writes(self, path: str, text: str) -> None:
        target = self.world.path / path
        done = self.hook("PreToolUse", tool_name="Write", tool_input={"file_path": str(target)})
        assert done.status == 0, done
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def stops(self, event: str = "Stop", **fields: object) -> Answer:
        return self.hook(event, **{"stop_hook_active": False, **fields})

    def handoffs(self) -> Iterator[Handoffs]:
        with self.world.open(self.session) as application:
            yield Handoffs(application.context, application.packet_files)

    def accepts(self, task: str = "fix") -> None:
        for handoffs in self.handoffs():
            handoffs.accept(task)

    def offers(self, task: str = "fix", **asked: Any) -> None:
        for handoffs in self.handoffs():
            handoffs.offer(Offering(task=task, **asked))
