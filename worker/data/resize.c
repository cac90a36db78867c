/* Both passes are one kernel: a line of bytes is the weighted sum of lines of bytes that lie `stride` apart. Down the
 * columns these are the picture's rows. Along the rows they are made so: a strip of 16 rows is turned on its side, so
 * that one column of it, 16 pixels of 3 bytes, lies together. Products and sums are of 32 bits, as Pillow's. */
#include "worker/data/resize.h"

#include <math.h>
#include <string.h>

enum {
    DIGITS = 32 - 8 - 2, /* binary digits of a weight */
    ROWS = 16,           /* of a strip */
    LINE = 3 * ROWS,     /* bytes that the kernel sums at once */
};

/* ---- filters ------------------------------------------------------------------------------------------------------
 */

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1 : 0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double hamming(double x)
{
    x = fabs(x);
    if (x == 0)
        return 1;
    if (x >= 1)
        return 0;
    x *= M_PI;
    return sin(x) / x * (0.54F + 0.46F * cos(x)); /* Pillow has these two as floats */
}

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static double sinc(double x)
{
    if (x == 0)
        return 1;
    x *= M_PI;
    return sin(x) / x;
}

static double lanczos(double x)
{
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static const struct filter {
    double (*weight)(double x);
    double support;
} filters[RESAMPLE_COUNT] = {
    [RESAMPLE_LANCZOS] = { lanczos, 3 }, [RESAMPLE_BILINEAR] = { bilinear, 1 }, [RESAMPLE_BICUBIC] = { bicubic, 2 },
    [RESAMPLE_BOX] = { box, 0.5 },       [RESAMPLE_HAMMING] = { hamming, 1 },
};

/* ---- weights ------------------------------------------------------------------------------------------------------
 */

/* For each output line of one direction: which input lines, and how much of each. */
struct taps {
    uint32_t n;
    uint32_t *first, *count; /* [n] */
    size_t *at;              /* [n], into the weights */
    int32_t *weights;
};

static void taps_free_cleanup(struct taps *t)
{
    free(t->first);
    free(t->count);
    free(t->at);
    free(t->weights);
}

struct axis {
    uint32_t in;   /* lines of the input */
    uint64_t out;  /* lines of the whole output */
    uint64_t from; /* of which these are wanted */
    uint32_t n;
};

/* How far one output line reaches; `place` is where it lies in the input. */
static void reach(const struct axis *a, const struct filter *f, uint64_t line, double *place, double *stretch,
                  uint32_t *first, uint32_t *count)
{
    double scale = (double)a->in / (double)a->out;
    *stretch = scale < 1 ? 1 : scale;
    double support = f->support * *stretch;
    *place = ((double)line + 0.5) * scale;
    double low = *place - support + 0.5, high = *place + support + 0.5;
    *first = low < 0 ? 0 : (uint32_t)low;
    uint32_t end = high > a->in ? a->in : (uint32_t)high;
    *count = end - *first;
}

static void weigh_line(const struct filter *f, double place, double stretch, uint32_t first, uint32_t count, double *w)
{
    double sum = 0, shrink = 1 / stretch;
    for (uint32_t i = 0; i < count; i++) {
        w[i] = f->weight((i + first - place + 0.5) * shrink);
        sum += w[i];
    }
    for (uint32_t i = 0; i < count && sum != 0; i++)
        w[i] /= sum;
}

static int32_t rounded(double w)
{
    return (int32_t)(w < 0 ? w * (1 << DIGITS) - 0.5 : w * (1 << DIGITS) + 0.5);
}

static int taps_alloc(struct taps *t, uint32_t n, struct err *e)
{
    t->n = n;
    t->first = calloc(n, sizeof *t->first);
    t->count = calloc(n, sizeof *t->count);
    t->at = calloc(n, sizeof *t->at);
    return t->first && t->count && t->at ? 0 : FAIL_NOMEM(e);
}

static int taps_filter(struct taps *t, const struct axis *a, const struct filter *f, struct err *e)
{
    double place, stretch;
    size_t total = 0;
    uint32_t most = 1;
    TRY(taps_alloc(t, a->n, e));
    for (uint32_t i = 0; i < a->n; i++) {
        reach(a, f, a->from + i, &place, &stretch, &t->first[i], &t->count[i]);
        t->at[i] = total;
        total += t->count[i];
        most = t->count[i] > most ? t->count[i] : most;
    }
    AUTO(free) double *line = calloc(most, sizeof *line);
    t->weights = calloc(total + 1, sizeof *t->weights);
    if (!line || !t->weights)
        return FAIL_NOMEM(e);
    for (uint32_t i = 0; i < a->n; i++) {
        reach(a, f, a->from + i, &place, &stretch, &t->first[i], &t->count[i]);
        weigh_line(f, place, stretch, t->first[i], t->count[i], line);
        for (uint32_t k = 0; k < t->count[i]; k++)
            t->weights[t->at[i] + k] = rounded(line[k]);
    }
    return 0;
}

/* A direction that keeps its size is copied, as Pillow does. */
static int taps_copy(struct taps *t, const struct axis *a, struct err *e)
{
    TRY(taps_alloc(t, a->n, e));
    t->weights = calloc(a->n, sizeof *t->weights);
    if (!t->weights)
        return FAIL_NOMEM(e);
    for (uint32_t i = 0; i < a->n; i++) {
        t->first[i] = (uint32_t)a->from + i;
        t->count[i] = 1;
        t->at[i] = i;
        t->weights[i] = 1 << DIGITS;
    }
    return 0;
}

static int taps_make(struct taps *t, const struct axis *a, enum resample how, struct err *e)
{
    return a->in == a->out ? taps_copy(t, a, e) : taps_filter(t, a, &filters[how], e);
}

/* ---- the kernel ---------------------------------------------------------------------------------------------------
 */

typedef int32_t lanes __attribute__((vector_size(32)));
enum { LANES = 8, VECTORS = LINE / LANES };

/* out[0..47] = sum of w[k] * in[k * stride + 0..47], rounded and clipped. The loops over lanes become one instruction.
 */
static inline __attribute__((always_inline)) void sum_body(const uint8_t *in, size_t stride, const int32_t *w,
                                                           uint32_t count, uint8_t *out)
{
    lanes sum[VECTORS];
    for (int v = 0; v < VECTORS; v++)
        sum[v] = (lanes){ 0 } + (1 << (DIGITS - 1));
    for (uint32_t k = 0; k < count; k++, in += stride)
        for (int v = 0; v < VECTORS; v++) {
            lanes pixel;
            for (int i = 0; i < LANES; i++)
                pixel[i] = in[v * LANES + i];
            sum[v] += pixel * w[k];
        }
    for (int v = 0; v < VECTORS; v++) {
        lanes value = sum[v] >> DIGITS;
        value &= ~(value >> 31);
        lanes over = value > 255;
        value = (value & ~over) | (over & 255);
        for (int i = 0; i < LANES; i++)
            out[v * LANES + i] = (uint8_t)value[i];
    }
}

typedef void sum_lines(const uint8_t *in, size_t stride, const int32_t *w, uint32_t count, uint8_t *out);

static void sum_plain(const uint8_t *in, size_t stride, const int32_t *w, uint32_t count, uint8_t *out)
{
    sum_body(in, stride, w, count, out);
}

#if defined __x86_64__
__attribute__((target("avx2"))) static void sum_avx2(const uint8_t *in, size_t stride, const int32_t *w, uint32_t count,
                                                     uint8_t *out)
{
    sum_body(in, stride, w, count, out);
}

static sum_lines *choose_sum(void)
{
    return __builtin_cpu_supports("avx2") ? sum_avx2 : sum_plain;
}
#else
static sum_lines *choose_sum(void)
{
    return sum_plain;
}
#endif

/* ---- on its side --------------------------------------------------------------------------------------------------
 */

typedef uint8_t sixteen __attribute__((vector_size(16)));
enum { BLOCK = sizeof(sixteen) };

/* 16 x 16 bytes: row r and row r + 8 are merged byte by byte, four times over. */
static void turn_block(const uint8_t *in, size_t in_stride, uint8_t *out, size_t out_stride)
{
    sixteen a[BLOCK], b[BLOCK];
    for (int r = 0; r < BLOCK; r++)
        memcpy(&a[r], in + r * in_stride, sizeof a[r]);
    for (int step = 0; step < 4; step++) {
        for (int r = 0; r < BLOCK / 2; r++) {
            b[2 * r] = __builtin_shufflevector(a[r], a[r + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            b[2 * r + 1] =
                __builtin_shufflevector(a[r], a[r + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        memcpy(a, b, sizeof a);
    }
    for (int r = 0; r < BLOCK; r++)
        memcpy(out + r * out_stride, &a[r], sizeof a[r]);
}

/* out[column][row] = in[row][column] for all bytes of rows x columns. */
static void turn(const uint8_t *in, size_t in_stride, size_t rows, size_t columns, uint8_t *out, size_t out_stride)
{
    for (size_t r = 0; r < rows; r += BLOCK)
        for (size_t c = 0; c < columns; c += BLOCK) {
            const uint8_t *from = in + r * in_stride + c;
            uint8_t *to = out + c * out_stride + r;
            if (rows - r >= BLOCK && columns - c >= BLOCK) {
                turn_block(from, in_stride, to, out_stride);
                continue;
            }
            for (size_t y = 0; y < BLOCK && r + y < rows; y++)
                for (size_t x = 0; x < BLOCK && c + x < columns; x++)
                    to[x * out_stride + y] = from[y * in_stride + x];
        }
}

/* ---- the passes ---------------------------------------------------------------------------------------------------
 */

/* Rows with room behind each, so that the kernel may read and write full lines. */
struct plane {
    uint8_t *bytes;
    size_t stride;
    uint32_t rows;
};

/* Rows first, first + 1... of `in`, each shrunk or stretched to the taps' width. */
static int along_rows(const struct image *in, uint32_t first, const struct taps *t, const struct plane *out,
                      struct err *e)
{
    sum_lines *sum = choose_sum();
    size_t stride = (size_t)in->width * 3;
    AUTO(free) uint8_t *strip = calloc(in->width, LINE); /* (width, 3, ROWS) */
    AUTO(free) uint8_t *lines = calloc(t->n, LINE);
    if (!strip || !lines)
        return FAIL_NOMEM(e);
    for (uint32_t y = 0; y < out->rows; y += ROWS) {
        uint32_t n = out->rows - y < ROWS ? out->rows - y : ROWS;
        turn(in->pixels + (first + y) * stride, stride, n, stride, strip, ROWS);
        for (uint32_t x = 0; x < t->n; x++)
            sum(strip + (size_t)t->first[x] * LINE, LINE, t->weights + t->at[x], t->count[x], lines + (size_t)x * LINE);
        turn(lines, ROWS, (size_t)t->n * 3, n, out->bytes + y * out->stride, out->stride);
    }
    return 0;
}

/* The row of the plane that holds the input's row `first` is its row 0. */
static void down_columns(const struct plane *in, uint32_t first, const struct taps *t, struct image *out)
{
    sum_lines *sum = choose_sum();
    size_t width = (size_t)out->width * 3;
    for (uint32_t y = 0; y < t->n; y++) {
        const uint8_t *from = in->bytes + (t->first[y] - first) * in->stride;
        uint8_t *to = out->pixels + y * width;
        for (size_t x = 0; x < width; x += LINE) {
            uint8_t line[LINE];
            sum(from + x, in->stride, t->weights + t->at[y], t->count[y], line);
            memcpy(to + x, line, width - x < LINE ? width - x : LINE);
        }
    }
}

static void plane_free_cleanup(struct plane *p)
{
    free(p->bytes);
}

static int plane_make(struct plane *p, uint32_t width, uint32_t rows, struct err *e)
{
    p->rows = rows;
    p->stride = ((size_t)width * 3 + LINE - 1) / LINE * LINE;
    p->bytes = calloc(rows, p->stride);
    return p->bytes ? 0 : FAIL_NOMEM(e);
}

static int resample(const struct image *in, const struct axis *across, const struct axis *down, enum resample how,
                    struct image *out, struct err *e)
{
    __attribute__((cleanup(taps_free_cleanup))) struct taps x = { 0 }, y = { 0 };
    TRY(taps_make(&x, across, how, e));
    TRY(taps_make(&y, down, how, e));
    uint32_t first = y.first[0], end = first;
    for (uint32_t i = 0; i < y.n; i++)
        end = y.first[i] + y.count[i] > end ? y.first[i] + y.count[i] : end;
    __attribute__((cleanup(plane_free_cleanup))) struct plane p = { 0 };
    TRY(plane_make(&p, x.n, end - first, e));
    TRY(along_rows(in, first, &x, &p, e));
    down_columns(&p, first, &y, out);
    return 0;
}

/* ---- nearest ------------------------------------------------------------------------------------------------------
 */

/* Pillow adds up the place of each pixel instead of multiplying, and the sum's rounding decides at the borders. */
static uint32_t *nearest_lines(const struct axis *a, struct err *e)
{
    uint32_t *lines = calloc(a->n, sizeof *lines);
    if (!lines)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    double step = (double)a->in / (double)a->out, place = step * 0.5;
    for (uint64_t i = 0; i < a->from + a->n; i++, place += step)
        if (i >= a->from)
            lines[i - a->from] = place < a->in ? (uint32_t)place : a->in - 1;
    return lines;
}

static int nearest(const struct image *in, const struct axis *across, const struct axis *down, struct image *out,
                   struct err *e)
{
    AUTO(free) uint32_t *x = nearest_lines(across, e);
    AUTO(free) uint32_t *y = x ? nearest_lines(down, e) : NULL;
    if (!y)
        return -1;
    uint8_t *to = out->pixels;
    for (uint32_t r = 0; r < out->height; r++)
        for (uint32_t c = 0; c < out->width; c++, to += 3)
            memcpy(to, in->pixels + ((size_t)y[r] * in->width + x[c]) * 3, 3);
    return 0;
}

/* -------------------------------------------------------------------------------------------------------------------
 */

static bool inside(uint64_t from, uint64_t n, uint64_t whole)
{
    return n > 0 && n <= whole && from <= whole - n;
}

int resize_part(const struct image *in, const struct resize_to *to, enum resample how, struct image *out, struct err *e)
{
    if (!inside(to->left, to->part_width, to->width) || !inside(to->top, to->part_height, to->height) ||
        to->width > UINT64_C(1) << 40 || to->height > UINT64_C(1) << 40)
        return FAIL(e, ERR_BUG, "a part of %u x %u pixels at %llu, %llu is not inside %llu x %llu", to->part_width,
                    to->part_height, (unsigned long long)to->left, (unsigned long long)to->top,
                    (unsigned long long)to->width, (unsigned long long)to->height);
    struct axis across = { in->width, to->width, to->left, to->part_width };
    struct axis down = { in->height, to->height, to->top, to->part_height };
    AUTO(image_free) struct image im = { 0 };
    TRY(image_create(to->part_width, to->part_height, &im, e));
    TRY(how == RESAMPLE_NEAREST ? nearest(in, &across, &down, &im, e) : resample(in, &across, &down, how, &im, e));
    *out = im;
    im.pixels = NULL;
    return 0;
}

int resize_image(const struct image *in, uint32_t width, uint32_t height, enum resample how, struct image *out,
                 struct err *e)
{
    struct resize_to to = { width, height, 0, 0, width, height };
    return resize_part(in, &to, how, out, e);
}
