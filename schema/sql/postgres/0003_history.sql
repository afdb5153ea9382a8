-- Who changed what, when, and how far the document had come then. `about` is JSON (docs/formats.md); `ends` is a part
-- of a version vector: the peers whose operations the change brought, each with how many there were then.
ALTER TABLE corella_tail ADD COLUMN about text;
ALTER TABLE corella_tail ADD COLUMN ends bytea;

-- The same of the changes that a snapshot has swallowed. Where `whole` is set, `ends` is the whole version.
CREATE TABLE corella_history (
    tenant text COLLATE "C" NOT NULL,
    entity text COLLATE "C" NOT NULL,
    row_id text COLLATE "C" NOT NULL,
    seq    bigint NOT NULL,
    author text,
    at     timestamptz NOT NULL,
    about  text,
    ends   bytea NOT NULL,
    whole  boolean NOT NULL,
    PRIMARY KEY (tenant, entity, row_id, seq)
);
