"""``check_tracking_contracts.py``: its options, its lines, its ids.

check_tracking(["--check"], "/repo")   # 0, and "[tracking] tracking contracts OK"
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Final

from handrail import errors
from handrail.edge.compat.surroundings import Lanes, opened, tell
from handrail.service.lane_files import contract_fault
from handrail.service.tracking import CONTRACTS, Question, Tracking

MODES: Final = ("auto", "live", "historical")


def check_tracking(words: Sequence[str], folder: str) -> int:
    """Answer ``check_tracking_contracts.py`` with these words; returns its exit status."""
    parser = ArgumentParser(prog="check_tracking_contracts.py")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--base-ref", default="")
    parser.add_argument("--mode", choices=MODES, default="auto")
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args(words)
    if not asked.check:
        tell("Use --check")
        return 1
    branch = os.environ.get("GITHUB_BASE_REF", "")
    base = asked.base_ref or (f"origin/{branch}" if branch else "")
    try:
        with opened(folder) as lanes:
            return answer(lanes, Question(base, asked.mode), verbose=asked.verbose)
    except errors.HandrailError as error:
        tell(f"[tracking][fail] cannot tell: {error.code}: {error.message}")
        if error.next:
            sys.stderr.write(f"[tracking][hint] next: {error.next}\n")
        return 1


def answer(lanes: Lanes, question: Question, *, verbose: bool = False) -> int:
    """Judge the change and say what is missing; returns the exit status."""
    application = lanes.application
    bench = application.bench(application.place.toplevel)
    contracts = bench.here(CONTRACTS)
    fault = "" if contracts is None else contract_fault(contracts)
    if fault:
        tell(f"[tracking][fail] invalid tracking contract JSON: {CONTRACTS} ({fault})")
        return 1
    found = Tracking(application.context, bench, application.sources).check(question)
    if verbose:
        tell(f"[tracking] changed_files={found.changed}")
        tell(f"[tracking] live_lease_mode={int(found.live)}")
        tell(f"[tracking] roles_touched={','.join(found.roles) or '(none)'}")
        if found.historical:
            tell(f"[tracking] historical mode integrator lease={found.historical}")
    for notice in found.notices:
        tell(f"[tracking][notice] {notice}")
    if found.violations:
        tell("[tracking][fail] tracking contract violations")
        for one in found.violations:
            tell(f"- {one}")
        return 1
    tell("[tracking] tracking contracts OK")
    return 0
