"""Commands as data: one source for parsing, help, completion and the reference in docs/.

``click`` commands are built from it (``click_app``); the few commands that agents run all day are
parsed from it directly (``quick``), because importing click takes longer than the whole claim.
Here are the everyday ones; ``nouns`` has the rest, which nobody waits for.
"""

from __future__ import annotations

from handrail.core.record import Record
from handrail.typed import Final, Literal

ValueKind = Literal["flag", "text", "duration", "number", "many", "maybe"]


class Option(Record):
    """An option; ``maybe`` takes a duration or nothing, ``many`` may be repeated."""

    name: str
    flags: tuple[str, ...]
    kind: ValueKind
    help: str
    metavar: str = ""


class Argument(Record):
    """A positional argument."""

    name: str
    metavar: str
    required: bool = True
    many: bool = False


class Command(Record):
    """A command: its path (``session start``), what runs it (``module:function``), its words."""

    path: str
    run: str
    summary: str
    example: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    everyday: bool = False
    quick: bool = False
    alias_of: str = ""


COMMON: Final = (
    Option("json", ("--json",), "flag", "Answer with one JSON object on stdout."),
    Option("directory", ("-C",), "text", "Act as if started in DIR.", "DIR"),
    Option("quiet", ("-q", "--quiet"), "flag", "Say nothing but the answer."),
    Option("verbose", ("-v", "--verbose"), "flag", "Say more on stderr."),
)
DRY: Final = Option("dry_run", ("--dry-run",), "flag", "Tell what would happen; change nothing.")
_TTL: Final = Option(
    "ttl", ("--ttl",), "duration", "How long the lease lives (1s to 24h; default 90m).", "TTL"
)
ROLE: Final = Option("role", ("--role",), "text", "The role to act as.", "ROLE")
_SHARED: Final = Option(
    "shared", ("--shared",), "flag", "A local lease: counts in this working tree only."
)
_ADOPT: Final = Option(
    "adopt",
    ("--adopt",),
    "flag",
    "Take over unfinished work that an ended session left there.",
)
_WAIT: Final = Option(
    "wait",
    ("--wait",),
    "maybe",
    "Wait in the order of arrival until it is free, at most DURATION.",
    "[DURATION]",
)
_SCOPES: Final = Argument("scope", "SCOPE...", many=True)
_REQUEST: Final = Option(
    "request_id",
    ("--request-id",),
    "text",
    "Name this attempt: repeating it gives the first outcome again.",
    "ID",
)
REASON: Final = Option("reason", ("--reason",), "text", "Why; it is recorded.", "TEXT")

RENEW: Final = Command(
    "lease renew",
    "leases:renew",
    "Keep leases alive: those named, or all of yours.",
    "handrail renew",
    (Argument("token", "[TOKEN...]", required=False, many=True),),
    (_TTL,),
    quick=True,
)

EVERYDAY: Final[tuple[Command, ...]] = (
    Command(
        "init",
        "setup:init",
        "Set this repository up: configuration, store, and the hooks that make leases bind.",
        "handrail init",
        (),
        (
            Option(
                "preset",
                ("--preset",),
                "text",
                "What to begin with, joined by commas: lanes,mosaic.",
                "P",
            ),
            Option("harness", ("--harness",), "text", "The harnesses to write hooks for.", "H"),
            Option("bare", ("--bare",), "flag", "Set up a bare repository that is pushed to."),
            DRY,
        ),
        everyday=True,
    ),
    Command(
        "status",
        "board:status",
        "Show who holds what, who waits, and until when.",
        "handrail status --watch",
        (),
        (Option("watch", ("--watch",), "flag", "Keep the board on the screen, live."),),
        everyday=True,
        quick=True,
    ),
    Command(
        "why",
        "board:why",
        "Say whether you may write PATH, and who or what stands in the way.",
        "handrail why src/api/users.py",
        (Argument("target", "PATH"),),
        everyday=True,
        quick=True,
    ),
    Command(
        "claim",
        "leases:claim",
        "Hold a scope, so that nobody else may write there.",
        "handrail claim src/api 'docs/*.md' --wait 10m",
        (_SCOPES,),
        (ROLE, _TTL, _SHARED, _ADOPT, _WAIT, _REQUEST, DRY),
        everyday=True,
        quick=True,
    ),
    Command(
        "release",
        "leases:release",
        "Give a lease back: by token, by path, or all of yours.",
        "handrail release src/api",
        (Argument("name", "[TOKEN|PATH...]", required=False, many=True),),
        (Option("everything", ("--all",), "flag", "Release all of your leases."), DRY),
        everyday=True,
        quick=True,
    ),
    Command(
        "run",
        "run:run",
        "Hold a scope while a command runs, and no longer.",
        "handrail run --claim src/api -- make test",
        (Argument("command", "-- CMD...", many=True),),
        (
            Option(
                "claim",
                ("--claim",),
                "many",
                "The scope to hold (needed); may be repeated.",
                "SCOPE",
            ),
            ROLE,
            _TTL,
            _SHARED,
            _WAIT,
        ),
        everyday=True,
    ),
    Command(
        "check",
        "check:check",
        "Say whether the gates of a stage let you go on, and name all that stands in the way.",
        "handrail check commit",
        (
            Argument("stage", "[STAGE]", required=False),
            Argument("target", "[TASK]", required=False),
        ),
        (
            Option(
                "task",
                ("--task",),
                "text",
                "The task of the handoff (default: the one you act for).",
                "TASK",
            ),
            Option("only", ("--only",), "many", "Judge by this gate; may be repeated.", "GATE"),
            Option("no_commands", ("--no-commands",), "flag", "Run no command of a gate."),
            Option(
                "self_test",
                ("--self-test",),
                "flag",
                "Show that each built-in gate can fail, and that watched paths exist.",
            ),
            Option(
                "format",
                ("--format",),
                "text",
                "text, json, junit, sarif or github (default text).",
                "FORMAT",
            ),
        ),
        everyday=True,
        quick=True,
    ),
    Command(
        "verify",
        "verify:verify",
        "Say whether commits may land: attested, inherited, signed, or refused.",
        "handrail verify main..HEAD",
        (Argument("range", "[RANGE...]", required=False, many=True),),
        (
            Option(
                "stdin",
                ("--stdin",),
                "flag",
                "Judge a push: lines OLD NEW REF, as git gives them to its hooks.",
            ),
            Option(
                "base",
                ("--base",),
                "text",
                "The commit that judges (default: what the protected ref holds).",
                "COMMIT",
            ),
            Option(
                "format",
                ("--format",),
                "text",
                "text, json, junit, sarif or github (default text).",
                "FORMAT",
            ),
        ),
        everyday=True,
        quick=True,
    ),
    Command(
        "log",
        "ledger:log",
        "Read the ledger, newest entries last.",
        "handrail log -n 20",
        (),
        (Option("number", ("-n", "--number"), "number", "How many entries (default 20).", "N"),),
        everyday=True,
    ),
    Command(
        "doctor",
        "health:doctor",
        "Look for what is wrong and say how to mend it.",
        "handrail doctor",
        (),
        (
            Option(
                "replay",
                ("--replay",),
                "flag",
                "Also add the whole ledger up and compare it with the tables.",
            ),
            Option("repair", ("--repair",), "flag", "Bring back hooks that were lost."),
        ),
        everyday=True,
    ),
    Command(
        "demo",
        "demo:demo",
        "Watch the promises hold, in a scratch repository.",
        "handrail demo",
        (),
        (Option("keep", ("--keep",), "flag", "Leave the scratch repository and say where."),),
        everyday=True,
    ),
)

QUICK: Final = (
    *EVERYDAY,
    RENEW._replace(path="renew", alias_of="lease renew"),
    RENEW._replace(path="heartbeat", alias_of="lease renew"),
)
"""What a command line is first compared with; all commands are in ``nouns``."""
