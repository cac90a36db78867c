/* The worker's settings: command line over environment over worker.cfg over defaults. */
#ifndef ACSWEEP_WORKER_SETTINGS_H
#define ACSWEEP_WORKER_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/join.h"
#include "common/keys.h"
#include "common/log.h"
#include "common/opts.h"
#include "common/own.h"
#include "worker/paths.h"

struct settings {
    struct join join;
    struct key_pair keys;
    bool has_keys, history, log_json;
    enum log_level log_level;
    char *state_dir, *scratch, *exec_path, *name, *labels;
    char *store; /* NULL = where the coordinator says */
    struct paths paths;
    uint32_t slots, credits, devices_per_slot;
    int64_t disconnect_grace_ns, drain_grace_ns, resend_ns;
    int64_t gpu_check_ns, gpu_return_ns, gpu_retry_ns, keep_idle_ns;
    uint64_t leak_limit_bytes, gpu_leak_bytes;
};

extern const struct opt settings_options[];

MUST_USE int settings_read(const struct opts *o, struct settings *s, struct err *e);
void settings_free(struct settings *s);
static inline UNUSED void settings_free_cleanup(struct settings *s)
{
    settings_free(s);
}

#endif
