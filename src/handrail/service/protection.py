"""Which branches of a bare repository are protected, by what they hold and never by what is pushed.

Promises: a branch is protected if the configuration that it holds says so, or that of a branch
which protects itself; so nobody unprotects one by writing to another. Who judges is said in the
same way: a branch that is made anew, or at an old commit, brings no law of its own. A configuration
that cannot be read protects nothing, but where one is looked for first, it lets nobody pass either.

    standing = read_standing(arriving, {}, [])
    standing.protects("refs/heads/main")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from handrail import errors
from handrail.config import CONFIG_FILE, Settings, parse_config
from handrail.config.records import Epoch
from handrail.core.published import BRANCHES
from handrail.core.record import Record
from handrail.service.published import Published
from handrail.service.ranges import Update, is_protected
from handrail.typed import Final, Protocol

HEADS: Final = "refs/heads/"
FIRST_GUESSES: Final = ("HEAD", "refs/heads/main", "refs/heads/master")
"""Where a configuration that nobody can read must not stay unnoticed."""


class Arriving(Protocol):
    """The repository that a push comes to. Refs are named in full; raises FactsUnavailable."""

    def target(self, ref: str) -> str:
        """Return the ref that really changes when this one is pushed."""

    def values(self, refs: Sequence[str]) -> dict[str, str]:
        """Return what each of these refs holds; none for those that are not there."""

    def heads(self) -> dict[str, str]:
        """Return the branches, a bounded number of them."""

    def configurations(self, needed: Sequence[str], others: Sequence[str]) -> dict[str, bytes]:
        """Return the ``handrail.toml`` of each commit that has one; of others a bounded number."""

    def ledgers(self, enrolled: Sequence[Epoch], tips: Mapping[str, str]) -> Sequence[Published]:
        """Check the ledgers that a push brings: ``tips`` by ref."""


class Broken(Record):
    """A configuration that cannot be read."""

    line: str
    reason: str


class Standing(Record):
    """What the branches hold before a push, and what is configured there and in what comes.

    ``laws`` are the protected refs of each branch that protects itself; HEAD leads to ``head``.
    """

    now: Mapping[str, str]
    configured: Mapping[str, Settings | Broken]
    guesses: frozenset[str]
    laws: Mapping[str, tuple[str, ...]]
    head: str

    @property
    def is_unclaimed(self) -> bool:
        """Tell whether nothing is protected yet, so that the first configuration is adopted."""
        return not self.laws and not any(self.broken())

    def broken(self) -> Iterator[tuple[str, Broken]]:
        """Yield the configurations that nobody can read, where one is looked for first."""
        for guess in sorted(self.guesses):
            found = self.before(guess)
            if isinstance(found, Broken):
                yield guess, found

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """The stores that protected branches enrol, each as the first of them does."""
        found: dict[str, Epoch] = {}
        for ref in sorted(self.laws, key=lambda ref: (ref not in self.guesses, ref)):
            settings = self.before(ref)
            if isinstance(settings, Settings):
                for epoch in settings.epochs:
                    found.setdefault(epoch.id, epoch)
        return tuple(found.values())

    def before(self, ref: str) -> Settings | Broken | None:
        """Return what a branch configures now."""
        commit = self.now.get(ref)
        return None if commit is None else self.configured.get(commit)

    def protects(self, ref: str) -> bool:
        """Tell whether a branch is protected; raises FactsUnavailable where nobody can tell."""
        if any(is_protected(ref, law) for law in self.laws.values()):
            return True
        if ref not in self.now or ref in self.guesses:
            for guess, broken in self.broken():
                reason = f"line {broken.line}: {broken.reason}"
                raise errors.FactsUnavailable(what=f"{CONFIG_FILE} of {guess}", reason=reason)
        return False

    def resembles(self, ref: str) -> bool:
        """Tell whether a branch differs from a protected one in upper and lower case alone."""
        laws = [[name.lower() for name in law] for law in self.laws.values()]
        return not self.protects(ref) and any(is_protected(ref.lower(), law) for law in laws)

    def judge_of(self, refs: Sequence[str]) -> str | None:
        """Return the commit that judges what comes to these protected branches; None: none does.

        It is what HEAD leads to, if that protects itself: no push says where HEAD leads. Else what
        a branch holds that protects itself; else what protects it, if all that do say the same.
        Raises FactsUnavailable where that is more than one configuration.
        """
        if self.head in self.laws:
            return self.now[self.head]
        found: dict[Settings | Broken, str] = {}
        for ref in refs:
            own = [ref] if ref in self.laws else sorted(self.laws)
            for one in own:
                if is_protected(ref, self.laws[one]):
                    found.setdefault(self.configured[self.now[one]], self.now[one])
        if len(found) > 1:
            reason = "HEAD leads to no branch that protects itself, and others say different things"
            what = f"which {CONFIG_FILE} judges {refs[0]}"
            raise errors.FactsUnavailable(what=what, reason=reason, next="git symbolic-ref HEAD")
        return next(iter(found.values()), None)


NOTHING: Final = Standing({}, {}, frozenset(), {}, "")


def read_standing(
    arriving: Arriving, pushed: Mapping[str, str], updates: Sequence[Update]
) -> Standing:
    """Read what the branches configure, and what those will that change.

    ``pushed`` is what the refs of the updates hold, as far as it was looked up already.
    """
    guesses = [arriving.target(ref) for ref in FIRST_GUESSES]
    found = {**arriving.heads(), **arriving.values(guesses), **pushed}
    now = {ref: held for ref, held in found.items() if is_branch(ref)}
    needed = [now[ref] for ref in (*guesses, *pushed) if ref in now]
    needed += [one.new for one in updates if one.new is not None]
    texts = arriving.configurations(needed, list(now.values()))
    read = {text: _settings(text) for text in set(texts.values())}
    configured = {commit: read[text] for commit, text in texts.items()}
    laws = {}
    for ref, commit in now.items():
        settings = configured.get(commit)
        if isinstance(settings, Settings):
            protected = settings.workspace.protected_refs
            if is_protected(ref, protected):
                laws[ref] = protected
    return Standing(now, configured, frozenset(guesses), laws, guesses[0])


def _settings(text: bytes) -> Settings | Broken:
    try:
        return parse_config(text)
    except errors.MalformedConfig as error:
        return Broken(str(error.values["line"]), str(error.values["reason"]))


def is_branch(ref: str) -> bool:
    """Tell whether a ref is a branch that people work on, and not a ledger's."""
    return ref.startswith(HEADS) and not ref.startswith(BRANCHES)
