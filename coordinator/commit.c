#include "coordinator/commit.h"

#include <string.h>

#include "common/buf.h"
#include "coordinator/checks.h"
#include "coordinator/coord.h"

static const char *const failure_names[] = { "none",     "infrastructure", "preempted", "gpu_oom",
                                             "host_oom", "data",           "code",      "timeout" };

const char *failure_class_name(int failure)
{
    return failure >= 0 && (size_t)failure < ARRAY_LEN(failure_names) ? failure_names[failure] : "code";
}

struct commit *commit_create(struct coord *c, struct err *e)
{
    struct commit *b = calloc(1, sizeof *b);
    if (!b)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    b->coord = c;
    b->epoch = c->epoch;
    b->serial = ++c->batches;
    return b;
}

void commit_destroy(struct commit *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n_ends; i++) {
        free(b->ends[i].message);
        free(b->ends[i].worker_id);
    }
    for (size_t i = 0; i < b->n_leases; i++)
        free(b->leases[i].worker_id);
    for (size_t i = 0; i < b->n_marks; i++)
        free(b->marks[i].reason);
    for (size_t i = 0; i < b->n_events; i++) {
        free(b->events[i].worker);
        free(b->events[i].text);
    }
    for (size_t i = 0; i < b->n_envelopes; i++)
        envelope_free(b->envelopes[i]);
    free(b->ends);
    free(b->leases);
    free(b->marks);
    free(b->events);
    free(b->envelopes);
    free(b);
}

bool commit_empty(const struct commit *b)
{
    return !b->n_ends && !b->n_leases && !b->n_marks && !b->n_events;
}

/* Room for one more element of an array that doubles. */
static int room(void *array, size_t n, size_t *cap, size_t size, struct err *e)
{
    void **p = array;
    if (n < *cap)
        return 0;
    size_t more = *cap ? 2 * *cap : 64;
    void *grown = realloc(*p, more * size);
    if (!grown)
        return FAIL_NOMEM(e);
    *p = grown;
    *cap = more;
    return 0;
}
#define ROOM(b, what, e) room(&(b)->what, (b)->n_##what, &(b)->cap_##what, sizeof *(b)->what, (e))

int commit_add_end(struct commit *b, const struct commit_end *end, struct err *e)
{
    TRY(ROOM(b, ends, e));
    struct commit_end *copy = &b->ends[b->n_ends];
    *copy = *end;
    copy->message = strdup(end->message ? end->message : "");
    copy->worker_id = strdup(end->worker_id ? end->worker_id : "");
    b->n_ends++;
    return copy->message && copy->worker_id ? 0 : FAIL_NOMEM(e);
}

int commit_add_lease(struct commit *b, struct task *t, const char *worker_id, struct err *e)
{
    TRY(ROOM(b, leases, e));
    b->leases[b->n_leases] = (struct commit_lease){ t, strdup(worker_id) };
    return b->leases[b->n_leases++].worker_id ? 0 : FAIL_NOMEM(e);
}

int commit_add_mark(struct commit *b, struct task *t, enum task_state from, enum task_state to, const char *reason,
                    struct err *e)
{
    char *copy = strdup(reason);
    if (!copy || ROOM(b, marks, e) < 0) {
        free(copy);
        return FAIL_NOMEM(e);
    }
    if (t->mark_batch == b->serial) { /* one statement moves a row once: the two moves become one */
        struct commit_mark *first = &b->marks[t->mark_index];
        free(first->reason);
        first->reason = copy;
        first->to = to;
        return 0;
    }
    t->mark_batch = b->serial;
    t->mark_index = b->n_marks;
    b->marks[b->n_marks++] = (struct commit_mark){ t, from, to, copy };
    return 0;
}

int commit_add_event(struct commit *b, const char *kind, uint64_t task_id, uint32_t attempt, uint64_t epoch,
                     const char *worker, const char *text, struct err *e)
{
    TRY(ROOM(b, events, e));
    struct commit_event *ev = &b->events[b->n_events++];
    *ev =
        (struct commit_event){ kind, task_id, epoch, attempt, strdup(worker ? worker : ""), strdup(text ? text : "") };
    return ev->worker && ev->text ? 0 : FAIL_NOMEM(e);
}

int commit_keep(struct commit *b, envelope **m, struct err *e)
{
    TRY(ROOM(b, envelopes, e));
    b->envelopes[b->n_envelopes++] = TAKE(*m);
    return 0;
}

/* ---- the transaction, on the database thread ---- */

/* Columns of sql/queries/task_end.sql, laid out for unnest(). */
struct end_columns {
    int64_t *task, *attempt, *epoch, *charged_total, *slot, *started, *finished, *rss, *gpu_bytes;
    const char **next, **worker, **devices, **outcome, **failure, **message;
    bool *charged;
    double *wall, *gpu, *cpu, *energy;
    char **device_texts;
};

static void *column(size_t n, size_t size, void *block, size_t *used)
{
    void *p = (char *)block + *used;
    *used += (n * size + 15) & ~(size_t)15;
    return p;
}

static char *join_devices(const Acsweep__Result *r)
{
    AUTO(buf_free) struct buf b = BUF_INIT(1u << 20);
    for (size_t i = 0; r && i < r->n_devices; i++)
        buf_printf(&b, "%s%s", i ? "," : "", r->devices[i]);
    return strdup(buf_text(&b));
}

static void fill_end(struct end_columns *k, size_t i, const struct commit_end *end)
{
    static const Acsweep__Cost no_cost = ACSWEEP__COST__INIT;
    const struct task *t = end->task;
    const Acsweep__Result *r = end->result;
    const Acsweep__Cost *cost = r && r->cost ? r->cost : &no_cost;
    enum task_state next = TASK_FAILED;
    task_state_next(TASK_ENDING, end->next, &next, NULL);
    k->task[i] = (int64_t)t->id;
    k->attempt[i] = t->attempt;
    k->epoch[i] = (int64_t)t->epoch;
    k->next[i] = task_state_stored(next);
    k->charged_total[i] = t->charged + end->charged;
    k->worker[i] = end->worker_id;
    k->slot[i] = t->slot;
    k->devices[i] = k->device_texts[i];
    k->outcome[i] = end->outcome;
    k->failure[i] = failure_class_name(end->failure);
    k->charged[i] = end->charged;
    k->message[i] = end->message;
    k->started[i] = r ? check_time(r->started_unix_us) : 0;
    k->finished[i] = r ? check_time(r->finished_unix_us) : 0;
    k->wall[i] = check_cost(cost->wall_seconds);
    k->gpu[i] = check_cost(cost->gpu_seconds);
    k->cpu[i] = check_cost(cost->cpu_seconds);
    k->energy[i] = check_cost(cost->energy_joules);
    k->rss[i] = check_bytes(cost->max_rss_bytes);
    k->gpu_bytes[i] = check_bytes(cost->max_gpu_bytes);
}

static int write_ends(const struct commit *b, struct db *d, struct err *e)
{
    size_t n = b->n_ends, used = 0;
    AUTO(free) void *block = malloc(n * 24 * 8 + 24 * 16);
    AUTO(free) char **device_texts = calloc(n, sizeof *device_texts);
    if (!block || !device_texts)
        return FAIL_NOMEM(e);
    struct end_columns k = { .device_texts = device_texts };
    int64_t **ints[] = { &k.task,    &k.attempt,  &k.epoch, &k.charged_total, &k.slot,
                         &k.started, &k.finished, &k.rss,   &k.gpu_bytes };
    const char ***texts[] = { &k.next, &k.worker, &k.devices, &k.outcome, &k.failure, &k.message };
    double **reals[] = { &k.wall, &k.gpu, &k.cpu, &k.energy };
    for (size_t i = 0; i < ARRAY_LEN(ints); i++)
        *ints[i] = column(n, sizeof(int64_t), block, &used);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = column(n, sizeof(char *), block, &used);
    for (size_t i = 0; i < ARRAY_LEN(reals); i++)
        *reals[i] = column(n, sizeof(double), block, &used);
    k.charged = column(n, sizeof(bool), block, &used);
    for (size_t i = 0; i < n; i++) {
        device_texts[i] = join_devices(b->ends[i].result);
        fill_end(&k, i, &b->ends[i]);
    }
    const struct sql_arg args[] = {
        SQL_I64S(k.task, n),          SQL_I64S(k.attempt, n),  SQL_I64S(k.epoch, n),    SQL_TEXTS(k.next, n),
        SQL_I64S(k.charged_total, n), SQL_TEXTS(k.worker, n),  SQL_I64S(k.slot, n),     SQL_TEXTS(k.devices, n),
        SQL_TEXTS(k.outcome, n),      SQL_TEXTS(k.failure, n), SQL_BOOLS(k.charged, n), SQL_TEXTS(k.message, n),
        SQL_I64S(k.started, n),       SQL_I64S(k.finished, n), SQL_F64S(k.wall, n),     SQL_F64S(k.gpu, n),
        SQL_F64S(k.cpu, n),           SQL_F64S(k.energy, n),   SQL_I64S(k.rss, n),      SQL_I64S(k.gpu_bytes, n),
    };
    int rc = db_pipe_add(d, SQL_TASK_END, args, ARRAY_LEN(args), (int64_t)n, e);
    for (size_t i = 0; i < n; i++)
        free(device_texts[i]);
    return rc;
}

static int write_metrics(const struct commit *b, struct db *d, struct err *e)
{
    size_t n = 0, i = 0;
    for (size_t k = 0; k < b->n_ends; k++)
        if (b->ends[k].next == EV_STORED_DONE && b->ends[k].result)
            n += b->ends[k].result->n_metrics;
    if (!n)
        return 0;
    AUTO(free) int64_t *task = malloc(n * sizeof *task);
    AUTO(free) const char **name = malloc(n * sizeof *name);
    AUTO(free) double *value = malloc(n * sizeof *value);
    if (!task || !name || !value)
        return FAIL_NOMEM(e);
    for (size_t k = 0; k < b->n_ends; k++)
        if (b->ends[k].next == EV_STORED_DONE && b->ends[k].result)
            for (size_t m = 0; m < b->ends[k].result->n_metrics; m++, i++) {
                task[i] = (int64_t)b->ends[k].task->id;
                name[i] = b->ends[k].result->metrics[m]->name;
                value[i] = b->ends[k].result->metrics[m]->value;
            }
    const struct sql_arg args[] = { SQL_I64S(task, n), SQL_TEXTS(name, n), SQL_F64S(value, n) };
    return db_pipe_add(d, SQL_METRIC_INSERT, args, ARRAY_LEN(args), (int64_t)n, e);
}

static int write_artifacts(const struct commit *b, struct db *d, struct err *e)
{
    for (size_t k = 0; k < b->n_ends; k++) {
        const struct commit_end *end = &b->ends[k];
        if (end->next != EV_STORED_DONE || !end->result)
            continue;
        for (size_t i = 0; i < end->result->n_artifacts; i++) {
            const Acsweep__ArtifactRef *a = end->result->artifacts[i];
            bool is_inline = strcmp(a->store, "inline") == 0;
            const struct sql_arg args[] = {
                SQL_I64((int64_t)end->task->id),
                SQL_I64(end->task->attempt),
                SQL_TEXT(a->name),
                SQL_TEXT(a->digest),
                SQL_I64((int64_t)a->bytes),
                is_inline ? SQL_BYTES(a->content.data, a->content.len) : SQL_NULL,
                SQL_TEXT(a->store),
                SQL_TEXT(end->worker_id),
                SQL_TEXT(a->path),
            };
            TRY(db_pipe_add(d, SQL_ARTIFACT_INSERT, args, ARRAY_LEN(args), 1, e));
        }
    }
    return 0;
}

static int write_leases(const struct commit *b, struct db *d, struct err *e)
{
    size_t n = b->n_leases;
    AUTO(free) int64_t *task = malloc(n * sizeof *task);
    AUTO(free) int64_t *attempt = malloc(n * sizeof *attempt);
    AUTO(free) const char **worker = malloc(n * sizeof *worker);
    if (!task || !attempt || !worker)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        task[i] = (int64_t)b->leases[i].task->id;
        attempt[i] = b->leases[i].task->attempt;
        worker[i] = b->leases[i].worker_id;
    }
    const struct sql_arg args[] = { SQL_I64S(task, n), SQL_I64S(attempt, n), SQL_TEXTS(worker, n),
                                    SQL_I64((int64_t)b->epoch) };
    return db_pipe_add(d, SQL_TASK_LEASE, args, ARRAY_LEN(args), (int64_t)n, e);
}

static int write_marks(const struct commit *b, struct db *d, struct err *e)
{
    size_t n = b->n_marks;
    AUTO(free) int64_t *task = malloc(n * sizeof *task);
    AUTO(free) const char **text = malloc(3 * n * sizeof *text);
    if (!task || !text)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        task[i] = (int64_t)b->marks[i].task->id;
        text[i] = task_state_stored(b->marks[i].from);
        text[n + i] = task_state_stored(b->marks[i].to);
        text[2 * n + i] = b->marks[i].reason;
    }
    const struct sql_arg args[] = { SQL_I64S(task, n), SQL_TEXTS(text, n), SQL_TEXTS(text + n, n),
                                    SQL_TEXTS(text + 2 * n, n) };
    return db_pipe_add(d, SQL_TASK_MARK, args, ARRAY_LEN(args), (int64_t)n, e);
}

static int write_events(const struct commit *b, struct db *d, struct err *e)
{
    size_t n = b->n_events;
    AUTO(free) int64_t *ints = malloc(3 * n * sizeof *ints);
    AUTO(free) const char **text = malloc(3 * n * sizeof *text);
    if (!ints || !text)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        const struct commit_event *ev = &b->events[i];
        ints[i] = (int64_t)ev->task_id;
        ints[n + i] = ev->attempt;
        ints[2 * n + i] = (int64_t)ev->epoch;
        text[i] = ev->kind;
        text[n + i] = ev->worker;
        text[2 * n + i] = ev->text;
    }
    const struct sql_arg args[] = { SQL_TEXTS(text, n),        SQL_I64S(ints, n),      SQL_I64S(ints + n, n),
                                    SQL_I64S(ints + 2 * n, n), SQL_TEXTS(text + n, n), SQL_TEXTS(text + 2 * n, n) };
    return db_pipe_add(d, SQL_EVENT_INSERT, args, ARRAY_LEN(args), (int64_t)n, e);
}

int commit_run(struct db_job *j, struct db *d, struct err *e)
{
    struct commit *b = (struct commit *)j; /* the job is the first member */
    const struct sql_arg epoch[] = { SQL_I64((int64_t)b->epoch) };
    TRY(db_pipe_begin(d, e));
    TRY(db_pipe_add(d, SQL_LEADER_CHECK, epoch, 1, 1, e));
    if (b->n_ends)
        TRY(write_ends(b, d, e));
    TRY(write_metrics(b, d, e));
    TRY(write_artifacts(b, d, e));
    if (b->n_marks)
        TRY(write_marks(b, d, e));
    if (b->n_leases)
        TRY(write_leases(b, d, e));
    if (b->n_events)
        TRY(write_events(b, d, e));
    struct db_rows **results;
    size_t n;
    TRY(db_pipe_commit(d, &results, &n, e));
    db_pipe_results_free(results, n);
    return 0;
}
