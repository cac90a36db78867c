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
    free(t->seen);
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

/* Words for the picture of a conversation that names one. */
static int read_seen(const struct reader *r, const json_t *seen, const json_t *turns, struct text *t, struct err *e)
{
    const char *first = json_string_value(json_object_get(json_array_get(turns, 0), "value"));
    if (!seen)
        return 0;
    if (!json_is_string(seen) || !*json_string_value(seen) || !first || !strstr(first, CONVERSATION_IMAGE))
        return fail_key(r, "seen", "words for the <image> of the first turn", e);
    t->seen = strdup(json_string_value(seen));
    return t->seen ? 0 : FAIL_NOMEM(e);
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

/* What is given and what is learned, in turns: each a text, or as many of both. */
static int read_pairs(const struct reader *r, const json_t *given, const json_t *text, struct text *t, struct err *e)
{
    static const char wanted[] = "a list of as many texts as 'given' has";
    const json_t *j;
    size_t i;
    if (json_array_size(text) == 0 || json_array_size(given) != json_array_size(text))
        return fail_key(r, "text", wanted, e);
    t->turns = calloc(2 * json_array_size(text), sizeof *t->turns);
    if (!t->turns)
        return FAIL_NOMEM(e);
    json_array_foreach(text, i, j)
    {
        const json_t *before = json_array_get(given, i);
        if (!json_is_string(j) || !json_is_string(before))
            return fail_key(r, "text", wanted, e);
        if (!r->answers_only)
            TRY(add_turn(t, TURN_HUMAN, before, e));
        TRY(add_turn(t, TURN_GPT, j, e));
    }
    return 0;
}

static int read_plain(const struct reader *r, const json_t *item, struct text *t, struct err *e)
{
    const char *key = json_object_get(item, "text") ? "text" : "caption";
    const json_t *text = json_object_get(item, key), *given = json_object_get(item, "given");
    if (json_is_array(text))
        return read_pairs(r, given, text, t, e);
    if (!json_is_string(text))
        return fail_key(r, key, "a text", e);
    if (given && !json_is_string(given))
        return fail_key(r, "given", "a text", e);
    t->turns = calloc(2, sizeof *t->turns);
    if (!t->turns)
        return FAIL_NOMEM(e);
    if (given && !r->answers_only)
        TRY(add_turn(t, TURN_HUMAN, given, e));
    return add_turn(t, TURN_GPT, text, e);
}

static int read_text(const struct reader *r, const json_t *item, struct text *t, struct err *e)
{
    const json_t *turns = json_object_get(item, "conversations"), *j;
    size_t i;
    t->talk = turns && !r->answers_only;
    if (!turns)
        return read_plain(r, item, t, e);
    if (t->talk)
        TRY(read_seen(r, json_object_get(item, "seen"), turns, t, e));
    t->turns = calloc(json_array_size(turns) + 1, sizeof *t->turns);
    if (!t->turns)
        return FAIL_NOMEM(e);
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

/* How many ids the first n turns are. */
static int count_ids(const struct text *t, size_t n, const struct tokenizer *tokenizer, size_t *count, struct err *e)
{
    AUTO(ids_free) struct ids ids = { 0 };
    TRY(encode_line(t->turns, n, "", tokenizer, &ids, e));
    *count = ids.n;
    return 0;
}

static int encode_plain(const struct text *t, const struct tokenizer *tokenizer, size_t most, struct ids *out,
                        struct ids *labels, struct text_info *info, struct err *e)
{
    size_t begin = 0;
    TRY(encode_line(t->turns, t->n, "\n", tokenizer, out, e));
    if (out->n > most)
        out->n = most;
    for (size_t k = 0; k < t->n; k++) {
        size_t end = out->n;
        bool given = t->turns[k].from == TURN_HUMAN;
        if (k + 1 < t->n)
            TRY(count_ids(t, k + 1, tokenizer, &end, e));
        for (; begin < end && begin < out->n; begin++)
            TRY(ids_add(labels, given ? LABEL_IGNORED : out->v[begin], e));
        if (k == 0 && given) /* BOS is heard well */
            *info = (struct text_info){ .heard = 1, .unheard = begin };
    }
    return 0;
}

static int encode_talk(const struct text *t, const struct turn *turns, const struct tokenizer *tokenizer, size_t most,
                       struct ids *out, struct ids *labels, struct text_info *info, struct err *e)
{
    struct conversation_rules rules = { .template = CONVERSATION_VICUNA_V1, .max_length = most };
    struct conversation_info about = { 0 };
    TRY(conversation_encode(tokenizer, &rules, turns, t->n, t->seen != NULL, out, labels, &about, e));
    info->masked = about.mismatch;
    return 0;
}

/* Words in the place of IMAGE_TOKEN, as whoever builds a batch puts the connector's outputs there. */
static int show(const char *seen, const struct tokenizer *tokenizer, const struct ids *ids, const struct ids *labels,
                struct ids *out, struct ids *out_labels, struct text_info *info, struct err *e)
{
    size_t place = 0;
    while (place < ids->n && ids->v[place] != IMAGE_TOKEN)
        place++;
    TRY(ids_append(out, ids->v, place, e));
    TRY(ids_append(out_labels, labels->v, place, e));
    if (place == ids->n) /* cut before it */
        return 0;
    TRY(tokenizer_encode(tokenizer, seen, strlen(seen), false, out, e));
    for (size_t i = place; i < out->n; i++)
        TRY(ids_add(out_labels, LABEL_IGNORED, e));
    info->heard = place;
    info->unheard = out->n;
    TRY(ids_append(out, ids->v + place + 1, ids->n - place - 1, e));
    return ids_append(out_labels, labels->v + place + 1, ids->n - place - 1, e);
}

static int encode_seen(const struct text *t, const struct tokenizer *tokenizer, size_t most, struct ids *out,
                       struct ids *labels, struct text_info *info, struct err *e)
{
    AUTO(buf_free) struct buf first = BUF_INIT((size_t)1 << 24);
    AUTO(ids_free) struct ids ids = { 0 };
    AUTO(ids_free) struct ids ids_labels = { 0 };
    AUTO(free) struct turn *turns = calloc(t->n, sizeof *turns);
    if (!turns)
        return FAIL_NOMEM(e);
    memcpy(turns, t->turns, t->n * sizeof *turns);
    buf_puts(&first, CONVERSATION_IMAGE "\n");
    buf_add(&first, turns[0].text, turns[0].len);
    TRY(buf_check(&first, "a turn", e));
    turns[0] = (struct turn){ turns[0].from, buf_text(&first), first.len };
    TRY(encode_talk(t, turns, tokenizer, most, &ids, &ids_labels, info, e));
    return show(t->seen, tokenizer, &ids, &ids_labels, out, labels, info, e);
}

int text_encode(const struct text *t, const struct tokenizer *tokenizer, size_t most, struct ids *out,
                struct ids *labels, struct text_info *info, struct err *e)
{
    *info = (struct text_info){ 0 };
    if (t->seen)
        return encode_seen(t, tokenizer, most, out, labels, info, e);
    return t->talk ? encode_talk(t, t->turns, tokenizer, most, out, labels, info, e)
                   : encode_plain(t, tokenizer, most, out, labels, info, e);
}
