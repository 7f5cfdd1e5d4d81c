"""Put reports where the documents are drawn from: ``python -m bench.publish FILE...``.

Later files replace the rows of earlier ones; what was published before is replaced as a whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.report import Report, published, written
from tools.docs import main as write_pages
from tools.speed import NUMBERS


def main(files: Sequence[str]) -> int:
    """Write the numbers and all pages that are drawn from them."""
    if not files:
        print("bench.publish: name the reports, oldest first", file=sys.stderr)
        return 2
    reports: list[Report] = [json.loads(Path(name).read_text(encoding="utf-8")) for name in files]
    NUMBERS.write_text(written(published(reports)), encoding="utf-8")
    print(f"wrote {NUMBERS.name}")
    return write_pages()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
