/* The state directory: paths, lock, coordinator.json, and reading from its database. */
#include "cli/state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/digest.h"
#include "common/endpoint.h"
#include "common/join.h"
#include "common/mono.h"
#include "sql/cluster.h"
#include "sql/migrate.h"

enum { LOCK_WAIT_S = 30 };

struct state {
    char *dir;
    int lock;
    char short_dir[64]; /* for sockets; "" = none */
};

/* ---- paths ------------------------------------------------------------------------------------------------------ */

static int make_dirs(const char *path, struct err *e)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return FAIL(e, ERR_INPUT, "path too long: %.80s...", path);
    for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return FAIL(e, ERR_ENV, "cannot make directory %s: %s", part, strerror(errno));
        *slash = '/';
    }
    /* As root, others may pass through but not list: the private cluster runs as user postgres. */
    if (mkdir(part, geteuid() == 0 ? 0711 : 0700) != 0 && errno != EEXIST)
        return FAIL(e, ERR_ENV, "cannot make directory %s: %s", part, strerror(errno));
    struct stat st;
    if (stat(part, &st) != 0 || !S_ISDIR(st.st_mode))
        return FAIL(e, ERR_ENV, "%s is not a directory; name another with --state", part);
    return 0;
}

static char *absolute(const char *dir, struct err *e)
{
    char cwd[PATH_MAX], *path = NULL;
    if (dir[0] == '/')
        path = strdup(dir);
    else if (!getcwd(cwd, sizeof cwd))
        return FAIL_NULL(e, ERR_ENV, "the current directory is gone: %s", strerror(errno));
    else if (asprintf(&path, "%s/%s", cwd, strncmp(dir, "./", 2) == 0 ? dir + 2 : dir) < 0)
        path = NULL;
    if (!path)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    return path;
}

struct state *state_open(const char *dir, bool create, struct err *e)
{
    AUTO(state_close) struct state *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    s->lock = -1;
    s->dir = absolute(dir, e);
    if (!s->dir || (create && make_dirs(s->dir, e) < 0))
        return NULL;
    return TAKE(s);
}

void state_close(struct state *s)
{
    if (!s)
        return;
    if (*s->short_dir) {
        char path[128];
        snprintf(path, sizeof path, "%s/c", s->short_dir);
        unlink(path);
        rmdir(s->short_dir);
    }
    if (s->lock >= 0)
        close(s->lock);
    free(s->dir);
    free(s);
}

const char *state_dir(const struct state *s)
{
    return s->dir;
}

char *state_path(const struct state *s, const char *name, struct err *e)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", s->dir, name) < 0)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    return path;
}

int state_mkdir(const struct state *s, const char *name, struct err *e)
{
    AUTO(free) char *path = state_path(s, name, e);
    return path ? make_dirs(path, e) : -1;
}

int state_endpoint(struct state *s, char *text, size_t size, struct err *e)
{
    size_t len = strlen(s->dir) + strlen("/c");
    if (len <= ENDPOINT_PATH_MAX && !strpbrk(s->dir, "@*")) {
        snprintf(text, size, "ipc://%s/c", s->dir);
        return 0;
    }
    if (!*s->short_dir) {
        strcpy(s->short_dir, "/tmp/acsweep-XXXXXX");
        if (!mkdtemp(s->short_dir)) {
            s->short_dir[0] = '\0';
            return FAIL(e, ERR_ENV, "cannot make a directory for sockets under /tmp: %s", strerror(errno));
        }
    }
    snprintf(text, size, "ipc://%s/c", s->short_dir);
    return 0;
}

/* ---- lock ------------------------------------------------------------------------------------------------------- */

static pid_t lock_owner(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static bool alive(pid_t pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* The lock is shared with the coordinator, which outlives a killed run for a moment: then its owner is dead, and it is
 * worth waiting. */
static int lock_or_wait(int fd, const char *dir, struct err *e)
{
    int64_t deadline = mono_now() + LOCK_WAIT_S * NS_PER_S;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return FAIL(e, ERR_ENV, "cannot lock %s/lock: %s", dir, strerror(errno));
        pid_t owner = lock_owner(fd);
        if (alive(owner))
            return FAIL(e, ERR_ENV, "another acsweep (process %d) is at work in %s; wait for it, or name another directory "
                        "with --state", (int)owner, dir);
        if (mono_now() > deadline)
            return FAIL(e, ERR_ENV, "the coordinator of an earlier run still works in %s; end it, or name another directory "
                        "with --state", dir);
        mono_sleep(50 * NS_PER_MS);
    }
    return 0;
}

int state_lock(struct state *s, struct err *e)
{
    AUTO(free) char *path = state_path(s, "lock", e);
    if (!path)
        return -1;
    AUTO(close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return FAIL(e, ERR_ENV, "cannot open %s: %s", path, strerror(errno));
    TRY(lock_or_wait(fd, s->dir, e));
    char text[32];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return FAIL(e, ERR_ENV, "cannot write %s: %s", path, strerror(errno));
    s->lock = fd;
    fd = -1;
    return s->lock;
}

/* The join string for a coordinator on this machine: its key, and its own address, where "every interface" is loopback. */
static int local_join(const char *endpoint, const char *join, struct buf *out)
{
    struct join j = { 0 };
    struct endpoint at;
    struct err ignored = { 0 };
    char loopback[64];
    if (join && join_parse(join, &j, &ignored) < 0)
        j = (struct join){ 0 };
    if (endpoint_parse(endpoint, ENDPOINT_BIND, &at, &ignored) < 0)
        return -1;
    bool wildcard = strcmp(at.host, "*") == 0 || strcmp(at.host, "0.0.0.0") == 0 || strcmp(at.host, "::") == 0;
    snprintf(loopback, sizeof loopback, "tcp://127.0.0.1:%u", at.port);
    j.n = 1;
    if (endpoint_parse(wildcard ? loopback : endpoint, ENDPOINT_CONNECT, &j.endpoints[0], &ignored) < 0)
        return -1;
    join_format(&j, out);
    return 0;
}

int state_coordinator(const struct state *s, char **address, pid_t *pid, struct err *e)
{
    *address = NULL;
    *pid = 0;
    AUTO(free) char *path = state_path(s, "coordinator.json", e);
    if (!path)
        return -1;
    AUTO(json_decref) json_t *root = json_load_file(path, 0, NULL);
    const char *endpoint = NULL;
    int number = 0;
    if (!root || json_unpack(root, "{s:s, s:i}", "endpoint", &endpoint, "pid", &number) != 0 || !alive(number))
        return 0;
    AUTO(buf_free) struct buf join = BUF_INIT(JOIN_MAX_TEXT);
    bool tcp = strncmp(endpoint, "tcp://", 6) == 0 &&
               local_join(endpoint, json_string_value(json_object_get(root, "join")), &join) == 0;
    TRY(buf_check(&join, "join string", e));
    *address = strdup(tcp ? buf_text(&join) : endpoint);
    *pid = number;
    return *address ? 0 : FAIL_NOMEM(e);
}

/* ---- its database ----------------------------------------------------------------------------------------------- */

struct place {
    struct cluster *cluster; /* NULL with --database */
    char *conninfo;
};

void place_close(struct place *p)
{
    if (!p)
        return;
    cluster_stop(p->cluster);
    free(p->conninfo);
    free(p);
}

/* A command that only asks must not make a cluster where nothing was ever run. */
static int must_exist(const struct state *s, const char *home, struct err *e)
{
    struct stat st;
    char version[PATH_MAX];
    snprintf(version, sizeof version, "%s/postgres/PG_VERSION", home ? home : s->dir);
    if (home && (stat(version, &st) == 0 || errno != ENOENT))
        return 0;
    return FAIL(e, ERR_INPUT, "nothing was run in %s yet; start with 'acsweep run sweep.cfg', or name the right directory "
                "with --state or a server with --database", s->dir);
}

static int start_private(struct place *p, const char *dir, bool create, struct err *e)
{
    AUTO(state_close) struct state *s = state_open(dir, false, e);
    if (!s)
        return -1;
    struct stat st;
    bool exists = create || stat(s->dir, &st) == 0 || errno != ENOENT;
    AUTO(free) char *home = exists ? cluster_state_dir(s->dir, e) : NULL; /* which would make it */
    if (exists && !home)
        return -1;
    if (!create)
        TRY(must_exist(s, home, e));
    p->cluster = cluster_start(home, e);
    if (!p->cluster)
        return -1;
    p->conninfo = strdup(cluster_conninfo(p->cluster));
    return p->conninfo ? 0 : FAIL_NOMEM(e);
}

struct place *place_open(const struct opts *o, bool create, struct err *e)
{
    AUTO(place_close) struct place *p = calloc(1, sizeof *p);
    const char *database = opts_text(o, "database");
    if (!p || (database && !(p->conninfo = strdup(database))))
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    if (!database && start_private(p, opts_text(o, "state"), create, e) < 0)
        return NULL;
    return TAKE(p);
}

const char *place_conninfo(const struct place *p)
{
    return p->conninfo;
}

struct reader {
    struct place *place;
    struct db *db;
};

void reader_close(struct reader *r)
{
    if (!r)
        return;
    db_close(r->db);
    place_close(r->place);
    free(r);
}

struct reader *reader_open(const struct opts *o, enum db_role role, struct err *e)
{
    AUTO(reader_close) struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    if (!(r->place = place_open(o, false, e)) || !(r->db = db_open(place_conninfo(r->place), role, e)) ||
        migrate_check(r->db, e) < 0)
        return NULL;
    return TAKE(r);
}

struct db *reader_db(struct reader *r)
{
    return r->db;
}
