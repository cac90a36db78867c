#include <math.h>

#include "worker/pretrain/objective.h"
#include "worker/torch/th_train.h"

#define LARGEST_SCALE 100

void contrast_want(struct heads *h, int64_t width, int64_t words)
{
    params_want(h->params, &h->words, PARAM_WEIGHT, TH_DIMS(words, width), "words");
    linear_want(h->params, &h->picture, width, width, false, "picture");
    linear_want(h->params, &h->text, width, width, false, "text");
    params_want(h->params, &h->log_scale, PARAM_BIAS, TH_DIMS(1), "log_scale");
    params_want(h->params, &h->bias, PARAM_BIAS, TH_DIMS(1), "bias");
}

struct tensor *contrast_pictures(const struct heads *h, struct tensor *tokens)
{
    TH_SCOPE(s);
    struct tensor *mean = th_mean(tokens, TH_DIMS(1), false); /* (B,D) */
    return th_return(&s, th_normalize(linear_apply(&h->picture, mean), -1, 1e-6));
}

/* (n,V): each row the shares of a text's words. */
static struct tensor *shares(const struct ids *texts, size_t n, int64_t words)
{
    struct tensor *x = th_zeros(TH_DIMS((int64_t)n, words), TH_F32, TH_CPU);
    float *row = th_data(x);
    for (size_t i = 0; row && i < n; i++, row += words)
        for (size_t k = 0; k < texts[i].n; k++)
            row[texts[i].v[k]] = 1.0f / (float)texts[i].n;
    return x;
}

struct tensor *contrast_texts(const struct heads *h, const struct ids *texts, size_t n)
{
    TH_SCOPE(s);
    struct tensor *mean = th_matmul(shares(texts, n, th_size(h->words, 0)), h->words); /* (n,D) */
    return th_return(&s, th_normalize(linear_apply(&h->text, mean), -1, 1e-6));
}

/* ---- a batch's captions ---------------------------------------------------------------------------------------------
 */

static void texts_free(struct ids *texts, size_t n)
{
    for (size_t i = 0; texts && i < n; i++)
        ids_free(&texts[i]);
    free(texts);
}

/* Some words are left out, so that those that are in every caption do not carry it alone; names of concepts stay. */
static int draw_words(const struct pair *p, double dropout, struct dice *d, struct ids *out, struct err *e)
{
    for (size_t i = 0, k = 0; i < p->words.n; i++) {
        while (k < p->kept.n && p->kept.v[k] < p->words.v[i])
            k++;
        bool stays = k < p->kept.n && p->kept.v[k] == p->words.v[i];
        if (dice_real(d) >= dropout || stays)
            TRY(ids_add(out, p->words.v[i], e));
    }
    return out->n || !p->words.n ? 0 : ids_add(out, p->words.v[0], e);
}

static struct ids *draw_texts(const struct lesson *l)
{
    struct err e = { 0 };
    struct dice d = l->dice;
    struct ids *texts = calloc(l->n, sizeof *texts);
    bool good = texts;
    for (size_t i = 0; good && i < l->n; i++)
        good = draw_words(l->pairs[i], l->word_dropout, &d, &texts[i], &e) == 0;
    if (good)
        return texts;
    texts_free(texts, l->n);
    TH_FAIL(ERR_NOMEM, "out of memory");
    return NULL;
}

/* (B,B): is text j, as far as its words go, true of picture i, although it is another's? */
static struct tensor *also_true(const struct lesson *l, const struct ids *texts)
{
    struct tensor *x = th_zeros(TH_DIMS((int64_t)l->n, (int64_t)l->n), TH_BOOL, TH_CPU);
    bool *skip = th_data(x);
    for (size_t i = 0; skip && i < l->n; i++)
        for (size_t j = 0; j < l->n; j++)
            skip[i * l->n + j] = i != j && words_within(&texts[j], &l->pairs[i]->words);
    return x;
}

struct comparison {
    struct tensor *pictures, *texts, *scale, *skip;
};
/* In the caller's scope. */
static struct comparison compare(const struct lesson *l)
{
    struct ids *texts = draw_texts(l);
    struct comparison c = { 0 };
    if (!texts)
        return c;
    c.pictures = contrast_pictures(l->heads, l->tokens);
    c.texts = contrast_texts(l->heads, texts, l->n);
    c.scale = th_exp(th_clamp(l->heads->log_scale, -INFINITY, log(LARGEST_SCALE)));
    c.skip = also_true(l, texts);
    texts_free(texts, l->n);
    return c;
}

struct tensor *clip_loss(const struct lesson *l)
{
    TH_SCOPE(s);
    struct comparison c = compare(l);
    return th_return(&s, info_nce(c.pictures, c.texts, c.scale, c.skip));
}

/* log(1 + exp(x)) without overflow */
static struct tensor *softplus(struct tensor *x)
{
    return th_add(th_relu(x), th_log(th_add_s(th_exp(th_neg(th_abs(x))), 1)));
}

/* The sum over pairs of log(1 + exp(-z (scale product + bias))), z 1 for a picture's own caption and else -1, by B. */
struct tensor *siglip_loss(const struct lesson *l)
{
    TH_SCOPE(s);
    struct comparison c = compare(l);
    int64_t n = (int64_t)l->n;
    struct tensor *logits = th_mul(th_matmul(c.pictures, th_transpose(c.texts, 0, 1)), c.scale); /* (B,B) */
    logits = th_add(logits, l->heads->bias);
    struct tensor *z = th_add_s(th_mul_s(th_eye(n, TH_F32, TH_CPU), 2), -1);
    struct tensor *each = th_masked_fill(softplus(th_neg(th_mul(logits, z))), c.skip, 0);
    return th_return(&s, th_div_s(th_sum(each, TH_SCALAR_DIMS, false), (double)n));
}
