-- The tables that Corella keeps beside the app's own, one per entity. Texts are compared by their bytes.

-- Single facts about this database: its epoch, the version of these tables.
CREATE TABLE corella_meta (
    name  text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

-- The peer ids under which servers write. A server that stops in good order leaves its own to the next one; that of
-- a server that was killed is never used again, because nobody can know whether it lives.
CREATE TABLE corella_peers (
    peer      bigint PRIMARY KEY,
    free      boolean NOT NULL,
    leased_at timestamptz NOT NULL
);

-- The app's tables as they were last built; a stale one is being filled again from its documents.
CREATE TABLE corella_tables (
    entity  text COLLATE "C" PRIMARY KEY,
    columns text NOT NULL,
    indexes text NOT NULL,
    stale   boolean NOT NULL
);

-- One line per row: where its document stands. The document's bytes lie elsewhere, so that a write does not
-- rewrite them. Room is left in each page, so that a new head finds its place beside the old one.
CREATE TABLE corella_rows (
    tenant           text COLLATE "C" NOT NULL,
    entity           text COLLATE "C" NOT NULL,
    row_id           text COLLATE "C" NOT NULL,
    head_seq         bigint NOT NULL,
    head_version     bytea NOT NULL,
    snapshot_seq     bigint NOT NULL,
    snapshot_version bytea NOT NULL,
    projected_seq    bigint NOT NULL,
    deleted          boolean NOT NULL,
    created_at       timestamptz NOT NULL,
    -- A version, and when the document had it: from there on its history will be kept, once that is long enough ago.
    mark_version     bytea,
    mark_at          timestamptz,
    PRIMARY KEY (tenant, entity, row_id)
) WITH (fillfactor = 70);
CREATE INDEX corella_rows_entity ON corella_rows (entity, tenant, row_id);

-- The last snapshot of each document that has one.
CREATE TABLE corella_snapshots (
    tenant   text COLLATE "C" NOT NULL,
    entity   text COLLATE "C" NOT NULL,
    row_id   text COLLATE "C" NOT NULL,
    snapshot bytea NOT NULL,
    checksum bigint NOT NULL,
    PRIMARY KEY (tenant, entity, row_id)
);
-- Loro compresses snapshots itself.
ALTER TABLE corella_snapshots ALTER COLUMN snapshot SET STORAGE EXTERNAL;

-- What was written to each document since its snapshot, and for a moment what the snapshot has as well: other servers
-- may not have read it yet.
CREATE TABLE corella_tail (
    tenant   text COLLATE "C" NOT NULL,
    entity   text COLLATE "C" NOT NULL,
    row_id   text COLLATE "C" NOT NULL,
    seq      bigint NOT NULL,
    delta    bytea NOT NULL,
    checksum bigint NOT NULL,
    author   text,
    at       timestamptz NOT NULL,
    PRIMARY KEY (tenant, entity, row_id, seq)
);

-- Every change in the order in which it was committed, without gaps.
CREATE TABLE corella_changes (
    seq    bigint PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    entity text COLLATE "C" NOT NULL,
    row_id text COLLATE "C" NOT NULL,
    kind   text NOT NULL,
    at     timestamptz NOT NULL
);

-- The answers to requests that named an idempotency key.
CREATE TABLE corella_outcomes (
    tenant  text COLLATE "C" NOT NULL,
    author  text COLLATE "C" NOT NULL,
    key     text COLLATE "C" NOT NULL,
    request bytea NOT NULL,
    seq     bigint NOT NULL,
    answer  text NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (tenant, author, key)
);
CREATE INDEX corella_outcomes_at ON corella_outcomes (at);
