/* One throw-away PostgreSQL per test program, in a directory of its own, gone afterwards.
 *
 *     static int setup(void **state)    { *state = pgtest_start(); return *state ? 0 : -1; }
 *     static int teardown(void **state) { pgtest_stop(*state); return 0; }
 */
#ifndef ACSWEEP_TESTS_PGTEST_H
#define ACSWEEP_TESTS_PGTEST_H

#include "sql/db.h"

struct pgtest;

/* NULL after printing why. Call from the main thread (the server dies with the thread that started it). */
struct pgtest *pgtest_start(void);
void pgtest_stop(struct pgtest *t);

/* The test's own directory, for files. */
const char *pgtest_dir(const struct pgtest *t);
/* Address of the default database, which is empty until somebody migrates it. */
const char *pgtest_conninfo(const struct pgtest *t);
/* A new database of that name ([a-z_]+), migrated; its address, valid until pgtest_stop(). Aborts the program on error. */
const char *pgtest_database(struct pgtest *t, const char *name);
/* Connect or abort the program with the reason. */
struct db *pgtest_open(const char *conninfo, enum db_role role);
/* Run a script, or one query whose first field is returned as a number (SQL NULL: 0); abort with the reason on error. */
void pgtest_script(struct db *d, const char *text);
int64_t pgtest_number(struct db *d, const char *query);

#endif
