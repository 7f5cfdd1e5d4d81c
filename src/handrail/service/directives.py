"""Directives: folders with metadata and tasks, and what a packet says of the one it belongs to.

Promises: nothing is asked or read where no projection of directives is configured; files are read
through no link, and bounded; a folder with no metadata, or with two, is none that work could be
handed over in, and says so. What a packet allows its receiver to write comes from the task file of
that moment; later changes of the file give nobody more.

    Directives(context.outside, ".directive-cli/directives").at("26-02-11_nav").meta.branch
    completed(context, Offering(to_role="executor"), {})["directive"]["task_file"]
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from handrail import errors
from handrail.core.packet import CLEAN_REQUIRED, KNOWN_DIRTY, draft
from handrail.core.record import Record
from handrail.errors.handoff import MalformedPacket
from handrail.gates.facts import DirectiveSeen, Handed
from handrail.projections.directive import EXECUTOR
from handrail.projections.directive_files import META, TASK, Meta, read_meta, read_task
from handrail.projections.directive_handoff import PROJECTION
from handrail.projections.port import Told
from handrail.service.packet_text import packet_text
from handrail.service.policy import Rules, rules_in_force

if TYPE_CHECKING:
    from handrail.core.lease import Session
    from handrail.service.context import Context, Outside
    from handrail.service.offering import Offering
    from handrail.store.port import Reader

FOLDERS_MAX: Final = 2_000
NAMED_MAX: Final = 8


class Directive(Record):
    """A directive as it lies in the working tree.

    ``problem`` says why nobody can be handed anything in it; ``tasks`` are the names of its files.
    """

    root: str
    name: str
    meta: Meta | None = None
    problem: str = ""
    tasks: tuple[str, ...] = ()
    metas: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()

    @property
    def folder(self) -> str:
        """The folder, from the top of the working tree."""
        return f"{self.root}/{self.name}"


class Directives:
    """The directives of one working tree."""

    def __init__(self, outside: Outside, root: str) -> None:
        self._outside = outside
        self.root = root

    def names(self) -> tuple[str, ...]:
        """Return the folders of directives; raises FactsUnavailable where there are too many."""
        found = [name[:-1] for name in self._outside.entries(self.root) if name.endswith("/")]
        if len(found) > FOLDERS_MAX:
            reason = f"there are more than {FOLDERS_MAX} folders"
            raise errors.FactsUnavailable(what=self.root, reason=reason)
        return tuple(found)

    def all(self) -> tuple[Directive, ...]:
        """Return all directives."""
        return tuple(self.at(name) for name in self.names())

    def at(self, name: str) -> Directive:
        """Return the directive in a folder, whatever is there; raises FactsUnavailable."""
        folder = f"{self.root}/{name}"
        files = self._outside.entries(folder)
        metas = tuple(one for one in files if one.endswith(META))
        tasks = tuple(one for one in files if one.endswith(TASK))
        found = Directive(self.root, name, tasks=tasks, metas=metas)
        if len(metas) != 1:
            expected = f"Expected exactly one <directive_slug>{META} in {folder}"
            return found._replace(problem=expected)
        path = f"{folder}/{metas[0]}"
        try:
            meta, told = read_meta(path, self._outside.document(path) or b"")
        except (ValueError, errors.Unavailable) as error:
            return found._replace(problem=f"{path}: {reason_of(error)}")
        return found._replace(meta=meta, told=told)

    def allowed(self, path: str) -> tuple[tuple[str, ...], tuple[Told, ...]]:
        """Return what a task lets be written, and what lets nothing be; raises MalformedPacket."""
        try:
            content = self._outside.document(path)
            if content is None:
                raise ValueError("it is not there")
            task, told = read_task(path, content)
        except (ValueError, errors.Unavailable) as error:
            raise MalformedPacket(
                field="directive.task_file", reason=f"{path}: {reason_of(error)}", value=path
            ) from error
        kept, more = [], list(told)
        for pattern in task.allowed:
            if self._outside.is_folder(pattern):
                sentence = f"{pattern} is a folder, and paths are exact; it allows nothing."
                more.append(Told(path, "is_folder", sentence, f"{pattern}/**"))
            else:
                kept.append(pattern)
        return tuple(kept), tuple(more)

    def files(self, name: str) -> Iterator[tuple[str, bytes | Exception]]:
        """Yield the files of a directive's folder, those of JSON with their bytes."""
        folder = f"{self.root}/{name}"
        for file in self._outside.entries(folder):
            if not file.endswith(".json"):
                yield file, b""
                continue
            try:
                yield file, self._outside.document(f"{folder}/{file}") or b""
            except errors.Unavailable as error:
                yield file, error

    def is_over(self, path: str) -> bool:
        """Tell whether nobody works on a task any more; one that cannot be read is not over."""
        try:
            content = self._outside.document(path)
            return content is not None and read_task(path, content)[0].over
        except (ValueError, errors.Unavailable):
            return False


def reason_of(error: Exception) -> str:
    """Say why a file cannot be read."""
    return str(error.values["reason"]) if isinstance(error, errors.HandrailError) else str(error)


def root_of(rules: Rules) -> str | None:
    """Return the folder of directives of a configuration; None where it has none."""
    rows = rules.settings.projections
    return next((one.path for one in rows if one.format == PROJECTION.format), None)


def task_of(reader: Reader, session: str, folder: str) -> str | None:
    """Return the task of a directive that a session acts for; None if there is none, or several."""
    own = [task.id for task in reader.tasks() if task.holder == session]
    found = []
    for name in own:
        said = [json.loads(packet_text(reader, one)) for one in reader.packets(name)]
        if any(one.get("directive", {}).get("folder") == folder for one in said):
            found.append(name)
    return found[0] if len(found) == 1 else None


def task_path(named: str, directive: Directive) -> tuple[str, str]:
    """Return the task file of a directive that somebody means, or '' and why there is none.

    It is named by its file's name, from the top, by an absolute path, or by a path in the
    directive's folder at another place, where older tools kept it.
    """
    *above, name = named.rstrip("/").split("/")
    if above and (above[-1] != directive.name or ".." in above):
        return "", f"it does not lie in {directive.folder}"
    for one in (name, f"{name}{TASK}"):
        if one in directive.tasks:
            return f"{directive.folder}/{one}", ""
    there = ", ".join(directive.tasks[:NAMED_MAX]) or "none"
    return "", f"{directive.folder} has no such task; it has {there}"


def seen(context: Context, rules: Rules, handed: Handed | None) -> DirectiveSeen | None:
    """Return the directive of a packet as it lies in the working tree; None where it has none."""
    said = None if handed is None else handed.part("directive")
    if not isinstance(said, dict) or not said:
        return None
    folder, root = str(said.get("folder", "")), root_of(rules)
    name = folder.removeprefix(f"{root}/")
    if root is None or name == folder:
        return DirectiveSeen(folder, "it lies in no folder of directives of the configuration")
    directives = Directives(context.outside, root)
    found = directives.at(name)
    if found.meta is None:
        return DirectiveSeen(folder, found.problem)
    task_file = str(said.get("task_file", ""))
    with context.store.read() as reader:
        session = context.caller.session
        known = None if session is None else reader.session(session)
    giver = handed is not None and handed.packet is None and known is not None
    return DirectiveSeen(
        folder=folder,
        meta=found.meta.path,
        id=found.meta.id,
        branch=found.meta.branch,
        has_task=task_file.removeprefix(f"{folder}/") in found.tasks,
        head=context.outside.branch(),
        giver=known.role if giver and known is not None else None,
    )


# --- what a packet says --------------------------------------------------------------------------


def completed(context: Context, asked: Offering, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a draft with what its directive says: branch, id, task file, and the scope of that.

    Raises MalformedPacket for a directive or a task that is named and is none.
    """
    with context.store.read() as reader:
        rules = rules_in_force(reader)
        root = root_of(rules)
        if root is None:
            return dict(given)
        former, named = _former(reader, context, asked, given)
    directives = Directives(context.outside, root)
    found = _meant(context, rules, directives, given, (former, named))
    if found is None:
        return dict(given)
    to_role = asked.to_role if asked.to_role is not None else given.get("to_role")
    meta = found.meta
    said: dict[str, Any] = {**given.get("directive", {}), "folder": found.folder}
    if meta is not None:
        said |= {"slug": meta.slug or found.name, "id": said.get("id") or meta.id or None}
    none = "task_file" in said and said["task_file"] is None
    typed = said.pop("task_file", None)
    path = ""
    if typed:
        path, why = task_path(str(typed), found)
        if not path:
            raise MalformedPacket(field="directive.task_file", reason=why, value=str(typed))
        said["task_file"] = path
    elif not none:
        path = _task(directives, found, former, to_role) or ""
        said |= {"task_file": path} if path else {}
    metadata = dict(given.get("metadata", {}))
    if meta is not None and meta.branch:
        metadata.setdefault("branch", meta.branch)
    paths = metadata.get("worktree_allowlist_paths")
    metadata.setdefault("worktree_mode", KNOWN_DIRTY if paths else CLEAN_REQUIRED)
    made = {**given, "directive": said, "metadata": metadata}
    scoped = asked.scope or given.get("context", {}).get("files_in_scope")
    if to_role == EXECUTOR and path and not scoped:
        try:
            allowed, _ = directives.allowed(path)
        except MalformedPacket:
            if typed:
                raise
            allowed = ()  # nobody named it: its gates tell, and the packet goes out
        made = draft({"context": {}, **made}, {"context": {"files_in_scope": list(allowed)}})
    elif not scoped:
        made = _with_scope(context, asked, made)
    return made


def _former(
    reader: Reader, context: Context, asked: Offering, given: Mapping[str, Any]
) -> tuple[Mapping[str, Any], str]:
    """Return what the newest packet of the task says of its directive, and the task's name."""
    name = asked.task or given.get("task_id") or ""
    if not name:
        session = context.caller.session
        held = [task.id for task in reader.tasks() if session and task.holder == session]
        name = held[0] if len(held) == 1 and not asked.fresh else ""
    for packet in reversed(reader.packets(name) if name and name.isascii() else []):
        said = json.loads(packet_text(reader, packet)).get("directive")
        if isinstance(said, dict) and said.get("folder"):
            return said, name
    return {}, name


def _meant(
    context: Context,
    rules: Rules,
    directives: Directives,
    given: Mapping[str, Any],
    known: tuple[Mapping[str, Any], str],
) -> Directive | None:
    """Find the directive of a packet; None where nothing tells which one it is.

    It is the one that the packet names, or the document that fired its trigger, or that of the
    task's former packets, of the task's own name, or of the branch that is checked out.
    """
    former, task = known
    said = given.get("directive", {})
    if said.get("folder"):
        return _named(directives, str(said["folder"]))
    if said.get("id"):
        return _with_id(directives, str(said["id"]))
    fired = _fired_by(rules, directives, given.get("trigger"))
    if fired is not None:
        return fired
    if former:
        return _named(directives, str(former["folder"]))
    every = [one for one in directives.all() if one.meta is not None]
    same = [one for one in every if task and one.meta is not None and one.meta.slug == task]
    if not same:
        branch = context.outside.branch()
        live = [one for one in every if one.meta is not None and not one.meta.over]
        same = [one for one in live if branch and one.meta and one.meta.branch == branch]
    return same[0] if len(same) == 1 else None


def _named(directives: Directives, folder: str) -> Directive:
    """Return the directive in a folder that is named; raises MalformedPacket."""
    name = folder.removeprefix(f"{directives.root}/").rstrip("/")
    found = directives.at(name) if name in directives.names() else None
    if found is None or found.problem:
        reason = f"there is no directive {name[:80]!r} in {directives.root}"
        reason = reason if found is None else found.problem
        raise MalformedPacket(field="directive.folder", reason=reason, value=folder)
    return found


def _with_id(directives: Directives, id: str) -> Directive:
    """Return the directive of an id; raises MalformedPacket where that is not one."""
    found = [one for one in directives.all() if one.meta is not None and one.meta.id == id]
    if len(found) == 1:
        return found[0]
    reason = f"{len(found) or 'no'} directives have the id {id[:80]!r}"
    raise MalformedPacket(field="directive.id", reason=reason, value=id)


def _fired_by(rules: Rules, directives: Directives, trigger: str | None) -> Directive | None:
    """Return the only directive that comes before all others, where such a document fired."""
    row = next((one for one in rules.settings.triggers if one.id == trigger), None)
    if row is None or row.when.event != "document":
        return None
    found = [one for one in directives.all() if one.meta is not None and one.meta.ultra]
    return found[0] if len(found) == 1 else None


def _task(
    directives: Directives, found: Directive, former: Mapping[str, Any], to_role: str | None
) -> str | None:
    """Return the task that a packet is about where nobody says it; None where it cannot be told.

    It is that of the packets before, or, for the executor, the only one that is not over.
    """
    before = former.get("task_file")
    known = isinstance(before, str) and before.removeprefix(f"{found.folder}/") in found.tasks
    if to_role != EXECUTOR:
        return str(before) if known else None
    if known and not directives.is_over(str(before)):
        return str(before)
    paths = [f"{found.folder}/{name}" for name in found.tasks]
    open_ = [path for path in paths if not directives.is_over(path)]
    return open_[0] if len(open_) == 1 else None


def _with_scope(context: Context, asked: Offering, made: dict[str, Any]) -> dict[str, Any]:
    """Return a draft that takes along what its giver holds by the packet that it acts by.

    So it stays reserved for the task until somebody has decided.
    """
    with context.store.read() as reader:
        session = context.caller.session
        known = None if session is None else reader.session(session)
        scope = [] if known is None else _held(reader, known, asked.task)
    if not scope:
        return made
    return draft({"context": {}, **made}, {"context": {"files_in_scope": scope}})


def _held(reader: Reader, session: Session, task: str | None) -> list[str]:
    """Return the patterns of the packet by which a session acts, as far as it holds them."""
    own = [one for one in reader.tasks() if one.holder == session.id]
    own = [one for one in own if task is None or one.id == task]
    taken = reader.packet(own[0].id, own[0].taken) if len(own) == 1 else None
    if taken is None:
        return []
    live = [lease for lease in reader.leases(session.id) if lease.live(reader.now)]
    held = {text for lease in live for text in lease.scope}
    return [text for text in taken.patterns if text in held]
