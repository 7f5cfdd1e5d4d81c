"""An entry whose place in the ledger is not known yet: its bytes, with gaps for what will be.

Whoever numbers entries elsewhere fills them: ``seq``, ``at``, the hash of the payload and that of
the entry before into the header, the end of the lease into the payload. The same bytes as
``ledger.seal`` makes come out.

    form = unplaced("3fk2", actor, grant, salt="00")
    form.header    # ('{"v":1,"epoch":"3fk2","seq":', ',"at":', ',"kind":…', '","prev":"', '"}')
    form.payload   # ('{"session":…,"expires_at":', ',"lasting":…}')
"""

from __future__ import annotations

from handrail.core.events import LeaseGranted
from handrail.core.lease import Actor
from handrail.core.ledger import Head, seal
from handrail.core.record import Record

_NOWHERE = Head(-1, "")


class Form(Record):
    """The parts of an entry between its gaps, in ASCII."""

    header: tuple[str, ...]
    payload: tuple[str, ...]


def unplaced(epoch: str, actor: Actor, grant: LeaseGranted, salt: str) -> Form:
    """Return the form of a grant's entry.

    It is cut out of an entry with noughts in the gaps. No text in it can look like one: within a
    JSON string every quotation mark is escaped.
    """
    entry = seal(_NOWHERE, epoch, 0, actor, grant._replace(expires_at=0), salt)
    assert entry.payload is not None, "an entry is sealed with its payload"
    until_seq, _, rest = entry.header.decode("ascii").partition(',"seq":0,"at":0,')
    until_hash, _, hashes = rest.partition('"payload_hash":"')
    assert hashes.endswith('","prev":""}'), "the header ends with the hashes"
    until_end, _, after = entry.payload.decode("ascii").partition('"expires_at":0')
    return Form(
        header=(
            f'{until_seq},"seq":',
            ',"at":',
            f',{until_hash}"payload_hash":"',
            '","prev":"',
            '"}',
        ),
        payload=(f'{until_end}"expires_at":', after),
    )
