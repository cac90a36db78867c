/* The report of a sweep as files: index.html (one self-contained page), report.json and CSV tables. */
#ifndef ACSWEEP_REPORT_REPORT_H
#define ACSWEEP_REPORT_REPORT_H

#include "common/err.h"
#include "sql/db.h"

/* Write the report of the sweep named `sweep` (NULL or "" = the newest one) into `dir`, made if needed. Each file is
 * replaced in one step, so a reader never sees half of one. ERR_INPUT when there is no such sweep, ERR_ENV when the
 * directory cannot be written. May be called while the sweep runs. */
MUST_USE int report_write(struct db *d, const char *sweep, const char *dir, struct err *e);

#endif
