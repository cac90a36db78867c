#include <string.h>

#include "worker/text/fast.h"

static int fail_key(const struct fast *t, struct err *e, const char *key, const char *wanted)
{
    return FAIL(e, ERR_INPUT, "%s: %s must be %s", t->base.name, key, wanted);
}

static struct slice text_of(const json_t *v)
{
    return (struct slice){ json_string_value(v), json_string_length(v) };
}

/* ---- the model ----------------------------------------------------------------------------------------------------
 */

static int check_unsupported(const struct fast *t, const json_t *model, struct err *e)
{
    static const char *const keys[] = { "dropout", "continuing_subword_prefix", "end_of_word_suffix" };
    const json_t *type = json_object_get(model, "type");
    if (!json_is_object(model))
        return fail_key(t, e, "model", "an object");
    if (type && (!json_is_string(type) || strcmp(json_string_value(type), "BPE") != 0))
        return FAIL(e, ERR_INPUT, "%s: a model of type '%.40s' is not supported, only BPE", t->base.name,
                    json_is_string(type) ? json_string_value(type) : "");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const json_t *v = json_object_get(model, keys[i]);
        if (v && !json_is_null(v) && !(json_is_string(v) && !json_string_length(v)))
            return FAIL(e, ERR_INPUT, "%s: model.%s is not supported; it must be null", t->base.name, keys[i]);
    }
    return 0;
}

static int read_flag(const struct fast *t, const json_t *model, const char *key, bool *out, struct err *e)
{
    const json_t *v = json_object_get(model, key);
    if (v && !json_is_boolean(v) && !json_is_null(v))
        return fail_key(t, e, key, "true or false");
    *out = json_is_true(v);
    return 0;
}

static int read_vocab(struct fast *t, const json_t *vocab, struct err *e)
{
    const char *key;
    const json_t *v;
    json_object_foreach((json_t *)vocab, key, v)
    {
        json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
        if (id < 0 || id >= TOKEN_ID_MOST)
            return FAIL(e, ERR_INPUT, "%s: model.vocab: '%.60s' must have a token id", t->base.name, key);
        TRY(bpe_add_token(t->bpe, (struct slice){ key, strlen(key) }, (int32_t)id, t->base.name, e));
    }
    return 0;
}

/* "left right", or ["left", "right"]. */
static int read_merge(struct fast *t, const json_t *v, size_t i, struct err *e)
{
    const json_t *left = json_array_get(v, 0), *right = json_array_get(v, 1);
    if (json_array_size(v) == 2 && json_is_string(left) && json_is_string(right))
        return bpe_add_merge(t->bpe, text_of(left), text_of(right), t->base.name, e);
    struct slice s = text_of(v);
    const char *space = s.text ? memchr(s.text, ' ', s.len) : NULL;
    if (!space || strchr(space + 1, ' '))
        return FAIL(e, ERR_INPUT, "%s: model.merges: entry %zu must be \"left right\" or [\"left\", \"right\"]",
                    t->base.name, i);
    size_t left_len = (size_t)(space - s.text);
    AUTO(free) char *left_text = strndup(s.text, left_len); /* ends where it ends, for messages */
    if (!left_text)
        return FAIL_NOMEM(e);
    return bpe_add_merge(t->bpe, (struct slice){ left_text, left_len },
                         (struct slice){ space + 1, s.len - left_len - 1 }, t->base.name, e);
}

static int read_model(struct fast *t, const json_t *model, struct err *e)
{
    struct bpe_options o;
    const json_t *vocab = json_object_get(model, "vocab"), *merges = json_object_get(model, "merges"), *v;
    const json_t *unk = json_object_get(model, "unk_token");
    size_t i;
    TRY(check_unsupported(t, model, e));
    TRY(read_flag(t, model, "byte_fallback", &o.byte_fallback, e));
    TRY(read_flag(t, model, "fuse_unk", &o.fuse_unk, e));
    TRY(read_flag(t, model, "ignore_merges", &o.ignore_merges, e));
    if (!json_is_object(vocab) || !json_object_size(vocab) || !json_is_array(merges))
        return fail_key(t, e, "model.vocab and model.merges", "an object and a list");
    if (unk && !json_is_null(unk) && !json_is_string(unk))
        return fail_key(t, e, "model.unk_token", "a text or null");
    t->bpe = bpe_create(json_object_size(vocab), &o, e);
    if (!t->bpe || bpe_room_for_merges(t->bpe, json_array_size(merges), e) < 0)
        return -1;
    TRY(read_vocab(t, vocab, e));
    json_array_foreach(merges, i, v) TRY(read_merge(t, v, i, e));
    return bpe_finish(t->bpe, text_of(unk), t->base.name, e);
}

/* ---- added tokens -------------------------------------------------------------------------------------------------
 */

static int read_added(struct fast *t, const json_t *list, struct err *e)
{
    const json_t *v;
    size_t i;
    if (list && !json_is_array(list))
        return fail_key(t, e, "added_tokens", "a list");
    json_array_foreach(list, i, v)
    {
        struct added_token token;
        json_int_t id = json_is_integer(json_object_get(v, "id")) ? json_integer_value(json_object_get(v, "id")) : -1;
        if (id < 0 || id >= TOKEN_ID_MOST)
            return FAIL(e, ERR_INPUT, "%s: added_tokens: entry %zu must have an 'id'", t->base.name, i);
        TRY(added_token_parse(v, (int32_t)id, t->base.name, &token, e));
        int32_t known = bpe_id(t->bpe, (struct slice){ token.text, token.len });
        struct slice other = bpe_text(t->bpe, (int32_t)id);
        if ((known >= 0 && known != id) || (known < 0 && other.text))
            return FAIL(e, ERR_INPUT, "%s: added_tokens: '%.60s' has the id %d, which the vocabulary sees otherwise",
                        t->base.name, token.text, (int)id);
        if (token.single_word)
            return FAIL(e, ERR_INPUT, "%s: added_tokens: '%.60s': single_word is not supported", t->base.name,
                        token.text);
        TRY(added_tokens_put(&t->base.added, &token, t->base.name, e));
    }
    return 0;
}

static int normalize_texts(struct fast *t, struct err *e)
{
    const struct added_tokens *a = &t->base.added;
    t->normalized_text = calloc(a->n + 1, sizeof *t->normalized_text);
    if (!t->normalized_text)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < a->n; i++) {
        AUTO(buf_free) struct buf space = BUF_INIT(0);
        struct slice s;
        if (!a->v[i].normalized)
            continue;
        TRY(normalize(t->normalizer, (struct slice){ a->v[i].text, a->v[i].len }, &space, &s, e));
        t->normalized_text[i] = strndup(s.text, s.len);
        if (!t->normalized_text[i])
            return FAIL_NOMEM(e);
    }
    return 0;
}

static int make_matchers(struct fast *t, struct err *e)
{
    const struct added_tokens *a = &t->base.added;
    TRY(normalize_texts(t, e));
    struct added_match *raw = calloc(a->n + 1, sizeof *raw), *normalized = calloc(a->n + 1, sizeof *normalized);
    size_t n_raw = 0, n_normalized = 0;
    for (size_t i = 0; raw && normalized && i < a->n; i++) {
        const char *text = t->normalized_text[i];
        if (text)
            normalized[n_normalized++] = (struct added_match){ { text, strlen(text) }, &a->v[i] };
        else
            raw[n_raw++] = (struct added_match){ { a->v[i].text, a->v[i].len }, &a->v[i] };
    }
    added_matcher_make(&t->raw, raw, n_raw);
    added_matcher_make(&t->normalized, normalized, n_normalized);
    return raw && normalized ? 0 : FAIL_NOMEM(e);
}

/* ---- the post_processor: only a token in front --------------------------------------------------------------------
 */

static int read_template(struct fast *t, const json_t *j, struct err *e)
{
    const json_t *single = json_object_get(j, "single");
    size_t n = json_array_size(single);
    const json_t *last = n ? json_array_get(single, n - 1) : NULL;
    const json_t *front = n == 2 ? json_object_get(json_array_get(single, 0), "SpecialToken") : NULL;
    const json_t *id = json_object_get(front, "id");
    if (!json_object_get(last, "Sequence") || n > 2 || (n == 2 && !json_is_string(id)))
        return FAIL(e, ERR_INPUT, "%s: post_processor: only one special token in front of the text is supported",
                    t->base.name);
    if (!id)
        return 0;
    struct slice text = text_of(id);
    const struct added_token *a = added_tokens_by_text(&t->base.added, text.text, text.len);
    t->template_bos = a ? a->id : bpe_id(t->bpe, text);
    if (t->template_bos < 0)
        return FAIL(e, ERR_INPUT, "%s: post_processor: there is no token '%.60s'", t->base.name, text.text);
    return 0;
}

static int read_processor(struct fast *t, const json_t *j, struct err *e)
{
    const char *type = json_string_value(json_object_get(j, "type"));
    if (!j || json_is_null(j) || (type && strcmp(type, "ByteLevel") == 0)) /* ByteLevel's moves offsets only */
        return 0;
    if (type && strcmp(type, "TemplateProcessing") == 0)
        return read_template(t, j, e);
    return FAIL(e, ERR_INPUT, "%s: post_processor '%.40s' is not supported; TemplateProcessing and ByteLevel are",
                t->base.name, type ? type : "");
}

static int read_post_processor(struct fast *t, const json_t *j, struct err *e)
{
    const char *type = json_string_value(json_object_get(j, "type"));
    const json_t *v;
    size_t i;
    t->template_bos = -1;
    if (!type || strcmp(type, "Sequence") != 0)
        return read_processor(t, j, e);
    json_array_foreach(json_object_get(j, "processors"), i, v) TRY(read_processor(t, v, e));
    return 0;
}

int fast_parse(struct fast *t, const json_t *j, struct err *e)
{
    const char *name = t->base.name;
    TRY(read_model(t, json_object_get(j, "model"), e));
    t->normalizer = normalizer_parse(json_object_get(j, "normalizer"), name, e);
    t->pretokenizer = t->normalizer ? pretokenizer_parse(json_object_get(j, "pre_tokenizer"), name, e) : NULL;
    t->decoder = t->pretokenizer ? token_decoder_parse(json_object_get(j, "decoder"), name, e) : NULL;
    if (!t->decoder)
        return -1;
    TRY(read_added(t, json_object_get(j, "added_tokens"), e));
    TRY(make_matchers(t, e));
    return read_post_processor(t, json_object_get(j, "post_processor"), e);
}
