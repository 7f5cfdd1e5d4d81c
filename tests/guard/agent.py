"""Stands where a coding harness stands: a process that lives as long as a session and runs hooks.

``python agent.py`` reads one JSON object a line: what to run, with which stdin, where; it answers
each with exit status, stdout and stderr. So hooks find the same ancestor each time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

TIMEOUT_S = 60


def main() -> None:
    """Run what is asked for until stdin ends."""
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        done = subprocess.run(
            asked["argv"],
            input=bytes.fromhex(asked["stdin"]),
            cwd=asked["cwd"],
            env={**os.environ, **asked["env"]},
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        answer = {"code": done.returncode, "out": done.stdout.hex(), "err": done.stderr.hex()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
