#include "worker/exec/native_train.h"

#include <libgen.h>
#include <string.h>

#include "common/mono.h"
#include "worker/layout.h"
#include "worker/train/processes.h"

struct train_call {
    struct train_job job;
    char *connector, *images, *checkpoints, *attempt;
    char **files; /* of features, all members' */
    size_t n_files;
};

static void train_call_cleanup(struct train_call *c)
{
    for (size_t i = 0; i < c->n_files; i++)
        free(c->files[i]);
    for (size_t i = 0; i < c->job.n_members; i++)
        free((void *)c->job.members[i].features);
    free(c->files);
    free(c->connector);
    free(c->images);
    free(c->checkpoints);
    free(c->attempt);
}

/* ---- parameters -----------------------------------------------------------------------------------------------------
 */

static int refuse_unknown(const struct exec_task *t, struct err *e)
{
    static const char *const only[][2] = { { "training.connector", "mlp2x_gelu" },
                                           { "representation.fusion", "raw" } };
    for (size_t i = 0; i < ARRAY_LEN(only); i++) {
        const char *value;
        TRY(native_text(t->identity, only[i][0], only[i][1], &value, e));
        if (strcmp(value, only[i][1]) != 0)
            return FAIL(e, ERR_INPUT, "%s = \"%.40s\" is not built in; take \"%s\", or a program of your own",
                        only[i][0], value, only[i][1]);
    }
    return 0;
}

static int read_member(const struct exec_task *t, size_t i, struct representation_member *m, struct err *e)
{
    json_t *one = json_array_get(json_object_get(json_object_get(t->identity, "representation"), "members"), i);
    json_t *names = json_array_get(json_object_get(json_object_get(t->execution, "names"), "members"), i);
    int64_t layer, resolution;
    const char *positions, *aspect;
    *m = (struct representation_member){ .encoder = EXTRACT_DEFAULTS };
    TRY(native_int(t->identity, "training.select_layer", NULL, &layer, e)); /* of encoders that name none */
    TRY(native_int(one, "options.layer", &layer, &layer, e));
    TRY(native_int(one, "resolution", NULL, &resolution, e));
    TRY(native_text(one, "options.position_interpolation", "own", &positions, e));
    TRY(vit_positions_parse(positions, &m->encoder.positions, e));
    TRY(native_text(t->identity, "training.image_aspect", "square", &aspect, e));
    m->encoder.pad = strcmp(aspect, "pad") == 0;
    m->encoder.layer = (int)layer;
    m->encoder.resolution = (uint32_t)resolution;
    return native_text(names, "encoder", NULL, &m->name, e);
}

static int read_call(const struct exec_task *t, enum train_stage stage, struct train_call *c, struct err *e)
{
    const char *dtype;
    struct train_job *j = &c->job;
    *j = train_job_default(stage);
    TRY(refuse_unknown(t, e));
    TRY(train_recipe_read(&j->recipe, json_object_get(t->identity, "training"), e));
    TRY(train_recipe_check(&j->recipe, e));
    TRY(native_text(t->identity, "dtype", NULL, &dtype, e));
    j->features = strcmp(dtype, "fp32") == 0 ? TH_F32 : strcmp(dtype, "fp16") == 0 ? TH_F16 : TH_BF16;
    TRY(native_int(t->identity, "representation.target_grid", &(int64_t){ 0 }, &j->grid, e));
    TRY(native_int(t->execution, "training.device_batch", &(int64_t){ 0 }, &j->device_batch, e));
    json_t *seconds = json_object_get(json_object_get(t->execution, "training"), "checkpoint_seconds");
    if (json_is_number(seconds))
        j->save_every_ns = (int64_t)(json_number_value(seconds) * 1e9);
    json_t *again = json_object_get(json_object_get(t->execution, "training"), "gradient_checkpointing");
    j->recompute = !again || json_is_true(again);
    size_t n = json_array_size(json_object_get(json_object_get(t->identity, "representation"), "members"));
    if (n < 1 || n > TRAIN_MEMBERS_MAX)
        return FAIL(e, ERR_INPUT, "a representation of %zu encoders; 1 to %d can be trained", n, TRAIN_MEMBERS_MAX);
    for (; j->n_members < n; j->n_members++)
        TRY(read_member(t, j->n_members, &j->members[j->n_members], e));
    return 0;
}

int native_train_check(const struct exec_task *t, enum train_stage stage, struct err *e)
{
    __attribute__((cleanup(train_call_cleanup))) struct train_call c = { 0 };
    return read_call(t, stage, &c, e);
}

/* ---- inputs ---------------------------------------------------------------------------------------------------------
 */

/* Files of kept features, in the order of the inputs; *n is their number. */
static int find_features(const struct exec_task *t, struct train_call *c, size_t member, struct err *e)
{
    struct representation_member *m = &c->job.members[member];
    char prefix[40];
    size_t len = (size_t)snprintf(prefix, sizeof prefix, "cache:%zu:", member);
    const char **mine = calloc(t->spec->n_inputs + 1, sizeof *mine);
    m->features = mine;
    if (!mine)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < t->spec->n_inputs; i++) {
        char *path = NULL;
        if (strncmp(t->spec->inputs[i]->name, prefix, len) != 0)
            continue;
        if (native_artifact(t, t->spec->inputs[i], "features", &path, e) < 0) {
            free(path);
            return -1;
        }
        mine[m->n_features++] = c->files[c->n_files++] = path;
    }
    return 0;
}

static int find_connector(const struct exec_task *t, struct train_call *c, struct err *e)
{
    for (size_t i = 0; i < t->spec->n_inputs; i++)
        if (strcmp(t->spec->inputs[i]->name, "connector") == 0)
            TRY(native_artifact(t, t->spec->inputs[i], "connector", &c->connector, e));
    c->job.connector = c->connector;
    return 0;
}

/* Where everything is on this node. */
static int find_paths(const struct exec_task *t, struct train_call *c, struct err *e)
{
    struct train_job *j = &c->job;
    json_t *names = json_object_get(json_object_get(t->execution, "names"), "members");
    if (!(j->llm = native_path(t, "llm", e)) || !(j->data = native_path(t, "image_set", e)))
        return -1;
    if (!(c->images = strdup(j->data)) || !(c->files = calloc(t->spec->n_inputs + 1, sizeof *c->files)))
        return FAIL_NOMEM(e);
    j->images = dirname(c->images);
    TRY(find_connector(t, c, e));
    for (size_t i = 0; i < j->n_members; i++) {
        const char *checkpoint;
        TRY(find_features(t, c, i, e));
        TRY(native_text(json_array_get(names, i), "checkpoint", NULL, &checkpoint, e));
        if (!j->members[i].n_features && !(j->members[i].encoder.checkpoint = exec_path(t, checkpoint, e)))
            return -1;
    }
    return 0;
}

/* A process for each GPU; processors are shared out. */
static int choose_devices(const struct exec_task *t, struct train_job *j, struct err *e)
{
    const Acsweep__Resources *r = t->spec->resources;
    int gpus = r ? (int)r->gpus : 0;
    TRY(native_device(t, &j->devices[0], e));
    if (gpus > (int)ARRAY_LEN(j->devices))
        return FAIL(e, ERR_INPUT, "%d GPUs; a training takes at most %zu of a node", gpus, ARRAY_LEN(j->devices));
    j->processes = gpus > 1 ? gpus : 1;
    for (int i = 1; i < j->processes; i++)
        j->devices[i] = TH_CUDA(i);
    j->threads = (unsigned)(th_threads() / j->processes > 1 ? th_threads() / j->processes : 1);
    return 0;
}

static int make_places(const struct exec_task *t, struct train_call *c, struct err *e)
{
    TRY(layout_claim_checkpoint(t->store, t->scratch, t->spec->identity, t->token, &c->checkpoints, e));
    c->job.checkpoints = c->checkpoints;
    c->attempt = layout_attempt(t->scratch, t->token);
    return c->attempt ? make_dirs(c->attempt, e) : FAIL_NOMEM(e);
}

/* ---- the run --------------------------------------------------------------------------------------------------------
 */

struct watch {
    const struct exec_task *task;
    double loss;
    int64_t steps, reported; /* ns */
};

static int report(void *arg, const struct train_step *s, struct err *e)
{
    (void)e;
    struct watch *w = arg;
    char note[160];
    int64_t now = mono_now();
    w->loss = s->loss;
    w->steps = s->step;
    if (s->step < s->steps && now - w->reported < NS_PER_S)
        return 0;
    w->reported = now;
    snprintf(note, sizeof note, "step %lld of %lld: loss %.4f, %.0f tokens/s", (long long)s->step, (long long)s->steps,
             s->loss, (double)s->tokens / s->seconds);
    exec_progress(w->task, (double)s->step / (double)s->steps, note, NULL, 0);
    return 0;
}

static bool wants_stop(void *arg)
{
    const struct watch *w = arg;
    return control_cancelled(w->task->control, NULL);
}

/* A drained worker gives the task back; the next attempt goes on here. Who cancels does not want it again. */
static void stopped(const struct exec_task *t, struct exec_result *r)
{
    struct control_cancel why = { 0 };
    if (control_cancelled(t->control, &why) && strcmp(why.reason, "drain") == 0)
        r->outcome = ACSWEEP__OUTCOME__CHECKPOINTED;
    else
        exec_result_cancelled(t, r);
}

static void measure(const struct train_job *j, struct exec_result *r)
{
    struct th_memory m;
    if (j->devices[0].type == TH_DEV_CUDA && th_device_memory(j->devices[0], &m, NULL) == 0)
        r->max_gpu_bytes = (uint64_t)m.peak;
}

static int finish(struct trainer *trained, const struct watch *w, const struct exec_task *t,
                  native_train_publish_fn *publish, struct exec_result *r, struct err *e)
{
    AUTO(artifact_end) struct artifact_dir *dir = artifact_begin(t, e);
    if (!dir)
        return -1;
    TRY(publish(trained, dir, r, e));
    TRY(artifact_publish(dir, r, e));
    TRY(exec_result_metric(r, "loss", w->loss, e));
    TRY(exec_result_metric(r, "steps", (double)w->steps, e));
    r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    return 0;
}

static int train(const struct exec_task *t, const struct train_job *j, const char *scratch,
                 native_train_publish_fn *publish, struct exec_result *r, struct err *e)
{
    struct watch w = { .task = t };
    struct trainer_hooks hooks = { .step = report, .stop = wants_stop, .arg = &w };
    enum trainer_end end;
    th_device_memory_reset_peak(j->devices[0]);
    AUTO(train_team_destroy) struct train_team *team = train_team_start(j, scratch, e);
    AUTO(trainer_close) struct trainer *trained = team ? trainer_open(j, 0, train_team_group(team), e) : NULL;
    if (!trained || trainer_run(trained, &hooks, &end, e) < 0)
        return train_team_failed(team, e);
    TRY(train_team_end(team, e));
    measure(j, r);
    if (end == TRAINER_STOPPED) {
        stopped(t, r);
        return 0;
    }
    return finish(trained, &w, t, publish, r, e);
}

int native_train_run(const struct exec_task *t, enum train_stage stage, native_train_publish_fn *publish,
                     struct exec_result *r, struct err *e)
{
    __attribute__((cleanup(train_call_cleanup))) struct train_call c = { 0 };
    TRY(read_call(t, stage, &c, e));
    TRY(find_paths(t, &c, e));
    TRY(choose_devices(t, &c.job, e));
    TRY(train_job_check(&c.job, e));
    TRY(make_places(t, &c, e));
    return train(t, &c.job, c.attempt, publish, r, e);
}
