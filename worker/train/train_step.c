/* One step: the chunks of a batch that are this process's, each in pieces that fit on the device; then the sum over
 * processes, clipping, and the update. */
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
    *out = representation_mixed(t->representation, pictures, names, k, e);
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

/* Samples of a piece. */
static size_t piece_of(const struct trainer *t)
{
    size_t chunk = (size_t)(t->job.recipe.batch / t->job.recipe.chunks);
    return t->job.device_batch > 0 && (size_t)t->job.device_batch < chunk ? (size_t)t->job.device_batch : chunk;
}

/* Has any process more than one piece in a step? All must come to the same answer. */
static bool in_pieces(const struct trainer *t)
{
    return t->job.recipe.chunks > t->size || t->job.recipe.batch > t->job.recipe.chunks * (int64_t)piece_of(t);
}

/* Forward and backward pass of `n` samples; their share of the step's loss is added to *loss. `targets`: of the chunk. */
static int one_piece(struct trainer *t, const struct train_sample *const *list, size_t n, int64_t targets, double *loss,
                     int64_t *tokens, struct err *e)
{
    TH_SCOPE(s);
    AUTO(free) struct vlm_sample *samples = calloc(n, sizeof *samples);
    struct tensor *features;
    int64_t here = 0;
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
    struct tensor *mean = llama_loss(m, h, b.labels, &here);
    double share = targets ? (double)here / (double)targets / (double)t->job.recipe.chunks : 0;
    struct tensor *part = th_mul_s(mean, share);
    th_backward(part);
    if (in_pieces(t))
        th_optim_take_grad(t->optim);
    *loss += th_item(part);
    sum_lengths(&b, tokens);
    return th_check(e);
}

static int one_chunk(struct trainer *t, const struct train_sample **list, double *loss, int64_t *tokens, struct err *e)
{
    size_t n = (size_t)(t->job.recipe.batch / t->job.recipe.chunks), at = 0, most = piece_of(t);
    int64_t targets = 0;
    TRY(feed_next(t->feed, list, e));
    for (size_t i = 0; i < n; i++)
        targets += count_targets(t, list[i]);
    for (; at < n; at += most)
        TRY(one_piece(t, list + at, n - at < most ? n - at : most, targets, loss, tokens, e));
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
    int64_t tokens = 0;
    double loss = 0;
    size_t n = (size_t)(t->job.recipe.batch / t->job.recipe.chunks);
    AUTO(free) const struct train_sample **list = calloc(n + 1, sizeof *list);
    if (!list)
        return FAIL_NOMEM(e);
    for (int64_t chunk = t->rank; chunk < t->job.recipe.chunks; chunk += t->size)
        TRY(one_chunk(t, list, &loss, &tokens, e));
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
