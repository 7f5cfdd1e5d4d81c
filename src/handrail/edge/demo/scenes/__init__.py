"""The scenes, in the order in which they are played; each stands for itself.

A scene is a promise and a function that shows it: it lets agents act on the stage, tells what they
did, checks what came of it, and returns in one sentence what held. To add one, write such a
function and a line in the table. A scene must not lean on one before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from handrail.core.record import Record
from handrail.edge.demo.scenes.board import board
from handrail.edge.demo.scenes.cleared import cleared
from handrail.edge.demo.scenes.crash import crash
from handrail.edge.demo.scenes.edits import edits
from handrail.edge.demo.scenes.handoff import handoff
from handrail.edge.demo.scenes.landing import landing
from handrail.edge.demo.scenes.ledger import ledger
from handrail.edge.demo.scenes.overlap import overlap
from handrail.edge.demo.scenes.race import race
from handrail.edge.demo.scenes.sleeper import sleeper
from handrail.edge.demo.stage import Stage


class Scene(Record):
    """What is promised, and what shows it; ``play`` raises Broken where it did not hold."""

    name: str
    promise: str
    play: Callable[[Stage], str]


SCENES: Final = (
    Scene("race", "Many agents want the same paths: exactly one gets them.", race),
    Scene("overlap", "Two patterns that can mean the same file are never both granted.", overlap),
    Scene("crash", "An agent that crashes blocks the others no longer than its lease.", crash),
    Scene(
        "edits", "What another holds is not edited; a shell that does it anyway is caught.", edits
    ),
    Scene(
        "sleeper", "Work done after the lease was lost cannot pass as work done in time.", sleeper
    ),
    Scene("cleared", "A session that is cleared goes on with its own unfinished work.", cleared),
    Scene("board", "Everybody can see who holds what.", board),
    Scene("handoff", "Work that is not what its giver says comes back to the giver.", handoff),
    Scene("landing", "What broke a rule does not reach the shared branch.", landing),
    Scene("ledger", "What happened stays on record; nobody changes it unseen.", ledger),
)
