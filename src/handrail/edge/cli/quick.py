"""Parse the commands that agents run all day without importing click.

Takes only what is plainly well formed: known options with their values, then words. Everything
else (help, a typo, an unknown option, any other command) is left to click, which explains.
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.edge.cli.invocation import Invocation, Value
from handrail.edge.cli.spec import COMMON, QUICK, Command
from handrail.text import looks_like_duration


def parse(argv: Sequence[str]) -> tuple[Command, Invocation] | None:
    """Return the command and its values, or None where click should look at it."""
    words = list(argv)
    if not words:
        return None
    command = next((c for c in QUICK if c.quick and c.path == words[0]), None)
    if command is None:
        return None
    flags = {flag: option for option in (*command.options, *COMMON) for flag in option.flags}
    values: dict[str, Value] = {}
    rest: list[str] = []
    position = 1
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            rest += words[position:]
            break
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, equals, inline = word.partition("=")
        option = flags.get(name)
        attached = equals and (option is None or option.kind == "flag" or name[:2] != "--")
        if option is None or attached or option.kind == "many":
            return None
        if option.kind == "flag":
            values[option.name] = True
        elif equals:
            values[option.name] = inline
        elif option.kind == "maybe":
            following = words[position] if position < len(words) else ""
            takes = looks_like_duration(following)
            values[option.name] = following if takes else ""
            position += takes
        elif position < len(words):
            values[option.name] = words[position]
            position += 1
        else:
            return None
    argument = command.arguments[0]
    if (argument.required and not rest) or (not argument.many and len(rest) != 1):
        return None
    values[argument.name] = tuple(rest) if argument.many else rest[0]
    return command, Invocation(command.path, values)
