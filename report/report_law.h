/* What the policy library adds to the rows: predictions on each benchmark's own scale, and recall curves. */
#ifndef ACSWEEP_REPORT_REPORT_LAW_H
#define ACSWEEP_REPORT_REPORT_LAW_H

#include "report/report_data.h"

/* Fill r->by_law and r->recalls from r->a, c, performance and known. */
MUST_USE int report_law_apply(struct report *r, struct err *e);

#endif
