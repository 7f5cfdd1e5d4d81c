r"""Here-documents, taken out of a line before it is parsed.

The grammar loses its way where a here-document stands before other redirections or twice on one
line. So each ``<<WORD`` becomes a plain ``<`` of the same length, its text becomes blanks, and both
are kept by where they stood: offsets stay what they were.

    >>> line, documents = lift("cat <<X > f\nhi\nX\nls")
    >>> line.split(), documents[4].text
    (['cat', '<hh', '>', 'f', 'ls'], 'hi\n')
"""

from __future__ import annotations

import re

from handrail.core.record import Record

__all__ = ["Document", "lift"]

STOPS = re.compile(r"[\\'\"`$(){}<\n#]")
START = re.compile(r"<<(-?)[ \t]*((?:\\.|'[^'\n]*'|\"[^\"\n]*\"|[^\s;&|<>()'\"\\`])+)")
QUOTES = re.compile(r"[\\'\"]")
COMMAND, DOUBLE, ARITHMETIC, BRACE, BACKTICK = range(5)
DOCUMENTS_MAX = 1_000


class Document(Record):
    """The text of one here-document; ``quoted`` if the shell leaves it as it is."""

    text: str
    quoted: bool


class _Pending(Record):
    """A here-document whose text begins behind the end of this row."""

    at: int
    word: str
    quoted: bool
    tabs: bool


class _Lifter:
    """Goes through the line once, minding quotes and brackets."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out: list[str] = []
        self.kept = 0  # up to here the text stands in ``out``
        self.stack = [COMMAND]
        self.pending: list[_Pending] = []
        self.documents: dict[int, Document] = {}

    def replace(self, start: int, end: int, by: str) -> None:
        self.out.append(self.text[self.kept : start])
        self.out.append(by)
        self.kept = end

    def read(self, index: int) -> int:
        """Take the texts that begin at ``index`` out; give where the line goes on."""
        begin = index
        for each in self.pending:
            rows: list[str] = []
            while index < len(self.text):
                end = self.text.find("\n", index)
                end = end if end >= 0 else len(self.text)
                row = self.text[index:end]
                index = min(end + 1, len(self.text))
                row = row.lstrip("\t") if each.tabs else row
                if row == each.word:
                    break
                rows.append(row + "\n")
            self.documents[each.at] = Document("".join(rows), each.quoted)
        self.pending = []
        if index > begin:
            ended = self.text[index - 1] == "\n"
            self.replace(begin, index, " " * (index - begin - ended) + "\n" * ended)
        return index

    def here(self, at: int) -> int:
        """Note the here-document that begins at ``at``, if one does."""
        if self.text.startswith("<<<", at):
            return at + 3
        found = START.match(self.text, at)
        if found is None or len(self.documents) + len(self.pending) >= DOCUMENTS_MAX:
            return at + 1
        word = found[2]
        plain = re.sub(r"\\(.)|['\"]", r"\1", word)
        self.pending.append(_Pending(at, plain, bool(QUOTES.search(word)), bool(found[1])))
        self.replace(at, found.end(), "<" + "h" * (found.end() - at - 1))
        return found.end()

    def bracket(self, at: int) -> int:
        """Open or close what stands at ``at``; give where to go on."""
        text, stack = self.text, self.stack
        letter = text[at]
        if letter == "$":
            following = text[at + 1 : at + 2]
            if following == "(":
                stack.append(ARITHMETIC if text.startswith("$((", at) else COMMAND)
                return at + (3 if stack[-1] == ARITHMETIC else 2)
            if following == "{":
                stack.append(BRACE)
                return at + 2
            return at + 1
        if letter == "(" and stack[-1] != DOUBLE:
            twice = text.startswith("((", at)
            stack.append(ARITHMETIC if twice or stack[-1] == ARITHMETIC else COMMAND)
            return at + 1 + twice
        if letter == ")" and stack[-1] in (COMMAND, ARITHMETIC) and len(stack) > 1:
            twice = stack.pop() == ARITHMETIC and text.startswith("))", at)
            return at + 1 + twice
        if letter == "}" and stack[-1] == BRACE:
            stack.pop()
        return at + 1

    def quote(self, at: int) -> int:
        """Step over or into what a quote at ``at`` begins or ends."""
        letter, stack = self.text[at], self.stack
        if letter == "'":
            if stack[-1] == DOUBLE:
                return at + 1
            end = self.text.find("'", at + 1)
            return end + 1 if end >= 0 else len(self.text)
        kind = DOUBLE if letter == '"' else BACKTICK
        if stack[-1] == kind:
            stack.pop()
        else:
            stack.append(kind)
        return at + 1

    def run(self) -> str:
        """Go through the line; give it without its here-documents."""
        text, index = self.text, 0
        while (stop := STOPS.search(text, index)) is not None:
            at, letter = stop.start(), stop[0]
            runs = self.stack[-1] in (COMMAND, BACKTICK)
            if letter == "\\":
                index = at + 2
            elif letter in "'\"`":
                index = self.quote(at)
            elif letter == "\n":
                index = self.read(at + 1) if self.pending else at + 1
            elif letter == "<":
                index = self.here(at) if runs and text.startswith("<<", at) else at + 1
            elif letter == "#":
                word = at > 0 and text[at - 1] not in " \t\n;&|("
                end = text.find("\n", at)
                index = at + 1 if word or not runs else (end if end >= 0 else len(text))
            else:
                index = self.bracket(at)
        for each in self.pending:
            self.documents[each.at] = Document("", each.quoted)
        return "".join((*self.out, text[self.kept :]))


def lift(text: str) -> tuple[str, dict[int, Document]]:
    """Give ``text`` without its here-documents, and those by the offset of their ``<<``."""
    lifter = _Lifter(text)
    return lifter.run(), lifter.documents
