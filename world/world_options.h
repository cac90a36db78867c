/* The options of `acsweep world`, shared by the command line, which parses and explains them, and by acsweep-world,
 * which does the work. */
#ifndef ACSWEEP_WORLD_WORLD_OPTIONS_H
#define ACSWEEP_WORLD_WORLD_OPTIONS_H

#include "common/opts.h"

#define WORLD_NAME "world"
extern const char world_summary[], world_details[];
extern const struct opt world_options[];

#endif
