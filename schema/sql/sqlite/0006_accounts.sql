-- The built-in accounts. `password` is a hash in the PHC format; an account without one signs in through the provider
-- that calls it `subject`. `roles` is a JSON list. Times are in microseconds since 1970.
CREATE TABLE corella_accounts (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    email      TEXT,
    password   TEXT,
    issuer     TEXT,
    subject    TEXT,
    roles      TEXT NOT NULL,
    admin      INTEGER NOT NULL,
    disabled   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX corella_accounts_email ON corella_accounts (tenant, email) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX corella_accounts_subject ON corella_accounts (tenant, issuer, subject) WHERE subject IS NOT NULL;

-- Who is signed in where. `chain` has the hashes of the session's last refresh tokens, none of the tokens. A session that
-- is over has no line.
CREATE TABLE corella_sessions (
    tenant       TEXT NOT NULL,
    id           TEXT NOT NULL,
    account      TEXT NOT NULL,
    label        TEXT NOT NULL,
    chain        BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    granted_to   INTEGER NOT NULL,
    ends_at      INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX corella_sessions_account ON corella_sessions (tenant, account);
CREATE INDEX corella_sessions_end ON corella_sessions (ends_at);

-- Whose access has changed, in order and without gaps: servers read on and ask again. The last line always stays.
CREATE TABLE corella_access_changes (
    number  INTEGER PRIMARY KEY,
    tenant  TEXT NOT NULL,
    account TEXT NOT NULL,
    at      INTEGER NOT NULL
);
