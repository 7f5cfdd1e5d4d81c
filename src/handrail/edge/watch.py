"""The board, live: redrawn when the store changes and each second, until a key or Ctrl-C."""

from __future__ import annotations

import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from handrail.edge.cli.commands.board import HEADINGS, status_heading, status_rows, status_tasks
from handrail.edge.render import span
from handrail.service.board import Board, Status
from handrail.store.port import Store
from handrail.text import visible

TICK_S: Final = 0.2
REDRAW_S: Final = 1.0
QUIT_KEYS: Final = ("q", "Q", "\x1b", "\x03", "")


def watch(board: Board, store: Store) -> None:
    """Show the board until somebody presses q."""
    console = Console()
    with (
        _keys(),
        Live(draw(board.status()), console=console, screen=True, auto_refresh=False) as live,
    ):
        version, drawn, told = store.version(), time.monotonic(), store.listen()
        live.refresh()
        # What is told is listened to after a tick: a busy store is drawn five times a second.
        while _key(TICK_S, told if time.monotonic() - drawn > TICK_S else None) not in QUIT_KEYS:
            heard = told is not None and _can_be_read(told)
            if heard:
                store.wait(0)
            late = time.monotonic() - drawn > REDRAW_S
            # Who is told of changes need not ask for them.
            if heard or late or (told is None and store.version() != version):
                version, drawn = store.version(), time.monotonic()
                live.update(draw(board.status()), refresh=True)
                told = store.listen()


def draw(found: Status) -> Group:
    """Return the board as rich draws it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold", no_wrap=heading in ("TOKEN", "LEFT", "KIND"))
    for row, lease in zip(status_rows(found), _ordered(found), strict=True):
        mine = lease == found.mine
        table.add_row(*(Text(visible(cell)) for cell in row), style="bold" if mine else "")
    parts = [Text(status_heading(found), style="bold"), Text("")]
    if found.config != "same":
        parts.append(Text(f"handrail.toml: {found.config}", style="yellow"))
    waiting = [
        Text(
            f"waiting {number}: {' '.join(visible(p.text) for p in waiter.patterns)}"
            f"  {waiter.session}, since {span(found.now - waiter.since)}"
        )
        for number, waiter in enumerate(found.waiters, 1)
    ]
    body = table if found.leases else Text("nobody holds anything")
    tasks = [Text(line) for line in status_tasks(found)]
    return Group(*parts, body, Text(""), *waiting, *tasks, Text("q quits", style="dim"))


def _ordered(found: Status) -> list[str]:
    leases = sorted(found.leases, key=lambda lease: (lease.session != found.mine, lease.token))
    return [lease.session for lease in leases]


@contextmanager
def _keys() -> Iterator[None]:
    """Read single keys without echo while the board is up."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _key(seconds: float, told: int | None) -> str | None:
    """Return a key pressed within the time, None if none was, or something was told before."""
    keys = [sys.stdin] if sys.stdin.isatty() else []
    ready, _, _ = select.select([*keys, *([] if told is None else [told])], [], [], seconds)
    return sys.stdin.read(1) if sys.stdin in ready else None


def _can_be_read(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])
