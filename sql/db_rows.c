/* The rows of a finished statement: typed getters over a PGresult. */
#include <math.h>
#include <string.h>

#include "sql/db_internal.h"

struct db_rows *db_rows_wrap(PGresult *res, struct err *e)
{
    struct db_rows *r = calloc(1, sizeof *r);
    if (!r) {
        PQclear(res);
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    }
    r->res = res;
    return r;
}

void db_rows_free(struct db_rows *r)
{
    if (!r)
        return;
    PQclear(r->res);
    free(r->decoded);
    free(r);
}

int64_t db_rows_count(const struct db_rows *r)
{
    return r ? PQntuples(r->res) : 0;
}

int db_rows_columns(const struct db_rows *r)
{
    return r ? PQnfields(r->res) : 0;
}

const char *db_rows_name(const struct db_rows *r, int col)
{
    const char *name = r ? PQfname(r->res, col) : NULL;
    return name ? name : "";
}

int db_rows_column(const struct db_rows *r, const char *name)
{
    /* Not PQfnumber: it folds case and reads quotes. */
    for (int i = 0; i < db_rows_columns(r); i++)
        if (strcmp(PQfname(r->res, i), name) == 0)
            return i;
    return -1;
}

int64_t db_result_count(const PGresult *res)
{
    if (PQresultStatus(res) == PGRES_TUPLES_OK)
        return PQntuples(res);
    return strtoll(PQcmdTuples((PGresult *)res), NULL, 10); /* "" (no count) is 0 */
}

enum db_type db_rows_type(const struct db_rows *r, int col)
{
    /* Numbers from PostgreSQL's pg_type.dat; they never change. */
    switch (r ? PQftype(r->res, col) : 0) {
    case 20: /* int8 */
    case 21: /* int2 */
    case 23: /* int4 */
    case 26: /* oid */
        return DB_TYPE_INTEGER;
    case 700:  /* float4 */
    case 701:  /* float8 */
    case 1700: /* numeric */
        return DB_TYPE_REAL;
    case 16:
        return DB_TYPE_BOOL;
    case 114:  /* json */
    case 3802: /* jsonb */
        return DB_TYPE_JSON;
    default:
        return DB_TYPE_TEXT;
    }
}

int64_t db_rows_affected(const struct db_rows *r)
{
    return r ? strtoll(PQcmdTuples(r->res), NULL, 10) : 0;
}

static bool in_range(const struct db_rows *r, int64_t row, int col)
{
    return r && row >= 0 && row < PQntuples(r->res) && col >= 0 && col < PQnfields(r->res);
}

bool db_is_null(const struct db_rows *r, int64_t row, int col)
{
    return !in_range(r, row, col) || PQgetisnull(r->res, (int)row, col);
}

const char *db_text(const struct db_rows *r, int64_t row, int col)
{
    return db_is_null(r, row, col) ? "" : PQgetvalue(r->res, (int)row, col);
}

int64_t db_i64(const struct db_rows *r, int64_t row, int col)
{
    return strtoll(db_text(r, row, col), NULL, 10);
}

double db_f64(const struct db_rows *r, int64_t row, int col)
{
    return db_is_null(r, row, col) ? NAN : strtod(db_text(r, row, col), NULL);
}

bool db_bool(const struct db_rows *r, int64_t row, int col)
{
    return db_text(r, row, col)[0] == 't';
}

static int nibble(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

const void *db_bytes(const struct db_rows *r, int64_t row, int col, size_t *len)
{
    *len = 0;
    if (db_is_null(r, row, col))
        return NULL;
    /* The field is "\x" and two digits a byte (bytea_output is set to hex at connect). libpq owns the memory and lets us
     * write there; what is decoded is remembered, because a second decode would read bytes as digits. */
    struct db_rows *w = (struct db_rows *)r;
    int columns = PQnfields(r->res);
    if (!w->decoded)
        w->decoded = calloc((size_t)PQntuples(r->res) * (size_t)columns, sizeof *w->decoded);
    if (!w->decoded)
        return NULL;
    char *text = PQgetvalue(r->res, (int)row, col);
    int text_len = PQgetlength(r->res, (int)row, col);
    size_t n = text_len >= 2 ? (size_t)(text_len - 2) / 2 : 0;
    bool *done = &w->decoded[row * columns + col];
    if (!*done) {
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(nibble(text[2 + 2 * i]) << 4 | nibble(text[3 + 2 * i]));
        *done = true;
    }
    *len = n;
    return text;
}
