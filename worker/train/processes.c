#include "worker/train/processes.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/parse.h"
#include "worker/layout.h"

/* How long a process that is lost is given to say why. */
#define WORDS_TRIES 20
#define WORDS_US 100000

extern char **environ;

struct train_team {
    char dir[4000];
    pid_t children[16]; /* of processes 1 ..; 0: none */
    int size;
    struct th_dist *group;
};

static int join_group(struct th_dist **group, const struct train_job *job, int rank, const char *dir, struct err *e)
{
    char meet[4096];
    snprintf(meet, sizeof meet, "%s/meet", dir);
    struct th_dist_options o = {
        .rank = rank, .size = job->processes, .rendezvous = meet, .device = job->devices[rank]
    };
    *group = th_dist_open(&o, e);
    return *group ? 0 : -1;
}

/* ---- process 0 ------------------------------------------------------------------------------------------------------
 */

static int write_job(const struct train_team *t, const struct train_job *job, struct err *e)
{
    char path[4096];
    AUTO(json_decref) json_t *j = train_job_json(job);
    snprintf(path, sizeof path, "%s/job.json", t->dir);
    if (!j)
        return FAIL_NOMEM(e);
    return json_dump_file(j, path, JSON_REAL_PRECISION(17)) < 0
               ? FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(errno))
               : 0;
}

static int start_child(struct train_team *t, int rank, struct err *e)
{
    char number[16];
    snprintf(number, sizeof number, "%d", rank);
    char *const argv[] = { (char *)"acsweep-exec", (char *)TRAIN_RANK_COMMAND, t->dir, number, NULL };
    int failed = posix_spawn(&t->children[rank], "/proc/self/exe", NULL, NULL, argv, environ);
    if (failed)
        t->children[rank] = 0;
    return failed ? FAIL(e, ERR_ENV, "cannot start process %d of the training: %s", rank, strerror(failed)) : 0;
}

static int start_all(struct train_team *t, const struct train_job *job, const char *scratch, struct err *e)
{
    for (int rank = 0; rank < job->processes; rank++)
        TRY(th_dist_check(job->devices[rank], e));
    if (snprintf(t->dir, sizeof t->dir, "%s/train-XXXXXX", scratch) >= (int)sizeof t->dir || !mkdtemp(t->dir)) {
        t->dir[0] = '\0';
        return FAIL(e, ERR_ENV, "%.200s: cannot make a directory for the processes to meet in: %s", scratch,
                    strerror(errno));
    }
    TRY(write_job(t, job, e));
    for (int rank = 1; rank < job->processes; rank++)
        TRY(start_child(t, rank, e));
    return join_group(&t->group, job, 0, t->dir, e);
}

struct train_team *train_team_start(const struct train_job *job, const char *scratch, struct err *e)
{
    AUTO(train_team_destroy) struct train_team *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    t->size = job->processes;
    if (t->size > 1 && start_all(t, job, scratch, e) < 0)
        return NULL;
    return TAKE(t);
}

struct th_dist *train_team_group(const struct train_team *t)
{
    return t->group;
}

static int await(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

int train_team_end(struct train_team *t, struct err *e)
{
    int failed = 0, status = 0;
    for (int rank = 1; rank < t->size; rank++) {
        int its = await(t->children[rank]);
        t->children[rank] = 0;
        if (its != 0 && !failed) {
            failed = rank;
            status = its;
        }
    }
    if (!failed)
        return 0;
    return WIFSIGNALED(status) ? FAIL(e, ERR_ENV, "process %d of the training was ended by signal %d", failed,
                                      WTERMSIG(status))
                               : FAIL(e, ERR_ENV, "process %d of the training ended with code %d; see its messages",
                                      failed, WEXITSTATUS(status));
}

/* A process's last words: the kind of its error, and the text. False when there are none. */
static bool read_words(const struct train_team *t, int rank, struct err *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/error-%d", t->dir, rank);
    AUTO(fclose) FILE *f = fopen(path, "re");
    int kind = 0;
    if (!f || fscanf(f, "%d ", &kind) != 1 || !fgets(out->text, sizeof out->text, f))
        return false;
    out->kind = (enum err_kind)kind;
    return true;
}

int train_team_failed(struct train_team *t, struct err *e)
{
    if (!t || !e || e->kind != ERR_ENV)
        return -1;
    for (int tries = 0; tries < WORDS_TRIES; tries++) {
        for (int rank = 1; rank < t->size; rank++) {
            struct err why = { 0 };
            if (!read_words(t, rank, &why) || why.kind == ERR_ENV) /* that one, too, only lost somebody */
                continue;
            err_clear(e);
            return FAIL(e, why.kind, "process %d of the training: %s", rank, why.text);
        }
        usleep(WORDS_US);
    }
    return -1;
}

void train_team_destroy(struct train_team *t)
{
    if (!t)
        return;
    for (int rank = 1; rank < t->size; rank++)
        if (t->children[rank] > 0) {
            kill(t->children[rank], SIGKILL);
            await(t->children[rank]);
        }
    th_dist_close(t->group);
    if (t->dir[0])
        remove_tree(t->dir);
    free(t);
}

/* ---- the others -----------------------------------------------------------------------------------------------------
 */

static int take_part(const struct train_job *job, int rank, const char *dir, struct err *e)
{
    struct trainer_hooks hooks = { 0 };
    enum trainer_end end;
    struct th_dist *joined = NULL;
    TRY(join_group(&joined, job, rank, dir, e));
    AUTO(th_dist_close) struct th_dist *group = joined;
    AUTO(trainer_close) struct trainer *t = trainer_open(job, rank, group, e);
    return t ? trainer_run(t, &hooks, &end, e) : -1;
}

static int run_rank(const char *dir, const char *number, struct err *e)
{
    char path[4096];
    json_error_t bad;
    int64_t rank;
    struct train_job job;
    TRY(parse_i64(number, 1, 15, &rank, e));
    snprintf(path, sizeof path, "%s/job.json", dir);
    AUTO(json_decref) json_t *j = json_load_file(path, 0, &bad);
    if (!j)
        return FAIL(e, ERR_INPUT, "%s: %s", path, bad.text);
    int rc = train_job_read(&job, j, e);
    if (rc == 0 && rank >= job.processes)
        rc = FAIL(e, ERR_INPUT, "there is no process %lld of %d", (long long)rank, job.processes);
    if (rc == 0)
        rc = take_part(&job, (int)rank, dir, e);
    train_job_free(&job);
    return rc;
}

static void write_words(const char *dir, const char *rank, const struct err *e)
{
    char path[4096], draft[4096];
    snprintf(path, sizeof path, "%s/error-%s", dir, rank);
    snprintf(draft, sizeof draft, "%s/error-%s.part", dir, rank);
    FILE *f = fopen(draft, "we");
    if (f) {
        fprintf(f, "%d %s", (int)e->kind, e->text);
        fclose(f);
        rename(draft, path);
    }
}

int train_rank_main(int argc, char **argv)
{
    struct err e = { 0 };
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc != 4 || getppid() == 1) {
        fprintf(stderr, "acsweep-exec: %s is for the processes of a training only\n", TRAIN_RANK_COMMAND);
        return 2;
    }
    if (run_rank(argv[2], argv[3], &e) == 0)
        return 0;
    fprintf(stderr, "acsweep-exec: process %s of the training: %s\n", argv[3], e.text);
    write_words(argv[2], argv[3], &e);
    return err_exit_code(e.kind);
}
