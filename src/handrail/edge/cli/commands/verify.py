"""``verify``."""

from __future__ import annotations

import sys

from handrail import errors
from handrail.config import CONFIG_FILE
from handrail.core.landing import CANNOT_TELL, CODES, PASS, REFUSED, Judgment
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import dump
from handrail.edge.findings import Case, Finding, chosen_format, junit, sarif, workflow_commands
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.court import ENFORCE
from handrail.service.evidence import ABSENT, UNENROLLED
from handrail.service.verification import Verification, Verified
from handrail.text import shell_quote, visible
from handrail.typed import Final

INPUT_BYTES_MAX: Final = 1 << 20
SHORT: Final = 12
STATUS: Final = {PASS: 0, REFUSED: errors.EXIT_REFUSED, CANNOT_TELL: errors.EXIT_UNAVAILABLE}
LEVELS: Final = {PASS: "note", REFUSED: "error", CANNOT_TELL: "warning"}
NOTICED: Final = ("unattributed", "adoption")
"""Codes that pass, and of which somebody should know."""
ATTESTABLE: Final = ("unseen", "unattested", "unattributed_refused")
TOLD_MAX: Final = 50
USUAL: Final = (UNENROLLED, ABSENT)
"""What is wrong with ledgers in ordinary times: worth a word only where something does not land."""


def verify(invocation: Invocation) -> Reply:
    """Judge the commits of ranges, or of a push."""
    form = chosen_format(invocation)
    ranges = invocation.words("range")
    verification = Verification(invocation.application.sources)
    if invocation.flag("stdin"):
        if ranges or invocation.text("base"):
            reason = "Name the commits either as ranges or on stdin, which brings its own base."
            raise errors.Usage(reason=reason, next="handrail verify --help")
        verified = verification.verify_updates(_lines())
    else:
        verified = verification.verify(ranges, invocation.text("base"))
    data, notes = _data(verified), _notes(verified)
    binding = verified.mode == ENFORCE
    status = STATUS[verified.verdict if binding else _untold(verified)]
    if form == "json":
        return Reply(data, dump(data), notes, status)
    told = [_finding(one, binding=binding) for one in verified.judgments if _telling(one)]
    if form == "sarif":
        rules = {code: text for code, (_, text) in CODES.items()}
        return Reply(data, dump(sarif(told, rules, CONFIG_FILE)), notes, status)
    if form == "junit":
        cases = [_case(one) for one in verified.judgments]
        return Reply(data, junit("handrail verify", cases), notes, status)
    if form == "github":
        return Reply(data, workflow_commands(told), notes, status)
    return Reply(data, text_of(verified), notes, status)


def _untold(verified: Verified) -> str:
    """Return the verdict where nothing is refused: what cannot be told is no pass there either."""
    unsure = any(one.verdict == CANNOT_TELL for one in verified.judgments)
    return CANNOT_TELL if unsure else PASS


def _notes(verified: Verified) -> tuple[str, ...]:
    notes = [
        f"note: {visible(ref)} is not protected and was not judged" for ref in verified.skipped
    ]
    usual = USUAL if verified.verdict == PASS else ()
    notes += [f"note: {visible(one.sentence)}" for one in verified.doubts if one.fault not in usual]
    if verified.verdict == REFUSED and verified.mode != ENFORCE:
        notes.append(f"note: the base says {verified.mode} for landing, so nothing is refused")
    return tuple(notes)


def _lines() -> list[str]:
    """Read what git gives to a hook."""
    try:
        raw = sys.stdin.buffer.read(INPUT_BYTES_MAX + 1) if sys.stdin is not None else b""
    except (OSError, ValueError) as error:
        raise errors.FactsUnavailable(what="stdin", reason=str(error)) from error
    if len(raw) > INPUT_BYTES_MAX:
        reason = f"it is longer than {INPUT_BYTES_MAX} bytes"
        raise errors.MalformedRange(range="stdin", reason=reason, next="handrail verify --help")
    return raw.decode("utf-8", "surrogateescape").split("\n")


def _telling(judgment: Judgment) -> bool:
    return judgment.verdict != PASS or judgment.code in NOTICED


def _data(verified: Verified) -> Data:
    commits = [
        {
            "commit": judgment.commit,
            "subject": judgment.subject,
            "verdict": judgment.verdict,
            "code": judgment.code,
            "path": judgment.path,
            "message": judgment.sentence,
        }
        for judgment in verified.judgments
    ]
    return {
        "verdict": verified.verdict,
        "base": verified.base,
        "mode": verified.mode,
        "commits": commits,
        "skipped": list(verified.skipped),
        "doubts": [one._asdict() for one in verified.doubts],
        "next": _next(verified),
    }


def _finding(judgment: Judgment, *, binding: bool) -> Finding:
    message = f"{judgment.commit[:SHORT]} {judgment.subject}: {judgment.sentence}"
    return Finding(
        judgment.code,
        LEVELS[judgment.verdict if binding or judgment.verdict == PASS else CANNOT_TELL],
        visible(message),
        judgment.path,
        judgment.commit,
    )


def _case(judgment: Judgment) -> Case:
    name = f"{judgment.commit[:SHORT]} {judgment.subject}"
    code = None if judgment.verdict == PASS else judgment.code
    where = "" if judgment.path is None else f"{judgment.path}: "
    return Case(name, code, where + judgment.sentence, judgment.verdict != CANNOT_TELL)


def text_of(verified: Verified) -> str:
    """Write what was judged, for people."""
    lines = []
    for judgment in verified.judgments:
        if _telling(judgment):
            word = "note" if judgment.verdict == PASS else judgment.verdict
            lines.append(f"{word}: {judgment.commit[:SHORT]} {visible(judgment.subject)}")
            where = "" if judgment.path is None else f"{visible(judgment.path)}: "
            lines.append(f"    {judgment.code}: {where}{judgment.sentence}")
    lines.append(_summary(verified))
    step = _next(verified)
    return "\n".join([*lines, f"next: {step}"] if step else lines)


def _summary(verified: Verified) -> str:
    if not verified.judgments:
        return "no commits to judge"
    numbers: dict[str, int] = {}
    for judgment in verified.judgments:
        numbers[judgment.code] = numbers.get(judgment.code, 0) + 1
    codes = ", ".join(f"{number} {code}" for code, number in sorted(numbers.items()))
    answer = {PASS: "may land", REFUSED: "may not land", CANNOT_TELL: "cannot be judged"}
    return f"{count(len(verified.judgments), 'commit')} {answer[verified.verdict]}: {codes}"


def _next(verified: Verified) -> str | None:
    """Return the one command that leads on from the first kind of objection there is."""
    bad = [judgment for judgment in verified.judgments if judgment.verdict != PASS]
    if any(judgment.code == "no_ledger" for judgment in bad):
        return "handrail ledger sync"
    plain = [
        judgment.commit
        for judgment in bad
        if judgment.code in ATTESTABLE and judgment.commit not in verified.to_redo
    ]
    if len(plain) == 1:
        return f"handrail attest {plain[0][:SHORT]}"
    if plain:
        short = " ".join(commit[:SHORT] for commit in plain[:TOLD_MAX])
        return f"echo {short} | xargs -n 1 handrail attest"
    if not bad:
        return None
    first = bad[0]
    if first.commit in verified.to_redo and verified.base is not None:
        return f"git rebase {verified.base[:SHORT]}"
    if first.path is not None and first.verdict == REFUSED:
        return f"handrail why {shell_quote(first.path)}"
    return "handrail log"
