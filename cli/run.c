/* One-machine mode: private PostgreSQL, coordinator and workers as our children, one sweep, and all down again.
 *
 * Order matters in both directions: cluster, coordinator, workers up; workers, coordinator, cluster down. A signal is
 * an error like any other (ERR_INTERRUPTED): it unwinds through the same path, so nothing is left behind. When we are
 * killed, the kernel tells the children (children.h), and the next run waits for the coordinator's lock. */
#include "cli/run.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/children.h"
#include "cli/commands.h"
#include "cli/link.h"
#include "cli/progress.h"
#include "cli/programs.h"
#include "cli/show.h"
#include "cli/state.h"
#include "cli/submit.h"
#include "common/mono.h"
#include "coordinator/plan.h"
#include "report/report.h"
#include "sql/cluster.h"
#include "sql/migrate.h"

enum {
    WORKERS_MAX = 256,
    READY_TIMEOUT_S = 60,
    SUBMIT_TIMEOUT_S = 120,
    STOP_GRACE_S = 15,
    RESTARTS_MAX = 20,
    SNAPSHOT_MS = 250,
    SILENCE_S = 2
};

const struct opt run_options[] = {
    { .name = "workers",
      .letter = 'n',
      .type = OPT_INT,
      .value = "N",
      .fallback = "4",
      .lo = 1,
      .hi = WORKERS_MAX,
      .help = "worker processes to start, with one slot each" },
    { .name = "log-level",
      .type = OPT_CHOICE,
      .choices = "error|warn|info|debug",
      .value = "LEVEL",
      .fallback = "info",
      .help = "of the logs of coordinator and workers in the state directory" },
    { .name = "path",
      .type = OPT_TEXT,
      .many = true,
      .value = "NAME=PATH",
      .help = "where this machine has a checkpoint or image set that sweep.cfg names" },
    CLI_TRUTH_OPTION,
    { 0 },
};

struct run {
    const struct opts *o;
    struct loop *loop;
    struct state *state;
    struct cluster *cluster;
    char *conninfo, *store;
    char endpoint[256], coordinator_path[4096], worker_path[4096], exec_path[4096];
    int lock;
    struct child coordinator, *workers;
    size_t n_workers;
    char **paths; /* "NAME=/PATH", as workers take them */
    size_t n_paths;
    unsigned restarts;
    int64_t next_restart;
    struct link *link;
    struct progress *progress;
    const char *sweep;
    bool over; /* the last snapshot says that it ended */
    int64_t last_snapshot;
    struct db *db;
    bool failed;
};

static int on_signal(struct loop *l, int signo, void *arg, struct err *e)
{
    (void)l;
    (void)arg;
    return FAIL(e, ERR_INTERRUPTED, "interrupted by SIG%s; run the same command again to go on", sigabbrev_np(signo));
}

static const int stop_signals[] = { SIGINT, SIGTERM, SIGHUP };

static int watch_signals(struct loop *l, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++)
        TRY(loop_add_signal(l, stop_signals[i], on_signal, NULL, e));
    signal(SIGPIPE, SIG_IGN); /* a closed pager must not take the database down unasked */
    return 0;
}

/* artifacts.store of the sweep, or a directory beside the rest of its state. */
static int choose_store(struct run *r, const char *wanted, struct err *e)
{
    if (wanted[0] && wanted[0] != '/')
        return FAIL(e, ERR_INPUT, "artifacts.store '%s' must be an absolute path", wanted);
    r->store = wanted[0] ? strdup(wanted) : realpath(state_dir(r->state), NULL);
    if (!wanted[0] && r->store) {
        AUTO(free) char *parent = TAKE(r->store);
        if (asprintf(&r->store, "%s/store", parent) < 0)
            r->store = NULL;
    }
    return r->store ? 0 : FAIL_NOMEM(e);
}

/* ---- up --------------------------------------------------------------------------------------------------------- */

static int find_programs(struct run *r, struct err *e)
{
    const struct {
        const char *name;
        char *path;
    } needed[] = { { "acsweep-coordinator", r->coordinator_path },
                   { "acsweep-worker", r->worker_path },
                   { "acsweep-exec", r->exec_path } };
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!program_find(needed[i].name, needed[i].path, sizeof r->exec_path))
            return FAIL(e, ERR_ENV,
                        "%s is neither beside acsweep nor in PATH; build or install it ('acsweep doctor' checks "
                        "the rest)",
                        needed[i].name);
    return 0;
}

static void note_home(struct run *r, const char *home)
{
    char text[PATH_MAX + 100];
    snprintf(text, sizeof text, "The database is in %s, because user postgres cannot enter the state directory", home);
    progress_note(r->progress, text);
}

static int bring_database(struct run *r, struct err *e)
{
    const char *given = opts_text(r->o, "database");
    if (!given) {
        bool apart;
        AUTO(free) char *path = cluster_state_path(state_dir(r->state), &apart, e);
        AUTO(free) char *home = path ? cluster_state_dir(state_dir(r->state), e) : NULL;
        if (home && apart)
            note_home(r, home);
        if (!home || !(r->cluster = cluster_start(home, e)))
            return -1;
        given = cluster_conninfo(r->cluster);
    }
    if (!(r->conninfo = strdup(given)))
        return FAIL_NOMEM(e);
    AUTO(db_close) struct db *d = db_open(r->conninfo, DB_ADMIN, e);
    int from, to;
    return d ? migrate_run(d, &from, &to, e) : -1;
}

static int start_coordinator(struct run *r, struct err *e)
{
    AUTO(free) char *ready = state_path(r->state, "coordinator.json", e);
    if (!ready)
        return -1;
    unlink(ready);
    /* On one machine a silent worker is a dead or stopped one, so its tasks need not wait a minute. */
    const char *const argv[] = { r->coordinator_path,
                                 "--database",
                                 r->conninfo,
                                 "--listen",
                                 r->endpoint,
                                 "--state",
                                 state_dir(r->state),
                                 "--store",
                                 r->store,
                                 "--lease",
                                 "10s",
                                 "--heartbeat",
                                 "2s",
                                 "--log-level",
                                 opts_text(r->o, "log-level"),
                                 NULL };
    return child_start(&r->coordinator, argv, r->lock, e);
}

static int child_failed(const struct child *c, struct err *e)
{
    char text[1000];
    child_describe(c, text, sizeof text);
    return FAIL(e, ERR_ENV, "%s", text);
}

/* The coordinator is up when its file names its own process. */
static int wait_coordinator(struct run *r, struct err *e)
{
    int64_t deadline = mono_now() + READY_TIMEOUT_S * NS_PER_S;
    for (;;) {
        AUTO(free) char *endpoint = NULL;
        pid_t pid;
        TRY(state_coordinator(r->state, &endpoint, &pid, e));
        if (endpoint && pid == r->coordinator.pid) {
            snprintf(r->endpoint, sizeof r->endpoint, "%s", endpoint);
            return 0;
        }
        if (child_ended(&r->coordinator))
            return child_failed(&r->coordinator, e);
        if (mono_now() > deadline)
            return FAIL(e, ERR_ENV, "the coordinator is not ready after %d s; see %s", READY_TIMEOUT_S,
                        r->coordinator.log);
        TRY(loop_once(r->loop, 20 * NS_PER_MS, e));
    }
}

static int start_worker(struct run *r, size_t i, struct err *e)
{
    char name[64];
    snprintf(name, sizeof name, "workers/%zu", i + 1);
    TRY(state_mkdir(r->state, name, e));
    AUTO(free) char *home = state_path(r->state, name, e);
    if (!home)
        return -1;
    const char *const fixed[] = { r->worker_path,
                                  "--coordinator",
                                  r->endpoint,
                                  "--slots",
                                  "1",
                                  "--state",
                                  home,
                                  "--exec",
                                  r->exec_path,
                                  "--drain-grace",
                                  "5s",
                                  "--log-level",
                                  opts_text(r->o, "log-level") };
    AUTO(free) const char **argv = calloc(ARRAY_LEN(fixed) + 2 * r->n_paths + 1, sizeof *argv);
    if (!argv)
        return FAIL_NOMEM(e);
    memcpy(argv, fixed, sizeof fixed);
    for (size_t k = 0, n = ARRAY_LEN(fixed); k < r->n_paths; k++) {
        argv[n++] = "--path";
        argv[n++] = r->paths[k];
    }
    return child_start(&r->workers[i], argv, -1, e);
}

/* Workers have other working directories, so paths are made absolute here; what is not there is told before anything
 * starts. */
static int name_paths(struct run *r, struct err *e)
{
    const char *const *texts;
    size_t n = opts_list(r->o, "path", &texts);
    r->paths = calloc(n + 1, sizeof *r->paths);
    if (!r->paths)
        return FAIL_NOMEM(e);
    for (; r->n_paths < n; r->n_paths++) {
        const char *text = texts[r->n_paths], *equals = strchr(text, '=');
        if (!equals || equals == text)
            return FAIL(e, ERR_USAGE, "--path '%.80s' must be NAME=PATH", text);
        AUTO(free) char *whole = realpath(equals + 1, NULL);
        if (!whole)
            return FAIL(e, ERR_INPUT, "--path %.80s: %s", text, strerror(errno));
        if (asprintf(&r->paths[r->n_paths], "%.*s=%s", (int)(equals - text), text, whole) < 0)
            return FAIL_NOMEM(e);
    }
    return 0;
}

static int name_child(struct run *r, struct child *c, const char *kind, size_t number, struct err *e)
{
    int n = number > 0 ? snprintf(c->name, sizeof c->name, "%s-%zu", kind, number)
                       : snprintf(c->name, sizeof c->name, "%s", kind);
    if (n < 0 || snprintf(c->log, sizeof c->log, "%s/logs/%s.log", state_dir(r->state), c->name) >= (int)sizeof c->log)
        return FAIL(e, ERR_INPUT, "the path of the state directory is too long: %s", state_dir(r->state));
    return 0;
}

static int bring_programs(struct run *r, struct err *e)
{
    r->workers = calloc((size_t)opts_int(r->o, "workers"), sizeof *r->workers);
    if (!r->workers)
        return FAIL_NOMEM(e);
    r->n_workers = (size_t)opts_int(r->o, "workers");
    TRY(state_mkdir(r->state, "logs", e));
    TRY(name_child(r, &r->coordinator, "coordinator", 0, e));
    for (size_t i = 0; i < r->n_workers; i++)
        TRY(name_child(r, &r->workers[i], "worker", i + 1, e));
    TRY(state_endpoint(r->state, r->endpoint, sizeof r->endpoint, e));
    TRY(start_coordinator(r, e));
    TRY(wait_coordinator(r, e));
    for (size_t i = 0; i < r->n_workers; i++)
        TRY(start_worker(r, i, e));
    r->link = link_connect(r->loop, r->endpoint, NULL, e);
    return r->link ? 0 : -1;
}

/* ---- going on --------------------------------------------------------------------------------------------------- */

static void on_snapshot(const Acsweep__Snapshot *s, void *arg)
{
    struct run *r = arg;
    progress_update(r->progress, s);
    r->over = strcmp(s->state, "running") != 0;
    r->last_snapshot = mono_now();
}

/* A child that died unasked is started again, one a second: the sweep survives it. Too many deaths are a fault of the
 * machine. */
static int revive(struct run *r, struct child *c, struct err *e)
{
    if (!child_ended(c) || mono_now() < r->next_restart)
        return 0;
    if (++r->restarts > RESTARTS_MAX)
        return child_failed(c, e);
    char text[1000], note[1100];
    child_describe(c, text, sizeof text);
    snprintf(note, sizeof note, "%s; starting it again", text);
    progress_note(r->progress, note);
    r->next_restart = mono_now() + NS_PER_S;
    if (c != &r->coordinator)
        return start_worker(r, (size_t)(c - r->workers), e);
    TRY(start_coordinator(r, e));
    return wait_coordinator(r, e);
}

/* Snapshots are for the eye; whether the sweep is over is the database's word. */
static int ask_database(struct run *r, bool *over, struct err *e)
{
    const struct sql_arg arg = SQL_TEXT(r->sweep);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(r->db, SQL_SHOW_OUTCOME, &arg, 1, 1, &rows, e));
    const char *state = db_text(rows, 0, db_rows_column(rows, "state"));
    int64_t failed = db_i64(rows, 0, db_rows_column(rows, "failed"));
    *over = strcmp(state, "running") != 0;
    r->failed = *over && (failed > 0 || strcmp(state, "done") != 0);
    if (r->failed) {
        char note[200];
        snprintf(note, sizeof note, "The sweep is %s; %lld tasks failed for good ('acsweep explain TASK' tells why)",
                 state, (long long)failed);
        progress_note(r->progress, note);
    }
    return 0;
}

static int follow(struct run *r, struct err *e)
{
    for (bool over = false; !over;) {
        TRY(loop_once(r->loop, 100 * NS_PER_MS, e));
        TRY(revive(r, &r->coordinator, e));
        for (size_t i = 0; i < r->n_workers; i++)
            TRY(revive(r, &r->workers[i], e));
        if (!r->over && mono_now() - r->last_snapshot < SILENCE_S * NS_PER_S)
            continue;
        TRY(ask_database(r, &over, e));
        r->over = false;
        r->last_snapshot = mono_now();
    }
    return 0;
}

static int finish(struct run *r, struct err *e)
{
    progress_end(r->progress);
    AUTO(free) char *dir = state_path(r->state, "report", e);
    if (!dir)
        return -1;
    TRY(show_ranking(r->db, r->sweep, e));
    AUTO(buf_free) struct buf verdict = BUF_INIT(4096);
    TRY(report_write_truth(r->db, r->sweep, dir, opts_text(r->o, "truth"), &verdict, e));
    printf("\n%sReport: %s/index.html\n", buf_text(&verdict), dir);
    return 0;
}

static int go(struct run *r, const char *config, const char *store, struct err *e)
{
    TRY(name_paths(r, e));
    TRY(find_programs(r, e));
    TRY(watch_signals(r->loop, e));
    r->lock = state_lock(r->state, e);
    if (r->lock < 0)
        return -1;
    TRY(choose_store(r, store, e));
    TRY(bring_database(r, e));
    TRY(bring_programs(r, e));
    r->db = db_open(r->conninfo, DB_READER, e);
    if (!r->db)
        return -1;
    AUTO(free) char *text = NULL, *name = NULL;
    r->last_snapshot = mono_now();
    TRY(link_watch(r->link, r->sweep, SNAPSHOT_MS, on_snapshot, r, e)); /* before: a cached sweep is over at once */
    TRY(submit_file(r->link, config, SUBMIT_TIMEOUT_S * NS_PER_S, &name, NULL, &text, e));
    progress_note(r->progress, text);
    TRY(follow(r, e));
    return finish(r, e);
}

/* After the end there is nothing left to take down; only the exit code must still be ours. */
static void leave(int signo)
{
    (void)signo;
    _exit(5); /* err_exit_code(ERR_INTERRUPTED), which is not for signal handlers */
}

/* ---- down ------------------------------------------------------------------------------------------------------- */

static void take_down(struct run *r)
{
    if (r->progress)
        progress_end(r->progress);
    link_close(r->link);
    struct child *list[WORKERS_MAX];
    for (size_t i = 0; i < r->n_workers; i++)
        list[i] = &r->workers[i];
    children_stop(list, r->n_workers, STOP_GRACE_S * NS_PER_S);
    list[0] = &r->coordinator;
    children_stop(list, 1, STOP_GRACE_S * NS_PER_S);
    db_close(r->db);
    cluster_stop(r->cluster);
    progress_free(r->progress);
    for (size_t i = 0; i < r->n_paths; i++)
        free(r->paths[i]);
    free(r->paths);
    free(r->workers);
    free(r->conninfo);
    free(r->store);
    state_close(r->state);
    /* A signal that came while we were going down anyway is still pending; it is answered by now. */
    for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++)
        signal(stop_signals[i], SIG_IGN);
    loop_destroy(r->loop);
    for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++)
        signal(stop_signals[i], leave);
}

/* ^C at a terminal reaches initdb too, whose death is then reported first; but the cause is the signal. */
static void prefer_signal(struct run *r, struct err *e)
{
    struct err signalled = { 0 };
    if (e->kind != ERR_INTERRUPTED && loop_once(r->loop, 0, &signalled) < 0 && signalled.kind == ERR_INTERRUPTED)
        *e = signalled;
}

static int check_truth(const struct plan *p, const char *truth, struct err *e)
{
    AUTO(free) const char **names = calloc(p->n_representations + p->n_benchmarks + 1, sizeof *names);
    if (!names)
        return FAIL_NOMEM(e);
    const char **benchmarks = names + p->n_representations;
    for (size_t i = 0; i < p->n_representations; i++)
        names[i] = p->representations[i].name;
    for (size_t b = 0; b < p->n_benchmarks; b++)
        benchmarks[b] = p->benchmarks[b].name;
    return report_check_truth(truth, names, p->n_representations, benchmarks, p->n_benchmarks, e);
}

int run_sweep(const struct opts *o, const char *config, struct err *e)
{
    AUTO(plan_destroy) struct plan *plan = plan_load_file(config, e); /* bad input shows before anything starts */
    if (!plan || (opts_text(o, "truth") && check_truth(plan, opts_text(o, "truth"), e) < 0))
        return -1;
    struct run r = { .o = o, .lock = -1, .sweep = plan->name };
    int rc = -1;
    r.loop = loop_create(e);
    r.progress = r.loop ? progress_create(stderr, e) : NULL;
    r.state = r.progress ? state_open(opts_text(o, "state"), true, e) : NULL;
    if (r.state)
        rc = go(&r, config, plan->store, e);
    if (r.state && rc < 0)
        prefer_signal(&r, e);
    take_down(&r);
    return rc < 0 ? -1 : r.failed ? err_exit_code(ERR_TASK) : 0;
}

/* ---- the commands ----------------------------------------------------------------------------------------------- */

static int run_run(const struct opts *o, struct err *e)
{
    return run_sweep(o, opts_arg(o, 0), e);
}

const struct cmd cmd_run = {
    .name = "run",
    .summary = "Go through a sweep on this machine, with a PostgreSQL, coordinator and workers of its own",
    .args = "SWEEP.CFG",
    .options = { run_options, cli_state_options, cli_database_options },
    .details =
        "Everything is shut down at the end. Interrupt it at any time and run it again: it goes on where it was, and "
        "results that are known already are not computed again. The report is DIR/report/index.html.",
    .run = run_run,
};
