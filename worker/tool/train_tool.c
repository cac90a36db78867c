#include "worker/tool/train_tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "worker/layout.h"
#include "worker/tool/interrupt.h"
#include "worker/tool/members.h"
#include "worker/train/processes.h"

static bool wants_stop(void *arg)
{
    (void)arg;
    return tool_interrupted(NULL) < 0;
}

/* ---- options --------------------------------------------------------------------------------------------------------
 */

static int choice_of(const char *name, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 0;
}

static void read_numbers(const struct opts *o, struct train_recipe *r)
{
    const struct {
        const char *name;
        double *real;
        int64_t *integer;
    } numbers[] = {
        { "samples", NULL, &r->samples },        { "batch", NULL, &r->batch },
        { "max-length", NULL, &r->max_length },  { "seed", NULL, &r->seed },
        { "chunks", NULL, &r->chunks },
        { "epochs", &r->epochs, NULL },          { "lr", &r->learning_rate, NULL },
        { "warmup", &r->warmup_ratio, NULL },    { "weight-decay", &r->weight_decay, NULL },
        { "clip", &r->grad_clip, NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (!opts_given(o, numbers[i].name))
            continue;
        if (numbers[i].real)
            *numbers[i].real = opts_real(o, numbers[i].name);
        else
            *numbers[i].integer = opts_int(o, numbers[i].name);
    }
}

static void read_stage2(const struct opts *o, struct train_recipe *r)
{
    if (opts_given(o, "connector-lr"))
        r->connector_learning_rate = opts_real(o, "connector-lr");
    if (opts_flag(o, "freeze-llm"))
        r->tune = TRAIN_CONNECTOR;
    if (!opts_given(o, "lora"))
        return;
    r->tune = TRAIN_LORA;
    r->lora_rank = opts_int(o, "lora");
    r->lora_alpha = opts_given(o, "lora-alpha") ? opts_real(o, "lora-alpha") : 2 * (double)r->lora_rank;
}

static void read_recipe(const struct opts *o, struct train_recipe *r)
{
    static const char *const schedules[] = { "cosine", "linear", "constant" }, *const samplers[] = { "random", "grouped" };
    read_numbers(o, r);
    r->schedule = choice_of(opts_text(o, "schedule"), schedules, 3);
    if (opts_given(o, "sampler"))
        r->sampler = choice_of(opts_text(o, "sampler"), samplers, 2);
    r->precision = strcmp(opts_text(o, "precision"), "fp32") == 0 ? TRAIN_FP32 : TRAIN_BF16;
    if (opts_has(o, "lora"))
        read_stage2(o, r);
}

/* `m` keeps the texts that the job points to. */
static int read_members(const struct opts *o, struct train_job *j, struct tool_members *m, struct err *e)
{
    const char *const *features;
    size_t n_features = opts_list(o, "features", &features);
    TRY(tool_members_read(o, TH_F32, m, e));
    if (n_features && n_features != m->n)
        return FAIL(e, ERR_USAGE, "%zu encoders, but %zu --features; give one for each, in the same order", m->n,
                    n_features);
    for (size_t i = 0; i < m->n; i++) {
        j->members[i] = m->list[i];
        j->members[i].features = n_features ? &features[i] : NULL;
        j->members[i].n_features = n_features ? 1 : 0;
    }
    j->n_members = m->n;
    return n_features || opts_given(o, "images") ? 0 : FAIL(e, ERR_USAGE, "give --images DIR, or --features for each encoder");
}

static int read_devices(const struct opts *o, struct train_job *j, struct err *e)
{
    const char *const *names;
    struct err why = { 0 };
    size_t n = opts_list(o, "device", &names);
    if (n > ARRAY_LEN(j->devices) || (n > 1 && opts_given(o, "processes")))
        return FAIL(e, ERR_USAGE, "give --device for each process, at most %zu, or one device and --processes",
                    ARRAY_LEN(j->devices));
    j->processes = n > 1 ? (int)n : opts_given(o, "processes") ? (int)opts_int(o, "processes") : 1;
    for (int i = 0; i < j->processes; i++)
        if (th_device_parse(n == 0 ? "cpu" : names[n > 1 ? i : 0], &j->devices[i], &why) < 0)
            return FAIL(e, ERR_USAGE, "--device: %s", why.text);
    if (n == 1 && j->processes > 1 && j->devices[0].type != TH_DEV_CPU)
        return FAIL(e, ERR_USAGE, "--processes is for the CPU; give --device for each GPU");
    int share = tool_processors(o) / j->processes;
    j->threads = opts_given(o, "threads") ? (unsigned)opts_int(o, "threads") : share > 1 ? (unsigned)share : 1;
    return 0;
}

static int read_job(const struct opts *o, struct train_job *j, struct tool_members *m, struct err *e)
{
    const char *dtype = opts_text(o, "dtype");
    read_recipe(o, &j->recipe);
    j->llm = opts_text(o, "llm");
    j->connector = opts_text(o, "connector");
    j->data = opts_text(o, "data");
    j->images = opts_text(o, "images");
    j->grid = opts_int(o, "grid");
    j->features = strcmp(dtype, "fp32") == 0 ? TH_F32 : strcmp(dtype, "fp16") == 0 ? TH_F16 : TH_BF16;
    j->device_batch = opts_int(o, "device-batch");
    j->recompute = !opts_flag(o, "keep-activations");
    j->max_steps = opts_int(o, "max-steps");
    j->save_every_ns = opts_int(o, "save-every");
    TRY(read_members(o, j, m, e));
    TRY(read_devices(o, j, e));
    return train_job_check(j, e);
}

/* ---- while it runs --------------------------------------------------------------------------------------------------
 */

static int print_step(void *arg, const struct train_step *s, struct err *e)
{
    const struct opts *o = arg;
    double rate = (double)s->tokens / s->seconds;
    int n = opts_flag(o, "json")
                ? printf("{\"step\":%lld,\"steps\":%lld,\"loss\":%.9g,\"lr\":%.9g,\"grad_norm\":%.9g,\"tokens\":%lld,"
                         "\"tokens_per_second\":%.6g,\"seconds\":%.6g}\n",
                         (long long)s->step, (long long)s->steps, s->loss, s->learning_rate, s->grad_norm,
                         (long long)s->tokens, rate, s->seconds)
                : printf("step %lld of %lld: loss %.4f, gradient %.3g, rate %.3g, %.0f tokens/s\n", (long long)s->step,
                         (long long)s->steps, s->loss, s->grad_norm, s->learning_rate, rate);
    return n < 0 || fflush(stdout) != 0 ? FAIL(e, ERR_ENV, "cannot write to standard output: %s", strerror(errno)) : 0;
}

static void tell(const struct trainer *t, const struct train_job *j)
{
    struct trainer_facts f = trainer_facts(t);
    fprintf(stderr, "%s: %lld samples, %lld steps%s; %lld numbers train, %lld are frozen; a picture has %lld tokens\n",
            train_stage_name(j->recipe.stage), (long long)f.samples, (long long)f.steps,
            f.resumed ? ", going on from a checkpoint" : "", (long long)f.trained, (long long)f.frozen,
            (long long)f.picture_tokens);
}

static int train(const struct opts *o, const struct train_job *j, struct err *e)
{
    const char *out = opts_text(o, "out");
    enum trainer_end end;
    struct trainer_hooks hooks = { .step = print_step, .stop = wants_stop, .arg = (void *)o };
    AUTO(train_team_destroy) struct train_team *team = train_team_start(j, out, e);
    AUTO(trainer_close) struct trainer *t = team ? trainer_open(j, 0, train_team_group(team), e) : NULL;
    if (!t)
        return train_team_failed(team, e);
    tell(t, j);
    if (trainer_run(t, &hooks, &end, e) < 0)
        return train_team_failed(team, e);
    TRY(train_team_end(team, e));
    if (end == TRAINER_STOPPED)
        return tool_interrupted(e) < 0 ? err_wrap(e, "run it again to go on from %s", j->checkpoints) : 0;
    return trainer_save(t, out, e);
}

static int run(const struct opts *o, enum train_stage stage, struct err *e)
{
    char checkpoints[4096];
    struct train_job j = train_job_default(stage);
    AUTO(tool_members_free) struct tool_members members = { 0 };
    TRY(read_job(o, &j, &members, e));
    TRY(tool_begin(o, train_stage_name(stage), j.devices[0], e));
    if (snprintf(checkpoints, sizeof checkpoints, "%s/checkpoints", opts_text(o, "out")) >= (int)sizeof checkpoints)
        return FAIL(e, ERR_USAGE, "--out: the path is too long");
    if (opts_flag(o, "restart"))
        remove_tree(checkpoints);
    TRY(make_dirs(opts_text(o, "out"), e));
    j.checkpoints = checkpoints;
    log_setup("acsweep-exec", LOG_WARN, LOG_LOGFMT);
    tool_catch_signals();
    return train(o, &j, e);
}

int tool_stage1(const struct opts *o, struct err *e)
{
    return run(o, TRAIN_STAGE1, e);
}

int tool_stage2(const struct opts *o, struct err *e)
{
    return run(o, TRAIN_STAGE2, e);
}
