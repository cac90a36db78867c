/* One scan of /proc per pass, sorted by process id, so that a parent is found by halving: a node with ten thousand
 * processes and a thousand execs to end takes milliseconds. It only runs when something must die. */
#include "worker/proctree.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mono.h"
#include "common/own.h"

struct proc {
    pid_t pid, parent;
    bool zombie, root, mine; /* mine: below a root */
};

struct procs {
    struct proc *list;
    size_t n, cap;
};

#define MAX_PROCS ((size_t)1 << 20)

/* /proc/PID/stat is "pid (name) S ppid ..."; the name may itself hold blanks and brackets, so look from the last one. */
static bool read_stat(pid_t pid, struct proc *out)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    AUTO(fclose) FILE *f = fopen(path, "re");
    if (!f || !fgets(line, sizeof line, f))
        return false;
    const char *end = strrchr(line, ')');
    char state;
    int parent;
    if (!end || sscanf(end + 1, " %c %d", &state, &parent) != 2)
        return false;
    *out = (struct proc){ .pid = pid, .parent = parent, .zombie = state == 'Z' || state == 'X' };
    return true;
}

static bool procs_add(struct procs *ps, const struct proc *p)
{
    if (ps->n == ps->cap) {
        size_t cap = ps->cap ? ps->cap * 2 : 256;
        struct proc *list = cap > MAX_PROCS ? NULL : realloc(ps->list, cap * sizeof *list);
        if (!list)
            return false;
        ps->list = list;
        ps->cap = cap;
    }
    ps->list[ps->n++] = *p;
    return true;
}

static int by_pid(const void *a, const void *b)
{
    pid_t x = ((const struct proc *)a)->pid, y = ((const struct proc *)b)->pid;
    return x < y ? -1 : x > y;
}

static void procs_read(struct procs *ps)
{
    DIR *d = opendir("/proc");
    if (!d)
        return;
    for (struct dirent *de; (de = readdir(d));) {
        struct proc p;
        if (!isdigit((unsigned char)de->d_name[0]))
            continue;
        if (read_stat((pid_t)strtol(de->d_name, NULL, 10), &p) && !procs_add(ps, &p))
            break;
    }
    closedir(d);
    if (ps->n)
        qsort(ps->list, ps->n, sizeof *ps->list, by_pid);
}

static struct proc *procs_find(const struct procs *ps, pid_t pid)
{
    const struct proc key = { .pid = pid };
    return ps->n ? bsearch(&key, ps->list, ps->n, sizeof key, by_pid) : NULL;
}

/* A root may itself be below another one, and counts as a descendant then. */
static void mark_descendants(struct procs *ps, const pid_t *roots, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct proc *p = procs_find(ps, roots[i]);
        if (p)
            p->root = true;
    }
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < ps->n; i++) {
            struct proc *p = &ps->list[i], *parent = p->mine ? NULL : procs_find(ps, p->parent);
            if (parent && (parent->root || parent->mine))
                p->mine = again = true;
        }
    }
}

static size_t signal_below(const pid_t *roots, size_t n, int sig)
{
    struct procs ps = { 0 };
    procs_read(&ps);
    mark_descendants(&ps, roots, n);
    size_t hit = 0;
    for (size_t i = 0; i < ps.n; i++)
        if (ps.list[i].mine && !ps.list[i].root && !ps.list[i].zombie && kill(ps.list[i].pid, sig) == 0)
            hit++;
    free(ps.list);
    return hit;
}

static bool kill_below(const pid_t *roots, size_t n, int passes)
{
    for (int i = 0; i < passes; i++) {
        if (signal_below(roots, n, SIGKILL) == 0)
            return true;
        mono_sleep(5 * NS_PER_MS);
    }
    return signal_below(roots, n, 0) == 0;
}

size_t proctree_signal(pid_t root, int sig)
{
    return signal_below(&root, 1, sig);
}

bool proctree_kill_all(pid_t root, int passes)
{
    return kill_below(&root, 1, passes);
}

size_t proctree_children(pid_t parent, pid_t **out)
{
    struct procs ps = { 0 };
    procs_read(&ps);
    size_t n = 0;
    *out = calloc(ps.n + 1, sizeof **out);
    for (size_t i = 0; *out && i < ps.n; i++)
        if (ps.list[i].parent == parent)
            (*out)[n++] = ps.list[i].pid;
    free(ps.list);
    return n;
}

void proctree_kill_with_roots(const pid_t *roots, size_t n)
{
    for (size_t i = 0; i < n; i++)
        kill(roots[i], SIGSTOP);
    kill_below(roots, n, 20);
    for (size_t i = 0; i < n; i++)
        kill(roots[i], SIGKILL);
}

void proctree_kill_with_root(pid_t root)
{
    proctree_kill_with_roots(&root, 1);
}

static uint64_t counter_in(const char *path, const char *key)
{
    AUTO(fclose) FILE *f = fopen(path, "re");
    char line[256], name[128];
    unsigned long long value;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%127s %llu", name, &value) == 2 && strcmp(name, key) == 0)
            return value;
    return 0;
}

uint64_t proctree_oom_kills(void)
{
    return counter_in("/proc/vmstat", "oom_kill") + counter_in("/sys/fs/cgroup/memory.events", "oom_kill") +
           counter_in("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill");
}

uint64_t proctree_rss(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    AUTO(fclose) FILE *f = fopen(path, "re");
    unsigned long long size, resident;
    if (!f || fscanf(f, "%llu %llu", &size, &resident) != 2)
        return 0;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
