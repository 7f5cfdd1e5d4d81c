"""Edits: through the hooks of a harness, by tool and by shell, in one working tree and in two."""

from __future__ import annotations

from handrail.edge.demo.agent import Used
from handrail.edge.demo.process import expect
from handrail.edge.demo.stage import Stage

PATH = "shop/cart.py"
SCRIPT = "shop/generate.sh"
GINAS = "what gina wrote\n"


def edits(stage: Stage) -> str:
    """Let one agent edit a file, another try it in every way, a third do it in its own tree."""
    gina, hugo = stage.agent("gina"), stage.agent("hugo")
    first = gina.edit(PATH, GINAS)
    stage.tell.act("gina", f"edits {PATH}", _told(first, "free: with the edit she takes it"))
    expect(first.refused_with is None, f"{PATH} was free: gina was {_told(first, '')}")
    edit = hugo.edit(PATH, "what hugo wrote\n")
    stage.tell.act("hugo", f"edits {PATH}, same tree", _told(edit, "is let through"))
    line = hugo.bash(f"echo changed > {PATH}")
    stage.tell.act("hugo", f"$ echo changed > {PATH}", _told(line, "ran"))
    for tried in (edit, line):
        expect(tried.refused_with == "scope_held", f"gina holds {PATH}: hugo {_told(tried, 'ran')}")
    expect(gina.read(PATH) == GINAS, f"{PATH} is not as gina left it")
    _unseen(stage)
    _beside(stage)
    return "stopped before or told after; where git can merge, both go on and know it"


def _unseen(stage: Stage) -> None:
    """Let a script write, of which no hook can know beforehand."""
    hugo = stage.agent("hugo")
    wrote = hugo.edit(SCRIPT, f"echo changed > {PATH}\n")
    expect(wrote.refused_with is None, f"{SCRIPT} was free: hugo was {_told(wrote, '')}")
    ran = hugo.bash(f"sh {SCRIPT}")
    caught = PATH in ran.told
    stage.tell.act(
        "hugo", f"$ sh {SCRIPT}", "writes there: caught, and told" if caught else "nobody noticed"
    )
    expect(caught, f"hugo's script wrote {PATH} and hugo was not told")
    found = [
        (entry.session, entry.fields["found"])
        for entry in stage.ledger()
        if entry.kind == "write.unheld"
    ]
    expect(found == [("hugo", [[PATH, "scope_held"]])], f"the ledger does not say who wrote {PATH}")


def _beside(stage: Stage) -> None:
    """Let another agent edit the file of that name in a working tree of its own."""
    gina, ben = stage.agent("gina"), stage.agent("ben")
    edit = ben.edit(PATH, "what ben wrote\n")
    expect(edit.refused_with is None, f"in its own tree ben was {_told(edit, '')}")
    heard = gina.edit(PATH, GINAS)
    both = "gina" in edit.told and PATH in edit.told and "ben" in heard.told and PATH in heard.told
    outcome = "goes on; gina and ben are told" if both else "goes on, and not both are told"
    stage.tell.act("ben", f"edits {PATH}, its own tree", outcome)
    expect(both, f"gina and ben edit {PATH} in two trees and were not both told")


def _told(used: Used, otherwise: str) -> str:
    return otherwise if used.refused_with is None else f"refused ({used.refused_with})"
