/* Executor `fake`: behaves as told, for load and fault tests and for trying a config before paying for it.
 *
 *     {"identity": {"fake": {KEY: VALUE, ...}}}
 *
 * keys: see the table below. Without any it succeeds at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mono.h"
#include "common/own.h"
#include "common/parse.h"
#include "worker/exec/executor.h"

#define MAX_SLEEP_MS 864000000.0 /* ten days */
#define MAX_LEAK ((json_int_t)1 << 36)

enum behaviour { SUCCEED, FAIL_AS, CHECKPOINT, CRASH, HANG, LIE, LEAK };

static const struct {
    const char *name;
    enum behaviour does;
} behaviours[] = {
    { "succeed", SUCCEED }, { "checkpoint", CHECKPOINT }, { "crash", CRASH },
    { "hang", HANG },       { "lie", LIE },               { "leak", LEAK },
};

struct fake {
    double sleep_low_ms, sleep_high_ms; /* "sleep_ms": 20 or [10, 30] */
    enum behaviour outcome;             /* "outcome": succeed, fail:CLASS, checkpoint, crash, hang, lie, leak */
    Acsweep__FailureClass class;
    json_int_t fail_attempts;           /* misbehave in the first N attempts, then succeed; 0 = in all of them */
    json_int_t leak_bytes;              /* how much `leak` keeps, 64 MiB unless told */
    json_int_t seed;                    /* of the random sleep */
    json_t *metrics;                    /* object: name -> number */
};

static const char *const keys[] = { "sleep_ms", "outcome", "fail_attempts", "leak_bytes", "seed", "metrics" };

static int bad_key(const char *key, struct err *e)
{
    const char *near = parse_nearest(key, keys, ARRAY_LEN(keys));
    return FAIL(e, ERR_INPUT, "identity.fake.%.60s is not a key of the fake executor%s%s%s", key,
                near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

static int get_int(json_t *fake, const char *key, json_int_t high, json_int_t *out, struct err *e)
{
    json_t *v = json_object_get(fake, key);
    if (!v)
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > high)
        return FAIL(e, ERR_INPUT, "identity.fake.%s must be a whole number in 0..%lld", key, (long long)high);
    *out = json_integer_value(v);
    return 0;
}

static int get_sleep(json_t *fake, struct fake *f, struct err *e)
{
    json_t *v = json_object_get(fake, "sleep_ms");
    if (!v)
        return 0;
    json_t *low = json_is_array(v) ? json_array_get(v, 0) : v, *high = json_is_array(v) ? json_array_get(v, 1) : v;
    f->sleep_low_ms = json_number_value(low);
    f->sleep_high_ms = json_number_value(high);
    if (!json_is_number(low) || !json_is_number(high) || f->sleep_low_ms < 0 || f->sleep_high_ms < f->sleep_low_ms ||
        f->sleep_high_ms > MAX_SLEEP_MS || (json_is_array(v) && json_array_size(v) != 2))
        return FAIL(e, ERR_INPUT, "identity.fake.sleep_ms must be a number of milliseconds or [low, high]");
    return 0;
}

static int get_outcome(json_t *fake, struct fake *f, struct err *e)
{
    json_t *v = json_object_get(fake, "outcome");
    const char *name = json_string_value(v);
    bool fails_first = f->fail_attempts > 0;
    f->outcome = fails_first ? FAIL_AS : SUCCEED;
    f->class = ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE;
    if (!v)
        return 0;
    for (size_t i = 0; name && i < ARRAY_LEN(behaviours); i++)
        if (strcmp(behaviours[i].name, name) == 0) {
            f->outcome = behaviours[i].does;
            return 0;
        }
    int class = name && strncmp(name, "fail:", 5) == 0 ? executor_class_by_name(name + 5) : -1;
    if (class < 0)
        return FAIL(e, ERR_INPUT, "identity.fake.outcome must be succeed, fail:CLASS (infrastructure, preempted, gpu_oom, "
                                  "host_oom, data, code, timeout), checkpoint, crash, hang, lie or leak");
    f->outcome = FAIL_AS;
    f->class = (Acsweep__FailureClass)class;
    return 0;
}

static int fake_read(const struct exec_task *t, struct fake *f, struct err *e)
{
    json_t *fake = json_object_get(t->identity, "fake"), *value;
    const char *key;
    *f = (struct fake){ .leak_bytes = 64 << 20, .metrics = json_object_get(fake, "metrics") };
    if (fake && !json_is_object(fake))
        return FAIL(e, ERR_INPUT, "identity.fake must be an object");
    json_object_foreach(fake, key, value) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            known |= strcmp(key, keys[i]) == 0;
        if (!known)
            return bad_key(key, e);
    }
    if (f->metrics && !json_is_object(f->metrics))
        return FAIL(e, ERR_INPUT, "identity.fake.metrics must be an object of numbers");
    json_object_foreach(f->metrics, key, value)
        if (!json_is_number(value))
            return FAIL(e, ERR_INPUT, "identity.fake.metrics.%.60s must be a number", key);
    TRY(get_int(fake, "fail_attempts", 1000000, &f->fail_attempts, e));
    TRY(get_int(fake, "leak_bytes", MAX_LEAK, &f->leak_bytes, e));
    TRY(get_int(fake, "seed", INT64_MAX, &f->seed, e));
    TRY(get_sleep(fake, f, e));
    return get_outcome(fake, f, e);
}

/* splitmix64 of seed and attempt: the same attempt always sleeps as long. */
static double random_unit(const struct fake *f, const Acsweep__Token *t)
{
    uint64_t x = (uint64_t)f->seed * 0x9e3779b97f4a7c15u + t->task_id * 0xbf58476d1ce4e5b9u + t->attempt;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (double)((x ^ (x >> 31)) >> 11) / 9007199254740992.0;
}

/* Memory that is never given back, on purpose; the pointer is kept so that it stays in use between tasks. */
static int leak(json_int_t bytes, struct err *e)
{
    static void *kept;
    void **chunk = malloc((size_t)bytes + sizeof(void *));
    if (!chunk)
        return FAIL_NOMEM(e);
    memset(chunk, 0x5a, (size_t)bytes + sizeof(void *));
    *chunk = kept;
    kept = chunk;
    return 0;
}

static int fake_check(const struct exec_task *t, struct err *e)
{
    struct fake f;
    return fake_read(t, &f, e);
}

static int misbehave(const struct exec_task *t, const struct fake *f, struct exec_result *r, struct err *e)
{
    switch (f->outcome) {
    case CRASH:
        abort();
    case HANG: /* deaf to a cancel: only the agent's SIGKILL ends it */
        for (;;)
            pause();
    case FAIL_AS:
        exec_result_fail(r, f->class, "the fake executor was told to fail (attempt %u)", t->token->attempt);
        return 0;
    case CHECKPOINT:
        r->outcome = ACSWEEP__OUTCOME__CHECKPOINTED;
        return 0;
    case LIE:
        r->reported.attempt++;
        return 0;
    case LEAK:
        return leak(f->leak_bytes, e);
    case SUCCEED:
        return 0;
    }
    return 0;
}

static int fake_run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    struct fake f;
    TRY(fake_read(t, &f, e));
    double ms = f.sleep_low_ms + (f.sleep_high_ms - f.sleep_low_ms) * random_unit(&f, t->token);
    if (ms > 0 && exec_wait(t, (int64_t)(ms * (double)NS_PER_MS))) {
        exec_result_cancelled(t, r);
        return 0;
    }
    r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    if (f.fail_attempts == 0 || t->token->attempt <= f.fail_attempts)
        TRY(misbehave(t, &f, r, e));
    const char *key;
    json_t *value;
    if (r->outcome == ACSWEEP__OUTCOME__SUCCEEDED)
        json_object_foreach(f.metrics, key, value)
            TRY(exec_result_metric(r, key, json_number_value(value), e));
    return 0;
}

const struct executor exec_fake = { "fake", fake_check, fake_run, NULL };
