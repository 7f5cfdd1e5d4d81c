"""The quick scan of a shell line: whether it needs the grammar at all.

Promise: ``False`` only for a line that by itself writes no file: it redirects into none, and no
word of it, however quoted, is a command that can write. ``True`` promises nothing: the grammar
decides.
What a program does that the line merely starts (a build, a script, a test) is not looked at, nor
whether a variable of the environment holds a flag.

Imports nothing, and looks at the words one by one only where a first look at all of them at once
gives a reason to.

    >>> may_write("make test 2>&1 | tail -3"), may_write("'r'm x"), may_write("git -C a restore b")
    (False, True, True)
"""

__all__ = ["may_write"]

# Commands that write whatever their arguments are.
WRITES = frozenset(
    {
        *("rm", "rmdir", "unlink", "shred", "mv", "cp", "install", "scp", "ln", "link", "rsync"),
        *("tee", "sponge", "touch", "truncate", "chmod", "chown", "chgrp", "mkfifo", "dd"),
        *("gzip", "gunzip", "bzip2", "bunzip2", "xz", "unxz", "zip", "unzip", "split", "csplit"),
        *("dos2unix", "unix2dos", "patch", "apply_patch", "applypatch", "wget", "eval", "parallel"),
        *("ed", "ex", "vi", "vim", "nvim", "emacs", "nano", "black", "isort", "pyupgrade"),
        *("rustfmt",),
    }
)
# Commands that run what stands behind them: that word is seen for itself, unless it is a variable.
RUNS = frozenset(
    {
        *("sudo", "doas", "env", "command", "exec", "builtin", "nohup", "setsid", "time", "coproc"),
        *("chronic", "unbuffer", "busybox", "nice", "ionice", "stdbuf", "timeout", "gtimeout"),
        *("taskset", "strace", "watch", "flock", "xargs", "trap", "su", "npx", "bunx", "uvx"),
        *("pipx", "uv", "poetry", "pipenv", "pdm", "hatch", "rye", "pnpm", "yarn", "bundle"),
    }
)
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "rbash"})
PROGRAMS = frozenset(
    {
        *("python", "python2", "python3", "pypy", "pypy3", "perl", "ruby", "node", "nodejs"),
        *("deno", "bun", "php", "tsx"),
    }
)
FORMATTERS = frozenset(
    {
        *("prettier", "eslint", "stylelint", "biome", "gofmt", "goimports", "shfmt", "yq"),
        *("clang-format", "autopep8", "yapf", "autoflake", "cargo", "go"),
    }
)
SEDS = frozenset({"sed", "gsed"})
AWKS = frozenset({"awk", "gawk", "mawk", "nawk"})
# Subcommands of git that leave the working tree alone.
GIT_READS = frozenset(
    {
        *("add", "blame", "branch", "cat-file", "check-ignore", "commit", "config", "describe"),
        *("diff", "diff-tree", "fetch", "for-each-ref", "grep", "help", "log", "ls-files"),
        *("ls-remote", "ls-tree", "merge-base", "push", "reflog", "remote", "rev-list"),
        *("rev-parse", "shortlog", "show", "show-ref", "status", "tag", "update-index", "version"),
        *("--version", "--help"),
    }
)
GIT_LISTS = frozenset({("stash", "list"), ("stash", "show"), ("worktree", "list")})
GIT_VALUES = frozenset({"-C", "--git-dir", "--work-tree", "--namespace", "--exec-path"})
FIND_WRITES = frozenset({"-delete", "-fprint", "-fprint0", "-fls", "-fprintf"})
# What a program must spell, in whatever language, for the grammar to see it write.
SPELLS = (
    *("open", "rite", "touch", "nlink", "remove", "rm", "chmod", "chown", "link", "ename"),
    *("eplace", "move", "opy", "runcate", "utime", "fifo", "system", "subprocess", "popen"),
    *("to_", "savefig", "spawn", "exec", "ile", "IO.", "Sync", "elete", "put_contents", "mv"),
    *("Stream", "shutil", "cp", "symlink", "rename"),
)
CAREFUL = frozenset(
    {
        *SHELLS,
        *PROGRAMS,
        *FORMATTERS,
        *SEDS,
        *AWKS,
        *("git", "find", "sort", "tar", "bsdtar", "curl", "uniq", "xxd", "ruff"),
    }
)
KEYWORDS = frozenset({"then", "do", "else", "elif", "if", "while", "until", "!", "{", "}"})

_apart = {";": " ; ", "|": " ; ", "&": " ; ", "\n": " ; ", "(": " ; ", ")": " ; ", "`": " ; "}
_gone = {"'": None, '"': None, "\\": None, "\0": None}
WORDS = str.maketrans(
    {**_apart, **_gone, "{": " ", "}": " ", ",": " ", "=": " ", "<": " ", ">": " "}
)
SPELT = str.maketrans(_gone)
PLACES = str.maketrans({**_apart, "\\": None, "\0": None, "'": '"', "<": " ", ">": " "})
ENDS = frozenset(" \t\n;|&)`")


def _into_file(line: str) -> bool:
    """Say whether a redirection of ``line`` may write a file."""
    at = line.find(">")
    while at >= 0:
        at += 1
        after = line[at : at + 1]
        if after == "&":
            end = at + 1
            while line[end : end + 1].isdigit() or line[end : end + 1] == "-":
                end += 1
            if end == at + 1 or not _ends(line, end):
                return True
        elif after not in (">", "("):
            start = at
            while line[start : start + 1] in (" ", "\t"):
                start += 1
            if line.startswith("/dev/null", start):
                if not _ends(line, start + 9):
                    return True
            # Before the end of a row no file is named: it is a sign within some text.
            elif line[start : start + 1] not in ("", "\n", ">") and line[start:].rstrip() != '"':
                return True
        at = line.find(">", at)
    return False


def _ends(line: str, at: int) -> bool:
    """Say whether a word of ``line`` ends before ``at``, or with a quote there."""
    if line[at : at + 1] in ("'", '"'):
        at += 1
    return line[at : at + 1] in ENDS or at >= len(line)


def _unknown_command(line: str) -> bool:
    """Say whether a word that stands where a command does is not spelt out."""
    first, loose = True, False
    for word in line.translate(PLACES).split():
        if word == ";":
            first, loose = True, False
            continue
        spelt = word.strip('"')
        if (first or loose) and word != "{" and spelt not in ("[", "[["):
            name, equals, _ = spelt.partition("=")
            if equals and first and "$" not in name:
                loose = loose or word.count('"') % 2 == 1
                continue
            if any(sign in spelt for sign in "$*?[{"):
                return True
        first = spelt in KEYWORDS
    return False


def _flag(words: list[str], letters: str, *longs: str) -> bool:
    """Say whether a cluster has one of ``letters``, or a long flag begins like one of ``longs``."""
    for word in words:
        if word[:1] == "-":
            if "$" in word:
                return True
            if word[:2] == "--":
                if word.startswith(longs):
                    return True
            elif any(letter in word for letter in letters):
                return True
    return False


def _git(rest: list[str], words: list[str]) -> bool:
    index = 0
    while index < len(rest) and rest[index][:2] in ("-C", "--") and rest[index] not in GIT_READS:
        index += 2 if rest[index] in GIT_VALUES else 1
    name = rest[index] if index < len(rest) else "--help"
    if _flag(words, "", "--ou"):
        return True
    return name not in GIT_READS and (name, *rest[index + 1 : index + 2]) not in GIT_LISTS


def _program(line: str, name: str, rest: list[str]) -> bool:
    if name in ("perl", "ruby") and _flag(rest, "i"):
        return True
    first = rest[0] if rest else "-"
    if first == "-m" and len(rest) > 1:
        return rest[1] == "json.tool" or "$" in rest[1]
    if first[0] not in "-$" and first != "eval" and "<<" not in line:
        return first.endswith("stdin")
    if "$" in line or "`" in line:
        return True
    spelt = line.translate(SPELT)
    return any(word in spelt or word in line for word in SPELLS)


def _writes(line: str, name: str, rest: list[str], words: list[str]) -> bool:
    """Say whether the command ``name`` may write with what stands behind it."""
    if name == "git":
        return _git(rest, words)
    if name in PROGRAMS or name.startswith(("python3.", "pypy3.")):
        return _program(line, name, rest)
    if name in SHELLS:
        return not rest or rest[0][0] in "-$" or "<" in line
    if name in SEDS:
        return _flag(words, "i", "--i") or any(word.endswith("w") for word in words)
    if name == "find":
        return not FIND_WRITES.isdisjoint(words)
    if name == "sort":
        return _flag(words, "o", "--o")
    if name in AWKS:
        return "inplace" in words
    if name == "curl":
        return _flag(words, "oODc", "--o", "--remote", "--d", "--c")
    if name in ("tar", "bsdtar"):
        first = rest[0] if rest else "c"
        return "t" not in first or not frozenset("xcruA$-").isdisjoint(first.lstrip("-"))
    if name == "ruff":
        return "check" not in words or _flag(words, "", "--f", "--u")
    if name in FORMATTERS:
        return _flag(words, "wif", "--f", "--w", "--i", "--a") or not (
            {"fmt", "fix", "generate"}.isdisjoint(words)
        )
    return sum(word[0] != "-" for word in rest) > 1


def _careful(line: str, words: list[str]) -> bool:
    """Look at each command that writes only with some arguments."""
    if "{" in line and ("," in line or ".." in line) and "-{" in line:
        return True
    for index, word in enumerate(words):
        name = word[word.rfind("/") + 1 :]
        if name in CAREFUL or name.startswith(("python3.", "pypy3.")):
            end = words.index(";", index) if ";" in words[index:] else len(words)
            if _writes(line, name, words[index + 1 : end], words):
                return True
    return False


def _words_write(line: str) -> bool:
    words = line.translate(WORDS).split()
    if "/" in line:
        words += [word[word.rfind("/") + 1 :] for word in words if "/" in word and word[-1] != "/"]
    if not WRITES.isdisjoint(words):
        return True
    if "$" in line and not RUNS.isdisjoint(words):
        return True
    if CAREFUL.isdisjoint(words) and "python3." not in line and "pypy3." not in line:
        return "-S" in words and "env" in words
    return _careful(line, words)


def may_write(command: str) -> bool:
    """Say whether the grammar has to look at ``command``; False if it surely writes no file."""
    if ">" in command and _into_file(command):
        return True
    if "$'" in command and "\\" in command:
        return True
    if _words_write(command):
        return True
    if "\\\n" in command and _words_write(command.replace("\\\n", "")):
        return True
    for sign in "$*?[{":
        if sign in command:
            return _unknown_command(command)
    return False
