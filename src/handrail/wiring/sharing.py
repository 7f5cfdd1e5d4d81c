"""What shares ledgers: a store, the remotes of its repository, and the key that signs.

syncing(application).sync("origin")
enrolment(application).enroll()
"""

from __future__ import annotations

import os
from collections.abc import Callable

from handrail.facts.keys import check
from handrail.facts.published import open_published
from handrail.facts.remotes import Remotes
from handrail.service.enrolment import Enrolment
from handrail.service.following import Followed, Following
from handrail.service.policy import rules_in_force
from handrail.service.syncing import Syncing
from handrail.wiring import Application
from handrail.wiring.published import SharedRefs


def syncing(application: Application, tell: Callable[[str], None] = lambda _: None) -> Syncing:
    """Return what shares the ledgers of this repository; ``tell`` hears how far it is."""
    folder = application.place.toplevel
    store = application.store if application.ground.store_exists() else None
    return Syncing(
        store,
        application.ground,
        Remotes(folder),
        lambda: open_published(folder),
        check,
        application.keys,
        tell,
    )


def follow(application: Application, remote: str) -> Followed | None:
    """Put into force what landed on a remote's protected branch, as far as that is here.

    None where there is nothing new. Raises RemoteUnavailable, FactsUnavailable, LedgerBroken.
    """
    with application.store.read() as reader:
        protected = rules_in_force(reader).settings.workspace.protected_refs
    name = next((one for one in protected if not set("*?[") & set(one)), None)
    if name is None:
        return None
    remotes = Remotes(application.place.toplevel)
    ref = f"refs/heads/{name}"
    tip = remotes.listed(remote, (ref,)).get(ref)
    if tip is None or tip not in remotes.commits_among([tip]):
        return None
    shared = SharedRefs(application.place.toplevel)
    return Following(application.context._replace(shared=shared)).follow(tip, name)


def enrolment(application: Application) -> Enrolment:
    """Return what enrols the store of this repository."""
    context = application.context
    return Enrolment(context, application.site, application.keys, os.uname().nodename)
