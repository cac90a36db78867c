/* What the database knows of workers: a row when one joins, its devices, its state. */
#include <jansson.h>
#include <string.h>

#include "coordinator/peers.h"

struct worker_rows {
    struct db_job job;
    char *id, *node, *boot_id, *version, *labels, *public_key;
    char **executors;
    size_t n_executors;
    struct worker_device {
        char *uuid, *name, *state;
        int64_t memory, capability;
    } * devices;
    size_t n_devices;
    int64_t cpus, memory, slots;
    bool shared_store;
};

static void worker_rows_free(struct worker_rows *r)
{
    for (size_t i = 0; i < r->n_executors; i++)
        free(r->executors[i]);
    for (size_t i = 0; i < r->n_devices; i++) {
        free(r->devices[i].uuid);
        free(r->devices[i].name);
        free(r->devices[i].state);
    }
    free(r->executors);
    free(r->devices);
    free(r->id);
    free(r->node);
    free(r->boot_id);
    free(r->version);
    free(r->labels);
    free(r->public_key);
    free(r);
}

static int worker_rows_run(struct db_job *j, struct db *d, struct err *e)
{
    struct worker_rows *r = (struct worker_rows *)j;
    const struct sql_arg args[] = {
        SQL_TEXT(r->id),
        SQL_TEXT(r->node),
        SQL_TEXT(r->boot_id),
        SQL_TEXT(r->version),
        SQL_I64(r->cpus),
        SQL_I64(r->memory),
        SQL_I64(r->slots),
        SQL_TEXT(r->labels),
        SQL_TEXTS((const char *const *)r->executors, r->n_executors),
        SQL_BOOL(r->shared_store),
        SQL_TEXT(r->public_key),
    };
    TRY(db_exec(d, SQL_WORKER_UPSERT, args, ARRAY_LEN(args), 1, NULL, e));
    for (size_t i = 0; i < r->n_devices; i++) {
        const struct worker_device *v = &r->devices[i];
        const struct sql_arg dev[] = { SQL_TEXT(r->id),        SQL_TEXT(v->uuid),
                                       SQL_TEXT(v->name),      SQL_I64(v->memory),
                                       SQL_I64(v->capability), SQL_TEXT(v->state[0] ? v->state : "ok") };
        TRY(db_exec(d, SQL_DEVICE_UPSERT, dev, ARRAY_LEN(dev), 1, NULL, e));
    }
    return 0;
}

static int worker_rows_done(struct db_job *j, const struct err *why, struct err *e)
{
    worker_rows_free((struct worker_rows *)j);
    if (why && why->kind != ERR_INTERRUPTED) {
        if (e)
            *e = *why;
        return -1;
    }
    return 0;
}

int peers_store_worker(struct coord *c, const struct worker *w, const Acsweep__Hello *h, struct err *e)
{
    struct worker_rows *r = calloc(1, sizeof *r);
    if (!r)
        return FAIL_NOMEM(e);
    r->job.run = worker_rows_run;
    r->job.done = worker_rows_done;
    r->id = strdup(w->id);
    r->node = strdup(w->node);
    r->boot_id = strdup(w->boot_id);
    r->version = strdup(w->version);
    /* Written anew: jsonb refuses numbers that JSON allows, such as 1e-100000. */
    AUTO(json_decref) json_t *labels = json_loads(w->labels, 0, NULL);
    char *text = json_is_object(labels) ? json_dumps(labels, JSON_COMPACT) : NULL;
    r->labels = text ? text : strdup("{}");
    r->public_key = strdup(w->user);
    r->cpus = w->cpus;
    r->memory = (int64_t)w->memory_bytes;
    r->slots = w->slots;
    r->shared_store = w->shared_store;
    r->executors = calloc(w->n_executors + 1, sizeof *r->executors);
    r->devices = calloc(h->n_devices + 1, sizeof *r->devices);
    for (size_t i = 0; r->executors && i < w->n_executors; i++)
        r->executors[r->n_executors++] = strdup(w->executors[i]);
    for (size_t i = 0; r->devices && i < h->n_devices; i++)
        r->devices[r->n_devices++] =
            (struct worker_device){ strdup(h->devices[i]->uuid), strdup(h->devices[i]->name),
                                    strdup(h->devices[i]->state), (int64_t)h->devices[i]->memory_bytes,
                                    h->devices[i]->compute_capability };
    dbthread_post(c->db, &r->job);
    return 0;
}

/* ---- its state ---- */

struct state_job {
    struct db_job job;
    char *worker, *reason;
    const char *state;
};

static int state_run(struct db_job *j, struct db *d, struct err *e)
{
    const struct state_job *s = (const struct state_job *)j;
    const struct sql_arg args[] = { SQL_TEXT(s->worker), SQL_TEXT(s->state), SQL_TEXT(s->reason) };
    return db_exec(d, SQL_WORKER_STATE, args, ARRAY_LEN(args), ROWS_0_OR_1, NULL, e);
}

static int state_done(struct db_job *j, const struct err *why, struct err *e)
{
    struct state_job *s = (struct state_job *)j;
    free(s->worker);
    free(s->reason);
    free(s);
    if (why && e)
        *e = *why;
    return why ? -1 : 0;
}

int coord_worker_state(struct coord *c, struct worker *w, enum worker_state state, const char *reason, struct err *e)
{
    w->state = state;
    struct state_job *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL_NOMEM(e);
    s->job.run = state_run;
    s->job.done = state_done;
    s->state = worker_state_name(state);
    s->worker = strdup(w->id);
    s->reason = strdup(reason);
    if (!s->worker || !s->reason) {
        state_done(&s->job, NULL, NULL);
        return FAIL_NOMEM(e);
    }
    dbthread_post(c->db, &s->job);
    return 0;
}
