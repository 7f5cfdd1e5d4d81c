"""The compiled form: settings as the store pins them and every command reads them.

Promise: canonical (equal settings give equal bytes), compact, ASCII, versioned; every value is
written out, so that a default which changes later does not change what is in force. Reading trusts
the bytes, which only ``compile_settings`` makes: it checks the format and rebuilds, no more.

    >>> load_compiled(compile_settings(settings)) == settings
    True
"""

from __future__ import annotations

from collections.abc import Callable

from handrail.config.settings import (
    Handoff,
    Limits,
    Modes,
    References,
    Settings,
    StoreSettings,
    Workspace,
)
from handrail.core.role import Role
from handrail.errors import NewerFormat, StoreCorrupt
from handrail.jsontext import read, write_sorted
from handrail.typed import Any, Final

COMPILED_FORMAT: Final = 1
"""Grows when an older program would misread the bytes; a field with a default needs no new one."""


def compile_settings(settings: Settings) -> bytes:
    """Write settings as canonical compact JSON in ASCII."""
    form = {"format": COMPILED_FORMAT, **_plain(settings)}
    text = write_sorted(form)
    return text.encode("ascii")


def load_compiled(compiled: bytes, *, store: str = "of this workspace") -> Settings:
    """Read what ``compile_settings`` wrote; NewerFormat or StoreCorrupt (names `store`) else."""
    try:
        form = read(compiled.decode("ascii"))
        found = form.pop("format")
        if found == COMPILED_FORMAT:
            return Settings(**{name: _PARTS[name](part) for name, part in form.items()})
        newer = found > COMPILED_FORMAT
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as broken:
        reason = f"its compiled configuration cannot be read ({type(broken).__name__})"
        raise StoreCorrupt(path=store, reason=reason) from broken
    if not newer:
        raise StoreCorrupt(path=store, reason="its compiled configuration names no known format")
    raise NewerFormat(what="the configuration in force", found=found, known=COMPILED_FORMAT)


def _plain(value: Any) -> Any:
    """Turn named tuples into objects by field name and tuples into arrays."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    """Turn arrays into tuples, at any depth."""
    return tuple([_frozen(part) for part in value]) if type(value) is list else value


def _record(kind: Any, row: dict[str, Any]) -> Any:
    """Rebuild one record of plain fields."""
    return kind(**{name: _frozen(part) for name, part in row.items()})


def _rare(name: str) -> Callable[[list[dict[str, Any]]], tuple[Any, ...]]:
    """Give what rebuilds rows of ``config.records``; where there are none, it is not imported."""

    def rebuild(rows: list[dict[str, Any]]) -> tuple[Any, ...]:
        if not rows:
            return ()
        from handrail.config import records

        kind = getattr(records, name)
        return tuple([_record(kind, _with_parts(row)) for row in rows])

    return rebuild


def _with_parts(row: dict[str, Any]) -> dict[str, Any]:
    """Rebuild the records inside a row: the event of a trigger, the checkpoint of a phase."""
    from handrail.config.records import Checkpoint, Unless, When

    for name, kind in (("unless", Unless), ("when", When), ("checkpoint", Checkpoint)):
        part = row.get(name)
        if isinstance(part, dict):
            row[name] = _record(kind, _with_parts(part))
    return row


_PARTS: Final[dict[str, Callable[[Any], Any]]] = {
    "workspace": lambda row: _record(Workspace, row),
    "modes": lambda row: Modes(**row),
    "limits": lambda row: Limits(**row),
    "roles": lambda rows: tuple([_record(Role, row) for row in rows]),
    "persons": _rare("Person"),
    "agents": _rare("Agent"),
    "triggers": _rare("Trigger"),
    "phases": _rare("Phase"),
    "gates": _rare("CommandGate"),
    "builtin_gates": _rare("GateLevel"),
    "contended": tuple,
    "references": lambda row: _record(References, row),
    "handoff": lambda row: Handoff(**row),
    "store": lambda row: StoreSettings(**row),
    "epochs": _rare("Epoch"),
    "projections": _rare("ProjectionFile"),
    "folders": _rare("ProjectionFile"),
}
