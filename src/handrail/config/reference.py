"""The reference of `handrail.toml`, drawn from its table: a Markdown page and a JSON Schema.

Promise: what is written here is what is checked. `docs/configuration.md` and
`docs/handrail.schema.json` are its output; a test compares them. To write both anew, from the
root of the project:

    python -m handrail.config.reference
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from handrail.config.kinds import ARGUMENT, LABEL, REF, SIGNING_KEY, VARIABLE, JsonSchema
from handrail.config.levels import GateLevels, plugin_key
from handrail.config.schema import HANDRAIL_TOML
from handrail.config.tables import REQUIRED, Forms, Key, Table, Tables

PAGE_FILE: Final = "docs/configuration.md"
SCHEMA_FILE: Final = "docs/handrail.schema.json"

_HEAD: Final = """\
# `handrail.toml`

Every key, drawn from the table that checks the file; `handrail config validate` names what is
wrong with yours, by line, and `handrail config schema` prints the JSON Schema. A key that is not
on this page is an error.

- A **scope** is a pattern relative to the repository: literal segments, `*` and `?` within one,
  `**` for any number of them. If its last segment is literal it means that path and all below.
- A **path** is a scope without wildcards.
- A **duration** is written `"30s"`, `"90m"`, `"1h30m"`, `"2d"`.
- A **name** has at most 64 letters, digits, `.`, `_` and `-`, the first a letter or digit. Where a
  *role or family* is asked for, the name must be that of a `[[role]]` or one's `family`.
"""
_FORMS: Final = (LABEL, REF, SIGNING_KEY, VARIABLE, ARGUMENT)


def json_schema() -> JsonSchema:
    """Write the JSON Schema 2020-12 of the file."""
    about = "Who may change what in a repository, and how work is handed over, with Handrail."
    head: JsonSchema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    head |= {"title": "handrail.toml", "description": about}
    return head | HANDRAIL_TOML.schema()


def schema_text() -> str:
    """Write the JSON Schema as the file that is published."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def documentation() -> str:
    """Write the reference page."""
    forms = [f"- A form of text, **{form.what}**: {form.rule}.\n" for form in _FORMS]
    parts = [_HEAD + "".join(forms)]
    for key in HANDRAIL_TOML.keys:
        kind = key.kind.table if isinstance(key.kind, Tables) else key.kind
        title = f"## `{kind.title if isinstance(kind, Table) else key.name}`"
        intro = key.meaning + (" Required." if key.default is REQUIRED else "")
        parts.append(f"{title}\n\n{intro}\n")
        parts.extend(_tables(kind))
    return "\n".join(parts)


def _tables(kind: Any) -> Iterator[str]:
    """Write a table's keys, then those of the tables in it."""
    if isinstance(kind, Forms):
        for name, form in kind.forms:
            yield f'With `{kind.tag} = "{name}"`:\n'
            yield from _tables(form)
    elif isinstance(kind, Table):
        more = (plugin_key(),) if isinstance(kind, GateLevels) else ()
        rows = "".join(_row(key) for key in (*kind.keys, *more))
        yield f"| key | value | default | meaning |\n|---|---|---|---|\n{rows}"
        for key in kind.keys:
            if isinstance(key.kind, Table | Forms):
                yield f"### `{key.name}`\n\n{key.meaning}\n"
                yield from _tables(key.kind)


def _row(key: Key) -> str:
    """Write one row of a table."""
    cells = (f"`{key.name}`", key.kind.words(), _default(key), key.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(key: Key) -> str:
    """Say what a key means that is not there."""
    if key.default is REQUIRED:
        return "required"
    if key.absent:
        return key.absent
    return f"`{json.dumps(key.default, ensure_ascii=False)}`"


def main() -> int:
    """Write both files below the working directory."""
    for file, text in ((PAGE_FILE, documentation()), (SCHEMA_FILE, schema_text())):
        with open(file, "w", encoding="utf-8", newline="\n") as page:
            page.write(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
