"""The commands about tasks and handoffs, as ``spec`` has the others."""

from __future__ import annotations

from handrail.edge.cli.spec import DRY, REASON, Argument, Command, Option
from handrail.typed import Final

_TO: Final = Option("to", ("--to",), "text", "The role or family that it is for.", "ROLE")
_TASK: Final = Argument("task", "[TASK]", required=False)
_PACKET: Final = Argument("target", "[TASK|N]", required=False)
_AT: Final = Option(
    "task", ("--task",), "text", "The task (default: the only one in that phase).", "TASK"
)
_REQUEST: Final = Option(
    "request_id",
    ("--request-id",),
    "text",
    "Name this attempt: repeating it gives the first outcome again.",
    "ID",
)
_SCOPE: Final = Option(
    "scope", ("--scope",), "many", "What goes with it, yours or free; may be repeated.", "SCOPE"
)
OFFER: Final = Command(
    "handoff offer",
    "handing:offer",
    "Hand work over: offer a packet, and reserve its scope for the receiver.",
    "handrail handoff offer packet.json --scope src/parser",
    (Argument("file", "[FILE]", required=False),),
    (
        Option("message", ("-m", "--message"), "text", "What the receiver should know.", "TEXT"),
        Option("task", ("--task",), "text", "The task (default: the one you act for).", "TASK"),
        _TO,
        Option("kind", ("--kind",), "text", "complete, return or block.", "KIND"),
        _SCOPE,
        Option(
            "next_phase",
            ("--next-phase",),
            "text",
            "The phase that it leads to (default: the next one for its receiver).",
            "PHASE",
        ),
        _REQUEST,
        DRY,
    ),
    quick=True,
)
ACCEPT: Final = Command(
    "handoff accept",
    "handing:accept",
    "Take over the packet that waits for you, and what you may hold of its scope.",
    "handrail handoff accept",
    (_PACKET,),
    (
        Option(
            "narrow",
            ("--narrow",),
            "many",
            "Take only this part of the scope; may be repeated.",
            "SCOPE",
        ),
        _REQUEST,
    ),
    quick=True,
)
INBOX: Final = Command(
    "handoff list",
    "handoffs:listed",
    "Show the packets that wait for an answer; * marks yours.",
    "handrail handoff list",
)
BRIEFING: Final = Command(
    "handoff briefing",
    "handoffs:briefing",
    "Say what a receiver goes on by: message, reading, scope, leases.",
    "handrail handoff briefing",
    (Argument("target", "[TASK|TASK-NNN|N]", required=False),),
)
SHORT: Final = (
    OFFER._replace(
        path="offer",
        alias_of="handoff offer",
        example="handrail offer packet.json --scope src/parser",
    ),
    ACCEPT._replace(path="accept", alias_of="handoff accept", example="handrail accept"),
    INBOX._replace(path="inbox", alias_of="handoff list", example="handrail inbox"),
    BRIEFING._replace(path="resume", alias_of="handoff briefing", example="handrail resume"),
)
HANDING_OVER: Final = (OFFER, ACCEPT, *SHORT)
"""What a command line about handing over is first compared with."""
_DECISIONS: Final = (
    ("approve", "Let a task go on from its phase (a person's to do)."),
    ("revise", "Send the work of a phase back for another try (a person's to do)."),
    ("stop", "End a task at its checkpoint (a person's to do)."),
)


def _decision(word: str, what: str) -> Command:
    return Command(
        f"checkpoint {word}",
        f"checkpoints:{word}",
        what,
        f"handrail checkpoint {word} plan_check --task fix-login --reason 'read it'",
        (Argument("checkpoint", "NAME"),),
        (_AT, REASON),
    )


HANDOFFS: Final = (
    Command(
        "task new",
        "tasks:new",
        "Open a task; its first packet waits for a role.",
        "handrail task new fix-login --title 'Repair the login' --to worker",
        (Argument("task", "SLUG"),),
        (Option("title", ("--title",), "text", "What the task is, in one line.", "TEXT"), _TO),
    ),
    Command(
        "task list",
        "tasks:listed",
        "Show the open tasks and who is at them.",
        "handrail task list",
        (),
        (Option("closed", ("--closed",), "flag", "Show those that were closed, too."),),
    ),
    Command(
        "task show",
        "tasks:show",
        "Show a task and its packets: yours, if none is named.",
        "handrail task show fix-login",
        (_TASK,),
    ),
    Command(
        "task block",
        "handing:block",
        "Say that a rule stops the work, and hand it to who may decide: the coordinators.",
        "handrail task block --rule lane-conflict",
        (_TASK,),
        (
            Option("rule", ("--rule",), "text", "What stands in the way.", "RULE"),
            Option("message", ("-m", "--message"), "text", "What there is to decide.", "TEXT"),
            _TO,
            _SCOPE,
            _REQUEST,
            DRY,
        ),
    ),
    Command(
        "task close",
        "tasks:close",
        "End a task; what it holds reserved is free.",
        "handrail task close fix-login --reason merged",
        (_TASK,),
        (REASON,),
    ),
    Command(
        "task resume",
        "tasks:resume",
        "Let a halted task go on, or one that waits at a checkpoint (a person's to do).",
        "handrail task resume fix-login --reason 'we talked it over'",
        (_TASK,),
        (REASON,),
    ),
    *(_decision(word, what) for word, what in _DECISIONS),
    Command(
        "checkpoint list",
        "checkpoints:listed",
        "Show the checkpoints that wait for a person's decision.",
        "handrail checkpoint list",
    ),
    Command(
        "trigger list",
        "triggers:listed",
        "Show what leads work from a role to another one.",
        "handrail trigger list",
    ),
    OFFER,
    ACCEPT,
    Command(
        "handoff decline",
        "handoffs:decline",
        "Refuse the packet that waits for you; its scope goes back.",
        "handrail handoff decline --reason 'the tests are red'",
        (_PACKET,),
        (REASON, _REQUEST),
    ),
    Command(
        "handoff withdraw",
        "handoffs:withdraw",
        "Take back a packet of yours that nobody has answered.",
        "handrail handoff withdraw",
        (_PACKET,),
        (REASON, _REQUEST),
    ),
    INBOX,
    Command(
        "handoff show",
        "handoffs:show",
        "Print what a packet says.",
        "handrail handoff show fix-login-002",
        (Argument("target", "[TASK|TASK-NNN|N]", required=False),),
    ),
    BRIEFING,
    Command(
        "export",
        "export:export",
        "Write the files of packets and projections anew.",
        "handrail export",
        (),
        (DRY,),
    ),
)
READING: Final = (
    Command(
        "reading list",
        "reading:listed",
        "Show what you have to read before you write, and how it came to be read.",
        "handrail reading list",
    ),
    Command(
        "reading done",
        "reading:done",
        "Say that you have read what you had to: recorded as a claim.",
        "handrail reading done AGENTS.md docs/runbook.md",
        (Argument("files", "FILE...", many=True),),
        (DRY,),
    ),
)
WAIVERS: Final = (
    Command(
        "waiver add",
        "waivers:add",
        "Let what a gate minds not count: a person's to do, recorded with the reason.",
        "handrail waiver add unit-tests --reason 'no runner' --until 2h --uses 1",
        (Argument("gate", "GATE"),),
        (
            REASON,
            Option("task", ("--task",), "text", "For this task only.", "TASK"),
            Option("until", ("--until",), "text", "Until when: 2h, or an instant.", "WHEN"),
            Option("uses", ("--uses",), "number", "For how many verdicts.", "N"),
        ),
    ),
    Command(
        "waiver list",
        "waivers:listed",
        "Show the exceptions from gates that count.",
        "handrail waiver list",
        (),
        (Option("everything", ("--all",), "flag", "Show those that are over, too."),),
    ),
    Command(
        "waiver revoke",
        "waivers:revoke",
        "Take an exception back.",
        "handrail waiver revoke 41 --reason 'the runner is back'",
        (Argument("number", "N"),),
        (REASON,),
    ),
)
