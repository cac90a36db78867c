/* The report of a sweep as files: index.html (one self-contained page), report.json and CSV tables. */
#ifndef ACSWEEP_REPORT_REPORT_H
#define ACSWEEP_REPORT_REPORT_H

#include "common/buf.h"
#include "common/err.h"
#include "sql/db.h"

/* Write the report of the sweep named `sweep` (NULL or "" = the newest one) into `dir`, made if needed. Each file is
 * replaced in one step, so a reader never sees half of one. ERR_INPUT when there is no such sweep, ERR_ENV when the
 * directory cannot be written. May be called while the sweep runs. */
MUST_USE int report_write(struct db *d, const char *sweep, const char *dir, struct err *e);

/* The same with the truth: a CSV file with the measured performance of every representation of the sweep on every benchmark
 * (policy_table_read_values). The report then says what the choice lost; `verdict` (may be NULL) gets that in a line or two
 * for a terminal. `truth` NULL: as report_write(). */
MUST_USE int report_write_truth(struct db *d, const char *sweep, const char *dir, const char *truth, struct buf *verdict,
                                struct err *e);

/* Would this file do as the truth of a sweep with these names? Refuses as report_write_truth() does. */
MUST_USE int report_check_truth(const char *truth, const char *const *representations, size_t n_representations,
                                const char *const *benchmarks, size_t n_benchmarks, struct err *e);

#endif
