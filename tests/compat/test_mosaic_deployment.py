"""The gate ``deployment`` with real services: what the state file claims, and what answers."""

from __future__ import annotations

import pytest

from tests.compat.mosaic_ground import Ground
from tests.compat.services import service
from tests.support import Handrail

CHECK = ("check", "pre-handoff", "--only", "deployment", "--json")


def claim(ground: Ground, status: str, address: object) -> None:
    ground.state(
        implementation_progress={"deployment_status": status, "render_service_url": address}
    )
    ground.saves(hooks=True)


def test_a_deployment_that_is_called_live_must_answer(ground: Ground) -> None:
    handrail = Handrail(ground.path)
    with service(200) as address:
        claim(ground, "live", address)
        told = ground.judges("pre-handoff")
        assert told.passed
        assert told.rows["gate:deployment"].line == "Service is live"
    done = handrail(*CHECK)
    assert (done.code, done.json()["verdict"]) == (3, "cannot-tell")
    assert "Connection refused" in done.json()["gates"][0]["reason"]
    told = ground.judges("pre-handoff")
    assert told.rows["gate:deployment"].verdict == "cannot-tell"
    assert not told.passed
    with service(503, address):
        row = ground.judges("pre-handoff").rows["gate:deployment"]
        assert (row.name, row.line) == ("Deployment actually live", "Service not healthy")
        assert row.failures == ("Service returns 503, not healthy",)
        done = handrail(*CHECK)
        assert (done.code, done.json()["findings"][0]["code"]) == (1, "unhealthy")


def test_where_none_is_claimed_nobody_is_asked(ground: Ground) -> None:
    claim(ground, "planned", "http://192.0.2.1")
    told = ground.judges("pre-handoff")
    assert (told.passed, "gate:deployment" in told.rows) == (True, False)


@pytest.mark.nightly
def test_a_deployment_that_is_live_nowhere_is_no_pass(ground: Ground) -> None:
    claim(ground, "live", None)
    row = ground.judges("pre-handoff").rows["gate:deployment"]
    assert row.verdict == "cannot-tell"
    assert "it calls the deployment live and names no address" in row.line


@pytest.mark.nightly
def test_the_gate_runs_only_where_the_configuration_names_it(ground: Ground) -> None:
    claim(ground, "live", None)
    text = (ground.path / "handrail.toml").read_text()
    line = next(one for one in text.splitlines(keepends=True) if one.startswith("deployment"))
    ground.configure(old=line, new="")
    told = ground.judges("pre-handoff")
    assert (told.passed, "gate:deployment" in told.rows) == (True, False)
    done = Handrail(ground.path)(*CHECK)
    assert (done.code, done.json()["error"]["code"]) == (2, "usage")
