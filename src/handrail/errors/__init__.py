"""The error tree: four kinds of "no", one exit status each.

Promise: every error that reaches a caller carries a stable ``code``, the values it speaks of, one
sentence and, where there is one, the one next command. A class's docstring is its default
sentence; ``{names}`` in it and in ``NEXT`` are filled from the values. Values keep their raw form
(times in milliseconds since 1970 on the store's clock); what they look like is decided here only
for the sentence and by the edge for everything else.

    raise ScopeHeld(scope="src/api", session="s-1", witness="src/api/x", asked=("src/api",))
"""

from __future__ import annotations

from typing import ClassVar

from handrail.text import Command, Sentence

EXIT_DONE = 0
EXIT_REFUSED = 1
EXIT_MALFORMED = 2
EXIT_UNAVAILABLE = 3
EXIT_BUG = 70
EXIT_LEASE_LOST = 75
EXIT_INTERRUPTED = 130

TASK_PREFIX = "task:"
"""How the names begin under which tasks hold scopes; no session and no agent is called so."""

AS_PERSON = "env -u HANDRAIL_SESSION -u AGENT_SESSION_ID "
"""How a person at a terminal speaks for themselves in a shell that has a session."""


class HandrailError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = EXIT_BUG
    NEXT: ClassVar[str] = ""

    def __init__(self, *, next: str | None = None, **values: object) -> None:
        super().__init__(values)
        self.values = values
        self._next = next

    @property
    def message(self) -> str:
        """One sentence: the class's docstring with the values filled in."""
        return (self.__doc__ or "").strip().format_map(Sentence(self.values))

    @property
    def next(self) -> str | None:
        """The one next command, ready for a shell; None where there is none."""
        if self._next is not None or not self.NEXT:
            return self._next
        return self.NEXT.format_map(Command(self.values))

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Refused(HandrailError):
    """The rules say no."""

    code = "refused"
    exit_status = EXIT_REFUSED


class Malformed(HandrailError):
    """The question makes no sense."""

    code = "malformed"
    exit_status = EXIT_MALFORMED


class Unavailable(HandrailError):
    """Handrail cannot tell."""

    code = "unavailable"
    exit_status = EXIT_UNAVAILABLE


class Bug(HandrailError):
    """Handrail itself failed: {detail}."""

    code = "bug"
    NEXT = "handrail doctor"


# --- refused: leases -----------------------------------------------------------------------------


class ScopeHeld(Refused):
    """{scope} is held by session {session} (role {role}, token {token}) until {expires_at}; {witness} lies in both."""  # noqa: E501

    code = "scope_held"
    NEXT = "handrail claim {asked} --wait"

    @property
    def message(self) -> str:
        """The sentence; where a scope is reserved for a task, it names the task."""
        if not str(self.values.get("session")).startswith(TASK_PREFIX):
            return super().message
        words = "{scope} is reserved for {session} (token {token}) until {expires_at}; {witness} lies in both."  # noqa: E501
        return words.format_map(Sentence(self.values))


class ScopeAwaited(Refused):
    """Session {session} has been waiting for {scope} longer than you; {witness} lies in both."""

    code = "scope_awaited"
    NEXT = "handrail claim {asked} --wait"


class WouldDeadlock(Refused):
    """Waiting for {scope} would never end: session {session} comes first and waits for what you hold ({witness})."""  # noqa: E501

    code = "would_deadlock"
    NEXT = "handrail release --all && handrail claim {asked} --wait"


class StaleToken(Refused):
    """Token {token} is dead: {scope} was granted to session {session} after it; {witness} lies in both."""  # noqa: E501

    code = "stale_token"
    NEXT = "handrail claim {asked} --wait"


class LeaseExpired(Refused):
    """Token {token} over {scope} expired at {expires_at}; an expired lease is never revived."""

    code = "lease_expired"
    NEXT = "handrail claim {asked}"


class NotHolder(Refused):
    """Session {session} does not hold {scope}."""

    code = "not_holder"
    NEXT = "handrail claim {asked}"


class Orphaned(Refused):
    """{witness} holds unfinished work that session {session} (agent {holder}) left under token {token}."""  # noqa: E501

    code = "orphaned"
    NEXT = "handrail claim {asked} --adopt"


class StaleBytes(Refused):
    """{path} is older than commit {commit}, which session {session} landed meanwhile: it would undo that."""  # noqa: E501

    code = "stale_bytes"
    NEXT = "git stash push --include-untracked -- {pathspecs} && handrail claim {asked}"


class GuardedPath(Refused):
    """{path} is guarded: {reason}."""

    code = "guarded_path"
    NEXT = "handrail why {path}"


class NotCovered(Refused):
    """{paths_count} paths of the commit are neither held by session {session} nor free for it: {paths}."""  # noqa: E501

    code = "not_covered"
    NEXT = "handrail claim {asked} --wait"


class UnanchoredLimit(Refused):
    """{scope} begins with a wildcard, and {limit} such scopes are live already."""

    code = "unanchored_limit"
    NEXT = "handrail claim {asked} --wait"


class OutsideLane(Refused):
    """{scope} reaches outside the lane of role {role} ({lane}), for example at {witness}{remedy}."""  # noqa: E501

    code = "outside_lane"
    NEXT = AS_PERSON + "handrail config apply"


class SandboxReadOnly(Refused):
    """{who} works in a read-only sandbox and may not hold {scope}{remedy}."""

    code = "sandbox_read_only"
    NEXT = AS_PERSON + "handrail config apply"


# --- refused: sessions and persons ---------------------------------------------------------------


class UnknownSession(Refused):
    """No session: {reason}."""

    code = "unknown_session"
    NEXT = 'eval "$(handrail session start)"'


class WrongWorktree(Refused):
    """Session {session} belongs to the working tree {worktree}, not to this one."""

    code = "wrong_worktree"
    NEXT = 'unset HANDRAIL_SECRET; eval "$(handrail session start)"'


class WrongSecret(Refused):
    """The secret given for session {session} is not its own."""

    code = "wrong_secret"
    NEXT = 'unset HANDRAIL_SECRET; eval "$(handrail session start)"'


class SessionExists(Refused):
    """Session {session} is live in the working tree {worktree} and belongs to agent {agent}."""

    code = "session_exists"
    NEXT = 'eval "$(handrail session start)"'


class RoleFixed(Refused):
    """Session {session} acts as {role} to its end; it cannot act as {wanted}."""

    code = "role_fixed"
    NEXT = 'eval "$(handrail session start --role {wanted})"'


class NeedsPerson(Refused):
    """{what} needs a person at a terminal without a session{or_else}."""

    code = "needs_person"
    NEXT = AS_PERSON + "handrail {command}"


class StillLive(Refused):
    """Entry {seq} is {what}; what is live cannot be redacted."""

    code = "still_live"
    NEXT = "handrail session end {session}"


class UnsupportedCommit(Refused):
    """Commit {commit} has {parents} parents; attest takes commits with two at the most."""

    code = "unsupported_commit"
    NEXT = "git rev-list --max-parents=2 {commit}^..{commit} | xargs -r -n 1 handrail attest"


# --- malformed -----------------------------------------------------------------------------------


class MalformedPayload(Malformed):
    """The hook's payload is none: {reason}."""

    code = "malformed_payload"
    NEXT = "handrail doctor"


class MalformedScope(Malformed):
    """{scope} is no scope: {reason}."""

    code = "malformed_scope"
    NEXT = "handrail claim --help"


class MalformedTtl(Malformed):
    """{ttl} is no time to live: {reason}."""

    code = "malformed_ttl"
    NEXT = "handrail claim --help"


class MalformedToken(Malformed):
    """{token} is no token: a token looks like {example}."""

    code = "malformed_token"
    NEXT = "handrail status"


class ForeignEpoch(Malformed):
    """Token {token} belongs to another store; this store's epoch is {epoch}."""

    code = "foreign_epoch"
    NEXT = "handrail status"


class UnknownToken(Malformed):
    """There is no lease {token} here."""

    code = "unknown_token"
    NEXT = "handrail status"


class UnknownRole(Malformed):
    """There is no role {role}; did you mean {nearest}?"""

    code = "unknown_role"
    NEXT = 'eval "$(handrail session start --role {nearest})"'


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


class MalformedName(Malformed):
    """{what} {value} is no name: {reason}."""

    code = "malformed_name"
    NEXT = "handrail session start --help"


class Usage(Malformed):
    """{reason}"""

    code = "usage"
    NEXT = "handrail --help"


# --- unavailable ---------------------------------------------------------------------------------


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
