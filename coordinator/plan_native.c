/* Settings that the native executor does not have, said before anything runs: its tasks would say so too, but a stage2's only
 * after days of other work. */
#include <string.h>

#include "coordinator/plan_build.h"

static bool is_native(const struct plan_build *b, enum plan_kind kind)
{
    return plan_executor(b->s, kind)->use == USE_NATIVE;
}

static int check_training(struct plan_build *b, enum plan_kind kind, const struct train_conf *t, struct err *e)
{
    const char *name = plan_kinds[kind].name;
    if (!is_native(b, kind))
        return 0;
    if (t->precision == 1)
        return conf_fail(b->conf, t->line, e, "the native %s computes in bf16 or fp32, not in fp16: set %s.precision", name,
                         name);
    if (t->connector != 0)
        return conf_fail(b->conf, t->line, e, "the native %s has the connector mlp2x_gelu alone: set %s.connector, or use a "
                         "command", name, name);
    if (kind == KIND_STAGE1 && t->tune != 0)
        return conf_fail(b->conf, t->line, e, "the native stage1 trains the connector alone: set stage1.tune = \"connector\"");
    return 0;
}

static int check_evaluate(struct plan_build *b, struct err *e)
{
    const struct evaluate_conf *v = &b->s->evaluate;
    if (!is_native(b, KIND_EVALUATE))
        return 0;
    if (v->temperature > 0)
        return conf_fail(b->conf, 0, e, "evaluate.temperature = %g: the native evaluate decodes greedily; set 0, or use a command",
                         v->temperature);
    if (v->judge != 0)
        return conf_fail(b->conf, 0, e, "evaluate.judge = \"external\": the native evaluate has no other model to ask; set "
                         "\"none\", or use a command");
    return 0;
}

static int check_fusion(struct plan_build *b, struct err *e)
{
    static const enum plan_kind fuse[] = { KIND_STAGE1, KIND_STAGE2, KIND_SCORE_A, KIND_EVALUATE };
    for (size_t k = 0; k < ARRAY_LEN(fuse); k++)
        for (size_t r = 0; is_native(b, fuse[k]) && r < plan_scored(b->p); r++) {
            const char *fusion = json_string_value(json_object_get(b->representations[r], "fusion"));
            if (fusion && strcmp(fusion, "raw") != 0)
                return conf_fail(b->conf, 0, e, "representation '%.80s': the native %s puts features side by side as they "
                                 "are; set fusion = \"raw\", or use a command", b->p->representations[r].name,
                                 plan_kinds[fuse[k]].name);
        }
    return 0;
}

int plan_check_native(struct plan_build *b, struct err *e)
{
    TRY(check_training(b, KIND_STAGE1, &b->s->stage1, e));
    TRY(check_training(b, KIND_STAGE2, &b->s->stage2, e));
    TRY(check_evaluate(b, e));
    return check_fusion(b, e);
}
