"""The files that others run: the action's scripts in a real bash, hooks and snippets as parsed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from handrail.edge.cli.commands.ci import RULES
from handrail.edge.cli.nouns import COMMANDS
from tests.cli.test_ci import Team, team
from tests.service.forge import payload
from tests.support import ROOT, SOURCE, Result, launcher

__all__ = ["team"]

EXPRESSION: Final = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
FINE: Final = r"inputs\.[a-z-]+|steps\.[a-z]+\.outputs\.[a-z]+|github\.action_path"
FENCE: Final = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMPOSITE_STEP: Final = {"id", "name", "if", "run", "shell", "env", "uses", "with",
                         "working-directory", "continue-on-error"}  # fmt: skip
HOOK: Final = {"id", "name", "description", "entry", "language", "stages", "pass_filenames",
               "always_run", "files", "types", "minimum_pre_commit_version"}  # fmt: skip


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    found: dict[str, Any] = read("action.yml")
    return found


def snippets() -> list[Any]:
    text = (ROOT / "docs" / "ci.md").read_text()
    return [yaml.safe_load(found) for found in FENCE.findall(text)]


# ---------------------------------------------------------------------------------------- as parsed


def test_the_action_is_composite_and_every_step_says_its_shell(action: dict[str, Any]) -> None:
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert set(step) <= COMPOSITE_STEP
        assert step["shell"] == "bash"
    for name, given in action["inputs"].items():
        assert name == name.lower()
        assert isinstance(given.get("default", ""), str), name
        assert given["description"]


def test_no_script_of_the_action_holds_an_expression(action: dict[str, Any]) -> None:
    for step in action["runs"]["steps"]:
        assert EXPRESSION.search(step["run"]) is None
        for value in step["env"].values():
            (expression,) = EXPRESSION.findall(value)
            assert re.fullmatch(FINE, expression)


def test_every_input_is_used_and_every_input_that_is_used_is_there(action: dict[str, Any]) -> None:
    used = set()
    for step in action["runs"]["steps"]:
        for value in step["env"].values():
            used |= set(re.findall(r"inputs\.([a-z-]+)", value))
    assert used == set(action["inputs"])


def test_the_action_installs_its_own_checkout_and_nothing_by_name(action: dict[str, Any]) -> None:
    script = action["runs"]["steps"][0]["run"]
    assert '"$HANDRAIL_ACTION_PATH"' in script
    assert not re.search(r"install[^\n]*\bhandrail\b(?!-)", script.replace("\\\n", " "))


def test_the_hooks_are_what_pre_commit_reads() -> None:
    hooks = read(".pre-commit-hooks.yaml")
    known = {command.path: command for command in COMMANDS}
    assert [hook["id"] for hook in hooks] == ["handrail-check-commit", "handrail-verify"]
    for hook in hooks:
        assert {"id", "name", "entry", "language"} <= set(hook) <= HOOK
        assert hook["language"] == "python", "it is installed as the package that it lies in"
        assert hook["pass_filenames"] is False
        assert hook["always_run"] is True, "never filtered by files"
        assert hook["entry"].split()[:1] == ["handrail"]
        assert hook["entry"].split()[1] in known


def test_the_workflow_is_not_filtered_by_path_and_runs_for_all_that_can_land() -> None:
    flow = snippets()[0]
    events = flow[True]  # YAML 1.1 reads ``on`` as true
    assert set(events) == {"pull_request", "merge_group", "push"}
    assert "paths" not in str(events)
    assert {"opened", "synchronize", "reopened", "edited", "closed"} <= set(
        events["pull_request"]["types"]
    )
    assert flow["permissions"] == {"contents": "write"}
    (job,) = flow["jobs"].values()
    assert "if" not in job
    checkout, judge = job["steps"]
    assert checkout["with"] == {"fetch-depth": 0}
    assert set(judge["with"]) <= set(read("action.yml")["inputs"])


def test_every_objection_is_on_the_page() -> None:
    text = (ROOT / "docs" / "ci.md").read_text()
    assert [code for code in RULES if f"`{code}`" not in text] == []


def test_the_snippet_for_gitlab_has_all_history_and_no_filter() -> None:
    (job,) = snippets()[1].values()
    assert job["variables"]["GIT_DEPTH"] == "0"
    assert "changes" not in str(job["rules"])
    assert any("handrail ci" in line for line in job["script"])


def test_the_job_that_runs_gates_has_no_key_and_the_one_with_the_key_leaves_them_to_it() -> None:
    flow = snippets()[3]
    record, gates = (job["steps"][-1]["with"] for job in flow["jobs"].values())
    assert (gates["command"], record["command"]) == ("verify", "ci")
    assert "key" not in gates
    assert (record["gates"], "gates" in gates) == ("elsewhere", False)
    for job in flow["jobs"].values():
        assert job["steps"][0]["with"]["fetch-depth"] == 0
        assert set(job["steps"][-1]["with"]) <= set(read("action.yml")["inputs"])
    assert flow["jobs"]["gates"]["permissions"] == {"contents": "read"}
    assert flow["jobs"]["gates"]["needs"] == "record"


def test_the_example_for_pre_commit_names_hooks_that_are_there() -> None:
    (repo,) = snippets()[2]["repos"]
    known = {hook["id"] for hook in read(".pre-commit-hooks.yaml")}
    assert {hook["id"] for hook in repo["hooks"]} == known


# ------------------------------------------------------------------------------------------- as run


class Runner:
    """Runs the steps of the action as GitHub's runner does: its scripts, its files, its flags."""

    def __init__(self, action: dict[str, Any], folder: Path) -> None:
        self.action = action
        self.folder = folder
        folder.mkdir()

    def runs(
        self, clone: Path, env: dict[str, str], **inputs: str
    ) -> tuple[Result, dict[str, str]]:
        """Run all steps up to one that fails; returns how it ended and its outputs."""
        known = {name: given.get("default", "") for name, given in self.action["inputs"].items()}
        values = {f"inputs.{name}": value for name, value in {**known, **inputs}.items()}
        values["github.action_path"] = str(ROOT)
        done = None
        for number, step in enumerate(self.action["runs"]["steps"]):
            output, script = self.folder / f"output-{number}", self.folder / f"step-{number}.sh"
            output.write_text("")
            script.write_text(step["run"])
            given = {
                name: EXPRESSION.sub(lambda found: values[found[1]], value)
                for name, value in step["env"].items()
            }
            surroundings = {
                "GITHUB_OUTPUT": str(output),
                "GITHUB_ACTIONS": "true",
                "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
                "RUNNER_TEMP": str(self.folder),
            }
            told = subprocess.run(
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
                cwd=clone,
                env={**os.environ, **surroundings, **env, **given},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            done = Result(("bash",), told.returncode, told.stdout, told.stderr)
            for line in output.read_text().splitlines():
                name, _, value = line.partition("=")
                values[f"steps.{step['id']}.outputs.{name}"] = value
            if done.code:
                break
        assert done is not None
        outputs = {
            name: EXPRESSION.sub(lambda found: values.get(found[1], ""), given["value"])
            for name, given in self.action["outputs"].items()
        }
        return done, outputs


@pytest.fixture
def runner(action: dict[str, Any], tmp_path: Path) -> Runner:
    return Runner(action, tmp_path / "runner")


def event(team: Team, pull: Any, action: str = "opened", **more: Any) -> dict[str, str]:
    import json

    file = team.folder / "event.json"
    file.write_text(json.dumps(payload(pull, action, **more)))
    return {"GITHUB_EVENT_PATH": str(file), "GITHUB_EVENT_NAME": "pull_request"}


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A ``handrail`` to name as the program: the installed one, or a script around this source."""
    words = launcher()
    if len(words) == 1:
        return words[0]
    script = tmp_path / "handrail"
    start = f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r})"
    main = "from handrail.edge.cli.main import entry; entry()"
    script.write_text(f"#!{words[0]} -P\n{start}\n{main}\n")
    script.chmod(0o755)
    return str(script)


def test_the_action_passes_refuses_and_offers_a_sarif_file(
    team: Team, runner: Runner, program: str
) -> None:
    one, two = team.opens("ada/work", "src/a.py"), team.opens("bob/work", "src/a.py")
    given = {"program": program, "key": team.secret}
    done, outputs = runner.runs(team.clone(), event(team, one), **given)
    assert (done.code, outputs["status"]) == (0, "0"), done
    assert Path(outputs["sarif"]).exists()
    done, outputs = runner.runs(team.clone(), event(team, two), **given)
    assert (done.code, outputs["status"]) == (1, "1"), done
    assert "::error file=src/a.py,title=handrail%3A scope_held::" in done.out
    assert "scope_held" in Path(outputs["sarif"]).read_text()
    assert "pull request &#35;1" in (runner.folder / "summary.md").read_text()


def test_the_action_can_only_judge(team: Team, runner: Runner, program: str) -> None:
    pull = team.opens("ada/work", "src/a.py")
    verify = {"program": program, "command": "verify"}
    assert runner.runs(team.clone(), event(team, pull), **verify)[0].code != 0
    assert team.ledger() is None
    ci = {"program": program, "key": team.secret}
    trial = runner.runs(team.clone(), event(team, pull), **ci, **{"dry-run": "true"})
    assert (trial[0].code, team.ledger()) == (0, None)
    assert runner.runs(team.clone(), event(team, pull), **ci)[0].code == 0
    assert runner.runs(team.clone(), event(team, pull), **verify)[0].code == 0


HOSTILE: Final = "$(touch pwned)`touch pwned`\"; touch pwned; '\n::error::x"


@pytest.mark.parametrize("name", ["command", "remote", "format", "dry-run", "key", "gates"])
def test_no_input_becomes_code(team: Team, runner: Runner, program: str, name: str) -> None:
    pull = team.opens("ada/work", "src/a.py")
    clone = team.clone()
    given = {"program": program, "key": team.secret, name: HOSTILE}
    done, _ = runner.runs(clone, event(team, pull), **given)
    assert list(clone.rglob("pwned")) + list(runner.folder.rglob("pwned")) == []
    if name != "dry-run":
        assert done.code not in (0, 1)


def test_no_title_and_no_branch_becomes_code(team: Team, runner: Runner, program: str) -> None:
    pull = team.opens("ada/$(touch${IFS}pwned)", "src/a.py")
    clone = team.clone()
    given = {"program": program, "key": team.secret}
    done, _ = runner.runs(clone, event(team, pull, title=HOSTILE), **given)
    assert done.code == 0, done
    assert list(clone.rglob("pwned")) == []


def test_what_is_installed_is_the_checkout_with_its_pins(
    team: Team, runner: Runner, program: str, tmp_path: Path
) -> None:
    """The index is not asked here: an interpreter that writes down what it is told stands in."""
    log = tmp_path / "log"
    python = tmp_path / "python-3"
    python.write_text(
        "\n".join(
            [
                "#!/bin/sh",
                f'echo "made $*" >> "{log}"',
                'mkdir -p "$4/bin"',
                "cat > \"$4/bin/python\" <<'END'",
                "#!/bin/sh",
                f'echo "pip $*" >> "{log}"',
                "END",
                'chmod +x "$4/bin/python"',
                f'ln -s "{program}" "$4/bin/handrail"',
                "",
            ]
        )
    )
    python.chmod(0o755)
    pull = team.opens("ada/work", "src/a.py")
    given = {"python": str(python), "key": team.secret}
    done, _ = runner.runs(team.clone(), event(team, pull), **given)
    assert done.code == 0, done
    made, pip = log.read_text().splitlines()
    assert made == f"made -I -m venv {runner.folder}/handrail-venv"
    assert pip.startswith("pip -I -m pip install ")
    assert pip.endswith(f"--constraint {ROOT}/constraints.txt {ROOT}")
