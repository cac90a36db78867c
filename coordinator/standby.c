#include "coordinator/standby.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "coordinator/coord.h"

#define POLL_NS (2 * NS_PER_S)

int standby_announce(const struct coord *c, struct db *d, struct err *e)
{
    const char *address = coord_address(c);
    if (!address)
        return 0;
    const struct sql_arg args[] = { SQL_TEXT(address), SQL_TEXT(c->opt.name),
                                    SQL_TEXT(c->opt.keys ? c->opt.keys->public_key : "") };
    return db_exec(d, SQL_COORDINATOR_SEEN, args, ARRAY_LEN(args), 1, NULL, e);
}

static int read_list(const struct coord *c, struct db *d, struct standby_list *out, struct err *e)
{
    const char *mine = coord_address(c);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg args[] = { SQL_TEXT(mine ? mine : "") };
    TRY(db_exec(d, SQL_COORDINATOR_LIST, args, ARRAY_LEN(args), ROWS_ANY, &rows, e));
    for (int64_t i = 0; i < db_rows_count(rows) && out->n < STANDBY_MAX; i++, out->n++) {
        snprintf(out->of[out->n].address, sizeof out->of->address, "%s", db_text(rows, i, 0));
        snprintf(out->of[out->n].server_key, sizeof out->of->server_key, "%s", db_text(rows, i, 1));
    }
    return 0;
}

struct poll_job {
    struct db_job job;
    struct coord *c;
    struct standby_list list;
};

static int poll_run(struct db_job *j, struct db *d, struct err *e)
{
    struct poll_job *p = (struct poll_job *)j;
    TRY(standby_announce(p->c, d, e));
    return read_list(p->c, d, &p->list, e);
}

static int poll_done(struct db_job *j, const struct err *why, struct err *e)
{
    struct poll_job *p = (struct poll_job *)j;
    struct coord *c = p->c;
    if (why && e)
        *e = *why;
    if (!why && c->db) { /* else the lead is over already */
        if (p->list.n != c->standbys.n)
            log_info("coordinator.standbys", KV_I64("n", p->list.n));
        c->standbys = p->list;
        c->standbys.next_poll = mono_now() + POLL_NS;
    }
    free(p);
    return why ? -1 : 0;
}

int standby_tick(struct coord *c, int64_t now, struct err *e)
{
    if (c->standbys.polling || now < c->standbys.next_poll)
        return 0;
    struct poll_job *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL_NOMEM(e);
    p->job.run = poll_run;
    p->job.done = poll_done;
    p->c = c;
    c->standbys.polling = true;
    dbthread_post(c->db, &p->job);
    return 0;
}
