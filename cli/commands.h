/* The commands of `acsweep`, one `struct cmd` each, and the option tables that they share. */
#ifndef ACSWEEP_CLI_COMMANDS_H
#define ACSWEEP_CLI_COMMANDS_H

#include "common/opts.h"

/* --truth: of the commands that write a report. */
#define CLI_TRUTH_OPTION                                                                                               \
    { .name = "truth", .type = OPT_FILE, .value = "FILE.csv",                                                          \
      .help = "what every representation truly reaches on every benchmark: lines of representation,benchmark,value; "  \
              "the report then says what the choice lost" }

/* --json: on every command that only reads. */
extern const struct opt cli_json_options[];
/* --state: where the private cluster, the sockets, the logs and the report of one machine live. */
extern const struct opt cli_state_options[];
/* --database: a PostgreSQL of one's own instead of the private one of --state. */
extern const struct opt cli_database_options[];

extern const struct cmd cmd_cancel;
extern const struct cmd cmd_completion;
extern const struct cmd cmd_convert;
extern const struct cmd cmd_db;
extern const struct cmd cmd_doctor;
extern const struct cmd cmd_drain;
extern const struct cmd cmd_explain;
extern const struct cmd cmd_extract;
extern const struct cmd cmd_generate;
extern const struct cmd cmd_evaluate;
extern const struct cmd cmd_train;
extern const struct cmd cmd_world;
extern const struct cmd cmd_inspect;
extern const struct cmd cmd_keygen;
extern const struct cmd cmd_keys;
extern const struct cmd cmd_plan;
extern const struct cmd cmd_policy;
extern const struct cmd cmd_rank;
extern const struct cmd cmd_replay;
extern const struct cmd cmd_report;
extern const struct cmd cmd_retry;
extern const struct cmd cmd_run;
extern const struct cmd cmd_score;
extern const struct cmd cmd_score_a;
extern const struct cmd cmd_score_answers;
extern const struct cmd cmd_sql;
extern const struct cmd cmd_status;
extern const struct cmd cmd_submit;
extern const struct cmd cmd_version;
extern const struct cmd cmd_watch;
extern const struct cmd cmd_workers;

#endif
