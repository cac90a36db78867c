/* What a leader that runs for months lets go of: memory is a cache, and what no running sweep wants is not asked for.
 */
#include "common/log.h"
#include "common/mono.h"
#include "coordinator/coord.h"

/* The search visits every task; it may take this part of the time at most. */
#define TRIM_SHARE 100

struct trim {
    uint64_t oldest_batch; /* that is not committed yet */
    int64_t now;
    size_t unwanted; /* out: tasks that no sweep wants */
};

/* What a batch, a list or a worker that has not heard of the end may still name stays for now. */
static bool may_go(const struct task *t, void *arg)
{
    struct trim *r = arg;
    if (t->sweeps)
        return false;
    r->unwanted++;
    return !t->is_delayed && t->batch < r->oldest_batch && t->lease_deadline < r->now;
}

static void trim_tasks(struct coord *c, int64_t now)
{
    if (!c->next_trim || now < c->next_trim)
        return;
    struct trim r = { .oldest_batch = c->committing ? c->batches - 1 : c->batches, .now = now };
    size_t gone = graph_trim(&c->graph, may_go, &r), left = r.unwanted - gone;
    int64_t end = mono_now();
    c->next_trim = left ? end + c->opt.lease_ns + TRIM_SHARE * (end - now) : 0;
    if (gone)
        log_info("graph.trimmed", KV_I64("tasks", gone), KV_I64("kept", c->graph.by_id.n), KV_I64("unwanted", left));
}

/* They hold nothing, and no batch may still acknowledge something to them; they can always come back with a Hello. */
static bool forgettable(const struct coord *c, const struct worker *w, int64_t now)
{
    int64_t patience = w->state == WORKER_LEFT ? c->opt.lease_ns : 20 * c->opt.lease_ns;
    return !w->held && !c->committing && !c->gathering->n_ends && w->last_seen + patience < now &&
           (w->state == WORKER_LEFT || w->state == WORKER_SILENT);
}

static void forget_worker(struct coord *c, int64_t now)
{
    struct worker *w, *gone = NULL; /* one at a time: the map must not change while it is visited */
    for (size_t i = 0; (w = map_next(&c->roster.by_id, &i));)
        if (forgettable(c, w, now))
            gone = w;
    if (gone)
        roster_remove(&c->roster, gone);
}

void tidy_tick(struct coord *c, int64_t now)
{
    trim_tasks(c, now);
    forget_worker(c, now);
}
