/* Reading ahead: order is kept whatever the threads do, errors come in their place, stopping is clean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/golden_images.h"
#include "worker/data/decode_ahead.h"
#include "worker/data/image_feed.h"

struct made_up {
    atomic_uint calls, busy, most; /* calls so far; now; at the same time at most */
    size_t bad_every;              /* item k, 2k, ... fails; 0 = none */
    const struct decode_ahead_job *job;
};

static int make(void *arg, size_t i, float *out, struct err *e)
{
    struct made_up *m = arg;
    unsigned busy = atomic_fetch_add(&m->busy, 1) + 1;
    for (unsigned most = atomic_load(&m->most); busy > most && !atomic_compare_exchange_weak(&m->most, &most, busy);)
        ;
    atomic_fetch_add(&m->calls, 1);
    for (size_t k = 0; k < (i * 7919) % 5; k++) /* so that threads overtake one another */
        sched_yield();
    for (size_t k = 0; k < m->job->floats; k++)
        out[k] = (float)(i * 10 + k);
    atomic_fetch_sub(&m->busy, 1);
    return m->bad_every && i % m->bad_every == m->bad_every - 1 ? FAIL(e, ERR_INPUT, "item %zu is bad", i) : 0;
}

static void order_is_kept(void **state)
{
    (void)state;
    static const struct {
        size_t n, batch, ahead;
        unsigned threads;
    } cases[] = { { 1000, 7, 5, 3 }, { 1000, 64, 16, 8 }, { 10, 100, 100, 4 },
                  { 50, 1, 1, 4 },   { 300, 32, 0, 0 },   { 0, 3, 4, 2 } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct made_up m = { 0 };
        struct decode_ahead_job job = {
            .n = cases[i].n, .floats = 3, .make = make, .arg = &m, .threads = cases[i].threads, .ahead = cases[i].ahead
        };
        struct err e = { 0 };
        m.job = &job;
        AUTO(decode_ahead_stop) struct decode_ahead *d = decode_ahead_start(&job, &e);
        assert_non_null(d);
        float out[3 * 100];
        size_t seen = 0, got;
        do {
            assert_int_equal(decode_ahead_read(d, out, cases[i].batch, &got, &e), 0);
            assert_int_equal(got, cases[i].n - seen < cases[i].batch ? cases[i].n - seen : cases[i].batch);
            for (size_t k = 0; k < got; k++, seen++)
                for (size_t c = 0; c < 3; c++)
                    assert_true(out[k * 3 + c] == (float)(seen * 10 + c));
        } while (got);
        assert_int_equal(seen, cases[i].n);
        assert_int_equal(atomic_load(&m.calls), cases[i].n);
        if (cases[i].ahead)
            assert_true(atomic_load(&m.most) <= cases[i].ahead);
    }
}

static void errors_in_their_place(void **state)
{
    (void)state;
    struct made_up m = { .bad_every = 10 };
    struct decode_ahead_job job = { .n = 40, .floats = 1, .make = make, .arg = &m, .threads = 4, .ahead = 16 };
    struct err e = { 0 };
    m.job = &job;
    AUTO(decode_ahead_stop) struct decode_ahead *d = decode_ahead_start(&job, &e);
    for (size_t round = 0; round < 4; round++) {
        float out[20];
        size_t got;
        assert_int_equal(decode_ahead_read(d, out, 20, &got, &e), 0);
        assert_int_equal(got, 9);
        assert_true(out[8] == (float)((round * 10 + 8) * 10));
        char want[40];
        snprintf(want, sizeof want, "item %zu is bad", round * 10 + 9);
        assert_int_equal(decode_ahead_read(d, out, 20, &got, &e), -1);
        assert_string_equal(e.text, want);
        assert_int_equal(got, 0);
        err_clear(&e);
    }
    size_t got = 9;
    float out;
    assert_int_equal(decode_ahead_read(d, &out, 1, &got, &e), 0);
    assert_int_equal(got, 0);
}

static void stopping(void **state)
{
    (void)state;
    for (size_t taken = 0; taken < 20; taken++) {
        struct made_up m = { 0 };
        struct decode_ahead_job job = { .n = 100000, .floats = 2, .make = make, .arg = &m, .threads = 4, .ahead = 6 };
        struct err e = { 0 };
        m.job = &job;
        struct decode_ahead *d = decode_ahead_start(&job, &e);
        float out[2];
        size_t got;
        for (size_t k = 0; k < taken; k++)
            assert_int_equal(decode_ahead_read(d, out, 1, &got, &e), 0);
        decode_ahead_stop(d);
        assert_true(atomic_load(&m.calls) <= taken + 6);
        assert_int_equal(atomic_load(&m.busy), 0);
    }
    decode_ahead_stop(NULL);
}

static void too_much_memory(void **state)
{
    (void)state;
    struct decode_ahead_job job = { .n = 100, .floats = SIZE_MAX / 16, .make = make, .threads = 1, .ahead = 50 };
    struct err e = { 0 };
    assert_null(decode_ahead_start(&job, &e));
    assert_int_equal(e.kind, ERR_ENV);
}

/* ---- real pictures -------------------------------------------------------------------------------------------------
 */

static void pictures(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct preprocess p;
    AUTO(image_set_destroy) struct image_set *s = image_set_folder(GOLDEN "pictures", &e);
    assert_non_null(s);
    assert_int_equal(preprocess_without_file(&(struct preprocess_options){ .size = 20 }, &p, &e), 0);
    struct image_feed feed = { .set = s, .first = 3, .preprocess = &p };
    size_t n = image_set_count(s) - 3, floats = preprocess_floats(&p), got;
    struct decode_ahead_job job = { .n = n, .floats = floats, .make = image_feed_make, .arg = &feed, .threads = 3 };
    float *all = malloc(n * floats * sizeof *all), *one = malloc(floats * sizeof *one);
    AUTO(decode_ahead_stop) struct decode_ahead *d = decode_ahead_start(&job, &e);
    assert_int_equal(decode_ahead_read(d, all, n, &got, &e), 0);
    assert_int_equal(got, n);
    for (size_t i = 0; i < n; i++) {
        AUTO(image_free) struct image im = { 0 };
        golden_picture(image_set_path(s, i + 3), NULL, &im);
        assert_int_equal(preprocess_apply(&p, &im, one, &e), 0);
        assert_memory_equal(one, all + i * floats, floats * sizeof *one);
    }
    free(all);
    free(one);
}

static void a_bad_picture_is_named(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct preprocess p;
    const char *text = "{\"image\":\"pictures/rgb.png\"}{\"image\":\"generate.py\"}";
    AUTO(image_set_destroy) struct image_set *s = image_set_parse(text, strlen(text), "x.jsonl", GOLDEN, &e);
    assert_non_null(s);
    assert_int_equal(preprocess_without_file(&(struct preprocess_options){ .size = 4 }, &p, &e), 0);
    struct image_feed feed = { .set = s, .preprocess = &p };
    struct decode_ahead_job job = { .n = 2, .floats = 48, .make = image_feed_make, .arg = &feed };
    AUTO(decode_ahead_stop) struct decode_ahead *d = decode_ahead_start(&job, &e);
    float out[2 * 48];
    size_t got;
    assert_int_equal(decode_ahead_read(d, out, 2, &got, &e), 0);
    assert_int_equal(got, 1);
    assert_int_equal(decode_ahead_read(d, out, 2, &got, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "generate.py: neither JPEG, PNG nor WebP"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept), cmocka_unit_test(errors_in_their_place),
        cmocka_unit_test(stopping),      cmocka_unit_test(too_much_memory),
        cmocka_unit_test(pictures),      cmocka_unit_test(a_bad_picture_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
