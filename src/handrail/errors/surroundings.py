"""Errors around what Handrail stands on: repository, store, ledger, configuration, machine."""

from __future__ import annotations

from handrail.errors.tree import EXIT_INTERRUPTED, Malformed, Refused, Unavailable


class StillLive(Refused):
    """Entry {seq} is {what}; what is live cannot be redacted."""

    code = "still_live"
    NEXT = "handrail session end {session}"


class UnknownEntry(Malformed):
    """The ledger has no entry {seq}; its head is {head}."""

    code = "unknown_entry"
    NEXT = "handrail log"


class MalformedConfig(Malformed):
    """{file}:{line}: {reason}."""

    code = "malformed_config"
    NEXT = "handrail config validate"


class MalformedEnvironment(Malformed):
    """{variable} is set to {value}: {reason}."""

    code = "malformed_environment"
    NEXT = "unset {variable}"


class MalformedRange(Malformed):
    """{range} names no commits here: {reason}."""

    code = "malformed_range"
    NEXT = "git log --oneline -n 10"


class MalformedLedger(Malformed):
    """{file} is no ledger export: {reason}."""

    code = "malformed_ledger"
    NEXT = "handrail ledger export --help"


class NoRepository(Unavailable):
    """{path} is in no git repository."""

    code = "no_repository"
    NEXT = "git init && handrail init"


class BareRepository(Unavailable):
    """{path} is a bare repository: nobody edits here, so there is nothing to hold."""

    code = "bare_repository"
    NEXT = "git worktree add ../work && cd ../work"


class NotInitialised(Unavailable):
    """This repository does not run Handrail yet."""

    code = "not_initialised"
    NEXT = "handrail init"


class FactsUnavailable(Unavailable):
    """{what} could not be read: {reason}."""

    code = "facts_unavailable"
    NEXT = "handrail doctor"


class StoreBusy(Unavailable):
    """The store {path} stayed busy for {waited_ms} ms (held by process {pid})."""

    code = "store_busy"
    NEXT = "handrail doctor"


class StoreReadOnly(Unavailable):
    """The store {path} cannot be written: {reason}."""

    code = "store_read_only"
    NEXT = "ls -ld {path}"


class StoreCorrupt(Unavailable):
    """The store {path} is damaged: {reason}."""

    code = "store_corrupt"
    NEXT = "handrail store rebuild"


class DiskFull(Unavailable):
    """No room left for the store {path}; nothing was changed."""

    code = "disk_full"
    NEXT = "df -h {path}"


class NewerFormat(Unavailable):
    """{what} was written in format {found}; this Handrail reads up to {known}."""

    code = "newer_format"
    NEXT = "handrail --version"


class NetworkFileSystem(Unavailable):
    """The store {path} would lie on {filesystem}, where file locks cannot be trusted."""

    code = "network_file_system"
    NEXT = 'export HANDRAIL_STATE_DIR="/var/tmp/handrail$PWD" && handrail init'


class UnsupportedPlatform(Unavailable):
    """Handrail does not run on {platform}; on Windows, use it inside WSL 2."""

    code = "unsupported_platform"
    NEXT = "wsl --install"


class LedgerBroken(Unavailable):
    """The ledger does not verify: entry {seq} is the first bad one: {reason}."""

    code = "ledger_broken"
    NEXT = "handrail store rebuild"


class OutputClosed(Unavailable):
    """The answer could not be written: {reason}."""

    code = "output_closed"
    NEXT = "handrail status"


class Interrupted(Unavailable):
    """Interrupted; what was not acknowledged may or may not have happened."""

    code = "interrupted"
    exit_status = EXIT_INTERRUPTED
    NEXT = "handrail status"
