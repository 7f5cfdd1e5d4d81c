"""The guard's copy of a store that is elsewhere: no more than was said, and no longer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from handrail.core.allowed import Allowed, Snapshot
from handrail.store.sqlite.guard_copy import FRESH_MS, GuardCopy
from tests.store.grounds import FIRST_WALL_MS, FakeClock

TTL_MS = 90 * 60_000
MARGIN_MS = 30_000
NOW = FIRST_WALL_MS
EPOCH = "3fk2"


def allowed(pattern: str = "src/api", *, token: int = 7, left_ms: int = TTL_MS) -> Allowed:
    return Allowed(".", "s-ada", pattern, token, NOW + left_ms, NOW + left_ms - TTL_MS // 2)


def snapshot(*rows: Allowed, now: int = NOW) -> Snapshot:
    return Snapshot(EPOCH, 11, now, "enforce", rows, ("s-ada",), ())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "guard.db")


@pytest.fixture
def copy(path: str, clock: FakeClock) -> Iterator[GuardCopy]:
    copy = GuardCopy(path, clock)
    yield copy
    copy.close()


def trusted(copy: GuardCopy, path: str = "src/api/x.py", session: str = "s-ada") -> int | None:
    seen = copy.seen()
    return None if seen is None else seen.trusted(".", session, path)


def test_nothing_is_known_before_the_store_was_read(copy: GuardCopy) -> None:
    assert copy.seen() is None


def test_what_the_store_said_holds_until_its_holder_has_to_doubt_it(
    copy: GuardCopy, clock: FakeClock
) -> None:
    copy.take(lambda: snapshot(allowed()))
    assert trusted(copy) == NOW + TTL_MS - MARGIN_MS
    assert trusted(copy, "src/apis/x.py") is None
    assert trusted(copy, session="s-bob") is None
    clock.let_pass(TTL_MS - MARGIN_MS - 1)
    assert trusted(copy)
    clock.let_pass(1)
    assert trusted(copy) is None


@pytest.mark.parametrize(
    ("ttl_ms", "margin_ms"), [(TTL_MS, 30_000), (90_000, 30_000), (30_000, 10_000), (1_000, 333)]
)
def test_the_margin_is_that_of_the_lease(copy: GuardCopy, ttl_ms: int, margin_ms: int) -> None:
    row = Allowed(".", "s-ada", "a", 7, NOW + ttl_ms, NOW + ttl_ms - ttl_ms // 2)
    copy.take(lambda: snapshot(row))
    until = trusted(copy, "a")
    assert until is not None
    assert abs(until - (NOW + ttl_ms - margin_ms)) <= 1


def test_at_the_age_cap_the_longest_margin_is_taken(copy: GuardCopy) -> None:
    end = NOW + 1_000_000
    copy.take(lambda: snapshot(Allowed(".", "s-ada", "a", 7, end, end)))
    assert trusted(copy, "a") == end - MARGIN_MS


def test_time_is_counted_from_before_the_question(copy: GuardCopy, clock: FakeClock) -> None:
    def slowly() -> Snapshot:
        clock.let_pass(5_000)
        return snapshot(allowed())

    copy.take(slowly)
    seen = copy.seen()
    assert seen is not None
    assert seen.now == NOW + 5_000, "as if the store had answered at once"


def test_the_wall_clock_moves_nothing(copy: GuardCopy, clock: FakeClock) -> None:
    copy.take(lambda: snapshot(allowed()))
    clock.wall_ms -= 10 * TTL_MS
    seen = copy.seen()
    assert seen is not None
    assert seen.now == NOW


def test_after_a_restart_nothing_is_known(copy: GuardCopy, clock: FakeClock) -> None:
    copy.take(lambda: snapshot(allowed()))
    copy.announce(60_000)
    clock.reboot()
    assert copy.seen() is None
    copy.take(lambda: snapshot(allowed()))
    assert trusted(copy), "what was under way then is no more"


def test_from_the_announcement_to_the_outcome_nothing_is_said(
    copy: GuardCopy, path: str, clock: FakeClock
) -> None:
    copy.take(lambda: snapshot(allowed()))
    number = copy.announce(60_000)
    assert copy.seen() is None
    other = GuardCopy(path, clock)
    other.take(lambda: snapshot(allowed()))
    assert other.seen() is None, "somebody else's look does not tell how it ended"
    copy.take(snapshot, ended=number)
    assert trusted(other) is None
    assert other.seen() is not None
    other.close()


def test_one_who_never_came_back_is_waited_for_until_the_bound(
    copy: GuardCopy, clock: FakeClock
) -> None:
    copy.announce(60_000)
    clock.let_pass(60_000)
    copy.take(lambda: snapshot(allowed()))
    assert copy.seen() is None
    clock.let_pass(1)
    copy.take(lambda: snapshot(allowed()))
    assert trusted(copy)


def test_a_read_that_fails_changes_nothing(copy: GuardCopy) -> None:
    copy.take(lambda: snapshot(allowed()))

    def lost() -> Snapshot:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        copy.take(lost)
    assert trusted(copy)


def test_an_earlier_look_never_replaces_a_later_one(path: str, clock: FakeClock) -> None:
    late, early = GuardCopy(path, clock), GuardCopy(path, clock)

    def slowly() -> Snapshot:
        """Somebody else asks and is answered while this answer is on its way."""
        late.take(lambda: snapshot(allowed("b"))._replace(seq=14, mode="warn"))
        bob = Allowed(".", "s-bob", "c", 8, NOW + TTL_MS, NOW + TTL_MS // 2)
        found = snapshot(allowed("a"), bob)
        return found._replace(sessions=("s-ada", "s-bob"), awaiting=("s-ada",))

    early.take(slowly)
    seen = late.seen()
    assert seen is not None
    assert ([row.pattern for row in seen.allowed], seen.mode) == (["b", "c"], "warn")
    late.take(lambda: snapshot(allowed("a"))._replace(seq=14))
    assert [trusted(late, name) is None for name in "abc"] == [False, True, True]
    late.take(lambda: snapshot(allowed("d"))._replace(epoch="other", seq=2))
    assert trusted(late, "d"), "a store that was made anew begins anew"
    assert trusted(late, "a") is None
    early.close()
    late.close()


def test_nobody_waits_while_the_store_is_asked(path: str, clock: FakeClock) -> None:
    copy, other = GuardCopy(path, clock), GuardCopy(path, clock)

    def slowly() -> Snapshot:
        other.announce(60_000)
        return snapshot(allowed())

    copy.take(slowly)
    assert copy.seen() is None, "how that ended is not known yet"
    copy.close()
    other.close()


@pytest.mark.parametrize("content", [b"", b"x" * 5_000, b"SQLite format 3\0" + b"\0" * 4_080])
def test_a_damaged_copy_is_made_anew(path: str, clock: FakeClock, content: bytes) -> None:
    Path(path).write_bytes(content)
    copy = GuardCopy(path, clock)
    copy.take(lambda: snapshot(allowed()))
    assert trusted(copy)
    copy.close()


def test_a_copy_of_another_format_is_made_anew(path: str, clock: FakeClock) -> None:
    other = apsw.Connection(path)
    other.execute("CREATE TABLE may_write (x); PRAGMA user_version=3").fetchall()
    other.close()
    copy = GuardCopy(path, clock)
    assert copy.seen() is None
    copy.take(lambda: snapshot(allowed()))
    assert trusted(copy)
    copy.close()


def test_only_the_differences_are_written(copy: GuardCopy) -> None:
    copy.take(lambda: snapshot(allowed("a"), allowed("b")))
    copy.take(lambda: snapshot(allowed("b", left_ms=TTL_MS + 5), allowed("c", token=8)))
    seen = copy.seen()
    assert seen is not None
    assert [(row.pattern, row.until) for row in seen.allowed] == [
        ("b", NOW + TTL_MS + 5 - MARGIN_MS),
        ("c", NOW + TTL_MS - MARGIN_MS),
    ]


def granted(token: int = 12, session: str = "s-ada") -> list[Allowed]:
    return [Allowed(".", session, "lib", token, NOW + TTL_MS, NOW + TTL_MS // 2)]


def test_what_is_granted_is_added_to_what_was_read(copy: GuardCopy, clock: FakeClock) -> None:
    copy.take(lambda: snapshot(allowed()))
    clock.let_pass(FRESH_MS - 1)
    assert copy.add(granted(), EPOCH, 12)
    assert trusted(copy, "lib/x") == NOW + TTL_MS - MARGIN_MS
    assert trusted(copy), "the rest stays"


def test_what_was_granted_before_it_was_read_is_not_added(copy: GuardCopy) -> None:
    copy.take(lambda: snapshot(allowed()))
    assert not copy.add(granted(7), EPOCH, snapshot().seq), "it may have ended since"
    assert trusted(copy, "lib/x") is None


@pytest.mark.parametrize("why", ["never", "announced", "long ago", "restart", "epoch", "nobody"])
def test_a_grant_is_not_added_where_the_store_has_to_be_asked(
    copy: GuardCopy, clock: FakeClock, why: str
) -> None:
    if why != "never":
        copy.take(lambda: snapshot(allowed()))
    if why == "announced":
        copy.announce(60_000)
    if why == "long ago":
        clock.let_pass(FRESH_MS)
    if why == "restart":
        clock.reboot()
    session = "s-nobody" if why == "nobody" else "s-ada"
    assert not copy.add(granted(session=session), "other" if why == "epoch" else EPOCH, 12)
    clock.boot = "boot-1"
    seen = copy.seen()
    assert seen is None or all(row.pattern != "lib" for row in seen.allowed)
