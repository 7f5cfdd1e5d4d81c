"""Where several processes work with one store: a repository, and its store on a disk or a server.

What is written against a ``Site`` runs on every store. Processes are handed one, so: nothing of
pytest here.

    site = found_site(repo.path, url=None)      # SQLite, as a clone has it
    site = found_site(repo.path, url="postgresql://…")
    app = site.open("s-1")
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from handrail.service.health import verify_store
from handrail.service.sessions import Sessions
from handrail.service.setup import initialise
from handrail.service.tasks import Tasks
from handrail.store.port import Store
from handrail.store.postgres import PostgresStore
from handrail.store.postgres.connection import Address
from handrail.wiring import Application


def salt() -> str:
    return secrets.token_hex(16)


class Site(NamedTuple):
    """A repository and its store; ``url`` and ``schema`` are empty where that is a file."""

    root: Path
    url: str = ""
    schema: str = ""

    @property
    def kind(self) -> str:
        return "postgres" if self.url else "sqlite"

    def open(self, session: str | None = None, *, url: str | None = None) -> Application:
        """Open it in the name of a session; ``url`` is another way to the same server."""
        named = {} if session is None else {"HANDRAIL_SESSION": session}
        app = Application.open(str(self.root), named, terminal=session is None)
        if self.url:
            address = Address(url or self.url)
            app._store = PostgresStore(address, address.parameters, self.schema, salt)
        return app

    def start(self, names: Sequence[str]) -> None:
        """Start a session of each name."""
        app = self.open()
        for name in names:
            Sessions(app.context).start(id=name, agent=name)
        app.close()


class OnServer:
    """The ground of a repository whose store is founded on a server."""

    def __init__(self, ground: Any, site: Site) -> None:
        self._ground, self._site = ground, site

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ground, name)

    def store_exists(self) -> bool:
        return False

    def create_store(self, workspace: str, epoch: str, predecessor: str | None = None) -> Store:
        address = Address(self._site.url)
        return PostgresStore.create(
            *(address, address.parameters, self._site.schema, salt),
            workspace=workspace,
            epoch=epoch,
            predecessor=predecessor,
        )


def found_site(root: Path, url: str = "", tasks: Sequence[str] = ()) -> Site:
    """Found a workspace in a repository, on a file or on a server, with some open tasks."""
    site = Site(root, url, f"site_{os.getpid()}_{secrets.token_hex(4)}" if url else "")
    ground = Application.open(str(root), {}, terminal=True).ground
    initialise(OnServer(ground, site) if url else ground, "minimal")
    app = site.open()
    for task in tasks:
        Tasks(app.context).open(task)
    app.close()
    return site


def sound(store: Any) -> bool:
    """Verify the ledger, and the tables against it."""
    return verify_store(store, store.integrity()).good
