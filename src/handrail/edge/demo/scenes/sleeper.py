"""A sleeper: an agent goes on working after its time, over what its successor has finished."""

from __future__ import annotations

from handrail.edge.demo.agent import Agent
from handrail.edge.demo.process import Broken, expect
from handrail.edge.demo.stage import Stage

SCOPE, PATH = "site", "site/index.html"
TTL = "1s"
FORCE = ("-c", "core.hooksPath=/dev/null")


def sleeper(stage: Stage) -> str:
    """Let one agent oversleep, another finish the work, the first try to commit over it."""
    emil, finn = stage.agent("emil"), stage.agent("finn")
    first = emil.handrail("claim", SCOPE, "--ttl", TTL)
    expect(bool(first.token), f"{SCOPE} was free, and emil was {first.outcome()}")
    # Without the hook, which would renew the lease, or take a new one if this machine is slow.
    emil.write(PATH, "half of it\n")
    stage.tell.act("emil", f"$ handrail claim {SCOPE} --ttl {TTL}", "granted; writes, falls asleep")
    good = _succeed(stage, finn, first.token)
    emil.write(PATH, "written over it\n")
    for words in ((), ("--no-verify",)):
        done = emil.commit(PATH, *words)
        vetoed = done.status != 0 and emil.head() == good
        outcome = f"vetoed ({_reason(done.err)})" if vetoed else "committed"
        stage.tell.act("emil", " ".join(("$ git commit", *words)), outcome)
        expect(vetoed, f"emil's commit went through: git commit {' '.join(words)}")
    forced = emil.commit(PATH, *FORCE)
    late = emil.head()
    expect(forced.status == 0 and late != good, "emil could not force its commit for the test")
    stage.tell.act("emil", f"$ git {FORCE[0]} {FORCE[1]} commit", "no hook of Handrail runs")
    _find(stage, emil, late)
    attest = emil.handrail("attest", late)
    expect(attest.code == "stale_token", f"emil's attest: {attest.outcome()}")
    expect(attest.of_error("token") == first.token, "the refusal names another token")
    commits = [e.fields["commit"] for e in stage.ledger() if e.kind == "commit.attested"]
    expect(commits.count(good) == 1, "the ledger does not attest finn's commit")
    expect(late not in commits, "the ledger attests emil's late commit")
    return "vetoed though its scope is free again; forced, it is found and cannot land"


def _succeed(stage: Stage, finn: Agent, dead: str) -> str:
    """Let the successor take over, commit and release; returns its commit."""
    second = finn.handrail("claim", SCOPE, "--wait", "20s", "--adopt")
    expect(bool(second.token), f"emil's time was over, and finn was {second.outcome()}")
    expect(_number(second.token) > _number(dead), "finn's token is not higher than emil's")
    edit = finn.edit(PATH, "all of it\n")
    expect(edit.refused_with is None, f"finn was refused what it holds ({edit.refused_with})")
    done = finn.commit(PATH)
    expect(done.status == 0, f"finn could not commit what it holds ({done.code})")
    released = finn.handrail("release", SCOPE)
    expect(released.status == 0, f"finn could not release {SCOPE}: {released.outcome()}")
    command = f"$ handrail claim {SCOPE} --wait --adopt"
    stage.tell.act("finn", command, "waits; commits, releases")
    return finn.head()


def _find(stage: Stage, emil: Agent, late: str) -> None:
    """See that whoever judges the landing is told which commit it was, and which path."""
    verdict = stage.handrail("verify", f"{late}~1..{late}", folder=emil.folder)
    rows = verdict.data.get("commits")
    if not isinstance(rows, list):
        raise Broken(f"handrail verify judged nothing: {verdict.outcome()}")
    named = [(row["commit"], row["path"]) for row in rows if row["verdict"] == "refused"]
    outcome = f"refused: {late[:7]} {PATH}" if named else "it may land"
    stage.tell.act("you", "$ handrail verify HEAD~1..HEAD", outcome)
    expect(verdict.status == 1 and named == [(late, PATH)], "verify did not name commit and path")


def _reason(err: str) -> str:
    """Return the code of what stands in the way of the path."""
    told = [line.strip() for line in err.splitlines() if line.strip().startswith(f"{PATH}: ")]
    return told[0].split(": ")[1] if told else "it gave no reason"


def _number(token: str) -> int:
    return int(token.rpartition(":")[2])
