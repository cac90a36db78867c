/* acsweep doctor: what this machine has and lacks. Each check is one function in a table; it says ok, note or FAIL and,
 * when something is missing, the remedy. Nothing is changed and nothing is left behind. */
#include "cli/commands.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <zmq.h>

#include "cli/output.h"
#include "cli/programs.h"
#include "common/digest.h"
#include "sql/cluster.h"
#include "world/world_options.h"

enum verdict { VERDICT_OK, VERDICT_NOTE, VERDICT_FAIL };
static const char *const verdict_names[] = { "ok", "note", "FAIL" };

struct finding {
    enum verdict verdict;
    char found[512];
    char remedy[512];
};

__attribute__((format(printf, 3, 4))) static void found(struct finding *f, enum verdict v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    f->verdict = v;
    vsnprintf(f->found, sizeof f->found, fmt, ap);
    va_end(ap);
}

__attribute__((format(printf, 2, 3))) static void remedy(struct finding *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->remedy, sizeof f->remedy, fmt, ap);
    va_end(ap);
}

static void check_cores(const struct opts *o, struct finding *f)
{
    (void)o;
    cpu_set_t set;
    int usable = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    long memory = sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024;
    struct utsname u = { 0 };
    uname(&u);
    found(f, VERDICT_OK, "%d usable cores, %.1f GiB of memory, Linux %s %s", usable, (double)memory / 1024.0, u.release,
          u.machine);
}

static void check_programs(const struct opts *o, struct finding *f)
{
    (void)o;
    static const char *const needed[] = { "acsweep-coordinator", "acsweep-worker", "acsweep-exec" };
    char missing[256] = "", path[4096];
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!program_find(needed[i], path, sizeof path)) {
            size_t at = strlen(missing);
            snprintf(missing + at, sizeof missing - at, "%s%s", at ? ", " : "", needed[i]);
        }
    if (!*missing) {
        found(f, VERDICT_OK, "coordinator, worker and exec found beside acsweep or in PATH");
        return;
    }
    found(f, VERDICT_FAIL, "missing: %s", missing);
    remedy(f, "put them beside acsweep (build/release/bin has all four) or into PATH");
}

static void check_postgresql(const struct opts *o, struct finding *f)
{
    if (opts_given(o, "database")) {
        found(f, VERDICT_OK, "not needed here: --database is given");
        return;
    }
    char dir[4096], version[128] = "";
    if (!program_postgres_dir(dir, sizeof dir)) {
        found(f, VERDICT_FAIL, "postgres and initdb are in none of pg_config --bindir, PATH, /usr/lib/postgresql/*/bin");
        remedy(f, "apt-get install postgresql, or name a running server with --database");
        return;
    }
    char postgres[4200];
    snprintf(postgres, sizeof postgres, "%s/postgres", dir);
    program_first_line((const char *[]){ postgres, "--version", NULL }, version, sizeof version);
    found(f, VERDICT_OK, "%s in %s", *version ? version : "version unknown", dir);
    if (geteuid() == 0 && !getpwnam("postgres")) {
        found(f, VERDICT_FAIL, "there is no user 'postgres', and PostgreSQL refuses to run as root");
        remedy(f, "apt-get install postgresql-common, or run acsweep as an ordinary user");
    }
}

static void check_zeromq(const struct opts *o, struct finding *f)
{
    (void)o;
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    bool curve = zmq_has("curve") == 1, ipc = zmq_has("ipc") == 1;
    found(f, curve && ipc ? VERDICT_OK : VERDICT_FAIL, "libzmq %d.%d.%d, CURVE %s, ipc %s", major, minor, patch,
          curve ? "yes" : "no", ipc ? "yes" : "no");
    if (!curve || !ipc)
        remedy(f, "use a libzmq built with libsodium and ipc, as Debian's libzmq5 is");
}

static void check_loopback(const struct opts *o, struct finding *f)
{
    (void)o;
    AUTO(close) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        found(f, VERDICT_FAIL, "cannot bind a port on 127.0.0.1: %s", strerror(errno));
        remedy(f, "bring the loopback interface up: ip link set lo up");
        return;
    }
    struct sockaddr_in def = a;
    def.sin_port = htons(7077);
    AUTO(close) int fixed = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(fixed, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fixed, (struct sockaddr *)&def, sizeof def) == 0) {
        found(f, VERDICT_OK, "loopback works, the coordinator's port 7077 is free");
        return;
    }
    found(f, VERDICT_NOTE, "loopback works, port 7077 is in use (a coordinator may be running)");
    remedy(f, "only for a second coordinator: give it another port with --listen");
}

/* statvfs of the directory, or of the nearest one above it that exists. */
static int stat_above(const char *dir, struct statvfs *s)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", dir);
    while (statvfs(path, s) != 0) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || strcmp(path, ".") == 0 || slash == path)
            return -1;
        if (slash)
            *slash = '\0';
        else
            strcpy(path, ".");
    }
    return 0;
}

static void check_disk(const struct opts *o, struct finding *f)
{
    const char *dir = opts_text(o, "state");
    struct statvfs s;
    if (stat_above(dir, &s) != 0) {
        found(f, VERDICT_FAIL, "%s: %s", dir, strerror(errno));
        remedy(f, "name a usable directory with --state");
        return;
    }
    double gib = (double)s.f_bavail * (double)s.f_frsize / (1u << 30);
    bool readonly = s.f_flag & ST_RDONLY;
    found(f, readonly || gib < 0.25 ? VERDICT_FAIL : gib < 2 ? VERDICT_NOTE : VERDICT_OK, "%.1f GiB free for %s%s", gib, dir,
          readonly ? ", mounted read-only" : "");
    if (f->verdict != VERDICT_OK)
        remedy(f, "free some space (a replay needs 0.2 GiB) or name another directory with --state");
}

/* As root the private database may be outside the state directory: who removes the one should know of the other. */
static void check_database_place(const struct opts *o, struct finding *f)
{
    if (opts_given(o, "database")) {
        found(f, VERDICT_OK, "the server named by --database");
        return;
    }
    struct err e = { 0 };
    bool apart;
    AUTO(free) char *home = cluster_state_path(opts_text(o, "state"), &apart, &e);
    if (!home) {
        found(f, VERDICT_FAIL, "%s", e.text);
        remedy(f, "name a usable directory with --state");
        return;
    }
    found(f, apart ? VERDICT_NOTE : VERDICT_OK, "private, in %s/postgres", home);
    if (apart)
        remedy(f, "user postgres cannot enter the state directory; to start afresh, remove %s too", home);
}

static void check_limits(const struct opts *o, struct finding *f)
{
    (void)o;
    struct rlimit files = { 0 };
    getrlimit(RLIMIT_NOFILE, &files);
    bool few = files.rlim_cur < 256;
    found(f, few ? VERDICT_FAIL : files.rlim_cur < 1024 ? VERDICT_NOTE : VERDICT_OK, "%llu open files allowed",
          (unsigned long long)files.rlim_cur);
    if (f->verdict != VERDICT_OK)
        remedy(f, "raise it: ulimit -n 4096");
}

static void check_socket_path(const struct opts *o, struct finding *f)
{
    char cwd[4096] = "";
    const char *dir = opts_text(o, "state");
    if (dir[0] != '/' && !getcwd(cwd, sizeof cwd))
        cwd[0] = '\0';
    size_t len = strlen(dir) + strlen(cwd) + 1 + strlen("/postgres/.s.PGSQL.5432");
    size_t limit = sizeof((struct sockaddr_un *)0)->sun_path;
    if (len < limit)
        found(f, VERDICT_OK, "sockets fit into the state directory (%zu of %zu bytes)", len, limit - 1);
    else
        found(f, VERDICT_OK, "the state directory's path is too long for sockets; they go to a short one under /tmp");
}

static void check_blas(const struct opts *o, struct finding *f)
{
    (void)o;
    int (*threads)(void) = NULL;
    char *(*config)(void) = NULL;
    *(void **)&threads = dlsym(RTLD_DEFAULT, "openblas_get_num_threads");
    *(void **)&config = dlsym(RTLD_DEFAULT, "openblas_get_config");
    const char *set = getenv("OPENBLAS_NUM_THREADS") ? getenv("OPENBLAS_NUM_THREADS") : getenv("OMP_NUM_THREADS");
    if (threads && config)
        found(f, VERDICT_OK, "%s, %d threads%s", config(), threads(), set ? " (set by the environment)" : "");
    else
        found(f, VERDICT_OK, "LAPACK without OpenBLAS' own controls; fits are small, it does not matter");
}

/* "2: NVIDIA H200 (139.7 GiB), ..." from the answer of acsweep-exec --probe. */
static bool describe_gpus(const char *answer, char *text, size_t size)
{
    AUTO(json_decref) json_t *root = json_loads(answer, 0, NULL);
    json_t *devices = json_object_get(root, "devices"), *d;
    if (!json_is_array(devices))
        return false;
    size_t i;
    int n = json_array_size(devices) > 0 ? snprintf(text, size, "%zu:", json_array_size(devices))
                                         : snprintf(text, size, "none; tasks run on CPU cores");
    json_array_foreach(devices, i, d)
    {
        double gib = (double)json_integer_value(json_object_get(d, "memory_bytes")) / (1u << 30);
        const char *name = json_string_value(json_object_get(d, "name"));
        if (n > 0 && (size_t)n < size)
            n += snprintf(text + n, size - (size_t)n, "%s %s (%.1f GiB)", i ? "," : "", name ? name : "?", gib);
    }
    return true;
}

static void check_gpus(const struct opts *o, struct finding *f)
{
    (void)o;
    char exec[4096], line[1 << 14], text[400];
    if (!program_find("acsweep-exec", exec, sizeof exec)) {
        found(f, VERDICT_NOTE, "not asked: acsweep-exec is missing");
        return;
    }
    int rc = program_first_line((const char *[]){ exec, "--probe", NULL }, line, sizeof line);
    if (rc == 0 && describe_gpus(line, text, sizeof text)) {
        found(f, VERDICT_OK, "%s", text);
        return;
    }
    found(f, VERDICT_NOTE, "acsweep-exec --probe ended with exit code %d", rc);
    remedy(f, "run acsweep-exec --probe by hand; without GPUs the replay works all the same");
}

static void check_fonts(const struct opts *o, struct finding *f)
{
    (void)o;
    char path[PATH_MAX];
    for (size_t i = 0; i < WORLD_FONTS; i++) {
        const struct world_font *font = &world_fonts[i];
        snprintf(path, sizeof path, WORLD_FONTS_DIR "/%s/%s", font->dir, font->file);
        if (access(path, R_OK) != 0) {
            found(f, VERDICT_NOTE, "%s is not there; only the sprite world is drawn with it", path);
            remedy(f, "apt-get install %s, or name a directory with acsweep world --fonts", font->package);
            return;
        }
    }
    found(f, VERDICT_OK, "those of the sprite world are there");
}

static const struct {
    const char *name;
    void (*check)(const struct opts *o, struct finding *f);
} checks[] = {
    { "machine", check_cores },          { "programs", check_programs }, { "postgresql", check_postgresql },
    { "zeromq", check_zeromq },          { "network", check_loopback },  { "disk", check_disk },
    { "open files", check_limits },      { "sockets", check_socket_path }, { "blas", check_blas },
    { "gpus", check_gpus },              { "database", check_database_place },
    { "fonts", check_fonts },
};

static void print_finding(const char *name, const struct finding *f)
{
    static const enum out_style styles[] = { OUT_GREEN, OUT_YELLOW, OUT_RED };
    printf("%s%-4s%s  %-11s %s\n", out_style(stdout, styles[f->verdict]), verdict_names[f->verdict],
           out_style(stdout, OUT_PLAIN), name, f->found);
    if (*f->remedy)
        printf("%18s-> %s\n", "", f->remedy);
}

static int run_doctor(const struct opts *o, struct err *e)
{
    bool json = opts_flag(o, "json"), failed = false;
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct finding f = { 0 };
        checks[i].check(o, &f);
        failed |= f.verdict == VERDICT_FAIL;
        if (json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "check", checks[i].name, "verdict",
                                                  f.verdict == VERDICT_FAIL ? "fail" : verdict_names[f.verdict], "found",
                                                  f.found, "remedy", f.remedy));
        else
            print_finding(checks[i].name, &f);
    }
    if (!json)
        json_decref(list);
    else if (out_json(list, e) < 0)
        return -1;
    return failed ? err_exit_code(ERR_ENV) : 0;
}

const struct cmd cmd_doctor = {
    .name = "doctor",
    .summary = "Check what this machine has and lacks, and say the remedy",
    .options = { cli_state_options, cli_database_options, cli_json_options },
    .details = "Exit code 0 when nothing needed is missing, 4 otherwise. Nothing is changed.",
    .run = run_doctor,
};
