"""All projections there are, by format. The only list.

PROJECTIONS["lanes-coordination"].render(known, None)
"""

from __future__ import annotations

from typing import Final

from handrail.projections import (
    agent_state,
    blockers,
    cooperation_handoffs,
    cooperation_tasks,
    current_task,
    directive_handoff,
    directive_rules,
    latest_handoff,
    session_log,
)
from handrail.projections.coordination import COORDINATION
from handrail.projections.lane_note import LANE_NOTE
from handrail.projections.port import Folder, Projection
from handrail.projections.tracker import TRACKER

_KNOWN: Final[tuple[Projection, ...]] = (
    COORDINATION,
    TRACKER,
    LANE_NOTE,
    agent_state.PROJECTION,
    blockers.PROJECTION,
    current_task.PROJECTION,
    session_log.PROJECTION,
    latest_handoff.PROJECTION,
    directive_handoff.PROJECTION,
    directive_rules.PROJECTION,
    cooperation_tasks.PROJECTION,
)
_FOLDERS: Final[tuple[Folder, ...]] = (cooperation_handoffs.FOLDER,)

PROJECTIONS: Final[dict[str, Projection]] = {one.format: one for one in _KNOWN}
FOLDERS: Final[dict[str, Folder]] = {one.format: one for one in _FOLDERS}
