r"""A script tried out where nothing is real: in a folder of its own, with a given launch line.

Promises: it is the top of an empty repository; the script runs under the interpreter that its users
have, without Handrail's session and without git's variables, for ``TIMEOUT_S`` at the most; the
folder is gone afterwards. What the script does elsewhere is its own: it runs with the rights of
whoever asks, as it always does.

    rehearse("scripts/check.sh", b"...", (), "echo no; exit 1")     # (1, "no\n")
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from handrail.errors import FactsUnavailable

TIMEOUT_S: Final = 30
OUTPUT_BYTES_MAX: Final = 1 << 20
LAUNCH: Final = ".git/handrail/launch"
_FOREIGN: Final = ("GIT_", "HANDRAIL_", "AGENT_")
_EXECUTABLE: Final = 0o755


def rehearse(path: str, script: bytes, words: Sequence[str], launch: str) -> tuple[int, str]:
    """Run a script as it lies at ``path``; returns its exit status and what it printed.

    Raises FactsUnavailable where it cannot be started or does not end.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_FOREIGN)}
    with TemporaryDirectory(prefix="handrail-rehearsal-") as folder:
        root = Path(folder).resolve()
        place = root / path
        for folder_of_git in ("objects", "refs"):
            (root / ".git" / folder_of_git).mkdir(parents=True)
        head = (root / ".git/HEAD", b"ref: refs/heads/main\n")
        for file, content in (head, (root / LAUNCH, launch.encode()), (place, script)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        place.chmod(_EXECUTABLE)
        try:
            done = subprocess.run(
                [_interpreter(path, script), str(place), *words],
                cwd=root,
                env={**kept, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise FactsUnavailable(what=path, reason=f"it was tried out: {error}") from error
    return done.returncode, done.stdout[:OUTPUT_BYTES_MAX].decode("utf-8", "replace")


def _interpreter(path: str, script: bytes) -> str:
    if path.endswith(".py") or b"python" in script.partition(b"\n")[0]:
        return shutil.which("python3") or sys.executable
    return "/bin/sh"
