#include "worker/pretrain/probe.h"

#include <stdio.h>

#include "worker/data/preprocess.h"
#include "worker/model/vit.h"
#include "worker/pretrain/fresh.h"
#include "worker/pretrain/pairs.h"

#define BATCH 64

/* ---- pictures of one concept ----------------------------------------------------------------------------------------
 */

struct samples {
    const struct image **pictures;
    int32_t *labels;
    size_t n;
    float *features; /* (n,width) */
};

static void samples_free_cleanup(struct samples *s)
{
    free(s->pictures);
    free(s->labels);
    free(s->features);
}

static int choose(const struct pairs *p, const char *path, struct samples *out, struct err *e)
{
    out->pictures = calloc(p->n, sizeof *out->pictures);
    out->labels = calloc(p->n, sizeof *out->labels);
    if (!out->pictures || !out->labels)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].concepts.n == 1) {
            out->pictures[out->n] = &p->v[i].picture;
            out->labels[out->n++] = p->v[i].concepts.v[0];
        }
    return out->n ? 0 : FAIL(e, ERR_INPUT, "%s: no picture has exactly one concept", path);
}

/* ---- features -------------------------------------------------------------------------------------------------------
 */

/* Means over the tokens of pictures first .. first + n. */
static int see(const struct vit *v, const struct preprocess *p, struct samples *s, size_t first, size_t n,
               struct err *e)
{
    TH_SCOPE(scope);
    uint32_t w, h;
    preprocess_output(p, &w, &h);
    struct tensor *pixels = th_empty(TH_DIMS((int64_t)n, 3, h, w), TH_F32, TH_CPU);
    float *chw = th_data(pixels);
    TRY(th_check(e));
    for (size_t i = 0; i < n; i++)
        TRY(preprocess_apply(p, s->pictures[first + i], chw + i * preprocess_floats(p), e));
    int64_t width = vit_config(v)->width;
    struct tensor *mean = th_mean(vit_forward(v, pixels), TH_DIMS(1), false);
    th_read(mean, TH_F32, s->features + first * (size_t)width, (int64_t)n * width);
    return th_check(e);
}

static int see_all(const struct vit *v, const struct preprocess *p, struct samples *s, struct err *e)
{
    free(s->features);
    s->features = calloc(s->n, (size_t)vit_config(v)->width * sizeof *s->features);
    if (!s->features)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < s->n; i += BATCH)
        TRY(see(v, p, s, i, s->n - i < BATCH ? s->n - i : BATCH, e));
    return 0;
}

struct probe {
    const struct probe_job *job;
    struct preprocess preprocess;
    struct samples train, test;
    size_t classes;
};

static void probe_free_cleanup(struct probe *p)
{
    samples_free_cleanup(&p->train);
    samples_free_cleanup(&p->test);
}

static int measure(struct probe *p, const struct vit *v, struct ridge_score *out, struct err *e)
{
    TRY(see_all(v, &p->preprocess, &p->train, e));
    TRY(see_all(v, &p->preprocess, &p->test, e));
    size_t width = (size_t)vit_config(v)->width;
    struct ridge_data train = { p->train.n, width, p->classes, p->train.features, p->train.labels };
    struct ridge_data test = { p->test.n, width, p->classes, p->test.features, p->test.labels };
    return ridge_classify(&train, &test, p->job->lambda, out, e);
}

static int measure_both(struct probe *p, struct probe_result *out, struct err *e)
{
    struct vit_options o = VIT_DEFAULTS;
    o.layer = p->job->layer;
    AUTO(vit_destroy) struct vit *trained = vit_open(p->job->encoder, &o, e);
    AUTO(vit_destroy) struct vit *fresh = trained ? vit_create(vit_config(trained), &o, p->job->seed, e) : NULL;
    if (!fresh)
        return -1;
    fresh_widen(vit_params(fresh));
    TRY(measure(p, trained, &out->trained, e));
    return measure(p, fresh, &out->random, e);
}

/* ---- all ------------------------------------------------------------------------------------------------------------
 */

static int constant_answer(const struct probe *p, double *share, struct err *e)
{
    AUTO(free) size_t *count = calloc(p->classes, sizeof *count);
    size_t best = 0, right = 0;
    if (!count)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < p->train.n; i++)
        count[p->train.labels[i]]++;
    for (size_t c = 0; c < p->classes; c++)
        if (count[c] > count[best])
            best = c;
    for (size_t i = 0; i < p->test.n; i++)
        right += (size_t)p->test.labels[i] == best;
    *share = (double)right / (double)p->test.n;
    return 0;
}

int probe_encoder(const struct probe_job *j, struct probe_result *out, struct err *e)
{
    AUTO(vocabulary_free) struct vocabulary v = { 0 };
    AUTO(pairs_free) struct pairs train = { 0 };
    AUTO(pairs_free) struct pairs test = { 0 };
    AUTO(probe_free) struct probe p = { .job = j };
    char path[4096];
    TRY(th_device_check(TH_CPU, e));
    if (snprintf(path, sizeof path, "%s/preprocessor_config.json", j->encoder) >= (int)sizeof path)
        return FAIL(e, ERR_USAGE, "--encoder: the path is too long");
    TRY(preprocess_load(path, &(struct preprocess_options){ 0 }, &p.preprocess, e));
    struct pairs_source s = { .path = j->data, .dir = j->images, .edge = 1024 };
    TRY(pairs_read(&s, &v, &train, e));
    s.path = j->validation;
    s.known_only = true;
    TRY(pairs_read(&s, &v, &test, e));
    p.classes = v.concepts.n;
    TRY(choose(&train, j->data, &p.train, e));
    TRY(choose(&test, j->validation, &p.test, e));
    out->train = p.train.n;
    out->test = p.test.n;
    out->classes = p.classes;
    TRY(constant_answer(&p, &out->constant, e));
    return measure_both(&p, out, e);
}
