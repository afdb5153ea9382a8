-- Bytes that a repair replaced: nothing that was stored is ever destroyed. `piece` is snapshot, delta or line (of an
-- app's table, as JSON); `what` says why it was replaced.
CREATE TABLE corella_damaged (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant   text COLLATE "C" NOT NULL,
    entity   text COLLATE "C" NOT NULL,
    row_id   text COLLATE "C" NOT NULL,
    piece    text NOT NULL,
    seq      bigint NOT NULL,
    bytes    bytea NOT NULL,
    checksum bigint NOT NULL,
    what     text NOT NULL,
    at       timestamptz NOT NULL
);
CREATE INDEX corella_damaged_row ON corella_damaged (tenant, entity, row_id);
