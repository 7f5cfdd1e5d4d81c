"""A look at a working tree that git has begun, while this process is still being imported.

Promise: as in ``facts.git``; whoever begins one ends it, whatever happens meanwhile.

    begun = Begun("/repo")
    look("/repo", "/repo/.git", (), begun)
"""

from __future__ import annotations

from handrail.facts.dirt import begin_dirty
from handrail.facts.git import Asking
from handrail.facts.refs import head_of
from handrail.typed import Final

STATUS: Final = "status"
LISTING: Final = "listing"
REMOTES: Final = "remotes"
LIST: Final = ("ls-tree", "-r", "-z", "--full-tree")
"""How git is asked what a commit holds, whose id comes behind."""


class Begun:
    """A look that git has begun; each answer is taken once, the rest let go of in the end."""

    def __init__(self, toplevel: str, *, listing: bool = False) -> None:
        """Begin; with the ``listing`` of HEAD's commit, and of the remotes.

        Raises FactsUnavailable.
        """
        self._asked = {STATUS: begin_dirty(toplevel)}
        try:
            self.commit, self.tree = head_of(toplevel)
            if listing and self.commit:
                self._asked[LISTING] = Asking(toplevel, [*LIST, self.commit])
                self._asked[REMOTES] = Asking(toplevel, ["remote"])
        except BaseException:
            self.end()
            raise

    def take(self, what: str) -> bytes | None:
        """Return the answer, None where it was taken or not asked for; raises FactsUnavailable."""
        asked = self._asked.pop(what, None)
        return None if asked is None else asked.answer()

    def end(self) -> None:
        """Let go of what nobody has taken."""
        while self._asked:
            self._asked.popitem()[1].end()
