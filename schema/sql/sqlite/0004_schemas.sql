-- Every schema that the database was brought to, the present one with the highest number. `record` is a manifest without
-- what leaves rows alone: the next manifest is compared with it, and clients that were made for an older one name it by its
-- fingerprint.
CREATE TABLE corella_schemas (
    fingerprint TEXT PRIMARY KEY,
    record      TEXT NOT NULL,
    number      INTEGER NOT NULL
) WITHOUT ROWID;

-- Whether lines may be missing from a stale table, and not only columns of them be behind.
ALTER TABLE corella_tables ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;
UPDATE corella_tables SET missing = stale;
