"""What can happen: the frozen kinds and fields of entries, and payloads that are read back."""

from __future__ import annotations

import doctest
import json
from typing import Any, Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.core.events
from handrail.core import shapes
from handrail.core.events import (
    KIND_OF,
    KINDS,
    SUBJECTS,
    CommitUnattested,
    CommitUnattributed,
    Event,
    LeaseGranted,
    LeaseReleased,
    Move,
    StoreCreated,
    decode,
    subject_of,
)
from tests.core import makers

# Frozen: entries of these kinds, with these fields in this order, are in ledgers out there. A field
# can be added by a new kind or a new format, never by changing a line of this table.
FROZEN: Final[dict[str, tuple[str, ...]]] = {
    "store.created": ("workspace", "predecessor"),
    "config.applied": ("blob", "text", "proof"),
    "session.started": ("session", "agent", "role", "worktree", "secret_hash"),
    "session.ended": ("session", "reason"),
    "session.role": ("session", "role", "reason", "proof"),
    "lease.granted": (
        *("session", "role", "kind", "worktree", "patterns", "ttl_ms", "expires_at", "lasting"),
        "beside",
    ),
    "lease.released": ("token", "reason"),
    "lease.expired": ("token", "expired_at"),
    "lease.orphaned": ("token", "blobs", "reason"),
    "commit.attested": ("commit", "tree", "parents", "paths", "paths_hash", "cover"),
    "commit.unattested": ("updates", "commits", "reason"),
    "commit.unattributed": ("updates", "commits", "reason"),
    "write.unheld": ("session", "worktree", "found"),
    "payload.redacted": ("seq", "reason"),
    "enforcement.paused": ("workspace", "until", "proof"),
    "history.imported": ("source", "claimed_at", "record"),
    "evidence.recorded": (
        *("about", "gate", "argv", "folder", "ended", "exit_status", "output_hash"),
        *("output_bytes", "output_tail", "commit", "tree", "dirt", "disturbed", "duration_ms"),
        *("tests_passed", "tests_hash"),
    ),
    "task.opened": ("task", "title"),
    "task.taken": ("task", "session", "role"),
    "task.closed": ("task", "reason"),
    "packet.offered": (
        *("task", "number", "packet_kind", "session", "agent", "from_role", "to_role"),
        *("patterns", "returns", "token", "lapses_at", "packet_hash", "packet"),
    ),
    "packet.accepted": ("task", "number", "session", "role", "patterns", "token"),
    "packet.declined": ("task", "number", "session", "reason"),
    "packet.withdrawn": ("task", "number", "session", "reason"),
    "packet.lapsed": ("task", "number", "lapses_at"),
    "task.resumed": ("task", "reason", "proof"),
    "task.phase": ("task", "phase", "number"),
    "checkpoint.decided": (
        *("task", "checkpoint", "phase", "decision", "leads_to", "times", "reason", "proof"),
    ),
    "packet.returned": ("task", "number", "session", "reason", "gates"),
    "waiver.added": ("gate", "for_task", "reason", "by", "proof", "ends_at", "uses"),
    "waiver.used": ("waiver", "gate", "stage", "for_task"),
    "waiver.revoked": ("waiver", "reason", "proof"),
    "session.compacted": ("session", "trigger", "note"),
    "projection.row": ("projection", "key", "record", "source", "claimed_at"),
    "projection.written": ("projection", "blob"),
    "packet.traced": ("task", "number", "session", "process"),
    "evidence.contradicted": ("about", "gate", "receipt", "rerun"),
    "stage.judged": ("session", "stage", "verdict", "for_task", "gates", "advised", "judged"),
    "edit.refused": ("session", "code", "path", "counts"),
    "trigger.fired": ("session", "trigger", "event", "about", "task", "number", "to_role"),
    "trigger.looped": ("session", "trigger", "task", "rounds"),
    "packet.stuck": ("task", "number"),
    "reading.asked": ("session", "source", "binds", "documents"),
    "reading.done": ("session", "how", "receipts"),
}
# Fields that older entries do not have, and what that means.
LATER: Final[dict[str, dict[str, Any]]] = {
    "commit.attested": {"change": None, "written": ()},
    "lease.granted": {"holder": None},
}
SUBJECT_FIELDS: Final[dict[str, str | None]] = {
    "store.created": None,
    "config.applied": "blob",
    "session.started": "session",
    "session.ended": "session",
    "session.role": "session",
    "lease.granted": "session",
    "lease.released": "token",
    "lease.expired": "token",
    "lease.orphaned": "token",
    "commit.attested": "commit",
    "commit.unattested": None,
    "commit.unattributed": None,
    "write.unheld": "session",
    "payload.redacted": "seq",
    "enforcement.paused": "workspace",
    **dict.fromkeys(("edit.refused", "trigger.fired"), "session"),
    **dict.fromkeys(("trigger.looped", "packet.stuck"), "task"),
    "history.imported": "source",
    "evidence.recorded": "about",
    **dict.fromkeys(("task.opened", "task.taken", "task.closed"), "task"),
    **dict.fromkeys(("packet.offered", "packet.accepted", "packet.declined"), "task"),
    **dict.fromkeys(("packet.withdrawn", "packet.lapsed", "packet.returned"), "task"),
    **dict.fromkeys(("task.resumed", "task.phase", "checkpoint.decided"), "task"),
    "waiver.added": "gate",
    "waiver.used": "waiver",
    "waiver.revoked": "waiver",
    "session.compacted": "session",
    **dict.fromkeys(("projection.row", "projection.written"), "projection"),
    "packet.traced": "task",
    "evidence.contradicted": "about",
    "stage.judged": "session",
    "reading.asked": "session",
    "reading.done": "session",
}

each_kind = pytest.mark.parametrize("kind", sorted(KINDS))
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


def payload_of(event: Event) -> dict[str, Any]:
    """Write an event as the JSON values that an entry holds of it, and read them back."""
    read: dict[str, Any] = json.loads(json.dumps(event._asdict()))
    return read


# --- the tables ----------------------------------------------------------------------------------


def test_kinds_and_their_fields_are_frozen() -> None:
    for kind, event in KINDS.items():
        later = LATER.get(kind, {})
        assert event._fields == (*FROZEN[kind], *later), kind
        assert event._field_defaults == later, "what came later may be missing, and means this"
    assert set(FROZEN) == set(KINDS)


def test_every_event_has_a_kind_and_every_kind_an_event() -> None:
    assert set(KINDS.values()) == set(get_args(Event))
    assert {event: kind for kind, event in KINDS.items()} == KIND_OF


def test_every_event_is_about_something_but_the_first_and_moves_of_refs() -> None:
    assert {kind: SUBJECTS.get(event) for kind, event in KINDS.items()} == SUBJECT_FIELDS
    without = set(get_args(Event)) - set(SUBJECTS)
    assert without == {StoreCreated, CommitUnattested, CommitUnattributed}


def test_a_move_is_no_event_and_has_no_kind() -> None:
    assert set(get_args(Move)) & set(get_args(Event)) == set()
    assert {move.__name__ for move in get_args(Move)} == {
        "LeaseRenewed",
        "WaitBegan",
        "WaitKept",
        "WaitEnded",
        "OrphanSettled",
        "ProcessRegistered",
        "NoticeLeft",
        "NoticesTaken",
    }


@given(makers.events)
def test_the_subject_is_the_text_of_its_field(event: Event) -> None:
    field = SUBJECT_FIELDS[KIND_OF[type(event)]]
    assert subject_of(event) == (None if field is None else str(getattr(event, field)))


# --- payloads ------------------------------------------------------------------------------------


@given(makers.events)
def test_decoding_a_payload_gives_the_event_again(event: Event) -> None:
    decoded = decode(KIND_OF[type(event)], payload_of(event))
    assert decoded == event
    assert type(decoded) is type(event)


@given(makers.events, st.dictionaries(st.text(max_size=8), json_values, max_size=3))
def test_fields_that_a_later_version_added_are_ignored(event: Event, more: dict[str, Any]) -> None:
    payload = {**more, **payload_of(event), "salt": "00"}
    assert decode(KIND_OF[type(event)], payload) == event


@given(st.text(max_size=20).filter(lambda kind: kind not in KINDS), json_values)
def test_a_kind_that_is_not_known_decodes_to_nothing(kind: str, payload: Any) -> None:
    assert decode(kind, payload) is None


@each_kind
@given(data=st.data())
def test_a_missing_field_is_refused(kind: str, data: st.DataObject) -> None:
    payload = payload_of(data.draw(makers.events_of(KINDS[kind])))
    del payload[data.draw(st.sampled_from(FROZEN[kind]))]
    with pytest.raises((KeyError, TypeError)):
        decode(kind, payload)


@pytest.mark.parametrize("kind", ["commit.attested"])
@given(data=st.data())
def test_a_field_that_came_later_may_be_missing(kind: str, data: st.DataObject) -> None:
    event = data.draw(makers.events_of(KINDS[kind]))
    payload = payload_of(event)
    for field in LATER[kind]:
        del payload[field]
    assert decode(kind, payload) == event._replace(**LATER[kind])


@each_kind
@given(data=st.data())
def test_a_field_of_another_shape_is_refused_or_read_as_what_it_is(
    kind: str, data: st.DataObject
) -> None:
    payload = payload_of(data.draw(makers.events_of(KINDS[kind])))
    field = data.draw(st.sampled_from(KINDS[kind]._fields))
    payload[field] = data.draw(json_values)
    try:
        decoded = decode(kind, payload)
    except TypeError:
        return
    assert decoded is not None
    assert payload_of(decoded) == {name: payload[name] for name in KINDS[kind]._fields}
    hash(decoded)


GRANT = LeaseGranted("s", None, "local", "t", ("src",), 1_000, 2_000, True, (7,))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("session", None), ("session", 7), ("role", 7), ("worktree", ["t"]), ("kind", None)),
        *(("patterns", "src"), ("patterns", None), ("patterns", [7]), ("patterns", [["src"]])),
        *(("ttl_ms", "1000"), ("ttl_ms", 1.0), ("ttl_ms", True), ("expires_at", None)),
        *(("lasting", 1), ("lasting", None), ("beside", 7), ("beside", ["7"]), ("beside", [True])),
    ],
)
def test_a_grant_of_another_shape_is_refused(field: str, value: Any) -> None:
    assert decode("lease.granted", payload_of(GRANT)) == GRANT
    with pytest.raises(TypeError):
        decode("lease.granted", {**payload_of(GRANT), field: value})


@pytest.mark.parametrize("cover", [[[1]], [[1, 2, 3]], [1, 2], [["1", 2]], [[1, None]], "12"])
def test_a_cover_is_pairs_of_token_and_expiry(cover: Any) -> None:
    payload = {
        "commit": "c",
        "tree": "t",
        "parents": [],
        "paths": 1,
        "paths_hash": "h",
        "cover": cover,
    }
    with pytest.raises(TypeError):
        decode("commit.attested", payload)


@pytest.mark.parametrize("blobs", [[["a"]], [["a", "b", "c"]], ["ab"], [["a", 2]], "ab", 7])
def test_what_was_left_is_pairs_of_path_and_blob(blobs: Any) -> None:
    with pytest.raises(TypeError):
        decode("lease.orphaned", {"token": 1, "blobs": blobs, "reason": ""})


@pytest.mark.parametrize("updates", [[["a", "b"]], [["a", "b", "c", "d"]], ["abc"], None])
def test_a_moved_ref_has_a_name_and_two_ends(updates: Any) -> None:
    with pytest.raises(TypeError):
        decode("commit.unattested", {"updates": updates, "commits": [], "reason": ""})


@each_kind
@pytest.mark.parametrize("payload", [None, [], ["token"], 7, "text", {}])
def test_a_payload_that_is_no_object_with_the_fields_is_refused(kind: str, payload: Any) -> None:
    with pytest.raises((KeyError, TypeError)):
        decode(kind, payload)


def test_numbers_of_any_size_are_kept_exactly() -> None:
    assert decode("lease.released", {"token": 2**70, "reason": ""}) == LeaseReleased(2**70, "")


def test_every_field_has_a_shape() -> None:
    fields = {field for event in get_args(Event) for field in event._fields}
    assert fields == set(shapes.SHAPES)
    assert fields == set(makers.FIELDS)


def test_the_example_in_the_documentation_holds() -> None:
    for module in (handrail.core.events, shapes):
        done = doctest.testmod(module)
        assert (done.attempted > 0, done.failed) == (True, 0)
