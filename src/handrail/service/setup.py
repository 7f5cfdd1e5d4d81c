"""Setting a workspace up and changing its configuration."""

from __future__ import annotations

from collections.abc import Sequence

from handrail import errors
from handrail.config import (
    Settings,
    blob_id,
    compile_settings,
    parse_config,
    render_preset,
    split_presets,
)
from handrail.core.events import ConfigApplied, Event, Move
from handrail.core.lease import Actor
from handrail.core.ledger import Entry
from handrail.core.record import Record
from handrail.service.context import Context
from handrail.service.duties import not_held_any_more
from handrail.service.health import Inheritance
from handrail.service.identity import UNATTRIBUTED, actor_of, require_session
from handrail.service.install.site import Step
from handrail.service.policy import policy_of, rules_in_force
from handrail.service.sessions import OR_COORDINATOR, person_proof
from handrail.store.port import Store, Tx
from handrail.typed import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from handrail.config.records import ProjectionFile
    from handrail.projections.port import Told

MINIMAL: Final = "minimal"
CONFIG_NAME: Final = "handrail.toml"
_ID_CHARS: Final = 6
_APPLYING: Final = ("applying a configuration", ("config", "apply"), OR_COORDINATOR)


class Ground(Protocol):
    """Where a workspace is set up: its configuration file and its store."""

    folder: str

    def config_file(self) -> bytes | None:
        """Return ``handrail.toml``, None if there is none."""

    def file(self, path: str) -> bytes | None:
        """Return a file of the working tree by its path from the top, None if there is none."""

    def write_config(self, text: str) -> None:
        """Write ``handrail.toml`` whole or not at all; one that came to be meanwhile stays."""

    def store_path(self) -> str:
        """Where the store is or would be."""

    def store_url(self) -> str:
        """Return the store's address as a configuration names it: ``sqlite`` or a server's."""

    def store_exists(self) -> bool:
        """Tell whether there is a store."""

    def open_store(self) -> Store:
        """Open the store that is there."""

    def create_store(self, workspace: str, epoch: str, predecessor: str | None = None) -> Store:
        """Make the store with its first entry."""

    def random_name(self, chars: int) -> str:
        """Return lower-case letters and digits that nobody can guess."""


class Initialised(Record):
    """What ``init`` found and did; ``mode`` is that of the stage ``edit``.

    ``projections`` and ``folders`` are those of the configuration, ``told`` what of the original's
    was in vain.
    """

    workspace: str
    epoch: str | None
    projections: tuple[ProjectionFile, ...]
    steps: tuple[Step, ...]
    config: str
    mode: str
    told: tuple[Told, ...] = ()
    folders: tuple[ProjectionFile, ...] = ()


class Applied(Record):
    """A configuration that came into force; ``changed`` is False if it was there already."""

    blob: str
    seq: int
    changed: bool


def initialise(ground: Ground, preset: str, *, dry_run: bool = False) -> Initialised:
    """Write a configuration where there is none, make the store, put the one into force.

    Safe to repeat and to interrupt: each step is whole or not there, and what is there stays.
    """
    presets = split_presets(preset)
    told: list[Told] = []
    store = _existing(ground)
    try:
        text = ground.config_file()
        steps = [Step(CONFIG_NAME, "created" if text is None else "kept")]
        wanted = _first_text(ground, store, presets, told) if text is None else text
        settings = parse_config(wanted, file=CONFIG_NAME)
        _check_store(settings, ground.store_url())
        if store is not None:
            with store.read() as reader:
                _check_workspace(settings, reader.workspace)
        if text is None and not dry_run:
            ground.write_config(wanted.decode("utf-8"))
            # Of several who set up at once, all go on with the file of the first.
            wanted = ground.config_file() or wanted
            settings = parse_config(wanted, file=CONFIG_NAME)
        made = store is None
        if store is None:
            if dry_run:
                steps.append(Step(ground.store_path(), "created"))
                name, mode = settings.workspace.id, settings.mode("edit")
                files, folders = settings.projections, settings.folders
                return Initialised(
                    *(name, None, files, tuple(steps), "same", mode, tuple(told), folders)
                )
            epoch = ground.random_name(8)
            store = ground.create_store(settings.workspace.id, epoch)
            with store.read() as reader:
                _check_workspace(settings, reader.workspace)
                made = reader.epoch == epoch  # else somebody else's was joined
        steps.append(Step(ground.store_path(), "created" if made else "kept"))
        config = _first_config(store, settings, wanted, dry_run=dry_run)
        with store.read() as reader:
            return Initialised(
                *(reader.workspace, reader.epoch, settings.projections, tuple(steps)),
                *(config, settings.mode("edit"), tuple(told), settings.folders),
            )
    finally:
        if store is not None:
            store.close()


def _existing(ground: Ground) -> Store | None:
    """Open the store if there is a whole one: making it may have been interrupted."""
    if not ground.store_exists():
        return None
    try:
        return ground.open_store()
    except errors.NotInitialised:
        return None


def _first_text(
    ground: Ground, store: Store | None, presets: Sequence[str], told: list[Told]
) -> bytes:
    """Return what to write where there is no file: what is in force, else the presets' text.

    What an original that runs here says in vain is added to ``told``.
    """
    workspace = f"{_plain(ground.folder)}-{ground.random_name(_ID_CHARS)}"
    if store is not None:
        with store.read() as reader:
            in_force, workspace = reader.config(), reader.workspace
        if in_force is not None:
            return in_force.text.encode("utf-8")
    found = {}
    if presets != (MINIMAL,):
        from handrail.service.adopting import original_of

        for preset in presets:
            original, in_vain = original_of(preset, ground.file)
            told += in_vain
            if original is not None:
                found[preset] = original
    return render_preset(",".join(presets), workspace, found=found).encode("utf-8")


def _first_config(store: Store, settings: Settings, text: bytes, *, dry_run: bool) -> str:
    with store.transaction() as tx:
        in_force = tx.config()
        if in_force is not None:
            return "same" if in_force.blob == blob_id(text) else "differs"
        if dry_run:
            return "applied"
        put_config(tx, text, "init", UNATTRIBUTED)
    keep_compiled(store, settings, text)
    return "applied"


def apply_config(context: Context, *, dry_run: bool = False) -> Applied:
    """Put the working tree's configuration into force; a person's or a coordinator's to do."""
    text = context.outside.config_file()
    if text is None:
        raise errors.FactsUnavailable(what=CONFIG_NAME, reason="it is not in this working tree")
    settings = parse_config(text, file=CONFIG_NAME)
    with context.store.transaction() as tx:
        rules = rules_in_force(tx)
        if rules.in_force.blob == blob_id(text):
            return Applied(rules.in_force.blob, rules.in_force.seq, changed=False)
        _check_workspace(settings, tx.workspace)
        _check_store(settings, context.outside.store_url())
        proof, actor = _who_decides(tx, context)
        if dry_run:
            return Applied(blob_id(text), tx.head.seq + 1, changed=True)
        seq = tx.head.seq + 1
        put_config(tx, text, proof, actor, not_held_any_more(tx, policy_of(settings)))
        applied = Applied(blob_id(text), seq, changed=True)
    keep_compiled(context.store, settings, text)
    return applied


def _check_store(settings: Settings, url: str) -> None:
    """Refuse a configuration that names another store than the one that is worked on."""
    if settings.store.url != url:
        from handrail.errors.server import StoresDiffer

        way = "handrail store migrate"
        raise StoresDiffer(store=url, what="store", other=settings.store.url, next=way)


def _check_workspace(settings: Settings, workspace: str) -> None:
    if settings.workspace.id != workspace:
        reason = f"workspace.id is {settings.workspace.id}, but the store here is of {workspace}"
        raise errors.MalformedConfig(file=CONFIG_NAME, line=1, reason=reason)


def _who_decides(tx: Tx, context: Context) -> tuple[str, Actor]:
    if context.caller.session is None:
        return person_proof(context.caller, *_APPLYING), UNATTRIBUTED
    session = require_session(tx, context)
    role = rules_in_force(tx).policy.roles.get(session.role or "")
    if role is None or not role.coordinates:
        person_proof(context.caller, *_APPLYING)
    return "coordinator", actor_of(session)


def put_config(
    tx: Tx, text: bytes, proof: str, actor: Actor, ends: Sequence[Event | Move] = ()
) -> None:
    """Commit the configuration, and the end of what it lets nobody hold any more.

    That it is UTF-8 was checked when it was parsed.
    """
    tx.commit([ConfigApplied(blob_id(text), text.decode("utf-8"), proof), *ends], actor)


def keep_compiled(store: Store, settings: Settings, text: bytes) -> None:
    """Cache the compiled form, so that no later command parses TOML; it may be lost at no harm."""
    with store.transaction() as tx:
        in_force = tx.config()
        if in_force is not None and in_force.blob == blob_id(text):
            tx.keep_compiled(compile_settings(settings))
            tx.commit([], UNATTRIBUTED)


def settings_here(context: Context) -> Settings:
    """Return what installed files go by: the working tree's own file, else what is in force."""
    text = context.outside.config_file()
    if text is not None:
        try:
            return parse_config(text, file=CONFIG_NAME)
        except errors.MalformedConfig:
            pass
    with context.store.read() as reader:
        return rules_in_force(reader).settings


def _plain(folder: str) -> str:
    plain = "".join(char if char.isascii() and char.isalnum() else "-" for char in folder.lower())
    return plain.strip("-")[:40] or "workspace"


class UninstallPlan(Record):
    """What uninstalling would take away."""

    remove_config: bool
    kept_because: str
    live_leases: int


def uninstall_plan(context: Context) -> UninstallPlan:
    """Decide what uninstalling may remove; a person's to do.

    ``handrail.toml`` goes only if its text is kept in the ledger: what somebody wrote and never
    applied stays.
    """
    person_proof(context.caller, "uninstalling", ("uninstall",))
    text = context.outside.config_file()
    with context.store.read() as reader:
        live = sum(lease.live(reader.now) for lease in reader.leases())
        in_force = reader.config()
    if text is None:
        return UninstallPlan(False, "", live)
    kept = in_force is not None and in_force.blob == blob_id(text)
    reason = "" if kept else "it differs from what was in force"
    return UninstallPlan(kept, reason, live)


def found_successor(
    ground: Ground, heir: Inheritance, entries: Sequence[Entry], source: str
) -> tuple[str, int]:
    """Found a store that follows a lost one and enter the lost one's ledger as history.

    Returns the new epoch and how many entries were entered.
    """
    from handrail.service.records import enter_history

    epoch = ground.random_name(8)
    store = ground.create_store(heir.workspace, epoch, heir.predecessor)
    try:
        if heir.config is not None:
            text = heir.config.encode("utf-8")
            _first_config(store, parse_config(text), text, dry_run=False)
        return epoch, enter_history(store, entries, UNATTRIBUTED)
    finally:
        store.close()
