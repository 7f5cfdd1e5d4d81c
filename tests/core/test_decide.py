"""Every rule and every refusal of ``decide``, by tables.

``mine`` is the session that asks, ``theirs`` and others are those around it; all live in ``tree-1``
unless a test says otherwise. Leases made here have 59 minutes left at NOW.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from handrail import errors
from handrail.core.decide import (
    WAIT_KEPT_MS,
    Adopt,
    Attest,
    ChangeRole,
    Changes,
    Claim,
    Command,
    CommitFacts,
    Edit,
    EndSession,
    Looked,
    NeedsFacts,
    NotCovered,
    Past,
    Policy,
    Release,
    Renew,
    StartSession,
    Uncovered,
    View,
    Wait,
    dead_token,
    decide,
    writable,
)
from handrail.core.events import (
    CommitAttested,
    LeaseExpired,
    LeaseGranted,
    LeaseReleased,
    LeaseRenewed,
    SessionEnded,
    SessionRoleChanged,
    SessionStarted,
    WaitBegan,
    WaitEnded,
    WaitKept,
)
from handrail.core.lease import EXCLUSIVE, LOCAL, Kind, Lease, Session, Waiter
from handrail.core.role import READ_ONLY
from handrail.core.scope import Pattern, uncovered
from tests.core.makers import (
    EPOCH,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    a_claim,
    a_lease,
    a_policy,
    a_role,
    a_session,
    a_waiter,
    ask,
    patterns,
)

LEFT: Final = 59 * MINUTE
MINE: Final = a_session("mine")


def refused(claim: Claim, *leases: Lease, **more: Any) -> errors.HandrailError:
    with pytest.raises(errors.HandrailError) as caught:
        ask(claim, *leases, **more)
    return caught.value


def granted(changes: Changes) -> LeaseGranted:
    """Give the grant, which is the only one, and the last thing but for leaving the queue."""
    grants = [change for change in changes if isinstance(change, LeaseGranted)]
    assert len(grants) == 1
    rest = changes[changes.index(grants[0]) + 1 :]
    assert all(isinstance(change, WaitEnded) for change in rest)
    return grants[0]


# --- claims: a scope that is free ----------------------------------------------------------------


@pytest.mark.parametrize("kind", [EXCLUSIVE, LOCAL])
@pytest.mark.parametrize("lasting", [True, False])
def test_a_free_scope_is_granted_as_it_was_asked_for(kind: Kind, lasting: bool) -> None:
    session = a_session("mine", role="website")
    claim = a_claim(session, "src/api", "*.md", kind=kind, ttl_ms=90 * MINUTE, lasting=lasting)
    assert ask(claim) == [
        LeaseGranted(
            session="mine",
            role="website",
            kind=kind,
            worktree="tree-1",
            patterns=("src/api", "*.md"),
            ttl_ms=90 * MINUTE,
            expires_at=NOW + 90 * MINUTE,
            lasting=lasting,
            beside=(),
        )
    ]


def test_leases_that_share_no_path_do_not_matter() -> None:
    others = [a_lease(1, "theirs", "src/a"), a_lease(2, "theirs", "src/*.md"), a_lease(3, "x", "d")]
    assert granted(ask(a_claim("mine", "src/ab", "src/b*/x.md"), *others)).beside == ()


# --- claims: a scope that is held ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "asked", "worktree", "answer"),
    [
        (EXCLUSIVE, EXCLUSIVE, "tree-1", "refused"),
        (EXCLUSIVE, EXCLUSIVE, "tree-2", "refused"),
        (EXCLUSIVE, LOCAL, "tree-1", "refused"),
        (EXCLUSIVE, LOCAL, "tree-2", "refused"),
        (LOCAL, EXCLUSIVE, "tree-1", "refused"),
        (LOCAL, EXCLUSIVE, "tree-2", "refused"),
        (LOCAL, LOCAL, "tree-1", "refused"),
        (LOCAL, LOCAL, "tree-2", "granted, and both are told"),
    ],
)
def test_what_another_session_holds_is_refused_as_the_table_says(
    held: Kind, asked: Kind, worktree: str, answer: str
) -> None:
    lease = a_lease(7, "theirs", "lib/*/x.py", kind=held, worktree=worktree)
    claim = a_claim("mine", "lib/core/*.py", kind=asked)
    if answer == "refused":
        assert refused(claim, lease).code == "scope_held"
    else:
        assert granted(ask(claim, lease)).beside == (7,)


def test_a_refusal_names_holder_role_scope_token_expiry_and_witness() -> None:
    lease = a_lease(41, "theirs", "docs", "lib/*/x.py", role="ops", kind=LOCAL)
    refusal = refused(a_claim("mine", "src", "lib/core/*.py"), lease)
    assert isinstance(refusal, errors.ScopeHeld)
    assert refusal.values == {
        "holder": "agent-theirs",
        "role": "ops",
        "session": "theirs",
        "scope": ("docs", "lib/*/x.py"),
        "token": f"{EPOCH}:41",
        "expires_at": NOW + LEFT,
        "witness": "lib/core/x.py",
        "asked": ("src", "lib/core/*.py"),
        "kind": LOCAL,
    }
    assert refusal.next == "handrail claim src 'lib/core/*.py' --wait"


def test_one_held_path_of_many_refuses_all_of_them() -> None:
    lease = a_lease(1, "theirs", "src/api/v1/x.py")
    assert refused(a_claim("mine", "docs", "web", "src"), lease).values["witness"] == (
        "src/api/v1/x.py"
    )


def test_all_leases_beside_are_told_in_order() -> None:
    others = [
        a_lease(token, "theirs", "src", kind=LOCAL, worktree=f"tree-{token}") for token in (9, 4, 7)
    ]
    assert granted(ask(a_claim("mine", "src/a", kind=LOCAL), *others)).beside == (4, 7, 9)


def test_one_lease_in_the_way_is_enough_beside_others_that_are_not() -> None:
    beside = a_lease(1, "theirs", "src", kind=LOCAL, worktree="tree-2")
    held = a_lease(2, "theirs", "src/a", kind=LOCAL)
    claim = a_claim("mine", "src", kind=LOCAL)
    assert refused(claim, beside, held).values["token"] == f"{EPOCH}:2"
    assert refused(claim, held, beside).values["token"] == f"{EPOCH}:2"


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (("web/*.lock",), LOCAL),
        (("CHANGELOG.md",), LOCAL),
        (("web/*.lock", "CHANGELOG.md"), LOCAL),
        (("web/*.lock", "web/x"), EXCLUSIVE),
        (("**",), EXCLUSIVE),
        (("src",), EXCLUSIVE),
    ],
)
def test_contended_paths_are_always_local(asked: tuple[str, ...], kind: Kind) -> None:
    policy = a_policy(contended=["**/*.lock", "CHANGELOG.md"])
    assert granted(ask(a_claim("mine", *asked), policy=policy)).kind == kind


def test_contended_paths_in_two_claims_stand_beside_each_other_in_two_trees() -> None:
    policy = a_policy(contended=["CHANGELOG.md"])
    claim = a_claim("mine", "src/b", "CHANGELOG.md")
    there = a_lease(3, "theirs", "src/a", "CHANGELOG.md", worktree="tree-2")
    assert granted(ask(claim, there, policy=policy)).beside == (3,)
    here = there._replace(worktree="tree-1")
    assert str(refused(claim, here, policy=policy).values["witness"]).startswith("CHANGELOG.md")
    wider = there._replace(patterns=patterns("src", "CHANGELOG.md"))
    assert str(refused(claim, wider, policy=policy).values["witness"]).startswith("src/b")


# --- claims: what one holds already --------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "asked", "outcome"),
    [
        (EXCLUSIVE, EXCLUSIVE, "renewed"),
        (EXCLUSIVE, LOCAL, "renewed"),
        (LOCAL, LOCAL, "renewed"),
        (LOCAL, EXCLUSIVE, "granted"),
    ],
)
@pytest.mark.parametrize("scope", ["src/api", "src/api/v1", "src/api/*.py"])
def test_claiming_what_one_holds_renews_it_if_it_is_strong_enough(
    held: Kind, asked: Kind, outcome: str, scope: str
) -> None:
    own = a_lease(5, "mine", "src/api", kind=held)
    changes = ask(a_claim("mine", scope, kind=asked, ttl_ms=2 * HOUR), own)
    if outcome == "renewed":
        assert changes == [LeaseRenewed(5, NOW + 2 * HOUR)]
    else:
        assert granted(changes).kind == asked


def test_what_one_holds_only_in_part_is_granted_anew_beside_it() -> None:
    own = a_lease(5, "mine", "src/api")
    assert granted(ask(a_claim("mine", "src"), own)).patterns == ("src",)
    assert granted(ask(a_claim("mine", "src/api", "docs"), own)).patterns == ("src/api", "docs")


def test_claiming_exclusively_what_one_holds_locally_is_a_grant_under_the_table() -> None:
    own = a_lease(5, "mine", "src", kind=LOCAL)
    beside = a_lease(6, "theirs", "src/a", kind=LOCAL, worktree="tree-2")
    assert granted(ask(a_claim("mine", "src"), own)).kind == EXCLUSIVE
    assert refused(a_claim("mine", "src"), own, beside).values["token"] == f"{EPOCH}:6"


@pytest.mark.parametrize(
    ("holds", "asks", "renewed"),
    [(True, True, True), (True, False, True), (False, False, True), (False, True, False)],
)
def test_a_lease_that_ends_by_itself_does_not_do_for_one_that_lasts(
    holds: bool, asks: bool, renewed: bool
) -> None:
    own = a_lease(5, "mine", "src", kind=LOCAL, lasting=holds)
    changes = ask(a_claim("mine", "src", kind=LOCAL, lasting=asks), own)
    if renewed:
        assert changes == [LeaseRenewed(5, NOW + HOUR)]
    else:
        assert granted(changes).lasting


def test_a_claim_in_another_role_is_a_lease_of_its_own() -> None:
    policy = a_policy(a_role("website", "**"), a_role("ops", "**"), many_roles=True)
    session = a_session("mine", role="website")
    own = a_lease(5, "mine", "src", role="website")
    assert ask(a_claim(session, "src", role="website"), own, policy=policy) == [
        LeaseRenewed(5, NOW + HOUR)
    ]
    assert granted(ask(a_claim(session, "src", role="ops"), own, policy=policy)).role == "ops"


@pytest.mark.parametrize(
    ("granted_ago", "left", "ttl_ms", "left_after"),
    [
        (MINUTE, LEFT, SECOND, LEFT),
        (MINUTE, LEFT, LEFT + 1, LEFT + 1),
        (71 * HOUR, MINUTE, 24 * HOUR, HOUR),
        (72 * HOUR - 1, 1, HOUR, 1),
    ],
)
def test_a_claim_that_renews_keeps_to_the_bounds_of_a_renewal(
    granted_ago: int, left: int, ttl_ms: int, left_after: int
) -> None:
    own = a_lease(5, "mine", "src", granted_at=NOW - granted_ago, expires_at=NOW + left)
    renewal = [LeaseRenewed(5, NOW + left_after)]
    assert ask(a_claim("mine", "src", ttl_ms=ttl_ms), own) == renewal


def test_of_several_leases_that_do_the_first_is_renewed_and_no_other() -> None:
    own = [a_lease(5, "mine", "docs"), a_lease(6, "mine", "src/**"), a_lease(7, "mine", "src")]
    assert ask(a_claim("mine", "src/a"), *own) == [LeaseRenewed(6, NOW + HOUR)]


# --- claims: leases that ran out -----------------------------------------------------------------


def test_leases_near_that_ran_out_are_recorded_before_the_grant() -> None:
    dead = [
        a_lease(2, "theirs", "src", expires_at=NOW),
        a_lease(3, "mine", "src/a", expires_at=NOW - HOUR),
        a_lease(4, "x", "src/*", kind=LOCAL, worktree="tree-2", expires_at=NOW - 1),
    ]
    changes = ask(a_claim("mine", "src/a"), *dead)
    assert changes[:-1] == [
        LeaseExpired(2, NOW),
        LeaseExpired(3, NOW - HOUR),
        LeaseExpired(4, NOW - 1),
    ]
    assert isinstance(changes[-1], LeaseGranted)


@pytest.mark.parametrize(("expires_in", "held"), [(1, True), (0, False), (-1, False)])
def test_a_lease_is_in_the_way_until_its_expiry_and_not_at_it(expires_in: int, held: bool) -> None:
    lease = a_lease(2, "theirs", "src", expires_at=NOW + expires_in)
    if held:
        assert refused(a_claim("mine", "src"), lease).code == "scope_held"
    else:
        assert ask(a_claim("mine", "src"), lease)[0] == LeaseExpired(2, NOW + expires_in)


@pytest.mark.parametrize(("expires_in", "renewed"), [(1, True), (0, False), (-1, False)])
def test_a_lease_of_ones_own_that_ran_out_is_never_revived(expires_in: int, renewed: bool) -> None:
    own = a_lease(2, "mine", "src", expires_at=NOW + expires_in)
    changes = ask(a_claim("mine", "src"), own)
    if renewed:
        assert changes == [LeaseRenewed(2, NOW + HOUR)]
    else:
        assert changes[0] == LeaseExpired(2, NOW + expires_in)
        assert granted(changes).expires_at == NOW + HOUR


def test_a_refused_claim_changes_nothing_not_even_what_ran_out() -> None:
    dead, live = a_lease(2, "x", "src", expires_at=NOW), a_lease(3, "theirs", "src")
    assert refused(a_claim("mine", "src"), dead, live).values["token"] == f"{EPOCH}:3"


# --- claims: role, lane, sandbox -----------------------------------------------------------------

WEBSITE: Final = a_role("website", "site/**", "*.md")
OPS: Final = a_role("ops", "ops/**", "**/*.yml")
REVIEWER: Final = a_role("reviewer", "site/**", sandbox=READ_ONLY, may_write=["reviews"])
ROLES: Final = a_policy(WEBSITE, OPS, REVIEWER)


@pytest.mark.parametrize(
    ("role", "asked"),
    [
        ("website", ("site/a",)),
        ("website", ("site/**", "*.md")),
        ("website", ("R*.md",)),
        ("ops", ("ops/x", "ops/y/*.yml", "*.yml")),
        ("reviewer", ("reviews",)),
        ("reviewer", ("reviews/2026/*.md",)),
    ],
)
def test_a_role_may_hold_what_lies_in_its_lane(role: str, asked: tuple[str, ...]) -> None:
    claim = a_claim(a_session("mine", role=role), *asked)
    assert granted(ask(claim, policy=ROLES)).role == role


@pytest.mark.parametrize(
    ("role", "asked", "scope", "witness"),
    [
        ("website", ("ops/x",), "ops/x", "ops/x"),
        ("website", ("site/a", "ops/x"), "ops/x", "ops/x"),
        ("website", ("si*/x",), "si*/x", None),
        ("website", ("**",), "**", None),
        ("ops", ("site/a",), "site/a", "site/a"),
        (None, ("site/a",), "site/a", "site/a"),
    ],
)
def test_a_claim_that_reaches_outside_the_lane_is_refused_with_a_witness(
    role: str | None, asked: tuple[str, ...], scope: str, witness: str | None
) -> None:
    refusal = refused(a_claim(a_session("mine", role=role), *asked), policy=ROLES)
    assert isinstance(refusal, errors.OutsideLane)
    assert refusal.values["role"] == role
    assert refusal.values["scope"] == scope
    assert refusal.values["asked"] == asked
    lane = () if role is None else ROLES.lanes[role]
    assert refusal.values["lane"] == (tuple(pattern.text for pattern in lane) or ("nothing",))
    found = refusal.values["witness"]
    assert isinstance(found, str)
    assert witness in (None, found)
    # The witness is a path that was asked for and that a lease over the lane would not cover.
    held = [a_lease(1, "mine", scope)]
    assert writable(held, "mine", "tree-1", found, NOW)
    in_lane = [a_lease(1, "mine", "x")._replace(patterns=lane)]
    assert not writable(in_lane, "mine", "tree-1", found, NOW)


@pytest.mark.parametrize(
    ("role", "asked", "other"),
    [
        ("website", ("ops/x", "*.yml"), "ops"),
        ("ops", ("site/a b",), "website"),
        ("website", ("reviews/x",), "reviewer"),
        (None, ("site/a",), "website"),
    ],
)
def test_the_next_command_acts_as_a_role_that_may_claim_all_of_it(
    role: str | None, asked: tuple[str, ...], other: str
) -> None:
    refusal = refused(a_claim(a_session("mine", role=role), *asked), policy=ROLES)
    assert refusal.next is not None
    assert f"handrail session start --role {other})" in refusal.next
    # What it says leads to success.
    assert granted(ask(a_claim(a_session("again", role=other), *asked), policy=ROLES))


@pytest.mark.parametrize(
    ("role", "asked", "command"),
    [
        ("website", ("site/a", "lib/x"), "handrail claim site/a"),
        ("website", ("**",), "handrail claim 'site/**' '*.md'"),
        (
            "website",
            ("lib/x", "ops/x"),
            'eval "$(handrail session start --role ops)" && handrail claim ops/x',
        ),
        ("website", ("lib/x",), None),
        ("reviewer", ("lib/x", "reviews/y"), "handrail claim reviews/y"),
    ],
)
def test_where_no_role_may_claim_it_all_the_next_command_claims_a_part(
    role: str, asked: tuple[str, ...], command: str | None
) -> None:
    refusal = refused(a_claim(a_session("mine", role=role), *asked), policy=ROLES)
    if command is None:
        assert "a lane in handrail.toml has to grow first" in refusal.message
        assert refusal.next is not None
        assert refusal.next.endswith("handrail config apply")
    else:
        assert refusal.next == command


def test_a_role_whose_lane_is_too_intricate_to_compare_is_not_proposed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def intricate(pattern: Pattern, lane: tuple[Pattern, ...]) -> str | None:
        if lane == ROLES.lanes["ops"]:
            raise errors.MalformedScope(scope=pattern.text, reason="too intricate")
        return uncovered(pattern, lane)

    monkeypatch.setattr("handrail.core.decide.claim.uncovered", intricate)
    refusal = refused(a_claim(a_session("mine", role="website"), "ops/x"), policy=ROLES)
    assert isinstance(refusal, errors.OutsideLane)
    assert "ops" not in (refusal.next or "")


@pytest.mark.parametrize("asked", ["site/a", "reviews2", "**", "review*"])
def test_a_read_only_role_holds_nothing_but_what_it_may_write(asked: str) -> None:
    refusal = refused(a_claim(a_session("mine", role="reviewer"), asked), policy=ROLES)
    assert isinstance(refusal, errors.SandboxReadOnly)
    assert refusal.values["role"] == "reviewer"
    assert refusal.values["scope"] == asked


def test_a_read_only_role_without_anything_it_may_write_holds_nothing() -> None:
    policy = a_policy(a_role("reader", "**", sandbox=READ_ONLY))
    refusal = refused(a_claim(a_session("mine", role="reader"), "x"), policy=policy)
    assert refusal.code == "sandbox_read_only"


def test_the_lane_comes_before_whoever_holds_the_scope() -> None:
    claim = a_claim(a_session("mine", role="website"), "ops/x")
    assert refused(claim, a_lease(1, "theirs", "ops"), policy=ROLES).code == "outside_lane"


@pytest.mark.parametrize(
    ("single", "good"), [(("x.yml",), True), ((), False), (("y.yml",), False), (("ops",), False)]
)
def test_a_path_that_is_no_folder_needs_a_lane_only_for_itself(
    single: tuple[str, ...], good: bool
) -> None:
    claim = a_claim(a_session("mine", role="ops"), "x.yml", "ops")
    claim = claim._replace(single=frozenset(single))
    if good:
        assert granted(ask(claim, policy=ROLES)).patterns == ("x.yml", "ops")
    else:
        assert refused(claim, policy=ROLES).code == "outside_lane"


def test_a_path_that_is_no_folder_is_held_by_a_lease_over_itself() -> None:
    own = a_lease(5, "mine", "src/*")
    claim = a_claim("mine", "src/a")
    assert granted(ask(claim, own))
    assert ask(claim._replace(single=frozenset(["src/a"])), own) == [LeaseRenewed(5, NOW + HOUR)]


def test_a_path_that_is_no_folder_is_contended_if_it_is_itself() -> None:
    policy = a_policy(contended=["**/*.lock"])
    claim = a_claim("mine", "web/yarn.lock")
    assert granted(ask(claim, policy=policy)).kind == EXCLUSIVE
    single = claim._replace(single=frozenset(["web/yarn.lock"]))
    assert granted(ask(single, policy=policy)).kind == LOCAL


def test_a_session_keeps_its_role() -> None:
    session = a_session("mine", role="website")
    refusal = refused(a_claim(session, "ops/x", role="ops"), policy=ROLES)
    assert isinstance(refusal, errors.RoleFixed)
    assert refusal.values == {"session": "mine", "role": "website", "wanted": "ops"}
    assert refusal.next == 'eval "$(handrail session start --role ops)"'


def test_a_claim_may_name_the_role_that_the_session_has() -> None:
    claim = a_claim(a_session("mine", role="website"), "site/a", role="website")
    assert granted(ask(claim, policy=ROLES)).role == "website"


def test_with_many_roles_a_claim_is_judged_by_the_role_it_names() -> None:
    many = ROLES._replace(many_roles=True)
    session = a_session("mine", role="website")
    assert granted(ask(a_claim(session, "ops/x", role="ops"), policy=many)).role == "ops"
    assert refused(a_claim(session, "site/x", role="ops"), policy=many).code == "outside_lane"
    assert refused(a_claim(session, "ops/x"), policy=many).code == "outside_lane"


@pytest.mark.parametrize("many", [True, False])
def test_a_role_that_the_configuration_does_not_know_holds_nothing(many: bool) -> None:
    policy = ROLES._replace(many_roles=many)
    refusal = refused(a_claim(a_session("mine", role="gone"), "site/a"), policy=policy)
    assert isinstance(refusal, errors.UnknownRole)
    assert refusal.values["role"] == "gone"
    assert refusal.next is not None
    assert "handrail session start --role website" in refusal.next


def test_a_role_named_in_a_claim_must_be_known() -> None:
    claim = a_claim(a_session("mine", role="website"), "site/a", role="webiste")
    assert refused(claim, policy=ROLES._replace(many_roles=True)).code == "unknown_role"


def test_where_nobody_configured_roles_every_session_may_hold_everything() -> None:
    assert granted(ask(a_claim(a_session("mine"), "**"))).role is None


# --- claims: time to live, wildcards in front ----------------------------------------------------


@pytest.mark.parametrize(
    ("ttl_ms", "good"),
    [(999, False), (1_000, True), (24 * HOUR, True), (24 * HOUR + 1, False), (0, False)],
)
def test_a_time_to_live_is_1_second_to_24_hours(ttl_ms: int, good: bool) -> None:
    claim, own = a_claim("mine", "src", ttl_ms=ttl_ms), a_lease(1, "mine", "src")
    renew = Renew(MINE, own, ttl_ms)
    if good:
        assert granted(ask(claim)).expires_at == NOW + ttl_ms
        assert decide(View(EPOCH), renew, NOW)
    else:
        assert refused(claim).code == "malformed_ttl"
        assert refused(claim, own).code == "malformed_ttl"
        with pytest.raises(errors.MalformedTtl):
            decide(View(EPOCH), renew, NOW)


def unanchored(count: int, session: str = "theirs", first: int = 1) -> list[Lease]:
    return [
        a_lease(first + number, session, f"*/u{first + number}", f"lib/u{first + number}")
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("live", "asked", "good"), [(63, 1, True), (62, 2, True), (64, 1, False), (63, 2, False)]
)
def test_64_scopes_that_begin_with_a_wildcard_are_live_at_most(
    live: int, asked: int, good: bool
) -> None:
    claim = a_claim("mine", *[f"a{number}*" for number in range(asked)], "src/a")
    if good:
        assert granted(ask(claim, *unanchored(live)))
    else:
        refusal = refused(claim, *unanchored(live))
        assert isinstance(refusal, errors.UnanchoredLimit)
        assert refusal.values["scope"] == "a0*"
        assert refusal.values["limit"] == 64
        assert refusal.next is not None
        assert refusal.next.endswith(" --wait")


def test_ones_own_scopes_count_for_the_limit_and_those_that_ran_out_do_not() -> None:
    claim = a_claim("mine", "a*")
    own = unanchored(32, "mine") + unanchored(32, first=33)
    assert refused(claim, *own).code == "unanchored_limit"
    ran_out = own[-1]._replace(expires_at=NOW)
    assert granted(ask(claim, *own[:-1], ran_out))


def test_the_limit_does_not_touch_scopes_with_a_literal_beginning() -> None:
    assert granted(ask(a_claim("mine", "src/a*"), *unanchored(64)))


def test_what_one_holds_already_is_renewed_at_the_limit_too() -> None:
    own = a_lease(99, "mine", "a*")
    changes = ask(a_claim("mine", "a*"), own, *unanchored(63))
    assert changes == [LeaseRenewed(99, NOW + HOUR)]


def test_a_claim_that_no_waiting_could_ever_serve_is_malformed() -> None:
    assert granted(ask(a_claim("mine", *[f"*/{number}" for number in range(64)])))
    refusal = refused(a_claim("mine", *[f"*/{number}" for number in range(65)]))
    assert isinstance(refusal, errors.MalformedScope)


# --- claims: the turn of those who wait ----------------------------------------------------------


@pytest.mark.parametrize(
    ("waiter", "ticket", "good"),
    [
        (a_waiter(5, "theirs", "src"), None, False),
        (a_waiter(5, "theirs", "src"), 6, False),
        (a_waiter(5, "theirs", "src"), 4, True),
        (a_waiter(5, "theirs", "docs"), None, True),
        (a_waiter(5, "theirs", "src", until=NOW + 1), None, False),
        (a_waiter(5, "theirs", "src", until=NOW), None, True),
        (a_waiter(5, "theirs", "src", until=NOW - 1), 6, True),
        (a_waiter(5, "mine", "src"), None, True),
        (a_waiter(5, "theirs", "src", kind=LOCAL, worktree="tree-2"), None, False),
    ],
)
def test_a_claim_waits_for_whoever_asked_earlier(
    waiter: Waiter, ticket: int | None, good: bool
) -> None:
    own = [] if ticket is None else [a_waiter(ticket, "mine", "src/a")]
    claim = a_claim("mine", "src/a", ticket=ticket)
    waiters = sorted([waiter, *own])
    if good:
        served = [] if ticket is None else [WaitEnded(ticket)]
        changes = ask(claim, waiters=waiters)
        assert changes == [granted(changes), *served]
    else:
        refusal = refused(claim, waiters=waiters)
        assert isinstance(refusal, errors.ScopeAwaited)
        assert refusal.values == {
            "session": "theirs",
            "scope": ("src",),
            "witness": "src/a",
            "asked": ("src/a",),
        }


def test_local_claims_in_two_trees_do_not_wait_for_each_other() -> None:
    waiter = a_waiter(5, "theirs", "src", kind=LOCAL, worktree="tree-2")
    assert granted(ask(a_claim("mine", "src", kind=LOCAL), waiters=[waiter]))


def test_the_queue_is_served_in_the_order_of_arrival() -> None:
    queue = [a_waiter(ticket, f"s{ticket}", "src") for ticket in (3, 4, 7)]
    while queue:
        first, *rest = queue
        for later in rest:
            late = a_claim(later.session, "src", ticket=later.ticket)
            assert refused(late, waiters=queue).values["session"] == first.session
        assert granted(ask(a_claim(first.session, "src", ticket=first.ticket), waiters=queue))
        queue = rest


def test_the_holder_renews_past_those_who_wait() -> None:
    own = a_lease(1, "mine", "src")
    changes = ask(a_claim("mine", "src"), own, waiters=[a_waiter(5, "theirs", "src")])
    assert changes == [LeaseRenewed(1, NOW + HOUR)]


def test_a_scope_that_is_held_is_told_before_whoever_waits_for_it() -> None:
    waiters = [a_waiter(5, "x", "src")]
    assert refused(a_claim("mine", "src"), a_lease(1, "theirs", "src"), waiters=waiters).code == (
        "scope_held"
    )


def test_a_waiting_claim_that_turns_out_to_be_held_leaves_the_queue() -> None:
    own = a_lease(1, "mine", "src")
    changes = ask(a_claim("mine", "src/a", ticket=5), own, waiters=[a_waiter(5, "mine", "src/a")])
    assert changes == [LeaseRenewed(1, NOW + HOUR), WaitEnded(5)]


@pytest.mark.parametrize("there", [True, False])
def test_a_place_in_the_queue_that_lapsed_gives_no_turn(there: bool) -> None:
    lapsed = [a_waiter(5, "mine", "src", until=NOW)] if there else []
    queue = [*lapsed, a_waiter(6, "theirs", "src")]
    assert refused(a_claim("mine", "src", ticket=5), waiters=queue).code == "scope_awaited"


# --- waiting -------------------------------------------------------------------------------------


def wait(claim: Claim, *leases: Lease, waiters: list[Waiter] | None = None) -> Changes:
    return decide(View(EPOCH, leases, waiters or []), Wait(claim), NOW)


HELD: Final = a_lease(1, "theirs", "src")


def test_a_claim_takes_its_place_in_the_queue() -> None:
    assert WAIT_KEPT_MS == 10 * SECOND
    assert wait(a_claim("mine", "src", "docs", kind=LOCAL), HELD) == [
        WaitBegan("mine", LOCAL, "tree-1", ("src", "docs"), NOW + 10 * SECOND)
    ]


def test_a_claim_of_contended_paths_waits_as_a_local_one() -> None:
    policy = a_policy(contended=["CHANGELOG.md"])
    changes = decide(View(EPOCH, (), (), policy), Wait(a_claim("mine", "CHANGELOG.md")), NOW)
    assert changes == [WaitBegan("mine", LOCAL, "tree-1", ("CHANGELOG.md",), NOW + 10 * SECOND)]


def test_places_whose_claims_are_gone_are_freed_by_whoever_comes_next() -> None:
    gone = [a_waiter(2, "x", "y", until=NOW), a_waiter(4, "mine", "src", until=NOW - 1)]
    there = a_waiter(3, "z", "src", until=NOW + 1)
    changes = wait(a_claim("mine", "src"), HELD, waiters=[gone[0], there, gone[1]])
    assert changes[:-1] == [WaitEnded(2), WaitEnded(4)]
    assert isinstance(changes[-1], WaitBegan)


@pytest.mark.parametrize(
    ("left_ms", "outcome"),
    [(10_000, "kept"), (5_001, "kept"), (5_000, "longer"), (1, "longer"), (0, "anew")],
)
def test_a_place_is_kept_while_it_is_there_and_taken_anew_when_it_lapsed(
    left_ms: int, outcome: str
) -> None:
    mine = a_waiter(5, "mine", "src", until=NOW + left_ms)
    changes = wait(a_claim("mine", "src", ticket=5), HELD, waiters=[mine])
    began = WaitBegan("mine", EXCLUSIVE, "tree-1", ("src",), NOW + 10 * SECOND)
    assert (
        changes
        == {
            "kept": [],
            "longer": [WaitKept(5, NOW + 10 * SECOND)],
            "anew": [WaitEnded(5), began],
        }[outcome]
    )


def test_a_place_that_is_no_longer_there_is_taken_anew() -> None:
    changes = wait(a_claim("mine", "src", ticket=5), HELD, waiters=[a_waiter(6, "x", "src")])
    assert changes == [WaitBegan("mine", EXCLUSIVE, "tree-1", ("src",), NOW + 10 * SECOND)]


# Who holds what, who waits for what (ticket, session, scope), and what ``mine`` asks for.
Circle = tuple[list[tuple[str, str]], list[tuple[int, str, str]], str]
CIRCLES: Final[dict[str, Circle]] = {
    "two sessions": ([("mine", "a"), ("x", "b")], [(1, "x", "a")], "b"),
    "three sessions": (
        [("mine", "a"), ("x", "b"), ("y", "c")],
        [(1, "x", "c"), (2, "y", "a")],
        "b",
    ),
    "three sessions, by overlap": (
        [("mine", "src/a/x"), ("x", "lib"), ("y", "doc/*.md")],
        [(1, "x", "doc/r*"), (2, "y", "src/**")],
        "lib/core",
    ),
    "four sessions": (
        [("mine", "a"), ("x", "b"), ("y", "c"), ("z", "d")],
        [(1, "z", "a"), (2, "y", "d"), (3, "x", "c")],
        "b",
    ),
    "beside a session that waits for nobody": (
        [("mine", "a"), ("w", "b/1"), ("x", "b/2")],
        [(1, "x", "a")],
        "b",
    ),
    "two scopes, one of them in the circle": (
        [("mine", "a"), ("x", "b"), ("z", "c")],
        [(1, "x", "c"), (2, "x", "a")],
        "b",
    ),
    # Nobody holds what mine asks for, but x asked for it earlier and waits for mine.
    "the turn of a session that waits for mine": ([("mine", "a")], [(1, "x", "?")], "b"),
    "the turn of one behind one that waits for mine": (
        [("mine", "a")],
        [(1, "x", "a"), (2, "y", "?")],
        "b",
    ),
    "a holder that waits its turn behind one that waits for mine": (
        [("mine", "a"), ("y", "c")],
        [(1, "x", "?"), (2, "y", "b")],
        "c",
    ),
}


def leases_and_waiters(circle: Circle) -> tuple[list[Lease], list[Waiter]]:
    held, waiting, _ = circle
    leases = [a_lease(token, who, scope) for token, (who, scope) in enumerate(held, 1)]
    # A question mark stands for the scope of both: in it, one is waited for, the other free.
    waiters = [a_waiter(t, who, *(("a", "b") if s == "?" else (s,))) for t, who, s in waiting]
    return leases, waiters


@pytest.mark.parametrize("name", CIRCLES)
def test_nobody_waits_in_a_circle(name: str) -> None:
    leases, waiters = leases_and_waiters(CIRCLES[name])
    claim = a_claim("mine", CIRCLES[name][2])
    with pytest.raises(errors.WouldDeadlock) as caught:
        wait(claim, *leases, waiters=waiters)
    assert caught.value.values["asked"] == (CIRCLES[name][2],)
    assert caught.value.next == (
        f"handrail release --all && handrail claim {claim.patterns[0].text} --wait"
    )
    # What it says leads on: without leases there is no circle.
    rest = [lease for lease in leases if lease.session != "mine"]
    assert wait(claim, *rest, waiters=waiters)


def test_a_circle_names_the_one_in_front_and_a_path_of_both() -> None:
    leases, waiters = leases_and_waiters(CIRCLES["three sessions, by overlap"])
    with pytest.raises(errors.WouldDeadlock) as caught:
        wait(a_claim("mine", "lib/core"), *leases, waiters=waiters)
    assert caught.value.values == {
        "scope": ("lib",),
        "session": "x",
        "witness": "lib/core",
        "asked": ("lib/core",),
    }


NO_CIRCLES: Final[dict[str, Circle]] = {
    "nobody else waits": ([("mine", "a"), ("x", "b")], [], "b"),
    "the holder waits for a third": (
        [("mine", "a"), ("x", "b"), ("y", "c")],
        [(1, "x", "c")],
        "b",
    ),
    "the holder waits beside what mine holds": (
        [("mine", "src/a"), ("x", "b"), ("y", "src/b")],
        [(1, "x", "src/b")],
        "b",
    ),
    "somebody who waits for mine holds nothing that mine asks for": (
        [("mine", "a"), ("x", "b"), ("y", "c")],
        [(1, "y", "a")],
        "b",
    ),
    "the circle is among others": (
        [("mine", "m"), ("x", "b"), ("y", "c")],
        [(1, "x", "c"), (2, "y", "b")],
        "b",
    ),
    "mine holds nothing": ([("x", "b"), ("y", "c")], [(1, "x", "c")], "b"),
    "one who waits for mine comes later than mine": (
        [("mine", "a"), ("y", "b")],
        [(4, "mine", "b"), (5, "x", "?")],
        "b",
    ),
}


@pytest.mark.parametrize("name", NO_CIRCLES)
def test_a_wait_that_can_end_is_no_circle(name: str) -> None:
    leases, waiters = leases_and_waiters(NO_CIRCLES[name])
    ticket = next((waiter.ticket for waiter in waiters if waiter.session == "mine"), None)
    wait(a_claim("mine", NO_CIRCLES[name][2], ticket=ticket), *leases, waiters=waiters)


def test_leases_and_waiters_that_are_gone_make_no_circle() -> None:
    leases, waiters = leases_and_waiters(CIRCLES["two sessions"])
    claim = a_claim("mine", "b")
    dead = leases[0]._replace(expires_at=NOW)
    assert wait(claim, dead, leases[1], waiters=waiters)
    gone = waiters[0]._replace(until=NOW)
    assert wait(claim, *leases, waiters=[gone])


def test_local_leases_in_two_trees_make_no_circle() -> None:
    leases = [
        a_lease(1, "mine", "a", kind=LOCAL, worktree="tree-1"),
        a_lease(2, "x", "b", worktree="tree-2"),
    ]
    waiter = a_waiter(1, "x", "a", kind=LOCAL, worktree="tree-2")
    assert wait(a_claim("mine", "b"), *leases, waiters=[waiter])
    with pytest.raises(errors.WouldDeadlock):
        wait(a_claim("mine", "b"), *leases, waiters=[waiter._replace(kind=EXCLUSIVE)])


# --- renewing ------------------------------------------------------------------------------------


def renew(lease: Lease, ttl_ms: int = HOUR, session: Session = MINE, now: int = NOW) -> Changes:
    return decide(View(EPOCH), Renew(session, lease, ttl_ms), now)


@pytest.mark.parametrize(
    ("granted_ago", "left", "ttl_ms", "left_after"),
    [
        (MINUTE, LEFT, 2 * HOUR, 2 * HOUR),
        (MINUTE, LEFT, LEFT - 1, LEFT),
        (70 * HOUR, HOUR, 24 * HOUR, 2 * HOUR),
        (71 * HOUR, HOUR, 24 * HOUR, HOUR),
    ],
)
def test_a_renewal_lengthens_a_lease_up_to_its_age_cap(
    granted_ago: int, left: int, ttl_ms: int, left_after: int
) -> None:
    lease = a_lease(5, "mine", "src", granted_at=NOW - granted_ago, expires_at=NOW + left)
    assert renew(lease, ttl_ms) == [LeaseRenewed(5, NOW + left_after)]


@pytest.mark.parametrize(("expires_in", "live"), [(1, True), (0, False), (-HOUR, False)])
def test_a_lease_that_ran_out_is_not_renewed(expires_in: int, live: bool) -> None:
    lease = a_lease(5, "mine", "src", "docs", expires_at=NOW + expires_in)
    if live:
        assert renew(lease) == [LeaseRenewed(5, NOW + HOUR)]
        return
    with pytest.raises(errors.LeaseExpired) as caught:
        renew(lease)
    assert caught.value.values == {
        "token": f"{EPOCH}:5",
        "scope": ("src", "docs"),
        "expires_at": NOW + expires_in,
        "asked": ("src", "docs"),
    }


@pytest.mark.parametrize("expires_in", [LEFT, 0, -HOUR])
def test_a_lease_of_another_session_is_neither_renewed_nor_released(expires_in: int) -> None:
    lease = a_lease(5, "theirs", "src", expires_at=NOW + expires_in)
    for command in (Renew(MINE, lease, HOUR), Release(MINE, (lease,))):
        with pytest.raises(errors.NotHolder) as caught:
            decide(View(EPOCH), command, NOW)
        assert caught.value.values == {
            "session": "mine",
            "holder": "agent-theirs",
            "scope": ("src",),
            "token": f"{EPOCH}:5",
            "expires_at": NOW + expires_in,
            "asked": ("src",),
        }


# --- releasing -----------------------------------------------------------------------------------


def test_what_is_live_is_released_and_what_ran_out_is_recorded_as_expired() -> None:
    leases = (
        a_lease(5, "mine", "src"),
        a_lease(6, "mine", "docs", expires_at=NOW),
        a_lease(7, "mine", "lib", expires_at=NOW + 1),
    )
    assert decide(View(EPOCH), Release(MINE, leases), NOW) == [
        LeaseReleased(5, "released"),
        LeaseExpired(6, NOW),
        LeaseReleased(7, "released"),
    ]
    assert decide(View(EPOCH), Release(MINE, leases[:1], "done"), NOW) == [LeaseReleased(5, "done")]
    assert decide(View(EPOCH), Release(MINE, ()), NOW) == []


def test_one_lease_of_another_session_among_ones_own_releases_nothing() -> None:
    leases = (a_lease(5, "mine", "src"), a_lease(6, "theirs", "docs"))
    with pytest.raises(errors.NotHolder):
        decide(View(EPOCH), Release(MINE, leases), NOW)


# --- tokens that are dead ------------------------------------------------------------------------


def a_grant(
    session: str, *scope: str, kind: Kind = EXCLUSIVE, worktree: str = "tree-1"
) -> LeaseGranted:
    return LeaseGranted(session, None, kind, worktree, scope, HOUR, NOW, True, ())


RELEASED: Final = LeaseReleased(5, "released")
EXPIRED: Final = LeaseExpired(5, NOW - MINUTE)
OWN: Final = a_grant("mine", "src/api", "docs")


@pytest.mark.parametrize(
    ("ended", "later", "code"),
    [
        (RELEASED, [], "not_holder"),
        (None, [], "not_holder"),
        (EXPIRED, [], "lease_expired"),
        # A conflicting grant to another session kills a token, however the lease itself ended;
        # and whether the grant is live still is not even asked (P2).
        (EXPIRED, [a_grant("theirs", "src")], "stale_token"),
        (RELEASED, [a_grant("theirs", "src/api/x")], "stale_token"),
        (None, [a_grant("theirs", "docs/*.md")], "stale_token"),
        (
            EXPIRED,
            [a_grant("x", "lib"), a_grant("theirs", "src/*"), a_grant("x", "z")],
            "stale_token",
        ),
        (EXPIRED, [a_grant("theirs", "src", kind=LOCAL, worktree="tree-2")], "stale_token"),
        # Nothing else does: other scopes, and what one was granted oneself.
        (EXPIRED, [a_grant("theirs", "src/apis"), a_grant("theirs", "lib")], "lease_expired"),
        (EXPIRED, [a_grant("mine", "src/api")], "lease_expired"),
        (RELEASED, [a_grant("mine", "src/api")], "not_holder"),
    ],
)
def test_a_dead_token_is_told_why_it_is_dead(
    ended: Any, later: list[LeaseGranted], code: str
) -> None:
    grants = list(enumerate(later, 6))
    refusal = dead_token(EPOCH, MINE, Past(5, OWN, ended), grants)
    assert refusal.code == code
    assert refusal.values["token"] == f"{EPOCH}:5"
    assert refusal.values["scope"] == refusal.values["asked"] == ("src/api", "docs")
    if code == "stale_token":
        assert refusal.values["session"] == "theirs"
        assert refusal.values["witness"]
    if code == "lease_expired":
        assert refusal.values["expires_at"] == NOW - MINUTE


@pytest.mark.parametrize("ended", [RELEASED, EXPIRED, None])
@pytest.mark.parametrize("later", [[], [a_grant("mine", "src")], [a_grant("x", "src")]])
def test_a_token_of_another_session_is_never_spoken_of_as_ones_own(
    ended: Any, later: list[LeaseGranted]
) -> None:
    past = Past(5, OWN._replace(session="theirs"), ended)
    refusal = dead_token(EPOCH, MINE, past, list(enumerate(later, 6)))
    assert isinstance(refusal, errors.NotHolder)
    assert refusal.values["session"] == "mine"


def test_grants_that_git_merges_do_not_make_a_token_stale() -> None:
    local = a_grant("mine", "src", kind=LOCAL)
    beside = a_grant("theirs", "src", kind=LOCAL, worktree="tree-2")
    assert dead_token(EPOCH, MINE, Past(5, local, EXPIRED), [(6, beside)]).code == "lease_expired"
    here = beside._replace(worktree="tree-1")
    assert dead_token(EPOCH, MINE, Past(5, local, EXPIRED), [(6, here)]).code == "stale_token"


def test_grants_that_share_only_contended_paths_do_not_make_a_token_stale() -> None:
    there = a_grant("theirs", "src", "*.lock", worktree="tree-2")
    past = Past(5, a_grant("mine", "docs", "*.lock"), EXPIRED)
    contended = patterns("*.lock")
    assert dead_token(EPOCH, MINE, past, [(6, there)], contended).code == "lease_expired"
    assert dead_token(EPOCH, MINE, past, [(6, there)]).code == "stale_token"


# --- sessions ------------------------------------------------------------------------------------


def start(session: Session, known: Session | None) -> Changes:
    return decide(View(EPOCH), StartSession(session, known), NOW)


STARTED: Final = SessionStarted("mine", "agent-mine", "website", "tree-1", "0" * 64)
NEW: Final = a_session("mine", role="website")


def test_a_session_starts() -> None:
    assert start(NEW, None) == [STARTED]


def test_a_live_session_is_resumed_by_its_own_agent_in_its_own_tree() -> None:
    assert start(NEW._replace(secret_hash="1" * 64, started_at=NOW), NEW) == []


@pytest.mark.parametrize("change", [{"agent": "other"}, {"worktree": "tree-2"}])
def test_a_live_session_is_not_given_to_somebody_else(change: dict[str, str]) -> None:
    with pytest.raises(errors.SessionExists) as caught:
        start(NEW._replace(**change), NEW)  # type: ignore[arg-type]
    assert caught.value.values == {
        "session": "mine",
        "worktree": "tree-1",
        "agent": "agent-mine",
    }


def test_a_live_session_keeps_its_role_when_it_is_resumed() -> None:
    with pytest.raises(errors.RoleFixed) as caught:
        start(NEW._replace(role="ops"), NEW)
    assert caught.value.values == {"session": "mine", "role": "website", "wanted": "ops"}


@pytest.mark.parametrize(
    "change", [{}, {"agent": "other"}, {"worktree": "tree-2"}, {"role": "ops"}]
)
def test_an_ended_session_starts_again_under_its_id(change: dict[str, str]) -> None:
    known = NEW._replace(ended_at=NOW - HOUR)
    assert start(NEW._replace(**change), known) == [STARTED._replace(**change)]  # type: ignore[arg-type]


def test_with_a_session_end_its_leases_and_its_places_in_the_queue() -> None:
    leases = [
        a_lease(9, "mine", "src"),
        a_lease(4, "mine", "docs", expires_at=NOW),
        a_lease(6, "theirs", "lib"),
    ]
    waiters = [a_waiter(1, "theirs", "src"), a_waiter(2, "mine", "lib"), a_waiter(3, "mine", "x")]
    assert decide(View(EPOCH, leases, waiters), EndSession(MINE, "ended"), NOW) == [
        WaitEnded(2),
        WaitEnded(3),
        LeaseExpired(4, NOW),
        LeaseReleased(9, "session_ended"),
        SessionEnded("mine", "ended"),
    ]


def test_a_session_acts_as_another_role_once_told_so() -> None:
    change = ChangeRole(NEW, "ops", "asked", "terminal")
    assert decide(View(EPOCH), change, NOW) == [
        SessionRoleChanged("mine", "ops", "asked", "terminal")
    ]
    assert decide(View(EPOCH), change._replace(role="website"), NOW) == []


# --- attesting -----------------------------------------------------------------------------------


def a_commit(name: str, *paths: str, parents: int = 1) -> CommitFacts:
    return CommitFacts(name, f"tree-of-{name}", tuple("p" * parents), paths, f"hash-of-{name}")


def attest(*commits: CommitFacts, leases: list[Lease], exempt: tuple[str, ...] = ()) -> Changes:
    return decide(View(EPOCH, leases, (), a_policy(exempt=exempt)), Attest(MINE, commits), NOW)


def missing(
    *commits: CommitFacts, leases: list[Lease], exempt: tuple[str, ...] = ()
) -> list[Uncovered]:
    with pytest.raises(NotCovered) as caught:
        attest(*commits, leases=leases, exempt=exempt)
    return list(caught.value.missing)


def test_a_commit_over_held_paths_is_attested_with_what_covered_it() -> None:
    leases = [
        a_lease(5, "mine", "src/*.py", kind=LOCAL),
        a_lease(6, "mine", "docs", expires_at=NOW + 1),
        a_lease(7, "mine", "lib"),
    ]
    commit = a_commit("c1", "src/a.py", "docs/x/y.md", "src/b.py")
    assert attest(commit, leases=leases) == [
        CommitAttested(
            commit="c1",
            tree="tree-of-c1",
            parents=("p",),
            paths=3,
            paths_hash="hash-of-c1",
            cover=((5, NOW + LEFT), (6, NOW + 1)),
        )
    ]


def test_of_leases_over_one_path_the_one_that_lives_longest_covers_it() -> None:
    leases = [
        a_lease(5, "mine", "src"),
        a_lease(6, "mine", "src/**", expires_at=NOW + 2 * HOUR),
        a_lease(7, "mine", "**", expires_at=NOW + 2 * HOUR),
        a_lease(8, "mine", "src/a"),
    ]
    (attested,) = attest(a_commit("c1", "src/a"), leases=leases)
    assert isinstance(attested, CommitAttested)
    assert attested.cover == ((7, NOW + 2 * HOUR),)


@pytest.mark.parametrize("scope", ["**", "*/**", "src", "src/api", "src/api/*", "**/x.py", "*/*/*"])
def test_wherever_its_pattern_begins_a_lease_covers_what_it_means(scope: str) -> None:
    assert attest(a_commit("c1", "src/api/x.py"), leases=[a_lease(5, "mine", scope)])


@pytest.mark.parametrize(
    "lease",
    [
        a_lease(5, "mine", "src", expires_at=NOW),
        a_lease(5, "mine", "src", expires_at=NOW - HOUR),
        a_lease(5, "theirs", "src"),
        a_lease(5, "mine", "src", worktree="tree-2"),
        a_lease(5, "mine", "src/*"),
        a_lease(5, "mine", "sr"),
        a_lease(5, "mine", "srcs"),
    ],
    ids=["just expired", "expired", "another's", "another tree", "beside", "shorter", "longer"],
)
def test_only_a_live_lease_of_the_session_in_its_tree_covers(lease: Lease) -> None:
    assert missing(a_commit("c1", "src/api/x"), leases=[lease]) == [Uncovered("c1", "src/api/x")]


def test_a_lease_covers_until_its_expiry() -> None:
    assert attest(a_commit("c1", "src/x"), leases=[a_lease(5, "mine", "src", expires_at=NOW + 1)])


def test_all_paths_that_nothing_covers_are_named_at_once() -> None:
    commits = [a_commit("c1", "src/a", "b", "c"), a_commit("c2", "src/b"), a_commit("c3", "b")]
    assert missing(*commits, leases=[a_lease(5, "mine", "src")]) == [
        Uncovered("c1", "b"),
        Uncovered("c1", "c"),
        Uncovered("c3", "b"),
    ]


def test_many_commits_are_attested_together_or_not_at_all() -> None:
    leases = [a_lease(5, "mine", "src"), a_lease(6, "mine", "docs")]
    changes = attest(a_commit("c1", "src/a"), a_commit("c2", "docs/b"), leases=leases)
    assert [(c.commit, c.cover) for c in changes if isinstance(c, CommitAttested)] == [
        ("c1", ((5, NOW + LEFT),)),
        ("c2", ((6, NOW + LEFT),)),
    ]


def test_exempt_paths_need_no_lease_and_are_covered_by_none() -> None:
    commit = a_commit("c1", "docs/generated/x.html", "src/a")
    (attested,) = attest(commit, leases=[a_lease(5, "mine", "src")], exempt=("docs/generated/**",))
    assert isinstance(attested, CommitAttested)
    assert (attested.paths, attested.cover) == (2, ((5, NOW + LEFT),))
    assert missing(commit, leases=[], exempt=("docs/*",)) == [
        Uncovered("c1", "docs/generated/x.html"),
        Uncovered("c1", "src/a"),
    ]


@pytest.mark.parametrize(
    ("role", "path", "good"),
    [
        ("website", "site/a", True),
        ("website", "site/a/b", True),
        ("website", "R.md", True),
        ("website", "R.md/x", False),
        ("website", "ops/x", False),
        ("reviewer", "reviews/x", True),
        ("reviewer", "site/a", False),
        ("gone", "site/a", False),
        (None, "site/a", False),
    ],
)
def test_a_path_outside_the_lane_is_not_attested_whatever_the_lease_reaches(
    role: str | None, path: str, good: bool
) -> None:
    # As after a change of the configuration, or of a file into a folder.
    wide = [a_lease(5, "mine", "**", role=role)]
    command = Attest(a_session("mine", role=role), (a_commit("c1", path),))
    view = View(EPOCH, wide, (), ROLES)
    if good:
        assert len(decide(view, command, NOW)) == 1
        return
    with pytest.raises(errors.OutsideLane) as caught:
        decide(view, command, NOW)
    assert caught.value.values["role"] == role
    assert caught.value.values["witness"] == path


def test_a_commit_without_changes_needs_nothing() -> None:
    (attested,) = attest(a_commit("c1"), leases=[])
    assert isinstance(attested, CommitAttested)
    assert (attested.paths, attested.cover) == (0, ())


@pytest.mark.parametrize(("parents", "good"), [(0, True), (1, True), (2, True), (3, False)])
def test_a_merge_of_many_is_not_attested(parents: int, good: bool) -> None:
    leases = [a_lease(5, "mine", "src")]
    commits = (a_commit("c1", "src/a"), a_commit("c2", "src/a", parents=parents))
    if good:
        assert len(attest(*commits, leases=leases)) == 2
        return
    with pytest.raises(errors.UnsupportedCommit) as caught:
        attest(*commits, leases=leases)
    assert caught.value.values == {"commit": "c2", "parents": parents}


def test_nothing_to_attest_is_attested_by_nothing() -> None:
    assert attest(leases=[]) == []


# --- what the guard looks up ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("session", "worktree", "path", "now", "may"),
    [
        ("mine", "tree-1", "src/a", NOW, True),
        ("mine", "tree-1", "src", NOW, True),
        ("mine", "tree-1", "srcs", NOW, False),
        ("mine", "tree-2", "src/a", NOW, False),
        ("theirs", "tree-1", "src/a", NOW, False),
        ("mine", "tree-1", "src/a", NOW + LEFT - 1, True),
        ("mine", "tree-1", "src/a", NOW + LEFT, False),
    ],
)
def test_a_path_may_be_written_under_a_live_lease_in_its_tree(
    session: str, worktree: str, path: str, now: int, may: bool
) -> None:
    leases = [a_lease(4, "mine", "docs"), a_lease(5, "mine", "src")]
    assert writable(leases, session, worktree, path, now) is may


# --- purity --------------------------------------------------------------------------------------

scopes = st.lists(
    st.sampled_from(["a", "a/b", "a/*", "**", "b", "*/b", "b/**"]), min_size=1, max_size=2
)
sessions = st.sampled_from(["mine", "theirs", "x"])
kinds: st.SearchStrategy[Kind] = st.sampled_from(["exclusive", "local"])
trees = st.sampled_from(["tree-1", "tree-2"])
leases = st.builds(
    lambda token, session, scope, kind, tree, left: a_lease(
        token, session, *scope, kind=kind, worktree=tree, expires_at=NOW + left
    ),
    st.integers(1, 99),
    *(sessions, scopes, kinds, trees),
    st.sampled_from([-1, 0, 1, HOUR]),
)
waiters = st.builds(
    lambda ticket, session, scope, kind, tree, left: a_waiter(
        ticket, session, *scope, kind=kind, worktree=tree, until=NOW + left
    ),
    st.integers(1, 9),
    *(sessions, scopes, kinds, trees),
    st.sampled_from([-1, 0, 1, HOUR]),
)
views = st.builds(
    lambda leases, waiters, contended: View(
        EPOCH, tuple(leases), tuple(waiters), a_policy(contended=contended)
    ),
    st.lists(leases, max_size=4, unique_by=lambda lease: lease.token),
    st.lists(waiters, max_size=3, unique_by=lambda waiter: waiter.ticket),
    st.sampled_from([(), ("a/b",), ("*/b",)]),
)
claims = st.builds(
    lambda scope, kind, ticket, lasting: a_claim(
        "mine", *scope, kind=kind, ticket=ticket, lasting=lasting
    ),
    *(scopes, kinds),
    st.none() | st.integers(1, 9),
    st.booleans(),
)
paths = st.lists(st.sampled_from(["a/b", "b", "x/y"]), max_size=2)
looks = st.none() | st.sampled_from([Looked(), Looked(dirty=None)])
commands: st.SearchStrategy[Command] = st.one_of(
    claims,
    claims.map(Wait),
    st.builds(Renew, st.just(MINE), leases, st.sampled_from([0, SECOND, HOUR])),
    st.builds(
        Release, st.just(MINE), st.lists(leases, max_size=2).map(tuple), st.just("why"), looks
    ),
    st.builds(EndSession, st.just(MINE), st.just("ended"), looks),
    st.builds(
        Edit,
        *(st.just(MINE), paths.map(tuple), st.just(HOUR)),
        st.sampled_from(["file", "directory"]),
        st.none(),  # else it is made up from what the class says of itself
    ),
    st.builds(Edit, st.just(MINE), paths.map(tuple), st.just(HOUR), st.just("file"), looks),
    st.builds(Adopt, st.just(MINE), st.just(HOUR), st.just(Looked())),
    st.builds(StartSession, st.just(MINE), st.none() | st.just(MINE)),
    st.builds(ChangeRole, st.just(MINE), st.just("ops"), st.just(""), st.just("")),
    st.just(Attest(MINE, (a_commit("c1", "a/b", "b"),))),
)


def outcome(view: View, command: Command) -> Any:
    try:
        return decide(view, command, NOW)
    except errors.HandrailError as refusal:
        return type(refusal), refusal.values, refusal.next
    except NotCovered as gap:
        return gap.missing
    except NeedsFacts as lack:
        return lack.patterns


@given(views, commands)
def test_deciding_twice_gives_the_same_and_leaves_everything_as_it_was(
    view: View, command: Command
) -> None:
    before = copy.deepcopy((view, command))
    first = outcome(view, command)
    assert outcome(view, command) == first
    assert (view, command) == before


@given(views, claims)
def test_a_view_with_more_in_it_than_is_near_decides_the_same(view: View, claim: Claim) -> None:
    assume(all(pattern.anchor for pattern in claim.patterns))
    far = (a_lease(100, "far", "z"), a_lease(101, "mine", "y"), a_lease(102, "far", "x/*"))
    wider = view._replace(leases=(*view.leases, *far))
    assert outcome(wider, claim) == outcome(view, claim)


@given(views, claims)
def test_the_order_of_leases_decides_only_who_is_named(view: View, claim: Claim) -> None:
    def kind_of_outcome(view: View) -> Any:
        found = outcome(view, claim)
        if isinstance(found, list):
            return sorted(type(change).__name__ for change in found)
        return found[0]

    other = view._replace(leases=tuple(reversed(list(view.leases))))
    assert kind_of_outcome(other) == kind_of_outcome(view)


def test_every_command_has_a_rule() -> None:
    policy: Policy = a_policy()
    assert decide(View(EPOCH, policy=policy), Release(MINE, ()), NOW) == []
    with pytest.raises(KeyError):
        decide(View(EPOCH), "claim src", NOW)  # type: ignore[arg-type]
