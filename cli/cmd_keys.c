/* acsweep keys: whose public keys may connect. The table worker_key is the truth; a coordinator takes changes over
 * while it runs. Public keys only; this program never sees a secret one here. */
#include "cli/commands.h"

#include <limits.h>
#include <string.h>

#include "cli/show.h"
#include "cli/state.h"
#include "common/keys.h"

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
    AUTO(reader_close) struct reader *r = reader_open(o, DB_ADMIN, e);
    if (!r)
        return -1;
    const struct sql_arg args[] = { SQL_TEXT(key), SQL_TEXT(name), SQL_TEXT(opts_text(o, "role")) };
    TRY(db_exec(reader_db(r), SQL_WORKER_KEY_ALLOW, args, ARRAY_LEN(args), 1, NULL, e));
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
    AUTO(reader_close) struct reader *r = reader_open(o, DB_ADMIN, e);
    if (!r)
        return -1;
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg args[] = { SQL_TEXT(which) };
    TRY(db_exec(reader_db(r), SQL_WORKER_KEY_REVOKE, args, ARRAY_LEN(args), ROWS_ANY, &rows, e));
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

static int run_list(const struct opts *o, struct err *e)
{
    AUTO(reader_close) struct reader *r = reader_open(o, DB_READER, e);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!r)
        return -1;
    TRY(db_exec(reader_db(r), SQL_WORKER_KEY_SHOW, NULL, 0, ROWS_ANY, &rows, e));
    return opts_flag(o, "json") ? show_rows_json(rows, e)
                                : show_rows(rows, "No key may connect yet; 'acsweep keys allow FILE.pub' adds one.", e);
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
