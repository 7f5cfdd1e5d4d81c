"""One command with its arguments, as the tables of ``handrail.edge.shell.commands`` see it.

Arguments are fields: a string, or None where it could not be told. A reader of a command notes what
it writes, and gives what it prints where that is known, for the next command of a pipe.

    >>> split(["-ri", "--suffix=~", "a", "b"], "", ("--suffix",))
    Options(flags=(('-r', ''), ('-i', ''), ('--suffix', '~')), operands=['a', 'b'])
"""

from __future__ import annotations

from handrail.core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail.edge.shell.state import Field, Fields, State
    from handrail.edge.shell.writes import Found

    Reader = Callable[["Call"], "str | None"]
    Run = Callable[[Fields, State, str | None, "Call"], str | None]
    Shell = Callable[[str, State, int], None]

__all__ = ["Call", "Options", "split"]


class Options(Record):
    """Flags with their values in the order given, and what is no flag."""

    flags: tuple[tuple[str, Field], ...]
    operands: Fields

    def has(self, *names: str) -> bool:
        """Say whether one of ``names`` was given; a long one may be cut short."""
        return any(_is(flag, name) for flag, _ in self.flags for name in names)

    def value(self, *names: str) -> Field:
        """Give the last value of one of ``names``; None if it was not given or not known."""
        for flag, value in reversed(self.flags):
            if any(_is(flag, name) for name in names):
                return value
        return None


def _is(flag: str, name: str) -> bool:
    return flag == name or (len(flag) > 3 and flag.startswith("--") and name.startswith(flag))


def split(
    args: Fields, values: str = "", longs: tuple[str, ...] = (), *, stop: bool = False
) -> Options:
    """Tell flags from operands as getopt does.

    ``values`` are the letters, ``longs`` the long flags that take a value; with ``stop``, whatever
    stands behind the first operand is an operand.
    """
    flags: list[tuple[str, Field]] = []
    operands: Fields = []
    index = 0
    while index < len(args):
        word = args[index]
        index += 1
        if word is None or len(word) < 2 or word[0] != "-":
            operands.append(word)
            if stop:
                break
        elif word == "--":
            break
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            given: Field = value
            if not equals and any(_is(name, long) for long in longs):
                given = args[index] if index < len(args) else ""
                index += 1
            flags.append((name, given))
        else:
            index += _letters(word, args[index : index + 1], values, flags)
    return Options(tuple(flags), [*operands, *args[index:]])


def _letters(word: str, following: Fields, values: str, flags: list[tuple[str, Field]]) -> int:
    """Take a cluster of short flags apart; give how many of ``following`` it used."""
    for at, letter in enumerate(word[1:], 1):
        if letter not in values:
            flags.append((f"-{letter}", ""))
            continue
        rest = word[at + 1 :]
        flags.append((f"-{letter}", rest or (following[0] if following else "")))
        return 0 if rest else 1
    return 0


class Call:
    """A command that is about to be read."""

    __slots__ = ("_run", "_shell", "args", "depth", "found", "name", "piped", "state", "stdin")

    def __init__(
        self,
        name: str,
        args: Fields,
        state: State,
        found: Found,
        stdin: str | None,
        piped: bool,
        depth: int,
        run: Run,
        shell: Shell,
    ) -> None:
        self.name = name
        self.args = args
        self.state = state
        self.found = found
        self.stdin = stdin
        self.piped = piped  # somebody reads what it prints
        self.depth = depth
        self._run = run
        self._shell = shell

    def write(self, path: Field, below: bool = False) -> None:
        """Note that ``path`` is written."""
        whole = self.state.resolve(path) if path is not None else None
        if whole is not None:
            self.found.write(whole, below)
        elif path != "":
            self.found.undecided += 1

    def undecided(self) -> None:
        """Note a write whose path cannot be told."""
        self.found.undecided += 1

    def run(
        self, fields: Fields, state: State | None = None, stdin: str | None = None
    ) -> str | None:
        """Read another command in the place of this one."""
        given = self.stdin if stdin is None else stdin
        return self._run(fields, state or self.state, given, self)

    def shell(self, source: Field, state: State | None = None) -> None:
        """Read ``source`` as a shell would."""
        if source is None:
            self.undecided()
        else:
            self._shell(source, state or self.state, self.depth + 1)
