/* The policy's rounds as rows: fits, predictions, choices, the tasks that follow from them, the end of a sweep. */
#include <math.h>
#include <string.h>

#include "coordinator/store.h"
#include "policy/choose.h"

static int write_fits(struct db *d, const struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    for (size_t b = 0; b < r->answer->m; b++) {
        const struct policy_fit *f = &r->answer->fits[b];
        const double v[] = { f->r2,      f->r2_adjusted, f->r2_loo,  f->spearman, f->intercept,
                             f->coef[0], f->coef[1],     f->coef[2], f->coef[3],  f->coef[4] };
        const struct sql_arg args[] = { SQL_I64(s->id), SQL_I64(r->round), SQL_I64(s->benchmark_ids[b]),
                                        SQL_I64((int64_t)f->n_train), SQL_F64S(v, ARRAY_LEN(v)) };
        TRY(db_exec(d, SQL_POLICY_FIT_INSERT, args, ARRAY_LEN(args), 1, NULL, e));
    }
    return 0;
}

static int write_predictions(struct db *d, const struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    size_t n = r->answer->n;
    AUTO(free) int64_t *id = calloc(2 * n + 1, sizeof *id);
    AUTO(free) double *mean = calloc(2 * n + 1, sizeof *mean);
    if (!id || !mean)
        return FAIL_NOMEM(e);
    for (size_t b = 0; b <= r->answer->m; b++) {
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
            const struct policy_prediction *p = policy_answer_prediction(r->answer, b, i);
            if (isnan(p->mean) || p->rank == 0)
                continue;
            id[k] = s->representation_ids[i];
            mean[k] = p->mean;
            mean[n + k] = p->sd;
            id[n + k] = p->rank;
            k++;
        }
        const struct sql_arg args[] = {
            SQL_I64(s->id),     SQL_I64(r->round), SQL_I64(b == r->answer->m ? 0 : s->benchmark_ids[b]),
            SQL_I64S(id, k),    SQL_F64S(mean, k), SQL_F64S(mean + n, k),
            SQL_I64S(id + n, k)
        };
        TRY(db_exec(d, SQL_POLICY_PREDICTION_INSERT, args, ARRAY_LEN(args), (int64_t)k, NULL, e));
    }
    return 0;
}

/* The task, and the features that it reads and nobody needed before. */
static void want(const struct plan *p, size_t task, bool *wanted)
{
    const struct plan_task *t = &p->tasks[task];
    wanted[task] = true;
    for (size_t k = 0; k < t->n_inputs; k++) {
        const struct plan_task *input = &p->tasks[t->inputs[k].task];
        if (input->representation == PLAN_NONE && (input->deferred || input->on_demand))
            wanted[t->inputs[k].task] = true;
    }
}

static int write_wanted(struct db *d, struct stored_sweep *s, const struct store_ids *ids, const bool *wanted, int round,
                        struct err *e)
{
    const struct plan *p = s->plan;
    AUTO(free) size_t *index = calloc(p->n_tasks + 1, sizeof *index);
    if (!index)
        return FAIL_NOMEM(e);
    size_t n = 0;
    for (size_t i = 0; i < p->n_tasks; i++)
        if (wanted[i])
            index[n++] = i;
    return store_write_tasks(d, s, ids, index, n, round, e);
}

static int write_choices(struct db *d, struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    const struct plan *p = s->plan;
    AUTO(store_ids_free) struct store_ids ids = { 0 };
    AUTO(free) bool *wanted = calloc(p->n_tasks + 1, sizeof *wanted);
    if (!wanted)
        return FAIL_NOMEM(e);
    TRY(store_load_ids(d, s, &ids, e));
    for (size_t c = 0; c < r->answer->n_choices; c++) {
        const struct policy_choice *choice = &r->answer->choices[c];
        const struct sql_arg args[] = { SQL_I64(s->id),         SQL_I64(r->round),
                                        SQL_I64((int64_t)c),    SQL_I64(s->representation_ids[choice->representation]),
                                        SQL_F64(choice->value), SQL_TEXT(choice->reason) };
        TRY(db_exec(d, SQL_POLICY_CHOICE_INSERT, args, ARRAY_LEN(args), 1, NULL, e));
        for (size_t i = 0; i < p->n_tasks; i++)
            if (p->tasks[i].deferred && p->tasks[i].representation == choice->representation)
                want(p, i, wanted);
    }
    for (size_t w = 0; w < r->answer->n_wants; w++)
        for (size_t i = 0; i < p->n_tasks; i++)
            if (p->tasks[i].on_demand && p->tasks[i].representation == r->answer->wants[w].representation)
                want(p, i, wanted);
    return write_wanted(d, s, &ids, wanted, r->round, e);
}

static int write_floors(struct db *d, struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    const struct plan *p = s->plan;
    AUTO(store_ids_free) struct store_ids ids = { 0 };
    AUTO(free) bool *wanted = calloc(p->n_tasks + 1, sizeof *wanted);
    if (!wanted)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < p->n_tasks; i++)
        if (p->tasks[i].deferred && plan_is_floor(p, p->tasks[i].representation))
            want(p, i, wanted);
    TRY(store_load_ids(d, s, &ids, e));
    return write_wanted(d, s, &ids, wanted, r->round, e);
}

static int round_in_transaction(struct db *d, struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(s->id),
                                    SQL_I64(r->round),
                                    SQL_TEXT(r->mode),
                                    SQL_TEXT(r->observations),
                                    SQL_TEXT(r->final ? "final" : "open"),
                                    SQL_TEXT(r->note) };
    TRY(db_exec(d, SQL_POLICY_ROUND_INSERT, args, ARRAY_LEN(args), 1, NULL, e));
    TRY(write_fits(d, s, r, e));
    TRY(write_predictions(d, s, r, e));
    if (!r->final)
        return write_choices(d, s, r, e);
    if (r->floors)
        return write_floors(d, s, r, e);
    const struct sql_arg end[] = { SQL_I64(s->id), SQL_TEXT("done"), SQL_TEXT(r->note) };
    return db_exec(d, SQL_SWEEP_END, end, ARRAY_LEN(end), 1, NULL, e);
}

int store_round(struct db *d, struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    TRY(db_begin(d, e));
    if (round_in_transaction(d, s, r, e) < 0 || db_commit(d, e) < 0) {
        db_rollback(d);
        return -1;
    }
    return r->final && !r->floors ? 0 : store_load_rest(d, s, e);
}

int store_round_measured(struct db *d, int64_t sweep_id, int round, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(sweep_id), SQL_I64(round) };
    return db_exec(d, SQL_POLICY_ROUND_MEASURED, args, ARRAY_LEN(args), ROWS_0_OR_1, NULL, e);
}

int store_is_stale(struct db *d, const struct stored_sweep *s, bool *stale, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg name[] = { SQL_TEXT(s->plan->name) };
    TRY(db_exec(d, SQL_SWEEP_FIND, name, 1, ROWS_0_OR_1, &rows, e));
    *stale = db_rows_count(rows) != 1 || strcmp(db_text(rows, 0, 1), s->config_digest) != 0 ||
             strcmp(db_text(rows, 0, 2), "running") != 0;
    return 0;
}

int store_sweep_end(struct db *d, int64_t sweep_id, enum sweep_state state, const char *note, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(sweep_id), SQL_TEXT(sweep_state_name(state)), SQL_TEXT(note) };
    return db_exec(d, SQL_SWEEP_END, args, ARRAY_LEN(args), 1, NULL, e);
}
