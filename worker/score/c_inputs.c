#include "worker/score/c_inputs.h"

#include <string.h>

#include "common/utf8.h"

static int check_members(const struct c_options *o, struct err *e)
{
    if (!o->n_members || o->n_members > C_ENCODERS_MAX)
        return FAIL(e, ERR_INPUT, "%zu directories of features; 1 to %d are wanted", o->n_members, C_ENCODERS_MAX);
    if (o->all && o->n_members > C_ALL_MAX)
        return FAIL(e, ERR_INPUT,
                    "%zu encoders have too many subsets to score all; list the wanted ones, or take at most %d "
                    "encoders",
                    o->n_members, C_ALL_MAX);
    for (size_t i = 0; i < o->n_members; i++)
        if (!utf8_is_valid(o->members[i].name))
            return FAIL(e, ERR_INPUT, "the features '%.200s' cannot be named in results, it is not UTF-8; rename them",
                        o->members[i].name);
    for (size_t i = 0; i < o->n_members; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(o->members[i].name, o->members[k].name) == 0)
                return FAIL(e, ERR_INPUT, "the features '%.200s' are given twice", o->members[i].name);
    return 0;
}

static int choose_subsets(const struct c_options *o, struct c_inputs *in, struct err *e)
{
    size_t n = o->all ? ((size_t)1 << o->n_members) - 1 : o->subsets ? o->n_subsets : 1;
    in->subsets = calloc(n + 1, sizeof *in->subsets);
    if (!in->subsets)
        return FAIL_NOMEM(e);
    if (o->all)
        c_subsets_all((int)o->n_members, in->subsets);
    else if (o->subsets)
        memcpy(in->subsets, o->subsets, n * sizeof *in->subsets);
    else
        in->subsets[0] = (uint32_t)((UINT64_C(1) << o->n_members) - 1);
    in->job.n_subsets = n;
    return 0;
}

static int open_features(const struct c_options *o, size_t budget, struct c_inputs *in, struct err *e)
{
    in->features = c_features_create(in->set, budget, e);
    in->sources = calloc(o->n_members, sizeof *in->sources);
    if (!in->features || !in->sources)
        return FAIL_NOMEM(e);
    c_features_expect(in->features, c_geometry_name(o->setting.geometry));
    for (size_t i = 0; i < o->n_members; i++)
        TRY(c_features_add(in->features, o->members[i].name, o->members[i].dir, &in->sources[i], e));
    return 0;
}

struct c_inputs *c_inputs_open(const struct c_options *o, struct err *e)
{
    AUTO(c_inputs_close) struct c_inputs *in = calloc(1, sizeof *in);
    size_t memory = o->memory ? o->memory : C_MEMORY_DEFAULT;
    if (!in)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    in->job = (struct c_job){ .setting = o->setting,
                              .threads = o->threads,
                              .memory = memory / 2,
                              .dot = o->dot,
                              .dot_arg = o->dot_arg,
                              .progress = o->progress,
                              .progress_arg = o->progress_arg,
                              .n_sources = o->n_members };
    if (check_members(o, e) < 0 || c_setting_check(&o->setting, e) < 0 || choose_subsets(o, in, e) < 0)
        return NULL;
    in->set = spair_load(o->pairs, o->split ? o->split : "test", e);
    if (!in->set || open_features(o, memory / 2, in, e) < 0)
        return NULL;
    in->job.set = in->set;
    in->job.sources = in->sources;
    in->job.subsets = in->subsets;
    return TAKE(in);
}

void c_inputs_close(struct c_inputs *in)
{
    if (!in)
        return;
    c_features_destroy(in->features);
    spair_destroy(in->set);
    free(in->sources);
    free(in->subsets);
    free(in);
}
