"""The part of the table about work on its way: triggers, phases, gates, projections, handoffs.

Promise: as ``config.schema``, which puts it in its place; nobody else uses it.

    TRIGGER, PHASE, GATE, GATES, PROJECTION, REFERENCES, HANDOFF
"""

from __future__ import annotations

from handrail.config.build import (
    build_gate,
    build_gate_levels,
    build_phase,
    build_trigger,
    build_when,
)
from handrail.config.kinds import (
    ARGUMENT,
    LABEL,
    PATH,
    VARIABLE,
    Count,
    Duration,
    Enum,
    Flag,
    Scalar,
    Scope,
    name_in,
    name_of,
)
from handrail.config.levels import GateLevels
from handrail.config.records import ProjectionFile, Unless
from handrail.config.settings import Handoff, References
from handrail.config.tables import PATHS, SCOPES, Each, Forms, Key, Mapping, Table
from handrail.config.vocabulary import (
    BUILTIN_GATES,
    EDIT_REFUSALS,
    FOLDERS,
    LEVELS,
    PROJECTIONS,
    RESERVED_PHASES,
    STAGES,
    UNASKED_OFF,
)
from handrail.core.role import ANY_ROLE, SANDBOXES, WORKSPACE_WRITE
from handrail.core.task import DONE, HALT
from handrail.typed import Final

ARGV: Final = Each(ARGUMENT, least=1)
ROLE_OR_FAMILY: Final = name_in("role", "family")

DOCUMENT_UNLESS: Final = Table(
    "unless",
    (
        Key("field", LABEL, "Another field of the same document."),
        Key("equals", Scalar(), "What it must not equal."),
    ),
    Unless,
)

WHEN: Final = Forms(
    "when",
    "event",
    "What happened.",
    (
        (
            "edit_refused",
            Table(
                "edit_refused",
                (
                    Key(
                        "codes",
                        Each(Enum(EDIT_REFUSALS), distinct=True),
                        "Refusals that count; `scope_held` never does.",
                        [],
                        "all of them",
                    ),
                    Key("times", Count(1, 1000), "How many of them in one session.", 1),
                ),
                build_when("edit_refused"),
            ),
        ),
        (
            "gate_failed",
            Table(
                "gate_failed",
                (
                    Key(
                        "gate", name_in("gate", reserved=tuple(BUILTIN_GATES)), "Which gate failed."
                    ),
                ),
                build_when("gate_failed"),
            ),
        ),
        (
            "revise_limit",
            Table(
                "revise_limit",
                (Key("checkpoint", name_in("checkpoint"), "Which checkpoint was revised enough."),),
                build_when("revise_limit"),
            ),
        ),
        (
            "blocked",
            Table(
                "blocked",
                (Key("rule", LABEL, "The rule that an agent named in `task block`."),),
                build_when("blocked"),
            ),
        ),
        (
            "phase_done",
            Table(
                "phase_done",
                (Key("phase", name_in("phase"), "Which phase was done."),),
                build_when("phase_done"),
            ),
        ),
        (
            "document",
            Table(
                "document",
                (
                    Key("glob", Scope(), "Which JSON documents are read."),
                    Key("field", LABEL, "A field, with dots into tables: `meta.status`."),
                    Key("equals", Scalar(), "What it must equal."),
                    Key(
                        "unless",
                        DOCUMENT_UNLESS,
                        "An exception: `{ field = …, equals = … }`.",
                        None,
                        "none",
                    ),
                ),
                build_when("document"),
            ),
        ),
    ),
)

TRIGGER: Final = Table(
    "[[trigger]]",
    (
        Key("id", name_of("trigger"), "The trigger's id, as packets carry it."),
        Key(
            "from",
            ROLE_OR_FAMILY._replace(reserved=(ANY_ROLE,)),
            "Whose session it fires in.",
            field="from_role",
        ),
        Key("to", ROLE_OR_FAMILY, "To whom the packet goes.", field="to_role"),
        Key("when", WHEN, "The event, see below."),
    ),
    build_trigger,
)

CHECKPOINT: Final = Table(
    "checkpoint",
    (
        Key("name", name_of("checkpoint"), "The checkpoint's name."),
        Key("approve", name_in("phase", reserved=(DONE,)), "Where `approve` leads."),
        Key("revise", name_in("phase"), "Where `revise` leads.", None, "the same phase"),
        Key("stop", name_in("phase", reserved=(HALT,)), "Where `stop` leads.", HALT),
    ),
    dict,
)

PHASE: Final = Table(
    "[[phase]]",
    (
        Key("name", name_of("phase", taken=RESERVED_PHASES), "The phase's name."),
        Key("role", ROLE_OR_FAMILY, "Who works in it."),
        Key(
            "sandbox",
            Enum(SANDBOXES),
            "The stricter one of phase and role counts.",
            WORKSPACE_WRITE,
        ),
        Key("may_write", SCOPES, "Paths that may be written in a `read-only` phase.", []),
        Key("artifact", PATH, "The file that the phase produces.", None, "none"),
        Key("checkpoint", CHECKPOINT, "A person's decision at its end.", None, "none"),
    ),
    build_phase,
)

GATE: Final = Table(
    "[[gate]]",
    (
        Key("id", name_of("gate", taken=tuple(BUILTIN_GATES)), "The gate's id."),
        Key("stages", Each(Enum(STAGES), 1, distinct=True), "When it runs."),
        Key("run", ARGV, "The command as an array of words; no shell."),
        Key(
            "prepare",
            Each(ARGV),
            "Commands before a re-run in a clean working tree.",
            [],
        ),
        Key("link", PATHS, "Untracked inputs that a re-run may share.", []),
        Key("env", Mapping(VARIABLE, ARGUMENT), "Environment of all its commands.", {}),
        Key("report", PATH, "A JUnit report: passed tests are compared, by name.", None, "none"),
        Key(
            "protects",
            SCOPES,
            "Paths that only a coordinator or a person may change.",
            [],
        ),
        Key(
            "timeout",
            Duration("1s", "24h"),
            "After it, the verdict is cannot-tell.",
            "10m",
            field="timeout_ms",
        ),
        Key(
            "fresh_for",
            Duration("1s", "30d", reserved=("tree", "commit", "never")),
            "How long a receipt counts: for the same tree, the same commit, a time, never.",
            "tree",
        ),
        Key("exclusive", Flag(), "Whether nothing runs beside it.", False),
    ),
    build_gate,
)

GATES: Final = GateLevels(
    "[gates]",
    tuple(
        Key(
            gate,
            Enum(LEVELS),
            f"Runs at {', '.join(stages)}.",
            None,
            "`off`" if gate in UNASKED_OFF else "`block`",
        )
        for gate, stages in BUILTIN_GATES.items()
    ),
    build_gate_levels,
)
"""Besides, ``"plugin:NAME"`` switches on the gate that an installed distribution brings."""

PROJECTION: Final = Table(
    "[[projection]]",
    (
        Key("format", Enum((*PROJECTIONS, *FOLDERS)), "Which system's file it is, and which."),
        Key("path", PATH, "Where the file, or the folder of files, lies in the working tree."),
    ),
    ProjectionFile,
)

REFERENCES: Final = Table(
    "[references]",
    (Key("docs", PATHS, "Documents in which every path that is named must exist.", []),),
    References,
)

HANDOFF: Final = Table(
    "[handoff]",
    (
        Key(
            "required",
            Flag(),
            "Whether editing needs a packet that names one's family.",
            False,
        ),
        Key(
            "on_stop",
            Enum(("off", "remind", "block")),
            "What happens when an agent stops in the middle of a task.",
            "off",
        ),
        Key(
            "in_thread",
            Flag(),
            "Whether the same harness session may accept as the receiver.",
            True,
        ),
        Key(
            "widen",
            Enum(("auto", "handoff")),
            "Whether a task's scope grows by itself or by a new handoff.",
            "auto",
        ),
        Key(
            "halt_after",
            Count(1, 1000),
            "Handoffs declined or returned in a row after which a task waits for a person.",
            3,
        ),
        Key(
            "stuck_after",
            Duration("1s", "30d"),
            "Silence after which a task counts as stuck.",
            "15m",
            field="stuck_after_ms",
        ),
        Key("waivers", Enum(("person", "coordinator")), "Who may waive a gate.", "person"),
    ),
    Handoff,
)
