#include "policy/trials.h"

#include <math.h>
#include <string.h>

#include "policy/random.h"

/* The rows that have their scores and, if asked for, a performance. Returns how many; `rows` has room for all. */
static size_t usable_rows(const struct policy_points *p, bool measured, size_t *rows)
{
    size_t n = 0;
    for (size_t r = 0; r < p->n; r++)
        if (!isnan(p->a[r]) && !isnan(p->c[r]) && !(measured && isnan(p->y[r])))
            rows[n++] = r;
    return n;
}

static void copy_row(struct policy_points *q, size_t to, const struct policy_points *p, size_t from)
{
    q->a[to] = p->a[from];
    q->c[to] = p->c[from];
    q->y[to] = p->y[from];
}

/* Add one more table's curves to the means, as far as both reach. */
static void add(struct policy_recall *mean, const struct policy_recall *one, double weight)
{
    for (size_t curve = 0; curve < POLICY_RECALL_CURVES; curve++)
        for (size_t k = 0; k < mean->n; k++)
            mean->block[curve * mean->n + k] += weight * one->block[curve * one->n + k];
}

static int play_one(const struct policy_points *q, const struct policy_play *play, double weight,
                    struct policy_recall *mean, struct err *e)
{
    AUTO(policy_recall_free) struct policy_recall one = { 0 };
    TRY(policy_recall_simulate(q, play, &one, e));
    add(mean, &one, weight);
    return 0;
}

/* ---- random laws ------------------------------------------------------------------------------------------------ */

static void draw_law(struct policy_points *q, double noise, struct policy_random *random)
{
    double w[5];
    for (size_t i = 0; i < ARRAY_LEN(w); i++)
        w[i] = policy_random_normal(random);
    for (size_t r = 0; r < q->n; r++) {
        double a = q->a[r], c = q->c[r];
        q->y[r] = w[0] * a + w[1] * c + w[2] * a * a + w[3] * a * c + w[4] * c * c;
    }
    policy_min_max(q->y, q->n);
    for (size_t r = 0; r < q->n && noise > 0; r++)
        q->y[r] += noise * policy_random_normal(random);
    policy_min_max(q->y, q->n);
}

int policy_trials_laws(const struct policy_points *p, const struct policy_play *play, size_t laws, double noise,
                       struct policy_recall *out, struct err *e)
{
    AUTO(policy_points_free) struct policy_points q = { 0 };
    AUTO(free) size_t *rows = calloc(p->n + 1, sizeof *rows);
    if (!rows)
        return FAIL_NOMEM(e);
    if (laws == 0)
        return FAIL(e, ERR_USAGE, "give at least one random law");
    TRY(policy_points_create(&q, usable_rows(p, false, rows), e));
    for (size_t r = 0; r < q.n; r++)
        copy_row(&q, r, p, rows[r]);
    struct policy_random random;
    policy_random_seed(&random, play->seed, ~play->stream);
    *out = (struct policy_recall){ .best = SIZE_MAX };
    TRY(policy_recall_create(out, q.n, e));
    for (size_t i = 0; i < laws; i++) {
        struct policy_play once = *play;
        once.stream = play->stream + (i << 16); /* another sequence of draws for each law */
        draw_law(&q, noise, &random);
        if (play_one(&q, &once, 1 / (double)laws, out, e) < 0)
            return policy_recall_free(out), -1;
    }
    return 0;
}

/* ---- sub-spaces ------------------------------------------------------------------------------------------------- */

static int play_subset(const struct policy_points *p, const size_t *rows, uint64_t mask, const struct policy_play *play,
                       double weight, struct policy_recall *out, struct err *e)
{
    AUTO(policy_points_free) struct policy_points q = { 0 };
    TRY(policy_points_create(&q, (size_t)__builtin_popcountll(mask), e));
    size_t n = 0;
    for (size_t i = 0; mask >> i; i++)
        if (mask >> i & 1)
            copy_row(&q, n++, p, rows[i]);
    policy_min_max(q.a, n);
    policy_min_max(q.c, n);
    policy_min_max(q.y, n);
    return play_one(&q, play, weight, out, e);
}

int policy_trials_subspaces(const struct policy_points *p, const struct policy_play *play, size_t smallest,
                            struct policy_recall *out, size_t *count, struct err *e)
{
    AUTO(free) size_t *rows = calloc(p->n + 1, sizeof *rows);
    if (!rows)
        return FAIL_NOMEM(e);
    size_t n = usable_rows(p, true, rows);
    if (n > POLICY_RECALL_EXACT)
        return FAIL(e, ERR_INPUT, "%zu usable representations; sub-spaces are played for up to %d", n,
                    POLICY_RECALL_EXACT);
    if (smallest < 2 || smallest > n)
        return FAIL(e, ERR_USAGE, "sub-spaces of at least %zu of %zu usable representations; give 2 to %zu", smallest,
                    n, n);
    uint64_t sets = (uint64_t)1 << n;
    *count = 0;
    for (uint64_t mask = 0; mask < sets; mask++)
        *count += (size_t)__builtin_popcountll(mask) >= smallest;
    *out = (struct policy_recall){ .best = SIZE_MAX };
    TRY(policy_recall_create(out, smallest, e));
    for (uint64_t mask = 0; mask < sets; mask++)
        if ((size_t)__builtin_popcountll(mask) >= smallest &&
            play_subset(p, rows, mask, play, 1 / (double)*count, out, e) < 0)
            return policy_recall_free(out), -1;
    return 0;
}
