/* Config files (libconfig syntax) through tables: one row per key holds its place in a struct, type, default, range and
 * description, so that reading, checking, printing and the commented examples cannot drift apart.
 *
 *     struct net { struct conf_text host; int64_t port; int line; };
 *     static const struct conf_key net_keys[] = {
 *         { "host", CONF_TEXT, CONF_AT(struct net, host), .fallback = "localhost", .help = "where to listen" },
 *         { "port", CONF_INT, CONF_AT(struct net, port), .fallback = "5555", .lo = 1, .hi = 65535, .help = "..." },
 *         { 0 },
 *     };
 *     const struct conf_table net_table = { "net", sizeof(struct net), net_keys, CONF_AT(struct net, line) };
 *
 * Every error is ERR_INPUT "FILE:LINE: ..." and names the remedy; an unknown key names the nearest valid one. @include is
 * refused, because a config also arrives from other machines. Integers that do not fit are errors, not wrapped. */
#ifndef ACSWEEP_COMMON_CONF_H
#define ACSWEEP_COMMON_CONF_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/own.h"

#define CONF_MAX_BYTES ((size_t)4 << 20)
#define CONF_MAX_ITEMS 100000 /* elements of one list */
#define CONF_MAX_TEXT 4096    /* bytes of one text */

enum conf_type {
    CONF_BOOL,     /* bool */
    CONF_INT,      /* int64_t, lo..hi */
    CONF_REAL,     /* double, lo..hi; an integer will do */
    CONF_TEXT,     /* struct conf_text */
    CONF_CHOICE,   /* int: index into `choices` "a|b|c" */
    CONF_DURATION, /* int64_t ns, from "90s"; lo..hi in seconds */
    CONF_SIZE,     /* int64_t bytes, from "40GiB" or a number */
    CONF_TEXTS,    /* struct conf_list of struct conf_text */
    CONF_GROUP,    /* the struct of `table`, in place */
    CONF_GROUPS,   /* struct conf_list of structs of `table` */
    CONF_FREE,     /* json_t *: any group the user likes, e.g. parameters of his own program; NULL when absent */
};

/* What a key means for the result of a task (see docs/config.md). */
enum conf_role {
    CONF_EXECUTION, /* how or where: never changes a number */
    CONF_IDENTITY,  /* part of what is computed */
};

struct conf_text {
    char *s;  /* NULL when absent and without default */
    int line; /* 0 when it is the default */
};
struct conf_list {
    void *items;
    size_t n;
    int line;
};

struct conf_table;
struct conf_key {
    const char *name; /* NULL ends the table */
    enum conf_type type;
    size_t at;
    const char *fallback; /* default as it would be written, without quotes; NULL = absent (see CONF_UNSET_*) */
    bool required;
    double lo, hi;        /* both 0 = no limits */
    const char *choices;
    const struct conf_table *table;
    enum conf_role role;
    const char *help;
};
#define CONF_AT(type, field) offsetof(type, field)

struct conf_table {
    const char *what; /* for messages: "encoder", "policy" */
    size_t size;
    const struct conf_key *keys;
    size_t line_at; /* of an `int` that gets the group's line (0 = absent); SIZE_MAX = none */
};

/* Value of a scalar without default that is absent. */
#define CONF_UNSET_INT INT64_MIN
#define CONF_UNSET_REAL ((double)NAN)

struct conf;

/* `place` is the path for messages. NULL with ERR_INPUT. */
struct conf *conf_parse(const struct conf_table *t, const char *text, const char *place, struct err *e);
struct conf *conf_load(const struct conf_table *t, const char *path, struct err *e);
void conf_destroy(struct conf *c);
DEFINE_CLEANUP(conf_destroy, struct conf *)

/* The struct of the table; it and all it points to live as long as `c`. */
const void *conf_values(const struct conf *c);
const char *conf_place(const struct conf *c);

/* ERR_INPUT "PLACE:LINE: text"; line 0 leaves the line out. Returns -1. */
int conf_fail(const struct conf *c, int line, struct err *e, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The keys of one group that have this role, as a JSON object; absent ones are left out, choices by name, durations in
 * seconds. Groups below are included when they have such a key. New reference, NULL without memory. */
json_t *conf_json(const struct conf_table *t, const void *values, enum conf_role role);

/* Effective values, defaults included, in config syntax; reading that again gives the same values. With `comments` each
 * key is explained above it (description, range, default), absent ones as comments, where its group first occurs. */
void conf_print(const struct conf_table *t, const void *values, bool comments, struct buf *out);

/* The name of a CONF_CHOICE value. Writes into `name`. */
const char *conf_choice(const char *choices, int index, char *name, size_t size);

/* The whole text of a small file, malloc'ed and NUL-terminated. ERR_INPUT when missing, too large or with a NUL byte. */
char *conf_read_file(const char *path, size_t limit, struct err *e);

#endif
