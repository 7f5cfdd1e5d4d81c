"""Write constraints.txt: the exact version of everything that Handrail's environments contain.

Resolves the ranges of pyproject.toml anew in a fresh environment: what runs, what developers need
and what builds. Run it with the oldest supported interpreter, whose set of packages is the largest.

    make constraints
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# The exact version of every direct and transitive dependency: to run, to develop, to build.
# Written by `make constraints`; edit the ranges in pyproject.toml, not this file.
"""
# Asked for by hatchling only at the moment of an editable build.
BUILD_EXTRAS = ("editables",)
# The environment itself, and the project.
NOT_PINNED = frozenset({"handrail", "pip", "setuptools", "wheel"})


def main() -> int:
    """Resolve, then replace constraints.txt in one step."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    wanted = [
        *project["build-system"]["requires"],
        *BUILD_EXTRAS,
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
    ]
    with tempfile.TemporaryDirectory(prefix="handrail-constraints-") as folder:
        venv.create(folder, with_pip=True)
        pip = [str(Path(folder, "bin", "python")), "-m", "pip", "--disable-pip-version-check"]
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_CONSTRAINT")}
        subprocess.run([*pip, "install", "--quiet", *wanted], check=True, env=environment)
        listed = subprocess.run(
            [*pip, "list", "--format", "json"], check=True, env=environment, stdout=subprocess.PIPE
        )
    pins = sorted(
        f"{package['name'].lower().replace('_', '-')}=={package['version']}"
        for package in json.loads(listed.stdout)
        if package["name"].lower() not in NOT_PINNED
    )
    target = ROOT / "constraints.txt"
    fresh = target.with_suffix(".new")
    fresh.write_text(HEADER + "\n".join(pins) + "\n", encoding="ascii")
    fresh.replace(target)
    print(f"constraints.txt: {len(pins)} packages, Python {sys.version.split()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
