"""What databases want said in their own words; all else is said once, for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.typed import Protocol

Bounds = tuple[str | bytes, ...]


class Dialect(Protocol):
    """Statements with ``?`` for values, and the values that belong to their bounds."""

    @property
    def paths_hash(self) -> str:
        """What the hash of an attestation's paths is found by, as its index has it."""

    def near(self, points: int, below: str) -> tuple[str, Bounds]:
        """Ask for the leases at so many anchors, then for all below one, each by (anchor, token).

        The values of the anchors come first.
        """

    def below(self, below: str) -> tuple[str, Bounds]:
        """Say what is true of ``anchor`` strictly below one."""

    def putting(self, table: str, row: Sequence[object]) -> str:
        """Add a row, or put it in place of the one with the same key."""
