"""What follows from a person's decision besides the task's way: files that show it, the bundle.

notes = follow_up(application, Checkpoints(application.context).decide(…))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail import errors
from handrail.core.task import DONE, HALT
from handrail.service.policy import shows_state
from handrail.text import visible

if TYPE_CHECKING:
    from handrail.service.checkpoints import Decided
    from handrail.wiring import Application


def follow_up(application: Application, done: Decided) -> list[str]:
    """Write what shows the state, and the bundle of work that has ended; returns notes."""
    if not shows_state(application.context.store):
        return []
    from handrail.edge.cli.commands.export import told_lines
    from handrail.service.projecting import Projecting

    files = application.projection_files
    notes = list(told_lines(Projecting(application.context, files).lead_on()))
    with application.store.read() as reader:
        from handrail.service.policy import rules_in_force

        bundles = bool(rules_in_force(reader).settings.folders)
    if not (bundles and done.leads_to in (DONE, HALT)):
        return notes
    from handrail.service.cooperation.bundle import Bundles

    try:
        dirty = application.bench(application.place.toplevel).standing(()).dirty
        written = Bundles(application.context, files).write(done.task.id, dirty)
    except errors.Unavailable as error:
        return [*notes, f"note: the evidence bundle was not written: {visible(error.message)}"]
    return [*notes, f"evidence bundle: {', '.join(map(visible, written))}"]
