/* The module's table: what this program computes itself, by kind of task. */
#include <string.h>

#include "worker/exec/native.h"
#include "worker/exec/native_content.h"
#include "worker/tool/extract_tool.h"

static const struct native_kind *const kinds[] = { &native_identify, &native_extract, &native_score_c };

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

static const struct executor executor = { "native", native_check, native_run };

extern const struct native_module acsweep_native_module;
const struct native_module acsweep_native_module = { &executor, tool_main };
