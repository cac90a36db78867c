/* acsweep keys: whose public keys may connect. The table worker_key is the truth; a coordinator takes changes over
 * while it runs. Public keys only; this program never sees a secret one here. */
#include "cli/commands.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/output.h"
#include "common/keys.h"
#include "sql/cluster.h"
#include "sql/db.h"
#include "sql/migrate.h"

struct key_store {
    struct cluster *cluster; /* the private one, or NULL with --database */
    struct db *db;
};

static void key_store_close_cleanup(struct key_store *s)
{
    db_close(s->db);
    cluster_stop(s->cluster);
}

/* Attach to the private cluster of --state, but do not make one where there is none. */
static int start_private(const char *state, struct cluster **out, struct err *e)
{
    struct stat st;
    bool there = stat(state, &st) == 0;
    AUTO(free) char *home = there ? cluster_state_dir(state, e) : NULL; /* which would make it */
    if (there && !home)
        return -1;
    char version[PATH_MAX];
    snprintf(version, sizeof version, "%s/postgres/PG_VERSION", there ? home : state);
    if (stat(version, &st) < 0 && errno == ENOENT)
        return FAIL(e, ERR_INPUT,
                    "no database in %s yet; start a coordinator there first, or name another directory with "
                    "--state or a server with --database",
                    state);
    *out = cluster_start(home, e);
    return *out ? 0 : -1;
}

static int key_store_open(const struct opts *o, enum db_role role, struct key_store *s, struct err *e)
{
    const char *conninfo = opts_text(o, "database");
    if (!conninfo) {
        TRY(start_private(opts_text(o, "state"), &s->cluster, e));
        conninfo = cluster_conninfo(s->cluster);
    }
    s->db = db_open(conninfo, role, e);
    return s->db ? migrate_check(s->db, e) : -1;
}

/* ---- allow ------------------------------------------------------------------------------------------------------- */

/* The file's name without directory and ".pub": "keys/node7.pub" -> "node7". */
static void name_of(const char *path, char name[NAME_MAX + 1])
{
    const char *base = strrchr(path, '/');
    snprintf(name, NAME_MAX + 1, "%s", base ? base + 1 : path);
    char *suffix = strrchr(name, '.');
    if (suffix && suffix != name && strcmp(suffix, ".pub") == 0)
        *suffix = '\0';
}

static int run_allow(const struct opts *o, struct err *e)
{
    const char *file = opts_arg(o, 0);
    char key[KEY_TEXT_SIZE], from_file[NAME_MAX + 1];
    name_of(file, from_file);
    const char *name = opts_text(o, "name") ? opts_text(o, "name") : from_file;
    TRY(key_read_public(file, key, e));
    AUTO(key_store_close) struct key_store s = { 0 };
    TRY(key_store_open(o, DB_ADMIN, &s, e));
    const struct sql_arg args[] = { SQL_TEXT(key), SQL_TEXT(name), SQL_TEXT(opts_text(o, "role")) };
    TRY(db_exec(s.db, SQL_WORKER_KEY_ALLOW, args, ARRAY_LEN(args), 1, NULL, e));
    printf("%s may connect as %s\n", name, opts_text(o, "role"));
    return 0;
}

static const struct opt allow_options[] = {
    { .name = "name", .letter = 'n', .type = OPT_TEXT, .value = "NAME", .help = "what to call it (the file's name)" },
    { .name = "role",
      .letter = 'r',
      .type = OPT_CHOICE,
      .value = "ROLE",
      .choices = "worker|control",
      .fallback = "worker",
      .help = "worker: takes tasks; control: submits, cancels, drains" },
    { 0 },
};
static const struct cmd cmd_keys_allow = {
    .name = "allow",
    .summary = "Let the owner of a public key connect",
    .args = "FILE.pub",
    .options = { allow_options, cli_state_options, cli_database_options },
    .details = "FILE.pub is what 'acsweep keygen' wrote. A key that was revoked is let in again.",
    .run = run_allow,
};

/* ---- revoke ------------------------------------------------------------------------------------------------------ */

static int run_revoke(const struct opts *o, struct err *e)
{
    const char *which = opts_arg(o, 0);
    AUTO(key_store_close) struct key_store s = { 0 };
    TRY(key_store_open(o, DB_ADMIN, &s, e));
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg args[] = { SQL_TEXT(which) };
    TRY(db_exec(s.db, SQL_WORKER_KEY_REVOKE, args, ARRAY_LEN(args), ROWS_ANY, &rows, e));
    if (db_rows_affected(rows) == 0)
        return FAIL(e, ERR_INPUT, "no key in force is called '%s'; see: acsweep keys list", which);
    printf("revoked: %lld\n", (long long)db_rows_affected(rows));
    return 0;
}

static const struct cmd cmd_keys_revoke = {
    .name = "revoke",
    .summary = "Keep the owner of a public key out from now on",
    .args = "NAME",
    .options = { cli_state_options, cli_database_options },
    .details = "NAME is the key's name, or the public key itself. What it was doing is given to others.",
    .run = run_revoke,
};

/* ---- list -------------------------------------------------------------------------------------------------------- */

enum { COLUMNS = 5 };
static const char *const columns[COLUMNS] = { "public_key", "name", "role", "created", "revoked" };

static int print_json(const struct db_rows *rows, struct err *e)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < db_rows_count(rows); i++) {
        json_t *key = json_object();
        for (int c = 0; c < COLUMNS; c++)
            json_object_set_new(key, columns[c],
                                db_is_null(rows, i, c) ? json_null() : json_string(db_text(rows, i, c)));
        json_array_append_new(list, key);
    }
    return out_json(list, e);
}

static int print_table(const struct db_rows *rows, struct err *e)
{
    AUTO(table_free) struct table *t = table_create(columns, COLUMNS, e);
    if (!t)
        return -1;
    for (int64_t i = 0; i < db_rows_count(rows); i++) {
        const char *cells[COLUMNS];
        for (int c = 0; c < COLUMNS; c++)
            cells[c] = db_is_null(rows, i, c) ? NULL : db_text(rows, i, c);
        TRY(table_add(t, cells, e));
    }
    table_print(t, stdout);
    return 0;
}

static int run_list(const struct opts *o, struct err *e)
{
    AUTO(key_store_close) struct key_store s = { 0 };
    TRY(key_store_open(o, DB_READER, &s, e));
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(s.db, SQL_WORKER_KEY_SHOW, NULL, 0, ROWS_ANY, &rows, e));
    return opts_flag(o, "json") ? print_json(rows, e) : print_table(rows, e);
}

static const struct cmd cmd_keys_list = {
    .name = "list",
    .summary = "Show which public keys may connect, and which were revoked",
    .options = { cli_json_options, cli_state_options, cli_database_options },
    .run = run_list,
};

const struct cmd cmd_keys = {
    .name = "keys",
    .summary = "Say whose public keys may connect to the coordinator",
    .sub = (const struct cmd *const[]){ &cmd_keys_allow, &cmd_keys_revoke, &cmd_keys_list, NULL },
};
