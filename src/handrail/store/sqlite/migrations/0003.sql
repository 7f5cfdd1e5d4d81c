-- What the guard needs: when to renew, what ended leases left behind, who landed what, which process
-- acts for whom, and what is still to be told.

ALTER TABLE may_write ADD COLUMN renew_at INTEGER NOT NULL DEFAULT 0;
UPDATE may_write SET renew_at = (
    SELECT CASE
        WHEN l.expires_at >= l.granted_at + 259200000 THEN l.expires_at
        ELSE l.expires_at - l.ttl_ms / 2
    END
    FROM lease l WHERE l.session = may_write.session AND l.token = may_write.token
) WHERE EXISTS (
    SELECT 1 FROM lease l WHERE l.session = may_write.session AND l.token = may_write.token
);

CREATE TABLE orphan (
    token INTEGER PRIMARY KEY,   -- of the lease that left it
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    role TEXT,
    kind TEXT NOT NULL,
    worktree TEXT NOT NULL,
    patterns TEXT NOT NULL,      -- one a line
    blobs TEXT,                  -- JSON pairs of path and blob; NULL: nobody has looked
    ttl_ms INTEGER NOT NULL,
    since INTEGER NOT NULL       -- the entry that ended the lease
) STRICT;
CREATE TABLE orphan_anchor (
    worktree TEXT NOT NULL,
    anchor TEXT NOT NULL,
    token INTEGER NOT NULL,
    PRIMARY KEY (worktree, anchor, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE landing (
    token INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    worktree TEXT NOT NULL,
    patterns TEXT NOT NULL,      -- one a line
    "commit" TEXT NOT NULL,      -- the newest under this token
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX landing_at ON landing (at);
CREATE TABLE landing_anchor (
    anchor TEXT NOT NULL,
    token INTEGER NOT NULL,
    PRIMARY KEY (anchor, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE process (
    boot TEXT NOT NULL,
    pid_ns TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started INTEGER NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (boot, pid_ns, pid, started)
) STRICT, WITHOUT ROWID;

CREATE TABLE notice (
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    "key" TEXT NOT NULL,
    other TEXT NOT NULL,
    paths TEXT NOT NULL,         -- a JSON list
    at INTEGER NOT NULL,
    told INTEGER NOT NULL,
    PRIMARY KEY (session, kind, "key")
) STRICT, WITHOUT ROWID;

-- What verify asks: attestations by the paths that they are of, and all entries of the rare kinds.
CREATE INDEX entry_paths ON entry (
    json_extract(iif(json_valid(CAST(payload AS TEXT)), CAST(payload AS TEXT), '{}'), '$.paths_hash'),
    seq
) WHERE kind = 'commit.attested';
CREATE INDEX entry_rare ON entry (kind, seq)
    WHERE kind = 'config.applied' OR kind = 'commit.unattested' OR kind = 'commit.unattributed';
