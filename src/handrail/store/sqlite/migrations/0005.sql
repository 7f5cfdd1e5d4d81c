-- Where a task is in its workflow, and exceptions from gates.

ALTER TABLE task ADD COLUMN phase TEXT;
ALTER TABLE task ADD COLUMN next_phase TEXT;                     -- where a decision led
ALTER TABLE task ADD COLUMN revises TEXT NOT NULL DEFAULT '[]';  -- a JSON list of [checkpoint, n]
ALTER TABLE task ADD COLUMN waits_at TEXT;                       -- a checkpoint at its limit

CREATE TABLE waiver (
    seq INTEGER PRIMARY KEY,     -- the entry that added it
    gate TEXT NOT NULL,
    for_task TEXT,               -- NULL: for all
    reason TEXT NOT NULL,
    "by" TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    ends_at INTEGER,
    uses INTEGER,
    used INTEGER NOT NULL,
    revoked INTEGER NOT NULL
) STRICT;
