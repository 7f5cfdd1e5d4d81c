"""Lanes from and to CODEOWNERS: rows of roles for ``handrail.toml``, lines for a forge.

Promises: an import only adds text, roles that are not there yet at the end and, where the only
role so far was everybody's, one line that keeps it so; all else stays byte for byte; what would be
written is a valid configuration that says of everything else what it said before, or nothing is
written. It is written whole or not at all, and not over what somebody changed meanwhile. Nothing
comes into force by it: that is ``config apply``.

    import_lanes(site, "CODEOWNERS", raw, print, dry_run=True).added
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE, Settings, parse_config
from handrail.core.backtest import LanesMeet, lanes_meet
from handrail.core.codeowners.lanes import Imported, OwnedLane, lanes_of
from handrail.core.codeowners.read import NoRule, is_owner, read_codeowners
from handrail.core.codeowners.write import Written, write_lines
from handrail.core.record import Record
from handrail.core.role import READ_ONLY
from handrail.errors.landing import MalformedOwners
from handrail.service.install.site import Site
from handrail.service.own_config import own_config
from handrail.service.policy import policy_of

PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""Where forges look: GitHub in the order of the first three, GitLab in the others too."""
OWNERS_BYTES_MAX: Final = 3 * (1 << 20)
LINE_CHARS_MAX: Final = 100
_HEADER: Final = re.compile(r"[ \t]*\[[ \t]*workspace[ \t]*\][ \t]*(#[^\r]*)?(\r?)")


class Differing(Record):
    """A role that is there with another lane than the file gives it; it stays as it is."""

    role: str
    has: tuple[str, ...]
    would: tuple[str, ...]


class LanesImported(Record):
    """What an import did or would do.

    ``text`` is what is added at the end; ``default_role`` was or would be written down, and
    ``default_lost`` is what sessions without a role acted as so far and will not any more.
    """

    added: tuple[OwnedLane, ...]
    there: tuple[str, ...]
    differing: tuple[Differing, ...]
    untranslated: tuple[NoRule, ...]
    notes: tuple[tuple[int, str], ...]
    imported: Imported
    lanes_meet: tuple[LanesMeet, ...]
    default_role: str | None
    default_lost: str | None
    text: str


class LanesExported(Record):
    """The lines of a file; ``left_out`` roles own nothing that anybody could write."""

    written: Written
    left_out: tuple[str, ...]
    fold_case: bool


def find_owners(read: Callable[[str], bytes | None]) -> tuple[str, bytes]:
    """Return the first CODEOWNERS file there is, with its place; raises FactsUnavailable."""
    for place in PLACES:
        raw = read(place)
        if raw is not None:
            return place, raw
    reason = f"there is none of {', '.join(PLACES)}"
    step = "handrail lanes import --help"
    raise errors.FactsUnavailable(what="CODEOWNERS", reason=reason, next=step)


def import_lanes(
    site: Site, file: str, raw: bytes, tell: Callable[[int], None], *, dry_run: bool
) -> LanesImported:
    """Add a role for each owner of a CODEOWNERS file to the working tree's configuration.

    ``tell`` hears how many rules are to be compared. Raises MalformedOwners, MalformedConfig,
    FactsUnavailable.
    """
    gitlab = file.startswith(".gitlab/")
    owners = read_codeowners(_decoded(raw, file), gitlab=gitlab, file=file)
    tell(len(owners.rules))
    imported = lanes_of(owners.rules)
    untranslated = tuple(sorted({*owners.untranslated, *imported.untranslated}))
    if not imported.lanes and not untranslated:
        raise MalformedOwners(file=file, reason="none of its lines gives a path to an owner")
    path = os.path.join(site.toplevel, CONFIG_FILE)
    with site.alone():
        seen, before = own_config(site)
        has = {role.name: role for role in before.roles}
        added = tuple(lane for lane in imported.lanes if lane.role not in has)
        differing = [
            Differing(lane.role, has[lane.role].lane, lane.patterns)
            for lane in imported.lanes
            if lane.role in has and set(has[lane.role].lane) != _folded(lane.patterns, before)
        ]
        rows = _rows(added, file)
        content, after = _with_rows(seen.content.decode("utf-8"), rows, before, added)
        if added and not dry_run:
            site.write(path, content.encode("utf-8"), seen, seen.mode)
    lost = before.workspace.default_role if after.workspace.default_role is None else None
    names = {lane.role for lane in added}
    return LanesImported(
        added=added,
        there=tuple(lane.role for lane in imported.lanes if lane.role in has),
        differing=tuple(differing),
        untranslated=untranslated,
        notes=owners.notes,
        imported=imported,
        lanes_meet=tuple(
            row
            for row in lanes_meet(policy_of(after))
            if len(names & {row.role, row.other_role}) == 1
        ),
        default_role=_written_default(seen.content, content, after),
        default_lost=lost,
        text=rows,
    )


def _decoded(raw: bytes, file: str) -> str:
    if len(raw) > OWNERS_BYTES_MAX:
        raise MalformedOwners(file=file, reason=f"it is larger than {OWNERS_BYTES_MAX} bytes")
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise MalformedOwners(file=file, reason=f"line {line} is not UTF-8") from error
    if "\0" in text:
        raise MalformedOwners(file=file, reason="it holds a NUL character")
    return text


def _folded(patterns: Sequence[str], settings: Settings) -> set[str]:
    from handrail.core.scope import parse_pattern

    fold_case = settings.workspace.fold_case
    return {parse_pattern(text, fold_case=fold_case).text for text in patterns}


def _rows(added: Sequence[OwnedLane], file: str) -> str:
    """Write roles as rows of a configuration."""
    told = []
    for lane in added:
        patterns = [json.dumps(text, ensure_ascii=False) for text in lane.patterns]
        line = f"lane = [{', '.join(patterns)}]"
        if len(line) > LINE_CHARS_MAX:
            line = "lane = [\n" + "".join(f"    {text},\n" for text in patterns) + "]"
        source = f"{lane.owner} in {file}" if file in PLACES else f"{lane.owner} in CODEOWNERS"
        told.append(f'\n[[role]]  # {source}\nname = "{lane.role}"\n{line}\n')
    return "".join(told)


def _with_rows(
    text: str, rows: str, before: Settings, added: Sequence[OwnedLane]
) -> tuple[str, Settings]:
    """Return the configuration with the rows at its end, and what it says then."""
    if not rows:
        return text, before
    content = text + ("" if text.endswith("\n") else "\n") + rows
    after = _same_but(content, before, added)
    default = before.workspace.default_role
    if default is not None and after.workspace.default_role is None:
        kept = _with_default(content, default)
        if kept is not None:
            try:
                return kept, _same_but(kept, before, added)
            except errors.MalformedConfig:
                pass  # the line stood in some text; the person is told instead
    return content, after


def _same_but(content: str, before: Settings, added: Sequence[OwnedLane]) -> Settings:
    """Read a configuration that must say what it said before, and have these roles besides."""
    try:
        after = parse_config(content.encode("utf-8"), file=CONFIG_FILE)
    except errors.MalformedConfig as broken:
        reason = f"no role can be added at its end ({broken.values['reason']})"
        raise errors.MalformedConfig(
            file=CONFIG_FILE, line=broken.values["line"], reason=reason
        ) from broken
    here = len(before.roles)
    named = before.workspace._replace(default_role=after.workspace.default_role)
    same = after._replace(roles=after.roles[:here]) == before._replace(workspace=named)
    if not same or [role.name for role in after.roles[here:]] != [lane.role for lane in added]:
        raise errors.MalformedConfig(
            file=CONFIG_FILE, line=1, reason="roles added at its end would change something else"
        )
    return after


def _with_default(content: str, role: str) -> str | None:
    """Return the text with ``default_role`` below the head of its table; None if there is none."""
    lines = content.split("\n")
    for number, line in enumerate(lines):
        head = _HEADER.fullmatch(line)
        if head is not None:
            lines.insert(number + 1, f'default_role = "{role}"{head[2]}')
            return "\n".join(lines)
    return None


def _written_default(before: bytes, content: str, after: Settings) -> str | None:
    """Return the default role if it had to be written down."""
    return None if content.encode("utf-8").startswith(before) else after.workspace.default_role


def export_lanes(
    settings: Settings, owners: Sequence[str], is_folder: Callable[[str], bool]
) -> LanesExported:
    """Write the lanes of a configuration as lines; ``owners`` are ROLE=@OWNER.

    A role that only reads owns nothing; who has no owner is ``@role``. Raises Usage, UnknownRole.
    """
    lanes = [(role.name, role.lane) for role in settings.roles if role.sandbox != READ_ONLY]
    named = _named(settings, owners)
    left_out = [role.name for role in settings.roles if role.sandbox == READ_ONLY or not role.lane]
    written = write_lines(lanes, named, is_folder)
    return LanesExported(written, tuple(left_out), settings.workspace.fold_case)


def _named(settings: Settings, owners: Sequence[str]) -> Mapping[str, str]:
    named: dict[str, str] = {}
    for text in owners:
        role, separator, owner = text.partition("=")
        if not separator or not is_owner(owner):
            reason = f"--owner takes ROLE=@NAME, ROLE=@ORGANISATION/TEAM or ROLE=MAIL, not {text}."
            raise errors.Usage(reason=reason, next="handrail lanes export --help")
        try:
            settings.role(role)
        except errors.UnknownRole as unknown:
            step = "handrail lanes export"
            raise errors.UnknownRole(**unknown.values, next=step) from unknown
        named[role] = owner
    return named
