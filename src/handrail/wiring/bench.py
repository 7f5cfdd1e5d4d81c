"""Where commands run for evidence: this repository, and what its git says before and after."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager

from handrail.facts import documents
from handrail.facts.exports import PacketFiles
from handrail.facts.named import changed_since, compared, has_commit, held, here, relation
from handrail.facts.refs import ref_value
from handrail.facts.reports import Passed, load_report, mark_of
from handrail.facts.repository import Place
from handrail.facts.running import Order, Ran, Runner
from handrail.facts.standing import look, look_pushed, look_tree, operation
from handrail.gates.facts import Pushed, Standing, Tree
from handrail.gates.gate import Gate
from handrail.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.facts.begun import Begun
    from handrail.facts.reruns import TemporaryTree


class RepositoryBench:
    """Runs commands in a working tree, and looks at it; ``start`` is the caller's folder.

    The first look takes the answers of a git that has ``begun`` already.
    """

    def __init__(self, place: Place, start: str, begun: Begun | None = None) -> None:
        self._place = place
        self._start = start
        self._begun = begun
        self._runner = Runner()

    @property
    def folder(self) -> str:
        """The caller's folder, seen from the root of the working tree; '' is the root."""
        root = os.path.realpath(self._place.toplevel)
        below = os.path.relpath(os.path.realpath(self._start), root)
        return "" if below == "." else below

    def standing(self, reports: Collection[str]) -> Standing:
        """Return how the working tree stands, untracked reports left out."""
        return look(self._place.toplevel, self._place.git_dir, reports, self._begun)

    def pushed(self) -> Pushed:
        """Return whether HEAD was pushed."""
        return look_pushed(self._place.toplevel, self._begun)

    def tree(self, documents: Collection[str]) -> Tree:
        """Return what the commit holds, and the texts of some documents."""
        return look_tree(self._place.toplevel, tuple(documents), self._begun)

    def head(self) -> str:
        """Return the commit of HEAD; '' where there is none yet."""
        return ref_value(self._place.toplevel, "HEAD")

    def held(self, commit: str, paths: Sequence[str]) -> dict[str, bytes | None]:
        """Return the files that a commit holds at these paths; None for a folder."""
        return held(self._place.toplevel, commit, paths)

    def here(self, path: str) -> bytes | None:
        """Return the bytes of a file of the working tree; None if there is none."""
        return here(self._place.toplevel, path)

    def projection(self, path: str) -> bytes | None:
        """Return the bytes of a projection of the working tree; None if there is none."""
        from handrail.facts.projected import ProjectionFiles

        return ProjectionFiles(self._place.toplevel).read(path)

    def has_commit(self, name: str) -> bool:
        """Tell whether HEAD has the commit of this id, or of an id that begins so."""
        return has_commit(self._place.toplevel, name)

    def exported(self, name: str) -> bytes | None:
        """Return the file of a packet; None if there is none."""
        return PacketFiles(self._place.toplevel).read(name)

    def relation(self, commit: str) -> tuple[bool, bool, bool]:
        """Tell whether a commit is here, whether HEAD has it, and whether HEAD is behind it."""
        return relation(self._place.toplevel, commit)

    def changed_since(self, base: str) -> frozenset[str]:
        """Return the paths that the own commits since ``base`` changed."""
        return changed_since(self._place.toplevel, base)

    def compared(self, ref: str) -> tuple[str, dict[str, str]]:
        """Return where HEAD left a ref, and what it changed since: path to blob, '' if removed."""
        return compared(self._place.toplevel, ref)

    def plugin(self, name: str) -> Gate:
        """Load the gate of a plugin; raises FactsUnavailable."""
        from handrail.wiring.plugins import load

        return load(name)

    def behind_links(self, path: str) -> tuple[str, bytes] | None:
        """Return where a path leads in the working tree, and the bytes there."""
        return documents.behind_links(self._place.toplevel, path)

    def short_states(self) -> dict[str, str]:
        """Return the paths that differ from HEAD, each with the letters that git gives it."""
        return documents.short_states(self._place.toplevel)

    def upstream(self, branch: str) -> tuple[str, str]:
        """Return the name of what a branch is pushed to, and its commit as last seen."""
        return documents.upstream(self._place.toplevel, branch)

    def changed_lately(self, path: str, days: int) -> bool:
        """Tell whether a path was changed within some days."""
        return documents.changed_lately(self._place.toplevel, path, days)

    def operation(self) -> str | None:
        """Return what git has not finished."""
        return operation(self._place.git_dir)

    def rehearse(
        self, path: str, script: bytes, words: tuple[str, ...], launch: str
    ) -> tuple[int, str]:
        """Run a script with a launch line of one's own."""
        from handrail.facts.rehearsals import rehearse

        return rehearse(path, script, words, launch)

    def health(self, address: str) -> int:
        """Return the HTTP status that a service answers with; raises FactsUnavailable."""
        from handrail.facts.services import health_of

        return health_of(address)

    def run(
        self,
        argv: tuple[str, ...],
        *,
        timeout_ms: int | None,
        env: tuple[tuple[str, str], ...] = (),
        at_root: bool = True,
        show: Callable[[bytes], None] | None = None,
    ) -> Ran:
        """Run a command to its end, in the working tree's root or the caller's folder."""
        folder = self._place.toplevel if at_root else self._start
        return self._runner.run(Order(argv, folder, timeout_ms, env), show)

    def stop(self) -> None:
        """End every command that runs."""
        self._runner.stop()

    def report_mark(self, path: str) -> object:
        """Return what changes when a report is written anew; None if there is none."""
        return mark_of(os.path.join(self._place.toplevel, path))

    def report(self, path: str) -> Passed:
        """Read a report."""
        return load_report(self._place.toplevel, path)


class TemporaryTrees:
    """Where the evidence of others is run again: in a working tree of its own for each run."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def at(self, commit: str) -> AbstractContextManager[TemporaryTree]:
        """Make a working tree of a commit, and take it away in the end."""
        from handrail.facts.reruns import temporary_tree

        return temporary_tree(self._place, commit)
