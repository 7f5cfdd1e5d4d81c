-- Fewer pages a claim: `may_write` is the index of anchors too, a lease lies beside those of its
-- session, and a grant is found by its number or not at all.

CREATE TABLE held (
    token INTEGER NOT NULL,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    role TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('exclusive', 'local')),
    worktree TEXT NOT NULL,
    patterns TEXT NOT NULL,      -- one a line
    granted_at INTEGER NOT NULL,
    ttl_ms INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    lasting INTEGER NOT NULL,
    PRIMARY KEY (session, token)
) STRICT, WITHOUT ROWID;
INSERT INTO held SELECT token, session, agent, role, kind, worktree, patterns, granted_at, ttl_ms,
    expires_at, lasting FROM lease;
DROP TABLE lease;
ALTER TABLE held RENAME TO lease;

-- Where a lease's patterns begin, and who may write there: what a claim walks and the guard looks
-- up, kept in the transaction of each change.
CREATE TABLE anchored (
    anchor TEXT NOT NULL,
    token INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    worktree TEXT NOT NULL,
    session TEXT NOT NULL,
    until INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (anchor, token, pattern)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO anchored
    SELECT anchor, token, pattern, worktree, session, until, reason FROM may_write;
DROP TABLE may_write;
ALTER TABLE anchored RENAME TO may_write;
DROP TABLE anchor;

DROP INDEX entry_subject;
CREATE INDEX entry_subject ON entry (subject, kind, seq)
    WHERE subject IS NOT NULL AND kind <> 'lease.granted';
