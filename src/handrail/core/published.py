"""A ledger as it lies in a git ref: the files of a commit's tree, as bytes and back.

Promises (format 1, frozen with the first release that writes it):

- a tree holds ``format``, ``head``, ``checkpoint`` and ``segments/00000001`` and so on; each
  segment but the last holds exactly 4096 entries, a row each as in an export;
- ``head`` names the newest entry, and the checkpoint by its SHA-256; these two lines are what is
  signed, behind a line that says what they are for;
- ``checkpoint`` says who holds what after the last full segment: the configuration in force, live
  sessions, leases; equal states give equal bytes;
- whatever is read here has bounds and one spelling: what would be written otherwise, or is larger,
  is Garbled, and nothing else is raised.

Not promised: that what can be read is true. Signature, chain and older heads are checked by
``handrail.service.published``.

    >>> segment_name(segment_of(4097))
    '00000002'
    >>> epoch_of("refs/remotes/origin/handrail/ledger/3fk2")
    '3fk2'
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from handrail.core.digest import sha256
from handrail.core.lease import EXCLUSIVE, LOCAL, Lease, Session
from handrail.core.ledger import (
    GENESIS,
    Entry,
    Head,
    format_head,
    is_epoch,
    is_hash,
    read_header,
)
from handrail.core.ledger import parse_head as _parse_head
from handrail.core.record import Record
from handrail.core.scope import parse_pattern, stored_pattern
from handrail.core.state import State
from handrail.errors import MalformedScope, MalformedToken, NewerFormat
from handrail.typed import Any, Final

FORMAT: Final = 1
LEDGERS: Final = "refs/handrail/ledger/"
BRANCHES: Final = "refs/heads/handrail/ledger/"
"""Where a ledger goes on a host that takes no refs of other kinds."""
TRACKED: Final = "refs/remotes/"

SEGMENT_ENTRIES: Final = 4_096
SEGMENTS_MAX: Final = 20_000
SEGMENT_BYTES_MAX: Final = 64 << 20
CHECKPOINT_BYTES_MAX: Final = 64 << 20
SMALL_BYTES_MAX: Final = 16 << 10
"""Of ``format`` and of ``head``, key and signature included."""
LEDGER_BYTES_MAX: Final = 1 << 30
"""Of all files of one commit."""
COMMITS_MAX: Final = 200_000
"""Of the history of one ref: one commit for each time that it was synced."""

CONTEXT: Final = b"handrail ledger head\n"
_NUMBER_MAX: Final = 1 << 62
_compact: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


class Garbled(ValueError):
    """A published ledger is not one; the text says why, as the end of a sentence."""


class CutShort(Garbled):
    """The segments end before the head that stands beside them."""


class Blob(Record):
    """A file of a tree: its object id and its size."""

    id: str
    bytes: int


class Shape(Record):
    """What lies in a commit: the two small files themselves, where the others are."""

    format: bytes
    head: bytes
    checkpoint: Blob
    segments: tuple[Blob, ...]


class HeadFile(Record):
    """The file ``head``; key (``TYPE BASE64``) and signature stand both or neither."""

    epoch: str
    head: Head
    checkpoint_seq: int
    checkpoint_digest: str
    key: str | None = None
    signature: bytes | None = None

    @property
    def signed(self) -> bytes:
        """What a signature is over."""
        return signed_bytes(head_text(*self[:4]))


def epoch_of(ref: str) -> str | None:
    """Return what a ref that may hold a ledger says of its epoch; None for any other ref."""
    for place in (LEDGERS, BRANCHES):
        if ref.startswith(place):
            return ref.removeprefix(place)
    if ref.startswith(TRACKED):
        remote, found, epoch = ref.removeprefix(TRACKED).partition("/handrail/ledger/")
        return epoch if found and remote and "/" not in remote else None
    return None


# --- format and head -----------------------------------------------------------------------------


def format_text(epoch: str) -> bytes:
    """Write the file ``format``."""
    return f"handrail-ledger-ref {FORMAT} {epoch}\n".encode("ascii")


def check_format(data: bytes, epoch: str) -> None:
    """Raise Garbled unless this is the file ``format`` of that epoch's ledger."""
    words = _words(data, "format", 1)[0]
    _check_version(words, "handrail-ledger-ref", "format")
    if words[2] != epoch:
        reason = f"it is the ledger of epoch {words[2]}" if is_epoch(words[2]) else "no epoch"
        raise Garbled(f"{reason} by its file format")
    if data != format_text(epoch):
        raise Garbled("its file format is none")


def head_text(epoch: str, head: Head, checkpoint_seq: int, checkpoint_digest: str) -> bytes:
    """Write the two lines of ``head`` that are signed (see ``signed_bytes``)."""
    first = f"handrail-head {FORMAT} {format_head(epoch, head)}"
    return f"{first}\ncheckpoint {checkpoint_seq} {checkpoint_digest}\n".encode("ascii")


def signed_bytes(text: bytes) -> bytes:
    """Return what a signature is over: ``head_text`` behind what tells it from all else."""
    return CONTEXT + text


def render_head(file: HeadFile) -> bytes:
    """Write the file ``head``."""
    text = head_text(*file[:4])
    if file.key is None or file.signature is None:
        return text
    from base64 import b64encode

    return b"%bkey %b\nsignature %b\n" % (text, file.key.encode(), b64encode(file.signature))


def parse_head(data: bytes) -> HeadFile:
    """Read the file ``head``; raises Garbled."""
    rows = _words(data, "head", 2, 4)
    _check_version(rows[0], "handrail-head", "head")
    try:
        epoch, head = _parse_head(rows[0][2])
    except MalformedToken:
        raise Garbled("its file head names no entry") from None
    seq, digest = (*rows[1][1:], "", "")[:2]
    full = head.seq - head.seq % SEGMENT_ENTRIES
    if rows[1][0] != "checkpoint" or seq != str(full) or not is_hash(digest):
        raise Garbled(f"its file head names no checkpoint after entry {full}")
    file = HeadFile(epoch, head, full, digest)
    if len(rows) == 4:
        file = file._replace(key=" ".join(rows[2][1:]), signature=_decoded(rows[3][-1]))
    if render_head(file) != data or (file.key is not None and len(rows[2]) != 3):
        raise Garbled("its file head is not written as format 1 writes it")
    return file


def _decoded(text: str) -> bytes:
    from base64 import b64decode

    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise Garbled("the signature in its file head is no Base64") from None


def _words(data: bytes, name: str, *lines: int) -> list[list[str]]:
    """Split a small file into lines and words."""
    if len(data) > SMALL_BYTES_MAX:
        raise Garbled(f"its file {name} has more than {SMALL_BYTES_MAX} bytes")
    if not data.isascii() or not data.endswith(b"\n") or data.count(b"\n") not in lines:
        raise Garbled(f"its file {name} is none")
    return [line.split(" ") for line in data.decode("ascii").removesuffix("\n").split("\n")]


def _check_version(words: Sequence[str], magic: str, name: str) -> None:
    version = words[1] if len(words) > 1 else ""
    known = words[0] == magic and version.isdigit() and len(version) < 10
    if known and int(version) > FORMAT:
        raise Garbled(f"its file {name} has format {version}, and this Handrail reads {FORMAT}")
    if not known or len(words) != 3:
        raise Garbled(f"its file {name} is none")


# --- segments ------------------------------------------------------------------------------------


def segment_of(seq: int) -> int:
    """Return the number of the segment that holds an entry; of no entry, 0."""
    return (seq + SEGMENT_ENTRIES - 1) // SEGMENT_ENTRIES


def segment_name(number: int) -> str:
    """Return the name of a segment's file."""
    return f"{number:08d}"


def split(entries: Iterable[Entry]) -> Iterator[tuple[str, bytes]]:
    """Write entries as segments, (name, content) each; the first entry must begin one."""
    remaining = iter(entries)
    while part := list(islice(remaining, SEGMENT_ENTRIES)):
        first = part[0].seq
        assert first % SEGMENT_ENTRIES == 1, "a segment begins where the one before it is full"
        rows = (b"%b\t%b\n" % (entry.header, entry.payload or b"") for entry in part)
        yield segment_name(segment_of(first)), b"".join(rows)


def parse_segment(data: bytes, number: int, head: int) -> list[Entry]:
    """Read segment ``number`` of a ledger whose head is entry ``head``; raises Garbled, CutShort.

    Rows are only taken apart: whether they are entries is for ``ledger.verify`` to say.
    """
    name, first = segment_name(number), (number - 1) * SEGMENT_ENTRIES + 1
    rows = data.count(b"\n")
    clean = data.isascii() and data.endswith(b"\n") and b"\r" not in data
    if not clean or data.count(b"\t") != rows:
        raise Garbled(f"its segment {name} holds something else than entries")
    expected = min(SEGMENT_ENTRIES, head - first + 1)
    if rows > expected:
        raise Garbled(f"its segment {name} holds more than its head says")
    if rows < expected:
        raise CutShort(f"its segment {name} ends at entry {first + rows - 1}, its head is {head}")
    entries = []
    for seq, line in enumerate(data[:-1].split(b"\n"), first):
        header, tab, payload = line.partition(b"\t")
        if not tab:
            raise Garbled(f"its segment {name} holds something else than entries")
        entries.append(Entry(seq, header, payload or None))
    return entries


def check_link(entries: Sequence[Entry], epoch: str, after: Head, until: Head) -> None:
    """Raise Garbled unless entries of an epoch lead from one head exactly to another.

    For a part of a ledger only: a whole one is for ``ledger.verify``.
    """
    before = after
    for entry in entries:
        try:
            header = read_header(entry.header)
        except (ValueError, NewerFormat) as error:
            raise Garbled(f"entry {entry.seq} cannot be read ({error})") from None
        linked = (header.epoch, header.seq, header.prev) == (epoch, before.seq + 1, before.hash)
        payload = entry.payload
        told = payload is None or sha256(payload).hexdigest() == header.payload_hash
        if not linked or not told:
            raise Garbled(f"entry {entry.seq} is not linked to the one before it")
        before = Head(entry.seq, entry.hash)
    if before != until:
        raise Garbled(f"its entries do not lead to its head, entry {until.seq}")


# --- checkpoints ---------------------------------------------------------------------------------


def render_checkpoint(epoch: str, at: Head, state: State) -> bytes:
    """Write who holds what after entry ``at``; nothing at all before the first segment is full.

    Of the state, the configuration in force, live sessions and leases; what expired is written as
    it stands, because time is whoever reads it's to tell.
    """
    if at == GENESIS:
        return b""
    lines = [f"handrail-checkpoint {FORMAT} {format_head(epoch, at)}"]
    if state.config is not None:
        lines.append(_compact(["config", *state.config[:3]]))
    for _, session in sorted(state.sessions.items()):
        if session.live:
            lines.append(_compact(["session", *session[:5], session.secret_hash]))
    for _, lease in sorted(state.leases.items()):
        lines.append(_compact(["lease", *lease[:6], list(lease.scope), *lease[7:]]))
    return ("\n".join(lines) + "\n").encode("ascii")


def parse_checkpoint(data: bytes, epoch: str) -> tuple[Head, State]:
    """Read a checkpoint: after which entry, and who held what there; raises Garbled."""
    state = State()
    if not data:
        return GENESIS, state
    if len(data) > CHECKPOINT_BYTES_MAX or not data.isascii():
        raise Garbled("its checkpoint is none, or too large")
    first, *rows = data.decode("ascii").removesuffix("\n").split("\n")
    words = first.split(" ")
    _check_version(words, "handrail-checkpoint", "checkpoint")
    try:
        named, at = _parse_head(words[2])
    except MalformedToken:
        raise Garbled("its checkpoint names no entry") from None
    for row in rows:
        _take(state, row)
    check_state(state)
    if named != epoch or render_checkpoint(epoch, at, state) != data:
        raise Garbled("its checkpoint is not written as format 1 writes it")
    return at, state


_TEXT: Final = (str,)
_NAME: Final = (str, type(None))
_NUMBER: Final = (int,)
_LIST: Final = (list,)
_FLAG: Final = (bool,)
_SHAPES: Final[dict[str, tuple[tuple[type, ...], ...]]] = {
    "config": (_TEXT, _TEXT, _NUMBER),
    "session": (_TEXT, _TEXT, _NAME, _TEXT, _NUMBER, _TEXT),
    "lease": (
        *(_NUMBER, _TEXT, _TEXT, _NAME, _TEXT, _TEXT, _LIST),
        *(_NUMBER, _NUMBER, _NUMBER, _FLAG),
    ),
}


def _take(state: State, text: str) -> None:
    """Read one row into the tables."""
    try:
        row: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise Garbled("a row of its checkpoint is no JSON") from None
    table, *values = row if isinstance(row, list) and row else ("",)
    shapes = _SHAPES.get(table, ()) if isinstance(table, str) else ()
    fits = len(values) == len(shapes) > 0
    if not fits or any(type(v) not in shape for v, shape in zip(values, shapes, strict=True)):
        raise Garbled("a row of its checkpoint belongs to no table")
    if table == "config":
        state.put_config(*values)
    elif table == "session":
        state.put_session(Session._make([*values[:5], None, values[5]]))
    else:
        if not all(isinstance(pattern, str) for pattern in values[6]):
            raise Garbled("a row of its checkpoint belongs to no table")
        values[6] = tuple(stored_pattern(pattern) for pattern in values[6])
        state.put_lease(Lease._make(values))


def check_state(state: State) -> None:
    """Raise Garbled where a table holds what no store of ours would have put there.

    Whoever shows or compares the rows may rely on their numbers, and on patterns within the bounds
    of ``core.scope``. Canonical they need not be: what is adopted has the names of its files.
    """
    _check_numbers(0 if state.config is None else state.config.seq)
    for session in state.sessions.values():
        _check_numbers(session.started_at)
    for lease in state.leases.values():
        _check_numbers(lease.token, lease.granted_at, lease.ttl_ms, lease.expires_at)
        if lease.kind not in (EXCLUSIVE, LOCAL):
            raise Garbled(f"lease {lease.token} is of no kind")
        for pattern in lease.patterns:
            try:
                parse_pattern(pattern.text)
            except MalformedScope as error:
                raise Garbled(f"lease {lease.token} has a scope that is none ({error})") from None


def _check_numbers(*numbers: int) -> None:
    if not all(0 <= number < _NUMBER_MAX for number in numbers):
        raise Garbled("a number in it is out of all bounds")
