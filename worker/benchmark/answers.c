#include <stdint.h>
#include <string.h>

#include "common/arena.h"
#include "common/utf8.h"
#include "worker/benchmark/metric.h"
#include "worker/data/json_items.h"

struct answer_set {
    const char **texts; /* for each question; NULL: not there yet */
    struct arena arena;
};

void answer_set_destroy(struct answer_set *a)
{
    if (!a)
        return;
    free(a->texts);
    arena_free(&a->arena);
    free(a);
}

const char *const *answer_set_texts(const struct answer_set *a)
{
    return a->texts;
}

static int add_item(struct answer_set *a, const struct question_set *s, const json_t *item, struct err *e)
{
    const char *id = json_string_value(json_object_get(item, "id"));
    const char *answer = json_string_value(json_object_get(item, "answer"));
    if (!id || !answer)
        return FAIL(e, ERR_INPUT, "field '%s': is missing or not a text", id ? "answer" : "id");
    size_t i = question_set_find(s, id);
    if (i == SIZE_MAX)
        return FAIL(e, ERR_INPUT, "field 'id': '%.80s' is no question of %s; are these its answers?", id,
                    question_set_name(s));
    if (a->texts[i])
        return FAIL(e, ERR_INPUT, "field 'id': '%.80s' was answered before", id);
    a->texts[i] = arena_text(&a->arena, answer);
    return a->texts[i] ? 0 : FAIL_NOMEM(e);
}

static int check_all(const struct answer_set *a, const struct question_set *s, const char *name, struct err *e)
{
    size_t missing = 0, first = 0, n = question_set_count(s);
    for (size_t i = n; i-- > 0;)
        if (!a->texts[i]) {
            first = i;
            missing++;
        }
    return missing == 0 ? 0
                        : FAIL(e, ERR_INPUT, "%s: %zu of %zu questions have no answer, the first is '%.80s'", name,
                               missing, n, question_set_at(s, first)->id);
}

static struct answer_set *from_items(struct json_items *items, const char *name, const struct question_set *s,
                                     struct err *e)
{
    AUTO(answer_set_destroy) struct answer_set *a = calloc(1, sizeof *a);
    json_t *item;
    int rc;
    if (!a || !(a->texts = calloc(question_set_count(s), sizeof *a->texts)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    while ((rc = json_items_next(items, &item, e)) > 0) {
        rc = add_item(a, s, item, e);
        json_decref(item);
        if (rc < 0)
            return err_wrap(e, "%s", json_items_place(items)), NULL;
    }
    return rc < 0 || check_all(a, s, name, e) < 0 ? NULL : TAKE(a);
}

struct answer_set *answer_set_parse(const char *text, size_t len, const char *name, const struct question_set *s,
                                    struct err *e)
{
    AUTO(json_items_close) struct json_items *items = json_items_from(text, len, name, e);
    return items ? from_items(items, name, s, e) : NULL;
}

struct answer_set *answer_set_load(const char *path, const struct question_set *s, struct err *e)
{
    AUTO(json_items_close) struct json_items *items = json_items_open(path, e);
    return items ? from_items(items, path, s, e) : NULL;
}

int answer_append(struct buf *to, const char *id, const char *answer, struct err *e)
{
    AUTO(free) char *whole = strdup(answer);
    if (!whole)
        return FAIL_NOMEM(e);
    utf8_mend(whole);
    AUTO(json_decref) json_t *line = json_pack("{s:s, s:s}", "id", id, "answer", whole);
    AUTO(free) char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    if (!text)
        return FAIL_NOMEM(e);
    buf_puts(to, text);
    buf_puts(to, "\n");
    return buf_check(to, "the answers", e);
}
