"""A Python program that stands in the line: the files that it plainly opens, moves and removes.

The program is parsed, not run. Names hold what was last assigned to them as literals, joined paths
and words of a loop; all else is unknown, and a write to it undecided.
"""

from __future__ import annotations

import _ast

from handrail.edge.shell.call import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail.edge.shell.state import Field, Fields

    Texts = list[str] | None

__all__ = ["python_writes"]

TEXT_MAX = 200_000
TEXTS_MAX = 64
ONLY_SYNTAX = 0x400  # ast.PyCF_ONLY_AST; importing ast costs more than all the rest

OPENS = frozenset({"open", "io.open", "codecs.open", "gzip.open", "os.fdopen", "builtins.open"})
FIRST = frozenset(
    {
        *("os.remove", "os.unlink", "os.rmdir", "os.truncate", "os.chmod", "os.chown"),
        *("os.removedirs", "os.mkfifo", "os.utime", "shutil.rmtree", "shutil.chown"),
    }
)
BOTH = frozenset({"os.rename", "os.replace", "os.renames", "shutil.move"})
SECOND = frozenset(
    {
        *("shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree", "shutil.copymode"),
        *("os.symlink", "os.link"),
    }
)
TREES = frozenset({"shutil.rmtree", "shutil.copytree"})
ON_PATH = frozenset(
    {
        *("write_text", "write_bytes", "touch", "unlink", "rmdir", "chmod", "symlink_to"),
        *("hardlink_to",),
    }
)
TO_FIRST = frozenset({"to_csv", "to_json", "to_parquet", "to_excel", "to_html", "savefig"})
SHELLS = frozenset({"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"})
STARTS = frozenset(
    f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")
)
PATHS = frozenset({"Path", "pathlib.Path", "PurePath", "str", "os.fspath", "os.path.abspath"})
SAME = frozenset({"resolve", "absolute", "as_posix", "expanduser"})


def python_writes(call: Call, text: Field, arguments: Fields) -> None:
    """Note what the program ``text`` writes; ``arguments`` are what follows it in ``sys.argv``."""
    if text is None or len(text) > TEXT_MAX:
        call.undecided()
        return
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = compile(text, "<line>", "exec", ONLY_SYNTAX, dont_inherit=True)
        _Program(call, arguments).visit(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        call.undecided()


def _dotted(node: _ast.AST) -> str:
    """Give ``a.b.c`` for such an expression; else nothing."""
    if isinstance(node, _ast.Name):
        return node.id
    if isinstance(node, _ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


class _Program:
    """One program while it is read from top to bottom."""

    def __init__(self, call: Call, arguments: Fields) -> None:
        self.call = call
        self.state = call.state.copy()
        self.arguments = arguments
        self.names: dict[str, Texts] = {}
        self.modules: dict[str, str] = {}

    def visit(self, node: _ast.AST) -> None:
        """Read ``node`` and all within it."""
        if not self.call.found.step():
            return
        if isinstance(node, _ast.Import | _ast.ImportFrom):
            self.imported(node)
        elif isinstance(node, _ast.For):
            self.assign(node.target, self.items(node.iter))
        for field in node._fields:
            value = getattr(node, field, None)
            for each in value if isinstance(value, list) else (value,):
                if isinstance(each, _ast.AST):
                    self.visit(each)
        if isinstance(node, _ast.Assign):
            for target in node.targets:
                self.assign(target, self.texts(node.value))
        elif isinstance(node, _ast.AnnAssign | _ast.NamedExpr) and node.value is not None:
            self.assign(node.target, self.texts(node.value))
        elif isinstance(node, _ast.AugAssign):
            self.assign(node.target, None)
        elif isinstance(node, _ast.Call):
            self.called(node)

    def imported(self, node: _ast.Import | _ast.ImportFrom) -> None:
        """Keep under which names modules and their functions are known."""
        module = getattr(node, "module", None)
        for alias in node.names:
            whole = f"{module}.{alias.name}" if module else alias.name
            self.modules[alias.asname or alias.name] = whole

    def assign(self, target: _ast.AST, texts: Texts) -> None:
        """Give a name its value."""
        if isinstance(target, _ast.Name):
            self.names[target.id] = texts
        elif isinstance(target, _ast.Tuple | _ast.List):
            for each in target.elts:
                self.assign(each, None)

    def items(self, node: _ast.AST) -> Texts:
        """Give what a loop over a literal list goes through."""
        if not isinstance(node, _ast.List | _ast.Tuple | _ast.Set):
            return None
        out: list[str] = []
        for each in node.elts:
            texts = self.texts(each)
            if texts is None:
                return None
            out.extend(texts)
        return out[:TEXTS_MAX] or None

    def texts(self, node: _ast.AST | None) -> Texts:
        """Give the strings that an expression may stand for; None where it cannot be told."""
        if isinstance(node, _ast.Constant):
            value = node.value
            if isinstance(value, bytes):
                value = value.decode("utf-8", "surrogateescape")
            return [value] if isinstance(value, str) else None
        if isinstance(node, _ast.Name):
            return self.names.get(node.id)
        if isinstance(node, _ast.JoinedStr):
            out: Texts = [""]
            for part in node.values:
                inner = part.value if isinstance(part, _ast.FormattedValue) else part
                out = _joined(out, self.texts(inner), "")
            return out
        if isinstance(node, _ast.BinOp) and isinstance(node.op, _ast.Div | _ast.Add):
            between = "/" if isinstance(node.op, _ast.Div) else ""
            return _joined(self.texts(node.left), self.texts(node.right), between)
        if isinstance(node, _ast.Subscript) and self.known(node.value) == "sys.argv":
            index = node.slice.value if isinstance(node.slice, _ast.Constant) else None
            if isinstance(index, int) and 0 < index <= len(self.arguments):
                argument = self.arguments[index - 1]
                return None if argument is None else [argument]
            return None
        return self.built(node) if isinstance(node, _ast.Call) else None

    def built(self, node: _ast.Call) -> Texts:
        """Give the path that a call such as ``Path(...)`` or ``os.path.join(...)`` makes."""
        name = self.known(node.func)
        if name in PATHS or name == "os.path.join":
            out = self.texts(node.args[0]) if node.args else ["."]
            for each in node.args[1:]:
                out = _joined(out, self.texts(each), "/")
            return out
        if name == "os.getcwd" or name in ("Path.cwd", "pathlib.Path.cwd"):
            return [self.state.cwd] if self.state.cwd is not None else None
        if isinstance(node.func, _ast.Attribute):
            base = self.texts(node.func.value) if node.func.attr in (*SAME, "joinpath") else None
            for each in node.args if node.func.attr == "joinpath" else ():
                base = _joined(base, self.texts(each), "/")
            return base
        return None

    def known(self, node: _ast.AST) -> str:
        """Give the dotted name of a function, imports undone."""
        name = _dotted(node)
        head, dot, rest = name.partition(".")
        return self.modules.get(head, head) + dot + rest

    def called(self, node: _ast.Call) -> None:
        """Read a call."""
        name = self.known(node.func)
        first = node.args[0] if node.args else None
        reader = READERS.get(name)
        if reader is not None:
            reader(self, node, name)
        elif isinstance(node.func, _ast.Attribute):
            self.method(node, node.func, first)

    def method(self, node: _ast.Call, func: _ast.Attribute, first: _ast.AST | None) -> None:
        """Read a call of a method whose name tells what it does."""
        if func.attr in ON_PATH:
            self.write(self.texts(func.value))
        elif func.attr in TO_FIRST and first is not None:
            self.write(self.texts(first))
        elif func.attr == "open" and not isinstance(func.value, _ast.Name | _ast.Constant):
            self.mode(node, 0, self.texts(func.value))
        elif func.attr == "open" and isinstance(func.value, _ast.Name):
            if self.names.get(func.value.id) is not None:
                self.mode(node, 0, self.names[func.value.id])
        elif func.attr in ("rename", "replace") and len(node.args) == 1 and not node.keywords:
            self.write(self.texts(func.value))
            self.write(self.texts(first))

    def mode(self, node: _ast.Call, index: int, path: Texts) -> None:
        """Note ``path`` if the mode of an ``open`` writes."""
        given = node.args[index] if len(node.args) > index else None
        for keyword in node.keywords:
            if keyword.arg == "mode":
                given = keyword.value
        if given is None:
            return
        modes = self.texts(given)
        if modes is None or any(letter in mode for mode in modes for letter in "wax+"):
            self.write(path)

    def opened(self, node: _ast.Call, _name: str) -> None:
        """Read ``open``."""
        given = [word.value for word in node.keywords if word.arg in ("file", "filename")]
        given = [*node.args[:1], *given]
        self.mode(node, 1, self.texts(given[0]) if given else None)

    def first(self, node: _ast.Call, name: str) -> None:
        """Read a function that writes its first argument."""
        self.write(self.texts(node.args[0] if node.args else None), name in TREES)

    def second(self, node: _ast.Call, name: str) -> None:
        """Read a function from a source to a destination; a move writes both."""
        given = [*node.args[:2], *(word.value for word in node.keywords)][:2]
        source = self.texts(given[0]) if given else None
        target = self.texts(given[1]) if len(given) > 1 else None
        if name in BOTH:
            self.write(source, any(self.state.is_folder(each) for each in source or ()))
        if target is not None and any(self.state.is_folder(each) for each in target):
            names = None if source is None else [x.rstrip("/").rpartition("/")[2] for x in source]
            target = target if name in TREES else _joined(target, names, "/")
        self.write(target, name in TREES)

    def started(self, node: _ast.Call, name: str) -> None:
        """Read a function that runs a command or a shell line."""
        first = node.args[0] if node.args else None
        if isinstance(first, _ast.List | _ast.Tuple):
            fields: Fields = []
            for each in first.elts:
                texts = self.texts(each)
                fields.append(texts[0] if texts is not None and len(texts) == 1 else None)
            self.call.run(fields, self.state.copy(), stdin="")
            return
        texts = self.texts(first)
        if texts is None:
            self.call.undecided()
        for text in texts or ():
            self.call.shell(text, self.state.copy())

    def went(self, node: _ast.Call, _name: str) -> None:
        """Read ``os.chdir``."""
        texts = self.texts(node.args[0] if node.args else None)
        known = texts is not None and len(texts) == 1
        self.state.cwd = self.state.resolve(texts[0]) if known and texts else None

    def write(self, texts: Texts, below: bool = False) -> None:
        """Note each path."""
        if texts is None:
            self.call.undecided()
        for text in texts or ():
            whole = self.state.resolve(text.replace("\0", ""))
            if whole is not None:
                self.call.found.write(whole, below)
            elif text:
                self.call.undecided()


def _joined(left: Texts, right: Texts, between: str) -> Texts:
    """Join every one of ``left`` with every one of ``right``."""
    if left is None or right is None or len(left) * len(right) > TEXTS_MAX:
        return None
    if between:
        return [y if y.startswith("/") else f"{x.rstrip('/')}/{y}" for x in left for y in right]
    return [x + y for x in left for y in right]


READERS: dict[str, Callable[[_Program, _ast.Call, str], None]] = {
    **dict.fromkeys(OPENS, _Program.opened),
    **dict.fromkeys(FIRST, _Program.first),
    **dict.fromkeys((*BOTH, *SECOND), _Program.second),
    **dict.fromkeys((*SHELLS, *STARTS), _Program.started),
    "os.chdir": _Program.went,
}
