/* evaluate, native: a fine-tuned model's answers to a benchmark, and what they are worth.
 *
 *     identity   {"representation", "encoding": {"select_layer", "image_aspect", "dtype"}, "benchmark": {"metric"},
 *                 "setting": {"temperature", "max_new_tokens", "precision", "judge"}}
 *     execution  {"names": {"members", "llm", "image_set"}}
 *     inputs     model: what stage2 left; cache:MEMBER:SHARD, features of the pictures that are kept
 *     metrics    performance, and every number of the benchmark's family by its name (docs/benchmarks.md)
 *     artifacts  answers (answers.jsonl), numbers (result.json)
 *
 * The benchmark's image set is its file of questions; pictures are below the directory that it lies in. The decoder is
 * read from the model, or, where LoRA left an adapter only, from the LLM's checkpoint. Answers are kept beside the
 * artifacts until the task succeeds: an interrupted attempt's are the next one's. */
#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "worker/evaluate/evaluate.h"
#include "worker/exec/artifact.h"
#include "worker/exec/native_kept.h"
#include "worker/exec/native_members.h"
#include "worker/layout.h"
#include "worker/train/adapter.h"

#define BATCH_CPU 8
#define BATCH_GPU 32

struct evaluate_call {
    struct native_members members;
    const char *metric;
    int64_t max_new_tokens;
    enum th_dtype precision;
};

static int read_call(const struct exec_task *t, struct evaluate_call *c, struct err *e)
{
    double temperature;
    const char *judge;
    TRY(native_members_read(json_object_get(t->identity, "representation"), json_object_get(t->identity, "encoding"),
                            json_object_get(t->execution, "names"), &c->members, e));
    TRY(native_text(t->identity, "benchmark.metric", NULL, &c->metric, e));
    TRY(native_int(t->identity, "setting.max_new_tokens", NULL, &c->max_new_tokens, e));
    TRY(native_real(t->identity, "setting.temperature", &temperature, e));
    TRY(native_text(t->identity, "setting.judge", "none", &judge, e));
    if (temperature > 0)
        return FAIL(e, ERR_INPUT, "evaluate.temperature = %g: only greedy decoding (0) is built in", temperature);
    if (strcmp(judge, "none") != 0)
        return FAIL(e, ERR_INPUT, "evaluate.judge = \"%.40s\" is not built in; take \"none\", or a program of your own",
                    judge);
    return native_dtype(t->identity, "setting.precision", &c->precision, e);
}

static int check(const struct exec_task *t, struct err *e)
{
    struct evaluate_call c;
    return read_call(t, &c, e);
}

/* ---- the model, which stays loaded for the next benchmark ------------------------------------------------------------
 */

struct evaluated {
    struct tokenizer *tokenizer;
    struct vlm *model;
    struct representation *representation;
};

static void evaluated_destroy(void *thing)
{
    struct evaluated *m = thing;
    if (!m)
        return;
    representation_close(m->representation);
    vlm_destroy(m->model);
    tokenizer_close(m->tokenizer);
    free(m);
}
DEFINE_CLEANUP(evaluated_destroy, struct evaluated *)

/* All that the loaded model depends on, which the benchmark is no part of. */
static char *model_key(const struct exec_task *t, const char *model, struct th_device device)
{
    AUTO(json_decref) json_t *names = json_deep_copy(json_object_get(t->execution, "names"));
    json_object_del(names, "benchmark");
    json_object_del(names, "image_set");
    AUTO(json_decref)
    json_t *key = json_pack("{s:O, s:O, s:O, s:s, s:i, s:O}", "representation",
                            json_object_get(t->identity, "representation"), "encoding",
                            json_object_get(t->identity, "encoding"), "names", names, "model", model, "device",
                            device.type, "setting", json_object_get(t->identity, "setting"));
    return key ? json_dumps(key, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
}

static int open_model(const struct exec_task *t, struct evaluate_call *c, const char *dir, struct th_device device,
                      struct evaluated *m, struct err *e)
{
    struct vlm_options o = { .dtype = c->precision, .device = device };
    const char *llm = native_path(t, "llm", e);
    return llm && (m->tokenizer = tokenizer_open(llm, e)) && (m->model = adapter_open_model(dir, llm, &o, e)) ? 0 : -1;
}

static struct evaluated *get_model(const struct exec_task *t, struct evaluate_call *c, struct th_device device,
                                   struct err *e)
{
    AUTO(free) char *dir = NULL;
    const Acsweep__InputRef *in = native_input(t, "model", e);
    if (!in || native_artifact(t, in, "model", &dir, e) < 0)
        return NULL;
    AUTO(free) char *key = model_key(t, dir, device);
    if (!key)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    struct evaluated *kept = native_kept(key);
    if (kept)
        return kept;
    AUTO(evaluated_destroy) struct evaluated *m = calloc(1, sizeof *m);
    if (!m)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (open_model(t, c, dir, device, m, e) < 0)
        return NULL;
    struct evaluated *given = TAKE(m);
    return native_keep(key, given, evaluated_destroy, e) < 0 ? NULL : given;
}

/* The encoders: kept with the model; or this benchmark's own, *mine, where it has kept features. */
static const struct representation *get_representation(const struct exec_task *t, struct evaluate_call *c,
                                                       struct th_device device, struct evaluated *m,
                                                       struct representation **mine, struct err *e)
{
    json_t *names = json_object_get(t->execution, "names");
    AUTO(native_caches_free) struct native_caches caches = { 0 };
    if (native_caches_find(t, c->members.list, c->members.n, &caches, e) < 0)
        return NULL;
    if (caches.n)
        return *mine = native_members_open(t, &c->members, names, device, e);
    if (!m->representation)
        m->representation = native_members_open(t, &c->members, names, device, e);
    return m->representation;
}

/* ---- answers --------------------------------------------------------------------------------------------------------
 */

static int report(void *arg, size_t done, size_t n, struct err *e)
{
    return native_progress(arg, "questions", done, n, e);
}

static int answer(const struct exec_task *t, const struct evaluate_call *c, const struct evaluated *m,
                  const struct representation *seen, const struct question_set *s, const char *path,
                  struct answer_log *log, struct evaluate_counts *counts, struct err *e)
{
    AUTO(free) char *copy = strdup(path);
    const Acsweep__Resources *r = t->spec->resources;
    if (!copy)
        return FAIL_NOMEM(e);
    struct evaluate_job job = { .model = m->model,
                                .tokenizer = m->tokenizer,
                                .representation = seen,
                                .images = dirname(copy),
                                .questions = s,
                                .batch = r && r->gpus ? BATCH_GPU : BATCH_CPU,
                                .max_new_tokens = c->max_new_tokens,
                                .progress = report,
                                .arg = (void *)t };
    return evaluate_run(&job, log, counts, e);
}

/* ---- results --------------------------------------------------------------------------------------------------------
 */

static int add_metrics(const struct metric_result *m, struct exec_result *r, struct err *e)
{
    TRY(exec_result_metric(r, "performance", m->performance, e));
    TRY(exec_result_metric(r, "chance", m->chance, e));
    TRY(exec_result_metric(r, "ci_low", m->interval.low, e));
    TRY(exec_result_metric(r, "ci_high", m->interval.high, e));
    if (!isnan(m->standard_error))
        TRY(exec_result_metric(r, "standard_error", m->standard_error, e));
    for (size_t i = 0; i < m->n_values; i++)
        TRY(exec_result_metric(r, m->values[i].name, m->values[i].value, e));
    return 0;
}

static int write_numbers(const char *dir, const struct metric_result *m, const struct question_set *s, struct err *e)
{
    char path[4200];
    AUTO(json_decref) json_t *j = metric_result_json(m, s, e);
    AUTO(free) char *text = j ? json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    if (!text)
        return j ? FAIL_NOMEM(e) : -1;
    snprintf(path, sizeof path, "%s/result.json", dir);
    return file_replace(path, text, strlen(text), e);
}

static int publish(const struct exec_task *t, const struct question_set *s, const struct answer_log *log,
                   const struct metric_result *m, struct exec_result *r, struct err *e)
{
    char path[4200];
    AUTO(artifact_end) struct artifact_dir *dir = artifact_begin(t, e);
    if (!dir)
        return -1;
    snprintf(path, sizeof path, "%s/answers.jsonl", artifact_path(dir));
    TRY(answer_log_finish(log, path, e));
    TRY(write_numbers(artifact_path(dir), m, s, e));
    TRY(artifact_add(dir, "answers", "answers.jsonl", r, e));
    TRY(artifact_add(dir, "numbers", "result.json", r, e));
    return artifact_publish(dir, r, e);
}

static int score(const struct exec_task *t, const struct evaluate_call *c, const struct question_set *s,
                 const struct answer_log *log, const struct evaluate_counts *counts, struct exec_result *r, struct err *e)
{
    struct metric_options o = { .metric = c->metric };
    AUTO(metric_result_destroy) struct metric_result *m = metric_compute(s, answer_log_texts(log), &o, e);
    if (!m)
        return -1;
    TRY(publish(t, s, log, m, r, e));
    TRY(add_metrics(m, r, e));
    TRY(exec_result_metric(r, "too_long", (double)counts->too_long, e));
    return exec_result_metric(r, "unended", (double)counts->unended, e);
}

/* ---- the run --------------------------------------------------------------------------------------------------------
 */

/* The answers of an interrupted attempt, where the next one finds them. */
static int parts_path(const struct exec_task *t, char **dir, char **log, struct err *e)
{
    AUTO(free) char *root = layout_artifacts(t->store, t->scratch);
    if (!root || asprintf(dir, "%s/parts/%s", root, t->spec->identity) < 0 || asprintf(log, "%s/answers.log", *dir) < 0)
        return FAIL_NOMEM(e);
    return make_dirs(*dir, e);
}

static int run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    struct evaluate_call c;
    struct th_device device;
    struct evaluate_counts counts;
    AUTO(free) char *parts = NULL, *log_path = NULL;
    TRY(read_call(t, &c, e));
    TRY(native_device(t, &device, e));
    const char *path = native_path(t, "image_set", e);
    AUTO(question_set_destroy) struct question_set *s = path ? question_set_load(path, e) : NULL;
    struct evaluated *m = s && metric_check(s, c.metric, e) == 0 ? get_model(t, &c, device, e) : NULL;
    AUTO(representation_close) struct representation *mine = NULL;
    const struct representation *seen = m ? get_representation(t, &c, device, m, &mine, e) : NULL;
    if (!seen || parts_path(t, &parts, &log_path, e) < 0)
        return -1;
    AUTO(answer_log_close) struct answer_log *log = answer_log_open(log_path, t->spec->identity, s, e);
    if (!log)
        return -1;
    TRY(answer(t, &c, m, seen, s, path, log, &counts, e));
    TRY(score(t, &c, s, log, &counts, r, e));
    remove_tree(parts);
    r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    return 0;
}

const struct native_kind native_evaluate = { "evaluate", check, run };
