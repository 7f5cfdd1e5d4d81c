"""What the scripts of the preset ``mosaic`` ask for: facts for the validator, the session gate.

Promises: ``facts`` answers with one JSON object in ASCII on stdout, a refusal as ``{"error": …}``,
and judges nothing by itself; ``session-gate`` prints the documented lines in UTF-8 whatever the
locale, and ends with 0 only where all checks passed. Neither writes anything but the receipts of
command gates.

    main(["facts", "--stage", "pre-handoff"], "/repo")
    # {"format": 1, "stage": "pre-handoff", "tests": [{"test": "state-files", …}, …]}
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from handrail import errors
from handrail.edge.cli.output import dump, error_data, say, write, write_bytes
from handrail.text import visible

if TYPE_CHECKING:
    from handrail.service.suite import Suite, Told
    from handrail.wiring import Application

FORMAT: Final = 1
USAGE: Final = "usage: handrail compat mosaic {facts --stage STAGE,session-gate}"
PASSED, FAILED, MALFORMED = 0, 1, 2


def main(words: Sequence[str], folder: str) -> int:
    """Answer one of the scripts; returns its exit status."""
    asked = list(words)
    if asked == ["session-gate"]:
        return _acted(folder, _session_gate, _refused_gate)
    if asked[:2] == ["facts", "--stage"] and asked[2:] and asked[2] in STAGES and not asked[3:]:
        stage = asked[2]
        return _acted(folder, lambda suite: _facts(suite, stage), _refused_facts)
    say(USAGE)
    return MALFORMED


def _before(suite: Suite) -> Told:
    return suite.before(lambda line: say(f"handrail: {visible(line)}"))


STAGES: Final[dict[str, Callable[[Suite], Told]]] = {
    "pre-handoff": _before,
    "post-handoff": lambda suite: suite.after(),
    "commit": lambda suite: suite.commit(),
}


def _acted(
    folder: str, act: Callable[[Suite], int], refused: Callable[[errors.HandrailError], int]
) -> int:
    """Do something with the suite of the repository around a folder."""
    from handrail.wiring import Application

    application: Application | None = None
    try:
        application = Application.open(folder, os.environ, terminal=False)
        return act(suite_of(application, folder))
    except errors.HandrailError as error:
        return refused(error)
    finally:
        if application is not None:
            application.close()


def suite_of(application: Application, folder: str) -> Suite:
    """Return the suite of the repository around a folder."""
    from handrail.service.suite import Suite
    from handrail.wiring.gates import Gates

    gates = Gates(application, os.path.abspath(folder))
    return Suite(application.context, gates.bench, gates.gating, gates.around())


def _facts(suite: Suite, stage: str) -> int:
    told = STAGES[stage](suite)
    rows = [row._asdict() for row in told.rows]
    write(dump({"format": FORMAT, "stage": told.stage, "tests": rows}) + "\n")
    return PASSED if told.passed else FAILED


def _refused_facts(error: errors.HandrailError) -> int:
    write(dump({"error": error_data(error)}) + "\n")
    return error.exit_status


def _session_gate(suite: Suite) -> int:
    passed, lines = suite.session_gate()
    _print(lines)
    return PASSED if passed else FAILED


def _refused_gate(error: errors.HandrailError) -> int:
    step = (f"   Next: {error.next}",) if error.next else ()
    _print((f"❌ SESSION GATE: nobody can tell: {error.message} ({error.code})", *step))
    return FAILED


def _print(lines: Sequence[str]) -> None:
    text = "\n".join(lines) + "\n"
    sys.stdout.flush()
    write_bytes([text.encode("utf-8", "replace")])
