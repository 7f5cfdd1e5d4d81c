"""What ``git`` writes in the working tree, as far as the line names the paths.

What comes from a branch, a stash or a patch is not named by the line and counts as undecided. What
only writes git's own files (commit, fetch, add, branch) writes nothing here.
"""

from __future__ import annotations

from handrail.edge.shell.call import Call, split
from handrail.edge.shell.commands.files import moved
from handrail.edge.shell.commands.patches import patched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail.edge.shell.call import Reader
    from handrail.edge.shell.state import Field, Fields

    Command = Callable[[Call], None]

__all__ = ["GIT"]

GLOBS = frozenset("*?[")
GLOBAL_VALUES = ("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path")


def _paths(call: Call, paths: Fields) -> None:
    """Note each path, and below it where it is a folder."""
    for path in paths:
        if (path is not None and path.startswith(":")) or (
            path is not None and ("*" in path or "?" in path or "[" in path)
        ):
            call.undecided()
        else:
            call.write(path, call.state.is_folder(path))


def _checkout(call: Call) -> None:
    """Read ``checkout``: paths, or else a branch whose files the line does not name."""
    options = split(call.args, "bB", ("--orphan",))
    if options.has("--pathspec-from-file"):
        call.undecided()
    elif "--" in call.args:
        _paths(call, call.args[call.args.index("--") + 1 :])
    elif options.has("-b", "-B", "--orphan"):
        if options.operands:
            call.undecided()
    elif options.operands and all(call.state.exists(path) for path in options.operands):
        _paths(call, options.operands)
    elif len(options.operands) > 1:
        _paths(call, options.operands[1:])
    elif options.operands or options.has("-d", "--detach"):
        call.undecided()


def _restore(call: Call) -> None:
    """Read ``restore``."""
    options = split(call.args, "s", ("--source",))
    if options.has("-S", "--staged") and not options.has("-W", "--worktree"):
        return
    if options.has("--pathspec-from-file"):
        call.undecided()
    _paths(call, options.operands)


def _removed(call: Call) -> None:
    """Read ``git rm``."""
    options = split(call.args)
    if options.has("--cached", "-n", "--dry-run"):
        return
    if options.has("--pathspec-from-file"):
        call.undecided()
    _paths(call, options.operands)


def _moved(call: Call) -> None:
    """Read ``git mv``."""
    if not split(call.args).has("-n", "--dry-run"):
        moved(call)


def _clean(call: Call) -> None:
    """Read ``clean``."""
    options = split(call.args, "e", ("--exclude",))
    if options.has("-n", "--dry-run"):
        return
    if options.operands:
        _paths(call, options.operands)
    else:
        call.undecided()


def _stash(call: Call) -> None:
    """Read ``stash``: whichever files it takes or gives back, the line seldom names them."""
    verb = next((word for word in call.args if word and not word.startswith("-")), "push")
    if verb in ("list", "show", "drop", "clear", "create", "store", "branch", "save"):
        if verb in ("branch", "save"):
            call.undecided()
    elif verb == "push" and "--" in call.args:
        _paths(call, call.args[call.args.index("--") + 1 :])
    else:
        call.undecided()


def _worktree(call: Call) -> None:
    """Read ``worktree``."""
    verb = call.args[0] if call.args else "list"
    operands = split(call.args[1:], "bB", ("--reason", "--orphan")).operands
    if verb in ("add", "remove"):
        for path in operands[:1]:
            call.write(path, below=True)
    elif verb == "move":
        for path in operands[:2]:
            call.write(path, below=True)


def _reset(call: Call) -> None:
    """Read ``reset``: only some kinds touch files."""
    if split(call.args).has("--hard", "--merge", "--keep"):
        call.undecided()


def _switch(call: Call) -> None:
    """Read ``switch``."""
    options = split(call.args, "cC", ("--create", "--force-create", "--orphan"))
    created = options.has("-c", "-C", "--create", "--force-create")
    if options.operands or not created:
        call.undecided()


def _apply(call: Call) -> None:
    """Read ``apply``."""
    shown = ("--check", "--stat", "--numstat", "--summary", "--cached")
    if not split(call.args, "pC").has(*shown):
        patched(call)


def _output(call: Call) -> None:
    """Read what prints unless ``--output`` names a file."""
    before = call.args[: call.args.index("--")] if "--" in call.args else call.args
    options = split(before, "", ("--output",))
    if options.has("--output"):
        call.write(options.value("--output"))


def _archive(call: Call) -> None:
    """Read ``archive``."""
    options = split(call.args, "o", ("--output", "--prefix", "--format"))
    if options.has("-o", "--output"):
        call.write(options.value("-o", "--output"))


def _clone(call: Call) -> None:
    """Read ``clone`` and ``init``."""
    longs = ("--branch", "--depth", "--origin", "--reference", "--template", "--config")
    operands = split(call.args, "bocju", longs).operands
    if len(operands) > 1:
        call.write(operands[1], below=True)
    elif operands and operands[0]:
        name = operands[0].rstrip("/").rpartition("/")[2].rpartition(":")[2]
        call.write(name.removesuffix(".git"), below=True)


def _submodule(call: Call) -> None:
    """Read ``submodule``."""
    verb = next((word for word in call.args if word and not word.startswith("-")), "status")
    if verb not in ("status", "summary", "init", "sync", "foreach"):
        call.undecided()
    elif verb == "foreach":
        rest = call.args[call.args.index("foreach") + 1 :]
        call.shell(None if None in rest else " ".join(word or "" for word in rest))


def _unknown(call: Call) -> None:
    """Read what writes files that the line does not name."""
    call.undecided()


def _nothing(_call: Call) -> None:
    """Read what writes no file of the working tree."""


NOTHING = (
    *("add", "annotate", "blame", "branch", "bundle", "cat-file", "check-ignore", "commit"),
    *("commit-tree", "config", "count-objects", "credential", "describe", "diff-files"),
    *("diff-index", "diff-tree", "fetch", "for-each-ref", "fsck", "gc", "grep", "hash-object"),
    *("help", "hook", "init", "interpret-trailers", "ls-files", "ls-remote", "ls-tree"),
    *("maintenance", "merge-base", "merge-tree", "mktree", "name-rev", "notes", "pack-refs"),
    *("prune", "push", "range-diff", "reflog", "remote", "replace", "rerere", "rev-list"),
    *("rev-parse", "shortlog", "show-branch", "show-ref", "stage", "status", "stripspace"),
    *("symbolic-ref", "tag", "update-index", "update-ref", "var", "verify-commit", "verify-tag"),
    *("version", "whatchanged", "write-tree", "--version", "--help", "check-attr"),
)
SUBCOMMANDS: dict[str, Command] = {
    **dict.fromkeys(NOTHING, _nothing),
    **dict.fromkeys(("diff", "log", "show"), _output),
    "apply": _apply,
    "archive": _archive,
    "checkout": _checkout,
    "clean": _clean,
    "clone": _clone,
    "mv": _moved,
    "reset": _reset,
    "restore": _restore,
    "rm": _removed,
    "stash": _stash,
    "submodule": _submodule,
    "switch": _switch,
    "worktree": _worktree,
}


def _git(call: Call) -> None:
    """Read ``git``: a subcommand that is not known, such as an alias, is undecided."""
    args, state = call.args, call.state.copy()
    index = 0
    aliases: dict[str, str] = {}
    while index < len(args):
        word = args[index]
        if word is None or not word.startswith("-") or word in ("--version", "--help"):
            break
        flag, _, attached = word.partition("=")
        value: Field = attached
        index += 1
        if word in GLOBAL_VALUES:
            value = args[index] if index < len(args) else ""
            index += 1
        if flag == "-C" or flag == "--work-tree":
            state.cwd = state.resolve(value) if value is not None else None
        elif word == "-c" and value is not None and value.startswith("alias."):
            name, _, text = value[6:].partition("=")
            aliases[name] = text
    if index >= len(args):
        return
    verb = args[index] or ""
    call.state, call.args = state, args[index + 1 :]
    if verb in aliases:
        text = aliases[verb]
        call.shell(text[1:] if text.startswith("!") else f"git {text}")
        return
    SUBCOMMANDS.get(verb, _unknown)(call)


GIT: dict[str, Reader] = {"git": _git}
