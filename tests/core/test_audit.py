"""What an audit finds in rule files, and what it does not find in anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from handrail.config import parse_config, render_preset
from handrail.core.audit.ladder import (
    BEFORE,
    CI_ALONE,
    COMMAND,
    COMMIT,
    LANDING,
    NOTHING,
    PLAIN,
    Harness,
    Standing,
    residual,
    rung_of,
)
from handrail.core.audit.matrix import Compared, Matrix, TriggerSeen, compare
from handrail.core.audit.names import Names, folders_of_roles, role_like
from handrail.core.audit.page import read_page
from handrail.core.audit.rows import propose, toml_of
from handrail.core.audit.statements import About, read_statements, values_of
from handrail.service.audit import matrix_of
from tests.audit_support import FIVE_TRIGGERS, PLACE, READMES, ROLE_SETS, ROLES, RULES

WORKSPACE: Final = '[workspace]\nid = "w"\n'
FIVE: Final = [
    "Architect to Executor trigger exists",
    "Auditor to Executor trigger exists",
    "Executor to Architect trigger exists implicitly",
    "Pair to Architect trigger exists implicitly",
    "Global protocol gap",
]


def configured(text: str) -> Matrix:
    """Return the matrix of a configuration."""
    return matrix_of(parse_config(f"{WORKSPACE}{text}".encode()))


def audited(
    files: Mapping[str, str], matrix: Matrix, names: Sequence[str] | None = None
) -> Compared:
    """Audit some files; the roles are those of the matrix and of the files themselves."""
    pages = {path: read_page(text) for path, text in sorted(files.items())}
    if names is None:
        own = [name for path, page in pages.items() for name in role_like(path, page)]
        names = [*(role.name for role in matrix.roles), *own]
    found = Names(names)
    folders, values = folders_of_roles(tuple(pages), found.all), values_of(pages.values())
    said = [
        one
        for path, page in pages.items()
        for one in read_statements(About(path, page, found, folders, values)).statements
    ]
    return compare(said, matrix, found.all)


def titles(compared: Compared) -> list[str]:
    return [one.title for one in compared.findings]


def places(compared: Compared) -> list[list[tuple[str, int, int]]]:
    return [
        [(one.path.removeprefix(f"{PLACE}/"), one.first, one.last) for one in each.sources]
        for each in compared.findings
    ]


# --------------------------------------------------------------------------- the five findings


@pytest.mark.parametrize("text", [ROLES, ""], ids=["configured", "nothing configured"])
def test_the_five_findings_are_found_with_their_sources(text: str) -> None:
    compared = audited(RULES, configured(text) if text else Matrix())
    assert titles(compared) == FIVE
    assert places(compared) == [
        [("architect/startup-and-initialization.md", 7, 8)],
        [("auditor/purpose-and-ultra-priority.md", 8, 9)],
        [("executor/scope-control.md", 5, 9), ("executor/startup.md", 4, 4)],
        [("pair/boundaries.md", 5, 6)],
        [("AGENTS.md", 7, 7), ("AGENTS.md", 9, 9), ("shared/critical-enforcement.md", 3, 3)],
    ]
    assert (compared.covered, compared.percent) == (0, 0)


def test_the_findings_tell_their_conditions_and_what_happened_so_far() -> None:
    ultra, due, scope, pair, protocol = audited(RULES, configured(ROLES)).findings
    first = ultra.conditions[0]
    assert (first.kind, first.condition.field, first.condition.value) == (
        *("document", "meta.session_priority"),
        "ultra",
    )
    assert first.condition.unless == ("meta.status", "archived")
    assert due.conditions[0].condition.field == "meta.session_priority"
    assert due.prior == "somebody is asked to go on as Executor"
    assert [one.kind for one in scope.conditions] == ["scope", "contract", "contract", "contract"]
    assert scope.prior == "stop and ask"
    assert [one.kind for one in pair.conditions] == ["scope"]
    assert "exceeds the `apps/web` clean-up scope" in pair.conditions[0].condition.text
    assert "no exception" in protocol.gap


def test_the_five_triggers_cover_all_of_it() -> None:
    compared = audited(RULES, configured(ROLES + FIVE_TRIGGERS))
    assert titles(compared) == FIVE
    assert [one.covered_by[0] for one in compared.findings] == [
        "architect_ultra_detected",
        "auditor_ultra_open",
        "executor_scope_or_contract_block",
        "pair_out_of_scope",
        "role_policy_conflict",
    ]
    assert (compared.covered, compared.percent) == (5, 100)


def test_the_preset_of_directives_covers_all_of_it() -> None:
    preset = matrix_of(parse_config(render_preset("directive", "w").encode()))
    compared = audited(RULES, preset)
    assert (titles(compared), compared.covered, compared.percent) == (FIVE, 5, 100)


@pytest.mark.parametrize("number", range(5))
def test_without_one_of_the_five_triggers_its_finding_is_open(number: int) -> None:
    rows = FIVE_TRIGGERS.split("[[trigger]]")[1:]
    kept = "".join(f"[[trigger]]{row}" for n, row in enumerate(rows) if n != number)
    compared = audited(RULES, configured(ROLES + kept))
    assert compared.findings[number].state != "covered"
    assert compared.covered == 4


def test_a_trigger_on_something_else_covers_nothing() -> None:
    other = FIVE_TRIGGERS.replace('equals = "ultra"', 'equals = "urgent"').replace("ultra", "x")
    compared = audited(RULES, configured(ROLES + other))
    assert [one.state for one in compared.findings[:2]] == ["open", "open"]


def test_the_proposed_triggers_parse_and_cover_all_that_was_open() -> None:
    matrix = configured(ROLES)
    proposed = propose(audited(RULES, matrix).findings, matrix)
    text = toml_of(proposed.rows)
    assert proposed.unwritten == ()
    assert [row.id for row in proposed.rows] == [
        "architect_ultra_detected",
        "auditor_ultra_detected",
        "executor_out_of_scope",
        "executor_contract_block",
        "pair_out_of_scope",
        "role_policy_conflict",
    ]
    after = configured(ROLES + text)
    assert audited(RULES, after).percent == 100
    assert propose(audited(RULES, after).findings, after).rows == ()


def test_a_gap_between_roles_that_nobody_configured_gets_no_trigger_and_a_reason() -> None:
    matrix = configured('[[role]]\nname = "worker"\nlane = ["**"]\n')
    compared = audited(RULES, matrix)
    proposed = propose(compared.findings, matrix)
    assert titles(compared) == FIVE
    assert proposed.rows == ()
    assert proposed.unwritten[0].reason == "architect and executor are not configured as [[role]]"


OTHER_WORDS: Final = {
    "AGENTS.md": (
        "## Roles\n\nEvery session MUST begin by choosing one role.\n- Only one role may be active"
        " per session.\n- You are not allowed to change roles mid-thread.\n\nIf instructions"
        " conflict, fail closed: stop, report the rule and ask.\n"
    ),
    f"{PLACE}/architect/startup.md": (
        "1. Load the rules.\n2. Scan the sessions.\n   - `meta.session_priority: ultra` found:\n"
        "     - Stop immediately.\n     - Inform the operator that an Executor must be started.\n"
        "3. Ask the operator for the next directive.\n"
    ),
    f"{PLACE}/auditor/ultra.md": (
        'The auditor may create one `session_priority: "ultra"` directive.\nIf ultra enforcement'
        " requires execution, the auditor must not execute. Prompt the operator to switch to"
        " Executor mode and proceed.\n"
    ),
    f"{PLACE}/executor/scope.md": (
        "The Executor **must** stay within `allowed_files`. If work requires a file that is not"
        " allowlisted, STOP and report to the operator.\n\nWhen the contract is ambiguous, halt and"
        " report. Never improvise.\n\nWhen the task is finished, report the result and stop.\n"
    ),
    f"{PLACE}/pair/boundaries.md": (
        "Not allowed: backend changes.\n\nAnything beyond this: stop and ask for direction before"
        " continuing.\n"
    ),
}


THIRD_WORDS: Final = {
    "AGENTS.md": """\
# Charter
- The operator must explicitly assign a role before any work.
- If no role was assigned, STOP and ask which one applies.
- A role, once selected, is binding for the rest of the thread.
""",
    f"{PLACE}/architect/startup.md": """\
## Ultra detection
- Read all open sessions.
- When `meta.session_priority` is `ultra`:
  1. Halt the Architect workflow.
  2. Notify the operator.
  3. Provide a handoff so that execution can begin.
""",
    f"{PLACE}/auditor/ultra.md": """\
- The Auditor creates exactly one ultra session.
- When enforcement must be executed, ask the operator to proceed with the Executor role.
""",
    f"{PLACE}/executor/rules.md": """\
1. Follow the task file.
2. Missing or contradictory instructions are a contract block. Stop. Report it. Wait for direction.
3. If a change is not covered by `allowed_files`, stop and report the block.
4. Only the Architect may widen scope.
""",
    f"{PLACE}/pair/boundaries.md": """\
When a request exceeds this scope:
- stop
- explain why
- ask the operator for direction
""",
}


@pytest.mark.parametrize("files", [OTHER_WORDS, THIRD_WORDS], ids=["other words", "third words"])
def test_the_same_said_in_other_words_gives_the_same_findings(files: Mapping[str, str]) -> None:
    found = titles(audited(files, configured(ROLES)))
    assert [title.removesuffix(" implicitly") for title in found] == [
        title.removesuffix(" implicitly") for title in FIVE
    ]
    assert audited(files, configured(ROLES + FIVE_TRIGGERS)).percent == 100


def test_a_report_at_the_end_of_work_is_no_trigger() -> None:
    compared = audited(OTHER_WORDS, configured(ROLES))
    assert [(one.from_role, one.to_role) for one in compared.ordinary] == [("executor", None)]
    assert [one.kind for one in compared.findings[2].conditions] == ["scope", "contract"]


def test_a_condition_that_no_clause_says_stands_beside_the_demand() -> None:
    kinds = [one.kind for one in audited(THIRD_WORDS, configured(ROLES)).findings[2].conditions]
    assert kinds == ["contract", "scope"]


def test_an_exception_for_packets_in_the_same_file_closes_the_gap_of_the_protocol() -> None:
    charter = RULES["AGENTS.md"] + "\nA role changes in a thread only by a valid handoff packet.\n"
    files = {
        "AGENTS.md": charter,
        f"{PLACE}/pair/boundaries.md": RULES[f"{PLACE}/pair/boundaries.md"],
    }
    assert titles(audited(files, configured(ROLES))) == [FIVE[3]]


def test_a_matrix_in_a_table_is_read_row_by_row_in_any_language() -> None:
    table = (
        "| Von | Anlass | Nach |\n|---|---|---|\n| architect | eine dringende Sitzung ist offen |"
        " executor |\n| pair | eine Datei liegt woanders | architect |\n"
    )
    german = "Diese Datei beschreibt, wie die Rollen zusammenarbeiten und wer wann übernimmt.\n\n"
    compared = audited({f"{PLACE}/shared/matrix.md": german + table}, configured(ROLES))
    assert titles(compared) == [FIVE[0], "Pair to Architect trigger exists"]
    english = (
        "| from → to | id | condition |\n|---|---|---|\n| any → executor | `x` | it is late |\n"
    )
    compared = audited({"AGENTS.md": english}, configured(ROLES))
    assert titles(compared) == ["Any role to Executor trigger exists"]
    assert compared.findings[0].conditions[0].condition.text == "it is late"


def test_front_matter_names_a_role_and_whom_it_hands_over_to() -> None:
    text = "---\nrole: executor\nhandoffs: [architect, auditor]\n---\n# Notes\n"
    compared = audited({".claude/agents/x.md": text}, configured(ROLES))
    assert titles(compared) == [
        "Executor to Architect trigger exists",
        "Executor to Auditor trigger exists",
    ]


def test_a_handoff_that_is_forbidden_is_a_finding_where_a_trigger_does_it_all_the_same() -> None:
    files = {f"{PLACE}/architect/x.md": "Never hand off to the Executor.\n"}
    assert titles(audited(files, configured(ROLES))) == []
    compared = audited(files, configured(ROLES + FIVE_TRIGGERS))
    assert titles(compared) == ["Architect to Executor trigger does what is forbidden"]
    assert compared.findings[0].state == "open"


def test_a_failing_check_needs_a_trigger_of_its_own() -> None:
    files = {f"{PLACE}/executor/x.md": "If the unit tests fail, stop and report.\n"}
    assert audited(files, configured(ROLES + FIVE_TRIGGERS)).covered == 0
    gate = '[[gate]]\nid = "unit-tests"\nstages = ["pre-handoff"]\nrun = ["true"]\n'
    matrix = configured(ROLES + gate)
    row = propose(audited(files, matrix).findings, matrix).rows[0]
    assert dict(row.when) == {"event": "gate_failed", "gate": "unit-tests"}
    assert audited(files, configured(ROLES + gate + toml_of((row,)))).percent == 100


def test_whoever_decides_asks_a_person() -> None:
    files = {f"{PLACE}/architect/x.md": "If a file is missing, stop and ask the operator.\n"}
    compared = audited(files, configured(ROLES))
    assert (titles(compared), len(compared.to_persons)) == ([], 1)


# ------------------------------------------------------------------------------ and nothing else


@pytest.mark.parametrize("roles", ROLE_SETS)
@pytest.mark.parametrize("name", READMES)
def test_nothing_is_found_in_what_describes_a_project(name: str, roles: str) -> None:
    for path in ("README.md", "docs/README.md", "docs/guide.md"):
        compared = audited({path: READMES[name]}, Matrix(), ROLE_SETS[roles])
        assert titles(compared) == []
    assert titles(audited({"README.md": READMES[name]}, configured(ROLES + FIVE_TRIGGERS))) == []
    assert titles(audited({"README.md": READMES[name]}, Matrix())) == []


def test_a_text_elsewhere_sets_rules_by_its_title_or_address_and_a_readme_does_not() -> None:
    text = (
        "# How we work\n\nYou are the Auditor. The auditor role and the executor role share a"
        " session.\n\nIf a file is out of scope, stop and hand off to the Executor role.\n"
    )
    matrix = configured(ROLES)
    assert titles(audited({"docs/team.md": text}, matrix)) == [FIVE[1]]
    assert titles(audited({"README.md": text, "docs/contributing.md": text}, matrix)) == []


def test_what_must_not_be_done_is_no_demand() -> None:
    for said in ("do not hand off to the Executor", "never proceed with Executor mode"):
        files = {f"{PLACE}/auditor/x.md": f"If a file is out of scope, {said}.\n"}
        compared = audited(files, configured(ROLES))
        assert [one.title for one in compared.findings if one.kind == "trigger"] == []


def test_rules_for_an_agent_without_roles_are_none_about_handoffs() -> None:
    text = (
        "# Rules\n\nStop and ask before you add a dependency. You must run the tests. If a review"
        " asks for more, do it. Never push to main.\n"
    )
    assert titles(audited({"AGENTS.md": text}, Matrix())) == []
    alone = configured('[[role]]\nname = "worker"\nlane = ["**"]\n')
    assert titles(audited({"AGENTS.md": text}, alone)) == []


# ---------------------------------------------------------------------------------- residual risk

REFUSED: Final = TriggerSeen("t", "executor", "architect", "edit_refused")
WHOLE: Final = Standing(
    harnesses=(Harness("claude", before=True, after=True), Harness("codex")),
    commit=True,
    checks=(".github/workflows/land.yml",),
    protected=True,
    modes={"edit": "enforce", "commit": "enforce", "land": "enforce"},
)


def test_the_first_rung_that_enforces_a_trigger_is_told_for_each_harness() -> None:
    rungs = residual((REFUSED,), WHOLE)
    assert [(one.harness, one.enforced) for one in rungs] == [
        ("claude", BEFORE),
        ("codex", COMMIT),
        (PLAIN, COMMIT),
    ]
    assert rungs[0].later == ("after the tool", COMMIT, LANDING)


def test_what_is_not_installed_enforces_nothing() -> None:
    bare = WHOLE._replace(harnesses=(Harness("claude"),), commit=False)
    assert rung_of(REFUSED, bare.harnesses[0], bare).enforced == NOTHING
    known = bare._replace(agents=True)
    assert rung_of(REFUSED, known.harnesses[0], known).enforced == CI_ALONE
    nowhere = rung_of(REFUSED, Harness("claude"), known._replace(checks=()))
    assert nowhere.enforced == NOTHING
    assert nowhere.reason.startswith("nothing is installed for it")


def test_a_mode_that_only_warns_only_advises() -> None:
    modes = {"edit": "warn", "commit": "shadow", "land": "enforce"}
    rung = rung_of(REFUSED, WHOLE.harnesses[0], WHOLE._replace(modes=modes))
    assert (rung.enforced, rung.advises) == (LANDING, (BEFORE, "after the tool", COMMIT))
    rung = rung_of(REFUSED, WHOLE.harnesses[0], WHOLE._replace(paused=True))
    assert rung.enforced == LANDING


def test_what_an_agent_has_to_say_itself_is_only_advice() -> None:
    rung = rung_of(REFUSED._replace(event="blocked"), WHOLE.harnesses[0], WHOLE)
    assert (rung.enforced, rung.advises) == (NOTHING, (COMMAND,))


def test_a_document_is_read_before_the_first_edit_where_a_hook_begins_the_session() -> None:
    row = REFUSED._replace(event="document")
    assert [one.enforced for one in residual((row,), WHOLE)] == [BEFORE, NOTHING, NOTHING]
