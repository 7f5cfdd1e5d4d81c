"""What `init` makes of the files of another system: history entered, roles taken, gaps filled.

Promises: a file that is there keeps its bytes; each file is read once, and read as history, which
gives nobody a lease; whatever cannot be used is told, with its place.

    original_of("lanes", ground.file)
    adopt(Projecting(context, files), files, settings.projections)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from handrail import errors
from handrail.config.adapting import Found, Original
from handrail.config.vocabulary import SPREAD
from handrail.projections.contracts import COORDINATOR, read_contracts
from handrail.projections.port import Known, Read, Told, told_of_link
from handrail.projections.registry import FOLDERS, PROJECTIONS
from handrail.service.context import Context
from handrail.service.install.preset_table import PROMPT_ELSEWHERE
from handrail.service.known import Here, files_of, has_written, known_of
from handrail.service.policy import rules_in_force
from handrail.service.projected_folders import ProjectedFolders
from handrail.service.projected_rows import ABSENT, SAME, WRITTEN, Shown, left
from handrail.service.projecting import Projecting, ProjectionFiles, beside, lying

if TYPE_CHECKING:
    from handrail.config.records import ProjectionFile

LANES: Final = "lanes"
MOSAIC: Final = "mosaic"
PROMPT: Final = "AI_AGENT_PROMPT.md"
CONTRACTS: Final = "ops/tracker/contracts.json"
WEBSITE: Final = "website"


def original_of(
    preset: str, read: Callable[[str], bytes | None]
) -> tuple[Original | None, tuple[Told, ...]]:
    """Return what the original of a preset says of roles here, and what it says in vain.

    ``read`` gives a file's bytes by its path, None if it is not there.
    """
    if preset == MOSAIC and read(PROMPT) is None and read(PROMPT_ELSEWHERE) is not None:
        return Original(moved=((PROMPT, PROMPT_ELSEWHERE),)), ()
    content = read(CONTRACTS) if preset == LANES else None
    if content is None:
        return None, ()
    try:
        contracts = read_contracts(content)
    except ValueError as error:
        sentence = f"{error} The preset's own roles count."
        return None, (Told(CONTRACTS, "unreadable", sentence),)
    website = _patterns(contracts.website_prefixes, contracts.website_files)
    roles = tuple(
        Found(
            name,
            contracts.notes.get(name),
            owns=name in contracts.owned,
            lane=tuple(website) if name == WEBSITE else (),
            coordinates=name == COORDINATOR,
        )
        for name in contracts.roles
    )
    exempt = tuple(_patterns(contracts.ignored_prefixes, contracts.ignored_files))
    return Original(roles, exempt), contracts.told


def _patterns(prefixes: Sequence[str], files: Sequence[str]) -> Iterator[str]:
    """Yield what covers these files, and whatever begins as the original's prefixes do."""
    for prefix in prefixes:
        if prefix.endswith("/"):
            yield f"{prefix}**"
        else:
            yield from (f"{prefix}*", f"{prefix}*/**")
    yield from files


def adopt(
    projecting: Projecting, files: ProjectionFiles, projections: Sequence[ProjectionFile]
) -> tuple[Shown, ...]:
    """Enter what files of these projections say as history, and write those that are not there."""
    plain = [one.path for one in projections if one.format not in SPREAD]
    missing = [path for path in plain if _is_missing(files, path)]
    imported = projecting.import_all()
    written = projecting.export(only=missing) if missing else ()
    return (*(one for one in imported if one.outcome != ABSENT or one.told), *written)


def foreseen(
    files: ProjectionFiles,
    projections: Sequence[ProjectionFile],
    folders: Sequence[ProjectionFile] = (),
) -> tuple[Shown, ...]:
    """Tell what adopting would do where there is no store yet, and writes nothing."""
    shown = []
    for one in folders:
        try:
            held = {name: files.read(f"{one.path}/{name}") for name in files.listed(one.path)}
        except errors.Unavailable as error:
            shown.append(left(one, "unreadable", str(error)))
            continue
        found = {name: raw for name, raw in held.items() if raw is not None and name.isprintable()}
        if found:
            read = FOLDERS[one.format].read(Known(0), found)
            shown.append(Shown(one.path, one.format, SAME, len(read.rows), read.told))
    for one in [file for row in projections for file in lying(files, row)]:
        try:
            content, target = files.read(one.path), files.target(one.path)
            read = Read(())
            if content is None and target is not None:
                read = Read((), told_of_link(target, is_there=False))
            elif content is not None:
                known = Known(0, path=one.path)
                read = PROJECTIONS[one.format].read(known, content, importing=True)
        except (errors.Unavailable, ValueError) as error:
            shown.append(left(one, "unreadable", str(error)))
            continue
        outcome = WRITTEN if content is None and target is None else SAME
        shown.append(Shown(one.path, one.format, outcome, len(read.rows), read.told))
    return tuple(shown)


def left_behind(
    context: Context, files: ProjectionFiles, projections: Sequence[ProjectionFile]
) -> tuple[str, ...]:
    """Return the files that would be nobody's without Handrail: as it wrote them, in no commit.

    What they show is in the store. Those that HEAD has stay, as do those that somebody wrote into.
    """
    commit = context.outside.at_head()[0]
    found: list[str] = []
    with context.store.read() as reader, context.outside.history() as history:
        known = known_of(reader, rules_in_force(reader), Here(commit, None))
        for one in files_of(known, projections, context.outside.is_folder):
            try:
                content, target = files.read(one.path), files.target(one.path)
            except errors.Unavailable:
                continue
            place = one.path if target is None else beside(one.path, target)
            if content is None or not has_written(reader, place, content):
                continue
            if not commit or history.file_at(commit, place) is None:
                found += dict.fromkeys((one.path, place))
    ours = ProjectedFolders(context, files).left_behind()
    with context.outside.history() as history:
        found += [path for path in ours if not commit or history.file_at(commit, path) is None]
    return tuple(found)


def _is_missing(files: ProjectionFiles, path: str) -> bool:
    """Tell whether there is nothing at a path; what cannot be seen is something."""
    try:
        return files.read(path) is None and files.target(path) is None
    except errors.Unavailable:
        return False
