#include "coordinator/access.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "coordinator/coord.h"

#define POLL_NS NS_PER_S

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct access_key *)a)->key, ((const struct access_key *)b)->key);
}

static const struct access_key *find(const struct access_list *l, const char *user)
{
    struct access_key wanted = { "", ACCESS_NONE };
    if (strlen(user) != KEY_TEXT_SIZE - 1)
        return NULL;
    memcpy(wanted.key, user, KEY_TEXT_SIZE);
    return l->n ? bsearch(&wanted, l->keys, l->n, sizeof *l->keys, compare_keys) : NULL;
}

bool access_may(const struct coord *c, const char *user, enum access_role role)
{
    if (!c->zap)
        return true;
    const struct access_key *k = find(&c->access.list, user);
    return k && k->role == role;
}

const char *access_remedy(enum access_role role)
{
    return role == ACCESS_CONTROL ? "this key may not submit, cancel or ask: where the database is, say "
                                    "'acsweep keys allow FILE.pub --role control'"
                                  : "this key may not take tasks: where the database is, say "
                                    "'acsweep keys allow FILE.pub --role worker'";
}

void access_free(struct access *a)
{
    free(a->list.keys);
    *a = (struct access){ 0 };
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* A row that is no key can only have come by hand; it lets nobody in, and must not keep the others out. */
static int read_list(struct db *d, struct access_list *out, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(d, SQL_WORKER_KEY_LIST, NULL, 0, ROWS_ANY, &rows, e));
    int64_t n = db_rows_count(rows);
    out->n = 0;
    out->keys = calloc((size_t)n + 1, sizeof *out->keys);
    if (!out->keys)
        return FAIL_NOMEM(e);
    for (int64_t i = 0; i < n; i++) {
        struct access_key *k = &out->keys[out->n];
        if (!key_is_valid(db_text(rows, i, 0)))
            continue;
        memcpy(k->key, db_text(rows, i, 0), KEY_TEXT_SIZE);
        k->role = strcmp(db_text(rows, i, 1), "control") == 0 ? ACCESS_CONTROL : ACCESS_WORKER;
        out->n++;
    }
    qsort(out->keys, out->n, sizeof *out->keys, compare_keys);
    return 0;
}

static bool same_list(const struct access_list *a, const struct access_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->keys[i].key, b->keys[i].key) != 0 || a->keys[i].role != b->keys[i].role)
            return false;
    return true;
}

/* Put `new` in force and free what was. */
static int install(struct coord *c, struct access_list *new, struct err *e)
{
    AUTO(free) const char **keys = calloc(new->n + 1, sizeof *keys);
    if (!keys)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < new->n; i++)
        keys[i] = new->keys[i].key;
    TRY(zap_allow_set(c->zap, ACCESS_DOMAIN, keys, new->n, e));
    free(c->access.list.keys);
    c->access.list = *new;
    *new = (struct access_list){ 0 };
    log_info("access.loaded", KV_I64("keys", c->access.list.n));
    return 0;
}

int access_load(struct coord *c, struct db *d, struct err *e)
{
    if (!c->zap)
        return 0;
    struct access_list list = { 0 };
    int rc = read_list(d, &list, e);
    if (rc == 0)
        rc = install(c, &list, e);
    free(list.keys);
    c->access.next_poll = mono_now() + POLL_NS;
    return rc;
}

/* ---- revocation -------------------------------------------------------------------------------------------------- */

/* Its tasks go back uncharged; what it still sends is stopped at the door (common/chan.h). */
static int cut_off(struct coord *c, struct worker *w, struct err *e)
{
    static const char reason[] = "its key was revoked";
    struct task *next;
    log_warn("worker.revoked", KV_STR("worker", w->id), KV_STR("node", w->node), KV_STR("public_key", w->user),
             KV_I64("tasks", w->n_held));
    for (struct task *t = w->held; t; t = next) {
        next = t->held_next;
        if (t->state == TASK_LEASED)
            TRY(coord_end_attempt(c, t, "lost", ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, false, reason, e));
    }
    TRY(coord_worker_state(c, w, WORKER_LEFT, reason, e));
    TRY(coord_event(c, "worker.revoked", NULL, 0, 0, w->id, reason, e));
    return peers_refuse(c, &w->peer, 0, "key", "the key of this worker was revoked", e);
}

static int cut_off_revoked(struct coord *c, struct err *e)
{
    struct worker *w;
    for (size_t i = 0; (w = map_next(&c->roster.by_id, &i));)
        if (w->state != WORKER_LEFT && !access_may(c, w->user, ACCESS_WORKER))
            TRY(cut_off(c, w, e));
    return coord_kick(c, e);
}

/* ---- polling ----------------------------------------------------------------------------------------------------- */

struct poll_job {
    struct db_job job;
    struct coord *c;
    struct access_list list;
};

static int poll_run(struct db_job *j, struct db *d, struct err *e)
{
    return read_list(d, &((struct poll_job *)j)->list, e);
}

static int poll_done(struct db_job *j, const struct err *why, struct err *e)
{
    struct poll_job *p = (struct poll_job *)j;
    struct coord *c = p->c;
    int rc = 0;
    if (why && e)
        *e = *why;
    if (why) {
        rc = -1;
    } else if (c->db) { /* else the lead is over already */
        c->access.polling = false;
        c->access.next_poll = mono_now() + POLL_NS;
        if (!same_list(&p->list, &c->access.list)) {
            rc = install(c, &p->list, e);
            if (rc == 0)
                rc = cut_off_revoked(c, e);
        }
    }
    free(p->list.keys);
    free(p);
    return rc;
}

int access_tick(struct coord *c, int64_t now, struct err *e)
{
    if (!c->zap || c->access.polling || now < c->access.next_poll)
        return 0;
    struct poll_job *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL_NOMEM(e);
    p->job.run = poll_run;
    p->job.done = poll_done;
    p->c = c;
    c->access.polling = true;
    dbthread_post(c->db, &p->job);
    return 0;
}
