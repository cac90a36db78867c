/* Groups of processes: each test forks its members, which do not share anything but a file to meet at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/torch_rig.h"
#include "worker/torch/th_train.h"

#define MEMBERS 2

static char room[] = "/tmp/acsweep-dist-XXXXXX";

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * (1 + fabs(b));
}

/* A member says what is wrong on stderr and ends with 1. */
#define CHECK(condition)                         \
    do {                                         \
        if (!(condition))                        \
            return complain(__LINE__, #condition); \
    } while (0)

static int complain(int line, const char *what)
{
    struct err e = { 0 };
    th_check(&e);
    fprintf(stderr, "member: line %d: %s is not so; %s\n", line, what, e.text);
    return 1;
}

static struct th_dist *join(int rank, int size, int64_t timeout_ms, struct err *e)
{
    char path[100];
    snprintf(path, sizeof path, "%s/meet", room);
    struct th_dist_options o = {
        .rank = rank, .size = size, .rendezvous = path, .device = TH_CPU, .timeout_ms = timeout_ms
    };
    return th_dist_open(&o, e);
}

/* Run `f` as every member at once; each must end with 0. */
static void run_members(int (*f)(int rank))
{
    pid_t members[MEMBERS];
    char path[100];
    snprintf(path, sizeof path, "%s/meet", room);
    unlink(path);
    for (int rank = 0; rank < MEMBERS; rank++) {
        members[rank] = fork();
        assert_true(members[rank] >= 0);
        if (members[rank] == 0)
            _exit(f(rank));
    }
    for (int rank = 0; rank < MEMBERS; rank++) {
        int status = 0;
        assert_int_equal(waitpid(members[rank], &status, 0), members[rank]);
        assert_int_equal(status, 0);
    }
}

/* ---- calls ----------------------------------------------------------------------------------------------------------
 */

static int sum_and_broadcast(int rank)
{
    struct err e = { 0 };
    TH_SCOPE(s);
    AUTO(th_dist_close) struct th_dist *d = join(rank, MEMBERS, 20000, &e);
    CHECK(d && th_dist_rank(d) == rank && th_dist_size(d) == MEMBERS);
    float mine = (float)rank + 1;
    struct tensor *a = VECTOR(mine, 10 * mine), *b = th_to(VECTOR(100 * mine), TH_BF16),
                  *c = th_transpose(floats(FLOATS(1, 2, 3, mine), TH_DIMS(2, 2)), 0, 1);
    CHECK(th_dist_sum_(d, TH_LIST(a, b, c)));
    float got[4];
    CHECK(th_read(a, TH_F32, got, 2) && got[0] == 3 && got[1] == 30);
    CHECK(th_read(b, TH_F32, got, 1) && got[0] == 300);
    CHECK(th_read(c, TH_F32, got, 4) && got[0] == 2 && got[1] == 6 && got[2] == 4 && got[3] == 3);
    struct tensor *x = VECTOR(mine), *y = VECTOR(mine, mine);
    CHECK(th_dist_broadcast_(d, TH_LIST(x, y), 1));
    CHECK(th_read(y, TH_F32, got, 2) && got[1] == 2);
    CHECK(th_dist_barrier(d));
    return th_check(NULL) < 0;
}

static void test_sums_and_broadcasts(void **state)
{
    (void)state;
    run_members(sum_and_broadcast);
}

/* ---- shared optimiser state ----------------------------------------------------------------------------------------
 */

enum { STEPS = 5, PARAMETERS = 3 };

/* Gradient of step, parameter and member: what one process alone must get is their sum over members. */
static double gradient(int step, int k, int rank)
{
    return sin(step * 1.7 + k + rank * 0.3) * (rank + 1);
}

static void set_gradient(struct tensor *w, double g)
{
    TH_SCOPE(s);
    th_grad(true);
    th_backward(th_mul_s(th_sum(th_to(w, TH_F32), TH_SCALAR_DIMS, false), g));
}

static void train(struct th_dist *d, enum th_dtype t, double out[PARAMETERS], int64_t *pieces)
{
    static const char *const names[PARAMETERS] = { "a", "b", "c" };
    static const int64_t sizes[PARAMETERS] = { 4, 3, 5 };
    AUTO(th_optim_destroy) struct th_optim *o = th_optim_adamw((struct th_adamw){ 0 }, NULL);
    struct tensor *w[PARAMETERS];
    th_optim_share(o, d);
    for (int k = 0; k < PARAMETERS; k++) {
        w[k] = th_requires_grad_(th_full(TH_DIMS(sizes[k]), k + 1, t, TH_CPU), true);
        th_optim_add(o, names[k], w[k], 0, 1);
    }
    for (int step = 0; step < STEPS; step++) {
        for (int k = 0; k < PARAMETERS; k++)
            for (int rank = 0; rank < MEMBERS; rank++)
                if ((!d || rank == th_dist_rank(d)) && !(k == 2 && rank == 1)) { /* one member lacks one gradient */
                    set_gradient(w[k], gradient(step, k, rank));
                    th_optim_take_grad(o);
                }
        th_optim_sum_grad(o);
        th_optim_clip_grad(o, 1.0);
        th_optim_step(o, 0.01);
        th_optim_zero_grad(o);
    }
    for (int k = 0; k < PARAMETERS; k++)
        out[k] = th_item(th_select(w[k], 0, 0));
    *pieces = th_optim_state_count(o);
}

static int share_state(int rank)
{
    struct err e = { 0 };
    TH_SCOPE(s);
    AUTO(th_dist_close) struct th_dist *d = join(rank, MEMBERS, 20000, &e);
    CHECK(d);
    for (int half = 0; half < 2; half++) {
        double together[PARAMETERS], alone[PARAMETERS];
        int64_t pieces, all;
        train(d, half ? TH_BF16 : TH_F32, together, &pieces);
        train(NULL, half ? TH_BF16 : TH_F32, alone, &all);
        CHECK(!th_failed());
        for (int k = 0; k < PARAMETERS; k++)
            CHECK(near(together[k], alone[k]));
        /* a to 0, b to 1, and c to 1, which has 3 numbers against 4 */
        CHECK(all == PARAMETERS * (3 + half) && pieces == (rank == 0 ? 1 : 2) * (3 + half));
    }
    return 0;
}

static void test_shared_optimisers_do_what_one_does(void **state)
{
    (void)state;
    run_members(share_state);
}

/* ---- partners that are lost ----------------------------------------------------------------------------------------
 */

static int lose_partner(int rank)
{
    struct err e = { 0 };
    TH_SCOPE(s);
    struct th_dist *d = join(rank, MEMBERS, 5000, &e); /* the one that leaves does so without a word */
    CHECK(d);
    if (rank == 1)
        _exit(0);
    struct tensor *x = VECTOR(1);
    for (int i = 0; i < 3 && th_dist_sum_(d, &x, 1); i++)
        ;
    CHECK(th_check(&e) < 0 && e.kind == ERR_ENV && strstr(e.text, "another process"));
    return 0;
}

static void test_a_lost_partner_is_an_error(void **state)
{
    (void)state;
    run_members(lose_partner);
}

static int wait_in_vain(int rank)
{
    struct err e = { 0 };
    if (rank == 1)
        return 0;
    CHECK(!join(rank, MEMBERS, 300, &e));
    CHECK(e.kind == ERR_ENV && strstr(e.text, "did not come together"));
    return 0;
}

static void test_a_partner_that_never_comes_is_an_error(void **state)
{
    (void)state;
    run_members(wait_in_vain);
}

static void test_no_group_is_a_group_of_one(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = VECTOR(7);
    assert_int_equal(th_dist_rank(NULL), 0);
    assert_int_equal(th_dist_size(NULL), 1);
    assert_true(th_dist_sum_(NULL, &x, 1) && th_dist_broadcast_(NULL, &x, 1, 0) && th_dist_barrier(NULL));
    assert_values(x, 0, 7);
}

int main(void)
{
    struct err e = { 0 };
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_sums_and_broadcasts),
        TORCH_TEST(test_shared_optimisers_do_what_one_does),
        TORCH_TEST(test_a_lost_partner_is_an_error),
        TORCH_TEST(test_a_partner_that_never_comes_is_an_error),
        TORCH_TEST(test_no_group_is_a_group_of_one),
    };
    if (torch_absent())
        return 77;
    if (th_dist_check(TH_CPU, &e) < 0) {
        printf("SKIPPED: %s\n", e.text);
        return 77;
    }
    if (!mkdtemp(room))
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    char path[100];
    snprintf(path, sizeof path, "%s/meet", room);
    unlink(path);
    rmdir(room);
    return rc;
}
