/* Config values on their way out: as JSON (for identities and executors) and as effective settings (for people). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/conf.h"
#include "common/mono.h"

const char *conf_choice(const char *choices, int index, char *name, size_t size)
{
    const char *p = choices;
    for (; p && index > 0; index--)
        p = (p = strchr(p, '|')) ? p + 1 : NULL;
    if (!p || index < 0)
        return NULL;
    size_t n = strcspn(p, "|");
    if (n >= size)
        n = size - 1;
    memcpy(name, p, n);
    name[n] = '\0';
    return name;
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------- */

static json_t *texts_json(const struct conf_list *l)
{
    json_t *all = json_array();
    const struct conf_text *t = l->items;
    for (size_t i = 0; all && i < l->n; i++)
        json_array_append_new(all, json_string(t[i].s));
    return all;
}

static json_t *real_json(double v)
{
    return v == floor(v) && fabs(v) < 0x1p53 ? json_integer((json_int_t)v) : json_real(v);
}

/* NULL = absent. */
static json_t *scalar_json(const struct conf_key *k, const void *field)
{
    char name[64];
    switch (k->type) {
    case CONF_BOOL:
        return json_boolean(*(const bool *)field);
    case CONF_INT:
    case CONF_SIZE:
        return *(const int64_t *)field == CONF_UNSET_INT ? NULL : json_integer(*(const int64_t *)field);
    case CONF_DURATION:
        return *(const int64_t *)field == CONF_UNSET_INT ? NULL
                                                         : real_json((double)*(const int64_t *)field / (double)NS_PER_S);
    case CONF_REAL:
        return isnan(*(const double *)field) ? NULL : real_json(*(const double *)field);
    case CONF_TEXT:
        return ((const struct conf_text *)field)->s ? json_string(((const struct conf_text *)field)->s) : NULL;
    case CONF_CHOICE:
        return *(const int *)field < 0 ? NULL
                                       : json_string(conf_choice(k->choices, *(const int *)field, name, sizeof name));
    case CONF_TEXTS:
        return texts_json(field);
    case CONF_FREE:
        return json_incref(*(json_t *const *)field);
    case CONF_GROUP:
    case CONF_GROUPS:
        break;
    }
    return NULL;
}

json_t *conf_json(const struct conf_table *t, const void *values, enum conf_role role)
{
    json_t *all = json_object();
    for (const struct conf_key *k = t->keys; all && k->name; k++) {
        const void *field = (const char *)values + k->at;
        json_t *v = NULL;
        if (k->type == CONF_GROUP) {
            v = conf_json(k->table, field, role);
            if (v && json_object_size(v) == 0) {
                json_decref(v);
                v = NULL;
            }
        } else if (k->role == role) {
            v = scalar_json(k, field);
        }
        if (v)
            json_object_set_new(all, k->name, v);
    }
    return all;
}

/* ---- text ---------------------------------------------------------------------------------------------------------- */

static void print_text(struct buf *out, const char *s)
{
    buf_puts(out, "\"");
    for (; *s; s++)
        buf_printf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    buf_puts(out, "\"");
}

static void print_int(struct buf *out, int64_t v)
{
    buf_printf(out, v > INT32_MAX || v < INT32_MIN ? "%lldL" : "%lld", (long long)v);
}

static void print_real(struct buf *out, double v)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_puts(out, text);
    if (!strpbrk(text, ".e"))
        buf_puts(out, ".0");
}

static void print_json(struct buf *out, json_t *v)
{
    const char *key;
    json_t *item;
    size_t i;
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        buf_puts(out, "{ ");
        json_object_foreach(v, key, item) {
            buf_printf(out, "%s = ", key);
            print_json(out, item);
            buf_puts(out, "; ");
        }
        buf_puts(out, "}");
        break;
    case JSON_ARRAY:
        buf_puts(out, "(");
        json_array_foreach(v, i, item) {
            buf_puts(out, i ? ", " : "");
            print_json(out, item);
        }
        buf_puts(out, ")");
        break;
    case JSON_STRING:
        print_text(out, json_string_value(v));
        break;
    case JSON_INTEGER:
        print_int(out, json_integer_value(v));
        break;
    case JSON_REAL:
        print_real(out, json_real_value(v));
        break;
    default:
        buf_puts(out, json_is_true(v) ? "true" : "false");
    }
}

/* The largest unit that loses nothing, so that reading it again gives the same value. */
static void print_units(struct buf *out, int64_t v, const int64_t *sizes, const char *const *names, size_t n)
{
    size_t i = 0;
    while (i + 1 < n && v % sizes[i] != 0)
        i++;
    
    buf_printf(out, "\"%lld%s\"", (long long)(v / sizes[i]), names[i]);
}

static void print_duration(struct buf *out, int64_t ns)
{
    if (ns == 0) {
        buf_puts(out, "\"0s\"");
        return;
    }
    static const int64_t sizes[] = { 86400 * NS_PER_S, 3600 * NS_PER_S, 60 * NS_PER_S, NS_PER_S, NS_PER_MS, NS_PER_US };
    static const char *const names[] = { "d", "h", "m", "s", "ms", "us" };
    print_units(out, ns, sizes, names, ARRAY_LEN(sizes));
}

static void print_size(struct buf *out, int64_t bytes)
{
    if (bytes == 0) {
        buf_puts(out, "\"0B\"");
        return;
    }
    static const int64_t sizes[] = { INT64_C(1) << 40, INT64_C(1) << 30, INT64_C(1) << 20, INT64_C(1) << 10, 1 };
    static const char *const names[] = { "TiB", "GiB", "MiB", "KiB", "B" };
    print_units(out, bytes, sizes, names, ARRAY_LEN(sizes));
}

#define MAX_TABLES 128

struct style {
    struct buf *out;
    int indent;
    const struct conf_table **explained; /* tables whose keys have been explained, NULL-ended; NULL = no comments */
};

/* Whether the keys of `t` are to be explained here: the first time it is met. */
static bool explain_once(struct style s, const struct conf_table *t)
{
    if (!s.explained)
        return false;
    for (size_t i = 0; i < MAX_TABLES; i++) {
        if (s.explained[i] == t)
            return false;
        if (!s.explained[i]) {
            s.explained[i] = t;
            return true;
        }
    }
    return false;
}

static void print_group(struct style s, const struct conf_table *t, const void *values);

static void print_groups(struct style s, const struct conf_key *k, const struct conf_list *l)
{
    buf_puts(s.out, "(");
    for (size_t i = 0; i < l->n; i++) {
        buf_printf(s.out, "%s\n%*s{\n", i ? "," : "", s.indent + 2, "");
        print_group((struct style){ s.out, s.indent + 4, s.explained }, k->table,
                    (const char *)l->items + i * k->table->size);
        buf_printf(s.out, "%*s}", s.indent + 2, "");
    }
    buf_printf(s.out, l->n ? "\n%*s)" : ")", s.indent, "");
}

static void print_value(struct style s, const struct conf_key *k, const void *field)
{
    json_t *v;
    switch (k->type) {
    case CONF_DURATION:
        print_duration(s.out, *(const int64_t *)field);
        return;
    case CONF_SIZE:
        print_size(s.out, *(const int64_t *)field);
        return;
    case CONF_REAL:
        print_real(s.out, *(const double *)field);
        return;
    case CONF_GROUP:
        buf_puts(s.out, "{\n");
        print_group((struct style){ s.out, s.indent + 2, s.explained }, k->table, field);
        buf_printf(s.out, "%*s}", s.indent, "");
        return;
    case CONF_GROUPS:
        print_groups(s, k, field);
        return;
    default:
        v = scalar_json(k, field);
        print_json(s.out, v);
        json_decref(v);
    }
}

static bool is_absent(const struct conf_key *k, const void *field)
{
    if (k->type == CONF_GROUP || k->type == CONF_GROUPS)
        return false;
    json_t *v = scalar_json(k, field);
    json_decref(v);
    return !v;
}

/* "# peak learning rate; 0..10; default 0.001" */
static void print_comment(struct style s, const struct conf_key *k)
{
    buf_printf(s.out, "%*s# %s", s.indent, "", k->help);
    if (k->choices)
        buf_printf(s.out, "; %s", k->choices);
    if (k->type == CONF_SIZE && k->hi > 0) {
        buf_puts(s.out, "; at most ");
        print_size(s.out, (int64_t)k->hi);
    } else if (k->lo != 0 || k->hi != 0) {
        buf_printf(s.out, "; %.15g..%.15g%s", k->lo, k->hi, k->type == CONF_DURATION ? " seconds" : "");
    }
    if (k->required)
        buf_puts(s.out, "; required");
    else if (k->fallback)
        buf_printf(s.out, "; default %s", k->fallback[0] ? k->fallback : "empty");
    buf_puts(s.out, "\n");
}

static void print_group(struct style s, const struct conf_table *t, const void *values)
{
    static const char *const examples[] = {
        [CONF_BOOL] = "true",       [CONF_INT] = "1",      [CONF_REAL] = "1.0", [CONF_TEXT] = "\"...\"",
        [CONF_CHOICE] = "\"...\"",  [CONF_DURATION] = "\"10m\"", [CONF_SIZE] = "\"1GiB\"",
        [CONF_TEXTS] = "[ ... ]",   [CONF_GROUP] = "{ }",  [CONF_GROUPS] = "( )", [CONF_FREE] = "{ ... }",
    };
    bool comments = explain_once(s, t);
    for (const struct conf_key *k = t->keys; k->name; k++) {
        const void *field = (const char *)values + k->at;
        bool absent = is_absent(k, field);
        if (comments)
            print_comment(s, k);
        if (absent && comments)
            buf_printf(s.out, "%*s# %s = %s;\n", s.indent, "", k->name, examples[k->type]);
        if (absent)
            continue;
        buf_printf(s.out, "%*s%s = ", s.indent, "", k->name);
        print_value(s, k, field);
        buf_puts(s.out, ";\n");
        if (comments && s.indent == 0)
            buf_puts(s.out, "\n");
    }
}

void conf_print(const struct conf_table *t, const void *values, bool comments, struct buf *out)
{
    const struct conf_table *explained[MAX_TABLES] = { NULL };
    print_group((struct style){ out, 0, comments ? explained : NULL }, t, values);
}
