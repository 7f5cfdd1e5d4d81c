"""The parts of statements: words, what is run within them, redirections, assignments.

Statements are read by ``handrail.edge.shell.grammar``, which hands in how.
"""

from __future__ import annotations

from handrail.edge.shell.words import fields, single

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    from handrail.edge.shell.heredocs import Document
    from handrail.edge.shell.state import State, Value
    from handrail.edge.shell.writes import Found

__all__ = ["NO_WORDS", "REDIRECTS", "Text"]

INTO = frozenset({">", ">>", ">|", "&>", "&>>", ">&", "<>"})
REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})
INSIDE = frozenset({"command_substitution", "process_substitution"})
NO_WORDS = frozenset({"comment", "ERROR", "heredoc_body", "heredoc_end"})


class Text:
    """The source of a line, its here-documents, and where what is found is noted."""

    def __init__(
        self,
        text: str,
        documents: dict[int, Document],
        found: Found,
        inside: Callable[[Node, State], object],
        read: Callable[[str, State], None],
    ) -> None:
        self.text = text
        self.documents = documents
        self.found = found
        self._inside = inside
        self._read = read

    def source(self, node: Node) -> str:
        """Give the text of a node."""
        return self.text[node.start_byte : node.end_byte]

    def effects(self, node: Node, state: State) -> None:
        """Read what is run within a word."""
        stack = [node]
        while stack and (stack[-1] is node or self.found.step()):
            each = stack.pop()
            if each.type in INSIDE:
                self._inside(each, state)
            elif each.child_count:
                stack.extend(reversed(each.named_children))

    def words(self, nodes: list[Node], state: State) -> list[str]:
        """Give the source of each word; what stands without a gap is one."""
        out: list[str] = []
        end = -1
        for node in nodes:
            if self.found.spent:
                break
            if node.child_count:
                self.effects(node, state)
            text = self.source(node)
            gap = self.text[end : node.start_byte] if out else " "
            if not gap.replace("\\\n", ""):
                out[-1] += gap + text
            else:
                out.append(text)
            end = node.end_byte
        return out

    def redirects(self, nodes: tuple[Node, ...], state: State) -> tuple[str | None, list[str]]:
        """Note where redirections write; give what they feed, and words that stand behind."""
        stdin: str | None = None
        behind: list[str] = []
        for node in nodes:
            if node.type == "herestring_redirect":
                words = self.words(list(node.named_children), state)
                told = single(words[-1], state) if words else None
                stdin = None if told is None else told + "\n"
                continue
            operator, end = "", node.end_byte
            targets: list[Node] = []
            for child in node.children:
                if child.is_named and child.type not in ("file_descriptor", *NO_WORDS):
                    targets.append(child)
                elif not child.is_named:
                    operator, end = child.type, child.end_byte
                    document = self.documents.get(child.start_byte)
                    if document is not None and operator == "<":
                        stdin = self.document(document, state)
            words = self.words(targets, state)
            behind += words[1:]
            gap = self.text[end : targets[0].start_byte] if targets else ""
            if operator in INTO and words and "\n" not in gap.replace("\\\n", ""):
                self.into(operator, words[0], state)
        return stdin, behind

    def into(self, operator: str, word: str, state: State) -> None:
        """Note the file that a redirection writes."""
        if word.startswith((">(", "<(")):
            return
        for target in fields(word, state):
            if operator == ">&" and target is not None and target.rstrip("-").isdigit():
                continue
            if operator == ">&" and target == "-":
                continue
            whole = state.resolve(target) if target is not None else None
            if whole is not None:
                self.found.write(whole)
            elif target != "":
                self.found.undecided += 1

    def document(self, document: Document, state: State) -> str | None:
        """Give the text of a here-document as the command reads it."""
        text = document.text
        if document.quoted or ("$" not in text and "`" not in text):
            return text
        if "$(" in text or "`" in text:
            quoted = text.replace('"', "")
            self._read(f': "{quoted}"', state)
        rows = text.replace('"', '\\"')
        told = single(f'"{rows}"', state)
        return text if told is None else told

    def assign(self, node: Node, state: State) -> None:
        """Give a variable its value, if that can be told."""
        self.effects(node, state)
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None:
            return
        key, bracket, _ = self.source(name).partition("[")
        told: Value = ""
        if value is not None and value.type == "array":
            words = self.words(list(value.named_children), state)
            told = tuple(each for text in words for each in fields(text, state))
        elif value is not None:
            told = single(self.text[value.start_byte : node.end_byte], state)
        if any(child.type == "+=" for child in node.children):
            before = state.variables.get(key)
            if isinstance(before, str) and isinstance(told, str):
                told = before + told
            elif isinstance(before, tuple) and isinstance(told, tuple):
                told = (*before, *told)
            else:
                told = None
        state.variables[key] = None if bracket else told
