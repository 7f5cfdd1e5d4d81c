"""Handing over with the gates around it: what the command line and the harness do.

Promises: as ``service.handoffs``, and besides an offer is refused whose packet is not true (but one
that a trigger makes of work that cannot go on: it carries what its gates mind), and an
acceptance whose packet or working tree is not as it says. What is to happen is decided once to see
what the gates have to judge, and once more when they have judged; what changed meanwhile is
``facts_changed``. A packet whose evidence comes out otherwise goes back to its giver.

    JudgedHandoffs(context, files, gates).offer(Offering(message="…"))
"""

from __future__ import annotations

from collections.abc import Sequence
from json import loads

from handrail.core.decide.handoff import decide_return
from handrail.core.task import COMPLETE, OPEN, Packet, Task
from handrail.errors.handoff import HandoffReturned
from handrail.service.answering import Answering, check_same
from handrail.service.attempts import with_facts
from handrail.service.context import Context
from handrail.service.handoff_gates import (
    ENFORCE,
    HandoffGates,
    Look,
    declared,
    looked,
    told,
    untrue,
)
from handrail.service.handoffs import Accepted, Files, Handoffs, Offered, Offering
from handrail.service.identity import actor_of, require_session
from handrail.service.lapses import desk_of, settle_of, task_named
from handrail.service.policy import rules_in_force
from handrail.typed import Any, Final

RETURN_CHARS_MAX: Final = 2_000


class JudgedHandoffs(Handoffs):
    """The use cases of handing over, each behind its gates.

    Raises besides GateFailed, GateUnsure, FactsChanged and HandoffReturned.
    """

    def __init__(self, context: Context, files: Files, gates: HandoffGates) -> None:
        super().__init__(context, files)
        self._gates = gates

    def _decide_offer(self, asked: Offering, given: dict[str, Any], *, dry_run: bool) -> Offered:
        gates, watch = self._gates, self._gates.watch()
        kind = asked.kind or given.get("kind", COMPLETE)
        written = declared(given, kind, watch.standing)
        trial = self._attempt(asked, given, written, dry_run=True)
        if trial.packet.seq:
            return trial  # it was offered by the same request before
        with self._store.read() as reader:
            task = reader.task(trial.packet.task)
            if task is None:  # it is opened with this offer
                task = Task(trial.packet.task, "", OPEN, reader.now, 0, None, None, 0, 0)
        fire = asked.fire
        content, checked, rules = gates.offering(
            task, loads(trial.text), watch, commands=not dry_run and fire is None
        )
        if dry_run:
            return trial._replace(checked=checked)
        if fire is None or fire.gated:
            gates.refuse(checked, rules, task.id, f"the offer of task {task.id}")
        if fire is not None:
            from handrail.service.fired import with_findings

            content = with_findings(content, fire)
        added: dict[str, Any] = {name: content[name] for name in _ADDED if name in content}
        look = looked(watch, checked, task.id, gates.again)
        done = self._attempt(asked, given, {**written, **added}, check=gates.unmoved(look))
        return done._replace(checked=checked)

    def _decide_accept(self, asked: Answering) -> Accepted:
        watch = self._gates.watch()
        trial = with_facts(self._context, lambda looked: self._accept(asked, looked, trial=True))
        packet = trial.packet
        if packet is None or packet.state != OPEN or not packet.session:
            # Taken up again, accepted by the same request before, or the system's first.
            return super()._decide_accept(asked)
        checked, rules = self._gates.accepting(packet, watch)
        again = f"handrail handoff accept {packet.task}"
        look = looked(watch, checked, packet.task, again)
        false = untrue(checked)
        if false and rules.settings.mode(checked.stage) == ENFORCE:
            self._return(packet, told(false), tuple(one.gate for one in false), look)
        what = f"packet {packet.number} of task {packet.task}"
        self._gates.refuse(checked, rules, packet.task, what)
        check = self._gates.unmoved(look)
        done = self._accept_at_last(asked, check, packet)
        return done._replace(checked=checked)

    def _return(
        self, packet: Packet, findings: Sequence[str], names: tuple[str, ...], look: Look
    ) -> None:
        """Send a packet back whose evidence is not true; always raises HandoffReturned."""
        said = "; ".join(findings)
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            session = require_session(tx, self._context)
            plain = look._replace(checked=look.checked._replace(used=()))
            entered = self._gates.unmoved(plain)(tx, rules, session)
            task = task_named(tx, packet.task)
            check_same(task, packet)
            desk = desk_of(tx, rules, task, session)
            settle = settle_of(self._context, rules, desk, session, said[:RETURN_CHARS_MAX])
            changes = decide_return(desk, settle, names, tx.now)
            tx.commit([*changes, *entered], actor_of(session))
        raise HandoffReturned(
            number=packet.number,
            task=packet.task,
            giver=f"role {packet.from_role or '-'}",
            findings=said,
            gates=list(names),
        )


_ADDED: Final[tuple[str, ...]] = ("artifacts", "evidence", "metadata")
"""What gates add to a packet: digests, receipts, and what they mind."""
