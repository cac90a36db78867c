/* Descendants are found by one scan of /proc per pass: parents first, then whoever has a known parent, until nothing new
 * turns up. A scan takes about a millisecond on a busy node and only runs when something must die. */
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
    bool zombie, mine;
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
}

static bool is_ours(const struct procs *ps, pid_t parent, pid_t root)
{
    if (parent == root)
        return true;
    for (size_t i = 0; i < ps->n; i++)
        if (ps->list[i].pid == parent)
            return ps->list[i].mine;
    return false;
}

static void mark_descendants(struct procs *ps, pid_t root)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < ps->n; i++) {
            struct proc *p = &ps->list[i];
            if (!p->mine && p->pid != root && is_ours(ps, p->parent, root))
                p->mine = again = true;
        }
    }
}

size_t proctree_signal(pid_t root, int sig)
{
    struct procs ps = { 0 };
    procs_read(&ps);
    mark_descendants(&ps, root);
    size_t hit = 0;
    for (size_t i = 0; i < ps.n; i++)
        if (ps.list[i].mine && !ps.list[i].zombie && kill(ps.list[i].pid, sig) == 0)
            hit++;
    free(ps.list);
    return hit;
}

bool proctree_kill_all(pid_t root, int passes)
{
    for (int i = 0; i < passes; i++) {
        if (proctree_signal(root, SIGKILL) == 0)
            return true;
        mono_sleep(5 * NS_PER_MS);
    }
    return proctree_signal(root, 0) == 0;
}

size_t proctree_children(pid_t parent, pid_t *out, size_t room)
{
    struct procs ps = { 0 };
    procs_read(&ps);
    size_t n = 0;
    for (size_t i = 0; i < ps.n && n < room; i++)
        if (ps.list[i].parent == parent)
            out[n++] = ps.list[i].pid;
    free(ps.list);
    return n;
}

void proctree_kill_with_root(pid_t root)
{
    kill(root, SIGSTOP);
    proctree_kill_all(root, 20);
    kill(root, SIGKILL);
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
