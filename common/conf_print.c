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

static void print_json(struct buf *out, json_t *v, int indent)
{
    const char *key;
    json_t *item;
    size_t i;
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        buf_puts(out, "{ ");
        json_object_foreach(v, key, item) {
            buf_printf(out, "%s = ", key);
            print_json(out, item, indent);
            buf_puts(out, "; ");
        }
        buf_puts(out, "}");
        break;
    case JSON_ARRAY:
        buf_puts(out, "( ");
        json_array_foreach(v, i, item) {
            buf_puts(out, i ? ", " : "");
            print_json(out, item, indent);
        }
        buf_puts(out, " )");
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

static void print_group(struct buf *out, const struct conf_table *t, const void *values, int indent);

static void print_groups(struct buf *out, const struct conf_key *k, const struct conf_list *l, int indent)
{
    buf_puts(out, "(");
    for (size_t i = 0; i < l->n; i++) {
        buf_printf(out, "%s\n%*s{\n", i ? "," : "", indent + 2, "");
        print_group(out, k->table, (const char *)l->items + i * k->table->size, indent + 4);
        buf_printf(out, "%*s}", indent + 2, "");
    }
    buf_puts(out, l->n ? " )" : ")");
}

/* Durations and sizes are written with the smallest unit, so that reading them again gives the same value. */
static void print_value(struct buf *out, const struct conf_key *k, const void *field, int indent)
{
    json_t *v;
    switch (k->type) {
    case CONF_DURATION:
        buf_printf(out, "\"%lldus\"", (long long)(*(const int64_t *)field / NS_PER_US));
        return;
    case CONF_SIZE:
        buf_printf(out, "\"%lldB\"", (long long)*(const int64_t *)field);
        return;
    case CONF_REAL:
        print_real(out, *(const double *)field);
        return;
    case CONF_GROUP:
        buf_puts(out, "{\n");
        print_group(out, k->table, field, indent + 2);
        buf_printf(out, "%*s}", indent, "");
        return;
    case CONF_GROUPS:
        print_groups(out, k, field, indent);
        return;
    default:
        v = scalar_json(k, field);
        print_json(out, v, indent);
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

static void print_group(struct buf *out, const struct conf_table *t, const void *values, int indent)
{
    for (const struct conf_key *k = t->keys; k->name; k++) {
        const void *field = (const char *)values + k->at;
        if (is_absent(k, field))
            continue;
        buf_printf(out, "%*s%s = ", indent, "", k->name);
        print_value(out, k, field, indent);
        buf_puts(out, ";\n");
    }
}

void conf_print(const struct conf_table *t, const void *values, struct buf *out)
{
    print_group(out, t, values, 0);
}
