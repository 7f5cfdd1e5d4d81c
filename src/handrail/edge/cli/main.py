"""The program: parse, run one command, answer; every ending has a code and an exit status.

Promise: no traceback reaches anybody (``HANDRAIL_LOG=debug`` shows it on stderr); a refusal is one
sentence and the next command; data goes to stdout, talk to stderr. Ctrl-C ends a command with its
code and status 130 until the answer is being written, and silently from there on. Not promised:
what the interpreter says of a Ctrl-C that comes before the first line of ours.

Whatever takes time is imported inside ``main``, where Ctrl-C is expected.
"""

from __future__ import annotations

import gc
import os
import sys
import time

TYPE_CHECKING = False  # ``typing`` itself takes as long as all of this module
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType
    from typing import Any, NoReturn

    from handrail import errors
    from handrail.edge.cli.invocation import Invocation
    from handrail.edge.cli.spec import Command
    from handrail.edge.reply import Reply

INTERRUPTED = 130
GARBAGE_THRESHOLD = 50_000


def entry() -> NoReturn:
    """Run as a program."""
    try:
        # A claim is over before the search for cycles finds any; whatever runs longer still has it.
        gc.set_threshold(GARBAGE_THRESHOLD)
        _fill_standard_streams()
        status = main(sys.argv[1:])
        _end_silently()
    except KeyboardInterrupt:
        status = INTERRUPTED
    _leave(status)


def main(argv: Sequence[str]) -> int:
    """Run one command line; returns the exit status."""
    before: dict[int, Any] = {}
    hook = sys.unraisablehook
    try:
        before = _watch_signals()
        return _run(argv)
    except KeyboardInterrupt:
        from handrail import errors

        return _fail(errors.Interrupted(), as_json="--json" in argv)
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            _set_signal(number, handler)


def _run(argv: Sequence[str]) -> int:
    from handrail import errors

    try:
        if "_HANDRAIL_COMPLETE" in os.environ:
            from handrail.edge.cli.click_app import complete

            return complete()
        if list(argv[:1]) == ["compat"]:  # other people's options: nothing here may read them
            from handrail.edge.compat import run as compat

            return compat(argv[1:])
        from handrail.edge.cli.quick import parse

        parsed = parse(argv)
        if parsed is not None:
            return execute(*parsed)
        from handrail.edge.cli.click_app import run

        return run(argv)
    except errors.HandrailError as error:
        return _fail(error, as_json="--json" in argv)
    except Exception as error:  # noqa: BLE001 - the last door: nobody sees a traceback
        return _fail(_bug(error), as_json="--json" in argv)


def execute(command: Command, invocation: Invocation) -> int:
    """Run a parsed command and write its answer; returns the exit status."""
    from handrail import errors
    from handrail.edge.cli.output import emit

    as_json = invocation.flag("json")
    began = time.monotonic()
    try:
        reply = _handler(command)(invocation)
        _end_silently()
        emit(reply, as_json=as_json, quiet=invocation.flag("quiet"))
        _tell_stuck(invocation)
    except KeyboardInterrupt:
        return _fail(errors.Interrupted(), as_json=as_json)
    except errors.Unavailable as error:
        _tell_trusted(error, invocation)
        return _fail(error, as_json=as_json)
    except errors.HandrailError as error:
        return _fail(error, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last door: nobody sees a traceback
        return _fail(_bug(error), as_json=as_json)
    finally:
        if invocation.flag("verbose"):
            from handrail.edge.cli.output import say

            spent_ms = (time.monotonic() - began) * 1000
            say(f"handrail: {command.path}: {spent_ms:.0f} ms; {invocation.surroundings()}")
        invocation.close()
    return reply.status


def _tell_trusted(error: errors.HandrailError, invocation: Invocation) -> None:
    """Say what may be relied on without the server, where the store is on one."""
    if "handrail.wiring.remote" in sys.modules:
        from handrail.edge.without_store import LOST, tell_trusted

        if isinstance(error, LOST):
            tell_trusted(error, invocation.application)


def _tell_stuck(invocation: Invocation) -> None:
    """Say what a trigger offered and nobody accepts; asks nothing where no trigger is in force."""
    policy = sys.modules.get("handrail.service.policy")
    rules = None if policy is None else policy.rules_read_last()
    if rules is not None and rules.policy.fires:
        from handrail.edge.cli.commands.triggers import say_stuck

        say_stuck(invocation)


def _handler(command: Command) -> Callable[[Invocation], Reply]:
    """Import what runs a command, by the statement's own means: ``importlib`` loads much more."""
    module, _, function = command.run.partition(":")
    commands = __import__(f"handrail.edge.cli.commands.{module}", fromlist=[function])
    found: Callable[[Invocation], Reply] = getattr(commands, function)
    return found


def _fail(error: errors.HandrailError, *, as_json: bool) -> int:
    from handrail.edge.cli.output import emit_error
    from handrail.errors import OutputClosed, Refused

    _end_silently()
    try:
        emit_error(error, as_json=as_json and not isinstance(error, OutputClosed))
    except OutputClosed as closed:
        emit_error(error if isinstance(error, Refused) else closed, as_json=False)
    return error.exit_status


def _bug(error: BaseException) -> errors.HandrailError:
    import errno

    from handrail.edge.cli.output import say
    from handrail.errors import Bug, FactsUnavailable, Interrupted

    if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
        # Python before 3.12 wraps a Ctrl-C that comes while a class is being made.
        return Interrupted()
    if os.environ.get("HANDRAIL_LOG") == "debug":
        import traceback

        say(traceback.format_exc())
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return FactsUnavailable(what=error.filename or "a file", reason=error.strerror)
    return Bug(detail=f"{type(error).__name__}: {error}")


# --- signals and streams -------------------------------------------------------------------------


def _watch_signals() -> dict[int, Any]:
    """Let SIGTERM unwind like Ctrl-C, so that transactions roll back and queues are left."""
    import signal

    numbers = (signal.SIGINT, signal.SIGTERM)
    before: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}
    sys.unraisablehook = _unraisable
    for number in numbers:
        _set_signal(number, _stop)
    return before


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _unraisable(seen: sys.UnraisableHookArgs) -> None:
    """Stop at a Ctrl-C that came where nothing can be raised, as in a callback of the import."""
    if isinstance(seen.exc_value, KeyboardInterrupt):
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(seen)


def _end_silently() -> None:
    """Let Ctrl-C end the process at once: the answer is on its way, and there is only one."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is _stop:
            signal.signal(number, signal.SIG_DFL)


def _set_signal(number: int, handler: Any) -> None:
    """Set a handler, unless whoever started us wants the signal ignored."""
    import signal

    if signal.getsignal(number) is not signal.SIG_IGN and handler is not None:
        signal.signal(number, handler)


def _leave(status: int) -> NoReturn:
    """End at once: all is written and given back, and to take every module apart takes its time."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass  # whoever wrote there has said so
    os._exit(status)


def _fill_standard_streams() -> None:
    """Keep the numbers 0 to 2 away from our files where standard streams are closed."""
    try:
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(descriptor)
    except OSError:
        pass
