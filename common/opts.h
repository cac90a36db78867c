/* Command lines as tables: commands (two levels), options, help, errors with the nearest valid name, bash completion.
 *
 * A program describes itself once, in `struct cmd` and `struct opt` tables; parsing, `--help`, the completion script and
 * the checks of values all come from them. A command reads its values by option name:
 *
 *     static const struct opt run_options[] = {
 *         { .name = "workers", .letter = 'n', .type = OPT_INT, .value = "N", .fallback = "4", .lo = 1, .hi = 4096,
 *           .help = "worker processes to start" },
 *         { 0 },
 *     };
 *     static int run(const struct opts *o, struct err *e) { int64_t n = opts_int(o, "workers"); ... return 0; }
 *     const struct cmd cmd_run = { .name = "run", .args = "SWEEP.CFG", .options = { run_options }, .run = run, ... };
 *
 * A command with an OPT_FILE called `config` also takes its values from such a file (common/opts_file.h): command line over
 * environment over file over default; its `--print-config` prints a commented file with all of them.
 *
 * Options may stand before or after arguments; `--` ends them. `--x VALUE`, `--x=VALUE`, `-x VALUE`, `-xVALUE`. */
#ifndef ACSWEEP_COMMON_OPTS_H
#define ACSWEEP_COMMON_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "common/own.h"

enum opt_type {
    OPT_FLAG,
    OPT_TEXT,
    OPT_FILE,     /* as text; completes to a file */
    OPT_DIR,      /* as text; completes to a directory */
    OPT_INT,      /* within lo..hi */
    OPT_REAL,     /* within lo..hi */
    OPT_DURATION, /* 90s, 1.5h */
    OPT_SIZE,     /* 40GiB */
    OPT_CHOICE,   /* one of `choices` */
};

struct opt {
    const char *name;     /* long name without dashes; NULL ends the table */
    char letter;          /* short name, 0 = none */
    enum opt_type type;
    bool many;            /* may be given again; read with opts_list() */
    bool required;
    const char *value;    /* what --help calls the value: "DIR" */
    const char *fallback; /* default as the user would type it; NULL = none */
    const char *env;      /* variable read when the option is not given */
    const char *choices;  /* "paper|default", for OPT_CHOICE */
    int64_t lo, hi;       /* OPT_INT and OPT_REAL; both 0 = no limits */
    const char *help;
};

struct opts;

#define CMD_OPTION_TABLES 6
struct cmd {
    const char *name;
    const char *summary;                           /* one line, no full stop */
    const char *args;                              /* "SWEEP.CFG", "[SWEEP]", "TASK...", "[SWEEP...]"; NULL = none */
    const char *details;                           /* paragraphs below the options; lines that start with two blanks stay */
    const struct opt *options[CMD_OPTION_TABLES];  /* shared tables and own ones */
    const struct cmd *const *sub;                  /* NULL-terminated; then `run` is NULL */
    /* Exit code >= 0, or -1 with *e set. */
    int (*run)(const struct opts *o, struct err *e);
};

/* A whole main(): parse, help, run, print the error once, check that stdout could be written. Returns the exit code. */
int opts_main(const struct cmd *root, int argc, char **argv);

/* Parse without running. NULL with ERR_USAGE. `--help` makes opts_help_wanted() true and skips the checks. */
struct opts *opts_parse(const struct cmd *root, int argc, char *const *argv, struct err *e);
void opts_free(struct opts *o);
DEFINE_CLEANUP(opts_free, struct opts *)

const struct cmd *opts_root(const struct opts *o);
const struct cmd *opts_cmd(const struct opts *o);
/* "acsweep policy fit" */
const char *opts_path(const struct opts *o);
bool opts_help_wanted(const struct opts *o);

/* Values by long name; asking for a name or type that the command's tables do not have is our bug and aborts. Values
 * were checked by opts_parse(). Absent: false, NULL, 0. Durations in ns, sizes in bytes through opts_int(). */
bool opts_given(const struct opts *o, const char *name); /* on the command line or by environment, not by default */
bool opts_flag(const struct opts *o, const char *name);
const char *opts_text(const struct opts *o, const char *name);
int64_t opts_int(const struct opts *o, const char *name);
double opts_real(const struct opts *o, const char *name);
size_t opts_list(const struct opts *o, const char *name, const char *const **values);
bool opts_has(const struct opts *o, const char *name); /* the command has such an option */

/* Arguments that are not options. opts_arg() is NULL beyond the last. */
size_t opts_n_args(const struct opts *o);
const char *opts_arg(const struct opts *o, size_t i);

/* The command line again, in one spelling, for a program with the same tables: `program`, the words of the command, all
 * that was given as --name=value (by environment or file too; defaults are left out), `--` and the arguments.
 * NULL-terminated; opts_argv_free() it. */
char **opts_argv(const struct opts *o, const char *program, struct err *e);
void opts_argv_free(char **argv);
DEFINE_CLEANUP(opts_argv_free, char **)

/* What `path --help` prints; `width` in columns, 0 = that of the terminal, or 80. */
void opts_print_help(FILE *out, const struct cmd *root, const struct cmd *cmd, const char *path, int width);
/* The bash completion script of a whole program. */
void opts_print_completion(FILE *out, const struct cmd *root);

#endif
