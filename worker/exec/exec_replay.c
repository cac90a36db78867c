/* Executor `replay`: answers with a recorded number, so that a policy can be checked on published data. Nothing is
 * computed. What is recorded travels with the task:
 *
 *     {"identity": {"replay": {"value": 0.788}}, "execution": {"replay": {"seconds": 0.05}}}
 *
 * Kinds that make a number need `value`; the others just succeed. `seconds` pretends that it took a while. */
#include <string.h>

#include "common/mono.h"
#include "common/own.h"
#include "worker/exec/executor.h"

#define MAX_SECONDS 86400.0

static const struct {
    const char *kind, *metrics[2];
} kinds[] = {
    { "score_a", { "a" } },
    { "score_c", { "c", "pck_0.10" } },
    { "evaluate", { "performance" } },
    { "extract", { NULL } },
    { "stage1", { NULL } },
    { "stage2", { NULL } },
    { "identify", { NULL } },
};

static int kind_find(const struct exec_task *t, size_t *i, struct err *e)
{
    for (*i = 0; *i < ARRAY_LEN(kinds); ++*i)
        if (strcmp(kinds[*i].kind, t->spec->kind) == 0)
            return 0;
    return FAIL(e, ERR_INPUT, "the replay executor knows no task of kind '%.40s'", t->spec->kind);
}

static int replay_seconds(const struct exec_task *t, double *seconds, struct err *e)
{
    json_t *v = json_object_get(json_object_get(t->execution, "replay"), "seconds");
    *seconds = json_number_value(v);
    if (v && (!json_is_number(v) || *seconds < 0 || *seconds > MAX_SECONDS))
        return FAIL(e, ERR_INPUT, "execution.replay.seconds must be a number in 0..%g", MAX_SECONDS);
    return 0;
}

static int replay_check(const struct exec_task *t, struct err *e)
{
    size_t kind;
    double seconds;
    TRY(kind_find(t, &kind, e));
    TRY(replay_seconds(t, &seconds, e));
    json_t *value = json_object_get(json_object_get(t->identity, "replay"), "value");
    if (!kinds[kind].metrics[0] || json_is_number(value))
        return 0;
    if (value && !json_is_null(value))
        return FAIL(e, ERR_INPUT, "%s: identity.replay.value must be a number", t->spec->label);
    return FAIL(e, ERR_INPUT, "%s: the replay table has no value for it; fill the cell or leave this out of the sweep",
                t->spec->label);
}

static int replay_run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    size_t kind;
    double seconds;
    TRY(kind_find(t, &kind, e));
    TRY(replay_seconds(t, &seconds, e));
    if (seconds > 0 && exec_wait(t, (int64_t)(seconds * (double)NS_PER_S))) {
        exec_result_cancelled(t, r);
        return 0;
    }
    double value = json_number_value(json_object_get(json_object_get(t->identity, "replay"), "value"));
    for (size_t i = 0; i < ARRAY_LEN(kinds[kind].metrics) && kinds[kind].metrics[i]; i++)
        TRY(exec_result_metric(r, kinds[kind].metrics[i], value, e));
    r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    return 0;
}

const struct executor exec_replay = { "replay", replay_check, replay_run, NULL };
