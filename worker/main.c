/* acsweep-worker: the agent of a node. Reads its settings, finds out what the node has, joins the coordinator, and runs the
 * loop until it is asked to leave. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <zmq.h>

#include "common/chan.h"
#include "common/log.h"
#include "common/mono.h"
#include "common/opts.h"
#include "common/parse.h"
#include "worker/agent.h"
#include "worker/orphans.h"
#include "worker/probe.h"
#include "worker/settings.h"

#define PROBE_WAIT (60 * NS_PER_S)
#define FILES_WANTED 65536 /* an exec takes two: a thousand of them more than the usual 1,024 */

struct names {
    char boot_id[40], worker_id[80], node[256];
};

static int read_boot_id(char *out, size_t room, struct err *e)
{
    AUTO(fclose) FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!f || !fgets(out, (int)room, f))
        return FAIL(e, ERR_ENV, "cannot read /proc/sys/kernel/random/boot_id");
    out[strcspn(out, "\n")] = '\0';
    return 0;
}

/* boot id + random: never the host name, which comes back after a reboot and is shared by containers. */
static int make_names(const struct settings *s, struct names *n, struct err *e)
{
    unsigned char random[8];
    char hex[2 * sizeof random + 1], host[128] = "unknown";
    TRY(read_boot_id(n->boot_id, sizeof n->boot_id, e));
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return FAIL(e, ERR_ENV, "getrandom: %s", strerror(errno));
    hex_encode(random, sizeof random, hex);
    snprintf(n->worker_id, sizeof n->worker_id, "%.36s-%s", n->boot_id, hex);
    const char *slurm = getenv("SLURMD_NODENAME"), *job = getenv("SLURM_JOB_ID");
    if (gethostname(host, sizeof host - 1) < 0)
        log_warn("hostname", KV_STR("error", strerror(errno)));
    if (s->name[0])
        snprintf(n->node, sizeof n->node, "%s", s->name);
    else if (slurm && slurm[0])
        snprintf(n->node, sizeof n->node, "%.120s%s%.64s", slurm, job ? "-" : "", job ? job : "");
    else
        snprintf(n->node, sizeof n->node, "%s", host);
    return 0;
}

static int make_dir(const char *path, struct err *e)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return FAIL(e, ERR_INPUT, "the path is too long: %.80s...", path);
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(part, 0777) < 0 && errno != EEXIST)
            return FAIL(e, ERR_ENV, "%s: %s", part, strerror(errno));
        *p = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST)
        return FAIL(e, ERR_ENV, "%s: %s", part, strerror(errno));
    return 0;
}

/* Two agents on one state directory would send each other's results. The lock goes with the process. */
static int lock_state(const char *dir, int *fd, struct err *e)
{
    AUTO(free) char *path = NULL;
    if (asprintf(&path, "%s/lock", dir) < 0)
        return FAIL_NOMEM(e);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    if (flock(*fd, LOCK_EX | LOCK_NB) < 0)
        return FAIL(e, ERR_ENV, "%s is in use by another acsweep-worker; give each its own --state", dir);
    return 0;
}

static void probe_node(const char *exec_path, struct gpu_list *gpus)
{
    struct err e = { 0 };
    if (probe_now(exec_path, PROBE_WAIT, gpus, &e) < 0) {
        log_error("probe", KV_ERR(&e), KV_STR("action", "joining with executor noop only; asking again later"));
        *gpus = (struct gpu_list){ 0 };
    }
    for (size_t i = 0; i < gpus->n; i++)
        log_info("gpu", KV_STR("uuid", gpus->gpus[i].uuid), KV_STR("name", gpus->gpus[i].name),
                 KV_I64("free_bytes", gpus->gpus[i].free_bytes), KV_STR("state", gpus->gpus[i].state));
    if (gpus->n == 0)
        log_info("gpu.none", KV_STR("why", gpus->note));
}

static int on_signal(struct loop *l, int signo, void *arg, struct err *e)
{
    (void)l;
    return agent_terminate(arg, signo == SIGINT ? "interrupted" : "sigterm", e);
}

static int serve(struct loop *l, void *zmq, const struct settings *s, const struct names *n, struct err *e)
{
    struct gpu_list gpus;
    probe_node(s->exec_path, &gpus);
    const struct agent_options o = {
        .loop = l,
        .zmq = zmq,
        .join = &s->join,
        .keys = s->has_keys ? &s->keys : NULL,
        .worker_id = n->worker_id,
        .node = n->node,
        .boot_id = n->boot_id,
        .exec_path = s->exec_path,
        .state_dir = s->state_dir,
        .scratch = s->scratch,
        .store = s->store,
        .paths = &s->paths,
        .labels = s->labels,
        .slots = s->slots,
        .credits = s->credits,
        .devices_per_slot = s->devices_per_slot,
        .gpus = &gpus,
        .gpu_leak_bytes = s->gpu_leak_bytes,
        .gpu_check_ns = s->gpu_check_ns,
        .gpu_return_ns = s->gpu_return_ns,
        .gpu_retry_ns = s->gpu_retry_ns,
        .keep_idle_ns = s->keep_idle_ns,
        .disconnect_grace_ns = s->disconnect_grace_ns,
        .drain_grace_ns = s->drain_grace_ns,
        .resend_ns = s->resend_ns,
        .leak_limit_bytes = s->leak_limit_bytes,
        .history = s->history,
    };
    AUTO(agent_destroy) struct agent *a = agent_create(&o, e);
    if (!a)
        return -1;
    TRY(loop_add_signal(l, SIGTERM, on_signal, a, e));
    TRY(loop_add_signal(l, SIGINT, on_signal, a, e));
    return loop_run(l, e);
}

static void zmq_context_cleanup(void **zmq)
{
    if (*zmq)
        zmq_ctx_term(*zmq);
}

/* Before any thread exists: they inherit the mask, so that the signals wait for the loop. */
static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int run_worker(const struct opts *opts, struct err *e)
{
    AUTO(settings_free) struct settings s = { 0 };
    AUTO(close) int lock = -1;
    struct names names;
    TRY(settings_read(opts, &s, e));
    TRY(make_names(&s, &names, e));
    TRY(make_dir(s.state_dir, e));
    TRY(make_dir(s.scratch, e));
    TRY(lock_state(s.state_dir, &lock, e));
    TRY(orphans_mark(lock, e));
    size_t orphans = orphans_kill();
    if (orphans)
        log_warn("orphans", KV_I64("killed", orphans), KV_STR("left_by", "an agent of this state directory that was killed"));
    block_signals();
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* what a dead exec leaves behind becomes ours to end */
    chan_raise_file_limit(FILES_WANTED);
    AUTO(zmq_context) void *zmq = zmq_ctx_new();
    AUTO(loop_destroy) struct loop *l = loop_create(e);
    if (!zmq || !l)
        return FAIL(e, ERR_ENV, "cannot start ZeroMQ");
    log_info("start", KV_STR("worker", names.worker_id), KV_STR("node", names.node), KV_STR("state", s.state_dir));
    return serve(l, zmq, &s, &names, e);
}

static const struct cmd worker_cmd = {
    .name = "acsweep-worker",
    .summary = "run the tasks of a coordinator on this node",
    .details = "Joins with nothing but a join string, e.g. acsweep://head:5555?key=..., and leaves cleanly on SIGTERM: running\n"
               "tasks are asked for a checkpoint and given back. A second SIGTERM kills them.",
    .options = { settings_options },
    .run = run_worker,
};

int main(int argc, char **argv)
{
    return opts_main(&worker_cmd, argc, argv);
}
