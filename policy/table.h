/* What is known: the scores and performances of every representation, and their min-max normalised form.
 *
 * A cell that was not measured is NaN. The table only stores; what may be done with a row that has gaps is decided by
 * the caller: a representation without its scores can neither be predicted nor chosen. */
#ifndef ACSWEEP_POLICY_TABLE_H
#define ACSWEEP_POLICY_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

enum {
    POLICY_MAX_REPRESENTATIONS = 4096,
    POLICY_MAX_BENCHMARKS = 256,
    POLICY_MAX_NAME = 255,             /* bytes of a name */
    POLICY_MAX_CSV = 16 * 1024 * 1024, /* bytes of a table's text */
};

struct policy_table;

/* A table of these names (copied), every cell unknown. ERR_INPUT for an empty, too long or repeated name, or sizes
 * beyond the limits above. */
struct policy_table *policy_table_create(const char *const *representations, size_t n_representations,
                                         const char *const *benchmarks, size_t n_benchmarks, struct err *e);
void policy_table_destroy(struct policy_table *t);
DEFINE_CLEANUP(policy_table_destroy, struct policy_table *)

/* Read CSV text with the header `representation,c,a:<benchmark>...,perf:<benchmark>...` (columns in any order; each
 * benchmark needs both its columns; an empty cell is unknown; quoted fields, LF or CRLF). A benchmark with a
 * correspondence set of its own has a column `c:<benchmark>` instead of the common c. `place` names the text in
 * messages, which give line and column. */
struct policy_table *policy_table_parse(const char *text, size_t len, const char *place, struct err *e);

/* Read CSV text with a line for each value into a table of known names: the header `representation,benchmark,value`, and
 * `a` and `c` if you like (in any order), as `acsweep sql --csv` prints them. Every representation needs its value on every
 * benchmark, once; a and c may be empty. ERR_INPUT names line and column, or what is missing; the table is then half filled. */
MUST_USE int policy_table_read_values(struct policy_table *t, const char *text, size_t len, const char *place,
                                      struct err *e);

size_t policy_table_representations(const struct policy_table *t);
size_t policy_table_benchmarks(const struct policy_table *t);
const char *policy_table_representation(const struct policy_table *t, size_t r);
const char *policy_table_benchmark(const struct policy_table *t, size_t b);
/* Index of a name; ERR_INPUT naming the nearest known one. */
MUST_USE int policy_table_find_representation(const struct policy_table *t, const char *name, size_t *r, struct err *e);
MUST_USE int policy_table_find_benchmark(const struct policy_table *t, const char *name, size_t *b, struct err *e);

/* Values on the scale they were measured in; NaN is unknown, and what sets a cell unknown again. C belongs to a
 * correspondence set: policy_table_set_c() is for the one set that all benchmarks share. */
double policy_table_c(const struct policy_table *t, size_t r, size_t b);
double policy_table_a(const struct policy_table *t, size_t r, size_t b);
double policy_table_perf(const struct policy_table *t, size_t r, size_t b);
void policy_table_set_c(struct policy_table *t, size_t r, double value);
void policy_table_set_c_of(struct policy_table *t, size_t r, size_t b, double value);
void policy_table_set_a(struct policy_table *t, size_t r, size_t b, double value);
void policy_table_set_perf(struct policy_table *t, size_t r, size_t b, double value);

/* Which rows give the range of the performances. The scores' range always comes from every row that has them: scores
 * are known before anything is fine-tuned. */
enum policy_normalise {
    POLICY_NORMALISE_WHOLE, /* every measured row: the paper's way, looks ahead in a simulation (harmless for ranks) */
    POLICY_NORMALISE_TRAIN, /* the rows of `train` only: what a running sweep can know */
};

/* One benchmark on the normalised scale. A column whose values are all equal becomes 0. */
struct policy_points {
    size_t n;
    double *a, *c, *y;     /* [n] in one block, NaN = unknown */
    double y_low, y_range; /* y on its own scale is y_low + y_range * y; range 0 = fewer than two different values */
};

/* Map the known values to [0,1]; all 0 when they are equal. */
void policy_min_max(double *v, size_t n);

/* `n` rows of zeros; a copy. */
MUST_USE int policy_points_create(struct policy_points *p, size_t n, struct err *e);
MUST_USE int policy_points_copy(struct policy_points *p, const struct policy_points *from, struct err *e);

/* `train` may be NULL: every row. */
MUST_USE int policy_points_init(struct policy_points *p, const struct policy_table *t, size_t b,
                                enum policy_normalise how, const bool *train, struct err *e);
void policy_points_free(struct policy_points *p);
static inline UNUSED void policy_points_free_cleanup(struct policy_points *p)
{
    policy_points_free(p);
}

#endif
