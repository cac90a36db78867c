#include "coordinator/plan_features.h"

#include <string.h>

#include "coordinator/plan_build.h"

/* ---- the choice ---------------------------------------------------------------------------------------------------
 */

double plan_feature_saving(const struct plan_feature *f)
{
    return f->fly_seconds - f->once_seconds;
}

static enum plan_feature_reason first_look(const struct plan_feature *f)
{
    if (f->needed)
        return FEATURE_NEEDED;
    if (f->padded)
        return FEATURE_PADDED;
    if (!f->bytes)
        return FEATURE_UNKNOWN;
    if (plan_feature_saving(f) <= 0)
        return FEATURE_READ_ONCE;
    return f->shards > PLAN_FEATURE_SHARDS_MAX ? FEATURE_TOO_MANY_FILES : FEATURE_TOO_LARGE;
}

/* Larger saving per byte first; a * d > c * b instead of a / b > c / d, since bytes are never 0 here. Ties by place, so
 * that every plan of a config is the same. */
static int by_saving(const void *x, const void *y)
{
    const struct plan_feature *a = *(struct plan_feature *const *)x, *b = *(struct plan_feature *const *)y;
    double left = plan_feature_saving(a) * (double)b->bytes, right = plan_feature_saving(b) * (double)a->bytes;
    return left != right ? (left < right ? 1 : -1) : (a > b) - (a < b);
}

void plan_features_choose(struct plan_feature *features, size_t n, uint64_t budget)
{
    AUTO(free) struct plan_feature **worth = calloc(n + 1, sizeof *worth);
    size_t n_worth = 0;
    for (size_t i = 0; i < n; i++) {
        struct plan_feature *f = &features[i];
        f->reason = first_look(f);
        f->cached = f->needed;
        if (f->needed)
            budget -= f->bytes < budget ? f->bytes : budget;
        else if (f->reason == FEATURE_TOO_LARGE && worth)
            worth[n_worth++] = f;
    }
    if (n_worth)
        qsort(worth, n_worth, sizeof *worth, by_saving);
    for (size_t i = 0; i < n_worth; i++) {
        if (worth[i]->bytes > budget)
            continue;
        worth[i]->cached = true;
        worth[i]->reason = FEATURE_SAVES;
        budget -= worth[i]->bytes;
    }
}

const char *plan_feature_reason(const struct plan_feature *f)
{
    static const char *const texts[] = {
        [FEATURE_NEEDED] = "score_c reads files",
        [FEATURE_SAVES] = "saves most for its size",
        [FEATURE_READ_ONCE] = "hardly read again",
        [FEATURE_TOO_LARGE] = "more than the budget has left",
        [FEATURE_TOO_MANY_FILES] = "too many files: raise images_per_shard",
        [FEATURE_PADDED] = "padded pictures are not kept in files",
        [FEATURE_UNKNOWN] = "grid, channels or images not stated",
    };
    return texts[f->reason];
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

struct plan_features_sum plan_features_sum(const struct plan *p)
{
    struct plan_features_sum s = { 0 };
    for (size_t i = 0; i < p->n_features; i++) {
        const struct plan_feature *f = &p->features[i];
        bool worth = f->reason == FEATURE_SAVES || f->reason == FEATURE_TOO_LARGE;
        s.unknown += f->bytes == 0;
        if (f->cached)
            s.kept_bytes = add(s.kept_bytes, f->bytes);
        if (f->cached || worth)
            s.wanted_bytes = add(s.wanted_bytes, f->bytes);
        if (worth)
            s.could_save += plan_feature_saving(f);
        if (worth && f->cached)
            s.saved += plan_feature_saving(f);
    }
    return s;
}

/* ---- what would be read -------------------------------------------------------------------------------------------
 */

/* Pictures as one kind of task reads them. */
struct reading {
    size_t image_set;
    bool for_training, padded;
    int layer;        /* of encoders that name none */
    int64_t pictures; /* 0 = not stated */
    double epochs;
    double weight; /* readers expected of one representation */
    bool at_once, on_demand;
    bool in_space;
};

static int layer_of(const struct plan_build *b, size_t encoder, int fallback)
{
    const struct encoder_conf *from = (const struct encoder_conf *)b->s->encoders.items + encoder;
    return from->options.layer == CONF_UNSET_INT ? fallback : (int)from->options.layer;
}

double plan_feature_rate(const struct plan_build *b, size_t encoder)
{
    const struct encoder_conf *from = (const struct encoder_conf *)b->s->encoders.items + encoder;
    return from->images_per_gpu_second > 0 ? from->images_per_gpu_second : b->s->features.images_per_gpu_second;
}

/* The first image set of this content: the same pictures under two names have the same features, once. */
static size_t first_of_content(const struct plan_build *b, size_t image_set)
{
    const struct plan_image_set *all = b->p->image_sets;
    for (size_t i = 0; all[image_set].digest && i < image_set; i++)
        if (all[i].digest && strcmp(all[i].digest, all[image_set].digest) == 0)
            return i;
    return image_set;
}

struct plan_feature *plan_feature_find(const struct plan_build *b, size_t encoder, size_t image_set, bool for_training,
                                       bool padded, int layer)
{
    image_set = first_of_content(b, image_set);
    for (size_t i = 0; i < b->p->n_features; i++) {
        struct plan_feature *f = &b->p->features[i];
        if (f->encoder == encoder && f->image_set == image_set && f->for_training == for_training &&
            (!for_training || (f->padded == padded && f->layer == layer_of(b, encoder, layer))))
            return f;
    }
    return NULL;
}

static int add_feature(struct plan_build *b, size_t encoder, const struct reading *r, struct plan_feature **out,
                       struct err *e)
{
    struct plan *p = b->p;
    *out = plan_feature_find(b, encoder, r->image_set, r->for_training, r->padded, r->layer);
    if (*out)
        return 0;
    if (p->n_features == b->cap_features) {
        size_t cap = b->cap_features ? 2 * b->cap_features : 16;
        struct plan_feature *more = arena_array(b->arena, cap, sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        if (p->n_features)
            memcpy(more, p->features, p->n_features * sizeof *more);
        p->features = more;
        b->cap_features = cap;
    }
    *out = &p->features[p->n_features++];
    **out = (struct plan_feature){ .encoder = encoder,
                                   .image_set = first_of_content(b, r->image_set),
                                   .for_training = r->for_training,
                                   .padded = r->padded,
                                   .layer = layer_of(b, encoder, r->layer),
                                   .first_task = PLAN_NONE };
    return 0;
}

static int add_reader(struct plan_build *b, size_t encoder, const struct reading *r, struct err *e)
{
    struct plan_feature *f;
    TRY(add_feature(b, encoder, r, &f, e));
    f->needed |= !r->for_training;
    f->at_once |= r->at_once;
    f->on_demand |= r->on_demand;
    f->in_space |= r->in_space;
    f->pictures = r->pictures > f->pictures ? r->pictures : f->pictures;
    f->readers += r->weight;
    f->fly_seconds += r->weight * r->epochs * (double)r->pictures / plan_feature_rate(b, encoder);
    return 0;
}

static int add_readers(struct plan_build *b, size_t representation, const struct reading *r, struct err *e)
{
    const struct plan_representation *rep = &b->p->representations[representation];
    struct reading own = *r;
    own.in_space = !plan_is_floor(b->p, representation);
    for (size_t i = 0; i < rep->n_members; i++)
        TRY(add_reader(b, rep->members[i], &own, e));
    return 0;
}

/* Files have whole shards. An image list's first N samples name pictures among its first N, so these suffice for them.
 */
static void measure(struct plan_build *b, struct plan_feature *f)
{
    const struct plan_encoder *en = &b->p->encoders[f->encoder];
    int64_t images = b->p->image_sets[f->image_set].images, per = b->s->features.images_per_shard;
    uint64_t width = b->s->features.dtype == DTYPE_FP32 ? 4 : 2;
    uint64_t each = (uint64_t)en->grid * (uint64_t)en->grid * (uint64_t)en->channels * width;
    f->shards = f->pictures > 0 ? (f->pictures - 1) / per + 1 : 1;
    if (f->pictures > 0)
        f->pictures = images - (f->shards - 1) * per < per ? images : f->shards * per;
    uint64_t pictures = (uint64_t)f->pictures;
    f->bytes = pictures && each > UINT64_MAX / pictures ? UINT64_MAX : each * pictures;
    f->once_seconds = (double)f->pictures / plan_feature_rate(b, f->encoder);
}

/* ---- the stages ---------------------------------------------------------------------------------------------------
 */

static bool is_native(const struct plan_build *b, enum plan_kind kind)
{
    return plan_executor(b->s, kind)->use == USE_NATIVE;
}

/* Encoders of some representation, in the order of the config. */
static int add_pairs(struct plan_build *b, const bool *encoder_used, struct err *e)
{
    const struct plan *p = b->p;
    for (size_t k = 0; k < p->n_correspondence_sets; k++) {
        size_t set = p->correspondence_sets[k].image_set;
        struct reading r = {
            .image_set = set, .pictures = p->image_sets[set].images, .layer = (int)b->s->scores.c.layer, .at_once = true
        };
        for (size_t i = 0; i < p->n_encoders; i++)
            if (encoder_used[i])
                TRY(add_reader(b, i, &r, e));
        r = (struct reading){ .image_set = set, .pictures = r.pictures, .layer = r.layer, .epochs = 1, .weight = 1 };
        for (size_t i = 0; i < plan_scored(p); i++)
            TRY(add_readers(b, i, &r, e));
    }
    return 0;
}

static int64_t at_most(int64_t images, int64_t samples)
{
    return images < samples ? images : samples;
}

/* Of a representation whose scores are not wanted at once: the part of these that the rounds will ask for. */
static double asked_for(const struct plan_build *b)
{
    const struct plan *p = b->p;
    size_t rest = 0;
    for (size_t i = 0; i < p->n_representations; i++)
        rest += !b->at_once[i];
    double batch = p->policy.batch, rounds = ((double)p->policy.budget_fine_tunes + batch - 1) / batch;
    double asked = rounds >= 1 ? ((double)(int64_t)rounds - 1) * p->policy.screen_batch : 0;
    return rest == 0 ? 0 : asked < (double)rest ? asked / (double)rest : 1;
}

/* Nobody knows yet which ones are chosen: each representation is, as likely as any. */
static double chosen(const struct plan_build *b)
{
    double n = (double)b->p->n_representations, budget = b->p->policy.budget_fine_tunes;
    return n > 0 ? (budget < n ? budget / n : 1) : 0;
}

/* Those that may be fine-tuned read it, each with the chance that it is. */
static int add_tuned(struct plan_build *b, struct reading r, struct err *e)
{
    const struct plan *p = b->p;
    bool floors = b->s->representations.fine_tune_floors;
    for (size_t i = 0; i < (floors ? plan_scored(p) : p->n_representations); i++) {
        r.weight = plan_is_floor(p, i) ? 1 : chosen(b);
        TRY(add_readers(b, i, &r, e));
    }
    return 0;
}

static struct reading reading_of(const struct plan_build *b, const struct train_conf *train, size_t set,
                                 int64_t samples)
{
    return (struct reading){ .image_set = set,
                             .for_training = true,
                             .padded = train->image_aspect == 1,
                             .layer = (int)train->select_layer,
                             .epochs = train->epochs,
                             .pictures = at_most(b->p->image_sets[set].images, samples) };
}

static int add_stage1(struct plan_build *b, struct err *e)
{
    const struct plan *p = b->p;
    const struct train_conf *train = &b->s->stage1;
    size_t set = plan_image_set_named(b, train->image_set);
    if (set == PLAN_NONE || !is_native(b, KIND_STAGE1))
        return 0;
    struct reading r = reading_of(b, train, set, p->screening_samples);
    for (size_t i = 0; i < plan_scored(p); i++) {
        r.at_once = b->at_once[i];
        r.on_demand = !r.at_once;
        r.weight = r.at_once ? 1 : asked_for(b);
        TRY(add_readers(b, i, &r, e));
    }
    if (p->screening_samples == p->stage1_samples)
        return 0;
    return add_tuned(b, reading_of(b, train, set, p->stage1_samples), e);
}

static int add_stage2(struct plan_build *b, struct err *e)
{
    const struct train_conf *train = &b->s->stage2;
    size_t set = plan_image_set_named(b, train->image_set);
    if (set == PLAN_NONE || !is_native(b, KIND_STAGE2))
        return 0;
    return add_tuned(b, reading_of(b, train, set, train->samples), e);
}

/* Pictures are shown to a model as in its stage 2. */
static int add_evaluate(struct plan_build *b, struct err *e)
{
    const struct benchmark_conf *from = b->s->benchmarks.items;
    for (size_t k = 0; k < b->s->benchmarks.n && is_native(b, KIND_EVALUATE); k++) {
        size_t set = plan_image_set_named(b, from[k].image_set);
        if (set == PLAN_NONE)
            continue;
        struct reading r = reading_of(b, &b->s->stage2, set, INT64_MAX);
        r.epochs = 1;
        TRY(add_tuned(b, r, e));
    }
    return 0;
}

int plan_features(struct plan_build *b, const bool *encoder_used, struct err *e)
{
    struct plan *p = b->p;
    TRY(add_pairs(b, encoder_used, e));
    if (is_native(b, KIND_EXTRACT)) { /* else nobody makes files that ours could read */
        TRY(add_stage1(b, e));
        TRY(add_stage2(b, e));
        TRY(add_evaluate(b, e));
    }
    for (size_t i = 0; i < p->n_features; i++)
        measure(b, &p->features[i]);
    p->cache_bytes = (uint64_t)b->s->features.cache_bytes;
    plan_features_choose(p->features, p->n_features, p->cache_bytes);
    return 0;
}
