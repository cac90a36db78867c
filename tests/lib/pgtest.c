/* A throw-away PostgreSQL for test programs, made by the product's own sql/cluster.c. */
#include "tests/lib/pgtest.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sql/cluster.h"
#include "sql/migrate.h"

#define MAX_DATABASES 32

struct pgtest {
    char dir[64];
    struct cluster *cluster;
    char *conninfos[MAX_DATABASES];
    size_t n;
    bool has_model; /* a migrated database that others are copies of */
};

static _Noreturn void give_up(const char *what, const struct err *e)
{
    fprintf(stderr, "pgtest: %s: %s\n", what, e->text);
    abort();
}

/* Nobody pulls the plug on a test, and the disk may be slow. */
static void trust_the_machine(struct pgtest *t)
{
    AUTO(db_close) struct db *d = pgtest_open(pgtest_conninfo(t), DB_ADMIN);
    pgtest_script(d, "ALTER SYSTEM SET fsync = off");
    pgtest_script(d, "SELECT pg_reload_conf()");
}

struct pgtest *pgtest_start(void)
{
    struct pgtest *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    /* Not TMPDIR: the server's user must be able to reach it. */
    snprintf(t->dir, sizeof t->dir, "/tmp/acsweep-test-XXXXXX");
    struct err e = { 0 };
    if (!mkdtemp(t->dir) || chmod(t->dir, 0711) < 0) {
        perror(t->dir);
        free(t);
        return NULL;
    }
    t->cluster = cluster_start(t->dir, &e);
    if (!t->cluster) {
        fprintf(stderr, "pgtest: %s\n", e.text);
        pgtest_stop(t);
        return NULL;
    }
    trust_the_machine(t);
    return t;
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *at)
{
    (void)st, (void)what, (void)at;
    return remove(path);
}

void pgtest_stop(struct pgtest *t)
{
    if (!t)
        return;
    cluster_stop(t->cluster);
    nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < t->n; i++)
        free(t->conninfos[i]);
    free(t);
}

const char *pgtest_dir(const struct pgtest *t)
{
    return t->dir;
}

const char *pgtest_conninfo(const struct pgtest *t)
{
    return cluster_conninfo(t->cluster);
}

static char *conninfo_of(const struct pgtest *t, const char *name)
{
    char *conninfo = NULL;
    if (asprintf(&conninfo, "%s dbname=%s", pgtest_conninfo(t), name) < 0)
        abort();
    return conninfo;
}

static void make_model(struct pgtest *t, struct db *maker)
{
    struct err e = { 0 };
    pgtest_script(maker, "CREATE DATABASE pgtest_model");
    AUTO(free) char *conninfo = conninfo_of(t, "pgtest_model");
    AUTO(db_close) struct db *d = pgtest_open(conninfo, DB_ADMIN);
    if (migrate_run(d, NULL, NULL, &e) < 0)
        give_up("migrate", &e);
    t->has_model = true;
}

const char *pgtest_database(struct pgtest *t, const char *name)
{
    struct err e = { 0 };
    char text[256];
    if (t->n == MAX_DATABASES)
        give_up("too many databases", &e);
    AUTO(db_close) struct db *maker = pgtest_open(pgtest_conninfo(t), DB_ADMIN);
    if (!t->has_model)
        make_model(t, maker);
    /* Files are copied at a quarter of the price; before PostgreSQL 15 they always were. */
    bool has_strategies = pgtest_number(maker, "SELECT current_setting('server_version_num')::bigint") >= 150000;
    snprintf(text, sizeof text, "CREATE DATABASE %s TEMPLATE pgtest_model%s", name,
             has_strategies ? " STRATEGY file_copy" : "");
    pgtest_script(maker, text);
    return t->conninfos[t->n++] = conninfo_of(t, name);
}

struct db *pgtest_open(const char *conninfo, enum db_role role)
{
    struct err e = { 0 };
    struct db *d = db_open(conninfo, role, &e);
    if (!d)
        give_up("connect", &e);
    return d;
}

void pgtest_script(struct db *d, const char *text)
{
    struct err e = { 0 };
    if (db_script(d, text, &e) < 0)
        give_up(text, &e);
}

int64_t pgtest_number(struct db *d, const char *query)
{
    struct err e = { 0 };
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (db_query(d, query, NULL, 0, &rows, &e) < 0)
        give_up(query, &e);
    return db_i64(rows, 0, 0);
}
