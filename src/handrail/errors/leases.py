"""Errors around scopes, leases and tokens, and the commits that are made under them."""

from __future__ import annotations

from handrail.errors.tree import AS_PERSON, TASK_PREFIX, Malformed, Refused
from handrail.text import Sentence


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


class UnsupportedCommit(Refused):
    """Commit {commit} has {parents} parents; attest takes commits with two at the most."""

    code = "unsupported_commit"
    NEXT = "git rev-list --max-parents=2 {commit}^..{commit} | xargs -r -n 1 handrail attest"


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
