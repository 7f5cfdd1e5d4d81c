"""``handoff offer``, ``accept``, ``decline``, ``withdraw``, ``list``, ``show``, ``briefing``; ``export``."""  # noqa: E501

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from handrail import errors
from handrail.core.packet import PACKET_BYTES_MAX
from handrail.core.task import OPEN, Packet, file_name
from handrail.edge.checked import STATUS, as_text, gate_data
from handrail.edge.cli.commands.check import gates_of
from handrail.edge.cli.invocation import Invocation
from handrail.edge.phases import phase_data, phase_lines
from handrail.edge.render import lease_data, table
from handrail.edge.reply import Data, Reply
from handrail.gates.gate import PASS
from handrail.service.gating import Checked
from handrail.service.handoff_gates import told
from handrail.service.handoffs import Handoffs, Offering
from handrail.service.judged import JudgedHandoffs
from handrail.service.packets import Briefing, Packets
from handrail.service.policy import rules_read_last, shows_state
from handrail.service.turns import Turns
from handrail.text import rfc3339, shell_quote, visible
from handrail.typed import Final

OFFER: Final = "handrail handoff offer"
BLOCK: Final = "handrail task block"
TYPED_CHARS_MAX: Final = 2_000
"""Of one option that is typed again; no message longer than that is."""


def offer(invocation: Invocation) -> Reply:
    """Offer a packet."""
    asked = Offering(
        packet=_file(invocation),
        message=invocation.text("message"),
        task=invocation.text("task"),
        to_role=invocation.text("to"),
        kind=invocation.text("kind"),
        scope=invocation.words("scope"),
        request_id=invocation.text("request_id"),
        next_phase=invocation.text("next_phase"),
    )
    typed = _typed(invocation, ("task", "to", "kind", "next_phase", "request_id"))
    file = invocation.text("file")
    try:
        return _offered(invocation, asked, _again(OFFER, typed, file))
    except errors.HandrailError as error:
        keep_typed(error, OFFER, typed, file)
        raise


def block(invocation: Invocation) -> Reply:
    """Offer a packet of work that a rule stops."""
    from handrail.service.blocking import as_block

    asked = Offering(
        message=invocation.text("message"),
        task=invocation.text("task"),
        to_role=invocation.text("to"),
        scope=invocation.words("scope"),
        request_id=invocation.text("request_id"),
    )
    rule = invocation.text("rule") or ""
    typed = [("--rule", shell_quote(rule)), *_typed(invocation, ("to", "request_id"))]
    try:
        asked = as_block(invocation.application.context, rule, asked)
        return _offered(invocation, asked, _again(BLOCK, typed, asked.task))
    except errors.HandrailError as error:
        if error.next is not None and error.next.startswith(f"{OFFER} "):
            error.lead_on(
                f"{BLOCK} " + error.next.removeprefix(f"{OFFER} ").removeprefix("--task ")
            )
        keep_typed(error, BLOCK, typed, asked.task)
        raise


def _offered(invocation: Invocation, asked: Offering, again: str) -> Reply:
    dry_run = invocation.flag("dry_run")
    done = _judged(invocation, again).offer(asked, dry_run=dry_run)
    packet = done.packet
    data: Data = {**packet_data(packet), "file": done.file, "packet": json.loads(done.text)}
    status = 0
    if dry_run:
        data["dry_run"] = True
    if done.checked is not None:
        data["gates"] = _gates(done.checked)
    verb = "would offer" if dry_run else "offered"
    scope = " ".join(visible(text) for text in packet.patterns) or "no scope"
    text = (
        f"{verb} packet {packet.number:03d} of task {packet.task} ({packet.kind})"
        f" to {packet.to_role or 'anybody'}: {scope}; it lapses at {rfc3339(packet.lapses_at)}"
    )
    notes = [] if dry_run else _findings(done.checked)
    if dry_run and done.checked is not None:
        text += "\n" + as_text(done.checked).rstrip("\n")
        status = STATUS[done.checked.verdict]
    if done.opened:
        verb = "would open" if dry_run else "opened"
        notes.append(f"note: {verb} task {packet.task} for it, because you act for none")
    if done.left:
        held = " ".join(visible(text) for text in done.left[:8])
        notes.append(f"note: what you hold stays yours ({held}); --scope offers it")
    if done.overwritten:
        notes.append(f"note: written by Handrail instead: {', '.join(done.overwritten)}")
    if done.file is None and not dry_run:
        notes.append("note: the packet's file could not be written; handrail export makes it")
    notes += [] if dry_run else lead_on(invocation, packet)
    if asked.fire is not None and not dry_run:
        from handrail.service.firing import leads_on

        step = leads_on(invocation.application.context, packet)
        notes.append(f"trigger {asked.fire.trigger}: you write nothing until it is back: {step}")
    return Reply(data, text, tuple(notes), status)


def lead_on(invocation: Invocation, *packets: Packet) -> tuple[str, ...]:
    """Write what leads readers to the newest packet; returns what is to be said of it.

    ``packets`` are those that are new.
    """
    application = invocation.application
    if not shows_state(application.context.store):
        return ()
    from handrail.service.projecting import Projecting

    names = [file_name(packet.task, packet.number) for packet in packets]
    shown = Projecting(application.context, application.projection_files).lead_on(names)
    if not shown:
        return ()
    from handrail.edge.cli.commands.export import told_lines

    return told_lines(shown)


def _again(command: str, typed: Sequence[tuple[str, str]], word: str | None) -> str:
    """Write the command that was typed, without its message and what only tried it."""
    words = [command]
    words += [] if word is None else [shell_quote(word)]
    words += [word for flag, *rest in typed if flag != "-m" for word in (flag, *rest)]
    return " ".join(words)


def keep_typed(
    error: errors.HandrailError,
    command: str,
    typed: Sequence[tuple[str, str]],
    word: str | None = None,
) -> None:
    """Let the command that leads on from an error keep what was typed and is not in question.

    ``word`` is what was typed without a flag. A next phase says for whom the packet is.
    """
    step = error.next
    if step is None or not step.startswith(f"{command} ") or step.endswith("--help"):
        return
    words = [] if word is None or f" {shell_quote(word)}" in step else [shell_quote(word)]
    for flag, value in typed:
        known = (flag, "--next-phase") if flag == "--to" else (flag,)
        if not any(f" {one} " in step for one in known):
            words += [flag, value if len(value) <= TYPED_CHARS_MAX else "MESSAGE"]
    error.lead_on(" ".join([step, *words]))


def _typed(invocation: Invocation, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the options of an offer that were typed, each with its word for a shell."""
    found = [
        ("--" + name.replace("_", "-"), text)
        for name in names
        if (text := invocation.text(name)) is not None
    ]
    found += [("--scope", text) for text in invocation.words("scope")]
    message = invocation.text("message")
    found += [] if message is None else [("-m", message)]
    return [(flag, shell_quote(text)) for flag, text in found]


def _gates(checked: Checked) -> list[Data]:
    """Return the gates that had something to judge, as data."""
    return [gate_data(one) for one in checked.outcomes if one.applicable]


def _findings(checked: Checked | None) -> list[str]:
    """Return what gates mind and what did not stand in the way, as notes."""
    rows = [one for one in checked.outcomes if one.verdict != PASS] if checked is not None else []
    return [f"note: {visible(line)}" for line in told(rows)]


def _file(invocation: Invocation) -> bytes | None:
    path = invocation.file("file")
    if path is None:
        return None
    from handrail.wiring import read_file

    content = read_file(path, 2 * PACKET_BYTES_MAX, pipe=True)
    if content is None:
        reason = f"There is no file {visible(path)}."
        raise errors.Usage(reason=reason, next=f"ls -d {shell_quote(os.path.dirname(path))}")
    return content


def accept(invocation: Invocation) -> Reply:
    """Accept a packet."""
    narrow = invocation.words("narrow") or None
    done = _judged(invocation).accept(
        invocation.text("target"), narrow, invocation.text("request_id")
    )
    task, packet, lease = done.task.id, done.packet, done.lease
    what = f"task {task}" if packet is None else f"packet {packet.number:03d} of task {task}"
    verb = "took up" if packet is None else "accepted"
    data: Data = {
        "task": task,
        "packet": None if packet is None else packet_data(packet),
        "lease": None if lease is None else lease_data(lease, done.epoch),
        "not_taken": list(done.free),
        "phase": done.task.phase,
        "unread": list(done.unread),
    }
    if done.checked is not None:
        data["gates"] = _gates(done.checked)
    text = f"{verb} {what}"
    if done.task.phase is not None:
        text += f", in phase {done.task.phase}"
    if lease is not None:
        scope = " ".join(visible(text) for text in lease.scope)
        shown = lease_data(lease, done.epoch)
        text += f"; you hold {scope} under {shown['token']} until {shown['expires_at']}"
    notes = [f"note: not yours of it: {' '.join(map(visible, done.free[:8]))}"] if done.free else []
    notes = [*_findings(done.checked), *notes]
    if done.unread:
        from handrail.edge.cli.commands.reading import left_note

        notes.append(left_note(done.unread))
    notes.append(f"what it says: handrail handoff briefing {task}")
    rules = rules_read_last()
    if rules is not None and rules.policy.fires:
        from handrail.edge.cli.commands.triggers import taken_up

        notes += taken_up(invocation)
    return Reply(data, text, tuple(notes))


def decline(invocation: Invocation) -> Reply:
    """Decline a packet."""
    packet = _handoffs(invocation).decline(
        invocation.text("target"),
        invocation.text("reason") or "not given",
        invocation.text("request_id"),
    )
    text = f"declined packet {packet.number:03d} of task {packet.task}"
    return Reply(packet_data(packet), text)


def withdraw(invocation: Invocation) -> Reply:
    """Withdraw a packet."""
    packet = _handoffs(invocation).withdraw(
        invocation.text("target"),
        invocation.text("reason") or "not given",
        invocation.text("request_id"),
    )
    text = f"withdrew packet {packet.number:03d} of task {packet.task}"
    return Reply(packet_data(packet), text)


def listed(invocation: Invocation) -> Reply:
    """List the packets that wait."""
    packets = _packets(invocation)
    rows, back = packets.inbox(), packets.came_back()
    shown = [
        (
            "*" if row.mine else "",
            f"{row.packet.task}-{row.packet.number:03d}",
            row.packet.kind,
            row.packet.from_role or "-",
            row.packet.to_role or "anybody",
            "lapsed" if row.lapsed else rfc3339(row.packet.lapses_at),
            row.title,
        )
        for row in rows
    ]
    text = table(("", "PACKET", "KIND", "FROM", "TO", "UNTIL", "TASK"), shown)
    data: Data = {
        "packets": [
            {**packet_data(row.packet), "lapsed": row.lapsed, "yours": row.mine, "title": row.title}
            for row in rows
        ],
        "came_back": [
            {**packet_data(one.packet), "title": one.title, "next": one.next} for one in back
        ],
    }
    lines = [text if rows else "nothing is offered"]
    lines += [f"back with you: {one.sentence}\n  next: {one.next}" for one in back]
    return Reply(data, "\n".join(lines))


def show(invocation: Invocation) -> Reply:
    """Show what a packet says."""
    found = _packets(invocation).show(invocation.text("target"))
    text = json.dumps(found.content, indent=2, sort_keys=True, ensure_ascii=True)
    return Reply({**_state(found), "content": found.content}, text)


def briefing(invocation: Invocation) -> Reply:
    """Say what a receiver goes on by."""
    found = _packets(invocation).show(invocation.text("target"))
    packet, content = found.packet, found.content
    context = content.get("context", {})
    lines = [
        f"task {found.task.id}: {visible(found.task.title)}",
        (
            f"packet {packet.number:03d} ({packet.kind}, {_state(found)['state']})"
            f" from {packet.from_role or '-'} to {packet.to_role or 'anybody'}"
        ),
    ]
    lines += [f"  {line}" for line in phase_lines(found.task, found.pending, found.artifact)]
    lines += [] if found.back is None else [f"  {found.back.sentence}"]
    if content.get("message"):
        lines += ["", *(f"  {visible(line)}" for line in content["message"].split("\n"))]
    for title, values in (
        ("to read first", context.get("required_reading", [])),
        ("requirements", context.get("requirements", [])),
        ("constraints", context.get("constraints", [])),
        ("scope", list(packet.patterns)),
        ("you hold", [text for lease in found.leases for text in lease.scope]),
    ):
        if values:
            lines += ["", f"{title}:", *(f"  {visible(value)}" for value in values)]
    leases = [lease_data(lease, found.epoch) for lease in found.leases]
    note = Turns(invocation.application.context).note_of(found.task.holder)
    if note is not None:
        lines += ["", f"where session {found.task.holder} stood when its thread was shortened:"]
        lines += [f"  {visible(line)}" for line in note.split("\n")]
    data: Data = {
        **_state(found),
        "title": found.task.title,
        "workflow": phase_data(found.task, found.pending),
        "content": content,
        "leases": leases,
        "compacted": note,
    }
    return Reply(
        data, "\n".join(lines), _steps(found, invocation.application.context.caller.session)
    )


def _steps(found: Briefing, session: str | None) -> tuple[str, ...]:
    """Name the command that leads on from a briefing, if there is one."""
    task = found.task
    if _state(found)["state"] == OPEN:
        return (f"to take it: handrail handoff accept {task.id}",)
    if session is not None and found.back is not None:
        return (f"next: {found.back.next}",)
    if session is not None and task.holder == session and found.pending is None:
        return (f"when it is done: handrail handoff offer --task {task.id} -m MESSAGE",)
    return ()


def packet_data(packet: Packet) -> Data:
    """Return a packet's row as data."""
    return {
        "task": packet.task,
        "number": packet.number,
        "kind": packet.kind,
        "state": packet.state,
        "session": packet.session or None,
        "from_role": packet.from_role,
        "to_role": packet.to_role,
        "scope": list(packet.patterns),
        "offered_at": rfc3339(packet.offered_at),
        "lapses_at": rfc3339(packet.lapses_at),
        "hash": packet.hash,
        "answered_by": packet.by,
        "answered_at": None if packet.settled_at is None else rfc3339(packet.settled_at),
        "reason": packet.note,
    }


def _state(found: Briefing) -> Data:
    data = packet_data(found.packet)
    if found.packet.state == OPEN and found.lapsed:
        data["state"] = "lapsed"
    return data


def _handoffs(invocation: Invocation) -> Handoffs:
    application = invocation.application
    return Handoffs(application.context, application.packet_files)


def _judged(invocation: Invocation, again: str = "") -> Handoffs:
    application = invocation.application
    gates = gates_of(invocation, again)
    return JudgedHandoffs(application.context, application.packet_files, gates)


def _packets(invocation: Invocation) -> Packets:
    application = invocation.application
    return Packets(application.context, application.packet_files)
