r"""Three versions of a text merged as git merges them.

Promises: git's own `merge-file`, whose input is bytes of any kind but binary ones; nothing of the
repository is read or written.

    merge_text(b"a\n", b"", b"b\n", size=7).decode().split()[0]
"""

from __future__ import annotations

import os
import tempfile
from typing import Final

from handrail.errors import FactsUnavailable
from handrail.facts.files import grown
from handrail.facts.git import ask

CONFLICTS_MAX: Final = 127
"""What `git merge-file` exits with at most for conflicts; what is above is a failure."""


def merge_text(ours: bytes, base: bytes, theirs: bytes, *, size: int) -> bytes:
    """Return the merged text, with signs of this size around what is in conflict, base included.

    Raises FactsUnavailable for what is no text.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="handrail-", ignore_cleanup_errors=True) as folder:
            for name, content in (("ours", ours), ("base", base), ("theirs", theirs)):
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(content)
            words = ["merge-file", "-p", "--diff3", f"--marker-size={size}"]
            names = [word for name in ("ours", "base", "theirs") for word in ("-L", name)]
            fine = range(CONFLICTS_MAX + 1)
            return ask(folder, [*words, *names, "ours", "base", "theirs"], fine=fine)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FactsUnavailable(what="git merge-file", reason=reason) from error


def replace_ours(path: str, content: bytes) -> None:
    """Put a merged text in the place of ours, whole or not at all; raises StoreReadOnly, DiskFull.

    git names the file and takes it away again.
    """
    half = f"{path}.{os.getpid()}.part"
    with grown(half, content, path, lasting=False):
        os.replace(half, path)
