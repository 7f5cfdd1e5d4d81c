"""The gates of a working tree, put together: the bench, what judges, and what a handoff asks.

gates = Gates(application, application.place.toplevel)
gates.gating.check("pre-handoff", handed=gates.around().to_check("pre-handoff", None))
"""

from __future__ import annotations

from handrail.service.gating import Gating, Tell
from handrail.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.service.handoff_gates import HandoffGates
    from handrail.wiring import Application
    from handrail.wiring.bench import RepositoryBench


class Gates:
    """The use cases of judging for a caller in the folder ``start``; one bench for all of them.

    With ``reruns`` the evidence of others is run again where a packet is accepted.
    """

    def __init__(self, application: Application, start: str, *, reruns: bool = False) -> None:
        self._application = application
        self.bench: RepositoryBench = application.bench(start)
        rerun = application.reruns if reruns else None
        self.gating = Gating(application.context, self.bench, lambda: application.sources, rerun)

    def around(self, tell: Tell = lambda line: None, again: str = "") -> HandoffGates:
        """Return the gates around a handoff; ``again`` is the command that asks for it."""
        from handrail.service.handoff_gates import HandoffGates

        context = self._application.context
        return HandoffGates(context, self.bench, self.gating, tell, again)
