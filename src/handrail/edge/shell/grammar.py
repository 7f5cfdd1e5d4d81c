"""What a shell line writes, read from its syntax tree without running anything.

Promise: each path given is one that the line would write if all its commands succeeded, in the
folder and with the variables given. Not promised is that these are all: a program may write
whatever it likes. What is seen to write, but not where, is counted as undecided. No input raises,
and each ends in bounded time.

    >>> written("cd src && echo x > a.py; rm -r $UNKNOWN", "/repository", "/home/ada", {})
    Writes(targets=(Target(path='/repository/src/a.py', below=False),), undecided=1)
"""

from __future__ import annotations

from handrail.edge.shell.call import Call
from handrail.edge.shell.commands import COMMANDS
from handrail.edge.shell.state import State
from handrail.edge.shell.text import NO_WORDS, REDIRECTS, Text
from handrail.edge.shell.tree import parse
from handrail.edge.shell.words import fields
from handrail.edge.shell.writes import Found, Writes, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tree_sitter import Node

    from handrail.edge.shell.heredocs import Document
    from handrail.edge.shell.state import Field, Fields

    Statement = Callable[["Line", Node, State, "Pipe"], "str | None"]

__all__ = ["written"]

DEPTH_MAX = 12
NESTED_MAX = 150
ROUNDS_MAX = 256


class Pipe:
    """What comes into a statement, which redirections stand behind it, and whether it is read."""

    __slots__ = ("piped", "stdin", "tail")

    def __init__(
        self, stdin: str | None = None, tail: tuple[Node, ...] = (), piped: bool = False
    ) -> None:
        self.stdin = stdin
        self.tail = tail
        self.piped = piped


PLAIN = Pipe()


class Line(Text):
    """One source text while it is read: a line, or what a command within it runs."""

    def __init__(self, text: str, documents: dict[int, Document], found: Found, depth: int) -> None:
        super().__init__(text, documents, found, self.run, self.beside)
        self.depth = depth
        self.nested = 0

    def beside(self, source: str, state: State) -> None:
        """Read ``source`` within this line, in a state of its own."""
        read(source, state.copy(), self.found, self.depth + 1)

    def run(self, node: Node, state: State, pipe: Pipe = PLAIN) -> str | None:
        """Read one statement; give what it prints, where that is known."""
        if self.nested >= NESTED_MAX or not self.found.step():
            self.found.spent = self.found.spent or not self._count()
            return None
        self.nested += 1
        try:
            return STATEMENTS.get(node.type, Line.sequence)(self, node, state, pipe)
        finally:
            self.nested -= 1

    def _count(self) -> bool:
        """Count what is nested too deep as one write that cannot be told."""
        if not self.found.spent:
            self.found.undecided += 1
        return True

    def sequence(self, node: Node, state: State, _pipe: Pipe = PLAIN) -> str | None:
        """Read statement after statement; one that ends in ``&`` has a state of its own."""
        if node.child_count and node.type not in REDIRECTS:
            children = node.children
            for index, child in enumerate(children):
                if child.is_named and child.type != "comment":
                    beside = index + 1 < len(children) and children[index + 1].type == "&"
                    self.run(child, state.copy() if beside else state)
        return None

    def apart(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read a subshell: what it changes stays there."""
        self.redirects(pipe.tail, state)
        return self.sequence(node, state.copy())

    def compound(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read ``{ … }`` or ``((…))``."""
        self.redirects(pipe.tail, state)
        if node.child_count and node.children[0].type == "((":
            return self.reckon(node, state, pipe)
        return self.sequence(node, state)

    def redirected(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read a statement with redirections; those of a list belong to its last command."""
        tail = tuple(child for child in node.children if child.type in REDIRECTS)
        rest = [c for c in node.children if c.is_named and c.type not in REDIRECTS]
        inner = Pipe(pipe.stdin, (*tail, *pipe.tail), pipe.piped)
        if not rest:
            self.redirects(inner.tail, state)
            return None
        for child in rest[:-1]:
            self.run(child, state)
        return self.run(rest[-1], state, inner)

    def listed(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read ``A && B`` and ``A || B``: the first is taken to succeed."""
        members = [child for child in node.children if child.is_named and child.type != "comment"]
        alternative = any(child.type == "||" for child in node.children)
        before = state.copy()
        for child in members[:-1]:
            self.run(child, state)
        if not members:
            return None
        if not alternative or len(members) == 1:
            return self.run(members[-1], state, Pipe(None, pipe.tail))
        folder = state.cwd
        moved = folder != before.cwd
        self.run(members[-1], before, Pipe(None, pipe.tail))
        state.join(before)
        if moved:
            state.cwd = folder
        return None

    def piped(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read the commands of a pipe, each with what the one before prints."""
        members = [child for child in node.children if child.is_named and child.type != "comment"]
        stdin = pipe.stdin
        for index, child in enumerate(members):
            last = index + 1 == len(members)
            stdin = self.run(child, state.copy(), Pipe(stdin, pipe.tail if last else (), not last))
        return stdin

    def last(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read ``! command``."""
        named = [child for child in node.children if child.is_named]
        return self.run(named[-1], state, pipe) if named else None

    def choice(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read ``if``: each branch from where the conditions before it lead."""
        self.redirects(pipe.tail, state)
        ends: list[State] = []
        branch = state.copy()
        complete = False
        for index, child in enumerate(node.children):
            if child.type in ("elif_clause", "else_clause"):
                ends.append(branch)
                branch = state.copy()
                complete = child.type == "else_clause"
                self.sequence(child, branch)
            elif child.type == "then":
                branch = state.copy()
            elif child.is_named and child.type != "comment":
                self.run(child, state if node.field_name_for_child(index) else branch)
        ends.append(branch)
        self.meet(state, ends, complete)
        return None

    def case(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read ``case``: each item on its own."""
        self.redirects(pipe.tail, state)
        ends: list[State] = []
        for child in node.children:
            if child.type == "case_item":
                branch = state.copy()
                for index, part in enumerate(child.children):
                    if part.is_named and child.field_name_for_child(index) != "value":
                        self.run(part, branch)
                ends.append(branch)
            else:
                self.effects(child, state)
        self.meet(state, ends, complete=False)
        return None

    def meet(self, state: State, ends: list[State], complete: bool) -> None:
        """Go on from where branches meet: where only one leads out, or where all agree."""
        if complete and ends:
            state.cwd, state.variables = ends[0].cwd, ends[0].variables
            ends = ends[1:]
        state.join(*ends)

    def loop(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read the body of ``while``, ``until`` or ``for ((…))`` once, for any round."""
        self.redirects(pipe.tail, state)
        self.forget(node, state)
        before = state.copy()
        for child in node.children:
            if child.type == "do_group":
                self.forget(node, state)
            if child.is_named and child.type != "comment":
                self.run(child, state)
        state.join(before)
        return None

    def each(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read the body of ``for NAME in …`` once for each word."""
        self.redirects(pipe.tail, state)
        name, body = "", None
        values: Fields = []
        given = False
        words: list[Node] = []
        for index, child in enumerate(node.children):
            field = node.field_name_for_child(index)
            if field == "variable":
                name = self.source(child)
            elif field == "body":
                body = child
            elif child.type == "in":
                given = True
            elif field == "value":
                words.append(child)
        for text in self.words(words, state):
            values.extend(fields(text, state))
        if not given:
            values = list(state.arguments) if state.arguments is not None else [None]
        if body is None:
            return None
        if len(values) > ROUNDS_MAX or None in values:
            values = [*[value for value in values[:ROUNDS_MAX] if value is not None], None]
        rounds = len(values) > 1
        before = state.copy()
        if rounds:
            self.forget(body, state)
        for value in values:
            state.variables[name] = value
            self.run(body, state)
        state.join(before)
        state.variables[name] = None
        return None

    def forget(self, node: Node, state: State) -> None:
        """Take what is assigned anywhere within ``node`` as unknown: a loop changes it."""
        stack = [node]
        while stack and self.found.step():
            each = stack.pop()
            if each.type == "variable_assignment":
                name = each.child_by_field_name("name")
                if name is not None:
                    state.variables[self.source(name).partition("[")[0]] = None
            stack.extend(each.named_children)

    def define(self, node: Node, state: State, _pipe: Pipe) -> str | None:
        """Keep the body of a function until it is called."""
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is None or body is None:
            return None
        tail = tuple(child for child in node.children if child.type in REDIRECTS)

        def called(inside: State) -> None:
            self.run(body, inside, Pipe(None, tail))

        state.functions[self.source(name)] = called
        return None

    def reckon(self, node: Node, state: State, _pipe: Pipe) -> str | None:
        """Read ``((…))``: every name in it may have another value after."""
        self.effects(node, state)
        stack = [node]
        while stack and self.found.step():
            each = stack.pop()
            if each.type in ("word", "variable_name"):
                state.variables[self.source(each)] = None
            stack.extend(each.named_children)
        return None

    def nothing(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read what writes nothing but by what is substituted within it."""
        self.redirects(pipe.tail, state)
        self.effects(node, state)
        return None

    def assigned(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read assignments, with or without ``export`` and its kin before them."""
        self.redirects(pipe.tail, state)
        if node.type == "variable_assignment":
            self.assign(node, state)
        else:
            for child in node.named_children:
                if child.type == "variable_assignment":
                    self.assign(child, state)
                else:
                    self.effects(child, state)
        return None

    def unset(self, node: Node, state: State, _pipe: Pipe) -> str | None:
        """Read ``unset``."""
        state.variables.update({self.source(child): "" for child in node.named_children})
        return None

    def command(self, node: Node, state: State, pipe: Pipe) -> str | None:
        """Read a simple command."""
        words: list[Node] = []
        redirects: list[Node] = []
        inner = state
        for child in node.children:
            if child.type == "variable_assignment":
                inner = state.copy() if inner is state else inner
                self.assign(child, inner)
            elif child.type in REDIRECTS:
                redirects.append(child)
            elif child.type == "command_name":
                words.extend(child.children or [child])
            elif child.type not in NO_WORDS:
                words.append(child)
        texts = self.words(words, state)
        stdin, behind = self.redirects((*redirects, *pipe.tail), state)
        given = [each for text in (*texts, *behind) for each in fields(text, state)]
        fed = pipe.stdin if stdin is None else stdin
        return execute(given, inner, Pipe(fed, (), pipe.piped), self.depth, self.found)


STATEMENTS: dict[str, Statement] = {
    "program": Line.sequence,
    "do_group": Line.sequence,
    "command": Line.command,
    "redirected_statement": Line.redirected,
    "list": Line.listed,
    "pipeline": Line.piped,
    "negated_command": Line.last,
    "subshell": Line.apart,
    "command_substitution": Line.apart,
    "process_substitution": Line.apart,
    "compound_statement": Line.compound,
    "if_statement": Line.choice,
    "case_statement": Line.case,
    "while_statement": Line.loop,
    "c_style_for_statement": Line.loop,
    "for_statement": Line.each,
    "function_definition": Line.define,
    "variable_assignment": Line.assigned,
    "variable_assignments": Line.assigned,
    "declaration_command": Line.assigned,
    "unset_command": Line.unset,
    "test_command": Line.nothing,
    "word": Line.nothing,
    "string": Line.nothing,
    "concatenation": Line.nothing,
    "file_redirect": lambda line, node, state, _pipe: line.redirects((node,), state)[0],
    **dict.fromkeys(
        ("binary_expression", "unary_expression", "postfix_expression", "ternary_expression"),
        Line.nothing,
    ),
}


def execute(given: Fields, state: State, pipe: Pipe, depth: int, found: Found) -> str | None:
    """Read one command by its fields."""
    if not given:
        return None
    name: Field = given[0]
    if name is None or depth > DEPTH_MAX:
        found.undecided += 1
        return None
    if name in state.functions:
        inside, before = state, state.arguments
        inside.arguments = tuple(given[1:])
        body = inside.functions.pop(name)  # what calls itself is read once
        body(inside)
        inside.functions.setdefault(name, body)
        inside.arguments = before
        return None
    base = name.rpartition("/")[2]
    if base.startswith(("python3.", "pypy3.")):
        base = "python3"
    reader = COMMANDS.get(base)
    if reader is None:
        return None

    def run(fields: Fields, inner: State, fed: str | None, by: Call) -> str | None:
        through = Pipe(fed, (), by.piped)
        return execute(fields, inner, through, by.depth + 1, found) if found.step() else None

    def shell(source: str, inner: State, deeper: int) -> None:
        read(source, inner, found, deeper)

    return reader(Call(base, given[1:], state, found, pipe.stdin, pipe.piped, depth, run, shell))


def read(source: str, state: State, found: Found, depth: int) -> None:
    """Read ``source`` as a shell in ``state`` would run it."""
    if depth > DEPTH_MAX:
        found.undecided += 1
        return
    text = source.replace("\0", "")
    documents: dict[int, Document] = {}
    if "<<" in text:
        from handrail.edge.shell.heredocs import lift

        text, documents = lift(text)
    tree = parse(text, found.seconds_left())
    if tree is not None and tree.has_error and "<>" in text:
        # The grammar does not know this redirection; it writes where ``>`` would.
        text = text.replace("<>", " >")
        tree = parse(text, found.seconds_left())
    if tree is None:
        found.undecided += 1
        return
    if tree.has_error:
        found.undecided += 1
    Line(text, documents, found, depth).sequence(tree, state)


def written(command: str, cwd: str, home: str, variables: Mapping[str, str]) -> Writes:
    """Tell what ``command`` writes when a shell runs it in ``cwd``, an absolute path."""
    found = Found()
    clean = {name: value.replace("\0", "") for name, value in variables.items()}
    try:
        read(command, State(plain(cwd), home.replace("\0", ""), clean), found, 0)
    except RecursionError:
        found.undecided += 1
    return found.writes()
