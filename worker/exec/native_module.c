/* The module's table: what this program computes itself, by kind of task. */
#include <string.h>

#include "worker/exec/native.h"
#include "worker/exec/native_content.h"
#include "worker/tool/extract_tool.h"

static const struct native_kind *const kinds[] = { &native_identify, &native_extract, &native_score_c,  &native_stage1,
                                                  &native_score_a,  &native_stage2,  &native_evaluate };

static const struct native_kind *kind_of(const struct exec_task *t, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i]->kind, t->spec->kind) == 0)
            return kinds[i];
    return FAIL_NULL(e, ERR_INPUT,
                     "the native executor has no task of kind '%.40s' yet; set executors.%.40s.use = \"command\"",
                     t->spec->kind, t->spec->kind);
}

static int native_check(const struct exec_task *t, struct err *e)
{
    const struct native_kind *k = kind_of(t, e);
    return k ? k->check(t, e) : -1;
}

static int native_run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    const struct native_kind *k = kind_of(t, e);
    return k && native_content_check(t, e) == 0 ? k->run(t, r, e) : -1;
}

/* What differs on this node fails the tasks that need it, each by itself. */
static int check_contents(struct exec_bundle *b, size_t *left, struct err *e)
{
    *left = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct err why = { 0 };
        if (b->done[i])
            continue;
        if (native_content_check(&b->tasks[i], &why) == 0) {
            ++*left;
            continue;
        }
        if (why.kind == ERR_INTERRUPTED)
            return *e = why, -1;
        exec_result_error(&b->tasks[i], &b->results[i], &why);
        TRY(exec_report(b, &i, 1, e));
    }
    return 0;
}

static int native_run_bundle(struct exec_bundle *b, struct err *e)
{
    const struct native_kind *k = kind_of(&b->tasks[0], e);
    for (size_t i = 1; k && i < b->n; i++)
        if (strcmp(b->tasks[i].spec->kind, k->kind) != 0)
            return exec_run_each(b, native_run, e);
    if (!k)
        return -1;
    if (!k->run_bundle)
        return exec_run_each(b, native_run, e);
    size_t left;
    TRY(check_contents(b, &left, e));
    return left ? k->run_bundle(b, e) : 0;
}

static const struct executor executor = { "native", native_check, native_run, native_run_bundle };

extern const struct native_module acsweep_native_module;
const struct native_module acsweep_native_module = { &executor, tool_main };
