"""Edits and unfinished work: what is claimed by the way, what stays its maker's, what is stale.

``mine`` asks in ``tree-1``; other sessions are of other agents unless a test says otherwise.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail import errors
from handrail.core.decide import (
    Adopt,
    Attest,
    Changes,
    Command,
    Commit,
    CommitFacts,
    Dirty,
    Edit,
    EndSession,
    Keep,
    Landed,
    Looked,
    NeedsFacts,
    Overtaken,
    Release,
    View,
    decide,
    guarded,
    writable,
)
from handrail.core.events import (
    CommitAttested,
    LeaseExpired,
    LeaseGranted,
    LeaseOrphaned,
    LeaseReleased,
    LeaseRenewed,
    NoticeLeft,
    OrphanSettled,
    SessionEnded,
)
from handrail.core.lease import (
    AGE_MAX_MS,
    EXCLUSIVE,
    LOCAL,
    Kind,
    Landing,
    Lease,
    Orphan,
    renew_at,
)
from handrail.core.state import left_of
from tests.core.makers import (
    EPOCH,
    HOUR,
    MINUTE,
    NOW,
    a_claim,
    a_lease,
    a_policy,
    a_role,
    a_session,
    a_waiter,
    patterns,
)

MINE: Final = a_session("mine")
SEEN: Final = 100


def an_edit(*paths: str, auto: str = "file", looked: Looked | None = None, **given: Any) -> Edit:
    return Edit(
        given.pop("session", MINE),
        paths,
        HOUR,
        auto,
        Looked() if looked is None else looked,
        **given,
    )


def an_orphan(
    token: int,
    session: str,
    *paths: str,
    agent: str | None = None,
    worktree: str = "tree-1",
    kind: Kind = LOCAL,
    since: int = 50,
    looked_at: bool = True,
) -> Orphan:
    return Orphan(
        token=token,
        session=session,
        agent=agent or f"agent-{session}",
        role=None,
        kind=kind,
        worktree=worktree,
        patterns=patterns(*paths),
        blobs=tuple((path, "b1") for path in paths) if looked_at else None,
        ttl_ms=HOUR,
        since=since,
    )


def a_landing(session: str, *scope: str, seq: int = 60, tree: str = "tree-2") -> Landing:
    return Landing(40, session, EXCLUSIVE, tree, patterns(*scope), "c0ffee", seq, NOW - MINUTE)


def a_look(*scope: str, dirty: tuple[Dirty, ...] = (), as_of: int = SEEN) -> Looked:
    return Looked(patterns(*scope), as_of, dirty)


def ask(command: Command, *leases: Lease, now: int = NOW, **given: Any) -> Changes:
    return decide(View(EPOCH, leases, head=SEEN, **given), command, now)


def granted(changes: Changes) -> list[tuple[str, ...]]:
    return [change.patterns for change in changes if isinstance(change, LeaseGranted)]


# --- what is free --------------------------------------------------------------------------------


def test_a_free_path_is_claimed_locally_for_the_file_alone_and_not_to_last() -> None:
    (grant,) = ask(an_edit("src/a.py"))
    assert isinstance(grant, LeaseGranted)
    assert (grant.patterns, grant.kind, grant.lasting) == (("src/a.py",), LOCAL, False)
    assert (grant.session, grant.worktree, grant.expires_at) == ("mine", "tree-1", NOW + HOUR)


def test_each_path_of_an_edit_gets_a_lease_of_its_own() -> None:
    assert granted(ask(an_edit("a", "b", "a"))) == [("a",), ("b",)]


def test_all_paths_of_one_edit_are_one_decision() -> None:
    with pytest.raises(errors.ScopeHeld) as refused:
        ask(an_edit("a", "b"), a_lease(7, "theirs", "b"))
    assert refused.value.values["witness"] == "b"


@pytest.mark.parametrize(
    ("held", "tree", "allowed"),
    [
        (EXCLUSIVE, "tree-1", False),
        (EXCLUSIVE, "tree-2", False),
        (LOCAL, "tree-1", False),
        (LOCAL, "tree-2", True),
    ],
)
def test_what_another_session_holds_decides_by_the_table(
    held: Kind, tree: str, allowed: bool
) -> None:
    lease = a_lease(7, "theirs", "src", kind=held, worktree=tree)
    if not allowed:
        with pytest.raises(errors.ScopeHeld):
            ask(an_edit("src/a"), lease)
        return
    grant, *told = ask(an_edit("src/a"), lease)
    assert isinstance(grant, LeaseGranted)
    assert grant.beside == (7,)
    assert told == [
        NoticeLeft("mine", "parallel_edit", "theirs src/a", "theirs", ("src/a",)),
        NoticeLeft("theirs", "parallel_edit", "mine src/a", "mine", ("src/a",)),
    ]


def test_who_waits_longer_is_not_overtaken_by_an_edit() -> None:
    with pytest.raises(errors.ScopeAwaited):
        ask(an_edit("src/a"), waiters=[a_waiter(1, "theirs", "src")])


def test_an_exempt_path_needs_nothing() -> None:
    assert ask(an_edit("gen/x"), policy=a_policy(exempt=["gen/**"])) == []


def test_a_path_outside_the_lane_is_refused_as_a_claim_of_it_is() -> None:
    policy = a_policy(a_role("docs", "docs/**"), a_role("api", "src/**"))
    session = a_session("mine", role="docs")
    with pytest.raises(errors.OutsideLane):
        ask(an_edit("src/a", session=session), policy=policy)
    assert granted(ask(an_edit("docs/*.md"[:-4] + "x.md", session=session), policy=policy))


def test_where_nothing_is_claimed_by_itself_the_claim_is_the_next_command() -> None:
    with pytest.raises(errors.NotHolder) as refused:
        ask(an_edit("src/a", auto="off"))
    assert refused.value.next == "handrail claim src/a"


def test_a_folder_is_claimed_where_it_is_asked_for_and_nobody_is_in_it() -> None:
    assert granted(ask(an_edit("src/a", "src/b", auto="directory"))) == [("src",)]
    assert granted(ask(an_edit("a", auto="directory"))) == [("a",)]
    other = a_lease(7, "theirs", "src/z", kind=LOCAL, worktree="tree-2")
    assert granted(ask(an_edit("src/a", auto="directory"), other)) == [("src/a",)]


def test_a_folder_that_reaches_beyond_the_lane_gives_way_to_the_file() -> None:
    policy = a_policy(a_role("docs", "src/*.md/**"))
    session = a_session("mine", role="docs")
    edit = an_edit("src/a.md", auto="directory", session=session)
    assert granted(ask(edit, policy=policy)) == [("src/a.md",)]


# --- what is guarded -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *((".git/config", "git"), ("sub/.GIT/hooks/x", "git"), (".handrail/hook", "handrail")),
        *((".Handrail", "handrail"), ("handrail.toml", "configuration")),
        *(("HANDRAIL.TOML", "configuration"), (".claude/settings.json", "settings")),
        *((".claude/settings.local.json", "settings"), (".claude/agents/x.md", None)),
        *(("a/handrail.toml", None), (".gitignore", None), ("src/.handrail.py", None)),
    ],
)
def test_what_is_guarded_is_refused_whatever_is_held(path: str, kind: str | None) -> None:
    assert guarded(path) == kind
    everything = a_lease(7, "mine", "**")
    if kind is None:
        assert ask(an_edit(path), everything) == []
        return
    with pytest.raises(errors.GuardedPath) as refused:
        ask(an_edit(path), everything)
    assert refused.value.values["kind"] == kind


def test_a_coordinator_may_edit_the_configuration_and_nothing_else_that_is_guarded() -> None:
    lead = a_role("lead", "**")._replace(coordinates=True)
    policy = a_policy(lead, a_role("docs", "**"))
    session = a_session("mine", role="lead")
    assert granted(ask(an_edit("handrail.toml", session=session), policy=policy))
    with pytest.raises(errors.GuardedPath):
        ask(an_edit(".git/config", session=session), policy=policy)
    with pytest.raises(errors.GuardedPath) as refused:
        ask(an_edit("handrail.toml", session=a_session("mine", role="docs")), policy=policy)
    assert refused.value.next == 'eval "$(handrail session start --role lead)"'


def test_settings_may_change_where_handrails_entries_stay() -> None:
    assert granted(ask(an_edit(".claude/settings.json", own_settings=True)))


# --- what one holds ------------------------------------------------------------------------------


@pytest.mark.parametrize(("before_end", "renewed"), [(HOUR // 2 + 1, False), (HOUR // 2, True)])
def test_what_one_holds_is_renewed_from_half_of_its_life_on(before_end: int, renewed: bool) -> None:
    lease = a_lease(7, "mine", "src", granted_at=NOW - HOUR, expires_at=NOW + before_end)
    expected = [LeaseRenewed(7, NOW + HOUR)] if renewed else []
    assert ask(an_edit("src/a"), lease) == expected
    assert ask(Keep(MINE, (lease,))) == expected
    assert (renew_at(lease) <= NOW) is renewed


def test_a_lease_at_its_age_cap_is_renewed_no_more() -> None:
    lease = a_lease(7, "mine", "src", granted_at=NOW + MINUTE - AGE_MAX_MS, expires_at=NOW + MINUTE)
    assert ask(an_edit("src/a"), lease) == []
    assert renew_at(lease) == lease.expires_at


def test_keeping_does_not_revive_what_ran_out() -> None:
    assert ask(Keep(MINE, (a_lease(7, "mine", "src", expires_at=NOW),))) == []


def test_what_ran_out_is_granted_anew_as_it_was_under_a_new_token() -> None:
    dead = a_lease(7, "mine", "src", expires_at=NOW, lasting=True)
    expired, settled, grant = ask(an_edit("src/a"), dead)
    assert (expired, settled) == (LeaseExpired(7, NOW), OrphanSettled(7))
    assert isinstance(grant, LeaseGranted)
    assert (grant.patterns, grant.kind, grant.lasting) == (("src",), EXCLUSIVE, True)


def test_what_ran_out_and_went_to_somebody_else_in_part_is_granted_for_the_file() -> None:
    dead = a_lease(7, "mine", "src", expires_at=NOW)
    changes = ask(an_edit("src/a"), dead, a_lease(8, "theirs", "src/b"))
    assert granted(changes) == [("src/a",)]
    with pytest.raises(errors.ScopeHeld):
        ask(an_edit("src/b"), dead, a_lease(8, "theirs", "src/b"))


# --- what others left ----------------------------------------------------------------------------

WORK: Final = Dirty("src/a", "b1", "b0", "b0")


def test_nobody_is_asked_to_look_where_nothing_was_left_and_nothing_landed() -> None:
    ask(an_edit("src/a"))
    ask(an_edit("src/a"), orphans=[an_orphan(9, "s", "src/b")], landings=[a_landing("s", "docs")])
    ask(an_edit("src/a"), orphans=[an_orphan(9, "s", "src/a", worktree="tree-2")])


def test_where_somebody_left_something_a_look_is_asked_for_at_all_of_it() -> None:
    left = an_orphan(9, "theirs", "src/a", "src/b")
    with pytest.raises(NeedsFacts) as lack:
        ask(an_edit("src/a"), orphans=[left])
    assert {pattern.text for pattern in lack.value.patterns} == {"src/a", "src/b"}


def test_where_others_landed_a_look_is_asked_for_and_again_if_they_landed_since() -> None:
    landed = [a_landing("theirs", "src", seq=60)]
    with pytest.raises(NeedsFacts):
        ask(an_edit("src/a"), landings=landed)
    with pytest.raises(NeedsFacts):
        ask(an_edit("src/a", looked=a_look("src/a", as_of=59)), landings=landed)
    assert granted(ask(an_edit("src/a", looked=a_look("src/a", as_of=60)), landings=landed))


def test_what_one_landed_oneself_asks_for_no_look() -> None:
    assert granted(ask(an_edit("src/a"), landings=[a_landing("mine", "src")]))


def test_unfinished_work_of_another_agent_is_not_written_over() -> None:
    left = an_orphan(9, "theirs", "src/a")
    looked = a_look("src/a", dirty=(WORK,))
    with pytest.raises(errors.Orphaned) as refused:
        ask(an_edit("src/a", looked=looked), orphans=[left])
    told = refused.value
    assert (told.values["witness"], told.values["session"]) == ("src/a", "theirs")
    assert told.next == "handrail claim src/a --adopt"
    with pytest.raises(errors.Orphaned):
        ask(
            a_claim("mine", "src")._replace(looked=a_look("src", "src/a", dirty=(WORK,))),
            orphans=[left],
        )


def test_adopting_takes_unfinished_work_over_under_a_new_token() -> None:
    left = an_orphan(9, "theirs", "src/a")
    claim = a_claim("mine", "src/a")._replace(looked=a_look("src/a", dirty=(WORK,)), adopt=True)
    released, grant = ask(claim, orphans=[left])
    assert released == LeaseReleased(9, "adopted")
    assert isinstance(grant, LeaseGranted)


def test_adopting_a_part_leaves_the_rest() -> None:
    left = an_orphan(9, "theirs", "src/a", "src/b")
    dirty = (WORK, WORK._replace(path="src/b"))
    looked = a_look("src/a", "src/b", dirty=dirty)
    claim = a_claim("mine", "src/a")._replace(looked=looked, adopt=True)
    changed, _ = ask(claim, orphans=[left])
    assert changed == LeaseOrphaned(9, (("src/b", "b1"),), "adopted")


def test_the_same_agent_goes_on_with_what_it_left_without_a_look() -> None:
    left = an_orphan(9, "before", "src/a", "src/b", agent=MINE.agent)
    changed, grant = ask(an_edit("src/a"), orphans=[left])
    assert changed == LeaseOrphaned(9, (("src/b", "b1"),), "adopted")
    assert isinstance(grant, LeaseGranted)
    both = ask(an_edit("src/a", "src/b"), orphans=[left])
    assert both[-2] == LeaseReleased(9, "adopted")


def test_what_is_clean_again_binds_nobody() -> None:
    left = an_orphan(9, "theirs", "src/a")
    settled, grant = ask(an_edit("src/a", looked=a_look("src/a")), orphans=[left])
    assert settled == LeaseReleased(9, "clean")
    assert isinstance(grant, LeaseGranted)


def test_a_lease_of_another_that_ran_out_here_may_cover_unfinished_work() -> None:
    dead = a_lease(9, "theirs", "src", expires_at=NOW)
    with pytest.raises(NeedsFacts):
        ask(an_edit("src/a"), dead)
    with pytest.raises(errors.Orphaned):
        ask(an_edit("src/a", looked=a_look("src/a", "src", dirty=(WORK,))), dead)
    expired, settled, _ = ask(an_edit("src/a", looked=a_look("src/a", "src")), dead)
    assert (expired, settled) == (LeaseExpired(9, NOW), OrphanSettled(9))
    other = (WORK._replace(path="src/z"),)
    _, kept, _ = ask(an_edit("src/a", looked=a_look("src/a", "src", dirty=other)), dead)
    assert kept == LeaseOrphaned(9, (("src/z", "b1"),), "looked_at")
    far = dead._replace(worktree="tree-2")
    assert len(ask(an_edit("src/a"), far)) == 2


def test_where_git_does_not_tell_nothing_is_granted_that_may_be_somebodys() -> None:
    blind = Looked(patterns("src/a"), SEEN, None)
    with pytest.raises(errors.FactsUnavailable):
        ask(an_edit("src/a", looked=blind), orphans=[an_orphan(9, "theirs", "src/a")])


# --- stale bytes ---------------------------------------------------------------------------------

LANDED: Final = Landed("c0ffee", "theirs", 60)


@pytest.mark.parametrize(
    ("dirty", "stale"),
    [
        (Dirty("src/a", "old", "old", "new", LANDED, None), True),
        (Dirty("src/a", "old", "old", "new", LANDED, "both"), True),
        (Dirty("src/a", "both", "new", "new", LANDED, "both"), False),
        (Dirty("src/a", "both", "both", "new", LANDED, "both"), False),
        (Dirty("src/a", "both", "old", "new", LANDED, "both"), True),
        (Dirty("src/a", "new", "old", "new", LANDED, None), True),
        (Dirty("src/a", "", "new", "new", LANDED, None), True),
        (Dirty("src/a", "old", "old", "new", None, None), False),
    ],
)
def test_bytes_are_stale_unless_they_hold_what_landed(dirty: Dirty, stale: bool) -> None:
    assert dirty.stale is stale
    edit = an_edit("src/a", looked=a_look("src/a", dirty=(dirty,)))
    if stale:
        with pytest.raises(errors.StaleBytes) as refused:
            ask(edit, landings=[a_landing("theirs", "src")])
        told = refused.value
        assert (told.values["commit"], told.values["session"]) == ("c0ffee", "theirs")
        assert told.next == (
            "git stash push --include-untracked -- ':(top,literal)src/a' && handrail claim src/a"
        )
    else:
        assert granted(ask(edit, landings=[a_landing("theirs", "src")]))


def test_adopting_does_not_make_stale_bytes_good() -> None:
    dirty = Dirty("src/a", "old", "old", "new", LANDED, None)
    claim = a_claim("mine", "src/a")
    claim = claim._replace(looked=a_look("src/a", dirty=(dirty,)), adopt=True)
    with pytest.raises(errors.StaleBytes):
        ask(claim, orphans=[an_orphan(9, "x", "src/a")], landings=[a_landing("theirs", "src")])


# --- letting go ----------------------------------------------------------------------------------


def test_releasing_over_unfinished_work_leaves_it_orphaned() -> None:
    lease = a_lease(7, "mine", "src")
    looked = a_look("src", dirty=(WORK, WORK._replace(path="docs/x")))
    release = Release(MINE, (lease,), looked=looked)
    assert ask(release, lease) == [LeaseOrphaned(7, (("src/a", "b1"),), "released")]
    assert ask(release._replace(looked=a_look("src")), lease) == [LeaseReleased(7, "released")]
    blind = release._replace(looked=Looked(dirty=None))
    assert ask(blind, lease) == [LeaseOrphaned(7, None, "released")]


def test_what_another_lease_still_holds_is_not_left_behind() -> None:
    lease, wider = a_lease(7, "mine", "src/a"), a_lease(8, "mine", "src")
    release = Release(MINE, (lease,), looked=a_look("src", dirty=(WORK,)))
    assert ask(release, lease, wider) == [LeaseReleased(7, "released")]


def test_the_end_of_a_session_frees_what_is_clean_and_keeps_what_is_not() -> None:
    live, clean = a_lease(7, "mine", "src"), a_lease(8, "mine", "docs")
    dead = a_lease(9, "mine", "lib", expires_at=NOW)
    looked = a_look("src", "docs", "lib", dirty=(WORK, WORK._replace(path="lib/x")))
    assert ask(EndSession(MINE, "logout", looked), live, clean, dead) == [
        LeaseOrphaned(7, (("src/a", "b1"),), "session_ended"),
        LeaseReleased(8, "session_ended"),
        LeaseExpired(9, NOW),
        LeaseOrphaned(9, (("lib/x", "b1"),), "expired"),
        SessionEnded("mine", "logout"),
    ]


def test_a_new_session_adopts_what_its_agent_left_and_settles_the_rest() -> None:
    own = an_orphan(9, "before", "src/a", agent=MINE.agent)
    clean = an_orphan(10, "before", "docs", agent=MINE.agent)
    foreign = an_orphan(11, "theirs", "lib", looked_at=False)
    dead = a_lease(12, "before", "ops", expires_at=NOW)._replace(agent=MINE.agent)
    dirty = (WORK, WORK._replace(path="lib/x"), WORK._replace(path="ops/y"))
    changes = ask(
        Adopt(MINE, HOUR, a_look("src/a", "docs", "lib", "ops", dirty=dirty)),
        dead,
        orphans=[own, clean, foreign],
    )
    assert granted(changes) == [("src/a",), ("ops/y",)]
    assert LeaseReleased(9, "adopted") in changes
    assert LeaseReleased(10, "clean") in changes
    assert LeaseOrphaned(11, (("lib/x", "b1"),), "looked_at") in changes
    assert LeaseExpired(12, NOW) in changes


def test_of_what_somebody_else_left_only_what_is_dirty_still_is_kept() -> None:
    foreign = an_orphan(11, "theirs", "lib/a", "lib/b")
    work = (WORK._replace(path="lib/b"),)
    changes = ask(Adopt(MINE, HOUR, a_look("lib/a", "lib/b", dirty=work)), orphans=[foreign])
    assert changes == [LeaseOrphaned(11, (("lib/b", "b1"),), "looked_at")]
    # A file that gave way to a folder of its name is other work in the same place.
    inside = (WORK._replace(path="lib/a/x"), *work)
    changes = ask(Adopt(MINE, HOUR, a_look("lib/a", "lib/b", dirty=inside)), orphans=[foreign])
    assert changes == [LeaseOrphaned(11, (("lib/a/x", "b1"), ("lib/b", "b1")), "looked_at")]
    same = (WORK._replace(path="lib/a", blob="b2"), *work)
    assert ask(Adopt(MINE, HOUR, a_look("lib/a", "lib/b", dirty=same)), orphans=[foreign]) == []


def test_what_cannot_be_adopted_is_narrowed_all_the_same() -> None:
    own = an_orphan(9, "before", "src/a", "src/b", agent=MINE.agent)
    against = a_lease(7, "theirs", "src", worktree="tree-2")
    changes = ask(Adopt(MINE, HOUR, a_look("src", dirty=(WORK,))), against, orphans=[own])
    assert changes == [LeaseOrphaned(9, (("src/a", "b1"),), "looked_at")]


def test_what_was_held_exclusively_is_adopted_so_if_nobody_else_has_it() -> None:
    own = an_orphan(9, "before", "src/a", agent=MINE.agent, kind=EXCLUSIVE)
    adopt = Adopt(MINE, HOUR, a_look("src/a", dirty=(WORK,)))
    grant = ask(adopt, orphans=[own])[-1]
    assert isinstance(grant, LeaseGranted)
    assert grant.kind == EXCLUSIVE
    beside = a_lease(7, "theirs", "src/a", kind=LOCAL, worktree="tree-2")
    grant = next(c for c in ask(adopt, beside, orphans=[own]) if isinstance(c, LeaseGranted))
    assert grant.kind == LOCAL
    against = a_lease(7, "theirs", "src/a", worktree="tree-2")
    assert granted(ask(adopt, against, orphans=[own])) == []


def test_stale_work_is_not_adopted_by_itself() -> None:
    own = an_orphan(9, "before", "src/a", agent=MINE.agent)
    dirty = (Dirty("src/a", "old", "old", "new", LANDED, None),)
    adopt = Adopt(MINE, HOUR, a_look("src/a", dirty=dirty))
    assert ask(adopt, orphans=[own], landings=[a_landing("theirs", "src")]) == []


def test_left_work_is_narrowed_to_its_paths_and_keeps_the_entry_that_ended_its_lease() -> None:
    lease = a_lease(7, "mine", "src")
    orphan = left_of(lease, (("src/*x", "b"), ("src/a", "b")), 50)
    assert orphan.scope == ("src/?x", "src/a") or orphan.scope == ("src/*x", "src/a")
    assert left_of(orphan, (("src/a", "b"),), 90).since == 50
    assert left_of(lease, None, 50).scope == ("src",)
    assert left_of(lease, tuple((f"src/{n}", "b") for n in range(300)), 50).scope == ("src",)


# --- commits -------------------------------------------------------------------------------------


def a_commit(*paths: str) -> CommitFacts:
    return CommitFacts("c1", "t", ("p",), paths, "h")


def codes_in(refusal: errors.NotCovered) -> list[str]:
    reasons: Any = refusal.values["reasons"]
    return [code for _, code, _ in reasons]


def committing(*paths: str, left: frozenset[str] | None = frozenset(), **given: Any) -> Commit:
    return Commit(an_edit(*paths, **given), Attest(MINE, (a_commit(*paths),), left=left))


def test_a_commit_claims_what_is_free_and_is_attested_under_it_at_once() -> None:
    grant, attested, ended = ask(committing("src/a"))
    assert isinstance(grant, LeaseGranted)
    assert isinstance(attested, CommitAttested)
    assert attested.cover == ((SEEN + 1, NOW + HOUR),)
    assert ended == LeaseReleased(SEEN + 1, "clean")


def test_a_commit_is_refused_with_all_that_stands_in_its_way() -> None:
    leases = (a_lease(7, "theirs", "a"), a_lease(8, "mine", "b"), a_lease(9, "theirs", "c"))
    with pytest.raises(errors.NotCovered) as refused:
        ask(committing("a", "b", "c", "d"), *leases)
    assert refused.value.values["paths"] == ("a", "c")
    assert codes_in(refused.value) == ["scope_held"] * 2
    assert refused.value.next == "handrail claim a --wait"


def test_a_commit_over_stale_bytes_is_refused() -> None:
    dirty = Dirty("src/a", "old", "old", "new", LANDED, None)
    commit = committing("src/a", looked=a_look("src/a", dirty=(dirty,)))
    with pytest.raises(errors.NotCovered) as refused:
        ask(commit, landings=[a_landing("theirs", "src")])
    assert codes_in(refused.value) == ["stale_bytes"]


def test_a_commit_asks_for_one_look_at_all_it_needs() -> None:
    with pytest.raises(NeedsFacts) as lack:
        ask(committing("src/a", "src/b"), landings=[a_landing("theirs", "src")])
    assert {pattern.text for pattern in lack.value.patterns} == {"src/a", "src/b"}


def test_a_local_lease_ends_with_the_commit_that_leaves_it_clean() -> None:
    automatic = a_lease(7, "mine", "src", kind=LOCAL, lasting=False)
    asked_for = a_lease(8, "mine", "src", kind=LOCAL, lasting=True)
    by_hand = a_lease(9, "mine", "src")
    unused = a_lease(10, "mine", "docs", kind=LOCAL, lasting=False)
    everything = (automatic, asked_for, by_hand, unused)
    ends = [
        change
        for change in ask(committing("src/a"), *everything)
        if not isinstance(change, CommitAttested)
    ]
    assert ends == [LeaseReleased(7, "clean")]
    for left in (frozenset({"src/z"}), None):
        assert len(ask(committing("src/a", left=left), *everything)) == 1


def test_an_old_commit_that_does_not_know_what_landed_is_not_attested() -> None:
    attest = Attest(MINE, (a_commit("src/a"),), (Overtaken("c1", "src/a", LANDED),))
    with pytest.raises(errors.StaleBytes) as refused:
        ask(attest, a_lease(7, "mine", "src"))
    assert refused.value.next == "git rebase c0ffee"


# --- guard = decide ------------------------------------------------------------------------------

TEXTS: Final = ("src", "src/a", "src/*", "**", "docs", "gen/**")
PATHS: Final = ("src/a", "src/b/c", "docs", "gen/x", ".git/x", "handrail.toml", ".handrail/hook")
leases = st.builds(
    lambda token, session, text, kind, tree, ends: a_lease(
        token, session, text, kind=kind, worktree=tree, granted_at=NOW - HOUR, expires_at=NOW + ends
    ),
    st.integers(1, 99),
    st.sampled_from(["mine", "theirs"]),
    st.sampled_from(TEXTS),
    st.sampled_from([EXCLUSIVE, LOCAL]),
    st.sampled_from(["tree-1", "tree-2"]),
    st.sampled_from([-1, 0, 1, HOUR // 2, HOUR // 2 + 1, HOUR]),
)


@given(st.lists(leases, max_size=4, unique_by=lambda lease: lease.token), st.sampled_from(PATHS))
def test_the_guard_allows_exactly_where_an_edit_would_change_nothing(
    near: list[Lease], path: str
) -> None:
    policy = a_policy(exempt=["gen/**"])
    fresh = [lease for lease in near if renew_at(lease) > NOW]
    looked_up = guarded(path) is None and writable(fresh, "mine", "tree-1", path, NOW)
    try:
        changes = ask(an_edit(path), *near, policy=policy)
        nothing = changes == []
    except (errors.Refused, NeedsFacts):
        nothing = False
    if path.startswith("gen/"):
        assert nothing
    else:
        assert looked_up == nothing
