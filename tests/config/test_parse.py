"""What a configuration means, and what is said of one that is wrong: line, key, nearest word."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from handrail.config import Problem, blob_id, parse_config, validate_config
from handrail.config.records import (
    Agent,
    Checkpoint,
    CommandGate,
    Epoch,
    GateLevel,
    Person,
    Phase,
    Trigger,
    Unless,
    When,
)
from handrail.config.report import PROBLEMS_MAX
from handrail.config.settings import (
    Handoff,
    Limits,
    Modes,
    References,
    Settings,
    StoreSettings,
    Workspace,
)
from handrail.core.role import Role
from handrail.errors import MalformedConfig, UnknownRole
from tests.config.mistakes import SAID
from tests.config.samples import COMPLETE, DESIGN, FULL, SMALL


def settings_of(text: str) -> Settings:
    return parse_config(text.encode())


def problems_of(text: str) -> list[tuple[int, str, str]]:
    return [(line, key, reason) for line, key, reason, _ in validate_config(text.encode())]


# ------------------------------------------------------------------------------- what it means


def test_the_example_of_the_design_has_the_settings_that_it_writes() -> None:
    settings = settings_of(COMPLETE)
    assert settings.workspace == Workspace(
        id="acme-web-3fk2ap",
        mode="enforce",
        default_role="website",
        auto_claim="file",
        roles_per_session="one",
        protected_refs=("main",),
        exempt=("docs/generated/**",),
        fold_case=False,
        uninstalled="allow",
        unattributed="report",
    )
    assert settings.limits == Limits(ttl_ms=90 * 60_000, lapse_after_ms=24 * 3_600_000)
    assert settings.roles[0] == Role(
        name="website",
        family="implementer",
        lane=("site/**",),
        note="site/website_agent_working_note.md",
        reading=("AGENTS.md",),
        sandbox="workspace-write",
        may_write=(),
        coordinates=False,
    )
    assert settings.persons == (Person("Ada", ("ssh-ed25519 …",)),)
    assert settings.agents == (Agent("copilot", "website", "copilot*", "copilot/*"),)
    codes = ("outside_lane", "sandbox_read_only", "scope_needs_handoff")
    block = When("edit_refused", codes=codes, times=3)
    assert settings.triggers == (
        Trigger("executor_scope_or_contract_block", "executor", "architect", block),
    )
    check = Checkpoint("plan_check", approve="review", revise="plan", stop="halt")
    assert settings.phases[0] == Phase("plan", "architect", "read-only", (), "plan.md", check)
    assert settings.gates == (
        CommandGate(
            id="unit-tests",
            stages=("pre-handoff", "land"),
            run=("make", "test"),
            prepare=(("make", "deps"),),
            link=(".venv",),
            env=(("CI", "1"),),
            report="junit.xml",
            protects=("Makefile", "ci/**"),
            timeout_ms=600_000,
            fresh_for="tree",
            fresh_for_ms=None,
            exclusive=False,
        ),
    )
    assert settings.builtin_gates == (GateLevel("pushed", "block"),)
    assert settings.contended == ("**/*.lock", "package-lock.json", "CHANGELOG*")
    assert settings.references == References(("docs/RUNBOOK.md",))
    assert settings.handoff == Handoff(False, "off", True, "auto", 3, 15 * 60_000, "person")
    assert settings.store == StoreSettings("sqlite")
    assert settings.epochs == (Epoch("3fk2", "ssh-ed25519 …", "ada-laptop"),)


def test_what_is_left_out_has_the_defaults_of_the_design() -> None:
    settings = settings_of(SMALL)
    assert settings == Settings(
        workspace=Workspace(
            id="w",
            mode="enforce",
            default_role="website",
            auto_claim="file",
            roles_per_session="one",
            protected_refs=("main",),
            exempt=(),
            fold_case=False,
            uninstalled="allow",
            unattributed="report",
        ),
        modes=Modes(*["enforce"] * 7),
        limits=Limits(ttl_ms=5_400_000, lapse_after_ms=86_400_000),
        roles=(Role("website", "website", ("site/**",), None, (), "workspace-write", (), False),),
        persons=(),
        agents=(),
        triggers=(),
        phases=(),
        gates=(),
        builtin_gates=(),
        contended=(),
        references=References(()),
        handoff=Handoff(False, "off", True, "auto", 3, 900_000, "person"),
        store=StoreSettings("sqlite"),
        epochs=(),
    )


def test_the_mode_of_a_stage_is_its_own_or_else_that_of_the_workspace() -> None:
    warn = SMALL.replace('"w"', '"w"\nmode = "warn"')
    settings = settings_of(warn + '[mode]\nedit = "shadow"\npre-handoff = "enforce"\n')
    stages = ("edit", "commit", "push", "pre-handoff", "post-handoff", "land", "publish")
    modes = [settings.mode(stage) for stage in stages]
    assert modes == ["shadow", "warn", "warn", "enforce", "warn", "warn", "warn"]


def test_the_only_role_is_the_default_role_and_of_two_none_is() -> None:
    second = '[[role]]\nname = "docs"\nlane = ["docs"]\n'
    assert settings_of(SMALL).workspace.default_role == "website"
    assert settings_of(SMALL + second).workspace.default_role is None
    named = SMALL.replace('"w"', '"w"\ndefault_role = "docs"')
    assert settings_of(named + second).workspace.default_role == "docs"


def test_a_role_is_found_by_its_name_and_a_wrong_name_says_the_nearest() -> None:
    settings = settings_of(COMPLETE)
    assert settings.role("executor").lane == ("src/**",)
    with pytest.raises(UnknownRole) as caught:
        settings.role("web-site")
    assert caught.value.values == {"role": "web-site", "nearest": "website"}


def test_a_built_in_gate_blocks_unless_the_file_says_otherwise() -> None:
    settings = settings_of(SMALL + '[gates]\npushed = "off"\nmessage = "advise"\n')
    assert settings.gate_level("pushed") == "off"
    assert settings.gate_level("message") == "advise"
    assert settings.gate_level("references") == "block"


def test_a_receipt_is_fresh_for_a_word_or_for_a_time() -> None:
    gate = '[[gate]]\nid = "g"\nstages = ["land"]\nrun = ["x"]\nfresh_for = '
    for word in ("tree", "commit", "never"):
        made = settings_of(f'{SMALL}{gate}"{word}"').gates[0]
        assert (made.fresh_for, made.fresh_for_ms) == (word, None)
    made = settings_of(f'{SMALL}{gate}"2h"').gates[0]
    assert (made.fresh_for, made.fresh_for_ms) == ("age", 7_200_000)


def test_each_event_of_the_event_table_is_read() -> None:
    whens = {trigger.id: trigger.when for trigger in settings_of(FULL).triggers}
    assert whens["ultra"] == When(
        "document",
        glob=".runbook/**/*.meta.json",
        field="meta.session_priority",
        equals="ultra",
        unless=Unless("meta.status", "archived"),
    )
    assert whens["gate"] == When("gate_failed", gate="unit-tests")
    assert whens["built-in-gate"] == When("gate_failed", gate="references")
    assert whens["limit"] == When("revise_limit", checkpoint="plan_check")
    assert whens["blocked"] == When("blocked", rule="secret safety")
    assert whens["done"] == When("phase_done", phase="plan")


def test_to_revise_leads_back_to_the_phase_and_to_stop_halts_unless_said_otherwise() -> None:
    phase = '[[phase]]\nname = "plan"\nrole = "website"\n'
    checkpoint = 'checkpoint = { name = "c", approve = "done" }\n'
    (made,) = settings_of(SMALL + phase + checkpoint).phases
    assert made.checkpoint == Checkpoint("c", approve="done", revise="plan", stop="halt")


def test_to_revise_may_lead_to_another_phase() -> None:
    phases = (
        '[[phase]]\nname = "plan"\nrole = "website"\n'
        '[[phase]]\nname = "review"\nrole = "website"\n'
        'checkpoint = { name = "c", approve = "done", revise = "plan", stop = "review" }\n'
    )
    made = settings_of(SMALL + phases).phases[1].checkpoint
    assert made == Checkpoint("c", approve="done", revise="plan", stop="review")


def test_the_environment_of_a_gate_has_one_order_however_it_is_written() -> None:
    gate = (
        '[[gate]]\nid = "g"\nstages = ["land"]\nrun = ["x"]\nenv = { B = "2", A = "1", C = "" }\n'
    )
    assert settings_of(SMALL + gate).gates[0].env == (("A", "1"), ("B", "2"), ("C", ""))


def test_fold_case_folds_scopes_and_leaves_paths_as_they_are() -> None:
    text = SMALL.replace('"w"', '"w"\nfold_case = true').replace("site/**", "Site/**")
    role = settings_of(text + 'note = "Site/NOTE.md"\nreading = ["AGENTS.md"]\n').roles[0]
    assert role.lane == ("site/**",)
    assert (role.note, role.reading) == ("Site/NOTE.md", ("AGENTS.md",))


def test_a_lane_is_held_as_the_core_writes_scopes() -> None:
    text = SMALL.replace('"site/**"', '"./site/", "cafe\\u0301"')
    assert settings_of(text).roles[0].lane == ("site", "caf\u00e9")


# ------------------------------------------------------------------------------ what is wrong


def test_the_design_example_alone_misses_just_the_roles_and_the_phase_it_leaves_out() -> None:
    said = [(line, key) for line, key, _ in problems_of(DESIGN)]
    lines = DESIGN.split("\n")
    assert [lines[line - 1].split("#")[0].strip() for line, _ in said[:3]] == [
        'from = "executor"',
        'to = "architect"',
        'role = "architect"',
    ]
    assert lines[said[3][0] - 1].startswith("checkpoint = {")
    assert said == [
        (36, "trigger[0].from"),
        (37, "trigger[0].to"),
        (42, "phase[0].role"),
        (45, "phase[0].checkpoint.approve"),
    ]
    assert problems_of(DESIGN)[3][2] == 'there is no phase "review"; the nearest is "done"'


@pytest.mark.parametrize(("text", "line", "key", "reason"), SAID)
def test_each_mistake_is_told_with_its_line_and_what_would_be_right(
    text: str, line: int, key: str, reason: str
) -> None:
    first = validate_config(text.encode())[0]
    assert (first.line, first.key if key else "") == (line, key)
    assert reason in first.reason


def test_all_mistakes_of_a_file_are_told_in_the_order_of_its_lines() -> None:
    text = (
        '[[role]]\nname = "a"\nlanes = []\n'
        '[handoff]\nwiden = "no"\n'
        '[workspace]\nid = ""\nmode = "x"\n'
        '[[role]]\nname = "a"\nlane = ["/"]\n'
    )
    said = problems_of(text)
    assert [(line, key) for line, key, _ in said] == [
        (1, "role[0]"),
        (3, "role[0].lanes"),
        (5, "handoff.widen"),
        (7, "workspace.id"),
        (8, "workspace.mode"),
        (10, "role[1].name"),
        (11, "role[1].lane[0]"),
    ]
    with pytest.raises(MalformedConfig) as caught:
        parse_config(text.encode(), file="sub/handrail.toml")
    values = caught.value.values
    assert values["problems"] == [(line, reason) for line, _, reason in said]
    assert caught.value.message == 'sub/handrail.toml:1: [[role]] needs "lane".'
    assert (values["file"], values["line"], values["key"]) == ("sub/handrail.toml", 1, "role[0]")


def test_each_further_use_of_a_name_is_told_with_the_place_of_the_first() -> None:
    twin = '[[role]]\nname = "website"\nlane = []\n'
    twice = 'role "website" is defined twice, first in line 5'
    assert problems_of(SMALL + twin * 3) == [
        (8, "role[1].name", twice),
        (11, "role[2].name", twice),
        (14, "role[3].name", twice),
    ]


def test_roles_may_share_a_family_and_bear_the_name_of_another_one() -> None:
    text = SMALL + 'family = "docs"\n[[role]]\nname = "docs"\nfamily = "docs"\nlane = []\n'
    assert [role.family for role in settings_of(text).roles] == ["docs", "docs"]


def test_both_ends_of_a_range_belong_to_it() -> None:
    for ttl, ms in (("1s", 1_000), ("1000ms", 1_000), ("24h", 86_400_000), ("1d", 86_400_000)):
        assert settings_of(SMALL + f'[limits]\nttl = "{ttl}"\n').limits.ttl_ms == ms
    for count in (1, 1000):
        text = SMALL + f"[handoff]\nhalt_after = {count}\n"
        assert settings_of(text).handoff.halt_after == count
    name = "w" * 64
    assert settings_of(SMALL.replace('"w"', f'"{name}"')).workspace.id == name


def test_no_more_than_a_hundred_mistakes_are_told_and_they_are_the_first() -> None:
    wrong = "".join(f"k{number} = 1\n" for number in range(PROBLEMS_MAX * 3))
    said = problems_of(wrong + SMALL)
    assert [line for line, _, _ in said] == list(range(1, PROBLEMS_MAX + 1))


def test_a_suggestion_is_given_apart_from_the_sentence() -> None:
    (problem,) = validate_config((SMALL + 'colour = "x"\n').encode())
    assert problem == Problem(
        line=7,
        key="role[0].colour",
        reason='there is no key "colour" in [[role]]; the nearest is "coordinates"',
        suggestion="coordinates",
    )


def test_a_right_file_has_no_problems() -> None:
    for text in (SMALL, COMPLETE, FULL):
        assert validate_config(text.encode()) == []
        assert validate_config(text.replace("\n", "\r\n").encode()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hunter2@host/db",
        "postgresql://host/db?user=ada&password=hunter2",
        "postgresql://host/db?sslpassword=hunter2",
        "postgresql://host/db?p%61ssword=hunter2",
        "postgres://ada:hunter2@host/db",
        "mysql:hunter2",
        "hunter2",
    ],
)
def test_a_store_address_that_is_refused_is_not_repeated(url: str) -> None:
    (said,) = validate_config((SMALL + f'[store]\nurl = "{url}"\n').encode())
    assert said.key == "store.url"
    assert "hunter2" not in repr(said)


@pytest.mark.parametrize(
    "url", ["sqlite", "postgresql://host/db", "postgresql://ada@a:1,b:2/db?x=y"]
)
def test_a_store_address_without_secrets_is_accepted(url: str) -> None:
    assert settings_of(SMALL + f'[store]\nurl = "{url}"\n').store.url == url


@pytest.mark.parametrize("ref", ["main", "release/*", "refs/heads/main", "v1.2", "a@b", "ä"])
def test_a_protected_ref_may_be_any_branch_or_a_pattern_of_them(ref: str) -> None:
    text = SMALL.replace('"w"', f'"w"\nprotected_refs = ["{ref}"]')
    assert settings_of(text).workspace.protected_refs == (ref,)


@pytest.mark.parametrize(
    "ref", ["", "-x", "/x", "x/", "a..b", "a b", "a~1", "a^", "a:b", "a//b", "x.", "a@{1}"]
)
def test_what_git_never_calls_a_branch_is_no_protected_ref(ref: str) -> None:
    text = SMALL.replace('"w"', f'"w"\nprotected_refs = ["{ref}"]')
    assert [key for _, key, _ in problems_of(text)] == ["workspace.protected_refs[0]"]


def test_hostile_text_is_shown_visibly_and_short() -> None:
    (said,) = validate_config((SMALL + f'sandbox = "\\u001b[2J{"x" * 5000}"\n').encode())
    assert "\x1b" not in said.reason
    assert len(said.reason) < 200
    (said,) = validate_config((SMALL + f'"\\u001b{"x" * 5000}" = 1\n').encode())
    assert "\x1b" not in said.reason + said.key
    assert len(said.reason) + len(said.key) < 300


def test_the_blob_id_is_the_one_that_git_gives(tmp_path: Path) -> None:
    for text in (b"", SMALL.encode(), b"\xff\0\n"):
        (tmp_path / "file").write_bytes(text)
        git = subprocess.run(
            ["git", "hash-object", "--no-filters", "file"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert blob_id(text) == git.stdout.strip()
    assert blob_id(b"") == hashlib.sha1(b"blob 0\0").hexdigest()
