#include <math.h>

#include "worker/pretrain/objective.h"
#include "worker/torch/th_train.h"

#define POINTS 16         /* of a picture that are compared */
#define TRIES 16          /* for each, to find one that both views show and where there is something to see */
#define CONTRAST 0.08f    /* of levels from 0 to 1; less is flat ground, which is the same everywhere */
#define LARGEST_SCALE 100 /* 1 / temperature */
#define WHOLE_SCALE 10
#define SPACE 64 /* width of what is compared */

static void want_projector(struct heads *h, struct projector *p, int64_t width, const char *name)
{
    params_enter(h->params, "%s.", name);
    linear_want(h->params, &p->in, 2 * width, width, true, "in");
    linear_want(h->params, &p->out, SPACE, 2 * width, true, "out");
    params_leave(h->params);
}

void dense_want(struct heads *h, int64_t width, int64_t words)
{
    (void)words;
    want_projector(h, &h->of_whole, width, "whole");
    params_want(h->params, &h->log_scale, PARAM_BIAS, TH_DIMS(1), "log_scale");
}

static struct tensor *project(const struct projector *p, struct tensor *x)
{
    TH_SCOPE(s);
    return th_return(&s, th_normalize(linear_apply(&p->out, th_gelu(linear_apply(&p->in, x))), -1, 1e-6));
}

/* ---- points that both views show ------------------------------------------------------------------------------------
 */

struct point {
    size_t picture; /* of the batch */
    float at[2];    /* in the picture */
    float in[2][2]; /* in each view */
};

static bool find_point(const struct lesson *l, size_t b, struct dice *d, struct point *out)
{
    for (int i = 0; i < TRIES; i++) {
        *out = (struct point){ .picture = b, .in = { { (float)dice_real(d), (float)dice_real(d) } } };
        view_to_picture(&l->views[b], out->in[0], out->at);
        if (view_from_picture(&l->views[l->n + b], out->at, out->in[1]) &&
            view_contrast(&l->pairs[b]->picture, out->at, 0.5f / (float)l->grid) > CONTRAST)
            return true;
    }
    return false;
}

static size_t find_points(const struct lesson *l, struct point *out)
{
    struct dice d = l->dice;
    size_t n = 0;
    for (size_t b = 0; b < l->n; b++)
        for (int i = 0; i < POINTS; i++)
            n += find_point(l, b, &d, &out[n]);
    return n;
}

/* (M,M): which pairs of points are no counterexamples: those of one picture that are less than a patch apart; with
 * `own_only` all of different pictures too. */
static struct tensor *not_apart(const struct lesson *l, const struct point *p, size_t n, bool own_only)
{
    struct tensor *x = th_zeros(TH_DIMS((int64_t)n, (int64_t)n), TH_BOOL, TH_CPU);
    bool *skip = th_data(x);
    for (size_t i = 0; skip && i < n; i++)
        for (size_t j = 0; j < n; j++) {
            bool own = p[i].picture == p[j].picture;
            float apart = own ? hypotf(p[i].at[0] - p[j].at[0], p[i].at[1] - p[j].at[1]) : 1;
            skip[i * n + j] = i != j && (own ? apart * (float)l->grid < 1 : own_only);
        }
    return x;
}

/* ---- what an encoder says there -------------------------------------------------------------------------------------
 */

/* The four patches around a point of view `k` and their shares: rows of the tokens taken as (K B (prefix + grid^2), D).
 */
static void around(const struct lesson *l, const struct point *p, int k, int64_t rows[4], float shares[4])
{
    int64_t g = l->grid, first = ((int64_t)l->n * k + (int64_t)p->picture) * (l->prefix + g * g) + l->prefix;
    int64_t cell[2][2];
    float part[2];
    for (int i = 0; i < 2; i++) {
        float x = fminf((float)(g - 1), fmaxf(0, p->in[k][i] * (float)g - 0.5f));
        cell[i][0] = (int64_t)x;
        cell[i][1] = cell[i][0] + 1 < g ? cell[i][0] + 1 : cell[i][0];
        part[i] = x - (float)cell[i][0];
    }
    for (int c = 0; c < 4; c++) {
        rows[c] = first + cell[1][c >> 1] * g + cell[0][c & 1];
        shares[c] = (c >> 1 ? part[1] : 1 - part[1]) * (c & 1 ? part[0] : 1 - part[0]);
    }
}

/* (M,D): tokens of view k at the points, between the patches' middles. */
static struct tensor *tokens_at(const struct lesson *l, const struct point *p, size_t n, int k)
{
    TH_SCOPE(s);
    struct tensor *index = th_empty(TH_DIMS((int64_t)n * 4), TH_I64, TH_CPU);
    struct tensor *weight = th_empty(TH_DIMS((int64_t)n, 4, 1), TH_F32, TH_CPU);
    int64_t *rows = th_data(index), d = th_size(l->tokens, 2);
    float *shares = th_data(weight);
    for (size_t i = 0; rows && shares && i < n; i++)
        around(l, &p[i], k, rows + 4 * i, shares + 4 * i);
    struct tensor *four = th_index_select(th_reshape(l->tokens, TH_DIMS(-1, d)), 0, index);
    four = th_mul(th_reshape(four, TH_DIMS((int64_t)n, 4, d)), weight);
    return th_return(&s, th_sum(four, TH_DIMS(1), false));
}

/* Places of a picture among all of the batch, which is mostly to tell pictures apart, and among its own, which is what
 * finding a point asks for. Tokens are compared as they are, for so they will be used. */
static struct tensor *patch_loss(const struct lesson *l)
{
    TH_SCOPE(s);
    AUTO(free) struct point *p = calloc(l->n * POINTS, sizeof *p);
    if (!p)
        return TH_FAIL(ERR_NOMEM, "out of memory");
    size_t n = find_points(l, p);
    if (n == 0) /* nothing but flat ground */
        return th_return(&s, th_mul_s(th_sum(l->tokens, TH_SCALAR_DIMS, false), 0));
    struct tensor *a = th_normalize(tokens_at(l, p, n, 0), -1, 1e-6),
                  *b = th_normalize(tokens_at(l, p, n, 1), -1, 1e-6);
    struct tensor *scale = th_exp(th_clamp(l->heads->log_scale, -INFINITY, log(LARGEST_SCALE)));
    struct tensor *among_all = info_nce(a, b, scale, not_apart(l, p, n, false));
    struct tensor *among_own = info_nce(a, b, scale, not_apart(l, p, n, true));
    return th_return(&s, th_mul_s(th_add(among_all, among_own), 0.5));
}

static struct tensor *whole_loss(const struct lesson *l)
{
    TH_SCOPE(s);
    struct tensor *z = project(&l->heads->of_whole, th_select(l->tokens, 1, 0)); /* (2B,SPACE) */
    struct tensor *scale = th_full(TH_DIMS(1), WHOLE_SCALE, TH_F32, TH_CPU);
    int64_t n = (int64_t)l->n;
    return th_return(&s, info_nce(th_slice(z, 0, 0, n), th_slice(z, 0, n, 2 * n), scale, NULL));
}

struct tensor *dense_loss(const struct lesson *l)
{
    TH_SCOPE(s);
    return th_return(&s, th_mul_s(th_add(patch_loss(l), whole_loss(l)), 0.5));
}
