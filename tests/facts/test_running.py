"""Commands that are run for evidence: real processes that hang, crash, print and leave others."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from handrail.facts import running
from handrail.facts.running import (
    EXITED,
    NOT_STARTED,
    SIGNALLED,
    STOPPED,
    TAIL_BYTES_MAX,
    TIMED_OUT,
    Order,
    Ran,
    Runner,
)


def run(tmp_path: Path, script: str, timeout_ms: int | None = 30_000, **env: str) -> Ran:
    order = Order(("sh", "-c", script), str(tmp_path), timeout_ms, tuple(env.items()))
    return Runner().run(order)


def is_gone(pid: int) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return True
        if fields[0] in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_a_command_ends_with_its_own_status_and_what_it_printed(tmp_path: Path) -> None:
    ran = run(tmp_path, "echo out; echo err >&2; exit 7")
    assert (ran.ended, ran.status, ran.reason) == (EXITED, 7, "")
    assert (ran.tail, ran.output_bytes) == ("out\nerr\n", 8)
    assert ran.output_hash == sha256(b"out\nerr\n").hexdigest()


def test_a_word_is_no_line_of_a_shell(tmp_path: Path) -> None:
    assert Runner().run(Order(("echo", "$HOME; a"), str(tmp_path), 9_000)).tail == "$HOME; a\n"


def test_it_reads_nothing_from_stdin_and_runs_in_its_folder(tmp_path: Path) -> None:
    assert run(tmp_path, "cat; pwd").tail == f"{tmp_path.resolve()}\n"


def test_secrets_of_handrail_are_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HANDRAIL_SECRET", "HANDRAIL_LEDGER_KEY", "HANDRAIL_SESSION"):
        monkeypatch.setenv(name, f"of {name}")
    ran = run(
        tmp_path, 'echo "$HANDRAIL_SECRET|$HANDRAIL_LEDGER_KEY|$HANDRAIL_SESSION|$CI"', CI="1"
    )
    assert ran.tail == "||of HANDRAIL_SESSION|1\n"


@pytest.mark.parametrize("program", ["./nothing-here", "", "a\0b"])
def test_what_cannot_be_started_says_so(tmp_path: Path, program: str) -> None:
    ran = Runner().run(Order((program,), str(tmp_path), 9_000))
    assert (ran.ended, ran.status) == (NOT_STARTED, None)
    assert ran.reason


def test_a_crash_is_told_by_its_signal(tmp_path: Path) -> None:
    ran = run(tmp_path, "kill -SEGV $$")
    assert (ran.ended, ran.status) == (SIGNALLED, signal.SIGSEGV)


def test_its_time_ends_all_that_it_started(tmp_path: Path) -> None:
    ran = run(tmp_path, "sleep 60 & echo $!; sleep 60", timeout_ms=300)
    assert (ran.ended, ran.status, ran.reason) == (TIMED_OUT, None, "timed out")
    assert is_gone(int(ran.tail))
    assert ran.duration_ms < 10_000


def test_who_does_not_hear_is_stopped_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "GRACE_S", 0.2)
    ran = run(tmp_path, "trap '' TERM; sleep 60 & echo $!; wait; wait", timeout_ms=200)
    assert ran.ended == TIMED_OUT
    assert is_gone(int(ran.tail))
    assert ran.duration_ms < 10_000


def test_children_that_linger_are_stopped_at_the_end(tmp_path: Path) -> None:
    ran = run(tmp_path, "sleep 60 & echo $!")
    assert (ran.ended, ran.status) == (EXITED, 0)
    assert is_gone(int(ran.tail))


def test_who_left_the_session_does_not_keep_us_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "GRACE_S", 0.2)
    ran = run(tmp_path, "setsid sleep 60 & echo $!; exit 3")
    with suppress(ProcessLookupError):
        os.kill(int(ran.tail), signal.SIGKILL)
    assert (ran.ended, ran.status) == (EXITED, 3)
    assert ran.duration_ms < 10_000


def test_a_command_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    assert run(tmp_path, "exec >&- 2>&-; sleep 0.1; exit 4").status == 4


def test_of_much_output_the_end_is_kept_and_all_is_hashed(tmp_path: Path) -> None:
    ran = run(tmp_path, "yes 'PASSED a::b' | head -c 30000000")
    assert (ran.status, ran.output_bytes) == (0, 30_000_000)
    assert len(ran.tail) == TAIL_BYTES_MAX
    whole = (b"PASSED a::b\n" * 2_500_001)[:30_000_000]
    assert ran.output_hash == sha256(whole).hexdigest()


def test_output_is_redacted_before_it_is_hashed(tmp_path: Path) -> None:
    one, two = (run(tmp_path, f"echo API_TOKEN={value}") for value in ("hunter22", "hunter33"))
    assert one.tail == two.tail == "API_TOKEN=[redacted]\n"
    assert one.output_hash == two.output_hash


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    ran = run(tmp_path, r"printf '\377\000a'")
    assert ran.tail == "\N{REPLACEMENT CHARACTER}" * 2 + "a"


def test_what_is_printed_is_shown_as_it_comes(tmp_path: Path) -> None:
    shown: list[bytes] = []
    Runner().run(Order(("echo", "hello"), str(tmp_path), 9_000), shown.append)
    assert b"".join(shown) == b"hello\n"


def test_all_that_runs_can_be_stopped_at_once(tmp_path: Path) -> None:
    runner, found = Runner(), list[Ran]()
    began = threading.Event()

    def work() -> None:
        order = Order(("sh", "-c", "echo here; sleep 60"), str(tmp_path), None)
        found.append(runner.run(order, lambda piece: began.set()))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert began.wait(20)
    runner.stop()
    for worker in workers:
        worker.join(20)
    assert [ran.ended for ran in found] == [STOPPED, STOPPED]
