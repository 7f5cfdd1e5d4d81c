"""Which clone this is, for a store that serves several: no two of them have one name.

The name is the host's and six characters of a digest over what no other clone shares: something
random that lies beside the clone's secrets, the host, and where the clone lies. So a clone that was
copied, to another folder or to another host, is another clone.

    clone_name("/repo/.git/handrail", "/repo/.git", "ada-laptop")     # "ada-laptop-x3k9qa"
"""

from __future__ import annotations

import os

from handrail.core.digest import sha256
from handrail.core.names import plain_name
from handrail.errors import StoreCorrupt
from handrail.facts.files import create_file, read_bounded, unwritten
from handrail.typed import Final

NAME: Final = "clone"
HOST_CHARS_MAX: Final = 24
_BYTES: Final = 32


def clone_name(state_dir: str, common_dir: str, host: str) -> str:
    """Return the name of the clone that keeps its secrets in ``state_dir``; made once.

    Raises StoreReadOnly, DiskFull where it cannot be kept, StoreCorrupt where it was changed.
    """
    path = os.path.join(state_dir, NAME)
    kept = read_bounded(path, 2 * _BYTES + 1)
    if kept is None:
        try:
            os.makedirs(state_dir, mode=0o700, exist_ok=True)
        except OSError as error:
            raise unwritten(state_dir, error) from error
        create_file(path, os.urandom(_BYTES).hex().encode("ascii") + b"\n", state_dir)
        kept = read_bounded(path, 2 * _BYTES + 1)
    if kept is None or len(kept) != 2 * _BYTES + 1:
        raise StoreCorrupt(path=path, reason="it is not what was written there")
    where = os.fsencode(os.path.realpath(common_dir))
    digest = sha256(b"\0".join((kept, os.fsencode(host), where))).hexdigest()
    shown = plain_name(host)[:HOST_CHARS_MAX].lstrip(".-") or "host"
    return f"{shown}-{digest[:6]}"
