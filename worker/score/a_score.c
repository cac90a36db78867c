#include "worker/score/a_score.h"

#include <stdlib.h>
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/torch/safetensors.h"

/* A reference, and the sum of M over the samples in which it counts. */
struct opened {
    const struct a_file *as;
    struct safetensors *file;
    double sum;
    size_t n;
};

struct job {
    const struct a_options *o;
    struct opened target, *references;
    size_t n_references;
};

static void job_close_cleanup(struct job *j)
{
    safetensors_release(j->target.file);
    for (size_t i = 0; i < j->n_references; i++)
        safetensors_release(j->references[i].file);
    free(j->references);
}

/* ---- files ----------------------------------------------------------------------------------------------------------
 */

/* [tokens, width], or [1, tokens, width] as some programs leave a batch of one. */
static int tokens_of(const struct st_tensor *t, const char *path, struct a_tokens *out, struct err *e)
{
    char what[200];
    const int64_t *dims = t->dims + (t->rank == 3 && t->dims[0] == 1);
    bool shaped = t->rank == 2 || dims != t->dims;
    if (!shaped || (t->type != TH_F32 && t->type != TH_BF16 && t->type != TH_F16))
        return FAIL(e, ERR_INPUT, "%s: tensor '%.80s' is %s; a sample is [tokens, width] of F32, BF16 or F16", path,
                    t->name, st_describe(t, what, sizeof what));
    *out = (struct a_tokens){ t->data, t->type, (size_t)dims[0], (size_t)dims[1] };
    return 0;
}

static int open_one(const struct a_file *as, struct opened *out, struct err *e)
{
    out->as = as;
    out->file = safetensors_open(as->path, e);
    return out->file ? 0 : -1;
}

/* The same samples in both. */
static int check_samples(const struct opened *target, const struct opened *r, struct err *e)
{
    size_t n = safetensors_count(target->file), other = safetensors_count(r->file);
    for (size_t i = 0; i < n; i++) {
        const char *name = safetensors_at(target->file, i)->name;
        if (!safetensors_find(r->file, name))
            return FAIL(e, ERR_INPUT, "%s: sample '%.80s' of %s is not there; both must be made from one list",
                        r->as->path, name, target->as->path);
    }
    if (n != other)
        return FAIL(e, ERR_INPUT, "%s has %zu samples, %s has %zu; both must be made from one list", target->as->path,
                    n, r->as->path, other);
    return 0;
}

static int check_names(const struct job *j, struct err *e)
{
    for (size_t i = 0; i < j->n_references; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(j->references[i].as->name, j->references[k].as->name) == 0)
                return FAIL(e, ERR_INPUT, "two references are called '%.80s'", j->references[i].as->name);
    return 0;
}

static int job_open(struct job *j, const struct a_options *o, struct err *e)
{
    j->o = o;
    TRY(open_one(&o->target, &j->target, e));
    if (safetensors_count(j->target.file) == 0)
        return FAIL(e, ERR_INPUT, "%s: no samples there", o->target.path);
    if (!(j->references = calloc(o->n_references + 1, sizeof *j->references)))
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < o->n_references; i++) {
        if (o->exclude_self && strcmp(o->references[i].name, o->target.name) == 0)
            continue;
        TRY(open_one(&o->references[i], &j->references[j->n_references++], e));
        TRY(check_samples(&j->target, &j->references[j->n_references - 1], e));
    }
    if (j->n_references == 0)
        return FAIL(e, ERR_INPUT, "no reference is left for '%.80s'; name one%s", o->target.name,
                    o->n_references ? " that is not the target itself" : "");
    return check_names(j, e);
}

/* ---- samples --------------------------------------------------------------------------------------------------------
 */

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

/* The reference with the number of tokens that is nearest in this sample. */
static int nearest(const struct job *j, const char *name, const struct a_tokens *target, size_t *out, struct err *e)
{
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < j->n_references; i++) {
        struct a_tokens r;
        TRY(tokens_of(safetensors_find(j->references[i].file, name), j->references[i].as->path, &r, e));
        if (distance(r.n, target->n) < least) {
            least = distance(r.n, target->n);
            *out = i;
        }
    }
    return 0;
}

static int match(struct job *j, size_t i, const char *name, const struct a_tokens *target, struct err *e)
{
    struct opened *r = &j->references[i];
    struct a_tokens tokens;
    double m;
    TRY(tokens_of(safetensors_find(r->file, name), r->as->path, &tokens, e));
    if (a_match(target, &tokens, j->o->arith, j->o->threads, &m, e) < 0)
        return err_wrap(e, "sample '%.80s' of %s and %s", name, j->o->target.path, r->as->path);
    r->sum += m;
    r->n++;
    return 0;
}

static int run_sample(struct job *j, size_t i, struct err *e)
{
    const struct st_tensor *t = safetensors_at(j->target.file, i);
    struct a_tokens target;
    size_t only = 0;
    TRY(tokens_of(t, j->o->target.path, &target, e));
    if (j->o->nearest) {
        TRY(nearest(j, t->name, &target, &only, e));
        return match(j, only, t->name, &target, e);
    }
    for (size_t k = 0; k < j->n_references; k++)
        TRY(match(j, k, t->name, &target, e));
    return 0;
}

/* ---- the score ------------------------------------------------------------------------------------------------------
 */

/* With `nearest` a sample has one reference, and the mean is over samples; else over references. */
static json_t *describe(const struct job *j, struct err *e)
{
    AUTO(json_decref) json_t *list = json_object();
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < j->n_references; i++) {
        const struct opened *r = &j->references[i];
        if (r->n == 0)
            continue;
        if (json_object_set_new(list, r->as->name, json_real(r->sum / (double)r->n)) < 0)
            return FAIL_NULL(e, ERR_NOMEM, "out of memory");
        sum += j->o->nearest ? r->sum : r->sum / (double)r->n;
        n += j->o->nearest ? r->n : 1;
    }
    json_t *all =
        json_pack("{s:f, s:I, s:s, s:O}", "a", sum / (double)n, "n", (json_int_t)safetensors_count(j->target.file),
                  "arith", a_arith_name(j->o->arith), "references", list);
    return all ? all : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}

json_t *a_score(const struct a_options *o, struct err *e)
{
    AUTO(job_close) struct job j = { 0 };
    if (job_open(&j, o, e) < 0)
        return NULL;
    size_t n = safetensors_count(j.target.file);
    for (size_t i = 0; i < n; i++)
        if (run_sample(&j, i, e) < 0 || (o->progress && o->progress(o->progress_arg, i + 1, n, e) < 0))
            return NULL;
    return describe(&j, e);
}
