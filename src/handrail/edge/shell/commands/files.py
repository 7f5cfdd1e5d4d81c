"""Commands that remove, move, copy and change files: which of their operands they write.

A command with a destination writes the file inside it where it is a folder: one that stands there,
one that the line made before, or one that is spelt with a slash at its end.
"""

from __future__ import annotations

from handrail.edge.shell.call import Call, Options, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.edge.shell.call import Reader
    from handrail.edge.shell.state import Field, Fields

__all__ = ["FILES", "copied", "moved"]

RECURSIVE = ("-r", "-R", "-a", "--recursive", "--archive")


def _operands(
    values: str = "",
    longs: tuple[str, ...] = (),
    *,
    skip: int = 0,
    below: tuple[str, ...] = (),
    also: str = "",
    unless: tuple[str, ...] = (),
) -> Reader:
    """Make the reader of a command that writes each operand, after the first ``skip`` of them.

    With one of the flags ``below``, what is under them too; with ``unless``, nothing; ``also`` is
    the ending of a second file that it makes.
    """

    def reader(call: Call) -> None:
        options = split(call.args, values, longs)
        if options.has(*unless):
            return
        for path in options.operands[0 if options.has("--reference") else skip :]:
            call.write(path, options.has(*below))
            if also and path is not None:
                call.write(path.removesuffix(also) if path.endswith(also) else path + also)

    return reader


def _name(path: str) -> str:
    """Give the name that a copy of ``path`` gets; empty where it is the folder itself."""
    name = path.rstrip("/").rpartition("/")[2]
    return "" if name in (".", "..") else name


def _ends(options: Options, call: Call) -> tuple[Fields, Field, bool] | None:
    """Give sources, destination, and whether it is a folder."""
    if options.has("-t", "--target-directory"):
        return options.operands, options.value("-t", "--target-directory"), True
    if len(options.operands) < 2:
        return None
    *sources, destination = options.operands
    if options.has("-T", "--no-target-directory"):
        return sources, destination, False
    folder = len(sources) > 1 or call.state.is_folder(destination)
    return sources, destination, folder or (destination or "").endswith("/")


def _place(call: Call, source: Field, destination: Field, inside: bool, below: bool) -> None:
    """Note the file that comes of ``source``."""
    if not inside:
        call.write(destination, below)
    elif source is None or destination is None:
        call.undecided()
    else:
        call.write(f"{destination.rstrip('/')}/{_name(source)}", below)


def _is_tree(call: Call, source: Field) -> bool:
    """Say whether ``source`` is a folder, or may become one before it is read."""
    return call.state.is_folder(source) or not call.state.exists(source)


def copied(call: Call) -> None:
    """Read ``cp``, ``install`` and ``scp``."""
    values = "tSgmoPi" if call.name != "cp" else "tS"
    options = split(call.args, values, ("--target-directory", "--suffix", "--mode"))
    if call.name == "install" and options.has("-d", "--directory"):
        call.state.made.update(_made(call, options.operands))
        return
    ends = _ends(options, call)
    if ends is None:
        return
    sources, destination, inside = ends
    if call.name == "scp" and ":" in (destination or ""):
        return
    recursive = options.has(*RECURSIVE)
    for source in sources:
        _place(call, source, destination, inside, recursive and _is_tree(call, source))


def moved(call: Call) -> None:
    """Read ``mv``: both ends are written."""
    options = split(call.args, "tS", ("--target-directory", "--suffix"))
    ends = _ends(options, call)
    if ends is None:
        return
    sources, destination, inside = ends
    for source in sources:
        below = call.state.is_folder(source)
        call.write(source, below)
        _place(call, source, destination, inside, below)


def _linked(call: Call) -> None:
    """Read ``ln``."""
    options = split(call.args, "tS", ("--target-directory", "--suffix"))
    if len(options.operands) == 1 and not options.has("-t", "--target-directory"):
        _place(call, options.operands[0], ".", inside=True, below=False)
        return
    ends = _ends(options, call)
    if ends is not None:
        sources, destination, inside = ends
        as_file = options.has("-n", "--no-dereference") and len(sources) == 1
        for source in sources:
            _place(call, source, destination, inside and not as_file, below=False)


def _synced(call: Call) -> None:
    """Read ``rsync``."""
    longs = ("--exclude", "--include", "--filter", "--exclude-from", "--include-from", "--rsh")
    options = split(call.args, "efTB", (*longs, "--files-from", "--compare-dest", "--link-dest"))
    if options.has("-n", "--dry-run", "--list-only") or len(options.operands) < 2:
        return
    *sources, destination = options.operands
    if options.has("--remove-source-files"):
        for source in sources:
            call.write(source, below=True)
    if destination is not None and ":" in destination.partition("/")[0]:
        return
    for source in sources:
        tree = source is None or source.endswith("/") or _is_tree(call, source)
        inside = call.state.is_folder(destination) or (destination or "").endswith("/") or tree
        if options.has("--delete") or source is None or source.endswith("/"):
            call.write(destination, below=True)
        else:
            _place(call, source, destination, inside, tree)


def _made(call: Call, paths: Fields) -> set[str]:
    """Give the whole paths of folders that come to be."""
    whole = (call.state.resolve(path) for path in paths if path is not None)
    return {path.rstrip("/") for path in whole if path is not None}


def _folders(call: Call) -> None:
    """Read ``mkdir``: a folder is no file, but what is copied to it goes inside."""
    options = split(call.args, "m", ("--mode",))
    call.state.made.update(_made(call, options.operands))


def _dumped(call: Call) -> None:
    """Read ``dd``."""
    for word in call.args:
        if word is None:
            call.undecided()
        elif word.startswith("of="):
            call.write(word[3:])


def _truncated(call: Call) -> None:
    """Read ``truncate``."""
    options = split(call.args, "sr", ("--size",))
    for path in options.operands:
        call.write(path)


FILES: dict[str, Reader] = {
    "rm": _operands(below=("-r", "-R", "--recursive")),
    "rmdir": _operands(),
    "unlink": _operands(),
    "shred": _operands("ns", ("--iterations", "--size")),
    "tee": _operands(),
    "sponge": _operands(),
    "touch": _operands("dtr", ("--date",)),
    "chmod": _operands(skip=1, below=("-R", "--recursive")),
    "chown": _operands(skip=1, below=("-R", "--recursive")),
    "chgrp": _operands(skip=1, below=("-R", "--recursive")),
    "truncate": _truncated,
    "mkfifo": _operands("m"),
    "gzip": _operands("S", also=".gz", unless=("-c", "-l", "-t", "--stdout", "--list", "--test")),
    "gunzip": _operands("S", also=".gz", unless=("-c", "-l", "-t", "--stdout")),
    "bzip2": _operands(also=".bz2", unless=("-c", "-t", "--stdout")),
    "bunzip2": _operands(also=".bz2", unless=("-c", "-t", "--stdout")),
    "xz": _operands("T", also=".xz", unless=("-c", "-l", "-t", "--stdout")),
    "unxz": _operands("T", also=".xz", unless=("-c", "-l", "-t", "--stdout")),
    "dos2unix": _operands("c", unless=("-i", "--info", "-n")),
    "unix2dos": _operands("c", unless=("-i", "--info", "-n")),
    "mv": moved,
    "cp": copied,
    "install": copied,
    "scp": copied,
    "ln": _linked,
    "link": _linked,
    "rsync": _synced,
    "mkdir": _folders,
    "dd": _dumped,
}
