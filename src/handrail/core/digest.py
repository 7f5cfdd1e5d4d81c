"""SHA-256 without OpenSSL: for the few short texts that a claim hashes.

``hashlib`` loads libcrypto, which takes longer than all the hashing of a claim. CPython brings its
own implementation under a private name; where it does not, ``hashlib`` stands in. What hashes much
(verifying a ledger) imports ``hashlib``, which is faster once it is there.

    >>> sha256(b"").hexdigest()[:8]
    'e3b0c442'
"""

from __future__ import annotations

__all__ = ["sha256"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256  # since 3.12
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256
