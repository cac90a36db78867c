#include "worker/benchmark/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/benchmark/metric_run.h"

/* Seeds of the original programs; MMMU's is that of the evaluator, nothing else draws from it in between. */
#define MMBENCH_SEED 2680
#define MMMU_SEED 0

static const struct {
    judge_fn judge;
    int (*total)(struct metric_run *r, struct err *e);
} rules[BENCHMARK_FAMILIES] = {
    [MMBENCH] = { judge_mmbench, total_mmbench },
    [MME] = { judge_mme, total_mme },
    [MMMU] = { judge_mmmu, total_mmmu },
    [OKVQA] = { judge_vqa, total_vqa },
    [TEXTVQA] = { judge_vqa, total_vqa },
    [VIZWIZ] = { judge_vqa, total_vqa },
    [SCIENCEQA] = { judge_scienceqa, total_scienceqa },
    [SEED] = { judge_seed, total_seed },
};

int metric_unparsed_parse(const char *name, enum metric_unparsed *out, struct err *e)
{
    if (strcmp(name, "wrong") != 0 && strcmp(name, "random") != 0)
        return FAIL(e, ERR_INPUT, "an answer that is not understood may be 'wrong' or 'random', not '%.40s'", name);
    *out = name[0] == 'w' ? METRIC_WRONG : METRIC_RANDOM;
    return 0;
}

/* ---- one run --------------------------------------------------------------------------------------------------------
 */

int metric_draw(struct metric_run *r, const struct question *q, bool with_e)
{
    int letters[QUESTION_OPTIONS_MAX + 1];
    uint32_t n = 0;
    for (size_t i = 0; i < q->n_options; i++)
        if (q->options[i])
            letters[n++] = (int)i;
    if (with_e && !(q->n_options > 4 && q->options[4]))
        letters[n++] = 4;
    r->drawn++;
    return letters[py_random_choice(&r->random, n)];
}

static void run_free_cleanup(struct metric_run *r)
{
    free(r->verdicts);
    means_free(&r->means);
}

static int run(struct metric_run *r, struct err *e)
{
    enum benchmark_kind kind = question_set_family(r->set)->kind;
    size_t n = question_set_count(r->set);
    if (!(r->verdicts = calloc(n, sizeof *r->verdicts)))
        return FAIL_NOMEM(e);
    py_random_seed(&r->random, kind == MMBENCH ? MMBENCH_SEED : MMMU_SEED);
    for (size_t i = 0; i < n; i++) {
        const char *answer = r->answers ? r->answers[i] : r->constant;
        const struct question *q = question_set_at(r->set, i);
        if (rules[kind].judge(q, text_of(answer ? answer : ""), &r->verdicts[i], e) < 0)
            return err_wrap(e, "question '%.80s'", q->id);
    }
    return rules[kind].total(r, e);
}

/* ---- the number that counts -----------------------------------------------------------------------------------------
 */

struct number {
    double value, error;
    size_t n;
};

/* false when no question counts towards it. */
static bool find_number(const struct metric_run *r, const char *metric, struct number *out)
{
    bool perception = strcmp(metric, "perception") == 0;
    if (perception || strcmp(metric, "cognition") == 0) {
        struct mme_sum s = total_mme_sum(&r->means, perception);
        *out = (struct number){ s.value, sqrt(s.variance), s.pictures };
        return s.pictures > 0;
    }
    const struct mean *m = means_find(&r->means, metric, NULL);
    if (m)
        *out = (struct number){ mean_value(m), sqrt(mean_variance(m)), m->n };
    return m != NULL;
}

static int choose_metric(const struct benchmark_family *f, const char *name, const char **out, struct err *e)
{
    char list[200] = "";
    for (const char *const *m = f->metrics; *m; m++) {
        if (!name || strcmp(name, *m) == 0)
            return *out = *m, 0;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", list[0] ? ", " : "", *m);
    }
    return FAIL(e, ERR_INPUT, "%s has no metric '%.60s'; it has %s", f->title, name, list);
}

int metric_check(const struct question_set *s, const char *metric, struct err *e)
{
    const char *chosen;
    return choose_metric(question_set_family(s), metric, &chosen, e);
}

/* ---- chance ---------------------------------------------------------------------------------------------------------
 */

static int try_constant(const struct question_set *s, const char *answer, struct metric_result *out, struct err *e)
{
    AUTO(run_free) struct metric_run r = { .set = s, .constant = answer };
    struct number n;
    TRY(run(&r, e));
    if (find_number(&r, out->metric, &n) && (!out->constant || n.value > out->constant_performance)) {
        out->constant_performance = n.value;
        out->constant = answer;
    }
    return 0;
}

static int find_constant(const struct question_set *s, struct metric_result *out, struct err *e)
{
    static const char *const words[] = { "Yes", "No" };
    static const char *const letters[] = { "A", "B", "C", "D", "E", "F", "G", "H", "I" };
    const struct benchmark_family *f = question_set_family(s);
    if (f->options || f->kind == MME) {
        const char *const *list = f->options ? letters : words;
        for (size_t i = 0; i < (f->options ? ARRAY_LEN(letters) : ARRAY_LEN(words)); i++)
            TRY(try_constant(s, list[i], out, e));
        return 0;
    }
    const char *answer = chance_vqa_answer(s, e);
    return answer ? try_constant(s, answer, out, e) : -1;
}

/* Every option is as likely as any other; an open question is never guessed. */
static double guess_right(const struct question *q, enum benchmark_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < q->n_options; i++)
        n += q->options[i] != NULL;
    return kind == MME ? 0.5 : n ? 1.0 / (double)n : 0;
}

/* Whoever draws by lot is better than every constant answer where questions count together: of an MME picture both are
 * right once in four, and one constant answer is never right in all rotations. */
static int find_guess(const struct question_set *s, struct metric_result *out, struct err *e)
{
    const struct benchmark_family *f = question_set_family(s);
    AUTO(units_free) struct units u = { 0 };
    size_t n = question_set_count(s);
    AUTO(free) double *right = calloc(n, sizeof *right);
    if (!right)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        right[i] = guess_right(question_set_at(s, i), f->kind);
    TRY(units_make(s, right, out->metric, &u, e));
    out->guess = f->options || f->kind == MME ? units_worth(&u) : NAN;
    return 0;
}

static int find_chance(const struct question_set *s, struct metric_result *out, struct err *e)
{
    TRY(find_constant(s, out, e));
    TRY(find_guess(s, out, e));
    out->chance = fmax(out->constant_performance, out->guess); /* fmax passes over NaN */
    return 0;
}

/* ---- the interval ---------------------------------------------------------------------------------------------------
 */

static int find_interval(const struct metric_run *r, const char *metric, struct interval *out, struct err *e)
{
    AUTO(units_free) struct units u = { 0 };
    size_t n = question_set_count(r->set);
    AUTO(free) double *scores = calloc(n, sizeof *scores);
    if (!scores)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        scores[i] = r->verdicts[i].score;
    TRY(units_make(r->set, scores, metric, &u, e));
    return interval_compute(u.v, u.n, u.most, out, e);
}

/* ---- the result -----------------------------------------------------------------------------------------------------
 */

struct whole {
    struct metric_result result; /* first: what callers hold */
    struct arena arena;
    struct metric_value *values;
};

static int put_value(struct whole *w, const char *name, double value, struct err *e)
{
    char *copy = arena_text(&w->arena, name);
    if (!copy)
        return FAIL_NOMEM(e);
    w->values[w->result.n_values++] = (struct metric_value){ copy, value };
    return 0;
}

static bool is_category(const char *name)
{
    return strncmp(name, "category:", 9) == 0;
}

static int by_kind(const void *a, const void *b)
{
    const char *x = ((const struct metric_value *)a)->name, *y = ((const struct metric_value *)b)->name;
    if (is_category(x) != is_category(y))
        return is_category(x) ? 1 : -1;
    return strcmp(x, y);
}

static int put_values(struct whole *w, const struct metric_run *r, struct err *e)
{
    static const char *const sums[] = { "perception", "cognition" };
    struct number n;
    w->values = arena_array(&w->arena, r->means.n + 5, sizeof *w->values);
    if (!w->values)
        return FAIL_NOMEM(e);
    w->result.values = w->values;
    for (size_t i = 0; i < r->means.n; i++)
        TRY(put_value(w, r->means.items[i]->name, mean_value(r->means.items[i]), e));
    for (size_t i = 0; question_set_family(r->set)->kind == MME && i < ARRAY_LEN(sums); i++)
        if (find_number(r, sums[i], &n))
            TRY(put_value(w, sums[i], n.value, e));
    TRY(put_value(w, "questions", (double)question_set_count(r->set), e));
    TRY(put_value(w, "unparsed", (double)w->result.unparsed, e));
    TRY(put_value(w, "drawn", (double)r->drawn, e));
    qsort(w->values, w->result.n_values, sizeof *w->values, by_kind);
    return 0;
}

static int compute(struct whole *w, struct metric_run *r, const char *metric, struct err *e)
{
    struct metric_result *out = &w->result;
    struct number n;
    TRY(choose_metric(question_set_family(r->set), metric, &out->metric, e));
    TRY(run(r, e));
    if (!find_number(r, out->metric, &n))
        return FAIL(e, ERR_INPUT, "%s: no question counts towards '%s'", question_set_name(r->set), out->metric);
    bool points = strcmp(out->metric, "perception") == 0 || strcmp(out->metric, "cognition") == 0;
    out->unit = points ? "points" : "%";
    out->performance = n.value;
    out->standard_error = n.error;
    out->questions = n.n;
    for (size_t i = 0; i < question_set_count(r->set); i++)
        out->unparsed += !r->verdicts[i].parsed;
    TRY(put_values(w, r, e));
    TRY(find_interval(r, out->metric, &out->interval, e));
    return find_chance(r->set, out, e);
}

struct metric_result *metric_compute(const struct question_set *s, const char *const *answers,
                                     const struct metric_options *o, struct err *e)
{
    AUTO(run_free) struct metric_run r = { .set = s, .answers = answers, .unparsed = o ? o->unparsed : METRIC_WRONG };
    struct whole *w = calloc(1, sizeof *w);
    AUTO(metric_result_destroy) struct metric_result *result = w ? &w->result : NULL;
    if (!w)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return compute(w, &r, o ? o->metric : NULL, e) < 0 ? NULL : TAKE(result);
}

void metric_result_destroy(struct metric_result *r)
{
    if (!r)
        return;
    arena_free(&((struct whole *)r)->arena);
    free(r);
}
