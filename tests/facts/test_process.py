"""Processes: those above one are told as each by itself would be, and each is read once."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from handrail.facts import process
from handrail.facts.clock import BootClock


def test_the_processes_above_one_are_those_that_each_names_as_its_parent() -> None:
    found = process.ancestors(os.getpid())
    assert found[0].pid == os.getppid()
    assert found == [process.process(one.pid) for one in found]
    assert [process.parent(one.pid) for one in found[:-1]] == [one.pid for one in found[1:]]
    assert {one.boot for one in found} == {BootClock().read()[0]}
    assert process.ancestors(os.getpid(), most=1) == found[:1]


def test_what_the_kernel_says_of_a_process_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read, fields = Counter[int](), process._fields

    def counted(pid: int) -> list[str] | None:
        read[pid] += 1
        return fields(pid)

    monkeypatch.setattr(process, "_fields", counted)
    found = process.ancestors(os.getpid())
    assert read == Counter([os.getpid(), *(one.pid for one in found)])


@pytest.mark.parametrize("end", [None, "zombie"])
def test_what_is_above_one_that_is_gone_or_a_zombie_is_not_told(
    end: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = process.ancestors(os.getpid())
    fields = process._fields

    def ended(pid: int) -> list[str] | None:
        told = fields(pid)
        if pid != above[0].pid or told is None:
            return told
        return None if end is None else ["Z", *told[1:]]

    monkeypatch.setattr(process, "_fields", ended)
    assert process.ancestors(os.getpid()) == []
