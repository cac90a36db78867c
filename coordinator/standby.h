/* The coordinators of one database: who waits for the lock says in a row where workers will find it, and the leader
 * tells its workers the addresses of those that wait, so that a take-over finds them knowing the way (DESIGN: Welcome
 * carries every coordinator). A coordinator that listens on every interface and advertises nothing has no address to
 * tell. */
#ifndef ACSWEEP_COORDINATOR_STANDBY_H
#define ACSWEEP_COORDINATOR_STANDBY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/keys.h"
#include "sql/db.h"

#define STANDBY_MAX 8 /* as many as coordinator_list.sql gives */

struct coord;

struct standby_list {
    struct {
        char address[ENDPOINT_SIZE];
        char server_key[KEY_TEXT_SIZE]; /* "" without keys */
    } of[STANDBY_MAX];
    size_t n;
    int64_t next_poll;
    bool polling;
};

/* Say that this coordinator is here, on the caller's connection: while it waits, and as it begins to lead. Nothing when
 * its address is not known before it binds. */
MUST_USE int standby_announce(const struct coord *c, struct db *d, struct err *e);
/* Every tick of a leader: says so again and reads who else is here, through the database thread. */
MUST_USE int standby_tick(struct coord *c, int64_t now, struct err *e);

#endif
