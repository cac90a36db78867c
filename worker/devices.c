#include "worker/devices.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "worker/claim.h"
#include "worker/probe.h"

#define LOOK_AGAIN (500 * NS_PER_MS) /* while memory is coming back, or a probe could not be run */
#define BACKOFF_TIMES 20             /* a device that is out is looked at no more seldom than every so many retry_ns */
#define INDEX_PREFIX "index-"        /* how the probe calls a device whose UUID it cannot read */

enum state { SPARE, FREE, HELD, CHECKING, OUT };

struct device {
    struct devices *all;
    struct gpu gpu; /* as last seen */
    enum state state;
    int claim;          /* -1 = none, or another agent's */
    bool returning;     /* its memory is to be back before it is free */
    uint64_t idle_free; /* free bytes when it was last idle */
    int64_t give_up;    /* when it goes out for memory that is not back */
    int64_t backoff;
    struct probe *probe;
    struct loop_timer *timer; /* the next look */
    char why[200];            /* it is out */
};

struct devices {
    struct devices_options o;
    struct gpu_list probed;
    struct device list[GPU_MAX];
    size_t n;
    struct probe *search;            /* for devices, while none is known */
    struct loop_timer *search_timer; /* also for devices that other agents let go */
    int64_t search_wait;
    uint64_t looks;
    bool settled; /* what the probe found is taken in */
};

static int changed(struct devices *d, struct err *e)
{
    return d->o.on_change ? d->o.on_change(d->o.arg, e) : 0;
}

static bool usable(const struct device *v)
{
    return v->claim >= 0 && v->state != OUT;
}

static size_t count_usable(const struct devices *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        n += usable(&d->list[i]);
    return n;
}

/* ---- claims ------------------------------------------------------------------------------------------------------ */

static void rest(struct device *v)
{
    if (v->all->o.check_ns > 0)
        loop_timer_arm(v->timer, v->all->o.check_ns, 0);
    else
        loop_timer_disarm(v->timer);
}

static void search_later(struct devices *d)
{
    int64_t longest = d->o.retry_ns * BACKOFF_TIMES;
    d->search_wait = d->search_wait ? 2 * d->search_wait : d->o.retry_ns;
    if (d->search_wait > longest)
        d->search_wait = longest;
    if (d->o.check_ns > 0)
        loop_timer_arm(d->search_timer, d->search_wait, 0);
}

/* As many devices as our sets need; one that went out is replaced by a spare one. */
static void claim_needed(struct devices *d)
{
    size_t need = d->o.sets_max ? (size_t)d->o.sets_max * d->o.per_set : d->n, have = count_usable(d);
    bool spare = false;
    for (size_t i = 0; i < d->n && have < need; i++) {
        struct device *v = &d->list[i];
        if (v->state == SPARE && v->claim < 0)
            v->claim = claim_take(v->gpu.uuid);
        spare |= v->state == SPARE && v->claim < 0;
        if (v->state != SPARE || v->claim < 0)
            continue;
        if (d->settled) { /* others have used it since it was last seen */
            v->state = CHECKING;
            v->give_up = mono_now() + d->o.return_ns;
            loop_timer_arm(v->timer, 0, 0);
        } else {
            v->state = FREE;
            rest(v);
        }
        have++;
    }
    if (spare && !loop_timer_armed(d->search_timer))
        search_later(d);
}

/* ---- verdicts ---------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int take_out(struct device *v, struct err *e, const char *fmt, ...)
{
    char why[sizeof v->why];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    struct devices *d = v->all;
    bool news = v->state != OUT || strcmp(why, v->why) != 0;
    int64_t longest = d->o.retry_ns * BACKOFF_TIMES;
    v->state = OUT;
    v->backoff = v->backoff ? 2 * v->backoff : d->o.retry_ns;
    if (v->backoff > longest)
        v->backoff = longest;
    loop_timer_arm(v->timer, v->backoff, 0);
    if (!news)
        return 0;
    memcpy(v->why, why, sizeof why);
    log_warn("gpu.out", KV_STR("uuid", v->gpu.uuid), KV_STR("why", why), KV_I64("look_again_s", v->backoff / NS_PER_S));
    claim_needed(d);
    return changed(d, e);
}

static int put_back(struct device *v, struct err *e)
{
    if (v->state == OUT)
        log_info("gpu.back", KV_STR("uuid", v->gpu.uuid), KV_STR("was", v->why),
                 KV_I64("free_bytes", v->gpu.free_bytes));
    v->state = v->claim >= 0 ? FREE : SPARE;
    v->idle_free = v->gpu.free_bytes;
    v->returning = false;
    v->backoff = 0;
    v->why[0] = '\0';
    rest(v);
    claim_needed(v->all);
    return changed(v->all, e);
}

static bool in_time(const struct device *v)
{
    return v->state == CHECKING && mono_now() < v->give_up;
}

static int judge(struct device *v, const struct gpu *seen, struct err *e)
{
    v->gpu = *seen;
    v->all->looks++;
    if (strcmp(seen->state, "ok") != 0)
        return take_out(v, e, "%s", seen->state);
    uint64_t missing = v->returning && v->idle_free > seen->free_bytes ? v->idle_free - seen->free_bytes : 0;
    if (missing <= v->all->o.leak_bytes)
        return put_back(v, e);
    if (in_time(v)) {
        loop_timer_arm(v->timer, LOOK_AGAIN, 0);
        return 0;
    }
    return take_out(v, e, "leaking: its exec is gone, and %.2f of %.2f GiB are not free again",
                    (double)missing / 0x1p30, (double)v->idle_free / 0x1p30);
}

/* The probe itself failed, which says nothing of the device until it goes on for long. */
static int judge_silence(struct device *v, const struct err *why, struct err *e)
{
    if (why->kind == ERR_INTERRUPTED)
        return take_out(v, e, "sick: no answer, it or its driver is stuck");
    if (in_time(v)) {
        loop_timer_arm(v->timer, LOOK_AGAIN, 0);
        return 0;
    }
    return take_out(v, e, "quarantined: cannot be looked at: %.120s", why->text);
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

static bool has_uuid(const struct device *v)
{
    return strncmp(v->gpu.uuid, INDEX_PREFIX, strlen(INDEX_PREFIX)) != 0;
}

static const struct gpu *find_seen(const struct device *v, const struct gpu_list *list)
{
    if (!has_uuid(v)) /* it was asked for alone */
        return list->n ? &list->gpus[0] : NULL;
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->gpus[i].uuid, v->gpu.uuid) == 0)
            return &list->gpus[i];
    return NULL;
}

static int on_look(const struct gpu_list *list, const struct err *why, void *arg, struct err *e)
{
    struct device *v = arg;
    if (!list)
        return judge_silence(v, why, e);
    const struct gpu *seen = find_seen(v, list);
    if (!seen)
        return take_out(v, e, "sick: it is no longer there%s%.100s", list->note[0] ? ": " : "", list->note);
    return judge(v, seen, e);
}

/* What CUDA_VISIBLE_DEVICES must be for this device alone. */
static void visible_name(const struct device *v, char *out, size_t room)
{
    const char *ours = getenv("CUDA_VISIBLE_DEVICES");
    snprintf(out, room, "%s", v->gpu.uuid);
    if (has_uuid(v))
        return;
    long index = strtol(v->gpu.uuid + strlen(INDEX_PREFIX), NULL, 10);
    snprintf(out, room, "%ld", index);
    for (; ours && index > 0; index--) {
        ours = strchr(ours, ',');
        ours = ours ? ours + 1 : NULL;
    }
    if (ours && ours[0])
        snprintf(out, room, "%.*s", (int)strcspn(ours, ","), ours);
}

static int look(struct device *v, struct err *e)
{
    struct devices *d = v->all;
    char visible[80];
    struct err why = { 0 };
    if (v->probe && !probe_over(v->probe))
        return take_out(v, e, "sick: a probe of it cannot even be killed");
    probe_destroy(TAKE(v->probe));
    visible_name(v, visible, sizeof visible);
    const struct probe_options o = { d->o.loop, d->o.exec_path, visible, d->o.timeout_ns, on_look, v };
    v->probe = probe_start(&o, &why);
    return v->probe ? 0 : judge_silence(v, &why, e);
}

static int on_timer(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct device *v = arg;
    if (v->state == FREE) {
        v->state = CHECKING;
        v->give_up = mono_now() + v->all->o.return_ns;
    }
    return look(v, e);
}

/* ---- searching, while there are none ----------------------------------------------------------------------------- */

static int add_devices(struct devices *d, const struct gpu_list *list, struct err *e)
{
    d->probed = *list;
    for (size_t i = 0; i < list->n; i++) {
        struct device *v = &d->list[i];
        bool ok = strcmp(list->gpus[i].state, "ok") == 0;
        *v = (struct device){ .all = d,
                              .gpu = list->gpus[i],
                              .state = ok ? SPARE : OUT,
                              .claim = -1,
                              .idle_free = list->gpus[i].free_bytes };
        v->timer = loop_add_timer(d->o.loop, -1, 0, on_timer, v, e);
        if (!v->timer)
            return -1;
        d->n++;
        if (ok)
            continue;
        snprintf(v->why, sizeof v->why, "%s", v->gpu.state);
        v->backoff = d->o.retry_ns;
        loop_timer_arm(v->timer, v->backoff, 0);
    }
    claim_needed(d);
    d->settled = d->n > 0;
    return 0;
}

static int on_found(const struct gpu_list *list, const struct err *why, void *arg, struct err *e)
{
    (void)why;
    struct devices *d = arg;
    bool news = list && (list->n || list->n_executors != d->probed.n_executors);
    if (!list || list->n == 0)
        search_later(d);
    if (!news)
        return 0;
    log_info("gpu.found", KV_I64("devices", list->n), KV_I64("executors", list->n_executors));
    TRY(add_devices(d, list, e));
    return changed(d, e);
}

static int on_search(struct loop *l, void *arg, struct err *e)
{
    struct devices *d = arg;
    struct err why = { 0 };
    if (d->n) {
        size_t had = count_usable(d);
        claim_needed(d);
        return count_usable(d) > had ? changed(d, e) : 0;
    }
    if (d->search && !probe_over(d->search)) {
        search_later(d);
        return 0;
    }
    probe_destroy(TAKE(d->search));
    const struct probe_options o = { l, d->o.exec_path, NULL, d->o.timeout_ns, on_found, d };
    d->search = probe_start(&o, &why);
    if (!d->search)
        search_later(d);
    return 0;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct devices *devices_create(const struct devices_options *o, struct err *e)
{
    AUTO(devices_destroy) struct devices *d = calloc(1, sizeof *d);
    if (!d)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    d->o = *o;
    d->search_timer = loop_add_timer(o->loop, -1, 0, on_search, d, e);
    if (!d->search_timer || add_devices(d, o->first, e) < 0)
        return NULL;
    d->o.first = NULL; /* copied */
    if (d->n == 0)
        search_later(d);
    return TAKE(d);
}

void devices_destroy(struct devices *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++) {
        probe_destroy(d->list[i].probe);
        loop_remove_timer(d->list[i].timer);
        if (d->list[i].claim >= 0)
            close(d->list[i].claim);
    }
    probe_destroy(d->search);
    loop_remove_timer(d->search_timer);
    free(d);
}

/* ---- asking and taking ------------------------------------------------------------------------------------------- */

size_t devices_sets(const struct devices *d)
{
    size_t sets = count_usable(d) / d->o.per_set;
    return d->o.sets_max && sets > d->o.sets_max ? d->o.sets_max : sets;
}

static size_t count_state(const struct devices *d, enum state s)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        n += d->list[i].state == s;
    return n;
}

size_t devices_free(const struct devices *d)
{
    return count_state(d, FREE);
}

bool devices_checking(const struct devices *d)
{
    return count_state(d, CHECKING) > 0;
}

bool devices_take(struct devices *d, size_t n, size_t *which)
{
    if (devices_free(d) < n)
        return false;
    for (size_t i = 0, at = 0; at < n; i++) {
        if (d->list[i].state != FREE)
            continue;
        d->list[i].state = HELD;
        loop_timer_disarm(d->list[i].timer);
        which[at++] = i;
    }
    return true;
}

void devices_release(struct devices *d, const size_t *which, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct device *v = &d->list[which[i]];
        v->returning = true;
        v->give_up = mono_now() + d->o.return_ns;
        if (v->state == HELD)
            v->state = CHECKING;
        loop_timer_arm(v->timer, 0, 0);
    }
}

void devices_lose(struct devices *d, const size_t *which, size_t n, const char *why)
{
    for (size_t i = 0; i < n; i++) {
        struct device *v = &d->list[which[i]];
        v->state = OUT;
        v->returning = true;
        v->backoff = d->o.retry_ns;
        snprintf(v->why, sizeof v->why, "quarantined: %s", why);
        loop_timer_arm(v->timer, v->backoff, 0);
        log_warn("gpu.out", KV_STR("uuid", v->gpu.uuid), KV_STR("why", v->why));
    }
    claim_needed(d);
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

static const char *out_state(const struct device *v)
{
    static const char *const words[] = { "sick", "leaking" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strncmp(v->why, words[i], strlen(words[i])) == 0)
            return words[i];
    return "quarantined";
}

size_t devices_view(const struct devices *d, struct device_view out[GPU_MAX])
{
    size_t left = devices_sets(d) * d->o.per_set;
    for (size_t i = 0; i < d->n; i++) {
        const struct device *v = &d->list[i];
        out[i] = (struct device_view){ &v->gpu, v->state == OUT ? out_state(v) : "spare" };
        if (v->state == HELD && left) {
            out[i].state = "ok";
            left--;
        }
    }
    for (size_t i = 0; i < d->n && left; i++)
        if (usable(&d->list[i]) && d->list[i].state != HELD) {
            out[i].state = "ok";
            left--;
        }
    return d->n;
}

const char *devices_uuid(const struct devices *d, size_t which)
{
    return d->list[which].gpu.uuid;
}

uint64_t devices_looks(const struct devices *d)
{
    return d->looks;
}

const struct gpu_list *devices_probed(const struct devices *d)
{
    return &d->probed;
}

bool devices_owns(const struct devices *d, pid_t pid)
{
    if (d->search && probe_pid(d->search) == pid)
        return true;
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].probe && probe_pid(d->list[i].probe) == pid)
            return true;
    return false;
}
