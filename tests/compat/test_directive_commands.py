"""``newhandoff`` and ``dc``: options, defaults, lines, exit statuses, and the file that they write.

Asked in this process, but where a process is what it is about.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.edge.compat.directive import NOW, USAGE
from tests.compat.directive_ground import (
    ALLOWED,
    BRANCH,
    FOLDER,
    HANDOFF,
    ID,
    META,
    NAME,
    STORE,
    TASK,
    Ground,
    make_ground,
    meta_of,
    task_of,
)
from tests.conftest import surround
from tests.support import Handrail

READING: Final = "apps/web/docs/guides/component-paradigm.md"
NO_TASK: Final = (
    "Executor handoff requires a concrete task_file. Pass --task-file <task_slug>.task.json"
)
TO_EXECUTOR: Final = ("--session", NAME, "--to-role", "executor")


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the directives' documents."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("directive-template"))


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Such a repository for tests that change nothing in it."""
    templates = tmp_path_factory.mktemp("directive-template")
    with pytest.MonkeyPatch.context() as environment:
        surround(environment, templates.parent, "directives")
        return make_ground(tmp_path_factory.mktemp("directive-still"), templates)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--session", ""), "Missing --session"),
        (("--session",), "Missing --session"),
        (("--session", NAME, "--from-role", "boss"), "Invalid --from-role 'boss'"),
        (("--session", NAME, "--from-role", "pair"), "Invalid --from-role 'pair'"),
        (("--session", NAME, "--to-role", "boss"), "Invalid --to-role 'boss'"),
        (("--session", NAME, "--to-role", "architect"), "Invalid --to-role 'architect'"),
        ((*TO_EXECUTOR, "--trigger", "--dry-run"), "Missing --trigger"),
        ((*TO_EXECUTOR, "--trigger="), "Missing --trigger"),
        ((*TO_EXECUTOR, "--trigger", "pair_out"), "Invalid --trigger 'pair_out'"),
        ((*TO_EXECUTOR, "--trigger", "pair_out_of_scope"), "Invalid --trigger 'pair_out_of_scope'"),
        ((*TO_EXECUTOR, "--objective", " "), "Missing --objective"),
        ((*TO_EXECUTOR, "--blocking-rule"), "Missing --blocking-rule"),
        ((*TO_EXECUTOR, "--worktree-mode", "dirty"), "Invalid --worktree-mode 'dirty'"),
        (
            (*TO_EXECUTOR, "--worktree-mode", "known_dirty_allowlist"),
            "known_dirty_allowlist requires at least one --allowlist-path",
        ),
        (
            (*TO_EXECUTOR, "--allowlist-path", "../a"),
            "Allowlist paths must be relative and must not include '..'",
        ),
        (
            (*TO_EXECUTOR, "--allowlist-path", "/etc/passwd"),
            "Allowlist paths must be relative and must not include '..'",
        ),
        (
            (*TO_EXECUTOR, "--allowlist-path", "src"),
            "Allowlist paths must be exact: src is a folder",
        ),
        (
            (*TO_EXECUTOR, "--task-file", "null"),
            NO_TASK,
        ),
        (
            (*TO_EXECUTOR, "--directive-branch", "dev"),
            f"Handoff branch 'dev' does not match directive metadata branch '{BRANCH}'.",
        ),
        (("--session", "../nav"), f"No session '../nav' in {STORE}"),
        (("--session", "26-02-11_other"), f"No session '26-02-11_other' in {STORE}"),
        (("--sesion", NAME), "Unknown option '--sesion'"),
    ],
)
def test_what_the_original_refuses_is_refused_in_its_words(
    still: Ground, words: tuple[str, ...], told: str
) -> None:
    done = still.hands(*words, role="architect")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[0] == told
    assert not (still.path / HANDOFF).exists()


def test_errors_of_the_files_name_them(ground: Ground) -> None:
    ground.writes(META, meta_of(id="7"))
    assert ground.hands(*TO_EXECUTOR).err.startswith(f"Missing or invalid meta.id in {META}\n")
    ground.writes(META, meta_of(directive_branch=""))
    told = "Missing directive branch. Provide --directive-branch or set meta.directive_branch in"
    assert ground.hands(*TO_EXECUTOR).err.startswith(f"{told} {META}\n")
    ground.writes(META, meta_of())
    ground.writes(f"{FOLDER}/other.meta.json", meta_of())
    told = f"Expected exactly one <directive_slug>.meta.json in {FOLDER}"
    assert ground.hands(*TO_EXECUTOR).err.startswith(f"{told}\n")
    (ground.path / META).unlink()
    (ground.path / f"{FOLDER}/other.meta.json").unlink()
    assert ground.hands(*TO_EXECUTOR).err.startswith(f"{told}\n")


def test_the_working_tree_is_as_was_typed_or_nothing_is_offered(ground: Ground) -> None:
    ground.repo.write("src/nav.ts", "changed\n")
    done = ground.hands(*TO_EXECUTOR, role="architect")
    lines = done.err.splitlines()
    assert lines[:3] == [
        "Working tree must be clean before this command.",
        "Dirty files:",
        "- src/nav.ts",
    ]
    done = ground.hands(*TO_EXECUTOR, "--allowlist-path", "src/menu.ts", role="architect")
    assert done.err.splitlines()[:5] == [
        "Out-of-scope dirty files detected for directive flow.",
        "Dirty files:",
        "- src/nav.ts",
        "Allowed scope prefixes:",
        "- src/menu.ts",
    ]
    assert done.code == 1
    words = ("--allowlist-path", "src/nav.ts", "--objective", "Go on")
    done = ground.hands(*TO_EXECUTOR, *words, role="architect")
    assert (done.code, done.err) == (0, "")
    said = ground.handoff()
    assert said["worktree_mode"] == "known_dirty_allowlist"
    assert said["worktree_allowlist_paths"] == ["src/nav.ts"]


def test_without_options_the_defaults_are_the_documented_ones(ground: Ground) -> None:
    done = ground.hands("--session", NAME, role="architect")
    assert (done.code, done.out, done.err) == (0, f"Wrote {HANDOFF}\n", "")
    said = ground.handoff()
    rules = ".directive-cli/docs/agent-rules"
    reading = f"{rules}/executor/README.md, {rules}/shared/role-handoff-automation.md"
    assert list(said) == [
        *("from_role", "to_role", "trigger", "session_id", "task_file", "directive_branch"),
        *("required_reading", "objective", "blocking_rule", "worktree_mode"),
        "worktree_allowlist_paths",
    ]
    assert said == {
        "from_role": "architect",
        "to_role": "executor",
        "trigger": "architect_to_executor_handoff",
        "session_id": ID,
        "task_file": "02-nav.task.json",
        "directive_branch": BRANCH,
        "required_reading": reading,
        "objective": "Continue directive nav as executor.",
        "blocking_rule": "Work goes on as executor.",
        "worktree_mode": "clean_required",
        "worktree_allowlist_paths": [],
    }


def test_the_documented_reading_counts_where_it_is_there(ground: Ground) -> None:
    ground.repo.write(READING, "# Components\n")
    ground.saves()
    assert ground.hands(*TO_EXECUTOR, role="architect").code == 0
    assert ground.handoff()["required_reading"] == READING


def test_a_dry_run_says_the_same_and_writes_nothing(ground: Ground) -> None:
    before = ground.repo.git("status", "--porcelain")
    done = ground.hands(*TO_EXECUTOR, "--dry-run", "--no-prompt")
    first, _, rest = done.out.partition("\n")
    assert (done.code, first) == (0, f"[dry-run] target: {HANDOFF}")
    assert ground.repo.git("status", "--porcelain") == before
    with ground.acting(None) as application, application.store.read() as reader:
        assert reader.packets() == []
        assert len(reader.sessions()) == 4
    assert ground.hands(*TO_EXECUTOR, role="architect").code == 0
    assert json.loads(rest) == ground.reads()


@pytest.mark.parametrize("named", [NAME, FOLDER, f"./{FOLDER}/", ID, "nav", "<top>"])
def test_a_directive_is_named_by_folder_path_id_or_slug(still: Ground, named: str) -> None:
    named = named.replace("<top>", f"{still.path}/{FOLDER}")
    done = still.hands("--guid", named, "--dry-run")
    assert (done.code, done.err) == (0, ""), done


@pytest.mark.parametrize(
    "named",
    [
        "02-nav.task.json",
        "02-nav",
        TASK,
        "<top>",
        f"apps/web/.local/directives/{NAME}/02-nav.task.json",
    ],
)
def test_a_task_file_is_found_by_whatever_was_written_for_it(ground: Ground, named: str) -> None:
    named = named.replace("<top>", f"{ground.path}/{TASK}")
    done = ground.hands(*TO_EXECUTOR, "--task-file", named, role="architect")
    assert (done.code, done.err) == (0, ""), done
    assert ground.handoff()["task_file"] == "02-nav.task.json"


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("03-gone.task.json", "has no such task; it has 02-nav.task.json"),
        ("/elsewhere/03.task.json", "it does not lie in"),
        ("src/../02-nav.task.json", "it does not lie in"),
        ("26-01-01_other/02-nav.task.json", "it does not lie in"),
    ],
)
def test_a_task_file_that_is_none_is_refused_with_the_reason(
    ground: Ground, named: str, why: str
) -> None:
    done = ground.hands(*TO_EXECUTOR, "--task-file", named, role="architect")
    assert done.code == 1
    assert why in done.err
    assert not (ground.path / HANDOFF).exists()


def test_null_is_absent_and_only_the_executor_needs_a_task(ground: Ground) -> None:
    ground.repo.write("src/x.ts", "new\n")
    for word in ("null", "n/a", "", " NULL "):
        words = ("--session", NAME, "--to-role", "architect", "--task-file", word)
        done = ground.hands(*words, "--allowlist-path", "src/x.ts", "--dry-run", role="auditor")
        assert (done.code, done.err) == (0, ""), done
        assert json.loads(done.out.partition("\n")[2])["handoff"]["task_file"] is None


def test_of_several_tasks_one_has_to_be_named(ground: Ground) -> None:
    ground.writes(f"{FOLDER}/03-more.task.json", task_of(("src/menu.ts", "write")))
    ground.saves()
    done = ground.hands(*TO_EXECUTOR, role="architect")
    assert done.err.startswith("Executor handoff requires a concrete task_file.")
    ground.writes(TASK, task_of(*ALLOWED, status="done"))
    ground.saves()
    assert ground.hands(*TO_EXECUTOR, role="architect").code == 0
    assert ground.handoff()["task_file"] == "03-more.task.json"


def test_a_row_of_the_matrix_makes_a_block_and_declares_what_is_unfinished(ground: Ground) -> None:
    ground.repo.write("src/nav.ts", "half\n")
    trigger = "executor_scope_or_contract_block"
    words = ("--session", NAME, "--trigger", trigger, "--blocking-rule", "menu.ts is not allowed")
    done = ground.hands(*words, role="executor")
    assert (done.code, done.err) == (0, ""), done
    said = ground.handoff()
    assert (said["trigger"], said["to_role"]) == (trigger, "architect")
    assert said["blocking_rule"] == "menu.ts is not allowed"
    assert said["worktree_allowlist_paths"] == ["src/nav.ts"]
    with ground.acting(None) as application, application.store.read() as reader:
        (packet,) = reader.packets()
    assert (packet.kind, packet.to_role) == ("block", "architect")


@pytest.mark.parametrize("trigger", ["role_switch_handoff", "architect_to_executor_handoff_v1"])
def test_a_name_outside_the_matrix_is_an_ordinary_handoff_and_stays_readable(
    ground: Ground, trigger: str
) -> None:
    assert ground.hands(*TO_EXECUTOR, "--trigger", trigger, role="architect").code == 0
    assert ground.handoff()["trigger"] == trigger


def test_nobody_in_particular_hands_over_as_a_session_of_the_role(ground: Ground) -> None:
    done = ground.asks("newhandoff", *TO_EXECUTOR)
    assert (done.code, done.out) == (0, f"Wrote {HANDOFF}\n"), done
    with ground.acting(None) as application, application.store.read() as reader:
        (packet,) = reader.packets()
        session = reader.session("nav-architect")
    assert packet.session == "nav-architect"
    assert session is not None
    assert session.role == "architect"
    role = {"DC_ROLE": "auditor"}
    done = ground.asks("newhandoff", "--session", NAME, "--dry-run", env=role)
    assert json.loads(done.out.partition("\n")[2])["handoff"]["from_role"] == "auditor"


def test_an_agent_that_nobody_knows_hands_nothing_over(ground: Ground) -> None:
    done = ground.asks("newhandoff", *TO_EXECUTOR, env={"CLAUDECODE": "1"})
    assert done.code == 1
    assert done.err.startswith("unknown_session: ")


def test_the_session_may_come_from_the_environment_or_from_the_work(ground: Ground) -> None:
    done = ground.asks("newhandoff", "--dry-run", env={"DC_DIRECTIVE_SESSION": NAME})
    assert (done.code, done.err) == (0, "")
    done = ground.hands("--dry-run", role="architect")  # the branch is a directive's
    assert (done.code, done.err) == (0, "")
    ground.repo.git("switch", "--quiet", "main")
    assert ground.hands("--dry-run", role="architect").err.startswith("Missing --session\n")


def test_a_second_handoff_waits_until_the_first_is_answered(ground: Ground) -> None:
    assert ground.hands(*TO_EXECUTOR, role="architect").code == 0
    done = ground.hands(*TO_EXECUTOR, role="architect")
    assert done.code == 1
    assert done.err.startswith("packet_open: ")
    with ground.acting("architect") as application:
        ground.judged(application).withdraw()
    assert ground.hands(*TO_EXECUTOR, "--objective", "Again", role="architect").code == 0
    assert ground.handoff()["objective"] == "Again"
    with ground.acting(None) as application, application.store.read() as reader:
        assert [packet.number for packet in reader.packets()] == [1, 2]


# --- dc ------------------------------------------------------------------------------------------


def test_dc_hands_over_and_launches_as_newhandoff_does(ground: Ground) -> None:
    words = ("--session", NAME, "--dry-run")
    plain = ground.hands(*words, role="architect")
    again = ground.hands("directive", "handoff", *words, role="architect", name="dc")
    assert (again.code, again.out) == (0, plain.out)
    more = ("--role", "executor", "--directive", NAME, "--profile", "fast", "--dry-run")
    done = ground.hands("launch", "handoff", *more, role="architect", name="dc")
    said = json.loads(done.out.partition("\n")[2])["handoff"]
    assert said["trigger"] == "role_switch_handoff"


@pytest.mark.parametrize("typed", [*NOW, "meta update", "runbook executor-task-cycle"])
def test_every_other_command_says_in_one_line_what_does_its_work(still: Ground, typed: str) -> None:
    done = still.asks("dc", *typed.split())
    assert (done.code, done.out) == (1, "")
    lines = done.err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("  next: ")


def test_help_and_what_is_no_command(still: Ground) -> None:
    assert still.asks("newhandoff", "--help").out == USAGE
    assert "dc validate" in still.asks("dc").out
    assert still.asks("dc", "fly").err == "Unknown command 'fly'\n  next: dc help\n"
    assert still.asks("fly").code == 2


def test_validate_says_what_the_original_says(ground: Ground) -> None:
    done = ground.asks("dc", "validate", "--verbose")
    assert (done.code, done.out, done.err) == (
        0,
        f"{FOLDER}\nValidation passed: 1 session(s)\n",
        "",
    )
    ground.writes(META, {"meta": {"id": "x", "directive_slug": "No", "title": []}})
    ground.writes(TASK, {"task": {}})
    ground.writes(f"{FOLDER}/a.handoff.json", {"handoff": {}})
    ground.writes(f"{FOLDER}/b.handoff.json", {})
    ground.repo.write(f"{FOLDER}/HANDOFF.md", "")
    done = ground.asks("dc", "validate")
    told = done.err.splitlines()
    assert done.code == 1
    for line in (
        f"Legacy file naming not allowed: {FOLDER}/HANDOFF.md",
        f"Expected at most one <directive_slug>.handoff.json in {FOLDER}",
        f"{META}: meta.id must be UUID",
        f"{META}: meta.directive_slug must be slug",
        f"{META}: meta.title must be scalar",
        f"{META}: Missing meta.status",
        f"{TASK}: Missing top-level meta object",
        f"{TASK}: task.objective required",
        f"{TASK}: task.steps must be non-empty array",
        f"{TASK}: task.validation required object",
        f"{FOLDER}/a.handoff.json: handoff.trigger required string",
        f"{FOLDER}/a.handoff.json: handoff.worktree_allowlist_paths must be array",
        f"{FOLDER}/b.handoff.json: Missing top-level handoff object",
    ):
        assert line in told, (line, told)
    assert told[-1] == f"Validation failed: {len(told) - 1} error(s)"
    assert ground.asks("dc", "validate", "--file", "docs/x.json").code == 0
    assert ground.asks("dc", "validate", "--file", META).code == 1


def handoff_of(**changes: Any) -> dict[str, Any]:
    """Return a handoff file."""
    said = {
        "from_role": "executor",
        "to_role": "architect",
        "trigger": "executor_scope_or_contract_block",
        "session_id": ID,
        "directive_branch": BRANCH,
        "objective": "Decide",
        "blocking_rule": "allowed_files",
        "worktree_mode": "clean_required",
        "worktree_allowlist_paths": [],
    }
    return {"handoff": {**said, **changes}}


def test_one_directive_comes_before_all_others_and_no_two(ground: Ground) -> None:
    ground.writes(META, meta_of(session_priority="ultra"))
    assert ground.asks("dc", "validate", "--strict").code == 0
    other = meta_of(session_priority="ultra", directive_slug="fix")
    ground.writes(f"{STORE}/26-03-01_fix/fix.meta.json", other)
    told = "More than one session has session_priority ultra: 26-02-11_nav, 26-03-01_fix"
    assert told in ground.asks("dc", "validate", "--strict").err
    other["meta"]["status"] = "archived"
    ground.writes(f"{STORE}/26-03-01_fix/fix.meta.json", other)
    assert ground.asks("dc", "validate", "--strict").code == 0


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (META, meta_of(status="closed"), "meta.status"),
        (META, meta_of(session_priority="highest"), "meta.session_priority"),
        (TASK, task_of(("src/a.ts (generated)", "write")), "there is prose in it"),
        (TASK, task_of(("src/", "write")), "is a folder"),
        (TASK, task_of(("src/a.ts", "wirte")), "access_unknown"),
        (f"{STORE}/nav2/nav2.meta.json", meta_of(directive_slug="nav2"), "folder should be called"),
        (HANDOFF, handoff_of(session_id="7"), "handoff.session_id is 7, and meta.id is"),
        (HANDOFF, handoff_of(directive_branch="dev"), "Handoff branch 'dev' does not match"),
        (HANDOFF, handoff_of(to_role="test-runner"), "role_unknown"),
        (HANDOFF, handoff_of(to_role="executor"), "nothing is handed over"),
        (HANDOFF, handoff_of(trigger="pair_out"), "directive_trigger_unknown"),
        (HANDOFF, handoff_of(worktree_mode="known_dirty_allowlist"), "no_paths"),
    ],
)
def test_only_the_strict_check_minds_what_the_original_lets_pass(
    ground: Ground, path: str, value: Any, told: str
) -> None:
    ground.writes(path, value)
    assert ground.asks("dc", "validate").code == 0
    done = ground.asks("dc", "validate", "--strict")
    assert done.code == 1
    assert told in done.err


# --- the scripts ---------------------------------------------------------------------------------


def test_the_self_test_finds_a_check_that_cannot_fail(ground: Ground) -> None:
    def verdict() -> str:
        rows = Handrail(ground.path)("check", "--self-test", "--json").json()["gates"]
        found = {row["gate"]: row["verdict"] for row in rows}
        assert found["directive"] == "pass"
        return str(found["dc validate"])

    assert verdict() == "pass"
    ground.repo.write(".directive-cli/bin/dc", "#!/usr/bin/env python3\n")
    ground.saves()
    assert verdict() == "fail"


def test_the_scripts_are_found_from_anywhere_and_say_how_to_install(ground: Ground) -> None:
    line = f"cd src && ../.directive-cli/bin/newhandoff --session {NAME} --dry-run | head -n 1"
    assert ground.types(line).out == f"[dry-run] target: {HANDOFF}\n"
    assert ground.types(".directive-cli/bin/dc validate").out == "Validation passed: 1 session(s)\n"
    (ground.path / ".git/handrail/launch").unlink()
    done = ground.types(".directive-cli/bin/newhandoff")
    assert done.code == 1
    assert "handrail init --preset directive" in done.err
