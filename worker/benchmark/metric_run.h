/* Inside worker/benchmark: one computation of a family's numbers. */
#ifndef ACSWEEP_WORKER_BENCHMARK_METRIC_RUN_H
#define ACSWEEP_WORKER_BENCHMARK_METRIC_RUN_H

#include "common/arena.h"
#include "common/map.h"
#include "worker/benchmark/interval.h"
#include "worker/benchmark/judge.h"
#include "worker/benchmark/metric.h"
#include "worker/benchmark/py_random.h"

/* ---- named means (metric_means.c) -----------------------------------------------------------------------------------
 */

struct mean {
    const char *name;
    double sum, squares;
    size_t n;
};

struct means {
    struct mean **items; /* in the order in which they came */
    size_t n, cap;
    struct map by_name;
    struct arena arena;
};

void means_free(struct means *m);
static inline UNUSED void means_free_cleanup(struct means *m)
{
    means_free(m);
}
/* One more value for the mean called `kind`, or "kind:name". */
MUST_USE int means_add(struct means *m, const char *kind, const char *name, double value, struct err *e);
/* NULL: no such mean. */
const struct mean *means_find(const struct means *m, const char *kind, const char *name);
double mean_value(const struct mean *m);
/* Of the mean's value, squared; NaN for fewer than two values. */
double mean_variance(const struct mean *m);

/* ---- questions that count together (metric_groups.c) ----------------------------------------------------------------
 */

struct groups {
    size_t *first; /* question of each group, in the order in which they come in the file */
    size_t *next;  /* for each question the next of its group, or GROUP_END */
    size_t n;
};
#define GROUP_END SIZE_MAX

MUST_USE int groups_make(const struct question_set *s, struct groups *g, struct err *e);
void groups_free(struct groups *g);
static inline UNUSED void groups_free_cleanup(struct groups *g)
{
    groups_free(g);
}

/* ---- a run ----------------------------------------------------------------------------------------------------------
 */

struct metric_run {
    const struct question_set *set;
    const char *const *answers; /* for each question; NULL: `constant` is every answer */
    const char *constant;
    enum metric_unparsed unparsed;
    struct verdict *verdicts;
    struct py_random random;
    size_t drawn;
    struct means means; /* of values in per cent, or in points for MME's pictures */
};

/* A letter for a question in which none was found, counted from 0: of its options, or with `with_e` also E. */
int metric_draw(struct metric_run *r, const struct question *q, bool with_e);

/* Verdicts -> means (metric_totals.c). */
MUST_USE int total_mmbench(struct metric_run *r, struct err *e);
MUST_USE int total_mme(struct metric_run *r, struct err *e);
MUST_USE int total_mmmu(struct metric_run *r, struct err *e);
MUST_USE int total_vqa(struct metric_run *r, struct err *e);
MUST_USE int total_scienceqa(struct metric_run *r, struct err *e);
MUST_USE int total_seed(struct metric_run *r, struct err *e);

/* MME's subtasks: sum of the means over perception's, or cognition's. NaN when there are none. */
struct mme_sum {
    double value, variance;
    size_t pictures;
};
struct mme_sum total_mme_sum(const struct means *m, bool perception);
#define MME_SUBTASKS 14
/* Number of a subtask, which must be one of MME's, and whether it is perception's. */
size_t total_mme_subtask(const char *category, bool *perception);

/* ---- units (metric_units.c) -----------------------------------------------------------------------------------------
 */

struct units {
    struct interval_unit *v;
    size_t n, parts;
    double most; /* worth of a part */
};

/* Those of a metric, after the family's total has checked the set: `scores` 0 to 1 for each question. None may count. */
MUST_USE int units_make(const struct question_set *s, const double *scores, const char *metric, struct units *u,
                        struct err *e);
void units_free(struct units *u);
static inline UNUSED void units_free_cleanup(struct units *u)
{
    units_free(u);
}
/* Performance: the sum of the parts. */
double units_worth(const struct units *u);

/* The answer that does best when it is given to every question of the VQA families (metric_chance.c); NULL on error. */
const char *chance_vqa_answer(const struct question_set *s, struct err *e);

#endif
