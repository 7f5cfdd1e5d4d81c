"""Bugs to plant into the code: each breaks one rule of leases, and a seed is known that shows it.

A bug is a function that patches the code under test; its name says what goes wrong. Those of
handoffs, ledger and stores stand in ``more_bugs``; the seeds of both in ``planted``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pytest

from handrail import errors
from handrail.core import decide as rules
from handrail.core import lease as leases
from handrail.core.decide import (
    Attest,
    Changes,
    Claim,
    EndSession,
    NotCovered,
    Past,
    Release,
    Renew,
    View,
    claim,
    holding,
    wait,
)
from handrail.core.events import (
    CommitAttested,
    LeaseExpired,
    LeaseReleased,
    LeaseRenewed,
    SessionEnded,
    WaitEnded,
)
from handrail.core.lease import Kind, Lease, Session, Waiter
from handrail.core.scope import Overlap
from handrail.service import attestation, claims
from handrail.service import leases as held_leases
from handrail.store.clock import Timeline
from handrail.store.memory import MemoryReader
from tests.sim.world import CONTENDED

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
PLANTED: Final[dict[str, Plant]] = {}


def planted(plant: Plant) -> Plant:
    """Enter a bug into the table under its name."""
    PLANTED[plant.__name__.replace("_", " ")] = plant
    return plant


def wrap(patch: Patch, place: Any, name: str, change: Callable[..., Any]) -> None:
    """Put ``change(original, *arguments)`` in the place of a function."""
    original = getattr(place, name)
    patch.setattr(place, name, lambda *given, **named: change(original, *given, **named))


def wrap_rule(patch: Patch, command: type[Any], change: Callable[..., Any]) -> None:
    """Put ``change(original, view, command, now)`` in the place of a rule."""
    original = rules._RULES[command]
    patch.setitem(rules._RULES, command, lambda *given: change(original, *given))


def nothing(*given: object, **named: object) -> None:
    """Check nothing."""


# --- the table of conflicts, and scopes ----------------------------------------------------------


@planted
def a_local_claim_conflicts_with_nothing(patch: Patch) -> None:
    def blind(original: Any, held: Any, patterns: Any, kind: Kind, *rest: Any) -> Any:
        found = original(held, patterns, kind, *rest)
        return ("grant_and_tell", found[1]) if found and kind == "local" else found

    wrap(patch, claim, "conflict", blind)


@planted
def an_exclusive_lease_elsewhere_stops_no_local_claim(patch: Patch) -> None:
    patch.setitem(leases.CONFLICTS, ("exclusive", "local", False), "grant_and_tell")


@planted
def local_leases_exclude_each_other_across_trees(patch: Patch) -> None:
    patch.setitem(leases.CONFLICTS, ("local", "local", False), "refuse")


@planted
def local_leases_stand_beside_each_other_in_one_tree(patch: Patch) -> None:
    patch.setitem(leases.CONFLICTS, ("local", "local", True), "grant_and_tell")


@planted
def the_working_tree_does_not_count(patch: Patch) -> None:
    wrap(
        patch,
        leases,
        "answer",
        lambda original, **named: original(**{**named, "same_worktree": True}),
    )


@planted
def contended_paths_are_like_all_others(patch: Patch) -> None:
    wrap(patch, claim, "conflict", lambda original, *given: original(*given[:4]))


@planted
def contended_paths_conflict_with_nothing(patch: Patch) -> None:
    def blind(original: Any, *given: Any) -> Any:
        found = original(*given)
        contended = found and any(
            held.text in CONTENDED for held in (found[1].left, found[1].right)
        )
        return None if contended else found

    wrap(patch, claim, "conflict", blind)


@planted
def overlap_is_decided_by_the_beginning_alone(patch: Patch) -> None:
    def wider(original: Any, held: Any, patterns: Any, *rest: Any) -> Any:
        for one in held.patterns:
            for other in patterns:
                if one.is_literal and other.text.startswith(one.text[0]):
                    return "refuse", Overlap(one, other, other.text)
        return original(held, patterns, *rest)

    wrap(patch, claim, "conflict", wider)


@planted
def only_the_first_pattern_is_compared(patch: Patch) -> None:
    def narrower(original: Any, held: Any, patterns: Any, *rest: Any) -> Any:
        return original(held, patterns[:1], *rest)

    wrap(patch, claim, "conflict", narrower)


@planted
def globs_never_meet(patch: Patch) -> None:
    def literal(original: Any, left: Any, right: Any, *rest: Any) -> Any:
        return original(
            [pattern for pattern in left if pattern.is_literal],
            [pattern for pattern in right if pattern.is_literal],
            *rest,
        )

    wrap(patch, leases, "overlap", literal)
    wrap(patch, leases, "overlap_outside", literal)


@planted
def a_witness_lies_in_one_scope_only(patch: Patch) -> None:
    def wrong(original: Any, *given: Any) -> Any:
        found = original(*given)
        return found and (found[0], found[1]._replace(witness=found[1].witness + "x"))

    wrap(patch, claim, "conflict", wrong)


@planted
def case_is_not_folded(patch: Patch) -> None:
    wrap(patch, claims, "parse_scope", lambda original, texts, fold_case: original(texts))


@planted
def ones_own_leases_stand_in_ones_way(patch: Patch) -> None:
    def strict(original: Any, view: View, asked: Claim, now: int) -> Changes:
        strange = [one._replace(session=f"{one.session}'") for one in view.leases]
        return list(original(view._replace(leases=strange), asked, now))

    wrap_rule(patch, Claim, strict)


@planted
def a_refusal_names_somebody_else(patch: Patch) -> None:
    def wrong(original: Any, epoch: str, lease: Lease, *rest: Any) -> Any:
        return original(epoch, lease._replace(session="s0.1"), *rest)

    wrap(patch, claim, "_held", wrong)


# --- time ----------------------------------------------------------------------------------------


@planted
def a_lease_binds_a_millisecond_too_long(patch: Patch) -> None:
    patch.setattr(Lease, "live", lambda self, now: now <= self.expires_at)


@planted
def a_lease_binds_a_millisecond_too_short(patch: Patch) -> None:
    patch.setattr(Lease, "live", lambda self, now: now + 1 < self.expires_at)


@planted
def a_renewal_revives_an_expired_lease(patch: Patch) -> None:
    def reviving(original: Any, view: View, renew: Renew, now: int) -> Changes:
        try:
            return list(original(view, renew, now))
        except errors.LeaseExpired:
            return [LeaseRenewed(renew.lease.token, now + renew.ttl_ms)]

    wrap_rule(patch, Renew, reviving)


@planted
def a_claim_revives_an_expired_lease(patch: Patch) -> None:
    def reviving(original: Any, view: View, asked: Claim, now: int) -> Changes:
        near = list(view.leases)
        for lease in near:
            own = lease.session == asked.session.id and lease.patterns == asked.patterns
            if own and lease.kind == asked.kind == "exclusive":
                return [LeaseRenewed(lease.token, max(lease.expires_at, now + asked.ttl_ms))]
        return list(original(view._replace(leases=near), asked, now))

    wrap_rule(patch, Claim, reviving)


@planted
def a_renewal_shortens_a_lease(patch: Patch) -> None:
    wrap(patch, holding, "renewed_expiry", lambda _, lease, ttl_ms, now: now + ttl_ms)


@planted
def any_time_to_live_is_taken(patch: Patch) -> None:
    patch.setattr(claim, "check_ttl", lambda ttl_ms: ttl_ms)


@planted
def a_holder_trusts_its_lease_to_the_end(patch: Patch) -> None:
    patch.setattr(claims, "trusted_until", lambda asked_at, ttl_ms, expires_at: expires_at)


@planted
def trust_counts_from_the_answer_on(patch: Patch) -> None:
    patch.setattr(claims.Claims, "asked_at", lambda self, tx, started: tx.now)


@planted
def store_time_follows_the_wall(patch: Patch) -> None:
    patch.setattr(Timeline, "now", lambda self, reading, last: max(reading[2], last))


@planted
def store_time_goes_back_at_a_reboot(patch: Patch) -> None:
    def back(self: Timeline, reading: Any, last: int) -> int:
        boot, since_boot, wall = reading
        return self.offset_ms + int(since_boot) if boot == self.boot else int(wall)

    patch.setattr(Timeline, "now", back)


# --- grants --------------------------------------------------------------------------------------


@planted
def what_one_holds_is_granted_anew(patch: Patch) -> None:
    patch.setattr(claim, "_holder_of", nothing)


@planted
def a_local_lease_does_for_an_exclusive_claim(patch: Patch) -> None:
    wrap(
        patch,
        claim,
        "_holder_of",
        lambda original, lease, asked, _: original(lease, asked, "local"),
    )


@planted
def a_lease_over_a_part_does_for_the_whole(patch: Patch) -> None:
    def lax(original: Any, lease: Lease, asked: Claim, kind: Kind) -> Any:
        return original(lease, asked._replace(patterns=asked.patterns[:1]), kind)

    wrap(patch, claim, "_holder_of", lax)


@planted
def an_expired_lease_is_not_recorded_before_the_grant(patch: Patch) -> None:
    def silent(original: Any, *given: Any) -> Changes:
        return [change for change in original(*given) if not isinstance(change, LeaseExpired)]

    wrap_rule(patch, Claim, silent)


@planted
def near_drops_leases_above(patch: Patch) -> None:
    def lossy(original: Any, self: MemoryReader, patterns: Any) -> Iterator[Lease]:
        anchors = {pattern.anchor for pattern in patterns}
        for lease in original(self, patterns):
            if anchors & {pattern.anchor for pattern in lease.patterns}:
                yield lease

    wrap(patch, MemoryReader, "near", lossy)


@planted
def near_drops_leases_that_begin_with_a_wildcard(patch: Patch) -> None:
    def lossy(original: Any, self: MemoryReader, patterns: Any) -> Iterator[Lease]:
        return (lease for lease in original(self, patterns) if lease.patterns[0].anchor)

    wrap(patch, MemoryReader, "near", lossy)


@planted
def nobody_looks_at_the_lane(patch: Patch) -> None:
    patch.setattr(claim, "check_role", nothing)


@planted
def a_lane_that_is_touched_will_do(patch: Patch) -> None:
    def lax(original: Any, *given: Any) -> None:
        with suppress(errors.OutsideLane):
            original(*given)

    wrap(patch, claim, "check_role", lax)


# --- the queue -----------------------------------------------------------------------------------


@planted
def those_who_wait_are_overtaken(patch: Patch) -> None:
    patch.setattr(claim, "_check_turn", nothing)


@planted
def the_queue_is_served_from_its_end(patch: Patch) -> None:
    def turned(original: Any, view: View, asked: Claim, *rest: Any) -> None:
        last = max((waiter.ticket for waiter in view.waiters), default=0)
        around = tuple(w._replace(ticket=last + 1 - w.ticket) for w in view.waiters)
        place = None if asked.ticket is None else last + 1 - asked.ticket
        original(view._replace(waiters=around), asked._replace(ticket=place), *rest)

    wrap(patch, claim, "_check_turn", turned)


@planted
def a_place_in_the_queue_never_lapses(patch: Patch) -> None:
    def kept(original: Any, view: View, *rest: Any) -> None:
        there = tuple(waiter._replace(until=2**60) for waiter in view.waiters)
        original(view._replace(waiters=there), *rest)

    wrap(patch, claim, "_check_turn", kept)


@planted
def circles_of_waiting_are_not_seen(patch: Patch) -> None:
    patch.setattr(wait, "_check_deadlock", nothing)


@planted
def a_served_claim_stays_in_the_queue(patch: Patch) -> None:
    patch.setattr(claim, "_served", lambda asked: [])


@planted
def whoever_waits_is_forgotten_at_a_release(patch: Patch) -> None:
    def forgetting(original: Any, view: View, release: Release, now: int) -> Changes:
        changes = list(original(view, release, now))
        return [*changes, *(WaitEnded(ticket) for ticket in range(1, 200))]

    wrap_rule(patch, Release, forgetting)


@planted
def a_place_is_counted_from_the_end(patch: Patch) -> None:
    def turned(self: MemoryReader) -> list[Waiter]:
        known = self.data.state.waiters
        last = max(known, default=0)
        return [known[t]._replace(ticket=last + 1 - t) for t in sorted(known, reverse=True)]

    patch.setattr(MemoryReader, "waiters", turned)


# --- tokens and commits --------------------------------------------------------------------------


@planted
def anybody_may_use_any_token(patch: Patch) -> None:
    patch.setattr(holding, "_check_holder", nothing)


@planted
def a_fenced_token_is_only_called_expired(patch: Patch) -> None:
    def mild(original: Any, epoch: str, session: Session, past: Past, *rest: Any) -> Any:
        return original(epoch, session, past, [])

    wrap(patch, held_leases, "dead_token", mild)


@planted
def a_release_hides_that_a_token_is_fenced(patch: Patch) -> None:
    def mild(
        original: Any, epoch: str, session: Session, past: Past, later: Any, *rest: Any
    ) -> Any:
        hidden = isinstance(past.ended, LeaseReleased)
        return original(epoch, session, past, [] if hidden else later, *rest)

    wrap(patch, held_leases, "dead_token", mild)


@planted
def the_epoch_of_a_token_is_ignored(patch: Patch) -> None:
    wrap(patch, held_leases, "parse_token", lambda original, text: ("sim", original(text)[1]))


@planted
def releasing_what_ran_out_calls_it_released(patch: Patch) -> None:
    def lax(original: Any, view: View, release: Release, now: int) -> Changes:
        changes = original(view, release, now)
        return [
            LeaseReleased(one.token, "released") if isinstance(one, LeaseExpired) else one
            for one in changes
        ]

    wrap_rule(patch, Release, lax)


@planted
def the_end_of_a_session_leaves_its_leases(patch: Patch) -> None:
    def lax(original: Any, *given: Any) -> Changes:
        return [change for change in original(*given) if isinstance(change, SessionEnded)]

    wrap_rule(patch, EndSession, lax)


@planted
def a_commit_is_attested_after_the_expiry(patch: Patch) -> None:
    def late(original: Any, view: View, command: Attest, now: int) -> Changes:
        return list(original(view, command, now - 30_000))

    wrap_rule(patch, Attest, late)


@planted
def a_commit_is_attested_under_anybodys_lease(patch: Patch) -> None:
    def lax(original: Any, self: MemoryReader, session: str | None = None) -> list[Lease]:
        every = original(self)
        return [one._replace(session=session or one.session) for one in every]

    wrap(patch, MemoryReader, "leases", lax)


@planted
def a_commit_is_attested_if_part_of_it_is_covered(patch: Patch) -> None:
    def lax(original: Any, view: View, command: Attest, now: int) -> Changes:
        if not command.commits:
            return list(original(view, command, now))
        (facts,) = command.commits
        try:
            return list(original(view, command, now))
        except NotCovered as gaps:
            if len(gaps.missing) == len(facts.paths):
                raise
            return [CommitAttested(facts.commit, "t", ("p",), 0, "h", ())]

    wrap_rule(patch, Attest, lax)


@planted
def a_commit_may_undo_what_somebody_landed(patch: Patch) -> None:
    patch.setattr(attestation.Attestation, "_overtaken", lambda *given: ())


@planted
def an_attestation_is_repeated(patch: Patch) -> None:
    patch.setattr(MemoryReader, "attestation", nothing)
