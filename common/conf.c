/* Reading: libconfig's tree -> structs, driven by the tables. What is printed or turned into JSON is in conf_print.c. */
#include "common/conf.h"

#include <errno.h>
#include <libconfig.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/conf_scan.h"
#include "common/mono.h"
#include "common/parse.h"

struct conf {
    struct arena arena;
    const struct conf_table *table;
    char *place;
    void *values;
    json_t *kept; /* array that owns the CONF_FREE values */
};

/* One key being read: where the message points and what it says. */
struct reader {
    struct conf *c;
    const struct conf_table *table;
    const struct conf_key *key;
    const config_setting_t *setting;
    struct err *e;
};

int conf_fail(const struct conf *c, int line, struct err *e, const char *fmt, ...)
{
    char text[900];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return line > 0 ? FAIL(e, ERR_INPUT, "%s:%d: %s", c->place, line, text)
                    : FAIL(e, ERR_INPUT, "%s: %s", c->place, text);
}

static int line_of(const config_setting_t *s)
{
    return (int)config_setting_source_line(s);
}

static int fail_type(const struct reader *r, const char *wanted)
{
    static const char *const names[] = { "nothing", "a group", "a number", "a number", "a real number", "a text",
                                         "true or false", "an array", "a list" };
    int type = config_setting_type(r->setting);
    return conf_fail(r->c, line_of(r->setting), r->e, "%s of %s must be %s, but here is %s", r->key->name, r->table->what,
                     wanted, type >= 0 && (size_t)type < ARRAY_LEN(names) ? names[type] : "something else");
}

static bool in_range(const struct conf_key *k, double v)
{
    return (k->lo == 0 && k->hi == 0) || (v >= k->lo && v <= k->hi);
}

static int fail_range(const struct reader *r, const char *unit)
{
    return conf_fail(r->c, r->setting ? line_of(r->setting) : 0, r->e, "%s of %s must be in %.15g..%.15g%s", r->key->name,
                     r->table->what, r->key->lo, r->key->hi, unit);
}

/* ---- one value ---------------------------------------------------------------------------------------------------- */

static int keep_text(const struct reader *r, const char *s, struct conf_text *out)
{
    if (strlen(s) > CONF_MAX_TEXT)
        return conf_fail(r->c, line_of(r->setting), r->e, "%s of %s is longer than %d bytes", r->key->name, r->table->what,
                         CONF_MAX_TEXT);
    out->s = arena_text(&r->c->arena, s);
    out->line = r->setting ? line_of(r->setting) : 0;
    return out->s ? 0 : FAIL_NOMEM(r->e);
}

static int take_int(const struct reader *r, long long v, void *out)
{
    if (!in_range(r->key, (double)v))
        return fail_range(r, "");
    *(int64_t *)out = v;
    return 0;
}

static int take_real(const struct reader *r, double v, void *out)
{
    if (!isfinite(v))
        return conf_fail(r->c, line_of(r->setting), r->e, "%s of %s is not a finite number", r->key->name, r->table->what);
    if (!in_range(r->key, v))
        return fail_range(r, "");
    *(double *)out = v;
    return 0;
}

static int take_choice(const struct reader *r, const char *s, void *out)
{
    char name[64];
    int n = 0;
    for (; conf_choice(r->key->choices, n, name, sizeof name); n++)
        if (strcmp(name, s) == 0) {
            *(int *)out = n;
            return 0;
        }
    return conf_fail(r->c, line_of(r->setting), r->e, "%s of %s must be one of %s, not '%.60s'", r->key->name,
                     r->table->what, r->key->choices, s);
}

static int take_duration(const struct reader *r, const char *s, void *out)
{
    struct err why = { 0 };
    if (parse_duration(s, out, &why) < 0)
        return conf_fail(r->c, r->setting ? line_of(r->setting) : 0, r->e, "%s of %s: %s", r->key->name, r->table->what,
                         why.text);
    return in_range(r->key, (double)*(int64_t *)out / (double)NS_PER_S) ? 0 : fail_range(r, " seconds");
}

static int take_size(const struct reader *r, const char *s, void *out)
{
    struct err why = { 0 };
    uint64_t bytes = 0;
    if (parse_size(s, &bytes, &why) < 0)
        return conf_fail(r->c, r->setting ? line_of(r->setting) : 0, r->e, "%s of %s: %s", r->key->name, r->table->what,
                         why.text);
    if (bytes > (uint64_t)1 << 60 || !in_range(r->key, (double)bytes))
        return fail_range(r, " bytes");
    *(int64_t *)out = (int64_t)bytes;
    return 0;
}

static bool is_integer(const config_setting_t *s)
{
    return config_setting_type(s) == CONFIG_TYPE_INT || config_setting_type(s) == CONFIG_TYPE_INT64;
}

/* A hexadecimal or decimal 32-bit literal is kept as int; int64 covers both. */
static long long integer_of(const config_setting_t *s)
{
    return config_setting_type(s) == CONFIG_TYPE_INT ? config_setting_get_int(s) : config_setting_get_int64(s);
}

static double real_of(const config_setting_t *s)
{
    return is_integer(s) ? (double)integer_of(s) : config_setting_get_float(s);
}

static int need_text(const struct reader *r, const char **s, const char *wanted)
{
    if (config_setting_type(r->setting) != CONFIG_TYPE_STRING)
        return fail_type(r, wanted);
    *s = config_setting_get_string(r->setting);
    return 0;
}

/* ---- defaults ------------------------------------------------------------------------------------------------------ */

/* The fallback goes through the same checks as what a user writes; a bad one is our bug. */
static int take_fallback(const struct reader *r, void *out)
{
    const struct conf_key *k = r->key;
    const char *s = k->fallback;
    int64_t i = 0;
    double d = 0;
    switch (k->type) {
    case CONF_BOOL:
        *(bool *)out = s && strcmp(s, "true") == 0;
        return 0;
    case CONF_INT:
        *(int64_t *)out = CONF_UNSET_INT;
        return !s ? 0 : parse_i64(s, INT64_MIN, INT64_MAX, &i, r->e) < 0 ? -1 : take_int(r, i, out);
    case CONF_REAL:
        *(double *)out = CONF_UNSET_REAL;
        return !s ? 0 : parse_double(s, &d, r->e) < 0 ? -1 : take_real(r, d, out);
    case CONF_TEXT:
        return s ? keep_text(r, s, out) : 0;
    case CONF_CHOICE:
        *(int *)out = -1;
        return s ? take_choice(r, s, out) : 0;
    case CONF_DURATION:
        *(int64_t *)out = CONF_UNSET_INT;
        return s ? take_duration(r, s, out) : 0;
    case CONF_SIZE:
        *(int64_t *)out = CONF_UNSET_INT;
        return s ? take_size(r, s, out) : 0;
    case CONF_TEXTS:
    case CONF_GROUP:
    case CONF_GROUPS:
    case CONF_FREE:
        return 0;
    }
    return FAIL(r->e, ERR_BUG, "config key %s has no type", k->name);
}

/* ---- aggregates ---------------------------------------------------------------------------------------------------- */

static int read_group(struct conf *c, const struct conf_table *t, const config_setting_t *group, void *out,
                      struct err *e);

static bool is_sequence(const config_setting_t *s)
{
    return config_setting_is_list(s) || config_setting_is_array(s);
}

static int sequence_start(const struct reader *r, size_t item, struct conf_list *list)
{
    int n = config_setting_length(r->setting);
    if (n > CONF_MAX_ITEMS)
        return conf_fail(r->c, line_of(r->setting), r->e, "%s of %s has more than %d elements", r->key->name,
                         r->table->what, CONF_MAX_ITEMS);
    list->n = (size_t)n;
    list->line = line_of(r->setting);
    list->items = arena_array(&r->c->arena, list->n, item);
    return list->items ? 0 : FAIL_NOMEM(r->e);
}

static int read_texts(const struct reader *r, struct conf_list *out)
{
    if (!is_sequence(r->setting))
        return fail_type(r, "a list of texts, as in [\"a\", \"b\"]");
    TRY(sequence_start(r, sizeof(struct conf_text), out));
    for (size_t i = 0; i < out->n; i++) {
        struct reader one = *r;
        one.setting = config_setting_get_elem(r->setting, (unsigned)i);
        const char *s = NULL;
        TRY(need_text(&one, &s, "a list of texts"));
        TRY(keep_text(&one, s, (struct conf_text *)out->items + i));
    }
    return 0;
}

static int read_groups(const struct reader *r, struct conf_list *out)
{
    if (!is_sequence(r->setting))
        return fail_type(r, "a list of groups, as in ( { ... }, { ... } )");
    TRY(sequence_start(r, r->key->table->size, out));
    for (size_t i = 0; i < out->n; i++) {
        struct reader one = *r;
        one.setting = config_setting_get_elem(r->setting, (unsigned)i);
        if (!config_setting_is_group(one.setting))
            return fail_type(&one, "a list of groups, as in ( { ... }, { ... } )");
        TRY(read_group(r->c, r->key->table, one.setting, (char *)out->items + i * r->key->table->size, r->e));
    }
    return 0;
}

static json_t *free_value(const config_setting_t *s)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_BOOL:
        return json_boolean(config_setting_get_bool(s));
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return json_integer(integer_of(s));
    case CONFIG_TYPE_FLOAT:
        return json_real(config_setting_get_float(s)); /* NULL for infinity */
    case CONFIG_TYPE_STRING:
        return json_string(config_setting_get_string(s)); /* NULL for broken UTF-8 */
    }
    bool group = config_setting_is_group(s);
    json_t *all = group ? json_object() : json_array();
    for (int i = 0; all && i < config_setting_length(s); i++) {
        const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);
        json_t *v = free_value(one);
        int rc = group ? json_object_set_new(all, config_setting_name(one), v) : json_array_append_new(all, v);
        if (rc < 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

static int read_free(const struct reader *r, json_t **out)
{
    if (!config_setting_is_group(r->setting))
        return fail_type(r, "a group { ... }");
    json_t *v = free_value(r->setting);
    if (!v || json_array_append_new(r->c->kept, v) < 0)
        return conf_fail(r->c, line_of(r->setting), r->e, "%s of %s holds a text that is not UTF-8, or a number that is "
                         "not finite", r->key->name, r->table->what);
    *out = v;
    return 0;
}

/* ---- groups -------------------------------------------------------------------------------------------------------- */

static int read_value(const struct reader *r, void *out)
{
    const char *s = NULL;
    switch (r->key->type) {
    case CONF_BOOL:
        if (config_setting_type(r->setting) != CONFIG_TYPE_BOOL)
            return fail_type(r, "true or false");
        *(bool *)out = config_setting_get_bool(r->setting);
        return 0;
    case CONF_INT:
        return is_integer(r->setting) ? take_int(r, integer_of(r->setting), out) : fail_type(r, "a whole number");
    case CONF_REAL:
        return config_setting_is_number(r->setting) ? take_real(r, real_of(r->setting), out) : fail_type(r, "a number");
    case CONF_TEXT:
        return need_text(r, &s, "a text in quotes") < 0 ? -1 : keep_text(r, s, out);
    case CONF_CHOICE:
        return need_text(r, &s, "a text in quotes") < 0 ? -1 : take_choice(r, s, out);
    case CONF_DURATION:
        return need_text(r, &s, "a duration in quotes, as \"90s\"") < 0 ? -1 : take_duration(r, s, out);
    case CONF_SIZE:
        if (is_integer(r->setting) && integer_of(r->setting) >= 0) {
            char digits[32];
            snprintf(digits, sizeof digits, "%lld", integer_of(r->setting));
            return take_size(r, digits, out);
        }
        return need_text(r, &s, "a size in quotes, as \"40GiB\"") < 0 ? -1 : take_size(r, s, out);
    case CONF_TEXTS:
        return read_texts(r, out);
    case CONF_GROUP:
        return config_setting_is_group(r->setting) ? read_group(r->c, r->key->table, r->setting, out, r->e)
                                                   : fail_type(r, "a group { ... }");
    case CONF_GROUPS:
        return read_groups(r, out);
    case CONF_FREE:
        return read_free(r, out);
    }
    return FAIL(r->e, ERR_BUG, "config key %s has no type", r->key->name);
}

static int fail_unknown(struct conf *c, const struct conf_table *t, const config_setting_t *s, struct err *e)
{
    const char *names[64];
    size_t n = 0;
    for (const struct conf_key *k = t->keys; k->name && n < ARRAY_LEN(names); k++)
        names[n++] = k->name;
    const char *name = config_setting_name(s), *near = parse_nearest(name, names, n);
    return conf_fail(c, line_of(s), e, "'%.60s' is not a key of %s%s%s%s", name, t->what, near ? "; did you mean '" : "",
                     near ? near : "", near ? "'?" : "");
}

static int check_names(struct conf *c, const struct conf_table *t, const config_setting_t *group, struct err *e)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        const struct conf_key *k = t->keys;
        while (k->name && strcmp(k->name, config_setting_name(s)) != 0)
            k++;
        if (!k->name)
            return fail_unknown(c, t, s, e);
    }
    return 0;
}

/* `group` NULL: everything at its default. */
static int read_group(struct conf *c, const struct conf_table *t, const config_setting_t *group, void *out,
                      struct err *e)
{
    if (group)
        TRY(check_names(c, t, group, e));
    if (t->line_at != SIZE_MAX)
        *(int *)((char *)out + t->line_at) = group ? line_of(group) : 0;
    for (const struct conf_key *k = t->keys; k->name; k++) {
        struct reader r = { c, t, k, group ? config_setting_get_member(group, k->name) : NULL, e };
        void *field = (char *)out + k->at;
        if (r.setting) {
            TRY(read_value(&r, field));
        } else if (k->required) {
            return conf_fail(c, group ? line_of(group) : 0, e, "%s needs the key '%s' (%s)", t->what, k->name, k->help);
        } else if (k->type == CONF_GROUP) {
            TRY(read_group(c, k->table, NULL, field, e));
        } else if (take_fallback(&r, field) < 0) {
            return err_wrap(e, "default of %s", k->name);
        }
    }
    return 0;
}

/* ---- whole texts --------------------------------------------------------------------------------------------------- */

static int parse_into(struct conf *c, const char *text, struct err *e)
{
    if (strlen(text) > CONF_MAX_BYTES)
        return FAIL(e, ERR_INPUT, "%s: larger than %zu bytes", c->place, CONF_MAX_BYTES);
    TRY(conf_scan(text, c->place, e));
    config_t tree;
    config_init(&tree);
    int rc = -1;
    if (config_read_string(&tree, text) != CONFIG_TRUE)
        conf_fail(c, config_error_line(&tree), e, "%s", config_error_text(&tree));
    else
        rc = read_group(c, c->table, config_root_setting(&tree), c->values, e);
    config_destroy(&tree);
    return rc;
}

struct conf *conf_parse(const struct conf_table *t, const char *text, const char *place, struct err *e)
{
    AUTO(conf_destroy) struct conf *c = calloc(1, sizeof *c);
    if (!c || !(c->place = arena_text(&c->arena, place)) || !(c->values = arena_alloc(&c->arena, t->size)) ||
        !(c->kept = json_array()))
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    c->table = t;
    if (parse_into(c, text, e) < 0)
        return NULL;
    return TAKE(c);
}

struct conf *conf_load(const struct conf_table *t, const char *path, struct err *e)
{
    AUTO(free) char *text = conf_read_file(path, CONF_MAX_BYTES, e);
    return text ? conf_parse(t, text, path, e) : NULL;
}

void conf_destroy(struct conf *c)
{
    if (!c)
        return;
    json_decref(c->kept);
    arena_free(&c->arena);
    free(c);
}

const void *conf_values(const struct conf *c)
{
    return c->values;
}

const char *conf_place(const struct conf *c)
{
    return c->place;
}

char *conf_read_file(const char *path, size_t limit, struct err *e)
{
    AUTO(fclose) FILE *f = fopen(path, "rb");
    if (!f)
        return FAIL_NULL(e, ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    AUTO(buf_free) struct buf b = BUF_INIT(limit);
    char block[1 << 14];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0 && !b.failed)
        buf_add(&b, block, n);
    if (ferror(f))
        return FAIL_NULL(e, ERR_INPUT, "%s: cannot read: %s", path, strerror(errno));
    if (b.failed)
        return FAIL_NULL(e, ERR_INPUT, "%s: larger than %zu bytes", path, limit);
    if (b.len && memchr(b.data, '\0', b.len))
        return FAIL_NULL(e, ERR_INPUT, "%s: contains a NUL byte; it must be text", path);
    buf_puts(&b, "");
    if (!b.data && !(b.data = calloc(1, 1)))
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    return TAKE(b.data);
}
