r"""The hook ``pre-receive`` of a bare repository: a push is taken as a whole, or not at all.

Promises: whatever goes wrong here, the push is refused, and in one sentence it is said why; nothing
of the pusher's environment counts; nothing of what is pushed is executed. What is said reaches the
pusher's terminal: short lines, hostile text made visible, one next command.

    run(b"OLD NEW refs/heads/main\n")      # LANDS or STAYS_OUT
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE
from handrail.core.landing import PASS, REFUSED, Judgment
from handrail.edge.render import count
from handrail.service.evidence import UNENROLLED
from handrail.service.install.scripts import LANDS, STAYS_OUT
from handrail.service.receiving import SHORT, Received, Receiving
from handrail.service.verification import Verified
from handrail.text import shell_quote, visible
from handrail.wiring import Application, keep_what_counts

INPUT_BYTES_MAX: Final = 8 << 20
COLUMNS: Final = 96
"""``remote: `` stands before each line."""
SUBJECT_CHARS_MAX: Final = 60
WORD_CHARS_MAX: Final = 300
COMMITS_TOLD_MAX: Final = 10
REFS_TOLD_MAX: Final = 5
COMMITS_NAMED_MAX: Final = 50
NOTICED: Final = ("unattributed", "adoption")
WHO_ENROLS: Final = (
    f"note: a {CONFIG_FILE} that enrols a store is signed by a person whom the base names, or"
    " landed by a clone that is enrolled already; another branch takes it there"
)
ATTESTABLE: Final = ("unseen", "unattested", "unattributed_refused")


def run(stdin: bytes) -> int:
    """Answer git's ``pre-receive`` and say why; returns LANDS or STAYS_OUT, never raises."""
    application: Application | None = None
    try:
        keep_what_counts(os.environ)
        application = Application.open_bare(os.environ["GIT_DIR"], {})
        received = Receiving(application.sources, application.arrivals).judge(_lines(stdin))
        told = list(_told(received))
        status = LANDS if received.taken else STAYS_OUT
    except Exception as error:  # noqa: BLE001 - whatever it was, nobody judged the push
        told, status = list(_untold(error)), STAYS_OUT
    for line in told:
        sys.stderr.write(line + "\n")
    if application is not None:
        if status != LANDS:
            application.hook_log.write("receive", "refused", "; ".join(map(str.strip, told[:3])))
        application.close()
    return status


def _lines(stdin: bytes) -> list[str]:
    """Read the lines of git; what was cut off on the way is none."""
    if len(stdin) > INPUT_BYTES_MAX or not stdin.endswith(b"\n"):
        reason = f"what git says of it does not end, or takes more than {INPUT_BYTES_MAX} bytes"
        raise errors.FactsUnavailable(what="the push", reason=reason)
    return stdin.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")


# --- what is said --------------------------------------------------------------------------------


def _untold(error: Exception) -> Iterator[str]:
    """Say that it could not be told whether the push may go in."""
    if not isinstance(error, errors.HandrailError):
        error = errors.Bug(detail=visible(f"{type(error).__name__}: {error}")[:WORD_CHARS_MAX])
    yield "handrail: the push was refused, because it cannot be told whether it may land"
    yield from _wrapped(f"{error.code}: {error.message}", "    ")
    if error.next:
        yield f"  next, where the repository is kept: {error.next}"


def _told(received: Received) -> Iterator[str]:
    """Say what stands in the way, else what somebody should know."""
    if received.objections:
        yield "handrail: the push was refused, and nothing of it was taken"
        for one in received.objections[:COMMITS_TOLD_MAX]:
            yield f"  {_short(one.ref, WORD_CHARS_MAX)}"
            yield from _wrapped(f"{one.code}: {one.sentence}", "    ")
        yield from _more(len(received.objections) - COMMITS_TOLD_MAX)
        yield f"  next: {received.objections[0].next}"
        return
    if received.verified is not None:
        yield from _judged(received, received.verified)
        yield from _lacking(received, received.verified)
    if received.taken:
        for note in received.notes[:REFS_TOLD_MAX]:
            yield from _wrapped(f"handrail: {visible(note)}", "")
        named = {note.split(" ", 1)[0] for note in received.notes}
        yield from _unjudged([ref for ref in received.unjudged if ref not in named])


def _judged(received: Received, verified: Verified) -> Iterator[str]:
    judgments = verified.judgments
    bad = [one for one in judgments if one.verdict != PASS]
    noticed = [one for one in judgments if one.code in NOTICED]
    if bad and not received.taken:
        yield (
            "handrail: the push was refused, and nothing of it was taken:"
            f" {len(bad)} of {count(len(judgments), 'commit')} may not land"
        )
    elif bad:
        yield (
            f"handrail: {len(bad)} of {count(len(judgments), 'commit')} would not land;"
            f" the base says {verified.mode}, so they do"
        )
    elif noticed:
        yield f"handrail: {len(noticed)} of {count(len(judgments), 'commit')} to know of:"
    for one in (bad or noticed)[:COMMITS_TOLD_MAX]:
        yield from _about(one)
    yield from _more(len(bad or noticed) - COMMITS_TOLD_MAX)
    for doubt in verified.doubts[:REFS_TOLD_MAX] if bad else ():
        yield from _wrapped(f"note: {visible(doubt.sentence)}", "  ")
    if _enrolling(bad, verified) is not None:
        yield from _wrapped(WHO_ENROLS, "  ")
    if bad:
        yield f"  next: {_next(bad, verified)}"


def _lacking(received: Received, verified: Verified) -> Iterator[str]:
    if not received.lacking:
        return
    if received.taken:
        yield f"handrail: gates lack a receipt; the base says {verified.mode}, so it goes in"
    else:
        yield "handrail: the push was refused, and nothing of it was taken: gates lack a receipt"
    for one in received.lacking[:COMMITS_TOLD_MAX]:
        yield f"  {_short(one.ref, WORD_CHARS_MAX)}"
        yield from _wrapped(f"{one.code}: {one.sentence}", "    ")
    yield from _more(len(received.lacking) - COMMITS_TOLD_MAX)
    yield f"  next: {received.lacking[0].next}"


def _about(one: Judgment) -> Iterator[str]:
    yield f"  {one.commit[:SHORT]} {_short(one.subject, SUBJECT_CHARS_MAX)}"
    where = "" if one.path is None else f"{_short(one.path, WORD_CHARS_MAX)}: "
    yield from _wrapped(f"{one.code}: {where}{one.sentence}", "    ")


def _unjudged(refs: Sequence[str]) -> Iterator[str]:
    if refs:
        names = ", ".join(_short(ref, SUBJECT_CHARS_MAX) for ref in refs[:REFS_TOLD_MAX])
        more = f" and {len(refs) - REFS_TOLD_MAX} more" if len(refs) > REFS_TOLD_MAX else ""
        yield from _wrapped(f"handrail: not protected, so not judged: {names}{more}", "")


def _next(bad: Sequence[Judgment], verified: Verified) -> str:
    """Return the one command that leads on from the first kind of objection there is."""
    if any(one.code == "no_ledger" for one in bad):
        return "handrail ledger sync && git push"
    stranger = _enrolling(bad, verified)
    if stranger is not None:
        return f"git push origin HEAD:refs/heads/enroll-{stranger}"
    plain = [one for one in bad if one.code in ATTESTABLE and one.commit not in verified.to_redo]
    short = [one.commit[:SHORT] for one in plain[:COMMITS_NAMED_MAX]]
    if len(short) == 1:
        return f"handrail attest {short[0]} && git push"
    if short:
        return f"echo {' '.join(short)} | xargs -n 1 handrail attest && git push"
    first = next((one for one in bad if one.verdict == REFUSED), bad[0])
    if first.code == "no_ledger":
        return "handrail ledger sync && git push" if verified.doubts else "handrail enroll"
    if first.commit in verified.to_redo and verified.base is not None:
        return f"git rebase {verified.base[:SHORT]} && git push"
    if first.path is not None and first.verdict == REFUSED:
        return f"handrail why {shell_quote(first.path)}"
    return "handrail log"


def _enrolling(bad: Sequence[Judgment], verified: Verified) -> str | None:
    """Return the epoch that seems to enrol itself, which no attestation of its own helps."""
    if not any(one.code == "unseen" and one.path == CONFIG_FILE for one in bad):
        return None
    strangers = (doubt.epoch for doubt in verified.doubts if doubt.fault == UNENROLLED)
    return next(strangers, None)


def _more(number: int) -> Iterator[str]:
    if number > 0:
        yield f"  and {number} more"


def _short(text: str, limit: int) -> str:
    """Return hostile text made visible, a long one by its two ends."""
    shown = visible(text)
    return shown if len(shown) <= limit else f"{shown[: limit // 2]}…{shown[-limit // 2 :]}"


def _wrapped(text: str, indent: str) -> list[str]:
    """Break a sentence into lines; a long word stays in one piece, to be copied."""
    lines = textwrap.wrap(text, COLUMNS - len(indent), break_long_words=False)
    return [f"{indent}{line}" for line in lines]
