"""Commands of other systems under their own names, as their documents print them.

Promise: flags, lines and exit statuses are those of the documents; ``docs/guides`` lists where they
are not. The scripts that a preset brings start this by the launch line, or somebody types
``handrail compat NAME COMMAND …``; ``-C DIR`` names the folder to act in.

    run(["lanes", "agent-coord", "--status"])   # 0
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

SYSTEMS: Final = {
    "directive": "handrail.edge.compat.directive",
    "lanes": "handrail.edge.compat.lanes",
    "mosaic": "handrail.edge.compat.mosaic",
    "cooperation": "handrail.edge.compat.cooperation",
}
"""What each preset's commands are run by: a module with ``main(words, folder) -> int``."""
USAGE: Final = 2
BUG: Final = 70


def run(words: Sequence[str]) -> int:
    """Run one command of another system; returns the exit status."""
    folder, rest = os.curdir, list(words)
    if rest[:1] == ["-C"] and len(rest) > 1:
        folder, rest = rest[1], rest[2:]
    module = SYSTEMS.get(rest[0]) if rest else None
    if module is None:
        sys.stderr.write(f"usage: handrail compat {{{','.join(SYSTEMS)}}} COMMAND ...\n")
        return USAGE
    system = __import__(module, fromlist=["main"])
    try:
        status: int = system.main(rest[1:], folder)
        sys.stdout.flush()
    except SystemExit as end:  # argparse has said why
        return end.code if isinstance(end.code, int) else USAGE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read it has seen enough; nothing is left to be flushed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except Exception as error:  # noqa: BLE001 - the last door: nobody sees a traceback
        sys.stderr.write(f"handrail: bug: {type(error).__name__}: {error}\n")
        sys.stderr.write("  next: handrail doctor\n")
        return BUG
    return status
