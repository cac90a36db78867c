#include "worker/text/sp_bpe.h"

#include <math.h>
#include <string.h>

#define TEXT_MOST ((size_t)4 << 30)

/* ---- protocol buffers, as far as sentencepiece_model.proto needs them ---------------------------------------------
 */

struct wire {
    const uint8_t *p, *end;
    bool broken;
};

struct field {
    uint64_t number, value; /* value: of a varint */
    float real;             /* of four bytes */
    struct slice bytes;     /* of what has a length */
};

static uint64_t varint(struct wire *w)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && w->p < w->end; shift += 7) {
        uint8_t b = *w->p++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return v;
    }
    w->broken = true;
    return 0;
}

static const uint8_t *take(struct wire *w, uint64_t n)
{
    const uint8_t *p = w->p;
    if (n > (uint64_t)(w->end - w->p)) {
        w->broken = true;
        return NULL;
    }
    w->p += n;
    return p;
}

/* The next field; false at the end and where the bytes are none. */
static bool next_field(struct wire *w, struct field *f)
{
    enum { VARINT, EIGHT, LENGTH, FOUR = 5 };
    *f = (struct field){ 0 };
    if (w->broken || w->p == w->end)
        return false;
    uint64_t tag = varint(w);
    const uint8_t *p;
    f->number = tag >> 3;
    switch (tag & 7) {
    case VARINT:
        f->value = varint(w);
        break;
    case EIGHT:
        take(w, 8);
        break;
    case LENGTH:
        f->bytes.len = varint(w);
        f->bytes.text = (const char *)take(w, f->bytes.len);
        break;
    case FOUR:
        if ((p = take(w, 4)))
            memcpy(&f->real, p, 4);
        break;
    default:
        w->broken = true;
    }
    return !w->broken;
}

static struct wire wire_of(struct slice s)
{
    const uint8_t *p = (const uint8_t *)(s.text ? s.text : "");
    return (struct wire){ p, p + s.len, false };
}

/* ---- the model ----------------------------------------------------------------------------------------------------
 */

enum piece_type { PIECE_NORMAL = 1, PIECE_UNKNOWN, PIECE_CONTROL, PIECE_USER_DEFINED, PIECE_UNUSED, PIECE_BYTE };

struct piece {
    struct slice text;
    float score;
    uint64_t type;
    uint32_t rank;
};

/* With the defaults of the .proto. */
struct model {
    struct piece *pieces;
    size_t n, cap;
    uint64_t model_type, suffix, byte_fallback;
    uint64_t dummy_prefix, remove_spaces, escape;
    bool charsmap;
};

static void model_free_cleanup(struct model *m)
{
    free(m->pieces);
}

static int read_piece(struct model *m, struct slice bytes, bool *ok, struct err *e)
{
    struct wire w = wire_of(bytes);
    struct field f;
    if (m->n == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 1024;
        struct piece *v = realloc(m->pieces, cap * sizeof *v);
        if (!v)
            return FAIL_NOMEM(e);
        m->pieces = v;
        m->cap = cap;
    }
    struct piece *p = &m->pieces[m->n++];
    *p = (struct piece){ .type = PIECE_NORMAL };
    while (next_field(&w, &f)) {
        if (f.number == 1)
            p->text = f.bytes;
        else if (f.number == 2)
            p->score = f.real;
        else if (f.number == 3)
            p->type = f.value;
    }
    *ok &= !w.broken && p->text.len && !isnan(p->score) && unicode_valid(p->text.text, p->text.len) == p->text.len &&
           !memchr(p->text.text, 0, p->text.len);
    return 0;
}

static void read_trainer(struct model *m, struct slice bytes, bool *ok)
{
    struct wire w = wire_of(bytes);
    struct field f;
    while (next_field(&w, &f)) {
        if (f.number == 3)
            m->model_type = f.value;
        else if (f.number == 24)
            m->suffix = f.value;
        else if (f.number == 35)
            m->byte_fallback = f.value;
    }
    *ok &= !w.broken;
}

static void read_normalizer(struct model *m, struct slice bytes, bool *ok)
{
    struct wire w = wire_of(bytes);
    struct field f;
    while (next_field(&w, &f)) {
        if (f.number == 2)
            m->charsmap = f.bytes.len > 0;
        else if (f.number == 3)
            m->dummy_prefix = f.value;
        else if (f.number == 4)
            m->remove_spaces = f.value;
        else if (f.number == 5)
            m->escape = f.value;
    }
    *ok &= !w.broken;
}

/* *ok false: not of the kind, or not to be read. */
static int read_model(struct model *m, struct slice bytes, bool *ok, struct err *e)
{
    enum { MODEL_BPE = 2 };
    struct wire w = wire_of(bytes);
    struct field f;
    *m = (struct model){ .model_type = 1, .dummy_prefix = 1, .remove_spaces = 1, .escape = 1 };
    *ok = true;
    while (next_field(&w, &f)) {
        if (f.number == 1)
            TRY(read_piece(m, f.bytes, ok, e));
        else if (f.number == 2)
            read_trainer(m, f.bytes, ok);
        else if (f.number == 3)
            read_normalizer(m, f.bytes, ok);
    }
    *ok &= !w.broken && m->model_type == MODEL_BPE && !m->suffix && !m->charsmap && !m->remove_spaces && m->escape;
    return 0;
}

/* ---- pieces to tokens and merges ----------------------------------------------------------------------------------
 */

static int by_score(const void *pa, const void *pb)
{
    const struct piece *a = *(struct piece *const *)pa, *b = *(struct piece *const *)pb;
    return a->score > b->score ? -1 : a->score < b->score;
}

/* Better scores are merged first; equal ones from the left. */
static int rank(struct model *m, struct err *e)
{
    AUTO(free) struct piece **v = malloc((m->n + 1) * sizeof(struct piece *));
    uint32_t r = 0;
    if (!v)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < m->n; i++)
        v[i] = &m->pieces[i];
    qsort(v, m->n, sizeof(struct piece *), by_score);
    for (size_t i = 0; i < m->n; i++) {
        r += i > 0 && v[i]->score < v[i - 1]->score;
        v[i]->rank = r;
    }
    return 0;
}

/* The piece that stands for what is unknown, or NULL where the kinds of pieces are others than we do. */
static const struct piece *check_pieces(const struct model *m)
{
    const struct piece *unk = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const struct piece *p = &m->pieces[i];
        size_t size;
        if (p->type == PIECE_UNKNOWN) {
            unicode_at(p->text.text, p->text.len, &size);
            if (unk || size == p->text.len) /* a character in the text is not it */
                return NULL;
            unk = p;
        } else if (p->type != PIECE_NORMAL && p->type != PIECE_CONTROL && p->type != PIECE_BYTE) {
            return NULL;
        }
    }
    return unk;
}

static bool is_normal(const struct model *m, int32_t id)
{
    return id >= 0 && m->pieces[id].type == PIECE_NORMAL;
}

/* Each way in which a piece is made of two others is a merge of its rank. They are counted, and added. */
static int visit_merges(const struct model *m, size_t i, struct bpe *b, bool add, size_t *n, struct err *e)
{
    struct slice whole = m->pieces[i].text;
    size_t size;
    for (size_t at = 0; at < whole.len; at += size) {
        unicode_at(whole.text + at, whole.len - at, &size);
        int32_t left = at ? bpe_id(b, (struct slice){ whole.text, at }) : -1;
        int32_t right = at ? bpe_id(b, (struct slice){ whole.text + at, whole.len - at }) : -1;
        if (!is_normal(m, left) || !is_normal(m, right))
            continue;
        ++*n;
        if (add)
            TRY(bpe_add_pair(b, left, right, (int32_t)i, m->pieces[i].rank, e));
    }
    return 0;
}

/* The library also merges characters that are no pieces; with these models there are none in pieces. */
static bool has_characters(const struct model *m, size_t i, const struct bpe *b)
{
    struct slice text = m->pieces[i].text;
    size_t size;
    for (size_t at = 0; at < text.len; at += size) {
        unicode_at(text.text + at, text.len - at, &size);
        if (!is_normal(m, bpe_id(b, (struct slice){ text.text + at, size })))
            return false;
    }
    return true;
}

static int fill(const struct model *m, const struct piece *unk, struct bpe *b, const char *name, bool *ok,
                struct err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->pieces[i].type != PIECE_CONTROL)
            TRY(bpe_add_token(b, m->pieces[i].text, (int32_t)i, name, e));
    for (int add = 0; add < 2; add++) {
        for (size_t i = 0; *ok && i < m->n; i++) {
            if (m->pieces[i].type != PIECE_NORMAL)
                continue;
            *ok = has_characters(m, i, b);
            TRY(visit_merges(m, i, b, add, &n, e));
        }
        if (!add)
            TRY(bpe_room_for_merges(b, n, e));
    }
    return bpe_finish(b, unk->text, name, e);
}

int sp_bpe_make(const char *bytes, size_t len, const char *name, struct bpe **out, bool *dummy_prefix, struct err *e)
{
    AUTO(model_free) struct model m = { 0 };
    bool ok;
    *out = NULL;
    TRY(read_model(&m, (struct slice){ bytes, len }, &ok, e));
    const struct piece *unk = ok ? check_pieces(&m) : NULL;
    if (!unk)
        return 0;
    TRY(rank(&m, e));
    const struct bpe_options options = { .byte_fallback = m.byte_fallback, .fuse_unk = true };
    AUTO(bpe_destroy) struct bpe *b = bpe_create(m.n, &options, e);
    if (!b)
        return -1;
    TRY(fill(&m, unk, b, name, &ok, e));
    if (!ok)
        return 0;
    *dummy_prefix = m.dummy_prefix;
    *out = TAKE(b);
    return 0;
}

int sp_bpe_encode(const struct bpe *b, bool dummy_prefix, struct slice text, struct ids *out, struct err *e)
{
    AUTO(buf_free) struct buf marked = BUF_INIT(TEXT_MOST);
    AUTO(bpe_scratch_free) struct bpe_scratch scratch = { 0 };
    if (!text.len)
        return 0;
    if (dummy_prefix)
        buf_puts(&marked, UNICODE_UNDERLINE);
    text_replace(text.text, text.len, (struct slice){ " ", 1 },
                 (struct slice){ UNICODE_UNDERLINE, UNICODE_UNDERLINE_LEN }, &marked);
    TRY(buf_check(&marked, "a text to tokenize", e));
    return bpe_encode(b, (struct slice){ marked.data, marked.len }, &scratch, out, e);
}
