"""Short ways for the tests of the guard's rules: edit, commit and run out as a harness would."""

from __future__ import annotations

from pathlib import Path

from handrail.core.events import LeaseRenewed
from handrail.core.lease import Actor
from handrail.service.attestation import Attested
from handrail.service.committing import Committing
from handrail.service.edits import Edited, Edits
from handrail.service.notices import Notices, Told
from tests.cli.world import World


def edit(world: World, session: str, *paths: str, cwd: Path | None = None) -> Edited:
    """Ask for what the guard asks before an edit."""
    with world.open(session, cwd=cwd) as application:
        return Edits(application.context).edit(paths)


def write(world: World, session: str, path: str, text: str, cwd: Path | None = None) -> None:
    """Edit a file as a harness does: ask, then write."""
    edit(world, session, path, cwd=cwd)
    target = (cwd or world.path) / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def object_of(world: World, *paths: str, cwd: Path | None = None) -> str:
    """Make a commit of these paths that is in no ref yet, as one is when the hook is asked."""
    git = world.repo.git
    git("add", "--all", "--", *paths, cwd=cwd)
    tree = git("write-tree", cwd=cwd)
    return git("commit-tree", tree, "-p", "HEAD", "-m", "change", cwd=cwd)


def asked_of_hook(world: World, session: str, commit: str, cwd: Path | None = None) -> Attested:
    """Ask what the hook asks of a commit."""
    with world.open(session, cwd=cwd) as application:
        return Committing(application.context).commit(commit)


def land(world: World, session: str, *paths: str, cwd: Path | None = None) -> str:
    """Commit these paths under the hook: attested, then the branch moves."""
    commit = object_of(world, *paths, cwd=cwd)
    asked_of_hook(world, session, commit, cwd)
    world.repo.git("update-ref", "HEAD", commit, cwd=cwd)
    return commit


def run_out(world: World, session: str) -> None:
    """Let all leases of a session reach their end."""
    with world.open() as application, application.store.transaction() as tx:
        moves = [LeaseRenewed(lease.token, tx.now) for lease in tx.leases(session)]
        tx.commit(moves, Actor())


def scopes(world: World, session: str) -> list[tuple[str, ...]]:
    """List what a session holds now."""
    with world.open() as application, application.store.read() as reader:
        return [lease.scope for lease in reader.leases(session) if lease.live(reader.now)]


def left_by(world: World, session: str) -> list[str]:
    """List what ended leases of a session left unfinished."""
    with world.open() as application, application.store.read() as reader:
        return [
            path
            for orphan in reader.orphans()
            if orphan.session == session
            for path, _ in orphan.blobs or (("?", ""),)
        ]


def told(world: World, session: str, cwd: Path | None = None) -> list[Told]:
    with world.open(session, cwd=cwd) as application:
        return list(Notices(application.context).take())
