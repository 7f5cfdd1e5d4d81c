"""SHA-256 without OpenSSL is SHA-256."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from handrail.core.digest import sha256


@given(st.binary(max_size=500))
def test_it_is_the_same_hash(text: bytes) -> None:
    assert sha256(text).hexdigest() == hashlib.sha256(text).hexdigest()
