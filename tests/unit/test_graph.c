/* The graph: readiness follows from inputs, queues keep their order, moves keep the counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "coordinator/graph.h"

static struct task *add(struct graph *g, uint64_t id, int priority)
{
    struct err e = { 0 };
    char identity[DIGEST_HEX_SIZE];
    snprintf(identity, sizeof identity, "%064llx", (unsigned long long)id);
    struct plan_task p = { .kind = "fake",
                           .executor = (char *)"noop",
                           .identity = identity,
                           .label = (char *)"t",
                           .params = (char *)"{}",
                           .priority = priority };
    struct task *t = graph_add(g, id, &p, &e);
    assert_non_null(t);
    return t;
}

static int settle(struct task *t, void *arg, struct err *e)
{
    return graph_settle(arg, t, 0, e) < 0 ? -1 : 0;
}

static void run_through(struct graph *g, struct task *t)
{
    struct err e = { 0 };
    static const enum task_event life[] = { EV_ASSIGNED, EV_LEASE_STORED, EV_OUTCOME_IN, EV_STORED_DONE };
    for (size_t i = 0; i < ARRAY_LEN(life); i++)
        assert_int_equal(graph_move(g, t, life[i], &e), 0);
    assert_int_equal(graph_unlock(t, settle, g, &e), 0);
}

static void a_task_waits_for_all_its_inputs(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct graph g = { 0 };
    struct task *a = add(&g, 1, 0), *b = add(&g, 2, 0), *c = add(&g, 3, 0);
    assert_int_equal(graph_link(c, a, "a", &e), 0);
    assert_int_equal(graph_link(c, b, "b", &e), 0);
    assert_int_equal(graph_settle(&g, c, 0, &e), 0);
    assert_int_equal(graph_settle(&g, a, 0, &e), 1);
    assert_int_equal(graph_settle(&g, b, 0, &e), 1);
    run_through(&g, a);
    assert_int_equal(c->state, TASK_PENDING);
    run_through(&g, b);
    assert_int_equal(c->state, TASK_READY);
    assert_int_equal(g.open, 1);
    assert_int_equal(g.ready, 1);
    assert_ptr_equal(graph_find_identity(&g, c->identity), c);
    graph_free(&g);
}

static void queues_keep_priority_then_age(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct graph g = { 0 };
    enum { N = 500 };
    uint64_t random = 12345;
    for (uint64_t i = 1; i <= N; i++) {
        random = random * 6364136223846793005u + 1;
        assert_int_equal(graph_settle(&g, add(&g, i, (int)(random >> 60)), 0, &e), 1);
    }
    /* take one out of the middle: the queue must stay a queue */
    assert_int_equal(graph_move(&g, graph_find(&g, 250), EV_CANCELLED, &e), 0);
    const struct task *last = NULL;
    size_t n = 0;
    for (struct task *t; (t = graph_peek(&g, 0)); last = t, n++) {
        assert_true(!last || t->priority < last->priority || (t->priority == last->priority && t->id > last->id));
        assert_int_equal(graph_move(&g, t, EV_ASSIGNED, &e), 0);
    }
    assert_int_equal(n, N - 1);
    graph_free(&g);
}

static void a_warm_slot_gets_more_of_the_same(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct graph g = { 0 };
    for (uint64_t i = 1; i <= 9; i++) {
        struct task *t = add(&g, i, i == 9 ? -1 : 0);
        t->subject = 1 + (uint32_t)(i % 3);
        assert_int_equal(graph_settle(&g, t, 0, &e), 1);
    }
    assert_int_equal(graph_peek_near(&g, 0, 0)->id, 1); /* a cold slot */
    assert_int_equal(graph_peek_near(&g, 0, 2)->id, 1);
    assert_int_equal(graph_peek_near(&g, 0, 3)->id, 2); /* the oldest of that subject */
    assert_int_equal(graph_peek_near(&g, 0, 1)->id, 3);
    assert_int_equal(graph_peek_near(&g, 0, 77)->id, 1); /* nothing of it left: the oldest of all */
    for (uint64_t i = 1; i <= 6; i++)
        assert_int_equal(graph_move(&g, graph_find(&g, i), EV_ASSIGNED, &e), 0);
    assert_int_equal(graph_peek_near(&g, 0, 1)->id, 7); /* 9 is of that subject, but of lower priority */
    graph_free(&g);
}

static void a_move_out_of_turn_is_our_bug(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct graph g = { 0 };
    struct task *t = add(&g, 1, 0);
    assert_int_equal(graph_move(&g, t, EV_STORED_DONE, &e), -1);
    assert_int_equal(e.kind, ERR_BUG);
    assert_int_equal(t->state, TASK_PENDING);
    graph_free(&g);
}

static void backoff_holds_a_task_back(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct graph g = { 0 };
    struct task *t = add(&g, 1, 0);
    t->not_before = 100;
    assert_int_equal(graph_settle(&g, t, 99, &e), 0);
    assert_int_equal(graph_settle(&g, t, 100, &e), 1);
    graph_free(&g);
}

/* ---- letting go ---- */

static bool of_no_subject(const struct task *t, void *arg)
{
    ++*(size_t *)arg;
    return t->subject == 0;
}

static void end(struct graph *g, struct task *t)
{
    struct err e = { 0 };
    assert_true(graph_settle(g, t, 0, &e) >= 0);
    run_through(g, t);
}

static void what_others_need_stays(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct graph g = { 0 };
    struct task *t[7] = { NULL };
    for (uint64_t i = 1; i <= 6; i++)
        t[i] = add(&g, i, 0);
    const int edges[][2] = { { 2, 1 }, { 3, 2 }, { 5, 4 }, { 4, 1 }, { 6, 5 } }; /* 3 -> 2 -> 1; 6 -> 5 -> 4 -> 1 */
    for (size_t i = 0; i < ARRAY_LEN(edges); i++)
        assert_int_equal(graph_link(t[edges[i][0]], t[edges[i][1]], "x", &e), 0);
    for (int i = 1; i <= 5; i++)
        end(&g, t[i]); /* 6 is ready and has not ended */
    size_t asked = 0;
    assert_int_equal(graph_trim(&g, of_no_subject, &asked), 2); /* 2 and 3 */
    assert_int_equal(asked, 6);
    for (uint64_t i = 1; i <= 6; i++)
        assert_int_equal(graph_find(&g, i) != NULL, i != 2 && i != 3);
    assert_int_equal(t[1]->n_successors, 1);
    assert_ptr_equal(t[1]->successors[0], t[4]);
    assert_int_equal(g.ready, 1);
    run_through(&g, t[6]);
    t[4]->subject = 7; /* wanted: keeps 1, but not 5 and 6 */
    assert_int_equal(graph_trim(&g, of_no_subject, &asked), 2);
    assert_int_equal(g.by_id.n, 2);
    assert_int_equal(t[4]->n_successors, 0);
    t[4]->subject = 0;
    assert_int_equal(graph_trim(&g, of_no_subject, &asked), 2);
    assert_int_equal(g.by_identity.n, 0);
    assert_int_equal(g.open, 0);
    graph_free(&g);
}

static void a_long_chain_goes_at_once(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct graph g = { 0 };
    enum { N = 200000 };
    struct task *before = NULL;
    for (uint64_t i = 1; i <= N; i++) {
        struct task *t = add(&g, i, 0);
        if (before)
            assert_int_equal(graph_link(t, before, "x", &e), 0);
        end(&g, t);
        before = t;
    }
    size_t asked = 0;
    before->subject = 1; /* the last one holds all of it */
    assert_int_equal(graph_trim(&g, of_no_subject, &asked), 0);
    before->subject = 0;
    assert_int_equal(graph_trim(&g, of_no_subject, &asked), N);
    graph_free(&g);
}

/* Retries that ask for ever more memory must not leave a shape each. */
static void shapes_are_used_again(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct graph g = { 0 };
    struct task *t = add(&g, 1, 0);
    add(&g, 2, 0);
    size_t asked = 0;
    for (uint64_t i = 1; i <= 100; i++) {
        const struct plan_resources r = { .cpus = 1, .gpu_memory_bytes = i << 20 };
        assert_int_equal(graph_reshape(&g, t, &r, &e), 0);
        assert_int_equal(g.shapes[t->shape].resources.gpu_memory_bytes, i << 20);
    }
    assert_true(g.n_shapes <= 3);
    assert_int_equal(g.shapes[t->shape].tasks, 1);
    snprintf(g.shapes[t->shape].stored_reason, sizeof g.shapes->stored_reason, "the database still says why");
    uint32_t named = t->shape;
    const struct plan_resources other = { .cpus = 7 };
    assert_int_equal(graph_reshape(&g, t, &other, &e), 0);
    assert_int_not_equal(t->shape, named);
    end(&g, t);
    end(&g, graph_find(&g, 2));
    assert_int_equal(graph_trim(&g, of_no_subject, &asked), 2);
    for (size_t i = 0; i < g.n_shapes; i++)
        assert_int_equal(g.shapes[i].tasks, 0);
    graph_free(&g);
}

/* What may run as one waits in a queue of its own, apart from what may not, and from those that must run in fewer. */
static void bundles_have_their_own_queues(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct graph g = { 0 };
    struct plan_task p = {
        .kind = "fake", .executor = (char *)"fake", .label = (char *)"t", .params = (char *)"{}", .bundle = 5, .bundle_max = 8
    };
    struct task *alone = add(&g, 1, 0), *some[3];
    for (uint64_t i = 0; i < 3; i++) {
        char identity[DIGEST_HEX_SIZE];
        snprintf(identity, sizeof identity, "%064llx", 10 + (unsigned long long)i);
        p.identity = identity;
        p.executor = (char *)"noop";
        assert_non_null(some[i] = graph_add(&g, 10 + i, &p, &e));
    }
    assert_int_not_equal(alone->shape, some[0]->shape);
    assert_int_equal(some[0]->shape, some[1]->shape);
    assert_int_equal(g.shapes[some[0]->shape].bundle_max, 8);
    assert_int_equal(g.shapes[alone->shape].bundle_max, 1);
    assert_true(graph_same_place(&g.shapes[alone->shape], &g.shapes[some[0]->shape]));
    some[2]->bundle_max = 4;
    const struct plan_resources same = g.shapes[some[2]->shape].resources;
    assert_int_equal(graph_reshape(&g, some[2], &same, &e), 0);
    assert_int_not_equal(some[2]->shape, some[1]->shape);
    assert_int_equal(g.shapes[some[2]->shape].bundle_max, 4);
    graph_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_waits_for_all_its_inputs),   cmocka_unit_test(queues_keep_priority_then_age),
        cmocka_unit_test(a_warm_slot_gets_more_of_the_same), cmocka_unit_test(a_move_out_of_turn_is_our_bug),
        cmocka_unit_test(backoff_holds_a_task_back),         cmocka_unit_test(what_others_need_stays),
        cmocka_unit_test(a_long_chain_goes_at_once),         cmocka_unit_test(shapes_are_used_again),
        cmocka_unit_test(bundles_have_their_own_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
