/* Checkpoints of a training: trained.safetensors with the weights that train, as they are computed with, by process 0;
 * optimizer-R.safetensors with the state that process R has. */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "worker/train/checkpoint.h"
#include "worker/train/trainer_impl.h"

/* ---- the same training? ---------------------------------------------------------------------------------------------
 */

static json_t *member_json(const struct representation_member *m)
{
    const struct extract_options *x = &m->encoder;
    return json_pack("{s:s, s:i, s:I, s:i, s:b, s:b, s:s}", "encoder", m->name ? m->name : x->checkpoint ? x->checkpoint : "",
                     "geometry", (int)x->geometry, "resolution", (json_int_t)x->resolution, "layer", x->layer,
                     "final_norm", (int)x->final_norm, "pad", (int)x->pad, "positions", vit_positions_name(x->positions));
}

/* Digests of the connector's numbers as it begins: its path may have another one by now. */
static json_t *beginning(const struct trainer *t, struct err *e)
{
    TH_SCOPE(s);
    const char *name;
    struct tensor *x;
    json_t *list = json_array();
    for (size_t i = 0; (x = params_next(connector_params(t->model->connector), &i, &name));) {
        char hex[DIGEST_HEX_SIZE];
        x = th_contiguous(th_to_device(th_detach(x), TH_CPU));
        const void *data = th_data(x);
        if (th_check(e) < 0) {
            json_decref(list);
            return NULL;
        }
        digest_bytes(data, (size_t)th_bytes(x), hex);
        json_array_append_new(list, json_string(hex));
    }
    return list ? list : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}

int trainer_config(struct trainer *t, struct err *e)
{
    char data[DIGEST_HEX_SIZE];
    json_t *members = json_array();
    AUTO(json_decref) json_t *connector = beginning(t, e);
    if (!connector) {
        json_decref(members);
        return -1;
    }
    chat_set_digest(t->data, data);
    for (size_t i = 0; i < t->job.n_members; i++)
        json_array_append_new(members, member_json(&t->job.members[i]));
    struct representation_shape s = representation_shape(t->representation);
    AUTO(json_decref)
    json_t *j = json_pack("{s:o, s:o, s:I, s:I, s:s, s:s, s:s, s:O, s:I}", "training", train_recipe_json(&t->job.recipe),
                          "members", members, "grid", (json_int_t)s.grid, "channels", (json_int_t)s.channels, "features",
                          th_dtype_name(s.dtype), "data", data, "llm", t->job.llm, "connector", connector,
                          "samples", (json_int_t)t->n_samples);
    return j ? digest_json(j, t->config, e) : FAIL_NOMEM(e);
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */

static int put(struct st_writer *w, const char *name, struct tensor *x, struct err *e)
{
    TH_SCOPE(s);
    x = th_contiguous(th_to_device(th_detach(x), TH_CPU));
    const void *data = th_data(x);
    TRY(th_check(e));
    return st_writer_put(w, name, data, (size_t)th_bytes(x), e);
}

static int declare(struct st_writer *w, const char *name, struct tensor *x, struct err *e)
{
    int64_t dims[ST_MAX_RANK];
    for (int k = 0; k < th_rank(x); k++)
        dims[k] = th_size(x, k);
    return st_writer_declare(w, name, th_dtype_of(x), dims, th_rank(x), e);
}

static int save_trained(const struct trainer *t, const char *dir, struct err *e)
{
    char path[CHECKPOINT_PATH];
    snprintf(path, sizeof path, "%s/trained.safetensors", dir);
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(path, e);
    if (!w)
        return -1;
    for (size_t i = 0; i < t->n_trained; i++)
        TRY(declare(w, t->trained[i].name, t->trained[i].value, e));
    for (size_t i = 0; i < t->n_trained; i++)
        TRY(put(w, t->trained[i].name, t->trained[i].value, e));
    return st_writer_commit(w, e);
}

static int save_optim(const struct trainer *t, const char *dir, struct err *e)
{
    TH_SCOPE(s);
    char path[CHECKPOINT_PATH];
    const char *name;
    int64_t n = th_optim_state_count(t->optim);
    snprintf(path, sizeof path, "%s/optimizer-%d.safetensors", dir, t->rank);
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(path, e);
    if (!w)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        struct tensor *x = th_optim_state_at(t->optim, i, &name);
        TRY(declare(w, name, x, e));
    }
    for (int64_t i = 0; i < n; i++) {
        struct tensor *x = th_optim_state_at(t->optim, i, &name);
        TRY(put(w, name, x, e));
    }
    return st_writer_commit(w, e);
}

static int meet(struct trainer *t, struct err *e)
{
    th_dist_barrier(t->group);
    return th_check(e);
}

int trainer_checkpoint(struct trainer *t, struct err *e)
{
    char dir[CHECKPOINT_PATH];
    if (t->rank == 0)
        TRY(checkpoint_begin(t->job.checkpoints, dir, e));
    else if (snprintf(dir, sizeof dir, "%s/new", t->job.checkpoints) >= (int)sizeof dir)
        return FAIL(e, ERR_INPUT, "%.100s...: the path is too long", t->job.checkpoints);
    TRY(meet(t, e)); /* the directory is there */
    if (t->rank == 0)
        TRY(save_trained(t, dir, e));
    TRY(save_optim(t, dir, e));
    TRY(meet(t, e)); /* the files are there */
    if (t->rank == 0) {
        AUTO(json_decref)
        json_t *state = json_pack("{s:s, s:i, s:s, s:I}", "config", t->config, "processes", t->size, "stage",
                                  train_stage_name(t->job.recipe.stage), "seed", (json_int_t)t->job.recipe.seed);
        if (!state)
            return FAIL_NOMEM(e);
        TRY(checkpoint_commit(t->job.checkpoints, t->step, state, e));
    }
    t->saved_at = mono_now();
    return meet(t, e);
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

static int load_trained(struct trainer *t, const char *dir, struct err *e)
{
    char path[CHECKPOINT_PATH];
    snprintf(path, sizeof path, "%s/trained.safetensors", dir);
    AUTO(weights_destroy) struct weights *w = weights_open(path, e);
    if (!w)
        return -1;
    for (size_t i = 0; i < t->n_trained && !th_failed(); i++) {
        TH_SCOPE(s);
        struct tensor *x = t->trained[i].value;
        int64_t dims[2] = { th_size(x, 0), th_rank(x) > 1 ? th_size(x, 1) : 1 };
        th_copy_(x, weights_load(w, t->trained[i].name, dims, th_rank(x), th_dtype_of(x), t->device));
    }
    return th_check(e);
}

/* Of whichever file has it: another number of processes may have written them. */
static int load_optim(struct trainer *t, struct weights **files, int n, struct err *e)
{
    TH_SCOPE(s);
    for (int64_t i = 0; i < th_optim_state_count(t->optim) && !th_failed(); i++) {
        TH_SCOPE(inner);
        const char *name;
        int k = 0;
        th_optim_state_at(t->optim, i, &name);
        while (k < n && !weights_find(files[k], name))
            k++;
        if (k == n)
            return FAIL(e, ERR_INPUT, "the checkpoint has no state '%s' of the optimiser", name);
        th_optim_set_state(t->optim, name, weights_view(files[k], name));
    }
    return th_check(e);
}

static int open_optim(struct trainer *t, const char *dir, int n, struct err *e)
{
    struct weights *files[64] = { 0 };
    int opened = 0, rc = 0;
    if (n < 1 || n > 64)
        return FAIL(e, ERR_INPUT, "%s/state.json: %d processes cannot be", dir, n);
    for (; rc == 0 && opened < n; opened++) {
        char path[CHECKPOINT_PATH];
        snprintf(path, sizeof path, "%s/optimizer-%d.safetensors", dir, opened);
        files[opened] = weights_open(path, e);
        rc = files[opened] ? 0 : -1;
    }
    if (rc == 0)
        rc = load_optim(t, files, n, e);
    for (int i = 0; i < opened; i++)
        weights_destroy(files[i]);
    return rc;
}

static int check_config(const struct trainer *t, const char *dir, json_t *state, struct err *e)
{
    const char *config = json_string_value(json_object_get(state, "config"));
    if (config && strcmp(config, t->config) == 0)
        return 0;
    return FAIL(e, ERR_INPUT, "%s is of a training with other settings or data; remove it, or name another directory", dir);
}

/* Process 0 looks and verifies; the others are told the step. */
static int find(struct trainer *t, char dir[CHECKPOINT_PATH], int64_t *step, int *processes, struct err *e)
{
    double told[2] = { -1, 0 };
    if (t->rank == 0) {
        AUTO(json_decref) json_t *state = NULL;
        int found = checkpoint_find(t->job.checkpoints, dir, &state, e);
        TRY(found);
        if (found) {
            TRY(check_config(t, dir, state, e));
            told[0] = (double)json_integer_value(json_object_get(state, "step"));
            told[1] = (double)json_integer_value(json_object_get(state, "processes"));
        }
    } else {
        told[0] = 0;
    }
    TH_SCOPE(s);
    struct tensor *x = th_to_device(th_from(told, TH_DIMS(2), TH_F64, TH_CPU), t->device);
    th_dist_sum_(t->group, &x, 1);
    th_read(x, TH_F64, told, 2);
    *step = (int64_t)told[0];
    *processes = (int)told[1];
    TRY(th_check(e));
    return *step >= 0 ? checkpoint_at(t->job.checkpoints, *step, dir, e) : 0;
}

int trainer_resume(struct trainer *t, struct err *e)
{
    char dir[CHECKPOINT_PATH];
    int64_t step;
    int processes;
    if (!t->job.checkpoints)
        return 0;
    TRY(find(t, dir, &step, &processes, e));
    if (step < 0)
        return 0;
    TRY(load_trained(t, dir, e));
    TRY(open_optim(t, dir, processes, e));
    t->step = t->resumed = step;
    log_info("train.resumed", KV_STR("checkpoint", dir), KV_I64("step", step));
    return 0;
}
