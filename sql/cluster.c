/* Life of the private cluster: lock, make, start, wait, stop.
 *
 *     DIR/postgres.lock     flock'ed by the owner for as long as it lives; the kernel frees it whatever happens
 *     DIR/postgres/         data directory (made as postgres.new and renamed, so it is whole or absent)
 *     DIR/postgres.socket   text: directory of the unix socket, for those who attach
 *     DIR/postgres.log      the server's log
 *     DIR/socket/           the socket, unless that path is too long; then a directory under /tmp
 *
 * Whoever holds the lock is the owner and starts the server as its own child; whoever does not waits until the owner's
 * server answers. Being the parent matters: pg_ctl's server is orphaned, and until process 1 reaps it after a crash (some
 * never do) its process number looks alive and the next start is refused. */
#include "sql/cluster.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "common/mono.h"
#include "common/parse.h"
#include "sql/cluster_env.h"
#include "sql/db.h"

#define POLL_EVERY (50 * NS_PER_MS) /* each ping during recovery is a line in the server's log */
#define ATTACH_WAIT (120 * NS_PER_S)
#define ORPHAN_WAIT (60 * NS_PER_S)
#define START_WAIT (600 * NS_PER_S) /* crash recovery may replay gigabytes; a dead server is noticed at once */
#define STOP_WAIT (60 * NS_PER_S)
#define LOG_KEEP (16 << 20)
#define NEW_CLUSTER_BYTES (UINT64_C(160) << 20)
#define SOCKET_NAME "/.s.PGSQL.5432"
#define SOCKET_PATH_MAX 107
#define DB_NAME "acsweep"

/* For one busy small machine. Everything else is initdb's default. No replication, so WAL may be minimal: bulk loads into
 * new tables then skip it. */
static const char *const server_settings[] = {
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "cluster_name=acsweep",
    "recovery_init_sync_method=syncfs",
    "shared_buffers=128MB",
    "max_connections=64",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    "wal_compression=on",
    "autovacuum_naptime=15s",
    "client_connection_check_interval=200ms",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "lc_messages=C",
    "log_checkpoints=off",
    "log_autovacuum_min_duration=-1",
    "logging_collector=off",
    "log_destination=stderr",
};

struct cluster {
    char dir[PATH_MAX];
    char data[PATH_MAX];
    char log[PATH_MAX];
    char socket_dir[PATH_MAX];
    char conninfo[PATH_MAX + 256];
    char bin[PATH_MAX];
    struct server_user user;
    int lock_fd; /* -1 when attached */
    pid_t pid;
    off_t log_start; /* where this start's log lines begin */
    bool owned;
    bool temp_socket;
};

static int join(char out[PATH_MAX], const char *dir, const char *name, struct err *e)
{
    if (snprintf(out, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        return FAIL(e, ERR_ENV, "path too long: %.200s...", dir);
    return 0;
}

/* ---- address --------------------------------------------------------------------------------------------------- */

/* Both libpq and the server split lists of directories at commas and read quotes. */
static bool socket_dir_fits(const char *dir)
{
    return strlen(dir) + strlen(SOCKET_NAME) <= SOCKET_PATH_MAX && !strpbrk(dir, ",\"'\\ \t\n");
}

/* The empty and default values stand against PGHOSTADDR, PGOPTIONS and the like in the user's environment. */
static void set_conninfo(struct cluster *c)
{
    snprintf(c->conninfo, sizeof c->conninfo,
             "host=%s hostaddr='' port=5432 dbname=" DB_NAME " user=acsweep options='' channel_binding=prefer "
             "sslmode=disable",
             c->socket_dir);
}

static int choose_socket_dir(struct cluster *c, struct err *e)
{
    char here[PATH_MAX];
    TRY(join(here, c->dir, "socket", e));
    if (socket_dir_fits(here)) {
        if (mkdir(here, 0700) < 0 && errno != EEXIST)
            return FAIL(e, ERR_ENV, "cannot make %s: %s", here, strerror(errno));
        memcpy(c->socket_dir, here, sizeof here);
    } else {
        const char *run = getenv("XDG_RUNTIME_DIR");
        char base[PATH_MAX];
        snprintf(base, sizeof base, "%s/acsweep-XXXXXX", run && *run && !c->user.drop ? run : "/tmp");
        if (!socket_dir_fits(base))
            snprintf(base, sizeof base, "/tmp/acsweep-XXXXXX");
        if (!mkdtemp(base))
            return FAIL(e, ERR_ENV, "cannot make a directory for the database socket: %s: %s", base, strerror(errno));
        c->temp_socket = true;
        memcpy(c->socket_dir, base, sizeof base);
    }
    if (c->user.drop && lchown(c->socket_dir, c->user.uid, c->user.gid) < 0)
        return FAIL(e, ERR_ENV, "cannot give %s to the database user: %s", c->socket_dir, strerror(errno));
    set_conninfo(c);
    return 0;
}

/* Others find the socket through this file; renamed into place so that nobody reads half of it. */
static int publish_socket_dir(const struct cluster *c, struct err *e)
{
    char path[PATH_MAX], temp[PATH_MAX];
    TRY(join(path, c->dir, "postgres.socket", e));
    TRY(join(temp, c->dir, "postgres.socket.new", e));
    FILE *f = fopen(temp, "we");
    bool ok = f && fputs(c->socket_dir, f) >= 0;
    ok = f && fclose(f) == 0 && ok;
    if (!ok || rename(temp, path) < 0)
        return FAIL(e, ERR_ENV, "cannot write %s: %s", path, strerror(errno));
    return 0;
}

static bool read_socket_dir(struct cluster *c)
{
    char path[PATH_MAX];
    if (join(path, c->dir, "postgres.socket", NULL) < 0)
        return false;
    AUTO(fclose) FILE *f = fopen(path, "re");
    if (!f || !fgets(c->socket_dir, sizeof c->socket_dir, f) || !socket_dir_fits(c->socket_dir))
        return false;
    set_conninfo(c);
    return true;
}

/* ---- who owns it ----------------------------------------------------------------------------------------------- */

/* Sets c->owned: we hold the lock. Else another process does, and its server answers. */
static int own_or_attach(struct cluster *c, struct err *e)
{
    char path[PATH_MAX];
    TRY(join(path, c->dir, "postgres.lock", e));
    c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->lock_fd < 0)
        return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    for (int64_t deadline = mono_now() + ATTACH_WAIT; mono_now() < deadline; mono_sleep(POLL_EVERY)) {
        c->owned = flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0;
        if (c->owned)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return FAIL(e, ERR_ENV, "%s: cannot lock: %s", path, strerror(errno));
        if (read_socket_dir(c) && PQping(c->conninfo) == PQPING_OK) {
            close(c->lock_fd);
            c->lock_fd = -1;
            return 0;
        }
    }
    return FAIL(e, ERR_ENV, "another acsweep keeps %s but its database does not answer; stop it, then try again", path);
}

/* Does any process work in the data directory? A postmaster and all its backends have it as their current directory. */
static bool in_use(const char *data)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return false;
    bool found = false;
    for (struct dirent *d; !found && (d = readdir(proc));) {
        if (d->d_name[0] < '0' || d->d_name[0] > '9')
            continue;
        char link[300], cwd[PATH_MAX];
        snprintf(link, sizeof link, "/proc/%s/cwd", d->d_name);
        ssize_t n = readlink(link, cwd, sizeof cwd - 1);
        if (n > 0) {
            cwd[n] = '\0';
            found = strcmp(cwd, data) == 0;
        }
    }
    closedir(proc);
    return found;
}

/* A server whose owner was killed is on its way out (the kernel told it); wait. Afterwards a postmaster.pid that is left
 * names a dead, unreaped or recycled process: nobody works in the directory, so it is safe to remove. */
static int clear_orphans(struct cluster *c, struct err *e)
{
    char data[PATH_MAX];
    if (!realpath(c->data, data)) /* the user may have moved it and left a link */
        return FAIL(e, ERR_ENV, "%s: %s", c->data, strerror(errno));
    for (int64_t deadline = mono_now() + ORPHAN_WAIT; in_use(data); mono_sleep(POLL_EVERY))
        if (mono_now() > deadline)
            return FAIL(e, ERR_ENV,
                        "another PostgreSQL works in %s and is not ours; stop it (pg_ctl -D %s stop -m fast)", c->data,
                        c->data);
    char pid_file[PATH_MAX];
    TRY(join(pid_file, c->data, "postmaster.pid", e));
    if (unlink(pid_file) < 0 && errno != ENOENT)
        return FAIL(e, ERR_ENV, "cannot remove %s: %s", pid_file, strerror(errno));
    return 0;
}

/* ---- making it ------------------------------------------------------------------------------------------------- */

static uint64_t free_bytes(const char *dir)
{
    struct statvfs fs;
    return statvfs(dir, &fs) < 0 ? UINT64_MAX : (uint64_t)fs.f_bavail * fs.f_frsize;
}

static int check_space(const char *dir, uint64_t need, struct err *e)
{
    uint64_t have = free_bytes(dir);
    if (have >= need)
        return 0;
    return FAIL(e, ERR_ENV, "the disk is full: %llu MiB free at %s, a new database needs %llu MiB; make room or use --state",
                (unsigned long long)(have >> 20), dir, (unsigned long long)(need >> 20));
}

static off_t log_size(const char *log)
{
    struct stat st;
    if (stat(log, &st) < 0)
        return 0;
    if (st.st_size > LOG_KEEP && truncate(log, 0) == 0)
        return 0;
    return st.st_size;
}

static int fail_with_log(const struct cluster *c, const char *what, struct err *e)
{
    char reason[512];
    server_log_reason(c->log, c->log_start, reason, sizeof reason);
    if (strstr(reason, "No space left") || free_bytes(c->dir) < (1 << 20))
        return FAIL(e, ERR_ENV, "%s: the disk is full at %s; make room, then try again (%s)", what, c->dir, reason);
    return FAIL(e, ERR_ENV, "%s: %s (log: %s)", what, reason, c->log);
}

static int run_initdb(struct cluster *c, const char *temp, struct err *e)
{
    char program[PATH_MAX];
    TRY(join(program, c->bin, "initdb", e));
    /* trust is safe here: the only door is a socket in a 0700 directory. Synced as a whole below. */
    const char *argv[] = { program,       "-D",   temp,        "-A",  "trust",     "-U", "acsweep",
                     "--no-locale", "-E",   "UTF8",      "--no-sync", "--no-instructions", NULL };
    c->log_start = log_size(c->log);
    pid_t pid = server_spawn(&c->user, argv, c->log, false, e);
    if (pid < 0)
        return -1;
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return FAIL(e, ERR_ENV, "initdb: %s", strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail_with_log(c, "cannot create the database (initdb)", e);
    return 0;
}

/* Make DIR/postgres.new, flush it, rename it. What an interrupted earlier try left is removed first. */
static int create_data(struct cluster *c, struct err *e)
{
    char temp[PATH_MAX];
    TRY(join(temp, c->dir, "postgres.new", e));
    TRY(remove_tree(temp, e));
    TRY(check_space(c->dir, NEW_CLUSTER_BYTES, e));
    if (mkdir(temp, 0700) < 0)
        return FAIL(e, ERR_ENV, "cannot make %s: %s", temp, strerror(errno));
    if (c->user.drop && chown(temp, c->user.uid, c->user.gid) < 0)
        return FAIL(e, ERR_ENV, "cannot give %s to the database user: %s", temp, strerror(errno));
    if (run_initdb(c, temp, e) < 0) {
        remove_tree(temp, NULL);
        return -1;
    }
    AUTO(close) int fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) < 0 || rename(temp, c->data) < 0 || fsync(fd) < 0)
        return FAIL(e, ERR_ENV, "cannot finish %s: %s", c->data, strerror(errno));
    return 0;
}

/* Major version of an existing data directory; 0 when there is none. */
static int data_version(const struct cluster *c, int *major, struct err *e)
{
    *major = 0;
    struct stat st;
    if (stat(c->data, &st) < 0)
        return errno == ENOENT ? 0 : FAIL(e, ERR_ENV, "%s: %s", c->data, strerror(errno));
    char path[PATH_MAX], text[16] = "";
    TRY(join(path, c->data, "PG_VERSION", e));
    AUTO(fclose) FILE *f = fopen(path, "re");
    int64_t v = 0;
    if (f && fgets(text, sizeof text, f))
        text[strcspn(text, "\n")] = '\0';
    if (parse_i64(text, 9, 999, &v, NULL) < 0)
        return FAIL(e, ERR_ENV, "%s exists but is no PostgreSQL data directory; move it away", c->data);
    *major = (int)v;
    return 0;
}

/* ---- running it ------------------------------------------------------------------------------------------------ */

static int spawn_server(struct cluster *c, struct err *e)
{
    char program[PATH_MAX], sockets[PATH_MAX + 32];
    TRY(join(program, c->bin, "postgres", e));
    snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", c->socket_dir);
    const char *argv[3 + 2 * (ARRAY_LEN(server_settings) + 1) + 1];
    size_t n = 0;
    argv[n++] = program;
    argv[n++] = "-D";
    argv[n++] = c->data;
    argv[n++] = "-c";
    argv[n++] = sockets;
    for (size_t i = 0; i < ARRAY_LEN(server_settings); i++) {
        argv[n++] = "-c";
        argv[n++] = server_settings[i];
    }
    argv[n] = NULL;
    c->log_start = log_size(c->log);
    c->pid = server_spawn(&c->user, argv, c->log, true, e);
    if (c->pid < 0)
        c->pid = 0;
    return c->pid ? 0 : -1;
}

static int wait_ready(struct cluster *c, struct err *e)
{
    for (int64_t deadline = mono_now() + START_WAIT; mono_now() < deadline; mono_sleep(POLL_EVERY)) {
        if (PQping(c->conninfo) == PQPING_OK)
            return 0;
        if (waitpid(c->pid, NULL, WNOHANG) == c->pid) {
            c->pid = 0;
            return fail_with_log(c, "PostgreSQL did not start", e);
        }
    }
    return FAIL(e, ERR_ENV, "PostgreSQL does not answer after %d s (log: %s)", (int)(START_WAIT / NS_PER_S), c->log);
}

static int ensure_database(const struct cluster *c, struct err *e)
{
    char conninfo[sizeof c->conninfo + 32];
    snprintf(conninfo, sizeof conninfo, "%s dbname=postgres", c->conninfo);
    AUTO(db_close) struct db *d = db_open(conninfo, DB_ADMIN, e);
    if (!d)
        return -1;
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_query(d, "SELECT 1 FROM pg_catalog.pg_database WHERE datname = '" DB_NAME "'", NULL, 0, &rows, e));
    return db_rows_count(rows) == 1 ? 0 : db_script(d, "CREATE DATABASE " DB_NAME, e);
}

static int start_owned(struct cluster *c, struct err *e)
{
    int major;
    TRY(data_version(c, &major, e));
    TRY(server_programs_find(major, c->bin, e));
    TRY(server_user_find(&c->user, e));
    if (major == 0)
        TRY(create_data(c, e));
    TRY(clear_orphans(c, e));
    TRY(choose_socket_dir(c, e));
    TRY(spawn_server(c, e));
    TRY(wait_ready(c, e));
    TRY(ensure_database(c, e));
    return publish_socket_dir(c, e);
}

struct cluster *cluster_start(const char *dir, struct err *e)
{
    AUTO(cluster_stop) struct cluster *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    c->lock_fd = -1;
    if (make_directories(dir, geteuid() == 0 ? 0711 : 0700, e) < 0)
        return NULL;
    if (!realpath(dir, c->dir))
        return FAIL_NULL(e, ERR_ENV, "%s: %s", dir, strerror(errno));
    if (join(c->data, c->dir, "postgres", e) < 0 || join(c->log, c->dir, "postgres.log", e) < 0)
        return NULL;
    if (own_or_attach(c, e) < 0 || (c->owned && start_owned(c, e) < 0)) {
        err_wrap(e, "private database");
        return NULL;
    }
    return TAKE(c);
}

const char *cluster_conninfo(const struct cluster *c)
{
    return c->conninfo;
}

bool cluster_owned(const struct cluster *c)
{
    return c->owned;
}

pid_t cluster_pid(const struct cluster *c)
{
    return c->pid;
}

static bool reaped_within(pid_t pid, int64_t ns)
{
    for (int64_t deadline = mono_now() + ns;; mono_sleep(5 * NS_PER_MS)) {
        pid_t r = waitpid(pid, NULL, WNOHANG);
        if (r == pid || (r < 0 && errno == ECHILD))
            return true;
        if (mono_now() > deadline)
            return false;
    }
}

/* Fast shutdown, then immediate (recovery at the next start, nothing is lost), then the hammer. */
static void stop_server(pid_t pid)
{
    static const int ladder[] = { SIGINT, SIGQUIT, SIGKILL };
    for (size_t i = 0; i < ARRAY_LEN(ladder); i++) {
        kill(pid, ladder[i]);
        if (reaped_within(pid, i == 0 ? STOP_WAIT : STOP_WAIT / 6))
            return;
    }
}

void cluster_stop(struct cluster *c)
{
    if (!c)
        return;
    if (c->pid > 0)
        stop_server(c->pid);
    if (c->owned) {
        char path[PATH_MAX];
        if (join(path, c->dir, "postgres.socket", NULL) == 0)
            (void)unlink(path);
        if (c->temp_socket)
            remove_tree(c->socket_dir, NULL);
    }
    if (c->lock_fd >= 0)
        close(c->lock_fd); /* last: it tells the others that the place is free */
    free(c);
}
