"""The table of `handrail.toml`: every key with its kind, default and meaning. The only one.

Promise: validation, the JSON Schema and the documentation are all drawn from ``HANDRAIL_TOML``; a
key that is not in it does not exist. Order is the order of the documentation.

    HANDRAIL_TOML.check(tomllib.loads(text), (), report)
"""

from __future__ import annotations

from handrail.config.build import build_agent, build_role, build_settings
from handrail.config.kinds import (
    LABEL,
    PATH,
    REF,
    SIGNING_KEY,
    Duration,
    Enum,
    Flag,
    Scope,
    StoreUrl,
    label_of,
    name_in,
    name_of,
)
from handrail.config.records import Epoch, Person
from handrail.config.settings import Limits, Modes, StoreSettings, Workspace
from handrail.config.tables import PATHS, SCOPES, Each, Key, Table, Tables
from handrail.config.vocabulary import MODES, RESERVED_ROLES, STAGES
from handrail.config.workflow import (
    GATE,
    GATES,
    HANDOFF,
    PHASE,
    PROJECTION,
    REFERENCES,
    TRIGGER,
)
from handrail.core.role import SANDBOXES, WORKSPACE_WRITE
from handrail.core.task import EVIDENCE
from handrail.typed import Final

WORKSPACE: Final = Table(
    "[workspace]",
    (
        Key("id", name_of("workspace"), "The workspace's name, made by `handrail init`."),
        Key(
            "mode",
            Enum(MODES),
            "`shadow` records what would be refused, `warn` also says it, `enforce` refuses. "
            "`[mode]` sets it per stage.",
            "enforce",
        ),
        Key(
            "default_role",
            name_in("role"),
            "What a session acts as that names no role and accepted no packet.",
            None,
            "the only role, where there is one",
        ),
        Key(
            "auto_claim",
            Enum(("off", "file", "directory")),
            "What the first edit of a free path in one's lane claims.",
            "file",
        ),
        Key(
            "roles_per_session",
            Enum(("one", "many")),
            "Whether a session keeps its role to its end.",
            "one",
        ),
        Key("protected_refs", Each(REF), "Branches on which rule V is checked.", ["main"]),
        Key(
            "exempt",
            SCOPES,
            "Paths that need no lease: regular files only, still judged by gates.",
            [],
        ),
        Key(
            "fold_case",
            Flag(),
            "Whether `A.md` and `a.md` are one path, for file systems on which they are.",
            False,
        ),
        Key(
            "uninstalled",
            Enum(("allow", "deny")),
            "What hooks do in a clone without Handrail: allow with a notice, or deny.",
            "allow",
        ),
        Key(
            "unattributed",
            Enum(("report", "refuse")),
            "What happens at the landing to commits of nobody known. Unseen ones are refused.",
            "report",
        ),
        Key(
            "evidence",
            PATH,
            "The folder in which phases leave their artifacts, one folder for each task.",
            EVIDENCE,
        ),
    ),
    Workspace,
)

MODE: Final = Table(
    "[mode]",
    tuple(
        Key(
            stage,
            Enum(MODES),
            f"The mode at stage `{stage}`.",
            None,
            "`workspace.mode`",
            field=stage.replace("-", "_"),
        )
        for stage in STAGES
    ),
    Modes,
)

LIMITS: Final = Table(
    "[limits]",
    (
        Key(
            "ttl",
            Duration("1s", "24h"),
            "How long a lease lasts unless it is renewed.",
            "90m",
            field="ttl_ms",
        ),
        Key(
            "lapse_after",
            Duration("1m", "30d"),
            "How long an offer waits to be accepted.",
            "24h",
            field="lapse_after_ms",
        ),
    ),
    Limits,
)

ROLE: Final = Table(
    "[[role]]",
    (
        Key("name", name_of("role", taken=RESERVED_ROLES), "The role's name."),
        Key(
            "family",
            name_of("family", once=False, taken=RESERVED_ROLES),
            "What the role counts as in a handoff.",
            None,
            "the name",
        ),
        Key("lane", SCOPES, 'The paths that the role owns; `["**"]` is everything.'),
        Key("note", PATH, "A file that a change in the lane must update.", None, "none"),
        Key("reading", PATHS, "What a session must have read before its first edit.", []),
        Key(
            "sandbox",
            Enum(SANDBOXES),
            "`read-only` may write nothing but `may_write`.",
            WORKSPACE_WRITE,
        ),
        Key("may_write", SCOPES, "Paths that the role may write besides its lane.", []),
        Key(
            "coordinates",
            Flag(),
            "Whether it arbitrates between lanes and may change the configuration.",
            False,
        ),
    ),
    build_role,
)

PERSON: Final = Table(
    "[[person]]",
    (
        Key("name", label_of("person"), "The person's name."),
        Key(
            "signing_keys",
            Each(SIGNING_KEY, distinct=True),
            "SSH public keys; commits and decisions that they sign are the person's.",
            [],
        ),
    ),
    Person,
)

AGENT_MATCH: Final = Table(
    "match",
    (
        Key("author", LABEL, "Glob over the author of a commit or pull request.", None, "any"),
        Key("branch", LABEL, "Glob over the branch's name.", None, "any"),
    ),
    lambda author, branch: (author, branch),
    least=1,
)

AGENT: Final = Table(
    "[[agent]]",
    (
        Key("name", label_of("agent"), "The agent's name in leases and ledger."),
        Key("role", name_in("role"), "What it acts as."),
        Key("match", AGENT_MATCH, "How CI knows it, with nothing installed beside it."),
    ),
    build_agent,
)

CONTENDED: Final = Table(
    "[[contended]]",
    (Key("paths", Each(Scope(), least=1), "Paths whose leases are always local."),),
    lambda paths: paths,
)

STORE: Final = Table(
    "[store]",
    (Key("url", StoreUrl(), "Where the live state is; no secrets in it.", "sqlite"),),
    StoreSettings,
)

EPOCH: Final = Table(
    "[[epoch]]",
    (
        Key("id", name_of("epoch"), "The epoch of a store whose attestations count."),
        Key("key", SIGNING_KEY, "The SSH public key that signs its heads."),
        Key("holder", LABEL, "Who holds the store."),
    ),
    Epoch,
)

HANDRAIL_TOML: Final = Table(
    "handrail.toml",
    (
        Key("workspace", WORKSPACE, "The coordination domain of this repository."),
        Key("mode", MODE, "The mode per stage, where it differs from `workspace.mode`.", {}),
        Key("limits", LIMITS, "Times that a claim or an offer gets unless it asks.", {}),
        Key("role", Tables(ROLE, least=1), "What sessions act as, and the lanes they own."),
        Key("person", Tables(PERSON), "Human beings whose signatures decide.", []),
        Key("agent", Tables(AGENT), "Agents known by their commits or branches.", []),
        Key("trigger", Tables(TRIGGER), "Events on which a packet goes out by itself.", []),
        Key("phase", Tables(PHASE), "The steps of the workflow, in this order.", []),
        Key("gate", Tables(GATE), "Gates that run a command.", []),
        Key("gates", GATES, "How much each built-in gate binds.", {}),
        Key("contended", Tables(CONTENDED), "Files that everybody touches: lock files.", []),
        Key(
            "projection",
            Tables(PROJECTION),
            "Files that show the state in another system's format.",
            [],
        ),
        Key("references", REFERENCES, "Documents that must not name what is gone.", {}),
        Key("handoff", HANDOFF, "How handoffs behave.", {}),
        Key("store", STORE, "Where the live state is.", {}),
        Key("epoch", Tables(EPOCH), "Enrolled stores; written by `handrail enroll`.", []),
    ),
    build_settings,
)
