"""The gates around a handoff as they are met at a shell: what stands in the way, and what ends it.

The failures of the seed ``mosaic`` come first: each one blocks, names the repair, and following the
repair to the letter leads on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.service.handoffs import Handoffs
from handrail.service.packets import Packets
from handrail.service.tasks import Tasks
from tests.cli.world import World, refusal, refusal_in_json, unharmed
from tests.formats import check_json, check_junit, check_sarif

ROLES: Final = """
[[role]]
name = "maker"
lane = ["src/**", "docs/**", "state/**", "more/**"]
NOTE
[[role]]
name = "tester"
lane = ["**"]
"""
MESSAGE: Final = '\n[gates]\nmessage = "block"\n'
TOLD: Final = "The parser reads nested lists now; nothing is left, and the tests cover it."
OFFER: Final = f"handrail handoff offer -m '{TOLD}'"


class Work:
    """Ada acts for task ``fix``; what she commits she pushes to a hub; Bob waits as the tester."""

    def __init__(self, world: World, tmp_path: Path, more: str = "", note: str = "") -> None:
        self.world, self.repo = world, world.repo
        kept = f'note = "{note}"\n' if note else ""
        world.configure(ROLES.replace("NOTE\n", kept) + MESSAGE + more)
        self.repo.write("docs/maker.md", "notes\n")
        self.repo.write("src/a.py", "x = 1\n")
        self.repo.commit("begin", "handrail.toml", "docs", "src")
        hub = tmp_path / "hub"
        self.repo.git("init", "--quiet", "--bare", str(hub))
        self.repo.git("remote", "add", "origin", str(hub))
        self.repo.git("push", "--quiet", "-u", "origin", "main")
        # An editor that writes what the environment says.
        editor = tmp_path / "editor"
        editor.write_text('#!/bin/sh\nprintf "{}" >"$1"\n')
        editor.chmod(0o755)
        ada = world.session(id="ada", agent="agent-ada", role="maker")
        self.ada = world.shell(HANDRAIL_SESSION=ada, EDITOR=str(editor))
        self.bob = world.shell(
            HANDRAIL_SESSION=world.session(id="bob", agent="agent-bob", role="tester")
        )
        with world.open("ada") as application:
            Tasks(application.context).open("fix", "Fix it")
            Handoffs(application.context, application.packet_files).accept("fix")
        world.claim("ada", "src", "docs", "state")

    def change(self, path: str, text: str, *, push: bool = True) -> None:
        """Commit a change, and push it as one should."""
        self.repo.write(path, text)
        self.repo.commit(f"change {path}", path)
        if push:
            self.repo.git("push", "--quiet", "origin", "main")

    def packet(self, **fields: Any) -> str:
        """Write a draft outside the repository; returns the command that offers it."""
        path = self.world.scratch / "draft.json"
        path.write_text(json.dumps({"message": TOLD, **fields}))
        return f"handrail handoff offer {path}"


@pytest.fixture
def work(world: World, tmp_path: Path) -> Work:
    return Work(world, tmp_path)


def blocked(work: Work, line: str, gate: str, code: str) -> str:
    """Offer, see one gate refuse with a code, and nothing written; returns the repair."""
    with unharmed(work.world.store):
        done = work.ada.types(f"{line} --json")
    told = refusal_in_json(done)
    assert (told.code, told.status) == ("gate_failed", 1), done.out
    gates = json.loads(done.out)["error"]["gates"]
    assert [one["gate"] for one in gates] == [gate], gates
    assert code in [one["code"] for one in gates[0]["findings"]]
    assert packets(work) == [1]
    return told.next


def packets(work: Work) -> list[int]:
    with work.world.open() as application, application.store.read() as reader:
        return [packet.number for packet in reader.packets("fix")]


def follow(work: Work, line: str, said: str = TOLD) -> list[str]:
    """Offer, follow each refusal's next command to the letter, until it is offered."""
    steps: list[str] = []
    while (done := work.ada.types(line)).code and len(steps) < 6:
        step = refusal(done).next
        steps.append(step)
        if step.endswith("-m MESSAGE"):
            line = step.replace("MESSAGE", f"'{said}'")
            continue
        fixed = work.ada.types(step)
        assert fixed.code == 0, (step, fixed.err)
    assert packets(work) == [1, 2], (steps, done.err)
    return steps


# --- each failure of the seed blocks, and its repair leads on ------------------------------------


def test_work_that_was_not_pushed(work: Work) -> None:
    work.change("src/a.py", "x = 2\n", push=False)
    blocked(work, OFFER, "pushed", "unpushed")
    assert follow(work, OFFER) == ["git push -u origin main"]


def test_a_file_that_is_named_and_missing(work: Work) -> None:
    line = work.packet(context={"required_reading": ["docs/more/guide.md"]})
    blocked(work, line, "references", "missing_reference")
    steps = follow(work, line)
    assert (len(steps), "docs/more/guide.md" in steps[0]) == (2, True)
    assert "docs/more/guide.md" in work.repo.git("ls-tree", "-r", "--name-only", "HEAD")


def test_a_path_that_is_dirty_and_not_named(work: Work) -> None:
    work.repo.write("src/left.py", "x\n")
    blocked(work, OFFER, "committed", "uncommitted")
    work.ada.env["GIT_EDITOR"] = "echo leftover >"
    assert follow(work, OFFER)[0] == "git add --all && git commit"


def test_a_path_that_is_dirty_may_be_named_instead_and_no_word_does_it(work: Work) -> None:
    work.repo.write("src/left.py", "x\n")
    said = "src/left.py is uncommitted, not committed and unfinished, as everybody may see."
    line = f"handrail handoff offer -m '{said}'"
    blocked(work, line, "committed", "uncommitted")
    done = work.ada.types(work.packet(metadata={"worktree_allowlist_paths": ["src/left.py"]}))
    assert done.code == 0, done.err


def test_a_message_that_says_nothing(work: Work) -> None:
    line = "handrail handoff offer -m '  done, see log  ' --scope src"
    repair = blocked(work, line, "message", "short_message")
    assert repair == "handrail handoff offer --scope src -m MESSAGE"
    assert follow(work, line, said="x" * 50) == [repair]


def test_a_state_file_that_nobody_can_read(work: Work) -> None:
    work.change("state/agent.json", '{"version": 1,}\n')
    line = work.packet(artifacts={"produced": ["state/agent.json"]})
    blocked(work, line, "state-readable", "unreadable_state")
    assert "line 1, column" in refusal(work.ada.types(line)).sentence
    assert len(follow(work, line)) == 2


def test_a_packet_file_that_somebody_edited(work: Work) -> None:
    with work.world.open() as application:
        Packets(application.context, application.packet_files).export()
    (work.world.path / ".handrail/handoffs/fix-001.json").write_text("{")
    blocked(work, OFFER, "state-readable", "export_edited")
    assert follow(work, OFFER) == ["handrail export"]


def test_a_blocker_that_is_called_resolved_without_evidence(work: Work) -> None:
    claim = {"blocker": "B001", "status": "resolved"}
    line = work.packet(claims=[{**claim, "evidence": 1}, "B002 is resolved as well"])
    repair = blocked(work, line, "blockers", "unproven_blocker")
    assert repair == "handrail evidence run -- COMMAND"
    assert work.ada.types(repair.replace("COMMAND", "false")).code == 1

    def newest() -> int:
        told = json.loads(work.ada.types("handrail evidence list --json").out)
        return int(told["receipts"][-1]["receipt"])

    line = work.packet(claims=[{**claim, "evidence": newest()}])
    assert blocked(work, line, "blockers", "unproven_blocker").endswith("-- false")
    assert work.ada.types(repair.replace("COMMAND", "true")).code == 0
    assert work.ada.types(work.packet(claims=[{**claim, "evidence": newest()}])).code == 0


def test_a_state_that_was_not_updated_with_the_work(world: World, tmp_path: Path) -> None:
    """A role's note stands for it: state files come with their preset."""
    work = Work(world, tmp_path, note="docs/maker.md")
    work.change("src/a.py", "x = 2\n")
    blocked(work, OFFER, "lane-note", "note_not_updated")
    assert len(follow(work, OFFER)) == 2


# --- commands ------------------------------------------------------------------------------------

TESTS: Final = """
[[gate]]
id = "tests"
stages = ["pre-handoff"]
run = ["sh", "-c", "grep -q 2 src/a.py"]
"""


def test_a_command_gate_runs_at_the_offer_and_its_receipt_goes_along(
    world: World, tmp_path: Path
) -> None:
    work = Work(world, tmp_path, TESTS)
    done = work.ada.types(OFFER)
    assert done.err.splitlines()[0].startswith("handrail: tests: sh -c")
    assert "next: handrail evidence run --gate tests" in done.err
    work.change("src/a.py", "x = 2\n")
    dry = work.ada.types(f"{OFFER} --dry-run")
    assert (dry.code, "tests" in dry.out, packets(work)) == (0, False, [1])
    assert "pass: committed" in dry.out
    assert work.ada.types("handrail check pre-handoff --task fix").code == 0
    offered = json.loads(work.ada.types(f"{OFFER} --json").out)
    assert [one["gate"] for one in offered["packet"]["evidence"]] == ["tests"]
    told = {one["gate"]: one for one in offered["gates"]}
    assert told["tests"]["reused"]
    assert work.bob.types("handrail check post-handoff fix").code == 0


def test_what_changes_while_the_gates_run_is_refused(world: World, tmp_path: Path) -> None:
    claim = 'run = ["sh", "-c", "handrail claim more && true"]'
    work = Work(world, tmp_path, TESTS.replace(TESTS.splitlines()[4], claim))
    with unharmed(world.store):
        done = work.ada.types(f"{OFFER} --json -q")
    told = json.loads(done.out)["error"]
    assert (done.code, told["code"], told["what"]) == (
        1,
        "facts_changed",
        "what this session holds",
    )
    assert packets(work) == [1]
    assert told["next"] == "handrail handoff offer"


# --- around a return, a close, a git that is in the middle of something --------------------------


def test_a_return_declares_what_is_dirty_and_carries_what_gates_mind(work: Work) -> None:
    work.change("src/a.py", "x = 2\n", push=False)
    work.repo.write("src/left.py", "x\n")
    done = work.ada.types(f"{OFFER} --kind return --to tester --json")
    assert done.code == 0, done.err
    metadata = json.loads(done.out)["packet"]["metadata"]
    assert metadata["worktree_allowlist_paths"] == ["src/left.py"]
    assert [(one["gate"], one["code"]) for one in metadata["findings"]] == [("pushed", "unpushed")]
    short = refusal(work.bob.types("handrail handoff offer --task fix -m short"))
    assert short.code == "packet_open"


def test_who_closes_its_own_work_passes_the_gates_and_a_person_decides(work: Work) -> None:
    work.repo.write("src/left.py", "x\n")
    told = refusal(work.ada.types("handrail task close"))
    assert (told.code, told.next) == ("gate_failed", "git add --all && git commit")
    assert work.world.shell().types("handrail task close fix", terminal=True).code == 0


@pytest.mark.parametrize(
    "line", ["check commit fix", "check pre-handoff nope", "check land --task x"]
)
def test_a_stage_about_no_task_or_a_task_that_is_none_is_refused(work: Work, line: str) -> None:
    assert refusal(work.ada.types(f"handrail {line}")).status == 2


# --- formats of others ---------------------------------------------------------------------------


def test_machine_formats_are_what_they_say_whatever_the_packet_says(work: Work) -> None:
    evil = "docs/<a>&\"'`$(x) %.md"
    work.repo.write(evil, "x\n")
    work.repo.commit("evil", "docs")
    work.repo.git("push", "--quiet", "origin", "main")
    line = work.packet(context={"required_reading": [evil]}, artifacts={"produced": ["src/a.py"]})
    assert work.ada.types(line).code == 0
    work.repo.write("left <&>.txt", "x\n")
    (work.world.path / ".handrail/handoffs/fix-002.json").unlink()
    for stage in ("pre-handoff --task fix", "post-handoff fix", "--self-test"):
        said = {
            form: work.bob.types(f"handrail check {stage} --format {form} -q")
            for form in ("json", "junit", "sarif")
        }
        assert len({done.code for done in said.values()}) == 1
        check_json(json.loads(said["json"].out))
        check_junit(said["junit"].out)
        check_sarif(json.loads(said["sarif"].out))
    told = json.loads(work.bob.types("handrail check post-handoff fix --json").out)
    assert [(one["code"], one["binding"]) for one in told["findings"]] == [
        ("export_missing", False),
        ("undeclared_dirt", True),
        ("unread", False),
    ]
