/* SentencePiece's BPE, id for id: neighbours are joined, the pair whose joint piece scores best first, from left to
 * right among equals, until no two neighbours make a piece; what no piece covers falls apart into bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/own.h"
#include "worker/text/sentencepiece_impl.h"
#include "worker/text/unicode.h"

#define MAX_TEXT ((size_t)1 << 30)

/* ---- preparing the text ---------------------------------------------------------------------------------------------
 */

/* Bytes of the longest user-defined piece that the text begins with; 0: none. */
static size_t user_piece(const struct sp_model *m, const char *text, size_t len)
{
    for (size_t n = len < m->longest_user ? len : m->longest_user; n > 0; n--) {
        int32_t id = sp_find(m, &m->mergeable, (struct sp_text){ text, n });
        if (id >= 0 && m->entries[id].kind == SP_USER)
            return n;
    }
    return 0;
}

static void put_space(const struct sp_model *m, struct buf *out)
{
    buf_puts(out, m->escape ? UNICODE_UNDERLINE : " ");
}

/* One character or user-defined piece; *space: was the last one white? Answers how many bytes of the text it was. */
static size_t put_chunk(const struct sp_model *m, const char *text, size_t len, bool *space, struct buf *out)
{
    size_t size = user_piece(m, text, len), whole = size;
    bool mended = !size && unicode_at(text, len, &whole) < 0;
    const char *chunk = mended ? UNICODE_REPLACEMENT : text;
    size_t n = mended ? strlen(UNICODE_REPLACEMENT) : whole, at = 0;
    while (*space && at < n && chunk[at] == ' ')
        at++;
    if (at < n)
        *space = chunk[n - 1] == ' ';
    for (; at < n; at++) {
        if (chunk[at] == ' ')
            put_space(m, out);
        else
            buf_add(out, chunk + at, 1);
    }
    if (!m->strip)
        *space = false;
    return whole;
}

static void drop_last_spaces(const struct sp_model *m, struct buf *b)
{
    const char *space = m->escape ? UNICODE_UNDERLINE : " ";
    size_t n = strlen(space);
    while (b->len >= n && memcmp(b->data + b->len - n, space, n) == 0)
        b->len -= n;
}

static void normalise(const struct sp_model *m, const char *text, size_t len, struct buf *out)
{
    while (m->strip && len > 0 && text[0] == ' ') {
        text++;
        len--;
    }
    if (len == 0)
        return;
    if (m->dummy_prefix && !m->suffix)
        put_space(m, out);
    bool space = m->strip;
    for (size_t at = 0; at < len && !out->failed;)
        at += put_chunk(m, text + at, len - at, &space, out);
    if (m->strip)
        drop_last_spaces(m, out);
    if (m->dummy_prefix && m->suffix)
        put_space(m, out);
}

/* ---- joining --------------------------------------------------------------------------------------------------------
 */

/* A piece of the text so far; joined ones leave their place empty. */
struct symbol {
    uint32_t at, len;
    int32_t prev, next; /* -1: none */
    bool frozen;        /* user-defined: never joined */
};

/* Two neighbours that would make a piece of `len` bytes. */
struct pair {
    int32_t left, right;
    float score;
    uint32_t len;
};

struct work {
    const struct sp_model *m;
    const char *text;
    struct symbol *symbols;
    size_t n;
    struct pair *heap;
    size_t pairs, room;
};

static bool is_before(const struct pair *a, const struct pair *b)
{
    return a->score > b->score || (a->score == b->score && a->left < b->left);
}

static bool push(struct work *w, struct pair p)
{
    if (w->pairs == w->room) {
        size_t room = w->room ? w->room * 2 : 64;
        struct pair *more = realloc(w->heap, room * sizeof *more);
        if (!more)
            return false;
        w->heap = more;
        w->room = room;
    }
    size_t i = w->pairs++;
    for (; i > 0 && is_before(&p, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = p;
    return true;
}

static struct pair pop(struct work *w)
{
    struct pair best = w->heap[0], last = w->heap[--w->pairs];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->pairs; i = child) {
        if (child + 1 < w->pairs && is_before(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (!is_before(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return best;
}

/* True also when they make no piece. */
static bool consider(struct work *w, int32_t left, int32_t right)
{
    if (left < 0 || right < 0 || w->symbols[left].frozen || w->symbols[right].frozen)
        return true;
    const struct symbol *a = &w->symbols[left], *b = &w->symbols[right];
    int32_t id = sp_find(w->m, &w->m->mergeable, (struct sp_text){ w->text + a->at, a->len + b->len });
    if (id < 0)
        return true;
    return push(w, (struct pair){ left, right, w->m->entries[id].score, a->len + b->len });
}

static bool split(struct work *w, size_t len)
{
    w->symbols = calloc(len + 1, sizeof *w->symbols);
    if (!w->symbols)
        return false;
    for (size_t at = 0; at < len;) {
        size_t user = user_piece(w->m, w->text + at, len - at), n = user;
        if (!user)
            unicode_at(w->text + at, len - at, &n);
        w->symbols[w->n] = (struct symbol){ .at = (uint32_t)at,
                                            .len = (uint32_t)n,
                                            .prev = (int32_t)w->n - 1,
                                            .next = at + n < len ? (int32_t)w->n + 1 : -1,
                                            .frozen = user > 0 };
        w->n++;
        at += n;
    }
    return true;
}

static bool join_all(struct work *w)
{
    for (size_t i = 1; i < w->n; i++)
        if (!consider(w, (int32_t)i - 1, (int32_t)i))
            return false;
    while (w->pairs > 0) {
        struct pair p = pop(w);
        struct symbol *a = &w->symbols[p.left], *b = &w->symbols[p.right];
        if (a->len == 0 || b->len == 0 || a->len + b->len != p.len)
            continue; /* one of them was joined otherwise since */
        a->len = p.len;
        b->len = 0;
        a->next = b->next;
        if (b->next >= 0)
            w->symbols[b->next].prev = p.left;
        if (!consider(w, a->prev, p.left) || !consider(w, p.left, a->next))
            return false;
    }
    return true;
}

/* ---- ids ------------------------------------------------------------------------------------------------------------
 */

struct taker {
    const struct sp_model *m;
    int (*take)(void *ctx, int32_t id);
    void *ctx;
    bool unknown; /* the last one was unknown: the next unknown one belongs to it */
};

static int give_unknown(struct taker *t, struct sp_text piece)
{
    for (size_t i = 0; t->m->byte_fallback && i < piece.len; i++)
        if (t->take(t->ctx, t->m->bytes[(uint8_t)piece.text[i]]) < 0)
            return -1;
    if (t->m->byte_fallback)
        return 0;
    bool again = t->unknown;
    t->unknown = true;
    return again ? 0 : t->take(t->ctx, t->m->unk);
}

static int give(struct taker *t, struct sp_text piece)
{
    int32_t id = sp_find(t->m, &t->m->reserved, piece); /* text that spells "<s>" in one character there is none */
    if (id < 0)
        id = sp_find(t->m, &t->m->mergeable, piece);
    if (id < 0 || id == t->m->unk)
        return give_unknown(t, piece);
    t->unknown = false;
    return t->take(t->ctx, id);
}

static int encode(const struct sp_model *m, struct sp_text text, struct taker *t, char *why, size_t why_size)
{
    struct work w = { .m = m, .text = text.text };
    bool good = split(&w, text.len) && join_all(&w);
    int rc = 0;
    for (int32_t i = 0; good && rc == 0 && i >= 0 && w.n > 0; i = w.symbols[i].next)
        rc = give(t, (struct sp_text){ text.text + w.symbols[i].at, w.symbols[i].len });
    free(w.symbols);
    free(w.heap);
    if (!good)
        snprintf(why, why_size, "out of memory");
    return good ? rc : -1;
}

int sp_encode(const struct sp_model *m, const char *text, size_t len, int (*take)(void *ctx, int32_t id), void *ctx,
              char *why, size_t why_size)
{
    AUTO(buf_free) struct buf normal = BUF_INIT(MAX_TEXT);
    struct taker t = { .m = m, .take = take, .ctx = ctx };
    why[0] = '\0';
    normalise(m, text, len, &normal);
    if (normal.failed) {
        snprintf(why, why_size, "a text of %zu bytes is too long", len);
        return -1;
    }
    return encode(m, (struct sp_text){ buf_text(&normal), normal.len }, &t, why, why_size);
}

/* ---- and back -------------------------------------------------------------------------------------------------------
 */

struct decoder {
    const struct sp_model *m;
    struct buf *out;
    struct buf bytes; /* of byte pieces that no other piece has followed yet */
    bool stripped;    /* the space in front is gone */
};

static void end_bytes(struct decoder *d)
{
    unicode_mend(d->bytes.data, d->bytes.len, d->out);
    buf_clear(&d->bytes);
}

/* The space that preparing put in front goes; with `strip` all of those in front. */
static struct sp_text without_first_space(struct decoder *d, struct sp_text piece)
{
    bool first = !d->stripped && d->out->len == 0 && (d->m->dummy_prefix || d->m->strip);
    bool space =
        piece.len >= UNICODE_UNDERLINE_LEN && memcmp(piece.text, UNICODE_UNDERLINE, UNICODE_UNDERLINE_LEN) == 0;
    if (!first || !space)
        return piece;
    d->stripped = !d->m->strip;
    return (struct sp_text){ piece.text + UNICODE_UNDERLINE_LEN, piece.len - UNICODE_UNDERLINE_LEN };
}

static void decode_piece(struct decoder *d, struct sp_text piece)
{
    const struct sp_entry *p = &d->m->entries[sp_id(d->m, piece.text, piece.len)];
    if (p->kind == SP_BYTE) {
        buf_add(&d->bytes, &(char){ (char)strtol((char[]){ piece.text[3], piece.text[4], 0 }, NULL, 16) }, 1);
        return;
    }
    end_bytes(d);
    if (p->kind == SP_UNKNOWN) {
        bool itself = piece.len == p->piece.len && memcmp(piece.text, p->piece.text, piece.len) == 0;
        buf_add(d->out, itself ? d->m->unk_surface.text : piece.text, itself ? d->m->unk_surface.len : piece.len);
        return;
    }
    if (p->kind == SP_CONTROL)
        return;
    struct sp_text rest = without_first_space(d, piece);
    text_replace(rest.text, rest.len, (struct slice){ UNICODE_UNDERLINE, UNICODE_UNDERLINE_LEN },
                 (struct slice){ " ", 1 }, d->out);
}

int sp_decode(const struct sp_model *m, const struct sp_text *pieces, size_t n,
              int (*take)(void *ctx, const char *text, size_t len), void *ctx, char *why, size_t why_size)
{
    AUTO(buf_free) struct buf out = BUF_INIT(MAX_TEXT);
    struct decoder d = { .m = m, .out = &out, .bytes = BUF_INIT(MAX_TEXT) };
    why[0] = '\0';
    for (size_t i = 0; i < n && !out.failed; i++)
        decode_piece(&d, pieces[i]);
    end_bytes(&d);
    bool failed = out.failed || d.bytes.failed;
    buf_free(&d.bytes);
    if (!failed)
        return take(ctx, buf_text(&out), out.len);
    snprintf(why, why_size, "%zu pieces make a text that is too long", n);
    return -1;
}
