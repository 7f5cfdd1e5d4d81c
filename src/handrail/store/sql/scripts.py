"""The SQL scripts that lead tables from one format to the next.

scripts_in("…/migrations")     # {1: "CREATE TABLE …", 2: "…"}
"""

from __future__ import annotations

import os


def scripts_in(folder: str) -> dict[int, str]:
    """Return the scripts of a folder by the number of the format that they lead to."""
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".sql"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found[int(name[:4])] = file.read()
    return found
