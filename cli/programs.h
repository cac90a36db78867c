/* Other programs: where they are, and a short question to one. */
#ifndef ACSWEEP_CLI_PROGRAMS_H
#define ACSWEEP_CLI_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>

/* Our own programs: beside the running acsweep first, then in PATH. */
bool program_find(const char *name, char *path, size_t size);
/* Directory of postgres and initdb: pg_config --bindir, PATH, the newest /usr/lib/postgresql/N/bin. */
bool program_postgres_dir(char *dir, size_t size);
/* Run a program with no input and at most 10 s time; first line of its stdout, cut to size. Exit code, or -1. */
int program_first_line(const char *const *argv, char *line, size_t size);

#endif
