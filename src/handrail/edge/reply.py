"""What a command answers: data for programs, text for people, talk for stderr."""

from __future__ import annotations

from handrail.core.record import Record

Data = dict[str, object]


class Reply(Record):
    """One answer: ``data`` for ``--json``, else ``text`` to stdout and ``notes`` to stderr."""

    data: Data
    text: str = ""
    notes: tuple[str, ...] = ()
    status: int = 0
