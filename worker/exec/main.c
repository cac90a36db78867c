/* acsweep-exec: the child that computes. Started by acsweep-worker, one for each place to run a task (slot), with a
 * stream socket on fd 3; not meant to be started by hand, except for --probe. `acsweep extract` and others become this program
 * too, with the words of the command (worker/tool).
 *
 *     agent -> exec   ExecHello, then Assign (one task at a time), Cancel
 *     exec -> agent   Started, Progress..., Results (one result), then the next Assign may come
 *
 * It ends when the socket does. Everything that can go wrong inside a task, its own death included, stays in here: the
 * agent classifies what it sees and starts a new one. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/log.h"
#include "common/mono.h"
#include "common/own.h"
#include "worker/exec/energy.h"
#include "worker/exec/executor.h"
#include "worker/exec/probe.h"
#include "worker/proctree.h"
#include "worker/exec/native.h"
#include "worker/tool/tool_options.h"

#define AGENT_FD 3

struct place { /* where this exec runs; fixed for its life */
    struct control *control;
    const char *worker_id, *scratch, *store;
    uint32_t slot;
    char *devices[64];
    size_t n_devices;
    struct paths paths; /* texts belong to the hello */
    struct energy *energy;
};

struct usage {
    int64_t mono, wall_us;
    double cpu_seconds, joules;
    uint64_t max_rss;
};

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

static int send_started(const struct place *p, const struct exec_task *t, struct err *e)
{
    Acsweep__Token token = *t->token;
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

static void fill_cost(const struct place *p, const struct exec_result *r, const struct usage *from,
                      const struct usage *to, Acsweep__Cost *c)
{
    c->wall_seconds = (double)(to->mono - from->mono) / (double)NS_PER_S;
    c->gpu_seconds = c->wall_seconds * (double)p->n_devices;
    c->cpu_seconds = to->cpu_seconds - from->cpu_seconds;
    c->energy_joules = to->joules;
    c->max_rss_bytes = r->max_rss_bytes ? r->max_rss_bytes : to->max_rss;
    c->max_gpu_bytes = r->max_gpu_bytes;
}

static int send_result(const struct place *p, struct exec_result *r, const struct usage *from, struct err *e)
{
    struct usage to = usage_now();
    to.joules = energy_end(p->energy);
    AUTO(free) Acsweep__Metric *metrics = calloc(r->n_metrics + 1, sizeof *metrics);
    AUTO(free) Acsweep__Metric **metric_list = calloc(r->n_metrics + 1, sizeof *metric_list);
    AUTO(free) Acsweep__ArtifactRef *artifacts = calloc(r->n_artifacts + 1, sizeof *artifacts);
    AUTO(free) Acsweep__ArtifactRef **artifact_list = calloc(r->n_artifacts + 1, sizeof *artifact_list);
    if (!metrics || !metric_list || !artifacts || !artifact_list)
        return FAIL_NOMEM(e);
    fill_metrics(r, metrics, metric_list);
    fill_artifacts(r, artifacts, artifact_list);
    Acsweep__Cost cost = ACSWEEP__COST__INIT;
    fill_cost(p, r, from, &to, &cost);
    Acsweep__Result result = ACSWEEP__RESULT__INIT, *one = &result;
    result.token = &r->reported;
    result.outcome = r->outcome;
    result.failure = r->failure;
    result.message = r->message;
    result.n_metrics = r->n_metrics;
    result.metrics = metric_list;
    result.n_artifacts = r->n_artifacts;
    result.artifacts = artifact_list;
    result.cost = &cost;
    result.slot = p->slot;
    result.devices = (char **)p->devices;
    result.n_devices = p->n_devices;
    result.started_unix_us = from->wall_us;
    result.finished_unix_us = from->wall_us + (to.mono - from->mono) / NS_PER_US; /* whatever the wall clock did */
    result.suspect = r->suspect;
    Acsweep__Results results = ACSWEEP__RESULTS__INIT;
    results.n_results = 1;
    results.results = &one;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_RESULTS;
    m.results = &results;
    control_end_task(p->control);
    return control_send(p->control, &m, e);
}

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

static int run_executor(struct exec_task *t, struct exec_result *r, struct err *e)
{
    AUTO(json_decref) json_t *params = NULL;
    const struct executor *x = executor_find(t->spec->executor, e);
    if (!x)
        return -1;
    TRY(read_params(t->spec, &params, t, e));
    TRY(x->check(t, e));
    return x->run(t, r, e);
}

static int run_task(const struct place *p, const Acsweep__Assignment *a, struct err *e)
{
    struct exec_task t = { .token = a->token,
                           .spec = a->spec,
                           .worker_id = p->worker_id,
                           .scratch = p->scratch,
                           .store = p->store,
                           .paths = &p->paths,
                           .control = p->control };
    struct exec_result r = { .reported = *a->token };
    struct err failure = { 0 };
    TRY(send_started(p, &t, e));
    struct usage from = usage_now();
    energy_begin(p->energy);
    if (run_executor(&t, &r, &failure) < 0) {
        if (failure.kind == ERR_INTERRUPTED)
            exec_result_cancelled(&t, &r);
        else
            exec_result_fail(&r, executor_class_of(failure.kind), "%s", failure.text);
    }
    /* Whatever a task left running must not disturb the next one. */
    proctree_kill_all(getpid(), 20);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    int sent = send_result(p, &r, &from, e);
    exec_result_free(&r);
    return sent;
}

static int serve(struct place *p, struct err *e)
{
    for (;;) {
        AUTO(envelope_free) envelope *m = NULL;
        int got = control_next(p->control, &m, e);
        if (got <= 0)
            return got;
        TRY(run_task(p, m->assign->assignments[0], e));
    }
}

static int take_paths(struct place *p, const Acsweep__ExecHello *h, struct err *e)
{
    p->paths.list = calloc(h->n_paths + 1, sizeof *p->paths.list);
    if (!p->paths.list)
        return FAIL_NOMEM(e);
    for (; p->paths.n < h->n_paths; p->paths.n++)
        p->paths.list[p->paths.n] = (struct named_path){ h->paths[p->paths.n]->name, h->paths[p->paths.n]->path };
    return 0;
}

/* The agent's first message, before the reader thread starts. */
static int read_hello(struct place *p, envelope **hello, struct err *e)
{
    int got = wire_read_fd(AGENT_FD, hello, e);
    TRY(got);
    if (got == 0 || (*hello)->body_case != ACSWEEP__ENVELOPE__BODY_EXEC_HELLO)
        return FAIL(e, ERR_PEER, "the agent did not say hello");
    const Acsweep__ExecHello *h = (*hello)->exec_hello;
    if (h->n_devices > ARRAY_LEN(p->devices))
        return FAIL(e, ERR_PEER, "%zu devices for one slot", h->n_devices);
    p->slot = h->slot;
    p->worker_id = h->worker_id;
    for (; p->n_devices < h->n_devices; p->n_devices++)
        p->devices[p->n_devices] = h->devices[p->n_devices];
    return take_paths(p, h, e);
}

static const char *env_or_empty(const char *name)
{
    const char *v = getenv(name);
    return v ? v : "";
}

static void place_end_cleanup(struct place *p)
{
    energy_close(p->energy);
    free(p->paths.list);
}

static int run_for_agent(struct err *e)
{
    AUTO(envelope_free) envelope *hello = NULL;
    AUTO(place_end)
    struct place p = { .scratch = env_or_empty("ACSWEEP_SCRATCH"), .store = env_or_empty("ACSWEEP_STORE") };
    TRY(read_hello(&p, &hello, e));
    AUTO(control_destroy) struct control *control = control_start(AGENT_FD, e);
    if (!control)
        return -1;
    p.control = control;
    p.energy = energy_open(p.devices, p.n_devices);
    return serve(&p, e);
}

static int run_tool(int argc, char **argv)
{
    struct err e = { 0 };
    const struct native_module *m = native_load(&e);
    if (m)
        return m->tool_main(argc, argv);
    fprintf(stderr, "acsweep: %s\n", e.text);
    return err_exit_code(e.kind);
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    bool probe = argc == 2 && strcmp(argv[1], "--probe") == 0;
    if (argc > 1 && tool_is(argv[1]))
        return run_tool(argc, argv);
    const char *level = getenv("ACSWEEP_LOG_LEVEL");
    int known = level ? log_level_of(level) : -1;
    log_setup("acsweep-exec", known >= 0 ? (enum log_level)known : LOG_INFO, LOG_LOGFMT);
    if (probe)
        return probe_print(stdout, &e) < 0 ? (log_error("probe", KV_ERR(&e)), err_exit_code(e.kind)) : 0;
    if (argc != 1 || fcntl(AGENT_FD, F_SETFD, FD_CLOEXEC) < 0) {
        fprintf(stderr, "acsweep-exec is started by acsweep-worker; the only use by hand is acsweep-exec --probe\n");
        return err_exit_code(ERR_USAGE);
    }
    signal(SIGPIPE, SIG_IGN);
    /* scancel, systemd and a shutdown send SIGTERM to every process of ours at once. What is to be done about it is the
     * agent's to say, and programs must not lose their time for a checkpoint because their exec died first. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    /* The agent stops us before it kills us with all that we started. If it dies in between, go on, and see that it
     * did. */
    prctl(PR_SET_PDEATHSIG, SIGCONT);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int rc = run_for_agent(&e);
    /* From here on a SIGCONT could only do harm: LeakSanitizer stops us at the end, and a SIGCONT that comes just then
     * takes the stop away, after which both wait for each other for ever. */
    prctl(PR_SET_PDEATHSIG, 0);
    if (rc == 0)
        return 0;
    log_error("exec.end", KV_ERR(&e));
    return err_exit_code(e.kind);
}
