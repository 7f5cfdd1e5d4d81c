"""Auditing real files of a real working tree: what is read, what is not, and what --fix writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.config import parse_config
from handrail.core.audit.ladder import PLAIN
from handrail.edge.audited import FORMATS, reply
from handrail.facts import rulefiles
from handrail.service.audit import Gathered, Report, gather, report_on, standing_of
from handrail.service.audit_fix import Fixed, add_triggers
from handrail.service.context import Caller
from handrail.service.install import install
from handrail.wiring import Application
from tests.audit_support import FIVE_TRIGGERS, PLACE, ROLES, RULES
from tests.formats import check_sarif
from tests.support import Repo

HEAD: Final = b'# \xc3\xa4\n[workspace]\nid = "w"\n'
CONFIG: Final = HEAD + ROLES.encode()
PERSON: Final = Caller(".", "repo", terminal=True)
NOW: Final = 1_767_225_600_000
SCOPE_RULE: Final = "If a file is outside of the allowlist, stop and report.\n"
EXECUTOR: Final = f"{PLACE}/executor/scope.md"


@pytest.fixture
def app(repo: Repo) -> Iterator[Application]:
    """The application in a repository with the rule files of four roles and their configuration."""
    for path, text in RULES.items():
        repo.write(path, text)
    repo.write("handrail.toml", CONFIG)
    application = Application.open(str(repo.path), {}, terminal=False)
    yield application
    application.close()


def gathered(app: Application, *paths: str, config: bytes = CONFIG) -> Gathered:
    return gather(app.audited, paths, parse_config(config))


def audited(app: Application, *paths: str, config: bytes = CONFIG) -> Report:
    settings = parse_config(config)
    standing = standing_of(app.audited, app.site, settings, paused=False)
    return report_on(gathered(app, *paths, config=config), settings, "here", NOW, standing)


def fix(app: Application, *paths: str, caller: Caller = PERSON, dry_run: bool = False) -> Fixed:
    return add_triggers(
        app.site, gathered(app, *paths), caller, ("audit", "--fix"), dry_run=dry_run
    )


def config_of(repo: Repo) -> bytes:
    return (repo.path / "handrail.toml").read_bytes()


def test_the_usual_places_are_read_and_each_file_is_told_of(app: Application, repo: Repo) -> None:
    repo.write("docs/other.md", SCOPE_RULE)
    report = audited(app)
    assert len(report.compared.findings) == 5
    told = {one.path for each in report.compared.findings for one in each.sources}
    assert told | set(report.without) == RULES.keys()
    assert (report.unread, report.foreign, report.problems) == ((), (), ())


def test_a_folder_that_is_named_is_read_and_nothing_else(app: Application) -> None:
    report = audited(app, f"{PLACE}/pair")
    assert [one.title for one in report.compared.findings] == [
        "Pair to Architect trigger exists implicitly"
    ]
    assert len(report.without) == 1


# ------------------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Stop\0and ask.\n", "it is binary: it holds a NUL byte"),
        (b"a\nb\xff\n", "it is not UTF-8 (line 2)"),
        (b"x" * (rulefiles.FILE_BYTES_MAX + 1), "it has more than 4194304 bytes"),
    ],
    ids=["binary", "encoding", "size"],
)
def test_a_file_that_cannot_be_read_is_told_with_the_reason(
    app: Application, repo: Repo, content: bytes, reason: str
) -> None:
    repo.write(EXECUTOR, content)
    report = audited(app, f"{PLACE}/executor")
    assert report.unread == ((EXECUTOR, reason),)
    assert [one.title for one in report.compared.findings] == [
        "Executor to Architect trigger exists implicitly"
    ]
    assert reply(report, "text", strict=True).status == 1
    alone = audited(app, EXECUTOR)
    assert reply(alone, "text", strict=True).status == errors.EXIT_UNAVAILABLE
    assert reply(alone, "text", strict=False).status == 0


def test_a_rule_file_of_two_megabytes_is_read_to_its_end(app: Application, repo: Repo) -> None:
    line = "The quick brown fox jumps over the lazy dog, and nothing of it is a rule.\n\n"
    repo.write(EXECUTOR, "# Executor\n\n" + line * (2_000_000 // len(line)) + SCOPE_RULE)
    report = audited(app, EXECUTOR)
    assert [one.sources[0].path for one in report.compared.findings] == [EXECUTOR]
    assert report.compared.findings[0].sources[0].first > 50_000


def test_no_link_leads_out_of_the_working_tree(
    app: Application, repo: Repo, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.md").write_text(SCOPE_RULE)
    folder = repo.path / PLACE / "executor"
    (folder / "link.md").symlink_to(tmp_path / "outside" / "secret.md")
    (folder / "folder").symlink_to(tmp_path / "outside")
    (folder / "loop.md").symlink_to("loop.md")
    (folder / "again.md").symlink_to("startup.md")
    (folder / "git.md").symlink_to(repo.path / ".git" / "config")
    os.mkfifo(folder / "pipe.md")
    report = audited(app, f"{PLACE}/executor")
    reasons = {path.rpartition("/")[2]: why for path, why in report.unread}
    assert reasons == {
        "link.md": "it leads out of the working tree",
        "git.md": "it leads out of the working tree",
        "folder": "a link to a folder is not followed",
        "loop.md": "Too many levels of symbolic links",
        "pipe.md": "it is no ordinary file",
    }
    assert "secret.md" not in str(report.compared)


def test_of_thousands_of_files_so_many_are_read_and_that_is_told(
    app: Application, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rulefiles, "FILES_MAX", 20)
    monkeypatch.setattr(rulefiles, "ENTRIES_MAX", 60)
    for number in range(50):
        repo.write(f".claude/rules/r{number:03}.md", "Nothing.\n")
    report = audited(app, ".claude")
    assert report.unread == (
        (".claude/rules/r020.md", "more than 20 files: this and what follows it"),
    )
    monkeypatch.setattr(rulefiles, "FILES_MAX", 1_000)
    monkeypatch.setattr(rulefiles, "ENTRIES_MAX", 10)
    report = audited(app, ".claude")
    assert [why for _, why in report.unread] == ["more than 10 entries: not all were looked at"]
    assert len(report.without) == 9


GERMAN: Final = (
    "# Rolle\n\nWenn eine Datei außerhalb der erlaubten Liste liegt, halte sofort an und melde das"
    " dem Architekten. Ändere niemals die Aufgabe selbst, und rate nicht.\n"
)
CHINESE: Final = (
    "# 规则\n\n如果任务需要修改允许列表之外的文件, 请立即停止并报告架构师。"
    "不要自行修改任务, 也不要猜测。\n"
)


@pytest.mark.parametrize("text", [GERMAN, CHINESE], ids=["german", "chinese"])
def test_a_file_in_another_language_is_named_as_one_that_no_rule_is_for(
    app: Application, repo: Repo, text: str
) -> None:
    repo.write(EXECUTOR, text)
    report = audited(app, EXECUTOR)
    assert (report.foreign, report.compared.findings) == ((EXECUTOR,), ())
    told = reply(report, "text", strict=False).text
    assert "No rule of detection applies in this language" in told


def test_front_matter_that_cannot_be_read_is_told_and_the_rest_counts(
    app: Application, repo: Repo
) -> None:
    repo.write(EXECUTOR, f"---\n}}{{ nonsense\n---\n{SCOPE_RULE}")
    report = audited(app, EXECUTOR)
    assert report.problems == ((EXECUTOR, "its front matter cannot be read at line 2"),)
    assert len(report.compared.findings) == 1
    covered = audited(app, EXECUTOR, config=CONFIG + FIVE_TRIGGERS.encode())
    assert covered.compared.percent == 100
    assert reply(covered, "text", strict=True).status == errors.EXIT_UNAVAILABLE


# -------------------------------------------------------------------------------------- formats

HOSTILE: Final = (
    "If a file is out of scope `x` ``` [click](javascript:alert(1)) <img src=x> \x1b[2J\u202e"
    " ## Findings ::error::pwned {0} %s | a, stop and report.\n\nAuditors must write 100 %.\n"
)


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_text_stays_data_in_every_format(app: Application, repo: Repo, form: str) -> None:
    name = f"{PLACE}/executor/a\x1b[31m]b`c\n.md"
    repo.write(name, HOSTILE)
    told = reply(audited(app, f"{PLACE}/executor"), form, strict=False).text
    assert "\x1b" not in told
    assert "\u202e" not in told
    if form == "sarif":
        log = json.loads(told)
        check_sarif(log)
        messages = [one["message"]["text"] for run in log["runs"] for one in run["results"]]
        assert not any("[" in message for message in messages)
        assert messages
    elif form == "json":
        assert json.loads(told)["coverage"]["findings"] == 1
    else:
        lines = told.split("\n")
        assert sum("click" in line for line in lines) == 1
        heads = [line for line in lines if line.startswith(("## Findings", "::"))]
        assert heads == (["## Findings"] if form == "markdown" else [])
    if form == "markdown":
        quoted = next(line for line in told.split("\n") if "click" in line)
        before, _, inside = quoted.partition("`")
        assert "click" not in before
        assert inside.count("`") == 1


def test_the_report_has_the_form_of_one(app: Application) -> None:
    told = reply(audited(app), "markdown", strict=False).text
    heads = [line for line in told.split("\n") if line.startswith("#")]
    assert heads == [
        "# Role handoff audit",
        "## Objective",
        "## Findings",
        "## Global protocol gaps",
        "## Triggers for the gaps, for the end of handrail.toml",
        "## Coverage",
        "## Files without a finding",
        "## Residual risk",
    ]
    assert "Date: 2026-01-01" in told
    assert "0 of 5 findings covered, 0 %" in told
    block = told.partition("```toml\n")[2].partition("```")[0]
    assert len(parse_config(CONFIG + b"\n" + block.encode()).triggers) == 6


def test_without_a_configuration_the_rows_to_paste_bring_their_roles(app: Application) -> None:
    report = report_on(gather(app.audited, (), None), None, None, NOW)
    data = reply(report, "json", strict=False).data
    pasted: Any = data["toml"]
    assert len(parse_config(HEAD + pasted.encode()).triggers) == 6
    assert "Handrail is not configured here" in reply(report, "text", strict=False).text


# --------------------------------------------------------------------------------- residual risk


def test_residual_risk_is_what_is_installed_here(app: Application, repo: Repo) -> None:
    config = CONFIG + FIVE_TRIGGERS.encode()
    bare = audited(app, config=config).standing
    assert bare is not None
    assert (bare.harnesses, bare.commit, bare.checks) == ((), False, ())
    install(app.site, "enforce")
    repo.write(".github/workflows/land.yml", "steps:\n  - run: handrail verify\n")
    repo.write(".github/workflows/no.yml", "steps: [] # handrail\n")
    repo.write(".codex/config.toml", "")
    report = audited(app, config=config)
    standing = report.standing
    assert standing is not None
    assert [tuple(one) for one in standing.harnesses] == [
        ("claude", True, True),
        ("codex", False, False),
    ]
    assert (standing.commit, standing.checks) == (True, (".github/workflows/land.yml",))
    assert {one.harness for one in report.rungs} == {"claude", "codex", PLAIN}
    assert len(report.rungs) == 15
    (repo.path / ".git" / "hooks" / "reference-transaction").unlink()
    repo.write(".claude/settings.local.json", '{"disableAllHooks": true}')
    standing = audited(app, config=config).standing
    assert standing is not None
    assert not standing.commit
    assert not standing.harnesses[0].before
    (repo.path / ".git" / "handrail" / "launch").unlink()
    (repo.path / ".claude" / "settings.local.json").unlink()
    standing = audited(app, config=config).standing
    assert standing is not None
    assert not standing.harnesses[0].before


def test_the_block_that_init_writes_into_the_guidance_is_no_finding(
    app: Application, repo: Repo
) -> None:
    (repo.path / "AGENTS.md").unlink()
    install(app.site, "enforce")
    assert audited(app, "AGENTS.md").compared.findings == ()


# ------------------------------------------------------------------------------------------ --fix


def test_fix_adds_rows_at_the_end_and_all_else_stays(app: Application, repo: Repo) -> None:
    told = fix(app, dry_run=True)
    assert config_of(repo) == CONFIG
    done = fix(app)
    assert done == told
    after = config_of(repo)
    assert after == CONFIG + done.text.encode()
    assert audited(app, config=after).compared.percent == 100
    assert fix(app).rows == ()
    assert config_of(repo) == after


@pytest.mark.parametrize(
    "text",
    [
        CONFIG.replace(b"\n", b"\r\n"),
        CONFIG.rstrip(b"\n"),
        CONFIG + b"# the end, without one",
    ],
    ids=["carriage returns", "no last line end", "comment"],
)
def test_fix_keeps_any_way_of_writing_a_configuration(
    app: Application, repo: Repo, text: bytes
) -> None:
    repo.write("handrail.toml", text)
    fix(app)
    after = config_of(repo)
    assert after.startswith(text)
    assert len(parse_config(after).triggers) == 6
    assert after.count(b"\r\n") in (0, after.count(b"\n"))


def test_fix_is_a_persons_to_do_and_a_dry_run_anybodys(app: Application, repo: Repo) -> None:
    agent = PERSON._replace(session="s-1")
    with pytest.raises(errors.NeedsPerson) as refused:
        fix(app, caller=agent)
    assert "audit --fix" in str(refused.value.next)
    with pytest.raises(errors.NeedsPerson):
        fix(app, caller=PERSON._replace(terminal=False))
    assert fix(app, caller=agent, dry_run=True).rows
    assert config_of(repo) == CONFIG


def test_fix_writes_nothing_where_rows_cannot_be_added(app: Application, repo: Repo) -> None:
    inline = CONFIG.replace(b"[workspace]", b"trigger = []\n[workspace]", 1)
    for text in (inline, b"nonsense", CONFIG + b'x = "'):
        repo.write("handrail.toml", text)
        with pytest.raises(errors.MalformedConfig):
            fix(app)
        assert config_of(repo) == text
    (repo.path / "handrail.toml").unlink()
    with pytest.raises(errors.FactsUnavailable):
        fix(app)
    (repo.path / "handrail.toml").symlink_to("AGENTS.md")
    with pytest.raises(errors.FactsUnavailable):
        fix(app)
    assert (repo.path / "AGENTS.md").read_text() == RULES["AGENTS.md"]
