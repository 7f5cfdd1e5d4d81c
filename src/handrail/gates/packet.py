"""Gates about a packet before it is offered: what it must say, and that what it says is backed.

What counts as backed: an entry of ``claims`` that calls a blocker resolved, and every entry of
``evidence``, names the receipt of a run by its number in this ledger. What somebody typed is none.

    >>> receipt_number({"receipt": 12, "gate": "unit-tests"}), receipt_number("it works")
    (12, None)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from handrail.core.packet import MESSAGE_CHARS_MIN
from handrail.core.receipts import UNKNOWN_DIRT
from handrail.core.task import COMPLETE
from handrail.gates.facts import Cited, Facts, Handed
from handrail.gates.gate import CannotTell, Objection
from handrail.gates.references import ALLOWED
from handrail.gates.state import message_received, states_of, unproven, unreadable
from handrail.text import shell_quote
from handrail.typed import Final

RESOLVED: Final = "resolved"
EXPORTED: Final = ".handrail/handoffs"
EDITED: Final = "edited"
MISSING: Final = "missing"
_RUN: Final = "handrail evidence run -- COMMAND"
_NAMED: Final = re.compile(r"(?:receipt )?(?:([a-z0-9]{1,40}):)?([0-9]{1,15})")
Found = Sequence[Objection] | None


def handed_of(facts: Facts) -> Handed:
    """Return the packet in question; raises CannotTell."""
    if facts.handed is None:
        raise CannotTell("nobody looked at the packet")
    return facts.handed


def state_readable(facts: Facts) -> Found:
    """Object to a file of Handrail's or of the packet that is not what it is meant to be."""
    handed, states = handed_of(facts), states_of(facts)
    files = [one for one in handed.named if one.field != ALLOWED]
    if not (handed.copies or files or states):
        return None
    found = [*of_copies(handed), *unreadable(states)]
    for one in files:
        if one.problem is not None:
            place = shell_quote(f"./{one.path}")
            told = shell_quote(f"Repair {one.path}")
            step = f'"${{EDITOR:-vi}}" {place} && git add -- {place} && git commit -m {told}'
            found.append(Objection("unreadable_state", one.problem, one.path, step))
    return found


def of_copies(handed: Handed) -> list[Objection]:
    """Object to a packet's file that says something else than the ledger; a lost one is advice."""
    step = "handrail export"
    found = [
        Objection("export_edited", "it is not what the ledger holds", f"{EXPORTED}/{name}", step)
        for name, state in handed.copies
        if state == EDITED
    ]
    lost = [name for name, state in handed.copies if state != EDITED]
    if lost:
        more = f", and so are {len(lost) - 1} more packet files" if lost[1:] else ""
        told = f"it is not there{more}: {step} writes it anew"
        path = f"{EXPORTED}/{lost[0]}"
        found.append(Objection("export_missing", told, path, step, advice=True))
    return found


def message(facts: Facts) -> Found:
    """Object to a message that can tell nobody anything: the packet's, else that of the state."""
    handed = handed_of(facts)
    if not handed.written:
        return message_received(facts)
    chars = len(str(handed.part("message") or "").strip())
    if chars >= MESSAGE_CHARS_MIN:
        return ()
    told = "there is no message" if not chars else f"the message has {chars} characters"
    sentence = (
        f"{told}, and {MESSAGE_CHARS_MIN} are the least: say what was done, what is left and "
        "what the receiver must know"
    )
    again = handed.again or f"handrail handoff offer --task {shell_quote(handed.task)}"
    return (Objection("short_message", sentence, None, f"{again} -m MESSAGE"),)


def next_phase(facts: Facts) -> Found:
    """Object to a packet that leads to no phase, where work goes through phases."""
    handed = handed_of(facts)
    if not handed.phases or not handed.written:
        return None
    named = handed.part("metadata", "next_phase")
    if named in handed.phases:
        return ()
    told = "metadata.next_phase names none" if not named else f"{named} is no phase"
    sentence = f"{told}: there are {', '.join(handed.phases)}"
    return (Objection("no_next_phase", sentence, None, "handrail handoff offer --help"),)


def receipt_number(entry: object, epoch: str = "") -> int | None:
    """Return the ledger's number of the receipt that an entry names; None if it names none.

    Of another store than that of ``epoch`` it names none here.
    """
    found = entry.get("receipt", entry.get("evidence")) if isinstance(entry, dict) else entry
    if isinstance(found, str):
        named = _NAMED.fullmatch(found)
        known = named is not None and (not epoch or named[1] in (None, epoch))
        found = int(named[2]) if named is not None and known else None
    return found if type(found) is int and found > 0 else None


def resolved_blockers(handed: Handed) -> list[tuple[str, dict[str, object]]]:
    """Return the blockers that the packet calls resolved, each with its claim."""
    return [
        (str(claim["blocker"]), claim)
        for claim in handed.part("claims") or ()
        if isinstance(claim, dict)
        and "blocker" in claim
        and str(claim.get("status", "")).strip().lower() == RESOLVED
    ]


def blockers(facts: Facts) -> Found:
    """Object to a blocker that is called resolved and that nothing shows resolved."""
    handed = handed_of(facts)
    claimed = resolved_blockers(handed)
    found = unproven(facts.resolved)
    if not (claimed or facts.resolved):
        return None
    for name, claim in claimed:
        number = receipt_number(claim.get("evidence"))
        why, step = _not_backed(handed, number)
        if why:
            sentence = f"claims call blocker {name} resolved, and {why}"
            found.append(Objection("unproven_blocker", sentence, None, step))
    return found


def _not_backed(handed: Handed, number: int | None) -> tuple[str, str]:
    """Say why a receipt does not show that something is done, and what makes one that does."""
    if number is None:
        return 'no receipt is named: "evidence" wants the number of one', _RUN
    cited = dict(handed.receipts).get(number)
    if cited is None:
        return f"entry {number} of this ledger is no receipt", _RUN
    step = f"handrail evidence run -- {' '.join(map(shell_quote, cited.argv))}"
    if not cited.succeeded:
        return f"the command of receipt {number} did not succeed", step
    return "", ""


def evidence(facts: Facts) -> Found:
    """Object to evidence that is no receipt, and where work is complete to an outdated one."""
    handed = handed_of(facts)
    entries = list(handed.part("evidence") or ())
    if not entries:
        return None
    found = []
    for place, entry in enumerate(entries):
        why, step = _outdated(facts, handed, receipt_number(entry))
        if why:
            sentence = f"evidence[{place}]: {why}"
            found.append(Objection("no_evidence", sentence, None, step))
    return found


def _outdated(facts: Facts, handed: Handed, number: int | None) -> tuple[str, str]:
    why, step = _not_backed(handed, number)
    cited: Cited | None = dict(handed.receipts).get(number or 0)
    if cited is None or handed.kind != COMPLETE:
        return ("", "") if cited is not None else (why, step)
    standing = facts.standing
    if why or standing is None:
        return why, step
    if cited.tree != standing.tree:
        why = f"receipt {number} was made on another tree than what is handed over"
    elif cited.dirt not in ("", standing.fingerprint) or cited.dirt == UNKNOWN_DIRT:
        why = f"receipt {number} was made with unfinished work that is not handed over"
    elif cited.otherwise:
        why = f"receipt {number} came out otherwise when it was run again ({cited.otherwise})"
    step = f"handrail evidence run -- {' '.join(map(shell_quote, cited.argv))}"
    return (why, step) if why else ("", "")


def lane_note(facts: Facts) -> Found:
    """Object to a lane that the task changed without the note of its role."""
    if facts.notes is None:
        raise CannotTell("nobody looked at what the task changed")
    known = [one for one in facts.notes if one.path is not None]
    if not known:
        return None
    found = []
    for one in known:
        if not one.changed:
            place = shell_quote(f"./{one.note}")
            told = shell_quote(f"Update {one.note}")
            step = f'"${{EDITOR:-vi}}" {place} && git add -- {place} && git commit -m {told}'
            sentence = f"the task changed {one.path} of role {one.role}, and not the role's note"
            found.append(Objection("note_not_updated", sentence, one.note, step))
    return found
