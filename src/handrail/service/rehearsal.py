"""Do the scripts of a preset still refuse? Each is tried out where everything fails.

Promises: a script that is gone from the commit, ends with 0 where everything fails, or does not
show what fails, is named. They are tried out as they lie in the working tree, with a launch line
that answers in Handrail's place: nothing of the repository is looked at or changed.

    rehearsed(bench, settings, files)      # one Outcome for each script
"""

from __future__ import annotations

import json

from handrail import errors
from handrail.config import Settings
from handrail.core.record import Record
from handrail.gates.gate import BLOCK, CANNOT_TELL, FAIL, PASS, Objection, Outcome
from handrail.gates.listing import Listing
from handrail.service.install.preset_files import presets_of
from handrail.text import shell_quote
from handrail.typed import Final, Protocol

TOLD: Final = "handrail check --self-test: this fails"
REPAIR: Final = "handrail init"


class Stage(Protocol):
    """Where scripts are tried out. What cannot be read or started is FactsUnavailable."""

    def here(self, path: str) -> bytes | None:
        """Return the bytes of a file of the working tree; None if there is none."""

    def rehearse(
        self, path: str, script: bytes, words: tuple[str, ...], launch: str
    ) -> tuple[int, str]:
        """Run a script with a launch line of one's own: its exit status, what it printed."""


class Play(Record):
    """A script, its words, and what it has to show of an answer in which everything fails."""

    path: str
    words: tuple[str, ...]
    answer: str = TOLD
    shows: tuple[str, ...] = (TOLD,)


def _of_suite(stage: str, tests: tuple[str, ...]) -> Play:
    """Let each test of a stage fail for a reason of its own."""
    why = {test: f"{TOLD}: {test}" for test in tests}
    plain = {"verdict": FAIL, "line": TOLD, "warnings": []}
    rows = [{**plain, "test": test, "name": test, "failures": [one]} for test, one in why.items()]
    answer = json.dumps({"format": 1, "stage": stage, "tests": rows})
    return Play(_SUITE, (f"--{stage}",), answer, tuple(f"  - {text}\n" for text in why.values()))


_SUITE: Final = ".mosaic/enforcement/handoff_validation_tests.py"
BEFORE: Final = (
    *("state-files", "production", "references", "git-status", "briefing", "blockers"),
)
AFTER: Final = ("state-readable", "message", "references", "production")
PLAYS: Final[dict[str, tuple[Play, ...]]] = {
    "lanes": (
        Play("scripts/check_tracking_contracts.py", ("--check",)),
        Play("scripts/check_fast.sh", ()),
        Play("scripts/check_all.sh", ()),
    ),
    "mosaic": (
        _of_suite("pre-handoff", BEFORE),
        _of_suite("post-handoff", AFTER),
        Play(".mosaic/enforcement/session-gate.sh", ()),
    ),
    "directive": (Play(".directive-cli/bin/dc", ("validate",)),),
}
"""By preset: what its documents call a gate."""


def rehearsed(bench: Stage, settings: Settings, files: Listing) -> list[Outcome]:
    """Try out the scripts of the presets in force; ``files`` are those of the commit."""
    presets = presets_of([one.format for one in settings.projections])
    return [_tried(bench, play, files) for preset in presets for play in PLAYS.get(preset, ())]


def _tried(bench: Stage, play: Play, files: Listing) -> Outcome:
    name = " ".join((play.path.rpartition("/")[2], *play.words))
    why = "" if play.path in files else "it is not in the commit"
    try:
        script = bench.here(play.path)
        if script is None:
            why = "it is not there"
        elif not why:
            why = _weakness(play, *bench.rehearse(play.path, script, play.words, _launch(play)))
    except errors.FactsUnavailable as error:
        return Outcome(name, CANNOT_TELL, BLOCK, reason=error.message.rstrip("."))
    if not why:
        return Outcome(name, PASS, BLOCK)
    step = f"{REPAIR} && git add -- {shell_quote(play.path)}"
    return Outcome(name, FAIL, BLOCK, (Objection("broken_gate", why, play.path, step),))


def _launch(play: Play) -> str:
    """Answer, and fail, whatever is asked."""
    return f"cat <<'ANSWER'\n{play.answer}\nANSWER\nexit 1\n"


def _weakness(play: Play, status: int, output: str) -> str:
    if status == 0:
        return "it ends with 0 where everything fails"
    missing = [text.strip() for text in play.shows if text not in output]
    return f"it does not show what fails: {missing[0]}" if missing else ""
