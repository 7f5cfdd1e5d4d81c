-- The first format of the store. Times are milliseconds since 1970 on the store's clock.

CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    workspace TEXT NOT NULL,
    epoch TEXT NOT NULL,
    head_seq INTEGER NOT NULL,
    head_hash TEXT NOT NULL,
    boot TEXT NOT NULL,          -- the boot whose clock `offset_ms` belongs to
    offset_ms INTEGER NOT NULL,  -- store time = offset_ms + milliseconds since that boot
    last_now INTEGER NOT NULL    -- the newest time that was written: time never goes back
) STRICT;

CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT,
    header BLOB NOT NULL,
    payload BLOB                 -- NULL: redacted
) STRICT;
CREATE INDEX entry_subject ON entry (subject, kind, seq) WHERE subject IS NOT NULL;

CREATE TABLE lease (
    token INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    role TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('exclusive', 'local')),
    worktree TEXT NOT NULL,
    patterns TEXT NOT NULL,      -- one a line
    granted_at INTEGER NOT NULL,
    ttl_ms INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    lasting INTEGER NOT NULL
) STRICT;
CREATE INDEX lease_session ON lease (session);

-- Where a lease's patterns begin: the index that `near` walks.
CREATE TABLE anchor (
    anchor TEXT NOT NULL,
    token INTEGER NOT NULL,
    PRIMARY KEY (anchor, token)
) STRICT, WITHOUT ROWID;

-- What the guard looks up, kept in the transaction of each change.
CREATE TABLE may_write (
    worktree TEXT NOT NULL,
    session TEXT NOT NULL,
    anchor TEXT NOT NULL,
    pattern TEXT NOT NULL,
    token INTEGER NOT NULL,
    until INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (worktree, session, anchor, pattern, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    role TEXT,
    worktree TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    secret_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE waiter (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    worktree TEXT NOT NULL,
    patterns TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;

CREATE TABLE attestation (
    "commit" TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE config (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    blob TEXT NOT NULL,
    text TEXT NOT NULL,
    seq INTEGER NOT NULL,
    compiled BLOB                -- a cache of the text; made by whoever reads it first
) STRICT;

CREATE TABLE request (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
