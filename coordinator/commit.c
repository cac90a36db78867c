#include "coordinator/commit.h"

#include <string.h>

#include "common/buf.h"
#include "common/map.h"
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
    free(b->cancels);
    free(b->envelopes);
    free(b);
}

bool commit_empty(const struct commit *b)
{
    return !b->n_ends && !b->n_leases && !b->n_marks && !b->n_events && !b->n_cancels;
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
    end->task->batch = b->serial;
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
    t->batch = b->serial;
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
    t->batch = b->serial;
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

int commit_add_cancel(struct commit *b, struct task *t, struct err *e)
{
    TRY(ROOM(b, cancels, e));
    t->batch = b->serial;
    b->cancels[b->n_cancels++] = t;
    return 0;
}

int commit_keep(struct commit *b, envelope **m, struct err *e)
{
    TRY(ROOM(b, envelopes, e));
    b->envelopes[b->n_envelopes++] = TAKE(*m);
    return 0;
}

/* ---- the transaction, on the database thread ---- */

/* A text column whose values repeat: each value travels once, and the rows point to it (from 1, as SQL counts). */
struct text_column {
    struct map known; /* value -> its number */
    const char **values;
    size_t n_values;
    int64_t *index; /* by row */
    size_t n;
};

static void text_column_free(struct text_column *c)
{
    map_free(&c->known);
    free(c->values);
    free(c->index);
}
static void text_column_free_cleanup(struct text_column *c)
{
    text_column_free(c);
}

static int text_column_init(struct text_column *c, size_t rows, struct err *e)
{
    c->values = malloc((rows + 1) * sizeof *c->values);
    c->index = malloc((rows + 1) * sizeof *c->index);
    return c->values && c->index ? 0 : FAIL_NOMEM(e);
}

/* The text must outlive the column. */
static int text_column_add(struct text_column *c, const char *text, struct err *e)
{
    /* Most rows say what the row before said, and often with the same pointer. */
    if (c->n && c->values[c->index[c->n - 1] - 1] == text) {
        c->index[c->n] = c->index[c->n - 1];
        c->n++;
        return 0;
    }
    size_t len = strlen(text);
    uintptr_t number = (uintptr_t)map_get(&c->known, text, len);
    if (!number) {
        c->values[c->n_values++] = text;
        number = c->n_values;
        TRY(map_put(&c->known, text, len, (void *)number, e));
    }
    c->index[c->n++] = (int64_t)number;
    return 0;
}

#define TEXT_COLUMN(c) SQL_I64S((c).index, (c).n), SQL_TEXTS((c).values, (c).n_values)

/* The columns of sql/queries/task_end.sql and attempt_insert.sql. */
struct end_columns {
    size_t n;
    int64_t *ints; /* one block for all number columns */
    double *reals;
    bool *charged;
    int64_t *task, *attempt, *epoch, *charged_total, *slot, *started, *finished, *rss, *gpu_bytes;
    double *wall, *gpu, *cpu, *energy;
    struct text_column next, worker, devices, outcome, failure, message;
    char **device_texts; /* malloc'ed ones */
};

static void end_columns_free_cleanup(struct end_columns *k)
{
    struct text_column *texts[] = { &k->next, &k->worker, &k->devices, &k->outcome, &k->failure, &k->message };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        text_column_free(texts[i]);
    for (size_t i = 0; k->device_texts && i < k->n; i++)
        free(k->device_texts[i]);
    free(k->device_texts);
    free(k->ints);
    free(k->reals);
    free(k->charged);
}

static int end_columns_init(struct end_columns *k, size_t n, struct err *e)
{
    int64_t **ints[] = { &k->task,    &k->attempt,  &k->epoch, &k->charged_total, &k->slot,
                         &k->started, &k->finished, &k->rss,   &k->gpu_bytes };
    double **reals[] = { &k->wall, &k->gpu, &k->cpu, &k->energy };
    struct text_column *texts[] = { &k->next, &k->worker, &k->devices, &k->outcome, &k->failure, &k->message };
    k->n = n;
    k->ints = malloc(n * ARRAY_LEN(ints) * sizeof *k->ints);
    k->reals = malloc(n * ARRAY_LEN(reals) * sizeof *k->reals);
    k->charged = malloc(n * sizeof *k->charged);
    k->device_texts = calloc(n, sizeof *k->device_texts);
    if (!k->ints || !k->reals || !k->charged || !k->device_texts)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < ARRAY_LEN(ints); i++)
        *ints[i] = k->ints + i * n;
    for (size_t i = 0; i < ARRAY_LEN(reals); i++)
        *reals[i] = k->reals + i * n;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        TRY(text_column_init(texts[i], n, e));
    return 0;
}

static char *join_devices(const Acsweep__Result *r)
{
    AUTO(buf_free) struct buf b = BUF_INIT(1u << 20);
    for (size_t i = 0; i < r->n_devices; i++)
        buf_printf(&b, "%s%s", i ? "," : "", r->devices[i]);
    return strdup(buf_text(&b));
}

static int fill_texts(struct end_columns *k, size_t i, const struct commit_end *end, struct err *e)
{
    enum task_state next = TASK_FAILED;
    task_state_next(TASK_ENDING, end->next, &next, NULL);
    if (end->result && end->result->n_devices && !(k->device_texts[i] = join_devices(end->result)))
        return FAIL_NOMEM(e);
    TRY(text_column_add(&k->next, task_state_stored(next), e));
    TRY(text_column_add(&k->worker, end->worker_id, e));
    TRY(text_column_add(&k->devices, k->device_texts[i] ? k->device_texts[i] : "", e));
    TRY(text_column_add(&k->outcome, end->outcome, e));
    TRY(text_column_add(&k->failure, failure_class_name(end->failure), e));
    return text_column_add(&k->message, end->message, e);
}

static void fill_numbers(struct end_columns *k, size_t i, const struct commit_end *end)
{
    static const Acsweep__Cost no_cost = ACSWEEP__COST__INIT;
    const struct task *t = end->task;
    const Acsweep__Result *r = end->result;
    const Acsweep__Cost *cost = r && r->cost ? r->cost : &no_cost;
    k->task[i] = (int64_t)t->id;
    k->attempt[i] = t->attempt;
    k->epoch[i] = (int64_t)t->epoch;
    k->charged_total[i] = t->charged + end->charged;
    k->slot[i] = t->slot;
    k->charged[i] = end->charged;
    k->started[i] = r ? check_time(r->started_unix_us) : 0;
    k->finished[i] = r ? check_time(r->finished_unix_us) : 0;
    k->wall[i] = check_cost(cost->wall_seconds);
    k->gpu[i] = check_cost(cost->gpu_seconds);
    k->cpu[i] = check_cost(cost->cpu_seconds);
    k->energy[i] = check_cost(cost->energy_joules);
    k->rss[i] = check_bytes(cost->max_rss_bytes);
    k->gpu_bytes[i] = check_bytes(cost->max_gpu_bytes);
}

static int send_ends(const struct end_columns *k, struct db *d, struct err *e)
{
    size_t n = k->n;
    const struct sql_arg moves[] = { SQL_I64((int64_t)n),          SQL_I64S(k->task, n), SQL_I64S(k->attempt, n),
                                     SQL_I64S(k->epoch, n),        TEXT_COLUMN(k->next), TEXT_COLUMN(k->message),
                                     SQL_I64S(k->charged_total, n) };
    const struct sql_arg history[] = {
        SQL_I64((int64_t)n),      SQL_I64S(k->task, n),     SQL_I64S(k->attempt, n),   SQL_I64S(k->epoch, n),
        TEXT_COLUMN(k->worker),   TEXT_COLUMN(k->devices),  TEXT_COLUMN(k->outcome),   TEXT_COLUMN(k->failure),
        TEXT_COLUMN(k->message),  SQL_BOOLS(k->charged, n), SQL_I64S(k->slot, n),      SQL_I64S(k->started, n),
        SQL_I64S(k->finished, n), SQL_F64S(k->wall, n),     SQL_F64S(k->gpu, n),       SQL_F64S(k->cpu, n),
        SQL_F64S(k->energy, n),   SQL_I64S(k->rss, n),      SQL_I64S(k->gpu_bytes, n),
    };
    TRY(db_pipe_add(d, SQL_TASK_END, moves, ARRAY_LEN(moves), (int64_t)n, e));
    return db_pipe_add(d, SQL_ATTEMPT_INSERT, history, ARRAY_LEN(history), (int64_t)n, e);
}

static int write_ends(const struct commit *b, struct db *d, struct err *e)
{
    AUTO(end_columns_free) struct end_columns k = { 0 };
    TRY(end_columns_init(&k, b->n_ends, e));
    for (size_t i = 0; i < b->n_ends; i++) {
        TRY(fill_texts(&k, i, &b->ends[i], e));
        fill_numbers(&k, i, &b->ends[i]);
    }
    return send_ends(&k, d, e);
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
    AUTO(text_column_free) struct text_column worker = { 0 };
    if (!task || !attempt)
        return FAIL_NOMEM(e);
    TRY(text_column_init(&worker, n, e));
    for (size_t i = 0; i < n; i++) {
        task[i] = (int64_t)b->leases[i].task->id;
        attempt[i] = b->leases[i].task->attempt;
        TRY(text_column_add(&worker, b->leases[i].worker_id, e));
    }
    const struct sql_arg args[] = { SQL_I64((int64_t)n), SQL_I64S(task, n), SQL_I64S(attempt, n), TEXT_COLUMN(worker),
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

static int write_cancels(const struct commit *b, struct db *d, struct err *e)
{
    AUTO(free) int64_t *task = malloc(b->n_cancels * sizeof *task);
    if (!task)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < b->n_cancels; i++)
        task[i] = (int64_t)b->cancels[i]->id;
    const struct sql_arg args[] = { SQL_I64S(task, b->n_cancels) };
    return db_pipe_add(d, SQL_TASK_CANCEL_WANT, args, ARRAY_LEN(args), ROWS_ANY, e); /* it may have ended above */
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
    if (b->n_cancels)
        TRY(write_cancels(b, d, e));
    if (b->n_events)
        TRY(write_events(b, d, e));
    struct db_rows **results;
    size_t n;
    TRY(db_pipe_commit(d, &results, &n, e));
    db_pipe_results_free(results, n);
    return 0;
}
