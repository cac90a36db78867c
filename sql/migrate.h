/* Numbered migrations (sql/migrations/NNNN_name.sql, embedded), applied in order, each in its own transaction with its
 * checksum recorded, all under an advisory lock. A shipped migration is never edited. */
#ifndef ACSWEEP_SQL_MIGRATE_H
#define ACSWEEP_SQL_MIGRATE_H

#include "sql/db.h"

/* The newest schema version that this program knows. */
int migrate_latest(void);
/* Version of the database, 0 when it has no acsweep schema. */
MUST_USE int migrate_current(struct db *d, int *version, struct err *e);
/* Bring the database up to date. ERR_DB when a recorded checksum differs or the database is newer than the program. */
MUST_USE int migrate_run(struct db *d, int *from, int *to, struct err *e);
/* ERR_DB with the remedy ("run acsweep db migrate" / "this program is older than the database") unless versions match. */
MUST_USE int migrate_check(struct db *d, struct err *e);

#endif
