"""``agent_run.sh``: hold leases while a command runs, keep them alive, release just those.

agent_run(["--agent-id", "bot-2", "--session-id", "nav", "--lease", "website:site", "--",
           "RUN_UI_SMOKE=1", "./scripts/check_fast.sh"], "/repo")
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from handrail import errors
from handrail.core.record import Record
from handrail.edge.cli.commands.run import Relay, start, supervise
from handrail.edge.compat.lanes import TTL_MIN_DEFAULT, claimed
from handrail.edge.compat.surroundings import Lanes, fail, opened, refused, tell
from handrail.projections.coordination_check import FORBIDDEN_SESSION as FORBIDDEN
from handrail.service.claims import Granted
from handrail.text import shell_quote

NAME: Final = "agent-run"
NOT_STARTED: Final = 127
USAGE: Final = """\
Usage: agent_run.sh --agent-id <id> --session-id <sid> --lease <role>:<scope> [--lease ...] -- <command>
"""  # noqa: E501


class Asked(Record):
    """A command line of ``agent_run.sh``."""

    agent: str = ""
    session: str = ""
    leases: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


class _Wrong(Exception):
    """What is wrong with a command line, and a hint."""

    def __init__(self, told: str, hint: str = "") -> None:
        super().__init__(told)
        self.hint = hint


def agent_run(words: Sequence[str], folder: str) -> int:
    """Claim every lease, run the command, release what was claimed; returns its exit status."""
    if any(word in ("-h", "--help") for word in _before_command(words)):
        sys.stdout.write(USAGE)
        return 0
    try:
        asked = _read(words)
    except _Wrong as wrong:
        fail(NAME, str(wrong))
        if wrong.hint:
            sys.stderr.write(f"[{NAME}][hint] {wrong.hint}\n")
        return 1
    try:
        with opened(folder, asked.session, asked.agent) as lanes:
            return _run(lanes, asked)
    except errors.HandrailError as error:
        return refused(NAME, error)


def _before_command(words: Sequence[str]) -> Sequence[str]:
    return words[: list(words).index("--")] if "--" in words else words


def _read(words: Sequence[str]) -> Asked:
    asked, rest = Asked(), list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            asked = asked._replace(command=tuple(rest))
            break
        if word not in ("--agent-id", "--session-id", "--lease"):
            raise _Wrong(f"unknown argument: {word}")
        value = rest.pop(0) if rest else ""
        if word == "--agent-id":
            asked = asked._replace(agent=value)
        elif word == "--session-id":
            asked = asked._replace(session=value)
        else:
            asked = asked._replace(leases=(*asked.leases, value))
    if not asked.agent or not asked.session:
        raise _Wrong("--agent-id and --session-id are required")
    if asked.session == FORBIDDEN:
        raise _Wrong(f"session_id '{FORBIDDEN}' is not allowed")
    if not asked.leases:
        raise _Wrong("at least one --lease role:scope is required")
    if not asked.command:
        raise _Wrong("missing command after --")
    for lease in asked.leases:
        role, _, scope = lease.partition(":")
        if not role or not scope:
            raise _Wrong(f"invalid --lease value: {lease}", "expected format role:scope")
    return asked


def _run(lanes: Lanes, asked: Asked) -> int:
    taken: list[Granted] = []
    relay = Relay()
    try:
        for lease in asked.leases:
            role, _, scope = lease.partition(":")
            status, granted = claimed(lanes, role, scope, TTL_MIN_DEFAULT)
            if granted is None:
                return status
            taken.append(granted)
        settings, words = _assignments(asked.command)
        tell(f"[{NAME}] running command: {' '.join(map(shell_quote, asked.command))}")
        relay.begin()
        named = {"AGENT_SESSION_ID": asked.session, "AGENT_ID": asked.agent}
        environment = {**os.environ, **named, "HANDRAIL_SESSION": asked.session, **settings}
        try:
            child = start(words, environment, None, "scripts/agent_run.sh --help")
        except errors.Usage as error:
            fail(NAME, error.message)
            return NOT_STARTED
        relay.pass_on_to(child)
        status = supervise(lanes.application, taken, child, None)
        if status == 0:
            tell(f"[{NAME}] command completed")
        return status
    finally:
        relay.hold_back()
        _give_back(lanes, taken)
        relay.end()


def _assignments(command: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Split what a shell would take for variables of the command from the command."""
    found: dict[str, str] = {}
    for place, word in enumerate(command):
        name, equals, value = word.partition("=")
        if not (equals and name.isidentifier() and name.isascii()):
            return found, tuple(command[place:])
        found[name] = value
    return found, ("true",)


def _give_back(lanes: Lanes, taken: Sequence[Granted]) -> None:
    """Release what this run took, and nothing that was held before."""
    tokens = [granted.token for granted in taken if not granted.renewed]
    try:
        if tokens:
            lanes.routine.release_these(tokens)
    except errors.HandrailError as error:
        refused(NAME, error)
