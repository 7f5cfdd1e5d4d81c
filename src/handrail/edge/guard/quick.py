r"""The answer that needs no decision: what one holds may be written, what writes nothing may run.

Promises: says yes only where the rule would change nothing (a property test holds it to that); is
silent about everything else, which ``tools`` then decides with all of Handrail at hand. Imports
nothing but ``apsw``, which brings the parser of the payload too, and reads one indexed row. A path
that is not plain ASCII, has a link in it or lies where anything is unusual is not for here.

    nothing_to_say(b'{"hook_event_name": "PreToolUse", "tool_name": "Read"}')   # True

The end of a turn is nothing to a session that acts for no task: one count says so. Nor is what was
read to one that has nothing to read.
"""

import posix
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 7
"""The format of the store that the statement below reads; ``store.sqlite`` says what it is now."""

PATH_OF = {
    "Edit": "file_path",
    "Write": "file_path",
    "MultiEdit": "file_path",
    "NotebookEdit": "notebook_path",
}
READS_ONLY = frozenset(
    (
        *("Read", "Glob", "Grep", "LS", "NotebookRead", "WebFetch", "WebSearch", "TodoWrite"),
        *("TodoRead", "Task", "Agent", "AskUserQuestion", "ExitPlanMode", "EnterPlanMode"),
        *("BashOutput", "KillShell", "KillBash", "ListMcpResourcesTool", "ReadMcpResourceTool"),
        *("TaskCreate", "TaskUpdate", "TaskGet", "TaskList", "TaskOutput", "TaskStop"),
        *("ToolSearch", "Skill", "LSP"),
    )
)
ABOUT_TASKS = ("Stop", "SubagentStop", "TaskCompleted")
"""Events that mean nothing to a session which acts for no task."""
LOADED = "InstructionsLoaded"
"""By this event, and after the tool Read, it is known which file an agent was shown."""
_PARSED = (
    "SELECT ?1 ->> '$.hook_event_name', ?1 ->> '$.session_id', ?1 ->> '$.tool_name',"
    " ?1 ->> '$.tool_input.file_path', ?1 ->> '$.tool_input.notebook_path',"
    " ?1 ->> '$.tool_input.command', ?1 ->> '$.cwd'"
)
_HELD = (
    "SELECT s.boot, s.offset_ms, s.last_now, m.pattern, m.renew_at"
    " FROM state s CROSS JOIN may_write m"
    " WHERE m.anchor IN ({}) AND m.session = ? AND m.worktree = ?"
)
# A session acts under a name of its own in another working tree; both names begin alike.
_MAY_ACT = (
    "SELECT count(*) FROM task WHERE state = 'open'"
    " AND (holder IS NULL OR instr(holder, substr(?, 1, 16)) = 1)"
)
_MAY_READ = "SELECT count(*) FROM reading WHERE awaits AND instr(session, substr(?, 1, 16)) = 1"
_BEGUN = "SELECT count(*) FROM session WHERE id = ? AND ended_at IS NULL"
_BUSY_MS = 2_000
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_TIME_NAMESPACE = "/proc/self/timens_offsets"
_FOLDER, _LINK, _KIND = 0o040000, 0o120000, 0o170000
_POINTER_BYTES_MAX = 8_192
EDITED_BYTES_MAX = 1 << 20


def nothing_to_say(payload: bytes) -> bool:
    """Tell whether what this payload announces may happen, and there is nothing to record."""
    try:
        return _plainly(payload)
    except Exception:  # noqa: BLE001 - whatever it was, the long way says it
        return False


def _plainly(payload: bytes) -> bool:
    text = payload.decode("utf-8")
    apsw = _driver()
    parser = apsw.Connection(":memory:")
    event, session, tool, *inputs = parser.execute(_PARSED, (text,)).get
    if event in ABOUT_TASKS:
        return isinstance(session, str) and _acts_for_none(apsw, session, inputs[3])
    if event == LOADED or (event == "PostToolUse" and tool == "Read"):
        begun = event != LOADED
        return isinstance(session, str) and _has_read(apsw, session, inputs[3], begun=begun)
    if event not in ("PreToolUse", "PostToolUse") or not isinstance(tool, str):
        return False
    if tool in READS_ONLY:
        return True
    if event != "PreToolUse":
        return False
    if tool == "Bash":
        from handrail.edge.shell.scan import may_write

        return isinstance(inputs[2], str) and not may_write(inputs[2])
    path = inputs[0] if PATH_OF.get(tool) == "file_path" else inputs[1]
    if tool not in PATH_OF or not isinstance(path, str) or not isinstance(session, str):
        return False
    return _holds(apsw, session, path)


def _driver() -> "Any":
    """Import ``apsw``; the part of ``collections`` that it asks for without the rest of it."""
    names = ("collections", "collections.abc")
    lent = "collections" not in sys.modules
    if lent:
        import _collections_abc

        # The import of the second asks for the first too, and looks at nothing in it.
        sys.modules.update(dict.fromkeys(names, _collections_abc))
    try:
        import apsw
    finally:
        if lent:  # whoever imports ``collections`` later must find it whole
            for name in names:
                sys.modules.pop(name, None)
    return apsw


def _acts_for_none(driver: "Any", session: str, folder: object) -> bool:
    """Tell whether a session surely acts for no open task of the workspace around a folder."""
    found = _locate(f"{folder}/handrail.toml") if isinstance(folder, str) else None
    connection = None if found is None else _opened(driver, found[0])
    return connection is not None and connection.execute(_MAY_ACT, (session,)).get == 0


def _has_read(driver: "Any", session: str, folder: object, *, begun: bool) -> bool:
    """Tell whether a session surely has nothing left to read; unless it is ``begun``, that it is.

    What a session has to read is asked as it begins.
    """
    found = _locate(f"{folder}/handrail.toml") if isinstance(folder, str) else None
    connection = None if found is None else _opened(driver, found[0])
    if connection is None or connection.execute(_MAY_READ, (session,)).get:
        return False
    return begun or connection.execute(_BEGUN, (session,)).get == 1


def _opened(driver: "Any", folder: str) -> "Any":
    """Open the store, or the copy of one that is elsewhere; None where it has another format."""
    state = f"{folder}/guard.db"
    try:
        posix.lstat(state)
    except FileNotFoundError:
        state = f"{folder}/state.db"
    connection = driver.Connection(state, flags=driver.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(_BUSY_MS)
    return connection if connection.execute("PRAGMA user_version").get == FORMAT else None


def _holds(driver: "Any", session: str, path: str) -> bool:
    """Tell whether a session holds the file at an absolute path, and need not renew it yet."""
    found = _locate(path)
    if found is None:
        return False
    folder, worktree, inside = found
    if _guarded(inside):
        return False
    connection = _opened(driver, folder)
    if connection is None:
        return False
    anchors = _anchors(inside)
    statement = _HELD.format(",".join("?" * len(anchors)))
    boot, since_boot_ms = _clock()
    for known, offset_ms, last_now, pattern, renew_at in connection.execute(
        statement, (*anchors, session, worktree)
    ):
        now = max(offset_ms + since_boot_ms, last_now)
        if known == boot and now < renew_at and means(pattern, inside):
            _note(folder, worktree, session, inside)
            return True
    return False


def means(pattern: str, path: str) -> bool:
    """Tell whether a pattern surely means a path; False where finding out takes more."""
    root = pattern
    if pattern == "**":
        return True
    if pattern.endswith("/**"):
        root = pattern[:-3]
    if "*" in root or "?" in root:
        return False
    return path == root or path.startswith(root + "/")


def _guarded(inside: str) -> bool:
    """Tell whether a path may be one that nobody is given; the rule itself says which those are."""
    plain = inside.lower()
    first = plain.partition("/")[0]
    return first in (".handrail", ".claude", "handrail.toml") or ".git" in plain.split("/")


def _anchors(inside: str) -> list[str]:
    found, end = [""], inside.find("/")
    while end >= 0:
        found.append(inside[:end])
        end = inside.find("/", end + 1)
    return [*found, inside]


def _locate(path: str) -> tuple[str, str, str] | None:
    """Find the store's folder, working tree and the path in it; None for what is unusual."""
    if not path.isascii() or path[:1] != "/" or "\0" in path:
        return None
    names = path[1:].split("/")
    if not names or any(name in ("", ".", "..") for name in names):
        return None
    environment = posix.environ
    if environment.get(b"GIT_DIR") or environment.get(b"GIT_WORK_TREE"):
        return None
    folders, at = [""], ""
    for name in names:
        at = f"{at}/{name}"
        try:
            kind = posix.lstat(at).st_mode & _KIND
        except FileNotFoundError:
            break
        if kind == _LINK:
            return None
        if kind == _FOLDER:
            folders.append(at)
    if at == path and folders[-1] == path:
        return None  # a folder is no file
    for folder in reversed(folders):
        try:
            kind = posix.lstat(f"{folder}/.git").st_mode & _KIND
        except FileNotFoundError:
            continue
        return _in_tree(folder, kind, path[len(folder) + 1 :])
    return None


def _in_tree(folder: str, kind: int, inside: str) -> tuple[str, str, str] | None:
    common, worktree = f"{folder}/.git", "."
    if kind == _LINK:
        return None
    if kind != _FOLDER:
        pointer = _read(common)
        if not pointer.startswith("gitdir: /"):
            return None
        own = pointer[len("gitdir: ") :].strip()
        shared = _read(f"{own}/commondir").strip()
        common = shared if shared[:1] == "/" else f"{own}/{shared}"
        worktree = own.rpartition("/")[2]
    chosen = posix.environ.get(b"HANDRAIL_STATE_DIR", b"").decode("ascii")
    return chosen or f"{common}/handrail", worktree, inside


def _read(path: str) -> str:
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        return posix.read(descriptor, _POINTER_BYTES_MAX).decode("ascii")
    finally:
        posix.close(descriptor)


def _clock() -> tuple[str, int]:
    """Return the boot's id and the milliseconds since, as ``facts.clock`` reads them."""
    shift = 0
    for line in _read(_TIME_NAMESPACE).splitlines():
        name, seconds, nanoseconds = line.split()
        if name == "boottime":
            shift = int(seconds) * 1000 + int(nanoseconds) // 1_000_000
    return _read(_BOOT_ID).strip(), time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000 - shift


def _note(folder: str, worktree: str, session: str, inside: str) -> None:
    """Leave word that an edit was let through, so that no shell line is blamed for it later."""
    line = f"+\0{session}\0{inside}\n".encode("ascii")
    name = f"{folder}/edited.{worktree}"
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_CLOEXEC
    descriptor = posix.open(name, flags, 0o600)
    try:
        if posix.fstat(descriptor).st_size > EDITED_BYTES_MAX:
            posix.ftruncate(descriptor, 0)
        posix.write(descriptor, line)
    finally:
        posix.close(descriptor)
