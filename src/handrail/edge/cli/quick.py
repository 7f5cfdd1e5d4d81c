"""Parse the commands that agents run all day without importing click.

Takes only what is plainly well formed: known options with their values, then words. Everything
else (help, a typo, an unknown option, any other command) is left to click, which explains.
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.edge.cli.invocation import Invocation, Value
from handrail.edge.cli.spec import COMMON, QUICK, Command
from handrail.text import looks_like_duration
from handrail.typed import Final

HANDING: Final = ("handoff", "offer", "accept")
"""How the commands begin of which ``handoff_nouns`` tells."""


def parse(argv: Sequence[str]) -> tuple[Command, Invocation] | None:
    """Return the command and its values, or None where click should look at it."""
    words = list(argv)
    values: dict[str, Value] = {}
    position = _take_common(words, values)
    if position is None or position == len(words):
        return None
    command = _command(words[position : position + 2])
    if command is None:
        return None
    rest = _take_options(words, position + 1 + command.path.count(" "), command, values)
    if rest is None or not _take_words(rest, command, values):
        return None
    return command, Invocation(command.path, values)


def _take_words(words: Sequence[str], command: Command, values: dict[str, Value]) -> bool:
    """Take the words that are no options; returns whether they fit, as far as is known here."""
    if not command.arguments:
        return not words
    argument = command.arguments[0]
    if (argument.required and not words) or (not argument.many and len(words) > 1):
        return False
    if argument.many:
        values[argument.name] = tuple(words)
    elif words:
        values[argument.name] = words[0]
    return True


def _command(words: Sequence[str]) -> Command | None:
    """Return the command that is meant, one of those that are parsed here."""
    known, paths = QUICK, (words[0], " ".join(words))
    if words[0] in HANDING:
        from handrail.edge.cli.handoff_nouns import HANDING_OVER

        known = HANDING_OVER
    return next((one for one in known if one.quick and one.path in paths), None)


def _take_common(words: Sequence[str], values: dict[str, Value]) -> int | None:
    """Take the common options that stand before the command; returns where it stands."""
    flags = {flag: option for option in COMMON for flag in option.flags}
    position = 0
    while position < len(words) and words[position] in flags:
        option = flags[words[position]]
        position += 1
        if option.kind == "flag":
            values[option.name] = True
        elif position == len(words):
            return None
        else:
            values[option.name] = words[position]
            position += 1
    return position


def _take_options(
    words: Sequence[str], position: int, command: Command, values: dict[str, Value]
) -> list[str] | None:
    """Take the options of a command; returns the other words, None where click should look."""
    flags = {flag: option for option in (*command.options, *COMMON) for flag in option.flags}
    many: dict[str, list[str]] = {}
    rest: list[str] = []
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            rest += words[position:]
            break
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        option = flags.get(name)
        attached = equals and (option is None or option.kind == "flag" or name[:2] != "--")
        if option is None or attached:
            return None
        if option.kind == "flag":
            values[option.name] = True
            continue
        if option.kind == "maybe" and not equals:
            value = words[position] if position < len(words) else ""
            takes = looks_like_duration(value)
            value = value if takes else ""
            position += takes
        elif not equals:
            if position == len(words):
                return None
            value = words[position]
            position += 1
        if option.kind == "many":
            many.setdefault(option.name, []).append(value)
        else:
            values[option.name] = value
    values |= {name: tuple(found) for name, found in many.items()}
    return rest
