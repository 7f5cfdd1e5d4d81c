r"""Patches that stand in the line itself: which files they change.

Read are the ``+++`` and ``---`` rows of a diff, its renames, and the rows of ``apply_patch``. A
patch in a file or from elsewhere is undecided.

    >>> changed("--- a/x.py\n+++ b/x.py\n", 1)
    ['x.py']
"""

from __future__ import annotations

from handrail.edge.shell.call import Call, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.edge.shell.call import Reader

__all__ = ["PATCHES", "changed", "patched"]

SIMPLE = ("rename from ", "rename to ", "copy to ")
ENVELOPE = ("*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: ")


def changed(text: str, strip: int) -> list[str]:
    """List the paths that a diff changes, without their first ``strip`` parts."""
    out: dict[str, None] = {}
    for row in text.splitlines():
        if row.startswith(("--- ", "+++ ")):
            path = row[4:].partition("\t")[0].strip()
            parts = path.split("/", strip)
            if path != "/dev/null" and len(parts) > strip:
                out[parts[strip]] = None
        for start in (*SIMPLE, *ENVELOPE):
            if row.startswith(start):
                out[row[len(start) :].strip()] = None
    return list(out)


def patched(call: Call) -> None:
    """Read ``patch`` and ``git apply``."""
    longs = ("--strip", "--input", "--directory", "--output", "--exclude", "--include")
    options = split(call.args, "pidoCBVrFYgz", longs)
    state = call.state
    if options.has("-d", "--directory"):
        folder = options.value("-d", "--directory")
        state = state.copy()
        state.cwd = state.resolve(folder) if folder is not None else None
        call.state = state
    if options.has("--dry-run"):
        return
    files = options.operands if call.name == "patch" else []
    if options.has("-o", "--output"):
        call.write(options.value("-o", "--output"))
    elif files:
        call.write(files[0])
    elif (
        call.stdin is None or options.has("-i", "--input") or (call.name == "git" and _named(call))
    ):
        call.undecided()
    else:
        depth = options.value("-p", "--strip") if options.has("-p", "--strip") else "1"
        strip = int(depth) if depth is not None and depth.isdigit() and len(depth) < 4 else 1
        for path in changed(call.stdin, strip):
            call.write(path)


def _named(call: Call) -> bool:
    """Say whether ``git apply`` is given files."""
    operands = split(call.args, "pC", ("--exclude", "--include", "--directory")).operands
    return any(operand != "-" for operand in operands)


def _envelope(call: Call) -> None:
    """Read ``apply_patch``."""
    text = call.args[0] if call.args else call.stdin
    if text is None:
        call.undecided()
    else:
        for path in changed(text, 0):
            call.write(path)


PATCHES: dict[str, Reader] = {
    "patch": patched,
    "apply_patch": _envelope,
    "applypatch": _envelope,
}
