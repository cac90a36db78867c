/* One acsweep-exec process and the pipe to it: spawn, send, receive, kill. Knows nothing about tasks. */
#ifndef ACSWEEP_WORKER_SLOT_EXEC_H
#define ACSWEEP_WORKER_SLOT_EXEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/loop.h"
#include "common/wire.h"
#include "worker/paths.h"

struct slot_exec;

struct slot_exec_handlers {
    int (*on_message)(const envelope *m, void *arg, struct err *e);
    /* It has ended (wait status as from waitpid) and everything it had sent before was delivered. The object is still
     * valid and has to be destroyed by the receiver. `broken` says what it did wrong with the protocol, or is "". */
    int (*on_end)(int status, const char *broken, void *arg, struct err *e);
    void *arg;
};

struct slot_exec_options {
    struct loop *loop;
    const char *path, *worker_id, *scratch, *store;
    const struct paths *paths; /* NULL = none */
    uint32_t slot;
    char *const *devices;
    size_t n_devices;
    struct slot_exec_handlers on;
};

struct slot_exec *slot_exec_spawn(const struct slot_exec_options *o, struct err *e);
/* Kills it with all its descendants if it still runs, and collects it; one that cannot die is left behind. */
void slot_exec_destroy(struct slot_exec *x);
DEFINE_CLEANUP(slot_exec_destroy, struct slot_exec *)

/* Queued and written as the pipe takes it. */
MUST_USE int slot_exec_send(struct slot_exec *x, envelope *m, struct err *e);
/* Kill the trees now, all together; on_end follows for each. */
MUST_USE int slot_exec_kill_all(struct slot_exec *const *list, size_t n, struct err *e);
pid_t slot_exec_pid(const struct slot_exec *x);

#endif
