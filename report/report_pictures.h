/* Correspondence pictures of a sweep: rows -> a gallery for each correspondence set. */
#ifndef ACSWEEP_REPORT_REPORT_PICTURES_H
#define ACSWEEP_REPORT_REPORT_PICTURES_H

#include "report/report_data.h"

/* Reads those of the smallest representations (GALLERY_SMALL_MAX of them at most) and of the best of the ranking
 * (GALLERY_BEST_MAX), so after the ranking. What cannot be read as pictures is left out and noted. */
MUST_USE int report_pictures_read(struct report *r, struct db *d, struct err *e);
void report_pictures_free(struct report_pictures *p);

bool report_pictures_any(const struct report *r);
/* The section's text below its heading. */
void report_pictures_draw(const struct report *r, struct buf *out);

#endif
