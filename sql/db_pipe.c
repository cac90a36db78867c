/* Pipelined transactions and COPY.
 *
 * A pipeline is BEGIN, the statements and one Sync, then, once every result has come back with its right row count, COMMIT:
 * two round trips whatever the number of statements. COMMIT cannot ride in the first one, because the counts, which are
 * the fence, are checked here and not by the server. */
#include <stdio.h>
#include <string.h>

#include "sql/db_internal.h"

#define COPY_FLUSH ((size_t)64 * 1024)
#define COPY_ROW_MAX ((size_t)1 << 29)

/* ---- pipeline -------------------------------------------------------------------------------------------------- */

static int push_step(struct db *d, struct pipe_step step, struct err *e)
{
    if (d->n_steps == d->cap_steps) {
        size_t cap = d->cap_steps ? 2 * d->cap_steps : 16;
        struct pipe_step *steps = realloc(d->steps, cap * sizeof *steps);
        if (!steps)
            return FAIL_NOMEM(e);
        d->steps = steps;
        d->cap_steps = cap;
    }
    d->steps[d->n_steps++] = step;
    return 0;
}

int db_pipe_begin(struct db *d, struct err *e)
{
    if (d->piping)
        return FAIL(e, ERR_BUG, "a pipeline inside a pipeline");
    if (PQtransactionStatus(d->pg) == PQTRANS_INTRANS || PQtransactionStatus(d->pg) == PQTRANS_INERROR)
        return FAIL(e, ERR_BUG, "a pipeline inside a transaction");
    d->n_steps = 0;
    if (!PQenterPipelineMode(d->pg))
        return db_fail(d, NULL, TEXT_OURS, "pipeline", e);
    d->piping = true;
    if (push_step(d, (struct pipe_step){ .what = STEP_BEGIN }, e) < 0 ||
        (!PQsendQueryParams(d->pg, "BEGIN", 0, NULL, NULL, NULL, NULL, 0) &&
         db_fail(d, NULL, TEXT_OURS, "pipeline", e) < 0)) {
        db_rollback(d);
        return -1;
    }
    return 0;
}

/* True when an earlier step of this pipeline prepares `id` already. */
static bool prepare_queued(const struct db *d, enum sql_id id)
{
    for (size_t i = 0; i < d->n_steps; i++)
        if (d->steps[i].what == STEP_PREPARE && d->steps[i].id == id)
            return true;
    return false;
}

static int send_prepare(struct db *d, enum sql_id id, struct err *e)
{
    if (d->prepared[id] || prepare_queued(d, id))
        return 0;
    TRY(push_step(d, (struct pipe_step){ .what = STEP_PREPARE, .id = id }, e));
    if (!PQsendPrepare(d->pg, sql_statements[id].name, sql_statements[id].text, 0, NULL))
        return db_fail(d, NULL, TEXT_OURS, sql_statements[id].name, e);
    return 0;
}

int db_pipe_add(struct db *d, enum sql_id id, const struct sql_arg *args, size_t n_args, int64_t expect, struct err *e)
{
    if (!d->piping)
        return FAIL(e, ERR_BUG, "%s: db_pipe_add without db_pipe_begin", sql_statements[id].name);
    TRY(send_prepare(d, id, e));
    struct db_params p;
    int rc = db_params_init(&p, args, n_args, e);
    if (rc == 0)
        rc = push_step(d, (struct pipe_step){ .what = STEP_STATEMENT, .id = id, .expect = expect }, e);
    if (rc == 0 && !PQsendQueryPrepared(d->pg, sql_statements[id].name, (int)n_args, p.values, p.lengths, p.formats, 0))
        rc = db_fail(d, NULL, TEXT_OURS, sql_statements[id].name, e);
    db_params_free(&p);
    return rc;
}

static int fail_step(struct db *d, const PGresult *res, const struct pipe_step *step, struct err *e)
{
    char what[128];
    snprintf(what, sizeof what, "sql/queries/%s.sql", sql_statements[step->id].name);
    return db_fail(d, res, TEXT_OURS, step->what == STEP_BEGIN ? "BEGIN" : what, e);
}

/* Read the result of one step. The first failure fills `e`; the aborted rest is only drained. */
static int take_step(struct db *d, const struct pipe_step *step, struct db_rows **rows, struct err *e)
{
    PGresult *res = PQgetResult(d->pg);
    if (!res)
        return db_fail(d, NULL, TEXT_OURS, "pipeline", e);
    int rc = 0;
    ExecStatusType status = PQresultStatus(res);
    if (status == PGRES_PIPELINE_ABORTED) {
        rc = FAIL(e, ERR_BUG, "pipeline aborted without a cause");
    } else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        rc = fail_step(d, res, step, e);
    } else if (step->what == STEP_PREPARE) {
        d->prepared[step->id] = true;
    } else if (step->what == STEP_STATEMENT) {
        rc = db_count_check(step->id, res, step->expect, e);
    }
    if (rc == 0 && rows) {
        *rows = db_rows_wrap(res, e);
        rc = *rows ? 0 : -1;
    } else {
        PQclear(res);
    }
    /* Each step's results end with a NULL, except on a lost connection. */
    for (PGresult *more; (more = PQgetResult(d->pg)); PQclear(more))
        if (PQresultStatus(more) == PGRES_PIPELINE_SYNC)
            break;
    return rc;
}

/* Leave pipeline mode whatever state it is in. */
static void leave_pipe(struct db *d)
{
    /* Each step gives a result and a NULL, the Sync one more; beyond that something is wrong, and no wait would end. */
    size_t nulls = 0, most = 2 * d->n_steps + 16;
    d->piping = false;
    d->n_steps = 0;
    while (!PQexitPipelineMode(d->pg) && PQstatus(d->pg) == CONNECTION_OK && nulls < most) {
        PGresult *res = PQgetResult(d->pg);
        nulls += !res;
        PQclear(res);
    }
}

static int take_results(struct db *d, struct db_rows **results, struct err *e)
{
    if (!PQpipelineSync(d->pg))
        return db_fail(d, NULL, TEXT_OURS, "pipeline", e);
    int rc = 0;
    size_t n = 0;
    for (size_t i = 0; i < d->n_steps && PQstatus(d->pg) == CONNECTION_OK; i++) {
        struct db_rows **slot = d->steps[i].what == STEP_STATEMENT ? &results[n++] : NULL;
        if (take_step(d, &d->steps[i], slot, e) < 0)
            rc = -1;
    }
    PQclear(PQgetResult(d->pg)); /* the Sync */
    if (PQstatus(d->pg) != CONNECTION_OK)
        return db_fail(d, NULL, TEXT_OURS, "pipeline", e);
    return rc;
}

int db_pipe_commit(struct db *d, struct db_rows ***results, size_t *n_results, struct err *e)
{
    if (results)
        *results = NULL;
    if (n_results)
        *n_results = 0;
    if (!d->piping)
        return FAIL(e, ERR_BUG, "db_pipe_commit without db_pipe_begin");
    size_t n = d->n_steps;
    struct db_rows **rows = calloc(n, sizeof(struct db_rows *));
    if (!rows) {
        db_rollback(d);
        return FAIL_NOMEM(e);
    }
    int rc = take_results(d, rows, e);
    size_t n_statements = 0;
    for (size_t i = 0; i < d->n_steps; i++)
        n_statements += d->steps[i].what == STEP_STATEMENT;
    leave_pipe(d);
    if (rc == 0)
        rc = db_commit(d, e);
    if (rc < 0)
        db_rollback(d);
    if (rc < 0 || !results) {
        db_pipe_results_free(rows, n_statements);
        return rc;
    }
    *results = rows;
    if (n_results)
        *n_results = n_statements;
    return 0;
}

void db_pipe_results_free(struct db_rows **results, size_t n_results)
{
    if (!results)
        return;
    for (size_t i = 0; i < n_results; i++)
        db_rows_free(results[i]);
    free(results);
}

void db_rollback(struct db *d)
{
    if (d->piping) {
        (void)PQpipelineSync(d->pg);
        leave_pipe(d);
    }
    PGTransactionStatusType status = PQtransactionStatus(d->pg);
    if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE)
        PQclear(PQexec(d->pg, "ROLLBACK")); /* also ends an open COPY */
    buf_free(&d->copy);
}

/* ---- COPY ------------------------------------------------------------------------------------------------------ */

int db_copy_begin(struct db *d, const char *table_and_columns, struct err *e)
{
    if (d->piping)
        return FAIL(e, ERR_BUG, "COPY inside a pipeline");
    AUTO(buf_free) struct buf text = BUF_INIT(4096);
    buf_printf(&text, "COPY %s FROM STDIN", table_and_columns);
    TRY(buf_check(&text, "COPY", e));
    PGresult *res = PQexec(d->pg, buf_text(&text));
    int rc = PQresultStatus(res) == PGRES_COPY_IN ? 0 : db_fail(d, res, TEXT_OURS, buf_text(&text), e);
    PQclear(res);
    buf_free(&d->copy);
    d->copy = BUF_INIT(COPY_ROW_MAX);
    return rc;
}

static int flush_copy(struct db *d, struct err *e)
{
    TRY(buf_check(&d->copy, "COPY row", e));
    if (d->copy.len > 0 && PQputCopyData(d->pg, d->copy.data, (int)d->copy.len) != 1)
        return db_fail(d, NULL, TEXT_OURS, "COPY", e);
    buf_clear(&d->copy);
    return 0;
}

int db_copy_row(struct db *d, const struct sql_arg *args, size_t n_args, struct err *e)
{
    AUTO(buf_free) struct buf scratch = BUF_INIT(COPY_ROW_MAX);
    for (size_t i = 0; i < n_args; i++) {
        if (i)
            buf_add(&d->copy, "\t", 1);
        db_copy_put(&d->copy, &scratch, &args[i]);
    }
    buf_add(&d->copy, "\n", 1);
    return d->copy.len >= COPY_FLUSH || d->copy.failed ? flush_copy(d, e) : 0;
}

int db_copy_end(struct db *d, int64_t *rows, struct err *e)
{
    const char *give_up = NULL;
    int rc = flush_copy(d, e);
    if (rc < 0)
        give_up = "the client gave up";
    if (PQputCopyEnd(d->pg, give_up) != 1)
        rc = db_fail(d, NULL, TEXT_OURS, "COPY", e);
    for (PGresult *res; (res = PQgetResult(d->pg)); PQclear(res)) {
        if (PQresultStatus(res) != PGRES_COMMAND_OK)
            rc = db_fail(d, res, TEXT_OURS, "COPY", e);
        else if (rows)
            *rows = db_result_count(res);
        if (PQresultStatus(res) == PGRES_COPY_IN)
            break; /* the connection went while ending */
    }
    buf_free(&d->copy);
    return rc;
}
