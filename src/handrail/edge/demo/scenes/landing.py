"""The landing: a bare remote takes what was made under leases, and nothing else."""

from __future__ import annotations

import os

from handrail.edge.demo.agent import Agent
from handrail.edge.demo.process import Broken, expect
from handrail.edge.demo.stage import Stage

PATH, GOOD, BAD = "app/main.py", "print('done')\n", "print('sneaked in')\n"
NO_HOOK = "core.hooksPath=/dev/null"


def landing(stage: Stage) -> str:
    """Let an agent push what no ledger knows, with every hook off, and then its honest work."""
    remote = _remote(stage)
    dora = stage.agent("dora")
    _must(dora, "merge", "--quiet", "--ff-only", "main")
    start = dora.head()
    dora.write(PATH, BAD)
    expect(dora.commit(PATH, "-c", NO_HOOK).status == 0, "dora could not force its commit")
    pushed = dora.git("-c", NO_HOOK, "push", "--quiet", "shared", "HEAD:main")
    refused = pushed.status != 0 and "unseen:" in pushed.err and _tip(stage, remote) == start
    outcome = "the remote refuses it (unseen)" if refused else "landed"
    stage.tell.act("dora", "commits, pushes, all hooks off", outcome)
    expect(refused, f"the forced commit was not refused at the push: {pushed.err[-200:]}")
    _must(dora, "reset", "--quiet", "--hard", start)
    edit = dora.edit(PATH, GOOD)
    expect(edit.refused_with is None, f"dora was refused a free path ({edit.refused_with})")
    expect(dora.commit(PATH).status == 0, "dora could not commit what it holds")
    pushed = dora.git("push", "--quiet", "shared", "HEAD:main")
    landed = pushed.status == 0 and _tip(stage, remote) == dora.head()
    outcome = "attested, and taken" if landed else "refused"
    stage.tell.act("dora", f"edits {PATH}, commits, pushes", outcome)
    expect(landed, f"honest work did not land: {pushed.err[-200:]}")
    return "judged where the agent has no say, by the signed ledger that came along"


def _remote(stage: Stage) -> str:
    """Make the remote, enrol this store, and let the remote have what is there."""
    remote = os.path.join(stage.folder, "shared.git")
    stage.git("init", "--quiet", "--bare", remote)
    stage.git("symbolic-ref", "HEAD", "refs/heads/main", folder=remote)
    bare = stage.handrail("init", "--bare", folder=remote)
    expect(bare.status == 0, f"handrail init --bare: {bare.outcome()}")
    for words in (("enroll",), ("config", "apply")):
        done = stage.decides(*words)
        expect(done.status == 0, f"handrail {' '.join(words)}: {done.outcome()}")
    stage.git("remote", "add", "shared", remote)
    stage.git("commit", "--quiet", "--all", "--message", "Enrol this store")
    stage.git("push", "--quiet", "shared", "main")
    stage.tell.act("you", "$ handrail init --bare, enroll", "the remote judges by its ledger")
    return remote


def _tip(stage: Stage, remote: str) -> str:
    return stage.git("rev-parse", "main", folder=remote)


def _must(agent: Agent, *words: str) -> None:
    done = agent.git(*words)
    if done.status != 0:
        raise Broken(f"git {words[0]} ended with {done.status}: {done.err.strip()[-200:]}")
