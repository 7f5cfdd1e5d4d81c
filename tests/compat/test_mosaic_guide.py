"""The guide for mosaic: its transcript is what happens, and every deviation has its test."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import apsw
import pytest

from tests.compat.mosaic_ground import Ground
from tests.compat.services import service
from tests.support import ROOT, Handrail

GUIDE: Final = (ROOT / "docs" / "guides" / "mosaic.md").read_text(encoding="utf-8")
TESTS: Final = ROOT / "tests"


def part(name: str) -> str:
    """Return what stands between the marks of a name."""
    found = re.search(rf"<!-- begin: {name} -->\n(.*?)<!-- end: {name} -->", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_transcript_is_what_happens_each_line_in_a_process_of_its_own(ground: Ground) -> None:
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ |```).*\n)*)", part("transcript"), re.MULTILINE)
    assert len(steps) > 10
    for line, wanted in steps:
        assert ground.types(line).out == wanted, line


def test_every_deviation_has_its_test() -> None:
    names = set()
    for module in (*TESTS.glob("compat/test_mosaic_*.py"), TESTS / "facts/test_services.py"):
        names |= set(re.findall(r"^def (test_\w+)\(", module.read_text("utf-8"), re.MULTILINE))
    rows = [row.split(" | ") for row in part("deviations").splitlines()[2:]]
    assert len(rows) >= 15
    for row in rows:
        assert len(row) == 3, row
        assert row[2].strip(" |`") in names, row


@pytest.mark.nightly
def test_the_example_of_the_guide_runs(ground: Ground) -> None:
    found = re.search(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert found is not None
    ground.repo.write(".mosaic/enforcement/ours.py", found[1])
    ground.repo.write("CHANGELOG.md", "- search\n")
    ground.saves()
    done = ground.types("python3 .mosaic/enforcement/ours.py --pre-handoff")
    assert (done.code, "  ✅ PASS: It has one\n" in done.out) == (0, True), done.out
    assert "RESULTS: 7/7 tests passed\n" in done.out


# --- the same check as a plugin ------------------------------------------------------------------


def install(ground: Ground, site: Path) -> None:
    """Install the guide's distribution beside Handrail: where its hooks and scripts import from."""
    site.mkdir()
    beside = Path(apsw.__file__).parents[1]
    for one in beside.iterdir():
        (site / one.name).symlink_to(one)
    module, project = re.findall(r"```(?:python|toml)\n(.*?)```", after("plugin"), re.DOTALL)
    (site / "our_gates.py").write_text(module)
    about = site / "our_gates-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: our-gates\nVersion: 1.0\n")
    named, _, binding = project.partition("# handrail.toml\n")
    points = tomllib.loads(named)["project"]["entry-points"]["handrail.gates"]
    rows = [f"{name} = {value}\n" for name, value in points.items()]
    (about / "entry_points.txt").write_text("".join(["[handrail.gates]\n", *rows]))
    launch = ground.path / ".git/handrail/launch"
    launch.write_text(launch.read_text().replace(f"'{beside}'", f"'{site}'"))
    assert str(site) in launch.read_text()
    ground.set_gates('deployment = "off"', binding.splitlines()[1])


def after(name: str) -> str:
    """Return the text from the mark of a name to the next heading."""
    return GUIDE.partition(f"<!-- begin: {name} -->")[2].partition("\n## ")[0]


def test_the_plugin_of_the_guide_judges_as_the_example_of_the_documents_does(
    ground: Ground, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    install(ground, site)
    suite = "python3 .mosaic/enforcement/handoff_validation_tests.py --pre-handoff"

    def claims(status: str, address: str) -> tuple[int, str]:
        progress = {"deployment_status": status, "render_service_url": address}
        ground.state(implementation_progress=progress)
        ground.saves(hooks=True)
        done = ground.types(suite)
        return done.code, done.out

    with service(200) as address:
        code, told = claims("live", address)
        assert (code, "RESULTS: 7/7 tests passed\n" in told) == (0, True), told
    with service(503, address):
        code, told = claims("live", address)
        assert (code, "Service returns 503, not healthy" in told) == (1, True), told
        words = ("check", "pre-handoff", "--only", "plugin:deployment-actually-live", "--json")
        done = Handrail(ground.path)(*words, env={"PYTHONPATH": str(site)})
        assert (done.code, done.json()["findings"][0]["code"]) == (1, "not_healthy")
    code, told = claims("live", address)
    assert (code, "is unreachable" in told) == (1, True), told
    code, told = claims("planned", address)
    assert (code, "RESULTS: 6/6 tests passed\n" in told) == (0, True), told
    tried = Handrail(ground.path)("check", "--self-test", "--json", env={"PYTHONPATH": str(site)})
    verdicts = {one["gate"]: one["verdict"] for one in tried.json()["gates"]}
    assert verdicts["plugin:deployment-actually-live"] == "pass"
