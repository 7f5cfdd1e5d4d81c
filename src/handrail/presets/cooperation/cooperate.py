#!/usr/bin/env python3
# handrail:shim
"""Open, hand over, decide and show cooperations, as their documents print it.

Handrail answers. This file finds it by the launch line of this clone, and needs nothing but a plain
``python3`` of version 3.8 or later.

    python3 .cooperations/cooperate status
"""

import os
import sys

NAME = "cooperation"
INSTALL = "pipx install handrail && handrail init --preset cooperation"
TOLD = f"[{NAME}] this clone does not run Handrail; next: {INSTALL}"
LAUNCH = 'launch=$1 told=$2; shift 2; [ ! -r "$launch" ] || . "$launch"; echo "$told" >&2; exit 1'
BYTES_MAX = 8192


def text_of(path):  # type: (str) -> str
    """Return the one line of one of git's own files; '' if it cannot be read."""
    try:
        with open(path, "rb") as source:
            return os.fsdecode(source.read(BYTES_MAX)).rstrip("\n")
    except OSError:
        return ""


def common_folder(root):  # type: (str) -> str
    """Return the git folder that all working trees of a clone share; '' if ``root`` is none."""
    own = os.path.join(root, ".git")
    if not os.path.isdir(own):
        pointer = text_of(own)
        if not pointer.startswith("gitdir: "):
            return ""
        own = os.path.join(root, pointer[len("gitdir: ") :])
    shared = text_of(os.path.join(own, "commondir"))
    return os.path.join(own, shared) if shared else own


def main():  # type: () -> None
    """Let Handrail answer in place of this process."""
    root = os.path.dirname(os.path.abspath(__file__))
    while not common_folder(root) and root != os.path.dirname(root):
        root = os.path.dirname(root)
    launch = os.path.join(common_folder(root), "handrail", "launch")
    words = ["compat", "-C", root, NAME, *sys.argv[1:]]
    os.execv("/bin/sh", ["sh", "-c", LAUNCH, "sh", launch, TOLD, *words])


if __name__ == "__main__":
    main()
