"""Commands that run another command, or change where the next one runs."""

from __future__ import annotations

from handrail.edge.shell.call import Call, split
from handrail.edge.shell.writes import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.edge.shell.call import Reader
    from handrail.edge.shell.state import Field, Fields

__all__ = ["WRAPPERS", "peeled"]


def peeled(args: Fields, values: str = "", longs: tuple[str, ...] = (), skip: int = 0) -> Fields:
    """Take a wrapper's own flags and ``skip`` operands away; what is left is the command."""
    index = 0
    while index < len(args):
        word = args[index]
        if word is None or len(word) < 2 or word[0] != "-":
            break
        index += 1
        if word == "--":
            break
        takes = word in longs if word.startswith("--") else word[-1] in values and len(word) == 2
        index += takes
    return args[index + skip :]


def _wrapped(values: str = "", longs: tuple[str, ...] = (), skip: int = 0) -> Reader:
    """Make the reader of a command that runs what stands behind its own arguments."""

    def reader(call: Call) -> str | None:
        return call.run(peeled(call.args, values, longs, skip))

    return reader


def _unassigned(call: Call, fields: Fields) -> str | None:
    """Run ``fields`` without the assignments before them."""
    state = call.state.copy()
    index = 0
    for word in fields:
        name, equals, value = (word or "").partition("=")
        if not equals or not name.replace("_", "a").isalnum():
            break
        state.variables[name] = value
        index += 1
    return call.run(fields[index:], state)


def _sudo(call: Call) -> str | None:
    """Read ``sudo`` and ``doas``."""
    longs = ("--user", "--group", "--host", "--prompt", "--chdir", "--role", "--type")
    rest = peeled(call.args, "ughpCTRDrt", longs)
    if rest == call.args[-1:] and call.stdin is not None and rest == []:
        call.shell(call.stdin)
    return _unassigned(call, rest)


def _env(call: Call) -> str | None:
    """Read ``env``."""
    options = split(call.args, "uCS", ("--unset", "--chdir", "--split-string"), stop=True)
    if options.has("-S", "--split-string"):
        text = options.value("-S", "--split-string")
        call.shell(text)
        return None
    if options.has("-C", "--chdir"):
        state = call.state.copy()
        folder = options.value("-C", "--chdir")
        state.cwd = state.resolve(folder) if folder is not None else None
        return call.run(options.operands, state)
    return _unassigned(call, options.operands)


def _command(call: Call) -> str | None:
    """Read ``command`` and ``exec``; ``command -v`` only asks."""
    if call.name == "command" and split(call.args, stop=True).has("-v", "-V"):
        return None
    return call.run(peeled(call.args, "a"))


def _flock(call: Call) -> str | None:
    """Read ``flock FILE COMMAND``."""
    rest = peeled(call.args, "wE", ("--wait", "--timeout"))
    if len(rest) > 1 and rest[1] in ("-c", "--command"):
        call.shell(rest[2] if len(rest) > 2 else "")
        return None
    return call.run(rest[1:])


def _move(call: Call, folder: Field) -> None:
    """Go to ``folder``."""
    state = call.state
    state.variables["OLDPWD"] = state.cwd
    whole = state.resolve(folder) if folder is not None else None
    state.cwd = None if whole is None else plain(whole)


def _cd(call: Call) -> None:
    """Read ``cd``."""
    folders = split(call.args).operands
    if not folders:
        _move(call, call.state.home)
    elif folders[0] == "-":
        before = call.state.variables.get("OLDPWD")
        _move(call, before if isinstance(before, str) else None)
    elif folders[0] != "":
        _move(call, folders[0])


def _pushd(call: Call) -> None:
    """Read ``pushd``."""
    call.state.folders.append(call.state.cwd)
    folders = split(call.args).operands
    known = folders and not (folders[0] or "").startswith("+")
    _move(call, folders[0] if known else None)


def _popd(call: Call) -> None:
    """Read ``popd``."""
    state = call.state
    state.cwd = state.folders.pop() if state.folders else None


def _eval(call: Call) -> None:
    """Read ``eval``."""
    call.shell(None if None in call.args else " ".join(word or "" for word in call.args))


def _trap(call: Call) -> None:
    """Read ``trap``."""
    words = split(call.args, stop=True).operands
    if len(words) > 1:
        call.shell(words[0], call.state.copy())


def _filled(call: Call) -> None:
    """Read what fills variables: ``read``, ``mapfile``, ``getopts``, ``let``."""
    names = (word.partition("=")[0].rstrip("+-*/") for word in call.args if word)
    call.state.forget(names)


def _run_by(call: Call) -> str | None:
    """Read a runner of packages: ``npx prettier``, ``uv run black``, ``poetry run``."""
    rest = peeled(call.args, "pcC", ("--package", "--with", "--from", "--directory"))
    if call.name in ("uv", "poetry", "pipenv", "pdm", "hatch", "rye", "pnpm", "yarn", "bundle"):
        if rest[:1] not in (["run"], ["exec"], ["dlx"], ["x"]):
            return None
        rest = peeled(rest[1:], "p", ("--with", "--package", "--group", "--extra"))
    if rest and rest[0]:
        rest = [rest[0].partition("@")[0] or rest[0], *rest[1:]]
    return call.run(rest)


WRAPPERS: dict[str, Reader] = {
    "sudo": _sudo,
    "doas": _sudo,
    "env": _env,
    "command": _command,
    "exec": _command,
    "builtin": _wrapped(),
    "nohup": _wrapped(),
    "setsid": _wrapped(),
    "time": _wrapped("fo"),
    "coproc": _wrapped(),
    "chronic": _wrapped(),
    "unbuffer": _wrapped(),
    "busybox": _wrapped(),
    "nice": _wrapped("n", ("--adjustment",)),
    "ionice": _wrapped("cnp"),
    "stdbuf": _wrapped("ioe", ("--input", "--output", "--error")),
    "timeout": _wrapped("ks", ("--kill-after", "--signal"), skip=1),
    "gtimeout": _wrapped("ks", skip=1),
    "taskset": _wrapped("cp", skip=1),
    "strace": _wrapped("eopsu"),
    "watch": _wrapped("nq", ("--interval",)),
    "flock": _flock,
    "cd": _cd,
    "pushd": _pushd,
    "popd": _popd,
    "eval": _eval,
    "trap": _trap,
    "read": _filled,
    "mapfile": _filled,
    "readarray": _filled,
    "getopts": _filled,
    "let": _filled,
    **dict.fromkeys(("npx", "bunx", "uvx", "pipx", "uv", "poetry", "pipenv", "pdm"), _run_by),
    **dict.fromkeys(("hatch", "rye", "pnpm", "yarn", "bundle"), _run_by),
}
