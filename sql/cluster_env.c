/* The machine under a private cluster: programs, users, child processes, directories. */
#include "sql/cluster_env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/digest.h"
#include "sql/cluster.h"

#define SERVER_USER "postgres"
#define INSTALL_HINT "install it (Debian: apt-get install postgresql), or name a server with --database"

/* ---- user ------------------------------------------------------------------------------------------------------ */

int server_user_find(struct server_user *u, struct err *e)
{
    *u = (struct server_user){ .uid = geteuid(), .gid = getegid() };
    if (u->uid != 0)
        return 0;
    const struct passwd *pw = getpwnam(SERVER_USER);
    if (!pw)
        return FAIL(e, ERR_ENV,
                    "PostgreSQL does not run as root and this machine has no user \"" SERVER_USER "\": " INSTALL_HINT);
    u->drop = true;
    u->uid = pw->pw_uid;
    u->gid = pw->pw_gid;
    u->n_groups = CLUSTER_MAX_GROUPS;
    /* Looked up here because the child, between fork and exec, may not. Too many groups: the first ones will do. */
    if (getgrouplist(SERVER_USER, pw->pw_gid, u->groups, &u->n_groups) < 0)
        u->n_groups = CLUSTER_MAX_GROUPS;
    return 0;
}

int server_user_become(const struct server_user *u)
{
    if (!u->drop)
        return 0;
    if (setgroups((size_t)u->n_groups, u->groups) < 0 || setgid(u->gid) < 0 || setuid(u->uid) < 0)
        return -1;
    return 0;
}

/* ---- programs -------------------------------------------------------------------------------------------------- */

static bool has_programs(const char *dir)
{
    static const char *const names[] = { "initdb", "postgres" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", dir, names[i]) >= (int)sizeof path || access(path, X_OK) != 0)
            return false;
    }
    return true;
}

/* The directory "/usr/lib/postgresql/15/bin" -> 15. */
static int major_of(const char *dir)
{
    const char *bin = strstr(dir, "/bin");
    if (!bin)
        return 0;
    const char *p = bin;
    while (p > dir && p[-1] >= '0' && p[-1] <= '9')
        p--;
    return (int)strtol(p, NULL, 10);
}

/* Debian and Red Hat keep several majors side by side and none of them in PATH. */
static bool find_versioned(int major, char bin[PATH_MAX])
{
    glob_t found = { 0 };
    glob("/usr/lib/postgresql/*/bin", 0, NULL, &found);
    glob("/usr/pgsql-*/bin", GLOB_APPEND, NULL, &found);
    int best = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        int m = major_of(found.gl_pathv[i]);
        if (m > best && (major == 0 || m == major) && has_programs(found.gl_pathv[i])) {
            best = m;
            snprintf(bin, PATH_MAX, "%s", found.gl_pathv[i]);
        }
    }
    globfree(&found);
    return best > 0;
}

static bool find_in_path(char bin[PATH_MAX])
{
    const char *path = getenv("PATH");
    AUTO(free) char *copy = strdup(path ? path : "");
    char *save = NULL;
    for (char *dir = copy ? strtok_r(copy, ":", &save) : NULL; dir; dir = strtok_r(NULL, ":", &save))
        if (has_programs(dir)) {
            snprintf(bin, PATH_MAX, "%s", dir);
            return true;
        }
    return false;
}

int server_programs_find(int major, char bin[PATH_MAX], struct err *e)
{
    const char *own = getenv("ACSWEEP_PG_BINDIR");
    if (own && *own) {
        if (!has_programs(own))
            return FAIL(e, ERR_ENV, "ACSWEEP_PG_BINDIR=%s holds no initdb and postgres", own);
        snprintf(bin, PATH_MAX, "%s", own);
        return 0;
    }
    if (find_versioned(major, bin) || find_in_path(bin))
        return 0;
    if (major)
        return FAIL(e, ERR_ENV,
                    "the database was made by PostgreSQL %d, whose programs are missing (looked in "
                    "/usr/lib/postgresql/%d/bin and PATH): apt-get install postgresql-%d",
                    major, major, major);
    return FAIL(e, ERR_ENV,
                "PostgreSQL's server programs are missing (looked for initdb and postgres in /usr/lib/postgresql/*/bin "
                "and PATH): " INSTALL_HINT);
}

/* ---- children -------------------------------------------------------------------------------------------------- */

/* Between fork and exec: async-signal-safe calls only. */
static _Noreturn void child(const struct server_user *u, const char *const argv[], int log_fd, bool ward, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(log_fd, 1);
    dup2(log_fd, 2);
    close_range(3, ~0u, 0);
    umask(077);
    if (ward)
        setsid(); /* ^C at the terminal is for us; the server gets its own SIGINT afterwards */
    if (server_user_become(u) < 0)
        _exit(126);
    if (ward) {
        /* After setuid, which clears it. If the parent went in between, nobody would tell us. */
        prctl(PR_SET_PDEATHSIG, SIGINT);
        if (getppid() != parent)
            _exit(125);
    }
    if (chdir("/") < 0)
        _exit(124);
    execv(argv[0], (char *const *)argv); /* execv promises not to write there */
    _exit(127);
}

pid_t server_spawn(const struct server_user *u, const char *const argv[], const char *log, bool ward, struct err *e)
{
    AUTO(close) int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return FAIL(e, ERR_ENV, "%s: %s", log, strerror(errno));
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return FAIL(e, ERR_ENV, "cannot start %s: %s", argv[0], strerror(errno));
    if (pid == 0)
        child(u, argv, fd, ward, parent);
    return pid;
}

void server_log_reason(const char *log, off_t from, char *out, size_t size)
{
    snprintf(out, size, "see %s", log);
    AUTO(fclose) FILE *f = fopen(log, "re");
    if (!f || fseeko(f, from, SEEK_SET) != 0)
        return;
    char line[512];
    bool strong = false;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        bool is_cause = strstr(line, "FATAL:") || strstr(line, "PANIC:") || strstr(line, "error:");
        if ((is_cause || !strong) && *line)
            snprintf(out, size, "%s", line);
        strong = strong || is_cause;
    }
}

/* ---- directories ----------------------------------------------------------------------------------------------- */

int make_directories(const char *path, mode_t mode, struct err *e)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return FAIL(e, ERR_ENV, "path too long: %.200s...", path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p)
            continue;
        char was = *p;
        *p = '\0';
        if (mkdir(part, mode) == 0)
            (void)chmod(part, mode); /* whatever the umask says */
        else if (errno != EEXIST)
            return FAIL(e, ERR_ENV, "cannot make directory %s: %s", part, strerror(errno));
        *p = was;
        if (!was)
            break;
    }
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return FAIL(e, ERR_ENV, "%s is not a directory", path);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *at)
{
    (void)st, (void)what, (void)at;
    return remove(path);
}

int remove_tree(const char *path, struct err *e)
{
    if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        return FAIL(e, ERR_ENV, "cannot remove %s: %s", path, strerror(errno));
    return 0;
}

/* Asks the kernel by being that user: modes, groups, ACLs and mounts all count. */
static bool user_reaches(const struct server_user *u, const char *dir)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(server_user_become(u) < 0 || chdir(dir) < 0 ? 1 : 0);
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Absolute form of a path that need not exist yet: the real path of the part that does, plus the rest. *there gets the
 * existing part. */
static int absolute(const char *dir, char out[PATH_MAX], char there[PATH_MAX], struct err *e)
{
    char path[PATH_MAX], cwd[PATH_MAX];
    int n;
    if (dir[0] == '/')
        n = snprintf(path, sizeof path, "%s", dir);
    else if (getcwd(cwd, sizeof cwd))
        n = snprintf(path, sizeof path, "%s/%s", cwd, dir);
    else
        return FAIL(e, ERR_ENV, "the current directory is gone: %s", strerror(errno));
    if (n >= (int)sizeof path)
        return FAIL(e, ERR_ENV, "path too long: %.200s...", dir);
    char rest[PATH_MAX] = "";
    while (!realpath(path, there)) {
        char *slash = strrchr(path, '/');
        if ((errno != ENOENT && errno != ENOTDIR) || !slash)
            return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
        char longer[2 * PATH_MAX];
        snprintf(longer, sizeof longer, "%s%s", slash, rest);
        if (strlen(longer) >= sizeof rest)
            return FAIL(e, ERR_ENV, "path too long: %.200s...", dir);
        memcpy(rest, longer, strlen(longer) + 1);
        *slash = '\0';
        if (slash == path) {
            memcpy(there, "/", 2);
            break;
        }
    }
    size_t len = strlen(rest); /* "dir/" names dir */
    while (len > 0 && rest[len - 1] == '/')
        rest[--len] = '\0';
    if (snprintf(out, PATH_MAX, "%s%s", strcmp(there, "/") == 0 && *rest ? "" : there, rest) >= PATH_MAX)
        return FAIL(e, ERR_ENV, "path too long: %.200s...", dir);
    return 0;
}

#define ROOT_STATE "/var/lib/acsweep"

char *cluster_state_path(const char *dir, bool *apart, struct err *e)
{
    *apart = false;
    char path[PATH_MAX], there[PATH_MAX], elsewhere[PATH_MAX];
    if (absolute(dir, path, there, e) < 0)
        return NULL;
    const char *use = path;
    struct server_user u;
    /* Without the postgres user there is no private cluster to reach it; cluster_start says so when one is wanted. */
    if (geteuid() == 0 && server_user_find(&u, NULL) == 0 && !user_reaches(&u, there)) {
        char hex[DIGEST_HEX_SIZE];
        digest_bytes(path, strlen(path), hex);
        snprintf(elsewhere, sizeof elsewhere, ROOT_STATE "/%.16s", hex);
        use = elsewhere;
        *apart = true;
    }
    char *out = strdup(use);
    return out ? out : FAIL_NULL(e, ERR_ENV, "out of memory");
}

/* DIR/postgres.path: whoever removes or moves the state directory finds there where its database is. */
static int leave_path(const char *dir, const char *home, struct err *e)
{
    char name[PATH_MAX];
    if (snprintf(name, sizeof name, "%s/postgres.path", dir) >= (int)sizeof name)
        return FAIL(e, ERR_INPUT, "path too long: %.200s...", dir);
    AUTO(fclose) FILE *f = fopen(name, "we");
    if (!f && errno == ENOENT)
        return 0; /* nobody made the state directory: there is nothing to explain */
    if (!f || fprintf(f, "%s\n", home) < 0 || fflush(f) != 0)
        return FAIL(e, ERR_ENV, "cannot write %s: %s", name, strerror(errno));
    return 0;
}

char *cluster_state_dir(const char *dir, struct err *e)
{
    bool apart;
    AUTO(free) char *use = cluster_state_path(dir, &apart, e);
    if (!use)
        return NULL;
    if (apart && make_directories(ROOT_STATE, 0755, e) < 0)
        return NULL;
    /* As root, others may pass through (the server's user must) but not list. */
    if (make_directories(use, geteuid() == 0 ? 0711 : 0700, e) < 0)
        return NULL;
    if (apart && leave_path(dir, use, e) < 0)
        return NULL;
    return TAKE(use);
}
