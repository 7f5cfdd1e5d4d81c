"""The machine's clocks: boot time that never goes back, beside the wall clock."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from handrail.errors import FactsUnavailable
from handrail.facts import clock
from handrail.facts.clock import BootClock

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def test_two_clocks_of_one_boot_tell_the_same() -> None:
    first, second = BootClock(), BootClock()
    before, after = first.read(), second.read()
    assert before[0] == after[0] == BOOT_ID.read_text().strip()
    assert 0 <= after[1] - before[1] < 60_000
    assert abs(after[2] - time.time() * 1000) < 60_000


def test_boot_time_goes_on_while_one_waits_and_never_goes_back() -> None:
    source = BootClock()
    readings = [source.read()[1] for _ in range(1_000)]
    assert readings == sorted(readings)
    time.sleep(0.02)
    assert source.read()[1] - readings[-1] >= 20


def test_a_clock_shifted_for_this_process_is_shifted_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offsets = tmp_path / "offsets"
    offsets.write_text("monotonic           86400         0\nboottime            7200  500000000\n")
    plain = BootClock().read()[1]
    monkeypatch.setattr(clock, "_OFFSETS", str(offsets))
    shifted = BootClock().read()[1]
    assert abs(plain - shifted - 7_200_500) < 10_000


@pytest.mark.parametrize("text", ["", "nonsense\n", "boottime x 0\n", "boottime 1\n"])
def test_offsets_that_cannot_be_read_count_as_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    offsets = tmp_path / "offsets"
    offsets.write_text(text)
    plain = BootClock().read()[1]
    monkeypatch.setattr(clock, "_OFFSETS", str(offsets))
    assert abs(BootClock().read()[1] - plain) < 10_000


def test_where_linux_does_not_tell_the_boot_the_bsd_way_is_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(clock, "_BOOT_ID", str(tmp_path / "none"))
    program = tmp_path / "sysctl"
    program.write_text('#!/bin/sh\necho "$2-of-this-boot"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert BootClock().read()[0] == "kern.bootsessionuuid-of-this-boot"
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(FactsUnavailable) as refused:
        BootClock().read()
    assert isinstance(refused.value.__cause__, subprocess.SubprocessError)
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FactsUnavailable):
        BootClock().read()
