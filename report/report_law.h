/* What the policy library adds to the rows: predictions on each benchmark's own scale, and recall curves. */
#ifndef ACSWEEP_REPORT_REPORT_LAW_H
#define ACSWEEP_REPORT_REPORT_LAW_H

#include "report/report_data.h"

/* Fill r->predicted, r->recalls and r->no_recall from r->a, c and performance. */
MUST_USE int report_law_apply(struct report *r, struct err *e);

#endif
