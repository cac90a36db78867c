/* A finished sweep over a table of the policy library, put into the database by plain SQL: what a report needs to be tested
 * without running anything. */
#ifndef ACSWEEP_TESTS_LIB_REPORT_SWEEP_H
#define ACSWEEP_TESTS_LIB_REPORT_SWEEP_H

#include "policy/table.h"
#include "sql/db.h"

/* Every representation gets its scores; the first `fine_tunes` by A + C are chosen in rounds of one and measured; the
 * ranking is by measured value, then by the law. `executor` is what the tasks say they ran on. Aborts the program on error. */
void report_sweep_insert(struct db *d, const char *name, const struct policy_table *t, size_t fine_tunes,
                         const char *executor);

#endif
