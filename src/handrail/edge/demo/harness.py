r"""Stands where a coding harness stands: a process that lives as long as its agent's session.

It is started as a file of its own. Each line of its stdin is a JSON object that says what to run,
in which folder and with which stdin; each line of its stdout says how that ended. So every hook and
every git command of an agent has the same process above it, as under a real harness.

    {"argv": ["git", "status"], "cwd": "/repo", "stdin": ""}
    {"status": 0, "out": "On branch main\n", "err": ""}
"""

import json
import subprocess
import sys


def main() -> None:
    """Run what is asked for until stdin ends."""
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        done = subprocess.run(
            asked["argv"],
            cwd=asked["cwd"],
            input=asked["stdin"].encode(),
            capture_output=True,
            check=False,
        )
        told = {
            "status": done.returncode,
            "out": done.stdout.decode("utf-8", "replace"),
            "err": done.stderr.decode("utf-8", "replace"),
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
