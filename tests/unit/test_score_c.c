/* The pieces of the C score, each against values by hand or against its definition in double precision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "worker/score/c_dot.h"
#include "worker/score/c_subsets.h"
#include "worker/score/c_tally.h"

/* Even numbers between -1 and 1, the same in every run. */
static uint64_t seed;
static float noise(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(seed >> 40) / (1 << 23) - 1);
}

/* ---- c_frame --------------------------------------------------------------------------------------------------------
 */

static void points_in_the_frame(void **state)
{
    static const struct {
        uint32_t w, h;
        double x, y;
        float fx, fy;
    } cases[] = {
        { 840, 840, 17, 23, 17, 23 },
        { 420, 420, 17, 23, 34, 46 },
        { 420, 210, 100, 50, 200, 310 }, /* 840 * 210 / 420 = 420, 210 above and below */
        { 480, 358, 0, 0, 0, 107 },      /* 626.5 rounds to 626, the even one: (840 - 626) / 2 */
        { 480, 354, 0, 0, 0, 110 },      /* 619.5 rounds to 620 */
        { 358, 480, 0, 0, 107, 0 },
        { 840, 839, 0, 0, 0, 0 }, /* half a pixel of margin is none */
        { 840, 1, 840, 1, 840, 420 },
        { 500, 375, 499.5, 374.25, 839.16f, 733.74f }, /* 1.68 as float32, times the point, 105 more */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct c_frame f = c_frame_make(C_LETTERBOX, 840, cases[i].w, cases[i].h);
        struct c_point p = c_frame_point(&f, cases[i].x, cases[i].y);
        double x, y;
        if (p.x != cases[i].fx || p.y != cases[i].fy)
            fail_msg("case %zu: %.9g, %.9g", i, (double)p.x, (double)p.y);
        c_frame_back(&f, p, &x, &y);
        assert_true(fabs(x - cases[i].x) < 1e-4 && fabs(y - cases[i].y) < 1e-4);
        struct c_frame same = c_frame_make(C_STRETCH_MISMATCH, 840, cases[i].w, cases[i].h);
        struct c_point q = c_frame_point(&same, cases[i].x, cases[i].y);
        assert_true(p.x == q.x && p.y == q.y);
    }
    struct c_frame f = c_frame_make(C_STRETCH_BOTH, 840, 420, 210);
    struct c_point p = c_frame_point(&f, 100, 50);
    assert_true(p.x == 200 && p.y == 200);
}

static void sizes_of_boxes(void **state)
{
    static const double box[4] = { 10, 20, 110, 60 };
    (void)state;
    struct c_frame f = c_frame_make(C_LETTERBOX, 840, 420, 210);
    assert_true(c_frame_size(&f, box) == 200);
    f = c_frame_make(C_STRETCH_BOTH, 840, 420, 210);
    assert_true(c_frame_size(&f, box) == 200); /* 100 * 2 against 40 * 4 */
    f = c_frame_make(C_STRETCH_BOTH, 840, 420, 105);
    assert_true(c_frame_size(&f, box) == 320); /* 40 * 8 */
}

static void cells_of_points(void **state)
{
    (void)state;
    struct c_frame f = c_frame_make(C_LETTERBOX, 840, 840, 840);
    assert_int_equal(c_frame_cell(&f, (struct c_point){ 0, 0 }, 16), 0);
    assert_int_equal(c_frame_cell(&f, (struct c_point){ 52.4999f, 0 }, 16), 0);
    assert_int_equal(c_frame_cell(&f, (struct c_point){ 839, 839 }, 16), 255);
    assert_int_equal(c_frame_cell(&f, (struct c_point){ 840, 0 }, 16), 15); /* the far border is of the last cell */
    assert_int_equal(c_frame_cell(&f, (struct c_point){ 0, 840 }, 16), 240);
    assert_int_equal(c_frame_cell(&f, (struct c_point){ 5000, -3 }, 16), 15);
    assert_int_equal(c_frame_cell(&f, (struct c_point){ 100, 700 }, 1), 0);
    /* On borders float32 decides: 24 / 840 rounds down, and so does 24 / 840 * 105. */
    volatile float q = (float)(24.0 / 840), at = q * 105;
    assert_int_equal(c_frame_cell(&f, (struct c_point){ 105, 0 }, 24), (int)at);
    for (int grid = 1; grid <= 64; grid++)
        for (int k = 0; k < grid; k++) {
            volatile float cells = (float)((double)grid / 840), x = (float)((double)k * 840 / grid);
            volatile float product = cells * x;
            assert_int_equal(c_frame_cell(&f, (struct c_point){ x, 0 }, grid), (int)product);
        }
}

static void names_of_geometries(void **state)
{
    (void)state;
    enum c_geometry g;
    struct err e = { 0 };
    for (enum c_geometry i = C_LETTERBOX; i <= C_STRETCH_BOTH; i++) {
        assert_int_equal(c_geometry_parse(c_geometry_name(i), &g, &e), 0);
        assert_int_equal(g, i);
    }
    assert_int_equal(c_geometry_parse("stretch", &g, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    enum c_arith a;
    assert_int_equal(c_arith_parse("stored", &a, NULL), 0);
    assert_int_equal(a, C_STORED);
    assert_int_equal(c_arith_parse("bf16", &a, NULL), -1);
}

/* ---- c_tokens -------------------------------------------------------------------------------------------------------
 */

static void bfloat16_is_nearest_even(void **state)
{
    (void)state;
    assert_true(c_bf16(1.0f) == 1.0f);
    assert_true(c_bf16(0x1.01p0f) == 1.0f);      /* a tie, to the even one */
    assert_true(c_bf16(0x1.03p0f) == 0x1.04p0f); /* a tie, to the even one */
    assert_true(c_bf16(0x1.010002p0f) == 0x1.02p0f);
    assert_true(c_bf16(-0x1.03p0f) == -0x1.04p0f);
    assert_true(c_bf16(0.02f) == 0.02001953125f);
    assert_true(c_bf16(0x1.ffp0f) == 2.0f);
    assert_true(isinf(c_bf16(-INFINITY)));
}

static void stored_types_are_read(void **state)
{
    static const uint16_t half[] = { 0x3C00, 0xC000, 0x0001, 0x8400, 0x7BFF, 0x0000 };
    static const double half_values[] = { 1, -2, 0x1p-24, -0x1p-14, 65504, 0 };
    static const uint16_t brain[] = { 0x3F80, 0xC000, 0x3E80, 0x0000, 0x8000, 0x4040 };
    static const double brain_values[] = { 1, -2, 0.25, 0, 0, 3 };
    float out[8];
    (void)state;
    for (int k = 0; k < 2; k++) {
        const double *values = k ? brain_values : half_values;
        double norm = 0;
        for (int i = 0; i < 6; i++)
            norm += values[i] * values[i];
        struct c_shape s = { k ? C_BF16 : C_F16, 1, 6 };
        assert_int_equal(c_tokens(k ? brain : half, &s, 1, C_FP32, NULL, 1, out, NULL), 0);
        for (int i = 0; i < 6; i++)
            assert_true(fabs((double)out[i] - values[i] / sqrt(norm)) < 1e-7);
        assert_true(out[6] == 0 && out[7] == 0); /* padding */
    }
}

static void tokens_have_unit_length(void **state)
{
    static const float raw[4][2] = { { 3, 4 }, { 0, 0 }, { -5, 12 }, { 1e-30f, 0 } };
    static const int cells[] = { 2, 0 };
    struct c_shape s = { C_F32, 2, 2 };
    float out[4 * 8];
    (void)state;
    assert_int_equal(c_tokens(raw, &s, 2, C_FP32, NULL, 4, out, NULL), 0);
    assert_true(out[0] == 3.0f / 5 && out[1] == 4.0f / 5);
    assert_true(out[8] == 0 && out[9] == 0);
    assert_true(out[24] < 1e-19f); /* the epsilon keeps what is almost nothing small */
    assert_int_equal(c_tokens(raw, &s, 2, C_FP32, cells, 2, out, NULL), 0);
    assert_true(out[0] == -5.0f / 13 && out[8] == 3.0f / 5);
    /* float32 has no rounding of its own, in either arithmetic. */
    assert_int_equal(c_tokens(raw, &s, 2, C_STORED, cells, 2, out, NULL), 0);
    assert_true(out[0] == -5.0f / 13);
}

static void stored_tokens_are_rounded(void **state)
{
    static const uint16_t raw[] = { 0x4040, 0x4080, 0x3F80 }; /* 3, 4, 1: the norm 5.0990 is 5.09375 in bfloat16 */
    struct c_shape s = { C_BF16, 1, 3 };
    float out[8];
    (void)state;
    assert_int_equal(c_tokens(raw, &s, 1, C_STORED, NULL, 1, out, NULL), 0);
    assert_true(out[0] == c_bf16(3 / 5.09375f) && out[1] == c_bf16(4 / 5.09375f) && out[2] == c_bf16(1 / 5.09375f));
}

/* Not aligned, one channel and a constant one; 2 x 2 -> 4 x 4 by hand: weights 1/4 and 3/4 inside, edges repeated. */
static void other_grids_are_bilinear(void **state)
{
    static const float corner[4] = { 0, 4, 8, 12 };
    static const float row0[4] = { 0, 1, 3, 4 };
    uint8_t bytes[1 + sizeof(float) * 8];
    struct c_shape s = { C_F32, 2, 2 };
    float out[16 * 8];
    (void)state;
    for (int i = 0; i < 4; i++) {
        float token[2] = { corner[i], 1 };
        memcpy(bytes + 1 + (size_t)i * sizeof token, token, sizeof token);
    }
    assert_int_equal(c_tokens(bytes + 1, &s, 4, C_FP32, NULL, 16, out, NULL), 0);
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 4; x++) {
            float want = row0[x] + 2 * row0[y], got = out[(y * 4 + x) * 8] / out[(y * 4 + x) * 8 + 1];
            assert_true(fabsf(want - got) < 1e-5f);
        }
    int middle = 0; /* 2 x 2 -> 1 x 1 is the mean of all */
    assert_int_equal(c_tokens(bytes + 1, &s, 1, C_FP32, &middle, 1, out, NULL), 0);
    assert_true(fabsf(out[0] / out[1] - 6) < 1e-5f);
}

static void values_that_are_not_finite(void **state)
{
    float raw[4] = { 1, 1, 1, NAN }, out[4 * 8];
    struct c_shape s = { C_F32, 2, 1 };
    struct err e = { 0 };
    (void)state;
    assert_int_equal(c_tokens(raw, &s, 2, C_FP32, NULL, 4, out, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "row 1, column 1"));
    raw[3] = INFINITY;
    assert_int_equal(c_tokens(raw, &s, 2, C_FP32, NULL, 4, out, NULL), -1);
    raw[3] = 3e38f; /* large, but a norm can be made of it */
    assert_int_equal(c_tokens(raw, &s, 2, C_FP32, NULL, 4, out, NULL), 0);
    assert_true(out[24] == 1);
}

/* ---- c_dot ----------------------------------------------------------------------------------------------------------
 */

/* What c_dot.h promises about the order of sums, one element at a time. */
static float ordered_dot(const float *a, const float *b, size_t width)
{
    volatile float x[8] = { 0 };
    for (size_t c = 0; c < width; c++) {
        volatile float product = a[c] * b[c];
        x[c % 8] = x[c % 8] + product;
    }
    volatile float s04 = x[0] + x[4], s26 = x[2] + x[6], s15 = x[1] + x[5], s37 = x[3] + x[7];
    volatile float even = s04 + s26, odd = s15 + s37;
    return even + odd;
}

static void products_in_one_order(void **state)
{
    enum { ROWS = 11, TOKENS = 9, WIDTH = 72, STRIDE = 13 };
    float rows[ROWS * WIDTH], tokens[TOKENS * WIDTH], out[ROWS * STRIDE], one[1];
    (void)state;
    seed = 1;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        rows[i] = noise();
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
        tokens[i] = noise();
    for (size_t i = 0; i < ARRAY_LEN(out); i++)
        out[i] = 99;
    c_dot(rows, ROWS, tokens, TOKENS, WIDTH, out, STRIDE);
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t t = 0; t < TOKENS; t++) {
            assert_true(out[r * STRIDE + t] == ordered_dot(rows + r * WIDTH, tokens + t * WIDTH, WIDTH));
            c_dot(rows + r * WIDTH, 1, tokens + t * WIDTH, 1, WIDTH, one, 1);
            assert_true(one[0] == out[r * STRIDE + t]);
        }
        for (size_t t = TOKENS; t < STRIDE; t++)
            assert_true(out[r * STRIDE + t] == 99);
    }
}

/* ---- c_match --------------------------------------------------------------------------------------------------------
 */

static struct c_point match_one(const struct c_match *m, float *row, int members)
{
    struct c_shape shapes[C_ENCODERS_MAX];
    for (int i = 0; i < members; i++)
        shapes[i] = (struct c_shape){ C_F32, m->grid, 1 };
    uint32_t all = (uint32_t)((UINT64_C(1) << members) - 1);
    AUTO(c_order_destroy) struct c_order *o = c_order_create(&all, 1, shapes, (size_t)members, 0, C_FP32, NULL);
    const float *rows[C_ENCODERS_MAX];
    float *sums = malloc((size_t)members * c_row_size(m->grid) * sizeof *sums);
    struct c_point out;
    assert_non_null(o);
    assert_non_null(sums);
    for (int i = 0; i < members; i++)
        rows[i] = row;
    c_row_finish(row, m->grid);
    c_subsets_match(&o->groups[0], m, rows, sums, &out);
    free(sums);
    return out;
}

/* The definition, in double. */
static void match_by_definition(const struct c_match *m, const float *row, double out[2])
{
    int grid = m->grid, best = 0;
    double greatest = -INFINITY, total = 0, x = 0, y = 0, stride = 840.0 / grid;
    for (int i = 0; i < grid * grid; i++)
        best = row[i] > row[best] ? i : best;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < grid * grid; i++) {
            bool inside = abs(i / grid - best / grid) <= m->window && abs(i % grid - best % grid) <= m->window;
            double c = inside ? (double)row[i] : 0, p = exp((c - greatest) / (double)m->temperature);
            if (pass == 0) {
                greatest = fmax(greatest, c);
                continue;
            }
            total += p;
            x += p * (i % grid);
            y += p * (i / grid);
        }
    out[0] = x / total * stride + floor(stride / 2);
    out[1] = y / total * stride + floor(stride / 2);
}

static void soft_argmax_by_definition(void **state)
{
    static const int grids[] = { 1, 2, 3, 10, 11, 12, 16, 24, 37 };
    static const int windows[] = { 0, 1, 5, 100 };
    static const float shifts[] = { 0, 0.5f, -1.5f }; /* all negative: cells outside then weigh most */
    static float row[38 * 38];
    (void)state;
    seed = 7;
    for (size_t g = 0; g < ARRAY_LEN(grids); g++)
        for (size_t w = 0; w < ARRAY_LEN(windows); w++)
            for (size_t s = 0; s < ARRAY_LEN(shifts); s++)
                for (int members = 1; members <= 3; members++) {
                    struct c_match m = c_match_make(grids[g], 840, windows[w], 0.02);
                    double want[2];
                    for (int i = 0; i < grids[g] * grids[g]; i++)
                        row[i] = noise() * 0.3f + shifts[s];
                    match_by_definition(&m, row, want);
                    struct c_point got = match_one(&m, row, members);
                    if (!(fabs((double)got.x - want[0]) < 2e-3 && fabs((double)got.y - want[1]) < 2e-3))
                        fail_msg("grid %d window %d shift %g members %d: %.6f, %.6f instead of %.6f, %.6f", grids[g],
                                 windows[w], (double)shifts[s], members, (double)got.x, (double)got.y, want[0],
                                 want[1]);
                }
}

/* One cell far above the others: its point, exactly. Two equal ones: the first. */
static void one_cell_stands_out(void **state)
{
    static float row[24 * 24 + 8];
    (void)state;
    for (int grid = 2; grid <= 24; grid++) {
        struct c_match m = c_match_make(grid, 840, 5, 0.02);
        float stride = (float)(840.0 / grid), offset = (float)floor(840.0 / grid / 2);
        for (int i = 0; i < grid * grid; i++) {
            memset(row, 0, sizeof row);
            row[i] = 1;
            struct c_point p = match_one(&m, row, 1);
            assert_true(fabsf(p.x - ((float)(i % grid) * stride + offset)) < 1e-4f);
            assert_true(fabsf(p.y - ((float)(i / grid) * stride + offset)) < 1e-4f);
        }
    }
    struct c_match m = c_match_make(24, 840, 5, 0.02);
    memset(row, 0, sizeof row);
    row[23 * 24 + 23] = row[5] = row[14 * 24] = 1;
    struct c_point p = match_one(&m, row, 1);
    assert_true(fabsf(p.x - (5 * 35 + 17)) < 1e-4f && fabsf(p.y - 17) < 1e-4f);
}

/* Each rounding where the released code has it, without any of our vectors. */
static void bf16_by_definition(const struct c_match *m, const float *sums, int members, double out[2])
{
    int grid = m->grid, cells = grid * grid, best = 0, outside = 0;
    static float c[38 * 38];
    static bool inside[38 * 38];
    for (int i = 0; i < cells; i++)
        c[i] = c_bf16(sums[i] / (float)members);
    for (int i = 0; i < cells; i++)
        best = c[i] > c[best] ? i : best;
    float greatest = c[best];
    for (int i = 0; i < cells; i++) {
        inside[i] = abs(i / grid - best / grid) <= m->window && abs(i % grid - best % grid) <= m->window;
        c[i] = inside[i] ? c[i] : 0;
        outside += !inside[i];
    }
    greatest = outside && greatest < 0 ? 0 : greatest;
    double total = 0;
    for (int i = 0; i < cells; i++) {
        c[i] = c_bf16((float)exp((double)c_bf16(c_bf16(c[i] - greatest) / 0.02f)));
        total += (double)c[i];
    }
    double at[2] = { 0 };
    for (int i = 0; i < cells; i++)
        c[i] = c_bf16(c[i] / c_bf16((float)total));
    for (int k = 0; k < grid; k++) {
        double column = 0, row = 0, lin = grid > 1 ? -1 + 2.0 * k / (grid - 1) : -1;
        for (int i = 0; i < grid; i++) {
            column += (double)c[i * grid + k];
            row += (double)c[k * grid + i];
        }
        at[0] += (double)c_bf16((float)column) * lin;
        at[1] += (double)c_bf16((float)row) * lin;
    }
    for (int i = 0; i < 2; i++) {
        double cell = fmin(fmax((at[i] + 1) * (grid - 1) / 2, 0), grid - 1);
        out[i] = cell * 840.0 / grid + floor(840.0 / grid / 2);
    }
}

static void rounded_soft_argmax_by_definition(void **state)
{
    static const int grids[] = { 1, 4, 11, 12, 16, 24, 37 };
    static const float shifts[] = { 0.3f, 0, -1.2f };
    static float row[38 * 38];
    size_t far = 0, all = 0;
    (void)state;
    seed = 3;
    for (size_t g = 0; g < ARRAY_LEN(grids); g++)
        for (size_t s = 0; s < ARRAY_LEN(shifts); s++)
            for (int turn = 0; turn < 20; turn++, all++) {
                struct c_match m = c_match_make(grids[g], 840, turn % 2 ? 5 : 2, 0.02);
                double want[2];
                struct c_point got;
                for (int i = 0; i < grids[g] * grids[g]; i++)
                    row[i] = noise() * 0.3f + shifts[s];
                c_row_finish(row, grids[g]);
                bf16_by_definition(&m, row, 1 + turn % 3, want);
                c_match_bf16(&m, row, 1 + turn % 3, &got);
                far += fabs((double)got.x - want[0]) > 1e-3 || fabs((double)got.y - want[1]) > 1e-3;
            }
    /* An exponential's last bit may tip a rounding, in one of ten thousand. */
    if (far > all / 50)
        fail_msg("%zu of %zu differ", far, all);
}

/* ---- c_subsets ------------------------------------------------------------------------------------------------------
 */

static void subsets_in_order(void **state)
{
    static const uint32_t want[] = { 1, 2, 4, 3, 5, 6, 7 };
    uint32_t got[7];
    (void)state;
    c_subsets_all(3, got);
    assert_memory_equal(got, want, sizeof want);
}

static struct c_order *order_of(const uint32_t *subsets, size_t n, int grid, struct err *e)
{
    static const struct c_shape shapes[] = {
        { C_F32, 16, 8 }, { C_BF16, 24, 8 }, { C_BF16, 14, 8 }, { C_BF16, 24, 8 }
    };
    return c_order_create(subsets, n, shapes, ARRAY_LEN(shapes), grid, C_STORED, e);
}

static void steps_share_sums(void **state)
{
    uint32_t all[15];
    (void)state;
    c_subsets_all(4, all);
    AUTO(c_order_destroy) struct c_order *o = order_of(all, 15, 0, NULL);
    assert_non_null(o);
    assert_int_equal(o->n_groups, 3); /* 14: {2}; 16: {0} {0,2}; 24: the twelve with 1 or 3 */
    assert_int_equal(o->groups[0].grid, 14);
    assert_int_equal(o->groups[0].n_subsets, 1);
    assert_int_equal(o->groups[1].n_subsets, 2);
    assert_int_equal(o->groups[1].encoders, 5);
    assert_int_equal(o->groups[2].n_subsets, 12);
    assert_int_equal(o->groups[2].n_steps, 15); /* {0}, {0,2}, {2} are on the way */
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(o->grids[i], all[i] & 10 ? 24 : all[i] & 1 ? 16 : 14);
    size_t rounded = 0;
    for (size_t g = 0; g < 3; g++)
        for (size_t i = 0; i < o->groups[g].n_steps; i++)
            rounded += o->groups[g].steps[i].rounded;
    assert_int_equal(rounded, 7); /* those without encoder 0 */
    c_order_destroy(o);
    o = order_of(all, 15, 20, NULL);
    assert_int_equal(o->n_groups, 1);
    assert_int_equal(o->groups[0].n_steps, 15); /* one addition each */
    assert_int_equal(o->groups[0].depth, 4);
}

static void bad_lists_of_subsets(void **state)
{
    static const uint32_t nothing[] = { 1, 0 }, unknown[] = { 16 }, twice[] = { 3, 1, 3 };
    struct err e = { 0 };
    (void)state;
    assert_null(order_of(nothing, 2, 0, &e));
    assert_non_null(strstr(e.text, "no members"));
    err_clear(&e);
    assert_null(order_of(unknown, 1, 0, &e));
    assert_non_null(strstr(e.text, "not there"));
    err_clear(&e);
    assert_null(order_of(twice, 3, 0, &e));
    assert_non_null(strstr(e.text, "the same"));
    assert_null(order_of(twice, 0, 0, NULL));
    assert_null(order_of(twice, 1, C_GRID_MAX + 1, NULL));
}

/* To the last bit: every subset alone, in a list of its own, is what it is among all. */
static void alone_is_as_together(void **state)
{
    enum { K = 6, N = 63, GRID = 17 };
    struct c_shape shapes[K];
    uint32_t all[N];
    const float *rows[K];
    struct c_point together[N], alone;
    struct c_match m = c_match_make(GRID, 840, 5, 0.02);
    size_t size = c_row_size(GRID);
    float *memory = malloc(2 * K * size * sizeof *memory), *sums = memory + K * size;
    (void)state;
    assert_non_null(memory);
    seed = 11;
    for (size_t k = 0; k < K; k++) {
        float *row = memory + k * size;
        shapes[k] = (struct c_shape){ k < 3 ? C_BF16 : C_F32, GRID, 8 };
        for (size_t i = 0; i < GRID * GRID; i++)
            row[i] = k < 3 ? c_bf16(noise()) : noise();
        c_row_finish(row, GRID);
        rows[k] = row;
    }
    c_subsets_all(K, all);
    for (enum c_arith arith = C_FP32; arith <= C_STORED; arith++) {
        AUTO(c_order_destroy) struct c_order *o = c_order_create(all, N, shapes, K, 0, arith, NULL);
        assert_non_null(o);
        c_subsets_match(&o->groups[0], &m, rows, sums, together);
        for (size_t i = 0; i < N; i++) {
            AUTO(c_order_destroy) struct c_order *one = c_order_create(&all[i], 1, shapes, K, 0, arith, NULL);
            assert_non_null(one);
            c_subsets_match(&one->groups[0], &m, rows, sums, &alone);
            assert_true(alone.x == together[i].x && alone.y == together[i].y);
        }
    }
    free(memory);
}

/* ---- c_tally --------------------------------------------------------------------------------------------------------
 */

static void sums_are_exact(void **state)
{
    (void)state;
    AUTO(c_tally_destroy) struct c_tally *a = c_tally_create(2, 2, 3), *b = c_tally_create(2, 2, 3);
    assert_non_null(a);
    assert_non_null(b);
    struct c_counts one = { .correct = { 1, 0, 2 }, .geo = 1 };
    for (size_t points = 3; points <= 30; points++) {
        c_tally_add(points % 2 ? a : b, 1, 0, points, points % 3, &one);
        struct c_counts rest = { .correct = { (uint8_t)(points - 1), (uint8_t)points, 0 } };
        c_tally_add(points % 2 ? b : a, 1, 0, points, 0, &rest);
    }
    c_tally_merge(a, b);
    assert_true(c_tally_mean(a, 1, 0, 0, 56) == 0.5); /* 1/n and (n-1)/n, for 28 n */
    assert_true(c_tally_mean(a, 1, C_ALL, 1, 28) == 1);
    assert_true(c_tally_mean(a, 1, 1, 0, 1) == 0);
    assert_true(c_tally_mean(a, 0, 0, 0, 56) == 0);
    assert_true(c_tally_geo(a, 1, 18) == 0.75); /* one of one and one of two, nine times each */
    assert_true(isnan(c_tally_geo(a, 1, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_in_the_frame),      cmocka_unit_test(sizes_of_boxes),
        cmocka_unit_test(cells_of_points),          cmocka_unit_test(names_of_geometries),
        cmocka_unit_test(bfloat16_is_nearest_even), cmocka_unit_test(stored_types_are_read),
        cmocka_unit_test(tokens_have_unit_length),  cmocka_unit_test(stored_tokens_are_rounded),
        cmocka_unit_test(other_grids_are_bilinear), cmocka_unit_test(values_that_are_not_finite),
        cmocka_unit_test(products_in_one_order),    cmocka_unit_test(soft_argmax_by_definition),
        cmocka_unit_test(one_cell_stands_out),      cmocka_unit_test(rounded_soft_argmax_by_definition),
        cmocka_unit_test(subsets_in_order),         cmocka_unit_test(steps_share_sums),
        cmocka_unit_test(bad_lists_of_subsets),     cmocka_unit_test(alone_is_as_together),
        cmocka_unit_test(sums_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
