/* Everything that a report shows, as plain data; the renderers below read nothing else.
 *
 * Texts belong to the rows they came from, which the struct keeps. Missing numbers are NaN. Matrices are
 * representation-major: cell (r, b) is at r * n_benchmarks + b. */
#ifndef ACSWEEP_REPORT_REPORT_DATA_H
#define ACSWEEP_REPORT_REPORT_DATA_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/own.h"
#include "sql/db.h"

enum {
    REPORT_COEFFICIENTS = 5, /* of a, c, a^2, ac, c^2 */
    REPORT_LAW_POINTS = 7,   /* with fewer, its six coefficients meet every point */
};

struct report_benchmark {
    int64_t id;
    const char *name, *metric;
    int64_t questions;
    double maximum, weight; /* weight in the policy's target; 0 = not a target */
};
struct report_representation {
    int64_t id;
    const char *name;
    int chosen_in;       /* policy round that chose it, -1 = never */
    int rank;            /* in the final ranking, 0 = not ranked */
    double mean, sd;     /* the target as the policy expects it, normalised over the measured ones, latest round */
    double target;       /* the target as measured, same scale; NaN = not measured */
    double target_se;    /* its standard error from the numbers of questions; NaN = not known */
    bool tied;           /* measured, and not told apart from the best measured one by its questions */
    bool measured;       /* all benchmarks of the target are measured */
    const char *failure; /* why it left the search space, "" = it did not */
};
/* One stored fit of the law. */
struct report_fit {
    int round, n_train;
    size_t benchmark;
    double r2, r2_adjusted, r2_loo, spearman, intercept, coefficients[REPORT_COEFFICIENTS];
};
struct report_round {
    int round;
    const char *mode, *state, *note, *started, *finished;
};
struct report_choice {
    int round, position;
    size_t representation;
    double value;
    const char *reason;
};
struct report_attempt {
    int64_t task_id;
    int attempt, slot;
    const char *kind, *label, *outcome, *failure, *message, *worker, *node;
    double start, end; /* seconds since the first attempt of the sweep */
    bool charged;
};
/* What the attempts of one kind of task took. "Ours" leaves out what an earlier sweep had already paid for. */
struct report_cost {
    const char *kind;
    int64_t tasks, done, cached, attempts, unsuccessful;
    double wall_seconds, gpu_seconds, energy_joules; /* ours, all attempts */
    double mean_wall_seconds, mean_gpu_seconds;      /* per finished task, cached ones too; all attempts it needed */
};
/* A task that needed more than one attempt, or failed for good. */
struct report_failure {
    const char *label, *kind, *state, *failure, *message, *worker;
    int64_t attempts, charged;
};
/* How often the best was found after 1..n fine-tunes (shares in 0..1), and what was missed, for one benchmark or (benchmark = n_benchmarks) the
 * mean of all. `cumulative` counts as the paper does: the best was in the list of three by then; its random baseline has
 * to fine-tune the best itself. `list3`: the best is in the strict list of three, the best measured and the two most
 * promising others. */
enum report_curve {
    REPORT_PAPER_CUMULATIVE,
    REPORT_DEFAULT_CUMULATIVE,
    REPORT_CHANCE_CUMULATIVE,
    REPORT_RANDOM_MEASURED,
    REPORT_PAPER_LIST3,
    REPORT_DEFAULT_LIST3,
    REPORT_A_PLUS_C_LIST3,
    REPORT_CHANCE_LIST3,
    REPORT_PAPER_REGRET, /* the rest: how much worse than the best the recommended one is, as a share of the range */
    REPORT_DEFAULT_REGRET,
    REPORT_A_PLUS_C_REGRET,
    REPORT_CURVES,
};
struct report_recall {
    size_t benchmark, n;
    const char *best; /* name of the truly best; "" for the mean */
    double *curves[REPORT_CURVES];
    double *block; /* owns the curves */
};

struct report {
    /* note: what sweep.cfg says to the reader; reason: why the state is what it is */
    const char *sweep, *state, *note, *reason, *config, *config_digest, *mode, *created, *finished;
    int64_t sweep_id, seed;
    double elapsed_seconds, direction_prior;
    bool recorded; /* the numbers were looked up (executor replay), nothing was trained */
    bool fake;     /* the executor was `fake` or `noop`: numbers without meaning */

    struct report_benchmark *benchmarks;
    struct report_representation *representations;
    size_t n_benchmarks, n_representations;
    size_t *ranking; /* representation indices, best first; unranked ones last */

    /* Cells, predictions on the benchmark's own scale. `by_law`: from the law fitted on the measured representations, NaN
     * while these are too few for it to say anything. `expected`: the policy's expectation in the latest round; `before`
     * and `before_sd`: in the round that chose the representation, hence before it was measured. */
    double *a, *c, *performance, *by_law, *expected, *before, *before_sd;
    double *place;          /* in the policy's ranking of the benchmark, latest round; NaN = not ranked */
    double *standard_error; /* of the performance, from the number of questions; NaN = not known */
    double *ci_low, *ci_high, *chance; /* as the evaluation reports them: report_chance.h */
    double *known; /* performance, and in a replay also what is recorded but was not asked for; with a truth, that instead */

    struct report_fit *fits;
    struct report_round *rounds;
    struct report_choice *choices;
    struct report_attempt *attempts;
    struct report_cost *costs;
    struct report_failure *failures;
    struct report_recall *recalls;
    size_t n_fits, n_rounds, n_choices, n_attempts, n_costs, n_failures, n_recalls;
    size_t list[3], n_list; /* the list of three that the policy recommends now: representation indices, best first */
    double p_best_in_list;  /* its confidence, of the scored ones; NaN = the mode has none */
    int64_t attempts_total; /* `attempts` holds the earliest ones up to a limit */
    uint64_t recall_runs;   /* drawn runs of the paper's policy behind its curves; 0 = exact */

    struct report_pictures *pictures; /* report_pictures.h */
    struct report_truth *truth;       /* report_truth.h; NULL = none was given */
    struct report_floors *floors;     /* report_floors.h */

    struct db_rows **kept; /* owners of the texts */
    size_t n_kept;
};

/* Read all of it in one snapshot, and the file `truth` (report.h; NULL = none). NULL on error. */
struct report *report_read(struct db *d, const char *sweep, const char *truth, struct err *e);
void report_free(struct report *r);
DEFINE_CLEANUP(report_free, struct report *)

static inline UNUSED double report_cell(const struct report *r, const double *cells, size_t representation, size_t benchmark)
{
    return cells[representation * r->n_benchmarks + benchmark];
}
/* The latest stored fit of a benchmark, or NULL. */
const struct report_fit *report_fit_of(const struct report *r, size_t benchmark);
/* Has A and C for every benchmark of the target. */
bool report_is_scored(const struct report *r, size_t representation);
size_t report_count_measured(const struct report *r);
size_t report_count_chosen(const struct report *r);

/* What was spent, and what fine-tuning the whole search space would cost at the measured means; NaN when nothing is known. */
struct report_bill {
    double wall, gpu, energy;       /* spent by this sweep */
    double all_wall, all_gpu;       /* exhaustive, estimated */
    int64_t fine_tunes, of;
};
struct report_bill report_bill(const struct report *r);

/* Renderers: struct in, text out. */
enum { REPORT_BYTES_MAX = 64 << 20 };
void report_html(const struct report *r, struct buf *out);
void report_json(const struct report *r, struct buf *out);

/* CSV tables by file name; the list ends with a NULL name. */
struct report_table {
    const char *file;
    void (*write)(const struct report *r, struct buf *out);
};
extern const struct report_table report_tables[];

#endif
