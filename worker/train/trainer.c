#include "worker/train/trainer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mono.h"
#include "worker/train/trainer_impl.h"

/* ---- opening --------------------------------------------------------------------------------------------------------
 */

static enum th_dtype precision(const struct train_recipe *r)
{
    return r->precision == TRAIN_FP32 ? TH_F32 : TH_BF16;
}

static int open_data(struct trainer *t, struct err *e)
{
    const struct train_recipe *r = &t->job.recipe;
    if (!(t->data = chat_set_open(t->job.data, e)) || !(t->tokenizer = tokenizer_open(t->job.llm, e)))
        return -1;
    t->n_samples = r->samples ? (size_t)r->samples : chat_set_count(t->data);
    if (t->n_samples > chat_set_count(t->data) || t->n_samples == 0)
        return FAIL(e, ERR_INPUT, "%s has %zu samples, but training.samples asks for %lld", t->job.data,
                    chat_set_count(t->data), (long long)r->samples);
    t->steps = train_recipe_steps(r, t->n_samples);
    return 0;
}

static int open_representation(struct trainer *t, struct err *e)
{
    const struct train_job *j = &t->job;
    int64_t batch = j->device_batch ? j->device_batch : j->recipe.batch / j->recipe.chunks;
    struct representation_options o = { .members = j->members,
                                        .n = j->n_members,
                                        .grid = j->grid,
                                        .dtype = j->features,
                                        .device = t->device,
                                        .batch = batch < 64 ? (int)batch : 64 };
    if (!(t->representation = representation_open(&o, e)))
        return -1;
    t->sees = representation_needs_pictures(t->representation);
    t->picture_tokens = representation_shape(t->representation).tokens;
    if (t->picture_tokens + 2 > j->recipe.max_length)
        return FAIL(e, ERR_INPUT,
                    "a picture has %lld tokens, so that training.max_length = %lld leaves no room for text; raise it, or "
                    "use a smaller grid or resolution",
                    (long long)t->picture_tokens, (long long)j->recipe.max_length);
    return 0;
}

static struct connector *open_connector(const struct trainer *t, const struct llama *m, struct err *e)
{
    int64_t channels = representation_shape(t->representation).channels, width = llama_config(m)->width;
    struct connector_options o = { .dtype = precision(&t->job.recipe), .device = t->device };
    if (!t->job.connector)
        return connector_create(channels, width, &o, (uint64_t)t->job.recipe.seed, e);
    AUTO(connector_destroy) struct connector *c = connector_open(t->job.connector, &o, e);
    if (c && (connector_in(c) != channels || connector_out(c) != width))
        return FAIL_NULL(e, ERR_INPUT,
                         "%s leads from %lld channels to %lld, but the representation has %lld and the decoder %lld",
                         t->job.connector, (long long)connector_in(c), (long long)connector_out(c), (long long)channels,
                         (long long)width);
    return TAKE(c);
}

static int open_model(struct trainer *t, struct err *e)
{
    const struct train_recipe *r = &t->job.recipe;
    struct llama_options o = { .dtype = precision(r), .device = t->device };
    struct llama *m = llama_open(t->job.llm, &o, e);
    if (!m)
        return -1;
    struct connector *c = open_connector(t, m, e);
    if (!c) {
        llama_destroy(m);
        return -1;
    }
    if (!(t->model = vlm_join(m, c, e)))
        return -1;
    if (tokenizer_size(t->tokenizer) > (size_t)llama_config(m)->vocab)
        return FAIL(e, ERR_INPUT, "%s: its tokenizer has %zu ids, but the decoder knows %lld", t->job.llm,
                    tokenizer_size(t->tokenizer), (long long)llama_config(m)->vocab);
    if (r->tune != TRAIN_LORA)
        return 0;
    t->adapter = adapter_create(m, r->lora_rank, r->lora_alpha, (uint64_t)r->seed, e);
    return t->adapter ? 0 : -1;
}

/* ---- what trains ----------------------------------------------------------------------------------------------------
 */

static void add_trained(struct trainer *t, const char *name, struct tensor *value, double scale)
{
    struct trained *x = &t->trained[t->n_trained++];
    snprintf(x->name, sizeof x->name, "%s", name);
    x->value = th_requires_grad_(value, true);
    th_optim_add(t->optim, x->name, x->value, th_rank(value) > 1 ? t->job.recipe.weight_decay : 0, scale);
}

/* `scale`: of the learning rate. */
static void add_params(struct trainer *t, const struct params *p, double scale)
{
    const char *name;
    struct tensor *x;
    for (size_t i = 0; (x = params_next(p, &i, &name));)
        add_trained(t, name, x, scale);
}

static size_t count_params(const struct params *p)
{
    const char *name;
    size_t n = 0;
    for (size_t i = 0; params_next(p, &i, &name);)
        n++;
    return n;
}

/* Weight decay is for matrices: not for biases and norms, as Trainer's groups have it. */
static int choose_trained(struct trainer *t, struct err *e)
{
    const struct train_recipe *r = &t->job.recipe;
    struct params *llama = llama_params(t->model->llama), *connector = connector_params(t->model->connector);
    size_t most = count_params(llama) * 2 + count_params(connector) + 2 * LLAMA_LAYERS *
                  (size_t)llama_config(t->model->llama)->layers;
    t->optim = r->optimizer == TRAIN_SGD ? th_optim_sgd((struct th_sgd){ 0 }, e)
                                         : th_optim_adamw((struct th_adamw){ .9, .999, 1e-8 }, e);
    if (!t->optim)
        return -1;
    if (!(t->trained = calloc(most + 1, sizeof *t->trained)))
        return FAIL_NOMEM(e);
    TH_SCOPE(s);
    th_optim_share(t->optim, t->group);
    add_params(t, connector, r->connector_learning_rate > 0 ? r->connector_learning_rate / r->learning_rate : 1);
    if (r->tune == TRAIN_FULL)
        add_params(t, llama, 1);
    char name[128];
    struct tensor *x;
    for (size_t i = 0; t->adapter && (x = adapter_next(t->adapter, &i, name));)
        add_trained(t, name, x, 1);
    return th_check(e);
}

static int open_feed(struct trainer *t, struct err *e)
{
    struct feed_options o = { .recipe = &t->job.recipe,
                              .data = t->data,
                              .tokenizer = t->tokenizer,
                              .images = t->sees ? t->job.images : NULL,
                              .n = t->n_samples,
                              .steps = t->steps,
                              .from = t->step,
                              .rank = t->rank,
                              .size = t->size,
                              .most = trainer_taken(t),
                              .threads = t->job.threads ? t->job.threads : 1 };
    t->feed = feed_open(&o, e);
    return t->feed ? 0 : -1;
}

static int open_all(struct trainer *t, struct err *e)
{
    TRY(open_data(t, e));
    TRY(open_representation(t, e));
    TRY(open_model(t, e));
    TRY(choose_trained(t, e));
    TRY(trainer_config(t, e));
    TRY(trainer_resume(t, e));
    return open_feed(t, e);
}

struct trainer *trainer_open(const struct train_job *job, int rank, struct th_dist *group, struct err *e)
{
    AUTO(trainer_close) struct trainer *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    *t = (struct trainer){ .job = *job, .rank = rank, .size = th_dist_size(group), .group = group };
    t->device = job->devices[rank];
    th_set_threads(job->threads ? (int)job->threads : 1);
    return open_all(t, e) < 0 ? NULL : TAKE(t);
}

void trainer_close(struct trainer *t)
{
    if (!t)
        return;
    feed_close(t->feed);
    th_optim_destroy(t->optim);
    free(t->trained);
    adapter_destroy(t->adapter);
    vlm_destroy(t->model);
    representation_close(t->representation);
    tokenizer_close(t->tokenizer);
    chat_set_close(t->data);
    free(t);
}

struct trainer_facts trainer_facts(const struct trainer *t)
{
    int64_t trained = 0, all = params_elements(llama_params(t->model->llama)) +
                              params_elements(connector_params(t->model->connector)) +
                              (t->adapter ? adapter_elements(t->adapter) : 0);
    for (size_t i = 0; i < t->n_trained; i++)
        trained += th_numel(t->trained[i].value);
    return (struct trainer_facts){ .steps = t->steps,
                                   .resumed = t->resumed,
                                   .samples = (int64_t)t->n_samples,
                                   .trained = trained,
                                   .frozen = all - trained,
                                   .picture_tokens = t->picture_tokens };
}

/* ---- running --------------------------------------------------------------------------------------------------------
 */

/* Process 0 looks at its clock for all. */
static bool save_is_due(const struct trainer *t)
{
    const struct train_job *j = &t->job;
    bool by_step = j->save_every_steps && (t->step + 1) % j->save_every_steps == 0;
    bool by_time = j->save_every_ns && mono_now() - t->saved_at >= j->save_every_ns;
    return t->rank == 0 && j->checkpoints && (by_step || by_time);
}

static int one_step(struct trainer *t, const struct trainer_hooks *hooks, bool *stop, struct err *e)
{
    struct train_step s = { .step = t->step + 1, .steps = t->steps };
    int64_t began = mono_now();
    double flags[2] = { hooks->stop && hooks->stop(hooks->arg), save_is_due(t) };
    TRY(trainer_step(t, &s, flags, e));
    t->step++;
    *stop = flags[0] > 0;
    s.seconds = (double)(mono_now() - began) / (double)NS_PER_S;
    if (!isfinite(s.loss))
        return FAIL(e, ERR_TASK, "the loss of step %lld is %g: lower the learning rate, or set grad_clip",
                    (long long)s.step, s.loss);
    if (t->rank == 0 && hooks->step)
        TRY(hooks->step(hooks->arg, &s, e));
    if (t->job.checkpoints && (*stop || flags[1] > 0))
        TRY(trainer_checkpoint(t, e));
    return 0;
}

int trainer_run(struct trainer *t, const struct trainer_hooks *hooks, enum trainer_end *end, struct err *e)
{
    int64_t last = t->job.max_steps && t->job.max_steps < t->steps ? t->job.max_steps : t->steps;
    bool stop = false;
    t->saved_at = mono_now();
    while (t->step < last && !stop)
        TRY(one_step(t, hooks, &stop, e));
    *end = stop && t->step < last ? TRAINER_STOPPED : TRAINER_DONE;
    if (*end == TRAINER_DONE && last < t->steps && t->job.checkpoints) /* it may be asked for more later */
        TRY(trainer_checkpoint(t, e));
    if (t->rank == 0 && feed_mismatches(t->feed))
        log_warn("train.samples_masked", KV_I64("samples", (int64_t)feed_mismatches(t->feed)));
    return 0;
}

/* ---- the result -----------------------------------------------------------------------------------------------------
 */

static json_t *about_json(const struct trainer *t)
{
    json_t *members = json_array();
    for (size_t i = 0; i < t->job.n_members; i++) {
        const struct representation_member *m = &t->job.members[i];
        const char *name = m->name ? m->name : m->encoder.checkpoint ? m->encoder.checkpoint : "?";
        json_array_append_new(members, json_pack("{s:s, s:i, s:I}", "encoder", name, "layer", m->encoder.layer,
                                                 "resolution", (json_int_t)m->encoder.resolution));
    }
    struct representation_shape s = representation_shape(t->representation);
    return json_pack("{s:o, s:{s:o, s:I, s:I, s:s}}", "training", train_recipe_json(&t->job.recipe), "representation",
                     "members", members, "grid", (json_int_t)s.grid, "channels", (json_int_t)s.channels, "dtype",
                     th_dtype_name(s.dtype));
}

/* The encoders' names with dots between them, as LLaVA's mm_vision_tower. */
static void tower_name(const struct trainer *t, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < t->job.n_members && at < size; i++) {
        const struct representation_member *m = &t->job.members[i];
        const char *name = m->name ? m->name : m->encoder.checkpoint ? m->encoder.checkpoint : "features";
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "." : "", name);
    }
}

/* A result of another kind that an earlier training left in the same directory. */
static int drop_older(const char *dir, const char *name, struct err *e)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    return unlink(path) == 0 || errno == ENOENT ? 0 : FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
}

static int save_model(struct trainer *t, const char *dir, struct err *e)
{
    char tower[4096];
    AUTO(json_decref) json_t *about = about_json(t);
    if (!about)
        return FAIL_NOMEM(e);
    tower_name(t, tower, sizeof tower);
    TRY(drop_older(dir, "adapter_config.json", e)); /* it would be read in place of the model */
    struct vlm_about a = { .vision_tower = tower,
                           .select_layer = t->job.members[0].encoder.layer,
                           .tokenizer_from = t->job.llm,
                           .about = about,
                           .max_length = t->job.recipe.max_length };
    return vlm_save(t->model, dir, &a, precision(&t->job.recipe), e);
}

int trainer_save(struct trainer *t, const char *dir, struct err *e)
{
    enum th_dtype dtype = precision(&t->job.recipe);
    if (t->rank != 0)
        return 0;
    if (t->job.recipe.tune == TRAIN_FULL || (t->job.recipe.stage == TRAIN_STAGE2 && !t->adapter))
        return save_model(t, dir, e);
    TRY(drop_older(dir, t->adapter ? "config.json" : "adapter_config.json", e));
    TRY(connector_save(t->model->connector, dir, dtype, e));
    return t->adapter ? adapter_save(t->adapter, dir, t->job.llm, dtype, e) : 0;
}
