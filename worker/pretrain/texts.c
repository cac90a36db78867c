#include "worker/pretrain/texts.h"

#include <string.h>

#include "worker/data/json_items.h"
#include "worker/text/unicode.h"

#define MAX_TEXTS ((size_t)1 << 26)

static void text_free(struct text *t)
{
    for (size_t i = 0; i < t->n; i++)
        free((char *)t->turns[i].text);
    free(t->turns);
    *t = (struct text){ 0 };
}

static void text_free_cleanup(struct text *t)
{
    text_free(t);
}

void texts_free(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        text_free(&t->v[i]);
    free(t->v);
    *t = (struct texts){ 0 };
}

static int push(struct texts *all, struct text *t, struct err *e)
{
    if (all->n == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 256;
        struct text *v = cap <= MAX_TEXTS ? realloc(all->v, cap * sizeof *v) : NULL;
        if (!v)
            return FAIL_NOMEM(e);
        all->v = v;
        all->cap = cap;
    }
    all->v[all->n++] = *t;
    *t = (struct text){ 0 };
    return 0;
}

/* ---- an object ------------------------------------------------------------------------------------------------------
 */

struct reader {
    struct json_items *items;
    bool answers_only;
};

static int fail_key(const struct reader *r, const char *key, const char *wanted, struct err *e)
{
    return FAIL(e, ERR_INPUT, "%s: '%s' must be %s", json_items_place(r->items), key, wanted);
}

/* Without `<image>`, and without the blanks that were around it. */
static int add_turn(struct text *t, enum turn_from from, const json_t *value, struct err *e)
{
    AUTO(buf_free) struct buf b = BUF_INIT((size_t)1 << 24);
    static const struct slice nothing = { "", 0 }, image = { CONVERSATION_IMAGE, sizeof CONVERSATION_IMAGE - 1 };
    text_replace(json_string_value(value), json_string_length(value), image, nothing, &b);
    TRY(buf_check(&b, "a turn", e));
    struct slice s = unicode_strip((struct slice){ buf_text(&b), b.len });
    char *copy = malloc(s.len + 1);
    if (!copy)
        return FAIL_NOMEM(e);
    memcpy(copy, s.text, s.len);
    copy[s.len] = '\0';
    t->turns[t->n++] = (struct turn){ from, copy, s.len };
    return 0;
}

static int read_turn(const struct reader *r, const json_t *j, struct text *t, struct err *e)
{
    const char *from = json_string_value(json_object_get(j, "from"));
    const json_t *value = json_object_get(j, "value");
    bool human = from && strcmp(from, "human") == 0;
    if (!json_is_string(value) || !from || (!human && strcmp(from, "gpt") != 0))
        return fail_key(r, "conversations", "a list of {\"from\": \"human\" or \"gpt\", \"value\": text}", e);
    if (r->answers_only && (human || t->n))
        return 0;
    return add_turn(t, human ? TURN_HUMAN : TURN_GPT, value, e);
}

static int read_plain(const struct reader *r, const json_t *item, struct text *t, struct err *e)
{
    const char *key = json_object_get(item, "text") ? "text" : "caption";
    const json_t *text = json_object_get(item, key), *given = json_object_get(item, "given");
    if (!json_is_string(text))
        return fail_key(r, key, "a text", e);
    if (given && !json_is_string(given))
        return fail_key(r, "given", "a text", e);
    if (given && !r->answers_only)
        TRY(add_turn(t, TURN_HUMAN, given, e));
    return add_turn(t, TURN_GPT, text, e);
}

static int read_text(const struct reader *r, const json_t *item, struct text *t, struct err *e)
{
    const json_t *turns = json_object_get(item, "conversations"), *j;
    size_t i;
    t->talk = turns && !r->answers_only;
    t->turns = calloc(json_array_size(turns) + 2, sizeof *t->turns);
    if (!t->turns)
        return FAIL_NOMEM(e);
    if (!turns)
        return read_plain(r, item, t, e);
    json_array_foreach(turns, i, j) TRY(read_turn(r, j, t, e));
    return t->n ? 0 : fail_key(r, "conversations", "a list with an answer in it", e);
}

int texts_read_items(struct json_items *items, const char *name, bool answers_only, struct texts *out, struct err *e)
{
    size_t before = out->n;
    struct reader r = { items, answers_only };
    for (;;) {
        AUTO(json_decref) json_t *item = NULL;
        AUTO(text_free) struct text t = { 0 };
        int got = json_items_next(items, &item, e);
        TRY(got);
        if (got == 0)
            break;
        TRY(read_text(&r, item, &t, e));
        TRY(push(out, &t, e));
    }
    return out->n > before ? 0 : FAIL(e, ERR_INPUT, "%s: there is no text in it", name);
}

int texts_read(const char *path, bool answers_only, struct texts *out, struct err *e)
{
    AUTO(json_items_close) struct json_items *items = json_items_open(path, e);
    return items ? texts_read_items(items, path, answers_only, out, e) : -1;
}

/* ---- ids ------------------------------------------------------------------------------------------------------------
 */

static int encode_line(const struct turn *turns, size_t n, const char *end, const struct tokenizer *tokenizer,
                       struct ids *out, struct err *e)
{
    AUTO(buf_free) struct buf line = BUF_INIT((size_t)1 << 24);
    for (size_t i = 0; i < n; i++) {
        buf_puts(&line, i ? " " : "");
        buf_add(&line, turns[i].text, turns[i].len);
    }
    buf_puts(&line, end);
    TRY(buf_check(&line, "a text", e));
    return tokenizer_encode(tokenizer, line.data, line.len, true, out, e);
}

/* How many of the first ids are of what is given. */
static int count_given(const struct text *t, const struct tokenizer *tokenizer, size_t *n, struct err *e)
{
    AUTO(ids_free) struct ids given = { 0 };
    *n = 0;
    if (t->n < 2)
        return 0;
    TRY(encode_line(t->turns, t->n - 1, "", tokenizer, &given, e));
    *n = given.n;
    return 0;
}

static int encode_plain(const struct text *t, const struct tokenizer *tokenizer, size_t most, struct ids *out,
                        struct ids *labels, struct err *e)
{
    size_t given, before = out->n;
    TRY(encode_line(t->turns, t->n, "\n", tokenizer, out, e));
    TRY(count_given(t, tokenizer, &given, e));
    if (out->n - before > most)
        out->n = before + most;
    for (size_t i = before; i < out->n; i++)
        TRY(ids_add(labels, i - before < given ? LABEL_IGNORED : out->v[i], e));
    return 0;
}

int text_encode(const struct text *t, const struct tokenizer *tokenizer, size_t most, struct ids *out,
                struct ids *labels, bool *masked, struct err *e)
{
    struct conversation_rules rules = { .template = CONVERSATION_VICUNA_V1, .max_length = most };
    struct conversation_info info = { 0 };
    TRY(t->talk ? conversation_encode(tokenizer, &rules, t->turns, t->n, false, out, labels, &info, e)
                : encode_plain(t, tokenizer, most, out, labels, e));
    *masked = info.mismatch;
    return 0;
}
