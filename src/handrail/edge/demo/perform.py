"""Playing the scenes: set the stage, play, judge, put everything away."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final

from handrail.core.record import Record
from handrail.edge.demo.interrupts import Interrupts
from handrail.edge.demo.narrator import Narrator
from handrail.edge.demo.process import Broken
from handrail.edge.demo.scenes import Scene
from handrail.edge.demo.stage import CAST, Stage
from handrail.errors import HandrailError

PROGRAM: Final = (sys.executable, "-I", "-m", "handrail")
INTRODUCTION: Final = (
    "An agent holds a lease on the paths that it wants to change, for a time.",
    f"All you see is real: git, its hooks, a harness for each of {len(CAST)} agents.",
)


class Played(Record):
    """How a scene went: ``sentence`` says what held, or what happened instead."""

    name: str
    promise: str
    kept: bool
    sentence: str


class Outcome(Record):
    """How the demo went; ``left`` is the scratch folder if it is still there."""

    played: tuple[Played, ...]
    seconds: float
    left: str | None

    @property
    def broken(self) -> tuple[str, ...]:
        """The names of the scenes whose promise did not hold."""
        return tuple(scene.name for scene in self.played if not scene.kept)


def perform(
    scenes: Sequence[Scene],
    narrator: Narrator,
    *,
    program: Sequence[str] = PROGRAM,
    keep: bool = False,
) -> Outcome:
    """Play the scenes on a fresh stage; raises FactsUnavailable if it cannot be set."""
    began = time.monotonic()
    played: list[Played] = []
    narrator.text(*INTRODUCTION)
    with Interrupts() as interrupts:
        stage = Stage(program, narrator, interrupts, keep=keep)
        try:
            with interrupts.allowed():
                stage.prepare()
                for number, scene in enumerate(scenes, 1):
                    narrator.title(number, scene.promise)
                    played.append(_play(scene, stage))
        finally:
            left = stage.close()
    outcome = Outcome(tuple(played), time.monotonic() - began, left)
    narrator.verdict(verdict(outcome), kept=not outcome.broken)
    narrator.text(_whereabouts(left))
    return outcome


def verdict(outcome: Outcome) -> str:
    """Say in one sentence how the demo went."""
    total, took = len(outcome.played), f"{outcome.seconds:.1f} s"
    if not outcome.broken:
        return f"All {total} promises were kept ({took})."
    return (
        f"{len(outcome.broken)} of {total} promises broken ({took}): {', '.join(outcome.broken)}."
    )


def _whereabouts(left: str | None) -> str:
    if left is None:
        return "The scratch repository is gone; handrail demo --keep would leave it there."
    return f"The scratch repository is {left}/repo; remove {left} when you are done."


def _play(scene: Scene, stage: Stage) -> Played:
    try:
        sentence = scene.play(stage)
    except Broken as broken:
        sentence = str(broken)
    except HandrailError as error:
        sentence = f"it could not be told: {error.message}"
    except Exception as error:  # noqa: BLE001 - a scene that fails has shown nothing
        sentence = f"it could not be told: {type(error).__name__}: {error}"
    else:
        stage.tell.kept(sentence)
        return Played(scene.name, scene.promise, True, sentence)
    stage.tell.broken(sentence)
    return Played(scene.name, scene.promise, False, sentence)
