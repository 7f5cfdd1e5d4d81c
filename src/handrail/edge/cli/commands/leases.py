"""``claim``, ``renew``, ``release``."""

from __future__ import annotations

import os

from handrail import errors
from handrail.core.lease import check_ttl
from handrail.core.ledger import format_token
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import say
from handrail.edge.render import count, granted_data, lease_data, span
from handrail.edge.reply import Reply
from handrail.service.leases import Asked, Granted
from handrail.text import parse_duration_ms, rfc3339, visible


def asked_from(invocation: Invocation, scope: tuple[str, ...]) -> Asked:
    """Read a claim's options; raises MalformedTtl."""
    ttl_ms = invocation.duration_ms("ttl")
    return Asked(
        scope=scope,
        ttl_ms=None if ttl_ms is None else check_ttl(ttl_ms),
        role=invocation.text("role"),
        shared=invocation.flag("shared"),
        request_id=invocation.text("request_id"),
        adopt=invocation.flag("adopt"),
    )


def claim(invocation: Invocation) -> Reply:
    """Claim a scope."""
    scope = invocation.words("scope")
    if not scope:
        raise errors.Usage(reason="Name at least one scope.", next="handrail claim --help")
    asked = asked_from(invocation, scope)
    dry_run = invocation.flag("dry_run")
    if invocation.text("wait") is not None and not dry_run:
        granted = wait_for(invocation, asked)
    else:
        granted = invocation.application.leases.claim(asked, dry_run=dry_run)
    data = granted_data(granted)
    if dry_run:
        data = {**data, "token": None, "dry_run": True}
        return Reply(data, f"would be granted: {_words(granted.scope)}")
    verb = "renewed" if granted.renewed else "granted"
    left = span(granted.expires_at - granted.trusted_until)
    text = (
        f"{verb} {granted.token}  {_words(granted.scope)}  ({granted.kind}, until "
        f"{rfc3339(granted.expires_at)}; trust it until {left} before)"
    )
    return Reply(data, text, (*_notices(granted), *_elsewhere(invocation, scope)))


def wait_for(invocation: Invocation, asked: Asked) -> Granted:
    """Claim and wait, telling on stderr what for."""
    wait = invocation.text("wait") or ""
    wait_ms = parse_duration_ms(wait) if wait else None
    if wait and wait_ms is None:
        raise errors.MalformedTtl(ttl=wait, reason="write it like 90m, 1h30m or 45s")
    told = ""

    def on_wait(refusal: errors.Refused, place: int) -> None:
        nonlocal told
        line = f"waiting, number {place} in line: {refusal.message}"
        if line != told and not invocation.flag("quiet"):
            say(line)
        told = line

    return invocation.application.leases.claim_waiting(asked, wait_ms=wait_ms, on_wait=on_wait)


def renew(invocation: Invocation) -> Reply:
    """Renew leases."""
    renewed = invocation.application.leases.renew(
        invocation.words("token"), invocation.duration_ms("ttl")
    )
    lines = [
        f"renewed {lease.token}  {_words(lease.scope)}  until {rfc3339(lease.expires_at)}"
        for lease in renewed
    ]
    return Reply({"renewed": [granted_data(lease) for lease in renewed]}, "\n".join(lines))


def release(invocation: Invocation) -> Reply:
    """Release leases."""
    dry_run = invocation.flag("dry_run")
    done = invocation.application.leases.release(
        invocation.words("name"), everything=invocation.flag("everything"), dry_run=dry_run
    )
    verb = "would release" if dry_run else "released"
    lines = [
        f"{verb} {format_token(done.epoch, lease.token)}  {_words(lease.scope)}"
        for lease in done.released
    ]
    lines += [f"ended before: {token}" for token in done.gone]
    data: dict[str, object] = {
        "released": [lease_data(lease, done.epoch) for lease in done.released],
        "ended_before": list(done.gone),
    }
    if dry_run:
        data["dry_run"] = True
    if done.left:
        data["left"] = list(done.left)
        lines.append(f"unfinished work is still yours: {_words(done.left[:8])}")
    return Reply(data, "\n".join(lines) or f"{count(0, 'lease')} to release")


def _elsewhere(invocation: Invocation, scope: tuple[str, ...]) -> tuple[str, ...]:
    """Tell who typed a path as seen from a subfolder that scopes begin at the root."""
    root, folder = invocation.application.place.toplevel, invocation.directory
    if folder == root:
        return ()
    inside = os.path.relpath(os.path.realpath(folder), os.path.realpath(root))
    return tuple(
        f"note: scopes begin at the repository's root; did you mean {visible(meant)}?"
        for text in scope
        if not os.path.lexists(os.path.join(root, text))
        and os.path.lexists(os.path.join(folder, text))
        and (meant := os.path.join(inside, text))
    )


def _words(scope: tuple[str, ...]) -> str:
    return " ".join(visible(text) for text in scope)


def _notices(granted: Granted) -> tuple[str, ...]:
    if not granted.beside:
        return ()
    tokens = ", ".join(granted.beside)
    return (f"notice: parallel_edit: also held locally in another working tree: {tokens}",)
