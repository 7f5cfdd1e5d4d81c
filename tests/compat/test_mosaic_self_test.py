"""A documented gate that is cut out, weakened or moved makes ``check --self-test`` fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handrail.service.install.preset_files import install_presets, lost_presets
from handrail.service.install.site import KEPT, UPDATED, Site
from handrail.service.rehearsal import AFTER, BEFORE
from handrail.wiring import Application
from tests.compat.mosaic_ground import GATE, VALIDATOR, Ground
from tests.support import Handrail, Repo

PROJECTION = '\n[[projection]]\nformat = "mosaic-state"\npath = ".mosaic/agent_state.json"\n'


def self_test(ground: Ground) -> dict[str, str]:
    """Return what the self-test says of the scripts."""
    done = Handrail(ground.path)("check", "--self-test", "--json")
    scripts = [one for one in done.json()["gates"] if "." in one["gate"]]
    found = {one["gate"]: one["verdict"] for one in scripts}
    assert done.code == (0 if set(found.values()) == {"pass"} else 1), done.out
    return found


@pytest.fixture
def adopted(ground: Ground) -> Ground:
    if "[[projection]]" not in (ground.path / "handrail.toml").read_text():
        ground.configure(PROJECTION)
    return ground


def in_text(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


def test_the_scripts_as_they_are_written_refuse_where_everything_fails(adopted: Ground) -> None:
    assert self_test(adopted) == {
        "handoff_validation_tests.py --pre-handoff": "pass",
        "handoff_validation_tests.py --post-handoff": "pass",
        "session-gate.sh": "pass",
    }
    for stage, tests in (("pre-handoff", BEFORE), ("post-handoff", AFTER)):
        assert [one for one in adopted.judges(stage).rows if ":" not in one] == list(tests)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        (
            VALIDATOR,
            in_text(
                "return 0 if validator().run(stage) else 1", "return 0 * validator().run(stage)"
            ),
        ),
        (GATE, in_text("set -u\n", "set -u\nexit 0\n")),
        pytest.param(
            *(VALIDATOR, in_text('if row["verdict"] != "pass" or row["failures"]:', "if False:")),
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            *(VALIDATOR, in_text("#!/usr/bin/env python3\n", "#!/usr/bin/env python3\nexit(0)\n")),
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            *(GATE, in_text('. "$common/handrail/launch"\n', "exit 1\n")),
            marks=pytest.mark.nightly,
        ),
        pytest.param(GATE, Path.unlink, marks=pytest.mark.nightly),
    ],
    ids=["status", "gate-ends", "passes", "ends", "gate-asks-nobody", "gone"],
)
def test_a_weakened_script_is_found(
    adopted: Ground, file: str, change: Callable[[Path], None]
) -> None:
    change(adopted.path / file)
    found = self_test(adopted)
    assert "fail" in {verdict for name, verdict in found.items() if Path(file).name in name}


@pytest.mark.nightly
def test_a_script_that_was_moved_is_found(adopted: Ground) -> None:
    adopted.repo.git("mv", VALIDATOR, "validate.py")
    adopted.saves()
    found = self_test(adopted)
    assert {verdict for name, verdict in found.items() if "validation" in name} == {"fail"}


@pytest.mark.nightly
def test_the_scripts_of_lanes_refuse_where_everything_fails_and_a_weakened_one_is_found(
    repo: Repo,
) -> None:
    handrail = Handrail(repo.path)
    assert handrail("init", "--preset", "lanes").code == 0
    repo.commit("handrail")
    for script, verdict in ((None, "pass"), ("scripts/check_all.sh", "fail")):
        if script is not None:
            repo.write(script, "#!/bin/sh\nexit 0\n")
        told = handrail("check", "--self-test", "--json").json()["gates"]
        found = {one["gate"]: one["verdict"] for one in told if "check_" in one["gate"]}
        others = {"check_tracking_contracts.py --check": "pass", "check_fast.sh": "pass"}
        assert found == {**others, "check_all.sh": verdict}


def test_what_people_add_to_the_validator_stays_and_what_they_cut_is_missed(
    adopted: Ground,
) -> None:
    path = adopted.path / VALIDATOR
    text = path.read_text(encoding="utf-8")
    added = text.replace(
        "    # --- what tests use",
        "    def test_mine(self) -> bool:\n        return True\n\n    # --- what tests use",
    )
    path.write_text(added, encoding="utf-8")
    assert (again(adopted), lost(adopted), path.read_text(encoding="utf-8")) == (KEPT, [], added)
    assert set(self_test(adopted).values()) == {"pass"}
    path.write_text(
        added.replace("self._report(stage, passed, count)\n", "pass\n"), encoding="utf-8"
    )
    assert lost(adopted) == [f"{path}: somebody changed it"]
    assert (again(adopted), path.read_text(encoding="utf-8")) == (UPDATED, text)


def again(ground: Ground) -> str:
    """Write the preset's files again; returns what became of the validator."""
    with opened(ground) as site:
        steps = install_presets(site, ("mosaic",), dry_run=False)
    return next(step.outcome for step in steps if step.what.endswith(VALIDATOR))


def lost(ground: Ground) -> list[str]:
    """Return what is wrong with the preset's scripts."""
    with opened(ground) as site:
        return [f"{one.what}: {one.reason}" for one in lost_presets(site, ("mosaic",))]


@contextmanager
def opened(ground: Ground) -> Iterator[Site]:
    application = Application.open(str(ground.path), {}, terminal=False)
    try:
        yield application.site
    finally:
        application.close()
