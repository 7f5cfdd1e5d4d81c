"""The preset ``directive`` at work: bounds of the roles, packets between them, what is checked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.config import parse_config, render_preset
from handrail.core.landing import PASS
from handrail.errors.handoff import GateFailed, MalformedPacket, ScopeNeedsHandoff
from handrail.service.adopting import left_behind
from handrail.service.blocking import as_block
from handrail.service.clean import without_clean
from handrail.service.handoffs import Offered, Offering
from handrail.service.install import uninstall
from handrail.service.install.preset_files import install_presets, uninstall_presets
from handrail.service.packet_text import packet_text
from handrail.service.projected_rows import SAME, WRITTEN
from handrail.service.triggers import Triggers
from handrail.service.verification import Verification
from handrail.wiring import Application
from tests.compat.directive_ground import (
    BRANCH,
    FOLDER,
    HANDOFF,
    ID,
    META,
    RULES,
    TASK,
    Ground,
    document,
    make_ground,
    meta_of,
    task_of,
)
from tests.support import Handrail, Repo

MATRIX: Final = {
    "architect_ultra_detected": ("architect", "executor"),
    "auditor_ultra_open": ("auditor", "executor"),
    "executor_scope_or_contract_block": ("executor", "architect"),
    "pair_out_of_scope": ("pair", "architect"),
    "role_policy_conflict": ("any", "architect"),
}


OTHER: Final = {"id": ID.replace("0f", "1f", 1), "directive_branch": "feat/other"}


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the directives' documents."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("directive-template"))


def blocks(ground: Ground, role: str, rule: str) -> Offered:
    """Say what stops the session of a role."""
    with ground.acting(role) as application:
        asked = as_block(application.context, rule, Offering())
    return ground.offers(role, **asked._asdict())


def gates_of(refusal: GateFailed) -> set[str]:
    gates = refusal.values["gates"]
    assert isinstance(gates, list)
    return {row["gate"] for row in gates}


# --- the configuration ---------------------------------------------------------------------------


def test_the_matrix_is_the_documented_one(ground: Ground) -> None:
    with ground.acting(None) as application:
        rows = {row.id: row for row in Triggers(application.context).all()[0]}
    assert {name: (row.from_role, row.to_role) for name, row in rows.items()} == MATRIX
    settings = parse_config(render_preset("directive", "acme-3fk2ap").encode())
    when = {one.id: one.when for one in settings.triggers}
    for name in ("architect_ultra_detected", "auditor_ultra_open"):
        assert when[name].event == "document"
        assert (when[name].field, when[name].equals) == ("meta.session_priority", "ultra")
        unless = when[name].unless
        assert unless is not None
        assert (unless.field, unless.equals) == ("meta.status", "archived")
    refused = when["executor_scope_or_contract_block"]
    assert refused.codes == ("outside_lane", "sandbox_read_only", "scope_needs_handoff")
    assert (when["pair_out_of_scope"].codes, when["pair_out_of_scope"].times) == (
        ("outside_lane",),
        1,
    )
    said = document()
    if said is not None:
        assert all(name.partition("_")[0] in said.lower() for name in MATRIX if name[0] != "r")


@pytest.mark.parametrize(
    ("role", "may", "may_not", "code"),
    [
        ("pair", "apps/web/page.ts", "src/nav.ts", "outside_lane"),
        ("executor", "src/nav.ts", META, "outside_lane"),
        ("executor", "apps/web/page.ts", "AGENTS.md", "outside_lane"),
        ("architect", TASK, "src/nav.ts", "sandbox_read_only"),
        ("auditor", ".directive-cli/audits/a.md", "src/nav.ts", "sandbox_read_only"),
        ("auditor", META, RULES, "sandbox_read_only"),
    ],
)
def test_each_role_has_its_bounds(
    ground: Ground, role: str, may: str, may_not: str, code: str
) -> None:
    assert ground.claims(role, may).scope == (may,)
    with pytest.raises(errors.Refused) as caught:
        ground.claims(role, may_not)
    assert caught.value.code == code


@pytest.mark.parametrize("role", ["executor", "auditor", "pair"])
def test_a_conflict_of_instructions_leads_from_any_role_to_the_architect(
    ground: Ground, role: str
) -> None:
    done = blocks(ground, role, "role_policy_conflict")
    said = json.loads(done.text)
    assert (done.packet.kind, done.packet.to_role) == ("block", "architect")
    assert said["trigger"] == ground.handoff()["trigger"] == "role_policy_conflict"
    assert ground.accepts("architect").task.role == "architect"


# --- the work ------------------------------------------------------------------------------------


def test_a_packet_lets_its_receiver_write_just_what_the_task_allows(ground: Ground) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    accepted = ground.accepts("executor")
    assert accepted.lease is not None
    assert accepted.lease.scope == ("src/nav.ts",)
    with pytest.raises(ScopeNeedsHandoff):  # it may only be read
        ground.claims("executor", "src/menu.ts")
    ground.writes(TASK, task_of(("src/menu.ts", "write")))  # nobody gets more by the file alone
    with pytest.raises(ScopeNeedsHandoff):
        ground.claims("executor", "src/menu.ts")


def test_a_block_leads_to_the_architect_and_back_and_the_scope_is_nobody_elses(
    ground: Ground,
) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    ground.accepts("executor")
    ground.repo.write("src/nav.ts", "half\n")
    first = ground.reads()
    done = blocks(ground, "executor", "executor_scope_or_contract_block")
    assert done.packet.to_role == "architect"
    assert done.packet.patterns == ("src/nav.ts",)
    said = ground.handoff()
    assert said["worktree_mode"] == "known_dirty_allowlist"
    assert said["worktree_allowlist_paths"] == ["src/nav.ts"]
    with pytest.raises(errors.Refused):  # the sender has stopped
        ground.claims("executor", "src/nav.ts")
    ground.accepts("architect")
    with pytest.raises(errors.Refused):  # it waits for whoever goes on
        ground.claims("executor", "src/nav.ts")
    ground.claims("architect", TASK)
    ground.writes(TASK, task_of(("src/nav.ts", "write"), ("src/menu.ts", "write")))
    ground.repo.git("-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", "wider", TASK)
    words = ("--session", "nav", "--allowlist-path", "src/nav.ts", "--objective", "Both now")
    assert ground.hands(*words, role="architect").code == 0
    accepted = ground.accepts("executor")
    assert accepted.lease is not None
    assert accepted.lease.scope == ("src/nav.ts", "src/menu.ts")
    assert ground.reads() != first
    with ground.acting(None) as application, application.store.read() as reader:
        packets = reader.packets()
        texts = [json.loads(packet_text(reader, one)) for one in packets]
    assert [one.kind for one in packets] == ["complete", "block", "complete"]
    assert [one["message"] for one in texts][::2] == ["Open it", "Both now"]


def test_what_was_finished_is_handed_back_and_the_next_task_may_have_the_same_paths(
    ground: Ground,
) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    ground.accepts("executor")
    ground.repo.write("src/nav.ts", "export const levels = 2\n")
    env = {"HANDRAIL_SESSION": "s-executor"}
    assert ground.types("git add -A && git commit --quiet -m 'Open it'", env).code == 0
    assert ground.hands(role="executor").code == 0
    assert ground.handoff()["trigger"] == "executor_to_architect_handoff"
    ground.accepts("architect")
    ground.writes(TASK, task_of(("src/nav.ts", "write"), status="done"))
    more = task_of(("src/nav.ts", "write"), ("src/menu.ts", "write"))
    ground.writes(f"{FOLDER}/03-menu.task.json", more)
    ground.saves("the next task")
    assert ground.hands(role="architect").code == 0  # the other one is done
    assert ground.handoff()["task_file"] == "03-menu.task.json"
    accepted = ground.accepts("executor")
    assert accepted.lease is not None
    assert accepted.lease.scope == ("src/nav.ts", "src/menu.ts")


def test_the_handoff_file_needs_no_lease_as_it_was_written_and_one_that_was_edited_does(
    ground: Ground,
) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    with ground.acting("executor") as application:
        assert without_clean(application.context, (HANDOFF,)) == ()
        ground.repo.write(HANDOFF, (ground.path / HANDOFF).read_text().replace(BRANCH, "main"))
        assert without_clean(application.context, (HANDOFF,)) == (HANDOFF,)
    assert ground.exports()[HANDOFF] == WRITTEN
    assert ground.handoff()["directive_branch"] == BRANCH
    with ground.acting("executor") as application:
        assert without_clean(application.context, (HANDOFF,)) == ()


def test_a_directive_of_another_branch_is_shown_there_and_is_in_nobodys_way(
    ground: Ground,
) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    ground.saves("handoff")
    ground.repo.git("switch", "--quiet", "-c", "feat/other")
    ground.repo.git("rm", "--quiet", "-r", FOLDER)
    folder = ".directive-cli/directives/26-03-01_other"
    ground.writes(f"{folder}/other.meta.json", meta_of(directive_slug="other", **OTHER))
    ground.writes(f"{folder}/01-other.task.json", task_of(("src/menu.ts", "write")))
    ground.saves("other")
    assert HANDOFF not in ground.exports()
    done = ground.offers("auditor", to_role="executor", message="Open the other")
    assert done.packet.patterns == ("src/menu.ts",)
    assert not (ground.path / FOLDER).exists()
    ground.repo.git("switch", "--quiet", BRANCH)
    (ground.path / HANDOFF).unlink()  # as in a working tree that has not got it
    ground.saves("gone")
    assert ground.accepts("executor", "feat-nav-s-architect").lease is not None
    assert ground.exports()[HANDOFF] == WRITTEN


def test_two_branches_that_both_moved_the_handoff_file_merge_without_a_conflict(
    ground: Ground,
) -> None:
    words = ("check-attr", "merge", "--", HANDOFF, META)
    assert ground.repo.git(*words).splitlines() == [
        f"{HANDOFF}: merge: handrail",
        f"{META}: merge: unspecified",
    ]
    ground.saves("begin")
    ground.repo.git("branch", "--quiet", "one")
    ground.offers("architect", to_role="executor", message="Open it")
    ground.saves("open it")
    with ground.acting("architect") as application:
        ground.judged(application).withdraw()
    ground.repo.git("switch", "--quiet", "one")
    ground.configure('directive = "block"', 'directive = "off"')
    ground.offers("architect", to_role="executor", message="Open both")
    ground.saves("open both")
    done = ground.types(f"git merge --quiet -m 'both' {BRANCH}")
    assert done.code == 0, done
    assert ground.handoff()["objective"] == "Open both"


def test_a_committed_handoff_file_lands(ground: Ground) -> None:
    ground.repo.git("branch", "--quiet", "--force", "main", "HEAD")
    ground.offers("architect", to_role="executor", message="Open it")
    env = {"HANDRAIL_SESSION": "s-executor"}
    done = ground.types("git add -A && git commit --quiet -m 'handoff'", env)
    assert done.code == 0, done.err
    with ground.acting(None) as application:
        (judged,) = Verification(application.sources).verify(["main..HEAD"]).judgments
    assert judged.verdict == PASS, judged


def test_what_people_add_to_the_handoff_file_stays_and_what_is_the_tools_is_told(
    ground: Ground,
) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    value = ground.reads()
    value["handoff"] |= {"owner": "Ada", "to_role": "pair"}
    value["note"] = ["kept"]
    ground.writes(HANDOFF, value)
    done = Handrail(ground.path)("export", "--json")
    told = [one for row in done.json()["projections"] for one in row["told"]]
    assert [(one["place"], one["code"]) for one in told] == [("handoff.to_role", "tool_field")]
    now = ground.reads()
    assert (now["note"], now["handoff"]["owner"]) == (["kept"], "Ada")
    assert now["handoff"]["to_role"] == "executor"
    assert ground.exports()[HANDOFF] == SAME


# --- what accept checks --------------------------------------------------------------------------


def refuses(ground: Ground, role: str) -> GateFailed:
    with pytest.raises(GateFailed) as caught:
        ground.accepts(role)
    return caught.value


def test_a_clean_tree_is_what_clean_required_asks_for(ground: Ground) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    ground.repo.write("src/new.ts", "untracked\n")
    assert gates_of(refuses(ground, "executor")) == {"tree-as-declared"}
    (ground.path / "src/new.ts").unlink()
    ground.repo.write("src/nav.ts", "changed\n")
    assert "clean_required" in refuses(ground, "executor").message
    ground.repo.git("checkout", "--quiet", "--", "src/nav.ts")
    assert ground.accepts("executor").lease is not None


def test_what_the_receiver_holds_excuses_nothing(ground: Ground) -> None:
    ground.claims("executor", "src/other.ts")
    ground.offers("architect", to_role="executor", message="Open it")
    ground.repo.write("src/other.ts", "mine\n")
    assert gates_of(refuses(ground, "executor")) == {"tree-as-declared"}


@pytest.mark.parametrize(
    ("named", "dirty", "passes"),
    [
        (["src/nav.ts"], ["src/nav.ts"], True),
        (["src/nav.ts", "src/menu.ts"], ["src/nav.ts"], True),
        (["src/nav.ts"], ["src/nav.ts", "src/menu.ts"], False),
        (["src/nav"], ["src/nav.ts"], False),
        (["src"], ["src/nav.ts"], False),
        (["src/NAV.ts"], ["src/nav.ts"], False),
    ],
)
def test_every_unfinished_path_is_named_exactly(
    ground: Ground, named: list[str], dirty: list[str], passes: bool
) -> None:
    metadata = {"worktree_mode": "known_dirty_allowlist", "worktree_allowlist_paths": named}
    for path in dirty:
        ground.repo.write(path, "half\n")
    packet = json.dumps({"metadata": metadata}).encode()
    ground.configure('references = "block"', 'references = "off"')
    for path in dirty:
        ground.repo.write(path, "half again\n")
    asked: dict[str, Any] = {"packet": packet, "to_role": "executor", "message": "Go on"}
    if not passes:  # it is not offered as complete, either
        with pytest.raises(GateFailed) as caught:
            ground.offers("architect", **asked)
        assert gates_of(caught.value) == {"committed"}
        ground.repo.git("checkout", "--quiet", "--", ".")
    ground.offers("architect", **asked)
    for path in dirty:
        ground.repo.write(path, "half again\n")
    if passes:
        assert ground.accepts("executor").lease is not None
    else:
        assert gates_of(refuses(ground, "executor")) == {"tree-as-declared"}


def test_the_branch_is_the_directives_and_is_checked_out(ground: Ground) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    ground.repo.git("switch", "--quiet", "-c", "other")
    refused = refuses(ground, "executor")
    assert f"Current branch 'other' does not match directive_branch '{BRANCH}'" in refused.message
    assert refused.next == f"git switch {BRANCH}"
    ground.repo.git("switch", "--quiet", BRANCH)
    assert ground.accepts("executor").lease is not None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": ID.replace("0", "1", 1)}, "is not the directive's meta.id"),
        (
            {"directive_branch": "feat/other"},
            "does not match directive metadata branch 'feat/other'",
        ),
    ],
)
def test_the_directive_is_still_what_the_packet_says(
    ground: Ground, change: dict[str, str], told: str
) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    ground.writes(META, meta_of(**change))
    ground.repo.git("-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", "other", META)
    assert told in refuses(ground, "executor").message


def test_a_task_file_that_is_gone_and_a_second_file_of_metadata_are_refused(ground: Ground) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    ground.repo.git("rm", "--quiet", TASK)
    ground.saves("gone")
    assert (
        "it is the packet's task file, and it is not there" in refuses(ground, "executor").message
    )
    ground.writes(f"{FOLDER}/two.meta.json", meta_of())
    ground.saves("two")
    assert "Expected exactly one" in refuses(ground, "executor").message


def test_a_packet_to_the_executor_names_a_task_by_whatever_way_it_is_offered(
    ground: Ground,
) -> None:
    ground.repo.git("rm", "--quiet", TASK)
    ground.saves("no task")
    with pytest.raises(GateFailed) as caught:
        ground.offers("architect", to_role="executor", message="Open it", scope=("src/nav.ts",))
    assert "Executor handoff requires a concrete task_file." in caught.value.message


def test_nobody_hands_over_to_the_own_role(ground: Ground) -> None:
    with pytest.raises(GateFailed) as caught:
        ground.offers("architect", to_role="architect", message="Open it")
    assert "from_role and to_role are both architect" in caught.value.message


def test_work_of_no_directive_is_handed_over_as_ever(ground: Ground) -> None:
    ground.repo.git("switch", "--quiet", "-c", "chore/tidy")
    done = ground.offers("architect", to_role="pair", message="Tidy up", scope=("apps/web",))
    assert "directive" not in json.loads(done.text)
    assert not (ground.path / HANDOFF).exists()
    assert ground.accepts("pair").lease is not None


# --- the rules -----------------------------------------------------------------------------------


def test_the_rules_are_drawn_from_what_is_in_force(ground: Ground) -> None:
    text = (ground.path / RULES).read_text()
    for name, (giver, receiver) in MATRIX.items():
        shown = giver if giver == "any" else f"`{giver}`"
        assert f"| `{name}` | {shown} | `{receiver}` |" in text
    ground.repo.write(RULES, f"# Ours\n\nRead this.\n\n{text}\nAnd this.\n")
    ground.saves()
    ground.configure('id = "pair_out_of_scope"', 'id = "pair_beyond"')
    assert ground.exports()[RULES] == WRITTEN
    now = (ground.path / RULES).read_text()
    assert "| `pair_beyond` | `pair` | `architect` |" in now
    assert "pair_out_of_scope" not in now
    assert now.startswith("# Ours\n\nRead this.\n")
    assert now.endswith("\nAnd this.\n")


def test_what_is_required_reading_is_there_and_names_the_protocol(ground: Ground) -> None:
    settings = parse_config((ground.path / "handrail.toml").read_bytes())
    assert {role.name for role in settings.roles} == {"architect", "executor", "auditor", "pair"}
    for role in settings.roles:
        own, shared = role.reading
        assert own == f".directive-cli/docs/agent-rules/{role.name}/README.md"
        assert shared == RULES
        assert "role-handoff-automation.md" in (ground.path / own).read_text()
    lock = (ground.path / RULES).with_name("critical-enforcement.md").read_text()
    assert "Role lock" in lock
    agents = (ground.path / "AGENTS.md").read_text()
    assert "only by a valid packet" in agents.replace("\n", " ")
    assert "person's reset" in agents.replace("\n", " ")


def test_documents_that_were_there_get_a_block_and_lose_it_again(tmp_path: Path) -> None:
    repo = Repo.create(tmp_path / "repo")
    rules = ".directive-cli/docs/agent-rules"
    texts = {
        f"{rules}/pair/README.md": b"# Pair\r\n\r\nOurs.\r\n",
        f"{rules}/shared/critical-enforcement.md": b"# Nine rules",
        f"{rules}/executor/README.md": b"Read ../shared/role-handoff-automation.md first.\n",
    }
    for path, text in texts.items():
        repo.write(path, "").write_bytes(text)
    repo.commit("the original")
    application = Application.open(str(repo.path), {}, terminal=False)
    install_presets(application.site, ("directive",), dry_run=False)
    pair, lock, executor = ((repo.path / path).read_bytes() for path in texts)
    assert b"<!-- handrail:begin directive-reading -->\r\n" in pair
    assert b"\n- Role lock:" in lock
    assert executor == texts[f"{rules}/executor/README.md"]
    uninstall_presets(application.site, dry_run=False)
    application.close()
    assert {path: (repo.path / path).read_bytes() for path in texts} == texts
    assert repo.git("status", "--porcelain") == ""


def test_uninstall_takes_out_what_init_wrote(ground: Ground) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    with ground.acting(None) as application:
        settings = parse_config((ground.path / "handrail.toml").read_bytes())
        files = application.projection_files
        ours = left_behind(application.context, files, settings.projections)
        assert ours == (HANDOFF,)  # the rules are committed: they go as the team wants
        uninstall(application.site, (*ours, RULES))
    left = {
        os.path.relpath(os.path.join(folder, name), ground.path)
        for folder, _, names in os.walk(ground.path / ".directive-cli")
        for name in names
    }
    assert left == {META, TASK}


# --- drafts --------------------------------------------------------------------------------------

CHAT: Final = f"""\
I stop here.

=== AUTO HANDOFF ===
from_role: executor
to_role: architect
trigger: executor_scope_or_contract_block
session_id: {ID}
task_file: n/a
required_reading: AGENTS.md
objective: Decide whether menu.ts may be edited
blocking_rule: allowed_files excludes src/menu.ts
directive_branch: {BRANCH}
worktree_mode: clean_required
worktree_allowlist_paths: n/a

That is all.
"""
HEAD: Final = f"""\
---
handoff:
  from_role: "executor"
  to_role: architect
  trigger: executor_scope_or_contract_block  # the matrix
  session_id: {ID}
  task_file: null
  objective: 'Decide whether menu.ts may be edited'
  blocking_rule: allowed_files excludes src/menu.ts
  directive_branch: {BRANCH}
  required_reading: AGENTS.md
---
# Handoff
"""


@pytest.mark.parametrize("text", [CHAT, HEAD])
def test_what_older_tools_wrote_can_be_offered_as_it_is(ground: Ground, text: str) -> None:
    done = ground.offers("executor", packet=text.encode(), kind="block")
    said = ground.handoff()
    assert done.packet.to_role == said["to_role"] == "architect"
    assert said["trigger"] == "executor_scope_or_contract_block"
    assert said["objective"] == "Decide whether menu.ts may be edited"
    assert said["required_reading"] == "AGENTS.md"
    assert said["session_id"] == ID


def test_a_file_of_the_same_shape_is_a_draft_too(ground: Ground) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    with ground.acting("architect") as application:
        ground.judged(application).withdraw()
    value = ground.reads()
    value["handoff"] |= {"objective": "Open both", "mood": "good"}
    done = ground.offers("architect", packet=json.dumps(value).encode())
    assert ground.handoff()["objective"] == "Open both"
    assert json.loads(done.text)["directive"]["more"] == {"mood": "good"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CHAT + CHAT, "it carries 2 handoffs"),
        ("=== AUTO HANDOFF ===\n", "There is no field below the headline."),
        (CHAT.replace(ID, "7"), "no directives have the id '7'"),
        (CHAT.replace("to_role: architect", "to_role: boss"), 'There is no role "boss".'),
        (CHAT.replace("to_role: architect", "to_role: executor"), "nothing is handed over"),
        (CHAT.replace("_block\n", "_blok\n"), 'There is no directive trigger "executor_'),
        (CHAT.replace("mode: clean_required", "mode: dirty"), 'There is no worktree mode "dirty".'),
        (CHAT.replace("paths: n/a", "paths: src/a.ts (ok)"), "there is prose in it"),
        (HEAD.replace("'Decide", '"Decide'), "The head cannot be read"),
        (HEAD.replace("---\n# Handoff\n", ""), "the head that begins here does not end"),
        (HEAD.replace("handoff:\n", "handoff: &x\n"), "The head cannot be read"),
        ('{"handoff": {"from_phase": "a", "to_phase": "b"}}', "from phase to phase"),
        ('{"handoff": ' + "[" * 90 + "]" * 90 + "}", "deeper"),
        ("nothing at all", "it carries 0 handoffs"),
    ],
)
def test_a_draft_that_cannot_be_meant_is_refused_with_its_place(
    ground: Ground, text: str, told: str
) -> None:
    with pytest.raises(MalformedPacket) as caught:
        ground.offers("executor", packet=text.encode(), kind="block")
    assert told in caught.value.message
