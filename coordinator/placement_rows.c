/* Why tasks wait, as rows: what the scheduler said last, for the views. */
#include <string.h>

#include "common/mono.h"
#include "coordinator/coord.h"

#define PLACEMENT_NS (2 * NS_PER_S)

struct placement_job {
    struct db_job job;
    size_t n;
    struct placement_row {
        char *executor;
        char resources[200], reason[200];
        int64_t tasks;
    } rows[];
};

static int placement_run(struct db_job *j, struct db *d, struct err *e)
{
    const struct placement_job *p = (const struct placement_job *)j;
    for (size_t i = 0; i < p->n; i++) {
        const struct placement_row *r = &p->rows[i];
        const struct sql_arg args[] = { SQL_TEXT(r->executor), SQL_TEXT(r->resources), SQL_TEXT(r->reason),
                                        SQL_I64(r->tasks) };
        TRY(db_exec(d, SQL_PLACEMENT_REPLACE, args, ARRAY_LEN(args), ROWS_ANY, NULL, e));
    }
    return 0;
}

static int placement_done(struct db_job *j, const struct err *why, struct err *e)
{
    struct placement_job *p = (struct placement_job *)j;
    for (size_t i = 0; i < p->n; i++)
        free(p->rows[i].executor);
    free(p);
    if (why && e)
        *e = *why;
    return why ? -1 : 0;
}

/* One row stands for all shapes that differ only in what may run as one: the first of them here answers for it. NULL
 * when shape i is not the first. */
static const char *reason_of_place(const struct graph *g, size_t i, int64_t *tasks)
{
    const char *reason = "";
    *tasks = 0;
    for (size_t k = 0; k < g->n_shapes; k++) {
        const struct shape *s = &g->shapes[k];
        if (!graph_same_place(&g->shapes[i], s))
            continue;
        if (k < i)
            return NULL;
        *tasks += (int64_t)s->n;
        if (!reason[0])
            reason = s->reason;
    }
    return reason;
}

/* Tell the database where the scheduler's reasons have changed; not more often than every PLACEMENT_NS, because under
 * load they change with every batch. */
int placement_tick(struct coord *c, int64_t now, struct err *e)
{
    if (now < c->next_placement)
        return 0;
    c->next_placement = now + PLACEMENT_NS;
    struct placement_job *p = calloc(1, sizeof *p + c->graph.n_shapes * sizeof p->rows[0]);
    if (!p)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < c->graph.n_shapes; i++) {
        struct shape *s = &c->graph.shapes[i];
        int64_t tasks;
        const char *reason = reason_of_place(&c->graph, i, &tasks);
        if (!reason || strcmp(reason, s->stored_reason) == 0)
            continue;
        struct placement_row *r = &p->rows[p->n];
        if (!(r->executor = strdup(s->executor))) {
            placement_done(&p->job, NULL, NULL);
            return FAIL_NOMEM(e);
        }
        p->n++;
        snprintf(s->stored_reason, sizeof s->stored_reason, "%s", reason);
        snprintf(r->reason, sizeof r->reason, "%s", reason);
        store_resources_json(&s->resources, r->resources, sizeof r->resources);
        r->tasks = tasks;
    }
    if (!p->n) {
        free(p);
        return 0;
    }
    p->job.run = placement_run;
    p->job.done = placement_done;
    dbthread_post(c->db, &p->job);
    return 0;
}
