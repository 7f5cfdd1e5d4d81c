"""Where the paths of a hook event lie: in which workspace, under which repo-relative names.

Promises: a path belongs to the repository that it lies in, whatever folder the harness was started
in; what lies in none, or in one that Handrail does not guard, is nobody's; links are followed, and
both the link and what it points to are asked for. Each workspace is opened once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from handrail import errors
from handrail.core.record import Record
from handrail.typed import Final
from handrail.wiring import Application

UNDECIDED: Final = "shell_undecided_total"
_ENFORCE: Final = "enforce"
_LAUNCH: Final = "handrail/launch"
_HIDDEN: Final = ("HANDRAIL_SESSION", "HANDRAIL_SECRET", "AGENT_SESSION_ID")


class Target(Record):
    """Something that is written: repo-relative paths (a link and its end), free of links.

    With ``below`` it is a folder of which anything may change.
    """

    paths: tuple[str, ...]
    below: bool = False


class Places:
    """The workspaces around one hook event."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        # The payload says which session it is about.
        self._own = {name: text for name, text in environment.items() if name not in _HIDDEN}
        self._open: dict[str, Application | None] = {}

    def close(self) -> None:
        """Give every store back."""
        for application in self._open.values():
            if application is not None:
                application.close()

    def around(self, folder: str) -> list[Application]:
        """Return the workspace around a folder; none if Handrail does not guard it."""
        application = self._at(folder)
        return [] if application is None else [application]

    def targets(self, paths: Sequence[str], folder: str) -> list[tuple[str, bool]]:
        """Make paths of a payload absolute; none of them stands for all below it."""
        home = self._environment.get("HOME", "")
        found = []
        for path in paths:
            full = home + path[1:] if path.startswith("~/") and home else path
            found.append((os.path.normpath(os.path.join(folder, full)), False))
        return found

    def written_by(self, command: str, folder: str) -> list[tuple[str, bool]]:
        """Return what a shell line writes, as far as it can be told; and whether all below it."""
        from handrail.edge.shell.grammar import written
        from handrail.edge.shell.scan import may_write

        if not may_write(command):
            return []
        found = written(command, folder, self._environment.get("HOME", ""), self._environment)
        if found.undecided:
            for application in self.around(folder):
                application.counters.add(UNDECIDED, found.undecided)
        return [(target.path, target.below) for target in found.targets]

    def by_workspace(
        self, targets: Sequence[tuple[str, bool]]
    ) -> Iterator[tuple[Application, list[Target]]]:
        """Sort absolute paths by the workspace that guards them; raises MalformedScope."""
        found_in: dict[str, tuple[Application, list[Target]]] = {}
        for path, below in targets:
            application = self._at(_out_of_git(path if below else os.path.dirname(path)))
            if application is None:
                continue
            found = _inside(application, path, below=below)
            if found:
                top = application.place.toplevel
                found_in.setdefault(top, (application, []))[1].extend(found)
        yield from found_in.values()

    def mode_of(self, folder: str) -> str:
        """Return the mode of edits around a folder; the strictest where it cannot be read."""
        try:
            from handrail.service.guarding import Guarding

            application = self._at(folder)
            return "shadow" if application is None else Guarding(application.context).mode("edit")
        except errors.HandrailError:
            return _ENFORCE

    def log(self, stage: str, code: str, text: str) -> None:
        """Write a line into the log of each workspace that is open."""
        for application in self._open.values():
            if application is not None:
                application.hook_log.write(stage, code, text)

    def _at(self, folder: str) -> Application | None:
        """Open the workspace around a folder that need not exist; raises NotInitialised if lost."""
        while not os.path.isdir(folder):
            parent = os.path.dirname(folder)
            if parent == folder:
                return None
            folder = parent
        try:
            application = Application.open(folder, self._own, terminal=False)
        except (errors.NoRepository, errors.BareRepository):
            return None
        # Nor is it looked for among the processes above, which takes its time.
        application.act_as_nobody()
        top = application.place.toplevel
        if top not in self._open:
            guarded = application.ground.store_exists()
            if not guarded and os.path.exists(f"{application.place.common_dir}/{_LAUNCH}"):
                application.hook_log.write("edit", "not_initialised", "the store is gone")
                raise errors.NotInitialised(path=application.ground.store_path())
            self._open[top] = application if guarded else None
        return self._open[top]


def _out_of_git(folder: str) -> str:
    """Return the working tree of a path in a git folder: what lies there is asked for there."""
    names = folder.split("/")
    lower = [name.lower() for name in names]
    return "/".join(names[: lower.index(".git")]) or "/" if ".git" in lower else folder


def _inside(application: Application, path: str, *, below: bool) -> list[Target]:
    """Return what an absolute path means in its working tree; nothing where a link leads out."""
    top = application.place.toplevel
    real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if real == top:
        return [Target(("",), below=True)] if below else []
    if not real.startswith(f"{top}/"):
        return []
    inside = real[len(top) + 1 :]
    try:
        found = [Target(tuple(application.ground.resolved(inside)))]
    except errors.MalformedScope:
        return []
    if below and os.path.isdir(real) and not os.path.islink(real):
        return [Target((inside,), below=True)]
    return found
