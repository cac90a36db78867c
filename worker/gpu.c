#include "worker/gpu.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/mono.h"

#define ANSWER_LIMIT ((size_t)1 << 20)

extern char **environ;

static int copy_text(json_t *o, const char *key, char *out, size_t room, struct err *e)
{
    const char *s = json_string_value(json_object_get(o, key));
    if (!s)
        return FAIL(e, ERR_PEER, "acsweep-exec --probe: no text '%s'", key);
    snprintf(out, room, "%s", s);
    return 0;
}

static int copy_number(json_t *o, const char *key, uint64_t *out, struct err *e)
{
    json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return FAIL(e, ERR_PEER, "acsweep-exec --probe: no whole number '%s'", key);
    *out = (uint64_t)json_integer_value(v);
    return 0;
}

static int copy_gpu(json_t *o, struct gpu *g, struct err *e)
{
    uint64_t capability;
    TRY(copy_text(o, "uuid", g->uuid, sizeof g->uuid, e));
    TRY(copy_text(o, "name", g->name, sizeof g->name, e));
    TRY(copy_text(o, "state", g->state, sizeof g->state, e));
    TRY(copy_number(o, "memory_bytes", &g->memory_bytes, e));
    TRY(copy_number(o, "free_bytes", &g->free_bytes, e));
    TRY(copy_number(o, "compute_capability", &capability, e));
    g->compute_capability = capability < 1000 ? (uint32_t)capability : 0;
    return 0;
}

static int copy_executors(json_t *list, struct gpu_list *out, struct err *e)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || i == GPU_MAX_EXECUTORS || strlen(name) >= sizeof out->executors[0])
            return FAIL(e, ERR_PEER, "acsweep-exec --probe: 'executors' must be at most %d short names", GPU_MAX_EXECUTORS);
        snprintf(out->executors[out->n_executors++], sizeof out->executors[0], "%s", name);
    }
    return 0;
}

int gpu_parse(const char *text, struct gpu_list *out, struct err *e)
{
    json_error_t why;
    AUTO(json_decref) json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    json_t *list = json_object_get(root, "devices");
    *out = (struct gpu_list){ 0 };
    if (!json_is_array(list))
        return FAIL(e, ERR_PEER, "acsweep-exec --probe said '%.80s', which is no list of devices", text);
    if (json_array_size(list) > GPU_MAX)
        return FAIL(e, ERR_PEER, "acsweep-exec --probe lists %zu devices; at most %d are allowed", json_array_size(list),
                    GPU_MAX);
    for (; out->n < json_array_size(list); out->n++)
        TRY(copy_gpu(json_array_get(list, out->n), &out->gpus[out->n], e));
    TRY(copy_executors(json_object_get(root, "executors"), out, e));
    return copy_text(root, "note", out->note, sizeof out->note, e);
}

static int spawn_probe(const char *path, int out_fd, pid_t *pid, struct err *e)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    int failed = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    failed = failed ? failed : posix_spawn_file_actions_adddup2(&files, out_fd, 1);
    failed = failed ? failed : posix_spawnattr_setsigmask(&attr, &none);
    failed = failed ? failed : posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    char *argv[] = { (char *)path, (char *)"--probe", NULL };
    failed = failed ? failed : posix_spawn(pid, path, &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return failed ? FAIL(e, ERR_ENV, "cannot start %s: %s", path, strerror(failed)) : 0;
}

static int read_answer(int fd, int64_t until, struct buf *out, struct err *e)
{
    char chunk[4096];
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int n = poll(&p, 1, mono_ms_until(until));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            return FAIL(e, ERR_ENV, "acsweep-exec --probe does not answer; is a GPU or its driver stuck?");
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return FAIL(e, ERR_ENV, "acsweep-exec --probe: %s", strerror(errno));
        if (got == 0)
            return buf_check(out, "answer of acsweep-exec --probe", e);
        buf_add(out, chunk, (size_t)got);
        TRY(buf_check(out, "answer of acsweep-exec --probe", e));
    }
}

int gpu_probe(const char *exec_path, int64_t timeout_ns, struct gpu_list *out, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(ANSWER_LIMIT);
    int ends[2];
    pid_t pid = 0;
    *out = (struct gpu_list){ 0 };
    if (pipe2(ends, O_CLOEXEC) < 0)
        return FAIL(e, ERR_ENV, "pipe: %s", strerror(errno));
    AUTO(close) int mine = ends[0];
    int spawned = spawn_probe(exec_path, ends[1], &pid, e);
    close(ends[1]);
    TRY(spawned);
    int got = read_answer(mine, mono_now() + timeout_ns, &text, e), status = 0;
    if (got < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    TRY(got);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return FAIL(e, ERR_ENV, "%s --probe failed (%s %d)", exec_path, WIFSIGNALED(status) ? "signal" : "exit code",
                    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return gpu_parse(buf_text(&text), out, e);
}

uint32_t node_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

static uint64_t meminfo(const char *key)
{
    AUTO(fclose) FILE *f = fopen("/proc/meminfo", "re");
    char line[256], name[64];
    unsigned long long kib;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%63[^:]: %llu", name, &kib) == 2 && strcmp(name, key) == 0)
            return kib * 1024;
    return 0;
}

uint64_t node_memory(void)
{
    return meminfo("MemTotal");
}

uint64_t node_free_memory(void)
{
    return meminfo("MemAvailable");
}
