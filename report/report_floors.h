/* Floors of a sweep: what its scores and performances are to be compared with. */
#ifndef ACSWEEP_REPORT_REPORT_FLOORS_H
#define ACSWEEP_REPORT_REPORT_FLOORS_H

#include "report/report_data.h"

struct report_floor {
    const char *name; /* "position": the C of the position alone */
    double *a, *c, *performance; /* of each benchmark; NaN = not known */
};
struct report_floors {
    struct report_floor *list; /* "position" comes last */
    size_t n;
    double *block; /* owns the numbers */
};

/* After the benchmarks. Its texts belong to rows that the report keeps. */
MUST_USE int report_floors_read(struct report *r, struct db *d, struct err *e);
void report_floors_free(struct report_floors *f);

bool report_floors_any(const struct report *r);
/* The section's text below its heading: all scores, with the floors at their foot; performances, where floors have any. */
void report_floors_html(const struct report *r, struct buf *out);
/* A sentence for the correspondence section; nothing where the position's C is not known. */
void report_floors_position(const struct report *r, struct buf *out);

#endif
