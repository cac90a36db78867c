/* The A score: against torch (tests/golden/a_score), by hand, and what bad files are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "tests/unit/data_files.h"
#include "worker/score/a_dot.h"
#include "worker/score/a_score.h"
#include "worker/score/c_tokens.h"
#include "worker/torch/safetensors.h"

#define GOLDEN SOURCE_DIR "/tests/golden/a_score/"

static double number(const json_t *o, const char *key, const char *more)
{
    const json_t *v = json_object_get(o, key);
    v = more ? json_object_get(v, more) : v;
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static void expect_near(double got, double want, double within)
{
    if (!(fabs(got - want) <= within))
        fail_msg("%.9g, wanted %.9g within %g", got, want, within);
}

static const struct a_file references[] = { { "CLIP@336", GOLDEN "CLIP@336.safetensors" },
                                            { "CLIP@224", GOLDEN "CLIP@224.safetensors" } };

static struct a_options golden_options(enum a_arith arith)
{
    return (struct a_options){ .target = { "target", GOLDEN "target.safetensors" },
                               .references = references,
                               .n_references = ARRAY_LEN(references),
                               .arith = arith };
}

static json_t *score(const struct a_options *o)
{
    struct err e = { 0 };
    json_t *j = a_score(o, &e);
    if (!j)
        fail_msg("%s", e.text);
    return j;
}

static void against_torch(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *want = json_load_file(GOLDEN "expected.json", 0, NULL);
    static const double within[] = { [A_FP32] = 1e-6, [A_BF16] = 1e-12 };
    for (enum a_arith arith = A_FP32; arith <= A_BF16; arith++) {
        const json_t *w = json_object_get(want, a_arith_name(arith));
        struct a_options o = golden_options(arith);
        AUTO(json_decref) json_t *got = score(&o);
        expect_near(number(got, "a", NULL), number(w, "a", NULL), within[arith]);
        for (size_t i = 0; i < ARRAY_LEN(references); i++)
            expect_near(number(json_object_get(got, "references"), references[i].name, NULL),
                        number(w, "references", references[i].name), within[arith]);
        assert_int_equal(number(got, "n", NULL), 4);
        o.target = references[0];
        o.n_references = 1;
        AUTO(json_decref) json_t *self = score(&o);
        expect_near(number(self, "a", NULL), number(want, "self", a_arith_name(arith)), within[arith]);
    }
    struct a_options o = golden_options(A_FP32);
    AUTO(json_decref) json_t *exact = score(&o);
    expect_near(number(exact, "a", NULL), number(want, "fp64", "a"), 2e-7);
    o.target.path = GOLDEN "target_f16.safetensors";
    AUTO(json_decref) json_t *halves = score(&o);
    expect_near(number(halves, "a", NULL), number(want, "f16", "a"), 1e-6);
}

static void threads_do_not_count(void **state)
{
    (void)state;
    for (enum a_arith arith = A_FP32; arith <= A_BF16; arith++) {
        struct a_options o = golden_options(arith);
        AUTO(json_decref) json_t *one = score(&o);
        for (o.threads = 2; o.threads <= 40; o.threads += 19) {
            AUTO(json_decref) json_t *many = score(&o);
            assert_true(json_equal(one, many));
        }
    }
}

static void the_nearest_reference_only(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *want = json_load_file(GOLDEN "expected.json", 0, NULL);
    struct a_options o = golden_options(A_FP32);
    o.nearest = true;
    AUTO(json_decref) json_t *got = score(&o);
    expect_near(number(got, "a", NULL), number(want, "nearest", NULL), 1e-6);
}

static void without_itself(void **state)
{
    (void)state;
    struct a_options o = golden_options(A_FP32);
    o.target = references[1];
    AUTO(json_decref) json_t *with = score(&o);
    o.exclude_self = true;
    AUTO(json_decref) json_t *without = score(&o);
    assert_int_equal(json_object_size(json_object_get(without, "references")), 1);
    double other = number(json_object_get(with, "references"), "CLIP@336", NULL);
    expect_near(number(without, "a", NULL), other, 0);
    double self = 1 - 1.0 / 30 / 4; /* one token of zeros among 30 in one of four samples */
    expect_near(number(with, "a", NULL), (other + self) / 2, 1e-6);
    struct err e = { 0 };
    o.references = &references[1];
    o.n_references = 1;
    assert_null(a_score(&o, &e));
    assert_non_null(strstr(e.text, "no reference is left for 'CLIP@224'"));
}

/* ---- by hand --------------------------------------------------------------------------------------------------------
 */

static void by_hand(void **state)
{
    (void)state;
    const float target[] = { 3, 4, 0, -2, 0, 0 };
    struct a_tokens t = { target, TH_F32, 3, 2 };
    struct err e = { 0 };
    double m;
    const float axes[] = { 1, 0, 0, 2 };
    struct a_tokens two = { axes, TH_F32, 2, 2 };
    assert_int_equal(a_match(&t, &two, A_FP32, 0, &m, &e), 0);
    expect_near(m, (0.8 + 0 + 0) / 3, 1e-7); /* (3,4): 0.8 with the second axis; (0,-2): 0 with the first; zeros: 0 */
    struct a_tokens one = { axes + 2, TH_F32, 1, 2 };
    assert_int_equal(a_match(&t, &one, A_FP32, 0, &m, &e), 0);
    expect_near(m, (0.8 - 1 + 0) / 3, 1e-7); /* a maximum may be negative */
    assert_int_equal(a_match(&one, &t, A_FP32, 0, &m, &e), 0);
    expect_near(m, 0.8, 1e-7); /* not symmetric */
}

/* The kernel against its definition: rounding of each product cannot be left out, nor added to the sums. */
static void the_rounded_product(void **state)
{
    (void)state;
    float rows[5 * 40], tokens[3 * 40], out[5 * 4];
    uint32_t seed = 1;
    for (size_t i = 0; i < ARRAY_LEN(rows) + ARRAY_LEN(tokens); i++) {
        seed = seed * 1664525 + 1013904223;
        float x = c_bf16((float)((double)seed / 0x1p31 - 1) / 8);
        *(i < ARRAY_LEN(rows) ? &rows[i] : &tokens[i - ARRAY_LEN(rows)]) = x;
    }
    a_dot_bf16(rows, 5, tokens, 3, 40, out, 4);
    bool differs = false;
    for (size_t r = 0; r < 5; r++)
        for (size_t t = 0; t < 3; t++) {
            float lanes[8] = { 0 }, plain = 0;
            for (size_t c = 0; c < 40; c++) {
                lanes[c % 8] += c_bf16(rows[r * 40 + c] * tokens[t * 40 + c]);
                plain += rows[r * 40 + c] * tokens[t * 40 + c];
            }
            float sum =
                ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
            assert_true(out[r * 4 + t] == c_bf16(sum));
            differs |= out[r * 4 + t] != c_bf16(plain);
        }
    assert_true(differs);
}

/* ---- what cannot be -------------------------------------------------------------------------------------------------
 */

static void bad_tokens(void **state)
{
    (void)state;
    const float x[] = { 1, 2, 3, 4 }, infinite[] = { 1, INFINITY }, large[] = { 3e38F, 3e38F };
    const struct {
        struct a_tokens target, reference;
        const char *part;
    } cases[] = {
        { { x, TH_F32, 0, 2 }, { x, TH_F32, 2, 2 }, "the target has no tokens" },
        { { x, TH_F32, 2, 2 }, { x, TH_F32, 0, 2 }, "the reference has no tokens" },
        { { x, TH_F32, 2, 2 }, { x, TH_F32, 1, 4 }, "tokens of 2 and of 4 values cannot be compared" },
        { { x, TH_F32, 2, 2 }, { infinite, TH_F32, 1, 2 }, "the reference: token 0 has values that are not finite" },
        { { large, TH_F32, 1, 2 }, { x, TH_F32, 2, 2 }, "the target: token 0" },
        { { x, TH_I32, 2, 2 }, { x, TH_F32, 2, 2 }, "must be f32, bf16 or f16" },
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        double m;
        assert_int_equal(a_match(&cases[i / 2].target, &cases[i / 2].reference, (enum a_arith)(i % 2), 1, &m, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.text, cases[i / 2].part))
            fail_msg("'%s' has no '%s'", e.text, cases[i / 2].part);
    }
}

static const char *put_samples(const char *file, const char *const *names, size_t n, enum th_dtype type)
{
    const float zeros[8] = { 1, 1, 1, 1 };
    const int64_t dims[] = { 2, 2 };
    struct err e = { 0 };
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(in_scratch(file), &e);
    assert_non_null(w);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(st_writer_declare(w, names[i], type, dims, 2, &e), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(st_writer_put(w, names[i], zeros, 4 * th_dtype_size(type), &e), 0);
    assert_int_equal(st_writer_commit(w, &e), 0);
    return in_scratch(file);
}

static void bad_files(void **state)
{
    (void)state;
    const char *const names[] = { "1", "2" }, *const others[] = { "1", "3" };
    char target[300], other[300], more[300], whole[300];
    snprintf(target, sizeof target, "%s", put_samples("t.safetensors", names, 2, TH_F32));
    snprintf(other, sizeof other, "%s", put_samples("o.safetensors", others, 2, TH_F32));
    snprintf(more, sizeof more, "%s", put_samples("m.safetensors", names, 1, TH_F32));
    snprintf(whole, sizeof whole, "%s", put_samples("w.safetensors", names, 2, TH_I32));
    const struct {
        const char *target, *reference, *part;
    } cases[] = {
        { target, other, "o.safetensors: sample '2' of " },
        { more, target, "m.safetensors has 1 samples, " },
        { target, whole, "w.safetensors: tensor '1' is I32[2,2]; a sample is [tokens, width]" },
        { target, "/nowhere/x", "/nowhere/x" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        struct a_file reference = { "r", cases[i].reference };
        struct a_options o = { .target = { "t", cases[i].target }, .references = &reference, .n_references = 1 };
        assert_null(a_score(&o, &e));
        if (!strstr(e.text, cases[i].part))
            fail_msg("'%s' has no '%s'", e.text, cases[i].part);
    }
    struct err e = { 0 };
    struct a_file twice[] = { { "r", target }, { "r", target } };
    struct a_options o = { .target = { "t", target }, .references = twice, .n_references = 2 };
    assert_null(a_score(&o, &e));
    assert_non_null(strstr(e.text, "two references are called 'r'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_torch),
        cmocka_unit_test(threads_do_not_count),
        cmocka_unit_test(the_nearest_reference_only),
        cmocka_unit_test(without_itself),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(the_rounded_product),
        cmocka_unit_test(bad_tokens),
        cmocka_unit_test(bad_files),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
