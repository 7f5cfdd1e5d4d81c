"""The ledger: verified where it is kept, and anywhere from a copy; forgeries are found."""

from __future__ import annotations

import os
from hashlib import sha256

from handrail.edge.demo.process import Answer, Broken, expect
from handrail.edge.demo.stage import Stage

COPY, FORGED, CUT = "copy", "forged", "cut"


def ledger(stage: Stage) -> str:
    """Verify the ledger, then two copies that somebody tampered with."""
    whole = stage.handrail("ledger", "verify")
    head, count = str(whole.data.get("head")), whole.data.get("entries")
    expect(whole.status == 0 and isinstance(count, int), f"ledger verify: {whole.outcome()}")
    stage.tell.act("you", "$ handrail ledger verify", f"{count} entries; we keep the last hash")
    exported = stage.handrail("ledger", "export", "-o", os.path.join(stage.folder, COPY))
    expect(exported.status == 0, f"ledger export: {exported.outcome()}")
    lines = _read(stage, COPY)
    changed, forgery = _forge(lines)
    _write(stage, FORGED, forgery)
    _write(stage, CUT, lines[:-1])
    good, forged, cut = (_verify(stage, name, head) for name in (COPY, FORGED, CUT))
    expect(good.status == 0, f"the copy is what was exported, and was {good.outcome()}")
    stage.tell.act("eve", f"forges entry {changed} of a copy", _found(forged, "is not as it was"))
    expect(_named(forged) == str(changed), f"entry {changed} was forged: {forged.outcome()}")
    stage.tell.act("eve", "cuts the newest entry off a copy", _found(cut, "is missing"))
    expect(_named(cut) == str(count), f"entry {count} was cut off: {cut.outcome()}")
    return "the ledger verifies, and so does a true copy; both forgeries were found"


def _verify(stage: Stage, name: str, head: str) -> Answer:
    """Verify a copy where there is no repository and no store."""
    return stage.handrail("ledger", "verify", name, "--head", head, folder=stage.folder)


def _named(answer: Answer) -> str | None:
    return answer.of_error("seq") if answer.code == "ledger_broken" else None


def _found(answer: Answer, how: str) -> str:
    seq = _named(answer)
    return "nobody noticed" if seq is None else f"found: entry {seq} {how}"


def _forge(lines: list[bytes]) -> tuple[int, list[bytes]]:
    """Give gina's session to hugo and make the payload's hash good; returns the entry, and all."""
    for number, line in enumerate(lines):
        header, _, payload = line.rstrip(b"\n").partition(b"\t")
        if b'"kind":"session.started","session":"gina"' in header:
            forged = payload.replace(b"gina", b"hugo")
            header = header.replace(b"gina", b"hugo").replace(_hash(payload), _hash(forged))
            return number, [*lines[:number], header + b"\t" + forged + b"\n", *lines[number + 1 :]]
    raise Broken("the export does not hold the start of gina's session")


def _hash(payload: bytes) -> bytes:
    return sha256(payload).hexdigest().encode()


def _read(stage: Stage, name: str) -> list[bytes]:
    with open(os.path.join(stage.folder, name), "rb") as file:
        return file.readlines()


def _write(stage: Stage, name: str, lines: list[bytes]) -> None:
    with open(os.path.join(stage.folder, name), "wb") as file:
        file.writelines(lines)
