r"""The scripts that `init` writes: launch line, harness hook, hooks of git.

Promises, each held by tests under a real ``sh``:

- plain POSIX: no process but ``sh`` itself until the launch line replaces it, no look-up in PATH,
  the caller's words and stdin handed on as they came;
- a launch line that leads nowhere is never a failure: the harness's hook answers as
  ``uninstalled`` in ``handrail.toml`` says, a hook of git lets through; ``pre-receive`` alone
  refuses whatever was not found good;
- in a rebase or a fetch no interpreter starts: the head of a script ends it before;
- what stood in a hook's place before runs first, with the same words and stdin, and its failure is
  the hook's failure.

    >>> launch_line("/usr/bin/python3", "/opt/it's/guard.py", "/opt/lib").decode()
    "[ -x '/usr/bin/python3' ] && [ -f '/opt/it'\\''s/guard.py' ] && exec '/usr/bin/python3'
     -I -S '/opt/it'\\''s/guard.py' '/opt/lib' \"$@\"\n"
"""

from __future__ import annotations

from typing import Final

MARKER: Final = b"# handrail:hook\n"
"""The second line of every script of ours; nobody else's has it."""
MARKER_WITHIN: Final = 200
BEFORE: Final = ".before-handrail"
LEGACY: Final = ".legacy"
"""What the pre-commit framework appends to the name of the hook that it found; it runs it too."""

_SHEBANG: Final = "#!/bin/sh\n# handrail:hook\n"

# ``read`` and not ``cat``: no process. A path may hold a newline, but git lets none end in one.
_FUNCTIONS: Final = r"""
nl='
'

# $text: all of stdin, without the newline at its end.
slurp() {
  text=
  while IFS= read -r line || [ -n "$line" ]; do
    text=$text${text:+$nl}$line
  done
}

# $common: the folder that all working trees share, by the .git at $1.
find_common() {
  common=$1
  if [ -f "$common" ]; then
    slurp <"$common"
    text=${text#gitdir: }
    case $text in
      /*) common=$text ;;
      *) common=${1%.git}$text ;;
    esac
  fi
  if [ -f "$common/commondir" ]; then
    slurp <"$common/commondir"
    case $text in
      /*) common=$text ;;
      *) common=$common/$text ;;
    esac
  fi
  [ -d "$common" ]
}
"""

_HARNESS: Final = (
    _SHEBANG
    + r"""# Coding harnesses call this before and after what they do. It is the same in every clone:
# it hands its words and stdin to Handrail by the launch line that `handrail init` wrote into
# this clone's git folder. `handrail uninstall` removes it.
set -u
"""
    + _FUNCTIONS
    + r"""
# $root: the nearest folder from $1 upwards that is the top of a working tree.
climb() {
  root=$1
  while ! find_common "$root/.git"; do
    [ -n "$root" ] || return 1
    root=${root%/*}
  done
}

# This clone has no Handrail, or none that starts. The line for `uninstalled` is looked for as it
# is usually written, at the beginning of a line of its own: this shell reads no TOML. Only what is
# about to happen can be denied; a prompt or the end of a turn is let through.
uninstalled() {
  trap - EXIT
  echo "handrail: this clone does not run Handrail;" \
    "next: pipx install handrail && handrail init" >&2
  deny=
  if [ -r "$root/handrail.toml" ]; then
    while read -r line || [ -n "$line" ]; do
      case $line in
        uninstalled*=*[\"\']deny[\"\']*) deny=yes ;;
      esac
    done <"$root/handrail.toml"
  fi
  [ -n "$deny" ] || exit 0
  slurp
  event=${text#*'"hook_event_name":'}
  case ${event# } in
    '"SessionStart"'* | '"SessionEnd"'* | '"UserPromptSubmit"'*) exit 0 ;;
    '"PostToolUse'* | '"Stop"'* | '"SubagentStop"'*) exit 0 ;;
    '"PreCompact"'* | '"TaskCompleted"'* | '"InstructionsLoaded"'*) exit 0 ;;
  esac
  exit 2
}

case $0 in
  /*) here=${0%/*} ;;
  *) here=$PWD/$0; here=${here%/*} ;;
esac
climb "${here%/*}" || climb "$PWD" || common=/dev/null
# Whatever goes wrong from here on, also an interpreter that does not start, ends there; bash
# would end at once, and forgets the trap.
trap uninstalled EXIT
[ -z "${BASH_VERSION-}" ] || shopt -s execfail
[ -r "$common/handrail/launch" ] || exit 0
set -- hook "$@"
. "$common/handrail/launch"
uninstalled
"""
)

_CHAIN: Final = r"""# What stood here before is kept beside this file and runs first;
# `handrail uninstall` puts it back.
case ${0##*/} in
  @NAME@*) before=${0%.legacy}.before-handrail ;;
  *)
    # Somebody's link leads here, and means what it led to before.
    before=${0%/*}/@NAME@.before-handrail
    [ -x "$before" ] || exit 0
    @RUN@
    exit $?
    ;;
esac
"""
_BEFORE_FIRST: Final = r"""if [ -f "$before" ] && [ -x "$before" ]; then
  @RUN@ || exit $?
fi
"""

# Lines are gathered in parts: a long text that grows by a line is copied each time.
_GATHER: Final = r"""
nl='
'

# $lines: all of stdin; $branch: set if a line is about a branch.
gather() {
  lines=; part=; branch=
  while IFS= read -r line; do
    part=$part$line$nl
    case $line in *' refs/heads/'*) branch=yes ;; esac
    [ ${#part} -lt 4096 ] || { lines=$lines$part; part=; }
  done
  lines=$lines$part
  lines=${lines%"$nl"}
}
"""
_LINES_FIRST: Final = r"""gathered=
if [ -f "$before" ] && [ -x "$before" ]; then
  gather
  gathered=yes
  @RUN@ <<END || exit $?
$lines
END
fi
"""
_PUSH_FIRST: Final = r"""gather
if [ -z "$lines" ]; then
  # Nothing is pushed; what stood here before may want to know.
  [ -f "$before" ] && [ -x "$before" ] || exit 0
  @RUN@ </dev/null
  exit $?
fi
if [ -f "$before" ] && [ -x "$before" ]; then
  @RUN@ <<END || exit $?
$lines
END
fi
"""
_TRANSACTION_HEAD: Final = r"""# Only a branch about to move is looked at: a fetch ends here.
[ "$1" = prepared ] || exit 0
[ -n "$gathered" ] || gather
[ -n "$branch" ] || exit 0
"""
_REBASE_HEAD: Final = r"""# A rebase comes by once for each commit, and takes its message along.
case $1 in
  */*) folder=${1%/*} ;;
  *) folder=. ;;
esac
[ ! -d "$folder/rebase-merge" ] || exit 0
"""
_PUT_BACK: Final = r"""
exec <<END
$lines
END
"""
_LAUNCH: Final = r"""
let_through() {
  trap - EXIT
  @MISSING@exit 0
}
# Whatever goes wrong from here on, also an interpreter that does not start, ends there; bash
# would end at once, and forgets the trap.
trap let_through EXIT
[ -z "${BASH_VERSION-}" ] || shopt -s execfail
find_common "${GIT_DIR:-.git}" && [ -r "$common/handrail/launch" ] || exit 0
set -- hook git @NAME@ "$@"
. "$common/handrail/launch"
let_through
"""
_MISSING: Final = r"""if [ -f handrail.toml ] || [ -f .handrail/hook ]; then
    echo "handrail: this clone does not run Handrail;" \
      "next: pipx install handrail && handrail init" >&2
  fi
  """

# No process takes this one's place: whatever ends it, and be it a crash, is answered here. Only the
# one status that nothing else gives is a yes. Names are read as UTF-8, whatever the locale.
_JUDGED: Final = r"""
@WITHOUT@( find_common "${GIT_DIR:-.}" && [ -r "$common/handrail/launch" ] || exit 1
  LC_ALL=C; export LC_ALL
  set -- hook git @NAME@ "$@"
  . "$common/handrail/launch" )
case $? in
  @LANDS@) exit 0 ;;
  @STAYS_OUT@) exit 1 ;;
esac
echo "handrail: the push was refused: what judges pushes here does not start" >&2
echo "  next, where the repository is kept: handrail init --bare" >&2
exit 1
"""
_WITHOUT: Final = r"""# Others may use this hook. Where nothing was ever set up, nothing is judged.
find_common "${GIT_DIR:-.}" && [ -d "$common/handrail" ] || exit 0
"""
_PUT_BACK_GATHERED: Final = r"""
if [ -n "$gathered" ]; then
exec <<END
$lines
END
fi
"""
LANDS: Final = 40
STAYS_OUT: Final = 41
"""How the guard answers ``pre-receive``; no interpreter and no shell ends so by itself."""

_EXECUTED: Final = '"$before" "$@"'
_SOURCED: Final = '( . "$before" )'
"""For scripts that go by their own name: they must find it in ``$0``."""
_BY_NAME: Final = (b"basename", b'")/h"', b"##*/")

HOOKS: Final = ("pre-commit", "prepare-commit-msg", "reference-transaction", "pre-push")
PRE_RECEIVE: Final = "pre-receive"
"""The hook of a bare repository."""
_BODIES: Final = {
    PRE_RECEIVE: _CHAIN + _GATHER + _LINES_FIRST + _PUT_BACK_GATHERED + _FUNCTIONS + _JUDGED,
    "pre-commit": _CHAIN + _BEFORE_FIRST + _FUNCTIONS + _LAUNCH,
    "prepare-commit-msg": _CHAIN + _BEFORE_FIRST + _REBASE_HEAD + _FUNCTIONS + _LAUNCH,
    "pre-push": _CHAIN + _GATHER + _PUSH_FIRST + _FUNCTIONS + _PUT_BACK + _LAUNCH,
    "reference-transaction": (
        _CHAIN + _GATHER + _LINES_FIRST + _TRANSACTION_HEAD + _FUNCTIONS + _PUT_BACK + _LAUNCH
    ),
}


def harness_hook() -> bytes:
    """Return the tracked ``.handrail/hook``."""
    return _HARNESS.encode("ascii")


def git_hook(name: str, before: bytes | None = None, *, shared: bool = False) -> bytes:
    """Return a hook of git; ``before`` is the text of the one that it runs first, if any.

    ``shared``: other repositories may use it too.
    """
    text = _SHEBANG + _BODIES[name]
    missing = _MISSING if name == "pre-commit" else ""
    run = _SOURCED if _goes_by_its_name(before) else _EXECUTED
    text = text.replace("@RUN@", run).replace("@MISSING@", missing)
    text = text.replace("@WITHOUT@", _WITHOUT if shared else "")
    text = text.replace("@LANDS@", str(LANDS)).replace("@STAYS_OUT@", str(STAYS_OUT))
    return text.replace("@NAME@", name).encode("ascii")


def _goes_by_its_name(script: bytes | None) -> bool:
    """Tell whether a script of ``sh`` looks at the name that it was called by, as husky's do."""
    if script is None:
        return False
    first = script.partition(b"\n")[0].split()
    shell = bool(first) and first[0].startswith(b"#!") and first[-1].split(b"/")[-1] == b"sh"
    return shell and any(sign in script for sign in _BY_NAME)


def is_ours(script: bytes | None) -> bool:
    """Tell whether a script was written by Handrail, this release's or another's."""
    return script is not None and MARKER in script[:MARKER_WITHIN]


def launch_line(interpreter: str, guard: str, site: str) -> bytes:
    """Return the line that hooks source: it becomes the guard, or fails if that is gone.

    The guard's first argument is the folder that its one dependency is imported from, because the
    interpreter starts without ``site``; the others are the words of the hook.
    """
    python, script, folder = (_quoted(word) for word in (interpreter, guard, site))
    words = b" ".join((python, b"-I", b"-S", script, folder))
    return b'[ -x %s ] && [ -f %s ] && exec %s "$@"\n' % (python, script, words)


def _quoted(word: str) -> bytes:
    """Quote a word for POSIX sh: whatever it holds, newlines and bytes of no text included."""
    return b"'" + word.encode("utf-8", "surrogateescape").replace(b"'", b"'\\''") + b"'"


def launch_targets(line: bytes) -> tuple[str, ...]:
    """Return interpreter and guard of a launch line; empty if it is none of ours."""
    import shlex

    try:
        words = shlex.split(line.decode("utf-8", "surrogateescape"))
    except ValueError:
        return ()
    if len(words) < 10 or (words[0], words[5]) != ("[", "["):
        return ()
    return words[2], words[7]
