"""``init --bare``, and what ``uninstall`` and ``doctor`` do in a bare repository."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from handrail import errors
from handrail.edge.cli.commands.health import found_reply
from handrail.edge.cli.commands.setup import shown, step_lines
from handrail.edge.cli.invocation import Invocation, at_terminal
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.health import BAD, GOOD, NOTE, Finding
from handrail.service.install.receiving import (
    install_receiving,
    lost_receiving,
    uninstall_receiving,
)
from handrail.service.install.site import LEFT, Step
from handrail.service.protection import Standing, read_standing
from handrail.service.sessions import person_proof
from handrail.text import shell_quote, visible
from handrail.wiring import Application, caller_from

AGAIN: Final = "handrail init --bare"


def init_bare(invocation: Invocation) -> Reply:
    """Let what is pushed here be judged."""
    for option in ("preset", "harness"):
        if invocation.text(option) is not None:
            reason = f"--{option} is for a working tree; what is pushed brings its configuration."
            raise errors.Usage(reason=reason, next=AGAIN)
    dry_run = invocation.flag("dry_run")

    def work(application: Application) -> Reply:
        toplevel = application.place.toplevel
        steps = install_receiving(application.site, dry_run=dry_run)
        left = [step for step in steps if step.outcome == LEFT]
        if left:
            what = ", ".join(shown(step.what, toplevel) for step in left)
            raise errors.StoreReadOnly(path=what, reason=left[0].note)
        lines = step_lines(steps, toplevel, dry_run=dry_run)
        lines.append("what is pushed here " + ("would be judged" if dry_run else "is judged"))
        standing = read_standing(application.arrivals, {}, [])
        note = "note: no branch here protects itself yet; the first handrail.toml is taken as it is"
        return Reply(
            _data(steps, dry_run=dry_run), "\n".join(lines), () if standing.laws else (note,)
        )

    return _in_bare(invocation, work)


def uninstall_bare(invocation: Invocation) -> Reply:
    """Let pushes in unjudged; a store that working trees use stays in force. A person's to do."""
    dry_run = invocation.flag("dry_run")

    def work(application: Application) -> Reply:
        caller = caller_from(os.environ, application.place, terminal=at_terminal())
        person_proof(caller, "uninstalling", ("uninstall",))
        steps = uninstall_receiving(application.site, dry_run=dry_run)
        lines = step_lines(steps, application.place.toplevel, dry_run=dry_run)
        return Reply(_data(steps, dry_run=dry_run), "\n".join(lines) or "nothing is set up here")

    return _in_bare(invocation, work)


def doctor_bare(invocation: Invocation) -> Reply:
    """Say whether pushes are judged here, and what is protected."""

    def work(application: Application) -> Reply:
        findings = [Finding("git", GOOD, application.git_version())]
        if invocation.flag("repair"):
            steps = install_receiving(application.site)
            lines = step_lines(steps, application.place.toplevel)
            findings += [Finding("repaired", NOTE, line) for line in lines]
        findings += _hook(application)
        standing = read_standing(application.arrivals, {}, [])
        findings += _protection(standing, application.place.toplevel)
        findings.append(_store(application))
        if newest := application.hook_log.newest():
            findings.append(Finding("hook.log", NOTE, f"newest line: {newest}"))
        return found_reply(findings)

    return _in_bare(invocation, work)


def _in_bare(invocation: Invocation, work: Callable[[Application], Reply]) -> Reply:
    application = Application.open_bare(invocation.directory, os.environ)
    try:
        return work(application)
    finally:
        application.close()


def _data(steps: tuple[Step, ...], *, dry_run: bool) -> Data:
    data: Data = {"files": [step._asdict() for step in steps]}
    return {**data, "dry_run": True} if dry_run else data


def _hook(application: Application) -> list[Finding]:
    toplevel = application.place.toplevel
    lost = lost_receiving(application.site)
    if not lost:
        return [Finding("pre-receive", GOOD, "what is pushed here is judged")]
    return [
        Finding("pre-receive", BAD, f"{shown(each.what, toplevel)}: {each.reason}", AGAIN)
        for each in lost
    ]


def _protection(standing: Standing, toplevel: str) -> list[Finding]:
    found = []
    for ref, broken in standing.broken():
        sentence = f"{visible(ref)}: handrail.toml, line {broken.line}: {broken.reason}"
        found.append(Finding("protected", BAD, sentence, "handrail config validate"))
    found += [
        Finding("protected", GOOD, f"{visible(ref)}, by its own handrail.toml")
        for ref in sorted(standing.laws)
    ]
    if not found:
        sentence = "no branch here has a handrail.toml that protects it, so nothing is judged yet"
        found.append(Finding("protected", NOTE, sentence, _clone_of(toplevel)))
    return found


def _clone_of(toplevel: str) -> str:
    """Return what makes a clone that brings a configuration."""
    return f"git clone {shell_quote(toplevel)} ../work && handrail -C ../work init"


def _store(application: Application) -> Finding:
    if not application.ground.store_exists():
        return Finding("store", GOOD, "none here: only ledgers that the base enrols count")
    with application.store.read() as reader:
        sentence = f"epoch {reader.epoch}, {count(reader.head.seq, 'entry')}, of working trees here"
        return Finding("store", GOOD, sentence)
