#include "worker/evaluate/alignment.h"

#include <limits.h>
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/benchmark/family.h"
#include "worker/benchmark/sample.h"
#include "worker/evaluate/evaluate.h"

#define PICTURES 8 /* that go through an encoder at a time */

/* ---- the sample -----------------------------------------------------------------------------------------------------
 */

struct asked {
    size_t *lengths;
    char **prompts;
    size_t n;
};

static void asked_free_cleanup(struct asked *a)
{
    for (size_t i = 0; a->prompts && i < a->n; i++)
        free(a->prompts[i]);
    free(a->prompts);
    free(a->lengths);
}

static int ask(const struct question_set *s, const struct tokenizer *t, struct asked *a, struct err *e)
{
    a->n = question_set_count(s);
    a->lengths = calloc(a->n, sizeof *a->lengths);
    a->prompts = calloc(a->n, sizeof *a->prompts);
    if (!a->lengths || !a->prompts)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < a->n; i++) {
        AUTO(ids_free) struct ids ids = { 0 };
        AUTO(buf_free) struct buf text = BUF_INIT((size_t)1 << 20);
        const struct question *q = question_set_at(s, i);
        benchmark_prompt(question_set_family(s), q, &text);
        TRY(buf_check(&text, "a prompt", e));
        TRY(evaluate_prompt(t, q, question_set_family(s), &ids, e));
        a->lengths[i] = ids.n;
        if (!(a->prompts[i] = strdup(buf_text(&text))))
            return FAIL_NOMEM(e);
    }
    return 0;
}

int alignment_sample(const struct question_set *s, const char *how, size_t n, uint64_t seed, const struct tokenizer *t,
                     size_t **out, size_t *count, struct err *e)
{
    AUTO(free) size_t *sample = calloc(n + 1, sizeof *sample);
    if (!sample)
        return FAIL_NOMEM(e);
    if (strcmp(how, "random") == 0) {
        TRY(sample_random(s, n, seed, sample, count, e));
    } else if (strcmp(how, "longest_prompt") == 0) {
        AUTO(asked_free) struct asked a = { 0 };
        TRY(ask(s, t, &a, e));
        TRY(sample_longest(s, a.lengths, (const char *const *)a.prompts, n, sample, count, e));
    } else {
        return FAIL(e, ERR_INPUT, "no way to draw a sample is called '%.40s'; use random or longest_prompt", how);
    }
    *out = TAKE(sample);
    return 0;
}

/* ---- one side: pictures -> what the language model gets --------------------------------------------------------------
 */

/* (n,N,D) on the CPU, in the connector's dtype. */
static struct tensor *see(const struct alignment_side *s, const char *const *paths, size_t n, struct err *e)
{
    TH_SCOPE(scope);
    struct tensor *features = representation_files(s->representation, paths, n, e);
    if (!features)
        return NULL;
    struct tensor *tokens = th_contiguous(th_to_device(connector_forward(s->connector, features), TH_CPU));
    if (th_check(e) < 0)
        return NULL;
    return th_return(&scope, tokens);
}

static struct a_tokens row(struct tensor *x, size_t i)
{
    size_t n = (size_t)th_size(x, 1), width = (size_t)th_size(x, 2);
    const char *data = th_data(x);
    return (struct a_tokens){ data + i * n * width * th_dtype_size(th_dtype_of(x)), th_dtype_of(x), n, width };
}

/* ---- the score ------------------------------------------------------------------------------------------------------
 */

struct sums {
    double of[ALIGNMENT_REFERENCES_MAX];
};

static json_t *describe(const struct alignment_job *j, size_t i)
{
    const struct question *q = question_set_at(j->questions, j->sample[i]);
    return json_pack("{s:s, s:s, s:{}}", "id", q->id, "image", q->images[0], "m");
}

/* Samples first .. first+n-1, of which `samples` gets descriptions. */
static int compare(const struct alignment_job *j, size_t first, size_t n, struct sums *sums, json_t *samples,
                   struct err *e)
{
    TH_SCOPE(s);
    char path[PICTURES][PATH_MAX];
    const char *list[PICTURES];
    for (size_t i = 0; i < n; i++) {
        const struct question *q = question_set_at(j->questions, j->sample[first + i]);
        if (snprintf(path[i], PATH_MAX, "%s/%s", j->images, q->images[0]) >= PATH_MAX)
            return FAIL(e, ERR_INPUT, "question '%.80s': the path of its picture is too long", q->id);
        list[i] = path[i];
        if (json_array_append_new(samples, describe(j, first + i)) < 0)
            return FAIL_NOMEM(e);
    }
    struct tensor *target = see(&j->target, list, n, e);
    if (!target)
        return -1;
    for (size_t k = 0; k < j->n_references; k++) {
        struct tensor *reference = see(&j->references[k], list, n, e);
        if (!reference)
            return -1;
        for (size_t i = 0; i < n; i++) {
            double m;
            struct a_tokens t = row(target, i), r = row(reference, i);
            TRY(a_match(&t, &r, j->arith, j->threads, &m, e));
            sums->of[k] += m;
            json_t *at = json_object_get(json_array_get(samples, first + i), "m");
            if (json_object_set_new(at, j->references[k].name, json_real(m)) < 0)
                return FAIL_NOMEM(e);
        }
        th_drop(reference);
    }
    return 0;
}

static json_t *result(const struct alignment_job *j, const struct sums *sums, json_t *samples)
{
    double a = 0;
    json_t *references = json_object();
    for (size_t k = 0; k < j->n_references; k++) {
        double mean = sums->of[k] / (double)j->n;
        json_object_set_new(references, j->references[k].name, json_real(mean));
        a += mean / (double)j->n_references;
    }
    return json_pack("{s:f, s:I, s:s, s:o, s:O}", "a", a, "n", (json_int_t)j->n, "arith", a_arith_name(j->arith),
                     "references", references, "samples", samples);
}

json_t *alignment_run(const struct alignment_job *j, struct err *e)
{
    struct sums sums = { 0 };
    AUTO(json_decref) json_t *samples = json_array();
    if (j->n_references < 1 || j->n_references > ALIGNMENT_REFERENCES_MAX || j->n < 1)
        return FAIL_NULL(e, ERR_INPUT, "an A score needs 1 to %d references and a picture at least; here are %zu and %zu",
                         ALIGNMENT_REFERENCES_MAX, j->n_references, j->n);
    for (size_t first = 0; first < j->n; first += PICTURES) {
        size_t n = j->n - first < PICTURES ? j->n - first : PICTURES;
        if (compare(j, first, n, &sums, samples, e) < 0 ||
            (j->progress && j->progress(j->arg, first + n, j->n, e) < 0))
            return NULL;
    }
    json_t *out = result(j, &sums, samples);
    return out ? out : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}
