"""A documented gate that is cut out, weakened or moved makes ``check --self-test`` fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from handrail.service.rehearsal import AFTER, BEFORE
from tests.compat.mosaic_ground import GATE, VALIDATOR, Ground
from tests.support import Handrail

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


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("file", "change"),
    [
        (VALIDATOR, in_text("return 0 if validator().run(stage) else 1", "return 0")),
        (VALIDATOR, in_text('if row["verdict"] != "pass" or row["failures"]:', "if False:")),
        (VALIDATOR, in_text("#!/usr/bin/env python3\n", "#!/usr/bin/env python3\nexit(0)\n")),
        (GATE, in_text("set -u\n", "set -u\nexit 0\n")),
        (GATE, in_text('. "$common/handrail/launch"\n', "exit 1\n")),
        (GATE, Path.unlink),
    ],
    ids=["status", "passes", "ends", "gate-ends", "gate-asks-nobody", "gone"],
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
