/* The section "Above chance": is what was fine-tuned better than an answer given without looking? From the metrics `ci_low`,
 * `ci_high` and `chance` of the evaluations; what has none of them is left out. */
#ifndef ACSWEEP_REPORT_REPORT_CHANCE_H
#define ACSWEEP_REPORT_REPORT_CHANCE_H

#include "report/report_data.h"

/* Does the cell have performance, interval and chance? */
bool report_has_chance(const struct report *r, size_t representation, size_t benchmark);
/* Is even the lower end of its interval above chance? */
bool report_beats_chance(const struct report *r, size_t representation, size_t benchmark);
bool report_chance_any(const struct report *r);
void report_chance_draw(const struct report *r, struct buf *out);

#endif
