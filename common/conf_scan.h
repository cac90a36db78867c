/* What libconfig does not check: before its parser sees a text, refuse what it would follow or silently change. */
#ifndef ACSWEEP_COMMON_CONF_SCAN_H
#define ACSWEEP_COMMON_CONF_SCAN_H

#include "common/err.h"
#include "common/own.h"

/* ERR_INPUT "PLACE:LINE: ..." for @include, an integer beyond its 32 or 64 bits (libconfig wraps it), nesting deeper than
 * 32, and control bytes. */
MUST_USE int conf_scan(const char *text, const char *place, struct err *e);

#endif
