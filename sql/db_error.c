/* SQLSTATE -> error kind, in one table, and error texts without passwords. */
#include <stdio.h>
#include <string.h>

#include "sql/db_internal.h"

/* What a caller does about an error. */
enum verdict {
    RETRY,   /* ERR_DB_RETRY: the same work may succeed on this or a new connection */
    REFUSED, /* ERR_DB: trying again will not help until somebody changes something */
    MISTAKE, /* the statement itself is wrong: ERR_BUG for ours, ERR_INPUT for a user's */
};

/* A code of five characters stands before its class of two. `remedy` is for people. */
static const struct sqlstate_rule {
    const char *code;
    enum verdict verdict;
    const char *remedy;
} sqlstate_rules[] = {
    { "40001", RETRY, NULL },  /* serialization_failure */
    { "40P01", RETRY, NULL },  /* deadlock_detected */
    { "55P03", RETRY, "another session holds the lock" },
    { "57P01", RETRY, "the server was told to end this connection" },
    { "57P02", RETRY, "the server crashed and recovers" },
    { "57P03", RETRY, "the server is starting or stopping" },
    { "57P05", RETRY, "the connection was idle for too long" },
    { "25P03", RETRY, "a transaction was left open for too long" },
    { "08", RETRY, NULL },     /* connection exceptions */
    { "53100", RETRY, "free disk space on the database server" },
    { "53300", RETRY, "raise max_connections or close other clients" },
    { "53", RETRY, "the database server is short of resources" },
    { "58030", RETRY, "the database server cannot read or write its files" },
    { "57014", REFUSED, "the statement took longer than its limit" },
    { "25006", REFUSED, "this connection may only read" },
    { "42501", REFUSED, "ask the database owner for the right, or use the coordinator's role" },
    { "42704", MISTAKE, NULL },
    { "3D000", REFUSED, "create the database, or name another" },
    { "28", REFUSED, "check user, password and pg_hba.conf" },
    { "22", REFUSED, NULL },   /* data: out of range, bad encoding */
    { "23", REFUSED, NULL },   /* constraint violated */
    { "P0", REFUSED, NULL },   /* raised by our own SQL */
    { "42", MISTAKE, NULL },   /* syntax, unknown table or column */
    { "0A", MISTAKE, NULL },
    { "25", MISTAKE, NULL },   /* transaction state */
    { "26", MISTAKE, NULL },   /* unknown prepared statement */
    { "34", MISTAKE, NULL },
    { "XX", REFUSED, "the database server reports damage; look into its log" },
};

static const struct sqlstate_rule *find_rule(const char *state)
{
    static const struct sqlstate_rule other = { "", REFUSED, NULL };
    for (size_t i = 0; i < ARRAY_LEN(sqlstate_rules); i++)
        if (strncmp(state, sqlstate_rules[i].code, strlen(sqlstate_rules[i].code)) == 0)
            return &sqlstate_rules[i];
    return &other;
}

static void blank(char *from, const char *to)
{
    if (to - from >= 3) {
        memset(from, '*', 3);
        memmove(from + 3, to, strlen(to) + 1);
    } else {
        memset(from, '*', (size_t)(to - from));
    }
}

void db_scrub(char *text, const char *secret)
{
    if (secret && *secret)
        for (char *p = text; (p = strstr(p, secret)); p++)
            blank(p, p + strlen(secret));
    for (char *p = text; (p = strcasestr(p, "password"));) {
        p += strlen("password");
        char *value = p + strspn(p, " \t");
        if (*value != '=')
            continue;
        value += 1 + strspn(value + 1, " \t");
        if (*value == '\'') {
            char *end = value + 1;
            while (*end && *end != '\'')
                end += *end == '\\' && end[1] ? 2 : 1;
            blank(value + 1, end);
        } else {
            blank(value, value + strcspn(value, " \t\n&\"'"));
        }
    }
    for (char *p = text; (p = strstr(p, "//"));) {
        p += 2;
        char *at = p + strcspn(p, "@ \t\n\"");
        char *colon = memchr(p, ':', (size_t)(at - p));
        if (*at == '@' && colon)
            blank(colon + 1, at);
    }
}

/* First line only: libpq's messages end in a newline and may carry a CONTEXT of pages. */
static void first_line(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
}

static int fail_lost(struct db *d, const char *message, const char *what, struct err *e)
{
    char line[512];
    first_line(line, sizeof line, message);
    db_scrub(line, PQpass(d->pg));
    return FAIL(e, ERR_DB_RETRY, "%s: the connection to PostgreSQL is lost (%s)", what, line[0] ? line : "closed");
}

int db_fail(struct db *d, const PGresult *res, enum db_text_owner own, const char *what, struct err *e)
{
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    if (!state) {
        if (PQstatus(d->pg) == CONNECTION_BAD || !res)
            return fail_lost(d, PQerrorMessage(d->pg), what, e);
        /* Errors without a code are libpq's own. In a pipeline the result comes before the connection counts as bad. */
        if (PQresultStatus(res) == PGRES_FATAL_ERROR)
            return fail_lost(d, PQresultErrorMessage(res), what, e);
        char line[512];
        first_line(line, sizeof line, PQresultErrorMessage(res));
        return FAIL(e, ERR_BUG, "%s: %s", what, line[0] ? line : "unexpected result");
    }
    const struct sqlstate_rule *rule = find_rule(state);
    static const enum err_kind kinds[] = { [RETRY] = ERR_DB_RETRY, [REFUSED] = ERR_DB, [MISTAKE] = ERR_BUG };
    enum err_kind kind = kinds[rule->verdict];
    if (kind == ERR_BUG && own == TEXT_USERS)
        kind = ERR_INPUT;
    const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
    char text[900];
    snprintf(text, sizeof text, "%s%s%s%s%s%s%s [SQLSTATE %s]", primary ? primary : "unknown error",
             detail ? "; " : "", detail ? detail : "", hint ? "; " : "", hint ? hint : "", rule->remedy ? ": " : "",
             rule->remedy ? rule->remedy : "", state);
    db_scrub(text, PQpass(d->pg));
    return FAIL(e, kind, "%s: %s", what, text);
}
