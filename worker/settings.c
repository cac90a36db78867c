#include "worker/settings.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/mono.h"

const struct opt settings_options[] = {
    { .name = "config", .letter = 'c', .type = OPT_FILE, .value = "FILE", .env = "ACSWEEP_WORKER_CONFIG",
      .help = "settings file; --print-config prints one with every setting" },
    { .name = "coordinator", .type = OPT_TEXT, .value = "JOIN", .required = true, .env = "ACSWEEP_COORDINATOR",
      .help = "acsweep://HOST:PORT[,HOST:PORT...][?key=SERVERKEY]" },
    { .name = "slots", .letter = 'n', .type = OPT_INT, .value = "N", .fallback = "0", .lo = 0, .hi = 4096,
      .help = "tasks at a time, on a node with GPUs at most one for each (set); 0 = just so many, or one without GPUs" },
    { .name = "credits", .type = OPT_INT, .value = "N", .fallback = "2", .lo = 1, .hi = 4096,
      .help = "tasks taken in advance, per slot; at most 65536 in all" },
    { .name = "state", .type = OPT_DIR, .value = "DIR", .fallback = ".acsweep-worker", .env = "ACSWEEP_WORKER_STATE",
      .help = "spool of unacknowledged results, history, scratch; local disk, one for each worker" },
    { .name = "scratch", .type = OPT_DIR, .value = "DIR", .help = "work space of tasks on this node (STATE/scratch)" },
    { .name = "store", .type = OPT_DIR, .value = "DIR",
      .help = "where the artifact store is on this node, when it is not where the coordinator says" },
    { .name = "path", .type = OPT_TEXT, .many = true, .value = "NAME=PATH",
      .help = "where data or a checkpoint of sweep.cfg's name NAME is on this node; again for each" },
    { .name = "key", .type = OPT_FILE, .value = "FILE", .env = "ACSWEEP_WORKER_KEY",
      .help = "this worker's secret key (acsweep keygen); needed beyond loopback" },
    { .name = "exec", .type = OPT_FILE, .value = "PATH", .help = "acsweep-exec (the one beside this program)" },
    { .name = "name", .type = OPT_TEXT, .value = "NAME", .help = "name of the node for people (host name, or Slurm's)" },
    { .name = "labels", .type = OPT_TEXT, .value = "JSON", .fallback = "{}", .help = "object of labels for placement" },
    { .name = "devices-per-slot", .type = OPT_INT, .value = "N", .fallback = "1", .lo = 1, .hi = 64,
      .help = "GPUs that one task may hold" },
    { .name = "gpu-check", .type = OPT_DURATION, .value = "TIME", .fallback = "5m",
      .help = "look at GPUs without an acsweep-exec, and for missing ones, so often; 0 = only after trouble" },
    { .name = "gpu-return", .type = OPT_DURATION, .value = "TIME", .fallback = "60s",
      .help = "a GPU is taken out when its memory is not back so long after its acsweep-exec ended" },
    { .name = "gpu-leak", .type = OPT_SIZE, .value = "SIZE", .fallback = "512MiB",
      .help = "memory that need not come back" },
    { .name = "gpu-retry", .type = OPT_DURATION, .value = "TIME", .fallback = "30s",
      .help = "first look at a GPU that was taken out; then ever more seldom, up to 20 times this" },
    { .name = "disconnect-grace", .type = OPT_DURATION, .value = "TIME", .fallback = "0",
      .help = "how long tasks go on without a coordinator; 0 = as the coordinator says" },
    { .name = "drain-grace", .type = OPT_DURATION, .value = "TIME", .fallback = "30s",
      .help = "time for a checkpoint after SIGTERM" },
    { .name = "resend", .type = OPT_DURATION, .value = "TIME", .fallback = "15s",
      .help = "send a result again that was not acknowledged for so long" },
    { .name = "keep-idle", .type = OPT_DURATION, .value = "TIME", .fallback = "15m",
      .help = "an acsweep-exec with nothing to do keeps its GPUs and models for so long; 0 = for ever" },
    { .name = "leak-limit", .type = OPT_SIZE, .value = "SIZE", .fallback = "8GiB",
      .help = "replace an idle acsweep-exec that grew by more; 0 = never" },
    { .name = "no-history", .type = OPT_FLAG, .help = "do not write STATE/history.jsonl" },
    { .name = "log-level", .type = OPT_CHOICE, .choices = "error|warn|info|debug", .fallback = "info", .value = "LEVEL",
      .env = "ACSWEEP_LOG_LEVEL", .help = "what goes to stderr" },
    { .name = "log-json", .type = OPT_FLAG, .help = "log lines as JSON" },
    { 0 },
};

static int text(const char *from, char **to, struct err *e)
{
    *to = strdup(from ? from : "");
    return *to ? 0 : FAIL_NOMEM(e);
}

static int default_exec(char **out, struct err *e)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return FAIL(e, ERR_ENV, "/proc/self/exe: %s", strerror(errno));
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    return asprintf(out, "%s/acsweep-exec", self) < 0 ? FAIL_NOMEM(e) : 0;
}

/* Tasks run in other directories, so their paths must hold from anywhere. */
static int absolute(char **path, struct err *e)
{
    char cwd[PATH_MAX], *whole = NULL;
    if ((*path)[0] == '/')
        return 0;
    if (!getcwd(cwd, sizeof cwd))
        return FAIL(e, ERR_ENV, "getcwd: %s", strerror(errno));
    if (asprintf(&whole, "%s/%s", cwd, *path) < 0)
        return FAIL_NOMEM(e);
    free(*path);
    *path = whole;
    return 0;
}

static int read_paths(const struct opts *o, struct settings *s, struct err *e)
{
    TRY(text(opts_text(o, "state"), &s->state_dir, e));
    TRY(absolute(&s->state_dir, e));
    if (opts_text(o, "scratch"))
        TRY(text(opts_text(o, "scratch"), &s->scratch, e));
    else if (asprintf(&s->scratch, "%s/scratch", s->state_dir) < 0)
        return FAIL_NOMEM(e);
    TRY(absolute(&s->scratch, e));
    if (!opts_text(o, "exec"))
        TRY(default_exec(&s->exec_path, e));
    else
        TRY(text(opts_text(o, "exec"), &s->exec_path, e));
    TRY(absolute(&s->exec_path, e));
    if (access(s->exec_path, X_OK) < 0)
        return FAIL(e, ERR_ENV, "%s: %s; --exec names the program", s->exec_path, strerror(errno));
    return 0;
}

/* A path that is not there yet may be mounted later, so that is only a warning. */
static int read_named_paths(const struct opts *o, struct settings *s, struct err *e)
{
    const char *const *texts;
    size_t n = opts_list(o, "path", &texts);
    for (size_t i = 0; i < n; i++) {
        TRY(paths_add(&s->paths, texts[i], e));
        const struct named_path *p = &s->paths.list[s->paths.n - 1];
        if (access(p->path, F_OK) < 0)
            log_warn("path", KV_STR("name", p->name), KV_STR("path", p->path), KV_STR("error", strerror(errno)));
    }
    if (!opts_text(o, "store"))
        return 0;
    TRY(text(opts_text(o, "store"), &s->store, e));
    return absolute(&s->store, e);
}

static int read_labels(const struct opts *o, struct settings *s, struct err *e)
{
    json_error_t why;
    TRY(text(opts_text(o, "labels"), &s->labels, e));
    AUTO(json_decref) json_t *labels = json_loads(s->labels, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(labels))
        return FAIL(e, ERR_USAGE, "--labels must be a JSON object, e.g. '{\"rack\":\"a3\"}'");
    return 0;
}

static int read_keys(const struct opts *o, struct settings *s, struct err *e)
{
    const char *path = opts_text(o, "key");
    TRY(join_parse(opts_text(o, "coordinator"), &s->join, e));
    if (path && path[0]) {
        TRY(key_read_secret(path, &s->keys, e));
        s->has_keys = true;
    }
    if (s->has_keys && !s->join.server_key[0])
        return FAIL(e, ERR_USAGE, "a key needs the coordinator's too: acsweep://HOST:PORT?key=SERVERKEY");
    if (!s->has_keys && s->join.server_key[0])
        return FAIL(e, ERR_USAGE, "this coordinator wants a key: make one with 'acsweep keygen' and name it with --key");
    return 0;
}

int settings_read(const struct opts *o, struct settings *s, struct err *e)
{
    TRY(read_keys(o, s, e));
    TRY(read_paths(o, s, e));
    TRY(read_labels(o, s, e));
    TRY(text(opts_text(o, "name"), &s->name, e));
    s->slots = (uint32_t)opts_int(o, "slots");
    s->credits = (uint32_t)opts_int(o, "credits");
    s->devices_per_slot = (uint32_t)opts_int(o, "devices-per-slot");
    s->disconnect_grace_ns = opts_int(o, "disconnect-grace");
    s->drain_grace_ns = opts_int(o, "drain-grace");
    s->resend_ns = opts_int(o, "resend");
    if (s->resend_ns < NS_PER_MS)
        return FAIL(e, ERR_USAGE, "--resend must be at least 1ms");
    s->leak_limit_bytes = (uint64_t)opts_int(o, "leak-limit");
    s->gpu_leak_bytes = (uint64_t)opts_int(o, "gpu-leak");
    s->gpu_check_ns = opts_int(o, "gpu-check");
    s->gpu_return_ns = opts_int(o, "gpu-return");
    s->gpu_retry_ns = opts_int(o, "gpu-retry");
    s->keep_idle_ns = opts_int(o, "keep-idle");
    if (s->gpu_retry_ns < NS_PER_MS || (s->gpu_check_ns && s->gpu_check_ns < NS_PER_MS))
        return FAIL(e, ERR_USAGE, "--gpu-retry and --gpu-check must be at least 1ms");
    s->history = !opts_flag(o, "no-history");
    s->log_json = opts_flag(o, "log-json");
    s->log_level = (enum log_level)log_level_of(opts_text(o, "log-level"));
    log_setup("acsweep-worker", s->log_level, s->log_json ? LOG_JSON : LOG_LOGFMT);
    return read_named_paths(o, s, e);
}

void settings_free(struct settings *s)
{
    key_pair_wipe(&s->keys);
    free(s->state_dir);
    free(s->scratch);
    free(s->exec_path);
    free(s->name);
    free(s->labels);
    free(s->store);
    paths_free(&s->paths);
}
