"""Which file system a store would lie on, and whether its locks can be trusted.

NFS, CIFS, 9p and FUSE are refused by name: their locks are missing, advisory between hosts, or
differ by mount option, and WAL needs shared memory that they do not share.

    >>> kind_of("/mnt/x/y", "36 25 0:30 / /mnt/x rw - nfs4 server:/ rw")
    'nfs4'
"""

from __future__ import annotations

import errno
import os

from handrail.errors import DiskFull, NetworkFileSystem, StoreReadOnly

_MOUNTS = "/proc/self/mountinfo"
_REFUSED = ("nfs", "cifs", "smb", "9p", "fuse", "afs", "ceph", "gfs", "lustre", "glusterfs")


def refuse_network(path: str) -> None:
    """Raise NetworkFileSystem if ``path`` (which need not exist yet) lies on one."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            mounts = file.read()
    except OSError:
        return
    kind = kind_of(os.path.realpath(path), mounts)
    if kind.startswith(_REFUSED):
        raise NetworkFileSystem(path=path, filesystem=kind)


def unwritable(path: str, error: OSError) -> DiskFull | StoreReadOnly:
    """Say why nothing can be written for the store at ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(path=path)
    return StoreReadOnly(path=path, reason=error.strerror)


def kind_of(path: str, mountinfo: str) -> str:
    """Return the type of the file system that holds an absolute path; '' if none does.

    ``mountinfo`` is in the format of proc(5). Of two mounts on one point the later one counts.
    """
    best, kind = "", ""
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 5:
            continue
        point = _unescaped(fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, after.split(" ", 1)[0]
    return kind


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    for code in (" ", "\t", "\n", "\\"):
        text = text.replace(f"\\{ord(code):03o}", code)
    return text
