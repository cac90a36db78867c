/* acsweep-coordinator: owns the sweeps. Needs a PostgreSQL and an address to listen on; never links libtorch or CUDA.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mono.h"
#include "common/opts.h"
#include "coordinator/coord.h"

static const struct opt options[] = {
    { .name = "config",
      .letter = 'c',
      .type = OPT_FILE,
      .value = "FILE",
      .env = "ACSWEEP_COORDINATOR_CONFIG",
      .help = "settings file; --print-config prints one with every setting" },
    { .name = "database",
      .letter = 'd',
      .type = OPT_TEXT,
      .value = "CONNINFO",
      .env = "ACSWEEP_DATABASE",
      .required = true,
      .help = "PostgreSQL: a libpq connection string or URI; passwords belong into ~/.pgpass" },
    { .name = "listen",
      .letter = 'l',
      .type = OPT_TEXT,
      .value = "ENDPOINT",
      .fallback = "tcp://127.0.0.1:7077",
      .help = "address for workers and the command line; beyond loopback it needs --key" },
    { .name = "advertise", .type = OPT_TEXT, .value = "ENDPOINT", .help = "address that workers are told, if another" },
    { .name = "state", .type = OPT_DIR, .value = "DIR", .help = "write DIR/coordinator.json when ready" },
    { .name = "store", .type = OPT_DIR, .value = "DIR", .help = "artifacts.store: a directory that every worker sees" },
    { .name = "key", .type = OPT_FILE, .value = "FILE", .help = "our CURVE key pair, from acsweep keygen" },
    { .name = "name",
      .type = OPT_TEXT,
      .value = "NAME",
      .help = "of this coordinator, for rows and logs (default: host name)" },
    { .name = "lease",
      .type = OPT_DURATION,
      .value = "TIME",
      .fallback = "30s",
      .help = "how long a silent worker keeps its tasks" },
    { .name = "heartbeat",
      .type = OPT_DURATION,
      .value = "TIME",
      .fallback = "5s",
      .help = "how often workers report" },
    { .name = "disconnect-grace",
      .type = OPT_DURATION,
      .value = "TIME",
      .fallback = "24h",
      .help = "how long a worker goes on without a coordinator" },
    { .name = "drain-grace",
      .type = OPT_DURATION,
      .value = "TIME",
      .fallback = "30s",
      .help = "time between asking a task to stop and killing it" },
    { .name = "strikes",
      .type = OPT_INT,
      .value = "N",
      .fallback = "5",
      .lo = 0,
      .hi = 1000,
      .help = "infrastructure failures in a row before a worker is left alone for ten minutes; 0 = never" },
    { .name = "die-with-parent", .type = OPT_FLAG, .help = "stop when the process that started this one ends" },
    { .name = "log-level",
      .type = OPT_CHOICE,
      .value = "LEVEL",
      .choices = "error|warn|info|debug",
      .fallback = "info",
      .help = "what is logged to stderr" },
    { .name = "log-json", .type = OPT_FLAG, .help = "log JSON lines" },
    { 0 },
};

static int on_signal(struct loop *l, int signo, void *arg, struct err *e)
{
    (void)l;
    (void)e;
    log_info("coordinator.stopping", KV_STR("signal", strsignal(signo)));
    coord_stop(arg);
    return 0;
}

static int lead_until_stopped(struct coord *c, struct err *e)
{
    static const int64_t pause_ns = 500 * NS_PER_MS;
    while (!c->stopping) {
        struct err why = { 0 };
        if (coord_lead(c, &why) == 0)
            return 0;
        if (c->stopping)
            return 0;
        bool away = why.kind == ERR_DB_RETRY || ((why.kind == ERR_DB || why.kind == ERR_ENV || why.kind == ERR_NOMEM) &&
                     c->reached);
        if (!away) {
            *e = why;
            return -1;
        }
        /* The database went away, or refused a batch: begin again from what it holds. */
        log_warn("coordinator.lost_lead", KV_ERR(&why));
        mono_sleep(pause_ns);
    }
    return 0;
}

static int run(const struct opts *o, struct err *e)
{
    char host[100] = "coordinator";
    gethostname(host, sizeof host - 1);
    log_setup("acsweep-coordinator", (enum log_level)log_level_of(opts_text(o, "log-level")),
              opts_flag(o, "log-json") ? LOG_JSON : LOG_LOGFMT);
    struct key_pair keys __attribute__((cleanup(key_pair_wipe_cleanup))) = { 0 };
    const char *key = opts_text(o, "key");
    if (key)
        TRY(key_read_secret(key, &keys, e));
    const struct coord_options co = {
        .conninfo = opts_text(o, "database"),
        .listen = opts_text(o, "listen"),
        .advertise = opts_text(o, "advertise"),
        .state_dir = opts_text(o, "state"),
        .store = opts_text(o, "store"),
        .name = opts_text(o, "name") ? opts_text(o, "name") : host,
        .keys = key ? &keys : NULL,
        .lease_ns = opts_int(o, "lease"),
        .heartbeat_ns = opts_int(o, "heartbeat"),
        .disconnect_grace_ns = opts_int(o, "disconnect-grace"),
        .drain_grace_ns = opts_int(o, "drain-grace"),
        .quarantine_strikes = (int)opts_int(o, "strikes"),
        .quarantine_ns = 600 * NS_PER_S,
    };
    if (co.heartbeat_ns * 2 > co.lease_ns || co.heartbeat_ns < 10 * NS_PER_MS)
        return FAIL(e, ERR_USAGE, "--heartbeat must be 10ms or more and at most half of --lease");
    if (opts_flag(o, "die-with-parent"))
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    AUTO(coord_destroy) struct coord *c = coord_create(&co, e);
    if (!c)
        return -1;
    TRY(loop_add_signal(c->loop, SIGTERM, on_signal, c, e));
    TRY(loop_add_signal(c->loop, SIGINT, on_signal, c, e));
    return lead_until_stopped(c, e);
}

static const struct cmd root = {
    .name = "acsweep-coordinator",
    .summary = "hold the sweeps and give their tasks to workers",
    .details = "Runs until SIGTERM or SIGINT; tasks that run stay with their workers, and a restarted or a standby\n"
               "coordinator takes them over.",
    .options = { options },
    .run = run,
};

int main(int argc, char **argv)
{
    return opts_main(&root, argc, argv);
}
