"""Commands that run others over files they find: ``find`` and ``xargs``.

``find`` is walked like the real one, for the tests that only look at names and kinds. With any
other test, or where there is too much to walk, what it would do cannot be told; a plain
``-delete`` needs no walk.
"""

from __future__ import annotations

from handrail.edge.shell.call import Call
from handrail.edge.shell.commands.wrappers import peeled
from handrail.edge.shell.folders import matches, pattern, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail.edge.shell.call import Reader
    from handrail.edge.shell.state import Field, Fields

    Test = Callable[[str, str, bool], bool]

__all__ = ["SEARCH"]

RUNS = ("-exec", "-execdir", "-ok", "-okdir")
PRINTS = {"-fprint": 1, "-fprint0": 1, "-fls": 1, "-fprintf": 2}
IGNORED = frozenset({"-print", "-print0", "-depth", "-mount", "-xdev", "-a", "-and", "-follow"})
DEPTHS = ("-maxdepth", "-mindepth")
MATCHES_MAX = 2_000


class _Search:
    """One ``find``: where it looks, what it asks, what it does."""

    def __init__(self, call: Call) -> None:
        self.call = call
        args = call.args
        index = 0
        while index < len(args) and args[index] in ("-H", "-L", "-P"):
            index += 1
        self.roots: Fields = []
        while index < len(args) and not (args[index] or "x").startswith(("-", "(", "!")):
            self.roots.append(args[index])
            index += 1
        self.roots = self.roots or ["."]
        self.rest = args[index:]
        self.tests: list[Test] | None = []
        self.runs: list[tuple[str, Fields, bool]] = []
        self.deletes = False
        self.depth = {"-mindepth": 0, "-maxdepth": 100}
        self.read()

    def read(self) -> None:
        """Read the expression."""
        rest, negated = self.rest, False
        index = 0
        while index < len(rest):
            word = rest[index]
            argument = rest[index + 1] if index + 1 < len(rest) else None
            index += 1
            if word in RUNS:
                index = self.command(word or "", index)
            elif word == "-delete":
                self.deletes = True
            elif word in PRINTS:
                self.call.write(argument)
                index += PRINTS[word or ""]
            elif word in DEPTHS and argument is not None and argument.isdigit():
                self.depth[word or ""] = min(int(argument[:6]), 100)
                index += 1
            elif word in ("!", "-not"):
                negated = True
                continue
            elif word not in IGNORED:
                test = _test(word, argument, negated)
                if test is None:
                    self.tests = None
                else:
                    self.tests = None if self.tests is None else [*self.tests, test]
                    index += 1
            negated = False

    def command(self, word: str, index: int) -> int:
        """Read what ``-exec`` runs, up to ``;`` or ``+``."""
        end = index
        while end < len(self.rest) and self.rest[end] not in (";", "+"):
            end += 1
        together = self.rest[end : end + 1] == ["+"]
        self.runs.append((word, self.rest[index:end], together))
        return end + 1

    def found(self) -> Fields | None:
        """Walk; None where it cannot be told what is found."""
        if self.tests is None:
            return None
        out: Fields = []
        for root in self.roots:
            whole = self.call.state.resolve(root) if root is not None else None
            if whole is None or root is None:
                return None
            if not self.call.state.is_folder(root):
                entries = [(root, root.rpartition("/")[2], False, 0)]
                entries = entries if self.call.state.exists(root) else []
            else:
                walked = walk(whole, root, self.depth["-maxdepth"])
                if walked is None:
                    return None
                entries = walked
            for path, name, is_folder, depth in entries:
                fits = all(test(path, name, is_folder) for test in self.tests)
                if fits and depth >= self.depth["-mindepth"]:
                    out.append(path)
        return out if len(out) <= MATCHES_MAX else None

    def act(self) -> str | None:
        """Do to each path found what the expression says."""
        call = self.call
        if self.deletes and self.tests == [] and self.depth["-maxdepth"] == 100:
            for root in self.roots:
                call.write(root, below=True)
            if not self.runs:
                return None
        elif not self.deletes and not self.runs:
            found = self.found() if call.piped else None
            return None if found is None else "\n".join(path or "" for path in found) + "\n"
        found = self.found()
        for path in (found if found is not None else [None]) if self.deletes else ():
            call.write(path)
        for word, command, together in self.runs:
            self.run(word, command, together, found)
        return None

    def run(self, word: str, command: Fields, together: bool, found: Fields | None) -> None:
        """Read what is run, once for all paths or once for each."""
        if found is None:
            self.call.run(_filled(command, [None]), stdin="")
        elif together:
            self.call.run(_filled(command, found), stdin="")
        else:
            for path in found:
                state = self.call.state
                spelt = path
                if word.endswith("dir") and path is not None:
                    state = state.copy()
                    folder, _, name = path.rpartition("/")
                    state.cwd = state.resolve(folder or ".")
                    spelt = f"./{name}"
                self.call.run(_filled(command, [spelt]), state, stdin="")


def _filled(command: Fields, paths: Fields) -> Fields:
    """Put ``paths`` in the place of ``{}``."""
    out: Fields = []
    for word in command:
        if word == "{}":
            out.extend(paths)
        elif word is not None and "{}" in word:
            out.extend(None if path is None else word.replace("{}", path) for path in paths)
        else:
            out.append(word)
    return out


def _test(word: Field, argument: Field, negated: bool) -> Test | None:
    """Make the test that ``word`` stands for; None for one that is not known here."""
    if argument is None:
        return None
    if word == "-type" and argument in ("f", "d"):
        return lambda _path, _name, is_folder: (is_folder == (argument == "d")) != negated
    folded = word in ("-iname", "-ipath", "-iwholename")
    parts = pattern(argument.lower() if folded else argument)
    if word in ("-name", "-iname"):
        return lambda _path, name, _: matches(parts, name.lower() if folded else name) != negated
    if word in ("-path", "-wholename", "-ipath", "-iwholename"):
        return lambda path, _name, _: matches(parts, path.lower() if folded else path) != negated
    return None


def _find(call: Call) -> str | None:
    """Read ``find``."""
    return _Search(call).act()


def _xargs(call: Call) -> None:
    """Read ``xargs``: over the words that the command before it prints, if they are known."""
    longs = ("--max-args", "--max-procs", "--replace", "--delimiter", "--arg-file")
    command = peeled(call.args, "nPIdaELs", longs)
    flags = call.args[: len(call.args) - len(command)]
    replaced: Field = None
    for index, word in enumerate(flags):
        if word is not None and word.startswith("-I"):
            replaced = word[2:] or flags[index + 1] if index + 1 < len(flags) else word[2:]
        elif word in ("-i", "--replace"):
            replaced = "{}"
    given: Fields = [None]
    if call.stdin is not None:
        given = [*(call.stdin.splitlines() if replaced else call.stdin.split())]
    if not command:
        return
    if not replaced:
        call.run([*command, *given], stdin="")
        return
    for value in given[:MATCHES_MAX]:
        filled = [
            (None if value is None else word.replace(replaced, value))
            if word is not None and replaced in word
            else word
            for word in command
        ]
        call.run(filled, stdin="")


def _parallel(call: Call) -> None:
    """Read ``parallel``: its own ways of filling in arguments are not read."""
    call.run([*peeled(call.args, "jnNI")[:1], None], stdin="")


SEARCH: dict[str, Reader] = {"find": _find, "xargs": _xargs, "parallel": _parallel}
