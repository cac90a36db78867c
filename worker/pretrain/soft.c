#include "worker/pretrain/soft.h"

#include <math.h>
#include <stdlib.h>

#include "worker/pretrain/dice.h"
#include "worker/torch/th_train.h"

struct soft_row soft_row_at(uint64_t seed, uint64_t number, int64_t begin, int64_t end)
{
    struct dice d = dice_at(seed, DICE_SOFT, number);
    struct soft_row row = { .begin = begin, .end = end, .own = dice_real(&d) };
    row.noise = dice_between(&d, 0, SOFT_NOISE_MOST);
    return row;
}

/* What token i of a row takes of token k: its own, and of each that is softened the same. */
static void fill_shares(const struct soft_row *row, int64_t n, float *shares)
{
    for (int64_t i = 0; i < n; i++) {
        bool soft = i >= row->begin && i < row->end;
        shares[i * n + i] = soft ? (float)row->own : 1;
        for (int64_t k = row->begin; soft && k < row->end && k < n; k++)
            shares[i * n + k] += (float)((1 - row->own) / (double)(row->end - row->begin));
    }
}

struct tensor *soft_words(struct tensor *x, const struct soft_row *rows, struct th_rng *rng)
{
    TH_SCOPE(s);
    int64_t b = th_size(x, 0), n = th_size(x, 1), d = th_size(x, 2);
    AUTO(free) float *shares = calloc((size_t)(b * n * n), sizeof *shares);
    AUTO(free) float *noise = calloc((size_t)(b * n), sizeof *noise);
    if (!shares || !noise)
        return TH_FAIL(ERR_NOMEM, "out of memory");
    for (int64_t i = 0; i < b; i++) {
        fill_shares(&rows[i], n, shares + i * n * n);
        for (int64_t k = rows[i].begin; k < rows[i].end && k < n; k++)
            noise[i * n + k] = (float)(rows[i].noise / sqrt((double)d));
    }
    struct tensor *mixed = th_matmul(th_from(shares, TH_DIMS(b, n, n), TH_F32, TH_CPU), x);
    struct tensor *length = th_norm(th_detach(x), TH_DIMS(2), true); /* (B,N,1) */
    struct tensor *scale = th_mul(length, th_from(noise, TH_DIMS(b, n, 1), TH_F32, TH_CPU));
    return th_return(&s, th_add(mixed, th_mul(scale, th_randn(rng, TH_DIMS(b, n, d), TH_F32, TH_CPU))));
}
