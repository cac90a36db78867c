#include "policy/choose.h"

#include <math.h>
#include <string.h>

#include "common/parse.h"
#include "policy/region.h"
#include "policy/target.h"

/* Joint draws behind the confidence: fewer in a large space, so that a round takes less than a second there too. 500 of
 * them still give it to two hundredths. */
enum { DRAWS_MOST = 4000, DRAWS_LEAST = 500, DRAWS_WORK = 32 << 20 };

static int confidence_draws(size_t n, size_t m)
{
    size_t draws = DRAWS_WORK / (n * m);
    return draws > DRAWS_MOST ? DRAWS_MOST : draws < DRAWS_LEAST ? DRAWS_LEAST : (int)draws;
}

static const struct policy_shape the_law = { POLICY_COLUMNS_AC, 2 };

static const char *const mode_names[] = {
    [POLICY_MODE_PAPER] = "paper",
    [POLICY_MODE_DEFAULT] = "default",
    [POLICY_MODE_EXHAUSTIVE] = "exhaustive",
};

const char *policy_mode_name(enum policy_mode mode)
{
    return mode_names[mode];
}

int policy_mode_parse(const char *name, enum policy_mode *mode, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(mode_names); i++)
        if (strcmp(name, mode_names[i]) == 0) {
            *mode = (enum policy_mode)i;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "'%s' is not a policy mode; known are paper, default and exhaustive", name);
}

void policy_answer_destroy(struct policy_answer *a)
{
    if (!a)
        return;
    free(a->choices);
    free(a->wants);
    free(a->fits);
    free(a->predictions);
    free(a);
}

/* ---- the state of one round ------------------------------------------------------------------------------------- */

struct round {
    const struct policy_table *table;
    const struct policy_question *q;
    struct policy_points *points; /* [m] */
    bool *in_space;               /* [n] not excluded */
    bool *away;                   /* [n] the opposite */
    bool *candidate;              /* [n] scored, in the space, not fine-tuned */
    double *value;                /* [n] scratch for rankings */
    struct policy_target *target;
    struct policy_answer *answer;
};

static void points_free_all(struct policy_points *points, size_t m)
{
    for (size_t b = 0; points && b < m; b++)
        policy_points_free(&points[b]);
    free(points);
}

static void round_free_cleanup(struct round *s)
{
    points_free_all(s->points, policy_table_benchmarks(s->table));
    free(s->in_space);
    free(s->away);
    free(s->candidate);
    free(s->value);
    policy_target_destroy(s->target);
    policy_answer_destroy(s->answer);
}

static struct policy_answer *answer_create(size_t n, size_t m, struct err *e)
{
    AUTO(policy_answer_destroy) struct policy_answer *a = calloc(1, sizeof *a);
    if (!a)
        return FAIL_NOMEM(e), NULL;
    a->n = n;
    a->m = m;
    a->p_best_in_list = NAN;
    a->choices = calloc(n, sizeof *a->choices);
    a->wants = calloc(n, sizeof *a->wants);
    a->fits = calloc(m, sizeof *a->fits);
    a->predictions = calloc((m + 1) * n, sizeof *a->predictions);
    if (!a->choices || !a->wants || !a->fits || !a->predictions)
        return FAIL_NOMEM(e), NULL;
    for (size_t i = 0; i < (m + 1) * n; i++)
        a->predictions[i] = (struct policy_prediction){ .mean = NAN, .sd = NAN };
    return TAKE(a);
}

/* Normalise what may be looked at: performances of excluded rows are forgotten first. */
static int load_points(struct round *s, struct err *e)
{
    size_t n = s->answer->n, m = s->answer->m;
    for (size_t b = 0; b < m; b++) {
        TRY(policy_points_init(&s->points[b], s->table, b, POLICY_NORMALISE_TRAIN, s->in_space, e));
        for (size_t r = 0; r < n; r++)
            if (s->away[r])
                s->points[b].y[r] = NAN;
    }
    return 0;
}

static void find_candidates(struct round *s)
{
    struct policy_answer *a = s->answer;
    for (size_t r = 0; r < a->n; r++) {
        bool scored = !isnan(s->target->sum_ac[r]);
        a->n_unscored += !scored && s->in_space[r];
        s->candidate[r] = scored && s->in_space[r] && !s->target->started[r];
        a->n_candidates += s->candidate[r];
    }
    if (a->n_unscored > 0)
        snprintf(a->note, sizeof a->note,
                 "%zu of %zu representations lack a score of the target and can be neither chosen nor predicted",
                 a->n_unscored, a->n);
}

static int round_init(struct round *s, struct err *e)
{
    size_t n = policy_table_representations(s->table), m = policy_table_benchmarks(s->table);
    s->answer = answer_create(n, m, e);
    if (!s->answer)
        return -1;
    s->points = calloc(m, sizeof *s->points);
    s->in_space = calloc(n, sizeof *s->in_space);
    s->away = calloc(n, sizeof *s->away);
    s->candidate = calloc(n, sizeof *s->candidate);
    s->value = calloc(n, sizeof *s->value);
    if (!s->points || !s->in_space || !s->away || !s->candidate || !s->value)
        return FAIL_NOMEM(e);
    for (size_t r = 0; r < n; r++) {
        s->away[r] = s->q->excluded && s->q->excluded[r];
        s->in_space[r] = !s->away[r];
    }
    TRY(load_points(s, e));
    s->target = policy_target_create(s->points, m, s->q->weights, s->q->direction_prior, e);
    if (!s->target)
        return -1;
    find_candidates(s);
    return 0;
}

/* ---- predictions ------------------------------------------------------------------------------------------------ */

/* Fill the ranks of benchmark b (or the target) from s->value; rows that left the space have none. */
static int set_ranks(struct round *s, size_t b, const double *measured, double low, double range, struct err *e)
{
    struct policy_answer *a = s->answer;
    struct policy_prediction *row = &a->predictions[b * a->n];
    AUTO(free) int *rank = malloc(a->n * sizeof *rank);
    if (!rank)
        return FAIL_NOMEM(e);
    for (size_t r = 0; r < a->n; r++) {
        double seen = isnan(measured[r]) ? NAN : low + range * measured[r];
        s->value[r] = s->away[r] ? NAN : policy_rank_value(s->q->ranking, row[r].mean, seen);
    }
    TRY(policy_rank(s->value, a->n, rank, e));
    for (size_t r = 0; r < a->n; r++)
        row[r].rank = rank[r];
    return 0;
}

/* One benchmark on the normalised scale. With one measurement the law is a constant and the paper makes no prediction.
 */
static void believe(const struct round *s, size_t b, size_t r, double *mean, double *sd)
{
    const struct policy_points *p = &s->points[b];
    const struct policy_fit *fit = &s->answer->fits[b];
    if (s->q->mode == POLICY_MODE_DEFAULT) {
        *mean = policy_ridge_mean(s->target->ridges[b], r);
        *sd = sqrt(policy_ridge_cov(s->target->ridges[b], r, r));
    } else {
        *mean = fit->n_train >= 2 ? policy_fit_predict(fit, p->a[r], p->c[r]) : NAN;
        *sd = NAN;
    }
}

/* A benchmark is predicted in its own unit, so only once two different values have shown its scale. */
static int predict_benchmark(struct round *s, size_t b, struct err *e)
{
    struct policy_answer *a = s->answer;
    const struct policy_points *p = &s->points[b];
    for (size_t r = 0; r < a->n && p->y_range > 0; r++) {
        double mean, sd;
        if (s->away[r])
            continue;
        believe(s, b, r, &mean, &sd);
        a->predictions[b * a->n + r] = (struct policy_prediction){ p->y_low + p->y_range * mean, p->y_range * sd, 0 };
    }
    return set_ranks(s, b, p->y, p->y_low, p->y_range, e);
}

static int predict_target(struct round *s, struct err *e)
{
    struct policy_answer *a = s->answer;
    struct policy_prediction *row = &a->predictions[a->m * a->n];
    for (size_t r = 0; r < a->n; r++) {
        if (s->away[r])
            continue;
        double sum = 0, variance = 0, mean, sd;
        for (size_t b = 0; b < a->m; b++) {
            double w = s->target->weights[b];
            if (w == 0)
                continue;
            believe(s, b, r, &mean, &sd);
            sum += w * mean;
            variance += w * sd * sd;
        }
        row[r] = (struct policy_prediction){ sum, sqrt(variance), 0 };
    }
    return set_ranks(s, a->m, s->target->y, 0, 1, e);
}

static int predict(struct round *s, struct err *e)
{
    for (size_t b = 0; b < s->answer->m; b++) {
        TRY(policy_fit(&s->points[b], s->in_space, the_law, &s->answer->fits[b], e));
        TRY(predict_benchmark(s, b, e));
    }
    return predict_target(s, e);
}

/* The paper recommends its three best predictions; the default, the list that policy_target_list() describes. */
static int recommend(struct round *s, struct err *e)
{
    struct policy_answer *a = s->answer;
    if (s->q->mode == POLICY_MODE_DEFAULT) {
        struct policy_random random;
        policy_random_seed(&random, s->q->seed, ~s->q->round);
        a->n_list = policy_target_list(s->target, s->away, a->list);
        return policy_target_confidence(s->target, s->away, a->list, a->n_list, confidence_draws(a->n, a->m), &random,
                                        &a->p_best_in_list, e);
    }
    for (int want = 1; want <= 3; want++)
        for (size_t r = 0; r < a->n; r++)
            if (policy_answer_prediction(a, a->m, r)->rank == want)
                a->list[a->n_list++] = r;
    return 0;
}

/* ---- choices ---------------------------------------------------------------------------------------------------- */

static struct policy_choice *add_choice(struct round *s, size_t r, double value)
{
    struct policy_choice *choice = &s->answer->choices[s->answer->n_choices++];
    *choice = (struct policy_choice){ .representation = r, .value = value };
    s->candidate[r] = false;
    return choice;
}

static int choose_exhaustive(struct round *s, struct err *e)
{
    (void)e;
    for (size_t r = 0; r < s->answer->n && s->answer->n_choices < s->q->batch; r++)
        if (s->candidate[r])
            snprintf(add_choice(s, r, NAN)->reason, sizeof s->answer->choices->reason,
                     "everything is fine-tuned, in the order of the space");
    return 0;
}

/* Several targets are sampled on the plane of the weighted means of their normalised scores. */
static int choose_paper(struct round *s, struct err *e)
{
    size_t n = s->answer->n, r, cells;
    int level;
    AUTO(free) double *a = calloc(2 * n, sizeof *a);
    AUTO(free) bool *sampled = calloc(n, sizeof *sampled);
    if (!a || !sampled)
        return FAIL_NOMEM(e);
    double *c = a + n;
    for (size_t i = 0; i < n; i++) {
        for (size_t b = 0; b < s->answer->m; b++)
            if (s->target->weights[b] > 0)
                c[i] += s->target->weights[b] * s->points[b].c[i];
        a[i] = s->target->sum_ac[i] - c[i];
        sampled[i] = s->target->started[i];
    }
    AUTO(policy_region_destroy) struct policy_region *plane = policy_region_create(a, c, n, e);
    if (!plane)
        return -1;
    struct policy_random random;
    policy_random_seed(&random, s->q->seed, s->q->round);
    while (s->answer->n_choices < s->q->batch &&
           policy_region_draw(plane, sampled, s->away, &random, &r, &level, &cells)) {
        sampled[r] = true;
        snprintf(add_choice(s, r, NAN)->reason, sizeof s->answer->choices->reason,
                 "drawn at random from one of %zu free regions of level %d (a %.3f, c %.3f)", cells, level, a[r], c[r]);
    }
    return 0;
}

static void explain_default(const struct round *s, struct policy_choice *choice)
{
    const struct policy_target *g = s->target;
    size_t r = choice->representation;
    const char *after = s->answer->n_choices > 1 ? ", others of this round taken as expected" : "";
    if (isinf(g->best))
        snprintf(choice->reason, sizeof choice->reason, "largest a + c (%.3f); nothing is measured yet", g->sum_ac[r]);
    else if (g->direction_prior < 1)
        snprintf(choice->reason, sizeof choice->reason,
                 "largest expected improvement: %.4f over the best %.3f (mean %.3f, sd %.3f)%s", choice->value, g->best,
                 g->mean[r], g->sd[r], after);
    else
        snprintf(choice->reason, sizeof choice->reason, "largest mean + 1 sd: %.3f + %.3f%s",
                 fabs(g->mean[r]) < 0.0005 ? 0.0 : g->mean[r] /* no "-0.000" */, g->sd[r], after);
}

static int choose_default(struct round *s, struct err *e)
{
    while (s->answer->n_choices < s->q->batch) {
        size_t best = s->answer->n;
        for (size_t r = 0; r < s->answer->n; r++) {
            s->value[r] = s->candidate[r] ? policy_target_value(s->target, r) : NAN;
            if (!isnan(s->value[r]) && (best == s->answer->n || s->value[r] > s->value[best]))
                best = r;
        }
        if (best == s->answer->n)
            return 0;
        explain_default(s, add_choice(s, best, s->value[best]));
        policy_target_imagine(s->target, best);
        TRY(policy_target_fit(s->target, e));
    }
    return 0;
}

/* ---- scores to ask for ------------------------------------------------------------------------------------------- */

static void want(struct round *s, size_t r, double value)
{
    s->answer->wants[s->answer->n_wants++] = (struct policy_choice){ .representation = r, .value = value };
    s->candidate[r] = false;
}

/* The rows in `from`, largest value first, then those without a scored part: small ones first. */
static void want_most(struct round *s, const struct policy_target *g, const struct policy_screen *screen, bool *from)
{
    struct policy_answer *a = s->answer;
    while (a->n_wants < screen->batch) {
        size_t best = a->n;
        for (size_t r = 0; r < a->n; r++)
            if (from[r] && (best == a->n || policy_target_value(g, r) > policy_target_value(g, best)))
                best = r;
        if (best == a->n)
            return;
        from[best] = false;
        want(s, best, policy_target_value(g, best));
        snprintf(a->wants[a->n_wants - 1].reason, sizeof a->wants->reason,
                 "scores guessed from its parts: a + c about %.3f, target %.3f with sd %.3f", g->sum_ac[best],
                 g->mean[best], g->sd[best]);
    }
}

static void want_rest(struct round *s, const struct policy_screen *screen)
{
    struct policy_answer *a = s->answer;
    while (a->n_wants < screen->batch) {
        size_t best = a->n;
        for (size_t r = 0; r < a->n; r++)
            if (s->candidate[r] && (best == a->n || screen->n_members[r] < screen->n_members[best]))
                best = r;
        if (best == a->n)
            return;
        want(s, best, NAN);
        snprintf(a->wants[a->n_wants - 1].reason, sizeof a->wants->reason,
                 "none of its parts is scored; small ones first");
    }
}

/* What the policy would think of the unscored ones if their scores were as guessed. */
static int ask_in(struct round *s, struct policy_points *points, bool *guessed, struct err *e)
{
    struct policy_answer *a = s->answer;
    for (size_t b = 0; b < a->m; b++)
        TRY(policy_points_copy(&points[b], &s->points[b], e));
    TRY(policy_screen_guess(s->q->screen, points, a->m, guessed, e));
    AUTO(policy_target_destroy)
    struct policy_target *g = policy_target_create(points, a->m, s->q->weights, s->q->direction_prior, e);
    if (!g || policy_target_fit(g, e) < 0)
        return -1;
    for (size_t r = 0; r < a->n; r++) {
        s->candidate[r] = s->in_space[r] && !s->q->screen->asked[r] && isnan(s->target->sum_ac[r]);
        guessed[r] &= s->candidate[r];
    }
    want_most(s, g, s->q->screen, guessed);
    want_rest(s, s->q->screen);
    return 0;
}

static int ask_scores(struct round *s, struct err *e)
{
    if (!s->q->screen || s->q->mode != POLICY_MODE_DEFAULT)
        return 0;
    struct policy_points *points = calloc(s->answer->m, sizeof *points);
    AUTO(free) bool *guessed = calloc(s->answer->n, sizeof *guessed);
    int rc = points && guessed ? ask_in(s, points, guessed, e) : FAIL_NOMEM(e);
    points_free_all(points, s->answer->m);
    return rc;
}

struct policy_answer *policy_choose(const struct policy_table *t, const struct policy_question *q, struct err *e)
{
    static int (*const choosers[])(struct round *, struct err *) = {
        [POLICY_MODE_PAPER] = choose_paper,
        [POLICY_MODE_DEFAULT] = choose_default,
        [POLICY_MODE_EXHAUSTIVE] = choose_exhaustive,
    };
    __attribute__((cleanup(round_free_cleanup))) struct round s = { .table = t, .q = q };
    if (round_init(&s, e) < 0)
        return NULL;
    if (q->mode == POLICY_MODE_DEFAULT && policy_target_fit(s.target, e) < 0)
        return NULL;
    /* Predictions and the list come before the choices, whose fantasies change the beliefs. */
    if (predict(&s, e) < 0 || recommend(&s, e) < 0 || choosers[q->mode](&s, e) < 0 || ask_scores(&s, e) < 0)
        return NULL;
    return TAKE(s.answer);
}
