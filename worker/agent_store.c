/* Is the artifact store seen from here? Its challenge file must be readable, where the coordinator says or where this
 * node has it. That is asked beside the loop: a shared file system may hang for minutes, and what runs here goes on
 * meanwhile. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/agent_internal.h"

struct look {
    struct errand errand;
    struct agent *a;
    char *store, *challenge; /* its path */
    bool seen;
    uint64_t number;
};

static void look_drop(struct errand *x)
{
    struct look *k = (struct look *)x;
    free(k->store);
    free(k->challenge);
    free(k);
}

static void look_run(struct errand *x)
{
    struct look *k = (struct look *)x;
    k->seen = access(k->challenge, R_OK) == 0;
}

static int take_answer(struct agent *a, const char *store, bool seen, struct err *e)
{
    TRY(slots_set_store(a->slots, seen ? store : "", e));
    if (seen == a->facts.shared_store)
        return 0;
    a->facts.shared_store = seen;
    a->announce = true;
    log_info("store", KV_STR("path", store), KV_STR("shared", seen ? "yes" : "no"));
    return agent_announce(a, e);
}

static int look_done(struct errand *x, struct err *e)
{
    struct look *k = (struct look *)x;
    bool newest = k->number == k->a->store_looks; /* else another Welcome came meanwhile */
    int done = newest ? take_answer(k->a, k->store, k->seen, e) : 0;
    look_drop(x);
    return done;
}

int agent_look_for_store(struct agent *a, const Acsweep__Welcome *w, struct err *e)
{
    char *store = strdup(a->o.store && w->store[0] ? a->o.store : w->store);
    if (!store)
        return FAIL_NOMEM(e);
    free(a->store);
    a->store = store;
    a->store_looks++;
    if (!store[0] || !w->store_challenge[0])
        return take_answer(a, "", false, e);
    struct look *k = calloc(1, sizeof *k);
    if (!k)
        return FAIL_NOMEM(e);
    *k = (struct look){ { .run = look_run, .done = look_done, .drop = look_drop }, .a = a, .number = a->store_looks };
    k->store = strdup(store);
    if (!k->store || asprintf(&k->challenge, "%s/%s", store, w->store_challenge) < 0) {
        look_drop(&k->errand);
        return FAIL_NOMEM(e);
    }
    errands_put(a->looks, &k->errand);
    return 0;
}
