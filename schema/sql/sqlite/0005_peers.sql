-- Whose the peer ids are under which clients write: their first user's, who alone may bring new operations of them. A peer
-- id has 64 bits; it is kept as the signed number of the same bits.
CREATE TABLE corella_peer_owners (
    tenant TEXT NOT NULL,
    peer   INTEGER NOT NULL,
    owner  TEXT NOT NULL,
    PRIMARY KEY (tenant, peer)
) WITHOUT ROWID;
