/* Orders of samples: beside a second implementation (tests/golden/text/sampler.py), and what must hold for any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/text_golden.h"
#include "worker/text/sampler.h"

/* The lengths of sampler.py, drawn with its generator. */
struct draws {
    uint64_t state;
};

static uint64_t draw(struct draws *d)
{
    uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint32_t below(struct draws *d, uint32_t n)
{
    for (;;) {
        uint64_t product = (draw(d) >> 32) * n;
        if (product % (UINT64_C(1) << 32) >= (UINT64_C(1) << 32) % n)
            return (uint32_t)(product >> 32);
    }
}

static void make_lengths(int32_t *v, size_t n, uint32_t text_share, uint64_t seed)
{
    struct draws d = { seed };
    for (size_t i = 0; i < n; i++) {
        v[i] = (int32_t)(1 + below(&d, 90));
        if (below(&d, 100) < text_share)
            v[i] = -v[i];
    }
}

static void digest_order(const uint32_t *order, size_t n, char hex[DIGEST_HEX_SIZE])
{
    AUTO(buf_free) struct buf b = BUF_INIT(1 << 24);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 4; k++)
            buf_add(&b, &(char){ (char)(order[i] >> (8 * k)) }, 1);
    digest_bytes(buf_text(&b), b.len, hex);
}

static void as_described(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *all = golden_load("sampler.json");
    const json_t *c, *v;
    size_t i, k;
    json_array_foreach(all, i, c)
    {
        size_t n = (size_t)golden_int(c, "n");
        struct sampler_rules rules = { (uint64_t)golden_int(c, "seed"), (uint64_t)golden_int(c, "epoch"),
                                       (size_t)golden_int(c, "batch"), (size_t)golden_int(c, "chunks") };
        AUTO(free) int32_t *lengths = calloc(n + 1, sizeof *lengths);
        AUTO(free) uint32_t *order = calloc(n + 1, sizeof *order);
        char hex[DIGEST_HEX_SIZE];
        struct err e = { 0 };
        make_lengths(lengths, n, (uint32_t)golden_int(c, "share"), rules.seed);
        assert_int_equal(sampler_grouped(lengths, n, &rules, order, &e), 0);
        json_array_foreach(json_object_get(c, "order"), k, v) assert_int_equal(order[k], json_integer_value(v));
        digest_order(order, n, hex);
        assert_string_equal(hex, json_string_value(json_object_get(c, "sha256")));
        sampler_random(n, rules.seed, rules.epoch, order);
        digest_order(order, n, hex);
        assert_string_equal(hex, json_string_value(json_object_get(c, "random")));
    }
    assert_true(i > 10);
}

enum { MANY = 100000 };

static void check_permutation(const uint32_t *order)
{
    AUTO(free) uint8_t *seen = calloc(MANY, 1);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(order[i] < MANY);
        assert_false(seen[order[i]]);
        seen[order[i]] = 1;
    }
}

/* Of 100,000 samples: batches of one modality but for two at most, chunks of similar length. */
static void batches(void **state)
{
    (void)state;
    const struct sampler_rules rules = { .seed = 42, .batch = 128, .chunks = 8 };
    AUTO(free) int32_t *lengths = malloc(MANY * sizeof *lengths);
    AUTO(free) uint32_t *order = malloc(MANY * sizeof *order);
    struct err e = { 0 };
    size_t mixed = 0;
    make_lengths(lengths, MANY, 6, 5);
    assert_int_equal(sampler_grouped(lengths, MANY, &rules, order, &e), 0);
    check_permutation(order);
    for (size_t b = 0; b + rules.batch <= MANY; b += rules.batch) {
        size_t images = 0;
        int64_t total[8] = { 0 }, least = INT64_MAX, most = 0;
        for (size_t i = 0; i < rules.batch; i++) {
            int32_t length = lengths[order[b + i]];
            images += length > 0;
            total[i / (rules.batch / 8)] += length > 0 ? length : -length;
        }
        mixed += images > 0 && images < rules.batch;
        for (int c = 0; c < 8; c++) {
            least = total[c] < least ? total[c] : least;
            most = total[c] > most ? total[c] : most;
        }
        if (images == 0 || images == rules.batch)
            assert_true(most - least <= 90); /* no more than one sample */
    }
    assert_true(mixed <= 1);
}

/* Seeds and epochs make different orders, and each place gets each sample as often as another. */
static void randomness(void **state)
{
    (void)state;
    enum { N = 16, TIMES = 16000 };
    int count[N][N] = { 0 };
    for (uint64_t epoch = 0; epoch < TIMES; epoch++) {
        uint32_t order[N];
        sampler_random(N, 1, epoch, order);
        for (size_t i = 0; i < N; i++)
            count[i][order[i]]++;
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            if (count[i][k] < 850 || count[i][k] > 1150) /* 1000, five standard deviations */
                fail_msg("sample %d came %d times to place %d", k, count[i][k], i);
}

static void refused(void **state)
{
    (void)state;
    const int32_t lengths[] = { 3, 0 };
    uint32_t order[2];
    struct err e = { 0 };
    assert_int_equal(sampler_grouped(lengths, 2, &(struct sampler_rules){ .batch = 8, .chunks = 2 }, order, &e), -1);
    assert_non_null(strstr(e.text, "sample 1 has the length 0"));
    static const struct sampler_rules bad[] = { { .batch = 0, .chunks = 1 },
                                                { .batch = 8, .chunks = 0 },
                                                { .batch = 8, .chunks = 3 } };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err_clear(&e);
        assert_int_equal(sampler_grouped(lengths, 1, &bad[i], order, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_described),
        cmocka_unit_test(batches),
        cmocka_unit_test(randomness),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
