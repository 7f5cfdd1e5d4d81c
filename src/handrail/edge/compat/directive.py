"""The commands of the preset ``directive`` under the names that its documents print.

Promises: options, defaults, lines and exit statuses of ``newhandoff`` and ``dc directive handoff``
are the documented ones; errors go to stderr. What they make is an offer of Handrail's, with its
gates; the file ``<directive_slug>.handoff.json`` shows it. Every other command of ``dc`` says in
one line what does its work now. ``docs/guides/directive.md`` lists where the original differs.

    main(["newhandoff", "--session", "26-02-11_nav", "--dry-run"], "/repo")
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from handrail import errors
from handrail.edge.compat.directive_offer import Asked, Wrong, offered
from handrail.edge.compat.surroundings import tell
from handrail.text import visible

FLAGS: Final = {"--dry-run": "dry_run", "--no-prompt": "no_prompt", "--help": "help"}
OPTIONS: Final = {
    "--session": "session",
    "--guid": "session",
    "--from-role": "from_role",
    "--to-role": "to_role",
    "--trigger": "trigger",
    "--objective": "objective",
    "--blocking-rule": "blocking_rule",
    "--task-file": "task_file",
    "--directive-branch": "directive_branch",
    "--worktree-mode": "worktree_mode",
    "--required-reading": "required_reading",
}
REPEATED: Final = {"--allowlist-path": "allowlist_paths"}
LAUNCH: Final = {"--role": "to_role", "--directive": "session", "--profile": ""}
"""What ``dc launch handoff`` calls some of them; which program is launched is nobody's here."""
USAGE: Final = """\
Usage: newhandoff --session <dir-or-uuid> [--from-role <role>] [--to-role <role>]
  [--trigger <id>] [--objective <text>] [--blocking-rule <text>] [--task-file <path|null>]
  [--directive-branch <branch>] [--worktree-mode clean_required|known_dirty_allowlist]
  [--allowlist-path <path>]... [--required-reading <path>] [--dry-run] [--no-prompt]
"""
NOW: Final[Mapping[str, str]] = {
    "directive new": "write its folder as the architect, then handrail task new <slug>",
    "directive task": "write the task file as the architect, then dc validate",
    "directive list": "handrail task list",
    "directive view": "handrail task show <slug>",
    "directive start": "handrail handoff accept",
    "directive finish": "handrail task close <slug>",
    "directive archive": "handrail task close <slug>",
    "directive merge": "handrail check land",
    "directive cleanup": "handrail task close <slug>",
    "directive migrate": "handrail init --preset directive",
    "task start": "handrail handoff accept",
    "task finish": "handrail evidence run -- COMMAND, then newhandoff --to-role architect",
    "meta": "edit the metadata as the architect; the first edit takes its lease",
    "policy": "handrail config validate",
    "launch": "handrail session start --role <role>",
    "context": "handrail handoff briefing",
    "runbook": "handrail status",
    "repo": "handrail why <path>",
    "ns": "handrail status",
    "test": "handrail check pre-handoff",
}
"""What does the work of the other commands, by their names, the longer ones first."""
HELP: Final = """\
dc directive handoff   hand a directive over (newhandoff)
dc launch handoff      the same, with the trigger role_switch_handoff
dc validate            check the files of directives
All other commands say what does their work now.
"""


def main(words: Sequence[str], folder: str) -> int:
    """Run one of the documented scripts; returns its exit status."""
    name, rest = (words[0], list(words[1:])) if words else ("", [])
    if name == "newhandoff":
        return handoff(rest, folder)
    if name == "dc":
        return dc(rest, folder)
    sys.stderr.write("usage: handrail compat directive {dc,newhandoff} ...\n")
    return 2


def dc(words: list[str], folder: str) -> int:
    """Answer ``dc`` with these words."""
    if words[:2] == ["directive", "handoff"]:
        return handoff(words[2:], folder)
    if words[:2] == ["launch", "handoff"]:
        return handoff(words[2:], folder, launched=True)
    if words[:1] == ["validate"]:
        from handrail.edge.compat.directive_validate import validate

        return validate(words[1:], folder)
    if words[:1] in ([], ["help"], ["--help"], ["-h"]):
        sys.stdout.write(HELP)
        return 0
    typed = " ".join(words[:2])
    step = NOW.get(typed) or NOW.get(words[0])
    if step is None:
        return fail(f"Unknown command '{typed}'", "dc help")
    return fail(f"dc {typed} is done by Handrail", step)


def handoff(words: Sequence[str], folder: str, *, launched: bool = False) -> int:
    """Answer ``newhandoff`` with these words."""
    try:
        asked = _read(words, launched=launched)
        if asked.help:
            sys.stdout.write(USAGE)
            return 0
        done = offered(asked, folder)
    except Wrong as wrong:
        return fail(str(wrong), wrong.hint)
    except errors.HandrailError as error:
        return fail(f"{error.code}: {error.message}", error.next or "")
    if asked.dry_run:
        tell(f"[dry-run] target: {done.path}")
        sys.stdout.write(json.dumps(done.value, indent=2) + "\n")
        return 0
    tell(f"Wrote {done.path}")
    return 0


def fail(told: str, step: str = "") -> int:
    """Say on stderr why not, and what leads on; returns the exit status."""
    for line in told.split("\n"):
        sys.stderr.write(f"{visible(line)}\n")
    if step:
        sys.stderr.write(f"  next: {step}\n")
    return 1


def _read(words: Sequence[str], *, launched: bool) -> Asked:
    """Read the options; one without a value is as if it were empty. Raises Wrong."""
    found: dict[str, Any] = {}
    paths: list[str] = []
    names = {**OPTIONS, **(LAUNCH if launched else {})}
    rest = list(words)
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        if word in FLAGS and not equals:
            found[FLAGS[word]] = True
            continue
        if word not in names and word not in REPEATED:
            raise Wrong(f"Unknown option '{word}'", "newhandoff --help")
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("--") else ""
        if word in REPEATED:
            paths.append(value)
        elif names[word]:
            found[names[word]] = value
    if launched:
        found.setdefault("trigger", "role_switch_handoff")
    session = os.environ.get("DC_DIRECTIVE_SESSION")
    if session:
        found.setdefault("session", session)
    return Asked(allowlist_paths=tuple(paths))._replace(**found)
