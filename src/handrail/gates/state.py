"""Gates about the files that show the state: there, readable, current, and true about blockers.

Where the configuration has no such file they judge nothing. What a file lacks is told by its
format; ``ADVICE`` are the codes that bind nobody, ``OF_MESSAGE`` those of the gate ``message``.

    state_fresh(Facts(states=States((StateFile("state.json", exported=False),))))
"""

from __future__ import annotations

from handrail.gates.facts import Facts, Resolved, StateFile, States
from handrail.gates.gate import CannotTell, Objection
from handrail.text import shell_quote
from handrail.typed import Final

ADVICE: Final = frozenset({"no_service_url"})
OF_MESSAGE: Final = frozenset({"short_message"})
EXPORT: Final = "handrail export"
RUN: Final = "handrail evidence run -- COMMAND"


def states_of(facts: Facts) -> tuple[StateFile, ...]:
    """Return the files that show the state; raises CannotTell where nobody looked."""
    return _states(facts).files


def _states(facts: Facts) -> States:
    if facts.states is None:
        raise CannotTell("nobody looked at the files that show the state")
    return facts.states


def state_received(facts: Facts) -> list[Objection] | None:
    """Object to what a receiver cannot go on from."""
    files = states_of(facts)
    return unreadable(files) if files else None


def message_received(facts: Facts) -> list[Objection] | None:
    """Object to a state that has no message for its receiver."""
    files = states_of(facts)
    return short_messages(files) if files else None


def unreadable(files: tuple[StateFile, ...]) -> list[Objection]:
    """Object to each file that is not there, cannot be read or lacks what a receiver needs."""
    found = []
    for one in files:
        if not one.present:
            found.append(Objection("state_missing", "it is not there", one.path, EXPORT))
        elif one.problem is not None:
            found.append(Objection("unreadable_state", one.problem, one.path, edited(one.path)))
        found += [
            Objection(code, f"{place}: {sentence}", one.path, edited(one.path), code in ADVICE)
            for place, code, sentence in one.lacks
            if code not in OF_MESSAGE
        ]
    return found


def short_messages(files: tuple[StateFile, ...]) -> list[Objection]:
    """Object to each message of a file that can tell nobody anything."""
    return [
        Objection(code, f"{place}: {sentence}", one.path, edited(one.path))
        for one in files
        for place, code, sentence in one.lacks
        if code in OF_MESSAGE
    ]


def state_fresh(facts: Facts) -> list[Objection] | None:
    """Object to a file that is not what is known, and to work that left all of them as they were.

    What is not there or cannot be read is for ``state-readable``.
    """
    known = _states(facts)
    if not known.files:
        return None
    found = [
        Objection("state_outdated", f"it is not what {EXPORT} writes", one.path, EXPORT)
        for one in known.files
        if one.present and one.problem is None and not one.exported
    ]
    if known.code is not None and not any(one.changed for one in known.files):
        path = known.files[0].path
        sentence = f"the task changed {known.code}, and no file that shows the state"
        found.append(Objection("state_not_updated", sentence, path, edited(path)))
    return found


def edited(path: str) -> str:
    """Return the command that lets somebody say it, and commits what is rendered from that."""
    place, told = shell_quote(f"./{path}"), shell_quote(f"Update {path}")
    return f'"${{EDITOR:-vi}}" {place} && {EXPORT} && git add -- {place} && git commit -m {told}'


def unproven(rows: tuple[Resolved, ...] | None) -> list[Objection]:
    """Object to each blocker that its file calls resolved, and that nothing shows resolved."""
    if rows is None:
        raise CannotTell("nobody looked at the blockers")
    found = []
    for one in rows:
        why, step = _doubt(one)
        if why:
            sentence = f"blocker {one.blocker} is called resolved, and {why}"
            found.append(Objection("unproven_blocker", sentence, one.path, step))
    return found


def _doubt(row: Resolved) -> tuple[str, str]:
    """Say why nothing shows a blocker resolved, and what leads on."""
    step = edited(row.path)
    if not row.resolution:
        return '"resolution" does not say what resolved it', step
    if row.receipt:
        if row.cited is None:
            return f"{row.receipt} is no receipt of this ledger", RUN
        if not row.cited.succeeded:
            again = f"handrail evidence run -- {' '.join(map(shell_quote, row.cited.argv))}"
            return f"the command of receipt {row.receipt} did not succeed", again
        return "", ""
    if any(has for _, has in row.commits):
        return "", ""
    if row.commits:
        return f"HEAD does not have commit {row.commits[0][0][:12]}", step
    return 'neither "commit" nor "receipt" names what shows it', step
