"""A race: many agents claim one scope at the same moment."""

from __future__ import annotations

from handrail.edge.demo.process import expect
from handrail.edge.demo.stage import Stage

SCOPE = "src/api"


def race(stage: Stage) -> str:
    """Let the whole cast claim one scope at once."""
    claims = [(agent.name, agent.start("claim", SCOPE)) for agent in stage.agents]
    answers = {name: claim.answer() for name, claim in claims}
    stage.tell.act("all", f"$ handrail claim {SCOPE}", f"all {len(answers)} at the same moment")
    winners = [name for name, answer in answers.items() if answer.token]
    for name in winners:
        stage.tell.act(name, "", f"granted, token {answers[name].token}")
    expect(len(winners) == 1, f"{len(winners)} agents were granted {SCOPE} at once")
    refused = {name: answer for name, answer in answers.items() if name != winners[0]}
    for name, answer in refused.items():
        told = answer.code == "scope_held" and answer.of_error("session") == winners[0]
        expect(told, f"{name} was not told that {winners[0]} holds it: {answer.outcome()}")
    grants = [
        entry
        for entry in stage.ledger()
        if entry.kind == "lease.granted" and entry.fields["patterns"] == [SCOPE]
    ]
    expect(len(grants) == 1, f"the ledger has {len(grants)} grants of {SCOPE}")
    return f"1 granted, {len(refused)} refused, and each of these was told who holds it"
