"""The slash commands of the preset ``cooperation``, as its documents print them.

Promises: lines and refusals are the documented ones; what the documents do not have (why nothing
was delivered, what to type next) goes to stderr. Words are words: nothing of them reaches a shell,
a description comes from a file or as it was typed. Decisions are people's: an agent's own call is
refused with the line for the person's terminal. ``docs/guides/cooperation.md`` lists where the
originals differ.

    main(["handoff", "reviewer"], "/repo")
    # [handoff] task=coop-20260601-090000-nav seq=002 architect → reviewer
    # next phase: claude_review sandbox: read-only
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from handrail import errors
from handrail.core.handing import REVISES_MAX
from handrail.core.packet import PACKET_BYTES_MAX
from handrail.core.task import file_name
from handrail.edge.cli.invocation import at_terminal
from handrail.edge.cli.output import say, write_bytes
from handrail.edge.decided import follow_up
from handrail.errors.cooperation import CooperationActive, CooperationsUnsettled, NoCooperation
from handrail.projections.cooperation import DECISIONS, GATES
from handrail.service.cooperation.handing import HANDOFF, Handed, Handing, Wanted
from handrail.service.cooperation.opening import Opening, meant
from handrail.service.cooperation.routing import REVIEWER
from handrail.service.cooperation.showing import Showing, Standing
from handrail.text import visible
from handrail.wiring import Application, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM: Final = "cooperate"
COMMANDS: Final = ("cooperate", "handoff", "checkpoint", "status")
NOBODY: Final = "—"


def main(words: Sequence[str], folder: str) -> int:
    """Run one of the commands; returns its exit status."""
    asked = _parser().parse_args(list(words))
    command: Callable[[Application, Namespace], int] = _COMMANDS[asked.command]
    try:
        with _opened(folder) as application:
            return command(application, asked)
    except errors.HandrailError as error:
        return _refused(asked.command, error)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog=PROGRAM)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser("cooperate", help="open a cooperation")
    one.add_argument("words", nargs="*", metavar="DESCRIPTION")
    one.add_argument("--file", help="a file that holds the description")
    one.add_argument("--interleave", action="store_true", help="beside the one in progress")
    one = commands.add_parser("handoff", help="hand over to the next role, or deliver what waits")
    one.add_argument("role", nargs="?", default="", metavar="TO-ROLE")
    one.add_argument("--packet", metavar="FILE", help="what the receiver should know, as JSON")
    one.add_argument("--scope", action="append", default=[], metavar="PATTERN")
    one.add_argument("-m", "--message")
    one.add_argument("--task")
    one = commands.add_parser("checkpoint", help="decide at a checkpoint, as a person")
    one.add_argument("gate", nargs="?", default="", metavar="GATE")
    one.add_argument("decision", nargs="?", default="", metavar="DECISION")
    one.add_argument("--reason", default="not given")
    one.add_argument("--task")
    one = commands.add_parser("status", help="say where a cooperation stands")
    one.add_argument("task", nargs="?", metavar="TASK-ID")
    one.add_argument("--task", dest="named", help="the same")
    return parser


@contextmanager
def _opened(folder: str) -> Iterator[Application]:
    application = Application.open(folder, os.environ, terminal=at_terminal())
    try:
        yield application
    finally:
        application.close()


def _tell(line: str) -> None:
    write_bytes([f"{visible(line)}\n".encode("utf-8", "replace")])


def _refused(command: str, error: errors.HandrailError) -> int:
    """Say a refusal in the documents' words, where they have some; then what leads on."""
    if isinstance(error, CooperationActive):
        said = f"active cooperation: {error.values['task']}"
    elif isinstance(error, CooperationsUnsettled):
        said = "settle existing cooperation first"
    elif isinstance(error, NoCooperation):
        said = "no cooperations yet; run /cooperate" if command == "status" else _NONE
    else:
        said = f"{command} refused: {error.code}: {error.message}"
    say(visible(said))
    if isinstance(error, CooperationActive):
        say("  a person who wants both at once says: interleave (--interleave)")
    if isinstance(error, CooperationsUnsettled):
        names = error.values["tasks"]
        assert isinstance(names, tuple)
        say(f"  in progress: {', '.join(map(visible, names))}")
    if error.next:
        say(f"  next: {error.next}")
    return error.exit_status


_NONE: Final = "no active cooperation"


# --- /cooperate ----------------------------------------------------------------------------------


def _cooperate(application: Application, asked: Namespace) -> int:
    said = _text(asked.file) if asked.file is not None else " ".join(asked.words)
    if not said.strip():
        say("cooperate needs a task description")
        say("  next: python3 .cooperations/cooperate cooperate DESCRIPTION")
        return errors.EXIT_MALFORMED
    done = Opening(application.context).open(said, interleave=asked.interleave)
    task = done.task.id
    _show_state(application, file_name(task, 1))
    with suppress(errors.Unavailable):  # it is made with the first artifact
        application.projection_files.make_folder(f"{_evidence(application)}/{task}")
    standing = Showing(application.context).show(task)
    told = standing.task
    _tell(
        f"[mob-orchestrator] task={task} phase={told['current_phase']}"
        f" role={told['current_role']} sandbox={told['sandbox']}"
    )
    _tell("next: product-planner via /handoff architect")
    _tell(f"planned implementer: {done.routed.planned}")
    if done.routed.reviewed:
        say(f"note: most of it is for {REVIEWER}, who only reviews: name who implements it")
    return errors.EXIT_DONE


def _text(path: str) -> str:
    content = read_file(path, 4 * PACKET_BYTES_MAX, pipe=True)
    if content is None:
        reason = f"There is no file {visible(path)}."
        raise errors.Usage(reason=reason, next="python3 .cooperations/cooperate cooperate --help")
    return content.decode("utf-8", "replace")


def _evidence(application: Application) -> str:
    from handrail.service.policy import rules_in_force

    with application.store.read() as reader:
        return rules_in_force(reader).settings.workspace.evidence


def _show_state(application: Application, *packets: str) -> None:
    """Write the files that show the state; what is to be said of them goes to stderr."""
    from handrail.edge.cli.commands.export import told_lines
    from handrail.service.projecting import Projecting

    shown = Projecting(application.context, application.projection_files).lead_on(packets)
    for line in told_lines(shown):
        say(line)


# --- /handoff ------------------------------------------------------------------------------------


def _handoff(application: Application, asked: Namespace) -> int:
    from handrail.service.judged import JudgedHandoffs
    from handrail.wiring.gates import Gates

    packet = None
    if asked.packet is not None:
        packet = read_file(asked.packet, 2 * PACKET_BYTES_MAX, pipe=True)
        if packet is None:
            reason = f"There is no file {visible(asked.packet)}."
            raise errors.Usage(reason=reason, next=f"{HANDOFF} --help")
    top = application.place.toplevel
    gates = Gates(application, top, reruns=True).around(again=f"{HANDOFF} {asked.role}")
    handoffs = JudgedHandoffs(application.context, application.packet_files, gates)
    wanted = Wanted(packet, tuple(asked.scope), asked.task, asked.message)
    done = Handing(application.context, handoffs).hand(asked.role, wanted)
    _show_state(application, file_name(done.packet.task, done.packet.number))
    _told_of(done)
    if done.held is None:
        return errors.EXIT_DONE
    say(f"it was handed over, and is not delivered: {done.held.code}: {done.held.message}")
    if done.held.next:
        say(f"  next: {done.held.next}")
    return done.held.exit_status


def _told_of(done: Handed) -> None:
    packet = done.packet
    _tell(f"[handoff] task={packet.task} seq={packet.number:03d} {done.sender} → {done.receiver}")
    _tell(f"next phase: {done.phase or NOBODY} sandbox: {done.sandbox or NOBODY}")
    if done.taken:
        say(f"delivered here: this session works as {packet.to_role or 'it did'} now")
    elif done.held is None:
        say(f"it waits for role {packet.to_role}: handrail handoff accept {packet.task}")


# --- /checkpoint ---------------------------------------------------------------------------------


def _checkpoint(application: Application, asked: Namespace) -> int:
    from handrail.service.checkpoints import Checkpoints

    again = "python3 .cooperations/cooperate checkpoint --help"
    if asked.decision not in DECISIONS:
        reason = f"No decision is {_shown(asked.decision)}: {', '.join(DECISIONS)}."
        raise errors.Usage(reason=reason, next=again)
    if not asked.gate:
        raise errors.Usage(reason=f"Which gate: {', '.join(GATES)}?", next=again)
    context = application.context
    with context.store.read() as reader:
        task = meant(reader, context, asked.task, f"checkpoint {asked.gate}").id
    done = Checkpoints(context).decide(asked.gate, asked.decision, task, asked.reason)
    notes = follow_up(application, done)
    _tell(f"[checkpoint] task={done.task.id} gate={done.checkpoint} decision={done.decision}")
    _tell(f"next phase: {done.leads_to} role: {done.next_role or NOBODY}")
    _tell(f"revise count: {done.times}/{done.limit}")
    for line in notes:
        say(line)
    if done.waits:
        say(f"nothing goes on until a person says so: handrail task resume {done.task.id}")
    return errors.EXIT_DONE


def _shown(word: str) -> str:
    return f"'{visible(word[:60])}'"


# --- /cooperation-status -------------------------------------------------------------------------


def _status(application: Application, asked: Namespace) -> int:
    showing = Showing(application.context)
    name = asked.task or asked.named
    running = showing.running()
    if name is None and len(running) > 1:
        _tell(f"several cooperations are in progress: {', '.join(running)}")
        say(f"  next: python3 .cooperations/cooperate status {running[0]}")
        return errors.EXIT_DONE
    if not showing.any():
        raise NoCooperation
    standing = showing.show(name or (running[0] if running else None))
    for line in _lines(standing):
        _tell(line)
    return errors.EXIT_DONE


def _lines(standing: Standing) -> list[str]:
    task = standing.task
    return [
        f"[navigator] task={_word(task.get('id'))}",
        f"description: {_word(task.get('description'))}",
        f"phase: {_word(task.get('current_phase'))}",
        f"role: {_word(task.get('current_role'))}",
        f"sandbox: {_word(task.get('sandbox', task.get('current_sandbox')))}",
        f"planned implementer: {_word(task.get('planned_implementer'))}",
        f"recent handoffs: {_handoffs(task.get('recent_handoffs'))}",
        f"pending checkpoint: {standing.pending or 'none'}",
        f"revise counts: {_revises(task.get('revise_count'))}",
        f"blockers: {'; '.join(standing.blockers) or 'none'}",
        f"next step: {standing.next}",
    ]


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value or NOBODY
    return NOBODY if value is None else json.dumps(value, ensure_ascii=False)


def _handoffs(rows: Any) -> str:
    found = [
        f"{_word(row.get('seq'))} {_word(row.get('from_role'))} → {_word(row.get('to_role'))}"
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
    ]
    return ", ".join(found) or "none"


def _revises(counts: Any) -> str:
    known: Mapping[str, Any] = counts if isinstance(counts, dict) else {}
    return " ".join(f"{gate}={_word(known.get(gate, 0))}/{REVISES_MAX}" for gate in GATES)


_COMMANDS: Final[Mapping[str, Callable[[Application, Namespace], int]]] = {
    "cooperate": _cooperate,
    "handoff": _handoff,
    "checkpoint": _checkpoint,
    "status": _status,
}
