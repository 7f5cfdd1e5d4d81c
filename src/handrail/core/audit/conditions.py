r"""When something is demanded: the clause of a sentence that says it, and what it is about.

Promise: pure; bounded; every demand has a condition, if only the heading that it stands under.

    >>> clause_of("If a file is off limits, stop and report.")
    'a file is off limits'
    >>> clause_of("Stop and ask when two rules conflict.")
    'two rules conflict'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from handrail.core.audit.kinds import BLOCKED, DOCUMENT, field_in, is_telling, kinds_of
from handrail.core.record import Record

CLAUSE_CHARS_MAX: Final = 200
UNSAID: Final = "not said"

_WHEN: Final = re.compile(
    r"\b(?:if|when(?:ever)?|once|unless|in case|as soon as|in the event that|should|upon|after"
    r"|for (?=any\b|every\b|each\b|anything\b|work\b|requests?\b|changes?\b)|where)\b[ ]*",
    re.IGNORECASE,
)
_ACT: Final = re.compile(
    r"[,:;][ ]*(?:then[ ]+)?(?:(?:you|it|the[ ]\w{1,20}|\w{1,20})[ ]+)?(?:must|should"
    r"|shall|stop|halt"
    r"|pause|hand|escalate|switch|proceed|continue|resume|ask|report|prompt|tell"
    r"|return|raise|do not"
    r"|don't|never|request|notify|inform|wait|refuse|emit|transfer|delegate|fail|abort|cease"
    r"|immediately|relaunch|direct|seek|consult)(?:s|es)?\b|[ ]then[ ]",
    re.IGNORECASE,
)
_UNLESS: Final = re.compile(
    r"\b(?:non-|not |un|unless (?:it |they |the \w{1,20} )?(?:is |are |was )?)([a-z]{3,20}ed)\b",
    re.IGNORECASE,
)


class Condition(Record):
    """When something is demanded: its words, what it is about, and of a document which field.

    ``unless`` is another field that makes an exception, with its value.
    """

    text: str
    kinds: tuple[str, ...]
    field: str | None = None
    value: str | None = None
    unless: tuple[str, str] | None = None


def clause_of(sentence: str) -> str:
    """Return the clause that says when; '' where a sentence has none."""
    found = _WHEN.search(sentence)
    if found is None:
        return ""
    act = _ACT.search(sentence, found.end())
    return shortened(sentence[found.end() : act.start() if act else len(sentence)])


def before_act(sentence: str) -> str:
    """Return what stands before the demand: ``Requests beyond `apps/web`: stop and ask``."""
    act = _ACT.search(sentence)
    return shortened(sentence[: act.start()]) if act is not None else ""


def condition_of(
    texts: Iterable[str], values: Mapping[str, str], around: Iterable[str] = ()
) -> Condition | None:
    """Return the first of some sentences' conditions that says what it is about.

    Without one, the first clause is a condition that only somebody who works can notice; ``around``
    are headings and the like, whose words count where no clause says more. None where nothing is
    said at all.
    """
    said = ""
    for text in texts:
        clause = clause_of(text) or before_act(text)
        if not clause:
            # An introduction is one as a whole, and so is a sentence that names a field.
            found = _meant(text, text, values)
            if found is not None and (text.endswith(":") or found.kinds == (DOCUMENT,)):
                return found
            continue
        found = _meant(clause, text, values)
        if found is not None:
            return found
        said = said or clause
    for text in around:
        found = _meant(text, text, values)
        if found is not None:
            return found._replace(text=said or found.text)
    return Condition(said, (BLOCKED,)) if said else None


def told(text: str, values: Mapping[str, str]) -> Condition:
    """Return the condition that a text is as a whole: an item of a list, a cell of a table."""
    return _meant(text, text, values) or Condition(shortened(text) or UNSAID, (BLOCKED,))


def _meant(clause: str, sentence: str, values: Mapping[str, str]) -> Condition | None:
    text = shortened(clause)
    pair = field_in(clause) or field_in(sentence)
    if pair is None:
        words = re.findall(r"[a-z][\w-]+", clause.lower())
        rare = [word for word in words if word in values]
        pair = (values[rare[0]], rare[0]) if rare else None
    if pair is not None and is_telling(pair[1]):
        return Condition(text, (DOCUMENT,), *pair, _unless(sentence, *pair))
    kinds = kinds_of(clause)
    return Condition(text, kinds) if kinds else None


def _unless(sentence: str, field: str, value: str) -> tuple[str, str] | None:
    found = _UNLESS.search(sentence)
    if found is None or found[1].lower() == value:
        return None
    folder = field.rpartition(".")[0]
    return f"{folder}.status" if folder else "status", found[1].lower()


def shortened(text: str) -> str:
    """Return a text without its signs at both ends, of a bounded length."""
    bare = " ".join(text.replace("**", "").split()).strip(" ,;:.-*_–—")
    return bare if len(bare) <= CLAUSE_CHARS_MAX else bare[: CLAUSE_CHARS_MAX - 1] + "…"
