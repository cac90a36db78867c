#include "worker/train/recipe.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum kind { INTEGER, REAL, CHOICE };

struct key {
    const char *name;
    enum kind kind;
    size_t at;
    double lo, hi;
    const char *choices[4];
};

#define INT_(field, lo, hi) { #field, INTEGER, offsetof(struct train_recipe, field), (lo), (hi), { 0 } }
#define REAL_(field, lo, hi) { #field, REAL, offsetof(struct train_recipe, field), (lo), (hi), { 0 } }
#define CHOICE_(field, ...) { #field, CHOICE, offsetof(struct train_recipe, field), 0, 0, { __VA_ARGS__ } }

/* Choices in the order of their enums. */
static const struct key keys[] = {
    CHOICE_(stage, "stage1", "stage2"),
    CHOICE_(tune, "connector", "full", "lora"),
    CHOICE_(schedule, "cosine", "linear", "constant"),
    CHOICE_(optimizer, "adamw", "sgd"),
    CHOICE_(precision, "bf16", "fp16", "fp32"),
    CHOICE_(template, "plain", "v1"),
    CHOICE_(sampler, "random", "grouped"),
    INT_(samples, 0, 1e12),
    INT_(batch, 1, 1048576),
    INT_(chunks, 0, 1048576),
    INT_(max_length, 16, 1048576),
    INT_(lora_rank, 1, 65536),
    INT_(seed, 0, 4294967295.0),
    REAL_(epochs, 0.000001, 1000),
    REAL_(learning_rate, 0, 10),
    REAL_(connector_learning_rate, 0, 10),
    REAL_(warmup_ratio, 0, 1),
    REAL_(weight_decay, 0, 10),
    REAL_(grad_clip, 0, 1e12),
    REAL_(lora_alpha, 0, 1e12),
};

#define AT(r, key, type) ((type *)((char *)(r) + (key)->at))

struct train_recipe train_recipe_default(enum train_stage stage)
{
    struct train_recipe r = { .stage = stage,
                              .batch = 256,
                              .max_length = 2048,
                              .lora_rank = 128,
                              .lora_alpha = 256,
                              .seed = 42,
                              .epochs = 1,
                              .learning_rate = 1e-3,
                              .warmup_ratio = 0.03 };
    if (stage == TRAIN_STAGE1)
        return r;
    r.tune = TRAIN_FULL;
    r.template = TRAIN_V1;
    r.sampler = TRAIN_GROUPED;
    r.batch = 128;
    r.learning_rate = 2e-5;
    return r;
}

const char *train_stage_name(int stage)
{
    return keys[0].choices[stage];
}

/* ---- checks ---------------------------------------------------------------------------------------------------------
 */

static int64_t common_divisor(int64_t a, int64_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

static int check_range(const struct train_recipe *r, const struct key *k, struct err *e)
{
    double value = k->kind == REAL ? *AT(r, k, const double) : (double)*AT(r, k, const int64_t);
    if (value >= k->lo && value <= k->hi) /* false for NaN */
        return 0;
    return FAIL(e, ERR_INPUT, "training.%s is %g; it must be from %g to %g", k->name, value, k->lo, k->hi);
}

int train_recipe_check(struct train_recipe *r, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].kind != CHOICE)
            TRY(check_range(r, &keys[i], e));
    if (r->chunks == 0)
        r->chunks = common_divisor(r->batch, 8);
    if (r->batch % r->chunks != 0)
        return FAIL(e, ERR_INPUT, "a batch of %lld cannot be cut into %lld chunks of equal size", (long long)r->batch,
                    (long long)r->chunks);
    if (r->precision == TRAIN_FP16)
        return FAIL(e, ERR_INPUT, "training.precision = fp16 would need loss scaling, which is not built in; use bf16");
    if (r->stage == TRAIN_STAGE1 && r->tune != TRAIN_CONNECTOR)
        return FAIL(e, ERR_INPUT, "stage 1 trains the connector alone; training.tune must be \"connector\"");
    if (r->connector_learning_rate > 0 && (r->stage == TRAIN_STAGE1 || !(r->learning_rate > 0)))
        return FAIL(e, ERR_INPUT, "training.connector_learning_rate is for stage 2, beside a learning_rate above 0");
    return 0;
}

/* ---- JSON -----------------------------------------------------------------------------------------------------------
 */

static json_t *value_json(const struct train_recipe *r, const struct key *k)
{
    if (k->kind == INTEGER)
        return json_integer(*AT(r, k, const int64_t));
    if (k->kind == REAL)
        return json_real(*AT(r, k, const double));
    return json_string(k->choices[*AT(r, k, const int)]);
}

json_t *train_recipe_json(const struct train_recipe *r)
{
    json_t *o = json_object();
    for (size_t i = 0; o && i < ARRAY_LEN(keys); i++)
        if (json_object_set_new(o, keys[i].name, value_json(r, &keys[i])) < 0) {
            json_decref(o);
            return NULL;
        }
    return o;
}

static int read_choice(int *out, const struct key *k, const char *name, struct err *e)
{
    for (int i = 0; name && i < (int)ARRAY_LEN(k->choices) && k->choices[i]; i++)
        if (strcmp(k->choices[i], name) == 0) {
            *out = i;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "training.%s: there is no choice '%.40s'", k->name, name ? name : "(no text)");
}

static int read_value(struct train_recipe *r, const struct key *k, const json_t *v, struct err *e)
{
    if (k->kind == CHOICE)
        return read_choice(AT(r, k, int), k, json_string_value(v), e);
    if (!json_is_number(v) || (k->kind == INTEGER && !json_is_integer(v)))
        return FAIL(e, ERR_INPUT, "training.%s must be a %s", k->name, k->kind == INTEGER ? "whole number" : "number");
    if (k->kind == INTEGER)
        *AT(r, k, int64_t) = json_integer_value(v);
    else
        *AT(r, k, double) = json_number_value(v);
    return 0;
}

int train_recipe_read(struct train_recipe *r, const json_t *from, struct err *e)
{
    if (!json_is_object(from))
        return FAIL(e, ERR_INPUT, "training must be an object");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const json_t *v = json_object_get(from, keys[i].name);
        if (v)
            TRY(read_value(r, &keys[i], v, e));
    }
    return 0;
}

/* ---- schedule -------------------------------------------------------------------------------------------------------
 */

int64_t train_recipe_steps(const struct train_recipe *r, size_t n)
{
    int64_t a_epoch = ((int64_t)n + r->batch - 1) / r->batch;
    return (int64_t)ceil(r->epochs * (double)a_epoch);
}

double train_recipe_rate(const struct train_recipe *r, int64_t steps, int64_t step)
{
    double warm = ceil(r->warmup_ratio * (double)steps), at = (double)step;
    if (at < warm)
        return r->learning_rate * at / fmax(1, warm);
    double done = (at - warm) / fmax(1, (double)steps - warm);
    switch (r->schedule) {
    case TRAIN_COSINE:
        return r->learning_rate * fmax(0, 0.5 * (1 + cos(M_PI * done)));
    case TRAIN_LINEAR:
        return r->learning_rate * fmax(0, 1 - done);
    default:
        return r->learning_rate;
    }
}
