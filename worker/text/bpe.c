#include "worker/text/bpe.h"

#include <string.h>

#include "common/arena.h"
#include "common/map.h"
#include "worker/text/added_tokens.h" /* TOKEN_ID_MOST */

struct token {
    struct slice text;
    int32_t id;
};

/* An open-addressed table from a pair of ids to its merge. */
struct merge {
    int32_t left, right; /* left -1: free */
    int32_t whole;
    uint32_t rank;
};

struct bpe {
    struct bpe_options options;
    struct arena arena;
    struct map by_text; /* to struct token */
    struct token **by_id;
    size_t size, by_id_cap;
    struct merge *merges;
    size_t mask, merges_room;
    uint32_t n_merges;
    int32_t byte_id[256]; /* with byte_fallback; -1 where there is no token */
    int32_t ascii_id[128];
    int32_t unk;
    bool cuts; /* nothing is merged over the beginning of a U+2581 behind another character */
};

struct bpe_symbol {
    int32_t id;         /* -1: merged into its left neighbour */
    int32_t prev, next; /* places; -1 at the ends */
};

struct bpe_pair {
    uint32_t rank;
    int32_t left; /* place of the left symbol */
    int32_t left_id, right_id, whole;
};

void bpe_destroy(struct bpe *b)
{
    if (!b)
        return;
    map_free(&b->by_text);
    arena_free(&b->arena);
    free(b->by_id);
    free(b->merges);
    free(b);
}

struct bpe *bpe_create(size_t tokens, const struct bpe_options *o, struct err *e)
{
    AUTO(bpe_destroy) struct bpe *b = calloc(1, sizeof *b);
    if (!b)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    b->options = *o;
    b->by_id_cap = tokens ? tokens : 1;
    b->by_id = calloc(b->by_id_cap, sizeof(struct token *));
    if (!b->by_id || bpe_room_for_merges(b, 0, e) < 0)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return TAKE(b);
}

int bpe_room_for_merges(struct bpe *b, size_t n, struct err *e)
{
    size_t slots = 16;
    while (slots < 2 * n)
        slots *= 2;
    struct merge *merges = malloc(slots * sizeof *merges);
    if (!merges)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < slots; i++)
        merges[i].left = -1;
    free(b->merges);
    b->merges = merges;
    b->mask = slots - 1;
    b->merges_room = n;
    b->n_merges = 0;
    return 0;
}

/* ---- tokens -------------------------------------------------------------------------------------------------------
 */

static int room_for_id(struct bpe *b, size_t id, struct err *e)
{
    size_t cap = b->by_id_cap;
    while (cap <= id)
        cap *= 2;
    if (cap == b->by_id_cap)
        return 0;
    struct token **v = realloc(b->by_id, cap * sizeof *v);
    if (!v)
        return FAIL_NOMEM(e);
    memset(v + b->by_id_cap, 0, (cap - b->by_id_cap) * sizeof *v);
    b->by_id = v;
    b->by_id_cap = cap;
    return 0;
}

int bpe_add_token(struct bpe *b, struct slice text, int32_t id, const char *name, struct err *e)
{
    if (id < 0 || id >= TOKEN_ID_MOST)
        return FAIL(e, ERR_INPUT, "%s: token '%.60s' has the id %d; ids are 0 to %d", name, text.text, (int)id,
                    TOKEN_ID_MOST - 1);
    TRY(room_for_id(b, (size_t)id, e));
    if (b->by_id[id] || map_get(&b->by_text, text.text, text.len))
        return FAIL(e, ERR_INPUT, "%s: token '%.60s', id %d: the text or the id is there twice", name, text.text,
                    (int)id);
    struct token *t = arena_alloc(&b->arena, sizeof *t);
    char *copy = arena_text_n(&b->arena, text.text, text.len);
    if (!t || !copy)
        return FAIL_NOMEM(e);
    *t = (struct token){ { copy, text.len }, id };
    b->by_id[id] = t;
    if ((size_t)id >= b->size)
        b->size = (size_t)id + 1;
    return map_put(&b->by_text, copy, text.len, t, e);
}

size_t bpe_size(const struct bpe *b)
{
    return b->size;
}

int32_t bpe_id(const struct bpe *b, struct slice text)
{
    const struct token *t = map_get(&b->by_text, text.text, text.len);
    return t ? t->id : -1;
}

struct slice bpe_text(const struct bpe *b, int32_t id)
{
    return id >= 0 && (size_t)id < b->size && b->by_id[id] ? b->by_id[id]->text : (struct slice){ 0 };
}

bool bpe_is_byte(const struct bpe *b, int32_t id)
{
    for (size_t i = 0; b->options.byte_fallback && i < ARRAY_LEN(b->byte_id); i++)
        if (b->byte_id[i] == id)
            return id >= 0;
    return false;
}

/* The first U+2581 at `from` or behind it with another character before it; the end when there is none. */
static size_t next_cut(struct slice s, size_t from)
{
    const char *hit;
    while (from < s.len && (hit = memmem(s.text + from, s.len - from, UNICODE_UNDERLINE, UNICODE_UNDERLINE_LEN))) {
        size_t at = (size_t)(hit - s.text), before = UNICODE_UNDERLINE_LEN;
        if (at && !(at >= before && memcmp(hit - before, UNICODE_UNDERLINE, before) == 0))
            return at;
        from = at + UNICODE_UNDERLINE_LEN;
    }
    return s.len;
}

/* With tokens like LLaMA's, words are merged each by itself, which keeps them in the cache. */
static bool can_cut(const struct bpe *b)
{
    if (bpe_id(b, (struct slice){ UNICODE_UNDERLINE, UNICODE_UNDERLINE_LEN }) < 0)
        return false;
    for (size_t i = 0; i < b->size; i++)
        if (b->by_id[i] && next_cut(b->by_id[i]->text, 0) < b->by_id[i]->text.len)
            return false;
    return true;
}

int bpe_finish(struct bpe *b, struct slice unk, const char *name, struct err *e)
{
    b->unk = -1;
    b->cuts = can_cut(b);
    if (unk.text && (b->unk = bpe_id(b, unk)) < 0)
        return FAIL(e, ERR_INPUT, "%s: the unknown token '%.60s' is not in the vocabulary", name, unk.text);
    for (int i = 0; i < 128; i++)
        b->ascii_id[i] = bpe_id(b, (struct slice){ &(char){ (char)i }, 1 });
    for (int i = 0; i < 256; i++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", i);
        b->byte_id[i] = b->options.byte_fallback ? bpe_id(b, (struct slice){ text, 6 }) : -1;
    }
    return 0;
}

/* ---- merges -------------------------------------------------------------------------------------------------------
 */

static size_t slot_of(const struct bpe *b, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(h >> 32) & b->mask;
    while (b->merges[at].left >= 0 && (b->merges[at].left != left || b->merges[at].right != right))
        at = (at + 1) & b->mask;
    return at;
}

int bpe_add_pair(struct bpe *b, int32_t left, int32_t right, int32_t whole, uint32_t rank, struct err *e)
{
    if (b->n_merges >= b->merges_room)
        return FAIL(e, ERR_BUG, "more merges than were announced");
    /* A pair that comes again counts by its last rank, as in the reference. */
    b->merges[slot_of(b, left, right)] = (struct merge){ left, right, whole, rank };
    b->n_merges++;
    return 0;
}

int bpe_add_merge(struct bpe *b, struct slice left, struct slice right, const char *name, struct err *e)
{
    AUTO(buf_free) struct buf whole = BUF_INIT(1 << 20);
    buf_add(&whole, left.text, left.len);
    buf_add(&whole, right.text, right.len);
    TRY(buf_check(&whole, name, e));
    int32_t l = bpe_id(b, left), r = bpe_id(b, right), w = bpe_id(b, (struct slice){ buf_text(&whole), whole.len });
    if (l < 0 || r < 0 || w < 0)
        return FAIL(e, ERR_INPUT,
                    "%s: merge %u, '%.60s' and '%.60s': the parts and the whole must be in the vocabulary", name,
                    b->n_merges, left.text, right.text);
    return bpe_add_pair(b, l, r, w, b->n_merges, e);
}

void bpe_scratch_free(struct bpe_scratch *s)
{
    free(s->symbols);
    free(s->heap);
    *s = (struct bpe_scratch){ 0 };
}

static int add_symbol(struct bpe_scratch *s, int32_t id, struct err *e)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 64;
        struct bpe_symbol *v = realloc(s->symbols, cap * sizeof *v);
        if (!v)
            return FAIL_NOMEM(e);
        s->symbols = v;
        s->cap = cap;
    }
    s->symbols[s->n] = (struct bpe_symbol){ id, (int32_t)s->n - 1, (int32_t)s->n + 1 };
    s->n++;
    return 0;
}

/* The tokens of a character's bytes, where each of them has one. */
static int add_bytes(const struct bpe *b, struct slice c, struct bpe_scratch *s, bool *done, struct err *e)
{
    *done = false;
    for (size_t i = 0; i < c.len; i++)
        if (b->byte_id[(uint8_t)c.text[i]] < 0)
            return 0;
    for (size_t i = 0; i < c.len; i++)
        TRY(add_symbol(s, b->byte_id[(uint8_t)c.text[i]], e));
    *done = true;
    return 0;
}

static int split(const struct bpe *b, struct slice word, struct bpe_scratch *s, struct err *e)
{
    bool unknown = false, done;
    size_t size;
    s->n = 0;
    for (size_t at = 0; at < word.len; at += size) {
        int32_t c = unicode_at(word.text + at, word.len - at, &size);
        struct slice text = { word.text + at, size };
        int32_t id = c >= 0 && c < 128 ? b->ascii_id[c] : bpe_id(b, text);
        if (id >= 0) {
            TRY(add_symbol(s, id, e));
            unknown = false;
            continue;
        }
        TRY(add_bytes(b, text, s, &done, e));
        if (done) {
            unknown = false;
            continue;
        }
        if (b->unk >= 0 && !(unknown && b->options.fuse_unk))
            TRY(add_symbol(s, b->unk, e));
        unknown = b->unk >= 0;
    }
    return 0;
}

/* ---- the heap: lowest rank first, then leftmost -------------------------------------------------------------------
 */

static bool before(const struct bpe_pair *a, const struct bpe_pair *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static int push(struct bpe_scratch *s, struct bpe_pair pair, struct err *e)
{
    if (s->heap_n == s->heap_cap) {
        size_t cap = s->heap_cap ? 2 * s->heap_cap : 64;
        struct bpe_pair *v = realloc(s->heap, cap * sizeof *v);
        if (!v)
            return FAIL_NOMEM(e);
        s->heap = v;
        s->heap_cap = cap;
    }
    size_t at = s->heap_n++;
    for (; at > 0 && before(&pair, &s->heap[(at - 1) / 2]); at = (at - 1) / 2)
        s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = pair;
    return 0;
}

static struct bpe_pair pop(struct bpe_scratch *s)
{
    struct bpe_pair top = s->heap[0], last = s->heap[--s->heap_n];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < s->heap_n) {
        if (child + 1 < s->heap_n && before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!before(&s->heap[child], &last))
            break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = last;
    return top;
}

static int push_merge(const struct bpe *b, struct bpe_scratch *s, int32_t left, struct err *e)
{
    if (left < 0 || s->symbols[left].next < 0)
        return 0;
    int32_t l = s->symbols[left].id, r = s->symbols[s->symbols[left].next].id;
    const struct merge *m = &b->merges[slot_of(b, l, r)];
    return m->left < 0 ? 0 : push(s, (struct bpe_pair){ m->rank, left, l, r, m->whole }, e);
}

static int merge_all(const struct bpe *b, struct bpe_scratch *s, struct err *e)
{
    s->heap_n = 0;
    for (size_t i = 0; i + 1 < s->n; i++)
        TRY(push_merge(b, s, (int32_t)i, e));
    while (s->heap_n) {
        struct bpe_pair p = pop(s);
        struct bpe_symbol *left = &s->symbols[p.left];
        /* Either side may have been merged meanwhile. */
        if (left->id != p.left_id || left->next < 0 || s->symbols[left->next].id != p.right_id)
            continue;
        struct bpe_symbol *right = &s->symbols[left->next];
        left->id = p.whole;
        right->id = -1;
        left->next = right->next;
        if (left->next >= 0)
            s->symbols[left->next].prev = p.left;
        TRY(push_merge(b, s, left->prev, e));
        TRY(push_merge(b, s, p.left, e));
    }
    return 0;
}

static int encode_word(const struct bpe *b, struct slice word, struct bpe_scratch *s, struct ids *out, struct err *e)
{
    TRY(split(b, word, s, e));
    if (!s->n)
        return 0;
    s->symbols[s->n - 1].next = -1;
    TRY(merge_all(b, s, e));
    TRY(ids_reserve(out, s->n, e));
    for (int32_t i = 0; i >= 0; i = s->symbols[i].next)
        out->v[out->n++] = s->symbols[i].id;
    return 0;
}

int bpe_encode(const struct bpe *b, struct slice word, struct bpe_scratch *s, struct ids *out, struct err *e)
{
    int32_t whole = b->options.ignore_merges ? bpe_id(b, word) : -1;
    if (whole >= 0)
        return ids_add(out, whole, e);
    if (!b->cuts)
        return encode_word(b, word, s, out, e);
    for (size_t from = 0, to; from < word.len; from = to) {
        to = next_cut(word, from + 1);
        TRY(encode_word(b, (struct slice){ word.text + from, to - from }, s, out, e));
    }
    return 0;
}
