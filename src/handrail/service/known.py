"""What projections may show: the state of the store at one moment, and what is kept of each file.

known = known_of(reader, rules_in_force(reader), here(context.outside))
at_path(reader, known, "ops/tracker/coordination.json").rows
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from handrail.config import blob_id
from handrail.config.vocabulary import SPREAD
from handrail.core.events import KIND_OF
from handrail.core.handed import CheckpointDecided, TaskClosed
from handrail.core.ledger import read_event, read_header
from handrail.core.projected import RowKept
from handrail.core.record import Record
from handrail.core.task import OPEN, Packet, Task
from handrail.projections.port import Decision, Known, Trigger
from handrail.service.context import Outside
from handrail.service.packet_text import packet_text
from handrail.service.policy import Rules
from handrail.store.port import Reader

if TYPE_CHECKING:
    from handrail.config.records import ProjectionFile

PACKETS_SHOWN_MAX: Final = 200
PACKETS_OF_PHASES_MAX: Final = 2_000
"""Where there are phases, a file may show every task with its packets."""


class Here(Record):
    """Where a working tree stands: HEAD's commit, '' on an unborn branch, and the branch."""

    commit: str
    branch: str | None


def here(outside: Outside) -> Here:
    """Ask git where the working tree stands; raises FactsUnavailable."""
    return Here(outside.at_head()[0], outside.branch())


def known_of(reader: Reader, rules: Rules, here: Here) -> Known:
    """Return what any projection may show, before the rows of one are looked at."""
    live = tuple(lease for lease in reader.leases() if lease.live(reader.now))
    phases = rules.settings.phases
    packets = sorted(reader.packets(), key=lambda packet: packet.seq)
    packets = packets[-(PACKETS_OF_PHASES_MAX if phases else PACKETS_SHOWN_MAX) :]
    named = {lease.session for lease in live} | {packet.session for packet in packets}
    sessions = [one for one in reader.sessions(ended=True) if one.live or one.id in named]
    tasks = tuple(reader.tasks(closed=True))
    return Known(
        now=reader.now,
        workspace=reader.workspace,
        epoch=reader.epoch,
        roles=rules.settings.roles,
        sessions=tuple(sessions),
        leases=live,
        tasks=tasks,
        packets=tuple((packet, _content(reader, packet)) for packet in packets),
        commit=here.commit,
        branch=here.branch,
        fold_case=rules.settings.workspace.fold_case,
        triggers=tuple(
            Trigger(one.id, one.from_role, one.to_role, one.when._asdict())
            for one in rules.settings.triggers
        ),
        phases=phases,
        decisions=tuple(_decisions(reader, tasks)) if phases else (),
        closed=dict(_closings(reader, tasks)) if phases else {},
    )


def _decisions(reader: Reader, tasks: Sequence[Task]) -> Iterator[Decision]:
    """Yield what people decided about tasks; what was redacted nobody can tell."""
    for task in tasks:
        for entry in reader.about(KIND_OF[CheckpointDecided], task.id):
            event = read_event(entry)
            if isinstance(event, CheckpointDecided):
                at = read_header(entry.header).at
                yield Decision(task.id, at, event.checkpoint, event.decision)


def _closings(reader: Reader, tasks: Sequence[Task]) -> Iterator[tuple[str, int]]:
    """Yield since when tasks are closed."""
    for task in tasks:
        entry = None if task.state == OPEN else reader.latest(KIND_OF[TaskClosed], task.id)
        if entry is not None:
            yield task.id, read_header(entry.header).at


def at_path(reader: Reader, known: Known, path: str) -> Known:
    """Return what the projection at a path may show."""
    return known._replace(path=path, rows=kept_rows(reader, path))


def files_of(
    known: Known, rows: Sequence[ProjectionFile], is_folder: Callable[[str], bool]
) -> list[ProjectionFile]:
    """Return the projections by their files: for a folder, those that show what is known.

    What has no folder in this working tree is another branch's, and shown there.
    """
    from handrail.projections.registry import PROJECTIONS

    found = []
    for one in rows:
        spread = PROJECTIONS[one.format].spread
        if spread is None:
            found.append(one)
            continue
        names = spread.written(known._replace(path=one.path))
        paths = [f"{one.path}/{name}" for name in names]
        found += [one._replace(path=path) for path in paths if is_folder(path.rpartition("/")[0])]
    return found


def is_one_of(one: ProjectionFile, path: str) -> bool:
    """Tell whether a path is a projection's file, or may be one of its folder's."""
    if one.format not in SPREAD:
        return path == one.path
    name = path.removeprefix(f"{one.path}/")
    return name != path and fnmatchcase(name, SPREAD[one.format])


def kept_rows(reader: Reader, path: str) -> dict[str, str]:
    """Return the rows that are kept of a projection, by name, without those that were redacted."""
    found = {}
    for row in reader.rows(path):
        entry = next(reader.entries(row.seq - 1, row.seq), None)
        event = None if entry is None else read_event(entry)
        if isinstance(event, RowKept):
            found[row.key] = event.record
    return found


def has_written(reader: Reader, path: str, content: bytes) -> bool:
    """Tell whether Handrail wrote these bytes there at any time."""
    return reader.wrote(path, blob_id(content)) is not None


def _content(reader: Reader, packet: Packet) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(packet_text(reader, packet))
    return content
