"""Where the time goes of rows that can miss, by the beginning of what a row's line is called.

A full run measures this by itself of each line that misses; ``--profile ROW`` asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bench.measure import Profile, Result
from bench.profiles.bulk import shells
from bench.profiles.claims import eight_claimers, one_claim
from bench.profiles.programs import accepting, checking, claiming, first_edit, offering
from bench.profiles.shared import one_of_them

PROFILES: Final[Mapping[str, Mapping[str, Callable[[Result, bool], Profile]]]] = {
    "guard": {"guard: first edit": first_edit},
    "claim-command": {"": claiming},
    "claims-per-second": {"": one_claim},
    "eight-processes": {"8 processes: claims": eight_claimers},
    "handoff": {"offer": offering, "accept": accepting},
    "check-commit": {"": checking},
    "git-in-bulk": {"": shells},
    "shared-store": {"": one_of_them},
}
"""A profile is told the line that it explains, and whether a sketch is enough."""
