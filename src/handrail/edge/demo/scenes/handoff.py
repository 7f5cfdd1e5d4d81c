"""The handoff: what a giver says is run again by its receiver, before anything changes hands."""

from __future__ import annotations

import os
from typing import Final

from handrail.edge.demo.agent import Agent
from handrail.edge.demo.process import Answer, Broken, expect
from handrail.edge.demo.stage import Stage

TASK, TEST, LOCAL = "tax-rate", "tax/check.sh", "tax/rate.txt"
CHECK: Final = f'test "$(cat {LOCAL} 2>/dev/null)" = 7\n'
GATE: Final = f"""
[[gate]]
id = "tests"
stages = ["pre-handoff"]
run = ["sh", "{TEST}"]
"""
SAYS: Final = "the tax rate is 7 percent now, and all of the tests pass"


def handoff(stage: Stage) -> str:
    """Let an agent hand over what passes in its own tree alone, and then what passes anywhere."""
    _set_up(stage)
    ann, cleo = stage.agent("ann"), stage.agent("cleo")
    _well(ann.handrail("handoff", "accept", TASK), "ann could not take the task")
    ann.write(LOCAL, "7\n")  # git does not see it, and so nobody will have it
    _work(ann, TEST, CHECK)
    stage.tell.act("ann", "her tests pass, by a file left out", _offers(ann))
    _git(cleo, "merge", "--quiet", "--no-edit", "ann")
    refused = cleo.handrail("handoff", "accept", TASK)
    returned = refused.status == 1 and refused.of_error("code") == "handoff_returned"
    outcome = "runs them: red, so it goes back" if returned else "has it: nobody ran the tests"
    stage.tell.act("cleo", "accepts 002", outcome)
    expect(returned, f"a false success was not returned: {refused.outcome()}")
    kinds = [entry.kind for entry in stage.ledger() if entry.fields.get("task") == TASK]
    expect(kinds[-1] == "packet.returned", f"the ledger has {kinds[-1]} and no return")
    _work(ann, LOCAL, "7\n", "--force")
    stage.tell.act("ann", "commits that file, too", _offers(ann))
    _git(cleo, "merge", "--quiet", "--no-edit", "ann")
    taken = cleo.handrail("handoff", "accept", TASK)
    lease = taken.data.get("lease")
    held = isinstance(lease, dict) and (lease["holder"], lease["scope"]) == ("cleo", ["tax"])
    outcome = "runs them: green, tax/ is hers" if held else f"cannot: {taken.outcome()}"
    stage.tell.act("cleo", "accepts 003", outcome)
    expect(held, f"a true handoff was not accepted: {taken.outcome()}")
    return "what is claimed is run again on the other side, in a clean tree"


def _set_up(stage: Stage) -> None:
    """Let a person ask for tests at each handoff, and open a task."""
    with open(os.path.join(stage.main, "handrail.toml"), "a", encoding="utf-8") as file:
        file.write(GATE)
    exclude = os.path.join(stage.main, ".git", "info", "exclude")
    os.makedirs(os.path.dirname(exclude), exist_ok=True)
    with open(exclude, "a", encoding="utf-8") as file:
        file.write(f"/{LOCAL}\n")
    _well(stage.decides("config", "apply"), "the gate could not be put in force")
    opened = stage.handrail("task", "new", TASK, "--title", "Raise the tax rate to 7 percent")
    _well(opened, "the task could not be opened")


def _work(agent: Agent, path: str, text: str, *options: str) -> None:
    edit = agent.edit(path, text)
    expect(edit.refused_with is None, f"{path} was refused ({edit.refused_with})")
    _git(agent, "add", *options, "--", path)
    _git(agent, "commit", "--quiet", "--message", "Raise the tax rate")


def _offers(agent: Agent) -> str:
    done = agent.handrail("handoff", "offer", "--task", TASK, "-m", SAYS, "--scope", "tax")
    _well(done, f"{agent.name} could not offer")
    packet = done.data.get("packet")
    number = packet.get("seq", 0) if isinstance(packet, dict) else 0
    return f"offers {number:03d}: they pass"


def _well(done: Answer, otherwise: str) -> None:
    expect(done.status == 0, f"{otherwise}: {done.outcome()}")


def _git(agent: Agent, *words: str) -> None:
    done = agent.git(*words)
    if done.status != 0:
        raise Broken(f"git {words[0]} ended with {done.status}: {done.err.strip()[-200:]}")
