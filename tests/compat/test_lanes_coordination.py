"""``agent_coord.py`` and ``agent_run.sh``: options, lines, exit statuses, identities.

Asked in this process, but where a process is what it is about.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from handrail.service.projecting import Projecting
from handrail.wiring import Application
from tests.compat.lanes_ground import ME, SESSION, TRACKER, Ground, make_ground
from tests.support import SOURCE, Handrail, Repo

STATE: Final = "ops/tracker/coordination.json"
TOOL: Final = "agent-coord"
SCRIPTS: Final = SOURCE / "presets" / "lanes"
INSTALL: Final = "this clone does not run Handrail; next: pipx install handrail && handrail init"
WEBSITE: Final = ("--role", "website", "--agent-id", "bot-2")


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the lanes' document."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("lanes-template"))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "one of the arguments --claim --heartbeat --release --handoff --status"),
        (("--claim", "--status"), 2, "not allowed with argument"),
        (("--claim", "--role", "nobody"), 2, "invalid choice: 'nobody' (choose from"),
        (("--claim", "--ttl-min", "x"), 2, "invalid int value"),
        (("--claim",), 1, "missing required arguments: role, agent_id, scope, session_id"),
        (("--heartbeat",), 1, "missing required arguments: role, agent_id"),
        (("--release", "--role", "website"), 1, "missing required arguments: agent_id"),
        (
            ("--handoff",),
            1,
            "missing required arguments: from_role, to_role, scope, session_id",
        ),
        (
            ("--claim", *WEBSITE, "--scope", "site", "--session-id", "manual-session"),
            1,
            "session_id 'manual-session' is not allowed",
        ),
        (("--heartbeat", *WEBSITE), 1, "no active lease for role=website agent=bot-2"),
        (
            ("--claim", *WEBSITE, "--scope", "../../etc", "--session-id", "s"),
            1,
            "malformed_scope: ",
        ),
        (("--claim", *WEBSITE, "--scope", "tools", "--session-id", "s"), 1, "outside_lane: "),
        (("--claim", *WEBSITE, "--scope", "site", "--session-id", "a b"), 1, "malformed_name: "),
        (
            ("--claim", *WEBSITE, "--scope", "site", "--session-id", "s", "--ttl-min", "-5"),
            1,
            "malformed_ttl: ",
        ),
    ],
)
def test_what_is_refused_says_so_as_documented(
    ground: Ground, words: tuple[str, ...], code: int, told: str
) -> None:
    done = ground.asks(TOOL, *words)
    assert (done.code, done.out) == (code, ""), done
    assert (told if code == 2 else f"[agent-coord][fail] {told}") in done.err, done
    assert ground.leases() == []


def test_releasing_nothing_is_no_failure(ground: Ground) -> None:
    done = ground.asks(TOOL, "--release", *WEBSITE)
    assert (done.code, done.out) == (0, "[agent-coord] released=0 role=website agent=bot-2\n")


def test_the_board_is_told_in_lines_and_as_json(ground: Ground) -> None:
    done = ground.asks(TOOL, "--status")
    assert done.out.splitlines() == [
        "[agent-coord] active leases",
        "- none",
        "[agent-coord] recent handoffs",
        "- none",
    ]
    assert ground.claims("website", "./site/src/").code == 0
    line = ground.asks(TOOL, "--status").out.splitlines()[1]
    wanted = f"- role=website agent=bot-2 scope=site/src session={SESSION} expires_at="
    assert line.startswith(wanted), line
    handed = ("--from-role", "website", "--to-role", "website", "--scope", "site/src/a.qmd")
    for number in range(12):
        session, agent = f"s-{number}", f"bot-{number}"
        done = ground.asks(
            *(TOOL, "--handoff", *handed[:4], "--scope", f"site/part{number}"),
            *("--session-id", session, "--note", f"note {number}"),
            env={"AGENT_ID": agent},
        )
        assert done.code == 0, done
    lines = ground.asks(TOOL, "--status").out.splitlines()
    shown = lines[lines.index("[agent-coord] recent handoffs") + 1 :]
    assert len(shown) == 10
    assert shown[-1].endswith("session=s-11 website -> website scope=site/part11 note=note 11")
    board = ground.asks(TOOL, "--status", "--json").json()
    assert [sorted(row) for row in board["active_leases"]] == [
        ["acquired_at", "agent_id", "expires_at", "role", "scope", "session_id"]
    ]
    assert len(board["handoffs"]) == 12
    assert board["handoffs"][0] | {"timestamp": ""} == {
        "timestamp": "",
        "session_id": "s-0",
        "from_role": "website",
        "to_role": "website",
        "scope": "site/part0",
        "note": "note 0",
    }


def test_without_a_session_the_only_one_of_role_and_agent_is_meant(ground: Ground) -> None:
    assert ground.claims("website", "site/a", session="s-1").code == 0
    kept = ground.asks(TOOL, "--heartbeat", *WEBSITE, "--ttl-min", "180")
    assert (kept.code, kept.out) == (0, "[agent-coord] heartbeat role=website agent=bot-2\n")
    assert ground.claims("website", "site/b", session="s-2").code == 0
    for action in ("--heartbeat", "--release"):
        refused = ground.asks(TOOL, action, *WEBSITE)
        assert refused.code == 1
        assert "Several live sessions of agent bot-2" in refused.err, refused
        assert "[agent-coord][hint] next: export AGENT_SESSION_ID=s-" in refused.err
    done = ground.asks(TOOL, "--release", *WEBSITE, env={"AGENT_SESSION_ID": "s-2"})
    assert done.out == "[agent-coord] released=1 role=website agent=bot-2\n"
    assert ground.leases() == [("s-1", "website", ("site/a",))]
    other = ("--role", "website", "--agent-id", "bot-3")
    done = ground.asks(TOOL, "--release", *other, env={"AGENT_SESSION_ID": "s-1"})
    assert done.out == "[agent-coord] released=0 role=website agent=bot-3\n", "not its lease"


def test_one_agent_holds_several_roles_and_another_none_of_its_scope(ground: Ground) -> None:
    assert ground.claims("website", "site").code == 0
    assert ground.claims("ops-tooling", "tools").code == 0
    assert ground.claims("integrator", "ops").code == 0
    refused = ground.claims("ops-tooling", "ops/tracker", "bot-3", "s-3")
    assert refused.code == 1
    line = refused.err.splitlines()[0]
    held = "active lease conflict role=ops-tooling scope=ops held_by=bot-2 until="
    assert line.startswith(f"[agent-coord][fail] {held}"), refused
    refused = ground.claims("website", "site/src", "bot-3", SESSION)
    assert refused.code == 1, "a session is one agent's"
    assert len(ground.leases()) == 3


def test_a_handoff_says_who_by_the_environment_or_by_the_session_or_is_refused(
    ground: Ground,
) -> None:
    words = ("--from-role", "ops-tooling", "--to-role", "integrator", "--scope", "ops/tracker")
    handoff = (TOOL, "--handoff", *words, "--session-id", SESSION)
    refused = ground.asks(*handoff)
    assert refused.code == 1
    assert "export AGENT_ID=<agent-id>" in refused.err
    assert ground.claims("ops-tooling", "ops/tracker").code == 0
    assert ground.claims("ops-tooling", "tools").code == 0
    ground.repo.write("tools/a.py", "a = 2\n")
    done = ground.asks(*handoff)
    assert done.code == 0, done
    assert ground.leases()[0] == (SESSION, "ops-tooling", ("tools",))
    again = ground.claims("ops-tooling", "ops/tracker", "bot-3", "s-3")
    assert again.code == 1, "it is reserved for who it is offered to"
    taken = ground.claims("integrator", "ops/tracker", "boss", "s-boss")
    assert taken.code == 0, taken
    assert ("s-boss", "integrator", ("ops/tracker",)) in ground.leases()


def test_nothing_of_the_routine_dirties_a_file(ground: Ground) -> None:
    for _ in range(2):
        assert ground.claims("website", "site").code == 0
        assert ground.asks(TOOL, "--heartbeat", *WEBSITE).code == 0
        assert ground.claims("website", "site", "bot-3", "s-3").code == 1
        assert ground.asks(TOOL, "--release", *WEBSITE).code == 0
        assert ground.asks(TOOL, "--status").code == 0
        assert ground.repo.git("status", "--porcelain") == ""


# --- agent_run.sh --------------------------------------------------------------------------------

RUN: Final = "./scripts/agent_run.sh --agent-id bot-2 --session-id run-1"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--x",), "unknown argument: --x"),
        (("--lease", "website:site", "--", "true"), "--agent-id and --session-id are required"),
        (
            ("--agent-id", "a", "--session-id", "manual-session", "--lease", "a:b", "--", "true"),
            "session_id 'manual-session' is not allowed",
        ),
        (
            ("--agent-id", "a", "--session-id", "s", "--", "true"),
            "at least one --lease role:scope is required",
        ),
        (
            ("--agent-id", "a", "--session-id", "s", "--lease", "website:site"),
            "missing command after --",
        ),
        (
            ("--agent-id", "a", "--session-id", "s", "--lease", "website", "--", "true"),
            "invalid --lease value: website",
        ),
    ],
)
def test_a_run_that_says_too_little_is_refused(
    ground: Ground, words: tuple[str, ...], told: str
) -> None:
    done = ground.asks("agent-run", *words)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"[agent-run][fail] {told}\n"), done
    hint = "[agent-run][hint] expected format role:scope\n"
    assert ("invalid" not in told) or done.err.endswith(hint)
    assert ground.asks("agent-run", "--help").code == 0


def test_a_run_holds_its_leases_while_the_command_runs_and_gives_just_those_back(
    ground: Ground,
) -> None:
    assert ground.claims("website", "site/src", session="run-1").code == 0
    status = "python3 scripts/agent_coord.py --status"
    command = f"UI=1 sh -c '{status}; echo UI=$UI; exit 7'"
    done = ground.types(f"{RUN} --lease website:site/src --lease ops-tooling:tools -- {command}")
    assert done.code == 7, done
    assert "scope=site/src session=run-1" in done.out
    assert "scope=tools session=run-1" in done.out
    assert "[agent-run] running command: UI=1 sh -c " in done.out
    assert "UI=1\n" in done.out
    assert "command completed" not in done.out
    assert ground.leases() == [("run-1", "website", ("site/src",))]


def test_a_run_whose_lease_was_lost_meanwhile_ends_with_75(ground: Ground) -> None:
    lose = "python3 scripts/agent_coord.py --release --role website --agent-id bot-2"
    done = ground.types(f"{RUN} --lease website:site/src -- {lose}")
    assert done.code == 75, done
    assert "released=1" in done.out
    assert "command completed" not in done.out
    assert ground.leases() == []


def test_a_run_whose_second_lease_is_refused_leaves_nothing_behind(ground: Ground) -> None:
    assert ground.claims("ops-tooling", "tools", "bot-3", "s-3").code == 0
    words = ("--lease", "website:site", "--lease", "ops-tooling:tools", "--", "touch", "ran")
    done = ground.asks("agent-run", "--agent-id", "bot-2", "--session-id", "run-1", *words)
    assert done.code == 1, done
    assert "active lease conflict role=ops-tooling scope=tools held_by=bot-3" in done.err
    assert not (ground.path / "ran").exists()
    assert ground.leases() == [("s-3", "ops-tooling", ("tools",))]


# --- the scripts themselves ----------------------------------------------------------------------


def test_the_scripts_are_plain_and_old_enough() -> None:
    for script in sorted(SCRIPTS.glob("*.py")):
        tree = ast.parse(script.read_text(), feature_version=(3, 8))
        names = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert names == {"os", "sys"}, script
    for script in sorted(SCRIPTS.glob("*.sh")):
        for shell in filter(None, map(shutil.which, ("dash", "bash", "busybox"))):
            words = [shell, "sh"] if shell.endswith("busybox") else [shell]
            subprocess.run([*words, "-n", str(script)], check=True)


def test_where_handrail_is_missing_the_scripts_say_how_to_install_it(tmp_path: Path) -> None:
    repo = Repo.create(tmp_path / "bare")
    shutil.copytree(SCRIPTS, repo.path / "scripts")
    prefixes = {
        "agent_coord.py": "agent-coord",
        "check_tracking_contracts.py": "tracking",
        "agent_run.sh": "agent-run",
        "check_fast.sh": "check-fast",
        "check_all.sh": "check-all",
    }
    launch = repo.path / ".git" / "handrail" / "launch"
    for gone in (False, True):
        if gone:
            launch.parent.mkdir()
            launch.write_text("[ -x '/nowhere/python3' ] && [ -f '/x' ] && exec '/nowhere'\n")
        for name, prefix in prefixes.items():
            starter = "python3" if name.endswith(".py") else "sh"
            words = [starter, str(repo.path / "scripts" / name), "--status"]
            done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")
            assert (done.returncode, done.stdout) == (1, ""), done
            assert done.stderr.startswith(f"[{prefix}][fail] {INSTALL}"), done


def test_the_scripts_work_in_a_linked_working_tree_and_from_anywhere(ground: Ground) -> None:
    other = ground.repo.worktree("other")
    line = f"cd / && python3 {other}/scripts/agent_coord.py --claim --role website"
    done = ground.types(f"{line} --agent-id b --scope site --session-id s-other")
    assert done.code == 0, done
    refused = ground.claims("website", "site/src")
    assert refused.code == 1, "leases count in the whole clone"
    assert re.search(r"held_by=b until=", refused.err)
    assert os.environ.get("AGENT_ID") is None
    assert ME["AGENT_SESSION_ID"] == SESSION


# --- what the files say --------------------------------------------------------------------------


def exported(ground: Ground) -> dict[str, list[dict[str, str]]]:
    """Write the projections anew, as `handrail export` does, and read the lanes' file."""
    application = Application.open(str(ground.path), {}, terminal=False)
    try:
        Projecting(application.context, application.projection_files).export()
    finally:
        application.close()
    file: dict[str, list[dict[str, str]]] = json.loads((ground.path / STATE).read_text())
    return file


def test_a_refused_claim_is_put_before_the_integrator_whose_decision_is_read_back(
    ground: Ground,
) -> None:
    assert ground.claims("ops-tooling", "ops/tracker").code == 0
    assert ground.claims("integrator", "ops", "boss", "s-boss").code == 1
    (conflict,) = exported(ground)["conflicts"]
    assert conflict | {"timestamp": ""} == {
        "timestamp": "",
        "role": "integrator",
        "requested_by": "boss",
        "active_agent": "bot-2",
        "requested_scope": "ops",
        "active_scope": "ops/tracker",
        "session_id": "s-boss",
        "decision": "rejected-active-lease",
    }
    text = (ground.path / STATE).read_text()
    ground.repo.write(STATE, text.replace("rejected-active-lease", "bot-2 finishes first"))
    ground.adds_coordination("s-boss", "ops-tooling, integrator")
    (conflict,) = exported(ground)["conflicts"]
    assert conflict["decision"] == "bot-2 finishes first"
    assert "| s-boss | ops-tooling, integrator |" in (ground.path / TRACKER).read_text()
    board = ground.asks(TOOL, "--status", "--json").json()
    leases = exported(ground)["leases"]
    assert board["active_leases"] == leases, "the board says what the file says"


def test_the_gates_before_a_handoff_ask_for_the_tracker_s_rows(ground: Ground) -> None:
    me = {"AGENT_SESSION_ID": SESSION}
    assert ground.claims("website", "site").code == 0
    assert ground.claims("ops-tooling", "tools").code == 0
    handrail = Handrail(ground.path)
    assert handrail("task", "new", "nav", "--to", "website", env=me).code == 0
    assert handrail("accept", "nav", env=me).code == 0
    ground.repo.write("site/src/a.qmd", "b\n")
    ground.repo.write("tools/a.py", "a = 2\n")
    hooks = ("-c", "core.hooksPath=/dev/null")
    ground.repo.git("add", "--all")
    ground.repo.git(*hooks, "commit", "-qm", "both")
    gates = ("--only", "activity-row", "--only", "coordinator-row", "--json")
    done = handrail("check", "pre-handoff", "nav", *gates, env=me)
    found = [(row["gate"], row["code"]) for row in done.json()["findings"]]
    assert found == [
        ("activity-row", "no_activity_row"),
        ("activity-row", "no_activity_row"),
        ("coordinator-row", "no_coordinator_row"),
    ]
    ground.adds_row(SESSION, "website", "bot-2")
    ground.adds_row(SESSION, "ops-tooling", "bot-2")
    ground.adds_coordination(SESSION, "website, ops-tooling")
    ground.repo.git("add", "--all")
    ground.repo.git(*hooks, "commit", "-qm", "rows")
    done = handrail("check", "pre-handoff", "nav", *gates, env=me)
    assert (done.code, done.json()["findings"]) == (0, []), done
    assert all(row["applicable"] for row in done.json()["gates"])


def test_a_tracker_of_five_thousand_rows_is_checked(ground: Ground) -> None:
    rows = "".join(
        f"| s-{number} | website | bot-2 | site | work | closed | none | none |\n"
        for number in range(5_000)
    )
    ground.inserts("\n## 3)", rows)
    ground.repo.git("add", "--all")
    ground.repo.git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "history")
    assert ground.claims("website", "site/src").code == 0
    ground.works("website", "site/src/a.qmd")
    assert ground.checks() == []


def test_the_command_line_answers_what_the_scripts_ask(ground: Ground) -> None:
    done = Handrail(ground.path)("compat", "lanes", "agent-coord", "--claim", "--role", "x")
    assert done.code == 2
    assert "invalid choice: 'x'" in done.err
    assert ground.asks().code == 2
    assert ground.asks("nothing").code == 2
