#include "worker/pretrain/fresh.h"

#include <math.h>
#include <string.h>

static bool is_table(const char *name)
{
    static const char *const parts[] = {
        "position", "cls_token", "class_embedding", "embed_tokens", "lm_head", "words"
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strstr(name, parts[i]))
            return true;
    return false;
}

void fresh_widen(struct params *p)
{
    const char *name;
    struct tensor *x;
    for (size_t i = 0; (x = params_next(p, &i, &name));)
        if (th_rank(x) > 1 && !is_table(name))
            th_mul_s_(x, 1 / sqrt(3.0 * (double)(th_numel(x) / th_size(x, 0))) / 0.02);
}
