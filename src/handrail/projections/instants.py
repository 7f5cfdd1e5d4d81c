"""Instants as the originals write them: ISO 8601 in UTC with microseconds and ``Z``.

Promise: whatever was written comes back as the same millisecond; what is no instant is None.

    >>> micros(1_772_355_600_000), instant_ms("2026-03-01T10:00:00+01:00")
    ('2026-03-01T09:00:00.000000Z', 1772355600000)
"""

from __future__ import annotations

from typing import Final

from handrail.text import rfc3339

INSTANT_CHARS_MAX: Final = 64


def micros(at_ms: int) -> str:
    """Write milliseconds since 1970 with six digits of fractions."""
    return rfc3339(at_ms).removesuffix("Z") + "000Z"


def instant_ms(text: object) -> int | None:
    """Read an instant in milliseconds since 1970; without a zone it is UTC; None if it is none."""
    from datetime import UTC, datetime, timedelta

    if not isinstance(text, str) or not 10 <= len(text) <= INSTANT_CHARS_MAX:
        return None
    try:
        when = datetime.fromisoformat(text.strip())
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
