"""Built-in gates: each can pass and fail, none that raises passes, and paths that are named."""

from __future__ import annotations

import doctest
from collections.abc import Sequence

import pytest

from handrail import errors
from handrail.config.vocabulary import BUILTIN_GATES, UNASKED_OFF
from handrail.gates import cases, deployment, listing, references, registry
from handrail.gates.cases import CASES, faults
from handrail.gates.deployment import Claim, claim_of
from handrail.gates.facts import Deployment, Facts, Judged, Pushed, Standing, Tree
from handrail.gates.gate import (
    ADVISE,
    BLOCK,
    CANNOT_TELL,
    FAIL,
    PASS,
    CannotTell,
    Gate,
    Objection,
    Outcome,
    judged,
    verdict_of,
)
from handrail.gates.listing import Listing
from handrail.gates.references import named_paths, normal
from handrail.gates.registry import GATES

COMMIT = "1" * 40
STANDING = Standing(COMMIT, "2" * 40, None, (), "")
LIVE = b'{"implementation_progress": {"deployment_status": "live", "render_service_url": %s}}'
PUSHED = Pushed(COMMIT, "topic", ("origin",), contained=False, shallow=False)
each_gate = pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.id)


def gate_of(id: str) -> Gate:
    return next(gate for gate in GATES if gate.id == id)


def judge(id: str, facts: Facts) -> Outcome:
    return judged(gate_of(id), facts, BLOCK)


# --- the registry --------------------------------------------------------------------------------


@each_gate
def test_the_configuration_knows_each_gate_at_its_stages(gate: Gate) -> None:
    assert set(gate.stages) <= set(BUILTIN_GATES[gate.id])


def test_the_configuration_knows_which_gates_run_only_where_they_are_named() -> None:
    assert {gate.id for gate in GATES if gate.unasked == "off"} == set(UNASKED_OFF)


def test_each_gate_passes_its_good_case_and_fails_its_bad_one() -> None:
    assert faults() == []
    assert {name.partition(" at ")[0] for name in CASES} == {gate.id for gate in GATES}


@each_gate
def test_a_gate_that_always_passes_or_always_fails_is_found(gate: Gate) -> None:
    def passes(facts: Facts) -> Sequence[Objection]:
        return ()

    def fails(facts: Facts) -> Sequence[Objection]:
        return [Objection("x", "y")]

    def cannot_tell(facts: Facts) -> Sequence[Objection]:
        raise CannotTell("x")

    for broken in (passes, fails, cannot_tell):
        assert {name for name, _ in faults([gate._replace(judge=broken)])} == {gate.id}
    assert faults([gate._replace(id="new")]) == [("new", "it has no cases")]


@each_gate
def test_a_gate_without_its_facts_cannot_tell(gate: Gate) -> None:
    told = judged(gate, Facts(), BLOCK)
    assert told.verdict == CANNOT_TELL
    assert told.reason


@pytest.mark.parametrize(
    "error", [CannotTell("why"), errors.FactsUnavailable(what="a", reason="b"), KeyError("x")]
)
def test_a_gate_that_raises_cannot_tell(error: Exception) -> None:
    def judge(facts: Facts) -> None:
        raise error

    told = judged(gate_of("committed")._replace(judge=judge), Facts(), BLOCK)
    assert (told.verdict, bool(told.reason)) == (CANNOT_TELL, True)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((), PASS),
        (((PASS, BLOCK), (FAIL, ADVISE)), PASS),
        (((PASS, BLOCK), (CANNOT_TELL, ADVISE)), PASS),
        (((PASS, BLOCK), (CANNOT_TELL, BLOCK)), CANNOT_TELL),
        (((CANNOT_TELL, BLOCK), (FAIL, BLOCK)), FAIL),
    ],
)
def test_only_what_binds_counts_and_a_failure_most(
    found: Sequence[tuple[str, str]], verdict: str
) -> None:
    assert verdict_of([Outcome("x", one, level) for one, level in found]) == verdict


# --- deployment ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "claim"),
    [
        (None, None),
        (b"{}", None),
        (b"[]", None),
        (b'{"implementation_progress": []}', None),
        (b'{"implementation_progress": {"deployment_status": "live!"}}', None),
        (b'{"implementation_progress": {"deployment_status": ["live"]}}', None),
        (LIVE % b'"https://a.example/"', Claim("https://a.example/health")),
        (LIVE % b"3", Claim(problem="it calls the deployment live and names no address")),
    ],
)
def test_a_deployment_is_claimed_by_its_status_alone(
    state: bytes | None, claim: Claim | None
) -> None:
    assert claim_of(state) == claim


def test_of_a_half_written_state_file_nobody_can_tell_what_it_claims() -> None:
    claim = claim_of(b'{"implementation_progress": {"deployment_status": "live"')
    assert claim is not None
    assert claim.problem.startswith("it is no JSON: line 1")


@pytest.mark.parametrize(
    ("fact", "verdict"),
    [
        (Deployment("a", claimed=False), PASS),
        (Deployment("a", claimed=True, status=200), PASS),
        (Deployment("a", claimed=True, status=204), FAIL),
        (Deployment("a", claimed=True, status=302), FAIL),
        (Deployment("a", claimed=True, problem="it is gone"), CANNOT_TELL),
    ],
)
def test_only_a_healthy_answer_is_a_pass(fact: Deployment, verdict: str) -> None:
    assert judge("deployment", Facts(deployment=fact)).verdict == verdict


# --- committed and pushed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standing", "codes"),
    [
        (STANDING, []),
        (STANDING._replace(dirty=("a", "b")), ["uncommitted", "uncommitted"]),
        (STANDING._replace(operation="rebase"), ["operation_in_progress"]),
        (STANDING._replace(commit="", tree=""), ["no_commit"]),
    ],
)
def test_committed_means_that_nothing_is_left_over(standing: Standing, codes: list[str]) -> None:
    told = judge("committed", Facts(standing=standing))
    assert [one.code for one in told.objections] == codes
    assert (told.verdict == PASS) == (not codes)


def test_of_very_many_paths_the_rest_is_counted() -> None:
    dirty = tuple(str(number) for number in range(1_000))
    told = judge("committed", Facts(standing=STANDING._replace(dirty=dirty)))
    assert told.objections[-1].message == "800 more paths differ from HEAD"


@pytest.mark.parametrize(
    ("pushed", "verdict"),
    [
        (PUSHED, FAIL),
        (PUSHED._replace(contained=True), PASS),
        (PUSHED._replace(remotes=()), PASS),
        (PUSHED._replace(branch=None), FAIL),
        (PUSHED._replace(commit=""), FAIL),
        (PUSHED._replace(shallow=True), CANNOT_TELL),
        (PUSHED._replace(shallow=True, contained=True), PASS),
    ],
)
def test_pushed_means_that_a_remote_is_known_to_have_it(pushed: Pushed, verdict: str) -> None:
    assert judge("pushed", Facts(pushed=pushed)).verdict == verdict


def test_what_is_refused_outweighs_what_nobody_can_tell() -> None:
    row = (COMMIT, "x", "y")
    assert judge("attested", Facts(judged=Judged(2, (row,), (row,)))).verdict == FAIL
    assert judge("attested", Facts(judged=Judged(2, (), (row,)))).verdict == CANNOT_TELL


# --- references ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[a](b.md) and [c](<d e.md> 'title')", ["b.md", "d e.md"]),
        ("[a](b.md#part) [q](c.md?raw=1) [s](a%20b.md)", ["b.md", "c.md", "a b.md"]),
        ("[w](https://x.test/a) [m](mailto:a@b.test) [h](#here) [r](/abs)", []),
        ("`src/a.py` `src/a.py:12` `make` `a b/c`", ["src/a.py"]),
        ("`src/*.py` `<dir>/x` `$HOME/x` `/etc/x` `~/x` `-o/x` `a//b` `https://a/b`", []),
        ("```\n`src/gone.py`\n```\nthen `src/b.py`", ["src/b.py"]),
        ("![i](../i.png)", ["../i.png"]),
    ],
)
def test_links_and_words_in_backquotes_name_paths(text: str, named: list[str]) -> None:
    assert [path for path, _ in named_paths(text)] == named


@pytest.mark.parametrize(
    ("folder", "path", "told"),
    [
        ("docs", "../a.md", "a.md"),
        ("", "./a/./b", "a/b"),
        ("docs", "../../a", None),
        ("a/b", "../..", ""),
    ],
)
def test_a_path_is_seen_from_its_folder(folder: str, path: str, told: str | None) -> None:
    assert normal(folder, path) == told


def tree(text: str | None, *files: str, links: dict[str, str] | None = None) -> Facts:
    known = links or {}
    there = Listing(more=frozenset(("docs/a.md", *files, *known)))
    return Facts(tree=Tree(COMMIT, there, tuple(known.items()), (("docs/a.md", text),)))


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (tree("`src/b.py`", "src/b.py"), PASS),
        (tree("`src/` and `src/in`", "src/in/b.py"), PASS),
        (tree("`src/c.py`", "src/b.py"), FAIL),
        (tree("`src/gone`", "src/b.py"), FAIL),
        (tree("`origin/main` or `text/plain` and `and/or`", "src/b.py"), PASS),
        (tree("[b](b.md)", "docs/b.md"), PASS),
        (tree("[b](b.md)", "b.md"), FAIL),
        (tree("[b](../b.md)", "b.md"), PASS),
        (tree("[out](../../other/b.md)"), PASS),
        (tree(None), FAIL),
        (tree("", links={"l": "docs/a.md"}), PASS),
        (tree("", links={"l": "docs/gone.md"}), FAIL),
        (tree("", links={"l": "l"}), FAIL),
        (tree("", links={"a": "b", "b": "a"}), FAIL),
        (tree("", links={"l": "/etc/passwd", "m": "../../x"}), PASS),
        (tree("`l/a.md`", links={"l": "docs"}), PASS),
        (tree("`l/gone.md`", links={"l": "docs"}), FAIL),
        (Facts(tree=Tree(COMMIT, Listing(), (), ()), reading=(("r", "R.md"),)), FAIL),
        (
            Facts(
                tree=Tree(COMMIT, Listing(more=frozenset(("R.md",))), (), ()),
                reading=(("r", "R.md"),),
            ),
            PASS,
        ),
    ],
)
def test_what_is_named_must_be_in_the_commit(facts: Facts, verdict: str) -> None:
    assert judge("references", facts).verdict == verdict


def test_a_hostile_document_takes_no_time() -> None:
    named_paths("`" * 50_000 + "[](" * 50_000 + "```\n" * 2_000)


@pytest.mark.parametrize("module", [registry, references, cases, deployment, listing])
def test_the_examples_in_the_documentation_hold(module: object) -> None:
    done = doctest.testmod(module)  # type: ignore[arg-type]
    assert (done.attempted > 0, done.failed) == (True, 0)
