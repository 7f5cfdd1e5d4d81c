"""Where the time of git in bulk goes: git alone, starting shells, and what Handrail's hooks do."""

from __future__ import annotations

from typing import Any

from bench.measure import Profile, Result


def shells(result: Result, quick: bool) -> Profile:
    """Take a line apart that was measured three ways already: no hooks, idle hooks, all hooks."""
    detail: dict[str, Any] = result.detail
    alone = result.floor
    idle = detail["with_hooks_of_one_line_s"]["median"]
    started = detail["hooks_started"]
    return Profile(
        result.row,
        result.what,
        "s",
        result.value,
        (
            ("git without hooks", alone),
            (f"starting {started:,} shells that end at once".replace(",", " "), idle - alone),
            ("what Handrail's hooks do in these shells", result.value - idle),
        ),
        (("one shell that git starts and that ends at once", (idle - alone) / max(started, 1)),),
        "Three ways in turn: without hooks, with hooks that only say `exit 0`, with Handrail's.",
    )
