/* One sample: unit tokens, then blocks of cosines of which only each target token's greatest is kept. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "worker/score/a_dot.h"
#include "worker/score/a_score.h"
#include "worker/score/c_dot.h"
#include "worker/score/c_tokens.h"

#define NORM_EPSILON 1e-10f
#define COSINE_EPSILON 1e-8f /* torch's cosine_similarity */

/* A block's cosines and the reference's tokens that belong to it stay in the caches. */
#define BLOCK_ROWS 64
#define BLOCK_TOKENS 32
#define THREADS_MAX 64

static const char *const arith_names[] = { "fp32", "bf16" };

const char *a_arith_name(enum a_arith a)
{
    return arith_names[a];
}

int a_arith_parse(const char *name, enum a_arith *out, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(arith_names); i++)
        if (strcmp(arith_names[i], name) == 0) {
            *out = (enum a_arith)i;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "the arithmetic '%.40s' is neither fp32 nor bf16", name);
}

/* ---- unit tokens ----------------------------------------------------------------------------------------------------
 */

static float norm_of(const float *x, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * x[i];
    return (float)sqrt(squares);
}

static void divide(float *x, size_t n, float by, bool rounded)
{
    for (size_t i = 0; i < n; i++)
        x[i] = rounded ? c_bf16(x[i] / by) : x[i] / by;
}

/* -1 when a value is not finite. In bfloat16 the tokens come in rounded, and are brought to unit length twice. */
static int normalise(float *x, size_t n, enum a_arith arith)
{
    bool rounded = arith == A_BF16;
    for (size_t i = 0; rounded && i < n; i++)
        x[i] = isfinite(x[i]) ? c_bf16(x[i]) : x[i];
    float norm = norm_of(x, n), divisor = rounded ? c_bf16(c_bf16(norm) + NORM_EPSILON) : norm + NORM_EPSILON;
    if (!isfinite(norm) || !isfinite(divisor))
        return -1;
    divide(x, n, divisor, rounded);
    if (rounded) {
        float again = c_bf16(norm_of(x, n)), least = c_bf16(COSINE_EPSILON);
        divide(x, n, again > least ? again : least, true);
    }
    return 0;
}

/* n rows of c_padded(width); NULL on error. */
static float *unit_tokens(const struct a_tokens *t, enum a_arith arith, struct err *e)
{
    static const enum c_type types[] = { [TH_F32] = C_F32, [TH_BF16] = C_BF16, [TH_F16] = C_F16 };
    size_t stride = c_padded(t->width), size = t->type == TH_F32 ? 4 : 2;
    AUTO(free) float *out = calloc(t->n, stride * sizeof *out);
    if (!out)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < t->n; i++) {
        c_read((const char *)t->data + i * t->width * size, types[t->type], t->width, out + i * stride);
        if (normalise(out + i * stride, t->width, arith) < 0)
            return FAIL_NULL(e, ERR_INPUT, "token %zu has values that are not finite, or too large", i);
    }
    return TAKE(out);
}

/* ---- greatest cosines -----------------------------------------------------------------------------------------------
 */

struct part {
    const float *rows, *tokens; /* of the target, all of the reference */
    size_t n_rows, n_tokens, stride;
    enum a_arith arith;
    float *greatest; /* for each row */
};

static void match_rows(const struct part *p, size_t first, size_t n)
{
    float cosines[BLOCK_ROWS * BLOCK_TOKENS];
    for (size_t t = 0; t < p->n_tokens; t += BLOCK_TOKENS) {
        size_t some = p->n_tokens - t < BLOCK_TOKENS ? p->n_tokens - t : BLOCK_TOKENS;
        const float *rows = p->rows + first * p->stride, *tokens = p->tokens + t * p->stride;
        if (p->arith == A_BF16)
            a_dot_bf16(rows, n, tokens, some, p->stride, cosines, BLOCK_TOKENS);
        else
            c_dot(rows, n, tokens, some, p->stride, cosines, BLOCK_TOKENS);
        for (size_t r = 0; r < n; r++)
            for (size_t k = 0; k < some; k++)
                if (cosines[r * BLOCK_TOKENS + k] > p->greatest[first + r])
                    p->greatest[first + r] = cosines[r * BLOCK_TOKENS + k];
    }
}

static void *match_part(void *arg)
{
    const struct part *p = arg;
    for (size_t r = 0; r < p->n_rows; r++)
        p->greatest[r] = -INFINITY;
    for (size_t r = 0; r < p->n_rows; r += BLOCK_ROWS)
        match_rows(p, r, p->n_rows - r < BLOCK_ROWS ? p->n_rows - r : BLOCK_ROWS);
    return NULL;
}

/* Rows are cut among threads; a machine that has no more computes with those it has. */
static void match_all(const struct part *whole, int threads)
{
    struct part parts[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    bool started[THREADS_MAX] = { false };
    size_t n = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : (size_t)threads;
    for (size_t i = 0; i < n; i++) {
        size_t first = whole->n_rows * i / n, end = whole->n_rows * (i + 1) / n;
        parts[i] = *whole;
        parts[i].rows += first * whole->stride;
        parts[i].greatest += first;
        parts[i].n_rows = end - first;
        started[i] = i > 0 && pthread_create(&ids[i], NULL, match_part, &parts[i]) == 0;
    }
    for (size_t i = 0; i < n; i++)
        if (!started[i])
            match_part(&parts[i]);
    for (size_t i = 0; i < n; i++)
        if (started[i])
            pthread_join(ids[i], NULL);
}

/* ---- a sample -------------------------------------------------------------------------------------------------------
 */

static int check(const struct a_tokens *t, const char *what, struct err *e)
{
    if (t->type != TH_F32 && t->type != TH_BF16 && t->type != TH_F16)
        return FAIL(e, ERR_INPUT, "the %s's tokens must be f32, bf16 or f16", what);
    if (t->n == 0 || t->width == 0)
        return FAIL(e, ERR_INPUT, "the %s has no tokens; was its extraction cut short?", what);
    return 0;
}

int a_match(const struct a_tokens *target, const struct a_tokens *reference, enum a_arith arith, int threads, double *m,
            struct err *e)
{
    TRY(check(target, "target", e));
    TRY(check(reference, "reference", e));
    if (target->width != reference->width)
        return FAIL(e, ERR_INPUT,
                    "tokens of %zu and of %zu values cannot be compared; both must be what one language "
                    "model is given",
                    target->width, reference->width);
    AUTO(free) float *rows = unit_tokens(target, arith, e);
    if (!rows)
        return err_wrap(e, "the target");
    AUTO(free) float *tokens = unit_tokens(reference, arith, e);
    if (!tokens)
        return err_wrap(e, "the reference");
    AUTO(free) float *greatest = malloc(target->n * sizeof *greatest);
    if (!greatest)
        return FAIL_NOMEM(e);
    struct part whole = { rows, tokens, target->n, reference->n, c_padded(target->width), arith, greatest };
    match_all(&whole, threads);
    double sum = 0;
    for (size_t i = 0; i < target->n; i++)
        sum += (double)greatest[i];
    *m = sum / (double)target->n;
    if (arith == A_BF16)
        *m = (double)c_bf16((float)*m);
    return 0;
}
