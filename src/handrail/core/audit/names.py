r"""Roles as rule files name them: in sentences, in headings, by the folder that a file lies in.

Promises: pure; a name is only seen where it stands for a role: a path, a word that merely holds it
and the everyday meaning of words such as *pair* or *system* are none. ``marked`` puts a token in
place of each mention, so that the rules in ``cues`` need not know what the roles are called:
``\x01+name\x02`` where it is plainly a role's, ``\x01-name\x02`` where it may be, ``\x01~name\x02``
for the work that a role is named after.

    >>> names = Names(("executor", "pair"))
    >>> names.marked("Switch to the `Executor` role; a pair of shoes is no reason.")
    'switch to \x01+executor\x02; a pair of shoes is no reason.'
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Final

from handrail.core.audit.page import Page

NAMES_MAX: Final = 200
NAME_CHARS_MAX: Final = 64
ROLE: Final = re.compile("\x01[+-]([^\x02]{1,64})\x02")

EVERYDAY: Final = frozenset(
    {
        *("agent", "all", "any", "api", "app", "backend", "base", "build", "client"),
        *("code", "common", "core", "data", "default", "design", "docs", "documentation"),
        *("driver", "everyone", "frontend", "general", "guest", "helper", "human", "lead"),
        *("main", "manager", "member", "model", "none", "operator", "ops", "other"),
        *("owner", "pair", "person", "process", "production", "release", "root"),
        *("security", "server", "service", "shared", "site", "staff", "support", "system"),
        *("team", "test", "tests", "tool", "tools", "user", "web", "website", "worker"),
        *("writer",),
    }
)
"""Names that are words of every day: they stand for a role only where that is plain."""

ROLE_WORDS: Final = frozenset(
    {
        *("analyst", "architect", "auditor", "coder", "coordinator", "critic", "debugger"),
        *("deployer", "designer", "developer", "engineer", "executor", "fixer"),
        *("implementer", "implementor", "integrator", "investigator", "maintainer"),
        *("navigator", "orchestrator", "pair", "planner", "product-planner", "qa"),
        *("researcher", "reviewer", "strategist", "supervisor", "tester", "triager"),
        *("verifier", "writer"),
    }
)
"""Words that are taken for roles where rule files use them as such and nothing is configured."""

DECIDERS: Final = (
    *("coordinator", "integrator", "architect", "orchestrator", "lead", "planner"),
    *("product-planner", "navigator", "supervisor", "manager"),
)
"""Who decides, by name, where the configuration does not say who coordinates; first come first."""
DOERS: Final = (
    "executor",
    "implementer",
    "implementor",
    "developer",
    "coder",
    "engineer",
    "worker",
)

_WORK: Final = {
    "architect": "architecture",
    "auditor": "audit",
    "coder": "coding",
    "deployer": "deployment",
    "designer": "design",
    "developer": "development",
    "executor": "execution",
    "implementer": "implementation",
    "implementor": "implementation",
    "planner": "planning",
    "reviewer": "review",
    "tester": "testing",
    "verifier": "verification",
}
_FOLDERS: Final = re.compile(r"rules?|roles?|agents?|personas?|prompts?|instructions?", re.ASCII)
_NO_ROLE: Final = frozenset(
    {
        *("shared", "common", "docs", "templates", "template", "examples", "archive"),
        *("readme", "index", "global", "base", "all"),
    }
)
_RULE_FILES: Final = frozenset(
    {
        *("agents.md", "agent.md", "claude.md", "claude.local.md", "gemini.md", ".cursorrules"),
        *(".windsurfrules", ".clinerules", "copilot-instructions.md"),
    }
)
_RULE_FOLDERS: Final = frozenset({".claude", "agent-rules", ".cursor", ".clinerules", ".windsurf"})
_SPOKEN_OF: Final = frozenset(
    {"readme", "changelog", "changes", "contributing", "history", "license", "news", "security"}
)
_MODAL: Final = (
    r"(?=\s+(?:must|should|shall|may|can|cannot|will|needs?|has|stops?|halts?|hands?|asks?|does|is"
    r"|reports?|escalates?|never|takes?|decides?|owns?)\b)"
)
_YOU: Final = re.compile(
    "(?:^|[.!] )(?:you are|you're|act as|you act as|you work as|your role is|role:)\\s*"
    "\x01[+-]([^\x02]{1,64})\x02"
)


class Names:
    """The roles that are looked for."""

    def __init__(self, names: Iterable[str]) -> None:
        kept = [name for name in dict.fromkeys(map(_plain, names)) if name][:NAMES_MAX]
        self.all = tuple(sorted(kept, key=lambda name: (-len(name), name)))
        work = {_WORK[name]: name for name in self.all if name in _WORK}
        self._work = {word: name for word, name in work.items() if word not in self.all}
        self._any = _mention([*self.all, *self._work]) if self.all else None
        self._quick = tuple(name.split("-")[0] for name in (*self.all, *self._work))

    def marked(self, text: str) -> str:
        """Return a text in small letters with tokens for roles."""
        plain = text.replace("\x01", " ").replace("\x02", " ")
        small = plain.lower()
        if self._any is None or not any(part in small for part in self._quick):
            return small
        return self._any.sub(self._token, plain).lower()

    def _token(self, found: re.Match[str]) -> str:
        spelt = _plain(found["name"])
        name = self._named(spelt)
        if name is None:
            return found[0]
        sign = "~" if name != spelt and spelt.removesuffix("s") != name else "-"
        inside = found.string[: found.start()].strip(" *_`\"'(-")
        capital = found["name"][:1].isupper()
        article = found["before"] or ""
        told = capital and (inside or article or found["modal"] is not None)
        if found["role"] or found["quote"].strip("\"'") or (told and sign == "-"):
            sign = "+"
        if sign != "+" and spelt in EVERYDAY:
            return found[0]
        if sign == "~":
            return f"{article}\x01~{name}\x02"
        return f"\x01{sign}{name}\x02"

    def _named(self, spelt: str) -> str | None:
        for name in (spelt, spelt.removesuffix("s")):
            if name in self.all:
                return name
        return self._work.get(spelt)

    def in_text(self, text: str) -> tuple[str, ...]:
        """Return the roles that a text names, those plainly meant first."""
        tokens = re.findall("\x01([+-])([^\x02]{1,64})\x02", self.marked(text))
        return tuple(dict.fromkeys(name for _, name in sorted(tokens)))

    def called_roles(self, text: str) -> set[str]:
        """Return the names that a text calls roles, modes or agents in so many words."""
        small = text.lower()
        if self._any is None or not any(part in small for part in self._quick):
            return set()
        found = (one for one in self._any.finditer(text) if one["role"])
        return {name for one in found if (name := self._named(_plain(one["name"])))}

    def is_name(self, text: str) -> str | None:
        """Return the role that a text is the name of, with nothing more than its marks."""
        plain = _plain(text.strip(" \t`*_\"'"))
        for ending in ("-role", "-agent", "-mode"):
            plain = plain.removesuffix(ending)
        return plain if plain in self.all else None

    def of_path(self, path: str, folders: frozenset[str]) -> str | None:
        """Return the role whose rules a file holds, by its name or a folder of rules it lies in."""
        parts = path.split("/")
        parts[-1] = parts[-1].partition(".")[0]
        for place in range(len(parts) - 1, 0, -1):
            name = self.is_name(parts[place])
            if name is not None and (is_folder_of_rules(parts[place - 1])):
                return name
            if name is not None and "/".join(parts[:place]) in folders:
                return name
        return None

    def addressed(self, text: str) -> str | None:
        """Return the role that a text tells its reader to be."""
        found = _YOU.search(self.marked(text))
        return None if found is None else found[1]


def is_folder_of_rules(name: str) -> bool:
    """Tell whether a folder's name says that rules, roles or agents are in it."""
    return any(_FOLDERS.fullmatch(word) for word in re.split(r"[-_. ]", name.lower()))


def is_rule_file(path: str) -> bool:
    """Tell whether a file lies where harnesses look for rules."""
    parts = path.lower().split("/")
    in_folder = any(part in _RULE_FOLDERS for part in parts[:-1])
    return in_folder or parts[-1] in _RULE_FILES or parts[-1].endswith(".mdc")


def speaks_of_a_project(path: str) -> bool:
    """Tell whether a file's name says that it describes a project, outside of any rules."""
    stem = path.lower().split("/")[-1].partition(".")[0].partition("-")[0]
    return stem in _SPOKEN_OF and not is_rule_file(path)


def folders_of_roles(paths: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    """Return the folders in which two roles or more have a folder or a file of their own."""
    there: dict[str, set[str]] = {}
    for path in paths:
        parts = path.split("/")
        parts[-1] = parts[-1].partition(".")[0]
        for place in range(1, len(parts)):
            plain = _plain(parts[place])
            if plain in names:
                there.setdefault("/".join(parts[:place]), set()).add(plain)
    return frozenset(folder for folder, found in there.items() if len(found) > 1)


def role_like(path: str, page: Page) -> set[str]:
    """Return the names that a rule file uses as those of roles, whatever is configured."""
    found: set[str] = set()
    if not is_rule_file(path):
        return found
    parts = [part.lower() for part in path.split("/")]
    for folder, part in itertools.pairwise(parts):
        stem = part.partition(".")[0]
        if folder in ("agent-rules", "roles", "personas") and stem not in _NO_ROLE:
            found.add(_plain(stem))
    found |= {_plain(one.value) for one in page.front if one.key in ("role", "agent_role")}
    for unit in page.units:
        for sentence in unit.sentences:
            found |= {_plain(word) for word in _LIKE.findall(sentence.text) if _is_like(word)}
    return {name for name in found if 0 < len(name) <= NAME_CHARS_MAX and name not in _NO_ROLE}


_LIKE: Final = re.compile(r"\b([A-Za-z]{2,20}(?:-[a-z]{2,20})?)[`*]{0,2} (?:role|mode|agent)\b")


def _is_like(word: str) -> bool:
    return word.lower() in ROLE_WORDS


def _plain(text: str) -> str:
    """Return a name as it is compared: small letters, one sign between words."""
    plain = re.sub(r"[\s_-]+", "-", text.strip().lower())[: NAME_CHARS_MAX + 1]
    good = len(plain) <= NAME_CHARS_MAX and re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", plain)
    return plain if good else ""


def _mention(names: Sequence[str]) -> re.Pattern[str]:
    """Compile what finds these names in a text."""
    spelt = "|".join(re.escape(name).replace(r"\-", "[-_ ]") for name in names)
    return re.compile(
        r"(?P<before>\b(?:the|an?|our|your|this|that|another)\s+)?"
        r"(?<![\w/.@-])(?P<quote>[`*_\"']{0,3})"
        rf"(?<![A-Za-z0-9])(?P<name>(?:{spelt})s?)(?![A-Za-z0-9])"
        r"(?![`*_\"']{0,3}[/.@-][A-Za-z0-9*])[`*_\"']{0,3}"
        rf"(?:(?P<role>[ -](?:role|mode|agent|persona|session|side)s?\b)|(?P<modal>{_MODAL}))?",
        re.IGNORECASE,
    )
