"""Cooperation's files at the commit and at the landing, over races, and where others wrote them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

from handrail.core.landing import PASS
from handrail.projections.cooperation_handoffs import FORMAT
from handrail.service.verification import Verification
from tests.compat.cooperation_ground import COMMAND, HANDOFFS, MOB, TASKS, Ground
from tests.projections.test_cooperation import GOOD, GOOD_TASK
from tests.support import Handrail, Repo

NAV: Final = "coop-20260601-090000-nav"


def verdicts(mob: Ground, text: str) -> list[str]:
    with mob.open() as application:
        found = Verification(application.sources).verify([text]).judgments
    return [f"{one.verdict} {one.code} {one.path or ''}".strip() for one in found]


def test_the_files_of_the_state_land_with_the_work_and_a_changed_one_does_not(mob: Ground) -> None:
    base = mob.repo.git("rev-parse", "HEAD")
    task = mob.begins(to="implement")
    mob.repo.write("src/menu.ts", "export const menu = 2;\n")
    mob.commits("Tidy the menu", "src/menu.ts", TASKS, HANDOFFS)
    assert verdicts(mob, f"{base}..HEAD") == [f"{PASS} attested"]
    assert mob.repo.git("status", "--porcelain") == ""
    typed = {**mob.handoff(task, 3), "to_role": "architect"}
    mob.repo.write(f"{HANDOFFS}/{task}-003.json", json.dumps(typed))
    mob.repo.git("-c", "core.hooksPath=/dev/null", "commit", "-qam", "without a hook")
    assert verdicts(mob, "HEAD~..HEAD")[0].startswith("refused ")
    mob.exports()
    mob.commits("Put it right", HANDOFFS)
    assert mob.handoff(task, 3)["to_role"] == "implementer"
    assert verdicts(mob, "HEAD~..HEAD") == [f"{PASS} attested"]


def test_a_commit_takes_the_files_along_as_they_are_then(mob: Ground) -> None:
    mob.begins(to="claude_review")
    mob.commits("State", TASKS, HANDOFFS)
    task = mob.tasks()[0]["id"]
    mob.leaves(task, "claude-review.md")
    mob.decides("review_check", "approve")
    (mob.path / TASKS).write_text(mob.repo.git("show", f"HEAD:{TASKS}") + "\n")
    mob.does("handoff", "frontend-ux", "--scope", "src/menu.ts")
    mob.repo.git("checkout", "--quiet", "--", TASKS)
    mob.repo.write("src/menu.ts", "export const menu = 2;\n")
    mob.commits("Tidy the menu", "src/menu.ts")
    committed = json.loads(mob.repo.git("show", f"HEAD:{TASKS}"))["tasks"][0]
    assert committed["current_phase"] == "implement"
    assert verdicts(mob, "HEAD~..HEAD") == [f"{PASS} attested"]


def test_of_two_who_open_at_the_same_moment_one_is_refused(mob: Ground) -> None:
    env = mob.shell(HANDRAIL_SESSION=MOB).env
    line = f"exec {COMMAND} cooperate 'Tidy the menu'"
    started = [
        subprocess.Popen(
            ("sh", "-c", line), cwd=mob.path, env=env, stdout=-1, stderr=-1, stdin=-3, text=True
        )
        for _ in range(4)
    ]
    done = [one.communicate(timeout=60) for one in started]
    assert sorted(one.returncode for one in started) == [0, 1, 1, 1], done
    assert len(mob.tasks()) == 1
    mob.sound()


# --- what was there before -----------------------------------------------------------------------


def test_both_shapes_are_entered_as_history_and_stay_as_they_are(tmp_path: Path) -> None:
    repo = Repo.create(tmp_path / "repo")
    go = [{**GOOD, "task_id": "1747300000000000000", "metadata": {"tokens_used": 5, "model": "m"}}]
    running = {**GOOD_TASK, "status": "in_progress", "current_role": "test-runner"}
    files = {
        TASKS: json.dumps({"tasks": [running]}, indent=2),
        f"{HANDOFFS}/{NAV}-001.json": json.dumps(GOOD, indent=2),
        f"{HANDOFFS}/1747300000000000000.json": json.dumps(go),
        f"{HANDOFFS}/broken.json": '{"task_id": ',
    }
    for path, text in files.items():
        repo.write(path, text)
    repo.commit("what was there")
    said = Handrail(repo.path)("init", "--preset", "cooperation", "--dry-run").err
    done = Handrail(repo.path)("init", "--preset", "cooperation")
    assert done.code == 0, done.err
    for told in ("role_alias", "active_history", "unreadable"):
        assert f"[{told}]" in done.err, done.err
        assert f"[{told}]" in said, said
    assert {path: (repo.path / path).read_text() for path in files} == files
    ground = Ground(repo, tmp_path / "scratch")
    ground.session(id=MOB, agent="bot")
    # What was in progress is nobody's token, and keeps a new one waiting until it is settled.
    assert ground.asks("cooperate", "Another").err.splitlines()[0] == f"active cooperation: {NAV}"
    assert f"[navigator] task={NAV}\n" in ground.does("status", NAV)
    with ground.open() as application, application.store.read() as reader:
        assert reader.leases() == []
        rows = {row.key for row in reader.rows(HANDOFFS)}
    assert rows == {
        *(f"{NAV}-001.json/{key}" for key in ("layout", "0000")),
        *(f"1747300000000000000.json/{key}" for key in ("layout", "0000")),
    }
    assert [one.kept for one in ground.imports() if one.format == FORMAT] == [0]
    settled = json.loads(files[TASKS])
    settled["tasks"][0]["status"] = "halted"
    repo.write(TASKS, json.dumps(settled, indent=2))
    shown = next(one for one in ground.exports() if one.path == TASKS)
    assert shown.kept > 0
    task = ground.does("cooperate", "Another").split("task=")[1].split()[0]
    assert [row["id"] for row in ground.tasks()] == [NAV, task]
    assert {path: (repo.path / path).read_text() for path in list(files)[1:]} == {
        path: text for path, text in files.items() if path != TASKS
    }


def test_what_init_wrote_goes_again_and_what_was_there_comes_back(tmp_path: Path) -> None:
    repo = Repo.create(tmp_path / "repo")
    mine = "---\ndescription: ours\n---\n\nAsk me.\n"
    repo.write(".claude/commands/handoff.md", mine)
    repo.commit("begin")
    before = repo.git("ls-files")
    handrail = Handrail(repo.path)
    assert handrail("init", "--preset", "cooperation").code == 0
    command = repo.path / ".claude/commands/handoff.md"
    assert "$ARGUMENTS" in command.read_text()
    assert not command.stat().st_mode & 0o111
    assert command.with_name("handoff.md.before-handrail").read_text() == mine
    assert handrail("doctor").code == 0
    ground = Ground(repo, tmp_path / "scratch")
    ground.session(id=MOB, agent="bot")
    ground.does("cooperate", "Tidy")
    command.write_text(command.read_text() + "Then push to production.\n")
    (repo.path / ".cooperations/cooperate").unlink()
    told = handrail("doctor")
    assert "somebody changed it" in told.out + told.err
    assert "it is gone" in told.out + told.err
    done = ground.shell().types("handrail uninstall", terminal=True)
    assert done.code == 0, done
    assert command.read_text() == mine
    left = repo.git("status", "--porcelain", "--untracked-files=all", "--ignored")
    paths = {line[3:] for line in left.splitlines()}
    assert {path for path in paths if not path.startswith(".handrail/handoffs/")} == {
        ".claude/commands/handoff.md.changed"
    }
    assert repo.git("ls-files") == before
