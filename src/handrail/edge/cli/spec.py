"""Every command as data: one source for parsing, help, completion and the reference in docs/.

``click`` commands are built from it (``click_app``); the few commands that agents run all day are
parsed from it directly (``quick``), because importing click takes longer than the whole claim.
"""

from __future__ import annotations

from typing import Final, Literal

from handrail.core.record import Record

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
_DRY: Final = Option("dry_run", ("--dry-run",), "flag", "Tell what would happen; change nothing.")
_TTL: Final = Option(
    "ttl", ("--ttl",), "duration", "How long the lease lives (1s to 24h; default 90m).", "TTL"
)
_ROLE: Final = Option("role", ("--role",), "text", "The role to act as.", "ROLE")
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
_REASON: Final = Option("reason", ("--reason",), "text", "Why; it is recorded.", "TEXT")

_RENEW: Final = Command(
    "lease renew",
    "leases:renew",
    "Keep leases alive: those named, or all of yours.",
    "handrail renew",
    (Argument("token", "[TOKEN...]", required=False, many=True),),
    (_TTL,),
    quick=True,
)

COMMANDS: Final[tuple[Command, ...]] = (
    Command(
        "init",
        "setup:init",
        "Set this repository up: configuration, store, and the hooks that make leases bind.",
        "handrail init",
        (),
        (
            Option("preset", ("--preset",), "text", "The ready configuration to begin with.", "P"),
            Option("harness", ("--harness",), "text", "The harnesses to write hooks for.", "H"),
            Option("bare", ("--bare",), "flag", "Set up a bare repository that is pushed to."),
            _DRY,
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
    ),
    Command(
        "why",
        "board:why",
        "Say whether you may write PATH, and who or what stands in the way.",
        "handrail why src/api/users.py",
        (Argument("target", "PATH"),),
        everyday=True,
    ),
    Command(
        "claim",
        "leases:claim",
        "Hold a scope, so that nobody else may write there.",
        "handrail claim src/api 'docs/*.md' --wait 10m",
        (_SCOPES,),
        (_ROLE, _TTL, _SHARED, _ADOPT, _WAIT, _REQUEST, _DRY),
        everyday=True,
        quick=True,
    ),
    Command(
        "release",
        "leases:release",
        "Give a lease back: by token, by path, or all of yours.",
        "handrail release src/api",
        (Argument("name", "[TOKEN|PATH...]", required=False, many=True),),
        (Option("everything", ("--all",), "flag", "Release all of your leases."), _DRY),
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
            _ROLE,
            _TTL,
            _SHARED,
            _WAIT,
        ),
        everyday=True,
    ),
    Command(
        "check",
        "check:check",
        "Say whether what is staged may be committed, and name all that stands in the way.",
        "handrail check commit",
        (Argument("stage", "STAGE"),),
        (
            Option(
                "format",
                ("--format",),
                "text",
                "text, json, sarif or github (default text).",
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
                "format",
                ("--format",),
                "text",
                "text, json, sarif or github (default text).",
                "FORMAT",
            ),
        ),
        everyday=True,
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
    Command(
        "session start",
        "sessions:start",
        "Start a session; prints the line that tells your shell.",
        'eval "$(handrail session start --agent bot-1)"',
        (),
        (
            Option("id", ("--id",), "text", "The session's id (default: a random one).", "ID"),
            Option("agent", ("--agent",), "text", "Who works.", "AGENT"),
            _ROLE,
        ),
    ),
    Command(
        "session end",
        "sessions:end",
        "End a session and free all it holds.",
        "handrail session end",
        (Argument("id", "[ID]", required=False),),
        (_REASON,),
    ),
    Command(
        "session list",
        "sessions:listed",
        "Show the live sessions and what they hold.",
        "handrail session list",
    ),
    Command(
        "session show",
        "sessions:show",
        "Show one session: yours, if none is named.",
        "handrail session show",
        (Argument("id", "[ID]", required=False),),
    ),
    Command(
        "session role",
        "sessions:role",
        "Act as another role from here on.",
        "handrail session role reviewer --reason 'review of #12'",
        (Argument("role", "ROLE"),),
        (
            _REASON,
            Option("id", ("--session",), "text", "Another session (a person's to do).", "ID"),
        ),
    ),
    _RENEW._replace(quick=False),
    Command(
        "attest",
        "attest:attest",
        "Record that commits were made under your live leases.",
        "handrail attest main..HEAD",
        (Argument("range", "RANGE"),),
        (_DRY,),
    ),
    Command(
        "ledger verify",
        "ledger:verify_",
        "Prove that nothing in the ledger was changed, removed or reordered.",
        "handrail ledger verify --head 3fk2ap7q:41:9f2c…",
        (Argument("file", "[EXPORT]", required=False),),
        (
            Option(
                "head",
                ("--head",),
                "many",
                "A head known from elsewhere, EPOCH:SEQ:HASH; may be repeated.",
                "HEAD",
            ),
        ),
    ),
    Command(
        "ledger export",
        "ledger:export",
        "Write the ledger, byte for byte, to stdout or a file.",
        "handrail ledger export -o ledger.txt",
        (),
        (Option("output", ("-o", "--output"), "text", "The file to write.", "FILE"),),
    ),
    Command(
        "ledger import",
        "ledger:import_",
        "Enter another ledger's entries as history; they give no token.",
        "handrail ledger import old-ledger.txt",
        (Argument("file", "EXPORT"),),
        (_DRY,),
    ),
    Command(
        "ledger redact",
        "ledger:redact",
        "Remove one entry's payload for good; the chain still verifies.",
        "handrail ledger redact 41 --reason 'holds a customer name'",
        (Argument("seq", "SEQ"),),
        (_REASON,),
    ),
    Command(
        "config validate",
        "setup:validate",
        "Check handrail.toml and name every mistake with its line.",
        "handrail config validate",
        (Argument("file", "[FILE]", required=False),),
    ),
    Command(
        "config schema",
        "setup:schema",
        "Print the JSON Schema of handrail.toml.",
        "handrail config schema > handrail.schema.json",
    ),
    Command(
        "config apply",
        "setup:apply",
        "Put this working tree's handrail.toml into force (a person or coordinator).",
        "handrail config apply --dry-run",
        (),
        (_DRY,),
    ),
    Command(
        "store verify",
        "health:store_verify",
        "Check the store's file, its ledger, and the tables against the ledger.",
        "handrail store verify",
    ),
    Command(
        "store rebuild",
        "health:store_rebuild",
        "Make the tables anew from the ledger, or a new store from an export.",
        "handrail store rebuild",
        (),
        (
            Option(
                "source",
                ("--from",),
                "text",
                "Found a new store (new epoch) that follows this export's.",
                "EXPORT",
            ),
            _DRY,
        ),
    ),
    Command(
        "completion",
        "completion:completion",
        "Print the completion script of your shell.",
        'eval "$(handrail completion bash)"',
        (Argument("shell", "bash|zsh|fish"),),
    ),
    Command(
        "hook",
        "hooks:hook",
        "Answer a hook of a harness, or of git (hook git NAME ARGS...); payload on stdin.",
        "handrail hook < payload.json",
        (Argument("words", "[git NAME [ARGS...]]", required=False, many=True),),
    ),
    Command(
        "off",
        "enforcement:off",
        "Let local hooks refuse nothing for a while, 0 for on again (a person's to do).",
        "handrail off 30m",
        (Argument("duration", "[DURATION]", required=False),),
    ),
    Command(
        "uninstall",
        "setup:uninstall",
        "Take Handrail's files and hooks out again and set its store aside.",
        "handrail uninstall --dry-run",
        (),
        (_DRY,),
    ),
    _RENEW._replace(path="renew", alias_of="lease renew"),
    _RENEW._replace(path="heartbeat", alias_of="lease renew"),
    Command(
        "whoami",
        "sessions:show",
        "Show your session.",
        "handrail whoami",
        alias_of="session show",
    ),
)


def find(path: str) -> Command | None:
    """Return the command of a path."""
    return next((command for command in COMMANDS if command.path == path), None)
