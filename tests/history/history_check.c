/* history_check: did the history keep its promises?
 *
 *     history_check --database CONNINFO --tasks N [--metric NAME] WORKER-STATE-DIR...
 *
 * Reads only what outlives the programs: the database, and the workers' own history.jsonl. Two witnesses that do not
 * know of each other, so that a coordinator which believes a wrong thing is caught by the log of the worker that did it.
 * Every violation is one line with the task's number. Exit 0 = none, 1 = some, 4 = cannot tell. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"

#define PRINT_MAX 40 /* violations printed; all are counted */
#define ID_SIZE 80   /* of a worker */

struct token {
    int64_t task, attempt, epoch;
};

struct task { /* a row of acsweep.task */
    int64_t id, attempt, charged, metrics;
    bool done, terminal, reason, noop;
};
struct attempt { /* a row of acsweep.attempt */
    struct token token;
    char worker[ID_SIZE], outcome[16];
    bool charged;
    int64_t recorded_us;
    char message[80];
};
struct input {
    int64_t task, input;
};
struct note { /* a line of a worker's log */
    struct token token;
    char worker[ID_SIZE], event[16], what[16];
    int64_t t;
};

#define LIST(type) struct { type *at; size_t n, room; }
struct history {
    LIST(struct task) tasks;       /* by id */
    LIST(struct attempt) attempts; /* by token */
    LIST(struct input) inputs;
    LIST(struct note) notes;       /* by token, then time */
    const char *metric;
    size_t violations;
};

#define GROW(list, e) grow((void **)&(list)->at, (list)->n, &(list)->room, sizeof *(list)->at, (e))
static int grow(void **at, size_t n, size_t *room, size_t size, struct err *e)
{
    if (n < *room)
        return 0;
    size_t more = *room ? 2 * *room : 1024;
    void *grown = realloc(*at, more * size);
    if (!grown)
        return FAIL_NOMEM(e);
    *at = grown;
    *room = more;
    return 0;
}

static void history_free(struct history *h)
{
    free(h->tasks.at);
    free(h->attempts.at);
    free(h->inputs.at);
    free(h->notes.at);
}

__attribute__((format(printf, 3, 4))) static void violation(struct history *h, int64_t task, const char *format, ...)
{
    if (h->violations++ >= PRINT_MAX)
        return;
    va_list args;
    va_start(args, format);
    printf("task %" PRId64 ": ", task);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

/* ---- order ---- */

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_token(const struct token *a, const struct token *b)
{
    int c = compare(a->task, b->task);
    c = c ? c : compare(a->attempt, b->attempt);
    return c ? c : compare(a->epoch, b->epoch);
}

static int by_id(const void *a, const void *b)
{
    return compare(((const struct task *)a)->id, ((const struct task *)b)->id);
}

static int by_attempt(const void *a, const void *b)
{
    return by_token(&((const struct attempt *)a)->token, &((const struct attempt *)b)->token);
}

static int by_note(const void *a, const void *b)
{
    const struct note *x = a, *y = b;
    int c = by_token(&x->token, &y->token);
    return c ? c : compare(x->t, y->t);
}

static const struct task *task_find(const struct history *h, int64_t id)
{
    const struct task key = { .id = id };
    return h->tasks.n ? bsearch(&key, h->tasks.at, h->tasks.n, sizeof key, by_id) : NULL;
}

static const struct attempt *attempt_find(const struct history *h, const struct token *t)
{
    const struct attempt key = { .token = *t };
    return h->attempts.n ? bsearch(&key, h->attempts.at, h->attempts.n, sizeof key, by_attempt) : NULL;
}

/* First log line of this token with that event, in any worker's log (worker NULL) or in one. */
static const struct note *note_find(const struct history *h, const struct token *t, const char *worker,
                                    const char *event)
{
    size_t low = 0, high = h->notes.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (by_token(&h->notes.at[mid].token, t) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (const struct note *n = h->notes.at + low; n < h->notes.at + h->notes.n && by_token(&n->token, t) == 0; n++)
        if (strcmp(n->event, event) == 0 && (!worker || strcmp(n->worker, worker) == 0))
            return n;
    return NULL;
}

/* ---- reading ---- */

static PGresult *ask(PGconn *db, const char *sql, struct err *e)
{
    PGresult *r = PQexec(db, sql);
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        FAIL(e, ERR_DB, "%s", PQerrorMessage(db));
        PQclear(r);
        return NULL;
    }
    return r;
}

static int64_t number(const PGresult *r, int row, int column)
{
    return strtoll(PQgetvalue(r, row, column), NULL, 10); /* PostgreSQL prints its own bigints */
}

static bool truth(const PGresult *r, int row, int column)
{
    return PQgetvalue(r, row, column)[0] == 't';
}

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

static int read_tasks(struct history *h, PGconn *db, struct err *e)
{
    PGresult *r = ask(db,
                      "SELECT t.task_id, t.attempt, t.charged, t.state = 'done', t.state IN ('done', 'failed', 'cancelled'),"
                      "       t.reason <> '', t.executor = 'noop',"
                      "       (SELECT count(*) FROM acsweep.metric m WHERE m.task_id = t.task_id)"
                      "  FROM acsweep.task t WHERE EXISTS (SELECT 1 FROM acsweep.sweep_task s WHERE s.task_id = t.task_id)"
                      " ORDER BY 1",
                      e);
    int rc = r ? 0 : -1;
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        rc = GROW(&h->tasks, e);
        if (rc == 0)
            h->tasks.at[h->tasks.n++] =
                (struct task){ .id = number(r, i, 0), .attempt = number(r, i, 1), .charged = number(r, i, 2),
                               .done = truth(r, i, 3), .terminal = truth(r, i, 4), .reason = truth(r, i, 5),
                               .noop = truth(r, i, 6), .metrics = number(r, i, 7) };
    }
    PQclear(r);
    return rc;
}

static int read_attempts(struct history *h, PGconn *db, struct err *e)
{
    PGresult *r = ask(db,
                      "SELECT task_id, attempt, epoch, worker_id, outcome, charged,"
                      "       (extract(epoch FROM recorded_at) * 1000000)::bigint, left(message, 79)"
                      "  FROM acsweep.attempt ORDER BY 1, 2, 3",
                      e);
    int rc = r ? 0 : -1;
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        if ((rc = GROW(&h->attempts, e)) < 0)
            break;
        struct attempt *a = &h->attempts.at[h->attempts.n++];
        *a = (struct attempt){ .token = { number(r, i, 0), number(r, i, 1), number(r, i, 2) },
                               .charged = truth(r, i, 5), .recorded_us = number(r, i, 6) };
        copy_text(a->worker, sizeof a->worker, PQgetvalue(r, i, 3));
        copy_text(a->outcome, sizeof a->outcome, PQgetvalue(r, i, 4));
        copy_text(a->message, sizeof a->message, PQgetvalue(r, i, 7));
    }
    PQclear(r);
    return rc;
}

static int read_inputs(struct history *h, PGconn *db, struct err *e)
{
    PGresult *r = ask(db, "SELECT task_id, input_task_id FROM acsweep.task_input ORDER BY 1, 2", e);
    int rc = r ? 0 : -1;
    for (int i = 0; rc == 0 && i < PQntuples(r); i++)
        if ((rc = GROW(&h->inputs, e)) == 0)
            h->inputs.at[h->inputs.n++] = (struct input){ number(r, i, 0), number(r, i, 1) };
    PQclear(r);
    return rc;
}

static int read_database(struct history *h, const char *conninfo, struct err *e)
{
    PGconn *db = PQconnectdb(conninfo);
    int rc = PQstatus(db) == CONNECTION_OK ? 0 : FAIL(e, ERR_DB, "%s", PQerrorMessage(db));
    if (rc == 0)
        rc = read_tasks(h, db, e);
    if (rc == 0)
        rc = read_attempts(h, db, e);
    if (rc == 0)
        rc = read_inputs(h, db, e);
    PQfinish(db);
    return rc;
}

static int read_line(struct history *h, const char *line, struct err *e)
{
    AUTO(json_decref) json_t *j = json_loads(line, 0, NULL);
    const char *worker = "", *event = "", *what = "";
    json_int_t t = 0, task = 0, attempt = 0, epoch = 0;
    if (!j || json_unpack(j, "{s:I, s:s, s:s, s?I, s?I, s?I, s?s}", "t", &t, "worker", &worker, "event", &event, "task",
                          &task, "attempt", &attempt, "epoch", &epoch, "what", &what) < 0)
        return FAIL(e, ERR_INPUT, "not a line of a history: %.120s", line);
    TRY(GROW(&h->notes, e));
    struct note *n = &h->notes.at[h->notes.n++];
    *n = (struct note){ .token = { task, attempt, epoch }, .t = t };
    copy_text(n->worker, sizeof n->worker, worker);
    copy_text(n->event, sizeof n->event, event);
    copy_text(n->what, sizeof n->what, what);
    return 0;
}

static int read_log(struct history *h, const char *dir, struct err *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/history.jsonl", dir);
    AUTO(fclose) FILE *f = fopen(path, "re");
    if (!f)
        return FAIL(e, ERR_INPUT, "%s: %s", path, strerror(errno));
    AUTO(free) char *line = NULL;
    size_t room = 0;
    for (size_t i = 1; getline(&line, &room, f) > 0; i++)
        if (read_line(h, line, e) < 0)
            return err_wrap(e, "%s:%zu", path, i);
    return 0;
}

/* ---- the promises ---- */

/* Every task ends once, or says why it did not succeed. */
static void check_task(struct history *h, const struct task *t, const struct attempt *a, size_t n)
{
    size_t succeeded = 0;
    int64_t charged = 0;
    for (size_t i = 0; i < n; i++) {
        succeeded += strcmp(a[i].outcome, "succeeded") == 0;
        charged += a[i].charged;
        if (a[i].token.attempt != (int64_t)i + 1)
            violation(h, t->id, "attempt %" PRId64 " where attempt %zu is due", a[i].token.attempt, i + 1);
        if (i && a[i].token.epoch < a[i - 1].token.epoch)
            violation(h, t->id, "attempt %" PRId64 " has epoch %" PRId64 ", the one before had %" PRId64,
                      a[i].token.attempt, a[i].token.epoch, a[i - 1].token.epoch);
        if (i && a[i].recorded_us < a[i - 1].recorded_us)
            violation(h, t->id, "attempt %" PRId64 " was committed before attempt %" PRId64, a[i].token.attempt,
                      a[i - 1].token.attempt);
    }
    if (!t->terminal)
        violation(h, t->id, "it never ended");
    else if (!t->done && !t->reason)
        violation(h, t->id, "it ended without success and without a reason");
    if (t->terminal && t->attempt != (int64_t)n)
        violation(h, t->id, "%" PRId64 " leases and %zu ended attempts", t->attempt, n);
    if (t->done && (succeeded != 1 || strcmp(a[n - 1].outcome, "succeeded") != 0))
        violation(h, t->id, "done with %zu successes; the last of %zu attempts %s", succeeded, n,
                  n ? a[n - 1].outcome : "is missing");
    if (!t->done && succeeded)
        violation(h, t->id, "not done, though an attempt succeeded");
    if (charged != t->charged)
        violation(h, t->id, "%" PRId64 " attempts charged, %" PRId64 " in its history", t->charged, charged);
    int64_t want = t->done && h->metric && !t->noop;
    if (h->metric && t->metrics != want)
        violation(h, t->id, "%" PRId64 " metrics instead of %" PRId64, t->metrics, want);
}

static bool ended_by_result(const struct attempt *a)
{
    return strcmp(a->outcome, "lost") != 0 && strcmp(a->message, "returned by its worker") != 0;
}

/* What the database accepted was really done, under that very token, by that very worker. */
static void check_attempt(struct history *h, const struct attempt *a)
{
    if (!task_find(h, a->token.task))
        violation(h, a->token.task, "attempts of a task that does not exist");
    if (!ended_by_result(a))
        return;
    const struct note *assign = note_find(h, &a->token, a->worker, "assign");
    const struct note *finished = note_find(h, &a->token, a->worker, "finished");
    if (!finished)
        finished = note_find(h, &a->token, NULL, "found"); /* in its spool, when it had been killed */
    if (!assign)
        violation(h, a->token.task, "attempt %" PRId64 " is recorded for %s, which was never assigned it",
                  a->token.attempt, a->worker);
    if (!finished)
        violation(h, a->token.task, "attempt %" PRId64 " %s in the database, but %s never finished it", a->token.attempt,
                  a->outcome, a->worker);
    else if (strcmp(finished->what, a->outcome) != 0)
        violation(h, a->token.task, "attempt %" PRId64 " %s in the database, but %s for its worker", a->token.attempt,
                  a->outcome, finished->what);
}

/* What a worker was told about its result is what the database says. */
static void check_note(struct history *h, const struct note *n)
{
    if (strcmp(n->event, "acked") == 0) {
        const struct attempt *a = attempt_find(h, &n->token);
        bool accepted = a && ended_by_result(a); /* by this agent, or by the one that had its spool before it */
        if (strcmp(n->what, "committed") == 0 && !accepted)
            violation(h, n->token.task, "attempt %" PRId64 " was acknowledged as committed to %s, and is not",
                      n->token.attempt, n->worker);
        if (strcmp(n->what, "fenced") == 0 && accepted)
            violation(h, n->token.task, "attempt %" PRId64 " was acknowledged as fenced to %s, and was committed",
                      n->token.attempt, n->worker);
    }
    if (strcmp(n->event, "assign") == 0) {
        const struct note *first = note_find(h, &n->token, NULL, "assign");
        if (strcmp(first->worker, n->worker) != 0)
            violation(h, n->token.task, "attempt %" PRId64 " was assigned to %s and to %s", n->token.attempt,
                      first->worker, n->worker);
    }
}

static const struct attempt *success_of(const struct history *h, const struct task *t)
{
    size_t low = 0, high = h->attempts.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (h->attempts.at[mid].token.task < t->id)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < h->attempts.n && h->attempts.at[low].token.task == t->id; low++)
        if (strcmp(h->attempts.at[low].outcome, "succeeded") == 0)
            return &h->attempts.at[low];
    return NULL;
}

/* No worker was given a task before what it needs was finished (by the clock that all these workers share). */
static void check_input(struct history *h, const struct input *in)
{
    const struct task *t = task_find(h, in->task), *from = task_find(h, in->input);
    if (!t || !from) {
        violation(h, in->task, "it, or its input %" PRId64 ", is not in the sweep", in->input);
        return;
    }
    if (t->attempt && !from->done)
        violation(h, t->id, "it was started, and its input %" PRId64 " is not done", from->id);
    const struct attempt *success = success_of(h, from);
    const struct note *ready = success ? note_find(h, &success->token, success->worker, "finished") : NULL;
    size_t low = 0, high = h->notes.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (h->notes.at[mid].token.task < t->id)
            low = mid + 1;
        else
            high = mid;
    }
    for (; ready && low < h->notes.n && h->notes.at[low].token.task == t->id; low++)
        if (h->notes.at[low].t < ready->t) {
            violation(h, t->id, "a worker had it before its input %" PRId64 " was finished", from->id);
            return;
        }
}

static void check(struct history *h, int64_t tasks)
{
    qsort(h->notes.at, h->notes.n, sizeof *h->notes.at, by_note);
    if ((int64_t)h->tasks.n != tasks)
        violation(h, 0, "%zu tasks in the database instead of %" PRId64, h->tasks.n, tasks);
    size_t a = 0;
    for (size_t i = 0; i < h->tasks.n; i++) {
        size_t n = 0;
        while (a < h->attempts.n && h->attempts.at[a].token.task < h->tasks.at[i].id)
            a++;
        while (a + n < h->attempts.n && h->attempts.at[a + n].token.task == h->tasks.at[i].id)
            n++;
        check_task(h, &h->tasks.at[i], h->attempts.at + a, n);
        a += n;
    }
    for (size_t i = 0; i < h->attempts.n; i++)
        check_attempt(h, &h->attempts.at[i]);
    for (size_t i = 0; i < h->notes.n; i++)
        check_note(h, &h->notes.at[i]);
    for (size_t i = 0; i < h->inputs.n; i++)
        check_input(h, &h->inputs.at[i]);
}

static void summary(const struct history *h)
{
    static const char *const outcomes[] = { "succeeded", "failed", "checkpointed", "cancelled", "lost" };
    static const char *const events[] = { "assign", "duplicate", "killed" };
    size_t done = 0, fenced = 0;
    for (size_t i = 0; i < h->tasks.n; i++)
        done += h->tasks.at[i].done;
    for (size_t i = 0; i < h->notes.n; i++)
        fenced += strcmp(h->notes.at[i].event, "acked") == 0 && strcmp(h->notes.at[i].what, "fenced") == 0;
    printf("%zu tasks (%zu done), %zu attempts:", h->tasks.n, done, h->attempts.n);
    for (size_t k = 0; k < ARRAY_LEN(outcomes); k++) {
        size_t n = 0;
        for (size_t i = 0; i < h->attempts.n; i++)
            n += strcmp(h->attempts.at[i].outcome, outcomes[k]) == 0;
        printf(" %zu %s", n, outcomes[k]);
    }
    printf("; the workers' %zu log lines:", h->notes.n);
    for (size_t k = 0; k < ARRAY_LEN(events); k++) {
        size_t n = 0;
        for (size_t i = 0; i < h->notes.n; i++)
            n += strcmp(h->notes.at[i].event, events[k]) == 0;
        printf(" %zu %s,", n, events[k]);
    }
    printf(" %zu fenced\n", fenced);
}

static int run(struct history *h, const char *conninfo, int64_t tasks, char **dirs, struct err *e)
{
    TRY(read_database(h, conninfo, e));
    for (; *dirs; dirs++)
        TRY(read_log(h, *dirs, e));
    check(h, tasks);
    summary(h);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "database", required_argument, NULL, 'd' }, { "tasks", required_argument, NULL, 't' },
        { "metric", required_argument, NULL, 'm' },   { 0 },
    };
    struct history h = { 0 };
    const char *conninfo = NULL, *tasks = NULL;
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'd')
            conninfo = optarg;
        else if (c == 't')
            tasks = optarg;
        else if (c == 'm')
            h.metric = optarg;
        else
            return 2;
    }
    if (!conninfo || !tasks || optind == argc) {
        fprintf(stderr, "usage: history_check --database CONNINFO --tasks N [--metric NAME] WORKER-STATE-DIR...\n");
        return 2;
    }
    struct err e = { 0 };
    int rc = run(&h, conninfo, strtoll(tasks, NULL, 10), argv + optind, &e);
    if (rc < 0)
        fprintf(stderr, "history_check: %s\n", e.text);
    else
        printf("%zu violations\n", h.violations);
    size_t violations = h.violations;
    history_free(&h);
    return rc < 0 ? 4 : violations ? 1 : 0;
}
