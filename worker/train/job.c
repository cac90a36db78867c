#include "worker/train/job.h"

#include <string.h>

struct train_job train_job_default(enum train_stage stage)
{
    return (struct train_job){ .recipe = train_recipe_default(stage),
                               .features = TH_BF16,
                               .recompute = true,
                               .processes = 1,
                               .save_every_ns = INT64_C(1800) * 1000000000 };
}

/* ---- checks ---------------------------------------------------------------------------------------------------------
 */

static int check_members(const struct train_job *j, struct err *e)
{
    bool stored = true; /* all features come from files */
    if (j->n_members < 1 || j->n_members > TRAIN_MEMBERS_MAX)
        return FAIL(e, ERR_INPUT, "a representation of %zu encoders; 1 to %d can be trained", j->n_members,
                    TRAIN_MEMBERS_MAX);
    for (size_t i = 0; i < j->n_members; i++)
        stored = stored && j->members[i].n_features;
    if (!stored && !j->images)
        return FAIL(e, ERR_INPUT, "name the directory that the pictures of the training data are below");
    return 0;
}

int train_job_check(struct train_job *j, struct err *e)
{
    TRY(train_recipe_check(&j->recipe, e));
    TRY(check_members(j, e));
    if (!j->llm || !j->data)
        return FAIL(e, ERR_INPUT, "a training needs a decoder and data");
    if (j->processes < 1 || j->processes > (int)ARRAY_LEN(j->devices))
        return FAIL(e, ERR_INPUT, "%d processes; a training takes 1 to %zu on a node", j->processes,
                    ARRAY_LEN(j->devices));
    if (j->processes > j->recipe.chunks)
        return FAIL(e, ERR_INPUT, "%d processes, but a batch of %lld has %lld chunks, which are what they share",
                    j->processes, (long long)j->recipe.batch, (long long)j->recipe.chunks);
    return j->device_batch < 0 || j->max_steps < 0 ? FAIL(e, ERR_INPUT, "a number of the job is negative") : 0;
}

/* ---- to JSON --------------------------------------------------------------------------------------------------------
 */

static json_t *member_json(const struct representation_member *m)
{
    json_t *files = json_array();
    for (size_t i = 0; i < m->n_features; i++)
        json_array_append_new(files, json_string(m->features[i]));
    return json_pack("{s:s*, s:s*, s:i, s:I, s:i, s:b, s:b, s:s, s:o}", "name", m->name, "checkpoint", m->encoder.checkpoint,
                     "geometry", (int)m->encoder.geometry, "resolution", (json_int_t)m->encoder.resolution, "layer",
                     m->encoder.layer, "final_norm", (int)m->encoder.final_norm, "pad", (int)m->encoder.pad, "positions",
                     vit_positions_name(m->encoder.positions), "features", files);
}

static json_t *members_json(const struct train_job *j)
{
    json_t *list = json_array();
    for (size_t i = 0; i < j->n_members; i++)
        json_array_append_new(list, member_json(&j->members[i]));
    return list;
}

static json_t *devices_json(const struct train_job *j)
{
    json_t *list = json_array();
    char name[16];
    for (int i = 0; i < j->processes; i++)
        json_array_append_new(list, json_string(th_device_name(j->devices[i], name)));
    return list;
}

json_t *train_job_json(const struct train_job *j)
{
    return json_pack("{s:o, s:s*, s:s*, s:s*, s:s*, s:o, s:I, s:s, s:I, s:b, s:I, s:I, s:o, s:s*, s:I, s:I}", "training",
                     train_recipe_json(&j->recipe), "llm", j->llm, "connector", j->connector, "data", j->data, "images",
                     j->images, "members", members_json(j), "grid", (json_int_t)j->grid, "features",
                     th_dtype_name(j->features), "device_batch", (json_int_t)j->device_batch, "recompute",
                     (int)j->recompute, "max_steps", (json_int_t)j->max_steps, "threads", (json_int_t)j->threads,
                     "devices", devices_json(j), "checkpoints", j->checkpoints, "save_every_ns",
                     (json_int_t)j->save_every_ns, "save_every_steps", (json_int_t)j->save_every_steps);
}

/* ---- from JSON ------------------------------------------------------------------------------------------------------
 */

/* The texts of a list, as an array whose memory lives in the job's JSON: see train_job_read. */
static int read_texts(json_t *list, const char *const **out, size_t *n, struct err *e)
{
    *n = json_array_size(list);
    const char **texts = calloc(*n + 1, sizeof *texts);
    if (!texts)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < *n; i++)
        texts[i] = json_string_value(json_array_get(list, i));
    *out = texts;
    return 0;
}

static int read_member(struct representation_member *m, json_t *from, struct err *e)
{
    const char *positions;
    json_t *files;
    json_int_t resolution;
    int geometry, final_norm, pad;
    struct extract_options *x = &m->encoder;
    json_error_t bad;
    *m = (struct representation_member){ .encoder = EXTRACT_DEFAULTS };
    if (json_unpack_ex(from, &bad, 0, "{s?:s, s?:s, s:i, s:I, s:i, s:b, s:b, s:s, s:o}", "name", &m->name, "checkpoint",
                       &x->checkpoint, "geometry", &geometry, "resolution", &resolution, "layer", &x->layer,
                       "final_norm", &final_norm, "pad", &pad, "positions", &positions, "features", &files) < 0)
        return FAIL(e, ERR_INPUT, "a member of the job: %s", bad.text);
    x->geometry = (enum extract_geometry)geometry;
    x->resolution = (uint32_t)resolution;
    x->final_norm = final_norm;
    x->pad = pad;
    TRY(vit_positions_parse(positions, &x->positions, e));
    return read_texts(files, &m->features, &m->n_features, e);
}

static int read_lists(struct train_job *j, json_t *members, json_t *devices, struct err *e)
{
    if (json_array_size(members) > TRAIN_MEMBERS_MAX || json_array_size(devices) > ARRAY_LEN(j->devices))
        return FAIL(e, ERR_INPUT, "the job has too many members or devices");
    j->processes = (int)json_array_size(devices);
    for (int i = 0; i < j->processes; i++) {
        const char *name = json_string_value(json_array_get(devices, (size_t)i));
        TRY(th_device_parse(name ? name : "", &j->devices[i], e));
    }
    for (; j->n_members < json_array_size(members); j->n_members++)
        TRY(read_member(&j->members[j->n_members], json_array_get(members, j->n_members), e));
    return 0;
}

int train_job_read(struct train_job *j, const json_t *from, struct err *e)
{
    json_t *recipe, *members, *devices;
    json_int_t grid, batch, steps, threads, every_ns, every;
    const char *features;
    int recompute;
    json_error_t bad;
    *j = (struct train_job){ .recipe = train_recipe_default(TRAIN_STAGE1) };
    if (json_unpack_ex((json_t *)from, &bad, 0,
                       "{s:o, s?:s, s?:s, s?:s, s?:s, s:o, s:I, s:s, s:I, s:b, s:I, s:I, s:o, s?:s, s:I, s:I}",
                       "training", &recipe, "llm", &j->llm, "connector", &j->connector, "data", &j->data, "images",
                       &j->images, "members", &members, "grid", &grid, "features", &features, "device_batch", &batch,
                       "recompute", &recompute, "max_steps", &steps, "threads", &threads, "devices", &devices,
                       "checkpoints", &j->checkpoints, "save_every_ns", &every_ns, "save_every_steps", &every) < 0)
        return FAIL(e, ERR_INPUT, "the job: %s", bad.text);
    TRY(train_recipe_read(&j->recipe, recipe, e));
    TRY(th_dtype_parse(features, &j->features, e));
    j->grid = grid;
    j->device_batch = batch;
    j->recompute = recompute;
    j->max_steps = steps;
    j->threads = (unsigned)threads;
    j->save_every_ns = every_ns;
    j->save_every_steps = every;
    return read_lists(j, members, devices, e);
}

void train_job_free(struct train_job *j)
{
    for (size_t i = 0; i < j->n_members; i++)
        free((void *)j->members[i].features);
}
