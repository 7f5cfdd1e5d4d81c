"""Overlap: two patterns that can mean the same file, and two that only look alike."""

from __future__ import annotations

from handrail.edge.demo.process import Answer, expect
from handrail.edge.demo.stage import Stage

WITNESS = "lib/core/x.py"


def overlap(stage: Stage) -> str:
    """Let two agents claim patterns that meet, then two that do not."""
    first = _claim(stage, "ann", ("lib/*/x.py", "src/a"))
    second = _claim(stage, "ben", ("lib/core/*.py",), f"refused: both mean {WITNESS}")
    third = _claim(stage, "ben", ("src/ab",), "granted: another name, another path")
    expect(bool(first.token), f"lib/*/x.py and src/a were free, and ann was {first.outcome()}")
    expect(second.code == "scope_held", f"ben's lib/core/*.py was {second.outcome()}")
    witness = second.of_error("witness")
    expect(witness == WITNESS, f"the path that lies in both was said to be {witness}")
    expect(second.of_error("token") == first.token, "the refusal names another lease than ann's")
    expect(bool(third.token), f"src/ab was free, and ben was {third.outcome()}")
    return "refused where they meet, with a file as proof; granted where they do not"


def _claim(stage: Stage, name: str, scope: tuple[str, ...], told: str = "granted") -> Answer:
    answer = stage.agent(name).handrail("claim", *scope)
    words = [part if part.replace("/", "").isalnum() else f"'{part}'" for part in scope]
    outcome = answer.outcome()
    as_expected = told.partition(":")[0] == outcome.split()[0]
    stage.tell.act(name, f"$ handrail claim {' '.join(words)}", told if as_expected else outcome)
    return answer
