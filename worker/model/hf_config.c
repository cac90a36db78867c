#include "worker/model/hf_config.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"

/* ---- the file -------------------------------------------------------------------------------------------------------
 */

/* The most brackets open at once, texts skipped. The parser recurses, and a later reader of the tree may too. */
static size_t depth_of(const char *text, size_t len)
{
    size_t depth = 0, most = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            most = ++depth > most ? depth : most;
        else if (!quoted && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return most;
}

static void set_place(struct hf_config *c, const char *place)
{
    size_t len = strlen(place), room = sizeof c->place - 1;
    snprintf(c->place, sizeof c->place, "%s", len > room ? place + len - room : place);
}

int hf_config_parse(const char *text, size_t len, const char *place, struct hf_config *out, struct err *e)
{
    json_error_t why;
    *out = (struct hf_config){ 0 };
    set_place(out, place);
    if (depth_of(text, len) > HF_CONFIG_MAX_DEPTH)
        return FAIL(e, ERR_INPUT, "%s: it is nested more than %d deep, as no model's configuration is", out->place,
                    HF_CONFIG_MAX_DEPTH);
    out->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (!out->root)
        return FAIL(e, ERR_INPUT, "%s:%d: %s", out->place, why.line > 0 ? why.line : 1, why.text);
    if (!json_is_object(out->root)) {
        hf_config_free(out);
        return FAIL(e, ERR_INPUT, "%s: it is not a JSON object", place);
    }
    out->object = out->root;
    return 0;
}

static int read_all(FILE *f, struct buf *out)
{
    char block[1 << 14];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0 && !out->failed)
        buf_add(out, block, n);
    return ferror(f) ? -1 : 0;
}

int hf_config_load(const char *path, struct hf_config *out, struct err *e)
{
    *out = (struct hf_config){ 0 };
    AUTO(fclose) FILE *f = fopen(path, "re");
    AUTO(buf_free) struct buf text = BUF_INIT(HF_CONFIG_MAX_BYTES);
    if (!f || read_all(f, &text) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot read: %s", path, strerror(errno));
    if (text.failed)
        return FAIL(e, ERR_INPUT, "%s: it has over %zu MiB, as no model's configuration has", path,
                    HF_CONFIG_MAX_BYTES >> 20);
    return hf_config_parse(buf_text(&text), text.len, path, out, e);
}

void hf_config_free(struct hf_config *c)
{
    json_decref(c->root);
    *c = (struct hf_config){ 0 };
}

/* ---- keys -----------------------------------------------------------------------------------------------------------
 */

/* NULL for null too. */
static const json_t *value_of(const struct hf_config *c, const char *key)
{
    const json_t *v = json_object_get(c->object, key);
    return json_is_null(v) ? NULL : v;
}

bool hf_config_has(const struct hf_config *c, const char *key)
{
    return value_of(c, key) != NULL;
}

const char *hf_config_text(const struct hf_config *c, const char *key)
{
    return json_string_value(value_of(c, key));
}

int hf_config_fail(const struct hf_config *c, const char *key, struct err *e, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return FAIL(e, ERR_INPUT, "%s: '%s%s' %s", c->place, c->section, key, text);
}

int hf_config_section(const struct hf_config *c, const char *key, struct hf_config *out, struct err *e)
{
    const json_t *v = value_of(c, key);
    if (!json_is_object(v))
        return hf_config_fail(c, key, e, "is not there, or no object");
    *out = *c;
    out->root = NULL; /* c's */
    out->object = v;
    snprintf(out->section, sizeof out->section, "%s%.40s.", c->section, key);
    return 0;
}

const char *hf_names_list(const struct hf_name *names, char *buf, size_t size)
{
    size_t at = 0;
    buf[0] = '\0';
    for (size_t i = 0; names[i].name && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%s",
                               i == 0              ? ""
                               : names[i + 1].name ? ", "
                                                   : " or ",
                               names[i].name);
    return buf;
}

static int read_name(const struct hf_config *c, const struct hf_key *k, const json_t *v, int *out, struct err *e)
{
    char list[300];
    const char *name = json_string_value(v);
    for (size_t i = 0; name && k->names[i].name; i++)
        if (strcmp(k->names[i].name, name) == 0) {
            *out = k->names[i].value;
            return 0;
        }
    return hf_config_fail(c, k->name, e, "is %s%.60s%s; known here: %s", name ? "'" : "not a text", name ? name : "",
                          name ? "'" : "", hf_names_list(k->names, list, sizeof list));
}

static int read_int(const struct hf_config *c, const struct hf_key *k, const json_t *v, int64_t *out, struct err *e)
{
    *out = json_integer_value(v);
    if (!json_is_integer(v) || (double)*out < k->lo || (double)*out > k->hi)
        return hf_config_fail(c, k->name, e, "must be a whole number from %.0f to %.0f", k->lo, k->hi);
    return 0;
}

static int read_real(const struct hf_config *c, const struct hf_key *k, const json_t *v, double *out, struct err *e)
{
    *out = json_number_value(v);
    if (!json_is_number(v) || !(*out >= k->lo && *out <= k->hi))
        return hf_config_fail(c, k->name, e, "must be a number from %g to %g", k->lo, k->hi);
    return 0;
}

static int read_bool(const struct hf_config *c, const struct hf_key *k, const json_t *v, bool *out, struct err *e)
{
    *out = json_is_true(v);
    return json_is_boolean(v) ? 0 : hf_config_fail(c, k->name, e, "must be true or false");
}

static void set_fallback(const struct hf_key *k, void *at)
{
    switch (k->type) {
    case HF_TYPE_INT:
        *(int64_t *)at = (int64_t)k->fallback;
        break;
    case HF_TYPE_REAL:
        *(double *)at = k->fallback;
        break;
    case HF_TYPE_BOOL:
        *(bool *)at = k->fallback != 0;
        break;
    case HF_TYPE_NAME:
        *(int *)at = (int)k->fallback;
    }
}

static int read_key(const struct hf_config *c, const struct hf_key *k, const json_t *v, void *at, struct err *e)
{
    switch (k->type) {
    case HF_TYPE_INT:
        return read_int(c, k, v, at, e);
    case HF_TYPE_REAL:
        return read_real(c, k, v, at, e);
    case HF_TYPE_BOOL:
        return read_bool(c, k, v, at, e);
    case HF_TYPE_NAME:
        return read_name(c, k, v, at, e);
    }
    return FAIL(e, ERR_BUG, "a key of unknown type");
}

int hf_config_read(const struct hf_config *c, const struct hf_key *keys, void *out, struct err *e)
{
    for (const struct hf_key *k = keys; k->name; k++) {
        const json_t *v = value_of(c, k->name);
        void *at = (char *)out + k->at;
        set_fallback(k, at);
        if (v)
            TRY(read_key(c, k, v, at, e));
    }
    return 0;
}

static json_t *value_json(const struct hf_key *k, const void *at)
{
    switch (k->type) {
    case HF_TYPE_INT:
        return json_integer(*(const int64_t *)at);
    case HF_TYPE_REAL:
        return json_real(*(const double *)at);
    case HF_TYPE_BOOL:
        return json_boolean(*(const bool *)at);
    case HF_TYPE_NAME:
        for (size_t i = 0; k->names[i].name; i++)
            if (k->names[i].value == *(const int *)at)
                return json_string(k->names[i].name);
    }
    return NULL;
}

json_t *hf_config_json(const struct hf_key *keys, const void *in)
{
    json_t *j = json_object();
    bool good = j != NULL;
    for (const struct hf_key *k = keys; k->name && good; k++)
        good = json_object_set_new(j, k->name, value_json(k, (const char *)in + k->at)) == 0;
    if (!good) {
        json_decref(j);
        j = NULL;
    }
    return j;
}
