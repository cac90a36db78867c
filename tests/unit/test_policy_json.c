/* The JSON of `acsweep policy`: its exact shape, null where undefined, digits that survive printing; the paper's
 * tables. */
#include "tests/unit/policy_golden.h"

#include "cli/paper_tables.h"
#include "cli/policy_json.h"

static const struct policy_shape law = { POLICY_COLUMNS_AC, 2 };

static void check_keys(json_t *object, const char *const *keys, size_t n)
{
    assert_int_equal(json_object_size(object), n);
    for (size_t i = 0; i < n; i++)
        if (!json_object_get(object, keys[i]))
            fail_msg("the key '%s' is missing", keys[i]);
}

static void fit_shape(void **state)
{
    static const char *const keys[] = { "name",     "n_train",   "r2",           "r2_adjusted", "r2_loo",
                                        "spearman", "intercept", "coefficients", "predictions" };
    static const char *const terms[] = { "a", "c", "a2", "ac", "c2" };
    static const char *const groups[] = { "vision=MMBench,MME,OKVQA,SEED-Bench", "ocr=MMMU,TextVQA,VizWiz,ScienceQA" };
    (void)state;
    json_t *golden = load_golden();
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    struct policy_fit_options o = { .shape = law, .groups = groups, .n_groups = 2 };
    json_t *all = policy_fit_json(t, &o, NULL), *r2 = get(golden, "r2", "AC_poly2", NULL);
    assert_non_null(all);
    char *text = json_dumps(all, JSON_COMPACT);
    json_t *back = json_loads(text, 0, NULL);
    assert_true(json_equal(all, back)); /* all 17 digits are printed */
    assert_int_equal(json_array_size(get(all, "benchmarks", NULL)), M);
    for (size_t b = 0; b < M; b++) {
        json_t *one = json_array_get(get(all, "benchmarks", NULL), b);
        check_keys(one, keys, ARRAY_LEN(keys));
        check_keys(get(one, "coefficients", NULL), terms, ARRAY_LEN(terms));
        assert_int_equal(json_object_size(get(one, "predictions", NULL)), N);
        const char *name = json_string_value(get(one, "name", NULL));
        assert_near(json_number_value(get(one, "r2", NULL)), json_number_value(get(r2, "per_benchmark", name, NULL)),
                    1e-7, name);
    }
    assert_near(json_number_value(get(all, "groups", "vision", "r2", NULL)),
                json_number_value(get(r2, "vision_mean", NULL)), 1e-7, "vision");
    assert_near(json_number_value(get(all, "groups", "ocr", "r2", NULL)), json_number_value(get(r2, "ocr_mean", NULL)),
                1e-7, "ocr");
    json_decref(back);
    free(text);
    json_decref(all);
    json_decref(golden);
}

static void fit_null(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    bool one_row[N] = { [2] = true };
    policy_table_set_c(t, 5, NAN);
    struct policy_fit_options o = { .shape = { POLICY_COLUMNS_AC, 1 }, .train = one_row };
    json_t *all = policy_fit_json(t, &o, NULL), *first = json_array_get(get(all, "benchmarks", NULL), 0);
    assert_int_equal(json_integer_value(get(first, "n_train", NULL)), 1);
    assert_true(json_is_null(get(first, "r2", NULL)) && json_is_null(get(first, "r2_loo", NULL)));
    assert_true(json_is_null(get(first, "coefficients", "a2", NULL)));
    assert_true(json_is_null(get(first, "predictions", "SD1.5", NULL)));
    assert_true(json_is_number(get(first, "predictions", "DiT", NULL)));
    json_decref(all);
}

static void bad_groups(void **state)
{
    static const struct {
        const char *group, *message;
    } cases[] = { { "vision", "is not a group" },
                  { "=MME", "is not a group" },
                  { "v=", "is not a group" },
                  { "v=,", "has no benchmark" },
                  { "v=MME, MME", "group 'v': benchmark 'MME' is named twice" },
                  { "v=MMX", "group 'v': the table has no benchmark 'MMX'; did you mean 'MME'?" } };
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        struct policy_fit_options o = { .shape = law, .groups = &cases[i].group, .n_groups = 1 };
        assert_null(policy_fit_json(t, &o, &e));
        if (!strstr(e.text, cases[i].message))
            fail_msg("want '%s', got '%s'", cases[i].message, e.text);
    }
    struct err e = { 0 };
    struct policy_fit_options o = { .shape = law, .groups = (const char *const[]){ "v=MME", "v=MMMU" }, .n_groups = 2 };
    assert_null(policy_fit_json(t, &o, &e));
    assert_non_null(strstr(e.text, "'v' is given twice"));
}

static void simulate_shape(void **state)
{
    static const char *const keys[] = { "name", "best", "recall", "chance", "a_plus_c", "regret" };
    static const char *const curves[] = { "cumulative", "list3", "measured" };
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    struct policy_simulate_options o = { .play = { POLICY_MODE_PAPER, 1, 500, 9, 0 } };
    json_t *all = policy_simulate_json(t, &o, NULL), *again = policy_simulate_json(t, &o, NULL);
    assert_true(json_equal(all, again));
    assert_string_equal(json_string_value(get(all, "mode", NULL)), "paper");
    assert_int_equal(json_integer_value(get(all, "runs", NULL)), 500);
    assert_int_equal(json_integer_value(get(all, "seed", NULL)), 9);
    for (size_t b = 0; b < M; b++) {
        json_t *one = json_array_get(get(all, "benchmarks", NULL), b);
        check_keys(one, keys, ARRAY_LEN(keys));
        for (size_t i = 2; i < 5; i++) {
            check_keys(get(one, keys[i], NULL), curves, ARRAY_LEN(curves));
            assert_int_equal(json_array_size(get(one, keys[i], "list3", NULL)), N);
        }
        assert_int_equal(json_array_size(get(one, "regret", NULL)), N);
    }
    json_decref(again);
    o.play.seed = 10;
    again = policy_simulate_json(t, &o, NULL);
    assert_false(json_equal(get(all, "benchmarks", NULL), get(again, "benchmarks", NULL)));
    json_decref(again);
    json_decref(all);
}

static void simulate_trials(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    struct policy_simulate_options o = { .play = { POLICY_MODE_DEFAULT, 0.8, 1, 9, 0 }, .laws = 3, .noise = 0.125 };
    json_t *all = policy_simulate_json(t, &o, NULL), *first = json_array_get(get(all, "benchmarks", NULL), 0);
    assert_string_equal(json_string_value(get(all, "trials", "kind", NULL)), "random laws");
    assert_near(json_number_value(get(all, "trials", "noise", NULL)), 0.125, 0, "noise");
    assert_true(json_is_null(get(first, "best", NULL)));
    assert_int_equal(json_integer_value(get(first, "tables", NULL)), 3);
    json_decref(all);
    o.laws = 0;
    o.subspace = 12;
    all = policy_simulate_json(t, &o, NULL);
    first = json_array_get(get(all, "benchmarks", NULL), 7);
    assert_int_equal(json_integer_value(get(all, "trials", "smallest", NULL)), 12);
    assert_int_equal(json_integer_value(get(first, "tables", NULL)), 14);
    assert_int_equal(json_array_size(get(first, "recall", "list3", NULL)), 12);
    json_decref(all);
}

static void tables(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    json_t *all = paper_tables_json(t, NULL), *row;
    size_t i, law_rows = 0;
    assert_int_equal(json_array_size(get(all, "table1", NULL)), M);
    json_array_foreach(get(all, "table1", NULL), i, row)
        assert_near(json_number_value(get(row, "gap", NULL)), 0, 4.0, json_string_value(get(row, "benchmark", NULL)));
    json_array_foreach(get(all, "table3", NULL), i, row)
    {
        if (strcmp(json_string_value(get(row, "scores", NULL)), "Random") == 0)
            continue;
        law_rows++;
        assert_near(json_number_value(get(row, "gap", NULL)), 0, 0.10, "Table 3");
    }
    assert_int_equal(law_rows, 12);
    json_decref(all);
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(paper_tables_print(t, out, NULL), 0);
    fclose(out);
    assert_non_null(strstr(text, "VizWiz         3    84.6"));
    assert_non_null(strstr(text, "AC      degree 2        95.72   95.72"));
    free(text);
    struct err e = { 0 };
    AUTO(policy_table_destroy)
    struct policy_table *other =
        policy_table_create((const char *const[]){ "x", "y" }, 2, (const char *const[]){ "B" }, 1, NULL);
    assert_null(paper_tables_json(other, &e));
    assert_int_equal(e.kind, ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fit_shape),      cmocka_unit_test(fit_null),        cmocka_unit_test(bad_groups),
        cmocka_unit_test(simulate_shape), cmocka_unit_test(simulate_trials), cmocka_unit_test(tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
