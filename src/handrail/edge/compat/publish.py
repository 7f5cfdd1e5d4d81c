"""``check_fast.sh`` and ``check_all.sh``: prerequisites, tracking check, gates of a release.

Promise: both end with 0 only if everything passes and whoever runs them may publish. The gates are
those of stage ``publish``, run with the environment that the scripts were given (``RUN_UI_SMOKE``);
``TRACKING_CHECK_MODE`` is the mode of the tracking check, ``live`` where it is not set.

    check_publish("check-fast", "/repo")
"""

from __future__ import annotations

import os
import sys
from shutil import which
from typing import Final

from handrail import errors
from handrail.edge.checked import STATUS, as_text
from handrail.edge.cli.invocation import at_terminal
from handrail.edge.compat.surroundings import fail, opened, refused, tell
from handrail.edge.compat.tracking import MODES, check_tracking
from handrail.wiring.gates import Gates

NEEDED: Final = ("python3", "quarto", "rg")
STAGE: Final = "publish"


def check_publish(name: str, folder: str) -> int:
    """Run all that a release needs; returns the exit status."""
    mode = os.environ.get("TRACKING_CHECK_MODE") or "live"
    if mode not in MODES:
        return fail(name, f"TRACKING_CHECK_MODE is {mode}; it can be {', '.join(MODES)}")
    missing = [program for program in NEEDED if which(program) is None]
    if missing:
        return fail(name, f"missing prerequisites: {', '.join(missing)}")
    tell(f"[{name}] prerequisites OK")
    tracked = check_tracking(["--check", "--mode", mode], folder)
    session, agent = os.environ.get("AGENT_SESSION_ID", ""), os.environ.get("AGENT_ID", "")
    try:
        with opened(folder, session, agent, terminal=at_terminal()) as lanes:
            gating = Gates(lanes.application, folder, reruns=True).gating
            checked = gating.check(STAGE, tell=lambda line: tell(f"[{name}] {line}"))
    except errors.HandrailError as error:
        return refused(name, error)
    sys.stdout.write(as_text(checked).rstrip("\n") + "\n")
    if tracked or STATUS[checked.verdict]:
        return fail(name, "the checks do not pass")
    tell(f"[{name}] all checks passed")
    return 0
