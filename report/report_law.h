/* What the policy library adds to the rows: predictions on each benchmark's own scale, the list of three with its confidence,
 * and recall curves. */
#ifndef ACSWEEP_REPORT_REPORT_LAW_H
#define ACSWEEP_REPORT_REPORT_LAW_H

#include "report/report_data.h"

/* Fill r->by_law, list and recalls from r->a, c, performance and known. Call it once the representations are marked. */
MUST_USE int report_law_apply(struct report *r, struct err *e);

#endif
