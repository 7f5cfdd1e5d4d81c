-- Tasks, and what was handed over in them. The packets' own bytes stand in the ledger.

CREATE TABLE task (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    state TEXT NOT NULL,         -- open or closed
    opened_at INTEGER NOT NULL,
    number INTEGER NOT NULL,     -- of its newest packet
    holder TEXT,                 -- the session that acts for it
    role TEXT,                   -- as what
    failed INTEGER NOT NULL,     -- handoffs in a row that were declined or returned
    taken INTEGER NOT NULL       -- the packet that was accepted last, 0: none
) STRICT, WITHOUT ROWID;

CREATE TABLE packet (
    task TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    session TEXT NOT NULL,       -- the giver's, '' for the system
    agent TEXT NOT NULL,
    from_role TEXT,
    to_role TEXT,
    patterns TEXT NOT NULL,      -- a JSON list: the scope that was offered
    "returns" TEXT NOT NULL,     -- a JSON list: what of it the giver held
    token INTEGER NOT NULL,      -- of the reservation, 0: none
    offered_at INTEGER NOT NULL,
    lapses_at INTEGER NOT NULL,
    seq INTEGER NOT NULL,        -- the entry with the packet's bytes
    hash TEXT NOT NULL,
    "by" TEXT,                   -- the session that answered it
    settled_at INTEGER,
    note TEXT,
    PRIMARY KEY (task, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX packet_open ON packet (task, number) WHERE state = 'open';
