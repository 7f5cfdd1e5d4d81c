"""Whether a service answers: one GET, and the status that it ends with.

Promises: ``http`` and ``https`` only, and no user name or password is sent; the whole of it takes
``TIMEOUT_S`` at the most, look-up of the name and slow answers included; at most ``REDIRECTS_MAX``
redirects are followed, each to the same host; of the answer only the status is read. Whatever else
happens is FactsUnavailable: nobody can tell. Of an address scheme, host and path are said.

    health_of("http://127.0.0.1:8000/health")   # 200
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from handrail.errors import FactsUnavailable

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

TIMEOUT_S: Final = 5.0
REDIRECTS_MAX: Final = 3
ADDRESS_CHARS_MAX: Final = 2_000
_SCHEMES: Final = ("http", "https")
_AGENT: Final = "handrail-health-check"


def health_of(address: str, timeout_s: float = TIMEOUT_S) -> int:
    """Return the HTTP status that an address answers with; raises FactsUnavailable."""
    parts = _parts(address)
    shown = f"the service at {parts.scheme}://{parts.netloc}{parts.path}"
    told: list[int | str] = []

    def get() -> None:
        try:
            told.append(_get(address, parts.hostname or "", timeout_s))
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody can tell
            told.append(f"it is unreachable ({_reason(error)})")

    # A name that nobody resolves and an answer that drips end with this, not with a socket's time.
    asking = threading.Thread(target=get, daemon=True)
    asking.start()
    asking.join(timeout_s)
    found = told[0] if told else f"there was no answer within {timeout_s:g} s"
    if isinstance(found, str):
        raise FactsUnavailable(what=shown, reason=found)
    return found


def _parts(address: str) -> SplitResult:
    what = "the address of the service"
    if len(address) > ADDRESS_CHARS_MAX or not address.isascii() or not address.isprintable():
        raise FactsUnavailable(what=what, reason="it is no web address")
    try:
        parts = urlsplit(address)
        known = parts.scheme in _SCHEMES and parts.hostname and (parts.port or 1) > 0
    except ValueError as error:
        raise FactsUnavailable(what=what, reason="it is no web address") from error
    if not known:
        raise FactsUnavailable(what=what, reason="it is no address of http or https")
    if parts.username is not None or parts.password is not None:
        raise FactsUnavailable(what=what, reason="it holds a user name or password")
    return parts


def _get(address: str, host: str, timeout_s: float) -> int:
    from urllib.error import HTTPError
    from urllib.request import Request

    request = Request(address, headers={"User-Agent": _AGENT, "Accept": "*/*"})
    try:
        with _opener(host).open(request, timeout=timeout_s) as answer:
            status: int = answer.status
            return status
    except HTTPError as error:
        with error:
            return error.code


def _opener(host: str) -> OpenerDirector:
    from urllib.request import HTTPRedirectHandler, build_opener

    class OnTheSameHost(HTTPRedirectHandler):
        """Follows a few redirects to the same host; any other one is the answer."""

        max_redirections = REDIRECTS_MAX
        max_repeats = REDIRECTS_MAX

        def redirect_request(self, *words: Any) -> Any:
            to = urlsplit(words[-1])
            if to.scheme not in _SCHEMES or to.hostname != host:
                return None
            return super().redirect_request(*words)

    return build_opener(OnTheSameHost)


def _reason(error: Exception) -> str:
    """Say what went wrong without any of the address."""
    inner = getattr(error, "reason", error)
    told = getattr(inner, "strerror", None) or type(inner).__name__
    return str(told)
