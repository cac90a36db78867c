/* Who may connect, and as what: the leader's copy of the table worker_key, read again every second, so that 'acsweep
 * keys allow' and 'revoke' work on a running cluster. The handshake itself is the ZAP thread's (common/zap.h), which
 * gets the same list.
 *
 * Without CURVE everybody is on this machine and may do everything. */
#ifndef ACSWEEP_COORDINATOR_ACCESS_H
#define ACSWEEP_COORDINATOR_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/keys.h"

#define ACCESS_DOMAIN "workers"

struct coord;
struct db;

enum access_role { ACCESS_NONE, ACCESS_WORKER, ACCESS_CONTROL };

struct access_key {
    char key[KEY_TEXT_SIZE];
    enum access_role role;
};
struct access_list {
    struct access_key *keys; /* sorted by key */
    size_t n;
};
struct access {
    struct access_list list;
    int64_t next_poll;
    bool polling;
};

/* As leader begins: before anyone can connect, on the caller's connection. */
MUST_USE int access_load(struct coord *c, struct db *d, struct err *e);
/* Every tick: asks the database thread for the table when it is time. */
MUST_USE int access_tick(struct coord *c, int64_t now, struct err *e);
void access_free(struct access *a);
/* May the owner of this key, as the handshake proved it, act as `role`? */
bool access_may(const struct coord *c, const char *user, enum access_role role);
/* The one line that says what to do about a refusal. */
const char *access_remedy(enum access_role role);

#endif
