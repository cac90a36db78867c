#include "worker/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>

extern char **environ;

static bool is_set(const char *line, const char *const *set)
{
    size_t name = strcspn(line, "=") + 1;
    for (; *set; set++)
        if (strncmp(line, *set, name) == 0)
            return true;
    return false;
}

/* The list is malloc'ed, its lines are not. NULL without memory. */
static char **environment(const char *const *set)
{
    size_t n = 0, at = 0;
    while (environ[n])
        n++;
    char **all = calloc(n + SPAWN_SET_MAX + 1, sizeof *all);
    for (size_t i = 0; all && set[i]; i++)
        all[at++] = (char *)set[i];
    for (char **p = environ; all && *p; p++)
        if (!is_set(*p, set))
            all[at++] = *p;
    return all;
}

static int set_attributes(posix_spawnattr_t *a)
{
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGTERM);
    sigaddset(&usual, SIGINT);
    int failed = posix_spawnattr_setsigmask(a, &none);
    failed = failed ? failed : posix_spawnattr_setsigdefault(a, &usual);
    return failed ? failed
                  : posix_spawnattr_setflags(a, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

int spawn_start(const struct spawn *s, pid_t *pid, struct err *e)
{
    AUTO(free) char **env = environment(s->set);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    if (!env)
        return FAIL_NOMEM(e);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    int failed = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    failed = failed ? failed : posix_spawn_file_actions_adddup2(&files, s->from, s->to);
    failed = failed ? failed : set_attributes(&attr);
    failed = failed ? failed : posix_spawn(pid, s->argv[0], &files, &attr, s->argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return failed ? FAIL(e, ERR_ENV, "cannot start %s: %s", s->argv[0], strerror(failed)) : 0;
}
