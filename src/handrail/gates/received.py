"""Gates about a packet that is to be accepted: whether it is whole, and the tree as it says.

Promise: what is not here is cannot-tell and never a failure of the giver's.
"""

from __future__ import annotations

from handrail.core.packet import packet_hash
from handrail.gates.facts import Facts, Handed
from handrail.gates.gate import CannotTell, Objection
from handrail.gates.packet import Found, handed_of, of_copies
from handrail.gates.tree import COMMIT_ALL, OBJECTIONS_MAX
from handrail.text import shell_quote
from handrail.typed import Final

READING: Final = "context.required_reading"
FETCH: Final = "git fetch --all"


def _head(handed: Handed) -> str:
    return str(handed.part("metadata", "head") or "")


def packet_intact(facts: Facts) -> Found:
    """Object to a packet whose bytes are not those that were offered, here or in its file."""
    handed = handed_of(facts)
    if handed.packet is None:
        return None
    found = []
    if not handed.stored.isascii() or packet_hash(handed.stored) != handed.packet.hash:
        sentence = f"its bytes have another hash than was recorded ({handed.packet.hash[:12]})"
        found.append(Objection("packet_changed", sentence, None, "handrail ledger verify"))
    return [*found, *of_copies(handed)]


def commit_present(facts: Facts) -> Found:
    """Say that nobody can tell where the packet's commit is not here."""
    handed = handed_of(facts)
    if handed.packet is None or not _head(handed):
        return None
    _check_present(handed)
    return ()


def _check_present(handed: Handed) -> None:
    if not handed.present:
        raise CannotTell(f"commit {_head(handed)[:12]} of the packet is not here", FETCH)


def artifacts(facts: Facts) -> Found:
    """Object to an artifact that is not there, or has other bytes than the packet says."""
    handed = handed_of(facts)
    named = [one for one in handed.named if one.field.startswith("artifacts.")]
    if handed.packet is None or not named:
        return None
    _check_present(handed)
    found = []
    for one in named:
        if one.held is None and one.here is None:
            sentence = f"{one.field} names it, and the packet's commit does not hold it"
            found.append(Objection("artifact_missing", sentence, one.path))
        elif one.digest is not None and one.digest.lower() not in (one.held, one.here):
            seen = one.held if one.held is not None else one.here
            sentence = (
                f"{one.field} gives it SHA-256 {one.digest[:12]}, and it has {seen or '-':.12}"
            )
            found.append(Objection("artifact_changed", sentence, one.path))
    return [one._replace(next=_refuse(handed)) for one in found]


def _refuse(handed: Handed) -> str:
    return f"handrail handoff decline {handed.task} --reason 'it is not as the packet says'"


def tree_as_declared(facts: Facts) -> Found:
    """Object to a HEAD without the packet's commit, and to unfinished work that nobody declared."""
    handed, standing = handed_of(facts), facts.standing
    if handed.packet is None or not _head(handed):
        return None
    if standing is None:
        raise CannotTell("nobody looked at the working tree")
    _check_present(handed)
    found = []
    if not handed.contained:
        verb = "merge --ff-only" if handed.behind else "merge"
        sentence = f"HEAD does not have commit {_head(handed)[:12]} of the packet"
        found.append(Objection("not_at_commit", sentence, None, f"git {verb} {_head(handed)}"))
    own = frozenset() if handed.exact else handed.own
    dirty = [path for path in standing.dirty if path not in own and not handed.declares(path)]
    sentence = "it is unfinished here; the packet does not declare it, and you do not hold it"
    if handed.exact:
        mode = handed.part("metadata", "worktree_mode")
        sentence = f"it is unfinished here; worktree_mode is {mode}, and does not name it"
    found += [
        Objection("undeclared_dirt", sentence, path, COMMIT_ALL) for path in dirty[:OBJECTIONS_MAX]
    ]
    if len(dirty) > OBJECTIONS_MAX:
        more = f"{len(dirty) - OBJECTIONS_MAX} more paths are unfinished and not declared"
        found.append(Objection("undeclared_dirt", more))
    return found


def reading(facts: Facts) -> Found:
    """Object to required reading that the packet's commit does not hold, or nobody has read.

    Before the packet is accepted what is unread is advice: it is read afterwards, before the first
    edit.
    """
    handed = handed_of(facts)
    named = [one for one in handed.named if one.field == READING]
    if handed.packet is None or not (named or handed.unread):
        return None
    _check_present(handed)
    sentence = "it is required reading, and the packet's commit does not hold it"
    found = [
        Objection("missing_reading", sentence, one.path, _refuse(handed))
        for one in named
        if one.held is None and one.here is None
    ]
    when = "has to be" if handed.accepted else "will have to be"
    sentence = f"it {when} read before the first edit, and this session has not read it"
    found += [
        Objection(
            *("unread", sentence, path, f"handrail reading done {shell_quote(path)}"),
            advice=not handed.accepted,
        )
        for path in handed.unread[:OBJECTIONS_MAX]
    ]
    return found
