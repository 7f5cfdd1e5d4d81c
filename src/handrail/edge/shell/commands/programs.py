"""Interpreters that are given their program in the line: the paths that it plainly writes.

A script in a file is left alone, as any other program is. Python is read by its syntax tree, the
others by the calls that one writes when one changes a file in a hurry.
"""

from __future__ import annotations

from handrail.edge.shell.call import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.edge.shell.call import Reader
    from handrail.edge.shell.state import Field, Fields

__all__ = ["PROGRAMS"]

FORMATTERS = ("black", "isort", "ruff", "autopep8", "yapf", "autoflake", "pyupgrade")


def _python_code(call: Call, text: Field, arguments: Fields) -> None:
    """Read a program in Python."""
    from handrail.edge.shell.commands.python_code import python_writes

    python_writes(call, text, arguments)


def _code(call: Call, text: Field) -> None:
    """Read a program in another language."""
    from handrail.edge.shell.commands.other_code import code_writes

    code_writes(call, text)


def _flags(
    args: Fields, values: str, attached: str, final: str = ""
) -> tuple[list[tuple[str, Field]], Fields]:
    """Read the flags before the first operand.

    ``attached`` take the rest of their cluster; what follows one of ``final`` are operands.
    """
    flags: list[tuple[str, Field]] = []
    index = 0
    while index < len(args):
        word = args[index]
        if word is None or len(word) < 2 or word[0] != "-":
            break
        index += 1
        if word == "--":
            break
        if word.startswith("--"):
            name, _, value = word.partition("=")
            flags.append((name, value))
            continue
        for at, letter in enumerate(word[1:], 1):
            rest = word[at + 1 :]
            if letter in attached:
                flags.append((letter, rest))
                break
            if letter in values:
                flags.append((letter, rest or (args[index] if index < len(args) else "")))
                index += not rest
                if letter in final:
                    return flags, args[index:]
                break
            flags.append((letter, ""))
    return flags, args[index:]


def _perl(call: Call) -> None:
    """Read ``perl`` and ``ruby``."""
    values, attached = ("eE", "iIMmF0lCDx") if call.name == "perl" else ("erIEC", "iFKTWx0")
    flags, operands = _flags(call.args, values, attached)
    codes = [value for flag, value in flags if flag in ("e", "E")]
    files = operands if codes else operands[1:]
    for code in codes:
        _code(call, code)
    if not codes and operands[:1] in ([], ["-"]) and not any(flag == "v" for flag, _ in flags):
        _code(call, call.stdin)
    for flag, suffix in flags:
        if flag == "i":
            for path in files:
                call.write(path)
                if suffix and path is not None:
                    call.write(path + suffix)


def _node(call: Call) -> None:
    """Read ``node``, ``deno eval``, ``bun`` and ``php``."""
    args = call.args[1:] if call.args[:1] == ["eval"] else call.args
    named = ("--eval", "--print")
    spelt: Fields = []
    for word in args:
        name, equals, value = (word or "").partition("=")
        spelt.append("-e" if name in named else word)
        if name in named and equals:
            spelt.append(value)
    if args is not call.args:
        spelt.insert(0, "-e")
    flags, operands = _flags(spelt, "er" if call.name != "php" else "rdBRE", "")
    codes: Fields = [
        v for flag, v in flags if flag in ("e", "p" if call.name != "php" else "r") and v
    ]
    if any(flag == "p" for flag, _ in flags) and not any(flag == "e" for flag, _ in flags):
        codes, operands = [*codes, *operands[:1]], operands[1:]
    for code in codes:
        _code(call, code)
    informed = any(flag in ("v", "h", "--version", "--help") for flag, _ in flags)
    if not codes and not informed and operands[:1] in ([], ["-"]):
        _code(call, call.stdin)


def _python(call: Call) -> str | None:
    """Read ``python``: ``-c``, a program that it is fed, ``-m`` of a command that is known."""
    flags, operands = _flags(call.args, "cmWX", "", final="cm")
    flag, value = flags[-1] if flags else ("", "")
    if flag == "c":
        _python_code(call, value, operands)
        return None
    if flag == "m":
        if value == "json.tool":
            files = [word for word in operands if word is None or not word.startswith("-")]
            for path in files[1:2]:
                call.write(path)
            return None
        return call.run([value, *operands]) if value in FORMATTERS else None
    informed = any(flag in ("V", "h", "--version", "--help") for flag, _ in flags)
    if not informed and operands[:1] in ([], ["-"], ["/dev/stdin"]):
        _python_code(call, call.stdin, operands[1:])
    return None


PROGRAMS: dict[str, Reader] = {
    **dict.fromkeys(("python", "python2", "python3", "pypy", "pypy3"), _python),
    **dict.fromkeys(("perl", "ruby"), _perl),
    **dict.fromkeys(("node", "nodejs", "deno", "bun", "php", "tsx"), _node),
}
