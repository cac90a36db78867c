/* Finding and asking other programs. */
#include "cli/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/mono.h"
#include "common/own.h"

extern char **environ;

static bool executable(const char *dir, size_t dir_len, const char *name, char *path, size_t size)
{
    int n = snprintf(path, size, "%.*s/%s", (int)dir_len, dir, name);
    return n > 0 && (size_t)n < size && access(path, X_OK) == 0;
}

static bool in_path(const char *name, char *path, size_t size)
{
    for (const char *p = getenv("PATH"); p && *p;) {
        size_t len = strcspn(p, ":");
        if (len > 0 && executable(p, len, name, path, size))
            return true;
        p += len + (p[len] == ':');
    }
    return false;
}

bool program_find(const char *name, char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        const char *slash = strrchr(self, '/');
        if (slash && executable(self, (size_t)(slash - self), name, path, size))
            return true;
    }
    return in_path(name, path, size);
}

static bool has_server(const char *dir)
{
    char path[PATH_MAX];
    return executable(dir, strlen(dir), "postgres", path, sizeof path) &&
           executable(dir, strlen(dir), "initdb", path, sizeof path);
}

static int newest_first(const void *a, const void *b)
{
    return strverscmp(*(char *const *)b, *(char *const *)a);
}

bool program_postgres_dir(char *dir, size_t size)
{
    char path[PATH_MAX];
    if (in_path("pg_config", path, sizeof path) &&
        program_first_line((const char *[]){ path, "--bindir", NULL }, dir, size) == 0 && has_server(dir))
        return true;
    if (in_path("postgres", path, sizeof path)) {
        *strrchr(path, '/') = '\0';
        snprintf(dir, size, "%s", path);
        if (has_server(dir))
            return true;
    }
    glob_t g = { 0 };
    bool found = false;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &g) == 0) {
        qsort(g.gl_pathv, g.gl_pathc, sizeof *g.gl_pathv, newest_first);
        for (size_t i = 0; i < g.gl_pathc && !found; i++) {
            snprintf(dir, size, "%s", g.gl_pathv[i]);
            found = has_server(dir);
        }
    }
    globfree(&g);
    return found;
}

/* Read until end of file, time-out or a full buffer. */
static void read_some(int fd, char *text, size_t size, int64_t deadline)
{
    size_t len = 0;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (len + 1 < size && poll(&p, 1, mono_ms_until(deadline)) > 0) {
        ssize_t n = read(fd, text + len, size - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

int program_first_line(const char *const *argv, char *line, size_t size)
{
    int pipes[2];
    line[0] = '\0';
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_t a;
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_addopen(&a, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&a, pipes[1], 1);
    posix_spawn_file_actions_addopen(&a, 2, "/dev/null", O_WRONLY, 0);
    pid_t pid;
    int rc = posix_spawn(&pid, argv[0], &a, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&a);
    close(pipes[1]);
    if (rc == 0) {
        int64_t deadline = mono_now() + 10 * NS_PER_S;
        int status = 0;
        read_some(pipes[0], line, size, deadline);
        close(pipes[0]); /* a program that goes on writing gets SIGPIPE */
        while (waitpid(pid, &status, WNOHANG) == 0) {
            if (mono_now() >= deadline)
                kill(pid, SIGKILL);
            mono_sleep(5 * NS_PER_MS);
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    close(pipes[0]);
    errno = rc;
    return -1;
}
