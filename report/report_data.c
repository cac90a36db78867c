/* SQL -> struct report. Every statement is one file sql/queries/report_*.sql; columns are taken by name. */
#include "report/report_data.h"

#include <string.h>

#include "policy/table.h"
#include "report/report_floors.h"
#include "report/report_law.h"
#include "report/report_pictures.h"
#include "report/report_precision.h"
#include "report/report_truth.h"
#include "sql/sql_text.h"

enum { ATTEMPTS_MAX = 5000, FAILURES_MAX = 200, KEPT_MAX = 24 };

/* ---- columns --------------------------------------------------------------------------------------------------- */

static const char *text_of(const struct db_rows *rows, int64_t i, const char *column)
{
    const char *s = db_text(rows, i, db_rows_column(rows, column));
    return s ? s : "";
}

static double real_of(const struct db_rows *rows, int64_t i, const char *column)
{
    int col = db_rows_column(rows, column);
    return db_is_null(rows, i, col) ? NAN : db_f64(rows, i, col);
}

static int64_t int_of(const struct db_rows *rows, int64_t i, const char *column, int64_t missing)
{
    int col = db_rows_column(rows, column);
    return db_is_null(rows, i, col) ? missing : db_i64(rows, i, col);
}

/* ---- finding by id --------------------------------------------------------------------------------------------- */

static size_t representation_of(const struct report *r, int64_t id)
{
    for (size_t i = 0; i < r->n_representations; i++)
        if (r->representations[i].id == id)
            return i;
    return SIZE_MAX;
}

static size_t benchmark_of(const struct report *r, int64_t id)
{
    for (size_t i = 0; i < r->n_benchmarks; i++)
        if (r->benchmarks[i].id == id)
            return i;
    return SIZE_MAX;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

/* Run a statement on this sweep and keep its rows; *out has room for them (at least one). */
static int rows_read(struct report *r, struct db *d, enum sql_id id, int64_t limit, size_t item_size, struct db_rows **rows,
                     void **out, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(r->sweep_id), SQL_I64(limit) };
    TRY(db_exec(d, id, args, limit ? 2 : 1, ROWS_ANY, rows, e));
    r->kept[r->n_kept++] = *rows;
    if (out && !(*out = calloc((size_t)db_rows_count(*rows) + 1, item_size)))
        return FAIL_NOMEM(e);
    return 0;
}

static int read_sweep(struct report *r, struct db *d, const char *sweep, struct err *e)
{
    const struct sql_arg args[] = { SQL_TEXT(sweep) };
    struct db_rows *rows;
    TRY(db_exec(d, SQL_REPORT_SWEEP, args, 1, ROWS_ANY, &rows, e));
    r->kept[r->n_kept++] = rows;
    if (db_rows_count(rows) == 0) {
        if (sweep && *sweep)
            return FAIL(e, ERR_INPUT, "there is no sweep named \"%.200s\"; acsweep status lists them", sweep);
        return FAIL(e, ERR_INPUT, "the database has no sweep yet; start one with acsweep run or acsweep submit");
    }
    r->sweep_id = int_of(rows, 0, "sweep_id", 0);
    r->seed = int_of(rows, 0, "seed", 0);
    r->sweep = text_of(rows, 0, "name");
    r->state = text_of(rows, 0, "state");
    r->note = text_of(rows, 0, "note");
    r->reason = text_of(rows, 0, "reason");
    r->config = text_of(rows, 0, "config");
    r->config_digest = text_of(rows, 0, "config_digest");
    r->mode = text_of(rows, 0, "mode");
    r->created = text_of(rows, 0, "created");
    r->finished = text_of(rows, 0, "finished");
    r->elapsed_seconds = real_of(rows, 0, "elapsed_seconds");
    r->direction_prior = real_of(rows, 0, "direction_prior");
    r->recorded = db_bool(rows, 0, db_rows_column(rows, "recorded"));
    r->fake = db_bool(rows, 0, db_rows_column(rows, "fake"));
    return 0;
}

static int read_representations(struct report *r, struct db *d, struct err *e)
{
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_REPRESENTATIONS, 0, sizeof *r->representations, &rows, (void **)&r->representations, e));
    r->n_representations = (size_t)db_rows_count(rows);
    for (size_t i = 0; i < r->n_representations; i++)
        r->representations[i] = (struct report_representation){
            .id = int_of(rows, (int64_t)i, "representation_id", 0),
            .name = text_of(rows, (int64_t)i, "name"),
            .chosen_in = (int)int_of(rows, (int64_t)i, "chosen_in", -1),
            .failure = text_of(rows, (int64_t)i, "failure"),
            .mean = NAN,
            .sd = NAN,
        };
    return 0;
}

static int read_benchmarks(struct report *r, struct db *d, struct err *e)
{
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_BENCHMARKS, 0, sizeof *r->benchmarks, &rows, (void **)&r->benchmarks, e));
    r->n_benchmarks = (size_t)db_rows_count(rows);
    for (size_t i = 0; i < r->n_benchmarks; i++)
        r->benchmarks[i] = (struct report_benchmark){
            .id = int_of(rows, (int64_t)i, "benchmark_id", 0),
            .name = text_of(rows, (int64_t)i, "name"),
            .metric = text_of(rows, (int64_t)i, "metric"),
            .questions = int_of(rows, (int64_t)i, "questions", 0),
            .maximum = real_of(rows, (int64_t)i, "maximum"),
            .weight = real_of(rows, (int64_t)i, "weight"),
        };
    return 0;
}

static double *cells_create(size_t n)
{
    double *cells = malloc((n + 1) * sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        cells[i] = NAN;
    return cells;
}

/* Cell of row i, which has representation_id and benchmark_id; SIZE_MAX when the sweep has no such cell. */
static size_t cell_of(const struct report *r, const struct db_rows *rows, int64_t i)
{
    size_t representation = representation_of(r, int_of(rows, i, "representation_id", 0));
    size_t benchmark = benchmark_of(r, int_of(rows, i, "benchmark_id", 0));
    if (representation == SIZE_MAX || benchmark == SIZE_MAX)
        return SIZE_MAX;
    return representation * r->n_benchmarks + benchmark;
}

static int read_cells(struct report *r, struct db *d, struct err *e)
{
    size_t n = r->n_representations * r->n_benchmarks;
    double **const all[] = { &r->a,      &r->c,         &r->performance, &r->by_law, &r->expected,
                             &r->before, &r->before_sd, &r->known,       &r->standard_error,
                             &r->place,  &r->ci_low,    &r->ci_high,     &r->chance };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (!(*all[i] = cells_create(n)))
            return FAIL_NOMEM(e);
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_CELLS, 0, 0, &rows, NULL, e));
    for (int64_t i = 0; i < db_rows_count(rows); i++) {
        size_t cell = cell_of(r, rows, i);
        if (cell == SIZE_MAX)
            continue;
        r->a[cell] = real_of(rows, i, "a");
        r->c[cell] = real_of(rows, i, "c");
        r->performance[cell] = real_of(rows, i, "performance");
        r->ci_low[cell] = real_of(rows, i, "ci_low");
        r->ci_high[cell] = real_of(rows, i, "ci_high");
        r->chance[cell] = real_of(rows, i, "chance");
        r->standard_error[cell] =
            report_standard_error(&r->benchmarks[cell % r->n_benchmarks], r->performance[cell],
                                  real_of(rows, i, "questions"), real_of(rows, i, "standard_error"));
    }
    return 0;
}

static int read_predictions(struct report *r, struct db *d, struct err *e)
{
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_PREDICTIONS, 0, 0, &rows, NULL, e));
    for (int64_t i = 0; i < db_rows_count(rows); i++) {
        size_t cell = cell_of(r, rows, i);
        if (cell == SIZE_MAX)
            continue;
        r->expected[cell] = real_of(rows, i, "mean");
        r->place[cell] = real_of(rows, i, "rank");
        r->before[cell] = real_of(rows, i, "before_mean");
        r->before_sd[cell] = real_of(rows, i, "before_sd");
    }
    return 0;
}

/* known = performance, or in a replay what the first file that is such a table has. */
static int read_recorded(struct report *r, struct db *d, struct err *e)
{
    memcpy(r->known, r->performance, r->n_representations * r->n_benchmarks * sizeof *r->known);
    if (!r->recorded)
        return 0;
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_RECORDED, 0, 0, &rows, NULL, e));
    for (int64_t i = 0; i < db_rows_count(rows); i++) {
        const char *text = text_of(rows, i, "text");
        AUTO(policy_table_destroy) struct policy_table *t = policy_table_parse(text, strlen(text), "recorded", NULL);
        for (size_t cell = 0; t && cell < r->n_representations * r->n_benchmarks; cell++) {
            size_t rep, bench;
            if (!isfinite(r->known[cell]) &&
                policy_table_find_representation(t, r->representations[cell / r->n_benchmarks].name, &rep, NULL) == 0 &&
                policy_table_find_benchmark(t, r->benchmarks[cell % r->n_benchmarks].name, &bench, NULL) == 0)
                r->known[cell] = policy_table_perf(t, rep, bench);
        }
    }
    return 0;
}

static int read_fits(struct report *r, struct db *d, struct err *e)
{
    static const char *const columns[REPORT_COEFFICIENTS] = { "coef_a", "coef_c", "coef_a2", "coef_ac", "coef_c2" };
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_FITS, 0, sizeof *r->fits, &rows, (void **)&r->fits, e));
    for (int64_t i = 0; i < db_rows_count(rows); i++) {
        struct report_fit fit = {
            .round = (int)int_of(rows, i, "round", 0),
            .n_train = (int)int_of(rows, i, "n_train", 0),
            .benchmark = benchmark_of(r, int_of(rows, i, "benchmark_id", 0)),
            .r2 = real_of(rows, i, "r2"),
            .r2_adjusted = real_of(rows, i, "r2_adjusted"),
            .r2_loo = real_of(rows, i, "r2_loo"),
            .spearman = real_of(rows, i, "spearman"),
            .intercept = real_of(rows, i, "intercept"),
        };
        for (size_t k = 0; k < REPORT_COEFFICIENTS; k++)
            fit.coefficients[k] = real_of(rows, i, columns[k]);
        if (fit.benchmark != SIZE_MAX)
            r->fits[r->n_fits++] = fit;
    }
    return 0;
}

static int read_ranking(struct report *r, struct db *d, struct err *e)
{
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_RANKING, 0, 0, &rows, NULL, e));
    if (!(r->ranking = calloc(r->n_representations + 1, sizeof *r->ranking)))
        return FAIL_NOMEM(e);
    size_t n = 0;
    for (int64_t i = 0; i < db_rows_count(rows); i++) {
        size_t rep = representation_of(r, int_of(rows, i, "representation_id", 0));
        if (rep == SIZE_MAX || r->representations[rep].rank)
            continue;
        r->representations[rep].mean = real_of(rows, i, "mean");
        r->representations[rep].sd = real_of(rows, i, "sd");
        r->representations[rep].rank = (int)(n + 1);
        r->ranking[n++] = rep;
    }
    for (size_t i = 0; i < r->n_representations; i++)
        if (!r->representations[i].rank)
            r->ranking[n++] = i;
    return 0;
}

static int read_rounds(struct report *r, struct db *d, struct err *e)
{
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_ROUNDS, 0, sizeof *r->rounds, &rows, (void **)&r->rounds, e));
    r->n_rounds = (size_t)db_rows_count(rows);
    for (size_t i = 0; i < r->n_rounds; i++)
        r->rounds[i] = (struct report_round){
            .round = (int)int_of(rows, (int64_t)i, "round", 0),
            .mode = text_of(rows, (int64_t)i, "mode"),
            .state = text_of(rows, (int64_t)i, "state"),
            .note = text_of(rows, (int64_t)i, "note"),
            .started = text_of(rows, (int64_t)i, "started"),
            .finished = text_of(rows, (int64_t)i, "finished"),
        };
    TRY(rows_read(r, d, SQL_REPORT_CHOICES, 0, sizeof *r->choices, &rows, (void **)&r->choices, e));
    for (int64_t i = 0; i < db_rows_count(rows); i++) {
        struct report_choice choice = {
            .round = (int)int_of(rows, i, "round", 0),
            .position = (int)int_of(rows, i, "position", 0),
            .representation = representation_of(r, int_of(rows, i, "representation_id", 0)),
            .value = real_of(rows, i, "value"),
            .reason = text_of(rows, i, "reason"),
        };
        if (choice.representation != SIZE_MAX)
            r->choices[r->n_choices++] = choice;
    }
    return 0;
}

static int read_attempts(struct report *r, struct db *d, struct err *e)
{
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_ATTEMPTS, ATTEMPTS_MAX, sizeof *r->attempts, &rows, (void **)&r->attempts, e));
    r->n_attempts = (size_t)db_rows_count(rows);
    r->attempts_total = r->n_attempts ? int_of(rows, 0, "total", 0) : 0;
    for (size_t i = 0; i < r->n_attempts; i++)
        r->attempts[i] = (struct report_attempt){
            .task_id = int_of(rows, (int64_t)i, "task_id", 0),
            .attempt = (int)int_of(rows, (int64_t)i, "attempt", 0),
            .slot = (int)int_of(rows, (int64_t)i, "slot", 0),
            .kind = text_of(rows, (int64_t)i, "kind"),
            .label = text_of(rows, (int64_t)i, "label"),
            .outcome = text_of(rows, (int64_t)i, "outcome"),
            .failure = text_of(rows, (int64_t)i, "failure"),
            .message = text_of(rows, (int64_t)i, "message"),
            .worker = text_of(rows, (int64_t)i, "worker_id"),
            .node = text_of(rows, (int64_t)i, "node"),
            .charged = db_bool(rows, (int64_t)i, db_rows_column(rows, "charged")),
            .start = real_of(rows, (int64_t)i, "start_seconds"),
            .end = real_of(rows, (int64_t)i, "end_seconds"),
        };
    return 0;
}

static int read_costs(struct report *r, struct db *d, struct err *e)
{
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_COST, 0, sizeof *r->costs, &rows, (void **)&r->costs, e));
    r->n_costs = (size_t)db_rows_count(rows);
    for (size_t i = 0; i < r->n_costs; i++)
        r->costs[i] = (struct report_cost){
            .kind = text_of(rows, (int64_t)i, "kind"),
            .tasks = int_of(rows, (int64_t)i, "tasks", 0),
            .done = int_of(rows, (int64_t)i, "done", 0),
            .cached = int_of(rows, (int64_t)i, "cached", 0),
            .attempts = int_of(rows, (int64_t)i, "attempts", 0),
            .unsuccessful = int_of(rows, (int64_t)i, "unsuccessful", 0),
            .wall_seconds = real_of(rows, (int64_t)i, "wall_seconds"),
            .gpu_seconds = real_of(rows, (int64_t)i, "gpu_seconds"),
            .energy_joules = real_of(rows, (int64_t)i, "energy_joules"),
            .mean_wall_seconds = real_of(rows, (int64_t)i, "mean_wall_seconds"),
            .mean_gpu_seconds = real_of(rows, (int64_t)i, "mean_gpu_seconds"),
        };
    return 0;
}

static int read_failures(struct report *r, struct db *d, struct err *e)
{
    struct db_rows *rows;
    TRY(rows_read(r, d, SQL_REPORT_FAILURES, FAILURES_MAX, sizeof *r->failures, &rows, (void **)&r->failures, e));
    r->n_failures = (size_t)db_rows_count(rows);
    for (size_t i = 0; i < r->n_failures; i++)
        r->failures[i] = (struct report_failure){
            .label = text_of(rows, (int64_t)i, "label"),
            .kind = text_of(rows, (int64_t)i, "kind"),
            .state = text_of(rows, (int64_t)i, "state"),
            .failure = text_of(rows, (int64_t)i, "failure"),
            .message = text_of(rows, (int64_t)i, "message"),
            .worker = text_of(rows, (int64_t)i, "worker_id"),
            .attempts = int_of(rows, (int64_t)i, "attempts", 0),
            .charged = int_of(rows, (int64_t)i, "charged", 0),
        };
    return 0;
}

/* A representation counts as measured when every benchmark of the target is; without targets, when any is. */
static void mark_measured(struct report *r)
{
    for (size_t i = 0; i < r->n_representations; i++) {
        bool every_target = true, any = false, any_target = false;
        for (size_t b = 0; b < r->n_benchmarks; b++) {
            bool known = isfinite(report_cell(r, r->performance, i, b));
            bool target = r->benchmarks[b].weight > 0;
            any |= known;
            any_target |= target;
            every_target &= known || !target;
        }
        r->representations[i].measured = any_target ? every_target : any;
    }
}

/* Weighted mean of the benchmarks, each from 0 = worst to 1 = best measured; without targets all count alike. */
static void measure_targets(struct report *r)
{
    double total = 0;
    for (size_t i = 0; i < r->n_representations; i++)
        r->representations[i].target = r->representations[i].target_se = r->representations[i].measured ? 0 : NAN;
    for (size_t b = 0; b < r->n_benchmarks; b++)
        total += r->benchmarks[b].weight > 0 ? r->benchmarks[b].weight : 0;
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        double low = INFINITY, high = -INFINITY;
        double weight = total > 0 ? fmax(r->benchmarks[b].weight, 0) / total : 1 / (double)r->n_benchmarks;
        for (size_t i = 0; i < r->n_representations; i++) {
            low = fmin(low, report_cell(r, r->performance, i, b)); /* fmin and fmax pass over NaN */
            high = fmax(high, report_cell(r, r->performance, i, b));
        }
        double scale = high > low ? weight / (high - low) : 0;
        for (size_t i = 0; i < r->n_representations && weight > 0; i++) {
            struct report_representation *v = &r->representations[i];
            v->target += scale > 0 ? scale * (report_cell(r, r->performance, i, b) - low) : 0;
            v->target_se = hypot(v->target_se, scale * report_cell(r, r->standard_error, i, b));
        }
    }
}

static int read_all(struct report *r, struct db *d, const char *sweep, struct err *e)
{
    static int (*const parts[])(struct report *, struct db *, struct err *) = {
        read_representations, read_benchmarks, read_cells,    read_recorded, read_predictions, read_fits,
        read_ranking,         read_rounds,     read_attempts, read_costs,    read_failures,
        report_pictures_read, report_floors_read,
    };
    TRY(db_script(d, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", e));
    TRY(read_sweep(r, d, sweep, e));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        TRY(parts[i](r, d, e));
    return 0;
}

struct report *report_read(struct db *d, const char *sweep, const char *truth, struct err *e)
{
    AUTO(report_free) struct report *r = calloc(1, sizeof *r);
    if (!r || !(r->kept = calloc(KEPT_MAX, sizeof *r->kept)))
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    if (db_begin(d, e) < 0)
        return NULL;
    int rc = read_all(r, d, sweep, e);
    db_rollback(d); /* we only read */
    if (rc < 0 || (truth && report_truth_read(r, truth, e) < 0))
        return NULL;
    mark_measured(r);
    measure_targets(r);
    report_mark_ties(r);
    if (report_law_apply(r, e) < 0 || (truth && report_truth_judge(r, e) < 0))
        return NULL;
    return TAKE(r);
}

void report_free(struct report *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_recalls; i++) {
        free(r->recalls[i].block);
    }
    void *const blocks[] = { r->benchmarks, r->representations, r->ranking, r->a,         r->c,     r->performance,
                             r->by_law,     r->expected,        r->before,  r->before_sd, r->known, r->place,
                             r->ci_low,     r->ci_high,         r->chance,  r->standard_error,     r->fits,
                             r->rounds,     r->choices,         r->costs,   r->attempts, r->failures, r->recalls };
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        free(blocks[i]);
    report_pictures_free(r->pictures);
    report_truth_free(r->truth);
    report_floors_free(r->floors);
    for (size_t i = 0; i < r->n_kept; i++)
        db_rows_free(r->kept[i]);
    free(r->kept);
    free(r);
}

/* ---- derived --------------------------------------------------------------------------------------------------- */

const struct report_fit *report_fit_of(const struct report *r, size_t benchmark)
{
    for (size_t i = r->n_fits; i-- > 0;) /* fits are in order of their rounds */
        if (r->fits[i].benchmark == benchmark)
            return &r->fits[i];
    return NULL;
}

bool report_is_scored(const struct report *r, size_t representation)
{
    for (size_t b = 0; b < r->n_benchmarks; b++)
        if (r->benchmarks[b].weight > 0 && (!isfinite(report_cell(r, r->a, representation, b)) ||
                                            !isfinite(report_cell(r, r->c, representation, b))))
            return false;
    return true;
}

size_t report_count_measured(const struct report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_representations; i++)
        n += r->representations[i].measured;
    return n;
}

size_t report_count_chosen(const struct report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_representations; i++)
        n += r->representations[i].chosen_in >= 0;
    return n;
}

/* Kinds whose price grows with the search space in an exhaustive search: stage 1, stage 2 and the benchmarks. Scores are
 * not needed there, and what is extracted once per encoder costs the same. */
struct report_bill report_bill(const struct report *r)
{
    struct report_bill bill = { .wall = NAN, .gpu = NAN, .energy = NAN, .all_wall = 0, .all_gpu = 0,
                                .of = (int64_t)r->n_representations };
    bool stage2_known = false;
    double everything = (double)r->n_representations;
    for (size_t i = 0; i < r->n_costs; i++) {
        const struct report_cost *c = &r->costs[i];
        if (isfinite(c->wall_seconds))
            bill.wall = (isfinite(bill.wall) ? bill.wall : 0) + c->wall_seconds;
        if (isfinite(c->gpu_seconds))
            bill.gpu = (isfinite(bill.gpu) ? bill.gpu : 0) + c->gpu_seconds;
        if (isfinite(c->energy_joules))
            bill.energy = (isfinite(bill.energy) ? bill.energy : 0) + c->energy_joules;
        double count = 0;
        if (!strcmp(c->kind, "stage1") || !strcmp(c->kind, "stage2"))
            count = everything;
        else if (!strcmp(c->kind, "evaluate"))
            count = everything * (double)r->n_benchmarks;
        else if (!strcmp(c->kind, "extract") || !strcmp(c->kind, "identify"))
            count = (double)c->tasks;
        if (!strcmp(c->kind, "stage2")) {
            stage2_known = isfinite(c->mean_wall_seconds);
            bill.fine_tunes = c->done;
        }
        if (count > 0) {
            bill.all_wall += count * c->mean_wall_seconds;
            bill.all_gpu += count * c->mean_gpu_seconds;
        }
    }
    if (!stage2_known)
        bill.all_wall = bill.all_gpu = NAN;
    return bill;
}
