"""``session start``, ``end``, ``list``, ``show``, ``role``."""

from __future__ import annotations

from handrail.core.ledger import format_token
from handrail.edge.cli.invocation import Invocation
from handrail.edge.render import count, lease_data, session_data, span, table
from handrail.edge.reply import Data, Reply
from handrail.service.sessions import Sessions, Shown
from handrail.text import shell_quote, visible


def start(invocation: Invocation) -> Reply:
    """Start a session."""
    started = Sessions(invocation.application.context).start(
        id=invocation.text("id"), agent=invocation.text("agent"), role=invocation.text("role")
    )
    session = started.session
    text = f"export HANDRAIL_SESSION={shell_quote(session.id)}\nunset HANDRAIL_SECRET"
    verb = "resumed" if started.resumed else "started"
    note = f"{verb} session {session.id} (agent {session.agent}, role {session.role or '-'})"
    data: Data = {**session_data(session), "resumed": started.resumed}
    notes = [note]
    if started.unread:
        from handrail.edge.cli.commands.reading import left_note

        notes.append(left_note(started.unread))
    return Reply(data, text, tuple(notes))


def end(invocation: Invocation) -> Reply:
    """End a session."""
    ended = Sessions(invocation.application.context).end(
        invocation.text("id"), reason=invocation.text("reason") or "ended"
    )
    tokens = [format_token(ended.epoch, token) for token in ended.released]
    data: Data = {"session": ended.session.id, "released": list(tokens)}
    return Reply(data, f"ended session {ended.session.id}; released {count(len(tokens), 'lease')}")


def listed(invocation: Invocation) -> Reply:
    """List the live sessions."""
    shown = Sessions(invocation.application.context).all()
    rows = [
        (
            one.session.id,
            one.session.agent,
            one.session.role or "-",
            one.session.worktree,
            span(one.now - one.session.started_at),
            str(len(one.leases)),
        )
        for one in shown
    ]
    text = table(("SESSION", "AGENT", "ROLE", "WORKTREE", "AGE", "LEASES"), rows)
    data: Data = {"sessions": [_shown_data(one) for one in shown]}
    return Reply(data, text if rows else "no live session")


def show(invocation: Invocation) -> Reply:
    """Show one session."""
    shown = Sessions(invocation.application.context).show(invocation.text("id"))
    session = shown.session
    state = "live" if session.live else "ended"
    who = f"agent {session.agent}, role {session.role or '-'}, working tree {session.worktree}"
    lines = [f"session {session.id} ({state}): {who}"]
    lines += [
        f"  {format_token(shown.epoch, lease.token)}  {' '.join(lease.scope)}"
        f"  ({lease.kind}, {span(lease.expires_at - shown.now)} left)"
        for lease in shown.leases
    ]
    lines += [f"  has to read {visible(path)} before it writes" for path in shown.unread]
    return Reply(_shown_data(shown), "\n".join(lines))


def role(invocation: Invocation) -> Reply:
    """Change a session's role."""
    sessions = Sessions(invocation.application.context)
    wanted, other = invocation.text("role") or "", invocation.text("id")
    reason = invocation.text("reason") or "not given"
    if other is None:
        session = sessions.change_role(wanted, reason)
    else:
        session = sessions.reset_role(other, wanted, reason)
    return Reply(session_data(session), f"session {session.id} acts as {session.role}")


def _shown_data(shown: Shown) -> Data:
    leases = [lease_data(lease, shown.epoch) for lease in shown.leases]
    return {**session_data(shown.session), "leases": leases, "unread": list(shown.unread)}
