"""``init``, ``uninstall`` and the ``config`` commands."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Final

from handrail import errors
from handrail.edge.cli.invocation import Invocation
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.install import (
    CREATED,
    KEPT,
    LEFT,
    MERGED,
    REPLACED,
    UPDATED,
    Projections,
    Step,
    guidance,
    install,
    merge_driver,
    settings,
)
from handrail.service.install import uninstall as take_out
from handrail.service.install.preset_files import files_of, presets_of
from handrail.service.install.tracked import HOOK, IGNORED
from handrail.service.setup import (
    CONFIG_NAME,
    Initialised,
    apply_config,
    initialise,
    settings_here,
    uninstall_plan,
)
from handrail.text import shell_quote, visible

CLAUDE: Final = "claude"
HARNESSES_TO_COME: Final = (
    *("amp", "cline", "codex", "copilot", "cursor", "devin", "gemini", "opencode", "windsurf"),
)


def init(invocation: Invocation) -> Reply:
    """Set the repository up."""
    if invocation.flag("bare"):
        from handrail.edge.cli.commands.bare import init_bare

        return init_bare(invocation)
    try:
        application = invocation.application
    except errors.BareRepository as found:
        if of_working_tree(found):
            raise
        path = found.values["path"]
        raise errors.BareRepository(path=path, next="handrail init --bare") from found
    dry_run = invocation.flag("dry_run")
    later = _later(invocation.text("harness"))
    done = initialise(application.ground, invocation.text("preset") or "minimal", dry_run=dry_run)
    done = done._replace(
        steps=(
            *done.steps,
            *install(application.site, done.mode, done.projections, dry_run=dry_run),
        )
    )
    data: Data = {
        "workspace": done.workspace,
        "epoch": done.epoch,
        "files": [step._asdict() for step in done.steps],
        "config": done.config,
    }
    if dry_run:
        data["dry_run"] = True
    lines = step_lines(done.steps, application.place.toplevel, dry_run=dry_run)
    notes: list[str] = []
    written: list[str] = []
    if done.projections:
        from handrail.edge.cli.commands.adopting import adopted

        more, notes, written = adopted(application, done, data, dry_run=dry_run)
        lines += more
    lines.append(f"workspace {done.workspace} {'would be ' if dry_run else 'is '}ready")
    notes += _unused(done, invocation.text("preset"))
    notes += _notes(done, application.place.toplevel, written)
    return Reply(data, "\n".join(lines), (*later, *notes))


def of_working_tree(found: errors.BareRepository) -> bool:
    """Tell whether a folder is the git folder of a working tree, which somebody entered."""
    return os.path.basename(str(found.values["path"])) == ".git"


def step_lines(steps: Iterable[Step], toplevel: str, *, dry_run: bool = False) -> list[str]:
    """Return a line a step: what became of it, what it is, and what else is to be said."""
    would = "would be " if dry_run else ""
    return [
        f"{would}{step.outcome}  {shown(step.what, toplevel)}"
        + (f": {visible(step.note)}" if step.note else "")
        for step in steps
    ]


def _later(named: str | None) -> tuple[str, ...]:
    """Say of which harnesses the hooks are still to come; raises Usage for what is none."""
    names = [name.strip() for name in (named or CLAUDE).split(",")]
    unknown = [name for name in names if name not in (CLAUDE, *HARNESSES_TO_COME)]
    if unknown:
        known = ", ".join((CLAUDE, *HARNESSES_TO_COME))
        raise errors.Usage(
            reason=f"{visible(unknown[0]) or 'That'} is no harness; known: {known}.",
            next=f"handrail init --harness {CLAUDE}",
        )
    missing = ", ".join(name for name in names if name != CLAUDE)
    return (f"note: hooks for {missing} are not in this release yet",) if missing else ()


def _unused(done: Initialised, preset: str | None) -> list[str]:
    """Say so if a preset was asked for and a configuration was there already."""
    kept = (CONFIG_NAME, KEPT) in ((step.what, step.outcome) for step in done.steps)
    if preset is None or not kept:
        return []
    return [f"note: {CONFIG_NAME} was there and counts; nothing of --preset was written into it"]


def _notes(done: Initialised, toplevel: str, written: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if done.config == "differs":
        notes.append(
            f"note: {CONFIG_NAME} differs from what is in force; next: handrail config apply"
        )
    left = sum(step.outcome == LEFT for step in done.steps)
    if left:
        notes.append(f"note: {count(left, 'file')} could not be written, as said above")
    shared = [
        shown(step.what, toplevel)
        for step in done.steps
        if step.outcome in (CREATED, MERGED, REPLACED, UPDATED)
        and _is_shared(step, toplevel, done.projections)
    ]
    shared += [visible(path) for path in written]
    if shared:
        words = " ".join(shell_quote(path) for path in shared)
        notes.append(f"note: commit what every working tree should have: git add {words}")
    notes.append('next: eval "$(handrail session start)" && handrail claim SCOPE')
    return tuple(notes)


def _is_shared(step: Step, toplevel: str, projections: Projections) -> bool:
    presets = presets_of([one.format for one in projections])
    files = (HOOK, settings.FILE, guidance.FILE, merge_driver.FILE, *files_of(presets))
    shared = step.what == CONFIG_NAME or step.what in {f"{toplevel}/{file}" for file in files}
    return shared and step.note != IGNORED


def shown(path: str, toplevel: str) -> str:
    """Return a path as it is seen from the top of the working tree."""
    root = toplevel.rstrip("/") + "/"
    return visible(path[len(root) :] if path.startswith(root) else path)


def validate(invocation: Invocation) -> Reply:
    """Check a configuration and name every mistake."""
    from handrail.config import parse_config, validate_config
    from handrail.service.triggers import odd_triggers
    from handrail.wiring import read_file

    name = invocation.text("file")
    path = invocation.file("file") or _config_path(invocation)
    text = read_file(path, pipe=name is not None)
    if text is None:
        raise errors.FactsUnavailable(what=path, reason="there is no such file")
    problems = validate_config(text)
    shown = visible(name or CONFIG_NAME)
    data: Data = {
        "file": name or CONFIG_NAME,
        "problems": [problem._asdict() for problem in problems],
    }
    if not problems:
        odd = odd_triggers(parse_config(text))
        notes = tuple(f"note: {visible(line)}" for line in odd)
        return Reply({**data, "notes": list(odd)}, f"{shown} is valid", notes)
    lines = [f"{shown}:{problem.line}: {problem.reason}" for problem in problems]
    lines.append(count(len(problems), "problem"))
    return Reply(data, "\n".join(lines), status=errors.EXIT_MALFORMED)


def _config_path(invocation: Invocation) -> str:
    return os.path.join(invocation.application.place.toplevel, CONFIG_NAME)


def schema(invocation: Invocation) -> Reply:
    """Print the JSON Schema."""
    from handrail.config import json_schema

    described = json_schema()
    return Reply(dict(described), json.dumps(described, indent=2, ensure_ascii=True))


def apply(invocation: Invocation) -> Reply:
    """Put the file's configuration into force."""
    dry_run = invocation.flag("dry_run")
    done = apply_config(invocation.application.context, dry_run=dry_run)
    data: Data = {"blob": done.blob, "seq": done.seq, "changed": done.changed}
    if not done.changed:
        return Reply(data, f"{CONFIG_NAME} is in force already")
    if dry_run:
        return Reply({**data, "dry_run": True}, f"{CONFIG_NAME} would come into force")
    return Reply(data, f"{CONFIG_NAME} is in force (entry {done.seq})")


def uninstall(invocation: Invocation) -> Reply:
    """Take Handrail out of the repository."""
    dry_run = invocation.flag("dry_run")
    try:
        application = invocation.application
    except errors.BareRepository as found:
        if of_working_tree(found):
            raise
        from handrail.edge.cli.commands.bare import uninstall_bare

        return uninstall_bare(invocation)
    plan = uninstall_plan(application.context)
    projections = settings_here(application.context).projections
    shown_files: tuple[str, ...] = ()
    if projections:
        from handrail.service.adopting import left_behind

        files = application.projection_files
        shown_files = left_behind(application.context, files, projections)
    taken = take_out(application.site, shown_files, dry_run=dry_run)
    prefix = "would be " if dry_run else ""
    steps = step_lines(taken, application.place.toplevel)
    if plan.remove_config:
        steps.append(f"removed  {CONFIG_NAME}")
    elif plan.kept_because:
        steps.append(f"kept     {CONFIG_NAME}: {plan.kept_because}")
    aside = ""
    if not dry_run:
        application.close()
        if plan.remove_config:
            application.ground.remove_config()
        aside = application.ground.retire()
    steps.append(f"set aside  the store{f' as {aside}' if aside else ''}; nothing in it is lost")
    data: Data = {"steps": list(steps), "dry_run": dry_run, "live_leases": plan.live_leases}
    notes = []
    if plan.live_leases:
        notes.append(f"note: no longer in force: {count(plan.live_leases, 'live lease')}")
    return Reply(data, "\n".join(prefix + step for step in steps), tuple(notes))
