"""``dc validate``: the files of directives, in the words of the original's own check.

validate(["--strict"], "/repo")    # 0, and "Validation passed: 3 session(s)"
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from handrail import errors
from handrail.edge.compat.surroundings import tell
from handrail.projections.directive_check import Files, check
from handrail.service.directives import Directives, reason_of, root_of
from handrail.service.policy import rules_in_force
from handrail.wiring import Application


def validate(words: Sequence[str], folder: str) -> int:
    """Check directives: all of them, or those of the files that are named; returns the status."""
    parser = ArgumentParser(prog="dc validate")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--file", action="append", default=[])
    asked = parser.parse_args(words)
    application = Application.open(folder, os.environ, terminal=False)
    try:
        context = application.context
        with context.store.read() as reader:
            root = root_of(rules_in_force(reader))
        if root is None:
            sys.stderr.write("The configuration in force knows of no directives\n")
            sys.stderr.write("  next: handrail init --preset directive\n")
            return 1
        directives = Directives(context.outside, root)
        names = directives.names()
        if asked.file:
            names = tuple(name for name in names if _is_named(f"{root}/{name}", asked.file))
        found = {name: _files(directives, name) for name in names}
    except errors.HandrailError as error:
        sys.stderr.write(f"{error.code}: {error.message}\n  next: {error.next}\n")
        return 1
    finally:
        application.close()
    checked = check(found, root, strict=asked.strict)
    if asked.verbose:
        for name in found:
            tell(f"{root}/{name}")
    for line in checked.errors:
        sys.stderr.write(f"{line}\n")
    if checked.errors:
        sys.stderr.write(f"Validation failed: {len(checked.errors)} error(s)\n")
        return 1
    tell(f"Validation passed: {checked.sessions} session(s)")
    return 0


def _is_named(folder: str, files: Sequence[str]) -> bool:
    return any(file.removeprefix("./").startswith(f"{folder}/") for file in files)


def _files(directives: Directives, name: str) -> Files:
    """Return the files of a directive; of one that cannot be read, why."""
    found: dict[str, bytes | str] = {}
    for file, content in directives.files(name):
        found[file] = content if isinstance(content, bytes) else reason_of(content)
    return found
