/* Settings files of the daemons (worker.cfg, coordinator.cfg): one `name = value;` for each option of the program, with
 * `_` for `-`, in libconfig syntax; `name = ["a", "b"];` for an option that may be given again. The option table is the
 * only description of a setting; see opts.h. */
#ifndef ACSWEEP_COMMON_OPTS_FILE_H
#define ACSWEEP_COMMON_OPTS_FILE_H

#include "common/err.h"
#include "common/opts.h"
#include "common/own.h"

struct opts_setting {
    char *name; /* as an option is called, with dashes */
    char *text; /* as it would stand on a command line; flags: "true" or "false" */
    int line;
    bool listed, more; /* an element of a list; not its first */
};
struct opts_file {
    struct opts_setting *settings;
    size_t n;
};

/* ERR_INPUT "FILE:LINE: ...". */
struct opts_file *opts_file_read(const char *path, struct err *e);
void opts_file_free(struct opts_file *f);
DEFINE_CLEANUP(opts_file_free, struct opts_file *)

/* A commented file with all settings of a command at their defaults; those without one are commented out. */
void opts_file_print(FILE *out, const struct cmd *cmd);

#endif
