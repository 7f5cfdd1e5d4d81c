"""The JSON Schemas (draft-07) of mosaic's state files, as files: drawn from the tables of fields.

schema_files()["agent_state.schema.json"]
"""

from __future__ import annotations

import json

from handrail.projections import agent_state, blockers, current_task, session_log


def schema_files() -> dict[str, bytes]:
    """Return the schemas by the names of their files."""
    schemas = (
        agent_state.json_schema(),
        blockers.json_schema(),
        current_task.json_schema(),
        session_log.json_schema(),
    )
    return {one["$id"]: (json.dumps(one, indent=2) + "\n").encode("ascii") for one in schemas}
