/* gearman: a client that submits TASKS jobs in groups and forked workers that answer them with nothing.
 *
 *     gearman_peer PORT TASKS WORKERS      prints seconds
 *     cc -O2 -o gearman_peer gearman_peer.c -lgearman */
#include <libgearman-1.0/gearman.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define GROUP 1000 /* tasks that one client call runs */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *noop(gearman_job_st *job, void *context, size_t *size, gearman_return_t *ret)
{
    (void)job;
    (void)context;
    *size = 0;
    *ret = GEARMAN_SUCCESS;
    return NULL;
}

static void work(in_port_t port)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    gearman_worker_st *w = gearman_worker_create(NULL);
    if (!w || gearman_failed(gearman_worker_add_server(w, "127.0.0.1", port)) ||
        gearman_failed(gearman_worker_add_function(w, "noop", 0, noop, NULL)))
        _exit(1);
    while (gearman_worker_work(w) == GEARMAN_SUCCESS)
        ;
    _exit(1);
}

static int submit(gearman_client_st *c, long tasks)
{
    for (long at = 0; at < tasks; at += GROUP) {
        long n = tasks - at < GROUP ? tasks - at : GROUP;
        for (long i = 0; i < n; i++) {
            gearman_return_t ret;
            gearman_client_add_task(c, NULL, NULL, "noop", NULL, "noop", 4, &ret);
            if (gearman_failed(ret))
                return -1;
        }
        if (gearman_failed(gearman_client_run_tasks(c)))
            return -1;
        gearman_client_task_free_all(c);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: gearman_peer PORT TASKS WORKERS\n");
        return 2;
    }
    in_port_t port = (in_port_t)strtol(argv[1], NULL, 10);
    long tasks = strtol(argv[2], NULL, 10), workers = strtol(argv[3], NULL, 10);
    for (long i = 0; i < workers; i++)
        if (fork() == 0)
            work(port);
    double begin = now();
    gearman_client_st *c = gearman_client_create(NULL);
    int rc = c && !gearman_failed(gearman_client_add_server(c, "127.0.0.1", port)) ? submit(c, tasks) : -1;
    if (rc < 0)
        fprintf(stderr, "gearman: %s\n", c ? gearman_client_error(c) : "out of memory");
    else
        printf("%.6f\n", now() - begin);
    return rc < 0;
}
