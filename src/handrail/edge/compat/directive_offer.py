"""``newhandoff``: what was typed, made into an offer of Handrail's.

Promises: what the original refused is refused in its words, before anything is written; what it let
pass and is not true (a branch, a dirty tree, a task file of another directive) is refused as well.
Who acts is the session of the harness or of the environment; where there is none, one of the role
is begun for the directive.

    offered(Asked(session="26-02-11_nav", to_role="executor"), "/repo").path
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from handrail.core.names import NAME_CHARS_MAX
from handrail.core.nearest import nearest
from handrail.core.packet import CLEAN_REQUIRED, KNOWN_DIRTY, WORKTREE_MODES
from handrail.core.record import Record
from handrail.core.role import ANY_ROLE
from handrail.core.task import BLOCK, COMPLETE, OPEN, Packet
from handrail.core.trigger import BLOCKED
from handrail.gates.directive import NO_TASK
from handrail.projections.aliases import resolved
from handrail.projections.directive import EXECUTOR, path_fault, trigger_of, value_of
from handrail.projections.directive_files import UUID, Meta
from handrail.projections.directive_handoff import SUFFIX, shown_as
from handrail.projections.port import Known
from handrail.service.directives import Directive, Directives, completed, root_of
from handrail.service.fired import Fire
from handrail.service.handoffs import Offering
from handrail.service.policy import Rules, rules_in_force
from handrail.service.projected_rows import LEFT
from handrail.service.projecting import Projecting
from handrail.text import shell_quote
from handrail.wiring import Application

if TYPE_CHECKING:
    from handrail.service.judged import JudgedHandoffs

ARCHITECT: Final = "architect"
DEFAULT_READING: Final = "apps/web/docs/guides/component-paradigm.md"
DIRTY_SHOWN_MAX: Final = 50
MEANT_MAX: Final = 8


class Wrong(Exception):
    """What is wrong with what was asked, in the original's words, and a hint."""

    def __init__(self, told: str, hint: str = "") -> None:
        super().__init__(told)
        self.hint = hint


class Asked(Record):
    """The options of ``newhandoff``; None is what nobody typed, '' an option without a value."""

    session: str | None = None
    from_role: str | None = None
    to_role: str | None = None
    trigger: str | None = None
    objective: str | None = None
    blocking_rule: str | None = None
    task_file: str | None = None
    directive_branch: str | None = None
    worktree_mode: str | None = None
    allowlist_paths: tuple[str, ...] = ()
    required_reading: str | None = None
    dry_run: bool = False
    no_prompt: bool = False
    help: bool = False


class Done(Record):
    """The file that shows the handoff, and what stands in it."""

    path: str
    value: Mapping[str, Any]


def offered(asked: Asked, folder: str) -> Done:
    """Offer what was asked, or say what that would be; raises Wrong and what offering raises."""
    application = Application.open(folder, os.environ, terminal=False)
    try:
        return _Handing(application, folder, asked).done()
    finally:
        application.close()


class _Handing:
    """One handoff on its way."""

    def __init__(self, application: Application, folder: str, asked: Asked) -> None:
        self._application = application
        self._folder = folder
        self._asked = asked
        self._context = application.context
        with self._context.store.read() as reader:
            self._rules: Rules = rules_in_force(reader)
            session = self._context.caller.session
            known = None if session is None else reader.session(session)
        self._acts_as = None if known is None else known.role
        root = root_of(self._rules)
        if root is None:
            step = "handrail init --preset directive"
            raise Wrong("The configuration in force knows of no directives", step)
        self._directives = Directives(self._context.outside, root)

    def done(self) -> Done:
        """Check everything that was typed, and offer it."""
        asked = self._asked
        from_role, to_role = self._roles()
        directive, meta = self._directive()
        offering = self._offering(directive, meta, (from_role, to_role))
        content = completed(self._context, offering, json.loads(offering.packet or b"{}"))
        if to_role == EXECUTOR and not content["directive"].get("task_file"):
            raise Wrong(NO_TASK)
        offering = offering._replace(packet=json.dumps(content).encode("ascii"))
        self._check_tree(content)
        path = f"{directive.folder}/{content['directive']['slug']}{SUFFIX}"
        if asked.dry_run:
            return Done(path, self._shown(content, from_role, to_role))
        self._begin(from_role, content["directive"]["slug"])
        done = self._judged().offer(self._named(offering, directive))
        self._write(path)
        shown = shown_as(Known(0, roles=self._rules.settings.roles), done.packet, content)
        return Done(path, {"handoff": value_of(shown)})

    # --- what was typed --------------------------------------------------------------------------

    def _roles(self) -> tuple[str, str]:
        asked = self._asked
        known = [role.name for role in self._rules.settings.roles]
        from_role = asked.from_role
        if from_role is None:
            from_role = self._acts_as or os.environ.get("DC_ROLE") or ARCHITECT
        if from_role not in known:
            raise Wrong(
                f"Invalid --from-role '{from_role}'", _near("--from-role", from_role, known)
            )
        if self._acts_as not in (None, from_role):
            session = self._context.caller.session
            hint = f"newhandoff --from-role {self._acts_as}"
            raise Wrong(
                f"Invalid --from-role '{from_role}'\nSession {session} acts as {self._acts_as}.",
                hint,
            )
        to_role = asked.to_role
        if to_role is None:
            to_role = EXECUTOR if from_role == ARCHITECT else ARCHITECT
        if to_role not in known or to_role == from_role:
            others = [name for name in known if name != from_role]
            raise Wrong(f"Invalid --to-role '{to_role}'", _near("--to-role", to_role, others))
        return from_role, to_role

    def _directive(self) -> tuple[Directive, Meta]:
        """Return the directive that is meant; raises Wrong."""
        named = self._asked.session
        if named is None:
            said = completed(self._context, Offering(), {}).get("directive", {})
            named = said.get("folder")
        if not named:
            raise Wrong("Missing --session", f"newhandoff --session {self._some()}")
        toplevel = self._application.place.toplevel.rstrip("/")
        plain = named.removeprefix(f"{toplevel}/").removeprefix("./").rstrip("/")
        plain = plain.removeprefix(f"{self._directives.root}/")
        every = self._directives.all()
        found = [one for one in every if one.name == plain]
        found = found or [
            one for one in every if one.meta and plain in (one.meta.id, one.meta.slug)
        ]
        if len(found) != 1:
            told = f"No session '{named}' in {self._directives.root}"
            raise Wrong(told, f"newhandoff --session {self._some()}")
        (directive,) = found
        meta = directive.meta
        if meta is None:
            raise Wrong(directive.problem, "dc validate")
        if UUID.fullmatch(meta.id) is None:
            raise Wrong(f"Missing or invalid meta.id in {meta.path}", "dc validate")
        return directive, meta

    def _some(self) -> str:
        names = self._directives.names()[-1:]
        return shell_quote(names[0]) if names else "<dir-or-uuid>"

    def _offering(self, directive: Directive, meta: Meta, roles: tuple[str, str]) -> Offering:
        """Return the offer, as far as it was typed or is canned."""
        asked, (from_role, to_role) = self._asked, roles
        row, name = self._trigger(from_role, to_role)
        for option, value in (
            ("--objective", asked.objective),
            ("--blocking-rule", asked.blocking_rule),
        ):
            if value is not None and not value.strip():
                raise Wrong(f"Missing {option}", f"newhandoff {option} TEXT")
        objective = asked.objective or f"Continue directive {meta.slug} as {to_role}."
        said: dict[str, Any] = {"folder": directive.folder}
        if asked.task_file is not None:
            said["task_file"] = _present(asked.task_file)
            if to_role == EXECUTOR and said["task_file"] is None:
                raise Wrong(NO_TASK)
        if row is None:
            said["trigger"] = name
        packet = {
            "to_role": to_role,
            "context": {
                "objective": objective,
                "blocking_rule": asked.blocking_rule or f"Work goes on as {to_role}.",
                "required_reading": self._reading(),
            },
            "metadata": {"branch": self._branch(meta), **self._mode()},
            "directive": said,
            **({} if row is None else {"trigger": row}),
        }
        return Offering(
            packet=json.dumps(packet).encode("ascii"),
            message=objective,
            to_role=to_role,
            kind=COMPLETE if row is None else BLOCK,
            # Whose trigger it is waits from here on, as where one fires by itself.
            fire=None if row is None else Fire(row, BLOCKED, row),
        )

    def _trigger(self, from_role: str, to_role: str) -> tuple[str | None, str]:
        """Return the row of the matrix that was named, None for no such one; and the name."""
        name = self._asked.trigger
        if name is None:
            return None, f"{from_role}_to_{to_role}_handoff"
        if not name.strip():
            raise Wrong("Missing --trigger", "handrail trigger list")
        rows = {one.id: one for one in self._rules.settings.triggers}
        row = rows.get(name)
        if row is None and trigger_of(name) == "":
            return None, name
        if row is None:
            near = nearest(name, rows) if rows else None
            step = "handrail trigger list" if near is None else f"newhandoff --trigger {near}"
            raise Wrong(f"Invalid --trigger '{name}'", step)
        if row.from_role not in (ANY_ROLE, from_role) or row.to_role != to_role:
            told = f"It leads from {row.from_role} to {row.to_role}."
            step = f"newhandoff --trigger {name} --to-role {row.to_role}"
            raise Wrong(f"Invalid --trigger '{name}'\n{told}", step)
        return name, name

    def _branch(self, meta: Meta) -> str:
        branch = self._asked.directive_branch
        branch = meta.branch if branch is None else branch
        if not branch:
            raise Wrong(
                "Missing directive branch. Provide --directive-branch or set "
                f"meta.directive_branch in {meta.path}"
            )
        if meta.branch and branch != meta.branch:
            raise Wrong(
                f"Handoff branch '{branch}' does not match directive metadata branch "
                f"'{meta.branch}'.",
                f"newhandoff --directive-branch {shell_quote(meta.branch)}",
            )
        return branch

    def _mode(self) -> dict[str, Any]:
        """Return how the working tree has to stand, where that was typed."""
        mode, paths = self._asked.worktree_mode, self._asked.allowlist_paths
        if mode is not None and mode not in WORKTREE_MODES:
            near = _near("--worktree-mode", mode, WORKTREE_MODES)
            raise Wrong(f"Invalid --worktree-mode '{mode}'", near)
        for path in paths:
            if path_fault(path):
                raise Wrong("Allowlist paths must be relative and must not include '..'")
            if self._context.outside.is_folder(path):
                raise Wrong(f"Allowlist paths must be exact: {path} is a folder")
        if mode == KNOWN_DIRTY and not paths:
            step = "newhandoff --worktree-mode known_dirty_allowlist --allowlist-path PATH"
            raise Wrong("known_dirty_allowlist requires at least one --allowlist-path", step)
        if mode == CLEAN_REQUIRED and paths:
            step = "newhandoff --worktree-mode known_dirty_allowlist"
            raise Wrong("clean_required has no --allowlist-path", step)
        if paths:
            names = list(dict.fromkeys(paths))
            return {"worktree_mode": KNOWN_DIRTY, "worktree_allowlist_paths": names}
        return {} if mode is None else {"worktree_mode": mode}

    def _reading(self) -> list[str]:
        named = self._asked.required_reading
        if named is None:
            there = self._context.outside.digest(DEFAULT_READING) is not None
            return [DEFAULT_READING] if there else []
        found = _present(named)
        return [] if found is None else [one.strip() for one in found.split(",") if one.strip()]

    def _check_tree(self, content: Mapping[str, Any]) -> None:
        """Refuse a working tree that is not as was typed, or not clean where work is complete."""
        from handrail.service.clean import standing_here

        metadata = content["metadata"]
        mode, allowed = metadata["worktree_mode"], metadata.get("worktree_allowlist_paths", [])
        if "trigger" in content and self._asked.worktree_mode is None and not allowed:
            return  # what is unfinished is declared by itself
        standing = self._application.bench(self._folder).standing(())
        dirty = [
            path for path in standing_here(self._context, standing).dirty if path not in allowed
        ]
        if not dirty:
            return
        rows = [f"- {path}" for path in dirty[:DIRTY_SHOWN_MAX]]
        if mode == CLEAN_REQUIRED:
            head = ["Working tree must be clean before this command.", "Dirty files:", *rows]
        else:
            head = ["Out-of-scope dirty files detected for directive flow.", "Dirty files:", *rows]
            head += ["Allowed scope prefixes:", *(f"- {path}" for path in allowed)]
        every = [*allowed, *dirty][:DIRTY_SHOWN_MAX]
        words = " ".join(f"--allowlist-path {shell_quote(path)}" for path in every)
        raise Wrong("\n".join(head), f"newhandoff --worktree-mode {KNOWN_DIRTY} {words}")

    # --- offering --------------------------------------------------------------------------------

    def _begin(self, role: str, slug: str) -> None:
        """Begin a session of the role for the directive where nobody else acts."""
        caller = self._context.caller
        if caller.session is not None or caller.harness is not None:
            return  # a harness without a session is refused as everywhere
        from handrail.service.sessions import Sessions

        name = f"{slug[: NAME_CHARS_MAX - len(role) - 1]}-{role}"
        started = Sessions(self._context).start(id=name, role=role)
        self._application.act_as(started.session.id)
        self._context = self._application.context

    def _named(self, offering: Offering, directive: Directive) -> Offering:
        """Return the offer with the task that it goes on with; a new one where there is none."""
        from handrail.service.directives import task_of

        with self._context.store.read() as reader:
            task = task_of(reader, self._context.caller.session or "", directive.folder)
        return offering._replace(task=task, fresh=task is None)

    def _judged(self) -> JudgedHandoffs:
        from handrail.service.judged import JudgedHandoffs
        from handrail.wiring.gates import Gates

        gates = Gates(self._application, self._folder, reruns=True).around(again="newhandoff")
        return JudgedHandoffs(self._context, self._application.packet_files, gates)

    def _write(self, path: str) -> None:
        """Write the file that shows the packet; raises Wrong where that cannot be."""
        files = self._application.projection_files
        for one in Projecting(self._context, files).lead_on():
            if one.path == path and one.outcome == LEFT:
                why = one.told[0].sentence if one.told else "it could not be written"
                raise Wrong(f"{path}: {why}; the packet is offered", "handrail export")

    def _shown(self, content: Mapping[str, Any], from_role: str, to_role: str) -> dict[str, Any]:
        """Return what would stand in the file."""
        kind = BLOCK if "trigger" in content else COMPLETE
        packet = Packet(
            *("-", 1, kind, OPEN, "-", "-", from_role, to_role, (), (), 0, 0, 0, 0, ""),
            *(None, None, None),
        )
        known = Known(0, roles=self._rules.settings.roles)
        return {"handoff": value_of(shown_as(known, packet, content))}


def _present(text: str) -> str | None:
    """Return a text; None for what says nothing."""
    nothing = not text.strip() or resolved("directive_text", text, ()).alias
    return None if nothing else text.strip()


def _near(option: str, value: str, known: tuple[str, ...] | list[str]) -> str:
    found = nearest(value, known)
    return f"newhandoff {option} {shell_quote(found or known[0])}"
