#include "worker/slots.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/log.h"
#include "worker/proctree.h"
#include "worker/slot.h"

#define SPARE_SLOTS 16 /* stand in for those whose exec cannot be ended, or is just ending */
#define FAST_DEATHS 5  /* execs in a row that died before their first result: wait before the next */
#define STRAY_WAIT (50 * NS_PER_MS)
#define STRAY_ROUNDS 20 /* then only every second: what is still there cannot die */

/* ---- books ------------------------------------------------------------------------------------------------------- */

void work_free(struct work *w)
{
    if (!w || w->in)
        return;
    acsweep__assignment__free_unpacked(w->a, NULL);
    free(w);
}

void bundle_free(struct bundle *b)
{
    while (b && b->first) {
        struct work *w = b->first;
        b->first = w->next;
        w->in = NULL;
        work_free(w);
    }
    free(b);
}

static void unqueue(struct slots *p, struct bundle *b)
{
    *(b->prior ? &b->prior->next : &p->first) = b->next;
    *(b->next ? &b->next->prior : &p->last) = b->prior;
    b->next = b->prior = NULL;
    p->queued -= b->held;
}

static void take_out(struct bundle *b, struct work *w)
{
    struct work **at = &b->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    w->next = NULL;
    w->in = NULL;
    b->n--;
}

void slots_forget(struct slots *p, struct work *w)
{
    struct bundle *b = w->in;
    map_remove(&p->held, &w->key, sizeof w->key);
    w->held = false;
    b->held--;
    if (b->slot) {
        p->running -= b->held == 0;
        return;
    }
    p->queued--;
    take_out(b, w);
    if (b->first)
        return;
    unqueue(p, b);
    free(b);
}

static struct work *find(const struct slots *p, const Acsweep__Token *t)
{
    struct token_key key = token_key(t);
    return map_get(&p->held, &key, sizeof key);
}

/* ---- giving work to slots ---------------------------------------------------------------------------------------- */

size_t slots_open(const struct slots *p)
{
    size_t sets = p->o.devices ? devices_sets(p->o.devices) : 0;
    if (sets && p->o.n)
        return sets < p->o.n ? sets : p->o.n;
    return sets ? sets : p->o.n ? p->o.n : 1;
}

/* An exec is bound to its devices for life: exactly as many as the task asks for. */
static bool suits(const struct slot *s, size_t gpus)
{
    return s->state == SLOT_IDLE && s->n_devices == gpus;
}

/* End an idle exec, one that holds devices if these are what is missing; but first wait for what is on its way. */
static void make_room(struct slots *p, bool devices_missing)
{
    struct slot *idle = NULL;
    if (devices_missing && devices_checking(p->o.devices))
        return;
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->list[i];
        if (s->state == SLOT_DYING && loop_timer_armed(s->timer)) /* and not stuck */
            return;
        if (s->state == SLOT_IDLE && (s->n_devices || !devices_missing))
            idle = s;
    }
    if (idle)
        slot_replace(idle);
}

static struct slot *choose_slot(struct slots *p, const struct bundle *b)
{
    const size_t gpus = b->gpus;
    uint32_t wish = b->first->a->slot;
    struct slot *hint = wish < p->n ? &p->list[wish] : NULL, *empty = NULL;
    if (hint && suits(hint, gpus))
        return hint;
    for (size_t i = 0; i < p->n; i++) {
        if (suits(&p->list[i], gpus))
            return &p->list[i];
        if (!empty && p->list[i].state == SLOT_EMPTY)
            empty = &p->list[i];
    }
    if (loop_timer_armed(p->pause))
        return NULL;
    bool devices_missing = gpus && devices_free(p->o.devices) < gpus;
    if (!empty || devices_missing) {
        make_room(p, devices_missing);
        return NULL;
    }
    return hint && hint->state == SLOT_EMPTY ? hint : empty;
}

static int begin(struct slots *p, struct bundle *b, struct slot *s, struct err *e)
{
    unqueue(p, b);
    b->slot = s;
    p->running++;
    return slot_start(s, b, b->gpus, e);
}

/* First come, first served, but a task that has to wait for devices keeps nobody back. */
int slots_dispatch(struct slots *p, struct err *e)
{
    bool no_place[GPU_MAX + 1] = { false }; /* by number of GPUs */
    struct bundle *next;
    for (struct bundle *b = p->first; b && p->running < slots_open(p); b = next) {
        const size_t gpus = b->gpus;
        next = b->next;
        struct slot *s = no_place[gpus] ? NULL : choose_slot(p, b);
        no_place[gpus] = !s;
        if (s)
            TRY(begin(p, b, s, e));
    }
    return 0;
}

static int on_pause_over(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct slots *p = arg;
    p->fast_deaths = 0;
    return slots_dispatch(p, e);
}

/* ---- ending execs ------------------------------------------------------------------------------------------------ */

static int on_kill(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct slots *p = arg;
    AUTO(free) struct slot_exec **execs = calloc(p->n + 1, sizeof *execs);
    size_t n = 0;
    if (!execs)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->list[i];
        if (s->kill && s->exec)
            execs[n++] = s->exec;
        s->kill = false;
    }
    return slot_exec_kill_all(execs, n, e);
}

static bool is_ours(const struct slots *p, pid_t pid)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].exec && slot_exec_pid(p->list[i].exec) == pid)
            return true;
    return p->o.devices && devices_owns(p->o.devices, pid);
}

/* What a dead exec left running became our child; it holds memory and devices, so it must go. Its own children become
 * ours then, and go in the next round. */
static int on_strays(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    (void)e;
    struct slots *p = arg;
    AUTO(free) pid_t *children = NULL;
    size_t n = proctree_children(getpid(), &children), strays = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_ours(p, children[i]) || waitpid(children[i], NULL, WNOHANG) != 0)
            continue;
        if (p->stray_rounds < STRAY_ROUNDS)
            log_warn("slot.stray", KV_I64("pid", children[i]));
        kill(children[i], SIGKILL);
        strays++;
    }
    p->stray_rounds = strays ? p->stray_rounds + 1 : 0;
    if (strays)
        loop_timer_arm(p->strays, p->stray_rounds < STRAY_ROUNDS ? STRAY_WAIT : NS_PER_S, 0);
    return 0;
}

void slots_exec_died(struct slots *p, bool too_fast)
{
    if (p->o.adopt_strays)
        loop_timer_arm(p->strays, 0, 0);
    if (too_fast && ++p->fast_deaths >= FAST_DEATHS)
        loop_timer_arm(p->pause, SLOTS_PAUSE, 0);
}

/* ---- the pool ---------------------------------------------------------------------------------------------------- */

static int copy_options(struct slots *p, const struct slot_options *o, struct err *e)
{
    p->o = *o;
    p->n = (o->n ? o->n : GPU_MAX) + SPARE_SLOTS;
    p->exec_path = strdup(o->exec_path);
    p->worker_id = strdup(o->worker_id);
    p->scratch = strdup(o->scratch);
    p->store = strdup(o->store);
    p->list = calloc(p->n, sizeof *p->list);
    return p->exec_path && p->worker_id && p->scratch && p->store && p->list ? 0 : FAIL_NOMEM(e);
}

static int make_timers(struct slots *p, struct err *e)
{
    p->killer = loop_add_timer(p->o.loop, -1, 0, on_kill, p, e);
    p->strays = p->killer ? loop_add_timer(p->o.loop, -1, 0, on_strays, p, e) : NULL;
    p->pause = p->strays ? loop_add_timer(p->o.loop, -1, 0, on_pause_over, p, e) : NULL;
    if (!p->pause)
        return -1;
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->list[i];
        s->pool = p;
        s->index = (uint32_t)i;
        s->timer = loop_add_timer(p->o.loop, -1, 0, slot_on_timer, s, e);
        if (!s->timer)
            return -1;
    }
    return 0;
}

struct slots *slots_create(const struct slot_options *o, struct err *e)
{
    AUTO(slots_destroy) struct slots *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    if (copy_options(p, o, e) < 0 || make_timers(p, e) < 0)
        return NULL;
    return TAKE(p);
}

void slots_destroy(struct slots *p)
{
    struct err e = { 0 };
    if (!p)
        return;
    for (size_t i = 0; p->list && i < p->n; i++)
        p->list[i].kill = p->list[i].exec != NULL;
    if (p->list)
        (void)!on_kill(NULL, p, &e); /* all at once; without memory for that they go one by one */
    for (size_t i = 0; p->list && i < p->n; i++) {
        struct slot *s = &p->list[i];
        slot_exec_destroy(s->exec);
        bundle_free(s->bundle);
        loop_remove_timer(s->timer);
    }
    for (struct bundle *b; (b = p->first);) {
        unqueue(p, b);
        bundle_free(b);
    }
    loop_remove_timer(p->killer);
    loop_remove_timer(p->strays);
    loop_remove_timer(p->pause);
    map_free(&p->held);
    free(p->list);
    free(p->exec_path);
    free(p->worker_id);
    free(p->scratch);
    free(p->store);
    free(p);
}

int slots_set_store(struct slots *p, const char *store, struct err *e)
{
    char *copy = strdup(store);
    if (!copy)
        return FAIL_NOMEM(e);
    free(p->store);
    p->store = copy;
    return 0;
}

/* A new attempt at the end of its bundle. */
static int add_work(struct slots *p, struct bundle *b, struct work ***end, Acsweep__Assignment **a, struct err *e)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return FAIL_NOMEM(e);
    w->key = token_key((*a)->token);
    if (map_put(&p->held, &w->key, sizeof w->key, w, e) < 0) {
        free(w);
        return -1;
    }
    w->a = TAKE(*a);
    w->in = b;
    w->held = true;
    **end = w;
    *end = &w->next;
    b->n++;
    b->held++;
    const Acsweep__Resources *r = w->a->spec->resources;
    if (r && r->gpus > b->gpus)
        b->gpus = r->gpus;
    return 0;
}

static int fill_bundle(struct slots *p, struct bundle *b, Acsweep__Assignment **a, size_t n, int *ignored,
                       struct err *e)
{
    struct work **end = &b->first;
    for (size_t i = 0; i < n; i++) {
        if (slots_holds(p, a[i]->token))
            ++*ignored;
        else if (add_work(p, b, &end, &a[i], e) < 0)
            return -1;
    }
    return 0;
}

static void enqueue(struct slots *p, struct bundle *b)
{
    b->prior = p->last;
    *(p->last ? &p->last->next : &p->first) = b;
    p->last = b;
    p->queued += b->held;
}

static int turn_away(struct slots *p, struct bundle *b, Acsweep__FailureClass class, const char *why, struct err *e)
{
    for (size_t n = b->held; n; n--) /* the last answer ends the bundle */
        TRY(slot_answer_unstarted(p, b->first, class, why, e));
    return 0;
}

int slots_add(struct slots *p, Acsweep__Assignment **a, size_t n, struct err *e)
{
    int ignored = 0;
    if (p->queued + n > SLOTS_QUEUE_MAX)
        return FAIL(e, ERR_PEER, "over %d assignments in advance", SLOTS_QUEUE_MAX);
    struct bundle *b = calloc(1, sizeof *b);
    if (!b)
        return FAIL_NOMEM(e);
    int rc = fill_bundle(p, b, a, n, &ignored, e);
    if (!b->first) {
        free(b);
        return rc < 0 ? -1 : ignored;
    }
    enqueue(p, b);
    TRY(rc);
    if (b->gpus > (p->o.devices ? p->o.per_set : 0))
        TRY(turn_away(p, b, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE,
                      "it asks for more GPUs than a task can have on this worker", e));
    else if (b->gpus && devices_sets(p->o.devices) == 0)
        TRY(turn_away(p, b, ACSWEEP__FAILURE_CLASS__PREEMPTED, "every GPU of this worker is out", e));
    else
        TRY(slots_dispatch(p, e));
    return ignored;
}

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

int slots_cancel(struct slots *p, const Acsweep__Token *t, const char *reason, int64_t grace_ns, bool *here,
                 struct err *e)
{
    struct work *w = find(p, t);
    *here = w != NULL;
    if (!w)
        return 0;
    struct slot *s = w->in->slot;
    if (!s) /* never started: nothing to stop */
        return slot_answer_stopped(p, w, reason, e);
    if (s->state != SLOT_BUSY)
        return 0;
    return w->in->held > 1 ? slot_leave_out(s, w, reason, e) : slot_stop(s, reason, grace_ns, e);
}

int slots_cancel_all(struct slots *p, const char *reason, int64_t grace_ns, struct err *e)
{
    int64_t latest = mono_now() + grace_ns + NS_PER_S;
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->list[i];
        if (s->state == SLOT_BUSY)
            TRY(slot_stop(s, reason, grace_ns, e));
        if (s->state == SLOT_STOPPING && s->kill_at > latest)
            loop_timer_arm(s->timer, grace_ns + NS_PER_S, 0);
    }
    return 0;
}

static void fence(struct slots *p, struct work *w)
{
    struct slot *s = w->in->slot;
    if (s)
        p->o.on.on_killed(w->a->token, "fenced", p->o.on.arg);
    slots_forget(p, w);
    work_free(w); /* what runs stays until its exec is done with it, for what must be cleared up */
    if (s && !s->bundle->held && (s->state == SLOT_BUSY || s->state == SLOT_STOPPING))
        slot_replace(s);
}

void slots_fence(struct slots *p, const Acsweep__Token *t)
{
    struct work *w = find(p, t);
    if (w)
        fence(p, w);
}

void slots_fence_all(struct slots *p)
{
    while (p->first)
        fence(p, p->first->first);
    for (size_t i = 0; i < p->n; i++)
        for (struct work *w = p->list[i].bundle ? p->list[i].bundle->first : NULL; w; w = w->next)
            if (w->held)
                fence(p, w);
}

int slots_give_back(struct slots *p, Acsweep__Token **tokens, size_t *n, struct err *e)
{
    *n = 0;
    *tokens = calloc(p->queued + 1, sizeof **tokens);
    if (!*tokens)
        return FAIL_NOMEM(e);
    while (p->first) {
        struct work *w = p->first->first;
        (*tokens)[(*n)++] = token_copy(w->a->token);
        slots_forget(p, w);
        work_free(w);
    }
    return 0;
}

int slots_turn_away(struct slots *p, const char *why, struct err *e)
{
    struct bundle *next;
    for (struct bundle *b = p->first; b; b = next) {
        next = b->next;
        if (b->gpus)
            TRY(turn_away(p, b, ACSWEEP__FAILURE_CLASS__PREEMPTED, why, e));
    }
    return 0;
}

/* ---- what is held ------------------------------------------------------------------------------------------------ */

bool slots_holds(const struct slots *p, const Acsweep__Token *t)
{
    return find(p, t) != NULL;
}

size_t slots_running(const struct slots *p)
{
    return p->running;
}

size_t slots_held(const struct slots *p)
{
    return p->held.n;
}

static size_t add_tokens(const struct bundle *b, Acsweep__Token *out, size_t n, size_t room)
{
    for (const struct work *w = b ? b->first : NULL; w && n < room; w = w->next)
        if (w->held)
            out[n++] = token_copy(w->a->token);
    return n;
}

size_t slots_tokens(const struct slots *p, Acsweep__Token *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n = add_tokens(p->list[i].bundle, out, n, room);
    for (const struct bundle *b = p->first; b; b = b->next)
        n = add_tokens(b, out, n, room);
    return n;
}
