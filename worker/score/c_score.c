#include "worker/score/c_score.h"

#include <math.h>
#include <stdio.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/score/c_inputs.h"

const char *c_alpha_name(double alpha, char buf[16])
{
    bool two = fabs(alpha * 100 - nearbyint(alpha * 100)) < 1e-9;
    snprintf(buf, 16, two ? "%.2f" : "%.6g", alpha);
    return buf;
}

static json_t *describe_pck(const struct c_scores *s, const struct c_job *job, size_t subset, size_t category)
{
    json_t *pck = json_object();
    char name[16];
    for (size_t a = 0; a < job->setting.n_alphas; a++)
        json_object_set_new(pck, c_alpha_name(job->setting.alphas[a], name),
                            json_real(c_scores_pck(s, subset, category, a)));
    return pck;
}

static json_t *describe_position(const struct c_scores *s, const struct c_job *job)
{
    json_t *pck = json_object();
    char name[16];
    for (size_t a = 0; a < job->setting.n_alphas; a++)
        json_object_set_new(pck, c_alpha_name(job->setting.alphas[a], name), json_real(c_scores_position(s, C_ALL, a)));
    return pck;
}

static json_t *describe_categories(const struct c_scores *s, const struct c_job *job, size_t subset)
{
    json_t *all = json_object();
    for (size_t c = 0; c < job->set->n_categories; c++)
        if (c_scores_pairs(s, c))
            json_object_set_new(all, job->set->categories[c].name,
                                json_pack("{s:I,s:o}", "pairs", (json_int_t)c_scores_pairs(s, c), "pck",
                                          describe_pck(s, job, subset, c)));
    return all;
}

json_t *c_score_members(const struct c_job *job, size_t subset)
{
    json_t *names = json_array();
    for (size_t k = 0; k < job->n_sources; k++)
        if (job->subsets[subset] >> k & 1)
            json_array_append_new(names, json_string(job->sources[k].name));
    return names;
}

static json_t *describe_subset(const struct c_scores *s, const struct c_job *job, size_t subset)
{
    double geo = c_scores_geo(s, subset);
    return json_pack("{s:o,s:i,s:I,s:o,s:o,s:o,s:o}", "members", c_score_members(job, subset), "grid",
                     c_scores_grid(s, subset), "pairs", (json_int_t)c_scores_pairs(s, C_ALL), "pck",
                     describe_pck(s, job, subset, C_ALL), "geo", isnan(geo) ? json_null() : json_real(geo),
                     "position", describe_position(s, job), "categories", describe_categories(s, job, subset));
}

json_t *c_score_describe(const struct c_scores *s, const struct c_job *job, struct err *e)
{
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; i < job->n_subsets; i++)
        if (json_array_append_new(list, describe_subset(s, job, i)) < 0)
            return FAIL_NULL(e, ERR_NOMEM, "out of memory, or a name is not UTF-8");
    return TAKE(list);
}

json_t *c_score(const struct c_options *o, struct err *e)
{
    AUTO(c_inputs_close) struct c_inputs *in = c_inputs_open(o, e);
    AUTO(c_scores_destroy) struct c_scores *s = in ? c_run(&in->job, e) : NULL;
    return s ? c_score_describe(s, &in->job, e) : NULL;
}

char *c_score_json(const struct c_options *o, struct err *e)
{
    AUTO(json_decref) json_t *list = c_score(o, e);
    if (!list)
        return NULL;
    char *text = json_dumps(list, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    return text ? text : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}
