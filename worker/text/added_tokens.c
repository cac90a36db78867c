#include "worker/text/added_tokens.h"

#include <string.h>

void added_tokens_free(struct added_tokens *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->v[i].text);
    free(a->v);
    *a = (struct added_tokens){ 0 };
}

const struct added_token *added_tokens_by_text(const struct added_tokens *a, const char *text, size_t len)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].len == len && memcmp(a->v[i].text, text, len) == 0)
            return &a->v[i];
    return NULL;
}

/* Kept in the order of ids, so that a search is short. */
static size_t place_of(const struct added_tokens *a, int32_t id)
{
    size_t low = 0, high = a->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (a->v[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct added_token *added_tokens_by_id(const struct added_tokens *a, int32_t id)
{
    size_t at = place_of(a, id);
    return at < a->n && a->v[at].id == id ? &a->v[at] : NULL;
}

static int make_room(struct added_tokens *a, size_t at, struct err *e)
{
    if (a->n == a->cap) {
        size_t cap = a->cap ? 2 * a->cap : 16;
        struct added_token *v = realloc(a->v, cap * sizeof *v);
        if (!v)
            return FAIL_NOMEM(e);
        a->v = v;
        a->cap = cap;
    }
    memmove(a->v + at + 1, a->v + at, (a->n - at) * sizeof *a->v);
    a->v[at] = (struct added_token){ 0 };
    a->n++;
    return 0;
}

int added_tokens_put(struct added_tokens *a, const struct added_token *token, const char *name, struct err *e)
{
    const struct added_token *same = added_tokens_by_text(a, token->text, token->len);
    if (same && same->id != token->id)
        return FAIL(e, ERR_INPUT, "%s: the added token '%.60s' has two ids, %d and %d", name, token->text,
                    (int)same->id, (int)token->id);
    AUTO(free) char *text = malloc(token->len + 1);
    if (!text)
        return FAIL_NOMEM(e);
    memcpy(text, token->text, token->len);
    text[token->len] = '\0';
    size_t at = place_of(a, token->id);
    if (at == a->n || a->v[at].id != token->id)
        TRY(make_room(a, at, e));
    free(a->v[at].text);
    a->v[at] = *token;
    a->v[at].text = TAKE(text);
    return 0;
}

static int read_flag(const json_t *j, const char *key, bool missing, const char *name, bool *out, struct err *e)
{
    const json_t *v = json_object_get(j, key);
    if (v && !json_is_boolean(v))
        return FAIL(e, ERR_INPUT, "%s: '%s' of an added token must be true or false", name, key);
    *out = v ? json_is_true(v) : missing;
    return 0;
}

int added_token_parse(const json_t *j, int32_t id, const char *name, struct added_token *out, struct err *e)
{
    const json_t *content = json_object_get(j, "content");
    if (!json_is_string(content))
        return FAIL(e, ERR_INPUT, "%s: an added token must be an object with a text 'content'", name);
    *out = (struct added_token){ .text = (char *)json_string_value(content),
                                 .len = json_string_length(content),
                                 .id = id };
    TRY(read_flag(j, "special", false, name, &out->special, e));
    TRY(read_flag(j, "normalized", !out->special, name, &out->normalized, e));
    TRY(read_flag(j, "single_word", false, name, &out->single_word, e));
    TRY(read_flag(j, "lstrip", false, name, &out->lstrip, e));
    return read_flag(j, "rstrip", false, name, &out->rstrip, e);
}

/* ---- matching -----------------------------------------------------------------------------------------------------
 */

static int by_first_and_length(const void *pa, const void *pb)
{
    const struct added_match *a = pa, *b = pb;
    uint8_t x = (uint8_t)a->text.text[0], y = (uint8_t)b->text.text[0];
    if (x != y)
        return x < y ? -1 : 1;
    if (a->text.len != b->text.len)
        return a->text.len > b->text.len ? -1 : 1;
    return a->token->id < b->token->id ? -1 : a->token->id > b->token->id;
}

void added_matcher_make(struct added_matcher *m, struct added_match *v, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (v[i].text.len)
            v[kept++] = v[i];
    if (kept)
        qsort(v, kept, sizeof *v, by_first_and_length);
    *m = (struct added_matcher){ .v = v, .n = kept };
    for (size_t i = 0; i < kept; i++)
        m->first[(uint8_t)v[i].text.text[0] + 1]++;
    for (size_t b = 0; b < 256; b++)
        m->first[b + 1] += m->first[b];
}

const struct added_match *added_matcher_find(const struct added_matcher *m, struct slice text, size_t from,
                                             size_t *start)
{
    for (size_t at = from; m->n && at < text.len; at++) {
        uint8_t b = (uint8_t)text.text[at];
        for (uint32_t i = m->first[b]; i < m->first[b + 1]; i++) {
            const struct slice *t = &m->v[i].text;
            if (t->len <= text.len - at && memcmp(t->text, text.text + at, t->len) == 0) {
                *start = at;
                return &m->v[i];
            }
        }
    }
    return NULL;
}
