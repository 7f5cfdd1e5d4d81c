"""The rule for an edit: what one holds may be written, what is free is claimed by the way.

Promises: all paths of one edit are one decision, granted together or refused; an edit of paths that
live leases of the session cover, none of them past half of its life, changes nothing (that is what
the guard looks up in ``may_write``); what is guarded is never granted, whatever is held.

    decide(view, Edit(session, ("src/a.py",), ttl_ms, "file", Looked()), now)   # [LeaseGranted(…)]
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail import errors
from handrail.core.decide.claim import decide_claim
from handrail.core.decide.view import Changes, Claim, Edit, Keep, NeedsFacts, Policy, View
from handrail.core.events import (
    Event,
    LeaseExpired,
    LeaseGranted,
    LeaseOrphaned,
    LeaseReleased,
    LeaseRenewed,
    Move,
    NoticeLeft,
    OrphanSettled,
)
from handrail.core.lease import LOCAL, Lease, Session, conflict, renew_at, renewed_expiry
from handrail.core.scope import Pattern, matches, parse_pattern
from handrail.core.scope.naming import scope_for
from handrail.core.state import left_of
from handrail.core.task import EVIDENCE
from handrail.text import shell_quote
from handrail.typed import Final, Literal

EDIT_PATHS_MAX: Final = 1_000
PARALLEL: Final = "parallel_edit"
CONFIG: Final = "handrail.toml"
SETTINGS: Final = (".claude/settings.json", ".claude/settings.local.json")

Guarded = Literal["git", "handrail", "configuration", "settings", "gate"]
_REASONS: Final[dict[Guarded, str]] = {
    "git": "it belongs to git, which has commands for it",
    "handrail": "it is how Handrail is started here, and only Handrail writes it",
    "configuration": "only a coordinator or a person changes the configuration",
    "settings": "it holds the entries by which Handrail is asked",
    "gate": "a gate protects it, and only a coordinator or a person changes it",
}

_COORDINATED: Final = ("configuration", "gate")


def guarded(path: str) -> Guarded | None:
    """Say what kind of guarded path this is, in any case of its letters; None if it is none."""
    plain = path.lower()
    first = plain.partition("/")[0]
    if ".git" in plain.split("/"):
        return "git"
    if first == ".handrail":
        return None if path.startswith(f"{EVIDENCE}/") else "handrail"
    if plain == CONFIG:
        return "configuration"
    return "settings" if plain in SETTINGS else None


def decide_edit(view: View, edit: Edit, now: int) -> Changes:
    """Let the session write the paths, or refuse them all; raises what a claim raises.

    Besides: GuardedPath, and NotHolder where nothing is claimed by itself.
    """
    if len(edit.paths) > EDIT_PATHS_MAX:
        raise errors.Usage(reason=f"An edit of more than {EDIT_PATHS_MAX} paths was asked for.")
    view = view._replace(leases=tuple(view.leases))
    for path in edit.paths:
        check_guarded(view.policy, edit, path)
    changes: list[Event | Move] = []
    wanted: list[Pattern] = []
    granted: list[Pattern] = []
    for path in dict.fromkeys(edit.paths):
        if is_exempt(view.policy, path) or any(matches(pattern, path) for pattern in granted):
            continue
        if view.duty is not None:
            check_duty(view, edit.session.id, path)
        own = own_cover(view.leases, edit.session.id, edit.session.worktree, path, now)
        try:
            step = _renewed(own, now) if own is not None else _claimed(view, edit, path, now)
        except NeedsFacts as lack:
            wanted += lack.patterns
            continue
        for change in step:
            if isinstance(change, LeaseGranted):
                granted += [parse_pattern(text) for text in change.patterns]
        changes += [change for change in step if change not in changes]
        view = moved_on(view, step)
    if wanted:
        raise NeedsFacts(wanted)
    return [*changes, *notices(view, edit.session.id, changes)]


def decide_keep(view: View, keep: Keep, now: int) -> Changes:
    """Renew what is live and past half of its life."""
    return [change for lease in keep.leases if lease.live(now) for change in _renewed(lease, now)]


def check_duty(view: View, session: str, path: str) -> None:
    """Refuse a path that a session's task does not let it write, though it may hold it."""
    if view.duty is not None and view.duty.session == session:
        from handrail.core.duty import check_write

        check_write(view.duty, path)


def check_guarded(policy: Policy, edit: Edit, path: str) -> None:
    """Refuse what is never granted; a coordinator may write what decides how work is judged."""
    kind = guarded_by(policy, path)
    role = policy.roles.get(edit.session.role or "")
    if kind is None or (kind == "settings" and edit.own_settings):
        return
    if kind in _COORDINATED and role is not None and role.coordinates:
        return
    leads = [name for name, one in policy.roles.items() if one.coordinates]
    step = f'eval "$(handrail session start --role {shell_quote(leads[0])})"' if leads else None
    if kind not in _COORDINATED:
        step = None
    raise errors.GuardedPath(path=path, kind=kind, reason=_REASONS[kind], next=step)


def check_judged_by(policy: Policy, session: Session, path: str) -> None:
    """Refuse to commit what decides how work is judged, whatever is held: a lease may be wide."""
    if guarded_by(policy, path) in _COORDINATED:
        check_guarded(policy, Edit(session, (path,), 0), path)


def guarded_by(policy: Policy, path: str) -> Guarded | None:
    """Say what kind of guarded path this is under a configuration, with what gates protect."""
    kind = guarded(path)
    if kind is None and any(matches(pattern, path) for pattern in policy.protected):
        return "gate"
    return kind


def is_exempt(policy: Policy, path: str) -> bool:
    """Tell whether a path needs no lease."""
    return any(matches(pattern, path) for pattern in policy.exempt)


def own_cover(
    leases: Sequence[Lease] | object, session: str, worktree: str, path: str, now: int
) -> Lease | None:
    """Return the session's own live lease over a path that lives longest."""
    assert isinstance(leases, tuple)
    found = [
        lease
        for lease in leases
        if (lease.session, lease.worktree) == (session, worktree)
        and lease.live(now)
        and any(matches(pattern, path) for pattern in lease.patterns)
    ]
    return max(found, key=lambda lease: (lease.expires_at, lease.token), default=None)


def moved_on(view: View, step: Changes) -> View:
    """Return the view after a step of the same decision, as far as unfinished work goes."""
    for change in step:
        match change:
            case LeaseExpired(token):
                dead = [lease for lease in view.leases if lease.token == token]
                left = [left_of(lease, None, view.head) for lease in dead]
                kept = tuple(lease for lease in view.leases if lease.token != token)
                view = view._replace(leases=kept, orphans=(*view.orphans, *left))
            case LeaseOrphaned(token, blobs):
                same = [
                    left_of(one, blobs, one.since) for one in view.orphans if one.token == token
                ]
                rest = [one for one in view.orphans if one.token != token]
                view = view._replace(orphans=(*rest, *same))
            case LeaseReleased(token) | OrphanSettled(token):
                kept_orphans = tuple(one for one in view.orphans if one.token != token)
                view = view._replace(orphans=kept_orphans)
            case _:
                pass
    return view


def notices(view: View, session: str, changes: Sequence[Event | Move]) -> Changes:
    """Tell both sides of every grant that stands beside somebody else's."""
    known = {lease.token: lease for lease in view.leases}
    told: Changes = []
    for change in changes:
        for token in change.beside if isinstance(change, LeaseGranted) else ():
            assert isinstance(change, LeaseGranted)
            other, paths = known[token].session, change.patterns
            told.append(NoticeLeft(session, PARALLEL, f"{other} {paths[0]}", other, paths))
            told.append(NoticeLeft(other, PARALLEL, f"{session} {paths[0]}", session, paths))
    return told


def _renewed(lease: Lease, now: int) -> Changes:
    if now < renew_at(lease):
        return []
    expires_at = renewed_expiry(lease, lease.ttl_ms, now)
    return [LeaseRenewed(lease.token, expires_at)] if expires_at > lease.expires_at else []


def _claimed(view: View, edit: Edit, path: str, now: int) -> Changes:
    """Claim what an edit of a path needs: what had run out, the folder, or just the file."""
    scope = scope_for(path)
    if edit.auto_claim == "off" or scope is None:
        raise errors.NotHolder(session=edit.session.id, scope=(path,), asked=(scope or path,))
    for wider in (*_run_out(view, edit, path, now), *_folder(view, edit, path, now)):
        try:
            return decide_claim(view, wider, now)
        except errors.Refused:
            continue
    return decide_claim(view, _automatic(edit, parse_pattern(scope), single=True), now)


def _automatic(edit: Edit, pattern: Pattern, *, single: bool = False) -> Claim:
    return Claim(
        session=edit.session,
        patterns=(pattern,),
        kind=LOCAL,
        ttl_ms=edit.ttl_ms,
        lasting=False,
        single=frozenset([pattern.text]) if single else frozenset(),
        looked=edit.looked,
    )


def _run_out(view: View, edit: Edit, path: str, now: int) -> list[Claim]:
    """Ask again for one's own newest lease over the path, if it ran out and nobody came since."""
    dead = [
        lease
        for lease in view.leases
        if (lease.session, lease.worktree) == (edit.session.id, edit.session.worktree)
        and not lease.live(now)
        and any(matches(pattern, path) for pattern in lease.patterns)
    ]
    return [
        Claim(
            session=edit.session,
            patterns=lease.patterns,
            kind=lease.kind,
            ttl_ms=lease.ttl_ms,
            lasting=lease.lasting,
            single=frozenset(pattern.text for pattern in lease.patterns if pattern.is_literal),
            looked=edit.looked,
        )
        for lease in dead[-1:]
    ]


def _folder(view: View, edit: Edit, path: str, now: int) -> list[Claim]:
    """Ask for the path's folder, unless somebody else has something in it."""
    folder = scope_for(path.rpartition("/")[0]) if "/" in path else None
    if edit.auto_claim != "directory" or folder is None:
        return []
    claim = _automatic(edit, parse_pattern(folder))
    held = [
        lease
        for lease in view.leases
        if lease.session != edit.session.id
        and lease.live(now)
        and conflict(lease, claim.patterns, LOCAL, edit.session.worktree, view.policy.contended)
    ]
    return [] if held else [claim]
