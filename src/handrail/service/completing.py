"""What a file answers to that calls work complete: the gates before a handoff, asked of the work.

Promise: what is called complete is so only where they pass; the task of the session is closed then,
as ``task close`` does it. The answer is why not, and '' where it is.

    Projecting(context, files, Completing(context, gating, gates)).export()
"""

from __future__ import annotations

from handrail.errors import HandrailError
from handrail.service.context import Context
from handrail.service.gating import Gating
from handrail.service.handoff_gates import PRE_HANDOFF, HandoffGates, refused
from handrail.service.policy import rules_in_force
from handrail.service.tasks import Tasks


class Completing:
    """The use case of calling work complete in a file."""

    def __init__(self, context: Context, gating: Gating, gates: HandoffGates) -> None:
        self._context = context
        self._gating = gating
        self._gates = gates

    def __call__(self, task: str | None) -> str:
        """Ask the gates, and close the task; without one, ask them alone."""
        try:
            if task is not None:
                Tasks(self._context, self._gates).close(task, "a state file calls it complete")
                return ""
            handed = self._gates.to_check(PRE_HANDOFF, None)
            checked = self._gating.check(PRE_HANDOFF, handed=handed)
            with self._context.store.read() as reader:
                rules = rules_in_force(reader)
            refusal = refused(checked, rules, "the work that a state file calls complete")
        except HandrailError as error:
            return error.message
        return "" if refusal is None else refusal.message
