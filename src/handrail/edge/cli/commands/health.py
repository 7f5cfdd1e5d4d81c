"""``doctor`` and the ``store`` commands."""

from __future__ import annotations

import time
from collections.abc import Sequence

from handrail import errors
from handrail.core.ledger import Entry
from handrail.edge.cli.commands.ledger import read_export
from handrail.edge.cli.commands.setup import of_working_tree, shown, step_lines
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import counting, say
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.health import (
    BAD,
    GOOD,
    NOTE,
    Finding,
    Verified,
    damage,
    examine,
    inheritance,
    rebuild,
    sound_prefix,
    verify_store,
)
from handrail.service.install import LEFT, is_installed, lost_hooks, repair
from handrail.service.sessions import person_proof
from handrail.service.setup import found_successor, initialise, settings_here

SIGNS = {GOOD: "ok", BAD: "BAD"}
REPAIR = "handrail doctor --repair"


def doctor(invocation: Invocation) -> Reply:
    """Look at everything."""
    try:
        application = invocation.application
    except errors.BareRepository as found:
        if of_working_tree(found):
            raise
        from handrail.edge.cli.commands.bare import doctor_bare

        return doctor_bare(invocation)
    findings: list[Finding] = []
    try:
        store = application.store
        with store.transaction():
            store.check_writable()  # which an empty transaction alone would not find out
        findings = examine(
            application.context,
            integrity=store.integrity(),
            database=application.database_version(),
            git=application.git_version(),
            wall_ms=time.time_ns() // 1_000_000,
        )
        findings += _hooks(invocation)
        findings += [
            Finding(name, NOTE, str(number)) for name, number in application.counters.all().items()
        ]
        if newest := application.hook_log.newest():
            findings.append(Finding("hook.log", NOTE, f"newest line: {newest}"))
        if invocation.flag("replay"):
            verified = verify_store(store, (), counting(quiet=invocation.flag("quiet")))
            findings.append(_replay_finding(verified))
    except errors.Unavailable as error:
        if isinstance(error, errors.StoreCorrupt):
            findings += _damage(invocation)
        findings.append(Finding(error.code, BAD, error.message, error.next))
    return found_reply(findings)


def _damage(invocation: Invocation) -> list[Finding]:
    """Say what a damaged store is damaged in, if that can be told at all."""
    try:
        return damage(invocation.application.store.integrity())
    except errors.Unavailable:
        return []


def found_reply(findings: Sequence[Finding]) -> Reply:
    """Write down what was found; something bad is a refusal."""
    bad = [finding for finding in findings if finding.level == BAD]
    lines = []
    for finding in findings:
        lines.append(f"{SIGNS.get(finding.level, 'note'):<5} {finding.name}: {finding.sentence}")
        if finding.next:
            lines.append(f"        next: {finding.next}")
    lines.append(f"{count(len(bad), 'problem')} found")
    data: Data = {"findings": [finding._asdict() for finding in findings], "problems": len(bad)}
    return Reply(data, "\n".join(lines), status=errors.EXIT_REFUSED if bad else 0)


def _hooks(invocation: Invocation) -> list[Finding]:
    """Say which hooks were lost, and bring them back where that is asked for."""
    application = invocation.application
    site, toplevel = application.site, application.place.toplevel
    settings = settings_here(application.context)
    mode, projections = settings.mode("edit"), settings.projections
    mended: list[Finding] = []
    if invocation.flag("repair"):
        steps = repair(site, mode, projections, tracked=True)
        done = [step for step in steps if step.outcome != LEFT]
        mended = [Finding("repaired", NOTE, line) for line in step_lines(done, toplevel)]
    lost = [
        Finding("hooks", BAD, f"{shown(each.what, toplevel)}: {each.reason}", REPAIR)
        for each in lost_hooks(site, mode, projections)
    ]
    if mended or lost:
        return mended + lost
    if not is_installed(site):
        sentence = "this clone has none, so leases bind only those who claim"
        return [Finding("hooks", NOTE, sentence, "handrail init")]
    return [Finding("hooks", GOOD, "all in their places")]


def _replay_finding(verified: Verified) -> Finding:
    if verified.report.problem is not None:
        problem = verified.report.problem
        return Finding("ledger", BAD, f"entry {problem.seq}: {problem.reason}")
    if verified.differences:
        sentence = f"the tables differ from the ledger: {verified.differences[0]}"
        return Finding("replay", BAD, sentence, "handrail store rebuild")
    return Finding("replay", GOOD, f"{verified.report.entries} entries add up to the tables")


def store_verify(invocation: Invocation) -> Reply:
    """Check file, ledger and tables."""
    store = invocation.application.store
    verified = verify_store(store, store.integrity(), counting(quiet=invocation.flag("quiet")))
    problems = [f"store: {line}" for line in verified.integrity]
    if verified.report.problem is not None:
        problem = verified.report.problem
        problems.append(f"ledger: entry {problem.seq}: {problem.reason}")
    problems += [f"tables: {line}" for line in verified.differences]
    data: Data = {"entries": verified.report.entries, "problems": problems}
    if not problems:
        return Reply(data, f"the store is sound: {verified.report.entries} entries")
    lines = [*problems, "next: handrail store rebuild"]
    return Reply(data, "\n".join(lines), status=errors.EXIT_UNAVAILABLE)


def store_rebuild(invocation: Invocation) -> Reply:
    """Make the tables anew, or a new store after a lost one."""
    source = invocation.file("source")
    if source is not None:
        command = ("store", "rebuild", "--from", source)
        return _succeed(invocation, read_export(source), source, command)
    try:
        return _rebuild(invocation)
    except (errors.StoreCorrupt, errors.LedgerBroken) as damage:
        return _salvage(invocation, damage)


def _rebuild(invocation: Invocation) -> Reply:
    """Make the tables anew from the ledger beside them."""
    store = invocation.application.store
    if invocation.flag("dry_run"):
        verified = verify_store(store, (), counting(quiet=invocation.flag("quiet")))
        mended = list(verified.differences)
        return Reply(
            {"would_mend": mended, "dry_run": True}, "\n".join(mended) or "nothing to mend"
        )
    done = rebuild(store, counting(quiet=invocation.flag("quiet")))
    lines = [f"mended: {line}" for line in done.mended]
    lines.append(
        f"rebuilt {count(done.leases, 'lease')} and {count(done.sessions, 'session')}"
        " from the ledger"
    )
    data: Data = {"leases": done.leases, "sessions": done.sessions, "mended": list(done.mended)}
    return Reply(data, "\n".join(lines))


def _salvage(invocation: Invocation, damage: errors.HandrailError) -> Reply:
    """Found a store that follows what the damaged one still gives of its ledger, if anything."""
    application = invocation.application
    application.close()
    entries = sound_prefix(application.ground.salvage())
    if not invocation.flag("quiet"):
        say(f"{damage.message} Of its ledger {count(len(entries), 'entry')} can be read.")
    command = ("store", "rebuild")
    if entries:
        return _succeed(invocation, entries, application.ground.store_path(), command)
    person_proof(application.caller, "founding a new store", command)
    if invocation.flag("dry_run"):
        return Reply({"predecessor": None, "dry_run": True}, "would found a store without a past")
    aside = application.ground.set_aside()
    done = initialise(application.ground, "minimal")
    data: Data = {"epoch": done.epoch, "predecessor": None, "entered": 0}
    return Reply(data, f"founded epoch {done.epoch}\nthe store that was there is kept as {aside}")


def _succeed(
    invocation: Invocation, entries: Sequence[Entry], source: str, command: Sequence[str]
) -> Reply:
    """Found a store that follows the one the entries came from; the damaged one is set aside."""
    application = invocation.application
    person_proof(application.caller, "founding a new store", command)
    heir = inheritance(entries, source)
    if invocation.flag("dry_run"):
        text = f"would found a store that follows {heir.predecessor}"
        return Reply({"predecessor": heir.predecessor, "dry_run": True}, text)
    application.close()
    aside = application.ground.set_aside() if application.ground.store_exists() else None
    epoch, entered = found_successor(application.ground, heir, entries, source)
    lines = [f"founded epoch {epoch}, which follows {heir.predecessor}"]
    lines.append(f"entered {entered} entries as history; every older token is dead")
    if aside is not None:
        lines.append(f"the store that was there is kept as {aside}")
    data: Data = {"epoch": epoch, "predecessor": heir.predecessor, "entered": entered}
    return Reply(data, "\n".join(lines))
