-- What sessions have to read before they write, and what they have read.

CREATE TABLE reading (
    session TEXT PRIMARY KEY,
    unread INTEGER NOT NULL,     -- 1: something stands between it and its first edit
    awaits INTEGER NOT NULL,     -- 1: a receipt may still count
    rows TEXT NOT NULL           -- a JSON list of documents, each the fields of core.reading.Reading
) STRICT, WITHOUT ROWID;

-- Most sessions have nothing left to read, and both questions are about those that have.
CREATE INDEX reading_unread ON reading (session) WHERE unread;
CREATE INDEX reading_awaits ON reading (session) WHERE awaits;
