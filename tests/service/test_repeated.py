"""A claim that is asked for again under its request id: the first outcome, and what it is worth."""

from __future__ import annotations

import pytest

from handrail import errors
from tests.cli.world import World


def test_a_repeated_claim_gives_the_first_outcome(world: World) -> None:
    session = world.session()
    first = world.claim(session, "src", request_id="r-1")
    again = world.claim(session, "src", request_id="r-1")
    assert (again.token, again.expires_at) == (first.token, first.expires_at)
    with pytest.raises(errors.Usage):
        world.claim(session, "docs", request_id="r-1")


def test_nothing_is_to_be_trusted_of_a_lease_that_has_ended_since(world: World) -> None:
    session, other = world.session(), world.session()
    first = world.claim(session, "src", request_id="r-1")
    world.release(session)
    world.claim(other, "src")
    again = world.claim(session, "src", request_id="r-1")
    with world.open(session) as application, application.store.read() as reader:
        assert again.token == first.token
        assert again.trusted_until <= again.expires_at <= reader.now < first.trusted_until
