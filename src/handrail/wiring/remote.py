"""A workspace whose store is a PostgreSQL database: how a clone knows of it, and what it adds.

What ``init`` found in ``handrail.toml`` is noted beside where a SQLite store would lie, without a
secret; from then on the note says where the store is, not the file of whatever branch is checked
out. A clone has a name of its own in it: working trees of several clones share the store. What its
sessions may write is kept beside the note, for the guard.

    found = noted(state_dir)
    store = PostgresGround(place, state_dir, found, environment).open_store()
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from handrail import errors
from handrail.errors.server import StoreNotEnrolled
from handrail.facts.files import create_file, read_bounded
from handrail.facts.repository import Place
from handrail.jsontext import read as read_json
from handrail.jsontext import write_spaced as write_json
from handrail.typed import TYPE_CHECKING, Final
from handrail.wiring import NOTE_NAME
from handrail.wiring.surroundings import CONFIG_NAME, Ground, new_salt

if TYPE_CHECKING:
    from handrail.config import Settings
    from handrail.core.ledger import Entry
    from handrail.core.state import State
    from handrail.store.postgres import PostgresStore
    from handrail.store.postgres.connection import Address

VARIABLE: Final = "HANDRAIL_STORE_URL"
_SCHEME: Final = b"postgresql://"


class Remote:
    """Which store on a server: its address and the workspace."""

    def __init__(
        self, url: str, workspace: str, epochs: tuple[str, ...] = (), *, joined: bool
    ) -> None:
        """Hold an address; ``epochs`` are those of stores that the configuration enrolls."""
        self.url = url
        self.workspace = workspace
        self.epochs = epochs
        self.joined = joined


def noted(state_dir: str) -> Remote | None:
    """Return the store that this clone has joined; raises StoreCorrupt for a note that is none."""
    path = os.path.join(state_dir, NOTE_NAME)
    try:
        raw = read_bounded(path)
    except OSError as error:
        raise errors.FactsUnavailable(what=path, reason=str(error)) from error
    if raw is None:
        return None
    try:
        found = read_json(raw.decode("utf-8"))
        url, workspace = found["url"], found["workspace"]
        if not (isinstance(url, str) and isinstance(workspace, str)):
            raise ValueError("a field of it is no text")
    except (ValueError, KeyError, TypeError) as error:
        reason = "the note of where the store is cannot be read"
        raise errors.StoreCorrupt(path=path, reason=reason) from error
    return Remote(url, workspace, joined=True)


def named(place: Place) -> Remote | None:
    """Return the store that the working tree's configuration names, for a clone that has none."""
    raw = read_bounded(os.path.join(place.toplevel, CONFIG_NAME))
    if raw is None or _SCHEME not in raw:
        return None
    from handrail.config import parse_config

    try:
        settings = parse_config(raw, file=CONFIG_NAME)
    except errors.MalformedConfig:
        return None  # whoever sets up is told what is wrong with it
    return remote_of(settings)


def remote_of(settings: Settings) -> Remote | None:
    """Return the store on a server that a configuration names."""
    if settings.store.url == "sqlite":
        return None
    epochs = tuple(one.id for one in settings.epochs)
    return Remote(settings.store.url, settings.workspace.id, epochs, joined=False)


class PostgresGround(Ground):
    """Where a workspace with a store on a server is set up."""

    def __init__(
        self, place: Place, state_dir: str, remote: Remote, environment: Mapping[str, str]
    ) -> None:
        super().__init__(place, state_dir)
        self._remote = remote
        self._environment = environment
        self._address: Address | None = None

    @property
    def address(self) -> Address:
        """Where the store is; raises MalformedStoreUrl, DriverMissing."""
        if self._address is None:
            from handrail.store.postgres.connection import Address

            self._address = Address(self._remote.url)
        return self._address

    def _parameters(self) -> dict[str, str]:
        """Return what to connect with; raises MalformedEnvironment for another store's address."""
        url = self._environment.get(VARIABLE)
        if not url:
            return dict(self.address.parameters)
        from handrail.errors.server import MalformedStoreUrl, StoresDiffer

        try:
            return self.address.with_credentials(url)
        except (MalformedStoreUrl, StoresDiffer) as error:
            reason = f"this workspace's store is {self.address.shown}"
            raise errors.MalformedEnvironment(
                variable=VARIABLE, value="(not shown)", reason=reason
            ) from error

    def _schema(self) -> str:
        from handrail.store.postgres.schema import schema_of

        return schema_of(self._remote.workspace)

    def store_path(self) -> str:
        """Where the store is or would be."""
        return self.address.shown

    def store_url(self) -> str:
        """Return the address as the configuration names it."""
        return self._remote.url

    def store_exists(self) -> bool:
        """Tell whether this clone has joined a store; nobody is asked over the network."""
        return self._remote.joined

    def open_store(self) -> PostgresStore:
        """Open the store that this clone has joined."""
        if not self._remote.joined:
            raise errors.NotInitialised(path=self.store_path())
        return self.open_there()

    def open_there(self) -> PostgresStore:
        """Open the store that is there, joined or not."""
        from handrail.store.postgres import PostgresStore
        from handrail.wiring.copying import Copying, clone_of

        watch = Copying(self.state_dir, clone_of(self.state_dir, self._place))
        store = PostgresStore(
            *(self.address, self._parameters(), self._schema(), new_salt), watch=watch
        )
        try:
            self._check(store)
        except BaseException:
            store.close()
            raise
        return store

    def _check(self, store: PostgresStore, own: str | None = None) -> None:
        """Refuse a store of another workspace, or that nobody enrolled, but for one's own epoch."""
        with store.read() as reader:
            workspace, epoch = reader.workspace, reader.epoch
        if workspace != self._remote.workspace:
            reason = f"it is of the workspace {workspace}, not {self._remote.workspace}"
            raise errors.StoreCorrupt(path=self.store_path(), reason=reason)
        enrolled = self._remote.epochs
        if epoch != own and enrolled and epoch not in enrolled:
            raise StoreNotEnrolled(store=self.store_path(), epoch=epoch)

    def create_store(
        self, workspace: str, epoch: str, predecessor: str | None = None
    ) -> PostgresStore:
        """Make the store with its first entry where there is none, and join it."""
        from handrail.store.postgres import PostgresStore

        store = PostgresStore.create(
            *(self.address, self._parameters(), self._schema(), new_salt),
            workspace=workspace,
            epoch=epoch,
            predecessor=predecessor,
        )
        if not self._remote.joined:
            try:
                self._check(store, own=epoch)
                self.join()
            except BaseException:
                store.close()
                raise
        return store

    def restore(self, entries: Sequence[Entry], state: State) -> PostgresStore:
        """Make the store from a whole ledger; nobody has joined it by that."""
        from handrail.store.postgres import PostgresStore

        return PostgresStore.restore(
            *(self.address, self._parameters(), self._schema(), new_salt), entries, state
        )

    def join(self) -> None:
        """Note that this clone's store is this one; of several notes at once the first counts."""
        os.makedirs(self.state_dir, mode=0o700, exist_ok=True)
        note = {"url": self._remote.url, "workspace": self._remote.workspace}
        path = os.path.join(self.state_dir, NOTE_NAME)
        create_file(path, (write_json(note) + "\n").encode("utf-8"), self.state_dir)
        self._remote = noted(self.state_dir) or self._remote

    def set_aside(self) -> str:
        """Rename a damaged store's schema; returns the new name. Deletes nothing."""
        from handrail.store.postgres.schema import set_aside

        return (
            f"{self.store_path()} ({set_aside(self.address, self._parameters(), self._schema())})"
        )

    def salvage(self) -> list[Entry]:
        """Return the entries that a damaged store still gives, oldest first."""
        from handrail.store.postgres.schema import salvage

        return salvage(self.address, self._parameters(), self._schema())
