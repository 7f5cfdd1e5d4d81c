"""The gate ``directive``: a packet is as the directive says that it belongs to.

What it looks at is the directive's folder as it lies in the working tree: one file of metadata, its
id and branch, the task's file. A packet of no directive is nothing to judge.

    directive(Facts(handed=handed, directive=Seen(problem="…")))
"""

from __future__ import annotations

from handrail.gates.facts import Facts
from handrail.gates.gate import CannotTell, Objection
from handrail.gates.packet import Found, handed_of
from handrail.text import shell_quote
from handrail.typed import Final

EXECUTOR: Final = "executor"
NO_TASK: Final = (
    "Executor handoff requires a concrete task_file. Pass --task-file <task_slug>.task.json"
)


def directive(facts: Facts) -> Found:
    """Object to what a packet says of its directive and is not so; at acceptance, to the branch."""
    handed, seen = handed_of(facts), facts.directive
    said = handed.part("directive")
    if not isinstance(said, dict) or not said:
        return None
    if seen is None:
        raise CannotTell("nobody looked at the directive")
    if seen.problem:
        return (Objection("no_directive", seen.problem, seen.folder),)
    found = []
    if said.get("id") != seen.id:
        sentence = f"session_id {said.get('id')} is not the directive's meta.id {seen.id}"
        found.append(Objection("wrong_session", sentence, seen.meta))
    branch = handed.part("metadata", "branch")
    if not branch:
        sentence = (
            "Missing directive branch. Provide --directive-branch or set meta.directive_branch in "
            f"{seen.meta}"
        )
        found.append(Objection("no_branch", sentence, seen.meta))
    elif branch != seen.branch:
        sentence = (
            f"Handoff branch '{branch}' does not match directive metadata branch '{seen.branch}'."
        )
        found.append(Objection("wrong_branch", sentence, seen.meta))
    elif handed.packet is not None and seen.head != branch:
        sentence = f"Current branch '{seen.head}' does not match directive_branch '{branch}'"
        found.append(
            Objection("not_on_branch", sentence, None, f"git switch {shell_quote(branch)}")
        )
    giver = handed.part("from_role") or seen.giver
    if giver is not None and giver == handed.part("to_role"):
        sentence = f"from_role and to_role are both {giver}: nothing is handed over"
        found.append(Objection("same_role", sentence))
    if handed.part("to_role") == EXECUTOR and not said.get("task_file"):
        found.append(Objection("no_task_file", NO_TASK, seen.folder))
    elif said.get("task_file") and not seen.has_task:
        sentence = "it is the packet's task file, and it is not there"
        found.append(Objection("no_task_file", sentence, said["task_file"]))
    return found
