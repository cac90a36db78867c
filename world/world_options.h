/* The options of `acsweep world`, shared by the command line, which parses and explains them, and by acsweep-world,
 * which does the work. */
#ifndef ACSWEEP_WORLD_WORLD_OPTIONS_H
#define ACSWEEP_WORLD_WORLD_OPTIONS_H

#include "common/opts.h"

#define WORLD_NAME "world"
extern const char world_summary[], world_details[];
extern const struct opt world_options[];

/* The fonts that it draws with, where Debian puts them under WORLD_FONTS_DIR, and its packages. */
#define WORLD_FONTS_DIR "/usr/share/fonts"
#define WORLD_FONTS 4
struct world_font {
    const char *file, *dir, *package;
};
extern const struct world_font world_fonts[WORLD_FONTS];

#endif
