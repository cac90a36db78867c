/* A map of similarities as a picture: one pixel a cell, coloured from low to high by svg_colour(). */
#ifndef ACSWEEP_REPORT_HEAT_H
#define ACSWEEP_REPORT_HEAT_H

#include <stdint.h>

#include "common/buf.h"

/* Append a PNG of side x side cells (1..PICTURES_SIDE_MAX), base64. ERR_NOMEM, or ERR_ENV past the buffer's limit. */
MUST_USE int heat_png(const uint8_t *cells, int side, struct buf *out, struct err *e);

#endif
