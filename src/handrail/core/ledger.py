"""The ledger: entries as bytes, each holding the hash of the one before.

Promises (frozen, format 1):

- an entry is a header of ASCII JSON in one fixed order, ``v epoch seq at kind session agent role
  payload_hash prev``, and a payload of ASCII JSON that the header names by its SHA-256;
- an entry's hash is the SHA-256 of its stored header bytes; nothing is ever re-canonicalised;
- ``seq`` runs 1, 2, 3, … without a gap; ``prev`` of the first entry is 64 zeros;
- a payload may be removed (redacted) and the chain still verifies, if a later entry says so; each
  payload carries a random ``salt``, so that its hash betrays nothing that could be guessed.

Not promised: that a ledger is whole. A tail cut off, or everything rewritten from some entry on,
is found only against a *head* (seq, hash) known from elsewhere; without one the report says so.

    >>> entry = seal(GENESIS, "3fk2", 0, Actor(), StoreCreated("w", None), salt="00")
    >>> verify([entry]).problem is None
    True
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from handrail.core.digest import sha256
from handrail.core.events import KIND_OF, Event, decode
from handrail.core.lease import Actor
from handrail.core.record import Record
from handrail.core.shapes import Json
from handrail.errors import MalformedLedger, MalformedToken, NewerFormat
from handrail.jsontext import quoted as _quoted
from handrail.jsontext import read as read_json
from handrail.jsontext import write as _compact
from handrail.typed import Any, Final

FORMAT: Final = 1
HASH_CHARS: Final = 64
EPOCH_CHARS_MAX: Final = 32
EXPORT_MAGIC: Final = "handrail-ledger"
_HEX: Final = frozenset("0123456789abcdef")


class Head(Record):
    """The newest (sequence, hash) of a ledger."""

    seq: int
    hash: str


GENESIS: Final = Head(0, "0" * HASH_CHARS)


class Entry(Record):
    """One record as stored: its place, and its bytes."""

    seq: int
    header: bytes
    payload: bytes | None

    @property
    def hash(self) -> str:
        """The SHA-256 of the header, taken from the bytes whenever it is asked for."""
        return sha256(self.header).hexdigest()


class Header(Record):
    """A header, decoded."""

    v: int
    epoch: str
    seq: int
    at: int
    kind: str
    session: str | None
    agent: str | None
    role: str | None
    payload_hash: str
    prev: str


_HEADER_FIELDS: Final = list(Header._fields)


class Problem(Record):
    """The first bad entry and what is wrong with it."""

    seq: int
    reason: str


class Report(Record):
    """What a verification found: how far it went, and what the given heads prove."""

    entries: int
    epoch: str | None
    head: Head
    redacted: int
    heads_checked: int
    problem: Problem | None


def seal(before: Head, epoch: str, at: int, actor: Actor, event: Event, salt: str) -> Entry:
    """Make the entry that follows ``before``; ``at`` is store time in milliseconds."""
    fields: dict[str, object] = {**event._asdict(), "salt": salt}
    for name, default in event._field_defaults.items():
        if fields[name] == default:
            del fields[name]  # a field that came later: without it, the bytes are as ever
    payload = _compact(fields).encode("ascii")
    digest, seq = sha256(payload).hexdigest(), before.seq + 1
    kind = KIND_OF[type(event)]
    header = _written(Header(FORMAT, epoch, seq, at, kind, *actor, digest, before.hash))
    return Entry(seq, header, payload)


def _written(header: Header) -> bytes:
    """Write a header in the one way there is."""
    names = (header.session, header.agent, header.role)
    session, agent, role = ("null" if name is None else _quoted(name) for name in names)
    return (
        f'{{"v":{header.v},"epoch":{_quoted(header.epoch)},"seq":{header.seq},"at":{header.at},'
        f'"kind":{_quoted(header.kind)},"session":{session},"agent":{agent},"role":{role},'
        f'"payload_hash":"{header.payload_hash}","prev":"{header.prev}"}}'
    ).encode("ascii")


def read_header(header: bytes) -> Header:
    """Decode a header; raises ValueError if it is no header, NewerFormat if it is a later one.

    A header is read only as ``seal`` writes it: no second field of a name, no blank, no other
    order or spelling can say one thing to this reader and another to the next.
    """
    fields = _json_object(header)
    version = fields.get("v")
    if next(iter(fields), None) != "v" or type(version) is not int or version < 1:
        raise ValueError("it names no format")
    if version > FORMAT:
        raise NewerFormat(what="a ledger entry", found=version, known=FORMAT)
    if list(fields) != _HEADER_FIELDS:
        raise ValueError("its fields are not those of format 1")
    values: list[Any] = list(fields.values())
    decoded = Header(*values)
    _check_types(decoded)
    if _written(decoded) != header:
        raise ValueError("it is not written as format 1 writes it")
    return decoded


def read_verified(header: bytes) -> Header:
    """Decode a header of a ledger that was verified: what ``verify`` checked is not checked again.

    Raises ValueError if it is no header at all.
    """
    fields = _json_object(header)
    if tuple(fields) != Header._fields:
        raise ValueError("the fields are not those of a header")
    values: list[Any] = list(fields.values())
    return Header(*values)


def _json_object(text: bytes) -> dict[str, Json]:
    """Read a JSON object in ASCII; raises ValueError for anything else."""
    try:
        found = read_json(text.decode("ascii"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def _check_types(header: Header) -> None:
    numbers_ok = type(header.seq) is int and type(header.at) is int and header.seq > 0
    names = (header.session, header.agent, header.role)
    names_ok = all(name is None or isinstance(name, str) for name in names)
    texts: tuple[object, ...] = (header.epoch, header.kind)
    texts_ok = all(isinstance(text, str) for text in texts)
    if not (numbers_ok and names_ok and texts_ok):
        raise ValueError("a field has the wrong type")
    if not (is_hash(header.payload_hash) and is_hash(header.prev)):
        raise ValueError("a hash is no hash")


def is_hash(text: object) -> bool:
    """Tell whether ``text`` is a SHA-256 in lower-case hex."""
    return isinstance(text, str) and len(text) == HASH_CHARS and _HEX.issuperset(text)


def read_event(entry: Entry, header: Header | None = None) -> Event | None:
    """Decode an entry's event; None if its payload was redacted or its kind is not known here.

    Raises ValueError, KeyError or TypeError if the payload is not one of its kind.
    """
    if entry.payload is None:
        return None
    kind = (header or read_header(entry.header)).kind
    return decode(kind, _json_object(entry.payload))


def read_if(entry: Entry, kind: str) -> Event | None:
    """Decode an entry that a store gives if it is of a kind; of all others nothing is decoded.

    A header is written in one way, and within a name a quotation mark is escaped: its bytes say it.
    """
    if entry.payload is None or f'"kind":"{kind}",'.encode("ascii") not in entry.header:
        return None
    return decode(kind, _json_object(entry.payload))


# --- verification --------------------------------------------------------------------------------


def verify(entries: Iterable[Entry], heads: Sequence[Head] = ()) -> Report:
    """Check a whole ledger, oldest entry first, against itself and against the given heads.

    Names the first bad entry. One pass, two hashes an entry, memory only for the seqs of redacted
    payloads. Raises NewerFormat.
    """
    wanted: dict[int, set[str]] = {}
    for head in heads:
        wanted.setdefault(head.seq, set()).add(head.hash)
    walk = _Walk(wanted)
    problem = walk.run(iter(entries))
    if problem is None and walk.bare:
        problem = Problem(min(walk.bare), "its payload is gone and no entry says it was redacted")
    if problem is None:
        beyond = min((seq for seq in wanted if seq > walk.before.seq or seq < 1), default=None)
        if beyond is not None:
            reason = f"it is missing: a given head names it, the ledger ends at {walk.before.seq}"
            problem = Problem(walk.before.seq + 1 if beyond > 0 else beyond, reason)
    return Report(
        entries=walk.before.seq,
        epoch=walk.epoch,
        head=walk.before,
        redacted=walk.redacted,
        heads_checked=walk.heads_checked,
        problem=problem,
    )


class _Walk:
    """One pass over a ledger: how far it held, and what it met on the way."""

    def __init__(self, wanted: dict[int, set[str]]) -> None:
        self.wanted = wanted
        self.seq, self.hash = GENESIS
        self.epoch: str | None = None
        self.bare: set[int] = set()
        self.redacted = 0
        self.heads_checked = 0

    @property
    def before(self) -> Head:
        """The last entry that held."""
        return Head(self.seq, self.hash)

    def run(self, entries: Iterator[Entry]) -> Problem | None:
        """Walk to the end or to the first bad entry."""
        # Here speed counts more than the milliseconds that OpenSSL takes to load.
        from hashlib import sha256

        parse = _strict_parser()
        for expected, (_, header, payload) in enumerate(entries, 1):
            try:
                found_epoch, seq, kind, payload_hash, prev = parse(header) or _slow_parse(header)
            except ValueError as error:
                return Problem(expected, f"its header cannot be read ({error})")
            if seq != expected:
                return Problem(expected, f"it is missing or out of its place (found {seq})")
            if prev != self.hash:
                return self._blame(expected, header, entries)
            if self.epoch is not None and found_epoch != self.epoch:
                return Problem(expected, f"it belongs to another epoch ({found_epoch})")
            if payload is None:
                self.bare.add(expected)
                self.redacted += 1
            elif sha256(payload).hexdigest() != payload_hash:
                return Problem(expected, "its payload is not the one its header names")
            elif not payload.isascii():
                return Problem(expected, "its payload is not ASCII")
            elif kind == "payload.redacted":
                self.bare.discard(_seq_redacted_by(payload))
            digest = sha256(header).hexdigest()
            if expected in self.wanted:
                if self.wanted[expected] != {digest}:
                    return Problem(expected, self._head_reason())
                self.heads_checked += 1
            self.seq, self.hash, self.epoch = expected, digest, found_epoch
        return None

    def _head_reason(self) -> str:
        known = max((seq for seq in self.wanted if seq <= self.before.seq), default=0)
        span = "it" if known == self.before.seq else f"it, or one after entry {known},"
        return f"{span} was changed: its hash is not that of the given head"

    def _blame(self, seq: int, header: bytes, rest: Iterator[Entry]) -> Problem:
        """Decide which was changed where the link from ``seq`` to ``seq - 1`` is broken.

        If what follows still holds the hash of ``seq``, that one stands and its forerunner is bad.
        """
        digest = sha256(header).hexdigest()
        following = next(rest, None)
        vouched = digest in self.wanted.get(seq, ())
        if following is not None and not vouched:
            try:
                vouched = read_header(following.header).prev == digest
            except ValueError:
                vouched = False
        trusted_before = self.before.seq in self.wanted or seq == 1
        last = following is None and seq not in self.wanted
        if (vouched or last) and not trusted_before:
            return Problem(seq - 1, f"it is not the entry that entry {seq} was linked to")
        return Problem(seq, f"it is not linked to entry {seq - 1}")


def _seq_redacted_by(payload: bytes) -> int:
    """Return the entry that a ``payload.redacted`` speaks of; 0 where that cannot be read."""
    try:
        seq = _json_object(payload).get("seq")
    except ValueError:
        return 0
    return seq if type(seq) is int else 0


_Parsed = tuple[str, int, str, str, str]


def _slow_parse(header: bytes) -> _Parsed:
    decoded = read_header(header)
    return decoded.epoch, decoded.seq, decoded.kind, decoded.payload_hash, decoded.prev


def _strict_parser() -> Callable[[bytes], _Parsed | None]:
    """Make a reader for headers exactly as ``seal`` writes them, four times as fast as JSON.

    One strict expression for the whole header: no second field of a name can hide in it. What it
    does not match is left to ``read_header``.
    """
    import re

    # What JSON in ASCII must escape, each in its one spelling: what this takes, seal could write.
    low = rb"0[0-7bef]|1[0-9a-f]|7f|[89a-f][0-9a-f]"
    escape = rb'\\(?:["\\bfnrt]|u(?:00(?:%b)|0[1-9a-f][0-9a-f]{2}|[1-9a-f][0-9a-f]{3}))' % low
    plain = rb"[ !#-\[\]-~]*"
    word = rb'(?:null|"%b(?:%b%b)*")' % (plain, escape, plain)
    header_form = (
        rb'\{"v":1,"epoch":"([0-9a-z]{1,32})","seq":([1-9][0-9]{0,17}),"at":(?:0|[1-9][0-9]{0,17}),'
        rb'"kind":"([a-z_.]{1,40})","session":%b,"agent":%b,"role":%b,'
        rb'"payload_hash":"([0-9a-f]{64})","prev":"([0-9a-f]{64})"\}' % (word, word, word)
    )
    match = re.compile(header_form.decode("ascii")).fullmatch

    def parse(header: bytes) -> _Parsed | None:
        found = match(header.decode("ascii")) if header.isascii() else None
        if found is None:
            return None
        epoch, seq, kind, payload_hash, prev = found.groups()
        return epoch, int(seq), kind, payload_hash, prev

    return parse


# --- exports -------------------------------------------------------------------------------------


def export_lines(entries: Iterable[Entry], epoch: str) -> Iterator[bytes]:
    """Write a ledger as lines: one that names the format, then ``header TAB payload`` an entry.

    Headers and payloads are ASCII JSON, so they hold no tab and no newline. A redacted payload is
    nothing after the tab.
    """
    yield f"{EXPORT_MAGIC} {FORMAT} {epoch}\n".encode("ascii")
    for entry in entries:
        yield b"%b\t%b\n" % (entry.header, entry.payload or b"")


def import_lines(lines: Iterable[bytes], file: str) -> Iterator[Entry]:
    """Read an export back, byte for byte; raises MalformedLedger, NewerFormat."""
    numbered = enumerate(lines, 1)
    words = next(numbered, (1, b""))[1].removesuffix(b"\n").split(b" ")
    version = int(words[1][:9]) if len(words) > 1 and words[1].isdigit() else 0
    if words[0] != EXPORT_MAGIC.encode() or version < 1:
        raise MalformedLedger(file=file, reason="its first line is not that of an export")
    if version > FORMAT:
        raise NewerFormat(what=f"the export {file}", found=version, known=FORMAT)
    if len(words) != 3 or not is_epoch(words[2].decode("ascii", "replace")):
        raise MalformedLedger(file=file, reason="its first line names no epoch")
    for number, line in numbered:
        header, tab, payload = line.removesuffix(b"\n").partition(b"\t")
        if not tab or not line.isascii() or any(sign in payload for sign in b"\t\r\n"):
            raise MalformedLedger(file=file, reason=f"line {number} is no entry")
        yield Entry(number - 1, header, payload or None)


# --- tokens and heads as text --------------------------------------------------------------------


def format_token(epoch: str, seq: int) -> str:
    """Write a token, ``epoch:seq``."""
    return f"{epoch}:{seq}"


def parse_token(text: str) -> tuple[str, int]:
    """Read ``epoch:seq``; raises MalformedToken."""
    epoch, colon, seq = text.partition(":")
    digits = seq.isascii() and seq.isdigit() and len(seq) <= 18
    if not colon or not is_epoch(epoch) or not digits or int(seq) < 1:
        raise MalformedToken(token=text, example="3fk2ap7q:41")
    return epoch, int(seq)


def is_epoch(text: str) -> bool:
    """Tell whether ``text`` can name an epoch: 1 to 32 lower-case letters and digits."""
    plain = text.isascii() and text.isalnum() and text == text.lower()
    return plain and len(text) <= EPOCH_CHARS_MAX


def format_head(epoch: str, head: Head) -> str:
    """Write a head, ``epoch:seq:hash``."""
    return f"{epoch}:{head.seq}:{head.hash}"


def parse_head(text: str) -> tuple[str, Head]:
    """Read ``epoch:seq:hash``; raises MalformedToken."""
    token, colon, digest = text.rpartition(":")
    if not colon or not is_hash(digest):
        raise MalformedToken(token=text, example="3fk2ap7q:41:<64 hex digits>")
    epoch, seq = parse_token(token)
    return epoch, Head(seq, digest)
