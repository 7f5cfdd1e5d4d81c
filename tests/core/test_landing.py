"""Rule V, pure: which commits may land, and that nothing which comes later changes an answer."""

from __future__ import annotations

import doctest
import random
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.core.landing
from handrail.core.chronicle import Chronicle, Law
from handrail.core.decide import Policy
from handrail.core.events import (
    CommitAttested,
    CommitUnattested,
    CommitUnattributed,
    Event,
    LeaseExpired,
    LeaseGranted,
    LeaseOrphaned,
    LeaseReleased,
    StoreCreated,
)
from handrail.core.landing import (
    CANNOT_TELL,
    CODES,
    PASS,
    REFUSED,
    Change,
    ChangedPath,
    Charter,
    Judgment,
    Standing,
    judge_attested,
    judge_bare,
    judge_recorded,
    may_inherit,
    say,
    verdict_of,
)
from handrail.core.lease import Actor, Kind
from handrail.core.ledger import Entry, read_header
from handrail.core.scope import parse_pattern
from tests.core.makers import (
    ANYBODY,
    HOUR,
    NOW,
    a_ledger,
    a_policy,
    a_role,
    actors,
    events,
    patterns,
)

MINE: Final = Actor("mine", "agent-mine", None)
OTHER: Final = Actor("other", "agent-other", None)
FILE: Final = "100644"
NONE: Final = "000000"


def a_change(
    *paths: str | tuple[str, str, str],
    commit: str = "c",
    parents: Sequence[str] = ("p",),
    tree: str = "t",
) -> Change:
    rows = [row if isinstance(row, tuple) else (row, FILE, FILE) for row in paths]
    changed = tuple(ChangedPath(path, old, new, "1", "2") for path, old, new in rows)
    names = sorted(path.encode("utf-8", "surrogateescape") for path, _, _ in rows)
    digest = sha256(b"\0".join(names)).hexdigest()
    return Change(commit, tree, tuple(parents), "subject", changed, digest, False)


def granted(
    *scope: str,
    session: str = "mine",
    kind: Kind = "exclusive",
    worktree: str = "tree-1",
    role: str | None = None,
) -> tuple[Actor, Event]:
    actor = MINE if session == "mine" else OTHER
    event = LeaseGranted(session, role, kind, worktree, scope, HOUR, NOW + HOUR, True, ())
    return actor, event


def attested(
    change: Change, *tokens: int, until: int = NOW + HOUR, session: Actor = MINE
) -> tuple[Actor, Event]:
    cover = tuple((token, until) for token in tokens)
    paths = change.paths or ()
    return session, CommitAttested(
        change.commit, change.tree, change.parents, len(paths), change.paths_hash, cover
    )


FIRST: Final = (Actor(), StoreCreated("w", None))


def standing_of(entry: Entry, event: Event, policy: Policy, *, fold: bool = False) -> Standing:
    header = read_header(entry.header)
    found = event if isinstance(event, CommitAttested) else None
    return Standing(entry.seq, header.at, header.session, found, Law(1, policy, fold))


def judge(
    change: Change,
    *history: tuple[Actor, Event],
    policy: Policy = ANYBODY,
    fold: bool = False,
    redacted: Sequence[int] = (),
) -> Judgment:
    """Judge a commit by a whole ledger, as it stands beside one that was cut off after *s*."""
    events = [FIRST, *history]
    entries = [
        entry._replace(payload=None) if entry.seq in redacted else entry
        for entry in a_ledger(events)
    ]
    standings = [
        standing_of(entry, event, policy, fold=fold)
        for entry, (_, event) in zip(entries, events, strict=True)
        if isinstance(event, CommitAttested) and event.commit == change.commit
    ]
    found = []
    for end in (standings[-1].seq, len(entries)):
        chronicle = Chronicle()
        chronicle.take(entries[:end])
        judged = judge_attested(change, standings, chronicle)
        assert judged is not None
        found.append(judged)
    assert found[0] == found[1], "what comes after the attestation changes nothing"
    return found[0]


# ---------------------------------------------------------------------------------------- attested


def test_a_commit_under_a_lease_passes_today_and_after_it_was_released_and_taken_over() -> None:
    change = a_change("src/a.py", "src/deep/b.py")
    after = [
        (MINE, LeaseReleased(2, "released")),
        granted("src", session="other"),
        granted("**", session="other"),
    ]
    judged = judge(change, granted("src"), attested(change, 2), *after)
    assert (judged.code, judged.verdict, judged.path) == ("attested", PASS, None)
    assert judged.sentence == "attested by session mine in entry 3"


def test_several_leases_cover_together() -> None:
    change = a_change("src/a.py", "docs/x.md")
    assert judge(change, granted("src"), granted("docs"), attested(change, 2, 3)).code == "attested"


@pytest.mark.parametrize(
    ("cover", "path"), [((2,), "docs/x.md"), ((3,), "src/a.py"), ((), "src/a.py")]
)
def test_a_path_that_no_named_lease_covers_is_refused_by_name(
    cover: tuple[int, ...], path: str
) -> None:
    change = a_change("src/a.py", "docs/x.md")
    judged = judge(change, granted("src"), granted("docs"), attested(change, *cover))
    assert (judged.code, judged.path, judged.verdict) == ("not_covered", path, REFUSED)
    assert path in judged.sentence


def test_both_names_of_a_rename_and_what_is_deleted_need_a_lease() -> None:
    change = a_change(("old/a", FILE, NONE), ("new/a", NONE, FILE))
    assert judge(change, granted("new"), attested(change, 2)).path == "old/a"
    assert judge(change, granted("old"), attested(change, 2)).path == "new/a"
    assert judge(change, granted("old", "new"), attested(change, 2)).code == "attested"


@pytest.mark.parametrize("field", ["tree", "parents", "paths_hash"])
def test_an_attestation_of_something_else_is_none(field: str) -> None:
    change = a_change("src/a.py")
    actor, event = attested(change, 2)
    value = ("x",) if field == "parents" else "x"
    assert isinstance(event, CommitAttested)
    told = event._replace(**{field: value})  # type: ignore[arg-type]
    judged = judge(change, granted("src"), (actor, told))
    assert (judged.code, judged.verdict) == ("not_as_attested", REFUSED)


def test_an_attestation_of_nobody_covers_nothing() -> None:
    change = a_change("src/a.py")
    history = (Actor(), granted("src")[1]), attested(change, 2, session=Actor())
    assert judge(change, *history).code == "not_covered"


def test_a_token_of_another_session_or_of_no_grant_covers_nothing() -> None:
    change = a_change("src/a.py")
    assert judge(change, granted("src", session="other"), attested(change, 2)).code == "not_covered"
    redacted = (granted("src", session="other"), attested(change, 2))
    assert judge(change, *redacted, redacted=(2,)).code == "not_covered"
    assert judge(change, granted("src"), attested(change, 1)).code == "not_covered"
    assert judge(change, granted("src"), attested(change, 99)).code == "not_covered"
    assert judge(change, attested(change, 3), granted("src")).code == "not_covered"


@pytest.mark.parametrize(
    "end", [LeaseReleased(2, ""), LeaseExpired(2, NOW), LeaseOrphaned(2, None, "")]
)
def test_a_lease_that_ended_before_covers_nothing(end: Event) -> None:
    change = a_change("src/a.py")
    judged = judge(change, granted("src"), (MINE, end), attested(change, 2))
    assert (judged.code, judged.path) == ("lease_ended", "src/a.py")
    assert judge(change, granted("src"), attested(change, 2), (MINE, end)).code == "attested"


def test_a_lease_that_had_run_out_covers_nothing() -> None:
    change = a_change("src/a.py")
    # Entries of these ledgers are a second apart; the attestation is the third.
    at = NOW + 2_000
    assert judge(change, granted("src"), attested(change, 2, until=at)).code == "lease_expired"
    assert judge(change, granted("src"), attested(change, 2, until=at + 1)).code == "attested"


def test_a_token_followed_by_a_conflicting_grant_is_dead_even_after_that_was_released() -> None:
    change = a_change("src/a.py")
    between = [granted("src/b.py", session="other"), (OTHER, LeaseReleased(3, "released"))]
    judged = judge(change, granted("src"), *between, attested(change, 2))
    assert (judged.code, judged.path, judged.verdict) == ("superseded", "src/a.py", REFUSED)
    assert "src/b.py" in judged.sentence
    assert "other" in judged.sentence


@pytest.mark.parametrize(
    ("between", "code"),
    [
        (granted("docs", session="other"), "attested"),
        (granted("src/a.py"), "attested"),
        (granted("src", session="other", kind="local", worktree="tree-2"), "superseded"),
    ],
)
def test_only_a_grant_that_conflicts_and_is_anothers_kills(
    between: tuple[Actor, Event], code: str
) -> None:
    change = a_change("src/a.py")
    assert judge(change, granted("src"), between, attested(change, 2)).code == code


def test_two_local_leases_in_two_working_trees_do_not_kill_each_other() -> None:
    change = a_change("src/a.py")
    mine = granted("src", kind="local")
    far = granted("src", session="other", kind="local", worktree="tree-2")
    near = granted("src", session="other", kind="local")
    assert judge(change, mine, far, attested(change, 2)).code == "attested"
    assert judge(change, mine, near, attested(change, 2)).code == "superseded"


def test_on_contended_paths_all_leases_are_local() -> None:
    change = a_change("a.lock")
    far = granted("*.lock", session="other", worktree="tree-2")
    history = (granted("*.lock"), far, attested(change, 2))
    assert judge(change, *history).code == "superseded"
    assert judge(change, *history, policy=a_policy(contended=["*.lock"])).code == "attested"


def test_a_path_outside_the_lane_of_the_role_is_refused() -> None:
    change = a_change("src/a.py", "docs/x")
    policy = a_policy(a_role("api", "src/**"), a_role("docs", "docs/**"))
    history = (granted("**", role="api"), attested(change, 2))
    judged = judge(change, *history, policy=policy)
    assert (judged.code, judged.path) == ("outside_lane", "docs/x")
    assert "api" in judged.sentence
    unknown = (granted("**", role=None), attested(change, 2))
    assert judge(change, *unknown, policy=policy).code == "outside_lane"
    both = (granted("src", role="api"), granted("docs", role="docs"), attested(change, 2, 3))
    assert judge(change, *both, policy=policy).code == "attested"


def test_a_read_only_role_covers_what_it_may_write() -> None:
    policy = a_policy(a_role("plan", "src/**", sandbox="read-only", may_write=["plan.md"]))
    for path, code in (("plan.md", "attested"), ("src/a.py", "outside_lane")):
        change = a_change(path)
        history = (granted("**", role="plan"), attested(change, 2))
        assert judge(change, *history, policy=policy).code == code


@pytest.mark.parametrize("mode", ["100644", "100755", "000000", "120000", "160000"])
@pytest.mark.parametrize("turned", [False, True])
def test_what_is_exempt_needs_no_lease_if_it_is_a_regular_file(mode: str, turned: bool) -> None:
    old, new = (mode, FILE) if turned else (FILE, mode)
    change = a_change(("dist/a", old, new))
    judged = judge(change, attested(change), policy=a_policy(exempt=["dist/**"]))
    assert judged.code == ("not_covered" if mode in ("120000", "160000") else "attested")


def test_case_is_folded_where_the_configuration_says_so() -> None:
    change = a_change("SRC/A.py")
    history = (granted("src"), attested(change, 2))
    assert judge(change, *history).code == "not_covered"
    assert judge(change, *history, fold=True).code == "attested"


def test_a_path_of_hostile_bytes_is_covered_by_what_means_it() -> None:
    change = a_change("src/\udcff\n\x1b[31m")
    assert judge(change, granted("src"), attested(change, 2)).code == "attested"
    judged = judge(change, granted("docs"), attested(change, 2))
    assert judged.sentence.isprintable()


def test_one_attestation_that_passes_is_enough_whatever_stands_before_or_after_it() -> None:
    change = a_change("src/a.py")
    bad, good = attested(change), attested(change, 2)
    for history in ((good, bad), (bad, good), (bad, good, bad)):
        assert judge(change, granted("src"), *history).code == "attested"
    assert judge(change, granted("src"), bad, bad).values == (("seq", "3"),)


@pytest.mark.parametrize(
    ("redacted", "code"), [((2,), "redacted"), ((3,), "redacted"), ((4,), "attested")]
)
def test_what_was_redacted_cannot_be_told(redacted: tuple[int, ...], code: str) -> None:
    change = a_change("src/a.py")
    foreign = granted("docs", session="other")
    history = (granted("src"), foreign, (MINE, LeaseReleased(99, "")), attested(change, 2))
    judged = judge(change, *history, redacted=redacted)
    assert judged.code == code
    assert judged.verdict == (CANNOT_TELL if code == "redacted" else PASS)


def test_a_redacted_attestation_or_an_unknown_law_cannot_be_told() -> None:
    change = a_change("src/a.py")
    (_, entry, third) = a_ledger([FIRST, granted("src"), attested(change, 2)])
    whole = standing_of(third, attested(change, 2)[1], ANYBODY)
    chronicle = Chronicle()
    chronicle.take([entry])
    for standing in (whole._replace(attested=None), whole._replace(law=None)):
        judged = judge_attested(change, [standing], chronicle)
        assert judged is not None
        assert judged.verdict == CANNOT_TELL
    assert judge_attested(change, [], chronicle) is None


# ----------------------------------------------------------------------- what comes later, whatever

# Mostly what touches the same leases, else whatever can happen.
happenings: Final = st.one_of(
    st.builds(
        granted,
        st.sampled_from(["src", "src/api", "**", "docs/*"]),
        session=st.sampled_from(["mine", "other"]),
        kind=st.sampled_from(["exclusive", "local"]),
    ),
    st.builds(LeaseReleased, st.integers(1, 5), st.just("")).map(lambda event: (MINE, event)),
    st.tuples(actors, events),
)
PATHS: Final = ("src/api/a", "src/a.py", "docs/x", "x.lock")


@given(
    st.lists(happenings, max_size=1),
    st.lists(happenings, max_size=3),
    st.lists(happenings, max_size=3),
    st.lists(st.sampled_from(PATHS), min_size=1, max_size=2, unique=True),
)
def test_entries_after_an_attestation_never_change_the_verdict(
    before: list[tuple[Actor, Event]],
    between: list[tuple[Actor, Event]],
    after: list[tuple[Actor, Event]],
    paths: list[str],
) -> None:
    change = a_change(*paths)
    token = len(before) + 2
    ends = [(MINE, LeaseReleased(token, "")), granted("**", session="other")]
    history = [*before, granted("src", "docs"), *between, attested(change, token)]
    policy = a_policy(contended=["**/*.lock"])
    short = judge(change, *history, policy=policy)
    assert judge(change, *history, *ends, *after, policy=policy) == short


def test_an_earlier_attestation_does_not_suffer_from_what_killed_a_later_one() -> None:
    early, late = a_change("src/a.py", commit="early"), a_change("src/a.py", commit="late")
    takeover = granted("src", session="other")
    history = [FIRST, granted("src"), attested(early, 2), takeover, attested(late, 2)]
    entries = a_ledger(history)
    chronicle = Chronicle()
    chronicle.take(entries)
    found = []
    for change, place in ((late, 4), (early, 2)):
        standing = standing_of(entries[place], history[place][1], ANYBODY)
        judged = judge_attested(change, [standing], chronicle)
        assert judged is not None
        found.append(judged.code)
    assert found == ["superseded", "attested"]


@given(st.lists(happenings, max_size=3), st.randoms())
def test_a_chronicle_may_be_read_in_any_order_and_twice(
    history: list[tuple[Actor, Event]], chance: random.Random
) -> None:
    change = a_change("src/a.py")
    whole = [FIRST, granted("src"), *history, attested(change, 2)]
    entries = a_ledger(whole)
    standing = standing_of(entries[-1], whole[-1][1], ANYBODY)
    one, two = Chronicle(), Chronicle()
    one.take(entries)
    mixed = [*entries, *entries]
    chance.shuffle(mixed)
    two.take(mixed[:7])
    judge_attested(change, [standing], two)
    two.take(mixed[7:])
    assert judge_attested(change, [standing], one) == judge_attested(change, [standing], two)


# ------------------------------------------------------------------------------ without attestation


def test_what_changes_nothing_needs_nothing() -> None:
    bare = judge_bare(a_change(parents=("p", "q")))
    assert bare is not None
    assert (bare.code, bare.verdict) == ("clean_merge", PASS)
    for parents in ((), ("p",)):
        empty = judge_bare(a_change(parents=parents))
        assert empty is not None
        assert empty.code == "empty"
    assert judge_bare(a_change("a")) is None
    assert judge_bare(a_change("a", parents=("p", "q"))) is None


def test_more_than_two_parents_are_refused_though_attested() -> None:
    judged = judge_bare(a_change(parents=("p", "q", "r"))._replace(paths=None))
    assert judged is not None
    assert (judged.code, judged.verdict) == ("octopus", REFUSED)
    assert "3 parents" in judged.sentence


def test_only_the_same_paths_between_the_same_modes_can_inherit() -> None:
    heir = a_change("a", "b", commit="d")
    assert may_inherit(heir, a_change("a", "b"))
    assert may_inherit(heir, a_change("a", "b", parents=()))
    assert not may_inherit(heir, heir)
    assert not may_inherit(heir, a_change("a"))
    assert not may_inherit(heir, a_change("a", ("b", FILE, "100755")))
    assert not may_inherit(heir, a_change("a", ("b", NONE, FILE)))
    assert not may_inherit(heir, a_change("a", "b", parents=("p", "q")))
    assert not may_inherit(a_change("a", parents=("p", "q"), commit="d"), a_change("a"))
    assert not may_inherit(a_change(commit="d"), a_change())
    octopus = a_change(parents=("p", "q", "r"))._replace(paths=None)
    assert not may_inherit(octopus, octopus._replace(commit="d"))


def test_what_was_recorded_decides_by_the_setting() -> None:
    change = a_change("src/a.py")
    nobody = CommitUnattributed((), ("c",), "no session")
    somebody = CommitUnattested((), ("c",), "two\ncommits")
    told = judge_recorded(change, nobody, unattributed="report")
    assert (told.code, told.verdict) == ("unattributed", PASS)
    assert "no session" in told.sentence
    told = judge_recorded(change, nobody, unattributed="refuse")
    assert (told.code, told.verdict, told.path) == ("unattributed_refused", REFUSED, "src/a.py")
    for setting in ("report", "refuse"):
        told = judge_recorded(change, somebody, unattributed=setting)
        assert (told.code, told.verdict) == ("unattested", REFUSED)
        assert told.sentence.isprintable()
    assert judge_recorded(a_change(), nobody, unattributed="refuse").path is None


def test_policy_is_changed_by_a_coordinator_or_by_a_person_who_can_be_known() -> None:
    held = Charter((parse_pattern("ci"), parse_pattern("handrail.toml")), frozenset({"lead"}))
    harmless, policy = a_change("src/a.py"), a_change("src/a.py", "ci/run")
    assert held.breach(harmless, ["dev"], "dev") is None
    assert held.breach(policy, [None, "lead"], "lead") is None
    for role in ("dev", None):
        told = held.breach(policy, [role], "session x")
        assert told is not None
        assert (told.code, told.verdict, told.path) == ("policy_change", REFUSED, "ci/run")
    folded = held._replace(fold_case=True)
    assert folded.breach(a_change("Handrail.toml"), ["dev"], "dev") is not None
    nobody = CommitUnattributed((), ("c",), "no session")
    for charter, code in ((held, "unattributed"), (held._replace(signed=True), "policy_change")):
        told = judge_recorded(policy, nobody, unattributed="report", charter=charter)
        assert told.code == code
    told = judge_recorded(policy, nobody, unattributed="refuse", charter=charter)
    assert told.code == "unattributed_refused"


# ------------------------------------------------------------------------------------------- tables


def test_every_code_has_a_verdict_and_a_sentence_that_can_be_filled() -> None:
    assert {verdict for verdict, _ in CODES.values()} == {PASS, REFUSED, CANNOT_TELL}
    names = ("session", "seq", "basis", "person", "reason", "parents", "ref", "token", "end")
    values: dict[str, object] = dict.fromkeys(
        (*names, "witness", "other", "role", "phase", "task", "who"), "x"
    )
    for code in CODES:
        judged = say(a_change("a"), code, "a", **values)
        assert judged.sentence
        assert "{" not in judged.sentence
        assert judged.verdict == verdict_of(code)


def test_patterns_of_grants_are_read_as_the_store_keeps_them() -> None:
    change = a_change("src/deep/a.py")
    text = patterns("src/**/*.py")[0].text
    assert judge(change, granted(text), attested(change, 2)).code == "attested"


def test_the_example_in_the_documentation_holds() -> None:
    done = doctest.testmod(handrail.core.landing)
    assert (done.attempted > 0, done.failed) == (True, 0)
