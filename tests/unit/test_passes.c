/* Which tasks of a bundle share a pass, in what order their encoders stand, and what becomes of those that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/own.h"
#include "worker/exec/native_passes.h"

/* ---- the union of representations -----------------------------------------------------------------------------------
 */

static bool add(struct c_union *u, const char *members) /* one letter each */
{
    static const char *const letters[] = { "A", "B", "C", "D" };
    const char *keys[4];
    size_t n = strlen(members);
    for (size_t i = 0; i < n; i++)
        keys[i] = letters[members[i] - 'A'];
    return c_union_add(u, keys, n);
}

static void has_order(const struct c_union *u, const char *want)
{
    uint8_t place[C_ENCODERS_MAX];
    char got[C_ENCODERS_MAX + 1] = "";
    c_union_places(u, place);
    for (size_t i = 0; i < u->n; i++)
        got[place[i]] = u->keys[i][0];
    assert_string_equal(got, want);
}

static void encoders_keep_the_order_of_every_representation(void **state)
{
    (void)state;
    struct c_union u = { .n = 0 };
    assert_true(add(&u, "C"));
    assert_true(add(&u, "B"));
    assert_true(add(&u, "AC"));
    has_order(&u, "BAC");
    assert_true(add(&u, "AB"));
    has_order(&u, "ACB");
    assert_true(add(&u, "BC"));
    has_order(&u, "ABC");
    struct c_union before = u;
    assert_false(add(&u, "CDA")); /* the other way round, if only by way of B */
    assert_memory_equal(&before, &u, sizeof u);
    assert_false(add(&u, "AA"));
    assert_true(add(&u, "DA"));
    has_order(&u, "DABC");
    assert_false(add(&u, "CD"));
    assert_int_equal(c_union_find(&u, "D"), 3);
    assert_int_equal(c_union_find(&u, "E"), 4);
}

static void no_more_encoders_than_a_mask_has(void **state)
{
    (void)state;
    static char names[C_ENCODERS_MAX + 1][8];
    struct c_union u = { .n = 0 };
    for (size_t i = 0; i <= C_ENCODERS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "e%zu", i);
        const char *pair[] = { names[i ? i - 1 : 0], names[i] };
        assert_int_equal(i ? c_union_add(&u, pair, 2) : c_union_add(&u, pair, 1), i < C_ENCODERS_MAX);
    }
    uint8_t place[C_ENCODERS_MAX];
    c_union_places(&u, place);
    for (size_t i = 0; i < C_ENCODERS_MAX; i++)
        assert_int_equal(place[i], i);
}

/* ---- passes of a bundle ---------------------------------------------------------------------------------------------
 */

#define TASKS 8

static struct {
    struct exec_bundle bundle;
    struct exec_task tasks[TASKS];
    struct exec_result results[TASKS];
    bool done[TASKS];
    Acsweep__TaskSpec specs[TASKS];
    Acsweep__InputRef inputs[TASKS][4], *lists[TASKS][4];
    size_t passes;
    char log[400];         /* of the passes: members of each item, "|" between passes */
    const char *bad;       /* input that cannot be read */
    enum err_kind failing; /* every pass of several fails so */
} w;

/* In place of acsweep-exec's own. */
int exec_report(struct exec_bundle *b, const size_t *which, size_t m, struct err *e)
{
    (void)b;
    (void)e;
    for (size_t i = 0; i < m; i++) {
        assert_false(w.done[which[i]]);
        w.done[which[i]] = true;
    }
    return 0;
}

static void begin(void)
{
    memset(&w, 0, sizeof w);
    w.bundle = (struct exec_bundle){ w.tasks, w.results, w.done, 0 };
}

/* A representation of encoders, one letter each; each has one shard, whose identity is the letter. */
static void task(const char *members, const char *split, int grid)
{
    size_t i = w.bundle.n++, n = strlen(members);
    json_t *list = json_array();
    acsweep__task_spec__init(&w.specs[i]);
    for (size_t m = 0; m < n; m++) {
        char name[40], identity[2] = { members[m] };
        snprintf(name, sizeof name, "features:%zu:0", m);
        acsweep__input_ref__init(&w.inputs[i][m]);
        w.inputs[i][m].name = strdup(name);
        w.inputs[i][m].identity = strdup(identity);
        w.lists[i][m] = &w.inputs[i][m];
        json_array_append_new(list, json_pack("{s:s}", "encoder", identity));
    }
    w.specs[i].n_inputs = n;
    w.specs[i].inputs = w.lists[i];
    w.tasks[i] = (struct exec_task){
        .spec = &w.specs[i],
        .identity = json_pack("{s:{s:i},s:{s:s},s:{s:f}}", "representation", "target_grid", grid, "correspondence_set",
                              "split", split, "setting", "alpha", 0.1),
        .execution = json_pack("{s:{s:o,s:s}}", "names", "members", list, "image_set", "pairs"),
    };
}

static void end(void)
{
    for (size_t i = 0; i < w.bundle.n; i++) {
        for (size_t m = 0; m < w.specs[i].n_inputs; m++) {
            free(w.inputs[i][m].name);
            free(w.inputs[i][m].identity);
        }
        json_decref(w.tasks[i].identity);
        json_decref(w.tasks[i].execution);
        exec_result_free(&w.results[i]);
    }
}

static const char *letter(const struct native_pass *p, size_t k)
{
    size_t member;
    const struct native_item *x = native_pass_member(p, k, &member);
    assert_non_null(x);
    return x->t->spec->inputs[member]->identity;
}

/* "Scores" by writing down what it was given. */
static int score(struct native_pass *p, struct err *e)
{
    p->bad = C_ENCODERS_MAX;
    w.passes++;
    for (size_t k = 0; k < p->all.n; k++)
        if (w.bad && strcmp(letter(p, k), w.bad) == 0) {
            p->bad = k;
            return FAIL(e, ERR_INPUT, "%s cannot be read", w.bad);
        }
    if (w.failing && p->n > 1)
        return FAIL(e, w.failing, "it does not work");
    for (size_t i = 0; i < p->n; i++) {
        char sorted[C_ENCODERS_MAX + 1] = "";
        size_t n = 0;
        for (uint8_t at = 0; at < p->all.n; at++)
            for (size_t k = 0; k < p->all.n; k++)
                if (p->place[k] == at && p->subsets[p->items[i]->subset] >> at & 1)
                    sorted[n++] = letter(p, k)[0];
        snprintf(w.log + strlen(w.log), sizeof w.log - strlen(w.log), "%s%s", i ? " " : "", sorted);
        p->items[i]->r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    }
    snprintf(w.log + strlen(w.log), sizeof w.log - strlen(w.log), " (%zu)|", p->n_subsets);
    return 0;
}

static void outcomes(const char *want) /* one letter a task: s, d, c for succeeded, failed by data or code */
{
    for (size_t i = 0; i < w.bundle.n; i++) {
        assert_true(w.done[i]);
        const struct exec_result *r = &w.results[i];
        char got = r->outcome == ACSWEEP__OUTCOME__SUCCEEDED    ? 's'
                   : r->failure == ACSWEEP__FAILURE_CLASS__DATA ? 'd'
                                                                : 'c';
        if (got != want[i])
            fail_msg("task %zu: %c, wanted %c: %s", i, got, want[i], r->message);
    }
}

static void all_subsets_are_one_pass(void **state)
{
    (void)state;
    struct err e = { 0 };
    begin();
    static const char *const all[] = { "B", "C", "A", "BC", "AC", "AB", "ABC" };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        task(all[i], "test", 0);
    w.done[1] = true; /* answered before */
    w.results[1].outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    assert_int_equal(native_passes_run(&w.bundle, score, &e), 0);
    assert_string_equal(w.log, "B A BC AC AB ABC (6)|");
    outcomes("sssssss");
    end();
}

static void what_differs_goes_into_another_pass(void **state)
{
    (void)state;
    struct err e = { 0 };
    begin();
    task("AB", "test", 0);
    task("A", "val", 0);
    task("A", "test", 24);
    task("BA", "test", 0); /* sums in another order */
    task("AB", "test", 0); /* the same subset, another representation */
    task("AA", "test", 0);
    task("B", "val", 0);
    assert_int_equal(native_passes_run(&w.bundle, score, &e), -1);
    assert_non_null(strstr(e.text, "twice"));
    assert_string_equal(w.log, "AB AB (1)|A B (2)|A (1)|BA (1)|");
    assert_false(w.done[5]);
    w.done[5] = true;
    w.results[5].failure = ACSWEEP__FAILURE_CLASS__DATA;
    outcomes("sssssds");
    end();
}

static void an_encoder_that_cannot_be_read_fails_its_own(void **state)
{
    (void)state;
    struct err e = { 0 };
    begin();
    static const char *const all[] = { "A", "B", "AB", "C", "AC", "BC" };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        task(all[i], "test", 0);
    w.bad = "B";
    assert_int_equal(native_passes_run(&w.bundle, score, &e), 0);
    assert_string_equal(w.log, "A C AC (3)|");
    outcomes("sddssd");
    assert_int_equal(w.results[1].together, 0);
    assert_non_null(strstr(w.results[2].message, "B cannot be read"));
    end();
}

static void another_failure_is_everybodys(void **state)
{
    (void)state;
    struct err e = { 0 };
    begin();
    task("A", "test", 0);
    task("B", "test", 0);
    task("C", "val", 0);
    w.failing = ERR_TASK;
    assert_int_equal(native_passes_run(&w.bundle, score, &e), 0);
    outcomes("ccs");
    assert_int_equal(w.results[0].together, 2);
    assert_int_equal(w.results[1].together, 2);
    end();
    begin();
    task("A", "test", 0);
    task("B", "test", 0);
    w.failing = ERR_INTERRUPTED;
    assert_int_equal(native_passes_run(&w.bundle, score, &e), -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
    assert_false(w.done[0] || w.done[1]);
    end();
}

static void alone_is_a_pass_of_one(void **state)
{
    (void)state;
    struct err e = { 0 };
    begin();
    task("BA", "test", 0);
    task("", "test", 0);
    assert_int_equal(native_pass_alone(&w.tasks[0], &w.results[0], score, &e), 0);
    assert_string_equal(w.log, "BA (1)|");
    assert_int_equal(native_pass_alone(&w.tasks[1], &w.results[1], score, &e), -1);
    assert_non_null(strstr(e.text, "1 to 32 can be scored"));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoders_keep_the_order_of_every_representation),
        cmocka_unit_test(no_more_encoders_than_a_mask_has),
        cmocka_unit_test(all_subsets_are_one_pass),
        cmocka_unit_test(what_differs_goes_into_another_pass),
        cmocka_unit_test(an_encoder_that_cannot_be_read_fails_its_own),
        cmocka_unit_test(another_failure_is_everybodys),
        cmocka_unit_test(alone_is_a_pass_of_one),
    };
    return cmocka_run_group_tests_name("passes", tests, NULL, NULL);
}
