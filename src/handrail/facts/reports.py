r"""Reports of tests: which of them passed, out of JUnit's XML or TAP.

Promises: at most ``REPORT_BYTES_MAX`` are read, of an ordinary file, through no symbolic link; a
document type, an entity, too deep a nesting or too many tests are a fault, never an answer; the
parser fetches nothing. Equal digests mean the same set of names.

    read_report(b"TAP version 13\nok 1 - adds\n").tests      # 1
"""

from __future__ import annotations

import errno
import os
import re
import stat

from handrail.core.digest import sha256
from handrail.core.record import Record
from handrail.errors import FactsUnavailable
from handrail.typed import Final

REPORT_BYTES_MAX: Final = 32 << 20
TESTS_MAX: Final = 200_000
NAME_CHARS_MAX: Final = 2_000
MISSED_MAX: Final = 10
DEPTH_MAX: Final = 64
_TAP_TEST: Final = re.compile(r"(not )?ok\b[ \t]*(\d{1,9})?[ \t]*(?:-[ \t]+)?([^#]*)(#.*)?")
_NOT_PASSED: Final = frozenset(("failure", "error", "skipped"))


class Passed(Record):
    """The tests that passed: how many, and a digest of the set of their names.

    ``missed`` names the first MISSED_MAX of those that did not.
    """

    tests: int
    digest: str
    missed: tuple[str, ...] = ()


class Faulty(Exception):
    """Why a report cannot be believed."""


def mark_of(path: str) -> tuple[int, int, int] | None:
    """Return what changes when a file is written anew; None if it is not there."""
    try:
        about = os.lstat(path)
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size


def load_report(toplevel: str, path: str) -> Passed:
    """Read the report at a repo-relative path; raises FactsUnavailable."""
    full = os.path.join(toplevel, path)
    folder = os.path.realpath(os.path.dirname(full))
    try:
        if os.path.commonpath((folder, os.path.realpath(toplevel))) != os.path.realpath(toplevel):
            raise FactsUnavailable(what=f"the report {path}", reason="it lies outside")
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
        with open(os.open(full, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FactsUnavailable(what=f"the report {path}", reason="it is no ordinary file")
            raw = file.read(REPORT_BYTES_MAX + 1)
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise FactsUnavailable(what=f"the report {path}", reason=reason) from error
    try:
        return read_report(raw)
    except Faulty as error:
        raise FactsUnavailable(what=f"the report {path}", reason=str(error)) from error


def read_report(raw: bytes) -> Passed:
    """Return the tests that passed by JUnit's XML or TAP; raises Faulty."""
    if len(raw) > REPORT_BYTES_MAX:
        raise Faulty(f"it is longer than {REPORT_BYTES_MAX} bytes")
    is_xml = raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"
    names, missed = _junit(raw) if is_xml else _tap(raw.decode("utf-8", "replace"))
    digest = sha256()
    for name in sorted(names):
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
    return Passed(len(names), digest.hexdigest(), tuple(missed[:MISSED_MAX]))


class _Reader:
    """What expat calls while it goes through a report."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.missed: list[str] = []
        self._depth = 0
        self._tests = 0
        self._test: str | None = None
        self._passed = True
        self._root = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise Faulty(f"it nests deeper than {DEPTH_MAX}")
        if self._depth == 1 and tag not in ("testsuites", "testsuite"):
            raise Faulty(f"its first element is {tag[:40]}, not testsuites or testsuite")
        if tag == "testcase":
            self._tests += 1
            if self._tests > TESTS_MAX:
                raise Faulty(f"it holds more than {TESTS_MAX} tests")
            name = "::".join((attributes.get("classname", ""), attributes.get("name", "")))
            self._test, self._passed = name[:NAME_CHARS_MAX], True
        elif tag in _NOT_PASSED and self._test is not None:
            self._passed = False

    def end(self, tag: str) -> None:
        """End an element."""
        self._depth -= 1
        if tag == "testcase" and self._test is not None:
            if self._passed:
                self.names.add(self._test)
            else:
                self.missed.append(self._test)
            self._test = None

    def refuse(self, *_: object) -> None:
        """Refuse a document type: with it come entities, and nothing that a report needs."""
        raise Faulty("it declares a document type or entities")


def _junit(raw: bytes) -> tuple[set[str], list[str]]:
    from xml.parsers import expat

    reader = _Reader()
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise Faulty(f"it is no well-formed XML: {error}") from error
    except (ValueError, LookupError) as error:
        raise Faulty(f"its encoding is not known: {error}") from error
    return reader.names, reader.missed


def _tap(text: str) -> tuple[set[str], list[str]]:
    names: set[str] = set()
    missed: list[str] = []
    tests = 0
    planned = False
    for line in text.splitlines():
        planned = planned or line.startswith(("TAP version", "1.."))
        found = _TAP_TEST.fullmatch(line)
        if found is None:
            if line.startswith("Bail out!"):
                raise Faulty("its tests bailed out")
            continue
        tests += 1
        if tests > TESTS_MAX:
            raise Faulty(f"it holds more than {TESTS_MAX} tests")
        failed, number, name, directive = found.groups()
        told = (directive or "").lstrip("# \t").lower()
        name = (name.strip() or f"test {number or tests}")[:NAME_CHARS_MAX]
        if failed or told.startswith(("skip", "todo")):
            missed.append(name)
        else:
            names.add(name)
    if not planned:
        raise Faulty("it is neither JUnit's XML nor TAP")
    return names, missed
