"""What a push needs that passes gates: a receipt for its own tree, in a ledger that counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest

from handrail.config import parse_config
from handrail.core.events import Event
from handrail.core.lease import Actor
from handrail.core.ledger import GENESIS, Entry, Head, seal
from handrail.core.receipts import EvidenceContradicted, EvidenceRecorded
from handrail.core.written import Written
from handrail.gates.facts import Standing
from handrail.service.evidence_runs import about_of
from handrail.service.land_gates import lacking
from tests.landing.attacks import EVIL, gated
from tests.landing.ground import Ground
from tests.support import Handrail


def work(ground: Ground, text: str = "fine = True\n") -> None:
    ground.session("good")
    ground.claim("good", "src/a.py")
    assert ground.commit("good", {"src/a.py": text}).code == 0
    ground.release("good")


def test_what_the_refusal_says_next_lands_it(ground: Ground) -> None:
    gated(ground)
    work(ground)
    refused = ground.force()
    assert refused.code != 0
    assert "gate tests of the base has not passed here" in refused.err
    assert "next: handrail check land && git push" in refused.err
    before = ground.landed()
    checked = Handrail(ground.path)("check", "land")
    assert checked.code == 0, checked
    done = ground.git("push", "origin", "main")
    assert done.code == 0, done
    assert ground.landed() == ground.head != before


@pytest.mark.nightly
def test_where_landing_only_warns_it_is_said_and_goes_in(ground: Ground) -> None:
    gated(ground)
    ground.session("boss", "lead")
    ground.claim("boss", "handrail.toml")
    text = (ground.path / "handrail.toml").read_text().replace('"enforce"', '"warn"')
    (ground.path / "handrail.toml").write_text(text)
    ground.configure()
    assert ground.commit("boss", {"handrail.toml": text}).code == 0
    ground.release("boss")
    assert Handrail(ground.path)("check", "land").code == 0
    assert ground.push().code == 0
    work(ground, EVIL)
    done = ground.force()
    assert done.code == 0, done
    assert "gates lack a receipt; the base says warn" in done.err
    assert ground.landed() == ground.head


# --- which receipts count ------------------------------------------------------------------------

TIP: Final = "c" * 40
TREE: Final = "7" * 40
CONFIG: Final = """
[workspace]
id = "acme-3fk2ap"
[[role]]
name = "dev"
lane = ["**"]
[[gate]]
id = "tests"
stages = ["land"]
run = ["make", "test"]
fresh_for = "{fresh_for}"
{more}
"""


class Asked:
    """A gate of the base, and receipts that answer its own question."""

    def __init__(self, fresh_for: str = "tree", more: str = "") -> None:
        text = CONFIG.format(fresh_for=fresh_for, more=more)
        self.settings = parse_config(text.encode())
        self.about = about_of(self.settings.gates[0], Standing(TIP, TREE, None, (), ""))

    def receipt(self, **other: Any) -> EvidenceRecorded:
        made = EvidenceRecorded(
            *(self.about, "tests", ("make", "test"), "", "exited", 0, "0" * 64, 0, ""),
            *(TIP, TREE, "", False, 1, None, None),
        )
        return made._replace(**other)

    def lacks(self, *receipts: Event, every_ms: int = 1_000) -> str | None:
        """Return why nothing answers; None if something does."""
        found = lacking(self.settings, [ledger(receipts, every_ms)], TIP, TREE)
        assert [gate for gate, _ in found] in ([], ["tests"])
        return found[0][1] if found else None


def ledger(receipts: Sequence[Event], every_ms: int) -> Written:
    entries: list[Entry] = []
    head = GENESIS
    for number, event in enumerate(receipts):
        entry = seal(head, "3fk2", number * every_ms, Actor(), event, salt="00")
        entries.append(entry)
        head = Head(entry.seq, entry.hash)
    return Written("3fk2", entries)


def test_a_success_on_the_very_tree_counts_and_a_newer_failure_outweighs_it() -> None:
    asked = Asked()
    good = asked.receipt()
    assert asked.lacks(good) is None
    assert asked.lacks(good._replace(commit="d" * 40)) is None, "the same tree, committed anew"
    assert "no ledger that counts" in (asked.lacks() or "")
    assert asked.lacks(good, good._replace(exit_status=1)) is not None
    assert asked.lacks(good._replace(exit_status=1), good) is None
    assert lacking(asked.settings, [], TIP, TREE) != []
    doubt = EvidenceContradicted(asked.about, "tests", 1, 2)
    assert "came out otherwise when it was run again" in (asked.lacks(good, doubt) or "")
    assert asked.lacks(good, doubt, good) is None, "it was run anew since"
    both = [ledger([good._replace(exit_status=1)], 1), ledger([good], 1)]
    for ledgers in (both, both[::-1]):
        assert lacking(asked.settings, ledgers, TIP, TREE) == [], "one that vouches is enough"


@pytest.mark.parametrize("fresh_for", ["never", "1h"])
@pytest.mark.parametrize(
    "other",
    [{"tree": "8" * 40}, {"dirt": "9" * 64}, {"gate": None}, {"gate": "lint"}],
    ids=["tree", "dirt", "no gate", "gate"],
)
def test_a_receipt_of_something_else_counts_in_no_case(
    fresh_for: str, other: dict[str, Any]
) -> None:
    asked = Asked(fresh_for)
    assert asked.lacks(asked.receipt()) is None
    assert asked.lacks(asked.receipt(**other)) is not None


@pytest.mark.parametrize(
    "other",
    [{"ended": "timed-out", "exit_status": None}, {"ended": "stopped"}, {"disturbed": True}],
    ids=["time", "stopped", "disturbed"],
)
def test_what_did_not_end_well_is_no_success(other: dict[str, Any]) -> None:
    asked = Asked()
    assert asked.lacks(asked.receipt(**other)) is not None


def test_a_report_that_is_asked_for_has_to_be_there() -> None:
    asked = Asked(more='report = "junit.xml"')
    assert asked.lacks(asked.receipt()) is not None
    assert asked.lacks(asked.receipt(tests_passed=3, tests_hash="0" * 64)) is None


@pytest.mark.parametrize(("every_ms", "counts"), [(3_600_000, True), (3_600_001, False)])
def test_a_receipt_ages_by_the_clock_of_its_ledger(every_ms: int, counts: bool) -> None:
    asked = Asked("1h")
    later = asked.receipt(about="run:x", gate=None)
    assert (asked.lacks(asked.receipt(), later, every_ms=every_ms) is None) is counts
