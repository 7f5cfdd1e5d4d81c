"""``check``: may I? The gates of a stage, asked beforehand, with the whole list at once."""

from __future__ import annotations

from collections.abc import Callable

from handrail import errors
from handrail.config import CONFIG_FILE
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import dump
from handrail.edge.findings import Case, Finding, chosen_format, junit, sarif, workflow_commands
from handrail.edge.reply import Data, Reply
from handrail.service.commit_check import CommitCheck
from handrail.service.policy import rules_read_last
from handrail.text import scope_word, visible
from handrail.typed import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from handrail.service.handoff_gates import HandoffGates
    from handrail.wiring.gates import Gates

STAGES: Final = ("commit", "push", "pre-handoff", "post-handoff", "land", "publish")
AROUND: Final = ("pre-handoff", "post-handoff")
COMMIT: Final = "commit"
_NEXT: Final = "handrail check commit"


def check(invocation: Invocation) -> Reply:
    """Say whether what a stage stands for may be done now."""
    stage, form = invocation.text("stage") or "", chosen_format(invocation)
    if invocation.flag("self_test"):
        from handrail.edge.checked import reply

        return reply(_gates(invocation).gating.self_test(), form)
    if not stage:
        reason = f"Name the stage: {', '.join(STAGES)}."
        raise errors.Usage(reason=reason, next=_NEXT)
    if stage not in STAGES:
        reason = f"Of stage {visible(stage)} nothing can be checked in this release."
        raise errors.Usage(reason=reason, next=_NEXT)
    if _task(invocation) is not None and stage not in AROUND:
        reason = f"Stage {stage} is about no task; {' and '.join(AROUND)} are."
        raise errors.Usage(reason=reason, next=f"handrail check {stage}")
    only = invocation.words("only")
    if stage == COMMIT and not only:
        application = invocation.application
        refusal = CommitCheck(application.context).staged(seen=application.traces.seen())
        if not _has_more():
            return _of_leases(refusal, form)
        return _of_gates(invocation, stage, form, refusal, asked=True)
    return _of_gates(invocation, stage, form, None, asked=False)


def _has_more() -> bool:
    """Tell whether the configuration asks more of a commit than its leases."""
    rules = rules_read_last()
    if rules is None:
        return False
    settings = rules.settings
    plugins = any(row.id.startswith("plugin:") for row in settings.builtin_gates)
    return plugins or any(COMMIT in gate.stages or gate.protects for gate in settings.gates)


def _of_gates(
    invocation: Invocation,
    stage: str,
    form: str,
    refusal: errors.NotCovered | None,
    *,
    asked: bool,
) -> Reply:
    from handrail.edge.checked import reply
    from handrail.service.collecting import covered_by

    gates = _gates(invocation)
    more: dict[str, Any] = {}
    if stage in AROUND:
        more["handed"] = gates.around().to_check(stage, _task(invocation))
    checked = gates.gating.check(
        stage,
        only=invocation.words("only"),
        commands=not invocation.flag("no_commands"),
        tell=_teller(invocation),
        covered=covered_by(refusal) if asked else None,
        **more,
    )
    told = reply(checked, form)
    if stage not in AROUND or not _is_whole(invocation, stage):
        return told
    from handrail.service.verdicts import enter

    why = enter(invocation.application.context, checked, more["handed"].task or None)
    return told if why is None else told._replace(notes=(f"note: this is not entered: {why}",))


def _is_whole(invocation: Invocation, stage: str) -> bool:
    """Tell whether the whole suite was asked; of a receiver's, as a session's start asks it."""
    part = invocation.words("only") or (stage == AROUND[0] and invocation.flag("no_commands"))
    return not part


def _task(invocation: Invocation) -> str | None:
    return invocation.text("task") or invocation.text("target")


def _teller(invocation: Invocation) -> Callable[[str], None]:
    from handrail.edge.cli.output import say

    def tell(line: str) -> None:
        if not invocation.flag("quiet"):
            say(f"handrail: {visible(line)}")

    return tell


def _gates(invocation: Invocation) -> Gates:
    from handrail.wiring.gates import Gates

    return Gates(invocation.application, invocation.directory, reruns=True)


def gates_of(invocation: Invocation, again: str = "") -> HandoffGates:
    """Return the gates around a handoff; ``again`` is the command that asks for it."""
    return _gates(invocation).around(_teller(invocation), again)


def _of_leases(refusal: errors.NotCovered | None, form: str) -> Reply:
    """Answer where a commit's leases are all there is to judge."""
    reasons = reasons_of(refusal) if refusal is not None else ()
    findings = [Finding(code, "error", text, path, path) for path, code, text in reasons]
    data: Data = {
        "stage": COMMIT,
        "verdict": "fail" if refusal else "pass",
        "findings": [{"path": path, "code": code, "message": text} for path, code, text in reasons],
        "next": None if refusal is None else refusal.next,
    }
    status = errors.EXIT_REFUSED if refusal else 0
    if form == "json":
        return Reply(data, dump(data), (), status)
    if form == "sarif":
        rules = {finding.code: finding.code.replace("_", " ") for finding in findings}
        return Reply(data, dump(sarif(findings, rules, CONFIG_FILE)), (), status)
    if form == "junit":
        cases = [Case(one.path or "", one.code, one.message) for one in findings]
        passed = [Case("what is staged", None, "")]
        return Reply(data, junit("handrail check commit", cases or passed), (), status)
    if form == "github":
        return Reply(data, workflow_commands(findings), (), status)
    text = whole_list(refusal) if refusal else "what is staged may be committed\n"
    return Reply(data, text, (), status)


def reasons_of(refusal: errors.NotCovered) -> tuple[tuple[str, str, str], ...]:
    """Return path, code and sentence of all that stands in a commit's way."""
    return cast("tuple[tuple[str, str, str], ...]", refusal.values.get("reasons", ()))


def whole_list(refusal: errors.NotCovered, most: int = 50) -> str:
    """Write all that stands in a commit's way, and the next command for the first of it."""
    reasons = reasons_of(refusal)
    paths = "1 path" if len(reasons) == 1 else f"{len(reasons)} paths"
    lines = [f"handrail: {refusal.code}: this session may not commit {paths}:"]
    lines += [f"  {scope_word(path)}: {code}: {text}" for path, code, text in reasons[:most]]
    if len(reasons) > most:
        lines.append(f"  and {len(reasons) - most} more")
    if refusal.next:
        lines.append(f"  next: {refusal.next}")
    return "\n".join(lines) + "\n"
