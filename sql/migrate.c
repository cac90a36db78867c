/* Applying the numbered migrations.
 *
 * An advisory lock of its own (not the leader's) keeps two programs from migrating at once; each step is one transaction
 * together with its record, so a crash leaves either the old version or the new one. The checksum of every applied step is
 * compared on each run: an edited file means that this database and a fresh one would differ, and nobody would know. */
#include "sql/migrate.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "sql/db_internal.h"

static const char bookkeeping[] =
    "CREATE SCHEMA IF NOT EXISTS acsweep;"
    "CREATE TABLE IF NOT EXISTS acsweep.schema_migration ("
    "    version    int PRIMARY KEY,"
    "    name       text NOT NULL,"
    "    checksum   text NOT NULL,"
    "    applied_at timestamptz NOT NULL DEFAULT now())";

int migrate_latest(void)
{
    return (int)sql_migrations_count;
}

static void checksum_of(const char *text, char hex[2 * crypto_hash_sha256_BYTES + 1])
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(sum, (const unsigned char *)text, strlen(text));
    sodium_bin2hex(hex, 2 * sizeof sum + 1, sum, sizeof sum);
}

int migrate_current(struct db *d, int *version, struct err *e)
{
    *version = 0;
    AUTO(db_rows_free) struct db_rows *found = NULL;
    TRY(db_query(d, "SELECT pg_catalog.to_regclass('acsweep.schema_migration') IS NOT NULL", NULL, 0, &found, e));
    if (!db_bool(found, 0, 0))
        return 0;
    AUTO(db_rows_free) struct db_rows *newest = NULL;
    TRY(db_query(d, "SELECT max(version) FROM acsweep.schema_migration", NULL, 0, &newest, e));
    *version = (int)db_i64(newest, 0, 0);
    return 0;
}

static int fail_newer(int version, struct err *e)
{
    return FAIL(e, ERR_DB,
                "the database has schema version %d, this program knows up to %d: use the newer program, or another "
                "database",
                version, migrate_latest());
}

static int check_history(struct db *d, int version, struct err *e)
{
    if (version > migrate_latest())
        return fail_newer(version, e);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(d, SQL_SCHEMA_LIST, NULL, 0, version, &rows, e));
    for (int64_t i = 0; i < db_rows_count(rows); i++) {
        const struct sql_migration *m = &sql_migrations[i];
        char sum[2 * crypto_hash_sha256_BYTES + 1];
        checksum_of(m->text, sum);
        if (db_i64(rows, i, 0) != m->version)
            return FAIL(e, ERR_DB, "acsweep.schema_migration lacks version %d: the database was changed by hand",
                        m->version);
        if (strcmp(db_text(rows, i, 2), sum) != 0)
            return FAIL(e, ERR_DB,
                        "migration %s was applied to this database with another text (checksum %.12s, the program has "
                        "%.12s): use the program that made the database, or a new database",
                        m->name, db_text(rows, i, 2), sum);
    }
    return 0;
}

static int record(struct db *d, const struct sql_migration *m, struct err *e)
{
    char sum[2 * crypto_hash_sha256_BYTES + 1];
    checksum_of(m->text, sum);
    const struct sql_arg args[] = { SQL_I64(m->version), SQL_TEXT(m->name), SQL_TEXT(sum) };
    return db_exec(d, SQL_SCHEMA_RECORD, args, ARRAY_LEN(args), 1, NULL, e);
}

static int apply(struct db *d, const struct sql_migration *m, struct err *e)
{
    if (db_begin(d, e) < 0 || db_script(d, m->text, e) < 0 || record(d, m, e) < 0 || db_commit(d, e) < 0) {
        db_rollback(d);
        return err_wrap(e, "sql/migrations/%s.sql", m->name);
    }
    return 0;
}

static int run_locked(struct db *d, int *from, int *to, struct err *e)
{
    TRY(migrate_current(d, from, e));
    *to = *from;
    if (*from > migrate_latest())
        return fail_newer(*from, e);
    TRY(db_script(d, bookkeeping, e));
    TRY(check_history(d, *from, e));
    for (; *to < migrate_latest(); ++*to)
        TRY(apply(d, &sql_migrations[*to], e));
    return 0;
}

int migrate_run(struct db *d, int *from, int *to, struct err *e)
{
    int from_, to_;
    const struct sql_arg key[] = { SQL_I64(LOCK_CLASS), SQL_I64(LOCK_MIGRATE) };
    if (sodium_init() < 0)
        return FAIL(e, ERR_ENV, "libsodium does not start: no source of random numbers");
    TRY(db_query(d, "SELECT pg_catalog.pg_advisory_lock($1::int, $2::int)", key, ARRAY_LEN(key), NULL, e));
    int rc = run_locked(d, from ? from : &from_, to ? to : &to_, e);
    if (db_query(d, "SELECT pg_catalog.pg_advisory_unlock($1::int, $2::int)", key, ARRAY_LEN(key), NULL, e) < 0)
        rc = -1;
    return rc;
}

int migrate_check(struct db *d, struct err *e)
{
    int version;
    TRY(migrate_current(d, &version, e));
    if (version > migrate_latest())
        return fail_newer(version, e);
    if (version < migrate_latest())
        return FAIL(e, ERR_DB, "the database has schema version %d, this program needs %d: run `acsweep db migrate`",
                    version, migrate_latest());
    return 0;
}
