"""Writing answers: data to stdout, talk to stderr, and what to do when nobody listens."""

from __future__ import annotations

import os
import sys

from handrail.errors import HandrailError, OutputClosed
from handrail.text import rfc3339
from handrail.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handrail.edge.reply import Data, Reply


def emit(reply: Reply, *, as_json: bool, quiet: bool) -> None:
    """Write a reply; raises OutputClosed."""
    if as_json:
        write(dump(reply.data) + "\n")
    elif reply.text:
        write(reply.text if reply.text.endswith("\n") else reply.text + "\n")
    if not quiet and not as_json:
        for note in reply.notes:
            say(note)


def counting(*, quiet: bool) -> Callable[[int], None]:
    """Return what says, of a long way through a ledger, how far it went."""

    def tick(number: int) -> None:
        if number % 100_000 == 0 and not quiet:
            say(f"{number} entries so far")

    return tick


def emit_error(error: HandrailError, *, as_json: bool) -> None:
    """Write a refusal: one object on stdout, or a sentence and the next command on stderr."""
    if as_json:
        write(dump({"error": error_data(error)}) + "\n")
        return
    say(f"handrail: {error.code}: {error.message}")
    if error.next:
        say(f"  next: {error.next}")


def error_data(error: HandrailError) -> Data:
    """Return what ``--json`` shows of an error: code, message, its values, the next command."""
    data: Data = {"code": error.code, "message": error.message}
    for name, value in error.values.items():
        is_instant = name.endswith("_at") and isinstance(value, int)
        data[name] = rfc3339(value) if is_instant else value  # type: ignore[arg-type]
    data["next"] = error.next
    return data


def dump(data: object) -> str:
    """Write JSON in ASCII: no byte of a hostile path can disturb who reads it."""
    import json

    return json.dumps(data, ensure_ascii=True, default=str)


def write(text: str) -> None:
    """Write to stdout, whole; raises OutputClosed."""
    try:
        if sys.stdout is None:
            raise OutputClosed(reason="it is closed")
        sys.stdout.write(text)
        sys.stdout.flush()
    except UnicodeEncodeError:
        write(text.encode("ascii", "backslashreplace").decode("ascii"))
    except (OSError, ValueError) as error:
        let_go_of(1)
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputClosed(reason=reason) from error


def write_bytes(chunks: Iterable[bytes]) -> None:
    """Write raw bytes to stdout, all of them; raises OutputClosed."""
    try:
        if sys.stdout is None:
            raise OutputClosed(reason="it is closed")
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    except (OSError, ValueError) as error:
        let_go_of(1)
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputClosed(reason=reason) from error


def say(text: str) -> None:
    """Write a line to stderr; if nobody listens there either, that is that."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
    except UnicodeEncodeError:
        say(text.encode("ascii", "backslashreplace").decode("ascii"))
    except (OSError, ValueError):
        let_go_of(2)


def let_go_of(descriptor: int) -> None:
    """Point a stream at nothing: what is left in its buffer makes Python fail at its exit, too."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, descriptor)
        os.close(nothing)
    except OSError:
        pass
