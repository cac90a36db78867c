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
    if (!w)
        return;
    acsweep__assignment__free_unpacked(w->a, NULL);
    free(w);
}

static void unqueue(struct slots *p, struct work *w)
{
    *(w->prior ? &w->prior->next : &p->first) = w->next;
    *(w->next ? &w->next->prior : &p->last) = w->prior;
    w->next = w->prior = NULL;
    p->queued--;
}

struct work *slots_forget(struct slots *p, struct work *w)
{
    map_remove(&p->held, &w->key, sizeof w->key);
    if (w->slot) {
        w->slot->work = NULL;
        w->slot = NULL;
        p->running--;
    } else {
        unqueue(p, w);
    }
    return w;
}

static struct work *find(const struct slots *p, const Acsweep__Token *t)
{
    struct token_key key = token_key(t);
    return map_get(&p->held, &key, sizeof key);
}

static size_t gpus_of(const struct work *w)
{
    const Acsweep__Resources *r = w->a->spec->resources;
    return r ? r->gpus : 0;
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

static struct slot *choose_slot(struct slots *p, const struct work *w)
{
    size_t gpus = gpus_of(w);
    struct slot *hint = w->a->slot < p->n ? &p->list[w->a->slot] : NULL, *empty = NULL;
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

static int begin(struct slots *p, struct work *w, struct slot *s, struct err *e)
{
    unqueue(p, w);
    w->slot = s;
    p->running++;
    return slot_start(s, w, gpus_of(w), e);
}

/* First come, first served, but a task that has to wait for devices keeps nobody back. */
int slots_dispatch(struct slots *p, struct err *e)
{
    bool no_place[GPU_MAX + 1] = { false }; /* by number of GPUs */
    struct work *next;
    for (struct work *w = p->first; w && p->running < slots_open(p); w = next) {
        size_t gpus = gpus_of(w);
        next = w->next;
        struct slot *s = no_place[gpus] ? NULL : choose_slot(p, w);
        no_place[gpus] = !s;
        if (s)
            TRY(begin(p, w, s, e));
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
        work_free(s->work);
        work_free(s->fenced);
        loop_remove_timer(s->timer);
    }
    for (struct work *w; (w = p->first);) {
        unqueue(p, w);
        work_free(w);
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

static int enqueue(struct slots *p, struct work *w, struct err *e)
{
    w->key = token_key(w->a->token);
    TRY(map_put(&p->held, &w->key, sizeof w->key, w, e));
    w->prior = p->last;
    *(p->last ? &p->last->next : &p->first) = w;
    p->last = w;
    p->queued++;
    return 0;
}

int slots_add(struct slots *p, Acsweep__Assignment **a, struct err *e)
{
    if (slots_holds(p, (*a)->token))
        return 1;
    if (p->queued == SLOTS_QUEUE_MAX)
        return FAIL(e, ERR_PEER, "over %d assignments in advance", SLOTS_QUEUE_MAX);
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return FAIL_NOMEM(e);
    w->a = TAKE(*a);
    if (enqueue(p, w, e) < 0) {
        work_free(w);
        return -1;
    }
    if (gpus_of(w) > (p->o.devices ? p->o.per_set : 0))
        return slot_answer_unstarted(p, w, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE,
                                     "it asks for more GPUs than a task can have on this worker", e);
    if (gpus_of(w) && devices_sets(p->o.devices) == 0)
        return slot_answer_unstarted(p, w, ACSWEEP__FAILURE_CLASS__PREEMPTED, "every GPU of this worker is out", e);
    return slots_dispatch(p, e);
}

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

int slots_cancel(struct slots *p, const Acsweep__Token *t, const char *reason, int64_t grace_ns, bool *here,
                 struct err *e)
{
    struct work *w = find(p, t);
    *here = w != NULL;
    if (!w)
        return 0;
    if (!w->slot) /* never started: nothing to stop */
        return slot_answer_stopped(p, w, reason, e);
    return w->slot->state == SLOT_BUSY ? slot_stop(w->slot, reason, grace_ns, e) : 0;
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
    struct slot *s = w->slot;
    if (s)
        p->o.on.on_killed(w->a->token, "fenced", p->o.on.arg);
    slots_forget(p, w);
    if (!s) {
        work_free(w);
        return;
    }
    work_free(s->fenced);
    s->fenced = w; /* until its exec is gone, for what must be cleared up */
    if (s->state == SLOT_BUSY || s->state == SLOT_STOPPING)
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
        fence(p, p->first);
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].work)
            fence(p, p->list[i].work);
}

int slots_give_back(struct slots *p, Acsweep__Token **tokens, size_t *n, struct err *e)
{
    *n = 0;
    *tokens = calloc(p->queued + 1, sizeof **tokens);
    if (!*tokens)
        return FAIL_NOMEM(e);
    while (p->first) {
        struct work *w = slots_forget(p, p->first);
        (*tokens)[(*n)++] = token_copy(w->a->token);
        work_free(w);
    }
    return 0;
}

int slots_turn_away(struct slots *p, const char *why, struct err *e)
{
    struct work *next;
    for (struct work *w = p->first; w; w = next) {
        next = w->next;
        if (gpus_of(w))
            TRY(slot_answer_unstarted(p, w, ACSWEEP__FAILURE_CLASS__PREEMPTED, why, e));
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
    return p->running + p->queued;
}

size_t slots_tokens(const struct slots *p, Acsweep__Token *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n && n < room; i++)
        if (p->list[i].work)
            out[n++] = token_copy(p->list[i].work->a->token);
    for (const struct work *w = p->first; w && n < room; w = w->next)
        out[n++] = token_copy(w->a->token);
    return n;
}
