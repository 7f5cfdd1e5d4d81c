-- What projections keep: the newest entry of each row, and every content that Handrail wrote.

CREATE TABLE kept_row (
    projection TEXT NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (projection, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE written (
    projection TEXT NOT NULL,
    blob TEXT NOT NULL,          -- git's id of the bytes
    seq INTEGER NOT NULL,
    PRIMARY KEY (projection, blob)
) STRICT, WITHOUT ROWID;
