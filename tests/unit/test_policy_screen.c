/* Asking for scores: the guess from parts, what is asked for first, and a made-up space that is never scored in full.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/choose.h"
#include "policy/random.h"

enum { MOST = 64, WORLDS = 12 };

/* All combinations of `k` encoders as rows: row r holds the encoders of the bits of r + 1. */
struct space {
    size_t n, lists[MOST][6], counts[MOST];
    const size_t *members[MOST];
    bool asked[MOST];
    struct policy_table *table;
    struct policy_screen screen;
};

static void space_make(struct space *s, size_t k, size_t batch)
{
    static char names[MOST][8];
    const char *list[MOST];
    *s = (struct space){ .n = ((size_t)1 << k) - 1 };
    for (size_t r = 0; r < s->n; r++) {
        for (size_t i = 0; i < k; i++)
            if ((r + 1) >> i & 1)
                s->lists[r][s->counts[r]++] = i;
        s->members[r] = s->lists[r];
        snprintf(names[r], sizeof names[r], "%zu", r + 1);
        list[r] = names[r];
    }
    s->table = policy_table_create(list, s->n, (const char *const[]){ "B" }, 1, NULL);
    assert_non_null(s->table);
    s->screen = (struct policy_screen){ s->members, s->counts, s->asked, batch };
}

static void score(struct space *s, size_t mask, double a, double c)
{
    policy_table_set_a(s->table, mask - 1, 0, a);
    policy_table_set_c(s->table, mask - 1, c);
    s->asked[mask - 1] = true;
}

static struct policy_answer *ask(const struct space *s, double prior, const bool *excluded)
{
    const struct policy_question q = { .mode = POLICY_MODE_DEFAULT,
                                       .batch = 1,
                                       .direction_prior = prior,
                                       .excluded = excluded,
                                       .ranking = POLICY_RANKING_MEASURED_FIRST,
                                       .screen = &s->screen };
    struct err e = { 0 };
    struct policy_answer *a = policy_choose(s->table, &q, &e);
    if (!a)
        fail_msg("%s", e.text);
    return a;
}

static void guess_from_parts(void **state)
{
    (void)state;
    struct space s;
    space_make(&s, 3, 9);
    score(&s, 1, 0.0, 0.2);
    score(&s, 2, 0.4, 0.4);
    score(&s, 4, 1.0, 0.0);
    score(&s, 3, 0.3, 0.5); /* mean of its parts 0.2, 0.3: gains 0.1, 0.2 */
    score(&s, 5, 0.8, 0.1); /* 0.5, 0.1: gains 0.3, 0.0 */
    score(&s, 6, 0.9, 1.0); /* 0.7, 0.2: gains 0.2, 0.8 */
    AUTO(policy_points_free) struct policy_points p = { 0 };
    bool guessed[MOST];
    assert_int_equal(policy_points_init(&p, s.table, 0, POLICY_NORMALISE_WHOLE, NULL, NULL), 0);
    assert_int_equal(policy_screen_guess(&s.screen, &p, 1, guessed, NULL), 0);
    for (size_t r = 0; r < 7; r++)
        assert_int_equal(guessed[r], r == 6);
    assert_true(fabs(p.a[6] - (2.0 / 3 + 0.2)) < 1e-12); /* the range of a is 0..1, and so is that of c */
    assert_true(fabs(p.c[6] - (1.6 / 3 + 1.0 / 3)) < 1e-12);
    policy_table_destroy(s.table);
}

/* Singles scored: the pair of the best two is wanted first, not what was asked for before, not what left the space. */
static void wants_the_promising(void **state)
{
    (void)state;
    struct space s;
    space_make(&s, 3, 2);
    score(&s, 1, 0.1, 0.1);
    score(&s, 2, 0.9, 0.5);
    score(&s, 4, 0.8, 0.9);
    AUTO(policy_answer_destroy) struct policy_answer *a = ask(&s, 1, NULL);
    assert_int_equal(a->n_wants, 2);
    assert_int_equal(a->wants[0].representation, 6 - 1);
    assert_non_null(strstr(a->wants[0].reason, "guessed from its parts"));
    assert_int_equal(a->n_choices, 1);
    assert_true(a->choices[0].representation == 4 - 1);
    s.asked[6 - 1] = true; /* failed, or on its way */
    bool excluded[MOST] = { [7 - 1] = true };
    s.screen.batch = 100;
    AUTO(policy_answer_destroy) struct policy_answer *z = ask(&s, 0.8, excluded);
    assert_int_equal(z->n_wants, 2);
    for (size_t i = 0; i < z->n_wants; i++)
        assert_true(z->wants[i].representation == 3 - 1 || z->wants[i].representation == 5 - 1);
    policy_table_destroy(s.table);
}

static void nothing_to_go_by(void **state)
{
    (void)state;
    struct space s;
    space_make(&s, 3, 3);
    AUTO(policy_answer_destroy) struct policy_answer *a = ask(&s, 1, NULL);
    assert_int_equal(a->n_choices, 0);
    assert_int_equal(a->n_wants, 3);
    static const size_t singles[] = { 1, 2, 4 };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(a->wants[i].representation, singles[i] - 1);
        assert_true(isnan(a->wants[i].value) && a->wants[i].reason[0]);
    }
    for (size_t r = 0; r < s.n; r++)
        s.asked[r] = true;
    AUTO(policy_answer_destroy) struct policy_answer *z = ask(&s, 1, NULL);
    assert_int_equal(z->n_wants, 0);
    policy_table_destroy(s.table);
}

/* ---- a made-up space --------------------------------------------------------------------------------------------- */

/* A combination aligns like the mean of its members and corresponds a little better than that; each has its luck. */
static void draw_scores(const struct space *s, struct policy_random *random, double *a, double *c, double *y)
{
    double base[2][6];
    for (size_t i = 0; i < 12; i++)
        base[i / 6][i % 6] = policy_random_unit(random);
    for (size_t r = 0; r < s->n; r++) {
        double sum_a = 0, sum_c = 0, n = (double)s->counts[r];
        for (size_t i = 0; i < s->counts[r]; i++) {
            sum_a += base[0][s->lists[r][i]] / n;
            sum_c += base[1][s->lists[r][i]] / n;
        }
        a[r] = sum_a + 0.05 * policy_random_normal(random);
        c[r] = sum_c + 0.2 * (1 - 1 / n) + 0.05 * policy_random_normal(random);
        y[r] = a[r] + c[r] - 0.3 * a[r] * a[r] + 0.03 * policy_random_normal(random);
    }
}

/* Play six rounds of one fine-tune and eight scores each; the regret of the best measured one. */
static double play(struct space *s, struct policy_random *random, size_t *scored)
{
    double a[MOST], c[MOST], y[MOST], best = -INFINITY, worst = INFINITY, found = -INFINITY;
    draw_scores(s, random, a, c, y);
    for (size_t r = 0; r < s->n; r++) {
        best = fmax(best, y[r]);
        worst = fmin(worst, y[r]);
        if (s->counts[r] <= 2)
            score(s, r + 1, a[r], c[r]);
    }
    for (int round = 0; round < 6; round++) {
        AUTO(policy_answer_destroy) struct policy_answer *answer = ask(s, 1, NULL);
        assert_int_equal(answer->n_choices, 1);
        size_t chosen = answer->choices[0].representation;
        policy_table_set_perf(s->table, chosen, 0, y[chosen]);
        found = fmax(found, y[chosen]);
        for (size_t i = 0; i < answer->n_wants; i++) {
            size_t r = answer->wants[i].representation;
            assert_false(s->asked[r]);
            score(s, r + 1, a[r], c[r]);
        }
    }
    *scored = 0;
    for (size_t r = 0; r < s->n; r++)
        *scored += s->asked[r];
    return (best - found) / (best - worst);
}

static void needs_part_of_the_scores(void **state)
{
    (void)state;
    struct policy_random random;
    policy_random_seed(&random, 5, 0);
    double regret[2] = { 0 };
    for (int world = 0; world < WORLDS; world++)
        for (int guided = 0; guided < 2; guided++) {
            struct space s;
            size_t scored;
            space_make(&s, 6, guided ? 4 : 0);
            regret[guided] += play(&s, &random, &scored) / WORLDS;
            assert_int_equal(scored, guided ? 21 + 6 * 4 : 21);
            policy_table_destroy(s.table);
        }
    print_message("mean regret: %.3f without asking, %.3f with 24 of the other 42 scores\n", regret[0], regret[1]);
    assert_true(regret[1] < 0.05 && regret[1] < regret[0] / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guess_from_parts),
        cmocka_unit_test(wants_the_promising),
        cmocka_unit_test(nothing_to_go_by),
        cmocka_unit_test(needs_part_of_the_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
