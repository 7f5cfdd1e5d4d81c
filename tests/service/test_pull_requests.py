"""A pull request is a session: what it writes is its own until it is closed, or it may not land."""

from __future__ import annotations

from pathlib import Path

import pytest

from handrail import errors
from handrail.core.events import CommitAttested
from handrail.core.landing import CANNOT_TELL, PASS, REFUSED
from handrail.service.pull_request_grants import TTL_MS
from handrail.store.memory import MemoryStore
from handrail.store.port import Store
from handrail.store.sqlite import SqliteStore
from tests.service.forge import CONFIG, Forge, codes
from tests.store.grounds import (
    ADA,
    EPOCH,
    WORKSPACE,
    FakeClock,
    commit,
    counting_salt,
    grant,
    started,
)
from tests.support import Repo


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> Store:
    return MemoryStore(clock, counting_salt(), workspace=WORKSPACE, epoch=EPOCH)


@pytest.fixture
def forge(repo: Repo, store: Store) -> Forge:
    return Forge(repo, store)


# --------------------------------------------------------------------------------------- open, held


def test_a_pull_request_that_is_opened_holds_what_it_writes_and_passes(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py", "docs/b.md", "src/a.py")
    answer = forge.tells(pull)
    assert (answer.verdict, codes(answer), answer.recorded) == (PASS, ["attested"] * 3, True)
    assert forge.holders() == {"pr-1": ("docs/b.md", "src/a.py")}
    with forge.store.read() as reader:
        session = reader.session("pr-1")
        assert session is not None
        assert (session.agent, session.role, session.worktree) == ("ada", "worker", "pr-1")
        assert {lease.ttl_ms for lease in reader.leases()} == {TTL_MS}


def test_rule_v_says_the_same_from_the_ledger_alone(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    forge.tells(pull)
    assert [j.code for j in forge.verify(f"main..{pull.head}").judgments] == ["attested"]


def test_of_two_that_overlap_the_second_is_refused_with_number_and_witness(forge: Forge) -> None:
    one = forge.opened("ada/work", "src/a.py", "src/b.py")
    two = forge.opened("bob/work", "docs/x.md", "src/b.py", login="bob")
    assert forge.tells(one).verdict == PASS
    answer = forge.tells(two)
    assert (answer.verdict, codes(answer)) == (REFUSED, ["scope_held"])
    (objection,) = answer.objections
    assert objection.path == "src/b.py"
    assert "#1" in objection.sentence
    assert "src/b.py" in objection.sentence
    values = dict(objection.values)
    assert (values["session"], values["witness"], values["holder"]) == ("pr-1", "src/b.py", "ada")
    assert forge.holders() == {"pr-1": ("src/a.py", "src/b.py")}, "all or nothing"


@pytest.mark.parametrize("how", ["squash", "merge", "rebase"])
def test_after_the_first_has_landed_and_is_closed_the_second_passes(
    forge: Forge, how: str, tmp_path: Path
) -> None:
    one = forge.opened("ada/work", "src/a.py", "src/b.py")
    two = forge.opened("bob/work", "src/b.py", login="bob")
    forge.tells(one)
    assert forge.tells(two).verdict == REFUSED
    before = forge.head("refs/remotes/origin/main")
    landed = getattr(forge, how)(one)
    answer = forge.is_merged(one, landed)
    assert answer.verdict == PASS, answer
    assert forge.holders() == {}
    assert forge.verify(f"{before}..{landed}").verdict == PASS
    fresh = forge.verify_in_fresh_clone(f"{before}..{landed}", tmp_path / "fresh")
    assert (fresh.verdict, len(fresh.judgments)) == (
        PASS,
        {"squash": 1, "merge": 3, "rebase": 2}[how],
    )
    again = forge.tells(two, "synchronize")
    assert (again.verdict, codes(again)) == (PASS, ["attested"])
    assert forge.holders() == {"pr-2": ("src/b.py",)}


def test_after_the_first_is_closed_without_a_merge_the_second_passes(forge: Forge) -> None:
    one, two = forge.opened("ada/work", "src/a.py"), forge.opened("bob/work", "src/a.py")
    forge.tells(one)
    assert forge.tells(two).verdict == REFUSED
    assert forge.closes(one).verdict == PASS
    assert forge.holders() == {}
    assert forge.tells(two, "synchronize").verdict == PASS


def test_an_update_claims_what_is_new_and_gives_back_what_is_gone(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py", "src/b.py")
    forge.tells(pull)
    pull.head = pull.base
    forge.pushed(pull, "src/b.py", "src/c.py")
    assert forge.tells(pull, "synchronize").verdict == PASS
    assert forge.holders() == {"pr-1": ("src/b.py", "src/c.py")}
    other = forge.opened("bob/work", "src/a.py")
    assert forge.tells(other).verdict == PASS


def test_an_update_that_is_refused_keeps_what_was_held(forge: Forge) -> None:
    one, two = forge.opened("ada/work", "src/a.py"), forge.opened("bob/work", "src/b.py")
    forge.tells(one)
    forge.tells(two)
    forge.pushed(two, "src/a.py")
    assert forge.tells(two, "synchronize").verdict == REFUSED
    assert forge.holders() == {"pr-1": ("src/a.py",), "pr-2": ("src/b.py",)}


def test_the_same_event_once_more_adds_nothing(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    forge.tells(pull)
    before = forge.entries()
    assert forge.tells(pull, "edited").verdict == PASS
    assert forge.entries() == before


def test_why_it_was_refused_is_recorded_once_and_told_by_rule_v(forge: Forge) -> None:
    one, two = forge.opened("ada/work", "src/a.py"), forge.opened("bob/work", "src/a.py")
    forge.tells(one)
    forge.tells(two)
    before = forge.entries()
    forge.tells(two, "edited")
    assert forge.entries() == before
    (judgment,) = forge.verify(f"main..{two.head}").judgments
    assert judgment.code == "unattested"
    assert "pull request #2: scope_held" in judgment.sentence
    forge.closes(one)
    assert forge.tells(two, "edited").verdict == PASS, "what is attested later passes"


def test_more_paths_than_one_lease_takes_are_held_by_several_or_not_at_all(forge: Forge) -> None:
    pull = forge.opened("ada/work")
    for number in range(600):
        forge.repo.write(f"src/{number:03}.py", "x\n")
    pull.head = forge.repo.commit("many")
    assert forge.tells(pull).verdict == PASS
    with forge.store.read() as reader:
        assert [len(lease.patterns) for lease in reader.leases()] == [256, 256, 88]
    other = forge.opened("bob/work", "docs/x.md", "src/599.py")
    assert forge.tells(other).objections[0].path == "src/599.py"
    assert set(forge.holders()) == {"pr-1"}


def test_contended_paths_are_held_side_by_side(forge: Forge) -> None:
    one = forge.opened("ada/work", "src/a.py", "x.lock")
    two = forge.opened("bob/work", "src/b.py", "x.lock")
    assert (forge.tells(one).verdict, forge.tells(two).verdict) == (PASS, PASS)


def test_what_is_exempt_needs_no_lease_unless_it_is_a_link(forge: Forge) -> None:
    pull = forge.opened("ada/work", "generated/a.js")
    assert (forge.tells(pull).verdict, forge.holders()) == (PASS, {})
    (forge.repo.path / "generated/link").symlink_to("/etc")
    pull.head = forge.repo.commit("link")
    assert forge.tells(pull, "synchronize").verdict == REFUSED


def test_a_path_that_no_pattern_spells_is_held_all_the_same(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a\nb.py", "src/[x]*.py")
    assert forge.tells(pull).verdict == PASS
    other = forge.opened("bob/work", "src/a\nb.py")
    assert codes(forge.tells(other)) == ["scope_held"]


# ------------------------------------------------------------------------------------ lane, sandbox


def test_outside_its_lane_it_is_refused_path_by_path(forge: Forge) -> None:
    pull = forge.opened("c", "site/a.css", "src/a.py", "src/b.py", login="copilot-agent[bot]")
    answer = forge.tells(pull)
    assert (answer.verdict, codes(answer)) == (REFUSED, ["outside_lane"] * 2)
    assert [one.path for one in answer.objections] == ["src/a.py", "src/b.py"]
    assert dict(answer.objections[0].values)["role"] == "website"
    assert forge.holders() == {}


def test_a_role_that_only_reads_is_refused(forge: Forge) -> None:
    pull = forge.opened("review/one", "src/a.py")
    assert codes(forge.tells(pull)) == ["sandbox_read_only"]


@pytest.mark.parametrize("path", ["handrail.toml", ".handrail/hook", ".claude/settings.json"])
def test_what_is_guarded_needs_a_coordinator(forge: Forge, path: str) -> None:
    pull = forge.opened("ada/work")
    forge.pushed(pull, path, text=CONFIG.replace('"refuse"', '"report"'))
    assert codes(forge.tells(pull)) == ["guarded_path"]
    led = forge.opened("boss/work", login="boss")
    forge.pushed(led, path, text=CONFIG.replace('"refuse"', '"report"'))
    assert forge.tells(led).verdict == PASS


def test_what_another_session_attested_is_held_by_nobody_here(forge: Forge) -> None:
    forge.tells(forge.opened("first", "src/first.py"))
    pull = forge.opened("ada/work", "site/a.css")
    assert codes(forge.tells(pull, record=False)) == ["outside_lane"]
    commit(forge.store, started(ADA))
    token = grant(forge.store, ADA, "site")
    with forge.context().outside.history() as history:
        told = history.changes([pull.head])[pull.head]
    with forge.store.read() as reader:
        cover = ((token, reader.leases("s-ada")[0].expires_at),)
    attested = CommitAttested(pull.head, told.tree, told.parents, 1, told.paths_hash, cover)
    commit(forge.store, attested)
    answer = forge.tells(pull)
    assert (answer.verdict, codes(answer)) == (PASS, ["attested"])
    assert "pr-2" not in forge.holders()


def test_nobody_becomes_a_coordinator_by_what_they_type(forge: Forge) -> None:
    by_branch = forge.opened("lead/work", "other/a.py")
    assert codes(forge.tells(by_branch)) == ["outside_lane"]
    by_author = forge.opened("mallory/work")
    forge.pushed(by_author, "other/b.py", author="boss <boss@example.org>")
    assert codes(forge.tells(by_author)) == ["outside_lane"]


def test_an_agent_is_known_by_the_authors_of_all_commits(forge: Forge) -> None:
    pull = forge.opened("r/work")
    forge.pushed(pull, "site/a.css", author="Robot <robot@example.org>")
    assert forge.tells(pull).verdict == PASS
    with forge.store.read() as reader:
        session = reader.session("pr-1")
        assert session is not None
        assert (session.agent, session.role) == ("robot", "website")
    forge.pushed(pull, "site/b.css")
    assert codes(forge.tells(pull, "synchronize")) == ["outside_lane"] * 2


# ------------------------------------------------------------------------------------------- merges


def test_a_clean_merge_of_the_base_is_no_claim(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    other = forge.opened("bob/work", "src/b.py")
    forge.tells(other)
    forge.is_merged(other, forge.squash(other))
    forge.repo.git("switch", "--quiet", "--force-create", pull.branch, pull.head)
    forge.repo.git("merge", "--quiet", "--no-edit", "main")
    pull.head = forge.head()
    assert forge.tells(pull).verdict == PASS
    assert forge.holders() == {"pr-1": ("src/a.py",)}


def test_a_merge_that_drops_what_landed_is_refused(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    other = forge.opened("bob/work", "src/b.py")
    forge.tells(other)
    forge.is_merged(other, forge.squash(other))
    forge.repo.git("switch", "--quiet", "--force-create", pull.branch, pull.head)
    forge.repo.git("merge", "--quiet", "--no-edit", "--strategy=ours", "main")
    pull.head = forge.head()
    answer = forge.tells(pull)
    assert (codes(answer), answer.objections[0].path) == (["not_covered"], "src/b.py")


def test_a_merge_of_many_is_refused(forge: Forge) -> None:
    heads = [forge.opened(f"side/{name}", f"src/{name}").head for name in "abc"]
    pull = forge.opened("ada/work")
    forge.repo.git("merge", "--quiet", "--no-edit", *heads)
    pull.head = forge.head()
    assert codes(forge.tells(pull)) == ["octopus"]


# ---------------------------------------------------------------------------------------- landings


@pytest.mark.parametrize("extra", ["src/extra.py", "src/a.py"])
def test_a_squash_with_more_in_it_is_not_attested(forge: Forge, tmp_path: Path, extra: str) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    forge.tells(pull)
    landed = forge.squash(pull, extra=extra)
    answer = forge.is_merged(pull, landed)
    assert (answer.verdict, codes(answer)) == (REFUSED, ["unseen"])
    assert forge.holders() == {}, "it is over all the same"
    assert forge.verify_in_fresh_clone(f"{landed}^..{landed}", tmp_path / "f").verdict == REFUSED


def test_what_was_merged_although_it_was_refused_is_not_attested(forge: Forge) -> None:
    pull = forge.opened("ada/work", "site/a.css")
    assert forge.tells(pull).verdict == REFUSED
    landed = forge.squash(pull)
    answer = forge.is_merged(pull, landed)
    assert (answer.verdict, codes(answer)) == (REFUSED, ["outside_lane"])
    assert forge.verify(f"{landed}^..{landed}").verdict == REFUSED


def test_telling_of_a_merge_twice_changes_nothing(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    forge.tells(pull)
    landed = forge.squash(pull)
    forge.is_merged(pull, landed)
    before = forge.entries()
    assert forge.is_merged(pull, landed).verdict == PASS
    assert forge.entries() == before


def test_a_fast_forward_needs_nothing_new(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py", "src/b.py")
    forge.tells(pull)
    answer = forge.is_merged(pull, pull.head)
    assert (answer.verdict, codes(answer)) == (PASS, ["attested"] * 2)
    assert forge.holders() == {}


def test_a_merge_of_what_nobody_told_of_before_is_judged_then(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    assert forge.is_merged(pull, forge.squash(pull)).verdict == PASS
    assert forge.holders() == {}


# ---------------------------------------------------------------------------------------- late ones


def test_an_event_of_an_older_head_is_not_judged(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    answer = forge.tells(pull, tip="0" * 39 + "1")
    assert (answer.verdict, codes(answer)) == (CANNOT_TELL, ["outdated_event"])
    assert forge.holders() == {}


def test_after_the_end_only_reopening_begins_anew(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    forge.tells(pull)
    forge.closes(pull)
    assert codes(forge.tells(pull, "synchronize")) == ["outdated_event"]
    assert forge.tells(pull, "reopened").verdict == PASS
    assert forge.holders() == {"pr-1": ("src/a.py",)}


def test_what_was_merged_is_never_opened_again(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    forge.tells(pull)
    forge.is_merged(pull, forge.squash(pull))
    assert codes(forge.tells(pull, "reopened")) == ["outdated_event"]
    assert forge.holders() == {}


def test_each_event_renews_and_a_month_of_silence_frees(forge: Forge, clock: FakeClock) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    other = forge.opened("bob/work", "src/a.py")
    forge.tells(pull)
    for _ in range(3):
        clock.let_pass(TTL_MS - 1_000)
        assert codes(forge.tells(other)) == ["scope_held"]
        assert forge.tells(pull, "edited").verdict == PASS
    clock.let_pass(TTL_MS)
    assert forge.tells(other).verdict == PASS
    assert codes(forge.tells(pull, "edited")) == ["scope_held"]


# ------------------------------------------------------------------------------------ forks, trials


def test_a_fork_is_judged_and_holds_nothing(forge: Forge) -> None:
    fork = forge.opened("patch-1", "src/a.py", login="eve", repository="eve/web")
    before = forge.entries()
    answer = forge.tells(fork)
    assert (answer.verdict, answer.recorded, forge.holders()) == (PASS, False, {})
    assert "fork" in answer.notes[0]
    assert forge.entries() <= before + 1, "at most the configuration"
    gone = forge.opened("patch-2", "site/x", repository=None)
    assert codes(forge.tells(gone)) == ["outside_lane"]
    own = forge.opened("ada/work", "src/a.py")
    assert forge.tells(own).verdict == PASS, "a stranger blocks nobody"
    assert codes(forge.tells(fork, "synchronize")) == ["scope_held"]


def test_what_a_fork_brought_is_attested_when_it_is_merged(forge: Forge, tmp_path: Path) -> None:
    fork = forge.opened("patch-1", "src/a.py", repository="eve/web")
    forge.tells(fork)
    landed = forge.squash(fork)
    assert forge.is_merged(fork, landed).verdict == PASS
    fresh = forge.verify_in_fresh_clone(f"{landed}^..{landed}", tmp_path / "fresh")
    assert fresh.verdict == PASS


def test_a_trial_records_nothing(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    before = forge.entries()
    answer = forge.tells(pull, record=False)
    assert (answer.verdict, answer.recorded, forge.entries()) == (PASS, False, before)


# -------------------------------------------------------------------------------- which base counts


def test_a_branch_of_ones_own_as_base_does_not_say_who_judges(forge: Forge) -> None:
    forge.repo.git("switch", "--quiet", "-c", "mine", "main")
    weak = CONFIG.replace('protected_refs = ["main", "release/*"]', 'protected_refs = ["mine"]')
    forge.repo.write("handrail.toml", weak.replace('lane = ["src/**"', 'lane = ["**"'))
    forge.repo.write("site/bad", "x")
    forge.repo.git("update-ref", "refs/remotes/origin/mine", forge.repo.commit("mine"))
    pull = forge.opened("ada/work", "src/a.py", base_ref="mine")
    answer = forge.tells(pull)
    assert answer.base == forge.head("refs/remotes/origin/main")
    assert codes(answer) == ["guarded_path"], "what the base brings is judged as well"


def test_a_protected_base_judges_by_its_own_configuration(forge: Forge) -> None:
    forge.repo.git("switch", "--quiet", "-c", "release/1", "main")
    forge.repo.write("handrail.toml", CONFIG.replace('"src/**", ', ""))
    forge.lands(forge.repo.commit("frozen"), "release/1")
    pull = forge.opened("ada/work", "src/a.py", base_ref="release/1")
    assert codes(forge.tells(pull)) == ["outside_lane"]


def test_without_a_configuration_all_pass_and_it_is_said(repo: Repo, store: Store) -> None:
    forge = Forge(repo, store, config="")
    pull = forge.opened("ada/work", "src/a.py")
    forge.pushed(pull, "handrail.toml", text=CONFIG)
    answer = forge.tells(pull)
    assert (answer.verdict, codes(answer)) == (PASS, ["adoption"] * 2)
    assert "handrail.toml" in answer.notes[0]
    landed = forge.squash(pull)
    assert forge.is_merged(pull, landed).verdict == PASS


def test_a_broken_configuration_on_the_base_is_cannot_tell(forge: Forge) -> None:
    forge.repo.write("handrail.toml", "[workspace\n")
    forge.lands(forge.repo.commit("broken"))
    pull = forge.opened("ada/work", "src/a.py")
    with pytest.raises(errors.FactsUnavailable, match=r"handrail\.toml"):
        forge.tells(pull)


def test_a_broken_configuration_on_the_head_is_refused_with_line_and_reason(forge: Forge) -> None:
    pull = forge.opened("boss/work", login="boss")
    forge.pushed(pull, "handrail.toml", text=CONFIG + "\nnonsense = 1\n")
    answer = forge.tells(pull)
    assert (answer.verdict, codes(answer)) == (REFUSED, ["malformed_config"])
    assert "line " in answer.objections[0].sentence
    assert "nonsense" in answer.objections[0].sentence
    forge.pushed(pull, "handrail.toml", text=CONFIG.replace(WORKSPACE, "w-other"))
    assert "w-other" in forge.tells(pull, "synchronize").objections[0].sentence


def test_what_is_not_in_the_clone_cannot_be_told(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    pull.head = "1" * 40
    with pytest.raises(errors.FactsUnavailable, match="whole history"):
        forge.tells(pull)


# ------------------------------------------------------------------------- groups, pushes, the rest


def test_a_merge_group_is_verified(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    bad = forge.opened("bob/work", "src/b.py")
    forge.tells(pull)
    base = forge.head("refs/remotes/origin/main")
    good = forge.squash(pull)
    forge.lands(good)
    both = forge.squash(bad)
    forge.lands(base)

    def group(head: str, onto: str) -> dict[str, object]:
        shas = {"head_sha": head, "base_sha": onto}
        refs = {"head_ref": "refs/heads/gh-readonly-queue/main/pr-1", "base_ref": "refs/heads/main"}
        return {"action": "checks_requested", "merge_group": {**shas, **refs}}

    assert forge.event("merge_group", group(good, base)).verdict == PASS
    assert forge.event("merge_group", group(both, good)).verdict == REFUSED


def push(ref: str, before: str, after: str, **flags: bool) -> dict[str, object]:
    zero = "0" * 40
    told = {"created": before == zero, "deleted": after == zero, "forced": False, **flags}
    return {"ref": ref, "before": before, "after": after, **told}


def test_a_push_to_a_protected_branch_is_verified(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    forge.tells(pull)
    before, landed = forge.head("refs/remotes/origin/main"), forge.merge(pull)
    forge.is_merged(pull, landed)
    assert forge.event("push", push("refs/heads/main", before, landed)).verdict == PASS
    bad = forge.opened("bob/work", "src/b.py")
    direct = forge.lands(bad.head)
    answer = forge.event("push", push("refs/heads/main", landed, direct))
    assert (answer.verdict, codes(answer)) == (REFUSED, ["unseen"])


def test_a_protected_branch_that_was_moved_by_force_or_deleted_is_refused(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    forge.tells(pull)
    base, landed = pull.base, forge.merge(pull)
    forge.is_merged(pull, landed)
    for flags in ({}, {"forced": True}):
        answer = forge.event("push", push("refs/heads/main", landed, base, **flags))
        assert (answer.verdict, codes(answer)) == (REFUSED, ["not_fast_forward"])
    answer = forge.event("push", push("refs/heads/main", base, "0" * 40))
    assert (answer.verdict, codes(answer)) == (REFUSED, ["ref_deleted"])


def test_a_new_protected_branch_is_judged_by_what_is_new_in_it(forge: Forge) -> None:
    main = forge.head("refs/remotes/origin/main")
    forge.tells(forge.opened("x", "src/x"))
    answer = forge.event("push", push("refs/heads/release/1", "0" * 40, main))
    assert (answer.verdict, answer.judgments) == (PASS, ())
    bad = forge.opened("bob/work", "src/b.py")
    answer = forge.event("push", push("refs/heads/release/1", "0" * 40, bad.head))
    assert (answer.verdict, codes(answer)) == (REFUSED, ["unseen"])


@pytest.mark.parametrize("ref", ["refs/heads/feature", "refs/tags/v1"])
def test_the_status_of_an_unprotected_ref_opens_no_way_for_its_commit(
    forge: Forge, ref: str
) -> None:
    pull = forge.opened("feature", "src/a.py")
    assert forge.event("push", push(ref, pull.base, pull.head)).verdict != PASS
    assert forge.event("push", push(ref, pull.base, "0" * 40)).verdict == PASS
    forge.tells(pull)
    assert forge.event("push", push(ref, pull.base, pull.head)).verdict == PASS


def test_an_event_of_another_kind_is_judged_by_its_commit_or_not_at_all(forge: Forge) -> None:
    answer = forge.event("workflow_dispatch", {"ref": "refs/heads/main", "inputs": None})
    assert (answer.verdict, codes(answer)) == (CANNOT_TELL, ["no_commit"])


def test_a_label_on_a_closed_pull_request_is_no_pass_for_its_head(forge: Forge) -> None:
    pull = forge.opened("ada/work", "src/a.py")
    assert forge.tells(pull, "labeled", state="closed").verdict != PASS
    assert forge.holders() == {}


# -------------------------------------------------------------------------------- the store goes on


def test_all_of_it_goes_on_in_a_store_restored_from_the_ledger(
    repo: Repo, clock: FakeClock, tmp_path: Path
) -> None:
    def path(number: int) -> str:
        return str(tmp_path / f"s{number}" / "state.db")

    salt = counting_salt()
    store = SqliteStore.create(path(0), clock, salt, workspace=WORKSPACE, epoch=EPOCH)
    forge = Forge(repo, store)
    one = forge.opened("ada/work", "src/a.py")
    two = forge.opened("bob/work", "src/a.py")

    def next_run(number: int) -> None:
        with forge.store.read() as reader:
            entries = list(reader.entries())
        forge.store.close()
        clock.reboot()
        forge.store = SqliteStore.restore(path(number), clock, salt, entries)

    assert forge.tells(one).verdict == PASS
    next_run(1)
    assert codes(forge.tells(two)) == ["scope_held"]
    next_run(2)
    assert forge.is_merged(one, forge.squash(one)).verdict == PASS
    next_run(3)
    assert forge.tells(two, "synchronize").verdict == PASS
    forge.store.close()
