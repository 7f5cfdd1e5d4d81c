"""``export``: the files of packets and projections, written anew from the state."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.edge.cli.invocation import Invocation
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.projections.port import Told
from handrail.service.packets import Packets
from handrail.service.projected_rows import LEFT, WRITTEN, Shown
from handrail.service.projecting import Judge, Projecting
from handrail.text import visible

TOLD_SHOWN_MAX = 50


def export(invocation: Invocation) -> Reply:
    """Write the files of packets and projections anew."""
    dry_run = invocation.flag("dry_run")
    application = invocation.application
    packets = Packets(application.context, application.packet_files)
    known, written = packets.export(dry_run=dry_run)
    files = application.projection_files
    shown = Projecting(application.context, files, _judge(invocation)).export(dry_run=dry_run)
    data: Data = {
        "packets": known,
        "written": list(written),
        "projections": [projection_data(one) for one in shown],
    }
    lines = [f"wrote {path}" for path in written]
    if dry_run:
        data["dry_run"] = True
        lines = [f"would see to the files of {count(known, 'packet')}"]
    else:
        lines.append(f"{count(known, 'packet')} exported")
    lines += projection_lines(shown, dry_run=dry_run)
    return Reply(data, "\n".join(lines), told_lines(shown))


def _judge(invocation: Invocation) -> Judge:
    """Return who says whether work is complete that a file calls so."""

    def judge(task: str | None) -> str:
        from handrail.service.completing import Completing
        from handrail.wiring.gates import Gates

        application = invocation.application
        gates = Gates(application, invocation.directory)
        return Completing(application.context, gates.gating, gates.around())(task)

    return judge


def projection_data(shown: Shown) -> Data:
    """Return what became of a projection as data."""
    return {
        "path": shown.path,
        "format": shown.format,
        "outcome": shown.outcome,
        "kept": shown.kept,
        "told": [one._asdict() for one in shown.told],
    }


def projection_lines(shown: Sequence[Shown], *, dry_run: bool = False) -> list[str]:
    """Return a line for each projection that something became of."""
    would = "would be " if dry_run else ""
    lines = []
    for one in shown:
        if one.outcome not in (WRITTEN, LEFT) and not one.kept:
            continue
        entered = f", {count(one.kept, 'row')} read back" if one.kept else ""
        lines.append(f"{would}{one.outcome} {visible(one.path)}{entered}")
    return lines


def told_lines(shown: Sequence[Shown]) -> tuple[str, ...]:
    """Return what is to be said of what was read, the first of it."""
    rows = [(one.path, told) for one in shown for told in one.told]
    lines = [f"note: {visible(path)}: {_sentence(told)}" for path, told in rows[:TOLD_SHOWN_MAX]]
    more = len(rows) - TOLD_SHOWN_MAX
    rest = [f"note: and {count(more, 'note')} more: see --json"] if more > 0 else []
    return (*lines, *rest)


def _sentence(told: Told) -> str:
    hint = f" ({visible(told.suggestion)})" if told.suggestion else ""
    return f"{visible(told.place)}: {visible(told.sentence)}{hint} [{told.code}]"
