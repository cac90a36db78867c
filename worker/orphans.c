/* A process is opened (pidfd) before its environment is read and is killed through that handle, so that a process id
 * which was given to somebody else in between is never hit. /proc shows the environment a process was started with,
 * hence this agent, which puts the mark into its own only later, does not find itself. */
#include "worker/orphans.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/mono.h"
#include "common/own.h"
#include "common/parse.h"

#define PASSES 50
#define MARK_BYTES 16

int orphans_mark(int lock_fd, struct err *e)
{
    unsigned char random[MARK_BYTES];
    char mark[2 * MARK_BYTES + 1] = "";
    struct err why = { 0 };
    ssize_t n = pread(lock_fd, mark, sizeof mark - 1, 0);
    if (n < 0)
        return FAIL(e, ERR_ENV, "cannot read the lock file of the state directory: %s", strerror(errno));
    if (n != sizeof mark - 1 || hex_decode(mark, random, sizeof random, &why) < 0) {
        if (getrandom(random, sizeof random, 0) != sizeof random)
            return FAIL(e, ERR_ENV, "getrandom: %s", strerror(errno));
        hex_encode(random, sizeof random, mark);
        if (pwrite(lock_fd, mark, sizeof mark - 1, 0) != sizeof mark - 1)
            return FAIL(e, ERR_ENV, "cannot write the lock file of the state directory: %s", strerror(errno));
    }
    return setenv(ORPHANS_VARIABLE, mark, 1) < 0 ? FAIL_NOMEM(e) : 0;
}

static bool carries(pid_t pid, const char *entry)
{
    char path[64];
    AUTO(free) char *line = NULL;
    size_t room = 0;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    AUTO(fclose) FILE *f = fopen(path, "re");
    while (f && getdelim(&line, &room, '\0', f) > 0) /* the kernel allows 128 KiB for one of them */
        if (strcmp(line, entry) == 0)
            return true;
    return false;
}

static bool kill_if_marked(pid_t pid, const char *entry)
{
    AUTO(close) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd >= 0 && carries(pid, entry) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
}

static size_t pass(const char *entry)
{
    size_t hit = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *de; d && (de = readdir(d));) {
        long pid = isdigit((unsigned char)de->d_name[0]) ? strtol(de->d_name, NULL, 10) : 0;
        if (pid > 1 && pid != getpid() && kill_if_marked((pid_t)pid, entry))
            hit++;
    }
    if (d)
        closedir(d);
    return hit;
}

size_t orphans_kill(void)
{
    char entry[128];
    const char *mark = getenv(ORPHANS_VARIABLE);
    size_t all = 0;
    if (!mark)
        return 0;
    snprintf(entry, sizeof entry, ORPHANS_VARIABLE "=%s", mark);
    for (int i = 0; i < PASSES; i++) { /* again, for what was forked meanwhile */
        size_t hit = pass(entry);
        if (hit == 0)
            break;
        all = hit > all ? hit : all;
        mono_sleep(10 * NS_PER_MS);
    }
    return all;
}
