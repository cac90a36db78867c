#include "coordinator/checks.h"

#include <math.h>
#include <string.h>

/* Names become keys of indices, whose rows PostgreSQL limits to about 2,700 bytes; people want them shorter still. */
#define NAME_MAX_BYTES 200
#define PATH_MAX_BYTES 4096
#define MESSAGE_MAX_BYTES 65536
#define METRICS_MAX 4096 /* as acsweep-exec has them, which refuses more where it can still say so */
#define ARTIFACTS_MAX 1024
#define INLINE_MAX_BYTES (1u << 20)
#define DEVICES_MAX 1024
#define EXECUTORS_MAX 256
#define SLOTS_MAX 4096
#define CREDITS_MAX 4096
#define EARLIEST_US INT64_C(0)
#define LATEST_US INT64_C(253402300799000000) /* the end of the year 9999 */

static int text(const char *what, const char *s, size_t max, struct err *e)
{
    size_t n = strlen(s);
    return n <= max ? 0 : FAIL(e, ERR_PEER, "%s is %zu bytes long; at most %zu are allowed", what, n, max);
}

static int number(const char *what, uint64_t v, uint64_t max, struct err *e)
{
    if (v <= max)
        return 0;
    return FAIL(e, ERR_PEER, "%s is %llu; at most %llu is allowed", what, (unsigned long long)v,
                (unsigned long long)max);
}

static int check_device(const Acsweep__Device *d, struct err *e)
{
    TRY(text("the UUID of a device", d->uuid, NAME_MAX_BYTES, e));
    TRY(text("the name of a device", d->name, NAME_MAX_BYTES, e));
    TRY(text("the state of a device", d->state, NAME_MAX_BYTES, e));
    TRY(number("the memory of a device", d->memory_bytes, INT64_MAX, e));
    return number("the compute capability of a device", d->compute_capability, 10000, e);
}

int check_hello(const Acsweep__Hello *h, struct err *e)
{
    if (!h->worker_id[0])
        return FAIL(e, ERR_PEER, "a worker without a worker_id");
    TRY(text("worker_id", h->worker_id, NAME_MAX_BYTES, e));
    TRY(text("node", h->node, NAME_MAX_BYTES, e));
    TRY(text("boot_id", h->boot_id, NAME_MAX_BYTES, e));
    TRY(text("version", h->version, NAME_MAX_BYTES, e));
    TRY(text("labels", h->labels, MESSAGE_MAX_BYTES, e));
    if (h->slots < 1)
        return FAIL(e, ERR_PEER, "worker %s offers no slot", h->worker_id);
    TRY(number("slots", h->slots, SLOTS_MAX, e));
    TRY(number("credits", h->credits, CREDITS_MAX, e));
    TRY(number("cpus", h->cpus, 1u << 20, e));
    TRY(number("memory_bytes", h->memory_bytes, INT64_MAX, e));
    TRY(number("the number of attempts held", h->n_running, CHECK_TOKENS_MAX, e));
    TRY(number("the number of devices", h->n_devices, DEVICES_MAX, e));
    TRY(number("the number of executors", h->n_executors, EXECUTORS_MAX, e));
    for (size_t i = 0; i < h->n_executors; i++)
        TRY(text("the name of an executor", h->executors[i], NAME_MAX_BYTES, e));
    for (size_t i = 0; i < h->n_devices; i++)
        TRY(check_device(h->devices[i], e));
    return 0;
}

static int check_metrics(const Acsweep__Result *r, struct err *e)
{
    TRY(number("the number of metrics", r->n_metrics, METRICS_MAX, e));
    for (size_t i = 0; i < r->n_metrics; i++) {
        const Acsweep__Metric *m = r->metrics[i];
        TRY(text("the name of a metric", m->name, NAME_MAX_BYTES, e));
        if (!isfinite(m->value))
            return FAIL(e, ERR_PEER, "the metric '%s' is not a finite number", m->name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(m->name, r->metrics[k]->name) == 0)
                return FAIL(e, ERR_PEER, "the metric '%s' comes twice", m->name);
    }
    return 0;
}

static int check_artifact(const Acsweep__ArtifactRef *a, struct err *e)
{
    TRY(text("the name of an artifact", a->name, NAME_MAX_BYTES, e));
    TRY(text("the digest of an artifact", a->digest, NAME_MAX_BYTES, e));
    TRY(text("the path of an artifact", a->path, PATH_MAX_BYTES, e));
    TRY(number("the size of an artifact", a->bytes, INT64_MAX, e));
    bool is_inline = strcmp(a->store, "inline") == 0;
    if (!is_inline && strcmp(a->store, "shared") && strcmp(a->store, "scratch"))
        return FAIL(e, ERR_PEER, "the artifact '%s' is in the unknown store '%.40s'", a->name, a->store);
    /* Successors are sent `bytes` of it, so it must have as many. */
    if (a->content.len != (is_inline ? a->bytes : 0))
        return FAIL(e, ERR_PEER, "the artifact '%s' says %llu bytes and brings %zu", a->name,
                    (unsigned long long)a->bytes, a->content.len);
    return number("the content of an artifact", a->content.len, INLINE_MAX_BYTES, e);
}

static int check_artifacts(const Acsweep__Result *r, struct err *e)
{
    TRY(number("the number of artifacts", r->n_artifacts, ARTIFACTS_MAX, e));
    for (size_t i = 0; i < r->n_artifacts; i++) {
        TRY(check_artifact(r->artifacts[i], e));
        for (size_t k = 0; k < i; k++)
            if (strcmp(r->artifacts[i]->name, r->artifacts[k]->name) == 0)
                return FAIL(e, ERR_PEER, "the artifact '%s' comes twice", r->artifacts[i]->name);
    }
    return 0;
}

int check_result_token(const Acsweep__Result *r, struct err *e)
{
    if (!r->token)
        return FAIL(e, ERR_PEER, "a result without a token");
    TRY(number("the attempt of a token", r->token->attempt, INT32_MAX, e));
    TRY(number("the task of a token", r->token->task_id, INT64_MAX, e));
    return number("the epoch of a token", r->token->epoch, INT64_MAX, e);
}

int check_result(const Acsweep__Result *r, struct err *e)
{
    TRY(text("the message", r->message, MESSAGE_MAX_BYTES, e));
    TRY(number("the number of devices", r->n_devices, DEVICES_MAX, e));
    for (size_t i = 0; i < r->n_devices; i++) {
        TRY(text("the UUID of a device", r->devices[i], NAME_MAX_BYTES, e));
    }
    TRY(check_metrics(r, e));
    return check_artifacts(r, e);
}

const char *check_needed_metric(const char *kind)
{
    static const struct {
        const char *kind, *metric;
    } needed[] = { { "score_a", "a" }, { "score_c", "c" }, { "evaluate", "performance" } };
    for (size_t k = 0; k < ARRAY_LEN(needed); k++)
        if (strcmp(needed[k].kind, kind) == 0)
            return needed[k].metric;
    return NULL;
}

bool check_has_metric(const Acsweep__Result *r, const char *name)
{
    for (size_t i = 0; i < r->n_metrics; i++)
        if (strcmp(r->metrics[i]->name, name) == 0)
            return true;
    return false;
}

int64_t check_time(int64_t unix_us)
{
    return unix_us >= EARLIEST_US && unix_us <= LATEST_US ? unix_us : 0;
}

double check_cost(double v)
{
    return isfinite(v) && v >= 0 && v < 1e12 ? v : 0;
}

int64_t check_bytes(uint64_t v)
{
    return v <= INT64_MAX ? (int64_t)v : 0;
}
