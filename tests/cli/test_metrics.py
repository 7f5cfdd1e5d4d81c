"""``metrics`` as it is typed: what leaves a verdict in the ledger, and what is said of them all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from handrail.core.metrics import Figures, Goal, Share, Spans, Suite, goals
from handrail.edge.openmetrics import exposition
from handrail.service.metrics import Measured
from tests.cli.test_handoff_gates import OFFER, Work
from tests.cli.world import World, entries_of, refusal, unharmed


@pytest.fixture
def work(world: World, tmp_path: Path) -> Work:
    return Work(world, tmp_path)


def verdicts(world: World) -> list[tuple[Any, ...]]:
    """Return whose verdict on what is in the ledger, by whom it is bound, and what came with it."""
    rows = [(json.loads(header), payload) for header, payload in entries_of(world.store)]
    found = []
    for header, payload in rows:
        if header["kind"] == "stage.judged" and payload is not None:
            told = json.loads(payload)
            assert told["session"] == header["session"]
            beside = [one["kind"] for one, _ in rows if one["at"] == header["at"]]
            with_it = [
                k for k in beside if k.split(".")[0] in ("packet", "task") and k != "task.phase"
            ]
            row = (told["session"], told["stage"], told["verdict"], told["for_task"])
            found.append((*row, told["gates"], with_it[-1] if with_it else None))
    return found


def test_every_judgement_around_a_handoff_is_one_entry_with_what_it_led_to(work: Work) -> None:
    world, ada, bob = work.world, work.ada, work.bob
    before = ("ada", "pre-handoff")
    after = ("bob", "post-handoff")
    work.change("src/a.py", "x = 2\n", push=False)
    assert ada.types("handrail check pre-handoff --only pushed").code == 1  # a part of the suite
    assert ada.types("handrail check pre-handoff --no-commands").code == 1  # another one
    assert ada.types(f"{OFFER} --dry-run").code == 1
    assert verdicts(world) == []
    assert ada.types("handrail check pre-handoff fix").code == 1
    with unharmed(world.store):
        assert refusal(ada.types(OFFER)).code == "gate_failed"
    expected: list[tuple[Any, ...]] = [(*before, "fail", "fix", ["pushed"], None)] * 2
    assert verdicts(world) == expected
    work.repo.git("push", "--quiet", "origin", "main")
    assert ada.types(f"{OFFER} --request-id r-1").code == 0
    assert ada.types(f"{OFFER} --request-id r-1").code == 0
    expected.append((*before, "pass", "fix", [], "packet.offered"))
    assert verdicts(world) == expected
    packet = world.path / ".handrail" / "handoffs" / "fix-002.json"
    written = packet.read_text()
    packet.write_text(written.replace("nested", "other"))
    assert bob.types("handrail check post-handoff").code == 1
    assert refusal(bob.types("handrail accept")).code == "gate_failed"
    expected += [(*after, "fail", "fix", ["packet-intact"], None)] * 2
    assert verdicts(world) == expected
    packet.write_text(written)
    assert bob.types("handrail accept").code == 0
    expected.append((*after, "pass", "fix", [], "packet.accepted"))
    assert verdicts(world) == expected
    work.repo.commit("keep the packet", ".handrail/handoffs")
    work.repo.git("push", "--quiet", "origin", "main")
    assert bob.types("handrail task close fix").code == 0
    expected.append(("bob", "pre-handoff", "pass", "fix", [], "task.closed"))
    assert verdicts(world) == expected
    assert world.shell().types("handrail doctor --replay").code == 0
    told = json.loads(world.shell().types("handrail metrics --json").out)
    assert told["handoff_failure"] == {"failed": 1, "n": 1, "share": 1.0, "unsure": 0}
    assert told["pre_handoff_compliance"] == {"judged": 2, "n": 2, "share": 1.0}
    assert told["context_rediscovery"] == {"findings": 0, "packets": 1}
    assert (told["sessions"], told["time_to_resume"]["n"]) == (2, 1)
    suites = {one["stage"]: (one["passed"], one["failed"], one["n"]) for one in told["suites"]}
    assert suites == {"pre-handoff": (2, 2, 4), "post-handoff": (1, 2, 3)}
    assert [(one["too_few"], one["met"]) for one in told["goals"]] == [(True, None)] * 4


# --- the formats ----------------------------------------------------------------------------------

FIGURES = Figures(
    sessions=41,
    failure=Share(1, 40),
    unsure=1,
    compliance=Share(24, 25),
    resumed=Spans(30, 125_000, 1_500_250),
    accepted=Spans(20, 15_000, 90_000),
    rediscovered=3,
    packets=22,
    suites=(
        Suite("post-handoff", 39, 1, 1, 1, 4),
        Suite('a "strange"\\\nstage', 1, 0, 0, 0, 0),
    ),
)
MEASURED = Measured(FIGURES, "3fk2ap7q", 1_234, 1_000_000, 2_593_000_000)


def sampled(text: str) -> dict[tuple[str, ...], float]:
    """Read an exposition with the parser of those who made the format."""
    read: Callable[[str], Iterable[Any]] = text_string_to_metric_families
    found = {}
    for family in read(text):
        assert family.type == "gauge", family
        assert family.documentation, family
        assert not family.unit or family.name.endswith(f"_{family.unit}"), family
        for sample in family.samples:
            assert sample.name == family.name
            found[(sample.name, *sample.labels.values())] = sample.value
    return found


def test_the_exposition_says_what_was_measured() -> None:
    text = exposition(MEASURED)
    found = {name[0].removeprefix("handrail_"): value for name, value in sampled(text).items()}
    assert found["window_seconds"] == 2_592_000
    assert (found["ledger_entries"], found["new_sessions"]) == (1_234, 41)
    assert found["handoff_failure_ratio"] == 0.025
    assert found["pre_handoff_compliance_ratio"] == 0.96
    assert found["rediscovered_findings"] == 3
    rows = {name[1:]: value for name, value in sampled(text).items() if "seconds" in name[0]}
    assert rows["0.5",] in (125, 15)
    by_name = sampled(text)
    assert by_name["handrail_time_to_resume_seconds", "0.9"] == 1500.25
    assert by_name["handrail_time_from_acceptance_seconds", "0.5"] == 15
    assert by_name["handrail_metric_target_met", "handoff_failure"] == 1
    assert by_name["handrail_metric_target_met", "pre_handoff_compliance"] == 0
    assert by_name["handrail_metric_target", "time_to_resume"] == 300
    assert by_name["handrail_suite_verdicts", 'a "strange"\\\nstage', "pass"] == 1
    assert by_name["handrail_suite_objections", "post-handoff", "advisory"] == 4


@pytest.mark.parametrize(
    "measured", [MEASURED, MEASURED._replace(figures=FIGURES._replace(suites=()))]
)
def test_the_exposition_is_written_as_the_format_wants_it(measured: Measured) -> None:
    text = exposition(measured)
    assert text.endswith("\n# EOF\n")
    assert text.count("# EOF") == 1
    lines = text.splitlines()[:-1]
    names = [line.split(" ")[2] for line in lines if line.startswith("# TYPE ")]
    assert len(names) == len(set(names))
    units = {tuple(line.split(" ")[2:]) for line in lines if line.startswith("# UNIT ")}
    ends = ("seconds", "ratio")
    assert units == {(name, end) for name in names for end in ends if name.endswith(f"_{end}")}
    current = ""
    for line in lines:
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            assert word in ("TYPE", "UNIT", "HELP"), line
            assert word == "TYPE" or name == current, line
            current = name
            assert word != "UNIT" or name.endswith(f"_{rest}"), line
        else:
            shape = (
                r'([a-z_]+)(?:\{[a-z]+="(?:[^"\\]|\\.)*"(?:,[a-z]+="(?:[^"\\]|\\.)*")*\})? [0-9.]+'
            )
            found = re.fullmatch(shape, line)
            assert found is not None, line
            assert found[1] == current
    assert not re.search(r"_(total|count|sum|bucket|created|info)\b", " ".join(names))


def test_a_number_that_there_is_none_of_is_no_sample() -> None:
    nothing = FIGURES._replace(
        failure=Share(0, 0), resumed=Spans(0, None, None), accepted=Spans(0, None, None), suites=()
    )
    found = {name[0] for name in sampled(exposition(MEASURED._replace(figures=nothing)))}
    assert "handrail_handoff_failure_ratio" not in found
    assert "handrail_time_to_resume_seconds" not in found
    assert "handrail_pre_handoff_compliance_ratio" in found


def test_every_target_is_named_in_every_format(world: World) -> None:
    shell = world.shell()
    told: list[Goal] = list(goals(FIGURES))
    data = json.loads(shell.types("handrail metrics --format json").out)
    assert [one["metric"] for one in data["goals"]] == [goal.name for goal in told]
    found = sampled(shell.types("handrail metrics --format openmetrics --since 1h").out)
    assert {("handrail_metric_target", goal.name) for goal in told} <= set(found)
    assert found["handrail_window_seconds",] == 3600
    text = shell.types("handrail metrics").out
    for words in ("< 5 %", "100 %", "< 5m", "too few"):
        assert words in text


def test_a_window_begins_at_a_commit_or_not_at_all(world: World) -> None:
    shell = world.shell()
    assert shell.types("handrail metrics --since HEAD").code == 0
    assert refusal(shell.types("handrail metrics --since $'x\\ny'")).code == "usage"
    assert refusal(shell.types("handrail metrics --since -- --since")).code == "usage"
    done = shell.types("handrail metrics --json --format openmetrics")
    assert json.loads(done.out)["error"]["code"] == "usage"
