"""The program on docs/ledger.md verifies a real export by itself, and finds what was done to it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from handrail.core.events import Event, LeaseReleased, PayloadRedacted, StoreCreated
from handrail.core.lease import Actor
from handrail.core.ledger import GENESIS, Head, export_lines, seal
from tests.support import ROOT, Handrail

PAGE: Final = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
EPOCH: Final = "3fk2ap7q"


def verify(folder: Path, export: bytes, *heads: str) -> subprocess.CompletedProcess[str]:
    """Run the page's program on an export."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    script, file = folder / "verify.py", folder / "ledger.txt"
    script.write_text(program, encoding="utf-8")
    file.write_bytes(export)
    return subprocess.run(
        [sys.executable, "-I", str(script), str(file), *heads],
        capture_output=True,
        text=True,
        check=False,
    )


def made(*, redacted: bool = False) -> tuple[bytes, str]:
    """Make an export of five entries, the second redacted if asked; returns it with its head."""
    actor = Actor("s-1", "ada", "worker")
    events: list[Event] = [
        StoreCreated("shop", None),
        LeaseReleased(2, "secret of Zoë"),
        LeaseReleased(3, "done"),
        PayloadRedacted(2, "a secret"),
        LeaseReleased(4, "done"),
    ]
    head, entries = GENESIS, []
    for number, event in enumerate(events, 1):
        entry = seal(head, EPOCH, number, actor, event, salt=f"{number:032x}")
        head = Head(entry.seq, entry.hash)
        entries.append(entry._replace(payload=None) if redacted and number == 2 else entry)
    return b"".join(export_lines(entries, EPOCH)), f"{EPOCH}:{head.seq}:{head.hash}"


def test_a_real_export_verifies_and_gives_the_head_that_handrail_gives(
    handrail: Handrail, tmp_path: Path
) -> None:
    handrail("init")
    handrail("session", "start", "--id", "s-1")
    assert handrail("claim", "src", "dö", env={"HANDRAIL_SESSION": "s-1"}).code == 0
    handrail("ledger", "export", "-o", str(tmp_path / "real.txt"))
    head = handrail("ledger", "verify", "--json").json()["head"]
    done = verify(tmp_path, (tmp_path / "real.txt").read_bytes(), head)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"it verifies; head {head}\n"


def test_a_redacted_payload_is_no_error_and_a_lost_one_is(tmp_path: Path) -> None:
    export, head = made(redacted=True)
    assert verify(tmp_path, export, head).returncode == 0
    cut = b"".join(export.splitlines(keepends=True)[:3])
    done = verify(tmp_path, cut)
    assert done.returncode == 1
    assert "payloads are gone" in done.stderr


def _without(lines: Sequence[bytes], number: int) -> list[bytes]:
    return [*lines[:number], *lines[number + 1 :]]


def _swapped(lines: Sequence[bytes]) -> list[bytes]:
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda x: [x[0], x[1].replace(b"shop", b"shed"), *x[2:]], id="payload"),
        pytest.param(lambda x: [x[0], x[1].replace(b"ada", b"eve"), *x[2:]], id="header"),
        pytest.param(lambda x: [x[0], x[1].replace(b'"v":1', b'"v": 1'), *x[2:]], id="blank"),
        pytest.param(lambda x: _without(x, 2), id="removed"),
        pytest.param(_swapped, id="swapped"),
        pytest.param(lambda x: x[:-1], id="tail"),
        pytest.param(lambda x: [x[0].replace(b"3fk2", b"9fk2"), *x[1:]], id="epoch"),
    ],
)
def test_what_was_changed_is_found_given_a_head(
    change: Callable[[list[bytes]], list[bytes]], tmp_path: Path
) -> None:
    export, head = made()
    changed = b"".join(change(export.splitlines(keepends=True)))
    assert changed != export
    done = verify(tmp_path, changed, head)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
