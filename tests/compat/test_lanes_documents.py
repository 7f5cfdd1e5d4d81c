"""The lanes' document, line by line: every command line that it prints, in a shell of its own.

A line does what the document says, or is one of the deviations in ``docs/guides/lanes.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.compat.lanes_ground import CHECK, CLAIM, ME, SESSION, Ground, document, make_ground
from tests.support import ROOT

AGENT: Final = '--agent-id "$AGENT_ID"'
NAMED: Final = '--session-id "$AGENT_SESSION_ID"'
TOOL: Final = "python3 scripts/agent_coord.py"
# Every command line that the document prints, with its places as it prints them.
PRINTED: Final = {
    "export-agent": "export AGENT_ID=<agent-id>",
    "export-session": "export AGENT_SESSION_ID=<session-id>",
    "claim": f"{TOOL} --claim --role <role> {AGENT} --scope <path> {NAMED}",
    "heartbeat": f"{TOOL} --heartbeat --role <role> {AGENT}",
    "handoff": f"{TOOL} --handoff --from-role <role> --to-role <role> --scope <path> {NAMED}"
    ' --note "..."',
    "release": f"{TOOL} --release --role <role> {AGENT}",
    "check": CHECK,
    "check-fast": "RUN_UI_SMOKE=1 ./scripts/check_fast.sh",
    "check-all": "RUN_UI_SMOKE=1 ./scripts/check_all.sh",
}
INSTANT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the lanes' document."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("lanes-template"))


def filled(name: str, role: str = "website", scope: str = "site/src") -> str:
    """Return a line of the document with its places filled in."""
    line = PRINTED[name].replace("--to-role <role>", "--to-role website")
    return line.replace("<role>", role).replace("<path>", scope)


def test_every_command_line_of_the_document_is_in_the_table(
    record_property: Callable[[str, object], None],
) -> None:
    text = document()
    record_property("documents of the lanes compared", 0 if text is None else 1)
    if text is None:
        return
    code = re.findall(r"`([^`]+)`", text)
    lines = {one for one in code if re.match(r"(export |python3 |RUN_UI_SMOKE=1 |\./)", one)}
    assert lines == set(PRINTED.values())
    for check in ("missing_lane_note_update:", "missing_or_expired_lease:"):
        assert check in text


def test_the_guide_types_each_line_of_the_document_which_its_own_test_runs() -> None:
    guide = (ROOT / "docs" / "guides" / "lanes.md").read_text(encoding="utf-8")
    for name in ("claim", "heartbeat", "handoff", "release", "check"):
        assert f"$ {filled(name)}\n" in guide, name
    for name, value in (("export-agent", "bot-2"), ("export-session", SESSION)):
        assert f"$ {PRINTED[name].partition('<')[0]}{value}\n" in guide


def test_the_release_checks_run_as_printed_and_count_for_the_integrator(ground: Ground) -> None:
    for program in ("quarto", "rg"):
        tool = ground.repo.write(f".git/bin/{program}", "#!/bin/sh\n")
        tool.chmod(0o755)
    path = {"PATH": f"{ground.path}/.git/bin:{ground.environment()['PATH']}"}
    assert ground.claims("website", "site/src").code == 0
    refused = ground.types(PRINTED["check-fast"], {**ME, **path})
    assert refused.code == 1
    assert "not_coordinator: whoever runs this acts as website" in refused.out, refused
    boss = {"AGENT_ID": "boss", "AGENT_SESSION_ID": "2026-03-01-boss"}
    assert ground.claims("integrator", "ops", "boss", "2026-03-01-boss").code == 0
    for name in ("check-fast", "check-all"):
        passed = ground.types(PRINTED[name], {**boss, **path})
        assert passed.code == 0, passed
        assert "[tracking] tracking contracts OK\n" in passed.out
        assert passed.out.endswith(f"[{name}] all checks passed\n")


def test_eight_claims_of_one_scope_at_an_instant_are_granted_once(ground: Ground) -> None:
    bots = [{"AGENT_ID": f"bot-{n}", "AGENT_SESSION_ID": f"s-{n}"} for n in range(8)]
    running = [ground.starts(CLAIM, bot) for bot in bots]
    ends = [(*one.communicate(timeout=60), one.returncode) for one in running]
    assert sorted(code for _, _, code in ends) == [0] + [1] * 7, ends
    assert len(ground.leases()) == 1
    winner = next(out for out, _, code in ends if code == 0)
    agent = re.search(r"agent=(\S+)", winner)
    assert agent is not None
    line = (
        r"\[agent-coord\]\[fail\] active lease conflict role=website scope=site/src"
        rf" held_by={agent[1]} until={INSTANT}\n"
    )
    for out, err, code in ends:
        assert code == 0 or (out == "" and re.match(line, err)), (out, err)
    assert ground.repo.git("status", "--porcelain") in ("", "M ops/tracker/coordination.json")


@pytest.mark.nightly
def test_what_is_released_before_the_commit_can_still_be_committed(ground: Ground) -> None:
    assert ground.claims("website", "site/src").code == 0
    ground.works("website", "site/src/a.qmd")
    done = ground.types(filled("release"), ME)
    assert (done.code, done.out) == (0, "[agent-coord] released=1 role=website agent=bot-2\n")
    ground.repo.git("branch", "base")
    saved = ground.types("git add -A && git commit -qm nav", ME)
    assert saved.code == 0, saved
    assert ground.checks("--base-ref", "base") == []
