"""Where a line stands while it is read: folder, variables, functions, what it made so far.

Nothing is run. What cannot be known is ``None``: a folder after ``cd "$X"``, a variable that a
program fills. Two ways that meet again keep what they agree on.

    >>> state = State("/repository", "/home/ada", {"X": "src"})
    >>> state.resolve("src/../a.py")
    '/repository/src/../a.py'
"""

from __future__ import annotations

from posix import lstat, stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Field = str | None
    Fields = list[Field]
    Value = str | tuple[Field, ...] | None
    Function = Callable[["State"], None]

__all__ = ["State"]

FOLDER_TYPE = 0o040000
TYPE_MASK = 0o170000


class State:
    """What is known at one point of a line."""

    __slots__ = ("arguments", "cwd", "folders", "functions", "home", "made", "variables")

    def __init__(self, cwd: str | None, home: str, variables: Mapping[str, Value]) -> None:
        self.cwd = cwd
        self.home = home
        self.variables: dict[str, Value] = dict(variables)
        self.functions: dict[str, Function] = {}
        self.arguments: tuple[Field, ...] | None = None
        self.made: set[str] = set()
        self.folders: list[Field] = []

    def copy(self) -> State:
        """Give a state of its own to what runs beside: what it changes stays there."""
        other = State(self.cwd, self.home, self.variables)
        other.functions = dict(self.functions)
        other.arguments = self.arguments
        other.made = self.made
        other.folders = list(self.folders)
        return other

    def join(self, *others: State) -> None:
        """Keep what this way and ``others`` agree on."""
        for other in others:
            for name in self.variables.keys() | other.variables.keys():
                if self.variables.get(name) != other.variables.get(name):
                    self.variables[name] = None
            if self.cwd != other.cwd:
                self.cwd = None
            self.functions.update(other.functions)

    def forget(self, names: Iterable[str]) -> None:
        """Take the value of each of ``names`` as unknown."""
        for name in names:
            self.variables[name] = None

    def resolve(self, path: str) -> str | None:
        """Make a path absolute; None where the folder is not known, or the path is none."""
        if path.startswith("/"):
            return path
        return f"{self.cwd}/{path}" if self.cwd is not None and path else None

    def is_folder(self, path: Field) -> bool:
        """Say whether ``path`` is a folder now, or one that the line makes."""
        whole = self.resolve(path) if path is not None else None
        if whole is None:
            return False
        if whole.rstrip("/") in self.made:
            return True
        try:
            return stat(whole).st_mode & TYPE_MASK == FOLDER_TYPE
        except (OSError, ValueError):
            return False

    def exists(self, path: Field) -> bool:
        """Say whether something stands at ``path`` now."""
        whole = self.resolve(path) if path is not None else None
        try:
            return whole is not None and bool(lstat(whole))
        except (OSError, ValueError):
            return False
