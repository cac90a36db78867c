/* Any bytes as a sweep.cfg: refused as bad input that names the place, or a plan whose graph is in order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan_cost.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any replay table that a config names. */
static char *read_table(const char *name, void *arg, struct err *e)
{
    (void)name;
    (void)arg;
    char *text = strdup("representation,c,a:B,perf:B\nE,1,0.5,60\nF,2,0.4,\n");
    return text ? text : FAIL_NULL(e, ERR_ENV, "out of memory");
}

static void check_plan(const struct plan *p)
{
    struct err e = { 0 };
    for (size_t i = 0; i < p->n_tasks; i++) {
        const struct plan_task *t = &p->tasks[i];
        if (strlen(t->identity) != 64)
            abort();
        for (size_t k = 0; k < t->n_inputs; k++)
            if (t->inputs[k].task >= i)
                abort();
    }
    struct plan_cost c = { 0 };
    AUTO(buf_free) struct buf dot = BUF_INIT((size_t)64 << 20);
    if (plan_cost(p, &c, &e) < 0)
        abort();
    plan_dot(p, false, &dot);
}

/* A million tasks are allowed and take a second: a round must be shorter, so numbers stay small here. */
static bool has_long_number(const char *text)
{
    for (const char *p = text; *p; p++)
        if (strspn(p, "0123456789abcdefABCDEFxX") > 5 && *p >= '0' && *p <= '9')
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(free) char *text = strndup((const char *)data, size);
    if (!text || has_long_number(text))
        return 0;
    const struct plan_known nothing = { .submission = "s" }; /* with an even size: content is identified first */
    AUTO(plan_destroy) struct plan *p = plan_load(text, "fuzz.cfg", read_table, NULL, size % 2 ? NULL : &nothing, &e);
    if (p)
        check_plan(p);
    else if (e.kind != ERR_INPUT)
        abort();
    return 0;
}
