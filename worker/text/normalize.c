#include "worker/text/normalize.h"

#include <string.h>

enum { STEPS_MOST = 8 };

struct step {
    char *from; /* NULL: prepend */
    size_t from_len;
    char *to;
    size_t to_len;
};

struct normalizer {
    struct step steps[STEPS_MOST];
    size_t n;
};

void normalizer_destroy(struct normalizer *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->n; i++) {
        free(n->steps[i].from);
        free(n->steps[i].to);
    }
    free(n);
}

static int copy(const json_t *text, char **out, size_t *len, struct err *e)
{
    *len = json_string_length(text);
    *out = strdup(json_string_value(text));
    return *out ? 0 : FAIL_NOMEM(e);
}

static int read_step(const json_t *j, const char *name, struct normalizer *n, struct err *e)
{
    const char *type = json_string_value(json_object_get(j, "type"));
    if (n->n == STEPS_MOST)
        return FAIL(e, ERR_INPUT, "%s: normalizer: over %d steps", name, STEPS_MOST);
    struct step *s = &n->steps[n->n++];
    const json_t *prepend = json_object_get(j, "prepend"), *to = json_object_get(j, "content");
    const json_t *from = json_object_get(json_object_get(j, "pattern"), "String");
    if (type && strcmp(type, "Prepend") == 0 && json_is_string(prepend))
        return copy(prepend, &s->to, &s->to_len, e);
    if (type && strcmp(type, "Replace") == 0 && json_string_length(from) && json_is_string(to)) {
        TRY(copy(from, &s->from, &s->from_len, e));
        return copy(to, &s->to, &s->to_len, e);
    }
    return FAIL(e, ERR_INPUT,
                "%s: normalizer '%.40s' is not supported; Prepend, Replace of a String and a Sequence of "
                "them are",
                name, type ? type : "");
}

struct normalizer *normalizer_parse(const json_t *j, const char *name, struct err *e)
{
    AUTO(normalizer_destroy) struct normalizer *n = calloc(1, sizeof *n);
    const char *type = json_string_value(json_object_get(j, "type"));
    const json_t *list = json_object_get(j, "normalizers"), *v;
    size_t i;
    if (!n)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (!j || json_is_null(j))
        return TAKE(n);
    if (!type || strcmp(type, "Sequence") != 0)
        return read_step(j, name, n, e) < 0 ? NULL : TAKE(n);
    if (!json_is_array(list))
        return FAIL_NULL(e, ERR_INPUT, "%s: normalizer: a Sequence needs a list 'normalizers'", name);
    json_array_foreach(list, i, v) if (read_step(v, name, n, e) < 0) return NULL;
    return TAKE(n);
}

int normalize(const struct normalizer *n, struct slice text, struct buf *space, struct slice *out, struct err *e)
{
    *out = text;
    for (size_t i = 0; i < n->n && out->len; i++) {
        const struct step *s = &n->steps[i];
        AUTO(buf_free) struct buf b = BUF_INIT((size_t)4 << 30);
        if (s->from) {
            text_replace(out->text, out->len, (struct slice){ s->from, s->from_len },
                         (struct slice){ s->to, s->to_len }, &b);
        } else {
            buf_add(&b, s->to, s->to_len);
            buf_add(&b, out->text, out->len);
        }
        TRY(buf_check(&b, "a text to tokenize", e));
        buf_free(space);
        *space = b;
        b = BUF_INIT(0);
        *out = (struct slice){ buf_text(space), space->len };
    }
    return 0;
}
