"""``demo``."""

from __future__ import annotations

import os
import sys

from handrail import errors
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import write
from handrail.edge.demo.narrator import Narrator
from handrail.edge.demo.perform import Outcome, perform, verdict
from handrail.edge.demo.scenes import SCENES
from handrail.edge.reply import Data, Reply


def demo(invocation: Invocation) -> Reply:
    """Play every scene, telling as it goes."""
    quiet = invocation.flag("quiet")
    silent = quiet or invocation.flag("json")
    narrator = Narrator(_nowhere if silent else write, colour=_colour(), signs=_signs())
    outcome = perform(SCENES, narrator, keep=invocation.flag("keep"))
    return answer(outcome)._replace(text=verdict(outcome) if quiet else "")


def answer(outcome: Outcome) -> Reply:
    """Return what the demo answers: refused unless every promise held."""
    data: Data = {
        "kept": not outcome.broken,
        "broken": list(outcome.broken),
        "scenes": [scene._asdict() for scene in outcome.played],
        "seconds": round(outcome.seconds, 3),
        "left": outcome.left,
    }
    return Reply(data, status=errors.EXIT_REFUSED if outcome.broken else errors.EXIT_DONE)


def _nowhere(text: str) -> None:
    """Tell nobody."""


def _colour() -> bool:
    """Colour is for a terminal that can, unless its reader asked for none."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return not plain and sys.stdout is not None and sys.stdout.isatty()


def _signs() -> bool:
    """Tell whether stdout can show a check mark."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        "✓✗".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
