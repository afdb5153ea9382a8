-- The tables that Corella keeps beside the app's own, one per entity.

-- Single facts about this database: its epoch, the peer id under which the server writes.
CREATE TABLE corella_meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- The app's tables as they were last built; a stale one is being filled again from its documents.
CREATE TABLE corella_tables (
    entity  TEXT PRIMARY KEY,
    columns TEXT NOT NULL,
    indexes TEXT NOT NULL,
    stale   INTEGER NOT NULL
) WITHOUT ROWID;

-- One line per row: where its document stands. The document's bytes lie elsewhere, so that a write does not
-- rewrite them.
CREATE TABLE corella_rows (
    tenant           TEXT NOT NULL,
    entity           TEXT NOT NULL,
    row_id           TEXT NOT NULL,
    head_seq         INTEGER NOT NULL,
    head_version     BLOB NOT NULL,
    snapshot_seq     INTEGER NOT NULL,
    snapshot_version BLOB NOT NULL,
    projected_seq    INTEGER NOT NULL,
    deleted          INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    -- A version, and when the document had it: from there on its history will be kept, once that is long enough ago.
    mark_version     BLOB,
    mark_at          INTEGER,
    PRIMARY KEY (tenant, entity, row_id)
) WITHOUT ROWID;
CREATE INDEX corella_rows_entity ON corella_rows (entity);
-- The rows whose lines in the app's table are to be written a little later: recovery at start reads them.
CREATE INDEX corella_rows_late ON corella_rows (entity) WHERE projected_seq < head_seq;

-- The last snapshot of each document that has one.
CREATE TABLE corella_snapshots (
    tenant   TEXT NOT NULL,
    entity   TEXT NOT NULL,
    row_id   TEXT NOT NULL,
    snapshot BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE UNIQUE INDEX corella_snapshots_row ON corella_snapshots (tenant, entity, row_id);

-- What was written to each document since its snapshot.
CREATE TABLE corella_tail (
    tenant   TEXT NOT NULL,
    entity   TEXT NOT NULL,
    row_id   TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    delta    BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    author   TEXT,
    at       INTEGER NOT NULL,
    PRIMARY KEY (tenant, entity, row_id, seq)
) WITHOUT ROWID;

-- Every change in the order in which it was committed; `at` is in microseconds since 1970.
CREATE TABLE corella_changes (
    seq    INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    entity TEXT NOT NULL,
    row_id TEXT NOT NULL,
    kind   TEXT NOT NULL,
    at     INTEGER NOT NULL
);

-- The answers to requests that named an idempotency key.
CREATE TABLE corella_outcomes (
    tenant  TEXT NOT NULL,
    author  TEXT NOT NULL,
    key     TEXT NOT NULL,
    request BLOB NOT NULL,
    seq     INTEGER NOT NULL,
    answer  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (tenant, author, key)
) WITHOUT ROWID;
CREATE INDEX corella_outcomes_at ON corella_outcomes (at);
