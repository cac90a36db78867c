/* acsweep-exec: the child that computes. Started by acsweep-worker, one for each place to run a task (slot), with a
 * stream socket on fd 3; not meant to be started by hand, except for --probe. `acsweep extract` and others become this program
 * too, with the words of the command (worker/tool).
 *
 *     agent -> exec   ExecHello, then Assign (one task, or a bundle, at a time), Cancel
 *     exec -> agent   Started, Progress..., Results (one result each); after the last the next Assign may come
 *
 * It ends when the socket does. Everything that can go wrong inside a task, its own death included, stays in here: the
 * agent classifies what it sees and starts a new one. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/log.h"
#include "common/own.h"
#include "worker/exec/native.h"
#include "worker/exec/probe.h"
#include "worker/exec/run.h"
#include "worker/tool/tool_options.h"

#define AGENT_FD 3

static int serve(struct place *p, struct err *e)
{
    for (;;) {
        AUTO(envelope_free) envelope *m = NULL;
        int got = control_next(p->control, &m, e);
        if (got <= 0)
            return got;
        TRY(run_assign(p, m->assign, e));
    }
}

static int take_paths(struct place *p, const Acsweep__ExecHello *h, struct err *e)
{
    p->paths.list = calloc(h->n_paths + 1, sizeof *p->paths.list);
    if (!p->paths.list)
        return FAIL_NOMEM(e);
    for (; p->paths.n < h->n_paths; p->paths.n++)
        p->paths.list[p->paths.n] = (struct named_path){ h->paths[p->paths.n]->name, h->paths[p->paths.n]->path };
    return 0;
}

/* The agent's first message, before the reader thread starts. */
static int read_hello(struct place *p, envelope **hello, struct err *e)
{
    int got = wire_read_fd(AGENT_FD, hello, e);
    TRY(got);
    if (got == 0 || (*hello)->body_case != ACSWEEP__ENVELOPE__BODY_EXEC_HELLO)
        return FAIL(e, ERR_PEER, "the agent did not say hello");
    const Acsweep__ExecHello *h = (*hello)->exec_hello;
    if (h->n_devices > ARRAY_LEN(p->devices))
        return FAIL(e, ERR_PEER, "%zu devices for one slot", h->n_devices);
    p->slot = h->slot;
    p->worker_id = h->worker_id;
    for (; p->n_devices < h->n_devices; p->n_devices++)
        p->devices[p->n_devices] = h->devices[p->n_devices];
    return take_paths(p, h, e);
}

static const char *env_or_empty(const char *name)
{
    const char *v = getenv(name);
    return v ? v : "";
}

static void place_end_cleanup(struct place *p)
{
    energy_close(p->energy);
    free(p->paths.list);
}

static int run_for_agent(struct err *e)
{
    AUTO(envelope_free) envelope *hello = NULL;
    AUTO(place_end)
    struct place p = { .scratch = env_or_empty("ACSWEEP_SCRATCH"), .store = env_or_empty("ACSWEEP_STORE") };
    TRY(read_hello(&p, &hello, e));
    AUTO(control_destroy) struct control *control = control_start(AGENT_FD, e);
    if (!control)
        return -1;
    p.control = control;
    p.energy = energy_open(p.devices, p.n_devices);
    return serve(&p, e);
}

static int run_tool(int argc, char **argv)
{
    struct err e = { 0 };
    const struct native_module *m = native_load(&e);
    if (m)
        return m->tool_main(argc, argv);
    fprintf(stderr, "acsweep: %s\n", e.text);
    return err_exit_code(e.kind);
}

#ifdef __SANITIZE_ADDRESS__
/* LeakSanitizer crashes on OpenMP's threads when libtorch was loaded late. With one thread the same code is looked at. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    size_t threads = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *de; d && (de = readdir(d));)
        threads += de->d_name[0] != '.';
    if (d)
        closedir(d);
    return threads > 1;
}
#endif

int main(int argc, char **argv)
{
    struct err e = { 0 };
    bool probe = argc == 2 && strcmp(argv[1], "--probe") == 0;
    if (argc > 1 && tool_is(argv[1]))
        return run_tool(argc, argv);
    const char *level = getenv("ACSWEEP_LOG_LEVEL");
    int known = level ? log_level_of(level) : -1;
    log_setup("acsweep-exec", known >= 0 ? (enum log_level)known : LOG_INFO, LOG_LOGFMT);
    if (probe)
        return probe_print(stdout, &e) < 0 ? (log_error("probe", KV_ERR(&e)), err_exit_code(e.kind)) : 0;
    if (argc != 1 || fcntl(AGENT_FD, F_SETFD, FD_CLOEXEC) < 0) {
        fprintf(stderr, "acsweep-exec is started by acsweep-worker; the only use by hand is acsweep-exec --probe\n");
        return err_exit_code(ERR_USAGE);
    }
    signal(SIGPIPE, SIG_IGN);
    /* scancel, systemd and a shutdown send SIGTERM to every process of ours at once. What is to be done about it is the
     * agent's to say, and programs must not lose their time for a checkpoint because their exec died first. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    /* The agent stops us before it kills us with all that we started. If it dies in between, go on, and see that it
     * did. */
    prctl(PR_SET_PDEATHSIG, SIGCONT);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int rc = run_for_agent(&e);
    /* From here on a SIGCONT could only do harm: LeakSanitizer stops us at the end, and a SIGCONT that comes just then
     * takes the stop away, after which both wait for each other for ever. */
    prctl(PR_SET_PDEATHSIG, 0);
    if (rc == 0)
        return 0;
    log_error("exec.end", KV_ERR(&e));
    return err_exit_code(e.kind);
}
