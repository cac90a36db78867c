/* What correspondence pictures are drawn from. */
#include <string.h>

#include "worker/score/c_inputs.h"

struct pictures {
    const struct c_job *job;
    json_t **entries; /* [pair of the job][subset] */
};

static size_t find_pair(const struct spair *set, const char *name)
{
    size_t i = 0;
    while (i < set->n_pairs && strcmp(set->pairs[i].name, name) != 0)
        i++;
    return i;
}

int c_find_pairs(const struct spair *set, const char *const *names, size_t n, size_t *out, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = find_pair(set, names[i]);
        if (out[i] == set->n_pairs)
            return FAIL(e, ERR_INPUT,
                        "there is no pair '%.200s' in this split; pairs are called as their files, without .json",
                        names[i]);
        for (size_t k = 0; k < i; k++)
            if (out[k] == out[i])
                return FAIL(e, ERR_INPUT, "the pair '%.200s' is asked for twice", names[i]);
    }
    return 0;
}

static struct c_frame frame_of(const struct c_job *job, const struct spair_side *side)
{
    return c_frame_make(job->setting.geometry, job->setting.side, side->width, side->height);
}

static json_t *describe_side(const struct c_job *job, const struct spair_side *side)
{
    struct c_frame f = frame_of(job, side);
    return json_pack("{s:s,s:i,s:i,s:{s:i,s:[f,f],s:[f,f]},s:[f,f,f,f]}", "image", side->image->path, "width",
                     (int)side->width, "height", (int)side->height, "frame", "side", f.side, "scale", (double)f.scale_x,
                     (double)f.scale_y, "offset", (double)f.offset_x, (double)f.offset_y, "box", side->box[0],
                     side->box[1], side->box[2], side->box[3]);
}

static json_t *describe_limits(const struct c_job *job, const double *limits, const float *error)
{
    json_t *o = json_object();
    char name[16];
    for (size_t a = 0; a < job->setting.n_alphas; a++)
        json_object_set_new(o, c_alpha_name(job->setting.alphas[a], name),
                            error ? json_boolean((double)*error < limits[a]) : json_real(limits[a]));
    return o;
}

static json_t *describe_entry(const struct c_job *job, const struct c_seen *s)
{
    const struct spair_pair *p = &job->set->pairs[s->pair];
    return json_pack("{s:s,s:s,s:o,s:i,s:o,s:o,s:o,s:[]}", "pair", p->name, "category", p->category, "members",
                     c_score_members(job, s->subset), "grid", s->grid, "source", describe_side(job, &p->source),
                     "target", describe_side(job, &p->target), "limits", describe_limits(job, s->limits, NULL),
                     "points");
}

static json_t *place(const struct c_job *job, const struct spair_side *side, struct c_point p)
{
    struct c_frame f = frame_of(job, side);
    double x, y;
    c_frame_back(&f, p, &x, &y);
    return json_pack("[f,f]", x, y);
}

static json_t *describe_point(const struct c_job *job, const struct c_seen *s)
{
    const struct spair_pair *p = &job->set->pairs[s->pair];
    json_t *map = json_array();
    for (int i = 0; i < s->grid * s->grid; i++)
        json_array_append_new(map, json_real((double)s->map[i]));
    return json_pack("{s:i,s:b,s:o,s:o,s:o,s:f,s:o,s:o}", "point", s->point, "geo", s->geo, "source",
                     place(job, &p->source, s->source), "target", place(job, &p->target, s->target), "predicted",
                     place(job, &p->target, s->predicted), "error", (double)s->error, "correct",
                     describe_limits(job, s->limits, &s->error), "map", map);
}

static void on_seen(void *arg, const struct c_seen *s)
{
    struct pictures *p = arg;
    size_t i = 0;
    while (p->job->pairs[i] != s->pair)
        i++;
    json_t **entry = &p->entries[i * p->job->n_subsets + s->subset];
    if (!*entry)
        *entry = describe_entry(p->job, s);
    json_array_append_new(json_object_get(*entry, "points"), describe_point(p->job, s));
}

/* Takes the entries. */
static json_t *list_of(json_t **entries, size_t n, struct err *e)
{
    json_t *list = json_array();
    bool full = !list;
    for (size_t i = 0; i < n; i++)
        full |= json_array_append_new(list, entries[i]) < 0;
    if (!full)
        return list;
    json_decref(list);
    return FAIL_NULL(e, ERR_NOMEM, "out of memory, or a name is not UTF-8");
}

json_t *c_score_pictures(const struct c_options *o, const char *const *pairs, size_t n, struct err *e)
{
    AUTO(c_inputs_close) struct c_inputs *in = c_inputs_open(o, e);
    if (!in)
        return NULL;
    struct c_job *job = &in->job;
    AUTO(free) size_t *places = calloc(n + 1, sizeof *places);
    AUTO(free) json_t **entries = calloc(n * job->n_subsets + 1, sizeof *entries);
    struct pictures p = { job, entries };
    if (!places || !entries)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (c_find_pairs(in->set, pairs, n, places, e) < 0)
        return NULL;
    job->pairs = places;
    job->n_pairs = n;
    job->threads = 1;
    job->seen = on_seen;
    job->seen_arg = &p;
    AUTO(c_scores_destroy) struct c_scores *s = c_run(job, e);
    json_t *list = s ? list_of(entries, n * job->n_subsets, e) : NULL;
    for (size_t i = 0; i < n * job->n_subsets && !s; i++)
        json_decref(entries[i]);
    return list;
}
