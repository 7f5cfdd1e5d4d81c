"""Errors around a store that lies on a server: its address, the way there, what it lets us do."""

from __future__ import annotations

from handrail.errors.tree import Malformed, Unavailable


class DriverMissing(Unavailable):
    """The store is a PostgreSQL database, and what speaks with one is not installed here."""

    code = "driver_missing"
    NEXT = "pip install 'handrail[postgres]'"


class MalformedStoreUrl(Malformed):
    """The address of the store is none: {reason}."""

    code = "malformed_store_url"
    NEXT = "handrail config validate"


class ServerUnsuitable(Unavailable):
    """The server of the store {store} cannot keep it: {reason}."""

    code = "server_unsuitable"
    NEXT = "psql -h {host} -p {port} -d {database} -c 'SELECT version()'"


class StoreDenied(Unavailable):
    """The server of the store {store} says no: {reason}."""

    code = "store_denied"
    NEXT = "psql -h {host} -p {port} -d {database} -c 'SELECT current_user'"


class StoresDiffer(Malformed):
    """This workspace's store is {store}, and something here names another {what}: {other}."""

    code = "stores_differ"
    NEXT = "handrail ledger export"


class StoreMoved(Unavailable):
    """The store {path} is no store any more: it was moved to {place}."""

    code = "store_moved"
    NEXT = "handrail store migrate"


class StoreNotEnrolled(Unavailable):
    """The store {store} is of epoch {epoch}, and handrail.toml enrolls others only."""

    code = "store_not_enrolled"
    NEXT = "git pull"


class StoreUnreachable(Unavailable):
    """The store {store} cannot be reached: {reason}{trusted}."""

    code = "store_unreachable"
    NEXT = "pg_isready -h {host} -p {port} -d {database}"
