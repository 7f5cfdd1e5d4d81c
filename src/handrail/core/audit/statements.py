r"""What a rule file demands, implies or forbids about roles: each statement with its lines.

Promises: pure; in the order of the file; a file that sets no rules for roles says nothing. Who
hands over is the role that a sentence names as acting, else that of the heading, else that of the
file, else any; who receives is only somebody whom the text names: who else it may be is decided in
``matrix``.

    >>> said = read_statements(About("AGENTS.md", page, Names(("executor",))))
    >>> [(one.act, one.from_role, one.to_role, one.first) for one in said.statements]
    [('demand', 'any', 'executor', 3)]
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from handrail.core.audit.conditions import (
    UNSAID,
    Condition,
    condition_of,
    shortened,
    told,
)
from handrail.core.audit.cues import WORTH, find
from handrail.core.audit.kinds import BLOCKED, DONE, POLICY, field_in, is_telling, kinds_of
from handrail.core.audit.names import (
    ROLE,
    Names,
    is_rule_file,
    speaks_of_a_project,
)
from handrail.core.audit.page import ITEM, ROW, TITLE, Page, Sentence, Unit
from handrail.core.audit.tables import handed_in
from handrail.core.record import Record
from handrail.core.role import ANY_ROLE

DEMAND: Final = "demand"
LOCK: Final = "lock"
FORBID: Final = "forbid"
ORDINARY: Final = "ordinary"
STATEMENTS_MAX: Final = 500
NEAR_MAX: Final = 6
"""How many paragraphs or items before one may say when it holds."""
QUOTE_CHARS_MAX: Final = 200

_TO_ROLE: Final = ("handoff-to-role", "switch-to-role", "role-needed", "ask-role")
_STOPPING: Final = ("stop-and-ask", "ask-for-direction")
_NOT: Final = re.compile(r"\b(?:not|don't|never|cannot|can't|no)\b")
_NEGATED: Final = re.compile(rf"{_NOT.pattern}[^.;,:\x01]{{0,25}}$")
_ACTS: Final = re.compile(
    r"\x01[+-](?P<who>[^\x02]{1,64})\x02\s+(?:must|should|shall|may|can|will|needs? to|has to|is to"
    r"|cannot|never|does not|stops?|halts?|hands?|escalates?|asks?|reports?|switches|requests?)\b"
    r"|\b(?:as|while in|when in|acting as|working as|running as|for|if you are|in)\s+"
    r"\x01[+](?P<as>[^\x02]{1,64})\x02(?=\s*[,:])"
    r"|\bfrom\s+\x01[+-](?P<from>[^\x02]{1,64})\x02"
)
_HEADED: Final = re.compile("^[\\W\\d]{0,8}\x01[+-]([^\x02]{1,64})\x02")
_GIVEN: Final = re.compile("\\b(?:from|by|as)\\s+\x01[+-][^\x02]{1,64}\x02")
_RECEIVERS: Final = (
    *("handoff", "handoffs", "handoff_to", "hand_off_to", "to_role", "next_role", "escalate_to"),
    *("escalates_to", "escalation", "delegates_to", "receiver", "handoff.to_role", "handoff.to"),
)
_ROLE_KEYS: Final = ("role", "agent_role", "persona", "from_role", "handoff.from_role")


class Statement(Record):
    """One statement: what it does, from whom to whom, when, by which rules of detection."""

    path: str
    first: int
    last: int
    act: str
    from_role: str
    to_role: str | None
    conditions: tuple[Condition, ...]
    rules: tuple[str, ...]
    quote: str


class About(Record):
    """A page and what it is read by: the roles, folders of roles, and values that stand for fields.

    ``folders`` are as ``names.folders_of_roles`` gives them, ``values`` as ``values_of``.
    """

    path: str
    page: Page
    names: Names
    folders: frozenset[str] = frozenset()
    values: Mapping[str, str] = {}


class Said(Record):
    """What a file says; ``role`` is whose rules it holds, ``sets_rules`` False for other texts."""

    statements: tuple[Statement, ...]
    role: str | None
    sets_rules: bool
    more: bool = False


def values_of(pages: Iterable[Page]) -> dict[str, str]:
    """Return the rare values that rule files give to fields, each with its field."""
    found: dict[str, str] = {}
    for page in pages:
        for unit in page.units:
            for sentence in unit.sentences:
                pair = field_in(sentence.text) if "_" in sentence.text else None
                if pair is not None and is_telling(pair[1]):
                    found.setdefault(pair[1], pair[0])
    return found


def read_statements(about: About) -> Said:
    """Read what a page says; a page that sets no rules says nothing."""
    reader = _Reader(about)
    if not reader.sets_rules:
        return Said((), reader.role, sets_rules=False)
    found: list[Statement] = []
    for statement in reader.all():
        found.append(statement)
        if len(found) > STATEMENTS_MAX:
            break
    excepted = reader.excepted
    kept = [one for one in found[:STATEMENTS_MAX] if not (excepted and one.act == LOCK)]
    more = len(found) > STATEMENTS_MAX
    return Said(tuple(kept), reader.role, sets_rules=True, more=more)


class _Line(Record):
    """A sentence with tokens for roles."""

    sentence: Sentence
    text: str
    rules: tuple[str, ...]


class _Reader:
    """Reads one page."""

    def __init__(self, about: About) -> None:
        self._about, self._names = about, about.names
        page = about.page
        self._title = self._headed(page.title)
        self._front = next(
            (
                name
                for one in page.front
                if one.key in _ROLE_KEYS and (name := self._name(one.value))
            ),
            None,
        )
        self._told: dict[str, _Line] = {}
        self._leads = {sentence for unit in page.units for sentence in unit.lead}
        self._before: list[Unit] = []
        self.excepted = False
        of_path = self._names.of_path(about.path, about.folders)
        self.sets_rules = self._is_of_rules(of_path)
        self.role = of_path or self._front or self._addressed() or self._title

    def _name(self, text: str) -> str | None:
        return self._names.is_name(text)

    def _headed(self, title: str) -> str | None:
        found = _HEADED.match(self._names.marked(title)) if title else None
        return None if found is None else found[1]

    def _addressed(self) -> str | None:
        for unit in self._about.page.units[:40]:
            for sentence in unit.sentences:
                role = self._names.addressed(sentence.text)
                if role is not None:
                    return role
        return None

    def _is_of_rules(self, of_path: str | None) -> bool:
        """Tell whether a page sets rules for roles, and does not only speak of something."""
        path = self._about.path
        if is_rule_file(path) or of_path is not None or self._front is not None:
            return True
        if speaks_of_a_project(path):
            return False
        if self._title is not None or self._addressed() is not None:
            return True
        spoken_of: set[str] = set()
        for unit in self._about.page.units:
            for sentence in unit.sentences:
                spoken_of |= self._names.called_roles(sentence.text)
            if len(spoken_of) > 1:
                return True
        return False

    def _line(self, sentence: Sentence) -> _Line:
        """Look at a sentence with all rules, once."""
        line = self._told.get(sentence.text)
        if line is None:
            text = self._names.marked(sentence.text)
            worth = WORTH.search(text) is not None
            rules = tuple(rule for rule in _LOOKED_FOR if find(rule, text)) if worth else ()
            line = self._told[sentence.text] = _Line(sentence, text, rules)
        return line._replace(sentence=sentence)

    def all(self) -> Iterator[Statement]:
        """Yield the statements of the page."""
        yield from self._of_front()
        for unit in self._about.page.units:
            if unit.kind == TITLE:
                self._before = []
                continue
            handed = None
            if unit.kind == ROW:
                english = self._about.page.english
                handed = handed_in(unit.cells, unit.columns, self._names, english=english)
            if handed is not None:
                sender = handed.from_role or self._sender(unit, ())
                if handed.to_role != sender:
                    when = (told(handed.condition, self._about.values),)
                    yield self._made(unit, DEMAND, sender, handed.to_role, when, ("matrix-row",))
                continue
            yield from self._of_unit(unit)
            self._before.append(unit)

    def _of_front(self) -> Iterator[Statement]:
        for entry in self._about.page.front:
            receiver = self._name(entry.value) if entry.key in _RECEIVERS else None
            if receiver is not None and receiver != self.role:
                sender = self.role or ANY_ROLE
                when = (Condition(f"{entry.key} in the front matter", (BLOCKED,)),)
                place = Sentence(f"{entry.key}: {entry.value}", entry.line, entry.line)
                unit = Unit("front", (), entry.line, entry.line, (place,))
                yield self._made(unit, DEMAND, sender, receiver, when, ("front-matter",))

    # --------------------------------------------------------------------------------- a unit

    def _of_unit(self, unit: Unit) -> Iterator[Statement]:
        lines = [self._line(one) for one in _sentences(unit) if one not in self._leads]
        for line in lines:
            if "lock-exception" in line.rules:
                self.excepted = True
            if {"role-lock", "one-role"} & set(line.rules) and "lock-exception" not in line.rules:
                when = (Condition(shortened(line.sentence.text), (POLICY,)),)
                rules = tuple(rule for rule in line.rules if rule in ("role-lock", "one-role"))
                yield self._made(unit, LOCK, ANY_ROLE, None, when, rules, (line,))
            if "forbidden-handoff" in line.rules:
                found = find("forbidden-handoff", line.text)
                receiver = found["to"] if found is not None else None
                sender = self._sender(unit, (line,))
                yield self._made(
                    unit, FORBID, sender, receiver, (), ("forbidden-handoff",), (line,)
                )
        lead = [self._line(one) for one in unit.lead[-1:]]
        demands = [line for line in lines if self._demands(line)]
        demands = demands or self._over_two(lines) or self._after_stop(unit, lines)
        if demands:
            yield from self._demanded(unit, lines, demands, lead)
        elif lead and any(self._demands(one) for one in lead):
            asked = [one for one in lead if self._demands(one)]
            item = told(_text(lines), self._about.values)
            yield from self._demanded(unit, lines, [*asked, *lines], lead, item)

    def _over_two(self, lines: Sequence[_Line]) -> list[_Line]:
        """Return what stops in one sentence and asks in the next."""
        found = []
        for one, other in itertools.pairwise(lines):
            if "stops" in one.rules:
                text = f"{one.text.rstrip('.!')}, {other.text}"
                if find("stop-and-ask", text):
                    found.append(other._replace(text=text, rules=(*other.rules, "stop-and-ask")))
        return found

    def _after_stop(self, unit: Unit, lines: Sequence[_Line]) -> list[_Line]:
        """Return what asks in an item of a list of which an item before stops."""
        before = (
            one
            for one in self._before[-NEAR_MAX:]
            if (one.group, one.lead) == (unit.group, unit.lead)
        )
        stops = bool(unit.lead) and any(
            "stops" in self._line(one).rules for other in before for one in other.sentences
        )
        found = []
        for line in lines if stops else ():
            text = f"stop, {line.text}"
            if find("stop-and-ask", text):
                found.append(line._replace(text=text, rules=(*line.rules, "stop-and-ask")))
        return found

    def _demands(self, line: _Line) -> bool:
        """Tell whether a sentence demands that work goes to somebody else."""
        if "handoff-from-role" in line.rules and "handoff-to-role" not in line.rules:
            return "stop-and-ask" in line.rules
        return any(self._holds(rule, line) for rule in _DEMANDS)

    def _holds(self, rule: str, line: _Line) -> bool:
        if rule not in line.rules:
            return False
        found = find(rule, line.text)
        if found is None:
            return rule == "stop-and-ask"
        if rule == "handoff-unaddressed":
            return _NOT.search(line.text, max(0, found.start() - 25), found.end()) is None
        if rule in _TO_ROLE:
            return _NEGATED.search(line.text, 0, found.start()) is None
        return True

    def _demanded(
        self,
        unit: Unit,
        lines: Sequence[_Line],
        demands: Sequence[_Line],
        lead: Sequence[_Line],
        when: Condition | None = None,
    ) -> Iterator[Statement]:
        sender = self._sender(unit, [*demands, *lines, *lead])
        receiver = self._receiver(sender, demands, [*lines, *lead])
        rules = tuple(
            dict.fromkeys(rule for line in demands for rule in _DEMANDS if self._holds(rule, line))
        )
        when = when or self._condition(unit, lines, demands, lead)
        stops = "stop-and-ask" in rules
        if when is None and not stops:
            if receiver is not None:
                yield self._made(unit, ORDINARY, sender, receiver, (), rules, demands)
            return
        if when is None:
            around = unit.heading[-1] if unit.heading else UNSAID
            when = Condition(shortened(around), (BLOCKED,))
        if rules == ("ask-for-direction",) and sender == ANY_ROLE:
            return  # who asks for a decision in a text for everybody asks a person
        act = ORDINARY if when.kinds == (DONE,) else DEMAND
        yield self._made(unit, act, sender, receiver, (when,), rules, demands)

    def _condition(
        self,
        unit: Unit,
        lines: Sequence[_Line],
        demands: Sequence[_Line],
        lead: Sequence[_Line],
    ) -> Condition | None:
        """Return when it is demanded: by the sentence, those before it, the list, the heading."""
        own = [line.sentence.text for line in (*demands, *lead)]
        own += [line.sentence.text for line in reversed(lines) if line not in demands]
        beside = " ".join(line.sentence.text for line in lines if not line.rules)
        near = [
            sentence.text
            for other in reversed(self._before[-NEAR_MAX:])
            if other.kind == unit.kind and (unit.kind != ITEM or other.group == unit.group)
            for sentence in other.sentences
        ]
        around = [*reversed(unit.heading), self._about.path.rpartition("/")[2].partition(".")[0]]
        found = condition_of(own, self._about.values)
        if found is not None and found.kinds != (BLOCKED,):
            return found
        if found is None and beside and kinds_of(beside) not in ((), (DONE,)):
            return told(beside, self._about.values)
        before = condition_of(near, self._about.values) if unit.kind == ITEM or not found else None
        if before is not None and before.kinds != (BLOCKED,):
            return before if found is None else before._replace(text=found.text)
        plain = [text.replace("-", " ") for text in around]
        if found is not None:
            return condition_of(own, self._about.values, plain)
        return condition_of(own, self._about.values, plain) or before

    def _sender(self, unit: Unit, lines: Sequence[_Line]) -> str:
        for line in lines:
            found = _ACTS.search(line.text)
            needed = find("role-needed", line.text)
            if found is not None and (needed is None or needed.start() != found.start()):
                who = found["who"] or found["as"] or found["from"]
                asked = find("ask-role", line.text)
                if asked is None or asked["to"] != who:
                    return str(who)
        for title in reversed(unit.heading):
            role = self._headed(title)
            if role is not None:
                return role
        return self.role or ANY_ROLE

    def _receiver(
        self, sender: str, demands: Sequence[_Line], others: Sequence[_Line]
    ) -> str | None:
        """Return whom the text names as receiver, by a demand or beside it."""
        for rule in _TO_ROLE:
            for line in (*demands, *others):
                found = find(rule, line.text)
                if found is not None and found["to"] != sender and self._holds(rule, line):
                    return str(found["to"])
        for line in (*demands, *others):
            given = {found.end() for found in _GIVEN.finditer(line.text)}
            for found in ROLE.finditer(line.text):
                if found[1] != sender and found.end() not in given:
                    return found[1]
        return None

    def _made(
        self,
        unit: Unit,
        act: str,
        from_role: str,
        to_role: str | None,
        conditions: tuple[Condition, ...],
        rules: tuple[str, ...],
        lines: Sequence[_Line] = (),
    ) -> Statement:
        first = min((line.sentence.first for line in lines), default=unit.first)
        last = max((line.sentence.last for line in lines), default=unit.last)
        words = " ".join(line.sentence.text for line in lines) or " | ".join(
            one.text for one in unit.sentences
        )
        quote = words if len(words) <= QUOTE_CHARS_MAX else words[: QUOTE_CHARS_MAX - 1] + "…"
        return Statement(
            self._about.path, first, last, act, from_role, to_role, conditions, rules, quote
        )


_DEMANDS: Final = (*_TO_ROLE, "handoff-unaddressed", *_STOPPING)
_LOOKED_FOR: Final = (
    *_DEMANDS,
    *("stops", "role-lock", "one-role", "lock-exception", "forbidden-handoff"),
    "handoff-from-role",
)


def _sentences(unit: Unit) -> tuple[Sentence, ...]:
    """Return the sentences of a unit; a row of a table is one."""
    if unit.kind != ROW:
        return unit.sentences
    text = ": ".join(cell for cell in unit.cells if cell)
    return (Sentence(text, unit.first, unit.last),)


def _text(lines: Sequence[_Line]) -> str:
    return " ".join(line.sentence.text for line in lines)
