"""``ci``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE
from handrail.core.forge import (
    EVENT_BYTES_MAX,
    GITLAB,
    Event,
    MergeGroup,
    Other,
    PullRequest,
    Push,
    gitlab_event,
    read_github,
    read_gitlab,
)
from handrail.core.landing import CANNOT_TELL, CODES, PASS, REFUSED
from handrail.core.record import Record
from handrail.edge.checked import UNSURE, findings, gate_data
from handrail.edge.checked import cases as cases_of
from handrail.edge.cli.commands.verify import LEVELS, NOTICED, SHORT, STATUS
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import dump, say
from handrail.edge.findings import Case, Finding, chosen_format, junit, sarif, workflow_commands
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.edge.summary import Row, summary
from handrail.gates.gate import FAIL, Outcome, verdict_of
from handrail.service.court import ENFORCE
from handrail.service.land_gates import BESIDE_KEY, ids_of, tip_of_event, unsure
from handrail.service.pull_requests import Answer
from handrail.text import visible
from handrail.wiring.forge import KEY, ForgeRun, signer_of

RUN: Final = "run"
ELSEWHERE: Final = "elsewhere"
RULES: Final = {
    "scope_held": "another open pull request, or a session, holds this path",
    "unanchored_limit": "too many live scopes begin with a wildcard",
    "outside_lane": "the role may not write this path",
    "sandbox_read_only": "the role only reads",
    "unknown_role": "the role is not in the configuration of the base",
    "malformed_scope": "whether the lane holds this path is too much to find out",
    "guarded_path": "only a coordinator or a person changes this path",
    "not_covered": "a merge changes what no other commit of the pull request touches",
    "malformed_config": "the configuration would be broken if this landed",
    "not_fast_forward": "a protected branch was moved by force",
    "ref_deleted": "a protected branch was deleted",
    "outdated_event": "the pull request has moved on or has ended",
    "no_key": "there is no key to record with",
    "no_ledger": "the ledger of CI is not known",
    "no_commit": "the event names no commit",
    "no_base": "no protected branch is here",
    "gate_failed": "a command gate of the stage land does not pass",
    "cannot_tell": "nobody can tell whether a command gate of the stage land passes",
}
"""What each objection means in general; codes of errors mean here what they mean there."""


def ci(invocation: Invocation) -> Reply:
    """Answer an event of a forge, and record what it changes."""
    form = chosen_format(invocation)
    _where(invocation)
    event = told = _event(invocation, os.environ)
    if invocation.flag("verify") and isinstance(told, PullRequest):
        event = Other(f"of pull request #{told.number}", told.head, told.default_branch)
    signer = signer_of(os.environ, invocation.file("key"))
    # Whoever is started from here on (git, and what its configuration names) has no use for it.
    os.environ.pop(KEY, None)
    run = ForgeRun(
        invocation.application.place,
        invocation.text("remote"),
        signer,
        say if invocation.flag("verbose") else lambda _: None,
    )
    answer = run.answer(event, record=not invocation.flag("dry_run"))
    gates = _gates(invocation, answer, tip_of_event(told), has_key=signer is not None)
    found = _findings(answer) + _gate_findings(answer, gates)
    notes = _notes(answer) + tuple(f"note: {visible(note)}" for note in gates.notes)
    rules = {**{name: told for name, (_, told) in CODES.items()}, **RULES}
    verdict = gates.with_that_of(answer)
    _write_summary(_what(told), verdict, found, notes)
    file = invocation.file("sarif")
    if file is not None:
        _write(file, dump(sarif(found, rules, CONFIG_FILE)) + "\n", "w")
    data = {**_data(answer, told), "verdict": verdict, "gates": [*map(_gate_data, gates.outcomes)]}
    status = STATUS[verdict] if answer.mode == ENFORCE or verdict != REFUSED else 0
    if form == "json":
        return Reply(data, dump(data), notes, status)
    if form == "sarif":
        return Reply(data, dump(sarif(found, rules, CONFIG_FILE)), notes, status)
    if form == "junit":
        return Reply(data, junit("handrail ci", _cases(answer, gates)), notes, status)
    if form == "github":
        return Reply(data, workflow_commands(found), notes, status)
    trial = invocation.flag("dry_run")
    text = _text(_what(told), answer, verdict, gates, found, trial=trial)
    return Reply(data, text, notes, status)


class _Gates(Record):
    """What came of the command gates of stage land, and what is to be said of them."""

    outcomes: tuple[Outcome, ...] = ()
    notes: tuple[str, ...] = ()

    def with_that_of(self, answer: Answer) -> str:
        """Return the verdict over commits and gates."""
        of_gates = {FAIL: REFUSED}.get(verdict_of(self.outcomes), verdict_of(self.outcomes))
        said = {answer.verdict, of_gates}
        return next((one for one in (REFUSED, CANNOT_TELL) if one in said), PASS)


def _where(invocation: Invocation) -> str:
    where = invocation.text("gates") or RUN
    if where not in (RUN, ELSEWHERE):
        reason = f"{visible(where)!r} is neither {RUN} nor {ELSEWHERE}."
        raise errors.Usage(reason=reason, next="handrail ci --help")
    return where


def _gates(invocation: Invocation, answer: Answer, tip: str | None, *, has_key: bool) -> _Gates:
    """Run the gates of the base on the tip, where nothing else speaks against it."""
    if answer.base is None or tip is None:
        return _Gates()
    from handrail.wiring.landing import land_gates

    found = land_gates(invocation.application.place)
    gates = found.due(answer.base)
    if not gates:
        return _Gates()
    if _where(invocation) == ELSEWHERE:
        return _Gates((), (f"the gates {ids_of(gates)} are left to another run",))
    if answer.verdict != PASS and answer.mode == ENFORCE:
        return _Gates((), (f"the gates {ids_of(gates)} were not run: nothing lands as it is",))
    if has_key:
        return _Gates(unsure(gates, BESIDE_KEY))
    return _Gates(found.judge(answer.base, tip, say))


def _event(invocation: Invocation, environment: Mapping[str, str]) -> Event:
    """Read the event: of the file that is named, else of the run that we are in."""
    name = invocation.text("event") or environment.get("GITHUB_EVENT_NAME")
    file = invocation.file("file") or environment.get("GITHUB_EVENT_PATH")
    if file is None and not name and environment.get("GITLAB_CI"):
        return gitlab_event(environment)
    if file is None or not name:
        lacking = "an event file" if file is None else "the event's name"
        reason = f"There is no run of a forge around us: give {lacking}."
        raise errors.Usage(reason=reason, next="handrail ci --help")
    if name == GITLAB:
        return read_gitlab(_read(file))
    return read_github(name, _read(file), environment.get("GITHUB_SHA") or None)


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(EVENT_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        step = "handrail ci --help"
        raise errors.FactsUnavailable(what=file, reason=reason, next=step) from error


def _write(file: str, text: str, how: str) -> None:
    try:
        with open(file, how, encoding="utf-8") as opened:
            opened.write(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise errors.FactsUnavailable(what=file, reason=reason) from error


def _what(event: Event) -> str:
    if isinstance(event, PullRequest):
        return f"pull request #{event.number}"
    if isinstance(event, Push):
        return f"the push to {event.ref}"
    if isinstance(event, MergeGroup):
        return f"the merge group {event.head[:SHORT]}"
    return f"the event {event.name}"


# --- answering -----------------------------------------------------------------------------------


def _findings(answer: Answer) -> list[Finding]:
    binding = answer.mode == ENFORCE

    def level(verdict: str) -> str:
        return LEVELS[verdict] if binding or verdict != REFUSED else "warning"

    found = [
        Finding(one.code, level(one.verdict), visible(one.sentence), one.path, one.code)
        for one in answer.objections
    ]
    for one in answer.judgments:
        if one.verdict != PASS or one.code in NOTICED:
            told = visible(f"{one.commit[:SHORT]} {one.subject}: {one.sentence}")
            found.append(Finding(one.code, level(one.verdict), told, one.path, one.commit))
    return found


def _gate_findings(answer: Answer, gates: _Gates) -> list[Finding]:
    """Return what the gates mind; where nothing is refused, as warnings."""
    found = [one for outcome in gates.outcomes for one in findings(outcome)]
    if answer.mode == ENFORCE:
        return found
    return [one._replace(level="warning") if one.code != UNSURE else one for one in found]


def _gate_data(outcome: Outcome) -> Data:
    told = [{"code": one.code, "message": one.message} for one in outcome.objections]
    return {**gate_data(outcome), "findings": told}


def _cases(answer: Answer, gates: _Gates) -> list[Case]:
    """Return all that was judged as tests: what was objected to, then each commit."""
    cases = [
        Case(one.code, one.code, _at(one.path) + one.sentence, one.verdict != CANNOT_TELL)
        for one in answer.objections
    ]
    for one in answer.judgments:
        code = None if one.verdict == PASS else one.code
        name, message = f"{one.commit[:SHORT]} {one.subject}", _at(one.path) + one.sentence
        cases.append(Case(name, code, message, one.verdict != CANNOT_TELL))
    return cases + [case for outcome in gates.outcomes for case in cases_of(outcome)]


def _at(path: str | None) -> str:
    return "" if path is None else f"{path}: "


def _notes(answer: Answer) -> tuple[str, ...]:
    notes = [f"note: {visible(note)}" for note in answer.notes]
    if answer.verdict == REFUSED and answer.mode != ENFORCE:
        notes.append(f"note: the base says {answer.mode} for landing, so nothing is refused")
    return tuple(notes)


def _data(answer: Answer, event: Event) -> Data:
    return {
        "verdict": answer.verdict,
        "about": _what(event),
        "title": event.title if isinstance(event, PullRequest) else None,
        "from": event.head_repository if isinstance(event, PullRequest) else None,
        "base": answer.base,
        "mode": answer.mode,
        "recorded": answer.recorded,
        "objections": [
            {
                "code": one.code,
                "verdict": one.verdict,
                "path": one.path,
                "message": one.sentence,
                "values": dict(one.values),
            }
            for one in answer.objections
        ],
        "commits": [
            {
                "commit": one.commit,
                "subject": one.subject,
                "verdict": one.verdict,
                "code": one.code,
                "path": one.path,
                "message": one.sentence,
            }
            for one in answer.judgments
        ],
        "notes": list(answer.notes),
    }


def _text(
    what: str,
    answer: Answer,
    verdict: str,
    gates: _Gates,
    found: list[Finding],
    *,
    trial: bool,
) -> str:
    lines = []
    for finding in found:
        where = visible(_at(finding.path))
        lines.append(f"{finding.level}: {finding.code}: {where}{finding.message}")
    lines += [f"pass: {one.gate}" for one in gates.outcomes if one.verdict == PASS]
    said = {PASS: "may land", REFUSED: "may not land"}.get(verdict, "cannot be judged")
    # In a trial only those commits are judged of which something is known already.
    judged = f"{count(len(answer.judgments), 'commit')} judged"
    rest = "without --dry-run it would be recorded" if trial else judged
    return "\n".join([*lines, f"{visible(what)} {said}: {rest}"])


def _write_summary(what: str, verdict: str, found: list[Finding], notes: tuple[str, ...]) -> None:
    """Add to the page of the run, where the forge offers one; a verdict does not depend on it."""
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    rows = [Row(one.level, one.code, one.path, one.message) for one in found]
    try:
        _write(file, summary(verdict, what, rows, notes), "a")
    except errors.FactsUnavailable as error:
        say(f"note: {error.message}")
