#include "worker/pretrain/bpe_learn.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "worker/text/ids.h"
#include "worker/text/unicode.h"

struct learner_word {
    struct ids tokens;
    int64_t times;
};
struct bpe_learner {
    struct names words;
    int64_t *times; /* [cap] */
    size_t cap;
};

void bpe_vocabulary_free(struct bpe_vocabulary *v)
{
    names_free(&v->tokens);
    free(v->merges);
    *v = (struct bpe_vocabulary){ 0 };
}

struct bpe_learner *bpe_learner_create(struct err *e)
{
    struct bpe_learner *l = calloc(1, sizeof *l);
    return l ? l : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}

void bpe_learner_destroy(struct bpe_learner *l)
{
    if (!l)
        return;
    names_free(&l->words);
    free(l->times);
    free(l);
}

/* ---- texts to words -------------------------------------------------------------------------------------------------
 */

static int count_word(struct bpe_learner *l, const char *word, size_t len, int64_t times, struct err *e)
{
    int64_t id = names_add(&l->words, word, len, e);
    if (id < 0)
        return -1;
    if (l->words.n > l->cap) {
        size_t cap = 2 * l->words.n;
        int64_t *more = realloc(l->times, cap * sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        memset(more + l->cap, 0, (cap - l->cap) * sizeof *more);
        l->times = more;
        l->cap = cap;
    }
    l->times[id] += times;
    return 0;
}

enum kind { NO_KIND, SPACE, LETTER, OTHER };

static enum kind kind_of(int32_t c)
{
    if (c == ' ')
        return SPACE;
    return c >= 0x80 || isalpha(c) ? LETTER : OTHER;
}

/* A word is a blank and letters, or either alone, or one character of any other kind; control characters are left to
 * bytes. */
int bpe_learner_add(struct bpe_learner *l, const char *text, size_t len, int64_t times, struct err *e)
{
    AUTO(buf_free) struct buf word = BUF_INIT((size_t)1 << 20);
    enum kind before = SPACE;
    buf_puts(&word, UNICODE_UNDERLINE); /* the one that is put before every text */
    for (size_t i = 0, size; i < len; i += size) {
        int32_t c = unicode_at(text + i, len - i, &size);
        enum kind kind = kind_of(c);
        if (word.len && (kind != LETTER || before == OTHER)) {
            TRY(count_word(l, word.data, word.len, times, e));
            buf_clear(&word);
        }
        if (c >= 0x20)
            c == ' ' ? buf_puts(&word, UNICODE_UNDERLINE) : buf_add(&word, text + i, size);
        before = kind;
    }
    TRY(buf_check(&word, "a word", e));
    return word.len ? count_word(l, word.data, word.len, times, e) : 0;
}

/* ---- the beginning: bytes and the alphabet --------------------------------------------------------------------------
 */

static int add_token(struct bpe_vocabulary *v, const char *text, struct err *e)
{
    return names_add(&v->tokens, text, strlen(text), e) < 0 ? -1 : 0;
}

static int add_fixed(struct bpe_vocabulary *v, struct err *e)
{
    char byte[8];
    TRY(add_token(v, "<unk>", e));
    TRY(add_token(v, "<s>", e));
    TRY(add_token(v, "</s>", e));
    for (int i = 0; i < 256; i++) {
        snprintf(byte, sizeof byte, "<0x%02X>", i);
        TRY(add_token(v, byte, e));
    }
    return 0;
}

static int spell(struct bpe_vocabulary *v, const char *text, struct ids *out, struct err *e)
{
    for (size_t i = 0, size, len = strlen(text); i < len; i += size) {
        unicode_at(text + i, len - i, &size);
        int64_t id = names_add(&v->tokens, text + i, size, e);
        if (id < 0)
            return -1;
        TRY(ids_add(out, (int32_t)id, e));
    }
    return 0;
}

/* ---- merging --------------------------------------------------------------------------------------------------------
 * Pairs are counted anew for each merge: words are few, for those that are the same are one. */

struct pair_count {
    uint64_t pair; /* left << 32 | right; with times 0: free */
    int64_t times;
};
struct merger {
    struct learner_word *words;
    size_t n;
    struct pair_count *table;
    size_t cap; /* a power of two, more than twice the pairs there can be */
};

static void merger_free_cleanup(struct merger *m)
{
    for (size_t i = 0; m->words && i < m->n; i++)
        ids_free(&m->words[i].tokens);
    free(m->words);
    free(m->table);
}

static int prepare(struct merger *m, const struct bpe_learner *l, struct bpe_vocabulary *v, struct err *e)
{
    size_t pairs = 0;
    m->words = calloc(l->words.n + 1, sizeof *m->words);
    if (!m->words)
        return FAIL_NOMEM(e);
    for (; m->n < l->words.n; m->n++) {
        m->words[m->n].times = l->times[m->n];
        TRY(spell(v, names_text(&l->words, m->n), &m->words[m->n].tokens, e));
        pairs += m->words[m->n].tokens.n;
    }
    for (m->cap = 64; m->cap < 2 * pairs;)
        m->cap *= 2;
    m->table = calloc(m->cap, sizeof *m->table);
    return m->table ? 0 : FAIL_NOMEM(e);
}

static void count_pair(struct merger *m, uint64_t pair, int64_t times)
{
    size_t at = (size_t)(pair * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (m->cap - 1);
    while (m->table[at].times && m->table[at].pair != pair)
        at = (at + 1) & (m->cap - 1);
    m->table[at].pair = pair;
    m->table[at].times += times;
}

/* The most frequent pair; of equals the one whose tokens are older. */
static struct pair_count best_pair(struct merger *m)
{
    struct pair_count best = { 0 };
    memset(m->table, 0, m->cap * sizeof *m->table);
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k + 1 < m->words[i].tokens.n; k++) {
            const int32_t *t = m->words[i].tokens.v + k;
            count_pair(m, (uint64_t)t[0] << 32 | (uint32_t)t[1], m->words[i].times);
        }
    for (size_t i = 0; i < m->cap; i++) {
        const struct pair_count *p = &m->table[i];
        if (p->times > best.times || (p->times && p->times == best.times && p->pair < best.pair))
            best = *p;
    }
    return best;
}

static void replace_pair(struct merger *m, struct bpe_merge pair, int32_t whole)
{
    for (size_t i = 0; i < m->n; i++) {
        struct ids *t = &m->words[i].tokens;
        size_t to = 0;
        for (size_t k = 0; k < t->n; k++) {
            bool here = k + 1 < t->n && t->v[k] == pair.left && t->v[k + 1] == pair.right;
            t->v[to++] = here ? whole : t->v[k];
            k += here;
        }
        t->n = to;
    }
}

static int merge(struct merger *m, struct bpe_vocabulary *v, uint64_t pair, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT((size_t)1 << 20);
    struct bpe_merge *p = &v->merges[v->n_merges++];
    *p = (struct bpe_merge){ (int32_t)(pair >> 32), (int32_t)(pair & UINT32_MAX) };
    buf_puts(&text, names_text(&v->tokens, (size_t)p->left));
    buf_puts(&text, names_text(&v->tokens, (size_t)p->right));
    TRY(buf_check(&text, "a token", e));
    int64_t whole = names_add(&v->tokens, text.data, text.len, e);
    if (whole < 0)
        return -1;
    replace_pair(m, *p, (int32_t)whole);
    return 0;
}

int bpe_learn(struct bpe_learner *l, size_t size, struct bpe_vocabulary *out, struct err *e)
{
    AUTO(merger_free) struct merger m = { 0 };
    size_t most = 2 * size; /* two merges may make one token, so there can be more of them */
    TRY(add_fixed(out, e));
    TRY(prepare(&m, l, out, e));
    if (out->tokens.n > size)
        return FAIL(e, ERR_INPUT,
                    "the texts have %zu different characters, so a vocabulary needs %zu tokens at least; raise --vocab",
                    out->tokens.n - BPE_ALPHABET, out->tokens.n);
    if (!(out->merges = calloc(most, sizeof *out->merges)))
        return FAIL_NOMEM(e);
    while (out->tokens.n < size && out->n_merges < most) {
        struct pair_count best = best_pair(&m);
        if (best.times < 2)
            break;
        TRY(merge(&m, out, best.pair, e));
    }
    return 0;
}
