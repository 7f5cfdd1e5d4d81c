"""Telling what happens, line by line, so that a newcomer understands it in one reading.

ann   $ handrail claim src/api            granted, token 3fk2ap7q:12
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

WHO_CHARS: Final = 4
COMMAND_CHARS: Final = 34
_INDENT: Final = "   "
_STYLES: Final = {"bold": "1", "dim": "2", "red": "1;31", "green": "32", "cyan": "36"}


class Narrator:
    """Writes whole lines to ``write``; in colour and with signs only where the reader has them."""

    def __init__(
        self, write: Callable[[str], object], *, colour: bool = False, signs: bool = True
    ) -> None:
        self._write = write
        self._colour = colour
        self._kept, self._broken = ("✓", "✗") if signs else ("kept:", "BROKEN:")

    def text(self, *lines: str) -> None:
        """Tell something as it is."""
        for line in lines:
            self._write(line + "\n")

    def title(self, number: int, promise: str) -> None:
        """Open a scene with what is promised."""
        self.text("", self._styled("bold", f"{number}  {promise}"))

    def aside(self, *lines: str) -> None:
        """Explain a word, or tell what nobody typed."""
        self.text(*(_INDENT + line for line in lines))

    def act(self, who: str, command: str, outcome: str = "") -> None:
        """Tell who typed what and what came of it."""
        name = self._styled("cyan", who.ljust(WHO_CHARS))
        said = f"{command.ljust(COMMAND_CHARS)}  {outcome}" if outcome else command
        self.text(f"{_INDENT}{name}  {said}")

    def output(self, text: str) -> None:
        """Show what a command printed."""
        self.text(*(self._styled("dim", f"{_INDENT}{line}".rstrip()) for line in text.splitlines()))

    def kept(self, sentence: str) -> None:
        """Close a scene whose promise held."""
        self.text(f"{_INDENT}{self._styled('green', self._kept)} {sentence}")

    def broken(self, sentence: str) -> None:
        """Close a scene whose promise did not hold."""
        self.text(f"{_INDENT}{self._styled('red', self._broken)} {sentence}")

    def verdict(self, sentence: str, *, kept: bool) -> None:
        """Close the demo."""
        self.text("", self._styled("bold" if kept else "red", sentence))

    def _styled(self, style: str, text: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour else text
