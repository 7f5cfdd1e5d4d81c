"""Shells within the line: what they are given to run is read like the line itself."""

from __future__ import annotations

from handrail.edge.shell.call import Call, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.edge.shell.call import Reader

__all__ = ["SHELLS"]


def _shell(call: Call) -> None:
    """Read a shell: ``-c`` and its text, or a text that it is fed. A script is left alone."""
    options = split(call.args, "oO", ("--rcfile", "--init-file"), stop=True)
    state = call.state.copy()
    if options.has("-c"):
        if options.operands:
            state.arguments = tuple(options.operands[2:])
            call.shell(options.operands[0], state)
    elif (not options.operands and not options.has("--version", "--help")) or options.has("-s"):
        state.arguments = tuple(options.operands)
        call.shell(call.stdin, state)


def _su(call: Call) -> None:
    """Read ``su``."""
    options = split(call.args, "csg", ("--command",))
    if options.has("-c", "--command"):
        call.shell(options.value("-c", "--command"), call.state.copy())


def _source(call: Call) -> None:
    """Read ``source``: a script is left alone, what is fed is read."""
    if call.args[:1] in (["/dev/stdin"], ["-"]):
        call.shell(call.stdin)
    elif call.args[:1] == ["/dev/fd/63"]:
        call.undecided()


SHELLS: dict[str, Reader] = {
    **dict.fromkeys(("sh", "bash", "dash", "zsh", "ksh", "ash", "rbash"), _shell),
    "su": _su,
    "source": _source,
    ".": _source,
}
