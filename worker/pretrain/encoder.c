#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "worker/data/decode_ahead.h"
#include "worker/model/model_file.h"
#include "worker/pretrain/encoder_impl.h"
#include "worker/pretrain/fresh.h"
#include "worker/pretrain/output.h"
#include "worker/torch/th_train.h"

#define HEAD_WIDTH 32  /* of attention */
#define KEPT_EDGE 1.25 /* edge of pictures in memory by the resolution: views cut some of it away */
#define CLIP_NORM 1.0  /* of gradients */
#define FOREVER ((size_t)1 << 40)

struct encoder {
    const struct encoder_job *job;
    struct vocabulary vocabulary;
    struct pairs pairs, validation;
    struct preprocess preprocess;
    struct view_scale scale;
    struct vit *vit;
    struct heads heads;
    struct th_optim *optim;
    struct pace pace;
    struct decode_ahead *ahead;
    /* of the batch that trains */
    const struct pair **batch;
    struct view *views;
    float *pixels;
};

static void encoder_free(struct encoder *t)
{
    decode_ahead_stop(t->ahead);
    th_optim_destroy(t->optim);
    params_destroy(t->heads.params);
    vit_destroy(t->vit);
    pairs_free(&t->pairs);
    pairs_free(&t->validation);
    vocabulary_free(&t->vocabulary);
    pace_free(&t->pace);
    free(t->batch);
    free(t->views);
    free(t->pixels);
}

static void encoder_free_cleanup(struct encoder *t)
{
    encoder_free(t);
}

/* ---- data -----------------------------------------------------------------------------------------------------------
 */

static int read_data(struct encoder *t, struct err *e)
{
    const struct encoder_job *j = t->job;
    struct pairs_source s = { .path = j->data,
                              .dir = j->images,
                              .edge = (uint32_t)(KEPT_EDGE * (double)j->resolution) };
    TRY(pairs_read(&s, &t->vocabulary, &t->pairs, e));
    if (j->objective->captions && t->vocabulary.words.n == 0)
        return FAIL(e, ERR_INPUT, "%s: no caption has a word", j->data);
    if (!j->validation)
        return 0;
    s.path = j->validation;
    s.known_only = true;
    return pairs_read(&s, &t->vocabulary, &t->validation, e);
}

/* Views are drawn with the very numbers that the written preprocessor_config.json will stand for. */
static int make_preprocess(struct encoder *t, struct err *e)
{
    AUTO(json_decref) json_t *j = encoder_preprocessor(t->job->objective->family, t->job->resolution);
    AUTO(free) char *text = j ? json_dumps(j, 0) : NULL;
    if (!text)
        return FAIL_NOMEM(e);
    TRY(preprocess_parse(text, strlen(text), "preprocessor_config.json", &(struct preprocess_options){ 0 },
                         &t->preprocess, e));
    for (int c = 0; c < 3; c++) {
        t->scale.mean[c] = t->preprocess.mean[c];
        t->scale.std[c] = t->preprocess.std[c];
    }
    return 0;
}

/* ---- the model ------------------------------------------------------------------------------------------------------
 */

static struct vit_config config_of(const struct encoder_job *j)
{
    enum vit_family f = j->objective->family;
    bool dino = f == VIT_DINOV2;
    return (struct vit_config){ .family = (int)f,
                                .layers = j->layers,
                                .width = j->width,
                                .heads = j->width % HEAD_WIDTH ? 1 : j->width / HEAD_WIDTH,
                                .mlp = 4 * j->width,
                                .image = j->resolution,
                                .patch = j->patch,
                                .channels = 3,
                                .eps = f == VIT_CLIP ? 1e-5 : 1e-6,
                                .activation = f == VIT_CLIP     ? ACT_QUICK_GELU
                                              : f == VIT_SIGLIP ? ACT_GELU_TANH
                                                                : ACT_GELU,
                                .class_token = f != VIT_SIGLIP,
                                .pre_norm = f == VIT_CLIP,
                                .patch_bias = f != VIT_CLIP,
                                .qkv_bias = true,
                                .layer_scale = dino };
}

static void add_params(struct encoder *t, struct params *p)
{
    const char *name;
    struct tensor *x;
    for (size_t i = 0; (x = params_next(p, &i, &name));)
        th_optim_add(t->optim, name, th_requires_grad_(x, true), th_rank(x) > 1 ? t->job->weight_decay : 0, 1);
}

static int make_heads(struct encoder *t, struct err *e)
{
    const struct objective *o = t->job->objective;
    struct heads *h = &t->heads;
    if (!(h->params = params_create(e)))
        return -1;
    params_root(h->params, "");
    o->want(h, t->job->width, (int64_t)t->vocabulary.words.n);
    TRY(params_fresh(h->params, t->job->seed + 1, TH_F32, TH_CPU, e));
    TH_SCOPE(s);
    th_fill_(h->log_scale, log(o->first_scale));
    if (h->bias)
        th_fill_(h->bias, o->first_bias);
    return th_check(e);
}

static int make_model(struct encoder *t, struct err *e)
{
    const struct encoder_job *j = t->job;
    struct vit_config c = config_of(j);
    struct vit_options o = { .dtype = TH_F32, .device = TH_CPU, .layer = -1, .final_norm = true, .all_tokens = true };
    if (!(t->vit = vit_create(&c, &o, j->seed, e)) || make_heads(t, e) < 0)
        return -1;
    TH_SCOPE(s);
    fresh_widen(vit_params(t->vit));
    fresh_widen(t->heads.params);
    if (!(t->optim = th_optim_adamw((struct th_adamw){ .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-6 }, e)))
        return -1;
    add_params(t, vit_params(t->vit));
    add_params(t, t->heads.params);
    return th_check(e);
}

/* ---- batches --------------------------------------------------------------------------------------------------------
 * Pictures are drawn by a thread ahead, item after item: for each step all first views, then all second ones. */

static const struct pair *pair_at(const struct encoder *t, size_t place)
{
    return &t->pairs.v[dice_shuffled(t->job->seed, place, t->pairs.n)];
}

/* View k of the picture at this place of the stream. All views of it are mirrored, or none: who cannot tell a picture
 * from its mirror image cannot tell left parts from right ones. */
static struct view view_at(const struct encoder *t, size_t place, int k)
{
    struct dice both = dice_at(t->job->seed, DICE_VIEW, (uint64_t)place << 2);
    struct dice own = dice_at(t->job->seed, DICE_VIEW, (uint64_t)place << 2 | (uint64_t)(k + 1));
    bool mirrored = pair_at(t, place)->may_flip && dice_real(&both) < 0.5;
    return view_draw(&own, &t->job->objective->rules, mirrored);
}

static int draw_item(void *arg, size_t i, float *out, struct err *e)
{
    const struct encoder *t = arg;
    (void)e;
    size_t n = (size_t)t->job->batch, views = (size_t)t->job->objective->views, in_step = i % (n * views);
    size_t place = i / (n * views) * n + in_step % n;
    struct view v = view_at(t, place, (int)(in_step / n));
    view_render(&v, &pair_at(t, place)->picture, (int)t->job->resolution, &t->scale, out);
    return 0;
}

static int begin_batches(struct encoder *t, struct err *e)
{
    size_t items = (size_t)t->job->batch * (size_t)t->job->objective->views;
    size_t floats = 3 * (size_t)t->job->resolution * (size_t)t->job->resolution;
    t->batch = calloc((size_t)t->job->batch, sizeof *t->batch);
    t->views = calloc(items, sizeof *t->views);
    t->pixels = calloc(items, floats * sizeof *t->pixels);
    if (!t->batch || !t->views || !t->pixels)
        return FAIL_NOMEM(e);
    struct decode_ahead_job job = { .n = t->pace.steps ? (size_t)t->pace.steps * items : FOREVER,
                                    .floats = floats,
                                    .make = draw_item,
                                    .arg = t,
                                    .threads = 1,
                                    .ahead = items };
    t->ahead = decode_ahead_start(&job, e);
    return t->ahead ? 0 : -1;
}

static int next_batch(struct encoder *t, struct err *e)
{
    size_t n = (size_t)t->job->batch, views = (size_t)t->job->objective->views, first = (size_t)t->pace.step * n, got;
    TRY(decode_ahead_read(t->ahead, t->pixels, n * views, &got, e));
    if (got != n * views)
        return FAIL(e, ERR_BUG, "a batch of %zu pictures instead of %zu", got, n * views);
    for (size_t b = 0; b < n; b++) {
        t->batch[b] = pair_at(t, first + b);
        for (size_t k = 0; k < views; k++)
            t->views[k * n + b] = view_at(t, first + b, (int)k);
    }
    return 0;
}

/* ---- learning -------------------------------------------------------------------------------------------------------
 */

static int one_step(struct encoder *t, struct err *e)
{
    const struct encoder_job *j = t->job;
    int64_t rows = j->batch * j->objective->views;
    TRY(next_batch(t, e));
    TH_SCOPE(s);
    th_grad(true);
    struct tensor *pixels = th_from(t->pixels, TH_DIMS(rows, 3, j->resolution, j->resolution), TH_F32, TH_CPU);
    struct lesson l = { .heads = &t->heads,
                        .tokens = vit_forward(t->vit, pixels),
                        .n = (size_t)j->batch,
                        .pairs = t->batch,
                        .views = t->views,
                        .grid = vit_grid(vit_config(t->vit), j->resolution),
                        .prefix = vit_prefix_tokens(vit_config(t->vit)),
                        .word_dropout = j->word_dropout,
                        .dice = dice_at(j->seed, DICE_WORDS, (uint64_t)t->pace.step) };
    struct tensor *loss = j->objective->loss(&l);
    th_backward(loss);
    th_optim_clip_grad(t->optim, CLIP_NORM);
    th_optim_step(t->optim, pace_rate(&t->pace));
    th_optim_zero_grad(t->optim);
    double value = th_item(loss);
    TRY(th_check(e));
    return pace_step(&t->pace, value, e);
}

static int measure(struct encoder *t, json_t *about, struct err *e)
{
    if (!t->job->validation || !t->job->objective->captions)
        return 0;
    struct zero_shot z = { t->vit, &t->heads, &t->vocabulary, &t->validation, &t->preprocess };
    json_t *j = zero_shot_measure(&z, e);
    return j ? json_object_set_new(about, "zero_shot", j) : -1;
}

/* ---- the result -----------------------------------------------------------------------------------------------------
 */

static json_t *about_json(const struct encoder *t, struct err *e)
{
    const struct encoder_job *j = t->job;
    char digest[DIGEST_HEX_SIZE];
    if (digest_file(j->data, digest, NULL, e) < 0)
        return NULL;
    json_t *about = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:O}", "objective",
                              j->objective->name, "data_sha256", digest, "pictures", (json_int_t)t->pairs.n, "concepts",
                              (json_int_t)t->vocabulary.concepts.n, "words", (json_int_t)t->vocabulary.words.n, "steps",
                              (json_int_t)t->pace.step, "batch", (json_int_t)j->batch, "learning_rate", t->pace.rate,
                              "weight_decay", j->weight_decay, "word_dropout", j->word_dropout, "seed",
                              (json_int_t)j->seed, "losses", t->pace.losses);
    return about ? about : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}

static int save(struct encoder *t, struct output *o, struct err *e)
{
    AUTO(json_decref) json_t *about = about_json(t, e);
    AUTO(json_decref) json_t *preprocessor = encoder_preprocessor(t->job->objective->family, t->job->resolution);
    if (!about || measure(t, about, e) < 0)
        return -1;
    if (!preprocessor)
        return FAIL_NOMEM(e);
    TRY(output_begin(o, e));
    TRY(vit_save(t->vit, o->draft, t->job->dtype, e));
    TRY(model_file_write_json(o->draft, "preprocessor_config.json", preprocessor, e));
    TRY(model_file_write_json(o->draft, "training.json", about, e));
    return output_commit(o, e);
}

static int check_job(const struct encoder_job *j, struct err *e)
{
    if (j->resolution % j->patch)
        return FAIL(e, ERR_USAGE, "--resolution must be a multiple of --patch");
    return j->objective->captions && j->batch < 2 ? FAIL(e, ERR_USAGE, "--batch: nothing to compare in a batch of one")
                                                  : 0;
}

int encoder_train(const struct encoder_job *job, struct err *e)
{
    AUTO(output_end) struct output out = { 0 };
    AUTO(encoder_free) struct encoder t = { .job = job, .pace = job->pace };
    TRY(check_job(job, e));
    TRY(th_device_check(TH_CPU, e));
    TRY(output_check(&out, job->out, e));
    TRY(read_data(&t, e));
    TRY(make_preprocess(&t, e));
    TRY(make_model(&t, e));
    fprintf(stderr, "%s: %zu pictures, %zu concepts, %zu words; the encoder has %lld numbers\n", job->objective->name,
            t.pairs.n, t.vocabulary.concepts.n, t.vocabulary.words.n, (long long)params_elements(vit_params(t.vit)));
    TRY(pace_begin(&t.pace, e));
    TRY(begin_batches(&t, e));
    while (pace_goes_on(&t.pace))
        TRY(one_step(&t, e));
    return save(&t, &out, e);
}
