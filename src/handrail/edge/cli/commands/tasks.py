"""``task new``, ``list``, ``show``, ``close``, ``resume``."""

from __future__ import annotations

from contextlib import suppress

from handrail.core.ledger import format_token
from handrail.core.task import CLOSED, OPEN
from handrail.edge.cli.commands.check import gates_of
from handrail.edge.cli.commands.handoffs import keep_typed, lead_on, packet_data
from handrail.edge.cli.invocation import Invocation
from handrail.edge.phases import phase_data, phase_lines
from handrail.edge.render import count, table
from handrail.edge.reply import Data, Reply
from handrail.errors import HandrailError, Unavailable
from handrail.service.packets import Packets
from handrail.service.tasks import Tasks, TaskShown
from handrail.text import rfc3339, shell_quote, visible


def new(invocation: Invocation) -> Reply:
    """Open a task."""
    title = invocation.text("title")
    try:
        shown = Tasks(invocation.application.context).open(
            invocation.text("task") or "", title, invocation.text("to")
        )
    except HandrailError as error:
        typed = [] if title is None else [("--title", shell_quote(title))]
        keep_typed(error, "handrail task new", typed)
        raise
    with suppress(Unavailable):  # a copy; `handrail export` makes it anew
        Packets(invocation.application.context, invocation.application.packet_files).export()
    name, to_role = shown.task.id, shown.packets[0].to_role
    text = f"opened task {name}; packet 001 waits for {_whom(to_role)}"
    notes = lead_on(invocation, *shown.packets)
    return Reply(_data(shown), text, (*notes, f"to take it: handrail handoff accept {name}"))


def listed(invocation: Invocation) -> Reply:
    """List the tasks."""
    found = Tasks(invocation.application.context).all(closed=invocation.flag("closed"))
    phased = any(one.task.phase is not None for one in found)
    rows = [
        (
            one.task.id,
            _state(one),
            one.task.holder or "-",
            one.task.role or "-",
            *((one.task.phase or "-",) if phased else ()),
            f"{one.task.number:03d}",
            one.task.title,
        )
        for one in found
    ]
    phase = ("PHASE",) if phased else ()
    text = table(("TASK", "STATE", "SESSION", "ROLE", *phase, "PACKET", "TITLE"), rows)
    return Reply({"tasks": [_data(one) for one in found]}, text if rows else "no open task")


def show(invocation: Invocation) -> Reply:
    """Show a task."""
    shown = Tasks(invocation.application.context).show(invocation.text("task"))
    task = shown.task
    lines = [f"task {task.id} ({_state(shown)}): {visible(task.title)}"]
    if task.holder is not None:
        lines.append(f"  with session {task.holder} (role {task.role or '-'})")
    lines += [f"  {line}" for line in phase_lines(task, shown.pending, shown.artifact)]
    for lease in shown.reserved:
        scope = " ".join(visible(text) for text in lease.scope)
        lines.append(f"  reserved {format_token(shown.epoch, lease.token)}  {scope}")
    for packet in shown.packets:
        state = "lapsed" if packet.state == OPEN and packet.lapses_at <= shown.now else packet.state
        giver = packet.from_role or "-"
        line = f"  {packet.number:03d}  {packet.kind}  {giver} -> {_whom(packet.to_role)}  {state}"
        lines.append(line + (f"  {visible(packet.note)}" if packet.note else ""))
    open_ones = [packet for packet in shown.packets if packet.state == OPEN]
    live = [packet for packet in open_ones if packet.lapses_at > shown.now]
    notes = [_to_take(task.id, packet.to_role) for packet in live]
    return Reply(_data(shown), "\n".join(lines), tuple(notes))


def close(invocation: Invocation) -> Reply:
    """Close a task."""
    from handrail.edge.cli.commands.handing import passing_on

    return passing_on(invocation, _closed)


def _closed(invocation: Invocation) -> Reply:
    shown = Tasks(invocation.application.context, gates_of(invocation)).close(
        invocation.text("task"), invocation.text("reason") or "closed"
    )
    packets = count(len(shown.packets), "packet")
    return Reply(_data(shown), f"closed task {shown.task.id} after {packets}")


def resume(invocation: Invocation) -> Reply:
    """Let a task go on."""
    shown = Tasks(invocation.application.context).resume(
        invocation.text("task"), invocation.text("reason") or "not given"
    )
    return Reply(_data(shown), f"task {shown.task.id} goes on")


def _to_take(task: str, to_role: str | None) -> str:
    return f"to take it, as {_whom(to_role)}: handrail handoff accept {task}"


def _whom(to_role: str | None) -> str:
    return to_role or "anybody"


def _state(shown: TaskShown) -> str:
    if shown.task.state == CLOSED:
        return CLOSED
    if shown.halted:
        return "halted"
    return "waits" if shown.task.waits_at is not None else shown.task.state


def _data(shown: TaskShown) -> Data:
    task = shown.task
    return {
        "task": task.id,
        "title": task.title,
        "state": _state(shown),
        "opened_at": rfc3339(task.opened_at),
        "session": task.holder,
        "role": task.role,
        **phase_data(task, shown.pending),
        "reserved": [
            {"token": format_token(shown.epoch, lease.token), "scope": list(lease.scope)}
            for lease in shown.reserved
        ],
        "packets": [packet_data(packet) for packet in shown.packets],
    }
