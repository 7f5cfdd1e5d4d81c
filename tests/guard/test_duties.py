"""What a task lets an agent write, by the hooks it meets: sandboxes, and packets it must have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from handrail.core.handed import PhaseEntered
from handrail.core.lease import Actor
from handrail.edge.guard import quick
from handrail.wiring import Application
from tests.guard.conftest import Agents
from tests.guard.support import Agent, Hooked, at_a_terminal, ledger
from tests.guard.test_quick import payload
from tests.support import Handrail, Repo, launcher

ROLES = """
[[role]]
name = "architect"
lane = ["src/**", "docs/**", "lib/**"]
[[role]]
name = "maker"
lane = ["src/**", "docs/**", "lib/**"]
"""
PLAN = """
[[phase]]
name = "plan"
role = "architect"
sandbox = "read-only"
artifact = "plan.md"
[[phase]]
name = "build"
role = "maker"
"""
FIX = ".handrail/evidence/fix/plan.md"
Hires = Callable[..., Agent]


@pytest.fixture
def hire(guarded: Repo, agents: Agents, handrail: Handrail) -> Hires:
    """Begin an agent's session in a role."""

    def begin(session: str, role: str) -> Agent:
        agent = agents(session, name=session.removeprefix("s-"))
        agent._env["HANDRAIL_ROLE"] = role
        begun = agent.begins()
        assert begun.code == 0, begun
        return agent

    return begin


def configure(repo: Repo, text: str) -> None:
    """Put roles and more into force, as a person."""
    config = repo.path / "handrail.toml"
    kept = config.read_text().partition("[[role]]")[0].replace('default_role = "worker"\n', "")
    config.write_text(f"{kept}{ROLES}{text}")
    assert at_a_terminal(repo.path, "config", "apply") == 0
    repo.commit("configure")


def handrails(agent: Agent, *words: str) -> Hooked:
    """Run Handrail as the agent's own command."""
    return agent.run([*launcher(), *words])


def enter(repo: Repo, task: str, phase: str) -> None:
    """Let a task be in a phase."""
    application = Application.open(str(repo.path), {}, terminal=False)
    try:
        with application.store.transaction() as tx:
            tx.commit([PhaseEntered(task, phase, 0)], Actor())
    finally:
        application.close()


@pytest.fixture
def planner(guarded: Repo, hire: Hires, handrail: Handrail) -> Agent:
    """An architect who plans ``fix``: that phase only reads."""
    configure(guarded, PLAN)
    ada = hire("s-ada", "architect")
    assert handrail("task", "new", "fix", "--to", "architect").code == 0
    done = handrails(ada, "handoff", "accept", "fix")
    assert done.code == 0, done
    enter(guarded, "fix", "plan")
    return ada


def code_of(done: Hooked) -> str:
    assert done.refused
    return done.err.partition(": ")[2].partition(":")[0]


def test_while_an_agent_plans_it_edits_its_evidence_and_nothing_else(
    guarded: Repo, planner: Agent
) -> None:
    before = (guarded.path / "src/a.py").read_bytes()
    stopped = planner.edit("src/a.py", "x")
    assert code_of(stopped) == "sandbox_read_only"
    assert "phase plan of task fix" in stopped.err
    assert (guarded.path / "src/a.py").read_bytes() == before
    assert not planner.edit(FIX, "# Plan\n").refused
    assert not planner.edit(FIX, "# A better plan\n").refused
    assert code_of(planner.edit(".handrail/evidence/other/plan.md", "x")) == "sandbox_read_only"
    assert code_of(planner.edit(".handrail/hook", "x")) == "guarded_path"
    assert not quick.nothing_to_say(payload("Edit", file_path=str(guarded.path / "src/a.py")))
    told = handrails(planner, "why", "src/a.py")
    assert "phase plan of task fix" in told.out


def test_what_a_shell_line_writes_while_an_agent_plans_is_refused_or_told(
    guarded: Repo, planner: Agent, handrail: Handrail
) -> None:
    assert code_of(planner.bash("echo x > src/new.py")) == "sandbox_read_only"
    assert code_of(planner.bash("rm -rf src")) == "sandbox_read_only"
    assert (guarded.path / "src/a.py").exists()
    guarded.write("build/make.sh", "echo x > src/a.py\n")
    hidden = "sh build/make.sh"
    heard = planner.tool("Bash", lambda: planner.shell(hidden), command=hidden)
    assert "may not write" in heard.context
    assert "phase plan of task fix" in heard.context
    entries = [one for one in ledger(guarded.path, handrail) if one["kind"] == "write.unheld"]
    assert len(entries) == 1


def test_a_commit_while_an_agent_plans_is_vetoed_but_for_its_evidence(
    guarded: Repo, planner: Agent, handrail: Handrail
) -> None:
    head = guarded.git("rev-parse", "HEAD")
    (guarded.path / "src/a.py").write_text("x\n")
    for words in ((), ("--no-verify",)):
        done = planner.commits("evil", *words)
        assert done.code != 0
        assert "sandbox_read_only" in done.err
        assert guarded.git("rev-parse", "HEAD") == head
    check = handrails(planner, "check", "commit")
    assert check.code == 1
    assert "sandbox_read_only" in check.out + check.err
    guarded.git("checkout", "--quiet", "HEAD", "--", "src/a.py")
    assert not planner.edit(FIX, "# Plan\n").refused
    done = planner.commits("the plan")
    assert done.code == 0, done
    assert handrail("verify", "HEAD").code == 0


def test_the_quick_answer_is_over_as_soon_as_the_phase_is(
    guarded: Repo, hire: Hires, handrail: Handrail
) -> None:
    """What was held before a configuration came that lets it hold no more is not let through."""
    configure(guarded, PLAN.replace('sandbox = "read-only"', ""))
    ada = hire("s-ada", "architect")
    assert handrail("task", "new", "fix", "--to", "architect").code == 0
    assert handrails(ada, "handoff", "accept", "fix").code == 0
    enter(guarded, "fix", "plan")
    assert not ada.edit("src/a.py", "x").refused
    line = payload("Edit", "s-ada", file_path=str(guarded.path / "src/a.py"))
    assert quick.nothing_to_say(line)
    configure(guarded, PLAN)
    assert not quick.nothing_to_say(line)
    assert code_of(ada.edit("src/a.py", "y")) == "sandbox_read_only"


def test_where_a_packet_is_required_an_agent_writes_only_between_its_packets(
    guarded: Repo, hire: Hires, handrail: Handrail
) -> None:
    configure(guarded, "[handoff]\nrequired = true\n")
    ada, bob = hire("s-ada", "architect"), hire("s-bob", "maker")
    assert code_of(ada.edit("src/a.py", "x")) == "no_handoff"
    assert handrail("task", "new", "fix", "--to", "architect").code == 0
    stopped = ada.edit("src/a.py", "x")
    assert code_of(stopped) == "no_handoff"
    assert "next: handrail handoff accept fix" in stopped.err
    assert code_of(bob.edit("src/b.py", "x")) == "not_your_handoff"
    assert handrails(ada, "handoff", "accept", "fix").code == 0
    assert not ada.edit("src/a.py", "x\n").refused
    assert not ada.edit("lib/c.py", "x\n").refused
    assert ada.commits("work").code == 0
    assert not ada.edit("lib/c.py", "y\n").refused
    assert ada.commits("the rest").code == 0
    words = ("--scope", "src", "--to", "maker", "-m", "The work is done; please look at it all.")
    done = handrails(ada, "handoff", "offer", "--task", "fix", *words)
    assert done.code == 0, done
    line = payload("Edit", "s-ada", file_path=str(guarded.path / "lib/c.py"))
    assert not quick.nothing_to_say(line)
    for path in ("lib/c.py", "src/a.py", "docs/guide.md"):
        assert code_of(ada.edit(path, "z")) == "handed_off"
    assert ada.commits("more").code != 0
    assert handrails(bob, "handoff", "accept", "fix").code == 0
    assert not bob.edit("src/b.py", "x\n").refused
    stopped = ada.edit("docs/guide.md", "z")
    assert code_of(stopped) == "handed_off"
    step = stopped.err.partition("next: ")[2].strip()
    assert ada.run(["/bin/bash", "-c", step.replace("handrail", launcher()[0])]).code == 0
    assert not ada.edit("docs/guide.md", "z\n").refused, step


def test_without_phases_and_requirements_nothing_is_asked_for(
    guarded: Repo, agents: Agents
) -> None:
    ada = agents("s-ada")
    assert not ada.edit("src/a.py", "x\n").refused
    assert not ada.edit(FIX, "x\n").refused
    assert ada.commits("work").code == 0
