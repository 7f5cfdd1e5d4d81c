"""The ground that everything stands on: pinned dependencies, and no address of any one machine."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT

PIN: Final = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)*)==([0-9][0-9A-Za-z.+!]*)")
# Written in parts, so that this file does not contain what it looks for.
REGISTRY: Final = re.compile(
    "|".join(
        f"{left}{right}"
        for left, right in (
            ("pypi", r"\.(?:org|python)"),
            ("pythonhosted", r"\.org"),
            ("npmjs", r"\.(?:org|com)"),
            ("anaconda", r"\.org"),
            ("--(?:extra-)?index", "-url"),
            ("--find", "-links"),
            ("PIP_(?:EXTRA_)?INDEX", "_URL"),
        )
    ),
    re.IGNORECASE,
)
OF_ONE_MACHINE: Final = re.compile(
    "/(?:opt|work|root|home/[a-z]+)" + "/(?:main|shared|wheels|pypi|[.])"
)
NOT_OURS: Final = frozenset({".git", ".venv", "build", "dist", "__pycache__", ".hypothesis"})


def pins() -> dict[str, str]:
    """Read constraints.txt: name to version."""
    lines = (ROOT / "constraints.txt").read_text(encoding="ascii").splitlines()
    matches = [PIN.fullmatch(line) for line in lines if line and not line.startswith("#")]
    return {match[1]: match[2] for match in matches if match}


def project() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def declared() -> list[Requirement]:
    """List what pyproject.toml asks for: to run, to develop, to build."""
    table = project()
    return [
        Requirement(line)
        for line in (
            *table["build-system"]["requires"],
            *table["project"]["dependencies"],
            *table["project"]["optional-dependencies"]["dev"],
        )
    ]


def needed(requirements: list[Requirement]) -> Iterator[str]:
    """Yield the names of everything that ``requirements`` bring with them on this interpreter."""
    seen: set[str] = set()
    queue = list(requirements)
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        try:
            further = metadata.requires(name) or ()
        except metadata.PackageNotFoundError:
            continue  # of the build's own environment
        queue.extend(Requirement(line) for line in further)
    yield from sorted(seen)


def files() -> Iterator[Path]:
    """Yield the files of this checkout, without what tools have left in it."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name for name in folders if name not in NOT_OURS and not name.endswith("_cache")
        ]
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def test_every_line_of_the_constraints_pins_one_version_exactly() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="ascii").splitlines()
    assert [x for x in lines if x and not x.startswith("#") and not PIN.fullmatch(x)] == []
    names = [line.split("==")[0] for line in lines if line and not line.startswith("#")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("requirement", declared(), ids=lambda requirement: requirement.name)
def test_what_the_project_declares_is_pinned_within_its_range(requirement: Requirement) -> None:
    version = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True)


def test_what_the_declared_packages_need_is_pinned_too() -> None:
    assert [name for name in needed(declared()) if name not in pins()] == []


def test_the_build_backend_is_pinned_where_no_constraint_reaches_it() -> None:
    assert [str(each.specifier)[:2] for each in map(Requirement, project_build())] == ["=="]


def project_build() -> list[str]:
    """List what the build system asks for."""
    requires: list[str] = project()["build-system"]["requires"]
    return requires


def test_the_version_is_said_once() -> None:
    assert "version" in project()["project"]["dynamic"]
    text = (ROOT / "src" / "handrail" / "__init__.py").read_text(encoding="utf-8")
    assert len(re.findall(r'^__version__ = "\d+\.\d+\.\d+"$', text, re.MULTILINE)) == 1


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    offences = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in files()
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").split("\n"), 1)
        if REGISTRY.search(line) or OF_ONE_MACHINE.search(line)
    ]
    assert offences == []
