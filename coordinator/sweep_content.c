/* Sweeps whose content was looked at: the second plan, with the digests that identify tasks found. On the loop thread.
 */
#include <jansson.h>
#include <string.h>

#include "common/digest.h"
#include "common/log.h"
#include "coordinator/coord.h"

struct replan_job {
    struct db_job job;
    struct coord *c;
    struct stored_sweep *looked; /* shared; which sweep it is about */
    const char **digests;        /* by task */
    char *texts;                 /* what they point to */
    bool stale;
    struct stored_sweep *stored;
};

static void replan_job_destroy(struct replan_job *j)
{
    stored_sweep_destroy(j->looked);
    stored_sweep_destroy(j->stored);
    free(j->digests);
    free(j->texts);
    free(j);
}

static int replan_run(struct db_job *job, struct db *d, struct err *e)
{
    struct replan_job *j = (struct replan_job *)job;
    TRY(store_is_stale(d, j->looked, &j->stale, e));
    if (!j->stale)
        j->stored = store_replan(d, j->looked, j->digests, j->c->opt.store ? j->c->opt.store : "", e);
    return j->stale || j->stored ? 0 : -1;
}

static int replan_done(struct db_job *job, const struct err *why, struct err *e)
{
    struct replan_job *j = (struct replan_job *)job;
    struct coord *c = j->c;
    struct sweep *s = c->sweeps, *whole;
    int rc = 0;
    while (s && s->stored != j->looked)
        s = s->next;
    if (s)
        s->busy = false;
    if (why && why->kind == ERR_DB_RETRY) {
        if (e)
            *e = *why;
        rc = -1;
    } else if (why && s) { /* with what the content is, the config makes no plan: two encoders are the same, say */
        log_error("sweep.no_plan", KV_STR("sweep", s->plan->name), KV_ERR(why));
        rc = sweeps_start_end(c, s, SWEEP_FAILED, why->text, e);
    } else if (!why && !j->stale && s) {
        log_info("sweep.identified", KV_STR("sweep", s->plan->name), KV_I64("names", s->plan->n_tasks));
        rc = sweeps_take_in(c, &j->stored, &whole, e);
        if (rc == 0)
            rc = sweeps_advance(c, e);
        if (rc == 0)
            rc = coord_kick(c, e);
    }
    replan_job_destroy(j);
    return rc;
}

/* What an identify task left: {"digest": ...}. */
static int content_digest_of(const struct task *t, char hex[DIGEST_HEX_SIZE], struct err *e)
{
    const struct task_artifact *a = t && t->n_artifacts == 1 ? &t->artifacts[0] : NULL;
    AUTO(json_decref) json_t *o = a && a->content ? json_loadb(a->content, (size_t)a->bytes, 0, NULL) : NULL;
    const char *digest = json_string_value(json_object_get(o, "digest"));
    if (!digest || strlen(digest) != DIGEST_HEX_SIZE - 1 || strspn(digest, "0123456789abcdef") != DIGEST_HEX_SIZE - 1)
        return FAIL(e, ERR_PEER, "the task '%.100s' brought no digest", t ? t->label : "identify");
    memcpy(hex, digest, DIGEST_HEX_SIZE);
    return 0;
}

static int read_digests(const struct sweep *s, struct replan_job *j, struct err *e)
{
    size_t n = s->plan->n_tasks;
    j->digests = calloc(n, sizeof *j->digests);
    j->texts = calloc(n, DIGEST_HEX_SIZE);
    if (!j->digests || !j->texts)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        j->digests[i] = &j->texts[i * DIGEST_HEX_SIZE];
        TRY(content_digest_of(s->tasks[i], &j->texts[i * DIGEST_HEX_SIZE], e));
    }
    return 0;
}

int sweeps_replan(struct coord *c, struct sweep *s, bool some_failed, struct err *e)
{
    struct err why = { 0 };
    if (some_failed)
        return sweeps_start_end(c, s, SWEEP_FAILED,
                                "the content of some checkpoints or image sets could not be identified", e);
    struct replan_job *j = calloc(1, sizeof *j);
    if (!j)
        return FAIL_NOMEM(e);
    if (read_digests(s, j, &why) < 0) {
        replan_job_destroy(j);
        return sweeps_start_end(c, s, SWEEP_FAILED, why.text, e);
    }
    j->job.run = replan_run;
    j->job.done = replan_done;
    j->c = c;
    j->looked = s->stored;
    j->looked->refs++;
    s->busy = true;
    dbthread_post(c->db, &j->job);
    return 0;
}
