"""git's merge driver for projections: three files and a path, and what became of them.

Promise: the file of our side is written whole, or is as it was; the exit status is one of two that
the setting of the clone knows, or any other, after which git's own merge of text does the work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from handrail import errors
from handrail.service.install.merge_driver import CONFLICT_STATUS, MERGED_STATUS
from handrail.wiring import Application, read_file
from handrail.wiring.merging import merge_text, replace_ours

NOT_DONE: Final = 1
_LOOKING: Final = frozenset(
    ("diff", "diff-tree", "format-patch", "log", "merge-tree", "range-diff", "rev-list", "show")
)
"""Commands of git that merge for the eye alone: what comes of it is no news."""
BYTES_MAX: Final = 1 << 26


def run(words: Sequence[str]) -> int:
    """Merge: ``words`` are the files of base, ours and theirs, and the path that they are of."""
    from handrail.service.commit_check import CommitCheck
    from handrail.service.projection_merging import ProjectionMerging

    if len(words) != 4:
        return NOT_DONE
    base, ours, theirs = (read_file(name, BYTES_MAX) for name in words[:3])
    if base is None or ours is None or theirs is None:
        return NOT_DONE
    if max(map(len, (base, ours, theirs))) > BYTES_MAX:
        return NOT_DONE
    application = Application.open(os.getcwd(), os.environ, terminal=False)
    try:
        if not application.ground.store_exists():
            return NOT_DONE
        if not CommitCheck(application.context).is_known():
            application.act_as_nobody()
        looking = application.ground.calling_git() in _LOOKING
        merging = ProjectionMerging(application.context, merge_text, looking=looking)
        done = merging.merge(words[3], base, ours, theirs)
        if done is None:
            return NOT_DONE
        replace_ours(words[1], done.content)
    except errors.HandrailError as error:
        application.hook_log.write("merge", error.code, error.message)
        return NOT_DONE
    finally:
        application.close()
    if not done.clean:
        sys.stderr.write(f"handrail: {words[3]}: both sides changed the same; yours to decide\n")
    return MERGED_STATUS if done.clean else CONFLICT_STATUS
