"""Errors around landing: ledgers that are shared, pushes, forges.

Apart from the others, so that an edit and a claim need not import them.
"""

from __future__ import annotations

from handrail.errors import AS_PERSON, Malformed, Refused, Unavailable


class MalformedEvent(Malformed):
    """The forge's event makes no sense: {field}: {reason}."""

    code = "malformed_event"
    NEXT = "handrail ci --help"


class NotBare(Malformed):
    """{path} is no bare repository: what is pushed is judged where nobody works."""

    code = "not_bare"
    NEXT = "handrail init"


# --- sharing the ledger --------------------------------------------------------------------------


class MalformedKey(Malformed):
    """{file} cannot sign a ledger: {reason}."""

    code = "malformed_key"
    NEXT = AS_PERSON + "handrail enroll"


class UnknownRemote(Malformed):
    """{remote} is no remote to share the ledger with: {reason}."""

    code = "unknown_remote"
    NEXT = "git remote -v"


class RemoteUnavailable(Unavailable):
    """The remote {remote} could not be asked: {reason}."""

    code = "remote_unavailable"
    NEXT = "git ls-remote {remote}"


class LedgerNotTaken(Unavailable):
    """The remote {remote} takes the ledger neither as {ref} nor as {branch}: {reason}."""

    code = "ledger_not_taken"
    NEXT = "git push --no-verify {remote} {ref}:{branch}"


class LedgerForked(Refused):
    """What {where} has of this store's ledger (epoch {epoch}) is not its past, so nothing was pushed: {reason}."""  # noqa: E501

    code = "ledger_forked"
    NEXT = (
        "handrail ledger export -o forked-{epoch}.txt && "
        + AS_PERSON
        + "handrail store rebuild --from forked-{epoch}.txt"
    )


class SyncContended(Unavailable):
    """Others kept moving the ledger of this store at {remote}: {attempts} attempts came too late ({reason})."""  # noqa: E501

    code = "sync_contended"
    NEXT = "handrail ledger sync {remote}"


# --- lanes and CODEOWNERS ------------------------------------------------------------------------


class MalformedOwners(Malformed):
    """{file} gives no lanes: {reason}."""

    code = "malformed_owners"
    NEXT = "handrail lanes import --help"
