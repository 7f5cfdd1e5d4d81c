"""What a projection is: bytes from what is known, and what people wrote read back out of bytes.

Promises: pure; ``render`` gives the same bytes for the same knowledge, and leaves what people wrote
in the file as it was; ``read`` drops nothing in silence: what it cannot keep as a row it tells of.

    content = PROJECTIONS["lanes-coordination"].render(known, before)
    rows, told = PROJECTIONS["lanes-coordination"].read(known, content, importing=False)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from handrail.core.lease import Lease, Session
from handrail.core.record import Record
from handrail.core.role import Role
from handrail.core.task import Packet, Task
from handrail.core.workflow import Phase
from handrail.text import visible
from handrail.typed import Any, Protocol


class Row(Record):
    """Something that only people know, or history: its name in the projection, its JSON text.

    Rows are in the file in the order of their names. A ``record`` of '' says that somebody took the
    row away. ``claimed_at`` is what it says of its own time, in ms since 1970; 0: nothing.
    """

    key: str
    record: str
    claimed_at: int = 0


class Told(Record):
    """A problem or a difference, for people: where in the file, a stable code, a sentence.

    ``suggestion`` is the value that was meant, or what to do.
    """

    place: str
    code: str
    sentence: str
    suggestion: str | None = None


class Read(Record):
    """What was read out of a file."""

    rows: tuple[Row, ...]
    told: tuple[Told, ...] = ()


class Trigger(Record):
    """A row of the matrix; ``when`` has the fields of its event by their names, and ``event``."""

    id: str
    from_role: str
    to_role: str
    when: Mapping[str, Any]


class Decision(Record):
    """A person's decision at a checkpoint: of which task, when (ms since 1970)."""

    task: str
    at: int
    checkpoint: str
    decision: str


class Known(Record):
    """What a projection may show; times in ms since 1970.

    ``leases`` are live, also those that tasks hold; ``sessions`` are live or hold or handed over
    something; ``packets`` are the newest, oldest first, each with what it says. ``rows`` are those
    that are kept of this projection, by name; ``commit`` is HEAD, '' where there is none. Where
    there are ``phases``, ``decisions`` are all of the tasks', oldest first, and ``closed`` says
    since when a task is.
    """

    now: int
    workspace: str = ""
    epoch: str = ""
    roles: tuple[Role, ...] = ()
    sessions: tuple[Session, ...] = ()
    leases: tuple[Lease, ...] = ()
    tasks: tuple[Task, ...] = ()
    packets: tuple[tuple[Packet, Mapping[str, Any]], ...] = ()
    rows: Mapping[str, str] = {}
    path: str = ""
    commit: str = ""
    branch: str | None = None
    fold_case: bool = False
    triggers: tuple[Trigger, ...] = ()
    phases: tuple[Phase, ...] = ()
    decisions: tuple[Decision, ...] = ()
    closed: Mapping[str, int] = {}


class Render(Protocol):
    """Gives a file's bytes."""

    def __call__(self, known: Known, before: bytes | None) -> bytes | None:
        """Return the bytes for what is known; ``before`` is the file now. None: write nothing."""


class ReadBack(Protocol):
    """Reads a file."""

    def __call__(self, known: Known, content: bytes, *, importing: bool) -> Read:
        """Return what people wrote; when importing, the other system's own records as history.

        Raises ValueError, with a sentence, for what is no such file at all.
        """


class Behind(Protocol):
    """Names the file behind a projection that is a link."""

    def __call__(self, known: Known) -> str:
        """Return the name of the file beside it."""


class Lacks(Protocol):
    """Looks for what a receiver of a handoff cannot do without."""

    def __call__(self, content: bytes) -> tuple[Told, ...]:
        """Return what is not in a file that can be read."""


class Level(Protocol):
    """Makes versions of a file alike in fields of the tool that ``render`` leaves to the holder."""

    def __call__(self, content: bytes, versions: Iterable[bytes]) -> bytes:
        """Return a version with these fields as the newest version has them; raises ValueError."""


class Asked(Record):
    """Somebody calls work complete; ``task`` is None where Handrail knows of none."""

    task: str | None


class Completing(Record):
    """The word by which a file says that work is complete; whoever writes it only asks for it.

    ``asked`` tells whether a file calls work complete that was not so before: from what was known
    before, its bytes and what was read of them. ``granted`` is the row of the word, by the time;
    ``refused`` what was read without the word, and ``told`` says why.
    """

    asked: Callable[[Known, bytes, Read], Asked | None]
    granted: Callable[[int], Row]
    refused: Callable[[Known, Read], Read]
    told: Callable[[str], Told]


class Spread(Record):
    """The files of a format whose path is a folder, by their paths from the folder on.

    ``written`` are those that show what is known; ``reads`` tells whether history may stand in one.
    """

    written: Callable[[Known], tuple[str, ...]]
    reads: Callable[[str], bool]


class Projection(Record):
    """A format.

    ``behind`` is there where its file is a link to another one beside it, by that one's name;
    ``spread`` where its path is a folder with a file for each of many things;
    ``whole`` where the rows are all of the file, so that none of them can be left out;
    ``by_lines`` where people's own lines stand between those of the tool, so that versions merge by
    lines; ``steady`` where it changes with events alone, and does not show leases, whose ends move
    with each renewal. ``completing`` is there where it can call work complete. With ``leads`` it is
    written with each packet.
    """

    format: str
    render: Render
    read: ReadBack
    behind: Behind | None = None
    whole: bool = False
    by_lines: bool = False
    steady: bool = False
    lacks: Lacks | None = None
    level: Level | None = None
    completing: Completing | None = None
    spread: Spread | None = None
    leads: bool = False


class Folder(Record):
    """A format of which each packet is a file of its own, all of them in one folder.

    ``names`` are the files that are known: of packets, by their numbers, and of history. ``render``
    gives the bytes of one by its name, None where nobody knows it; ``ours`` tells whether it shows
    a packet of Handrail's. ``read`` reads files of the other system, by their names, as history;
    ``changed`` tells what somebody changed in a file of Handrail's.
    """

    format: str
    names: Callable[[Known], tuple[str, ...]]
    render: Callable[[Known, str], bytes | None]
    ours: Callable[[Known, str], bool]
    read: Callable[[Known, Mapping[str, bytes]], Read]
    changed: Callable[[Known, str, bytes], tuple[Told, ...]]


def told_of_link(target: str, *, is_there: bool) -> tuple[Told, ...]:
    """Tell what is odd about where a link leads; a name beside it that is there is not."""
    plain = "/" not in target and "\\" not in target and target not in ("", ".", "..")
    if not plain or not target.isprintable():
        sentence = f"the link leads out of its folder: {visible(target)[:200]}"
        return (Told("the link", "link_elsewhere", sentence),)
    if not is_there:
        sentence = f"the link leads to {target}, and there is no such file"
        return (Told("the link", "dangling_link", sentence),)
    return ()
