"""One of the processes that claim without pause.

``python -m bench.claimer FOLDER NAME START LENGTH`` starts at START (monotonic seconds), claims
distinct scopes for LENGTH seconds, prints how many it got and the longest that it waited for one.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial

from bench.ground import environment, like_the_program
from bench.measure import seconds
from handrail.service.leases import Asked
from handrail.wiring import Application


def claim_without_pause(folder: str, name: str, start: float, length_s: float) -> dict[str, float]:
    """Claim as fast as it goes; returns how many, the worst wait, and the processor time."""
    like_the_program()
    application = Application.open(folder, environment(name), terminal=False)
    leases, claims, worst_s, run = application.leases, 0, 0.0, int(start * 1000)
    time.sleep(max(start - time.monotonic(), 0))
    end, cpu = start + length_s, time.process_time()
    while time.monotonic() < end:
        asked = Asked((f"{name}/run-{run}/part-{claims}",))
        worst_s = max(worst_s, seconds(partial(leases.claim, asked)))
        claims += 1
    cpu_s = time.process_time() - cpu
    application.close()
    return {"claims": claims, "worst_wait_ms": worst_s * 1000, "cpu_s": cpu_s}


if __name__ == "__main__":
    where, who, begin, length = sys.argv[1:]
    print(json.dumps(claim_without_pause(where, who, float(begin), float(length))))
