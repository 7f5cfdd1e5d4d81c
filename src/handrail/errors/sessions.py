"""Errors around sessions, roles and persons."""

from __future__ import annotations

from handrail.errors.tree import AS_PERSON, Malformed, Refused


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


class MalformedPayload(Malformed):
    """The hook's payload is none: {reason}."""

    code = "malformed_payload"
    NEXT = "handrail doctor"


class UnknownRole(Malformed):
    """There is no role {role}; did you mean {nearest}?"""

    code = "unknown_role"
    NEXT = 'eval "$(handrail session start --role {nearest})"'


class MalformedName(Malformed):
    """{what} {value} is no name: {reason}."""

    code = "malformed_name"
    NEXT = "handrail session start --help"
