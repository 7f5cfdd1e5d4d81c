-- The first format of a workspace's schema: the tables of the seventh format of the SQLite file.
-- Times are milliseconds since 1970 on the store's clock. Text is compared by its bytes.

CREATE TABLE format (
    id integer PRIMARY KEY CHECK (id = 1),
    number integer NOT NULL
);

CREATE TABLE state (
    id integer PRIMARY KEY CHECK (id = 1),
    workspace text COLLATE "C" NOT NULL,
    epoch text COLLATE "C" NOT NULL,
    head_seq bigint NOT NULL,
    head_hash text COLLATE "C" NOT NULL,
    boot text COLLATE "C" NOT NULL,
    offset_ms bigint NOT NULL,
    last_now bigint NOT NULL,      -- the newest time that was written: time never goes back
    commits bigint NOT NULL,       -- how often something was committed
    tickets bigint NOT NULL        -- the newest ticket of the queue: none is given twice
) WITH (fillfactor = 10);          -- one row that is written all the time, in its own page

CREATE TABLE entry (
    seq bigint PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    subject text COLLATE "C",
    header bytea NOT NULL,
    payload bytea,                 -- NULL: redacted
    paths_hash text COLLATE "C"    -- of an attestation
);
CREATE INDEX entry_subject ON entry (subject, kind, seq)
    WHERE subject IS NOT NULL AND kind <> 'lease.granted';
CREATE INDEX entry_paths ON entry (paths_hash, seq) WHERE kind = 'commit.attested';
CREATE INDEX entry_rare ON entry (kind, seq)
    WHERE kind = 'config.applied' OR kind = 'commit.unattested' OR kind = 'commit.unattributed';

CREATE TABLE lease (
    token bigint PRIMARY KEY,
    session text COLLATE "C" NOT NULL,
    agent text COLLATE "C" NOT NULL,
    role text COLLATE "C",
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('exclusive', 'local')),
    worktree text COLLATE "C" NOT NULL,
    patterns text COLLATE "C" NOT NULL,  -- one a line
    granted_at bigint NOT NULL,
    ttl_ms bigint NOT NULL,
    expires_at bigint NOT NULL,
    lasting boolean NOT NULL
);
CREATE INDEX lease_session ON lease (session, token);

-- Where a lease's patterns begin, and who may write there: what a claim walks and the guard looks
-- up, kept in the transaction of each change.
CREATE TABLE may_write (
    anchor text COLLATE "C" NOT NULL,
    token bigint NOT NULL,
    pattern text COLLATE "C" NOT NULL,
    worktree text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,
    until bigint NOT NULL,
    reason text COLLATE "C" NOT NULL,
    renew_at bigint NOT NULL,
    PRIMARY KEY (anchor, token, pattern)
);

CREATE TABLE session (
    id text COLLATE "C" PRIMARY KEY,
    agent text COLLATE "C" NOT NULL,
    role text COLLATE "C",
    worktree text COLLATE "C" NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint,
    secret_hash text COLLATE "C" NOT NULL
);
CREATE INDEX session_clone ON session (worktree) WHERE ended_at IS NULL;

CREATE TABLE waiter (
    ticket bigint PRIMARY KEY,
    session text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    worktree text COLLATE "C" NOT NULL,
    patterns text COLLATE "C" NOT NULL,
    since bigint NOT NULL,
    until bigint NOT NULL
);

CREATE TABLE attestation (
    "commit" text COLLATE "C" PRIMARY KEY,
    seq bigint NOT NULL
);

CREATE TABLE config (
    id integer PRIMARY KEY CHECK (id = 1),
    blob text COLLATE "C" NOT NULL,
    text text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    compiled bytea                 -- a cache of the text; made by whoever reads it first
);

CREATE TABLE request (
    id text COLLATE "C" PRIMARY KEY,
    digest text COLLATE "C" NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX request_at ON request (at);

CREATE TABLE orphan (
    token bigint PRIMARY KEY,      -- of the lease that left it
    session text COLLATE "C" NOT NULL,
    agent text COLLATE "C" NOT NULL,
    role text COLLATE "C",
    kind text COLLATE "C" NOT NULL,
    worktree text COLLATE "C" NOT NULL,
    patterns text COLLATE "C" NOT NULL,  -- one a line
    blobs text COLLATE "C",        -- JSON pairs of path and blob; NULL: nobody has looked
    ttl_ms bigint NOT NULL,
    since bigint NOT NULL          -- the entry that ended the lease
);
CREATE TABLE orphan_anchor (
    worktree text COLLATE "C" NOT NULL,
    anchor text COLLATE "C" NOT NULL,
    token bigint NOT NULL,
    PRIMARY KEY (worktree, anchor, token)
);

CREATE TABLE landing (
    token bigint PRIMARY KEY,
    session text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    worktree text COLLATE "C" NOT NULL,
    patterns text COLLATE "C" NOT NULL,  -- one a line
    "commit" text COLLATE "C" NOT NULL,  -- the newest under this token
    seq bigint NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX landing_at ON landing (at);
CREATE TABLE landing_anchor (
    anchor text COLLATE "C" NOT NULL,
    token bigint NOT NULL,
    PRIMARY KEY (anchor, token)
);

CREATE TABLE process (
    boot text COLLATE "C" NOT NULL,
    pid_ns text COLLATE "C" NOT NULL,
    pid bigint NOT NULL,
    started bigint NOT NULL,
    session text COLLATE "C" NOT NULL,
    PRIMARY KEY (boot, pid_ns, pid, started)
);

CREATE TABLE notice (
    session text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    "key" text COLLATE "C" NOT NULL,
    other text COLLATE "C" NOT NULL,
    paths text COLLATE "C" NOT NULL,     -- a JSON list
    at bigint NOT NULL,
    told boolean NOT NULL,
    PRIMARY KEY (session, kind, "key")
);

CREATE TABLE task (
    id text COLLATE "C" PRIMARY KEY,
    title text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,     -- open or closed
    opened_at bigint NOT NULL,
    number bigint NOT NULL,              -- of its newest packet
    holder text COLLATE "C",             -- the session that acts for it
    role text COLLATE "C",               -- as what
    failed bigint NOT NULL,              -- handoffs in a row that were declined or returned
    taken bigint NOT NULL,               -- the packet that was accepted last, 0: none
    phase text COLLATE "C",
    next_phase text COLLATE "C",         -- where a decision led
    revises text COLLATE "C" NOT NULL,   -- a JSON list of [checkpoint, n]
    waits_at text COLLATE "C"            -- a checkpoint at its limit
);

CREATE TABLE packet (
    task text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,   -- the giver's, '' for the system
    agent text COLLATE "C" NOT NULL,
    from_role text COLLATE "C",
    to_role text COLLATE "C",
    patterns text COLLATE "C" NOT NULL,  -- a JSON list: the scope that was offered
    "returns" text COLLATE "C" NOT NULL, -- a JSON list: what of it the giver held
    token bigint NOT NULL,               -- of the reservation, 0: none
    offered_at bigint NOT NULL,
    lapses_at bigint NOT NULL,
    seq bigint NOT NULL,                 -- the entry with the packet's bytes
    hash text COLLATE "C" NOT NULL,
    "by" text COLLATE "C",               -- the session that answered it
    settled_at bigint,
    note text COLLATE "C",
    PRIMARY KEY (task, number)
);
CREATE INDEX packet_open ON packet (task, number) WHERE state = 'open';

CREATE TABLE waiver (
    seq bigint PRIMARY KEY,              -- the entry that added it
    gate text COLLATE "C" NOT NULL,
    for_task text COLLATE "C",           -- NULL: for all
    reason text COLLATE "C" NOT NULL,
    "by" text COLLATE "C" NOT NULL,
    added_at bigint NOT NULL,
    ends_at bigint,
    uses bigint,
    used bigint NOT NULL,
    revoked boolean NOT NULL
);

CREATE TABLE kept_row (
    projection text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (projection, key)
);

CREATE TABLE written (
    projection text COLLATE "C" NOT NULL,
    blob text COLLATE "C" NOT NULL,      -- git's id of the bytes
    seq bigint NOT NULL,
    PRIMARY KEY (projection, blob)
);

CREATE TABLE reading (
    session text COLLATE "C" PRIMARY KEY,
    unread boolean NOT NULL,             -- something stands between it and its first edit
    awaits boolean NOT NULL,             -- a receipt may still count
    rows text COLLATE "C" NOT NULL       -- a JSON list of documents
);
CREATE INDEX reading_unread ON reading (session) WHERE unread;
CREATE INDEX reading_awaits ON reading (session) WHERE awaits;

CREATE TABLE moved (
    place text COLLATE "C" NOT NULL      -- where the store is now, once this is none any more
);
