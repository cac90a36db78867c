/* tokenizer.json: as the library tokenizers 0.21 (AddedVocabulary, TokenizerImpl). */
#include "worker/text/fast.h"

#include <string.h>

#include "worker/data/json_text.h"

static const struct fast *self(const struct tokenizer *t)
{
    return (const struct fast *)t;
}

/* ---- encoding -----------------------------------------------------------------------------------------------------
 */

/* One text on its way through. */
struct run {
    const struct fast *t;
    struct bpe_scratch scratch;
    struct ids *out;
};

static void run_free_cleanup(struct run *r)
{
    bpe_scratch_free(&r->scratch);
}

static int take_word(void *ctx, struct slice word, struct err *e)
{
    struct run *r = ctx;
    return bpe_encode(r->t->bpe, word, &r->scratch, r->out, e);
}

/* White space of tokens that strip it: without the four separators that Python also counts. */
static bool strips(int32_t c)
{
    return unicode_is_space(c) && !(c >= 0x1c && c <= 0x1f);
}

static size_t space_before(struct slice s, size_t at)
{
    for (;;) {
        size_t size, from = at;
        while (from > 0 && at - from < 4 && ((uint8_t)s.text[from - 1] & 0xc0) == 0x80)
            from--;
        from -= from > 0;
        if (from == at || !strips(unicode_at(s.text + from, at - from, &size)))
            return at;
        at = from;
    }
}

static size_t space_behind(struct slice s, size_t at)
{
    size_t size;
    while (at < s.len && strips(unicode_at(s.text + at, s.len - at, &size)))
        at += size;
    return at;
}

/* Cut the text at a matcher's tokens; `take` gets what is between them. */
typedef int (*between_fn)(struct run *r, struct slice text, bool at_start, struct err *e);

static int cut(struct run *r, const struct added_matcher *m, struct slice s, bool at_start, between_fn take,
               struct err *e)
{
    const struct added_match *hit;
    size_t done = 0, from = 0, start;
    while ((hit = added_matcher_find(m, s, from, &start))) {
        size_t stop = from = start + hit->text.len;
        if (hit->token->lstrip) {
            size_t before = space_before(s, start);
            start = before > done ? before : done;
        }
        if (hit->token->rstrip)
            stop = space_behind(s, stop);
        if (done < start)
            TRY(take(r, (struct slice){ s.text + done, start - done }, at_start && done == 0, e));
        TRY(ids_add(r->out, hit->token->id, e));
        done = stop;
    }
    return done < s.len ? take(r, (struct slice){ s.text + done, s.len - done }, at_start && done == 0, e) : 0;
}

static int encode_normalized(struct run *r, struct slice text, bool at_start, struct err *e)
{
    return pretokenize(r->t->pretokenizer, text, at_start, take_word, r, e);
}

static int encode_raw(struct run *r, struct slice text, bool at_start, struct err *e)
{
    AUTO(buf_free) struct buf space = BUF_INIT(0);
    struct slice s;
    TRY(normalize(r->t->normalizer, text, &space, &s, e));
    return cut(r, &r->t->normalized, s, at_start, encode_normalized, e);
}

static int encode(const struct tokenizer *t, struct slice text, struct ids *out, struct err *e)
{
    AUTO(run_free) struct run r = { .t = self(t), .out = out };
    return cut(&r, &r.t->raw, text, true, encode_raw, e);
}

/* ---- decoding -----------------------------------------------------------------------------------------------------
 */

static int decode(const struct tokenizer *base, const int32_t *ids, size_t n, bool skip_special, struct buf *out,
                  struct err *e)
{
    const struct fast *t = self(base);
    size_t kept = 0;
    AUTO(free) struct slice *tokens = malloc(n * sizeof *tokens);
    if (!tokens)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        const struct added_token *a = added_tokens_by_id(&base->added, ids[i]);
        struct slice text = a ? (struct slice){ a->text, a->len } : bpe_text(t->bpe, ids[i]);
        if (text.text && !(skip_special && a && a->special))
            tokens[kept++] = text;
    }
    return kept ? token_decoder_run(t->decoder, tokens, kept, out, e) : 0;
}

/* ---- opening ------------------------------------------------------------------------------------------------------
 */

static int32_t find_id(const struct tokenizer *base, const char *token, size_t len)
{
    const struct added_token *a = added_tokens_by_text(&base->added, token, len);
    return a ? a->id : bpe_id(self(base)->bpe, (struct slice){ token, len });
}

static bool is_open(const struct tokenizer *base, int32_t id)
{
    const struct added_token *a = added_tokens_by_id(&base->added, id);
    return (a && a->special) || bpe_is_byte(self(base)->bpe, id);
}

static void close_fast(struct tokenizer *base)
{
    struct fast *t = (struct fast *)base;
    for (size_t i = 0; t->normalized_text && i < base->added.n; i++)
        free(t->normalized_text[i]);
    free(t->normalized_text);
    free(t->raw.v);
    free(t->normalized.v);
    normalizer_destroy(t->normalizer);
    pretokenizer_destroy(t->pretokenizer);
    token_decoder_destroy(t->decoder);
    bpe_destroy(t->bpe);
    tokenizer_base_free(base);
    free(t);
}

static const struct tokenizer_kind fast_kind = { close_fast, encode, decode, find_id, is_open };

/* The token of a role: as the config says, else by LLaMA's name where there is one. */
static int role_id(struct fast *t, const struct hf_tokens *hf, enum special_role role, const char *usual, int32_t *out,
                   struct err *e)
{
    const struct added_token *said = &hf->role[role];
    *out = said->len ? find_id(&t->base, said->text, said->len) : usual ? find_id(&t->base, usual, strlen(usual)) : -1;
    if (said->len && *out < 0)
        return FAIL(e, ERR_INPUT,
                    "%s: there is no token '%.60s', which tokenizer_config.json or special_tokens_map.json "
                    "beside it names",
                    t->base.name, said->text);
    return 0;
}

static int settle(struct fast *t, const struct hf_tokens *hf, struct err *e)
{
    const struct added_tokens *a = &t->base.added;
    const char *class = hf->tokenizer_class;
    TRY(role_id(t, hf, SPECIAL_BOS, "<s>", &t->base.bos, e));
    TRY(role_id(t, hf, SPECIAL_EOS, "</s>", &t->base.eos, e));
    TRY(role_id(t, hf, SPECIAL_UNK, "<unk>", &t->base.unk, e));
    TRY(role_id(t, hf, SPECIAL_PAD, NULL, &t->base.pad, e));
    if (!hf->role[SPECIAL_BOS].len && t->template_bos >= 0)
        t->base.bos = t->template_bos;
    t->base.add_bos = class && strncmp(class, "LlamaTokenizer", 14) == 0 ? hf->add_bos : t->template_bos >= 0;
    t->base.legacy = hf->legacy;
    t->base.clean_up = hf->clean_up;
    t->base.size = bpe_size(t->bpe);
    if (a->n && (size_t)a->v[a->n - 1].id >= t->base.size)
        t->base.size = (size_t)a->v[a->n - 1].id + 1;
    return 0;
}

static void fast_close_cleanup(struct fast **t)
{
    if (*t)
        close_fast(&(*t)->base);
}

struct tokenizer *fast_open(const char *text, size_t len, const char *name, const char *dir, struct err *e)
{
    AUTO(hf_tokens_free) struct hf_tokens hf = { 0 };
    AUTO(fast_close) struct fast *t = calloc(1, sizeof *t);
    if (!t || !(t->base.name = strdup(name)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    t->base.kind = &fast_kind;
    AUTO(json_decref) json_t *j = json_text_parse(text, len, name, e);
    if (!j || fast_parse(t, j, e) < 0 || hf_tokens_read(dir, false, &hf, e) < 0 || settle(t, &hf, e) < 0)
        return NULL;
    return &TAKE(t)->base;
}
