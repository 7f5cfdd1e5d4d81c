"""What an agent can ask for: through the use cases of the service, judged by the books.

Each call is what a command does after it was parsed: the method of the service, with the agent's
own surroundings. An answer becomes plain values; every refusal is one of Handrail's own errors,
and any other exception breaks a promise by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from handrail import errors
from handrail.core.ledger import parse_token
from handrail.service.answering import Accepted
from handrail.service.attestation import Attestation
from handrail.service.claims import Asked as AskedFor
from handrail.service.claims import Granted
from handrail.service.context import Context
from handrail.service.handoffs import Handoffs, Offering
from handrail.service.leases import Leases
from handrail.service.readings import Readings
from handrail.service.sessions import Sessions
from handrail.service.tasks import Tasks
from tests.sim.books import SECOND, TTL_MOST, Asked
from tests.sim.chain import Seen, Violation
from tests.sim.packets import BLOCK_LAPSE_MS, ENDS, Moved, Task
from tests.sim.reading import CLAIMED, READ, Readers
from tests.sim.universe import PLACES, mask

if TYPE_CHECKING:
    from tests.sim.outside import Commit

Answer = dict[str, Any]


@dataclass
class Call:
    """One thing that an agent asks for; a repetition is the same call."""

    number: int
    op: str
    session: str
    tree: str
    role: str | None
    sent: int
    request: str | None = None
    asked: Asked | None = None
    said: tuple[str, ...] = ()
    token: str = ""
    seq: int = 0
    ttl: int = 0
    task: str = ""
    to_role: str | None = None
    kind: str = "complete"
    scope: tuple[str, ...] = ()
    commit: Commit | None = None
    paths: tuple[str, ...] = ()
    ticket: int | None = None
    placed: Callable[[Answer, int | None], None] = lambda answer, ticket: None
    dwell: int = 0
    tries: int = 0

    def __str__(self) -> str:
        told = {
            **({"scope": self.said, "kind": self.asked.kind} if self.asked else {}),
            **({"token": self.token} if self.token else {}),
            **({"task": self.task, "scope": self.scope} if self.task else {}),
            **({"commit": self.commit} if self.commit else {}),
            **({"paths": self.paths} if self.paths else {}),
            **({"ttl": self.ttl} if self.ttl else {}),
            **({"ticket": self.ticket} if self.ticket else {}),
            **({"request": self.request} if self.request else {}),
        }
        return f"#{self.number} {self.session} {self.op} " + " ".join(
            f"{name}={value}" for name, value in told.items()
        )


class Checker(Readers):
    """The books, and what became of requests and commits."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.tasks = {}
        self.papers, self.reading, self.receipts = {}, {}, []
        self.requests: dict[str, tuple[str, int | str]] = {}
        self.attested: dict[str, tuple[int, str, Commit, list[int]]] = {}
        self.begun: dict[str, int] = {}
        self.question: Callable[[], str] | None = None
        self.expected = ""
        self.before: list[str] = []
        self.held_up = False
        self.expiry_of: Callable[[int], int] = lambda token: 0
        self.asked_at: tuple[int, int] | None = None
        self.fresh: list[Seen] = []
        self.predicted: tuple[list[int], Moved] = ([], [])

    def begin(self, now: int) -> None:
        """Say what the rules will answer in the transaction that begins; the last one counts."""
        self.now = now
        at = (now, self.chain.seq)
        if self.question is not None and at != self.asked_at:
            self.before.append(self.expected)
            self.expected, self.asked_at = self.question(), at

    def commit_of(self, seen: Seen, commit: Commit) -> None:
        """Remember an attestation."""
        tokens = [token for token, _ in seen.payload["cover"]]
        self.attested[commit.id] = (seen.seq, seen.session or "", commit, tokens)

    def request_of(self, call: Call) -> str | None:
        """Say what becomes of a request whose id was used before."""
        known = self.requests.get(call.request or "")
        if known is None or not self.is_live(call.session):
            return None
        return "repeated" if known[0] == digest_of(call) else "usage"


Question = Callable[[Checker, Call], str]
Run = Callable[[Context, Call], Answer]
Judge = Callable[[Checker, Call, str, Answer, Sequence[Seen]], None]


@dataclass(frozen=True)
class Op:
    """How something is asked, run and judged; ``also`` are codes that say the same as others."""

    ask: Question
    run: Run
    judge: Judge
    also: dict[str, tuple[str, ...]] = field(default_factory=dict)


# --- claims --------------------------------------------------------------------------------------


def digest_of(call: Call) -> str:
    """Return what a request asks: the same id with another digest is a mistake.

    To wait for a scope is to claim it, too.
    """
    return repr(
        (
            "claim" if call.op == "wait" else call.op,
            call.said,
            call.ttl,
            call.asked and call.asked.kind,
            call.session,
            call.task,
            call.scope,
            call.to_role,
            call.kind,
        )
    )


def ask_claim(checker: Checker, call: Call) -> str:
    assert call.asked is not None
    return checker.request_of(call) or checker.expected_of(call.asked)


def _asked(call: Call) -> AskedFor:
    assert call.asked is not None
    return AskedFor(call.said, call.asked.ttl, None, call.asked.kind == "local", call.request)


def granted(done: Granted) -> Answer:
    """Return a lease in plain values."""
    return {
        "code": "renewed" if done.renewed else "granted",
        "token": parse_token(done.token)[1],
        "expires": done.expires_at,
        "trusted": done.trusted_until,
        "scope": done.scope,
        "beside": [parse_token(text)[1] for text in done.beside],
    }


def run_claim(context: Context, call: Call) -> Answer:
    return granted(Leases(context).claim(_asked(call)))


def run_wait(context: Context, call: Call) -> Answer:
    """Do what ``claim --wait`` does between two looks at the queue."""
    claims = Leases(context)
    started = context.outside.monotonic_ms()
    ticket = call.ticket
    try:
        while True:
            attempt = partial(claims._attempt, _asked(call), ticket, started)
            done = claims._with_facts(attempt)
            if isinstance(done, Granted):
                return granted(done)
            behind = refusal(done.refusal)
            place: Answer = {"code": "waiting", "ticket": done.ticket, "place": done.place}
            call.placed({**place, "behind": behind}, ticket)
            ticket = done.ticket
            if not claims._reclaimed(done.refusal):
                return {**place, "behind": behind}
    except (errors.Refused, errors.Malformed):
        if ticket is not None:
            claims._leave_queue(ticket)
        raise


def ask_wait(checker: Checker, call: Call) -> str:
    assert call.asked is not None
    expected = ask_claim(checker, call)
    if expected in ("scope_held", "scope_awaited", "unanchored_limit"):
        return "waiting"
    return expected


def judge_place(checker: Checker, call: Call, answer: Answer, ticket: int | None) -> None:
    """Judge a place in the queue as soon as it was taken or kept, and the refusal behind it."""
    assert call.asked is not None
    asked, held = call.asked._replace(ticket=ticket), answer["behind"]
    if not (held["code"] == checker.expected_of(asked)):
        raise Violation(f"{call} waits for {held}")
    checker.judge_claim(asked, held, ())
    checker.judge_wait(asked, answer)
    call.asked = asked._replace(ticket=answer["ticket"])


def judge_claim(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    assert call.asked is not None
    code = answer["code"]
    if expected == "repeated":
        first = checker.requests[call.request or ""][1]
        if not (answer["token"] == first):
            raise Violation(f"{call} led to {answer}, at first to {first}")
        _judge_trust(checker, call, answer, repeated=True)
        return
    if code == "waiting":
        return  # judged when it took its place
    if code == "would_deadlock":
        checker.judge_wait(call.asked, answer)
    if call.op == "wait" and code not in ("granted", "renewed"):
        checker.leave_queue(call.asked.ticket)
    checker.judge_claim(call.asked, answer, fresh)
    if code in ("granted", "renewed"):
        _judge_trust(checker, call, answer)
        if code == "granted" and call.request is not None:
            checker.requests[call.request] = (digest_of(call), answer["token"])


def _judge_trust(checker: Checker, call: Call, answer: Answer, *, repeated: bool = False) -> None:
    """Judge until when a lease is trusted: to a margin before its end, from before it was asked."""
    held = checker.held[answer["token"]]
    ttl = held.ttl if repeated else call.ttl
    margin = min(30 * SECOND, ttl // 3)
    end = held.expires if held.ended is None else min(held.ended_at, held.expires)
    good = answer["trusted"] <= max(end - margin, checker.now if repeated else 0)
    if not good:
        raise Violation(f"{call}: trusted until {answer['trusted']}, but {held}")
    if not repeated:
        exact = min(checker.now - call.dwell + ttl, held.expires) - margin
        if not (answer["trusted"] == exact):
            raise Violation(f"{call}: {answer} instead of {exact}")


def ask_leave(checker: Checker, call: Call) -> str:
    return "left"


def run_leave(context: Context, call: Call) -> Answer:
    assert call.ticket is not None
    Leases(context)._leave_queue(call.ticket)
    return {"code": "left"}


def judge_leave(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if checker.is_live(call.session):
        checker.leave_queue(call.ticket)


# --- tokens --------------------------------------------------------------------------------------


def ask_renew(checker: Checker, call: Call) -> str:
    if not checker.is_live(call.session):
        return "unknown_session"
    if not SECOND <= call.ttl <= TTL_MOST:
        return "malformed_ttl"
    if not call.token.startswith(checker.chain.epoch + ":"):
        return "foreign_epoch"
    fate = checker.fate_of(call.session, call.seq)
    return "renewed" if fate == "live" else fate


def run_renew(context: Context, call: Call) -> Answer:
    (done,) = Leases(context).renew([call.token], call.ttl)
    return granted(done)


def judge_renew(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if expected == "renewed":
        held = checker.held[call.seq]
        if not (answer["token"] == call.seq):
            raise Violation(f"{call} renewed {answer}")
        checker.renewed(held, call.ttl, answer["expires"])
        _judge_trust(checker, call, answer)


def ask_release(checker: Checker, call: Call) -> str:
    if not checker.is_live(call.session):
        return "unknown_session"
    if not call.token.startswith(checker.chain.epoch + ":"):
        return "foreign_epoch"
    fate = checker.fate_of(call.session, call.seq)
    # What has run out, or was fenced after it had, is gone; that is no error.
    return {"live": "released", "lease_expired": "gone", "stale_token": "gone"}.get(fate, fate)


def run_release(context: Context, call: Call) -> Answer:
    done = Leases(context).release([call.token])
    tokens = [lease.token for lease in done.released]
    return {"code": "released" if tokens else "gone", "tokens": tokens, "gone": done.gone}


def judge_release(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if expected == "released":
        held = checker.held[call.seq]
        if not (held.ended == "released"):
            raise Violation(f"{call} was answered {answer}: {held}")
    if expected == "gone" and not (call.seq not in checker.open):
        raise Violation(f"{call} left {checker.open.get(call.seq)}")
    ended = [seen.payload["token"] for seen in fresh if seen.kind.startswith("lease.")]
    if not (set(ended) <= {call.seq}):
        raise Violation(f"{call} ended {ended}")


# --- sessions ------------------------------------------------------------------------------------


def ask_start(checker: Checker, call: Call) -> str:
    return "resumed" if checker.is_live(call.session) else "started"


def run_start(context: Context, call: Call) -> Answer:
    agent = f"agent-{call.session.partition('.')[0]}"
    done = Sessions(context).start(id=call.session, agent=agent, role=call.role)
    return {"code": "resumed" if done.resumed else "started", "left": done.unread}


def judge_start(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    found = checker.sessions.get(call.session)
    if not (found == (call.tree, call.role, True)):
        raise Violation(f"{call} led to {found}")
    if expected == "started":
        asks = bool(checker.charter.reading.get(call.role or ""))
        kinds = [seen.kind for seen in fresh]
        if kinds != ["session.started", "reading.asked"][: 1 + asks]:
            raise Violation(f"{call} led to {kinds}")
        checker.begun[call.session] = fresh[0].seq


def ask_end(checker: Checker, call: Call) -> str:
    return "ended" if checker.is_live(call.session) else "unknown_session"


def run_end(context: Context, call: Call) -> Answer:
    done = Sessions(context).end()
    return {"code": "ended", "released": done.released}


def judge_end(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if expected == "ended":
        if checker.is_live(call.session):
            raise Violation(f"{call} left {call.session} live")
        ended = [s.payload["token"] for s in fresh if s.kind == "lease.released"]
        if not (sorted(answer["released"]) == ended):
            raise Violation(f"{answer} instead of {ended}")


# --- commits -------------------------------------------------------------------------------------


def ask_attest(checker: Checker, call: Call) -> str:
    """Say what attesting leads to: commits that stand are named, gaps and what is stale refused."""
    assert call.commit is not None
    if not checker.is_live(call.session):
        return "unknown_session"
    if call.commit.id in checker.attested:
        return "before"
    guarded = any(not checker.exempt >> PLACES[path] & 1 for path in call.commit.paths)
    if guarded and not checker.free_to_write(call.session):
        return "reading_required"
    if gaps_of(checker, call):
        return "not_covered"
    return "stale_bytes" if _overtaken(checker, call) else "attested"


def gaps_of(checker: Checker, call: Call) -> list[str]:
    """List the paths of a commit that no live lease of its session covers."""
    assert call.commit is not None
    return [
        path
        for path in call.commit.paths
        if not checker.exempt >> PLACES[path] & 1
        and not checker.covering(call.session, call.tree, path)
    ]


def _overtaken(checker: Checker, call: Call) -> bool:
    """Tell whether somebody landed a path meanwhile, under what excludes the lease over it now."""
    assert call.commit is not None
    begun = checker.begun.get(call.session, 0)
    for seq, session, other, tokens in checker.attested.values():
        if session == call.session or seq <= begun or other.id in call.commit.knows:
            continue
        for path in set(call.commit.paths) & set(other.paths):
            for held in checker.covering(call.session, call.tree, path):
                for token in tokens:
                    theirs = checker.held[token]
                    if checker.meet(theirs, held.mask, held.kind, held.tree) == "exclude":
                        return True
    return False


def run_attest(context: Context, call: Call) -> Answer:
    assert call.commit is not None
    done = Attestation(context).attest(call.commit.id)
    return {"code": "attested" if done.commits else "before"}


def judge_attest(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    assert call.commit is not None
    if expected == "attested":
        seen = fresh[-1]
        named = (seen.kind, seen.payload.get("commit"))
        if not (named == ("commit.attested", call.commit.id)):
            raise Violation(f"{call} led to {seen}")
        covers = 0
        for token, _ in seen.payload["cover"]:
            held = checker.held[token]
            if not (held.tree == call.tree):
                raise Violation(f"{call} is covered by {held}")
            covers |= held.mask
        bare = [
            path for path in call.commit.paths if not (covers | checker.exempt) >> PLACES[path] & 1
        ]
        if bare:
            raise Violation(f"{call}: {seen.payload['cover']} does not cover {bare}")
        checker.commit_of(seen, call.commit)
    elif expected == "not_covered":
        _judge_reason(checker, call, answer)


def _judge_reason(checker: Checker, call: Call, answer: Answer) -> None:
    """Judge why a commit is not covered: for its first gap there is a reason that holds."""
    gaps = gaps_of(checker, call)
    told = list(answer["paths"])
    if not (told == gaps):
        raise Violation(f"{call}: {told} instead of {gaps}")
    place, code = PLACES[gaps[0]], answer["code"]
    if code == "scope_held":
        held = checker.open.get(answer["token"])
        if held is None or held.session == call.session or not held.mask >> place & 1:
            raise Violation(f"{answer} names {held}")
        if checker.now >= held.expires:
            raise Violation(f"{answer} names {held}, which has run out")
    elif code in ("stale_token", "lease_expired"):
        own = checker.held.get(answer["token"])
        good = own is not None and own.session == call.session and own.mask >> place & 1
        if not good:
            raise Violation(f"{answer} is no token of {call.session} over {gaps[0]}")
        assert own is not None
        if code == "stale_token" and not checker.later_conflict(own):
            raise Violation(f"{answer}: nothing came after {own}")


# --- reading -------------------------------------------------------------------------------------


def ask_read(checker: Checker, call: Call) -> str:
    return checker.expected_read(call.session, call.paths)


def run_read(context: Context, call: Call) -> Answer:
    done = Readings(context).saw(call.paths, READ)
    return {"code": "read", "left": [row.path for row in done.left]}


def judge_read(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if expected != "read":
        return
    told = [path for seen in fresh for path, _, _ in seen.payload["receipts"]]
    if told != checker.receipts and not checker.held_up:
        raise Violation(f"reading: {call} led to receipts for {told}, not {checker.receipts}")
    if answer["left"] != checker.left(call.session):
        raise Violation(f"reading: {answer}, and {checker.left(call.session)} is left")


def ask_vow(checker: Checker, call: Call) -> str:
    return checker.expected_vow(call.session, call.paths)


def run_vow(context: Context, call: Call) -> Answer:
    done = Readings(context).claim(call.paths)
    return {"code": "vowed", "left": [row.path for row in done.standing.left]}


def judge_vow(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if expected != "vowed":
        return
    if any(seen.payload["how"] != CLAIMED for seen in fresh):
        raise Violation(f"reading: {call} led to {fresh}")
    if set(call.paths) & set(checker.left(call.session)):
        raise Violation(f"reading: {call} left {checker.left(call.session)}")


# --- tasks and packets ---------------------------------------------------------------------------


def ask_open(checker: Checker, call: Call) -> str:
    return checker.expected_open(call.session, call.task)


def run_open(context: Context, call: Call) -> Answer:
    Tasks(context).open(call.task, "A task", call.to_role)
    return {"code": "opened"}


def judge_open(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if expected == "opened":
        packet = checker.tasks[call.task].newest
        found = (packet.number, packet.to_role, packet.giver, packet.lapses)
        wanted = (1, call.to_role, "", checker.now + checker.charter.lapse)
        if not (found == wanted):
            raise Violation(f"{call} led to {packet}")


def ask_offer(checker: Checker, call: Call) -> str:
    again = checker.request_of(call)
    expected = again or checker.expected_offer(call.session, call.task, call.scope)
    if expected == "offered":
        task = checker.tasks[call.task]
        checker.predicted = checker.moved_by_offer(task, call.session, call.scope)
    return expected


class _Files:
    """Where packets would be written to."""

    def write(self, name: str, content: bytes) -> str | None:
        return name


def run_offer(context: Context, call: Call) -> Answer:
    asked = Offering(
        message="What was done, what is left, and what to look at first.",
        task=call.task,
        to_role=call.to_role,
        kind=call.kind,
        scope=call.scope,
        request_id=call.request,
    )
    done = Handoffs(context, _Files()).offer(asked)
    return {"code": "offered", "number": done.packet.number, "state": done.packet.state}


def judge_offer(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if expected == "repeated":
        first = checker.requests[call.request or ""][1]
        if not (answer["number"] == first):
            raise Violation(f"P3: {call}: {answer}, at first {first}")
    elif expected == "offered":
        packet = checker.tasks[call.task].newest
        lapse = checker.charter.lapse
        lapse = min(lapse, BLOCK_LAPSE_MS) if call.kind == "block" else lapse
        found = (packet.giver, packet.to_role, packet.kind, mask(packet.scope), packet.lapses)
        wanted = (call.session, call.to_role, call.kind, mask(call.scope), checker.now + lapse)
        if not (found == wanted):
            raise Violation(f"{call} led to {packet}")
        if not (answer["number"] == packet.number):
            raise Violation(f"P3: {answer} is not {packet}")
        checker.judge_moves(checker.predicted, fresh)
        _remember(checker, call, packet.number)
    elif expected == "scope_held":
        task = checker.tasks[call.task]
        asked = checker.as_reserved(task, call.session, call.scope)
        named = checker.open.get(answer["token"])
        if named not in checker.holders(asked):
            raise Violation(f"{answer} names no holder of {call}")


def _remember(checker: Checker, call: Call, outcome: int | str) -> None:
    if call.request is not None:
        checker.requests[call.request] = (digest_of(call), outcome)


def ask_accept(checker: Checker, call: Call) -> str:
    again = checker.request_of(call)
    expected = again or checker.expected_accept(call.session, call.task)
    if expected in ("accepted", "taken"):
        task = checker.tasks[call.task]
        checker.predicted = checker.moved_by_accept(task, call.session)
    return expected


def run_accept(context: Context, call: Call) -> Answer:
    done = Handoffs(context, _Files()).accept(call.task, None, call.request)
    return accepted(done)


def accepted(done: Accepted) -> Answer:
    """Return an acceptance in plain values."""
    code = "taken" if done.packet is None else "accepted"
    number = done.task.number if done.packet is None else done.packet.number
    answer: Answer = {"code": code, "number": number}
    if done.lease is not None:
        answer.update(token=done.lease.token, expires=done.lease.expires_at)
    return answer


def judge_accept(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if expected == "repeated":
        first = checker.requests[call.request or ""][1]
        number = answer["number"] if answer["code"] == "accepted" else "taken"
        if not (number == first or first == "taken"):
            raise Violation(f"P3: {call}: {answer}, not {first}")
    elif expected in ("accepted", "taken"):
        checker.judge_moves(checker.predicted, fresh)
        task = checker.tasks[call.task]
        if not (task.holder == call.session):
            raise Violation(f"{call} left {task}")
        # What its receiver may not hold stays with the task, by a grant of its own.
        grants = [s.payload["session"] for s in fresh if s.kind == "lease.granted"]
        if call.session not in grants:
            _enter_renewal(checker, call, task)
        outcome = task.newest.number if expected == "accepted" else "taken"
        _remember(checker, call, outcome)
    elif expected == "scope_held":
        named = checker.open.get(answer["token"])
        if named not in checker.in_the_way(checker.tasks[call.task], call.session):
            raise Violation(f"{answer} names nobody in the way of {call}")


def _enter_renewal(checker: Checker, call: Call, task: Task) -> None:
    """Enter that an acceptance renewed what its receiver holds, if that gives it all already."""
    scope = checker.in_lane(task.newest.scope, call.role)
    asked = Asked(call.session, call.tree, call.role, scope, "exclusive", 0)
    own = checker.own_that_do(asked) if scope else []
    for held in own:
        expires = checker.expiry_of(held.token)
        if expires != held.expires:
            checker.renewed(held, checker.charter.ttl, expires)


def _ask_settle(how: str) -> Question:
    def ask(checker: Checker, call: Call) -> str:
        again = checker.request_of(call)
        expected = again or checker.expected_settle(call.session, call.task, how)
        if expected == how:
            task = checker.tasks[call.task]
            checker.predicted = checker.moved_back(task, task.newest.scope)
        return expected

    return ask


def run_decline(context: Context, call: Call) -> Answer:
    Handoffs(context, _Files()).decline(call.task, "not now", call.request)
    return {"code": "declined"}


def run_withdraw(context: Context, call: Call) -> Answer:
    Handoffs(context, _Files()).withdraw(call.task, "not yet", call.request)
    return {"code": "withdrawn"}


def judge_settle(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if expected in ("declined", "withdrawn"):
        packet = checker.tasks[call.task].newest
        if not (packet.state == expected):
            raise Violation(f"{call} left {packet}")
        checker.judge_moves(checker.predicted, fresh)
        _remember(checker, call, packet.number)


def ask_close(checker: Checker, call: Call) -> str:
    return checker.expected_close(call.session, call.task)


def run_close(context: Context, call: Call) -> Answer:
    Tasks(context).close(call.task, "done")
    return {"code": "closed"}


def judge_close(
    checker: Checker, call: Call, expected: str, answer: Answer, fresh: Sequence[Seen]
) -> None:
    if expected == "closed":
        task = checker.tasks[call.task]
        held = checker.reserved(task)
        if not (task.closed and not held):
            raise Violation(f"{call} left {task} with {held}")
        if not (task.newest.state != "open"):
            raise Violation(f"{call} left {task.newest}")


def judge_unsaid(checker: Checker, call: Call, fresh: Sequence[Seen]) -> None:
    """Enter what came of a call that was done and not answered: asked again, it says so."""
    kinds = {seen.kind for seen in fresh}
    for seen in fresh:
        mine = seen.session == call.session
        if seen.kind == "session.started" and mine:
            checker.begun[call.session] = seen.seq
        elif seen.kind == "commit.attested" and call.commit is not None:
            checker.commit_of(seen, call.commit)
        elif seen.kind == "lease.granted" and mine and not kinds & HANDED:
            _remember(checker, call, seen.seq)
        elif seen.kind in HANDED and mine:
            _remember(checker, call, seen.payload.get("number", "taken"))


def refusal(error: errors.HandrailError) -> Answer:
    """Return a refusal in plain values."""
    answer: Answer = {**error.values, "code": error.code}
    if "token" in answer:
        answer["token"] = int(str(answer["token"]).rpartition(":")[2])
    answer["expires"] = answer.get("expires_at")
    return answer


HANDED: Final = {*ENDS, "packet.offered", "task.taken"}
NOT_COVERED: Final = ("scope_held", "stale_token", "lease_expired", "not_holder")
OPS: Final[dict[str, Op]] = {
    "claim": Op(ask_claim, run_claim, judge_claim, {"repeated": ("granted",)}),
    "wait": Op(
        *(ask_wait, run_wait, judge_claim),
        {"repeated": ("granted",), "waiting": ("would_deadlock",)},
    ),
    "leave": Op(ask_leave, run_leave, judge_leave),
    "renew": Op(ask_renew, run_renew, judge_renew),
    "release": Op(ask_release, run_release, judge_release),
    "start": Op(ask_start, run_start, judge_start),
    "end": Op(ask_end, run_end, judge_end),
    "attest": Op(ask_attest, run_attest, judge_attest, {"not_covered": NOT_COVERED}),
    "read": Op(ask_read, run_read, judge_read),
    "vow": Op(ask_vow, run_vow, judge_vow),
    "open": Op(ask_open, run_open, judge_open),
    "offer": Op(ask_offer, run_offer, judge_offer, {"repeated": ("offered",)}),
    "accept": Op(ask_accept, run_accept, judge_accept, {"repeated": ("accepted", "taken")}),
    "decline": Op(_ask_settle("declined"), run_decline, judge_settle, {"repeated": ("declined",)}),
    "withdraw": Op(
        _ask_settle("withdrawn"), run_withdraw, judge_settle, {"repeated": ("withdrawn",)}
    ),
    "close": Op(ask_close, run_close, judge_close),
}
