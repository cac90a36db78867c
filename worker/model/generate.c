#include "worker/model/generate.h"

#include <stdlib.h>

#include "worker/torch/th_train.h"

struct run {
    const struct llama *m;
    const struct generate_options *o;
    int64_t rows, longest;
    int64_t *lengths; /* of the prompts */
    int64_t *most;    /* (B) tokens that an answer may have */
    int64_t most_any; /* the greatest of them */
    int64_t *next;    /* (B) the tokens chosen last; 0 for rows that are done */
    int64_t left;     /* rows that are not done */
    struct generated *out;
    bool *done;
};

/* ---- which token ----------------------------------------------------------------------------------------------------
 */

/* logits (B,V) -> r->next: the smallest id among the most probable ones. */
static int choose(struct run *r, struct tensor *logits, struct err *e)
{
    TH_SCOPE(s);
    int64_t v = th_size(logits, 1);
    struct tensor *best = th_eq(logits, th_amax(logits, TH_DIMS(1), true));
    struct tensor *ids = th_arange(0, (double)v, 1, TH_I64, th_device_of(logits));
    struct tensor *none = th_full(TH_DIMS(1), (double)v, TH_I64, th_device_of(logits));
    th_read(th_amin(th_where(best, ids, none), TH_DIMS(1), false), TH_I64, r->next, r->rows);
    TRY(th_check(e));
    for (int64_t b = 0; b < r->rows; b++)
        if (r->next[b] >= v && !r->done[b])
            return FAIL(e, ERR_INPUT, "the decoder's numbers are not finite; its weights or inputs are damaged");
    return 0;
}

static bool is_stop(const struct run *r, int64_t token)
{
    const struct llama_config *c = llama_config(r->m);
    for (size_t i = 0; i < r->o->n_stop; i++)
        if (r->o->stop[i] == token)
            return true;
    for (int i = 0; r->o->n_stop == 0 && i < c->n_eos; i++)
        if (c->eos[i] == token)
            return true;
    return false;
}

static void finish_row(struct run *r, int64_t b, bool stopped)
{
    r->out[b].stopped = stopped;
    r->done[b] = true;
    r->left--;
}

/* Put the chosen tokens into the answers of rows that are not done. */
static int accept(struct run *r, struct err *e)
{
    for (int64_t b = 0; b < r->rows; b++) {
        struct generated *g = &r->out[b];
        if (r->done[b]) {
            r->next[b] = 0;
            continue;
        }
        if (is_stop(r, r->next[b])) {
            finish_row(r, b, true);
            continue;
        }
        g->tokens[g->n++] = (int32_t)r->next[b];
        if (r->o->token)
            TRY(r->o->token(r->o->arg, b, (int32_t)r->next[b], e));
        if ((int64_t)g->n == r->most[b])
            finish_row(r, b, false);
    }
    return 0;
}

/* hidden (B,N,D), of each row the state at[b] -> logits (B,V) */
static struct tensor *logits_at(const struct run *r, struct tensor *hidden, const int64_t *at)
{
    TH_SCOPE(s);
    int64_t n = th_size(hidden, 1);
    AUTO(free) int64_t *index = malloc((size_t)r->rows * sizeof *index);
    if (!index)
        return TH_FAIL(ERR_NOMEM, "out of memory");
    for (int64_t b = 0; b < r->rows; b++)
        index[b] = b * n + at[b];
    struct tensor *flat = th_reshape(hidden, TH_DIMS(r->rows * n, -1));
    struct tensor *which = th_from(index, TH_DIMS(r->rows), TH_I64, th_device_of(hidden));
    return th_return(&s, llama_logits(r->m, th_index_select(flat, 0, which)));
}

/* The tokens chosen last as embeddings, (B,1,D). */
static struct tensor *embed_next(const struct run *r)
{
    return llama_embed(r->m, th_from(r->next, TH_DIMS(r->rows, 1), TH_I64, llama_options(r->m).device));
}

/* ---- with a cache ---------------------------------------------------------------------------------------------------
 */

static int read_prompt(struct run *r, struct tensor *x, struct llama_cache *cache, struct err *e)
{
    TH_SCOPE(s);
    AUTO(free) int64_t *last = malloc((size_t)r->rows * sizeof *last);
    if (!last)
        return FAIL_NOMEM(e);
    for (int64_t b = 0; b < r->rows; b++)
        last[b] = r->lengths[b] - 1;
    struct tensor *h = llama_forward(r->m, x, (struct llama_pass){ .lengths = r->lengths, .cache = cache });
    TRY(choose(r, logits_at(r, h, last), e));
    return accept(r, e);
}

static int read_next(struct run *r, struct llama_cache *cache, struct err *e)
{
    TH_SCOPE(s);
    struct tensor *h = llama_forward(r->m, embed_next(r), (struct llama_pass){ .cache = cache }); /* (B,1,D) */
    TRY(choose(r, llama_logits(r->m, th_select(h, 1, 0)), e));
    return accept(r, e);
}

static int run_cached(struct run *r, struct tensor *x, struct err *e)
{
    AUTO(llama_cache_destroy)
    struct llama_cache *cache = llama_cache_create(r->m, r->rows, r->longest + r->most_any, e);
    if (!cache)
        return -1;
    TRY(read_prompt(r, x, cache, e));
    while (r->left > 0)
        TRY(read_next(r, cache, e));
    return 0;
}

/* ---- without --------------------------------------------------------------------------------------------------------
 */

/* Row b: its prompt, then the t tokens chosen so far, then padding. x (B,N,D), chosen (B,t,D) -> (B,N+t,D) */
static struct tensor *whole_text(const struct run *r, struct tensor *x, struct tensor *chosen, int64_t t)
{
    TH_SCOPE(s);
    int64_t n = r->longest, all = n + t;
    AUTO(free) int64_t *from = malloc((size_t)(r->rows * all) * sizeof *from);
    if (!from)
        return TH_FAIL(ERR_NOMEM, "out of memory");
    for (int64_t i = 0; i < r->rows * all; i++) {
        int64_t b = i / all, at = i % all, own = r->lengths[b];
        from[i] = b * all + (at < own ? at : at < own + t ? n + at - own : 0);
    }
    struct tensor *rows = th_reshape(th_cat(TH_LIST(x, chosen), 1), TH_DIMS(r->rows * all, -1));
    struct tensor *text = th_index_select(rows, 0, th_from(from, TH_DIMS(r->rows * all), TH_I64, th_device_of(x)));
    return th_return(&s, th_reshape(text, TH_DIMS(r->rows, all, -1)));
}

static int read_again(struct run *r, struct tensor *x, struct tensor *chosen, int64_t t, struct err *e)
{
    TH_SCOPE(s);
    AUTO(free) int64_t *last = malloc((size_t)r->rows * sizeof *last);
    if (!last)
        return FAIL_NOMEM(e);
    for (int64_t b = 0; b < r->rows; b++)
        last[b] = r->lengths[b] + t - 1;
    struct tensor *h = llama_forward(r->m, whole_text(r, x, chosen, t), (struct llama_pass){ 0 });
    TRY(choose(r, logits_at(r, h, last), e));
    return accept(r, e);
}

static int run_uncached(struct run *r, struct tensor *x, struct err *e)
{
    struct tensor *chosen = th_zeros(TH_DIMS(r->rows, 0, th_size(x, 2)), th_dtype_of(x), th_device_of(x));
    for (int64_t t = 0; r->left > 0; t++) {
        TRY(read_again(r, x, chosen, t, e));
        chosen = th_cat(TH_LIST(chosen, embed_next(r)), 1);
    }
    return th_check(e);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------
 */

static int prepare_row(struct run *r, int64_t b, int64_t length, int64_t n, struct err *e)
{
    int64_t context = r->o->context, most = r->o->max_new_tokens;
    if (length < 1 || length > n)
        return FAIL(e, ERR_BUG, "prompt %lld has %lld tokens of %lld", (long long)b, (long long)length, (long long)n);
    if (context && length >= context)
        return FAIL(e, ERR_INPUT, "a prompt of %lld tokens leaves no place for an answer: the decoder knows %lld positions",
                    (long long)length, (long long)context);
    r->lengths[b] = length;
    r->most[b] = context && most > context - length ? context - length : most;
    r->longest = length > r->longest ? length : r->longest;
    r->most_any = r->most[b] > r->most_any ? r->most[b] : r->most_any;
    return (r->out[b].tokens = malloc((size_t)r->most[b] * sizeof *r->out[b].tokens)) ? 0 : FAIL_NOMEM(e);
}

static int prepare(struct run *r, const int64_t *lengths, int64_t n, struct err *e)
{
    r->lengths = calloc((size_t)r->rows + 1, sizeof *r->lengths);
    r->most = calloc((size_t)r->rows + 1, sizeof *r->most);
    r->next = calloc((size_t)r->rows + 1, sizeof *r->next);
    r->done = calloc((size_t)r->rows + 1, sizeof *r->done);
    if (!r->lengths || !r->most || !r->next || !r->done)
        return FAIL_NOMEM(e);
    for (int64_t b = 0; b < r->rows; b++)
        TRY(prepare_row(r, b, lengths ? lengths[b] : n, n, e));
    return 0;
}

static int generate(struct run *r, struct tensor *x, const int64_t *lengths, struct err *e)
{
    TH_SCOPE(s);
    th_grad(false);
    TRY(prepare(r, lengths, th_size(x, 1), e));
    x = th_to(th_slice(x, 1, 0, r->longest), llama_options(r->m).dtype);
    return r->o->no_cache ? run_uncached(r, x, e) : run_cached(r, x, e);
}

int llama_generate(const struct llama *m, struct tensor *x, const int64_t *lengths, const struct generate_options *o,
                   struct generated *out, struct err *e)
{
    struct run r = { .m = m, .o = o, .rows = th_size(x, 0), .left = th_size(x, 0), .out = out };
    TRY(th_check(e));
    if (r.rows < 1 || o->max_new_tokens < 1)
        return FAIL(e, ERR_BUG, "nothing to generate: %lld rows, %lld tokens", (long long)r.rows,
                    (long long)o->max_new_tokens);
    for (int64_t b = 0; b < r.rows; b++)
        out[b] = (struct generated){ 0 };
    int rc = generate(&r, x, lengths, e);
    if (rc < 0)
        generated_free(out, (size_t)r.rows);
    free(r.lengths);
    free(r.most);
    free(r.next);
    free(r.done);
    return rc;
}

void generated_free(struct generated *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i].tokens);
        list[i] = (struct generated){ 0 };
    }
}
