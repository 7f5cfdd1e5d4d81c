"""Gates about the working tree and where it was pushed: ``committed`` and ``pushed``."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.gates.facts import Facts
from handrail.gates.gate import CannotTell, Objection
from handrail.text import shell_quote
from handrail.typed import Final

OBJECTIONS_MAX: Final = 200
COMMIT_ALL: Final = "git add --all && git commit"


def committed(facts: Facts) -> Sequence[Objection] | None:
    """Object to each path that differs from HEAD, and to what git has not finished.

    What the packet declares as unfinished is no objection.
    """
    standing, handed = facts.standing, facts.handed
    if standing is None:
        raise CannotTell("nobody looked at the working tree")
    found = []
    if standing.operation is not None:
        sentence = f"a {standing.operation} is not over"
        step = f"git {standing.operation} --continue"
        found.append(Objection("operation_in_progress", sentence, None, step))
    dirty = [path for path in standing.dirty if handed is None or not handed.declares(path)]
    found += [
        Objection("uncommitted", "it differs from HEAD", path, COMMIT_ALL)
        for path in dirty[:OBJECTIONS_MAX]
    ]
    more = len(dirty) - OBJECTIONS_MAX
    if more > 0:
        found.append(Objection("uncommitted", f"{more} more paths differ from HEAD"))
    if not standing.commit:
        found.append(Objection("no_commit", "there is no commit yet", None, "git commit"))
    return found


def pushed(facts: Facts) -> Sequence[Objection] | None:
    """Object to a HEAD that no remote-tracking ref contains; without a remote there is nothing."""
    known = facts.pushed
    if known is None:
        raise CannotTell("nobody looked at the remotes")
    if not known.remotes:
        return None
    if known.contained:
        return ()
    if known.shallow:
        why = "this clone is shallow: what its remote has beyond is not known here"
        raise CannotTell(why, "git fetch --unshallow")
    if not known.commit:
        return (Objection("no_commit", "there is no commit yet", None, "git commit"),)
    remote = shell_quote(known.remote)
    if known.branch is None:
        sentence = f"HEAD is detached at {known.commit[:12]}, which no remote is known to have"
        step = f"git switch -c NAME && git push -u {remote} NAME"
        return (Objection("unpushed", sentence, None, step),)
    sentence = f"no remote is known to have {known.commit[:12]}, the tip of {known.branch}"
    branch = shell_quote(known.branch)
    step = f"git push -u {remote} {branch}"
    if known.narrow:
        sentence += ", and this clone keeps no word of that branch"
        step = f"git remote set-branches --add {remote} {branch} && {step}"
    return (Objection("unpushed", sentence, None, step),)
