#include "coordinator/coord.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "common/buf.h"
#include "common/endpoint.h"
#include "common/join.h"
#include "common/log.h"
#include "common/mono.h"
#include "coordinator/checks.h"
#include "coordinator/sched.h"
#include "sql/migrate.h"

#define FINISH_NS (5 * NS_PER_S)
#define TICK_NS (100 * NS_PER_MS)
#define LOCK_POLL_NS (500 * NS_PER_MS)
#define ANNOUNCE_NS (10 * NS_PER_S)
#define STALL_NS (2 * NS_PER_S)
#define LOST_MAX 20 /* lost attempts of one task under one leader */
#define BATCH_MAX 4096
#define HELD_MAX (CHECK_TOKENS_MAX / 2) /* leases of one worker; what waits in its spool counts as held, too */
#define PEERS_HWM 20000

struct coord *coord_create(const struct coord_options *o, struct err *e)
{
    AUTO(coord_destroy) struct coord *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    c->opt = *o;
    c->rng = (uint64_t)mono_now() | 1;
    c->zmq = zmq_ctx_new();
    if (!c->zmq)
        return FAIL_NULL(e, ERR_ENV, "ZeroMQ: %s", zmq_strerror(errno));
    zmq_ctx_set(c->zmq, ZMQ_MAX_SOCKETS, 16384);
    chan_raise_file_limit(16384);
    c->loop = loop_create(e);
    if (!c->loop || (o->keys && !(c->zap = zap_start(c->zmq, e))))
        return NULL;
    return TAKE(c);
}

/* Everything that belongs to one leadership; the database and the workers keep what matters. */
static void forget(struct coord *c)
{
    loop_remove_timer(c->tick);
    c->tick = NULL;
    dbthread_destroy(TAKE(c->db));
    chan_destroy(TAKE(c->chan));
    commit_destroy(TAKE(c->gathering));
    while (c->sweeps) {
        struct sweep *next = c->sweeps->next;
        sweep_destroy(c->sweeps);
        c->sweeps = next;
    }
    while (c->watchers) {
        struct watcher *next = c->watchers->link;
        free(c->watchers->sweep);
        free(c->watchers);
        c->watchers = next;
    }
    c->delayed = NULL;
    c->n_orphans = 0;
    c->next_trim = 0;
    roster_free(&c->roster);
    graph_free(&c->graph);
    access_free(&c->access);
    c->standbys = (struct standby_list){ 0 };
    c->committing = false;
}

void coord_destroy(struct coord *c)
{
    if (!c)
        return;
    forget(c);
    zap_stop(c->zap);
    loop_destroy(c->loop);
    if (c->zmq)
        zmq_ctx_term(c->zmq);
    free(c);
}

void coord_stop(struct coord *c)
{
    c->stopping = true;
    loop_stop(c->loop);
}

/* ---- becoming leader ---- */

static int on_lock_timer(struct loop *l, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    loop_stop(l);
    return 0;
}

static int wait_a_moment(struct coord *c, struct err *e)
{
    struct loop_timer *t = loop_add_timer(c->loop, LOCK_POLL_NS, 0, on_lock_timer, NULL, e);
    if (!t)
        return -1;
    int rc = loop_run(c->loop, e);
    loop_remove_timer(t);
    return rc;
}

static struct db *wait_for_lock(struct coord *c, struct err *e)
{
    AUTO(db_close) struct db *d = db_open(c->opt.conninfo, DB_LEADER, e);
    if (!d || migrate_check(d, e) < 0)
        return NULL;
    c->reached = true;
    bool got = false, said = false;
    for (int64_t announced = INT64_MIN;;) {
        if (db_try_leader_lock(d, &got, e) < 0)
            return NULL;
        if (got)
            return TAKE(d);
        if (!said)
            log_info("coordinator.standby", KV_STR("reason", "another coordinator leads this database"));
        said = true;
        if (announced == INT64_MIN || mono_now() - announced >= ANNOUNCE_NS) {
            if (standby_announce(c, d, e) < 0)
                return NULL;
            announced = mono_now();
        }
        if (wait_a_moment(c, e) < 0)
            return NULL;
        if (c->stopping)
            return FAIL_NULL(e, ERR_INTERRUPTED, "stopped while standing by");
    }
}

static int raise_epoch(struct coord *c, struct db *d, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg args[] = { SQL_TEXT(c->opt.name),
                                    SQL_TEXT(c->opt.advertise ? c->opt.advertise : c->opt.listen) };
    TRY(db_exec(d, SQL_LEADER_RAISE, args, ARRAY_LEN(args), 1, &rows, e));
    c->epoch = (uint64_t)db_i64(rows, 0, 0);
    TRY(db_exec(d, SQL_WORKER_LOST_ALL, NULL, 0, ROWS_ANY, NULL, e));
    TRY(db_exec(d, SQL_PLACEMENT_CLEAR, NULL, 0, ROWS_ANY, NULL, e));
    log_info("coordinator.leads", KV_I64("epoch", c->epoch));
    return 0;
}

/* A file that only those see who see the store: a worker proves it by reading it. */
static int write_challenge(struct coord *c, struct err *e)
{
    c->store_challenge[0] = '\0';
    if (!c->opt.store || !c->opt.store[0])
        return 0;
    if (mkdir(c->opt.store, 0755) < 0 && errno != EEXIST)
        return FAIL(e, ERR_ENV, "artifacts.store %s: %s", c->opt.store, strerror(errno));
    snprintf(c->store_challenge, sizeof c->store_challenge, ".acsweep-store-%llu", (unsigned long long)c->epoch);
    AUTO(buf_free) struct buf path = BUF_INIT(4096);
    buf_printf(&path, "%s/%s", c->opt.store, c->store_challenge);
    AUTO(fclose) FILE *f = fopen(buf_text(&path), "w");
    if (!f || fprintf(f, "%llu\n", (unsigned long long)c->epoch) < 0 || fflush(f) != 0)
        return FAIL(e, ERR_ENV, "artifacts.store %s: %s", buf_text(&path), strerror(errno));
    return 0;
}

static bool is_wildcard(const struct endpoint *at)
{
    return !at->ipc && (strcmp(at->host, "0.0.0.0") == 0 || strcmp(at->host, "::") == 0 || strcmp(at->host, "*") == 0);
}

const char *coord_address(const struct coord *c)
{
    struct endpoint at;
    struct err ignored = { 0 };
    if (c->opt.advertise)
        return c->opt.advertise;
    const char *bound = c->chan ? chan_endpoint(c->chan) : c->opt.listen;
    bool known = endpoint_parse(bound, ENDPOINT_BIND, &at, &ignored) == 0 && !is_wildcard(&at) && (at.ipc || at.port);
    return known ? bound : NULL;
}

/* What a worker needs to join. Beyond this machine the host name stands for "every interface". */
static void join_text(const struct coord *c, struct buf *out)
{
    const char *address = coord_address(c);
    char host[128] = "localhost", named[200];
    struct join j = { .n = 1 };
    struct err ignored = { 0 };
    if (!address) {
        gethostname(host, sizeof host - 1);
        snprintf(named, sizeof named, "tcp://%s%s", host, strrchr(chan_endpoint(c->chan), ':'));
        address = named;
    }
    if (c->opt.keys)
        memcpy(j.server_key, c->opt.keys->public_key, sizeof j.server_key);
    if (endpoint_parse(address, ENDPOINT_CONNECT, &j.endpoints[0], &ignored) == 0)
        join_format(&j, out);
}

/* DIR/coordinator.json tells the command line where we are; written whole or not at all. */
static int announce(struct coord *c, const char *join, struct err *e)
{
    if (!c->opt.state_dir)
        return 0;
    AUTO(buf_free) struct buf path = BUF_INIT(4096), temp = BUF_INIT(4096);
    buf_printf(&path, "%s/coordinator.json", c->opt.state_dir);
    buf_printf(&temp, "%s.tmp", buf_text(&path));
    AUTO(json_decref)
    json_t *j =
        json_pack("{s:s, s:I, s:I, s:s, s:s}", "endpoint", chan_endpoint(c->chan), "pid", (json_int_t)getpid(), "epoch",
                  (json_int_t)c->epoch, "server_key", c->opt.keys ? c->opt.keys->public_key : "", "join", join);
    if (!j || json_dump_file(j, buf_text(&temp), JSON_COMPACT) < 0 || rename(buf_text(&temp), buf_text(&path)) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot write: %s", buf_text(&path), strerror(errno));
    return 0;
}

static int on_tick(struct loop *l, void *arg, struct err *e);

static int bind_workers(struct coord *c, struct err *e)
{
    const struct chan_options o = {
        .zmq = c->zmq,
        .name = "workers",
        .endpoint = c->opt.listen,
        .keys = c->opt.keys,
        .zap = c->zap,
        .zap_domain = ACCESS_DOMAIN,
        .hwm = PEERS_HWM,
        .on = { .on_message = peers_on_message, .on_bad = peers_on_bad, .arg = c },
    };
    c->chan = chan_bind(c->loop, &o, e);
    return c->chan ? 0 : -1;
}

/* Asked to stop: what is gathered or with the database still becomes durable. */
static int finish_writing(struct coord *c, struct err *e)
{
    int64_t deadline = mono_now() + FINISH_NS;
    while ((dbthread_pending(c->db) || !commit_empty(c->gathering)) && mono_now() < deadline) {
        TRY(coord_kick(c, e));
        TRY(loop_once(c->loop, TICK_NS, e));
    }
    return 0;
}

/* A worker's id stays with its key across leaders. */
static int remember_keys(struct coord *c, struct db *d, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!c->zap)
        return 0;
    TRY(db_exec(d, SQL_WORKER_PUBLIC_KEYS, NULL, 0, ROWS_ANY, &rows, e));
    for (int64_t i = 0; i < db_rows_count(rows); i++)
        TRY(roster_remember_key(&c->roster, db_text(rows, i, 0), db_text(rows, i, 1), e));
    return 0;
}

static int serve(struct coord *c, struct db *d, struct err *e)
{
    AUTO(db_close) struct db *mine = d;
    TRY(raise_epoch(c, d, e));
    TRY(access_load(c, d, e));
    TRY(remember_keys(c, d, e));
    TRY(write_challenge(c, e));
    if (!(c->gathering = commit_create(c, e)))
        return -1;
    TRY(sweeps_recover(c, d, e));
    if (!(c->db = dbthread_create(c->loop, TAKE(mine), e)))
        return -1;
    TRY(bind_workers(c, e));
    if (!(c->tick = loop_add_timer(c->loop, TICK_NS, TICK_NS, on_tick, c, e)))
        return -1;
    c->last_tick = mono_now();
    c->judge_from = c->last_tick + c->opt.lease_ns; /* recovery may have taken longer than a lease */
    AUTO(buf_free) struct buf join = BUF_INIT(1024);
    join_text(c, &join);
    TRY(announce(c, buf_text(&join), e));
    TRY(sweeps_advance(c, e));
    TRY(coord_kick(c, e));
    log_info("coordinator.ready", KV_STR("endpoint", chan_endpoint(c->chan)), KV_STR("join", buf_text(&join)),
             KV_I64("epoch", c->epoch));
    TRY(loop_run(c->loop, e));
    return finish_writing(c, e);
}

int coord_lead(struct coord *c, struct err *e)
{
    struct db *d = wait_for_lock(c, e);
    int rc = d ? serve(c, d, e) : -1;
    forget(c);
    return rc;
}

/* ---- batches ---- */

int coord_event(struct coord *c, const char *kind, const struct task *t, uint32_t attempt, uint64_t epoch,
                const char *worker, const char *text, struct err *e)
{
    return commit_add_event(c->gathering, kind, t ? t->id : 0, attempt, epoch, worker, text, e);
}

int coord_settle(struct coord *c, struct task *t, struct err *e)
{
    if (t->state != TASK_PENDING || t->open_inputs)
        return 0;
    if (t->not_before > mono_now()) {
        if (t->is_delayed)
            return 0;
        t->is_delayed = true;
        t->delayed_next = c->delayed;
        c->delayed = t;
        return 0;
    }
    return graph_settle(&c->graph, t, INT64_MAX, e) < 0 ? -1 : 0;
}

static bool is_short(const char *executor)
{
    return strcmp(executor, "noop") == 0 || strcmp(executor, "replay") == 0 || strcmp(executor, "fake") == 0;
}

/* What these leave behind, others need: they run only where the artifact store is seen. */
static bool leaves_artifacts(const char *executor)
{
    return strcmp(executor, "command") == 0 || strcmp(executor, "native") == 0;
}

static size_t usable_workers(struct coord *c, struct sched_worker *out, struct worker **back)
{
    int64_t now = mono_now();
    struct worker *w;
    size_t n = 0;
    for (size_t i = 0; (w = map_next(&c->roster.by_id, &i));) {
        if (w->state == WORKER_LEFT)
            continue;
        back[n] = w;
        out[n++] = (struct sched_worker){
            .slots = w->slots,
            .credits = w->credits,
            .devices_per_slot = w->devices_per_slot,
            .compute_capability = w->compute_capability,
            .cpus = w->cpus,
            .device_memory_bytes = w->device_memory_bytes,
            .memory_bytes = w->memory_bytes,
            .executors = (const char *const *)w->executors,
            .n_executors = w->n_executors,
            .usable = w->state == WORKER_JOINED && w->quarantined_until <= now,
            .shared_store = w->shared_store,
            .room = w->n_held < HELD_MAX ? HELD_MAX - w->n_held : 0,
            .in_flight = w->in_flight,
        };
    }
    return n;
}

static int lease(struct coord *c, struct task *t, struct worker *w, uint32_t slot, struct err *e)
{
    TRY(graph_move(&c->graph, t, EV_ASSIGNED, e));
    t->attempt++;
    t->epoch = c->epoch;
    t->ended_by_result = false;
    worker_hold(w, t, slot);
    return commit_add_lease(c->gathering, t, w->id, e);
}

static int lease_all(struct coord *c, const struct sched_assignment *x, struct worker *w, struct err *e)
{
    uint32_t number = 0;
    if (x->tasks > 1)
        number = ++c->bundles ? c->bundles : ++c->bundles; /* never 0 */
    w->in_flight[x->slot] -= (uint32_t)x->tasks;           /* the scheduler has counted them already */
    for (size_t i = 0; i < x->tasks; i++) {
        struct task *t = graph_peek_near(&c->graph, x->shape, w->warm[x->slot]);
        t->bundled = number;
        t->bundled_with = (uint32_t)x->tasks;
        TRY(lease(c, t, w, x->slot, e));
    }
    return 0;
}

/* Give ready tasks to free slots: leases in the gathering batch. */
static int place_ready(struct coord *c, struct err *e)
{
    size_t n_workers_max = c->roster.by_id.n, n_shapes = c->graph.n_shapes;
    if (!c->graph.ready) {
        for (size_t s = 0; s < n_shapes; s++)
            c->graph.shapes[s].reason[0] = '\0';
        return 0;
    }
    AUTO(free) struct sched_worker *workers = calloc(n_workers_max + 1, sizeof *workers);
    AUTO(free) struct worker **back = calloc(n_workers_max + 1, sizeof *back);
    AUTO(free) struct sched_shape *shapes = calloc(n_shapes + 1, sizeof *shapes);
    AUTO(free) struct sched_assignment *out = malloc(BATCH_MAX * sizeof *out);
    AUTO(free) char(*reasons)[200] = calloc(n_shapes + 1, sizeof *reasons);
    if (!workers || !back || !shapes || !out || !reasons)
        return FAIL_NOMEM(e);
    size_t n_workers = usable_workers(c, workers, back);
    for (size_t s = 0; s < n_shapes; s++) {
        const struct shape *q = &c->graph.shapes[s];
        struct task *first = graph_peek(&c->graph, s);
        shapes[s] = (struct sched_shape){ q->resources, q->executor,           first ? first->priority : 0,
                                          q->n,         is_short(q->executor), leaves_artifacts(q->executor),
                                          q->bundle_max };
    }
    size_t n = sched_assign(shapes, n_shapes, workers, n_workers, out, BATCH_MAX, reasons);
    for (size_t i = 0; i < n; i++)
        TRY(lease_all(c, &out[i], back[out[i].worker], e));
    for (size_t s = 0; s < n_shapes; s++)
        memcpy(c->graph.shapes[s].reason, reasons[s], sizeof reasons[s]);
    return 0;
}

static int on_committed(struct db_job *j, const struct err *why, struct err *e);

int coord_kick(struct coord *c, struct err *e)
{
    if (c->committing || !c->db)
        return 0;
    if (!c->stopping)
        TRY(place_ready(c, e));
    if (commit_empty(c->gathering))
        return 0;
    struct commit *next = commit_create(c, e);
    if (!next)
        return -1;
    struct commit *batch = c->gathering;
    c->gathering = next;
    c->committing = true;
    batch->job.run = commit_run;
    batch->job.done = on_committed;
    dbthread_post(c->db, &batch->job);
    return 0;
}

/* The leases of a committed batch: which of them are to be sent. */
static int take_leases(struct coord *c, const struct commit *b, struct task **tasks, size_t *n, struct err *e)
{
    int64_t deadline = mono_now() + c->opt.lease_ns;
    for (size_t i = 0; i < b->n_leases; i++) {
        struct task *t = b->leases[i].task;
        TRY(graph_move(&c->graph, t, EV_LEASE_STORED, e));
        t->lease_deadline = deadline;
        if (t->cancel_wanted)
            TRY(coord_end_attempt(c, t, "cancelled", ACSWEEP__FAILURE_CLASS__FAILURE_NONE, false, "cancelled", e));
        else if (!t->worker || t->worker->state == WORKER_LEFT)
            TRY(coord_end_attempt(c, t, "lost", ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, false,
                                  "the worker left before the task was sent", e));
        else
            tasks[(*n)++] = t;
    }
    return 0;
}

/* First everything in memory, then the next batch to the database, and while that works the messages. */
static int follow_commit(struct coord *c, const struct commit *b, struct err *e)
{
    AUTO(free) struct task **tasks = malloc((b->n_leases + 1) * sizeof *tasks);
    size_t n = 0;
    if (!tasks)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < b->n_ends; i++)
        TRY(coord_ended(c, &b->ends[i], e));
    TRY(take_leases(c, b, tasks, &n, e));
    TRY(sweeps_advance(c, e));
    TRY(coord_kick(c, e));
    TRY(peers_assign(c, tasks, n, e));
    return peers_ack(c, b, e);
}

static int on_committed(struct db_job *j, const struct err *why, struct err *e)
{
    struct commit *b = (struct commit *)j;
    struct coord *c = b->coord;
    int rc;
    c->committing = false;
    if (why) { /* the database did not take the batch: leave the lead, and begin again from what it holds */
        if (e)
            *e = *why;
        rc = err_wrap(e, "a batch of %zu outcomes and %zu leases was not committed", b->n_ends, b->n_leases);
    } else {
        rc = follow_commit(c, b, e);
    }
    commit_destroy(b);
    return rc;
}

/* ---- ends ---- */

static int copy_artifacts(struct task *t, const Acsweep__Result *r, struct err *e)
{
    task_artifacts_free(t->artifacts, t->n_artifacts);
    t->artifacts = NULL;
    t->n_artifacts = 0;
    if (!task_kind_feeds(t->kind))
        return 0;
    t->artifacts = calloc(r->n_artifacts + 1, sizeof *t->artifacts);
    if (!t->artifacts)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < r->n_artifacts; i++) {
        const Acsweep__ArtifactRef *from = r->artifacts[i];
        struct task_artifact *a = &t->artifacts[t->n_artifacts++];
        *a = (struct task_artifact){ .name = strdup(from->name),
                                     .digest = strdup(from->digest),
                                     .bytes = from->bytes,
                                     .store = strdup(from->store),
                                     .path = strdup(from->path) };
        if (from->content.len) {
            a->content = malloc(from->content.len);
            if (a->content)
                memcpy(a->content, from->content.data, from->content.len);
        }
        if (!a->name || !a->digest || !a->store || !a->path || (from->content.len && !a->content))
            return FAIL_NOMEM(e);
    }
    return 0;
}

static int settle_successor(struct task *t, void *arg, struct err *e)
{
    return coord_settle(arg, t, e);
}

static int mark(struct coord *c, struct task *t, enum task_event on, const char *reason, struct err *e)
{
    enum task_state from = t->state;
    TRY(graph_move(&c->graph, t, on, e));
    TRY(commit_add_mark(c->gathering, t, from, t->state, reason, e));
    task_set_note(t, reason);
    sweeps_ended(t, task_state_terminal(from));
    return 0;
}

/* A list instead of recursion: chains may be longer than a stack is deep. */
int coord_fail_successors(struct coord *c, struct task *t, struct err *e)
{
    t->doomed_next = NULL;
    for (struct task *first = t; first;) {
        struct task *input = first;
        char reason[160];
        first = input->doomed_next;
        snprintf(reason, sizeof reason, "its input, task %llu, %s", (unsigned long long)input->id,
                 input->state == TASK_CANCELLED ? "was cancelled" : "failed for good");
        for (size_t i = 0; i < input->n_successors; i++) {
            struct task *s = input->successors[i];
            if (s->state != TASK_PENDING)
                continue;
            TRY(mark(c, s, EV_STORED_FAILED, reason, e));
            s->doomed_next = first;
            first = s;
        }
    }
    return 0;
}

int coord_mark(struct coord *c, struct task *t, enum task_event on, const char *reason, struct err *e)
{
    TRY(mark(c, t, on, reason, e));
    return task_state_terminal(t->state) ? coord_fail_successors(c, t, e) : 0;
}

static int whole_bundles(struct coord *c, struct task *t, struct err *e)
{
    uint32_t most = t->sweeps->sweep->plan->tasks[t->sweeps->plan_task].bundle_max;
    if (!t->bundle || t->bundle_max == most)
        return 0;
    t->bundle_max = most;
    const struct plan_resources same = c->graph.shapes[t->shape].resources;
    return graph_reshape(&c->graph, t, &same, e);
}

int coord_revive(struct coord *c, struct task *t, const char *reason, struct err *e)
{
    t->cancel_wanted = false;
    t->charged = t->lost = 0;
    memset(t->failures, 0, sizeof t->failures);
    t->not_before = 0;
    if (t->sweeps)
        TRY(whole_bundles(c, t, e));
    for (struct task_sweep *l = t->sweeps; l; l = l->next) { /* its representation comes back into the space */
        const struct plan_task *p = &l->sweep->plan->tasks[l->plan_task];
        if (p->deferred && p->representation != PLAN_NONE && l->sweep->reps[p->representation] == REP_FAILED)
            l->sweep->reps[p->representation] = REP_CHOSEN;
    }
    return coord_mark(c, t, EV_REVIVED, reason, e);
}

static void take_value(struct task *t, const Acsweep__Result *r)
{
    const char *metric = check_needed_metric(t->kind);
    for (size_t i = 0; metric && i < r->n_metrics; i++)
        if (strcmp(r->metrics[i]->name, metric) == 0)
            for (struct task_sweep *s = t->sweeps; s; s = s->next)
                s->sweep->value[s->plan_task] = r->metrics[i]->value;
}

int coord_ended(struct coord *c, struct commit_end *end, struct err *e)
{
    struct task *t = end->task;
    worker_release(t);
    free(t->worker_id);
    t->worker_id = NULL;
    t->lease_deadline = mono_now() + c->opt.lease_ns;
    t->charged += end->charged;
    if (end->charged && t->failures[end->failure] < UINT8_MAX)
        t->failures[end->failure]++;
    t->ended_by_result = end->result != NULL;
    for (struct task_sweep *l = end->result && end->result->cost ? t->sweeps : NULL; l; l = l->next)
        if (!plan_is_floor(l->sweep->plan, l->sweep->plan->tasks[l->plan_task].representation))
            l->sweep->gpu_seconds += check_cost(end->result->cost->gpu_seconds);
    TRY(graph_move(&c->graph, t, end->next, e));
    sweeps_ended(t, false);
    switch (t->state) {
    case TASK_DONE:
        take_value(t, end->result);
        TRY(copy_artifacts(t, end->result, e));
        return graph_unlock(t, settle_successor, c, e);
    case TASK_PENDING:
        task_set_note(t, end->message);
        if (t->cancel_wanted)
            return coord_mark(c, t, EV_CANCELLED, "cancelled", e);
        return coord_settle(c, t, e);
    default:
        task_set_note(t, end->message);
        if (t->state == TASK_CANCELLED && !t->cancel_wanted) { /* submitted again while its cancel was committed */
            TRY(coord_revive(c, t, "submitted again", e));
            return coord_settle(c, t, e);
        }
        return coord_fail_successors(c, t, e);
    }
}

int coord_smaller_bundles(struct coord *c, struct task *t, uint32_t together, struct err *e)
{
    uint32_t most = together && together < t->bundle_max ? together : t->bundle_max;
    if (t->bundle_max <= 1)
        return 0;
    t->bundle_max = (most + 1) / 2;
    const struct plan_resources same = c->graph.shapes[t->shape].resources;
    return graph_reshape(&c->graph, t, &same, e);
}

int coord_end_attempt(struct coord *c, struct task *t, const char *outcome, int failure, bool charged,
                      const char *message, struct err *e)
{
    struct commit_end end = {
        .task = t,
        .outcome = outcome,
        .failure = failure,
        .charged = charged,
        .message = (char *)message,
        .worker_id = t->worker ? t->worker->id : t->worker_id,
        .next = t->cancel_wanted ? EV_CANCELLED : EV_STORED_RETRY,
    };
    if (strcmp(outcome, "failed") == 0 && end.next == EV_STORED_RETRY)
        end.next = EV_STORED_FAILED; /* what the coordinator itself gives up is given up for good */
    if (strcmp(outcome, "lost") == 0 && t->bundled)
        TRY(coord_smaller_bundles(c, t, t->bundled_with, e));
    if (strcmp(outcome, "lost") == 0 && ++t->lost > LOST_MAX && end.next == EV_STORED_RETRY) {
        end.next = EV_STORED_FAILED;
        end.message = (char *)"given up: attempt after attempt was lost together with its worker";
    }
    TRY(graph_move(&c->graph, t, EV_OUTCOME_IN, e));
    return commit_add_end(c->gathering, &end, e);
}

/* ---- time ---- */

static int expire_held(struct coord *c, struct worker *w, int64_t now, struct err *e)
{
    struct task *next;
    for (struct task *t = w->held; t; t = next) {
        next = t->held_next;
        if (t->state == TASK_LEASED && t->lease_deadline <= now) {
            log_warn("lease.lost", KV_I64("task", t->id), KV_I64("attempt", t->attempt), KV_STR("worker", w->id));
            TRY(coord_end_attempt(c, t, "lost", ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, false,
                                  "the lease ran out: nothing heard of it from its worker", e));
        }
    }
    return 0;
}

/* Leases of workers that have not come back since this leader began. */
static int expire_orphans(struct coord *c, int64_t now, struct err *e)
{
    struct task *t;
    for (size_t i = 0; c->n_orphans && (t = map_next(&c->graph.by_id, &i));)
        if (t->state == TASK_LEASED && !t->worker && t->lease_deadline <= now) {
            c->n_orphans--;
            TRY(coord_end_attempt(c, t, "lost", ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, false,
                                  "its worker did not come back after the coordinator's restart", e));
        }
    return 0;
}

static int watch_workers(struct coord *c, int64_t now, struct err *e)
{
    struct worker *w;
    for (size_t i = 0; (w = map_next(&c->roster.by_id, &i));) {
        TRY(expire_held(c, w, now, e));
        if ((w->state == WORKER_JOINED || w->state == WORKER_DRAINING) && w->last_seen + c->opt.lease_ns < now) {
            TRY(coord_worker_state(c, w, WORKER_SILENT, "nothing heard for the length of a lease", e));
            log_warn("worker.silent", KV_STR("worker", w->id), KV_STR("node", w->node));
            TRY(coord_event(c, "worker.silent", NULL, 0, 0, w->id, w->node, e));
        }
    }
    return 0;
}

static int wake_delayed(struct coord *c, int64_t now, struct err *e)
{
    struct task *all = c->delayed;
    c->delayed = NULL;
    while (all) {
        struct task *t = all;
        all = t->delayed_next;
        t->delayed_next = NULL;
        if (t->not_before > now) {
            t->delayed_next = c->delayed;
            c->delayed = t;
        } else {
            t->is_delayed = false;
            TRY(coord_settle(c, t, e));
        }
    }
    return 0;
}

static int on_tick(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct coord *c = arg;
    int64_t now = mono_now();
    /* If we were stopped or starved ourselves, the silence is ours: hear the workers out before judging them. */
    if (now - c->last_tick > STALL_NS)
        c->judge_from = now + 2 * c->opt.heartbeat_ns;
    c->last_tick = now;
    if (now >= c->judge_from) {
        TRY(watch_workers(c, now, e));
        TRY(expire_orphans(c, now, e));
        tidy_tick(c, now);
    }
    TRY(wake_delayed(c, now, e));
    TRY(placement_tick(c, now, e));
    TRY(control_tick(c, now, e));
    TRY(access_tick(c, now, e));
    TRY(standby_tick(c, now, e));
    return coord_kick(c, e);
}
