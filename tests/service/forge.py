"""A forge without a network: branches, pull requests, event files, and what it makes of them.

What GitHub documents of its payloads is written as JSON and read back by ``handrail.core.forge``,
so every test goes through the event file. The remote is this repository: ``origin/main`` moves when
something lands.

    forge = Forge(repo, store)
    one = forge.opened("ada/work", "src/a.py")
    assert forge.tells(one).verdict == PASS
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from handrail.core.forge import read_github
from handrail.facts.authors import authors
from handrail.facts.repository import locate
from handrail.service.context import Caller, Context
from handrail.service.forge_events import ForgeEvents
from handrail.service.pull_requests import Answer
from handrail.service.verification import Found, Verification, Verified
from handrail.store.port import Store
from handrail.wiring.surroundings import Surroundings
from tests.store.grounds import WORKSPACE
from tests.support import Repo

HOME: Final = "acme/web"
CONFIG: Final = f"""\
[workspace]
id = "{WORKSPACE}"
default_role = "worker"
protected_refs = ["main", "release/*"]
exempt = ["generated/**"]
unattributed = "refuse"

[[role]]
name = "worker"
lane = ["src/**", "docs/**", "*.lock", "*.md", "deep/**"]

[[role]]
name = "website"
lane = ["site/**"]

[[role]]
name = "lead"
lane = ["**"]
coordinates = true

[[role]]
name = "reader"
lane = ["**"]
sandbox = "read-only"

[[agent]]
name = "copilot"
role = "website"
match = {{ author = "copilot*" }}

[[agent]]
name = "robot"
role = "website"
match = {{ author = "Robot <*" }}

[[agent]]
name = "boss"
role = "lead"
match = {{ author = "boss" }}

[[agent]]
name = "sneak"
role = "lead"
match = {{ branch = "lead/*" }}

[[agent]]
name = "reviewer"
role = "reader"
match = {{ branch = "review/*" }}

[[contended]]
paths = ["**/*.lock"]
"""


@dataclass
class Pull:
    """A pull request as this forge keeps it."""

    number: int
    branch: str
    head: str
    base: str
    base_ref: str = "main"
    login: str = "ada"
    repository: str | None = HOME
    changes: dict[str, Any] = field(default_factory=dict)


def payload(pull: Pull, action: str = "opened", **more: Any) -> dict[str, Any]:
    """Write an event of a pull request as GitHub documents it."""
    home = {"id": 1, "full_name": HOME, "default_branch": "main"}
    other = {"id": 2, "full_name": pull.repository, "default_branch": "main"}
    return {
        "action": action,
        "number": pull.number,
        "pull_request": {
            "number": pull.number,
            "state": "closed" if action == "closed" else "open",
            "title": f"Work on {pull.branch}",
            "user": {"login": pull.login, "id": 7, "type": "User"},
            "merged": False,
            "merge_commit_sha": None,
            "base": {"ref": pull.base_ref, "sha": pull.base, "repo": home},
            "head": {
                "ref": pull.branch,
                "sha": pull.head,
                "repo": other if pull.repository else None,
            },
            **more,
        },
        "repository": home,
        "sender": {"login": pull.login, "id": 7},
    }


class _NoSecrets:
    """Nothing here is proven by a secret."""

    shown: Final[dict[str, str]] = {}

    def keep(self, session: str, secret: str) -> None:
        raise AssertionError("a pull request has no secret")

    def read(self, session: str) -> str | None:
        raise AssertionError("a pull request has no secret")

    def forget(self, session: str) -> None:
        raise AssertionError("a pull request has no secret")


class Forge:
    """One repository, its pull requests, and the store that answers for them."""

    def __init__(self, repo: Repo, store: Store, config: str = CONFIG) -> None:
        self.repo = repo
        self.store = store
        self._numbers = 0
        if config:
            repo.write("handrail.toml", config)
            repo.commit("handrail")
        self.lands(self.head())

    def head(self, name: str = "HEAD") -> str:
        return self.repo.git("rev-parse", name)

    def lands(self, commit: str, ref: str = "main") -> str:
        """Let the remote's branch be there, and nobody stand on another."""
        self.repo.git("update-ref", f"refs/remotes/origin/{ref}", commit)
        self.repo.git("checkout", "--quiet", "--force", "-B", ref, commit)
        return commit

    def context(self) -> Context:
        place = locate(str(self.repo.path), {})
        caller = Caller(place.worktree, place.folder)
        return Context(self.store, caller, _NoSecrets(), Surroundings(place))

    # --- pull requests ---------------------------------------------------------------------------

    def opened(self, branch: str, *paths: str, login: str = "ada", **given: Any) -> Pull:
        """Push a branch with a commit for each path, and open a pull request for it."""
        self._numbers += 1
        base_ref = given.pop("base_ref", "main")
        base = self.head(f"refs/remotes/origin/{base_ref}")
        self.repo.git("switch", "--quiet", "--force-create", branch, base)
        pull = Pull(self._numbers, branch, base, base, base_ref, login, **given)
        return self.pushed(pull, *paths)

    def pushed(self, pull: Pull, *paths: str, text: str | None = None, author: str = "") -> Pull:
        """Push more commits to a branch, one for each path."""
        self.repo.git("switch", "--quiet", "--force-create", pull.branch, pull.head)
        for path in paths:
            target = self.repo.path / path
            before = target.read_text() if target.exists() else ""
            self.repo.write(path, text if text is not None else f"{before}{pull.branch}\n")
            pull.head = self.repo.commit(f"change {path}", f":(literal){path}")
            if author:
                self.repo.git("commit", "--quiet", "--amend", "--no-edit", f"--author={author}")
                pull.head = self.head()
        self.repo.git("update-ref", f"refs/remotes/origin/{pull.branch}", pull.head)
        return pull

    def tells(self, pull: Pull, action: str = "opened", **given: Any) -> Answer:
        """Tell of a pull request and return the answer."""
        record, tip = given.pop("record", True), given.pop("tip", None)
        return self.event("pull_request", payload(pull, action, **given), record, tip)

    def event(
        self, name: str, payload: object, record: bool = True, tip: str | None = None
    ) -> Answer:
        """Hand an event file over."""
        event = read_github(name, json.dumps(payload).encode())
        folder = str(self.repo.path)
        events = ForgeEvents(self.context(), lambda ids: authors(folder, ids), tip)
        return events.answer(event, record=record)

    def closes(self, pull: Pull) -> Answer:
        return self.tells(pull, "closed")

    def is_merged(self, pull: Pull, commit: str, **given: Any) -> Answer:
        """Tell that a pull request was merged, as this commit."""
        self.lands(commit, pull.base_ref)
        return self.tells(pull, "closed", merged=True, merge_commit_sha=commit, **given)

    # --- what a forge makes ----------------------------------------------------------------------

    def squash(self, pull: Pull, extra: str = "") -> str:
        """Make one commit of a pull request, perhaps with more in it."""
        base = self.head(f"refs/remotes/origin/{pull.base_ref}")
        self.repo.git("checkout", "--quiet", "--force", "--detach", base)
        self.repo.git("merge", "--quiet", "--squash", pull.head)
        if extra:
            self.repo.write(extra, "more\n")
        return self.repo.commit(f"Work (#{pull.number})")

    def merge(self, pull: Pull) -> str:
        base = self.head(f"refs/remotes/origin/{pull.base_ref}")
        self.repo.git("checkout", "--quiet", "--force", "--detach", base)
        self.repo.git("merge", "--quiet", "--no-ff", "--message=Merge", pull.head)
        return self.head()

    def rebase(self, pull: Pull) -> str:
        base = self.head(f"refs/remotes/origin/{pull.base_ref}")
        self.repo.git("checkout", "--quiet", "--force", "--detach", base)
        date = {"GIT_COMMITTER_DATE": "1800000000 +0000"}
        self.repo.git("cherry-pick", f"{pull.base}..{pull.head}", env=date)
        return self.head()

    # --- looking ---------------------------------------------------------------------------------

    def verify(self, *ranges: str, base: str | None = None) -> Verified:
        return Verification(self.context()).verify(ranges, base)

    def verify_in_fresh_clone(self, text: str, folder: Path) -> Verified:
        """Judge in a clone that has ``main`` and nothing else: no branch, no head, no object."""
        self.repo.git(
            "clone",
            "--quiet",
            "--no-local",
            "--branch=main",
            "--single-branch",
            f"file://{self.repo.path}",
            str(folder),
        )
        place = locate(str(folder), {})
        return Verification(Found(self.store, Surroundings(place), None)).verify([text])

    def holders(self) -> dict[str, tuple[str, ...]]:
        """Return what each session holds now."""
        found: dict[str, tuple[str, ...]] = {}
        with self.store.read() as reader:
            for lease in reader.leases():
                if lease.live(reader.now):
                    found[lease.session] = (*found.get(lease.session, ()), *lease.scope)
        return {name: tuple(sorted(scope)) for name, scope in found.items()}

    def entries(self) -> int:
        with self.store.read() as reader:
            return reader.head.seq


def codes(answer: Answer) -> list[str]:
    """Return the codes of the objections, or of the judgments if there are none."""
    told: Iterable[Any] = answer.objections or answer.judgments
    return [one.code for one in told]
