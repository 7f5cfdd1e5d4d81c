"""What an audit looks at in a working tree: rule files, signs of harnesses, checks on a forge.

Promise: as in ``facts.rulefiles``; nothing is written.

    ground = AuditedTree("/repo")
    ground.harnesses(), ground.checks()      # ("claude",), (".github/workflows/land.yml",)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from handrail.errors import FactsUnavailable
from handrail.facts.files import read_bounded
from handrail.facts.rulefiles import Rules, read_rules

CHECK_BYTES_MAX: Final = 1 << 20
CHECKS_MAX: Final = 200
SIGNS: Final = {
    "claude": (".claude", "CLAUDE.md"),
    "codex": (".codex",),
    "cursor": (".cursor", ".cursorrules"),
    "copilot": (".github/copilot-instructions.md", ".github/hooks", ".github/copilot"),
    "gemini": (".gemini", "GEMINI.md"),
    "windsurf": (".windsurf", ".windsurfrules"),
    "cline": (".clinerules", ".cline"),
    "opencode": (".opencode", "opencode.json"),
    "devin": (".devin",),
    "amp": (".amp",),
    "aider": (".aider.conf.yml",),
}
"""By which files of a repository one sees that somebody works there with a harness."""
_WORKFLOWS: Final = ".github/workflows"
_OTHERS: Final = (".gitlab-ci.yml",)


class AuditedTree:
    """One working tree."""

    def __init__(self, toplevel: str) -> None:
        self._toplevel = toplevel

    def rules(self, paths: Sequence[str]) -> Rules:
        """Read the rule files at these paths, at the usual places for none."""
        return read_rules(self._toplevel, paths)

    def harnesses(self) -> tuple[str, ...]:
        """Return the harnesses that have files here."""
        return tuple(
            name
            for name, signs in SIGNS.items()
            if any(os.path.lexists(os.path.join(self._toplevel, sign)) for sign in signs)
        )

    def checks(self) -> tuple[str, ...]:
        """Return the files by which a forge is told to run Handrail."""
        try:
            names = sorted(os.listdir(os.path.join(self._toplevel, _WORKFLOWS)))[:CHECKS_MAX]
        except OSError:
            names = []
        paths = [f"{_WORKFLOWS}/{name}" for name in names if name.endswith((".yml", ".yaml"))]
        return tuple(path for path in (*paths, *_OTHERS) if self._runs_handrail(path))

    def _runs_handrail(self, path: str) -> bool:
        try:
            content = read_bounded(os.path.join(self._toplevel, path), CHECK_BYTES_MAX)
        except FactsUnavailable:
            return False
        lines = (content or b"").lower().splitlines()
        return any(b"handrail" in line.partition(b"#")[0] for line in lines)
