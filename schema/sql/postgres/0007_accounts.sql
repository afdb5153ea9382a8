-- The built-in accounts. `password` is a hash in the PHC format; an account without one signs in through the provider
-- that calls it `subject`. `roles` is a JSON list.
CREATE TABLE corella_accounts (
    tenant     text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    email      text COLLATE "C",
    password   text,
    issuer     text COLLATE "C",
    subject    text COLLATE "C",
    roles      text NOT NULL,
    admin      boolean NOT NULL,
    disabled   boolean NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX corella_accounts_email ON corella_accounts (tenant, email) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX corella_accounts_subject ON corella_accounts (tenant, issuer, subject) WHERE subject IS NOT NULL;

-- Who is signed in where. `chain` has the hashes of the session's last refresh tokens, none of the tokens. A session that
-- is over has no line.
CREATE TABLE corella_sessions (
    tenant       text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    account      text COLLATE "C" NOT NULL,
    label        text NOT NULL,
    chain        bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    granted_to   timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX corella_sessions_account ON corella_sessions (tenant, account);
CREATE INDEX corella_sessions_end ON corella_sessions (ends_at);

-- Whose access has changed, in order and without gaps: servers read on and ask again. The last line always stays.
CREATE TABLE corella_access_changes (
    number  bigint PRIMARY KEY,
    tenant  text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL
);

-- The role that answers callers has no business with accounts: it is bound to tenants like everywhere, and besides may
-- not touch these tables at all.
CREATE FUNCTION corella_secure_accounts() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'corella_tenant'
               AND (has_table_privilege(oid, 'corella_accounts', 'SELECT')
                    OR has_table_privilege(oid, 'corella_sessions', 'SELECT')
                    OR has_table_privilege(oid, 'corella_access_changes', 'SELECT'))) THEN
        REVOKE ALL ON corella_accounts, corella_sessions, corella_access_changes FROM corella_tenant;
    END IF;
END $$;

SELECT corella_secure();
SELECT corella_secure_accounts();
