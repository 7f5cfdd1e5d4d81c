"""The phases that a task goes through: which comes first, which follows, where a decision leads.

Promises: pure; phases come in the order of the file; one that is not in it any more counts as none.
What a phase is stands in the configuration; here only its shape is known.

    >>> Workflow().first is None, artifact_path("fix-login", "plan.md")
    (True, '.handrail/evidence/fix-login/plan.md')
"""

from __future__ import annotations

from collections.abc import Callable

from handrail.core.record import Record
from handrail.core.task import EVIDENCE
from handrail.typed import Final, Protocol

APPROVE: Final = "approve"
REVISE: Final = "revise"
STOP: Final = "stop"
DECISIONS: Final = (APPROVE, REVISE, STOP)


class Checkpoint(Protocol):
    """A person's decision at the end of a phase: its name, and the phase that each answer leads to."""  # noqa: E501

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def approve(self) -> str:
        """Where ``approve`` leads: a phase, or the end."""

    @property
    def revise(self) -> str:
        """Where ``revise`` leads: a phase."""

    @property
    def stop(self) -> str:
        """Where ``stop`` leads: a phase, or the end."""


class Phase(Protocol):
    """A step of the workflow."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def role(self) -> str:
        """The role or family that works in it."""

    @property
    def sandbox(self) -> str:
        """How far it lets one write."""

    @property
    def may_write(self) -> tuple[str, ...]:
        """What may be written in it although it is read-only."""

    @property
    def artifact(self) -> str | None:
        """The file that it leaves, in the task's evidence folder."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The decision at its end."""


class Workflow(Record):
    """The phases of a configuration; none where there is no workflow.

    ``evidence`` is the folder in which they leave what they produce.
    """

    phases: tuple[Phase, ...] = ()
    evidence: str = EVIDENCE

    @property
    def first(self) -> Phase | None:
        """Return the phase that a task begins with."""
        return self.phases[0] if self.phases else None

    def place(self, name: str | None) -> int:
        """Return the place of a phase in the file; -1 for none."""
        names = [phase.name for phase in self.phases]
        return names.index(name) if name in names else -1

    def phase(self, name: str | None) -> Phase | None:
        """Return the phase of that name; None if there is none (any more)."""
        place = self.place(name)
        return None if place < 0 else self.phases[place]

    def follows(self, name: str | None, fits: Callable[[Phase], bool]) -> Phase | None:
        """Return the nearest phase after one that fits; after no phase come all."""
        return next(filter(fits, self.phases[self.place(name) + 1 :]), None)

    def precedes(self, name: str | None, fits: Callable[[Phase], bool]) -> Phase | None:
        """Return the nearest phase that fits, the one itself first and then back to the first."""
        return next(filter(fits, reversed(self.phases[: max(self.place(name), 0) + 1])), None)

    def passed(self, name: str | None, target: str | None) -> Phase | None:
        """Return the first phase with a checkpoint that a way to ``target`` would leave behind.

        The phase where the way begins counts, the target does not; the way back leaves none. None
        is the end, after all phases.
        """
        end = len(self.phases) if target is None else max(self.place(target), 0)
        way = self.phases[max(self.place(name), 0) : end]
        return next((phase for phase in way if phase.checkpoint is not None), None)

    def skipped(self, name: str | None, target: str) -> Phase | None:
        """Return the first phase between these two that has to leave an artifact; None: none."""
        way = self.phases[self.place(name) + 1 : max(self.place(target), 0)]
        return next((phase for phase in way if phase.artifact is not None), None)

    def artifact_path(self, task: str, artifact: str) -> str:
        """Return where the artifact of a phase lies, from the root of the working tree."""
        return artifact_path(task, artifact, self.evidence)

    def checkpoint(self, name: str) -> Phase | None:
        """Return the phase that ends with the checkpoint of that name."""
        found = (phase for phase in self.phases if _name_of(phase) == name)
        return next(found, None)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Return the names of all checkpoints."""
        return tuple(filter(None, map(_name_of, self.phases)))


def _name_of(phase: Phase) -> str:
    return "" if phase.checkpoint is None else phase.checkpoint.name


def leads_to(checkpoint: Checkpoint, decision: str) -> str:
    """Return what a decision leads to: a phase, ``done`` or ``halt``."""
    return {
        APPROVE: checkpoint.approve,
        REVISE: checkpoint.revise,
        STOP: checkpoint.stop,
    }[decision]


def artifact_path(task: str, artifact: str, evidence: str = EVIDENCE) -> str:
    """Return where the artifact of a phase lies, from the root of the working tree."""
    return f"{evidence}/{task}/{artifact}"
