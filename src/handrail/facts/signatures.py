"""Who signed a commit: asked of git and ssh-keygen, with the keys that the caller trusts.

Promises: neither the repository's configuration nor the user's is read, so nobody's own list of
allowed signers counts; only SSH signatures are looked at. Without ``ssh-keygen`` the answer is
FactsUnavailable, never "not signed".

    signers(git, ["9f2c…"], {"ssh-ed25519 AAAA…": "Ada"})
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

from handrail.errors import FactsUnavailable
from handrail.facts.neutral import Neutral
from handrail.typed import Final

PROGRAM: Final = "ssh-keygen"
GOOD: Final = "G"


def signers(git: Neutral, commits: Sequence[str], keys: Mapping[str, str]) -> dict[str, str]:
    """Return the name behind the key that signed each commit; without those nobody here signed."""
    if not commits or not keys:
        return {}
    program = shutil.which(PROGRAM)
    if program is None:
        raise FactsUnavailable(what="an SSH signature", reason=f"{PROGRAM} is not installed")
    allowed = os.path.join(git.folder, "allowed-signers")
    names = list(keys.values())
    with open(allowed, "w", encoding="ascii", errors="backslashreplace") as file:
        for place, key in enumerate(keys):
            # A name could break out of its field; a number cannot.
            file.write(f'{place} namespaces="git" {" ".join(key.split()[:2])}\n')
    config = [
        f"gpg.ssh.allowedSignersFile={allowed}",
        f"gpg.ssh.program={program}",
        f"gpg.program={os.devnull}",
        f"gpg.x509.program={os.devnull}",
    ]
    words = ["log", "--no-walk=unsorted", "--stdin", "-z", "--no-patch"]
    asked = "".join(f"{one}\n" for one in commits).encode("ascii")
    said = git.ask([*words, "--format=%H %G? %GS"], asked, config)
    found = {}
    for line in said.decode("utf-8", "replace").split("\0"):
        commit, _, rest = line.strip("\n").partition(" ")
        trust, _, number = rest.partition(" ")
        if trust == GOOD and number.isdigit() and int(number) < len(names):
            found[commit] = names[int(number)]
    return found
