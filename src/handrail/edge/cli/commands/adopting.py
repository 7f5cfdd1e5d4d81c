"""What `init` says of the files of another system: what was read, and what in them is no use."""

from __future__ import annotations

from handrail.edge.cli.commands.export import projection_data, told_lines
from handrail.edge.render import count
from handrail.edge.reply import Data
from handrail.service.adopting import CONTRACTS, adopt, foreseen
from handrail.service.install import KEPT
from handrail.service.projected_rows import ABSENT, LEFT, WRITTEN, Shown
from handrail.service.projecting import Projecting
from handrail.service.setup import Initialised
from handrail.text import visible
from handrail.wiring import Application


def adopted(
    application: Application, done: Initialised, data: Data, *, dry_run: bool
) -> tuple[list[str], list[str], list[str]]:
    """Take over what another system left; returns lines, notes and the files that were written.

    What became of each is added to the data.
    """
    files = application.projection_files
    if dry_run:
        planned = {step.what for step in done.steps if step.outcome != KEPT}
        top = application.place.toplevel.rstrip("/")
        rest = [one for one in done.projections if f"{top}/{one.path}" not in planned]
        shown = foreseen(files, rest, done.folders)
    else:
        application.act_as_nobody()  # what is history nobody here says
        shown = adopt(Projecting(application.context, files), files, done.projections)
    if done.told:
        shown = (Shown(CONTRACTS, "", ABSENT, 0, done.told), *shown)
    data["projections"] = [projection_data(one) for one in shown]
    lines = [line for one in shown for line in _line(one, dry_run=dry_run)]
    written = [one.path for one in shown if one.outcome == WRITTEN]
    return lines, list(told_lines(shown)), written


def _line(shown: Shown, *, dry_run: bool) -> list[str]:
    would = "would be " if dry_run else ""
    if shown.outcome == LEFT:
        return [f"{would}left  {visible(shown.path)}"]
    if shown.kept:
        rows = count(shown.kept, "row")
        return [f"{would}imported  {visible(shown.path)}: {rows}"]
    return [f"{would}created  {visible(shown.path)}"] if shown.outcome == WRITTEN else []
