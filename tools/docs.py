"""Write the parts of the documents that are drawn from the code.

Promise: what stands there is what the program does. ``docs/commands.md`` comes from the command
specification, ``docs/errors.md`` from the error tree, the schemas that the preset ``mosaic`` writes
from the tables of its files' fields, and what stands in other pages between
``<!-- begin: NAME -->`` and ``<!-- end: NAME -->`` from the tables and bounds of the core. A test
compares them; to write all of them anew, from the root of the project:

    python -m tools.docs
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from handrail import errors
from handrail.core import lease, names, packet, scope, task
from handrail.core.audit.cues import CUES
from handrail.core.audit.kinds import KINDS as CONDITION_KINDS
from handrail.core.audit.ladder import WATCHED_AT
from handrail.core.decide import WAIT_KEPT_MS
from handrail.core.events import KINDS
from handrail.edge.cli.nouns import COMMANDS
from handrail.edge.cli.spec import COMMON, Argument, Command, Option
from handrail.errors import cooperation as _cooperation  # noqa: F401 - so that its codes are found
from handrail.errors import handoff as _handoff  # noqa: F401 - so that its codes are found
from handrail.errors import landing as _landing  # noqa: F401 - so that its codes are found
from handrail.errors import server as _server  # noqa: F401 - so that its codes are found
from handrail.projections.mosaic_schemas import schema_files
from handrail.text import format_duration

ROOT: Final = Path(__file__).resolve().parent.parent
COMMAND: Final = "python -m tools.docs"

EXITS: Final = (
    (errors.EXIT_DONE, "done"),
    (errors.EXIT_REFUSED, "refused: the rules say no, and nothing was changed"),
    (errors.EXIT_MALFORMED, "malformed: the question makes no sense"),
    (errors.EXIT_UNAVAILABLE, "cannot tell: the store, git or a file does not answer"),
    (errors.EXIT_BUG, "a bug in Handrail"),
    (errors.EXIT_LEASE_LOST, "`run` only: the lease was lost while the command ran"),
    (errors.EXIT_INTERRUPTED, "interrupted by Ctrl-C or SIGTERM"),
)

_COMMANDS_HEAD: Final = """\
# Commands

Drawn from the specification that the program parses by; `handrail COMMAND --help` says the same.

Answers go to stdout, notes and refusals to stderr. With `--json` there is one object on stdout,
also for a refusal: `{"error": {"code": …, "message": …, "next": …}}` with the values that it
speaks of. Codes are stable, sentences are not; [errors.md](errors.md) lists them. Times in JSON are
RFC 3339 in UTC.

A scope is a pattern, see [concepts.md](concepts.md#scopes): quote one that has a wildcard, or your
shell replaces it. A duration is written `45s`, `90m`, `1h30m`, `2d`.

## Exit status

EXITS

`run` answers with the command's own status otherwise.

## Options of every command

COMMON

They stand before the command or after it. `handrail --version` prints the version.
"""

_ERRORS_HEAD: Final = """\
# Errors

Drawn from the error tree of the program. Each error has a code that does not change, one sentence
with the values that it speaks of (here in capitals), and, where one command leads on, that command.
With `--json` code, message, values and next command are fields of `error`.
"""
_KINDS: Final = (
    (
        errors.Refused,
        "Refused",
        "The rules say no. Nothing was changed.",
    ),
    (
        errors.Malformed,
        "Malformed",
        "The question makes no sense; asking again the same way gives the same answer.",
    ),
    (
        errors.Unavailable,
        "Cannot tell",
        "Something that has to be known could not be found out. It is never taken for a yes.",
    ),
)


def main() -> int:
    """Write every generated text below the root of the project; returns the exit status."""
    for path, text in rendered().items():
        target = ROOT / path
        if target.read_text(encoding="utf-8") != text if target.exists() else True:
            target.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {path}")
    return 0


def rendered() -> dict[str, str]:
    """Return what each page with generated text should hold, by its path in the project."""
    pages = {"docs/commands.md": commands_page(), "docs/errors.md": errors_page()}
    for path, blocks in BLOCKS.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        for name, render in blocks.items():
            text = _with_block(text, name, render())
        pages[path] = text
    pages["docs/handrail-packet.schema.json"] = packet_schema()
    for name, schema in schema_files().items():
        pages[f"src/handrail/presets/mosaic/schemas/{name}"] = schema.decode("ascii")
    return pages


def _with_block(text: str, name: str, content: str) -> str:
    """Put ``content`` between the marks of a block; raises ValueError where they are missing."""
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"there is no block {name}")
    return f"{before}{begin}\n{content}\n{end}{after}"


# --- commands ------------------------------------------------------------------------------------


def commands_page() -> str:
    """Write the reference of the command line."""
    everyday = [command for command in COMMANDS if command.everyday]
    rest = [command for command in COMMANDS if not command.everyday and not command.alias_of]
    aliases = [command for command in COMMANDS if command.alias_of]
    head = _COMMANDS_HEAD.replace("EXITS\n", exits_table()).replace("COMMON\n", _options(COMMON))
    parts = [head]
    parts += ["## Every day\n", *map(_command, everyday), "## The rest\n", *map(_command, rest)]
    rows = [
        (_code(f"handrail {command.path}"), _code(f"handrail {command.alias_of}"))
        for command in aliases
    ]
    parts += ["## Short names\n", table(("short", "for"), rows)]
    return "\n".join(parts)


def exits_table() -> str:
    """Write what each exit status means."""
    return table(("status", "meaning"), [(str(status), what) for status, what in EXITS])


def _command(command: Command) -> str:
    words = ["handrail", *command.path.split(), "[OPTIONS]", *map(_metavar, command.arguments)]
    parts = [f"### `handrail {command.path}`\n", f"{command.summary}\n"]
    parts.append(f"```\n{' '.join(words)}\n```\n")
    if command.options:
        parts.append(_options(command.options))
    parts.append(f"For example: `{command.example}`\n")
    return "\n".join(parts)


def _metavar(argument: Argument) -> str:
    return argument.metavar


def _options(options: Iterable[Option]) -> str:
    rows = [
        (_code(f"{', '.join(option.flags)} {option.metavar}".rstrip()), option.help)
        for option in options
    ]
    return table(("option", "what it does"), rows)


# --- errors --------------------------------------------------------------------------------------


def errors_page() -> str:
    """Write the list of codes."""
    parts = [_ERRORS_HEAD]
    for kind, title, about in _KINDS:
        parts.append(f"## {title}: exit status {kind.exit_status}\n\n{about}\n")
        parts.append(table(("code", "sentence", "next"), map(_error, leaves(kind))))
    parts.append(f"## A bug: exit status {errors.Bug.exit_status}\n")
    parts.append("Handrail failed itself. `HANDRAIL_LOG=debug` shows where, on stderr.\n")
    parts.append(table(("code", "sentence", "next"), [_error(errors.Bug)]))
    return "\n".join(parts)


def leaves(kind: type[errors.HandrailError]) -> Iterator[type[errors.HandrailError]]:
    """Yield the errors of a kind, module by module in the order of the source."""
    for error in sorted(kind.__subclasses__(), key=lambda one: one.__module__):
        yield error
        yield from leaves(error)


def _error(error: type[errors.HandrailError]) -> tuple[str, str, str]:
    code = error.code
    if error.exit_status not in {kind.exit_status for kind, *_ in _KINDS} | {errors.EXIT_BUG}:
        code += f" (exit status {error.exit_status})"
    sentence = _capitals((error.__doc__ or "").strip())
    return f"`{error.code}`{code[len(error.code) :]}", sentence, _code(_capitals(error.NEXT))


def _capitals(text: str) -> str:
    """Write ``{scope}`` as ``SCOPE``, and what only some cases add as an ellipsis."""
    text = re.sub(r"(?<=[\w}])\{\w+\}\.?", " …", text)
    return re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), text)


# --- tables and bounds of the core ---------------------------------------------------------------

_ANSWERS: Final = {"refuse": "refuse", "grant": "grant", "grant_and_tell": "grant, and tell"}


def conflicts_table() -> str:
    """Write which leases of two sessions exclude each other."""
    pairs = dict.fromkeys((held, asked) for held, asked, _ in lease.CONFLICTS)
    rows = [
        (
            held,
            asked,
            _ANSWERS[lease.CONFLICTS[held, asked, True]],
            _ANSWERS[lease.CONFLICTS[held, asked, False]],
        )
        for held, asked in pairs
    ]
    head = ("held by another session", "asked", "in the same working tree", "in another one")
    return table(head, rows)


def limits_table() -> str:
    """Write the bounds of leases, scopes and names."""
    ttl = f"{format_duration(lease.TTL_MIN_MS)} to {_hours(lease.TTL_MAX_MS)}"
    margin = f"{format_duration(lease.MARGIN_MAX_MS)}, at most a third of the time to live"
    rows = [
        ("time to live of a lease", f"{ttl}; {format_duration(lease.TTL_DEFAULT_MS)} by default"),
        ("age to which renewals can carry a lease", _hours(lease.AGE_MAX_MS)),
        ("margin before the end in which a holder no longer trusts it", margin),
        ("silence after which a waiting claim is gone", format_duration(WAIT_KEPT_MS)),
        ("patterns in a scope", str(scope.SCOPE_PATTERNS_MAX)),
        ("patterns with a wildcard in a scope", str(scope.SCOPE_WILD_MAX)),
        ("characters in a pattern", str(scope.PATTERN_CHARS_MAX)),
        ("characters in a segment", str(scope.SEGMENT_CHARS_MAX)),
        ("wildcards in a pattern", str(scope.WILDCARDS_MAX)),
        (
            "live patterns in a workspace that begin with a wildcard",
            str(scope.UNANCHORED_LIVE_MAX),
        ),
        ("characters in the name of a session or agent", str(names.NAME_CHARS_MAX)),
    ]
    return table(("what", "bound"), rows)


def kinds_table() -> str:
    """Write what can stand in the ledger: each kind of entry, and what its payload holds."""
    rows = [
        (_code(kind), " ".join(map(_code, event._fields)), (event.__doc__ or "").strip())
        for kind, event in KINDS.items()
    ]
    return table(("kind", "payload, besides `salt`", "meaning"), rows)


def packet_table() -> str:
    """Write the fields of a packet."""
    rows = [
        (_code(f"{above}{field.name}"), field.shape, field.by, field.about)
        for above, fields in (
            ("", packet.FIELDS),
            *((f"{f.name}.", f.fields) for f in packet.FIELDS),
        )
        for field in fields
    ]
    return table(("field", "shape", "written by", "meaning"), rows)


def packet_limits() -> str:
    """Write the bounds of a packet."""
    rows = [
        ("bytes of the canonical text", str(packet.PACKET_BYTES_MAX)),
        ("bytes of a file that is offered", str(2 * packet.PACKET_BYTES_MAX)),
        ("levels of nesting", str(packet.DEPTH_MAX)),
        ("items in a list", str(packet.ITEMS_MAX)),
        ("characters in a text", str(packet.TEXT_CHARS_MAX)),
        ("characters in a word or role", str(packet.WORD_CHARS_MAX)),
        ("characters in the name of a task", str(task.TASK_CHARS_MAX)),
    ]
    return table(("what", "bound"), rows)


def packet_schema() -> str:
    """Write the JSON Schema of a packet."""
    return json.dumps(packet.json_schema(), indent=2) + "\n"


def _hours(ms: int) -> str:
    return f"{ms // 3_600_000}h"


def audit_rules_table() -> str:
    """Write the rules of detection, each with an example and a counter-example."""
    rows = (
        (f"`{rule.id}`", rule.what, rule.examples[0], rule.counter_examples[0])
        for rule in (*CUES, *CONDITION_KINDS)
    )
    return table(("rule", "finds that", "for example", "and not"), rows)


def audit_ladder_table() -> str:
    """Write at which rungs each event of a trigger can be noticed."""
    rows = ((f"`{event}`", ", ".join(rungs)) for event, rungs in WATCHED_AT.items())
    return table(("event", "can be noticed"), rows)


BLOCKS: Final[dict[str, dict[str, Callable[[], str]]]] = {
    "README.md": {"exits": exits_table},
    "docs/audit.md": {"rules": audit_rules_table, "rungs": audit_ladder_table},
    "docs/concepts.md": {"conflicts": conflicts_table, "limits": limits_table},
    "docs/ledger.md": {"kinds": kinds_table},
    "docs/packets.md": {"fields": packet_table, "bounds": packet_limits},
}


# --- Markdown ------------------------------------------------------------------------------------


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Write a Markdown table, with a newline at its end."""
    lines = [head, ("---",) * len(head), *(tuple(map(_cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else "–"


if __name__ == "__main__":
    sys.exit(main())
