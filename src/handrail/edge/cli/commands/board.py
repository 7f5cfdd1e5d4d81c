"""``status`` and ``why``."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from handrail.core.ledger import format_head, format_token
from handrail.core.task import Task
from handrail.edge.cli.invocation import Invocation
from handrail.edge.phases import phase_data, phase_lines
from handrail.edge.render import count, lease_data, session_data, span, table
from handrail.edge.reply import Data, Reply
from handrail.errors import Usage
from handrail.service.board import Board, Status
from handrail.text import rfc3339, visible

HEADINGS = ("TOKEN", "HOLDER", "ROLE", "SESSION", "KIND", "LEFT", "SCOPE")


def status(invocation: Invocation) -> Reply:
    """Show the board, once or live."""
    board = Board(invocation.application.context)
    if invocation.flag("watch"):
        if invocation.flag("json") or not sys.stdout.isatty():
            raise Usage(reason="--watch needs a terminal.", next="handrail status --json")
        from handrail.edge.watch import watch

        with suppress(KeyboardInterrupt):  # Ctrl-C is one of the keys that quit
            watch(board, invocation.application.store)
        return Reply({})
    found = board.status()
    return Reply(status_data(found), status_text(found))


def status_data(found: Status) -> Data:
    """Return the board as data."""
    return {
        "workspace": found.workspace,
        "epoch": found.epoch,
        "head": format_head(found.epoch, found.head),
        "now": rfc3339(found.now),
        "mode": found.mode,
        "paused_until": None if found.paused_until is None else rfc3339(found.paused_until),
        "config": found.config,
        "session": found.mine,
        "leases": [lease_data(lease, found.epoch) for lease in found.leases],
        "waiting": [
            {
                "session": waiter.session,
                "scope": [pattern.text for pattern in waiter.patterns],
                "kind": waiter.kind,
                "since": rfc3339(waiter.since),
            }
            for waiter in found.waiters
        ],
        "sessions": [session_data(session) for session in found.sessions],
        "tasks": [
            {"task": task.id, "session": task.holder, "role": task.role, **phase_data(task, waits)}
            for task, waits in found.tasks
        ],
        "unread": list(found.unread),
    }


def status_rows(found: Status) -> list[tuple[str, ...]]:
    """Return a row a lease, one's own first."""
    leases = sorted(found.leases, key=lambda lease: (lease.session != found.mine, lease.token))
    return [
        (
            format_token(found.epoch, lease.token),
            lease.agent,
            lease.role or "-",
            lease.session + (" (you)" if lease.session == found.mine else ""),
            lease.kind,
            span(lease.expires_at - found.now),
            " ".join(lease.scope),
        )
        for lease in leases
    ]


def status_heading(found: Status) -> str:
    """Return the line over the board."""
    off = ""
    if found.paused_until is not None:
        off = f", off for another {span(found.paused_until - found.now)}"
    return (
        f"{found.workspace}: {len(found.leases)} held, {len(found.waiters)} waiting,"
        f" {count(len(found.sessions), 'session')}, mode {found.mode}{off}"
    )


def status_text(found: Status) -> str:
    """Return the board as plain text."""
    lines = [status_heading(found)]
    if found.config != "same":
        wording = {"differs": "differs from", "missing": "is missing here; works under"}
        lines.append(f"handrail.toml {wording[found.config]} the configuration in force")
    rows = status_rows(found)
    lines += ["", table(HEADINGS, rows)] if rows else ["", "nobody holds anything"]
    for number, waiter in enumerate(found.waiters, 1):
        scope = " ".join(visible(pattern.text) for pattern in waiter.patterns)
        since = span(found.now - waiter.since)
        lines.append(f"waiting {number}: {scope}  session {waiter.session}, since {since}")
    lines += [f"you have to read {visible(path)} before you write" for path in found.unread]
    return "\n".join([*lines, *status_tasks(found)])


def status_tasks(found: Status) -> list[str]:
    """Return a line for each open task: who is at it, and in which phase."""
    return [
        f"task {task.id}: {'; '.join((_at(task), *phase_lines(task, waits)))}"
        for task, waits in found.tasks
    ]


def _at(task: Task) -> str:
    if task.holder is None:
        return "with nobody yet"
    return f"with session {task.holder} (role {task.role or '-'})"


def why(invocation: Invocation) -> Reply:
    """Say who stands in the way of a path."""
    application = invocation.application
    path = relative_path(
        application.place.toplevel, invocation.directory, invocation.text("target") or ""
    )
    if path is None:
        text = "outside the workspace: Handrail has no say there"
        return Reply({"path": invocation.text("target"), "verdict": "outside"}, text)
    found = Board(application.context).why(path)
    data: Data = {
        "path": found.path,
        "verdict": found.verdict,
        "reason": found.reason,
        "lanes": list(found.roles),
        "leases": [lease_data(lease, found.epoch) for lease in found.leases],
        "session": found.session,
        "next": found.next,
    }
    lines = [f"{found.verdict}: {found.reason}", f"  lane of: {', '.join(found.roles) or 'nobody'}"]
    lines += [
        f"  held: {format_token(found.epoch, lease.token)}  {' '.join(lease.scope)}"
        f"  by {lease.agent} (session {lease.session}, {lease.kind},"
        f" until {rfc3339(lease.expires_at)})"
        for lease in found.leases
    ]
    if found.next:
        lines.append(f"  next: {found.next}")
    return Reply(data, "\n".join(lines))


def relative_path(toplevel: str, folder: str, path: str) -> str | None:
    """Return ``path``, seen from ``folder``, relative to the working tree; None outside of it.

    Folders on the way are resolved, the last part is not: git tracks a link, not its target.
    """
    if not path or "\0" in path:
        raise Usage(reason="Name a path.", next="handrail why --help")
    whole = os.path.join(folder, path)
    parent = os.path.realpath(os.path.dirname(whole.rstrip("/") or "/"))
    resolved = os.path.normpath(os.path.join(parent, os.path.basename(whole.rstrip("/"))))
    root = os.path.realpath(toplevel)
    if resolved == root:
        reason = "That is the whole working tree; name a path in it."
        raise Usage(reason=reason, next="handrail status")
    if not resolved.startswith(root.rstrip("/") + "/"):
        return None
    return resolved[len(root.rstrip("/")) + 1 :]
