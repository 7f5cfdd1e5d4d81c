"""A sleeper: an agent goes on working after its time, when its scope is somebody else's."""

from __future__ import annotations

from handrail.edge.demo.process import Answer, expect
from handrail.edge.demo.stage import Stage

SCOPE = "site"
TTL = "1s"


def sleeper(stage: Stage) -> str:
    """Let one agent oversleep, another take over, both commit; only one commit may count."""
    emil, finn = stage.agent("emil"), stage.agent("finn")
    stage.tell.aside(
        "Later leases have higher tokens. To attest a commit is to record that the",
        "agent who made it holds every file in it.",
    )
    first = emil.handrail("claim", SCOPE, "--ttl", TTL)
    expect(bool(first.token), f"{SCOPE} was free, and emil was {first.outcome()}")
    command = f"$ handrail claim {SCOPE} --ttl {TTL}"
    stage.tell.act("emil", command, f"granted, token {first.token}")
    second = finn.handrail("claim", SCOPE, "--wait", "20s")
    expect(bool(second.token), f"emil's time was over, and finn was {second.outcome()}")
    expect(_number(second) > _number(first), "finn's token is not higher than emil's")
    stage.tell.act(
        "finn", f"$ handrail claim {SCOPE} --wait", f"waits; granted, token {second.token}"
    )
    late = emil.commit(f"{SCOPE}/index.html", "written too late\n")
    refusals = [_attest_late(stage, late, "git commit; handrail attest HEAD", "")]
    good = finn.commit(f"{SCOPE}/style.css", "written in time\n")
    attested = finn.handrail("attest", good)
    expect(attested.data.get("attested") == [good], f"finn's attest: {attested.outcome()}")
    stage.tell.act(
        "finn", "$ git commit; handrail attest HEAD", f"attested; then finn releases {SCOPE}"
    )
    released = finn.handrail("release", SCOPE)
    expect(released.status == 0, f"finn could not release {SCOPE}: {released.outcome()}")
    refusals.append(_attest_late(stage, late, "handrail attest HEAD", " now too"))
    for refusal in refusals:
        expect(refusal.code == "stale_token", f"emil's attest was not refused: {refusal.outcome()}")
        expect(refusal.of_error("token") == first.token, "the refusal names another token")
    commits = [
        entry.fields["commit"] for entry in stage.ledger() if entry.kind == "commit.attested"
    ]
    expect(late not in commits, "the ledger attests emil's late commit")
    expect(commits.count(good) == 1, "the ledger does not attest finn's commit")
    return "the late commit is not attested, not even once the scope is free again"


def _attest_late(stage: Stage, commit: str, command: str, when: str) -> Answer:
    answer = stage.agent("emil").handrail("attest", commit)
    dead = answer.code == "stale_token"
    outcome = f"refused{when}: its token is dead" if dead else answer.outcome()
    stage.tell.act("emil", f"$ {command}", outcome)
    return answer


def _number(answer: Answer) -> int:
    return int(answer.token.rpartition(":")[2])
