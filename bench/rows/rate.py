"""Claims per second of one process, through the service, beside bare durable inserts."""

from __future__ import annotations

from collections.abc import Sequence

from bench.ground import found, scratch, session, shaped_floor
from bench.measure import Result, Target, in_turn, median, seconds, spread
from handrail.service.leases import Asked


def claims_per_second(quick: bool) -> Sequence[Result]:
    """Claim distinct scopes, a block at a time, and insert rows, a block at a time."""
    rounds, block = (3, 40) if quick else (40, 150)
    with scratch() as folder:
        found(folder)
        application = session(folder, "bench")
        leases, turn = application.leases, 0

        def claim() -> None:
            nonlocal turn
            for _ in range(block):
                turn += 1
                leases.claim(Asked((f"area-{turn % 89}/part-{turn}",)))

        claim()
        floor = shaped_floor(application, folder)
        floor.insert(block)
        claims, inserts = in_turn(
            rounds,
            lambda: block / seconds(claim),
            lambda: block / seconds(lambda: floor.insert(block)),
        )
        floor.close()
        application.close()
    return [
        Result(
            "claims-per-second",
            "claims per second, one process",
            median(claims),
            "/s",
            median(inserts),
            "insert-only, FULL",
            Target(">=", 0.6),
            {"claims": spread(claims), "inserts": spread(inserts)},
        )
    ]
