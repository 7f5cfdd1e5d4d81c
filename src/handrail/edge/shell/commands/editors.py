"""Editors without a screen, formatters and patches: which files they change in place."""

from __future__ import annotations

import re

from handrail.edge.shell.call import Call, split
from handrail.edge.shell.commands.patches import PATCHES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.edge.shell.call import Reader
    from handrail.edge.shell.state import Field, Fields

__all__ = ["EDITORS"]

# A command of sed behind its address: ``w name``, or ``s`` with whatever follows.
SED_COMMAND = r"[ \t]*(?:[\d$,!]+|/[^/]*/!?)?[ \t]*(?:w[ \t]+(.+)|s(.+))"
SED_FLAG = r"[gpiIeMm0-9]*w[ \t]+(.+)"
AWK_WRITES = r"\bprintf?\b[^;}\n]*?>{1,2}[ \t]*\"([^\"\n]+)\""
PROGRAM_MAX = 10_000


def _sed_files(script: str) -> list[str]:
    """List the files that a program of sed names for its output."""
    out: list[str] = []
    for command in re.split(r"[;{}\n]", script):
        found = re.match(SED_COMMAND, command)
        if found is None:
            continue
        name, rest = found.groups()
        if rest is not None:
            parts = rest[1:].split(rest[0], 2)
            flag = re.match(SED_FLAG, parts[2]) if len(parts) == 3 else None
            name = flag[1] if flag is not None else ""
        if name:
            out.append(name.strip())
    return out


def _in_place(args: Fields, values: str) -> tuple[Fields, Field]:
    """Cut what follows ``i`` in a cluster of flags: it is the ending of the copy that is kept."""
    out: Fields = []
    suffix: Field = ""
    for index, word in enumerate(args):
        if word == "--":
            return [*out, *args[index:]], suffix
        if word is not None and len(word) > 2 and word[0] == "-" and word[1] != "-":
            at = next((i for i, letter in enumerate(word[1:], 1) if letter in "i" + values), 0)
            if at and word[at] == "i":
                suffix = word[at + 1 :] or suffix
                out.append(word[: at + 1])
                continue
        out.append(word)
    return out, suffix


def _sed(call: Call) -> None:
    """Read ``sed``."""
    args, suffix = _in_place(call.args, "efls")
    options = split(args, "efl", ("--expression", "--file", "--line-length"))
    named = ("-e", "-f", "--expression", "--file")
    scripts = [value for flag, value in options.flags if flag in ("-e", "--expression")]
    operands = options.operands
    in_place = options.has("-i", "--in-place")
    if in_place and operands[:1] == [""]:  # as sed of macOS wants it
        operands = operands[1:]
    if not options.has(*named):
        scripts, operands = operands[:1], operands[1:]
    for script in scripts:
        for name in _sed_files(script[:PROGRAM_MAX]) if script and "w" in script else ():
            call.write(name)
    if in_place:
        suffix = suffix or options.value("--in-place")
        for path in operands:
            call.write(path)
            if suffix and path is not None:
                folder, slash, name = path.rpartition("/")
                copy = suffix.replace("*", name) if "*" in suffix else name + suffix
                call.write(copy if "/" in copy else folder + slash + copy)


def _awk(call: Call) -> None:
    """Read ``awk``."""
    options = split(call.args, "fviF", ("--file", "--include", "--assign"), stop=True)
    programs = options.operands
    if options.has("-f", "--file"):
        files = programs
    else:
        files = programs[1:]
        for path in (
            re.findall(AWK_WRITES, programs[0][:PROGRAM_MAX]) if programs and programs[0] else ()
        ):
            call.write(path)
    if options.value("-i", "--include") == "inplace":
        for each in files:
            call.write(each)


def _batch(call: Call) -> None:
    """Read an editor that is given its keys in the line: it may write what it opens."""
    options = split(call.args, "cSuTVW", ("--cmd",))
    if call.name in ("vi", "vim", "nvim") and options.has("-R", "--version", "--help"):
        return
    if options.operands:
        for path in options.operands:
            call.write(path)
    else:
        call.undecided()


def _formats(
    needs: tuple[str, ...] = (), never: tuple[str, ...] = (), values: str = "", verb: str = ""
) -> Reader:
    """Make the reader of a formatter: it writes its files if ``needs`` is given and ``never`` not.

    A folder may hold files that it changes and files that it does not: that is undecided. With
    ``verb``, only that subcommand formats.
    """

    def reader(call: Call) -> None:
        args = call.args
        if verb:
            if args[:1] != [verb]:
                return
            args = args[1:]
        options = split(args, values, ("--config", "--line-length", "--parser", "--select"))
        if (needs and not options.has(*needs)) or options.has(*never, "--version", "--help"):
            return
        for path in options.operands:
            if path is None or call.state.is_folder(path) or "*" in path:
                call.undecided()
            elif path != "-":
                call.write(path)
        if not options.operands:
            call.undecided()

    return reader


def _ruff(call: Call) -> None:
    """Read ``ruff``, whose two subcommands write under different flags."""
    _formats(never=("--check", "--diff"), verb="format")(call)
    _formats(needs=("--fix", "--unsafe-fixes"), never=("--diff",), verb="check")(call)


def _cargo(call: Call) -> None:
    """Read ``cargo fmt``, ``cargo fix`` and ``cargo clippy --fix``."""
    verb = next((word for word in call.args if word and not word.startswith(("-", "+"))), "")
    options = split(call.args)
    formats = verb == "fmt" and not options.has("--check")
    if verb == "fix" or formats or (verb == "clippy" and options.has("--fix")):
        call.undecided()


def _go(call: Call) -> None:
    """Read ``go fmt`` and ``go fix``."""
    if call.args[:1] in (["fmt"], ["fix"], ["generate"]):
        call.undecided()


EDITORS: dict[str, Reader] = {
    **PATCHES,
    "sed": _sed,
    "gsed": _sed,
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _awk),
    **dict.fromkeys(("ed", "ex", "vi", "vim", "nvim", "emacs", "nano"), _batch),
    "black": _formats(never=("--check", "--diff", "-c", "--code"), values="lt"),
    "isort": _formats(never=("-c", "--check", "--check-only", "--diff", "-d"), values="ls"),
    "ruff": _ruff,
    "autopep8": _formats(needs=("-i", "--in-place")),
    "autoflake": _formats(needs=("-i", "--in-place")),
    "yapf": _formats(needs=("-i", "--in-place")),
    "pyupgrade": _formats(),
    "prettier": _formats(needs=("-w", "--write")),
    "eslint": _formats(needs=("--fix",), values="c"),
    "stylelint": _formats(needs=("--fix",)),
    "biome": _formats(needs=("--write", "--fix", "--apply")),
    "gofmt": _formats(needs=("-w",), values="r"),
    "goimports": _formats(needs=("-w",)),
    "shfmt": _formats(needs=("-w", "--write"), values="i"),
    "clang-format": _formats(needs=("-i",)),
    "rustfmt": _formats(never=("--check",)),
    "yq": _formats(needs=("-i", "--inplace")),
    "cargo": _cargo,
    "go": _go,
}
