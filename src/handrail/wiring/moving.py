"""From the store that a clone uses to the one that its ``handrail.toml`` names.

Promise: at each moment one of the two says that it is the store; the note that leads to it is
written when all has arrived.

    way = application.way
    move_store(application.store, way.place, way.there.store_path())
    way.settle()
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from handrail.config import parse_config
from handrail.core.ledger import Entry
from handrail.core.state import State
from handrail.errors import FactsUnavailable, NotInitialised
from handrail.facts.clock import BootClock
from handrail.facts.files import read_bounded
from handrail.facts.repository import Place
from handrail.store.port import Store
from handrail.store.postgres import PostgresStore
from handrail.store.postgres.connection import Address
from handrail.store.postgres.schema import schema_of
from handrail.store.sqlite import SqliteStore
from handrail.store.sqlite.guard_copy import NAME as COPY_NAME
from handrail.typed import Final
from handrail.wiring import NOTE_NAME
from handrail.wiring.remote import PostgresGround, remote_of
from handrail.wiring.surroundings import CONFIG_NAME, Ground, SqliteGround, free_name, new_salt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME: Final = "postgresql://"


class Way:
    """Where a workspace goes."""

    def __init__(self, place: Place, state_dir: str, environment: Mapping[str, str]) -> None:
        """Read the working tree's configuration; raises MalformedConfig, FactsUnavailable."""
        self._state_dir = state_dir
        raw = read_bounded(os.path.join(place.toplevel, CONFIG_NAME))
        if raw is None:
            raise FactsUnavailable(what=CONFIG_NAME, reason="it is not in this working tree")
        settings = parse_config(raw, file=CONFIG_NAME)
        self.workspace = settings.workspace.id
        self.there: SqliteGround | PostgresGround = SqliteGround(place, state_dir)
        remote = remote_of(settings)
        if remote is not None:
            self.there = PostgresGround(place, state_dir, remote, environment)

    def renames(self, here: Ground) -> bool:
        """Tell whether working trees have other names there: a store of one clone names none."""
        return isinstance(here, PostgresGround) is not isinstance(self.there, PostgresGround)

    def place(self, entries: Sequence[Entry], state: State) -> Store:
        """Make the store there."""
        return self.there.restore(entries, state)

    def check_there(self) -> None:
        """Raise NotInitialised where no store is there to be joined, StoreNotEnrolled, and more."""
        if not isinstance(self.there, PostgresGround):
            raise NotInitialised(path=self.there.store_path())
        self.there.open_there().close()

    def settle(self) -> None:
        """Let this clone use the store there; a note that led elsewhere is renamed."""
        note = os.path.join(self._state_dir, NOTE_NAME)
        if os.path.exists(note):
            os.rename(note, free_name(note, "left"))
        # What was copied of the store that was left says nothing of this one.
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(self._state_dir, COPY_NAME))
        if isinstance(self.there, PostgresGround):
            self.there.join()


def copy_place(target: str, workspace: str, entries: Sequence[Entry], state: State) -> Store:
    """Make a copy at an address, else in a file; raises Usage where another store is."""
    if target.startswith(SCHEME):
        address = Address(target)
        return PostgresStore.restore(
            address, address.parameters, schema_of(workspace), new_salt, entries, state
        )
    return SqliteStore.restore(os.path.abspath(target), BootClock(), new_salt, entries, state)
