"""A cleared session: the harness goes on under another name, in the middle of the work."""

from __future__ import annotations

from handrail.edge.demo.process import expect
from handrail.edge.demo.stage import Stage

PATH = "notes/todo.md"


def cleared(stage: Stage) -> str:
    """Let an agent clear its session over a file that it has not committed, and go on."""
    cleo = stage.agent("cleo")
    first, old = cleo.edit(PATH, "half of it\n"), cleo.session
    expect(first.refused_with is None, f"{PATH} was free: cleo was refused ({first.refused_with})")
    told = cleo.clear()
    stage.tell.act("cleo", f"edits {PATH}; types /clear", f"is session {cleo.session} now")
    expect(PATH in told, f"the new session was not told that {PATH} is unfinished")
    owners = [
        entry.session
        for entry in stage.ledger()
        if entry.kind == "lease.granted" and entry.fields["patterns"] == [PATH]
    ]
    expect(owners == [old, cleo.session], f"{PATH} was not handed from {old} to {cleo.session}")
    again = cleo.edit(PATH, "all of it\n")
    expect(again.refused_with is None, f"cleo was refused its own {PATH} ({again.refused_with})")
    done = cleo.commit(PATH)
    expect(done.status == 0, f"cleo could not commit its own {PATH} ({done.code})")
    attested = [e for e in stage.ledger() if e.kind == "commit.attested"]
    theirs = [e.session for e in attested if e.fields["commit"] == cleo.head()]
    expect(theirs == [cleo.session], "the ledger does not attest cleo's commit")
    stage.tell.act("cleo", f"edits {PATH}; commits it", "attested")
    return "the new session took over what the old one left, and was stopped nowhere"
