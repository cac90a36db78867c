/* Pieces of the page: headings and the cells of tables. Text is escaped; what is missing is a dash. */
#ifndef ACSWEEP_REPORT_REPORT_CELLS_H
#define ACSWEEP_REPORT_REPORT_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

void heading(struct buf *out, const char *id, const char *title); /* not escaped */
/* Head of a table in a container that scrolls; titles that start with '#' are of number columns. Not escaped. */
void table_begin(struct buf *out, const char *const *titles, size_t n);
void table_end(struct buf *out);

void cell_text(struct buf *out, const char *class, const char *text);
void cell_real(struct buf *out, double value, int decimals);
void cell_int(struct buf *out, int64_t value);
void cell_duration(struct buf *out, double seconds);

#endif
