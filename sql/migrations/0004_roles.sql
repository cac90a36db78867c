-- Two group roles for shared servers; people and programs get them by GRANT. Roles belong to the whole server, so they may
-- exist already, or the owner of this database may not be allowed to make them: then this step leaves them out, and an
-- administrator can run it by hand later. Limits set on a group role do not reach its members' sessions; docs/sql.md says
-- how to set them for a login.
DO $$
DECLARE
    may_create boolean := (SELECT rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user);
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['acsweep_coordinator', 'acsweep_analyst'] LOOP
        IF may_create AND to_regrole(wanted) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of this server made it just now
            END;
        END IF;
    END LOOP;

    IF to_regrole('acsweep_coordinator') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA acsweep TO acsweep_coordinator;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA acsweep TO acsweep_coordinator;
        REVOKE INSERT, UPDATE, DELETE ON acsweep.schema_migration FROM acsweep_coordinator;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA acsweep TO acsweep_coordinator;
        ALTER DEFAULT PRIVILEGES IN SCHEMA acsweep GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO acsweep_coordinator;
        ALTER DEFAULT PRIVILEGES IN SCHEMA acsweep GRANT USAGE ON SEQUENCES TO acsweep_coordinator;
    END IF;

    IF to_regrole('acsweep_analyst') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA acsweep TO acsweep_analyst;
        GRANT SELECT ON ALL TABLES IN SCHEMA acsweep TO acsweep_analyst;
        REVOKE ALL ON acsweep.worker_key FROM acsweep_analyst; -- who may join is not an analyst's business
        ALTER DEFAULT PRIVILEGES IN SCHEMA acsweep GRANT SELECT ON TABLES TO acsweep_analyst;
        IF may_create THEN
            ALTER ROLE acsweep_analyst SET default_transaction_read_only = on;
            ALTER ROLE acsweep_analyst SET statement_timeout = '60s';
            ALTER ROLE acsweep_analyst SET idle_in_transaction_session_timeout = '60s';
            ALTER ROLE acsweep_analyst SET search_path = acsweep;
        END IF;
    END IF;
END $$;
