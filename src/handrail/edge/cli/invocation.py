"""One invocation of a command: its values, its common options, and the application it acts on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from handrail.errors import MalformedTtl, Usage
from handrail.text import parse_duration_ms
from handrail.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.wiring import Application

Value = str | bool | tuple[str, ...] | None


class Invocation:
    """What was typed, parsed; the application is opened when it is first asked for."""

    def __init__(self, path: str, values: Mapping[str, Value]) -> None:
        self.path = path
        self._values = values
        self._application: Application | None = None

    def flag(self, name: str) -> bool:
        """Return whether a flag was given."""
        return bool(self._values.get(name))

    def text(self, name: str) -> str | None:
        """Return an option's or argument's text, None if it was not given."""
        value = self._values.get(name)
        return value if isinstance(value, str) else None

    def words(self, name: str) -> tuple[str, ...]:
        """Return what may be repeated."""
        value = self._values.get(name)
        return value if isinstance(value, tuple) else ()

    def duration_ms(self, name: str) -> int | None:
        """Return a duration in milliseconds; raises MalformedTtl."""
        text = self.text(name)
        if text is None:
            return None
        ms = parse_duration_ms(text)
        if ms is None:
            raise MalformedTtl(ttl=text, reason="write it like 90m, 1h30m or 45s")
        return ms

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        """Return a whole number within bounds; raises Usage."""
        text = self.text(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 18):
            raise Usage(
                reason=f"{text.strip() or repr(text)} is no number.",
                next=f"handrail {self.path} --help",
            )
        if not low <= int(text) <= high:
            reason = f"{text} is not between {low} and {high}."
            raise Usage(reason=reason, next=f"handrail {self.path} --help")
        return int(text)

    @property
    def directory(self) -> str:
        """The folder to act in; raises Usage if it cannot be entered."""
        folder = self.text("directory") or "."
        try:
            return os.path.abspath(folder)
        except (OSError, ValueError) as error:
            reason = f"The current folder cannot be read: {getattr(error, 'strerror', error)}."
            raise Usage(reason=reason, next="cd") from error

    def file(self, name: str) -> str | None:
        """Return a file's path, seen from the folder to act in; None if it was not given."""
        text = self.text(name)
        return text if text is None else os.path.join(self.directory, text)

    @property
    def application(self) -> Application:
        """The repository and its store."""
        if self._application is None:
            from handrail.wiring import Application

            folder = self.directory
            if not os.path.isdir(folder):
                raise Usage(reason=f"{folder} is no folder.", next=f"handrail {self.path} --help")
            self._application = Application.open(folder, os.environ, terminal=at_terminal())
        return self._application

    def surroundings(self) -> str:
        """Say for ``--verbose`` where the command worked."""
        if self._application is None:
            return "no repository was opened"
        place, caller = self._application.place, self._application.caller
        return (
            f"working tree {place.toplevel}, store {self._application.ground.store_path()},"
            f" session {caller.session or 'none'}"
        )

    def close(self) -> None:
        """Give everything back."""
        if self._application is not None:
            self._application.close()


def at_terminal() -> bool:
    """Tell whether a person could be typing: stdin and stderr are a terminal."""
    try:
        return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())
    except ValueError:
        return False
