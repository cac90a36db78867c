/* Recipes: what they default to, the rates of their steps against transformers' schedule, JSON and its mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "common/digest.h"
#include "worker/train/recipe.h"

static void test_defaults_are_llavas(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct train_recipe one = train_recipe_default(TRAIN_STAGE1), two = train_recipe_default(TRAIN_STAGE2);
    assert_int_equal(train_recipe_check(&one, &e), 0);
    assert_int_equal(train_recipe_check(&two, &e), 0);
    assert_int_equal(one.chunks, 8);
    assert_int_equal(one.batch / one.chunks, 32); /* what one of LLaVA's devices takes */
    assert_int_equal(two.batch / two.chunks, 16);
    assert_int_equal(train_recipe_steps(&one, 558128), 2181);
    assert_int_equal(train_recipe_steps(&two, 665298), 5198);
    assert_string_equal(train_stage_name(two.stage), "stage2");
}

/* get_cosine_schedule_with_warmup(num_warmup_steps=ceil(0.03 * 2181), 2181) at 1e-3, worked out once more. */
static void test_rates(void **state)
{
    (void)state;
    struct train_recipe r = train_recipe_default(TRAIN_STAGE1);
    const int64_t steps = 2181;
    assert_true(train_recipe_rate(&r, steps, 0) == 0);
    assert_true(fabs(train_recipe_rate(&r, steps, 33) - 1e-3 * 33 / 66) < 1e-15);
    assert_true(train_recipe_rate(&r, steps, 66) == 1e-3);
    assert_true(fabs(train_recipe_rate(&r, steps, 66 + 2115 / 3) - 1e-3 * 0.75) < 1e-15); /* cos(60 degrees) */
    double last = train_recipe_rate(&r, steps, steps - 1);
    assert_true(last > 0 && last < 1e-9);
    r.schedule = TRAIN_LINEAR;
    assert_true(fabs(train_recipe_rate(&r, steps, 66 + 705) - 1e-3 * 2 / 3) < 1e-15);
    r.schedule = TRAIN_CONSTANT;
    assert_true(train_recipe_rate(&r, steps, 2000) == 1e-3);
    r.warmup_ratio = 0;
    assert_true(train_recipe_rate(&r, steps, 0) == 1e-3);
}

static void test_json_and_back(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct train_recipe r = train_recipe_default(TRAIN_STAGE2), back = train_recipe_default(TRAIN_STAGE1);
    r.tune = TRAIN_LORA;
    r.lora_alpha = 12.5;
    r.grad_clip = 1;
    r.samples = 77;
    r.connector_learning_rate = 2e-6;
    assert_int_equal(train_recipe_check(&r, &e), 0);
    AUTO(json_decref) json_t *j = train_recipe_json(&r);
    assert_string_equal(json_string_value(json_object_get(j, "tune")), "lora");
    assert_int_equal(train_recipe_read(&back, j, &e), 0);
    AUTO(json_decref) json_t *again = train_recipe_json(&back);
    assert_true(json_equal(j, again));
}

static void refuse(const char *text, const char *part)
{
    struct err e = { 0 };
    struct train_recipe r = train_recipe_default(TRAIN_STAGE1);
    AUTO(json_decref) json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(j);
    assert_true(train_recipe_read(&r, j, &e) < 0 || train_recipe_check(&r, &e) < 0);
    assert_int_equal(e.kind, ERR_INPUT);
    if (!strstr(e.text, part))
        fail_msg("'%s' is not in: %s", part, e.text);
}

static void test_mistakes_are_named(void **state)
{
    (void)state;
    refuse("[]", "must be an object");
    refuse("{\"batch\": \"8\"}", "training.batch must be a whole number");
    refuse("{\"batch\": 8.5}", "training.batch must be a whole number");
    refuse("{\"epochs\": true}", "training.epochs must be a number");
    refuse("{\"schedule\": \"sine\"}", "training.schedule: there is no choice 'sine'");
    refuse("{\"schedule\": 1}", "(no text)");
    refuse("{\"batch\": 0}", "training.batch is 0; it must be from 1");
    refuse("{\"batch\": 12, \"chunks\": 8}", "12 cannot be cut into 8");
    refuse("{\"precision\": \"fp16\"}", "loss scaling");
    refuse("{\"connector_learning_rate\": 0.001}", "connector_learning_rate is for stage 2");
    refuse("{\"tune\": \"full\"}", "stage 1 trains the connector alone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_llavas),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_json_and_back),
        cmocka_unit_test(test_mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
