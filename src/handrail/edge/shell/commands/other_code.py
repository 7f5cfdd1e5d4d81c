"""A program of JavaScript, Perl, Ruby or PHP that stands in the line: what it plainly writes.

Read by the calls that one writes when one changes a file in a hurry, with a literal path. A path
that is an expression is undecided.
"""

from __future__ import annotations

import re

from handrail.edge.shell.call import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.edge.shell.state import Field

__all__ = ["code_writes"]

TEXT_MAX = 200_000
LITERAL = r"(?:'((?:[^'\\\n]|\\.)*)'|\"((?:[^\"\\\n]|\\.)*)\"|`([^`$\n]*)`|([^)\s][^,)\n]{0,80}))"
FIRST = (
    r"\b(?:writeFileSync|writeFile|appendFileSync|appendFile|createWriteStream|unlinkSync|unlink"
    r"|rmSync|rmdirSync|truncateSync|chmodSync|chmod|file_put_contents|File\.write|File\.delete"
    r"|File\.unlink|IO\.write|FileUtils\.rm(?:_rf|_r|_f)?|FileUtils\.touch|File\.truncate)"
)
BOTH = r"\b(?:renameSync|File\.rename|FileUtils\.mv|rename)"
SECOND = r"\b(?:copyFileSync|cpSync|copyFile|symlinkSync|linkSync|FileUtils\.cp(?:_r)?|copy)"
ONE = re.compile(FIRST + r"\s*(\(\s*|\s)" + LITERAL)
TWO = re.compile(rf"(?:({BOTH})|({SECOND}))\s*\(?\s*{LITERAL}\s*,\s*{LITERAL}")
OPENED = re.compile(rf"\b(?:File\.open|fopen|openSync)\s*\(\s*{LITERAL}\s*,\s*['\"][wax]")
PERL_OPENED = re.compile(
    rf"\bopen\s*\(?[^,;\n]{{1,80}},\s*['\"]\+?>{{1,2}}[^'\",]*['\"]\s*,\s*{LITERAL}"
)
SHELLED = re.compile(rf"\b(?:execSync|exec|system|spawnSync|spawn)\s*\(?\s*{LITERAL}")


def _literal(groups: tuple[str, ...]) -> Field:
    """Give the text of a literal; None where an expression stands."""
    return None if groups[3] else "".join(groups[:3])


def code_writes(call: Call, text: Field) -> None:
    """Note what a program in no language that is read here plainly writes."""
    if text is None or len(text) > TEXT_MAX:
        call.undecided()
        return
    for found in ONE.findall(text):
        call.write(_literal(found[1:]))
    for found in TWO.findall(text):
        if found[0]:
            call.write(_literal(found[2:6]))
        call.write(_literal(found[6:]))
    for each in (OPENED, PERL_OPENED):
        for found in each.findall(text):
            call.write(_literal(found))
    for found in SHELLED.findall(text):
        source = _literal(found)
        if source is not None:
            call.shell(source, call.state.copy())
