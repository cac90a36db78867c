/* score_a, native: how near a representation's tokens come to those of the references, on a sample of a benchmark's
 * pictures.
 *
 *     identity   {"representation", "encoding": {"select_layer", "image_aspect", "dtype"}, "benchmark",
 *                 "setting": {"sample", "sample_size", "sample_seed", "arith", "nearest"}}
 *     execution  {"names": {"members", "llm", "image_set"}, "references": [{"representation", "names"}]}
 *     inputs     connector, reference:N: what their stage1 left
 *     metrics    a, samples, reference:NAME (A with that reference alone)
 *     artifacts  sample (sample.json): the questions, and each one's part of the score
 *
 * With `nearest`, which may be missing, only the reference counts whose tokens are nearest in number to the target's.
 * Connectors compute in f32, or with arith = "bf16" in bf16, as the released code. */
#include <libgen.h>
#include <string.h>

#include "common/file.h"
#include "worker/evaluate/alignment.h"
#include "worker/exec/artifact.h"
#include "worker/exec/native_kept.h"
#include "worker/exec/native_members.h"

struct side {
    char *name;
    struct representation *representation;
    struct connector *connector;
};

/* The target and the references, which stay loaded for the next benchmark. */
struct sides {
    struct side list[1 + ALIGNMENT_REFERENCES_MAX];
    size_t n;
};

static void sides_destroy(void *thing)
{
    struct sides *s = thing;
    for (size_t i = 0; s && i < s->n; i++) {
        representation_close(s->list[i].representation);
        connector_destroy(s->list[i].connector);
        free(s->list[i].name);
    }
    free(s);
}
DEFINE_CLEANUP(sides_destroy, struct sides *)

/* ---- parameters -----------------------------------------------------------------------------------------------------
 */

struct score_call {
    enum a_arith arith;
    const char *sample;
    int64_t size, seed;
    bool nearest;
    json_t *references; /* borrowed */
};

static int check_side(const struct exec_task *t, json_t *representation, json_t *names, struct err *e)
{
    struct native_members m;
    return native_members_read(representation, json_object_get(t->identity, "encoding"), names, &m, e);
}

static int read_call(const struct exec_task *t, struct score_call *c, struct err *e)
{
    const char *arith;
    size_t i;
    json_t *one;
    TRY(native_text(t->identity, "setting.arith", NULL, &arith, e));
    TRY(a_arith_parse(arith, &c->arith, e));
    TRY(native_text(t->identity, "setting.sample", NULL, &c->sample, e));
    TRY(native_int(t->identity, "setting.sample_size", NULL, &c->size, e));
    TRY(native_int(t->identity, "setting.sample_seed", NULL, &c->seed, e));
    c->nearest = json_is_true(json_object_get(json_object_get(t->identity, "setting"), "nearest"));
    c->references = json_object_get(t->execution, "references");
    size_t n = json_array_size(c->references);
    if (n < 1 || n > ALIGNMENT_REFERENCES_MAX || c->size < 1)
        return FAIL(e, ERR_INPUT, "an A score of %zu references; 1 to %d can be computed", n, ALIGNMENT_REFERENCES_MAX);
    TRY(check_side(t, json_object_get(t->identity, "representation"), json_object_get(t->execution, "names"), e));
    json_array_foreach(c->references, i, one)
    {
        TRY(check_side(t, json_object_get(one, "representation"), json_object_get(one, "names"), e));
    }
    return 0;
}

static int check(const struct exec_task *t, struct err *e)
{
    struct score_call c;
    return read_call(t, &c, e);
}

/* ---- models ---------------------------------------------------------------------------------------------------------
 */

static int open_side(const struct exec_task *t, const struct score_call *c, const char *input, json_t *representation,
                     json_t *names, struct th_device device, struct side *s, struct err *e)
{
    const char *name;
    struct native_members m;
    AUTO(free) char *path = NULL;
    const Acsweep__InputRef *in = native_input(t, input, e);
    if (!in)
        return -1;
    TRY(native_text(names, "representation", NULL, &name, e));
    TRY(native_artifact(t, in, "connector", &path, e));
    TRY(native_members_read(representation, json_object_get(t->identity, "encoding"), names, &m, e));
    struct connector_options o = { .dtype = c->arith == A_BF16 ? TH_BF16 : TH_F32, .device = device };
    if (!(s->name = strdup(name)))
        return FAIL_NOMEM(e);
    if (!(s->representation = native_members_open(t, &m, names, device, e)) ||
        !(s->connector = connector_open(path, &o, e)))
        return -1;
    struct representation_shape shape = representation_shape(s->representation);
    if (connector_in(s->connector) != shape.channels)
        return FAIL(e, ERR_INPUT, "%s: the connector takes %lld channels, '%.100s' has %lld", path,
                    (long long)connector_in(s->connector), name, (long long)shape.channels);
    return 0;
}

static int open_sides(const struct exec_task *t, const struct score_call *c, struct th_device device, struct sides *s,
                      struct err *e)
{
    size_t i;
    json_t *one;
    s->n = 1;
    TRY(open_side(t, c, "connector", json_object_get(t->identity, "representation"),
                  json_object_get(t->execution, "names"), device, &s->list[0], e));
    json_array_foreach(c->references, i, one)
    {
        char input[32];
        snprintf(input, sizeof input, "reference:%zu", i);
        s->n++;
        TRY(open_side(t, c, input, json_object_get(one, "representation"), json_object_get(one, "names"), device,
                      &s->list[1 + i], e));
    }
    return 0;
}

/* All that the loaded sides depend on, which the benchmark is no part of. */
static char *sides_key(const struct exec_task *t, struct th_device device)
{
    AUTO(json_decref) json_t *connectors = json_array();
    for (size_t i = 0; i < t->spec->n_inputs; i++)
        json_array_append_new(connectors, json_string(t->spec->inputs[i]->identity));
    AUTO(json_decref)
    json_t *key = json_pack("{s:O, s:O, s:O, s:O, s:O, s:i}", "representation",
                            json_object_get(t->identity, "representation"), "encoding",
                            json_object_get(t->identity, "encoding"), "setting", json_object_get(t->identity, "setting"),
                            "references", json_object_get(t->execution, "references"), "connectors", connectors, "device",
                            device.type);
    return key ? json_dumps(key, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
}

static struct sides *get_sides(const struct exec_task *t, const struct score_call *c, struct th_device device,
                               struct err *e)
{
    AUTO(free) char *key = sides_key(t, device);
    if (!key)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    struct sides *kept = native_kept(key);
    if (kept)
        return kept;
    AUTO(sides_destroy) struct sides *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (open_sides(t, c, device, s, e) < 0)
        return NULL;
    struct sides *given = TAKE(s);
    return native_keep(key, given, sides_destroy, e) < 0 ? NULL : given;
}

/* ---- the score ------------------------------------------------------------------------------------------------------
 */

static int draw(const struct exec_task *t, const struct score_call *c, const struct question_set *s, size_t **sample,
                size_t *n, struct err *e)
{
    AUTO(tokenizer_close) struct tokenizer *tokenizer = NULL;
    if (strcmp(c->sample, "longest_prompt") == 0) {
        const char *llm = native_path(t, "llm", e);
        if (!llm || !(tokenizer = tokenizer_open(llm, e)))
            return -1;
    }
    return alignment_sample(s, c->sample, (size_t)c->size, (uint64_t)c->seed, tokenizer, sample, n, e);
}

static int report(void *arg, size_t done, size_t n, struct err *e)
{
    return native_progress(arg, "pictures", done, n, e);
}

/* The side whose tokens are nearest in number to the target's; the first of equals. */
static size_t nearest_side(const struct sides *sides)
{
    size_t best = 1;
    int64_t target = representation_shape(sides->list[0].representation).tokens, least = INT64_MAX;
    for (size_t i = 1; i < sides->n; i++) {
        int64_t apart = representation_shape(sides->list[i].representation).tokens - target;
        apart = apart < 0 ? -apart : apart;
        if (apart < least) {
            least = apart;
            best = i;
        }
    }
    return best;
}

static json_t *align(const struct exec_task *t, const struct score_call *c, const struct sides *sides,
                     const struct question_set *s, const char *path, struct err *e)
{
    struct alignment_side list[1 + ALIGNMENT_REFERENCES_MAX];
    AUTO(free) size_t *sample = NULL;
    AUTO(free) char *copy = strdup(path);
    struct alignment_job j = { .references = &list[1],
                               .n_references = sides->n - 1,
                               .questions = s,
                               .arith = c->arith,
                               .threads = th_threads(),
                               .progress = report,
                               .arg = (void *)t };
    if (!copy)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (draw(t, c, s, &sample, &j.n, e) < 0)
        return NULL;
    for (size_t i = 0; i < sides->n; i++)
        list[i] = (struct alignment_side){ sides->list[i].name, sides->list[i].representation,
                                           sides->list[i].connector };
    if (c->nearest) {
        list[1] = list[nearest_side(sides)];
        j.n_references = 1;
    }
    j.target = list[0];
    j.sample = sample;
    j.images = dirname(copy);
    return alignment_run(&j, e);
}

static int publish(const struct exec_task *t, const json_t *score, struct exec_result *r, struct err *e)
{
    char path[4200];
    AUTO(artifact_end) struct artifact_dir *dir = artifact_begin(t, e);
    AUTO(free) char *text = json_dumps(score, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    if (!dir)
        return -1;
    if (!text)
        return FAIL_NOMEM(e);
    snprintf(path, sizeof path, "%s/sample.json", artifact_path(dir));
    TRY(file_replace(path, text, strlen(text), e));
    TRY(artifact_add(dir, "sample", "sample.json", r, e));
    return artifact_publish(dir, r, e);
}

static int add_metrics(const json_t *score, struct exec_result *r, struct err *e)
{
    const char *name;
    json_t *value;
    TRY(exec_result_metric(r, "a", json_number_value(json_object_get(score, "a")), e));
    TRY(exec_result_metric(r, "samples", json_number_value(json_object_get(score, "n")), e));
    json_object_foreach(json_object_get(score, "references"), name, value)
    {
        char metric[128];
        snprintf(metric, sizeof metric, "reference:%.100s", name);
        TRY(exec_result_metric(r, metric, json_number_value(value), e));
    }
    return 0;
}

static int run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    struct score_call c;
    struct th_device device;
    TRY(read_call(t, &c, e));
    TRY(native_device(t, &device, e));
    const char *path = native_path(t, "image_set", e);
    AUTO(question_set_destroy) struct question_set *s = path ? question_set_load(path, e) : NULL;
    const struct sides *sides = s ? get_sides(t, &c, device, e) : NULL;
    AUTO(json_decref) json_t *score = sides ? align(t, &c, sides, s, path, e) : NULL;
    if (!score)
        return -1;
    TRY(publish(t, score, r, e));
    TRY(add_metrics(score, r, e));
    r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    return 0;
}

const struct native_kind native_score_a = { "score_a", check, run };
