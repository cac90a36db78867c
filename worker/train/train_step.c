/* One step: the chunks of a batch that are this process's, in pieces that fit on the device; then the sum over processes,
 * clipping, and the update. */
#include <math.h>
#include <string.h>

#include "worker/train/trainer_impl.h"

/* ---- pictures -------------------------------------------------------------------------------------------------------
 */

/* Features of the pictures of `n` samples, in their order: (I,N,d); *out is NULL when there is none. */
static int features_of(const struct trainer *t, const struct train_sample *const *list, size_t n, struct tensor **out,
                       struct err *e)
{
    AUTO(free) struct image *pictures = calloc(n + 1, sizeof *pictures);
    AUTO(free) const char **names = calloc(n + 1, sizeof *names);
    size_t k = 0;
    *out = NULL;
    if (!pictures || !names)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        if (list[i]->has_image) {
            pictures[k] = list[i]->picture;
            names[k++] = list[i]->name;
        }
    if (k == 0)
        return 0;
    *out = representation_see(t->representation, t->sees ? pictures : NULL, names, k, e);
    return *out ? 0 : -1;
}

/* ---- a chunk --------------------------------------------------------------------------------------------------------
 */

/* Labels of a sample that count, once its picture is expanded and its end cut off; the first token is nobody's
 * successor. */
static int64_t count_targets(const struct trainer *t, const struct train_sample *s)
{
    int64_t at = 0, targets = 0, most = t->job.recipe.max_length;
    for (size_t i = 0; i < s->ids.n && at < most; i++) {
        bool picture = s->ids.v[i] == IMAGE_TOKEN;
        targets += !picture && at > 0 && s->labels.v[i] != LABEL_IGNORED;
        at += picture ? t->picture_tokens : 1;
    }
    return targets;
}

static void sum_lengths(const struct vlm_batch *b, int64_t *tokens)
{
    for (int64_t i = 0; i < b->rows; i++)
        *tokens += b->lengths[i];
}

static int64_t a_chunk(const struct trainer *t)
{
    return t->job.recipe.batch / t->job.recipe.chunks;
}

/* Samples that are computed at a time: a part of a chunk, or chunks. */
static int64_t piece_of(const struct trainer *t)
{
    int64_t chunk = a_chunk(t), most = t->job.device_batch > 0 ? t->job.device_batch : chunk;
    return most < chunk ? most : most / chunk * chunk;
}

/* Samples of a step that `rank` has; process 0 has the most. */
static int64_t step_of(const struct trainer *t, int rank)
{
    return (t->job.recipe.chunks - rank + t->size - 1) / t->size * a_chunk(t);
}

int64_t trainer_taken(const struct trainer *t)
{
    int64_t chunk = a_chunk(t), piece = piece_of(t), most = piece > chunk ? piece : chunk, mine = step_of(t, 0);
    return most < mine ? most : mine;
}

/* Has any process more than one piece in a step? All must come to the same answer. */
static bool in_pieces(const struct trainer *t)
{
    return step_of(t, 0) > piece_of(t);
}

/* The part of the step's loss that each label of a sample has: of a mean over chunks of means over their targets. */
static void share_out(const struct trainer *t, const struct train_sample *const *list, size_t n, float *shares)
{
    size_t chunk = (size_t)a_chunk(t);
    for (size_t from = 0; from < n; from += chunk) {
        int64_t targets = 0;
        for (size_t i = from; i < from + chunk; i++)
            targets += count_targets(t, list[i]);
        for (size_t i = from; i < from + chunk; i++)
            shares[i] = targets ? (float)(1 / (double)targets / (double)t->job.recipe.chunks) : 0;
    }
}

/* (B,N) f32: the share of each row, for all of its labels. */
static struct tensor *weights_of(const struct trainer *t, const struct vlm_batch *b, const float *shares)
{
    struct tensor *rows = th_from(shares, TH_DIMS(b->rows, 1), TH_F32, TH_CPU);
    return th_expand_as(th_to_device(rows, t->device), b->labels);
}

/* Forward and backward pass of `n` samples; their share of the step's loss is added to *loss. */
static int one_piece(struct trainer *t, const struct train_sample *const *list, size_t n, const float *shares,
                     double *loss, int64_t *tokens, struct err *e)
{
    TH_SCOPE(s);
    AUTO(free) struct vlm_sample *samples = calloc(n, sizeof *samples);
    struct tensor *features;
    if (!samples)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        samples[i] = (struct vlm_sample){ .ids = list[i]->ids.v, .labels = list[i]->labels.v, .n = list[i]->ids.n };
    TRY(features_of(t, list, n, &features, e));
    th_grad(true);
    AUTO(vlm_batch_free) struct vlm_batch b = { 0 };
    TRY(vlm_embed(t->model, samples, n, features, t->job.recipe.max_length, &b, e));
    struct llama *m = t->model->llama;
    struct tensor *h = llama_forward(m, b.x, (struct llama_pass){ .lengths = b.lengths, .recompute = t->job.recompute });
    struct tensor *part = llama_weighted_loss(m, h, b.labels, weights_of(t, &b, shares));
    th_backward(part);
    if (in_pieces(t))
        th_optim_take_grad(t->optim);
    *loss += th_item(part);
    sum_lengths(&b, tokens);
    return th_check(e);
}

/* The next n samples of this process, which are whole chunks. */
static int some_chunks(struct trainer *t, int64_t n, double *loss, int64_t *tokens, struct err *e)
{
    AUTO(free) const struct train_sample **list = calloc((size_t)n, sizeof *list);
    AUTO(free) float *shares = calloc((size_t)n, sizeof *shares);
    int64_t most = piece_of(t);
    if (!list || !shares)
        return FAIL_NOMEM(e);
    TRY(feed_next(t->feed, n, list, e));
    share_out(t, list, (size_t)n, shares);
    for (int64_t at = 0; at < n; at += most)
        TRY(one_piece(t, list + at, (size_t)(n - at < most ? n - at : most), shares + at, loss, tokens, e));
    return 0;
}

/* ---- a step ---------------------------------------------------------------------------------------------------------
 */

/* Sum numbers over the processes. */
static int sum_numbers(struct trainer *t, double *numbers, int n, struct err *e)
{
    TH_SCOPE(s);
    struct tensor *x = th_to_device(th_from(numbers, TH_DIMS(n), TH_F64, TH_CPU), t->device);
    th_dist_sum_(t->group, &x, 1);
    th_read(x, TH_F64, numbers, n);
    return th_check(e);
}

static int update(struct trainer *t, struct train_step *s, struct err *e)
{
    double clip = t->job.recipe.grad_clip;
    TH_SCOPE(scope);
    th_optim_sum_grad(t->optim);
    s->grad_norm = clip > 0 ? th_optim_clip_grad(t->optim, clip) : th_optim_grad_norm(t->optim);
    th_optim_step(t->optim, s->learning_rate);
    th_optim_zero_grad(t->optim);
    return th_check(e);
}

int trainer_step(struct trainer *t, struct train_step *s, double flags[2], struct err *e)
{
    int64_t tokens = 0, taken = trainer_taken(t);
    double loss = 0;
    for (int64_t left = step_of(t, t->rank); left > 0; left -= taken)
        TRY(some_chunks(t, left < taken ? left : taken, &loss, &tokens, e));
    double numbers[4] = { loss, (double)tokens, flags[0], flags[1] };
    TRY(sum_numbers(t, numbers, 4, e));
    s->loss = numbers[0];
    s->tokens = (int64_t)numbers[1];
    memcpy(flags, &numbers[2], 2 * sizeof *flags);
    s->learning_rate = train_recipe_rate(&t->job.recipe, t->steps, t->step);
    if (!isfinite(s->loss))
        return 0; /* the caller's to say, before anything is updated */
    return update(t, s, e);
}
