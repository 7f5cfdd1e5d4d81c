"""An entry whose place is not known yet, filled, is the entry that would have been sealed there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handrail.core.digest import sha256
from handrail.core.events import LeaseGranted
from handrail.core.lease import EXCLUSIVE, Actor
from handrail.core.ledger import Head, seal
from handrail.core.unplaced import unplaced

texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from((',"seq":0,"at":0,', '"expires_at":0', '","prev":""}', '"payload_hash":"', "")),
)


@given(
    actor=st.builds(Actor, *[st.none() | texts] * 3),
    epoch=texts,
    patterns=st.lists(texts, min_size=1, max_size=3),
    beside=st.lists(st.integers(1, 9), max_size=2),
    place=st.tuples(st.integers(0, 2**50), st.integers(0, 2**50)),
)
def test_filled_it_is_the_sealed_entry(
    actor: Actor, epoch: str, patterns: list[str], beside: list[int], place: tuple[int, int]
) -> None:
    before, at = Head(place[0], "e" * 64), place[1]
    grant = LeaseGranted(
        *(actor.session or "s", actor.role, EXCLUSIVE, patterns[0], tuple(patterns)),
        *(60_000, at + 60_000, True, tuple(beside), actor.agent),
    )
    form = unplaced(epoch, actor, grant._replace(expires_at=7), "salt")
    payload = f"{at + 60_000}".join(form.payload)
    digest = sha256(payload.encode("ascii")).hexdigest()
    gaps = (str(before.seq + 1), str(at), digest, before.hash, "")
    header = "".join(part + gap for part, gap in zip(form.header, gaps, strict=True))
    sealed = seal(before, epoch, at, actor, grant, "salt")
    assert (header.encode("ascii"), payload.encode("ascii")) == (sealed.header, sealed.payload)
