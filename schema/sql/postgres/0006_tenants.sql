-- Tenants below the server. Whoever answers callers becomes the role corella_tenant for that transaction and names the
-- tenants whose rows it may touch in the setting corella.tenants, as an array: whatever its statements say, it sees no
-- others and writes no others. The owner of the tables sees all while it names none, as maintenance has to.

-- The tenants that the transaction has named; nothing where it has named none.
CREATE FUNCTION corella_tenants() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('corella.tenants', true), '')::text[] $$;

-- Puts every table with tenants under the rule, and lets the role use it; tables that are under it stay as they are.
-- Names of tables come with their quotes from regclass.
CREATE FUNCTION corella_secure() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    has_role boolean := EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'corella_tenant');
    line     record;
    named    text;
BEGIN
    IF has_role AND NOT has_schema_privilege('corella_tenant', current_schema(), 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO corella_tenant', current_schema());
    END IF;
    FOR line IN
        SELECT class.oid::regclass AS name, column_.attname AS tenant, pg_get_userbyid(class.relowner) AS owner,
               EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = class.oid AND polname = 'corella_keeping') AS is_kept,
               EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = class.oid AND polname = 'corella_serving') AS is_served
        FROM pg_class AS class
        JOIN pg_attribute AS column_ ON column_.attrelid = class.oid AND NOT column_.attisdropped
        WHERE class.relnamespace = current_schema()::regnamespace AND class.relkind = 'r'
          AND (column_.attname = 'corella_tenant' OR (column_.attname = 'tenant' AND class.relname LIKE 'corella\_%'))
    LOOP
        -- Asked once for each statement, not for each row.
        named := '(SELECT corella_tenants())::text[]';
        IF NOT line.is_kept THEN
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', line.name);
            EXECUTE format(
                'CREATE POLICY corella_keeping ON %1$s TO %4$I USING (%3$s IS NULL OR %2$I = ANY (%3$s))',
                line.name, line.tenant, named, line.owner);
        END IF;
        IF has_role AND NOT line.is_served THEN
            EXECUTE format(
                'CREATE POLICY corella_serving ON %1$s TO corella_tenant USING (%2$I = ANY (%3$s))',
                line.name, line.tenant, named);
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO corella_tenant', line.name);
        END IF;
    END LOOP;
END $$;

-- Where the database's user may not make roles, somebody who may can do so later; until then the owner is bound by what
-- it names itself.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'corella_tenant') THEN
        CREATE ROLE corella_tenant NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        GRANT corella_tenant TO CURRENT_USER;
    END IF;
EXCEPTION
    WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL;
END $$;

SELECT corella_secure();
