#include "worker/exec/run.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mono.h"
#include "common/own.h"
#include "worker/exec/executor.h"
#include "worker/proctree.h"

struct usage {
    int64_t mono, wall_us;
    double cpu_seconds, joules;
    uint64_t max_rss;
};

/* An Assign at work. */
struct run {
    struct exec_bundle bundle;
    const struct place *place;
    struct exec_task *tasks;
    struct exec_result *results;
    const struct executor **executors;
    json_t **params;
    bool *done;
    size_t n, left;
    struct usage from; /* since the last report */
};

/* ---- telling the agent ---------------------------------------------------------------------------------------------
 */

static double seconds_of(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static struct usage usage_now(void)
{
    struct usage u = { .mono = mono_now(), .wall_us = wall_now_us() };
    const int whose[] = { RUSAGE_SELF, RUSAGE_CHILDREN };
    for (size_t i = 0; i < ARRAY_LEN(whose); i++) {
        struct rusage ru;
        if (getrusage(whose[i], &ru) < 0)
            continue;
        u.cpu_seconds += seconds_of(ru.ru_utime) + seconds_of(ru.ru_stime);
        uint64_t rss = (uint64_t)ru.ru_maxrss * 1024;
        u.max_rss = rss > u.max_rss ? rss : u.max_rss;
    }
    return u;
}

static int send_started(const struct place *p, const Acsweep__Token *of, struct err *e)
{
    Acsweep__Token token = *of;
    Acsweep__Started s = ACSWEEP__STARTED__INIT;
    s.token = &token;
    s.slot = p->slot;
    s.devices = (char **)p->devices;
    s.n_devices = p->n_devices;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_STARTED;
    m.started = &s;
    return control_send(p->control, &m, e);
}

static void fill_metrics(const struct exec_result *r, Acsweep__Metric *metrics, Acsweep__Metric **list)
{
    for (size_t i = 0; i < r->n_metrics; i++) {
        acsweep__metric__init(&metrics[i]);
        metrics[i].name = r->metrics[i].name;
        metrics[i].value = r->metrics[i].value;
        list[i] = &metrics[i];
    }
}

static void fill_artifacts(const struct exec_result *r, Acsweep__ArtifactRef *refs, Acsweep__ArtifactRef **list)
{
    for (size_t i = 0; i < r->n_artifacts; i++) {
        struct exec_artifact *a = &r->artifacts[i];
        acsweep__artifact_ref__init(&refs[i]);
        refs[i].name = a->name;
        refs[i].digest = a->digest;
        refs[i].bytes = a->bytes;
        refs[i].store = a->store;
        refs[i].path = a->path;
        refs[i].content.data = a->content;
        refs[i].content.len = a->content ? (size_t)a->bytes : 0;
        list[i] = &refs[i];
    }
}

/* One task's share of what was used since the last report by `m` of them. */
static Acsweep__Cost cost_of(const struct run *run, const struct exec_result *r, const struct usage *to, size_t m)
{
    Acsweep__Cost c = ACSWEEP__COST__INIT;
    c.wall_seconds = (double)(to->mono - run->from.mono) / (double)NS_PER_S / (double)m;
    c.gpu_seconds = c.wall_seconds * (double)run->place->n_devices;
    c.cpu_seconds = (to->cpu_seconds - run->from.cpu_seconds) / (double)m;
    c.energy_joules = to->joules / (double)m;
    c.max_rss_bytes = r->max_rss_bytes ? r->max_rss_bytes : to->max_rss;
    c.max_gpu_bytes = r->max_gpu_bytes;
    return c;
}

static int send_result(const struct place *p, Acsweep__Result *result, struct err *e)
{
    Acsweep__Results results = ACSWEEP__RESULTS__INIT;
    results.n_results = 1;
    results.results = &result;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_RESULTS;
    m.results = &results;
    return control_send(p->control, &m, e);
}

static int tell_result(const struct run *run, struct exec_result *r, const struct usage *to, size_t m, struct err *e)
{
    const struct place *p = run->place;
    AUTO(free) Acsweep__Metric *metrics = calloc(r->n_metrics + 1, sizeof *metrics);
    AUTO(free) Acsweep__Metric **metric_list = calloc(r->n_metrics + 1, sizeof *metric_list);
    AUTO(free) Acsweep__ArtifactRef *artifacts = calloc(r->n_artifacts + 1, sizeof *artifacts);
    AUTO(free) Acsweep__ArtifactRef **artifact_list = calloc(r->n_artifacts + 1, sizeof *artifact_list);
    if (!metrics || !metric_list || !artifacts || !artifact_list)
        return FAIL_NOMEM(e);
    fill_metrics(r, metrics, metric_list);
    fill_artifacts(r, artifacts, artifact_list);
    Acsweep__Cost cost = cost_of(run, r, to, m);
    Acsweep__Result result = ACSWEEP__RESULT__INIT;
    result.token = &r->reported;
    result.outcome = r->outcome;
    result.failure = r->failure;
    result.message = r->message;
    result.ended_together = r->together;
    result.n_metrics = r->n_metrics;
    result.metrics = metric_list;
    result.n_artifacts = r->n_artifacts;
    result.artifacts = artifact_list;
    result.cost = &cost;
    result.slot = p->slot;
    result.devices = (char **)p->devices;
    result.n_devices = p->n_devices;
    result.started_unix_us = run->from.wall_us;
    result.finished_unix_us =
        run->from.wall_us + (to->mono - run->from.mono) / NS_PER_US; /* whatever the wall clock did */
    result.suspect = r->suspect;
    return send_result(p, &result, e);
}

static void clear_up(void)
{
    /* Whatever a task left running must not disturb the next one. */
    proctree_kill_all(getpid(), 20);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

int exec_report(struct exec_bundle *b, const size_t *which, size_t m, struct err *e)
{
    struct run *run = (struct run *)b; /* the bundle is its first member */
    clear_up();
    struct usage to = usage_now();
    to.joules = energy_end(run->place->energy);
    for (size_t k = 0; k < m; k++) {
        struct exec_result *r = &run->results[which[k]];
        run->done[which[k]] = true;
        if (--run->left == 0) /* the next assignment may follow its result at once */
            control_end_task(run->place->control);
        TRY(tell_result(run, r, &to, m, e));
        exec_result_free(r);
    }
    run->from = to;
    if (run->left)
        energy_begin(run->place->energy);
    return 0;
}

/* ---- running -------------------------------------------------------------------------------------------------------
 */

/* The two objects of spec.params. */
static int read_params(const Acsweep__TaskSpec *spec, json_t **params, struct exec_task *t, struct err *e)
{
    json_error_t why;
    *params = json_loads(spec->params[0] ? spec->params : "{}", JSON_REJECT_DUPLICATES, &why);
    if (!*params)
        return FAIL(e, ERR_INPUT, "parameters are not JSON: %s (line %d, column %d)", why.text, why.line, why.column);
    t->identity = json_object_get(*params, "identity");
    t->execution = json_object_get(*params, "execution");
    if (!json_is_object(*params) || (t->identity && !json_is_object(t->identity)) ||
        (t->execution && !json_is_object(t->execution)))
        return FAIL(e, ERR_INPUT, "parameters must be an object with the objects identity and execution");
    return 0;
}

static int prepare(struct run *run, size_t i, struct err *e)
{
    struct exec_task *t = &run->tasks[i];
    run->executors[i] = executor_find(t->spec->executor, e);
    if (!run->executors[i])
        return -1;
    TRY(read_params(t->spec, &run->params[i], t, e));
    return run->executors[i]->check(t, e);
}

static int prepare_all(struct run *run, struct err *e)
{
    for (size_t i = 0; i < run->n; i++) {
        struct err why = { 0 };
        if (prepare(run, i, &why) == 0)
            continue;
        exec_result_error(&run->tasks[i], &run->results[i], &why);
        TRY(exec_report(&run->bundle, &i, 1, e));
    }
    return 0;
}

static int run_one(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    const struct executor *x = executor_find(t->spec->executor, e);
    return x ? x->run(t, r, e) : -1;
}

/* The executor that runs what is left as a bundle, or NULL. */
static const struct executor *bundler(const struct run *run)
{
    const struct executor *x = run->executors[0];
    for (size_t i = 1; i < run->n; i++)
        if (run->executors[i] != x)
            return NULL;
    return run->n > 1 && x && x->run_bundle ? x : NULL;
}

static int fail_rest(struct run *run, const struct err *why, struct err *e)
{
    const size_t left = run->left;
    for (size_t i = 0; i < run->n; i++) {
        struct exec_result *r = &run->results[i];
        if (run->done[i])
            continue;
        exec_result_error_of_many(&run->tasks[i], r, why, left);
        TRY(exec_report(&run->bundle, &i, 1, e));
    }
    return 0;
}

static int run_all(struct run *run, struct err *e)
{
    struct err why = { 0 };
    for (size_t i = 0; i < run->n; i++)
        TRY(send_started(run->place, run->tasks[i].token, e));
    run->from = usage_now();
    energy_begin(run->place->energy);
    TRY(prepare_all(run, e));
    const struct executor *x = bundler(run);
    if (!run->left)
        return 0;
    if (!x)
        return exec_run_each(&run->bundle, run_one, e);
    if (x->run_bundle(&run->bundle, &why) < 0)
        return fail_rest(run, &why, e);
    FAIL(&why, ERR_BUG, "the executor %s left tasks of a bundle unanswered", x->name);
    return fail_rest(run, &why, e);
}

static int run_make(struct run *run, const struct place *p, const Acsweep__Assign *a, struct err *e)
{
    size_t n = a->n_assignments;
    *run = (struct run){ .place = p, .n = n, .left = n };
    run->tasks = calloc(n, sizeof *run->tasks);
    run->results = calloc(n, sizeof *run->results);
    run->executors = calloc(n, sizeof *run->executors);
    run->params = calloc(n, sizeof(json_t *));
    run->done = calloc(n, sizeof *run->done);
    if (!run->tasks || !run->results || !run->executors || !run->params || !run->done)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        const Acsweep__Assignment *x = a->assignments[i];
        run->tasks[i] = (struct exec_task){ .token = x->token,
                                            .spec = x->spec,
                                            .worker_id = p->worker_id,
                                            .scratch = p->scratch,
                                            .store = p->store,
                                            .paths = &p->paths,
                                            .control = p->control };
        run->results[i].reported = *x->token;
    }
    run->bundle = (struct exec_bundle){ run->tasks, run->results, run->done, n };
    return 0;
}

static void run_free_cleanup(struct run *run)
{
    for (size_t i = 0; i < run->n && run->results && run->params; i++) {
        exec_result_free(&run->results[i]);
        json_decref(run->params[i]);
    }
    free(run->tasks);
    free(run->results);
    free(run->executors);
    free(run->params);
    free(run->done);
}

int run_assign(const struct place *p, const Acsweep__Assign *a, struct err *e)
{
    AUTO(run_free) struct run run = { .n = 0 };
    TRY(run_make(&run, p, a, e));
    return run_all(&run, e);
}
