-- Who changed what, when, and how far the document had come then. `about` is JSON (docs/formats.md); `ends` is a part
-- of a version vector: the peers whose operations the change brought, each with how many there were then.
ALTER TABLE corella_tail ADD COLUMN about TEXT;
ALTER TABLE corella_tail ADD COLUMN ends BLOB;

-- The same of the changes that a snapshot has swallowed. Where `whole` is set, `ends` is the whole version.
CREATE TABLE corella_history (
    tenant TEXT NOT NULL,
    entity TEXT NOT NULL,
    row_id TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    author TEXT,
    at     INTEGER NOT NULL,
    about  TEXT,
    ends   BLOB NOT NULL,
    whole  INTEGER NOT NULL,
    PRIMARY KEY (tenant, entity, row_id, seq)
) WITHOUT ROWID;
