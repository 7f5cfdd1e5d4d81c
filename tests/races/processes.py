"""Real processes, quickly: forked from a warm server that has no threads and has imported all.

Forking pytest itself would copy whatever its threads hold at that moment, and newer Pythons refuse
it. ``CONTEXT`` is used like ``multiprocessing``; what it runs stands in ``workers``.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any, Final

from tests.support import ROOT

CONTEXT: Final = multiprocessing.get_context("forkserver")
JOIN_S: Final = 60.0


def start_server() -> None:
    """Start the server if it does not run yet; it ends with the process that started it."""
    CONTEXT.set_forkserver_preload(
        [f"tests.races.{name}" for name in ("workers", "killing", "handing", "waiving")]
        + ["tests.linear.histories", "tests.faults.points", "tests.faults.load"]
    )
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def begin(work: Callable[..., object], *values: Any) -> BaseProcess:
    """Start a process; whoever starts it ends or joins it."""
    start_server()
    process = CONTEXT.Process(target=work, args=values)
    process.start()
    return process


def finish(*processes: BaseProcess) -> None:
    """Wait for processes that must end well."""
    for process in processes:
        process.join(JOIN_S)
        assert process.exitcode == 0, f"{process.name} ended with {process.exitcode}"
