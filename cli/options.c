/* Option tables that several commands share. */
#include "cli/commands.h"

const struct opt cli_json_options[] = {
    { .name = "json", .type = OPT_FLAG, .help = "print JSON for programs instead of text for people" },
    { 0 },
};
const struct opt cli_state_options[] = {
    { .name = "state", .letter = 's', .type = OPT_DIR, .value = "DIR", .fallback = "./.acsweep", .env = "ACSWEEP_STATE",
      .help = "state directory: private PostgreSQL, sockets, logs and report" },
    { 0 },
};
const struct opt cli_database_options[] = {
    { .name = "database", .letter = 'd', .type = OPT_TEXT, .value = "CONNINFO", .env = "ACSWEEP_DATABASE",
      .help = "libpq connection string or URI of the sweep's PostgreSQL, instead of the private one in the state "
              "directory" },
    { 0 },
};
