#include "worker/pretrain/fresh.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ALIGNED 2.0 /* of widened queries: a token then attends to its like by a few units more than to others */
#define TABLE_DEVIATION 0.1

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

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), len = strlen(end);
    return n >= len && strcmp(name + n - len, end) == 0;
}

/* The keys that stand beside the queries `name`, where they are as many. */
static struct tensor *keys_of(const struct params *p, const char *name, struct tensor *queries)
{
    static const char here[] = "q_proj.weight";
    char wanted[256];
    const char *other;
    struct tensor *x;
    snprintf(wanted, sizeof wanted, "%.*sk_proj.weight", (int)(strlen(name) - (sizeof here - 1)), name);
    for (size_t i = 0; (x = params_next(p, &i, &other));)
        if (strcmp(other, wanted) == 0 && th_numel(x) == th_numel(queries))
            return x;
    return NULL;
}

void fresh_decoder(struct params *p, int64_t layers)
{
    const char *name;
    struct tensor *x;
    fresh_widen(p);
    for (size_t i = 0; (x = params_next(p, &i, &name));) {
        if (ends_in(name, "embed_tokens.weight") || ends_in(name, "lm_head.weight"))
            th_mul_s_(x, TABLE_DEVIATION / 0.02);
        if (ends_in(name, "o_proj.weight") || ends_in(name, "down_proj.weight"))
            th_mul_s_(x, 1 / sqrt(2.0 * (double)layers));
        struct tensor *keys = ends_in(name, "q_proj.weight") ? keys_of(p, name, x) : NULL;
        if (keys) {
            th_mul_s_(x, ALIGNED);
            th_copy_(keys, x);
        }
    }
}
