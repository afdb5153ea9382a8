-- Bytes that a repair replaced: nothing that was stored is ever destroyed. `piece` is snapshot, delta or line (of an
-- app's table, as JSON); `what` says why it was replaced.
CREATE TABLE corella_damaged (
    number   INTEGER PRIMARY KEY,
    tenant   TEXT NOT NULL,
    entity   TEXT NOT NULL,
    row_id   TEXT NOT NULL,
    piece    TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    bytes    BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    what     TEXT NOT NULL,
    at       INTEGER NOT NULL
);
CREATE INDEX corella_damaged_row ON corella_damaged (tenant, entity, row_id);
