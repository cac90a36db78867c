/* tokenizer.model: as transformers' slow LlamaTokenizer over SentencePiece (models/llama/tokenization_llama.py and
 * tokenization_utils.py of 4.52). Where the code below looks odd, it follows them. */
#include <string.h>

#include "common/arena.h"
#include "worker/text/sentencepiece_shim.h"
#include "worker/text/sp_bpe.h"
#include "worker/text/tokenizer_impl.h"

/* Appended to a ModelProto this sets normalizer_spec.add_dummy_prefix (field 3 in field 3) to false: protobuf merges a
 * message field that comes twice. */
static const char no_dummy_prefix[] = { 0x1a, 0x02, 0x18, 0x00 };

struct slow_llama {
    struct tokenizer base;
    struct sp_model *sp;
    struct bpe *bpe; /* encodes in the place of `sp`, faster; or NULL */
    bool dummy_prefix;
    struct added_matcher matcher;
    bool add_prefix_space;
    struct slice unk_text;
    size_t unk_pieces; /* of unk_text when SentencePiece splits it as text */
    uint8_t *class;    /* by id, of enum token_class */
};

/* How decoding treats a token. */
enum token_class {
    TOKEN_SPECIAL = 1, /* in all_special_tokens: skip_special leaves it out */
    TOKEN_APART = 2,   /* decoded apart from its neighbours, with a space between */
};

static const struct slow_llama *self(const struct tokenizer *t)
{
    return (const struct slow_llama *)t;
}

static int sp_failed(const struct slow_llama *t, const char *why, struct err *e)
{
    return why[0] ? FAIL(e, ERR_INPUT, "%s: SentencePiece: %s", t->base.name, why) : -1;
}

/* ---- encoding -----------------------------------------------------------------------------------------------------
 */

struct taking {
    struct ids *out;
    struct err *e;
};

static int take_id(void *ctx, int32_t id)
{
    struct taking *t = ctx;
    return ids_add(t->out, id, t->e);
}

static int encode_pieces(const struct slow_llama *t, struct slice s, struct ids *out, struct err *e)
{
    if (t->bpe)
        return sp_bpe_encode(t->bpe, t->dummy_prefix, s, out, e);
    struct taking taking = { out, e };
    char why[200];
    if (sp_encode(t->sp, s.text, s.len, take_id, &taking, why, sizeof why) < 0)
        return sp_failed(t, why, e);
    return 0;
}

static bool begins_with(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && memcmp(s.text, prefix, n) == 0;
}

/* LlamaTokenizer._tokenize: without the dummy prefix, SentencePiece would strip a space at the beginning. */
static int encode_part(const struct slow_llama *t, struct slice s, struct ids *out, struct err *e)
{
    if (t->base.legacy || !(begins_with(s, UNICODE_UNDERLINE) || begins_with(s, " ")))
        return encode_pieces(t, s, out, e);
    AUTO(buf_free) struct buf text = BUF_INIT(4 * TOKENIZER_TEXT_MOST);
    size_t first = out->n;
    buf_add(&text, t->unk_text.text, t->unk_text.len);
    buf_add(&text, s.text, s.len);
    TRY(buf_check(&text, "a text to tokenize", e));
    TRY(encode_pieces(t, (struct slice){ text.data, text.len }, out, e));
    if (out->n - first >= t->unk_pieces) {
        out->n -= t->unk_pieces;
        memmove(out->v + first, out->v + first + t->unk_pieces, (out->n - first) * sizeof *out->v);
    }
    return 0;
}

/* A text cut at the added tokens: stretches of text, and between them tokens. */
struct part {
    struct slice text;
    const struct added_token *token; /* NULL: text */
};
struct parts {
    struct part *v;
    size_t n, cap;
    struct arena arena; /* of texts that were joined */
};

static void parts_free_cleanup(struct parts *p)
{
    free(p->v);
    arena_free(&p->arena);
}

static int add_part(struct parts *p, struct slice text, const struct added_token *token, struct err *e)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 8;
        struct part *v = realloc(p->v, cap * sizeof *v);
        if (!v)
            return FAIL_NOMEM(e);
        p->v = v;
        p->cap = cap;
    }
    p->v[p->n++] = (struct part){ text, token };
    return 0;
}

static int cut(const struct slow_llama *t, struct slice s, struct parts *p, struct err *e)
{
    const struct added_match *m;
    size_t from = 0, start;
    while ((m = added_matcher_find(&t->matcher, s, from, &start))) {
        if (start > from)
            TRY(add_part(p, (struct slice){ s.text + from, start - from }, NULL, e));
        TRY(add_part(p, (struct slice){ s.text + start, m->text.len }, m->token, e));
        from = start + m->text.len;
    }
    return from < s.len ? add_part(p, (struct slice){ s.text + from, s.len - from }, NULL, e) : 0;
}

static int join(struct parts *p, struct slice a, struct slice b, struct slice *out, struct err *e)
{
    char *text = arena_array(&p->arena, a.len + b.len + 1, 1);
    if (!text)
        return FAIL_NOMEM(e);
    memcpy(text, a.text, a.len);
    memcpy(text + a.len, b.text, b.len);
    *out = (struct slice){ text, a.len + b.len };
    return 0;
}

/* What a token's flags do to its neighbours (PreTrainedTokenizer.tokenize). */
static int apply_flags(struct parts *p, size_t i, struct err *e)
{
    struct part *here = &p->v[i], *left = i > 0 ? here - 1 : NULL, *right = i + 1 < p->n ? here + 1 : NULL;
    const struct added_token *token = here->token;
    struct slice before = left ? left->text : (struct slice){ 0 }, after = right ? right->text : (struct slice){ 0 };
    if (token->rstrip && after.len)
        right->text = unicode_lstrip(after);
    if (token->lstrip && before.len)
        left->text = unicode_rstrip(before);
    if (!token->single_word)
        return 0;
    /* Within a word it is no token but text; which then may make a token beside it text too. */
    struct part *into = before.len && before.text[before.len - 1] != ' ' ? left
                        : after.len && after.text[0] != ' '              ? right
                                                                         : NULL;
    if (!into)
        return 0;
    TRY(into == left ? join(p, left->text, here->text, &left->text, e)
                     : join(p, here->text, right->text, &right->text, e));
    into->token = NULL;
    *here = (struct part){ { "", 0 }, NULL };
    return 0;
}

static bool is_special(const struct slow_llama *t, int32_t id)
{
    return t->class[id] & TOKEN_SPECIAL;
}

/* The space that was put in front of a special token goes again (LlamaTokenizer.tokenize). */
static void drop_prefix(const struct slow_llama *t, const struct added_token *second, size_t first, struct ids *out)
{
    int32_t space = sp_id(t->sp, UNICODE_UNDERLINE, UNICODE_UNDERLINE_LEN);
    if (t->base.legacy || !second || !is_special(t, second->id) || out->v[first] != space || space == sp_unk(t->sp))
        return;
    out->n--;
    memmove(out->v + first, out->v + first + 1, (out->n - first) * sizeof *out->v);
}

static int encode_cut(const struct slow_llama *t, struct slice text, struct ids *out, struct err *e)
{
    AUTO(parts_free) struct parts p = { 0 };
    const struct added_token *second = NULL;
    size_t first = out->n;
    TRY(cut(t, text, &p, e));
    for (size_t i = 0; i < p.n; i++)
        if (p.v[i].token)
            TRY(apply_flags(&p, i, e));
    for (size_t i = 0; i < p.n; i++) {
        if (p.v[i].token && out->n - first == 1)
            second = p.v[i].token;
        if (p.v[i].token)
            TRY(ids_add(out, p.v[i].token->id, e));
        else if (p.v[i].text.len)
            TRY(encode_part(t, p.v[i].text, out, e));
    }
    drop_prefix(t, second, first, out);
    return 0;
}

static int encode(const struct tokenizer *base, struct slice text, struct ids *out, struct err *e)
{
    const struct slow_llama *t = self(base);
    if (t->base.legacy)
        return encode_cut(t, text, out, e);
    AUTO(buf_free) struct buf b = BUF_INIT(4 * TOKENIZER_TEXT_MOST);
    if (t->add_prefix_space)
        buf_puts(&b, UNICODE_UNDERLINE);
    text_replace(text.text, text.len, (struct slice){ UNICODE_UNDERLINE, UNICODE_UNDERLINE_LEN },
                 (struct slice){ " ", 1 }, &b);
    TRY(buf_check(&b, "a text to tokenize", e));
    return encode_cut(t, (struct slice){ b.data, b.len }, out, e);
}

/* ---- decoding -----------------------------------------------------------------------------------------------------
 */

struct piece {
    struct sp_text text;
    bool special;
};

static struct sp_text token_text(const struct slow_llama *t, int32_t id)
{
    const struct added_token *a = added_tokens_by_id(&t->base.added, id);
    if (a)
        return (struct sp_text){ a->text, a->len };
    return (size_t)id < sp_size(t->sp) ? sp_piece(t->sp, id) : (struct sp_text){ "", 0 };
}

static int take_text(void *ctx, const char *text, size_t len)
{
    buf_add(ctx, text, len);
    return 0;
}

static int decode_pieces(const struct slow_llama *t, const struct piece *v, size_t n, struct buf *out, struct err *e)
{
    char why[200];
    AUTO(free) struct sp_text *texts = malloc((n + 1) * sizeof *texts);
    if (!texts)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        texts[i] = v[i].text;
    if (sp_decode(t->sp, texts, n, take_text, out, why, sizeof why) < 0)
        return sp_failed(t, why, e);
    return 0;
}

/* LlamaTokenizer.convert_tokens_to_string; n > 0. */
static int to_string(const struct slow_llama *t, struct piece *v, size_t n, struct buf *out, struct err *e)
{
    size_t from = 0;
    bool after_special = false;
    struct slice first = { v[0].text.text, v[0].text.len };
    if (t->add_prefix_space && begins_with(first, UNICODE_UNDERLINE)) {
        v[0].text.text += UNICODE_UNDERLINE_LEN;
        v[0].text.len -= UNICODE_UNDERLINE_LEN;
    }
    for (size_t i = 0; i < n; i++) {
        struct slice s = { v[i].text.text, v[i].text.len };
        if (!v[i].special) {
            if (after_special && i == 1 && t->add_prefix_space && !begins_with(s, UNICODE_UNDERLINE))
                buf_puts(out, " ");
            after_special = false;
            continue;
        }
        if (!after_special && i != 0 && t->base.legacy)
            buf_puts(out, " ");
        TRY(decode_pieces(t, v + from, i - from, out, e));
        buf_add(out, s.text, s.len);
        after_special = true;
        from = i + 1;
    }
    return decode_pieces(t, v + from, n - from, out, e);
}

/* The texts so far, joined with spaces (PreTrainedTokenizer._decode). */
struct joined {
    struct buf *out;
    size_t n;
};

static int flush(const struct slow_llama *t, struct piece *v, size_t *n, bool last, struct joined *j, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(TOKENIZER_TEXT_MOST);
    if (*n == 0)
        return 0;
    TRY(to_string(t, v, *n, &text, e));
    TRY(buf_check(&text, "a decoded text", e));
    *n = 0;
    if (!text.len && !last)
        return 0;
    buf_puts(j->out, j->n++ ? " " : "");
    buf_add(j->out, buf_text(&text), text.len);
    return 0;
}

static int decode(const struct tokenizer *base, const int32_t *ids, size_t n, bool skip_special, struct buf *out,
                  struct err *e)
{
    const struct slow_llama *t = self(base);
    struct joined joined = { out, 0 };
    size_t pending = 0;
    AUTO(free) struct piece *v = malloc(n * sizeof *v);
    if (!v)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        uint8_t class = t->class[ids[i]];
        if (skip_special && class & TOKEN_SPECIAL)
            continue;
        struct sp_text text = token_text(t, ids[i]);
        if (!(class & TOKEN_APART)) {
            v[pending++] = (struct piece){ text, class & TOKEN_SPECIAL };
            continue;
        }
        TRY(flush(t, v, &pending, false, &joined, e));
        buf_puts(out, joined.n++ ? " " : "");
        buf_add(out, text.text, text.len);
    }
    return flush(t, v, &pending, true, &joined, e);
}

/* ---- opening ------------------------------------------------------------------------------------------------------
 */

static int32_t find_id(const struct tokenizer *base, const char *token, size_t len)
{
    const struct slow_llama *t = self(base);
    const struct added_token *a = added_tokens_by_text(&base->added, token, len);
    if (a)
        return a->id;
    int32_t id = sp_id(t->sp, token, len);
    struct sp_text text = sp_piece(t->sp, id);
    return text.len == len && memcmp(text.text, token, len) == 0 ? id : -1;
}

static bool is_open(const struct tokenizer *base, int32_t id)
{
    const struct slow_llama *t = self(base);
    return is_special(t, id) || ((size_t)id < sp_size(t->sp) && sp_is_byte(t->sp, id));
}

static void close_slow(struct tokenizer *base)
{
    struct slow_llama *t = (struct slow_llama *)base;
    if (t->sp)
        sp_close(t->sp);
    bpe_destroy(t->bpe);
    free(t->matcher.v);
    free(t->class);
    tokenizer_base_free(base);
    free(t);
}

static const struct tokenizer_kind slow_kind = { close_slow, encode, decode, find_id, is_open };

static int check_settings(const struct hf_tokens *hf, const char *dir, struct err *e)
{
    const char *class = hf->tokenizer_class;
    if (class && strcmp(class, "LlamaTokenizer") != 0 && strcmp(class, "LlamaTokenizerFast") != 0)
        return FAIL(e, ERR_INPUT,
                    "%s/tokenizer_config.json: tokenizer_class is '%.60s'; beside tokenizer.model only "
                    "LlamaTokenizer is supported",
                    dir, class);
    if (hf->add_eos)
        return FAIL(e, ERR_INPUT, "%s/tokenizer_config.json: add_eos_token is true, which is not supported", dir);
    if (!hf->role[SPECIAL_UNK].len)
        return FAIL(e, ERR_INPUT, "%s/tokenizer_config.json: an 'unk_token' is needed", dir);
    return 0;
}

/* The id of a special token: its own, its piece's, or the next free one (PreTrainedTokenizer._add_tokens). */
static int add_special(struct slow_llama *t, const struct added_token *token, struct err *e)
{
    struct added_token added = *token;
    if (!token->len)
        return 0;
    added.id = find_id(&t->base, token->text, token->len);
    if (added.id < 0) {
        added.id = (int32_t)sp_size(t->sp);
        for (size_t i = 0; i < t->base.added.n; i++) {
            const struct added_token *a = &t->base.added.v[i];
            int32_t piece = sp_id(t->sp, a->text, a->len);
            struct sp_text text = sp_piece(t->sp, piece);
            added.id += text.len != a->len || memcmp(text.text, a->text, a->len) != 0;
        }
    }
    return added_tokens_put(&t->base.added, &added, t->base.name, e);
}

static int32_t role_id(const struct slow_llama *t, const struct added_token *role)
{
    return role->len ? find_id(&t->base, role->text, role->len) : -1;
}

static int add_specials(struct slow_llama *t, struct hf_tokens *hf, struct err *e)
{
    t->base.added = hf->added;
    hf->added = (struct added_tokens){ 0 };
    for (size_t i = 0; i < SPECIAL_ROLES; i++)
        TRY(add_special(t, &hf->role[i], e));
    for (size_t i = 0; i < hf->n_more; i++)
        TRY(add_special(t, &hf->more[i], e));
    t->base.bos = role_id(t, &hf->role[SPECIAL_BOS]);
    t->base.eos = role_id(t, &hf->role[SPECIAL_EOS]);
    t->base.unk = role_id(t, &hf->role[SPECIAL_UNK]);
    t->base.pad = role_id(t, &hf->role[SPECIAL_PAD]);
    return 0;
}

static void mark(struct slow_llama *t, const struct added_token *token, bool more)
{
    if (!token->len)
        return;
    int32_t id = find_id(&t->base, token->text, token->len);
    t->class[id] = more && (size_t)id >= sp_size(t->sp) ? TOKEN_SPECIAL | TOKEN_APART : TOKEN_SPECIAL;
}

static int classify(struct slow_llama *t, const struct hf_tokens *hf, struct err *e)
{
    const struct added_tokens *added = &t->base.added;
    struct added_match *v = calloc(added->n + 1, sizeof *v);
    t->base.size = sp_size(t->sp);
    if (added->n && (size_t)added->v[added->n - 1].id >= t->base.size)
        t->base.size = (size_t)added->v[added->n - 1].id + 1;
    t->class = calloc(t->base.size, 1);
    if (!v || !t->class) {
        free(v);
        return FAIL_NOMEM(e);
    }
    for (size_t i = 0; i < added->n; i++) {
        v[i] = (struct added_match){ { added->v[i].text, added->v[i].len }, &added->v[i] };
        t->class[added->v[i].id] = TOKEN_APART;
    }
    added_matcher_make(&t->matcher, v, added->n);
    for (size_t i = 0; i < SPECIAL_ROLES; i++)
        mark(t, &hf->role[i], false);
    for (size_t i = 0; i < hf->n_more; i++)
        mark(t, &hf->more[i], true);
    return 0;
}

static int load_model(struct slow_llama *t, const char *bytes, size_t len, struct err *e)
{
    char why[400];
    AUTO(buf_free) struct buf b = BUF_INIT(len + sizeof no_dummy_prefix);
    buf_add(&b, bytes, len);
    if (!t->base.legacy)
        buf_add(&b, no_dummy_prefix, sizeof no_dummy_prefix);
    TRY(buf_check(&b, t->base.name, e));
    t->sp = sp_open(buf_text(&b), b.len, why, sizeof why);
    if (!t->sp)
        return FAIL(e, ERR_INPUT, "%s: not a SentencePiece model: %s", t->base.name, why);
    if (sp_size(t->sp) == 0 || sp_size(t->sp) > TOKEN_ID_MOST)
        return FAIL(e, ERR_INPUT, "%s: a SentencePiece model of %zu pieces", t->base.name, sp_size(t->sp));
    return sp_bpe_make(buf_text(&b), b.len, t->base.name, &t->bpe, &t->dummy_prefix, e);
}

static void slow_close_cleanup(struct slow_llama **t)
{
    if (*t)
        close_slow(&(*t)->base);
}

struct tokenizer *slow_llama_open(const char *bytes, size_t len, const char *name, const char *dir, struct err *e)
{
    AUTO(hf_tokens_free) struct hf_tokens hf = { 0 };
    if (hf_tokens_read(dir, true, &hf, e) < 0 || check_settings(&hf, dir, e) < 0)
        return NULL;
    AUTO(slow_close) struct slow_llama *t = calloc(1, sizeof *t);
    if (!t || !(t->base.name = strdup(name)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    t->base.kind = &slow_kind;
    t->base.legacy = hf.legacy;
    t->base.clean_up = hf.clean_up;
    t->base.add_bos = hf.add_bos;
    t->add_prefix_space = hf.add_prefix_space;
    if (load_model(t, bytes, len, e) < 0 || add_specials(t, &hf, e) < 0 || classify(t, &hf, e) < 0)
        return NULL;
    struct sp_text unk = token_text(t, t->base.unk);
    AUTO(ids_free) struct ids pieces = { 0 };
    t->unk_text = (struct slice){ unk.text, unk.len };
    if (encode_pieces(t, t->unk_text, &pieces, e) < 0)
        return NULL;
    t->unk_pieces = pieces.n;
    return &TAKE(t)->base;
}
