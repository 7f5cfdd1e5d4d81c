"""``store migrate`` and ``store copy``."""

from __future__ import annotations

from handrail import errors
from handrail.core.ledger import format_head
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import counting
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.errors.server import StoreMoved
from handrail.service.identity import UNATTRIBUTED
from handrail.service.moving import Carried, copy_store, end_sessions, move_store
from handrail.service.sessions import person_proof
from handrail.typed import Final
from handrail.wiring import Application
from handrail.wiring.moving import SCHEME, Way, copy_place

MIGRATE: Final = ("store", "migrate")
APPLY: Final = "handrail config apply"


def store_migrate(invocation: Invocation) -> Reply:
    """Move this workspace to the store that ``handrail.toml`` names."""
    application = invocation.application
    way = application.way
    here, there = application.ground.store_path(), way.there.store_path()
    if application.ground.store_url() == way.there.store_url():
        reason = f"The store here is {here} already, as handrail.toml names it."
        raise errors.Usage(reason=reason, next="handrail status")
    join = invocation.flag("join")
    if not invocation.flag("dry_run"):
        command = (*MIGRATE, *(("--join",) if join else ()))
        person_proof(application.caller, "moving a store", command)
    try:
        with application.store.read() as reader:
            workspace, entries = reader.workspace, reader.head.seq
            live = len(reader.sessions()) if way.renames(application.ground) else 0
    except StoreMoved as moved:
        if moved.values["place"] != there:
            raise
        return _joined(way, there, invocation)
    if workspace != way.workspace:
        reason = f"handrail.toml is of workspace {way.workspace}, the store here of {workspace}."
        raise errors.Usage(reason=reason, next="handrail config validate")
    if join:
        return _left(application, way, there, invocation)
    if invocation.flag("dry_run"):
        data: Data = {"from": here, "to": there, "entries": entries, "dry_run": True}
        ending = f", and end {count(live, 'session')}" if live else ""
        return Reply(data, f"would move {count(entries, 'entry')} from {here} to {there}{ending}")
    tick = counting(quiet=invocation.flag("quiet"))
    ended = 0
    if live:
        # Nobody's session ends for a move that cannot be made.
        copy_store(application.store, way.place, tick)
        ended = end_sessions(application.store)
    carried = move_store(application.store, way.place, there, tick)
    way.settle()
    reply = _told(carried, here, there, "moved", APPLY)
    if ended:
        note = f"{count(ended, 'session')} ended: working trees have other names there"
        reply = reply._replace(notes=(note,))
    return reply


def _joined(way: Way, there: str, invocation: Invocation) -> Reply:
    """Use the store to which the one here was moved."""
    if not invocation.flag("dry_run"):
        way.settle()
    return Reply({"to": there, "joined": True}, f"this clone uses {there} now")


def _left(application: Application, way: Way, there: str, invocation: Invocation) -> Reply:
    """Leave the store here for one that others use; what is held here ends with it."""
    way.check_there()
    with application.store.transaction() as tx:
        held = sum(lease.live(tx.now) for lease in tx.leases())
        if not invocation.flag("dry_run"):
            tx.retire(there)
            tx.commit([], UNATTRIBUTED)
    if not invocation.flag("dry_run"):
        way.settle()
    data: Data = {"to": there, "joined": True, "left_leases": held}
    text = f"this clone uses {there} now; {count(held, 'lease')} ended with what it left"
    return Reply(data, text)


def store_copy(invocation: Invocation) -> Reply:
    """Keep a copy of this workspace elsewhere."""
    application, named = invocation.application, invocation.text("target")
    assert named is not None, "the argument is required"
    target = named if named.startswith(SCHEME) else invocation.file("target") or named
    with application.store.read() as reader:
        workspace, entries = reader.workspace, reader.head.seq
    here = application.ground.store_path()
    if invocation.flag("dry_run"):
        data: Data = {"from": here, "to": target, "entries": entries, "dry_run": True}
        return Reply(data, f"would copy {count(entries, 'entry')} from {here} to {target}")
    carried = copy_store(
        application.store,
        lambda found, state: copy_place(target, workspace, found, state),
        counting(quiet=invocation.flag("quiet")),
    )
    return _told(carried, here, target, "copied", None)


def _told(carried: Carried, here: str, there: str, done: str, step: str | None) -> Reply:
    head = format_head(carried.epoch, carried.head)
    what = f"{count(carried.head.seq, 'entry')} and {count(carried.leases, 'lease')}"
    lines = [f"{done} {what} from {here} to {there}", f"both ledgers verify; head {head}"]
    data: Data = {"from": here, "to": there, "head": head, "leases": carried.leases}
    if step is not None:
        lines.append(f"next: {step}")
        data["next"] = step
    return Reply(data, "\n".join(lines))
