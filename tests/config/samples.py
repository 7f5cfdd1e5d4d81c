"""Configurations that the tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).parent / "data"

SMALL: Final = """\
[workspace]
id = "w"

[[role]]
name = "website"
lane = ["site/**"]
"""
"""Six lines; what a test appends begins in line 7."""

DESIGN: Final = (DATA / "design.toml").read_text(encoding="utf-8")
"""The example of the design document, word for word."""

COMPLETION: Final = """
[[role]]
name = "executor"
lane = ["src/**"]

[[role]]
name = "product-planner"
family = "architect"
lane = []
sandbox = "read-only"
may_write = ["docs/plans/**"]

[[phase]]
name = "review"
role = "architect"
"""

COMPLETE: Final = DESIGN + COMPLETION
"""The example with the roles and phases that it refers to but leaves out."""

FULL: Final = (
    COMPLETE.replace("[limits]", '[mode]\nedit = "warn"\n\n[limits]')
    + """
[[trigger]]
id = "ultra"
from = "any"
to = "executor"

[trigger.when]
event = "document"
glob = ".runbook/**/*.meta.json"
field = "meta.session_priority"
equals = "ultra"
unless = { field = "meta.status", equals = "archived" }

[[trigger]]
id = "gate"
from = "implementer"
to = "architect"
when = { event = "gate_failed", gate = "unit-tests" }

[[trigger]]
id = "built-in-gate"
from = "implementer"
to = "architect"
when = { event = "gate_failed", gate = "references" }

[[trigger]]
id = "limit"
from = "implementer"
to = "architect"
when = { event = "revise_limit", checkpoint = "plan_check" }

[[trigger]]
id = "blocked"
from = "implementer"
to = "architect"
when = { event = "blocked", rule = "secret safety" }

[[trigger]]
id = "done"
from = "architect"
to = "executor"
when = { event = "phase_done", phase = "plan" }

[[gate]]
id = "nightly"
stages = ["publish"]
run = ["make", "nightly"]
fresh_for = "1h30m"
"""
)
"""Every key and every form that there is."""
